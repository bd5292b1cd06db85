/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Network cards as PCI functions: which interface is whose, and the virtual functions of SR-IOV
 * (Documentation/PCI/pci-iov-howto.rst: physfn, virtfn<number>). All from files below /sys, at another root
 * in tests. Any thread.
 */

#include <glib.h>
#include <stdbool.h>

/* The network interface that a driver of the host has made of the PCI device; owned, NULL: none. */
char *sriov_get_interface(const char *root, const char *pci);

/*
 * The physical function that the PCI device is a virtual function of; owned, NULL: it is none. *number is its
 * number there.
 */
char *sriov_get_physical(const char *root, const char *pci, unsigned *number);

/* The addresses of the virtual functions of a network interface, in order; owned, empty: it has none. */
char **sriov_list_virtual(const char *root, const char *interface);
