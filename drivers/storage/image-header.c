/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of qcow2 and qed. No state.
 */
#include "drivers/storage/image-header.h"

#include "drivers/storage/bytes.h"

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
