/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of all guests with their host: the order of starts and ends, how many at a time, deadlines,
 * and what was paused for its sleep. Guests that do as they are told are the test driver's; those that do
 * not, the fake's.
 */
#include "drivers/domain/power.h"

#include "base/loop.h"
#include "base/pool.h"
#include "drivers/test/test-driver.h"
#include "tests/unit/check-main.h"
#include "tests/unit/fake-driver.h"

#include <string.h>

static struct loop *loop;
static struct pool *pool;
static struct domain_driver *driver;
static struct domain_power *power;
static GString *changes; /* "+a -a ", a was started and is off */
static unsigned ends;    /* of what the host waits for */

static void follow(const struct registry_change *change, void *data)
{
        bool was = change->before && change->before->active, is = change->after && change->after->active;

        if (was != is)
                g_string_append_printf(changes, "%c%s ", is ? '+' : '-', change->object->name);
}

static void ended(void *data)
{
        ends++;
}

static void count(struct managed *object, const GError *error, void *data)
{
        ck_assert_msg(!error, "%s", error ? error->message : "");
        ++*(unsigned *)data;
}

static void ignore(void *data)
{
}

static void wait_for(const unsigned *counter, unsigned expected)
{
        while (*counter < expected)
                loop_step(loop, true);
}

static void wait_for_changes(const char *expected)
{
        while (strlen(changes->str) < strlen(expected))
                loop_step(loop, true);
        ck_assert_str_eq(changes->str, expected);
}

static void define(const char *name, bool autostart)
{
        g_autofree char *xml = g_strdup_printf("<domain type='test'><name>%s</name><memory>1024</memory>"
                                               "<os><type>hvm</type></os></domain>",
                                               name);
        unsigned done = 0;

        domain_define_xml(driver, xml, 0, ignore, count, &done);
        wait_for(&done, 1);
        if (autostart)
                domain_set_autostart(domain_lookup_name(driver, name, NULL), true, count, &done);
        wait_for(&done, autostart ? 2 : 1);
}

static void start(const char *name)
{
        unsigned done = 0;

        domain_create(domain_lookup_name(driver, name, NULL), 0, NULL, count, &done);
        wait_for(&done, 1);
}

static int get_state(const char *name)
{
        int state, reason;

        ck_assert(domain_get_state(domain_lookup_name(driver, name, NULL), 0, &state, &reason, NULL));
        return state;
}

static void setup(void)
{
        loop = loop_new(NULL);
        pool = pool_new(4, NULL);
        driver = test_driver_new(loop, pool, NULL);
        driver->jobs = job_list_new(loop, pool);
        power = domain_driver_get_power(driver);
        changes = g_string_new(NULL);
        registry_listen(domain_driver_get_registry(driver), follow, NULL);
}

static void teardown(void)
{
        domain_power_cancel(power);
        while (registry_get_pending(domain_driver_get_registry(driver)) > 0)
                loop_step(loop, true);
        registry_unlisten(domain_driver_get_registry(driver), follow, NULL);
        job_list_free(driver->jobs);
        test_driver_free(driver);
        pool_free(pool);
        loop_free(loop);
        g_string_free(changes, TRUE);
}

START_TEST(starts_in_order)
{
        const struct domain_power_settings settings = { .start_parallel = 1, .start_first = " d, nobody ,b" };

        define("a", true);
        define("b", true);
        define("c", true);
        define("d", true);
        define("e", false);
        domain_power_configure(power, &settings);
        domain_power_start(power);
        wait_for_changes("+d +b +a +c ");
}
END_TEST

/* The second waits for its time, not for the first; what is undefined or started meanwhile is none of it. */
START_TEST(starts_with_a_delay)
{
        const struct domain_power_settings settings = { .start_delay_ms = 50 };
        gint64 begun = g_get_monotonic_time();
        unsigned done = 0;

        define("a", true);
        define("b", true);
        define("c", true);
        domain_power_configure(power, &settings);
        domain_power_start(power);
        domain_undefine(domain_lookup_name(driver, "b", NULL), 0, count, &done);
        wait_for_changes("+a +c ");
        ck_assert_int_ge(g_get_monotonic_time() - begun, 50 * 1000);
}
END_TEST

START_TEST(stops_in_reverse)
{
        const struct domain_power_settings settings = { .shut_down = true,
                                                        .stop_parallel = 1,
                                                        .stop_timeout_ms = 60000 };
        unsigned done = 0;

        define("a", false);
        define("b", false);
        start("b");
        start("a");
        domain_suspend(domain_lookup_name(driver, "b", NULL), count, &done);
        wait_for(&done, 1);
        g_string_truncate(changes, 0);
        domain_power_configure(power, &settings);
        domain_power_stop(power, ended, NULL);
        wait_for(&ends, 1);
        ck_assert_str_eq(changes->str, "-a -b -test ");
        domain_power_stop(power, ended, NULL);
        wait_for(&ends, 2);
}
END_TEST

/* And the next boot goes on with them, a paused one paused; one that was saved before is no business of it.
 */
START_TEST(saves_in_reverse)
{
        const struct domain_power_settings settings = {
                .save = true, .stop_timeout_ms = 600000, .stop_parallel = 1, .start_parallel = 1
        };
        unsigned done = 0;

        define("a", false);
        define("b", false);
        define("c", false);
        start("c");
        domain_managed_save(domain_lookup_name(driver, "c", NULL), 0, count, &done);
        start("b");
        start("a");
        domain_suspend(domain_lookup_name(driver, "b", NULL), count, &done);
        wait_for(&done, 2);
        g_string_truncate(changes, 0);
        domain_power_configure(power, &settings);
        domain_power_stop(power, ended, NULL);
        wait_for(&ends, 1);
        ck_assert_str_eq(changes->str, "-a -b -test ");
        g_string_truncate(changes, 0);
        domain_power_start(power);
        wait_for_changes("+a +b +test ");
        ck_assert_int_eq(get_state("a"), DOMAIN_RUNNING);
        ck_assert_int_eq(get_state("b"), DOMAIN_PAUSED);
        g_string_truncate(changes, 0);
        domain_power_stop(power, ended, NULL);
        wait_for(&ends, 2);
        domain_managed_save_remove(domain_lookup_name(driver, "a", NULL), 0, count, &done);
        wait_for(&done, 3);
        g_string_truncate(changes, 0);
        domain_power_start(power);
        wait_for_changes("+b +test ");
}
END_TEST

START_TEST(leaves_guests)
{
        const struct domain_power_settings settings = { 0 };

        domain_power_configure(power, &settings);
        domain_power_stop(power, ended, NULL);
        wait_for(&ends, 1);
        domain_power_sleep(power, ended, NULL);
        wait_for(&ends, 2);
        ck_assert_int_eq(get_state("test"), DOMAIN_RUNNING);
}
END_TEST

START_TEST(sleeps_and_wakes)
{
        const struct domain_power_settings settings = { .pause = true };
        unsigned done = 0;

        define("a", false);
        define("b", false);
        start("a");
        start("b");
        domain_suspend(domain_lookup_name(driver, "a", NULL), count, &done);
        wait_for(&done, 1);
        domain_power_configure(power, &settings);
        domain_power_sleep(power, ended, NULL);
        wait_for(&ends, 1);
        ck_assert_int_eq(get_state("b"), DOMAIN_PAUSED);
        ck_assert_int_eq(get_state("test"), DOMAIN_PAUSED);
        domain_power_wake(power);
        while (get_state("b") != DOMAIN_RUNNING || get_state("test") != DOMAIN_RUNNING)
                loop_step(loop, true);
        /* It was paused before. */
        ck_assert_int_eq(get_state("a"), DOMAIN_PAUSED);
        /* Whom a client lets go on, and pauses, while the host sleeps is the client's. */
        domain_power_sleep(power, ended, NULL);
        wait_for(&ends, 2);
        domain_resume(domain_lookup_name(driver, "b", NULL), count, &done);
        domain_suspend(domain_lookup_name(driver, "b", NULL), count, &done);
        wait_for(&done, 3);
        domain_power_wake(power);
        while (get_state("test") != DOMAIN_RUNNING)
                loop_step(loop, true);
        ck_assert_int_eq(get_state("b"), DOMAIN_PAUSED);
}
END_TEST

/* The host is awake again before all of them are paused. */
START_TEST(wakes_at_once)
{
        const struct domain_power_settings settings = { .pause = true };

        domain_power_configure(power, &settings);
        domain_power_sleep(power, ended, NULL);
        loop_step(loop, false);
        domain_power_wake(power);
        wait_for(&ends, 1);
        while (registry_get_pending(domain_driver_get_registry(driver)) > 0 ||
               get_state("test") != DOMAIN_RUNNING)
                loop_step(loop, true);
}
END_TEST

/* ---- guests that do not do as they are told ---- */

#define DEADLINE_MAX_MS 10000

/* What a guest is told when the host ends. Free it. */
static char *stop_one(const struct domain_power_settings *settings, const char *fail, bool slow)
{
        struct fake_driver *fake = fake_driver_new();
        struct domain_power *fakes = domain_driver_get_power(&fake->base);
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));
        unsigned told = 0;
        char *calls;

        fake->fail = fail;
        fake->slow = slow;
        fake_driver_start(fake, domain);
        fake_driver_forget(fake);
        domain_power_configure(fakes, settings);
        domain_power_stop(fakes, ended, NULL);
        for (told = ends; ends == told;)
                loop_step(fake->base.loop, true);
        /* Who is left has still been asked; a save that was begun has been told. */
        while (registry_get_pending(fake->base.domains) > 0 && job_list_get_count(fake->base.jobs) == 0)
                loop_step(fake->base.loop, true);
        calls = g_strdup(fake->calls->str);
        /* The fake does not know that its work ends with its guest. */
        job_list_cancel_all(fake->base.jobs);
        while (job_list_get_count(fake->base.jobs) > 0)
                loop_step(fake->base.loop, true);
        fake_driver_free(fake);
        return calls;
}

/* On a busy machine a deadline may come before what it ends has begun: then it is a later one. */
static void stop_fake(const struct domain_power_settings *given, const char *fail, bool slow,
                      const char *calls)
{
        struct domain_power_settings settings = *given;
        g_autofree char *told = stop_one(&settings, fail, slow);

        while (strcmp(told, calls) != 0 && settings.stop_timeout_ms < DEADLINE_MAX_MS) {
                settings.stop_timeout_ms *= 10;
                g_free(told);
                told = stop_one(&settings, fail, slow);
        }
        ck_assert_str_eq(told, calls);
}

START_TEST(destroys_at_the_deadline)
{
        const struct domain_power_settings settings = { .shut_down = true,
                                                        .stop_timeout_ms = 1,
                                                        .destroy = true };

        stop_fake(&settings, NULL, false, "shutdown-0 stop ");
}
END_TEST

START_TEST(leaves_at_the_deadline)
{
        const struct domain_power_settings settings = { .shut_down = true, .stop_timeout_ms = 1 };

        stop_fake(&settings, NULL, false, "shutdown-0 ");
}
END_TEST

/* Who cannot be asked is not waited for. */
START_TEST(destroys_who_cannot_be_asked)
{
        const struct domain_power_settings settings = { .shut_down = true,
                                                        .stop_timeout_ms = 600000,
                                                        .destroy = true };

        stop_fake(&settings, "shutdown-0", false, "shutdown-0 stop ");
}
END_TEST

START_TEST(leaves_who_cannot_be_asked)
{
        const struct domain_power_settings settings = { .shut_down = true, .stop_timeout_ms = 600000 };

        stop_fake(&settings, "shutdown-0", false, "shutdown-0 ");
}
END_TEST

START_TEST(shuts_down_who_cannot_be_saved)
{
        const struct domain_power_settings settings = { .save = true,
                                                        .stop_timeout_ms = 50,
                                                        .destroy = true };

        stop_fake(&settings, "save-open", false, "save-open shutdown-0 stop ");
}
END_TEST

/* A save that takes too long is given up with its guest. */
START_TEST(destroys_who_is_being_saved)
{
        const struct domain_power_settings settings = { .save = true,
                                                        .stop_timeout_ms = 50,
                                                        .destroy = true };

        stop_fake(&settings, NULL, true, "save-open save suspend save save-begin stop ");
}
END_TEST

/* What a successor has to know is written down before the guest is paused, and taken back when it is not. */
START_TEST(writes_down_who_sleeps)
{
        const struct domain_power_settings settings = { .pause = true };
        struct fake_driver *fake = fake_driver_new();
        struct domain_power *fakes = domain_driver_get_power(&fake->base);
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));

        fake_driver_start(fake, domain);
        fake_driver_forget(fake);
        domain_power_configure(fakes, &settings);
        domain_power_sleep(fakes, ended, NULL);
        while (ends < 1)
                loop_step(fake->base.loop, true);
        ck_assert_str_eq(fake->calls->str, "save suspend save ");
        ck_assert(domain_get_published(domain)->sleeps);
        domain_power_wake(fakes);
        while (domain_get_published(domain)->state != DOMAIN_RUNNING)
                loop_step(fake->base.loop, true);
        ck_assert(!domain_get_published(domain)->sleeps);
        fake_driver_forget(fake);
        fake->fail = "suspend";
        domain_power_sleep(fakes, ended, NULL);
        while (ends < 2)
                loop_step(fake->base.loop, true);
        ck_assert_str_eq(fake->calls->str, "save suspend save ");
        ck_assert(!domain_get_published(domain)->sleeps);
        fake_driver_free(fake);
}
END_TEST

CHECK_MAIN_FIXTURE("domain-power", setup, teardown, starts_in_order, starts_with_a_delay, stops_in_reverse,
                   saves_in_reverse, leaves_guests, sleeps_and_wakes, wakes_at_once, destroys_at_the_deadline,
                   leaves_at_the_deadline, destroys_who_cannot_be_asked, leaves_who_cannot_be_asked,
                   shuts_down_who_cannot_be_saved, destroys_who_is_being_saved, writes_down_who_sleeps)
