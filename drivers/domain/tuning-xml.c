/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readers of <cputune>, <memtune>, <blkiotune> and <numatune>. No state; any thread.
 */
#include "drivers/domain/check.h"
#include "drivers/domain/definition-xml.h"

#include <string.h>

/* ---- <cputune>: pins ---- */

static const struct field vcpupin_fields[] = {
        UINT("vcpu", struct domain_pin, id, .required = true, .max = DOMAIN_VCPUS_MAX - 1),
        CPUSET("cpuset", struct domain_pin, cpus, .required = true, .max = DOMAIN_CPU_NUMBER_MAX),
        FIELDS_END,
};
static const struct field iothreadpin_fields[] = {
        UINT("iothread", struct domain_pin, id, .required = true, .min = 1, .max = INT32_MAX),
        CPUSET("cpuset", struct domain_pin, cpus, .required = true, .max = DOMAIN_CPU_NUMBER_MAX),
        FIELDS_END,
};
static const struct field_part vcpupin_parts[] = { { NULL, vcpupin_fields }, PARTS_END };
static const struct field_part iothreadpin_parts[] = { { NULL, iothreadpin_fields }, PARTS_END };

static const struct field emulatorpin_fields[] = {
        CPUSET("cpuset", struct domain_def, emulator_pin, .required = true, .max = DOMAIN_CPU_NUMBER_MAX),
        FIELDS_END,
};
static bool read_pins(struct domain_reader *reader, xmlNode *node, struct domain_def *def, GError **error)
{
        xmlNode *emulator = xml_child(node, "emulatorpin");

        return (!emulator || field_read(reader, emulator, emulatorpin_fields, def, error)) &&
               field_read_array(reader, node, "vcpupin", vcpupin_parts, sizeof(struct domain_pin),
                                &def->vcpu_pins, &def->n_vcpu_pins, error) &&
               field_read_array(reader, node, "iothreadpin", iothreadpin_parts, sizeof(struct domain_pin),
                                &def->iothread_pins, &def->n_iothread_pins, error);
}

/* ---- <cputune>: shares and quotas ---- */

static const struct field shares_fields[] = { UINT(NULL, struct domain_cputune, shares), FIELDS_END };
static const struct field period_fields[] = { UINT(NULL, struct domain_quota, period_us), FIELDS_END };
static const struct field quota_fields[] = { SIGNED(NULL, struct domain_quota, quota_us), FIELDS_END };

#define QUOTA(scope, prefix)                                                                                 \
        { prefix "period", period_fields, NULL, offsetof(struct domain_cputune, quotas[scope]) },            \
        {                                                                                                    \
                prefix "quota", quota_fields, NULL, offsetof(struct domain_cputune, quotas[scope])           \
        }

static const struct field_part amount_parts[] = {
        { "shares", shares_fields },
        QUOTA(DOMAIN_QUOTA_VCPU, ""),
        QUOTA(DOMAIN_QUOTA_GLOBAL, "global_"),
        QUOTA(DOMAIN_QUOTA_EMULATOR, "emulator_"),
        QUOTA(DOMAIN_QUOTA_IOTHREAD, "iothread_"),
        PARTS_END,
};

/* ---- <cputune>: schedulers ---- */

static const char *const scheduler_names[] = { "batch", "idle", "fifo", "rr", NULL };

static const struct field scheduler_fields[] = {
        NAME("scheduler", struct domain_scheduler, policy, scheduler_names, .required = true),
        INT("priority", struct domain_scheduler, priority),
        FIELDS_END,
};
static const struct field vcpusched_fields[] = {
        CPUSET("vcpus", struct domain_scheduler, ids, .required = true, .max = DOMAIN_VCPUS_MAX),
        FIELDS_END,
};
static const struct field iothreadsched_fields[] = {
        CPUSET("iothreads", struct domain_scheduler, ids, .required = true, .max = DOMAIN_VCPUS_MAX),
        FIELDS_END,
};

static bool read_scheduler(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_scheduler *scheduler = target;

        scheduler->priority = -1;
        return field_read(reader, node, scheduler_fields, scheduler, error);
}

static const struct field_part vcpusched_parts[] = { { NULL, vcpusched_fields, read_scheduler }, PARTS_END };
static const struct field_part iothreadsched_parts[] = { { NULL, iothreadsched_fields, read_scheduler },
                                                         PARTS_END };

static bool read_schedulers(struct domain_reader *reader, xmlNode *node, struct domain_cputune *tune,
                            GError **error)
{
        xmlNode *emulator = xml_child(node, "emulatorsched");

        tune->emulator_scheduler.priority = -1;
        return (!emulator || read_scheduler(reader, emulator, &tune->emulator_scheduler, error)) &&
               field_read_array(reader, node, "vcpusched", vcpusched_parts, sizeof(struct domain_scheduler),
                                &tune->vcpu_schedulers, &tune->n_vcpu_schedulers, error) &&
               field_read_array(reader, node, "iothreadsched", iothreadsched_parts,
                                sizeof(struct domain_scheduler), &tune->iothread_schedulers,
                                &tune->n_iothread_schedulers, error);
}

/* ---- <cputune>: caches and memory bandwidth ---- */

static const char *const cache_names[] = { "both", "code", "data", NULL };

static const struct field cache_fields[] = {
        UINT("level", struct domain_cache, level, .required = true, .min = 1, .max = 16),
        UINT("id", struct domain_cache, id, .required = true),
        NAME("type", struct domain_cache, type, cache_names, .required = true),
        KIB("size", struct domain_cache, size_kib, .required = true),
        FIELDS_END,
};
static const struct field bandwidth_fields[] = {
        UINT("id", struct domain_memory_bandwidth, id, .required = true),
        UINT("bandwidth", struct domain_memory_bandwidth, percent, .required = true),
        FIELDS_END,
};
static const struct field monitor_fields[] = {
        UINT("level", struct domain_resource_monitor, level, .min = 1, .max = 16),
        CPUSET("vcpus", struct domain_resource_monitor, vcpus, .required = true, .max = DOMAIN_VCPUS_MAX),
        FIELDS_END,
};
static const struct field share_fields[] = {
        CPUSET("vcpus", struct domain_resource_share, vcpus, .required = true, .max = DOMAIN_VCPUS_MAX),
        FIELDS_END,
};
static const struct field_part cache_parts[] = { { NULL, cache_fields }, PARTS_END };
static const struct field_part bandwidth_parts[] = { { NULL, bandwidth_fields }, PARTS_END };
static const struct field_part monitor_parts[] = { { NULL, monitor_fields }, PARTS_END };

static bool read_share(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_resource_share *share = target;

        return field_read_array(reader, node, "cache", cache_parts, sizeof(struct domain_cache),
                                &share->caches, &share->n_caches, error) &&
               field_read_array(reader, node, "node", bandwidth_parts, sizeof(struct domain_memory_bandwidth),
                                &share->bandwidths, &share->n_bandwidths, error) &&
               field_read_array(reader, node, "monitor", monitor_parts,
                                sizeof(struct domain_resource_monitor), &share->monitors, &share->n_monitors,
                                error);
}

static const struct field_part share_parts[] = { { NULL, share_fields, read_share }, PARTS_END };

bool domain_read_cputune(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_def *def = target;
        struct domain_cputune *tune = &def->cputune;

        return read_pins(reader, node, def, error) &&
               field_read_parts(reader, node, amount_parts, tune, error) &&
               read_schedulers(reader, node, tune, error) &&
               field_read_array(reader, node, "cachetune", share_parts, sizeof(struct domain_resource_share),
                                &tune->cachetunes, &tune->n_cachetunes, error) &&
               field_read_array(reader, node, "memorytune", share_parts, sizeof(struct domain_resource_share),
                                &tune->memorytunes, &tune->n_memorytunes, error);
}

/* ---- <memtune> ---- */

static const struct field hard_fields[] = { KIB(NULL, struct domain_memtune, hard_limit_kib), FIELDS_END };
static const struct field soft_fields[] = { KIB(NULL, struct domain_memtune, soft_limit_kib), FIELDS_END };
static const struct field guarantee_fields[] = { KIB(NULL, struct domain_memtune, min_guarantee_kib),
                                                 FIELDS_END };
static const struct field swap_fields[] = { KIB(NULL, struct domain_memtune, swap_hard_limit_kib),
                                            FIELDS_END };

bool domain_read_memtune(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        static const struct field_part parts[] = {
                { "hard_limit", hard_fields },
                { "soft_limit", soft_fields },
                { "min_guarantee", guarantee_fields },
                { "swap_hard_limit", swap_fields },
                PARTS_END,
        };

        return field_read_parts(reader, node, parts, target, error);
}

/* ---- <blkiotune> ---- */

static const struct field weight_fields[] = { UINT(NULL, struct domain_blkiotune, weight), FIELDS_END };
static const struct field path_fields[] = { PATH(NULL, struct domain_blkio_device, path, .required = true),
                                            FIELDS_END };
static const struct field device_weight_fields[] = { UINT(NULL, struct domain_blkio_device, weight),
                                                     FIELDS_END };
static const struct field read_bytes_fields[] = { UINT(NULL, struct domain_blkio_device, read_bytes_sec),
                                                  FIELDS_END };
static const struct field write_bytes_fields[] = { UINT(NULL, struct domain_blkio_device, write_bytes_sec),
                                                   FIELDS_END };
static const struct field read_iops_fields[] = { UINT(NULL, struct domain_blkio_device, read_iops_sec),
                                                 FIELDS_END };
static const struct field write_iops_fields[] = { UINT(NULL, struct domain_blkio_device, write_iops_sec),
                                                  FIELDS_END };

bool domain_read_blkiotune(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        static const struct field_part tune_parts[] = { { "weight", weight_fields }, PARTS_END };
        static const struct field_part device_parts[] = {
                { "path", path_fields },
                { "weight", device_weight_fields },
                { "read_bytes_sec", read_bytes_fields },
                { "write_bytes_sec", write_bytes_fields },
                { "read_iops_sec", read_iops_fields },
                { "write_iops_sec", write_iops_fields },
                PARTS_END,
        };
        struct domain_blkiotune *tune = target;

        if (!field_read_parts(reader, node, tune_parts, tune, error) ||
            !field_read_array(reader, node, "device", device_parts, sizeof(struct domain_blkio_device),
                              &tune->devices, &tune->n_devices, error))
                return false;
        for (unsigned i = 0; i < tune->n_devices; i++) {
                if (!tune->devices[i].path)
                        return xml_error(error, node, "a <device> of <blkiotune> has no <path>");
        }
        return true;
}

/* ---- <numatune> ---- */

static const char *const placement_names[] = { "static", "auto", NULL };
static const char *const numa_mode_names[] = { "strict", "preferred", "interleave", "restrictive", NULL };

static const struct field numa_memory_fields[] = {
        NAME("mode", struct domain_numatune, mode, numa_mode_names),
        NAME("placement", struct domain_numatune, placement, placement_names),
        CPUSET("nodeset", struct domain_numatune, nodes, .max = DOMAIN_CPU_NUMBER_MAX),
        FIELDS_END,
};
static const struct field memnode_fields[] = {
        UINT("cellid", struct domain_numatune_node, cell, .required = true, .max = DOMAIN_VCPUS_MAX),
        NAME("mode", struct domain_numatune_node, mode, numa_mode_names),
        CPUSET("nodeset", struct domain_numatune_node, nodes, .required = true, .max = DOMAIN_CPU_NUMBER_MAX),
        FIELDS_END,
};
static const struct field_part memnode_parts[] = { { NULL, memnode_fields }, PARTS_END };
static const struct field_part numatune_parts[] = { { "memory", numa_memory_fields }, PARTS_END };

bool domain_read_numatune(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_numatune *numatune = target;

        return field_read_parts(reader, node, numatune_parts, numatune, error) &&
               field_read_array(reader, node, "memnode", memnode_parts, sizeof(struct domain_numatune_node),
                                &numatune->cells, &numatune->n_cells, error);
}

/* ---- <perf> ---- */

#define NAME_OF(id, name) name,
const char *const domain_perf_names[] = { DOMAIN_PERF_LIST(NAME_OF) NULL };

struct perf_event {
        const char *name;
        enum domain_switch enabled;
};

static const struct field perf_fields[] = {
        NAME("name", struct perf_event, name, domain_perf_names, .required = true),
        YES_NO("enabled", struct perf_event, enabled, .required = true),
        FIELDS_END,
};

bool domain_read_perf(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_def *def = target;

        XML_FOREACH_CHILD (child, node) {
                struct perf_event event = { 0 };

                if (!xml_is(child, "event"))
                        continue;
                if (!field_read(reader, child, perf_fields, &event, error))
                        return false;
                for (unsigned i = 0; i < DOMAIN_PERF_EVENTS; i++) {
                        if (event.enabled == DOMAIN_SWITCH_ON &&
                            strcmp(event.name, domain_perf_names[i]) == 0)
                                def->perf_events |= 1U << i;
                }
        }
        return true;
}

/* ---- checks of the document ---- */

static bool check_events_once(const xmlNode *perf, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        XML_FOREACH_CHILD (event, perf) {
                char *name = xml_attr(event, "name");

                if (name && !g_hash_table_add(seen, name))
                        return check_refuse(error, "<perf> has two <event> of one name");
        }
        return true;
}

bool check_tuning_once(const struct check *check, GError **error)
{
        static const char *const once[] = { "emulatorpin", "emulatorsched" };
        const xmlNode *root = xml_root(domain_doc_get_xml(check->doc)), *cputune = xml_child(root, "cputune");

        for (unsigned i = 0; i < G_N_ELEMENTS(once); i++) {
                const xmlNode *node = xml_child(cputune, once[i]);

                if (node && xml_next(node))
                        return check_refuse(error, "<cputune> has two <%s>", once[i]);
        }
        return check_events_once(xml_child(root, "perf"), error);
}
