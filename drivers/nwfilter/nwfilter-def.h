/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The definition of a network filter: rules and references to other filters, in the order of the document.
 * Immutable, counted, any thread. The format is libvirt's (formatnwfilter.html).
 */

#include "base/cleanup.h"
#include "base/managed.h"
#include "drivers/nwfilter/protocol.h"

/* Bounds; more is refused by name. */
#define NWFILTER_NAME_MAX    255
#define NWFILTER_ENTRIES_MAX 4096 /* rules and references of one filter */
#define NWFILTER_VALUES_MAX  1024 /* of parameters of one reference */
#define NWFILTER_TEXT_MAX    256  /* of one value or comment, in bytes */

enum nwfilter_action {
        NWFILTER_DROP,
        NWFILTER_ACCEPT,
        NWFILTER_REJECT,
        NWFILTER_RETURN,
        NWFILTER_CONTINUE,
        NWFILTER_ACTION_COUNT,
};

/* As the guest sees it; bits. */
enum nwfilter_direction {
        NWFILTER_IN = 1,
        NWFILTER_OUT = 2,
        NWFILTER_INOUT = 3,
};

/* Values of variables, by name; in order, one name several times is a list. */
struct nwfilter_params {
        GPtrArray *names;  /* owned; of owned strings */
        GPtrArray *values; /* owned; of owned strings, as many */
};

struct nwfilter_params *nwfilter_params_new(void);
void nwfilter_params_free(struct nwfilter_params *params);
/*
 * Appends copies. False with ERROR_FROM_NWFILTER when name is no name of a variable, value has what no value
 * of a rule may have, or there are too many.
 */
bool nwfilter_params_add(struct nwfilter_params *params, const char *name, const char *value, GError **error);
struct nwfilter_params *nwfilter_params_copy(const struct nwfilter_params *params);
/* Sorted by name, stably: the order of documents. */
void nwfilter_params_sort(struct nwfilter_params *params);
/* The values of that name, borrowed; free the array. It may be empty. */
GPtrArray *nwfilter_params_find(const struct nwfilter_params *params, const char *name);

/* One attribute of a rule. */
struct nwfilter_match {
        const struct nwfilter_attribute *attribute;
        bool negated;
        char *text; /* owned; canonical: a value or "$NAME", "$NAME[1]", "$NAME[@1]" */
};

struct nwfilter_rule {
        enum nwfilter_action action;
        enum nwfilter_direction direction;
        int priority;
        bool stateless;                           /* statematch='false' */
        const struct nwfilter_protocol *protocol; /* NULL: everything */
        GArray *matches; /* owned; of struct nwfilter_match, in the protocol's order */
};

/* A rule, or a reference to another filter. */
struct nwfilter_entry {
        struct nwfilter_rule *rule;     /* owned; NULL: a reference */
        char *filter;                   /* owned; NULL: a rule */
        struct nwfilter_params *params; /* owned; of a reference */
};

struct nwfilter_def {
        struct definition base;
        char *chain;        /* owned; "root", or what begins with the name of a chain's protocol */
        int priority;       /* of the chain */
        GPtrArray *entries; /* owned; of struct nwfilter_entry, in order */
};

extern const struct managed_kind nwfilter_kind;

/*
 * A definition from a text: read, checked, completed (a uuid), in libvirt's order. What the format does not
 * know inside a rule is refused: a rule that is left with fewer conditions would let more through. Errors:
 * ERROR_FROM_XML or ERROR_FROM_NWFILTER.
 */
struct nwfilter_def *nwfilter_def_parse(const char *xml, GError **error);

/* Name of the protocol of a chain ("arp" of "arp-x"), its EtherType and its priority; NULL: there is none. */
struct nwfilter_chain_kind {
        const char *name;
        const char *match; /* what of nft tells its packets; NULL: all of them */
        int priority;      /* unless the document says another */
};

const struct nwfilter_chain_kind *nwfilter_chain_find(const char *chain);

const char *nwfilter_action_get_name(enum nwfilter_action action);

/* For the kind. */
void nwfilter_def_free(struct definition *definition);

static inline struct nwfilter_def *nwfilter_def_of(struct definition *definition)
{
        return (struct nwfilter_def *)definition;
}

static inline void nwfilter_def_unref(struct nwfilter_def *def)
{
        if (def)
                definition_unref(&def->base);
}

DEFINE_CLEANUP(struct nwfilter_def, nwfilter_def_unref);
DEFINE_CLEANUP(struct nwfilter_params, nwfilter_params_free);
