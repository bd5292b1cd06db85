/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/uuid: what is accepted, what is written, what is random.
 */
#include "base/uuid.h"

#include "base/error.h"
#include "tests/unit/check-main.h"

#include <string.h>

#define TEXT "6c2b0a3e-1d7b-4c5f-9d3f-1a2b3c4d5e6f"

START_TEST(test_round_trip)
{
        static const char *const accepted[] = {
                TEXT,
                "6C2B0A3E-1D7B-4C5F-9D3F-1A2B3C4D5E6F",
                "6c2b0a3e1d7b4c5f9d3f1a2b3c4d5e6f",
                "6c-2b-0a3e1d7b4c5f--9d3f1a2b3c4d5e6f",
                " \n" TEXT "\t ",
        };
        char buffer[UUID_STRING_LENGTH + 1];

        for (unsigned i = 0; i < G_N_ELEMENTS(accepted); i++) {
                struct uuid uuid;

                ck_assert(uuid_parse(&uuid, accepted[i], NULL));
                ck_assert_str_eq(uuid_format(&uuid, buffer), TEXT);
                ck_assert_uint_eq(uuid.bytes[0], 0x6c);
                ck_assert_uint_eq(uuid.bytes[15], 0x6f);
        }
}
END_TEST

START_TEST(test_refused)
{
        static const char *const refused[] = {
                "",
                "-",
                "6c2b0a3e-1d7b-4c5f-9d3f-1a2b3c4d5e6",
                "6c2b0a3e-1d7b-4c5f-9d3f-1a2b3c4d5e6f0",
                "6c2b0a3e-1d7b-4c5f-9d3f-1a2b3c4d5e6g",
                "6-c2b0a3e1d7b4c5f9d3f1a2b3c4d5e6f",
                TEXT "-",
                "+c2b0a3e-1d7b-4c5f-9d3f-1a2b3c4d5e6f",
                "0x2b0a3e-1d7b-4c5f-9d3f-1a2b3c4d5e6f",
                TEXT "\n<evil>",
        };
        struct uuid before, uuid;

        memset(&before, 7, sizeof(before));
        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autoptr(GError) error = NULL;

                uuid = before;
                ck_assert(!uuid_parse(&uuid, refused[i], &error));
                ck_assert(error_is(error, ERROR_INVALID_ARG));
                ck_assert(uuid_equal(&uuid, &before));
        }
}
END_TEST

START_TEST(test_generate)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(uuid_hash, uuid_equal_func, g_free, NULL);

        for (unsigned i = 0; i < 1000; i++) {
                struct uuid *uuid = g_new(struct uuid, 1);

                uuid_generate(uuid);
                ck_assert_uint_eq(uuid->bytes[6] >> 4, 4);
                ck_assert_uint_eq(uuid->bytes[8] >> 6, 2);
                ck_assert(g_hash_table_add(seen, uuid));
        }
}
END_TEST

START_TEST(test_keys)
{
        struct uuid a, b;

        ck_assert(uuid_parse(&a, TEXT, NULL));
        b = a;
        ck_assert(uuid_equal_func(&a, &b));
        ck_assert_uint_eq(uuid_hash(&a), uuid_hash(&b));
        for (unsigned i = 0; i < sizeof(b.bytes); i++) {
                b = a;
                b.bytes[i] ^= 1;
                ck_assert(!uuid_equal(&a, &b));
                ck_assert_uint_ne(uuid_hash(&a), uuid_hash(&b));
        }
}
END_TEST

CHECK_MAIN("uuid", test_round_trip, test_refused, test_generate, test_keys)
