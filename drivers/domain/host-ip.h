/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the host is to have on its end of an interface, as the kernel is told. Plain functions, any thread. */

#include "drivers/domain/device-interface.h"
#include "interfaces/link-ips.h"

/*
 * The <ip> and <route> of the <source>; owned, and empty where there are none. An address without a prefix
 * has that of its class, or 64; a route without a metric has 1. NULL with ERROR_XML_ERROR that names the
 * address which is none, or does not fit to the others.
 */
struct link_ips *domain_get_host_ips(const struct domain_interface *interface, GError **error);
