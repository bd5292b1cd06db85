/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The header of an image file. The input is what a file begins with and, behind its first KiB, what is at the
 * place where VHDX has its tables: a whole file would be too much to change at random.
 */

#include "drivers/storage/image.h"
#include "tests/fuzz/fuzz.h"

#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD_SIZE  1024
#define TAIL_PLACE (192 * 1024)

static int write_file(const uint8_t *data, size_t size)
{
        size_t head = MIN(size, HEAD_SIZE);
        int fd = memfd_create("image", MFD_CLOEXEC);

        if (fd < 0 || pwrite(fd, data, head, 0) != (ssize_t)head ||
            (size > head && pwrite(fd, data + head, size - head, TAIL_PLACE) != (ssize_t)(size - head)))
                g_error("cannot make a file in memory");
        return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(volume_unref) struct volume *volume = volume_new();
        CLEANUP_FD int fd = write_file(data, size);
        g_autofree char *xml = NULL;

        volume->name = g_strdup("name");
        volume->key = g_strdup("/key");
        image_probe(fd, size > HEAD_SIZE ? TAIL_PLACE + size - HEAD_SIZE : size, volume);
        if (volume->capacity > VOLUME_BYTES_MAX)
                g_error("a capacity out of bounds: %" G_GUINT64_FORMAT, volume->capacity);
        if (volume->backing.path && !g_utf8_validate(volume->backing.path, -1, NULL))
                g_error("a path that is not UTF-8");
        /* What is used next is what was described: another backing file than that is never let through. */
        if (image_check(fd, volume, NULL) && image_check_backing(volume, -1, NULL, NULL) &&
            volume->backing.path && (volume->backing.guessed || volume->backing.format == VOLUME_FORMAT_NONE))
                g_error("a backing file of a format that nobody said");
        xml = volume_format_xml(volume);
        return 0;
}
