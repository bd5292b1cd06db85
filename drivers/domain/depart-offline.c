/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A definition goes to another host, of a domain that does not run. There is nothing of it that could be in
 * two places at once: it is defined there, and then, if it is to be, undefined here. Steps where they say.
 */
#include "drivers/domain/depart-private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/remote-bus.h"

#define DEFINE_MS 60000

static struct domain *domain_of(const struct operation *op)
{
        return domain_from(op->object);
}

static bool require_off(struct operation *op, GError **error)
{
        struct managed *object = op->object;

        if (object->current->active)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' runs: with the flag OFFLINE definitions move, and not guests",
                                 managed_get_current_name(object));
        return managed_require_persistent(object, error);
}

static bool begin(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        struct domain *domain = domain_of(op);

        if (!require_off(op, error) || !domain_require_idle(domain, error))
                return false;
        if (domain->has_save)
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                        "domain '%s' has a managed save, which does not go along: start it, or remove that",
                        managed_get_current_name(op->object));
        if (!depart_choose_persistent(departure, domain_get_current(domain), error))
                return false;
        departure->xml = g_steal_pointer(&departure->persistent_xml);
        domain->work = DEPART_WORK;
        return true;
}

static void leave(struct operation *op)
{
        domain_of(op)->work = NULL;
}

/* Done at once there: an answer that is lost leaves the definition on both sides. */
static bool define(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        CLEANUP(params_free) struct params *request = params_new(), *answer = NULL;
        bool refused;

        departure->bus = remote_bus_open(departure->place, error);
        return departure->bus && depart_call(departure, "Prepare", departure->xml, request, DEFINE_MS,
                                             &answer, &refused, error);
}

/* It is there: what fails now is no failure of the migration. */
static bool undefine(struct operation *op, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (departure_of(op)->flags & DOMAIN_MIGRATE_UNDEFINE_SOURCE &&
            (!require_off(op, &failure) ||
             !domain_undefine_now(domain_of(op), DEPART_UNDEFINE_FLAGS, &failure)))
                log_gerror(LOG_LEVEL_ERROR, failure, "domain '%s' has left, and stays defined",
                           op->object->name);
        return true;
}

static const struct operation_step steps[] = {
        { .place = OPERATION_OBJECT, .run = begin, .undo = leave, .temporary = true },
        { .place = OPERATION_WORKER, .run = define },
        { .place = OPERATION_OBJECT, .run = undefine, .final = true },
};

static void answer(struct operation *op, const GError *error)
{
        departure_of(op)->done(op->object, error, departure_of(op)->data);
}

const struct operation_kind depart_offline_kind = {
        .name = DEPART_WORK,
        .number = 5, /* VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT */
        .steps = steps,
        .n_steps = G_N_ELEMENTS(steps),
        .size = sizeof(struct domain_departure),
        .exclusive = true,
        .done = answer,
        .clear = depart_clear,
};
