/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: what is asked of the interfaces of guests. Loop thread.
 */
#include "bus/domain.h"

#include "bus/call.h"
#include "drivers/domain/domain.h"
#include "interfaces/link.h"
#include "introspection/domain.h"

#include <sys/socket.h>

/* virIPAddrType */
enum {
        IP_ADDR_TYPE_IPV4 = 0,
        IP_ADDR_TYPE_IPV6 = 1,
};

static void write_interface(DBusMessageIter *array, const struct domain_interface_addresses *interface)
{
        DBusMessageIter entry, ips;
        char text[LINK_IP_SIZE];

        marshal_open_struct(array, &entry);
        marshal_write(&entry, "ss", interface->name, interface->mac);
        marshal_open_array(&entry, &ips, "(isu)");
        for (unsigned i = 0; i < interface->ips->len; i++) {
                const struct link_ip *ip = &g_array_index(interface->ips, struct link_ip, i);

                marshal_write(&ips, "(isu)", ip->family == AF_INET6 ? IP_ADDR_TYPE_IPV6 : IP_ADDR_TYPE_IPV4,
                              link_ip_format(ip, text), (unsigned)ip->prefix);
        }
        marshal_close(&entry, &ips);
        marshal_close(array, &entry);
}

static void reply_addresses(const GPtrArray *interfaces, const GError *error, void *data)
{
        struct call *call = data;
        DBusMessageIter iter, array;
        DBusMessage *reply;

        if (!call_may_reply(call, error))
                return;
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "(ssa(isu))");
        for (unsigned i = 0; i < interfaces->len; i++)
                write_interface(&array, g_ptr_array_index(interfaces, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_domain_interface_addresses(struct call *call)
{
        uint32_t source, flags;

        call_read(call, "uu", &source, &flags);
        domain_get_addresses(call_get_domain(call), source, flags, reply_addresses, call);
}
