/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Networks of addresses that nobody has: neither another network of ours, defined or on its way, nor the
 * host. On the loop, where definitions come one after another: no two get the same.
 */
#include "base/error.h"
#include "drivers/network/model.h"
#include "interfaces/source.h"

#include <arpa/inet.h>
#include <string.h>

struct subnet {
        struct network_address address;
        unsigned prefix;
};

struct choice {
        struct networks *networks; /* borrowed */
        GArray *taken;             /* owned; of struct subnet */
};

/* ---- what is taken ---- */

static void take(GArray *taken, const struct network_address *address, unsigned prefix)
{
        const struct subnet subnet = { *address, prefix };

        if (prefix > 0)
                g_array_append_val(taken, subnet);
}

static void take_definition(GArray *taken, const struct definition *definition)
{
        const GPtrArray *ips = definition ? network_def_const(definition)->ips : NULL;

        for (unsigned i = 0; ips && i < ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(ips, i);

                take(taken, &ip->address, ip->prefix);
        }
}

static void take_networks(GArray *taken, const struct networks *networks)
{
        g_autoptr(GPtrArray) objects = registry_list(networks->registry);

        for (unsigned i = 0; i < objects->len; i++) {
                const struct managed_state *state =
                        ((const struct managed *)g_ptr_array_index(objects, i))->published;

                take_definition(taken, state->persistent);
                if (state->active != state->persistent)
                        take_definition(taken, state->active);
        }
        for (unsigned i = 0; i < networks->claims->len; i++)
                take_definition(taken, g_ptr_array_index(networks->claims, i));
}

static void take_ip(GArray *taken, const struct link_ip *ip)
{
        struct network_address address = { .family = ip->family };

        memcpy(address.bytes, ip->bytes, sizeof(address.bytes));
        take(taken, &address, ip->prefix);
}

static void take_links(GArray *taken, const struct link_set *set)
{
        for (unsigned i = 0; set && i < set->count; i++) {
                const struct link *link = set->links[i];

                for (unsigned j = 0; j < link->addresses->len; j++)
                        take_ip(taken, &g_array_index(link->addresses, struct link_address, j).ip);
                for (unsigned j = 0; j < link->routes->len; j++)
                        take_ip(taken, &g_array_index(link->routes, struct link_route, j).destination);
        }
}

static bool is_free(const GArray *taken, const struct network_address *address, unsigned prefix)
{
        for (unsigned i = 0; i < taken->len; i++) {
                const struct subnet *subnet = &g_array_index(taken, struct subnet, i);

                if (network_address_is_within(address, &subnet->address, MIN(prefix, subnet->prefix)))
                        return false;
        }
        return true;
}

/* ---- what is tried ---- */

/* RFC 1918. libvirt's networks begin at 192.168.122.0; what is below is what routers at home are made with.
 */
static const struct range {
        uint32_t first, last;
} ranges[] = {
        { 0xc0a87a00, 0xc0a8feff }, /* 192.168.122.0 - 192.168.254.255 */
        { 0x0a800000, 0x0affffff }, /* 10.128.0.0 - 10.255.255.255 */
};

static struct network_address from_number(uint32_t number)
{
        struct network_address address = { .family = AF_INET };

        number = htonl(number);
        memcpy(address.bytes, &number, sizeof(number));
        return address;
}

static bool choose_in(const GArray *taken, const struct range *range, unsigned prefix,
                      struct network_address *address)
{
        uint64_t size = UINT64_C(1) << (32 - prefix);

        for (uint64_t first = (range->first + size - 1) & ~(size - 1); first + size - 1 <= range->last;
             first += size) {
                *address = from_number((uint32_t)first);
                if (is_free(taken, address, prefix))
                        return true;
        }
        return false;
}

static bool choose_ipv4(const GArray *taken, unsigned prefix, struct network_address *address, GError **error)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++)
                if (choose_in(taken, &ranges[i], prefix, address))
                        return true;
        return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                         "there is no free network of %u bits for guests: give it an address", prefix);
}

/* RFC 4193: forty bits by chance, which nobody has even where sites are joined. */
static bool choose_ipv6(const GArray *taken, unsigned prefix, struct network_address *address)
{
        do {
                *address = (struct network_address){ .family = AF_INET6, .bytes = { 0xfd } };
                for (unsigned i = 1; i < 6; i++)
                        address->bytes[i] = (uint8_t)g_random_int();
        } while (!is_free(taken, address, prefix));
        return true;
}

/* ---- the answer ---- */

/* That of the definition until now, so that nothing changes that nobody asked to change. */
static bool find_previous(const struct networks *networks, const struct network_wish *wish,
                          struct network_address *address)
{
        const struct network_def *def;
        const struct managed *object;
        const struct network_ip *ip;
        struct uuid uuid;

        if (!wish->uuid || !uuid_parse(&uuid, wish->uuid, NULL))
                return false;
        object = registry_find_uuid(networks->registry, &uuid);
        def = object ? network_def_const(managed_state_get_definition(object->published)) : NULL;
        ip = def && wish->index < def->ips->len ? g_ptr_array_index(def->ips, wish->index) : NULL;
        if (!ip || ip->address.family != wish->family || ip->prefix != wish->prefix)
                return false;
        *address = network_address_get_first(&ip->address, ip->prefix);
        return true;
}

static bool choose(const struct network_wish *wish, struct network_address *address, void *data,
                   GError **error)
{
        struct choice *choice = data;

        if (find_previous(choice->networks, wish, address))
                return true;
        if (!choice->taken) {
                choice->taken = g_array_new(FALSE, FALSE, sizeof(struct subnet));
                take_networks(choice->taken, choice->networks);
                if (choice->networks->links)
                        take_links(choice->taken, link_source_get(choice->networks->links));
        }
        if (wish->family == AF_INET6 ? !choose_ipv6(choice->taken, wish->prefix, address)
                                     : !choose_ipv4(choice->taken, wish->prefix, address, error))
                return false;
        take(choice->taken, address, wish->prefix);
        return true;
}

struct network_def *network_parse_new(struct networks *networks, const char *xml, GError **error)
{
        struct choice choice = { .networks = networks };
        const struct network_chooser chooser = { choose, &choice };
        struct network_def *def = network_def_parse_new(xml, &chooser, error);

        g_clear_pointer(&choice.taken, g_array_unref);
        return def;
}
