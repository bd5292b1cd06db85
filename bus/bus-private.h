/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The bus as its own files see it. Loop thread. */

#include "bus/bus.h"
#include "bus/connection.h"

struct branch;
struct call;
struct caller;
struct polkit;

/* What a signal is about. */
struct subject {
        const struct branch *branch; /* borrowed */
        void *object;                /* borrowed; NULL: no object */
};

struct bus {
        /* const */
        struct loop *loop;
        struct connection *connection; /* owned */
        struct models *models;         /* borrowed */
        struct polkit *polkit;         /* borrowed; NULL: it is not PolicyKit who decides */
        GPtrArray *connects;           /* of struct connect, owned; by the index of the model */
        /* loop */
        GHashTable *callers;            /* unique name -> struct caller, ref */
        GQueue ready;                   /* struct caller, ref; with calls to serve */
        GQueue calls;                   /* struct call by its link: being served */
        unsigned asking;                /* of these, those about whose object somebody is asked */
        struct subject about;           /* of the signals that leave now; see sight.h */
        bool crowded;                   /* many calls, or a large one, have been waiting */
        bool serving;                   /* inside dispatch_serve() */
        struct loop_timer *serve_timer; /* owned; continues serving */
        struct bus_limits limits;
        bool stopping;
};
