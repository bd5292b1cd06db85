/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The devices of a domain as its definition names them, one struct per kind of element below <devices>, in a
 * header per family.
 * Plain, immutable data, any thread. Every pointer is borrowed from the definition that the device belongs
 * to; NULL and DOMAIN_SWITCH_ABSENT say that the element or attribute is not there. Enumerations that are
 * passed on by name are strings, checked against the names that the format allows.
 */

#include "drivers/domain/device-char.h"
#include "drivers/domain/device-display.h"
#include "drivers/domain/device-host.h"
#include "drivers/domain/device-interface.h"
#include "drivers/domain/device-memory.h"
#include "drivers/domain/device-misc.h"
#include "drivers/domain/device-storage.h"

#include <stddef.h>

/* ---- kinds ---- */

/* Every kind of element below <devices> that is a device, in the order of the format. */
enum domain_device_kind {
        DOMAIN_DEVICE_DISK,
        DOMAIN_DEVICE_CONTROLLER,
        DOMAIN_DEVICE_FILESYSTEM,
        DOMAIN_DEVICE_INTERFACE,
        DOMAIN_DEVICE_SMARTCARD,
        DOMAIN_DEVICE_SERIAL,
        DOMAIN_DEVICE_PARALLEL,
        DOMAIN_DEVICE_CONSOLE,
        DOMAIN_DEVICE_CHANNEL,
        DOMAIN_DEVICE_INPUT,
        DOMAIN_DEVICE_TPM,
        DOMAIN_DEVICE_GRAPHICS,
        DOMAIN_DEVICE_SOUND,
        DOMAIN_DEVICE_AUDIO,
        DOMAIN_DEVICE_VIDEO,
        DOMAIN_DEVICE_HOSTDEV,
        DOMAIN_DEVICE_REDIRDEV,
        DOMAIN_DEVICE_HUB,
        DOMAIN_DEVICE_WATCHDOG,
        DOMAIN_DEVICE_MEMBALLOON,
        DOMAIN_DEVICE_RNG,
        DOMAIN_DEVICE_PANIC,
        DOMAIN_DEVICE_SHMEM,
        DOMAIN_DEVICE_MEMORY,
        DOMAIN_DEVICE_IOMMU,
        DOMAIN_DEVICE_VSOCK,
        DOMAIN_DEVICE_CRYPTO,
        DOMAIN_DEVICE_PSTORE,
        DOMAIN_DEVICE_NVRAM,
        DOMAIN_DEVICE_KINDS,
};

/* ---- the devices of a domain ---- */

/* Every kind of element below <devices> but <emulator>, each an array in struct domain_def. */
struct domain_devices {
        const char *emulator; /* NULL: not said (normalisation fills it in) */
        const struct domain_disk *disks;
        const struct domain_controller *controllers;
        const struct domain_filesystem *filesystems;
        const struct domain_interface *interfaces;
        const struct domain_smartcard *smartcards;
        const struct domain_char *chars; /* serial, parallel, console, channel, in this order */
        const struct domain_input *inputs;
        const struct domain_tpm *tpms;
        const struct domain_graphics *graphics;
        const struct domain_sound *sounds;
        const struct domain_audio *audios;
        const struct domain_video *videos;
        const struct domain_hostdev *hostdevs;
        const struct domain_redirdev *redirdevs;
        const struct domain_redir_rule *redir_rules; /* <redirfilter>: for all redirdevs */
        const struct domain_hub *hubs;
        const struct domain_watchdog *watchdogs;
        const struct domain_memballoon *memballoon; /* NULL: none */
        const struct domain_rng *rngs;
        const struct domain_nvram_device *nvram; /* NULL: none */
        const struct domain_panic *panics;
        const struct domain_shmem *shmems;
        const struct domain_memory *memories;
        const struct domain_iommu *iommu; /* NULL: none */
        const struct domain_vsock *vsock; /* NULL: none */
        const struct domain_crypto *cryptos;
        const struct domain_pstore *pstore; /* NULL: none */
        uint16_t n_disks, n_controllers, n_filesystems, n_interfaces, n_smartcards, n_chars, n_inputs, n_tpms;
        uint16_t n_graphics, n_sounds, n_audios, n_videos, n_hostdevs, n_redirdevs, n_hubs, n_watchdogs;
        uint16_t n_rngs, n_panics, n_shmems, n_memories, n_cryptos;
        uint32_t n_redir_rules;
        uint16_t n_serials, n_parallels, n_consoles, n_channels; /* together n_chars */
};

/* ---- all kinds alike ---- */

/* The name of the element: "disk". */
const char *domain_device_kind_get_name(enum domain_device_kind kind);
/* How many of a kind there are; 0 for kinds that the typed view does not have. */
unsigned domain_devices_get_count(const struct domain_devices *devices, enum domain_device_kind kind);
/* One of them, below that count: the struct of its kind. */
const void *domain_devices_get(const struct domain_devices *devices, enum domain_device_kind kind,
                               unsigned index);
/* What it shares with all others; NULL for kinds without (graphics, audio). */
const struct domain_device_info *domain_device_get_info(enum domain_device_kind kind, const void *device);
