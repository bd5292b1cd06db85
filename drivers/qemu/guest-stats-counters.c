/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What KVM counts of a guest, as QEMU passes it on from the kernel (query-stats). Names are the kernel's and
 * come and go with it; what there is says query-stats-schemas. No state.
 */
#include "drivers/qemu/guest-stats.h"

#include "drivers/qemu/qmp-value.h"

#include <string.h>

/* The kernel has some 80 of either target. */
#define KINDS_MAX 1024
/* In one answer. */
#define COUNTERS_MAX 65536

#define PROVIDER "kvm"

/* They become names of typed parameters. */
static bool is_name(const char *name)
{
        size_t length = strlen(name);

        return length > 0 && length <= DOMAIN_COUNTER_NAME_MAX &&
               strspn(name, "abcdefghijklmnopqrstuvwxyz_-0123456789") == length;
}

/* ---- kinds ---- */

static bool find_kind(const char *type, enum domain_counter_kind *kind)
{
        static const char *const types[DOMAIN_COUNTER_KINDS] = {
                [DOMAIN_COUNTER_SUM] = "cumulative",
                [DOMAIN_COUNTER_NOW] = "instant",
                [DOMAIN_COUNTER_PEAK] = "peak",
        };

        for (unsigned i = 0; i < DOMAIN_COUNTER_KINDS; i++) {
                if (strcmp(types[i], type) == 0) {
                        *kind = i;
                        return true;
                }
        }
        return false;
}

static char *make_key(const char *target, const char *name)
{
        return g_strconcat(target, "/", name, NULL);
}

static void read_schema(GHashTable *kinds, const json_t *schema)
{
        const json_t *stats = json_object_get(schema, "stats"), *entry;
        const char *target = qmp_get_text(schema, "target");
        size_t i;

        if (strcmp(qmp_get_text(schema, "provider"), PROVIDER) != 0)
                return;
        json_array_foreach(stats, i, entry)
        {
                const char *name = qmp_get_text(entry, "name");
                enum domain_counter_kind kind;

                if (is_name(name) && find_kind(qmp_get_text(entry, "type"), &kind) &&
                    g_hash_table_size(kinds) < KINDS_MAX)
                        g_hash_table_replace(kinds, make_key(target, name), GUINT_TO_POINTER(kind + 1));
        }
}

GHashTable *guest_stats_read_kinds(const json_t *schemas)
{
        GHashTable *kinds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        const json_t *schema;
        size_t i;

        json_array_foreach(schemas, i, schema) read_schema(kinds, schema);
        return kinds;
}

/* ---- numbers ---- */

struct reading {
        struct domain_answer *answer; /* borrowed */
        GHashTable *kinds;            /* borrowed */
        const char *target;
        int vcpu;
};

static void read_counter(const struct reading *reading, const json_t *entry)
{
        const json_t *value = json_object_get(entry, "value");
        g_autofree char *key = make_key(reading->target, qmp_get_text(entry, "name"));
        unsigned kind = GPOINTER_TO_UINT(g_hash_table_lookup(reading->kinds, key));
        struct domain_counter counter = { .vcpu = reading->vcpu, .is_bool = json_is_boolean(value) };

        if (kind == 0 || reading->answer->counters->len >= COUNTERS_MAX ||
            (!counter.is_bool && (!json_is_integer(value) || json_integer_value(value) < 0)))
                return;
        counter.kind = kind - 1;
        counter.value = counter.is_bool ? json_is_true(value) : (uint64_t)json_integer_value(value);
        g_strlcpy(counter.name, qmp_get_text(entry, "name"), sizeof(counter.name));
        g_array_append_val(reading->answer->counters, counter);
}

static void read_provider(const struct reading *reading, const json_t *provider)
{
        const json_t *stats = json_object_get(provider, "stats"), *entry;
        size_t i;

        if (strcmp(qmp_get_text(provider, "provider"), PROVIDER) != 0)
                return;
        json_array_foreach(stats, i, entry) read_counter(reading, entry);
}

/* The number of the vCPU at that place of the emulator's objects; -1: there is none. */
static int find_vcpu(const json_t *cpus, const char *path)
{
        const json_t *cpu;
        size_t i;

        json_array_foreach(cpus, i, cpu)
        {
                json_int_t index = json_integer_value(json_object_get(cpu, "cpu-index"));

                if (*path && strcmp(qmp_get_text(cpu, "qom-path"), path) == 0 && index >= 0 &&
                    index < INT16_MAX)
                        return (int)index;
        }
        return -1;
}

void guest_stats_read_counters(struct domain_answer *answer, GHashTable *kinds, const json_t *vm)
{
        const json_t *provider;
        size_t i;

        json_array_foreach(vm, i, provider)
                read_provider(&(const struct reading){ answer, kinds, "vm", -1 }, provider);
}

void guest_stats_read_vcpu_counters(struct domain_answer *answer, GHashTable *kinds, const json_t *vcpus,
                                    const json_t *cpus)
{
        const json_t *provider;
        size_t i;

        json_array_foreach(vcpus, i, provider)
        {
                const struct reading reading = { answer, kinds, "vcpu",
                                                 find_vcpu(cpus, qmp_get_text(provider, "qom-path")) };

                if (reading.vcpu >= 0)
                        read_provider(&reading, provider);
        }
}

bool guest_stats_know_vcpus(const json_t *vcpus, const json_t *cpus)
{
        const json_t *provider;
        size_t i;

        json_array_foreach(vcpus, i, provider)
        {
                if (find_vcpu(cpus, qmp_get_text(provider, "qom-path")) < 0)
                        return false;
        }
        return true;
}
