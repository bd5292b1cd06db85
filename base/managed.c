/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Managed objects: definitions, states, and the way from the loop to an object's lane and back. What a lane
 * publishes and the end of its run travel through the loop's hand-over queue, which keeps their order:
 * whoever gets the answer finds the state that belongs to it.
 */
#include "base/managed.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/operation-private.h"
#include "base/registry-private.h"

#include <assert.h>
#include <string.h>

/* ---- definitions ---- */

void definition_init(struct definition *definition, const struct managed_kind *kind)
{
        definition->refs = 1;
        definition->kind = kind;
}

struct definition *definition_ref(struct definition *definition)
{
        g_atomic_int_inc(&definition->refs);
        return definition;
}

void definition_unref(struct definition *definition)
{
        if (definition && g_atomic_int_dec_and_test(&definition->refs))
                definition->kind->definition_free(definition);
}

void definition_clear(struct definition *definition)
{
        g_free(definition->name);
        g_free(definition->xml);
        g_free(definition->xml_public);
}

const char *definition_get_public_xml(const struct definition *definition)
{
        return definition->xml_public ? definition->xml_public : definition->xml;
}

/* ---- events ---- */

struct managed_event *managed_event_new(int type, int detail)
{
        struct managed_event *event = g_new0(struct managed_event, 1);

        event->type = type;
        event->detail = detail;
        return event;
}

static void event_free(const struct managed_kind *kind, struct managed_event *event)
{
        if (!event)
                return;
        if (kind->event_free)
                kind->event_free(event);
        else
                g_free(event);
}

/* ---- states ---- */

struct managed_state *managed_state_new(const struct managed_kind *kind)
{
        struct managed_state *state = g_malloc0(kind->state_size);

        state->refs = 1;
        state->kind = kind;
        return state;
}

struct managed_state *managed_state_ref(struct managed_state *state)
{
        g_atomic_int_inc(&state->refs);
        return state;
}

void managed_state_unref(struct managed_state *state)
{
        if (!state || !g_atomic_int_dec_and_test(&state->refs))
                return;
        if (state->kind->state_clear)
                state->kind->state_clear(state);
        definition_unref(state->persistent);
        definition_unref(state->active);
        g_free(state);
}

struct definition *managed_state_get_definition(const struct managed_state *state)
{
        return state->active ? state->active : state->persistent;
}

const char *managed_state_get_name(const struct managed_state *state)
{
        return managed_state_get_definition(state)->name;
}

unsigned managed_state_describe(const struct managed_state *state, const struct managed_flags *flags)
{
        return (state->active ? flags->active : flags->inactive) |
               (state->persistent ? flags->persistent : flags->transient) |
               (state->autostart ? flags->autostart : flags->no_autostart);
}

void managed_state_take_persistent(struct managed_state *state, struct definition *definition)
{
        definition_unref(state->persistent);
        state->persistent = definition;
}

void managed_state_take_active(struct managed_state *state, struct definition *definition)
{
        definition_unref(state->active);
        state->active = definition;
}

/* ---- objects ---- */

struct managed *managed_ref(struct managed *object)
{
        g_atomic_int_inc(&object->refs);
        return object;
}

void managed_unref(struct managed *object)
{
        if (!object || !g_atomic_int_dec_and_test(&object->refs))
                return;
        if (object->kind->object_clear)
                object->kind->object_clear(object);
        managed_state_unref(object->current);
        managed_state_unref(object->published);
        operation_report_free(object->report);
        lane_unref(object->lane);
        g_free(object->name);
        g_free(object);
}

/* ---- what comes from the lane ---- */

/* assert(): what is read all the time is looked at in debug builds only. */
struct managed_state *managed_get_current(const struct managed *object)
{
        assert(in_lane(object->lane));
        return object->current;
}

struct managed_state *managed_get_published(const struct managed *object)
{
        assert(on_loop(lane_get_loop(object->lane)));
        return object->published;
}

void managed_hold(struct managed *object)
{
        g_assert(on_loop(lane_get_loop(object->lane)));
        managed_ref(object);
        arrivals_hold(&object->arrivals);
}

void managed_release(struct managed *object)
{
        g_assert(on_loop(lane_get_loop(object->lane)));
        arrivals_release(&object->arrivals);
        registry_settle(object);
        managed_unref(object);
}

struct message {
        struct managed *object; /* ref */
        loop_fn fn;
        void *data; /* borrowed */
};

static void message_deliver(void *data)
{
        struct message *message = data;

        message->fn(message->data);
        registry_settle(message->object);
        managed_unref(message->object);
        g_free(message);
}

static void message_arrive(void *data)
{
        struct message *message = data;

        arrivals_enter(&message->object->arrivals, message_deliver, message);
}

void managed_post(struct managed *object, loop_fn fn, void *data)
{
        struct message *message = g_new(struct message, 1);

        *message = (struct message){ managed_ref(object), fn, data };
        loop_post(lane_get_loop(object->lane), message_arrive, message);
}

/* ---- runs ---- */

struct run {
        struct managed *object; /* ref */
        struct managed_task task;
        managed_done done;
        void *data;    /* owned by done */
        GError *error; /* owned */
};

static void run_finish(void *data)
{
        struct run *run = data;

        run->object->pending--;
        if (run->done)
                run->done(run->object, run->error, run->data);
        registry_settle(run->object);
        if (run->task.free_args)
                run->task.free_args(run->task.args);
        g_clear_error(&run->error);
        managed_unref(run->object);
        g_free(run);
}

static void run_arrive(void *data)
{
        struct run *run = data;

        arrivals_enter(&run->object->arrivals, run_finish, run);
}

static void run_work(void *data)
{
        struct run *run = data;

        if (run->task.work(run->object, run->task.args, &run->error))
                g_clear_error(&run->error);
        else if (!run->error)
                error_set(&run->error, run->object->kind->from, ERROR_INTERNAL_ERROR,
                          "%s '%s': failed without a reason", run->object->kind->noun,
                          managed_get_current_name(run->object));
        loop_post(lane_get_loop(run->object->lane), run_arrive, run);
}

static struct run *run_new(struct managed *object, const struct managed_task *task, managed_done done,
                           void *data)
{
        struct run *run = g_new(struct run, 1);

        g_assert(on_loop(lane_get_loop(object->lane)));
        *run = (struct run){ .object = managed_ref(object), .task = *task, .done = done, .data = data };
        object->pending++;
        return run;
}

static void run_post(void *data)
{
        struct run *run = data;

        if (run->task.urgency == MANAGED_URGENT)
                lane_post_urgent(run->object->lane, run_work, run);
        else
                lane_post(run->object->lane, run_work, run);
}

/* At the object's turn. */
static void run(struct managed *object, const struct managed_task *task, managed_done done, void *data)
{
        operation_take_turn(object, task->urgency == MANAGED_URGENT, run_post,
                            run_new(object, task, done, data));
}

void managed_run(struct managed *object, enum managed_urgency urgency, managed_work work, managed_done done,
                 void *data)
{
        run(object, &(const struct managed_task){ .work = work, .urgency = urgency, .args = data }, done,
            data);
}

void managed_run_task(struct managed *object, const struct managed_task *task, managed_done done, void *data)
{
        struct managed_task owned = *task;

        if (!owned.free_args)
                owned.free_args = g_free;
        run(object, &owned, done, data);
}

void managed_continue(struct managed *object, managed_work work, managed_done done, void *data)
{
        run_post(run_new(object, &(const struct managed_task){ .work = work, .args = data }, done, data));
}

void managed_fail(GError *error, managed_done done, void *data)
{
        done(NULL, error, data);
        g_error_free(error);
}

struct managed_state *managed_edit(struct managed *object)
{
        struct managed_state *state = managed_state_new(object->kind);
        const size_t head = offsetof(struct managed_state, kind);

        g_assert(in_lane(object->lane));
        if (!object->current)
                return state;
        /* All but the references, which the loop counts meanwhile. */
        memcpy((char *)state + head, (const char *)object->current + head, object->kind->state_size - head);
        if (state->persistent)
                definition_ref(state->persistent);
        if (state->active)
                definition_ref(state->active);
        if (object->kind->state_copy)
                object->kind->state_copy(state, object->current);
        return state;
}

/* ---- publications ---- */

struct publication {
        struct managed *object;       /* ref */
        struct managed_state *before; /* ref; from the loop on */
        struct managed_state *after;  /* ref; NULL: the object ended */
        struct managed_event *event;  /* owned */
        bool only_event;              /* before and after are what is published then */
        unsigned told;                /* listeners */
};

static void publication_free(struct publication *publication)
{
        struct managed *object = publication->object;

        managed_state_unref(publication->before);
        managed_state_unref(publication->after);
        event_free(object->kind, publication->event);
        g_free(publication);
        registry_settle(object);
        managed_unref(object);
}

static void publication_tell(void *data)
{
        struct publication *publication = data;
        struct managed *object = publication->object;
        const struct registry_change change = {
                .object = object,
                .before = publication->before,
                .after = publication->after,
                .event = publication->event,
        };

        if ((!change.before && !change.after) || registry_tell(&change, &publication->told))
                publication_free(publication);
        else
                arrivals_resume_with(&object->arrivals, publication_tell, publication);
}

static struct managed_state *state_ref(struct managed_state *state)
{
        return state ? managed_state_ref(state) : NULL;
}

static void publication_swap(void *data)
{
        struct publication *publication = data;
        struct managed *object = publication->object;

        if (publication->only_event) {
                publication->before = state_ref(object->published);
                publication->after = state_ref(object->published);
        } else {
                publication->before = registry_swap(object, state_ref(publication->after));
        }
        publication_tell(publication);
}

static void publication_arrive(void *data)
{
        struct publication *publication = data;

        arrivals_enter(&publication->object->arrivals, publication_swap, publication);
}

static void publish(struct managed *object, struct managed_state *state, struct managed_event *event,
                    bool only_event)
{
        struct publication *publication = g_new(struct publication, 1);

        *publication = (struct publication){
                .object = managed_ref(object),
                .after = state,
                .event = event,
                .only_event = only_event,
        };
        loop_post(lane_get_loop(object->lane), publication_arrive, publication);
}

void managed_publish(struct managed *object, struct managed_state *state, struct managed_event *event)
{
        g_assert(in_lane(object->lane));
        if (!state->persistent && !state->active) {
                managed_state_unref(state);
                state = NULL;
        }
        managed_state_unref(object->current);
        object->current = state;
        publish(object, state ? managed_state_ref(state) : NULL, event, false);
}

void managed_emit(struct managed *object, struct managed_event *event)
{
        g_assert(in_lane(object->lane));
        publish(object, NULL, event, true);
}

const char *managed_get_current_name(const struct managed *object)
{
        g_assert(in_lane(object->lane));
        return object->current ? managed_state_get_name(object->current) : object->uuid_text;
}

bool managed_require_known(const struct managed *object, GError **error)
{
        g_assert(in_lane(object->lane));
        if (object->current)
                return true;
        return error_set(error, object->kind->from, object->kind->missing, "no %s with matching uuid '%s'",
                         object->kind->noun, object->uuid_text);
}

bool managed_require_active(const struct managed *object, GError **error)
{
        if (!managed_require_known(object, error))
                return false;
        if (object->current->active)
                return true;
        return error_set(error, object->kind->from, ERROR_OPERATION_INVALID, "%s '%s' is not running",
                         object->kind->noun, managed_get_current_name(object));
}

bool managed_require_inactive(const struct managed *object, GError **error)
{
        if (!managed_require_known(object, error))
                return false;
        if (!object->current->active)
                return true;
        return error_set(error, object->kind->from, ERROR_OPERATION_INVALID, "%s '%s' is already running",
                         object->kind->noun, managed_get_current_name(object));
}

bool managed_require_persistent(const struct managed *object, GError **error)
{
        if (!managed_require_known(object, error))
                return false;
        if (object->current->persistent)
                return true;
        return error_set(error, object->kind->from, ERROR_OPERATION_INVALID, "%s '%s' is transient",
                         object->kind->noun, managed_get_current_name(object));
}
