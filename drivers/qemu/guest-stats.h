/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a guest that runs is asked for statistics, and what the host knows of its emulator.
 */

#include "drivers/domain/answer.h"
#include "drivers/domain/driver.h"

#include <jansson.h>

/* As in struct domain_driver_ops. */
void guest_ask(struct domain *domain, unsigned parts);
void guest_measure(const struct domain_driver *driver, const struct domain_state *state,
                   struct domain_measure *measure);

/* ---- guest-stats-block.c ---- */

/* A number of QEMU's that is to be a count; 0 for anything else. */
uint64_t guest_stats_get_count(const json_t *object, const char *name);

/*
 * The images of def, an active definition, by what query-blockstats and query-named-block-nodes (NULL:
 * without sizes) have answered; by what query-block has.
 */
void guest_stats_read_images(struct domain_answer *answer, const struct domain_def *def, const json_t *stats,
                             const json_t *nodes);
void guest_stats_read_errors(struct domain_answer *answer, const struct domain_def *def,
                             const json_t *devices);

/* ---- guest-stats-counters.c ---- */

/* What KVM's numbers are, as query-stats-schemas has answered, by target and name; free it. */
GHashTable *guest_stats_read_kinds(const json_t *schemas);

/*
 * KVM's numbers of the guest, or of its vCPUs, as query-stats has answered; cpus: the answer of
 * query-cpus-fast, which says what number a vCPU has. Those without a kind, or with one of several values,
 * are left out.
 */
void guest_stats_read_counters(struct domain_answer *answer, GHashTable *kinds, const json_t *vm);
void guest_stats_read_vcpu_counters(struct domain_answer *answer, GHashTable *kinds, const json_t *vcpus,
                                    const json_t *cpus);
/* Does cpus (may be NULL) have a number for each vCPU of that answer? */
bool guest_stats_know_vcpus(const json_t *vcpus, const json_t *cpus);
