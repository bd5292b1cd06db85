/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: what is set and told as typed parameters. Entry points run on the loop; a guest is
 * changed and measured in its domain's lane.
 */
#include "drivers/domain/parameters.h"

#include "drivers/domain/domain.h"

#include <string.h>

/* virTypedParameterFlags: texts are welcome; they always are. */
#define TEXTS_OKAY 4U

static const struct parameters_kind *get_kind(const struct domain_driver *driver,
                                              enum domain_parameters which)
{
        static const struct parameters_kind *const kinds[] = {
                [DOMAIN_PARAMETERS_SCHEDULER] = &parameters_scheduler,
                [DOMAIN_PARAMETERS_MEMORY] = &parameters_memory,
                [DOMAIN_PARAMETERS_NUMA] = &parameters_numa,
                [DOMAIN_PARAMETERS_BLKIO] = &parameters_blkio,
                [DOMAIN_PARAMETERS_DISK] = &parameters_disk,
                [DOMAIN_PARAMETERS_INTERFACE] = &parameters_interface,
                [DOMAIN_PARAMETERS_PERF] = &parameters_perf,
        };

        /* A scheduler that knows of nothing but weights. */
        if (which == DOMAIN_PARAMETERS_SCHEDULER && strcmp(driver->ops->scheduler, "fair") == 0)
                return &parameters_weight;
        return kinds[which];
}

const char *domain_driver_get_scheduler(const struct domain_driver *driver, unsigned *n_parameters)
{
        *n_parameters = get_kind(driver, DOMAIN_PARAMETERS_SCHEDULER)->table->n_rules;
        return driver->ops->scheduler;
}

uint64_t parameters_get(const struct params *params, const char *name, uint64_t otherwise)
{
        const struct param *param = params_find(params, name);

        if (!param)
                return otherwise;
        switch (param->type) {
        case PARAM_INT:
                return (uint64_t)(int64_t)param->value.i;
        case PARAM_UINT:
                return param->value.u;
        case PARAM_LONG:
                return (uint64_t)param->value.x;
        case PARAM_ULONG:
                return param->value.t;
        case PARAM_DOUBLE:
        case PARAM_BOOL:
        case PARAM_STRING:
                break;
        }
        return otherwise;
}

/* ---- set ---- */

static bool no_support(const char *function, GError **error)
{
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s of a domain that runs", function);
}

bool parameters_act(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                    GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;
        struct parameters *parameters = change->args;

        if (!ops->tune)
                return no_support(change->row->function, error);
        if (!ops->tune(domain, parameters->kind->part, domain_def_of(domain->base.current->active), *live,
                       error))
                return false;
        parameters->reached = domain_def_ref(*live);
        return true;
}

bool parameters_undo(struct domain *domain, const struct domain_change *change,
                     const struct domain_def *before, GError **error)
{
        struct parameters *parameters = change->args;

        return domain->driver->ops->tune(domain, parameters->kind->part, parameters->reached, before, error);
}

bool parameters_update(struct domain *domain, const struct domain_change *change,
                       enum domain_device_kind kind, unsigned index, struct domain_def **live, GError **error)
{
        const struct domain_update update = { .device = { kind, index }, .limits = true };
        const struct domain_driver_ops *ops = domain->driver->ops;

        if (!ops->update)
                return no_support(change->row->function, error);
        return strcmp((*live)->base.xml, domain->base.current->active->xml) == 0 ||
               ops->update(domain, &update, live, error);
}

void parameters_free(void *data)
{
        struct parameters *parameters = data;

        params_free(parameters->params);
        domain_def_unref(parameters->reached);
        g_free(parameters->device);
        g_free(parameters);
}

const struct param_table *domain_get_param_table(const struct domain *domain, enum domain_parameters which)
{
        return get_kind(domain->driver, which)->table;
}

void domain_set_parameters(struct domain *domain, enum domain_parameters which, const char *device,
                           struct params *params, unsigned flags, managed_done done, void *data)
{
        const struct parameters_kind *kind = get_kind(domain->driver, which);
        struct parameters *parameters = g_new0(struct parameters, 1);
        GError *error = NULL;

        *parameters = (struct parameters){ kind, params, g_strdup(device), NULL };
        if (params_get_count(params) == 0)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "no parameters for %s",
                          kind->row.function);
        else if (kind->check)
                kind->check(params, &error);
        if (!error) {
                domain_modify(domain, &kind->row, parameters, flags, done, data);
                return;
        }
        parameters_free(parameters);
        managed_fail(error, done, data);
}

/* ---- get ---- */

struct question {
        const struct parameters_kind *kind;
        unsigned flags;
        char *device;          /* owned; NULL: the domain's */
        struct params *params; /* owned; the answer */
        domain_params_done done;
        void *data;
};

static void question_free(struct question *question)
{
        params_free(question->params);
        g_free(question->device);
        g_free(question);
}

/* What a definition says of a guest that does not run; 0: nothing. */
static void tuning_of(const struct domain_def *def, struct domain_tuning *tuning)
{
        *tuning = (struct domain_tuning){
                .shares = def->cputune.shares,
                .memtune = def->memtune,
                .weight = def->blkiotune.weight,
        };
        memcpy(tuning->quotas, def->cputune.quotas, sizeof(tuning->quotas));
}

static bool ask(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        const struct domain_driver_ops *ops = domain->driver->ops;
        struct question *question = data;
        const struct domain_def *def;
        struct domain_tuning tuning;

        if (!managed_require_known(object, error))
                return false;
        def = domain_choose_def(object->current, question->flags, error);
        if (!def)
                return false;
        tuning_of(def, &tuning);
        if (def == domain_def_of(object->current->active) && question->kind->measured && ops->read_tuning &&
            !ops->read_tuning(domain, question->kind->part, &tuning, error))
                return false;
        return question->kind->tell(def, &tuning, question->device, question->params, error);
}

static void told(struct managed *object, const GError *error, void *data)
{
        struct question *question = data;

        question->done(error ? NULL : question->params, error, question->data);
        question_free(question);
}

void domain_get_parameters(struct domain *domain, enum domain_parameters which, const char *device,
                           unsigned flags, domain_params_done done, void *data)
{
        const struct parameters_kind *kind = get_kind(domain->driver, which);
        const unsigned known = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG | TEXTS_OKAY;
        struct question *question;
        g_autoptr(GError) error = NULL;

        if (!flags_check(flags, known, ERROR_FROM_DOMAIN, kind->get, &error)) {
                done(NULL, error, data);
                return;
        }
        question = g_new(struct question, 1);
        *question = (struct question){ kind, flags, g_strdup(device), params_new(), done, data };
        managed_run(&domain->base, MANAGED_IN_TURN, ask, told, question);
}
