/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following the devices of the host.
 *
 * Objects of libudev belong to one thread for all of their life (libudev(3)). A job stays on its thread from
 * beginning to end, waiting or not: so the monitor is made, used and freed in one job, which lasts as long as
 * devices are followed and is all that its lane ever does. It passes on paths, and nothing of libudev. The
 * jobs that describe devices, in the collection's lane, each make a context of their own.
 */
#include "nodedev/source.h"

#include "base/cleanup.h"
#include "base/lane.h"
#include "base/log.h"
#include "nodedev/definitions.h"
#include "nodedev/describe.h"
#include "nodedev/enumerate.h"

#include <errno.h>
#include <libudev.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* What the kernel may queue for us; beyond it drops, and everything is looked at again. */
#define QUEUE_BYTES (16 * 1024 * 1024)
/* Events handed over at once. */
#define BATCH   1024
#define FC_HOST "fc_host"
/* udevd runs. */
#define UDEVD_SOCKET "/run/udev/control"

struct device_source {
        /* const */
        struct loop *loop;             /* borrowed */
        struct lane *lane;             /* ref; devices are described there */
        struct lane *watcher;          /* ref; the lane of the one job that receives events */
        struct collection *collection; /* borrowed */
        /* lane */
        GHashTable *devices;             /* owned; path in sysfs -> struct node_device, ref */
        bool changed;                    /* there is more than was published */
        struct definitions *definitions; /* borrowed; NULL: none */
        bool has_loaded;                 /* they have been read */
        /* loop */
        bool running;
};

/* ---- the table; lane ---- */

static GHashTable *new_table(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)node_device_unref);
}

static const char *find_name(const char *path, void *data)
{
        const struct device_source *source = data;
        const struct node_device *device = g_hash_table_lookup(source->devices, path);

        return device ? device->name : NULL;
}

/* The root has no path. */
static const char *get_key(const struct node_device *device)
{
        return device->sysfs_path ? device->sysfs_path : "";
}

static void drop(struct device_source *source, const char *path)
{
        if (g_hash_table_remove(source->devices, path))
                source->changed = true;
}

/* Mediated devices go with what they are defined as; all others come by themselves. */
static void compare_with_definition(const struct device_source *source, struct node_device *device)
{
        const struct node_device *defined =
                source->definitions ? definitions_find(source->definitions, device->name) : NULL;

        if (!(device->capabilities & UINT32_C(1) << NODE_DEVICE_MDEV))
                return;
        device->is_transient = !defined;
        device->is_started_by_hand = !defined || defined->is_started_by_hand;
}

/* Takes device. One that says what it said before is the same one. */
static void put(struct device_source *source, struct node_device *device, GHashTable *before)
{
        struct node_device *known = g_hash_table_lookup(before, get_key(device));

        compare_with_definition(source, device);
        if (known && node_device_is_equal(known, device)) {
                node_device_unref(device);
                if (before == source->devices)
                        return;
                device = node_device_ref(known);
        } else {
                source->changed = true;
        }
        g_hash_table_replace(source->devices, (gpointer)get_key(device), device);
}

static const struct node_device *find_by_name(const struct device_source *source, const char *name)
{
        GHashTableIter iter;
        gpointer device;

        g_hash_table_iter_init(&iter, source->devices);
        while (g_hash_table_iter_next(&iter, NULL, &device))
                if (strcmp(((const struct node_device *)device)->name, name) == 0)
                        return device;
        return NULL;
}

/* What is defined and not there. */
static void append_inactive(const struct device_source *source, GPtrArray *list)
{
        g_autoptr(GPtrArray) defined = source->definitions ? definitions_list(source->definitions) : NULL;

        for (unsigned i = 0; defined && i < defined->len; i++) {
                struct node_device *device = g_ptr_array_index(defined, i);

                if (!find_by_name(source, device->name))
                        g_ptr_array_add(list, device);
        }
}

static void publish(struct device_source *source)
{
        g_autoptr(GPtrArray) list = NULL;
        CLEANUP(object_set_unref) struct object_set *set = NULL;
        GHashTableIter iter;
        gpointer device;

        if (!source->changed)
                return;
        list = g_ptr_array_sized_new(g_hash_table_size(source->devices));
        g_hash_table_iter_init(&iter, source->devices);
        while (g_hash_table_iter_next(&iter, NULL, &device))
                g_ptr_array_add(list, device);
        append_inactive(source, list);
        set = object_set_new(&node_device_set_kind, list);
        source->changed = false;
        collection_publish(source->collection, g_steal_pointer(&set));
}

/* ---- looking; lane ---- */

/* A context of the job's own, and what describes with it. */
struct look {
        struct device_source *source; /* borrowed */
        struct udev *udev;            /* owned */
        struct describer *describer;  /* owned */
};

static void look_begin(struct look *look, struct device_source *source)
{
        look->source = source;
        look->udev = udev_new();
        look->describer = describer_new(look->udev, find_name, source);
}

static void look_end(struct look *look)
{
        describer_free(look->describer);
        udev_unref(look->udev);
}

/* A device may have disappeared since it was heard of. */
static struct node_device *look_at(const struct look *look, const char *path)
{
        struct udev_device *device = udev_device_new_from_syspath(look->udev, path);
        struct node_device *result = device ? describer_describe(look->describer, device) : NULL;

        if (device)
                udev_device_unref(device);
        return result;
}

static void look_again(const struct look *look, const char *path)
{
        struct node_device *device = look_at(look, path);

        if (device)
                put(look->source, device, look->source->devices);
        else
                drop(look->source, path);
}

static void look_at_all(void *data)
{
        struct device_source *source = data;
        g_autoptr(GHashTable) before = source->devices;
        g_autoptr(GPtrArray) paths = NULL;
        gint64 begin_us = g_get_monotonic_time();
        struct look look;

        if (source->definitions && !source->has_loaded)
                definitions_load(source->definitions);
        source->has_loaded = true;
        source->devices = new_table();
        look_begin(&look, source);
        put(source, describer_describe_system(look.describer), before);
        paths = enumerate_paths();
        for (unsigned i = 0; i < paths->len; i++) {
                struct node_device *device = look_at(&look, g_ptr_array_index(paths, i));

                if (device)
                        put(source, device, before);
        }
        look_end(&look);
        if (g_hash_table_size(source->devices) != g_hash_table_size(before))
                source->changed = true;
        log_info("%u devices seen in %" G_GINT64_FORMAT " ms", g_hash_table_size(source->devices),
                 (g_get_monotonic_time() - begin_us) / 1000);
        publish(source);
}

/* ---- events; lane ---- */

enum event_action {
        EVENT_CHANGE,
        EVENT_ADD,
        EVENT_REMOVE,
};

struct event {
        enum event_action action;
        char *path; /* owned */
};

struct batch {
        struct device_source *source; /* borrowed: it waits for the watcher's last job */
        GArray *events;               /* owned, of struct event */
};

static void clear_event(gpointer event)
{
        g_free(((struct event *)event)->path);
}

/*
 * A device that came and went within one batch, or went and came, is published in between, so that listeners
 * hear of both.
 */
static void take_batch(void *data)
{
        struct batch *batch = data;
        struct device_source *source = batch->source;
        g_autoptr(GHashTable) touched = g_hash_table_new(g_str_hash, g_str_equal);
        struct look look;

        look_begin(&look, source);
        for (unsigned i = 0; i < batch->events->len; i++) {
                const struct event *event = &g_array_index(batch->events, struct event, i);

                if (event->action != EVENT_CHANGE && !g_hash_table_add(touched, event->path)) {
                        publish(source);
                        g_hash_table_remove_all(touched);
                }
                if (event->action == EVENT_REMOVE)
                        drop(source, event->path);
                else
                        look_again(&look, event->path);
        }
        look_end(&look);
        publish(source);
        g_array_unref(batch->events);
        g_free(batch);
}

void device_source_refresh(struct device_source *source, const char *path)
{
        struct look look;

        g_assert(in_lane(source->lane));
        look_begin(&look, source);
        look_again(&look, path);
        look_end(&look);
        publish(source);
}

void device_source_redefined(struct device_source *source, const char *name)
{
        const struct node_device *device;

        g_assert(in_lane(source->lane));
        device = find_by_name(source, name);
        source->changed = true;
        if (device) {
                g_autofree char *path = g_strdup(device->sysfs_path);

                device_source_refresh(source, path);
        } else {
                publish(source);
        }
}

bool device_source_has_wwns(const struct device_source *source, const char *wwns)
{
        GHashTableIter iter;
        gpointer value;

        g_assert(in_lane(source->lane));
        g_hash_table_iter_init(&iter, source->devices);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                if (g_strcmp0(((const struct node_device *)value)->wwns, wwns) == 0)
                        return true;
        return false;
}

/* ---- receiving; the watcher ---- */

static void add_event(GArray *events, enum event_action action, const char *path)
{
        const struct event event = { action, g_strdup(path) };

        g_array_append_val(events, event);
}

/* The names of a SCSI host come with an object of their own, after the host. */
static void note_fc_host(GArray *events, struct udev_device *device)
{
        struct udev_device *host = udev_device_get_parent(device);

        if (host)
                add_event(events, EVENT_CHANGE, udev_device_get_syspath(host));
}

static void note_event(GArray *events, struct udev_device *device)
{
        const char *action = udev_device_get_action(device), *path = udev_device_get_syspath(device);
        const char *old = udev_device_get_property_value(device, "DEVPATH_OLD");

        if (g_strcmp0(udev_device_get_subsystem(device), FC_HOST) == 0) {
                note_fc_host(events, device);
        } else if (g_strcmp0(action, "remove") == 0) {
                add_event(events, EVENT_REMOVE, path);
        } else if (g_strcmp0(action, "move") == 0 && old) {
                g_autofree char *old_path = g_strconcat("/sys", old, NULL);

                add_event(events, EVENT_REMOVE, old_path);
                add_event(events, EVENT_ADD, path);
        } else {
                add_event(events, g_strcmp0(action, "add") == 0 ? EVENT_ADD : EVENT_CHANGE, path);
        }
}

/* Takes events. */
static void hand_over(struct device_source *source, GArray *events)
{
        struct batch *batch;

        if (events->len == 0) {
                g_array_unref(events);
                return;
        }
        batch = g_new(struct batch, 1);
        *batch = (struct batch){ source, events };
        lane_post(source->lane, take_batch, batch);
}

/* Takes what has come, in batches. False: events were dropped. */
static bool receive(struct device_source *source, struct udev_monitor *monitor)
{
        unsigned taken;
        int reason;

        do {
                GArray *events = g_array_new(FALSE, FALSE, sizeof(struct event));
                struct udev_device *device;

                g_array_set_clear_func(events, clear_event);
                errno = 0;
                while (events->len < BATCH && (device = udev_monitor_receive_device(monitor))) {
                        note_event(events, device);
                        udev_device_unref(device);
                }
                reason = errno;
                taken = events->len;
                hand_over(source, events);
        } while (taken >= BATCH);
        return reason != ENOBUFS;
}

/* Of udevd, which has completed what there is to say when it tells; of the kernel where none runs. */
static struct udev_monitor *open_monitor(struct udev *udev)
{
        bool has_udevd = access(UDEVD_SOCKET, F_OK) == 0;
        struct udev_monitor *monitor = udev_monitor_new_from_netlink(udev, has_udevd ? "udev" : "kernel");
        bool is_open = monitor != NULL;

        if (!has_udevd)
                log_info("no udevd runs: devices are described by sysfs alone");
        /* A narrower queue than asked for is one. */
        if (is_open)
                udev_monitor_set_receive_buffer_size(monitor, QUEUE_BYTES);
        for (unsigned i = 0; is_open && enumerate_subsystems[i]; i++)
                is_open = udev_monitor_filter_add_match_subsystem_devtype(monitor, enumerate_subsystems[i],
                                                                          NULL) >= 0;
        is_open = is_open && udev_monitor_filter_add_match_subsystem_devtype(monitor, FC_HOST, NULL) >= 0;
        if (is_open && udev_monitor_enable_receiving(monitor) >= 0)
                return monitor;
        if (monitor)
                udev_monitor_unref(monitor);
        return NULL;
}

static void follow_events(struct device_source *source, struct udev_monitor *monitor)
{
        int fd = udev_monitor_get_fd(monitor);

        while (lane_wait(source->watcher, fd, POLLIN, NULL, LANE_FOREVER) == LANE_READY &&
               lane_wait(source->watcher, -1, 0, NULL, lane_deadline_in(DEVICE_SOURCE_PAUSE_MS)) ==
                       LANE_TIMEOUT) {
                if (receive(source, monitor))
                        continue;
                log_info("events of devices were dropped: looking at all of them again");
                lane_post(source->lane, look_at_all, source);
        }
}

static void mark_ended(void *data)
{
        struct device_source *source = data;

        source->running = false;
}

static void end_in_lane(void *data)
{
        struct device_source *source = data;

        loop_post(source->loop, mark_ended, source);
}

/* Events are followed before everything is looked at, so that nothing is missed in between. */
static void follow(void *data)
{
        struct device_source *source = data;
        struct udev *udev = udev_new();
        struct udev_monitor *monitor = open_monitor(udev);

        lane_post(source->lane, look_at_all, source);
        if (monitor) {
                follow_events(source, monitor);
                udev_monitor_unref(monitor);
        } else {
                log_warning("devices that come and go cannot be followed: %s", g_strerror(errno));
                lane_wait(source->watcher, -1, 0, NULL, LANE_FOREVER);
        }
        udev_unref(udev);
        lane_post(source->lane, end_in_lane, source);
}

/* ---- life; loop ---- */

struct device_source *device_source_new(struct collection *collection, struct loop *loop, struct lane *lane)
{
        struct device_source *source = g_new0(struct device_source, 1);

        source->loop = loop;
        source->lane = lane_ref(lane);
        source->watcher = lane_new(lane_get_pool(lane), loop, "udev");
        source->collection = collection;
        source->devices = new_table();
        return source;
}

void device_source_set_definitions(struct device_source *source, struct definitions *definitions)
{
        source->definitions = definitions;
}

void device_source_free(struct device_source *source)
{
        if (!source)
                return;
        g_assert(!source->running);
        g_hash_table_unref(source->devices);
        lane_unref(source->watcher);
        lane_unref(source->lane);
        g_free(source);
}

void device_source_start(struct device_source *source)
{
        source->running = true;
        lane_post(source->watcher, follow, source);
}

static void interrupt(void *data)
{
}

void device_source_stop(struct device_source *source)
{
        lane_post_urgent(source->watcher, interrupt, NULL);
}

bool device_source_is_running(const struct device_source *source)
{
        return source->running;
}
