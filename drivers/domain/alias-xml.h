/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The names of devices on a running machine ("virtio-disk0", "net0", "pci.1", "serial0" ...). Private to the
 * *-xml.c files. Any thread.
 */

#include "drivers/domain/hardware-xml.h"

/*
 * Gives an alias to every device that has none. What a name is made of (position, target, address) is the
 * same for a whole guest and for a device that comes later; a number that another device has is not given
 * again.
 */
void alias_give(const struct hardware *hardware);
