/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters: lists as they are built and read, and what a table refuses of what a caller hands in.
 */
#include "base/params.h"

#include "tests/unit/check-main.h"

#include <math.h>
#include <string.h>

enum { GROUP_TOTAL = 1, GROUP_READ = 2 };

static const struct param_rule rules[] = {
        { "int", PARAM_INT },
        { "port", PARAM_INT, .min = 1, .max = 65535 },
        { "offset", PARAM_LONG, .min = -10, .max = 10 },
        { "uint", PARAM_UINT, .min = 2, .max = 9 },
        { "total", PARAM_ULONG, .group = GROUP_TOTAL, .max = INT64_MAX },
        { "read", PARAM_ULONG, .group = GROUP_READ },
        { "share", PARAM_DOUBLE, .max = 1 },
        { "any", PARAM_DOUBLE },
        { "on", PARAM_BOOL, PARAM_LIVE_ONLY },
        { "name", PARAM_STRING, .max = 4 },
        { "text", PARAM_STRING },
        { "seen", PARAM_UINT, PARAM_READ_ONLY },
        { "disks", PARAM_STRING, PARAM_REPEATED },
        { "key", PARAM_STRING, PARAM_SECURE },
};

static const struct param_table table = { ERROR_FROM_DOMAIN, "SetThings", rules, G_N_ELEMENTS(rules) };

static struct params *params;

static void setup(void)
{
        params = params_new();
}

static void teardown(void)
{
        params_free(params);
}

/* message is without the phrase before it and the function behind it; NULL: the entry is accepted. */
static void expect_from(struct param param, const char *phrase, const char *message)
{
        g_autofree char *whole = g_strdup_printf("%s: %s in function SetThings", phrase, message);
        unsigned before = params_get_count(params);
        g_autoptr(GError) error = NULL;

        ck_assert_int_eq(params_accept(params, &table, &param, &error), message == NULL);
        ck_assert_pstr_eq(error ? error->message : NULL, message ? whole : NULL);
        ck_assert_uint_eq(params_get_count(params), message ? before : before + 1);
}

static void expect(struct param param, const char *message)
{
        expect_from(param, "invalid argument", message);
}

#define INT(name, number)    ((struct param){ name, PARAM_INT, { .i = number } })
#define UINT(name, number)   ((struct param){ name, PARAM_UINT, { .u = number } })
#define LONG(name, number)   ((struct param){ name, PARAM_LONG, { .x = number } })
#define ULONG(name, number)  ((struct param){ name, PARAM_ULONG, { .t = number } })
#define DOUBLE(name, number) ((struct param){ name, PARAM_DOUBLE, { .d = number } })
#define BOOL(name, is)       ((struct param){ name, PARAM_BOOL, { .b = is } })
#define STRING(name, text)   ((struct param){ name, PARAM_STRING, { .s = text } })

/* Forgets what was accepted, so that a name can be given again. */
static void again(void)
{
        teardown();
        setup();
}

START_TEST(a_list_keeps_what_was_added)
{
        char name[] = "name", text[] = "text";

        params_add_int(params, "i", INT32_MIN);
        params_add_uint(params, "u", UINT32_MAX);
        params_add_long(params, "x", INT64_MIN);
        params_add_ulong(params, "t", UINT64_MAX);
        params_add_double(params, "d", 0.25);
        params_add_bool(params, "b", true);
        params_add_string(params, name, text);
        params_add_string(params, "none", NULL);
        memset(name, 'x', 4);
        memset(text, 'x', 4);
        ck_assert_uint_eq(params_get_count(params), 8);
        ck_assert(params_get(params, 0)->type == PARAM_INT && params_get(params, 0)->value.i == INT32_MIN);
        ck_assert(params_get(params, 1)->type == PARAM_UINT && params_get(params, 1)->value.u == UINT32_MAX);
        ck_assert(params_get(params, 2)->type == PARAM_LONG && params_get(params, 2)->value.x == INT64_MIN);
        ck_assert(params_get(params, 3)->type == PARAM_ULONG && params_get(params, 3)->value.t == UINT64_MAX);
        ck_assert(params_get(params, 4)->type == PARAM_DOUBLE && params_get(params, 4)->value.d == 0.25);
        ck_assert(params_get(params, 5)->type == PARAM_BOOL && params_get(params, 5)->value.b);
        ck_assert_str_eq(params_find(params, "name")->value.s, "text");
        ck_assert_str_eq(params_find(params, "none")->value.s, "");
        ck_assert_ptr_null(params_find(params, "nam"));
}
END_TEST

START_TEST(names_get_a_prefix)
{
        params_set_prefix(params, "block.%u.", 3);
        params_add_ulong(params, "rd.bytes", 1);
        params_set_prefix(params, "%s", "");
        params_add_ulong(params, "block.count", 1);
        ck_assert_str_eq(params_get(params, 0)->name, "block.3.rd.bytes");
        ck_assert_str_eq(params_get(params, 1)->name, "block.count");
}
END_TEST

START_TEST(numbers_within_their_bounds)
{
        expect(INT("int", INT32_MIN), NULL);
        expect(INT("port", 1), NULL);
        expect(LONG("offset", -10), NULL);
        expect(UINT("uint", 9), NULL);
        expect(ULONG("total", INT64_MAX), NULL);
        expect(ULONG("read", UINT64_MAX), NULL);
        expect(DOUBLE("share", 1), NULL);
        expect(DOUBLE("any", -1e300), NULL);
        expect(BOOL("on", false), NULL);
        again();
        expect(LONG("offset", 10), NULL);
        again();
        expect(LONG("offset", -1), NULL);
        expect(INT("port", 65535), NULL);
        expect(UINT("uint", 2), NULL);
        expect(DOUBLE("share", 0), NULL);
        ck_assert_int_eq(params_find(params, "port")->value.i, 65535);
}
END_TEST

START_TEST(numbers_out_of_their_bounds)
{
        expect(INT("port", 0), "parameter 'port' is 0, not from 1 to 65535");
        expect(INT("port", 65536), "parameter 'port' is 65536, not from 1 to 65535");
        expect(INT("port", -1), "parameter 'port' is -1, not from 1 to 65535");
        expect(LONG("offset", -11), "parameter 'offset' is -11, not from -10 to 10");
        expect(LONG("offset", 11), "parameter 'offset' is 11, not from -10 to 10");
        expect(UINT("uint", 1), "parameter 'uint' is 1, not from 2 to 9");
        expect(UINT("uint", 10), "parameter 'uint' is 10, not from 2 to 9");
        expect(ULONG("total", UINT64_C(1) << 63),
               "parameter 'total' is 9223372036854775808, not from 0 to 9223372036854775807");
        expect(DOUBLE("share", 1.5), "parameter 'share' is 1.5, not from 0 to 1");
        expect(DOUBLE("share", -0.5), "parameter 'share' is -0.5, not from 0 to 1");
        expect(DOUBLE("share", NAN), "parameter 'share' is not a finite number");
        expect(DOUBLE("any", INFINITY), "parameter 'any' is not a finite number");
        expect(DOUBLE("any", NAN), "parameter 'any' is not a finite number");
}
END_TEST

START_TEST(texts_have_a_length)
{
        g_autofree char *most = g_strnfill(PARAM_TEXT_MAX, 'x');
        g_autofree char *more = g_strnfill(PARAM_TEXT_MAX + 1, 'x');

        expect(STRING("name", "vier"), NULL);
        expect(STRING("text", most), NULL);
        again();
        expect(STRING("name", "fuenf"), "parameter 'name' has 5 bytes, more than 4");
        expect(STRING("text", more), "parameter 'text' has 1025 bytes, more than 1024");
        expect(STRING("name", "\xff"), "parameter 'name' is not UTF-8");
        expect(STRING("name", ""), NULL);
}
END_TEST

START_TEST(names_and_types_are_the_tables)
{
        g_autofree char *longest = g_strnfill(100000, 'x');
        const struct param huge = INT(longest, 1), odd = { "int", 99, { .i = 1 } };
        g_autoptr(GError) error = NULL;

        expect_from(INT("size", 1), "argument unsupported", "parameter 'size' is not supported");
        expect_from(INT("", 1), "argument unsupported", "parameter '' is not supported");
        expect_from(INT("INT", 1), "argument unsupported", "parameter 'INT' is not supported");
        expect(UINT("int", 1), "parameter 'int' is of type uint, expected int");
        expect(LONG("int", 1), "parameter 'int' is of type llong, expected int");
        expect(INT("total", 1), "parameter 'total' is of type int, expected ullong");
        expect(STRING("on", "yes"), "parameter 'on' is of type string, expected boolean");
        expect(BOOL("name", true), "parameter 'name' is of type boolean, expected string");
        expect(ULONG("share", 1), "parameter 'share' is of type ullong, expected double");
        expect(odd, "parameter 'int' is of type unknown, expected int");
        ck_assert(!params_accept(params, &table, &huge, &error));
        ck_assert_uint_lt(strlen(error->message), 200);
}
END_TEST

START_TEST(an_entry_is_given_once)
{
        expect(INT("int", 1), NULL);
        expect(INT("int", 1), "parameter 'int' is given twice");
        expect(STRING("disks", "vda"), NULL);
        expect(STRING("disks", "vdb"), NULL);
        expect(UINT("seen", 1), "parameter 'seen' can only be read");
        ck_assert_uint_eq(params_get_count(params), 3);
        ck_assert_str_eq(params_get(params, 2)->value.s, "vdb");
}
END_TEST

START_TEST(entries_are_counted)
{
        static const struct param_table small = { ERROR_FROM_DOMAIN, "SetThings", rules, G_N_ELEMENTS(rules),
                                                  .max = 2 };
        const struct param disk = STRING("disks", "vda");
        g_autoptr(GError) error = NULL;

        ck_assert(params_accept(params, &small, &disk, NULL));
        ck_assert(params_accept(params, &small, &disk, NULL));
        ck_assert(!params_accept(params, &small, &disk, &error));
        ck_assert_str_eq(error->message,
                         "invalid argument: parameter 'disks' is one too many, there may be 2 "
                         "in function SetThings");
        again();
        for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++)
                expect(disk, NULL);
        expect(disk, "parameter 'disks' is one too many, there may be 14");
}
END_TEST

START_TEST(flags_and_groups_are_the_tables)
{
        g_autoptr(GError) error = NULL;

        ck_assert_uint_eq(params_get_groups(params, &table), 0);
        expect(ULONG("total", 1), NULL);
        ck_assert(params_refuse(params, &table, PARAM_LIVE_ONLY, NULL));
        ck_assert_uint_eq(params_get_groups(params, &table), GROUP_TOTAL);
        expect(ULONG("read", 1), NULL);
        expect(STRING("key", "pssst"), NULL);
        ck_assert_uint_eq(params_get_groups(params, &table), GROUP_TOTAL | GROUP_READ);
        expect(BOOL("on", true), NULL);
        ck_assert(!params_refuse(params, &table, PARAM_LIVE_ONLY, &error));
        ck_assert_str_eq(error->message, "invalid argument: parameter 'on' can only be set of what runs in "
                                         "function SetThings");
        params_drop(params, &table, PARAM_SECURE | PARAM_LIVE_ONLY);
        ck_assert_uint_eq(params_get_count(params), 2);
        ck_assert_ptr_null(params_find(params, "key"));
        ck_assert_ptr_null(params_find(params, "on"));
}
END_TEST

START_TEST(test_what_changed)
{
        CLEANUP(params_free) struct params *before = params_new(), *after = params_new();
        CLEANUP(params_free) struct params *copy = NULL, *changed = NULL, *nothing = NULL;

        params_add_int(before, "same", -1);
        params_add_ulong(before, "number", 1);
        params_add_string(before, "gone", "x");
        params_add_string(before, "text", "old");
        params_add_uint(before, "type", 5);
        params_add_int(after, "same", -1);
        params_add_ulong(after, "number", 2);
        params_add_string(after, "text", "new");
        params_add_ulong(after, "type", 5);
        params_add_bool(after, "there", false);
        copy = params_copy_changed(after, NULL);
        ck_assert_uint_eq(params_get_count(copy), 5);
        nothing = params_copy_changed(copy, after);
        ck_assert_uint_eq(params_get_count(nothing), 0);
        changed = params_copy_changed(after, before);
        ck_assert_uint_eq(params_get_count(changed), 4);
        ck_assert_uint_eq(params_find(changed, "number")->value.t, 2);
        ck_assert_str_eq(params_find(changed, "text")->value.s, "new");
        ck_assert_int_eq(params_find(changed, "type")->type, PARAM_ULONG);
        ck_assert(!params_find(changed, "there")->value.b);
}
END_TEST

CHECK_MAIN_FIXTURE("params", setup, teardown, a_list_keeps_what_was_added, names_get_a_prefix,
                   numbers_within_their_bounds, numbers_out_of_their_bounds, texts_have_a_length,
                   names_and_types_are_the_tables, an_entry_is_given_once, entries_are_counted,
                   flags_and_groups_are_the_tables, test_what_changed)
