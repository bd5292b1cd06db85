/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest can make its raw disk look like an image on top of any file of the host. So qemu-img gets the whole
 * chain spelled out, with descriptors of volumes in the place of names, and a word that there is nothing
 * below the last one. Lanes.
 */
#include "drivers/storage/image-source.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "drivers/storage/image-tool.h"
#include "drivers/storage/image.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int image_source_open_file(const struct volume *volume, GError **error)
{
        /* Devices are found through links that udev makes; files are not. */
        int follow = volume->type == VOLUME_BLOCK ? 0 : O_NOFOLLOW;
        CLEANUP_FD int fd = open(volume->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | follow);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0) {
                error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot open volume '%s'", volume->path);
                return -1;
        }
        if (volume->type == VOLUME_BLOCK
                    ? !S_ISBLK(st.st_mode)
                    : !S_ISREG(st.st_mode) || (volume->inode && st.st_ino != volume->inode)) {
                error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                          "'%s' is not the volume any more that it was: refresh its pool", volume->path);
                return -1;
        }
        return fd_steal(&fd);
}

const char *image_source_get_driver(const struct volume *volume)
{
        if (volume->type == VOLUME_BLOCK || volume->format == VOLUME_FORMAT_ISO)
                return "raw";
        if (volume->format == VOLUME_FORMAT_RAW)
                return volume->encryption.format ? "luks" : "raw";
        return image_tool_can_create(volume->format) ? volume_format_get_name(volume->format) : NULL;
}

static bool has_backing_format(const struct volume *volume)
{
        return volume->type != VOLUME_BLOCK &&
               (volume->format == VOLUME_FORMAT_QCOW || volume->format == VOLUME_FORMAT_QCOW2 ||
                volume->format == VOLUME_FORMAT_QED || volume->format == VOLUME_FORMAT_VMDK);
}

static void add_secret(json_t *node, const struct volume *volume, const char *secret)
{
        if (volume->format == VOLUME_FORMAT_RAW)
                json_object_set_new(node, "key-secret", json_string(secret));
        else
                json_object_set_new(node, "encrypt",
                                    json_pack("{s:s, s:s}", "format", "luks", "key-secret", secret));
}

/* A node of qemu-img's; takes below, which is NULL for the last one. */
static json_t *describe(const struct volume *volume, int fd, const char *secret, json_t *below)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
        json_t *node =
                json_pack("{s:s, s:{s:s, s:s}}", "driver", image_source_get_driver(volume), "file", "driver",
                          volume->type == VOLUME_BLOCK ? "host_device" : "file", "filename", path);

        if (volume->encryption.format)
                add_secret(node, volume, secret);
        if (below)
                json_object_set_new(node, "backing", below);
        else if (has_backing_format(volume))
                json_object_set_new(node, "backing", json_null());
        return node;
}

static bool open_one(struct image_source *source, const struct volume *volume, GError **error)
{
        int fd;

        if (!image_source_get_driver(volume))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "the format of volume '%s' cannot be read", volume->name);
        /* Only the secret of the first one is known. */
        if (volume->encryption.format && source->fds->len > 0)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "volume '%s' is encrypted and the backing file of another one: such a chain "
                                 "cannot be read",
                                 volume->name);
        fd = image_source_open_file(volume, error);
        if (fd < 0)
                return false;
        g_array_append_val(source->fds, fd);
        return volume->type == VOLUME_BLOCK || image_check(fd, volume, error);
}

static bool check_formats(const struct image_source *source, const GPtrArray *chain, GError **error)
{
        for (unsigned i = 0; i < chain->len; i++) {
                const struct volume *volume = g_ptr_array_index(chain, i);
                bool is_last = i + 1 == chain->len;
                int below = is_last ? -1 : g_array_index(source->fds, int, i + 1);

                if (volume->type != VOLUME_BLOCK &&
                    !image_check_backing(
                            volume, below,
                            is_last ? NULL : image_source_get_driver(g_ptr_array_index(chain, i + 1)), error))
                        return false;
        }
        return true;
}

bool image_source_open(struct image_source *source, const GPtrArray *chain, const char *secret,
                       GError **error)
{
        json_t *node = NULL;
        char *text;

        *source = (struct image_source){ .fds = g_array_new(FALSE, FALSE, sizeof(int)) };
        for (unsigned i = 0; i < chain->len; i++) {
                if (!open_one(source, g_ptr_array_index(chain, i), error))
                        return false;
        }
        if (!check_formats(source, chain, error))
                return false;
        for (unsigned i = chain->len; i > 0; i--)
                node = describe(g_ptr_array_index(chain, i - 1), g_array_index(source->fds, int, i - 1),
                                secret, node);
        text = json_dumps(node, JSON_COMPACT);
        source->description = g_strconcat("json:", text, NULL);
        free(text);
        json_decref(node);
        return true;
}

void image_source_close(struct image_source *source)
{
        for (unsigned i = 0; source->fds && i < source->fds->len; i++)
                close(g_array_index(source->fds, int, i));
        g_clear_pointer(&source->fds, g_array_unref);
        g_clear_pointer(&source->description, g_free);
}
