/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * AppArmor: a profile per guest, which says what its emulator may open. Profiles are made by apparmor_parser
 * and live in the kernel; there is no file of them. All else are files of the kernel, so no library is
 * needed. Lanes, where nothing else is said.
 */

#include <glib.h>
#include <stdbool.h>

struct lane;

#define APPARMOR_MODEL "apparmor"
/* Where a process says into which profile its next program runs: "exec NAME". */
#define APPARMOR_EXEC_FILE "/proc/self/attr/apparmor/exec"

/*
 * Does the kernel confine by AppArmor, and can profiles be loaded (its files are mounted, apparmor_parser is
 * there, the agent is root)? root: "" or where a test has its files. Any thread.
 */
bool apparmor_is_active(const char *root);

/* Something that has a path. */
struct apparmor_rule {
        const char *path; /* absolute, without links */
        bool write;
        bool tree; /* all that is below it, too */
};

struct apparmor_profile {
        const char *name;     /* "libvirt-<uuid>", as libvirt's are called */
        const char *emulator; /* absolute; links are followed */
        const struct apparmor_rule *rules;
        unsigned n_rules;
        bool host_devices; /* it looks at devices of the host in /sys */
        bool raw_io;       /* it has CAP_SYS_RAWIO */
        bool sound;        /* it plays sound on the host */
};

/*
 * The text of a profile: what emulators need to run at all, the rules, and what the administrator has in
 * local/abstractions/libvirt-qemu below /etc/apparmor.d. Owned. Errors: ERROR_CONFIG_UNSUPPORTED names a path
 * that no profile can have.
 */
char *apparmor_format(const struct apparmor_profile *profile, GError **error);

/*
 * Puts a profile into the kernel, in the place of one of that name. The processes in that are confined by the
 * new one from then on, also in what they have open. Errors: what apparmor_parser says, its deadline, an
 * interrupt of the lane.
 */
bool apparmor_load(struct lane *lane, const char *text, GError **error);

/* One that is not there is fine. Failures are logged. */
void apparmor_remove(const char *name);

/* Is there a profile of that name? */
bool apparmor_is_loaded(const char *name);

/* Does what confines that process refuse, rather than only log? Any thread. */
bool apparmor_is_enforcing(int pid);
