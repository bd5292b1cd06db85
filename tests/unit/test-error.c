/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/error: codes and sentences that can always travel on the bus.
 */
#include "base/error.h"

#include "tests/unit/check-main.h"

#include <errno.h>
#include <string.h>

START_TEST(test_sentence)
{
        g_autoptr(GError) error = NULL;

        ck_assert(!error_set(&error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID, "domain '%s' is not running",
                             "web"));
        ck_assert_str_eq(error->message, "Requested operation is not valid: domain 'web' is not running");
        ck_assert_int_eq(error_get_code(error), ERROR_OPERATION_INVALID);
        ck_assert_int_eq(error_get_domain(error), ERROR_FROM_QEMU);
        ck_assert(error_is(error, ERROR_OPERATION_INVALID));
        ck_assert(!error_is(error, ERROR_NO_DOMAIN));
        ck_assert(!error_is(NULL, ERROR_NO_DOMAIN));
        ck_assert(!error_set(NULL, ERROR_FROM_QEMU, ERROR_NO_DOMAIN, "nobody listens"));
}
END_TEST

START_TEST(test_hole_in_the_middle)
{
        g_autoptr(GError) error = NULL;

        error_set(&error, ERROR_FROM_STORAGE, ERROR_STORAGE_VOL_EXIST, "%s", "'%s%n'");
        ck_assert_str_eq(error->message, "storage volume '%s%n' exists already");
}
END_TEST

/* Every number has one phrase with one hole; numbers that libvirt leaves out become internal errors. */
START_TEST(test_all_codes)
{
        for (int code = 0; code <= ERROR_NO_NETWORK_METADATA + 1; code++) {
                g_autoptr(GError) error = NULL;
                const char *detail;

                error_set(&error, ERROR_FROM_BPF, (enum error_code)code, "detail");
                detail = strstr(error->message, "detail");
                ck_assert_ptr_nonnull(detail);
                ck_assert_ptr_null(strstr(detail + 1, "detail"));
                ck_assert_ptr_null(strchr(error->message, '%'));
                ck_assert_int_eq(error_get_code(error), code);
                ck_assert_int_eq(error_get_domain(error), ERROR_FROM_BPF);
        }
}
END_TEST

START_TEST(test_errno)
{
        g_autoptr(GError) error = NULL;

        ck_assert(!error_set_errno(&error, ERROR_FROM_NONE, ENOENT, "cannot open '%s'", "/x"));
        ck_assert_str_eq(error->message, "cannot open '/x': No such file or directory");
        ck_assert(error_is(error, ERROR_SYSTEM_ERROR));
}
END_TEST

START_TEST(test_hostile_text)
{
        g_autoptr(GError) error = NULL, long_error = NULL;
        g_autofree char *text = g_strnfill(5000, 'x');

        error_set(&error, ERROR_FROM_NONE, ERROR_INTERNAL_ERROR, "a\x01\x1b[31m\xff\r\x7f z");
        ck_assert(g_utf8_validate(error->message, -1, NULL));
        ck_assert_ptr_null(strpbrk(error->message, "\x01\x1b\r\x7f"));
        ck_assert(g_str_has_prefix(error->message, "internal error: a??[31m"));

        /* A character of three bytes at every offset about the cut. */
        for (size_t i = 0; i < 3; i++) {
                g_clear_error(&long_error);
                for (char *p = text + i; p + 3 < text + 5000; p += 3)
                        memcpy(p, "\xe2\x82\xac", 3);
                error_set(&long_error, ERROR_FROM_NONE, ERROR_INTERNAL_ERROR, "%s", text);
                ck_assert_uint_le(strlen(long_error->message), ERROR_MESSAGE_MAX);
                ck_assert_uint_gt(strlen(long_error->message), ERROR_MESSAGE_MAX - 8);
                ck_assert(g_utf8_validate(long_error->message, -1, NULL));
                ck_assert(g_str_has_suffix(long_error->message, "..."));
        }
}
END_TEST

START_TEST(test_foreign_errors)
{
        g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO, "disk on fire");

        ck_assert_int_eq(error_get_code(error), ERROR_INTERNAL_ERROR);
        ck_assert_int_eq(error_get_domain(error), ERROR_FROM_NONE);
}
END_TEST

START_TEST(test_quote)
{
        g_autofree char *text = g_strnfill(1000000, 'y');
        g_autofree char *empty = error_quote(NULL), *same = error_quote("web server"),
                        *cut = error_quote(text);
        g_autofree char *torn = error_quote("\xe2\x82"), *edge = g_strnfill(ERROR_QUOTE_MAX, 'z');
        g_autofree char *whole = error_quote(edge);

        ck_assert_str_eq(empty, "");
        ck_assert_str_eq(same, "web server");
        ck_assert_uint_eq(strlen(cut), ERROR_QUOTE_MAX);
        ck_assert(g_str_has_suffix(cut, "yyy..."));
        ck_assert(g_utf8_validate(torn, -1, NULL));
        ck_assert_str_eq(whole, edge);
}
END_TEST

CHECK_MAIN("error", test_sentence, test_hole_in_the_middle, test_all_codes, test_errno, test_hostile_text,
           test_foreign_errors, test_quote)
