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
 * A question without a dialog is answered within POLKIT_DEADLINE_MS; one with a dialog when the user has
 * answered, or the client leaves. When PolicyKit goes away, open questions are asked again as soon as it is
 * back.
 *
 * Bounded per user: how many questions may be open, and how many of them PolicyKit has at a time, so that who
 * asks much waits for himself. Loop thread.
 */

#include "drivers/authorization.h"

#include <dbus/dbus.h>

#define POLKIT_DEADLINE_MS 5000
/* Open questions, of one user and altogether; of these, without dialogs, what PolicyKit is given at a time.
 */
#define POLKIT_USER_MAX   256
#define POLKIT_MAX        960
#define POLKIT_USER_AHEAD 8
/* How often a question is asked again because PolicyKit went away with it. */
#define POLKIT_RETRIES 3

struct connection;
struct loop;
struct polkit;

/* What models are made with: hooks, and the authorizer, which they take. fine: see above. */
extern const struct authorizer polkit_authorizer;
struct polkit *polkit_new(struct loop *loop, bool fine);

/* The connection over which it is asked from now on, borrowed; NULL: none any more. */
void polkit_attach(struct polkit *polkit, struct connection *connection);
/* The connection is ready (again). */
void polkit_ready(struct polkit *polkit);
/* The agent ends: what is open is answered with AUTHORIZATION_UNAVAILABLE, and so is what comes. */
void polkit_stop(struct polkit *polkit);
/* A signal; those that have nothing to do with PolicyKit are ignored. Borrowed. */
void polkit_take_signal(struct polkit *polkit, DBusMessage *message);
