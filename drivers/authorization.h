/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * May this client do that? Each operation says which actions of libvirt's access control it needs, some of
 * them for certain flags only ("domain.read", and "domain.read-secure" for a document with passwords in it).
 * That is data: the contract in introspection/, from which the tables of each view are generated. A view asks
 * before it looks at any argument but the flags, and once more after an answer that took time, having looked
 * up the object again.
 *
 * Above everything stands that a client which opened a connection read-only may not do more than that itself.
 * Then root and the agent's own user may do everything. All others are for an authorizer to decide about, one
 * set of hooks. The one that is built in is a rule: they may read (getattr, read, search-*). Loop thread.
 */

#include "drivers/identity.h"
#include "drivers/model.h"

/* ---- what an operation needs ---- */

/* One action; a list ends with an action of NULL. */
struct access {
        const char *action; /* "domain.start": an object's class and a permission, as in libvirt's polkit
                               actions */
        unsigned flags;     /* needed only when the call has one of these; 0: always */
};

/* Does that action stand for a read? */
bool authorization_is_read(const char *action);

/* Tells nothing and changes nothing: nobody is asked about it. */
#define AUTHORIZATION_FREE "peer.read"

/* ---- asking ---- */

enum authorization_answer {
        AUTHORIZATION_ALLOWED,
        AUTHORIZATION_DENIED,
        AUTHORIZATION_READ_ONLY,   /* the client opened the connection read-only */
        AUTHORIZATION_CHALLENGE,   /* the user would have to be asked, and the client does not want that, or
                                      nobody could ask */
        AUTHORIZATION_DISMISSED,   /* the user was asked, and did not want to answer */
        AUTHORIZATION_UNAVAILABLE, /* who decides is not there, or does not answer */
        AUTHORIZATION_CROWDED,     /* too many questions about this user are open already */
        AUTHORIZATION_WHO,         /* find out who it is (identity_set_credentials()), and ask again */
        AUTHORIZATION_PENDING,     /* the answer comes later */
};

/*
 * The later answer, once: AUTHORIZATION_ALLOWED (look up the object and ask again: more may be needed), or
 * no.
 */
typedef void (*authorization_done)(enum authorization_answer answer, void *data);

struct authorization_question {
        struct identity *identity;
        const struct model *model; /* NULL: it is about the agent itself */
        enum model_kind kind;
        void *object;       /* of that kind; NULL: it is about the connection; valid while asking only */
        bool interactive;   /* the user may be shown a dialog */
        const char *action; /* filled in by authorization_ask() */
};

struct authorization;

/*
 * Is everything in access allowed? flags are the call's. *granted counts, over all that are asked for one
 * call, from 0 on; what is refused is access[*granted]. done and data are for AUTHORIZATION_PENDING, whose
 * answer counts itself.
 */
enum authorization_answer authorization_ask(const struct authorization *authorization,
                                            const struct authorization_question *question,
                                            const struct access *access, unsigned flags, unsigned *granted,
                                            authorization_done done, void *data);

/*
 * One action, for more than one object at a time: what is known (any answer, AUTHORIZATION_PENDING: it has to
 * be asked), and asking, as authorizer.ask does.
 */
enum authorization_answer authorization_check(const struct authorization *authorization,
                                              const struct authorization_question *question);
enum authorization_answer authorization_begin(const struct authorization *authorization,
                                              const struct authorization_question *question,
                                              authorization_done done, void *data);

/*
 * Do answers differ from object to object? Then lists, and signals about objects, are for those who may see
 * them, which is what the action of authorization_get_sight() says; NULL: whoever sees the connection sees
 * objects of that kind.
 */
bool authorization_tells_apart(const struct authorization *authorization);
/* The same for one client: not for who may everything. */
bool authorization_limits(const struct authorization *authorization, const struct identity *identity);
const char *authorization_get_sight(enum model_kind kind);

/* The client left: what is still being asked about it ends with no. */
void authorization_forget(const struct authorization *authorization, const struct identity *identity);

/* ---- deciding ---- */

struct authorizer {
        /*
         * One action, by what is known: any answer but AUTHORIZATION_READ_ONLY. AUTHORIZATION_PENDING: it has
         * to be asked. NULL: nothing is ever known.
         */
        enum authorization_answer (*check)(void *authorizer, const struct authorization_question *question);
        /*
         * Asks. AUTHORIZATION_PENDING: done is called later, once, with an answer that is neither that nor
         * AUTHORIZATION_WHO. Takes of question what it needs before it returns. NULL: everything is known.
         */
        enum authorization_answer (*ask)(void *authorizer, const struct authorization_question *question,
                                         authorization_done done, void *data);
        /* See authorization_tells_apart(). NULL: no. */
        bool (*tells_apart)(const void *authorizer);
        /* NULL: it never answers later. */
        void (*forget)(void *authorizer, const struct identity *identity);
        void (*free)(void *authorizer);
};

/* With hooks NULL: the rule. authorizer is owned, and goes to the hooks. */
struct authorization *authorization_new(const struct authorizer *hooks, void *authorizer);
void authorization_free(struct authorization *authorization);

/* The authorizer, borrowed, when those are its hooks; else NULL. For the view that lends it its connection.
 */
void *authorization_get_authorizer(const struct authorization *authorization, const struct authorizer *hooks);

/* The details by which rules of PolicyKit tell objects apart, under libvirt's names: "domain_name" ... */
void authorization_describe(const struct authorization_question *question, model_detail add, void *data);
