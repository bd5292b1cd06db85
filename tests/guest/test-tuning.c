/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Limits of a document, as the kernel has them once the guest runs. What the host has no control group for
 * ends the start by name, and a guest without limits starts everywhere.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* ---- where its group is ---- */

/*
 * A line of mountinfo: "31 23 0:28 /root /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu". Where the place in
 * the hierarchy (NULL: its root) is to be found, if it is that of the controller (NULL: version 2); else
 * NULL.
 */
static char *find_in_mount(const char *line, const char *controller, const char *place)
{
        g_auto(GStrv) words = g_strsplit(line, " ", -1);
        unsigned n = g_strv_length(words), type = 6;

        while (type < n && strcmp(words[type - 1], "-") != 0)
                type++;
        if (type + 2 >= n || strcmp(words[type], controller ? "cgroup" : "cgroup2") != 0 ||
            (controller && !has_name(words[type + 2], controller)))
                return NULL;
        if (!place)
                return g_strdup(words[4]);
        if (strcmp(words[3], "/") != 0) {
                if (!g_str_has_prefix(place, words[3]))
                        return NULL;
                place += strlen(words[3]);
        }
        return g_strconcat(words[4], place, NULL);
}

static char *find_directory(const char *controller, const char *place)
{
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        char *directory = NULL;

        ck_assert(g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i] && !directory; i++)
                directory = find_in_mount(lines[i], controller, place);
        ck_assert_msg(directory != NULL, "nothing is mounted for '%s', %s", controller ? controller : "2",
                      place ? place : "the root");
        return directory;
}

/*
 * The directory in which the kernel says that the process is, in the hierarchy of that controller; unified:
 * of version 2, because version 1 has none with it. Owned.
 */
static char *find_place(pid_t pid, const char *controller, bool *unified)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/cgroup", (int)pid), *text = NULL;
        g_auto(GStrv) lines = NULL;

        ck_assert(g_file_get_contents(file, &text, NULL, NULL));
        lines = g_strsplit(g_strchomp(text), "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                g_auto(GStrv) parts = g_strsplit(lines[i], ":", 3);

                *unified = !*parts[1];
                if (*unified || has_name(parts[1], controller))
                        return find_directory(*unified ? NULL : controller, parts[2]);
        }
        ck_abort_msg("no hierarchy has '%s':\n%s", controller, text);
        return NULL;
}

/* The guest's group, in which the process is somewhere: a scope of systemd's, or one of the agent's own. */
static char *find_group(pid_t pid, const char *controller, bool *unified)
{
        char *path = find_place(pid, controller, unified);

        while (!g_str_has_suffix(path, ".scope") && !g_str_has_suffix(path, ".virtbus-qemu")) {
                char *above = g_path_get_dirname(path);

                ck_assert_msg(strlen(above) > 1, "process %d is in no group of a guest", (int)pid);
                g_free(path);
                path = above;
        }
        return path;
}

/* What is weighed against other guests is the scope; the agent's part of it has the limits. */
static char *find_file(const char *group, const char *threads, const char *name)
{
        bool scope = g_str_has_suffix(group, ".scope");

        return g_build_filename(group,
                                scope && !strstr(name, "weight") && !strstr(name, "shares") ? "libvirt" : "",
                                threads ? threads : "", name, NULL);
}

struct limit {
        const char *guest;      /* its name */
        const char *controller; /* as version 1 calls it */
        const char *threads;    /* a group of threads; NULL: all of the guest */
        const char *v1, *v2;    /* the file's names */
};

static char *read_limit(const struct limit *limit, bool *unified)
{
        pid_t pid = harness_find_guest(harness, limit->guest);
        g_autofree char *group = find_group(pid, limit->controller, unified);
        g_autofree char *file = find_file(group, limit->threads, *unified ? limit->v2 : limit->v1);
        g_autoptr(GError) error = NULL;
        char *value = NULL;

        ck_assert_msg(g_file_get_contents(file, &value, NULL, &error), "%s", error ? error->message : file);
        return g_strchomp(value);
}

/* The file says that. */
static void expect_limit_of(const struct limit *limit, const char *expected_v1, const char *expected_v2)
{
        bool unified;
        g_autofree char *value = read_limit(limit, &unified);

        ck_assert_msg(strcmp(value, unified ? expected_v2 : expected_v1) == 0, "%s of %s is '%s', not '%s'",
                      unified ? limit->v2 : limit->v1, limit->threads ? limit->threads : limit->guest, value,
                      unified ? expected_v2 : expected_v1);
}

static void expect_limit(const char *name, const char *controller, const char *v1, const char *expected_v1,
                         const char *v2, const char *expected_v2)
{
        expect_limit_of(&(const struct limit){ name, controller, NULL, v1, v2 }, expected_v1, expected_v2);
}

static void expect_quota(const char *name, const char *threads, const char *quota, const char *max)
{
        expect_limit_of(&(const struct limit){ name, "cpu", threads, "cpu.cfs_quota_us", "cpu.max" }, quota,
                        max);
}

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

START_TEST(test_limits_from_the_start)
{
        g_autofree char *path =
                start("all", "<iothreads>1</iothreads><cputune><shares>687</shares><period>50000</period>"
                             "<quota>40000</quota><global_period>200000</global_period><global_quota>200000"
                             "</global_quota><emulator_quota>60000</emulator_quota><iothread_quota>30000"
                             "</iothread_quota></cputune><memtune><hard_limit unit='MiB'>512</hard_limit>"
                             "<soft_limit unit='MiB'>256</soft_limit></memtune>");
        pid_t pid;

        if (!path)
                return;
        pid = harness_find_guest(harness, "all");
        expect_limit("all", "cpu", "cpu.shares", "687", "cpu.weight", "687");
        expect_quota("all", NULL, "200000", "200000 200000");
        expect_quota("all", "vcpu0", "40000", "40000 50000");
        expect_quota("all", "emulator", "60000", "60000 100000");
        expect_quota("all", "iothread1", "30000", "30000 100000");
        ck_assert(has_group(pid, "vcpu0"));
        ck_assert(has_group(pid, "iothread1"));
        ck_assert(has_group(pid, "emulator"));
        ck_assert(!has_group(pid, "vcpu1"));
        expect_limit("all", "memory", "memory.limit_in_bytes", "536870912", "memory.max", "536870912");
        expect_limit("all", "memory", "memory.soft_limit_in_bytes", "268435456", "memory.high", "268435456");
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

static bool is_without_guests(void *data)
{
        return harness_count_guests(harness) == 0;
}

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
        harness_wait_until(is_without_guests, NULL, "nothing is left of the failed start");
}
END_TEST

/* ---- while the guest runs ---- */

enum {
        LIVE = 1,
        CONFIG = 2,
};

/* One parameter of the answer of a Get function. */
static int64_t get_number(const char *path, const char *member, const char *wanted)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, member, "u", LIVE);
        const char *name, *inside;
        uint64_t number = 0;
        bool found = false;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (!found && sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                char type;

                ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
                ck_assert_int_gt(sd_bus_message_peek_type(reply, &type, &inside), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', inside), 0);
                found = strcmp(name, wanted) == 0;
                if (found)
                        ck_assert_int_gt(sd_bus_message_read_basic(reply, *inside, &number), 0);
                else
                        ck_assert_int_gt(sd_bus_message_skip(reply, NULL), 0);
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
        }
        ck_assert_msg(found, "%s does not tell '%s'", member, wanted);
        return (int64_t)number;
}

/* A guest without limits, with an I/O thread; NULL and a skipped case where it has no group. */
/* Takes xml. NULL: it can have no limits here, and the case is skipped. */
static char *start_limitable(char *xml)
{
        g_autofree char *path = guest_start(client, xml);
        g_autofree char *failure =
                client_try(client, path, DOMAIN_INTERFACE, "GetSchedulerParameters", "u", LIVE);

        if (!failure)
                return g_steal_pointer(&path);
        ck_assert_msg(strstr(failure, "has no control group with the controller 'cpu' on this host"), "%s",
                      failure);
        failure = client_try(client, path, DOMAIN_INTERFACE, "SetSchedulerParameters", "a{sv}u", 1,
                             "cpu_shares", "t", (uint64_t)500, LIVE | CONFIG);
        ck_assert_msg(failure && strstr(failure, "has no control group"), "%s", failure);
        harness_skip("this host lets guests have no control groups");
        return NULL;
}

static char *start_plain(const char *name)
{
        return start_limitable(tuned_xml(name, "<iothreads>1</iothreads>"));
}

#define SET(member, name, type, value, flags)                                                                \
        client_do(client, path, DOMAIN_INTERFACE, member, "a{sv}u", 1, name, type, value, flags)

/* By CPU of the host, where it counts so; vCPUs with limits of their own are told apart. */
static void check_cpu_stats(const char *path)
{
        g_autoptr(sd_bus_message) reply = NULL;
        g_autofree char *failure = client_try(client, path, DOMAIN_INTERFACE, "GetCPUStats", "iuu", 0, 1, 0);
        const char *name;
        uint64_t cpu = 0, vcpu = 0;

        if (failure) {
                ck_assert_msg(strstr(failure, "does not count the CPU time of guests by CPU"), "%s", failure);
                return;
        }
        reply = client_call(client, path, DOMAIN_INTERFACE, "GetCPUStats", "iuu", 0, 1, 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "a{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'e', "sv"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
        ck_assert_str_eq(name, "cpu_time");
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "v", "t", &cpu), 0);
        sd_bus_message_exit_container(reply);
        sd_bus_message_exit_container(reply);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'e', "sv"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
        ck_assert_str_eq(name, "vcpu_time");
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "v", "t", &vcpu), 0);
        client_fails(client, LIBVIRT_ERROR, "*CPU 20000 is out of range*", path, DOMAIN_INTERFACE,
                     "GetCPUStats", "iuu", 20000, 1, 0);
}

/* A quota of threads is set with their period, and told. */
static void change_quota(const char *path, const char *guest, const char *what, const char *threads)
{
        g_autofree char *quota = g_strconcat(what, "_quota", NULL),
                        *period = g_strconcat(what, "_period", NULL);

        client_do(client, path, DOMAIN_INTERFACE, "SetSchedulerParameters", "a{sv}u", 2, quota, "x",
                  (int64_t)50000, period, "t", (uint64_t)80000, LIVE);
        expect_quota(guest, threads, "50000", "50000 80000");
        ck_assert_int_eq(get_number(path, "GetSchedulerParameters", quota), 50000);
        ck_assert_int_eq(get_number(path, "GetSchedulerParameters", period), 80000);
        SET("SetSchedulerParameters", quota, "x", (int64_t)-1, LIVE);
        expect_quota(guest, threads, "-1", "max 80000");
        ck_assert_int_eq(get_number(path, "GetSchedulerParameters", quota), -1);
}

START_TEST(test_cpu_while_it_runs)
{
        g_autofree char *path = start_plain("live");
        pid_t pid;

        if (!path)
                return;
        pid = harness_find_guest(harness, "live");
        ck_assert_int_eq(get_number(path, "GetSchedulerParameters", "vcpu_quota"), -1);
        ck_assert_int_eq(get_number(path, "GetSchedulerParameters", "global_period"), 100000);
        SET("SetSchedulerParameters", "cpu_shares", "t", (uint64_t)687, LIVE);
        expect_limit("live", "cpu", "cpu.shares", "687", "cpu.weight", "687");
        ck_assert_int_eq(get_number(path, "GetSchedulerParameters", "cpu_shares"), 687);
        SET("SetSchedulerParameters", "global_quota", "x", (int64_t)90000, LIVE | CONFIG);
        expect_quota("live", NULL, "90000", "90000 100000");
        ck_assert(!has_group(pid, "vcpu0"));
        change_quota(path, "live", "vcpu", "vcpu0");
        ck_assert(has_group(pid, "vcpu0"));
        change_quota(path, "live", "emulator", "emulator");
        change_quota(path, "live", "iothread", "iothread1");
        check_cpu_stats(path);
        SET("SetSchedulerParameters", "global_quota", "x", (int64_t)-1, LIVE);
        expect_quota("live", NULL, "-1", "max 100000");
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Create", 0);
        expect_quota("live", NULL, "90000", "90000 100000");
}
END_TEST

static void set_quotas(const char *path, int64_t global, int64_t vcpu)
{
        client_do(client, path, DOMAIN_INTERFACE, "SetSchedulerParameters", "a{sv}u", 2, "global_quota", "x",
                  global, "vcpu_quota", "x", vcpu, LIVE);
}

/* Version 1 of the kernel's interface has no thread's limit above that of the guest, at any moment. */
START_TEST(test_quotas_within_quotas)
{
        g_autofree char *path = start_plain("within");

        if (!path)
                return;
        set_quotas(path, 100000, 80000);
        set_quotas(path, 50000, 40000);
        expect_quota("within", NULL, "50000", "50000 100000");
        expect_quota("within", "vcpu0", "40000", "40000 100000");
        client_do(client, path, DOMAIN_INTERFACE, "SetSchedulerParameters", "a{sv}u", 2, "vcpu_quota", "x",
                  (int64_t)8000, "vcpu_period", "t", (uint64_t)20000, LIVE);
        expect_quota("within", "vcpu0", "8000", "8000 20000");
        set_quotas(path, 100000, 16000);
        expect_quota("within", NULL, "100000", "100000 100000");
        expect_quota("within", "vcpu0", "16000", "16000 20000");
}
END_TEST

START_TEST(test_memory_while_it_runs)
{
        g_autofree char *path = start_plain("mem");

        if (!path)
                return;
        ck_assert_int_eq(get_number(path, "GetMemoryParameters", "hard_limit"), INT64_C(9007199254740991));
        SET("SetMemoryParameters", "hard_limit", "t", (uint64_t)524288, LIVE);
        expect_limit("mem", "memory", "memory.limit_in_bytes", "536870912", "memory.max", "536870912");
        ck_assert_int_eq(get_number(path, "GetMemoryParameters", "hard_limit"), 524288);
        SET("SetMemoryParameters", "hard_limit", "t", (uint64_t)786432, LIVE);
        SET("SetMemoryParameters", "soft_limit", "t", (uint64_t)262144, LIVE);
        expect_limit("mem", "memory", "memory.limit_in_bytes", "805306368", "memory.max", "805306368");
        expect_limit("mem", "memory", "memory.soft_limit_in_bytes", "268435456", "memory.high", "268435456");
        ck_assert_int_eq(get_number(path, "GetMemoryParameters", "soft_limit"), 262144);
        /* Memory and swap together; version 2 has a limit of swap alone. */
        SET("SetMemoryParameters", "swap_hard_limit", "t", (uint64_t)1048576, LIVE);
        expect_limit("mem", "memory", "memory.memsw.limit_in_bytes", "1073741824", "memory.swap.max",
                     "268435456");
        ck_assert_int_eq(get_number(path, "GetMemoryParameters", "swap_hard_limit"), 1048576);
        SET("SetMemoryParameters", "swap_hard_limit", "t", UINT64_C(9007199254740991), LIVE);
        SET("SetMemoryParameters", "hard_limit", "t", UINT64_C(9007199254740991), LIVE);
        ck_assert_int_eq(get_number(path, "GetMemoryParameters", "hard_limit"), INT64_C(9007199254740991));
        ck_assert_int_eq(get_number(path, "GetNumaParameters", "numa_mode"), 0);
        client_fails(client, LIBVIRT_ERROR, "*cannot change while it runs*", path, DOMAIN_INTERFACE,
                     "SetNumaParameters", "a{sv}u", 1, "numa_mode", "i", 1, LIVE);
}
END_TEST

START_TEST(test_nodes_while_it_runs)
{
        g_autofree char *path = start_plain("nodes"), *failure = NULL;
        const struct limit emulator = { "nodes", "cpuset", "emulator", "cpuset.mems",
                                        "cpuset.mems.effective" };

        if (!path)
                return;
        failure = client_try(client, path, DOMAIN_INTERFACE, "SetNumaParameters", "a{sv}u", 1, "numa_nodeset",
                             "s", "0", LIVE);
        if (failure && strstr(failure, "controller 'cpuset'")) {
                harness_skip("this host lets guests have no control groups of CPUs and nodes");
                return;
        }
        ck_assert_pstr_eq(failure, NULL);
        expect_limit("nodes", "cpuset", "cpuset.mems", "0", "cpuset.mems.effective", "0");
        failure = client_try(client, path, DOMAIN_INTERFACE, "SetNumaParameters", "a{sv}u", 1, "numa_nodeset",
                             "s", "900", LIVE | CONFIG);
        ck_assert_msg(failure && strstr(failure, "cpuset.mems"), "%s", failure);
        expect_limit_of(&emulator, "0", "0");
}
END_TEST

/* A NUMA cell of the guest has its nodes by what its vCPUs may use. */
START_TEST(test_nodes_of_cells)
{
        static const struct limit vcpu = { "cells", "cpuset", "vcpu0", "cpuset.mems", "cpuset.mems" };
        static const struct limit guest = { "cells", "cpuset", NULL, "cpuset.mems", "cpuset.mems" };
        g_autofree char *path =
                start("cells", "<cpu><numa><cell id='0' cpus='0' memory='65536'/></numa></cpu>"
                               "<numatune><memory mode='restrictive' nodeset='0'/><memnode cellid='0' "
                               "mode='restrictive' nodeset='0'/></numatune>");

        if (!path)
                return;
        expect_limit_of(&vcpu, "0", "0");
        expect_limit_of(&guest, "0", "0");
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* Limits of a group in which the guest is no more would hold for nobody. */
static bool is_gone(void *group)
{
        return access(group, F_OK) < 0;
}

static void refuse_moved(const char *path)
{
        client_fails(client, LIBVIRT_ERROR, "*has been moved out of its control group*", path,
                     DOMAIN_INTERFACE, "SetSchedulerParameters", "a{sv}u", 1, "cpu_shares", "t",
                     (uint64_t)500, LIVE | CONFIG);
}

/* KVM has a thread of the kernel's in the groups of a guest (kvm-nx-lpage-recovery), which stays there. */
static char *start_emulated(const char *name)
{
        g_autofree char *plain = tuned_xml(name, "<iothreads>1</iothreads>");
        GString *xml = g_string_new(plain);

        g_string_replace(xml, "type='kvm'", "type='qemu'", 1);
        return start_limitable(g_string_free(xml, FALSE));
}

/* systemd removes the scope that nobody is in any more, sooner or later. */
START_TEST(test_moved_away)
{
        g_autofree char *path = start_emulated("moved"), *root = NULL, *group = NULL, *procs = NULL,
                        *xml = NULL;
        bool unified;
        pid_t pid;
        FILE *file;

        if (!path)
                return;
        pid = harness_find_guest(harness, "moved");
        group = find_group(pid, "cpu", &unified);
        root = find_directory(unified ? NULL : "cpu", NULL);
        procs = g_strconcat(root, "/cgroup.procs", NULL);
        file = fopen(procs, "we");
        if (!file || fprintf(file, "%d\n", (int)pid) < 0 || fclose(file) != 0) {
                harness_skip("guests cannot be moved on this host");
                return;
        }
        refuse_moved(path);
        if (g_str_has_suffix(group, ".scope")) {
                harness_wait_until(is_gone, group, "the scope has gone");
                refuse_moved(path);
        }
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_ptr_null(strstr(xml, "shares"));
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

START_TEST(test_no_block_device)
{
        g_autofree char *path = start_plain("block"), *file = harness_path(harness, "plain"), *list = NULL;
        g_autofree char *xml = NULL;

        if (!path)
                return;
        ck_assert(g_file_set_contents(file, "", 0, NULL));
        list = g_strconcat(file, ",5000", NULL);
        client_fails(client, LIBVIRT_ERROR, "*is not a block device*", path, DOMAIN_INTERFACE,
                     "SetBlockIOParameters", "a{sv}u", 1, "device_read_bytes_sec", "s", list, LIVE | CONFIG);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_ptr_null(strstr(xml, "blkiotune"));
        SET("SetBlockIOParameters", "device_read_bytes_sec", "s", list, CONFIG);
}
END_TEST

/* The lab has it with BFQ, which knows weights. Nothing is written to it. */
#define BLOCK_DEVICE "/dev/loop0"

static void set_device(const char *path, const char *name, unsigned number)
{
        g_autofree char *list = g_strdup_printf(BLOCK_DEVICE ",%u", number);

        SET("SetBlockIOParameters", name, "s", list, LIVE);
}

/* One of a device's limits: a file of its own in version 1. */
static void expect_device(const char *v1, const char *expected_v1, const char *expected_v2)
{
        expect_limit_of(&(const struct limit){ "block", "blkio", NULL, v1, "io.max" }, expected_v1,
                        expected_v2);
}

static void check_throttling(const char *path)
{
        set_device(path, "device_read_bytes_sec", 1048576);
        expect_device("blkio.throttle.read_bps_device", "7:0 1048576",
                      "7:0 rbps=1048576 wbps=max riops=max wiops=max");
        set_device(path, "device_write_bytes_sec", 2097152);
        expect_device("blkio.throttle.write_bps_device", "7:0 2097152",
                      "7:0 rbps=1048576 wbps=2097152 riops=max wiops=max");
        set_device(path, "device_read_iops_sec", 300);
        expect_device("blkio.throttle.read_iops_device", "7:0 300",
                      "7:0 rbps=1048576 wbps=2097152 riops=300 wiops=max");
        set_device(path, "device_write_iops_sec", 400);
        expect_device("blkio.throttle.write_iops_device", "7:0 400",
                      "7:0 rbps=1048576 wbps=2097152 riops=300 wiops=400");
        set_device(path, "device_read_bytes_sec", 0);
        expect_device("blkio.throttle.read_bps_device", "", "7:0 rbps=max wbps=2097152 riops=300 wiops=400");
}

/* Set as one number, and read as it is set; of the scheduler's own scale is what systemd makes of it. */
static void check_weights(const char *path)
{
        const struct limit all = { "block", "blkio", NULL, "blkio.bfq.weight", "io.bfq.weight" };
        const struct limit one = { "block", "blkio", NULL, "blkio.bfq.weight_device", "io.bfq.weight" };
        bool unified, scaled = access("/run/systemd/system", F_OK) == 0;
        g_autofree char *before = NULL, *after = NULL;

        ck_assert_int_eq(get_number(path, "GetBlockIOParameters", "weight"), 300);
        before = read_limit(&all, &unified);
        ck_assert_msg(g_str_has_prefix(before, !unified ? "300"
                                               : scaled ? "default 118"
                                                        : "default 300"),
                      "%s", before);
        set_device(path, "device_weight", 200);
        after = read_limit(&one, &unified);
        ck_assert_msg(strstr(after, scaled ? "7:0 109" : "7:0 200"), "%s", after);
        set_device(path, "device_weight", 0);
        g_free(after);
        after = read_limit(&one, &unified);
        ck_assert_msg(!strstr(after, "7:0") || strstr(after, scaled ? "7:0 118" : "7:0 300"), "%s", after);
}

/* Are there weights? Their files come with a scheduler that knows them, which the device has to have. */
static bool has_weights(const char *path)
{
        g_autofree char *failure = client_try(client, path, DOMAIN_INTERFACE, "SetBlockIOParameters",
                                              "a{sv}u", 1, "weight", "u", 300, LIVE);

        if (!failure)
                failure = client_try(client, path, DOMAIN_INTERFACE, "SetBlockIOParameters", "a{sv}u", 1,
                                     "device_weight", "s", BLOCK_DEVICE ",250", LIVE);
        ck_assert_msg(!failure || (!g_getenv("VIRTBUS_LAB") && strstr(failure, "weight")), "%s", failure);
        return !failure;
}

START_TEST(test_block_devices_while_it_runs)
{
        g_autofree char *path = NULL, *list = NULL;
        struct stat status;

        if (stat(BLOCK_DEVICE, &status) < 0 || !S_ISBLK(status.st_mode)) {
                harness_skip("this host has no " BLOCK_DEVICE);
                return;
        }
        path = start_plain("block");
        if (!path)
                return;
        check_throttling(path);
        if (has_weights(path))
                check_weights(path);
}
END_TEST

/* The number of GetStats, group 64; -1: it is not told. */
static int64_t get_perf(const char *path, const char *wanted)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "GetStats", "uu", 64, 0);
        const char *name;
        uint64_t number = 0;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
                ck_assert_int_gt(sd_bus_message_read(reply, "v", "t", &number), 0);
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
                if (strcmp(name, wanted) == 0)
                        return (int64_t)number;
        }
        return -1;
}

static bool is_counted(void *path)
{
        return get_perf(path, "perf.cpu_clock") > 0;
}

START_TEST(test_perf_while_it_runs)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("perf", NULL)), *failure = NULL,
                        *xml = NULL;

        ck_assert_int_eq(get_perf(path, "perf.cpu_clock"), -1);
        client_fails(client, LIBVIRT_ERROR, "*does not count 'cmt'*", path, DOMAIN_INTERFACE, "SetPerfEvents",
                     "a{sv}u", 2, "cpu_clock", "b", 1, "cmt", "b", 1, LIVE | CONFIG);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_ptr_null(strstr(xml, "perf>"));
        failure = client_try(client, path, DOMAIN_INTERFACE, "SetPerfEvents", "a{sv}u", 1, "cpu_clock", "b",
                             1, LIVE | CONFIG);
        if (failure) {
                ck_assert_msg(strstr(failure, "'cpu_clock'"), "%s", failure);
                harness_skip("this host counts nothing for guests");
                return;
        }
        harness_wait_until(is_counted, path, "the guest's CPU time is counted");
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        harness_wait_until(is_counted, path, "another agent counts it");
        SET("SetPerfEvents", "cpu_clock", "b", 0, LIVE);
        ck_assert_int_eq(get_perf(path, "perf.cpu_clock"), -1);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Create", 0);
        harness_wait_until(is_counted, path, "it is counted from the start");
        guest_do_flags(client, path, "Destroy", 0);
        SET("SetPerfEvents", "mbmt", "b", 1, CONFIG);
        client_fails(client, LIBVIRT_ERROR, "*does not count 'mbmt'*", path, DOMAIN_INTERFACE, "Create", "u",
                     0);
}
END_TEST

/* numad says where, or is missed by name; the stored definition says that the host chooses. */
START_TEST(test_automatic_placement)
{
        g_autofree char *xml =
                tuned_xml("auto", "<numatune><memory mode='strict' placement='auto'/></numatune>");
        g_auto(GStrv) halves = g_strsplit(xml, "<vcpu>1</vcpu>", 2);
        g_autofree char *numad = g_find_program_in_path("numad"), *active = NULL, *stored = NULL;
        g_autofree char *path = guest_define(
                client, g_strconcat(halves[0], "<vcpu placement='auto'>1</vcpu>", halves[1], NULL));

        if (!numad) {
                client_fails(client, LIBVIRT_ERROR, "*placement='auto' needs numad*", path, DOMAIN_INTERFACE,
                             "Create", "u", 0);
                return;
        }
        guest_do_flags(client, path, "Create", 0);
        active = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strstr(active, "<vcpu placement='auto' cpuset='") &&
                              strstr(active, "<memory mode='strict' nodeset='"),
                      "%s", active);
        stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_ptr_null(strstr(stored, "cpuset"));
        ck_assert_ptr_null(strstr(stored, "nodeset"));
}
END_TEST

/* Whether QEMU takes them, and lets go of them. */
START_TEST(test_disks_while_it_runs)
{
        g_autofree char *image = harness_path(harness, "disk.img"), *disk = NULL, *path = NULL, *xml = NULL;

        ck_assert(g_file_set_contents(image, "", 0, NULL));
        ck_assert_int_eq(truncate(image, 1 << 20), 0);
        disk = g_strdup_printf("<disk type='file'><source file='%s'/><target dev='vda' bus='virtio'/></disk>",
                               image);
        path = guest_start(client, guest_logged_xml("disk", disk));
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "vda", 2, "total_bytes_sec",
                  "t", (uint64_t)1000000, "total_bytes_sec_max", "t", (uint64_t)2000000, LIVE | CONFIG);
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "vda", 1, "read_iops_sec", "t",
                  (uint64_t)100, LIVE);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strstr(xml, "<total_bytes_sec_max>2000000</total_bytes_sec_max>") &&
                              strstr(xml, "<read_iops_sec>100</read_iops_sec>"),
                      "%s", xml);
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "vda", 3, "total_bytes_sec",
                  "t", (uint64_t)0, "total_bytes_sec_max", "t", (uint64_t)0, "read_iops_sec", "t",
                  (uint64_t)0, LIVE | CONFIG);
        g_free(xml);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_null(strstr(xml, "iotune"));
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "vda", 2, "total_bytes_sec",
                  "t", (uint64_t)1000000, "total_bytes_sec_max", "t", (uint64_t)2000000, LIVE);
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "vda", 2, "total_bytes_sec",
                  "t", (uint64_t)3000000, "total_bytes_sec_max", "t", (uint64_t)0, LIVE);
        /* Those of its own group that are nothing, and were nothing, are left out. */
        ck_assert_uint_eq(guest_count_told(harness, "disk", "\"bps-total\":3000000"), 1);
        ck_assert_uint_eq(guest_count_told(harness, "disk", "\"bps-total-max\":0"), 1);
        ck_assert_uint_eq(guest_count_told(harness, "disk", "\"iops-size\""), 0);
        client_fails(client, LIBVIRT_ERROR, "*has no interface 'x'*", path, DOMAIN_INTERFACE,
                     "SetInterfaceParameters", "sa{sv}u", "x", 1, "inbound.average", "u", 5, LIVE);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("tuning");
        TCase *tcase = tcase_create("tuning");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_limits_from_the_start);
        tcase_add_test(tcase, test_what_cannot_be_limited);
        tcase_add_test(tcase, test_cpu_while_it_runs);
        tcase_add_test(tcase, test_quotas_within_quotas);
        tcase_add_test(tcase, test_memory_while_it_runs);
        tcase_add_test(tcase, test_nodes_while_it_runs);
        tcase_add_test(tcase, test_nodes_of_cells);
        tcase_add_test(tcase, test_no_block_device);
        tcase_add_test(tcase, test_block_devices_while_it_runs);
        tcase_add_test(tcase, test_disks_while_it_runs);
        tcase_add_test(tcase, test_perf_while_it_runs);
        tcase_add_test(tcase, test_automatic_placement);
        tcase_add_test(tcase, test_moved_away);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
