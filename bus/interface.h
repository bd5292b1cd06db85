/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a D-Bus interface is to the dispatcher. The tables are generated from introspection/<name>.xml; a
 * handler is written in the bus/ file of its interface, under the prototype in the generated header
 * introspection/<name>.h:
 *
 *     void on_domain_get_state(struct call *call);
 *             a method; replies now or later
 *     bool get_domain_id(const struct target *target, struct marshal_slot *slot, GError **error);
 *             reads a property
 *     void set_domain_autostart(struct call *call, DBusMessageIter *value);
 *             writes one; replies now or later
 *
 * All run on the loop, after authorization.
 */

#include "bus/call.h"
#include "bus/marshal.h"
#include "bus/tree.h"

enum interface_run {
        INTERFACE_RUN_LOOP, /* the handler has replied when it returns */
        INTERFACE_RUN_LANE, /* the handler posts to a lane, whose end replies */
};

enum interface_emits {
        INTERFACE_EMITS_NOTHING,
        INTERFACE_EMITS_CHANGE,
        INTERFACE_EMITS_INVALIDATION,
        INTERFACE_EMITS_CONST, /* it never changes */
};

struct interface_method {
        const char *name;
        const char *in;              /* signature of the arguments */
        const char *out;             /* signature of the reply */
        const struct access *access; /* what it needs; see drivers/authorization.h */
        int flags_at;                /* the argument of the flags that access depends on; -1: it does not */
        enum interface_run run;
        void (*handler)(struct call *call);
};

struct interface_property {
        const char *name;
        const char *signature;
        const struct access *write_access; /* NULL: read-only */
        enum interface_emits emits;
        bool (*get)(const struct target *target, struct marshal_slot *slot, GError **error);
        void (*set)(struct call *call, DBusMessageIter *value); /* NULL: read-only */
};

struct interface_signal {
        const char *name;
        const char *signature;
        const char *action;
};

/* The tables are sorted by name. */
struct interface {
        const char *name;
        const struct interface_method *methods;
        unsigned n_methods;
        const struct interface_property *properties;
        unsigned n_properties;
        const struct access *read_access; /* of all its properties; NULL when it has none */
        const struct interface_signal *signals;
        unsigned n_signals;
        const char *text; /* its <interface> element */
};

/* NULL when there is none of that name. */
const struct interface_method *interface_find_method(const struct interface *interface, const char *name);
const struct interface_property *interface_find_property(const struct interface *interface, const char *name);
