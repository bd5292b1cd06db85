/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The virtual host bus adapters of pools: which one a pool means, and on which host it is to be.
 */
#include "drivers/storage/vhba.h"

#include "base/error.h"
#include "drivers/storage/scsi.h"
#include "nodedev/vport.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

bool vhba_find(const char *wwnn, const char *wwpn, unsigned *number)
{
        const struct vport_query query = { .wwnn = wwnn, .wwpn = wwpn };
        g_autofree char *host = vport_find(&query);

        return host && scsi_parse_host(host, number);
}

/* "host3"; owned. */
static char *find_parent(const struct pool_adapter *adapter, GError **error)
{
        const struct vport_query query = {
                .wwnn = adapter->parent_wwnn,
                .wwpn = adapter->parent_wwpn,
                .fabric = adapter->parent_fabric,
                .has_room = true,
        };
        unsigned number;
        char *host;

        if (adapter->parent && scsi_parse_host(adapter->parent, &number))
                return g_strdup_printf("host%u", number);
        if (adapter->parent) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "'%s' is no SCSI host",
                          adapter->parent);
                return NULL;
        }
        host = vport_find(&query);
        if (!host)
                error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                          "no Fibre Channel host fits as the parent of '%s'", adapter->wwpn);
        return host;
}

bool vhba_create(struct lane *lane, const struct pool_adapter *adapter, unsigned *number, GError **error)
{
        const struct vport_names names = { adapter->wwnn, adapter->wwpn };
        g_autofree char *parent = find_parent(adapter, error);
        g_autofree char *host = parent ? vport_create(lane, parent, &names, scsi_write_text, error) : NULL;

        return host && scsi_parse_host(host, number);
}

bool vhba_delete(struct lane *lane, const struct pool_adapter *adapter, unsigned number, GError **error)
{
        const struct vport_names names = { adapter->wwnn, adapter->wwpn };
        g_autofree char *link = g_strdup_printf("/sys/class/fc_host/host%u", number);
        char real[PATH_MAX], *vport;

        /* .../host3/vport-3:0-0/host8/fc_host/host8 */
        if (!realpath(link, real) || !(vport = strstr(real, "/vport-")))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                 "SCSI host %u is not a virtual adapter", number);
        *vport = '\0';
        return vport_delete(lane, strrchr(real, '/') + 1, &names, scsi_write_text, error);
}
