/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Devices of the host that a guest gets, as a definition names them. Part of device.h, which says what holds
 * for all of them.
 */

#include "drivers/domain/address.h"

#include <stdbool.h>
#include <stdint.h>

enum domain_hostdev_type {
        DOMAIN_HOSTDEV_USB,
        DOMAIN_HOSTDEV_PCI,
        DOMAIN_HOSTDEV_SCSI,
        DOMAIN_HOSTDEV_SCSI_HOST,
        DOMAIN_HOSTDEV_MDEV,
        DOMAIN_HOSTDEV_STORAGE, /* mode='capabilities', as with those below */
        DOMAIN_HOSTDEV_MISC,
        DOMAIN_HOSTDEV_NET,
        DOMAIN_HOSTDEV_LAST,
} __attribute__((packed));

struct domain_hostdev {
        struct domain_device_info info;
        enum domain_hostdev_type type;
        bool managed;
        bool usb_missing; /* active: left out because startupPolicy allowed it (<source missing='yes'>) */
        enum domain_switch display; /* mdev */
        enum domain_switch ramfb;   /* mdev */
        int usb_vendor;             /* -1: not given */
        int usb_product;
        uint32_t usb_bus; /* 0: not given */
        uint32_t usb_device;
        const char *usb_port;       /* usb: where it is plugged in on its bus, "4.2" */
        const char *startup_policy; /* usb: "mandatory", "requisite", "optional" */
        const char *guest_reset;    /* usb: "off", "uninitialized", "on" */
        const char *driver;         /* pci <driver name=>: "vfio", "kvm" ... */
        enum domain_switch iommufd; /* <driver iommufd=> */
        const char *model;          /* mdev: "vfio-pci", "vfio-ccw", "vfio-ap" */
        const char *mdev_uuid;
        struct domain_address_pci pci;  /* the device on the host */
        const char *teaming_persistent; /* <teaming type='transient' persistent=> */
        const char *adapter;            /* scsi: "scsi_host2" */
        uint32_t scsi_bus, scsi_target; /* scsi: the device on the host */
        uint64_t scsi_unit;
        const char *protocol;     /* scsi: "iscsi" or NULL; scsi_host: "vhost" */
        const char *wwpn;         /* scsi_host: "naa.5001405..." */
        bool readonly, shareable; /* scsi */
};
