/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Statistics on the Test connection, with the numbers that tools know from test:///default, and of domains of
 * QEMU that are off.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/stats.h"

#define DEFAULT TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"

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

START_TEST(test_all_groups)
{
        g_autoptr(GHashTable) stats = stats_get(client, DEFAULT, 0, 0);

        stats_expect(stats, "state.state", "i:1");
        stats_expect(stats, "state.reason", "i:0");
        stats_expect(stats, "cpu.time", "t:48772617035");
        stats_expect(stats, "cpu.user", "t:5540000000");
        stats_expect(stats, "cpu.system", "t:6460000000");
        stats_expect(stats, "balloon.current", "t:2097152");
        stats_expect(stats, "balloon.maximum", "t:8388608");
        stats_expect(stats, "balloon.unused", "t:1048576");
        stats_expect(stats, "balloon.rss", "t:1048576");
        stats_expect(stats, "vcpu.current", "u:2");
        stats_expect(stats, "vcpu.maximum", "u:2");
        stats_expect(stats, "vcpu.1.state", "i:1");
        stats_expect_type(stats, "vcpu.1.time", 't');
        stats_expect(stats, "net.count", "u:1");
        stats_expect(stats, "net.0.name", "s:testnet0");
        stats_expect_type(stats, "net.0.rx.bytes", 't');
        stats_expect(stats, "block.count", "u:1");
        stats_expect(stats, "block.0.name", "s:vda");
        stats_expect(stats, "block.0.path", "s:/guest/diskimage1");
        stats_expect(stats, "block.0.capacity", "t:1099506450432");
        stats_expect_type(stats, "block.0.rd.reqs", 't');
        ck_assert(!stats_has(stats, "block.age"));
}
END_TEST

static const char *get_group(const char *name)
{
        static const char *const groups[] = { "state.", "cpu.", "balloon.", "vcpu.", "net.", "block." };

        for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++)
                if (g_str_has_prefix(name, groups[i]))
                        return groups[i];
        ck_abort_msg("%s is of no group", name);
}

START_TEST(test_groups_that_are_asked_for)
{
        static const struct {
                unsigned group;
                const char *prefix; /* NULL: nothing */
        } groups[] = {
                { STATS_STATE, "state." }, { STATS_CPU_TOTAL, "cpu." }, { STATS_BALLOON, "balloon." },
                { STATS_VCPU, "vcpu." },   { STATS_INTERFACE, "net." }, { STATS_BLOCK, "block." },
                { STATS_PERF, NULL },      { STATS_IOTHREAD, NULL },    { STATS_MEMORY, NULL },
                { STATS_DIRTYRATE, NULL }, { STATS_VM, NULL },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++) {
                g_autoptr(GHashTable) stats = stats_get(client, DEFAULT, groups[i].group, STATS_ENFORCE);
                g_autofree char **names = (char **)g_hash_table_get_keys_as_array(stats, NULL);

                ck_assert((g_hash_table_size(stats) > 0) == (groups[i].prefix != NULL));
                for (unsigned j = 0; names[j]; j++)
                        ck_assert_str_eq(get_group(names[j]), groups[i].prefix);
        }
}
END_TEST

START_TEST(test_what_is_not_known)
{
        g_autoptr(GHashTable) stats = stats_get(client, DEFAULT, 1u << 20, 0);

        ck_assert_int_eq(g_hash_table_size(stats), 0);
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: *0x100000*", DEFAULT,
                     DOMAIN_INTERFACE, "GetStats", "uu", 1u << 20, STATS_ENFORCE);
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: *0x100000*", TEST_PATH,
                     CONNECT_INTERFACE, "GetAllDomainStats", "uu", 1u << 20, STATS_ENFORCE);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*", DEFAULT, DOMAIN_INTERFACE,
                     "GetStats", "uu", 0, 1);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x100)*", TEST_PATH, CONNECT_INTERFACE,
                     "GetAllDomainStats", "uu", 0, 256);
}
END_TEST

static unsigned count_all(unsigned flags)
{
        g_autoptr(GHashTable) all = stats_get_all(client, TEST_PATH, STATS_STATE, flags);

        return g_hash_table_size(all);
}

START_TEST(test_of_all_domains)
{
        enum { ACTIVE = 1, INACTIVE = 2, TRANSIENT = 8, RUNNING = 16, PAUSED = 32 };
        g_autofree char *xml = guest_test_xml("off", NULL);
        g_autofree char *off =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        g_autoptr(GHashTable) all = stats_get_all(client, TEST_PATH, 0, STATS_BACKING | STATS_NOWAIT);
        GHashTable *stats = g_hash_table_lookup(all, "off");

        ck_assert_int_eq(g_hash_table_size(all), 2);
        ck_assert_ptr_nonnull(g_hash_table_lookup(all, "test"));
        ck_assert_ptr_nonnull(stats);
        stats_expect(stats, "state.state", "i:5");
        stats_expect(stats, "cpu.time", NULL);
        stats_expect(stats, "net.count", NULL);
        stats_expect(stats, "block.count", "u:0");
        ck_assert_int_eq(count_all(ACTIVE), 1);
        ck_assert_int_eq(count_all(INACTIVE), 1);
        ck_assert_int_eq(count_all(TRANSIENT), 0);
        ck_assert_int_eq(count_all(RUNNING | INACTIVE), 0);
        ck_assert_int_eq(count_all(RUNNING | PAUSED), 1);
}
END_TEST

START_TEST(test_of_nobody)
{
        enum { TRANSIENT = 8 };
        g_autoptr(GHashTable) all = stats_get_all(client, QEMU_PATH, 0, TRANSIENT);

        ck_assert_int_eq(g_hash_table_size(all), 0);
}
END_TEST

/* Reads a reply of one struct. */
static void read_reply(sd_bus_message *reply, const char *types, ...)
{
        va_list args;

        va_start(args, types);
        ck_assert_int_gt(sd_bus_message_readv(reply, types, args), 0);
        va_end(args);
}

START_TEST(test_memory)
{
        static const struct {
                int tag;
                uint64_t value;
        } known[] = { { 0, 0 },       { 4, 1048576 },   { 5, 2097152 }, { 6, 2097152 },
                      { 7, 1048576 }, { 9, 627319920 }, { 10, 262144 } };
        g_autoptr(sd_bus_message) reply =
                client_call(client, DEFAULT, DOMAIN_INTERFACE, "MemoryStats", "u", 0);
        unsigned found = 0, count = 0;
        uint64_t value;
        int tag;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{it}"), 0);
        for (; sd_bus_message_read(reply, "{it}", &tag, &value) > 0; count++) {
                for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
                        found += known[i].tag == tag && known[i].value == value;
        }
        ck_assert_int_eq(found, G_N_ELEMENTS(known));
        ck_assert_int_eq(count, 13);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*", DEFAULT, DOMAIN_INTERFACE,
                     "MemoryStats", "u", 1);
}
END_TEST

START_TEST(test_a_disk)
{
        int64_t reads, read_bytes, writes, written_bytes, errors;
        uint64_t capacity, allocation, physical;
        g_autoptr(sd_bus_message) counters =
                client_call(client, DEFAULT, DOMAIN_INTERFACE, "BlockStats", "s", "vda");
        g_autoptr(sd_bus_message) sizes =
                client_call(client, DEFAULT, DOMAIN_INTERFACE, "GetBlockInfo", "su", "/guest/diskimage1", 0);

        read_reply(counters, "(xxxxx)", &reads, &read_bytes, &writes, &written_bytes, &errors);
        ck_assert_int_gt(reads, read_bytes);
        ck_assert_int_gt(writes, written_bytes);
        ck_assert_int_gt(errors, 0);
        read_reply(sizes, "(ttt)", &capacity, &allocation, &physical);
        ck_assert_uint_eq(capacity, 1099506450432);
        ck_assert_uint_eq(allocation, 1099511627776);
        ck_assert_uint_eq(physical, 1099511627776);
        client_do(client, DEFAULT, DOMAIN_INTERFACE, "BlockStats", "s", "");
        client_fails(client, LIBVIRT_ERROR, "invalid argument*no disk 'vdb'*", DEFAULT, DOMAIN_INTERFACE,
                     "BlockStats", "s", "vdb");
        client_fails(client, LIBVIRT_ERROR, "invalid argument*no disk 'vdb'*", DEFAULT, DOMAIN_INTERFACE,
                     "GetBlockInfo", "su", "vdb", 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*", DEFAULT, DOMAIN_INTERFACE,
                     "GetBlockInfo", "su", "vda", 1);
}
END_TEST

START_TEST(test_disk_errors)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DEFAULT, DOMAIN_INTERFACE, "GetDiskErrors", "u", 0);
        const char *disk;
        int error;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(si)"), 0);
        read_reply(reply, "(si)", &disk, &error);
        ck_assert_str_eq(disk, "vda");
        ck_assert_int_eq(error, 1);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*", DEFAULT, DOMAIN_INTERFACE,
                     "GetDiskErrors", "u", 1);
}
END_TEST

/* By its name on the host, or its address. */
START_TEST(test_an_interface)
{
        static const char *const names[] = { "testnet0", "AA:bb:cc:dd:ee:ff" };
        int64_t rx[4], tx[4];
        g_autoptr(sd_bus_message) reply =
                client_call(client, DEFAULT, DOMAIN_INTERFACE, "InterfaceStats", "s", names[_i]);

        read_reply(reply, "(xxxxxxxx)", &rx[0], &rx[1], &rx[2], &rx[3], &tx[0], &tx[1], &tx[2], &tx[3]);
        ck_assert_int_gt(rx[0], rx[1]);
        ck_assert_int_gt(rx[0], tx[0]);
        client_fails(client, LIBVIRT_ERROR, "invalid argument*no interface 'vnet7'*", DEFAULT,
                     DOMAIN_INTERFACE, "InterfaceStats", "s", "vnet7");
        client_fails(client, LIBVIRT_ERROR, "invalid argument*no interface ''*", DEFAULT, DOMAIN_INTERFACE,
                     "InterfaceStats", "s", "");
}
END_TEST

static void refuse_cpus(const char *text, int start, unsigned count, unsigned flags)
{
        client_fails(client, LIBVIRT_ERROR, text, DEFAULT, DOMAIN_INTERFACE, "GetCPUStats", "iuu", start,
                     count, flags);
}

START_TEST(test_cpus)
{
        g_autoptr(sd_bus_message) total =
                client_call(client, DEFAULT, DOMAIN_INTERFACE, "GetCPUStats", "iuu", -1, 1, 0);
        g_autoptr(sd_bus_message) each =
                client_call(client, DEFAULT, DOMAIN_INTERFACE, "GetCPUStats", "iuu", 1, 7, 0);
        g_autoptr(GHashTable) stats = NULL;

        ck_assert_int_gt(sd_bus_message_enter_container(total, 'a', "a{sv}"), 0);
        stats = stats_read(total);
        stats_expect(stats, "cpu_time", "t:48772617035");
        stats_expect(stats, "user_time", "t:5540000000");
        stats_expect(stats, "system_time", "t:6460000000");
        g_clear_pointer(&stats, g_hash_table_unref);
        ck_assert_int_gt(sd_bus_message_enter_container(each, 'a', "a{sv}"), 0);
        stats = stats_read(each);
        stats_expect(stats, "cpu_time", "t:24386308518");
        stats_expect(stats, "vcpu_time", "t:23151740628");
        ck_assert_int_gt(sd_bus_message_at_end(each, false), 0);
        refuse_cpus("invalid argument*out of range*", 2, 1, 0);
        refuse_cpus("invalid argument*", -1, 2, 0);
        refuse_cpus("invalid argument*", -2, 1, 0);
        refuse_cpus("invalid argument*", 0, 0, 0);
        refuse_cpus("*unsupported flags (0x1)*", 0, 1, 1);
}
END_TEST

START_TEST(test_vcpus)
{
        g_autoptr(sd_bus_message) reply = client_call(client, DEFAULT, DOMAIN_INTERFACE, "GetVcpuInfo", NULL);
        unsigned number, count = 0;
        uint64_t time_ns;
        int state, cpu;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(uitiab)"), 0);
        while (sd_bus_message_enter_container(reply, 'r', "uitiab") > 0) {
                unsigned cpus = 0;
                int may_use;

                read_reply(reply, "uiti", &number, &state, &time_ns, &cpu);
                ck_assert_int_eq(number, count++);
                ck_assert_int_eq(state, 1);
                ck_assert_int_eq(cpu, 15);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "b"), 0);
                while (sd_bus_message_read(reply, "b", &may_use) > 0)
                        cpus += may_use;
                ck_assert_int_eq(cpus, 16);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
        }
        ck_assert_int_eq(count, 2);
}
END_TEST

START_TEST(test_control)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, DEFAULT, DOMAIN_INTERFACE, "GetControlInfo", "u", 0);
        unsigned state, details;
        uint64_t since;

        read_reply(reply, "(uut)", &state, &details, &since);
        ck_assert_int_eq(state, 0);
        ck_assert_int_eq(details, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*", DEFAULT, DOMAIN_INTERFACE,
                     "GetControlInfo", "u", 1);
}
END_TEST

START_TEST(test_that_need_a_guest)
{
        g_autofree char *xml = guest_test_xml("off", NULL);
        g_autofree char *off =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        const char *refusal = "Requested operation is not valid: domain 'off' is not running";

        client_fails(client, LIBVIRT_ERROR, refusal, off, DOMAIN_INTERFACE, "MemoryStats", "u", 0);
        client_fails(client, LIBVIRT_ERROR, refusal, off, DOMAIN_INTERFACE, "BlockStats", "s", "vda");
        client_fails(client, LIBVIRT_ERROR, refusal, off, DOMAIN_INTERFACE, "InterfaceStats", "s", "vnet0");
        client_fails(client, LIBVIRT_ERROR, refusal, off, DOMAIN_INTERFACE, "GetCPUStats", "iuu", -1, 1, 0);
        client_fails(client, LIBVIRT_ERROR, refusal, off, DOMAIN_INTERFACE, "GetVcpuInfo", NULL);
        client_fails(client, LIBVIRT_ERROR, refusal, off, DOMAIN_INTERFACE, "GetDiskErrors", "u", 0);
        client_fails(client, LIBVIRT_ERROR, refusal, off, DOMAIN_INTERFACE, "GetControlInfo", "u", 0);
}
END_TEST

/* What the page of a machine asks for, of one that is off: its disks are files, which are looked at. */
START_TEST(test_disks_of_a_domain_that_is_off)
{
        g_autofree char *raw = harness_path(harness, "raw.img"), *gone = harness_path(harness, "gone.img");
        g_autofree char *fifo = harness_path(harness, "fifo");
        g_autofree char *qcow2 = harness_path(harness, "some.qcow2");
        /* Magic, version 3, no backing file, clusters of 64 KiB, a capacity of 3 GiB. */
        static const unsigned char header[104] = { 'Q', 'F', 'I', 0xfb, [7] = 3, [23] = 16, [28] = 0xc0 };
        g_autofree char *devices = g_strdup_printf(
                "<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/><target "
                "dev='vda'/></disk>"
                "<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/><target "
                "dev='vdb'/></disk>"
                "<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/><target "
                "dev='vdc'/></disk>"
                "<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s'/><target dev='vdd'/>"
                "</disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>",
                raw, gone, fifo, qcow2);
        g_autofree char *path = NULL;
        g_autoptr(GHashTable) stats = NULL;
        int fd = open(raw, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
        close(fd);
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        ck_assert(g_file_set_contents(qcow2, (const char *)header, sizeof(header), NULL));
        path = guest_define(client, guest_bare_xml("web", devices));
        stats = stats_get(client, path, 45, 0);
        stats_expect(stats, "state.state", "i:5");
        stats_expect_type(stats, "balloon.current", 't');
        stats_expect(stats, "vcpu.current", "u:1");
        stats_expect(stats, "block.count", "u:5");
        stats_expect(stats, "block.0.capacity", "t:1048576");
        stats_expect(stats, "block.0.physical", "t:1048576");
        stats_expect(stats, "block.0.allocation", "t:0");
        stats_expect(stats, "block.1.name", "s:vdb");
        stats_expect(stats, "block.1.capacity", NULL);
        stats_expect(stats, "block.2.capacity", NULL);
        stats_expect(stats, "block.3.capacity", "t:3221225472");
        stats_expect(stats, "block.3.physical", "t:104");
        stats_expect(stats, "block.4.path", NULL);
        client_fails(client, LIBVIRT_ERROR, "invalid argument*no medium*", path, DOMAIN_INTERFACE,
                     "GetBlockInfo", "su", "sda", 0);
        client_fails(client, LIBVIRT_ERROR, "*not known*", path, DOMAIN_INTERFACE, "GetBlockInfo", "su",
                     "vdb", 0);
        client_do(client, path, DOMAIN_INTERFACE, "GetBlockInfo", "su", "vdd", 0);
}
END_TEST

/* ---- subscriptions ---- */

#define STATISTICS_INTERFACE "org.virtbus.Statistics"

static void subscribe(struct client *subscriber, unsigned groups)
{
        client_do(subscriber, TEST_PATH, STATISTICS_INTERFACE, "Subscribe", "uu", groups, 250);
}

/* The next signal, as a table from paths to what it says of them. */
static GHashTable *wait_statistics(struct client *subscriber)
{
        g_autoptr(sd_bus_message) message =
                client_wait_signal(subscriber, TEST_PATH, STATISTICS_INTERFACE, "Statistics", NULL, NULL);
        GHashTable *all =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);

        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "(oa{sv})"), 0);
        while (sd_bus_message_enter_container(message, 'r', "oa{sv}") > 0) {
                const char *path;

                ck_assert_int_gt(sd_bus_message_read_basic(message, 'o', &path), 0);
                g_hash_table_insert(all, g_strdup(path), stats_read(message));
                ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
        }
        return all;
}

START_TEST(test_a_subscription)
{
        g_autofree char *xml = guest_test_xml("off", NULL);
        g_autofree char *off =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        struct client *other = harness_connect(harness);
        g_autoptr(GHashTable) first = NULL, second = NULL, third = NULL;
        GHashTable *stats;

        subscribe(client, STATS_STATE | STATS_BALLOON);
        first = wait_statistics(client);
        ck_assert_int_eq(g_hash_table_size(first), 2);
        stats = g_hash_table_lookup(first, DEFAULT);
        ck_assert_ptr_nonnull(stats);
        stats_expect(stats, "state.state", "i:1");
        stats_expect(stats, "balloon.maximum", "t:8388608");
        ck_assert_ptr_nonnull(g_hash_table_lookup(first, off));
        guest_do(client, DEFAULT, "Suspend");
        second = wait_statistics(client);
        ck_assert_int_eq(g_hash_table_size(second), 1);
        stats = g_hash_table_lookup(second, DEFAULT);
        ck_assert_ptr_nonnull(stats);
        ck_assert_int_eq(g_hash_table_size(stats), 2);
        stats_expect(stats, "state.state", "i:3");
        stats_expect(stats, "state.reason", "i:1");
        /* Another one takes its place, and begins anew. */
        subscribe(client, STATS_VCPU);
        third = wait_statistics(client);
        stats = g_hash_table_lookup(third, DEFAULT);
        ck_assert_ptr_nonnull(stats);
        stats_expect(stats, "vcpu.current", "u:2");
        stats_expect(stats, "state.state", NULL);
        client_process(other);
        ck_assert_int_eq(client_count_signals(other, TEST_PATH, STATISTICS_INTERFACE, "Statistics"), 0);
        client_free(other);
}
END_TEST

/* Another client's subscription shows that time has passed. */
START_TEST(test_the_end_of_a_subscription)
{
        struct client *clock = harness_connect(harness);

        subscribe(client, STATS_VCPU);
        g_hash_table_unref(wait_statistics(client));
        client_do(client, TEST_PATH, STATISTICS_INTERFACE, "Unsubscribe", NULL);
        client_do(client, TEST_PATH, STATISTICS_INTERFACE, "Unsubscribe", NULL);
        client_forget_signals(client);
        subscribe(clock, STATS_VCPU);
        for (unsigned i = 0; i < 3; i++)
                g_hash_table_unref(wait_statistics(clock));
        client_process(client);
        ck_assert_int_eq(client_count_signals(client, TEST_PATH, STATISTICS_INTERFACE, "Statistics"), 0);
        client_free(clock);
}
END_TEST

/* More of them than there may be at a time, each of which ends with its client. */
START_TEST(test_subscribers_that_leave)
{
        for (unsigned i = 0; i < 100; i++) {
                struct client *leaving = harness_connect(harness);

                subscribe(leaving, 0);
                client_free(leaving);
        }
        subscribe(client, STATS_STATE);
        g_hash_table_unref(wait_statistics(client));
}
END_TEST

START_TEST(test_metrics)
{
        static const char *const lines[] = {
                "# TYPE virtbus_domain_state gauge\n",
                "virtbus_domain_state{uuid=\"6695eb01-f6a4-8304-79aa-97f2502e193f\",domain=\"test\"} 1\n",
                ",domain=\"a\\\\b\\\"c\"} 5\n",
                "# TYPE virtbus_domain_cpu_seconds counter\n# UNIT virtbus_domain_cpu_seconds seconds\n# "
                "HELP ",
                "virtbus_domain_cpu_seconds_total{uuid=\"6695eb01-f6a4-8304-79aa-97f2502e193f\","
                "domain=\"test\"} 48.772617035\n",
                "virtbus_domain_memory_bytes{uuid=\"6695eb01-f6a4-8304-79aa-97f2502e193f\",domain=\"test\"} "
                "2147483648\n",
                "domain=\"test\",vcpu=\"1\"} ",
                "virtbus_domain_block_capacity_bytes{uuid=\"6695eb01-f6a4-8304-79aa-97f2502e193f\","
                "domain=\"test\",disk=\"vda\"} 1099506450432\n",
                "domain=\"test\",interface=\"testnet0\"} ",
        };
        g_autofree char *xml = guest_test_xml("a\\b&quot;c", NULL);
        g_autofree char *off =
                client_call_string(client, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        g_autofree char *text =
                client_call_string(client, TEST_PATH, STATISTICS_INTERFACE, "GetMetrics", "u", 0);
        g_autofree char *state =
                client_call_string(client, TEST_PATH, STATISTICS_INTERFACE, "GetMetrics", "u", STATS_STATE);
        g_autofree char *nothing =
                client_call_string(client, QEMU_PATH, STATISTICS_INTERFACE, "GetMetrics", "u", 0);

        for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
                ck_assert_msg(strstr(text, lines[i]) != NULL, "%s in %s", lines[i], text);
        ck_assert(g_str_has_suffix(text, "\n# EOF\n"));
        ck_assert_ptr_nonnull(strstr(state, "virtbus_domain_state{"));
        ck_assert_ptr_null(strstr(state, "cpu_seconds"));
        ck_assert_str_eq(nothing, "# EOF\n");
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: *", TEST_PATH, STATISTICS_INTERFACE,
                     "GetMetrics", "u", 1u << 20);
}
END_TEST

START_TEST(test_subscriptions_that_are_refused)
{
        client_fails(client, LIBVIRT_ERROR, "invalid argument*249 ms*", TEST_PATH, STATISTICS_INTERFACE,
                     "Subscribe", "uu", 0, 249);
        client_fails(client, LIBVIRT_ERROR, "invalid argument*", TEST_PATH, STATISTICS_INTERFACE, "Subscribe",
                     "uu", 0, UINT32_MAX);
        client_fails(client, LIBVIRT_ERROR, "invalid argument*0x100000*", TEST_PATH, STATISTICS_INTERFACE,
                     "Subscribe", "uu", 1u << 20, 250);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("stats");
        TCase *test_case = tcase_create("stats");

        tcase_add_checked_fixture(test_case, set_up, tear_down);
        tcase_add_test(test_case, test_all_groups);
        tcase_add_test(test_case, test_groups_that_are_asked_for);
        tcase_add_test(test_case, test_what_is_not_known);
        tcase_add_test(test_case, test_of_all_domains);
        tcase_add_test(test_case, test_of_nobody);
        tcase_add_test(test_case, test_memory);
        tcase_add_test(test_case, test_a_disk);
        tcase_add_test(test_case, test_disk_errors);
        tcase_add_loop_test(test_case, test_an_interface, 0, 2);
        tcase_add_test(test_case, test_cpus);
        tcase_add_test(test_case, test_vcpus);
        tcase_add_test(test_case, test_control);
        tcase_add_test(test_case, test_that_need_a_guest);
        tcase_add_test(test_case, test_disks_of_a_domain_that_is_off);
        tcase_add_test(test_case, test_a_subscription);
        tcase_add_test(test_case, test_the_end_of_a_subscription);
        tcase_add_test(test_case, test_subscribers_that_leave);
        tcase_add_test(test_case, test_metrics);
        tcase_add_test(test_case, test_subscriptions_that_are_refused);
        suite_add_tcase(suite, test_case);
        return harness_main(suite);
}
