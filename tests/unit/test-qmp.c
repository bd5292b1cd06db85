/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QMP client in a lane, against a peer that is a thread with a script: replies by id, deadlines and late
 * replies, interrupts, events in order, floods, and a QEMU that lies.
 */
#include "drivers/qemu/qmp.h"

#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/qemu/qmp-events.h"
#include "drivers/qemu/qmp-output.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING                                                                                             \
        "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 22}, \"package\": "      \
        "\"\"}, "                                                                                            \
        "\"capabilities\": []}}\r\n"
#define READY GREETING "{\"return\": {}, \"id\": 1}\r\n"

struct fixture {
        struct loop *loop;
        struct pool *pool;
        struct lane *lane;
        struct qmp *qmp;
        int fd;      /* the peer's end */
        int stop_fd; /* tells the peer to end */
        pthread_t peer;
        GString *seen; /* names of events, each with a comma */
        unsigned count;
        bool closed;
        unsigned quit_after; /* events */
};

static struct fixture fixture;

static void quit(void *data)
{
        loop_quit(fixture.loop);
}

static void setup(void)
{
        fixture = (struct fixture){ .fd = -1 };
        fixture.loop = loop_new(NULL);
        fixture.pool = pool_new(2, NULL);
        fixture.lane = lane_new(fixture.pool, fixture.loop, "qmp");
        fixture.stop_fd = eventfd(0, EFD_CLOEXEC);
        fixture.seen = g_string_new(NULL);
}

static void make(void *data)
{
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        fixture.fd = fds[1];
        fixture.qmp = qmp_new(fixture.lane, fds[0], "domain 'web'");
}

static void unmake(void *data)
{
        g_clear_pointer(&fixture.qmp, qmp_free);
        loop_post(fixture.loop, quit, NULL);
}

static void run(lane_fn fn)
{
        lane_post(fixture.lane, fn, NULL);
        loop_run(fixture.loop);
}

static void teardown(void)
{
        run(unmake);
        lane_unref(fixture.lane);
        pool_free(fixture.pool);
        loop_free(fixture.loop);
        g_string_free(fixture.seen, TRUE);
        close(fixture.stop_fd);
        if (fixture.fd >= 0)
                close(fixture.fd);
}

/* The peer's words can be said before it is asked: the socket holds them. */
static void say(const char *text)
{
        ck_assert_int_eq(write(fixture.fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void connect_ready(void)
{
        GError *error = NULL;

        make(NULL);
        say(READY);
        ck_assert_msg(qmp_handshake(fixture.qmp, lane_deadline_in(5000), &error), "%s",
                      error ? error->message : "");
        ck_assert_uint_eq(qmp_get_version(fixture.qmp), 7002022);
}

static void check_error(GError *error, enum error_code code, const char *part)
{
        ck_assert_ptr_nonnull(error);
        ck_assert_msg(strstr(error->message, part), "'%s' is not in '%s'", part, error->message);
        ck_assert_int_eq(error_get_code(error), code);
        ck_assert_msg(strstr(error->message, "domain 'web'"), "%s", error->message);
        g_error_free(error);
}

/* ---- */

static void job_pipeline(void *data)
{
        GError *error = NULL;
        char sent[1000] = { 0 };
        json_t *result;
        uint64_t a, b;

        make(NULL);
        a = qmp_send(fixture.qmp, "query-a", json_pack("{s:i}", "x", 1));
        b = qmp_send(fixture.qmp, "query-b", NULL);
        say(READY "{\"return\": 20, \"id\": 3}\n{\"return\": 10, \"id\": 2}\n");
        ck_assert(qmp_handshake(fixture.qmp, lane_deadline_in(5000), &error));
        ck_assert(qmp_receive(fixture.qmp, a, lane_deadline_in(5000), &result, &error));
        ck_assert_int_eq(json_integer_value(result), 10);
        json_decref(result);
        ck_assert(qmp_receive(fixture.qmp, b, lane_deadline_in(5000), &result, &error));
        ck_assert_int_eq(json_integer_value(result), 20);
        json_decref(result);
        ck_assert_int_gt(read(fixture.fd, sent, sizeof(sent) - 1), 0);
        ck_assert_str_eq(sent, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]},"
                               "\"id\":1}\n"
                               "{\"execute\":\"query-a\",\"arguments\":{\"x\":1},\"id\":2}\n"
                               "{\"execute\":\"query-b\",\"id\":3}\n");
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(commands_are_pipelined_and_matched_by_id)
{
        run(job_pipeline);
}
END_TEST

/* What was sent by now, which is one command: its id. */
static unsigned read_id(void)
{
        char sent[1000] = { 0 };
        const char *id;

        ck_assert_int_gt(read(fixture.fd, sent, sizeof(sent) - 1), 0);
        id = strstr(sent, "\"id\":");
        ck_assert_ptr_nonnull(id);
        return (unsigned)atoi(id + strlen("\"id\":"));
}

static void job_ids(void *data)
{
        unsigned open;

        connect_ready();
        ck_assert_uint_eq(read_id(), 1);
        qmp_forget(fixture.qmp, qmp_send(fixture.qmp, "open", NULL));
        qmp_flush(fixture.qmp);
        open = read_id();
        for (unsigned i = 0; i < 300; i++) {
                uint64_t command = qmp_send(fixture.qmp, "next", NULL);
                g_autofree char *reply = NULL;
                json_t *result;
                unsigned id;

                qmp_flush(fixture.qmp);
                id = read_id();
                ck_assert_uint_ge(id, 1);
                ck_assert_uint_le(id, 99);
                ck_assert_uint_ne(id, open);
                reply = g_strdup_printf("{\"return\": %u, \"id\": %u}\n", i, id);
                say(reply);
                ck_assert(qmp_receive(fixture.qmp, command, lane_deadline_in(5000), &result, NULL));
                ck_assert_int_eq(json_integer_value(result), i);
                json_decref(result);
        }
        loop_post(fixture.loop, quit, NULL);
}

/* Each byte of a command costs QEMU time. */
START_TEST(ids_are_short_and_those_of_open_commands_are_not_taken)
{
        run(job_ids);
}
END_TEST

static void job_refusals(void *data)
{
        static const struct {
                const char *class;
                enum error_code code;
        } cases[] = {
                { "GenericError", ERROR_OPERATION_FAILED },
                { "CommandNotFound", ERROR_OPERATION_UNSUPPORTED },
                { "DeviceNotFound", ERROR_DEVICE_MISSING },
                { "DeviceNotActive", ERROR_OPERATION_INVALID },
        };

        connect_ready();
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = g_strdup_printf(
                        "{\"error\": {\"class\": \"%s\", \"desc\": \"No such thing\"}, \"id\": %u}\n",
                        cases[i].class, i + 2);
                GError *error = NULL;

                say(text);
                ck_assert(!qmp_execute(fixture.qmp, "eject", NULL, 5000, NULL, &error));
                check_error(error, cases[i].code, "refused eject: No such thing");
        }
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(refusals_carry_the_text_of_qemu)
{
        run(job_refusals);
}
END_TEST

static void job_late(void *data)
{
        GError *error = NULL;
        json_t *result;

        connect_ready();
        ck_assert(!qmp_execute(fixture.qmp, "stop", NULL, 0, NULL, &error));
        check_error(error, ERROR_OPERATION_TIMEOUT, "did not answer stop");
        ck_assert(!qmp_is_broken(fixture.qmp));
        error = NULL;
        say("{\"return\": \"late\", \"id\": 2}\n{\"return\": \"right\", \"id\": 3}\n");
        ck_assert(qmp_execute(fixture.qmp, "cont", NULL, 5000, &result, &error));
        ck_assert_str_eq(json_string_value(result), "right");
        json_decref(result);
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(a_late_reply_is_dropped)
{
        run(job_late);
}
END_TEST

static void job_backlog(void *data)
{
        GError *error = NULL;

        connect_ready();
        for (unsigned i = 0; i < QMP_OUTSTANDING_MAX; i++)
                ck_assert(!qmp_execute(fixture.qmp, "stop", NULL, 0, NULL, NULL));
        ck_assert(!qmp_execute(fixture.qmp, "stop", NULL, 100000, NULL, &error));
        check_error(error, ERROR_OPERATION_TIMEOUT, "commands to answer already");
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(a_hung_qemu_gathers_no_backlog)
{
        run(job_backlog);
}
END_TEST

/* ---- out of band ---- */

/* Bytes that have been sent, up to a command out of band if there is one. */
static size_t drain(void)
{
        char text[10000] = { 0 };
        ssize_t size = recv(fixture.fd, text, sizeof(text) - 1, MSG_DONTWAIT);

        return size > 0 && strstr(text, "exec-oob") ? (size_t)(strstr(text, "exec-oob") - text)
                                                    : (size_t)MAX(size, 0);
}

/* More commands than QEMU goes on reading with. */
static void job_oob(void *data)
{
        uint64_t ids[2 * QMP_IN_BAND_MAX];
        GError *error = NULL;
        json_t *result;

        make(NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++)
                ids[i] = qmp_send(fixture.qmp, "query-a", NULL);
        qmp_flush(fixture.qmp);
        ck_assert_uint_gt(drain(), 100);
        say(READY);
        ck_assert(qmp_handshake(fixture.qmp, lane_deadline_in(5000), NULL));
        drain();
        say("{\"return\": \"overtakes\", \"id\": 16}\n");
        ck_assert_msg(qmp_execute_oob(fixture.qmp, "migrate-pause", NULL, 5000, &result, &error), "%s",
                      error ? error->message : "");
        ck_assert_str_eq(json_string_value(result), "overtakes");
        json_decref(result);
        ck_assert_uint_eq(drain(), strlen("{\""));
        /* An answer makes room for another, also when nobody sends anything. */
        say("{\"return\": {}, \"id\": 2}\n");
        ck_assert(qmp_receive(fixture.qmp, ids[0], lane_deadline_in(5000), NULL, NULL));
        ck_assert_uint_gt(drain(), 0);
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(what_is_out_of_band_overtakes)
{
        run(job_oob);
}
END_TEST

static void job_urgent(void *data)
{
        loop_post(fixture.loop, quit, NULL);
}

static void post_urgent(void *data)
{
        lane_post_urgent(fixture.lane, job_urgent, NULL);
}

static void job_interrupted(void *data)
{
        GError *error = NULL;

        make(NULL);
        loop_post(fixture.loop, post_urgent, NULL);
        ck_assert(!qmp_handshake(fixture.qmp, lane_deadline_in(60000), &error));
        check_error(error, ERROR_OPERATION_ABORTED, "interrupted");
}

START_TEST(an_urgent_job_ends_the_wait)
{
        run(job_interrupted);
}
END_TEST

/* ---- a QEMU that lies ---- */

static const struct {
        const char *text;
        const char *part;
} lies[] = {
        { "Segmentation fault\n", "no JSON" },
        { READY "{\"return\": {}, \"id\": 77}\n", "reply to no command" },
        { READY "{\"return\": {}, \"id\": 1}\n", "reply to no command" },
        { READY "{\"return\": {}}\n", "reply to no command" },
        { READY "{\"return\": {}, \"id\": []}\n", "wrong type" },
        { READY GREETING, "second greeting" },
        { "{\"return\": {}, \"id\": 1}\n", "before its greeting" },
        { "{\"QMP\": {\"version\": []}}\n", "without a version" },
        { READY "{\"event\": \"STOP\", \"data\": 3}\n", "wrong types" },
        { READY, "closed its monitor" },
        { "", "closed its monitor" },
};

static unsigned lie;

static void job_lie(void *data)
{
        GError *error = NULL;

        make(NULL);
        say(lies[lie].text);
        shutdown(fixture.fd, SHUT_WR);
        if (qmp_handshake(fixture.qmp, lane_deadline_in(5000), &error))
                ck_assert(!qmp_execute(fixture.qmp, "stop", NULL, 5000, NULL, &error));
        ck_assert(qmp_is_broken(fixture.qmp));
        check_error(error, strstr(lies[lie].part, "closed") ? ERROR_OPERATION_FAILED : ERROR_INTERNAL_ERROR,
                    lies[lie].part);
        error = NULL;
        ck_assert(!qmp_execute(fixture.qmp, "stop", NULL, 5000, NULL, &error));
        check_error(error, strstr(lies[lie].part, "closed") ? ERROR_OPERATION_FAILED : ERROR_INTERNAL_ERROR,
                    lies[lie].part);
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(lies_break_the_connection)
{
        lie = (unsigned)_i;
        run(job_lie);
}
END_TEST

/* ---- events ---- */

static void on_event(const char *name, const json_t *arguments, int64_t time_us, void *data)
{
        ck_assert(in_lane(fixture.lane));
        if (fixture.count < 16)
                g_string_append_printf(fixture.seen, "%s,", name ? name : "ASK");
        if (++fixture.count == fixture.quit_after)
                loop_post(fixture.loop, quit, NULL);
}

static void on_closed(const GError *error, void *data)
{
        ck_assert(!fixture.closed);
        ck_assert(error != NULL);
        fixture.closed = true;
        loop_post(fixture.loop, quit, NULL);
}

static void job_events(void *data)
{
        uint64_t id;

        make(NULL);
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        say(READY "{\"event\": \"A\"}\n{\"return\": 1, \"id\": 2}\n{\"event\": \"B\", \"data\": {}}\n");
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
        g_string_append(text, "{\"return\": {}, \"id\": 2}\n{\"event\": \"SHUTDOWN\"}\n");
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
        g_string_append(text, "{\"return\": {}, \"id\": 2}\n");
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

/* And the reply in its midst is found. */
START_TEST(a_storm_is_coalesced_while_nobody_waits)
{
        run(job_repeat_idle);
        pthread_join(fixture.peer, NULL);
        ck_assert(fixture.closed);
        ck_assert_uint_le(fixture.count, 4 * QMP_EVENTS_PER_TURN);
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

/* ---- */

static void job_fd(void *data)
{
        union {
                char space[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control;
        char text[1000];
        struct iovec vector = { text, sizeof(text) };
        struct msghdr header = { .msg_iov = &vector,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control) };
        eventfd_t value = 0;
        int fd;

        connect_ready();
        ck_assert_int_gt(recv(fixture.fd, text, sizeof(text), 0), 0);
        qmp_forget(fixture.qmp, qmp_send(fixture.qmp, "stop", NULL));
        qmp_send_fd(fixture.qmp, "getfd", json_pack("{s:s}", "fdname", "x"), fixture.stop_fd);
        qmp_flush(fixture.qmp);
        ck_assert_int_gt(recvmsg(fixture.fd, &header, MSG_CMSG_CLOEXEC), 0);
        if (!CMSG_FIRSTHDR(&header)) {
                header.msg_controllen = sizeof(control);
                ck_assert_int_gt(recvmsg(fixture.fd, &header, MSG_CMSG_CLOEXEC), 0);
        }
        ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&header));
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
        eventfd_write(fixture.stop_fd, 5);
        ck_assert_int_eq(eventfd_read(fd, &value), 0);
        ck_assert_uint_eq(value, 5);
        close(fd);
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(descriptors_travel_with_their_command)
{
        run(job_fd);
}
END_TEST

/* ---- calling back ---- */

static void on_reply(const json_t *result, const GError *error, void *data)
{
        g_string_append_printf(fixture.seen, "%s=%s,", (const char *)data,
                               error ? error->message : json_string_value(result));
        if (!g_strcmp0(data, "last"))
                loop_post(fixture.loop, quit, NULL);
}

static uint64_t call(const char *command, unsigned timeout_ms)
{
        return qmp_call(fixture.qmp, command, NULL, timeout_ms, on_reply, (char *)command);
}

static void job_calls(void *data)
{
        json_t *result;

        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        call("first", 60000);
        qmp_forget(fixture.qmp, call("forgotten", 60000));
        say("{\"event\": \"A\"}\n{\"return\": \"one\", \"id\": 2}\n{\"event\": \"B\"}\n");
        say("{\"return\": \"two\", \"id\": 3}\n{\"return\": \"three\", \"id\": 4}\n");
        /* It goes on while another command waits, and calls nobody in the midst of that. */
        ck_assert(qmp_execute(fixture.qmp, "blocking", NULL, 5000, &result, NULL));
        ck_assert_str_eq(json_string_value(result), "three");
        json_decref(result);
        ck_assert_str_eq(fixture.seen->str, "");
        call("last", 60000);
        say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"No such thing\"}, \"id\": 5}\n");
}

static void job_queued_calls(void *data)
{
        char sent[1000] = { 0 };

        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        ck_assert_int_gt(read(fixture.fd, sent, sizeof(sent) - 1), 0);
        qmp_queue_call(fixture.qmp, "first", NULL, 60000, on_reply, (char *)"first");
        qmp_queue_call(fixture.qmp, "second", NULL, 60000, on_reply, (char *)"last");
        ck_assert_int_eq(recv(fixture.fd, sent, sizeof(sent), MSG_DONTWAIT), -1);
        qmp_flush_calls(fixture.qmp);
        memset(sent, 0, sizeof(sent));
        ck_assert_int_gt(read(fixture.fd, sent, sizeof(sent) - 1), 0);
        ck_assert_str_eq(sent, "{\"execute\":\"first\",\"id\":2}\n{\"execute\":\"second\",\"id\":3}\n");
        say("{\"return\": \"one\", \"id\": 2}\n{\"return\": \"two\", \"id\": 3}\n");
}

START_TEST(queued_calls_go_out_together)
{
        run(job_queued_calls);
        ck_assert_str_eq(fixture.seen->str, "first=one,last=two,");
}
END_TEST

START_TEST(replies_are_told_in_order_with_events)
{
        run(job_calls);
        ck_assert_str_eq(fixture.seen->str,
                         "A,first=one,B,last=operation failed: QEMU of domain 'web' refused "
                         "last: No such thing,");
}
END_TEST

static void *flood_behind_a_reply(void *data)
{
        g_autoptr(GString) text = g_string_new(READY "{\"return\": \"early\", \"id\": 2}\n");

        for (unsigned i = 0; i < 2 * QMP_EVENTS_MAX; i++)
                g_string_append_printf(text, "{\"event\": \"E%u\"}\n", i);
        g_string_append(text, "{\"return\": {}, \"id\": 3}\n");
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

static void job_late_call(void *data)
{
        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        call("slow", 0);
        call("last", 60000);
}

static void answer_late(void *data)
{
        if (fixture.seen->len == 0)
                loop_post(fixture.loop, answer_late, NULL);
        else
                say("{\"return\": \"late\", \"id\": 2}\n{\"return\": \"right\", \"id\": 3}\n");
}

START_TEST(a_call_has_a_deadline)
{
        loop_post(fixture.loop, answer_late, NULL);
        run(job_late_call);
        ck_assert_str_eq(fixture.seen->str, "slow=Timed out during operation: QEMU of domain 'web' did not "
                                            "answer slow,last=right,");
}
END_TEST

static void job_call_of_the_dead(void *data)
{
        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        call("lost", 60000);
        say("{\"event\": \"A\"}\n");
        shutdown(fixture.fd, SHUT_WR);
}

static void job_call_too_late(void *data)
{
        call("last", 60000);
}

/* Nobody is left waiting: neither who called before the end nor who calls after it. */
START_TEST(calls_end_with_the_connection)
{
        run(job_call_of_the_dead);
        ck_assert(fixture.closed);
        ck_assert_str_eq(fixture.seen->str,
                         "A,lost=operation failed: QEMU of domain 'web' closed its monitor,");
        run(job_call_too_late);
        ck_assert(g_str_has_suffix(fixture.seen->str,
                                   "last=operation failed: QEMU of domain 'web' closed its "
                                   "monitor,"));
}
END_TEST

static void job_claim(void *data)
{
        uint64_t id;

        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        say("{\"event\": \"STOP\"}\n{\"return\": \"\", \"id\": 2}\n");
        ck_assert(qmp_execute(fixture.qmp, "other", NULL, 5000, NULL, NULL));
        id = qmp_send(fixture.qmp, "stop", NULL);
        say("{\"event\": \"STOP\"}\n{\"event\": \"B\"}\n{\"return\": \"\", \"id\": 3}\n");
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(5000), NULL, NULL));
        qmp_claim_events(fixture.qmp, id, "STOP");
        call("last", 60000);
        say("{\"return\": \"\", \"id\": 4}\n");
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
        Suite *suite = suite_create("qmp");
        TCase *tests = tcase_create("client");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tests, 60);
        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_test(tests, commands_are_pipelined_and_matched_by_id);
        tcase_add_test(tests, ids_are_short_and_those_of_open_commands_are_not_taken);
        tcase_add_test(tests, queued_calls_go_out_together);
        tcase_add_test(tests, refusals_carry_the_text_of_qemu);
        tcase_add_test(tests, a_late_reply_is_dropped);
        tcase_add_test(tests, a_hung_qemu_gathers_no_backlog);
        tcase_add_test(tests, what_is_out_of_band_overtakes);
        tcase_add_test(tests, an_urgent_job_ends_the_wait);
        tcase_add_test(tests, replies_are_told_in_order_with_events);
        tcase_add_test(tests, a_flood_does_not_drop_a_reply);
        tcase_add_test(tests, a_call_has_a_deadline);
        tcase_add_test(tests, calls_end_with_the_connection);
        tcase_add_test(tests, a_command_claims_its_own_events);
        tcase_add_loop_test(tests, lies_break_the_connection, 0, G_N_ELEMENTS(lies));
        tcase_add_test(tests, events_come_in_order_then_the_end_once);
        tcase_add_test(tests, a_callback_may_free_the_client);
        tcase_add_test(tests, a_flood_does_not_hide_a_reply);
        tcase_add_test(tests, a_flood_is_delivered_in_turns);
        tcase_add_test(tests, a_storm_of_one_event_is_coalesced);
        tcase_add_test(tests, a_storm_is_coalesced_while_nobody_waits);
        tcase_add_test(tests, a_line_without_end_breaks_the_connection);
        tcase_add_test(tests, descriptors_travel_with_their_command);
        suite_add_tcase(suite, tests);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
