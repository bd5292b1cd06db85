/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One constant row for each kind of device that QEMU's driver supports: what a start, a plug and an unplug do
 * with it. What the emulator must have for a device is asked for where its description names it
 * (device_list_add_device()), and what a device took is noted under its alias, so that giving back is the
 * same for all kinds (guest_release_device()).
 */

#include "drivers/qemu/device.h"

struct resources;

struct device_row {
        enum domain_device_kind kind;
        /* Appends what makes the device; NULL: it is no device of the emulator's. */
        bool (*describe)(struct device_list *list, const struct device_context *context, const void *device,
                         GError **error);
        /* Makes ready what it needs of the host; NULL: nothing. Lane of the domain. */
        bool (*prepare)(struct resources *resources, const void *device, GError **error);
        /* May this one come and go while the guest runs? NULL: none of the kind. */
        bool (*is_pluggable)(const void *device);
};

/* The row of a kind; NULL: the kind is not supported. */
const struct device_row *device_row_get(enum domain_device_kind kind);

/* Appends all devices of the definition, each behind what it sits on. Errors as with device_describe_*(). */
bool device_describe_all(struct device_list *list, const struct device_context *context, GError **error);

/* Prepares all of them. */
bool device_prepare_all(struct resources *resources, GError **error);

/* False, with ERROR_OPERATION_UNSUPPORTED naming the device, unless it can come and go while a guest runs. */
bool device_require_pluggable(enum domain_device_kind kind, const void *device, GError **error);

/* False, with ERROR_CONFIG_UNSUPPORTED, when one of them has a back end of SPICE and there is no SPICE. */
bool device_require_spice(const struct domain_devices *devices, GError **error);

/* What QEMU is to do when a watchdog bites; the watchdog has an action. */
const char *device_get_watchdog_action(const struct domain_watchdog *watchdog);

/*
 * What made a device of the active definition def, as far as the host is not asked: no descriptor is in it.
 */
bool device_describe_made(struct device_list *list, const struct domain_def *def,
                          const struct qemu_caps *caps, enum domain_device_kind kind, const void *device,
                          GError **error);

/*
 * Of a device of the active definition def: what made it, for its undo commands, in reverse, the device's own
 * first. The host is not asked, no descriptor is in it.
 */
bool device_describe_removal(struct device_list *list, const struct domain_def *def,
                             const struct qemu_caps *caps, enum domain_device_kind kind, const void *device,
                             GError **error);

/*
 * The same of a device that QEMU does not have, because plugging it was cut short: descriptors that QEMU was
 * given for it and that nothing was made with are in it, too.
 */
bool device_describe_rest(struct device_list *list, const struct domain_def *def,
                          const struct qemu_caps *caps, enum domain_device_kind kind, const void *device,
                          GError **error);
