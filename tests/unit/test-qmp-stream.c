/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP messages out of bytes: what is recognised, and that everything hostile is refused before it costs
 * memory.
 */
#include "drivers/qemu/qmp-stream.h"

#include "tests/unit/check-main.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct qmp_stream stream;

static void set_up(void)
{
        qmp_stream_init(&stream);
}

static void tear_down(void)
{
        qmp_stream_done(&stream);
}

static void push(const char *text)
{
        qmp_stream_push(&stream, text, strlen(text));
}

/* The reason for which text alone breaks a stream; NULL when it does not. */
static char *break_with(const char *text, size_t line_max)
{
        struct qmp_message message;
        char *reason = NULL;

        push(text);
        switch (qmp_stream_next(&stream, line_max, &message, &reason)) {
        case QMP_STREAM_MESSAGE:
                qmp_message_clear(&message);
                return NULL;
        case QMP_STREAM_MORE:
                return NULL;
        case QMP_STREAM_BROKEN:
                break;
        }
        ck_assert_ptr_nonnull(reason);
        return reason;
}

START_TEST(test_kinds)
{
        struct qmp_message message;
        char *reason;

        push("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n\r\n"
             "{\"return\": {\"a\": 1}, \"id\": 7}\r\n{\"error\": {\"class\": \"GenericError\", \"desc\": "
             "\"no\"}, \"id\": 8}\n"
             "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 6}, \"event\": \"STOP\"}\n{\"ret");
        ck_assert_int_eq(qmp_stream_next(&stream, 1000, &message, &reason), QMP_STREAM_MESSAGE);
        ck_assert_int_eq(message.kind, QMP_GREETING);
        qmp_message_clear(&message);
        ck_assert_int_eq(qmp_stream_next(&stream, 1000, &message, &reason), QMP_STREAM_MESSAGE);
        ck_assert_int_eq(message.kind, QMP_RETURN);
        ck_assert_uint_eq(message.id, 7);
        ck_assert_int_eq(json_integer_value(json_object_get(message.body, "a")), 1);
        qmp_message_clear(&message);
        ck_assert_int_eq(qmp_stream_next(&stream, 1000, &message, &reason), QMP_STREAM_MESSAGE);
        ck_assert_int_eq(message.kind, QMP_ERROR);
        ck_assert_uint_eq(message.id, 8);
        qmp_message_clear(&message);
        ck_assert_int_eq(qmp_stream_next(&stream, 1000, &message, &reason), QMP_STREAM_MESSAGE);
        ck_assert_int_eq(message.kind, QMP_EVENT);
        ck_assert_str_eq(message.name, "STOP");
        ck_assert_int_eq(message.time_us, 5000006);
        qmp_message_clear(&message);
        ck_assert(!qmp_stream_has_line(&stream));
        ck_assert_int_eq(qmp_stream_next(&stream, 1000, &message, &reason), QMP_STREAM_MORE);
        push("urn\": 1, \"id\": 9}\n");
        ck_assert(qmp_stream_has_line(&stream));
        ck_assert_int_eq(qmp_stream_next(&stream, 1000, &message, &reason), QMP_STREAM_MESSAGE);
        ck_assert_uint_eq(message.id, 9);
        qmp_message_clear(&message);
}
END_TEST

static const char *const malformed[] = {
        "hello\n",
        "[]\n",
        "{}\n",
        "{\"return\": 1, \"id\": \"x\"}\n",
        "{\"return\": 1, \"id\": -1}\n",
        "{\"return\": 1, \"id\": 99999999999999999999999}\n",
        "{\"event\": 5}\n",
        "{\"event\": \"STOP\", \"data\": []}\n",
        "{\"QMP\": 1}\n",
        "{\"error\": \"x\", \"id\": 1}\n",
        "{\"error\": {\"desc\": 4}, \"id\": 1}\n",
        "{\"return\": \"\xff\xfe\", \"id\": 1}\n",
        "{\"return\": 1, \"id\": 1} {}\n",
};

START_TEST(test_malformed)
{
        g_autofree char *reason = break_with(malformed[_i], 1000);

        ck_assert_msg(reason, "accepted: %s", malformed[_i]);
        ck_assert_uint_lt(strlen(reason), 300);
}
END_TEST

START_TEST(test_long_line)
{
        g_autofree char *text = g_strnfill(101, ' ');
        g_autofree char *reason = break_with(text, 100);

        ck_assert_str_eq(reason, "a line of more than 100 bytes");
}
END_TEST

START_TEST(test_long_complete_line)
{
        g_autofree char *fill = g_strnfill(101, ' ');
        g_autofree char *text = g_strconcat(fill, "\n", NULL);
        g_autofree char *reason = break_with(text, 100);

        ck_assert_str_eq(reason, "a line of more than 100 bytes");
}
END_TEST

START_TEST(test_deep)
{
        g_autofree char *open = g_strnfill(200000, '[');
        g_autofree char *text = g_strconcat(open, "\n", NULL);
        g_autofree char *reason = break_with(text, QMP_LINE_MAX);

        ck_assert_str_eq(reason, "JSON of more than 128 levels");
}
END_TEST

START_TEST(test_many_values)
{
        g_autoptr(GString) text = g_string_new("{\"return\": [1");
        g_autofree char *reason = NULL;

        for (unsigned i = 0; i < QMP_VALUES_MAX; i++)
                g_string_append(text, ",1");
        g_string_append(text, "], \"id\": 1}\n");
        reason = break_with(text->str, QMP_LINE_MAX);
        ck_assert_str_eq(reason, "JSON of more than 200000 values");
}
END_TEST

/* Commas and brackets in strings are no values. */
START_TEST(test_text_is_no_structure)
{
        g_autofree char *commas = g_strnfill(QMP_VALUES_MAX + 1, ',');
        g_autofree char *text = g_strconcat("{\"return\": \"[[\\\"", commas, "\", \"id\": 1}\n", NULL);

        ck_assert_ptr_null(break_with(text, QMP_LINE_MAX));
}
END_TEST

START_TEST(test_long_number)
{
        g_autofree char *digits = g_strnfill(100000, '9');
        g_autofree char *text = g_strconcat("{\"return\": ", digits, ", \"id\": 1}\n", NULL);
        g_autofree char *reason = break_with(text, QMP_LINE_MAX);

        ck_assert_ptr_nonnull(reason);
        ck_assert_uint_lt(strlen(reason), 300);
}
END_TEST

/* Integers that are whole in QEMU and too big for the parser; those next to them keep their value. */
START_TEST(test_unsigned)
{
        struct qmp_message message;
        char *reason = NULL;

        push("{\"return\": {\"a\": 18446744073709551615, \"b\": 9223372036854775807, \"c\": "
             "9223372036854775808,"
             " \"d\": -4, \"e\": \"18446744073709551615\"}, \"id\": 3}\n");
        ck_assert_int_eq(qmp_stream_next(&stream, 1000, &message, &reason), QMP_STREAM_MESSAGE);
        ck_assert_uint_eq(message.id, 3);
        ck_assert_int_eq(json_integer_value(json_object_get(message.body, "a")), INT64_MAX);
        ck_assert_int_eq(json_integer_value(json_object_get(message.body, "b")), INT64_MAX);
        ck_assert_int_eq(json_integer_value(json_object_get(message.body, "c")), INT64_MAX);
        ck_assert_int_eq(json_integer_value(json_object_get(message.body, "d")), -4);
        ck_assert_str_eq(json_string_value(json_object_get(message.body, "e")), "18446744073709551615");
        qmp_message_clear(&message);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qmp-stream");
        TCase *tests = tcase_create("stream");

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_add_test(tests, test_kinds);
        tcase_add_loop_test(tests, test_malformed, 0, G_N_ELEMENTS(malformed));
        tcase_add_test(tests, test_long_line);
        tcase_add_test(tests, test_long_complete_line);
        tcase_add_test(tests, test_deep);
        tcase_add_test(tests, test_many_values);
        tcase_add_test(tests, test_text_is_no_structure);
        tcase_add_test(tests, test_long_number);
        tcase_add_test(tests, test_unsigned);
        suite_add_tcase(suite, tests);
        return check_run(suite);
}
