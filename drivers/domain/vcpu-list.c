/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/domain/vcpu-list.h"

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

void domain_vcpu_list_number(struct domain_vcpu *list, unsigned max)
{
        g_autoptr(GPtrArray) there = g_ptr_array_sized_new(max);

        for (unsigned i = 0; i < max; i++) {
                if (list[i].enabled)
                        g_ptr_array_add(there, &list[i]);
        }
        g_ptr_array_sort(there, compare);
        for (unsigned i = 0; i < there->len; i++)
                ((struct domain_vcpu *)g_ptr_array_index(there, i))->order = i + 1;
}

void domain_vcpu_list_forget_order(struct domain_vcpu *list, unsigned max)
{
        for (unsigned i = 0; i < max; i++)
                list[i].order = 0;
}
