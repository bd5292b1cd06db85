/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of its host that a guest has. No state of its own; threads as the header says.
 */
#include "drivers/domain/taken-devices.h"

#include "base/error.h"
#include "nodedev/pci.h"

#include <string.h>

#define ROOT ""

static void taken_free(void *data)
{
        struct taken_device *taken = data;

        device_use_free(taken->use);
        g_clear_error(&taken->problem);
        g_free(taken);
}

GPtrArray *taken_devices_new(void)
{
        return g_ptr_array_new_with_free_func(taken_free);
}

/* ---- what a device is called among those in use ---- */

/* NULL: it is not of the host's, or not there. */
static char *find_address(const struct domain_hostdev *hostdev, enum device_use_kind *kind)
{
        const struct domain_address_pci *pci = &hostdev->pci;

        switch (hostdev->type) {
        case DOMAIN_HOSTDEV_PCI:
                *kind = DEVICE_USE_PCI;
                return pci_format_name(pci->domain, pci->bus, pci->slot, pci->function);
        case DOMAIN_HOSTDEV_USB:
                *kind = DEVICE_USE_USB;
                return hostdev->usb_bus && hostdev->usb_device && !hostdev->usb_missing
                               ? usb_format_name(hostdev->usb_bus, hostdev->usb_device)
                               : NULL;
        case DOMAIN_HOSTDEV_MDEV:
                *kind = DEVICE_USE_MDEV;
                return g_ascii_strdown(hostdev->mdev_uuid, -1);
        case DOMAIN_HOSTDEV_SCSI:
                *kind = DEVICE_USE_SCSI;
                return hostdev->adapter ? g_strdup_printf("%s:%u:%u:%" G_GUINT64_FORMAT, hostdev->adapter,
                                                          (unsigned)hostdev->scsi_bus,
                                                          (unsigned)hostdev->scsi_target, hostdev->scsi_unit)
                                        : NULL;
        case DOMAIN_HOSTDEV_SCSI_HOST:
                *kind = DEVICE_USE_VHOST_SCSI;
                return g_strdup(hostdev->wwpn);
        default:
                return NULL;
        }
}

/* ---- looking ---- */

static char *look_for_usb(struct taken_device *taken, const struct domain_hostdev *hostdev)
{
        const struct usb_query query = { hostdev->usb_bus, hostdev->usb_device, hostdev->usb_port,
                                         hostdev->usb_vendor, hostdev->usb_product };

        taken->vendor = query.vendor;
        taken->product = query.product;
        taken->bus = query.bus;
        taken->device = query.device;
        g_strlcpy(taken->port, query.port ? query.port : "", sizeof(taken->port));
        if (!usb_find_one(ROOT, &query, &taken->usb, NULL, &taken->problem))
                return NULL;
        return usb_format_name(taken->usb.bus, taken->usb.device);
}

void taken_devices_look(GPtrArray *list, struct node_devices *devices, const struct domain_hostdev *hostdev,
                        const char *user)
{
        enum device_use_kind kind = DEVICE_USE_USB;
        struct taken_device *taken = g_new0(struct taken_device, 1);
        g_autofree char *address = NULL;

        taken->type = hostdev->type;
        address = hostdev->type == DOMAIN_HOSTDEV_USB ? look_for_usb(taken, hostdev)
                                                      : find_address(hostdev, &kind);
        if (address)
                taken->use = device_use_new(devices, kind, address, user);
        if (taken->use && hostdev->shareable)
                device_use_set_shared(taken->use);
        g_ptr_array_add(list, taken);
}

void taken_devices_look_pci(GPtrArray *list, struct node_devices *devices,
                            const struct domain_address_pci *address, const char *user)
{
        const struct domain_hostdev hostdev = { .type = DOMAIN_HOSTDEV_PCI, .pci = *address };

        taken_devices_look(list, devices, &hostdev, user);
}

/* ---- taking ---- */

static struct taken_device *at(const GPtrArray *list, unsigned i)
{
        return g_ptr_array_index((GPtrArray *)list, i);
}

static void give_back(struct taken_device *taken)
{
        device_use_give_back(g_steal_pointer(&taken->use));
}

bool taken_devices_take(const GPtrArray *list, GError **error)
{
        for (unsigned i = 0; i < list->len; i++) {
                if (!at(list, i)->use || device_use_take(at(list, i)->use, error))
                        continue;
                while (i-- > 0)
                        give_back(at(list, i));
                return false;
        }
        return true;
}

bool taken_devices_take_usb(GPtrArray *list, struct node_devices *devices, const struct usb_device *usb,
                            const char *user, GError **error)
{
        g_autofree char *address = usb_format_name(usb->bus, usb->device);
        struct taken_device *taken = g_new0(struct taken_device, 1);

        taken->type = DOMAIN_HOSTDEV_USB;
        taken->usb = *usb;
        taken->use = device_use_new(devices, DEVICE_USE_USB, address, user);
        if (device_use_take(taken->use, error)) {
                g_ptr_array_add(list, taken);
                return true;
        }
        taken_free(taken);
        return false;
}

void taken_devices_restore(const GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++) {
                if (at(list, i)->use)
                        device_use_restore(at(list, i)->use);
        }
}

void taken_devices_give_back(const GPtrArray *list)
{
        for (unsigned i = 0; i < list->len; i++)
                give_back(at(list, i));
}

void taken_devices_give_back_one(GPtrArray *list, const struct domain_hostdev *hostdev)
{
        enum device_use_kind kind = DEVICE_USE_USB;
        g_autofree char *address = find_address(hostdev, &kind);

        for (unsigned i = list->len; address && i-- > 0;) {
                struct taken_device *taken = at(list, i);

                if (!taken->use || device_use_get_kind(taken->use) != kind ||
                    strcmp(device_use_get_address(taken->use), address) != 0)
                        continue;
                give_back(taken);
                g_ptr_array_remove_index(list, i);
        }
}

/* ---- finding ---- */

static bool is_named(const struct taken_device *taken, const struct domain_hostdev *hostdev)
{
        return taken->type == DOMAIN_HOSTDEV_USB && taken->vendor == hostdev->usb_vendor &&
               taken->product == hostdev->usb_product && taken->bus == hostdev->usb_bus &&
               taken->device == hostdev->usb_device &&
               strcmp(taken->port, hostdev->usb_port ? hostdev->usb_port : "") == 0;
}

const struct usb_device *taken_devices_find_usb(const GPtrArray *list, const struct domain_hostdev *hostdev,
                                                GError **error)
{
        for (unsigned i = list->len; i-- > 0;) {
                const struct taken_device *taken = at(list, i);

                if (!is_named(taken, hostdev))
                        continue;
                if (taken->use)
                        return &taken->usb;
                g_propagate_error(error, g_error_copy(taken->problem));
                return NULL;
        }
        error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                  "there are no devices of the host here");
        return NULL;
}
