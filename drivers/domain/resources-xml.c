/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a domain gets of its host: memory, virtual CPUs, I/O threads, and where they are.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

#define SLOTS_MAX 256

/* ---- memory ---- */

static const char *const access_names[] = { "private", "shared", NULL };
static const char *const source_names[] = { "file", "anonymous", "memfd", NULL };
static const char *const allocation_names[] = { "immediate", "ondemand", NULL };

static const struct field memory_fields[] = {
        KIB(NULL, struct domain_def, memory_kib),
        ON_OFF("dumpCore", struct domain_def, dump_core),
        FIELDS_END,
};
static const struct field current_memory_fields[] = { KIB(NULL, struct domain_def, current_memory_kib),
                                                      FIELDS_END };
static const struct field max_memory_fields[] = {
        KIB(NULL, struct domain_def, max_memory_kib),
        UINT("slots", struct domain_def, memory_slots, .required = true, .min = 1, .max = SLOTS_MAX),
        FIELDS_END,
};

static const struct field page_fields[] = {
        KIB("size", struct domain_hugepage, size_kib, .required = true),
        CPUSET("nodeset", struct domain_hugepage, nodes, .max = DOMAIN_VCPUS_MAX),
        FIELDS_END,
};
static const struct field_part page_parts[] = { { NULL, page_fields }, PARTS_END };

static bool read_hugepages(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_memory_backing *backing = target;

        backing->has_hugepages = true;
        return field_read_array(reader, node, "page", page_parts, sizeof(struct domain_hugepage),
                                &backing->hugepages, &backing->n_hugepages, error);
}

static bool read_access(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_memory_backing *backing = target;
        struct {
                bool shared;
        } access = { false };
        const struct field fields[] = {
                BOOL("mode", __typeof__(access), shared, access_names, .required = true),
                FIELDS_END,
        };

        if (!field_read(reader, node, fields, &access, error))
                return false;
        backing->shared = access.shared ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
        return true;
}

static const struct field source_fields[] = {
        NAME("type", struct domain_memory_backing, source, source_names), FIELDS_END
};
static const struct field allocation_fields[] = {
        NAME("mode", struct domain_memory_backing, allocation, allocation_names),
        UINT("threads", struct domain_memory_backing, allocation_threads, .min = 1, .max = 1024),
        FIELDS_END,
};
static const struct field locked_fields[] = { PRESENT(NULL, struct domain_memory_backing, locked),
                                              FIELDS_END };
static const struct field nosharepages_fields[] = { PRESENT(NULL, struct domain_memory_backing, nosharepages),
                                                    FIELDS_END };
static const struct field discard_fields[] = { PRESENT(NULL, struct domain_memory_backing, discard),
                                               FIELDS_END };

static const struct field_part backing_parts[] = {
        { "hugepages", NULL, read_hugepages }, { "nosharepages", nosharepages_fields },
        { "locked", locked_fields },           { "source", source_fields },
        { "access", NULL, read_access },       { "allocation", allocation_fields },
        { "discard", discard_fields },         PARTS_END,
};

static bool read_backing(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, backing_parts, target, error);
}

static const struct field_part memory_parts[] = {
        { "memory", memory_fields },
        { "currentMemory", current_memory_fields },
        { "maxMemory", max_memory_fields },
        { "memoryBacking", NULL, read_backing, offsetof(struct domain_def, memory_backing) },
        PARTS_END,
};

bool domain_read_memory(struct domain_reader *reader, xmlNode *root, struct domain_def *def, GError **error)
{
        if (!field_read_parts(reader, root, memory_parts, def, error))
                return false;
        for (unsigned i = 0; def->memory_kib == 0 && i < def->cpu.n_cells; i++)
                def->memory_kib += def->cpu.cells[i].memory_kib;
        if (def->memory_kib == 0)
                return xml_error(error, root, "missing element 'memory', or it is zero");
        if (def->current_memory_kib == 0 || def->current_memory_kib > def->memory_kib)
                def->current_memory_kib = def->memory_kib;
        if (def->max_memory_kib && def->max_memory_kib < def->memory_kib)
                return xml_error(error, xml_child(root, "maxMemory"), "'maxMemory' is less than 'memory'");
        return true;
}

/* ---- CPUs ---- */

static const char *const placement_names[] = { "static", "auto", NULL };
static const char *const no_yes_names[] = { "no", "yes", NULL };

static const struct field vcpu_fields[] = {
        UINT(NULL, struct domain_def, max_vcpus, .min = 1, .max = DOMAIN_VCPUS_MAX),
        UINT("current", struct domain_def, vcpus, .min = 1, .max = DOMAIN_VCPUS_MAX),
        NAME("placement", struct domain_def, vcpu_placement, placement_names),
        CPUSET("cpuset", struct domain_def, cpuset, .max = DOMAIN_CPU_NUMBER_MAX),
        FIELDS_END,
};

static const struct field vcpu_item_fields[] = {
        UINT("id", struct domain_vcpu, id, .required = true, .max = DOMAIN_VCPUS_MAX - 1),
        BOOL("enabled", struct domain_vcpu, enabled, no_yes_names, .required = true),
        YES_NO("hotpluggable", struct domain_vcpu, hotpluggable),
        UINT("order", struct domain_vcpu, order, .min = 1, .max = DOMAIN_VCPUS_MAX),
        FIELDS_END,
};
static const struct field_part vcpu_item_parts[] = { { NULL, vcpu_item_fields }, PARTS_END };

static bool read_vcpu_list(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_def *def = target;

        return field_read_array(reader, node, "vcpu", vcpu_item_parts, sizeof(struct domain_vcpu),
                                &def->vcpu_list, &def->n_vcpu_list, error);
}

/* ---- I/O threads ---- */

static const struct field iothreads_fields[] = {
        UINT(NULL, struct domain_def, iothreads, .max = DOMAIN_IOTHREADS_MAX), FIELDS_END
};

static const struct field pool_fields[] = {
        INT("thread_pool_min", struct domain_thread_pool, min, .max = DOMAIN_POOL_THREADS_MAX),
        INT("thread_pool_max", struct domain_thread_pool, max, .max = DOMAIN_POOL_THREADS_MAX),
        FIELDS_END,
};
static const struct field iothread_fields[] = {
        UINT("id", struct domain_iothread, id, .required = true, .min = 1, .max = INT32_MAX),
        FIELDS_END,
};

static const struct field poll_fields[] = {
        SIGNED("max", struct domain_poll, max, .max = INT64_MAX),
        SIGNED("grow", struct domain_poll, grow, .max = INT64_MAX),
        SIGNED("shrink", struct domain_poll, shrink, .max = INT64_MAX),
        FIELDS_END,
};

static bool read_poll(struct domain_reader *reader, xmlNode *thread, struct domain_poll *poll, GError **error)
{
        xmlNode *node = xml_child(thread, "poll");

        *poll = (struct domain_poll){ -1, -1, -1 };
        if (!node)
                return true;
        if (!field_read(reader, node, poll_fields, poll, error))
                return false;
        if ((xml_has_attr(node, "max") && poll->max < 0) || (xml_has_attr(node, "grow") && poll->grow < 0) ||
            (xml_has_attr(node, "shrink") && poll->shrink < 0))
                return xml_error(error, node, "the times and factors of <poll> are from 0");
        return true;
}

static bool read_pool(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_thread_pool *pool = target;

        if (!field_read(reader, node, pool_fields, pool, error))
                return false;
        if (pool->min >= 0 && pool->max >= 0 && pool->min > pool->max)
                return xml_error(error, node, "'thread_pool_min' is more than 'thread_pool_max'");
        return true;
}

/* The numbers that <iothreadids> gives, and the smallest free ones for those it has none for. */
static bool read_iothread_ids(struct domain_reader *reader, xmlNode *root, struct domain_def *def,
                              GError **error)
{
        const xmlNode *list = xml_child(root, "iothreadids");
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        struct domain_iothread *ids;
        uint32_t n = 0, next = 1;

        for (xmlNode *node = xml_child(list, "iothread"); node; node = xml_next(node))
                n++;
        if (n > DOMAIN_IOTHREADS_MAX)
                return xml_error(error, list, "more than %d I/O threads", DOMAIN_IOTHREADS_MAX);
        def->iothreads = MAX(def->iothreads, n);
        if (def->iothreads == 0)
                return true;
        ids = domain_arena_alloc(reader->arena, def->iothreads * sizeof(*ids));
        for (unsigned i = 0; i < def->iothreads; i++)
                ids[i] = (struct domain_iothread){ .pool = { -1, -1 }, .poll = { -1, -1, -1 } };
        def->iothread_list = ids;
        for (xmlNode *node = xml_child(list, "iothread"); node; node = xml_next(node), ids++) {
                if (!field_read(reader, node, iothread_fields, ids, error) ||
                    !read_pool(reader, node, &ids->pool, error) ||
                    !read_poll(reader, node, &ids->poll, error))
                        return false;
                if (!g_hash_table_add(seen, GUINT_TO_POINTER(ids->id)))
                        return xml_error(error, node, "I/O thread %u is there more than once", ids->id);
        }
        for (; n < def->iothreads; n++, ids++) {
                while (!g_hash_table_add(seen, GUINT_TO_POINTER(next)))
                        next++;
                ids->id = next;
        }
        return true;
}

/* ---- all of it ---- */

static const struct field_part vcpus_parts[] = {
        { "vcpu", vcpu_fields },
        { "vcpus", NULL, read_vcpu_list },
        { "iothreads", iothreads_fields },
        { "defaultiothread", NULL, read_pool, offsetof(struct domain_def, default_pool) },
        { "cputune", NULL, domain_read_cputune },
        { "memtune", NULL, domain_read_memtune, offsetof(struct domain_def, memtune) },
        { "blkiotune", NULL, domain_read_blkiotune, offsetof(struct domain_def, blkiotune) },
        { "numatune", NULL, domain_read_numatune, offsetof(struct domain_def, numatune) },
        { "throttlegroups", NULL, domain_read_throttle_groups, offsetof(struct domain_def, throttle_groups) },
        PARTS_END,
};

static bool check_vcpus(const struct domain_def *def, const xmlNode *root, GError **error)
{
        if (def->vcpus > def->max_vcpus)
                return xml_error(error, xml_child(root, "vcpu"),
                                 "%u current vCPUs are more than the maximum of %u", def->vcpus,
                                 def->max_vcpus);
        for (unsigned i = 0; i < def->n_vcpu_list; i++) {
                if (def->vcpu_list[i].id >= def->max_vcpus)
                        return xml_error(error, xml_child(root, "vcpus"),
                                         "vCPU %u is not one of the %u vCPUs", def->vcpu_list[i].id,
                                         def->max_vcpus);
        }
        for (unsigned i = 0; i < def->n_vcpu_pins; i++) {
                if (def->vcpu_pins[i].id >= def->max_vcpus)
                        return xml_error(error, xml_child(root, "cputune"),
                                         "vCPU %u is not one of the %u vCPUs", def->vcpu_pins[i].id,
                                         def->max_vcpus);
        }
        return true;
}

/* <vcpus> says more than <vcpu current=>. */
static void count_vcpus(struct domain_def *def)
{
        def->vcpus = 0;
        for (unsigned i = 0; i < def->n_vcpu_list; i++)
                def->vcpus += def->vcpu_list[i].enabled;
}

bool domain_read_vcpus(struct domain_reader *reader, xmlNode *root, struct domain_def *def, GError **error)
{
        def->max_vcpus = 1;
        def->default_pool = (struct domain_thread_pool){ -1, -1 };
        if (!field_read_parts(reader, root, vcpus_parts, def, error))
                return false;
        if (def->n_vcpu_list > 0)
                count_vcpus(def);
        if (def->vcpus == 0)
                def->vcpus = def->max_vcpus;
        return read_iothread_ids(reader, root, def, error) && check_vcpus(def, root, error);
}
