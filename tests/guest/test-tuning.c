/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Limits of a document, as the kernel has them once the guest runs. What the host has no control group for
 * ends the start by name, and a guest without limits starts everywhere.
 */

#include <stdlib.h>
#include <string.h>
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

static char *tuned_xml(const char *name, const char *elements)
{
        g_autofree char *xml = guest_bare_xml(name, NULL);
        g_auto(GStrv) halves = g_strsplit(xml, "<os>", 2);

        return g_strconcat(halves[0], elements, "<os>", halves[1], NULL);
}

/* Starts it; NULL and a skipped case where this host lets guests have no groups. */
static char *start(const char *name, const char *elements)
{
        g_autofree char *path = guest_define(client, tuned_xml(name, elements));
        g_autofree char *failure = client_try(client, path, DOMAIN_INTERFACE, "Create", "u", 0);

        if (!failure)
                return g_steal_pointer(&path);
        ck_assert_msg(strstr(failure, "needs the control group controller"), "%s", failure);
        ck_assert_int_eq(harness_find_guest(harness, name), 0);
        harness_skip("this host lets guests have no control groups");
        return NULL;
}

/* Has the comma-separated list that name? */
static bool has_name(const char *list, const char *name)
{
        g_auto(GStrv) names = g_strsplit(list, ",", -1);

        return g_strv_contains((const char *const *)names, name);
}

/*
 * A file of the group that the process is in, in the hierarchy of that controller; v1 or v2 is the file's
 * name there. A group above its own is looked at where that has no such file, as with version 2. Owned.
 */
static char *read_limit(pid_t pid, const char *controller, const char *v1, const char *v2)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/cgroup", (int)pid), *text = NULL;
        g_auto(GStrv) lines = NULL;

        ck_assert(g_file_get_contents(file, &text, NULL, NULL));
        lines = g_strsplit(g_strchomp(text), "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                g_auto(GStrv) parts = g_strsplit(lines[i], ":", 3);
                bool unified = !*parts[1];
                g_autofree char *mount =
                        unified ? g_strdup("/sys/fs/cgroup") : g_strconcat("/sys/fs/cgroup/", parts[1], NULL);

                if (!unified && !has_name(parts[1], controller))
                        continue;
                for (g_autofree char *path = g_strdup(parts[2]); strlen(path) > 1;) {
                        g_autofree char *limit = g_strconcat(mount, path, "/", unified ? v2 : v1, NULL);
                        char *value = NULL, *above = g_path_get_dirname(path);

                        g_free(path);
                        path = above;
                        if (strstr(limit, "/emulator/"))
                                continue;
                        if (g_file_get_contents(limit, &value, NULL, NULL))
                                return g_strchomp(value);
                }
        }
        return g_strdup("");
}

static void expect_limit(const char *name, const char *controller, const char *v1, const char *expected_v1,
                         const char *v2, const char *expected_v2)
{
        g_autofree char *value = read_limit(harness_find_guest(harness, name), controller, v1, v2);

        ck_assert_msg(strcmp(value, expected_v1) == 0 || strcmp(value, expected_v2) == 0,
                      "%s or %s is '%s', not '%s' or '%s'", v1, v2, value, expected_v1, expected_v2);
}

START_TEST(test_limits_of_the_guest)
{
        g_autofree char *path =
                start("all", "<cputune><shares>687</shares><global_period>200000</global_period>"
                             "<global_quota>100000</global_quota></cputune><memtune><hard_limit unit='MiB'>"
                             "512</hard_limit><soft_limit unit='MiB'>256</soft_limit></memtune>");

        if (!path)
                return;
        expect_limit("all", "cpu", "cpu.shares", "687", "cpu.weight", "687");
        expect_limit("all", "cpu", "cpu.cfs_quota_us", "100000", "cpu.max", "100000 200000");
        expect_limit("all", "memory", "memory.limit_in_bytes", "536870912", "memory.max", "536870912");
        expect_limit("all", "memory", "memory.soft_limit_in_bytes", "268435456", "memory.high", "268435456");
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* Is a thread of the process in a group of that name, in any hierarchy? */
static bool has_group(pid_t pid, const char *name)
{
        g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)pid);
        g_autofree char *group = g_strconcat("/", name, "\n", NULL);
        g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
        const char *thread;

        while (dir && (thread = g_dir_read_name(dir))) {
                g_autofree char *file = g_build_filename(tasks, thread, "cgroup", NULL), *text = NULL;

                if (g_file_get_contents(file, &text, NULL, NULL) && strstr(text, group))
                        return true;
        }
        return false;
}

START_TEST(test_limits_of_threads)
{
        g_autofree char *path =
                start("some", "<iothreads>1</iothreads><cputune><period>100000</period><quota>50000</quota>"
                              "<emulator_period>100000</emulator_period>"
                              "<emulator_quota>60000</emulator_quota></cputune>");
        pid_t pid;

        if (!path)
                return;
        pid = harness_find_guest(harness, "some");
        ck_assert(has_group(pid, "vcpu0"));
        ck_assert(has_group(pid, "iothread1"));
        ck_assert(has_group(pid, "emulator"));
        ck_assert(!has_group(pid, "vcpu1"));
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

START_TEST(test_what_cannot_be_limited)
{
        g_autofree char *file = harness_path(harness, "plain"), *elements = NULL, *path = NULL;
        g_autofree char *other = guest_define(
                client, tuned_xml("part", "<cputune><cachetune vcpus='0'><cache id='0' level='3' type='both' "
                                          "size='1' unit='MiB'/></cachetune></cputune>"));

        client_fails(client, LIBVIRT_ERROR, "unsupported configuration*<cachetune> of <cputune>*", other,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert(g_file_set_contents(file, "", 0, NULL));
        elements = g_strdup_printf("<blkiotune><device><path>%s</path><weight>500</weight></device>"
                                   "</blkiotune>",
                                   file);
        path = guest_define(client, tuned_xml("io", elements));
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration*<blkiotune>*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("tuning");
        TCase *tcase = tcase_create("tuning");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_limits_of_the_guest);
        tcase_add_test(tcase, test_limits_of_threads);
        tcase_add_test(tcase, test_what_cannot_be_limited);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
