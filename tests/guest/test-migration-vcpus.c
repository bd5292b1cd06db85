/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest with vCPUs that are not the lowest ones, or that came while it ran, goes to another agent: its
 * emulator there has the same ones. Linux sees those that come and go there. It does not run itself where the
 * numbers have a gap and there is no KVM: the interrupt controller that QEMU 7.2 emulates looks for CPUs up
 * to the first that is missing. What its balloon has left it goes along, too.
 */
#include <string.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/sides.h"

#define VCPUS                                                                                                \
        "<vcpu>4</vcpu><vcpus><vcpu id='0' enabled='yes' order='1'/><vcpu id='2' enabled='yes' "             \
        "hotpluggable='yes' order='3'/><vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/></vcpus>"

/* Takes xml. */
static char *replace(char *xml, const char *part, const char *other)
{
        GString *text = g_string_new(xml);

        g_free(xml);
        ck_assert_uint_eq(g_string_replace(text, part, other, 1), 1);
        return g_string_free(text, FALSE);
}

static char *with_vcpus(char *xml, const char *vcpus)
{
        return replace(xml, "<vcpu>1</vcpu>", vcpus);
}

static void expect_vcpus(const struct side *side, const char *path, const char *numbers, const char *second)
{
        g_autofree char *xml = client_call_string(side->client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);

        guest_expect_vcpus(side->client, path, numbers);
        ck_assert_msg(strstr(xml, second), "%s", xml);
        ck_assert_ptr_nonnull(strstr(xml, "<vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>"));
        ck_assert_ptr_nonnull(strstr(xml, "<vcpu id='3' enabled='yes' hotpluggable='yes' order='2'/>"));
}

#define OFF "<vcpu id='1' enabled='no' hotpluggable='yes'/>"
#define ON  "<vcpu id='1' enabled='yes' hotpluggable='yes' order='4'/>"
enum { VCPUS_LIVE = 1 };

START_TEST(test_the_same_ones)
{
        g_autofree char *path = guest_start(here.client, with_vcpus(guest_bare_xml("each", NULL), VCPUS));

        expect_vcpus(&here, path, "0 2 3 ", OFF);
        sides_migrate(&here, path, &there, LIVE);
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        expect_vcpus(&there, path, "0 2 3 ", OFF);
        client_do(there.client, path, DOMAIN_INTERFACE, "SetVcpus", "uu", 4, VCPUS_LIVE);
        expect_vcpus(&there, path, "0 1 2 3 ", ON);
        /* The one that came there is still the last. */
        sides_migrate(&there, path, &here, LIVE);
        guest_expect_state(here.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        expect_vcpus(&here, path, "0 1 2 3 ", ON);
        guest_do_flags(here.client, path, "Destroy", 0);
}
END_TEST

START_TEST(test_linux)
{
        g_autofree char *console = harness_path(here.harness, "console");
        g_autofree char *path = guest_start(
                here.client,
                with_vcpus(sides_append_console(guest_linux_xml("linux", console, "watch"), console),
                           "<vcpu current='1'>3</vcpu>"));

        guest_wait_console(console, "virtbus-guest: watching");
        client_do(here.client, path, DOMAIN_INTERFACE, "SetVcpus", "uu", 2, VCPUS_LIVE);
        guest_wait_console(console, "has cpu1");
        sides_migrate(&here, path, &there, LIVE);
        guest_expect_vcpus(there.client, path, "0 1 ");
        client_do(there.client, path, DOMAIN_INTERFACE, "SetVcpus", "uu", 3, VCPUS_LIVE);
        guest_wait_console(console, "has cpu2");
        guest_expect_vcpus(there.client, path, "0 1 2 ");
        guest_do_flags(there.client, path, "Destroy", 0);
}
END_TEST

/* On that side its current memory is that. */
struct balloon {
        const struct side *side;
        const char *path, *text; /* borrowed */
};

static bool has_memory(void *data)
{
        const struct balloon *balloon = data;
        g_autofree char *xml = client_call_string(balloon->side->client, balloon->path, DOMAIN_INTERFACE,
                                                  "GetXMLDesc", "u", 0);

        return strstr(xml, balloon->text) != NULL;
}

/* Starts Linux here, which gives memory back; earlier (owned) is its document of before that. */
static char *start_with_less(struct balloon *balloon, char **earlier)
{
        g_autofree char *console = harness_path(here.harness, "console");
        char *xml = sides_append_console(guest_linux_xml("linux", console, "idle"), console), *path;

        path = guest_start(here.client,
                           replace(xml, "<memballoon model='none'/>", "<memballoon model='virtio'/>"));
        *balloon = (struct balloon){ &here, path, "<currentMemory unit='KiB'>114688</currentMemory>" };
        guest_wait_console(console, "virtbus-guest: ready");
        *earlier = client_call_string(here.client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        client_do(here.client, path, DOMAIN_INTERFACE, "SetMemory", "tu", (uint64_t)114688, LIVE);
        harness_wait_until(has_memory, balloon, "the guest gives memory back");
        return path;
}

static void expect_memory_there(struct balloon *balloon)
{
        balloon->side = &there;
        ck_assert_msg(has_memory(balloon), "its memory there is not what it has");
        guest_do_flags(there.client, balloon->path, "Destroy", 0);
}

START_TEST(test_balloon)
{
        struct balloon balloon;
        g_autofree char *earlier = NULL, *path = start_with_less(&balloon, &earlier);

        sides_migrate(&here, path, &there, LIVE);
        expect_memory_there(&balloon);
}
END_TEST

/* The document that it gets there says what it had. */
START_TEST(test_balloon_of_another_document)
{
        struct balloon balloon;
        g_autofree char *earlier = NULL, *path = start_with_less(&balloon, &earlier);

        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                  "destination_xml", "s", earlier, LIVE);
        expect_memory_there(&balloon);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("migration-vcpus");
        TCase *tcase = tcase_create("migration-vcpus");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, sides_set_up, sides_tear_down);
        tcase_add_test(tcase, test_the_same_ones);
        tcase_add_test(tcase, test_linux);
        tcase_add_test(tcase, test_balloon);
        tcase_add_test(tcase, test_balloon_of_another_document);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
