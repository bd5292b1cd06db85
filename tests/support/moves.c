/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that counts, on its way from here to there. */
#include "tests/support/moves.h"

#include <string.h>

bool moves_are_in_lab(void)
{
        return g_getenv("VIRTBUS_LAB");
}

/* In the lab a Linux that counts takes minutes to start; one that starts goes on starting as well. */
bool move_start(struct move *move, bool postcopy)
{
        g_autofree char *console = harness_path(here.harness, "console");
        char *xml = postcopy ? sides_make_postcopy_xml("linux", console)
                             : sides_make_counting_xml("linux", console);

        if (!xml)
                return false;
        *move = (struct move){ .console = g_steal_pointer(&console) };
        move->path = guest_start(here.client, xml);
        if (!moves_are_in_lab())
                guest_wait_console(move->console, "count 3\r");
        client_do(here.client, move->path, DOMAIN_INTERFACE, "MigrateSetMaxDowntime", "tu", (uint64_t)1, 0);
        return true;
}

void move_expect_counting(const struct move *move)
{
        if (!moves_are_in_lab())
                sides_expect_counting(move->console);
}

void move_clear(struct move *move)
{
        proxy_free(move->proxy);
        g_free(move->answer.error);
        g_free(move->console);
        g_free(move->path);
}

static bool is_under_way(void *data)
{
        const struct move *move = data;

        client_process(here.client);
        return move->answer.done || sides_are_transferring(move->path);
}

void move_forget_answer(struct move *move)
{
        g_clear_pointer(&move->answer.error, g_free);
        move->answer.done = false;
}

void move_wait_under_way(struct move *move)
{
        harness_wait_until(is_under_way, move, "some of the guest has gone over");
        ck_assert_msg(!move->answer.done, "the migration has ended: %s", move->answer.error);
}

void move_begin_to(struct move *move, const char *uri)
{
        client_send(here.client, &move->answer, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri,
                    2, "bandwidth", "t", (uint64_t)1, "bandwidth.postcopy", "t", (uint64_t)1,
                    LIVE | POSTCOPY);
        move_wait_under_way(move);
}

void move_begin(struct move *move)
{
        move_begin_to(move, there.uri);
}

void move_start_postcopy(const char *path)
{
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateStartPostCopy", "u", 0);
}

void move_interrupt(const char *path)
{
        client_do(here.client, path, DOMAIN_INTERFACE, "AbortJobFlags", "u", 1);
}

void move_speed_up(const char *path)
{
        client_do(here.client, path, DOMAIN_INTERFACE, "MigrateSetMaxSpeed", "tu", (uint64_t)1000, 1);
}

/* An agent that starts has other children for a moment. */
static bool are_as_many(void *data)
{
        return harness_count_guests(here.harness) == *(unsigned *)data;
}

void moves_wait_guests(unsigned expected)
{
        harness_wait_until(are_as_many, &expected, "there are as many guests as there are to be");
}

void move_expect_halves(const struct move *move)
{
        guest_expect_state(here.client, move->path, STATE_PAUSED, PAUSED_POSTCOPY_FAILED);
        client_fails(here.client, LIBVIRT_ERROR, "*is busy with 'migration'", move->path, DOMAIN_INTERFACE,
                     "Resume", NULL);
        guest_expect_state(there.client, move->path, STATE_RUNNING, RUNNING_POSTCOPY_FAILED);
        moves_wait_guests(2);
}

bool move_is_failed_here(void *data)
{
        int reason = 0;

        return guest_get_state(here.client, data, &reason) == STATE_PAUSED &&
               reason == PAUSED_POSTCOPY_FAILED;
}

bool move_is_failed_there(void *data)
{
        int reason = 0;

        return guest_get_state(there.client, data, &reason) == STATE_RUNNING &&
               reason == RUNNING_POSTCOPY_FAILED;
}

bool move_is_over_here(void *data)
{
        return side_find_state(&here, data) == -1 || side_find_state(&here, data) == STATE_SHUTOFF;
}

bool move_has_come(void *data)
{
        int reason = 0;

        return side_has(&there, data) && guest_get_state(there.client, data, &reason) == STATE_RUNNING &&
               reason == RUNNING_MIGRATED;
}

bool move_is_gone_there(void *data)
{
        return !side_has(&there, data);
}

static void send_by_proxy(struct move *move, const char *uri, unsigned flags)
{
        move_forget_answer(move);
        client_send(here.client, &move->answer, move->path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri,
                    4, "bandwidth", "t", (uint64_t)1, "bandwidth.postcopy", "t", (uint64_t)1, "migrate_uri",
                    "s", PROXY, "listen_address", "s", LISTEN, LIVE | POSTCOPY | flags);
}

void move_send_by_proxy(struct move *move, unsigned flags)
{
        send_by_proxy(move, there.uri, flags);
}

void move_cut(struct move *move)
{
        proxy_cut(move->proxy);
        client_wait_answer(here.client, &move->answer);
        ck_assert_ptr_nonnull(strstr(move->answer.error, "is cut"));
        client_wait_event(here.client, move->path, EVENT_SUSPENDED, SUSPENDED_POSTCOPY_FAILED);
        client_wait_event(there.client, move->path, EVENT_RESUMED, RESUMED_POSTCOPY_FAILED);
        move_expect_halves(move);
}

bool move_halve(struct move *move, const char *uri, unsigned flags)
{
        if (!move_start(move, true))
                return false;
        move->proxy = proxy_new(PROXY, "tcp:" LISTEN ":50200");
        send_by_proxy(move, uri, flags);
        move_wait_under_way(move);
        move_start_postcopy(move->path);
        client_wait_event(there.client, move->path, EVENT_RESUMED, RESUMED_POSTCOPY);
        move_cut(move);
        return true;
}
