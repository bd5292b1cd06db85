/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where is a guest that may have left? What the other side has not said it is asked for, again and again, by
 * the operation that moves the guest for a while and then by one that does nothing else, also at the start of
 * an agent that finds it so. Entry points run on the loop, steps where they say.
 */
#include "drivers/domain/depart-private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/registry.h"
#include "base/remote-bus.h"

#include <string.h>

#define ASK_MS        10000
#define LONG_PAUSE_MS 5000

static struct domain *domain_of(const struct operation *op)
{
        return domain_from(op->object);
}

/* ---- asking; in the lane of the job ---- */

/* The answer to Cancel; true: it settles it. */
static bool heed_answer(struct domain_departure *departure, const struct params *answer)
{
        const struct param *arrived = params_find(answer, "arrived"), *boot = params_find(answer, "boot");

        if (!arrived || arrived->type != PARAM_BOOL || !boot || boot->type != PARAM_STRING)
                return false;
        if (arrived->value.b) {
                departure->whereabouts = DOMAIN_HAS_LEFT;
                depart_heed_definition(departure, answer);
                return true;
        }
        /* It may have run there before that host started anew, and have changed its disks. */
        if (strcmp(boot->value.s, departure->note.boot) != 0)
                return false;
        departure->whereabouts = DOMAIN_IS_HERE;
        return true;
}

static bool ask_once(struct domain_departure *departure, GError **error)
{
        CLEANUP(params_free) struct params *answer = NULL;
        bool refused, known;

        if (!departure->bus)
                departure->bus = remote_bus_open(departure->place, error);
        known = departure->bus &&
                depart_call(departure, "Cancel", departure->note.cookie, NULL, ASK_MS, &answer, &refused,
                            error) &&
                heed_answer(departure, answer);
        if (!known)
                g_clear_pointer(&departure->bus, remote_bus_free);
        return known;
}

/* Asks until it is known, or the deadline, or somebody has had enough. */
bool depart_ask(struct domain_departure *departure, lane_deadline deadline)
{
        struct lane *lane = job_get_lane(departure->base.job);
        unsigned pause_ms = DEPART_PAUSE_MS;

        do {
                g_autoptr(GError) error = NULL;

                if (ask_once(departure, &error))
                        return true;
                if (error)
                        log_gerror(LOG_LEVEL_INFO, error, "it is not known where domain '%s' is",
                                   departure->base.object->name);
                if (lane_wait(lane, -1, 0, NULL, MIN(lane_deadline_in(pause_ms), deadline)) != LANE_TIMEOUT)
                        return false;
                pause_ms = MIN(pause_ms * 2, LONG_PAUSE_MS);
        } while (deadline > lane_deadline_in(0));
        return false;
}

/* ---- until it is known ---- */

static bool begin_search(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        struct domain *domain = domain_of(op);
        const struct domain_departure_note *note;

        if (!managed_require_active(op->object, error))
                return false;
        note = domain->driver->ops->depart_get_note(domain);
        if (!note || strcmp(note->cookie, departure->note.cookie) != 0)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                                 "'%s' of domain '%s' ended with its guest", DEPART_WORK, op->object->name);
        departure->id = domain_get_current(domain)->id;
        domain->work = DEPART_WORK;
        return true;
}

/*
 * Given up, by the end of the agent or by somebody who knows better: the guest stays paused and the note
 * stays, until it is resumed or destroyed (domain_resume()).
 */
static void end_search(struct operation *op)
{
        struct domain_departure *departure = departure_of(op);

        domain_of(op)->driver->ops->depart_free(departure);
        if (!depart_is_there(departure))
                return;
        if (departure->whereabouts == DOMAIN_HAS_LEFT && departure->note.postcopy)
                depart_mark_failed(domain_of(op));
        else
                domain_of(op)->work = NULL;
}

static bool search(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);

        return depart_ask(departure, LANE_FOREVER) ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_ABORTED,
                         "it is not known whether domain '%s' runs at '%s'", op->object->name,
                         departure->note.destination);
}

static bool settle(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);

        if (departure->whereabouts == DOMAIN_HAS_LEFT)
                return depart_end_guest(op, error);
        depart_erase_note(op);
        if (departure->note.runs && depart_is_there(departure))
                depart_stay(domain_of(op));
        return true;
}

static const struct operation_step search_steps[] = {
        { .place = OPERATION_OBJECT, .run = begin_search, .undo = end_search, .temporary = true },
        { .place = OPERATION_WORKER, .run = search },
        { .place = OPERATION_PASSIVE, .run = depart_follow, .final = true },
        { .place = OPERATION_OBJECT, .run = settle, .final = true },
        { .place = OPERATION_WORKER, .run = depart_confirm, .final = true },
};

static void forget(struct operation *op, const GError *error)
{
        if (error)
                domain_report(domain_of(op), error, "a migration of domain");
}

/* Somebody may have wanted something of the guest before it was looked at, and is about to be refused. */
static const struct operation_kind search_kind = {
        .name = DEPART_WORK,
        .number = 5,
        .steps = search_steps,
        .n_steps = G_N_ELEMENTS(search_steps),
        .size = sizeof(struct domain_departure),
        .exclusive = true,
        .waits = true,
        .done = forget,
        .clear = depart_clear,
};

void depart_search(struct domain *domain, const struct domain_departure_note *note)
{
        g_autoptr(GError) error = NULL;
        struct domain_departure *departure;
        struct remote_place *place = remote_place_new(note->destination, &error);

        if (!place) {
                domain_report(domain, error, "a migration of domain");
                return;
        }
        departure =
                (struct domain_departure *)operation_new(&search_kind, &domain->base, domain->driver->jobs);
        departure->place = place;
        departure->flags = note->flags;
        departure->whereabouts = DOMAIN_IS_UNKNOWN;
        departure->note = domain_departure_note_copy(note);
        operation_run(&departure->base);
}

/* ---- at start-up ---- */

struct find {
        struct domain_departure_note note; /* owned */
        bool is_there;
};

static bool find_work(struct managed *object, void *data, GError **error)
{
        struct find *find = data;
        struct domain *domain = domain_from(object);
        const struct domain_departure_note *note = object->current && object->current->active
                                                           ? domain->driver->ops->depart_get_note(domain)
                                                           : NULL;

        if (!note)
                return true;
        find->is_there = true;
        find->note = domain_departure_note_copy(note);
        /* Nobody gets at it in between. */
        domain->work = DEPART_WORK;
        return true;
}

static void find_done(struct managed *object, const GError *error, void *data)
{
        struct find *find = data;

        if (find->is_there)
                depart_search(domain_from(object), &find->note);
        domain_departure_note_clear(&find->note);
        g_free(find);
}

void domain_departures_resume(struct domain_driver *driver)
{
        g_autoptr(GPtrArray) domains = driver->ops->depart_get_note ? registry_list(driver->domains) : NULL;

        for (unsigned i = 0; domains && i < domains->len; i++) {
                struct domain *domain = g_ptr_array_index(domains, i);

                if (domain_is_active(domain))
                        managed_run(&domain->base, MANAGED_IN_TURN, find_work, find_done,
                                    g_new0(struct find, 1));
        }
}
