/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the device-*.c files share to build descriptions: properties in JSON objects, and the places where
 * devices sit. The set functions leave the property out where the definition does not say.
 */

#include "base/error.h"
#include "drivers/qemu/device.h"

/* "unsupported configuration: <format>", returns false. */
#define device_unsupported(error, ...)                                                                       \
        error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED, __VA_ARGS__)

json_t *device_new(const char *driver, const char *alias);

void device_set_string(json_t *device, const char *name, const char *value); /* NULL: left out */
void device_set_format(json_t *device, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
void device_set_uint(json_t *device, const char *name, uint64_t value); /* 0: left out */
void device_set_int(json_t *device, const char *name, json_int_t value);
void device_set_bool(json_t *device, const char *name, bool value);
void device_set_switch(json_t *device, const char *name, enum domain_switch value);
/* For properties that QEMU types OnOffAuto. */
void device_set_on_off(json_t *device, const char *name, enum domain_switch value);

/* Appends a back end; takes arguments. */
void device_list_add(struct device_list *list, enum device_kind kind, json_t *arguments);
/* Appends a device that the emulator must know; takes device, also on failure. */
bool device_list_add_device(struct device_list *list, const struct device_context *context, json_t *device,
                            GError **error);
/* An -object of that type and id, to be filled in. */
json_t *device_object(const char *type, const char *id);

/* Does the machine have the chip set of a q35? */
bool device_machine_is_q35(const struct domain_def *def);

/* The controller of that type and index; of several (USB companions) the master. NULL: none. */
const struct domain_controller *device_find_controller(const struct device_context *context,
                                                       enum domain_controller_type type, unsigned index);

/* Sets bus and place, and what else info says (ROM, acpi-index) about a device on a PCI, USB or ISA bus. */
bool device_set_address(json_t *device, const struct device_context *context,
                        const struct domain_device_info *info, GError **error);
/* What has to be made just before the device itself: on s390x what its guest knows a PCI device by. */
bool device_list_add_companion(struct device_list *list, const struct device_context *context,
                               const struct domain_device_info *info, GError **error);
/* A disk of type vhostuser. */
bool device_describe_served_disk(struct device_list *list, const struct device_context *context,
                                 const struct domain_disk *disk, GError **error);
/* Sets bus and place of a device on a SCSI controller. */
bool device_set_scsi_place(json_t *device, const struct device_context *context,
                           const struct domain_device_info *info, GError **error);
/* iommu_platform, ats, packed, page-per-vq. */
void device_set_virtio(json_t *device, const struct domain_virtio *virtio);
/*
 * The I/O threads of the queues, NULL: none are named, of a device of that type ("virtio-blk-pci"); who is
 * for messages. False with an error when the emulator has one for all queues only.
 */
bool device_set_iothread_map(json_t *device, const struct device_context *context, const char *type,
                             const struct domain_iothread_map *map, const char *who, GError **error);
/*
 * What base ("virtio-net") is called on the bus that info says: "<base>-ccw", "<base>-device" (mmio), else
 * "<base>-pci", with the suffix of models "virtio-transitional" and "virtio-non-transitional". New string.
 */
char *device_virtio_driver(const char *base, const char *model, const struct domain_device_info *info);

/* The resources of the device of that alias; NULL: none. */
const struct device_resources *device_get_resources(const struct device_context *context, const char *alias);

/*
 * bootindex: the device's own <boot order=>, else its class's place in <os><boot dev=>, where only the first
 * device of a class counts, which a device that comes later is not. 0: none.
 */
unsigned device_disk_boot_index(const struct device_context *context, const struct domain_disk *disk);
unsigned device_interface_boot_index(const struct device_context *context,
                                     const struct domain_interface *interface);

/*
 * What a description calls the descriptor fd, which is its number when the emulator inherits it; while the
 * guest runs it is the name, and fd (-1: it has gone before) is sent by a part of its own. New string.
 */
char *device_list_add_fd(struct device_list *list, const struct device_context *context, int fd,
                         const char *name_format, ...) G_GNUC_PRINTF(4, 5);

/*
 * What a description calls a file that the emulator could not open and gets as descriptor fd: the path that
 * stands for it. name is nobody else's ("out-channel0"). New string.
 */
char *device_list_add_fdset(struct device_list *list, int fd, const char *name);

/*
 * Appends the character back end `id` for source; fd: the listening socket, see device_list_add_fd(); NULL:
 * none.
 */
bool device_list_add_chardev(struct device_list *list, const struct device_context *context, const char *id,
                             const struct domain_char_source *source, const char *fd, GError **error);

/*
 * An -object with the certificates by which the other end is known, and we to it; endpoint "client" or
 * "server". New reference.
 */
json_t *device_tls_object(const struct device_context *context, const char *id, const char *endpoint);

/* Appends the back end of a SPICE channel: "vdagent", "usbredir", "smartcard". */
void device_list_add_spicevmc(struct device_list *list, const char *id,
                              const struct domain_char_source *source, const char *purpose);

/* Sets the place and appends the device that sits there; takes device, also on failure. */
bool device_list_add_at(struct device_list *list, const struct device_context *context, json_t *device,
                        const struct domain_device_info *info, GError **error);

/* "guest=a,,b": text with QEMU's escape for commas, for options of key=value pairs. */
void device_append_escaped(GString *option, const char *text);
/* "chardev" as -chardev wants it. New string. */
char *device_chardev_option(const json_t *chardev);

/* Arguments of set_password and expire_password; the caller's. The graphics have a password. */
json_t *graphics_set_password(const struct domain_graphics *graphics);
/* Without an end it is "never". */
json_t *graphics_expire_password(const struct domain_graphics *graphics);

/*
 * Which ports of a SPICE server are to be chosen: plain and with TLS. With autoport that is libvirt's rule,
 * where has_tls says that the host has certificates.
 */
void graphics_find_ports(const struct domain_graphics *graphics, bool has_tls, bool *plain, bool *tls);

/* Does what its guest writes to the disk go into a file that ends with the guest? */
bool device_has_overlay(const struct domain_disk *disk);

/* ---- nodes of images ---- */

struct block_image;
struct block_options;

/* Can the emulator open it? False with an error that names it and what is missing. who: "disk 'vda'". */
bool device_check_image(const struct device_context *context, const char *who,
                        const struct block_image *image, GError **error);
/* The nodes of one image and the objects that they need. backing: the node below it; NULL: none. */
void device_add_image(struct device_list *list, const struct device_context *context,
                      const struct block_image *image, const struct block_options *options,
                      const char *backing);

/* ---- what disks share ---- */

/* Has the disk a medium, as far as its document says? */
bool device_disk_has_source(const struct domain_disk *disk);
/* Can QEMU have groups of the names that the disk's limits have? For one without a medium, too. */
bool device_check_throttle(const struct domain_devices *devices, const struct domain_disk *disk,
                           GError **error);
/* The filters with its limits above node, each above the one before, and the name of the last in node. */
bool device_add_throttle(struct device_list *list, const struct device_context *context,
                         const struct domain_disk *disk, char *node, GError **error);
/* The object that carries out its reservations, if it has any, and no other disk has it made. */
bool device_add_reservations(struct device_list *list, const struct device_context *context,
                             const struct domain_disk *disk, GError **error);
/* Its id. New string; NULL: there are none. */
char *device_reservations_id(const struct domain_disk *disk);

/* Has the disk any? */
bool device_has_throttle(const struct domain_disk *disk);
#define DEVICE_THROTTLE_PREFIX "throttle-"
/* The id, which begins so, of the throttle-group object that has those of them, one of disk's. New string. */
char *device_throttle_id(const struct domain_disk *disk, const struct domain_iotune *tune);
/* What the names of all filters of the image with that index begin with. New string. */
char *device_throttle_prefix(unsigned index);
/* Its property "limits"; all: with what is no limit, to take the place of others. New reference. */
json_t *device_throttle_limits(const struct domain_iotune *tune, bool all);
