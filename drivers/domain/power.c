/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All guests at once, in order and some at a time: rounds. A round has a queue of domains, begins one after
 * the other, and is over when all that it began are. Calls that it has made may end later: it is freed after
 * them. Loop thread.
 */
#include "drivers/domain/power.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "drivers/domain/model.h"

#include <string.h>

enum round_kind {
        ROUND_START,
        ROUND_STOP,
        ROUND_SLEEP,
        ROUND_COUNT,
};

struct round {
        /* const */
        struct domain_power *power; /* borrowed */
        enum round_kind kind;
        unsigned parallel; /* 0: any number */
        unsigned delay_ms; /* from one to the next */
        bool saves;        /* rather than to ask for a shutdown */
        bool destroys;     /* what is there at the deadline */
        /* loop */
        GQueue waiting;              /* of struct domain, a ref each */
        GHashTable *begun;           /* of struct domain, a ref each: not over yet */
        unsigned calls;              /* on their way */
        gint64 next_us;              /* the next may begin then */
        struct loop_timer *turn;     /* owned */
        struct loop_timer *deadline; /* owned; NULL: none */
        bool late;                   /* nothing begins any more */
        bool over;                   /* told to be, and waits for its calls only */
        loop_fn done;                /* NULL: nobody waits */
        void *data;                  /* owned by done */
};

struct domain_power {
        /* const */
        struct domain_driver *driver; /* borrowed */
        /* loop */
        struct domain_power_settings settings;
        char *first;                       /* owned; NULL: none */
        struct round *rounds[ROUND_COUNT]; /* owned; NULL: none is at work */
};

static void unref_domain(void *domain)
{
        managed_unref(domain);
}

/* A transient one that has ended has no state any more. */
static bool is_on(const struct domain *domain)
{
        return domain->base.published && domain_is_active(domain);
}

static int get_state(const struct domain *domain)
{
        int state = DOMAIN_NOSTATE, reason;

        if (is_on(domain))
                domain_get_state(domain, 0, &state, &reason, NULL);
        return state;
}

/* ---- rounds ---- */

static void take_turn(void *data);
static void be_late(void *data);

static void round_free(struct round *round)
{
        g_queue_clear_full(&round->waiting, unref_domain);
        g_hash_table_unref(round->begun);
        loop_timer_free(round->turn);
        loop_timer_free(round->deadline);
        g_free(round);
}

static struct round *round_new(struct domain_power *power, enum round_kind kind, loop_fn done, void *data)
{
        struct loop *loop = power->driver->loop;
        struct round *round = g_new0(struct round, 1);

        round->power = power;
        round->kind = kind;
        round->done = done;
        round->data = data;
        g_queue_init(&round->waiting);
        round->begun = g_hash_table_new_full(NULL, NULL, unref_domain, NULL);
        round->turn = loop_timer_new(loop, 0, take_turn, round);
        power->rounds[kind] = round;
        return round;
}

static void round_add(struct round *round, struct domain *domain)
{
        managed_ref(&domain->base);
        g_queue_push_tail(&round->waiting, domain);
}

/* Whoever waits is told, once. */
static void round_end(struct round *round)
{
        loop_fn done = g_steal_pointer(&round->done);

        if (!round->over)
                round->power->rounds[round->kind] = NULL;
        round->over = true;
        g_queue_clear_full(&round->waiting, unref_domain);
        g_hash_table_remove_all(round->begun);
        if (done)
                done(round->data);
        if (round->calls == 0)
                round_free(round);
}

/* ---- calls of a round ---- */

struct call {
        struct round *round;   /* borrowed; lives until its calls have ended */
        struct domain *domain; /* ref */
};

static struct call *call_new(struct round *round, struct domain *domain)
{
        struct call *call = g_new(struct call, 1);

        managed_ref(&domain->base);
        *call = (struct call){ round, domain };
        round->calls++;
        return call;
}

/* leaves: the domain is over with it, as far as the round is concerned. */
static void call_end(struct call *call, bool leaves)
{
        struct round *round = call->round;

        round->calls--;
        if (round->over && round->calls == 0)
                round_free(round);
        else if (!round->over && leaves && g_hash_table_remove(round->begun, call->domain))
                loop_timer_set(round->turn, 0);
        managed_unref(&call->domain->base);
        g_free(call);
}

/* ---- what a round does with a domain ---- */

static void started(struct managed *object, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                domain_report(call->domain, error, "cannot autostart domain");
        call_end(call, true);
}

static void destroyed(struct managed *object, const GError *error, void *data)
{
        struct call *call = data;

        if (error && is_on(call->domain))
                log_gerror(LOG_LEVEL_WARNING, error, "domain '%s' is left to the end of the host",
                           call->domain->base.name);
        call_end(call, true);
}

/* What will not shut down need not be waited for. */
static void asked(struct managed *object, const GError *error, void *data)
{
        struct call *call = data;
        struct round *round = call->round;
        bool fails = error && is_on(call->domain) && !round->late && !round->over;

        if (fails)
                log_gerror(LOG_LEVEL_WARNING, error, "domain '%s' does not shut down for the end of the host",
                           call->domain->base.name);
        if (fails && round->destroys)
                domain_destroy(call->domain, 0, destroyed, call_new(round, call->domain));
        call_end(call, error && !(fails && round->destroys));
}

/* Who is paused hears no power button. */
static void went_on(struct managed *object, const GError *error, void *data)
{
        call_end(data, false);
}

static void ask(struct round *round, struct domain *domain)
{
        if (get_state(domain) == DOMAIN_PAUSED)
                domain_resume(domain, went_on, call_new(round, domain));
        domain_shutdown(domain, 0, asked, call_new(round, domain));
}

static void saved(struct managed *object, const GError *error, void *data)
{
        struct call *call = data;
        struct round *round = call->round;
        bool fails = error && is_on(call->domain) && !round->late && !round->over;

        if (fails) {
                log_gerror(LOG_LEVEL_WARNING, error,
                           "domain '%s' is not saved for the end of the host, and shut down",
                           call->domain->base.name);
                ask(round, call->domain);
        }
        call_end(call, !error || !is_on(call->domain));
}

static bool is_asleep(const struct domain *domain)
{
        return is_on(domain) && domain_get_published(domain)->sleeps;
}

static void resumed(struct managed *object, const GError *error, void *data)
{
        if (error)
                log_gerror(LOG_LEVEL_WARNING, error,
                           "a domain that was paused for the host's sleep stays so");
}

static void paused(struct managed *object, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                log_gerror(LOG_LEVEL_WARNING, error, "domain '%s' is not paused for the host's sleep",
                           call->domain->base.name);
        else if (call->round->over && is_asleep(call->domain))
                domain_resume(call->domain, resumed, NULL);
        call_end(call, true);
}

static bool is_started_by_boot(const struct domain *domain)
{
        const struct domain_state *state = domain_get_published(domain);

        return state && (state->base.autostart || state->resumes);
}

static bool begin(struct round *round, struct domain *domain)
{
        switch (round->kind) {
        case ROUND_START:
                if (!is_started_by_boot(domain) || is_on(domain))
                        return false;
                domain_create(domain, 0, NULL, started, call_new(round, domain));
                return true;
        case ROUND_STOP:
                if (!is_on(domain))
                        return false;
                if (round->saves)
                        domain_save_for_boot(domain, saved, call_new(round, domain));
                else
                        ask(round, domain);
                return true;
        default:
                if (get_state(domain) != DOMAIN_RUNNING)
                        return false;
                domain_suspend_for_sleep(domain, paused, call_new(round, domain));
                return true;
        }
}

static gboolean is_off(void *domain, void *ignored, void *data)
{
        return !is_on(domain);
}

static bool has_room(const struct round *round)
{
        return !round->late && (round->parallel == 0 || g_hash_table_size(round->begun) < round->parallel);
}

static bool is_waited_for(const struct round *round)
{
        return g_get_monotonic_time() < round->next_us;
}

/* Begins what may begin; the end, when there is nothing left. */
static void take_turn(void *data)
{
        struct round *round = data;

        if (round->kind == ROUND_STOP)
                g_hash_table_foreach_remove(round->begun, is_off, NULL);
        while (!g_queue_is_empty(&round->waiting) && has_room(round) && !is_waited_for(round)) {
                struct domain *domain = g_queue_pop_head(&round->waiting);

                g_hash_table_add(round->begun, domain);
                if (begin(round, domain))
                        round->next_us = g_get_monotonic_time() + (gint64)round->delay_ms * 1000;
                else
                        g_hash_table_remove(round->begun, domain);
        }
        if (!g_queue_is_empty(&round->waiting) && has_room(round))
                loop_timer_set(round->turn, round->delay_ms);
        else if (g_hash_table_size(round->begun) == 0)
                round_end(round);
}

/* A domain has changed: those of a round that are off now are looked for behind this. */
static void follow(const struct registry_change *change, void *data)
{
        struct domain_power *power = data;
        struct round *round = power->rounds[ROUND_STOP];

        if (round && (!change->after || !change->after->active))
                loop_timer_set(round->turn, 0);
}

/* ---- the deadline of an end ---- */

static void be_late(void *data)
{
        struct round *round = data;
        g_autoptr(GList) left = NULL;
        struct domain *domain;

        round->late = true;
        while ((domain = g_queue_pop_head(&round->waiting)))
                g_hash_table_add(round->begun, domain);
        g_hash_table_foreach_remove(round->begun, is_off, NULL);
        log_warning("%u domains have not shut down in time for the end of the host: they are %s",
                    g_hash_table_size(round->begun), round->destroys ? "destroyed" : "left");
        if (!round->destroys) {
                round_end(round);
                return;
        }
        left = g_hash_table_get_keys(round->begun);
        for (GList *link = left; link; link = link->next)
                domain_destroy(link->data, 0, destroyed, call_new(round, link->data));
        loop_timer_set(round->turn, 0);
}

/* ---- all of it ---- */

struct domain_power *domain_power_new(struct domain_driver *driver)
{
        struct domain_power *power = g_new0(struct domain_power, 1);

        power->driver = driver;
        registry_listen(driver->domains, follow, power);
        return power;
}

void domain_power_cancel(struct domain_power *power)
{
        for (unsigned i = 0; i < ROUND_COUNT; i++)
                if (power->rounds[i])
                        round_end(power->rounds[i]);
}

void domain_power_free(struct domain_power *power)
{
        if (!power)
                return;
        domain_power_cancel(power);
        registry_unlisten(power->driver->domains, follow, power);
        g_free(power->first);
        g_free(power);
}

void domain_power_configure(struct domain_power *power, const struct domain_power_settings *settings)
{
        g_free(power->first);
        power->settings = *settings;
        power->first = g_strdup(settings->start_first);
        power->settings.start_first = power->first;
}

/* True for the first time since boot: the mark lies in the runtime directory, which a boot empties. */
static bool claim_boot(const struct domain_driver *driver)
{
        g_autofree char *directory = NULL, *name = NULL;
        g_autoptr(GError) error = NULL;

        if (!driver->boot_mark)
                return true;
        directory = g_path_get_dirname(driver->boot_mark);
        name = g_path_get_basename(driver->boot_mark);
        if (store_is_marked(directory, name))
                return false;
        if (!store_mark(directory, name, true, &error))
                log_gerror(LOG_LEVEL_WARNING, error,
                           "the next start of the agent will autostart domains again");
        return true;
}

/* Those that are named first, in that order; then the others. */
static unsigned get_place(const struct domain *domain, char *const *first)
{
        unsigned place = 0;

        while (first && first[place] && strcmp(g_strstrip(first[place]), domain->base.name) != 0)
                place++;
        return place;
}

static int compare_starts(const void *one, const void *other, void *first)
{
        const struct domain *a = *(struct domain *const *)one, *b = *(struct domain *const *)other;
        unsigned place_a = get_place(a, first), place_b = get_place(b, first);

        if (place_a != place_b)
                return place_a < place_b ? -1 : 1;
        return strcmp(a->base.name, b->base.name);
}

void domain_power_start(struct domain_power *power)
{
        const struct domain_power_settings *settings = &power->settings;
        g_autoptr(GPtrArray) domains = NULL;
        g_auto(GStrv) first = NULL;
        struct round *round;

        if (power->rounds[ROUND_START] || !claim_boot(power->driver))
                return;
        domains = registry_list(power->driver->domains);
        first = settings->start_first ? g_strsplit(settings->start_first, ",", -1) : NULL;
        g_ptr_array_sort_with_data(domains, compare_starts, first);
        round = round_new(power, ROUND_START, NULL, NULL);
        round->parallel = settings->start_parallel;
        round->delay_ms = settings->start_delay_ms;
        for (unsigned i = 0; i < domains->len; i++)
                round_add(round, g_ptr_array_index(domains, i));
}

/* Ids count the starts. */
static int compare_ids_downwards(const void *one, const void *other)
{
        int a = domain_get_published(*(struct domain *const *)one)->id;
        int b = domain_get_published(*(struct domain *const *)other)->id;

        return b > a ? 1 : b < a ? -1 : 0;
}

static void drop_round(struct domain_power *power, enum round_kind kind)
{
        if (power->rounds[kind])
                round_end(power->rounds[kind]);
}

void domain_power_stop(struct domain_power *power, loop_fn done, void *data)
{
        const struct domain_power_settings *settings = &power->settings;
        struct round *round = power->rounds[ROUND_STOP];
        g_autoptr(GPtrArray) domains = NULL;

        if (round) {
                round->done = done;
                round->data = data;
                return;
        }
        drop_round(power, ROUND_START);
        domains = registry_list(power->driver->domains);
        g_ptr_array_sort(domains, compare_ids_downwards);
        round = round_new(power, ROUND_STOP, done, data);
        round->parallel = settings->stop_parallel;
        round->destroys = settings->destroy;
        round->saves = settings->save;
        for (unsigned i = 0; (settings->shut_down || settings->save) && i < domains->len; i++)
                if (is_on(g_ptr_array_index(domains, i)))
                        round_add(round, g_ptr_array_index(domains, i));
        if (!g_queue_is_empty(&round->waiting)) {
                log_notice("the host ends: %u domains are %s", round->waiting.length,
                           round->saves ? "saved" : "asked to shut down");
                round->deadline =
                        loop_timer_new(power->driver->loop, settings->stop_timeout_ms, be_late, round);
        }
}

void domain_power_sleep(struct domain_power *power, loop_fn done, void *data)
{
        g_autoptr(GPtrArray) domains = registry_list(power->driver->domains);
        struct round *round;

        drop_round(power, ROUND_SLEEP);
        round = round_new(power, ROUND_SLEEP, done, data);
        for (unsigned i = 0; power->settings.pause && i < domains->len; i++)
                if (get_state(g_ptr_array_index(domains, i)) == DOMAIN_RUNNING)
                        round_add(round, g_ptr_array_index(domains, i));
}

void domain_power_wake(struct domain_power *power)
{
        g_autoptr(GPtrArray) domains = registry_list(power->driver->domains);

        drop_round(power, ROUND_SLEEP);
        for (unsigned i = 0; i < domains->len; i++) {
                struct domain *domain = g_ptr_array_index(domains, i);

                if (is_asleep(domain))
                        domain_resume(domain, resumed, NULL);
        }
}
