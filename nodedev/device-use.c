/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who has which device. Owns nothing but the uses that are not taken yet; those that are stand in a list of
 * the connection's devices. Loop thread unless said otherwise.
 */
#include "nodedev/device-use.h"

#include "base/error.h"
#include "base/loop.h"
#include "nodedev/node-devices-private.h"
#include "nodedev/pci.h"

#include <string.h>

#define ROOT ""

struct device_use {
        /* const */
        struct node_devices *devices; /* borrowed */
        enum device_use_kind kind;
        char *address, *user; /* owned */
        char **group; /* owned; of a PCI device: addresses of its IOMMU group, itself too. NULL: none */
        bool is_shared;
        /* loop */
        bool is_taken;
};

static const char *const nouns[DEVICE_USE_KINDS] = {
        [DEVICE_USE_PCI] = "PCI device",          [DEVICE_USE_USB] = "USB device",
        [DEVICE_USE_MDEV] = "mediated device",    [DEVICE_USE_SCSI] = "SCSI device",
        [DEVICE_USE_VHOST_SCSI] = "vhost target",
};

struct device_use *device_use_new(struct node_devices *devices, enum device_use_kind kind,
                                  const char *address, const char *user)
{
        struct device_use *use = g_new0(struct device_use, 1);

        use->devices = devices;
        use->kind = kind;
        use->address = g_strdup(address);
        use->user = g_strdup(user);
        use->group = kind == DEVICE_USE_PCI ? pci_list_group(ROOT, address) : NULL;
        return use;
}

void device_use_set_shared(struct device_use *use)
{
        use->is_shared = true;
}

void device_use_free(struct device_use *use)
{
        if (!use)
                return;
        if (use->is_taken)
                g_ptr_array_remove(use->devices->uses, use);
        g_free(use->address);
        g_free(use->user);
        g_strfreev(use->group);
        g_free(use);
}

enum device_use_kind device_use_get_kind(const struct device_use *use)
{
        return use->kind;
}

const char *device_use_get_address(const struct device_use *use)
{
        return use->address;
}

static const struct device_use *find(const struct node_devices *devices, enum device_use_kind kind,
                                     const char *address)
{
        for (unsigned i = 0; i < devices->uses->len; i++) {
                const struct device_use *use = g_ptr_array_index(devices->uses, i);

                if (use->kind == kind && strcmp(use->address, address) == 0)
                        return use;
        }
        return NULL;
}

const char *device_use_find_user(const struct node_devices *devices, enum device_use_kind kind,
                                 const char *address)
{
        const struct device_use *use = find(devices, kind, address);

        return use ? use->user : NULL;
}

/* The others of a group may be the same user's. */
static bool check_group(const struct device_use *use, GError **error)
{
        for (char **other = use->group; other && *other; other++) {
                const char *user = device_use_find_user(use->devices, DEVICE_USE_PCI, *other);

                if (user && strcmp(user, use->user) != 0)
                        return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                                         "PCI device %s is in one IOMMU group with %s, which is in use by %s",
                                         use->address, *other, user);
        }
        return true;
}

/* A detach or its like is on its way. */
static bool check_unchanging(const struct device_use *use, GError **error)
{
        g_autofree char *name = NULL;

        if (use->kind != DEVICE_USE_PCI)
                return true;
        name = g_strdelimit(g_strconcat("pci_", use->address, NULL), ":.", '_');
        if (!g_hash_table_contains(use->devices->changing, name))
                return true;
        return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                         "PCI device %s is being detached, given back or reset", use->address);
}

bool device_use_take(struct device_use *use, GError **error)
{
        const struct device_use *other = find(use->devices, use->kind, use->address);

        g_assert(on_loop(use->devices->loop));
        if (other && !(other->is_shared && use->is_shared))
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID, "%s %s is in use by %s",
                                 nouns[use->kind], use->address, other->user);
        if (!check_group(use, error) || !check_unchanging(use, error))
                return false;
        device_use_restore(use);
        return true;
}

void device_use_restore(struct device_use *use)
{
        g_assert(on_loop(use->devices->loop) && !use->is_taken);
        use->is_taken = true;
        g_ptr_array_add(use->devices->uses, use);
}

static void give_back(void *data)
{
        device_use_free(data);
}

void device_use_give_back(struct device_use *use)
{
        if (use)
                loop_post(use->devices->loop, give_back, use);
}
