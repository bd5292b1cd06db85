/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The node devices of a connection: the host's own, or an inventory in memory. A device is an immutable
 * description (nodedev/device.h) in a collection. Flags are those of the API functions of the same names.
 * Loop thread.
 */

#include "base/collection.h"
#include "nodedev/device.h"

struct loop;
struct node_devices;
struct pool;

/* The host's. They are looked at from node_devices_start() on. */
struct node_devices *node_devices_new(struct loop *loop, struct pool *pool);
/* In memory: those of test:///default. */
struct node_devices *node_devices_new_test(struct loop *loop);
/* When nothing is running (any more). NULL is fine. */
void node_devices_free(struct node_devices *devices);

/* Before that: where definitions of mediated devices are stored. */
void node_devices_set_directory(struct node_devices *devices, const char *dir);
void node_devices_start(struct node_devices *devices);
/* Have they been looked at? Before, there are none. */
bool node_devices_are_ready(const struct node_devices *devices);
/* Ends the following; node_devices_are_running() becomes false. */
void node_devices_stop(struct node_devices *devices);
bool node_devices_are_running(const struct node_devices *devices);

struct collection *node_devices_get_collection(const struct node_devices *devices);

/* virConnectListAllNodeDevices: borrowed elements; free the array. NULL with an error for unknown flags. */
GPtrArray *node_device_list(const struct node_devices *devices, unsigned flags, GError **error);
/* Borrowed; NULL with ERROR_NO_NODE_DEVICE. */
struct node_device *node_device_lookup_name(const struct node_devices *devices, const char *name,
                                            GError **error);
/* A SCSI host by its names ("20000000c9831b4b", with or without "0x"); NULL with ERROR_NO_NODE_DEVICE. */
struct node_device *node_device_lookup_wwns(const struct node_devices *devices, const char *wwnn,
                                            const char *wwpn, unsigned flags, GError **error);

/* NULL with ERROR_INTERNAL_ERROR: it is the root. Borrowed. */
const char *node_device_get_parent(const struct node_device *device, GError **error);
/* The names of its capabilities, nested ones included, borrowed; free the array. */
GPtrArray *node_device_list_capabilities(const struct node_device *device);

/* xml NULL: error says why. Both valid during the call. */
typedef void (*node_device_xml_done)(const char *xml, const GError *error, void *data);
/*
 * Looks at the device again first, because there are no events for all that it says (speeds, media, free
 * instances). done is called once, later or before the function returns.
 */
void node_device_get_xml(struct node_devices *devices, struct node_device *device, unsigned flags,
                         node_device_xml_done done, void *data);

/* ---- changes ---- */

/* After this long a change is answered with ERROR_OPERATION_TIMEOUT, while the kernel is still at it. */
#define NODE_DEVICE_CHANGE_MS 30000

/* error NULL: it is done, and published. Called once, later or before the function returns. */
typedef void (*node_device_done)(const GError *error, void *data);

/*
 * PCI devices; others are refused (ERROR_INVALID_ARG), those in memory have nothing of it (ERROR_NO_SUPPORT),
 * and one that a guest has is left alone (ERROR_OPERATION_INVALID). Changes of one device are made in the
 * order asked for; one that the kernel does not get on with keeps no other device waiting.
 *
 * Detach takes a device from its driver and gives it to VFIO: driver "" or "vfio"; flags 0. Without an IOMMU
 * group it is refused. Reattach lets the kernel choose a driver again, unless a guest has another device of
 * the group. Reset wants it detached, or without a driver.
 */
void node_device_detach(struct node_devices *devices, const struct node_device *device, const char *driver,
                        unsigned flags, node_device_done done, void *data);
void node_device_reattach(struct node_devices *devices, const struct node_device *device,
                          node_device_done done, void *data);
void node_device_reset(struct node_devices *devices, const struct node_device *device, node_device_done done,
                       void *data);

/* device (borrowed) NULL: error says why. Called once, later or before the function returns. */
typedef void (*node_device_created)(struct node_device *device, const GError *error, void *data);
/*
 * Makes a virtual host bus adapter (NPIV; wwnn and wwpn are to be given) or a mediated device, and is done
 * when the device is there; in memory adapters only. Errors: those of node_device_spec_parse();
 * ERROR_INTERNAL_ERROR when the parent is not there or cannot have such; ERROR_SYSTEM_ERROR when the kernel
 * refuses. flags: virNodeDeviceCreateXMLFlags.
 */
void node_device_create_xml(struct node_devices *devices, const char *xml, unsigned flags,
                            node_device_created done, void *data);
/* Removes such a device, and is done when it is gone; ERROR_CONFIG_UNSUPPORTED for all others. */
void node_device_destroy(struct node_devices *devices, const struct node_device *device,
                         node_device_done done, void *data);

/* ---- mediated devices that are defined ---- */

/*
 * Stores a mediated device, which is not made yet. Errors: those of node_device_create_xml();
 * ERROR_OPERATION_FAILED when it is defined already, ERROR_NO_SUPPORT in memory (likewise the next ones).
 * flags: virNodeDeviceDefineXMLFlags.
 */
void node_device_define_xml(struct node_devices *devices, const char *xml, unsigned flags,
                            node_device_created done, void *data);
/* Makes one that is defined; ERROR_OPERATION_INVALID when it is there. flags 0. */
void node_device_create(struct node_devices *devices, const struct node_device *device, unsigned flags,
                        node_device_done done, void *data);
/* Forgets the definition; a device that is there stays. ERROR_OPERATION_INVALID when it has none. flags 0. */
void node_device_undefine(struct node_devices *devices, const struct node_device *device, unsigned flags,
                          node_device_done done, void *data);
/* Is it to be made after a boot? ERROR_OPERATION_INVALID when it is not defined. */
void node_device_set_autostart(struct node_devices *devices, const struct node_device *device, bool autostart,
                               node_device_done done, void *data);
/* Makes all that are marked so, and then calls done; failures are logged. */
void node_devices_autostart(struct node_devices *devices, loop_fn done, void *data);
