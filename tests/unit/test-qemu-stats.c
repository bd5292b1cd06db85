/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Counters as QEMU and the kernel tell them, and as neither should. */

#include "drivers/qemu/guest-stats.h"
#include "interfaces/counters.h"
#include "tests/unit/check-main.h"

#include <string.h>

/* An active domain: a disk on another image, and a CD-ROM drive that is empty. */
static const char domain[] =
        "<domain type='qemu'><name>web</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
        "<memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/top' index='3'/>"
        "<backingStore type='file' index='4'><format type='qcow2'/><source file='/base'/><backingStore/>"
        "</backingStore><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>"
        "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><alias name='sata0-0-0'/></disk>"
        "</devices></domain>";

static struct domain_def *def;

static void set_up(void)
{
        g_autoptr(GError) error = NULL;

        def = domain_def_parse_stored(domain, &error);
        ck_assert_msg(def != NULL, "%s", error ? error->message : "");
}

static void tear_down(void)
{
        domain_def_unref(def);
}

/* With ' for ". */
static json_t *parse(const char *text)
{
        g_autofree char *copy = g_strdelimit(g_strdup(text), "'", '"');
        json_t *value = json_loads(copy, JSON_DECODE_ANY, NULL);

        ck_assert_msg(value != NULL, "%s", copy);
        return value;
}

static struct domain_answer *read_images(const char *stats, const char *nodes)
{
        struct domain_answer *answer = domain_answer_new(DOMAIN_PART_BLOCK, 1);
        json_t *told = parse(stats), *named = parse(nodes);

        guest_stats_read_images(answer, def, told, named);
        json_decref(told);
        json_decref(named);
        return answer;
}

static const struct domain_image_stats *get(const struct domain_answer *answer, unsigned index)
{
        ck_assert_uint_lt(index, answer->images->len);
        return &g_array_index(answer->images, struct domain_image_stats, index);
}

START_TEST(test_images)
{
        CLEANUP(domain_answer_unref)
        struct domain_answer *answer = read_images(
                "[{'qdev': '/machine/peripheral/virtio-disk01', 'stats': {'rd_operations': 1}},"
                " {'qdev': 'sata0-0-0', 'stats': {'rd_operations': 3}},"
                " {'qdev': '/machine/peripheral/virtio-disk0/virtio-backend', 'stats': {'rd_operations': 7,"
                "  'rd_bytes': 512, 'wr_bytes': -5, 'flush_operations': 'x', 'wr_total_time_ns': 9},"
                "  'parent': {'stats': {'wr_highest_offset': 65536}},"
                "  'backing': {'parent': {'stats': {'wr_highest_offset': 11}}}}]",
                "[{'node-name': 'libvirt-3-format', 'image': {'virtual-size': 100, 'actual-size': 50},"
                "  'write_threshold': 77},"
                " {'node-name': 'libvirt-3-storage', 'image': {'virtual-size': 60}}, "
                "{'image': 4}, 5,"
                " {'node-name': 'libvirt-4-format', 'image': {'virtual-size': 'a lot'}}]");
        const struct domain_image_stats *image;

        ck_assert_uint_eq(answer->images->len, 3);
        image = get(answer, 0);
        ck_assert_str_eq(image->target, "vda");
        ck_assert_str_eq(image->path, "/top");
        ck_assert_uint_eq(image->index, 3);
        ck_assert(image->has_counters);
        ck_assert_uint_eq(image->requests[DOMAIN_IO_READ], 7);
        ck_assert_uint_eq(image->bytes[DOMAIN_IO_READ], 512);
        ck_assert_uint_eq(image->bytes[DOMAIN_IO_WRITE], 0);
        ck_assert_uint_eq(image->requests[DOMAIN_IO_FLUSH], 0);
        ck_assert_uint_eq(image->times_ns[DOMAIN_IO_WRITE], 9);
        ck_assert(image->has_size);
        ck_assert_uint_eq(image->capacity, 100);
        ck_assert_uint_eq(image->allocation, 50);
        ck_assert_uint_eq(image->length, 60);
        ck_assert_uint_eq(image->highest, 65536);
        ck_assert_uint_eq(image->threshold, 77);
        image = get(answer, 1);
        ck_assert_str_eq(image->path, "/base");
        ck_assert_uint_eq(image->depth, 1);
        ck_assert(!image->has_counters && !image->has_size);
        ck_assert_uint_eq(image->highest, 11);
        image = get(answer, 2);
        ck_assert_str_eq(image->target, "sda");
        ck_assert_ptr_null(image->path);
        ck_assert_uint_eq(image->requests[DOMAIN_IO_READ], 3);
        ck_assert_ptr_eq(domain_answer_find_disk(answer, "sda"), image);
        ck_assert_ptr_null(domain_answer_find_disk(answer, "vdb"));
}
END_TEST

/* What is above an image has its counters, and knows nothing of where it is written. */
START_TEST(test_images_below_filters)
{
        static const char format[] =
                "{'node-name': 'libvirt-3-format', 'stats': {'wr_highest_offset': 900},"
                " 'parent': {'node-name': 'libvirt-3-storage', 'stats': {'wr_highest_offset': 65536}},"
                " 'backing': {'node-name': 'libvirt-4-format', 'stats': {'wr_highest_offset': 0},"
                "  'parent': {'node-name': 'libvirt-4-storage', 'stats': {'wr_highest_offset': 11}}}}";
        g_autofree char *filter = g_strdup_printf(
                "{'node-name': 'libvirt-CoR-vda', 'parent': %s, 'backing': %s}", format, format);
        g_autofree char *stats =
                g_strdup_printf("[{'qdev': 'virtio-disk0', 'node-name': 'libvirt-3-throttle',"
                                " 'stats': {'rd_operations': 7}, 'parent': %s,"
                                " 'backing': %s}]",
                                filter, filter);
        CLEANUP(domain_answer_unref) struct domain_answer *answer = read_images(stats, "[]");

        ck_assert_uint_eq(get(answer, 0)->requests[DOMAIN_IO_READ], 7);
        ck_assert_uint_eq(get(answer, 0)->highest, 65536);
        ck_assert_uint_eq(get(answer, 1)->highest, 11);
}
END_TEST

/* Set on the image, or on what it is stored in. */
START_TEST(test_a_threshold_of_the_storage)
{
        CLEANUP(domain_answer_unref)
        struct domain_answer *answer =
                read_images("[]", "[{'node-name': 'libvirt-3-format', 'image': {'virtual-size': 100}},"
                                  " {'node-name': 'libvirt-3-storage', 'write_threshold': 78}]");

        ck_assert_uint_eq(get(answer, 0)->threshold, 78);
}
END_TEST

START_TEST(test_answers_that_make_no_sense)
{
        static const char *const texts[] = { "[]", "{}", "7", "[[], {}, 'x', {'qdev': 3}]",
                                             "[{'qdev': 'virtio-disk0', 'stats': [], 'backing': 'x'}]" };

        for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
                for (unsigned j = 0; j < G_N_ELEMENTS(texts); j++) {
                        CLEANUP(domain_answer_unref)
                        struct domain_answer *answer = read_images(texts[i], texts[j]);

                        ck_assert_uint_eq(answer->images->len, 3);
                        ck_assert(!get(answer, 0)->has_size);
                        ck_assert_uint_eq(get(answer, 0)->requests[DOMAIN_IO_READ], 0);
                }
        }
}
END_TEST

START_TEST(test_errors)
{
        CLEANUP(domain_answer_unref)
        struct domain_answer *answer = domain_answer_new(DOMAIN_PART_DISK_ERRORS, 1);
        json_t *told = parse("[{'qdev': 'sata0-0-0', 'io-status': 'nospace'},"
                             " {'qdev': 'virtio-disk0', 'io-status': 'failed'}]");

        guest_stats_read_errors(answer, def, told);
        json_decref(told);
        ck_assert_int_eq(get(answer, 0)->error, DOMAIN_DISK_ERROR_UNSPEC);
        ck_assert_int_eq(get(answer, 1)->error, DOMAIN_DISK_ERROR_NO_SPACE);
}
END_TEST

/* ---- what KVM counts ---- */

static const char schemas[] =
        "[{'provider': 'kvm', 'target': 'vm', 'stats': [{'name': 'pages_4k', 'type': 'instant'},"
        "  {'name': 'longest', 'type': 'peak'}, {'name': 'exits', 'type': 'peak'}]},"
        " {'provider': 'kvm', 'target': 'vcpu', 'stats': [{'name': 'exits', 'type': 'cumulative'},"
        "  {'name': 'guest_mode', 'type': 'instant'}, {'name': 'hist', 'type': 'linear-histogram'},"
        "  {'name': 'bad.name', 'type': 'instant'}, {'name': '', 'type': 'instant'},"
        "  {'name': 'a-name-that-is-far-longer-than-any-that-the-kernel-has', 'type': 'instant'}]},"
        " {'provider': 'other', 'target': 'vm', 'stats': [{'name': 'other', 'type': 'peak'}]}]";

static struct domain_answer *read_counters(const char *vm, const char *vcpus, const char *cpus)
{
        struct domain_answer *answer = domain_answer_new(DOMAIN_PART_COUNTERS, 1);
        json_t *told = parse(schemas), *of_vm = parse(vm), *of_vcpus = parse(vcpus), *list = parse(cpus);
        g_autoptr(GHashTable) kinds = guest_stats_read_kinds(told);

        guest_stats_read_counters(answer, kinds, of_vm);
        guest_stats_read_vcpu_counters(answer, kinds, of_vcpus, list);
        json_decref(told);
        json_decref(of_vm);
        json_decref(of_vcpus);
        json_decref(list);
        return answer;
}

static void expect_counter(const struct domain_answer *answer, unsigned index, int vcpu, const char *name,
                           enum domain_counter_kind kind, uint64_t value)
{
        const struct domain_counter *counter;

        ck_assert_uint_lt(index, answer->counters->len);
        counter = &g_array_index(answer->counters, struct domain_counter, index);
        ck_assert_str_eq(counter->name, name);
        ck_assert_int_eq(counter->vcpu, vcpu);
        ck_assert_int_eq(counter->kind, kind);
        ck_assert_uint_eq(counter->value, value);
        ck_assert_int_eq(counter->is_bool, strcmp(name, "guest_mode") == 0);
}

START_TEST(test_counters)
{
        CLEANUP(domain_answer_unref)
        struct domain_answer *answer = read_counters(
                "[{'provider': 'kvm', 'stats': [{'name': 'pages_4k', 'value': 7}, {'name': 'exits', 'value': "
                "8},"
                "  {'name': 'longest', 'value': -1}, {'name': 'new', 'value': 1}]},"
                " {'provider': 'other', 'stats': [{'name': 'longest', 'value': 3}]}]",
                "[{'provider': 'kvm', 'qom-path': '/m/1', 'stats': [{'name': 'exits', 'value': 3},"
                "  {'name': 'guest_mode', 'value': true}, {'name': 'hist', 'value': [1, 2]},"
                "  {'name': 'bad.name', 'value': 1}, {'name': '', 'value': 1},"
                "  {'name': 'a-name-that-is-far-longer-than-any-that-the-kernel-has', 'value': 1}]},"
                " {'provider': 'kvm', 'qom-path': '/m/9', 'stats': [{'name': 'exits', 'value': 5}]},"
                " {'provider': 'kvm', 'stats': [{'name': 'exits', 'value': 5}]},"
                " {'provider': 'kvm', 'qom-path': '/m/0', 'stats': [{'name': 'guest_mode', 'value': "
                "false}]}]",
                "[{'cpu-index': 0, 'qom-path': '/m/0'}, {'cpu-index': 4, 'qom-path': '/m/1'}, {'cpu-index': "
                "5},"
                " {'cpu-index': -1, 'qom-path': '/m/9'}]");

        ck_assert_uint_eq(answer->counters->len, 5);
        expect_counter(answer, 0, -1, "pages_4k", DOMAIN_COUNTER_NOW, 7);
        expect_counter(answer, 1, -1, "exits", DOMAIN_COUNTER_PEAK, 8);
        expect_counter(answer, 2, 4, "exits", DOMAIN_COUNTER_SUM, 3);
        expect_counter(answer, 3, 4, "guest_mode", DOMAIN_COUNTER_NOW, 1);
        expect_counter(answer, 4, 0, "guest_mode", DOMAIN_COUNTER_NOW, 0);
}
END_TEST

static bool know(const char *vcpus, const char *cpus)
{
        json_t *told = parse(vcpus), *list = cpus ? parse(cpus) : NULL;
        bool is_known = guest_stats_know_vcpus(told, list);

        json_decref(told);
        json_decref(list);
        return is_known;
}

START_TEST(test_vcpus_that_are_new)
{
        static const char both[] = "[{'qom-path': '/m/0'}, {'qom-path': '/m/1'}]";

        ck_assert(know("[]", NULL));
        ck_assert(!know(both, NULL));
        ck_assert(!know(both, "[{'cpu-index': 0, 'qom-path': '/m/0'}]"));
        ck_assert(know(both, "[{'cpu-index': 0, 'qom-path': '/m/1'}, {'cpu-index': 1, 'qom-path': '/m/0'}]"));
        ck_assert(!know("[{}]", "[{'cpu-index': 0, 'qom-path': ''}]"));
}
END_TEST

START_TEST(test_counters_that_make_no_sense)
{
        static const char *const texts[] = { "[]", "{}", "7", "[[], {}, 'x', {'provider': 'kvm'}]",
                                             "[{'provider': 'kvm', 'stats': [[], 3, {'name': 4}]}]" };

        for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
                CLEANUP(domain_answer_unref)
                struct domain_answer *answer = read_counters(texts[i], texts[i], texts[i]);
                json_t *told = parse(texts[i]);
                g_autoptr(GHashTable) kinds = guest_stats_read_kinds(told);

                ck_assert_uint_eq(answer->counters->len, 0);
                ck_assert_uint_eq(g_hash_table_size(kinds), 0);
                json_decref(told);
        }
}
END_TEST

START_TEST(test_links)
{
        CLEANUP(link_counters_free)
        struct link_counters *counters = link_counters_parse(
                "Inter-|   Receive                                                |  Transmit\n"
                " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
                "drop "
                "fifo colls carrier compressed\n"
                "    lo:       1       2    3    4    0     0          0         0        5       6    7    "
                "8    "
                "0     0       0          0\n"
                " vnet0:18446744073709551615 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
                "a-name-of-sixteen: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
                "short: 1 2 3\n");
        const struct link_count *count = link_counters_find(counters, "lo");

        ck_assert_ptr_nonnull(count);
        ck_assert_uint_eq(count->rx_bytes, 1);
        ck_assert_uint_eq(count->rx_dropped, 4);
        ck_assert_uint_eq(count->tx_bytes, 5);
        ck_assert_uint_eq(count->tx_dropped, 8);
        count = link_counters_find(counters, "vnet0");
        ck_assert_ptr_nonnull(count);
        ck_assert_uint_eq(count->rx_bytes, UINT64_MAX);
        ck_assert_ptr_null(link_counters_find(counters, "a-name-of-sixteen"));
        ck_assert_ptr_null(link_counters_find(counters, "short"));
        ck_assert_ptr_null(link_counters_find(counters, "eth0"));
}
END_TEST

CHECK_MAIN_FIXTURE("qemu-stats", set_up, tear_down, test_images, test_images_below_filters,
                   test_a_threshold_of_the_storage, test_answers_that_make_no_sense, test_errors,
                   test_counters, test_vcpus_that_are_new, test_counters_that_make_no_sense, test_links)
