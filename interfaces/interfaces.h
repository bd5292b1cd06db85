/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The host's own network interfaces: what there is, as the kernel tells it; how it is to be set up, as it was
 * defined; and changes of both, which can be made a transaction. Loop thread unless said otherwise.
 *
 * What is done to interfaces is done in one lane, in order: links depend on one another. Calls end on the
 * loop, after what they changed was published.
 */

#include "base/collection.h"
#include "interfaces/host-interface.h"

struct interfaces;
struct link_source;
struct loop;
struct pool;

/*
 * A transaction that is not committed after this many seconds at most is rolled back, when one asks for it.
 */
#define INTERFACES_CHANGE_TIMEOUT_MAX 86400

struct interfaces_config {
        const char *state_dir;    /* definitions, and the transaction on its way; NULL: nothing is stored */
        const char *runtime_dir;  /* what does not outlive a boot of the host */
        const char *managers_dir; /* "/run": where other managers of links say what they manage */
        bool read_only;           /* only look: the agent has no right to change the host's network */
};

/*
 * Of the host, whose links source (taken) follows; source NULL: in memory. config is borrowed for the call.
 */
struct interfaces *interfaces_new(struct loop *loop, struct pool *pool, struct link_source *source,
                                  const struct interfaces_config *config);
/* In memory, with the interface eth1 of test:///default. */
struct interfaces *interfaces_new_test(struct loop *loop, struct pool *pool, GError **error);
/* For the end of the agent: nothing is followed any more, and what is on its way ends. */
void interfaces_quiesce(struct interfaces *interfaces);
/*
 * After interfaces_quiesce(), when interfaces_get_pending() is 0, and before link_source_free(). NULL is
 * fine.
 */
void interfaces_free(struct interfaces *interfaces);

/*
 * Begins: definitions are loaded, links followed, a transaction that an agent left behind is rolled back, and
 * once per boot of the host what is to be up on boot is brought up.
 */
void interfaces_start(struct interfaces *interfaces);
/* Are all interfaces known? */
bool interfaces_are_ready(const struct interfaces *interfaces);

/* The host's links, which others follow, too; borrowed until interfaces_free(). NULL: in memory. */
struct link_source *interfaces_get_source(const struct interfaces *interfaces);

/* Of struct host_interface. */
struct collection *interfaces_get_collection(const struct interfaces *interfaces);
unsigned interfaces_get_pending(const struct interfaces *interfaces);

/* ---- reads ---- */

/* virConnectListAllInterfacesFlags: 1 inactive, 2 active. Borrowed elements, free the array. */
GPtrArray *interfaces_list(const struct interfaces *interfaces, unsigned flags, GError **error);
/* ERROR_NO_INTERFACE */
struct host_interface *interfaces_lookup_name(const struct interfaces *interfaces, const char *name,
                                              GError **error);
/* In any case; ERROR_MULTIPLE_INTERFACES names all that have it. */
struct host_interface *interfaces_lookup_mac(const struct interfaces *interfaces, const char *mac,
                                             GError **error);
/* By the last element of a path, decoded: the MAC that it keeps, or its name. */
struct host_interface *interfaces_lookup_key(const struct interfaces *interfaces, const char *key,
                                             GError **error);

#define INTERFACE_XML_INACTIVE 1
/* As it is now, or with INTERFACE_XML_INACTIVE as it is to be, which interfaces_define_xml() takes. Owned. */
char *interfaces_get_xml(const struct interfaces *interfaces, const struct host_interface *interface,
                         unsigned flags, GError **error);

/* ---- changes; done (may be NULL) gets an error or NULL, once ---- */

#define INTERFACE_DEFINE_VALIDATE 1
/*
 * Stores a definition, in the place of one of its name; nothing is set up. name (of done) is the interface's.
 */
typedef void (*interfaces_defined)(const char *name, const GError *error, void *data);
void interfaces_define_xml(struct interfaces *interfaces, const char *xml, unsigned flags,
                           interfaces_defined done, void *data);
/* Forgets the definition; what is up stays up. */
void interfaces_undefine(struct interfaces *interfaces, const struct host_interface *interface,
                         collection_done done, void *data);
/* Up and down. */
void interfaces_create(struct interfaces *interfaces, const struct host_interface *interface, unsigned flags,
                       collection_done done, void *data);
void interfaces_destroy(struct interfaces *interfaces, const struct host_interface *interface, unsigned flags,
                        collection_done done, void *data);

/*
 * A transaction: begin keeps the definitions and the links as they are; rollback puts both back, commit lets
 * go of what was kept. One at a time. It outlives the agent: the next one rolls back what was not committed.
 */
void interfaces_change_begin(struct interfaces *interfaces, unsigned flags, collection_done done, void *data);
void interfaces_change_commit(struct interfaces *interfaces, unsigned flags, collection_done done,
                              void *data);
void interfaces_change_rollback(struct interfaces *interfaces, unsigned flags, collection_done done,
                                void *data);

/*
 * Seconds after which an open transaction is rolled back by itself; 0: never. For those that begin from now
 * on.
 */
unsigned interfaces_get_change_timeout(const struct interfaces *interfaces);
bool interfaces_set_change_timeout(struct interfaces *interfaces, unsigned seconds, GError **error);
