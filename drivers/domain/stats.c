/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Collecting statistics, on the loop: what calls want, how long they wait for answers (stats-ask.c), and the
 * telling. What a collection comes to is written in a lane of its own (stats-record.c), where /proc is read,
 * too.
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
/*
 * All of a call for many takes no longer; what is kept of that for writing the answer and sending it, by what
 * that took the last times.
 */
#define BOUND_MS    250
#define TELLING_MIN 20
#define TELLING_MAX 150
/* What the bus takes to carry the answer of a thousand, which nobody can see from here. */
#define CARRYING_MS 25
/* Threads that help to read /proc. */
#define HELPERS 3

/* Domains whose statistics are worth the while of giving their memory back. */
#define MANY 64

/* Bits of virConnectListAllDomainsFlags that select domains here, too. */
#define SELECTING 255

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
        g_ptr_array_unref(collection->queue);
        g_ptr_array_unref(collection->entries);
        g_free(collection->text);
        g_free(collection);
        if (is_large && g_queue_is_empty(&driver->collections))
                give_back_memory(driver);
}

/* What telling of a domain takes: at most what it took the last time, or a little less than before. */
static void note_telling(struct stats_collection *collection)
{
        gint64 took_us = g_get_monotonic_time() - collection->finished_us;
        struct domain_driver *driver = collection->driver;

        if (collection->entries->len >= MANY)
                driver->telling_ns =
                        MAX(took_us * 1000 / collection->entries->len, driver->telling_ns * 7 / 8);
}

static void tell(void *data)
{
        struct stats_collection *collection = data;

        if (collection->text_done)
                collection->text_done(collection->text, NULL, collection->data);
        else
                collection->done(collection->entries, NULL, collection->data);
        note_telling(collection);
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
                struct domain_answer *answer =
                        entry->parts & DOMAIN_PART_BIT(i)
                                ? stats_find_answer(entry->stats.domain, entry->state, i)
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
void stats_finish(struct stats_collection *collection)
{
        struct lane *lane;

        g_clear_pointer(&collection->timer, loop_timer_free);
        collection->finished_us = g_get_monotonic_time();
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

static void lose_patience(void *data)
{
        stats_stop_asking(data);
        stats_finish(data);
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

/* Of a call for many. */
static unsigned get_bound_ms(const struct stats_collection *collection)
{
        gint64 telling_ms = collection->driver->telling_ns * collection->entries->len / 1000000;

        return MIN(PATIENCE_MS,
                   BOUND_MS - CARRYING_MS - (unsigned)CLAMP(telling_ms, TELLING_MIN, TELLING_MAX));
}

/* How long guests are waited for. One that has said nothing yet gets its chance in a call about it. */
static unsigned get_patience_ms(const struct stats_collection *collection)
{
        const struct stats_entry *entry;

        if (collection->no_wait || collection->entries->len != 1)
                return get_bound_ms(collection);
        entry = g_ptr_array_index(collection->entries, 0);
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (entry->parts & DOMAIN_PART_BIT(i) &&
                    !stats_find_answer(entry->stats.domain, entry->state, i))
                        return LONG_PATIENCE_MS;
        }
        return PATIENCE_MS;
}

static struct stats_collection *collection_new(struct domain_driver *driver)
{
        struct stats_collection *collection = g_new0(struct stats_collection, 1);

        collection->driver = driver;
        collection->begun_us = g_get_monotonic_time();
        collection->entries = g_ptr_array_new_with_free_func(entry_free);
        collection->queue = g_ptr_array_new();
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
        stats_finish(data);
}

static void run(struct stats_collection *collection)
{
        unsigned patience_ms = get_patience_ms(collection);

        stats_ask(collection, patience_ms);
        if (collection->open > 0)
                collection->timer =
                        loop_timer_new(collection->driver->loop, patience_ms, lose_patience, collection);
        else
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
