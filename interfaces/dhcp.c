/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DHCP clients. What was started is found again by a file "<link>.<family>.dhcp" in the runtime directory,
 * which holds the client's name: dhcpcd is told by its own means to end, udhcpc by its pid file. In a lane.
 */
#include "interfaces/dhcp.h"

#include "base/cleanup.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/store.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Until a client is in the background, or has given its lease back and ended. */
#define CLIENT_MS 15000

static const char *const families[INTERFACE_FAMILIES] = { "ipv4", "ipv6" };

struct request {
        struct lane *lane;       /* borrowed */
        const char *runtime_dir; /* borrowed */
        const char *name;        /* borrowed; of the link */
        unsigned family;         /* index of families */
        bool no_peer_dns;
};

struct client {
        const char *program;
        /* Can it do that? NULL: all of it. */
        bool (*check)(const struct request *request, GError **error);
        bool (*start)(const struct request *request, GError **error);
        void (*stop)(const struct request *request);
};

/* ---- dhcpcd ---- */

static const char *dhcpcd_family(const struct request *request)
{
        return request->family == 0 ? "-4" : "-6";
}

static bool start_dhcpcd(const struct request *request, GError **error)
{
        const char *const argv[] = {
                "dhcpcd",
                "--background",
                dhcpcd_family(request),
                request->no_peer_dns ? "--nohook" : "--quiet",
                request->no_peer_dns ? "resolv.conf" : request->name,
                request->no_peer_dns ? request->name : NULL,
                NULL,
        };

        return spawn_check(request->lane, argv, CLIENT_MS, NULL, error);
}

static void stop_dhcpcd(const struct request *request)
{
        const char *const argv[] = { "dhcpcd", "--release", dhcpcd_family(request), request->name, NULL };
        g_autoptr(GError) error = NULL;

        if (!spawn_check(request->lane, argv, CLIENT_MS, NULL, &error))
                log_gerror(LOG_LEVEL_INFO, error, "DHCP client of interface '%s'", request->name);
}

/* ---- udhcpc ---- */

static char *udhcpc_pid_file(const struct request *request)
{
        return g_strdup_printf("%s/%s.udhcpc", request->runtime_dir, request->name);
}

/* Is the process still that client? Numbers are used again; its command line has the pid file. */
static bool is_udhcpc(pid_t pid, const char *pid_file)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid), *text = NULL;
        size_t length;

        return g_file_get_contents(path, &text, &length, NULL) &&
               memmem(text, length, pid_file, strlen(pid_file) + 1);
}

/* A descriptor of the client's process; -1: it has ended. */
static int open_udhcpc(const char *pid_file)
{
        g_autofree char *text = store_read(pid_file, NULL);
        pid_t pid = text ? (pid_t)atoi(text) : 0;
        CLEANUP_FD int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

        return fd >= 0 && is_udhcpc(pid, pid_file) ? fd_steal(&fd) : -1;
}

static bool check_udhcpc(const struct request *request, GError **error)
{
        if (request->family != 0)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_CONFIG_UNSUPPORTED,
                                 "DHCP for IPv6 on interface '%s' needs dhcpcd, udhcpc has none",
                                 request->name);
        if (request->no_peer_dns)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_CONFIG_UNSUPPORTED,
                                 "<dhcp peerdns='no'/> on interface '%s' needs dhcpcd", request->name);
        return true;
}

/*
 * By itself it goes into the background only after it has looked for a server for long. The shell puts it
 * there at once, and notes its process before it is anywhere.
 */
static const char udhcpc_script[] = "setsid udhcpc -f -R -S -i \"$1\" -p \"$2\" </dev/null >/dev/null 2>&1 & "
                                    "echo $! >\"$2\" || kill $!";

static bool start_udhcpc(const struct request *request, GError **error)
{
        g_autofree char *pid_file = udhcpc_pid_file(request);
        const char *const argv[] = { "sh", "-c", udhcpc_script, "sh", request->name, pid_file, NULL };

        return spawn_check(request->lane, argv, CLIENT_MS, NULL, error);
}

/*
 * When it goes, its script takes the addresses away and leaves the link up: who sets it down has to wait for
 * that.
 */
static void stop_udhcpc(const struct request *request)
{
        g_autofree char *pid_file = udhcpc_pid_file(request);
        CLEANUP_FD int fd = open_udhcpc(pid_file);

        if (fd >= 0) {
                syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
                if (lane_wait(request->lane, fd, POLLIN, NULL, lane_deadline_in(CLIENT_MS)) != LANE_READY)
                        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
        }
        unlink(pid_file);
}

/* ---- any client ---- */

static const struct client clients[] = {
        { "dhcpcd", NULL, start_dhcpcd, stop_dhcpcd },
        { "udhcpc", check_udhcpc, start_udhcpc, stop_udhcpc },
};

static const struct client *find_client(const char *program)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(clients); i++)
                if (strcmp(clients[i].program, program) == 0)
                        return &clients[i];
        return NULL;
}

static const struct client *find_installed(void)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(clients); i++) {
                g_autofree char *path = g_find_program_in_path(clients[i].program);

                if (path)
                        return &clients[i];
        }
        return NULL;
}

static char *mark_name(const struct request *request)
{
        return g_strdup_printf("%s.%s.dhcp", request->name, families[request->family]);
}

static void stop_one(const struct request *request)
{
        g_autofree char *mark = mark_name(request);
        g_autofree char *path = g_build_filename(request->runtime_dir, mark, NULL);
        g_autofree char *program = store_read(path, NULL);
        const struct client *client = program ? find_client(program) : NULL;

        if (client)
                client->stop(request);
        if (program)
                store_remove(request->runtime_dir, mark, false, NULL);
}

/* The mark stands before the client does, so that a killed agent's client is found. */
static bool start_one(const struct request *request, GError **error)
{
        const struct client *client = find_installed();
        g_autofree char *mark = mark_name(request);

        stop_one(request);
        if (!store_write(request->runtime_dir, mark, client->program, false, error))
                return false;
        if (client->start(request, error))
                return true;
        store_remove(request->runtime_dir, mark, false, NULL);
        return false;
}

static bool check_one(const struct request *request, GError **error)
{
        const struct client *client = find_installed();

        if (!client)
                return error_set(
                        error, ERROR_FROM_INTERFACE, ERROR_OPERATION_FAILED,
                        "interface '%s' is to be set up by DHCP, and neither dhcpcd nor udhcpc is installed",
                        request->name);
        return !client->check || client->check(request, error);
}

static struct request make_request(struct lane *lane, const char *runtime_dir,
                                   const struct interface_def *def, unsigned family)
{
        return (struct request){
                .lane = lane,
                .runtime_dir = runtime_dir,
                .name = def->name,
                .family = family,
                .no_peer_dns = def->protocols[family].no_peer_dns,
        };
}

bool dhcp_check(const struct interface_def *def, GError **error)
{
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++) {
                const struct request request = make_request(NULL, NULL, def, i);

                if (def->protocols[i].dhcp && !check_one(&request, error))
                        return false;
        }
        return true;
}

bool dhcp_start(struct lane *lane, const char *runtime_dir, const struct interface_def *def, GError **error)
{
        if (!dhcp_check(def, error))
                return false;
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++) {
                const struct request request = make_request(lane, runtime_dir, def, i);

                if (!def->protocols[i].dhcp || start_one(&request, error))
                        continue;
                dhcp_stop(lane, runtime_dir, def->name);
                return false;
        }
        return true;
}

void dhcp_stop(struct lane *lane, const char *runtime_dir, const char *name)
{
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++)
                stop_one(&(struct request){
                        .lane = lane, .runtime_dir = runtime_dir, .name = name, .family = i });
}

bool dhcp_is_started(const char *runtime_dir, const char *name)
{
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++) {
                const struct request request = { .name = name, .family = i };
                g_autofree char *mark = mark_name(&request);

                if (store_is_marked(runtime_dir, mark))
                        return true;
        }
        return false;
}
