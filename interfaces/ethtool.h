/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The speed of a link, by the ioctl of ethtool (include/uapi/linux/ethtool.h, ETHTOOL_GLINKSETTINGS): unlike
 * sysfs it answers in any network namespace. Any thread that may wait for a driver.
 */

#include <stdbool.h>

/* That many packets that are received are told of at once at most (ETHTOOL_SCOALESCE). False with errno. */
bool ethtool_set_coalesce(int fd, const char *name, unsigned frames);

/* In Mbit/s; 0: unknown. fd is any socket of the host's network namespace. */
unsigned ethtool_get_speed(int fd, const char *name);
