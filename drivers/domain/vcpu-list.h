/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which vCPUs a domain has, one by one: what <vcpus> says, or stands for where there is none. A list has an
 * entry for each vCPU that there may be, at the place of its number. Values only; any thread.
 *
 * Those with hotpluggable='no' are there when the machine is made, and are the first ones; the others come to
 * it one after the other, in their order, and may go again. Where they come in groups (pseries: the threads
 * of a core), all of a group are alike, and have one order.
 */

#include "drivers/domain/definition.h"

/* An order beyond all others: domain_vcpu_list_number() makes it that of the last one. */
#define DOMAIN_VCPU_ORDER_LAST (DOMAIN_VCPUS_MAX + 1)

/* Of the first max ones that def can have; those that it does not know of are off. g_free() it. */
struct domain_vcpu *domain_vcpu_list_new(const struct domain_def *def, unsigned max);

/* How many come and go together: vCPU 0 and the next ones, those behind them, and so on. 1: each by itself.
 */
unsigned domain_vcpu_get_group_size(const struct domain_def *def);

/* Are all groups of def there as a whole or not at all, with one order? False: *first and *other are two of a
 * group that are not alike. */
bool domain_vcpu_are_whole(const struct domain_def *def, unsigned *first, unsigned *other);

/* How many are there. */
unsigned domain_vcpu_list_count(const struct domain_vcpu *list, unsigned max);

/*
 * Until `count` of the max ones are there: the lowest that are off come, the highest that are there go.
 * only_pluggable: only those that may; false when they are not enough, and then all of them are gone.
 * hotpluggable: those that come may go again; without that they may only if one of a lower number does,
 * because what stays comes first. What is of whole groups, and is to be, is of whole groups then.
 */
bool domain_vcpu_list_resize(struct domain_vcpu *list, unsigned max, unsigned count, bool hotpluggable,
                             bool only_pluggable);

/* The order in which a guest that runs has got them, 1 and up: those that stay, the others by their order, or
 * number; one for each group of that size. */
void domain_vcpu_list_number(struct domain_vcpu *list, unsigned max, unsigned group_size);

/* Of those of a definition nothing is said in which order they come. */
void domain_vcpu_list_forget_order(struct domain_vcpu *list, unsigned max);
