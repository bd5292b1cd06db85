/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the network model share. */

#include "base/flags.h"
#include "base/store.h"
#include "drivers/network/network.h"
#include "drivers/network/port.h"
#include "interfaces/nftables.h"

struct link_set;
struct link_source;
struct netlink;
struct nft_source;

/* The network that a fresh system gets (default.c). */
enum network_default_state {
        NETWORK_DEFAULT_SETTLED, /* it is not wanted, or has been there */
        NETWORK_DEFAULT_WANTED,
        NETWORK_DEFAULT_ON_ITS_WAY,
};

/* Where dnsmasq tells of leases (lease-events.c). */
struct lease_socket {
        int fd;                   /* owned; -1: none */
        struct loop_watch *watch; /* owned */
};

struct networks {
        /* const */
        struct loop *loop;         /* borrowed */
        struct registry *registry; /* owned */
        char *runtime_dir;         /* owned; NULL: in memory, nothing is run */
        struct pool *pool;         /* borrowed */
        char *state_dir;           /* owned; NULL: in memory */
        char *lease_dir;           /* owned */
        char *lease_program;       /* owned; NULL: leases are not announced */
        /* atomic */
        gint starts_for_guests; /* bool; one that is inactive is started for the guest that needs it */
        /* loop */
        GPtrArray *claims;         /* owned; of struct definition, ref: those on their way */
        struct link_source *links; /* borrowed; NULL: not followed */
        struct nft_source *filter; /* borrowed; likewise */
        enum network_default_state default_state;
        struct network *new_default; /* borrowed; made by this agent, and not asked for yet */
        bool autostarted;
        struct lease_socket lease_socket;
        struct loop_timer
                *foreign_timer; /* owned; firewalls of others are looked at then; NULL: none is set */
};

/* What is published of one. */
struct network_state {
        struct managed_state base;
        struct object_set *ports; /* ref; of struct network_port; NULL: none */
        char **warnings;          /* owned; of what may drop its traffic; NULL: nothing */
};

static inline struct network *network_from(struct managed *object)
{
        return (struct network *)object;
}

static inline bool network_check_flags(unsigned flags, unsigned allowed, const char *function, GError **error)
{
        return flags_check(flags, allowed, ERROR_FROM_NETWORK, function, error);
}

/* Lane. */
static inline bool network_require_active(const struct managed *object, GError **error)
{
        if (!managed_require_known(object, error))
                return false;
        return object->current->active ||
               error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID, "network '%s' is not active",
                         managed_get_current_name(object));
}

/* A definition of the state, which is there. */
static inline const struct network_def *network_def_const(const struct definition *definition)
{
        return (const struct network_def *)definition;
}

/* ---- ports (use.c, port-xml.c) ---- */

/* Lane: is it active? One that can be started for a guest is (change.c). */
bool network_require_running(struct network *network, GError **error);
/* Lane, when the network has started: what was plugged into it before is plugged in again. */
void network_ports_rejoin(struct network *network, const struct network_def *def);
/* The document; owned. */
char *network_port_format(const struct network_port *port);
/* Lane: looks at the firewalls of others for an unpublished state in which def is active. True: it has
 * changed. */
bool network_state_look(struct network *network, struct network_state *state, const struct network_def *def);
static inline void network_state_clear_warnings(struct network_state *state)
{
        g_clear_pointer(&state->warnings, g_strfreev);
}

/* Unpublished, without its document. */
struct network_port *network_port_copy(const struct network_port *from);
/* Lane: in the place of what is recorded of it. */
void network_port_record(struct network *network, struct network_port *port);

/* ---- where ports lead (plug.c); lane ---- */

/* What of the network and its port group counts for the port. */
void network_port_inherit(struct network_port *port, const struct network_def *def);
/* The interface's own limits, or its group's. */
void network_port_set_bandwidth(struct network_port *port, const struct traffic *own);
/*
 * A port that is new gets all of that and is led somewhere. ERROR_OPERATION_INVALID when another guest's has
 * its MAC address there.
 */
bool network_port_plug(struct network_port *port, const struct network_state *state, GError **error);

/* ---- guarantees (floor.c); lane ---- */

/* May the port have what it asks for, beside those that there are? */
bool network_floor_check(const struct network_port *port, const struct network_def *def,
                         const struct object_set *ports, GError **error);
/* Of a port that is not recorded yet, or is there and its bridge is new. */
bool network_floor_add(struct network *network, const struct network_def *def, struct network_port *port,
                       GError **error);
/* Of one that is recorded no more. */
void network_floor_remove(struct network *network, const struct network_port *port);

/* ---- definitions (subnets.c), loop ---- */

/* What the text leaves out of its addresses is chosen. */
struct network_def *network_parse_new(struct networks *networks, const char *xml, GError **error);
/* Does a network other than that have a bridge of that name (change.c)? */
bool networks_have_bridge(const struct networks *networks, const struct uuid *uuid, const char *name);

/* ---- the default network (default.c), loop ---- */

/* The host's links are known: it is defined now, if it is wanted. */
void networks_settle_default(struct networks *networks);

/* ---- what happens behind our back (watch.c), loop ---- */

void networks_unfollow(struct networks *networks);

/* ---- running (run.c); lane of the network ---- */

/* All of it or nothing. */
bool network_run_start(struct network *network, const struct network_def *def, GError **error);
/* Can one like this be run at all? */
bool network_run_check(const struct network_def *def, GError **error);
/* That it is active, for the next agent. */
bool network_run_note(struct network *network, const struct network_def *def, GError **error);
/* What there is no more is fine; what cannot be taken away is logged. */
void network_run_stop(struct network *network, const struct network_def *def);
/* After a restart of the agent: what is missing is put back. */
bool network_run_take_over(struct network *network, const struct network_def *def, GError **error);
/* What of a definition a change is about. */
enum network_extent {
        NETWORK_EXTENT_ALL,
        NETWORK_EXTENT_HOSTS,   /* those that dnsmasq reads again */
        NETWORK_EXTENT_NOTHING, /* that runs: title, metadata */
};
/* A running one becomes after, which differs in that. */
bool network_run_update(struct network *network, const struct network_def *after, enum network_extent extent,
                        GError **error);
/* What is missing of a running one. */
bool network_run_put_back(struct network *network, const struct network_def *def, GError **error);
/* Lets go of what runs. */
void network_run_forget(struct network *network);

/* ---- the bridge (bridge.c); lane ---- */

/*
 * Is there room for it: no other link of that name but a bridge of its own that was left behind, no address
 * of its networks? adopt: it has its room, and may be there.
 */
bool network_bridge_check(struct network *network, const struct network_def *def, bool adopt, GError **error);
/* Once its addresses are there: has nobody taken one of its networks meanwhile? Of two that start at once,
 * none has. */
bool network_bridge_check_alone(struct network *network, const struct network_def *def, GError **error);
/* Is it there, with all of its addresses? */
bool network_bridge_is_whole(struct network *network, const struct network_def *def, bool *whole,
                             GError **error);
bool network_bridge_make(struct network *network, const struct network_def *def, GError **error);
/* The target of port becomes a port of the bridge; false with an error that names it. */
bool network_bridge_join(struct network *network, const struct network_def *def,
                         const struct network_port *port, GError **error);
bool network_bridge_remove(struct network *network, const struct network_def *def, GError **error);

/* ---- the rules (firewall.c) ---- */

/* One transaction of nftables that puts the rules in the place of those that there are. */
bool network_firewall_apply(struct network *network, const struct network_def *def, GError **error);
/* The name of the table. */
void network_firewall_format_table(const char *bridge, char table[NFT_NAME_SIZE]);
bool network_firewall_remove(struct network *network, const struct network_def *def, GError **error);

/* Are all of its rules there? Asks the kernel. */
bool network_firewall_is_whole(struct network *network, const struct network_def *def, bool *whole,
                               GError **error);

/* ---- firewalls of others (foreign.c); lane ---- */

/*
 * Lets its traffic through theirs where they have a place for that. Sentences of what may drop it all the
 * same; owned, an empty list: nothing. Those that are not in before (may be NULL) are logged.
 */
char **network_foreign_open(struct network *network, const struct network_def *def, char **before);
/* A zone that the definition asks for needs firewalld. */
bool network_foreign_check(struct network *network, const struct network_def *def, GError **error);
void network_foreign_close(struct network *network, const struct network_def *def);

/* ---- dnsmasq (dnsmasq.c, dnsmasq-files.c) ---- */

struct network_files {
        char *configuration, *hosts, *names, *pid, *leases; /* owned; paths */
        const char *lease_program;                          /* borrowed; NULL: none */
        bool is_closed;                                     /* to all but their owner */
};

void network_files_init(struct network_files *files, const struct network *network);
void network_files_clear(struct network_files *files);

/* Does it need one at all? */
bool network_dnsmasq_is_needed(const struct network_def *def);
/* The texts of the files; owned. */
char *network_dnsmasq_format(const struct network_def *def, const struct network_files *files,
                             GError **error);
char *network_dnsmasq_format_hosts(const struct network_def *def);
char *network_dnsmasq_format_names(const struct network_def *def);

/* Lane. Starts it, or takes over the one that runs; it is ready to answer then. */
bool network_dnsmasq_start(struct network *network, const struct network_def *def, GError **error);
bool network_dnsmasq_reload(struct network *network, const struct network_def *def, GError **error);
void network_dnsmasq_stop(struct network *network);
void network_dnsmasq_forget(struct network *network);
/* Is there one of ours, whoever has started it? */
bool network_dnsmasq_runs(const struct network *network);
/* Ends a dnsmasq, whosever it is. */
void network_dnsmasq_end(struct network *network, int pidfd);

/* ---- leases (leases.c, lease-events.c) ---- */

/* Beside the file of leases of a network: MAC addresses of IPv6. */
#define NETWORK_MACS_SUFFIX ".macs"

/* What dnsmasq has said; lease: owned. */
struct network_lease_message {
        struct network_lease *lease;
        bool is_removed;
};

void network_lease_free(void *lease);
/* Of what the file of leases says; of struct network_lease. */
GPtrArray *network_leases_parse(const char *text, const struct network_def *def);
/* Lane: what there is already is not announced. is_live: a dnsmasq may be writing the file. */
void network_leases_load(struct network *network, const struct network_def *def, bool is_live);
/* Lane, before a dnsmasq is started again: it knows what its file says, and nothing else is lent. */
void network_leases_drop_lost(struct network *network, const struct network_def *def);
void network_leases_forget(struct network *network);
/* Lane: the network has no definition any more. */
void network_leases_remove(struct network *network);
/* Lane: a managed_work with a struct network_lease_message. */
bool network_leases_take(struct managed *object, void *message, GError **error);
/* Loop. */
void network_leases_listen(struct networks *networks);
void network_leases_unlisten(struct networks *networks);
/* Any thread; owned. */
char *network_leases_get_socket(const struct networks *networks);
