/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Definitions as command lines of QEMU, for people to read. Loop. */

#include "drivers/domain/driver.h"

#define NATIVE_FORMAT "qemu-argv"

/* struct domain_driver_ops.from_native, .to_native */
char *native_read(struct domain_driver *driver, const char *text, GError **error);
void native_format(struct domain_driver *driver, struct domain_def *def, domain_driver_text_done done,
                   void *data);
