/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A method call on its way through the agent. Whoever has it ends it exactly once, with one of call_reply(),
 * call_send_reply(), call_fail(), call_refuse() and call_end(), which free it. Loop thread.
 */

#include "base/error.h"
#include "bus/authorize.h"
#include "bus/tree.h"

#include <dbus/dbus.h>
#include <stdarg.h>

struct caller;
struct interface_method;

struct call {
        /* const */
        struct caller *caller; /* ref */
        DBusMessage *message;  /* ref; NULL once abandoned: answered already, only its work still runs */
        const struct interface_method *method;
        /* loop */
        struct target target;        /* object: ref, NULL while a question is open */
        DBusMessageIter args;        /* behind what call_read() has read */
        const struct access *access; /* what was asked about last */
        unsigned granted;            /* how much of it is allowed; see authorization_ask() */
        authorize_next next;         /* goes on when the open question is answered */
        bool holds;                  /* later calls of the caller wait for this one */
        bool settled;                /* see connect_settle() */
        bool asks;                   /* whether it is allowed; see authorize_lose() */
        bool lost;                   /* the object that was asked about is not there any more */
        struct audit_record *audit;  /* owned; of a call that changes something; NULL: it reads */
        const char *failure;         /* name of the error that it was answered with, static; NULL: none */
        unsigned failure_number;     /* virErrorNumber of that; 0: none */
        char *result;                /* owned; the path that it was answered with; NULL: none */
        GList link;                  /* in bus->calls */
};

struct call *call_new(struct bus *bus, struct caller *caller, DBusMessage *message);

/* The member's name, for messages. */
const char *call_get_member(const struct call *call);

/* The next arguments, see marshal_read(). */
void call_read(struct call *call, const char *signature, ...);
/* The flags of a call that has no other arguments, or none behind them. */
uint32_t call_read_flags(struct call *call);

/* Replies with values, see marshal_write(). The signature is the method's. */
void call_reply(struct call *call, const char *signature, ...);

/*
 * At the end of work: is a reply to be written? Otherwise the call has ended: with error, if it is not NULL,
 * or because nobody waits for it any more.
 */
bool call_may_reply(struct call *call, const GError *error);

/*
 * For replies with arrays: a reply to append to, and its end. Where the call was answered later than it came
 * in, call_may_reply() is asked before.
 */
DBusMessage *call_begin_reply(struct call *call, DBusMessageIter *iter);
void call_send_reply(struct call *call, DBusMessage *reply); /* takes reply */

/* Replies with the path of an object of that branch, with the paths of several. */
void call_reply_object(struct call *call, const struct branch *branch, const void *object);
void call_reply_objects(struct call *call, const struct branch *branch, const void *const *objects,
                        unsigned count);

/* Ends of lookups and lists on the connection: with what was found (NULL: fails with error), all borrowed. */
void call_reply_found(struct call *call, enum tree_branch branch, const void *object, const GError *error);
void call_reply_list(struct call *call, enum tree_branch branch, const GPtrArray *objects,
                     const GError *error);

/* Replies with a descriptor, which stays the caller's. */
void call_reply_fd(struct call *call, int fd);

/* The same with a text before it. */
void call_reply_text_and_fd(struct call *call, const char *text, int fd);

/*
 * Fails with org.libvirt.Error, which is also the caller's last error from now on. error stays the
 * caller's.
 */
void call_fail(struct call *call, const GError *error);
/*
 * The same with an error that is made for it: call_fail_with(call, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
 * "...", ...)
 */
void call_fail_with(struct call *call, enum error_domain from, enum error_code code, const char *format, ...)
        G_GNUC_PRINTF(4, 5);

/* Fails with an error of D-Bus itself (DBUS_ERROR_INVALID_ARGS ...): not a failure of the API. */
void call_refuse(struct call *call, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Ends it without an answer. */
void call_end(struct call *call);

/*
 * Answers with an error now. The call itself lives until its work, which goes on, ends it: then with message
 * == NULL, and only call_reply(), call_fail() and call_end() are good for it.
 */
void call_abandon(struct call *call, const GError *error);

/* Later calls of the caller wait until this call is ended or released. */
void call_hold(struct call *call);
void call_release(struct call *call);

/* Takes the reference to the object away: a question is open, and the object may vanish meanwhile. */
void call_drop_object(struct call *call);

/* Ends of work in the model (managed_done); data is the call. Empty reply; reply with the object's path. */
void call_done(struct managed *object, const GError *error, void *data);
void call_done_with_object(struct managed *object, const GError *error, void *data);
/* End of work in the lane of a collection (collection_done): empty reply. */
void call_done_collected(const GError *error, void *data);
/* End of a question whose answer is a text (domain_text_done), NULL with error; data is the call. */
void call_done_with_text(const char *text, const GError *error, void *data);

static inline struct domain *call_get_domain(const struct call *call)
{
        return target_get_domain(&call->target);
}

static inline struct storage *call_get_storage(const struct call *call)
{
        return model_get_storage(call->target.connect->model);
}

static inline struct domain_driver *call_get_driver(const struct call *call)
{
        return model_get_domains(call->target.connect->model);
}
