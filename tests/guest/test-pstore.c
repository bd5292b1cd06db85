/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * <pstore>: where a guest's kernel leaves what it says as it dies. What it wrote is looked for in the file,
 * as records of UEFI's common platform error record format ("CPER") behind QEMU's header ("ERSTSTOR").
 */

#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE   1
#define CONFIG 2
#define SIZE   65536

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
        if (system("qemu-system-x86_64 -device help 2>&1 | grep -q '\"acpi-erst\"'") == 0)
                return true;
        harness_skip("no qemu-system-x86_64 with acpi-erst");
        return false;
}

/* Takes xml. */
static char *with_pstore(char *xml, const char *path, const char *size)
{
        g_autofree char *element = path ? g_strdup_printf("<path>%s</path>", path) : g_strdup("");
        g_autofree char *pstore =
                g_strdup_printf("<pstore backend='acpi-erst'>%s<size unit='KiB'>%s</size></pstore>"
                                "</devices>",
                                element, size);
        GString *text = g_string_new(xml);

        g_free(xml);
        g_string_replace(text, "</devices>", pstore, 1);
        if (!strstr(text->str, "<acpi/>"))
                g_string_replace(text, "<devices>", "<features><acpi/></features><devices>", 1);
        return g_string_free(text, FALSE);
}

static bool file_has(const char *path, const char *text, size_t from)
{
        g_autofree char *content = NULL;
        gsize length = 0;

        return g_file_get_contents(path, &content, &length, NULL) && length > from &&
               memmem(content + from, length - from, text, strlen(text));
}

/* Behind QEMU's own record. */
static bool has_record(void *path)
{
        return file_has(path, "CPER", 8192);
}

/* The kernel of a guest that panics writes there, and it is there after the guest. */
START_TEST(test_what_a_guest_says_as_it_dies)
{
        g_autofree char *file = harness_path(harness, "crashes"), *console = harness_path(harness, "console");
        g_autofree char *path = NULL;
        struct stat st;

        if (!can_run())
                return;
        path = guest_start(client, with_pstore(guest_linux_xml("dies", console, "panic"), file, "64"));
        harness_wait_until(has_record, file, "the guest's kernel has written a record");
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(has_record(file));
        ck_assert_int_eq(stat(file, &st), 0);
        ck_assert_int_eq(st.st_size, SIZE);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

/* A place of the agent's: it stays as it is from start to start, and goes with the definition. */
START_TEST(test_a_place_of_its_own)
{
        g_autofree char *path = NULL, *xml = NULL, *stored = NULL, *file = NULL, *content = NULL;
        g_auto(GStrv) halves = NULL;
        gsize length = 0;

        if (!can_run())
                return;
        path = guest_start(client, with_pstore(guest_bare_xml("own", NULL), NULL, "64"));
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        halves = g_strsplit(xml, "<pstore backend='acpi-erst'>\n      <path>", 2);
        ck_assert_ptr_nonnull(halves[1]);
        file = g_strndup(halves[1], strcspn(halves[1], "<"));
        ck_assert_ptr_nonnull(strstr(halves[1], "</path>\n      <size unit='KiB'>64</size>\n      <alias "
                                                "name='pstore0'/>\n      <address type='pci' "));
        ck_assert(g_str_has_suffix(file, "_PSTORE.raw"));
        ck_assert(file_has(file, "ERSTSTOR", 0));
        guest_do_flags(client, path, "Destroy", 0);
        stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_ptr_null(strstr(stored, "_PSTORE.raw"));

        ck_assert(g_file_get_contents(file, &content, &length, NULL));
        memcpy(content + SIZE - 8, "a mark", 6);
        ck_assert(truncate(file, 0) == 0 && g_file_set_contents(file, content, SIZE, NULL));
        guest_do_flags(client, path, "Create", 0);
        ck_assert(file_has(file, "a mark", SIZE - 8));
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_int_eq(access(file, F_OK), 0);
        guest_do_flags(client, path, "Undefine", 0);
        ck_assert_int_ne(access(file, F_OK), 0);
}
END_TEST

START_TEST(test_refused)
{
        g_autofree char *file = harness_path(harness, "crashes"), *one = NULL, *two = NULL, *three = NULL;

        if (!can_run())
                return;
        one = guest_start(client, with_pstore(guest_bare_xml("one", NULL), file, "64"));
        two = guest_define(client, with_pstore(guest_bare_xml("two", NULL), file, "64"));
        client_fails(client, LIBVIRT_ERROR, "*crashes' is in use by another guest*", two, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        guest_do_flags(client, one, "Destroy", 0);
        three = guest_define(client, with_pstore(guest_bare_xml("three", NULL), file, "128"));
        client_fails(client, LIBVIRT_ERROR, "*has 65536 bytes, and the <size> says 131072*", three,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        guest_do_flags(client, two, "Create", 0);
        guest_do_flags(client, two, "Destroy", 0);
        one = (g_free(one), guest_start(client, guest_bare_xml("plain", NULL)));
        client_fails(client, LIBVIRT_ERROR, "*pstore*", one, DOMAIN_INTERFACE, "AttachDevice", "su",
                     "<pstore backend='acpi-erst'><size unit='KiB'>64</size></pstore>", LIVE);
        guest_do_flags(client, one, "Destroy", 0);
}
END_TEST

/* Of a start that fails nothing stays that was not there before. */
/* As an agent leaves it that is killed while it makes one. */
START_TEST(test_unfinished)
{
        g_autofree char *file = harness_path(harness, "crashes"), *path = NULL;
        struct stat st;

        if (!can_run())
                return;
        ck_assert(g_file_set_contents(file, "", 0, NULL));
        path = guest_start(client, with_pstore(guest_bare_xml("unfinished", NULL), file, "64"));
        ck_assert_int_eq(stat(file, &st), 0);
        ck_assert_int_eq(st.st_size, SIZE);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

START_TEST(test_a_start_that_fails)
{
        g_autofree char *file = harness_path(harness, "crashes"), *path = NULL;

        if (!can_run())
                return;
        path = guest_define(client,
                            with_pstore(guest_bare_xml("fails", "<serial type='unix'><source mode='bind' "
                                                                "path='/nonexistent/socket'/></serial>"),
                                        file, "64"));
        client_fails(client, LIBVIRT_ERROR, "*cannot open directory '/nonexistent'*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        ck_assert_int_ne(access(file, F_OK), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pstore");
        TCase *tcase = tcase_create("pstore");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_what_a_guest_says_as_it_dies);
        tcase_add_test(tcase, test_a_place_of_its_own);
        tcase_add_test(tcase, test_refused);
        tcase_add_test(tcase, test_unfinished);
        tcase_add_test(tcase, test_a_start_that_fails);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
