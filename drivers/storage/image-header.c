/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of qcow2 and qed. No state.
 */
#include "drivers/storage/image-header.h"

#include "drivers/storage/bytes.h"

#include <glib.h>
#include <string.h>

/* ---- qcow2 ---- */

#define QCOW2_MAGIC               0x514649fbU /* "QFI\xfb" */
#define QCOW2_SIZE_2              72
#define QCOW2_SIZE_3              104
#define QCOW2_INCOMPAT_DATA       4
#define QCOW2_INCOMPAT_L2         16
#define QCOW2_COMPAT_LAZY         1
#define QCOW2_EXTENSION_END       0
#define QCOW2_EXTENSION_FORMAT    0xe2792acaU
#define QCOW2_EXTENSION_HEAD_SIZE 8

/* A name that is too long is cut: there is no such format either. */
static void read_extensions(const uint8_t *bytes, size_t length, size_t offset, struct image_header *header)
{
        while (offset + QCOW2_EXTENSION_HEAD_SIZE <= length) {
                uint32_t type = be32(bytes + offset), size = be32(bytes + offset + 4);

                offset += QCOW2_EXTENSION_HEAD_SIZE;
                if (type == QCOW2_EXTENSION_END || size > length - offset)
                        return;
                if (type == QCOW2_EXTENSION_FORMAT) {
                        size_t count = size < IMAGE_FORMAT_SIZE - 1 ? size : IMAGE_FORMAT_SIZE - 1;

                        memcpy(header->backing_format, bytes + offset, count);
                        header->backing_format[count] = '\0';
                }
                offset += ((size_t)size + 7) & ~(size_t)7;
        }
}

bool image_header_parse_qcow2(const uint8_t *bytes, size_t length, struct image_header *header)
{
        size_t extensions = QCOW2_SIZE_2;

        *header = (struct image_header){ 0 };
        if (length < QCOW2_SIZE_2 || be32(bytes) != QCOW2_MAGIC)
                return false;
        header->version = be32(bytes + 4);
        header->cluster_bits = be32(bytes + 20);
        header->capacity = be64(bytes + 24);
        header->crypt_method = be32(bytes + 32);
        header->backing_offset = be64(bytes + 8);
        if (header->backing_offset)
                header->backing_length = be32(bytes + 16);
        if (header->version >= 3) {
                if (length < QCOW2_SIZE_3)
                        return false;
                header->external_data = be64(bytes + 72) & QCOW2_INCOMPAT_DATA;
                header->extended_l2 = be64(bytes + 72) & QCOW2_INCOMPAT_L2;
                header->lazy_refcounts = be64(bytes + 80) & QCOW2_COMPAT_LAZY;
                extensions = be32(bytes + 100);
        }
        read_extensions(bytes, length, extensions, header);
        return true;
}

/* ---- qed ---- */

#define QED_MAGIC           0x00444551U /* "QED\0", little endian */
#define QED_SIZE            64
#define QED_FEATURE_BACKING 1
#define QED_FEATURE_RAW     4

bool image_header_parse_qed(const uint8_t *bytes, size_t length, struct image_header *header)
{
        *header = (struct image_header){ 0 };
        if (length < QED_SIZE || le32(bytes) != QED_MAGIC)
                return false;
        header->capacity = le64(bytes + 48);
        if (!(le64(bytes + 16) & QED_FEATURE_BACKING))
                return true;
        header->backing_offset = le32(bytes + 56);
        header->backing_length = le32(bytes + 60);
        if (le64(bytes + 16) & QED_FEATURE_RAW)
                strcpy(header->backing_format, "raw");
        return true;
}

/* How images begin of which QEMU opens nothing else. */
static const struct {
        const char *format; /* NULL: that can name other files, or needs a secret */
        unsigned offset;
        const char *magic;
        unsigned length;
} magics[] = {
        { "qcow2", 0, "QFI\xfb", 4 },
        { "qed", 0, "QED\0", 4 },
        { "vdi", 64, "\x7f\x10\xda\xbe", 4 },
        { "vhdx", 0, "vhdxfile", 8 },
        { "vpc", 0, "conectix", 8 },
        { NULL, 0, "KDMV", 4 },
        { NULL, 0, "COWD", 4 },
        { NULL, 0, "# Disk DescriptorFile", 21 },
        { NULL, 0, "LUKS\xba\xbe", 6 },
};

static bool leads_nowhere(const char *format, const uint8_t *bytes, size_t length)
{
        struct image_header header = { 0 };

        if (strcmp(format, "qcow2") == 0)
                return image_header_parse_qcow2(bytes, length, &header) && header.version >= 2 &&
                       header.version <= 3 && header.crypt_method == IMAGE_CRYPT_NONE &&
                       !header.external_data && header.backing_offset == 0;
        if (strcmp(format, "qed") == 0)
                return image_header_parse_qed(bytes, length, &header) && header.backing_offset == 0;
        return true;
}

const char *image_header_recognize_last(const uint8_t *bytes, size_t length)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(magics); i++) {
                const char *format = magics[i].format;

                if (magics[i].offset + magics[i].length > length ||
                    memcmp(bytes + magics[i].offset, magics[i].magic, magics[i].length) != 0)
                        continue;
                return format && leads_nowhere(format, bytes, length) ? format : NULL;
        }
        return "raw";
}
