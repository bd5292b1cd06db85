/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/marshal.h"

#include <check.h>
#include <stdlib.h>

static DBusMessage *message;
static DBusMessageIter writer, reader;

static void setup(void)
{
        message = dbus_message_new_signal("/a", "a.b", "C");
        dbus_message_iter_init_append(message, &writer);
}

static void teardown(void)
{
        dbus_message_unref(message);
        dbus_shutdown();
}

static void expect_signature(const char *signature)
{
        ck_assert_str_eq(dbus_message_get_signature(message), signature);
        dbus_message_iter_init(message, &reader);
}

START_TEST(basic_values_round_trip)
{
        bool b;
        uint8_t y;
        uint16_t q;
        int32_t i;
        uint32_t u;
        int64_t x;
        uint64_t t;
        double d;
        const char *s, *o, *g;

        marshal_write(&writer, "byqiuxtdsog", true, 200, 60000, INT32_MIN, UINT32_MAX, INT64_MIN, UINT64_MAX,
                      0.5, "text", "/path", "a{sv}");
        expect_signature("byqiuxtdsog");
        marshal_read(&reader, "byqiuxtdsog", &b, &y, &q, &i, &u, &x, &t, &d, &s, &o, &g);
        ck_assert(b && y == 200 && q == 60000 && i == INT32_MIN && u == UINT32_MAX);
        ck_assert(x == INT64_MIN && t == UINT64_MAX && d == 0.5);
        ck_assert_str_eq(s, "text");
        ck_assert_str_eq(o, "/path");
        ck_assert_str_eq(g, "a{sv}");
}
END_TEST

START_TEST(bytes_round_trip)
{
        const void *bytes, *nothing;
        size_t length, empty;
        uint32_t u;

        marshal_write(&writer, "ayuay", "a\0\377", (size_t)3, 7, NULL, (size_t)0);
        expect_signature("ayuay");
        marshal_read(&reader, "ayuay", &bytes, &length, &u, &nothing, &empty);
        ck_assert_uint_eq(length, 3);
        ck_assert_mem_eq(bytes, "a\0\377", 3);
        ck_assert_uint_eq(u, 7);
        ck_assert_uint_eq(empty, 0);
}
END_TEST

START_TEST(structs_nest)
{
        DBusMessageIter outer, inner;
        const char *s;
        int32_t i;
        uint64_t t;

        marshal_write(&writer, "s(i(st))u", "a", -1, "b", UINT64_C(1) << 40, 7u);
        expect_signature("s(i(st))u");
        dbus_message_iter_next(&reader);
        dbus_message_iter_recurse(&reader, &outer);
        marshal_read(&outer, "i", &i);
        dbus_message_iter_recurse(&outer, &inner);
        marshal_read(&inner, "st", &s, &t);
        ck_assert_int_eq(i, -1);
        ck_assert_str_eq(s, "b");
        ck_assert(t == UINT64_C(1) << 40);
}
END_TEST

START_TEST(dictionary_entries_and_arrays)
{
        DBusMessageIter array;

        marshal_open_array(&writer, &array, "{st}");
        marshal_write(&array, "{st}", "kernel", UINT64_C(1));
        marshal_write(&array, "{st}{st}", "user", UINT64_C(2), "idle", UINT64_C(3));
        marshal_close(&writer, &array);
        expect_signature("a{st}");
        ck_assert_int_eq(dbus_message_iter_get_element_count(&reader), 3);
}
END_TEST

START_TEST(text_that_is_no_utf8_is_repaired)
{
        const char *first, *second;

        marshal_write(&writer, "ss",
                      "a\xff"
                      "b",
                      NULL);
        expect_signature("ss");
        marshal_read(&reader, "ss", &first, &second);
        ck_assert_str_eq(first, "a\xef\xbf\xbd"
                                "b");
        ck_assert_str_eq(second, "");
}
END_TEST

START_TEST(slots_wrap_and_may_stay_empty)
{
        DBusMessageIter array, entry, outer, inner;
        const char *key;
        int32_t value;

        marshal_open_array(&writer, &array, "{sv}");
        for (unsigned variants = 1; variants <= 2; variants++) {
                struct marshal_slot slot = { &array, "Name", variants, "(ii)" };
                struct marshal_slot unused = { &array, "Unused", variants, "(ii)" };

                ck_assert(marshal_slot_write(&slot, "(ii)", (int)variants, 2));
                (void)unused;
        }
        marshal_close(&writer, &array);
        expect_signature("a{sv}");
        ck_assert_int_eq(dbus_message_iter_get_element_count(&reader), 2);
        dbus_message_iter_recurse(&reader, &array);
        for (int variants = 1; variants <= 2; variants++, dbus_message_iter_next(&array)) {
                dbus_message_iter_recurse(&array, &entry);
                marshal_read(&entry, "s", &key);
                ck_assert_str_eq(key, "Name");
                dbus_message_iter_recurse(&entry, &outer);
                if (variants == 2) {
                        ck_assert_int_eq(dbus_message_iter_get_arg_type(&outer), DBUS_TYPE_VARIANT);
                        dbus_message_iter_recurse(&outer, &inner);
                        outer = inner;
                }
                ck_assert_int_eq(dbus_message_iter_get_arg_type(&outer), DBUS_TYPE_STRUCT);
                dbus_message_iter_recurse(&outer, &inner);
                marshal_read(&inner, "i", &value);
                ck_assert_int_eq(value, variants);
        }
}
END_TEST

START_TEST(a_slot_without_wrapping)
{
        struct marshal_slot slot = { &writer, NULL, 0, "b" };

        ck_assert(marshal_slot_write(&slot, "b", true));
        expect_signature("b");
}
END_TEST

START_TEST(estimate_sees_nested_bytes_and_stops)
{
        g_autofree char *text = g_strnfill(100000, 'x');
        DBusMessageIter array;

        ck_assert_uint_eq(marshal_estimate(message, 100), 0);
        marshal_open_array(&writer, &array, "(ss)");
        for (unsigned i = 0; i < 10; i++)
                marshal_write(&array, "(ss)", text, text);
        marshal_close(&writer, &array);
        ck_assert_uint_ge(marshal_estimate(message, SIZE_MAX), 2000000);
        ck_assert_uint_le(marshal_estimate(message, SIZE_MAX), 2001000);
        ck_assert_uint_ge(marshal_estimate(message, 50000), 50000);
        ck_assert_uint_le(marshal_estimate(message, 50000), 200000);
}
END_TEST

/* ---- typed parameters ---- */

static const struct param_rule rules[] = {
        { "i", PARAM_INT },    { "u", PARAM_UINT }, { "x", PARAM_LONG },   { "t", PARAM_ULONG },
        { "d", PARAM_DOUBLE }, { "b", PARAM_BOOL }, { "s", PARAM_STRING },
};
static const struct param_table table = { ERROR_FROM_DOMAIN, "SetThings", rules, G_N_ELEMENTS(rules) };

static void add_entry(DBusMessageIter *array, const char *name, const char *signature, ...)
{
        DBusMessageIter entry, variant;
        va_list args;

        marshal_open_entry(array, &entry);
        marshal_write(&entry, "s", name);
        dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature, &variant);
        va_start(args, signature);
        marshal_write_list(&variant, signature, &args);
        va_end(args);
        marshal_close(&entry, &variant);
        marshal_close(array, &entry);
}

START_TEST(params_are_read_from_a_dictionary)
{
        CLEANUP(params_free) struct params *params = params_new();
        g_autoptr(GError) error = NULL;
        DBusMessageIter array;
        uint32_t flags;

        marshal_open_array(&writer, &array, "{sv}");
        add_entry(&array, "i", "i", INT32_MIN);
        add_entry(&array, "u", "u", UINT32_MAX);
        add_entry(&array, "x", "x", INT64_MIN);
        add_entry(&array, "t", "t", UINT64_MAX);
        add_entry(&array, "d", "d", 0.5);
        add_entry(&array, "b", "b", true);
        add_entry(&array, "s", "s", "text");
        marshal_close(&writer, &array);
        marshal_write(&writer, "u", 7);
        expect_signature("a{sv}u");
        ck_assert(marshal_read_params(&reader, &table, params, &error));
        marshal_read(&reader, "u", &flags);
        ck_assert_uint_eq(flags, 7);
        ck_assert_uint_eq(params_get_count(params), 7);
        ck_assert_int_eq(params_find(params, "i")->value.i, INT32_MIN);
        ck_assert_uint_eq(params_find(params, "u")->value.u, UINT32_MAX);
        ck_assert_int_eq(params_find(params, "x")->value.x, INT64_MIN);
        ck_assert_uint_eq(params_find(params, "t")->value.t, UINT64_MAX);
        ck_assert(params_find(params, "d")->value.d == 0.5 && params_find(params, "b")->value.b);
        ck_assert_str_eq(params_find(params, "s")->value.s, "text");
}
END_TEST

/* The message holds one entry that is good and one that is refused. */
static void expect_refused(const char *text)
{
        CLEANUP(params_free) struct params *params = params_new();
        g_autoptr(GError) error = NULL;

        dbus_message_iter_init(message, &reader);
        ck_assert(!marshal_read_params(&reader, &table, params, &error));
        ck_assert_str_eq(error->message, text);
        ck_assert_uint_eq(params_get_count(params), 1);
        teardown();
        setup();
}

static void open_good(DBusMessageIter *array)
{
        marshal_open_array(&writer, array, "{sv}");
        add_entry(array, "u", "u", 1);
}

START_TEST(params_that_are_refused)
{
        DBusMessageIter array;

        open_good(&array);
        add_entry(&array, "t", "u", 1);
        marshal_close(&writer, &array);
        expect_refused("invalid argument: parameter 't' is of type uint, expected ullong in function "
                       "SetThings");
        open_good(&array);
        add_entry(&array, "u", "u", 2);
        marshal_close(&writer, &array);
        expect_refused("invalid argument: parameter 'u' is given twice in function SetThings");
        open_good(&array);
        add_entry(&array, "u2", "u", 2);
        marshal_close(&writer, &array);
        expect_refused("argument unsupported: parameter 'u2' is not supported in function SetThings");
        open_good(&array);
        add_entry(&array, "s", "ay", "x", (size_t)1);
        marshal_close(&writer, &array);
        expect_refused("invalid argument: parameter 's' is of type 'ay', which no parameter has");
        open_good(&array);
        add_entry(&array, "s", "o", "/a");
        marshal_close(&writer, &array);
        expect_refused("invalid argument: parameter 's' is of type 'o', which no parameter has");
}
END_TEST

START_TEST(params_are_written_in_two_variants)
{
        CLEANUP(params_free) struct params *params = params_new();
        DBusMessageIter array, entry, outer, inner;
        const char *name, *text;

        params_add_int(params, "i", 1);
        params_add_uint(params, "u", 2);
        params_add_long(params, "x", 3);
        params_add_ulong(params, "t", 4);
        params_add_double(params, "d", 5);
        params_add_bool(params, "b", true);
        params_add_string(params, "s", "text");
        marshal_write_params(&writer, params);
        expect_signature("a{sv}");
        dbus_message_iter_recurse(&reader, &array);
        for (const char *type = "iuxtdbs"; *type; type++) {
                dbus_message_iter_recurse(&array, &entry);
                marshal_read(&entry, "s", &name);
                ck_assert(name[0] == *type && !name[1]);
                dbus_message_iter_recurse(&entry, &outer);
                ck_assert_int_eq(dbus_message_iter_get_arg_type(&outer), DBUS_TYPE_VARIANT);
                dbus_message_iter_recurse(&outer, &inner);
                ck_assert_int_eq(dbus_message_iter_get_arg_type(&inner), *type);
                dbus_message_iter_next(&array);
        }
        marshal_read(&inner, "s", &text);
        ck_assert_str_eq(text, "text");
        ck_assert_int_eq(dbus_message_iter_get_arg_type(&array), DBUS_TYPE_INVALID);
}
END_TEST

START_TEST(counters_are_written_without_variants)
{
        CLEANUP(params_free) struct params *params = params_new();
        DBusMessageIter array, entry;
        const char *name;
        uint64_t value;

        marshal_write_counters(&writer, params);
        params_add_ulong(params, "idle", UINT64_MAX);
        marshal_write_counters(&writer, params);
        expect_signature("a{st}a{st}");
        dbus_message_iter_next(&reader);
        dbus_message_iter_recurse(&reader, &array);
        dbus_message_iter_recurse(&array, &entry);
        marshal_read(&entry, "st", &name, &value);
        ck_assert_str_eq(name, "idle");
        ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("marshal");
        TCase *tcase = tcase_create("marshal");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, basic_values_round_trip);
        tcase_add_test(tcase, bytes_round_trip);
        tcase_add_test(tcase, structs_nest);
        tcase_add_test(tcase, dictionary_entries_and_arrays);
        tcase_add_test(tcase, text_that_is_no_utf8_is_repaired);
        tcase_add_test(tcase, slots_wrap_and_may_stay_empty);
        tcase_add_test(tcase, a_slot_without_wrapping);
        tcase_add_test(tcase, estimate_sees_nested_bytes_and_stops);
        tcase_add_test(tcase, params_are_read_from_a_dictionary);
        tcase_add_test(tcase, params_that_are_refused);
        tcase_add_test(tcase, params_are_written_in_two_variants);
        tcase_add_test(tcase, counters_are_written_without_variants);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
