/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a guest has, between the files takings*.c. */

#include "drivers/domain/taken-devices.h"
#include "drivers/domain/takings.h"
#include "drivers/network/port.h"
#include "drivers/secret/secret-ref.h"

struct networks;
struct nwfilter_port;
struct nwfilter_snapshot;
struct nwfilters;
struct storage_use;

/* Something in use, and the disk that it is for. */
struct taken_use {
        char *target;            /* owned */
        struct storage_use *use; /* owned */
};

struct taken_volume {
        char *pool, *volume;     /* owned; as the document says */
        struct storage_use *use; /* borrowed from uses; NULL: see problem */
        GError *problem;         /* owned; there is no such pool */
};

struct taken_secret {
        struct secret_ref ref; /* owned */
        GBytes *value;         /* ref; NULL: see problem */
        GError *problem;       /* owned */
};

/* Where an interface is plugged in. */
struct taken_port {
        unsigned index;               /* of the interface, in the definition that it was taken for */
        struct network_use *use;      /* owned; NULL: see problem */
        GError *problem;              /* owned; there is no such network */
        struct node_devices *devices; /* borrowed; NULL: there are none */
        char *user;                   /* owned; who is to have its device */
        GPtrArray *looked; /* owned; the device of the host that it leads to, until it is taken; NULL: none */
};

/* Where a display listens. */
struct taken_address {
        char *network;   /* owned */
        char *address;   /* owned; NULL: that of device */
        char *device;    /* owned; of the host; NULL: see problem */
        GError *problem; /* owned */
};

/* An interface that is filtered. */
struct taken_filter {
        char *alias;                /* owned; of the interface */
        struct nwfilter_port *port; /* ref */
};

struct domain_takings {
        GPtrArray *uses;             /* of struct taken_use, owned */
        GPtrArray *named;            /* of struct taken_volume, owned: what disks of type volume name */
        GPtrArray *secrets;          /* of struct taken_secret, owned */
        GPtrArray *ports;            /* of struct taken_port, owned */
        GPtrArray *addresses;        /* of struct taken_address, owned */
        GPtrArray *devices;          /* of struct taken_device, owned: of the host's */
        GPtrArray *filters;          /* of struct taken_filter, owned: of the interfaces that are there */
        struct nwfilters *nwfilters; /* borrowed; NULL: no filter is needed, or there are none */
        struct nwfilter_snapshot *snapshot; /* ref; of all filters; NULL likewise */
};

void taken_filter_free(void *data);
/* If def has an interface that needs them. Loop. */
void takings_add_filters(struct domain_takings *takings, struct nwfilters *nwfilters,
                         const struct domain_def *def);

/* What from has is takings'; its pointers are used up. */
void takings_join_filters(struct domain_takings *takings, struct domain_takings *from);

void taken_port_free(void *data);
void taken_address_free(void *data);
static inline struct taken_port *takings_get_port(const struct domain_takings *takings, unsigned index)
{
        return g_ptr_array_index(takings->ports, index);
}
/* Of the interface of def with that index, when it is one of a network's. Loop. */
void takings_add_port(struct domain_takings *takings, struct domain_driver *driver,
                      const struct domain_def *def, unsigned index);
/* In its network's lane. */
bool takings_take_port(struct taken_port *port, GError **error);
