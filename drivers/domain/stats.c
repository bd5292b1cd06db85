/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Collecting statistics, on the loop: which domains are asked what, who waits for their answers and for how
 * long, and what they have answered. What the collection comes to is written in a lane of its own
 * (stats-record.c), where /proc is read, too.
 */
#include "drivers/domain/stats.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/domain/stats-private.h"
#include "interfaces/counters.h"

#include <malloc.h>
#include <string.h>

/* How long guests are waited for. */
#define PATIENCE_MS      200
#define LONG_PATIENCE_MS 5000
/* Threads that help to read /proc. */
#define HELPERS 3

/* Domains whose statistics are worth the while of giving their memory back. */
#define MANY 64

/* Bits of virConnectListAllDomainsFlags that select domains here, too. */
#define SELECTING 255

struct stats_collection {
        /* const */
        struct domain_driver *driver; /* borrowed */
        struct stats_request request;
        bool no_wait;
        GPtrArray *entries; /* owned; struct stats_entry */
        /* loop */
        GList link; /* in driver->collections */
        gint64 begun_us;
        unsigned open;            /* entries that wait */
        struct loop_timer *timer; /* owned; NULL: nobody is waited for */
        domain_stats_done done;
        void *data;
        domain_answer_done answer_done; /* of domain_ask(), instead of done */
        domain_text_done text_done;     /* of domain_get_metrics(), likewise */
        char *text;                     /* owned; for it */
        enum domain_part part;
};

/* ---- what domains have answered ---- */

void domain_known_free(struct domain_known *known)
{
        if (!known)
                return;
        for (unsigned i = 0; i < DOMAIN_PARTS; i++)
                domain_answer_unref(known->answers[i]);
        g_ptr_array_unref(known->waiting);
        g_free(known);
}

static struct domain_known *get_known(struct domain *domain)
{
        if (!domain->known) {
                domain->known = g_new0(struct domain_known, 1);
                domain->known->waiting = g_ptr_array_new();
        }
        return domain->known;
}

/* The last one of that part, if the guest that gave it is the one that runs (or: is off) now. */
static struct domain_answer *get_last(const struct domain *domain, const struct domain_state *state,
                                      enum domain_part part)
{
        struct domain_answer *answer = domain->known ? domain->known->answers[part] : NULL;

        return answer && answer->id == state->id ? answer : NULL;
}

/* The last answer. What was said of disks as a whole has their counters as well. */
static struct domain_answer *find_answer(const struct domain *domain, const struct domain_state *state,
                                         enum domain_part part)
{
        struct domain_answer *answer = get_last(domain, state, part), *whole;

        if (part != DOMAIN_PART_BLOCK_COUNTERS)
                return answer;
        whole = get_last(domain, state, DOMAIN_PART_BLOCK);
        return answer && (!whole || answer->made_us > whole->made_us) ? answer : whole;
}

/* ---- the end of a collection ---- */

static void entry_free(void *data)
{
        struct stats_entry *entry = data;

        for (unsigned i = 0; i < DOMAIN_PARTS; i++)
                domain_answer_unref(entry->answers[i]);
        managed_state_unref(&entry->state->base);
        params_free(entry->stats.params);
        g_free(entry->stats.name);
        managed_unref(&entry->stats.domain->base);
        g_free(entry);
}

/* What many domains have taken for a moment goes back to the system: off the loop, as it is much to look at.
 */
static void trim(void *data)
{
        malloc_trim(0);
}

static void give_back_memory(struct domain_driver *driver)
{
        struct lane *lane = lane_new(driver->pool, driver->loop, "memory");

        lane_post(lane, trim, NULL);
        lane_unref(lane);
}

static void collection_end(struct stats_collection *collection)
{
        struct domain_driver *driver = collection->driver;
        bool is_large = collection->entries->len >= MANY;

        g_queue_unlink(&collection->driver->collections, &collection->link);
        g_ptr_array_unref(collection->entries);
        g_free(collection->text);
        g_free(collection);
        if (is_large && g_queue_is_empty(&driver->collections))
                give_back_memory(driver);
}

static void tell(void *data)
{
        struct stats_collection *collection = data;

        if (collection->text_done)
                collection->text_done(collection->text, NULL, collection->data);
        else
                collection->done(collection->entries, NULL, collection->data);
        collection_end(collection);
}

struct writing {
        struct stats_collection *collection;
        struct link_counters *links;
        gint64 now_us;
};

static void write_entry(unsigned index, void *data)
{
        const struct writing *writing = data;

        stats_write(g_ptr_array_index(writing->collection->entries, index), &writing->collection->request,
                    writing->links, writing->now_us);
}

/* In the collection's lane. */
static void write_all(void *data)
{
        struct stats_collection *collection = data;
        CLEANUP(link_counters_free) struct link_counters *links = NULL;
        struct writing writing = { .collection = collection };

        if (collection->request.groups & DOMAIN_STATS_INTERFACE)
                links = link_counters_read();
        writing.links = links;
        writing.now_us = g_get_monotonic_time();
        pool_for_each(collection->driver->pool, collection->entries->len, HELPERS, write_entry, &writing);
        if (collection->text_done)
                collection->text = stats_write_metrics(collection->entries);
        loop_post(collection->driver->loop, tell, collection);
}

static void take_answers(struct stats_entry *entry)
{
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                struct domain_answer *answer = entry->parts & DOMAIN_PART_BIT(i)
                                                       ? find_answer(entry->stats.domain, entry->state, i)
                                                       : NULL;

                if (answer && answer->made_us < entry->collection->begun_us &&
                    !(entry->held & DOMAIN_PART_BIT(i)))
                        entry->stale |= DOMAIN_PART_BIT(i);
                entry->answers[i] = domain_answer_ref(answer);
        }
}

/* Is the guest that was asked still the one that runs? */
static bool runs_on(const struct stats_entry *entry)
{
        const struct domain_state *now = (const struct domain_state *)entry->stats.domain->base.published;

        return now && now->id == entry->state->id;
}

static void tell_answer(struct stats_collection *collection)
{
        const struct stats_entry *entry = g_ptr_array_index(collection->entries, 0);
        g_autoptr(GError) error = NULL;

        if (!entry->answers[collection->part] && entry->state->base.active && !runs_on(entry))
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID, "domain '%s' is not running",
                          entry->stats.name);
        else if (!entry->answers[collection->part])
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_TIMEOUT,
                          entry->state->base.active
                                  ? "the guest of domain '%s' does not answer"
                                  : "the storage of domain '%s', which is off, does not answer",
                          entry->stats.name);
        collection->answer_done(entry->answers[collection->part], error, collection->data);
        collection_end(collection);
}

/* All have answered that are going to. */
static void finish(struct stats_collection *collection)
{
        struct lane *lane;

        g_clear_pointer(&collection->timer, loop_timer_free);
        for (unsigned i = 0; i < collection->entries->len; i++)
                take_answers(g_ptr_array_index(collection->entries, i));
        if (collection->answer_done) {
                tell_answer(collection);
                return;
        }
        lane = lane_new(collection->driver->pool, collection->driver->loop, "statistics");
        lane_post(lane, write_all, collection);
        lane_unref(lane);
}

static void stop_waiting(struct stats_entry *entry)
{
        entry->awaited = 0;
        entry->collection->open--;
        g_ptr_array_remove_fast(entry->stats.domain->known->waiting, entry);
}

static void lose_patience(void *data)
{
        struct stats_collection *collection = data;

        for (unsigned i = 0; i < collection->entries->len; i++) {
                struct stats_entry *entry = g_ptr_array_index(collection->entries, i);

                if (entry->awaited)
                        stop_waiting(entry);
        }
        finish(collection);
}

unsigned domain_stats_get_pending(const struct domain_driver *driver)
{
        return driver->collections.length + driver->measuring;
}

void domain_stats_quiesce(struct domain_driver *driver)
{
        for (GList *link = driver->collections.head; link; link = link->next) {
                struct stats_collection *collection = link->data;

                if (collection->timer)
                        loop_timer_set(collection->timer, 0);
        }
}

/* ---- answers ---- */

struct arrival {
        struct domain *domain; /* ref */
        enum domain_part part;
        struct domain_answer *answer; /* ref; NULL: none */
};

static void arrive(void *data)
{
        struct arrival *arrival = data;
        struct domain_known *known = get_known(arrival->domain);

        known->asked_us[arrival->part] = 0;
        if (arrival->answer) {
                known->good_until_us[arrival->part] = arrival->answer->good_until_us;
                domain_answer_unref(known->answers[arrival->part]);
                known->answers[arrival->part] = g_steal_pointer(&arrival->answer);
        }
        for (unsigned i = known->waiting->len; i-- > 0;) {
                struct stats_entry *entry = g_ptr_array_index(known->waiting, i);
                struct stats_collection *collection = entry->collection;

                if (!(entry->awaited & DOMAIN_PART_BIT(arrival->part)))
                        continue;
                entry->awaited &= ~DOMAIN_PART_BIT(arrival->part);
                if (entry->awaited)
                        continue;
                stop_waiting(entry);
                if (collection->open == 0)
                        finish(collection);
        }
        managed_unref(&arrival->domain->base);
        g_free(arrival);
}

void stats_post_answer(struct domain *domain, enum domain_part part, struct domain_answer *answer)
{
        struct arrival *arrival = g_new(struct arrival, 1);

        *arrival = (struct arrival){ (struct domain *)managed_ref(&domain->base), part, answer };
        loop_post(domain->driver->loop, arrive, arrival);
}

static void post_nothing(void *data)
{
        const struct arrival *arrival = data;

        loop_post(arrival->domain->driver->loop, arrive, data);
}

void domain_answered(struct domain *domain, enum domain_part part, struct domain_answer *answer)
{
        struct arrival *arrival;

        g_assert(in_lane(domain->base.lane));
        if (answer) {
                stats_post_answer(domain, part, answer);
                return;
        }
        /* Behind what this job has to say: that the guest has ended, maybe, which is why there is no answer.
         */
        arrival = g_new(struct arrival, 1);
        *arrival = (struct arrival){ (struct domain *)managed_ref(&domain->base), part, NULL };
        lane_post(domain->base.lane, post_nothing, arrival);
}

struct forgetting {
        struct domain *domain; /* ref */
        enum domain_part part;
};

static void forget(void *data)
{
        struct forgetting *forgetting = data;

        get_known(forgetting->domain)->good_until_us[forgetting->part] = 0;
        managed_unref(&forgetting->domain->base);
        g_free(forgetting);
}

void stats_forget(struct domain *domain, enum domain_part part)
{
        struct forgetting *forgetting = g_new(struct forgetting, 1);

        *forgetting = (struct forgetting){ (struct domain *)managed_ref(&domain->base), part };
        loop_post(domain->driver->loop, forget, forgetting);
}

/* ---- questions ---- */

/* In the domain's lane. */
static bool ask_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        const struct domain_state *current = domain_get_current(domain);
        unsigned parts = GPOINTER_TO_UINT(data);

        if (current && current->base.active && domain->driver->ops->ask) {
                domain->driver->ops->ask(domain, parts);
                return true;
        }
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (parts & DOMAIN_PART_BIT(i))
                        domain_answered(domain, i, NULL);
        }
        return true;
}

/* How long its guest is waited for. A guest that has said nothing yet gets its chance in a call about it. */
static unsigned get_patience_ms(const struct stats_collection *collection)
{
        const struct stats_entry *entry;

        if (collection->no_wait || collection->entries->len != 1)
                return PATIENCE_MS;
        entry = g_ptr_array_index(collection->entries, 0);
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (entry->parts & DOMAIN_PART_BIT(i) && !find_answer(entry->stats.domain, entry->state, i))
                        return LONG_PATIENCE_MS;
        }
        return PATIENCE_MS;
}

/* Would asking again tell anything newer? */
static bool is_good(const struct stats_entry *entry, enum domain_part part)
{
        return find_answer(entry->stats.domain, entry->state, part) &&
               entry->stats.domain->known->good_until_us[part] > entry->collection->begun_us;
}

/*
 * Begins to wait for the answers that the entry needs; returns those that are to be asked for. A question
 * that has been open for longer than anybody waits is not asked again: its answer comes when the guest can.
 */
static unsigned await(struct stats_entry *entry, unsigned patience_ms)
{
        struct domain_known *known = entry->parts ? get_known(entry->stats.domain) : NULL;
        gint64 now_us = entry->collection->begun_us;
        unsigned fresh = 0;

        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (!(entry->parts & DOMAIN_PART_BIT(i)))
                        continue;
                if (is_good(entry, i)) {
                        entry->held |= DOMAIN_PART_BIT(i);
                        continue;
                }
                if (known->asked_us[i] == 0) {
                        known->asked_us[i] = now_us;
                        fresh |= DOMAIN_PART_BIT(i);
                }
                if (now_us - known->asked_us[i] < (gint64)patience_ms * 1000)
                        entry->awaited |= DOMAIN_PART_BIT(i);
        }
        if (entry->awaited) {
                g_ptr_array_add(known->waiting, entry);
                entry->collection->open++;
        }
        return fresh;
}

static void ask_all(struct stats_collection *collection)
{
        unsigned patience_ms = get_patience_ms(collection);
        g_autoptr(GPtrArray) off = g_ptr_array_new_with_free_func((GDestroyNotify)managed_unref);

        for (unsigned i = 0; i < collection->entries->len; i++) {
                struct stats_entry *entry = g_ptr_array_index(collection->entries, i);
                unsigned fresh = await(entry, patience_ms);

                if (fresh && entry->state->base.active)
                        managed_continue(&entry->stats.domain->base, ask_work, NULL, GUINT_TO_POINTER(fresh));
                else if (fresh)
                        g_ptr_array_add(off, managed_ref(&entry->stats.domain->base));
        }
        stats_look_at_disks(collection->driver, off);
        if (collection->open > 0)
                collection->timer =
                        loop_timer_new(collection->driver->loop, patience_ms, lose_patience, collection);
}

static struct stats_collection *collection_new(struct domain_driver *driver)
{
        struct stats_collection *collection = g_new0(struct stats_collection, 1);

        collection->driver = driver;
        collection->begun_us = g_get_monotonic_time();
        collection->entries = g_ptr_array_new_with_free_func(entry_free);
        collection->link.data = collection;
        g_queue_push_tail_link(&driver->collections, &collection->link);
        return collection;
}

static struct stats_entry *add_entry(struct stats_collection *collection, struct domain *domain)
{
        struct stats_entry *entry = g_new0(struct stats_entry, 1);

        entry->collection = collection;
        entry->stats.domain = (struct domain *)managed_ref(&domain->base);
        entry->state = (struct domain_state *)managed_state_ref(domain->base.published);
        entry->stats.name = g_strdup(managed_state_get_name(&entry->state->base));
        g_ptr_array_add(collection->entries, entry);
        return entry;
}

static void finish_later(void *data)
{
        finish(data);
}

static void run(struct stats_collection *collection)
{
        ask_all(collection);
        if (collection->open == 0)
                loop_post(collection->driver->loop, finish_later, collection);
}

/* ---- entry points ---- */

static bool check_groups(unsigned groups, unsigned flags, GError **error)
{
        unsigned unknown = groups & ~(unsigned)DOMAIN_STATS_ALL;

        if (!unknown || !(flags & DOMAIN_STATS_ENFORCE))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "groups of statistics 0x%x, which are not known", unknown);
}

GPtrArray *domain_select_for_stats(struct domain_driver *driver, unsigned groups, unsigned flags,
                                   GError **error)
{
        if (!flags_check(flags, SELECTING | DOMAIN_STATS_NOWAIT | DOMAIN_STATS_BACKING | DOMAIN_STATS_ENFORCE,
                         ERROR_FROM_DOMAIN, "GetAllDomainStats", error) ||
            !check_groups(groups, flags, error))
                return NULL;
        return domain_list(driver, flags & SELECTING, error);
}

static void collect(struct stats_collection *collection, unsigned groups, unsigned flags)
{
        collection->request.groups = groups ? groups : DOMAIN_STATS_ALL;
        collection->request.backing = flags & DOMAIN_STATS_BACKING;
        for (unsigned i = 0; i < collection->entries->len; i++) {
                struct stats_entry *entry = g_ptr_array_index(collection->entries, i);

                entry->parts = stats_choose_parts(entry->state, collection->request.groups);
        }
        run(collection);
}

void domain_get_all_stats(struct domain_driver *driver, const GPtrArray *domains, unsigned groups,
                          unsigned flags, domain_stats_done done, void *data)
{
        struct stats_collection *collection = collection_new(driver);

        collection->done = done;
        collection->data = data;
        collection->no_wait = true;
        for (unsigned i = 0; i < domains->len; i++)
                add_entry(collection, g_ptr_array_index(domains, i));
        collect(collection, groups, flags);
}

void domain_get_metrics(struct domain_driver *driver, unsigned groups, domain_text_done done, void *data)
{
        struct stats_collection *collection;
        g_autoptr(GPtrArray) domains = NULL;
        g_autoptr(GError) error = NULL;

        domains = domain_select_for_stats(driver, groups, DOMAIN_STATS_ENFORCE, &error);
        if (!domains) {
                done(NULL, error, data);
                return;
        }
        collection = collection_new(driver);
        collection->text_done = done;
        collection->data = data;
        collection->no_wait = true;
        for (unsigned i = 0; i < domains->len; i++)
                add_entry(collection, g_ptr_array_index(domains, i));
        collect(collection, groups, 0);
}

void domain_get_stats(struct domain *domain, unsigned groups, unsigned flags, domain_stats_done done,
                      void *data)
{
        struct stats_collection *collection;
        g_autoptr(GError) error = NULL;

        if (!flags_check(flags, DOMAIN_STATS_NOWAIT | DOMAIN_STATS_BACKING | DOMAIN_STATS_ENFORCE,
                         ERROR_FROM_DOMAIN, "GetStats", &error) ||
            !check_groups(groups, flags, &error)) {
                done(NULL, error, data);
                return;
        }
        collection = collection_new(domain->driver);
        collection->done = done;
        collection->data = data;
        collection->no_wait = flags & DOMAIN_STATS_NOWAIT;
        add_entry(collection, domain);
        collect(collection, groups, flags);
}

void domain_ask(struct domain *domain, enum domain_part part, bool from_off, domain_answer_done done,
                void *data)
{
        struct stats_collection *collection;
        g_autoptr(GError) error = NULL;

        if (!domain_is_active(domain) && !from_off) {
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID, "domain '%s' is not running",
                          managed_state_get_name(domain->base.published));
                done(NULL, error, data);
                return;
        }
        collection = collection_new(domain->driver);
        collection->answer_done = done;
        collection->data = data;
        collection->part = part;
        add_entry(collection, domain)->parts = DOMAIN_PART_BIT(part);
        run(collection);
}
