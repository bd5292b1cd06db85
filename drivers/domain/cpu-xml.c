/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <cpu>: model, topology and NUMA cells of the guest.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

#define DOMAIN_CACHE_LEVELS 3 /* of ACPI's table, as QEMU has it */
#define MODEL_MAX           128
#define VENDOR_ID_MAX       12

static const char *const mode_names[] = {
        [DOMAIN_CPU_NONE] = "none",
        [DOMAIN_CPU_CUSTOM] = "custom",
        [DOMAIN_CPU_HOST_MODEL] = "host-model",
        [DOMAIN_CPU_HOST_PASSTHROUGH] = "host-passthrough",
        [DOMAIN_CPU_MAXIMUM] = "maximum",
        [DOMAIN_CPU_LAST] = NULL,
};
static const char *const match_names[] = { "minimum", "exact", "strict", NULL };
static const char *const check_names[] = { "none", "partial", "full", NULL };
static const char *const fallback_names[] = { "allow", "forbid", NULL };
static const char *const policy_names[] = { "force", "require", "optional", "disable", "forbid", NULL };
static const char *const cache_names[] = { "emulate", "passthrough", "disable", NULL };
static const char *const maxphysaddr_names[] = { "emulate", "passthrough", NULL };
static const char *const access_names[] = { "private", "shared", NULL };

static const struct field cpu_fields[] = {
        ENUM("mode", struct domain_cpu, mode, mode_names, .min = 1),
        NAME("match", struct domain_cpu, match, match_names),
        NAME("check", struct domain_cpu, check, check_names),
        ON_OFF("migratable", struct domain_cpu, migratable),
        FIELDS_END,
};
static const struct field model_fields[] = {
        STRING(NULL, struct domain_cpu, model, .max = MODEL_MAX),
        NAME("fallback", struct domain_cpu, fallback, fallback_names),
        STRING("vendor_id", struct domain_cpu, vendor_id, .max = VENDOR_ID_MAX),
        FIELDS_END,
};
static const struct field vendor_fields[] = { STRING(NULL, struct domain_cpu, vendor, .max = MODEL_MAX),
                                              FIELDS_END };
static const struct field topology_fields[] = {
        UINT("sockets", struct domain_cpu, sockets, .required = true, .min = 1, .max = DOMAIN_VCPUS_MAX),
        UINT("dies", struct domain_cpu, dies, .min = 1, .max = DOMAIN_VCPUS_MAX),
        UINT("clusters", struct domain_cpu, clusters, .min = 1, .max = DOMAIN_VCPUS_MAX),
        UINT("cores", struct domain_cpu, cores, .required = true, .min = 1, .max = DOMAIN_VCPUS_MAX),
        UINT("threads", struct domain_cpu, threads, .required = true, .min = 1, .max = DOMAIN_VCPUS_MAX),
        FIELDS_END,
};
static const struct field cache_fields[] = {
        NAME("mode", struct domain_cpu, cache_mode, cache_names, .required = true),
        INT("level", struct domain_cpu, cache_level, .max = 3, .min = 1),
        FIELDS_END,
};
static const struct field maxphysaddr_fields[] = {
        NAME("mode", struct domain_cpu, maxphysaddr_mode, maxphysaddr_names, .required = true),
        UINT("bits", struct domain_cpu, maxphysaddr_bits, .max = 64),
        UINT("limit", struct domain_cpu, maxphysaddr_limit, .max = 64),
        FIELDS_END,
};

static const struct field feature_fields[] = {
        STRING("name", struct domain_cpu_feature, name, .required = true, .max = MODEL_MAX),
        NAME("policy", struct domain_cpu_feature, policy, policy_names),
        FIELDS_END,
};
static const struct field_part feature_parts[] = { { NULL, feature_fields }, PARTS_END };

/* ---- NUMA ---- */

static const struct field distance_fields[] = {
        UINT("id", struct domain_numa_distance, cell, .required = true, .max = DOMAIN_VCPUS_MAX),
        UINT("value", struct domain_numa_distance, value, .required = true, .min = 10, .max = 255),
        FIELDS_END,
};
static const struct field_part distance_parts[] = { { NULL, distance_fields }, PARTS_END };

static bool read_distances(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_numa_cell *cell = target;

        return field_read_array(reader, node, "sibling", distance_parts, sizeof(struct domain_numa_distance),
                                &cell->distances, &cell->n_distances, error);
}

static const char *const associativity_names[] = { "none", "direct", "full", NULL };
static const char *const cache_policy_names[] = { "none", "writeback", "writethrough", NULL };
static const char *const link_type_names[] = { "access", "read", "write", NULL };

static const struct field numa_cache_fields[] = {
        UINT("level", struct domain_numa_cache, level, .required = true, .min = 1,
             .max = DOMAIN_CACHE_LEVELS),
        NAME("associativity", struct domain_numa_cache, associativity, associativity_names, .required = true),
        NAME("policy", struct domain_numa_cache, policy, cache_policy_names, .required = true),
        FIELDS_END,
};
static const struct field cache_size_fields[] = {
        KIB("value", struct domain_numa_cache, size_kib, .required = true, .min = 1),
        FIELDS_END,
};
static const struct field cache_line_fields[] = {
        BYTES("value", struct domain_numa_cache, line_bytes, .required = true, .min = 1, .max = UINT16_MAX),
        FIELDS_END,
};

static bool check_cache_parts(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        static const char *const parts[] = { "size", "line" };

        for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
                if (!xml_child(node, parts[i]))
                        return xml_error(error, node, "missing element '%s'", parts[i]);
        }
        return true;
}

static const struct field_part numa_cache_parts[] = {
        { NULL, numa_cache_fields, check_cache_parts },
        { "size", cache_size_fields },
        { "line", cache_line_fields },
        PARTS_END,
};

static bool read_numa_caches(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_numa_cell *cell = target;

        return field_read_array(reader, node, "cache", numa_cache_parts, sizeof(struct domain_numa_cache),
                                &cell->caches, &cell->n_caches, error);
}

static const struct field link_fields[] = {
        UINT("initiator", struct domain_numa_link, initiator, .required = true, .max = DOMAIN_VCPUS_MAX),
        UINT("target", struct domain_numa_link, target, .required = true, .max = DOMAIN_VCPUS_MAX),
        UINT("cache", struct domain_numa_link, cache, .min = 1, .max = DOMAIN_CACHE_LEVELS),
        NAME("type", struct domain_numa_link, type, link_type_names, .required = true),
        FIELDS_END,
};
static const struct field latency_fields[] = {
        UINT("value", struct domain_numa_link, value, .required = true, .min = 1, .max = UINT32_MAX),
        FIELDS_END,
};
static const struct field bandwidth_fields[] = {
        KIB("value", struct domain_numa_link, value, .required = true, .min = 1),
        FIELDS_END,
};
static const struct field_part latency_parts[] = { { NULL, link_fields },
                                                   { NULL, latency_fields },
                                                   PARTS_END };
static const struct field_part bandwidth_parts[] = { { NULL, link_fields },
                                                     { NULL, bandwidth_fields },
                                                     PARTS_END };

static bool read_links(struct domain_reader *reader, xmlNode *node, struct domain_cpu *cpu, GError **error)
{
        xmlNode *links = xml_child(node, "interconnects");

        if (!links)
                return true;
        return field_read_array(reader, links, "latency", latency_parts, sizeof(struct domain_numa_link),
                                &cpu->latencies, &cpu->n_latencies, error) &&
               field_read_array(reader, links, "bandwidth", bandwidth_parts, sizeof(struct domain_numa_link),
                                &cpu->bandwidths, &cpu->n_bandwidths, error);
}

static const struct field cell_fields[] = {
        UINT("id", struct domain_numa_cell, id, .max = DOMAIN_VCPUS_MAX),
        CPUSET("cpus", struct domain_numa_cell, cpus, .max = DOMAIN_VCPUS_MAX),
        KIB("memory", struct domain_numa_cell, memory_kib, .required = true),
        YES_NO("discard", struct domain_numa_cell, discard),
        FIELDS_END,
};

static bool read_cell(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_numa_cell *cell = target;
        struct {
                bool shared;
        } access = { false };
        const struct field fields[] = { BOOL("memAccess", __typeof__(access), shared, access_names),
                                        FIELDS_END };

        if (!field_read(reader, node, fields, &access, error))
                return false;
        if (xml_has_attr(node, "memAccess"))
                cell->shared = access.shared ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
        return true;
}

static const struct field_part cell_parts[] = {
        { NULL, cell_fields, read_cell },
        { "distances", NULL, read_distances },
        { NULL, NULL, read_numa_caches },
        PARTS_END,
};

/* Cells are numbered in the order of the document unless they say otherwise. */
static bool number_cells(const struct domain_cpu *cpu, struct domain_numa_cell *cells, const xmlNode *node,
                         GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        unsigned i = 0;

        for (const xmlNode *cell = xml_child(node, "cell"); cell; cell = xml_next(cell), i++) {
                if (!xml_has_attr(cell, "id"))
                        cells[i].id = i;
                if (cells[i].id >= cpu->n_cells || !g_hash_table_add(seen, GUINT_TO_POINTER(cells[i].id)))
                        return xml_error(error, cell,
                                         "NUMA cell %u is there more than once, or there is a gap before it",
                                         cells[i].id);
        }
        return true;
}

static bool read_numa(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_cpu *cpu = target;
        struct domain_numa_cell *cells = NULL;

        if (!field_read_array(reader, node, "cell", cell_parts, sizeof(*cells), &cells, &cpu->n_cells, error))
                return false;
        cpu->cells = cells;
        return number_cells(cpu, cells, node, error) && read_links(reader, node, cpu, error);
}

static const struct field_part parts[] = {
        { NULL, cpu_fields },        { "model", model_fields },
        { "vendor", vendor_fields }, { "topology", topology_fields },
        { "cache", cache_fields },   { "maxphysaddr", maxphysaddr_fields },
        { "numa", NULL, read_numa }, PARTS_END,
};

bool domain_read_cpu(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_cpu *cpu = target;

        cpu->cache_level = -1;
        if (!field_read_parts(reader, node, parts, cpu, error) ||
            !field_read_array(reader, node, "feature", feature_parts, sizeof(struct domain_cpu_feature),
                              &cpu->features, &cpu->n_features, error))
                return false;
        if (cpu->sockets && !cpu->dies)
                cpu->dies = 1;
        if (cpu->sockets && !cpu->clusters)
                cpu->clusters = 1;
        /* Without a mode a model says the mode. */
        if (cpu->mode == DOMAIN_CPU_NONE && cpu->model)
                cpu->mode = DOMAIN_CPU_CUSTOM;
        return domain_check_plain(node, "CPU model", cpu->model, ",= ", error);
}
