/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking domains for statistics: who is asked what, and when, and what they have answered. Loop, but for what
 * says otherwise.
 *
 * A call for many asks some guests at a time, in turn: those whose turn it has been longest ago first, and
 * before all of them those that have never been asked. So a call that comes to its end has few questions
 * open, which would take the CPUs from whoever writes the answer down, and the next goes on where it stopped.
 * A guest that takes long gives its place to another. Whose answer came too late for all who waited for it
 * keeps the turn that it had before, and comes early the next time, but once: else a few that are always late
 * would be asked again and again.
 */
#include "base/lane.h"
#include "base/loop.h"
#include "drivers/domain/stats-private.h"

#include <string.h>

/* Guests that are asked at a time, by CPU of the host, and at least. */
#define GUESTS_PER_CPU 4
#define GUESTS_MIN     8
/* For how long one counts as one of them, in ms. */
#define SLOW_MS 40

/* A guest that is being asked, as one of those that may be at a time. */
struct stats_slot {
        GList link;            /* in driver->asked */
        struct domain *domain; /* ref */
        gint64 taken_us;
};

void domain_asking_init(struct domain_driver *driver)
{
        driver->asked_max = MAX(GUESTS_MIN, GUESTS_PER_CPU * g_get_num_processors());
        driver->asked_ms = SLOW_MS;
}

void domain_known_free(struct domain_known *known)
{
        if (!known)
                return;
        for (unsigned i = 0; i < DOMAIN_PARTS; i++)
                domain_answer_unref(known->answers[i]);
        definition_unref(known->looked);
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
struct domain_answer *stats_find_answer(const struct domain *domain, const struct domain_state *state,
                                        enum domain_part part)
{
        struct domain_answer *answer = get_last(domain, state, part), *whole;

        if (part != DOMAIN_PART_BLOCK_COUNTERS)
                return answer;
        whole = get_last(domain, state, DOMAIN_PART_BLOCK);
        return answer && (!whole || answer->made_us > whole->made_us) ? answer : whole;
}

/* ---- in the domain's lane ---- */

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

/* ---- turns ---- */

static bool has_open_question(const struct domain_known *known)
{
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (known->asked_us[i])
                        return true;
        }
        return false;
}

static void slot_new(struct domain *domain)
{
        struct stats_slot *slot = g_new0(struct stats_slot, 1);

        slot->domain = (struct domain *)managed_ref(&domain->base);
        slot->taken_us = g_get_monotonic_time();
        slot->link.data = slot;
        domain->known->slot = slot;
        g_queue_push_tail_link(&domain->driver->asked, &slot->link);
}

static void slot_free(struct stats_slot *slot)
{
        struct domain *domain = slot->domain;

        g_queue_unlink(&domain->driver->asked, &slot->link);
        domain->known->slot = NULL;
        managed_unref(&domain->base);
        g_free(slot);
}

/* Guests that take longer are waited for no less, and keep nobody else waiting. */
static void free_old_slots(struct domain_driver *driver)
{
        gint64 before_us = g_get_monotonic_time() - (gint64)driver->asked_ms * 1000;
        struct stats_slot *slot;

        while ((slot = g_queue_peek_head(&driver->asked)) && slot->taken_us <= before_us)
                slot_free(slot);
}

static bool has_same_disks(const struct domain_def *one, const struct domain_def *other)
{
        if (one->devices.n_disks != other->devices.n_disks)
                return false;
        for (unsigned i = 0; i < one->devices.n_disks; i++) {
                const struct domain_disk *disk = &one->devices.disks[i], *same = &other->devices.disks[i];

                if (strcmp(disk->target, same->target) != 0 ||
                    g_strcmp0(disk->source.path, same->source.path) != 0)
                        return false;
        }
        return true;
}

/* A look at files that are not the disks any more tells nothing of them, and may never come to an end. */
static bool is_open(const struct domain_known *known, const struct stats_entry *entry, enum domain_part part)
{
        if (part == DOMAIN_PART_BLOCK && known->looked &&
            (entry->state->base.active ||
             !has_same_disks(domain_def_of(known->looked), domain_state_get_def(entry->state))))
                return false;
        return known->asked_us[part] != 0;
}

static void note_look(struct domain_known *known, const struct stats_entry *entry)
{
        g_clear_pointer(&known->looked, definition_unref);
        if (!entry->state->base.active)
                known->looked = definition_ref(managed_state_get_definition(&entry->state->base));
}

/* Asks what is waited for and no open question is about already; returns whether there was anything. */
static bool ask_entry(struct stats_entry *entry)
{
        struct domain_known *known = entry->stats.domain->known;
        unsigned fresh = 0;

        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                struct stats_turn *turn = &known->turns[i];

                if (!(entry->awaited & DOMAIN_PART_BIT(i)) || is_open(known, entry, i))
                        continue;
                if (i == DOMAIN_PART_BLOCK)
                        note_look(known, entry);
                known->asked_us[i] = g_get_monotonic_time();
                turn->due_us = MAX(turn->asked_us, 1);
                turn->asked_us = known->asked_us[i];
                fresh |= DOMAIN_PART_BIT(i);
        }
        if (fresh && entry->state->base.active)
                managed_continue(&entry->stats.domain->base, ask_work, NULL, GUINT_TO_POINTER(fresh));
        return fresh != 0;
}

static bool is_full(const struct domain_driver *driver)
{
        return driver->asked.length >= driver->asked_max;
}

/* Those that come next, of the oldest call first. False: there are none left. */
static bool ask_next(struct domain_driver *driver)
{
        free_old_slots(driver);
        for (GList *link = driver->collections.head; link; link = link->next) {
                struct stats_collection *collection = link->data;

                while (collection->next < collection->queue->len) {
                        struct stats_entry *entry;

                        if (is_full(driver))
                                return true;
                        entry = g_ptr_array_index(collection->queue, collection->next++);
                        if (ask_entry(entry) && !entry->stats.domain->known->slot)
                                slot_new(entry->stats.domain);
                }
        }
        return false;
}

/* There is a timer while somebody waits for their turn. */
static void go_on(void *data)
{
        struct domain_driver *driver = data;

        if (!ask_next(driver))
                g_clear_pointer(&driver->asked_timer, loop_timer_free);
        else if (driver->asked_timer)
                loop_timer_set(driver->asked_timer, driver->asked_ms);
        else
                driver->asked_timer = loop_timer_new(driver->loop, driver->asked_ms, go_on, driver);
}

void domain_asking_done(struct domain_driver *driver)
{
        g_clear_pointer(&driver->asked_timer, loop_timer_free);
        while (driver->asked.length > 0)
                slot_free(g_queue_peek_head(&driver->asked));
}

static int compare_turns(const void *a, const void *b)
{
        const struct stats_entry *left = *(struct stats_entry *const *)a;
        const struct stats_entry *right = *(struct stats_entry *const *)b;

        if (left->due_us != right->due_us)
                return left->due_us < right->due_us ? -1 : 1;
        return (left->place > right->place) - (left->place < right->place);
}

/* Few are asked at once, whoever else is. */
static void ask_in_turn(struct stats_collection *collection)
{
        struct domain_driver *driver = collection->driver;
        GPtrArray *queue = collection->queue;

        if (queue->len <= driver->asked_max) {
                while (collection->next < queue->len)
                        ask_entry(g_ptr_array_index(queue, collection->next++));
                return;
        }
        g_ptr_array_sort(queue, compare_turns);
        go_on(driver);
}

/* ---- waiting ---- */

static void stop_waiting(struct stats_entry *entry)
{
        entry->awaited = 0;
        entry->collection->open--;
        g_ptr_array_remove_fast(entry->stats.domain->known->waiting, entry);
}

void stats_stop_asking(struct stats_collection *collection)
{
        collection->next = collection->queue->len;
        for (unsigned i = 0; i < collection->entries->len; i++) {
                struct stats_entry *entry = g_ptr_array_index(collection->entries, i);

                if (entry->awaited)
                        stop_waiting(entry);
        }
        go_on(collection->driver);
}

/* ---- answers ---- */

struct arrival {
        struct domain *domain; /* ref */
        enum domain_part part;
        struct domain_answer *answer; /* ref; NULL: none */
        struct definition *looked;    /* ref; whose disks were looked at; NULL: the guest was asked */
};

static void arrival_free(struct arrival *arrival)
{
        domain_answer_unref(arrival->answer);
        definition_unref(arrival->looked);
        managed_unref(&arrival->domain->base);
        g_free(arrival);
}

static void arrive(void *data)
{
        struct arrival *arrival = data;
        struct domain_known *known = get_known(arrival->domain);

        if (arrival->looked && arrival->looked != known->looked) {
                arrival_free(arrival);
                return;
        }
        if (arrival->looked)
                g_clear_pointer(&known->looked, definition_unref);
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
                known->turns[arrival->part].due_us = known->turns[arrival->part].asked_us;
                entry->awaited &= ~DOMAIN_PART_BIT(arrival->part);
                if (entry->awaited)
                        continue;
                stop_waiting(entry);
                if (collection->open == 0)
                        stats_finish(collection);
        }
        if (known->slot && !has_open_question(known))
                slot_free(known->slot);
        go_on(arrival->domain->driver);
        arrival_free(arrival);
}

static void post_answer(struct domain *domain, enum domain_part part, struct domain_answer *answer,
                        struct definition *looked)
{
        struct arrival *arrival = g_new(struct arrival, 1);

        *arrival = (struct arrival){ (struct domain *)managed_ref(&domain->base), part, answer, looked };
        loop_post(domain->driver->loop, arrive, arrival);
}

void stats_post_look(struct domain *domain, struct definition *looked, struct domain_answer *answer)
{
        post_answer(domain, DOMAIN_PART_BLOCK, answer, definition_ref(looked));
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
                post_answer(domain, part, answer, NULL);
                return;
        }
        /* Behind what this job has to say: that the guest has ended, maybe, which is why there is no answer.
         */
        arrival = g_new(struct arrival, 1);
        *arrival = (struct arrival){ (struct domain *)managed_ref(&domain->base), part, NULL, NULL };
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

/* Would asking again tell anything newer? */
static bool is_good(const struct stats_entry *entry, enum domain_part part)
{
        return stats_find_answer(entry->stats.domain, entry->state, part) &&
               entry->stats.domain->known->good_until_us[part] > entry->collection->begun_us;
}

/*
 * Begins to wait for the answers that the entry needs. A question that has been open for longer than anybody
 * waits is not asked again: its answer comes when the guest can.
 */
static void await(struct stats_entry *entry, unsigned patience_ms)
{
        struct domain_known *known = entry->parts ? get_known(entry->stats.domain) : NULL;
        gint64 now_us = entry->collection->begun_us;

        entry->due_us = G_MAXINT64;
        for (unsigned i = 0; i < DOMAIN_PARTS; i++) {
                if (!(entry->parts & DOMAIN_PART_BIT(i)))
                        continue;
                if (is_good(entry, i)) {
                        entry->held |= DOMAIN_PART_BIT(i);
                        continue;
                }
                if (!is_open(known, entry, i))
                        entry->due_us = MIN(entry->due_us, known->turns[i].due_us);
                if (!is_open(known, entry, i) || now_us - known->asked_us[i] < (gint64)patience_ms * 1000)
                        entry->awaited |= DOMAIN_PART_BIT(i);
        }
        if (entry->awaited) {
                g_ptr_array_add(known->waiting, entry);
                entry->collection->open++;
        }
}

void stats_ask(struct stats_collection *collection, unsigned patience_ms)
{
        g_autoptr(GPtrArray) off = g_ptr_array_new_with_free_func((GDestroyNotify)managed_unref);

        for (unsigned i = 0; i < collection->entries->len; i++) {
                struct stats_entry *entry = g_ptr_array_index(collection->entries, i);

                entry->place = i;
                await(entry, patience_ms);
                if (!entry->awaited)
                        continue;
                if (entry->state->base.active)
                        g_ptr_array_add(collection->queue, entry);
                else if (ask_entry(entry))
                        g_ptr_array_add(off, managed_ref(&entry->stats.domain->base));
        }
        stats_look_at_disks(collection->driver, off);
        ask_in_turn(collection);
}
