/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/object-path.h"

#include <check.h>
#include <stdlib.h>

START_TEST(uuid_has_one_path)
{
        const char *text = "6695eb01-f6a4-8304-79aa-97f2502e193f";
        const char *element = "_6695eb01_f6a4_8304_79aa_97f2502e193f";
        char buffer[OBJECT_PATH_UUID_LENGTH + 1], back[UUID_STRING_LENGTH + 1];
        struct uuid uuid;

        ck_assert_ptr_eq(object_path_put_uuid(buffer, text), buffer + OBJECT_PATH_UUID_LENGTH);
        ck_assert_str_eq(buffer, element);
        ck_assert(object_path_get_uuid(element, &uuid));
        ck_assert_str_eq(uuid_format(&uuid, back), text);
}
END_TEST

static const char *const bad_uuids[] = {
        "",
        "_",
        "6695eb01_f6a4_8304_79aa_97f2502e193f",
        "_6695EB01_f6a4_8304_79aa_97f2502e193f",
        "_6695eb01-f6a4-8304-79aa-97f2502e193f",
        "_6695eb01f6a4830479aa97f2502e193f",
        "_6695eb01_f6a4_8304_79aa_97f2502e193",
        "_6695eb01_f6a4_8304_79aa_97f2502e193fa",
        "_6695eb01_f6a4_8304_79aa_97f2502e193g",
        "__695eb01_f6a4_8304_79aa_97f2502e193f",
};

START_TEST(other_spellings_are_refused)
{
        struct uuid uuid;

        ck_assert_msg(!object_path_get_uuid(bad_uuids[_i], &uuid), "accepted %s", bad_uuids[_i]);
}
END_TEST

static const struct {
        const char *name, *element;
} names[] = {
        { "eth0", "eth0" },       { "52:54:00:ab", "52_3a54_3a00_3aab" },
        { "a_b", "a_5fb" },       { "/dev/sd-a", "_2fdev_2fsd_2da" },
        { "\xc3\xa4", "_c3_a4" }, { "", "_" },
};

START_TEST(names_round_trip)
{
        g_autofree char *element = object_path_encode(names[_i].name);
        g_autofree char *name = object_path_decode(names[_i].element);

        ck_assert_str_eq(element, names[_i].element);
        ck_assert_ptr_nonnull(name);
        ck_assert_str_eq(name, names[_i].name);
}
END_TEST

static const char *const bad_names[] = {
        "", "a_", "a_3", "a_3A", "a_61", "a_00", "a-b", "a__", "a_zz", "_3"
};

START_TEST(odd_names_are_refused)
{
        g_autofree char *name = object_path_decode(bad_names[_i]);

        ck_assert_msg(!name, "accepted %s", bad_names[_i]);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("object-path");
        TCase *tcase = tcase_create("object-path");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_test(tcase, uuid_has_one_path);
        tcase_add_loop_test(tcase, other_spellings_are_refused, 0, G_N_ELEMENTS(bad_uuids));
        tcase_add_loop_test(tcase, names_round_trip, 0, G_N_ELEMENTS(names));
        tcase_add_loop_test(tcase, odd_names_are_refused, 0, G_N_ELEMENTS(bad_names));
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
