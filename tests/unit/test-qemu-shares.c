/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests of a real QEMU with parts of caches and memory bandwidth of their own. No processor that could be
 * borrowed for tests has resctrl, so its files are made up as the kernel's documentation has them
 * (Documentation/arch/x86/resctrl.rst), and what the kernel does in mkdir() and rmdir() there is done here.
 */
#include "base/error.h"
#include "base/params.h"
#include "drivers/domain/stats.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/shares.h"
#include "tests/support/guard.h"
#include "tests/unit/guest-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FS "/sys/fs/resctrl"

static char *tree;          /* what is the host's root */
static char *groups;        /* its resctrl, with a slash at the end */
static int groups_left = 8; /* that the processor tells apart */

/* ---- the kernel's part ---- */

static void put(const char *dir, const char *name, const char *text)
{
        g_autofree char *path = g_strconcat(dir, "/", name, NULL), *parent = g_path_get_dirname(path);

        ck_assert_int_eq(g_mkdir_with_parents(parent, 0700), 0);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);

/* A new group has all files; here they are empty, so that what is written is all that is in them. */
int __wrap_mkdir(const char *path, mode_t mode)
{
        bool is_ours = groups && g_str_has_prefix(path, groups);
        bool is_monitor = strstr(path, "/mon_groups/") != NULL;
        int result;

        if (is_ours && !is_monitor && groups_left == 0) {
                errno = ENOSPC;
                return -1;
        }
        result = __real_mkdir(path, mode);
        if (result < 0 || !is_ours)
                return result;
        put(path, "tasks", "");
        put(path, "mon_data/mon_L3_00/llc_occupancy", "4096\n");
        put(path, "mon_data/mon_L3_00/mbm_total_bytes", "2\n");
        put(path, "mon_data/mon_L3_00/mbm_local_bytes", "1\n");
        put(path, "mon_data/mon_L3_01/llc_occupancy", "0\n");
        if (!is_monitor) {
                put(path, "schemata", "");
                put(path, "mon_groups/.keep", "");
                groups_left--;
        }
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return S_ISDIR(st->st_mode) ? __real_rmdir(path) : unlink(path);
}

/* A group goes with its files and monitors. */
int __wrap_rmdir(const char *path)
{
        if (!groups || !g_str_has_prefix(path, groups))
                return __real_rmdir(path);
        return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Two caches of 16 MiB, of which the default group has left 12. The host's processes are its own. */
static void make_tree(void)
{
        g_autofree char *cpu = NULL, *proc = NULL;

        if (!has_qemu())
                return;
        tree = g_dir_make_tmp("virtbus-resctrl-XXXXXX", NULL);
        guard_folder(tree);
        cpu = g_strconcat(tree, "/sys/devices/system/cpu", NULL);
        proc = g_strconcat(tree, "/proc", NULL);
        ck_assert_int_eq(symlink("/proc", proc), 0);
        put(cpu, "online", "0-1\n");
        put(cpu, "present", "0-1\n");
        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *bank = g_strdup_printf("%s/cpu%u/cache/index3", cpu, i);

                put(bank, "level", "3\n");
                put(bank, "id", i ? "1\n" : "0\n");
                put(bank, "size", "16384K\n");
                put(bank, "shared_cpu_list", i ? "1\n" : "0\n");
        }
        groups = g_strconcat(tree, FS "/", NULL);
        put(groups, "info/L3/cbm_mask", "ffff\n");
        put(groups, "info/L3/min_cbm_bits", "1\n");
        put(groups, "info/L3/num_closids", "8\n");
        put(groups, "info/MB/bandwidth_gran", "10\n");
        put(groups, "info/MB/min_bandwidth", "10\n");
        put(groups, "info/MB/num_closids", "8\n");
        put(groups, "schemata", "    MB:0=100;1=100\n    L3:0=000f;1=000f\n");
        put(groups, "tasks", "");
        put(groups, "mon_groups/.keep", "");
        host_root = tree;
}

static void remove_tree(void)
{
        if (tree)
                nftw(tree, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(tree);
        g_free(groups);
}

/* ---- looking ---- */

static char *read_file(const char *below)
{
        g_autofree char *path = g_strconcat(groups, below, NULL);
        char *text = NULL;

        ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
        return text;
}

static void expect_text(const char *below, const char *expected)
{
        g_autofree char *text = read_file(below);

        ck_assert_str_eq(text, expected);
}

/* The file has the thread of that vCPU, and others at others' places; numbers end with -1. */
static void expect_vcpus(const char *below, pid_t pid, const int *numbers)
{
        g_autofree char *text = read_file(below);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        unsigned i = 0, n = 0;

        while (numbers[n] >= 0)
                n++;
        ck_assert_msg(g_strv_length(lines) == n + 1, "%s: '%s'", below, text);
        for (; i < n; i++) {
                g_autofree char *comm = g_strdup_printf("/proc/%d/task/%s/comm", (int)pid, lines[i]),
                                *name = NULL, *wanted = g_strdup_printf("CPU %d/*\n", numbers[i]);

                ck_assert_msg(*lines[i] && g_file_get_contents(comm, &name, NULL, NULL), "%s: '%s'", below,
                              text);
                ck_assert_msg(fnmatch(wanted, name, 0) == 0, "%s: %s", below, name);
        }
}

/* Is there nothing but what was there before? */
static bool is_clean(void)
{
        g_autofree char *monitors = g_strconcat(groups, "mon_groups", NULL);
        g_autoptr(GDir) list = g_dir_open(groups, 0, NULL), inner = g_dir_open(monitors, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(list))) {
                if (g_str_has_prefix(name, "qemu-"))
                        return false;
        }
        while ((name = g_dir_read_name(inner))) {
                if (g_str_has_prefix(name, "qemu-"))
                        return false;
        }
        return true;
}

#define VCPUS "<vcpu current='3'>4</vcpu>"
#define TUNES                                                                                                \
        "<cputune>"                                                                                          \
        "<cachetune vcpus='0-1'><cache id='0' level='3' type='both' size='4' unit='MiB'/>"                   \
        "<monitor level='3' vcpus='0-1'/><monitor level='3' vcpus='1'/></cachetune>"                         \
        "<cachetune vcpus='3'><cache id='1' level='3' type='both' size='2' unit='MiB'/></cachetune>"         \
        "<memorytune vcpus='0-1'><node id='1' bandwidth='30'/></memorytune>"                                 \
        "<memorytune vcpus='2'><monitor vcpus='2'/></memorytune></cputune>"

static char *make_path(const struct domain *domain, const char *before, const char *after)
{
        return g_strdup_printf("%sqemu-%d-web-%s", before, domain_get_published(domain)->id, after);
}

START_TEST(a_guest_has_groups_while_it_runs)
{
        g_autofree char *xml = make_xml("web", VCPUS TUNES);
        g_autofree char *group = NULL, *tasks = NULL, *part = NULL, *monitor = NULL, *other = NULL;
        struct domain *domain;
        pid_t pid;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        pid = domain_get_published(domain)->pid;
        group = make_path(domain, "", "vcpus_0-1/schemata");
        tasks = make_path(domain, "", "vcpus_0-1/tasks");
        part = g_strdup_printf("qemu-%d-web-vcpus_0-1/mon_groups/qemu-%d-web-vcpus_1/tasks",
                               domain_get_published(domain)->id, domain_get_published(domain)->id);
        monitor = make_path(domain, "mon_groups/", "vcpus_2/tasks");
        other = make_path(domain, "", "vcpus_3/schemata");
        expect_text(group, "MB:0=100;1=30\nL3:0=f0;1=f\n");
        expect_text(other, "MB:0=100;1=100\nL3:0=f;1=30\n");
        expect_vcpus(tasks, pid, (const int[]){ 0, 1, -1 });
        expect_vcpus(part, pid, (const int[]){ 1, -1 });
        expect_vcpus(monitor, pid, (const int[]){ 2, -1 });
        ck_assert_ptr_nonnull(strstr(domain_get_published(domain)->base.active->xml,
                                     "<memorytune vcpus='2' id='vcpus_2'>"));
        destroy(domain);
        ck_assert(is_clean());
}
END_TEST

START_TEST(a_vcpu_that_comes_joins_its_group)
{
        g_autofree char *xml = make_xml("web", VCPUS TUNES), *tasks = NULL;
        struct result set = { 0 };
        struct domain *domain;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        tasks = make_path(domain, "", "vcpus_3/tasks");
        expect_text(tasks, "");
        domain_set_vcpus(domain, 4, DOMAIN_AFFECT_LIVE, on_done, &set);
        check(&set);
        expect_vcpus(tasks, domain_get_published(domain)->pid, (const int[]){ 3, -1 });
        destroy(domain);
}
END_TEST

/* ---- what they use ---- */

struct told {
        bool done;
        GString *text; /* owned */
};

static void on_stats(const GPtrArray *stats, const GError *error, void *data)
{
        struct told *told = data;
        const struct params *params;

        ck_assert_msg(!error, "%s", error ? error->message : "");
        params = ((const struct domain_stats *)g_ptr_array_index(stats, 0))->params;
        for (unsigned i = 0; i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);

                if (!strstr(param->name, ".monitor."))
                        continue;
                if (param->type == PARAM_STRING)
                        g_string_append_printf(told->text, "%s=%s\n", param->name, param->value.s);
                else if (param->type == PARAM_UINT)
                        g_string_append_printf(told->text, "%s=%u\n", param->name, param->value.u);
                else
                        g_string_append_printf(told->text, "%s=%" G_GUINT64_FORMAT "l\n", param->name,
                                               param->value.t);
        }
        told->done = true;
}

START_TEST(monitors_are_among_the_statistics)
{
        static const char expected[] = "cpu.cache.monitor.count=2\n"
                                       "cpu.cache.monitor.0.name=vcpus_0-1\n"
                                       "cpu.cache.monitor.0.vcpus=0-1\n"
                                       "cpu.cache.monitor.0.bank.count=2\n"
                                       "cpu.cache.monitor.0.bank.0.id=0\n"
                                       "cpu.cache.monitor.0.bank.0.bytes=4096\n"
                                       "cpu.cache.monitor.0.bank.1.id=1\n"
                                       "cpu.cache.monitor.0.bank.1.bytes=0\n"
                                       "cpu.cache.monitor.1.name=vcpus_1\n"
                                       "cpu.cache.monitor.1.vcpus=1\n"
                                       "cpu.cache.monitor.1.bank.count=2\n"
                                       "cpu.cache.monitor.1.bank.0.id=0\n"
                                       "cpu.cache.monitor.1.bank.0.bytes=4096\n"
                                       "cpu.cache.monitor.1.bank.1.id=1\n"
                                       "cpu.cache.monitor.1.bank.1.bytes=0\n"
                                       "memory.bandwidth.monitor.count=1\n"
                                       "memory.bandwidth.monitor.0.name=vcpus_2\n"
                                       "memory.bandwidth.monitor.0.vcpus=2\n"
                                       "memory.bandwidth.monitor.0.node.count=2\n"
                                       "memory.bandwidth.monitor.0.node.0.id=0\n"
                                       "memory.bandwidth.monitor.0.node.0.bytes.total=2l\n"
                                       "memory.bandwidth.monitor.0.node.0.bytes.local=1l\n"
                                       "memory.bandwidth.monitor.0.node.1.id=1\n";
        g_autofree char *xml = make_xml("web", VCPUS TUNES);
        struct told told = { .text = g_string_new(NULL) };
        struct domain *domain;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        domain_get_stats(domain, DOMAIN_STATS_CPU_TOTAL | DOMAIN_STATS_MEMORY, 0, on_stats, &told);
        wait_for(&told.done);
        ck_assert_str_eq(told.text->str, expected);
        g_string_free(told.text, TRUE);
        destroy(domain);
}
END_TEST

/* ---- the next agent ---- */

START_TEST(the_next_agent_removes_them)
{
        g_autofree char *xml = make_xml("web", VCPUS TUNES);
        struct domain *domain;

        if (!has_qemu())
                return;
        create(xml, 0);
        stop_driver();
        start_driver();
        ck_assert(!is_clean());
        domain = domain_lookup_name(driver, "web", NULL);
        ck_assert_ptr_nonnull(domain);
        destroy(domain);
        ck_assert(is_clean());
}
END_TEST

START_TEST(those_of_a_guest_that_ended_meanwhile_go)
{
        g_autofree char *xml = make_xml("web", VCPUS TUNES);
        pid_t pid;

        if (!has_qemu())
                return;
        pid = domain_get_published(create(xml, 0))->pid;
        stop_driver();
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        ck_assert(!is_clean());
        start_driver();
        ck_assert(is_clean());
        ck_assert(is_gone("run/qemu/" UUID));
}
END_TEST

/* A guest that libvirt runs has its groups, as far as they are there. */
START_TEST(what_libvirt_has_made_is_known)
{
        g_autofree char *xml = make_xml("web", VCPUS TUNES);
        struct status *status = status_new();
        struct domain_def *def;

        if (!has_qemu())
                return;
        put(groups, "qemu-7-web-vcpus_0-1/tasks", "");
        put(groups, "mon_groups/qemu-7-web-vcpus_2/tasks", "");
        put(groups, "qemu-8-web-vcpus_3/tasks", "");
        status->id = 7;
        status->name = g_strdup("web");
        def = domain_def_parse_stored(xml, NULL);
        ck_assert_ptr_nonnull(def);
        shares_adopt(status, tree, def);
        ck_assert_uint_eq(status->shares->len, 2);
        ck_assert_str_eq(g_ptr_array_index(status->shares, 0), "qemu-7-web-vcpus_0-1");
        ck_assert_str_eq(g_ptr_array_index(status->shares, 1), "mon_groups/qemu-7-web-vcpus_2");
        domain_def_unref(def);
        status_free(status);
}
END_TEST

/* ---- what does not start ---- */

static void expect_failure(const char *extra, const char *pattern)
{
        g_autofree char *xml = make_xml("web", extra);
        g_autoptr(GError) error = fail_to_create(xml);

        ck_assert_msg(fnmatch(pattern, error->message, 0) == 0, "%s", error->message);
}

START_TEST(a_start_that_fails_leaves_none)
{
        if (!has_qemu())
                return;
        /* The second one has no room. */
        expect_failure(
                "<vcpu>2</vcpu><cputune><cachetune vcpus='0'><cache id='0' level='3' type='both' size='8' "
                "unit='MiB'/></cachetune><cachetune vcpus='1'><cache id='0' level='3' type='both' "
                "size='8' unit='MiB'/></cachetune></cputune>",
                "unsupported configuration: there is no room for 8388608 bytes*");
        ck_assert(is_clean());
        groups_left = 1;
        expect_failure(VCPUS TUNES, "*resctrl has as many groups as the host's processors tell apart");
        ck_assert(is_clean());
        groups_left = 8;
        /* All is made, and the emulator does not want to. */
        expect_failure(VCPUS TUNES
                       "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
                       "<qemu:arg value='-nonsense'/></qemu:commandline>",
                       "*nonsense*");
        ck_assert_int_lt(groups_left, 8);
        ck_assert(is_clean());
}
END_TEST

/* Somebody else's, though its name is ours. */
START_TEST(what_is_there_already_stays)
{
        g_autofree char *mine = NULL;

        if (!has_qemu())
                return;
        for (unsigned id = 1; id < 4; id++) {
                g_autofree char *path = g_strdup_printf("qemu-%u-web-vcpus_0-1/schemata", id);

                put(groups, path, "MB:0=100;1=100\nL3:0=10;1=f\n");
        }
        expect_failure(VCPUS TUNES, "*the group 'qemu-*-web-vcpus_0-1' of resctrl, which is there already*");
        mine = read_file("qemu-1-web-vcpus_0-1/schemata");
}
END_TEST

START_TEST(without_resctrl_they_are_refused_by_name)
{
        g_autofree char *info = NULL, *elsewhere = NULL;
        struct domain *domain;
        g_autofree char *xml = make_xml("web", "<vcpu>2</vcpu><cputune><cachetune vcpus='0'/></cputune>");

        if (!has_qemu())
                return;
        info = g_strconcat(groups, "info", NULL);
        elsewhere = g_strconcat(tree, "/elsewhere", NULL);
        ck_assert_int_eq(rename(info, elsewhere), 0);
        expect_failure(VCPUS TUNES, "unsupported configuration: domain 'web': <cachetune> of <cputune> needs "
                                    "the kernel's resctrl, which is not mounted on /sys/fs/resctrl*");
        expect_failure("<cputune><memorytune vcpus='0'><monitor vcpus='0'/></memorytune></cputune>",
                       "unsupported configuration: domain 'web': <memorytune> of <cputune> needs *");
        /* This one asks for nothing. */
        domain = create(xml, 0);
        destroy(domain);
}
END_TEST

static bool is_noted(void)
{
        g_autofree char *path = g_build_filename(root, "run/qemu/" UUID "/status.xml", NULL), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, "<resctrl path=");
}

/* Who has locked resctrl is waited for; a Destroy ends that. */
START_TEST(a_lock_that_is_kept_is_waited_for)
{
        g_autofree char *xml = make_xml("web", VCPUS TUNES);
        struct result defined = { 0 }, created = { 0 }, destroyed = { 0 };
        int fd;

        if (!has_qemu())
                return;
        fd = open(groups, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(flock(fd, LOCK_EX), 0);
        domain_define_xml(driver, xml, 0, on_queued, on_done, &defined);
        check(&defined);
        domain_create(defined.domain, 0, NULL, on_done, &created);
        while (!is_noted())
                loop_step(loop, false);
        domain_destroy(defined.domain, 0, on_done, &destroyed);
        wait_for(&created.done);
        ck_assert_ptr_nonnull(created.error);
        ck_assert_msg(
                fnmatch("*cannot lock '*', which somebody else has locked", created.error->message, 0) == 0,
                "%s", created.error->message);
        wait_for(&destroyed.done);
        ck_assert(is_clean());
        close(fd);
        g_clear_error(&created.error);
        g_clear_error(&destroyed.error);
        created = (struct result){ 0 };
        domain_create(defined.domain, 0, NULL, on_done, &created);
        check(&created);
        ck_assert(!is_clean());
        destroy(defined.domain);
}
END_TEST

int main(void)
{
        TCase *cases = tcase_create("shares");

        tcase_add_checked_fixture(cases, make_tree, remove_tree);
        tcase_add_test(cases, a_guest_has_groups_while_it_runs);
        tcase_add_test(cases, a_vcpu_that_comes_joins_its_group);
        tcase_add_test(cases, monitors_are_among_the_statistics);
        tcase_add_test(cases, the_next_agent_removes_them);
        tcase_add_test(cases, those_of_a_guest_that_ended_meanwhile_go);
        tcase_add_test(cases, what_libvirt_has_made_is_known);
        tcase_add_test(cases, a_start_that_fails_leaves_none);
        tcase_add_test(cases, what_is_there_already_stays);
        tcase_add_test(cases, without_resctrl_they_are_refused_by_name);
        tcase_add_test(cases, a_lock_that_is_kept_is_waited_for);
        return run_guests(cases, "qemu-shares");
}
