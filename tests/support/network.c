/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A network of the tests' own. No state. */
#include "tests/support/network.h"

#include <arpa/inet.h>
#include <glib.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void set_link(int fd, const char *name, const char *address)
{
        struct sockaddr_in ip = { .sin_family = AF_INET };
        struct ifreq request = { 0 };

        g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
        inet_pton(AF_INET, address, &ip.sin_addr);
        memcpy(&request.ifr_addr, &ip, sizeof(ip));
        ioctl(fd, SIOCSIFADDR, &request);
        memset(&request.ifr_ifru, 0, sizeof(request.ifr_ifru));
        request.ifr_flags = IFF_UP;
        ioctl(fd, SIOCSIFFLAGS, &request);
}

void network_leave(void)
{
        int fd;

        /* The lab is a machine of its own, whose servers are in its one network. */
        if (g_getenv("VIRTBUS_LAB") || unshare(CLONE_NEWNET) < 0)
                return;
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        set_link(fd, "lo", "127.0.0.1");
        set_link(fd, "lo:1", "192.0.2.1");
        close(fd);
}
