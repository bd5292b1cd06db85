/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A socket in front of a bus. A thread accepts, and one for each connection copies; what they share is behind
 * the mutex.
 */

#include "tests/support/proxy.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>

#include "tests/support/client.h"

struct proxy {
        /* const */
        char *bus; /* owned */
        int listener;
        GThread *thread;
        /* mutex */
        GMutex mutex;
        GCond changed;
        GByteArray *pattern; /* owned; the member, as it stands in a message, NULL: nothing is waited for */
        bool reply;          /* what comes back is held, not the call */
        bool seen;           /* the call has gone by */
        bool held, cut, ended;
        unsigned connections, made; /* that there are; that there have been */
        unsigned stall_from;        /* the first that is stalled; G_MAXUINT: none */
        size_t stall_bytes;         /* that those may carry before */
        bool stalled;
};

struct connection {
        struct proxy *proxy;
        unsigned number;
        int client, bus;
};

/* Of an address, "unix:path=..." or "tcp:IPV4:PORT". */
union address {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
};

static int make_socket(const char *text, union address *address, socklen_t *length)
{
        g_auto(GStrv) parts = NULL;

        memset(address, 0, sizeof(*address));
        if (g_str_has_prefix(text, "unix:path=")) {
                address->un.sun_family = AF_UNIX;
                g_strlcpy(address->un.sun_path, text + strlen("unix:path="), sizeof(address->un.sun_path));
                *length = sizeof(address->un);
                return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        }
        parts = g_strsplit(text, ":", 3);
        ck_assert_uint_eq(g_strv_length(parts), 3);
        address->in.sin_family = AF_INET;
        address->in.sin_port = htons((uint16_t)atoi(parts[2]));
        ck_assert_int_eq(inet_pton(AF_INET, parts[1], &address->in.sin_addr), 1);
        *length = sizeof(address->in);
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool write_all(int fd, const char *data, size_t length)
{
        while (length > 0) {
                ssize_t count = send(fd, data, length, MSG_NOSIGNAL);

                if (count < 0 && errno == EINTR)
                        continue;
                if (count <= 0)
                        return false;
                data += count;
                length -= (size_t)count;
        }
        return true;
}

/* Waits as long as these bytes are to be held; false: they are lost with the connection. */
static bool maybe_hold(struct proxy *proxy, const char *data, size_t length, bool from_bus)
{
        bool is_call, is_cut;

        g_mutex_lock(&proxy->mutex);
        is_call = !from_bus && proxy->pattern &&
                  memmem(data, length, proxy->pattern->data, proxy->pattern->len);
        if (is_call)
                proxy->seen = true;
        if (proxy->pattern && proxy->seen && from_bus == proxy->reply && (from_bus || is_call)) {
                proxy->held = true;
                g_cond_broadcast(&proxy->changed);
                while (proxy->held && !proxy->ended)
                        g_cond_wait(&proxy->changed, &proxy->mutex);
        }
        is_cut = proxy->cut || proxy->ended;
        g_mutex_unlock(&proxy->mutex);
        return !is_cut;
}

/* Stays here as long as the connection is stalled; length more bytes are to go to the bus. */
static void maybe_stall(const struct connection *connection, size_t length)
{
        struct proxy *proxy = connection->proxy;

        g_mutex_lock(&proxy->mutex);
        if (connection->number >= proxy->stall_from) {
                proxy->stalled = proxy->stalled || length >= proxy->stall_bytes;
                proxy->stall_bytes -= MIN(length, proxy->stall_bytes);
        }
        while (connection->number >= proxy->stall_from && proxy->stalled && !proxy->cut && !proxy->ended)
                g_cond_wait(&proxy->changed, &proxy->mutex);
        g_mutex_unlock(&proxy->mutex);
}

/* False: it is over. */
static bool copy(const struct connection *connection, bool from_bus)
{
        char data[65536];
        ssize_t count = recv(from_bus ? connection->bus : connection->client, data, sizeof(data), 0);

        if (count <= 0)
                return count < 0 && errno == EINTR;
        if (!maybe_hold(connection->proxy, data, (size_t)count, from_bus))
                return false;
        maybe_stall(connection, from_bus ? 0 : (size_t)count);
        return write_all(from_bus ? connection->client : connection->bus, data, (size_t)count);
}

static bool is_cut(struct proxy *proxy)
{
        bool is;

        g_mutex_lock(&proxy->mutex);
        is = proxy->cut || proxy->ended;
        g_mutex_unlock(&proxy->mutex);
        return is;
}

static void *serve(void *data)
{
        struct connection *connection = data;
        struct proxy *proxy = connection->proxy;

        while (!is_cut(proxy)) {
                struct pollfd fds[] = { { connection->client, POLLIN, 0 }, { connection->bus, POLLIN, 0 } };

                maybe_stall(connection, 0);
                if (poll(fds, 2, 20) <= 0)
                        continue;
                if ((fds[0].revents && !copy(connection, false)) ||
                    (fds[1].revents && !copy(connection, true)))
                        break;
        }
        close(connection->client);
        close(connection->bus);
        g_free(connection);
        g_mutex_lock(&proxy->mutex);
        proxy->connections--;
        g_cond_broadcast(&proxy->changed);
        g_mutex_unlock(&proxy->mutex);
        return NULL;
}

static void connect_to_bus(struct proxy *proxy, int client)
{
        struct connection *connection = g_new(struct connection, 1);
        union address address;
        socklen_t length;
        int bus = make_socket(proxy->bus, &address, &length);

        if (connect(bus, &address.any, length) < 0) {
                close(bus);
                close(client);
                g_free(connection);
                return;
        }
        g_mutex_lock(&proxy->mutex);
        *connection = (struct connection){ proxy, proxy->made++, client, bus };
        proxy->connections++;
        g_mutex_unlock(&proxy->mutex);
        g_thread_unref(g_thread_new("connection", serve, connection));
}

static void *listen_for_all(void *data)
{
        struct proxy *proxy = data;
        int client;

        while ((client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                connect_to_bus(proxy, client);
        return NULL;
}

struct proxy *proxy_new(const char *address, const char *bus)
{
        struct proxy *proxy = g_new0(struct proxy, 1);
        union address name;
        socklen_t length;
        int on = 1;

        proxy->bus = g_strdup(bus);
        proxy->stall_from = G_MAXUINT;
        proxy->listener = make_socket(address, &name, &length);
        /* Connections of the one before it may not be forgotten yet. */
        setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        ck_assert_int_eq(bind(proxy->listener, &name.any, length), 0);
        ck_assert_int_eq(listen(proxy->listener, 16), 0);
        g_mutex_init(&proxy->mutex);
        g_cond_init(&proxy->changed);
        proxy->thread = g_thread_new("proxy", listen_for_all, proxy);
        return proxy;
}

static void wait_for_connections(struct proxy *proxy)
{
        while (proxy->connections > 0)
                g_cond_wait(&proxy->changed, &proxy->mutex);
}

void proxy_free(struct proxy *proxy)
{
        if (!proxy)
                return;
        shutdown(proxy->listener, SHUT_RDWR);
        g_thread_join(proxy->thread);
        g_mutex_lock(&proxy->mutex);
        proxy->ended = true;
        g_cond_broadcast(&proxy->changed);
        wait_for_connections(proxy);
        g_mutex_unlock(&proxy->mutex);
        close(proxy->listener);
        if (proxy->pattern)
                g_byte_array_unref(proxy->pattern);
        g_mutex_clear(&proxy->mutex);
        g_cond_clear(&proxy->changed);
        g_free(proxy->bus);
        g_free(proxy);
}

/* A string in a message has its length before it. */
void proxy_hold(struct proxy *proxy, const char *member, bool reply)
{
        guint32 length = GUINT32_TO_LE((guint32)strlen(member));

        g_mutex_lock(&proxy->mutex);
        g_assert(!proxy->pattern);
        proxy->pattern = g_byte_array_new();
        g_byte_array_append(proxy->pattern, (const guint8 *)&length, sizeof(length));
        g_byte_array_append(proxy->pattern, (const guint8 *)member, (guint)strlen(member) + 1);
        proxy->reply = reply;
        proxy->seen = proxy->held = false;
        g_mutex_unlock(&proxy->mutex);
}

bool proxy_is_held(struct proxy *proxy)
{
        bool held;

        g_mutex_lock(&proxy->mutex);
        held = proxy->held;
        g_mutex_unlock(&proxy->mutex);
        return held;
}

void proxy_release(struct proxy *proxy)
{
        g_mutex_lock(&proxy->mutex);
        if (proxy->pattern)
                g_byte_array_unref(proxy->pattern);
        proxy->pattern = NULL;
        proxy->held = false;
        g_cond_broadcast(&proxy->changed);
        g_mutex_unlock(&proxy->mutex);
}

void proxy_cut(struct proxy *proxy)
{
        g_mutex_lock(&proxy->mutex);
        if (proxy->pattern)
                g_byte_array_unref(proxy->pattern);
        proxy->pattern = NULL;
        proxy->held = false;
        proxy->cut = true;
        g_cond_broadcast(&proxy->changed);
        wait_for_connections(proxy);
        proxy->cut = proxy->stalled = false;
        proxy->stall_from = G_MAXUINT;
        g_mutex_unlock(&proxy->mutex);
}

void proxy_stall(struct proxy *proxy, unsigned after_connections, size_t after_bytes)
{
        g_mutex_lock(&proxy->mutex);
        proxy->stall_from = after_connections;
        proxy->stall_bytes = after_bytes;
        g_mutex_unlock(&proxy->mutex);
}

bool proxy_is_stalled(struct proxy *proxy)
{
        bool stalled;

        g_mutex_lock(&proxy->mutex);
        stalled = proxy->stalled;
        g_mutex_unlock(&proxy->mutex);
        return stalled;
}

void proxy_go_on(struct proxy *proxy)
{
        g_mutex_lock(&proxy->mutex);
        proxy->stalled = false;
        proxy->stall_from = G_MAXUINT;
        g_cond_broadcast(&proxy->changed);
        g_mutex_unlock(&proxy->mutex);
}
