/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The steps of domain_normalize() that concern no kind of device or several, in the order in which they run;
 * each edits the document that hardware stands for and leaves it consistent. What concerns one kind is in its
 * row (kinds-xml.h). Private to normalize-*-xml.c and address-*-xml.c.
 */

#include "drivers/domain/hardware-xml.h"

/* What has a size of memory outside <devices>: all of it in KiB, <memory> and <currentMemory> filled in. */
bool normalize_memory(const struct hardware *hardware, GError **error);
/* The size of one memory device, by which it is told from others, in KiB. */
bool normalize_scale_memory(xmlNode *node, GError **error);
/* The vCPUs that no NUMA cell names are those of cell 0. */
void normalize_cells(xmlNode *root, unsigned vcpus);

/* Addresses on disk controllers; may add controllers. */
bool address_drives(struct hardware *hardware, GError **error);
/* Ports of virtio-serial and slots of smartcard readers; may add controllers. */
bool address_ports(struct hardware *hardware, GError **error);
/* USB ports; may add hubs. */
bool address_usb(struct hardware *hardware, GError **error);
/* PCI slots; may add bridges and root ports. Behind the above: all that has a PCI address must be there. */
bool address_pci(struct hardware *hardware, GError **error);
/* Device numbers on channels, where the machine has those; behind all that may add controllers. */
bool address_ccw(struct hardware *hardware, GError **error);
/* The kinds in the order in which they get numbers: that of domains defined elsewhere. KINDS ends it. */
extern const enum domain_device_kind address_number_order[];
/* By what guests of s390x know their PCI devices; behind all that makes those. */
bool address_zpci(struct hardware *hardware, GError **error);
/* Registers on the bus of pseries. */
bool address_spapr(struct hardware *hardware, GError **error);

/*
 * Takes out what only describes a running guest: numbers, aliases that are not the user's, ports and paths
 * that were chosen at start.
 */
void normalize_strip(struct hardware *hardware);
/* The same of one element below <devices>, in whatever document. */
void normalize_strip_device(xmlNode *node);
/* Does the alias stay? It is the user's own, and one that the emulator can have for a name. */
bool normalize_is_user_alias(const char *name);

/*
 * The steps for a device that comes while the machine runs, hardware->fresh: on buses that are there. Adds a
 * controller only where that can be plugged in as well, which then is in hardware->added. Errors:
 * ERROR_XML_ERROR, ERROR_CONFIG_UNSUPPORTED.
 */
bool normalize_fresh(struct hardware *hardware, GError **error);

/*
 * The position that a disk's target name stands for: "vda" 0, "sdb" 1, "hdaa" 26, "nvme0n1" 0, "nvme1n1" 256;
 * a partition's number behind letters does not count. -1: no such name.
 */
int normalize_disk_index(const char *target);

/* Finds the controller of that type and index, NULL: none. */
xmlNode *normalize_find_controller(const struct hardware *hardware, const char *type, unsigned index);
/* Adds a controller; model NULL: without. */
xmlNode *normalize_add_controller(struct hardware *hardware, const char *type, unsigned index,
                                  const char *model);
