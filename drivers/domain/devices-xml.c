/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <devices>: one array per kind of device, and what must be unique among all of them.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <string.h>

struct device_kind {
        const char *element;
        field_reader read;
        size_t size;
        size_t array;   /* offset of the pointer in struct domain_devices */
        size_t count;   /* offset of the uint16_t; 0: there is one at most */
        bool anonymous; /* has no struct domain_device_info */
};

#define KIND(element, type, array, count, read)                                                              \
        {                                                                                                    \
                element, read, sizeof(struct type), offsetof(struct domain_devices, array),                  \
                        offsetof(struct domain_devices, count), false                                        \
        }
#define ONE(element, type, pointer, read)                                                                    \
        {                                                                                                    \
                element, read, sizeof(struct type), offsetof(struct domain_devices, pointer), 0, false       \
        }

static const struct device_kind kinds[] = {
        KIND("disk", domain_disk, disks, n_disks, domain_read_disk),
        KIND("controller", domain_controller, controllers, n_controllers, domain_read_controller),
        KIND("filesystem", domain_filesystem, filesystems, n_filesystems, domain_read_filesystem),
        KIND("interface", domain_interface, interfaces, n_interfaces, domain_read_interface),
        KIND("smartcard", domain_smartcard, smartcards, n_smartcards, domain_read_smartcard),
        KIND("input", domain_input, inputs, n_inputs, domain_read_input),
        KIND("tpm", domain_tpm, tpms, n_tpms, domain_read_tpm),
        KIND("sound", domain_sound, sounds, n_sounds, domain_read_sound),
        KIND("video", domain_video, videos, n_videos, domain_read_video),
        KIND("hostdev", domain_hostdev, hostdevs, n_hostdevs, domain_read_hostdev),
        KIND("redirdev", domain_redirdev, redirdevs, n_redirdevs, domain_read_redirdev),
        KIND("hub", domain_hub, hubs, n_hubs, domain_read_hub),
        KIND("watchdog", domain_watchdog, watchdogs, n_watchdogs, domain_read_watchdog),
        KIND("rng", domain_rng, rngs, n_rngs, domain_read_rng),
        KIND("panic", domain_panic, panics, n_panics, domain_read_panic),
        KIND("shmem", domain_shmem, shmems, n_shmems, domain_read_shmem),
        KIND("memory", domain_memory, memories, n_memories, domain_read_memory_device),
        ONE("memballoon", domain_memballoon, memballoon, domain_read_memballoon),
        ONE("nvram", domain_nvram_device, nvram, domain_read_nvram_device),
        ONE("iommu", domain_iommu, iommu, domain_read_iommu),
        ONE("vsock", domain_vsock, vsock, domain_read_vsock),
        { "graphics", domain_read_graphics, sizeof(struct domain_graphics),
          offsetof(struct domain_devices, graphics), offsetof(struct domain_devices, n_graphics), true },
        { "audio", domain_read_audio, sizeof(struct domain_audio), offsetof(struct domain_devices, audios),
          offsetof(struct domain_devices, n_audios), true },
};

/*
 * The devices of one controller group have one alias, and a console repeats the alias of the serial port that
 * it stands for.
 */
static bool may_share_alias(const xmlNode *node, const void *device)
{
        if (xml_is(node, "controller"))
                return ((const struct domain_controller *)device)->type == DOMAIN_CONTROLLER_USB;
        return xml_is(node, "console") && ((const struct domain_char *)device)->is_serial_alias;
}

static bool check_unique(struct domain_reader *reader, const xmlNode *node, const void *device,
                         GError **error)
{
        const struct domain_device_info *info = device;

        if (info->alias && !may_share_alias(node, device) &&
            !field_check_unique(reader->aliases, node, "alias", info->alias, error))
                return false;
        if (!info->boot_order || g_hash_table_add(reader->boot_orders, GUINT_TO_POINTER(info->boot_order)))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "boot order '%u' is used for more than one device, at line %u (<%s>)",
                         info->boot_order, xml_line(node), (const char *)node->name);
}

static unsigned count_children(const xmlNode *devices, const char *element)
{
        unsigned n = 0;

        for (const xmlNode *node = xml_child(devices, element); node; node = xml_next(node))
                n++;
        return n;
}

static bool read_devices(struct domain_reader *reader, xmlNode *devices, const struct device_kind *kind,
                         const char *element, char *array, GError **error)
{
        for (xmlNode *node = xml_child(devices, element); node; node = xml_next(node), array += kind->size) {
                if (!kind->read(reader, node, array, error) ||
                    (!kind->anonymous && !check_unique(reader, node, array, error)))
                        return false;
                if (!kind->count)
                        return true;
        }
        return true;
}

static bool read_kind(struct domain_reader *reader, xmlNode *devices, const struct device_kind *kind,
                      void *target, GError **error)
{
        unsigned n = count_children(devices, kind->element);
        char *array;

        if (n == 0)
                return true;
        array = domain_arena_alloc(reader->arena, (kind->count ? n : 1) * kind->size);
        *(void **)((char *)target + kind->array) = array;
        if (kind->count)
                *(uint16_t *)((char *)target + kind->count) = (uint16_t)n;
        return read_devices(reader, devices, kind, kind->element, array, error);
}

/* The four kinds of character devices share an array. */
static bool read_chars(struct domain_reader *reader, xmlNode *node, struct domain_devices *devices,
                       GError **error)
{
        static const struct device_kind kind = KIND("serial", domain_char, chars, n_chars, domain_read_char);
        unsigned n[DOMAIN_CHAR_KINDS], sum = 0;
        struct domain_char *chars;

        for (unsigned i = 0; i < DOMAIN_CHAR_KINDS; i++)
                sum += n[i] = count_children(node, domain_char_kind_names[i]);
        if (sum == 0)
                return true;
        chars = domain_arena_alloc(reader->arena, sum * sizeof(*chars));
        devices->chars = chars;
        devices->n_chars = (uint16_t)sum;
        for (unsigned i = 0; i < DOMAIN_CHAR_KINDS; chars += n[i++]) {
                if (!read_devices(reader, node, &kind, domain_char_kind_names[i], (char *)chars, error))
                        return false;
        }
        return true;
}

/* One of a type has each number; USB 1.1 controllers that accompany another one have its number. */
static bool check_controllers(const struct domain_devices *devices, const xmlNode *node, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

        for (unsigned i = 0; i < devices->n_controllers; i++) {
                const struct domain_controller *controller = &devices->controllers[i];
                gsize key = (gsize)controller->index * DOMAIN_CONTROLLER_LAST + controller->type;

                if (controller->master_port >= 0 || g_hash_table_add(seen, GSIZE_TO_POINTER(key)))
                        continue;
                return xml_error(error, node, "more than one '%s' controller with index %u",
                                 domain_controller_type_names[controller->type], controller->index);
        }
        return true;
}

static const struct field emulator_fields[] = { PATH(NULL, struct domain_devices, emulator), FIELDS_END };
static const struct field_part parts[] = { { "emulator", emulator_fields }, PARTS_END };

bool domain_read_devices(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_devices *devices = target;
        unsigned n = 0;

        XML_FOREACH_CHILD (child, node)
                n++;
        if (n > DOMAIN_DEVICES_MAX)
                return xml_error(error, node, "more than %d devices", DOMAIN_DEVICES_MAX);
        if (!field_read_parts(reader, node, parts, devices, error))
                return false;
        for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
                if (!read_kind(reader, node, &kinds[i], devices, error))
                        return false;
        }
        return read_chars(reader, node, devices, error) && check_controllers(devices, node, error);
}
