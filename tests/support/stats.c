/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tests/support/stats.h"

#include <check.h>
#include <inttypes.h>
#include <string.h>

static char *format_value(sd_bus_message *message, char type)
{
        union {
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                int b;
                const char *s;
        } value;

        ck_assert_int_gt(sd_bus_message_read_basic(message, type, &value), 0);
        switch (type) {
        case 'i':
                return g_strdup_printf("i:%" PRIi32, value.i);
        case 'u':
                return g_strdup_printf("u:%" PRIu32, value.u);
        case 'x':
                return g_strdup_printf("x:%" PRIi64, value.x);
        case 't':
                return g_strdup_printf("t:%" PRIu64, value.t);
        case 'b':
                return g_strdup_printf("b:%d", value.b);
        case 's':
                return g_strdup_printf("s:%s", value.s);
        default:
                ck_abort_msg("a typed parameter of type '%c'", type);
        }
}

static void read_entry(sd_bus_message *message, GHashTable *stats)
{
        const char *name, *contents;
        char type;

        ck_assert_int_gt(sd_bus_message_read_basic(message, 's', &name), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'v', "v"), 0);
        ck_assert_int_gt(sd_bus_message_peek_type(message, &type, &contents), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'v', contents), 0);
        ck_assert_msg(g_hash_table_insert(stats, g_strdup(name), format_value(message, *contents)),
                      "'%s' is there twice", name);
        ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
}

GHashTable *stats_read(sd_bus_message *message)
{
        GHashTable *stats = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                read_entry(message, stats);
                ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
        }
        ck_assert_int_ge(sd_bus_message_exit_container(message), 0);
        return stats;
}

GHashTable *stats_get(struct client *client, const char *domain, unsigned groups, unsigned flags)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, domain, DOMAIN_INTERFACE, "GetStats", "uu", groups, flags);

        return stats_read(reply);
}

GHashTable *stats_get_all(struct client *client, const char *connection, unsigned groups, unsigned flags)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, connection, CONNECT_INTERFACE, "GetAllDomainStats", "uu", groups, flags);
        GHashTable *all =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(sa{sv})"), 0);
        while (sd_bus_message_enter_container(reply, 'r', "sa{sv}") > 0) {
                const char *name;

                ck_assert_int_gt(sd_bus_message_read_basic(reply, 's', &name), 0);
                ck_assert_msg(g_hash_table_insert(all, g_strdup(name), stats_read(reply)),
                              "domain '%s' is there twice", name);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
        }
        return all;
}

void stats_expect(GHashTable *stats, const char *name, const char *value)
{
        const char *found = g_hash_table_lookup(stats, name);

        ck_assert_msg(g_strcmp0(found, value) == 0, "%s is %s and not %s", name, found ? found : "missing",
                      value ? value : "missing");
}

void stats_expect_type(GHashTable *stats, const char *name, char type)
{
        const char *found = g_hash_table_lookup(stats, name);

        ck_assert_msg(found && *found == type, "%s is %s and not of type '%c'", name,
                      found ? found : "missing", type);
}

bool stats_has(GHashTable *stats, const char *name)
{
        return g_hash_table_contains(stats, name);
}

uint64_t stats_get_number(GHashTable *stats, const char *name)
{
        const char *found = g_hash_table_lookup(stats, name);

        ck_assert_msg(found && strchr("iuxt", *found), "%s is %s and no number", name,
                      found ? found : "missing");
        return g_ascii_strtoull(found + 2, NULL, 10);
}
