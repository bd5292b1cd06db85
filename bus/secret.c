/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.Secret, and what becomes of the changes and events of secrets. Loop thread. */
#include "bus/secret.h"

#include "bus/call.h"
#include "bus/interface.h"
#include "bus/managed-object.h"
#include "bus/signal.h"
#include "drivers/secret/secret.h"
#include "introspection/connect.h"
#include "introspection/secret.h"

static struct secret *target_get_secret(const struct target *target)
{
        return target->object;
}

static struct secret *call_get_secret(const struct call *call)
{
        return target_get_secret(&call->target);
}

/* ---- the kind ---- */

/* All properties are constant. */
static uint64_t get_changed(const struct registry_change *change)
{
        return 0;
}

static void announce(const struct branch *branch, const char *path, const struct registry_change *change)
{
        const struct managed_event *event = change->event;

        if (event->id == MANAGED_EVENT_LIFECYCLE)
                signal_send(branch->connect->bus, branch->connect->path, &interface_connect,
                            INTERFACE_CONNECT_SIGNAL_SECRET_EVENT, "oii", path, event->type, event->detail);
        else if (event->id == SECRET_EVENT_VALUE_CHANGED)
                signal_send(branch->connect->bus, path, &interface_secret,
                            INTERFACE_SECRET_SIGNAL_VALUE_CHANGED, "");
}

const struct object_kind secret_object_kind = {
        .branch = "secret",
        .model = MODEL_SECRETS,
        .interface = &interface_secret,
        MANAGED_OBJECT_HOOKS,
        .get_changed = get_changed,
        .announce = announce,
};

/* ---- properties ---- */

bool get_secret_usage_id(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", secret_get_def(target_get_secret(target))->usage_id);
}

bool get_secret_usage_type(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "i", (int)secret_get_def(target_get_secret(target))->usage_type);
}

/* ---- methods ---- */

void on_secret_get_value(struct call *call)
{
        g_autoptr(GError) error = NULL;
        GBytes *value;

        value = secret_get_value(call_get_secret(call), call_read_flags(call), &error);
        if (value)
                call_reply(call, "ay", g_bytes_get_data(value, NULL), g_bytes_get_size(value));
        else
                call_fail(call, error);
}

void on_secret_get_xml_desc(struct call *call)
{
        g_autoptr(GError) error = NULL;
        const char *text;

        text = secret_get_xml(call_get_secret(call), call_read_flags(call), &error);
        call_done_with_text(text, error, call);
}

void on_secret_set_value(struct call *call)
{
        const void *value;
        size_t length;
        uint32_t flags;

        call_read(call, "ayu", &value, &length, &flags);
        secret_set_value(call_get_secret(call), value, length, flags, call_done, call);
}

void on_secret_undefine(struct call *call)
{
        secret_undefine(call_get_secret(call), call_done, call);
}
