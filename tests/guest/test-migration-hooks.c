/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The administrator's programs where a guest comes from another host: they are told of it, may refuse it, and
 * what they write takes its document's place.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/sides.h"

#define DISPLAY "<graphics type='vnc' passwd='hush'><listen type='none'/></graphics>"

/* A guest of which a file of the host is in the document. */
static char *start_guest(char **file)
{
        g_autofree char *devices = NULL;

        *file = harness_path(here.harness, "here.log");
        devices = g_strdup_printf("<serial type='file'><source path='%s'/></serial>" DISPLAY, *file);
        return guest_start(here.client, guest_bare_xml("web", devices));
}

/* At "migrate" the program does what command says with the document; all that it is told is in "told". */
static void install(const struct side *side, const char *command)
{
        g_autofree char *dir = harness_path(side->harness, "hooks"),
                        *path = g_build_filename(dir, "qemu", NULL);
        g_autofree char *told = harness_path(side->harness, "told");
        g_autofree char *script = g_strdup_printf(
                "#!/bin/sh\nxml=$(cat)\ncase \"$xml\" in *\"passwd='hush'\"*) knows=yes ;; *) knows=no ;; "
                "esac\n"
                "echo \"$* $knows\" >>%s\n[ \"$2\" != migrate ] || printf '%%s\\n' \"$xml\" | %s\n",
                told, command);

        g_mkdir_with_parents(dir, 0755);
        ck_assert(g_file_set_contents(path, script, -1, NULL));
        ck_assert_int_eq(chmod(path, 0755), 0);
        unlink(told);
}

static char *read_told(const struct side *side)
{
        g_autofree char *path = harness_path(side->harness, "told");
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

static void expect_refused(const char *path, const char *text)
{
        client_fails(here.client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u",
                     there.uri, 0, LIVE);
        ck_assert(side_runs(&here, path));
        ck_assert(!side_has(&there, path));
        ck_assert_uint_eq(harness_count_guests(here.harness), 1);
}

static bool has_file(const struct side *side, const char *path, const char *file)
{
        g_autofree char *xml = client_call_string(side->client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *element = g_strdup_printf("<source path='%s'", file);

        return strstr(xml, element) != NULL;
}

/* It goes on with the file of the host that it has come to, and its display keeps its password. */
START_TEST(test_adapted)
{
        g_autofree char *file = NULL, *path = start_guest(&file), *told = NULL, *xml = NULL;
        g_autofree char *other = harness_path(there.harness, "there.log"),
                        *command = g_strdup_printf("sed 's#%s#%s#'", file, other);

        install(&here, "cat");
        install(&there, command);
        sides_migrate(&here, path, &there, LIVE);
        guest_expect_state(there.client, path, STATE_RUNNING, RUNNING_MIGRATED);
        ck_assert(has_file(&there, path, other) && !has_file(&there, path, file));
        ck_assert(g_file_test(other, G_FILE_TEST_EXISTS));
        xml = client_call_string(there.client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 1);
        ck_assert_ptr_nonnull(strstr(xml, "passwd='hush'"));
        told = read_told(&there);
        ck_assert_str_eq(told, "web migrate begin - yes\nweb prepare begin - no\nweb start begin - no\n");
        guest_do_flags(there.client, path, "Destroy", 0);
}
END_TEST

/* Who has nothing to say leaves it as it is. */
START_TEST(test_left_alone)
{
        g_autofree char *file = NULL, *path = start_guest(&file);

        install(&there, "sed d");
        sides_migrate(&here, path, &there, LIVE);
        ck_assert(has_file(&there, path, file));
        guest_do_flags(there.client, path, "Destroy", 0);
}
END_TEST

/* The guest runs on where it was, and can go another time. */
START_TEST(test_refused)
{
        g_autofree char *file = NULL, *path = start_guest(&file);

        install(&there, "{ echo 'not here' >&2; exit 1; }");
        expect_refused(path, "*Hook script execution failed: *at 'migrate' of domain 'web': *not here*");
        install(&there, "sed 's#<vcpu[^>]*>1<#<vcpu>2<#'");
        expect_refused(path, "*<vcpu> is not as *");
        install(&there, "echo '<domain'");
        expect_refused(path, "*");
        install(&there, "cat");
        sides_migrate(&here, path, &there, LIVE);
        ck_assert(has_file(&there, path, file));
        guest_do_flags(there.client, path, "Destroy", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("migration-hooks");
        TCase *tcase = tcase_create("migration-hooks");

        tcase_add_checked_fixture(tcase, sides_set_up, sides_tear_down);
        tcase_add_test(tcase, test_adapted);
        tcase_add_test(tcase, test_left_alone);
        tcase_add_test(tcase, test_refused);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
