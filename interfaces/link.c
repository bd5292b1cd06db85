/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links as values. No state; any thread.
 */
#include "interfaces/link.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- one link ---- */

struct link *link_new(int index)
{
        struct link *link = g_new0(struct link, 1);

        link->refs = 1;
        link->index = index;
        link->addresses = g_array_new(FALSE, FALSE, sizeof(struct link_address));
        link->routes = g_array_new(FALSE, FALSE, sizeof(struct link_route));
        return link;
}

struct link *link_copy(const struct link *link)
{
        struct link *copy = g_new(struct link, 1);

        /* All but the count, which others may be changing. */
        memcpy(&copy->index, &link->index, sizeof(*link) - offsetof(struct link, index));
        copy->refs = 1;
        copy->kind = g_strdup(link->kind);
        copy->addresses = g_array_ref(link->addresses);
        copy->routes = g_array_ref(link->routes);
        return copy;
}

struct link *link_ref(struct link *link)
{
        g_atomic_int_inc(&link->refs);
        return link;
}

void link_unref(struct link *link)
{
        if (!link || !g_atomic_int_dec_and_test(&link->refs))
                return;
        g_free(link->kind);
        g_array_unref(link->addresses);
        g_array_unref(link->routes);
        g_free(link);
}

bool link_is(const struct link *link, const char *kind)
{
        return g_strcmp0(link->kind, kind) == 0;
}

bool link_is_up(const struct link *link)
{
        return link->flags & IFF_UP;
}

static bool same_array(GArray *a, GArray *b)
{
        if (a == b)
                return true;
        return a->len == b->len &&
               (a->len == 0 || memcmp(a->data, b->data, a->len * g_array_get_element_size(a)) == 0);
}

static bool same_bond(const struct link_bond *a, const struct link_bond *b)
{
        return a->mode == b->mode && a->miimon_ms == b->miimon_ms && a->up_delay_ms == b->up_delay_ms &&
               a->down_delay_ms == b->down_delay_ms && a->use_carrier == b->use_carrier &&
               a->arp_interval_ms == b->arp_interval_ms && a->arp_validate == b->arp_validate &&
               a->n_arp_targets == b->n_arp_targets &&
               memcmp(a->arp_targets, b->arp_targets, a->n_arp_targets * sizeof(a->arp_targets[0])) == 0;
}

bool link_equal(const struct link *a, const struct link *b)
{
        return a->index == b->index && a->master == b->master && a->lower == b->lower &&
               strcmp(a->name, b->name) == 0 && strcmp(a->mac, b->mac) == 0 &&
               g_strcmp0(a->kind, b->kind) == 0 && a->type == b->type && a->flags == b->flags &&
               a->mtu == b->mtu && a->speed_mbps == b->speed_mbps && a->state == b->state &&
               a->vlan_id == b->vlan_id && a->bridge.stp == b->bridge.stp &&
               a->bridge.delay_cs == b->bridge.delay_cs && same_bond(&a->bond, &b->bond) &&
               same_array(a->addresses, b->addresses) && same_array(a->routes, b->routes);
}

/* ---- all of them ---- */

static int compare_names(const void *a, const void *b)
{
        return strcmp((*(struct link *const *)a)->name, (*(struct link *const *)b)->name);
}

struct link_set *link_set_new(struct link *const links[], unsigned count)
{
        struct link_set *set = g_new0(struct link_set, 1);

        set->refs = 1;
        set->count = count;
        set->links = g_new(struct link *, count);
        for (unsigned i = 0; i < count; i++)
                set->links[i] = link_ref(links[i]);
        if (count > 0)
                qsort(set->links, count, sizeof(set->links[0]), compare_names);
        return set;
}

struct link_set *link_set_ref(struct link_set *set)
{
        g_atomic_int_inc(&set->refs);
        return set;
}

void link_set_unref(struct link_set *set)
{
        if (!set || !g_atomic_int_dec_and_test(&set->refs))
                return;
        for (unsigned i = 0; i < set->count; i++)
                link_unref(set->links[i]);
        g_free(set->links);
        g_free(set);
}

const struct link *link_set_find_name(const struct link_set *set, const char *name)
{
        unsigned low = 0, high = set->count;

        while (low < high) {
                unsigned middle = low + (high - low) / 2;
                int order = strcmp(name, set->links[middle]->name);

                if (order == 0)
                        return set->links[middle];
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

const struct link *link_set_find_index(const struct link_set *set, int index)
{
        for (unsigned i = 0; i < set->count; i++)
                if (set->links[i]->index == index)
                        return set->links[i];
        return NULL;
}

/* ---- addresses ---- */

bool link_ip_parse(struct link_ip *ip, const char *text)
{
        memset(ip, 0, sizeof(*ip));
        if (inet_pton(AF_INET, text, ip->bytes) == 1) {
                ip->family = AF_INET;
                ip->prefix = 32;
        } else if (inet_pton(AF_INET6, text, ip->bytes) == 1) {
                ip->family = AF_INET6;
                ip->prefix = 128;
        }
        return ip->family != 0;
}

const char *link_ip_format(const struct link_ip *ip, char *text)
{
        return inet_ntop(ip->family, ip->bytes, text, LINK_IP_SIZE) ? text : "";
}

bool link_ip_contains(const struct link_ip *network, const struct link_ip *ip)
{
        unsigned whole = network->prefix / 8, rest = network->prefix % 8;

        if (network->family != ip->family || memcmp(network->bytes, ip->bytes, whole) != 0)
                return false;
        return rest == 0 || ((network->bytes[whole] ^ ip->bytes[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}
