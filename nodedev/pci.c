/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI devices in sysfs. No state.
 */
#include "nodedev/pci.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define VFIO "vfio-pci"

char *pci_format_name(unsigned domain, unsigned bus, unsigned slot, unsigned function)
{
        return g_strdup_printf("%04x:%02x:%02x.%u", domain, bus, slot, function);
}

static bool write_file(const char *path, const char *text, GError **error)
{
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot write '%s'", path);
        return true;
}

/* The last component of where the link in the device's directory leads; NULL: there is no such link. */
static char *read_link(const char *root, const char *pci, const char *name)
{
        g_autofree char *path = g_strdup_printf("%s/sys/bus/pci/devices/%s/%s", root, pci, name);
        g_autofree char *target = g_file_read_link(path, NULL);

        return target ? g_path_get_basename(target) : NULL;
}

bool pci_is_vfio(const char *root, const char *pci)
{
        g_autofree char *driver = read_link(root, pci, "driver");

        return g_strcmp0(driver, VFIO) == 0;
}

/* override NULL: none. The kernel probes for a driver anew. */
static bool rebind(const char *root, const char *pci, const char *override, GError **error)
{
        g_autofree char *device = g_strdup_printf("%s/sys/bus/pci/devices/%s", root, pci);
        g_autofree char *override_path = g_build_filename(device, "driver_override", NULL);
        g_autofree char *unbind_path = g_build_filename(device, "driver", "unbind", NULL);
        g_autofree char *probe_path = g_build_filename(root, "sys/bus/pci/drivers_probe", NULL);

        if (!write_file(override_path, override ? override : "\n", error))
                return false;
        if (access(unbind_path, F_OK) == 0 && !write_file(unbind_path, pci, error))
                return false;
        return write_file(probe_path, pci, error);
}

bool pci_detach(const char *root, const char *pci, GError **error)
{
        g_autofree char *device = g_strdup_printf("%s/sys/bus/pci/devices/%s", root, pci);

        if (access(device, F_OK) < 0)
                return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED, "PCI device %s is not there",
                                 pci);
        if (!rebind(root, pci, VFIO, error))
                return false;
        return pci_is_vfio(root, pci) ||
               error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                         "PCI device %s is not taken by " VFIO " (is the module loaded?)", pci);
}

void pci_reattach(const char *root, const char *pci)
{
        g_autoptr(GError) error = NULL;

        /* One that was never taken is left with its driver. */
        if (pci_is_vfio(root, pci) && !rebind(root, pci, NULL, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "PCI device %s is not given back", pci);
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
