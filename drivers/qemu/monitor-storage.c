/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of QEMU's about disks. Lane of the domain. */
#include "base/error.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/monitor-private.h"
#include "drivers/qemu/qmp-value.h"

#include <string.h>

#define IO_ERRORS_PER_SECOND 10

static bool is_node_of(const struct domain_storage *source, const char *node)
{
        struct block_image image = { .index = source->index };
        char name[BLOCK_NODE_NAME_SIZE];

        block_format_node_name(&image, name);
        if (strcmp(name, node) == 0)
                return true;
        block_overlay_node_name(&image, name);
        if (strcmp(name, node) == 0)
                return true;
        block_storage_node_name(&image, name);
        return strcmp(name, node) == 0;
}

/* The disk, and the image in its chain, that a block node of QEMU's stands for. */
static const struct domain_disk *find_node(const struct domain_def *def, const char *node,
                                           const struct domain_storage **source)
{
        for (unsigned i = 0; node && i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                for (*source = &disk->source; *source; *source = (*source)->backing) {
                        if ((*source)->index > 0 && is_node_of(*source, node))
                                return disk;
                }
        }
        return NULL;
}

static const struct domain_disk *find_disk(const struct domain_def *def, const char *alias)
{
        for (unsigned i = 0; alias && i < def->devices.n_disks; i++) {
                if (g_strcmp0(def->devices.disks[i].info.alias, alias) == 0)
                        return &def->devices.disks[i];
        }
        return NULL;
}

/* A guest that writes to a broken disk all the time does not make its listeners do the same. */
static bool too_many_io_errors(struct guest *guest)
{
        int64_t now = g_get_monotonic_time();

        if (now - guest->io_errors.since_us >= G_USEC_PER_SEC) {
                guest->io_errors.since_us = now;
                guest->io_errors.count = 0;
        }
        return guest->io_errors.count++ >= IO_ERRORS_PER_SECOND;
}

void monitor_on_io_error(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        /* In the order of virDomainEventIOErrorAction. */
        static const char *const actions[] = { "ignore", "stop", "report" };
        int action = monitor_get_choice(arguments, "action", actions, G_N_ELEMENTS(actions));
        const struct domain_storage *source = NULL;
        const struct domain_disk *disk =
                find_node(monitor_get_def(guest), qmp_get_string(arguments, "node-name"), &source);
        struct domain_event *event;

        if (action < 0 || (strcmp(actions[action], "stop") != 0 && too_many_io_errors(guest)))
                return;
        event = domain_event_new(DOMAIN_EVENT_IO_ERROR);
        event->base.detail = action;
        event->text[0] = g_strdup(source && source->path ? source->path : "");
        event->text[1] = g_strdup(disk ? disk->info.alias : "");
        event->text[2] = g_strdup(json_is_true(json_object_get(arguments, "nospace")) ? "enospc" : "");
        if (strcmp(actions[action], "stop") == 0)
                domain_transition(guest->domain, DOMAIN_PAUSED, DOMAIN_PAUSED_IOERROR, DOMAIN_EVENT_SUSPENDED,
                                  DOMAIN_EVENT_SUSPENDED_IOERROR);
        monitor_emit(guest, event);
}

/* device: taken. */
static void tell_threshold(struct guest *guest, char *device, const struct domain_storage *source,
                           const json_t *arguments)
{
        struct domain_event *event = domain_event_new(DOMAIN_EVENT_BLOCK_THRESHOLD);

        event->text[0] = device;
        event->text[1] = g_strdup(source->path);
        event->number = json_integer_value(json_object_get(arguments, "write-threshold"));
        event->excess = json_integer_value(json_object_get(arguments, "amount-exceeded"));
        monitor_emit(guest, event);
}

/* The disk's own image has two names, and which of them was asked by nobody knows: both are told. */
void monitor_on_write_threshold(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const struct domain_storage *source = NULL;
        const struct domain_disk *disk =
                find_node(monitor_get_def(guest), qmp_get_string(arguments, "node-name"), &source);

        if (!disk)
                return;
        if (source == &disk->source)
                tell_threshold(guest, g_strdup(disk->target), source, arguments);
        if (source->index > 0)
                tell_threshold(guest, g_strdup_printf("%s[%u]", disk->target, source->index), source,
                               arguments);
}

void monitor_on_tray(struct guest *guest, const json_t *arguments, int64_t time_us)
{
        const struct domain_disk *disk = find_disk(monitor_get_def(guest), qmp_get_string(arguments, "id"));
        const json_t *open = json_object_get(arguments, "tray-open");
        struct domain_event *event;
        struct domain_edit *edit;

        if (!disk || !json_is_boolean(open))
                return;
        event = domain_event_new(DOMAIN_EVENT_TRAY_CHANGE);
        event->text[0] = g_strdup(disk->info.alias);
        event->base.detail = json_is_true(open) ? 0 : 1;
        edit = domain_edit_new(monitor_get_def(guest), NULL);
        if (edit) {
                domain_edit_set_disk_tray(edit, event->text[0], json_is_true(open));
                monitor_commit(guest, edit);
        }
        monitor_emit(guest, event);
}
