/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of backends. Constant; any thread. */
#include "drivers/storage/backend.h"

#include "base/error.h"

static const struct backend *const backends[POOL_TYPE_COUNT] = {
        [POOL_DIR] = &backend_dir,         [POOL_FS] = &backend_fs,       [POOL_NETFS] = &backend_netfs,
        [POOL_LOGICAL] = &backend_logical, [POOL_DISK] = &backend_disk,   [POOL_ISCSI] = &backend_iscsi,
        [POOL_SCSI] = &backend_scsi,       [POOL_MPATH] = &backend_mpath, [POOL_RBD] = &backend_rbd,
        [POOL_ZFS] = &backend_zfs,
};

const struct backend *backend_get(enum pool_type type)
{
        return backends[type];
}

const struct backend *backend_require(enum pool_type type, GError **error)
{
        const struct backend *backend = backend_get(type);

        if (!backend)
                error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                          "storage pools of type '%s' cannot be managed here", pool_type_get_name(type));
        return backend;
}
