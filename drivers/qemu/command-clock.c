/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's clock and timers: -rtc and the environment's TZ. (Timers that are a feature of the CPU:
 * command-cpu.c; of the machine: command-machine.c.) Values only; any thread.
 */
#include "drivers/qemu/command-internal.h"

#include <string.h>
#include <time.h>

static bool format_base(GString *option, const struct domain_clock *clock, int64_t now_s, GError **error)
{
        time_t seconds = (time_t)(clock->offset == DOMAIN_CLOCK_ABSOLUTE ? clock->start_s
                                                                         : now_s + clock->adjustment_s);
        struct tm time;
        bool local = clock->offset == DOMAIN_CLOCK_VARIABLE && clock->basis_localtime;
        char text[sizeof("-2147483648-01-01T00:00:00")];

        if (!(local ? localtime_r(&seconds, &time) : gmtime_r(&seconds, &time)) ||
            strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &time) == 0)
                return device_unsupported(error, "the time that <clock> asks for");
        g_string_append_printf(option, "base=%s", text);
        return true;
}

static bool add_base(struct command_builder *builder, GString *option, GError **error)
{
        const struct domain_clock *clock = &builder->def->clock;

        switch (clock->offset) {
        case DOMAIN_CLOCK_UTC:
                g_string_append(option, "base=utc");
                return true;
        case DOMAIN_CLOCK_TIMEZONE:
                g_ptr_array_add(builder->command->env, g_strconcat("TZ=", clock->timezone, NULL));
                g_string_append(option, "base=localtime");
                return true;
        case DOMAIN_CLOCK_LOCALTIME:
                g_string_append(option, "base=localtime");
                return true;
        default:
                return format_base(option, clock, builder->context->now_s, error);
        }
}

static bool refuse_tick(const struct domain_timer *timer, GError **error)
{
        return device_unsupported(error, "tickpolicy '%s' of <timer name='%s'>", timer->tickpolicy,
                                  domain_timer_get_name(timer->name));
}

/* How fast it catches up (<catchup>) is QEMU's to say, as it is with libvirt. */
static bool add_rtc_timer(const struct command_builder *builder, GString *option,
                          const struct domain_timer *timer, GError **error)
{
        static const struct {
                const char *track;
                const char *clock;
        } clocks[] = { { "guest", "vm" }, { "wall", "host" }, { "realtime", "rt" } };

        for (unsigned i = 0; i < G_N_ELEMENTS(clocks); i++) {
                if (g_strcmp0(clocks[i].track, timer->track) == 0)
                        command_option_add(option, "clock", clocks[i].clock);
        }
        if (g_strcmp0(timer->track, "boot") == 0)
                return device_unsupported(error, "track 'boot' of <timer name='rtc'>");
        if (g_strcmp0(timer->tickpolicy, "catchup") == 0 && machine_is_x86(builder->family))
                command_option_add(option, "driftfix", "slew");
        else if (timer->tickpolicy && strcmp(timer->tickpolicy, "delay") != 0)
                return refuse_tick(timer, error);
        return true;
}

static bool add_pit_timer(struct command_builder *builder, const struct domain_timer *timer, GError **error)
{
        const char *policy = timer->tickpolicy;

        if (!policy || !command_is_kvm(builder))
                return true;
        if (strcmp(policy, "delay") != 0 && strcmp(policy, "discard") != 0 && strcmp(policy, "catchup") != 0)
                return refuse_tick(timer, error);
        /* catching up is what KVM's PIT does under the name of "delay"; it never loses a tick */
        command_append_format(builder, "-global", "kvm-pit.lost_tick_policy=%s",
                              strcmp(policy, "discard") == 0 ? "discard" : "delay");
        return true;
}

static bool add_timer(struct command_builder *builder, GString *option, const struct domain_timer *timer,
                      GError **error)
{
        switch (timer->name) {
        case DOMAIN_TIMER_RTC:
                return add_rtc_timer(builder, option, timer, error);
        case DOMAIN_TIMER_PIT:
                return add_pit_timer(builder, timer, error);
        case DOMAIN_TIMER_PLATFORM:
        case DOMAIN_TIMER_ARMVTIMER:
                return device_unsupported(error, "<timer name='%s'> is not supported",
                                          domain_timer_get_name(timer->name));
        default:
                return true;
        }
}

bool command_clock_add(struct command_builder *builder, GError **error)
{
        const struct domain_clock *clock = &builder->def->clock;
        g_autoptr(GString) option = g_string_new(NULL);

        if (!add_base(builder, option, error))
                return false;
        for (unsigned i = 0; i < clock->n_timers; i++) {
                if (!add_timer(builder, option, &clock->timers[i], error))
                        return false;
        }
        command_append(builder, "-rtc", option->str);
        return true;
}
