/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* <seclabel> of an image or a character device: how its file is labelled. Part of device.h. */

#include "drivers/domain/address.h"

#include <stdbool.h>
#include <stdint.h>

struct domain_device_label {
        const char *model; /* NULL: all models */
        const char *label; /* NULL: the guest's */
        enum domain_switch relabel;
        enum domain_switch label_skip; /* the file could not be labelled, which did no harm */
};

/* Array; NULL: none. */
struct domain_device_labels {
        const struct domain_device_label *list;
        uint32_t count;
};
