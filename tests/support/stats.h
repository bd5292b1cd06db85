/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Statistics of domains as clients get them: a table from name to "<type>:<value>", for instance
 * "block.0.name" to "s:vda". Tables are the caller's; the functions fail the test as those of client.h do.
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/support/client.h"

/* virDomainStatsTypes */
enum {
        STATS_STATE = 1,
        STATS_CPU_TOTAL = 2,
        STATS_BALLOON = 4,
        STATS_VCPU = 8,
        STATS_INTERFACE = 16,
        STATS_BLOCK = 32,
        STATS_PERF = 64,
        STATS_IOTHREAD = 128,
        STATS_MEMORY = 256,
        STATS_DIRTYRATE = 512,
        STATS_VM = 1024,
};

/* virConnectGetAllDomainStatsFlags */
#define STATS_NOWAIT  (1u << 29)
#define STATS_BACKING (1u << 30)
#define STATS_ENFORCE (1u << 31)

/* The dictionary a{sv} of typed parameters at this place of the message, in which each value has two
 * variants. */
GHashTable *stats_read(sd_bus_message *message);

GHashTable *stats_get(struct client *client, const char *domain, unsigned groups, unsigned flags);
/* From names of domains to their tables. */
GHashTable *stats_get_all(struct client *client, const char *connection, unsigned groups, unsigned flags);

/* The value is this text ("u:2"), NULL: there is none of that name. */
void stats_expect(GHashTable *stats, const char *name, const char *value);
/* There is one of that type. */
void stats_expect_type(GHashTable *stats, const char *name, char type);
bool stats_has(GHashTable *stats, const char *name);
/* Of a value that is a number. */
uint64_t stats_get_number(GHashTable *stats, const char *name);
