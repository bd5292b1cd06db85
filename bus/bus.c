/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The agent on D-Bus: what is made at start, and how it ends. Loop thread.
 */
#include "bus/bus.h"

#include "base/collection.h"
#include "base/job.h"
#include "base/registry.h"
#include "bus/bus-private.h"
#include "bus/call.h"
#include "bus/caller.h"
#include "bus/collected-object.h"
#include "bus/dispatch.h"
#include "bus/job.h"
#include "bus/object-manager.h"
#include "bus/owner.h"
#include "bus/polkit.h"
#include "bus/sight.h"
#include "bus/signal.h"
#include "drivers/authorization.h"
#include "drivers/model.h"
#include "drivers/owners.h"

/* ---- the connection's events ---- */

static void on_ready(void *data)
{
        struct bus *bus = data;

        if (bus->polkit)
                polkit_ready(bus->polkit);
        owner_check(bus);
}

static void on_lost(void *data)
{
        caller_leave_all(data);
}

static void on_message(DBusMessage *message, void *data)
{
        struct bus *bus = data;

        if (bus->polkit && dbus_message_get_type(message) == DBUS_MESSAGE_TYPE_SIGNAL)
                polkit_take_signal(bus->polkit, message);
        dispatch_message(bus, message);
}

static void on_serve(void *data)
{
        dispatch_serve(data);
}

static void resume_branches(const struct connect *connect)
{
        for (unsigned i = 0; i < TREE_BRANCH_COUNT; i++)
                if (connect->branches[i].collection)
                        collection_resume(connect->branches[i].collection);
}

static void on_unclogged(void *data)
{
        struct bus *bus = data;

        dispatch_serve(bus);
        for (unsigned i = 0; i < bus->connects->len; i++)
                resume_branches(g_ptr_array_index(bus->connects, i));
}

static const struct connection_events events = {
        .ready = on_ready,
        .lost = on_lost,
        .message = on_message,
        .delivered = on_serve,
        .unclogged = on_unclogged,
};

static char *get_address(enum bus_type type)
{
        const char *variable = type == BUS_SYSTEM ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS";
        const char *address = g_getenv(variable);
        g_autofree char *escaped = NULL;
        g_autofree char *path = NULL;

        if (address && *address)
                return g_strdup(address);
        if (type == BUS_SYSTEM)
                return g_strdup("unix:path=/run/dbus/system_bus_socket");
        path = g_build_filename(g_get_user_runtime_dir(), "bus", NULL);
        escaped = dbus_address_escape_value(path);
        return g_strconcat("unix:path=", escaped, NULL);
}

/* A failure that no call is there to take. */
static void report(const struct model *model, enum model_kind kind, void *object, const GError *error,
                   void *data)
{
        const struct connect *connect = data;
        const struct branch *branch = object ? tree_find_branch(connect, kind) : NULL;
        g_autofree char *path = branch ? tree_get_path(branch, object) : NULL;
        struct subject before = connect->bus->about;

        if (branch)
                before = sight_begin(branch, object);
        signal_error(connect->bus, connect, path, error);
        sight_end(connect->bus, before);
}

static void listen(struct branch *branch)
{
        if (branch->registry)
                registry_listen(branch->registry, object_manager_follow, branch);
        if (branch->collection)
                collection_listen(branch->collection, &collected_object_follow, branch);
        if (branch->jobs)
                job_list_listen(branch->jobs, job_follow, branch);
}

static void stop_listening_to(struct branch *branch)
{
        if (branch->registry)
                registry_unlisten(branch->registry, object_manager_follow, branch);
        if (branch->collection)
                collection_unlisten(branch->collection, &collected_object_follow, branch);
        if (branch->jobs)
                job_list_unlisten(branch->jobs, job_follow, branch);
}

static void add_connection(struct bus *bus, struct model *model)
{
        struct connect *connect = connect_new(bus, model);

        g_ptr_array_add(bus->connects, connect);
        model_listen_failures(model, report, connect);
        for (unsigned i = 0; i < TREE_BRANCH_COUNT; i++)
                listen(&connect->branches[i]);
}

struct bus *bus_new(struct loop *loop, enum bus_type type, struct models *models)
{
        struct bus *bus = g_new0(struct bus, 1);
        g_autofree char *address = get_address(type);

        bus->loop = loop;
        bus->limits = (struct bus_limits){ CALLER_CALLS_MAX, CALLER_BYTES_MAX };
        bus->connection = connection_new(loop, address, BUS_NAME, &events, bus);
        bus->connects = g_ptr_array_new_with_free_func((GDestroyNotify)connect_free);
        bus->callers = g_hash_table_new(g_str_hash, g_str_equal);
        g_queue_init(&bus->calls);
        g_queue_init(&bus->ready);
        bus->serve_timer = loop_timer_new(loop, G_MAXINT, dispatch_continue, bus);
        bus->models = models;
        bus->polkit = authorization_get_authorizer(models_get_authorization(models), &polkit_authorizer);
        if (bus->polkit)
                polkit_attach(bus->polkit, bus->connection);
        owners_listen(models_get_owners(models), owner_found, bus);
        for (unsigned i = 0; i < models_get_count(models); i++)
                add_connection(bus, models_get_nth(models, i));
        return bus;
}

void bus_set_limits(struct bus *bus, const struct bus_limits *limits)
{
        bus->limits = *limits;
}

bool bus_start(struct bus *bus, GError **error)
{
        return connection_start(bus->connection, error);
}

void bus_stop(struct bus *bus)
{
        bus->stopping = true;
        if (bus->polkit)
                polkit_stop(bus->polkit);
        connection_release_name(bus->connection);
}

bool bus_is_idle(const struct bus *bus)
{
        return bus->calls.length == 0 && bus->ready.length == 0 && !connection_has_unsent(bus->connection);
}

/* Answers with an error what did not end in time. */
static void abandon_calls(struct bus *bus)
{
        g_autoptr(GError) error = NULL;

        error_set(&error, ERROR_FROM_NONE, ERROR_OPERATION_ABORTED, "the agent is ending");
        while (bus->calls.head)
                call_abandon(bus->calls.head->data, error);
}

static void stop_listening(struct connect *connect)
{
        struct model *model = connect->model;

        model_unlisten_failures(model, report, connect);
        for (unsigned i = 0; i < TREE_BRANCH_COUNT; i++)
                stop_listening_to(&connect->branches[i]);
}

void bus_free(struct bus *bus)
{
        struct caller *caller;

        if (!bus)
                return;
        owners_unlisten(models_get_owners(bus->models), owner_found, bus);
        for (unsigned i = 0; i < bus->connects->len; i++)
                stop_listening(g_ptr_array_index(bus->connects, i));
        abandon_calls(bus);
        connection_free(bus->connection);
        if (bus->polkit)
                polkit_attach(bus->polkit, NULL);
        caller_forget_all(bus);
        while ((caller = g_queue_pop_head(&bus->ready)))
                caller_unref(caller);
        loop_timer_free(bus->serve_timer);
        g_hash_table_unref(bus->callers);
        g_ptr_array_unref(bus->connects);
        g_free(bus);
}
