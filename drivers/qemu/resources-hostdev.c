/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of the host that a guest gets. Who has which is settled before (drivers/domain/takings.h); here
 * they are made ready. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/hostdev.h"
#include "nodedev/pci.h"
#include "nodedev/scsi.h"
#include "nodedev/usb.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/"

/* ---- USB ---- */

void hostdev_use_usb(struct resources *resources, const struct domain_hostdev *hostdev,
                     const struct usb_device *usb)
{
        const char *alias = hostdev->info.alias;
        g_autofree char *file = usb_format_path(ROOT, usb->bus, usb->device);
        bool found = hostdev->usb_device == 0;

        domain_edit_set_usb_missing(resources->edit, alias, false);
        domain_edit_set_usb_address(resources->edit, alias, usb->bus, usb->device);
        status_set_usb(resources->guest->status, alias, usb, found);
        resources_add_file(resources, file, true, "USB device '%s'", file);
}

static bool prepare_usb(struct resources *resources, const struct domain_hostdev *hostdev, GError **error)
{
        const char *alias = hostdev->info.alias;
        g_autoptr(GError) failure = NULL;
        const struct usb_device *usb = takings_find_usb(resources->start->takings, hostdev, &failure);

        if (usb) {
                hostdev_use_usb(resources, hostdev, usb);
                return true;
        }
        if (g_strcmp0(hostdev->startup_policy, "optional") == 0) {
                log_notice("%s goes without '%s': %s", resources->guest->who, alias, failure->message);
                domain_edit_set_usb_missing(resources->edit, alias, true);
                status_set_usb(resources->guest->status, alias, &(struct usb_device){ 0 },
                               hostdev->usb_device == 0);
                return true;
        }
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

/* ---- PCI ---- */

static char *format_pci(const struct domain_address_pci *pci)
{
        return pci_format_name(pci->domain, pci->bus, pci->slot, pci->function);
}

/* The addresses of all that the guest takes of its host's drivers, itself; owned, with NULL at the end. */
static GPtrArray *list_managed(const struct domain_def *def)
{
        GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

        for (unsigned i = 0; i < def->devices.n_hostdevs; i++) {
                const struct domain_hostdev *hostdev = &def->devices.hostdevs[i];

                if (hostdev->type == DOMAIN_HOSTDEV_PCI && hostdev->managed)
                        g_ptr_array_add(list, format_pci(&hostdev->pci));
        }
        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];

                if (interface->type == DOMAIN_INTERFACE_HOSTDEV && interface->managed)
                        g_ptr_array_add(list, format_pci(&interface->host_pci));
        }
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_nvme *nvme = def->devices.disks[i].source.nvme;

                if (nvme && nvme->managed == DOMAIN_SWITCH_ON)
                        g_ptr_array_add(list, format_pci(&nvme->pci));
        }
        g_ptr_array_add(list, NULL);
        return list;
}

bool resources_prepare_pci(struct resources *resources, const struct domain_address_pci *address,
                           bool managed, GError **error)
{
        g_autofree char *pci = format_pci(address), *group = pci_get_group(ROOT, pci, error), *driver = NULL;
        g_autoptr(GPtrArray) own = list_managed(resources->def);

        if (!group || !pci_check_group(ROOT, pci, (const char *const *)(const void *)own->pdata, error))
                return false;
        if (pci_is_vfio(ROOT, pci)) {
                resources_add_file(resources, group, true, "IOMMU group of PCI device %s", pci);
                return true;
        }
        if (managed) {
                status_add_pci(resources->guest->status, resources->alias, pci);
                return true;
        }
        driver = pci_get_driver(ROOT, pci);
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "PCI device %s is in use by its host (%s%s): it has to be detached, or be "
                         "managed='yes'",
                         pci, driver ? "driver " : "no driver", driver ? driver : "");
}

/* The group's file is there when the first of its devices is in the hands of vfio. */
static bool take_hostdev(struct resources *resources, const struct status_pci *pci, GError **error)
{
        struct lane *lane = resources->guest->domain->base.lane;
        const char *alias = resources->alias;
        g_autofree char *group = NULL;

        if (!pci_load_vfio(lane, ROOT, error) || !pci_detach(lane, ROOT, pci->address, error))
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

/* ---- others ---- */

/* A device of vfio's whose own driver keeps it; it is opened as its group. */
static bool prepare_mdev(struct resources *resources, const struct domain_hostdev *hostdev, GError **error)
{
        g_autofree char *link =
                g_strdup_printf(ROOT "sys/bus/mdev/devices/%s/iommu_group", hostdev->mdev_uuid);
        g_autofree char *target = g_file_read_link(link, NULL), *number = NULL, *group = NULL;

        if (!target)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "mediated device %s is not there", hostdev->mdev_uuid);
        number = g_path_get_basename(target);
        group = g_build_filename(ROOT "dev/vfio", number, NULL);
        resources_add_file(resources, group, true, "IOMMU group of mediated device %s", hostdev->mdev_uuid);
        return true;
}

static bool prepare_scsi(struct resources *resources, const struct domain_hostdev *hostdev, GError **error)
{
        g_autofree char *file = NULL;

        if (!hostdev->adapter)
                return true;
        file = scsi_find_generic(ROOT, hostdev->adapter, hostdev->scsi_bus, hostdev->scsi_target,
                                 hostdev->scsi_unit, error);
        if (!file)
                return false;
        resources_get(resources, hostdev->info.alias)->path = g_strdup(file);
        resources_add_file(resources, file, !hostdev->readonly, "SCSI device '%s'", file);
        return true;
}

static bool prepare_vhost_scsi(struct resources *resources, const struct domain_hostdev *hostdev,
                               GError **error)
{
        struct device_resources *device = resources_get(resources, hostdev->info.alias);
        int fd = open("/dev/vhost-scsi", O_RDWR | O_CLOEXEC);

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot open /dev/vhost-scsi for target '%s'",
                                       hostdev->wwpn ? hostdev->wwpn : "");
        resources_add_fd(resources, fd);
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(device->fds, fd);
        return true;
}

bool resources_prepare_hostdev(struct resources *resources, const void *device, GError **error)
{
        const struct domain_hostdev *hostdev = device;

        switch (hostdev->type) {
        case DOMAIN_HOSTDEV_USB:
                return prepare_usb(resources, hostdev, error);
        case DOMAIN_HOSTDEV_PCI:
                return resources_prepare_pci(resources, &hostdev->pci, hostdev->managed, error);
        case DOMAIN_HOSTDEV_MDEV:
                return prepare_mdev(resources, hostdev, error);
        case DOMAIN_HOSTDEV_SCSI:
                return prepare_scsi(resources, hostdev, error);
        case DOMAIN_HOSTDEV_SCSI_HOST:
                return prepare_vhost_scsi(resources, hostdev, error);
        default:
                return true;
        }
}
