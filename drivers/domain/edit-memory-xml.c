/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sizes of memory in a definition. No state beside the edit; any thread.
 */
#include "base/error.h"
#include "drivers/domain/edit-private-xml.h"
#include "drivers/domain/hardware-xml.h"

/* The size in KiB that a document in canonical form has in an attribute, or as text (attr NULL). */
static uint64_t get_size(const xmlNode *node, const char *attr)
{
        uint64_t kib = 0;

        xml_get_uint64(node, attr, &kib, NULL);
        return kib;
}

static void set_size(xmlNode *node, const char *attr, uint64_t kib)
{
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, kib);

        if (attr)
                xml_set_attr(node, attr, text);
        else
                xml_set_text(node, text);
}

/* Sizes are far below what an uint64_t of KiB holds (DOMAIN_MEMORY_KIB_MAX). */
static uint64_t round_up(uint64_t kib, uint64_t unit_kib)
{
        return (kib + unit_kib - 1) / unit_kib * unit_kib;
}

/* Returns the size that it has afterwards, 0 for no node. */
static uint64_t align(xmlNode *node, const char *attr, uint64_t unit_kib)
{
        uint64_t kib = get_size(node, attr), aligned = round_up(kib, unit_kib);

        if (aligned != kib)
                set_size(node, attr, aligned);
        return aligned;
}

static uint64_t align_cells(const xmlNode *root, uint64_t unit_kib)
{
        uint64_t sum = 0;

        XML_FOREACH_CHILD (cell, xml_child(xml_child(root, "cpu"), "numa")) {
                if (xml_is(cell, "cell"))
                        sum += align(cell, "memory", unit_kib);
        }
        return sum;
}

/* *before is their sum as the document had it, the result that of now. */
static uint64_t align_devices(const xmlNode *root, uint64_t unit_kib, uint64_t *before)
{
        uint64_t sum = 0;

        *before = 0;
        XML_FOREACH_CHILD (device, xml_child(root, "devices")) {
                xmlNode *size =
                        xml_is(device, "memory") ? xml_child(xml_child(device, "target"), "size") : NULL;

                *before += get_size(size, NULL);
                sum += align(size, NULL, unit_kib);
        }
        return sum;
}

void domain_edit_align_memory(struct domain_edit *edit, uint64_t unit_kib)
{
        xmlNode *memory = xml_child(domain_edit_root(edit), "memory"),
                *current = xml_child(domain_edit_root(edit), "currentMemory");
        uint64_t old = get_size(memory, NULL), devices_before;
        uint64_t cells = align_cells(domain_edit_root(edit), unit_kib);
        uint64_t devices = align_devices(domain_edit_root(edit), unit_kib, &devices_before);
        uint64_t own = old > devices_before ? old - devices_before : old;
        uint64_t all = (cells ? cells : round_up(own, unit_kib)) + devices;

        align(xml_child(domain_edit_root(edit), "maxMemory"), NULL, unit_kib);
        if (all == old)
                return;
        set_size(memory, NULL, all);
        if (get_size(current, NULL) == old)
                set_size(current, NULL, all);
}

/* ---- memory devices that come and go ---- */

/* What a guest is given at once of the device; a virtio-mem device fills by and by. */
static uint64_t get_given(const xmlNode *device, uint64_t size)
{
        return hardware_is(device, "model", "virtio-mem") ? 0 : size;
}

void domain_edit_count_memory(struct domain_edit *edit, const xmlNode *device, bool comes, bool is_summed)
{
        xmlNode *memory = xml_child(domain_edit_root(edit), "memory"),
                *current = xml_child(domain_edit_root(edit), "currentMemory");
        uint64_t all = 0, size = 0, current_kib = 0, given;

        if (!xml_is(device, "memory") ||
            !xml_get_uint64(xml_child(xml_child(device, "target"), "size"), NULL, &size, NULL) ||
            !xml_get_uint64(memory, NULL, &all, NULL) || (!comes && size >= all))
                return;
        if (!is_summed)
                all = comes ? all + size : all - size;
        set_size(memory, NULL, all);
        if (!current || !xml_get_uint64(current, NULL, &current_kib, NULL))
                return;
        given = get_given(device, size);
        if (comes)
                current_kib += given;
        else if (current_kib > given)
                current_kib -= given;
        set_size(current, NULL, MIN(current_kib, all));
}

bool domain_edit_check_room(struct domain_edit *edit, GError **error)
{
        const xmlNode *max = xml_child(domain_edit_root(edit), "maxMemory");
        uint64_t slots = 0, max_kib = 0, all = 0;
        unsigned count = 0;

        XML_FOREACH_CHILD (device, xml_child(domain_edit_root(edit), "devices"))
                count += xml_is(device, "memory");
        if (!max)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "a memory device needs <maxMemory slots=>, which the domain does not have");
        if (xml_get_uint64(max, "slots", &slots, NULL) && count > slots)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "%u memory devices do not fit into the %" G_GUINT64_FORMAT
                                 " slots of <maxMemory>",
                                 count, slots);
        if (!xml_get_uint64(xml_child(domain_edit_root(edit), "memory"), NULL, &all, NULL) ||
            !xml_get_uint64(max, NULL, &max_kib, NULL) || all <= max_kib)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                         "with the device the domain would have %" G_GUINT64_FORMAT
                         " KiB of memory, more than its <maxMemory> of %" G_GUINT64_FORMAT " KiB",
                         all, max_kib);
}
