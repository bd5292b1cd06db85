/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI devices change hands. Loop thread, but for the work.
 */
#include "base/flags.h"
#include "base/log.h"
#include "nodedev/change.h"
#include "nodedev/device-use.h"
#include "nodedev/pci.h"

#include <string.h>
#include <unistd.h>

#define ROOT ""

/* ---- the work; the device's lane ---- */

static bool detach(struct lane *lane, struct change *change, GError **error)
{
        g_autofree char *group = pci_get_group(ROOT, change->pci, error), *holders = NULL;

        if (!group || !pci_load_vfio(lane, ROOT, error) || !pci_detach(NULL, ROOT, change->pci, error))
                return false;
        holders = pci_describe_group_holders(ROOT, change->pci);
        if (holders)
                log_notice(
                        "no guest can have PCI device %s before the rest of its IOMMU group is detached: %s",
                        change->pci, holders);
        return true;
}

static bool reattach(struct lane *lane, struct change *change, GError **error)
{
        return pci_give_back(NULL, ROOT, change->pci, error);
}

/* Others on its bus may be in use: the kernel does not reset a bus for one of several, see pci_reset(). */
static bool reset(struct lane *lane, struct change *change, GError **error)
{
        g_autofree char *driver = pci_get_driver(ROOT, change->pci);

        if (driver && !pci_is_vfio(ROOT, change->pci))
                return error_set(
                        error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                        "PCI device %s is in use by its host (driver %s): it has to be detached first",
                        change->pci, driver);
        return pci_reset(NULL, ROOT, change->pci, error);
}

static const struct change_kind detach_kind = { "NodeDeviceDetachFlags", "detached", detach };
static const struct change_kind reattach_kind = { "NodeDeviceReAttach", "given back", reattach, true };
static const struct change_kind reset_kind = { "NodeDeviceReset", "reset", reset };

/* ---- asking for it ---- */

static bool check_unused(const struct node_devices *devices, const char *pci, const char *wanted,
                         GError **error)
{
        const char *user = device_use_find_user(devices, DEVICE_USE_PCI, pci);

        if (!user)
                return true;
        if (strcmp(pci, wanted) == 0)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                                 "PCI device %s is in use by %s", pci, user);
        return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                         "PCI device %s is in one IOMMU group with %s, which is in use by %s", wanted, pci,
                         user);
}

static bool check(const struct node_devices *devices, const struct node_device *device,
                  const struct change_kind *kind, GError **error)
{
        if (!devices->source)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_NO_SUPPORT, "vir%s", kind->function);
        if (!device->pci)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_INVALID_ARG,
                                 "device %s is not a PCI device", device->name);
        if (!check_unused(devices, device->pci, device->pci, error))
                return false;
        for (char **other = kind->is_of_group ? device->iommu_group : NULL; other && *other; other++)
                if (!check_unused(devices, *other, device->pci, error))
                        return false;
        return true;
}

static void start(struct node_devices *devices, const struct node_device *device,
                  const struct change_kind *kind, node_device_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct change *change;

        if (!check(devices, device, kind, &error)) {
                done(error, data);
                return;
        }
        change = change_new(kind, g_strdup_printf("PCI device %s", device->pci), done, data);
        change->pci = g_strdup(device->pci);
        change->path = g_strdup(device->sysfs_path);
        change_start(devices, device->name, change);
}

void node_device_detach(struct node_devices *devices, const struct node_device *device, const char *driver,
                        unsigned flags, node_device_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *quoted = NULL;

        if (!flags_check(flags, 0, ERROR_FROM_NODEDEV, detach_kind.function, &error)) {
                done(error, data);
                return;
        }
        if (!*driver || strcmp(driver, "vfio") == 0) {
                start(devices, device, &detach_kind, done, data);
                return;
        }
        quoted = error_quote(driver);
        error_set(&error, ERROR_FROM_NODEDEV, ERROR_INVALID_ARG, "unknown driver name '%s'", quoted);
        done(error, data);
}

void node_device_reattach(struct node_devices *devices, const struct node_device *device,
                          node_device_done done, void *data)
{
        start(devices, device, &reattach_kind, done, data);
}

void node_device_reset(struct node_devices *devices, const struct node_device *device, node_device_done done,
                       void *data)
{
        start(devices, device, &reset_kind, done, data);
}
