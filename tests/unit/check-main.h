/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The main() of a unit test: each test runs in a process of its own.
 *
 *     CHECK_MAIN("uuid", test_one, test_two)
 */

#include <check.h>
#include <stdlib.h>

#define CHECK_MAIN(name, ...)                                                                                \
        int main(void)                                                                                       \
        {                                                                                                    \
                const TTest *tests[] = { __VA_ARGS__ };                                                      \
                Suite *suite = suite_create(name);                                                           \
                TCase *tcase = tcase_create(name);                                                           \
                SRunner *runner;                                                                             \
                int failed;                                                                                  \
                                                                                                             \
                for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                                \
                        tcase_add_test(tcase, tests[i]);                                                     \
                tcase_set_timeout(tcase, 60);                                                                \
                suite_add_tcase(suite, tcase);                                                               \
                runner = srunner_create(suite);                                                              \
                srunner_run_all(runner, CK_NORMAL);                                                          \
                failed = srunner_ntests_failed(runner);                                                      \
                srunner_free(runner);                                                                        \
                return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                 \
        }
