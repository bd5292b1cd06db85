/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects that several disks have in common: groups of limits, and the helper for reservations. Values only;
 * any thread.
 */
#include "drivers/qemu/device-internal.h"

#include "drivers/qemu/block.h"
#include "drivers/qemu/qemu-caps.h"

#include <string.h>

#define MANAGED_RESERVATIONS "pr-helper0"

/* A file, a block device, something on the network, or a volume, whose path its chain knows. */
bool device_disk_has_source(const struct domain_disk *disk)
{
        return disk->source.path || disk->source.network || disk->source.volume || disk->source.nvme;
}

/*
 * Is the object that disk needs there already: because of a disk before it, and while the guest runs because
 * of any other?
 */
static bool has_other(const struct device_context *context, const struct domain_disk *disk,
                      bool (*shares)(const struct domain_disk *other, const void *what), const void *what)
{
        const struct domain_devices *devices = &context->def->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *other = &devices->disks[i];

                if (strcmp(other->target, disk->target) != 0) {
                        if (device_disk_has_source(other) && shares(other, what))
                                return true;
                } else if (!context->hot) {
                        return false;
                }
        }
        return false;
}

/* ---- limits ---- */

static bool is_in_group(const struct domain_disk *other, const void *group)
{
        for (const struct domain_iotune *tune = other->iotune; tune; tune = tune->next) {
                if (g_strcmp0(tune->group_name, group) == 0)
                        return true;
        }
        return false;
}

json_t *device_throttle_limits(const struct domain_iotune *tune, bool all)
{
        const struct {
                const char *name;
                uint64_t value;
        } limits[] = {
                { "bps-total", tune->total_bytes_sec },
                { "bps-read", tune->read_bytes_sec },
                { "bps-write", tune->write_bytes_sec },
                { "iops-total", tune->total_iops_sec },
                { "iops-read", tune->read_iops_sec },
                { "iops-write", tune->write_iops_sec },
                { "bps-total-max", tune->total_bytes_sec_max },
                { "bps-read-max", tune->read_bytes_sec_max },
                { "bps-write-max", tune->write_bytes_sec_max },
                { "iops-total-max", tune->total_iops_sec_max },
                { "iops-read-max", tune->read_iops_sec_max },
                { "iops-write-max", tune->write_iops_sec_max },
                { "bps-total-max-length", tune->total_bytes_sec_max_length },
                { "bps-read-max-length", tune->read_bytes_sec_max_length },
                { "bps-write-max-length", tune->write_bytes_sec_max_length },
                { "iops-total-max-length", tune->total_iops_sec_max_length },
                { "iops-read-max-length", tune->read_iops_sec_max_length },
                { "iops-write-max-length", tune->write_iops_sec_max_length },
                { "iops-size", tune->size_iops_sec },
        };
        json_t *object = json_object();

        for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++) {
                /* A burst lasts for a second at least. */
                unsigned least = g_str_has_suffix(limits[i].name, "-length");

                if (all)
                        device_set_int(object, limits[i].name, (json_int_t)MAX(limits[i].value, least));
                else
                        device_set_uint(object, limits[i].name, limits[i].value);
        }
        return object;
}

/* Ids of objects are letters, digits, '-', '.', '_', beginning with a letter; ours begin with a prefix. */
static bool is_id(const char *text)
{
        return text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._")] ==
               '\0';
}

char *device_throttle_id(const struct domain_disk *disk, const struct domain_iotune *tune)
{
        return g_strconcat(DEVICE_THROTTLE_PREFIX, tune->group_name ? tune->group_name : disk->info.alias,
                           NULL);
}

#define FILTER_FORMAT "libvirt-%u-throttle"

char *device_throttle_prefix(unsigned index)
{
        return g_strdup_printf(FILTER_FORMAT, index);
}

/* By its place, so that what is below it is the same whichever group it keeps to. */
static void format_filter_name(const struct block_image *top, unsigned place, char name[BLOCK_NODE_NAME_SIZE])
{
        if (place == 0)
                g_snprintf(name, BLOCK_NODE_NAME_SIZE, FILTER_FORMAT, top->index);
        else
                g_snprintf(name, BLOCK_NODE_NAME_SIZE, FILTER_FORMAT "%u", top->index, place);
}

/* The group of a disk that names none has its alias for a name: that is nobody else's. */
static bool check_name(const struct domain_devices *devices, const struct domain_disk *disk,
                       const struct domain_iotune *tune, GError **error)
{
        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *other = &devices->disks[i];
                bool same = tune->group_name ? g_strcmp0(other->info.alias, tune->group_name) == 0
                                             : is_in_group(other, disk->info.alias);

                if (same && strcmp(other->target, disk->target) != 0)
                        return device_unsupported(
                                error, "<group_name> '%s' of disk '%s', which is the alias of disk '%s'",
                                tune->group_name ? tune->group_name : disk->info.alias,
                                tune->group_name ? disk->target : other->target,
                                tune->group_name ? other->target : disk->target);
        }
        return true;
}

static bool check_group(const struct domain_devices *devices, const struct domain_disk *disk,
                        const struct domain_iotune *tune, GError **error)
{
        g_autofree char *id = device_throttle_id(disk, tune);

        if (!is_id(id))
                return device_unsupported(error, "characters of <group_name> of disk '%s'", disk->target);
        return check_name(devices, disk, tune, error);
}

bool device_check_throttle(const struct domain_devices *devices, const struct domain_disk *disk,
                           GError **error)
{
        for (const struct domain_iotune *tune = disk->iotune; tune; tune = tune->next) {
                if (!check_group(devices, disk, tune, error))
                        return false;
        }
        return true;
}

/* Disks that name a group share the limits of the first of them. */
static bool add_group(struct device_list *list, const struct device_context *context,
                      const struct domain_disk *disk, const struct domain_iotune *tune, GError **error)
{
        g_autofree char *id = device_throttle_id(disk, tune);
        json_t *object;

        if (!check_group(&context->def->devices, disk, tune, error))
                return false;
        if (tune->group_name && has_other(context, disk, is_in_group, tune->group_name))
                return true;
        object = device_object("throttle-group", id);
        json_object_set_new(object, "limits", device_throttle_limits(tune, false));
        device_list_add(list, DEVICE_OBJECT, object);
        return true;
}

bool device_add_throttle(struct device_list *list, const struct device_context *context,
                         const struct domain_disk *disk, char *node, GError **error)
{
        const struct device_resources *resources = device_get_resources(context, disk->info.alias);
        const struct block_image *top = resources->chain->pdata[0];
        unsigned place = 0;

        for (const struct domain_iotune *tune = disk->iotune; tune; tune = tune->next) {
                g_autofree char *id = device_throttle_id(disk, tune);
                char name[BLOCK_NODE_NAME_SIZE];
                json_t *filter;

                if (!add_group(list, context, disk, tune, error))
                        return false;
                format_filter_name(top, place++, name);
                filter = json_object();
                device_set_string(filter, "driver", "throttle");
                device_set_string(filter, "node-name", name);
                device_set_string(filter, "throttle-group", id);
                device_set_string(filter, "file", node);
                device_list_add(list, DEVICE_BLOCKDEV, filter);
                g_strlcpy(node, name, BLOCK_NODE_NAME_SIZE);
        }
        return true;
}

bool device_has_throttle(const struct domain_disk *disk)
{
        json_t *limits;
        bool any;

        if (!disk->iotune)
                return false;
        limits = device_throttle_limits(disk->iotune, false);
        any = json_object_size(limits) > 0;
        json_decref(limits);
        return any || disk->iotune->group_name;
}

/* ---- reservations ---- */

static bool is_managed(const struct domain_disk *disk, const void *unused)
{
        return disk->source.reservations && disk->source.reservations->managed == DOMAIN_SWITCH_ON;
}

char *device_reservations_id(const struct domain_disk *disk)
{
        if (!disk->source.reservations)
                return NULL;
        return is_managed(disk, NULL) ? g_strdup(MANAGED_RESERVATIONS)
                                      : g_strconcat("pr-helper-", disk->info.alias, NULL);
}

bool device_add_reservations(struct device_list *list, const struct device_context *context,
                             const struct domain_disk *disk, GError **error)
{
        const struct domain_reservations *reservations = disk->source.reservations;
        const struct device_resources *resources = device_get_resources(context, disk->info.alias);
        const struct block_image *top = resources->chain->pdata[0];
        g_autofree char *id = device_reservations_id(disk);
        json_t *object;

        if (!reservations)
                return true;
        if (top->kind == BLOCK_REMOTE)
                return device_unsupported(
                        error,
                        "<reservations> of disk '%s', which is no device of this host but on "
                        "the network",
                        disk->target);
        if (is_managed(disk, NULL) && has_other(context, disk, is_managed, NULL))
                return true;
        if (!qemu_caps_has_type(context->caps, "pr-manager-helper"))
                return device_unsupported(error,
                                          "<reservations> of disk '%s': emulator '%s' has no "
                                          "'pr-manager-helper'",
                                          disk->target, qemu_caps_get_path(context->caps));
        object = device_object("pr-manager-helper", id);
        device_set_string(object, "path", reservations->path);
        device_list_add(list, DEVICE_OBJECT, object);
        return true;
}
