/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Collections: sets of objects, and the telling of what differs between one set of an owner and its next.
 * Owns the sets that are shown and what has not been told of them. Loop thread, but for collection_publish()
 * and the work of a run.
 */
#include "base/collection.h"

#include "base/arrivals.h"
#include "base/lane.h"

#include <stdatomic.h>

/* Told at once; what is more goes on in later turns. */
#define SLICE 16
/* Of a turn of the loop. */
#define TURN_US 1000
/* A listener that takes nothing gets a slice that often: it may hold up signals, not their owner for ever. */
#define BUSY_MS 100

struct shown {
        void *owner;            /* borrowed */
        struct object_set *set; /* ref */
};

struct listening {
        const struct collection_listener *listener; /* borrowed */
        void *data;                                 /* borrowed */
};

/* What a listener has still to be told about an owner, which is held. */
struct announcement {
        GList link; /* in the collection's announcements */
        struct listening to;
        void *owner;               /* borrowed; held */
        struct object_set *before; /* ref; may be NULL */
        struct object_set *after;  /* ref; may be NULL */
        struct object_set_walk walk;
};

struct collection {
        /* const */
        const struct collection_kind *kind;
        struct loop *loop; /* borrowed */
        struct lane *lane; /* ref; NULL: the owners have their own */
        /* loop */
        GArray *shown;            /* owned; of struct shown */
        GArray *listenings;       /* owned; of struct listening */
        GQueue announcements;     /* of struct announcement by their link, owned */
        struct loop_timer *timer; /* owned; continues them */
        struct arrivals arrivals; /* from lane */
        /* atomic */
        atomic_uint pending;
};

static void go_on(void *data);

struct collection *collection_new(const struct collection_kind *kind, struct loop *loop, struct lane *lane)
{
        struct collection *collection = g_new0(struct collection, 1);

        collection->kind = kind;
        collection->loop = loop;
        collection->lane = lane ? lane_ref(lane) : NULL;
        collection->shown = g_array_new(FALSE, FALSE, sizeof(struct shown));
        collection->listenings = g_array_new(FALSE, FALSE, sizeof(struct listening));
        collection->timer = loop_timer_new(loop, G_MAXINT, go_on, collection);
        return collection;
}

void collection_free(struct collection *collection)
{
        if (!collection)
                return;
        g_assert(collection_get_pending(collection) == 0 && g_queue_is_empty(&collection->announcements));
        for (unsigned i = 0; i < collection->shown->len; i++)
                object_set_unref(g_array_index(collection->shown, struct shown, i).set);
        g_array_unref(collection->shown);
        g_array_unref(collection->listenings);
        loop_timer_free(collection->timer);
        lane_unref(collection->lane);
        g_free(collection);
}

const struct collection_kind *collection_get_kind(const struct collection *collection)
{
        return collection->kind;
}

/* ---- what is in it ---- */

const struct object_set *collection_get_nth(const struct collection *collection, unsigned n, void **owner)
{
        const struct shown *shown;

        if (n >= collection->shown->len)
                return NULL;
        shown = &g_array_index(collection->shown, struct shown, n);
        if (owner)
                *owner = shown->owner;
        return shown->set;
}

void *collection_find(const struct collection *collection, const char *name, void **owner)
{
        const struct object_set *set;
        void *object = NULL;

        for (unsigned n = 0; !object && (set = collection_get_nth(collection, n, owner)); n++)
                object = object_set_find(set, name);
        return object;
}

void *collection_find_by(const struct collection *collection, unsigned key, const char *text, void **owner)
{
        const struct object_set *set;
        void *object = NULL;

        for (unsigned n = 0; !object && (set = collection_get_nth(collection, n, owner)); n++)
                object = object_set_find_by(set, key, text);
        return object;
}

void *collection_lookup(const struct collection *collection, const char *name, GError **error)
{
        const struct collection_kind *kind = collection->kind;
        void *object = collection_find(collection, name, NULL);
        g_autofree char *quoted = NULL;

        if (object)
                return object;
        quoted = error_quote(name);
        error_set(error, kind->from, kind->missing, "no %s with matching name '%s'", kind->noun, quoted);
        return NULL;
}

unsigned collection_get_count(const struct collection *collection)
{
        const struct object_set *set;
        unsigned count = 0;

        for (unsigned n = 0; (set = collection_get_nth(collection, n, NULL)); n++)
                count += set->count;
        return count;
}

GPtrArray *collection_list(const struct collection *collection)
{
        GPtrArray *list = g_ptr_array_sized_new(collection_get_count(collection));
        const struct object_set *set;

        for (unsigned n = 0; (set = collection_get_nth(collection, n, NULL)); n++)
                for (unsigned i = 0; i < set->count; i++)
                        g_ptr_array_add(list, set->objects[i]);
        return list;
}

/* ---- telling ---- */

static bool is_deaf(const struct listening *to)
{
        return to->listener->is_deaf && to->listener->is_deaf(to->data);
}

static bool is_busy(const struct listening *to)
{
        return to->listener->is_busy && to->listener->is_busy(to->data);
}

static void tell(const struct collection_kind *kind, const struct listening *to, void *before, void *after)
{
        if (before && after && kind->is_same && !kind->is_same(before, after)) {
                to->listener->tell(before, NULL, to->data);
                to->listener->tell(NULL, after, to->data);
        } else {
                to->listener->tell(before, after, to->data);
        }
}

/* True when there is more. */
static bool tell_slice(const struct collection_kind *kind, const struct listening *to,
                       struct object_set_walk *walk)
{
        void *before, *after;

        for (unsigned i = 0; i < SLICE; i++) {
                if (!object_set_walk_next(walk, &before, &after))
                        return false;
                tell(kind, to, before, after);
        }
        return true;
}

static void hold(struct collection *collection, void *owner)
{
        if (collection->kind->hold)
                collection->kind->hold(owner);
        else
                arrivals_hold(&collection->arrivals);
}

static struct object_set *set_ref(struct object_set *set)
{
        return set ? object_set_ref(set) : NULL;
}

/* What waits for the owner may be a lot, and begin to announce itself. */
static void announcement_end(struct collection *collection, struct announcement *announcement)
{
        void *owner = announcement->owner;

        object_set_unref(announcement->before);
        object_set_unref(announcement->after);
        g_free(announcement);
        if (collection->kind->release)
                collection->kind->release(owner);
        else
                arrivals_release(&collection->arrivals);
}

static void go_on_later(struct collection *collection)
{
        const struct announcement *next = g_queue_peek_head(&collection->announcements);

        if (next)
                loop_timer_set(collection->timer, is_busy(&next->to) ? BUSY_MS : 0);
}

/* The owners and listeners in turns. */
static void go_on(void *data)
{
        struct collection *collection = data;
        gint64 end = g_get_monotonic_time() + TURN_US;
        GList *link;

        while ((link = g_queue_pop_head_link(&collection->announcements))) {
                struct announcement *announcement = link->data;
                const struct listening to = announcement->to;

                if (!is_deaf(&to) && tell_slice(collection->kind, &to, &announcement->walk))
                        g_queue_push_tail_link(&collection->announcements, link);
                else
                        announcement_end(collection, announcement);
                if (is_busy(&to) || g_get_monotonic_time() >= end)
                        break;
        }
        go_on_later(collection);
}

static void announce(struct collection *collection, const struct listening *to, void *owner,
                     struct object_set *before, struct object_set *after)
{
        struct object_set_walk walk = { .before = before, .after = after };
        struct announcement *announcement;

        if (is_deaf(to) || !tell_slice(collection->kind, to, &walk))
                return;
        announcement = g_new(struct announcement, 1);
        *announcement = (struct announcement){
                .link.data = announcement,
                .to = *to,
                .owner = owner,
                .before = set_ref(before),
                .after = set_ref(after),
                .walk = walk,
        };
        hold(collection, owner);
        g_queue_push_tail_link(&collection->announcements, &announcement->link);
        go_on_later(collection);
}

/* ---- owners ---- */

/* Puts set (taken) in the place of what the owner showed, which is returned with its reference. */
static struct object_set *swap(struct collection *collection, void *owner, struct object_set *set)
{
        const struct shown added = { owner, set };

        for (unsigned i = 0; i < collection->shown->len; i++) {
                struct shown *shown = &g_array_index(collection->shown, struct shown, i);
                struct object_set *before = shown->set;

                if (shown->owner != owner)
                        continue;
                if (set)
                        shown->set = set;
                else
                        g_array_remove_index(collection->shown, i);
                return before;
        }
        if (set)
                g_array_append_val(collection->shown, added);
        return NULL;
}

void collection_show(struct collection *collection, void *owner, struct object_set *set)
{
        CLEANUP(object_set_unref) struct object_set *before = swap(collection, owner, set_ref(set));

        g_assert(on_loop(collection->loop));
        if (before == set)
                return;
        for (unsigned i = 0; i < collection->listenings->len; i++) {
                const struct listening to = g_array_index(collection->listenings, struct listening, i);

                announce(collection, &to, owner, before, set);
        }
}

struct publication {
        struct collection *collection; /* borrowed: it waits for what is pending */
        struct object_set *set;        /* ref */
};

static void publication_show(void *data)
{
        struct publication *publication = data;

        collection_show(publication->collection, NULL, publication->set);
        atomic_fetch_sub(&publication->collection->pending, 1);
        object_set_unref(publication->set);
        g_free(publication);
}

static void publication_arrive(void *data)
{
        struct publication *publication = data;

        arrivals_enter(&publication->collection->arrivals, publication_show, publication);
}

void collection_publish(struct collection *collection, struct object_set *set)
{
        struct publication *publication = g_new(struct publication, 1);

        g_assert(in_lane(collection->lane));
        *publication = (struct publication){ collection, set };
        atomic_fetch_add(&collection->pending, 1);
        loop_post(collection->loop, publication_arrive, publication);
}

struct run {
        struct collection *collection; /* borrowed, likewise */
        struct collection_task task;
        collection_done done;
        void *data;    /* owned by done */
        GError *error; /* owned */
};

static void run_finish(void *data)
{
        struct run *run = data;
        struct collection *collection = run->collection;

        if (run->done)
                run->done(run->error, run->data);
        (run->task.free_args ? run->task.free_args : g_free)(run->task.args);
        g_clear_error(&run->error);
        g_free(run);
        atomic_fetch_sub(&collection->pending, 1);
}

static void run_arrive(void *data)
{
        struct run *run = data;

        arrivals_enter(&run->collection->arrivals, run_finish, run);
}

static void run_work(void *data)
{
        struct run *run = data;

        if (run->task.work(run->task.args, &run->error))
                g_clear_error(&run->error);
        else
                g_assert(run->error);
        loop_post(run->collection->loop, run_arrive, run);
}

void collection_run(struct collection *collection, const struct collection_task *task, collection_done done,
                    void *data)
{
        struct run *run = g_new(struct run, 1);

        g_assert(on_loop(collection->loop));
        *run = (struct run){ .collection = collection, .task = *task, .done = done, .data = data };
        atomic_fetch_add(&collection->pending, 1);
        lane_post(collection->lane, run_work, run);
}

unsigned collection_get_pending(const struct collection *collection)
{
        return atomic_load(&collection->pending);
}

/* ---- listeners ---- */

void collection_listen(struct collection *collection, const struct collection_listener *listener, void *data)
{
        const struct listening entry = { listener, data };

        g_array_append_val(collection->listenings, entry);
}

static bool is_to(const struct listening *to, const struct collection_listener *listener, const void *data)
{
        return to->listener == listener && to->data == data;
}

static void drop_announcements(struct collection *collection, const struct collection_listener *listener,
                               const void *data)
{
        GList *link = collection->announcements.head;

        while (link) {
                struct announcement *announcement = link->data;

                link = link->next;
                if (!is_to(&announcement->to, listener, data))
                        continue;
                g_queue_unlink(&collection->announcements, &announcement->link);
                announcement_end(collection, announcement);
        }
}

void collection_unlisten(struct collection *collection, const struct collection_listener *listener,
                         void *data)
{
        for (unsigned i = 0; i < collection->listenings->len; i++) {
                if (!is_to(&g_array_index(collection->listenings, struct listening, i), listener, data))
                        continue;
                g_array_remove_index(collection->listenings, i);
                break;
        }
        drop_announcements(collection, listener, data);
}

void collection_resume(struct collection *collection)
{
        if (!g_queue_is_empty(&collection->announcements))
                go_on(collection);
}
