/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses of the IP protocols. No state; any thread. */
#include "drivers/network/network-address.h"

#include <arpa/inet.h>
#include <string.h>

bool network_address_parse(const char *text, struct network_address *address)
{
        struct network_address found = { 0 };

        if (!text)
                return false;
        found.family = strchr(text, ':') ? AF_INET6 : AF_INET;
        if (inet_pton(found.family, text, found.bytes) != 1)
                return false;
        *address = found;
        return true;
}

const char *network_address_format(const struct network_address *address, char text[NETWORK_ADDRESS_TEXT_MAX])
{
        if (!inet_ntop(address->family, address->bytes, text, NETWORK_ADDRESS_TEXT_MAX))
                text[0] = '\0';
        return text;
}

unsigned network_address_get_bits(int family)
{
        return family == AF_INET6 ? 128 : 32;
}

int network_address_compare(const struct network_address *a, const struct network_address *b)
{
        return a->family == b->family ? memcmp(a->bytes, b->bytes, sizeof(a->bytes)) : a->family - b->family;
}

bool network_address_is_multicast(const struct network_address *address)
{
        return address->family == AF_INET6 ? address->bytes[0] == 0xff : address->bytes[0] >> 4 == 0xe;
}

int network_address_get_mask_bits(const struct network_address *mask)
{
        uint32_t bits;
        int count;

        memcpy(&bits, mask->bytes, sizeof(bits));
        bits = ntohl(bits);
        count = __builtin_popcount(bits);
        return bits == (count ? UINT32_MAX << (32 - count) : 0) ? count : -1;
}

/* The bits behind prefix become those of value. */
static struct network_address fill(const struct network_address *address, unsigned prefix, uint8_t value)
{
        struct network_address filled = *address;
        unsigned n_bytes = network_address_get_bits(address->family) / 8;

        for (unsigned i = 0; i < n_bytes; i++) {
                unsigned kept = prefix > i * 8 ? prefix - i * 8 : 0;
                uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);

                filled.bytes[i] = (uint8_t)((filled.bytes[i] & mask) | (value & ~mask));
        }
        return filled;
}

struct network_address network_address_get_first(const struct network_address *address, unsigned prefix)
{
        return fill(address, prefix, 0);
}

struct network_address network_address_get_last(const struct network_address *address, unsigned prefix)
{
        return fill(address, prefix, 0xff);
}

bool network_address_is_within(const struct network_address *address, const struct network_address *network,
                               unsigned prefix)
{
        struct network_address a, b;

        if (address->family != network->family)
                return false;
        a = network_address_get_first(address, prefix);
        b = network_address_get_first(network, prefix);
        return network_address_compare(&a, &b) == 0;
}

uint64_t network_address_get_distance(const struct network_address *start, const struct network_address *end)
{
        unsigned n_bytes = network_address_get_bits(start->family) / 8;
        unsigned __int128 from = 0, to = 0;

        for (unsigned i = 0; i < n_bytes; i++) {
                from = from << 8 | start->bytes[i];
                to = to << 8 | end->bytes[i];
        }
        if (to < from)
                return 0;
        return to - from >= UINT64_MAX ? UINT64_MAX : (uint64_t)(to - from) + 1;
}
