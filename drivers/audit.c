/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of calls that change something, and how many of them fail. Loop thread. */
#include "drivers/audit.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/managed.h"

#include <inttypes.h>
#include <string.h>

/* Users whose failures are counted apart; further ones, and those who are not known, share a count. */
#define USERS_MAX 1024
#define OTHERS    G_MAXUINT32
/* An object has five details at most (a volume and its pool). */
#define DETAILS_MAX 8

struct audit {
        /* const */
        struct loop *loop; /* borrowed */
        /* loop */
        bool enabled;
        GHashTable *failures;      /* uid -> how many in this window */
        struct loop_timer *window; /* owned; ends it; NULL: nobody has failed */
};

struct detail {
        char *field, *value; /* owned */
};

struct audit_record {
        struct audit *audit;       /* borrowed */
        struct identity *identity; /* ref */
        char *actions;             /* owned */
        const char *connection;    /* borrowed from the model; NULL: it is about the agent */
        char uuid[UUID_STRING_LENGTH + 1];
        struct detail details[DETAILS_MAX];
        unsigned n_details;
};

/* ---- floods ---- */

static void tell_failures(uid_t uid, unsigned count)
{
        if (count <= AUDIT_FAILURES_MAX)
                return;
        if (uid == OTHERS)
                log_notice("audit: %u more calls of others failed", count - AUDIT_FAILURES_MAX);
        else
                log_notice("audit: %u more calls of the user %u failed", count - AUDIT_FAILURES_MAX,
                           (unsigned)uid);
}

static void end_window(void *data)
{
        struct audit *audit = data;
        GHashTableIter iter;
        void *uid, *count;

        g_hash_table_iter_init(&iter, audit->failures);
        while (g_hash_table_iter_next(&iter, &uid, &count))
                tell_failures(GPOINTER_TO_UINT(uid), GPOINTER_TO_UINT(count));
        g_hash_table_remove_all(audit->failures);
        g_clear_pointer(&audit->window, loop_timer_free);
}

/* Is there room for one more failure of that user? */
static bool count_failure(struct audit *audit, const struct identity *identity)
{
        void *key = GUINT_TO_POINTER(identity->state == IDENTITY_KNOWN ? identity->uid : OTHERS);
        unsigned count;

        if (!g_hash_table_contains(audit->failures, key) && g_hash_table_size(audit->failures) >= USERS_MAX)
                key = GUINT_TO_POINTER(OTHERS);
        count = GPOINTER_TO_UINT(g_hash_table_lookup(audit->failures, key)) + 1;
        g_hash_table_insert(audit->failures, key, GUINT_TO_POINTER(count));
        if (!audit->window)
                audit->window = loop_timer_new(audit->loop, AUDIT_WINDOW_MS, end_window, audit);
        return count <= AUDIT_FAILURES_MAX;
}

struct audit *audit_new(struct loop *loop)
{
        struct audit *audit = g_new0(struct audit, 1);

        audit->loop = loop;
        audit->enabled = true;
        audit->failures = g_hash_table_new(NULL, NULL);
        return audit;
}

void audit_free(struct audit *audit)
{
        if (!audit)
                return;
        end_window(audit);
        g_hash_table_unref(audit->failures);
        g_free(audit);
}

void audit_set_enabled(struct audit *audit, bool enabled)
{
        audit->enabled = enabled;
}

/* ---- beginning ---- */

/* The actions of a call that are more than reads; NULL: none. */
static char *list_actions(const struct access *access, unsigned flags)
{
        GString *list = NULL;

        for (; access->action; access++) {
                if ((access->flags && !(access->flags & flags)) || authorization_is_read(access->action))
                        continue;
                if (!list)
                        list = g_string_new(access->action);
                else
                        g_string_append_printf(list, " %s", access->action);
        }
        return list ? g_string_free(list, FALSE) : NULL;
}

static void add_detail(const char *key, const char *value, void *data)
{
        struct audit_record *record = data;

        if (record->n_details < DETAILS_MAX)
                record->details[record->n_details++] =
                        (struct detail){ g_ascii_strup(key, -1), g_strdup(value) };
}

static void describe(struct audit_record *record, const struct authorization_question *question)
{
        record->connection = question->model ? model_get_uri(question->model) : NULL;
        if (!question->model || !question->object || question->kind >= MODEL_KIND_COUNT)
                return;
        model_describe(question->model, question->kind, question->object, add_detail, record);
        if (model_get_registry(question->model, question->kind))
                g_strlcpy(record->uuid, ((const struct managed *)question->object)->uuid_text,
                          sizeof(record->uuid));
}

struct audit_record *audit_begin(struct audit *audit, const struct authorization_question *question,
                                 const struct access *access, unsigned flags)
{
        char *actions = audit->enabled ? list_actions(access, flags) : NULL;
        struct audit_record *record;

        if (!actions)
                return NULL;
        record = g_new0(struct audit_record, 1);
        record->audit = audit;
        record->identity = identity_ref(question->identity);
        record->actions = actions;
        describe(record, question);
        return record;
}

/* ---- ending ---- */

/* For people: the journal's line, and the log's where there is no journal. */
static char *write_line(const struct audit_record *record, const struct audit_answer *answer, const char *uid)
{
        GString *line = g_string_new(NULL);

        g_string_printf(line, "audit: %s%s (%s): %s on %s", uid ? "user " : "somebody", uid ? uid : "",
                        record->identity->name, answer->member, answer->object);
        for (unsigned i = 0; i < record->n_details; i++)
                g_string_append_printf(line, "%s%s=%s", i == 0 ? " (" : " ", record->details[i].field,
                                       record->details[i].value);
        g_string_append_printf(line, "%s: %s", record->n_details > 0 ? ")" : "",
                               answer->error ? answer->error : "ok");
        return g_string_free(line, FALSE);
}

static void write_record(const struct audit_record *record, const struct audit_answer *answer)
{
        const struct identity *identity = record->identity;
        bool is_known = identity->state == IDENTITY_KNOWN;
        g_autofree char *uid = is_known ? g_strdup_printf("%u", (unsigned)identity->uid) : NULL;
        g_autofree char *pid =
                is_known && identity->pid > 0 ? g_strdup_printf("%d", (int)identity->pid) : NULL;
        g_autofree char *number = answer->number > 0 ? g_strdup_printf("%u", answer->number) : NULL;
        g_autofree char *line = write_line(record, answer, uid);
        struct log_field fields[12 + DETAILS_MAX] = {
                { "MESSAGE_ID", AUDIT_MESSAGE_ID },
                { "CALLER_UID", uid },
                { "CALLER_PID", pid },
                { "CALLER_BUS_NAME", identity->name },
                { "ACTION", record->actions },
                { "MEMBER", answer->member },
                { "OBJECT", answer->object },
                { "CONNECTION", record->connection },
                { "OBJECT_UUID", *record->uuid ? record->uuid : NULL },
                { "RESULT", answer->result },
                { "ANSWER", answer->error ? answer->error : "ok" },
                { "ERROR_NUMBER", number },
        };

        for (unsigned i = 0; i < record->n_details; i++)
                fields[12 + i] = (struct log_field){ record->details[i].field, record->details[i].value };
        log_record(fields, 12 + record->n_details, line);
}

void audit_end(struct audit_record *record, const struct audit_answer *answer)
{
        if (!answer->error || count_failure(record->audit, record->identity))
                write_record(record, answer);
        for (unsigned i = 0; i < record->n_details; i++) {
                g_free(record->details[i].field);
                g_free(record->details[i].value);
        }
        identity_unref(record->identity);
        g_free(record->actions);
        g_free(record);
}
