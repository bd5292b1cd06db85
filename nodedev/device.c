/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of devices. No state.
 */
#include "nodedev/device.h"

#include <string.h>

static const char *const names[NODE_DEVICE_CAPABILITY_COUNT] = {
        [NODE_DEVICE_SYSTEM] = "system",
        [NODE_DEVICE_PCI] = "pci",
        [NODE_DEVICE_USB_DEVICE] = "usb_device",
        [NODE_DEVICE_USB_INTERFACE] = "usb",
        [NODE_DEVICE_NET] = "net",
        [NODE_DEVICE_SCSI_HOST] = "scsi_host",
        [NODE_DEVICE_SCSI_TARGET] = "scsi_target",
        [NODE_DEVICE_SCSI] = "scsi",
        [NODE_DEVICE_STORAGE] = "storage",
        [NODE_DEVICE_FC_HOST] = "fc_host",
        [NODE_DEVICE_VPORTS] = "vports",
        [NODE_DEVICE_SCSI_GENERIC] = "scsi_generic",
        [NODE_DEVICE_DRM] = "drm",
        [NODE_DEVICE_MDEV_TYPES] = "mdev_types",
        [NODE_DEVICE_MDEV] = "mdev",
        [NODE_DEVICE_CCW] = "ccw",
        [NODE_DEVICE_CSS] = "css",
        [NODE_DEVICE_VDPA] = "vdpa",
        [NODE_DEVICE_AP_CARD] = "ap_card",
        [NODE_DEVICE_AP_QUEUE] = "ap_queue",
        [NODE_DEVICE_AP_MATRIX] = "ap_matrix",
        [NODE_DEVICE_VPD] = "vpd",
};

const char *node_device_capability_get_name(enum node_device_capability capability)
{
        return names[capability];
}

static const char *skip_0x(const char *wwn)
{
        return g_ascii_strncasecmp(wwn, "0x", 2) == 0 ? wwn + 2 : wwn;
}

char *node_device_join_wwns(const char *wwnn, const char *wwpn)
{
        g_autofree char *both = g_strdup_printf("%s:%s", skip_0x(wwnn), skip_0x(wwpn));

        return g_ascii_strdown(both, -1);
}

char *node_device_name_mdev(const char *uuid, const char *parent_address)
{
        char *name = g_strdup_printf("mdev_%s_%s", uuid, parent_address);

        for (char *at = name; *at; at++)
                if (!g_ascii_isalnum(*at))
                        *at = '_';
        return name;
}

struct node_device *node_device_new(void)
{
        struct node_device *device = g_new0(struct node_device, 1);

        device->refs = 1;
        return device;
}

struct node_device *node_device_ref(struct node_device *device)
{
        g_atomic_int_inc(&device->refs);
        return device;
}

void node_device_unref(struct node_device *device)
{
        if (!device || !g_atomic_int_dec_and_test(&device->refs))
                return;
        g_free(device->name);
        g_free(device->parent);
        g_free(device->sysfs_path);
        g_free(device->xml);
        g_free(device->wwns);
        g_free(device->pci);
        g_strfreev(device->iommu_group);
        g_free(device);
}

/* The text has everything of the rest but the bits of capabilities, which may be there without anything to
 * say. */
bool node_device_is_equal(const struct node_device *a, const struct node_device *b)
{
        return strcmp(a->xml, b->xml) == 0 && a->capabilities == b->capabilities &&
               a->is_inactive == b->is_inactive && a->is_transient == b->is_transient &&
               a->is_started_by_hand == b->is_started_by_hand;
}

/* ---- sets ---- */

static void *kind_ref(void *object)
{
        return node_device_ref(object);
}

static void kind_unref(void *object)
{
        node_device_unref(object);
}

static const char *kind_get_name(const void *object)
{
        return ((const struct node_device *)object)->name;
}

static const char *kind_get_key(const void *object, unsigned key)
{
        const struct node_device *device = object;

        return key == NODE_DEVICE_KEY_WWNS ? device->wwns : device->name;
}

const struct object_set_kind node_device_set_kind = {
        .ref = kind_ref,
        .unref = kind_unref,
        .get_name = kind_get_name,
        .n_keys = NODE_DEVICE_KEY_COUNT,
        .get_key = kind_get_key,
};
