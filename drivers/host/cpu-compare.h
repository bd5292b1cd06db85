/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * CPUs of documents held against the host's and against each other: by the models that QEMU has
 * (drivers/host/cpu-models.h) and what CPUID says. A document is a <cpu> of a host or of a guest. Any thread;
 * bounded, and quick enough for the loop. Features that only model-specific registers show are not held
 * against a host.
 */

#include <glib.h>
#include <stdbool.h>

struct host;

/* virCPUCompareResult */
enum cpu_comparison {
        CPU_COMPARE_ERROR = -1,
        CPU_INCOMPATIBLE = 0,
        CPU_IDENTICAL = 1,
        CPU_SUPERSET = 2, /* the host has all of it, and more */
};

/* virConnectCompareCPUFlags */
enum cpu_compare_flags {
        CPU_COMPARE_FAIL_INCOMPATIBLE =
                1 << 0, /* ERROR_CPU_INCOMPATIBLE that says why, instead of the number */
        CPU_COMPARE_VALIDATE_XML = 1 << 1,
};

/*
 * Can this host be that CPU? Errors: those of xml_parse(); ERROR_XML_ERROR, ERROR_CONFIG_UNSUPPORTED for what
 * is malformed in it; ERROR_INTERNAL_ERROR for models and features that are not known; ERROR_NO_SUPPORT on
 * hosts whose CPUs are not described.
 */
enum cpu_comparison host_compare_cpu(const struct host *host, const char *xml, unsigned flags,
                                     GError **error);

/* Documents of one call, and all their bytes together. */
#define CPU_BASELINE_MAX       256
#define CPU_BASELINE_BYTES_MAX (1024u * 1024)

/* virConnectBaselineCPUFlags */
enum cpu_baseline_flags {
        CPU_BASELINE_EXPAND_FEATURES = 1 << 0, /* those of the model are listed, too */
        CPU_BASELINE_MIGRATABLE = 1 << 1,      /* without what keeps guests from migrating */
};

/*
 * The best CPU that all of these can be, as a <cpu> of a guest; owned. NULL with an error: as above;
 * ERROR_OPERATION_FAILED when they are of different makers; ERROR_INVALID_ARG for none or too many.
 */
char *host_baseline_cpu(const struct host *host, const char *const *xmls, unsigned count, unsigned flags,
                        GError **error);

/*
 * The names of the models that guests of the architecture can have, borrowed; free the array. Empty: models
 * are the emulator's business, and none has to be named. NULL with ERROR_INVALID_ARG: no such architecture.
 */
GPtrArray *host_list_cpu_models(const char *arch, unsigned flags, GError **error);
