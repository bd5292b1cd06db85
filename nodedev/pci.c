/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI devices in sysfs. No state.
 */
#include "nodedev/pci.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "nodedev/sysfs.h"

#include <string.h>
#include <unistd.h>

#define VFIO "vfio-pci"
/* modprobe */
#define LOAD_TIMEOUT_MS 10000

char *pci_format_name(unsigned domain, unsigned bus, unsigned slot, unsigned function)
{
        return g_strdup_printf("%04x:%02x:%02x.%u", domain, bus, slot, function);
}

/* The last component of where the link in the device's directory leads; NULL: there is no such link. */
static char *read_link(const char *root, const char *pci, const char *name)
{
        g_autofree char *path = g_strdup_printf("%s/sys/bus/pci/devices/%s/%s", root, pci, name);
        g_autofree char *target = g_file_read_link(path, NULL);

        return target ? g_path_get_basename(target) : NULL;
}

char *pci_get_driver(const char *root, const char *pci)
{
        return read_link(root, pci, "driver");
}

bool pci_is_vfio(const char *root, const char *pci)
{
        g_autofree char *driver = pci_get_driver(root, pci);

        return g_strcmp0(driver, VFIO) == 0;
}

static char *get_override_path(const char *root, const char *pci)
{
        return g_strdup_printf("%s/sys/bus/pci/devices/%s/driver_override", root, pci);
}

/* Will vfio-pci be the next driver? */
static bool is_promised(const char *root, const char *pci)
{
        g_autofree char *path = get_override_path(root, pci), *override = NULL;

        return g_file_get_contents(path, &override, NULL, NULL) && strcmp(g_strchomp(override), VFIO) == 0;
}

/* NULL: none */
static bool set_override(struct lane *lane, const char *root, const char *pci, const char *override,
                         GError **error)
{
        g_autofree char *path = get_override_path(root, pci);

        return sysfs_write(lane, path, override ? override : "\n", error);
}

/* The kernel probes for a driver anew. */
static bool rebind(struct lane *lane, const char *root, const char *pci, const char *override, GError **error)
{
        g_autofree char *device = g_strdup_printf("%s/sys/bus/pci/devices/%s", root, pci);
        g_autofree char *unbind_path = g_build_filename(device, "driver", "unbind", NULL);
        g_autofree char *probe_path = g_strdup_printf("%s/sys/bus/pci/drivers_probe", root);

        if (!set_override(lane, root, pci, override, error))
                return false;
        if (access(unbind_path, F_OK) == 0 && !sysfs_write(lane, unbind_path, pci, error))
                return false;
        return sysfs_write(lane, probe_path, pci, error);
}

bool pci_load_vfio(struct lane *lane, const char *root, GError **error)
{
        const char *const argv[] = { "modprobe", VFIO, NULL };
        g_autofree char *driver = g_strdup_printf("%s/sys/bus/pci/drivers/" VFIO, root);

        return access(driver, F_OK) == 0 || spawn_check(lane, argv, LOAD_TIMEOUT_MS, NULL, error);
}

bool pci_detach(struct lane *lane, const char *root, const char *pci, GError **error)
{
        g_autofree char *device = g_strdup_printf("%s/sys/bus/pci/devices/%s", root, pci);

        if (access(device, F_OK) < 0)
                return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED, "PCI device %s is not there",
                                 pci);
        if (rebind(lane, root, pci, VFIO, error)) {
                if (pci_is_vfio(root, pci))
                        return true;
                error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                          "PCI device %s is not taken by " VFIO " (is the module loaded?)", pci);
        }
        if (lane)
                lane_shield(lane);
        pci_reattach(lane, root, pci);
        return false;
}

bool pci_give_back(struct lane *lane, const char *root, const char *pci, GError **error)
{
        g_autofree char *device = g_strdup_printf("%s/sys/bus/pci/devices/%s", root, pci);
        g_autofree char *driver = pci_get_driver(root, pci);

        if (access(device, F_OK) < 0)
                return true;
        /* Cut short, the taking may have left it without any. */
        if (!driver || strcmp(driver, VFIO) == 0)
                return rebind(lane, root, pci, NULL, error);
        /* One that was never taken is left with its driver. */
        return !is_promised(root, pci) || set_override(lane, root, pci, NULL, error);
}

void pci_reattach(struct lane *lane, const char *root, const char *pci)
{
        g_autoptr(GError) error = NULL;

        if (!pci_give_back(lane, root, pci, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "PCI device %s is not given back", pci);
}

bool pci_reset(struct lane *lane, const char *root, const char *pci, GError **error)
{
        g_autofree char *path = g_strdup_printf("%s/sys/bus/pci/devices/%s/reset", root, pci);

        if (access(path, F_OK) < 0)
                return error_set(error, ERROR_FROM_NONE, ERROR_INTERNAL_ERROR,
                                 "unable to reset PCI device %s: no FLR, PM reset or bus reset available",
                                 pci);
        return sysfs_write(lane, path, "1", error);
}

/* Bridges are no obstacle, whatever drives them (VFIO, "IOMMU groups"). */
static bool is_holder(const char *driver)
{
        return driver && strcmp(driver, VFIO) != 0 && strcmp(driver, "pcieport") != 0 &&
               strcmp(driver, "pci-stub") != 0;
}

static char *describe_holders(const char *root, const char *pci, const char *const *own)
{
        g_auto(GStrv) group = pci_list_group(root, pci);
        GString *holders = g_string_new(NULL);

        for (char **other = group; other && *other; other++) {
                g_autofree char *driver = pci_get_driver(root, *other);

                if (strcmp(*other, pci) != 0 && !g_strv_contains(own, *other) && is_holder(driver))
                        g_string_append_printf(holders, "%s%s (%s)", holders->len ? ", " : "", *other,
                                               driver);
        }
        return g_string_free(holders, holders->len == 0);
}

char *pci_describe_group_holders(const char *root, const char *pci)
{
        const char *const none[] = { NULL };

        return describe_holders(root, pci, none);
}

char **pci_list_group(const char *root, const char *pci)
{
        g_autofree char *path = g_strdup_printf("%s/sys/bus/pci/devices/%s/iommu_group/devices", root, pci);
        g_autoptr(GDir) devices = g_dir_open(path, 0, NULL);
        g_autoptr(GPtrArray) group = g_ptr_array_new();
        const char *other;

        if (!devices)
                return NULL;
        while ((other = g_dir_read_name(devices)))
                g_ptr_array_add(group, g_strdup(other));
        g_ptr_array_add(group, NULL);
        return (char **)g_ptr_array_free(g_steal_pointer(&group), FALSE);
}

bool pci_check_group(const char *root, const char *pci, const char *const *own, GError **error)
{
        g_autofree char *holders = describe_holders(root, pci, own);

        if (!holders)
                return true;
        return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                         "PCI device %s cannot be a guest's while its host uses other devices of its IOMMU "
                         "group: %s; they have to be detached, or be the same guest's with managed='yes'",
                         pci, holders);
}

char *pci_get_group(const char *root, const char *pci, GError **error)
{
        g_autofree char *group = read_link(root, pci, "iommu_group");

        if (group)
                return g_build_filename(root, "dev/vfio", group, NULL);
        error_set(error, ERROR_FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                  "PCI device %s is not in an IOMMU group (is the IOMMU on in the firmware and the kernel?)",
                  pci);
        return NULL;
}
