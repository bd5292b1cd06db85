/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Addresses of the IP protocols and the networks that they span. Values; any thread. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Of text, with the NUL. */
#define NETWORK_ADDRESS_TEXT_MAX INET6_ADDRSTRLEN

struct network_address {
        int family;        /* AF_INET, AF_INET6; AF_UNSPEC: none */
        uint8_t bytes[16]; /* network byte order; the first 4 of AF_INET */
};

/* Numeric text of either family; false: it is none. */
bool network_address_parse(const char *text, struct network_address *address);
/* Returns text. */
const char *network_address_format(const struct network_address *address,
                                   char text[NETWORK_ADDRESS_TEXT_MAX]);
/* Bits of an address of the family: 32 or 128. */
unsigned network_address_get_bits(int family);
/* By family, then by value. */
int network_address_compare(const struct network_address *a, const struct network_address *b);
bool network_address_is_multicast(const struct network_address *address);

/* The bits set in an IPv4 netmask; -1: those set do not come first. */
int network_address_get_mask_bits(const struct network_address *mask);
/* The first and the last address of the network of prefix bits that address is in. */
struct network_address network_address_get_first(const struct network_address *address, unsigned prefix);
struct network_address network_address_get_last(const struct network_address *address, unsigned prefix);
/* Is address in that network? Of another family: no. */
bool network_address_is_within(const struct network_address *address, const struct network_address *network,
                               unsigned prefix);
/*
 * How many addresses there are from start to end, which are of one family; 0: end is before start;
 * UINT64_MAX: more than that.
 */
uint64_t network_address_get_distance(const struct network_address *start, const struct network_address *end);
