/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work that is divided among the threads of a pool: every index once, side by side, and never in need of a
 * slot. Meant to run under ThreadSanitizer too.
 */
#include "base/pool.h"

#include "base/lane.h"
#include "base/loop.h"
#include "tests/unit/check-main.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#define COUNT 10000

static struct loop *loop;
static struct pool *pool;

struct work {
        unsigned count, helpers;
        void (*fn)(unsigned index, void *data);
        unsigned times[COUNT]; /* that an index was worked on; plain, so that races show */
        pthread_barrier_t together;
        sem_t begun, end;
        pthread_t caller;
        gint inside, most; /* atomic */
};

static struct work *work;
static struct lane *lane, *other;

static void setup(void)
{
        loop = loop_new(NULL);
        /* One slot: what needs a second one hangs. */
        pool = pool_new(1, NULL);
        lane = lane_new(pool, loop, "works");
        other = lane_new(pool, loop, "other");
        work = g_new0(struct work, 1);
        sem_init(&work->begun, 0, 0);
        sem_init(&work->end, 0, 0);
}

static void teardown(void)
{
        lane_unref(lane);
        lane_unref(other);
        pool_free(pool);
        loop_free(loop);
        sem_destroy(&work->begun);
        sem_destroy(&work->end);
        g_free(work);
}

static void quit(void *data)
{
        loop_quit(loop);
}

static void divide(void *data)
{
        work->caller = pthread_self();
        pool_for_each(pool, work->count, work->helpers, work->fn, work);
        for (unsigned i = 0; i < work->count; i++)
                ck_assert_uint_eq(work->times[i], 1);
        loop_post(loop, quit, NULL);
}

static void run(unsigned count, unsigned helpers, void (*fn)(unsigned index, void *data))
{
        work->count = count;
        work->helpers = helpers;
        work->fn = fn;
        lane_post(lane, divide, NULL);
        loop_run(loop);
}

static void count_index(unsigned index, void *data)
{
        work->times[index]++;
}

START_TEST(each_index_is_worked_on_once)
{
        static const unsigned counts[] = { 0, 1, 2, 5, 63, COUNT };

        for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
                memset(work->times, 0, sizeof(work->times));
                run(counts[i], 7, count_index);
        }
}
END_TEST

static void meet(unsigned index, void *data)
{
        count_index(index, data);
        pthread_barrier_wait(&work->together);
}

/* Four threads have to be inside together. */
START_TEST(helpers_work_beside_the_caller)
{
        pthread_barrier_init(&work->together, NULL, 4);
        run(40, 3, meet);
        pthread_barrier_destroy(&work->together);
}
END_TEST

static void hold_the_slot(void *data)
{
        sem_post(&work->begun);
        while (sem_wait(&work->end) < 0)
                ;
}

static void work_alone(unsigned index, void *data)
{
        ck_assert(pthread_equal(pthread_self(), work->caller));
        count_index(index, data);
        if (index == 0) {
                while (sem_wait(&work->begun) < 0)
                        ;
        }
        if (index + 1 == work->count)
                sem_post(&work->end);
}

static void post_and_divide(void *data)
{
        lane_post(other, hold_the_slot, NULL);
        divide(data);
}

/* The job before the helpers takes the only slot, and keeps it until all is done. */
START_TEST(without_a_free_slot_the_caller_works_alone)
{
        work->count = 100;
        work->helpers = 3;
        work->fn = work_alone;
        lane_post(lane, post_and_divide, NULL);
        loop_run(loop);
}
END_TEST

static void free_the_others(void *data)
{
        for (unsigned i = 0; i < work->count; i++)
                sem_post(&work->end);
}

static void wait_for_another_lane(unsigned index, void *data)
{
        count_index(index, data);
        if (index == 0)
                lane_post(other, free_the_others, NULL);
        while (sem_wait(&work->end) < 0)
                ;
}

START_TEST(slots_are_free_meanwhile)
{
        run(4, 1, wait_for_another_lane);
}
END_TEST

static void note_crowd(unsigned index, void *data)
{
        gint inside = g_atomic_int_add(&work->inside, 1) + 1;
        gint most = g_atomic_int_get(&work->most);

        while (inside > most && !g_atomic_int_compare_and_exchange(&work->most, most, inside))
                most = g_atomic_int_get(&work->most);
        count_index(index, data);
        pthread_barrier_wait(&work->together);
        g_atomic_int_add(&work->inside, -1);
}

START_TEST(helpers_are_bounded)
{
        pthread_barrier_init(&work->together, NULL, POOL_HELPERS_MAX + 1);
        run(4 * (POOL_HELPERS_MAX + 1), 1000, note_crowd);
        pthread_barrier_destroy(&work->together);
        ck_assert_int_eq(work->most, POOL_HELPERS_MAX + 1);
}
END_TEST

/* The work is done before all are called: some leave while others are still in the queue. */
START_TEST(helpers_come_and_go)
{
        for (unsigned i = 0; i < 1000; i++) {
                memset(work->times, 0, 8 * sizeof(*work->times));
                run(8, POOL_HELPERS_MAX, count_index);
        }
}
END_TEST

CHECK_MAIN_FIXTURE("pool", setup, teardown, each_index_is_worked_on_once, helpers_work_beside_the_caller,
                   without_a_free_slot_the_caller_works_alone, slots_are_free_meanwhile, helpers_are_bounded,
                   helpers_come_and_go)
