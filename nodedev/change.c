/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way of a change: into the lane of its device, to the lane that describes, and back. Loop thread, but
 * for the work.
 */
#include "nodedev/change.h"

#include "base/lane.h"

/* A device that is changing. */
struct change_lane {
        struct node_devices *devices; /* borrowed */
        char *key;                    /* owned */
        struct lane *lane;            /* ref */
        unsigned changes;             /* on their way */
};

static struct change_lane *enter_lane(struct node_devices *devices, const char *key)
{
        struct change_lane *place = g_hash_table_lookup(devices->changing, key);

        if (!place) {
                place = g_new0(struct change_lane, 1);
                place->devices = devices;
                place->key = g_strdup(key);
                place->lane = lane_new(devices->pool, devices->loop, key);
                lane_set_lending(place->lane);
                g_hash_table_insert(devices->changing, place->key, place);
        }
        place->changes++;
        return place;
}

static void leave_lane(struct change_lane *place)
{
        if (--place->changes > 0)
                return;
        g_hash_table_remove(place->devices->changing, place->key);
        lane_unref(place->lane);
        g_free(place->key);
        g_free(place);
}

static void answer(struct change *change, const GError *error)
{
        struct node_device *device = NULL;
        g_autoptr(GError) missing = NULL;

        if (change->is_answered)
                return;
        change->is_answered = true;
        if (!change->created) {
                change->done(error, change->data);
                return;
        }
        if (!error)
                device = node_device_lookup_name(change->place->devices, change->name, &missing);
        change->created(device, error ? error : missing, change->data);
}

static void refreshed(const GError *error, void *data)
{
        struct change *change = data;

        answer(change, change->error);
        leave_lane(change->place);
        g_clear_error(&change->error);
        g_free(change->subject);
        g_free(change->path);
        g_free(change->pci);
        g_free(change->file);
        g_free(change->text);
        g_free(change->name);
        g_free(change);
}

/* Outlives the change: arguments are freed behind its end. */
struct refresh {
        struct device_source *source; /* borrowed */
        char *path;                   /* owned; NULL: there is nothing to look at */
};

static bool refresh_work(void *args, GError **error)
{
        const struct refresh *refresh = args;

        if (refresh->path)
                device_source_refresh(refresh->source, refresh->path);
        return true;
}

static void refresh_free(void *args)
{
        struct refresh *refresh = args;

        g_free(refresh->path);
        g_free(refresh);
}

static void worked(void *data)
{
        struct change *change = data;
        struct node_devices *devices = change->place->devices;
        struct refresh *refresh = g_new(struct refresh, 1);
        const struct collection_task task = { refresh_work, refresh, refresh_free };

        loop_timer_free(g_steal_pointer(&change->timer));
        *refresh = (struct refresh){ devices->source, g_strdup(change->path) };
        collection_run(devices->collection, &task, refreshed, change);
}

static void work(void *data)
{
        struct change *change = data;
        struct change_lane *place = change->place;

        if (change->kind->work(place->lane, change, &change->error))
                g_clear_error(&change->error);
        loop_post(place->devices->loop, worked, change);
}

static void give_up(void *data)
{
        struct change *change = data;
        g_autoptr(GError) error = NULL;

        error_set(&error, ERROR_FROM_NODEDEV, ERROR_OPERATION_TIMEOUT,
                  "%s is not %s yet: the kernel is still at it", change->subject, change->kind->verb);
        answer(change, error);
}

struct change *change_new(const struct change_kind *kind, char *subject, node_device_done done, void *data)
{
        struct change *change = g_new0(struct change, 1);

        change->kind = kind;
        change->subject = subject;
        change->done = done;
        change->data = data;
        return change;
}

void change_start(struct node_devices *devices, const char *key, struct change *change)
{
        change->place = enter_lane(devices, key);
        change->timer = loop_timer_new(devices->loop, devices->change_ms, give_up, change);
        lane_post(change->place->lane, work, change);
}
