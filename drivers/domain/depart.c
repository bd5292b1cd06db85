/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest goes to another host: an operation, and a job (migrate.h says who does what when). Until the other
 * side may let it run it goes on here whatever fails; from then on nothing is done before it is known where
 * it is, also by the agent after this one. Entry points run on the loop, steps where they say.
 */
#include "drivers/domain/depart-private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/remote-bus.h"
#include "drivers/domain/save.h"

#define FINISH_MS  60000
#define CONFIRM_MS 5000
/* How long the call waits for an answer to where the guest is. */
#define DOUBT_MS 30000
/* For the other side to let go of disks that it has opened. */
#define LET_GO_MS 10000

static struct domain *domain_of(const struct operation *op)
{
        return domain_from(op->object);
}

static const struct domain_driver_ops *ops_of(const struct operation *op)
{
        return domain_of(op)->driver->ops;
}

void domain_departure_note_clear(struct domain_departure_note *note)
{
        g_free(note->destination);
        g_free(note->cookie);
        g_free(note->boot);
        *note = (struct domain_departure_note){ 0 };
}

struct domain_departure_note domain_departure_note_copy(const struct domain_departure_note *note)
{
        struct domain_departure_note copy = *note;

        copy.destination = g_strdup(note->destination);
        copy.cookie = g_strdup(note->cookie);
        copy.boot = g_strdup(note->boot);
        return copy;
}

bool depart_is_there(const struct domain_departure *departure)
{
        const struct domain_state *state = domain_get_current(domain_of(&departure->base));

        return state && state->base.active && state->id == departure->id;
}

bool depart_require_there(const struct domain_departure *departure, GError **error)
{
        return depart_is_there(departure) || error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                                                       "'%s' of domain '%s' ended with its guest",
                                                       DEPART_WORK, departure->base.object->name);
}

/* ---- steps ---- */

/* Its client is here, and nobody would end it there. */
static bool check_may_leave(const struct domain_state *state, GError **error)
{
        if (!state->owner)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                         "domain '%s' cannot be migrated: it was started to be destroyed when its client "
                         "leaves (AUTODESTROY), which no other host would see",
                         domain_state_get_def(state)->base.name);
}

static bool begin(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        struct domain *domain = domain_of(op);
        const struct domain_state *state = domain_get_current(domain);

        if (!managed_require_active(op->object, error) || !domain_require_idle(domain, error) ||
            !domain_save_check_state(domain, error) || !check_may_leave(state, error) ||
            !depart_choose_def(departure, state, error) ||
            !depart_choose_persistent(departure, state, error) ||
            !domain_check_migration_devices(domain_state_get_def(state), error) ||
            !ops_of(op)->depart_check(domain, &departure->has_all_of_cpu, error) ||
            (departure->copies && !ops_of(op)->depart_measure(departure, error)))
                return false;
        if (departure->copies && departure->copies->len == 0)
                g_clear_pointer(&departure->copies, g_ptr_array_unref);
        departure->id = state->id;
        departure->note.runs = state->state == DOMAIN_RUNNING;
        domain->work = DEPART_WORK;
        domain->departs = domain->may_run = true;
        return true;
}

/* Also of one that has failed: nothing of it is left, and the other side is told. */
static void stop_copying(struct operation *op)
{
        struct domain_departure *departure = departure_of(op);

        if (departure->copies)
                ops_of(op)->depart_uncopy(departure);
        g_clear_pointer(&departure->bus, remote_bus_free);
}

static bool copy_disks(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);

        if (!depart_require_there(departure, error))
                return false;
        if (departure->copies)
                return ops_of(op)->depart_copy(departure, error);
        operation_complete(op, NULL);
        return true;
}

static void cancel_copying(struct operation *op)
{
        if (departure_of(op)->copies)
                ops_of(op)->depart_cancel_copy(departure_of(op));
}

/* For its migration, by whoever wants it: it runs when that is over, there or here. */
static bool is_paused_for_it(const struct domain_state *state)
{
        return state->state == DOMAIN_PAUSED &&
               (state->reason == DOMAIN_PAUSED_MIGRATION || state->reason == DOMAIN_PAUSED_POSTCOPY);
}

bool domain_departure_pause(struct domain *domain, GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        domain_save_write_down(domain, DOMAIN_PAUSED_MIGRATION);
        if (!ops->suspend(domain, error)) {
                if (ops->save_status)
                        ops->save_status(domain, domain_get_current(domain));
                return false;
        }
        domain_transition(domain, DOMAIN_PAUSED, DOMAIN_PAUSED_MIGRATION, DOMAIN_EVENT_SUSPENDED,
                          DOMAIN_EVENT_SUSPENDED_MIGRATED);
        return true;
}

bool domain_departure_let_run(struct domain *domain, GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;
        struct domain_departure *departure = domain->departure;

        if (!departure)
                return ops->resume(domain, error);
        if (!ops->depart_let_run(departure, error))
                return false;
        departure->note.runs = true;
        return true;
}

static bool pause_guest(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        struct domain *domain = domain_of(op);
        const struct domain_state *state = domain_get_current(domain);

        if (!depart_require_there(departure, error) || !domain_save_check_state(domain, error))
                return false;
        departure->note.runs =
                state->state == DOMAIN_RUNNING || (departure->note.runs && is_paused_for_it(state));
        domain->may_run = departure->flags & DOMAIN_MIGRATE_LIVE;
        return departure->flags & DOMAIN_MIGRATE_LIVE || state->state != DOMAIN_RUNNING ||
               domain_departure_pause(domain, error);
}

/* The other side may have opened its disks, and is about to end. */
static bool resume(struct domain *domain, GError **error)
{
        lane_deadline deadline = lane_deadline_in(LET_GO_MS);
        g_autoptr(GError) failure = NULL;

        while (!domain->driver->ops->resume(domain, &failure)) {
                if (!error_is(failure, ERROR_OPERATION_FAILED) || deadline < lane_deadline_in(0) ||
                    lane_wait(domain->base.lane, -1, 0, NULL, lane_deadline_in(DEPART_PAUSE_MS)) !=
                            LANE_TIMEOUT) {
                        g_propagate_error(error, g_steal_pointer(&failure));
                        return false;
                }
                g_clear_error(&failure);
        }
        return true;
}

void depart_stay(struct domain *domain)
{
        const struct domain_state *state = domain_get_current(domain);
        g_autoptr(GError) error = NULL;

        if (!is_paused_for_it(state))
                return;
        if (resume(domain, &error)) {
                domain_transition(domain, DOMAIN_RUNNING, DOMAIN_RUNNING_MIGRATION_CANCELED,
                                  DOMAIN_EVENT_RESUMED, DOMAIN_EVENT_RESUMED_MIGRATED);
                return;
        }
        log_gerror(LOG_LEVEL_ERROR, error, "domain '%s' stays paused",
                   managed_get_current_name(&domain->base));
        if (state->reason == DOMAIN_PAUSED_POSTCOPY)
                depart_mark_failed(domain);
}

/* Hangs up first, by which the other side knows that it is to end what it has. */
static void go_on(struct operation *op)
{
        struct domain_departure *departure = departure_of(op);

        g_clear_pointer(&departure->bus, remote_bus_free);
        if (departure->whereabouts == DOMAIN_IS_HERE && departure->note.runs && depart_is_there(departure))
                depart_stay(domain_of(op));
}

/* At the end, however it went; what is not known stays as it is until it is. */
static void leave(struct operation *op)
{
        struct domain_departure *departure = departure_of(op);
        struct domain *domain = domain_of(op);

        ops_of(op)->depart_free(departure);
        domain->departure = NULL;
        domain->departs = domain->may_run = false;
        if (!depart_is_there(departure))
                return;
        if (departure->whereabouts == DOMAIN_IS_HERE) {
                domain->work = NULL;
                /* It may have been paused for what did not get as far as to do so itself. */
                if (departure->note.runs)
                        depart_stay(domain);
        } else if (departure->whereabouts == DOMAIN_HAS_LEFT && departure->note.postcopy) {
                depart_mark_failed(domain);
        }
}

static bool transfer(struct operation *op, GError **error)
{
        if (!depart_require_there(departure_of(op), error) ||
            !ops_of(op)->depart_begin(departure_of(op), error))
                return false;
        domain_of(op)->departure = departure_of(op);
        return true;
}

static void cancel_transfer(struct operation *op)
{
        ops_of(op)->depart_cancel(departure_of(op));
}

/* All that it is has gone over. One that has stopped by itself meanwhile does not run there either. */
static bool write_note(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        struct domain *domain = domain_of(op);

        domain->departure = NULL;
        domain->may_run = false;
        if (!depart_require_there(departure, error))
                return false;
        departure->note.runs = departure->note.runs && is_paused_for_it(domain_get_current(domain));
        return ops_of(op)->depart_note(domain, &departure->note, error);
}

void depart_erase_note(struct operation *op)
{
        struct domain_departure *departure = departure_of(op);
        g_autoptr(GError) error = NULL;

        if (departure->whereabouts == DOMAIN_IS_HERE && depart_is_there(departure) &&
            !ops_of(op)->depart_note(domain_of(op), NULL, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "cannot write down the state of domain '%s'",
                           op->object->name);
}

/* From here on only the other side knows. */
static bool finish(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        CLEANUP(params_free) struct params *request = params_new(), *answer = NULL;
        g_autoptr(GError) failure = NULL;
        bool refused;

        params_add_bool(request, "runs", departure->note.runs && !(departure->flags & DOMAIN_MIGRATE_PAUSED));
        departure->whereabouts = DOMAIN_IS_UNKNOWN;
        if (depart_call(departure, "Finish", departure->note.cookie, request, FINISH_MS, &answer, &refused,
                        &failure)) {
                departure->whereabouts = DOMAIN_HAS_LEFT;
                depart_heed_definition(departure, answer);
                return true;
        }
        if (refused) {
                departure->whereabouts = DOMAIN_IS_HERE;
        } else {
                g_clear_pointer(&departure->bus, remote_bus_free);
                depart_ask(departure, lane_deadline_in(DOUBT_MS));
        }
        if (departure->whereabouts == DOMAIN_HAS_LEFT)
                return true;
        if (departure->whereabouts == DOMAIN_IS_UNKNOWN)
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                        "'%s' does not say whether domain '%s' runs there, so it stays paused here until "
                        "that is known: %s",
                        departure->note.destination, op->object->name, failure->message);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

/* ---- the end here ---- */

bool depart_end_guest(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        struct domain *domain = domain_of(op);
        g_autoptr(GError) failure = NULL;

        if (!depart_is_there(departure))
                return true; /* It has ended here, too. */
        if (departure->flags & DOMAIN_MIGRATE_UNDEFINE_SOURCE && op->object->current->persistent &&
            !domain_undefine_now(domain, DEPART_UNDEFINE_FLAGS, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "domain '%s' has left, and stays defined",
                           op->object->name);
        ops_of(op)->depart_leave(domain);
        if (!ops_of(op)->stop(domain, false, error))
                return false;
        domain_stopped(domain, DOMAIN_SHUTOFF_MIGRATED, DOMAIN_EVENT_STOPPED_MIGRATED);
        return true;
}

/* As a courtesy: without it the other side has one more file in memory. */
bool depart_confirm(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        CLEANUP(params_free) struct params *answer = NULL;
        g_autoptr(GError) failure = NULL;
        bool refused;

        if (!departure->bus)
                departure->bus = remote_bus_open(departure->place, &failure);
        if (!departure->bus || !depart_call(departure, "Confirm", departure->note.cookie, NULL, CONFIRM_MS,
                                            &answer, &refused, &failure))
                log_gerror(LOG_LEVEL_INFO, failure, "'%s' is not told that domain '%s' has ended here",
                           departure->note.destination, op->object->name);
        return true;
}

void depart_clear(struct operation *op)
{
        struct domain_departure *departure = departure_of(op);

        remote_bus_free(departure->bus);
        remote_place_free(departure->place);
        params_free(departure->params);
        domain_def_unref(departure->wanted);
        domain_def_unref(departure->wanted_persistent);
        domain_def_unref(departure->def);
        domain_departure_note_clear(&departure->note);
        g_free(departure->cpu_xml);
        g_free(departure->xml);
        g_free(departure->persistent_xml);
        g_free(departure->uri);
        g_free(departure->disks_uri);
        if (departure->copies)
                g_ptr_array_unref(departure->copies);
}

static void answer(struct operation *op, const GError *error);

static const struct operation_step steps[] = {
        { .place = OPERATION_OBJECT, .run = begin, .undo = leave, .temporary = true },
        { .place = OPERATION_WORKER, .run = depart_prepare, .undo = stop_copying },
        { .place = OPERATION_PASSIVE, .run = copy_disks, .cancel = cancel_copying },
        { .place = OPERATION_OBJECT, .run = pause_guest, .undo = go_on },
        { .place = OPERATION_PASSIVE, .run = transfer, .cancel = cancel_transfer },
        { .place = OPERATION_OBJECT, .run = write_note, .undo = depart_erase_note },
        { .place = OPERATION_WORKER, .run = finish, .final = true },
        { .place = OPERATION_PASSIVE, .run = depart_follow, .final = true },
        { .place = OPERATION_OBJECT, .run = depart_end_guest, .final = true },
        { .place = OPERATION_WORKER, .run = depart_confirm, .final = true },
};

static const struct operation_kind departure_kind = {
        .name = DEPART_WORK,
        .number = 5, /* VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT */
        .steps = steps,
        .n_steps = G_N_ELEMENTS(steps),
        .size = sizeof(struct domain_departure),
        .exclusive = true,
        .done = answer,
        .clear = depart_clear,
};

static void answer(struct operation *op, const GError *error)
{
        const struct domain_departure *departure = departure_of(op);

        departure->done(op->object, error, departure->data);
        if (error && departure->whereabouts == DOMAIN_IS_UNKNOWN)
                depart_search(domain_of(op), &departure->note);
}

/* ---- what departs ---- */

static void run(struct domain_departure *departure)
{
        operation_run(&departure->base);
}

static void expanded(const char *text, const GError *error, void *data)
{
        struct domain_departure *departure = data;

        if (!text) {
                operation_refuse(&departure->base, g_error_copy(error));
                return;
        }
        departure->cpu_xml = g_strdup(text);
        run(departure);
}

/* What the CPU of this host is called is said to the other. */
static void expand(struct domain_departure *departure)
{
        struct domain *domain = domain_of(&departure->base);
        const struct domain_state *state = domain_get_published(domain);
        const struct domain_def *def = state && state->base.active ? domain_state_get_def(state) : NULL;

        if (def && domain_cpu_follows_host(&def->cpu) && domain->driver->ops->expand_cpu)
                domain->driver->ops->expand_cpu(domain->driver, def, expanded, departure);
        else
                run(departure);
}

static void parsed_persistent(struct domain_def *def, const GError *error, void *data)
{
        struct domain_departure *departure = data;

        departure->wanted_persistent = def;
        if (def)
                expand(departure);
        else
                operation_refuse(&departure->base, g_error_copy(error));
}

static void parse_persistent(struct domain_departure *departure)
{
        const char *xml = domain_migrate_get_text(departure->params, "persistent_xml");

        if (xml)
                domain_parse_replacing(domain_of(&departure->base), xml, parsed_persistent, departure);
        else
                expand(departure);
}

static void parsed(struct domain_def *def, const GError *error, void *data)
{
        struct domain_departure *departure = data;

        departure->wanted = def;
        if (def)
                parse_persistent(departure);
        else
                operation_refuse(&departure->base, g_error_copy(error));
}

static const struct operation_kind *choose_kind(unsigned flags)
{
        if (flags & DOMAIN_MIGRATE_OFFLINE)
                return &depart_offline_kind;
        return flags & DOMAIN_MIGRATE_POSTCOPY_RESUME ? &depart_resume_kind : &departure_kind;
}

void domain_migrate(struct domain *domain, const char *destination, struct params *params, unsigned flags,
                    managed_done done, void *data)
{
        const char *xml = domain_migrate_get_text(params, "destination_xml");
        struct domain_departure *departure;
        struct remote_place *place = NULL;
        GError *error = NULL;

        if (!domain->driver->ops->depart_begin)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "MigrateToURI3");
        else if (domain_migrate_check_flags(flags, params, &error))
                place = remote_place_new(destination, &error);
        if (!place) {
                params_free(params);
                managed_fail(error, done, data);
                return;
        }
        departure = (struct domain_departure *)operation_new(choose_kind(flags), &domain->base,
                                                             domain->driver->jobs);
        departure->place = place;
        departure->params = params;
        departure->flags = flags;
        departure->done = done;
        departure->data = data;
        /* What it is to be called, for instance, was said when it was begun. */
        if (flags & DOMAIN_MIGRATE_POSTCOPY_RESUME)
                run(departure);
        else if (xml)
                domain_parse_replacing(domain, xml, parsed, departure);
        else
                parse_persistent(departure);
}
