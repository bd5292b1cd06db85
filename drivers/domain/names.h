/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The names of enumerations in documents, by index, NULL-terminated; each is defined by the reader of its
 * family. Internal to drivers/domain: others use the functions of definition.h.
 */

extern const char *const domain_bus_names[];
extern const char *const domain_storage_type_names[];
extern const char *const domain_disk_device_names[];
extern const char *const domain_controller_type_names[];
extern const char *const domain_interface_type_names[];
extern const char *const domain_char_kind_names[];
extern const char *const domain_char_type_names[];
extern const char *const domain_graphics_type_names[];
extern const char *const domain_timer_names[];
extern const char *const domain_hostdev_type_names[];
