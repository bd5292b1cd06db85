/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A filtered interface: which device of the host has which filter, with which values. Immutable, counted, any
 * thread.
 */

#include "base/cleanup.h"
#include "drivers/nwfilter/nwfilter-def.h"

struct nwfilter_port {
        /* atomic */
        gint refs;
        /* const */
        char *device;                   /* owned; the host's end: a tap's name */
        uint8_t mac[6];                 /* the guest's */
        char *filter;                   /* owned; name */
        struct nwfilter_params *params; /* owned */
        char *guest;                    /* owned; name, for messages */
};

/* What is given is copied; params may be NULL. */
struct nwfilter_port *nwfilter_port_new(const char *device, const uint8_t mac[6], const char *filter,
                                        const struct nwfilter_params *params, const char *guest);
struct nwfilter_port *nwfilter_port_ref(struct nwfilter_port *port);
/* NULL is fine. */
void nwfilter_port_unref(struct nwfilter_port *port);

DEFINE_CLEANUP(struct nwfilter_port, nwfilter_port_unref);
