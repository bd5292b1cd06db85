/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of a device on their way to QEMU, and back from there. No state but the guest's (in its status,
 * the devices that may have come too late); lane of the domain.
 */
#include "drivers/qemu/plug-private.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device-internal.h"

#include <string.h>

/* All the time that taking back may take, and when somebody waits for the end of the guest. */
#define UNDO_MS        5000
#define UNDO_URGENT_MS 200
/* How long QEMU may take to take apart a device that is in no list of its any more. */
#define APART_MS 2000

/* ---- what two descriptions have in common ---- */

static const char *get_name(const struct device_part *part)
{
        const char *name = json_string_value(json_object_get(part->arguments, "node-name"));

        return name ? name : json_string_value(json_object_get(part->arguments, "id"));
}

const struct device_part *plug_find_part(const struct device_list *list, const struct device_part *wanted)
{
        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const struct device_part *part = device_list_get(list, i);

                if (part->kind == wanted->kind && g_strcmp0(get_name(part), get_name(wanted)) == 0)
                        return part;
        }
        return NULL;
}

struct device_list *plug_subtract_parts(const struct device_list *one, const struct device_list *other)
{
        struct device_list *list = device_list_new();

        for (unsigned i = 0; i < device_list_get_length(one); i++) {
                const struct device_part *part = device_list_get(one, i);

                if (!plug_find_part(other, part))
                        device_list_add(list, part->kind, json_incref(part->arguments));
        }
        return list;
}

/* ---- taking back ---- */

/* False: QEMU says no, because it is not there or because it is in use. */
static bool undo_part(struct guest *guest, const struct device_part *part, lane_deadline deadline)
{
        g_autoptr(GError) failure = NULL;
        uint64_t id;

        if (!device_part_get_undo_command(part) || !guest->qmp || qmp_is_broken(guest->qmp))
                return true;
        id = qmp_send(guest->qmp, device_part_get_undo_command(part), device_part_get_undo_arguments(part));
        if (qmp_receive(guest->qmp, id, deadline, NULL, &failure))
                return true;
        log_debug("%s of %s: %s", device_part_get_undo_command(part), guest->who, failure->message);
        return !error_is(failure, ERROR_OPERATION_FAILED);
}

static lane_deadline get_undo_deadline(const struct guest *guest)
{
        bool urgent = lane_was_interrupted(guest->domain->base.lane);

        return lane_deadline_in(urgent ? UNDO_URGENT_MS : UNDO_MS);
}

void plug_undo_parts(struct guest *guest, const struct device_list *list, unsigned n, lane_deadline deadline)
{
        deadline = MIN(get_undo_deadline(guest), deadline);
        while (n-- > 0)
                undo_part(guest, device_list_get(list, n), deadline);
}

static bool is_deleted(const char *name, const json_t *arguments, void *data)
{
        return strcmp(name, "DEVICE_DELETED") == 0 &&
               g_strcmp0(json_string_value(json_object_get(arguments, "device")), data) == 0;
}

void plug_undo_parts_of(struct guest *guest, const struct device_list *list, unsigned n, const char *id)
{
        lane_deadline deadline = get_undo_deadline(guest);
        bool waited = false;

        while (n-- > 0) {
                if (undo_part(guest, device_list_get(list, n), deadline) || waited)
                        continue;
                waited = true;
                qmp_wait_event(guest->qmp, is_deleted, (void *)id, lane_deadline_in(APART_MS), NULL);
                undo_part(guest, device_list_get(list, n), deadline);
        }
}

/* ---- devices that come too late ---- */

const char *plug_get_id(const struct device_list *list)
{
        unsigned length = device_list_get_length(list);
        const struct device_part *part = length ? device_list_get(list, length - 1) : NULL;

        if (!part || part->kind != DEVICE_DEVICE)
                return NULL;
        return json_string_value(json_object_get(part->arguments, "id"));
}

bool plug_is_listed(const json_t *peripherals, const char *id)
{
        const json_t *entry;
        size_t i;

        json_array_foreach((json_t *)peripherals, i, entry)
        {
                if (g_strcmp0(json_string_value(json_object_get(entry, "name")), id) == 0)
                        return true;
        }
        return false;
}

static bool find_astray(const struct guest *guest, const char *id, unsigned *index)
{
        for (*index = 0; *index < guest->status->astray->len; ++*index) {
                if (g_strcmp0(plug_get_id(g_ptr_array_index(guest->status->astray, *index)), id) == 0)
                        return true;
        }
        return false;
}

/*
 * The device may be there, or come yet, and can only be asked back: until it goes QEMU does not take back
 * what it is made of. Whoever fails for it writes that down with what else there is.
 */
static void note_astray(struct guest *guest, const struct device_list *list, unsigned n)
{
        struct device_list *made = device_list_new();
        unsigned index;

        for (unsigned i = 0; i < n; i++) {
                const struct device_part *part = device_list_get(list, i);

                if (device_part_get_undo_command(part))
                        device_list_add(made, part->kind, device_part_get_undo_arguments(part));
        }
        if (find_astray(guest, plug_get_id(made), &index))
                g_ptr_array_remove_index_fast(guest->status->astray, index);
        g_ptr_array_add(guest->status->astray, made);
        guest->changed = true;
}

/* told: by QEMU, which has taken it apart by then. */
static void undo_astray(struct guest *guest, unsigned index, bool told)
{
        CLEANUP(device_list_free)
        struct device_list *list = g_ptr_array_steal_index_fast(guest->status->astray, index);
        unsigned n = device_list_get_length(list) - 1;
        g_autoptr(GError) failure = NULL;

        lane_shield(guest->domain->base.lane);
        if (told)
                plug_undo_parts(guest, list, n, LANE_FOREVER);
        else
                plug_undo_parts_of(guest, list, n, plug_get_id(list));
        if (!plug_write_down(guest, NULL, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "cannot write down the state of %s", guest->who);
}

void plug_undo_astray(struct guest *guest, const char *id)
{
        unsigned index;

        if (find_astray(guest, id, &index))
                undo_astray(guest, index, true);
}

void plug_resync_astray(struct guest *guest, const json_t *peripherals)
{
        GPtrArray *astray = guest->status->astray;

        /* From behind: what goes makes room for the last. */
        for (unsigned i = astray->len; i-- > 0;) {
                const struct device_list *list = g_ptr_array_index(astray, i);
                unsigned last = device_list_get_length(list) - 1;

                if (!plug_is_listed(peripherals, plug_get_id(list)))
                        undo_astray(guest, i, false);
                /* The agent before this one may not have come to ask its guest. */
                else if (guest->inherited)
                        undo_part(guest, device_list_get(list, last), get_undo_deadline(guest));
        }
}

/* ---- making ---- */

/* As many commands at once as QEMU takes in before it has answered. */
#define GROUP_MAX 8

/* Parts of a list that QEMU is told of in one go; it makes them one after another. */
struct group {
        const struct device_list *list; /* borrowed */
        unsigned first, n;
        uint64_t ids[GROUP_MAX];
};

/*
 * A device waits until all that it needs is there: it could only be asked back. And QEMU keeps the
 * descriptors of the last message alone.
 */
static bool goes_alone(const struct device_part *part)
{
        return part->kind == DEVICE_DEVICE || part->kind == DEVICE_COMPANION || part->fd >= 0;
}

static const struct device_part *get_part(const struct group *group, unsigned i)
{
        return device_list_get(group->list, group->first + i);
}

/* Of the parts up to n, as many as may go at once. */
static void send_group(struct qmp *qmp, struct group *group, unsigned n)
{
        const struct device_part *part = get_part(group, 0);

        do {
                group->ids[group->n++] = qmp_send_fd(qmp, device_part_get_command(part),
                                                     json_incref(part->arguments), part->fd);
                if (goes_alone(part) || group->n == GROUP_MAX || group->first + group->n == n)
                        return;
                part = get_part(group, group->n);
        } while (!goes_alone(part));
}

static void take_terminal(const json_t *answer, char **terminal)
{
        const char *path = json_string_value(json_object_get(answer, "pty"));

        if (path && terminal && !*terminal)
                *terminal = g_strdup(path);
}

/*
 * there: for each part of the list, whether it may be there now: one that did not answer in time may. The
 * others of a group have been sent by then, so each is heard.
 */
static bool receive_group(struct qmp *qmp, const struct group *group, lane_deadline deadline, bool *there,
                          char **terminal, GError **error)
{
        bool ok = true;

        for (unsigned i = 0; i < group->n; i++) {
                g_autoptr(GError) failure = NULL;
                json_t *answer = NULL;

                if (qmp_receive(qmp, group->ids[i], deadline, &answer, &failure)) {
                        there[group->first + i] = true;
                        take_terminal(answer, terminal);
                        json_decref(answer);
                        continue;
                }
                there[group->first + i] = !error_is(failure, ERROR_OPERATION_FAILED);
                if (ok) {
                        g_propagate_error(error, g_steal_pointer(&failure));
                        deadline = MIN(lane_deadline_in(UNDO_MS), deadline);
                }
                ok = false;
        }
        return ok;
}

/* A property of the companion as QEMU has it, which is the caller's; NULL: there is none of that name. */
static json_t *get_property(struct guest *guest, const struct device_part *part, const char *property,
                            lane_deadline deadline)
{
        const char *id = json_string_value(json_object_get(part->arguments, "id"));
        g_autofree char *path = g_strconcat("/machine/peripheral/", id, NULL);
        json_t *value = NULL;
        uint64_t sent =
                qmp_send(guest->qmp, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", property));

        return qmp_receive(guest->qmp, sent, deadline, &value, NULL) ? value : NULL;
}

/*
 * The companion of a device that QEMU would not make in the end stays: QEMU 7.2 crashes when it is to take
 * away one without its device. It serves when that device is tried again. *there: it is one of those. False
 * with an error: it is another device's.
 */
static bool find_companion(struct guest *guest, const struct device_part *part, lane_deadline deadline,
                           bool *there, GError **error)
{
        json_t *target = get_property(guest, part, "target", deadline), *fid;
        bool fits = true;

        *there = target != NULL;
        if (*there) {
                fid = get_property(guest, part, "fid", deadline);
                fits = json_equal(target, json_object_get(part->arguments, "target")) &&
                       json_equal(fid, json_object_get(part->arguments, "fid"));
                json_decref(fid);
        }
        if (!fits)
                error_set(
                        error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                        "the emulator keeps '%s' of device '%s', which it could not make: choose another uid "
                        "and fid (<zpci>), or start the guest anew",
                        json_string_value(json_object_get(part->arguments, "id")), json_string_value(target));
        json_decref(target);
        return fits;
}

static bool make_group(struct guest *guest, struct group *group, unsigned n, lane_deadline deadline,
                       bool *there, char **terminal, GError **error)
{
        const struct device_part *part = get_part(group, 0);
        bool found = false;

        if (part->kind == DEVICE_COMPANION) {
                bool fits = find_companion(guest, part, deadline, &found, error);

                group->n = found;
                if (found)
                        return fits;
        }
        send_group(guest->qmp, group, n);
        return receive_group(guest->qmp, group, deadline, there, terminal, error);
}

bool plug_make_parts(struct guest *guest, const struct device_list *list, unsigned n, lane_deadline deadline,
                     char **terminal, GError **error)
{
        g_autofree bool *there = g_new0(bool, n);

        for (unsigned i = 0; i < n;) {
                struct group group = { .list = list, .first = i };
                bool made = make_group(guest, &group, n, deadline, there, terminal, error);

                i += group.n;
                if (made)
                        continue;
                lane_shield(guest->domain->base.lane);
                if (there[i - 1] && get_part(&group, group.n - 1)->kind == DEVICE_DEVICE)
                        note_astray(guest, list, i);
                deadline = MIN(get_undo_deadline(guest), deadline);
                while (i-- > 0) {
                        if (there[i])
                                undo_part(guest, device_list_get(list, i), deadline);
                }
                return false;
        }
        return true;
}
