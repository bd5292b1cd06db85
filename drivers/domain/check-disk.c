/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the disks: what goes with which bus, kind of disk and format. No state; any thread.
 */
#include "drivers/domain/check.h"

#include <string.h>

static const char *const bus_names[DOMAIN_BUS_LAST] = {
        [DOMAIN_BUS_IDE] = "ide",       [DOMAIN_BUS_FDC] = "fdc",   [DOMAIN_BUS_SCSI] = "scsi",
        [DOMAIN_BUS_VIRTIO] = "virtio", [DOMAIN_BUS_XEN] = "xen",   [DOMAIN_BUS_USB] = "usb",
        [DOMAIN_BUS_UML] = "uml",       [DOMAIN_BUS_SATA] = "sata", [DOMAIN_BUS_SD] = "sd",
        [DOMAIN_BUS_NVME] = "nvme",
};

#define ON(bus) (1U << DOMAIN_BUS_##bus)

/* What only disks on certain buses have. */
static bool check_bus(const struct domain_disk *disk, GError **error)
{
        const struct {
                bool given;
                const char *what;
                unsigned buses;
                const char *where;
        } rows[] = {
                { disk->iothread > 0, "an I/O thread", ON(VIRTIO),
                  "a virtio disk (those on scsi use the iothread of their controller's <driver>)" },
                { disk->iothread_map != NULL, "an <iothreads>", ON(VIRTIO),
                  "a virtio disk (those on scsi use the <iothreads> of their controller's <driver>)" },
                { disk->queues > 0, "queues", ON(VIRTIO), "a virtio disk" },
                { disk->queue_size > 0, "a queue_size", ON(VIRTIO), "a virtio disk" },
                { disk->ioeventfd != DOMAIN_SWITCH_ABSENT, "ioeventfd", ON(VIRTIO), "a virtio disk" },
                { disk->event_idx != DOMAIN_SWITCH_ABSENT, "event_idx", ON(VIRTIO), "a virtio disk" },
                { disk->vendor || disk->product, "a <vendor> or <product>", ON(SCSI), "a scsi disk" },
                { disk->wwn != NULL, "a <wwn>", ON(SCSI) | ON(SATA) | ON(IDE), "a scsi, sata or ide disk" },
                { disk->rotation_rate > 0, "a rotation_rate", ON(SCSI) | ON(SATA) | ON(IDE),
                  "a scsi, sata or ide disk" },
                { disk->removable != DOMAIN_SWITCH_ABSENT, "the attribute removable", ON(USB), "a usb disk" },
                { disk->serial != NULL, "a <serial>", ~ON(NVME),
                  "disks on other buses (an NVMe controller has a <serial> for all of its own)" },
                { disk->error_policy || disk->rerror_policy, "an error policy", ~ON(NVME),
                  "disks on other buses" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (rows[i].given && disk->bus != DOMAIN_BUS_NONE && !(rows[i].buses >> disk->bus & 1))
                        return check_refuse(error, "disk '%s' is on bus '%s': %s is for %s", disk->target,
                                            bus_names[disk->bus], rows[i].what, rows[i].where);
        }
        return true;
}

static bool check_iothread(const struct domain_def *def, const struct domain_disk *disk, GError **error)
{
        g_autofree char *there = NULL, *who = g_strdup_printf("disk '%s'", disk->target);

        if (!check_iothread_map(def, disk->iothread_map, who, disk->iothread, disk->queues, error))
                return false;
        if (disk->iothread == 0 || check_has_iothread(def, disk->iothread))
                return true;
        there = check_format_iothreads(def);
        return check_refuse(error, "disk '%s' asks for I/O thread %u, which the domain does not have: %s",
                            disk->target, disk->iothread, there);
}

/* ---- kinds of disks ---- */

static bool check_lun(const struct domain_disk *disk, GError **error)
{
        enum domain_storage_type type = disk->source.type;

        if (disk->device != DOMAIN_DISK_LUN)
                return true;
        if (type != DOMAIN_STORAGE_BLOCK && type != DOMAIN_STORAGE_VOLUME && type != DOMAIN_STORAGE_NETWORK)
                return check_refuse(
                        error,
                        "disk '%s' of device='lun' passes SCSI commands on to a device of the host, "
                        "and its source is none: use device='disk', or a source of type 'block'",
                        disk->target);
        if (disk->bus != DOMAIN_BUS_SCSI && disk->bus != DOMAIN_BUS_VIRTIO && disk->bus != DOMAIN_BUS_NONE)
                return check_refuse(error,
                                    "disk '%s' of device='lun' must be on bus 'scsi' or 'virtio', not '%s'",
                                    disk->target, bus_names[disk->bus]);
        if (disk->bus == DOMAIN_BUS_SCSI && (disk->serial || disk->wwn || disk->vendor || disk->product))
                return check_refuse(
                        error,
                        "disk '%s' of device='lun' shows the serial, wwn, vendor and product of the "
                        "host's device, and cannot have others",
                        disk->target);
        return true;
}

static bool check_device(const struct domain_disk *disk, GError **error)
{
        g_autofree char *driver = error_quote(disk->driver);

        if (disk->bus == DOMAIN_BUS_SD)
                return check_refuse(error,
                                    "disk '%s' is on bus 'sd': boards with a slot for SD cards are not "
                                    "driven, and the others have none; use 'usb', 'virtio' or 'scsi'",
                                    disk->target);
        if (disk->info.raw_io != DOMAIN_SWITCH_ABSENT && disk->device != DOMAIN_DISK_LUN)
                return check_refuse(
                        error,
                        "disk '%s' has rawio, which is for those of device='lun': no other passes "
                        "SCSI commands on",
                        disk->target);
        if (disk->driver && strcmp(disk->driver, "qemu") != 0)
                return check_refuse(error,
                                    "the driver of disk '%s' is '%s', which is another hypervisor's: "
                                    "it is 'qemu'",
                                    disk->target, driver);
        if (disk->device == DOMAIN_DISK_CDROM &&
            (disk->bus == DOMAIN_BUS_VIRTIO || disk->bus == DOMAIN_BUS_NVME))
                return check_refuse(error,
                                    "disk '%s' is a CD drive, which cannot be on bus '%s': use 'sata', "
                                    "'scsi', 'usb' or 'ide'",
                                    disk->target, bus_names[disk->bus]);
        if (disk->device == DOMAIN_DISK_FLOPPY && disk->bus != DOMAIN_BUS_FDC && disk->bus != DOMAIN_BUS_NONE)
                return check_refuse(error, "disk '%s' is a floppy, which is on bus 'fdc', not on '%s'",
                                    disk->target, bus_names[disk->bus]);
        if (disk->device == DOMAIN_DISK_DISK && disk->readonly &&
            (disk->bus == DOMAIN_BUS_SATA || disk->bus == DOMAIN_BUS_IDE))
                return check_refuse(
                        error,
                        "disk '%s' on bus '%s' cannot be read-only: use bus 'virtio' or 'scsi', or "
                        "device='cdrom'",
                        disk->target, bus_names[disk->bus]);
        return true;
}

/* Two guests that write to one image keep no metadata in order but their own. */
static bool check_sharing(const struct domain_disk *disk, GError **error)
{
        if (disk->shareable && disk->source.format && strcmp(disk->source.format, "raw") != 0 &&
            disk->source.type != DOMAIN_STORAGE_VOLUME)
                return check_refuse(
                        error,
                        "disk '%s' is shareable, which images of format '%s' are not: two guests would "
                        "destroy it; only 'raw' can be shared",
                        disk->target, disk->source.format);
        if (disk->copy_on_read == DOMAIN_SWITCH_ON && disk->readonly)
                return check_refuse(
                        error,
                        "disk '%s' is read-only, and copy_on_read='on' writes to it: drop one of the "
                        "two",
                        disk->target);
        return true;
}

/* ---- what only some sources and formats have ---- */

/* A directory becomes a FAT file system, which the emulator reads once and cannot write back for certain. */
static bool check_directory(const struct domain_disk *disk, GError **error)
{
        if (disk->source.type != DOMAIN_STORAGE_DIR || !disk->source.path)
                return true;
        if (g_strcmp0(disk->source.format, "fat") != 0)
                return check_refuse(
                        error, "the source of disk '%s' is a directory, which needs <driver type='fat'/>",
                        disk->target);
        if (!disk->readonly && disk->device != DOMAIN_DISK_CDROM)
                return check_refuse(error,
                                    "the source of disk '%s' is a directory, which its guest can only read: "
                                    "it needs a <readonly/>",
                                    disk->target);
        return true;
}

static bool check_geometry(const struct domain_disk *disk, GError **error)
{
        const struct domain_geometry *geometry = disk->geometry;

        if (!geometry ||
            !(geometry->cylinders || geometry->heads || geometry->sectors || geometry->translation))
                return true;
        if (disk->device != DOMAIN_DISK_DISK || disk->bus == DOMAIN_BUS_USB || disk->bus == DOMAIN_BUS_FDC ||
            disk->bus == DOMAIN_BUS_NVME)
                return check_refuse(error,
                                    "disk '%s' has a <geometry>, which is for disks on ide, sata, scsi and "
                                    "virtio",
                                    disk->target);
        if (!geometry->cylinders || !geometry->heads || !geometry->sectors)
                return check_refuse(error, "the <geometry> of disk '%s' needs cyls, heads and secs",
                                    disk->target);
        if (geometry->translation && disk->bus != DOMAIN_BUS_IDE)
                return check_refuse(error,
                                    "the <geometry> of disk '%s' has a trans, which is for disks on ide",
                                    disk->target);
        return true;
}

/* Which file or device of this host the data of a qcow2 image are in. */
static bool check_data_store(const struct domain_disk *disk, const struct domain_storage *source,
                             GError **error)
{
        const struct domain_storage *data = source->data;

        if (!data)
                return true;
        if (g_strcmp0(source->format, "qcow2") != 0)
                return check_refuse(error,
                                    "disk '%s' has a <dataStore>, which is for images of format 'qcow2'",
                                    disk->target);
        if (source->type != DOMAIN_STORAGE_FILE && source->type != DOMAIN_STORAGE_BLOCK &&
            source->type != DOMAIN_STORAGE_VOLUME)
                return check_refuse(error,
                                    "disk '%s' has a <dataStore>, which is for sources of type 'file', "
                                    "'block' and 'volume'",
                                    disk->target);
        if ((data->type != DOMAIN_STORAGE_FILE && data->type != DOMAIN_STORAGE_BLOCK) || !data->path)
                return check_refuse(
                        error,
                        "the <dataStore> of disk '%s' has to be of type 'file' or 'block', with a "
                        "<source> that names it",
                        disk->target);
        if (data->format && strcmp(data->format, "raw") != 0)
                return check_refuse(error,
                                    "the <dataStore> of disk '%s' has format '%s': data of an image are "
                                    "'raw'",
                                    disk->target, data->format);
        return true;
}

static bool check_reservations(const struct domain_disk *disk, const struct domain_storage *source,
                               GError **error)
{
        const struct domain_reservations *reservations = source->reservations;

        if (!reservations)
                return true;
        if (disk->device != DOMAIN_DISK_LUN || source != &disk->source)
                return check_refuse(
                        error, "disk '%s' has <reservations>, which are for the source of a device='lun'",
                        disk->target);
        if (source->type != DOMAIN_STORAGE_BLOCK && source->type != DOMAIN_STORAGE_VOLUME)
                return check_refuse(error,
                                    "disk '%s' has <reservations>, which are for sources of type 'block' and "
                                    "'volume'",
                                    disk->target);
        if (reservations->managed == DOMAIN_SWITCH_OFF && !reservations->path)
                return check_refuse(error,
                                    "<reservations managed='no'> of disk '%s' need the socket of a helper: "
                                    "<source type='unix' path='...' mode='client'/>",
                                    disk->target);
        return true;
}

/* What the emulator drives by itself, without an image or device of the host's. */
static bool check_driven(const struct domain_disk *disk, const struct domain_storage *source, GError **error)
{
        const char *type = source->type == DOMAIN_STORAGE_NVME ? "nvme" : "vhostvdpa", *what = NULL;

        if (source->type != DOMAIN_STORAGE_NVME && source->type != DOMAIN_STORAGE_VHOSTVDPA)
                return true;
        if (source != &disk->source)
                what = "as a backing file";
        else if (disk->device != DOMAIN_DISK_DISK)
                what = "other than device='disk'";
        else if (source->format && strcmp(source->format, "raw") != 0)
                what = "with another format than 'raw'";
        else if (source->encryption)
                what = "with an <encryption>";
        else if (disk->transient)
                what = "that are <transient/>";
        else if (disk->shareable)
                what = "that are <shareable/>";
        if (what)
                return check_refuse(error, "disk '%s' is of type '%s', and there are none %s", disk->target,
                                    type, what);
        /* The library by which the emulator reaches it knows no other way. */
        if (source->type == DOMAIN_STORAGE_VHOSTVDPA && g_strcmp0(disk->cache, "none") != 0 &&
            g_strcmp0(disk->cache, "directsync") != 0)
                return check_refuse(
                        error,
                        "disk '%s' of type 'vhostvdpa' needs cache='none' or 'directsync', and it "
                        "has '%s'",
                        disk->target, disk->cache ? disk->cache : "default");
        return true;
}

static bool check_storage(const struct domain_disk *disk, GError **error)
{
        for (const struct domain_storage *source = &disk->source; source; source = source->backing) {
                if (source->type == DOMAIN_STORAGE_DIR && source != &disk->source)
                        return check_refuse(error, "disk '%s' has a directory as a backing file",
                                            disk->target);
                if (!check_driven(disk, source, error) || !check_data_store(disk, source, error) ||
                    !check_reservations(disk, source, error))
                        return false;
                if (source->metadata_cache_bytes && g_strcmp0(source->format, "qcow2") != 0)
                        return check_refuse(error,
                                            "disk '%s' has a <metadata_cache>, which is for images of format "
                                            "'qcow2'",
                                            disk->target);
                if (source->slice && source->type != DOMAIN_STORAGE_FILE &&
                    source->type != DOMAIN_STORAGE_BLOCK && source->type != DOMAIN_STORAGE_NETWORK)
                        return check_refuse(error,
                                            "disk '%s' has a <slice>, which is for sources of type 'file', "
                                            "'block' and 'network'",
                                            disk->target);
        }
        if (disk->transient && disk->device == DOMAIN_DISK_LUN)
                return check_refuse(
                        error,
                        "disk '%s' of device='lun' is transient, and what its guest does to it goes "
                        "to the host's device: use device='disk'",
                        disk->target);
        return check_directory(disk, error) && check_geometry(disk, error);
}

static bool check_io(const struct domain_disk *disk, GError **error)
{
        const char *cache = domain_disk_get_cache(disk);

        if (g_strcmp0(disk->io, "native") != 0 || g_strcmp0(cache, "none") == 0 ||
            g_strcmp0(cache, "directsync") == 0)
                return true;
        return check_refuse(error,
                            "io='native' of disk '%s' needs cache='none' or 'directsync', and it has '%s'",
                            disk->target, cache ? cache : "default");
}

/* ---- limits ---- */

static bool check_limits(const struct domain_disk *disk, const struct domain_iotune *tune, GError **error)
{
        g_autofree char *whose = tune->is_filter
                                         ? g_strdup_printf("<throttlegroup> '%s', which disk '%s' is behind,",
                                                           tune->group_name, disk->target)
                                         : g_strdup_printf("<iotune> of disk '%s'", disk->target);
        const struct {
                uint64_t total, read, write;
                const char *total_name, *name;
        } rows[] = {
                { tune->total_bytes_sec, tune->read_bytes_sec, tune->write_bytes_sec, "total_bytes_sec",
                  "bytes_sec" },
                { tune->total_iops_sec, tune->read_iops_sec, tune->write_iops_sec, "total_iops_sec",
                  "iops_sec" },
                { tune->total_bytes_sec_max, tune->read_bytes_sec_max, tune->write_bytes_sec_max,
                  "total_bytes_sec_max", "bytes_sec_max" },
                { tune->total_iops_sec_max, tune->read_iops_sec_max, tune->write_iops_sec_max,
                  "total_iops_sec_max", "iops_sec_max" },
        };
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (rows[i].total && (rows[i].read || rows[i].write))
                        return check_refuse(
                                error,
                                "%s has both %s and %s_%s: limit either the total, or reading and writing",
                                whose, rows[i].total_name, rows[i].read ? "read" : "write", rows[i].name);
        }
        return true;
}

static bool check_iotune(const struct domain_disk *disk, GError **error)
{
        for (const struct domain_iotune *tune = disk->iotune; tune; tune = tune->next) {
                if (!check_limits(disk, tune, error))
                        return false;
        }
        return true;
}

/* Whether what is not there is missed; of what is not looked at, nobody knows. */
static bool check_startup_policy(const struct domain_disk *disk, GError **error)
{
        enum domain_storage_type type = disk->source.type;
        const char *policy = disk->source.startup_policy;

        if (!policy)
                return true;
        if (type != DOMAIN_STORAGE_FILE && type != DOMAIN_STORAGE_BLOCK && type != DOMAIN_STORAGE_DIR &&
            type != DOMAIN_STORAGE_VOLUME)
                return check_refuse(error,
                                    "disk '%s' has a startupPolicy, which is for sources of type 'file', "
                                    "'block', 'dir' and 'volume'",
                                    disk->target);
        if (strcmp(policy, "requisite") == 0 && disk->device != DOMAIN_DISK_CDROM &&
            disk->device != DOMAIN_DISK_FLOPPY)
                return check_refuse(
                        error,
                        "startupPolicy='requisite' of disk '%s' is for CD-ROM drives and floppies: "
                        "use 'optional' or 'mandatory'",
                        disk->target);
        return true;
}

static bool check_each(const struct check *check, GError **error)
{
        const struct domain_devices *devices = &check->def->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *disk = &devices->disks[i];

                if (!check_bus(disk, error) || !check_iothread(check->def, disk, error) ||
                    !check_lun(disk, error) || !check_device(disk, error) || !check_sharing(disk, error) ||
                    !check_startup_policy(disk, error) || !check_storage(disk, error) ||
                    !check_io(disk, error) || !check_iotune(disk, error))
                        return false;
        }
        return true;
}

const check_function domain_check_disks[] = { check_each, NULL };
