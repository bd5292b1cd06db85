/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bridge from standard input and output to a socket. A process of its own; one thread. */
#include "agent/bridge.h"

#include "base/cleanup.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER_BYTES (64 * 1024)

/* One direction. */
struct stream {
        int from, to;
        size_t begin, end; /* in buffer: what has been read and not written */
        bool ended;        /* there is no more to read */
        char buffer[BUFFER_BYTES];
};

static int complain(const char *what)
{
        fprintf(stderr, "virtbusd: %s: %s\n", what, g_strerror(errno));
        return 1;
}

static char *get_address(bool system)
{
        const char *address = g_getenv(system ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS");

        if (address && *address)
                return g_strdup(address);
        return system ? g_strdup("unix:path=/run/dbus/system_bus_socket")
                      : g_strdup_printf("unix:path=%s/bus", g_get_user_runtime_dir());
}

/* The value of key in the first of the addresses, unescaped; NULL: it has none. */
static char *find_value(const char *address, const char *key)
{
        g_auto(GStrv) alternatives = g_strsplit(address, ";", 2);
        g_auto(GStrv) pairs = NULL;

        if (!alternatives[0] || !g_str_has_prefix(alternatives[0], "unix:"))
                return NULL;
        pairs = g_strsplit(alternatives[0] + strlen("unix:"), ",", -1);
        for (unsigned i = 0; pairs[i]; i++) {
                size_t length = strlen(key);

                if (strncmp(pairs[i], key, length) == 0 && pairs[i][length] == '=')
                        return g_uri_unescape_string(pairs[i] + length + 1, NULL);
        }
        return NULL;
}

static int connect_socket(const char *path, const char *abstract)
{
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        const char *text = path ? path : abstract;
        size_t skip = path ? 0 : 1;
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t length;

        if (!text || strlen(text) + skip >= sizeof(name.sun_path)) {
                errno = EINVAL;
                return -1;
        }
        memcpy(name.sun_path + skip, text, strlen(text));
        length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + skip + strlen(text) + (skip ? 0 : 1));
        if (fd < 0 || connect(fd, (struct sockaddr *)&name, length) < 0)
                return -1;
        return fd_steal(&fd);
}

static int connect_bus(bool system)
{
        g_autofree char *address = get_address(system), *path = find_value(address, "path");
        g_autofree char *abstract = path ? NULL : find_value(address, "abstract");

        return connect_socket(path, abstract);
}

static bool is_transient(void)
{
        return errno == EAGAIN || errno == EINTR;
}

/* False: it is over. */
static bool move(struct stream *stream, short can_read, short can_write)
{
        ssize_t count;

        if (can_read && stream->begin == stream->end) {
                count = read(stream->from, stream->buffer, sizeof(stream->buffer));
                if (count == 0 || (count < 0 && !is_transient()))
                        return false;
                stream->begin = 0;
                stream->end = count > 0 ? (size_t)count : 0;
        }
        if (can_write && stream->begin < stream->end) {
                count = write(stream->to, stream->buffer + stream->begin, stream->end - stream->begin);
                if (count < 0 && !is_transient())
                        return false;
                stream->begin += count > 0 ? (size_t)count : 0;
        }
        return true;
}

/* Whoever has nothing to write reads; a hang-up on either side is the end. */
static int copy(int bus)
{
        static struct stream streams[2];

        streams[0].from = STDIN_FILENO;
        streams[0].to = bus;
        streams[1].from = bus;
        streams[1].to = STDOUT_FILENO;
        for (;;) {
                struct pollfd fds[4];

                for (unsigned i = 0; i < 2; i++) {
                        bool full = streams[i].begin < streams[i].end;

                        fds[2 * i] = (struct pollfd){ full ? -1 : streams[i].from, POLLIN, 0 };
                        fds[2 * i + 1] = (struct pollfd){ full ? streams[i].to : -1, POLLOUT, 0 };
                }
                if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
                        return complain("cannot wait");
                for (unsigned i = 0; i < 2; i++) {
                        if (!move(&streams[i], fds[2 * i].revents, fds[2 * i + 1].revents))
                                return 0;
                }
        }
}

int bridge_run(bool system, const char *path)
{
        CLEANUP_FD int fd = path ? connect_socket(path, NULL) : connect_bus(system);

        signal(SIGPIPE, SIG_IGN);
        if (fd < 0)
                return complain(path ? path : "cannot connect to the bus");
        return copy(fd);
}
