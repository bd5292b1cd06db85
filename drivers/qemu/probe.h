/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Asking an emulator what it can do, through QMP: a binary is started without a machine for that, and killed.
 * It runs as the given account, but it does run: whoever names a path must be one who may start guests.
 */

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

struct account;
struct lane;
struct qmp;

/*
 * How long an emulator may get nowhere with an answer, and how long all of them together may take: on a host
 * that is busy even one that does what it can is slow.
 */
#define PROBE_STILL_MS 5000
#define PROBE_TOTAL_MS 120000

/*
 * The capabilities as a document for qemu_caps_new(); a new reference. Takes a tenth of a second on an idle
 * host. In a lane, which it holds up (its slot is lent meanwhile); an interrupt ends it. Errors, all with the
 * path: ERROR_SYSTEM_ERROR or ERROR_OPERATION_FAILED when it cannot be started or ends at once, with what it
 * wrote to standard error; ERROR_OPERATION_TIMEOUT; ERROR_OPERATION_ABORTED; ERROR_INTERNAL_ERROR for answers
 * that make no sense.
 */
json_t *probe_run(struct lane *lane, const char *path, const struct account *account, GError **error);

/*
 * The same of an emulator that runs a guest, by its monitor; path: what it was started by. Of CPUs it knows
 * those of the accelerator that the guest has. In the lane of the monitor. Errors as of qmp_receive().
 */
json_t *probe_ask(struct lane *lane, struct qmp *qmp, const char *path, GError **error);
