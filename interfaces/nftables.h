/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Rules of the kernel's packet filter, by its own protocol (nfnetlink,
 * include/uapi/linux/netfilter/nf_tables.h): a batch is collected and applied in one transaction, all of it
 * or nothing. No program is started, and transactions of others do not make it begin again: nft(8) reads all
 * tables before each transaction and starts over when one of them has changed meanwhile, which costs many
 * that start at once more than what they do.
 *
 * Batches touch tables of their own only, of the family inet. A batch belongs to one thread; what asks the
 * kernel runs in the lane of the socket, which is of netlink_new_netfilter().
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct netlink;
struct nft_batch;

/* Bytes of the name of a table or chain, with the end. */
#define NFT_NAME_SIZE 64

struct nft_batch *nft_batch_new(void);
/* NULL is fine. */
void nft_batch_free(struct nft_batch *batch);

/* The table is gone, and it is fine when there was none. */
void nft_batch_delete_table(struct nft_batch *batch, const char *table);
/* What is added from here on belongs to that table, which is made; it is borrowed until the commit. */
void nft_batch_add_table(struct nft_batch *batch, const char *table);

/* A chain that packets get to: type "filter" or "nat", hook NF_INET_..., which accepts what no rule decides.
 */
struct nft_hook {
        const char *chain;
        const char *type;
        unsigned number;
        int priority;
};
void nft_batch_add_chain(struct nft_batch *batch, const struct nft_hook *hook);

/* ---- one rule: begin, what has to be true, what happens then, end ---- */

void nft_rule_begin(struct nft_batch *batch, const char *chain);
/* The link that the packet came in by, or goes out by: that name as a whole. */
void nft_rule_match_input(struct nft_batch *batch, const char *link);
void nft_rule_match_output(struct nft_batch *batch, const char *link);

struct nft_address {
        uint8_t family;      /* AF_INET, AF_INET6 */
        uint8_t prefix;      /* in bits */
        uint8_t bytes[16];   /* network order */
        bool is_destination; /* else the source */
        bool is_other;       /* it is not in that network */
};
void nft_rule_match_address(struct nft_batch *batch, const struct nft_address *address);
/* IPPROTO_TCP ... */
void nft_rule_match_protocol(struct nft_batch *batch, uint8_t protocol);
/* It belongs to a connection that is there, or to one that goes with it. */
void nft_rule_match_answers(struct nft_batch *batch);

void nft_rule_accept(struct nft_batch *batch);
/* It leaves the chain. */
void nft_rule_return(struct nft_batch *batch);
/* The sender is told that there is no such port. */
void nft_rule_reject(struct nft_batch *batch);

/* 0, 0: no port is given. */
struct nft_ports {
        uint16_t start, end;
};
/* The source becomes the address of the link that it goes out by. */
void nft_rule_masquerade(struct nft_batch *batch, const struct nft_ports *ports);
/* The source becomes one of these; of IPv4, bytes in network order. */
void nft_rule_translate(struct nft_batch *batch, const uint8_t start[4], const uint8_t end[4],
                        const struct nft_ports *ports);
void nft_rule_end(struct nft_batch *batch);

/*
 * A table of that family with chains and maps of these names (NULL-terminated) is gone, if it has nothing
 * else and its maps are empty; else the commit fails, and nothing happens.
 */
void nft_batch_remove_empty_table(struct nft_batch *batch, unsigned family, const char *table,
                                  const char *const names[]);

/* How many rules have been added. */
unsigned nft_batch_get_rules(const struct nft_batch *batch);

/*
 * Applies all of it, or nothing with ERROR_SYSTEM_ERROR: "cannot <what>: ..."; a kernel without nftables is
 * told as such. The batch is used up.
 */
bool nft_batch_commit(struct nft_batch *batch, struct netlink *netlink, const char *what, GError **error);

/* ---- what there is ---- */

/* How many rules the table has; 0 also when there is no such table. */
bool nft_count_rules(struct netlink *netlink, const char *table, unsigned *count, GError **error);

/* What a chain has. */
struct nft_chain_rules {
        unsigned count;
        char *comment; /* owned; of the last; NULL: it has none */
};
/*
 * The rules of a table of family NFPROTO_...: name of a chain -> struct nft_chain_rules, chains without rules
 * left out; owned. Empty also when there is no such table; NULL with an error.
 */
GHashTable *nft_list_rules(struct netlink *netlink, unsigned family, const char *table, GError **error);

/*
 * The names of links that are keys of a map; owned. Empty also when there is no such map; NULL with an
 * error.
 */
GHashTable *nft_list_links(struct netlink *netlink, unsigned family, const char *table, const char *map,
                           GError **error);

/* The same of a set of IPv4 addresses, as text. */
GHashTable *nft_list_addresses(struct netlink *netlink, unsigned family, const char *table, const char *set,
                               GError **error);

/* A chain of any table. Borrowed during the call. */
struct nft_chain {
        unsigned family; /* NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET ... */
        const char *table, *name;
        int hook;   /* NF_INET_...; -1: packets come from other chains only */
        bool drops; /* what no rule of it decides */
};
typedef void (*nft_chain_fn)(const struct nft_chain *chain, void *data);
/* All there are; when tables change meanwhile some come twice. */
bool nft_list_chains(struct netlink *netlink, nft_chain_fn fn, void *data, GError **error);

DEFINE_CLEANUP(struct nft_batch, nft_batch_free);
