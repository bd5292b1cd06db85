/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of nftables with all filtered interfaces: the parts of transactions for one of them, and
 * addresses that are learned. The kernel learns by itself, into a set that rules add to. Any thread.
 */
#include "base/error.h"
#include "drivers/nwfilter/port.h"
#include "drivers/nwfilter/rules.h"
#include "interfaces/nftables.h"

#include <linux/netfilter.h>

#include <string.h>

/* ---- addresses that are learned ---- */

#define ADD_ELEMENT "add element " NWFILTER_TABLE " "

/* By the value of CTRL_IP_LEARNING. */
static const struct learning {
        const char *name;
        const char *prefix; /* of the name of the set; NULL: none */
        unsigned size;      /* of it, in addresses */
} learnings[] = {
        { "any", "ip-", 1 },
        { "dhcp", "dhcp-", 16 },
        { "none", NULL, 0 },
};

enum { LEARN_ANY, LEARN_DHCP };

/* NULL with an error: the document says something else. */
static const struct learning *choose_learning(const struct nwfilter_port *port,
                                              const struct nwfilter_params *params, GError **error)
{
        g_autoptr(GPtrArray) names = nwfilter_params_find(params, "CTRL_IP_LEARNING");
        const char *name = names->len ? g_ptr_array_index(names, 0) : learnings[LEARN_ANY].name;

        for (unsigned i = 0; i < G_N_ELEMENTS(learnings); i++)
                if (g_ascii_strcasecmp(name, learnings[i].name) == 0)
                        return &learnings[i];
        error_set(error, ERROR_FROM_NWFILTER, ERROR_CONFIG_UNSUPPORTED,
                  "'%s' is no value for CTRL_IP_LEARNING of interface '%s': it is 'any', 'dhcp' or 'none'",
                  name, port->device);
        return NULL;
}

/* "@ip-vnet0"; owned, NULL: nothing is learned */
static char *name_set(const struct learning *learning, const struct nwfilter_port *port)
{
        return learning->prefix ? g_strconcat("@", learning->prefix, port->device, NULL) : NULL;
}

static void put_set(const struct learning *learning, const char *device, GString *out)
{
        g_string_append_printf(
                out, "add set " NWFILTER_TABLE " %s%s { type ipv4_addr; size %u; flags dynamic; }\n",
                learning->prefix, device, learning->size);
}

/* Made first, so that it is there to be removed. */
static void drop_sets(const char *device, const struct learning *kept, GString *out)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(learnings); i++) {
                if (!learnings[i].prefix || &learnings[i] == kept)
                        continue;
                put_set(&learnings[i], device, out);
                g_string_append_printf(out, "delete set " NWFILTER_TABLE " %s%s\n", learnings[i].prefix,
                                       device);
        }
}

/* "10.0.0.1, 10.0.0.2"; owned. "": any server may be one. NULL with an error. */
static char *list_servers(const struct nwfilter_params *params, GError **error)
{
        static const struct nwfilter_attribute address = { .name = "DHCPSERVER", .type = NWFILTER_IP };
        g_autoptr(GPtrArray) servers = nwfilter_params_find(params, address.name);
        g_autoptr(GString) out = g_string_new(NULL);

        for (unsigned i = 0; i < servers->len; i++) {
                g_autofree char *quoted = error_quote(g_ptr_array_index(servers, i));
                struct nwfilter_value value;

                if (!nwfilter_value_parse(&address, g_ptr_array_index(servers, i), &value)) {
                        error_set(error, ERROR_FROM_NWFILTER, ERROR_CONFIG_UNSUPPORTED,
                                  "'%s' is no IPv4 address for %s", quoted, address.name);
                        return NULL;
                }
                g_string_append_printf(out, "%s%s", out->len ? ", " : "", value.text);
                nwfilter_value_clear(&value);
        }
        return g_strdup(out->str);
}

/* The first address that the guest uses with its own MAC address. */
static void learn_any(const struct nwfilter_port *port, const char *mac, const char *set, GString *out)
{
        g_autofree char *rule =
                g_strdup_printf("add rule " NWFILTER_TABLE " ol-%s ether saddr %s ", port->device, mac);

        g_string_append_printf(out, "%sether type ip ip saddr != 0.0.0.0 add %s { ip saddr }\n", rule, set);
        g_string_append_printf(out, "%sether type 0x0806 arp saddr ip != 0.0.0.0 add %s { arp saddr ip }\n",
                               rule, set);
}

/* What DHCP servers give it: a reply (op 2) to its hardware address, with an address "yiaddr" (RFC 2131). */
static bool learn_dhcp(const struct nwfilter_port *port, const struct nwfilter_params *params,
                       const char *set, GString *out, GError **error)
{
        const uint8_t *mac = port->mac;
        g_autofree char *servers = list_servers(params, error);

        if (!servers)
                return false;
        g_string_append_printf(out, "add rule " NWFILTER_TABLE " il-%s ether type ip ", port->device);
        if (*servers)
                g_string_append_printf(out, "ip saddr { %s } ", servers);
        g_string_append_printf(out,
                               "udp sport 67 udp dport 68 @th,64,8 2 @th,288,48 0x%02x%02x%02x%02x%02x%02x "
                               "@th,192,32 != 0 add %s { @th,192,32 }\n",
                               mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], set);
        return true;
}

/* What was learned in another way is forgotten. */
static void put_learned(const struct learning *learning, const char *device, const char *learned,
                        GString *out)
{
        g_autofree char *begin = g_strdup_printf(ADD_ELEMENT "%s%s ", learning->prefix, device);

        if (learned && g_str_has_prefix(learned, begin))
                g_string_append(out, learned);
}

char *nwfilter_table_read_learned(struct netlink *netlink, const char *device)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(learnings); i++) {
                g_autofree char *set = g_strconcat(learnings[i].prefix ? learnings[i].prefix : "", device,
                                                   NULL),
                                *texts = NULL;
                g_autoptr(GHashTable) found = NULL;
                g_autofree void **keys = NULL;

                if (!learnings[i].prefix)
                        continue;
                found = nft_list_addresses(netlink, NFPROTO_BRIDGE, NWFILTER_TABLE_NAME, set, NULL);
                if (!found || g_hash_table_size(found) == 0)
                        continue;
                keys = g_hash_table_get_keys_as_array(found, NULL);
                texts = g_strjoinv(", ", (char **)keys);
                return g_strdup_printf(ADD_ELEMENT "%s { %s }\n", set, texts);
        }
        return NULL;
}

/* learning NULL: there is nothing to learn. */
static bool put_learning(const struct nwfilter_port *port, const struct nwfilter_params *params,
                         const struct learning *learning, bool fresh, const char *learned, GString *out,
                         GError **error)
{
        g_autofree char *set = learning ? name_set(learning, port) : NULL;
        g_autoptr(GPtrArray) macs = nwfilter_params_find(params, "MAC");

        drop_sets(port->device, fresh || learned ? NULL : learning, out);
        if (!learning)
                return true;
        put_set(learning, port->device, out);
        put_learned(learning, port->device, learned, out);
        if (learning == &learnings[LEARN_DHCP])
                return learn_dhcp(port, params, set, out, error);
        learn_any(port, g_ptr_array_index(macs, 0), set, out);
        return true;
}

/* ---- the table ---- */

const struct nwfilter_base nwfilter_bases[NWFILTER_BASES] = {
        /* Behind the link layer the kernel finds out to which connection a packet belongs (priority -200). */
        { "out_link", "ol", "prerouting", "iifname", -300 },
        { "out_network", "on", "prerouting", "iifname", -150 },
        { "in_network", "in", "postrouting", "oifname", 150 },
        { "in_link", "il", "postrouting", "oifname", 300 },
};

void nwfilter_table_begin(GString *out)
{
        g_string_append(out, "add table " NWFILTER_TABLE "\n");
        for (unsigned i = 0; i < NWFILTER_BASES; i++) {
                const struct nwfilter_base *base = &nwfilter_bases[i];

                g_string_append_printf(out,
                                       "add map " NWFILTER_TABLE " %s { type ifname : verdict; }\n"
                                       "add chain " NWFILTER_TABLE
                                       " %s { type filter hook %s priority %d; }\n"
                                       "flush chain " NWFILTER_TABLE " %s\n"
                                       "add rule " NWFILTER_TABLE " %s %s vmap @%s\n",
                                       base->name, base->name, base->hook, base->priority, base->name,
                                       base->name, base->end, base->name);
        }
}

/* The four chains of a port are there, and empty. */
static void clear_chains(const char *device, GString *out)
{
        for (unsigned i = 0; i < NWFILTER_BASES; i++)
                g_string_append_printf(out,
                                       "add chain " NWFILTER_TABLE " %s-%s\n"
                                       "flush chain " NWFILTER_TABLE " %s-%s\n",
                                       nwfilter_bases[i].letters, device, nwfilter_bases[i].letters, device);
}

static void lead_to_chains(const char *device, GString *out)
{
        for (unsigned i = 0; i < NWFILTER_BASES; i++)
                g_string_append_printf(out, "add element " NWFILTER_TABLE " %s { \"%s\" : goto %s-%s }\n",
                                       nwfilter_bases[i].name, device, nwfilter_bases[i].letters, device);
}

void nwfilter_table_drop(const char *device, GString *out)
{
        clear_chains(device, out);
        lead_to_chains(device, out);
        for (unsigned i = 0; i < NWFILTER_BASES; i++)
                g_string_append_printf(out,
                                       "delete element " NWFILTER_TABLE " %s { \"%s\" }\n"
                                       "delete chain " NWFILTER_TABLE " %s-%s\n",
                                       nwfilter_bases[i].name, device, nwfilter_bases[i].letters, device);
        drop_sets(device, NULL, out);
}

/* It is part of the names of chains. */
static bool check_device(const struct nwfilter_port *port, GError **error)
{
        g_autofree char *quoted = error_quote(port->device);

        for (const char *c = port->device; *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("_.-", *c))
                        return error_set(
                                error, ERROR_FROM_NWFILTER, ERROR_CONFIG_UNSUPPORTED,
                                "the name '%s' of an interface with a filter is not supported: it may "
                                "have letters, digits, '_', '.' and '-'",
                                quoted);
        return *port->device != '\0' || error_set(error, ERROR_FROM_NWFILTER, ERROR_INTERNAL_ERROR,
                                                  "an interface with a filter has no name");
}

/* The interface's own values; MAC is what it is, whatever somebody says. Owned. */
static struct nwfilter_params *complete_params(const struct nwfilter_port *port)
{
        struct nwfilter_params *params = nwfilter_params_new();
        const uint8_t *mac = port->mac;

        g_ptr_array_add(params->names, g_strdup("MAC"));
        g_ptr_array_add(params->values, g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
                                                        mac[2], mac[3], mac[4], mac[5]));
        for (unsigned i = 0; i < port->params->names->len; i++) {
                const char *name = g_ptr_array_index(port->params->names, i);

                if (strcmp(name, "MAC") == 0)
                        continue;
                g_ptr_array_add(params->names, g_strdup(name));
                g_ptr_array_add(params->values, g_strdup(g_ptr_array_index(port->params->values, i)));
        }
        return params;
}

/* Lines that begin with that. */
static unsigned count_lines(const char *text, const char *beginning)
{
        unsigned count = 0;

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                count += g_str_has_prefix(line, beginning);
        }
        return count;
}

/* commands: all of this transaction for the port. */
static void end_chains(const char *device, const char *commands, GString *out)
{
        for (unsigned i = 0; i < NWFILTER_BASES; i++) {
                g_autofree char *rule = g_strdup_printf("add rule " NWFILTER_TABLE " %s-%s ",
                                                        nwfilter_bases[i].letters, device);

                g_string_append_printf(out, "%sreturn comment \"%u\"\n", rule, count_lines(commands, rule));
        }
}

/* Rules come last in the transaction; they say whether an address is to be learned. */
bool nwfilter_table_put(const struct nwfilter_snapshot *snapshot, const struct nwfilter_port *port,
                        bool fresh, const char *learned, GString *out, GError **error)
{
        CLEANUP(nwfilter_params_free) struct nwfilter_params *params = complete_params(port);
        const struct learning *learning = choose_learning(port, params, error);
        g_autofree char *set = learning ? name_set(learning, port) : NULL;
        g_autoptr(GString) rules = g_string_new(NULL), commands = g_string_new(NULL);
        bool needs_learned = false;

        if (!learning || !check_device(port, error) ||
            !nwfilter_instantiate(snapshot, port, params, set, &needs_learned, rules, error))
                return false;
        clear_chains(port->device, commands);
        if (!put_learning(port, params, needs_learned ? learning : NULL, fresh, learned, commands, error))
                return false;
        g_string_append_len(commands, rules->str, (gssize)rules->len);
        g_string_append_len(out, commands->str, (gssize)commands->len);
        end_chains(port->device, commands->str, out);
        lead_to_chains(port->device, out);
        return true;
}
