/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libvirt's dnsmasq has lent. It keeps no file of leases, but tells libvirt's helper, which writes, in
 * version 9.0, /var/lib/libvirt/dnsmasq/<bridge>.status:
 *
 *     [
 *       { "ip-address": "192.168.122.5", "mac-address": "52:54:00:..", "hostname": "web",
 *         "client-id": "01:52:54:..", "expiry-time": 1795758094 },
 *       { "ip-address": "fd00::73", "iaid": "77", "client-id": "00:02:..", "server-duid": "00:01:..",
 *         "mac-address": "52:54:00:..", "hostname": "web", "expiry-time": 1795841124 }
 *     ]
 *
 * Ours reads what any dnsmasq writes (leases.c). No state; any thread.
 */
#include "base/error.h"
#include "drivers/network/adopt.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* Longer than any name or identifier of DHCP. */
#define WORD_MAX 1024

/* While it is read. */
struct reading {
        GString *ipv4, *ipv6, *macs;
        const char *duid; /* borrowed; of the server; NULL: none */
};

/* A word of a line: no white space, no control character. NULL: it is none. */
static const char *get_word(const json_t *lease, const char *key)
{
        const char *text = json_string_value(json_object_get(lease, key));
        size_t length = text ? strlen(text) : 0;

        if (length == 0 || length > WORD_MAX)
                return NULL;
        for (size_t i = 0; i < length; i++)
                if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
                        return NULL;
        return text;
}

static void add_line(GString *out, const json_t *lease, const char *address, const char *owner)
{
        const char *name = get_word(lease, "hostname"), *client = get_word(lease, "client-id");

        g_string_append_printf(out, "%" JSON_INTEGER_FORMAT " %s %s %s %s\n",
                               json_integer_value(json_object_get(lease, "expiry-time")), owner, address,
                               name ? name : "*", client ? client : "*");
}

static bool add_ipv4(struct reading *reading, const json_t *lease, const char *address)
{
        const char *mac = get_word(lease, "mac-address");

        if (mac)
                add_line(reading->ipv4, lease, address, mac);
        return mac;
}

static bool add_ipv6(struct reading *reading, const json_t *lease, const char *address)
{
        const char *iaid = get_word(lease, "iaid"), *mac = get_word(lease, "mac-address");

        if (!iaid || !get_word(lease, "client-id"))
                return false;
        if (!reading->duid)
                reading->duid = get_word(lease, "server-duid");
        add_line(reading->ipv6, lease, address, iaid);
        if (mac)
                g_string_append_printf(reading->macs, "%s %s\n", address, mac);
        return true;
}

static bool add(struct reading *reading, const json_t *lease)
{
        const char *text = get_word(lease, "ip-address");
        struct network_address address;
        char canonical[NETWORK_ADDRESS_TEXT_MAX];

        if (!text || !network_address_parse(text, &address) ||
            !json_is_integer(json_object_get(lease, "expiry-time")))
                return false;
        network_address_format(&address, canonical);
        return address.family == AF_INET6 ? add_ipv6(reading, lease, canonical)
                                          : add_ipv4(reading, lease, canonical);
}

/* dnsmasq takes what stands behind the DUID of the server for IPv6's; without one it makes another. */
static char *join(const struct reading *reading)
{
        if (reading->ipv6->len == 0 || !reading->duid)
                return g_strdup(reading->ipv4->str);
        return g_strdup_printf("%sduid %s\n%s", reading->ipv4->str, reading->duid, reading->ipv6->str);
}

bool network_adopted_leases_parse(struct network_adopted_leases *leases, const char *text, GError **error)
{
        struct reading reading = { g_string_new(NULL), g_string_new(NULL), g_string_new(NULL), NULL };
        json_error_t problem;
        /* The helper leaves the file empty until something is lent. */
        json_t *list = *text ? json_loads(text, JSON_REJECT_DUPLICATES, &problem) : json_array(), *lease;
        bool is_list;
        size_t i;

        *leases = (struct network_adopted_leases){ 0 };
        json_array_foreach(list, i, lease)
        {
                if (add(&reading, lease))
                        leases->count++;
                else
                        leases->lost++;
        }
        leases->leases = join(&reading);
        leases->macs = g_string_free(reading.macs, FALSE);
        g_string_free(reading.ipv4, TRUE);
        g_string_free(reading.ipv6, TRUE);
        is_list = json_is_array(list);
        if (!is_list)
                error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED, "it is no list of leases: %s",
                          list ? "not an array" : problem.text);
        json_decref(list);
        return is_list;
}

void network_adopted_leases_clear(struct network_adopted_leases *leases)
{
        g_clear_pointer(&leases->leases, g_free);
        g_clear_pointer(&leases->macs, g_free);
}
