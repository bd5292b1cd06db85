/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The small devices, as a definition names them. Part of device.h, which says what holds for
 * all of them.
 */

#include "drivers/domain/address.h"

#include <stdbool.h>
#include <stdint.h>

struct domain_memballoon {
        struct domain_device_info info;
        const char *model; /* "virtio" ..., "none" */
        enum domain_switch autodeflate;
        enum domain_switch free_page_reporting;
        struct domain_virtio virtio;
        uint32_t stats_period_s; /* 0: off */
};

struct domain_watchdog {
        struct domain_device_info info;
        const char *model;  /* "i6300esb", "ib700", "diag288", "itco" */
        const char *action; /* "reset" ... "inject-nmi" */
};

struct domain_panic {
        struct domain_device_info info;
        const char *model; /* "isa", "pseries", "hyperv", "s390", "pvpanic"; NULL: the machine's own */
};

struct domain_vsock {
        struct domain_device_info info;
        const char *model; /* "virtio" ... */
        enum domain_switch auto_cid;
        struct domain_virtio virtio;
        uint32_t cid; /* 0: none given */
};

struct domain_hub {
        struct domain_device_info info;
        const char *type; /* "usb" */
};

struct domain_shmem {
        struct domain_device_info info;
        const char *name;
        const char *model;  /* "ivshmem", "ivshmem-plain", "ivshmem-doorbell" */
        const char *role;   /* "master", "peer" */
        const char *server; /* <server path=> */
        bool has_server;
        uint64_t size_bytes; /* 0: not given */
        uint32_t vectors;    /* <msi>; 0: the default */
        bool has_msi, msi_off;
        enum domain_switch ioeventfd;
};

struct domain_iommu {
        struct domain_device_info info;
        const char *model; /* "intel", "amd", "smmuv3", "virtio" */
        enum domain_switch intremap;
        enum domain_switch caching_mode;
        enum domain_switch eim;
        enum domain_switch iotlb;
        enum domain_switch dma_translation;
        enum domain_switch xtsup;       /* amd: APIC ids of 32 bits */
        enum domain_switch passthrough; /* amd: devices may be left untranslated */
        uint32_t aw_bits;               /* 0: the default */
};

enum domain_crypto_backend {
        DOMAIN_CRYPTO_BUILTIN,
        DOMAIN_CRYPTO_LKCF, /* the host's kernel */
        DOMAIN_CRYPTO_LAST,
} __attribute__((packed));

struct domain_crypto {
        struct domain_device_info info;
        const char *model; /* "virtio" */
        const char *type;  /* "qemu" */
        enum domain_crypto_backend backend;
        uint32_t queues; /* 0: the default */
        struct domain_virtio virtio;
};

/* Where the guest's kernel leaves what it says as it dies. */
struct domain_pstore {
        struct domain_device_info info;
        const char *backend; /* "acpi-erst" */
        const char *path;    /* the file; NULL: the agent finds a place */
        uint64_t size_kib;
};

struct domain_nvram_device {
        struct domain_device_info info;
};
