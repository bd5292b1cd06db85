/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An interface of the host as clients see it: a link that is there, a definition, or both. Immutable,
 * counted; any thread. They come in sets (base/object-set.h), whose only key is the one of their paths.
 */

#include "base/object-set.h"
#include "interfaces/definition.h"

/* The key of a set of interfaces: see struct host_interface. */
#define HOST_INTERFACE_PATH_KEY 0

struct host_interface {
        /* atomic */
        gint refs;
        /* const */
        char name[LINK_NAME_SIZE];
        char mac[LINK_MAC_LENGTH + 1]; /* "": it has none */
        bool active;                   /* up */
        bool keeps_mac;                /* its path is that of its MAC; otherwise it has no lasting one */
        struct interface_def *def;     /* ref; NULL: none is stored */
        struct link *link;             /* ref; NULL: it is not there, or lives in memory */
};

extern const struct object_set_kind host_interface_set_kind;

/* name of either; active counts for those without a link. References are taken. */
struct host_interface *host_interface_new(struct link *link, struct interface_def *def, bool active);
struct host_interface *host_interface_ref(struct host_interface *interface);
void host_interface_unref(struct host_interface *interface);

/* What the last element of its path is made of: the MAC or the name. */
const char *host_interface_get_key(const struct host_interface *interface);

/*
 * All interfaces: one for each link and each definition. The first of several links with one MAC, by index,
 * keeps it for its path; a defined bridge, bond or VLAN whose definition says no MAC has its name for that,
 * so that its path stays when the link comes and goes. What is in before (NULL: nothing) and has not changed
 * is taken from there.
 */
struct object_set *host_interface_make_set(const struct object_set *before, const struct link_set *links,
                                           GHashTable *defs, GHashTable *active);

/* Numbers of a life cycle, as clients know them of pools. */
enum host_interface_event {
        HOST_INTERFACE_DEFINED = 0,
        HOST_INTERFACE_UNDEFINED = 1,
        HOST_INTERFACE_STARTED = 2,
        HOST_INTERFACE_STOPPED = 3,
};
#define HOST_INTERFACE_EVENTS_MAX 2
/* What happened between two descriptions (either may be NULL), in order; how many. */
unsigned host_interface_get_events(const struct host_interface *before, const struct host_interface *after,
                                   enum host_interface_event events[HOST_INTERFACE_EVENTS_MAX]);

DEFINE_CLEANUP(struct host_interface, host_interface_unref);
