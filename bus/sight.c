/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What callers may see: questions about many objects at once. Owns what waits for answers. Loop thread.
 */
#include "bus/sight.h"

#include "base/job.h"
#include "bus/bus-private.h"
#include "bus/call.h"
#include "bus/caller.h"
#include "bus/interface.h"
#include "bus/marshal.h"
#include "bus/sight-signals.h"
#include "drivers/authorization.h"

/* So many questions of one list are open at a time. */
#define SIGHT_AHEAD 32

struct sight {
        struct call *call; /* borrowed: it is ended by done, or here */
        GArray *entries;   /* owned; of struct sight_entry */
        unsigned next, open;
        bool advancing;
        bool failed; /* with failure: no more is asked */
        enum authorization_answer failure;
        sight_done done;
};

bool sight_is_limited(const struct call *call)
{
        return authorization_limits(models_get_authorization(call->target.bus->models),
                                    call->caller->identity);
}

void sight_find_subject(const struct branch **branch, void **object)
{
        struct managed *managed;

        if ((*branch)->kind->model != MODEL_JOBS)
                return;
        managed = job_get_object(*object);
        *object = NULL;
        if (managed)
                *branch = tree_find_branch_of((*branch)->connect, managed);
        if (managed && *branch)
                *object = managed;
}

bool sight_fill_question(struct authorization_question *question, struct identity *identity,
                         const struct branch *branch, void *object)
{
        *question = (struct authorization_question){
                .identity = identity,
                .model = branch->connect->model,
                .kind = branch->kind->model,
                .object = object,
                .action = object ? authorization_get_sight(branch->kind->model) : NULL,
        };
        return question->action != NULL;
}

/* ---- lists ---- */

static void clear_entry(void *data)
{
        struct sight_entry *entry = data;

        if (entry->object)
                entry->object_branch->kind->unref(entry->object_branch, entry->object);
        g_free(entry->element);
}

struct sight *sight_new(struct call *call)
{
        struct sight *sight = g_new0(struct sight, 1);

        sight->call = call;
        sight->entries = g_array_new(FALSE, FALSE, sizeof(struct sight_entry));
        g_array_set_clear_func(sight->entries, clear_entry);
        return sight;
}

void sight_add(struct sight *sight, const struct branch *branch, const void *object)
{
        struct sight_entry entry = { .branch = branch, .object_branch = branch, .object = (void *)object };
        GString *element = g_string_sized_new(64);

        branch->kind->write_element(branch, object, element);
        entry.element = g_string_free(element, FALSE);
        sight_find_subject(&entry.object_branch, &entry.object);
        if (entry.object)
                entry.object = entry.object_branch->kind->ref(entry.object_branch, entry.object);
        g_array_append_val(sight->entries, entry);
}

void sight_add_all(struct sight *sight, const struct branch *branch)
{
        g_autoptr(GPtrArray) objects = branch->kind->list(branch);

        for (unsigned i = 0; i < objects->len; i++)
                sight_add(sight, branch, g_ptr_array_index(objects, i));
}

/* Keeps what is seen, in its order. */
static void sift(GArray *entries)
{
        unsigned kept = 0;

        for (unsigned i = 0; i < entries->len; i++) {
                struct sight_entry *entry = &g_array_index(entries, struct sight_entry, i);

                if (entry->seen) {
                        struct sight_entry *place = &g_array_index(entries, struct sight_entry, kept++);
                        const struct sight_entry seen = *entry;

                        *entry = *place;
                        *place = seen;
                }
        }
        g_array_set_size(entries, kept);
}

/* A list that is not whole would say that the rest is not there. */
static void refuse(struct call *call, enum authorization_answer failure)
{
        if (failure == AUTHORIZATION_CROWDED)
                call_refuse(
                        call, DBUS_ERROR_LIMITS_EXCEEDED,
                        "authentication unavailable: too many questions about this user are open already for "
                        "%s; wait for these",
                        call_get_member(call));
        else
                call_refuse(
                        call, DBUS_ERROR_ACCESS_DENIED,
                        "authentication unavailable: PolicyKit, who decides about what %s shows, does not "
                        "answer; only root is authorized without",
                        call_get_member(call));
}

static void finish(struct sight *sight)
{
        struct call *call = sight->call;

        sift(sight->entries);
        call_release(call);
        if (!call->message)
                call_end(call);
        else if (sight->failed)
                refuse(call, sight->failure);
        else
                sight->done(call, sight->entries);
        g_array_unref(sight->entries);
        g_free(sight);
}

struct question {
        struct sight *sight;
        unsigned index;
};

static void advance(struct sight *sight);

static void take_answer(struct sight *sight, unsigned index, enum authorization_answer answer)
{
        g_array_index(sight->entries, struct sight_entry, index).seen = answer == AUTHORIZATION_ALLOWED;
        if (answer != AUTHORIZATION_UNAVAILABLE && answer != AUTHORIZATION_CROWDED)
                return;
        sight->failed = true;
        sight->failure = answer;
}

static void answered(enum authorization_answer answer, void *data)
{
        struct question *question = data;
        struct sight *sight = question->sight;

        take_answer(sight, question->index, answer);
        g_free(question);
        sight->open--;
        advance(sight);
}

/* One more question; its answer may be known. */
static void ask_next(struct sight *sight)
{
        const struct authorization *authorization = models_get_authorization(sight->call->target.bus->models);
        unsigned index = sight->next++;
        struct sight_entry *entry = &g_array_index(sight->entries, struct sight_entry, index);
        struct authorization_question about;
        enum authorization_answer answer = AUTHORIZATION_ALLOWED;
        struct question *question;

        if (sight_fill_question(&about, sight->call->caller->identity, entry->object_branch, entry->object))
                answer = authorization_check(authorization, &about);
        if (answer == AUTHORIZATION_PENDING) {
                question = g_new(struct question, 1);
                *question = (struct question){ sight, index };
                answer = authorization_begin(authorization, &about, answered, question);
                if (answer == AUTHORIZATION_PENDING) {
                        sight->open++;
                        return;
                }
                g_free(question);
        }
        /* With fewer at a time it may do. */
        if (answer == AUTHORIZATION_CROWDED && sight->open > 0)
                sight->next--;
        else
                take_answer(sight, index, answer);
}

/* Is there more to ask, and room for it? */
static bool may_ask(const struct sight *sight)
{
        return sight->open < SIGHT_AHEAD && sight->next < sight->entries->len && !sight->failed &&
               sight->call->message;
}

static void advance(struct sight *sight)
{
        if (sight->advancing)
                return;
        sight->advancing = true;
        while (may_ask(sight)) {
                unsigned next = sight->next;

                ask_next(sight);
                if (sight->next == next)
                        break;
        }
        sight->advancing = false;
        if (sight->open == 0)
                finish(sight);
}

void sight_ask(struct sight *sight, sight_done done)
{
        sight->done = done;
        call_hold(sight->call);
        call_drop_object(sight->call);
        advance(sight);
}

static const char *write_path(const struct sight_entry *entry, GString *path)
{
        g_string_printf(path, "%s/%s/%s", entry->branch->connect->path, entry->branch->kind->branch,
                        entry->element);
        return path->str;
}

static void reply_paths(struct call *call, const GArray *entries)
{
        g_autoptr(GString) path = g_string_sized_new(128);
        DBusMessageIter iter, array;
        DBusMessage *reply = call_begin_reply(call, &iter);

        marshal_open_array(&iter, &array, "o");
        for (unsigned i = 0; i < entries->len; i++)
                marshal_write(&array, "o", write_path(&g_array_index(entries, struct sight_entry, i), path));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void sight_reply_objects(struct call *call, const struct branch *branch, const void *const *objects,
                         unsigned count)
{
        struct sight *sight = sight_new(call);

        for (unsigned i = 0; i < count; i++)
                sight_add(sight, branch, objects[i]);
        sight_ask(sight, reply_paths);
}

static void reply_path(struct call *call, const GArray *entries)
{
        g_autoptr(GString) path = g_string_sized_new(128);

        if (entries->len > 0)
                call_reply(call, "o", write_path(&g_array_index(entries, struct sight_entry, 0), path));
        else
                call_refuse(call, DBUS_ERROR_ACCESS_DENIED,
                            "authentication failed: %s found what it takes an authorization to see",
                            call_get_member(call));
}

void sight_reply_object(struct call *call, const struct branch *branch, const void *object)
{
        struct sight *sight = sight_new(call);

        sight_add(sight, branch, object);
        sight_ask(sight, reply_path);
}
