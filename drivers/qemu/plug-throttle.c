/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The limits of a disk (<iotune>, <throttlefilters>) while its guest runs: the filters that keep to them
 * come, go, or get other numbers. The device is told which node it reads before an old one is taken away, so
 * whatever fails leaves the disk as it was. No state but the guest's; lane of the domain.
 */
#include "drivers/qemu/plug.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/plug-private.h"

#include <string.h>

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* Beside the limits, what a start has found out of the images. */
static void leave_out_limits(struct domain_edit *edit, const void *alias)
{
        domain_edit_drop_disk_part(edit, alias, "iotune");
        domain_edit_drop_disk_part(edit, alias, "throttlefilters");
        domain_edit_forget_disk_chain(edit, alias);
}

bool plug_changes_limits(const struct guest *guest, const struct domain_disk *disk,
                         const struct domain_def *live)
{
        return plug_differs_by(get_def(guest), live, leave_out_limits, disk->info.alias);
}

/* ---- the definition ---- */

/* The active one with other limits of the disk with that alias. NULL with an error. */
static struct domain_def *change_limits(const struct domain_def *before, const struct domain_def *wanted,
                                        const char *alias, GError **error)
{
        struct domain_edit *edit = domain_edit_new(before, error);

        if (!edit)
                return NULL;
        domain_edit_take_disk_part(edit, alias, wanted, alias, "iotune");
        domain_edit_take_disk_part(edit, alias, wanted, alias, "throttlefilters");
        return domain_edit_commit(edit, error);
}

/* ---- the emulator ---- */

struct limits {
        struct guest *guest;                /* borrowed */
        lane_deadline deadline;             /* of all that is said */
        struct device_list *before, *after; /* owned; what makes the disk */
        bool unsure;                        /* something was not answered, and QEMU may do it yet */
};

/* arguments is taken. */
static bool ask(struct limits *limits, const char *command, json_t *arguments, json_t **answer,
                GError **error)
{
        return plug_tell(limits->guest, command, arguments,
                         plug_get_timeout(limits->deadline, QMP_TIMEOUT_MS), answer, &limits->unsure, error);
}

static bool say(struct limits *limits, const char *command, json_t *arguments, GError **error)
{
        return ask(limits, command, arguments, NULL, error);
}

static const json_t *last_arguments(const struct device_list *list)
{
        return device_list_get(list, device_list_get_length(list) - 1)->arguments;
}

static const char *get_drive(const struct device_list *list)
{
        return json_string_value(json_object_get(last_arguments(list), "drive"));
}

/*
 * Where that which reads is in QEMU's tree. A USB disk is a bridge that has handed its node on to the SCSI
 * disk behind it, which has no id; told another node itself, it keeps that, and the guest reads the one
 * before.
 */
static char *get_drive_path(const struct device_list *list)
{
        const char *alias = json_string_value(json_object_get(last_arguments(list), "id"));
        const char *driver = json_string_value(json_object_get(last_arguments(list), "driver"));

        if (g_strcmp0(driver, "usb-storage") == 0)
                return g_strdup_printf("/machine/peripheral/%s/%s.0/legacy[0]", alias, alias);
        return g_strconcat("/machine/peripheral/", alias, NULL);
}

static bool set_drive(struct limits *limits, const struct device_list *list, GError **error)
{
        g_autofree char *path = get_drive_path(list);

        return say(limits, "qom-set",
                   json_pack("{s:s, s:s, s:s}", "path", path, "property", "drive", "value", get_drive(list)),
                   error);
}

static bool has_own_group(const struct domain_disk *disk)
{
        return device_has_throttle(disk) && !disk->iotune->group_name;
}

/*
 * The numbers of after, those that are none as well: all of a group that others are in. Of the disk's own
 * those are left out that have been none before, because QEMU reads a command byte by byte, and all are 500.
 */
static json_t *describe_numbers(const struct domain_disk *before, const struct domain_disk *after,
                                const struct domain_iotune *tune)
{
        json_t *all = device_throttle_limits(tune, true), *some, *value;
        const char *name;

        if (!has_own_group(before) || !has_own_group(after))
                return all;
        some = device_throttle_limits(before->iotune, false);
        json_object_update_new(some, device_throttle_limits(tune, false));
        json_object_foreach(some, name, value) json_object_set(some, name, json_object_get(all, name));
        json_decref(all);
        return some;
}

/* Is a group of that id, with its numbers, among them? */
static bool has_group(const struct device_list *list, const char *id)
{
        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const json_t *arguments = device_list_get(list, i)->arguments;
                const char *type = json_string_value(json_object_get(arguments, "qom-type"));

                if (g_strcmp0(type, "throttle-group") == 0 &&
                    g_strcmp0(json_string_value(json_object_get(arguments, "id")), id) == 0)
                        return true;
        }
        return false;
}

/* The numbers of a group that is there, by whichever disk is behind it; NULL: none is. A drive without a
 * medium is behind nothing. */
static const struct domain_iotune *find_numbers(const struct guest *guest, const char *id)
{
        const struct domain_devices *devices = &get_def(guest)->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *disk = &devices->disks[i];

                if (!device_disk_has_source(disk))
                        continue;
                for (const struct domain_iotune *tune = disk->iotune; tune; tune = tune->next) {
                        g_autofree char *other = device_throttle_id(disk, tune);

                        if (strcmp(other, id) == 0)
                                return tune;
                }
        }
        return NULL;
}

/* to: the group's numbers from now on; taken. */
static bool set_limits(struct limits *limits, const char *id, json_t *to, GError **error)
{
        g_autofree char *path = g_strconcat("/objects/", id, NULL);

        return say(limits, "qom-set",
                   json_pack("{s:s, s:s, s:o}", "path", path, "property", "limits", "value", to), error);
}

/*
 * Of the groups that after is in: all but those that come. back: they become again what they were, those of
 * others that it was to be with as well.
 */
static bool set_numbers(struct limits *limits, const struct device_list *come,
                        const struct domain_disk *before, const struct domain_disk *after, bool back,
                        GError **error)
{
        const struct domain_iotune *tune = device_has_throttle(after) ? after->iotune : NULL;

        for (; tune; tune = tune->next) {
                g_autofree char *id = device_throttle_id(after, tune);
                const struct domain_iotune *old = find_numbers(limits->guest, id);

                if (has_group(come, id) || !old || domain_iotune_has_same_limits(old, tune))
                        continue;
                if (!set_limits(limits, id,
                                back ? describe_numbers(after, before, old)
                                     : describe_numbers(before, after, tune),
                                error) &&
                    !back)
                        return false;
        }
        return true;
}

/* Who works on a disk, or all disks of its controller, in place of QEMU's main thread. */
struct workers {
        uint64_t thread; /* 0: none */
        bool several;
};

static struct workers find_workers(const struct domain_def *def, const struct domain_disk *disk)
{
        const struct device_context context = { .def = def };
        const struct domain_controller *controller =
                disk->bus == DOMAIN_BUS_SCSI ? device_find_controller(&context, DOMAIN_CONTROLLER_SCSI,
                                                                      disk->info.address.drive.controller)
                                             : NULL;

        if (controller)
                return (struct workers){ controller->iothread, controller->iothread_map != NULL };
        return (struct workers){ disk->iothread, disk->iothread_map != NULL };
}

static bool is_filter(const json_t *arguments)
{
        return json_object_get(arguments, "throttle-group") != NULL;
}

/*
 * The filters, whose names do not change, keep to the groups that the one list says in place of the other's:
 * at once, so that all do or none does.
 */
static bool set_groups(struct limits *limits, const struct device_list *before,
                       const struct device_list *after, GError **error)
{
        json_t *options = json_array();

        for (unsigned i = 0; i < device_list_get_length(after); i++) {
                const struct device_part *part = device_list_get(after, i),
                                         *old = plug_find_part(before, part);

                if (old && is_filter(part->arguments) && !json_equal(old->arguments, part->arguments))
                        json_array_append(options, part->arguments);
        }
        if (json_array_size(options) == 0) {
                json_decref(options);
                return true;
        }
        return say(limits, "blockdev-reopen", json_pack("{s:o}", "options", options), error);
}

/* As it was; of what was not answered in time nobody knows yet whether it has come about (plug-settle.c). */
static void move_back(struct limits *limits, const struct device_list *come, const struct domain_disk *before,
                      const struct domain_disk *after)
{
        lane_shield(limits->guest->domain->base.lane);
        set_groups(limits, limits->after, limits->before, NULL);
        set_numbers(limits, come, before, after, true, NULL);
}

/* What is there already, for the one disk in place of the other; what does not come about is as it was. */
static bool move(struct limits *limits, const struct device_list *come, const struct domain_disk *before,
                 const struct domain_disk *after, GError **error)
{
        bool drive = g_strcmp0(get_drive(limits->before), get_drive(limits->after)) != 0;

        if (set_numbers(limits, come, before, after, false, error) &&
            set_groups(limits, limits->before, limits->after, error) &&
            (!drive || set_drive(limits, limits->after, error)))
                return true;
        move_back(limits, come, before, after);
        return false;
}

/* ---- filters ---- */

/* What a filter is made on that is made apart from its disk. Free it. */
static char *name_nothing(const json_t *filter)
{
        return g_strconcat(json_string_value(json_object_get(filter, "node-name")), "-null", NULL);
}

/* In bytes, as the guest sees it. */
static bool find_size(struct limits *limits, const char *node, json_int_t *size, GError **error)
{
        json_t *nodes = NULL, *one;
        size_t i;

        *size = -1;
        if (!ask(limits, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), &nodes, error))
                return false;
        json_array_foreach(nodes, i, one)
        {
                const json_t *bytes = json_object_get(json_object_get(one, "image"), "virtual-size");

                if (g_strcmp0(json_string_value(json_object_get(one, "node-name")), node) == 0)
                        *size = json_integer_value(bytes);
        }
        json_decref(nodes);
        return *size >= 0 ||
               error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR, "the emulator has no node '%s'", node);
}

/* Of the same size as what it is for: the one that it had first stays a filter's. */
static bool add_apart(struct limits *limits, const json_t *filter, const char *nothing, GError **error)
{
        json_t *apart = json_copy((json_t *)filter);
        json_int_t size;

        json_object_set_new(apart, "file", json_string(nothing));
        if (find_size(limits, json_string_value(json_object_get(filter, "file")), &size, error) &&
            say(limits, "blockdev-add",
                json_pack("{s:s, s:s, s:I}", "driver", "null-co", "node-name", nothing, "size", size), error))
                return say(limits, "blockdev-add", apart, error);
        json_decref(apart);
        return false;
}

static bool remove_node(struct limits *limits, const char *name, GError **error)
{
        return say(limits, "blockdev-del", json_pack("{s:s}", "node-name", name), error);
}

/*
 * QEMU 7.2 ends when a filter is put on a node that another thread than its main one works on, so there one
 * is made apart, handed to that thread, and put where it belongs.
 */
static bool add_in_thread(struct limits *limits, const json_t *filter, uint64_t thread, GError **error)
{
        const char *name = json_string_value(json_object_get(filter, "node-name"));
        g_autofree char *nothing = name_nothing(filter),
                        *id = g_strdup_printf("iothread%" G_GUINT64_FORMAT, thread);

        if (add_apart(limits, filter, nothing, error) &&
            say(limits, "x-blockdev-set-iothread", json_pack("{s:s, s:s}", "node-name", name, "iothread", id),
                error) &&
            say(limits, "blockdev-reopen", json_pack("{s:[O]}", "options", filter), error) &&
            remove_node(limits, nothing, error))
                return true;
        lane_shield(limits->guest->domain->base.lane);
        remove_node(limits, name, NULL);
        remove_node(limits, nothing, NULL);
        return false;
}

/* Limits and the filters that keep to them; what fails leaves nothing. */
static bool make_parts(struct limits *limits, const struct device_list *come, uint64_t thread, GError **error)
{
        unsigned n = device_list_get_length(come);
        g_autoptr(GError) failure = NULL;

        if (thread == 0 && plug_make_parts(limits->guest, come, n, limits->deadline, NULL, &failure))
                return true;
        for (unsigned i = 0; thread != 0 && !failure && i < n; i++) {
                const struct device_part *part = device_list_get(come, i);

                if (is_filter(part->arguments))
                        add_in_thread(limits, part->arguments, thread, &failure);
                else
                        say(limits, device_part_get_command(part), json_incref(part->arguments), &failure);
        }
        if (!failure)
                return true;
        lane_shield(limits->guest->domain->base.lane);
        if (thread != 0)
                plug_undo_parts(limits->guest, come, n, limits->deadline);
        limits->unsure |= plug_is_unsure(failure);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

static bool check_filters(const struct device_list *come, const struct workers *workers,
                          const struct qemu_caps *caps, const struct domain_disk *disk, GError **error)
{
        bool can_come = workers->thread == 0 || qemu_caps_has_command(caps, "x-blockdev-set-iothread");

        for (unsigned i = 0; i < device_list_get_length(come); i++) {
                if (is_filter(device_list_get(come, i)->arguments) && (workers->several || !can_come))
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                         "disk '%s' works in %s, and limits can only come to it with the "
                                         "disk itself or at the next start; those that it has can change",
                                         disk->target,
                                         workers->several ? "several I/O threads" : "an I/O thread");
        }
        return true;
}

/* Written down first: whoever finds the guest with some of it puts the rest back. */
static bool change(struct limits *limits, const struct qemu_caps *caps, const struct domain_disk *before,
                   const struct domain_disk *disk, GError **error)
{
        CLEANUP(device_list_free)
        struct device_list *come = plug_subtract_parts(limits->after, limits->before);
        CLEANUP(device_list_free) struct device_list *go = plug_subtract_parts(limits->before, limits->after);
        struct guest *guest = limits->guest;
        struct workers workers = find_workers(get_def(guest), before);

        if (!check_filters(come, &workers, caps, before, error))
                return false;
        plug_note_change(guest, &guest->status->limits, before->info.alias);
        if (!plug_write_down(guest, NULL, error) || !make_parts(limits, come, workers.thread, error))
                return false;
        if (!move(limits, come, before, disk, error)) {
                lane_shield(guest->domain->base.lane);
                plug_undo_parts(guest, come, device_list_get_length(come), limits->deadline);
                return false;
        }
        plug_undo_parts(guest, go, device_list_get_length(go), limits->deadline);
        return true;
}

static bool run(struct limits *limits, const struct domain_disk *before, const struct domain_def *def,
                unsigned index, GError **error)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = guest_get_caps(limits->guest, error);
        const struct domain_disk *after = &def->devices.disks[index];

        return caps &&
               device_describe_made(limits->before, get_def(limits->guest), caps, DOMAIN_DEVICE_DISK, before,
                                    error) &&
               device_describe_made(limits->after, def, caps, DOMAIN_DEVICE_DISK, after, error) &&
               change(limits, caps, before, after, error);
}

/* What has come about is written down with its definition. */
static void end(const struct limits *limits, bool ok)
{
        struct guest *guest = limits->guest;
        g_autoptr(GError) failure = NULL;

        if (limits->unsure && !ok) {
                plug_settle_later(guest);
        } else if (guest->status->limits) {
                plug_note_change(guest, &guest->status->limits, NULL);
                if (!ok && !plug_write_down(guest, NULL, &failure))
                        log_gerror(LOG_LEVEL_ERROR, failure, "cannot write down the state of %s", guest->who);
        }
}

bool plug_update_limits(struct guest *guest, unsigned index, bool complete, struct domain_def **live,
                        GError **error)
{
        const struct domain_disk *disk = &get_def(guest)->devices.disks[index];
        struct domain_def *def = complete ? domain_def_ref(*live)
                                          : change_limits(get_def(guest), *live, disk->info.alias, error);
        struct limits limits = { guest, plug_begin_call(), device_list_new(), device_list_new() };
        bool ok = def && run(&limits, disk, def, index, error);

        device_list_free(limits.before);
        device_list_free(limits.after);
        end(&limits, ok);
        if (!ok) {
                domain_def_unref(def);
                return false;
        }
        domain_def_unref(*live);
        *live = def;
        return true;
}

/* ---- as the definition says ---- */

static bool is_node(const json_t *nodes, const json_t *arguments)
{
        const json_t *node, *name = json_object_get(arguments, "node-name");
        size_t i;

        json_array_foreach((json_t *)nodes, i, node)
        {
                if (json_equal(json_object_get(node, "node-name"), name))
                        return true;
        }
        return false;
}

/* Of all disks, as others may be in a group that was to change. */
static void restore_groups(struct limits *limits, const json_t *objects)
{
        const struct domain_devices *devices = &get_def(limits->guest)->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *disk = &devices->disks[i];
                const struct domain_iotune *tune =
                        device_disk_has_source(disk) && device_has_throttle(disk) ? disk->iotune : NULL;

                for (; tune; tune = tune->next) {
                        g_autofree char *id = device_throttle_id(disk, tune);
                        json_t *numbers = device_throttle_limits(tune, true), *object;

                        if (plug_is_listed(objects, id)) {
                                set_limits(limits, id, numbers, NULL);
                                continue;
                        }
                        object = device_object("throttle-group", id);
                        json_object_set_new(object, "limits", numbers);
                        say(limits, "object-add", object, NULL);
                }
        }
}

/* QEMU 7.2 aborts when a device is told the node that it has. */
static void restore_drive(struct limits *limits)
{
        g_autofree char *path = get_drive_path(limits->before);
        json_t *node = NULL;

        if (ask(limits, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", "drive"), &node, NULL) &&
            g_strcmp0(json_string_value(node), get_drive(limits->before)) != 0)
                set_drive(limits, limits->before, NULL);
        json_decref(node);
}

/*
 * One in another thread that nobody reads goes first: it may have been left apart from its disk, and whether
 * it was handed to the thread by then nobody tells.
 */
static bool is_in_place(struct limits *limits, const struct workers *workers, const json_t *nodes,
                        const json_t *filter)
{
        return is_node(nodes, filter) &&
               (workers->thread == 0 ||
                !remove_node(limits, json_string_value(json_object_get(filter, "node-name")), NULL));
}

static void restore_filter(struct limits *limits, const struct workers *workers, const json_t *filter)
{
        g_autofree char *nothing = name_nothing(filter);

        if (workers->several)
                return;
        if (workers->thread == 0) {
                say(limits, "blockdev-add", json_incref((json_t *)filter), NULL);
                return;
        }
        remove_node(limits, nothing, NULL);
        add_in_thread(limits, filter, workers->thread, NULL);
}

/* From the image upwards. */
static void restore_filters(struct limits *limits, const struct domain_disk *disk, const json_t *nodes)
{
        struct workers workers = find_workers(get_def(limits->guest), disk);
        json_t *options = json_array();

        for (unsigned i = 0; i < device_list_get_length(limits->before); i++) {
                json_t *arguments = device_list_get(limits->before, i)->arguments;

                if (!is_filter(arguments))
                        continue;
                if (is_in_place(limits, &workers, nodes, arguments))
                        json_array_append(options, arguments);
                else
                        restore_filter(limits, &workers, arguments);
        }
        if (json_array_size(options) > 0)
                say(limits, "blockdev-reopen", json_pack("{s:O}", "options", options), NULL);
        json_decref(options);
}

/* The filters of the disk that the definition does not name, those that others sit on in a later round. */
static void remove_filters(struct limits *limits, const struct domain_disk *disk, const json_t *nodes)
{
        g_autofree char *prefix = device_throttle_prefix(disk->source.index);
        const json_t *node;
        unsigned removed;
        size_t i;

        do {
                removed = 0;
                json_array_foreach((json_t *)nodes, i, node)
                {
                        const struct device_part part = { .kind = DEVICE_BLOCKDEV,
                                                          .arguments = (json_t *)node };
                        const char *name = json_string_value(json_object_get(node, "node-name"));

                        if (name && g_str_has_prefix(name, prefix) && !plug_find_part(limits->before, &part))
                                removed += remove_node(limits, name, NULL);
                }
        } while (removed > 0);
}

/* Those are the user's own (<qemu:commandline>) whose names do not begin as ours do. */
static void remove_groups(struct limits *limits, const json_t *objects)
{
        const json_t *object;
        size_t i;

        json_array_foreach((json_t *)objects, i, object)
        {
                const char *id = json_string_value(json_object_get(object, "name"));
                const char *type = json_string_value(json_object_get(object, "type"));

                if (id && g_str_has_prefix(id, DEVICE_THROTTLE_PREFIX) &&
                    g_strcmp0(type, "child<throttle-group>") == 0 && !find_numbers(limits->guest, id))
                        say(limits, "object-del", json_pack("{s:s}", "id", id), NULL);
        }
}

bool plug_restore_limits(struct guest *guest, const struct qemu_caps *caps, const struct domain_disk *disk)
{
        CLEANUP(device_list_free) struct device_list *list = device_list_new();
        struct limits limits = { .guest = guest, .deadline = plug_begin_call(), .before = list };
        json_t *nodes = NULL, *objects = NULL;

        if (!device_describe_made(list, get_def(guest), caps, DOMAIN_DEVICE_DISK, disk, NULL))
                return true;
        if (ask(&limits, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), &nodes, NULL) &&
            ask(&limits, "qom-list", json_pack("{s:s}", "path", "/objects"), &objects, NULL)) {
                log_notice("a change of the limits of disk '%s' of %s was cut short: they are put back",
                           disk->target, guest->who);
                restore_groups(&limits, objects);
                restore_filters(&limits, disk, nodes);
                if (device_disk_has_source(disk))
                        restore_drive(&limits);
                remove_filters(&limits, disk, nodes);
                remove_groups(&limits, objects);
        }
        json_decref(nodes);
        json_decref(objects);
        return !limits.unsure;
}
