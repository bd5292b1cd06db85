/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/guest-networks.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct harness *harness;
struct client *client;

/* What a case that failed has left would make those behind it fail, too. */
static void sweep(void)
{
        static const char *const names[] = { "br-lan", "br-wan", "br-host", "card0", "direct7" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *command = g_strdup_printf("ip link del %s 2>/dev/null", names[i]);

                if (geteuid() == 0 && system(command) != 0)
                        continue;
        }
}

void set_up_networks(void)
{
        sweep();
        harness = harness_new();
        client = harness_get_client(harness);
}

void tear_down_networks(void)
{
        harness_free(harness);
}

bool can_run(void)
{
        if (geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0 &&
            system("nft list tables >/dev/null 2>&1") == 0 &&
            system("dnsmasq --version >/dev/null 2>&1") == 0)
                return true;
        harness_skip("networks need root, nft, dnsmasq and /dev/net/tun");
        return false;
}

/* ---- what the host has ---- */

char *run(const char *format, ...)
{
        g_autofree char *command = NULL;
        g_autoptr(GError) error = NULL;
        char *output = NULL;
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        ck_assert_msg(g_spawn_command_line_sync(command, &output, NULL, NULL, &error), "%s", command);
        return output;
}

/* Is there such a line in what `ip -d link` says of it? */
bool link_has(const char *name, const char *text)
{
        g_autofree char *output = run("ip -d link show dev %s", name);

        return strstr(output, text) != NULL;
}

bool has_link(const char *name)
{
        g_autofree char *output = run("ip -o link show dev %s", name);

        return *output != '\0';
}

/* All that a start may leave behind. */
char *look_at_host(void)
{
        g_autofree char *links = run("ip -o link"), *qdiscs = run("tc qdisc"),
                        *rules = run("nft list ruleset");

        return g_strdup_printf("%s%s%s", links, qdiscs, rules);
}

/* ---- networks and guests ---- */

static char *network_xml(const char *name, const char *bridge, unsigned number)
{
        return g_strdup_printf(
                "<network><name>%s</name><bridge name='%s'/><ip address='10.77.%u.1' prefix='24'>"
                "<dhcp><range start='10.77.%u.2' end='10.77.%u.99'/></dhcp></ip></network>",
                name, bridge, number, number, number);
}

char *define_network(const char *name, const char *bridge, unsigned number)
{
        g_autofree char *xml = network_xml(name, bridge, number);

        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkDefineXML", "s", xml);
}

void network_do(const char *path, const char *member)
{
        client_do(client, path, NETWORK_INTERFACE, member, NULL);
}

bool is_active(const char *path)
{
        return client_get_bool(client, path, NETWORK_INTERFACE, "Active");
}

char *dump(const char *path, unsigned flags)
{
        return client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);
}

bool has(const char *path, unsigned flags, const char *text)
{
        g_autofree char *xml = dump(path, flags);

        return strstr(xml, text) != NULL;
}

/* The value of the first attribute of that name behind `after`. */
char *get_attr_of(const char *xml, const char *after, const char *attr)
{
        g_autofree char *key = g_strdup_printf(" %s='", attr);
        const char *start = strstr(xml, after), *value = start ? strstr(start, key) : NULL;

        ck_assert_msg(value, "no %s in %s", attr, xml);
        value += strlen(key);
        return g_strndup(value, strcspn(value, "'"));
}

char *get_attr(const char *path, const char *after, const char *attr)
{
        g_autofree char *xml = dump(path, 0);

        return get_attr_of(xml, after, attr);
}

char *get_tap(const char *path)
{
        g_autofree char *xml = dump(path, 0), *rest = NULL;

        ck_assert(strstr(xml, MAC));
        rest = get_attr_of(strstr(xml, MAC), "<target", "dev");
        return g_steal_pointer(&rest);
}

/* Uuids and documents of the network's ports. */
char *get_ports(const char *network, unsigned *count)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, network, NETWORK_INTERFACE, "ListPorts", "u", 0);
        GString *text = g_string_new(NULL);
        const char *uuid, *xml;

        *count = 0;
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(ss)"), 0);
        while (sd_bus_message_read(reply, "(ss)", &uuid, &xml) > 0) {
                g_string_append(text, xml);
                ++*count;
        }
        return g_string_free(text, FALSE);
}

unsigned count_ports(const char *network)
{
        unsigned count;

        g_free(get_ports(network, &count));
        return count;
}

struct expectation {
        const char *network;
        unsigned ports;
};

static bool has_ports(void *data)
{
        const struct expectation *wanted = data;

        return count_ports(wanted->network) == wanted->ports;
}

void wait_ports(const char *network, unsigned ports)
{
        struct expectation wanted = { network, ports };

        harness_wait_until(has_ports, &wanted, "the network has its ports");
}

/* A Linux that sees what is plugged in, and has free ports for it. */
char *start_watcher(const char *console)
{
        g_autofree char *xml = guest_linux_xml("linux", console, "watch");
        g_auto(GStrv) parts = g_strsplit(xml, "<devices>", 2);
        char *path =
                guest_start(client, g_strjoinv("<devices><controller type='pci' index='0' model='pcie-root'/>"
                                               "<controller type='pci' index='1' model='pcie-root-port'/>"
                                               "<controller type='pci' index='2' model='pcie-root-port'/>",
                                               parts));

        guest_wait_console(console, "virtbus-guest: watching");
        return path;
}
