/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces up and down. In the lane of the source.
 */
#include "interfaces/setup.h"

#include "base/lane.h"
#include "base/log.h"
#include "interfaces/change.h"
#include "interfaces/netlink.h"
#include "interfaces/notes.h"
#include "interfaces/restore.h"
#include "interfaces/source.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* The kernel's own, as its files have it (Documentation/networking/bridge.rst): 15 s. */
#define DEFAULT_DELAY_CS 1500

struct setup {
        struct link_source *source; /* borrowed */
        struct netlink *netlink;    /* borrowed */
        struct link_set *now;       /* ref */
};

static void look_again(struct setup *setup)
{
        link_set_unref(setup->now);
        link_source_settle(setup->source);
        setup->now = link_source_snapshot(setup->source);
}

static const struct link *require(const struct setup *setup, const char *name, GError **error)
{
        const struct link *link = link_set_find_name(setup->now, name);

        if (!link)
                error_set(error, ERROR_FROM_INTERFACE, ERROR_NO_INTERFACE, "the host has no interface '%s'",
                          name);
        return link;
}

/* ---- making links ---- */

/* What cannot be changed of a link that is there has to be so already. */
static bool check_there(const struct setup *setup, const struct interface_def *def, const struct link *link,
                        GError **error)
{
        const char *kind = interface_def_get_kind(def);
        const struct link *lower = link->lower ? link_set_find_index(setup->now, link->lower) : NULL;
        const char *below = lower ? lower->name : "?";

        if (kind && !link_is(link, kind))
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                                 "interface '%s' is there already and is no %s", def->name, kind);
        if (def->type == INTERFACE_VLAN && (link->vlan_id != def->vlan_tag || strcmp(below, def->lower) != 0))
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                                 "interface '%s' is there already, with tag %u on '%s'", def->name,
                                 link->vlan_id, below);
        if (def->type == INTERFACE_BOND && link->bond.mode != def->bond.mode)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                                 "bond '%s' is there already, with another mode", def->name);
        return true;
}

static bool set_bridge(struct setup *setup, const struct interface_def *def, const struct link *link,
                       GError **error)
{
        struct link_bridge wish = link->bridge;

        if (def->bridge.has_stp)
                wish.stp = def->bridge.stp;
        if (def->bridge.has_delay)
                wish.delay_cs = def->bridge.delay_cs;
        return (wish.stp == link->bridge.stp && wish.delay_cs == link->bridge.delay_cs) ||
               link_change_set_bridge(setup->netlink, link, &wish, error);
}

static bool make_link(struct setup *setup, const struct interface_def *def, GError **error)
{
        const struct link *lower = NULL;
        CLEANUP(link_unref) struct link *wish = link_new(0);
        bool good;

        if (def->type == INTERFACE_VLAN && !(lower = require(setup, def->lower, error)))
                return false;
        memcpy(wish->name, def->name, sizeof(wish->name));
        memcpy(wish->mac, def->mac, sizeof(wish->mac));
        wish->kind = g_strdup(interface_def_get_kind(def));
        wish->lower = lower ? lower->index : 0;
        wish->vlan_id = def->vlan_tag;
        wish->bond = def->bond;
        wish->bridge.stp = def->bridge.stp;
        wish->bridge.delay_cs = def->bridge.has_delay ? def->bridge.delay_cs : DEFAULT_DELAY_CS;
        good = link_change_add(setup->netlink, wish, error);
        look_again(setup);
        return good;
}

/* An interface without a bridge's or bond's rights of its own is what it is, or is not there. */
static bool ensure_link(struct setup *setup, const struct interface_def *def, GError **error)
{
        const struct link *link = link_set_find_name(setup->now, def->name);

        if (link)
                return check_there(setup, def, link, error) &&
                       (def->type != INTERFACE_BRIDGE || set_bridge(setup, def, link, error));
        return def->type == INTERFACE_ETHERNET ? require(setup, def->name, error) != NULL
                                               : make_link(setup, def, error);
}

static bool set_hardware(struct setup *setup, const struct interface_def *def, GError **error)
{
        const struct link *link = require(setup, def->name, error);

        if (!link)
                return false;
        if (*def->mac && strcmp(def->mac, link->mac) != 0 &&
            !link_change_set_mac(setup->netlink, link, def->mac, error))
                return false;
        return !def->mtu || def->mtu == link->mtu ||
               link_change_set_mtu(setup->netlink, link, def->mtu, error);
}

/* ---- ports ---- */

static bool make_up(struct setup *setup, const struct interface_def *def, GError **error);

static bool check_port(const struct setup *setup, const struct link *port, const struct link *master,
                       GError **error)
{
        const struct link *other = port->master ? link_set_find_index(setup->now, port->master) : NULL;

        if (!other || other->index == master->index)
                return true;
        return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                         "interface '%s' is a port of '%s' already", port->name, other->name);
}

static bool add_port(struct setup *setup, const struct interface_def *def,
                     const struct interface_def *port_def, GError **error)
{
        const struct link *master, *port;

        if (!make_up(setup, port_def, error))
                return false;
        look_again(setup);
        master = require(setup, def->name, error);
        port = master ? require(setup, port_def->name, error) : NULL;
        if (!port || !check_port(setup, port, master, error))
                return false;
        if (port->master == master->index)
                return true;
        /* Bonds take only what is down. */
        if (def->type == INTERFACE_BOND && !link_change_set_up(setup->netlink, port, false, error))
                return false;
        return link_change_set_master(setup->netlink, port, master, error) &&
               link_change_set_up(setup->netlink, port, true, error);
}

/* The kernel says no more than that the network is down. */
static bool check_lower(const struct setup *setup, const struct interface_def *def, GError **error)
{
        const struct link *lower = def->type == INTERFACE_VLAN ? require(setup, def->lower, error) : NULL;

        if (def->type != INTERFACE_VLAN || (lower && link_is_up(lower)))
                return true;
        return lower && error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                                  "interface '%s', which '%s' is on, is down: bring it up first", def->lower,
                                  def->name);
}

/* The link with its ports, up, without addresses. */
static bool make_up(struct setup *setup, const struct interface_def *def, GError **error)
{
        const struct link *link;

        if (!check_lower(setup, def, error) || !ensure_link(setup, def, error) ||
            !set_hardware(setup, def, error))
                return false;
        for (unsigned i = 0; def->ports && i < def->ports->len; i++)
                if (!add_port(setup, def, g_ptr_array_index(def->ports, i), error))
                        return false;
        link = require(setup, def->name, error);
        return link && link_change_set_up(setup->netlink, link, true, error);
}

/* ---- protocols ---- */

static bool add_protocol(struct setup *setup, const struct link *link,
                         const struct interface_protocol *protocol, GError **error)
{
        for (unsigned i = 0; i < protocol->ips->len; i++)
                if (!link_change_add_address(setup->netlink, link,
                                             &g_array_index(protocol->ips, struct link_ip, i), error))
                        return false;
        for (unsigned i = 0; i < protocol->gateways->len; i++) {
                struct link_route route = { .protocol = RTPROT_STATIC };

                route.gateway = g_array_index(protocol->gateways, struct link_ip, i);
                route.destination.family = route.gateway.family;
                if (!link_change_add_route(setup->netlink, link, &route, error))
                        return false;
        }
        return true;
}

static bool add_protocols(struct setup *setup, const struct interface_def *def, GError **error)
{
        const struct interface_protocol *v6 = &def->protocols[1];
        const struct link *link;

        look_again(setup);
        link = require(setup, def->name, error);
        if (!link)
                return false;
        if (v6->is_there) {
                const char on = v6->autoconf ? '1' : '0';

                ipv6_write(def->name,
                           &(struct ipv6_settings){ .disabled = '0', .autoconf = on, .accept_ra = on });
        }
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++)
                if (def->protocols[i].is_there && !add_protocol(setup, link, &def->protocols[i], error))
                        return false;
        return true;
}

/* ---- up ---- */

static bool begin(struct setup *setup, struct link_source *source, GError **error)
{
        *setup = (struct setup){ .source = source, .netlink = link_source_get_netlink(source, error) };
        if (!setup->netlink)
                return false;
        look_again(setup);
        return true;
}

/* The change has failed with what is in *error: what it has done so far is taken back. */
void interface_take_back(struct link_source *source, const struct link_set *before, GHashTable *notes)
{
        g_autoptr(GError) error = NULL;

        lane_shield(link_source_get_lane(source));
        if (!link_restore(source, before, notes, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "taking a change of interfaces back");
}

bool interface_set_up(struct link_source *source, const struct interface_def *def, GError **error)
{
        g_autoptr(GHashTable) notes = link_notes_new();
        CLEANUP(link_set_unref) struct link_set *before = NULL;
        struct setup setup;
        bool good;

        if (!begin(&setup, source, error))
                return false;
        before = link_set_ref(setup.now);
        link_notes_add_def(notes, def);
        link_notes_add_above(notes, before);
        good = make_up(&setup, def, error) && add_protocols(&setup, def, error);
        if (!good)
                interface_take_back(source, before, notes);
        look_again(&setup);
        link_set_unref(setup.now);
        return good;
}

/* ---- down ---- */

static bool remove_addresses(struct setup *setup, const struct link *link, GError **error)
{
        for (unsigned i = 0; i < link->addresses->len; i++) {
                const struct link_address *address = &g_array_index(link->addresses, struct link_address, i);

                if (address->scope != RT_SCOPE_LINK &&
                    !link_change_delete_address(setup->netlink, link, &address->ip, error))
                        return false;
        }
        return true;
}

/* Ports that we made go with it; what has the name and is something else is nobody's to delete. */
static bool delete_made(struct setup *setup, const struct interface_def *def, GError **error)
{
        const char *kind = interface_def_get_kind(def);
        const struct link *link;

        look_again(setup);
        link = link_set_find_name(setup->now, def->name);
        if (link && kind && link_is(link, kind) && !link_change_delete(setup->netlink, link, error))
                return false;
        for (unsigned i = 0; def->ports && i < def->ports->len; i++)
                if (!delete_made(setup, g_ptr_array_index(def->ports, i), error))
                        return false;
        return true;
}

static bool make_down(struct setup *setup, const char *name, const struct interface_def *def, GError **error)
{
        const struct link *link = require(setup, name, error);

        return link && remove_addresses(setup, link, error) &&
               link_change_set_up(setup->netlink, link, false, error) &&
               (!def || delete_made(setup, def, error));
}

bool interface_set_down(struct link_source *source, const char *name, const struct interface_def *def,
                        GError **error)
{
        g_autoptr(GHashTable) notes = link_notes_new();
        CLEANUP(link_set_unref) struct link_set *before = NULL;
        struct setup setup;
        bool good;

        if (!begin(&setup, source, error))
                return false;
        before = link_set_ref(setup.now);
        link_notes_add(notes, name);
        if (def)
                link_notes_add_def(notes, def);
        link_notes_add_above(notes, before);
        good = make_down(&setup, name, def, error);
        if (!good)
                interface_take_back(source, before, notes);
        look_again(&setup);
        link_set_unref(setup.now);
        return good;
}
