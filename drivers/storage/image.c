/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of image files. Numbers in them are checked before they are used; nothing is allocated that they
 * decide the size of, beyond a path. Lanes.
 */
#include "drivers/storage/image.h"

#include "base/error.h"
#include "drivers/storage/bytes.h"
#include "drivers/storage/image-header.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct head {
        int fd; /* borrowed */
        uint64_t size;
        size_t length; /* of bytes[] that are there */
        uint8_t bytes[IMAGE_HEADER_SIZE];
};

static bool has_magic(const struct head *head, size_t offset, const char *magic, size_t length)
{
        return head->length >= offset + length && memcmp(head->bytes + offset, magic, length) == 0;
}

static bool read_at(const struct head *head, uint64_t offset, void *buffer, size_t length)
{
        if (offset > head->size || length > head->size - offset)
                return false;
        return pread(head->fd, buffer, length, (off_t)offset) == (ssize_t)length;
}

static bool set_capacity(struct volume *volume, uint64_t units, uint64_t unit)
{
        if (units > VOLUME_BYTES_MAX / unit)
                return false;
        volume->capacity = units * unit;
        return true;
}

/* ---- qcow, qcow2, qed ---- */

/* Printable characters of UTF-8, and not too many. */
static bool is_path(const char *path, size_t length)
{
        if (!length || length > IMAGE_NAME_MAX || !g_utf8_validate(path, (gssize)length, NULL))
                return false;
        for (size_t i = 0; i < length; i++) {
                if (g_ascii_iscntrl(path[i]))
                        return false;
        }
        return true;
}

/* A name in the file; only an absolute or relative path, no protocol, of printable characters. */
static char *read_path(const struct head *head, uint64_t offset, uint32_t length)
{
        char path[IMAGE_NAME_MAX + 1];

        if (!offset || !length || length > IMAGE_NAME_MAX || !read_at(head, offset, path, length))
                return NULL;
        return is_path(path, length) ? g_strndup(path, length) : NULL;
}

/* Nothing is probed: a backing file counts as raw where nothing is said. */
static void guess_backing_format(struct volume_backing *backing)
{
        backing->format = VOLUME_FORMAT_RAW;
        backing->guessed = true;
}

/* Relative names are relative to the file itself. */
static char *resolve(const struct volume *volume, char *path)
{
        g_autofree char *directory = NULL;
        char *absolute;

        if (path[0] == '/' || !volume->path)
                return path;
        directory = g_path_get_dirname(volume->path);
        absolute = g_build_filename(directory, path, NULL);
        g_free(path);
        return absolute;
}

static void read_backing(const struct head *head, struct volume *volume, const struct image_header *header)
{
        char *path = read_path(head, header->backing_offset, header->backing_length);

        if (!path)
                return;
        volume->backing.path = resolve(volume, path);
        if (*header->backing_format)
                volume->backing.format = volume_format_parse(header->backing_format);
        else
                guess_backing_format(&volume->backing);
}

static bool probe_qcow2(const struct head *head, struct volume *volume)
{
        struct image_header header;

        if (!image_header_parse_qcow2(head->bytes, head->length, &header) || header.version > 3 ||
            header.cluster_bits < 9 || header.cluster_bits > 21 || !set_capacity(volume, header.capacity, 1))
                return false;
        volume->cluster_size = UINT64_C(1) << header.cluster_bits;
        if (header.crypt_method == IMAGE_CRYPT_LUKS)
                volume->encryption.format = g_strdup("luks");
        else if (header.crypt_method != IMAGE_CRYPT_NONE)
                volume->encryption.format = g_strdup("qcow");
        if (header.version == 3)
                volume->compat = g_strdup("1.1");
        volume->extended_l2 = header.extended_l2;
        volume->lazy_refcounts = header.lazy_refcounts;
        read_backing(head, volume, &header);
        return true;
}

static bool probe_qcow(const struct head *head, struct volume *volume)
{
        struct image_header header = { 0 };

        if (head->length < 48 || be32(head->bytes + 4) != 1 ||
            !set_capacity(volume, be64(head->bytes + 24), 1))
                return false;
        header.backing_offset = be64(head->bytes + 8);
        header.backing_length = be32(head->bytes + 16);
        read_backing(head, volume, &header);
        return true;
}

static bool probe_qed(const struct head *head, struct volume *volume)
{
        struct image_header header;

        if (!image_header_parse_qed(head->bytes, head->length, &header) ||
            !set_capacity(volume, header.capacity, 1))
                return false;
        read_backing(head, volume, &header);
        return true;
}

/* ---- vmdk ---- */

#define VMDK_SECTOR         512
#define VMDK_DESCRIPTOR_MAX (20 * 1024)
#define VMDK_PARENT         "parentFileNameHint=\""

/* The text in the file that names its parent, as QEMU looks for it. */
static char *find_vmdk_parent(const struct head *head)
{
        g_autofree char *text = g_malloc(VMDK_DESCRIPTOR_MAX + 1);
        uint64_t sector = le64(head->bytes + 28);
        const char *name, *end;
        ssize_t length;

        if (!sector || sector > head->size / VMDK_SECTOR)
                return NULL;
        length = pread(head->fd, text, VMDK_DESCRIPTOR_MAX, (off_t)(sector * VMDK_SECTOR));
        text[MAX(length, 0)] = '\0';
        name = strstr(text, VMDK_PARENT);
        if (!name)
                return NULL;
        name += strlen(VMDK_PARENT);
        end = strchr(name, '"');
        return end && is_path(name, (size_t)(end - name)) ? g_strndup(name, (gsize)(end - name)) : NULL;
}

static bool probe_vmdk(const struct head *head, struct volume *volume)
{
        char *parent;

        if (head->length < 80 || !set_capacity(volume, le64(head->bytes + 12), VMDK_SECTOR))
                return false;
        parent = find_vmdk_parent(head);
        if (!parent)
                return true;
        volume->backing.path = resolve(volume, parent);
        volume->backing.format = VOLUME_FORMAT_VMDK;
        return true;
}

/* ---- the others ---- */

static bool probe_vdi(const struct head *head, struct volume *volume)
{
        return head->length >= 0x178 && set_capacity(volume, le64(head->bytes + 0x170), 1);
}

static bool probe_vpc(const struct head *head, struct volume *volume)
{
        return head->length >= 512 && set_capacity(volume, be64(head->bytes + 48), 1);
}

static bool probe_luks(const struct head *head, struct volume *volume)
{
        uint64_t payload;

        if (head->length < 592 || be16(head->bytes + 6) != 1)
                return false;
        payload = (uint64_t)be32(head->bytes + 104) * 512;
        if (payload > head->size)
                return false;
        volume->capacity = head->size - payload;
        volume->encryption.format = g_strdup("luks");
        return true;
}

#define VHDX_REGIONS_OFFSET (192 * 1024)
#define VHDX_REGIONS_MAX    8
#define VHDX_METADATA_MAX   16

static const uint8_t vhdx_metadata_guid[16] = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                                0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
static const uint8_t vhdx_size_guid[16] = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                            0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };

static bool find_vhdx_metadata(const struct head *head, uint64_t *offset)
{
        uint8_t table[16 + VHDX_REGIONS_MAX * 32];

        if (!read_at(head, VHDX_REGIONS_OFFSET, table, sizeof(table)) || memcmp(table, "regi", 4) != 0)
                return false;
        for (unsigned i = 0; i < MIN(le32(table + 8), VHDX_REGIONS_MAX); i++) {
                const uint8_t *entry = table + 16 + i * 32;

                if (memcmp(entry, vhdx_metadata_guid, 16) == 0) {
                        *offset = le64(entry + 16);
                        return true;
                }
        }
        return false;
}

static bool probe_vhdx(const struct head *head, struct volume *volume)
{
        uint8_t table[32 + VHDX_METADATA_MAX * 32], size[8];
        uint64_t metadata;

        if (!find_vhdx_metadata(head, &metadata) || !read_at(head, metadata, table, sizeof(table)) ||
            memcmp(table, "metadata", 8) != 0)
                return false;
        for (unsigned i = 0; i < VHDX_METADATA_MAX; i++) {
                const uint8_t *entry = table + 32 + i * 32;

                if (memcmp(entry, vhdx_size_guid, 16) == 0)
                        return read_at(head, metadata + le32(entry + 16), size, sizeof(size)) &&
                               set_capacity(volume, le64(size), 1);
        }
        return false;
}

#define ISO_OFFSET 32769

static bool is_iso(const struct head *head)
{
        char magic[5];

        return read_at(head, ISO_OFFSET, magic, sizeof(magic)) && memcmp(magic, "CD001", 5) == 0;
}

struct format {
        enum volume_format format;
        size_t offset;
        const char *magic;
        size_t length;
        bool (*probe)(const struct head *head, struct volume *volume);
};

#define MAGIC(text) text, sizeof(text) - 1

static const struct format formats[] = {
        { VOLUME_FORMAT_QCOW2, 0, MAGIC("QFI\xfb\0\0\0\2"), probe_qcow2 },
        { VOLUME_FORMAT_QCOW2, 0, MAGIC("QFI\xfb\0\0\0\3"), probe_qcow2 },
        { VOLUME_FORMAT_QCOW, 0, MAGIC("QFI\xfb\0\0\0\1"), probe_qcow },
        { VOLUME_FORMAT_QED, 0, MAGIC("QED\0"), probe_qed },
        { VOLUME_FORMAT_VMDK, 0, MAGIC("KDMV"), probe_vmdk },
        { VOLUME_FORMAT_VDI, 0x40, MAGIC("\x7f\x10\xda\xbe"), probe_vdi },
        { VOLUME_FORMAT_VPC, 0, MAGIC("conectix"), probe_vpc },
        { VOLUME_FORMAT_VHDX, 0, MAGIC("vhdxfile"), probe_vhdx },
        /* Encrypted raw: that is how it is described. */
        { VOLUME_FORMAT_RAW, 0, MAGIC("LUKS\xba\xbe"), probe_luks },
};

static const struct format *recognize(const struct head *head)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
                if (has_magic(head, formats[i].offset, formats[i].magic, formats[i].length))
                        return &formats[i];
        }
        return NULL;
}

void image_set_raw(struct volume *volume, uint64_t size)
{
        volume->format = VOLUME_FORMAT_RAW;
        volume->capacity = size;
}

static void head_read(struct head *head, int fd, uint64_t size)
{
        ssize_t length = pread(fd, head->bytes, sizeof(head->bytes), 0);

        head->fd = fd;
        head->size = size;
        head->length = length > 0 ? (size_t)length : 0;
}

static void probe(const struct head *head, struct volume *volume)
{
        const struct format *format = recognize(head);

        image_set_raw(volume, head->size);
        if (format) {
                if (format->probe(head, volume))
                        volume->format = format->format;
                else
                        volume->capacity = head->size;
        } else if (is_iso(head)) {
                volume->format = VOLUME_FORMAT_ISO;
        }
}

void image_probe(int fd, uint64_t size, struct volume *volume)
{
        struct head head;

        head_read(&head, fd, size);
        probe(&head, volume);
}

/* ---- before an image is used ---- */

/* Files that qemu-img would open besides the image and its backing file: any of the host's. */
static bool names_other_files(const struct head *head, enum volume_format format)
{
        struct image_header header;

        if (format == VOLUME_FORMAT_QCOW2)
                return !image_header_parse_qcow2(head->bytes, head->length, &header) || header.external_data;
        /* Without a capacity the descriptor in it says where the data is. */
        return format == VOLUME_FORMAT_VMDK && le64(head->bytes + 12) == 0;
}

static bool is_same_image(const struct volume *now, const struct volume *before)
{
        return now->format == before->format && g_strcmp0(now->backing.path, before->backing.path) == 0 &&
               (!now->backing.path || (now->backing.format == before->backing.format &&
                                       now->backing.guessed == before->backing.guessed));
}

static bool refuse_image(const struct volume *volume, const char *why, GError **error)
{
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID, "volume '%s' %s", volume->name,
                         why);
}

bool image_check(int fd, const struct volume *volume, GError **error)
{
        CLEANUP(volume_unref) struct volume *now = volume_new();
        struct head head;
        struct stat st;

        if (volume->format == VOLUME_FORMAT_RAW || volume->format == VOLUME_FORMAT_ISO)
                return true;
        if (fstat(fd, &st) < 0)
                return error_set_errno(error, ERROR_FROM_STORAGE, errno, "cannot look at volume '%s'",
                                       volume->name);
        head_read(&head, fd, (uint64_t)st.st_size);
        now->path = g_strdup(volume->path);
        probe(&head, now);
        if (!is_same_image(now, volume))
                return refuse_image(volume, "is not the image any more that it was: refresh its pool", error);
        if (names_other_files(&head, now->format))
                return refuse_image(volume, "keeps its data in other files, which is not supported", error);
        if (now->backing.path && now->backing.format == VOLUME_FORMAT_NONE)
                return refuse_image(volume, "does not say the format of its backing file", error);
        return true;
}

bool image_check_backing(const struct volume *volume, int below, const char *driver, GError **error)
{
        uint8_t bytes[IMAGE_HEADER_SIZE];
        ssize_t length;

        if (!volume->backing.path || !volume->backing.guessed)
                return true;
        length = below < 0 ? -1 : pread(below, bytes, sizeof(bytes), 0);
        if (length >= 0 && g_strcmp0(image_header_recognize_last(bytes, (size_t)length), driver) == 0)
                return true;
        return refuse_image(volume,
                            "does not say the format of its backing file, which has a backing file itself or "
                            "cannot be told by its beginning",
                            error);
}
