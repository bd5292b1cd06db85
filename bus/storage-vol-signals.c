/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes: from changes of the model to signals. The start of a pool can announce tens of thousands of
 * volumes: they are told in slices, between which the loop serves everybody else, and never faster than the
 * bus takes them. The pool is held meanwhile, so that all signals about it, and replies, keep their order.
 * Loop thread.
 */
#include "base/loop.h"
#include "bus/bus-private.h"
#include "bus/object-manager.h"
#include "bus/storage-vol.h"
#include "introspection/storage-vol.h"

#include <string.h>

/* Told at once; what is more goes on in later turns. */
#define SLICE 16
/* Of a turn of the loop. */
#define TURN_US 1000
/* A bus that does not read gets a slice that often: it may hold up signals, not the pool for ever. */
#define BUSY_MS 100

/* What a pool has to tell; it is held. */
struct announcement {
        GList link;                  /* in the bus's announcements */
        const struct branch *branch; /* borrowed */
        struct storage_pool *pool;   /* ref, by the hold */
        struct volume_set *before;   /* ref; may be NULL */
        struct volume_set *after;    /* ref; may be NULL */
        struct volume_set_walk walk;
};

/* ---- one volume ---- */

static uint64_t bit_if(bool changed, enum interface_storage_vol_property property)
{
        return changed ? UINT64_C(1) << property : 0;
}

static void tell_change(const struct branch *branch, const struct volume *before, struct volume *after)
{
        uint64_t changed =
                bit_if(before->allocation != after->allocation, INTERFACE_STORAGE_VOL_PROPERTY_ALLOCATION) |
                bit_if(before->capacity != after->capacity, INTERFACE_STORAGE_VOL_PROPERTY_CAPACITY) |
                bit_if(g_strcmp0(before->path, after->path) != 0, INTERFACE_STORAGE_VOL_PROPERTY_PATH);
        g_autofree char *path = changed ? tree_get_path(branch, after) : NULL;

        object_manager_change(branch, after, path, changed);
}

static void tell(const struct branch *branch, struct volume *before, struct volume *after)
{
        /* Another volume under the same name. */
        if (before && after && strcmp(before->key, after->key) != 0) {
                tell(branch, before, NULL);
                tell(branch, NULL, after);
        } else if (before && after) {
                tell_change(branch, before, after);
        } else {
                g_autofree char *path = tree_get_path(branch, before ? before : after);

                if (before)
                        object_manager_remove(branch, path);
                else
                        object_manager_add(branch, after, path);
        }
}

/* True when there is more. */
static bool tell_slice(const struct branch *branch, struct volume_set_walk *walk)
{
        struct volume *before, *after;

        for (unsigned i = 0; i < SLICE; i++) {
                if (!volume_set_walk_next(walk, &before, &after))
                        return false;
                tell(branch, before, after);
        }
        return true;
}

/* ---- many ---- */

static struct volume_set *set_ref(struct volume_set *set)
{
        return set ? volume_set_ref(set) : NULL;
}

/* What waits for the pool may be a lot, and begin to announce itself. */
static void announcement_end(struct announcement *announcement)
{
        volume_set_unref(announcement->before);
        volume_set_unref(announcement->after);
        managed_release(&announcement->pool->base);
        g_free(announcement);
}

static void go_on_later(struct bus *bus)
{
        loop_timer_set(bus->announce_timer, connection_is_busy(bus->connection) ? BUSY_MS : 0);
}

void storage_vol_signals_follow(struct storage_pool *pool, struct volume_set *before,
                                struct volume_set *after, void *data)
{
        const struct branch *branch = data;
        struct bus *bus = branch->connect->bus;
        struct volume_set_walk walk = { .before = before, .after = after };
        struct announcement *announcement;

        if (!connection_is_ready(bus->connection) || !tell_slice(branch, &walk))
                return;
        announcement = g_new(struct announcement, 1);
        *announcement = (struct announcement){
                .link.data = announcement,
                .branch = branch,
                .pool = pool,
                .before = set_ref(before),
                .after = set_ref(after),
                .walk = walk,
        };
        managed_hold(&pool->base);
        g_queue_push_tail_link(&bus->announcements, &announcement->link);
        go_on_later(bus);
}

/* The pools in turns. */
void storage_vol_signals_continue(void *data)
{
        struct bus *bus = data;
        gint64 end = g_get_monotonic_time() + TURN_US;
        GList *link;

        while ((link = g_queue_pop_head_link(&bus->announcements))) {
                struct announcement *announcement = link->data;

                if (connection_is_ready(bus->connection) &&
                    tell_slice(announcement->branch, &announcement->walk))
                        g_queue_push_tail_link(&bus->announcements, link);
                else
                        announcement_end(announcement);
                if (connection_is_busy(bus->connection) || g_get_monotonic_time() >= end)
                        break;
        }
        if (bus->announcements.length > 0)
                go_on_later(bus);
}

void storage_vol_signals_end(struct bus *bus)
{
        GList *link;

        while ((link = g_queue_pop_head_link(&bus->announcements)))
                announcement_end(link->data);
}
