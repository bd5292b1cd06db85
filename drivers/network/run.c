/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Networks on the host: bridge, rules, dnsmasq, in this order; away in reverse. Those that lead to a bridge
 * or a device of the host have nothing of their own there. A mark says that a start is
 * on its way: what an agent that was killed then has made is taken away by the next. In the network's lane.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/network/model.h"

#include <net/if.h>
#include <string.h>

/* ---- what is known of it in the runtime directory ---- */

static char *make_name(const struct network *network, const char *suffix)
{
        return g_strconcat(network->base.uuid_text, suffix, NULL);
}

static bool note(struct network *network, const struct network_def *def, bool starting, GError **error)
{
        const char *directory = network->networks->runtime_dir;
        g_autofree char *status = make_name(network, ".xml"), *mark = make_name(network, ".starting");

        return (!starting || store_mark(directory, mark, true, error)) &&
               store_write(directory, status, def->base.xml, false, error) &&
               (starting || store_mark(directory, mark, false, error));
}

bool network_run_note(struct network *network, const struct network_def *def, GError **error)
{
        return note(network, def, false, error);
}

static void forget_notes(struct network *network)
{
        const char *directory = network->networks->runtime_dir;
        g_autofree char *status = make_name(network, ".xml"), *mark = make_name(network, ".starting");
        g_autoptr(GError) error = NULL;

        if (!store_remove(directory, status, false, &error) || !store_mark(directory, mark, false, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "the status of network '%s' stays",
                           managed_get_current_name(&network->base));
}

/* ---- what can be run ---- */

static bool check_functions(const struct network_def *def, GError **error)
{
        g_auto(GStrv) functions = network_list_functions(def);

        if (traffic_is_limited(&def->bandwidth))
                return error_set(
                        error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                        "<bandwidth> of network '%s' is not supported: its guests have devices of the "
                        "host for themselves",
                        def->base.name);
        if (def->forward_driver && strcmp(def->forward_driver, "vfio") != 0)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "driver '%s' of network '%s' is not supported, 'vfio' is",
                                 def->forward_driver, def->base.name);
        if (functions[0])
                return true;
        if (def->forward_physical)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_INTERNAL_ERROR,
                                 "no usable virtual functions present on '%s' of network '%s'",
                                 def->forward_physical, def->base.name);
        return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                         "network '%s' names no PCI device of the host", def->base.name);
}

/* What of the host it leads to. */
static bool check_outside(const struct network_def *def, GError **error)
{
        if (def->forward == NETWORK_FORWARD_HOSTDEV)
                return check_functions(def, error);
        if (traffic_is_limited(&def->bandwidth))
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "<bandwidth> of network '%s' is not supported: its guests leave the host "
                                 "without a bridge of its own; port groups and interfaces can have it",
                                 def->base.name);
        return def->bridge || def->forward_interfaces->len > 0 ||
               error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                         "network '%s' names neither a bridge nor an interface of the host", def->base.name);
}

bool network_run_check(const struct network_def *def, GError **error)
{
        if (def->forward_physical && def->forward != NETWORK_FORWARD_HOSTDEV)
                return error_set(
                        error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                        "<pf dev='%s'> of network '%s' is not supported in forward mode '%s': guests get "
                        "the virtual functions of a card in mode 'hostdev'",
                        def->forward_physical, def->base.name, network_forward_get_name(def->forward));
        if (def->bridge_zone && !network_forward_has_own_bridge(def->forward))
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "the zone of a bridge of the host, of network '%s', is not supported",
                                 def->base.name);
        if (def->unsupported)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "%s of network '%s' is not supported yet", def->unsupported, def->base.name);
        if (vlan_is_set(&def->vlan) && !network_forward_takes_vlan(def))
                return error_set(
                        error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                        "<vlan> of network '%s' is not supported: it leads neither to a bridge of the host "
                        "nor to PCI devices",
                        def->base.name);
        if (!network_forward_has_own_bridge(def->forward))
                return check_outside(def, error);
        if (!def->bridge)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_INTERNAL_ERROR,
                                 "network '%s' does not have a bridge name.", def->base.name);
        /* It is part of the name of a table. */
        for (const char *c = def->bridge; *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("_.-", *c))
                        return error_set(
                                error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                "the name '%s' of the bridge of network '%s' is not supported: it may "
                                "have letters, digits, '_', '.' and '-'",
                                def->bridge, def->base.name);
        return true;
}

/* ---- the steps ---- */

static bool make_rest(struct network *network, const struct network_def *def, GError **error)
{
        return network_firewall_apply(network, def, error) && network_dnsmasq_start(network, def, error);
}

static bool make(struct network *network, const struct network_def *def, GError **error)
{
        return network_bridge_make(network, def, error) && make_rest(network, def, error);
}

static void take_away(struct network *network, const struct network_def *def,
                      bool (*step)(struct network *network, const struct network_def *def, GError **error))
{
        g_autoptr(GError) error = NULL;

        if (!step(network, def, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "something of network '%s' stays", def->base.name);
}

/* Its dnsmasq and its rules. */
static void take_away_services(struct network *network, const struct network_def *def)
{
        network_dnsmasq_stop(network);
        network_foreign_close(network, def);
        take_away(network, def, network_firewall_remove);
}

void network_run_stop(struct network *network, const struct network_def *def)
{
        lane_shield(network->base.lane);
        g_clear_pointer(&network->repairs.timer, lane_timer_free);
        network_leases_forget(network);
        if (network_forward_has_own_bridge(def->forward)) {
                take_away_services(network, def);
                take_away(network, def, network_bridge_remove);
        }
        forget_notes(network);
}

/* A bridge that was left behind may have guests in it. */
static void undo_start(struct network *network, const struct network_def *def, bool had_bridge)
{
        if (!had_bridge) {
                network_run_stop(network, def);
                return;
        }
        lane_shield(network->base.lane);
        network_leases_forget(network);
        take_away_services(network, def);
        forget_notes(network);
}

bool network_run_start(struct network *network, const struct network_def *def, GError **error)
{
        bool had_bridge;

        if (!network_run_check(def, error))
                return false;
        if (!network_forward_has_own_bridge(def->forward))
                return note(network, def, false, error);
        had_bridge = if_nametoindex(def->bridge) != 0;
        if (!network_foreign_check(network, def, error) ||
            !network_bridge_check(network, def, false, error) || !note(network, def, true, error))
                return false;
        if (network_bridge_make(network, def, error) && network_bridge_check_alone(network, def, error) &&
            make_rest(network, def, error) && note(network, def, false, error))
                return true;
        undo_start(network, def, had_bridge);
        return false;
}

bool network_run_put_back(struct network *network, const struct network_def *def, GError **error)
{
        return network_bridge_check(network, def, true, error) && make(network, def, error);
}

bool network_run_take_over(struct network *network, const struct network_def *def, GError **error)
{
        g_autofree char *mark = make_name(network, ".starting");

        if (store_is_marked(network->networks->runtime_dir, mark))
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_ABORTED,
                                 "the start of network '%s' was cut off", def->base.name);
        return !network_forward_has_own_bridge(def->forward) || network_run_put_back(network, def, error);
}

bool network_run_update(struct network *network, const struct network_def *after, enum network_extent extent,
                        GError **error)
{
        if (!note(network, after, false, error))
                return false;
        if (extent == NETWORK_EXTENT_NOTHING || !network_forward_has_own_bridge(after->forward))
                return true;
        if (extent == NETWORK_EXTENT_HOSTS && network->server.pidfd >= 0)
                return network_dnsmasq_reload(network, after, error);
        network_dnsmasq_stop(network);
        return network_firewall_apply(network, after, error) && network_dnsmasq_start(network, after, error);
}

void network_run_forget(struct network *network)
{
        g_clear_pointer(&network->repairs.timer, lane_timer_free);
        network_dnsmasq_forget(network);
}
