/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters of links: one file for all of them, because who asks about a thousand guests would have to ask the
 * kernel as often. Values; any thread.
 */
#include "interfaces/counters.h"

#include "interfaces/link.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct link_counters {
        GHashTable *by_name; /* owned; name, owned, to struct link_count, owned */
};

/* "  eth0: bytes packets errs drop fifo frame compressed multicast  bytes packets errs drop ..." */
static bool parse_line(const char *line, size_t length, char name[LINK_NAME_SIZE], struct link_count *count)
{
        const char *colon = memchr(line, ':', length);
        const char *start = line;

        while (colon && start < colon && *start == ' ')
                start++;
        if (!colon || start == colon || colon - start >= LINK_NAME_SIZE)
                return false;
        memcpy(name, start, (size_t)(colon - start));
        name[colon - start] = '\0';
        return sscanf(colon + 1,
                      "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                      " %" SCNu64 " %" SCNu64,
                      &count->rx_bytes, &count->rx_packets, &count->rx_errors, &count->rx_dropped,
                      &count->tx_bytes, &count->tx_packets, &count->tx_errors, &count->tx_dropped) == 8;
}

struct link_counters *link_counters_parse(const char *text)
{
        struct link_counters *counters = g_new0(struct link_counters, 1);

        counters->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        while (text && *text) {
                const char *end = strchrnul(text, '\n');
                char name[LINK_NAME_SIZE];
                struct link_count count;

                if (parse_line(text, (size_t)(end - text), name, &count))
                        g_hash_table_replace(counters->by_name, g_strdup(name),
                                             g_memdup2(&count, sizeof(count)));
                text = *end ? end + 1 : end;
        }
        return counters;
}

struct link_counters *link_counters_read(void)
{
        g_autofree char *text = NULL;

        g_file_get_contents("/proc/net/dev", &text, NULL, NULL);
        return link_counters_parse(text);
}

void link_counters_free(struct link_counters *counters)
{
        if (!counters)
                return;
        g_hash_table_unref(counters->by_name);
        g_free(counters);
}

const struct link_count *link_counters_find(const struct link_counters *counters, const char *name)
{
        return g_hash_table_lookup(counters->by_name, name);
}
