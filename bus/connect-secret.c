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

/* With the path of a secret; takes error when it is NULL. */
static void reply_secret(struct call *call, const struct secret *secret, GError *error)
{
        if (secret)
                call_reply_object(call, &call->target.connect->branches[TREE_SECRETS], secret);
        else
                call_fail(call, error);
        g_clear_error(&error);
}

void on_connect_list_secrets(struct call *call)
{
        g_autoptr(GPtrArray) secrets = NULL;
        g_autoptr(GError) error = NULL;
        uint32_t flags;

        call_read(call, "u", &flags);
        secrets = secret_list(call_get_secrets(call), flags, &error);
        if (secrets)
                call_reply_objects(call, &call->target.connect->branches[TREE_SECRETS],
                                   (const void *const *)secrets->pdata, secrets->len);
        else
                call_fail(call, error);
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
        GError *error = NULL;
        const char *uuid;

        call_read(call, "s", &uuid);
        secret = secret_lookup_uuid(call_get_secrets(call), uuid, &error);
        reply_secret(call, secret, error);
}

void on_connect_secret_lookup_by_usage(struct call *call)
{
        const struct secret *secret;
        GError *error = NULL;
        const char *usage_id;
        int usage_type;

        call_read(call, "is", &usage_type, &usage_id);
        secret = secret_lookup_usage(call_get_secrets(call), usage_type, usage_id, &error);
        reply_secret(call, secret, error);
}
