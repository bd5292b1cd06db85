/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The service manager's protocol: a datagram of assignments to the socket that $NOTIFY_SOCKET names. Written
 * here rather than through sd_notify(), because that one blocks while nobody reads; the loop must not.
 */
#include "base/notify.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

/* How long a message that systemd acts upon may wait for room. */
#define PATIENCE_MS 100

static int connect_manager(void)
{
        const char *path = g_getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length = path ? strlen(path) : 0;
        CLEANUP_FD int fd = -1;

        if (length < 2 || length >= sizeof(address.sun_path) || (*path != '/' && *path != '@'))
                return -1;
        memcpy(address.sun_path, path, length);
        if (*path == '@')
                address.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
                return -1;
        return fd_steal(&fd);
}

static void tell(const char *text, int patience_ms)
{
        CLEANUP_FD int fd = connect_manager();
        struct pollfd manager = { .fd = fd, .events = POLLOUT };

        if (fd < 0)
                return;
        if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 && errno == EAGAIN &&
            poll(&manager, 1, patience_ms) > 0)
                send(fd, text, strlen(text), MSG_NOSIGNAL);
}

void notify_ready(void)
{
        tell("READY=1", PATIENCE_MS);
}

void notify_stopping(void)
{
        tell("STOPPING=1", PATIENCE_MS);
}

/* The time is what a service of Type=notify-reload has to say; others may. */
void notify_reloading(void)
{
        g_autofree char *text =
                g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" PRIi64, g_get_monotonic_time());

        tell(text, PATIENCE_MS);
}

/* What follows a line break would be another assignment. */
void notify_status(const char *format, ...)
{
        g_autofree char *text = NULL, *line = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        line = g_strconcat("STATUS=", g_strdelimit(text, "\r\n", ' '), NULL);
        tell(line, 0);
}

void notify_extend(unsigned ms)
{
        g_autofree char *text = g_strdup_printf("EXTEND_TIMEOUT_USEC=%" PRIu64, (uint64_t)ms * 1000);

        tell(text, PATIENCE_MS);
}

unsigned notify_get_watchdog_ms(void)
{
        uint64_t us = 0;

        return sd_watchdog_enabled(0, &us) > 0 ? (unsigned)CLAMP(us / 1000, 3, G_MAXINT) : 0;
}

void notify_alive(void)
{
        tell("WATCHDOG=1", 0);
}
