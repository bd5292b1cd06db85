/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What guests keep in files of the host, and what of the host's memory they ask for.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

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

/* A guest with more elements beside <devices>. Owned. */
static char *with_elements(const char *name, const char *elements)
{
        g_autofree char *xml = guest_bare_xml(name, NULL);
        g_auto(GStrv) parts = g_strsplit(xml, "<vcpu>", 2);

        return g_strdup_printf("%s%s<vcpu>%s", parts[0], elements, parts[1]);
}

static void start_fails(char *xml, const char *text)
{
        g_autofree char *path = guest_define(client, xml);

        client_fails(client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}

/* ---- memory ---- */

static char *get_memory_path(const char *guest)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/cmdline", harness_find_guest(harness, guest));
        g_autofree char *line = NULL;
        const char *path = NULL;
        gsize length = 0;

        ck_assert(g_file_get_contents(file, &line, &length, NULL));
        for (gsize i = 0; i < length && !path; i++)
                path = g_str_has_prefix(line + i, "\"mem-path\":\"") ? line + i + strlen("\"mem-path\":\"")
                                                                     : NULL;
        ck_assert_ptr_nonnull(path);
        return g_strndup(path, strcspn(path, "\""));
}

/* Below the state directory, unless that is in memory itself. */
START_TEST(test_memory_in_files)
{
        g_autofree char *state = harness_path(harness, "state");
        g_autofree char *path = NULL, *dir = NULL;
        struct statfs fs;

        path = guest_start(client, with_elements("files", "<memoryBacking><source type='file'/><access "
                                                          "mode='shared'/></memoryBacking>"));
        dir = get_memory_path("files");
        ck_assert_int_eq(statfs(state, &fs), 0);
        ck_assert(g_str_has_prefix(dir, fs.f_type == TMPFS_MAGIC ? "/var/tmp/virtbus-ram-" : state));
        ck_assert_int_eq(statfs(dir, &fs), 0);
        ck_assert_int_ne(fs.f_type, TMPFS_MAGIC);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* What the emulator would only fail to map. */
START_TEST(test_memory_that_is_not_there)
{
        start_fails(
                with_elements("odd",
                              "<memoryBacking><hugepages><page size='4096'/></hugepages></memoryBacking>"),
                "*domain 'odd' wants huge pages of 4096 KiB, which this host does not have (it has *");
        start_fails(with_elements("node", "<numatune><memory mode='strict' nodeset='777'/></numatune>"),
                    "*NUMA node 777, which this host does not have (it has 0*");
        if (access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) != 0)
                return harness_skip("no huge pages of 2 MiB");
        start_fails(with_elements("many", "<maxMemory slots='1' unit='TiB'>64</maxMemory>"
                                          "<memoryBacking><hugepages><page size='2' unit='MiB'/></hugepages>"
                                          "</memoryBacking><cpu><numa><cell id='0' cpus='0' memory='32' "
                                          "unit='TiB'/></numa></cpu>"),
                    "*needs 16777216 huge pages of 2048 KiB, and * are free: reserve more*");
}
END_TEST

/* Usual pages by another name. */
START_TEST(test_usual_pages)
{
        g_autofree char *elements = g_strdup_printf(
                "<memoryBacking><hugepages><page size='%ld' unit='b'/></hugepages></memoryBacking>",
                sysconf(_SC_PAGESIZE));
        g_autofree char *path = guest_start(client, with_elements("usual", elements));

        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("files");
        TCase *tcase = tcase_create("files");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_memory_in_files);
        tcase_add_test(tcase, test_memory_that_is_not_there);
        tcase_add_test(tcase, test_usual_pages);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
