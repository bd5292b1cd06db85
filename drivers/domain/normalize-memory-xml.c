/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Normalisation of the guest's memory: sizes, NUMA cells, limits. No state; any thread.
 */
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

#include "base/error.h"
#include "base/units.h"
#include "drivers/domain/cpuset.h"

#include <limits.h>

/* VIR_DOMAIN_MEMORY_PARAM_UNLIMITED: the largest number of KiB whose bytes fit an int64_t. */
#define UNLIMITED_KIB (UINT64_C(0x7fffffffffffffff) >> 10)

/* ---- sizes ---- */

static bool refuse_size(const xmlNode *node, uint64_t value, const char *unit, uint64_t default_unit,
                        GError **error)
{
        g_autofree char *quoted = error_quote(unit);
        uint64_t bytes;

        if (!units_scale(0, unit, default_unit, 0, &bytes, NULL))
                return xml_error(error, node, "unknown unit '%s': expected " UNITS_NAMES, quoted);
        return xml_error(error, node,
                         "a size of %" G_GUINT64_FORMAT " %s is more than the limit of %" G_GUINT64_FORMAT
                         " KiB",
                         value, unit && *unit ? quoted : "KiB", DOMAIN_MEMORY_KIB_MAX);
}

/* Rewrites a size (the attribute attr, or the text when it is NULL) in KiB; an empty or absent one gives 0.
 */
static bool scale_to_kib(xmlNode *node, const char *attr, uint64_t default_unit, uint64_t *kib,
                         GError **error)
{
        uint64_t value = 0, bytes;
        const char *unit = hardware_peek(node, "unit");
        g_autofree char *text = NULL;

        if ((attr || *hardware_peek_text(node)) && !xml_get_uint64(node, attr, &value, error))
                return false;
        if (!units_scale(value, unit, default_unit, DOMAIN_MEMORY_KIB_MAX * 1024, &bytes, NULL))
                return refuse_size(node, value, unit, default_unit, error);
        *kib = bytes / 1024 + (bytes % 1024 != 0);
        text = g_strdup_printf("%" G_GUINT64_FORMAT, *kib);
        if (attr && !hardware_is(node, attr, text))
                xml_set_attr(node, attr, text);
        else if (!attr && strcmp(hardware_peek_text(node), text) != 0)
                xml_set_text(node, text);
        if (!unit || strcmp(unit, "KiB") != 0)
                xml_set_attr(node, "unit", "KiB");
        return true;
}

static bool scale_children(xmlNode *parent, const char *const names[], GError **error)
{
        uint64_t kib;

        XML_FOREACH_CHILD (node, parent) {
                if (g_strv_contains(names, (const char *)node->name) &&
                    !scale_to_kib(node, NULL, 1024, &kib, error))
                        return false;
        }
        return true;
}

/* The guest's memory is that of its NUMA cells where there are some. */
static bool sum_numa_cells(xmlNode *root, uint64_t *sum, GError **error)
{
        unsigned index = 0;

        *sum = 0;
        XML_FOREACH_CHILD (cell, xml_child(xml_child(root, "cpu"), "numa")) {
                uint64_t kib;

                if (!xml_is(cell, "cell"))
                        continue;
                if (!xml_has_attr(cell, "id"))
                        xml_set_attr_format(cell, "id", "%u", index);
                index++;
                if (!scale_to_kib(cell, "memory", 1024, &kib, error))
                        return false;
                *sum += kib;
        }
        return true;
}

static bool sum_devices(const struct hardware *hardware, uint64_t *sum, GError **error)
{
        *sum = 0;
        HARDWARE_FOREACH (device, hardware, DOMAIN_DEVICE_MEMORY) {
                xmlNode *size = xml_child(xml_child(device, "target"), "size");
                uint64_t kib;

                if (size && !scale_to_kib(size, NULL, 1024, &kib, error))
                        return false;
                *sum += size ? kib : 0;
        }
        return true;
}

/* ---- memory devices ---- */

static bool is_in_slot(const xmlNode *device)
{
        return hardware_is(device, "model", "dimm") || hardware_is(device, "model", "nvdimm");
}

static bool is_taken(const struct hardware *hardware, unsigned slot)
{
        HARDWARE_FOREACH (device, hardware, DOMAIN_DEVICE_MEMORY) {
                const xmlNode *address = xml_child(device, "address");
                unsigned used = UINT_MAX;

                if (hardware_is(address, "type", "dimm") &&
                    hardware_get_uint(address, "slot", UINT_MAX, &used, NULL) && used == slot)
                        return true;
        }
        return false;
}

bool normalize_scale_memory(xmlNode *node, GError **error)
{
        xmlNode *size = xml_child(xml_child(node, "target"), "size");
        uint64_t kib;

        return !size || scale_to_kib(size, NULL, 1024, &kib, error);
}

bool normalize_fill_memory(const struct hardware *hardware, xmlNode *node, GError **error)
{
        xmlNode *address;
        unsigned slot = 0;

        if (!normalize_scale_memory(node, error))
                return false;
        if (!hardware->machine->emulator || !is_in_slot(node) || xml_child(node, "address"))
                return true;
        while (is_taken(hardware, slot))
                slot++;
        address = xml_add(node, "address");
        xml_set_attr(address, "type", "dimm");
        xml_set_attr_format(address, "slot", "%u", slot);
        return true;
}

/* libvirt's number for "no limit" is what its clients write, too; to have none is to say nothing. */
static bool is_unlimited(const xmlNode *limit)
{
        const char *unit = hardware_peek(limit, "unit");
        uint64_t value = 0;

        return xml_get_uint64(limit, NULL, &value, NULL) && value == UNLIMITED_KIB &&
               (!unit || g_ascii_strcasecmp(unit, "KiB") == 0 || g_ascii_strcasecmp(unit, "k") == 0);
}

static bool fill_limits(xmlNode *memtune, GError **error)
{
        static const char *const limits[] = { "hard_limit", "soft_limit", "min_guarantee", "swap_hard_limit",
                                              NULL };

        for (xmlNode *limit = xml_first_element(memtune), *next; limit; limit = next) {
                next = xml_next_element(limit);
                if (g_strv_contains(limits, (const char *)limit->name) && is_unlimited(limit))
                        xml_remove(limit);
        }
        if (!memtune || xml_first_element(memtune))
                return scale_children(memtune, limits, error);
        xml_remove(memtune);
        return true;
}

/* ---- memory that another process sees ---- */

/* Is there a device whose other half is a process of its own (vhost-user)? */
static bool has_served_device(const struct hardware *hardware)
{
        HARDWARE_FOREACH (fs, hardware, DOMAIN_DEVICE_FILESYSTEM) {
                if (hardware_child_is(fs, "driver", "type", "virtiofs"))
                        return true;
        }
        HARDWARE_FOREACH (interface, hardware, DOMAIN_DEVICE_INTERFACE) {
                if (hardware_is(interface, "type", "vhostuser"))
                        return true;
        }
        HARDWARE_FOREACH (disk, hardware, DOMAIN_DEVICE_DISK) {
                if (hardware_is(disk, "type", "vhostuser"))
                        return true;
        }
        HARDWARE_FOREACH (video, hardware, DOMAIN_DEVICE_VIDEO) {
                if (hardware_child_is(video, "driver", "name", "vhostuser"))
                        return true;
        }
        return false;
}

static bool all_cells_say(const xmlNode *root)
{
        bool any = false;

        XML_FOREACH_CHILD (cell, xml_child(xml_child(root, "cpu"), "numa")) {
                if (xml_is(cell, "cell") && !xml_has_attr(cell, "memAccess"))
                        return false;
                any = any || xml_is(cell, "cell");
        }
        return any;
}

/* Where nothing is said of it, memory is shared with such a process, as it has to be. */
static void share(const struct hardware *hardware)
{
        xmlNode *root = hardware->root, *backing;

        if (!hardware->machine->emulator || !has_served_device(hardware) || all_cells_say(root) ||
            xml_child(xml_child(root, "memoryBacking"), "access"))
                return;
        backing = hardware_child(root, "memoryBacking");
        if (!xml_child(backing, "source") && !xml_child(backing, "hugepages"))
                xml_set_attr(xml_add(backing, "source"), "type", "memfd");
        xml_set_attr(xml_add(backing, "access"), "mode", "shared");
}

static bool fill_backing(const struct hardware *hardware, GError **error)
{
        xmlNode *root = hardware->root;
        uint64_t kib;

        share(hardware);

        XML_FOREACH_CHILD (page, xml_child(xml_child(root, "memoryBacking"), "hugepages")) {
                if (xml_is(page, "page") && !scale_to_kib(page, "size", 1024, &kib, error))
                        return false;
        }
        return fill_limits(xml_child(root, "memtune"), error);
}

bool normalize_memory(const struct hardware *hardware, GError **error)
{
        xmlNode *root = hardware->root;
        xmlNode *memory = hardware_child(root, "memory"), *current = hardware_child(root, "currentMemory");
        xmlNode *max = xml_child(root, "maxMemory");
        uint64_t memory_kib, current_kib, cells_kib, max_kib, devices_kib;

        if (!sum_numa_cells(root, &cells_kib, error) ||
            !scale_to_kib(memory, NULL, 1024, &memory_kib, error) ||
            !scale_to_kib(current, NULL, 1024, &current_kib, error))
                return false;
        if (max && !scale_to_kib(max, NULL, 1024, &max_kib, error))
                return false;
        /* With memory devices <memory> is the sum of both. */
        if (!sum_devices(hardware, &devices_kib, error))
                return false;
        if (cells_kib > 0 && memory_kib != cells_kib + devices_kib) {
                memory_kib = cells_kib + devices_kib;
                g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, memory_kib);
                xml_set_text(memory, text);
        }
        if (memory_kib == 0)
                return xml_error(error, memory, "the size of the memory is missing or zero");
        if (current_kib == 0 || current_kib > memory_kib)
                xml_set_text(current, hardware_peek_text(memory));
        return fill_backing(hardware, error);
}

/* ---- the CPUs of NUMA cells ---- */

static void put_cpus(xmlNode *cell, uint64_t *words, unsigned n_words)
{
        const struct domain_cpuset set = { words, n_words };
        g_autofree char *text = domain_cpuset_format(&set);

        if (*text && !hardware_is(cell, "cpus", text))
                xml_set_attr(cell, "cpus", text);
}

void normalize_cells(xmlNode *root, unsigned vcpus)
{
        uint64_t named[DOMAIN_VCPUS_MAX / 64] = { 0 }, first[DOMAIN_VCPUS_MAX / 64] = { 0 };
        xmlNode *cell_0 = NULL;

        XML_FOREACH_CHILD (cell, xml_child(xml_child(root, "cpu"), "numa")) {
                const char *cpus = hardware_peek(cell, "cpus");

                if (!xml_is(cell, "cell"))
                        continue;
                if (hardware_is(cell, "id", "0"))
                        cell_0 = cell;
                /* Malformed ones are the reader's to refuse. */
                if (cpus && (!domain_cpuset_parse(cpus, DOMAIN_VCPUS_MAX, named) ||
                             (cell == cell_0 && !domain_cpuset_parse(cpus, DOMAIN_VCPUS_MAX, first))))
                        return;
        }
        if (!cell_0)
                return;
        for (unsigned vcpu = 0; vcpu < vcpus; vcpu++) {
                if (!(named[vcpu / 64] >> (vcpu % 64) & 1))
                        first[vcpu / 64] |= UINT64_C(1) << (vcpu % 64);
        }
        put_cpus(cell_0, first, G_N_ELEMENTS(first));
}
