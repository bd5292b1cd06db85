/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <devices>: one array per kind of device, and what must be unique among all of them.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"
#include "drivers/domain/kinds-xml.h"

#include <string.h>

/*
 * The devices of one controller group have one alias, and a console repeats the alias of the serial port that
 * it stands for.
 */
static bool may_share_alias(const xmlNode *node, const void *device)
{
        if (xml_is(node, "controller"))
                return ((const struct domain_controller *)device)->type == DOMAIN_CONTROLLER_USB;
        return xml_is(node, "console") && ((const struct domain_char *)device)->is_serial_alias;
}

static bool check_unique(struct domain_reader *reader, const xmlNode *node, const void *device,
                         GError **error)
{
        const struct domain_device_info *info = device;

        if (info->alias && !may_share_alias(node, device) &&
            !field_check_unique(reader->aliases, node, "alias", info->alias, error))
                return false;
        if (!info->boot_order || g_hash_table_add(reader->boot_orders, GUINT_TO_POINTER(info->boot_order)))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "boot order '%u' is used for more than one device, at line %u (<%s>)",
                         info->boot_order, xml_line(node), (const char *)node->name);
}

static unsigned count_children(const xmlNode *devices, const char *element)
{
        unsigned n = 0;

        for (const xmlNode *node = xml_child(devices, element); node; node = xml_next(node))
                n++;
        return n;
}

static bool read_device(struct domain_reader *reader, xmlNode *node, const struct domain_kind *row,
                        void *device, GError **error)
{
        return row->read(reader, node, device, error) &&
               (row->anonymous || check_unique(reader, node, device, error));
}

/* The next row that shares the array; NULL: none. */
static const struct domain_kind *next_sharer(const struct domain_kind *row)
{
        const struct domain_kind *next = row + 1;

        return row->count && next < domain_kinds + DOMAIN_DEVICE_KINDS && next->array == row->array ? next
                                                                                                    : NULL;
}

/* The array of a kind and of those that share it: how many each has, and room for all. */
static char *make_array(struct domain_reader *reader, xmlNode *node, const struct domain_kind *first,
                        struct domain_devices *devices)
{
        unsigned sum = 0;
        char *array;

        for (const struct domain_kind *row = first; row; row = next_sharer(row)) {
                unsigned n = count_children(node, row->element);

                if (!row->count)
                        n = MIN(n, 1);
                else
                        *(uint16_t *)((char *)devices + row->count) = (uint16_t)n;
                sum += n;
        }
        if (sum == 0)
                return NULL;
        array = domain_arena_alloc(reader->arena, sum * first->size);
        *(void **)((char *)devices + first->array) = array;
        return array;
}

static bool read_array(struct domain_reader *reader, xmlNode *node, const struct domain_kind *first,
                       struct domain_devices *devices, GError **error)
{
        char *at = make_array(reader, node, first, devices);

        for (const struct domain_kind *row = first; at && row; row = next_sharer(row)) {
                for (xmlNode *it = xml_child(node, row->element); it; it = xml_next(it), at += row->size) {
                        if (!read_device(reader, it, row, at, error))
                                return false;
                        if (!row->count)
                                return true;
                }
        }
        return true;
}

/* One of a type has each number; USB 1.1 controllers that accompany another one have its number. */
static bool check_controllers(const struct domain_devices *devices, const xmlNode *node, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

        for (unsigned i = 0; i < devices->n_controllers; i++) {
                const struct domain_controller *controller = &devices->controllers[i];
                gsize key = (gsize)controller->index * DOMAIN_CONTROLLER_LAST + controller->type;

                if (controller->master_port >= 0 || g_hash_table_add(seen, GSIZE_TO_POINTER(key)))
                        continue;
                return xml_error(error, node, "more than one '%s' controller with index %u",
                                 domain_controller_type_names[controller->type], controller->index);
        }
        return true;
}

static const struct field emulator_fields[] = { PATH(NULL, struct domain_devices, emulator), FIELDS_END };
static const struct field_part parts[] = { { "emulator", emulator_fields }, PARTS_END };

bool domain_read_devices(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_devices *devices = target;
        unsigned n = 0;

        XML_FOREACH_CHILD (child, node)
                n++;
        if (n > DOMAIN_DEVICES_MAX)
                return xml_error(error, node, "more than %d devices", DOMAIN_DEVICES_MAX);
        if (!field_read_parts(reader, node, parts, devices, error) ||
            !domain_read_redirfilter(reader, node, devices, error))
                return false;
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                const struct domain_kind *row = &domain_kinds[kind];

                if (row->read && (kind == 0 || next_sharer(row - 1) != row) &&
                    !read_array(reader, node, row, devices, error))
                        return false;
        }
        devices->n_chars =
                devices->n_serials + devices->n_parallels + devices->n_consoles + devices->n_channels;
        return check_controllers(devices, node, error);
}

/* ---- asking ---- */

const char *domain_device_kind_get_name(enum domain_device_kind kind)
{
        return domain_kinds[kind].element;
}

unsigned domain_devices_get_count(const struct domain_devices *devices, enum domain_device_kind kind)
{
        const struct domain_kind *row = &domain_kinds[kind];

        if (!row->read)
                return 0;
        if (row->count)
                return *(const uint16_t *)((const char *)devices + row->count);
        return *(void *const *)((const char *)devices + row->array) ? 1 : 0;
}

const void *domain_devices_get(const struct domain_devices *devices, enum domain_device_kind kind,
                               unsigned index)
{
        const struct domain_kind *row = &domain_kinds[kind];

        g_assert(index < domain_devices_get_count(devices, kind));
        for (const struct domain_kind *it = row; it > domain_kinds && next_sharer(it - 1) == it; it--)
                index += domain_devices_get_count(devices, (enum domain_device_kind)(it - 1 - domain_kinds));
        return *(const char *const *)((const char *)devices + row->array) + index * row->size;
}

const struct domain_device_info *domain_device_get_info(enum domain_device_kind kind, const void *device)
{
        return domain_kinds[kind].anonymous ? NULL : device;
}
