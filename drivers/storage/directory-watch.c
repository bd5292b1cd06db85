/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Following what others do in a pool's directory, by inotify(7). A volume's bytes are not followed, only that
 * it comes, goes, or was written and closed. In the pool's lane.
 */
#include "base/lane.h"
#include "base/log.h"
#include "drivers/storage/directory.h"
#include "drivers/storage/temporary.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                                               \
        (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | \
         IN_MOVE_SELF | IN_ONLYDIR)

/* Read at once; a flood gets its turn again behind what else waits for the lane. */
#define BUFFER_SIZE (64 * 1024)

struct watch {
        struct storage_pool *pool; /* borrowed: it owns us */
        int fd;                    /* owned */
        struct lane_watch *ready;  /* owned */
        bool stale;                /* the directory is not the one of that name any more */
};

#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

static void take_event(struct watch *watch, const struct inotify_event *event)
{
        watch->stale = watch->stale || (event->mask & GONE);
        if (!event->len || (event->mask & (IN_Q_OVERFLOW | GONE)))
                backend_changed(watch->pool);
        else if (!temporary_is_name(event->name))
                backend_changed_name(watch->pool, event->name);
}

static void read_events(void *data)
{
        struct watch *watch = data;
        char buffer[BUFFER_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t length = read(watch->fd, buffer, sizeof(buffer));

        for (char *at = buffer; length > 0 && at < buffer + length;) {
                const struct inotify_event *event = (const struct inotify_event *)(void *)at;

                take_event(watch, event);
                at += sizeof(*event) + event->len;
        }
}

static void watch_free(struct watch *watch)
{
        if (watch->ready)
                lane_watch_free(watch->ready);
        fd_cleanup(&watch->fd);
        g_free(watch);
}

void directory_watch(const struct backend_context *context, int directory_fd)
{
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", directory_fd);
        struct watch *watch = g_new0(struct watch, 1);
        g_autoptr(GError) error = NULL;

        directory_unwatch(context);
        watch->pool = context->pool;
        watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (watch->fd >= 0 && inotify_add_watch(watch->fd, path, EVENTS) >= 0)
                watch->ready = lane_watch_new(context->lane, watch->fd, POLLIN, read_events, watch, &error);
        if (watch->ready) {
                *context->live = watch;
                return;
        }
        log_warning("changes in storage pool '%s' are seen at refresh only: %s", context->def->base.name,
                    error ? error->message : g_strerror(errno));
        watch_free(watch);
}

void directory_rewatch(const struct backend_context *context)
{
        const struct watch *watch = context->live ? *context->live : NULL;
        CLEANUP_FD int fd = -1;

        if (!watch || !watch->stale)
                return;
        fd = directory_open(context, NULL);
        if (fd >= 0)
                directory_watch(context, fd);
}

void directory_unwatch(const struct backend_context *context)
{
        if (*context->live)
                watch_free(g_steal_pointer(context->live));
}
