/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * USB devices in sysfs. No state.
 */
#include "nodedev/usb.h"

#include "base/error.h"

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

/* name: of its folder, "1-4.2"; a hub that is a bus is "usb1", and what has a colon is an interface. */
static bool read_device(const char *devices, const char *name, struct usb_device *device)
{
        g_autofree char *dir = g_build_filename(devices, name, NULL);
        const char *port = strchr(name, '-');

        *device = (struct usb_device){ 0 };
        g_strlcpy(device->port, port ? port + 1 : "", sizeof(device->port));
        return !strchr(name, ':') && read_number(dir, "busnum", 10, &device->bus) &&
               read_number(dir, "devnum", 10, &device->device) &&
               read_number(dir, "idVendor", 16, &device->vendor) &&
               read_number(dir, "idProduct", 16, &device->product);
}

static bool is_meant(const struct usb_query *query, const struct usb_device *device)
{
        return (!query->bus || query->bus == device->bus) &&
               (!query->device || query->device == device->device) &&
               (!query->port || strcmp(query->port, device->port) == 0) &&
               (query->vendor < 0 || query->vendor == (int)device->vendor) &&
               (query->product < 0 || query->product == (int)device->product);
}

static int compare(const void *a, const void *b)
{
        const struct usb_device *one = a, *other = b;

        if (one->bus != other->bus)
                return one->bus < other->bus ? -1 : 1;
        return one->device < other->device ? -1 : one->device > other->device;
}

GArray *usb_find(const char *root, const struct usb_query *query)
{
        g_autofree char *devices = g_build_filename(root, "sys/bus/usb/devices", NULL);
        g_autoptr(GDir) entries = g_dir_open(devices, 0, NULL);
        GArray *found = g_array_new(FALSE, FALSE, sizeof(struct usb_device));
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                struct usb_device device;

                if (read_device(devices, name, &device) && is_meant(query, &device))
                        g_array_append_val(found, device);
        }
        g_array_sort(found, compare);
        return found;
}

/* "046d:c52b bus 1 port 4.2" */
static char *describe(const struct usb_query *query)
{
        GString *text = g_string_new(NULL);

        if (query->vendor >= 0)
                g_string_append_printf(text, " %04x:%04x", (unsigned)query->vendor, (unsigned)query->product);
        if (query->bus)
                g_string_append_printf(text, " bus:%u", (unsigned)query->bus);
        if (query->device)
                g_string_append_printf(text, " device:%u", (unsigned)query->device);
        if (query->port)
                g_string_append_printf(text, " port:%s", query->port);
        return g_string_free(text, FALSE);
}

bool usb_find_one(const char *root, const struct usb_query *query, struct usb_device *device, bool *several,
                  GError **error)
{
        g_autoptr(GArray) found = usb_find(root, query);
        g_autofree char *what = describe(query);

        if (several)
                *several = found->len > 1;
        if (found->len == 0)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                                 "Did not find USB device%s", what);
        if (found->len > 1)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                                 "Multiple USB devices for%s, use <address> to specify one", what);
        *device = g_array_index(found, struct usb_device, 0);
        return true;
}

char *usb_format_name(unsigned bus, unsigned device)
{
        return g_strdup_printf("%03u:%03u", bus, device);
}

char *usb_format_path(const char *root, unsigned bus, unsigned device)
{
        return g_strdup_printf("%s/dev/bus/usb/%03u/%03u", strcmp(root, "/") ? root : "", bus, device);
}
