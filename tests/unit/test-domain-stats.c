/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a guest is asked for statistics, and when what it said before is as good.
 */
#include "drivers/domain/stats.h"

#include "base/loop.h"
#include "tests/unit/domain-fixture.h"

#include <malloc.h>
#include <string.h>

#define BALLOON "<devices><memballoon model='virtio'><stats period='3'/></memballoon></devices>"

/* As call_with_mode() of the driver notes it. */
G_STATIC_ASSERT(DOMAIN_PART_BALLOON == 0);
#define ASKED "ask-web-1 "

struct told {
        bool done;
        bool old;
        bool balloon;
};

static void take_stats(const GPtrArray *stats, const GError *error, void *data)
{
        const struct domain_stats *record = g_ptr_array_index(stats, 0);
        struct told *told = data;

        told->done = true;
        told->balloon = params_find(record->params, "balloon.maximum") != NULL;
        told->old = params_find(record->params, "balloon.age") != NULL;
}

/* Asks for the balloon; what the driver was asked for meanwhile, since the call before. */
static void ask(struct domain *domain, const char *calls)
{
        struct told told = { 0 };

        fake_driver_forget(fake);
        domain_get_stats(domain, DOMAIN_STATS_BALLOON, 0, take_stats, &told);
        while (!told.done)
                loop_step(fake->base.loop, true);
        ck_assert(told.balloon && !told.old);
        ck_assert_str_eq(fake->calls->str, calls);
}

static void do_and_forget(const char *calls)
{
        while (!outcome.count)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_null(outcome.error);
        ck_assert_str_eq(fake->calls->str, calls);
        outcome = (struct fake_outcome){ 0 };
        fake_driver_forget(fake);
}

START_TEST(each_call_asks)
{
        struct domain *domain = make_running(BALLOON);

        ask(domain, ASKED);
        ask(domain, ASKED);
}
END_TEST

START_TEST(nobody_asks_for_what_cannot_be_newer)
{
        struct domain *domain = make_running(BALLOON);

        fake->holds = true;
        ask(domain, ASKED);
        ask(domain, "");
        ask(domain, "");
}
END_TEST

START_TEST(a_new_period_is_a_reason_to_ask)
{
        struct domain *domain = make_running(BALLOON);

        fake->holds = true;
        ask(domain, ASKED);
        fake_driver_forget(fake);
        domain_set_memory_stats_period(domain, 9, LIVE, fake_driver_done, &outcome);
        do_and_forget("reach period-9 save ");
        ask(domain, ASKED);
        ask(domain, "");
}
END_TEST

/* What was told of the guest before it is another's. */
START_TEST(another_guest_is_asked)
{
        struct domain *domain = make_running(BALLOON);

        fake->holds = true;
        ask(domain, ASKED);
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        while (!outcome.count)
                loop_step(fake->base.loop, true);
        outcome = (struct fake_outcome){ 0 };
        fake_driver_start(fake, domain);
        ask(domain, ASKED);
}
END_TEST

/* ---- many, of which one is asked at a time ---- */

#define MANY 4

/* A guest that is asked keeps its place for longer than a test lasts. */
#define LONG_MS 600000

struct many {
        struct domain *domains[MANY];
        GPtrArray *list; /* owned; of these */
        bool done;
        GString *told; /* owned; by domain: '+' an answer to this call, 'o' an older one, '-' none */
};

static void begin_many(struct many *many)
{
        *many = (struct many){ .list = g_ptr_array_new(), .told = g_string_new(NULL) };
        for (unsigned i = 0; i < MANY; i++) {
                char *xml = g_strdup_printf("<domain type='test'><name>%c</name><memory>65536</memory>"
                                            "<os><type>hvm</type></os>" BALLOON "</domain>",
                                            'a' + i);

                many->domains[i] = fake_driver_create(fake, xml);
                g_ptr_array_add(many->list, many->domains[i]);
        }
        fake->base.asked_max = 1;
        fake->base.asked_ms = LONG_MS;
}

static void end_many(struct many *many)
{
        g_ptr_array_unref(many->list);
        g_string_free(many->told, TRUE);
}

static void take_many(const GPtrArray *stats, const GError *error, void *data)
{
        struct many *many = data;

        many->done = true;
        for (unsigned i = 0; i < stats->len; i++) {
                const struct domain_stats *record = g_ptr_array_index(stats, i);

                ck_assert_ptr_eq(record->domain, many->domains[i]);
                ck_assert_ptr_nonnull(params_find(record->params, "balloon.maximum"));
                if (params_find(record->params, "balloon.age"))
                        g_string_append_c(many->told, 'o');
                else
                        g_string_append_c(many->told,
                                          params_find(record->params, "balloon.swap_in") ? '+' : '-');
        }
}

static void begin_call(struct many *many)
{
        many->done = false;
        g_string_truncate(many->told, 0);
        fake_driver_forget(fake);
        domain_get_all_stats(&fake->base, many->list, DOMAIN_STATS_BALLOON, 0, take_many, many);
}

/* It comes to its end: who was asked, and what was told. */
static void end_call(struct many *many, const char *calls, const char *told)
{
        while (!many->done)
                loop_step(fake->base.loop, true);
        ck_assert_str_eq(fake->calls->str, calls);
        ck_assert_str_eq(many->told->str, told);
}

static void wait_asked(const char *calls)
{
        while (strcmp(fake->calls->str, calls) != 0)
                loop_step(fake->base.loop, true);
}

/* A call in which the first guest that is asked does not answer before its end. */
static void call_in_vain(struct many *many, const char *calls, const char *told)
{
        fake->silent = true;
        begin_call(many);
        wait_asked(calls);
        domain_stats_quiesce(&fake->base);
        end_call(many, calls, told);
        fake->silent = false;
}

START_TEST(all_are_asked_in_turn)
{
        struct many many;

        begin_many(&many);
        begin_call(&many);
        end_call(&many, "ask-a-1 ask-b-1 ask-c-1 ask-d-1 ", "++++");
        ck_assert_ptr_null(fake->base.asked_timer);
        end_many(&many);
}
END_TEST

static void take_few(const GPtrArray *stats, const GError *error, void *data)
{
        *(bool *)data = true;
}

/* Lanes have no order: all of them have been asked. */
static void wait_number_asked(unsigned count)
{
        while (fake->calls->len < count * strlen("ask-a-1 "))
                loop_step(fake->base.loop, true);
}

/* A call for few waits for nobody's turn. */
START_TEST(few_are_asked_at_once)
{
        g_autoptr(GPtrArray) few = g_ptr_array_new();
        struct many many;
        bool done = false;

        begin_many(&many);
        fake->silent = true;
        fake->base.asked_max = 2;
        begin_call(&many);
        wait_number_asked(2);
        g_ptr_array_add(few, many.domains[2]);
        g_ptr_array_add(few, many.domains[3]);
        domain_get_all_stats(&fake->base, few, DOMAIN_STATS_BALLOON, 0, take_few, &done);
        wait_number_asked(4);
        domain_stats_quiesce(&fake->base);
        while (!done || !many.done)
                loop_step(fake->base.loop, true);
        ck_assert_str_eq(many.told->str, "----");
        end_many(&many);
}
END_TEST

/* Who has never been asked comes first, then who answered too late, then who was asked longest ago. */
START_TEST(the_next_call_goes_on)
{
        struct many many;

        begin_many(&many);
        call_in_vain(&many, "ask-a-1 ", "----");
        fake_driver_answer(fake, many.domains[0], 1);
        call_in_vain(&many, "ask-b-1 ", "o---");
        fake_driver_answer(fake, many.domains[1], 1);
        begin_call(&many);
        end_call(&many, "ask-c-1 ask-d-1 ask-a-1 ask-b-1 ", "++++");
        call_in_vain(&many, "ask-c-1 ", "oooo");
        fake_driver_answer(fake, many.domains[2], 1);
        begin_call(&many);
        end_call(&many, "ask-c-1 ask-d-1 ask-a-1 ask-b-1 ", "++++");
        end_many(&many);
}
END_TEST

/* Those that are always late come twice as often as others, and no more than that. */
START_TEST(late_guests_keep_nobody_from_their_turn)
{
        static const char *const turns[] = { "a", "b", "c", "d", "a", "b", "c", "d", "a", "b", "c", "d" };
        struct many many;

        begin_many(&many);
        for (unsigned i = 0; i < G_N_ELEMENTS(turns); i++) {
                g_autofree char *calls = g_strdup_printf("ask-%s-1 ", turns[i]);
                g_autofree char *told = g_strnfill(MANY, 'o');

                for (unsigned j = i; j < MANY; j++)
                        told[j] = '-';
                call_in_vain(&many, calls, told);
                fake_driver_answer(fake, many.domains[*turns[i] - 'a'], 1);
        }
        end_many(&many);
}
END_TEST

/* A guest that hangs has its question, and the others have their turn. */
START_TEST(a_guest_that_hangs_is_asked_once)
{
        struct many many;

        begin_many(&many);
        call_in_vain(&many, "ask-a-1 ", "----");
        /* It has one of the places. */
        fake->base.asked_max = 2;
        begin_call(&many);
        end_call(&many, "ask-b-1 ask-c-1 ask-d-1 ", "-+++");
        begin_call(&many);
        end_call(&many, "ask-b-1 ask-c-1 ask-d-1 ", "-+++");
        fake_driver_answer(fake, many.domains[0], 1);
        fake->base.asked_max = 1;
        begin_call(&many);
        end_call(&many, "ask-a-1 ask-b-1 ask-c-1 ask-d-1 ", "++++");
        end_many(&many);
}
END_TEST

/* One that has just begun to hang gives its place to the next, in the same call. */
START_TEST(a_slow_guest_gives_its_place)
{
        struct many many;

        begin_many(&many);
        fake->silent = true;
        fake->base.asked_ms = 1;
        begin_call(&many);
        wait_number_asked(MANY);
        domain_stats_quiesce(&fake->base);
        while (!many.done)
                loop_step(fake->base.loop, true);
        ck_assert_str_eq(many.told->str, "----");
        end_many(&many);
}
END_TEST

/* ---- memory ---- */

/* Of sanitizers, whose heap is not that of the C library. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t get_used_bytes(void)
{
        return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
                                                       : mallinfo2().uordblks;
}

static void call_often(struct many *many, unsigned times)
{
        for (unsigned i = 0; i < times; i++) {
                begin_call(many);
                while (!many->done)
                        loop_step(fake->base.loop, true);
                ck_assert_str_eq(many->told->str, "++++");
        }
}

/* An answer that is kept takes the place of the last; nothing else stays. */
START_TEST(a_call_leaves_nothing_behind)
{
        enum { CALLS = 500, SLACK = 65536 };
        struct many many;
        size_t used;

        begin_many(&many);
        call_often(&many, CALLS);
        used = get_used_bytes();
        call_often(&many, CALLS);
        ck_assert_uint_le(get_used_bytes(), used + SLACK);
        end_many(&many);
}
END_TEST

CHECK_MAIN_FIXTURE("domain-stats", setup_domains, teardown_domains, each_call_asks,
                   nobody_asks_for_what_cannot_be_newer, a_new_period_is_a_reason_to_ask,
                   another_guest_is_asked, all_are_asked_in_turn, few_are_asked_at_once,
                   the_next_call_goes_on, late_guests_keep_nobody_from_their_turn,
                   a_guest_that_hangs_is_asked_once, a_slow_guest_gives_its_place,
                   a_call_leaves_nothing_behind)
