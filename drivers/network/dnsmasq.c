/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dnsmasq of a network: it goes to the background by itself once it is ready, outlives the agent, and is
 * known again by its file of its pid and by its command line. Its end is told by a pidfd; then it is started
 * again, later each time. In the network's lane.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "drivers/network/model.h"
#include "drivers/network/port-holder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_TIMEOUT_MS 20000
#define STOP_TIMEOUT_MS  3000
/* Between its end and the next one; doubled up to the second. */
#define PAUSE_MS        200
#define PAUSE_MAX_MS    60000
#define PAUSE_DOUBLINGS 9

/* ---- files ---- */

/* dnsmasq reads them again without the rights that it was started with: nothing in them is secret. */
static bool write_file(const char *path, const char *text, GError **error)
{
        g_autofree char *directory = g_path_get_dirname(path), *name = g_path_get_basename(path);

        if (!store_write(directory, name, text, false, error))
                return false;
        if (chmod(directory, 0755) == 0 && chmod(path, 0644) == 0)
                return true;
        return error_set_errno(error, ERROR_FROM_NETWORK, errno, "cannot make %s readable", path);
}

static bool write_hosts(const struct network_files *files, const struct network_def *def, GError **error)
{
        g_autofree char *hosts = network_dnsmasq_format_hosts(def);
        g_autofree char *names = network_dnsmasq_format_names(def);

        return write_file(files->hosts, hosts, error) && write_file(files->names, names, error);
}

static bool write_files(const struct network_files *files, const struct network_def *def, GError **error)
{
        g_autofree char *text = network_dnsmasq_format(def, files, error);
        g_autofree char *directory = g_path_get_dirname(files->leases);

        return text && write_file(files->configuration, text, error) && write_hosts(files, def, error) &&
               store_make_dir(directory, error);
}

static void remove_files(const struct network_files *files)
{
        unlink(files->configuration);
        unlink(files->hosts);
        unlink(files->names);
        unlink(files->pid);
}

/* ---- the process ---- */

/* Is it the one that was started with that configuration, not another that has its number now? */
static bool is_ours(int pid, const char *configuration)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid), *line = NULL;
        gsize length;

        if (!g_file_get_contents(path, &line, &length, NULL))
                return false;
        for (gsize i = 0; i + 1 < length; i++)
                if (line[i] == '\0')
                        line[i] = ' ';
        return strstr(line, configuration) != NULL;
}

/* -1: there is none. */
static int open_process(const struct network_files *files)
{
        g_autofree char *text = NULL;
        CLEANUP_FD int fd = -1;
        int pid;

        if (!g_file_test(files->pid, G_FILE_TEST_EXISTS))
                return -1;
        text = store_read(files->pid, NULL);
        pid = text ? atoi(text) : 0;
        if (pid <= 1)
                return -1;
        fd = pidfd_open(pid, 0);
        return fd >= 0 && is_ours(pid, files->configuration) ? fd_steal(&fd) : -1;
}

static void follow(struct network *network);

/* ---- it ends ---- */

static void start_again(void *data)
{
        struct network *network = data;
        const struct managed_state *state = network->base.current;
        g_autoptr(GError) error = NULL;

        g_clear_pointer(&network->server.timer, lane_timer_free);
        if (!state || !state->active ||
            network_dnsmasq_start(network, network_def_const(state->active), &error))
                return;
        log_gerror(LOG_LEVEL_ERROR, error, "the dnsmasq of network '%s' does not start again",
                   managed_get_current_name(&network->base));
        follow(network);
}

static void handle_end(void *data)
{
        struct network *network = data;

        log_warning("the dnsmasq of network '%s' has ended: it is started again",
                    managed_get_current_name(&network->base));
        if (g_get_monotonic_time() - network->server.since_us > PAUSE_MAX_MS * G_TIME_SPAN_MILLISECOND)
                network->server.failures = 0;
        network_dnsmasq_forget(network);
        follow(network);
}

static void wait_for_turn(struct network *network)
{
        struct network_server *server = &network->server;
        unsigned pause = PAUSE_MS << MIN(server->failures, PAUSE_DOUBLINGS);

        server->failures++;
        server->timer = lane_timer_new(network->base.lane, MIN(pause, PAUSE_MAX_MS), start_again, network);
}

/* Until its end; when there is none, until it is tried again. */
static void follow(struct network *network)
{
        struct network_server *server = &network->server;
        g_autoptr(GError) error = NULL;

        if (server->pidfd < 0) {
                wait_for_turn(network);
                return;
        }
        server->since_us = g_get_monotonic_time();
        server->watch =
                lane_watch_new(network->base.lane, server->pidfd, POLLIN, handle_end, network, &error);
        if (error)
                log_gerror(LOG_LEVEL_WARNING, error,
                           "the end of the dnsmasq of network '%s' will go unnoticed",
                           managed_get_current_name(&network->base));
}

void network_dnsmasq_forget(struct network *network)
{
        struct network_server *server = &network->server;

        g_clear_pointer(&server->watch, lane_watch_free);
        g_clear_pointer(&server->timer, lane_timer_free);
        if (server->pidfd >= 0)
                close(server->pidfd);
        server->pidfd = -1;
}

/* ---- start and stop ---- */

static bool run(struct network *network, const struct network_files *files, GError **error)
{
        g_autofree char *option = g_strconcat("--conf-file=", files->configuration, NULL);
        const char *const argv[] = { "dnsmasq", option, NULL };
        g_autofree char *path = network_leases_get_socket(network->networks);
        /* For what it runs (virtbus-lease). */
        g_autofree char *socket = g_strconcat("VIRTBUS_LEASES=", path, NULL),
                        *name = g_strconcat("VIRTBUS_NETWORK=", network->base.uuid_text, NULL);
        const char *const variables[] = { socket, name, NULL };

        if (!spawn_check_with(network->base.lane, argv, variables, START_TIMEOUT_MS, error))
                return false;
        network->server.pidfd = open_process(files);
        return network->server.pidfd >= 0 || error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                                                       "the dnsmasq of network '%s' ended at once",
                                                       managed_get_current_name(&network->base));
}

/* It needs no time to end; who does not, does not get any. */
void network_dnsmasq_end(struct network *network, int pidfd)
{
        pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
        if (lane_wait(network->base.lane, pidfd, POLLIN, NULL, lane_deadline_in(STOP_TIMEOUT_MS)) ==
            LANE_READY)
                return;
        pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        lane_wait(network->base.lane, pidfd, POLLIN, NULL, lane_deadline_in(STOP_TIMEOUT_MS));
}

static bool end_lost(struct network *network, int pid)
{
        CLEANUP_FD int pidfd = pidfd_open(pid, 0);

        if (pidfd >= 0)
                network_dnsmasq_end(network, pidfd);
        return true;
}

#define PORT_DNS    53
#define PORT_DHCP   67
#define PORT_DHCPV6 547

/* In its place stands who has the port; true: that is a dnsmasq of ours that was lost, and it has been ended.
 */
static bool explain(struct network *network, const struct network_def *def, const struct network_files *files,
                    GError **error)
{
        static const unsigned ports[] = { PORT_DNS, PORT_DHCP, PORT_DHCPV6 };
        char address[NETWORK_ADDRESS_TEXT_MAX];
        struct port_holder holder;

        for (unsigned i = 0; i < def->ips->len * G_N_ELEMENTS(ports); i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i / G_N_ELEMENTS(ports));
                unsigned port = ports[i % G_N_ELEMENTS(ports)];

                if (!port_holder_find(&ip->address, port, &holder))
                        continue;
                if (holder.pid && is_ours(holder.pid, files->configuration))
                        return end_lost(network, holder.pid);
                g_clear_error(error);
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                                 "dnsmasq of network '%s' does not start: port %u of %s is taken by %s%s%s "
                                 "(process %d)",
                                 def->base.name, port, network_address_format(&ip->address, address),
                                 holder.pid ? "'" : "another", holder.name, holder.pid ? "'" : "",
                                 holder.pid);
        }
        return false;
}

static bool run_or_explain(struct network *network, const struct network_def *def,
                           const struct network_files *files, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (run(network, files, &failure))
                return true;
        if (strstr(failure->message, "Address already in use") && explain(network, def, files, &failure))
                return run(network, files, error);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

/* Has an agent of another version started it in another way? */
static bool is_outdated(const struct network_files *files, const struct network_def *def)
{
        g_autofree char *text = network_dnsmasq_format(def, files, NULL),
                        *present = store_read(files->configuration, NULL);

        return text && g_strcmp0(text, present) != 0;
}

/* One that is found says again what it has lent: its file may have been half written when it was read. */
static void take_over(struct network *network, const struct network_def *def,
                      const struct network_files *files)
{
        if (is_outdated(files, def)) {
                network_dnsmasq_end(network, network->server.pidfd);
                network_dnsmasq_forget(network);
        }
        network_leases_load(network, def, network->server.pidfd >= 0);
        if (network->server.pidfd >= 0)
                pidfd_send_signal(network->server.pidfd, SIGHUP, NULL, 0);
}

static void find(struct network *network, const struct network_def *def, const struct network_files *files)
{
        network->server.pidfd = open_process(files);
        if (!network->leases && network->server.pidfd >= 0)
                take_over(network, def, files);
        else if (!network->leases)
                network_leases_load(network, def, false);
        else if (network->server.pidfd < 0)
                network_leases_drop_lost(network, def);
}

bool network_dnsmasq_start(struct network *network, const struct network_def *def, GError **error)
{
        struct network_files files;
        bool started = true;

        if (!network_dnsmasq_is_needed(def))
                return true;
        network_files_init(&files, network);
        network_dnsmasq_forget(network);
        find(network, def, &files);
        if (network->server.pidfd < 0)
                started = write_files(&files, def, error) && run_or_explain(network, def, &files, error);
        network_files_clear(&files);
        if (started)
                follow(network);
        return started;
}

bool network_dnsmasq_runs(const struct network *network)
{
        struct network_files files;
        CLEANUP_FD int pidfd = -1;

        network_files_init(&files, network);
        pidfd = open_process(&files);
        network_files_clear(&files);
        return pidfd >= 0;
}

bool network_dnsmasq_reload(struct network *network, const struct network_def *def, GError **error)
{
        struct network_files files;
        bool written;

        if (!network_dnsmasq_is_needed(def))
                return true;
        network_files_init(&files, network);
        written = write_hosts(&files, def, error);
        network_files_clear(&files);
        if (written && network->server.pidfd >= 0)
                pidfd_send_signal(network->server.pidfd, SIGHUP, NULL, 0);
        return written;
}

void network_dnsmasq_stop(struct network *network)
{
        struct network_files files;
        CLEANUP_FD int pidfd = -1;

        network_dnsmasq_forget(network);
        network->server.failures = 0;
        network_files_init(&files, network);
        pidfd = open_process(&files);
        if (pidfd >= 0)
                network_dnsmasq_end(network, pidfd);
        remove_files(&files);
        network_files_clear(&files);
}
