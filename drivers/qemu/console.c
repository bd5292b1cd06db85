/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Consoles and channels that clients have open. A console belongs to its lane; the guest has a reference, by
 * which it is ended and seen whether it has ended.
 */
#include "drivers/qemu/console.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/qemu/guest-agent.h"
#include "drivers/qemu/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_SIZE (16 * 1024)

struct end {
        struct console *console;  /* borrowed: the one that it is in */
        struct end *other;        /* borrowed */
        int fd;                   /* owned; -1: closed */
        struct lane_watch *watch; /* owned; NULL: it is not waited for */
        short events;             /* what the watch waits for */
        GByteArray *pending;      /* owned; to be written here */
        size_t max;               /* of pending, before the other end is not read any more */
};

struct console {
        gint refs; /* atomic */
        gint over; /* atomic */
        /* const */
        struct lane *lane; /* ref */
        char *alias;       /* owned */
        /* lane */
        struct end device, client;
        bool left; /* the client takes nothing any more */
};

static void unref(struct console *console)
{
        if (!g_atomic_int_dec_and_test(&console->refs))
                return;
        g_byte_array_unref(console->device.pending);
        g_byte_array_unref(console->client.pending);
        lane_unref(console->lane);
        g_free(console->alias);
        g_free(console);
}

/* ---- carrying; its lane ---- */

static void close_end(struct end *end)
{
        g_clear_pointer(&end->watch, lane_watch_free);
        if (end->fd >= 0)
                close(fd_steal(&end->fd));
}

/* Both at once: whoever is left sees that the other has gone. The reference is the one that carrying has. */
static void finish(struct console *console)
{
        bool was_open = console->device.fd >= 0;

        g_atomic_int_set(&console->over, 1);
        close_end(&console->device);
        close_end(&console->client);
        if (was_open)
                unref(console);
}

static bool has_failed(ssize_t size)
{
        return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

static bool flush(struct end *end)
{
        while (end->pending->len > 0) {
                ssize_t size = write(end->fd, end->pending->data, end->pending->len);

                if (size <= 0)
                        return !has_failed(size);
                g_byte_array_remove_range(end->pending, 0, (guint)size);
        }
        return true;
}

static bool read_end(struct end *end)
{
        char buffer[READ_SIZE];
        ssize_t size = read(end->fd, buffer, sizeof(buffer));

        if (size > 0)
                g_byte_array_append(end->other->pending, (const guint8 *)buffer, (guint)size);
        return size > 0 || !has_failed(size);
}

/* It is free for the next client, and what this one has sent goes on to the device meanwhile. */
static void leave(struct console *console)
{
        console->left = true;
        g_atomic_int_set(&console->over, 1);
}

static void flush_client(struct console *console)
{
        if (!console->left && !flush(&console->client))
                leave(console);
        if (console->left)
                g_byte_array_set_size(console->client.pending, 0);
}

/* False: the device has failed. */
static bool read_what_comes(struct end *end)
{
        struct console *console = end->console;

        if (!(end->events & POLLIN) || end->fd < 0 || read_end(end))
                return true;
        if (end == &console->device)
                return false;
        leave(console);
        close_end(end);
        return true;
}

static void carry(void *data);

static bool wait_for(struct end *end)
{
        bool is_device = end == &end->console->device;
        short events = 0;

        if (end->fd < 0)
                return true;
        /* The device is always read: the guest does not wait for its client. */
        if (is_device || end->other->pending->len < end->other->max)
                events |= POLLIN;
        if (end->pending->len > 0)
                events |= POLLOUT;
        if (end->events == events && (end->watch || !events))
                return true;
        g_clear_pointer(&end->watch, lane_watch_free);
        end->events = events;
        if (events)
                end->watch = lane_watch_new(end->console->lane, end->fd, events, carry, end, NULL);
        return end->watch || !events;
}

/* Something can be done at this end. */
static void carry(void *data)
{
        struct end *end = data;
        struct console *console = end->console;
        bool ok;

        g_atomic_int_inc(&console->refs);
        ok = console->device.fd >= 0 && flush(&console->device) && read_what_comes(end) &&
             flush(&console->device);
        flush_client(console);
        if (ok && console->client.pending->len > console->client.max) {
                log_notice("a client at '%s' does not read and loses it", console->alias);
                ok = false;
        }
        /* Nothing more comes from it, and all that came has gone. */
        if (console->client.fd < 0 && console->device.pending->len == 0)
                ok = false;
        if (!ok || !wait_for(&console->device) || !wait_for(&console->client))
                finish(console);
        unref(console);
}

static void begin(void *data)
{
        struct console *console = data;

        if (g_atomic_int_get(&console->over) || !wait_for(&console->device) || !wait_for(&console->client))
                finish(console);
}

static void end_job(void *data)
{
        struct console *console = data;

        finish(console);
        unref(console);
}

void console_end(void *data)
{
        struct console *console = data;

        g_atomic_int_set(&console->over, 1);
        lane_post(console->lane, end_job, console);
}

static void init_end(struct console *console, struct end *end, struct end *other, int fd, size_t max)
{
        *end = (struct end){
                .console = console, .other = other, .fd = fd, .pending = g_byte_array_new(), .max = max
        };
}

/* Takes both descriptors, which do not block. */
static struct console *console_new(struct domain_driver *driver, const char *alias, int device, int client)
{
        struct console *console = g_new0(struct console, 1);

        console->refs = 2;
        console->lane = lane_new(driver->pool, driver->loop, "console");
        console->alias = g_strdup(alias);
        init_end(console, &console->device, &console->client, device, CONSOLE_INPUT_MAX);
        init_end(console, &console->client, &console->device, client, CONSOLE_PENDING_MAX);
        lane_post(console->lane, begin, console);
        return console;
}

/* ---- the emulator's end ---- */

static int open_file(const char *path, const char *what, struct stat *st, GError **error)
{
        CLEANUP_FD int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0 && fstat(fd, st) == 0)
                return fd_steal(&fd);
        error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open '%s' of %s", path, what);
        return -1;
}

static bool is_owned(const struct stat *st, uid_t user)
{
        return st->st_uid == user || st->st_uid == geteuid();
}

int console_connect(const char *path, uid_t user, const char *what, GError **error)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct stat st;
        CLEANUP_FD int file = open_file(path, what, &st, error);
        CLEANUP_FD int fd = -1;

        if (file < 0)
                return -1;
        /* It lies where the emulator's user may put what it likes. */
        if (!S_ISSOCK(st.st_mode) || !is_owned(&st, user)) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                          "'%s' is not the socket of %s any more", path, what);
                return -1;
        }
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot connect to %s", what);
                return -1;
        }
        return fd_steal(&fd);
}

/* The emulator has told the path, and may have told another one than that of its own terminal. */
static int open_terminal(const char *path, uid_t user, const char *what, GError **error)
{
        enum { PTS_MAJOR_FIRST = 136, PTS_MAJOR_LAST = 143 }; /* Documentation/admin-guide/devices.txt */
        CLEANUP_FD int fd = -1;
        struct stat st;
        CLEANUP_FD int file = open_file(path, what, &st, error);
        char link[64];

        if (file < 0)
                return -1;
        if (!S_ISCHR(st.st_mode) || major(st.st_rdev) < PTS_MAJOR_FIRST ||
            major(st.st_rdev) > PTS_MAJOR_LAST || !is_owned(&st, user)) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "'%s' is not a terminal of %s",
                          path, what);
                return -1;
        }
        snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
        fd = open(link, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open '%s' of %s", path, what);
        return fd_steal(&fd);
}

static int open_device(const struct guest *guest, const struct domain_char *chr, GError **error)
{
        const struct domain_char_source *source = &chr->source;
        g_autofree char *what = g_strdup_printf("device '%s' of %s", chr->info.alias, guest->who);

        if (source->type == DOMAIN_CHAR_PTY && source->path)
                return open_terminal(source->path, guest->account->uid, what, error);
        if (source->type == DOMAIN_CHAR_UNIX && source->listen && source->path)
                return console_connect(source->path, guest->account->uid, what, error);
        error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                  "%s is of type '%s': a pty, or a unix socket that QEMU listens on, can be opened", what,
                  domain_char_type_get_name(source->type));
        return -1;
}

/* ---- finding it ---- */

/* A <console> that is another name of the first serial port stands for that. */
static const struct domain_char *resolve(const struct domain_def *def, const struct domain_char *chr)
{
        for (unsigned i = 0; chr && chr->is_serial_alias && i < def->devices.n_chars; i++) {
                if (def->devices.chars[i].kind == DOMAIN_CHAR_SERIAL)
                        return &def->devices.chars[i];
        }
        return chr;
}

static const struct domain_char *find_first(const struct domain_def *def, enum domain_char_kind kind)
{
        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                if (def->devices.chars[i].kind == kind)
                        return resolve(def, &def->devices.chars[i]);
        }
        return NULL;
}

static bool is_called(const struct domain_char *chr, const char *name)
{
        return g_strcmp0(chr->info.alias, name) == 0 ||
               (chr->kind == DOMAIN_CHAR_CHANNEL && g_strcmp0(chr->target_name, name) == 0);
}

static const struct domain_char *find_char(const struct domain_def *def, bool channel, const char *name)
{
        const struct domain_char *first = NULL;

        for (unsigned i = 0; *name && i < def->devices.n_chars; i++) {
                const struct domain_char *chr = &def->devices.chars[i];

                if ((chr->kind == DOMAIN_CHAR_CHANNEL) == channel && is_called(chr, name))
                        return resolve(def, chr);
        }
        if (*name)
                return NULL;
        if (channel)
                return find_first(def, DOMAIN_CHAR_CHANNEL);
        first = find_first(def, DOMAIN_CHAR_CONSOLE);
        first = first ? first : find_first(def, DOMAIN_CHAR_SERIAL);
        return first ? first : find_first(def, DOMAIN_CHAR_PARALLEL);
}

static const struct domain_char *require_char(const struct guest *guest, bool channel, const char *name,
                                              GError **error)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(guest->domain));
        const struct domain_char *chr = find_char(def, channel, name);
        g_autofree char *quoted = error_quote(name);

        if (!chr) {
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                          *name ? "%s has no %s '%s'" : "%s has no %s%s", guest->who,
                          channel ? "channel" : "console", quoted);
                return NULL;
        }
        if (g_strcmp0(chr->target_name, GUEST_AGENT_CHANNEL) == 0) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                          "channel '%s' of %s is this agent's, which talks to the guest's agent there",
                          GUEST_AGENT_CHANNEL, guest->who);
                return NULL;
        }
        return chr;
}

/* Makes room: those that are over go, and with force who has it now. */
static bool make_room(struct guest *guest, const char *alias, bool force, GError **error)
{
        for (unsigned i = guest->consoles->len; i-- > 0;) {
                struct console *console = g_ptr_array_index(guest->consoles, i);
                bool over = g_atomic_int_get(&console->over), same = strcmp(console->alias, alias) == 0;

                if (same && !over && !force)
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                         "somebody has '%s' of %s open: FORCE (1) takes it away", alias,
                                         guest->who);
                if (over || same)
                        g_ptr_array_remove_index_fast(guest->consoles, i);
        }
        return true;
}

int console_open(struct domain *domain, bool channel, const char *name, bool force, GError **error)
{
        struct guest *guest = guest_of(domain);
        const struct domain_char *chr = require_char(guest, channel, name, error);
        CLEANUP_FD int device = -1, ours = -1, theirs = -1;
        int pair[2];

        if (!chr || !make_room(guest, chr->info.alias, force, error))
                return -1;
        device = open_device(guest, chr, error);
        if (device < 0)
                return -1;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a socket for '%s' of %s",
                                chr->info.alias, guest->who);
                return -1;
        }
        ours = pair[0];
        theirs = pair[1];
        if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot use a socket for '%s' of %s",
                                chr->info.alias, guest->who);
                return -1;
        }
        g_ptr_array_add(guest->consoles, console_new(&guest->driver->base, chr->info.alias, fd_steal(&device),
                                                     fd_steal(&ours)));
        return fd_steal(&theirs);
}
