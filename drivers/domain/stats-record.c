/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is told of one domain, as typed parameters: names, types and units are those that the documentation of
 * virConnectGetAllDomainStats() has, the order is that of its groups. No state; any thread.
 */
#include "drivers/domain/stats-private.h"

#include <string.h>

/* virVcpuState */
#define VCPU_RUNNING 1

/* Groups that have something of what the hypervisor counts of vCPUs. */
#define COUNTED (DOMAIN_STATS_CPU_TOTAL | DOMAIN_STATS_VCPU)

void domain_vcpu_stats_clear(void *vcpu)
{
        g_free(((struct domain_vcpu_stats *)vcpu)->may_use);
}

void domain_monitor_stats_clear(void *data)
{
        struct domain_monitor_stats *monitor = data;

        g_free(monitor->name);
        g_free(monitor->vcpus);
        g_array_unref(monitor->banks);
}

void domain_measure_clear(struct domain_measure *measure)
{
        g_clear_pointer(&measure->vcpus, g_array_unref);
        g_clear_pointer(&measure->interfaces, g_array_unref);
        g_clear_pointer(&measure->cpus, g_array_unref);
        g_clear_pointer(&measure->monitors, g_array_unref);
}

unsigned stats_choose_parts(const struct domain_state *state, unsigned groups)
{
        const struct domain_def *def = domain_state_get_def(state);
        const struct domain_memballoon *balloon = def->devices.memballoon;
        unsigned parts = 0;

        if (groups & DOMAIN_STATS_BLOCK && def->devices.n_disks > 0)
                parts |= DOMAIN_PART_BIT(DOMAIN_PART_BLOCK);
        if (!state->base.active)
                return parts;
        if (groups & DOMAIN_STATS_BALLOON && balloon && g_strcmp0(balloon->model, "none") != 0)
                parts |= DOMAIN_PART_BIT(DOMAIN_PART_BALLOON);
        if (groups & DOMAIN_STATS_IOTHREAD && def->iothreads > 0)
                parts |= DOMAIN_PART_BIT(DOMAIN_PART_IOTHREADS);
        if (groups & DOMAIN_STATS_DIRTYRATE)
                parts |= DOMAIN_PART_BIT(DOMAIN_PART_DIRTY_RATE);
        /* An emulator that interprets its guest counts nothing. */
        if (groups & DOMAIN_STATS_VM && g_strcmp0(def->type, "kvm") == 0)
                parts |= DOMAIN_PART_BIT(DOMAIN_PART_COUNTERS);
        if (groups & COUNTED && g_strcmp0(def->type, "kvm") == 0)
                parts |= DOMAIN_PART_BIT(DOMAIN_PART_VCPU_COUNTERS);
        if (groups & DOMAIN_STATS_PERF && def->perf_events)
                parts |= DOMAIN_PART_BIT(DOMAIN_PART_PERF);
        return parts;
}

struct record {
        struct params *params;             /* borrowed */
        const struct stats_entry *entry;   /* borrowed */
        const struct domain_state *state;  /* borrowed */
        const struct domain_def *def;      /* borrowed */
        const struct domain_measure *host; /* borrowed */
        bool backing;
};

static const struct domain_answer *get_answer(const struct record *record, enum domain_part part)
{
        return record->entry->answers[part];
}

static void write_state(const struct record *record)
{
        const struct domain_state *state = record->state;

        params_add_int(record->params, "state.state",
                       state->base.active ? (int)state->state : (int)DOMAIN_SHUTOFF);
        params_add_int(record->params, "state.reason", state->reason);
}

/* ---- what the hypervisor counts ---- */

/* Of all vCPUs together; false: it does not count that. */
static bool sum_counters(const struct record *record, const char *name, uint64_t *sum)
{
        const struct domain_answer *answer = get_answer(record, DOMAIN_PART_VCPU_COUNTERS);
        bool found = false;

        *sum = 0;
        for (unsigned i = 0; answer && i < answer->counters->len; i++) {
                const struct domain_counter *counter =
                        &g_array_index(answer->counters, struct domain_counter, i);

                if (strcmp(counter->name, name) != 0)
                        continue;
                *sum += counter->value;
                found = true;
        }
        return found;
}

static void write_counter(struct params *params, const struct domain_counter *counter)
{
        static const char *const kinds[DOMAIN_COUNTER_KINDS] = {
                [DOMAIN_COUNTER_SUM] = "sum",
                [DOMAIN_COUNTER_NOW] = "cur",
                [DOMAIN_COUNTER_PEAK] = "max",
        };
        char name[DOMAIN_COUNTER_NAME_MAX + 8];

        g_snprintf(name, sizeof(name), "%s.%s", counter->name, kinds[counter->kind]);
        if (counter->is_bool)
                params_add_bool(params, name, counter->value != 0);
        else
                params_add_ulong(params, name, counter->value);
}

/* Those of the guest as a whole, or those of its vCPUs. */
static void write_counters_of(const struct record *record, enum domain_part part)
{
        const struct domain_answer *answer = get_answer(record, part);
        struct params *params = record->params;

        params_set_prefix(params, "vm.");
        for (unsigned i = 0; answer && i < answer->counters->len; i++) {
                const struct domain_counter *counter =
                        &g_array_index(answer->counters, struct domain_counter, i);

                if (counter->vcpu >= 0)
                        params_set_prefix(params, "vcpu.%d.", counter->vcpu);
                write_counter(params, counter);
        }
        params_set_prefix(params, "%s", "");
}

static void write_vm(const struct record *record)
{
        write_counters_of(record, DOMAIN_PART_COUNTERS);
}

/* How long vCPUs that had nothing to do were polled for, because they might have soon: with and without that.
 */
static void write_halt_poll(const struct record *record)
{
        uint64_t success_ns, fail_ns;

        if (!sum_counters(record, "halt_poll_success_ns", &success_ns) ||
            !sum_counters(record, "halt_poll_fail_ns", &fail_ns))
                return;
        params_add_ulong(record->params, "cpu.haltpoll.success.time", success_ns);
        params_add_ulong(record->params, "cpu.haltpoll.fail.time", fail_ns);
}

/* ---- monitors of caches and memory bandwidth ---- */

static unsigned count_monitors(const struct record *record, bool of_bandwidth)
{
        const GArray *monitors = record->host->monitors;
        unsigned count = 0;

        for (unsigned i = 0; monitors && i < monitors->len; i++)
                count += g_array_index(monitors, struct domain_monitor_stats, i).of_bandwidth == of_bandwidth;
        return count;
}

static void write_cache_bank(struct params *params, const struct domain_bank_stats *bank)
{
        params_add_uint(params, "id", bank->id);
        if (bank->has_occupancy)
                params_add_uint(params, "bytes", (uint32_t)MIN(bank->occupancy, UINT32_MAX));
}

static void write_node(struct params *params, const struct domain_bank_stats *bank)
{
        params_add_uint(params, "id", bank->id);
        if (bank->has_total)
                params_add_ulong(params, "bytes.total", bank->total);
        if (bank->has_local)
                params_add_ulong(params, "bytes.local", bank->local);
}

static void write_monitor(struct params *params, const struct domain_monitor_stats *monitor, unsigned number)
{
        const char *prefix = monitor->of_bandwidth ? "memory.bandwidth.monitor" : "cpu.cache.monitor";
        const char *noun = monitor->of_bandwidth ? "node" : "bank";
        g_autofree char *count = g_strconcat(noun, ".count", NULL);

        params_set_prefix(params, "%s.%u.", prefix, number);
        params_add_string(params, "name", monitor->name);
        params_add_string(params, "vcpus", monitor->vcpus);
        params_add_uint(params, count, monitor->banks->len);
        for (unsigned i = 0; i < monitor->banks->len; i++) {
                params_set_prefix(params, "%s.%u.%s.%u.", prefix, number, noun, i);
                (monitor->of_bandwidth ? write_node : write_cache_bank)(
                        params, &g_array_index(monitor->banks, struct domain_bank_stats, i));
        }
}

static void write_monitors(const struct record *record, bool of_bandwidth)
{
        const GArray *monitors = record->host->monitors;
        unsigned number = 0;

        for (unsigned i = 0; monitors && i < monitors->len; i++) {
                const struct domain_monitor_stats *monitor =
                        &g_array_index(monitors, struct domain_monitor_stats, i);

                if (monitor->of_bandwidth == of_bandwidth)
                        write_monitor(record->params, monitor, number++);
        }
        params_set_prefix(record->params, "%s", "");
}

static void write_cache_monitors(const struct record *record)
{
        params_add_uint(record->params, "cpu.cache.monitor.count", count_monitors(record, false));
        write_monitors(record, false);
}

/* None are not counted: clients know it so. */
static void write_memory(const struct record *record)
{
        unsigned count = count_monitors(record, true);

        if (count > 0)
                params_add_uint(record->params, "memory.bandwidth.monitor.count", count);
        write_monitors(record, true);
}

/* ---- the groups ---- */

static void write_cpu(const struct record *record)
{
        if (!record->host->has_process)
                return;
        params_add_ulong(record->params, "cpu.time", record->host->cpu_ns);
        params_add_ulong(record->params, "cpu.user", record->host->user_ns);
        params_add_ulong(record->params, "cpu.system", record->host->system_ns);
        write_cache_monitors(record);
        write_halt_poll(record);
}

static void write_balloon(const struct record *record)
{
        static const char *const names[DOMAIN_BALLOON_TAGS] = {
                [DOMAIN_BALLOON_SWAP_IN] = "balloon.swap_in",
                [DOMAIN_BALLOON_SWAP_OUT] = "balloon.swap_out",
                [DOMAIN_BALLOON_MAJOR_FAULTS] = "balloon.major_fault",
                [DOMAIN_BALLOON_MINOR_FAULTS] = "balloon.minor_fault",
                [DOMAIN_BALLOON_UNUSED] = "balloon.unused",
                [DOMAIN_BALLOON_AVAILABLE] = "balloon.available",
                [DOMAIN_BALLOON_USABLE] = "balloon.usable",
                [DOMAIN_BALLOON_LAST_UPDATE] = "balloon.last-update",
                [DOMAIN_BALLOON_DISK_CACHES] = "balloon.disk_caches",
                [DOMAIN_BALLOON_HUGETLB_PGALLOC] = "balloon.hugetlb_pgalloc",
                [DOMAIN_BALLOON_HUGETLB_PGFAIL] = "balloon.hugetlb_pgfail",
        };
        const struct domain_answer *answer = get_answer(record, DOMAIN_PART_BALLOON);

        params_add_ulong(record->params, "balloon.current", record->def->current_memory_kib);
        params_add_ulong(record->params, "balloon.maximum", record->def->memory_kib);
        for (unsigned i = 0; answer && i < DOMAIN_BALLOON_TAGS; i++) {
                if (answer->balloon.known & (1u << i))
                        params_add_ulong(record->params, names[i], answer->balloon.values[i]);
        }
        if (record->host->has_process)
                params_add_ulong(record->params, "balloon.rss", record->host->rss_kib);
}

static void write_vcpus(const struct record *record)
{
        const GArray *vcpus = record->host->vcpus;
        struct params *params = record->params;

        params_add_uint(params, "vcpu.current", record->def->vcpus);
        params_add_uint(params, "vcpu.maximum", record->def->max_vcpus);
        for (unsigned i = 0; vcpus && i < vcpus->len; i++) {
                const struct domain_vcpu_stats *vcpu = &g_array_index(vcpus, struct domain_vcpu_stats, i);

                params_set_prefix(params, "vcpu.%u.", vcpu->number);
                params_add_int(params, "state", VCPU_RUNNING);
                params_add_ulong(params, "time", vcpu->time_ns);
                if (vcpu->has_wait)
                        params_add_ulong(params, "wait", vcpu->wait_ns);
                if (vcpu->has_delay)
                        params_add_ulong(params, "delay", vcpu->delay_ns);
        }
        params_set_prefix(params, "%s", "");
        write_counters_of(record, DOMAIN_PART_VCPU_COUNTERS);
}

/* Numbers are places in the definition: interfaces without a link on the host leave gaps. */
static void write_interfaces(const struct record *record)
{
        struct params *params = record->params;
        const GArray *interfaces = record->host->interfaces;

        if (!record->state->base.active)
                return;
        params_add_uint(params, "net.count", record->def->devices.n_interfaces);
        for (unsigned i = 0; interfaces && i < interfaces->len; i++) {
                const struct domain_interface_stats *stats =
                        &g_array_index(interfaces, struct domain_interface_stats, i);

                if (!stats->known)
                        continue;
                params_set_prefix(params, "net.%u.", i);
                params_add_string(params, "name", record->def->devices.interfaces[i].target);
                params_add_ulong(params, "rx.bytes", stats->rx_bytes);
                params_add_ulong(params, "rx.pkts", stats->rx_packets);
                params_add_ulong(params, "rx.errs", stats->rx_errors);
                params_add_ulong(params, "rx.drop", stats->rx_dropped);
                params_add_ulong(params, "tx.bytes", stats->tx_bytes);
                params_add_ulong(params, "tx.pkts", stats->tx_packets);
                params_add_ulong(params, "tx.errs", stats->tx_errors);
                params_add_ulong(params, "tx.drop", stats->tx_dropped);
        }
        params_set_prefix(params, "%s", "");
}

static void write_counters(struct params *params, const struct domain_image_stats *image)
{
        params_add_ulong(params, "rd.reqs", image->requests[DOMAIN_IO_READ]);
        params_add_ulong(params, "rd.bytes", image->bytes[DOMAIN_IO_READ]);
        params_add_ulong(params, "rd.times", image->times_ns[DOMAIN_IO_READ]);
        params_add_ulong(params, "wr.reqs", image->requests[DOMAIN_IO_WRITE]);
        params_add_ulong(params, "wr.bytes", image->bytes[DOMAIN_IO_WRITE]);
        params_add_ulong(params, "wr.times", image->times_ns[DOMAIN_IO_WRITE]);
        params_add_ulong(params, "fl.reqs", image->requests[DOMAIN_IO_FLUSH]);
        params_add_ulong(params, "fl.times", image->times_ns[DOMAIN_IO_FLUSH]);
}

/* "physical" is what a running guest's image takes of the storage, and how long the file of one that is off
 * is: clients know it so. */
static void write_sizes(struct params *params, const struct domain_image_stats *image, bool active)
{
        params_add_ulong(params, "allocation", image->highest);
        params_add_ulong(params, "capacity", image->capacity);
        params_add_ulong(params, "physical", active ? image->allocation : image->length);
        if (image->threshold)
                params_add_ulong(params, "threshold", image->threshold);
}

static void write_image(const struct record *record, unsigned number, const struct domain_image_stats *image)
{
        struct params *params = record->params;

        params_set_prefix(params, "block.%u.", number);
        params_add_string(params, "name", image->target);
        if (image->path)
                params_add_string(params, "path", image->path);
        if (image->index > 0)
                params_add_uint(params, "backingIndex", image->index);
        if (image->has_counters)
                write_counters(params, image);
        if (image->has_size)
                write_sizes(params, image, record->state->base.active);
}

/* What the definition alone says. */
static void write_disks(const struct record *record)
{
        const struct domain_devices *devices = &record->def->devices;

        params_add_uint(record->params, "block.count", devices->n_disks);
        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *disk = &devices->disks[i];
                const struct domain_image_stats image = { .target = (char *)disk->target,
                                                          .path = (char *)disk->source.path,
                                                          .index = disk->source.index };

                write_image(record, i, &image);
        }
        params_set_prefix(record->params, "%s", "");
}

static void write_blocks(const struct record *record)
{
        const struct domain_answer *answer = get_answer(record, DOMAIN_PART_BLOCK);
        unsigned count = 0, number = 0;

        if (!answer) {
                write_disks(record);
                return;
        }
        for (unsigned i = 0; i < answer->images->len; i++)
                count += record->backing ||
                         g_array_index(answer->images, struct domain_image_stats, i).depth == 0;
        params_add_uint(record->params, "block.count", count);
        for (unsigned i = 0; i < answer->images->len; i++) {
                const struct domain_image_stats *image =
                        &g_array_index(answer->images, struct domain_image_stats, i);

                if (record->backing || image->depth == 0)
                        write_image(record, number++, image);
        }
        params_set_prefix(record->params, "%s", "");
}

static void write_perf(const struct record *record)
{
        const struct domain_answer *answer = get_answer(record, DOMAIN_PART_PERF);

        params_set_prefix(record->params, "perf.");
        for (unsigned i = 0; answer && i < DOMAIN_PERF_EVENTS; i++) {
                if (answer->perf_events >> i & 1)
                        params_add_ulong(record->params, domain_perf_names[i], answer->perf[i]);
        }
        params_set_prefix(record->params, "%s", "");
}

static void write_iothreads(const struct record *record)
{
        const struct domain_answer *answer = get_answer(record, DOMAIN_PART_IOTHREADS);
        struct params *params = record->params;

        if (!answer)
                return;
        params_add_uint(params, "iothread.count", answer->iothreads->len);
        for (unsigned i = 0; i < answer->iothreads->len; i++) {
                const struct domain_iothread_stats *thread =
                        &g_array_index(answer->iothreads, struct domain_iothread_stats, i);

                params_set_prefix(params, "iothread.%u.", thread->id);
                params_add_ulong(params, "poll-max-ns", thread->poll_max_ns);
                params_add_uint(params, "poll-grow", thread->poll_grow);
                params_add_uint(params, "poll-shrink", thread->poll_shrink);
        }
        params_set_prefix(params, "%s", "");
}

static void write_dirty_rate(const struct record *record)
{
        enum { MEASURED = 2 };
        const struct domain_answer *answer = get_answer(record, DOMAIN_PART_DIRTY_RATE);
        const struct domain_dirty_rate *rate = answer ? &answer->dirty_rate : NULL;
        struct params *params = record->params;

        if (!rate)
                return;
        params_add_int(params, "dirtyrate.calc_status", rate->status);
        params_add_long(params, "dirtyrate.calc_start_time", rate->start_s);
        params_add_int(params, "dirtyrate.calc_period", rate->period_s);
        params_add_string(params, "dirtyrate.calc_mode", rate->mode);
        if (rate->status != MEASURED)
                return;
        params_add_long(params, "dirtyrate.megabytes_per_second", rate->mib_per_s);
        for (unsigned i = 0; rate->vcpus && i < rate->vcpus->len; i++) {
                const struct domain_vcpu_dirty_rate *vcpu =
                        &g_array_index(rate->vcpus, struct domain_vcpu_dirty_rate, i);

                params_set_prefix(params, "dirtyrate.vcpu.%u.", vcpu->vcpu);
                params_add_ulong(params, "megabytes_per_second", vcpu->mib_per_s);
        }
        params_set_prefix(params, "%s", "");
}

struct group {
        enum domain_stats_group group;
        void (*write)(const struct record *record);
        int part;             /* enum domain_part: whose age is told; -1: none */
        unsigned measured;    /* enum domain_measure_parts */
        const char *age_name; /* of the parameter */
};

static const struct group groups[] = {
        { DOMAIN_STATS_STATE, write_state, -1, 0, NULL },
        { DOMAIN_STATS_CPU_TOTAL, write_cpu, DOMAIN_PART_VCPU_COUNTERS,
          DOMAIN_MEASURE_PROCESS | DOMAIN_MEASURE_MONITORS, "cpu.age" },
        { DOMAIN_STATS_BALLOON, write_balloon, DOMAIN_PART_BALLOON, DOMAIN_MEASURE_PROCESS, "balloon.age" },
        { DOMAIN_STATS_VCPU, write_vcpus, DOMAIN_PART_VCPU_COUNTERS,
          DOMAIN_MEASURE_VCPUS | DOMAIN_MEASURE_WAITS, "vcpu.age" },
        { DOMAIN_STATS_INTERFACE, write_interfaces, -1, DOMAIN_MEASURE_INTERFACES, NULL },
        { DOMAIN_STATS_BLOCK, write_blocks, DOMAIN_PART_BLOCK, 0, "block.age" },
        { DOMAIN_STATS_PERF, write_perf, DOMAIN_PART_PERF, 0, "perf.age" },
        { DOMAIN_STATS_IOTHREAD, write_iothreads, DOMAIN_PART_IOTHREADS, 0, "iothread.age" },
        { DOMAIN_STATS_MEMORY, write_memory, -1, DOMAIN_MEASURE_MONITORS, NULL },
        { DOMAIN_STATS_DIRTYRATE, write_dirty_rate, DOMAIN_PART_DIRTY_RATE, 0, "dirtyrate.age" },
        { DOMAIN_STATS_VM, write_vm, DOMAIN_PART_COUNTERS, 0, "vm.age" },
};

static void take_measure(const struct stats_entry *entry, unsigned wanted, struct domain_measure *measure)
{
        const struct domain_driver_ops *ops = entry->stats.domain->driver->ops;

        for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++)
                measure->parts |= wanted & groups[i].group ? groups[i].measured : 0;
        if (entry->state->base.active && measure->parts && ops->measure)
                ops->measure(entry->stats.domain->driver, entry->state, measure);
}

static void write_age(const struct record *record, const struct group *group, gint64 now_us)
{
        const struct domain_answer *answer = group->part >= 0 ? get_answer(record, group->part) : NULL;

        if (answer && record->entry->stale & DOMAIN_PART_BIT(group->part))
                params_add_ulong(record->params, group->age_name,
                                 (uint64_t)(now_us - answer->made_us) / 1000);
}

void stats_write(struct stats_entry *entry, const struct stats_request *request,
                 const struct link_counters *links, gint64 now_us)
{
        struct domain_measure measure = { .links = links };
        const struct record record = {
                .params = params_new(),
                .entry = entry,
                .state = entry->state,
                .def = domain_state_get_def(entry->state),
                .host = &measure,
                .backing = request->backing,
        };

        take_measure(entry, request->groups, &measure);
        for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++) {
                if (!(request->groups & groups[i].group))
                        continue;
                groups[i].write(&record);
                write_age(&record, &groups[i], now_us);
        }
        entry->stats.params = record.params;
        domain_measure_clear(&measure);
}
