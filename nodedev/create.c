/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that are made and removed: virtual host bus adapters (NPIV) by vport_create and vport_delete of
 * their parent, mediated devices by create of their type and their own remove. Loop thread, but for the work.
 */
#include "nodedev/create.h"

#include "base/flags.h"
#include "base/lane.h"
#include "nodedev/change.h"
#include "nodedev/spec.h"
#include "nodedev/sysfs.h"
#include "nodedev/test-devices.h"
#include "nodedev/vport.h"

#include <string.h>
#include <unistd.h>

/* virNodeDeviceCreateXMLFlags: documents are checked in any case. */
#define CREATE_VALIDATE 1u
/* The kernel makes and removes in its own time, and says of neither when it is done. */
#define STEP_MS 50u
#define WAIT_MS (NODE_DEVICE_CHANGE_MS - 2000u)

static bool has(const struct node_device *device, enum node_device_capability capability)
{
        return device->capabilities & UINT32_C(1) << capability;
}

/* ---- the work; the device's lane ---- */

/* A change has a lane of its own, which does nothing else. */
static bool write_port(struct lane *lane, const char *path, const char *text, GError **error)
{
        return sysfs_write(NULL, path, text, error);
}

/* The names of change->text: "<wwnn>:<wwpn>". */
struct port {
        char **words; /* owned */
        struct vport_names names;
};

static void port_read(struct port *port, const struct change *change)
{
        port->words = g_strsplit(change->text, ":", 2);
        port->names = (struct vport_names){ port->words[0], port->words[1] };
}

/* False with an error when it is time to give up. */
static bool wait_a_step(struct lane *lane, lane_deadline deadline, const struct change *change,
                        GError **error)
{
        if (lane_wait(lane, -1, 0, NULL, lane_deadline_in(STEP_MS)) != LANE_TIMEOUT)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_ABORTED, "%s: interrupted",
                                 change->subject);
        return lane_deadline_in(0) < deadline ||
               error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_TIMEOUT, "%s is not %s", change->subject,
                         change->kind->verb);
}

static bool create_vhba(struct lane *lane, struct change *change, GError **error)
{
        g_autofree char *host = NULL, *link = NULL;
        struct port port;

        port_read(&port, change);
        host = vport_create(lane, change->file, &port.names, write_port, error);
        g_strfreev(port.words);
        if (!host)
                return false;
        link = g_strdup_printf("/sys/class/fc_host/%s/device", host);
        change->path = sysfs_resolve(link);
        change->name = g_strdup_printf("scsi_%s", host);
        return true;
}

/* Beside the file that makes them stands how many more can be made. */
static bool has_instances(const struct change *change, GError **error)
{
        g_autofree char *dir = g_path_get_dirname(change->file), *type = g_path_get_basename(dir);
        g_autofree char *path = g_build_filename(dir, "available_instances", NULL), *text = NULL;

        return !g_file_get_contents(path, &text, NULL, NULL) || strcmp(g_strstrip(text), "0") != 0 ||
               error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                         "%s is not made: no instances of the type '%s' are left", change->subject, type);
}

static bool create_mdev(struct lane *lane, struct change *change, GError **error)
{
        if (!has_instances(change, error))
                return false;
        return sysfs_write(NULL, change->file, change->text, error);
}

static bool wait_gone(struct lane *lane, const struct change *change, GError **error)
{
        lane_deadline deadline = lane_deadline_in(WAIT_MS);

        while (access(change->path, F_OK) == 0)
                if (!wait_a_step(lane, deadline, change, error))
                        return false;
        return true;
}

static bool destroy_vhba(struct lane *lane, struct change *change, GError **error)
{
        struct port port;
        bool good;

        port_read(&port, change);
        good = vport_delete(lane, change->file, &port.names, write_port, error);
        g_strfreev(port.words);
        return good && wait_gone(lane, change, error);
}

static bool destroy_mdev(struct lane *lane, struct change *change, GError **error)
{
        return sysfs_write(NULL, change->file, change->text, error) && wait_gone(lane, change, error);
}

static const struct change_kind create_vhba_kind = { "NodeDeviceCreateXML", "there", create_vhba };
static const struct change_kind create_mdev_kind = { "NodeDeviceCreateXML", "there", create_mdev };
static const struct change_kind destroy_vhba_kind = { "NodeDeviceDestroy", "gone", destroy_vhba };
static const struct change_kind destroy_mdev_kind = { "NodeDeviceDestroy", "gone", destroy_mdev };

/* ---- parents ---- */

/* A host that can have another port. */
static bool fits(const struct node_device_spec *spec, const struct node_device *device)
{
        g_autofree char *fabric = NULL, *wwns = NULL;

        if (!has(device, NODE_DEVICE_VPORTS))
                return false;
        if (spec->parent_wwnn && spec->parent_wwpn) {
                wwns = node_device_join_wwns(spec->parent_wwnn, spec->parent_wwpn);
                return g_strcmp0(wwns, device->wwns) == 0;
        }
        fabric = spec->parent_fabric ? g_strdup_printf("<fabric_wwn>%s<", spec->parent_fabric) : NULL;
        return !fabric || strstr(device->xml, fabric);
}

static struct node_device *find_parent(const struct node_devices *devices,
                                       const struct node_device_spec *spec)
{
        g_autoptr(GPtrArray) list = NULL;

        if (spec->parent)
                return collection_find(devices->collection, spec->parent, NULL);
        list = collection_list(devices->collection);
        for (unsigned i = 0; spec->wwnn && i < list->len; i++)
                if (fits(spec, g_ptr_array_index(list, i)))
                        return g_ptr_array_index(list, i);
        return NULL;
}

static bool check_parent(const struct node_device_spec *spec, const struct node_device *parent,
                         GError **error)
{
        if (!parent)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_INTERNAL_ERROR,
                                 "could not find parent device for the new device");
        if (spec->wwnn && !has(parent, NODE_DEVICE_VPORTS))
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_INTERNAL_ERROR,
                                 "parent device %s is not capable of vport operations", parent->name);
        if (spec->type && !has(parent, NODE_DEVICE_MDEV_TYPES))
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_INTERNAL_ERROR,
                                 "parent device %s is not capable of mediated devices", parent->name);
        return true;
}

static bool check_names(const struct node_devices *devices, const struct node_device_spec *spec,
                        GError **error)
{
        g_autofree char *wwns = spec->wwnn ? node_device_join_wwns(spec->wwnn, spec->wwpn) : NULL;
        const struct node_device *known =
                wwns ? collection_find_by(devices->collection, NODE_DEVICE_KEY_WWNS, wwns, NULL) : NULL;

        return !known || error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_FAILED,
                                   "node device '%s' has these wwnn and wwpn already", known->name);
}

/* ---- making ---- */

/* "host3" of "scsi_host3" */
static char *get_host(const struct node_device *parent)
{
        return g_strdup(parent->name + strlen("scsi_"));
}

static struct change *make_vhba(const struct node_device_spec *spec, const struct node_device *parent)
{
        struct change *change = change_new(&create_vhba_kind,
                                           g_strdup_printf("virtual adapter '%s'", spec->wwpn), NULL, NULL);

        change->file = get_host(parent);
        change->text = g_strdup_printf("%s:%s", spec->wwnn, spec->wwpn);
        return change;
}

static struct change *make_mdev(const struct node_device_spec *spec, const struct node_device *parent)
{
        struct change *change =
                change_new(&create_mdev_kind, g_strdup_printf("mediated device %s", spec->uuid), NULL, NULL);
        g_autofree char *parent_address = NULL;

        change->file = g_strdup_printf("%s/mdev_supported_types/%s/create", parent->sysfs_path, spec->type);
        change->text = g_strdup(spec->uuid);
        change->path = g_build_filename(parent->sysfs_path, spec->uuid, NULL);
        parent_address = g_path_get_basename(parent->sysfs_path);
        change->name = node_device_name_mdev(spec->uuid, parent_address);
        return change;
}

const struct node_device *create_find_parent(const struct node_devices *devices,
                                             const struct node_device_spec *spec, GError **error)
{
        const struct node_device *parent = find_parent(devices, spec);

        return check_parent(spec, parent, error) ? parent : NULL;
}

/* The document of an inactive device is what one is made of. */
void create_start_mdev(struct node_devices *devices, const struct node_device *device, node_device_done done,
                       void *data)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(node_device_spec_free)
        struct node_device_spec *spec = node_device_spec_parse(device->xml, &error);
        const struct node_device *parent = spec ? create_find_parent(devices, spec, &error) : NULL;
        struct change *change;

        if (!parent) {
                done(error, data);
                return;
        }
        change = make_mdev(spec, parent);
        change->done = done;
        change->data = data;
        change_start(devices, parent->name, change);
}

static void create_in_memory(struct node_devices *devices, const struct node_device_spec *spec,
                             const struct node_device *parent, node_device_created done, void *data)
{
        CLEANUP(node_device_unref)
        struct node_device *device =
                test_devices_make_host(collection_get_nth(devices->collection, 0, NULL), parent, spec);
        CLEANUP(object_set_unref)
        struct object_set *set = object_set_with(&node_device_set_kind,
                                                 collection_get_nth(devices->collection, 0, NULL), device);

        collection_show(devices->collection, NULL, set);
        done(device, NULL, data);
}

void node_device_create_xml(struct node_devices *devices, const char *xml, unsigned flags,
                            node_device_created done, void *data)
{
        CLEANUP(node_device_spec_free) struct node_device_spec *spec = NULL;
        const struct node_device *parent = NULL;
        g_autoptr(GError) error = NULL;
        struct change *change;

        if (flags_check(flags, CREATE_VALIDATE, ERROR_FROM_NODEDEV, "NodeDeviceCreateXML", &error))
                spec = node_device_spec_parse(xml, &error);
        parent = spec ? find_parent(devices, spec) : NULL;
        if (!spec || !check_parent(spec, parent, &error) || !check_names(devices, spec, &error)) {
                done(NULL, error, data);
                return;
        }
        if (!devices->source) {
                create_in_memory(devices, spec, parent, done, data);
                return;
        }
        change = spec->wwnn ? make_vhba(spec, parent) : make_mdev(spec, parent);
        change->created = done;
        change->data = data;
        change_start(devices, parent->name, change);
}

/* ---- removing ---- */

static bool is_vhba(const struct node_devices *devices, const struct node_device *device,
                    const struct node_device **parent)
{
        *parent = device->parent ? collection_find(devices->collection, device->parent, NULL) : NULL;
        return has(device, NODE_DEVICE_FC_HOST) && *parent && has(*parent, NODE_DEVICE_VPORTS);
}

static struct change *remove_vhba(const struct node_device *device, const struct node_device *parent,
                                  node_device_done done, void *data)
{
        struct change *change =
                change_new(&destroy_vhba_kind, g_strdup_printf("node device '%s'", device->name), done, data);

        change->file = get_host(parent);
        change->text = g_strdup(device->wwns);
        return change;
}

static struct change *remove_mdev(const struct node_device *device, node_device_done done, void *data)
{
        struct change *change =
                change_new(&destroy_mdev_kind, g_strdup_printf("node device '%s'", device->name), done, data);

        change->file = g_build_filename(device->sysfs_path, "remove", NULL);
        change->text = g_strdup("1");
        return change;
}

static void remove_in_memory(struct node_devices *devices, const struct node_device *device,
                             node_device_done done, void *data)
{
        CLEANUP(object_set_unref)
        struct object_set *set = object_set_without(
                &node_device_set_kind, collection_get_nth(devices->collection, 0, NULL), device->name);

        collection_show(devices->collection, NULL, set);
        done(NULL, data);
}

void node_device_destroy(struct node_devices *devices, const struct node_device *device,
                         node_device_done done, void *data)
{
        const struct node_device *parent;
        bool has_ports = is_vhba(devices, device, &parent);
        g_autoptr(GError) error = NULL;
        struct change *change;

        if (!has_ports && !has(device, NODE_DEVICE_MDEV)) {
                error_set(&error, ERROR_FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                          "node device '%s' is neither a virtual adapter nor a mediated device",
                          device->name);
                done(error, data);
                return;
        }
        if (device->is_inactive) {
                error_set(&error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                          "node device '%s' is not active", device->name);
                done(error, data);
                return;
        }
        if (!devices->source) {
                remove_in_memory(devices, device, done, data);
                return;
        }
        change = has_ports ? remove_vhba(device, parent, done, data) : remove_mdev(device, done, data);
        change->path = g_strdup(device->sysfs_path);
        change_start(devices, device->parent, change);
}
