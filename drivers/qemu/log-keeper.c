/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inotify on the log directory. Between two looks nothing is read from it: however much the guests write, it
 * costs one look a second, because the kernel's queue is bounded and repetitions are merged. Its own lane,
 * but for new and free.
 */
#include "drivers/qemu/log-keeper.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "drivers/qemu/guest-log.h"

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#define PAUSE_MS 1000

struct log_keeper {
        /* const */
        struct loop *loop; /* borrowed */
        struct lane *lane; /* ref */
        char *dir;         /* owned */
        int fd;            /* owned */
        /* lane */
        struct lane_watch *watch; /* owned; NULL while the timer runs */
        struct lane_timer *timer; /* owned; NULL while the watch is on */
        /* loop */
        bool ended;
};

static void trim(const struct log_keeper *keeper)
{
        g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        union {
                char bytes[4096];
                struct inotify_event align;
        } buffer;
        GHashTableIter iter;
        ssize_t length;
        void *name;

        while ((length = read(keeper->fd, &buffer, sizeof(buffer))) > 0) {
                for (ssize_t i = 0; i < length;) {
                        const struct inotify_event *event = (const void *)(buffer.bytes + i);

                        if (event->len > 0)
                                g_hash_table_add(names, g_strdup(event->name));
                        i += (ssize_t)(sizeof(*event) + event->len);
                }
        }
        g_hash_table_iter_init(&iter, names);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                guest_log_trim(keeper->dir, name);
}

/* Somebody has written: time is given for more. The time is over: a look, and back to watching. */
static void turn(void *data)
{
        struct log_keeper *keeper = data;
        g_autoptr(GError) error = NULL;

        if (keeper->timer) {
                g_clear_pointer(&keeper->timer, lane_timer_free);
                trim(keeper);
                keeper->watch = lane_watch_new(keeper->lane, keeper->fd, POLLIN, turn, keeper, &error);
                if (keeper->watch)
                        return;
                log_gerror(LOG_LEVEL_WARNING, error, "cannot watch the guests' logs");
        }
        g_clear_pointer(&keeper->watch, lane_watch_free);
        keeper->timer = lane_timer_new(keeper->lane, PAUSE_MS, turn, keeper);
}

struct log_keeper *log_keeper_new(struct loop *loop, struct pool *pool, const char *dir, GError **error)
{
        struct log_keeper *keeper;
        CLEANUP_FD int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

        if (fd < 0 || inotify_add_watch(fd, dir, IN_MODIFY | IN_ONLYDIR) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot watch directory '%s'", dir);
                return NULL;
        }
        keeper = g_new0(struct log_keeper, 1);
        keeper->loop = loop;
        keeper->lane = lane_new(pool, loop, "guest logs");
        keeper->dir = g_strdup(dir);
        keeper->fd = fd_steal(&fd);
        lane_post(keeper->lane, turn, keeper);
        return keeper;
}

static void note_end(void *data)
{
        struct log_keeper *keeper = data;

        keeper->ended = true;
}

static void end(void *data)
{
        struct log_keeper *keeper = data;

        g_clear_pointer(&keeper->watch, lane_watch_free);
        g_clear_pointer(&keeper->timer, lane_timer_free);
        loop_post(keeper->loop, note_end, keeper);
}

void log_keeper_free(struct log_keeper *keeper)
{
        if (!keeper)
                return;
        lane_post(keeper->lane, end, keeper);
        while (!keeper->ended)
                loop_step(keeper->loop, true);
        close(keeper->fd);
        lane_unref(keeper->lane);
        g_free(keeper->dir);
        g_free(keeper);
}
