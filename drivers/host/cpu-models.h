/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The named x86 CPU models that QEMU offers, with what they consist of, and the choice of the one that
 * describes a CPU best. Constant data; any thread.
 */

#include "drivers/host/cpu-features.h"

#include <stdbool.h>

struct cpu_model {
        const char *name;   /* "Skylake-Server-IBRS" */
        const char *vendor; /* CPUID vendor string; NULL: any */
        unsigned family;
        unsigned model;
        const char *parent;   /* the model, earlier in the table, that features start from; NULL: none */
        const char *features; /* in addition to the parent's; "-name" takes one away */
};

/* What CPUID says that a CPU is. */
struct cpu_identity {
        char vendor[13]; /* "GenuineIntel"; "" when unknown */
        unsigned family;
        unsigned model;
        unsigned stepping;
};

/* The vendor as documents write it: "Intel", "AMD", "Hygon"; NULL for others. */
const char *cpu_vendor_get_name(const char *vendor);

/* The model with that name, NULL when there is none. */
const struct cpu_model *cpu_model_find(const char *name);
/* The model at index, NULL past the last one. */
const struct cpu_model *cpu_model_get(unsigned index);
void cpu_model_get_features(const struct cpu_model *model, struct cpu_features *features);

/* Does the caller's hypervisor offer this model? */
typedef bool (*cpu_model_filter)(const struct cpu_model *model, void *data);

/*
 * The model that is nearest to a CPU of this identity with these features: with the fewest features to add
 * and, where may_lack, even fewer to take away; of equals, one of the same family and model. The model's
 * vendor is the CPU's or none. Features that only model-specific registers show are not compared. filter may
 * be NULL. NULL when none fits.
 */
const struct cpu_model *cpu_model_choose(const struct cpu_identity *identity,
                                         const struct cpu_features *features, bool may_lack,
                                         cpu_model_filter filter, void *data);
