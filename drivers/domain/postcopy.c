/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests that run elsewhere before all of their memory is there. Neither side has the whole of such a guest:
 * when what is missing cannot come, both say so, and neither goes on as if nothing had happened. Entry points
 * run on the loop, *_work and what steps call in the domain's lane.
 */
#include "drivers/domain/depart-private.h"

#include "base/error.h"
#include "base/flags.h"
#include "base/log.h"

static struct domain *domain_of(const struct operation *op)
{
        return domain_from(op->object);
}

/* ---- the beginning ---- */

static bool find(const struct domain *domain, GError **error)
{
        const struct domain_departure *departure = domain->departure;
        const char *name = managed_get_current_name(&domain->base);

        if (!departure)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is not being migrated to another host", name);
        return departure->flags & DOMAIN_MIGRATE_POSTCOPY ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                         "the migration of domain '%s' was begun without the flag POSTCOPY", name);
}

/* Before it may begin it is written down: a successor must not let the guest go on by itself. */
static bool write_down(struct domain_departure *departure, bool postcopy, GError **error)
{
        const struct domain_driver_ops *ops = domain_of(&departure->base)->driver->ops;

        departure->note.postcopy = postcopy;
        return ops->depart_note(domain_of(&departure->base), postcopy ? &departure->note : NULL, error);
}

static bool switch_over(struct domain_departure *departure, GError **error)
{
        struct domain *domain = domain_of(&departure->base);

        if (write_down(departure, true, error) && domain->driver->ops->depart_switch(departure, error))
                return true;
        write_down(departure, false, NULL);
        operation_set_final(&departure->base, false);
        return false;
}

static bool switch_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);

        const struct domain_departure_note *note;

        if (!managed_require_active(object, error))
                return false;
        note = domain->driver->ops->depart_get_note(domain);
        if (note && note->postcopy)
                return true;
        if (!find(domain, error))
                return false;
        if (!operation_set_final(&domain->departure->base, true))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "the migration of domain '%s' is being aborted",
                                 managed_get_current_name(object));
        return switch_over(domain->departure, error);
}

void domain_start_postcopy(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "MigrateStartPostCopy", &error) &&
            !domain->driver->ops->depart_switch)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "MigrateStartPostCopy");
        if (error)
                managed_fail(error, done, data);
        else
                managed_run(&domain->base, MANAGED_IN_TURN, switch_work, done, data);
}

/* ---- the end before its time ---- */

static bool cut_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        const struct domain_departure_note *note =
                object->current && object->current->active && domain->driver->ops->depart_cut
                        ? domain->driver->ops->depart_get_note(domain)
                        : NULL;

        if (!note || !note->postcopy)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is not on its way to another host in post-copy",
                                 managed_get_current_name(object));
        return domain->driver->ops->depart_cut(domain, error);
}

void domain_abort_job_flags(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;

        if (!flags_check(flags, DOMAIN_ABORT_POSTCOPY, ERROR_FROM_DOMAIN, "AbortJobFlags", &error) ||
            (!(flags & DOMAIN_ABORT_POSTCOPY) && !domain_abort_job(domain, &error)))
                managed_fail(error, done, data);
        else if (flags & DOMAIN_ABORT_POSTCOPY)
                managed_run(&domain->base, MANAGED_IN_TURN, cut_work, done, data);
        else
                done(&domain->base, NULL, data);
}

/* ---- the rest, on the side that the guest has left ---- */

bool depart_follow(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);

        if (departure->note.postcopy && departure->whereabouts == DOMAIN_HAS_LEFT &&
            depart_is_there(departure))
                return domain_of(op)->driver->ops->depart_follow(departure, error);
        operation_complete(op, NULL);
        return true;
}

void depart_mark_failed(struct domain *domain)
{
        const struct domain_state *state = domain_get_current(domain);

        if (state->state != DOMAIN_PAUSED || state->reason != DOMAIN_PAUSED_POSTCOPY_FAILED)
                domain_set_state(domain, DOMAIN_PAUSED, DOMAIN_PAUSED_POSTCOPY_FAILED, DOMAIN_EVENT_SUSPENDED,
                                 DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED);
}

/* ---- and on the side to which it has come ---- */

void domain_arrival_tell(struct domain *domain, enum domain_postcopy what)
{
        static const struct {
                int reason, detail;
        } all[] = {
                [DOMAIN_POSTCOPY_ACTIVE] = { DOMAIN_RUNNING_POSTCOPY, DOMAIN_EVENT_RESUMED_POSTCOPY },
                [DOMAIN_POSTCOPY_STALLED] = { DOMAIN_RUNNING_POSTCOPY_FAILED,
                                              DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED },
                [DOMAIN_POSTCOPY_COMPLETED] = { DOMAIN_RUNNING_MIGRATED, DOMAIN_EVENT_RESUMED_MIGRATED },
        };
        const struct domain_state *state = domain_get_current(domain);

        domain->work = what == DOMAIN_POSTCOPY_COMPLETED ? NULL : DEPART_WORK;
        if (what == DOMAIN_POSTCOPY_STALLED)
                log_error("domain '%s' runs here without all of its memory, and the rest does not come",
                          managed_get_current_name(&domain->base));
        if (state->state == DOMAIN_RUNNING && state->reason != all[what].reason)
                domain_set_state(domain, DOMAIN_RUNNING, all[what].reason, DOMAIN_EVENT_RESUMED,
                                 all[what].detail);
}
