/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block nodes: what QEMU is told about one image. Values only; any thread. (The chain itself: block-chain.c)
 */
#include "drivers/qemu/block.h"

#include "drivers/qemu/device-internal.h"

#include <string.h>

void block_image_free(struct block_image *image)
{
        if (!image)
                return;
        g_free(image->path);
        g_free(image->format);
        g_free(image);
}

void block_format_node_name(const struct block_image *image, char name[BLOCK_NODE_NAME_SIZE])
{
        g_snprintf(name, BLOCK_NODE_NAME_SIZE, "libvirt-%u-format", image->index);
}

void block_storage_node_name(const struct block_image *image, char name[BLOCK_NODE_NAME_SIZE])
{
        g_snprintf(name, BLOCK_NODE_NAME_SIZE, "libvirt-%u-storage", image->index);
}

struct block_cache block_cache_from_name(const char *name)
{
        static const struct {
                const char *name;
                struct block_cache cache;
        } modes[] = {
                { "none", { .direct = true, .write_cache = true } },
                { "writeback", { .write_cache = true } },
                { "writethrough", { .write_cache = false } },
                { "directsync", { .direct = true } },
                { "unsafe", { .no_flush = true, .write_cache = true } },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
                if (g_strcmp0(modes[i].name, name) == 0)
                        return modes[i].cache;
        }
        return (struct block_cache){ .write_cache = true };
}

static void set_cache(json_t *node, const struct block_options *options)
{
        struct block_cache cache = block_cache_from_name(options->cache);
        json_t *object;

        if (!options->cache || strcmp(options->cache, "default") == 0)
                return;
        object = json_object();
        device_set_bool(object, "direct", cache.direct);
        device_set_bool(object, "no-flush", cache.no_flush);
        json_object_set_new(node, "cache", object);
}

json_t *block_storage_node(const struct block_image *image, const struct block_options *options)
{
        static const char *const drivers[] = {
                [BLOCK_FILE] = "file",
                [BLOCK_DEVICE] = "host_device",
                [BLOCK_CDROM] = "host_cdrom",
        };
        json_t *node = json_object();
        char name[BLOCK_NODE_NAME_SIZE];

        block_storage_node_name(image, name);
        device_set_string(node, "driver", drivers[image->kind]);
        device_set_string(node, "filename", image->path);
        device_set_string(node, "aio", options->io);
        device_set_string(node, "node-name", name);
        set_cache(node, options);
        device_set_bool(node, "auto-read-only", true);
        device_set_string(node, "discard", "unmap");
        return node;
}

/* Zeroes become holes only where holes are allowed at all. */
static const char *detect_zeroes(const struct block_options *options)
{
        if (g_strcmp0(options->detect_zeroes, "unmap") == 0 && g_strcmp0(options->discard, "unmap") != 0)
                return "on";
        return options->detect_zeroes;
}

/* Can images of this format have a backing file, so that QEMU must be told that there is none? */
static bool has_backing(const char *format)
{
        static const char *const formats[] = { "qcow2", "qcow", "qed", "vmdk" };

        for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
                if (strcmp(formats[i], format) == 0)
                        return true;
        }
        return false;
}

static void secret_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE])
{
        g_snprintf(id, BLOCK_SECRET_ID_SIZE, "libvirt-%u-format-encryption-secret0", image->index);
}

json_t *block_secret_object(const struct block_image *image)
{
        char id[BLOCK_SECRET_ID_SIZE];
        json_t *object;

        secret_id(image, id);
        object = device_object("secret", id);
        device_set_format(object, "file", "/dev/fd/%d", image->secret_fd);
        return object;
}

/* LUKS is a format of its own around raw data, and a feature of qcow2. */
static void set_encryption(json_t *node, const struct block_image *image)
{
        char id[BLOCK_SECRET_ID_SIZE];
        json_t *encrypt;

        secret_id(image, id);
        if (strcmp(image->format, "qcow2") != 0) {
                device_set_string(node, "driver", "luks");
                device_set_string(node, "key-secret", id);
                return;
        }
        encrypt = json_object();
        device_set_string(encrypt, "format", "luks");
        device_set_string(encrypt, "key-secret", id);
        json_object_set_new(node, "encrypt", encrypt);
}

json_t *block_format_node(const struct block_image *image, const char *backing,
                          const struct block_options *options)
{
        json_t *node = json_object();
        char name[BLOCK_NODE_NAME_SIZE];

        block_format_node_name(image, name);
        device_set_string(node, "node-name", name);
        device_set_bool(node, "read-only", options->readonly);
        device_set_string(node, "discard", options->discard);
        device_set_string(node, "detect-zeroes", detect_zeroes(options));
        set_cache(node, options);
        device_set_string(node, "driver", image->format);
        if (image->encryption)
                set_encryption(node, image);
        block_storage_node_name(image, name);
        device_set_string(node, "file", name);
        if (backing)
                device_set_string(node, "backing", backing);
        else if (has_backing(image->format))
                json_object_set_new(node, "backing", json_null());
        return node;
}
