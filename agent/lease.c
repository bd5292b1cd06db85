/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtbus-lease: what dnsmasq runs as its dhcp-script when it lends, changes or takes back an address
 * (dnsmasq(8)). It hands on to the agent what it was told, in one datagram, and is gone; when there is no
 * agent, that is all. The agent's name of the network and its socket are in the environment that it gave to
 * dnsmasq. It needs nothing but libc, because it runs once for each lease.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 2048
/* For how long an agent that does not listen is waited for. */
#define PATIENCE_S 2

static const char *get(const char *variable)
{
        const char *value = getenv(variable);

        return value ? value : "";
}

static int is_of_a_lease(const char *action)
{
        return strcmp(action, "add") == 0 || strcmp(action, "old") == 0 || strcmp(action, "del") == 0;
}

/* argv: action, MAC address or DUID, address, name (may be missing). See drivers/network/lease-events.c. */
int main(int argc, char **argv)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timeval patience = { .tv_sec = PATIENCE_S };
        const char *path = get("VIRTBUS_LEASES");
        char message[MESSAGE_MAX];
        int fd, length;

        if (argc < 4 || !is_of_a_lease(argv[1]) || strlen(path) >= sizeof(address.sun_path))
                return EXIT_SUCCESS;
        length = snprintf(message, sizeof(message), "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s",
                          get("VIRTBUS_NETWORK"), argv[1], argv[2], argv[3], argc > 4 ? argv[4] : "",
                          get("DNSMASQ_CLIENT_ID"), get("DNSMASQ_IAID"), get("DNSMASQ_MAC"),
                          get("DNSMASQ_LEASE_EXPIRES"));
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || length < 0 || length >= MESSAGE_MAX)
                return EXIT_FAILURE;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        memcpy(address.sun_path, path, strlen(path));
        sendto(fd, message, (size_t)length, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof(address));
        close(fd);
        return EXIT_SUCCESS;
}
