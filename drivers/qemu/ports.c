/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Display ports. Any thread.
 */
#include "drivers/qemu/ports.h"

#include "base/cleanup.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

static bool is_port(int port)
{
        return port > 0 && port <= PORTS_LAST;
}

bool ports_claim(struct ports *ports, int port)
{
        guint bit;

        if (!is_port(port))
                return false;
        bit = 1U << (port % 32);
        return !(g_atomic_int_or(&ports->words[port / 32], bit) & bit);
}

void ports_release(struct ports *ports, int port)
{
        if (is_port(port))
                g_atomic_int_and(&ports->words[port / 32], ~(1U << (port % 32)));
}

/* The wildcard address is refused when anybody listens on any address. */
static bool can_bind(int family, int port)
{
        CLEANUP_FD int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
        struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        const struct sockaddr *address =
                family == AF_INET ? (const struct sockaddr *)&four : (const struct sockaddr *)&six;
        int on = 1;

        if (fd < 0)
                return errno == EAFNOSUPPORT;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (family == AF_INET6)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        return bind(fd, address, family == AF_INET ? sizeof(four) : sizeof(six)) == 0 ||
               errno == EADDRNOTAVAIL;
}

int ports_claim_free(struct ports *ports, int first, int last)
{
        for (int port = first; port <= MIN(last, PORTS_LAST); port++) {
                if (!ports_claim(ports, port))
                        continue;
                if (can_bind(AF_INET, port) && can_bind(AF_INET6, port))
                        return port;
                ports_release(ports, port);
        }
        return -1;
}
