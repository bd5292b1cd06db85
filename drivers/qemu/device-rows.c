/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows, and the walks over them. No state; any thread, but for what prepares.
 */
#include "drivers/qemu/device-rows.h"

#include "drivers/qemu/block.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/resources.h"
#include "drivers/qemu/vhost-user-gpu.h"

#include <limits.h>
#include <string.h>

/* ---- which devices may come and go ---- */

static bool any(const void *device)
{
        return true;
}

static bool is_pluggable_disk(const void *data)
{
        const struct domain_disk *disk = data;
        bool medium = disk->device == DOMAIN_DISK_DISK || disk->device == DOMAIN_DISK_LUN;

        if (disk->bus == DOMAIN_BUS_VIRTIO)
                return medium;
        return disk->bus == DOMAIN_BUS_SCSI || disk->bus == DOMAIN_BUS_USB;
}

static bool is_pluggable_controller(const void *data)
{
        const struct domain_controller *controller = data;

        return controller->type == DOMAIN_CONTROLLER_SCSI;
}

/* What is on a bus that guests know to watch. */
static bool is_on_live_bus(const struct domain_device_info *info)
{
        return info->address.type == DOMAIN_ADDRESS_PCI || info->address.type == DOMAIN_ADDRESS_USB ||
               info->address.type == DOMAIN_ADDRESS_CCW;
}

static bool is_pluggable_char(const void *data)
{
        const struct domain_char *chr = data;

        if (chr->kind == DOMAIN_CHAR_CHANNEL && g_strcmp0(chr->target_type, "guestfwd") == 0)
                return true;
        if (chr->kind == DOMAIN_CHAR_CHANNEL || chr->kind == DOMAIN_CHAR_CONSOLE)
                return g_strcmp0(chr->target_type, "virtio") == 0;
        return chr->kind == DOMAIN_CHAR_SERIAL && is_on_live_bus(&chr->info);
}

static bool is_pluggable_on_bus(const void *device)
{
        return is_on_live_bus(device);
}

/* Whatever address is given to it: what is built into the machine is on no bus. */
static bool is_pluggable_input(const void *data)
{
        const struct domain_input *input = data;

        return g_strcmp0(input->bus, "ps2") != 0 && is_on_live_bus(&input->info);
}

/* As above. */
static bool is_pluggable_watchdog(const void *data)
{
        const struct domain_watchdog *watchdog = data;

        return g_strcmp0(watchdog->model, "itco") != 0 && is_on_live_bus(&watchdog->info);
}

/* Pages for enclaves are a property of the machine. */
static bool is_pluggable_memory(const void *data)
{
        const struct domain_memory *memory = data;

        return strcmp(memory->model, "sgx-epc") != 0;
}

/* Back ends of 9p cannot be made later. */
static bool is_pluggable_filesystem(const void *data)
{
        const struct domain_filesystem *fs = data;

        return g_strcmp0(fs->driver, "virtiofs") == 0;
}

static bool is_pluggable_hostdev(const void *data)
{
        const struct domain_hostdev *hostdev = data;

        return hostdev->ramfb != DOMAIN_SWITCH_ON;
}

/* ---- the rows ---- */

/* In the order of the command line, where each device finds what it sits on. */
static const struct device_row rows[] = {
        { DOMAIN_DEVICE_IOMMU, device_describe_iommu, NULL, NULL },
        { DOMAIN_DEVICE_CONTROLLER, device_describe_controller, NULL, is_pluggable_controller },
        { DOMAIN_DEVICE_HUB, device_describe_hub, NULL, NULL },
        { DOMAIN_DEVICE_MEMORY, device_describe_memory, resources_prepare_memory_device,
          is_pluggable_memory },
        { DOMAIN_DEVICE_DISK, device_describe_disk, resources_prepare_disk, is_pluggable_disk },
        { DOMAIN_DEVICE_FILESYSTEM, device_describe_filesystem, resources_prepare_filesystem,
          is_pluggable_filesystem },
        { DOMAIN_DEVICE_INTERFACE, device_describe_interface, resources_prepare_interface,
          is_pluggable_on_bus },
        { DOMAIN_DEVICE_SMARTCARD, device_describe_smartcard, NULL, NULL },
        { DOMAIN_DEVICE_SERIAL, device_describe_char, resources_prepare_char, is_pluggable_char },
        { DOMAIN_DEVICE_PARALLEL, device_describe_char, resources_prepare_char, NULL },
        { DOMAIN_DEVICE_CONSOLE, device_describe_char, resources_prepare_char, is_pluggable_char },
        { DOMAIN_DEVICE_CHANNEL, device_describe_char, resources_prepare_char, is_pluggable_char },
        { DOMAIN_DEVICE_TPM, device_describe_tpm, resources_prepare_tpm, NULL },
        { DOMAIN_DEVICE_INPUT, device_describe_input, resources_prepare_input, is_pluggable_input },
        { DOMAIN_DEVICE_GRAPHICS, NULL, resources_prepare_graphics, NULL },
        { DOMAIN_DEVICE_AUDIO, NULL, NULL, NULL },
        { DOMAIN_DEVICE_VIDEO, device_describe_video, resources_prepare_video, NULL },
        { DOMAIN_DEVICE_SOUND, device_describe_sound, NULL, NULL },
        { DOMAIN_DEVICE_WATCHDOG, device_describe_watchdog, NULL, is_pluggable_watchdog },
        { DOMAIN_DEVICE_REDIRDEV, device_describe_redirdev, NULL, any },
        { DOMAIN_DEVICE_HOSTDEV, device_describe_hostdev, resources_prepare_hostdev, is_pluggable_hostdev },
        { DOMAIN_DEVICE_MEMBALLOON, device_describe_memballoon, NULL, NULL },
        { DOMAIN_DEVICE_RNG, device_describe_rng, resources_prepare_rng, any },
        { DOMAIN_DEVICE_PANIC, device_describe_panic, NULL, NULL },
        { DOMAIN_DEVICE_SHMEM, device_describe_shmem, NULL, any },
        { DOMAIN_DEVICE_VSOCK, device_describe_vsock, resources_prepare_vsock, any },
        { DOMAIN_DEVICE_CRYPTO, device_describe_crypto, NULL, any },
        { DOMAIN_DEVICE_PSTORE, device_describe_pstore, resources_prepare_pstore, NULL },
        { DOMAIN_DEVICE_NVRAM, device_describe_nvram, NULL, NULL },
};

const struct device_row *device_row_get(enum domain_device_kind kind)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (rows[i].kind == kind)
                        return &rows[i];
        }
        return NULL;
}

/* ---- at start ---- */

/* A device on its way to the command line. */
struct turn {
        const struct device_row *row;
        const void *device; /* borrowed */
        unsigned turn;
};

/*
 * Controllers by type, then those of ccid, which sit on hubs, behind these. A controller sits on one of a
 * lower index, if on any of its kind.
 */
static unsigned turn_of(unsigned row, const void *data)
{
        static const uint8_t order[DOMAIN_CONTROLLER_LAST] = {
                [DOMAIN_CONTROLLER_PCI] = 0,    [DOMAIN_CONTROLLER_USB] = 1,
                [DOMAIN_CONTROLLER_SCSI] = 2,   [DOMAIN_CONTROLLER_SATA] = 3,
                [DOMAIN_CONTROLLER_IDE] = 4,    [DOMAIN_CONTROLLER_VIRTIO_SERIAL] = 5,
                [DOMAIN_CONTROLLER_FDC] = 6,    [DOMAIN_CONTROLLER_ISA] = 7,
                [DOMAIN_CONTROLLER_XENBUS] = 8, [DOMAIN_CONTROLLER_NVME] = 9,
        };
        const struct domain_controller *controller = data;
        unsigned first = row * (DOMAIN_CONTROLLER_LAST + 1);

        if (rows[row].kind != DOMAIN_DEVICE_CONTROLLER)
                return first;
        if (controller->type == DOMAIN_CONTROLLER_CCID)
                return (row + 1) * (DOMAIN_CONTROLLER_LAST + 1) + 1;
        return first + order[controller->type];
}

static int compare_turns(const void *a, const void *b)
{
        const struct turn *one = a, *other = b;
        const struct domain_controller *left = one->device, *right = other->device;

        if (one->turn != other->turn)
                return one->turn < other->turn ? -1 : 1;
        if (one->row->kind != DOMAIN_DEVICE_CONTROLLER)
                return 0;
        if (left->index != right->index)
                return left->index < right->index ? -1 : 1;
        /* The companions of a USB controller behind their master. */
        return left->master_port - right->master_port;
}

static bool is_bus(const struct turn *turn)
{
        return turn->row->kind == DOMAIN_DEVICE_CONTROLLER &&
               ((const struct domain_controller *)turn->device)->type == DOMAIN_CONTROLLER_PCI;
}

/* Is there one among the n turns that makes the bus which this one is plugged into? */
static bool waits_for(const struct turn *turn, const struct turn *turns, unsigned n)
{
        const struct domain_address *address =
                &((const struct domain_controller *)turn->device)->info.address;

        for (unsigned i = 0; address->type == DOMAIN_ADDRESS_PCI && i < n; i++) {
                const struct domain_controller *other = turns[i].device;

                if (&turns[i] != turn && other->index == address->pci.bus)
                        return true;
        }
        return false;
}

/*
 * Buses mostly sit on those of a lower index; where one does not, it comes behind what it sits on. Those in a
 * ring stay as they are: QEMU says so.
 */
static void order_buses(struct turn *turns, unsigned n)
{
        for (; n > 0 && is_bus(turns); turns++, n--) {
                unsigned buses = 1, next = 0;

                while (buses < n && is_bus(&turns[buses]))
                        buses++;
                while (next < buses && waits_for(&turns[next], turns, buses))
                        next++;
                if (next > 0 && next < buses) {
                        struct turn first = turns[next];

                        memmove(&turns[1], turns, next * sizeof(*turns));
                        turns[0] = first;
                }
        }
}

static GArray *list_turns(const struct domain_devices *devices)
{
        GArray *turns = g_array_new(FALSE, FALSE, sizeof(struct turn));

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                unsigned count = domain_devices_get_count(devices, rows[i].kind);

                for (unsigned j = 0; rows[i].describe && j < count; j++) {
                        const void *device = domain_devices_get(devices, rows[i].kind, j);
                        struct turn turn = { &rows[i], device, turn_of(i, device) };

                        g_array_append_val(turns, turn);
                }
        }
        g_array_sort(turns, compare_turns);
        for (unsigned i = 0; i < turns->len; i++) {
                if (is_bus(&g_array_index(turns, struct turn, i))) {
                        order_buses(&g_array_index(turns, struct turn, i), turns->len - i);
                        break;
                }
        }
        return turns;
}

static bool check_supported(const struct domain_devices *devices, GError **error)
{
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                if (domain_devices_get_count(devices, kind) > 0 && !device_row_get(kind))
                        return device_unsupported(error, "<%s> among the devices is not supported",
                                                  domain_device_kind_get_name(kind));
        }
        return true;
}

bool device_describe_all(struct device_list *list, const struct device_context *context, GError **error)
{
        g_autoptr(GArray) turns = NULL;

        if (!check_supported(&context->def->devices, error))
                return false;
        turns = list_turns(&context->def->devices);
        for (unsigned i = 0; i < turns->len; i++) {
                const struct turn *turn = &g_array_index(turns, struct turn, i);

                if (!turn->row->describe(list, context, turn->device, error))
                        return false;
        }
        return true;
}

bool device_prepare_all(struct resources *resources, GError **error)
{
        const struct domain_devices *devices = &resources->def->devices;

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                unsigned count = domain_devices_get_count(devices, rows[i].kind);

                for (unsigned j = 0; j < count; j++) {
                        if (!resources_prepare_device(resources, rows[i].kind,
                                                      domain_devices_get(devices, rows[i].kind, j), error))
                                return false;
                }
        }
        return true;
}

/* ---- while it runs ---- */

bool device_require_pluggable(enum domain_device_kind kind, const void *device, GError **error)
{
        const struct device_row *row = device_row_get(kind);
        const struct domain_device_info *info = domain_device_get_info(kind, device);
        const char *element = domain_device_kind_get_name(kind);
        g_autofree char *what = NULL;

        if (row && row->is_pluggable && row->is_pluggable(device))
                return true;
        what = info && info->alias ? g_strdup_printf("device '%s' (<%s>)", info->alias, element)
                                   : g_strdup_printf("<%s>", element);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "%s cannot be plugged or unplugged while the guest runs: change the definition "
                         "alone, for the next start%s",
                         what, kind == DOMAIN_DEVICE_DISK ? ", or use bus 'virtio', 'scsi' or 'usb'" : "");
}

/* In the place of a descriptor that QEMU has been given, and may have still. */
#define MAYBE INT_MAX

/* fd: -1, they have gone to what was made with them, and their names are not needed any more; or MAYBE. */
static GArray *gone(unsigned count, int fd)
{
        GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

        for (unsigned i = 0; i < count; i++)
                g_array_append_val(fds, fd);
        return fds;
}

/* Files that went to the emulator as descriptors, one each. */
static void recall_files(struct device_resources *resources, const struct domain_char_source *source)
{
        if (source->type == DOMAIN_CHAR_FILE && source->path)
                resources->out_fd = MAYBE;
        if (source->log_file)
                resources->log_fd = MAYBE;
}

static void recall_char(struct device_resources *resources, const struct domain_char_source *source, int fd)
{
        recall_files(resources, source);
        if (fd == MAYBE && source->type == DOMAIN_CHAR_UNIX)
                resources->fds = gone(1, fd);
}

static void recall_interface(struct device_resources *resources, const struct domain_interface *interface,
                             int fd)
{
        resources->fds = gone(MAX(interface->queues, 1), fd);
        if (fd == MAYBE)
                resources->vhost_fds = gone(MAX(interface->queues, 1), fd);
}

static void recall_disk(struct device_resources *resources, const struct domain_disk *disk)
{
        resources->chain = block_chain_from_active(&disk->source);
        if (resources->chain && device_has_overlay(disk))
                resources->overlay_fd = MAYBE;
}

/* As much of what was prepared for a device as the names of its parts depend on. */
static struct device_resources *recall(enum domain_device_kind kind, const void *device, int fd)
{
        struct device_resources *resources = device_resources_new();

        if (kind == DOMAIN_DEVICE_DISK)
                recall_disk(resources, device);
        if (kind == DOMAIN_DEVICE_INTERFACE)
                recall_interface(resources, device, fd);
        if (kind == DOMAIN_DEVICE_SERIAL || kind == DOMAIN_DEVICE_PARALLEL || kind == DOMAIN_DEVICE_CONSOLE ||
            kind == DOMAIN_DEVICE_CHANNEL)
                recall_char(resources, &((const struct domain_char *)device)->source, fd);
        if (kind == DOMAIN_DEVICE_MEMORY)
                resources->path = g_strdup("/dev/null");
        if (kind == DOMAIN_DEVICE_FILESYSTEM || (kind == DOMAIN_DEVICE_VSOCK && fd == MAYBE))
                resources->fds = gone(1, fd);
        if (kind == DOMAIN_DEVICE_HOSTDEV) {
                resources->fds = gone(1, fd);
                resources->path = g_strdup("/dev/null");
        }
        return resources;
}

/* context: definition and capabilities; what was prepared for the device is made up again. */
static bool describe_again(struct device_list *list, struct device_context context,
                           enum domain_device_kind kind, const void *device, int fd, GError **error)
{
        g_autoptr(GHashTable) resources =
                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)device_resources_free);
        const struct domain_device_info *info = domain_device_get_info(kind, device);

        context.resources = resources;
        context.hot = true;
        g_hash_table_insert(resources, (void *)info->alias, recall(kind, device, fd));
        return device_row_get(kind)->describe(list, &context, device, error);
}

bool device_describe_made(struct device_list *list, const struct domain_def *def,
                          const struct qemu_caps *caps, enum domain_device_kind kind, const void *device,
                          GError **error)
{
        return describe_again(list, (struct device_context){ .def = def, .caps = caps }, kind, device, -1,
                              error);
}

bool device_describe_removal(struct device_list *list, const struct domain_def *def,
                             const struct qemu_caps *caps, enum domain_device_kind kind, const void *device,
                             GError **error)
{
        return device_require_pluggable(kind, device, error) &&
               device_describe_made(list, def, caps, kind, device, error);
}

bool device_describe_rest(struct device_list *list, const struct domain_def *def,
                          const struct qemu_caps *caps, enum domain_device_kind kind, const void *device,
                          GError **error)
{
        return device_require_pluggable(kind, device, error) &&
               describe_again(list, (struct device_context){ .def = def, .caps = caps }, kind, device, MAYBE,
                              error);
}
