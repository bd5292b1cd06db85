/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: keys, buttons, displays and consoles. Loop thread.
 */
#include "bus/interface.h"
#include "drivers/domain/input.h"
#include "introspection/domain.h"

void on_domain_send_key(struct call *call)
{
        uint32_t codeset, hold_ms, flags;
        const void *codes;
        unsigned count;

        call_read(call, "uu", &codeset, &hold_ms);
        marshal_read_numbers(&call->args, &codes, &count);
        flags = call_read_flags(call);
        domain_send_keys(call_get_domain(call), codeset, hold_ms, codes, count, flags, call_done, call);
}

void on_domain_inject_nmi(struct call *call)
{
        domain_inject_nmi(call_get_domain(call), call_read_flags(call), call_done, call);
}

void on_domain_send_process_signal(struct call *call)
{
        uint32_t signal, flags;
        int64_t pid;

        call_read(call, "xuu", &pid, &signal, &flags);
        domain_send_signal(call_get_domain(call), pid, signal, flags, call_done, call);
}

void on_domain_pm_suspend_for_duration(struct call *call)
{
        uint32_t target, flags;
        uint64_t duration_s;

        call_read(call, "utu", &target, &duration_s, &flags);
        domain_suspend_guest(call_get_domain(call), target, duration_s, flags, call_done, call);
}

void on_domain_pm_wakeup(struct call *call)
{
        domain_wake_up(call_get_domain(call), call_read_flags(call), call_done, call);
}

/* ---- what is opened ---- */

static void reply_fd(int fd, const char *mime, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply_fd(call, fd);
}

void on_domain_open_graphics_fd(struct call *call)
{
        uint32_t index, flags;

        call_read(call, "uu", &index, &flags);
        domain_open_graphics(call_get_domain(call), index, flags, reply_fd, call);
}

void on_domain_open_console(struct call *call)
{
        const char *alias;
        uint32_t flags;

        call_read(call, "su", &alias, &flags);
        domain_open_console(call_get_domain(call), alias, flags, reply_fd, call);
}

void on_domain_open_channel(struct call *call)
{
        const char *name;
        uint32_t flags;

        call_read(call, "su", &name, &flags);
        domain_open_channel(call_get_domain(call), name, flags, reply_fd, call);
}

static void reply_screenshot(int fd, const char *mime, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                call_fail(call, error);
        else
                call_reply_text_and_fd(call, mime, fd);
}

void on_domain_screenshot(struct call *call)
{
        uint32_t screen, flags;

        call_read(call, "uu", &screen, &flags);
        domain_take_screenshot(call_get_domain(call), screen, flags, reply_screenshot, call);
}
