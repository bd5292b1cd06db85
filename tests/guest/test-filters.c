/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests whose interfaces have network filters: which rules there are, from before the guest runs until it
 * has gone. What rules do to packets is in unit/nwfilter.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define NWFILTER_INTERFACE "org.libvirt.NWFilter"

#define LIVE 1

#define MAC "52:54:00:00:0a:01"
/* Marks in the rules: ports of UDP. */
#define FILTER(name, uuid, port)                                                                             \
        "<filter name='" name "'><uuid>00000000-0000-0000-0000-00000000000" uuid                             \
        "</uuid><rule action='drop' direction='out'><ip protocol='udp' dstportstart='" port                  \
        "'/></rule></filter>"
#define INTERFACE(rest)                                                                                      \
        "<interface type='bridge'><mac address='" MAC "'/><source bridge='br0'/><model type='virtio'/>" rest \
        "</interface>"
#define FILTERED(name) INTERFACE("<filterref filter='" name "'/>")

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

static bool can_run(void)
{
        if (geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0 &&
            system("nft list tables >/dev/null 2>&1") == 0) {
                ck_assert_int_eq(system("ip link show br0 >/dev/null 2>&1 || ip link add br0 type bridge"),
                                 0);
                return true;
        }
        harness_skip("filters need root, nft and /dev/net/tun");
        return false;
}

static char *define(const char *xml)
{
        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NWFilterDefineXML", "s", xml);
}

static char *list_rules(void)
{
        char *output;

        ck_assert(g_spawn_command_line_sync("nft -n list ruleset", &output, NULL, NULL, NULL));
        return output;
}

static bool has_rules(const char *text)
{
        g_autofree char *rules = list_rules();

        return strstr(rules, text) != NULL;
}

static bool lacks_rules(void *text)
{
        return !has_rules(text);
}

static bool gets_rules(void *text)
{
        return has_rules(text);
}

static void wait_gone(const char *text)
{
        harness_wait_until(lacks_rules, (void *)text, "the rules have gone");
}

static void wait_there(const char *text)
{
        harness_wait_until(gets_rules, (void *)text, "the rules are there");
}

/* ---- cases ---- */

START_TEST(test_a_guest_has_its_filter)
{
        g_autofree char *filter = NULL, *path = NULL, *again = NULL;

        if (!can_run())
                return;
        filter = define(FILTER("a", "1", "7001"));
        path = guest_start(client, guest_bare_xml("one", FILTERED("a")));
        ck_assert(has_rules("udp dport 7001 drop") && has_rules("\"vnet0\" : goto ol-vnet0"));
        again = define(FILTER("a", "1", "7002"));
        ck_assert(has_rules("7002") && !has_rules("7001"));
        client_fails(client, LIBVIRT_ERROR, "*nwfilter is in use: 'a' by guest 'one'*", filter,
                     NWFILTER_INTERFACE, "Undefine", NULL);
        guest_do_flags(client, path, "Destroy", 0);
        wait_gone("vnet0");
        client_do(client, filter, NWFILTER_INTERFACE, "Undefine", NULL);
}
END_TEST

/* It does not start, and leaves nothing; a document may name what is to come. */
START_TEST(test_a_filter_that_cannot_be)
{
        g_autofree char *filter = NULL, *path = NULL;

        if (!can_run())
                return;
        path = guest_define(client, guest_bare_xml("one", FILTERED("a")));
        client_fails(client, LIBVIRT_ERROR, "*referenced filter 'a' is missing*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        filter = define(FILTER("a", "1", "$PORT"));
        client_fails(client, LIBVIRT_ERROR, "*needs a value for '$PORT'*", path, DOMAIN_INTERFACE, "Create",
                     "u", 0);
        ck_assert(!has_rules("vnet0"));
        g_free(path);
        path = guest_start(client,
                           guest_bare_xml("two", INTERFACE("<filterref filter='a'><parameter name='PORT' "
                                                           "value='7003'/></filterref>")));
        ck_assert(has_rules("7003"));
        guest_do_flags(client, path, "Destroy", 0);
        wait_gone("vnet0");
}
END_TEST

START_TEST(test_plugged_in_changed_and_out)
{
        g_autofree char *a = NULL, *b = NULL, *path = NULL;

        if (!can_run())
                return;
        a = define(FILTER("a", "1", "7001"));
        b = define(FILTER("b", "2", "7002"));
        path = guest_start(
                client, guest_bare_xml("one", "<controller type='pci' index='0' model='pcie-root'/>"
                                              "<controller type='pci' index='1' model='pcie-root-port'/>"));
        client_fails(client, LIBVIRT_ERROR, "*referenced filter 'c' is missing*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su", FILTERED("c"), LIVE);
        ck_assert(!has_rules("vnet0"));
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", FILTERED("a"), LIVE);
        ck_assert(has_rules("7001") && has_rules("vnet0"));
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", FILTERED("b"), LIVE);
        ck_assert(has_rules("7002") && !has_rules("7001"));
        client_do(client, a, NWFILTER_INTERFACE, "Undefine", NULL);
        /* What cannot be leaves it as it is. */
        client_fails(client, LIBVIRT_ERROR, "*referenced filter 'a' is missing*", path, DOMAIN_INTERFACE,
                     "UpdateDevice", "su", FILTERED("a"), LIVE);
        ck_assert(has_rules("7002"));
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", INTERFACE(""), LIVE);
        wait_gone("vnet0");
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", FILTERED("b"), LIVE);
        ck_assert(has_rules("7002"));
        guest_do_flags(client, path, "Destroy", 0);
        wait_gone("vnet0");
        client_do(client, b, NWFILTER_INTERFACE, "Undefine", NULL);
}
END_TEST

/* What goes by the emulator's own sockets meets no rules, and is told so. */
START_TEST(test_no_link_to_filter)
{
        static const char user[] = "<interface type='user'><mac address='" MAC "'/><model type='virtio'/>%s"
                                   "</interface>";
        g_autofree char *plain = g_strdup_printf(user, ""),
                        *filtered = g_strdup_printf(user, "<filterref filter='a'/>");
        g_autofree char *path = guest_start(client, guest_bare_xml("one", plain));

        client_fails(client, LIBVIRT_ERROR, "*'net0' has no link on the host*", path, DOMAIN_INTERFACE,
                     "UpdateDevice", "su", filtered, LIVE);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", plain, LIVE);
}
END_TEST

/* The rules outlive the agent; the next puts back what somebody took, and knows whose they are. */
START_TEST(test_the_agent_dies)
{
        g_autofree char *filter = NULL, *path = NULL, *again = NULL;

        if (!can_run())
                return;
        filter = define(FILTER("a", "1", "7001"));
        path = guest_start(client, guest_bare_xml("one", FILTERED("a")));
        harness_end_agent(harness, SIGKILL);
        ck_assert(has_rules("7001"));
        ck_assert_int_eq(system("nft flush ruleset"), 0);
        harness_start_agent(harness);
        wait_there("7001");
        again = define(FILTER("a", "1", "7002"));
        ck_assert(has_rules("7002") && !has_rules("7001"));
        client_fails(client, LIBVIRT_ERROR, "*in use: 'a' by guest 'one'*", filter, NWFILTER_INTERFACE,
                     "Undefine", NULL);
        harness_end_agent(harness, SIGTERM);
        ck_assert(has_rules("7002"));
        harness_start_agent(harness);
        guest_do_flags(client, path, "Destroy", 0);
        wait_gone("vnet0");
}
END_TEST

/* A guest that ends while there is no agent. */
START_TEST(test_the_guest_dies_alone)
{
        g_autofree char *filter = NULL, *path = NULL;
        pid_t pid;

        if (!can_run())
                return;
        filter = define(FILTER("a", "1", "7001"));
        path = guest_start(client, guest_bare_xml("one", FILTERED("a")));
        pid = harness_find_guest(harness, "one");
        harness_end_agent(harness, SIGKILL);
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        harness_start_agent(harness);
        wait_gone("vnet0");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("filters");
        TCase *tcase = tcase_create("filters");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_a_guest_has_its_filter);
        tcase_add_test(tcase, test_a_filter_that_cannot_be);
        tcase_add_test(tcase, test_plugged_in_changed_and_out);
        tcase_add_test(tcase, test_no_link_to_filter);
        tcase_add_test(tcase, test_the_agent_dies);
        tcase_add_test(tcase, test_the_guest_dies_alone);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
