/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Control groups of guests: where they are mounted, what they are called, and the groups of this host, made,
 * entered, limited, found and removed. The lab runs it with version 2, with systemd and without.
 */
#include "drivers/cgroup/cgroup-private.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/systemd.h"
#include "tests/unit/check-main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct loop *loop;
static struct pool *pool;
static struct lane *lane;

static void setup(void)
{
        log_init(LOG_LEVEL_INFO);
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        lane = lane_new(pool, loop, "cgroup");
}

static void teardown(void)
{
        lane_unref(lane);
        pool_free(pool);
        loop_free(loop);
}

static void run(lane_fn fn)
{
        lane_post(lane, fn, NULL);
        loop_run(loop);
}

static void quit(void *data)
{
        loop_quit(loop);
}

static void post_quit(void *data)
{
        loop_post(loop, quit, NULL);
}

/* ---- what is mounted ---- */

static const char hybrid[] =
        "22 21 0:21 / /proc rw - proc proc rw\n"
        "31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "32 24 0:28 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,name=systemd\n"
        "33 24 0:29 /docker/a /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "34 24 0:29 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct\n"
        "35 24 0:30 / /sys/fs/cgroup/net\\040cls rw - cgroup cgroup rw,net_cls\n"
        "36 24 0:31 / /sys/fs/cgroup/blk\\040io rw - cgroup cgroup rw,blkio\n";

static const char places[] = "9:blkio:/\n"
                             "4:cpu,cpuacct:/docker/a/machine/x\n"
                             "1:name=systemd:/machine.slice/machine-x.scope\n"
                             "0::/machine.slice/machine-x.scope\n";

START_TEST(test_mounts)
{
        struct hierarchies all;
        static const char *const mounts[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd",
                                              "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/blk io" };
        static const char *const paths[] = { "/machine.slice/machine-x.scope",
                                             "/machine.slice/machine-x.scope", "/machine/x", "/" };

        hierarchies_parse(&all, hybrid);
        ck_assert_uint_eq(all.count, G_N_ELEMENTS(mounts));
        for (unsigned i = 0; i < all.count; i++) {
                g_autofree char *path = hierarchy_locate(&all.list[i], places);

                ck_assert_str_eq(all.list[i].mount, mounts[i]);
                ck_assert_str_eq(path, paths[i]);
        }
        ck_assert(all.list[0].unified && !all.list[2].unified);
        ck_assert_uint_eq(all.list[2].controllers, 1U << CGROUP_CPU | 1U << CGROUP_CPUACCT);
        hierarchies_clear(&all);
        hierarchies_parse(&all, "torn\n31 24 0:27 / - cgroup\n - cgroup2 x y\n");
        ck_assert_uint_eq(all.count, 0);
}
END_TEST

/* Another start has made the group, and not come to what it is of no use without. */
START_TEST(test_half_made)
{
        static const char *const files[] = { "cpuset.cpus", "cpuset.mems", "machine/cpuset.cpus",
                                             "machine/cpuset.mems" };
        static const char *const texts[] = { "0-1\n", "0\n", "\n", "\n" };
        static const char *const wanted[] = { "0-1\n", "0\n", "0-1", "0" };
        g_autofree char *root = g_dir_make_tmp("virtbus-cgroup-XXXXXX", NULL),
                        *mounts = g_strdup_printf("33 24 0:29 / %s rw - cgroup cgroup rw,cpuset\n", root),
                        *machine = g_build_filename(root, "machine", NULL),
                        *own = g_build_filename(machine, "x", NULL);
        struct hierarchies all;

        ck_assert_int_eq(mkdir(machine, 0700), 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_build_filename(root, files[i], NULL);

                ck_assert(g_file_set_contents(path, texts[i], -1, NULL));
        }
        hierarchies_parse(&all, mounts);
        ck_assert_uint_eq(all.count, 1);
        ck_assert(hierarchy_make(&all.list[0], "/machine/x"));
        ck_assert_int_eq(rmdir(own), 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_build_filename(root, files[i], NULL), *text = NULL;

                ck_assert(g_file_get_contents(path, &text, NULL, NULL));
                ck_assert_int_eq(strncmp(text, wanted[i], strlen(wanted[i])), 0);
                unlink(path);
        }
        rmdir(machine);
        rmdir(root);
        hierarchies_clear(&all);
}
END_TEST

/* ---- names ---- */

START_TEST(test_names)
{
        static const struct {
                const char *name, *machine, *escaped;
        } rows[] = {
                { "web", "qemu-3-web", "qemu\\x2d3\\x2dweb" },
                { "a b/c\n", "qemu-3-abc", "qemu\\x2d3\\x2dabc" },
                { "..-x--y.", "qemu-3-x-y", "qemu\\x2d3\\x2dx\\x2dy" },
                { "\xc3\xa4\xc3\xb6", "qemu-3", "qemu\\x2d3" },
                { "m_1.example.org", "qemu-3-m1.example.org", "qemu\\x2d3\\x2dm1.example.org" },
        };
        g_autofree char *big = g_strnfill(300, 'x'), *machine = cgroup_make_machine_name("qemu", 3, big);

        ck_assert_uint_eq(strlen(machine), 64);
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *got = cgroup_make_machine_name("qemu", 3, rows[i].name);
                g_autofree char *escaped = systemd_escape(got);

                ck_assert_str_eq(got, rows[i].machine);
                ck_assert_str_eq(escaped, rows[i].escaped);
        }
}
END_TEST

START_TEST(test_partitions)
{
        static const char *const bad[] = { "",          "/",         "machine", "/machine/../x",
                                           "/machine/", "//machine", "/a\n" };
        g_autoptr(GError) error = NULL;

        ck_assert(cgroup_check_partition("/machine", &error));
        ck_assert(cgroup_check_partition("/machine/prod", &error));
        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_clear_error(&error);
                ck_assert_msg(!cgroup_check_partition(bad[i], &error), "%s", bad[i]);
                ck_assert(error_is(error, ERROR_CONFIG_UNSUPPORTED));
        }
}
END_TEST

/* ---- groups of this host ---- */

static const char *partition = "/machine";

/* NULL: this host gives us none. */
static struct cgroup *make(void)
{
        g_autofree char *machine = g_strdup_printf("qemu-1-test%d", (int)getpid());
        const struct cgroup_spec spec = { machine, partition, "a test's" };
        g_autoptr(GError) error = NULL;
        struct cgroup *group = cgroup_new(lane, &spec, &error);

        ck_assert_msg(!error, "%s", error ? error->message : "");
        if (!group)
                check_skip("no control groups are ours to make here");
        return group;
}

/* Uses a CPU for so long that the kernel's clock sees it, how ever coarse it is. */
static void work(void)
{
        clock_t end = clock() + CLOCKS_PER_SEC / 20;

        while (clock() < end)
                ;
}

/* A process that waits in the group, having entered it by itself. */
static pid_t enter(struct cgroup *group)
{
        GArray *fds = cgroup_open_fds(group);
        pid_t pid;
        int ready[2];
        char byte = 0;

        ck_assert_uint_gt(fds->len, 0);
        ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                for (unsigned i = 0; i < fds->len; i++) {
                        if (write(g_array_index(fds, int, i), "0", 1) < 0)
                                _exit(1);
                }
                work();
                if (write(ready[1], "r", 1) < 0)
                        _exit(1);
                pause();
                _exit(0);
        }
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        cgroup_close_fds(fds);
        cgroup_settle(group);
        return pid;
}

static void leave(pid_t pid)
{
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static char *read_places(pid_t pid)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/cgroup", (int)pid);
        char *text = NULL;

        ck_assert(g_file_get_contents(file, &text, NULL, NULL));
        return text;
}

static char *read_value(const struct cgroup *group, const char *threads, enum cgroup_controller controller,
                        const char *v1, const char *v2)
{
        for (unsigned i = 0; i < group->hierarchies.count; i++) {
                const struct hierarchy *hierarchy = &group->hierarchies.list[i];
                g_autofree char *directory = NULL, *path = NULL;
                char *text = NULL;

                if (!(hierarchy->controllers & 1U << controller))
                        continue;
                directory = hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), threads);
                path = g_build_filename(directory, hierarchy->unified ? v2 : v1, NULL);
                ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
                return g_strstrip(text);
        }
        ck_abort_msg("no hierarchy has '%s'", v1);
}

static void limit(struct cgroup *group, pid_t pid)
{
        g_autoptr(GError) error = NULL;
        struct cgroup_cpu cpu;
        uint64_t bytes;
        bool ok = true;

        if (cgroup_has(group, CGROUP_CPU)) {
                bool unified = cgroup_is_unified(group, CGROUP_CPU);
                g_autofree char *whole = NULL, *thread = NULL;

                ok = cgroup_set_cpu_max(group, NULL, 50000, 100000, &error) &&
                     cgroup_add_thread(group, "vcpu0", pid, &error) &&
                     cgroup_set_cpu_max(group, "vcpu0", 20000, 100000, &error) &&
                     cgroup_set_cpu_weight(lane, group, 300, &error) &&
                     cgroup_read_cpu(group, "vcpu0", &cpu, &error) &&
                     cgroup_read_cpu(group, NULL, &cpu, &error);
                ck_assert_msg(ok, "%s", error ? error->message : "");
                ck_assert_uint_gt(cpu.usage_ns, 0);
                whole = read_value(group, NULL, CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max");
                thread = read_value(group, "vcpu0", CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max");
                ck_assert_str_eq(whole, unified ? "50000 100000" : "50000");
                ck_assert_str_eq(thread, unified ? "20000 100000" : "20000");
                ok = cgroup_set_cpu_max(group, NULL, -1, 0, &error);
                ck_assert_msg(ok, "%s", error ? error->message : "");
                g_free(whole);
                whole = read_value(group, NULL, CGROUP_CPU, "cpu.cfs_quota_us", "cpu.max");
                ck_assert_str_eq(whole, unified ? "max 100000" : "-1");
        }
        if (cgroup_has(group, CGROUP_CPUSET)) {
                g_autofree char *cpus = NULL;

                ok = cgroup_add_thread(group, "vcpu0", pid, &error) &&
                     cgroup_set_cpus(group, "vcpu0", "0", &error);
                ck_assert_msg(ok, "%s", error ? error->message : "");
                cpus = read_value(group, "vcpu0", CGROUP_CPUSET, "cpuset.cpus", "cpuset.cpus");
                ck_assert_str_eq(cpus, "0");
        }
        if (cgroup_has(group, CGROUP_MEMORY)) {
                g_autofree char *max = NULL;

                ok = cgroup_set_memory_max(group, 64 << 20, &error) &&
                     cgroup_set_memory_soft(group, CGROUP_UNLIMITED, &error) &&
                     cgroup_read_memory(group, &bytes, &error);
                ck_assert_msg(ok, "%s", error ? error->message : "");
                max = read_value(group, NULL, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max");
                ck_assert_str_eq(max, "67108864");
                ck_assert(cgroup_set_memory_max(group, CGROUP_UNLIMITED, &error));
        }
        printf("CGROUP: %s%s:%s%s%s%s\n", group->path, group->unit ? " (scope)" : "",
               cgroup_has(group, CGROUP_CPU) ? " cpu" : "", cgroup_has(group, CGROUP_CPUSET) ? " cpuset" : "",
               cgroup_has(group, CGROUP_MEMORY) ? " memory" : "", cgroup_has(group, CGROUP_IO) ? " io" : "");
}

/* Waits until nothing is left of it, which for a scope is systemd's to see to. */
static void expect_gone(const char *path, const char *unit)
{
        for (unsigned i = 0; i < 3000; i++) {
                struct cgroup *group = cgroup_open(path, unit);

                if (!group)
                        return;
                cgroup_free(group);
                poll(NULL, 0, 10);
        }
        ck_abort_msg("'%s' is still there", path);
}

/* ---- devices ---- */

struct attempt {
        char path[32];
        int flags;
};

/* A process of the group that opens what it is told to, and says how that went: 0 or errno. */
static pid_t enter_to_open(struct cgroup *group, int *to, int *from)
{
        GArray *fds = cgroup_open_fds(group);
        int requests[2], answers[2];
        struct attempt attempt;
        pid_t pid;

        ck_assert_int_eq(pipe2(requests, O_CLOEXEC), 0);
        ck_assert_int_eq(pipe2(answers, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                close(requests[1]);
                for (unsigned i = 0; i < fds->len; i++) {
                        if (write(g_array_index(fds, int, i), "0", 1) < 0)
                                _exit(1);
                }
                while (read(requests[0], &attempt, sizeof(attempt)) == sizeof(attempt)) {
                        int fd = open(attempt.path, attempt.flags | O_CLOEXEC | O_NOCTTY);
                        int failure = fd < 0 ? errno : 0;

                        if (fd >= 0)
                                close(fd);
                        if (write(answers[1], &failure, sizeof(failure)) < 0)
                                _exit(1);
                }
                _exit(0);
        }
        close(requests[0]);
        close(answers[1]);
        *to = requests[1];
        *from = answers[0];
        cgroup_close_fds(fds);
        return pid;
}

static int try_open(int to, int from, const char *path, int flags)
{
        struct attempt attempt = { .flags = flags };
        int failure = -1;

        g_strlcpy(attempt.path, path, sizeof(attempt.path));
        ck_assert_int_eq(write(to, &attempt, sizeof(attempt)), sizeof(attempt));
        ck_assert_int_eq(read(from, &failure, sizeof(failure)), sizeof(failure));
        return failure;
}

static void limit_devices(void *data)
{
        const struct cgroup_device first[] = {
                { .major = 1, .minor = 3, .write = true }, /* null */
                { .major = 1, .minor = 5 },                /* zero */
                { .major = 136, .any_minor = true, .write = true },
        };
        const struct cgroup_device second[] = {
                { .major = 1, .minor = 3 }, { .major = 1, .minor = 7, .write = true }, /* full */
        };
        struct cgroup *group = make(), *found;
        g_autofree char *path = NULL, *unit = NULL;
        g_autoptr(GError) error = NULL;
        int to, from;
        pid_t pid;

        if (!group) {
                loop_post(loop, quit, NULL);
                return;
        }
        path = g_strdup(cgroup_get_path(group));
        unit = g_strdup(cgroup_get_unit(group));
        pid = enter_to_open(group, &to, &from);
        ck_assert_int_eq(try_open(to, from, "/dev/full", O_RDWR), 0);
        cgroup_settle(group);
        if (!cgroup_set_devices(group, first, G_N_ELEMENTS(first), &error)) {
                /* Not root, or in a container. */
                check_skip(error->message);
        } else {
                ck_assert_int_eq(try_open(to, from, "/dev/null", O_RDWR), 0);
                ck_assert_int_eq(try_open(to, from, "/dev/zero", O_RDONLY), 0);
                ck_assert_int_eq(try_open(to, from, "/dev/zero", O_RDWR), EPERM);
                ck_assert_int_eq(try_open(to, from, "/dev/full", O_RDONLY), EPERM);
                ck_assert_int_eq(try_open(to, from, "/proc/self/stat", O_RDONLY), 0);
                /* The next agent goes on. */
                found = cgroup_open(path, unit);
                ck_assert(found);
                for (unsigned i = 0; i < 200; i++)
                        ck_assert_msg(cgroup_set_devices(found, i % 2 ? first : second,
                                                         i % 2 ? G_N_ELEMENTS(first) : G_N_ELEMENTS(second),
                                                         &error),
                                      "%s", error ? error->message : "");
                ck_assert(cgroup_set_devices(found, second, G_N_ELEMENTS(second), &error));
                cgroup_free(found);
                ck_assert_int_eq(try_open(to, from, "/dev/full", O_RDWR), 0);
                ck_assert_int_eq(try_open(to, from, "/dev/null", O_RDONLY), 0);
                ck_assert_int_eq(try_open(to, from, "/dev/null", O_RDWR), EPERM);
                ck_assert_int_eq(try_open(to, from, "/dev/zero", O_RDONLY), EPERM);
                ck_assert(cgroup_set_devices(group, NULL, 0, &error));
                ck_assert_int_eq(try_open(to, from, "/dev/null", O_RDONLY), EPERM);
                printf("CGROUP: devices of %s are limited\n", path);
        }
        close(to);
        close(from);
        leave(pid);
        cgroup_remove(lane, group);
        expect_gone(path, unit);
        loop_post(loop, quit, NULL);
}

START_TEST(test_devices)
{
        run(limit_devices);
}
END_TEST

/* ---- all of it ---- */

static void live(void *data)
{
        struct cgroup *group = make(), *found;
        g_autofree char *path = NULL, *unit = NULL, *text = NULL;
        pid_t pid;

        if (!group) {
                loop_post(loop, quit, NULL);
                return;
        }
        pid = enter(group);
        path = g_strdup(cgroup_get_path(group));
        unit = g_strdup(cgroup_get_unit(group));
        text = read_places(pid);
        ck_assert_msg(strstr(text, path), "'%s' is not in\n%s", path, text);
        ck_assert_int_eq(unit != NULL, systemd_is_booted());
        limit(group, pid);
        cgroup_free(group);
        /* The next agent's. */
        found = cgroup_find(pid);
        ck_assert_msg(found, "not found again");
        ck_assert_str_eq(cgroup_get_path(found), path);
        cgroup_free(found);
        found = cgroup_open(path, unit);
        ck_assert(found);
        leave(pid);
        cgroup_remove(lane, found);
        expect_gone(path, unit);
        loop_post(loop, quit, NULL);
}

START_TEST(test_life)
{
        run(live);
}
END_TEST

START_TEST(test_life_in_partition)
{
        partition = "/machine/virtbus-test";
        run(live);
}
END_TEST

/* Two agents' guests of one name are in two groups, and a process joins afterwards. */
static void live_twice(void *data)
{
        struct cgroup *one = make(), *two = one ? make() : NULL;
        g_autofree char *path = NULL, *unit = NULL, *text = NULL;
        g_autoptr(GError) error = NULL;
        pid_t pid = -1;

        if (!one) {
                loop_post(loop, quit, NULL);
                return;
        }
        ck_assert(two);
        ck_assert_str_ne(cgroup_get_path(one), cgroup_get_path(two));
        pid = fork();
        if (pid == 0) {
                pause();
                _exit(0);
        }
        ck_assert_msg(cgroup_add_process(two, pid, &error), "%s", error ? error->message : "");
        text = read_places(pid);
        path = g_strdup(cgroup_get_path(two));
        unit = g_strdup(cgroup_get_unit(two));
        ck_assert(strstr(text, path));
        cgroup_remove(lane, one);
        leave(pid);
        cgroup_remove(lane, two);
        expect_gone(path, unit);
        loop_post(loop, quit, NULL);
}

START_TEST(test_two_of_a_name)
{
        run(live_twice);
}
END_TEST

/* What another agent is making at this moment, and what has processes, is nobody's to sweep away. */
static void live_beside_a_sweep(void *data)
{
        struct cgroup *young = make(), *used = young ? make() : NULL;
        g_autofree char *text = NULL;
        pid_t pid;

        if (!young) {
                loop_post(loop, quit, NULL);
                return;
        }
        pid = enter(used);
        ck_assert(!cgroup_remove_stale(&young->hierarchies, young->path));
        cgroup_sweep();
        for (unsigned i = 0; !young->unit && i < young->hierarchies.count; i++) {
                g_autofree char *path = hierarchy_path(&young->hierarchies.list[i], young->path, NULL, NULL);

                ck_assert_msg(access(path, F_OK) == 0, "%s", path);
        }
        text = read_places(pid);
        ck_assert(strstr(text, used->path));
        leave(pid);
        cgroup_remove(lane, young);
        cgroup_remove(lane, used);
        loop_post(loop, quit, NULL);
}

START_TEST(test_a_sweep)
{
        run(live_beside_a_sweep);
}
END_TEST

static bool is_there(const char *path, const char *unit)
{
        CLEANUP(cgroup_free) struct cgroup *group = cgroup_open(path, unit);

        return group;
}

/* Who does not leave keeps it for a while; nobody waits who has been interrupted. */
static void live_busy(void *data)
{
        struct cgroup *group = make();
        g_autofree char *path = NULL, *unit = NULL;
        pid_t pid;

        if (!group) {
                loop_post(loop, quit, NULL);
                return;
        }
        path = g_strdup(cgroup_get_path(group));
        unit = g_strdup(cgroup_get_unit(group));
        pid = enter(group);
        cgroup_remove(lane, group);
        ck_assert(is_there(path, unit));
        lane_post_urgent(lane, post_quit, NULL);
        cgroup_remove(lane, cgroup_open(path, unit));
        ck_assert(is_there(path, unit));
        leave(pid);
        lane_shield(lane);
        cgroup_remove(lane, cgroup_open(path, unit));
        expect_gone(path, unit);
}

START_TEST(test_a_busy_group)
{
        run(live_busy);
}
END_TEST

START_TEST(test_without)
{
        g_autoptr(GError) error = NULL;

        ck_assert(!cgroup_has(NULL, CGROUP_CPU));
        ck_assert(!cgroup_require(NULL, CGROUP_CPU, "<shares>", &error));
        ck_assert(error_is(error, ERROR_CONFIG_UNSUPPORTED));
        ck_assert(strstr(error->message, "<shares> needs the control group controller 'cpu'"));
        ck_assert_ptr_null(cgroup_open("/no/such/group", NULL));
        ck_assert_ptr_null(cgroup_open("/../etc", NULL));
        ck_assert_ptr_null(cgroup_find(getpid()));
}
END_TEST

CHECK_MAIN_FIXTURE("cgroup", setup, teardown, test_mounts, test_half_made, test_names, test_partitions,
                   test_life, test_life_in_partition, test_devices, test_two_of_a_name, test_a_sweep,
                   test_a_busy_group, test_without)
