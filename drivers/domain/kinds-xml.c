/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows. No state; any thread.
 */
#include "drivers/domain/kinds-xml.h"

#include "drivers/domain/definition-xml.h"

#define ARRAY(type, pointer, number, reader)                                                                 \
        .read = (reader), .size = sizeof(struct type), .array = offsetof(struct domain_devices, pointer),    \
        .count = offsetof(struct domain_devices, number)
#define ONE(type, pointer, reader)                                                                           \
        .read = (reader), .size = sizeof(struct type), .array = offsetof(struct domain_devices, pointer)

#define FACTS(...)                                                                                           \
        (const char *const[])                                                                                \
        {                                                                                                    \
                __VA_ARGS__, NULL                                                                            \
        }

/* Ports on the host's side, which tell character devices apart when their targets do not. */
#define CHAR_FACTS                                                                                           \
        "@type", "target@type", "target@port", "target@name", "source@path", "source@host",                  \
                "source@service", "source@channel"

const struct domain_kind domain_kinds[DOMAIN_DEVICE_KINDS] = {
        [DOMAIN_DEVICE_DISK] = {
                .element = "disk",
                ARRAY(domain_disk, disks, n_disks, domain_read_disk),
                .fill = normalize_fill_disk,
                .settle = normalize_settle_disks,
                .strip = normalize_strip_disk,
                .name = alias_name_disk,
                .pci_turn = 6,
                .pci_class = pci_class_disk,
                .usb = { 3, "target", "bus", "usb" },
                .label = "target@dev",
                .bus = "target@bus",
                .anywhere = true,
        },
        [DOMAIN_DEVICE_CONTROLLER] = {
                .element = "controller",
                ARRAY(domain_controller, controllers, n_controllers, domain_read_controller),
                .begin = normalize_begin_controllers,
                .imply = normalize_imply_controllers,
                .fill = normalize_fill_controller,
                .name = alias_name_controller,
                .pci_turn = 5,
                .pci_class = pci_class_controller,
                .usb = { 4, NULL, "type", "ccid" },
                .label = "@index",
                .family = "@type",
                .anywhere = true,
        },
        [DOMAIN_DEVICE_FILESYSTEM] = {
                .element = "filesystem",
                ARRAY(domain_filesystem, filesystems, n_filesystems, domain_read_filesystem),
                .fill = normalize_fill_filesystem,
                .alias = "fs",
                .pci_turn = 2,
                .pci_class = pci_class_filesystem,
                .label = "target@dir",
                .distinct = true,
                .anywhere = true,
        },
        [DOMAIN_DEVICE_INTERFACE] = {
                .element = "interface",
                ARRAY(domain_interface, interfaces, n_interfaces, domain_read_interface),
                .fill = normalize_fill_interface,
                .strip = normalize_strip_interface,
                .alias = "net",
                .name = alias_name_interface,
                .pci_turn = 3,
                .pci_class = pci_class_interface,
                .usb = { 7, "model", "type", "usb-net" },
                .label = "mac@address",
                .alone = true,
        },
        [DOMAIN_DEVICE_SMARTCARD] = {
                .element = "smartcard",
                ARRAY(domain_smartcard, smartcards, n_smartcards, domain_read_smartcard),
                .alias = "smartcard",
                .facts = FACTS("@mode", "@type", "source@path", "source@host", "source@service"),
        },
        [DOMAIN_DEVICE_SERIAL] = {
                .element = "serial",
                ARRAY(domain_char, chars, n_serials, domain_read_char),
                .fill = normalize_fill_char,
                .settle = normalize_settle_serials,
                .strip = normalize_strip_char,
                .alias = "serial",
                .pci_turn = 15,
                .pci_class = pci_class_serial,
                .usb = { 9, "target", "type", "usb-serial" },
                .label = "target@port",
                .facts = FACTS(CHAR_FACTS),
        },
        [DOMAIN_DEVICE_PARALLEL] = {
                .element = "parallel",
                ARRAY(domain_char, chars, n_parallels, domain_read_char),
                .fill = normalize_fill_char,
                .settle = normalize_settle_parallels,
                .strip = normalize_strip_char,
                .alias = "parallel",
                .facts = FACTS(CHAR_FACTS),
        },
        [DOMAIN_DEVICE_CONSOLE] = {
                .element = "console",
                ARRAY(domain_char, chars, n_consoles, domain_read_char),
                .fill = normalize_fill_char,
                .settle = normalize_settle_consoles,
                .strip = normalize_strip_char,
                .alias = "console",
                .name = alias_name_console,
                .facts = FACTS(CHAR_FACTS),
        },
        [DOMAIN_DEVICE_CHANNEL] = {
                .element = "channel",
                ARRAY(domain_char, chars, n_channels, domain_read_char),
                .fill = normalize_fill_channel,
                .strip = normalize_strip_char,
                .alias = "channel",
                .label = "target@name",
                .anywhere = true,
                .facts = FACTS(CHAR_FACTS, "target@address"),
        },
        [DOMAIN_DEVICE_INPUT] = {
                .element = "input",
                ARRAY(domain_input, inputs, n_inputs, domain_read_input),
                .fill = normalize_fill_input,
                .settle = normalize_settle_inputs,
                .alias = "input",
                .pci_turn = 14,
                .pci_class = pci_class_input,
                .usb = { 5, NULL, "bus", "usb" },
                .facts = FACTS("@type", "@bus", "source@evdev", "source@dev"),
        },
        [DOMAIN_DEVICE_TPM] = {
                .element = "tpm",
                ARRAY(domain_tpm, tpms, n_tpms, domain_read_tpm),
                .fill = normalize_fill_tpm,
                .alias = "tpm",
                .facts = FACTS("@model", "backend@type"),
        },
        [DOMAIN_DEVICE_GRAPHICS] = {
                .element = "graphics",
                ARRAY(domain_graphics, graphics, n_graphics, domain_read_graphics),
                .anonymous = true,
                .fill = normalize_fill_graphics,
                .strip = normalize_strip_graphics,
                .facts = FACTS("@type"),
        },
        [DOMAIN_DEVICE_SOUND] = {
                .element = "sound",
                ARRAY(domain_sound, sounds, n_sounds, domain_read_sound),
                .alias = "sound",
                .pci_turn = 4,
                .pci_class = pci_class_sound,
                .usb = { 6, NULL, "model", "usb" },
                .facts = FACTS("@model"),
        },
        [DOMAIN_DEVICE_AUDIO] = {
                .element = "audio",
                ARRAY(domain_audio, audios, n_audios, domain_read_audio),
                .anonymous = true,
                .imply = normalize_imply_audios,
                .facts = FACTS("@id"),
        },
        [DOMAIN_DEVICE_VIDEO] = {
                .element = "video",
                ARRAY(domain_video, videos, n_videos, domain_read_video),
                .imply = normalize_imply_videos,
                .fill = normalize_fill_video,
                .alias = "video",
                .pci_turn = 12,
                .pci_class = pci_class_video,
                .facts = FACTS("model@type", "model@primary"),
        },
        [DOMAIN_DEVICE_HOSTDEV] = {
                .element = "hostdev",
                .strip = normalize_strip_hostdev,
                ARRAY(domain_hostdev, hostdevs, n_hostdevs, domain_read_hostdev),
                .fill = normalize_fill_hostdev,
                .alias = "hostdev",
                .pci_turn = 8,
                .pci_class = pci_class_hostdev,
                .usb = { 2, NULL, "type", "usb" },
                .facts = FACTS("@type", "source/vendor@id", "source/product@id", "source/address@domain",
                               "source/address@bus", "source/address@slot", "source/address@function",
                               "source/address@device", "source/address@port", "source/address@target", "source/address@unit",
                               "source/address@uuid", "source/adapter@name", "source@wwpn"),
                .anywhere = true,
        },
        [DOMAIN_DEVICE_REDIRDEV] = {
                .element = "redirdev",
                ARRAY(domain_redirdev, redirdevs, n_redirdevs, domain_read_redirdev),
                .fill = normalize_fill_redirdev,
                .alias = "redir",
                .usb = { 8, NULL, "bus", "usb" },
                .facts = FACTS("@bus", "@type", "source@path", "source@host", "source@service"),
        },
        [DOMAIN_DEVICE_HUB] = {
                .element = "hub",
                ARRAY(domain_hub, hubs, n_hubs, domain_read_hub),
                .alias = "hub",
                .usb = { 1, NULL, NULL, NULL },
                .facts = FACTS("@type"),
        },
        [DOMAIN_DEVICE_WATCHDOG] = {
                .element = "watchdog",
                ARRAY(domain_watchdog, watchdogs, n_watchdogs, domain_read_watchdog),
                .fill = normalize_fill_watchdog,
                .alias = "watchdog",
                .pci_turn = 11,
                .pci_class = pci_class_watchdog,
                .facts = FACTS("@model"),
        },
        [DOMAIN_DEVICE_MEMBALLOON] = {
                .element = "memballoon",
                ONE(domain_memballoon, memballoon, domain_read_memballoon),
                .single = true,
                .imply = normalize_imply_memballoons,
                .alias = "balloon",
                .name = alias_name_memballoon,
                .pci_turn = 9,
                .pci_class = pci_class_virtio,
                .facts = FACTS("@model"),
        },
        [DOMAIN_DEVICE_RNG] = {
                .element = "rng",
                ARRAY(domain_rng, rngs, n_rngs, domain_read_rng),
                .fill = normalize_fill_rng,
                .alias = "rng",
                .pci_turn = 10,
                .pci_class = pci_class_virtio,
                .facts = FACTS("@model", "backend@model", "backend", "rate@bytes", "rate@period"),
        },
        [DOMAIN_DEVICE_PANIC] = {
                .element = "panic",
                ARRAY(domain_panic, panics, n_panics, domain_read_panic),
                .imply = normalize_imply_panics,
                .fill = normalize_fill_panic,
                .alias = "panic",
                .pci_turn = 20,
                .pci_class = pci_class_panic,
                .facts = FACTS("@model"),
        },
        [DOMAIN_DEVICE_SHMEM] = {
                .element = "shmem",
                ARRAY(domain_shmem, shmems, n_shmems, domain_read_shmem),
                .alias = "shmem",
                .pci_turn = 13,
                .pci_class = pci_class_shmem,
                .label = "@name",
                .distinct = true,
                .facts = FACTS("model@type", "server@path"),
        },
        [DOMAIN_DEVICE_MEMORY] = {
                .element = "memory",
                ARRAY(domain_memory, memories, n_memories, domain_read_memory_device),
                .fill = normalize_fill_memory,
                .strip = normalize_strip_memory,
                .name = alias_name_memory,
                .pci_turn = 18,
                .pci_class = pci_class_memory,
                .facts = FACTS("@model", "source/path", "target/size", "target/node"),
        },
        [DOMAIN_DEVICE_IOMMU] = {
                .element = "iommu",
                ONE(domain_iommu, iommu, domain_read_iommu),
                .single = true,
                .fill = normalize_fill_iommu,
                .alias = "iommu",
                .pci_turn = 16,
                .pci_class = pci_class_iommu,
                .facts = FACTS("@model"),
        },
        [DOMAIN_DEVICE_VSOCK] = {
                .element = "vsock",
                ONE(domain_vsock, vsock, domain_read_vsock),
                .single = true,
                .fill = normalize_fill_vsock,
                .alias = "vsock",
                .pci_turn = 17,
                .pci_class = pci_class_virtio,
                .facts = FACTS("@model", "cid@address"),
        },
        [DOMAIN_DEVICE_CRYPTO] = {
                .element = "crypto",
                ARRAY(domain_crypto, cryptos, n_cryptos, domain_read_crypto),
                .alias = "crypto",
                .pci_turn = 19,
                .pci_class = pci_class_virtio,
                .facts = FACTS("@model", "@type", "backend@model", "backend@queues"),
        },
        [DOMAIN_DEVICE_PSTORE] = {
                .element = "pstore",
                ONE(domain_pstore, pstore, domain_read_pstore),
                .single = true,
                .alias = "pstore",
                .pci_turn = 21,
                .pci_class = pci_class_pstore,
                .facts = FACTS("@backend", "path", "size"),
        },
        [DOMAIN_DEVICE_NVRAM] = {
                .element = "nvram",
                ONE(domain_nvram_device, nvram, domain_read_nvram_device),
                .single = true,
                .name = alias_name_nvram,
        },
};

enum domain_device_kind domain_kind_of(const xmlNode *node)
{
        unsigned kind = 0;

        while (kind < DOMAIN_DEVICE_KINDS && !xml_is(node, domain_kinds[kind].element))
                kind++;
        return kind;
}
