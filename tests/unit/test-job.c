/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs: announced, counted, cancelled, ended, in that order. */
#include "base/job.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct pool *pool;
static struct job_list *list;
static GString *journal;

static void note(struct job *job, enum job_change change, void *data)
{
        static const char letters[] = { 'A', 'L', 'U', 'E' };

        g_string_append_c(journal, letters[change]);
        if (change == JOB_ENDED)
                g_string_append_printf(journal, "%d", (int)job_get_state(job));
}

static void setup(void)
{
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        list = job_list_new(loop, pool);
        journal = g_string_new(NULL);
        job_list_listen(list, note, NULL);
}

static void teardown(void)
{
        while (job_list_get_count(list))
                loop_step(loop, true);
        pool_free(pool);
        job_list_free(list);
        loop_free(loop);
        g_string_free(journal, TRUE);
}

static void drain(void)
{
        while (job_list_get_count(list))
                loop_step(loop, true);
}

static bool count_up(struct job *job, void *data, GError **error)
{
        ck_assert(in_lane(job_get_lane(job)));
        for (uint64_t i = 1; i <= 100; i++)
                job_set_progress(job, i, 100);
        return true;
}

static void finished(struct job *job, const GError *error, void *data)
{
        g_string_append(journal, error ? "!" : ".");
        if (data)
                *(char **)data = g_strdup(error ? error->message : NULL);
}

START_TEST(job_is_announced_and_ends)
{
        struct job *job = job_run(list, "count", NULL, count_up, finished, NULL, NULL);

        ck_assert_uint_eq(job_get_id(job), 1);
        ck_assert_ptr_eq(job_list_find(list, 1), job);
        ck_assert_int_eq(job_get_state(job), JOB_RUNNING);
        ck_assert_double_eq(job_get_fraction(job), -1);
        ck_assert_uint_eq(job_get_progress(job)->data.total, 0);
        drain();
        ck_assert_str_eq(journal->str, "A.E1");
        ck_assert_ptr_null(job_list_find(list, 1));
        job_run(list, "count", NULL, count_up, NULL, NULL, NULL);
        ck_assert_ptr_null(job_list_find(list, 1));
        ck_assert_ptr_nonnull(job_list_find(list, 2));
}
END_TEST

static void quit(void *data)
{
        loop_quit(loop);
}

static bool wait_for_cancel(struct job *job, void *data, GError **error)
{
        loop_post(loop, quit, NULL);
        if (lane_wait(job_get_lane(job), -1, 0, NULL, LANE_FOREVER) == LANE_INTERRUPTED)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_ABORTED, "interrupted");
        return true;
}

START_TEST(running_job_is_cancelled)
{
        struct job *job = job_run(list, "wait", NULL, wait_for_cancel, finished, NULL, NULL);

        loop_run(loop);
        job_cancel(job);
        drain();
        ck_assert_str_eq(journal->str, "A!E3");
}
END_TEST

START_TEST(job_cancelled_before_it_began_does_not_begin)
{
        char *message = NULL;

        job_cancel(job_run(list, "wait", NULL, wait_for_cancel, finished, &message, NULL));
        drain();
        ck_assert_str_eq(journal->str, "A!E3");
        ck_assert_ptr_nonnull(message);
        g_free(message);
}
END_TEST

static bool be_unlucky(struct job *job, void *data, GError **error)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED, "no luck");
}

START_TEST(failure_is_kept_for_the_views)
{
        char *message = NULL;

        job_run(list, "fail", NULL, be_unlucky, finished, &message, NULL);
        drain();
        ck_assert_str_eq(journal->str, "A!E2");
        ck_assert_str_eq(message, "operation failed: no luck");
        g_free(message);
}
END_TEST

static void keep(struct job *job, const GError *error, void *data)
{
        *(bool *)data = true;
}

/* What the work made may have to be published in another lane first. */
START_TEST(end_is_announced_when_it_is_said)
{
        struct job *job = job_new(list, "count", NULL, NULL, NULL, NULL);
        g_autoptr(GError) error = NULL;
        bool worked = false;

        job_work(job, count_up, keep, &worked);
        while (!worked)
                loop_step(loop, true);
        ck_assert_int_eq(job_get_state(job), JOB_RUNNING);
        ck_assert_str_eq(journal->str, "A");
        worked = false;
        job_work(job, count_up, keep, &worked);
        while (!worked)
                loop_step(loop, true);
        job_end(job, NULL);
        ck_assert_str_eq(journal->str, "AE1");
        ck_assert_uint_eq(job_list_get_count(list), 0);

        job = job_new(list, "count", NULL, NULL, NULL, NULL);
        error_set(&error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED, "late");
        job_end(job, error);
        ck_assert_str_eq(journal->str, "AE1AE2");
}
END_TEST

static void end_it(struct job *job, void *data)
{
        g_autoptr(GError) error = NULL;

        error_set(&error, ERROR_FROM_STORAGE, ERROR_OPERATION_ABORTED, "so be it");
        *(struct job **)data = NULL;
        job_end(job, error);
}

/* Nobody works in its lane: whoever does is asked. */
START_TEST(passive_job_is_cancelled)
{
        struct job *first = NULL, *second = NULL;
        const struct job_progress progress = { .data = { 8, 2, 6, 1 }, .pages.iteration = 3 };

        first = job_new(list, "wait", NULL, end_it, &first, NULL);
        second = job_new(list, "wait", NULL, end_it, &second, NULL);
        job_publish_progress(first, &(struct job_progress){ .data.total = 1 });
        job_publish_progress(first, &progress);
        ck_assert_uint_eq(job_get_latest(first)->pages.iteration, 3);
        ck_assert_uint_eq(job_get_progress(first)->data.total, 0);
        while (job_get_progress(first)->data.total == 0)
                loop_step(loop, true);
        ck_assert_double_eq(job_get_fraction(first), 0.25);
        job_list_cancel_all(list);
        ck_assert(!first && !second);
        ck_assert_str_eq(journal->str, "AALULE3E3");
}
END_TEST

START_TEST(too_many_are_refused)
{
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < JOB_MAX + JOB_WAITING_MAX; i++)
                ck_assert_ptr_nonnull(job_run(list, "wait", NULL, wait_for_cancel, NULL, NULL, NULL));
        ck_assert_ptr_null(job_run(list, "wait", NULL, wait_for_cancel, NULL, NULL, &error));
        ck_assert(error_is(error, ERROR_RESOURCE_BUSY));
        job_list_cancel_all(list);
        drain();
}
END_TEST

static void count_end(struct job *job, const GError *error, void *data)
{
        ck_assert_ptr_null(error);
        ++*(unsigned *)data;
}

/* They are done when their turn comes, and none of them runs before. */
START_TEST(more_than_run_at_once_wait)
{
        unsigned done = 0;
        struct job *first = NULL, *late;
        char *message = NULL;

        for (unsigned i = 0; i < JOB_MAX; i++) {
                struct job *job = job_run(list, "wait", NULL, wait_for_cancel, NULL, NULL, NULL);

                first = first ? first : job;
        }
        for (unsigned i = 0; i < 10; i++)
                job_run(list, "count", NULL, count_up, count_end, &done, NULL);
        late = job_run(list, "count", NULL, count_up, finished, &message, NULL);
        job_cancel(late);
        while (!message)
                loop_step(loop, true);
        ck_assert_ptr_nonnull(strstr(message, "was cancelled"));
        g_free(message);
        ck_assert_uint_eq(done, 0);
        ck_assert_uint_eq(job_list_get_count(list), JOB_MAX + 10);
        job_cancel(first);
        while (done < 10)
                loop_step(loop, true);
        ck_assert_uint_eq(job_list_get_count(list), JOB_MAX - 1);
        job_list_cancel_all(list);
        drain();
}
END_TEST

/* What went wrong is not known to be the end before it is announced. */
START_TEST(running_job_has_no_error)
{
        struct job *job = job_new(list, "fail", NULL, NULL, NULL, NULL);
        bool worked = false;

        job_work(job, be_unlucky, keep, &worked);
        while (!worked)
                loop_step(loop, true);
        ck_assert_int_eq(job_get_state(job), JOB_RUNNING);
        ck_assert_str_eq(job_get_error(job), "");
        job_end(job, NULL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("job");
        TCase *tests = tcase_create("job");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, job_is_announced_and_ends);
        tcase_add_test(tests, running_job_is_cancelled);
        tcase_add_test(tests, job_cancelled_before_it_began_does_not_begin);
        tcase_add_test(tests, failure_is_kept_for_the_views);
        tcase_add_test(tests, end_is_announced_when_it_is_said);
        tcase_add_test(tests, passive_job_is_cancelled);
        tcase_add_test(tests, too_many_are_refused);
        tcase_add_test(tests, more_than_run_at_once_wait);
        tcase_add_test(tests, running_job_has_no_error);
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
