/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: what becomes of a guest that powers off, reboots or crashes. A row of domain_modify():
 * the entry point runs on the loop, edit and action in the domain's lane.
 */
#include "drivers/domain/domain.h"

#include "drivers/domain/modify.h"

static const struct {
        const char *element, *name;
} events[DOMAIN_LIFECYCLES] = {
        [DOMAIN_LIFECYCLE_POWEROFF] = { "on_poweroff", "poweroff" },
        [DOMAIN_LIFECYCLE_REBOOT] = { "on_reboot", "reboot" },
        [DOMAIN_LIFECYCLE_CRASH] = { "on_crash", "crash" },
};

static const char *const actions[DOMAIN_ACTIONS] = {
        [DOMAIN_ACTION_DESTROY] = "destroy",
        [DOMAIN_ACTION_RESTART] = "restart",
        [DOMAIN_ACTION_RESTART_RENAME] = "rename-restart",
        [DOMAIN_ACTION_PRESERVE] = "preserve",
        [DOMAIN_ACTION_COREDUMP_DESTROY] = "coredump-destroy",
        [DOMAIN_ACTION_COREDUMP_RESTART] = "coredump-restart",
};

struct lifecycle {
        unsigned event, action;
};

static bool edit(struct domain_edit *edit, const struct domain_def *def, const struct domain_change *change,
                 enum domain_affect side, GError **error)
{
        const struct lifecycle *lifecycle = change->args;

        domain_edit_set_action(edit, events[lifecycle->event].element, actions[lifecycle->action]);
        return true;
}

static bool act(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;
        const struct lifecycle *lifecycle = change->args;

        return !ops->set_lifecycle_action ||
               ops->set_lifecycle_action(domain, lifecycle->event, *live, error);
}

static bool undo(struct domain *domain, const struct domain_change *change, const struct domain_def *before,
                 GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;
        const struct lifecycle *lifecycle = change->args;

        return !ops->set_lifecycle_action ||
               ops->set_lifecycle_action(domain, lifecycle->event, before, error);
}

static const struct domain_modification row = {
        .function = "SetLifecycleAction",
        .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
        .edit = edit,
        .act = act,
        .undo = undo,
};

/* The format has dumps for crashes only; the driver may be able to do less than the format has. */
static bool check(struct domain *domain, unsigned event, unsigned action, GError **error)
{
        if (event >= DOMAIN_LIFECYCLES)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "unknown lifecycle event %u",
                                 event);
        if (action >= DOMAIN_ACTIONS)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "unknown lifecycle action %u",
                                 action);
        if (event != DOMAIN_LIFECYCLE_CRASH && action >= DOMAIN_ACTION_COREDUMP_DESTROY)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "lifecycle event '%s' has no action '%s'", events[event].name,
                                 actions[action]);
        if (!(domain->driver->ops->lifecycle_actions[event] & 1U << action))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "'%s' cannot be done at lifecycle event '%s' of domain '%s', only %s can",
                                 actions[action], events[event].name, domain->base.name,
                                 event == DOMAIN_LIFECYCLE_CRASH ? "destroy, restart, preserve and dumps"
                                                                 : "destroy and restart");
        return true;
}

void domain_set_lifecycle_action(struct domain *domain, unsigned event, unsigned action, unsigned flags,
                                 managed_done done, void *data)
{
        const struct lifecycle lifecycle = { event, action };
        GError *error = NULL;

        if (!check(domain, event, action, &error))
                managed_fail(error, done, data);
        else
                domain_modify(domain, &row, g_memdup2(&lifecycle, sizeof(lifecycle)), flags, done, data);
}
