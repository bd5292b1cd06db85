/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: properties and descriptions, all answered from the published state. Loop thread.
 */
#include "bus/domain.h"

#include "bus/interface.h"
#include "bus/managed-object.h"
#include "drivers/domain/domain.h"
#include "introspection/domain.h"

const struct object_kind domain_object_kind = {
        .branch = "domain",
        .model = MODEL_DOMAINS,
        .interface = &interface_domain,
        MANAGED_OBJECT_HOOKS,
        .get_changed = domain_signals_get_changed,
        .announce = domain_signals_announce,
};

static const struct domain_state *get_state(const struct target *target)
{
        return domain_get_published(target_get_domain(target));
}

/* ---- properties ---- */

void set_domain_autostart(struct call *call, DBusMessageIter *value)
{
        bool autostart;

        marshal_read(value, "b", &autostart);
        domain_set_autostart(call_get_domain(call), autostart, call_done, call);
}

/* 0 when inactive, where the C API has -1. */
bool get_domain_id(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "u", (unsigned)get_state(target)->id);
}

bool get_domain_os_type(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", domain_state_get_def(get_state(target))->os.type);
}

bool get_domain_scheduler_type(const struct target *target, struct marshal_slot *slot, GError **error)
{
        unsigned count;
        const char *name = domain_driver_get_scheduler(model_get_domains(target->connect->model), &count);

        return marshal_slot_write(slot, "(si)", name, (int)count);
}

bool get_domain_updated(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", domain_is_updated(target_get_domain(target)));
}

/* ---- descriptions ---- */

void on_domain_get_info(struct call *call)
{
        struct domain_info info;

        domain_get_info(call_get_domain(call), &info);
        call_reply(call, "(ittut)", (int)info.state, info.max_memory_kib, info.memory_kib, info.vcpus,
                   info.cpu_time_ns);
}

void on_domain_get_max_memory(struct call *call)
{
        g_autoptr(GError) error = NULL;
        uint64_t kib;

        if (domain_get_max_memory(call_get_domain(call), call_read_flags(call), &kib, &error))
                call_reply(call, "t", kib);
        else
                call_fail(call, error);
}

void on_domain_get_metadata(struct call *call)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        const char *uri;
        uint32_t flags;
        int32_t type;

        call_read(call, "isu", &type, &uri, &flags);
        if (domain_get_metadata(call_get_domain(call), type, uri, flags, &text, &error))
                call_reply(call, "s", text);
        else
                call_fail(call, error);
}

void on_domain_get_state(struct call *call)
{
        g_autoptr(GError) error = NULL;
        int state, reason;

        if (domain_get_state(call_get_domain(call), call_read_flags(call), &state, &reason, &error))
                call_reply(call, "(ii)", state, reason);
        else
                call_fail(call, error);
}

void on_domain_get_security_label_list(struct call *call)
{
        g_autoptr(GArray) labels = domain_list_security_labels(call_get_domain(call));
        DBusMessageIter iter, array;
        DBusMessage *reply = call_begin_reply(call, &iter);

        marshal_open_array(&iter, &array, "(sb)");
        for (unsigned i = 0; i < labels->len; i++) {
                const struct domain_security_label *label =
                        &g_array_index(labels, struct domain_security_label, i);

                marshal_write(&array, "(sb)", label->label, (dbus_bool_t)label->enforcing);
        }
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_domain_get_xml_desc(struct call *call)
{
        domain_get_xml(call_get_domain(call), call_read_flags(call), call_done_with_text, call);
}
