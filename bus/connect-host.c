/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Connect: what the host is, its processors above all. Constant, and answered at once. Loop
 * thread.
 */
#include "bus/call.h"
#include "bus/interface.h"
#include "drivers/domain/domain.h"
#include "drivers/host/cpu-compare.h"
#include "drivers/host/host.h"
#include "introspection/connect.h"

static const struct host *get_host(const struct call *call)
{
        return model_get_host(call->target.connect->model);
}

void on_connect_get_sysinfo(struct call *call)
{
        g_autoptr(GError) error = NULL;
        const char *text = host_get_sysinfo(get_host(call), call_read_flags(call), &error);

        call_done_with_text(text, error, call);
}

void on_connect_node_get_security_model(struct call *call)
{
        const char *model, *doi;

        domain_driver_get_security_model(call_get_driver(call), &model, &doi);
        call_reply(call, "(ss)", model, doi);
}

void on_connect_get_cpu_model_names(struct call *call)
{
        g_autoptr(GPtrArray) names = NULL;
        g_autoptr(GError) error = NULL;
        DBusMessageIter iter, array;
        DBusMessage *reply;
        const char *arch;
        uint32_t flags;

        call_read(call, "su", &arch, &flags);
        names = host_list_cpu_models(arch, flags, &error);
        if (!names) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_array(&iter, &array, "s");
        for (unsigned i = 0; i < names->len; i++)
                marshal_write(&array, "s", g_ptr_array_index(names, i));
        marshal_close(&iter, &array);
        call_send_reply(call, reply);
}

void on_connect_compare_cpu(struct call *call)
{
        g_autoptr(GError) error = NULL;
        enum cpu_comparison result;
        const char *xml;
        uint32_t flags;

        call_read(call, "su", &xml, &flags);
        result = host_compare_cpu(get_host(call), xml, flags, &error);
        if (result == CPU_COMPARE_ERROR)
                call_fail(call, error);
        else
                call_reply(call, "i", result);
}

void on_connect_baseline_cpu(struct call *call)
{
        g_autoptr(GPtrArray) xmls = marshal_read_strings(&call->args);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = host_baseline_cpu(get_host(call), (const char *const *)xmls->pdata, xmls->len,
                                                  call_read_flags(call), &error);

        call_done_with_text(text, error, call);
}
