/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters of how a domain is scheduled, with the names of virDomainGetSchedulerParameters(), and
 * what the event TUNABLE says of them. No state; edits in the domain's lane.
 */
#include "drivers/domain/parameters.h"

#include <inttypes.h>
#include <string.h>

/* What kernels take: cpu.shares, cpu.cfs_period_us, cpu.cfs_quota_us in nanoseconds. */
#define SHARES_MIN UINT64_C(2)
#define SHARES_MAX UINT64_C(262144)
#define PERIOD_MIN UINT64_C(1000)
#define PERIOD_MAX UINT64_C(1000000)
#define QUOTA_MIN  INT64_C(1000)
#define QUOTA_MAX  INT64_C(17592186044415)

#define SHARES "cpu_shares"

static const struct {
        const char *period, *quota;
} names[DOMAIN_QUOTA_SCOPES] = {
        [DOMAIN_QUOTA_VCPU] = { "vcpu_period", "vcpu_quota" },
        [DOMAIN_QUOTA_GLOBAL] = { "global_period", "global_quota" },
        [DOMAIN_QUOTA_EMULATOR] = { "emulator_period", "emulator_quota" },
        [DOMAIN_QUOTA_IOTHREAD] = { "iothread_period", "iothread_quota" },
};

/* In the order in which they are told. */
static const enum domain_quota_scope order[] = { DOMAIN_QUOTA_VCPU, DOMAIN_QUOTA_EMULATOR,
                                                 DOMAIN_QUOTA_GLOBAL, DOMAIN_QUOTA_IOTHREAD };

static const struct param_rule rules[] = {
        { SHARES, PARAM_ULONG, .max = SHARES_MAX },
        { "vcpu_period", PARAM_ULONG, .max = PERIOD_MAX },
        { "vcpu_quota", PARAM_LONG, .min = INT64_MIN, .max = QUOTA_MAX },
        { "emulator_period", PARAM_ULONG, .max = PERIOD_MAX },
        { "emulator_quota", PARAM_LONG, .min = INT64_MIN, .max = QUOTA_MAX },
        { "global_period", PARAM_ULONG, .max = PERIOD_MAX },
        { "global_quota", PARAM_LONG, .min = INT64_MIN, .max = QUOTA_MAX },
        { "iothread_period", PARAM_ULONG, .max = PERIOD_MAX },
        { "iothread_quota", PARAM_LONG, .min = INT64_MIN, .max = QUOTA_MAX },
};

static const struct param_table table = { ERROR_FROM_DOMAIN, "SetSchedulerParameters", rules,
                                          G_N_ELEMENTS(rules), 0 };

/* 0 is the default of shares, and leaves periods and quotas alone. */
static bool check(const struct params *params, GError **error)
{
        for (unsigned i = 0; i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);
                bool is_shares = strcmp(param->name, SHARES) == 0;
                uint64_t min = is_shares ? SHARES_MIN : PERIOD_MIN, max = is_shares ? SHARES_MAX : PERIOD_MAX;

                if (param->type == PARAM_LONG) {
                        if (param->value.x <= 0 || param->value.x >= QUOTA_MIN)
                                continue;
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "parameter '%s' is %" PRIi64 " microseconds: it is from %" PRIi64
                                         " to %" PRIi64 ", negative for no limit, or 0 to leave it alone",
                                         param->name, param->value.x, QUOTA_MIN, QUOTA_MAX);
                }
                if (param->value.t != 0 && param->value.t < min)
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "parameter '%s' is %" PRIu64 ": it is from %" PRIu64 " to %" PRIu64
                                         ", or 0",
                                         param->name, param->value.t, min, max);
        }
        return true;
}

static void set(struct domain_edit *edit, const char *element, int64_t value)
{
        g_autofree char *text = g_strdup_printf("%" PRIi64, value);

        domain_edit_set_tuning(edit, "cputune", element, value ? text : NULL, NULL);
}

static bool edit_scheduler(struct domain_edit *edit, const struct domain_def *def,
                           const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct params *params = parameters_of(change);

        if (params_find(params, SHARES))
                set(edit, "shares", (int64_t)parameters_get(params, SHARES, 0));
        for (unsigned i = 0; i < DOMAIN_QUOTA_SCOPES; i++) {
                int64_t period = (int64_t)parameters_get(params, names[i].period, 0);
                int64_t quota = (int64_t)parameters_get(params, names[i].quota, 0);

                if (period != 0)
                        set(edit, domain_quota_get_period_name(i), period);
                if (quota != 0)
                        set(edit, domain_quota_get_quota_name(i), quota);
        }
        return true;
}

static bool tell_scheduler(const struct domain_def *def, const struct domain_tuning *tuning,
                           const char *device, struct params *params, GError **error)
{
        params_add_ulong(params, SHARES, tuning->shares);
        for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
                const struct domain_quota *quota = &tuning->quotas[order[i]];

                params_add_ulong(params, names[order[i]].period, quota->period_us);
                params_add_long(params, names[order[i]].quota, quota->quota_us);
        }
        return true;
}

/* The default of shares is a change as well. */
static bool is_left_alone(const struct param *param)
{
        return strcmp(param->name, SHARES) != 0 &&
               (param->type == PARAM_LONG ? param->value.x == 0 : param->value.t == 0);
}

/* What was given, under "cputune.". */
static struct managed_event *event_scheduler(const struct domain_change *change)
{
        CLEANUP(params_free) struct params *told = params_new();
        const struct params *params = parameters_of(change);
        struct domain_event *event;

        params_set_prefix(told, "cputune.");
        for (unsigned i = 0; i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);

                if (is_left_alone(param))
                        continue;
                if (param->type == PARAM_LONG)
                        params_add_long(told, param->name, param->value.x);
                else
                        params_add_ulong(told, param->name, param->value.t);
        }
        if (!(change->affect & DOMAIN_AFFECT_LIVE) || params_get_count(told) == 0)
                return NULL;
        event = domain_event_new(DOMAIN_EVENT_TUNABLE);
        event->params = g_steal_pointer(&told);
        return &event->base;
}

const struct parameters_kind parameters_scheduler = {
        .table = &table,
        .row = PARAMETERS_ROW("SetSchedulerParameters", edit_scheduler, event_scheduler),
        .get = "GetSchedulerParameters",
        .part = DOMAIN_TUNE_CPU,
        .measured = true,
        .check = check,
        .tell = tell_scheduler,
};

/* ---- a scheduler of weights ---- */

/* What libvirt's test driver tells of all of its domains. */
#define WEIGHT_DEFAULT 50

static const struct param_rule weight_rules[] = { { "weight", PARAM_UINT, .min = SHARES_MIN,
                                                    .max = SHARES_MAX } };
static const struct param_table weight_table = { ERROR_FROM_DOMAIN, "SetSchedulerParameters", weight_rules, 1,
                                                 0 };

static bool edit_weight(struct domain_edit *edit, const struct domain_def *def,
                        const struct domain_change *change, enum domain_affect side, GError **error)
{
        set(edit, "shares", (int64_t)parameters_get(parameters_of(change), "weight", 0));
        return true;
}

static bool tell_weight(const struct domain_def *def, const struct domain_tuning *tuning, const char *device,
                        struct params *params, GError **error)
{
        params_add_uint(params, "weight", tuning->shares ? (uint32_t)tuning->shares : WEIGHT_DEFAULT);
        return true;
}

const struct parameters_kind parameters_weight = {
        .table = &weight_table,
        .row = PARAMETERS_ROW("SetSchedulerParameters", edit_weight, NULL),
        .get = "GetSchedulerParameters",
        .part = DOMAIN_TUNE_CPU,
        .measured = true,
        .tell = tell_weight,
};
