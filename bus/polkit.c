/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions to PolicyKit: from a call to an answer. Owns the open questions and the users they are about.
 *
 *     QUEUED ──> SENT ──> answered
 *                 │ ▲
 *                 ▼ │ it is back
 *                LOST
 *
 * Loop thread.
 */
#include "bus/polkit.h"

#include "base/log.h"
#include "base/loop.h"
#include "bus/connection.h"
#include "bus/polkit-answers.h"
#include "bus/polkit-wire.h"

#include <string.h>

#define MONITOR "org.libvirt.unix.monitor"
#define MANAGE  "org.libvirt.unix.manage"
#define FINE    "org.libvirt.api."

#define CANCELLED "org.freedesktop.PolicyKit1.Error.Cancelled"

struct polkit {
        /* const */
        struct loop *loop;
        bool fine;
        /* loop */
        struct connection *connection;  /* borrowed; NULL: none */
        struct polkit_answers *answers; /* owned */
        GHashTable *users;              /* uid -> struct user, owned; those with open questions */
        GQueue open;                    /* of struct question, a ref each */
        char *owner;                    /* owned; unique name behind POLKIT_NAME; NULL: not known */
        char *complaint;                /* owned; what was logged last */
        GString *key;                   /* owned; scratch, see write_key() */
        unsigned epoch;                 /* what was asked in an earlier one may be answered by old rules */
        unsigned next_id;
        bool stopping;
};

struct user {
        uid_t uid;
        unsigned open;
        unsigned sent;  /* without a dialog */
        GQueue waiting; /* of struct question, borrowed: QUEUED */
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
        char cancellation_id[32];
        struct loop_timer *timer; /* owned; NULL: no deadline */
        GList link;               /* in polkit->open */
};

/* ---- what is asked ---- */

/* The actions of the contract that libvirt does not have: whoever may see the connection may read these. */
static const char *translate(const struct polkit *polkit, const char *action)
{
        char text[128];

        if (!polkit->fine)
                return authorization_is_read(action) ? MONITOR : MANAGE;
        if (strcmp(action, "object.read") == 0 || strcmp(action, "manager.read") == 0)
                action = "connect.getattr";
        g_snprintf(text, sizeof(text), FINE "%s", action);
        return g_intern_string(text);
}

/* An action of connections is about no object. */
static void describe(const struct authorization_question *question, const char *id, model_detail add,
                     void *data)
{
        struct authorization_question about = *question;

        if (g_str_has_prefix(id, FINE "connect."))
                about.object = NULL;
        authorization_describe(&about, add, data);
}

/* Lengths stand before texts: a volume may be called whatever looks like a detail. */
static void append_to_key(const char *key, const char *value, void *data)
{
        g_string_append_printf(data, " %s=%zu:%s", key, strlen(value), value);
}

/* The question as a text, which equal questions share; borrowed until the next. */
static const char *write_key(const struct polkit *polkit, const struct authorization_question *question,
                             const char *id)
{
        if (!polkit->fine)
                return id;
        g_string_assign(polkit->key, id);
        describe(question, id, append_to_key, polkit->key);
        return polkit->key->str;
}

static void append_detail(const char *key, const char *value, void *data)
{
        g_ptr_array_add(data, g_strdup(key));
        g_ptr_array_add(data, g_strdup(value));
}

static GPtrArray *list_details(const struct polkit *polkit, const struct authorization_question *question,
                               const char *id)
{
        GPtrArray *details;

        if (!polkit->fine)
                return NULL;
        details = g_ptr_array_new_with_free_func(g_free);
        describe(question, id, append_detail, details);
        return details;
}

/* ---- questions ---- */

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

static bool is_connected(const struct polkit *polkit)
{
        return polkit->connection && !polkit->stopping && connection_is_ready(polkit->connection);
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

static void on_reply(DBusMessage *reply, void *data);

static void send(struct question *question)
{
        struct polkit *polkit = question->polkit;
        DBusMessage *message;

        question->state = QUESTION_SENT;
        question->epoch = polkit->epoch;
        question->refs++;
        if (!question->dialog)
                question->user->sent++;
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
        while (user->sent < POLKIT_USER_AHEAD && !g_queue_is_empty(&user->waiting))
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
        else if (is_connected(question->polkit))
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

static void on_deadline(void *data)
{
        struct question *question = data;

        complain(question->polkit, "it does not answer");
        if (question->state == QUESTION_SENT)
                cancel(question);
        end(question, AUTHORIZATION_UNAVAILABLE);
}

static void set_deadline(struct question *question)
{
        if (question->timer)
                loop_timer_set(question->timer, POLKIT_DEADLINE_MS);
        else
                question->timer =
                        loop_timer_new(question->polkit->loop, POLKIT_DEADLINE_MS, on_deadline, question);
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

        if (!is_connected(question->polkit) || (!gone && !(absent && question->retries > 0)))
                return false;
        if (gone && question->retries++ >= POLKIT_RETRIES)
                return false;
        set_deadline(question);
        if (gone)
                send(question);
        else
                question->state = QUESTION_LOST;
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
        g_clear_pointer(&question->timer, loop_timer_free);
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

/* ---- the authorizer ---- */

static enum authorization_answer check(void *authorizer, const struct authorization_question *question)
{
        const struct polkit *polkit = authorizer;
        const struct identity *identity = question->identity;
        enum authorization_answer answer;

        if (identity->state == IDENTITY_UNKNOWN)
                return AUTHORIZATION_WHO;
        /* Only D-Bus has names by which PolicyKit can be asked about a client. */
        if (identity->state != IDENTITY_KNOWN || identity->gone || *identity->name != ':')
                return AUTHORIZATION_DENIED;
        answer = polkit_answers_find(polkit->answers, identity,
                                     write_key(polkit, question, translate(polkit, question->action)),
                                     question->since);
        /* The user can be asked: that takes a question of its own. */
        if (answer == AUTHORIZATION_CHALLENGE && question->interactive)
                return AUTHORIZATION_PENDING;
        return answer;
}

static enum authorization_answer ask(void *authorizer, const struct authorization_question *about,
                                     authorization_done done, void *data)
{
        struct polkit *polkit = authorizer;
        struct question *question;
        struct user *user;

        if (!is_connected(polkit))
                return AUTHORIZATION_UNAVAILABLE;
        user = get_user(polkit, about->identity->uid);
        if (user->open >= POLKIT_USER_MAX || polkit->open.length >= POLKIT_MAX)
                return AUTHORIZATION_CROWDED;
        question = g_new0(struct question, 1);
        *question = (struct question){
                .refs = 1,
                .polkit = polkit,
                .identity = identity_ref(about->identity),
                .user = user,
                .action = translate(polkit, about->action),
                .interactive = about->interactive,
                .done = done,
                .data = data,
                .link.data = question,
        };
        question->key = g_strdup(write_key(polkit, about, question->action));
        question->details = list_details(polkit, about, question->action);
        user->open++;
        g_queue_push_tail_link(&polkit->open, &question->link);
        g_queue_push_tail(&user->waiting, question);
        set_deadline(question);
        advance(user);
        return AUTHORIZATION_PENDING;
}

static bool tells_apart(const void *authorizer)
{
        return ((const struct polkit *)authorizer)->fine;
}

static struct question *find_open(const struct polkit *polkit, const struct identity *identity)
{
        for (GList *link = polkit->open.head; link; link = link->next) {
                struct question *question = link->data;

                if (!identity || question->identity == identity)
                        return question;
        }
        return NULL;
}

/* Ends all questions, or those about identity. */
static void give_up(struct polkit *polkit, const struct identity *identity, enum authorization_answer answer)
{
        struct question *question;

        while ((question = find_open(polkit, identity))) {
                if (question->state == QUESTION_SENT)
                        cancel(question);
                end(question, answer);
        }
}

static void forget(void *authorizer, const struct identity *identity)
{
        struct polkit *polkit = authorizer;

        polkit_answers_forget(polkit->answers, identity);
        give_up(polkit, identity, AUTHORIZATION_DENIED);
}

static void polkit_free(void *authorizer)
{
        struct polkit *polkit = authorizer;

        g_assert(polkit->open.length == 0);
        polkit_answers_free(polkit->answers);
        g_hash_table_unref(polkit->users);
        g_string_free(polkit->key, TRUE);
        g_free(polkit->complaint);
        g_free(polkit->owner);
        g_free(polkit);
}

const struct authorizer polkit_authorizer = {
        .check = check,
        .ask = ask,
        .tells_apart = tells_apart,
        .forget = forget,
        .free = polkit_free,
};

struct polkit *polkit_new(struct loop *loop, bool fine)
{
        struct polkit *polkit = g_new0(struct polkit, 1);

        polkit->loop = loop;
        polkit->fine = fine;
        polkit->answers = polkit_answers_new(loop);
        polkit->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        polkit->key = g_string_sized_new(256);
        g_queue_init(&polkit->open);
        return polkit;
}

/* ---- the connection ---- */

void polkit_attach(struct polkit *polkit, struct connection *connection)
{
        polkit->connection = connection;
        give_up(polkit, NULL, AUTHORIZATION_UNAVAILABLE);
}

static void add_match(struct polkit *polkit, const char *rule)
{
        DBusMessage *message = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS,
                                                            DBUS_INTERFACE_DBUS, "AddMatch");

        if (!message || !dbus_message_append_args(message, DBUS_TYPE_STRING, &rule, DBUS_TYPE_INVALID))
                g_error("out of memory while writing a call");
        dbus_message_set_no_reply(message, TRUE);
        connection_send(polkit->connection, message);
        dbus_message_unref(message);
}

/* What was known may be by rules that are gone. */
static void forget_answers(struct polkit *polkit)
{
        polkit->epoch++;
        polkit_answers_clear(polkit->answers);
}

void polkit_ready(struct polkit *polkit)
{
        forget_answers(polkit);
        for (unsigned i = 0; i < G_N_ELEMENTS(polkit_wire_matches); i++)
                add_match(polkit, polkit_wire_matches[i]);
}

void polkit_stop(struct polkit *polkit)
{
        polkit->stopping = true;
        give_up(polkit, NULL, AUTHORIZATION_UNAVAILABLE);
}

/* It is back: what it went away with is asked again, and then what has waited. */
static void ask_again(struct polkit *polkit)
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

static void note_owner(struct polkit *polkit, DBusMessage *message)
{
        const char *name, *old_owner, *new_owner;

        if (!dbus_message_get_args(message, NULL, DBUS_TYPE_STRING, &name, DBUS_TYPE_STRING, &old_owner,
                                   DBUS_TYPE_STRING, &new_owner, DBUS_TYPE_INVALID) ||
            strcmp(name, POLKIT_NAME) != 0)
                return;
        forget_answers(polkit);
        g_clear_pointer(&polkit->owner, g_free);
        if (*new_owner && is_connected(polkit))
                ask_again(polkit);
}

void polkit_take_signal(struct polkit *polkit, DBusMessage *message)
{
        if (dbus_message_is_signal(message, DBUS_INTERFACE_DBUS, "NameOwnerChanged") &&
            dbus_message_has_sender(message, DBUS_SERVICE_DBUS))
                note_owner(polkit, message);
        else if (dbus_message_is_signal(message, POLKIT_INTERFACE, "Changed") && polkit->owner &&
                 dbus_message_has_sender(message, polkit->owner))
                forget_answers(polkit);
}
