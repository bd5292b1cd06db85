/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams to other hosts. They belong to whoever uses them. */
#include "base/remote-tunnel.h"

#include "base/error.h"
#include "base/remote-bus.h"
#include "base/remote-way.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct remote_tunnel {
        struct remote_way way;
        int fd; /* owned; -1: it was given away */
};

/* The other side has chosen it, and a shell there reads it. */
static bool check_path(const char *path, GError **error)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
        g_autofree char *quoted = NULL;

        if (*path == '/' && strspn(path, plain) == strlen(path) &&
            strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
                return true;
        quoted = error_quote(path);
        return error_set(error, ERROR_FROM_RPC, ERROR_RPC, "'%s' is no socket that a tunnel can lead to",
                         quoted);
}

static int connect_here(const char *path, GError **error)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            fcntl(fd, F_SETFL, 0) < 0) {
                error_set_errno(error, ERROR_FROM_RPC, errno, "cannot connect to '%s'", path);
                return -1;
        }
        return fd_steal(&fd);
}

static int run(struct remote_tunnel *tunnel, const char *const *command, const char *path, GError **error)
{
        g_autofree char *option = g_strconcat("--bridge-to=", path, NULL);
        g_autoptr(GPtrArray) words = g_ptr_array_new();
        int fd;

        for (unsigned i = 0; command[i]; i++)
                g_ptr_array_add(words, (char *)command[i]);
        g_ptr_array_add(words, option);
        g_ptr_array_add(words, NULL);
        fd = remote_way_open(&tunnel->way, (const char *const *)words->pdata, path, error);
        /* Whoever sends may wait. */
        if (fd >= 0)
                fcntl(fd, F_SETFL, 0);
        return fd;
}

struct remote_tunnel *remote_tunnel_open(const struct remote_place *place, const char *path, GError **error)
{
        CLEANUP(remote_tunnel_free) struct remote_tunnel *tunnel = g_new(struct remote_tunnel, 1);
        const char *const *command = remote_place_get_command(place);

        *tunnel = (struct remote_tunnel){ REMOTE_WAY_NONE, -1 };
        if (!check_path(path, error))
                return NULL;
        tunnel->fd = command ? run(tunnel, command, path, error) : connect_here(path, error);
        return tunnel->fd >= 0 ? g_steal_pointer(&tunnel) : NULL;
}

int remote_tunnel_get_fd(const struct remote_tunnel *tunnel)
{
        return tunnel->fd;
}

void remote_tunnel_close_fd(struct remote_tunnel *tunnel)
{
        if (tunnel->fd >= 0)
                close(tunnel->fd);
        tunnel->fd = -1;
}

char *remote_tunnel_get_complaint(const struct remote_tunnel *tunnel)
{
        return remote_way_get_complaint(&tunnel->way);
}

void remote_tunnel_free(struct remote_tunnel *tunnel)
{
        if (!tunnel)
                return;
        remote_tunnel_close_fd(tunnel);
        remote_way_close(&tunnel->way);
        g_free(tunnel);
}
