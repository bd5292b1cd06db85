/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to the system bus in a lane: a watch on it while there is one, a timer until it is tried again
 * while there is none. Owns the locks' descriptors.
 */
#include "base/logind.h"

#include "base/cleanup.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/system-call-private.h"

#include <fcntl.h>
#include <poll.h>

#define SERVICE   "org.freedesktop.login1"
#define PATH      "/org/freedesktop/login1"
#define INTERFACE "org.freedesktop.login1.Manager"

#define CALL_MS  10000
#define RETRY_MS 30000

static const struct lock {
        const char *what, *signal, *property;
} locks[LOGIND_LOCKS] = {
        [LOGIND_SHUTDOWN] = { "shutdown", "PrepareForShutdown", "PreparingForShutdown" },
        [LOGIND_SLEEP] = { "sleep", "PrepareForSleep", "PreparingForSleep" },
};

struct logind {
        /* const */
        struct loop *loop; /* borrowed */
        struct lane *lane; /* owned */
        const char *who, *const *why;
        logind_told told;
        void *data; /* owned by told */
        /* lane */
        sd_bus *bus;              /* owned; NULL: none */
        char *owner;              /* owned; logind's unique name, as its answers have it; NULL: not known */
        struct lane_watch *watch; /* owned; NULL: none */
        struct lane_timer *retry; /* owned; NULL: none */
        int fds[LOGIND_LOCKS];    /* owned; -1: not held */
        bool begun[LOGIND_LOCKS]; /* it was told that this is about to be */
        bool known[LOGIND_LOCKS]; /* how things stand has been told, by an answer or a signal */
        bool news;  /* a signal of logind's, or another logind, has come since locks were asked for */
        bool ended; /* nothing is begun any more */
        /* loop */
        bool stopped;
        bool busy; /* the lane has not ended yet */
};

static void connect_again(void *data);

/* ---- telling ---- */

struct notice {
        struct logind *logind; /* borrowed */
        enum logind_lock what;
        bool begins;
};

static void tell(void *data)
{
        struct notice *notice = data;
        struct logind *logind = notice->logind;

        if (!logind->stopped)
                logind->told(notice->what, notice->begins, logind->data);
        g_free(notice);
}

static void post(struct logind *logind, enum logind_lock what, bool begins)
{
        struct notice *notice = g_new(struct notice, 1);

        *notice = (struct notice){ logind, what, begins };
        logind->begun[what] = begins;
        logind->known[what] = true;
        loop_post(logind->loop, tell, notice);
}

/* ---- in the lane ---- */

static void drop_lock(struct logind *logind, enum logind_lock what)
{
        fd_cleanup(&logind->fds[what]);
        logind->fds[what] = -1;
}

/* Whose answer it is, and whose signals are believed from now on. */
static void note_owner(struct logind *logind, sd_bus_message *reply)
{
        if (!reply)
                return;
        g_free(logind->owner);
        logind->owner = g_strdup(sd_bus_message_get_sender(reply));
}

static void take_lock(struct logind *logind, enum logind_lock what)
{
        sd_bus_message *message = NULL, *reply = NULL;
        g_autoptr(GError) error = NULL;
        int fd = -1;

        if (logind->fds[what] >= 0 || !logind->bus)
                return;
        if (sd_bus_message_new_method_call(logind->bus, &message, SERVICE, PATH, INTERFACE, "Inhibit") >= 0)
                sd_bus_message_append(message, "ssss", locks[what].what, logind->who, logind->why[what],
                                      "delay");
        if (!system_call_exchange(logind->lane, logind->bus, message, lane_deadline_in(CALL_MS), &reply, NULL,
                                  &error))
                log_info("the host's %s does not wait for guests: %s", locks[what].what, error->message);
        else if (sd_bus_message_read(reply, "h", &fd) >= 0)
                logind->fds[what] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        note_owner(logind, reply);
        sd_bus_message_unref(reply);
}

/* An agent that begins while the host sleeps, or after it has, has missed the signal. */
static void look(struct logind *logind, enum logind_lock what)
{
        sd_bus_message *message = NULL, *reply = NULL;
        g_autoptr(GError) error = NULL;
        int begins = 0;

        if (logind->known[what] || !logind->bus)
                return;
        if (sd_bus_message_new_method_call(logind->bus, &message, SERVICE, PATH,
                                           "org.freedesktop.DBus.Properties", "Get") >= 0)
                sd_bus_message_append(message, "ss", INTERFACE, locks[what].property);
        if (!system_call_exchange(logind->lane, logind->bus, message, lane_deadline_in(CALL_MS), &reply, NULL,
                                  &error))
                log_info("whether the host's %s is near is not known: %s", locks[what].what, error->message);
        else if (sd_bus_message_read(reply, "v", "b", &begins) >= 0 && !logind->known[what])
                post(logind, what, begins);
        note_owner(logind, reply);
        sd_bus_message_unref(reply);
}

/*
 * Everybody on the bus may send a signal like that to us alone: the rules by which the bus hands signals on
 * are not asked then, and sd-bus does not know who owns a name. The sender's unique name is the bus's word.
 */
static bool is_from(sd_bus_message *message, const char *sender)
{
        return sender && g_strcmp0(sd_bus_message_get_sender(message), sender) == 0;
}

static int take_signal(sd_bus_message *message, void *data, sd_bus_error *ignored)
{
        struct logind *logind = data;
        int begins = 0;

        if (!is_from(message, logind->owner))
                return 0;
        logind->news = true;
        for (unsigned what = 0; what < LOGIND_LOCKS; what++)
                if (sd_bus_message_is_signal(message, INTERFACE, locks[what].signal) > 0 &&
                    sd_bus_message_read(message, "b", &begins) >= 0)
                        post(logind, what, begins);
        return 0;
}

/* What was logind's is gone with it. */
static void forget(struct logind *logind)
{
        g_clear_pointer(&logind->owner, g_free);
        for (unsigned what = 0; what < LOGIND_LOCKS; what++) {
                drop_lock(logind, what);
                logind->known[what] = false;
        }
}

/* It has begun anew, and what it knew of locks is gone. */
static int take_owner(sd_bus_message *message, void *data, sd_bus_error *ignored)
{
        struct logind *logind = data;

        if (!is_from(message, "org.freedesktop.DBus"))
                return 0;
        forget(logind);
        logind->news = true;
        return 0;
}

static bool add_match(struct logind *logind, const char *sender, const char *interface, const char *member,
                      const char *argument, sd_bus_message_handler_t handler)
{
        g_autofree char *rule =
                g_strdup_printf("type='signal',sender='%s',interface='%s'%s%s%s%s%s%s", sender, interface,
                                member ? ",member='" : "", member ? member : "", member ? "'" : "",
                                argument ? ",arg0='" : "", argument ? argument : "", argument ? "'" : "");

        return sd_bus_add_match_async(logind->bus, NULL, rule, handler, NULL, logind) >= 0;
}

static void disconnect(struct logind *logind)
{
        g_clear_pointer(&logind->watch, lane_watch_free);
        if (logind->bus)
                sd_bus_close_unref(logind->bus);
        logind->bus = NULL;
        forget(logind);
}

static bool work_off(struct logind *logind)
{
        int result;

        do
                result = sd_bus_process(logind->bus, NULL);
        while (result > 0);
        return result >= 0;
}

static void take_locks(struct logind *logind)
{
        logind->news = false;
        for (unsigned what = 0; what < LOGIND_LOCKS; what++) {
                look(logind, what);
                if (!logind->begun[what])
                        take_lock(logind, what);
        }
}

/*
 * Locks that are not held and may be are taken. What comes meanwhile is read with their answers, so that the
 * descriptor does not tell of it any more.
 */
static bool keep_up(struct logind *logind)
{
        if (!work_off(logind))
                return false;
        do {
                take_locks(logind);
                if (!work_off(logind))
                        return false;
        } while (logind->news);
        return true;
}

static bool connect_bus(struct logind *logind)
{
        return sd_bus_open_system(&logind->bus) >= 0 &&
               add_match(logind, SERVICE, INTERFACE, NULL, NULL, take_signal) &&
               add_match(logind, "org.freedesktop.DBus", "org.freedesktop.DBus", "NameOwnerChanged", SERVICE,
                         take_owner) &&
               keep_up(logind);
}

/* The bus goes only with the host, or in between for an update. */
static void give_up(struct logind *logind)
{
        disconnect(logind);
        if (!logind->ended && !logind->retry)
                logind->retry = lane_timer_new(logind->lane, RETRY_MS, connect_again, logind);
}

static void work(void *data)
{
        struct logind *logind = data;

        if (!keep_up(logind))
                give_up(logind);
}

static void connect_again(void *data)
{
        struct logind *logind = data;

        g_clear_pointer(&logind->retry, lane_timer_free);
        if (logind->ended)
                return;
        if (connect_bus(logind))
                logind->watch =
                        lane_watch_new(logind->lane, sd_bus_get_fd(logind->bus), POLLIN, work, logind, NULL);
        if (!logind->watch)
                give_up(logind);
}

static void finished(void *data)
{
        ((struct logind *)data)->busy = false;
}

static void finish(void *data)
{
        struct logind *logind = data;

        logind->ended = true;
        disconnect(logind);
        g_clear_pointer(&logind->retry, lane_timer_free);
        loop_post(logind->loop, finished, logind);
}

/* ---- on the loop ---- */

struct logind *logind_new(struct loop *loop, struct pool *pool, const char *who,
                          const char *const why[LOGIND_LOCKS], logind_told told, void *data)
{
        struct logind *logind = g_new0(struct logind, 1);

        logind->loop = loop;
        logind->lane = lane_new(pool, loop, "logind");
        logind->who = who;
        logind->why = why;
        logind->told = told;
        logind->data = data;
        logind->busy = true;
        for (unsigned what = 0; what < LOGIND_LOCKS; what++)
                logind->fds[what] = -1;
        lane_post(logind->lane, connect_again, logind);
        return logind;
}

void logind_stop(struct logind *logind)
{
        if (logind->stopped)
                return;
        logind->stopped = true;
        lane_post_urgent(logind->lane, finish, logind);
}

bool logind_is_busy(const struct logind *logind)
{
        return logind->busy;
}

void logind_free(struct logind *logind)
{
        if (!logind)
                return;
        lane_unref(logind->lane);
        g_free(logind);
}

struct release {
        struct logind *logind; /* borrowed */
        enum logind_lock what;
};

static void let_go(void *data)
{
        struct release *release = data;

        drop_lock(release->logind, release->what);
        g_free(release);
}

void logind_let_go(struct logind *logind, enum logind_lock what)
{
        struct release *release;

        /* All of them are let go of then. */
        if (logind->stopped)
                return;
        release = g_new(struct release, 1);
        *release = (struct release){ logind, what };
        lane_post(logind->lane, let_go, release);
}
