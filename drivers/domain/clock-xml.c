/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <clock> and its timers.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

#define TIMEZONE_MAX 128

const char *const domain_timer_names[] = {
        [DOMAIN_TIMER_PLATFORM] = "platform",
        [DOMAIN_TIMER_PIT] = "pit",
        [DOMAIN_TIMER_RTC] = "rtc",
        [DOMAIN_TIMER_HPET] = "hpet",
        [DOMAIN_TIMER_TSC] = "tsc",
        [DOMAIN_TIMER_KVMCLOCK] = "kvmclock",
        [DOMAIN_TIMER_HYPERVCLOCK] = "hypervclock",
        [DOMAIN_TIMER_ARMVTIMER] = "armvtimer",
        [DOMAIN_TIMER_LAST] = NULL,
};

static const char *const offset_names[] = {
        [DOMAIN_CLOCK_UTC] = "utc",           [DOMAIN_CLOCK_LOCALTIME] = "localtime",
        [DOMAIN_CLOCK_VARIABLE] = "variable", [DOMAIN_CLOCK_TIMEZONE] = "timezone",
        [DOMAIN_CLOCK_ABSOLUTE] = "absolute", [DOMAIN_CLOCK_LAST] = NULL,
};
static const char *const basis_names[] = { "utc", "localtime", NULL };
static const char *const tickpolicy_names[] = { "delay", "catchup", "merge", "discard", NULL };
static const char *const track_names[] = { "boot", "guest", "wall", "realtime", NULL };
static const char *const mode_names[] = { "auto", "native", "emulate", "paravirt", "smpsafe", NULL };

static const struct field clock_fields[] = {
        ENUM("offset", struct domain_clock, offset, offset_names),
        BOOL("basis", struct domain_clock, basis_localtime, basis_names),
        STRING("timezone", struct domain_clock, timezone, .max = TIMEZONE_MAX),
        SIGNED("start", struct domain_clock, start_s),
        FIELDS_END,
};
static const struct field adjustment_fields[] = { SIGNED("adjustment", struct domain_clock, adjustment_s),
                                                  FIELDS_END };
static const struct field_part clock_parts[] = { { NULL, clock_fields }, PARTS_END };

static const struct field timer_fields[] = {
        ENUM("name", struct domain_timer, name, domain_timer_names, .required = true),
        YES_NO("present", struct domain_timer, present),
        NAME("tickpolicy", struct domain_timer, tickpolicy, tickpolicy_names),
        NAME("track", struct domain_timer, track, track_names),
        NAME("mode", struct domain_timer, mode, mode_names),
        UINT("frequency", struct domain_timer, frequency),
        FIELDS_END,
};
static const struct field catchup_fields[] = {
        UINT("threshold", struct domain_timer, catchup_threshold),
        UINT("slew", struct domain_timer, catchup_slew),
        UINT("limit", struct domain_timer, catchup_limit),
        FIELDS_END,
};
static const struct field_part timer_parts[] = {
        { NULL, timer_fields },
        { "catchup", catchup_fields },
        PARTS_END,
};

static bool read_adjustment(struct domain_reader *reader, xmlNode *node, struct domain_clock *clock,
                            GError **error)
{
        const char *text = field_get_text(reader, node, "adjustment");

        if (text && strcmp(text, "reset") == 0) {
                clock->adjustment_reset = true;
                return true;
        }
        return field_read(reader, node, adjustment_fields, clock, error);
}

bool domain_read_clock(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_clock *clock = target;

        if (!field_read_parts(reader, node, clock_parts, clock, error) ||
            !read_adjustment(reader, node, clock, error) ||
            !field_read_array(reader, node, "timer", timer_parts, sizeof(struct domain_timer), &clock->timers,
                              &clock->n_timers, error))
                return false;
        if (clock->offset == DOMAIN_CLOCK_TIMEZONE && !clock->timezone)
                return xml_error(error, node, "missing attribute 'timezone'");
        return true;
}
