/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A socket in front of a bus. A thread accepts, and one for each connection copies; what they share is behind
 * the mutex.
 */

#include "tests/support/proxy.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/client.h"

struct proxy {
        /* const */
        char *path, *bus; /* owned */
        int listener;
        GThread *thread;
        /* mutex */
        GMutex mutex;
        GCond changed;
        GByteArray *pattern; /* owned; the member, as it stands in a message, NULL: nothing is waited for */
        bool reply;          /* what comes back is held, not the call */
        bool seen;           /* the call has gone by */
        bool held, cut, ended;
        unsigned connections;
};

struct connection {
        struct proxy *proxy;
        int client, bus;
};

static int make_socket(const char *path, struct sockaddr_un *address)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        g_strlcpy(address->sun_path, path, sizeof(address->sun_path));
        return fd;
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

/* Waits as long as these bytes are to be held. */
static void maybe_hold(struct proxy *proxy, const char *data, size_t length, bool from_bus)
{
        bool is_call;

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
        g_mutex_unlock(&proxy->mutex);
}

/* False: it is over. */
static bool copy(const struct connection *connection, bool from_bus)
{
        char data[65536];
        ssize_t count = recv(from_bus ? connection->bus : connection->client, data, sizeof(data), 0);

        if (count <= 0)
                return count < 0 && errno == EINTR;
        maybe_hold(connection->proxy, data, (size_t)count, from_bus);
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
        struct sockaddr_un address;
        int bus = make_socket(proxy->bus, &address);

        if (connect(bus, (struct sockaddr *)&address, sizeof(address)) < 0) {
                close(bus);
                close(client);
                g_free(connection);
                return;
        }
        *connection = (struct connection){ proxy, client, bus };
        g_mutex_lock(&proxy->mutex);
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
        struct sockaddr_un name;

        proxy->path = g_strdup(address + strlen("unix:path="));
        proxy->bus = g_strdup(bus + strlen("unix:path="));
        proxy->listener = make_socket(proxy->path, &name);
        ck_assert_int_eq(bind(proxy->listener, (struct sockaddr *)&name, sizeof(name)), 0);
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
        g_free(proxy->path);
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
        proxy->cut = false;
        g_mutex_unlock(&proxy->mutex);
}
