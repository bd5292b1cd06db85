/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Manager: the agent itself. Loop thread.
 */
#include "bus/bus-private.h"
#include "bus/caller.h"
#include "bus/connect.h"
#include "bus/interface.h"
#include "bus/last-error.h"
#include "drivers/model.h"
#include "introspection/manager.h"

bool get_manager_version(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", VIRTBUS_VERSION);
}

static const struct connect *get_connect(const struct bus *bus, const struct model *model)
{
        return g_ptr_array_index(bus->connects, model_get_index(model));
}

void on_manager_connect_open(struct call *call)
{
        const struct connect *connect;
        g_autoptr(GError) error = NULL;
        struct model *model;
        const char *uri;
        uint32_t flags;

        call_read(call, "su", &uri, &flags);
        model = models_find_uri(call->target.bus->models, uri, flags, &error);
        if (!model) {
                call_fail(call, error);
                return;
        }
        connect = get_connect(call->target.bus, model);
        identity_open(call->caller->identity, model, flags);
        call_reply(call, "o", connect->path);
}

void on_manager_connect_close(struct call *call)
{
        g_autoptr(GError) error = NULL;
        struct target target;
        const char *path;

        call_read(call, "o", &path);
        tree_locate(call->target.bus, path, &target);
        if (target.place != TREE_CONNECT)
                error_set(&error, ERROR_FROM_NONE, ERROR_INVALID_CONN, "ConnectClose: it was not opened");
        if (!error && identity_close(call->caller->identity, target.connect->model, &error))
                call_reply(call, "");
        else
                call_fail(call, error);
}

void on_manager_get_last_error(struct call *call)
{
        last_error_reply(call, call->caller->last_error);
}

void on_manager_reset_last_error(struct call *call)
{
        caller_reset_errors(call->caller);
        call_reply(call, "");
}

void on_manager_get_version(struct call *call)
{
        struct bus *bus = call->target.bus;
        g_autoptr(GError) error = NULL;
        const struct model *model;
        uint64_t version = 0;
        const char *type;

        call_read(call, "s", &type);
        model = models_find_type(bus->models, type, &error);
        if (model && !connect_settle(call, get_connect(bus, model), on_manager_get_version))
                return;
        if (model)
                version = model_get_version(model, &error);
        if (version)
                call_reply(call, "(tt)", MODEL_API_VERSION, version);
        else
                call_fail(call, error);
}
