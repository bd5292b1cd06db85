/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loop, pool and lanes: order, hand-over, waits, interrupts, watches, timers. Meant to run under
 * ThreadSanitizer too.
 */
#include "base/lane.h"

#include "base/loop.h"
#include "base/pool.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct loop *loop;
static struct pool *pool;
static unsigned quits; /* how often quit() ran */

static void setup(void)
{
        quits = 0;
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        ck_assert(loop && pool);
}

static void teardown(void)
{
        pool_free(pool);
        loop_free(loop);
}

static void quit(void *data)
{
        quits++;
        loop_quit(loop);
}

struct counter {
        struct lane *lane;
        int fd;
        unsigned count, order[64];
        enum lane_wake wake;
        struct lane_watch *watch;
        struct lane_timer *timer;
};

struct step {
        struct counter *counter;
        unsigned number;
};

static void record(void *data)
{
        struct step *step = data;
        struct counter *counter = step->counter;

        ck_assert(in_lane(counter->lane));
        ck_assert(!on_loop(loop));
        counter->order[counter->count++] = step->number;
        g_free(step);
}

static void finish(void *data)
{
        loop_post(loop, quit, NULL);
}

static struct step *step_new(struct counter *counter, unsigned number)
{
        struct step *step = g_new(struct step, 1);

        *step = (struct step){ counter, number };
        return step;
}

START_TEST(jobs_run_in_order)
{
        struct counter counter = { .lane = lane_new(pool, loop, "order") };

        for (unsigned i = 0; i < 64; i++)
                lane_post(counter.lane, record, step_new(&counter, i));
        lane_post(counter.lane, finish, NULL);
        loop_run(loop);
        ck_assert_uint_eq(counter.count, 64);
        for (unsigned i = 0; i < 64; i++)
                ck_assert_uint_eq(counter.order[i], i);
        lane_unref(counter.lane);
}
END_TEST

static void loop_record(void *data)
{
        struct step *step = data;

        ck_assert(on_loop(loop));
        step->counter->order[step->counter->count % 64] = step->number;
        if (++step->counter->count == 1000)
                loop_quit(loop);
        g_free(step);
}

static void post_back(void *data)
{
        struct step *step = data;

        loop_post(loop, loop_record, step);
}

START_TEST(posts_reach_the_loop_in_order)
{
        struct counter counter = { .lane = lane_new(pool, loop, "back") };

        for (unsigned i = 0; i < 1000; i++)
                lane_post(counter.lane, post_back, step_new(&counter, i));
        loop_run(loop);
        ck_assert_uint_eq(counter.count, 1000);
        ck_assert_uint_eq(counter.order[999 % 64], 999);
        ck_assert_uint_eq(counter.order[940 % 64], 940);
        lane_unref(counter.lane);
}
END_TEST

static void wait_forever(void *data)
{
        struct counter *counter = data;

        loop_post(loop, quit, NULL);
        counter->wake = lane_wait(counter->lane, counter->fd, POLLIN, NULL, LANE_FOREVER);
        if (counter->wake == LANE_INTERRUPTED) {
                ck_assert(lane_is_interrupted(counter->lane));
                ck_assert_int_eq(lane_wait(counter->lane, -1, 0, NULL, LANE_FOREVER), LANE_INTERRUPTED);
                lane_shield(counter->lane);
                ck_assert(!lane_is_interrupted(counter->lane) && lane_was_interrupted(counter->lane));
                ck_assert_int_eq(lane_wait(counter->lane, -1, 0, NULL, lane_deadline_in(1)), LANE_TIMEOUT);
        }
}

static void timed_wait(void *data)
{
        struct counter *counter = data;

        counter->wake = lane_wait(counter->lane, -1, 0, NULL, lane_deadline_in(5));
        loop_post(loop, quit, NULL);
}

START_TEST(urgent_job_interrupts_what_is_before_it)
{
        struct counter counter = { .lane = lane_new(pool, loop, "urgent"), .fd = -1, .wake = LANE_READY };
        struct counter queued = { .lane = counter.lane, .fd = -1, .wake = LANE_READY };
        struct counter later = { .lane = counter.lane, .wake = LANE_READY };

        lane_post(counter.lane, wait_forever, &counter);
        lane_post(counter.lane, record, step_new(&counter, 1));
        lane_post(counter.lane, wait_forever, &queued);
        loop_run(loop);
        ck_assert_uint_eq(quits, 1);
        lane_post_urgent(counter.lane, record, step_new(&counter, 2));
        lane_post(counter.lane, timed_wait, &later);
        lane_post(counter.lane, finish, NULL);
        while (quits < 4)
                loop_run(loop);
        ck_assert_int_eq(counter.wake, LANE_INTERRUPTED);
        ck_assert_int_eq(queued.wake, LANE_INTERRUPTED);
        ck_assert_int_eq(later.wake, LANE_TIMEOUT);
        ck_assert_uint_eq(counter.order[0], 1);
        ck_assert_uint_eq(counter.order[1], 2);
        lane_unref(counter.lane);
}
END_TEST

/* Two that are urgent: the later one does not end the waits of the one before it. */
START_TEST(urgent_job_does_not_interrupt_an_urgent_one)
{
        struct counter counter = { .lane = lane_new(pool, loop, "urgent"), .wake = LANE_TIMEOUT };

        counter.fd = eventfd(0, EFD_CLOEXEC);
        lane_post_urgent(counter.lane, wait_forever, &counter);
        loop_run(loop);
        lane_post_urgent(counter.lane, record, step_new(&counter, 1));
        lane_post(counter.lane, finish, NULL);
        ck_assert_int_eq(eventfd_write(counter.fd, 1), 0);
        loop_run(loop);
        ck_assert_int_eq(counter.wake, LANE_READY);
        ck_assert_uint_eq(counter.order[0], 1);
        lane_unref(counter.lane);
        close(counter.fd);
}
END_TEST

START_TEST(interrupted_pool_waits_for_nothing)
{
        struct counter counter = { .lane = lane_new(pool, loop, "stop"), .fd = -1, .wake = LANE_READY };

        lane_post(counter.lane, wait_forever, &counter);
        loop_run(loop);
        pool_interrupt(pool);
        lane_post(counter.lane, finish, NULL);
        loop_run(loop);
        ck_assert_int_eq(counter.wake, LANE_INTERRUPTED);
        lane_unref(counter.lane);
}
END_TEST

START_TEST(waiting_jobs_leave_the_slots_free)
{
        struct counter waiting[40], other = { .lane = lane_new(pool, loop, "other") };
        eventfd_t one = 1;
        int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);

        for (unsigned i = 0; i < G_N_ELEMENTS(waiting); i++) {
                waiting[i] = (struct counter){ .lane = lane_new(pool, loop, "waiting"), .fd = fd };
                lane_post(waiting[i].lane, wait_forever, &waiting[i]);
                loop_run(loop);
        }
        lane_post(other.lane, record, step_new(&other, 7));
        lane_post(other.lane, finish, NULL);
        loop_run(loop);
        ck_assert_uint_eq(other.count, 1);
        eventfd_write(fd, one);
        for (unsigned i = 0; i < G_N_ELEMENTS(waiting); i++) {
                lane_post(waiting[i].lane, finish, NULL);
                loop_run(loop);
                ck_assert_int_eq(waiting[i].wake, LANE_READY);
                lane_unref(waiting[i].lane);
        }
        lane_unref(other.lane);
        close(fd);
}
END_TEST

struct copy {
        struct lane *lane;
        int gate; /* read from without lane_wait(), as from a disk */
};

static void copy_long(void *data)
{
        const struct copy *copy = data;
        uint64_t value;

        /* A wait in between gives nothing back that was not lent by it. */
        ck_assert_int_eq(lane_wait(copy->lane, -1, 0, NULL, lane_deadline_in(1)), LANE_TIMEOUT);
        ck_assert_int_eq(eventfd_read(copy->gate, &value), 0);
        loop_post(loop, quit, NULL);
}

static void quit_from_lane(void *data)
{
        loop_post(loop, quit, NULL);
}

/* More of them than slots, none of which waits as lanes do. */
START_TEST(lanes_that_lend_leave_the_slots_free)
{
        struct copy copies[5];
        struct lane *other = lane_new(pool, loop, "other");

        for (unsigned i = 0; i < G_N_ELEMENTS(copies); i++) {
                copies[i] = (struct copy){ lane_new(pool, loop, "copy"), eventfd(0, EFD_CLOEXEC) };
                lane_set_lending(copies[i].lane);
                lane_post(copies[i].lane, copy_long, &copies[i]);
        }
        lane_post(other, quit_from_lane, NULL);
        loop_run(loop);
        ck_assert_uint_eq(quits, 1);
        for (unsigned i = 0; i < G_N_ELEMENTS(copies); i++)
                ck_assert_int_eq(eventfd_write(copies[i].gate, 1), 0);
        while (quits < 1 + G_N_ELEMENTS(copies))
                loop_run(loop);
        for (unsigned i = 0; i < G_N_ELEMENTS(copies); i++) {
                lane_unref(copies[i].lane);
                close(copies[i].gate);
        }
        lane_unref(other);
}
END_TEST

START_TEST(wait_has_a_deadline)
{
        struct counter counter = { .lane = lane_new(pool, loop, "deadline"), .wake = LANE_READY };

        lane_post(counter.lane, timed_wait, &counter);
        loop_run(loop);
        ck_assert_int_eq(counter.wake, LANE_TIMEOUT);
        lane_unref(counter.lane);
}
END_TEST

static void drain(void *data)
{
        struct counter *counter = data;
        eventfd_t value;

        ck_assert(in_lane(counter->lane));
        ck_assert_int_eq(eventfd_read(counter->fd, &value), 0);
        if (++counter->count == 3) {
                lane_watch_free(counter->watch);
                eventfd_write(counter->fd, 1);
        }
        loop_post(loop, quit, NULL);
}

static void start_watch(void *data)
{
        struct counter *counter = data;

        counter->watch = lane_watch_new(counter->lane, counter->fd, POLLIN, drain, counter, NULL);
        ck_assert_ptr_nonnull(counter->watch);
}

START_TEST(watch_fires_until_freed)
{
        struct counter counter = { .lane = lane_new(pool, loop, "watch"),
                                   .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };

        lane_post(counter.lane, start_watch, &counter);
        for (unsigned i = 0; i < 3; i++) {
                eventfd_write(counter.fd, 1);
                loop_run(loop);
        }
        lane_post(counter.lane, finish, NULL);
        loop_run(loop);
        ck_assert_uint_eq(counter.count, 3);
        close(counter.fd);
        lane_unref(counter.lane);
}
END_TEST

static void start_paused_watch(void *data)
{
        struct counter *counter = data;

        start_watch(counter);
        lane_watch_pause(counter->watch);
        eventfd_write(counter->fd, 1);
        loop_post(loop, quit, NULL);
}

static void resume_watch(void *data)
{
        struct counter *counter = data;

        ck_assert_uint_eq(counter->count, 0);
        lane_watch_resume(counter->watch);
}

static void free_watch(void *data)
{
        lane_watch_free(((struct counter *)data)->watch);
        loop_post(loop, quit, NULL);
}

START_TEST(a_paused_watch_fires_when_it_is_resumed)
{
        struct counter counter = { .lane = lane_new(pool, loop, "pause"),
                                   .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };

        lane_post(counter.lane, start_paused_watch, &counter);
        loop_run(loop);
        lane_post(counter.lane, resume_watch, &counter);
        loop_run(loop);
        ck_assert_uint_eq(counter.count, 1);
        eventfd_write(counter.fd, 1);
        loop_run(loop);
        ck_assert_uint_eq(counter.count, 2);
        lane_post(counter.lane, free_watch, &counter);
        loop_run(loop);
        close(counter.fd);
        lane_unref(counter.lane);
}
END_TEST

static void tick(void *data)
{
        struct counter *counter = data;

        counter->count++;
        lane_timer_free(counter->timer);
        loop_post(loop, quit, NULL);
}

static void start_timers(void *data)
{
        struct counter *counter = data;

        counter->timer = lane_timer_new(counter->lane, 1000000, tick, counter);
        lane_timer_free(counter->timer);
        counter->timer = lane_timer_new(counter->lane, 1, tick, counter);
}

START_TEST(timer_fires_once_in_the_lane)
{
        struct counter counter = { .lane = lane_new(pool, loop, "timer") };

        lane_post(counter.lane, start_timers, &counter);
        loop_run(loop);
        ck_assert_uint_eq(counter.count, 1);
        lane_unref(counter.lane);
}
END_TEST

static void start_at_once(void *data)
{
        struct counter *counter = data;

        lane_post(counter->lane, record, step_new(counter, 1));
        counter->timer = lane_timer_new(counter->lane, 0, tick, counter);
        lane_timer_free(counter->timer);
        counter->timer = lane_timer_new(counter->lane, 0, tick, counter);
        lane_post(counter->lane, record, step_new(counter, 2));
}

/* tick() counts as well, and leaves a gap. */
START_TEST(timer_without_a_delay_is_behind_the_queue)
{
        struct counter counter = { .lane = lane_new(pool, loop, "no delay") };

        lane_post(counter.lane, start_at_once, &counter);
        loop_run(loop);
        lane_post(counter.lane, finish, NULL);
        loop_run(loop);
        ck_assert_uint_eq(counter.count, 3);
        ck_assert_uint_eq(counter.order[0], 1);
        ck_assert_uint_eq(counter.order[1], 0);
        ck_assert_uint_eq(counter.order[2], 2);
        lane_unref(counter.lane);
}
END_TEST

static void end_later(void *data)
{
        ck_assert(on_loop(loop));
        loop_quit(loop);
}

START_TEST(loop_timer_and_watch)
{
        struct loop_timer *timer = loop_timer_new(loop, 1, end_later, NULL);

        loop_run(loop);
        loop_timer_set(timer, 1);
        loop_run(loop);
        loop_timer_free(timer);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("lane");
        TCase *tests = tcase_create("lane");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_set_timeout(tests, 60);
        tcase_add_test(tests, jobs_run_in_order);
        tcase_add_test(tests, posts_reach_the_loop_in_order);
        tcase_add_test(tests, urgent_job_interrupts_what_is_before_it);
        tcase_add_test(tests, urgent_job_does_not_interrupt_an_urgent_one);
        tcase_add_test(tests, interrupted_pool_waits_for_nothing);
        tcase_add_test(tests, waiting_jobs_leave_the_slots_free);
        tcase_add_test(tests, lanes_that_lend_leave_the_slots_free);
        tcase_add_test(tests, wait_has_a_deadline);
        tcase_add_test(tests, watch_fires_until_freed);
        tcase_add_test(tests, a_paused_watch_fires_when_it_is_resumed);
        tcase_add_test(tests, timer_fires_once_in_the_lane);
        tcase_add_test(tests, timer_without_a_delay_is_behind_the_queue);
        tcase_add_test(tests, loop_timer_and_watch);
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
