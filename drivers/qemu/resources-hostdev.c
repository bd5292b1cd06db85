/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the host that a guest gets. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "nodedev/pci.h"
#include "nodedev/usb.h"

#include <string.h>

#define ROOT "/"

static bool prepare_usb(struct resources *resources, const struct domain_hostdev *hostdev, GError **error)
{
        const struct usb_query query = { hostdev->usb_bus, hostdev->usb_device, hostdev->usb_vendor,
                                         hostdev->usb_product };
        g_autoptr(GPtrArray) files = NULL;
        bool missing;

        files = usb_find_files(ROOT, &query);
        missing = files->len == 0 && g_strcmp0(hostdev->startup_policy, "optional") == 0;
        domain_edit_set_usb_missing(resources->edit, hostdev->info.alias, missing);
        if (missing)
                return true;
        if (files->len == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "the USB device of '%s' is not there (vendor 0x%04x, product 0x%04x, bus "
                                 "%u, device %u)",
                                 hostdev->info.alias, (unsigned)MAX(hostdev->usb_vendor, 0),
                                 (unsigned)MAX(hostdev->usb_product, 0), (unsigned)hostdev->usb_bus,
                                 (unsigned)hostdev->usb_device);
        for (unsigned i = 0; i < files->len; i++) {
                const char *file = g_ptr_array_index(files, i);

                resources_add_file(resources, file, true, "USB device '%s'", file);
        }
        return true;
}

/* A managed device is taken when the status document says so (resources_take_files()). */
static bool prepare_pci(struct resources *resources, const struct domain_hostdev *hostdev, GError **error)
{
        const struct domain_address_pci *address = &hostdev->pci;
        g_autofree char *pci =
                pci_format_name(address->domain, address->bus, address->slot, address->function);
        g_autofree char *group = pci_get_group(ROOT, pci, error);

        if (!group)
                return false;
        if (pci_is_vfio(ROOT, pci))
                resources_add_file(resources, group, true, "IOMMU group of PCI device %s", pci);
        else if (hostdev->managed)
                status_add_pci(resources->guest->status, hostdev->info.alias, pci);
        else
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "PCI device %s is in use by its host: it has to be detached, or be managed='yes'",
                        pci);
        return true;
}

bool resources_prepare_hostdev(struct resources *resources, const void *device, GError **error)
{
        const struct domain_hostdev *hostdev = device;

        if (hostdev->type == DOMAIN_HOSTDEV_USB)
                return prepare_usb(resources, hostdev, error);
        return hostdev->type != DOMAIN_HOSTDEV_PCI || prepare_pci(resources, hostdev, error);
}

/* The group's file is there when the first of its devices is in the hands of vfio. */
static bool take_hostdev(struct resources *resources, const struct status_pci *pci, GError **error)
{
        const char *alias = resources->alias;
        g_autofree char *group = NULL;

        if (!pci_detach(ROOT, pci->address, error))
                return false;
        group = pci_get_group(ROOT, pci->address, error);
        if (!group)
                return false;
        resources->alias = pci->alias;
        resources_add_file(resources, group, true, "IOMMU group of PCI device %s", pci->address);
        resources->alias = alias;
        return true;
}

bool resources_take_hostdevs(struct resources *resources, GError **error)
{
        const GPtrArray *devices = resources->guest->status->pci;

        for (unsigned i = 0; i < devices->len; i++) {
                const struct status_pci *pci = g_ptr_array_index(devices, i);

                if (resources_is_taken_for(resources, pci->alias) && !take_hostdev(resources, pci, error))
                        return false;
        }
        return true;
}
