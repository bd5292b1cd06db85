/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Domains as the bus shows them; see domain.c, domain-lifecycle.c and domain-signals.c. */

#include "bus/tree.h"

struct domain;

extern const struct object_kind domain_object_kind;

/* A job of a domain has ended (domain-job.c). */
void domain_job_ended(const struct connect *connect, struct domain *domain);

/* The kind's hooks, in domain-signals.c. */
uint64_t domain_signals_get_changed(const struct registry_change *change);
void domain_signals_announce(const struct branch *branch, const char *path,
                             const struct registry_change *change);
