/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Connect: what a driver is, and its domains. Loop thread.
 */
#include "bus/connect.h"

#include "bus/bus-private.h"
#include "bus/caller.h"
#include "bus/dispatch.h"
#include "bus/interface.h"
#include "bus/last-error.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/native.h"
#include "drivers/host/host.h"
#include "introspection/connect.h"

struct settling {
        struct call *call; /* borrowed: it waits for us */
        authorize_next next;
};

static void settled(void *data)
{
        struct settling *settling = data;
        struct call *call = settling->call;

        if (call->message)
                dispatch_resume(call, settling->next);
        else
                call_end(call);
        g_free(settling);
}

bool connect_settle(struct call *call, const struct connect *connect, authorize_next next)
{
        struct settling *settling;

        if (call->settled)
                return true;
        call->settled = true;
        settling = g_new(struct settling, 1);
        *settling = (struct settling){ call, next };
        if (!model_settle(connect->model, settled, settling))
                return false;
        g_free(settling);
        return true;
}

/* ---- properties ---- */

bool get_connect_encrypted(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", false);
}

bool get_connect_hostname(const struct target *target, struct marshal_slot *slot, GError **error)
{
        g_autofree char *name = host_get_hostname(model_get_host(target->connect->model));

        return marshal_slot_write(slot, "s", name);
}

bool get_connect_lib_version(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "t", MODEL_API_VERSION);
}

/* Nothing but this host's bus is between the caller and the driver. */
bool get_connect_secure(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", true);
}

bool get_connect_type(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", model_get_type(target->connect->model));
}

bool get_connect_uri(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", model_get_uri(target->connect->model));
}

bool get_connect_version(const struct target *target, struct marshal_slot *slot, GError **error)
{
        uint64_t version = model_get_version(target->connect->model, error);

        return version && marshal_slot_write(slot, "t", version);
}

void on_connect_get_last_error(struct call *call)
{
        last_error_reply(call, caller_get_slot(call->caller, call->target.connect)->last_error);
}

void on_connect_reset_last_error(struct call *call)
{
        g_clear_error(&caller_get_slot(call->caller, call->target.connect)->last_error);
        call_reply(call, "");
}

/* ---- domains ---- */

/* Later calls of the caller must not overtake a document that has not got to its domain yet. */
static void document_queued(void *data)
{
        call_release(data);
}

void on_connect_domain_define_xml(struct call *call)
{
        const char *xml;

        call_read(call, "s", &xml);
        call_hold(call);
        domain_define_xml(call_get_driver(call), xml, 0, document_queued, call_done_with_object, call);
}

void on_connect_domain_create_xml(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        call_hold(call);
        domain_create_xml(call_get_driver(call), xml, flags, call->caller->name, document_queued,
                          call_done_with_object, call);
}

void on_connect_domain_create_xml_with_files(struct call *call)
{
        const char *xml;
        unsigned count;
        uint32_t flags;

        call_read(call, "s", &xml);
        count = marshal_skip_array(&call->args);
        flags = call_read_flags(call);
        call_hold(call);
        domain_create_xml_with_files(call_get_driver(call), xml, count, flags, call->caller->name,
                                     document_queued, call_done_with_object, call);
}

void on_connect_domain_xml_from_native(struct call *call)
{
        const char *format, *text;
        uint32_t flags;

        call_read(call, "ssu", &format, &text, &flags);
        domain_xml_from_native(call_get_driver(call), format, text, flags, call_done_with_text, call);
}

void on_connect_domain_xml_to_native(struct call *call)
{
        const char *format, *xml;
        uint32_t flags;

        call_read(call, "ssu", &format, &xml, &flags);
        domain_xml_to_native(call_get_driver(call), format, xml, flags, call_done_with_text, call);
}

void on_connect_domain_lookup_by_id(struct call *call)
{
        const struct domain *domain;
        g_autoptr(GError) error = NULL;
        int32_t id;

        call_read(call, "i", &id);
        domain = domain_lookup_id(call_get_driver(call), id, &error);
        call_reply_found(call, TREE_DOMAINS, domain, error);
}

void on_connect_domain_lookup_by_name(struct call *call)
{
        const struct domain *domain;
        g_autoptr(GError) error = NULL;
        const char *name;

        call_read(call, "s", &name);
        domain = domain_lookup_name(call_get_driver(call), name, &error);
        call_reply_found(call, TREE_DOMAINS, domain, error);
}

void on_connect_domain_lookup_by_uuid(struct call *call)
{
        const struct domain *domain;
        g_autoptr(GError) error = NULL;
        const char *uuid;

        call_read(call, "s", &uuid);
        domain = domain_lookup_uuid(call_get_driver(call), uuid, &error);
        call_reply_found(call, TREE_DOMAINS, domain, error);
}

void on_connect_list_domains(struct call *call)
{
        g_autoptr(GPtrArray) domains = NULL;
        g_autoptr(GError) error = NULL;

        domains = domain_list(call_get_driver(call), call_read_flags(call), &error);
        call_reply_list(call, TREE_DOMAINS, domains, error);
}

/* ---- capabilities ---- */

void on_connect_get_capabilities(struct call *call)
{
        domain_get_capabilities(call_get_driver(call), call_done_with_text, call);
}

void on_connect_get_domain_capabilities(struct call *call)
{
        const char *emulator, *arch, *machine, *type;
        uint32_t flags;

        call_read(call, "ssssu", &emulator, &arch, &machine, &type, &flags);
        domain_get_domain_capabilities(call_get_driver(call), emulator, arch, machine, type, flags,
                                       call_done_with_text, call);
}

void on_connect_get_max_vcpus(struct call *call)
{
        g_autoptr(GError) error = NULL;
        const char *type;
        unsigned vcpus;

        call_read(call, "s", &type);
        vcpus = domain_driver_get_max_vcpus(call_get_driver(call), type, &error);
        if (vcpus)
                call_reply(call, "u", vcpus);
        else
                call_fail(call, error);
}
