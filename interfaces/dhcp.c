/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DHCP clients. What was started is found again by a file "<link>.<family>.dhcp" in the runtime directory,
 * which holds the client's name: dhcpcd is told by its own means to end, udhcpc by its pid file. In a lane.
 */
#include "interfaces/dhcp.h"

#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Until a client is in the background, or has ended. */
#define CLIENT_MS 15000
/* Until one in the background has said which process it is, and between two looks. */
#define SETTLE_MS       1000
#define SETTLE_PAUSE_MS 20

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

/* Is the process still that client? */
static bool is_udhcpc(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)pid), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) &&
               (g_str_has_prefix(text, "udhcpc") || g_str_has_prefix(text, "busybox"));
}

/*
 * The client's process; 0: it has ended. It writes its number down when it starts, and again a moment after
 * it has gone into the background, which nothing announces.
 */
static pid_t find_udhcpc(const struct request *request)
{
        g_autofree char *pid_file = udhcpc_pid_file(request);

        for (unsigned i = 0; i < SETTLE_MS / SETTLE_PAUSE_MS; i++) {
                g_autofree char *text = store_read(pid_file, NULL);
                pid_t pid = text ? (pid_t)atoi(text) : 0;

                if (pid > 1 && is_udhcpc(pid))
                        return pid;
                lane_wait(request->lane, -1, 0, NULL, lane_deadline_in(SETTLE_PAUSE_MS));
        }
        return 0;
}

static bool start_udhcpc(const struct request *request, GError **error)
{
        g_autofree char *pid_file = udhcpc_pid_file(request);
        const char *const argv[] = { "udhcpc", "-b", "-R", "-S", "-i", request->name, "-p", pid_file, NULL };

        if (request->family != 0)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_CONFIG_UNSUPPORTED,
                                 "DHCP for IPv6 on interface '%s' needs dhcpcd, udhcpc has none",
                                 request->name);
        if (request->no_peer_dns)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_CONFIG_UNSUPPORTED,
                                 "<dhcp peerdns='no'/> on interface '%s' needs dhcpcd", request->name);
        if (!spawn_check(request->lane, argv, CLIENT_MS, NULL, error))
                return false;
        find_udhcpc(request);
        return true;
}

static void stop_udhcpc(const struct request *request)
{
        g_autofree char *pid_file = udhcpc_pid_file(request);
        pid_t pid = find_udhcpc(request);

        if (pid)
                kill(pid, SIGTERM);
        unlink(pid_file);
}

/* ---- any client ---- */

static const struct client clients[] = {
        { "dhcpcd", start_dhcpcd, stop_dhcpcd },
        { "udhcpc", start_udhcpc, stop_udhcpc },
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

/* The mark stands before the client does, so that a killed agent's client is found. */
static bool start_one(const struct request *request, GError **error)
{
        const struct client *client = find_installed();
        g_autofree char *mark = mark_name(request);

        if (!client)
                return error_set(
                        error, ERROR_FROM_INTERFACE, ERROR_OPERATION_FAILED,
                        "interface '%s' is to be set up by DHCP, and neither dhcpcd nor udhcpc is installed",
                        request->name);
        if (!store_write(request->runtime_dir, mark, client->program, false, error))
                return false;
        if (client->start(request, error))
                return true;
        store_remove(request->runtime_dir, mark, false, NULL);
        return false;
}

bool dhcp_start(struct lane *lane, const char *runtime_dir, const struct interface_def *def, GError **error)
{
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++) {
                const struct request request = {
                        .lane = lane,
                        .runtime_dir = runtime_dir,
                        .name = def->name,
                        .family = i,
                        .no_peer_dns = def->protocols[i].no_peer_dns,
                };

                if (!def->protocols[i].dhcp || start_one(&request, error))
                        continue;
                dhcp_stop(lane, runtime_dir, def->name);
                return false;
        }
        return true;
}

void dhcp_stop(struct lane *lane, const char *runtime_dir, const char *name)
{
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++) {
                const struct request request = {
                        .lane = lane, .runtime_dir = runtime_dir, .name = name, .family = i
                };
                g_autofree char *mark = mark_name(&request);
                g_autofree char *path = g_build_filename(runtime_dir, mark, NULL);
                g_autofree char *program = store_read(path, NULL);
                const struct client *client = program ? find_client(program) : NULL;

                if (client)
                        client->stop(&request);
                if (program)
                        store_remove(runtime_dir, mark, false, NULL);
        }
}
