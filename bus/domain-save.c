/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain and org.libvirt.Connect: guests that are saved, restored and dumped. Loop thread.
 */
#include "bus/caller.h"
#include "bus/interface.h"
#include "drivers/domain/domain.h"
#include "introspection/connect.h"
#include "introspection/domain.h"

void on_domain_save(struct call *call)
{
        const char *path, *xml;
        uint32_t flags;

        call_read(call, "ssu", &path, &xml, &flags);
        domain_save(call_get_domain(call), path, xml, flags, call_done, call);
}

void on_domain_core_dump(struct call *call)
{
        uint32_t format, flags;
        const char *path;

        call_read(call, "suu", &path, &format, &flags);
        domain_core_dump(call_get_domain(call), path, format, flags, call_done, call);
}

void on_domain_managed_save(struct call *call)
{
        domain_managed_save(call_get_domain(call), call_read_flags(call), call_done, call);
}

void on_domain_managed_save_remove(struct call *call)
{
        domain_managed_save_remove(call_get_domain(call), call_read_flags(call), call_done, call);
}

void on_domain_has_managed_save_image(struct call *call)
{
        g_autoptr(GError) error = NULL;
        bool has;

        if (domain_has_managed_save(call_get_domain(call), call_read_flags(call), &has, &error))
                call_reply(call, "b", has);
        else
                call_fail(call, error);
}

void on_connect_domain_restore(struct call *call)
{
        const char *path, *xml;
        uint32_t flags;

        call_read(call, "ssu", &path, &xml, &flags);
        domain_restore(call_get_driver(call), path, xml, flags, call_done, call);
}

void on_connect_domain_save_image_define_xml(struct call *call)
{
        const char *path, *xml;
        uint32_t flags;

        call_read(call, "ssu", &path, &xml, &flags);
        domain_image_set_xml(call_get_driver(call), path, xml, flags, call_done, call);
}

void on_connect_domain_save_image_get_xml_desc(struct call *call)
{
        const char *path;
        uint32_t flags;

        call_read(call, "su", &path, &flags);
        domain_image_get_xml(call_get_driver(call), path, flags, call_done_with_text, call);
}
