/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is set and told of a domain as typed parameters: a constant row for each pair of functions of the API.
 * Between the files parameters*.c.
 */

#include "drivers/domain/driver.h"
#include "drivers/domain/modify.h"

/* One call of a Set function. */
struct parameters {
        const struct parameters_kind *kind;
        struct params *params;      /* owned */
        char *device;               /* owned; of whose they are; NULL: the domain's */
        struct domain_def *reached; /* ref; what the guest has been made; NULL: nothing yet */
};

struct parameters_kind {
        const struct param_table *table;
        struct domain_modification row; /* of the Set function */
        const char *get;                /* the Get function */
        unsigned part;                  /* enum domain_tune */
        bool measured;                  /* of a guest that runs the host is asked */
        /* Loop: what is wrong with params whatever the domain is. May be NULL. */
        bool (*check)(const struct params *params, GError **error);
        /* Loop or lane: adds all that tuning, of the definition def or its guest, says. False with an error.
         */
        bool (*tell)(const struct domain_def *def, const struct domain_tuning *tuning, const char *device,
                     struct params *params, GError **error);
};

extern const struct parameters_kind parameters_scheduler, parameters_weight, parameters_memory,
        parameters_numa, parameters_blkio, parameters_disk, parameters_interface, parameters_perf;

/* What all rows do with a guest. */
bool parameters_act(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                    GError **error);
bool parameters_undo(struct domain *domain, const struct domain_change *change,
                     const struct domain_def *before, GError **error);
void parameters_free(void *parameters);
/* What those of a device do: it becomes what *live says. */
bool parameters_update(struct domain *domain, const struct domain_change *change,
                       enum domain_device_kind kind, unsigned index, struct domain_def **live,
                       GError **error);

static inline const struct params *parameters_of(const struct domain_change *change)
{
        return ((const struct parameters *)change->args)->params;
}

/* The value of that name as a number; otherwise, when it was not given. */
uint64_t parameters_get(const struct params *params, const char *name, uint64_t otherwise);

#define PARAMETERS_ROW(name, its_edit, its_event)                                                            \
        {                                                                                                    \
                .function = (name), .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG, .edit = (its_edit),  \
                .act = parameters_act, .undo = parameters_undo, .event = (its_event),                        \
                .args_free = parameters_free,                                                                \
        }
