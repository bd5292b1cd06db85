/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/domain/vcpu-list.h"

#include <string.h>

struct domain_vcpu *domain_vcpu_list_new(const struct domain_def *def, unsigned max)
{
        struct domain_vcpu *list = g_new0(struct domain_vcpu, max);

        for (unsigned i = 0; i < max; i++) {
                bool is_first = def->n_vcpu_list == 0 && i < def->vcpus;

                list[i] = (struct domain_vcpu){ .id = i, .enabled = is_first };
                list[i].hotpluggable = is_first ? DOMAIN_SWITCH_OFF : DOMAIN_SWITCH_ON;
        }
        for (unsigned i = 0; i < def->n_vcpu_list; i++) {
                const struct domain_vcpu *known = &def->vcpu_list[i];
                bool stays = known->enabled && known->hotpluggable != DOMAIN_SWITCH_ON;

                if (known->id >= max)
                        continue;
                list[known->id] = *known;
                list[known->id].hotpluggable = stays ? DOMAIN_SWITCH_OFF : DOMAIN_SWITCH_ON;
        }
        return list;
}

/* Cores are what can be plugged into a pseries machine. */
unsigned domain_vcpu_get_group_size(const struct domain_def *def)
{
        bool by_core = def->os.arch && g_str_has_prefix(def->os.arch, "ppc64") && def->os.machine &&
                       g_str_has_prefix(def->os.machine, "pseries");

        return by_core && def->cpu.sockets ? MAX(def->cpu.threads, 1U) : 1;
}

static uint32_t get_order(const struct domain_def *def, unsigned id)
{
        if (id < def->n_vcpu_list && def->vcpu_list[id].id == id)
                return def->vcpu_list[id].order;
        for (unsigned i = 0; i < def->n_vcpu_list; i++) {
                if (def->vcpu_list[i].id == id)
                        return def->vcpu_list[i].order;
        }
        return 0;
}

static bool are_alike(const struct domain_def *def, unsigned one, unsigned other)
{
        return domain_vcpu_is_enabled(def, one) == domain_vcpu_is_enabled(def, other) &&
               domain_vcpu_is_hotpluggable(def, one) == domain_vcpu_is_hotpluggable(def, other) &&
               get_order(def, one) == get_order(def, other);
}

bool domain_vcpu_are_whole(const struct domain_def *def, unsigned *first, unsigned *other)
{
        unsigned group_size = domain_vcpu_get_group_size(def);

        for (unsigned id = 0; group_size > 1 && id < def->max_vcpus; id++) {
                *first = id - id % group_size;
                *other = id;
                if (!are_alike(def, *first, *other))
                        return false;
        }
        return true;
}

unsigned domain_vcpu_list_count(const struct domain_vcpu *list, unsigned max)
{
        unsigned count = 0;

        for (unsigned i = 0; i < max; i++)
                count += list[i].enabled;
        return count;
}

static void let_come(struct domain_vcpu *vcpu, bool hotpluggable)
{
        vcpu->enabled = true;
        vcpu->hotpluggable = hotpluggable ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
        vcpu->order = DOMAIN_VCPU_ORDER_LAST;
}

static void let_go(struct domain_vcpu *vcpu)
{
        vcpu->enabled = false;
        vcpu->hotpluggable = DOMAIN_SWITCH_ON;
        vcpu->order = 0;
}

bool domain_vcpu_list_resize(struct domain_vcpu *list, unsigned max, unsigned count, bool hotpluggable,
                             bool only_pluggable)
{
        unsigned now = domain_vcpu_list_count(list, max);

        for (unsigned i = 0; i < max && now < count; i++) {
                if (list[i].enabled) {
                        hotpluggable |= list[i].hotpluggable == DOMAIN_SWITCH_ON;
                        continue;
                }
                let_come(&list[i], hotpluggable);
                now++;
        }
        for (unsigned i = max; i-- > 0 && now > count;) {
                if (!list[i].enabled || (only_pluggable && list[i].hotpluggable != DOMAIN_SWITCH_ON))
                        continue;
                let_go(&list[i]);
                now--;
        }
        return now == count;
}

static int compare(gconstpointer a, gconstpointer b)
{
        const struct domain_vcpu *left = *(struct domain_vcpu *const *)a,
                                 *right = *(struct domain_vcpu *const *)b;
        unsigned left_order = left->order ? left->order : left->id + 1;
        unsigned right_order = right->order ? right->order : right->id + 1;

        if (left->hotpluggable != right->hotpluggable)
                return left->hotpluggable == DOMAIN_SWITCH_ON ? 1 : -1;
        if (left_order != right_order)
                return left_order < right_order ? -1 : 1;
        return left->id < right->id ? -1 : 1;
}

void domain_vcpu_list_number(struct domain_vcpu *list, unsigned max, unsigned group_size)
{
        g_autoptr(GPtrArray) there = g_ptr_array_sized_new(max);
        unsigned order = 0, last = max;

        for (unsigned i = 0; i < max; i++) {
                if (list[i].enabled)
                        g_ptr_array_add(there, &list[i]);
        }
        g_ptr_array_sort(there, compare);
        for (unsigned i = 0; i < there->len; i++) {
                struct domain_vcpu *vcpu = g_ptr_array_index(there, i);

                order += vcpu->id / group_size != last;
                last = vcpu->id / group_size;
                vcpu->order = order;
        }
}

void domain_vcpu_list_forget_order(struct domain_vcpu *list, unsigned max)
{
        for (unsigned i = 0; i < max; i++)
                list[i].order = 0;
}
