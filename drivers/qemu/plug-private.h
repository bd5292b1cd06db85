/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What plugging and changing a device share. Lane of the domain. */

#include "drivers/qemu/device.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/resources.h"

/*
 * How long a call may wait for QEMU, whatever it has to tell it: as long as for one command. What is said
 * after that is obeyed as well, when QEMU listens again, and nobody waits for it.
 */
static inline lane_deadline plug_begin_call(void)
{
        return lane_deadline_in(QMP_TIMEOUT_JOB_MS);
}

/* What is left of that for a command that would have so much by itself. */
static inline unsigned plug_get_timeout(lane_deadline deadline, unsigned timeout_ms)
{
        lane_deadline left = deadline - lane_deadline_in(0);

        return left < 0 ? 0 : (unsigned)MIN(left, (lane_deadline)timeout_ms);
}

/*
 * Makes the first n parts of list until the deadline. Back ends go to QEMU together, so that it is waited for
 * once; when one of them fails, all that there is or may be is taken back, in reverse. *terminal, if that is
 * NULL so far, becomes the terminal that QEMU has made (free it); terminal NULL: there is none.
 */
bool plug_make_parts(struct guest *guest, const struct device_list *list, unsigned n, lane_deadline deadline,
                     char **terminal, GError **error);
/*
 * Takes the first n parts back, in reverse. What is not there, or has gone by itself, is no failure. Waits
 * until the deadline, and not long (LANE_FOREVER: no call's).
 */
void plug_undo_parts(struct guest *guest, const struct device_list *list, unsigned n, lane_deadline deadline);
/*
 * The same for a device that QEMU does not list any more, which nobody was told of: it may hold its parts for
 * a moment still, until DEVICE_DELETED comes. id: the device's.
 */
void plug_undo_parts_of(struct guest *guest, const struct device_list *list, unsigned n, const char *id);

/*
 * A device that QEMU was not waited for any more to make, and of which the document says nothing, has gone:
 * what it held is taken back. id: the device's; others are no failure.
 */
void plug_undo_astray(struct guest *guest, const char *id);
/*
 * The same of all those that are not in what QEMU lists of /machine/peripheral, of which nobody was told; an
 * agent that has found the guest asks it to let go of those that are.
 */
void plug_resync_astray(struct guest *guest, const json_t *peripherals);
/* Is the device with that id in such a list? */
bool plug_is_listed(const json_t *peripherals, const char *id);
/* The device itself, which is last; NULL: there is none. */
const char *plug_get_id(const struct device_list *list);

/* The part of that kind and name in list; NULL: there is none. */
const struct device_part *plug_find_part(const struct device_list *list, const struct device_part *wanted);
/* A list of those parts of one that the other has not (free it); what is in it belongs to one. */
struct device_list *plug_subtract_parts(const struct device_list *one, const struct device_list *other);

/*
 * Asks the guest to let go of the device with that id, and waits a while. False with
 * ERROR_OPERATION_TIMEOUT: it has not answered; others: it does not.
 */
bool plug_ask_guest(struct guest *guest, const char *id, GError **error);

/* What is no device (plug_get_id()) goes at once, or does not. What is not there has gone. */
bool plug_take_apart(struct guest *guest, const struct device_list *list, GError **error);

/* The status document says what is coming, and what was taken for it; def NULL: what there is. */
bool plug_write_down(struct guest *guest, struct domain_def *def, GError **error);
/*
 * Writes down written, and then what was prepared for def changes hands; it is tried whether the emulator can
 * open it, unless the agent has opened it just now (plug_explain() is for when the emulator cannot then).
 */
bool plug_hand_over(struct resources *resources, struct domain_def *written, const struct domain_def *def,
                    GError **error);
/* The emulator has refused: if its user may not open something, *error becomes what says so. */
void plug_explain(const struct resources *resources, GError **error);

/* False unless the two definitions are the same once leave_out() has been at both; data is its own. */
bool plug_differs_by(const struct domain_def *one, const struct domain_def *other,
                     void (*leave_out)(struct domain_edit *edit, const void *data), const void *data);

/* struct domain_driver_ops.update of the graphics with that index: the password. */
bool plug_update_graphics(struct guest *guest, unsigned index, struct domain_def **live, GError **error);
/* The same of a disk: the medium of a drive. */
bool plug_update_disk(struct guest *guest, unsigned index, const struct domain_update *update,
                      struct domain_def **live, GError **error);

/* plug-memory.c: false, ERROR_OPERATION_UNSUPPORTED, when the machine was not made for such a device. */
bool plug_check_memory(struct guest *guest, const struct domain_memory *memory, GError **error);
/* struct domain_driver_ops.update of a memory device. */
bool plug_update_memory(struct guest *guest, unsigned index, struct domain_def **live, GError **error);
/* The event MEMORY_DEVICE_SIZE_CHANGE. */
void plug_on_memory_size(struct guest *guest, const json_t *arguments, int64_t time_us);

/* plug-throttle.c: is a disk in live another one by its limits alone? */
bool plug_changes_limits(const struct guest *guest, const struct domain_disk *disk,
                         const struct domain_def *live);
/* Then *live (replaced, unless it is the active definition but for the limits already) becomes so. */
bool plug_update_limits(struct guest *guest, unsigned index, bool complete, struct domain_def **live,
                        GError **error);

/* plug-media.c: has the medium in that drive that the definition names. drive: what QEMU says of it
   (query-block). False: QEMU has not answered, and may do it yet. */
bool plug_restore_medium(struct guest *guest, const struct qemu_caps *caps, const struct domain_disk *disk,
                         const json_t *drive);
/* Then, of what was taken for the old medium and for the one that was to come (status.medium), that which is
   not in goes back. */
void plug_sort_media(struct guest *guest, const struct domain_disk *disk);
/* plug-throttle.c: has the disk keep to the limits that the definition names. False likewise. */
bool plug_restore_limits(struct guest *guest, const struct qemu_caps *caps, const struct domain_disk *disk);

/* Whose medium can change while the guest runs. */
static inline bool plug_is_drive(const struct domain_disk *disk)
{
        return disk->device == DOMAIN_DISK_CDROM || disk->device == DOMAIN_DISK_FLOPPY;
}

/* plug-settle.c: has a command failed so that QEMU, which did not answer, may do it yet? */
bool plug_is_unsure(const GError *failure);
/* qmp_execute(); *unsure becomes true if it has. */
bool plug_tell(struct guest *guest, const char *command, json_t *arguments, unsigned timeout_ms,
               json_t **answer, bool *unsure, GError **error);
/* which: &guest->status->medium or limits; alias: of the disk; NULL: none is being changed. */
void plug_note_change(struct guest *guest, char **which, const char *alias);
/*
 * What a call leaves unsettled that has failed is settled when QEMU has done all that it was told, whether or
 * not somebody waits (monitor_resync()).
 */
void plug_settle_later(struct guest *guest);
/* What a call before has left so is settled first; false: QEMU does not answer. */
bool plug_require_settled(struct guest *guest, GError **error);
