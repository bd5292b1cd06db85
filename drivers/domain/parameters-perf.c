/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters of what the host's kernel counts for a guest, with the names of virDomainGetPerfEvents().
 * No state; edits in the domain's lane.
 */
#include "drivers/domain/parameters.h"

#define RULE(id, name) { name, PARAM_BOOL },
static const struct param_rule rules[] = { DOMAIN_PERF_LIST(RULE) };
static const struct param_table table = { ERROR_FROM_DOMAIN, "SetPerfEvents", rules, G_N_ELEMENTS(rules), 0 };

static bool edit_perf(struct domain_edit *edit, const struct domain_def *def,
                      const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct params *params = parameters_of(change);

        for (unsigned i = 0; i < params_get_count(params); i++)
                domain_edit_set_perf_event(edit, params_get(params, i)->name, params_get(params, i)->value.b);
        return true;
}

static bool tell_perf(const struct domain_def *def, const struct domain_tuning *tuning, const char *device,
                      struct params *params, GError **error)
{
        for (unsigned i = 0; i < DOMAIN_PERF_EVENTS; i++)
                params_add_bool(params, domain_perf_names[i], def->perf_events >> i & 1);
        return true;
}

const struct parameters_kind parameters_perf = {
        .table = &table,
        .row = PARAMETERS_ROW("SetPerfEvents", edit_perf, NULL),
        .get = "GetPerfEvents",
        .part = DOMAIN_TUNE_PERF,
        .tell = tell_perf,
};
