/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files about the emulator's events, of which monitor.c has the table. Lane of the domain. */

#include "drivers/domain/edit-xml.h"
#include "drivers/qemu/guest.h"

/* The position of the argument's value in names, or -1. */
int monitor_get_choice(const json_t *arguments, const char *name, const char *const *names, unsigned count);

/* Announces event (taken). */
void monitor_emit(struct guest *guest, struct domain_event *event);
/* The active definition, borrowed until it changes. */
const struct domain_def *monitor_get_def(const struct guest *guest);
/* The edited definition (edit is taken) is the active one from now on. */
void monitor_commit(struct guest *guest, struct domain_edit *edit);

/* ---- monitor-power.c ---- */

void monitor_on_shutdown(struct guest *guest, const json_t *arguments, int64_t time_us);
void monitor_on_reset(struct guest *guest, const json_t *arguments, int64_t time_us);
void monitor_on_panicked(struct guest *guest, const json_t *arguments, int64_t time_us);
void monitor_on_crashloaded(struct guest *guest, const json_t *arguments, int64_t time_us);
/* A status of query-status with which a guest has ended: that is heeded. False: it has not. */
bool monitor_see_end(struct guest *guest, const char *status);
/* Does that status say that it has been reset after it crashed or slept, to start over? */
bool monitor_is_reset(const struct guest *guest, const char *status);
/* It has been reset, also after it shut down: it goes on. */
void monitor_finish_restart(struct guest *guest);

/* ---- monitor-storage.c: handlers ---- */

void monitor_on_io_error(struct guest *guest, const json_t *arguments, int64_t time_us);
void monitor_on_write_threshold(struct guest *guest, const json_t *arguments, int64_t time_us);
void monitor_on_tray(struct guest *guest, const json_t *arguments, int64_t time_us);
