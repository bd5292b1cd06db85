/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QMP client in a lane, against a peer with a script: replies in order, deadlines and late replies, what
 * is out of band, interrupts, descriptors, and a QEMU that lies.
 */
#include "tests/unit/check-main.h"
#include "tests/unit/qmp-fixture.h"

#include "drivers/qemu/qmp-output.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static void job_pipeline(void *data)
{
        GError *error = NULL;
        char sent[1000] = { 0 };
        json_t *result;
        uint64_t a, b;

        make(NULL);
        a = qmp_send(fixture.qmp, "query-a", json_pack("{s:i}", "x", 1));
        b = qmp_send(fixture.qmp, "query-b", NULL);
        say(READY "{\"return\": 10}\n{\"return\": 20}\n");
        ck_assert(qmp_handshake(fixture.qmp, lane_deadline_in(5000), &error));
        ck_assert(qmp_receive(fixture.qmp, b, lane_deadline_in(5000), &result, &error));
        ck_assert_int_eq(json_integer_value(result), 20);
        json_decref(result);
        ck_assert(qmp_receive(fixture.qmp, a, lane_deadline_in(5000), &result, &error));
        ck_assert_int_eq(json_integer_value(result), 10);
        json_decref(result);
        ck_assert_int_gt(read(fixture.fd, sent, sizeof(sent) - 1), 0);
        ck_assert_str_eq(sent, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]},"
                               "\"id\":100}"
                               "{\"execute\":\"query-a\",\"arguments\":{\"x\":1}}"
                               "{\"execute\":\"query-b\"}");
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(commands_are_pipelined_and_answered_in_order)
{
        run(job_pipeline);
}
END_TEST

static void job_remainder(void *data)
{
        json_t *result;
        uint64_t id;

        make(NULL);
        id = qmp_send(fixture.qmp, "query-a", NULL);
        say(GREETING "{\"return\": \"old\", \"id\": 2}\n{\"return\": \"old\"}\n"
                     "{\"error\": {\"class\": \"GenericError\", \"desc\": \"old\"}, \"id\": 50}\n"
                     "{\"return\": {}, \"id\": 100}\n{\"return\": \"new\"}\n");
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(5000), &result, NULL));
        ck_assert_str_eq(json_string_value(result), "new");
        json_decref(result);
        loop_post(fixture.loop, quit, NULL);
}

/* QEMU was busy with it when that client was killed. */
START_TEST(what_the_client_before_was_to_get_is_dropped)
{
        run(job_remainder);
}
END_TEST

static void job_greetings(void *data)
{
        uint64_t id;

        make(NULL);
        say(GREETING READY "{\"return\": {}}\n");
        id = qmp_send(fixture.qmp, "stop", NULL);
        ck_assert(qmp_handshake(fixture.qmp, lane_deadline_in(5000), NULL));
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(5000), NULL, NULL));
        loop_post(fixture.loop, quit, NULL);
}

/* Its threads have both seen the connection come. */
START_TEST(a_qemu_that_greets_twice_is_one)
{
        run(job_greetings);
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
        unsigned open, last;

        connect_ready();
        ck_assert_uint_eq(read_id(), 100);
        ck_assert(!qmp_execute_oob(fixture.qmp, "migrate-pause", NULL, 0, NULL, NULL));
        last = open = read_id();
        for (unsigned i = 0; i < 300; i++) {
                g_autofree char *reply = NULL;
                json_t *result;

                last = last % 99 + 1;
                if (last == open)
                        last++;
                reply = g_strdup_printf("{\"return\": %u, \"id\": %u}\n", i, last);
                say(reply);
                ck_assert(qmp_execute_oob(fixture.qmp, "migrate-pause", NULL, 5000, &result, NULL));
                ck_assert_int_eq(json_integer_value(result), i);
                ck_assert_uint_eq(read_id(), last);
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
                        "{\"error\": {\"class\": \"%s\", \"desc\": \"No such thing\"}}\n", cases[i].class);
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
        say("{\"return\": \"late\"}\n{\"return\": \"right\"}\n");
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

static void job_forgotten(void *data)
{
        enum { SENT = 40 };
        g_autoptr(GString) answers = g_string_new(NULL);
        GError *error = NULL;
        uint64_t before, id;

        connect_ready();
        before = qmp_get_last_id(fixture.qmp);
        for (unsigned i = 0; i < SENT; i++) {
                qmp_send(fixture.qmp, "query-a", NULL);
                g_string_append(answers, "{\"return\": {}}\n");
        }
        qmp_forget_later(fixture.qmp, before);
        id = qmp_send(fixture.qmp, "query-b", NULL);
        g_string_append(answers, "{\"return\": {}}\n");
        say(answers->str);
        ck_assert(qmp_receive(fixture.qmp, id, lane_deadline_in(5000), NULL, NULL));
        for (unsigned i = 0; i < QMP_OUTSTANDING_MAX; i++)
                id = qmp_send(fixture.qmp, "query-c", NULL);
        ck_assert(!qmp_receive(fixture.qmp, id, lane_deadline_in(0), NULL, &error));
        check_error(error, ERROR_OPERATION_TIMEOUT, "did not answer");
        loop_post(fixture.loop, quit, NULL);
}

START_TEST(what_is_forgotten_together_makes_room)
{
        run(job_forgotten);
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
        say("{\"return\": \"overtakes\", \"id\": 1}\n");
        ck_assert_msg(qmp_execute_oob(fixture.qmp, "migrate-pause", NULL, 5000, &result, &error), "%s",
                      error ? error->message : "");
        ck_assert_str_eq(json_string_value(result), "overtakes");
        json_decref(result);
        ck_assert_uint_eq(drain(), strlen("{\""));
        /* An answer makes room for another, also when nobody sends anything. */
        say("{\"return\": {}}\n");
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

static void job_calls(void *data)
{
        json_t *result;

        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        call("first", 60000);
        qmp_forget(fixture.qmp, call("forgotten", 60000));
        say("{\"event\": \"A\"}\n{\"return\": \"one\"}\n{\"event\": \"B\"}\n");
        say("{\"return\": \"two\"}\n{\"return\": \"three\"}\n");
        /* It goes on while another command waits, and calls nobody in the midst of that. */
        ck_assert(qmp_execute(fixture.qmp, "blocking", NULL, 5000, &result, NULL));
        ck_assert_str_eq(json_string_value(result), "three");
        json_decref(result);
        ck_assert_str_eq(fixture.seen->str, "");
        call("last", 60000);
        say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"No such thing\"}}\n");
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
        ck_assert_str_eq(sent, "{\"execute\":\"first\"}{\"execute\":\"second\"}");
        say("{\"return\": \"one\"}\n{\"return\": \"two\"}\n");
}

static void job_answered_at_once(void *data)
{
        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        qmp_queue_call(fixture.qmp, "first", NULL, 60000, on_reply, (char *)"first");
        qmp_queue_call(fixture.qmp, "second", NULL, 60000, on_reply, (char *)"last");
        say("{\"return\": \"one\"}\n{\"return\": \"two\"}\n");
        ck_assert_str_eq(fixture.seen->str, "");
        qmp_flush_calls(fixture.qmp);
        ck_assert_str_eq(fixture.seen->str, "first=one,last=two,");
}

START_TEST(answers_that_come_at_once_need_no_other_job)
{
        run(job_answered_at_once);
}
END_TEST

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

static void answer_late(void *data)
{
        if (fixture.seen->len == 0)
                lane_post(fixture.lane, answer_late, NULL);
        else
                say("{\"return\": \"late\"}\n{\"return\": \"right\"}\n");
}

static void job_late_call(void *data)
{
        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        call("slow", 0);
        call("last", 60000);
        lane_post(fixture.lane, answer_late, NULL);
}

START_TEST(a_call_has_a_deadline)
{
        run(job_late_call);
        ck_assert_str_eq(fixture.seen->str, "slow=Timed out during operation: QEMU of domain 'web' did not "
                                            "answer slow,last=right,");
}
END_TEST

static void job_late_calls(void *data)
{
        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event, on_closed, NULL, NULL));
        call("answered", 60000);
        call("last", 40);
        call("slow", 20);
        say("{\"return\": \"right\"}\n");
}

START_TEST(calls_are_late_in_the_order_of_their_deadlines)
{
        run(job_late_calls);
        ck_assert_str_eq(fixture.seen->str,
                         "answered=right,"
                         "slow=Timed out during operation: QEMU of domain 'web' did not answer slow,"
                         "last=Timed out during operation: QEMU of domain 'web' did not answer last,");
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

/* Nobody waits for its answer, and nobody flushes it. */
static void on_event_send(const char *name, const json_t *arguments, int64_t time_us, void *data)
{
        qmp_forget(fixture.qmp, qmp_send(fixture.qmp, "aside", NULL));
}

static struct loop_timer *later;

static void job_end(void *data)
{
        loop_post(fixture.loop, quit, NULL);
}

static void post_end(void *data)
{
        lane_post(fixture.lane, job_end, NULL);
}

static void arm_end(void *data)
{
        later = loop_timer_new(fixture.loop, 200, post_end, NULL);
}

static void job_aside(void *data)
{
        connect_ready();
        ck_assert(qmp_watch(fixture.qmp, on_event_send, on_closed, NULL, NULL));
        call("hangs", 60000);
        say("{\"event\": \"A\"}\n");
        loop_post(fixture.loop, arm_end, NULL);
}

/* What a callback sends goes out while the answer to something else is waited for, and the lane is free. */
START_TEST(what_is_sent_meanwhile_goes_out)
{
        char sent[1000] = { 0 };

        run(job_aside);
        loop_timer_free(later);
        ck_assert_int_gt(recv(fixture.fd, sent, sizeof(sent) - 1, MSG_DONTWAIT), 0);
        ck_assert_msg(strstr(sent, "aside"), "%s", sent);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qmp");
        TCase *tests = tcase_create("client");

        tcase_set_timeout(tests, 60);
        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_test(tests, commands_are_pipelined_and_answered_in_order);
        tcase_add_test(tests, what_the_client_before_was_to_get_is_dropped);
        tcase_add_test(tests, a_qemu_that_greets_twice_is_one);
        tcase_add_test(tests, ids_are_short_and_those_of_open_commands_are_not_taken);
        tcase_add_test(tests, queued_calls_go_out_together);
        tcase_add_test(tests, answers_that_come_at_once_need_no_other_job);
        tcase_add_test(tests, refusals_carry_the_text_of_qemu);
        tcase_add_test(tests, a_late_reply_is_dropped);
        tcase_add_test(tests, a_hung_qemu_gathers_no_backlog);
        tcase_add_test(tests, what_is_forgotten_together_makes_room);
        tcase_add_test(tests, what_is_out_of_band_overtakes);
        tcase_add_test(tests, an_urgent_job_ends_the_wait);
        tcase_add_test(tests, replies_are_told_in_order_with_events);
        tcase_add_test(tests, a_call_has_a_deadline);
        tcase_add_test(tests, calls_are_late_in_the_order_of_their_deadlines);
        tcase_add_test(tests, calls_end_with_the_connection);
        tcase_add_test(tests, what_is_sent_meanwhile_goes_out);
        tcase_add_loop_test(tests, lies_break_the_connection, 0, G_N_ELEMENTS(lies));
        tcase_add_test(tests, descriptors_travel_with_their_command);
        suite_add_tcase(suite, tests);
        return check_run(suite);
}
