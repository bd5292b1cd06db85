/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The main() of a unit test: each test runs in a process of its own.
 *
 *     CHECK_MAIN("uuid", test_one, test_two)
 *     CHECK_MAIN_FIXTURE("store", setup, teardown, test_one, test_two)
 *
 * setup runs in the test's process, teardown there after a test that passed.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

typedef void (*check_fixture)(void);

/* A test that cannot run here says why and returns; tests/support/summary counts it as skipped. */
static inline void check_skip(const char *why)
{
        printf("SKIP: %s: %s\n", tcase_name(), why);
        fflush(stdout);
}

/* What main() of a test with a suite of its own ends with; the suite is taken. */
static inline int check_run(Suite *suite)
{
        SRunner *runner = srunner_create(suite);
        int failed;

        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int check_main(const char *name, check_fixture setup, check_fixture teardown,
                             const TTest *const tests[], size_t count)
{
        Suite *suite = suite_create(name);
        TCase *tcase = tcase_create(name);

        tcase_add_checked_fixture(tcase, setup, teardown);
        for (size_t i = 0; i < count; i++)
                tcase_add_test(tcase, tests[i]);
        /* libcheck's own four seconds are little; what ctest says counts. */
        if (!getenv("CK_DEFAULT_TIMEOUT"))
                tcase_set_timeout(tcase, 60);
        suite_add_tcase(suite, tcase);
        return check_run(suite);
}

#define CHECK_MAIN_FIXTURE(name, setup, teardown, ...)                                                       \
        int main(void)                                                                                       \
        {                                                                                                    \
                const TTest *const tests[] = { __VA_ARGS__ };                                                \
                                                                                                             \
                return check_main(name, setup, teardown, tests, sizeof(tests) / sizeof(tests[0]));           \
        }

#define CHECK_MAIN(name, ...) CHECK_MAIN_FIXTURE(name, NULL, NULL, __VA_ARGS__)
