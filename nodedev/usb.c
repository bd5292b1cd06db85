/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * USB devices in sysfs. No state.
 */
#include "nodedev/usb.h"

#include <stdbool.h>
#include <string.h>

static bool read_number(const char *dir, const char *name, int base, unsigned *value)
{
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_autofree char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return false;
        *value = (unsigned)g_ascii_strtoull(text, NULL, base);
        return true;
}

static bool is_meant(const struct usb_query *query, const char *dir, unsigned bus, unsigned device)
{
        unsigned vendor, product;

        if (query->bus && query->device)
                return query->bus == bus && query->device == device;
        return read_number(dir, "idVendor", 16, &vendor) && read_number(dir, "idProduct", 16, &product) &&
               (int)vendor == query->vendor && (int)product == query->product;
}

GPtrArray *usb_find_files(const char *root, const struct usb_query *query)
{
        g_autofree char *devices = g_build_filename(root, "sys/bus/usb/devices", NULL);
        g_autoptr(GDir) entries = g_dir_open(devices, 0, NULL);
        GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *dir = g_build_filename(devices, name, NULL);
                unsigned bus, device;

                if (read_number(dir, "busnum", 10, &bus) && read_number(dir, "devnum", 10, &device) &&
                    is_meant(query, dir, bus, device))
                        g_ptr_array_add(found, g_strdup_printf("%s/dev/bus/usb/%03u/%03u",
                                                               strcmp(root, "/") ? root : "", bus, device));
        }
        return found;
}
