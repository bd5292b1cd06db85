/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel has of the table of nftables, and whether that is all; the table's end. In lanes. */
#include "base/error.h"
#include "base/log.h"
#include "drivers/nwfilter/rules.h"
#include "interfaces/netlink.h"
#include "interfaces/nftables.h"

#include <linux/netfilter.h>

struct nwfilter_sight {
        GHashTable *chains;                /* owned; nft_list_rules() */
        GHashTable *links[NWFILTER_BASES]; /* owned; what leads to the chains of ports */
};

struct nwfilter_sight *nwfilter_sight_new(struct netlink *netlink, GError **error)
{
        CLEANUP(nwfilter_sight_free) struct nwfilter_sight *sight = g_new0(struct nwfilter_sight, 1);

        sight->chains = nft_list_rules(netlink, NFPROTO_BRIDGE, NWFILTER_TABLE_NAME, error);
        if (!sight->chains)
                return NULL;
        for (unsigned i = 0; i < NWFILTER_BASES; i++) {
                sight->links[i] = nft_list_links(netlink, NFPROTO_BRIDGE, NWFILTER_TABLE_NAME,
                                                 nwfilter_bases[i].name, error);
                if (!sight->links[i])
                        return NULL;
        }
        return g_steal_pointer(&sight);
}

void nwfilter_sight_free(struct nwfilter_sight *sight)
{
        if (!sight)
                return;
        g_clear_pointer(&sight->chains, g_hash_table_unref);
        for (unsigned i = 0; i < NWFILTER_BASES; i++)
                g_clear_pointer(&sight->links[i], g_hash_table_unref);
        g_free(sight);
}

static bool is_chain_whole(GHashTable *chains, const struct nwfilter_base *base, const char *device)
{
        g_autofree char *name = g_strdup_printf("%s-%s", base->letters, device);
        const struct nft_chain_rules *rules = g_hash_table_lookup(chains, name);
        uint64_t count;

        return g_hash_table_contains(chains, base->name) && rules && rules->comment &&
               g_ascii_string_to_unsigned(rules->comment, 10, 0, UINT32_MAX, &count, NULL) &&
               rules->count == count + 1;
}

bool nwfilter_sight_has(const struct nwfilter_sight *sight, const char *device)
{
        for (unsigned i = 0; i < NWFILTER_BASES; i++)
                if (!is_chain_whole(sight->chains, &nwfilter_bases[i], device) ||
                    !g_hash_table_contains(sight->links[i], device))
                        return false;
        return true;
}

/* The kernel says whether it is empty: whoever adds a port at the same time makes it again, or keeps it. */
void nwfilter_table_remove_empty(struct lane *lane)
{
        const char *names[NWFILTER_BASES + 1] = { NULL };
        CLEANUP(nft_batch_free) struct nft_batch *batch = nft_batch_new();
        g_autoptr(GError) error = NULL;
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new_filter(lane, &error);

        for (unsigned i = 0; i < NWFILTER_BASES; i++)
                names[i] = nwfilter_bases[i].name;
        nft_batch_remove_empty_table(batch, NFPROTO_BRIDGE, NWFILTER_TABLE_NAME, names);
        if (!netlink || !nft_batch_commit(batch, netlink, "remove the empty table of filters", &error))
                log_debug("the table of filters stays: %s", error->message);
}
