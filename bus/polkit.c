/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What PolicyKit is asked for whom, and what of its answers is remembered. Loop thread.
 */
#include "bus/polkit.h"

#include "base/loop.h"
#include "bus/connection.h"
#include "bus/polkit-answers.h"
#include "bus/polkit-question.h"
#include "bus/polkit-wire.h"

#include <string.h>

#define MONITOR "org.libvirt.unix.monitor"
#define MANAGE  "org.libvirt.unix.manage"
#define FINE    "org.libvirt.api."

/* ---- what is asked ---- */

/* Asked for an object that is not found yet: the one that is will be asked about (bus/sight.h). */
static bool is_lookup(const struct authorization_question *question)
{
        return !question->object && g_str_has_suffix(question->action, ".getattr");
}

/*
 * libvirt's name of an action, interned. Those of the contract that libvirt does not have are for whoever may
 * see the connection.
 */
static const char *translate(const struct polkit *polkit, const struct authorization_question *question)
{
        const char *action = question->action;
        char text[128];

        if (!polkit->settings.fine)
                return authorization_is_read(action) ? MONITOR : MANAGE;
        if (strcmp(action, "object.read") == 0 || strcmp(action, "manager.read") == 0 || is_lookup(question))
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
        if (!polkit->settings.fine)
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

        if (!polkit->settings.fine)
                return NULL;
        details = g_ptr_array_new_with_free_func(g_free);
        describe(question, id, append_detail, details);
        return details;
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
                                     write_key(polkit, question, translate(polkit, question)));
        /* The user can be asked: that takes a question of its own. */
        if (answer == AUTHORIZATION_CHALLENGE && question->interactive)
                return AUTHORIZATION_PENDING;
        return answer;
}

static enum authorization_answer ask(void *authorizer, const struct authorization_question *about,
                                     authorization_done done, void *data)
{
        struct polkit *polkit = authorizer;
        const char *action = translate(polkit, about);
        const struct polkit_question question = {
                .identity = about->identity,
                .action = action,
                .key = write_key(polkit, about, action),
                .details = list_details(polkit, about, action),
                .interactive = about->interactive,
                .done = done,
                .data = data,
        };

        return polkit_question_ask(polkit, &question);
}

static bool tells_apart(const void *authorizer)
{
        return ((const struct polkit *)authorizer)->settings.fine;
}

static void forget(void *authorizer, const struct identity *identity)
{
        struct polkit *polkit = authorizer;

        polkit_answers_forget(polkit->answers, identity);
        polkit_questions_end(polkit, identity, AUTHORIZATION_DENIED);
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

struct polkit *polkit_new(struct loop *loop, const struct polkit_settings *settings)
{
        struct polkit *polkit = g_new0(struct polkit, 1);

        polkit->loop = loop;
        polkit->settings = *settings;
        polkit->answers = polkit_answers_new(loop);
        polkit->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        polkit->key = g_string_sized_new(256);
        g_queue_init(&polkit->open);
        return polkit;
}

void polkit_configure(struct polkit *polkit, const struct polkit_settings *settings)
{
        polkit->settings = *settings;
}

/* ---- the connection ---- */

void polkit_attach(struct polkit *polkit, struct connection *connection)
{
        polkit->connection = connection;
        polkit_questions_end(polkit, NULL, AUTHORIZATION_UNAVAILABLE);
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
        polkit_questions_end(polkit, NULL, AUTHORIZATION_UNAVAILABLE);
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
        if (*new_owner && polkit_is_connected(polkit))
                polkit_questions_resume(polkit);
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
