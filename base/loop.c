/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop: a GMainContext, a hand-over queue for other threads, and an epoll descriptor that stands for all
 * one-shot watches. The queue's mutex is a leaf: nothing is called while it is held.
 */
#include "base/loop.h"

#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Posts and one-shot events handled per turn, so that the other sources get theirs. */
#define LOOP_BATCH 64

struct post {
        struct post *next;
        loop_fn fn;
        void *data;
};

struct loop {
        /* const */
        pthread_t thread;
        GMainContext *context;          /* ref */
        int event_fd;                   /* owned */
        int epoll_fd;                   /* owned */
        GSource *post_source;           /* ref */
        struct loop_watch *epoll_watch; /* owned */
        /* loop */
        struct loop_watch *signal_watch; /* owned; NULL without signals */
        int signal_fd;                   /* owned; -1 without signals */
        void (*signal_fn)(int signal, void *data);
        void *signal_data; /* borrowed */
        /* atomic */
        gint quit;
        /* mutex */
        pthread_mutex_t mutex;
        struct post *first, *last;
};

struct loop_watch {
        GSource source;
        int fd;
        void *tag;
        loop_watch_fn fn;
        void *data; /* borrowed */
};

struct loop_timer {
        GSource source;
        loop_fn fn;
        void *data; /* borrowed */
};

struct post_source {
        GSource source;
        struct loop *loop; /* borrowed */
        void *tag;
};

static bool has_posts(struct loop *loop)
{
        bool any;

        pthread_mutex_lock(&loop->mutex);
        any = loop->first != NULL;
        pthread_mutex_unlock(&loop->mutex);
        return any;
}

static gboolean post_prepare(GSource *source, gint *timeout)
{
        *timeout = -1;
        return has_posts(((struct post_source *)source)->loop);
}

static gboolean post_check(GSource *source)
{
        return has_posts(((struct post_source *)source)->loop);
}

/* Detaches at most LOOP_BATCH posts. */
static struct post *take_posts(struct loop *loop)
{
        struct post *batch, *end;

        pthread_mutex_lock(&loop->mutex);
        batch = end = loop->first;
        for (unsigned n = 1; end && end->next && n < LOOP_BATCH; n++)
                end = end->next;
        if (end) {
                loop->first = end->next;
                end->next = NULL;
        }
        if (!loop->first)
                loop->last = NULL;
        pthread_mutex_unlock(&loop->mutex);
        return batch;
}

static gboolean post_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
        struct loop *loop = ((struct post_source *)source)->loop;
        eventfd_t count;

        if (g_source_query_unix_fd(source, ((struct post_source *)source)->tag))
                eventfd_read(loop->event_fd, &count);
        for (struct post *post = take_posts(loop); post;) {
                struct post *next = post->next;

                post->fn(post->data);
                g_free(post);
                post = next;
        }
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs post_funcs = {
        .prepare = post_prepare,
        .check = post_check,
        .dispatch = post_dispatch,
};

static gboolean watch_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
        struct loop_watch *watch = (struct loop_watch *)source;
        short revents = (short)g_source_query_unix_fd(source, watch->tag);

        if (revents)
                watch->fn(watch->fd, revents, watch->data);
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_funcs = { .dispatch = watch_dispatch };

static gboolean timer_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
        struct loop_timer *timer = (struct loop_timer *)source;

        g_source_set_ready_time(source, -1);
        timer->fn(timer->data);
        return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_funcs = { .dispatch = timer_dispatch };

static void epoll_ready(int fd, short revents, void *data)
{
        struct epoll_event events[LOOP_BATCH];
        int count = epoll_wait(fd, events, LOOP_BATCH, 0);

        for (int i = 0; i < count; i++) {
                struct loop_oneshot *oneshot = events[i].data.ptr;

                oneshot->fn(oneshot);
        }
}

/*
 * Sources that may recurse, though none does: else GLib takes their descriptors out of the poll and back in
 * around each callback, and wakes itself up both times (four system calls per event).
 */
static void attach(struct loop *loop, GSource *source)
{
        g_source_set_can_recurse(source, TRUE);
        g_source_attach(source, loop->context);
}

static void add_post_source(struct loop *loop)
{
        struct post_source *source;

        loop->post_source = g_source_new(&post_funcs, sizeof(struct post_source));
        source = (struct post_source *)loop->post_source;
        source->loop = loop;
        source->tag = g_source_add_unix_fd(loop->post_source, loop->event_fd, G_IO_IN);
        attach(loop, loop->post_source);
}

struct loop *loop_new(GError **error)
{
        struct loop *loop = g_new0(struct loop, 1);

        loop->thread = pthread_self();
        loop->signal_fd = -1;
        pthread_mutex_init(&loop->mutex, NULL);
        loop->context = g_main_context_new();
        loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->event_fd < 0 || loop->epoll_fd < 0) {
                error_set_errno(error, ERROR_FROM_EVENT, errno, "cannot make the main loop");
                loop_free(loop);
                return NULL;
        }
        add_post_source(loop);
        loop->epoll_watch = loop_watch_new(loop, loop->epoll_fd, POLLIN, epoll_ready, loop);
        return loop;
}

void loop_free(struct loop *loop)
{
        if (!loop)
                return;
        while (has_posts(loop))
                loop_step(loop, false);
        loop_watch_free(loop->signal_watch);
        loop_watch_free(loop->epoll_watch);
        if (loop->post_source) {
                g_source_destroy(loop->post_source);
                g_source_unref(loop->post_source);
        }
        if (loop->signal_fd >= 0)
                close(loop->signal_fd);
        if (loop->epoll_fd >= 0)
                close(loop->epoll_fd);
        if (loop->event_fd >= 0)
                close(loop->event_fd);
        g_main_context_unref(loop->context);
        pthread_mutex_destroy(&loop->mutex);
        g_free(loop);
}

void loop_run(struct loop *loop)
{
        g_assert(on_loop(loop));
        while (!g_atomic_int_get(&loop->quit))
                g_main_context_iteration(loop->context, TRUE);
        g_atomic_int_set(&loop->quit, 0);
}

static void wake(void *data)
{
}

void loop_quit(struct loop *loop)
{
        g_atomic_int_set(&loop->quit, 1);
        loop_post(loop, wake, NULL);
}

bool loop_step(struct loop *loop, bool may_block)
{
        return g_main_context_iteration(loop->context, may_block);
}

void loop_post(struct loop *loop, loop_fn fn, void *data)
{
        struct post *post = g_new(struct post, 1);
        bool was_empty;

        *post = (struct post){ .fn = fn, .data = data };
        pthread_mutex_lock(&loop->mutex);
        was_empty = !loop->first;
        if (was_empty)
                loop->first = post;
        else
                loop->last->next = post;
        loop->last = post;
        pthread_mutex_unlock(&loop->mutex);
        if (was_empty)
                eventfd_write(loop->event_fd, 1);
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, short events, loop_watch_fn fn, void *data)
{
        GSource *source = g_source_new(&watch_funcs, sizeof(struct loop_watch));
        struct loop_watch *watch = (struct loop_watch *)source;

        g_assert(on_loop(loop));
        watch->fd = fd;
        watch->fn = fn;
        watch->data = data;
        watch->tag = g_source_add_unix_fd(source, fd, (GIOCondition)events);
        attach(loop, source);
        return watch;
}

void loop_watch_free(struct loop_watch *watch)
{
        if (!watch)
                return;
        g_source_destroy(&watch->source);
        g_source_unref(&watch->source);
}

struct loop_timer *loop_timer_new(struct loop *loop, unsigned delay_ms, loop_fn fn, void *data)
{
        GSource *source = g_source_new(&timer_funcs, sizeof(struct loop_timer));
        struct loop_timer *timer = (struct loop_timer *)source;

        g_assert(on_loop(loop));
        timer->fn = fn;
        timer->data = data;
        loop_timer_set(timer, delay_ms);
        attach(loop, source);
        return timer;
}

void loop_timer_set(struct loop_timer *timer, unsigned delay_ms)
{
        g_source_set_ready_time(&timer->source, g_get_monotonic_time() + (gint64)delay_ms * 1000);
}

void loop_timer_free(struct loop_timer *timer)
{
        if (!timer)
                return;
        g_source_destroy(&timer->source);
        g_source_unref(&timer->source);
}

static void signal_ready(int fd, short revents, void *data)
{
        struct loop *loop = data;
        struct signalfd_siginfo info;

        while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                loop->signal_fn((int)info.ssi_signo, loop->signal_data);
}

bool loop_add_signals(struct loop *loop, const int signals[], unsigned count,
                      void (*fn)(int signal, void *data), void *data, GError **error)
{
        sigset_t set;

        g_assert(on_loop(loop) && loop->signal_fd < 0);
        sigemptyset(&set);
        for (unsigned i = 0; i < count; i++)
                sigaddset(&set, signals[i]);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (loop->signal_fd < 0)
                return error_set_errno(error, ERROR_FROM_EVENT, errno, "cannot watch signals");
        loop->signal_fn = fn;
        loop->signal_data = data;
        loop->signal_watch = loop_watch_new(loop, loop->signal_fd, POLLIN, signal_ready, loop);
        return true;
}

static struct epoll_event oneshot_event(short events, struct loop_oneshot *oneshot)
{
        struct epoll_event event = { .events = EPOLLONESHOT, .data.ptr = oneshot };

        if (events & POLLIN)
                event.events |= EPOLLIN;
        if (events & POLLOUT)
                event.events |= EPOLLOUT;
        return event;
}

bool loop_oneshot_add(struct loop *loop, int fd, short events, struct loop_oneshot *oneshot, GError **error)
{
        struct epoll_event event = oneshot_event(events, oneshot);

        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return error_set_errno(error, ERROR_FROM_EVENT, errno, "cannot watch a descriptor");
        return true;
}

void loop_oneshot_rearm(struct loop *loop, int fd, short events, struct loop_oneshot *oneshot)
{
        struct epoll_event event = oneshot_event(events, oneshot);

        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0)
                g_assert_not_reached();
}

void loop_oneshot_remove(struct loop *loop, int fd)
{
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

bool on_loop(const struct loop *loop)
{
        return pthread_equal(loop->thread, pthread_self());
}

GMainContext *loop_get_context(struct loop *loop)
{
        return loop->context;
}
