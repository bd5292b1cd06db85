/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IPv6 on links, by the kernel's files. No state. */
#include "interfaces/ipv6.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

static int open_file(const char *link, const char *key, int flags)
{
        g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/conf/%s/%s", link, key);

        return open(path, flags | O_CLOEXEC);
}

static char read_one(const char *link, const char *key)
{
        CLEANUP_FD int fd = open_file(link, key, O_RDONLY);
        char value;

        return fd >= 0 && read(fd, &value, 1) == 1 && g_ascii_isdigit(value) ? value : '\0';
}

struct ipv6_settings ipv6_read(const char *link)
{
        return (struct ipv6_settings){
                .disabled = read_one(link, "disable_ipv6"),
                .autoconf = read_one(link, "autoconf"),
                .accept_ra = read_one(link, "accept_ra"),
        };
}

static void write_one(const char *link, const char *key, char value)
{
        CLEANUP_FD int fd = -1;
        char now = read_one(link, key);

        if (!value || !now || now == value)
                return;
        fd = open_file(link, key, O_WRONLY);
        if (fd < 0 || write(fd, &value, 1) != 1)
                log_warning("cannot set '%s' of IPv6 on interface '%s' to %c: %m", key, link, value);
}

void ipv6_write(const char *link, const struct ipv6_settings *settings)
{
        write_one(link, "disable_ipv6", settings->disabled);
        write_one(link, "autoconf", settings->autoconf);
        write_one(link, "accept_ra", settings->accept_ra);
}
