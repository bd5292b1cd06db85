/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model, running side: stop, and what lies between that and a start. Entry points run on the loop;
 * each
 * *_work function in the domain's lane, where the state it checks is the latest one.
 */
#include "drivers/domain/domain.h"

#include "base/lane.h"
#include "base/log.h"
#include "base/store.h"
#include "drivers/domain/depart-private.h"
#include "drivers/domain/guest-agent.h"
#include "drivers/domain/model.h"

#include <string.h>

/* One call on its way through a lane. */
struct request {
        unsigned flags;
        char *owner; /* owned */
        managed_done done;
        void *data; /* owned by done */
};

static struct request *request_new(unsigned flags, const char *owner, managed_done done, void *data)
{
        struct request *request = g_new0(struct request, 1);

        request->flags = flags;
        request->owner = g_strdup(owner);
        request->done = done;
        request->data = data;
        return request;
}

static void request_done(struct managed *object, const GError *error, void *data)
{
        struct request *request = data;

        if (request->done)
                request->done(object, error, request->data);
        g_free(request->owner);
        g_free(request);
}

static void run(struct domain *domain, managed_work work, unsigned flags, unsigned allowed,
                const char *function, managed_done done, void *data)
{
        GError *error = NULL;

        if (flags_check(flags, allowed, ERROR_FROM_DOMAIN, function, &error))
                managed_run(&domain->base, MANAGED_IN_TURN, work, request_done,
                            request_new(flags, NULL, done, data));
        else
                managed_fail(error, done, data);
}

static const struct domain_driver_ops *ops_of(const struct domain *domain)
{
        return domain->driver->ops;
}

/* ---- destroy ---- */

static bool destroy_work(struct managed *object, void *data, GError **error)
{
        const struct request *request = data;
        struct domain *domain = domain_from(object);
        bool cancelled = domain->start_cancelled;

        /* The start before this one was given up for it: what is asked for is reached. */
        domain->start_cancelled = false;
        if (cancelled && !(object->current && object->current->active))
                return true;
        if (!managed_require_active(object, error) ||
            !ops_of(domain)->stop(domain, request->flags & DOMAIN_DESTROY_GRACEFUL, error))
                return false;
        domain_stopped(domain, DOMAIN_SHUTOFF_DESTROYED, DOMAIN_EVENT_STOPPED_DESTROYED);
        return true;
}

void domain_destroy(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;

        /* Needs nobody's answer: what stands before it and waits for the guest is interrupted. */
        if (flags_check(flags, DOMAIN_DESTROY_GRACEFUL, ERROR_FROM_DOMAIN, "Destroy", &error))
                managed_run(&domain->base, MANAGED_URGENT, destroy_work, request_done,
                            request_new(flags, NULL, done, data));
        else
                managed_fail(error, done, data);
}

static bool destroy_owned_work(struct managed *object, void *data, GError **error)
{
        const struct request *request = data;
        const struct domain_state *state = (const struct domain_state *)object->current;

        if (!state || !state->base.active || g_strcmp0(state->owner, request->owner) != 0)
                return true;
        return destroy_work(object, data, error);
}

static void destroy_owned_done(struct managed *object, const GError *error, void *data)
{
        if (error)
                domain_report(domain_from(object), error, "cannot destroy, with its owner gone, domain");
}

/* In turn, not urgent: a start on its way for that owner comes first and is destroyed after it. */
void domain_owner_gone(struct domain_driver *driver, const char *owner)
{
        g_autoptr(GPtrArray) domains = registry_list(driver->domains);

        for (unsigned i = 0; i < domains->len; i++) {
                struct domain *domain = g_ptr_array_index(domains, i);

                if (g_strcmp0(domain_get_published(domain)->owner, owner) == 0 || domain->base.pending)
                        managed_run(&domain->base, MANAGED_IN_TURN, destroy_owned_work, request_done,
                                    request_new(0, owner, destroy_owned_done, NULL));
        }
}

/* ---- what is asked of a running guest ---- */

/* A guest is asked to end. */
struct ending {
        struct domain *domain; /* ref */
        unsigned flags;
        bool reboot;
        struct domain_agent *agent; /* ref; by which it is asked, NULL: without one */
        managed_done done;
        void *data; /* owned by done */
};

static void ending_done(struct managed *object, const GError *error, void *data)
{
        struct ending *ending = data;

        if (ending->done)
                ending->done(&ending->domain->base, error, ending->data);
        managed_unref(&ending->domain->base);
        g_free(ending);
}

static bool ask_to_end(struct domain *domain, const struct ending *ending, GError **error)
{
        const struct domain_driver_ops *ops = ops_of(domain);
        unsigned mode = ending->flags;

        if (ops->forget_reboot)
                mode &= ~(unsigned)DOMAIN_SHUTDOWN_BY_AGENT;
        return ending->reboot ? ops->reboot(domain, mode, error) : ops->shutdown(domain, mode, error);
}

static bool end_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);

        return managed_require_active(object, error) && domain_require_idle(domain, error) &&
               ask_to_end(domain, data, error);
}

/* The agent would not: in another way, where one is allowed. */
static void agent_has_answered(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        struct ending *ending = data;

        if (error && ending->flags != DOMAIN_SHUTDOWN_BY_AGENT)
                managed_run(&ending->domain->base, MANAGED_IN_TURN, end_work, ending_done, ending);
        else
                ending_done(&ending->domain->base, error, ending);
}

/* By the guest's agent, if it has one that answers, where nothing else is asked for. */
static bool choose_end_work(struct managed *object, void *data, GError **error)
{
        const unsigned by_agent = DOMAIN_SHUTDOWN_BY_AGENT;
        struct domain *domain = domain_from(object);
        const struct domain_driver_ops *ops = ops_of(domain);
        struct ending *ending = data;
        bool only = ops->forget_reboot && ending->flags == by_agent;

        if (!managed_require_active(object, error) || !domain_require_idle(domain, error))
                return false;
        if (ops->forget_reboot && (!ending->flags || (ending->flags & by_agent))) {
                ending->agent = ops->get_agent(domain, only ? error : NULL);
                if (ending->agent)
                        ops->forget_reboot(domain);
        }
        return ending->agent || (!only && ask_to_end(domain, ending, error));
}

static void end_chosen(struct managed *object, const GError *error, void *data)
{
        struct ending *ending = data;

        if (ending->agent)
                domain_agent_end_guest(ending->domain, ending->agent, ending->reboot, agent_has_answered,
                                       ending);
        else
                ending_done(object, error, ending);
}

static void end_guest(struct domain *domain, unsigned flags, bool reboot, managed_done done, void *data)
{
        struct ending *ending;
        GError *error = NULL;

        if (!flags_check(flags, ops_of(domain)->shutdown_modes, ERROR_FROM_DOMAIN,
                         reboot ? "Reboot" : "Shutdown", &error)) {
                managed_fail(error, done, data);
                return;
        }
        ending = g_new0(struct ending, 1);
        ending->domain = (struct domain *)managed_ref(&domain->base);
        ending->flags = flags;
        ending->reboot = reboot;
        ending->done = done;
        ending->data = data;
        managed_run(&domain->base, MANAGED_IN_TURN, choose_end_work, end_chosen, ending);
}

void domain_shutdown(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        end_guest(domain, flags, false, done, data);
}

void domain_reboot(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        end_guest(domain, flags, true, done, data);
}

static bool reset_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);

        return managed_require_active(object, error) && domain_require_idle(domain, error) &&
               ops_of(domain)->reset(domain, error);
}

void domain_reset(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        run(domain, reset_work, flags, 0, "Reset", done, data);
}

/* What saves or dumps a guest stops it and lets it go on by itself; with libvirt both would wait for that. */
static bool require_idle_for(const struct domain *domain, const char *member, GError **error)
{
        if (!domain->work || strcmp(domain->work, DEPART_WORK) == 0)
                return domain_require_idle(domain, error);
        return error_set(
                error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                "domain '%s' is busy with '%s': call %s when that is over; AbortJob ends it where it can",
                managed_get_current_name(&domain->base), domain->work, member);
}

static bool suspend_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        const struct domain_state *state = domain_get_current(domain);

        if (!managed_require_active(object, error) ||
            (!domain->departs && !require_idle_for(domain, "Suspend", error)))
                return false;
        if (state->state == DOMAIN_PAUSED)
                return true;
        if (state->state == DOMAIN_PMSUSPENDED)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is suspended by its guest (PMSUSPENDED)",
                                 managed_get_current_name(object));
        if (domain->departs)
                return domain_departure_pause(domain, error);
        if (!ops_of(domain)->suspend(domain, error))
                return false;
        domain_transition(domain, DOMAIN_PAUSED, DOMAIN_PAUSED_USER, DOMAIN_EVENT_SUSPENDED,
                          DOMAIN_EVENT_SUSPENDED_PAUSED);
        return true;
}

void domain_suspend(struct domain *domain, managed_done done, void *data)
{
        run(domain, suspend_work, 0, 0, "Suspend", done, data);
}

static struct domain_state *make_asleep(struct domain *domain)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);

        state->state = DOMAIN_PAUSED;
        state->reason = DOMAIN_PAUSED_USER;
        state->sleeps = true;
        return state;
}

/* Before the guest is paused: a successor that finds it so is to know why. */
static void write_down_asleep(struct domain *domain)
{
        struct domain_state *state;

        if (!ops_of(domain)->save_status)
                return;
        state = make_asleep(domain);
        ops_of(domain)->save_status(domain, state);
        managed_state_unref(&state->base);
}

static bool sleep_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);

        if (!managed_require_active(object, error) || !domain_require_idle(domain, error))
                return false;
        /* Who does not run now is not paused for it, and does not go on when it is over. */
        if (domain_get_current(domain)->state != DOMAIN_RUNNING)
                return true;
        write_down_asleep(domain);
        if (!ops_of(domain)->suspend(domain, error)) {
                if (ops_of(domain)->save_status)
                        ops_of(domain)->save_status(domain, domain_get_current(domain));
                return false;
        }
        domain_publish(domain, make_asleep(domain),
                       managed_event_new(DOMAIN_EVENT_SUSPENDED, DOMAIN_EVENT_SUSPENDED_PAUSED));
        return true;
}

void domain_suspend_for_sleep(struct domain *domain, managed_done done, void *data)
{
        run(domain, sleep_work, 0, 0, "Suspend", done, data);
}

static bool resume_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        const struct domain_state *state = domain_get_current(domain);
        bool departs = domain->departs && domain->may_run && ops_of(domain)->depart_let_run;

        if (!managed_require_active(object, error) ||
            (!departs && !require_idle_for(domain, "Resume", error)))
                return false;
        if (state->state == DOMAIN_RUNNING)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is already running", managed_get_current_name(object));
        if (state->state == DOMAIN_PMSUSPENDED)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is suspended by its guest (PMSUSPENDED)",
                                 managed_get_current_name(object));
        /* Whoever says so knows that it does not run where it may have gone to. */
        if (ops_of(domain)->depart_get_note && ops_of(domain)->depart_get_note(domain) &&
            !ops_of(domain)->depart_note(domain, NULL, error))
                return false;
        if (departs ? !domain_departure_let_run(domain, error) : !ops_of(domain)->resume(domain, error))
                return false;
        domain_transition(domain, DOMAIN_RUNNING, DOMAIN_RUNNING_UNPAUSED, DOMAIN_EVENT_RESUMED,
                          DOMAIN_EVENT_RESUMED_UNPAUSED);
        return true;
}

void domain_resume(struct domain *domain, managed_done done, void *data)
{
        run(domain, resume_work, 0, 0, "Resume", done, data);
}
