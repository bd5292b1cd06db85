/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths that the emulator opens, or makes, by itself, and that nobody else has looked at: sockets above all.
 * Whatever confines it has to know them. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include <string.h>

#define RENDER_NODES "/dev/dri"

static void allow(struct resources *resources, const char *path)
{
        if (path)
                resources_allow(resources, path, true, false);
}

static void allow_char(struct resources *resources, const struct domain_char_source *source)
{
        static const char *const ends[] = { ".in", ".out" };

        if (!source || !source->path)
                return;
        allow(resources, source->path);
        for (unsigned i = 0; source->type == DOMAIN_CHAR_PIPE && i < G_N_ELEMENTS(ends); i++) {
                g_autofree char *end = g_strconcat(source->path, ends[i], NULL);

                allow(resources, end);
        }
}

static void allow_storage(struct resources *resources, const struct domain_storage *storage)
{
        for (; storage; storage = storage->backing) {
                const struct domain_network_source *network = storage->network;

                for (unsigned i = 0; network && i < network->n_hosts; i++)
                        allow(resources, network->hosts[i].socket);
                allow_char(resources, storage->vhost_user);
        }
}

static void allow_render_node(struct resources *resources, const char *node)
{
        if (node)
                allow(resources, node);
        else
                resources_allow(resources, RENDER_NODES, true, true);
}

static void allow_graphics(struct resources *resources, const struct domain_graphics *graphics)
{
        for (unsigned i = 0; i < graphics->n_listens; i++)
                allow(resources, graphics->listens[i].socket);
        if (graphics->gl == DOMAIN_SWITCH_ON || graphics->type == DOMAIN_GRAPHICS_EGL_HEADLESS)
                allow_render_node(resources, graphics->rendernode);
}

static void allow_filesystem(struct resources *resources, const struct domain_filesystem *fs)
{
        allow(resources, fs->socket);
        if (fs->source && *fs->source == '/' && g_strcmp0(fs->driver, "virtiofs") != 0)
                resources_allow(resources, fs->source, !fs->readonly, true);
}

static void allow_shmem(struct resources *resources, const struct domain_shmem *shmem)
{
        g_autofree char *path = g_strconcat("/dev/shm/", shmem->name, NULL);

        allow(resources, path);
        allow(resources, shmem->server);
}

void resources_allow_device(struct resources *resources, enum domain_device_kind kind, const void *device)
{
        const struct domain_device_info *info = domain_device_get_info(kind, device);

        if (info && info->rom_file)
                resources_allow(resources, info->rom_file, false, false);
        switch (kind) {
        case DOMAIN_DEVICE_DISK:
                allow_storage(resources, &((const struct domain_disk *)device)->source);
                break;
        case DOMAIN_DEVICE_SERIAL:
        case DOMAIN_DEVICE_PARALLEL:
        case DOMAIN_DEVICE_CONSOLE:
        case DOMAIN_DEVICE_CHANNEL:
                allow_char(resources, &((const struct domain_char *)device)->source);
                break;
        case DOMAIN_DEVICE_REDIRDEV:
                allow_char(resources, &((const struct domain_redirdev *)device)->source);
                break;
        case DOMAIN_DEVICE_SMARTCARD:
                allow_char(resources, ((const struct domain_smartcard *)device)->source);
                break;
        case DOMAIN_DEVICE_RNG:
                allow_char(resources, ((const struct domain_rng *)device)->source);
                break;
        case DOMAIN_DEVICE_AUDIO:
                allow(resources, ((const struct domain_audio *)device)->path);
                break;
        case DOMAIN_DEVICE_TPM:
                allow_char(resources, ((const struct domain_tpm *)device)->source);
                break;
        case DOMAIN_DEVICE_GRAPHICS:
                allow_graphics(resources, device);
                break;
        case DOMAIN_DEVICE_INTERFACE:
                allow(resources, ((const struct domain_interface *)device)->path);
                break;
        case DOMAIN_DEVICE_FILESYSTEM:
                allow_filesystem(resources, device);
                break;
        case DOMAIN_DEVICE_SHMEM:
                allow_shmem(resources, device);
                break;
        default:
                break;
        }
}

void resources_allow_guest(struct resources *resources)
{
        const struct domain_def *def = resources->def;
        struct guest *guest = resources->guest;
        g_autofree char *io = guest_get_io_dir(guest), *memory = guest_get_memory_dir(guest);

        resources_allow(resources, io, true, true);
        if (g_strcmp0(def->memory_backing.source, "file") == 0)
                resources_allow(resources, memory, true, true);
        for (unsigned i = 0; i < def->n_fwcfg; i++) {
                if (!def->fwcfg[i].file)
                        continue;
                resources_allow(resources, def->fwcfg[i].file, false, false);
                resources_label_file(resources, def->fwcfg[i].file, false);
        }
}
