/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.libvirt.Connect: its secrets. Loop thread. */
#include "bus/call.h"
#include "bus/interface.h"
#include "drivers/secret/secret.h"
#include "introspection/connect.h"

static struct secrets *call_get_secrets(const struct call *call)
{
        return model_get_secrets(call->target.connect->model);
}

void on_connect_list_secrets(struct call *call)
{
        g_autoptr(GPtrArray) secrets = NULL;
        g_autoptr(GError) error = NULL;

        secrets = secret_list(call_get_secrets(call), call_read_flags(call), &error);
        call_reply_list(call, TREE_SECRETS, secrets, error);
}

void on_connect_secret_define_xml(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        secret_define_xml(call_get_secrets(call), xml, flags, call_done_with_object, call);
}

void on_connect_secret_lookup_by_uuid(struct call *call)
{
        const struct secret *secret;
        g_autoptr(GError) error = NULL;
        const char *uuid;

        call_read(call, "s", &uuid);
        secret = secret_lookup_uuid(call_get_secrets(call), uuid, &error);
        call_reply_found(call, TREE_SECRETS, secret, error);
}

void on_connect_secret_lookup_by_usage(struct call *call)
{
        const struct secret *secret;
        g_autoptr(GError) error = NULL;
        const char *usage_id;
        int usage_type;

        call_read(call, "is", &usage_type, &usage_id);
        secret = secret_lookup_usage(call_get_secrets(call), usage_type, usage_id, &error);
        call_reply_found(call, TREE_SECRETS, secret, error);
}
