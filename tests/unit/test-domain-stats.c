/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a guest is asked for statistics, and when what it said before is as good.
 */
#include "drivers/domain/stats.h"

#include "base/loop.h"
#include "tests/unit/domain-fixture.h"

#include <string.h>

#define BALLOON "<devices><memballoon model='virtio'><stats period='3'/></memballoon></devices>"

/* As call_with_mode() of the driver notes it. */
G_STATIC_ASSERT(DOMAIN_PART_BALLOON == 0);
#define ASKED "ask-1 "

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

CHECK_MAIN_FIXTURE("domain-stats", setup_domains, teardown_domains, each_call_asks,
                   nobody_asks_for_what_cannot_be_newer, a_new_period_is_a_reason_to_ask,
                   another_guest_is_asked)
