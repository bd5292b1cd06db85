/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's rules of a network. They stand in chains of its own among those of iptables(8), which says what
 * there is (-S) and takes what is to go (iptables-restore): as "-D CHAIN ...", all of a table in one
 * transaction. A rule is the network's when it names its bridge, or, where addresses are translated, comes
 * from one of its networks. From version 10.4 on libvirt has tables of nftables(8), which stay. In the
 * network's lane.
 */
#include "base/error.h"
#include "base/spawn.h"
#include "drivers/network/adopt.h"
#include "drivers/network/model.h"
#include "interfaces/netlink.h"

#include <linux/netfilter.h>
#include <string.h>

#define TIMEOUT_MS 10000
/* Of nftables. */
#define OWN_TABLE "libvirt_network"

static const struct {
        const char *list, *restore;
} programs[] = {
        { "iptables", "iptables-restore" },
        { "ip6tables", "ip6tables-restore" },
};

static const char *const tables[] = { "filter", "nat", "mangle" };

/* ---- which ones ---- */

static bool is_own_chain(const char *name)
{
        static const char *const chains[] = { "LIBVIRT_INP", "LIBVIRT_OUT", "LIBVIRT_FWI",
                                              "LIBVIRT_FWO", "LIBVIRT_FWX", "LIBVIRT_PRT" };

        for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++)
                if (strcmp(chains[i], name) == 0)
                        return true;
        return false;
}

/* "192.168.122.0/24": as iptables writes it. */
static bool is_own_network(const char *text, const struct network_def *def)
{
        for (unsigned i = 0; i < def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);
                struct network_address first = network_address_get_first(&ip->address, ip->prefix);
                char address[NETWORK_ADDRESS_TEXT_MAX];
                g_autofree char *own =
                        g_strdup_printf("%s/%u", network_address_format(&first, address), ip->prefix);

                if (strcmp(text, own) == 0)
                        return true;
        }
        return false;
}

/* words: "-A", chain, and what is matched. */
static bool is_rule_of(char **words, const struct network_def *def)
{
        bool translates = strcmp(words[1], "LIBVIRT_PRT") == 0;

        for (unsigned i = 2; words[i] && words[i + 1]; i++) {
                const char *value = words[i + 1];
                bool is_link = strcmp(words[i], "-i") == 0 || strcmp(words[i], "-o") == 0;

                if ((is_link && strcmp(value, def->bridge) == 0) ||
                    (translates && strcmp(words[i], "-s") == 0 && is_own_network(value, def)))
                        return true;
        }
        return false;
}

static bool is_to_go(const char *line, const struct network_def *def)
{
        g_auto(GStrv) words = g_strsplit(line, " ", -1);

        return g_strv_length(words) > 2 && strcmp(words[0], "-A") == 0 && is_own_chain(words[1]) &&
               is_rule_of(words, def);
}

char *network_adoption_choose_rules(const char *list, const char *table, const struct network_def *def)
{
        g_auto(GStrv) lines = g_strsplit(list, "\n", -1);
        GString *input = g_string_new(NULL);
        bool any = false;

        g_string_append_printf(input, "*%s\n", table);
        for (unsigned i = 0; lines[i]; i++) {
                if (!is_to_go(lines[i], def))
                        continue;
                any = true;
                g_string_append_printf(input, "-D%s\n", lines[i] + strlen("-A"));
        }
        g_string_append(input, "COMMIT\n");
        return g_string_free(input, !any);
}

/* ---- in the kernel ---- */

/* What cannot be listed is named: a kernel without IPv6 has no rules of it. */
static char *list_rules(struct network *network, unsigned program, const char *table, GPtrArray *left)
{
        const char *const argv[] = { programs[program].list, "-w", "5", "-t", table, "-S", NULL };
        g_autofree char *path = g_find_program_in_path(programs[program].list);
        g_autoptr(GError) error = NULL;
        char *list = NULL;

        /* Then libvirt cannot have had it either. */
        if (!path)
                return NULL;
        if (!spawn_check(network->base.lane, argv, TIMEOUT_MS, &list, &error))
                g_ptr_array_add(left, g_strdup_printf("rules that libvirt may have made with %s, in table "
                                                      "'%s', stay: %s",
                                                      programs[program].list, table, error->message));
        return list;
}

static bool remove_rules(struct network *network, const struct network_def *def, unsigned program,
                         const char *table, GPtrArray *left, GError **error)
{
        const char *const argv[] = { programs[program].restore, "-w", "5", "--noflush", NULL };
        g_autofree char *list = list_rules(network, program, table, left),
                        *input = list ? network_adoption_choose_rules(list, table, def) : NULL;
        struct spawn_result result = { 0 };
        bool ok;

        if (!input)
                return true;
        ok = spawn_run(network->base.lane, argv, input, TIMEOUT_MS, &result, error) &&
             spawn_result_check(argv[0], &result, error);
        spawn_result_clear(&result);
        if (!ok)
                g_prefix_error(error,
                               "libvirt's rules of the network, in table '%s', cannot be removed: ", table);
        return ok;
}

static void find_own_table(const struct nft_chain *chain, void *data)
{
        bool *found = data;

        *found |= strcmp(chain->table, OWN_TABLE) == 0;
}

static void name_own_table(struct network *network, GPtrArray *left)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new_filter(network->base.lane, NULL);
        bool found = false;

        if (netlink && nft_list_chains(netlink, find_own_table, &found, NULL) && found)
                g_ptr_array_add(left, g_strdup("libvirt's rules in table '" OWN_TABLE
                                               "' of nftables stay until the next boot"));
}

bool network_adoption_remove_rules(struct network *network, const struct network_def *def, GPtrArray *left,
                                   GError **error)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++)
                for (unsigned j = 0; j < G_N_ELEMENTS(tables); j++)
                        if (!remove_rules(network, def, i, tables[j], left, error))
                                return false;
        name_own_table(network, left);
        return true;
}
