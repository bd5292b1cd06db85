/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual host bus adapters, through sysfs. Nothing is kept. Lanes. */
#include "nodedev/vport.h"

#include "base/error.h"
#include "base/lane.h"

#include <string.h>
#include <unistd.h>

#define HOSTS "/sys/class/fc_host"
/* The kernel makes them in its own time, and does not say when it is done. */
#define STEP_MS 50u
#define WAIT_MS 28000u

/* Does the file have that name, be it "0x20000000c9831b4b" or without "0x"? */
static bool has_name(const char *host, const char *file, const char *name)
{
        g_autofree char *path = g_build_filename(HOSTS, host, file, NULL), *text = NULL;

        if (!name)
                return true;
        if (!g_file_get_contents(path, &text, NULL, NULL))
                return false;
        g_strstrip(text);
        return g_ascii_strcasecmp(g_str_has_prefix(text, "0x") ? text + 2 : text, name) == 0;
}

static guint64 read_number(const char *host, const char *file)
{
        g_autofree char *path = g_build_filename(HOSTS, host, file, NULL), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

static bool fits(const char *host, const struct vport_query *query)
{
        return has_name(host, "node_name", query->wwnn) && has_name(host, "port_name", query->wwpn) &&
               has_name(host, "fabric_name", query->fabric) &&
               (!query->has_room ||
                read_number(host, "npiv_vports_inuse") < read_number(host, "max_npiv_vports"));
}

char *vport_find(const struct vport_query *query)
{
        g_autoptr(GDir) hosts = g_dir_open(HOSTS, 0, NULL);
        const char *host;

        while (hosts && (host = g_dir_read_name(hosts)))
                if (fits(host, query))
                        return g_strdup(host);
        return NULL;
}

/* Drivers have the file in one class or the other. */
static bool tell(struct lane *lane, const char *host, const char *what, const struct vport_names *names,
                 vport_write write, GError **error)
{
        static const char *const classes[] = { HOSTS, "/sys/class/scsi_host" };
        g_autofree char *text = g_strdup_printf("%s:%s", names->wwpn, names->wwnn);

        for (unsigned i = 0; i < G_N_ELEMENTS(classes); i++) {
                g_autofree char *path = g_build_filename(classes[i], host, what, NULL);

                if (access(path, F_OK) == 0)
                        return write(lane, path, text, error);
        }
        return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                         "SCSI host '%s' cannot have virtual adapters", host);
}

/* It is there when its folder is. */
static char *find_port(const struct vport_names *names)
{
        const struct vport_query query = { .wwnn = names->wwnn, .wwpn = names->wwpn };
        g_autofree char *host = vport_find(&query);
        g_autofree char *device = host ? g_build_filename(HOSTS, host, "device", NULL) : NULL;

        return device && access(device, F_OK) == 0 ? g_steal_pointer(&host) : NULL;
}

/* False with an error when it is time to give up. */
static bool wait_a_step(struct lane *lane, lane_deadline deadline, const struct vport_names *names,
                        GError **error)
{
        if (lane_wait(lane, -1, 0, NULL, lane_deadline_in(STEP_MS)) != LANE_TIMEOUT)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_ABORTED,
                                 "virtual adapter '%s': interrupted", names->wwpn);
        return lane_deadline_in(0) < deadline ||
               error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_TIMEOUT,
                         "virtual adapter '%s' did not appear", names->wwpn);
}

char *vport_create(struct lane *lane, const char *host, const struct vport_names *names, vport_write write,
                   GError **error)
{
        lane_deadline deadline = lane_deadline_in(WAIT_MS);
        char *port;

        if (!tell(lane, host, "vport_create", names, write, error))
                return NULL;
        while (!(port = find_port(names)))
                if (!wait_a_step(lane, deadline, names, error)) {
                        lane_shield(lane);
                        vport_delete(lane, host, names, write, NULL);
                        return NULL;
                }
        return port;
}

bool vport_delete(struct lane *lane, const char *host, const struct vport_names *names, vport_write write,
                  GError **error)
{
        return tell(lane, host, "vport_delete", names, write, error);
}
