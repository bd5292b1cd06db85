/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Where a guest sees a device: the <address> element, and the facts that every device shares. Plain data, any
 * thread. Strings are borrowed from the definition that the device belongs to.
 */

#include <stdbool.h>
#include <stdint.h>

/* A tri-state attribute: absent (the default decides), on or yes, off or no. */
enum domain_switch {
        DOMAIN_SWITCH_ABSENT,
        DOMAIN_SWITCH_ON,
        DOMAIN_SWITCH_OFF,
} __attribute__((packed));

enum domain_address_type {
        DOMAIN_ADDRESS_NONE,
        DOMAIN_ADDRESS_PCI,
        DOMAIN_ADDRESS_DRIVE,
        DOMAIN_ADDRESS_VIRTIO_SERIAL,
        DOMAIN_ADDRESS_CCID,
        DOMAIN_ADDRESS_USB,
        DOMAIN_ADDRESS_SPAPR_VIO,
        DOMAIN_ADDRESS_CCW,
        DOMAIN_ADDRESS_VIRTIO_MMIO,
        DOMAIN_ADDRESS_ISA,
        DOMAIN_ADDRESS_DIMM,
        DOMAIN_ADDRESS_UNASSIGNED, /* a host device that takes part in nothing */
        DOMAIN_ADDRESS_LAST,
} __attribute__((packed));

struct domain_address_pci {
        uint32_t domain;  /* 0..0xffff, of a device of the host more */
        uint8_t bus;      /* 0..0xff: the index of the PCI controller */
        uint8_t slot;     /* 0..0x1f */
        uint8_t function; /* 0..7 */
        enum domain_switch multifunction;
        uint16_t zpci_uid; /* of a guest of s390x, which knows the device by these two: 1..0xffff; 0: none */
        uint32_t zpci_fid;
};

struct domain_address_drive {
        uint32_t controller;
        uint32_t bus;
        uint32_t target;
        uint32_t unit;
};

struct domain_address_usb {
        uint32_t bus;    /* index of the USB controller */
        uint8_t port[4]; /* "1.2" is {1, 2, 0, 0}; all 0: no port chosen */
};

struct domain_address {
        enum domain_address_type type;
        union {
                struct domain_address_pci pci;
                struct domain_address_drive drive;
                struct domain_address_usb usb;
                struct {
                        uint32_t controller;
                        uint32_t bus;
                        uint32_t port;
                } virtio_serial;
                struct {
                        uint32_t controller;
                        uint32_t slot;
                } ccid;
                struct {
                        uint64_t reg;
                        bool has_reg;
                } spapr_vio;
                struct {
                        uint8_t cssid; /* 0..0xfe */
                        uint8_t ssid;  /* 0..3 */
                        uint16_t devno;
                } ccw;
                struct {
                        uint32_t iobase; /* 0: the device's own */
                        uint32_t irq;
                } isa;
                struct {
                        uint64_t base; /* 0: anywhere */
                        uint32_t slot;
                } dimm;
        };
};

/* What each device may have; the first member of every device struct. */
struct domain_device_info {
        const char *alias; /* NULL while a persistent definition has none */
        struct domain_address address;
        uint32_t boot_order; /* 0: not among the boot devices */
        uint32_t acpi_index; /* 0: none */
        enum domain_switch rom_enabled;
        enum domain_switch rom_bar;
        enum domain_switch raw_io; /* SCSI devices of the host: with CAP_SYS_RAWIO */
        const char *rom_file;      /* NULL: the device's own */
};

/* Options of <driver> that every virtio device takes. */
struct domain_virtio {
        enum domain_switch iommu;
        enum domain_switch ats;
        enum domain_switch packed;
        enum domain_switch page_per_vq;
};
