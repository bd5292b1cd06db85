/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One constant row for each kind of device: all that the steps of reading, normalising, naming, placing,
 * stripping and finding have to know about it. The steps walk the rows; no other list of kinds exists in this
 * folder but the format's own (schema-devices.c). Private to the *-xml.c files. Any thread.
 */

#include "drivers/domain/address-pci-class-xml.h"
#include "drivers/domain/field-xml.h"
#include "drivers/domain/hardware-xml.h"

/* How a device that has no name gets one. */
struct domain_alias {
        char text[64]; /* the whole name; "": prefix and number make it, as when it is taken */
        char prefix[32];
        unsigned number; /* the first one from here on that is free */
        bool shared;     /* text may be the name of another device as well */
};

/* What makes a device one on USB: an attribute, of the device itself when child is NULL, with that value. */
struct domain_kind_usb {
        unsigned turn; /* from 1; 0: never on USB */
        const char *child, *attr;
        const char *value; /* NULL: any device of the kind */
};

struct domain_kind {
        const char *element;

        /* Reading: a struct of size bytes in the array at that offset of struct domain_devices. */
        field_reader read; /* NULL: known to the format alone */
        size_t size;
        size_t array;   /* kinds that follow each other and have the same array share it */
        size_t count;   /* offset of the uint16_t; 0: there is one at most */
        bool anonymous; /* has no struct domain_device_info */

        /* Normalisation. */
        bool single; /* more than one are refused */
        /* Before its devices: what they need to be told apart. */
        bool (*begin)(struct hardware *hardware, GError **error);
        /* Adds those that the machine or other devices imply; not on a machine that runs. */
        void (*imply)(struct hardware *hardware);
        /* Defaults of one device. */
        bool (*fill)(const struct hardware *hardware, xmlNode *node, GError **error);
        /* After them: what they are to each other. */
        bool (*settle)(struct hardware *hardware, GError **error);
        /* Takes out what only describes a running guest, beside the alias. */
        void (*strip)(xmlNode *node);

        /*
         * Names. alias: the prefix; NULL and no function: it has none. position counts the devices of the
         * kind. name changes what it finds, which is the prefix and the position; false: no name.
         */
        const char *alias;
        bool (*name)(const struct hardware *hardware, const xmlNode *node, struct domain_alias *alias);

        /*
         * Places. Turns decide who gets the lower slot or port; they are those of domains defined elsewhere.
         */
        unsigned pci_turn; /* from 1; 0: never on PCI */
        enum pci_slot (*pci_class)(const struct hardware *hardware, const xmlNode *node);
        struct domain_kind_usb usb;

        /*
         * What tells a device from others of its kind, as paths of a value: "target@dev", "@index",
         * "source/address@bus", "backend". label is what messages call it by; both are compared with a
         * document that names the device.
         */
        const char *label;
        const char *family;       /* another fact, without which the label says nothing; NULL: none */
        const char *const *facts; /* NULL-terminated; NULL: none */
        const char *bus; /* what says on which bus it is, where that can be left open; NULL: nothing */
        bool distinct;   /* no other one with its label comes to the domain; those of other kinds that would
                            stand twice are refused as definitions are */
        bool alone;    /* a document that names two is refused; of other kinds the first, if they are alike */
        bool anywhere; /* a document that names one, and an address that it is not at, means it nevertheless
                        */
};

extern const struct domain_kind domain_kinds[DOMAIN_DEVICE_KINDS];

/* The kind of an element below <devices>; DOMAIN_DEVICE_KINDS: none. */
enum domain_device_kind domain_kind_of(const xmlNode *node);

/* ---- the functions of the rows, each in the file of its step ---- */

bool normalize_fill_disk(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_settle_disks(struct hardware *hardware, GError **error);
bool normalize_fill_filesystem(const struct hardware *hardware, xmlNode *node, GError **error);

bool normalize_begin_controllers(struct hardware *hardware, GError **error);
void normalize_imply_controllers(struct hardware *hardware);
bool normalize_fill_controller(const struct hardware *hardware, xmlNode *node, GError **error);

bool normalize_fill_char(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_channel(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_redirdev(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_settle_serials(struct hardware *hardware, GError **error);
bool normalize_settle_parallels(struct hardware *hardware, GError **error);
bool normalize_settle_consoles(struct hardware *hardware, GError **error);

bool normalize_fill_graphics(const struct hardware *hardware, xmlNode *node, GError **error);
void normalize_imply_videos(struct hardware *hardware);
bool normalize_fill_video(const struct hardware *hardware, xmlNode *node, GError **error);
void normalize_imply_audios(struct hardware *hardware);
bool normalize_fill_input(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_settle_inputs(struct hardware *hardware, GError **error);

/* The MAC address alone, at random where there is none; in whatever document. */
/* Numbers of a PCI address in the form in which they are always written. */
bool normalize_format_pci(xmlNode *address, unsigned domain_max, GError **error);
bool normalize_fill_mac(xmlNode *interface, GError **error);
bool normalize_fill_interface(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_hostdev(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_tpm(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_rng(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_watchdog(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_panic(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_vsock(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_memory(const struct hardware *hardware, xmlNode *node, GError **error);
bool normalize_fill_iommu(const struct hardware *hardware, xmlNode *node, GError **error);
void normalize_imply_memballoons(struct hardware *hardware);
void normalize_imply_panics(struct hardware *hardware);

void normalize_strip_disk(xmlNode *node);
void normalize_strip_hostdev(xmlNode *node);
void normalize_strip_memory(xmlNode *node);
void normalize_strip_interface(xmlNode *node);
void normalize_strip_char(xmlNode *node);
void normalize_strip_graphics(xmlNode *node);

bool alias_name_disk(const struct hardware *hardware, const xmlNode *node, struct domain_alias *alias);
bool alias_name_controller(const struct hardware *hardware, const xmlNode *node, struct domain_alias *alias);
bool alias_name_interface(const struct hardware *hardware, const xmlNode *node, struct domain_alias *alias);
bool alias_name_console(const struct hardware *hardware, const xmlNode *node, struct domain_alias *alias);
bool alias_name_memory(const struct hardware *hardware, const xmlNode *node, struct domain_alias *alias);
bool alias_name_memballoon(const struct hardware *hardware, const xmlNode *node, struct domain_alias *alias);
bool alias_name_nvram(const struct hardware *hardware, const xmlNode *node, struct domain_alias *alias);

enum pci_slot pci_class_disk(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_controller(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_filesystem(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_interface(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_serial(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_input(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_sound(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_video(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_hostdev(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_watchdog(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_panic(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_pstore(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_shmem(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_memory(const struct hardware *hardware, const xmlNode *node);
enum pci_slot pci_class_iommu(const struct hardware *hardware, const xmlNode *node);
/* Any virtio model. */
enum pci_slot pci_class_virtio(const struct hardware *hardware, const xmlNode *node);
