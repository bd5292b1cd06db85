/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node devices of a connection. Owns the collection, its lane and what fills it. Loop thread.
 */
#include "nodedev/node-devices.h"

#include "base/filter.h"
#include "base/flags.h"
#include "base/lane.h"
#include "nodedev/definitions.h"
#include "nodedev/node-devices-private.h"
#include "nodedev/test-devices.h"

/* virConnectListAllNodeDeviceFlags beside the capabilities */
#define LIST_INACTIVE (1u << 30)
#define LIST_ACTIVE   (1u << 31)

static const struct collection_kind kind = {
        .set = &node_device_set_kind,
        .noun = "node device",
        .from = ERROR_FROM_NODEDEV,
        .missing = ERROR_NO_NODE_DEVICE,
};

/* ---- life ---- */

struct node_devices *node_devices_new(struct loop *loop, struct pool *pool)
{
        struct node_devices *devices = g_new0(struct node_devices, 1);

        devices->loop = loop;
        devices->pool = pool;
        devices->change_ms = NODE_DEVICE_CHANGE_MS;
        devices->uses = g_ptr_array_new();
        devices->changing = g_hash_table_new(g_str_hash, g_str_equal);
        devices->lane = lane_new(pool, loop, "node devices");
        /* Its jobs read sysfs, where a driver may keep one waiting. */
        lane_set_lending(devices->lane);
        devices->collection = collection_new(&kind, loop, devices->lane);
        devices->source = device_source_new(devices->collection, loop, devices->lane);
        return devices;
}

struct node_devices *node_devices_new_test(struct loop *loop)
{
        struct node_devices *devices = g_new0(struct node_devices, 1);
        CLEANUP(object_set_unref) struct object_set *set = test_devices_new();

        devices->loop = loop;
        devices->uses = g_ptr_array_new();
        devices->changing = g_hash_table_new(g_str_hash, g_str_equal);
        devices->collection = collection_new(&kind, loop, NULL);
        collection_show(devices->collection, NULL, set);
        return devices;
}

void node_devices_free(struct node_devices *devices)
{
        if (!devices)
                return;
        device_source_free(devices->source);
        definitions_free(devices->definitions);
        if (devices->changing)
                g_hash_table_unref(devices->changing);
        if (devices->uses)
                g_ptr_array_unref(devices->uses);
        collection_free(devices->collection);
        if (devices->lane)
                lane_unref(devices->lane);
        g_free(devices);
}

void node_devices_set_directory(struct node_devices *devices, const char *dir)
{
        devices->definitions = definitions_new(dir);
        device_source_set_definitions(devices->source, devices->definitions);
}

void node_devices_start(struct node_devices *devices)
{
        if (devices->source)
                device_source_start(devices->source);
}

bool node_devices_are_ready(const struct node_devices *devices)
{
        return collection_get_nth(devices->collection, 0, NULL) != NULL;
}

void node_devices_stop(struct node_devices *devices)
{
        if (devices->source)
                device_source_stop(devices->source);
}

bool node_devices_are_running(const struct node_devices *devices)
{
        return devices->source &&
               (device_source_is_running(devices->source) || g_hash_table_size(devices->changing) > 0);
}

struct collection *node_devices_get_collection(const struct node_devices *devices)
{
        return devices->collection;
}

/* ---- lists and lookups ---- */

static unsigned describe(const void *object)
{
        const struct node_device *device = object;

        return device->capabilities | (device->is_inactive ? LIST_INACTIVE : LIST_ACTIVE);
}

GPtrArray *node_device_list(const struct node_devices *devices, unsigned flags, GError **error)
{
        static const unsigned groups[] = { (1u << NODE_DEVICE_CAPABILITY_COUNT) - 1,
                                           LIST_INACTIVE | LIST_ACTIVE };
        static const struct filter filter = { groups, G_N_ELEMENTS(groups), describe };

        if (!filter_check(&filter, flags, ERROR_FROM_NODEDEV, "ConnectListAllNodeDevices", error))
                return NULL;
        return filter_select(&filter, flags, collection_list(devices->collection));
}

struct node_device *node_device_lookup_name(const struct node_devices *devices, const char *name,
                                            GError **error)
{
        return collection_lookup(devices->collection, name, error);
}

struct node_device *node_device_lookup_wwns(const struct node_devices *devices, const char *wwnn,
                                            const char *wwpn, unsigned flags, GError **error)
{
        g_autofree char *key = node_device_join_wwns(wwnn, wwpn), *quoted = NULL;
        struct node_device *device;

        if (!flags_check(flags, 0, ERROR_FROM_NODEDEV, "NodeDeviceLookupSCSIHostByWWN", error))
                return NULL;
        device = collection_find_by(devices->collection, NODE_DEVICE_KEY_WWNS, key, NULL);
        if (device)
                return device;
        quoted = error_quote(key);
        error_set(error, ERROR_FROM_NODEDEV, ERROR_NO_NODE_DEVICE,
                  "no SCSI host with matching wwnn and wwpn '%s'", quoted);
        return NULL;
}

/* ---- one device ---- */

const char *node_device_get_parent(const struct node_device *device, GError **error)
{
        if (!device->parent)
                error_set(error, ERROR_FROM_NODEDEV, ERROR_INTERNAL_ERROR, "no parent for this device: '%s'",
                          device->name);
        return device->parent;
}

GPtrArray *node_device_list_capabilities(const struct node_device *device)
{
        GPtrArray *names = g_ptr_array_new();

        for (unsigned i = 0; i < NODE_DEVICE_CAPABILITY_COUNT; i++)
                if (device->capabilities & UINT32_C(1) << i)
                        g_ptr_array_add(names, (gpointer)node_device_capability_get_name(i));
        return names;
}

/* ---- documents ---- */

struct look {
        struct node_devices *devices; /* borrowed */
        char *name, *path;            /* owned */
        node_device_xml_done done;
        void *data; /* owned by done */
};

static void look_free(void *data)
{
        struct look *look = data;

        g_free(look->name);
        g_free(look->path);
        g_free(look);
}

static bool look_again(void *args, GError **error)
{
        const struct look *look = args;

        device_source_refresh(look->devices->source, look->path);
        return true;
}

static void looked(const GError *error, void *data)
{
        const struct look *look = data;
        g_autoptr(GError) missing = NULL;
        const struct node_device *device = node_device_lookup_name(look->devices, look->name, &missing);

        look->done(device ? device->xml : NULL, missing, look->data);
}

void node_device_get_xml(struct node_devices *devices, struct node_device *device, unsigned flags,
                         node_device_xml_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct collection_task task = { look_again, NULL, look_free };
        struct look *look;

        if (!flags_check(flags, 0, ERROR_FROM_NODEDEV, "NodeDeviceGetXMLDesc", &error)) {
                done(NULL, error, data);
                return;
        }
        if (!devices->source || !device->sysfs_path) {
                done(device->xml, NULL, data);
                return;
        }
        look = g_new(struct look, 1);
        *look = (struct look){ devices, g_strdup(device->name), g_strdup(device->sysfs_path), done, data };
        task.args = look;
        collection_run(devices->collection, &task, looked, look);
}
