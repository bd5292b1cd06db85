/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks, CD-ROM drives, floppies and passed-through LUNs: the block nodes of the whole backing chain, filters
 * above them, and the device that the guest sees. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"

#include "drivers/qemu/block.h"
#include "drivers/qemu/qemu-caps.h"

#include <string.h>

/* ---- nodes ---- */

static void options_of(const struct domain_disk *disk, struct block_options *options)
{
        *options = (struct block_options){
                .cache = domain_disk_get_cache(disk),
                .io = disk->io,
                .discard = disk->discard,
                .detect_zeroes = disk->detect_zeroes,
                .readonly = disk->readonly || disk->device == DOMAIN_DISK_CDROM,
                .floppy = disk->device == DOMAIN_DISK_FLOPPY,
        };
}

static void add_object(struct device_list *list, json_t *object)
{
        if (object)
                device_list_add(list, DEVICE_OBJECT, object);
}

static void add_tls(struct device_list *list, const struct device_context *context,
                    const struct block_image *image)
{
        char id[BLOCK_SECRET_ID_SIZE];

        if (!image->remote.tls)
                return;
        block_tls_id(image, id);
        device_list_add(list, DEVICE_OBJECT, device_tls_object(context, id, "client"));
}

static void add_node(struct device_list *list, json_t *node)
{
        if (node)
                device_list_add(list, DEVICE_BLOCKDEV, node);
}

/* What is raw by agreement has nodes like other images; zeroes are looked for above it. */
static void add_data(struct device_list *list, const struct block_image *image, struct block_options options)
{
        if (!image->data)
                return;
        options.detect_zeroes = NULL;
        add_node(list, block_storage_node(image->data, &options));
        add_node(list, block_format_node(image->data, NULL, &options));
}

void device_add_image(struct device_list *list, const struct device_context *context,
                      const struct block_image *image, const struct block_options *options,
                      const char *backing)
{
        add_object(list, block_password_object(image, context->hot));
        add_object(list, block_cookie_object(image, context->hot));
        add_object(list, block_passphrase_object(image, context->hot));
        add_tls(list, context, image);
        add_data(list, image, *options);
        device_list_add(list, DEVICE_BLOCKDEV, block_storage_node(image, options));
        add_node(list, block_slice_node(image, options));
        device_list_add(list, DEVICE_BLOCKDEV, block_format_node(image, backing, options));
}

/* The nodes of the chain from its end to its top. */
static void add_chain(struct device_list *list, const struct device_context *context,
                      const struct domain_disk *disk, const GPtrArray *chain)
{
        g_autofree char *reservations = device_reservations_id(disk);
        struct block_options options;
        char backing[BLOCK_NODE_NAME_SIZE];

        for (unsigned i = chain->len; i-- > 0;) {
                const struct block_image *image = chain->pdata[i];
                bool last = i + 1 == chain->len;

                options_of(disk, &options);
                options.reservations = i == 0 ? reservations : NULL;
                if (i > 0 || device_has_overlay(disk)) {
                        options.readonly = true;
                        options.discard = options.detect_zeroes = NULL;
                }
                device_add_image(list, context, image, &options, last ? NULL : backing);
                block_format_node_name(image, backing);
        }
}

bool device_has_overlay(const struct domain_disk *disk)
{
        return disk->transient && !disk->readonly && disk->device != DOMAIN_DISK_CDROM;
}

static bool add_overlay(struct device_list *list, const struct device_context *context,
                        const struct domain_disk *disk, char node[BLOCK_NODE_NAME_SIZE], GError **error)
{
        const struct device_resources *resources = device_get_resources(context, disk->info.alias);
        const struct block_image *top = resources->chain->pdata[0];
        g_autofree char *name = g_strconcat("overlay-", disk->info.alias, NULL), *path = NULL;
        struct block_options options;

        if (resources->overlay_fd <= 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no file was made for transient disk '%s'", disk->target);
        options_of(disk, &options);
        path = device_list_add_fdset(list, resources->overlay_fd, name);
        device_list_add(list, DEVICE_BLOCKDEV, block_overlay_storage_node(top, path, &options));
        device_list_add(list, DEVICE_BLOCKDEV, block_overlay_node(top, &options));
        block_overlay_node_name(top, node);
        return true;
}

static void add_copy_on_read(struct device_list *list, const struct block_image *top,
                             char node[BLOCK_NODE_NAME_SIZE])
{
        json_t *filter = json_object();

        device_set_string(filter, "driver", "copy-on-read");
        device_set_format(filter, "node-name", "libvirt-%u-cor", top->index);
        device_set_string(filter, "file", node);
        device_set_string(filter, "discard", "unmap");
        g_snprintf(node, BLOCK_NODE_NAME_SIZE, "libvirt-%u-cor", top->index);
        device_list_add(list, DEVICE_BLOCKDEV, filter);
}

/* Drivers of servers may be in modules of QEMU's that are not installed. */
bool device_check_image(const struct device_context *context, const char *who,
                        const struct block_image *image, GError **error)
{
        const char *driver = json_string_value(json_object_get(image->remote.properties, "driver"));
        const char *package = driver && (g_str_has_prefix(driver, "http") || g_str_has_prefix(driver, "ftp"))
                                      ? "curl"
                                      : driver;

        if (!driver || qemu_caps_has_block_driver(context->caps, driver))
                return true;
        if (strcmp(driver, "nvme") == 0 || strcmp(driver, "virtio-blk-vhost-vdpa") == 0)
                return device_unsupported(error, "%s: emulator '%s' was built without the driver '%s'", who,
                                          qemu_caps_get_path(context->caps), driver);
        return device_unsupported(error,
                                  "%s: emulator '%s' has no driver for protocol '%s'; install it "
                                  "(on Debian package qemu-block-extra, on Fedora qemu-block-%s)",
                                  who, qemu_caps_get_path(context->caps), driver, package);
}

static bool check_drivers(const struct device_context *context, const struct domain_disk *disk,
                          const GPtrArray *chain, GError **error)
{
        g_autofree char *who = g_strdup_printf("disk '%s'", disk->target);

        for (unsigned i = 0; i < chain->len; i++) {
                if (!device_check_image(context, who, chain->pdata[i], error))
                        return false;
        }
        return true;
}

/* Appends all nodes; node gets the name of the one that the device opens, "" for a drive without a medium. */
static bool add_nodes(struct device_list *list, const struct device_context *context,
                      const struct domain_disk *disk, char node[BLOCK_NODE_NAME_SIZE], GError **error)
{
        const struct device_resources *resources = device_get_resources(context, disk->info.alias);
        const struct block_image *top;

        node[0] = '\0';
        if (!device_disk_has_source(disk))
                return device_check_throttle(&context->def->devices, disk, error);
        if (!resources || !resources->chain || resources->chain->len == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "the images of disk '%s' were not looked at", disk->target);
        if (!check_drivers(context, disk, resources->chain, error) ||
            !device_add_reservations(list, context, disk, error))
                return false;
        top = resources->chain->pdata[0];
        add_chain(list, context, disk, resources->chain);
        block_format_node_name(top, node);
        if (device_has_overlay(disk) && !add_overlay(list, context, disk, node, error))
                return false;
        if (disk->copy_on_read == DOMAIN_SWITCH_ON && !disk->readonly)
                add_copy_on_read(list, top, node);
        if (device_has_throttle(disk))
                return device_add_throttle(list, context, disk, node, error);
        return true;
}

/* ---- devices ---- */

static bool no_controller(const struct domain_disk *disk, GError **error)
{
        return device_unsupported(error, "no %s controller for disk '%s'", domain_bus_get_name(disk->bus),
                                  disk->target);
}

static bool set_virtio_blk(json_t *device, const struct device_context *context,
                           const struct domain_disk *disk, GError **error)
{
        g_autofree char *who = g_strdup_printf("disk '%s'", disk->target);

        if (!device_set_iothread_map(device, context, "virtio-blk-pci", disk->iothread_map, who, error))
                return false;
        device_set_virtio(device, &disk->virtio);
        if (disk->iothread)
                device_set_format(device, "iothread", "iothread%u", (unsigned)disk->iothread);
        device_set_switch(device, "ioeventfd", disk->ioeventfd);
        device_set_switch(device, "event_idx", disk->event_idx);
        device_set_uint(device, "num-queues", disk->queues);
        device_set_uint(device, "queue-size", disk->queue_size);
        return device_set_address(device, context, &disk->info, error);
}

/* The identifier of SCSI's page 0x83, which udev's by-id links in guests are made of. */
static void set_scsi_identity(json_t *device, const struct domain_disk *disk)
{
        if (disk->device == DOMAIN_DISK_LUN)
                return;
        if (disk->serial)
                device_set_string(device, "device_id", disk->serial);
        else
                device_set_format(device, "device_id", "drive-%s", disk->info.alias);
        device_set_string(device, "vendor", disk->vendor);
        device_set_string(device, "product", disk->product);
}

static bool set_scsi(json_t *device, const struct device_context *context, const struct domain_disk *disk,
                     GError **error)
{
        if (!device_set_scsi_place(device, context, &disk->info, error))
                return false;
        set_scsi_identity(device, disk);
        return true;
}

static bool set_ide(json_t *device, const struct device_context *context, const struct domain_disk *disk,
                    GError **error)
{
        const struct domain_address_drive *drive = &disk->info.address.drive;

        if (disk->info.address.type != DOMAIN_ADDRESS_DRIVE || device_machine_is_q35(context->def))
                return no_controller(disk, error);
        device_set_format(device, "bus", "ide.%u", (unsigned)drive->bus);
        device_set_int(device, "unit", drive->unit);
        return true;
}

static bool set_sata(json_t *device, const struct device_context *context, const struct domain_disk *disk,
                     GError **error)
{
        const struct domain_address_drive *drive = &disk->info.address.drive;
        const struct domain_controller *controller =
                device_find_controller(context, DOMAIN_CONTROLLER_SATA, drive->controller);
        bool built_in = device_machine_is_q35(context->def) && drive->controller == 0;

        if (disk->info.address.type != DOMAIN_ADDRESS_DRIVE || !controller || !controller->info.alias)
                return no_controller(disk, error);
        device_set_format(device, "bus", "%s.%u", built_in ? "ide" : controller->info.alias,
                          (unsigned)drive->unit);
        return true;
}

static bool set_nvme(json_t *device, const struct device_context *context, const struct domain_disk *disk,
                     GError **error)
{
        const struct domain_address_drive *drive = &disk->info.address.drive;
        const struct domain_controller *controller =
                device_find_controller(context, DOMAIN_CONTROLLER_NVME, drive->controller);

        if (disk->info.address.type != DOMAIN_ADDRESS_DRIVE || !controller || !controller->info.alias)
                return no_controller(disk, error);
        device_set_string(device, "bus", controller->info.alias);
        device_set_uint(device, "nsid", (uint64_t)drive->unit + 1);
        return true;
}

static bool set_floppy(json_t *device, const struct domain_disk *disk)
{
        bool addressed = disk->info.address.type == DOMAIN_ADDRESS_DRIVE;

        device_set_int(device, "unit", addressed ? disk->info.address.drive.unit : 0);
        return true;
}

/* A CD-ROM drive on USB is a SCSI one behind a mass storage bridge, which is empty when the drive is. */
static bool set_usb(struct device_list *list, json_t *device, const struct device_context *context,
                    const struct domain_disk *disk, GError **error)
{
        g_autofree char *bridge = NULL;

        if (disk->device != DOMAIN_DISK_CDROM) {
                device_set_switch(device, "removable", disk->removable);
                return device_set_address(device, context, &disk->info, error);
        }
        bridge = g_strconcat(disk->info.alias, "-bridge", NULL);
        device_set_format(device, "bus", "%s.0", bridge);
        return device_list_add_at(list, context, device_new("usb-bot", bridge), &disk->info, error);
}

/* The device's type, or NULL with an error. */
static char *disk_driver(const struct domain_disk *disk, GError **error)
{
        bool cdrom = disk->device == DOMAIN_DISK_CDROM;

        if (disk->device == DOMAIN_DISK_LUN && disk->bus != DOMAIN_BUS_SCSI) {
                device_unsupported(error, "device='lun' of disk '%s' on bus '%s'", disk->target,
                                   domain_bus_get_name(disk->bus));
                return NULL;
        }
        switch (disk->bus) {
        case DOMAIN_BUS_VIRTIO:
                return device_virtio_driver("virtio-blk", disk->model, &disk->info);
        case DOMAIN_BUS_SCSI:
                if (disk->device == DOMAIN_DISK_LUN)
                        return g_strdup("scsi-block");
                return g_strdup(cdrom ? "scsi-cd" : "scsi-hd");
        case DOMAIN_BUS_IDE:
        case DOMAIN_BUS_SATA:
                return g_strdup(cdrom ? "ide-cd" : "ide-hd");
        case DOMAIN_BUS_USB:
                return g_strdup(cdrom ? "scsi-cd" : "usb-storage");
        case DOMAIN_BUS_FDC:
                return g_strdup("floppy");
        case DOMAIN_BUS_NVME:
                return g_strdup("nvme-ns");
        default:
                device_unsupported(error, "bus '%s' of disk '%s' is not supported",
                                   domain_bus_get_name(disk->bus), disk->target);
                return NULL;
        }
}

static bool set_place(struct device_list *list, json_t *device, const struct device_context *context,
                      const struct domain_disk *disk, GError **error)
{
        switch (disk->bus) {
        case DOMAIN_BUS_VIRTIO:
                return set_virtio_blk(device, context, disk, error);
        case DOMAIN_BUS_SCSI:
                return set_scsi(device, context, disk, error);
        case DOMAIN_BUS_IDE:
                return set_ide(device, context, disk, error);
        case DOMAIN_BUS_SATA:
                return set_sata(device, context, disk, error);
        case DOMAIN_BUS_USB:
                return set_usb(list, device, context, disk, error);
        case DOMAIN_BUS_NVME:
                return set_nvme(device, context, disk, error);
        default:
                return set_floppy(device, disk);
        }
}

static void set_error_policies(json_t *device, const struct domain_disk *disk)
{
        const char *on_write = disk->error_policy, *on_read = disk->rerror_policy;

        if (g_strcmp0(on_write, "enospace") == 0)
                on_write = "enospc";
        else if (!on_read)
                on_read = on_write;
        device_set_string(device, "werror", on_write);
        device_set_string(device, "rerror", on_read);
}

static bool parse_wwn(const struct domain_disk *disk, uint64_t *wwn)
{
        char *end;

        if (!disk->wwn)
                return false;
        *wwn = g_ascii_strtoull(disk->wwn, &end, 16);
        return *end == '\0';
}

static void set_geometry(json_t *device, const struct domain_geometry *geometry)
{
        if (!geometry)
                return;
        device_set_uint(device, "cyls", geometry->cylinders);
        device_set_uint(device, "heads", geometry->heads);
        device_set_uint(device, "secs", geometry->sectors);
        device_set_string(device, "bios-chs-trans", geometry->translation);
}

static void set_disk_properties(json_t *device, const struct device_context *context,
                                const struct domain_disk *disk)
{
        const char *cache = domain_disk_get_cache(disk);
        uint64_t wwn;

        if (disk->device != DOMAIN_DISK_FLOPPY) /* a property of its controller */
                device_set_uint(device, "bootindex", device_disk_boot_index(context, disk));
        if (disk->shareable)
                device_set_bool(device, "share-rw", true);
        device_set_uint(device, "logical_block_size", disk->logical_block_size);
        device_set_uint(device, "physical_block_size", disk->physical_block_size);
        device_set_uint(device, "discard_granularity", disk->discard_granularity);
        set_geometry(device, disk->geometry);
        if (parse_wwn(disk, &wwn))
                device_set_int(device, "wwn", (json_int_t)wwn);
        device_set_uint(device, "rotation_rate", disk->rotation_rate);
        if (cache && disk->device == DOMAIN_DISK_DISK)
                device_set_string(device, "write-cache",
                                  block_cache_from_name(cache).write_cache ? "on" : "off");
        if (disk->device != DOMAIN_DISK_LUN)
                device_set_string(device, "serial", disk->serial);
        set_error_policies(device, disk);
}

/* Only these buses have a place for all the facts about a drive. */
static bool check_facts(const struct domain_disk *disk, GError **error)
{
        bool ata = disk->bus == DOMAIN_BUS_IDE || disk->bus == DOMAIN_BUS_SATA;
        const char *what = NULL;

        if (disk->wwn && !ata && disk->bus != DOMAIN_BUS_SCSI)
                what = "<wwn>";
        else if (disk->rotation_rate && !ata && disk->bus != DOMAIN_BUS_SCSI)
                what = "rotation_rate";
        else if ((disk->vendor || disk->product) && disk->bus != DOMAIN_BUS_SCSI)
                what = "<vendor> or <product>";
        else if (disk->removable != DOMAIN_SWITCH_ABSENT && disk->bus != DOMAIN_BUS_USB)
                what = "removable";
        else if ((disk->serial || disk->error_policy || disk->rerror_policy) &&
                 (disk->bus == DOMAIN_BUS_FDC || disk->bus == DOMAIN_BUS_NVME))
                what = "<serial> or an error policy";
        if (!what)
                return true;
        return device_unsupported(error, "%s of disk '%s' on bus '%s'", what, disk->target,
                                  domain_bus_get_name(disk->bus));
}

/* What no disk, or not this one, can have. */
static bool check(const struct domain_disk *disk, GError **error)
{
        if (g_strcmp0(disk->io, "native") == 0 && !block_cache_from_name(domain_disk_get_cache(disk)).direct)
                return device_unsupported(
                        error, "io='native' of disk '%s' needs cache='none' or 'directsync'", disk->target);
        if (disk->iothread && disk->bus != DOMAIN_BUS_VIRTIO)
                return device_unsupported(error, "an iothread for disk '%s' on bus '%s'", disk->target,
                                          domain_bus_get_name(disk->bus));
        if (!device_disk_has_source(disk) && disk->device != DOMAIN_DISK_CDROM &&
            disk->device != DOMAIN_DISK_FLOPPY)
                return device_unsupported(error, "disk '%s' without a source", disk->target);
        return check_facts(disk, error);
}

bool device_describe_disk(struct device_list *list, const struct device_context *context, const void *data,
                          GError **error)
{
        const struct domain_disk *disk = data;
        g_autofree char *driver = NULL;
        char node[BLOCK_NODE_NAME_SIZE];
        json_t *device;

        if (disk->source.type == DOMAIN_STORAGE_VHOSTUSER && disk->source.vhost_user)
                return device_describe_served_disk(list, context, disk, error);
        if (!check(disk, error))
                return false;
        driver = disk_driver(disk, error);
        if (!driver || !add_nodes(list, context, disk, node, error))
                return false;
        device = device_new(driver, disk->info.alias);
        if (node[0])
                device_set_string(device, "drive", node);
        if (!set_place(list, device, context, disk, error) ||
            !device_list_add_companion(list, context, &disk->info, error)) {
                json_decref(device);
                return false;
        }
        set_disk_properties(device, context, disk);
        return device_list_add_device(list, context, device, error);
}
