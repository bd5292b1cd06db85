/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What systemd keeps for processes that outlive us: transient scopes (org.freedesktop.systemd1.Manager), and
 * the list of machines of systemd-machined (org.freedesktop.machine1.Manager). Each function is called in a
 * lane, is answered before it returns, and takes some seconds at most. Errors: ERROR_DBUS_SERVICE with what
 * the service says, ERROR_OPERATION_TIMEOUT, ERROR_OPERATION_ABORTED when the lane was interrupted.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lane;

/* Whose manager: the host's, or that of the user whom this process runs as. */
enum systemd_manager {
        SYSTEMD_HOST,
        SYSTEMD_USER,
};

/* Was the host booted with systemd, as sd_booted(3) knows? Any thread. */
bool systemd_is_booted(void);

struct systemd_scope {
        const char *name;  /* of the unit, with ".scope" */
        const char *slice; /* of the unit, with ".slice"; made if it is not there */
        const char *description;
        pid_t pid; /* moved into it */
};

/*
 * Makes a scope whose control groups are delegated to us; it is there when this returns, and goes by itself
 * with its last process. *exists: it failed because there is one of that name.
 */
bool systemd_start_scope(struct lane *lane, enum systemd_manager manager, const struct systemd_scope *scope,
                         bool *exists, GError **error);

/* Sets a number among the properties of a unit ("CPUWeight"), until the unit goes. */
bool systemd_set_property(struct lane *lane, enum systemd_manager manager, const char *unit,
                          const char *property, uint64_t value, GError **error);
/* Sets one entry of a property that has a number for each block device ("IODeviceWeight"); others stay. */
bool systemd_set_device_property(struct lane *lane, enum systemd_manager manager, const char *unit,
                                 const char *property, dev_t device, uint64_t value, GError **error);

/*
 * Tells machined (of the host) of a machine whose processes are in the unit of leader; it forgets the machine
 * when that unit goes. *missing: there is no machined on this host.
 */
struct systemd_machine {
        const char *name;
        const uint8_t *uuid; /* 16 bytes */
        const char *service; /* who made it */
        pid_t leader;
};
bool systemd_register_machine(struct lane *lane, const struct systemd_machine *machine, bool *missing,
                              GError **error);

/* A name as part of a unit's name: what systemd-escape(1) makes of it. Free it. */
char *systemd_escape(const char *name);
