/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to PolicyKit on their way. Owns the open questions and the users they are about.
 *
 *     QUEUED ──> SENT ──> ENDED
 *                 │ ▲
 *                 ▼ │ it is back
 *                LOST
 *
 * Loop thread.
 */
#include "bus/polkit-question.h"

#include "base/log.h"
#include "base/loop.h"
#include "bus/connection.h"
#include "bus/polkit-answers.h"
#include "bus/polkit-wire.h"

#define CANCELLED "org.freedesktop.PolicyKit1.Error.Cancelled"

struct user {
        uid_t uid;
        unsigned open;
        unsigned sent;     /* without a dialog */
        unsigned answered; /* a count */
        bool is_ending;    /* what waits is not sent any more */
        GQueue waiting;    /* of struct question, borrowed: QUEUED */
};

enum question_state {
        QUESTION_QUEUED,
        QUESTION_SENT,
        QUESTION_LOST, /* PolicyKit went away with it */
        QUESTION_ENDED,
};

struct question {
        unsigned refs; /* one as long as it is open, one as long as a reply is awaited */
        /* const */
        struct polkit *polkit;     /* borrowed: answers all before it is freed */
        struct identity *identity; /* ref */
        struct user *user;         /* borrowed while it is open */
        const char *action;        /* interned */
        char *key;                 /* owned */
        GPtrArray *details;        /* owned; NULL: none */
        bool interactive;
        authorization_done done;
        void *data; /* owned by done */
        /* loop */
        enum question_state state;
        bool dialog;
        unsigned retries, epoch;
        unsigned answered; /* user's, when the deadline was set */
        char cancellation_id[32];
        struct loop_timer *timer; /* owned; NULL: no deadline */
        GList link;               /* in polkit->open */
};

bool polkit_is_connected(const struct polkit *polkit)
{
        return polkit->connection && !polkit->stopping && connection_is_ready(polkit->connection);
}

static void question_unref(struct question *question)
{
        if (--question->refs > 0)
                return;
        identity_unref(question->identity);
        if (question->details)
                g_ptr_array_unref(question->details);
        g_free(question->key);
        g_free(question);
}

static struct user *get_user(struct polkit *polkit, uid_t uid)
{
        gpointer key = GUINT_TO_POINTER(uid);
        struct user *user = g_hash_table_lookup(polkit->users, key);

        if (user)
                return user;
        user = g_new0(struct user, 1);
        user->uid = uid;
        g_queue_init(&user->waiting);
        g_hash_table_insert(polkit->users, key, user);
        return user;
}

/* The same trouble is logged once, however many calls it befalls. */
static void complain(struct polkit *polkit, const char *what)
{
        if (g_strcmp0(polkit->complaint, what) == 0)
                return;
        g_free(polkit->complaint);
        polkit->complaint = g_strdup(what);
        log_warning("PolicyKit cannot be asked, and nobody but root is authorized: %s", what);
}

static void on_deadline(void *data);

static void set_deadline(struct question *question)
{
        unsigned deadline_ms = question->polkit->settings.deadline_ms;

        question->answered = question->user->answered;
        if (question->timer)
                loop_timer_set(question->timer, deadline_ms);
        else
                question->timer = loop_timer_new(question->polkit->loop, deadline_ms, on_deadline, question);
}

static void on_reply(DBusMessage *reply, void *data);

/* It has its deadline from now on: what waits behind others has none. A user may think as long as he likes.
 */
static void send(struct question *question)
{
        struct polkit *polkit = question->polkit;
        DBusMessage *message;

        question->state = QUESTION_SENT;
        question->epoch = polkit->epoch;
        question->refs++;
        if (question->dialog) {
                g_clear_pointer(&question->timer, loop_timer_free);
        } else {
                question->user->sent++;
                set_deadline(question);
        }
        g_snprintf(question->cancellation_id, sizeof(question->cancellation_id), "virtbus-%u",
                   polkit->next_id++);
        message = polkit_wire_check(question->identity->name, question->action, question->details,
                                    question->dialog, question->cancellation_id);
        connection_call(polkit->connection, message, on_reply, question);
        dbus_message_unref(message);
}

/* Gives PolicyKit what waits of that user, as much as it may have. */
static void advance(struct user *user)
{
        while (!user->is_ending && user->sent < POLKIT_USER_AHEAD && !g_queue_is_empty(&user->waiting))
                send(g_queue_pop_head(&user->waiting));
}

static void cancel(struct question *question)
{
        struct polkit *polkit = question->polkit;
        DBusMessage *message;

        if (!polkit->connection || !connection_is_ready(polkit->connection))
                return;
        message = polkit_wire_cancel(question->cancellation_id);
        connection_send(polkit->connection, message);
        dbus_message_unref(message);
}

/* Takes it out of the books of its user. */
static void leave_user(struct question *question)
{
        struct user *user = question->user;

        if (question->state == QUESTION_QUEUED)
                g_queue_remove(&user->waiting, question);
        if (question->state == QUESTION_SENT && !question->dialog)
                user->sent--;
        question->user = NULL;
        if (--user->open == 0)
                g_hash_table_remove(question->polkit->users, GUINT_TO_POINTER(user->uid));
        else if (polkit_is_connected(question->polkit))
                advance(user);
}

static void end(struct question *question, enum authorization_answer answer)
{
        struct polkit *polkit = question->polkit;

        leave_user(question);
        question->state = QUESTION_ENDED;
        g_clear_pointer(&question->timer, loop_timer_free);
        g_queue_unlink(&polkit->open, &question->link);
        question->done(answer, question->data);
        question_unref(question);
}

/* PolicyKit cannot be asked now; what waits of that user would fail as well, one after the other. */
static void end_with_waiting(struct question *question)
{
        struct user *user = question->user;

        question->refs++;
        user->is_ending = true;
        while (question->state != QUESTION_ENDED && !g_queue_is_empty(&user->waiting))
                end(g_queue_peek_head(&user->waiting), AUTHORIZATION_UNAVAILABLE);
        if (question->state != QUESTION_ENDED) {
                user->is_ending = false;
                end(question, AUTHORIZATION_UNAVAILABLE);
        }
        question_unref(question);
}

static void on_deadline(void *data)
{
        struct question *question = data;

        complain(question->polkit, "it does not answer");
        if (question->state == QUESTION_SENT)
                cancel(question);
        if (question->user->answered == question->answered)
                end_with_waiting(question);
        else
                end(question, AUTHORIZATION_UNAVAILABLE);
}

/* ---- answers ---- */

static bool is_error(DBusMessage *reply, const char *name)
{
        return reply && dbus_message_is_error(reply, name);
}

/* PolicyKit is not there. If it was, it may come back: systemd starts it again, or the next call does. */
static bool wait_for_return(struct question *question, DBusMessage *reply)
{
        bool gone = is_error(reply, DBUS_ERROR_NO_REPLY);
        bool absent =
                is_error(reply, DBUS_ERROR_SERVICE_UNKNOWN) || is_error(reply, DBUS_ERROR_NAME_HAS_NO_OWNER);

        if (!polkit_is_connected(question->polkit) || (!gone && !(absent && question->retries > 0)))
                return false;
        if (gone && question->retries++ >= POLKIT_RETRIES)
                return false;
        if (gone) {
                send(question);
                return true;
        }
        question->state = QUESTION_LOST;
        set_deadline(question);
        return true;
}

static void fail(struct question *question, DBusMessage *reply)
{
        const char *text = NULL;

        if (is_error(reply, CANCELLED)) {
                end(question, AUTHORIZATION_DENIED);
                return;
        }
        if (wait_for_return(question, reply))
                return;
        if (reply && !dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID))
                text = dbus_message_get_error_name(reply);
        complain(question->polkit, text ? text : "the bus is gone");
        end(question, AUTHORIZATION_UNAVAILABLE);
}

static void open_dialog(struct question *question)
{
        question->dialog = true;
        send(question);
        advance(question->user);
}

static void end_dialog(struct question *question, const struct polkit_result *result)
{
        if (result->allowed) {
                /* From now on it may be allowed without. */
                polkit_answers_remove(question->polkit->answers, question->identity, question->key);
                end(question, AUTHORIZATION_ALLOWED);
        } else if (result->dismissed) {
                end(question, AUTHORIZATION_DISMISSED);
        } else {
                end(question, result->challenge ? AUTHORIZATION_CHALLENGE : AUTHORIZATION_DENIED);
        }
}

static void end_check(struct question *question, const struct polkit_result *result)
{
        struct polkit *polkit = question->polkit;
        enum authorization_answer answer = AUTHORIZATION_DENIED;

        if (result->allowed)
                answer = AUTHORIZATION_ALLOWED;
        else if (result->challenge)
                answer = AUTHORIZATION_CHALLENGE;
        if (question->epoch == polkit->epoch)
                polkit_answers_add(polkit->answers, question->identity, question->key, answer);
        if (answer == AUTHORIZATION_CHALLENGE && question->interactive)
                open_dialog(question);
        else
                end(question, answer);
}

static void take_result(struct question *question, DBusMessage *reply)
{
        struct polkit *polkit = question->polkit;
        struct polkit_result result;

        if (!polkit_wire_read(reply, &result)) {
                complain(polkit, "its answer is none");
                end(question, AUTHORIZATION_UNAVAILABLE);
                return;
        }
        g_free(polkit->owner);
        polkit->owner = g_strdup(dbus_message_get_sender(reply));
        g_clear_pointer(&polkit->complaint, g_free);
        question->user->answered++;
        if (question->dialog)
                end_dialog(question, &result);
        else
                end_check(question, &result);
}

static void on_reply(DBusMessage *reply, void *data)
{
        struct question *question = data;

        if (question->state != QUESTION_ENDED) {
                question->state = QUESTION_LOST;
                if (!question->dialog)
                        question->user->sent--;
                if (reply && dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_METHOD_RETURN)
                        take_result(question, reply);
                else
                        fail(question, reply);
        }
        question_unref(question);
}

/* ---- all of them ---- */

enum authorization_answer polkit_question_ask(struct polkit *polkit, const struct polkit_question *about)
{
        g_autoptr(GPtrArray) details = about->details;
        struct question *question;
        struct user *user;

        if (!polkit_is_connected(polkit))
                return AUTHORIZATION_UNAVAILABLE;
        if (polkit->open.length >= POLKIT_MAX)
                return AUTHORIZATION_CROWDED;
        user = get_user(polkit, about->identity->uid);
        if (user->open >= polkit->settings.user_max)
                return AUTHORIZATION_CROWDED;
        question = g_new0(struct question, 1);
        *question = (struct question){
                .refs = 1,
                .polkit = polkit,
                .identity = identity_ref(about->identity),
                .user = user,
                .action = about->action,
                .key = g_strdup(about->key),
                .details = g_steal_pointer(&details),
                .interactive = about->interactive,
                .done = about->done,
                .data = about->data,
                .link.data = question,
        };
        user->open++;
        g_queue_push_tail_link(&polkit->open, &question->link);
        g_queue_push_tail(&user->waiting, question);
        advance(user);
        return AUTHORIZATION_PENDING;
}

/* The last one first: what waits behind others ends before those make room for it at PolicyKit. */
static struct question *find_open(const struct polkit *polkit, const struct identity *identity)
{
        for (GList *link = polkit->open.tail; link; link = link->prev) {
                struct question *question = link->data;

                if (!identity || question->identity == identity)
                        return question;
        }
        return NULL;
}

void polkit_questions_end(struct polkit *polkit, const struct identity *identity,
                          enum authorization_answer answer)
{
        struct question *question;

        while ((question = find_open(polkit, identity))) {
                if (question->state == QUESTION_SENT)
                        cancel(question);
                end(question, answer);
        }
}

void polkit_questions_resume(struct polkit *polkit)
{
        GHashTableIter iter;
        gpointer user;

        for (GList *link = polkit->open.head; link; link = link->next) {
                struct question *question = link->data;

                if (question->state == QUESTION_LOST)
                        send(question);
        }
        g_hash_table_iter_init(&iter, polkit->users);
        while (g_hash_table_iter_next(&iter, NULL, &user))
                advance(user);
}
