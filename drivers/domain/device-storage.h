/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Disks, controllers and file systems, as a definition names them. Part of device.h, which says what holds
 * for all of them.
 */

#include "drivers/domain/address.h"
#include "drivers/domain/device-label.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- I/O threads of a device ---- */

struct domain_mapped_queue {
        uint32_t id;
};

struct domain_mapped_iothread {
        uint32_t id;
        uint32_t n_queues; /* 0: QEMU shares them out */
        const struct domain_mapped_queue *queues;
};

/* <driver> <iothreads>: which I/O thread works for which queues. */
struct domain_iothread_map {
        const struct domain_mapped_iothread *threads;
        uint32_t count;
};

/* Does the map, which may be NULL, have the I/O thread of that number? */
static inline bool domain_iothread_map_has(const struct domain_iothread_map *map, uint32_t id)
{
        for (unsigned i = 0; map && i < map->count; i++) {
                if (map->threads[i].id == id)
                        return true;
        }
        return false;
}

/* ---- disks ---- */

struct domain_char_source;

enum domain_storage_type {
        DOMAIN_STORAGE_FILE,
        DOMAIN_STORAGE_BLOCK,
        DOMAIN_STORAGE_DIR,
        DOMAIN_STORAGE_NETWORK,
        DOMAIN_STORAGE_VOLUME,
        DOMAIN_STORAGE_NVME,
        DOMAIN_STORAGE_VHOSTUSER,
        DOMAIN_STORAGE_VHOSTVDPA,
        DOMAIN_STORAGE_LAST,
} __attribute__((packed));

/* <encryption>; its <cipher> and <ivgen> are what the image's header says. */
struct domain_encryption {
        const char *format;      /* "luks", "luks2", "luks-any", "qcow", "default" */
        const char *engine;      /* "qemu", "librbd"; NULL: not said */
        const char *secret_uuid; /* of the passphrase; NULL: named by usage, or not at all */
        const char *secret_usage;
        uint32_t n_secrets;
};

/* <host> of a source on the network. */
struct domain_storage_host {
        const char *name;      /* NULL: transport unix */
        const char *transport; /* "tcp", "unix", "rdma"; NULL: tcp */
        const char *socket;    /* unix */
        uint32_t port;         /* 0: the protocol's own */
};

struct domain_cookie {
        const char *name;
        const char *value; /* secret */
};

/* Who one is at the server of a source. */
struct domain_storage_auth {
        const char *username;
        const char *secret_type; /* "iscsi", "ceph" ... */
        const char *secret_uuid; /* NULL: named by usage */
        const char *secret_usage;
};

/* What beside its name tells of a source on the network; strings that are not there are NULL. */
struct domain_network_source {
        const char *protocol; /* "nbd", "https" ...; never NULL */
        const char *name;     /* export, path, image: as the protocol has it; NULL: none */
        const char *query;    /* http: behind the path */
        const char *tls_hostname;
        const char *snapshot; /* rbd */
        const char *config;   /* rbd: a file of the host */
        const char *initiator;
        const char *user, *group;                       /* nfs; "+1000" is a number */
        const char *username, *key_file, *agent_socket; /* ssh, <identity> */
        const char *known_hosts;                        /* ssh: <knownHosts path=> */
        const struct domain_storage_host *hosts;
        const struct domain_cookie *cookies;
        const struct domain_storage_auth *auth; /* NULL: none */
        uint32_t n_hosts, n_cookies;
        uint32_t timeout_s;       /* http; 0: the default, as with those below */
        uint32_t reconnect_s;     /* nbd */
        uint64_t readahead_bytes; /* http */
        enum domain_switch tls, ssl_verify;
};

/* The part of a source that is the image (<slice type='storage'>). */
struct domain_slice {
        uint64_t offset, size; /* bytes */
};

/* <reservations>: who carries out what a guest says of persistent reservations of its LUN. */
struct domain_reservations {
        enum domain_switch managed; /* DOMAIN_SWITCH_ON: a helper that the agent starts */
        const char *path; /* of a helper's socket; managed: in active definitions alone, else NULL */
};

/* A controller of the host that the emulator drives itself. */
struct domain_nvme {
        struct domain_address_pci pci;
        uint32_t namespace; /* from 1 */
        enum domain_switch managed;
        bool addressed; /* the document says where it is */
};

/* One image: a disk's <source>, or one <backingStore> of its chain. */
struct domain_storage {
        enum domain_storage_type type;
        bool ends; /* an empty <backingStore/> below: the image has no backing file, whatever its header says
                    */
        uint32_t index;     /* 0: none; the number in the block node's name while active */
        const char *path;   /* file, device or directory; NULL: no medium */
        const char *format; /* "raw", "qcow2" ...: of <driver type=> or <format type=> */
        const char *pool;   /* volume */
        const char *volume; /* volume */
        const char *mode;   /* volume: "host", "direct" */
        const struct domain_network_source *network;    /* network; NULL: no medium */
        const struct domain_nvme *nvme;                 /* nvme; NULL: no medium */
        const struct domain_char_source *vhost_user;    /* vhostuser: the socket of what serves the disk */
        const char *startup_policy;                     /* "mandatory", "requisite", "optional" */
        const struct domain_encryption *encryption;     /* NULL: none */
        const struct domain_slice *slice;               /* NULL: all of it */
        const struct domain_reservations *reservations; /* NULL: none are passed on */
        uint64_t metadata_cache_bytes;                  /* qcow2; 0: the default */
        struct domain_device_labels labels;
        const struct domain_storage *data;    /* qcow2: a raw file or device with its data; NULL: itself */
        const struct domain_storage *backing; /* NULL: not spelled out (see ends) */
};

enum domain_disk_device {
        DOMAIN_DISK_DISK,
        DOMAIN_DISK_CDROM,
        DOMAIN_DISK_FLOPPY,
        DOMAIN_DISK_LUN,
        DOMAIN_DISK_LAST,
} __attribute__((packed));

enum domain_bus {
        DOMAIN_BUS_NONE, /* not said: normalisation fills it in */
        DOMAIN_BUS_IDE,
        DOMAIN_BUS_FDC,
        DOMAIN_BUS_SCSI,
        DOMAIN_BUS_VIRTIO,
        DOMAIN_BUS_XEN,
        DOMAIN_BUS_USB,
        DOMAIN_BUS_UML,
        DOMAIN_BUS_SATA,
        DOMAIN_BUS_SD,
        DOMAIN_BUS_NVME,
        DOMAIN_BUS_LAST,
} __attribute__((packed));

/* <iotune>, or the <throttlegroup> that a <throttlefilter> names; 0: no limit. */
#define DOMAIN_THROTTLE_FILTERS_MAX 32 /* of one disk */
struct domain_iotune {
        uint64_t total_bytes_sec, read_bytes_sec, write_bytes_sec;
        uint64_t total_iops_sec, read_iops_sec, write_iops_sec;
        uint64_t total_bytes_sec_max, read_bytes_sec_max, write_bytes_sec_max;
        uint64_t total_iops_sec_max, read_iops_sec_max, write_iops_sec_max;
        uint64_t total_bytes_sec_max_length, read_bytes_sec_max_length, write_bytes_sec_max_length;
        uint64_t total_iops_sec_max_length, read_iops_sec_max_length, write_iops_sec_max_length;
        uint64_t size_iops_sec;
        const char *group_name;
        bool is_filter;                   /* of a <throttlefilter>: group_name is never NULL */
        const struct domain_iotune *next; /* of the disk's next <throttlefilter>, above it; NULL: none */
};

/* <geometry>: what the BIOS is told of cylinders, heads and sectors; 0: not said. */
struct domain_geometry {
        uint32_t cylinders, heads, sectors;
        const char *translation; /* "none", "lba", "auto"; NULL: the default */
};

/* Its numbers, by the names of its elements, in their order there. */
#define DOMAIN_IOTUNE_LIMITS 19
struct domain_iotune_limit {
        const char *name;
        size_t offset; /* of an uint64_t in struct domain_iotune */
};
extern const struct domain_iotune_limit domain_iotune_limits[DOMAIN_IOTUNE_LIMITS];

/* Has it none at all? */
bool domain_iotune_is_empty(const struct domain_iotune *tune);
/* Have both the same ones? Names do not matter. */
bool domain_iotune_has_same_limits(const struct domain_iotune *one, const struct domain_iotune *other);

static inline uint64_t *domain_iotune_get_limit(struct domain_iotune *tune, unsigned index)
{
        return (uint64_t *)(void *)((char *)tune + domain_iotune_limits[index].offset);
}

struct domain_disk {
        struct domain_device_info info;
        struct domain_storage source;
        enum domain_disk_device device;
        enum domain_bus bus;
        bool readonly;
        bool shareable;
        bool transient;
        bool tray_open;
        enum domain_switch removable; /* usb */
        enum domain_switch copy_on_read;
        enum domain_switch ioeventfd;
        enum domain_switch event_idx;
        struct domain_virtio virtio;
        uint16_t rotation_rate; /* 0: none; 1: not rotating */
        const char *driver;     /* <driver name=>: "qemu", or what check-disk.c refuses; NULL: none */
        const char *target;     /* "vda"; never NULL, unique in the domain */
        const char *model;      /* "virtio", "virtio-transitional", "virtio-non-transitional" */
        const char *cache;      /* "none", "writethrough", "writeback", "directsync", "unsafe", "default" */
        const char *io;         /* "native", "threads", "io_uring" */
        const char *discard;    /* "unmap", "ignore" */
        const char *detect_zeroes; /* "off", "on", "unmap" */
        const char *error_policy;  /* "stop", "report", "ignore", "enospace" */
        const char *rerror_policy; /* "stop", "report", "ignore" */
        const char *snapshot;      /* "no", "internal", "external", "manual" */
        const char *serial;
        const char *wwn;                        /* 16 hexadecimal digits */
        const char *vendor;                     /* at most 8 bytes */
        const char *product;                    /* at most 16 bytes */
        const struct domain_iotune *iotune;     /* <iotune>, or the first <throttlefilter>; NULL: none */
        const struct domain_geometry *geometry; /* NULL: none */
        const struct domain_iothread_map *iothread_map; /* NULL: none */
        uint32_t iothread;                              /* 0: none */
        uint32_t queues;                                /* 0: the default */
        uint32_t queue_size;                            /* 0: the default */
        uint32_t logical_block_size;                    /* 0: the default */
        uint32_t physical_block_size;                   /* 0: the default */
        uint32_t discard_granularity;                   /* 0: the default */
};

/* ---- controllers ---- */

enum domain_controller_type {
        DOMAIN_CONTROLLER_IDE,
        DOMAIN_CONTROLLER_FDC,
        DOMAIN_CONTROLLER_SCSI,
        DOMAIN_CONTROLLER_SATA,
        DOMAIN_CONTROLLER_VIRTIO_SERIAL,
        DOMAIN_CONTROLLER_CCID,
        DOMAIN_CONTROLLER_USB,
        DOMAIN_CONTROLLER_PCI,
        DOMAIN_CONTROLLER_XENBUS,
        DOMAIN_CONTROLLER_ISA,
        DOMAIN_CONTROLLER_NVME,
        DOMAIN_CONTROLLER_LAST,
} __attribute__((packed));

struct domain_controller {
        struct domain_device_info info;
        enum domain_controller_type type;
        enum domain_switch ioeventfd; /* scsi */
        enum domain_switch hotplug;   /* pci <target hotplug=> */
        struct domain_virtio virtio;
        uint32_t index;
        const char *model;      /* "pcie-root-port", "qemu-xhci", "virtio-scsi", "none" ... */
        const char *model_name; /* pci <model name=>, "pcie-root-port", "pci-bridge" ... */
        const char *serial;     /* nvme: at most 20 bytes */
        int ports;              /* usb, virtio-serial; -1: the default */
        int vectors;            /* virtio-serial; -1: the default */
        int master_port;        /* usb companion: <master startport=>; -1: none */
        int chassis_nr;         /* pci <target>; -1: none, as with those below */
        int chassis;
        int port;
        int bus_nr;
        int target_index; /* of a pci-root of pseries */
        int node;
        uint32_t queues; /* scsi; 0: the default, as with those below */
        uint32_t cmd_per_lun;
        uint32_t max_sectors;
        uint32_t iothread;
        uint32_t memory_reserve_kib; /* pcie-root-port: for what is plugged in; 0: as the firmware likes */
        const struct domain_iothread_map *iothread_map; /* scsi; NULL: none */
        uint64_t pcihole64_kib;                         /* 0: the machine's own */
};

/* ---- file systems ---- */

struct domain_filesystem {
        struct domain_device_info info;
        const char *type;         /* "mount", "block", "file" ... */
        const char *driver;       /* <driver type=>: "path", "handle", "virtiofs", ...; NULL: path */
        const char *access_mode;  /* "passthrough", "mapped", "squash" */
        const char *model;        /* "virtio" ... */
        const char *source;       /* a directory of the host */
        const char *socket;       /* virtiofs: of a server that is there; instead of source */
        const char *target;       /* the tag by which the guest mounts it */
        const char *multidevs;    /* "default", "remap", "forbid", "warn" */
        const char *write_policy; /* <driver wrpolicy=>: "default", "immediate" */
        /* virtiofs: <binary> */
        const char *binary;  /* NULL: the host's */
        const char *cache;   /* "none", "always" */
        const char *sandbox; /* "namespace", "chroot" */
        enum domain_switch xattr, posix_lock, flock;
        int thread_pool;     /* -1: the default */
        uint32_t open_files; /* at once; 0: the default */
        bool readonly;
        uint32_t fmode, dmode; /* of what the guest makes; 0: the default */
        uint32_t queue_size;   /* 0: the default */
        struct domain_virtio virtio;
};
