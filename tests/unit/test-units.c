/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/units: strict numbers, units of size.
 */
#include "base/units.h"

#include "base/error.h"
#include "tests/unit/check-main.h"

#include <string.h>

START_TEST(test_numbers)
{
        uint64_t value = 1;

        ck_assert(units_parse_uint64("0", "size", 10, &value, NULL));
        ck_assert_uint_eq(value, 0);
        ck_assert(units_parse_uint64("0010", "size", 10, &value, NULL));
        ck_assert_uint_eq(value, 10);
        ck_assert(units_parse_uint64("18446744073709551615", "size", UINT64_MAX, &value, NULL));
        ck_assert_uint_eq(value, UINT64_MAX);
}
END_TEST

START_TEST(test_not_numbers)
{
        static const char *const refused[] = { "",
                                               "-1",
                                               "+1",
                                               " 1",
                                               "1 ",
                                               "0x1",
                                               "1.0",
                                               "1e3",
                                               "11",
                                               "1\n",
                                               "1k",
                                               "18446744073709551616",
                                               "184467440737095516150",
                                               "99999999999999999999999999999999",
                                               "\xd9\xa1" };

        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autoptr(GError) error = NULL;
                uint64_t value = 42;

                ck_assert_msg(!units_parse_uint64(refused[i], "vcpu count", 10, &value, &error), "%s",
                              refused[i]);
                ck_assert(error_is(error, ERROR_INVALID_ARG));
                ck_assert(g_str_has_prefix(error->message, "invalid argument: invalid vcpu count '"));
                ck_assert_uint_eq(value, 42);
        }
        ck_assert(!units_parse_uint64("18446744073709551616", "x", UINT64_MAX, &(uint64_t){ 0 }, NULL));
}
END_TEST

START_TEST(test_units)
{
        static const struct {
                const char *unit;
                uint64_t bytes;
        } known[] = {
                { NULL, 512 },
                { "", 512 },
                { "b", 1 },
                { "byte", 1 },
                { "bytes", 1 },
                { "KB", 1000 },
                { "k", 1024 },
                { "KiB", 1024 },
                { "MB", 1000000 },
                { "M", 1048576 },
                { "MiB", 1048576 },
                { "mib", 1048576 },
                { "GB", 1000000000 },
                { "G", 1073741824 },
                { "GiB", 1073741824 },
                { "TB", UINT64_C(1000000000000) },
                { "T", UINT64_C(1) << 40 },
                { "TiB", UINT64_C(1) << 40 },
                { "PB", UINT64_C(1000000000000000) },
                { "PiB", UINT64_C(1) << 50 },
                { "EB", UINT64_C(1000000000000000000) },
                { "E", UINT64_C(1) << 60 },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
                uint64_t bytes = 0;

                ck_assert(units_scale(3, known[i].unit, 512, UINT64_MAX, &bytes, NULL));
                ck_assert_uint_eq(bytes, 3 * known[i].bytes);
        }
}
END_TEST

START_TEST(test_unknown_units)
{
        static const char *const refused[] = { "x", "Ki", "kibi", "MiBs", " MiB", "B ", "YB", "Z", "1", "i" };

        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autoptr(GError) error = NULL;
                uint64_t bytes = 42;

                ck_assert_msg(!units_scale(1, refused[i], 1, UINT64_MAX, &bytes, &error), "%s", refused[i]);
                ck_assert(error_is(error, ERROR_INVALID_ARG));
                ck_assert_uint_eq(bytes, 42);
        }
}
END_TEST

START_TEST(test_overflow)
{
        g_autoptr(GError) error = NULL, error_limit = NULL;
        uint64_t bytes = 42;

        ck_assert(!units_scale(16, "E", 1, UINT64_MAX, &bytes, &error));
        ck_assert(error_is(error, ERROR_OVERFLOW));
        ck_assert(!units_scale(1025, "", 1, 1024, &bytes, &error_limit));
        ck_assert(error_is(error_limit, ERROR_OVERFLOW));
        ck_assert_uint_eq(bytes, 42);
        ck_assert(units_scale(1024, "", 1, 1024, &bytes, NULL));
        ck_assert(units_scale(15, "E", 1, UINT64_MAX, &bytes, NULL));
}
END_TEST

CHECK_MAIN("units", test_numbers, test_not_numbers, test_units, test_unknown_units, test_overflow)
