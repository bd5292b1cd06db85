/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/storage/image-header.h"
#include "tests/unit/check-main.h"

#include <glib.h>
#include <string.h>

static uint8_t bytes[IMAGE_HEADER_SIZE];

static void put_be(size_t offset, unsigned count, uint64_t value)
{
        for (unsigned i = 0; i < count; i++)
                bytes[offset + i] = (uint8_t)(value >> 8 * (count - 1 - i));
}

static void put_le(size_t offset, unsigned count, uint64_t value)
{
        for (unsigned i = 0; i < count; i++)
                bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

static size_t put_extension(size_t offset, uint32_t type, uint32_t length, const char *content)
{
        put_be(offset, 4, type);
        put_be(offset + 4, 4, length);
        memcpy(bytes + offset + 8, content, strlen(content));
        return offset + 8 + ((length + 7) & ~7U);
}

#define FORMAT   0xe2792acaU
#define FEATURES 0x6803f857U

/* Version 3: header of 104 bytes, then the extensions. */
static void make_qcow2(void)
{
        memset(bytes, 0, sizeof(bytes));
        put_be(0, 4, 0x514649fb);
        put_be(4, 4, 3);
        put_be(8, 8, 600);
        put_be(16, 4, 11);
        put_be(20, 4, 16);
        put_be(24, 8, UINT64_C(5) << 32);
        put_be(32, 4, IMAGE_CRYPT_LUKS);
        put_be(100, 4, 104);
}

START_TEST(qcow2)
{
        struct image_header header;
        size_t end;

        make_qcow2();
        put_be(72, 8, 16);
        put_be(80, 8, 1);
        end = put_extension(104, FEATURES, 9, "nonsense!");
        put_extension(end, FORMAT, 5, "qcow2");
        ck_assert(image_header_parse_qcow2(bytes, sizeof(bytes), &header));
        ck_assert_uint_eq(header.version, 3);
        ck_assert_uint_eq(header.capacity, UINT64_C(5) << 32);
        ck_assert_uint_eq(header.cluster_bits, 16);
        ck_assert_uint_eq(header.crypt_method, IMAGE_CRYPT_LUKS);
        ck_assert(header.extended_l2 && header.lazy_refcounts && !header.external_data);
        ck_assert_uint_eq(header.backing_offset, 600);
        ck_assert_uint_eq(header.backing_length, 11);
        ck_assert_str_eq(header.backing_format, "qcow2");
        put_be(72, 8, 4);
        ck_assert(image_header_parse_qcow2(bytes, sizeof(bytes), &header));
        ck_assert(header.external_data && !header.extended_l2);
        /* Features are of version 3; its extensions stand after 72 bytes. */
        put_be(4, 4, 2);
        put_extension(72, FORMAT, 3, "raw");
        ck_assert(image_header_parse_qcow2(bytes, sizeof(bytes), &header));
        ck_assert(!header.external_data && !header.lazy_refcounts);
        ck_assert_str_eq(header.backing_format, "raw");
        /* Where there is no image below there is no name of one, whatever its length. */
        put_be(8, 8, 0);
        ck_assert(image_header_parse_qcow2(bytes, sizeof(bytes), &header));
        ck_assert_uint_eq(header.backing_length, 0);
        bytes[3] = 0;
        ck_assert(!image_header_parse_qcow2(bytes, sizeof(bytes), &header));
}
END_TEST

/* Nothing is read beyond the bytes that there are, which ASan watches, and nothing is believed of the rest.
 */
START_TEST(qcow2_cut_off)
{
        struct image_header header;

        make_qcow2();
        put_extension(104, FORMAT, 5, "qcow2");
        for (size_t length = 0; length <= 130; length++) {
                g_autofree uint8_t *some = g_memdup2(bytes, length);

                ck_assert_int_eq(image_header_parse_qcow2(some, length, &header), length >= 104);
                if (length >= 104)
                        ck_assert_str_eq(header.backing_format, length >= 117 ? "qcow2" : "");
        }
}
END_TEST

START_TEST(qcow2_extensions_that_lie)
{
        g_autofree char *name = g_strnfill(100, 'q');
        struct image_header header;

        make_qcow2();
        /* An unknown name stays one. */
        put_extension(104, FORMAT, 100, name);
        ck_assert(image_header_parse_qcow2(bytes, sizeof(bytes), &header));
        ck_assert_uint_eq(strlen(header.backing_format), IMAGE_FORMAT_SIZE - 1);
        put_extension(104, FORMAT, UINT32_MAX, "raw");
        ck_assert(image_header_parse_qcow2(bytes, sizeof(bytes), &header));
        ck_assert_str_eq(header.backing_format, "");
        /* The end is the end. */
        put_extension(104, 0, 0, "");
        put_extension(112, FORMAT, 3, "raw");
        ck_assert(image_header_parse_qcow2(bytes, sizeof(bytes), &header));
        ck_assert_str_eq(header.backing_format, "");
        put_be(100, 4, UINT32_MAX);
        ck_assert(image_header_parse_qcow2(bytes, sizeof(bytes), &header));
        ck_assert_str_eq(header.backing_format, "");
}
END_TEST

START_TEST(qed)
{
        struct image_header header;

        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes, "QED", 4);
        put_le(48, 8, UINT64_C(3) << 33);
        put_le(56, 4, 70);
        put_le(60, 4, 9);
        ck_assert(image_header_parse_qed(bytes, sizeof(bytes), &header));
        ck_assert_uint_eq(header.capacity, UINT64_C(3) << 33);
        ck_assert_uint_eq(header.backing_length, 0);
        put_le(16, 8, 1);
        ck_assert(image_header_parse_qed(bytes, 64, &header));
        ck_assert_uint_eq(header.backing_offset, 70);
        ck_assert_uint_eq(header.backing_length, 9);
        ck_assert_str_eq(header.backing_format, "");
        put_le(16, 8, 1 | 4);
        ck_assert(image_header_parse_qed(bytes, 64, &header));
        ck_assert_str_eq(header.backing_format, "raw");
        ck_assert(!image_header_parse_qed(bytes, 63, &header));
        bytes[0] = 'q';
        ck_assert(!image_header_parse_qed(bytes, 64, &header));
}
END_TEST

CHECK_MAIN("image-header", qcow2, qcow2_cut_off, qcow2_extensions_that_lie, qed)
