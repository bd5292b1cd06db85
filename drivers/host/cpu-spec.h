/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A <cpu> that is to be compared, as it was read. Any thread. */

#include "base/cleanup.h"
#include "drivers/host/cpu-models.h"

#include <glib.h>
#include <stdbool.h>

struct cpu_spec {
        bool has_mode;                 /* it is a guest's */
        bool is_any;                   /* without a model: whatever the host is */
        bool is_strict;                /* the host must not have more */
        char *arch;                    /* owned; NULL: not given */
        char *vendor;                  /* owned, as documents write it; NULL: any */
        const struct cpu_model *model; /* NULL: is_any, or none that is described here */
        struct cpu_features features;  /* the model's, with what is required and without what is disabled */
        struct cpu_features forbidden;
};

bool cpu_arch_is_x86(const char *arch);

/* Errors: see host_compare_cpu(). Models of other architectures are read and not looked up. */
struct cpu_spec *cpu_spec_parse(const char *xml, GError **error);
void cpu_spec_free(struct cpu_spec *spec); /* NULL is fine */

DEFINE_CLEANUP(struct cpu_spec, cpu_spec_free);
