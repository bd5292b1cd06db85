/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks and the images behind them.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"
#include "drivers/domain/normalize-steps-xml.h"

#include <string.h>

#define TARGET_MAX  32
#define SERIAL_MAX  255
#define VENDOR_MAX  8
#define PRODUCT_MAX 16
#define WWN_DIGITS  16
/* QEMU counts sizes of caches in signed numbers. */
#define METADATA_CACHE_MAX INT64_MAX

const char *const domain_storage_type_names[] = {
        [DOMAIN_STORAGE_FILE] = "file",
        [DOMAIN_STORAGE_BLOCK] = "block",
        [DOMAIN_STORAGE_DIR] = "dir",
        [DOMAIN_STORAGE_NETWORK] = "network",
        [DOMAIN_STORAGE_VOLUME] = "volume",
        [DOMAIN_STORAGE_NVME] = "nvme",
        [DOMAIN_STORAGE_VHOSTUSER] = "vhostuser",
        [DOMAIN_STORAGE_VHOSTVDPA] = "vhostvdpa",
        [DOMAIN_STORAGE_LAST] = NULL,
};
const char *const domain_disk_device_names[] = {
        [DOMAIN_DISK_DISK] = "disk", [DOMAIN_DISK_CDROM] = "cdrom", [DOMAIN_DISK_FLOPPY] = "floppy",
        [DOMAIN_DISK_LUN] = "lun",   [DOMAIN_DISK_LAST] = NULL,
};
const char *const domain_bus_names[] = {
        [DOMAIN_BUS_NONE] = "none", [DOMAIN_BUS_IDE] = "ide",       [DOMAIN_BUS_FDC] = "fdc",
        [DOMAIN_BUS_SCSI] = "scsi", [DOMAIN_BUS_VIRTIO] = "virtio", [DOMAIN_BUS_XEN] = "xen",
        [DOMAIN_BUS_USB] = "usb",   [DOMAIN_BUS_UML] = "uml",       [DOMAIN_BUS_SATA] = "sata",
        [DOMAIN_BUS_SD] = "sd",     [DOMAIN_BUS_NVME] = "nvme",     [DOMAIN_BUS_LAST] = NULL,
};

static const char *const format_names[] = {
        "raw", "qcow2", "qcow",  "qed",   "vmdk", "vdi", "vhdx", "vpc", "vhd",  "dmg", "iso",
        "cow", "bochs", "cloop", "ploop", "fat",  "dir", "luks", "aio", "none", NULL,
};
static const char *const cache_names[] = { "default", "none", "writethrough", "writeback", "directsync",
                                           "unsafe",  NULL };
static const char *const io_names[] = { "native", "threads", "io_uring", NULL };
static const char *const discard_names[] = { "unmap", "ignore", NULL };
static const char *const detect_zeroes_names[] = { "off", "on", "unmap", NULL };
static const char *const error_policy_names[] = { "stop", "report", "ignore", "enospace", NULL };
static const char *const rerror_policy_names[] = { "stop", "report", "ignore", NULL };
static const char *const startup_policy_names[] = { "mandatory", "requisite", "optional", NULL };
static const char *const volume_mode_names[] = { "host", "direct", NULL };
static const char *const encryption_names[] = { "luks", "luks2", "luks-any", "qcow", "default", NULL };
static const char *const engine_names[] = { "qemu", "librbd", NULL };
static const char *const snapshot_names[] = { "no", "internal", "external", "manual", NULL };
static const char *const helper_type_names[] = { "unix", NULL };
static const char *const helper_mode_names[] = { "client", NULL };
static const char *const nvme_type_names[] = { "pci", NULL };
static const char *const slice_names[] = { "storage", NULL };
static const char *const translation_names[] = { "none", "lba", "auto", NULL };
static const char *const tray_names[] = { "closed", "open", NULL };

/* ---- images ---- */

static const struct field storage_type_field[] = {
        ENUM("type", struct domain_storage, type, domain_storage_type_names),
        FIELDS_END,
};
static const struct field source_fields[] = {
        NAME("startupPolicy", struct domain_storage, startup_policy, startup_policy_names),
        UINT("index", struct domain_storage, index),
        FIELDS_END,
};
static const struct field file_fields[] = { PATH("file", struct domain_storage, path, .relative = true),
                                            FIELDS_END };
static const struct field block_fields[] = { PATH("dev", struct domain_storage, path, .relative = true),
                                             FIELDS_END };
static const struct field dir_fields[] = { PATH("dir", struct domain_storage, path, .relative = true),
                                           FIELDS_END };
static const struct field volume_fields[] = {
        STRING("pool", struct domain_storage, pool, .required = true, .max = DOMAIN_NAME_MAX),
        STRING("volume", struct domain_storage, volume, .required = true, .max = DOMAIN_NAME_MAX),
        NAME("mode", struct domain_storage, mode, volume_mode_names),
        FIELDS_END,
};

static const struct field *const fields_of[DOMAIN_STORAGE_LAST] = {
        [DOMAIN_STORAGE_FILE] = file_fields,       [DOMAIN_STORAGE_BLOCK] = block_fields,
        [DOMAIN_STORAGE_DIR] = dir_fields,         [DOMAIN_STORAGE_VOLUME] = volume_fields,
        [DOMAIN_STORAGE_VHOSTVDPA] = block_fields,
};

struct nvme_reading {
        struct domain_nvme nvme;
        const char *type;
};
static const struct field nvme_fields[] = {
        NAME("type", struct nvme_reading, type, nvme_type_names, .required = true),
        UINT("namespace", struct nvme_reading, nvme.namespace, .required = true, .min = 1),
        YES_NO("managed", struct nvme_reading, nvme.managed),
        FIELDS_END,
};
static const struct field nvme_address_fields[] = {
        HEX("domain", struct nvme_reading, nvme.pci.domain),
        HEX("bus", struct nvme_reading, nvme.pci.bus, .required = true),
        HEX("slot", struct nvme_reading, nvme.pci.slot, .required = true, .max = 0x1f),
        HEX("function", struct nvme_reading, nvme.pci.function, .required = true, .max = 7),
        PRESENT("bus", struct nvme_reading, nvme.addressed),
        FIELDS_END,
};
static const struct field_part nvme_parts[] = {
        { NULL, nvme_fields },
        { "address", nvme_address_fields },
        PARTS_END,
};

static bool read_nvme(struct domain_reader *reader, xmlNode *node, struct domain_storage *storage,
                      GError **error)
{
        struct nvme_reading *reading = domain_arena_alloc(reader->arena, sizeof(*reading));

        storage->nvme = &reading->nvme;
        if (!field_read_parts(reader, node, nvme_parts, reading, error))
                return false;
        return reading->nvme.addressed ||
               xml_error(error, node, "a source of type 'nvme' needs the <address> of its controller");
}

static const struct field encryption_fields[] = {
        NAME("format", struct domain_encryption, format, encryption_names, .required = true),
        NAME("engine", struct domain_encryption, engine, engine_names),
        FIELDS_END,
};
static const struct field secret_fields[] = {
        UUID("uuid", struct domain_encryption, secret_uuid),
        STRING("usage", struct domain_encryption, secret_usage),
        FIELDS_END,
};
static const struct field_part encryption_parts[] = {
        { NULL, encryption_fields },
        { "secret", secret_fields },
        PARTS_END,
};

static bool check_secret(const xmlNode *secret, GError **error)
{
        g_autofree char *type = xml_attr(secret, "type"), *quoted = error_quote(type);

        if (g_strcmp0(type, "passphrase") != 0)
                return xml_error(error, secret, "unknown type '%s' of a secret for encryption", quoted);
        if (xml_has_attr(secret, "uuid") == xml_has_attr(secret, "usage"))
                return xml_error(error, secret, "a secret is named either by uuid or by usage");
        return true;
}

/* Stands in <disk> or in <source>. */
static bool read_encryption(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_encryption *encryption = domain_arena_alloc(reader->arena, sizeof(*encryption));
        struct domain_storage *storage = target;

        if (storage->encryption)
                return xml_error(error, node, "a second <encryption>");
        storage->encryption = encryption;
        for (xmlNode *secret = xml_child(node, "secret"); secret; secret = xml_next(secret)) {
                encryption->n_secrets++;
                if (!check_secret(secret, error))
                        return false;
        }
        return field_read_parts(reader, node, encryption_parts, encryption, error);
}

struct slice_reading {
        struct domain_slice slice;
        const char *type;
};

static const struct field slice_fields[] = {
        NAME("type", struct slice_reading, type, slice_names, .required = true),
        UINT("offset", struct slice_reading, slice.offset, .required = true, .max = INT64_MAX),
        UINT("size", struct slice_reading, slice.size, .required = true, .min = 1, .max = INT64_MAX),
        FIELDS_END,
};

/* There is one kind of slice, so there is one slice at most. */
static bool read_slices(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct slice_reading *reading = domain_arena_alloc(reader->arena, sizeof(*reading));
        xmlNode *slice = xml_child(node, "slice");
        struct domain_storage *storage = target;

        if (!slice)
                return true;
        if (xml_next(slice))
                return xml_error(error, node, "a source has one slice of type 'storage' at most");
        storage->slice = &reading->slice;
        return field_read(reader, slice, slice_fields, reading, error);
}

static const struct field format_fields[] = {
        NAME("type", struct domain_storage, format, format_names),
        FIELDS_END,
};

/* A file or device alone; others are refused by their type (check-disk.c). */
static bool read_data_source(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_storage *storage = target;
        const struct field *fields = fields_of[storage->type];

        return field_read(reader, node, source_fields, storage, error) &&
               domain_read_labels(reader, node, &storage->labels, error) &&
               (!fields || field_read(reader, node, fields, storage, error));
}

static const struct field_part data_store_parts[] = {
        { NULL, storage_type_field },
        { "format", format_fields },
        { "source", NULL, read_data_source },
        PARTS_END,
};

static bool read_data_store(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_storage *storage = target, *data = domain_arena_alloc(reader->arena, sizeof(*data));

        storage->data = data;
        return field_read_parts(reader, node, data_store_parts, data, error);
}

struct reservations_reading {
        struct domain_reservations reservations;
        const char *type, *mode;
};

static const struct field reservations_fields[] = {
        YES_NO("managed", struct reservations_reading, reservations.managed, .required = true),
        FIELDS_END,
};
static const struct field helper_fields[] = {
        NAME("type", struct reservations_reading, type, helper_type_names),
        PATH("path", struct reservations_reading, reservations.path),
        NAME("mode", struct reservations_reading, mode, helper_mode_names),
        FIELDS_END,
};
static const struct field_part reservations_parts[] = {
        { NULL, reservations_fields },
        { "source", helper_fields },
        PARTS_END,
};

static bool read_reservations(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct reservations_reading *reading = domain_arena_alloc(reader->arena, sizeof(*reading));
        struct domain_storage *storage = target;

        storage->reservations = &reading->reservations;
        return field_read_parts(reader, node, reservations_parts, reading, error);
}

static const struct field_part source_parts[] = {
        { NULL, source_fields },
        { "slices", NULL, read_slices },
        { "encryption", NULL, read_encryption },
        { "reservations", NULL, read_reservations },
        { "dataStore", NULL, read_data_store },
        PARTS_END,
};

bool domain_read_source(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_storage *storage = target;
        const struct field *fields = fields_of[storage->type];

        if (storage->type == DOMAIN_STORAGE_NETWORK &&
            !domain_read_network_source(reader, node, storage, error))
                return false;
        if (storage->type == DOMAIN_STORAGE_NVME && !read_nvme(reader, node, storage, error))
                return false;
        if (storage->type == DOMAIN_STORAGE_VHOSTUSER &&
            !domain_read_vhost_user(reader, node, storage, error))
                return false;
        return field_read_parts(reader, node, source_parts, storage, error) &&
               domain_read_labels(reader, node, &storage->labels, error) &&
               (!fields || field_read(reader, node, fields, storage, error));
}

static const struct field backing_index_field[] = {
        UINT("index", struct domain_storage, index),
        FIELDS_END,
};
static const struct field cache_size_fields[] = {
        BYTES(NULL, struct domain_storage, metadata_cache_bytes, .max = METADATA_CACHE_MAX),
        FIELDS_END,
};
static const struct field_part backing_parts[] = {
        { NULL, storage_type_field },
        { NULL, backing_index_field },
        { "format", format_fields },
        { "format/metadata_cache/max_size", cache_size_fields },
        { "source", NULL, domain_read_source },
        PARTS_END,
};

/* The chain is as long as the document is deep, which the parser bounds. */
static bool read_backing(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_storage *above = target;

        for (; node; node = xml_child(node, "backingStore")) {
                struct domain_storage *storage;

                above->ends = !xml_first_element(node);
                if (above->ends)
                        return true;
                storage = domain_arena_alloc(reader->arena, sizeof(*storage));
                if (!field_read_parts(reader, node, backing_parts, storage, error))
                        return false;
                above->backing = storage;
                above = storage;
        }
        return true;
}

/* ---- disks ---- */

static const struct field disk_fields[] = {
        ENUM("type", struct domain_disk, source.type, domain_storage_type_names),
        ENUM("device", struct domain_disk, device, domain_disk_device_names),
        NAME("model", struct domain_disk, model, domain_virtio_model_names),
        NAME("snapshot", struct domain_disk, snapshot, snapshot_names),
        YES_NO("rawio", struct domain_disk, info.raw_io),
        FIELDS_END,
};
static const struct field target_fields[] = {
        STRING("dev", struct domain_disk, target, .required = true, .max = TARGET_MAX),
        ENUM("bus", struct domain_disk, bus, domain_bus_names, .min = 1),
        BOOL("tray", struct domain_disk, tray_open, tray_names),
        ON_OFF("removable", struct domain_disk, removable),
        UINT("rotation_rate", struct domain_disk, rotation_rate, .min = 1, .max = 65534),
        FIELDS_END,
};
static const struct field driver_fields[] = {
        STRING("name", struct domain_disk, driver, .max = 64),
        NAME("type", struct domain_disk, source.format, format_names),
        NAME("cache", struct domain_disk, cache, cache_names),
        NAME("io", struct domain_disk, io, io_names),
        NAME("discard", struct domain_disk, discard, discard_names),
        NAME("detect_zeroes", struct domain_disk, detect_zeroes, detect_zeroes_names),
        NAME("error_policy", struct domain_disk, error_policy, error_policy_names),
        NAME("rerror_policy", struct domain_disk, rerror_policy, rerror_policy_names),
        ON_OFF("copy_on_read", struct domain_disk, copy_on_read),
        ON_OFF("ioeventfd", struct domain_disk, ioeventfd),
        ON_OFF("event_idx", struct domain_disk, event_idx),
        UINT("iothread", struct domain_disk, iothread, .min = 1),
        UINT("queues", struct domain_disk, queues, .min = 1, .max = 1024),
        UINT("queue_size", struct domain_disk, queue_size, .min = 1, .max = 1024),
        FIELDS_END,
};
static const struct field blockio_fields[] = {
        UINT("logical_block_size", struct domain_disk, logical_block_size),
        UINT("physical_block_size", struct domain_disk, physical_block_size),
        UINT("discard_granularity", struct domain_disk, discard_granularity),
        FIELDS_END,
};
/* As many as a BIOS knows of. */
static const struct field geometry_fields[] = {
        UINT("cyls", struct domain_geometry, cylinders, .max = 65535),
        UINT("heads", struct domain_geometry, heads, .max = 255),
        UINT("secs", struct domain_geometry, sectors, .max = 255),
        NAME("trans", struct domain_geometry, translation, translation_names),
        FIELDS_END,
};

static bool read_geometry(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_geometry *geometry = domain_arena_alloc(reader->arena, sizeof(*geometry));

        *(const struct domain_geometry **)target = geometry;
        return field_read(reader, node, geometry_fields, geometry, error);
}

static const struct field readonly_fields[] = { PRESENT(NULL, struct domain_disk, readonly), FIELDS_END };
static const struct field shareable_fields[] = { PRESENT(NULL, struct domain_disk, shareable), FIELDS_END };
static const struct field transient_fields[] = { PRESENT(NULL, struct domain_disk, transient), FIELDS_END };
static const struct field serial_fields[] = { STRING(NULL, struct domain_disk, serial, .max = SERIAL_MAX),
                                              FIELDS_END };
static const struct field wwn_fields[] = { STRING(NULL, struct domain_disk, wwn), FIELDS_END };
static const struct field vendor_fields[] = { STRING(NULL, struct domain_disk, vendor, .max = VENDOR_MAX),
                                              FIELDS_END };
static const struct field product_fields[] = { STRING(NULL, struct domain_disk, product, .max = PRODUCT_MAX),
                                               FIELDS_END };

static const struct field_part parts[] = {
        { NULL, disk_fields },
        { "driver", driver_fields },
        { "driver/iothreads", NULL, domain_read_iothread_map, offsetof(struct domain_disk, iothread_map) },
        { "driver/metadata_cache/max_size", cache_size_fields, NULL, offsetof(struct domain_disk, source) },
        VIRTIO_PART(struct domain_disk),
        { "source", NULL, domain_read_source, offsetof(struct domain_disk, source) },
        { "backingStore", NULL, read_backing, offsetof(struct domain_disk, source) },
        { "encryption", NULL, read_encryption, offsetof(struct domain_disk, source) },
        { "blockio", blockio_fields },
        { "geometry", NULL, read_geometry, offsetof(struct domain_disk, geometry) },
        { "target", target_fields },
        { "iotune", NULL, domain_read_iotune, offsetof(struct domain_disk, iotune) },
        { "throttlefilters", NULL, domain_read_throttle_filters, offsetof(struct domain_disk, iotune) },
        { "readonly", readonly_fields },
        { "shareable", shareable_fields },
        { "transient", transient_fields },
        { "serial", serial_fields },
        { "wwn", wwn_fields },
        { "vendor", vendor_fields },
        { "product", product_fields },
        INFO_PARTS(struct domain_disk),
        PARTS_END,
};

/* A kind and letters, and digits for a partition: "vda", "sdaa", "hdc1"; a namespace: "nvme0n1". */
static bool is_target(const char *target)
{
        static const char *const prefixes[] = { "vd", "sd", "hd", "fd", "xvd", "ubd" };

        if (g_str_has_prefix(target, "nvme"))
                return normalize_disk_index(target) >= 0;
        for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++) {
                const char *rest = target + strlen(prefixes[i]);
                size_t letters;

                if (!g_str_has_prefix(target, prefixes[i]))
                        continue;
                letters = strspn(rest, "abcdefghijklmnopqrstuvwxyz");
                rest += letters;
                return letters > 0 && letters <= 4 && rest[strspn(rest, "0123456789")] == '\0';
        }
        return false;
}

static bool check_strings(const struct domain_disk *disk, const xmlNode *node, GError **error)
{
        g_autofree char *quoted = error_quote(disk->target);

        if (!is_target(disk->target))
                return xml_error(error, node, "invalid disk target '%s'", quoted);
        if (disk->wwn &&
            (strlen(disk->wwn) != WWN_DIGITS || strspn(disk->wwn, "0123456789abcdefABCDEF") != WWN_DIGITS))
                return xml_error(error, node, "invalid wwn of disk '%s': expected %d hexadecimal digits",
                                 quoted, WWN_DIGITS);
        return domain_check_plain(node, "vendor", disk->vendor, "", error) &&
               domain_check_plain(node, "product", disk->product, "", error) &&
               domain_check_plain(node, "serial", disk->serial, "", error);
}

bool domain_read_disk(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_disk *disk = target;

        if (!field_read_parts(reader, node, parts, disk, error) ||
            !domain_read_disk_auth(reader, node, &disk->source, error))
                return false;
        if (!disk->target)
                return xml_error(error, node, "missing element 'target' of a disk");
        if (xml_child(node, "throttlefilters") && xml_child(node, "iotune"))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "disk '%s' has both <iotune> and <throttlefilters>: one says its limits",
                                 disk->target);
        return check_strings(disk, node, error) &&
               field_check_unique(reader->targets, node, "disk target", disk->target, error);
}
