/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One way to change a domain. domain_modify() runs on the loop, modify_work() and what it calls in the
 * domain's lane.
 */
#include "drivers/domain/modify.h"

#include "base/lane.h"
#include "base/log.h"

#define AFFECT (DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG)

bool domain_resolve_affect(const struct managed_state *state, unsigned flags, unsigned *affect,
                           GError **error)
{
        const char *name = managed_state_get_name(state);

        *affect = flags & AFFECT;
        if (*affect == DOMAIN_AFFECT_CURRENT)
                *affect = state->active ? DOMAIN_AFFECT_LIVE : DOMAIN_AFFECT_CONFIG;
        if ((*affect & DOMAIN_AFFECT_LIVE) && !state->active)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is not running", name);
        if ((*affect & DOMAIN_AFFECT_CONFIG) && !state->persistent)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is transient", name);
        return true;
}

const struct domain_def *domain_choose_def(const struct managed_state *state, unsigned flags, GError **error)
{
        unsigned affect;

        if ((flags & AFFECT) == AFFECT) {
                error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "flags LIVE and CONFIG exclude each other in a query of domain '%s'",
                          managed_state_get_name(state));
                return NULL;
        }
        if (!domain_resolve_affect(state, flags, &affect, error))
                return NULL;
        return domain_def_of(affect == DOMAIN_AFFECT_LIVE ? state->active : state->persistent);
}

/* ---- in the lane ---- */

/* A function that changes one side only means that one. */
static unsigned default_affect(const struct domain_modification *row)
{
        unsigned sides = row->flags & AFFECT;

        if (sides == AFFECT)
                return DOMAIN_AFFECT_CURRENT;
        return sides ? sides : DOMAIN_AFFECT_CONFIG;
}

static bool resolve(struct domain *domain, struct domain_change *change, GError **error)
{
        const struct domain_modification *row = change->row;
        unsigned flags = change->flags & AFFECT ? change->flags : default_affect(row);

        return managed_require_known(&domain->base, error) &&
               (!row->inactive || managed_require_inactive(&domain->base, error)) &&
               domain_resolve_affect(domain->base.current, flags, &change->affect, error);
}

/*
 * A guest that is to be changed is reached first: what its driver finds out on that occasion is published
 * before anything is made of what was known.
 */
static bool prepare(struct domain *domain, struct domain_change *change, GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        if (!resolve(domain, change, error))
                return false;
        if (!change->row->act || !(change->affect & DOMAIN_AFFECT_LIVE))
                return true;
        if (!domain_require_idle(domain, error))
                return false;
        if (!ops->reach)
                return true;
        return ops->reach(domain, error) && resolve(domain, change, error);
}

static struct domain_def *edit(const struct domain_change *change, const struct definition *definition,
                               enum domain_affect side, GError **error)
{
        const struct domain_def *def = (const struct domain_def *)definition;
        CLEANUP(domain_edit_free) struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit || !change->row->edit(edit, def, change, side, error))
                return NULL;
        return domain_edit_commit(g_steal_pointer(&edit), error);
}

static struct domain_def *edit_live(const struct domain_change *change, const struct definition *active,
                                    GError **error)
{
        if (change->known && change->known_of == active)
                return domain_def_ref(change->known);
        return edit(change, active, DOMAIN_AFFECT_LIVE, error);
}

static void publish(struct domain *domain, const struct domain_change *change, struct domain_def *live,
                    struct domain_def *config)
{
        const struct domain_modification *row = change->row;
        struct managed_event *before = row->announce ? row->announce(change) : NULL;
        struct managed_state *state;

        if (before)
                managed_emit(&domain->base, before);
        state = managed_edit(&domain->base);
        if (live)
                managed_state_take_active(state, &live->base);
        if (config)
                managed_state_take_persistent(state, &config->base);
        domain_publish(domain, (struct domain_state *)state, row->event ? row->event(change) : NULL);
}

/*
 * The definition could not be stored: the guest goes back to what it was. Where it cannot, what it is now is
 * published, so that nobody is told what is not so. Takes live.
 */
static void take_back(struct domain *domain, const struct domain_change *change, struct domain_def *live)
{
        const struct domain_def *before = domain_def_of(domain->base.current->active);
        g_autoptr(GError) failure = NULL;

        lane_shield(domain->base.lane);
        if (!change->row->undo) {
                error_set(&failure, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED, "there is no way back");
        } else if (change->row->undo(domain, change, before, &failure)) {
                domain_def_unref(live);
                return;
        }
        log_gerror(LOG_LEVEL_ERROR, failure, "domain '%s' stays changed by %s, which has failed",
                   before->base.name, change->row->function);
        publish(domain, change, live, NULL);
}

/* The guest could not be changed: the definition that was stored before is again. */
static void store_back(struct managed *object, const struct domain_change *change)
{
        g_autoptr(GError) failure = NULL;

        lane_shield(object->lane);
        if (!registry_store(object, object->current->persistent, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure,
                           "the file of domain '%s' stays changed by %s, which has failed",
                           domain_def_of(object->current->persistent)->base.name, change->row->function);
}

bool domain_modify_now(struct domain *domain, struct domain_change *change, GError **error)
{
        struct managed *object = &domain->base;
        const struct domain_modification *row = change->row;
        CLEANUP(domain_def_unref) struct domain_def *live = NULL;
        CLEANUP(domain_def_unref) struct domain_def *config = NULL;
        bool file_first;

        if (!prepare(domain, change, error))
                return false;
        if (change->affect & DOMAIN_AFFECT_CONFIG) {
                config = edit(change, object->current->persistent, DOMAIN_AFFECT_CONFIG, error);
                if (!config)
                        return false;
        }
        if (change->affect & DOMAIN_AFFECT_LIVE) {
                live = edit_live(change, object->current->active, error);
                if (!live)
                        return false;
        }
        file_first = config && live && row->act && row->stores_first;
        if (file_first && !registry_store(object, &config->base, error))
                return false;
        if (live && row->act && !row->act(domain, change, &live, error)) {
                if (file_first)
                        store_back(object, change);
                return false;
        }
        if (config && !file_first && !registry_store(object, &config->base, error)) {
                if (live && row->act)
                        take_back(domain, change, g_steal_pointer(&live));
                return false;
        }
        publish(domain, change, g_steal_pointer(&live), g_steal_pointer(&config));
        return true;
}

static bool modify_work(struct managed *object, void *data, GError **error)
{
        return domain_modify_now(domain_from(object), data, error);
}

/* ---- on the loop ---- */

static void change_free(void *data)
{
        struct domain_change *change = data;

        if (change->row->args_free)
                change->row->args_free(change->args);
        else
                g_free(change->args);
        g_free(change);
}

void domain_modify(struct domain *domain, const struct domain_modification *row, void *args, unsigned flags,
                   managed_done done, void *data)
{
        struct domain_change *change = g_new(struct domain_change, 1);
        const struct managed_task task = { modify_work, MANAGED_IN_TURN, change, change_free };
        GError *error = NULL;

        *change = (struct domain_change){ .row = row, .flags = flags, .args = args };
        if (flags_check(flags, row->flags, ERROR_FROM_DOMAIN, row->function, &error)) {
                managed_run_task(&domain->base, &task, done, data);
        } else {
                managed_fail(error, done, data);
                change_free(change);
        }
}
