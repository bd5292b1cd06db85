/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call to a guest's agent on its way: the domain's lane (is there somebody to ask?), the agent's lane (it
 * is asked), the domain's lane again when there is more to do, and the loop. And the values that go along.
 */
#include "drivers/domain/guest-agent-private.h"

#include "base/lane.h"
#include "base/loop.h"
#include "interfaces/link.h"

#include <string.h>

/* ---- who can be asked ---- */

struct domain_agent *domain_agent_ref(struct domain_agent *agent)
{
        g_atomic_int_inc(&agent->refs);
        return agent;
}

void domain_agent_unref(struct domain_agent *agent)
{
        struct lane *lane;

        if (!agent || !g_atomic_int_dec_and_test(&agent->refs))
                return;
        lane = agent->lane;
        agent->free(agent);
        lane_unref(lane);
}

/* ---- values ---- */

static void clear_disk(void *data)
{
        struct guest_disk *disk = data;

        g_free(disk->serial);
        g_free(disk->device);
        g_free(disk->prefix);
}

GArray *guest_disks_new(void)
{
        GArray *disks = g_array_new(FALSE, TRUE, sizeof(struct guest_disk));

        g_array_set_clear_func(disks, clear_disk);
        return disks;
}

static void filesystem_free(void *data)
{
        struct guest_filesystem *filesystem = data;

        g_free(filesystem->name);
        g_free(filesystem->mountpoint);
        g_free(filesystem->type);
        g_array_unref(filesystem->disks);
        g_ptr_array_unref(filesystem->names);
        g_free(filesystem);
}

GPtrArray *guest_filesystems_new(void)
{
        return g_ptr_array_new_with_free_func(filesystem_free);
}

struct guest_filesystem *guest_filesystems_add(GPtrArray *filesystems)
{
        struct guest_filesystem *filesystem = g_new0(struct guest_filesystem, 1);

        filesystem->disks = guest_disks_new();
        filesystem->names = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(filesystems, filesystem);
        return filesystem;
}

static void interface_free(void *data)
{
        struct domain_interface_addresses *interface = data;

        g_free(interface->name);
        g_free(interface->mac);
        g_array_unref(interface->ips);
        g_free(interface);
}

GPtrArray *domain_interface_addresses_new(void)
{
        return g_ptr_array_new_with_free_func(interface_free);
}

struct domain_interface_addresses *domain_interface_addresses_add(GPtrArray *interfaces, const char *name,
                                                                  const char *mac)
{
        struct domain_interface_addresses *interface = g_new0(struct domain_interface_addresses, 1);

        interface->name = g_strdup(name);
        interface->mac = g_strdup(mac);
        interface->ips = g_array_new(FALSE, FALSE, sizeof(struct link_ip));
        g_ptr_array_add(interfaces, interface);
        return interface;
}

static void clear_request(struct domain_agent_request *request)
{
        g_free(request->user);
        if (request->secret)
                explicit_bzero(request->secret, strlen(request->secret));
        g_free(request->secret);
        g_strfreev(request->texts);
        g_clear_pointer(&request->vcpus, g_array_unref);
}

static void clear_answer(struct domain_agent_answer *answer)
{
        g_free(answer->text);
        g_strfreev(answer->texts);
        params_free(answer->params);
        g_clear_pointer(&answer->disks, g_array_unref);
        g_clear_pointer(&answer->filesystems, g_ptr_array_unref);
        g_clear_pointer(&answer->interfaces, g_ptr_array_unref);
        g_clear_pointer(&answer->vcpus, g_array_unref);
}

/* ---- the way of a call ---- */

struct agent_call *agent_call_new(struct domain *domain, enum domain_agent_request_kind kind,
                                  domain_agent_done done, void *data)
{
        struct agent_call *call = g_new0(struct agent_call, 1);

        g_assert(on_loop(domain->driver->loop));
        call->domain = (struct domain *)managed_ref(&domain->base);
        call->link.data = call;
        call->request.kind = kind;
        call->done = done;
        call->data = data;
        g_queue_push_tail_link(&domain->driver->agent_calls, &call->link);
        return call;
}

static void end(struct agent_call *call)
{
        if (!call->error && call->complete)
                call->complete(call);
        g_queue_unlink(&call->domain->driver->agent_calls, &call->link);
        call->done(call->error ? NULL : &call->answer, call->error, call->data);
        clear_request(&call->request);
        clear_answer(&call->answer);
        g_clear_error(&call->error);
        domain_agent_unref(call->agent);
        managed_unref(&call->domain->base);
        g_free(call);
}

void agent_call_refuse(struct agent_call *call, GError *error)
{
        call->error = error;
        end(call);
}

static void then_done(struct managed *object, const GError *error, void *data)
{
        struct agent_call *call = data;

        if (error)
                call->error = g_error_copy(error);
        end(call);
}

static void take_answer(void *data)
{
        struct agent_call *call = data;

        if (call->error || !call->then)
                end(call);
        else
                managed_run(&call->domain->base, MANAGED_IN_TURN, call->then, then_done, call);
}

/* In the agent's lane. */
static void ask(void *data)
{
        struct agent_call *call = data;

        call->agent->ask(call->agent, &call->request, &call->answer, &call->error);
        loop_post(call->domain->driver->loop, take_answer, call);
}

/* In the domain's. */
static bool find_work(struct managed *object, void *data, GError **error)
{
        struct agent_call *call = data;
        const struct domain_driver_ops *ops = call->domain->driver->ops;

        if (!managed_require_active(object, error))
                return false;
        if (!ops->get_agent)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "guest agents with this driver");
        call->found = ops->get_agent(call->domain, error);
        return call->found != NULL;
}

static void find_done(struct managed *object, const GError *error, void *data)
{
        struct agent_call *call = data;
        GError *failure = NULL;

        call->agent = g_steal_pointer(&call->found);
        if (error)
                failure = g_error_copy(error);
        else if (call->domain->driver->agents_quiet)
                error_set(&failure, ERROR_FROM_DOMAIN, ERROR_OPERATION_ABORTED,
                          "asking the guest agent of domain '%s'", object->name);
        if (failure)
                agent_call_refuse(call, failure);
        else
                lane_post(call->agent->lane, ask, call);
}

void agent_call_run(struct agent_call *call)
{
        if (call->agent)
                lane_post(call->agent->lane, ask, call);
        else
                managed_run(&call->domain->base, MANAGED_IN_TURN, find_work, find_done, call);
}

/* ---- the end of the agent that this is ---- */

unsigned domain_agent_get_pending(const struct domain_driver *driver)
{
        return driver->agent_calls.length;
}

static void interrupt(void *data)
{
}

void domain_agent_quiesce(struct domain_driver *driver)
{
        driver->agents_quiet = true;
        for (GList *link = driver->agent_calls.head; link; link = link->next) {
                const struct agent_call *call = link->data;

                if (call->agent)
                        lane_post_urgent(call->agent->lane, interrupt, NULL);
        }
}
