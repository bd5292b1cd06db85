/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watching statistics: a timer that collects them, and what was told last by domain, against which the next
 * are held. Loop thread.
 */
#include "drivers/domain/stats-watch.h"

#include "base/loop.h"
#include "drivers/domain/driver.h"

struct domain_stats_watch {
        /* const */
        struct domain_driver *driver; /* borrowed */
        unsigned groups, period_ms;
        const struct domain_stats_watcher *watcher; /* borrowed */
        void *data;                                 /* borrowed */
        /* loop */
        struct loop_timer *timer; /* owned */
        bool collecting;          /* its statistics are on their way */
        bool telling;
        bool ended;       /* to be freed as soon as nothing is on its way */
        GHashTable *told; /* owned; uuid, owned, to struct params, owned: of each domain, as it was told */
};

static void destroy(struct domain_stats_watch *watch)
{
        g_hash_table_unref(watch->told);
        g_free(watch);
}

static GHashTable *new_table(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)params_free);
}

static void free_change(void *data)
{
        struct domain_stats *change = data;

        params_free(change->params);
        g_free(change);
}

/* Domain and name are those of the record, which lives longer. */
static void add_change(GPtrArray *changes, const struct domain_stats *record, const struct params *before)
{
        struct params *changed = params_copy_changed(record->params, before);
        struct domain_stats *change;

        if (params_get_count(changed) == 0) {
                params_free(changed);
                return;
        }
        change = g_new(struct domain_stats, 1);
        *change = (struct domain_stats){ record->domain, record->name, changed };
        g_ptr_array_add(changes, change);
}

/* What is told of a domain that went is forgotten with the table before. */
static GPtrArray *compare(struct domain_stats_watch *watch, const GPtrArray *stats)
{
        GPtrArray *changes = g_ptr_array_new_with_free_func(free_change);
        GHashTable *now = new_table();

        for (unsigned i = 0; i < stats->len; i++) {
                const struct domain_stats *record = g_ptr_array_index(stats, i);
                const char *uuid = record->domain->base.uuid_text;

                /* It has gone while it was asked. */
                if (!record->domain->base.published)
                        continue;
                add_change(changes, record, g_hash_table_lookup(watch->told, uuid));
                g_hash_table_replace(now, g_strdup(uuid), params_copy_changed(record->params, NULL));
        }
        g_hash_table_unref(watch->told);
        watch->told = now;
        return changes;
}

static void take(const GPtrArray *stats, const GError *error, void *data)
{
        struct domain_stats_watch *watch = data;
        g_autoptr(GPtrArray) changes = NULL;

        watch->collecting = false;
        if (!watch->ended) {
                changes = compare(watch, stats);
                loop_timer_set(watch->timer, watch->period_ms);
        }
        if (changes && changes->len > 0) {
                watch->telling = true;
                watch->watcher->tell(changes, watch->data);
                watch->telling = false;
        }
        if (watch->ended)
                destroy(watch);
}

static void collect(void *data)
{
        struct domain_stats_watch *watch = data;
        g_autoptr(GPtrArray) domains = NULL;

        if (watch->watcher->is_busy(watch->data)) {
                loop_timer_set(watch->timer, watch->period_ms);
                return;
        }
        domains = domain_select_for_stats(watch->driver, watch->groups, 0, NULL);
        watch->collecting = true;
        domain_get_all_stats(watch->driver, domains, watch->groups, 0, take, watch);
}

static bool check(const struct domain_driver *driver, unsigned groups, unsigned period_ms, GError **error)
{
        if (groups & ~(unsigned)DOMAIN_STATS_ALL)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "groups of statistics 0x%x, which are not known",
                                 groups & ~(unsigned)DOMAIN_STATS_ALL);
        if (period_ms < DOMAIN_STATS_PERIOD_MIN || period_ms > DOMAIN_STATS_PERIOD_MAX)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "a period of %u ms is not from %u to %u", period_ms, DOMAIN_STATS_PERIOD_MIN,
                                 DOMAIN_STATS_PERIOD_MAX);
        if (driver->watches >= DOMAIN_STATS_WATCHES_MAX)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_DENIED,
                                 "%u clients watch statistics already, and more than that do not",
                                 driver->watches);
        return true;
}

struct domain_stats_watch *domain_stats_watch_new(struct domain_driver *driver, unsigned groups,
                                                  unsigned period_ms,
                                                  const struct domain_stats_watcher *watcher, void *data,
                                                  GError **error)
{
        struct domain_stats_watch *watch;

        if (!check(driver, groups, period_ms, error))
                return NULL;
        watch = g_new0(struct domain_stats_watch, 1);
        watch->driver = driver;
        watch->groups = groups;
        watch->period_ms = period_ms;
        watch->watcher = watcher;
        watch->data = data;
        watch->told = new_table();
        watch->timer = loop_timer_new(driver->loop, 0, collect, watch);
        driver->watches++;
        return watch;
}

void domain_stats_watch_free(struct domain_stats_watch *watch)
{
        if (!watch)
                return;
        watch->driver->watches--;
        g_clear_pointer(&watch->timer, loop_timer_free);
        watch->ended = true;
        if (!watch->collecting && !watch->telling)
                destroy(watch);
}
