/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is done at the front of a machine that runs. Entry points run on the loop, *_work functions in the
 * domain's lane.
 */
#include "drivers/domain/input.h"

#include "drivers/domain/guest-agent-private.h"
#include "drivers/domain/keycodes.h"

#include <string.h>

#define NAME_MAX_BYTES 1024

static const struct domain_driver_ops *ops_of(const struct domain *domain)
{
        return domain->driver->ops;
}

static bool refuse(const struct domain *domain, const char *function, GError **error)
{
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s of domain '%s'", function,
                         managed_get_current_name(&domain->base));
}

/* ---- keys and buttons ---- */

struct press {
        unsigned codeset, hold_ms, count;
        uint32_t codes[DOMAIN_KEYS_MAX];
        int64_t pid;
        unsigned signal;
};

static bool press_work(struct managed *object, void *data, GError **error)
{
        const struct press *press = data;
        struct domain *domain = domain_from(object);

        if (!managed_require_active(object, error))
                return false;
        if (!ops_of(domain)->send_keys)
                return refuse(domain, "SendKey", error);
        for (unsigned i = 0; i < press->count; i++) {
                if (keycodes_translate(press->codeset, press->codes[i]) == 0)
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "codeset %u has no key %u", press->codeset, press->codes[i]);
        }
        return ops_of(domain)->send_keys(domain, press->codeset, press->hold_ms, press->codes, press->count,
                                         error);
}

void domain_send_keys(struct domain *domain, unsigned codeset, unsigned hold_ms, const uint32_t *codes,
                      unsigned count, unsigned flags, managed_done done, void *data)
{
        struct managed_task task = { .work = press_work };
        struct press *press;
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "SendKey", &error)) {
                if (count == 0 || count > DOMAIN_KEYS_MAX)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                  "from 1 to %d keys can be sent, not %u", DOMAIN_KEYS_MAX, count);
                else if (codeset >= DOMAIN_CODESETS)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "unknown codeset %u",
                                  codeset);
        }
        if (error) {
                managed_fail(error, done, data);
                return;
        }
        press = g_new0(struct press, 1);
        press->codeset = codeset;
        press->hold_ms = hold_ms;
        press->count = count;
        memcpy(press->codes, codes, count * sizeof(*codes));
        task.args = press;
        managed_run_task(&domain->base, &task, done, data);
}

static bool nmi_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);

        if (!managed_require_active(object, error))
                return false;
        return ops_of(domain)->inject_nmi ? ops_of(domain)->inject_nmi(domain, error)
                                          : refuse(domain, "InjectNMI", error);
}

static bool wake_up_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);

        if (!managed_require_active(object, error))
                return false;
        return ops_of(domain)->wake_up ? ops_of(domain)->wake_up(domain, error)
                                       : refuse(domain, "PMWakeup", error);
}

static bool signal_work(struct managed *object, void *data, GError **error)
{
        const struct press *press = data;
        struct domain *domain = domain_from(object);

        if (!managed_require_active(object, error))
                return false;
        if (!ops_of(domain)->send_signal)
                return refuse(domain, "SendProcessSignal", error);
        return ops_of(domain)->send_signal(domain, press->pid, press->signal, error);
}

/* Takes args. */
static void run(struct domain *domain, managed_work work, void *args, unsigned flags, const char *function,
                managed_done done, void *data)
{
        const struct managed_task task = { .work = work, .args = args };
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, function, &error)) {
                managed_run_task(&domain->base, &task, done, data);
                return;
        }
        g_free(args);
        managed_fail(error, done, data);
}

void domain_inject_nmi(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        run(domain, nmi_work, NULL, flags, "InjectNMI", done, data);
}

void domain_wake_up(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        run(domain, wake_up_work, NULL, flags, "PMWakeup", done, data);
}

void domain_send_signal(struct domain *domain, int64_t pid, unsigned signal, unsigned flags,
                        managed_done done, void *data)
{
        struct press *press = g_new0(struct press, 1);

        press->pid = pid;
        press->signal = signal;
        run(domain, signal_work, press, flags, "SendProcessSignal", done, data);
}

/* ---- sleep ---- */

struct sleep {
        struct domain *domain; /* ref */
        managed_done done;
        void *data; /* owned by done */
};

static void sleep_done(const struct domain_agent_answer *answer, const GError *error, void *data)
{
        struct sleep *sleep = data;

        sleep->done(&sleep->domain->base, error, sleep->data);
        managed_unref(&sleep->domain->base);
        g_free(sleep);
}

/* Machines that cannot sleep so say it in their definition. */
static bool check_sleep(const struct domain *domain, unsigned target, GError **error)
{
        const struct managed_state *state = managed_get_published(&domain->base);
        const struct domain_def *def = state && state->active ? domain_def_of(state->active) : NULL;

        if (!ops_of(domain)->wake_up)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT,
                                 "PMSuspendForDuration of domain '%s'", domain->base.name);
        if (def && target != DOMAIN_SUSPEND_DISK && def->suspend_to_mem == DOMAIN_SWITCH_OFF)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "domain '%s' has suspend-to-mem disabled", domain->base.name);
        if (def && target != DOMAIN_SUSPEND_MEMORY && def->suspend_to_disk == DOMAIN_SWITCH_OFF)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "domain '%s' has suspend-to-disk disabled", domain->base.name);
        return true;
}

void domain_suspend_guest(struct domain *domain, unsigned target, uint64_t duration_s, unsigned flags,
                          managed_done done, void *data)
{
        struct agent_call *call;
        struct sleep *sleep;
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "PMSuspendForDuration", &error)) {
                if (target >= DOMAIN_SUSPEND_TARGETS)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "unknown suspend target %u",
                                  target);
                else if (duration_s > 0)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                                  "a duration: guests sleep until they are woken up");
                else
                        check_sleep(domain, target, &error);
        }
        if (error) {
                managed_fail(error, done, data);
                return;
        }
        sleep = g_new(struct sleep, 1);
        *sleep = (struct sleep){ (struct domain *)managed_ref(&domain->base), done, data };
        call = agent_call_new(domain, DOMAIN_AGENT_SUSPEND, sleep_done, sleep);
        call->request.number = target;
        agent_call_run(call);
}

/* ---- what is opened ---- */

struct opening {
        enum { OPEN_GRAPHICS, OPEN_CONSOLE, OPEN_CHANNEL, OPEN_SCREEN } what;
        char *name; /* owned */
        unsigned index, flags;
        int fd; /* owned; -1: not open */
        const char *mime;
        domain_fd_done done;
        void *data; /* owned by done */
};

static void opening_free(struct opening *opening)
{
        if (opening->fd >= 0)
                close(opening->fd);
        g_free(opening->name);
        g_free(opening);
}

static bool open_work(struct managed *object, void *data, GError **error)
{
        struct opening *opening = data;
        struct domain *domain = domain_from(object);
        const struct domain_driver_ops *ops = ops_of(domain);

        if (!managed_require_active(object, error))
                return false;
        switch (opening->what) {
        case OPEN_GRAPHICS:
                if (!ops->open_graphics)
                        return refuse(domain, "OpenGraphicsFD", error);
                opening->fd = ops->open_graphics(domain, opening->index,
                                                 opening->flags & DOMAIN_GRAPHICS_SKIP_AUTH, error);
                break;
        case OPEN_CONSOLE:
        case OPEN_CHANNEL:
                if (!ops->open_char)
                        return refuse(domain, opening->what == OPEN_CHANNEL ? "OpenChannel" : "OpenConsole",
                                      error);
                opening->fd = ops->open_char(domain, opening->what == OPEN_CHANNEL, opening->name,
                                             opening->flags & DOMAIN_CONSOLE_FORCE, error);
                break;
        case OPEN_SCREEN:
                if (!ops->take_screenshot)
                        return refuse(domain, "Screenshot", error);
                opening->fd = ops->take_screenshot(domain, opening->index, &opening->mime, error);
                break;
        }
        return opening->fd >= 0;
}

static void open_done(struct managed *object, const GError *error, void *data)
{
        struct opening *opening = data;

        opening->done(opening->fd, opening->mime, error, opening->data);
        opening_free(opening);
}

static void open_something(struct domain *domain, const struct opening *what, const char *name,
                           unsigned allowed, const char *function)
{
        struct opening *opening = g_memdup2(what, sizeof(*what));
        GError *error = NULL;

        opening->fd = -1;
        if (flags_check(what->flags, allowed, ERROR_FROM_DOMAIN, function, &error) && name &&
            strlen(name) > NAME_MAX_BYTES)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "a name of more than %d bytes",
                          NAME_MAX_BYTES);
        if (error) {
                open_done(NULL, error, opening);
                g_error_free(error);
                return;
        }
        opening->name = g_strdup(name);
        managed_run(&domain->base, MANAGED_IN_TURN, open_work, open_done, opening);
}

void domain_open_graphics(struct domain *domain, unsigned index, unsigned flags, domain_fd_done done,
                          void *data)
{
        const struct opening what = { OPEN_GRAPHICS, .index = index, .flags = flags, .done = done,
                                      .data = data };

        open_something(domain, &what, NULL, DOMAIN_GRAPHICS_SKIP_AUTH, "OpenGraphicsFD");
}

void domain_open_console(struct domain *domain, const char *alias, unsigned flags, domain_fd_done done,
                         void *data)
{
        const struct opening what = { OPEN_CONSOLE, .flags = flags, .done = done, .data = data };

        open_something(domain, &what, alias, DOMAIN_CONSOLE_FORCE | DOMAIN_CONSOLE_SAFE, "OpenConsole");
}

void domain_open_channel(struct domain *domain, const char *name, unsigned flags, domain_fd_done done,
                         void *data)
{
        const struct opening what = { OPEN_CHANNEL, .flags = flags, .done = done, .data = data };

        open_something(domain, &what, name, DOMAIN_CONSOLE_FORCE, "OpenChannel");
}

void domain_take_screenshot(struct domain *domain, unsigned screen, unsigned flags, domain_fd_done done,
                            void *data)
{
        const struct opening what = { OPEN_SCREEN, .index = screen, .flags = flags, .done = done,
                                      .data = data };

        open_something(domain, &what, NULL, 0, "Screenshot");
}
