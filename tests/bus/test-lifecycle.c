/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The life of a domain on the Test connection, as a client sees it: calls, states, events, properties,
 * ObjectManager.
 */

#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

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

#define UUID "11111111-2222-3333-4444-555555555555"
#define WEB  TEST_PATH "/domain/_11111111_2222_3333_4444_555555555555"

/* virDomainEventType */
enum {
        DEFINED = 0,
        UNDEFINED = 1,
        STARTED = 2,
        SUSPENDED = 3,
        RESUMED = 4,
        STOPPED = 5,
};

/* virDomainState */
enum {
        RUNNING = 1,
        PAUSED = 3,
        SHUTOFF = 5,
};

static void define_web(void)
{
        g_autofree char *xml = guest_test_xml("web", UUID);
        g_autofree char *path =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);

        ck_assert_str_eq(path, WEB);
}

static void domain_do(const char *member)
{
        client_do(client, WEB, DOMAIN_INTERFACE, member, NULL);
}

static void domain_do_flags(const char *member, unsigned flags)
{
        client_do(client, WEB, DOMAIN_INTERFACE, member, "u", flags);
}

static void expect_state(int state, int reason)
{
        g_autoptr(sd_bus_message) reply = client_call(client, WEB, DOMAIN_INTERFACE, "GetState", "u", 0);
        int now;
        int why;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ii)", &now, &why), 0);
        ck_assert_int_eq(now, state);
        ck_assert_int_eq(why, reason);
}

static void expect_not_there(void)
{
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", WEB, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByName", "s", "web");
}

START_TEST(test_define_and_undefine)
{
        define_web();
        client_wait_event(client, WEB, DEFINED, 0);
        expect_state(SHUTOFF, 0);
        ck_assert(client_get_bool(client, WEB, DOMAIN_INTERFACE, "Persistent"));
        ck_assert(!client_get_bool(client, WEB, DOMAIN_INTERFACE, "Active"));

        domain_do_flags("Undefine", 0);
        client_wait_event(client, WEB, UNDEFINED, 0);
        expect_not_there();
}
END_TEST

START_TEST(test_define_again_updates)
{
        g_autofree char *clash = guest_test_xml("web", "11111111-2222-3333-4444-000000000000");
        g_autofree char *rename = guest_test_xml("web2", UUID);

        define_web();
        client_wait_event(client, WEB, DEFINED, 0);
        define_web();
        client_wait_event(client, WEB, DEFINED, 1);
        client_fails(client, LIBVIRT_ERROR, "*already exists*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainDefineXML", "s", clash);
        client_fails(client, LIBVIRT_ERROR, "*already*", TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s",
                     rename);
}
END_TEST

START_TEST(test_start_and_destroy)
{
        unsigned id = 0;

        define_web();
        domain_do_flags("Create", 0);
        client_wait_event(client, WEB, STARTED, 0);
        expect_state(RUNNING, 1);
        client_get(client, WEB, DOMAIN_INTERFACE, "Id", 'u', &id);
        ck_assert_uint_gt(id, 0);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", WEB, DOMAIN_INTERFACE,
                     "Create", "u", 0);

        domain_do_flags("Destroy", 0);
        client_wait_event(client, WEB, STOPPED, 1);
        expect_state(SHUTOFF, 2);
        client_get(client, WEB, DOMAIN_INTERFACE, "Id", 'u', &id);
        ck_assert_uint_eq(id, 0);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", WEB, DOMAIN_INTERFACE,
                     "Destroy", "u", 0);
}
END_TEST

START_TEST(test_start_paused)
{
        define_web();
        domain_do_flags("Create", 1);
        expect_state(PAUSED, 1);
        domain_do("Resume");
        expect_state(RUNNING, 5);
}
END_TEST

START_TEST(test_suspend_and_resume)
{
        define_web();
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", WEB, DOMAIN_INTERFACE,
                     "Suspend", "");
        domain_do_flags("Create", 0);
        domain_do("Suspend");
        client_wait_event(client, WEB, SUSPENDED, 0);
        expect_state(PAUSED, 1);
        domain_do("Resume");
        client_wait_event(client, WEB, RESUMED, 0);
        expect_state(RUNNING, 5);
}
END_TEST

START_TEST(test_shutdown)
{
        define_web();
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", WEB, DOMAIN_INTERFACE,
                     "Shutdown", "u", 0);
        domain_do_flags("Create", 0);
        domain_do_flags("Shutdown", 0);
        client_wait_event(client, WEB, STOPPED, 0);
        expect_state(SHUTOFF, 1);
}
END_TEST

START_TEST(test_reboot_and_reset_keep_it_running)
{
        define_web();
        domain_do_flags("Create", 0);
        domain_do_flags("Reboot", 0);
        expect_state(RUNNING, 1);
}
END_TEST

START_TEST(test_undefine_of_a_running_domain_makes_it_transient)
{
        define_web();
        domain_do_flags("Create", 0);
        domain_do_flags("Undefine", 0);
        ck_assert(!client_get_bool(client, WEB, DOMAIN_INTERFACE, "Persistent"));
        expect_state(RUNNING, 1);
        domain_do_flags("Destroy", 0);
        client_wait_event(client, WEB, STOPPED, 1);
        expect_not_there();
}
END_TEST

START_TEST(test_a_transient_domain_goes_when_it_stops)
{
        g_autofree char *xml = guest_test_xml("web", UUID);
        g_autofree char *path =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);

        ck_assert_str_eq(path, WEB);
        client_wait_event(client, WEB, STARTED, 0);
        ck_assert(!client_get_bool(client, WEB, DOMAIN_INTERFACE, "Persistent"));
        ck_assert(!client_get_bool(client, WEB, DOMAIN_INTERFACE, "Autostart"));
        client_fails(client, LIBVIRT_ERROR, "*", TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml,
                     0);
        domain_do_flags("Destroy", 0);
        expect_not_there();
}
END_TEST

START_TEST(test_a_transient_domain_can_be_made_persistent)
{
        g_autofree char *xml = guest_test_xml("web", UUID);

        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);
        define_web();
        ck_assert(client_get_bool(client, WEB, DOMAIN_INTERFACE, "Persistent"));
        expect_state(RUNNING, 1);
        domain_do_flags("Destroy", 0);
        expect_state(SHUTOFF, 2);
}
END_TEST

START_TEST(test_rename)
{
        g_autofree char *name = NULL;
        g_autofree char *path = NULL;

        define_web();
        client_forget_signals(client);
        client_do(client, WEB, DOMAIN_INTERFACE, "Rename", "su", "shop", 0);
        client_wait_event(client, WEB, UNDEFINED, 1);
        client_wait_event(client, WEB, DEFINED, 2);
        name = client_get_string(client, WEB, DOMAIN_INTERFACE, "Name");
        ck_assert_str_eq(name, "shop");
        path = client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", "shop");
        ck_assert_str_eq(path, WEB);
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainLookupByName", "s", "web");
        client_fails(client, LIBVIRT_ERROR, "*", WEB, DOMAIN_INTERFACE, "Rename", "su", "test", 0);
        client_fails(client, LIBVIRT_ERROR, "*", WEB, DOMAIN_INTERFACE, "Rename", "su", "a/b", 0);
        client_fails(client, LIBVIRT_ERROR, "*", WEB, DOMAIN_INTERFACE, "Rename", "su", "", 0);
        domain_do_flags("Create", 0);
        client_fails(client, LIBVIRT_ERROR, "*", WEB, DOMAIN_INTERFACE, "Rename", "su", "mill", 0);
}
END_TEST

START_TEST(test_metadata)
{
        g_autofree char *title = NULL;
        g_autofree char *element = NULL;
        g_autofree char *xml = NULL;

        define_web();
        client_fails(client, LIBVIRT_ERROR, "*metadata*", WEB, DOMAIN_INTERFACE, "GetMetadata", "isu", 1, "",
                     0);
        client_do(client, WEB, DOMAIN_INTERFACE, "SetMetadata", "isssu", 1, "The shop", "", "", 0);
        title = client_call_string(client, WEB, DOMAIN_INTERFACE, "GetMetadata", "isu", 1, "", 0);
        ck_assert_str_eq(title, "The shop");
        client_do(client, WEB, DOMAIN_INTERFACE, "SetMetadata", "isssu", 2, "<tag colour='red'/>", "own",
                  "http://example.org/own", 0);
        element = client_call_string(client, WEB, DOMAIN_INTERFACE, "GetMetadata", "isu", 2,
                                     "http://example.org/own", 0);
        ck_assert_ptr_nonnull(strstr(element, "colour="));
        xml = client_call_string(client, WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(xml, "<title>The shop</title>"));
        ck_assert_ptr_nonnull(strstr(xml, "http://example.org/own"));
        client_fails(client, LIBVIRT_ERROR, "*", WEB, DOMAIN_INTERFACE, "SetMetadata", "isssu", 1,
                     "two\nlines", "", "", 0);
        client_fails(client, LIBVIRT_ERROR, "*", WEB, DOMAIN_INTERFACE, "SetMetadata", "isssu", 2, "<broken",
                     "own", "http://example.org/own", 0);
}
END_TEST

START_TEST(test_autostart)
{
        define_web();
        ck_assert(!client_get_bool(client, WEB, DOMAIN_INTERFACE, "Autostart"));
        client_do(client, WEB, "org.freedesktop.DBus.Properties", "Set", "ssv", DOMAIN_INTERFACE, "Autostart",
                  "b", 1);
        ck_assert(client_get_bool(client, WEB, DOMAIN_INTERFACE, "Autostart"));
        client_do(client, WEB, "org.freedesktop.DBus.Properties", "Set", "ssv", DOMAIN_INTERFACE, "Autostart",
                  "b", 0);
        ck_assert(!client_get_bool(client, WEB, DOMAIN_INTERFACE, "Autostart"));
}
END_TEST

START_TEST(test_autostart_of_a_transient_domain_is_refused)
{
        g_autofree char *xml = guest_test_xml("web", UUID);

        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", WEB,
                     "org.freedesktop.DBus.Properties", "Set", "ssv", DOMAIN_INTERFACE, "Autostart", "b", 1);
}
END_TEST

START_TEST(test_unknown_flags_are_refused)
{
        define_web();
        client_fails(client, LIBVIRT_ERROR, "*flags*", WEB, DOMAIN_INTERFACE, "Create", "u", 0x80000000);
        client_fails(client, LIBVIRT_ERROR, "*flags*", TEST_PATH, CONNECT_INTERFACE, "ListDomains", "u",
                     0x80000000);
        client_fails(client, LIBVIRT_ERROR, "*flags*", WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0x80000000);
        expect_state(SHUTOFF, 0);
}
END_TEST

START_TEST(test_the_described_domain_can_be_defined_again)
{
        g_autofree char *xml = NULL;
        g_autofree char *again = NULL;

        define_web();
        xml = client_call_string(client, WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        client_do(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        again = client_call_string(client, WEB, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_str_eq(xml, again);
        ck_assert_ptr_nonnull(strstr(xml, "<uuid>" UUID "</uuid>"));
        ck_assert_ptr_nonnull(strstr(xml, "<memory unit='KiB'>65536</memory>"));
}
END_TEST

START_TEST(test_counts_and_sizes)
{
        g_autoptr(sd_bus_message) reply = NULL;
        g_autoptr(sd_bus_message) vcpus = NULL;
        g_autoptr(sd_bus_message) maximum = NULL;
        int state;
        uint64_t max_kib;
        uint64_t kib;
        uint64_t cpu_ns;
        unsigned count;

        define_web();
        domain_do_flags("Create", 0);
        vcpus = client_call(client, WEB, DOMAIN_INTERFACE, "GetVcpus", "u", 0);
        ck_assert_int_gt(sd_bus_message_read(vcpus, "u", &count), 0);
        ck_assert_uint_eq(count, 1);
        reply = client_call(client, WEB, DOMAIN_INTERFACE, "GetInfo", NULL);
        ck_assert_int_gt(sd_bus_message_read(reply, "(ittut)", &state, &max_kib, &kib, &count, &cpu_ns), 0);
        ck_assert_int_eq(state, RUNNING);
        ck_assert_uint_eq(max_kib, 65536);
        ck_assert_uint_eq(kib, 65536);
        ck_assert_uint_eq(count, 1);
        maximum = client_call(client, WEB, DOMAIN_INTERFACE, "GetMaxMemory", "u", 0);
        ck_assert_int_gt(sd_bus_message_read(maximum, "t", &kib), 0);
        ck_assert_uint_eq(kib, 65536);
}
END_TEST

/* Is the object path at the start of the message this one? */
static bool match_path(sd_bus_message *message, const void *data)
{
        const char *path;

        return sd_bus_message_read_basic(message, 'o', &path) > 0 && strcmp(path, data) == 0;
}

START_TEST(test_objects_announce_themselves)
{
        const char *manager = "org.freedesktop.DBus.ObjectManager";

        define_web();
        sd_bus_message_unref(
                client_wait_signal(client, TEST_PATH, manager, "InterfacesAdded", match_path, WEB));
        domain_do_flags("Create", 0);
        client_wait_property(client, WEB, DOMAIN_INTERFACE, "Active", true);
        domain_do_flags("Destroy", 0);
        client_wait_property(client, WEB, DOMAIN_INTERFACE, "Active", false);
        client_do(client, WEB, "org.freedesktop.DBus.Properties", "Set", "ssv", DOMAIN_INTERFACE, "Autostart",
                  "b", 1);
        client_wait_property(client, WEB, DOMAIN_INTERFACE, "Autostart", true);
        domain_do_flags("Undefine", 0);
        sd_bus_message_unref(
                client_wait_signal(client, TEST_PATH, manager, "InterfacesRemoved", match_path, WEB));
}
END_TEST

static void expect_announced(struct client *who, unsigned added, unsigned removed)
{
        const char *manager = "org.freedesktop.DBus.ObjectManager";

        /* What was sent to it stands before the answer. */
        client_ping(who);
        ck_assert_uint_eq(client_count_signals(who, TEST_PATH, manager, "InterfacesAdded"), added);
        ck_assert_uint_eq(client_count_signals(who, TEST_PATH, manager, "InterfacesRemoved"), removed);
}

/* Cockpit's bridge matches all signals once for every call of the page, and asks for all objects at each. */
START_TEST(test_who_has_not_asked_for_objects_is_not_told)
{
        struct client *stranger = harness_connect(harness), *follower = harness_connect(harness);

        client_follow(follower);
        client_follow(follower);
        define_web();
        expect_announced(stranger, 0, 0);
        expect_announced(follower, 1, 0);
        client_wait_event(stranger, WEB, DEFINED, -1);
        client_free(follower);
        domain_do_flags("Undefine", 0);
        follower = harness_connect(harness);
        client_follow(stranger);
        define_web();
        expect_announced(follower, 0, 0);
        expect_announced(stranger, 1, 0);
        domain_do_flags("Undefine", 0);
        expect_announced(stranger, 1, 1);
        expect_announced(client, 2, 2);
        client_free(stranger);
        client_free(follower);
}
END_TEST

/* Whoever gets the reply reads its own write, and the event is not behind the state that it announces. */
START_TEST(test_events_come_in_order)
{
        int last = -1;

        define_web();
        domain_do_flags("Create", 0);
        domain_do("Suspend");
        domain_do("Resume");
        domain_do_flags("Destroy", 0);
        for (unsigned i = 0; i < 5; i++) {
                const int order[] = { DEFINED, STARTED, SUSPENDED, RESUMED, STOPPED };
                g_autoptr(sd_bus_message) message = NULL;
                const char *path;
                int event;

                message = client_wait_signal(client, TEST_PATH, CONNECT_INTERFACE, "DomainEvent", NULL, NULL);
                ck_assert_int_gt(sd_bus_message_read(message, "oi", &path, &event), 0);
                ck_assert_str_eq(path, WEB);
                ck_assert_int_eq(event, order[i]);
                ck_assert_int_ne(event, last);
                last = event;
        }
}
END_TEST

/* Signals flow from the moment the name is owned: no call of anybody opens the connection. */
START_TEST(test_a_silent_subscriber_hears_events)
{
        struct client *other = harness_connect(harness);
        g_autofree char *xml = guest_test_xml("web", UUID);

        client_do(other, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        client_free(other);
        client_wait_event(client, WEB, DEFINED, 0);
}
END_TEST

START_TEST(test_autodestroy_ends_with_its_client)
{
        struct client *other = harness_connect(harness);
        g_autofree char *xml = guest_test_xml("web", UUID);

        client_do(other, TEST_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 2);
        client_wait_event(client, WEB, STARTED, 0);
        expect_state(RUNNING, 1);
        client_free(other);
        client_wait_event(client, WEB, STOPPED, 1);
        expect_not_there();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("lifecycle");
        TCase *tcase = tcase_create("lifecycle");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_define_and_undefine);
        tcase_add_test(tcase, test_define_again_updates);
        tcase_add_test(tcase, test_start_and_destroy);
        tcase_add_test(tcase, test_start_paused);
        tcase_add_test(tcase, test_suspend_and_resume);
        tcase_add_test(tcase, test_shutdown);
        tcase_add_test(tcase, test_reboot_and_reset_keep_it_running);
        tcase_add_test(tcase, test_undefine_of_a_running_domain_makes_it_transient);
        tcase_add_test(tcase, test_a_transient_domain_goes_when_it_stops);
        tcase_add_test(tcase, test_a_transient_domain_can_be_made_persistent);
        tcase_add_test(tcase, test_rename);
        tcase_add_test(tcase, test_metadata);
        tcase_add_test(tcase, test_autostart);
        tcase_add_test(tcase, test_autostart_of_a_transient_domain_is_refused);
        tcase_add_test(tcase, test_unknown_flags_are_refused);
        tcase_add_test(tcase, test_the_described_domain_can_be_defined_again);
        tcase_add_test(tcase, test_counts_and_sizes);
        tcase_add_test(tcase, test_objects_announce_themselves);
        tcase_add_test(tcase, test_who_has_not_asked_for_objects_is_not_told);
        tcase_add_test(tcase, test_events_come_in_order);
        tcase_add_test(tcase, test_a_silent_subscriber_hears_events);
        tcase_add_test(tcase, test_autodestroy_ends_with_its_client);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
