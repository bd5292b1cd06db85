/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A device of the host, as it was when it was looked at: an immutable, counted description. Any thread.
 */

#include "base/object-set.h"

#include <stdint.h>

/* virNodeDevCapType: bit n of virConnectListAllNodeDeviceFlags selects the n-th. */
enum node_device_capability {
        NODE_DEVICE_SYSTEM,
        NODE_DEVICE_PCI,
        NODE_DEVICE_USB_DEVICE,
        NODE_DEVICE_USB_INTERFACE,
        NODE_DEVICE_NET,
        NODE_DEVICE_SCSI_HOST,
        NODE_DEVICE_SCSI_TARGET,
        NODE_DEVICE_SCSI,
        NODE_DEVICE_STORAGE,
        NODE_DEVICE_FC_HOST,
        NODE_DEVICE_VPORTS,
        NODE_DEVICE_SCSI_GENERIC,
        NODE_DEVICE_DRM,
        NODE_DEVICE_MDEV_TYPES,
        NODE_DEVICE_MDEV,
        NODE_DEVICE_CCW,
        NODE_DEVICE_CSS,
        NODE_DEVICE_VDPA,
        NODE_DEVICE_AP_CARD,
        NODE_DEVICE_AP_QUEUE,
        NODE_DEVICE_AP_MATRIX,
        NODE_DEVICE_VPD,
        NODE_DEVICE_CAPABILITY_COUNT,
};

/* As it stands in documents: "pci". */
const char *node_device_capability_get_name(enum node_device_capability capability);

/* Keys of a set of devices beside the name, see base/object-set.h. */
enum node_device_key {
        NODE_DEVICE_KEY_NAME, /* the name again, for the path of an object */
        NODE_DEVICE_KEY_WWNS, /* see below */
        NODE_DEVICE_KEY_COUNT,
};

struct node_device {
        /* atomic */
        gint refs;
        /* const */
        char *name;            /* owned; "pci_0000_00_1f_2" */
        char *parent;          /* owned; its name. NULL: it is the root */
        char *sysfs_path;      /* owned; "/sys/devices/pci0000:00/0000:00:1f.2". NULL: it is in no sysfs */
        char *xml;             /* owned; as libvirt writes it */
        char *wwns;            /* owned; of a Fibre Channel host, see node_device_join_wwns(). NULL: none */
        char *pci;             /* owned; its address if it is a PCI device, "0000:00:1f.2". NULL: it is not */
        char **iommu_group;    /* owned; addresses of the PCI devices in its group, itself too. NULL: none */
        uint32_t capabilities; /* a bit for each, by enum node_device_capability */
        bool is_inactive;      /* defined, and not there: it is in no sysfs */
        bool is_transient;     /* not defined, and gone when it goes; a mediated device only */
        bool is_started_by_hand; /* it does not come by itself after a boot; likewise */
};

/* The key NODE_DEVICE_KEY_WWNS of a host with these names: lower case, without "0x". */
char *node_device_join_wwns(const char *wwnn, const char *wwpn);

/* The name of a mediated device: "mdev_<uuid>_<parent>", of the parent's name in sysfs ("0000:00:02.0"). */
char *node_device_name_mdev(const char *uuid, const char *parent_address);

struct node_device *node_device_new(void);
struct node_device *node_device_ref(struct node_device *device);
void node_device_unref(struct node_device *device); /* NULL is fine */
/* Do both say the same? */
bool node_device_is_equal(const struct node_device *a, const struct node_device *b);

extern const struct object_set_kind node_device_set_kind;

DEFINE_CLEANUP(struct node_device, node_device_unref);
