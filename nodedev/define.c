/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mediated devices are defined, started and forgotten. Loop thread, but for the work, which is in the lane
 * of the devices.
 */
#include "base/flags.h"
#include "base/log.h"
#include "nodedev/change.h"
#include "nodedev/create.h"
#include "nodedev/definitions.h"
#include "nodedev/spec.h"

#include <string.h>

/* virNodeDeviceDefineXMLFlags: documents are checked in any case. */
#define DEFINE_VALIDATE 1u

/* What is to be done to a definition. */
struct defining {
        struct node_devices *devices;  /* borrowed */
        char *name;                    /* owned */
        struct node_device_spec *spec; /* owned; of a new one, else NULL */
        bool (*change)(const struct defining *defining, GError **error);
        bool autostart;
};

static void defining_free(void *args)
{
        struct defining *defining = args;

        node_device_spec_free(defining->spec);
        g_free(defining->name);
        g_free(defining);
}

/* ---- the work; lane ---- */

static bool work(void *args, GError **error)
{
        const struct defining *defining = args;

        if (!defining->change(defining, error))
                return false;
        device_source_redefined(defining->devices->source, defining->name);
        return true;
}

static bool add(const struct defining *defining, GError **error)
{
        return definitions_add(defining->devices->definitions, defining->spec, error);
}

static bool remove_one(const struct defining *defining, GError **error)
{
        return definitions_remove(defining->devices->definitions, defining->name, error);
}

static bool set_autostart(const struct defining *defining, GError **error)
{
        return definitions_set_autostart(defining->devices->definitions, defining->name, defining->autostart,
                                         error);
}

/* Takes name. */
static struct defining *defining_new(struct node_devices *devices, char *name,
                                     bool (*change)(const struct defining *defining, GError **error))
{
        struct defining *defining = g_new0(struct defining, 1);

        defining->devices = devices;
        defining->name = name;
        defining->change = change;
        return defining;
}

/* Takes defining. */
static void run(struct defining *defining, collection_done done, void *data)
{
        const struct collection_task task = { work, defining, defining_free };

        collection_run(defining->devices->collection, &task, done, data);
}

/* ---- asking for it ---- */

/* In memory, and where nothing is stored, there is nothing of it. */
static bool check_support(const struct node_devices *devices, const char *function, GError **error)
{
        return devices->definitions ||
               error_set(error, ERROR_FROM_NODEDEV, ERROR_NO_SUPPORT, "virNodeDevice%s", function);
}

static bool check_mdev(const struct node_device *device, GError **error)
{
        return device->capabilities & UINT32_C(1) << NODE_DEVICE_MDEV ||
               error_set(error, ERROR_FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                         "node device '%s' is not a mediated device", device->name);
}

/* Whoever defined it reads it. */
struct defined {
        struct node_devices *devices; /* borrowed */
        char *name;                   /* owned */
        node_device_created done;
        void *data; /* owned by done */
};

static void defined(const GError *error, void *data)
{
        struct defined *defined = data;
        g_autoptr(GError) missing = NULL;
        struct node_device *device =
                error ? NULL : node_device_lookup_name(defined->devices, defined->name, &missing);

        defined->done(device, error ? error : missing, defined->data);
        g_free(defined->name);
        g_free(defined);
}

static struct node_device_spec *read_spec(const struct node_devices *devices, const char *xml, unsigned flags,
                                          GError **error)
{
        CLEANUP(node_device_spec_free) struct node_device_spec *spec = NULL;
        const struct node_device *parent;

        if (!check_support(devices, "DefineXML", error) ||
            !flags_check(flags, DEFINE_VALIDATE, ERROR_FROM_NODEDEV, "NodeDeviceDefineXML", error))
                return NULL;
        spec = node_device_spec_parse(xml, error);
        if (!spec)
                return NULL;
        if (!spec->type) {
                error_set(error, ERROR_FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                          "only mediated devices can be defined");
                return NULL;
        }
        parent = create_find_parent(devices, spec, error);
        if (!parent)
                return NULL;
        g_free(spec->parent_address);
        spec->parent_address = g_path_get_basename(parent->sysfs_path);
        return g_steal_pointer(&spec);
}

void node_device_define_xml(struct node_devices *devices, const char *xml, unsigned flags,
                            node_device_created done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct node_device_spec *spec = read_spec(devices, xml, flags, &error);
        struct defining *defining;
        struct defined *waiting;

        if (!spec) {
                done(NULL, error, data);
                return;
        }
        defining = defining_new(devices, node_device_name_mdev(spec->uuid, spec->parent_address), add);
        defining->spec = spec;
        waiting = g_new(struct defined, 1);
        *waiting = (struct defined){ devices, g_strdup(defining->name), done, data };
        run(defining, defined, waiting);
}

void node_device_undefine(struct node_devices *devices, const struct node_device *device, unsigned flags,
                          node_device_done done, void *data)
{
        g_autoptr(GError) error = NULL;

        if (check_support(devices, "Undefine", &error) &&
            flags_check(flags, 0, ERROR_FROM_NODEDEV, "NodeDeviceUndefine", &error) &&
            check_mdev(device, &error))
                run(defining_new(devices, g_strdup(device->name), remove_one), done, data);
        else
                done(error, data);
}

void node_device_set_autostart(struct node_devices *devices, const struct node_device *device, bool autostart,
                               node_device_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct defining *defining;

        if (!check_support(devices, "SetAutostart", &error) || !check_mdev(device, &error)) {
                done(error, data);
                return;
        }
        defining = defining_new(devices, g_strdup(device->name), set_autostart);
        defining->autostart = autostart;
        run(defining, done, data);
}

void node_device_create(struct node_devices *devices, const struct node_device *device, unsigned flags,
                        node_device_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        bool good = check_support(devices, "Create", &error) &&
                    flags_check(flags, 0, ERROR_FROM_NODEDEV, "NodeDeviceCreate", &error) &&
                    (device->is_inactive || error_set(&error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                                                      "node device '%s' is active already", device->name));

        if (good)
                create_start_mdev(devices, device, done, data);
        else
                done(error, data);
}

/* ---- after a boot ---- */

struct autostart {
        unsigned pending;
        loop_fn done;
        void *data; /* owned by done */
};

struct started {
        struct autostart *autostart;
        char *name; /* owned */
};

static void leave(struct autostart *autostart)
{
        if (--autostart->pending > 0)
                return;
        autostart->done(autostart->data);
        g_free(autostart);
}

static void started(const GError *error, void *data)
{
        struct started *started = data;

        if (error)
                log_warning("node device '%s' is not started: %s", started->name, error->message);
        leave(started->autostart);
        g_free(started->name);
        g_free(started);
}

void node_devices_autostart(struct node_devices *devices, loop_fn done, void *data)
{
        g_autoptr(GPtrArray) list = collection_list(devices->collection);
        struct autostart *autostart = g_new(struct autostart, 1);

        *autostart = (struct autostart){ 1, done, data };
        for (unsigned i = 0; i < list->len; i++) {
                const struct node_device *device = g_ptr_array_index(list, i);
                struct started *waiting;

                if (!device->is_inactive || device->is_started_by_hand)
                        continue;
                waiting = g_new(struct started, 1);
                *waiting = (struct started){ autostart, g_strdup(device->name) };
                autostart->pending++;
                node_device_create(devices, device, 0, started, waiting);
        }
        leave(autostart);
}
