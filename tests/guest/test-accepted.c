/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests whose documents an earlier agent has taken and this one would not: what has no effect in them keeps
 * nobody from going on, from a file or on another host; what contradicts itself is refused there as well.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/sides.h"

#define DISPLAY "<video><model type='vga' heads='1'/></video>"

/* Two settings that are refused today, one by the document and one by the typed view, and what is told. */
#define PORTS      "<controller type='sata' index='0' ports='4'"
#define HEADS      "heads='2'"
#define TOLD_PORTS "*a <controller> has ports=, which is not for type 'sata', and that has no effect*"
#define TOLD_HEADS                                                                                           \
        "*<video> of model 'vga' has more than one of heads, which is for * and that has no effect*"

/* Where the document begins. */
#define IMAGE_HEAD 92

static char *file;

static void set_up(void)
{
        sides_set_up();
        file = harness_path(here.harness, "guest.save");
}

static void tear_down(void)
{
        g_free(file);
        sides_tear_down();
}

static void replace(char **text, const char *old, const char *new)
{
        GString *changed = g_string_new(*text);

        ck_assert_msg(g_string_replace(changed, old, new, 1) == 1, "'%s' is not in: %s", old, *text);
        g_free(*text);
        *text = g_string_free(changed, FALSE);
}

static char *get_xml(const char *path)
{
        return client_call_string(here.client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
}

static void add_leftovers(char **xml)
{
        replace(xml, "<controller type='sata' index='0'", PORTS);
        replace(xml, "heads='1'", HEADS);
}

/* The agent finds change() of the definition in its store when it comes again. */
static void define_as_earlier(const char *path, void (*change)(char **xml))
{
        g_autofree char *uuid = client_get_string(here.client, path, DOMAIN_INTERFACE, "UUID");
        g_autofree char *below = g_strdup_printf("state/qemu/%s.xml", uuid);
        g_autofree char *stored = harness_path(here.harness, below), *xml = NULL;

        harness_end_agent(here.harness, SIGTERM);
        ck_assert_msg(g_file_get_contents(stored, &xml, NULL, NULL), "no %s", stored);
        change(&xml);
        ck_assert(g_file_set_contents(stored, xml, -1, NULL));
        harness_start_agent(here.harness);
}

/* A guest with what nobody could define any more runs. */
static char *start_earlier(void)
{
        char *path = guest_define(here.client, guest_bare_xml("old", DISPLAY));
        g_autofree char *xml = NULL;

        define_as_earlier(path, add_leftovers);
        guest_do_flags(here.client, path, "Create", 0);
        xml = get_xml(path);
        ck_assert(strstr(xml, PORTS) && strstr(xml, HEADS));
        client_fails(here.client, LIBVIRT_ERROR, "*more than one of heads*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainCreateXML", "su", xml, 0);
        replace(&xml, HEADS, "heads='1'");
        client_fails(here.client, LIBVIRT_ERROR, "*a <controller> has ports=*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainCreateXML", "su", xml, 0);
        return path;
}

static void save(const char *path, const char *xml)
{
        client_do(here.client, path, DOMAIN_INTERFACE, "Save", "ssu", file, xml, 0);
}

static void restore(const char *xml)
{
        client_do(here.client, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", file, xml, 0);
}

static char *get_image_xml(void)
{
        return client_call_string(here.client, QEMU_PATH, CONNECT_INTERFACE, "DomainSaveImageGetXMLDesc",
                                  "su", file, 0);
}

static void expect_told(const struct side *side)
{
        g_autofree char *log = harness_read_log(side->harness);

        ck_assert_msg(g_pattern_match_simple(TOLD_PORTS, log), "%s", log);
        ck_assert_msg(g_pattern_match_simple(TOLD_HEADS, log), "%s", log);
}

START_TEST(test_saved)
{
        g_autofree char *path = start_earlier(), *xml = NULL, *title = NULL;

        expect_told(&here);
        save(path, "");
        /* Nothing but the file has it. */
        guest_do_flags(here.client, path, "Undefine", 0);
        xml = get_image_xml();
        ck_assert(strstr(xml, PORTS) && strstr(xml, HEADS));
        restore("");
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        /* Who changes something else keeps them. */
        replace(&xml, "</name>", "</name><title>one</title>");
        save(path, xml);
        g_free(xml);
        xml = get_image_xml();
        ck_assert(strstr(xml, PORTS) && strstr(xml, "<title>one</title>"));
        replace(&xml, "<title>one</title>", "<title>two</title>");
        client_do(here.client, QEMU_PATH, CONNECT_INTERFACE, "DomainSaveImageDefineXML", "ssu", file, xml, 0);
        replace(&xml, "<title>two</title>", "<title>three</title>");
        restore(xml);
        title = get_xml(path);
        ck_assert(strstr(title, PORTS) && strstr(title, "<title>three</title>"));
        guest_do_flags(here.client, path, "Destroy", 0);
}
END_TEST

/* What the file's document has not, no other brings along. */
START_TEST(test_brought_along)
{
        g_autofree char *path = guest_start(here.client, guest_bare_xml("new", DISPLAY)),
                        *xml = get_xml(path);

        replace(&xml, "heads='1'", HEADS);
        client_fails(here.client, LIBVIRT_ERROR, "*more than one of heads*", path, DOMAIN_INTERFACE, "Save",
                     "ssu", file, xml, 0);
        client_fails(here.client, LIBVIRT_ERROR, "*more than one of heads*", path, DOMAIN_INTERFACE,
                     "MigrateToURI3", "sa{sv}u", there.uri, 1, "destination_xml", "s", xml, LIVE);
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        save(path, "");
        client_fails(here.client, LIBVIRT_ERROR, "*more than one of heads*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainSaveImageDefineXML", "ssu", file, xml, 0);
        client_fails(here.client, LIBVIRT_ERROR, "*more than one of heads*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainRestore", "ssu", file, xml, 0);
}
END_TEST

/* The document in the file becomes another, longer one, whatever that is. */
static void forge(const char *xml)
{
        CLEANUP_FD int fd = open(file, O_WRONLY | O_CLOEXEC);

        ck_assert_int_eq(pwrite(fd, xml, strlen(xml) + 1, IMAGE_HEAD), (ssize_t)strlen(xml) + 1);
}

static void refuse(const char *xml, const char *why)
{
        client_fails(here.client, LIBVIRT_ERROR, why, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu",
                     file, xml, 0);
        ck_assert_uint_eq(harness_count_guests(here.harness), 0);
}

/* A file is what somebody may have written: what contradicts itself is refused, and shown, to be mended. */
START_TEST(test_contradiction)
{
        g_autofree char *path = guest_start(here.client, guest_bare_xml("old", DISPLAY)), *xml = NULL;
        g_autofree char *mended = NULL;

        save(path, "");
        mended = get_image_xml();
        add_leftovers(&mended);
        xml = g_strdup(mended);
        replace(&xml, "</devices>", "<audio id='7' type='none'/><audio id='7' type='none'/></devices>");
        forge(xml);
        refuse("", "*there are two <audio id='7'>*");
        refuse(xml, "*there are two <audio id='7'>*");
        g_free(xml);
        xml = get_image_xml();
        ck_assert(strstr(xml, PORTS) && strstr(xml, "<audio id='7' type='none'/>"));
        client_do(here.client, QEMU_PATH, CONNECT_INTERFACE, "DomainSaveImageDefineXML", "ssu", file, mended,
                  0);
        restore("");
        guest_expect_state(here.client, path, STATE_RUNNING, -1);
        /* What has no place in it at all is not even shown. */
        save(path, "");
        forge("<domain type='qemu'><name>old</name><vcpu>4097</vcpu>");
        refuse("", "*");
        guest_do_flags(here.client, path, "Undefine", 0);
}
END_TEST

START_TEST(test_moved)
{
        g_autofree char *path = start_earlier(), *xml = get_xml(path);

        replace(&xml, "</name>", "</name><title>there</title>");
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", there.uri, 1,
                  "destination_xml", "s", xml, LIVE | PERSIST_DEST | UNDEFINE_SOURCE);
        ck_assert(!side_has(&here, path));
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        expect_told(&there);
        g_free(xml);
        xml = client_call_string(there.client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert(strstr(xml, PORTS) && strstr(xml, HEADS) && strstr(xml, "<title>there</title>"));
        /* As does its definition, later. */
        guest_do_flags(there.client, path, "Destroy", 0);
        sides_migrate(&there, path, &here, OFFLINE | PERSIST_DEST);
        g_free(xml);
        xml = get_xml(path);
        ck_assert(strstr(xml, PORTS) && strstr(xml, HEADS));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("guest/accepted");
        TCase *tcase = tcase_create("accepted");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_saved);
        tcase_add_test(tcase, test_brought_along);
        tcase_add_test(tcase, test_contradiction);
        tcase_add_test(tcase, test_moved);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
