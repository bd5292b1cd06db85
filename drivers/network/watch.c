/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens to running networks behind the agent's back: a bridge is deleted, rules are flushed. The
 * kernel tells, the network looks at what it has, and puts back what is missing. On the loop, but for *_work.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "drivers/network/model.h"
#include "interfaces/nftables-source.h"
#include "interfaces/source.h"

#include <string.h>

/* Who takes something away all the time gets it put back so often, and then once in the pause. */
#define REPAIRS_MAX 10
#define PAUSE_MS    60000

/* ---- a network looks at itself ---- */

static void check_again(void *data);

/* Is it too often? Then later. */
static bool must_wait(struct network *network)
{
        struct network_repairs *repairs = &network->repairs;
        gint64 now = g_get_monotonic_time();

        if (now - repairs->since_us > PAUSE_MS * G_TIME_SPAN_MILLISECOND)
                *repairs = (struct network_repairs){ .since_us = now, .timer = repairs->timer };
        if (++repairs->count <= REPAIRS_MAX)
                return false;
        if (!repairs->timer) {
                log_error("something takes the bridge or the rules of network '%s' away again and again: "
                          "they are put "
                          "back in a minute",
                          managed_get_current_name(&network->base));
                repairs->timer = lane_timer_new(network->base.lane, PAUSE_MS, check_again, network);
        }
        return true;
}

/* A bridge that cannot be had again is the end. */
static void put_back_bridge(struct network *network, const struct network_def *def)
{
        struct managed *object = &network->base;
        g_autoptr(GError) error = NULL;
        struct managed_state *state;

        log_warning(
                "the bridge '%s' of network '%s' was deleted or changed by another program: it is put back",
                def->bridge, def->base.name);
        network_dnsmasq_stop(network); /* its sockets are those of the old one */
        if (network_run_put_back(network, def, &error)) {
                network_ports_rejoin(network, def);
                return;
        }
        log_gerror(LOG_LEVEL_ERROR, error, "network '%s' has stopped", def->base.name);
        network_run_stop(network, def);
        state = managed_edit(object);
        managed_state_take_active(state, NULL);
        network_state_clear_warnings((struct network_state *)state);
        managed_publish(object, state, managed_event_new(NETWORK_EVENT_STOPPED, 0));
}

static bool put_back_rules(struct network *network, const struct network_def *def, GError **error)
{
        bool whole;

        if (!network_firewall_is_whole(network, def, &whole, error))
                return false;
        if (whole || must_wait(network))
                return true;
        log_warning("rules of network '%s' were removed by another program: they are put back",
                    def->base.name);
        return network_firewall_apply(network, def, error);
}

static bool check_work(struct managed *object, void *data, GError **error)
{
        struct network *network = network_from(object);
        const struct network_def *def;
        bool whole;

        if (!object->current || !object->current->active)
                return true;
        def = network_def_const(object->current->active);
        if (!network_forward_has_own_bridge(def->forward))
                return true;
        if (!network_bridge_is_whole(network, def, &whole, error))
                return false;
        if (whole)
                return put_back_rules(network, def, error);
        if (!must_wait(network))
                put_back_bridge(network, def);
        return true;
}

static void check_again(void *data)
{
        struct network *network = data;
        g_autoptr(GError) error = NULL;

        g_clear_pointer(&network->repairs.timer, lane_timer_free);
        network->repairs.count = 0;
        if (!check_work(&network->base, NULL, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "what network '%s' lacks is not put back",
                           managed_get_current_name(&network->base));
}

static void check_done(struct managed *object, const GError *error, void *data)
{
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "what network '%s' lacks is not put back", object->name);
}

/* ---- the kernel tells ---- */

/* Of one that is to run on and has its own; NULL: of another. */
static const char *get_bridge(struct managed *object)
{
        const struct network_def *def = network_def_const(object->published->active);

        return def && network_forward_has_own_bridge(def->forward) && !network_from(object)->ending
                       ? def->bridge
                       : NULL;
}

/* Is it another one now, or does it have fewer addresses? */
static bool has_lost(const struct link_set *before, const struct link_set *set, const char *bridge)
{
        const struct link *old = link_set_find_name(before, bridge), *link = link_set_find_name(set, bridge);

        return old && (!link || link->index != old->index || link->addresses->len < old->addresses->len);
}

static void take_links(struct link_set *before, struct link_set *set, void *data)
{
        struct networks *networks = data;
        g_autoptr(GPtrArray) objects = registry_list(networks->registry);

        for (unsigned i = 0; before && i < objects->len; i++) {
                struct managed *object = g_ptr_array_index(objects, i);
                const char *bridge = get_bridge(object);

                if (bridge && has_lost(before, set, bridge))
                        managed_run(object, MANAGED_IN_TURN, check_work, check_done, NULL);
        }
        networks_settle_default(networks);
}

/* ---- others' tables ---- */

/* Docker and others change theirs often. */
#define FOREIGN_PAUSE_MS 1000

static bool look_work(struct managed *object, void *data, GError **error)
{
        struct network *network = network_from(object);
        struct managed_state *state;

        if (!object->current || !object->current->active)
                return true;
        state = managed_edit(object);
        if (network_state_look(network, (struct network_state *)state, network_def_const(state->active)))
                managed_publish(object, state, NULL);
        else
                managed_state_unref(state);
        return true;
}

static void look_at_others(void *data)
{
        struct networks *networks = data;
        g_autoptr(GPtrArray) objects = registry_list(networks->registry);

        g_clear_pointer(&networks->foreign_timer, loop_timer_free);
        for (unsigned i = 0; i < objects->len; i++)
                if (get_bridge(g_ptr_array_index(objects, i)))
                        managed_run(g_ptr_array_index(objects, i), MANAGED_IN_TURN, look_work, NULL, NULL);
}

/* Is there a table that is none of ours? */
static bool has_foreign(GHashTable *tables)
{
        GHashTableIter iter;
        void *name;

        if (!tables)
                return true;
        g_hash_table_iter_init(&iter, tables);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                if (!g_str_has_prefix(name, "virtbus_"))
                        return true;
        return false;
}

/* ---- the filter's events ---- */

static bool has_table(GHashTable *tables, const char *bridge)
{
        char table[NFT_NAME_SIZE];

        network_firewall_format_table(bridge, table);
        return !tables || g_hash_table_contains(tables, table);
}

static void take_tables(GHashTable *tables, void *data)
{
        struct networks *networks = data;
        g_autoptr(GPtrArray) objects = registry_list(networks->registry);

        for (unsigned i = 0; i < objects->len; i++) {
                struct managed *object = g_ptr_array_index(objects, i);
                const char *bridge = get_bridge(object);

                if (bridge && has_table(tables, bridge))
                        managed_run(object, MANAGED_IN_TURN, check_work, check_done, NULL);
        }
        if (has_foreign(tables) && !networks->foreign_timer)
                networks->foreign_timer =
                        loop_timer_new(networks->loop, FOREIGN_PAUSE_MS, look_at_others, networks);
}

void networks_follow(struct networks *networks, struct link_source *links, struct nft_source *filter)
{
        networks->links = links;
        link_source_listen(links, take_links, networks);
        networks->filter = filter;
        nft_source_listen(filter, take_tables, networks);
        if (link_source_get(links))
                networks_settle_default(networks);
}

void networks_unfollow(struct networks *networks)
{
        if (networks->links)
                link_source_unlisten(networks->links, take_links, networks);
        networks->links = NULL;
        if (networks->filter)
                nft_source_unlisten(networks->filter, take_tables, networks);
        networks->filter = NULL;
        g_clear_pointer(&networks->foreign_timer, loop_timer_free);
}
