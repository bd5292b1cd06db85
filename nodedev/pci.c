/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI devices in sysfs. No state.
 */
#include "nodedev/pci.h"

#include "base/error.h"
#include "base/log.h"
#include "nodedev/sysfs.h"

#include <string.h>
#include <unistd.h>

#define VFIO "vfio-pci"

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

/* override NULL: none. The kernel probes for a driver anew. */
static bool rebind(const char *root, const char *pci, const char *override, GError **error)
{
        g_autofree char *device = g_strdup_printf("%s/sys/bus/pci/devices/%s", root, pci);
        g_autofree char *override_path = g_build_filename(device, "driver_override", NULL);
        g_autofree char *unbind_path = g_build_filename(device, "driver", "unbind", NULL);
        g_autofree char *probe_path = g_strdup_printf("%s/sys/bus/pci/drivers_probe", root);

        if (!sysfs_write(override_path, override ? override : "\n", error))
                return false;
        if (access(unbind_path, F_OK) == 0 && !sysfs_write(unbind_path, pci, error))
                return false;
        return sysfs_write(probe_path, pci, error);
}

bool pci_detach(const char *root, const char *pci, GError **error)
{
        g_autofree char *device = g_strdup_printf("%s/sys/bus/pci/devices/%s", root, pci);

        if (access(device, F_OK) < 0)
                return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED, "PCI device %s is not there",
                                 pci);
        if (rebind(root, pci, VFIO, error)) {
                if (pci_is_vfio(root, pci))
                        return true;
                error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                          "PCI device %s is not taken by " VFIO " (is the module loaded?)", pci);
        }
        rebind(root, pci, NULL, NULL);
        return false;
}

bool pci_give_back(const char *root, const char *pci, GError **error)
{
        /* One that was never taken is left with its driver. */
        return !pci_is_vfio(root, pci) || rebind(root, pci, NULL, error);
}

void pci_reattach(const char *root, const char *pci)
{
        g_autoptr(GError) error = NULL;

        if (!pci_give_back(root, pci, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "PCI device %s is not given back", pci);
}

bool pci_reset(const char *root, const char *pci, GError **error)
{
        g_autofree char *path = g_strdup_printf("%s/sys/bus/pci/devices/%s/reset", root, pci);

        if (access(path, F_OK) < 0)
                return error_set(error, ERROR_FROM_NONE, ERROR_INTERNAL_ERROR,
                                 "unable to reset PCI device %s: no FLR, PM reset or bus reset available",
                                 pci);
        return sysfs_write(path, "1", error);
}

/* Bridges are no obstacle, whatever drives them (VFIO, "IOMMU groups"). */
static bool is_holder(const char *driver)
{
        return driver && strcmp(driver, VFIO) != 0 && strcmp(driver, "pcieport") != 0 &&
               strcmp(driver, "pci-stub") != 0;
}

char *pci_describe_group_holders(const char *root, const char *pci)
{
        g_autofree char *path = g_strdup_printf("%s/sys/bus/pci/devices/%s/iommu_group/devices", root, pci);
        g_autoptr(GDir) devices = g_dir_open(path, 0, NULL);
        GString *holders = g_string_new(NULL);
        const char *other;

        while (devices && (other = g_dir_read_name(devices))) {
                g_autofree char *driver = pci_get_driver(root, other);

                if (strcmp(other, pci) != 0 && is_holder(driver))
                        g_string_append_printf(holders, "%s%s (%s)", holders->len ? ", " : "", other, driver);
        }
        return g_string_free(holders, holders->len == 0);
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
