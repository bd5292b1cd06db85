/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The headers of image files that name another one, out of their first bytes, which are untrusted: nothing
 * outside of them is looked at, and what they say is not checked against the file. Sources:
 * docs/interop/qcow2.txt and docs/interop/qed_spec.txt of QEMU. Functions of values, any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many bytes of a file as a header is looked for in. */
#define IMAGE_HEADER_SIZE 4096

/* The longest name of a backing file, in bytes. */
#define IMAGE_NAME_MAX 1023

enum image_crypt_method {
        IMAGE_CRYPT_NONE = 0,
        IMAGE_CRYPT_AES = 1,
        IMAGE_CRYPT_LUKS = 2,
};

#define IMAGE_FORMAT_SIZE 32

struct image_header {
        uint32_t version;      /* qcow2: 2, 3, or one that nobody knows; qed: 0 */
        uint64_t capacity;     /* bytes */
        uint32_t cluster_bits; /* qcow2 */
        uint32_t crypt_method; /* enum image_crypt_method, or another */
        /* qcow2 of version 3; else false */
        bool external_data;
        bool extended_l2;
        bool lazy_refcounts;
        /* The name of the image below, in the file; length 0: there is none. */
        uint64_t backing_offset;
        uint32_t backing_length;
        char backing_format[IMAGE_FORMAT_SIZE]; /* "": it is not said */
};

/* False when the bytes are no header of that format. */
bool image_header_parse_qcow2(const uint8_t *bytes, size_t length, struct image_header *header);
bool image_header_parse_qed(const uint8_t *bytes, size_t length, struct image_header *header);

/*
 * A backing file whose format nobody names may be what its beginning says when it leads nowhere else: whoever
 * wrote it gains nothing. QEMU's name of that format, "raw" for what is none; NULL: it leads on, is
 * encrypted, or cannot be told by its beginning.
 */
const char *image_header_recognize_last(const uint8_t *bytes, size_t length);
