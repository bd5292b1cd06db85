/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The authorizer that asks PolicyKit, over the connection of the bus that is served: one action of two
 * (org.libvirt.unix.monitor for what reads, org.libvirt.unix.manage for all else), or, where the
 * administrator has turned fine checks on, libvirt's own for each kind of object
 * (org.libvirt.api.domain.start) with the object's details.
 *
 * A question is asked without a dialog first, and that answer is remembered (polkit-answers.h). Only where
 * PolicyKit says that the user would have to be asked, and the client allows that, it is asked a second time
 * with one; what comes of a dialog is good for the call that asked, and PolicyKit itself remembers the rest.
 * A question without a dialog that PolicyKit has is answered within a deadline; one with a dialog when the
 * user has answered, or the client leaves. When PolicyKit goes away, open questions are asked again as soon
 * as it is back.
 *
 * Bounded per user: how many questions may be open, and how many of them PolicyKit has at a time, so that who
 * asks much waits for himself, and that as long as it takes while PolicyKit answers. When it has answered
 * nothing of his within a deadline, all that waits ends with that question. Loop thread.
 */

#include "drivers/authorization.h"

#include <dbus/dbus.h>

/* Open questions altogether; of one user's, without dialogs, what PolicyKit is given at a time. */
#define POLKIT_MAX        960
#define POLKIT_USER_AHEAD 8
/* How often a question is asked again because PolicyKit went away with it. */
#define POLKIT_RETRIES 3

struct connection;
struct loop;
struct polkit;

/* What may change while it is used. */
struct polkit_settings {
        bool fine;            /* see above */
        unsigned deadline_ms; /* of a question without a dialog */
        unsigned user_max;    /* open questions of one user */
};

/* What models are made with: hooks, and the authorizer, which they take. */
extern const struct authorizer polkit_authorizer;
struct polkit *polkit_new(struct loop *loop, const struct polkit_settings *settings);
/* For questions from now on; open ones are answered as they were asked. */
void polkit_configure(struct polkit *polkit, const struct polkit_settings *settings);

/* The connection over which it is asked from now on, borrowed; NULL: none any more. */
void polkit_attach(struct polkit *polkit, struct connection *connection);
/* The connection is ready (again). */
void polkit_ready(struct polkit *polkit);
/* The agent ends: what is open is answered with AUTHORIZATION_UNAVAILABLE, and so is what comes. */
void polkit_stop(struct polkit *polkit);
/* A signal; those that have nothing to do with PolicyKit are ignored. Borrowed. */
void polkit_take_signal(struct polkit *polkit, DBusMessage *message);
