/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The model of virtual networks. Functions are called on the loop. Those that read answer at once from the
 * published state; those that change something take a done function, called on the loop exactly once, after
 * the change is on disk, published and announced. Flags are those of the libvirt API function of the same
 * name.
 *
 * A network that is active has a bridge, rules in a table of nftables of its own and a dnsmasq, all of which
 * outlive the agent: the next one takes them over.
 */

#include "base/loop.h"
#include "base/registry.h"
#include "drivers/network/network-def.h"

struct lane_timer;
struct lane_watch;
struct link_source;
struct networks;
struct nft_source;
struct pool;

/* virNetworkEventLifecycleType; the detail is 0. */
enum network_event_type {
        NETWORK_EVENT_DEFINED = 0,
        NETWORK_EVENT_UNDEFINED = 1,
        NETWORK_EVENT_STARTED = 2,
        NETWORK_EVENT_STOPPED = 3,
};

/* Events beside MANAGED_EVENT_LIFECYCLE, which is of enum network_event_type. */
enum network_event_id {
        NETWORK_EVENT_METADATA = 1, /* base.type: enum network_metadata_type; uri of an element */
        NETWORK_EVENT_LEASE = 2,    /* base.type: enum network_lease_change; lease */
        NETWORK_EVENT_CHANGED = 3,  /* by network_update() */
};

enum network_lease_change {
        NETWORK_LEASE_ADDED = 0,
        NETWORK_LEASE_CHANGED = 1, /* it has another owner or name */
        NETWORK_LEASE_REMOVED = 2, /* given back, or expired */
};

struct network_lease;

struct network_event {
        struct managed_event base;
        char *uri;                   /* owned; NULL: none */
        struct network_lease *lease; /* owned; NULL: none */
};

/* The dnsmasq of an active network. */
struct network_server {
        int pidfd;                /* owned; -1: none runs */
        struct lane_watch *watch; /* owned; of its end */
        struct lane_timer *timer; /* owned; it is started again then */
        gint64 since_us;          /* that it runs, monotonic */
        unsigned failures;        /* in a row */
};

/* What was taken away behind our back and put back. */
struct network_repairs {
        gint64 since_us; /* of the first of count, monotonic */
        unsigned count;
        struct lane_timer *timer; /* owned; of the next look */
};

struct network {
        struct managed base;
        struct networks *networks;      /* borrowed; const */
        struct network_server server;   /* lane */
        struct network_repairs repairs; /* lane */
        GHashTable *leases;             /* lane; owned; address (text) to struct network_lease, as they were
                                           announced; NULL: not active */
        unsigned ending;                /* loop: calls that stop it and are on their way */
};

/* ---- the connection's networks ---- */

struct networks_config {
        const char *state_dir;   /* definitions: <uuid>.xml, autostart/<uuid>; leases/<uuid>: what is lent */
        const char *runtime_dir; /* of active networks: <uuid>.xml, and the files of dnsmasq */
        bool with_default;       /* a system that has none yet gets the network `default` */
        /* The program virtbus-lease, by which dnsmasq tells of leases; NULL: they are not announced. */
        const char *lease_program;
};

struct networks *networks_new(struct loop *loop, struct pool *pool, const struct networks_config *config);
/* In memory: the network default, active; nothing happens to the host. NULL with an error. */
struct networks *networks_new_test(struct loop *loop, struct pool *pool, GError **error);
/* When registry_get_pending() is 0, after networks_quiesce(). NULL is fine. */
void networks_free(struct networks *networks);
/* Start-up, before the lanes run: definitions, and networks that were active when the last agent ended. */
bool networks_load(struct networks *networks, GError **error);
/*
 * What the kernel tells is followed from now on, until networks_quiesce(): what others take away is put back.
 * links and filter are borrowed. links also say which addresses the host has, of which none are chosen for
 * networks, and so the default network waits for them: networks_are_ready().
 */
void networks_follow(struct networks *networks, struct link_source *links, struct nft_source *filter);
bool networks_are_ready(const struct networks *networks);
/* Once per boot: starts those marked autostart; done(data) when each is up or has failed. */
void networks_autostart(struct networks *networks, loop_fn done, void *data);
/* Is one that is inactive started for the guest that needs it? So it is unless this says otherwise. */
void networks_set_starts_for_guests(struct networks *networks, bool starts);
/* The end of the agent: active networks are let go of, and stay. */
void networks_quiesce(struct networks *networks);
struct registry *networks_get_registry(const struct networks *networks);

/* ---- lookups and lists; borrowed results ---- */

struct network *network_lookup_name(struct networks *networks, const char *name, GError **error);
struct network *network_lookup_uuid(struct networks *networks, const char *uuid, GError **error);

/* virConnectListAllNetworksFlags */
enum network_list_flags {
        NETWORK_LIST_INACTIVE = 1,
        NETWORK_LIST_ACTIVE = 2,
        NETWORK_LIST_PERSISTENT = 4,
        NETWORK_LIST_TRANSIENT = 8,
        NETWORK_LIST_AUTOSTART = 16,
        NETWORK_LIST_NO_AUTOSTART = 32,
};

/* Borrowed elements, free the array; NULL with an error for unknown flags. */
GPtrArray *network_list(struct networks *networks, unsigned flags, GError **error);

/* ---- reads ---- */

static inline const struct managed_state *network_get_published(const struct network *network)
{
        return managed_get_published(&network->base);
}

#define NETWORK_XML_INACTIVE 1

/* Owned: as it runs, with the number of its ports, or with NETWORK_XML_INACTIVE as it is defined. */
char *network_get_xml(const struct network *network, unsigned flags, GError **error);
/* Borrowed from the published state; fails when there is none. flags: none. */
const char *network_get_bridge_name(const struct network *network, unsigned flags, GError **error);

/*
 * What of other firewalls on the host may drop the traffic of an active one: sentences, borrowed from the
 * published state, NULL-terminated.
 */
const char *const *network_get_warnings(const struct network *network);
/* Do the two states of one network differ in that? */
bool network_has_other_warnings(const struct managed_state *a, const struct managed_state *b);

/* virNetworkDHCPLease */
struct network_lease {
        char *mac;       /* owned; NULL: not known; of IPv6 what dnsmasq or the DUID says */
        char *hostname;  /* owned; NULL: none */
        char *iaid;      /* owned; of IPv6, with a T in front where the address is temporary; NULL: of IPv4 */
        char *client_id; /* owned; of IPv6 the DUID; NULL: none */
        struct network_address address;
        unsigned prefix;
        int64_t expiry; /* seconds since 1970; 0: it does not expire */
};

/* leases: of struct network_lease, borrowed during the call; NULL with error. */
typedef void (*network_leases_done)(const struct network *network, const GPtrArray *leases,
                                    const GError *error, void *data);
/* What is lent now; mac "": to all. Of an active network. flags: none. */
void network_get_leases(struct network *network, const char *mac, unsigned flags, network_leases_done done,
                        void *data);

/* ---- changes ---- */

void network_define_xml(struct networks *networks, const char *xml, managed_done done, void *data);
/* A transient one, active at once. */
void network_create_xml(struct networks *networks, const char *xml, managed_done done, void *data);
void network_create(struct network *network, managed_done done, void *data);
void network_destroy(struct network *network, managed_done done, void *data);
/* One that is active becomes transient. */
void network_undefine(struct network *network, managed_done done, void *data);
void network_set_autostart(struct network *network, bool autostart, managed_done done, void *data);

/* virNetworkUpdateFlags; neither: what there is now. */
enum network_update_flags {
        NETWORK_UPDATE_LIVE = 1,
        NETWORK_UPDATE_CONFIG = 2,
};

/* Both or neither; a change of hosts only is told to dnsmasq, which runs on. */
void network_update(struct network *network, const struct network_update *update, unsigned flags,
                    managed_done done, void *data);

/*
 * What others keep in its document; "" counts as NULL. Announced with NETWORK_EVENT_METADATA. flags: enum
 * network_update_flags.
 */
void network_set_metadata(struct network *network, const struct network_metadata *metadata, unsigned flags,
                          managed_done done, void *data);
/* Owned; NULL with ERROR_NO_NETWORK_METADATA and others. flags likewise, one of them or neither. */
char *network_get_metadata(const struct network *network, int type, const char *uri, unsigned flags,
                           GError **error);
