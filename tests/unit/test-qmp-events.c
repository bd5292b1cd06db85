/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events that the QMP client hands on: in order, claimed by commands, in floods and storms, from a peer that
 * is a thread.
 */
#include "tests/unit/check-main.h"
#include "tests/unit/qmp-fixture.h"

#include "drivers/qemu/qmp-events.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void job_events(void *data)
{
        uint64_t id;

        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        say(READY "{\"event\": \"A\"}\n{\"return\": 1}\n{\"event\": \"B\", \"data\": {}}\n");
        id = qmp_send(fixture.qmp, "stop", NULL);
        ck_assert(qmp_handshake(fixture.qmp, lane_deadline_in(5000), NULL));
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(5000), NULL, NULL));
        ck_assert_uint_eq(fixture.count, 0);
        say("{\"event\": \"C\"}\n{\"event\": \"SHUT");
        say("DOWN\"}\n");
        close(fixture.fd);
        fixture.fd = -1;
}

START_TEST(events_come_in_order_then_the_end_once)
{
        run(job_events);
        ck_assert(fixture.closed);
        ck_assert_str_eq(fixture.seen->str, "A,B,C,SHUTDOWN,");
}
END_TEST

static void on_event_free(const char *name, const json_t *arguments, int64_t time_us, void *data)
{
        ck_assert_uint_eq(fixture.count++, 0);
        g_clear_pointer(&fixture.qmp, qmp_free);
        loop_post(fixture.loop, quit, NULL);
}

static void job_free(void *data)
{
        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event_free, on_closed, NULL, NULL));
        say(GREETING "{\"event\": \"A\"}\n{\"event\": \"B\"}\n");
}

START_TEST(a_callback_may_free_the_client)
{
        run(job_free);
        ck_assert_uint_eq(fixture.count, 1);
        ck_assert(!fixture.closed);
}
END_TEST

static bool write_all(int fd, const char *text, size_t length)
{
        while (length > 0) {
                ssize_t size = send(fd, text, length, MSG_NOSIGNAL);

                if (size < 0)
                        return false;
                text += size;
                length -= (size_t)size;
        }
        return true;
}

#define FLOOD      40000
#define FLOOD_IDLE 1000

static void *flood(void *data)
{
        g_autoptr(GString) text = g_string_new(READY);

        for (unsigned i = 0; i < *(const unsigned *)data; i++)
                g_string_append_printf(text, "{\"event\": \"E%u\", \"data\": {\"x\": %u}}\n", i, i);
        g_string_append(text, "{\"return\": {}}\n{\"event\": \"SHUTDOWN\"}\n");
        write_all(fixture.fd, text->str, text->len);
        shutdown(fixture.fd, SHUT_WR);
        return NULL;
}

static void job_flood_waiting(void *data)
{
        static unsigned count = FLOOD;
        uint64_t id;

        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        pthread_create(&fixture.peer, NULL, flood, &count);
        id = qmp_send(fixture.qmp, "stop", NULL);
        ck_assert(qmp_handshake(fixture.qmp, lane_deadline_in(30000), NULL));
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(30000), NULL, NULL));
}

/* While a reply is awaited, a flood is read past, and what is lost is said. */
START_TEST(a_flood_does_not_hide_a_reply)
{
        run(job_flood_waiting);
        pthread_join(fixture.peer, NULL);
        ck_assert(fixture.closed);
        ck_assert(g_str_has_prefix(fixture.seen->str, "ASK,"));
        ck_assert_uint_le(fixture.count, QMP_EVENTS_MAX + 2);
}
END_TEST

static void job_flood_idle(void *data)
{
        static unsigned count = FLOOD_IDLE;

        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        qmp_forget(fixture.qmp, qmp_send(fixture.qmp, "stop", NULL));
        qmp_flush(fixture.qmp);
        pthread_create(&fixture.peer, NULL, flood, &count);
}

/*
 * While nobody waits, a flood waits in the socket, and nothing is lost. That nobody waited for the handshake
 * either is told first.
 */
START_TEST(a_flood_is_delivered_in_turns)
{
        run(job_flood_idle);
        pthread_join(fixture.peer, NULL);
        ck_assert(fixture.closed);
        ck_assert_uint_eq(fixture.count, FLOOD_IDLE + 2);
        ck_assert(g_str_has_prefix(fixture.seen->str, "ASK,E0,E1,E2,"));
}
END_TEST

static void *repeat(void *data)
{
        g_autoptr(GString) text = g_string_new(READY);

        for (unsigned i = 0; i < FLOOD; i++)
                g_string_append(text, "{\"event\": \"RESET\", \"data\": {\"guest\": true}}\n");
        g_string_append(text, "{\"return\": {}}\n");
        write_all(fixture.fd, text->str, text->len);
        shutdown(fixture.fd, SHUT_WR);
        return NULL;
}

static void job_repeat(void *data)
{
        uint64_t id;

        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        pthread_create(&fixture.peer, NULL, repeat, NULL);
        id = qmp_send(fixture.qmp, "stop", NULL);
        ck_assert(qmp_handshake(fixture.qmp, lane_deadline_in(30000), NULL));
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(30000), NULL, NULL));
}

START_TEST(a_storm_of_one_event_is_coalesced)
{
        run(job_repeat);
        pthread_join(fixture.peer, NULL);
        ck_assert_uint_eq(fixture.count, QMP_EVENTS_PER_TURN);
}
END_TEST

static void job_repeat_idle(void *data)
{
        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        qmp_forget(fixture.qmp, qmp_send(fixture.qmp, "stop", NULL));
        qmp_flush(fixture.qmp);
        pthread_create(&fixture.peer, NULL, repeat, NULL);
}

/* In however many turns the writer lets it come. And the reply in its midst is found. */
START_TEST(a_storm_is_coalesced_while_nobody_waits)
{
        run(job_repeat_idle);
        pthread_join(fixture.peer, NULL);
        ck_assert(fixture.closed);
        ck_assert_uint_le(fixture.count, FLOOD / 4);
}
END_TEST

static void *write_endless_line(void *data)
{
        g_autofree char *text = g_strnfill(65536, 'x');

        write_all(fixture.fd, READY, strlen(READY));
        while (write_all(fixture.fd, text, 65536))
                ;
        return NULL;
}

static void job_endless(void *data)
{
        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        ck_assert(pthread_create(&fixture.peer, NULL, write_endless_line, NULL) == 0);
}

START_TEST(a_line_without_end_breaks_the_connection)
{
        run(job_endless);
        pthread_join(fixture.peer, NULL);
        ck_assert(fixture.closed);
}
END_TEST

static void *flood_behind_a_reply(void *data)
{
        g_autoptr(GString) text = g_string_new(READY "{\"return\": \"early\"}\n");

        for (unsigned i = 0; i < 2 * QMP_EVENTS_MAX; i++)
                g_string_append_printf(text, "{\"event\": \"E%u\"}\n", i);
        g_string_append(text, "{\"return\": {}}\n");
        write_all(fixture.fd, text->str, text->len);
        return NULL;
}

static void job_call_in_a_flood(void *data)
{
        uint64_t id;

        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        call("last", 60000);
        id = qmp_send(fixture.qmp, "stop", NULL);
        pthread_create(&fixture.peer, NULL, flood_behind_a_reply, NULL);
        ck_assert(qmp_handshake(fixture.qmp, lane_deadline_in(30000), NULL));
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(30000), NULL, NULL));
}

/* Events are lost in it, replies are not. */
START_TEST(a_flood_does_not_drop_a_reply)
{
        run(job_call_in_a_flood);
        pthread_join(fixture.peer, NULL);
        ck_assert_ptr_nonnull(strstr(fixture.seen->str, "last=early,"));
}
END_TEST

static void job_claim(void *data)
{
        uint64_t id;

        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        say("{\"event\": \"STOP\"}\n{\"return\": \"\"}\n");
        ck_assert(qmp_execute(fixture.qmp, "other", NULL, 5000, NULL, NULL));
        id = qmp_send(fixture.qmp, "stop", NULL);
        say("{\"event\": \"STOP\"}\n{\"event\": \"B\"}\n{\"return\": \"\"}\n");
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(5000), NULL, NULL));
        qmp_claim_events(fixture.qmp, id, "STOP");
        call("last", 60000);
        say("{\"return\": \"\"}\n");
}

/* An event of the same name that came before says something else. */
START_TEST(a_command_claims_its_own_events)
{
        run(job_claim);
        ck_assert_str_eq(fixture.seen->str, "STOP,B,last=,");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qmp-events");
        TCase *tests = tcase_create("client");

        tcase_set_timeout(tests, 60);
        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_test(tests, a_flood_does_not_drop_a_reply);
        tcase_add_test(tests, a_command_claims_its_own_events);
        tcase_add_test(tests, events_come_in_order_then_the_end_once);
        tcase_add_test(tests, a_callback_may_free_the_client);
        tcase_add_test(tests, a_flood_does_not_hide_a_reply);
        tcase_add_test(tests, a_flood_is_delivered_in_turns);
        tcase_add_test(tests, a_storm_of_one_event_is_coalesced);
        tcase_add_test(tests, a_storm_is_coalesced_while_nobody_waits);
        tcase_add_test(tests, a_line_without_end_breaks_the_connection);
        suite_add_tcase(suite, tests);
        return check_run(suite);
}
