/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the timers in <clock>: which of their settings each has, as libvirt's users know it. No state;
 * any thread.
 */
#include "drivers/domain/check.h"

#include <string.h>

/* What each timer has; no policies: any. */
static const struct timer_rule {
        const char *policies[4];
        bool has_policy, has_track, has_mode, has_frequency;
} rules[DOMAIN_TIMER_LAST] = {
        [DOMAIN_TIMER_PIT] = { { "delay", "catchup", "discard" }, .has_policy = true },
        [DOMAIN_TIMER_RTC] = { { "delay", "catchup" }, .has_policy = true, .has_track = true },
        [DOMAIN_TIMER_HPET] = { .has_policy = true },
        [DOMAIN_TIMER_TSC] = { .has_policy = true, .has_mode = true, .has_frequency = true },
        [DOMAIN_TIMER_ARMVTIMER] = { { "delay", "discard" }, .has_policy = true },
};

static bool refuse_setting(const struct domain_timer *timer, const char *what, GError **error)
{
        return check_refuse(error, "<timer name='%s'> has no %s", domain_timer_get_name(timer->name), what);
}

static bool check_policy(const struct domain_timer *timer, const struct timer_rule *rule, GError **error)
{
        bool catchup = timer->catchup_threshold || timer->catchup_slew || timer->catchup_limit;
        g_autofree char *names = NULL;

        if (catchup && g_strcmp0(timer->tickpolicy, "catchup") != 0)
                return check_refuse(error, "<catchup> of <timer name='%s'> goes with tickpolicy='catchup'",
                                    domain_timer_get_name(timer->name));
        if (!timer->tickpolicy)
                return true;
        if (!rule->has_policy)
                return refuse_setting(timer, "tickpolicy", error);
        if (!rule->policies[0] || g_strv_contains(rule->policies, timer->tickpolicy))
                return true;
        names = g_strjoinv("', '", (char **)(void *)rule->policies);
        return check_refuse(error, "tickpolicy '%s' of <timer name='%s'>: it has '%s'", timer->tickpolicy,
                            domain_timer_get_name(timer->name), names);
}

static bool check_timer(const struct domain_timer *timer, GError **error)
{
        const struct timer_rule *rule = &rules[timer->name];

        if (timer->name == DOMAIN_TIMER_PLATFORM)
                return check_refuse(error, "<timer name='platform'> is a timer of Xen's");
        if (timer->track && !rule->has_track)
                return refuse_setting(timer, "track", error);
        if (g_strcmp0(timer->track, "boot") == 0)
                return check_refuse(error, "track 'boot' of <timer name='rtc'>: it follows 'guest', 'wall' "
                                           "or 'realtime'");
        if (timer->mode && !rule->has_mode)
                return refuse_setting(timer, "mode", error);
        if (timer->frequency && !rule->has_frequency)
                return refuse_setting(timer, "frequency", error);
        return check_policy(timer, rule, error);
}

static bool check_timers(const struct check *check, GError **error)
{
        const struct domain_clock *clock = &check->def->clock;

        for (unsigned i = 0; i < clock->n_timers; i++) {
                if (!check_timer(&clock->timers[i], error))
                        return false;
        }
        return true;
}

const check_function domain_check_clock[] = { check_timers, NULL };
