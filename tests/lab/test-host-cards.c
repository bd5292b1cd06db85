/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Network cards of the host in guests, as interfaces and by way of a network: the lab has one to spare, which
 * is no virtual function, because no emulated card has such. And tags of VLANs at bridges of the host, which
 * kernels of hosts of tests may not know.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define NETWORK_INTERFACE "org.libvirt.Network"

#define LIVE 1

/* See tests/lab/hardware. */
#define CARD    "0000:00:07.0"
#define MAC     "52:54:00:00:07:00"
#define DRIVER  "e1000e"
#define ADDRESS "<address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/>"

#define INTERFACE(managed, mac, more)                                                                        \
        "<interface type='hostdev' managed='" managed "'><mac address='" mac "'/><source>" ADDRESS           \
        "</source>" more "</interface>"
#define PLUGGED "<interface type='network'><mac address='" MAC "'/><source network='cards'/></interface>"
#define POOL                                                                                                 \
        "<network><name>cards</name><forward mode='hostdev' managed='yes'><driver name='vfio'/>" ADDRESS     \
        "</forward></network>"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static char *define(const char *name, const char *devices)
{
        return guest_define(
                client,
                g_strdup_printf("<domain type='qemu'><name>%s</name><memory unit='MiB'>64</memory>"
                                "<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
                                "<controller type='pci' index='0' model='pcie-root'/>"
                                "<controller type='pci' index='1' model='pcie-root-port'/>"
                                "<controller type='pci' index='2' model='pcie-root-port'/>"
                                "<controller type='usb' model='none'/><memballoon model='none'/>%s"
                                "</devices></domain>",
                                name, devices));
}

static void create(const char *path)
{
        guest_do_flags(client, path, "Create", 0);
}

static void destroy(const char *path)
{
        guest_do_flags(client, path, "Destroy", 0);
}

static void refuse_create(const char *path, const char *why)
{
        client_fails(client, LIBVIRT_ERROR, why, path, DOMAIN_INTERFACE, "Create", "u", 0);
}

/* flags of GetXMLDesc: 0 of the guest, 2 of the definition, 8 what another host can take */
static bool has(const char *path, unsigned flags, const char *text)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        return strstr(xml, text) != NULL;
}

static bool has_driver(void *driver)
{
        g_autofree char *target = g_file_read_link("/sys/bus/pci/devices/" CARD "/driver", NULL);
        g_autofree char *is = target ? g_path_get_basename(target) : NULL;

        return g_strcmp0(is, driver) == 0;
}

static void expect_driver(const char *driver)
{
        ck_assert_msg(has_driver((void *)driver), "it is not driver %s that has " CARD, driver);
}

static void restart_agent(void)
{
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
}

/* ---- by address ---- */

START_TEST(test_by_address)
{
        g_autofree char *web = define("web", INTERFACE("yes", MAC, "<driver name='vfio'/>")),
                        *db = define("db",
                                     "<hostdev mode='subsystem' type='pci' managed='yes'><source>" ADDRESS
                                     "</source></hostdev>");

        harness_wait_until(has_driver, (void *)DRIVER, "the card has its driver");
        ck_assert(has(web, 2, "<interface type='hostdev' managed='yes'>"));
        create(web);
        expect_driver("vfio-pci");
        ck_assert(has(web, 0, "<alias name='hostdev0'/>") && has(web, 0, ADDRESS));
        refuse_create(db, "*" CARD " is in use by domain 'web'*");
        client_fails(client, LIBVIRT_ERROR, "*'hostdev0'*cannot change*", web, DOMAIN_INTERFACE,
                     "UpdateDevice", "su", INTERFACE("yes", MAC, "<link state='down'/>"), LIVE);
        restart_agent();
        refuse_create(db, "*" CARD " is in use by domain 'web'*");
        destroy(web);
        expect_driver(DRIVER);
        create(db);
        destroy(db);
        expect_driver(DRIVER);
}
END_TEST

START_TEST(test_refused)
{
        static const struct {
                const char *interface, *why;
        } cases[] = {
                { INTERFACE("yes", "52:54:00:00:0b:0b", ""),
                  "*52:54:00:00:0b:0b*" CARD " is no virtual function of SR-IOV, and has " MAC "*" },
                { INTERFACE("no", MAC, ""), "*" CARD " is in use by its host (driver " DRIVER ")*" },
                { INTERFACE("yes", MAC, "<link state='down'/>"), "*<link state='down'>*device of the host*" },
                { INTERFACE("yes", MAC, "<mtu size='1400'/>"), "*<mtu>*device of the host*" },
        };

        harness_wait_until(has_driver, (void *)DRIVER, "the card has its driver");
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *name = g_strdup_printf("bad%u", i), *path = define(name, cases[i].interface);

                refuse_create(path, cases[i].why);
                expect_driver(DRIVER);
        }
}
END_TEST

/* A guest without an operating system does not let go: it has it until its end. */
START_TEST(test_plugged)
{
        static const char interface[] = INTERFACE("yes", MAC, "");
        g_autofree char *web = define("web", ""), *db = define("db", interface);

        harness_wait_until(has_driver, (void *)DRIVER, "the card has its driver");
        create(web);
        client_do(client, web, DOMAIN_INTERFACE, "AttachDevice", "su", interface, LIVE);
        expect_driver("vfio-pci");
        ck_assert(has(web, 0, "<alias name='hostdev0'/>"));
        refuse_create(db, "*" CARD " is in use by domain 'web'*");
        client_fails(client, LIBVIRT_ERROR, "*", web, DOMAIN_INTERFACE, "AttachDevice", "su", interface,
                     LIVE);
        expect_driver("vfio-pci");
        destroy(web);
        expect_driver(DRIVER);
        create(db);
        destroy(db);
}
END_TEST

/* ---- of a network ---- */

static char *get_ports(const char *network)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, network, NETWORK_INTERFACE, "ListPorts", "u", 0);
        GString *text = g_string_new(NULL);
        const char *uuid, *xml;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(ss)"), 0);
        while (sd_bus_message_read(reply, "(ss)", &uuid, &xml) > 0)
                g_string_append(text, xml);
        return g_string_free(text, FALSE);
}

START_TEST(test_pool)
{
        g_autofree char *network = NULL, *web = define("web", PLUGGED), *db = define("db", PLUGGED),
                        *ports = NULL, *xml = NULL, *none = NULL;

        harness_wait_until(has_driver, (void *)DRIVER, "the card has its driver");
        network = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkDefineXML", "s", POOL);
        create(web);
        expect_driver("vfio-pci");
        xml = client_call_string(client, network, NETWORK_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strstr(xml, "connections='1'") && strstr(xml, ADDRESS), "%s", xml);
        ck_assert(has(web, 0, "<interface type='hostdev' managed='yes'>") && has(web, 0, ADDRESS) &&
                  has(web, 0, "<driver name='vfio'/>") && has(web, 0, "network='cards'"));
        ck_assert(has(web, 2, "<interface type='network'>") && !has(web, 8, "managed") &&
                  has(web, 8, "<source network='cards'/>"));
        restart_agent();
        ports = get_ports(network);
        ck_assert_msg(strstr(ports, "<plug type='hostdev-pci' managed='yes'>") &&
                              strstr(ports, "slot='0x07'"),
                      "%s", ports);
        refuse_create(db, "*none are available*");
        destroy(web);
        expect_driver(DRIVER);
        none = get_ports(network);
        ck_assert_str_eq(none, "");
        create(db);
        client_do(client, network, NETWORK_INTERFACE, "Destroy", NULL);
        destroy(db);
        expect_driver(DRIVER);
}
END_TEST

/* The network does not know who else has what is in its pool. */
START_TEST(test_pool_in_use)
{
        g_autofree char *network = NULL, *web = define("web", INTERFACE("yes", MAC, "")),
                        *db = define("db", PLUGGED), *ports = NULL;

        harness_wait_until(has_driver, (void *)DRIVER, "the card has its driver");
        network = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s", POOL);
        create(web);
        refuse_create(db, "*" CARD " is in use by domain 'web'*");
        ports = get_ports(network);
        ck_assert_str_eq(ports, "");
        destroy(web);
        create(db);
        destroy(db);
        expect_driver(DRIVER);
}
END_TEST

/* ---- tags ---- */

#define TAP "<target dev='tap0'/>"

static char *run(const char *command)
{
        g_autoptr(GError) error = NULL;
        char *output = NULL;

        ck_assert_msg(g_spawn_command_line_sync(command, &output, NULL, NULL, &error), "%s", command);
        return output;
}

/* "tap0 7 PVID Egress Untagged" */
static void expect_vlans(const char *wanted)
{
        g_autofree char *text = run("bridge vlan show dev tap0"), *line = NULL;
        g_autoptr(GRegex) blanks = g_regex_new("[ \t]+", 0, 0, NULL);

        line = g_regex_replace_literal(blanks, text, -1, 0, " ", 0, NULL);
        ck_assert_msg(strstr(line, wanted), "no '%s' in '%s'", wanted, line);
}

static void make_bridge(bool tags)
{
        g_autofree char *command = g_strdup_printf("ip link add lan0 type bridge vlan_filtering %d", tags);

        g_free(run(command));
        g_free(run("ip link set lan0 up"));
}

static void remove_bridge(void)
{
        g_free(run("ip link del lan0"));
}

START_TEST(test_tags)
{
        static const char interface[] = "<interface type='bridge'><mac address='" MAC
                                        "'/><source bridge='lan0'/>" TAP "%s</interface>";
        g_autofree char *one = g_strdup_printf(interface, "<vlan><tag id='7'/></vlan>"),
                        *trunk = g_strdup_printf(interface, "<vlan trunk='yes'><tag id='8'/>"
                                                            "<tag id='9' nativeMode='untagged'/></vlan>"),
                        *none = g_strdup_printf(interface, ""), *web = NULL;

        make_bridge(true);
        web = define("web", one);
        create(web);
        expect_vlans("tap0 7 PVID Egress Untagged\n");
        ck_assert(has(web, 0, "<tag id='7'/>"));
        client_do(client, web, DOMAIN_INTERFACE, "UpdateDevice", "su", trunk, LIVE);
        expect_vlans("tap0 8\n 9 PVID Egress Untagged\n");
        ck_assert(has(web, 0, "<vlan trunk='yes'>"));
        client_do(client, web, DOMAIN_INTERFACE, "UpdateDevice", "su", none, LIVE);
        expect_vlans("tap0 1 PVID Egress Untagged\n");
        destroy(web);
        remove_bridge();
        make_bridge(false);
        refuse_create(web, "*vlan_filtering of bridge 'lan0' is off*");
        remove_bridge();
}
END_TEST

/* The interface's own count, then its group's, then the network's. */
START_TEST(test_tags_of_a_network)
{
        static const char *const interfaces[][2] = {
                { "<interface type='network'><mac address='" MAC "'/><source network='lan'/>" TAP
                  "</interface>",
                  "tap0 5 PVID" },
                { "<interface type='network'><mac address='" MAC
                  "'/><source network='lan' portgroup='six'/>" TAP "</interface>",
                  "tap0 6 PVID" },
                { "<interface type='network'><mac address='" MAC
                  "'/><source network='lan' portgroup='six'/>" TAP "<vlan><tag id='7'/></vlan></interface>",
                  "tap0 7 PVID" },
        };
        g_autofree char *network = NULL;

        make_bridge(true);
        network =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s",
                                   "<network><name>lan</name><forward mode='bridge'/><bridge "
                                   "name='lan0'/><vlan><tag id='5'/></vlan>"
                                   "<portgroup name='six'><vlan><tag id='6'/></vlan></portgroup></network>");
        for (unsigned i = 0; i < G_N_ELEMENTS(interfaces); i++) {
                g_autofree char *name = g_strdup_printf("web%u", i), *ports = NULL,
                                *path = define(name, interfaces[i][0]),
                                *tag = g_strdup_printf("<tag id='%u'/>", 5 + i);

                create(path);
                expect_vlans(interfaces[i][1]);
                ports = get_ports(network);
                ck_assert_msg(strstr(ports, tag), "%s", ports);
                if (i == 1) {
                        restart_agent();
                        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", interfaces[2][0],
                                  LIVE);
                        expect_vlans("tap0 7 PVID");
                        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", interfaces[1][0],
                                  LIVE);
                        expect_vlans("tap0 6 PVID");
                }
                destroy(path);
        }
        client_do(client, network, NETWORK_INTERFACE, "Destroy", NULL);
        remove_bridge();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("host-cards");
        TCase *tcase = tcase_create("host-cards");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_by_address);
        tcase_add_test(tcase, test_refused);
        tcase_add_test(tcase, test_plugged);
        tcase_add_test(tcase, test_pool);
        tcase_add_test(tcase, test_pool_in_use);
        tcase_add_test(tcase, test_tags);
        tcase_add_test(tcase, test_tags_of_a_network);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
