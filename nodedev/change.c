/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI devices change hands. The kernel may take its time over that, or never return (a driver that does not
 * let go): each device that is changing has a lane of its own, whose jobs hold no slot, and whoever asked is
 * answered in time. Loop thread, but for the work.
 */
#include "base/flags.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "nodedev/node-devices-private.h"
#include "nodedev/pci.h"

#include <string.h>
#include <unistd.h>

#define ROOT ""
/* modprobe */
#define LOAD_TIMEOUT_MS 10000

/* A device that is changing. */
struct change_lane {
        struct node_devices *devices; /* borrowed */
        char *pci;                    /* owned */
        struct lane *lane;            /* ref */
        unsigned changes;             /* on their way */
};

struct change {
        struct change_lane *place; /* borrowed: it ends after this */
        const struct change_kind *kind;
        char *path;               /* owned; in sysfs */
        struct loop_timer *timer; /* owned */
        node_device_done done;    /* NULL: it was answered */
        void *data;               /* owned by done */
        GError *error;            /* owned */
};

struct change_kind {
        const char *function; /* as clients call it */
        const char *verb;
        bool (*work)(struct lane *lane, const char *pci, GError **error);
        bool is_of_group; /* guests that have another device of the IOMMU group are in the way, too */
};

/* ---- the work; the device's lane ---- */

static bool load_vfio(struct lane *lane, GError **error)
{
        const char *const argv[] = { "modprobe", "vfio-pci", NULL };

        return access(ROOT "/sys/bus/pci/drivers/vfio-pci", F_OK) == 0 ||
               spawn_check(lane, argv, LOAD_TIMEOUT_MS, NULL, error);
}

static bool detach(struct lane *lane, const char *pci, GError **error)
{
        g_autofree char *group = pci_get_group(ROOT, pci, error), *holders = NULL;

        if (!group || !load_vfio(lane, error) || !pci_detach(ROOT, pci, error))
                return false;
        holders = pci_describe_group_holders(ROOT, pci);
        if (holders)
                log_notice(
                        "no guest can have PCI device %s before the rest of its IOMMU group is detached: %s",
                        pci, holders);
        return true;
}

static bool reattach(struct lane *lane, const char *pci, GError **error)
{
        return pci_give_back(ROOT, pci, error);
}

static bool reset(struct lane *lane, const char *pci, GError **error)
{
        g_autofree char *driver = pci_get_driver(ROOT, pci);

        if (driver && !pci_is_vfio(ROOT, pci))
                return error_set(
                        error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                        "PCI device %s is in use by its host (driver %s): it has to be detached first", pci,
                        driver);
        return pci_reset(ROOT, pci, error);
}

static const struct change_kind detach_kind = { "NodeDeviceDetachFlags", "detached", detach };
static const struct change_kind reattach_kind = { "NodeDeviceReAttach", "given back", reattach, true };
static const struct change_kind reset_kind = { "NodeDeviceReset", "reset", reset };

/* ---- its way ---- */

static struct change_lane *enter_lane(struct node_devices *devices, const char *pci)
{
        struct change_lane *place = g_hash_table_lookup(devices->changing, pci);

        if (!place) {
                place = g_new0(struct change_lane, 1);
                place->devices = devices;
                place->pci = g_strdup(pci);
                place->lane = lane_new(devices->pool, devices->loop, pci);
                lane_set_lending(place->lane);
                g_hash_table_insert(devices->changing, place->pci, place);
        }
        place->changes++;
        return place;
}

static void leave_lane(struct change_lane *place)
{
        if (--place->changes > 0)
                return;
        g_hash_table_remove(place->devices->changing, place->pci);
        lane_unref(place->lane);
        g_free(place->pci);
        g_free(place);
}

static void answer(struct change *change, const GError *error)
{
        if (change->done)
                change->done(error, change->data);
        change->done = NULL;
}

static void refreshed(const GError *error, void *data)
{
        struct change *change = data;

        answer(change, change->error);
        leave_lane(change->place);
        g_clear_error(&change->error);
        g_free(change->path);
        g_free(change);
}

/* What refreshing needs outlives the change: the task's arguments are freed behind its end. */
struct refresh {
        struct device_source *source; /* borrowed */
        char *path;                   /* owned */
};

static bool refresh_work(void *args, GError **error)
{
        const struct refresh *refresh = args;

        device_source_refresh(refresh->source, refresh->path);
        return true;
}

static void refresh_free(void *args)
{
        struct refresh *refresh = args;

        g_free(refresh->path);
        g_free(refresh);
}

/* Whoever is answered reads the device as it is then. */
static void worked(void *data)
{
        struct change *change = data;
        struct node_devices *devices = change->place->devices;
        struct refresh *refresh = g_new(struct refresh, 1);
        const struct collection_task task = { refresh_work, refresh, refresh_free };

        loop_timer_free(g_steal_pointer(&change->timer));
        *refresh = (struct refresh){ devices->source, g_strdup(change->path) };
        collection_run(devices->collection, &task, refreshed, change);
}

static void work(void *data)
{
        struct change *change = data;
        struct change_lane *place = change->place;

        if (change->kind->work(place->lane, place->pci, &change->error))
                g_clear_error(&change->error);
        loop_post(place->devices->loop, worked, change);
}

static void give_up(void *data)
{
        struct change *change = data;
        g_autoptr(GError) error = NULL;

        error_set(&error, ERROR_FROM_NODEDEV, ERROR_OPERATION_TIMEOUT,
                  "PCI device %s is not %s yet: the kernel is still at it", change->place->pci,
                  change->kind->verb);
        answer(change, error);
}

/* ---- asking for it ---- */

static bool check_guest(const struct node_devices *devices, const char *pci, const char *wanted,
                        GError **error)
{
        const char *guest = devices->find_guest ? devices->find_guest(pci, devices->guests) : NULL;

        if (!guest)
                return true;
        if (strcmp(pci, wanted) == 0)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                                 "PCI device %s is in use by domain '%s'", pci, guest);
        return error_set(error, ERROR_FROM_NODEDEV, ERROR_OPERATION_INVALID,
                         "PCI device %s is in one IOMMU group with %s, which is in use by domain '%s'",
                         wanted, pci, guest);
}

static bool check(const struct node_devices *devices, const struct node_device *device,
                  const struct change_kind *kind, GError **error)
{
        if (!devices->source)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_NO_SUPPORT, "vir%s", kind->function);
        if (!device->pci)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_INVALID_ARG,
                                 "device %s is not a PCI device", device->name);
        if (!check_guest(devices, device->pci, device->pci, error))
                return false;
        for (char **other = kind->is_of_group ? device->iommu_group : NULL; other && *other; other++)
                if (!check_guest(devices, *other, device->pci, error))
                        return false;
        return true;
}

static void change_start(struct node_devices *devices, const struct node_device *device,
                         const struct change_kind *kind, node_device_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct change *change;

        if (!check(devices, device, kind, &error)) {
                done(error, data);
                return;
        }
        change = g_new(struct change, 1);
        *change = (struct change){
                .place = enter_lane(devices, device->pci),
                .kind = kind,
                .path = g_strdup(device->sysfs_path),
                .done = done,
                .data = data,
        };
        change->timer = loop_timer_new(devices->loop, devices->change_ms, give_up, change);
        lane_post(change->place->lane, work, change);
}

void node_device_detach(struct node_devices *devices, const struct node_device *device, const char *driver,
                        unsigned flags, node_device_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *quoted = NULL;

        if (!flags_check(flags, 0, ERROR_FROM_NODEDEV, detach_kind.function, &error)) {
                done(error, data);
                return;
        }
        if (!*driver || strcmp(driver, "vfio") == 0) {
                change_start(devices, device, &detach_kind, done, data);
                return;
        }
        quoted = error_quote(driver);
        error_set(&error, ERROR_FROM_NODEDEV, ERROR_INVALID_ARG, "unknown driver name '%s'", quoted);
        done(error, data);
}

void node_device_reattach(struct node_devices *devices, const struct node_device *device,
                          node_device_done done, void *data)
{
        change_start(devices, device, &reattach_kind, done, data);
}

void node_device_reset(struct node_devices *devices, const struct node_device *device, node_device_done done,
                       void *data)
{
        change_start(devices, device, &reset_kind, done, data);
}
