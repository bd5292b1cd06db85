/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Statistics of guests: counters of a Linux that uses its disks and its network, and what is told of guests
 * that do not answer.
 */

#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/stats.h"

#define BALLOON "<memballoon model='none'/>"

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

/* Without waiting for QEMU a read takes milliseconds even under sanitizers; with it, five seconds. */
#define AT_ONCE_US (2 * G_USEC_PER_SEC)

/* ---- a guest that works ---- */

static bool has_taps(void)
{
        return geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0;
}

/* Disks (one on top of another image, one without a medium), an I/O thread, a balloon, and, where it can be,
 * a tap. */
static char *busy_xml(const char *console, const char *top, const char *raw)
{
        g_autofree char *bare = guest_linux_xml("busy", console, "network");
        g_auto(GStrv) parts = g_strsplit(bare, BALLOON, 2);
        g_autofree char *devices = g_strdup_printf(
                "<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s'/>"
                "<target dev='vda' bus='virtio'/></disk>"
                "<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
                "<target dev='vdb' bus='virtio'/></disk>"
                "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>%s"
                "<memballoon model='virtio'><stats period='1'/></memballoon>",
                top, raw,
                has_taps() ? "<interface type='bridge'><source bridge='br-stats'/><model type='virtio'/>"
                             "</interface>"
                           : "");
        g_autofree char *whole = g_strjoinv(devices, parts);
        g_auto(GStrv) vcpus = g_strsplit(whole, "<vcpu>1</vcpu>", 2);

        return g_strjoinv("<vcpu>2</vcpu><iothreads>1</iothreads>", vcpus);
}

static char *start_busy(void)
{
        g_autofree char *console = harness_path(harness, "console"), *base = harness_path(harness, "base");
        g_autofree char *top = harness_path(harness, "top"), *raw = harness_path(harness, "raw");
        char *path;

        harness_run("qemu-img create -q -f qcow2 '%s' 64M", base);
        harness_run("qemu-img create -q -f qcow2 -b '%s' -F qcow2 '%s'", base, top);
        harness_run("truncate -s 10M '%s'", raw);
        if (has_taps())
                harness_run("ip link add br-stats type bridge && ip link set br-stats up");
        path = guest_start(client, busy_xml(console, top, raw));
        guest_wait_console(console, "virtbus-guest: ready");
        return path;
}

static void end_busy(const char *path)
{
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", 0);
        if (has_taps())
                harness_run("ip link del br-stats");
}

struct growth {
        const char *path, *name;
        uint64_t above;
};

static bool has_grown(void *data)
{
        const struct growth *growth = data;
        g_autoptr(GHashTable) stats = stats_get(client, growth->path, 0, 0);

        return stats_has(stats, growth->name) && stats_get_number(stats, growth->name) > growth->above;
}

static void wait_growth(const char *path, const char *name, uint64_t above)
{
        struct growth growth = { path, name, above };

        harness_wait_until(has_grown, &growth, name);
}

/* Names and types as the documentation of virConnectGetAllDomainStats() has them. */
static void expect_types(GHashTable *stats)
{
        static const char *const names[] = {
                "i state.state",
                "i state.reason",
                "t cpu.time",
                "t cpu.user",
                "t cpu.system",
                "t balloon.current",
                "t balloon.maximum",
                "t balloon.rss",
                "t balloon.unused",
                "t balloon.available",
                "t balloon.usable",
                "t balloon.swap_in",
                "t balloon.major_fault",
                "t balloon.last-update",
                "u vcpu.current",
                "u vcpu.maximum",
                "i vcpu.0.state",
                "t vcpu.0.time",
                "i vcpu.1.state",
                "t vcpu.1.time",
                "u net.count",
                "u block.count",
                "s block.0.name",
                "s block.0.path",
                "u block.0.backingIndex",
                "t block.0.rd.reqs",
                "t block.0.rd.bytes",
                "t block.0.rd.times",
                "t block.0.wr.reqs",
                "t block.0.wr.bytes",
                "t block.0.wr.times",
                "t block.0.fl.reqs",
                "t block.0.fl.times",
                "t block.0.allocation",
                "t block.0.capacity",
                "t block.0.physical",
                "t block.2.rd.reqs",
                "u iothread.count",
                "t iothread.1.poll-max-ns",
                "u iothread.1.poll-grow",
                "u iothread.1.poll-shrink",
                "i dirtyrate.calc_status",
                "x dirtyrate.calc_start_time",
                "i dirtyrate.calc_period",
                "s dirtyrate.calc_mode",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                stats_expect_type(stats, names[i] + 2, *names[i]);
        /* proc_pid_schedstat(5) */
        if (access("/proc/self/schedstat", F_OK) == 0)
                stats_expect_type(stats, "vcpu.1.delay", 't');
}

static void check_disk(const char *path, GHashTable *before)
{
        int64_t reads, read_bytes, all_reads, ignored;
        uint64_t capacity, allocation, physical;
        g_autoptr(sd_bus_message) one = client_call(client, path, DOMAIN_INTERFACE, "BlockStats", "s", "vda");
        g_autoptr(sd_bus_message) all = client_call(client, path, DOMAIN_INTERFACE, "BlockStats", "s", "");
        g_autoptr(sd_bus_message) info =
                client_call(client, path, DOMAIN_INTERFACE, "GetBlockInfo", "su", "vda", 0);
        g_autoptr(sd_bus_message) errors =
                client_call(client, path, DOMAIN_INTERFACE, "GetDiskErrors", "u", 0);

        ck_assert_int_gt(
                sd_bus_message_read(one, "(xxxxx)", &reads, &read_bytes, &ignored, &ignored, &ignored), 0);
        ck_assert_uint_ge(reads, stats_get_number(before, "block.0.rd.reqs"));
        ck_assert_uint_ge(read_bytes, stats_get_number(before, "block.0.rd.bytes"));
        ck_assert_int_eq(ignored, -1);
        ck_assert_int_gt(
                sd_bus_message_read(all, "(xxxxx)", &all_reads, &ignored, &ignored, &ignored, &ignored), 0);
        ck_assert_int_gt(all_reads, reads);
        ck_assert_int_gt(sd_bus_message_read(info, "(ttt)", &capacity, &allocation, &physical), 0);
        ck_assert_uint_eq(capacity, 64 << 20);
        ck_assert_uint_gt(allocation, 0);
        ck_assert_uint_gt(physical, 0);
        ck_assert_int_gt(sd_bus_message_enter_container(errors, 'a', "(si)"), 0);
        ck_assert_int_gt(sd_bus_message_at_end(errors, false), 0);
}

static void check_cpus(const char *path, GHashTable *before)
{
        g_autoptr(sd_bus_message) total =
                client_call(client, path, DOMAIN_INTERFACE, "GetCPUStats", "iuu", -1, 1, 0);
        g_autoptr(sd_bus_message) vcpus = client_call(client, path, DOMAIN_INTERFACE, "GetVcpuInfo", NULL);
        g_autoptr(GHashTable) stats = NULL;
        unsigned count = 0;

        ck_assert_int_gt(sd_bus_message_enter_container(total, 'a', "a{sv}"), 0);
        stats = stats_read(total);
        ck_assert_uint_ge(stats_get_number(stats, "cpu_time"), stats_get_number(before, "cpu.time"));
        stats_expect_type(stats, "user_time", 't');
        stats_expect_type(stats, "system_time", 't');
        ck_assert_int_gt(sd_bus_message_enter_container(vcpus, 'a', "(uitiab)"), 0);
        while (sd_bus_message_enter_container(vcpus, 'r', "uitiab") > 0) {
                unsigned number, usable = 0;
                int state, cpu, may_use;
                uint64_t time_ns;

                ck_assert_int_gt(sd_bus_message_read(vcpus, "uiti", &number, &state, &time_ns, &cpu), 0);
                ck_assert_uint_eq(number, count++);
                ck_assert_int_eq(state, 1);
                ck_assert_int_ge(cpu, 0);
                ck_assert_int_gt(sd_bus_message_enter_container(vcpus, 'a', "b"), 0);
                while (sd_bus_message_read(vcpus, "b", &may_use) > 0)
                        usable += may_use;
                ck_assert_uint_gt(usable, 0);
                ck_assert_int_ge(sd_bus_message_exit_container(vcpus), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(vcpus), 0);
        }
        ck_assert_uint_eq(count, 2);
}

static void check_memory(const char *path)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "MemoryStats", "u", 0);
        unsigned tags = 0;
        uint64_t value;
        int tag;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{it}"), 0);
        while (sd_bus_message_read(reply, "{it}", &tag, &value) > 0)
                tags |= 1u << tag;
        /* unused, available, actual, RSS, usable */
        ck_assert_uint_eq(tags & 0x1f0, 0x1f0);
}

static void check_interface(const char *path, GHashTable *before)
{
        const char *name = g_hash_table_lookup(before, "net.0.name");
        g_autoptr(sd_bus_message) reply = NULL;
        int64_t rx[4], tx[4];

        stats_expect(before, "net.count", "u:1");
        ck_assert_ptr_nonnull(name);
        reply = client_call(client, path, DOMAIN_INTERFACE, "InterfaceStats", "s", name + 2);
        ck_assert_int_gt(sd_bus_message_read(reply, "(xxxxxxxx)", &rx[0], &rx[1], &rx[2], &rx[3], &tx[0],
                                             &tx[1], &tx[2], &tx[3]),
                         0);
        ck_assert_uint_ge(tx[0], stats_get_number(before, "net.0.tx.bytes"));
        client_fails(client, LIBVIRT_ERROR, "invalid argument*no interface 'vnet999'*", path,
                     DOMAIN_INTERFACE, "InterfaceStats", "s", "vnet999");
}

START_TEST(test_counters_grow)
{
        g_autofree char *path = start_busy();
        g_autoptr(GHashTable) first = stats_get(client, path, 0, 0), second = NULL, chain = NULL;

        wait_growth(path, "cpu.time", stats_get_number(first, "cpu.time"));
        wait_growth(path, "vcpu.0.time", 0);
        wait_growth(path, "block.0.rd.reqs", 0);
        wait_growth(path, "block.1.rd.bytes", 0);
        wait_growth(path, "balloon.unused", 0);
        /* The guest asks for an address. */
        if (has_taps())
                wait_growth(path, "net.0.tx.bytes", 0);
        second = stats_get(client, path, 0, 0);
        expect_types(second);
        stats_expect(second, "block.count", "u:3");
        stats_expect(second, "block.0.capacity", "t:67108864");
        stats_expect(second, "block.1.capacity", "t:10485760");
        stats_expect(second, "block.2.path", NULL);
        stats_expect(second, "iothread.count", "u:1");
        chain = stats_get(client, path, STATS_BLOCK, STATS_BACKING);
        stats_expect(chain, "block.count", "u:4");
        stats_expect(chain, "block.1.name", "s:vda");
        stats_expect(chain, "block.1.rd.reqs", NULL);
        stats_expect(chain, "block.1.capacity", "t:67108864");
        check_disk(path, second);
        check_cpus(path, second);
        check_memory(path);
        if (has_taps())
                check_interface(path, second);
        end_busy(path);
}
END_TEST

/* ---- what KVM counts ---- */

/* Does the kernel tell emulators of it? KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD (linux/kvm.h) */
static bool has_kvm_counters(void)
{
        int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
        bool has = fd >= 0 && ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD) > 0;

        if (fd >= 0)
                close(fd);
        return has && strcmp(guest_get_type(), "kvm") == 0;
}

static unsigned count_with_prefix(GHashTable *stats, const char *prefix)
{
        GHashTableIter iter;
        const char *name;
        unsigned count = 0;

        g_hash_table_iter_init(&iter, stats);
        while (g_hash_table_iter_next(&iter, (void **)&name, NULL))
                count += g_str_has_prefix(name, prefix);
        return count;
}

/* From here on it is told of by this answer at least. */
static bool is_counted(void *data)
{
        g_autoptr(GHashTable) stats = stats_get(client, data, STATS_VM, 0);

        return g_hash_table_size(stats) > 0;
}

START_TEST(test_what_kvm_counts)
{
        g_autofree char *xml = guest_bare_xml("kvm", NULL), *path = NULL, *metrics = NULL;
        g_auto(GStrv) parts = g_strsplit(xml, "<vcpu>1</vcpu>", 2);
        g_autoptr(GHashTable) all = NULL, vm = NULL, cpu = NULL;

        path = guest_start(client, g_strconcat(parts[0], "<vcpu>2</vcpu>", parts[1], NULL));
        if (has_kvm_counters())
                harness_wait_until(is_counted, path, "an answer");
        vm = stats_get(client, path, STATS_VM, STATS_ENFORCE);
        cpu = stats_get(client, path, STATS_CPU_TOTAL, 0);
        if (!has_kvm_counters()) {
                ck_assert_uint_eq(g_hash_table_size(vm), 0);
                stats_expect(cpu, "cpu.haltpoll.fail.time", NULL);
                return;
        }
        ck_assert_uint_eq(g_hash_table_size(vm), count_with_prefix(vm, "vm."));
        stats_expect_type(cpu, "cpu.haltpoll.success.time", 't');
        stats_expect_type(cpu, "cpu.haltpoll.fail.time", 't');
        ck_assert_uint_eq(count_with_prefix(cpu, "vcpu."), 0);
        wait_growth(path, "vcpu.0.exits.sum", 0);
        wait_growth(path, "vcpu.1.exits.sum", 0);
        all = stats_get(client, path, 0, 0);
        stats_expect_type(all, "vcpu.1.guest_mode.cur", 'b');
        ck_assert_uint_gt(count_with_prefix(all, "vm."), 0);
        metrics = client_call_string(client, QEMU_PATH, "org.virtbus.Statistics", "GetMetrics", "u",
                                     STATS_CPU_TOTAL);
        ck_assert_msg(strstr(metrics, "virtbus_domain_cpu_haltpoll_fail_seconds_total{"), "%s", metrics);
}
END_TEST

/* ---- what guests are asked ---- */

static unsigned count_asked(const char *suffix, const char *command)
{
        g_autofree char *quoted = g_strdup_printf("\"%s\"", command);

        return guest_count_told(harness, suffix, quoted);
}

/* It has answered all that it was asked by this call. */
static bool is_told(void *data)
{
        g_autoptr(GHashTable) stats = stats_get(client, data, 0, 0);
        GHashTableIter iter;
        const char *name;
        bool is_old = false;

        g_hash_table_iter_init(&iter, stats);
        while (g_hash_table_iter_next(&iter, (void **)&name, NULL))
                is_old |= g_str_has_suffix(name, ".age");
        return !is_old && stats_has(stats, "block.0.rd.reqs") && stats_has(stats, "dirtyrate.calc_status") &&
               (!has_kvm_counters() || count_with_prefix(stats, "vcpu.0.exits") > 0);
}

/* What counts is asked for in each call, what stays as it is once: each byte of a command costs an emulator.
 */
START_TEST(test_what_guests_are_asked)
{
        static const char *const once[] = { "query-dirty-rate", "query-cpus-fast", "query-stats-schemas" };
        static const char drive[] = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>";
        g_autofree char *image = harness_path(harness, "image"), *disk = NULL, *empty = NULL, *full = NULL;
        g_autofree char *top = harness_path(harness, "top"), *upper = NULL, *layered = NULL;
        unsigned before[G_N_ELEMENTS(once)], blocks, counters;

        harness_run("truncate -s 1M '%s'", image);
        disk = g_strdup_printf("<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
                               "<target dev='vda' bus='virtio'/></disk>",
                               image);
        empty = guest_start(client, guest_logged_xml("empty", drive));
        full = guest_start(client, guest_logged_xml("full", disk));
        harness_wait_until(is_told, empty, "answers");
        for (unsigned i = 0; i < G_N_ELEMENTS(once); i++)
                before[i] = count_asked("empty", once[i]);
        ck_assert_uint_eq(before[0], 1);
        blocks = count_asked("empty", "query-blockstats");
        counters = count_asked("empty", "query-stats");
        harness_wait_until(is_told, empty, "answers again");
        for (unsigned i = 0; i < G_N_ELEMENTS(once); i++)
                ck_assert_uint_eq(count_asked("empty", once[i]), before[i]);
        ck_assert_uint_gt(count_asked("empty", "query-blockstats"), blocks);
        ck_assert_uint_eq(count_asked("empty", "query-named-block-nodes"), 0);
        if (has_kvm_counters())
                ck_assert_uint_gt(count_asked("empty", "query-stats"), counters);
        /* Groups that have nothing of them. */
        counters = count_asked("empty", "query-stats");
        g_hash_table_unref(stats_get(client, empty, STATS_STATE | STATS_BALLOON | STATS_BLOCK, 0));
        ck_assert_uint_eq(count_asked("empty", "query-stats"), counters);
        /* Counters of a disk are told without its sizes. */
        client_do(client, full, DOMAIN_INTERFACE, "BlockStats", "s", "vda");
        ck_assert_uint_eq(count_asked("full", "query-named-block-nodes"), 0);
        harness_wait_until(is_told, full, "answers");
        ck_assert_uint_gt(count_asked("full", "query-named-block-nodes"), 0);
        ck_assert_uint_eq(count_asked("full", "flat"), 0);
        /* An image below another is to be told of once. */
        harness_run("qemu-img create -q -f qcow2 -b '%s' -F raw '%s'", image, top);
        upper = g_strdup_printf("<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s'/>"
                                "<target dev='vda' bus='virtio'/></disk>",
                                top);
        guest_do_flags(client, full, "Destroy", 0);
        layered = guest_start(client, guest_logged_xml("layered", upper));
        harness_wait_until(is_told, layered, "answers");
        ck_assert_uint_gt(count_asked("layered", "flat"), 0);
}
END_TEST

/* ---- guests that do not answer ---- */

static char *start_with_disk(const char *name, const char *suffix)
{
        g_autofree char *whole = g_strconcat(name, suffix, NULL);
        g_autofree char *image = harness_path(harness, whole);
        g_autofree char *disk = g_strdup_printf("<disk type='file'><driver name='qemu' type='raw'/><source "
                                                "file='%s'/><target dev='vda' bus='virtio'/></disk>",
                                                image);

        harness_run("truncate -s 1M '%s'", image);
        return guest_start(client, guest_bare_xml(whole, disk));
}

static bool is_fresh(void *data)
{
        g_autoptr(GHashTable) stats = stats_get(client, data, STATS_BLOCK, 0);

        return stats_has(stats, "block.0.rd.reqs") && !stats_has(stats, "block.age");
}

static void stop_guest(const char *name)
{
        pid_t pid = harness_find_guest(harness, name);

        ck_assert_int_gt(pid, 0);
        ck_assert_int_eq(kill(pid, SIGSTOP), 0);
}

static unsigned get_control(const char *path)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "GetControlInfo", "u", 0);
        unsigned state, details;
        uint64_t since_ms;

        ck_assert_int_gt(sd_bus_message_read(reply, "(uut)", &state, &details, &since_ms), 0);
        return state;
}

static bool is_idle(void *data)
{
        return get_control(data) == 0;
}

/* Do monitoring systems see that what they are told of disks is old? */
static bool has_old_metrics(void)
{
        g_autofree char *text = client_call_string(client, QEMU_PATH, "org.virtbus.Statistics", "GetMetrics",
                                                   "u", STATS_BLOCK);

        ck_assert_msg(strstr(text, "virtbus_domain_block_reads_total{"), "%s", text);
        return strstr(text, "\nvirtbus_domain_block_age_seconds{") != NULL;
}

static bool has_fresh_metrics(void *data)
{
        return !has_old_metrics();
}

START_TEST(test_of_a_guest_that_hangs)
{
        g_autofree char *path = start_with_disk("web", "");
        pid_t pid = harness_find_guest(harness, "web");
        g_autoptr(GHashTable) stats = NULL;

        harness_wait_until(is_fresh, path, "an answer");
        ck_assert_uint_eq(get_control(path), 0);
        harness_wait_until(has_fresh_metrics, NULL, "metrics of an answer");
        stop_guest("web");
        stats = stats_get(client, path, 0, 0);
        stats_expect(stats, "state.state", "i:1");
        stats_expect(stats, "block.0.capacity", "t:1048576");
        stats_expect_type(stats, "block.0.rd.reqs", 't');
        stats_expect_type(stats, "block.age", 't');
        stats_expect_type(stats, "cpu.time", 't');
        client_do(client, path, DOMAIN_INTERFACE, "BlockStats", "s", "vda");
        ck_assert_uint_eq(get_control(path), 2);
        ck_assert(has_old_metrics());
        kill(pid, SIGCONT);
        harness_wait_until(is_fresh, path, "an answer of the guest that goes on");
        harness_wait_until(is_idle, path, "its answers to all questions");
}
END_TEST

/* Ten that have never said anything, among one that answers: all are told of, and none is waited for. */
START_TEST(test_of_many_that_hang)
{
        enum { HUNG = 10 };
        g_autofree char *healthy = start_with_disk("healthy", "");
        g_autoptr(GHashTable) all = NULL;
        char *paths[HUNG];
        int64_t started_us;

        for (unsigned i = 0; i < HUNG; i++) {
                g_autofree char *suffix = g_strdup_printf("-%u.", i);
                g_autofree char *name = g_strconcat("hung", suffix, NULL);

                paths[i] = start_with_disk("hung", suffix);
                stop_guest(name);
        }
        harness_wait_until(is_fresh, healthy, "an answer of the healthy guest");
        started_us = g_get_monotonic_time();
        all = stats_get_all(client, QEMU_PATH, 0, 0);
        ck_assert_int_lt(g_get_monotonic_time() - started_us, AT_ONCE_US);
        ck_assert_int_eq(g_hash_table_size(all), HUNG + 1);
        stats_expect_type(g_hash_table_lookup(all, "healthy"), "block.0.rd.reqs", 't');
        for (unsigned i = 0; i < HUNG; i++) {
                g_autofree char *name = g_strdup_printf("hung-%u.", i);
                GHashTable *stats = g_hash_table_lookup(all, name);

                stats_expect(stats, "state.state", "i:1");
                stats_expect(stats, "block.count", "u:1");
                stats_expect(stats, "block.0.name", "s:vda");
                stats_expect(stats, "block.0.rd.reqs", NULL);
                stats_expect_type(stats, "cpu.time", 't');
                stats_expect(stats, "vcpu.current", "u:1");
                guest_do_flags(client, paths[i], "Destroy", 0);
                g_free(paths[i]);
        }
}
END_TEST

START_TEST(test_a_disk_of_a_guest_that_hangs)
{
        g_autofree char *path = start_with_disk("web", "");

        stop_guest("web");
        client_fails(client, LIBVIRT_ERROR, "Timed out during operation*'web' does not answer", path,
                     DOMAIN_INTERFACE, "BlockStats", "s", "vda");
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Create", 0);
        harness_wait_until(is_fresh, path, "an answer of the next guest");
}
END_TEST

/* The guest ends while it is asked: whoever asks is told so, and nobody waits. */
START_TEST(test_of_a_guest_that_ends)
{
        g_autofree char *path = start_with_disk("web", "");
        struct client_answer disks[20] = { 0 }, stats = { 0 };
        pid_t pid;

        stop_guest("web");
        pid = harness_find_guest(harness, "web");
        for (unsigned i = 0; i < G_N_ELEMENTS(disks); i++) {
                client_send(client, &disks[i], path, DOMAIN_INTERFACE, "BlockStats", "s", "vda");
                if (i == 2)
                        client_send(client, &stats, path, DOMAIN_INTERFACE, "GetStats", "uu", 0, 0);
                if (i == 4)
                        kill(pid, SIGKILL);
        }
        client_wait_answer(client, &stats);
        ck_assert_ptr_null(stats.error);
        for (unsigned i = 0; i < G_N_ELEMENTS(disks); i++) {
                client_wait_answer(client, &disks[i]);
                ck_assert_ptr_nonnull(disks[i].error);
                ck_assert_msg(g_str_has_suffix(disks[i].error, "domain 'web' is not running"), "%u: %s", i,
                              disks[i].error);
                g_free(disks[i].error);
        }
}
END_TEST

START_TEST(test_after_a_takeover)
{
        g_autofree char *path = start_with_disk("web", "");

        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        harness_wait_until(is_fresh, path, "an answer to the next agent");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("stats");
        TCase *test_case = tcase_create("stats");

        tcase_add_checked_fixture(test_case, set_up, tear_down);
        tcase_add_test(test_case, test_counters_grow);
        tcase_add_test(test_case, test_what_kvm_counts);
        tcase_add_test(test_case, test_what_guests_are_asked);
        tcase_add_test(test_case, test_of_a_guest_that_hangs);
        tcase_add_test(test_case, test_of_many_that_hang);
        tcase_add_test(test_case, test_a_disk_of_a_guest_that_hangs);
        tcase_add_loop_test(test_case, test_of_a_guest_that_ends, 0, 20);
        tcase_add_test(test_case, test_after_a_takeover);
        suite_add_tcase(suite, test_case);
        return harness_main(suite);
}
