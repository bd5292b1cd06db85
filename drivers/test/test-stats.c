/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The numbers of guests that have none: those that tools know from test:///default of libvirt, derived from
 * its answers. Counters are made of the time of day, so that they grow; sizes are constant. No state.
 */
#include "drivers/test/test-stats.h"

#include "drivers/domain/answer.h"

#include <string.h>

/* What test:///default answers to GetBlockInfo of any disk. */
#define DISK_CAPACITY   UINT64_C(1099506450432)
#define DISK_ALLOCATION UINT64_C(1099511627776)
/* ... and to GetCPUStats. */
#define USER_NS       UINT64_C(5540000000)
#define SYSTEM_NS     UINT64_C(6460000000)
#define CPU_NS        UINT64_C(48772617035)
#define FIRST_CPU_NS  UINT64_C(24386308517)
#define FIRST_VCPU_NS UINT64_C(23151740627)
/* When its guests last told the balloon anything, in seconds since 1970. */
#define LAST_UPDATE_S UINT64_C(627319920)
/* The processors of its host, on whose last all of them run. */
#define HOST_CPUS 16

static void measure_vcpus(const struct domain_def *def, struct domain_measure *measure)
{
        uint64_t now_us = (uint64_t)g_get_real_time();

        measure->vcpus = g_array_new(FALSE, FALSE, sizeof(struct domain_vcpu_stats));
        g_array_set_clear_func(measure->vcpus, domain_vcpu_stats_clear);
        for (unsigned i = 0; i < def->max_vcpus; i++) {
                struct domain_vcpu_stats vcpu = { .number = i, .time_ns = now_us / 10, .cpu = HOST_CPUS - 1 };

                if (!domain_vcpu_is_enabled(def, i))
                        continue;
                if (measure->parts & DOMAIN_MEASURE_AFFINITY) {
                        vcpu.n_cpus = HOST_CPUS;
                        vcpu.may_use = g_new(bool, HOST_CPUS);
                        memset(vcpu.may_use, true, HOST_CPUS);
                }
                g_array_append_val(measure->vcpus, vcpu);
        }
}

static void measure_cpus(const struct domain_def *def, struct domain_measure *measure)
{
        measure->cpus = g_array_new(FALSE, FALSE, sizeof(struct domain_cpu_stats));
        for (unsigned i = 0; i < def->vcpus; i++) {
                const struct domain_cpu_stats cpu = { FIRST_CPU_NS + i, FIRST_VCPU_NS + i, true };

                g_array_append_val(measure->cpus, cpu);
        }
}

static void measure_interfaces(const struct domain_def *def, struct domain_measure *measure)
{
        uint64_t now_us = (uint64_t)g_get_real_time(), now_s = now_us / G_USEC_PER_SEC;

        measure->interfaces = g_array_new(FALSE, FALSE, sizeof(struct domain_interface_stats));
        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                const struct domain_interface_stats stats = {
                        .known = def->devices.interfaces[i].target != NULL,
                        .rx_bytes = now_us / 10,
                        .rx_packets = now_us / 100,
                        .rx_errors = now_s,
                        .rx_dropped = now_s / 2,
                        .tx_bytes = now_us / 20,
                        .tx_packets = now_us / 110,
                        .tx_errors = now_s / 3,
                        .tx_dropped = now_s / 4,
                };

                g_array_append_val(measure->interfaces, stats);
        }
}

void test_stats_measure(const struct domain_driver *driver, const struct domain_state *state,
                        struct domain_measure *measure)
{
        const struct domain_def *def = domain_state_get_def(state);

        if (measure->parts & DOMAIN_MEASURE_INTERFACES)
                measure_interfaces(def, measure);
        if (measure->parts & DOMAIN_MEASURE_VCPUS)
                measure_vcpus(def, measure);
        if (measure->parts & DOMAIN_MEASURE_CPUS)
                measure_cpus(def, measure);
        if (!(measure->parts & DOMAIN_MEASURE_PROCESS))
                return;
        measure->has_process = true;
        measure->cpu_ns = CPU_NS;
        measure->user_ns = USER_NS;
        measure->system_ns = SYSTEM_NS;
        measure->rss_kib = def->current_memory_kib / 2;
}

static void fill_in_balloon(struct domain_balloon_stats *balloon, uint64_t kib)
{
        balloon->known = (1u << DOMAIN_BALLOON_TAGS) - 1;
        balloon->values[DOMAIN_BALLOON_UNUSED] = kib / 2;
        balloon->values[DOMAIN_BALLOON_AVAILABLE] = kib;
        balloon->values[DOMAIN_BALLOON_USABLE] = kib / 2;
        balloon->values[DOMAIN_BALLOON_LAST_UPDATE] = LAST_UPDATE_S;
        balloon->values[DOMAIN_BALLOON_DISK_CACHES] = kib / 8;
}

static void add_disk(struct domain_answer *answer, const struct domain_disk *disk)
{
        struct domain_image_stats *image = domain_answer_add_image(answer, disk->target, disk->source.path);
        uint64_t now_us = (uint64_t)g_get_real_time();

        image->has_counters = true;
        image->requests[DOMAIN_IO_READ] = now_us / 10;
        image->bytes[DOMAIN_IO_READ] = now_us / 20;
        image->requests[DOMAIN_IO_WRITE] = now_us / 30;
        image->bytes[DOMAIN_IO_WRITE] = now_us / 40;
        image->has_errors = true;
        image->errors = now_us / G_USEC_PER_SEC / 2;
        image->error = answer->images->len % 2 == 1 ? DOMAIN_DISK_ERROR_UNSPEC : DOMAIN_DISK_ERROR_NO_SPACE;
        image->has_size = disk->source.path != NULL;
        image->capacity = DISK_CAPACITY;
        image->highest = DISK_ALLOCATION;
        image->allocation = DISK_ALLOCATION;
        image->length = DISK_ALLOCATION;
}

static struct domain_answer *make_answer(const struct domain_state *state, enum domain_part part)
{
        const struct domain_def *def = domain_state_get_def(state);
        struct domain_answer *answer = domain_answer_new(part, state->id);

        switch (part) {
        case DOMAIN_PART_BALLOON:
                fill_in_balloon(&answer->balloon, def->current_memory_kib);
                break;
        case DOMAIN_PART_BLOCK:
        case DOMAIN_PART_BLOCK_COUNTERS:
        case DOMAIN_PART_DISK_ERRORS:
                for (unsigned i = 0; i < def->devices.n_disks; i++)
                        add_disk(answer, &def->devices.disks[i]);
                break;
        case DOMAIN_PART_IOTHREADS:
                for (unsigned i = 0; i < def->iothreads; i++) {
                        const struct domain_iothread_stats thread = { .id = def->iothread_list[i].id };

                        g_array_append_val(answer->iothreads, thread);
                }
                break;
        case DOMAIN_PART_COUNTERS:
        case DOMAIN_PART_VCPU_COUNTERS:
        case DOMAIN_PART_PERF:
        case DOMAIN_PART_DIRTY_RATE:
        case DOMAIN_PARTS:
                break;
        }
        return answer;
}

void test_stats_ask(struct domain *domain, unsigned parts)
{
        const struct domain_state *current = domain_get_current(domain);

        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                bool knows = i != DOMAIN_PART_DIRTY_RATE && i != DOMAIN_PART_PERF;

                if (parts & DOMAIN_PART_BIT(i))
                        domain_answered(domain, i, knows ? make_answer(current, i) : NULL);
        }
}
