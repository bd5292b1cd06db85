/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transactions of nftables. What a rule is made of is what nft(8) makes of the same words (nft
 * --debug=netlink prints it). Any thread, but for what asks the kernel.
 */
#include "interfaces/nftables.h"

#include "base/error.h"
#include "interfaces/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

/* One message: a rule of some ten expressions is less than 1 KiB. */
#define MESSAGE_SIZE 4096

/* Offsets in the headers of IPv4 (RFC 791) and IPv6 (RFC 8200). */
#define SOURCE_IN_IPV4 12
#define SOURCE_IN_IPV6 8

struct nft_batch {
        GByteArray *bytes;          /* owned; messages, one behind the other */
        uint32_t sequence;          /* of the last message */
        const char *table;          /* borrowed */
        struct nl_msg *rule;        /* owned; the one being made */
        struct nlattr *expressions; /* in rule */
        unsigned rules;
};

/* ---- messages ---- */

static struct nl_msg *begin(struct nft_batch *batch, uint8_t family, int type, int flags)
{
        struct nl_msg *message = nlmsg_alloc_size(MESSAGE_SIZE);
        struct nfgenmsg head = { .nfgen_family = family, .version = NFNETLINK_V0 };

        /* The head of a batch says which subsystem it is for. */
        if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
                head.res_id = htons(NFNL_SUBSYS_NFTABLES);
        nlmsg_put(message, NL_AUTO_PORT, ++batch->sequence, type, 0, NLM_F_REQUEST | flags);
        nlmsg_append(message, &head, sizeof(head), NLMSG_ALIGNTO);
        return message;
}

static struct nl_msg *begin_nft(struct nft_batch *batch, int type, int flags)
{
        return begin(batch, NFPROTO_INET, NFNL_SUBSYS_NFTABLES << 8 | type, flags);
}

static void end(struct nft_batch *batch, struct nl_msg *message)
{
        struct nlmsghdr *header = nlmsg_hdr(message);

        g_byte_array_append(batch->bytes, (const guint8 *)header, NLMSG_ALIGN(header->nlmsg_len));
        nlmsg_free(message);
}

struct nft_batch *nft_batch_new(void)
{
        struct nft_batch *batch = g_new0(struct nft_batch, 1);

        batch->bytes = g_byte_array_new();
        end(batch, begin(batch, AF_UNSPEC, NFNL_MSG_BATCH_BEGIN, 0));
        return batch;
}

void nft_batch_free(struct nft_batch *batch)
{
        if (!batch)
                return;
        if (batch->rule)
                nlmsg_free(batch->rule);
        g_byte_array_unref(batch->bytes);
        g_free(batch);
}

/* ---- tables and chains ---- */

static void put_table(struct nft_batch *batch, int type, int flags, const char *table)
{
        struct nl_msg *message = begin_nft(batch, type, flags);

        nla_put_string(message, NFTA_TABLE_NAME, table);
        end(batch, message);
}

void nft_batch_delete_table(struct nft_batch *batch, const char *table)
{
        put_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table); /* so that there is one */
        put_table(batch, NFT_MSG_DELTABLE, 0, table);
}

/* The flag that keeps what has something in it; rules of chains go with them. */
void nft_batch_remove_empty_table(struct nft_batch *batch, unsigned family, const char *table,
                                  const char *const names[])
{
        static const struct {
                int type, table, name, flags;
        } parts[] = {
                { NFT_MSG_DELCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, 0 },
                { NFT_MSG_DELSET, NFTA_SET_TABLE, NFTA_SET_NAME, NLM_F_NONREC },
        };
        struct nl_msg *message;

        for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
                for (unsigned j = 0; names[j]; j++) {
                        message = begin(batch, (uint8_t)family, NFNL_SUBSYS_NFTABLES << 8 | parts[i].type,
                                        parts[i].flags);
                        nla_put_string(message, parts[i].table, table);
                        nla_put_string(message, parts[i].name, names[j]);
                        end(batch, message);
                }
        }
        message = begin(batch, (uint8_t)family, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NLM_F_NONREC);
        nla_put_string(message, NFTA_TABLE_NAME, table);
        end(batch, message);
}

void nft_batch_add_table(struct nft_batch *batch, const char *table)
{
        batch->table = table;
        put_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table);
}

void nft_batch_add_chain(struct nft_batch *batch, const struct nft_hook *hook)
{
        struct nl_msg *message = begin_nft(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
        struct nlattr *place;

        nla_put_string(message, NFTA_CHAIN_TABLE, batch->table);
        nla_put_string(message, NFTA_CHAIN_NAME, hook->chain);
        place = nla_nest_start(message, NFTA_CHAIN_HOOK);
        nla_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(hook->number));
        nla_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)hook->priority));
        nla_nest_end(message, place);
        nla_put_string(message, NFTA_CHAIN_TYPE, hook->type);
        end(batch, message);
}

/* ---- expressions ---- */

struct expression {
        struct nlattr *element, *data;
};

static struct expression begin_expression(struct nft_batch *batch, const char *name)
{
        struct expression expression;

        expression.element = nla_nest_start(batch->rule, NFTA_LIST_ELEM);
        nla_put_string(batch->rule, NFTA_EXPR_NAME, name);
        expression.data = nla_nest_start(batch->rule, NFTA_EXPR_DATA);
        return expression;
}

static void end_expression(struct nft_batch *batch, const struct expression *expression)
{
        nla_nest_end(batch->rule, expression->data);
        nla_nest_end(batch->rule, expression->element);
}

static void put_number(struct nft_batch *batch, int type, uint32_t value)
{
        nla_put_u32(batch->rule, type, htonl(value));
}

static void put_value(struct nft_batch *batch, int type, const void *bytes, size_t length)
{
        struct nlattr *nested = nla_nest_start(batch->rule, type);

        nla_put(batch->rule, NFTA_DATA_VALUE, (int)length, bytes);
        nla_nest_end(batch->rule, nested);
}

static void load_meta(struct nft_batch *batch, enum nft_meta_keys key)
{
        struct expression expression = begin_expression(batch, "meta");

        put_number(batch, NFTA_META_KEY, key);
        put_number(batch, NFTA_META_DREG, NFT_REG_1);
        end_expression(batch, &expression);
}

static void compare(struct nft_batch *batch, enum nft_cmp_ops op, const void *bytes, size_t length)
{
        struct expression expression = begin_expression(batch, "cmp");

        put_number(batch, NFTA_CMP_SREG, NFT_REG_1);
        put_number(batch, NFTA_CMP_OP, op);
        put_value(batch, NFTA_CMP_DATA, bytes, length);
        end_expression(batch, &expression);
}

static void load_network_header(struct nft_batch *batch, unsigned offset, unsigned length)
{
        struct expression expression = begin_expression(batch, "payload");

        put_number(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
        put_number(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
        put_number(batch, NFTA_PAYLOAD_OFFSET, offset);
        put_number(batch, NFTA_PAYLOAD_LEN, length);
        end_expression(batch, &expression);
}

static void mask(struct nft_batch *batch, const void *bytes, size_t length)
{
        static const uint8_t zeros[16];
        struct expression expression = begin_expression(batch, "bitwise");

        put_number(batch, NFTA_BITWISE_SREG, NFT_REG_1);
        put_number(batch, NFTA_BITWISE_DREG, NFT_REG_1);
        put_number(batch, NFTA_BITWISE_LEN, (uint32_t)length);
        put_value(batch, NFTA_BITWISE_MASK, bytes, length);
        put_value(batch, NFTA_BITWISE_XOR, zeros, length);
        end_expression(batch, &expression);
}

static void load_value(struct nft_batch *batch, enum nft_registers into, const void *bytes, size_t length)
{
        struct expression expression = begin_expression(batch, "immediate");

        put_number(batch, NFTA_IMMEDIATE_DREG, into);
        put_value(batch, NFTA_IMMEDIATE_DATA, bytes, length);
        end_expression(batch, &expression);
}

/* ---- rules ---- */

void nft_rule_begin(struct nft_batch *batch, const char *chain)
{
        batch->rule = begin_nft(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
        batch->rules++;
        nla_put_string(batch->rule, NFTA_RULE_TABLE, batch->table);
        nla_put_string(batch->rule, NFTA_RULE_CHAIN, chain);
        batch->expressions = nla_nest_start(batch->rule, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nft_batch *batch)
{
        nla_nest_end(batch->rule, batch->expressions);
        end(batch, g_steal_pointer(&batch->rule));
}

static void match_link(struct nft_batch *batch, enum nft_meta_keys key, const char *link)
{
        char name[IFNAMSIZ] = "";

        strncpy(name, link, sizeof(name) - 1);
        load_meta(batch, key);
        compare(batch, NFT_CMP_EQ, name, sizeof(name));
}

void nft_rule_match_input(struct nft_batch *batch, const char *link)
{
        match_link(batch, NFT_META_IIFNAME, link);
}

void nft_rule_match_output(struct nft_batch *batch, const char *link)
{
        match_link(batch, NFT_META_OIFNAME, link);
}

/* The bytes of address without those behind its prefix; mask_bytes: those of the prefix. */
static void split(const struct nft_address *address, uint8_t network[16], uint8_t mask_bytes[16])
{
        for (unsigned i = 0; i < 16; i++) {
                unsigned bits = address->prefix > i * 8 ? address->prefix - i * 8 : 0;

                mask_bytes[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
                network[i] = address->bytes[i] & mask_bytes[i];
        }
}

void nft_rule_match_address(struct nft_batch *batch, const struct nft_address *address)
{
        bool is_ipv6 = address->family == AF_INET6;
        uint8_t family = is_ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4, network[16], mask_bytes[16];
        unsigned length = is_ipv6 ? 16 : 4, offset = is_ipv6 ? SOURCE_IN_IPV6 : SOURCE_IN_IPV4;

        load_meta(batch, NFT_META_NFPROTO);
        compare(batch, NFT_CMP_EQ, &family, sizeof(family));
        split(address, network, mask_bytes);
        if (address->is_destination)
                offset += length;
        if (address->prefix % 8 == 0 && address->prefix > 0)
                length = address->prefix / 8;
        load_network_header(batch, offset, length);
        if (address->prefix % 8 != 0 || address->prefix == 0)
                mask(batch, mask_bytes, length);
        compare(batch, address->is_other ? NFT_CMP_NEQ : NFT_CMP_EQ, network, length);
}

void nft_rule_match_protocol(struct nft_batch *batch, uint8_t protocol)
{
        load_meta(batch, NFT_META_L4PROTO);
        compare(batch, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void nft_rule_match_answers(struct nft_batch *batch)
{
        uint32_t states = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED), none = 0;
        struct expression expression = begin_expression(batch, "ct");

        put_number(batch, NFTA_CT_KEY, NFT_CT_STATE);
        put_number(batch, NFTA_CT_DREG, NFT_REG_1);
        end_expression(batch, &expression);
        mask(batch, &states, sizeof(states));
        compare(batch, NFT_CMP_NEQ, &none, sizeof(none));
}

static void put_verdict(struct nft_batch *batch, int verdict)
{
        struct expression expression = begin_expression(batch, "immediate");
        struct nlattr *data, *nested;

        put_number(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
        data = nla_nest_start(batch->rule, NFTA_IMMEDIATE_DATA);
        nested = nla_nest_start(batch->rule, NFTA_DATA_VERDICT);
        put_number(batch, NFTA_VERDICT_CODE, (uint32_t)verdict);
        nla_nest_end(batch->rule, nested);
        nla_nest_end(batch->rule, data);
        end_expression(batch, &expression);
}

void nft_rule_accept(struct nft_batch *batch)
{
        put_verdict(batch, NF_ACCEPT);
}

void nft_rule_return(struct nft_batch *batch)
{
        put_verdict(batch, NFT_RETURN);
}

void nft_rule_reject(struct nft_batch *batch)
{
        struct expression expression = begin_expression(batch, "reject");

        put_number(batch, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
        nla_put_u8(batch->rule, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_PORT_UNREACH);
        end_expression(batch, &expression);
}

/* ---- addresses translated ---- */

static bool has_ports(const struct nft_ports *ports)
{
        return ports->start != 0;
}

static void load_ports(struct nft_batch *batch, const struct nft_ports *ports, enum nft_registers first)
{
        uint16_t start = htons(ports->start), end_port = htons(ports->end);

        load_value(batch, first, &start, sizeof(start));
        load_value(batch, first + 1, &end_port, sizeof(end_port));
}

void nft_rule_masquerade(struct nft_batch *batch, const struct nft_ports *ports)
{
        struct expression expression;

        if (has_ports(ports))
                load_ports(batch, ports, NFT_REG_1);
        expression = begin_expression(batch, "masq");
        if (has_ports(ports)) {
                put_number(batch, NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
                put_number(batch, NFTA_MASQ_REG_PROTO_MIN, NFT_REG_1);
                put_number(batch, NFTA_MASQ_REG_PROTO_MAX, NFT_REG_2);
        }
        end_expression(batch, &expression);
}

void nft_rule_translate(struct nft_batch *batch, const uint8_t start[4], const uint8_t last[4],
                        const struct nft_ports *ports)
{
        uint32_t flags = NF_NAT_RANGE_MAP_IPS;
        struct expression expression;

        load_value(batch, NFT_REG_1, start, 4);
        load_value(batch, NFT_REG_2, last, 4);
        if (has_ports(ports)) {
                load_ports(batch, ports, NFT_REG_3);
                flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
        }
        expression = begin_expression(batch, "nat");
        put_number(batch, NFTA_NAT_TYPE, NFT_NAT_SNAT);
        put_number(batch, NFTA_NAT_FAMILY, NFPROTO_IPV4);
        put_number(batch, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
        put_number(batch, NFTA_NAT_REG_ADDR_MAX, NFT_REG_2);
        put_number(batch, NFTA_NAT_FLAGS, flags);
        if (has_ports(ports)) {
                put_number(batch, NFTA_NAT_REG_PROTO_MIN, NFT_REG_3);
                put_number(batch, NFTA_NAT_REG_PROTO_MAX, NFT_REG_4);
        }
        end_expression(batch, &expression);
}

/* ---- the kernel ---- */

unsigned nft_batch_get_rules(const struct nft_batch *batch)
{
        return batch->rules;
}

bool nft_batch_commit(struct nft_batch *batch, struct netlink *netlink, const char *what, GError **error)
{
        g_autoptr(GError) failure = NULL;
        uint32_t last = batch->sequence;
        size_t length = batch->bytes->len;
        struct nlmsghdr *header = NULL;
        int errnum;

        /* The last one that does something is acknowledged, which is when all are done. */
        for (size_t offset = 0; offset < length; offset += NLMSG_ALIGN(header->nlmsg_len))
                header = (void *)(batch->bytes->data + offset);
        header->nlmsg_flags |= NLM_F_ACK;
        end(batch, begin(batch, AF_UNSPEC, NFNL_MSG_BATCH_END, 0));
        if (netlink_request_batch(netlink, batch->bytes, last, what, &errnum, &failure))
                return true;
        /* That part of it is neither in the kernel nor a module that it can load. */
        if (errnum == EOPNOTSUPP || errnum == ENOENT)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_SYSTEM_ERROR,
                                 "%s: the kernel needs nftables (CONFIG_NF_TABLES_INET, NFT_CT, NFT_REJECT, "
                                 "NFT_NAT, NFT_MASQ)",
                                 failure->message);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

static void count(struct nlmsghdr *header, void *data)
{
        if (header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
                ++*(unsigned *)data;
}

static void reset(void *data)
{
        *(unsigned *)data = 0;
}

bool nft_count_rules(struct netlink *netlink, const char *table, unsigned *number, GError **error)
{
        const struct netlink_dump dump = {
                .type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE,
                .family = NFPROTO_INET,
                .attr = NFTA_RULE_TABLE,
                .value = table,
                .fn = count,
                .reset = reset,
                .data = number,
        };

        *number = 0;
        return netlink_dump(netlink, &dump, error);
}

static const char *get_text(const struct nlattr *attr)
{
        return attr && nla_len(attr) > 0 && ((const char *)nla_data(attr))[nla_len(attr) - 1] == '\0'
                       ? nla_data(attr)
                       : "";
}

/* ---- the rules of a table ---- */

static void free_rules(void *data)
{
        struct nft_chain_rules *rules = data;

        g_free(rules->comment);
        g_free(rules);
}

/* What programs keep with a rule: type, length, value; type 0 is the comment, with its end (libnftnl's
 * udata.h). */
static char *copy_comment(const struct nlattr *attr)
{
        const uint8_t *bytes = attr ? nla_data(attr) : NULL;
        size_t length = attr ? (size_t)nla_len(attr) : 0;

        while (length >= 2 && length - 2 >= bytes[1]) {
                if (bytes[0] == 0)
                        return g_strndup((const char *)bytes + 2, bytes[1]);
                length -= 2U + bytes[1];
                bytes += 2 + bytes[1];
        }
        return NULL;
}

static void take_rule(struct nlmsghdr *header, void *data)
{
        struct nlattr *attrs[NFTA_RULE_MAX + 1];
        struct nft_chain_rules *rules;
        const char *chain;

        if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) ||
            nlmsg_parse(header, sizeof(struct nfgenmsg), attrs, NFTA_RULE_MAX, NULL) < 0)
                return;
        chain = get_text(attrs[NFTA_RULE_CHAIN]);
        rules = g_hash_table_lookup(data, chain);
        if (!rules) {
                rules = g_new0(struct nft_chain_rules, 1);
                g_hash_table_insert(data, g_strdup(chain), rules);
        }
        rules->count++;
        g_free(rules->comment);
        rules->comment = copy_comment(attrs[NFTA_RULE_USERDATA]);
}

static void forget_rules(void *data)
{
        g_hash_table_remove_all(data);
}

GHashTable *nft_list_rules(struct netlink *netlink, unsigned family, const char *table, GError **error)
{
        GHashTable *chains = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_rules);
        const struct netlink_dump dump = {
                .type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE,
                .family = (int)family,
                .attr = NFTA_RULE_TABLE,
                .value = table,
                .fn = take_rule,
                .reset = forget_rules,
                .data = chains,
                .exact = true,
        };

        if (!netlink_dump(netlink, &dump, error))
                g_clear_pointer(&chains, g_hash_table_unref);
        return chains;
}

/* ---- chains ---- */

struct chain_list {
        nft_chain_fn fn;
        void *data;
};

static uint32_t get_number(const struct nlattr *attr, uint32_t otherwise)
{
        return attr && nla_len(attr) >= (int)sizeof(uint32_t) ? ntohl(nla_get_u32(attr)) : otherwise;
}

static void tell_chain(struct nlmsghdr *header, void *data)
{
        const struct chain_list *list = data;
        struct nlattr *attrs[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1] = { NULL };
        struct nft_chain chain = { 0 };

        if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
            nlmsg_parse(header, sizeof(struct nfgenmsg), attrs, NFTA_CHAIN_MAX, NULL) < 0)
                return;
        if (attrs[NFTA_CHAIN_HOOK])
                nla_parse_nested(hook, NFTA_HOOK_MAX, attrs[NFTA_CHAIN_HOOK], NULL);
        chain.family = ((const struct nfgenmsg *)NLMSG_DATA(header))->nfgen_family;
        chain.table = get_text(attrs[NFTA_CHAIN_TABLE]);
        chain.name = get_text(attrs[NFTA_CHAIN_NAME]);
        chain.hook = (int)get_number(hook[NFTA_HOOK_HOOKNUM], UINT32_MAX);
        chain.drops = get_number(attrs[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP;
        list->fn(&chain, list->data);
}

bool nft_list_chains(struct netlink *netlink, nft_chain_fn fn, void *data, GError **error)
{
        struct chain_list list = { fn, data };
        const struct netlink_dump dump = {
                .type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
                .fn = tell_chain,
                .data = &list,
        };

        return netlink_dump(netlink, &dump, error);
}
