/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics as text for monitoring systems (OpenMetrics 1.0, openmetrics.io): families of metrics from the
 * typed parameters, by one table. Units are seconds and bytes, as that format wants them. No state; any
 * thread.
 */
#include "drivers/domain/stats-private.h"

#include <inttypes.h>
#include <string.h>

enum metric_unit {
        UNIT_NONE,
        UNIT_SECONDS_OF_NS,
        UNIT_SECONDS_OF_MS,
        UNIT_BYTES,
        UNIT_BYTES_OF_KIB,
};

struct family {
        const char *param; /* '#' stands for a number */
        const char *name;  /* behind "virtbus_domain_" */
        bool is_counter;   /* else it goes up and down */
        enum metric_unit unit;
        const char *help;
};

/* There is one only when it was not asked in time, or did not answer. */
#define AGE "How long ago the guest has said what is told here."

static const struct family families[] = {
        { "state.state", "state", false, UNIT_NONE, "Run state, as virDomainState has it." },
        { "cpu.time", "cpu_seconds", true, UNIT_SECONDS_OF_NS, "CPU time that the guest's process has had." },
        { "cpu.user", "cpu_user_seconds", true, UNIT_SECONDS_OF_NS, "Of these, in user mode." },
        { "cpu.system", "cpu_system_seconds", true, UNIT_SECONDS_OF_NS, "Of these, in the kernel." },
        { "cpu.haltpoll.success.time", "cpu_haltpoll_success_seconds", true, UNIT_SECONDS_OF_NS,
          "Idle virtual CPUs were polled for, and something came." },
        { "cpu.haltpoll.fail.time", "cpu_haltpoll_fail_seconds", true, UNIT_SECONDS_OF_NS,
          "The same, and nothing came." },
        { "cpu.age", "cpu_haltpoll_age_seconds", false, UNIT_SECONDS_OF_MS, AGE },
        { "balloon.current", "memory_bytes", false, UNIT_BYTES_OF_KIB, "Memory that the balloon leaves it." },
        { "balloon.maximum", "memory_maximum_bytes", false, UNIT_BYTES_OF_KIB, "Memory that it can have." },
        { "balloon.rss", "memory_resident_bytes", false, UNIT_BYTES_OF_KIB, "Of the host's memory." },
        { "balloon.unused", "memory_unused_bytes", false, UNIT_BYTES_OF_KIB, "Free, as the guest says." },
        { "balloon.available", "memory_available_bytes", false, UNIT_BYTES_OF_KIB, "As the guest sees it." },
        { "balloon.usable", "memory_usable_bytes", false, UNIT_BYTES_OF_KIB, "Free without swapping." },
        { "balloon.disk_caches", "memory_caches_bytes", false, UNIT_BYTES_OF_KIB, "The guest's caches." },
        { "balloon.swap_in", "swap_in_bytes", true, UNIT_BYTES_OF_KIB, "Read from the guest's swap." },
        { "balloon.swap_out", "swap_out_bytes", true, UNIT_BYTES_OF_KIB, "Written to the guest's swap." },
        { "balloon.major_fault", "major_faults", true, UNIT_NONE, "Page faults with a disk." },
        { "balloon.minor_fault", "minor_faults", true, UNIT_NONE, "Page faults without." },
        { "balloon.age", "memory_age_seconds", false, UNIT_SECONDS_OF_MS, AGE },
        { "vcpu.current", "vcpus", false, UNIT_NONE, "Virtual CPUs." },
        { "vcpu.maximum", "vcpus_maximum", false, UNIT_NONE, "Virtual CPUs that it can have." },
        { "vcpu.#.time", "vcpu_seconds", true, UNIT_SECONDS_OF_NS, "CPU time of a virtual CPU." },
        { "vcpu.#.wait", "vcpu_wait_seconds", true, UNIT_SECONDS_OF_NS, "It could have run." },
        { "vcpu.#.delay", "vcpu_delay_seconds", true, UNIT_SECONDS_OF_NS, "It stood in the host's queue." },
        { "net.#.rx.bytes", "interface_received_bytes", true, UNIT_BYTES, "Received by the guest." },
        { "net.#.rx.pkts", "interface_received_packets", true, UNIT_NONE, "Received by the guest." },
        { "net.#.rx.errs", "interface_receive_errors", true, UNIT_NONE, "Not received, for an error." },
        { "net.#.rx.drop", "interface_receive_drops", true, UNIT_NONE, "Not received, for want of room." },
        { "net.#.tx.bytes", "interface_sent_bytes", true, UNIT_BYTES, "Sent by the guest." },
        { "net.#.tx.pkts", "interface_sent_packets", true, UNIT_NONE, "Sent by the guest." },
        { "net.#.tx.errs", "interface_send_errors", true, UNIT_NONE, "Not sent, for an error." },
        { "net.#.tx.drop", "interface_send_drops", true, UNIT_NONE, "Not sent, for want of room." },
        { "block.#.rd.reqs", "block_reads", true, UNIT_NONE, "Reads of a disk." },
        { "block.#.rd.bytes", "block_read_bytes", true, UNIT_BYTES, "Read from a disk." },
        { "block.#.rd.times", "block_read_seconds", true, UNIT_SECONDS_OF_NS, "Spent on reads." },
        { "block.#.wr.reqs", "block_writes", true, UNIT_NONE, "Writes to a disk." },
        { "block.#.wr.bytes", "block_written_bytes", true, UNIT_BYTES, "Written to a disk." },
        { "block.#.wr.times", "block_write_seconds", true, UNIT_SECONDS_OF_NS, "Spent on writes." },
        { "block.#.fl.reqs", "block_flushes", true, UNIT_NONE, "Flushes of a disk." },
        { "block.#.fl.times", "block_flush_seconds", true, UNIT_SECONDS_OF_NS, "Spent on flushes." },
        { "block.#.allocation", "block_allocation_bytes", false, UNIT_BYTES, "End of what was written." },
        { "block.#.capacity", "block_capacity_bytes", false, UNIT_BYTES, "Size that the guest sees." },
        { "block.#.physical", "block_physical_bytes", false, UNIT_BYTES, "Taken of the storage." },
        { "block.age", "block_age_seconds", false, UNIT_SECONDS_OF_MS, AGE },
};

struct place {
        char pattern[PARAM_NAME_MAX + 1]; /* the name with '#' for its number */
        char number[16];                  /* "": there is none in it */
};

/* "block.12.rd.reqs" is "block.#.rd.reqs" and "12". */
static void find_place(const char *name, struct place *place)
{
        const char *dot = strchr(name, '.');
        size_t digits = dot ? strspn(dot + 1, "0123456789") : 0;

        *place = (struct place){ "", "" };
        if (digits == 0 || digits >= sizeof(place->number) || dot[1 + digits] != '.') {
                g_strlcpy(place->pattern, name, sizeof(place->pattern));
                return;
        }
        g_snprintf(place->pattern, sizeof(place->pattern), "%.*s.#%s", (int)(dot - name), name,
                   dot + 1 + digits);
        g_snprintf(place->number, sizeof(place->number), "%.*s", (int)digits, dot + 1);
}

static void write_escaped(GString *text, const char *value)
{
        for (const char *c = value; *c; c++) {
                if (*c == '\n')
                        g_string_append(text, "\\n");
                else if (*c == '\\' || *c == '"')
                        g_string_append_printf(text, "\\%c", *c);
                else
                        g_string_append_c(text, *c);
        }
}

static void write_label(GString *text, const char *name, const char *value)
{
        g_string_append_printf(text, ",%s=\"", name);
        write_escaped(text, value);
        g_string_append_c(text, '"');
}

/* What the number stands for: a disk and an interface have names. */
static void write_number(GString *text, const struct domain_stats *stats, const struct place *place)
{
        bool is_vcpu = g_str_has_prefix(place->pattern, "vcpu.");
        bool is_disk = g_str_has_prefix(place->pattern, "block.");
        char name[PARAM_NAME_MAX + 1];
        const struct param *param;

        if (!*place->number)
                return;
        if (is_vcpu) {
                write_label(text, "vcpu", place->number);
                return;
        }
        g_snprintf(name, sizeof(name), "%s.%s.name", is_disk ? "block" : "net", place->number);
        param = params_find(stats->params, name);
        write_label(text, is_disk ? "disk" : "interface",
                    param && param->type == PARAM_STRING ? param->value.s : place->number);
}

static bool get_number(const struct param *param, uint64_t *value)
{
        *value = param->type == PARAM_ULONG ? param->value.t : param->value.u;
        return param->type == PARAM_ULONG || param->type == PARAM_UINT || param->type == PARAM_INT;
}

static void write_value(GString *text, uint64_t value, enum metric_unit unit)
{
        const uint64_t ns_per_s = 1000000000, ms_per_s = 1000;

        if (unit == UNIT_SECONDS_OF_NS)
                g_string_append_printf(text, " %" PRIu64 ".%09" PRIu64 "\n", value / ns_per_s,
                                       value % ns_per_s);
        else if (unit == UNIT_SECONDS_OF_MS)
                g_string_append_printf(text, " %" PRIu64 ".%03" PRIu64 "\n", value / ms_per_s,
                                       value % ms_per_s);
        else
                g_string_append_printf(text, " %" PRIu64 "\n",
                                       unit == UNIT_BYTES_OF_KIB ? value * 1024 : value);
}

static void write_sample(GString *text, const struct family *family, const struct domain_stats *stats,
                         const struct place *place, uint64_t value)
{
        g_string_append_printf(text, "virtbus_domain_%s%s{uuid=\"%s\"", family->name,
                               family->is_counter ? "_total" : "", stats->domain->base.uuid_text);
        write_label(text, "domain", stats->name);
        write_number(text, stats, place);
        g_string_append_c(text, '}');
        write_value(text, value, family->unit);
}

static void write_domain(GHashTable *index, GString *const *samples, const struct domain_stats *stats)
{
        for (unsigned i = 0; i < params_get_count(stats->params); i++) {
                const struct param *param = params_get(stats->params, i);
                const struct family *family;
                struct place place;
                uint64_t value;

                find_place(param->name, &place);
                family = g_hash_table_lookup(index, place.pattern);
                if (family && get_number(param, &value))
                        write_sample(samples[family - families], family, stats, &place, value);
        }
}

/* All samples of a family stand together. */
static void write_family(GString *text, const struct family *family, const GString *samples)
{
        static const char *const units[] = {
                [UNIT_SECONDS_OF_NS] = "seconds",
                [UNIT_SECONDS_OF_MS] = "seconds",
                [UNIT_BYTES] = "bytes",
                [UNIT_BYTES_OF_KIB] = "bytes",
        };

        if (samples->len == 0)
                return;
        g_string_append_printf(text, "# TYPE virtbus_domain_%s %s\n", family->name,
                               family->is_counter ? "counter" : "gauge");
        if (units[family->unit])
                g_string_append_printf(text, "# UNIT virtbus_domain_%s %s\n", family->name,
                                       units[family->unit]);
        g_string_append_printf(text, "# HELP virtbus_domain_%s %s\n", family->name, family->help);
        g_string_append_len(text, samples->str, (gssize)samples->len);
}

char *stats_write_metrics(const GPtrArray *list)
{
        g_autoptr(GHashTable) index = g_hash_table_new(g_str_hash, g_str_equal);
        GString *samples[G_N_ELEMENTS(families)], *text = g_string_new(NULL);

        for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
                g_hash_table_insert(index, (char *)families[i].param, (void *)&families[i]);
                samples[i] = g_string_new(NULL);
        }
        for (unsigned i = 0; i < list->len; i++)
                write_domain(index, samples, g_ptr_array_index(list, i));
        for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
                write_family(text, &families[i], samples[i]);
                g_string_free(samples[i], TRUE);
        }
        g_string_append(text, "# EOF\n");
        return g_string_free(text, FALSE);
}
