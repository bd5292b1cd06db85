/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What others do to the packet filter of the host, told by the kernel: tables of nftables in which something
 * was removed, or that are new. What the agent does with sockets of its own is not told; programs that it
 * starts, nft(8), are others as well.
 */

#include "interfaces/nftables.h"

struct loop;
struct nft_source;
struct pool;

/* More tables at once are told as all. */
#define NFT_SOURCE_TABLES_MAX 1024

/* On the loop. tables: set of their names, borrowed during the call; NULL: any may have changed. */
typedef void (*nft_source_fn)(GHashTable *tables, void *data);

/* Loop. Follows from now on; a kernel without nftables has nothing to tell, which is logged. */
struct nft_source *nft_source_new(struct loop *loop, struct pool *pool);
/* Loop. */
void nft_source_listen(struct nft_source *source, nft_source_fn fn, void *data);
/* Ends what nft_source_listen() with the same arguments began. */
void nft_source_unlisten(struct nft_source *source, nft_source_fn fn, void *data);
/* Loop. Nobody is told any more. NULL is fine. */
void nft_source_free(struct nft_source *source);
