/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtual host bus adapters, through sysfs: /sys/class/fc_host. Nothing is kept.
 */
#include "drivers/storage/vhba.h"

#include "base/error.h"
#include "base/lane.h"
#include "drivers/storage/scsi.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* How long a new adapter may take to appear, and how often that is looked at. */
#define APPEAR_TIMEOUT_MS 30000u
#define APPEAR_STEP_MS    100u

/* Does the file have that name, be it "0x20000000c9831b4b" or without "0x"? */
static bool has_wwn(const char *dir, const char *file, const char *wwn)
{
        g_autofree char *text = scsi_read_text(dir, file);

        if (!text)
                return false;
        return g_ascii_strcasecmp(g_str_has_prefix(text, "0x") ? text + 2 : text, wwn) == 0;
}

struct search {
        const char *wwnn;   /* borrowed; NULL: any */
        const char *wwpn;   /* borrowed; NULL: any */
        const char *fabric; /* borrowed; NULL: any */
        bool is_parent;     /* it must be able to have another port */
        unsigned number;
};

static bool has_room(const char *dir)
{
        g_autofree char *max = scsi_read_text(dir, "max_npiv_vports"),
                        *used = scsi_read_text(dir, "npiv_vports_inuse");

        return max && used && g_ascii_strtoull(used, NULL, 10) < g_ascii_strtoull(max, NULL, 10);
}

static bool match(const char *dir, const char *name, void *data)
{
        struct search *search = data;

        return (!search->wwnn || has_wwn(dir, "node_name", search->wwnn)) &&
               (!search->wwpn || has_wwn(dir, "port_name", search->wwpn)) &&
               (!search->fabric || has_wwn(dir, "fabric_name", search->fabric)) &&
               (!search->is_parent || has_room(dir)) && scsi_parse_host(name, &search->number);
}

bool vhba_find(const char *wwnn, const char *wwpn, unsigned *number)
{
        struct search search = { .wwnn = wwnn, .wwpn = wwpn };

        if (!scsi_foreach("fc_host", match, &search))
                return false;
        *number = search.number;
        return true;
}

static bool find_parent(const struct pool_adapter *adapter, unsigned *number, GError **error)
{
        struct search search = {
                .wwnn = adapter->parent_wwnn,
                .wwpn = adapter->parent_wwpn,
                .fabric = adapter->parent_fabric,
                .is_parent = true,
        };

        if (adapter->parent)
                return scsi_parse_host(adapter->parent, number) ||
                       error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "'%s' is no SCSI host",
                                 adapter->parent);
        if (!scsi_foreach("fc_host", match, &search))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "no Fibre Channel host fits as the parent of '%s'", adapter->wwpn);
        *number = search.number;
        return true;
}

/* Tells a host to make or to remove a port; drivers have the file in one class or the other. */
static bool tell_parent(struct lane *lane, const struct pool_adapter *adapter, unsigned parent,
                        const char *what, GError **error)
{
        g_autofree char *path = g_strdup_printf("/sys/class/fc_host/host%u/%s", parent, what);
        g_autofree char *text = g_strdup_printf("%s:%s", adapter->wwpn, adapter->wwnn);

        if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
                g_free(path);
                path = g_strdup_printf("/sys/class/scsi_host/host%u/%s", parent, what);
        }
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "SCSI host %u cannot have virtual adapters", parent);
        return scsi_write_text(lane, path, text, error);
}

bool vhba_create(struct lane *lane, const struct pool_adapter *adapter, unsigned *number, GError **error)
{
        unsigned parent = 0, waited = 0;

        if (!find_parent(adapter, &parent, error) ||
            !tell_parent(lane, adapter, parent, "vport_create", error))
                return false;
        for (; !vhba_find(adapter->wwnn, adapter->wwpn, number); waited += APPEAR_STEP_MS) {
                if (waited < APPEAR_TIMEOUT_MS &&
                    lane_wait(lane, -1, 0, NULL, lane_deadline_in(APPEAR_STEP_MS)) == LANE_TIMEOUT)
                        continue;
                lane_shield(lane);
                tell_parent(lane, adapter, parent, "vport_delete", NULL);
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_TIMEOUT,
                                 "virtual adapter '%s' did not appear", adapter->wwpn);
        }
        return true;
}

bool vhba_delete(struct lane *lane, const struct pool_adapter *adapter, unsigned number, GError **error)
{
        g_autofree char *link = g_strdup_printf("/sys/class/fc_host/host%u", number);
        char real[PATH_MAX], *vport;
        unsigned parent;

        /* .../host3/vport-3:0-0/host8/fc_host/host8 */
        if (!realpath(link, real) || !(vport = strstr(real, "/vport-")))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "SCSI host %u is not a virtual adapter", number);
        *vport = '\0';
        if (!scsi_parse_host(strrchr(real, '/') + 1, &parent))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "virtual adapter %u has no parent", number);
        return tell_parent(lane, adapter, parent, "vport_delete", error);
}
