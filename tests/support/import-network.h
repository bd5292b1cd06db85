/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A network that libvirt has left running, on the host of tests/support/import.h. */

#include "tests/support/guest-networks.h"

#define IMPORT_NETWORK_PATH QEMU_PATH "/network/_31111111_2222_3333_4444_555555555555"
#define IMPORT_BRIDGE_MAC   "52:54:00:e1:e4:ff"

/*
 * 10.77.7.0/24 at bridge virbr7, defined, with autostart, its dnsmasq, and the lease of 10.77.7.55 to MAC. As
 * root, in a network namespace of the test.
 */
void import_put_network(void);
