/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which devices there are, from the folders of sysfs alone. libudev lists them too, but makes an object of
 * each for it, component by component of its path, which is half of what a first look costs. Any thread.
 */

#include <glib.h>

/* What can be in the tree, NULL-terminated. Other devices are many, and are not even looked at. */
extern const char *const enumerate_subsystems[];

/* Paths as udev has them ("/sys/devices/..."), parents before their children. Free the array. */
GPtrArray *enumerate_paths(void);
