/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block nodes: what QEMU is told about one image. Values only; any thread. (The chain itself: block-chain.c)
 */
#include "drivers/qemu/block.h"

#include "drivers/qemu/device-internal.h"
#include "drivers/secret/secret.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

struct block_image *block_image_new(const char *path, const char *format)
{
        struct block_image *image = g_new0(struct block_image, 1);

        image->path = g_strdup(path);
        image->format = g_strdup(format ? format : "raw");
        image->passphrase_fd = image->password_fd = image->cookie_fd = -1;
        return image;
}

void block_image_free(struct block_image *image)
{
        if (!image)
                return;
        block_image_free(image->data);
        json_decref(image->remote.properties);
        g_free(image->path);
        g_free(image->format);
        g_free(image);
}

GPtrArray *block_chain_from_active(const struct domain_storage *source)
{
        GPtrArray *chain;

        if (source->index == 0)
                return NULL;
        chain = g_ptr_array_new_with_free_func((GDestroyNotify)block_image_free);
        for (const struct domain_storage *storage = source; storage; storage = storage->backing) {
                struct block_image *image = block_image_new(storage->path, storage->format);

                image->index = storage->index;
                image->encryption = storage->encryption;
                image->slice = storage->slice;
                if (storage->data && storage->data->index) {
                        image->data = block_image_new(storage->data->path, NULL);
                        image->data->index = storage->data->index;
                }
                image->remote.tls = storage->network && storage->network->tls == DOMAIN_SWITCH_ON;
                /* It may have had a password, whose descriptor has gone. */
                if (g_strcmp0(storage->mode, "direct") == 0 || (storage->network && storage->network->auth))
                        image->password_fd = INT_MAX;
                if (storage->network && storage->network->n_cookies > 0)
                        image->cookie_fd = INT_MAX;
                g_ptr_array_add(chain, image);
        }
        return chain;
}

/* prefix, what the image is called, suffix */
static void format_name(const struct block_image *image, char *name, size_t size, const char *prefix,
                        const char *suffix)
{
        if (image->unit)
                g_snprintf(name, size, "%s%s%s", prefix, image->unit, suffix);
        else
                g_snprintf(name, size, "%s%u%s", prefix, image->index, suffix);
}

void block_format_node_name(const struct block_image *image, char name[BLOCK_NODE_NAME_SIZE])
{
        format_name(image, name, BLOCK_NODE_NAME_SIZE, "libvirt-", "-format");
}

void block_storage_node_name(const struct block_image *image, char name[BLOCK_NODE_NAME_SIZE])
{
        format_name(image, name, BLOCK_NODE_NAME_SIZE, "libvirt-", "-storage");
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

/* The value of a secret, as the property "data" takes it. */
static void set_value(json_t *object, int fd)
{
        guchar buffer[SECRET_VALUE_MAX];
        ssize_t length = pread(fd, buffer, sizeof(buffer), 0);
        g_autofree char *text = length >= 0 ? g_base64_encode(buffer, (gsize)length) : NULL;

        device_set_string(object, "data", text);
        device_set_string(object, "format", "base64");
        explicit_bzero(buffer, sizeof(buffer));
}

static json_t *secret_object(const char *id, int fd, bool hot)
{
        json_t *object = device_object("secret", id);

        if (hot)
                set_value(object, fd);
        else
                device_set_format(object, "file", "/dev/fd/%d", fd);
        return object;
}

void block_password_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE])
{
        format_name(image, id, BLOCK_SECRET_ID_SIZE, "libvirt-", "-storage-auth-secret0");
}

json_t *block_password_object(const struct block_image *image, bool hot)
{
        char id[BLOCK_SECRET_ID_SIZE];

        if (image->password_fd < 0)
                return NULL;
        block_password_id(image, id);
        return secret_object(id, image->password_fd, hot);
}

void block_cookie_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE])
{
        format_name(image, id, BLOCK_SECRET_ID_SIZE, "libvirt-", "-storage-httpcookie-secret0");
}

json_t *block_cookie_object(const struct block_image *image, bool hot)
{
        char id[BLOCK_SECRET_ID_SIZE];

        if (image->cookie_fd < 0)
                return NULL;
        block_cookie_id(image, id);
        return secret_object(id, image->cookie_fd, hot);
}

void block_tls_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE])
{
        format_name(image, id, BLOCK_SECRET_ID_SIZE, "objlibvirt-", "-storage_tls0");
}

static void set_remote(json_t *node, const struct block_image *image)
{
        const struct block_remote *remote = &image->remote;
        char id[BLOCK_SECRET_ID_SIZE];

        json_object_update(node, remote->properties);
        block_password_id(image, id);
        if (remote->password_key)
                device_set_string(node, remote->password_key, id);
        block_cookie_id(image, id);
        if (remote->cookie_key)
                device_set_string(node, remote->cookie_key, id);
        block_tls_id(image, id);
        if (remote->tls)
                device_set_string(node, "tls-creds", id);
}

/* A file system that is made of what is in the directory when it is opened. */
static void set_directory(json_t *node, const struct block_image *image, const struct block_options *options)
{
        device_set_string(node, "driver", "vvfat");
        device_set_string(node, "dir", image->path);
        device_set_bool(node, "floppy", options->floppy);
        device_set_bool(node, "rw", false);
}

static void set_file(json_t *node, const struct block_image *image, const struct block_options *options)
{
        static const char *const drivers[] = {
                [BLOCK_FILE] = "file",
                [BLOCK_DEVICE] = "host_device",
                [BLOCK_CDROM] = "host_cdrom",
        };

        device_set_string(node, "driver", drivers[image->kind]);
        device_set_string(node, "filename", image->path);
        device_set_string(node, "aio", options->io);
        device_set_string(node, "pr-manager", options->reservations);
}

json_t *block_storage_node(const struct block_image *image, const struct block_options *options)
{
        json_t *node = json_object();
        char name[BLOCK_NODE_NAME_SIZE];

        block_storage_node_name(image, name);
        if (image->kind == BLOCK_REMOTE)
                set_remote(node, image);
        else if (image->kind == BLOCK_FAT)
                set_directory(node, image, options);
        else
                set_file(node, image, options);
        device_set_string(node, "node-name", name);
        set_cache(node, options);
        device_set_bool(node, "auto-read-only", true);
        device_set_string(node, "discard", "unmap");
        return node;
}

static void set_slice(json_t *node, const struct domain_slice *slice)
{
        device_set_int(node, "offset", (json_int_t)slice->offset);
        device_set_int(node, "size", (json_int_t)slice->size);
}

/* Raw data has no header, so that what gives them can begin anywhere. */
static bool slices_itself(const struct block_image *image)
{
        return strcmp(image->format, "raw") == 0 && !image->encryption;
}

static void slice_node_name(const struct block_image *image, char name[BLOCK_NODE_NAME_SIZE])
{
        g_snprintf(name, BLOCK_NODE_NAME_SIZE, "libvirt-%u-slice-sto", image->index);
}

json_t *block_slice_node(const struct block_image *image, const struct block_options *options)
{
        char name[BLOCK_NODE_NAME_SIZE];
        json_t *node;

        if (!image->slice || slices_itself(image))
                return NULL;
        node = json_object();
        device_set_string(node, "driver", "raw");
        slice_node_name(image, name);
        device_set_string(node, "node-name", name);
        set_slice(node, image->slice);
        block_storage_node_name(image, name);
        device_set_string(node, "file", name);
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

void block_passphrase_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE])
{
        g_snprintf(id, BLOCK_SECRET_ID_SIZE, "libvirt-%u-format-encryption-secret0", image->index);
}

json_t *block_passphrase_object(const struct block_image *image, bool hot)
{
        char id[BLOCK_SECRET_ID_SIZE];

        if (!image->encryption)
                return NULL;
        block_passphrase_id(image, id);
        return secret_object(id, image->passphrase_fd, hot);
}

/* LUKS is a format of its own around raw data, and a feature of qcow2. */
static void set_encryption(json_t *node, const struct block_image *image)
{
        char id[BLOCK_SECRET_ID_SIZE];
        json_t *encrypt;

        block_passphrase_id(image, id);
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
        device_set_string(node, "driver", image->kind == BLOCK_FAT ? "raw" : image->format);
        if (image->encryption)
                set_encryption(node, image);
        if (strcmp(image->format, "qcow2") == 0)
                device_set_uint(node, "cache-size", image->cache_bytes);
        if (image->slice && slices_itself(image))
                set_slice(node, image->slice);
        if (image->slice && !slices_itself(image))
                slice_node_name(image, name);
        else
                block_storage_node_name(image, name);
        device_set_string(node, "file", name);
        if (image->data) {
                block_format_node_name(image->data, name);
                device_set_string(node, "data-file", name);
        }
        if (backing)
                device_set_string(node, "backing", backing);
        else if (has_backing(image->format))
                json_object_set_new(node, "backing", json_null());
        return node;
}

/* ---- what a disk writes to until its guest ends ---- */

void block_overlay_node_name(const struct block_image *below, char name[BLOCK_NODE_NAME_SIZE])
{
        g_snprintf(name, BLOCK_NODE_NAME_SIZE, "libvirt-%u-overlay", below->index);
}

static void overlay_storage_name(const struct block_image *below, char name[BLOCK_NODE_NAME_SIZE])
{
        g_snprintf(name, BLOCK_NODE_NAME_SIZE, "libvirt-%u-overlay-sto", below->index);
}

json_t *block_overlay_storage_node(const struct block_image *below, const char *path,
                                   const struct block_options *options)
{
        json_t *node = json_object();
        char name[BLOCK_NODE_NAME_SIZE];

        overlay_storage_name(below, name);
        device_set_string(node, "driver", "file");
        device_set_string(node, "filename", path);
        device_set_string(node, "aio", options->io);
        device_set_string(node, "node-name", name);
        set_cache(node, options);
        device_set_string(node, "discard", "unmap");
        return node;
}

json_t *block_overlay_node(const struct block_image *below, const struct block_options *options)
{
        json_t *node = json_object();
        char name[BLOCK_NODE_NAME_SIZE];

        block_overlay_node_name(below, name);
        device_set_string(node, "driver", "qcow2");
        device_set_string(node, "node-name", name);
        device_set_bool(node, "read-only", false);
        device_set_string(node, "discard", options->discard);
        device_set_string(node, "detect-zeroes", detect_zeroes(options));
        set_cache(node, options);
        overlay_storage_name(below, name);
        device_set_string(node, "file", name);
        block_format_node_name(below, name);
        device_set_string(node, "backing", name);
        return node;
}
