/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * PolicyKit's interface org.freedesktop.PolicyKit1.Authority as messages: what is asked, what was answered.
 * Its documentation is the source of the signatures. No state; any thread.
 */

#include <dbus/dbus.h>
#include <glib.h>
#include <stdbool.h>

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

/*
 * CheckAuthorization for the client of that unique name: never for a process id, which may be another's by
 * the time it is looked at. details: key, value, key, value ...; NULL: none. dialog: the user may be asked.
 */
DBusMessage *polkit_wire_check(const char *client, const char *action, const GPtrArray *details, bool dialog,
                               const char *cancellation_id);
DBusMessage *polkit_wire_cancel(const char *cancellation_id);

struct polkit_result {
        bool allowed;
        bool challenge; /* the user would have to be asked, or nobody was there to ask */
        bool dismissed; /* the user was asked and closed the dialog */
};

/* False: that is no answer to CheckAuthorization. */
bool polkit_wire_read(DBusMessage *reply, struct polkit_result *result);

/* The two rules by which a connection hears of changes, and of PolicyKit's coming and going. */
extern const char *const polkit_wire_matches[2];
