/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sets of CPUs and nodes as text ("0-3,^2,8"). Any thread. */

#include "drivers/domain/definition.h"

/*
 * Adds the numbers of text to words, or takes them out ("^"), in the order in which they stand there; all are
 * to be below max, for which words has room. False when text is malformed; words is then of no use.
 */
bool domain_cpuset_parse(const char *text, unsigned max, uint64_t *words);

/* In the canonical form: ascending, ranges as long as can be. An empty set is "". */
char *domain_cpuset_format(const struct domain_cpuset *set);

/* Is there a number in it from that one on? */
bool domain_cpuset_has_above(const struct domain_cpuset *set, unsigned first);
