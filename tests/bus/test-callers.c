/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What users other than root and the agent's own may do where PolicyKit lets everybody look, and nobody
 * touch. Needs root, to be somebody else.
 */

#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/polkitd.h"

static struct harness *harness;
static struct client *client;
static struct polkitd *polkitd; /* NULL: it cannot run here */

static void set_up(void)
{
        harness = harness_new_bus();
        polkitd = polkitd_new(harness, "polkit.addRule(function (action, subject) {"
                                       "    if (action.id == 'org.libvirt.unix.manage') return 'no';"
                                       "});");
        harness_start_agent(harness);
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        polkitd_free(polkitd);
        harness_free(harness);
}

#define DOMAIN TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
/* A client that the bus takes for nobody's; NULL when this test may not. */
static struct client *connect_as_nobody(void)
{
        return polkitd ? polkitd_connect_as(harness, POLKITD_NOBODY) : NULL;
}

START_TEST(test_nobody_changes_nothing)
{
        g_autofree char *xml = guest_test_xml("web", NULL);
        struct client *nobody = connect_as_nobody();

        if (!nobody)
                return;
        client_fails(nobody, ACCESS_DENIED, "*", TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        client_fails(nobody, ACCESS_DENIED, "*", TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml,
                     0);
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, DOMAIN_INTERFACE, "Undefine", "u", 0);
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, DOMAIN_INTERFACE, "Rename", "su", "x", 0);
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, DOMAIN_INTERFACE, "SetMetadata", "isssu", 1, "x", "",
                     "", 0);
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, "org.freedesktop.DBus.Properties", "Set", "ssv",
                     DOMAIN_INTERFACE, "Autostart", "b", 1);
        client_free(nobody);
}
END_TEST

#define ETH1 TEST_PATH "/interface/aa_3abb_3acc_3add_3aee_3aff"

START_TEST(test_nobody_changes_no_interfaces)
{
        static const char interface[] = "org.libvirt.Interface",
                          xml[] = "<interface type='ethernet' name='x'/>";
        struct client *nobody = connect_as_nobody();

        if (!nobody)
                return;
        client_do(nobody, ETH1, interface, "GetXMLDesc", "u", 0);
        client_fails(nobody, ACCESS_DENIED, "*", ETH1, interface, "Create", "u", 0);
        client_fails(nobody, ACCESS_DENIED, "*", ETH1, interface, "Destroy", "u", 0);
        client_fails(nobody, ACCESS_DENIED, "*", ETH1, interface, "Undefine", NULL);
        client_fails(nobody, ACCESS_DENIED, "*", TEST_PATH, CONNECT_INTERFACE, "InterfaceDefineXML", "su",
                     xml, 0);
        client_fails(nobody, ACCESS_DENIED, "*", TEST_PATH, CONNECT_INTERFACE, "InterfaceChangeBegin", "u",
                     0);
        client_fails(nobody, ACCESS_DENIED, "*", TEST_PATH, CONNECT_INTERFACE, "InterfaceChangeCommit", "u",
                     0);
        client_fails(nobody, ACCESS_DENIED, "*", TEST_PATH, CONNECT_INTERFACE, "InterfaceChangeRollback", "u",
                     0);
        client_fails(nobody, ACCESS_DENIED, "*", TEST_PATH, "org.freedesktop.DBus.Properties", "Set", "ssv",
                     CONNECT_INTERFACE, "ChangeTimeout", "u", 1);
        client_free(nobody);
}
END_TEST

/* Asked for first, parsed after: a document that is none is not looked at. */
START_TEST(test_authorization_comes_before_parsing)
{
        struct client *nobody = connect_as_nobody();

        if (!nobody)
                return;
        client_fails(nobody, ACCESS_DENIED, "*", TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s",
                     "<domain");
        client_free(nobody);
}
END_TEST

START_TEST(test_nobody_may_look)
{
        struct client *nobody = connect_as_nobody();
        g_autofree char *name = NULL;

        if (!nobody)
                return;
        client_ping(nobody);
        client_do(nobody, TEST_PATH, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
        client_do(nobody, TEST_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        name = client_get_string(nobody, DOMAIN, DOMAIN_INTERFACE, "Name");
        ck_assert_str_eq(name, "test");
        client_free(nobody);
}
END_TEST

/* VIR_DOMAIN_XML_SECURE shows passwords. */
START_TEST(test_nobody_sees_no_secrets)
{
        struct client *nobody = connect_as_nobody();

        if (!nobody)
                return;
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, DOMAIN_INTERFACE, "GetXMLDesc", "u", 1);
        client_free(nobody);
}
END_TEST

/* The rights of one caller are not those of another who comes after it. */
START_TEST(test_root_after_nobody)
{
        struct client *nobody = connect_as_nobody();

        if (!nobody)
                return;
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_do(client, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_fails(nobody, ACCESS_DENIED, "*", DOMAIN, DOMAIN_INTERFACE, "Resume", NULL);
        client_free(nobody);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("callers");
        TCase *tcase = tcase_create("callers");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_nobody_changes_nothing);
        tcase_add_test(tcase, test_nobody_changes_no_interfaces);
        tcase_add_test(tcase, test_authorization_comes_before_parsing);
        tcase_add_test(tcase, test_nobody_may_look);
        tcase_add_test(tcase, test_nobody_sees_no_secrets);
        tcase_add_test(tcase, test_root_after_nobody);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
