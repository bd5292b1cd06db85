/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: what changes a domain. The work runs in the domain's lane, whose end replies. Loop
 * thread.
 */
#include "bus/caller.h"
#include "bus/interface.h"
#include "drivers/domain/domain.h"
#include "introspection/domain.h"

void on_domain_attach_device(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        domain_attach_device(call_get_domain(call), xml, flags, call_done, call);
}

void on_domain_detach_device(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        domain_detach_device(call_get_domain(call), xml, flags, call_done, call);
}

void on_domain_detach_device_alias(struct call *call)
{
        const char *alias;
        uint32_t flags;

        call_read(call, "su", &alias, &flags);
        domain_detach_alias(call_get_domain(call), alias, flags, call_done, call);
}

void on_domain_create(struct call *call)
{
        domain_create(call_get_domain(call), call_read_flags(call), call->caller->name, call_done, call);
}

void on_domain_create_with_files(struct call *call)
{
        unsigned count = marshal_skip_array(&call->args);
        uint32_t flags = call_read_flags(call);

        domain_create_with_files(call_get_domain(call), count, flags, call->caller->name, call_done, call);
}

void on_domain_set_lifecycle_action(struct call *call)
{
        uint32_t event, action, flags;

        call_read(call, "uuu", &event, &action, &flags);
        domain_set_lifecycle_action(call_get_domain(call), event, action, flags, call_done, call);
}

void on_domain_destroy(struct call *call)
{
        domain_destroy(call_get_domain(call), call_read_flags(call), call_done, call);
}

void on_domain_reboot(struct call *call)
{
        domain_reboot(call_get_domain(call), call_read_flags(call), call_done, call);
}

void on_domain_rename(struct call *call)
{
        const char *name;
        uint32_t flags;

        call_read(call, "su", &name, &flags);
        domain_rename(call_get_domain(call), name, flags, call_done, call);
}

void on_domain_reset(struct call *call)
{
        domain_reset(call_get_domain(call), call_read_flags(call), call_done, call);
}

void on_domain_resume(struct call *call)
{
        domain_resume(call_get_domain(call), call_done, call);
}

void on_domain_set_memory(struct call *call)
{
        uint64_t kib;
        uint32_t flags;

        call_read(call, "tu", &kib, &flags);
        domain_set_memory(call_get_domain(call), kib, flags, call_done, call);
}

void on_domain_set_memory_stats_period(struct call *call)
{
        uint32_t flags;
        int32_t period;

        call_read(call, "iu", &period, &flags);
        domain_set_memory_stats_period(call_get_domain(call), period, flags, call_done, call);
}

void on_domain_set_metadata(struct call *call)
{
        const char *text, *key, *uri;
        uint32_t flags;
        int32_t type;

        call_read(call, "isssu", &type, &text, &key, &uri, &flags);
        domain_set_metadata(call_get_domain(call), type, text, key, uri, flags, call_done, call);
}

void on_domain_shutdown(struct call *call)
{
        domain_shutdown(call_get_domain(call), call_read_flags(call), call_done, call);
}

void on_domain_suspend(struct call *call)
{
        domain_suspend(call_get_domain(call), call_done, call);
}

void on_domain_undefine(struct call *call)
{
        domain_undefine(call_get_domain(call), call_read_flags(call), call_done, call);
}

void on_domain_update_device(struct call *call)
{
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        domain_update_device(call_get_domain(call), xml, flags, call_done, call);
}
