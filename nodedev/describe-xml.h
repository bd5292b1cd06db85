/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files that describe have in common: a writer for each capability. The describer's thread. */

#include "base/xml.h"
#include "nodedev/describe.h"

#include <libudev.h>
#include <stdio.h>

/* Like sscanf(): do all fit, and is text at its end then? */
#define DESCRIPTION_SCAN(text, format, ...)                                                                  \
        ({                                                                                                   \
                int end_ = -1;                                                                               \
                                                                                                             \
                sscanf(text, format "%n", __VA_ARGS__, &end_);                                               \
                end_ >= 0 && (text)[end_] == '\0';                                                           \
        })

/* A description that is being written. */
struct description {
        struct describer *describer; /* borrowed */
        struct udev_device *device;  /* borrowed */
        xmlNode *capability;         /* borrowed; <capability>, to be filled in */
        struct node_device *result;  /* borrowed; wwns, pci, and more capabilities are added there */
};

/* Writers return false when the device is none that is listed. */
bool describe_pci(struct description *description);
bool describe_usb_device(struct description *description);
bool describe_usb_interface(struct description *description);
bool describe_net(struct description *description);
bool describe_scsi_host(struct description *description);
bool describe_scsi_target(struct description *description);
bool describe_scsi(struct description *description);
bool describe_scsi_generic(struct description *description);
bool describe_storage(struct description *description);
bool describe_drm(struct description *description);
bool describe_mdev(struct description *description);
bool describe_vdpa(struct description *description);
bool describe_ccw(struct description *description);
bool describe_css(struct description *description);
bool describe_ap_card(struct description *description);
bool describe_ap_queue(struct description *description);
bool describe_ap_matrix(struct description *description);
void describe_system(xmlNode *capability, struct udev *udev);

/* ---- what they read ---- */

/* A property of udev; NULL when it is missing or empty. Borrowed. */
const char *description_get_property(const struct description *description, const char *name);
/* A file in the device's folder, trimmed; NULL when it is missing or empty. Borrowed. */
const char *description_get_attribute(const struct description *description, const char *name);
/* The same as a number, in any base that C knows; -1 when it is none. */
int64_t description_get_number(const struct description *description, const char *name);
/* The path of a file in the device's folder. */
char *description_get_path(const struct description *description, const char *name);
/* The last component of where a link in the device's folder leads; NULL when it is none. */
char *description_get_link(const struct description *description, const char *name);
/* The name in sysfs of what its folder is in: "0000:00:02.0". Owned. */
char *description_get_parent_name(const struct description *description);
/* The names in a folder of the device, sorted; of owned strings, empty when there is no such folder. */
GPtrArray *description_list(const struct description *description, const char *name);
/* What the hardware database says of a modalias; NULL: nothing. Borrowed until the next question. */
const char *description_ask_hwdb(const struct description *description, const char *modalias,
                                 const char *key);

/* ---- what they write ---- */

/* <name>text</name> unless text is NULL. */
void description_add(xmlNode *parent, const char *name, const char *text);
/* <capability type='..'> in another; with its bit when it has one of its own. */
xmlNode *description_add_capability(xmlNode *parent, const char *type);
void description_set_capability(struct description *description, enum node_device_capability capability);
/* <capability type='vpd'> when a PCI device has vital product data. */
void description_add_vpd(struct description *description);
/* <capability type='mdev_types'> when the device can have such. */
void description_add_mdev_types(struct description *description);
