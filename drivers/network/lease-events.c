/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What dnsmasq tells of its leases, by way of the program virtbus-lease (agent/lease.c): a datagram for each
 * change, which the loop hands to the lane of its network. Nobody but root and the agent's own user can
 * write to the socket. What is said while no agent listens is lost, and made up for by the file of leases.
 */
#include "base/error.h"
#include "base/log.h"
#include "drivers/network/model.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "leases.socket"
#define MESSAGE_MAX 2048
/* In a turn of the loop. */
#define BATCH 64

/* The lines of a message. */
enum {
        FIELD_NETWORK,
        FIELD_ACTION,
        FIELD_OWNER, /* a MAC address; of IPv6 a DUID */
        FIELD_ADDRESS,
        FIELD_HOSTNAME,
        FIELD_CLIENT_ID, /* of IPv4 */
        FIELD_IAID,      /* of IPv6 */
        FIELD_MAC,       /* of IPv6, where it is known */
        FIELD_EXPIRY,
        FIELD_COUNT,
};

/* ---- one message ---- */

static char *copy(const char *text)
{
        return *text ? g_strdup(text) : NULL;
}

/* What reaches clients is text; anything else is none of dnsmasq's. */
static char *copy_name(const char *text)
{
        return g_utf8_validate(text, -1, NULL) ? copy(text) : NULL;
}

static struct network_lease *read_lease(char **fields)
{
        struct network_lease *lease = g_new0(struct network_lease, 1);

        if (!network_address_parse(fields[FIELD_ADDRESS], &lease->address)) {
                g_free(lease);
                return NULL;
        }
        lease->hostname = copy_name(fields[FIELD_HOSTNAME]);
        lease->expiry = g_ascii_strtoll(fields[FIELD_EXPIRY], NULL, 10);
        if (lease->address.family == AF_INET6) {
                lease->client_id = copy_name(fields[FIELD_OWNER]);
                lease->iaid = copy_name(fields[FIELD_IAID]);
                lease->mac = copy_name(fields[FIELD_MAC]);
        } else {
                lease->mac = copy_name(fields[FIELD_OWNER]);
                lease->client_id = copy_name(fields[FIELD_CLIENT_ID]);
        }
        return lease;
}

static void message_free(void *data)
{
        struct network_lease_message *message = data;

        network_lease_free(message->lease);
        g_free(message);
}

static void take_message(struct networks *networks, const char *text)
{
        g_auto(GStrv) fields = g_strsplit(text, "\n", FIELD_COUNT);
        struct network_lease_message *message;
        struct managed *object;
        struct network_lease *lease;
        struct uuid uuid;

        if (g_strv_length(fields) != FIELD_COUNT || !uuid_parse(&uuid, fields[FIELD_NETWORK], NULL))
                return;
        object = registry_find_uuid(networks->registry, &uuid);
        lease = object ? read_lease(fields) : NULL;
        if (!lease)
                return;
        message = g_new0(struct network_lease_message, 1);
        message->lease = lease;
        message->is_removed = strcmp(fields[FIELD_ACTION], "del") == 0;
        managed_run_task(object,
                         &(const struct managed_task){
                                 .work = network_leases_take, .args = message, .free_args = message_free },
                         NULL, NULL);
}

static void on_readable(int fd, short revents, void *data)
{
        struct networks *networks = data;
        char text[MESSAGE_MAX + 1];

        for (unsigned i = 0; i < BATCH; i++) {
                ssize_t length = recv(fd, text, MESSAGE_MAX, MSG_DONTWAIT);

                if (length <= 0)
                        return;
                text[length] = '\0';
                take_message(networks, text);
        }
}

/* ---- the socket ---- */

char *network_leases_get_socket(const struct networks *networks)
{
        return g_build_filename(networks->runtime_dir, SOCKET_NAME, NULL);
}

static bool bind_to(int fd, const char *path, GError **error)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(address.sun_path))
                return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                                 "the path %s is too long for a socket", path);
        memcpy(address.sun_path, path, strlen(path));
        unlink(path);
        return bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
               error_set_errno(error, ERROR_FROM_NETWORK, errno, "cannot listen at %s", path);
}

static bool listen_at(struct networks *networks, const char *path, GError **error)
{
        struct lease_socket *leases = &networks->lease_socket;

        if (!store_make_dir(networks->runtime_dir, error))
                return false;
        leases->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (leases->fd < 0)
                return error_set_errno(error, ERROR_FROM_NETWORK, errno, "cannot make a socket");
        if (fchmod(leases->fd, 0600) < 0 || !bind_to(leases->fd, path, error)) {
                close(leases->fd);
                leases->fd = -1;
                return false;
        }
        leases->watch = loop_watch_new(networks->loop, leases->fd, POLLIN, on_readable, networks);
        return true;
}

void network_leases_listen(struct networks *networks)
{
        g_autofree char *path = network_leases_get_socket(networks);
        g_autoptr(GError) error = NULL;

        if (!networks->lease_program)
                return;
        if (!listen_at(networks, path, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "leases of networks are not announced");
}

/* The name goes, so that what dnsmasq runs knows at once that nobody listens. */
void network_leases_unlisten(struct networks *networks)
{
        struct lease_socket *leases = &networks->lease_socket;
        g_autofree char *path = NULL;

        if (!leases->watch)
                return;
        path = network_leases_get_socket(networks);
        unlink(path);
        loop_watch_free(leases->watch);
        close(leases->fd);
        *leases = (struct lease_socket){ .fd = -1 };
}
