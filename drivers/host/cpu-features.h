/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Sets of x86 CPU features, under the names that domain definitions use for them ("pclmuldq", "sse4.1",
 * "tsc_adjust"). A set is a value; copy it freely. Any thread.
 */

#include <stdbool.h>
#include <stdint.h>

/* One word per CPUID register that carries features, the last ones from model-specific registers. */
#define CPU_FEATURES_WORDS 15

struct cpu_features {
        uint32_t word[CPU_FEATURES_WORDS];
};

/* The features of the CPU that runs this, by CPUID; an empty set on other architectures. */
void cpu_features_read(struct cpu_features *features);

/* Adds or removes a feature by name; false when the name is not known (and nothing changes). */
bool cpu_features_add(struct cpu_features *features, const char *name);
bool cpu_features_remove(struct cpu_features *features, const char *name);
bool cpu_features_has(const struct cpu_features *features, const char *name);

/*
 * Removes the features that only model-specific registers show, and CPUID cannot (arch-capabilities' bits).
 */
void cpu_features_drop_msr(struct cpu_features *features);

unsigned cpu_features_count(const struct cpu_features *features);
/* The features of a that are not in b. */
struct cpu_features cpu_features_minus(const struct cpu_features *a, const struct cpu_features *b);
bool cpu_features_is_subset(const struct cpu_features *part, const struct cpu_features *whole);

/* Calls fn for each feature, in the order of the registers. */
void cpu_features_foreach(const struct cpu_features *features, void (*fn)(const char *name, void *data),
                          void *data);
