/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that lead out of the guest: passed-through USB, PCI and mediated devices, TPM, vsock, shared
 * memory. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/machine.h"

#include <string.h>

#define SHMEM_BYTES (4 * 1024 * 1024)

/* ---- host devices ---- */

static void set_guest_reset(json_t *device, const char *mode)
{
        if (!mode)
                return;
        device_set_bool(device, "guest-reset", strcmp(mode, "off") != 0);
        if (strcmp(mode, "off") != 0)
                device_set_bool(device, "guest-resets-all", strcmp(mode, "on") == 0);
}

static json_t *usb_hostdev(const struct domain_hostdev *hostdev)
{
        json_t *device = device_new("usb-host", hostdev->info.alias);

        device_set_format(device, "hostdevice", "/dev/bus/usb/%03u/%03u", (unsigned)hostdev->usb_bus,
                          (unsigned)hostdev->usb_device);
        set_guest_reset(device, hostdev->guest_reset);
        return device;
}

static json_t *pci_hostdev(const struct domain_hostdev *hostdev)
{
        const struct domain_address_pci *pci = &hostdev->pci;
        json_t *device = device_new("vfio-pci", hostdev->info.alias);

        device_set_format(device, "host", "%04x:%02x:%02x.%u", (unsigned)pci->domain, pci->bus, pci->slot,
                          pci->function);
        device_set_string(device, "failover_pair_id", hostdev->teaming_persistent);
        return device;
}

static json_t *mdev_hostdev(const struct domain_hostdev *hostdev)
{
        bool ramfb = hostdev->ramfb == DOMAIN_SWITCH_ON;
        json_t *device = device_new(ramfb ? "vfio-pci-nohotplug" : "vfio-pci", hostdev->info.alias);

        device_set_format(device, "sysfsdev", "/sys/bus/mdev/devices/%s", hostdev->mdev_uuid);
        device_set_on_off(device, "display", hostdev->display);
        if (ramfb)
                device_set_bool(device, "ramfb", true);
        return device;
}

/* The device through which a guest sends SCSI commands of all kinds to one of its host's. */
static bool describe_scsi_hostdev(struct device_list *list, const struct device_context *context,
                                  const struct domain_hostdev *hostdev, GError **error)
{
        const struct device_resources *resources = device_get_resources(context, hostdev->info.alias);
        g_autofree char *node = g_strdup_printf("libvirt-%s-backend", hostdev->info.alias);
        json_t *backend, *device;

        if (!resources || !resources->path)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no SCSI device was found for '%s'", hostdev->info.alias);
        backend = json_object();
        device_set_string(backend, "driver", "host_device");
        device_set_string(backend, "filename", resources->path);
        device_set_string(backend, "node-name", node);
        device_set_bool(backend, "read-only", hostdev->readonly);
        device_list_add(list, DEVICE_BLOCKDEV, backend);
        device = device_new("scsi-generic", hostdev->info.alias);
        if (!device_set_scsi_place(device, context, &hostdev->info, error)) {
                json_decref(device);
                return false;
        }
        device_set_string(device, "drive", node);
        device_set_uint(device, "bootindex", hostdev->info.boot_order);
        return device_list_add_device(list, context, device, error);
}

/* All of a target of the kernel's own, by vhost. */
static bool describe_vhost_scsi(struct device_list *list, const struct device_context *context,
                                const struct domain_hostdev *hostdev, GError **error)
{
        const char *alias = hostdev->info.alias;
        const struct device_resources *resources = device_get_resources(context, alias);
        g_autofree char *driver = device_virtio_driver("vhost-scsi", hostdev->model, &hostdev->info),
                        *fd = NULL;
        json_t *device;

        if (!resources || !resources->fds || !resources->fds->len)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no vhost-scsi for device '%s'", alias);
        device = device_new(driver, alias);
        fd = device_list_add_fd(list, context, g_array_index(resources->fds, int, 0), "vhostfd-%s", alias);
        device_set_string(device, "wwpn", hostdev->wwpn);
        device_set_string(device, "vhostfd", fd);
        device_set_uint(device, "bootindex", hostdev->info.boot_order);
        return device_list_add_at(list, context, device, &hostdev->info, error);
}

static bool check_hostdev(const struct domain_hostdev *hostdev, GError **error)
{
        if (hostdev->iommufd == DOMAIN_SWITCH_ON)
                return device_unsupported(error,
                                          "iommufd='yes' of the <driver> of <hostdev> '%s' is not supported: "
                                          "leave it out, and the device is given by its IOMMU group",
                                          hostdev->info.alias);
        if (hostdev->type == DOMAIN_HOSTDEV_PCI && hostdev->driver && strcmp(hostdev->driver, "vfio") != 0)
                return device_unsupported(error, "driver '%s' of <hostdev> is not supported",
                                          hostdev->driver);
        if (hostdev->type == DOMAIN_HOSTDEV_MDEV && g_strcmp0(hostdev->model, "vfio-pci") != 0)
                return device_unsupported(error, "model '%s' of <hostdev> is not supported", hostdev->model);
        return true;
}

bool device_describe_hostdev(struct device_list *list, const struct device_context *context, const void *data,
                             GError **error)
{
        const struct domain_hostdev *hostdev = data;
        json_t *device;

        if (!check_hostdev(hostdev, error))
                return false;
        /* What takes part in nothing is only taken from the host. */
        if ((hostdev->type == DOMAIN_HOSTDEV_USB && hostdev->usb_missing) ||
            hostdev->info.address.type == DOMAIN_ADDRESS_UNASSIGNED)
                return true;
        switch (hostdev->type) {
        case DOMAIN_HOSTDEV_USB:
                device = usb_hostdev(hostdev);
                break;
        case DOMAIN_HOSTDEV_PCI:
                device = pci_hostdev(hostdev);
                break;
        case DOMAIN_HOSTDEV_MDEV:
                device = mdev_hostdev(hostdev);
                break;
        case DOMAIN_HOSTDEV_SCSI:
                return describe_scsi_hostdev(list, context, hostdev, error);
        case DOMAIN_HOSTDEV_SCSI_HOST:
                return describe_vhost_scsi(list, context, hostdev, error);
        default:
                return device_unsupported(error, "<hostdev type='%s'> is not supported",
                                          domain_hostdev_type_get_name(hostdev->type));
        }
        device_set_uint(device, "bootindex", hostdev->info.boot_order);
        return device_list_add_at(list, context, device, &hostdev->info, error);
}

/* ---- TPM ---- */

/* The back end "chrtpm-<alias>", which is swtpm's control socket. */
static bool add_tpm_chardev(struct device_list *list, const struct device_context *context,
                            const struct domain_tpm *tpm, const char *id, GError **error)
{
        const struct device_resources *resources = device_get_resources(context, tpm->info.alias);
        struct domain_char_source source = { .type = DOMAIN_CHAR_UNIX };

        if (tpm->backend == DOMAIN_TPM_EXTERNAL && tpm->source)
                return device_list_add_chardev(list, context, id, tpm->source, NULL, error);
        if (!resources || !resources->socket)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no TPM emulator was started for device '%s'", tpm->info.alias);
        source.path = resources->socket;
        return device_list_add_chardev(list, context, id, &source, NULL, error);
}

/* The device of the host and the file by which its kernel is told to give up a command. */
static bool set_tpm_files(struct device_list *list, const struct device_context *context,
                          const struct domain_tpm *tpm, json_t *backend, GError **error)
{
        const struct device_resources *resources = device_get_resources(context, tpm->info.alias);
        static const char *const names[] = { "path", "cancel-path" };

        if (!resources || !resources->fds || resources->fds->len != G_N_ELEMENTS(names))
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no TPM was opened for device '%s'", tpm->info.alias);
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *name = g_strconcat(names[i], "-", tpm->info.alias, NULL);
                g_autofree char *path =
                        device_list_add_fdset(list, g_array_index(resources->fds, int, i), name);

                device_set_string(backend, names[i], path);
        }
        return true;
}

bool device_describe_tpm(struct device_list *list, const struct device_context *context, const void *data,
                         GError **error)
{
        const struct domain_tpm *tpm = data;
        g_autofree char *chardev = g_strconcat("chr", tpm->info.alias, NULL);
        const char *model = tpm->model ? tpm->model : "tpm-tis";
        json_t *backend = json_object(), *device;

        device_set_string(backend, "type",
                          tpm->backend == DOMAIN_TPM_PASSTHROUGH ? "passthrough" : "emulator");
        device_set_format(backend, "id", "tpm-%s", tpm->info.alias);
        if (tpm->backend == DOMAIN_TPM_PASSTHROUGH ? !set_tpm_files(list, context, tpm, backend, error)
                                                   : !add_tpm_chardev(list, context, tpm, chardev, error)) {
                json_decref(backend);
                return false;
        }
        if (tpm->backend != DOMAIN_TPM_PASSTHROUGH)
                device_set_string(backend, "chardev", chardev);
        device_list_add(list, DEVICE_TPMDEV, backend);
        /* The same without an ISA bus. */
        if (strcmp(model, "tpm-tis") == 0 && !machine_is_x86(machine_family_of(context->def)))
                model = "tpm-tis-device";
        device = device_new(model, tpm->info.alias);
        device_set_format(device, "tpmdev", "tpm-%s", tpm->info.alias);
        return device_list_add_at(list, context, device, &tpm->info, error);
}

/* ---- vsock ---- */

bool device_describe_vsock(struct device_list *list, const struct device_context *context, const void *data,
                           GError **error)
{
        const struct domain_vsock *vsock = data;
        const struct device_resources *resources = device_get_resources(context, vsock->info.alias);
        g_autofree char *driver = device_virtio_driver("vhost-vsock", vsock->model, &vsock->info);
        json_t *device;

        if (!vsock->cid)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no CID was chosen for device '%s'", vsock->info.alias);
        device = device_new(driver, vsock->info.alias);
        device_set_virtio(device, &vsock->virtio);
        device_set_uint(device, "guest-cid", vsock->cid);
        if (resources && resources->fds && resources->fds->len) {
                g_autofree char *fd = device_list_add_fd(list, context, g_array_index(resources->fds, int, 0),
                                                         "fd-%s", vsock->info.alias);

                device_set_string(device, "vhostfd", fd);
        }
        return device_list_add_at(list, context, device, &vsock->info, error);
}

/* ---- shared memory ---- */

static void add_shmem_file(struct device_list *list, const struct domain_shmem *shmem, const char *id)
{
        json_t *object = device_object("memory-backend-file", id);

        device_set_format(object, "mem-path", "/dev/shm/%s", shmem->name);
        device_set_uint(object, "size", shmem->size_bytes ? shmem->size_bytes : SHMEM_BYTES);
        device_set_bool(object, "share", true);
        device_list_add(list, DEVICE_OBJECT, object);
}

static bool describe_shmem_plain(struct device_list *list, const struct device_context *context,
                                 const struct domain_shmem *shmem, GError **error)
{
        g_autofree char *id = g_strconcat("shmmem-", shmem->info.alias, NULL);
        json_t *device;

        add_shmem_file(list, shmem, id);
        device = device_new("ivshmem-plain", shmem->info.alias);
        device_set_string(device, "memdev", id);
        if (shmem->role)
                device_set_string(device, "master", strcmp(shmem->role, "master") == 0 ? "on" : "off");
        return device_list_add_at(list, context, device, &shmem->info, error);
}

static bool describe_shmem_doorbell(struct device_list *list, const struct device_context *context,
                                    const struct domain_shmem *shmem, GError **error)
{
        g_autofree char *id = g_strconcat("char", shmem->info.alias, NULL);
        struct domain_char_source source = { .type = DOMAIN_CHAR_UNIX };
        json_t *device;

        if (!shmem->server)
                return device_unsupported(error, "<server> without a path of <shmem> '%s'", shmem->name);
        source.path = shmem->server;
        if (!device_list_add_chardev(list, context, id, &source, NULL, error))
                return false;
        device = device_new("ivshmem-doorbell", shmem->info.alias);
        device_set_string(device, "chardev", id);
        device_set_uint(device, "vectors", shmem->vectors);
        device_set_switch(device, "ioeventfd", shmem->ioeventfd);
        return device_list_add_at(list, context, device, &shmem->info, error);
}

bool device_describe_shmem(struct device_list *list, const struct device_context *context, const void *data,
                           GError **error)
{
        const struct domain_shmem *shmem = data;

        if (!shmem->name || strchr(shmem->name, '/'))
                return device_unsupported(error, "the name of <shmem> device '%s'", shmem->info.alias);
        if (g_strcmp0(shmem->model, "ivshmem-plain") == 0)
                return describe_shmem_plain(list, context, shmem, error);
        if (g_strcmp0(shmem->model, "ivshmem-doorbell") == 0)
                return describe_shmem_doorbell(list, context, shmem, error);
        return device_unsupported(error, "model '%s' of <shmem> is not supported",
                                  shmem->model ? shmem->model : "ivshmem");
}
