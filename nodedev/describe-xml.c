/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions: the kinds of devices, and what all of them have in common. A describer and all that it reads
 * belong to one thread, as libudev demands of its objects.
 */
#include "nodedev/describe-xml.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

struct describer {
        struct udev *udev;      /* borrowed */
        struct udev_hwdb *hwdb; /* owned; NULL: not asked for yet, or there is none */
        bool has_no_hwdb;
        const char *(*find_name)(const char *path, void *data);
        void *data; /* borrowed; for find_name */
};

/* A kind of device. */
struct device_kind {
        const char *subsystem;
        const char *type;   /* of udev, "usb_interface". NULL: any */
        const char *prefix; /* of the name. NULL: the subsystem */
        enum node_device_capability capability;
        bool (*describe)(struct description *description);
        /* Names end in this property or attribute. NULL: they do not. */
        const char *suffix_property, *suffix_attribute;
        bool has_parent_suffix; /* and in that of their parent in sysfs */
};

static const struct device_kind kinds[] = {
        { "pci", NULL, NULL, NODE_DEVICE_PCI, describe_pci },
        { "usb", "usb_device", NULL, NODE_DEVICE_USB_DEVICE, describe_usb_device },
        { "usb", "usb_interface", NULL, NODE_DEVICE_USB_INTERFACE, describe_usb_interface },
        { "net", NULL, NULL, NODE_DEVICE_NET, describe_net, .suffix_attribute = "address" },
        { "scsi", "scsi_host", NULL, NODE_DEVICE_SCSI_HOST, describe_scsi_host },
        { "scsi", "scsi_target", NULL, NODE_DEVICE_SCSI_TARGET, describe_scsi_target },
        { "scsi", "scsi_device", NULL, NODE_DEVICE_SCSI, describe_scsi },
        { "scsi_generic", NULL, NULL, NODE_DEVICE_SCSI_GENERIC, describe_scsi_generic },
        { "block", "disk", NULL, NODE_DEVICE_STORAGE, describe_storage, .suffix_property = "ID_SERIAL" },
        { "drm", "drm_minor", NULL, NODE_DEVICE_DRM, describe_drm },
        { "mdev", NULL, NULL, NODE_DEVICE_MDEV, describe_mdev, .has_parent_suffix = true },
        { "vdpa", NULL, NULL, NODE_DEVICE_VDPA, describe_vdpa },
        { "ccw", NULL, NULL, NODE_DEVICE_CCW, describe_ccw },
        { "css", NULL, NULL, NODE_DEVICE_CSS, describe_css },
        { "ap", "ap_card", NULL, NODE_DEVICE_AP_CARD, describe_ap_card },
        { "ap", "ap_queue", NULL, NODE_DEVICE_AP_QUEUE, describe_ap_queue },
        { "matrix", NULL, "ap", NODE_DEVICE_AP_MATRIX, describe_ap_matrix },
};

/* ---- what is read ---- */

static const char *not_empty(const char *text)
{
        return text && *text ? text : NULL;
}

const char *description_get_property(const struct description *description, const char *name)
{
        return not_empty(udev_device_get_property_value(description->device, name));
}

const char *description_get_attribute(const struct description *description, const char *name)
{
        return not_empty(udev_device_get_sysattr_value(description->device, name));
}

int64_t description_get_number(const struct description *description, const char *name)
{
        const char *text = description_get_attribute(description, name);
        int64_t value;
        char *end;

        if (!text)
                return -1;
        errno = 0;
        value = g_ascii_strtoll(text, &end, 0);
        return errno || *end ? -1 : value;
}

char *description_get_path(const struct description *description, const char *name)
{
        return g_build_filename(udev_device_get_syspath(description->device), name, NULL);
}

char *description_get_link(const struct description *description, const char *name)
{
        g_autofree char *path = description_get_path(description, name);
        g_autofree char *target = g_file_read_link(path, NULL);

        return target ? g_path_get_basename(target) : NULL;
}

static char *get_parent_name(struct udev_device *device)
{
        g_autofree char *above = g_path_get_dirname(udev_device_get_syspath(device));

        return g_path_get_basename(above);
}

char *description_get_parent_name(const struct description *description)
{
        return get_parent_name(description->device);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *description_list(const struct description *description, const char *name)
{
        g_autofree char *path = description_get_path(description, name);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
        const char *entry;

        while (dir && (entry = g_dir_read_name(dir)))
                g_ptr_array_add(list, g_strdup(entry));
        g_ptr_array_sort(list, compare_names);
        return list;
}

const char *description_ask_hwdb(const struct description *description, const char *modalias, const char *key)
{
        struct describer *describer = description->describer;
        struct udev_list_entry *list;

        if (!describer->hwdb && !describer->has_no_hwdb) {
                describer->hwdb = udev_hwdb_new(describer->udev);
                describer->has_no_hwdb = !describer->hwdb;
        }
        if (!describer->hwdb || !modalias)
                return NULL;
        list = udev_hwdb_get_properties_list_entry(describer->hwdb, modalias, 0);
        list = udev_list_entry_get_by_name(list, key);
        return list ? not_empty(udev_list_entry_get_value(list)) : NULL;
}

/* ---- what is written ---- */

/* SCSI fills up with spaces. */
void description_add(xmlNode *parent, const char *name, const char *text)
{
        g_autofree char *trimmed = text ? g_strstrip(g_strdup(text)) : NULL;

        if (trimmed && *trimmed)
                xml_add_text(parent, name, trimmed);
}

xmlNode *description_add_capability(xmlNode *parent, const char *type)
{
        xmlNode *capability = xml_add(parent, "capability");

        xml_set_attr(capability, "type", type);
        return capability;
}

void description_set_capability(struct description *description, enum node_device_capability capability)
{
        description->result->capabilities |= UINT32_C(1) << capability;
}

void description_add_mdev_types(struct description *description)
{
        g_autoptr(GPtrArray) types = description_list(description, "mdev_supported_types");
        xmlNode *capability;

        if (types->len == 0)
                return;
        description_set_capability(description, NODE_DEVICE_MDEV_TYPES);
        capability = description_add_capability(description->capability, "mdev_types");
        for (unsigned i = 0; i < types->len; i++) {
                static const char *const files[][2] = {
                        { "name", "name" },
                        { "deviceAPI", "device_api" },
                        { "availableInstances", "available_instances" },
                };
                const char *id = g_ptr_array_index(types, i);
                xmlNode *type = xml_add(capability, "type");

                xml_set_attr(type, "id", id);
                for (unsigned j = 0; j < G_N_ELEMENTS(files); j++) {
                        g_autofree char *name =
                                g_strdup_printf("mdev_supported_types/%s/%s", id, files[j][1]);

                        description_add(type, files[j][0], description_get_attribute(description, name));
                }
        }
}

/* ---- names ---- */

static const struct device_kind *find_kind(struct udev_device *device)
{
        const char *subsystem = udev_device_get_subsystem(device);
        const char *type = udev_device_get_devtype(device);

        for (unsigned i = 0; subsystem && i < G_N_ELEMENTS(kinds); i++)
                if (strcmp(kinds[i].subsystem, subsystem) == 0 &&
                    (!kinds[i].type || g_strcmp0(kinds[i].type, type) == 0))
                        return &kinds[i];
        return NULL;
}

static void append_to_name(GString *name, const char *text)
{
        if (!text || !*text)
                return;
        if (name->len > 0)
                g_string_append_c(name, '_');
        for (; *text; text++)
                g_string_append_c(name, g_ascii_isalnum(*text) ? *text : '_');
}

/* As libvirt makes it: bus, address, and what tells it from what has had the address before. */
static char *make_name(const struct device_kind *kind, struct udev_device *device)
{
        GString *name = g_string_new(NULL);
        g_autofree char *parent = get_parent_name(device);

        append_to_name(name, kind->prefix ? kind->prefix : kind->subsystem);
        append_to_name(name, udev_device_get_sysname(device));
        if (kind->suffix_property)
                append_to_name(name, udev_device_get_property_value(device, kind->suffix_property));
        if (kind->suffix_attribute)
                append_to_name(name, udev_device_get_sysattr_value(device, kind->suffix_attribute));
        if (kind->has_parent_suffix)
                append_to_name(name, parent);
        return g_string_free(name, FALSE);
}

/* The nearest one above that is in the tree. */
static char *find_parent(const struct describer *describer, const char *path)
{
        g_autofree char *above = g_strdup(path);
        char *slash;

        while ((slash = strrchr(above, '/')) && slash != above) {
                const char *name;

                *slash = '\0';
                name = describer->find_name(above, describer->data);
                if (name)
                        return g_strdup(name);
        }
        return g_strdup("computer");
}

/* ---- documents ---- */

static void add_device_file(xmlNode *root, const char *type, const char *path)
{
        xmlNode *node = xml_add_text(root, "devnode", path);

        xml_set_attr(node, "type", type);
}

static void add_device_files(xmlNode *root, struct udev_device *device)
{
        const char *file = udev_device_get_devnode(device);
        g_autoptr(GPtrArray) links = g_ptr_array_new();
        struct udev_list_entry *link;

        if (!file)
                return;
        add_device_file(root, "dev", file);
        /* They come in another order each time. */
        udev_list_entry_foreach(link, udev_device_get_devlinks_list_entry(device))
                g_ptr_array_add(links, (gpointer)udev_list_entry_get_name(link));
        g_ptr_array_sort(links, compare_names);
        for (unsigned i = 0; i < links->len; i++)
                add_device_file(root, "link", g_ptr_array_index(links, i));
}

static xmlNode *add_head(xmlNode *root, const struct node_device *result, struct udev_device *device,
                         const struct device_kind *kind)
{
        const char *driver = udev_device_get_driver(device);

        xml_add_text(root, "name", result->name);
        xml_add_text(root, "path", result->sysfs_path);
        add_device_files(root, device);
        xml_add_text(root, "parent", result->parent);
        if (driver)
                xml_add_text(xml_add(root, "driver"), "name", driver);
        return description_add_capability(root, node_device_capability_get_name(kind->capability));
}

struct node_device *describer_describe(struct describer *describer, struct udev_device *device)
{
        const struct device_kind *kind = find_kind(device);
        CLEANUP(node_device_unref) struct node_device *result = NULL;
        struct description description = { .describer = describer, .device = device };
        g_autoptr(xmlDoc) doc = NULL;

        if (!kind)
                return NULL;
        result = node_device_new();
        result->name = make_name(kind, device);
        result->sysfs_path = g_strdup(udev_device_get_syspath(device));
        result->parent = find_parent(describer, result->sysfs_path);
        result->capabilities = UINT32_C(1) << kind->capability;
        doc = xml_new("device");
        description.result = result;
        description.capability = add_head(xml_root(doc), result, device, kind);
        if (!kind->describe(&description))
                return NULL;
        result->xml = xml_write(doc, NULL);
        return g_steal_pointer(&result);
}

struct node_device *describer_describe_system(struct describer *describer)
{
        struct node_device *result = node_device_new();
        g_autoptr(xmlDoc) doc = xml_new("device");

        result->name = g_strdup("computer");
        result->capabilities = UINT32_C(1) << NODE_DEVICE_SYSTEM;
        xml_add_text(xml_root(doc), "name", result->name);
        describe_system(description_add_capability(xml_root(doc), "system"), describer->udev);
        result->xml = xml_write(doc, NULL);
        return result;
}

/* ---- life ---- */

struct describer *describer_new(struct udev *udev, const char *(*find_name)(const char *path, void *data),
                                void *data)
{
        struct describer *describer = g_new0(struct describer, 1);

        describer->udev = udev;
        describer->find_name = find_name;
        describer->data = data;
        return describer;
}

void describer_free(struct describer *describer)
{
        if (!describer)
                return;
        if (describer->hwdb)
                udev_hwdb_unref(describer->hwdb);
        g_free(describer);
}
