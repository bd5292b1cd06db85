/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A guest's QEMU is in a control group of its own from its first instruction to its end, whoever ends first;
 * under systemd in a scope that machined knows. Where the host gives no groups, guests run without.
 */

#include <signal.h>
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

static bool has_systemd(void)
{
        return access("/run/systemd/system", F_OK) == 0;
}

static char *read_groups(pid_t pid, const char *what)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/%scgroup", pid, what);
        char *text = NULL;

        ck_assert_msg(g_file_get_contents(file, &text, NULL, NULL), "%s", file);
        return text;
}

/* "machine-qemu\x2d1\x2dweb.scope", "qemu-1-web.virtbus-qemu", or with "-2" and so on behind the name. */
static char *group_name(unsigned id, const char *name)
{
        return has_systemd() ? g_strdup_printf("/machine-qemu\\x2d%u\\x2d%s", id, name)
                             : g_strdup_printf("/qemu-%u-%s", id, name);
}

/*
 * Starts a guest; where it is in the first hierarchy that has its group, "4:memory:/machine/...". NULL: this
 * host has none for it.
 */
static char *start(const char *name, const char *more, char **path)
{
        g_autofree char *xml = guest_bare_xml(name, NULL);
        g_auto(GStrv) halves = g_strsplit(xml, "<os>", 2);
        g_autofree char *expected = NULL, *groups = NULL, *log = NULL;
        g_auto(GStrv) lines = NULL;
        unsigned id = 0;
        pid_t pid;

        *path = guest_start(client, g_strconcat(halves[0], more ? more : "", "<os>", halves[1], NULL));
        client_get(client, *path, DOMAIN_INTERFACE, "Id", 'u', &id);
        pid = harness_find_guest(harness, name);
        expected = group_name(id, name);
        groups = read_groups(pid, "");
        lines = g_strsplit(groups, "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                if (strstr(lines[i], expected))
                        return g_strdup(lines[i]);
        }
        log = harness_read_log(harness);
        ck_assert_msg(strstr(log, "gets no control group of its own"), "no '%s' in\n%s\n%s", expected, groups,
                      log);
        harness_skip("this host lets us make no control groups");
        return NULL;
}

/* Is nothing left of the group, wherever hierarchies are mounted? line: of /proc/PID/cgroup. */
static bool is_gone(void *line)
{
        g_autofree char *place = g_strdup(strchr(strchr((const char *)line, ':') + 1, ':') + 1);
        g_autofree char *unified = NULL;
        g_autoptr(GDir) mounts = g_dir_open("/sys/fs/cgroup", 0, NULL);
        const char *mount;
        char *end = strstr(place, has_systemd() ? ".scope/" : ".virtbus-qemu/");

        if (end)
                *strchr(end, '/') = '\0';
        unified = g_strconcat("/sys/fs/cgroup", place, NULL);
        if (g_file_test(unified, G_FILE_TEST_EXISTS))
                return false;
        while (mounts && (mount = g_dir_read_name(mounts))) {
                g_autofree char *path = g_strconcat("/sys/fs/cgroup/", mount, place, NULL);

                if (g_file_test(path, G_FILE_TEST_EXISTS))
                        return false;
        }
        return true;
}

START_TEST(test_the_group)
{
        g_autofree char *path = NULL, *line = start("web", NULL, &path);
        g_autofree char *tasks = NULL, *xml = NULL, *stored = NULL;
        g_autoptr(GDir) dir = NULL;
        const char *name;
        pid_t pid;

        if (!line)
                return;
        pid = harness_find_guest(harness, "web");
        tasks = g_strdup_printf("/proc/%d/task", pid);
        dir = g_dir_open(tasks, 0, NULL);
        ck_assert(!is_gone(line));
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strstr(xml, "<partition>/machine</partition>"), "%s", xml);
        stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_ptr_null(strstr(stored, "<partition>"));
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *what = g_strdup_printf("task/%s/", name);
                g_autofree char *of_thread = read_groups(pid, what);

                ck_assert_msg(strstr(of_thread, line), "thread %s is in\n%s", name, of_thread);
        }
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_until(is_gone, line, "the end of the group");
}
END_TEST

START_TEST(test_a_killed_agent)
{
        g_autofree char *path = NULL, *line = start("web", NULL, &path);
        g_autofree char *other_path = NULL, *other = line ? start("other", NULL, &other_path) : NULL;
        pid_t pid;

        if (!other)
                return;
        pid = harness_find_guest(harness, "web");
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        harness_start_agent(harness);
        /* Of the one that has ended nothing is left; the other one is found in its group, which goes with it.
         */
        harness_wait_until(is_gone, line, "the end of the group");
        ck_assert(!is_gone(other));
        guest_do_flags(client, other_path, "Destroy", 0);
        harness_wait_until(is_gone, other, "the end of the other group");
}
END_TEST

START_TEST(test_a_killed_guest)
{
        g_autofree char *path = NULL, *line = start("web", NULL, &path);
        pid_t pid;

        if (!line)
                return;
        pid = harness_find_guest(harness, "web");
        kill(pid, SIGKILL);
        harness_wait_until(is_gone, line, "the end of the group");
}
END_TEST

START_TEST(test_a_partition)
{
        g_autofree char *path = NULL;
        g_autofree char *line =
                start("web", "<resource><partition>/machine/virtbus-prod</partition></resource>", &path);

        if (!line)
                return;
        ck_assert_msg(strstr(line, has_systemd() ? "/machine.slice/machine-virtbus\\x2dprod.slice/"
                                                 : "/machine/virtbus-prod.partition/"),
                      "%s", line);
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_until(is_gone, line, "the end of the group");
}
END_TEST

/* ---- machined ---- */

/* 0: it knows of none with that name. */
static pid_t ask_leader(const char *machine)
{
        g_autofree char *out = NULL;
        const char *argv[] = { "machinectl", "show", machine, "-p", "Leader", "--value", NULL };
        int status = -1;

        g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                     &out, NULL, &status, NULL);
        return status == 0 ? (pid_t)atoi(out) : 0;
}

static bool is_forgotten(void *machine)
{
        return ask_leader(machine) == 0;
}

START_TEST(test_machined)
{
        g_autofree char *machinectl = g_find_program_in_path("machinectl");
        g_autofree char *path = NULL, *line = NULL, *machine = NULL;
        unsigned id = 0;

        if (!has_systemd() || !g_getenv("VIRTBUS_LAB_SYSTEMD") || !machinectl) {
                harness_skip("there is no machined here");
                return;
        }
        line = start("web", NULL, &path);
        ck_assert(line);
        client_get(client, path, DOMAIN_INTERFACE, "Id", 'u', &id);
        machine = g_strdup_printf("qemu-%u-web", id);
        ck_assert_int_eq(ask_leader(machine), harness_find_guest(harness, "web"));
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_until(is_forgotten, machine, "machined forgetting the guest");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cgroups");
        TCase *tcase = tcase_create("cgroups");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_the_group);
        tcase_add_test(tcase, test_a_killed_agent);
        tcase_add_test(tcase, test_a_killed_guest);
        tcase_add_test(tcase, test_a_partition);
        tcase_add_test(tcase, test_machined);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
