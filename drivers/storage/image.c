/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Headers of image files. Numbers in them are checked before they are used; nothing is allocated that they
 * decide the size of, beyond a path. Lanes.
 */
#include "drivers/storage/image.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_SIZE 4096
#define PATH_SIZE 1023 /* the longest backing file name of qcow2 */

struct head {
        int fd; /* borrowed */
        uint64_t size;
        size_t length; /* of bytes[] that are there */
        uint8_t bytes[HEAD_SIZE];
};

static uint16_t be16(const uint8_t *p)
{
        return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
        return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint64_t be64(const uint8_t *p)
{
        return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static uint32_t le32(const uint8_t *p)
{
        return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint64_t le64(const uint8_t *p)
{
        return (uint64_t)le32(p + 4) << 32 | le32(p);
}

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
        if (!length || length > PATH_SIZE || !g_utf8_validate(path, (gssize)length, NULL))
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
        char path[PATH_SIZE + 1];

        if (!offset || !length || length > PATH_SIZE || !read_at(head, offset, path, length))
                return NULL;
        return is_path(path, length) ? g_strndup(path, length) : NULL;
}

enum {
        QCOW2_EXTENSION_END = 0,
        QCOW2_EXTENSION_BACKING_FORMAT = 0xe2792aca,
};

#define QCOW2_EXTENSIONS_MAX 16

/* The name of the backing file's format, where the header says it; false: it does not. */
static bool read_backing_format(const struct head *head, uint64_t offset, enum volume_format *format)
{
        for (unsigned i = 0; i < QCOW2_EXTENSIONS_MAX; i++) {
                uint8_t extension[8];
                uint32_t type, length;
                char name[16] = "";

                if (!read_at(head, offset, extension, sizeof(extension)))
                        break;
                type = be32(extension);
                length = be32(extension + 4);
                if (type == QCOW2_EXTENSION_END)
                        break;
                if (type == QCOW2_EXTENSION_BACKING_FORMAT) {
                        if (length >= sizeof(name) || !read_at(head, offset + 8, name, length))
                                break;
                        *format = volume_format_parse(name);
                        return true;
                }
                offset += 8 + (((uint64_t)length + 7) & ~UINT64_C(7));
        }
        return false;
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

static void read_backing(const struct head *head, struct volume *volume, uint64_t extensions)
{
        char *path = read_path(head, be64(head->bytes + 8), be32(head->bytes + 16));

        if (!path)
                return;
        volume->backing.path = resolve(volume, path);
        if (!extensions || !read_backing_format(head, extensions, &volume->backing.format))
                guess_backing_format(&volume->backing);
}

#define QED_FEATURE_RAW 4

#define QCOW2_CRYPT_LUKS    2
#define QCOW2_INCOMPAT_DATA 4

static bool probe_qcow2(const struct head *head, struct volume *volume)
{
        const uint8_t *bytes = head->bytes;
        uint32_t version = be32(bytes + 4), cluster_bits = be32(bytes + 20), length = 72;

        if (head->length < 104 || (version != 2 && version != 3) || cluster_bits < 9 || cluster_bits > 21 ||
            !set_capacity(volume, be64(bytes + 24), 1))
                return false;
        volume->cluster_size = UINT64_C(1) << cluster_bits;
        if (be32(bytes + 32) == QCOW2_CRYPT_LUKS)
                volume->encryption.format = g_strdup("luks");
        else if (be32(bytes + 32))
                volume->encryption.format = g_strdup("qcow");
        if (version == 3) {
                volume->compat = g_strdup("1.1");
                volume->extended_l2 = be64(bytes + 72) & 16;
                volume->lazy_refcounts = be64(bytes + 80) & 1;
                length = be32(bytes + 100);
        }
        read_backing(head, volume, length);
        return true;
}

static bool probe_qcow(const struct head *head, struct volume *volume)
{
        if (head->length < 48 || be32(head->bytes + 4) != 1 ||
            !set_capacity(volume, be64(head->bytes + 24), 1))
                return false;
        read_backing(head, volume, 0);
        return true;
}

static bool probe_qed(const struct head *head, struct volume *volume)
{
        char *path;

        if (head->length < 64 || !set_capacity(volume, le64(head->bytes + 48), 1))
                return false;
        if (!(le64(head->bytes + 16) & 1))
                return true;
        path = read_path(head, le32(head->bytes + 56), le32(head->bytes + 60));
        if (!path)
                return true;
        volume->backing.path = resolve(volume, path);
        guess_backing_format(&volume->backing);
        if (le64(head->bytes + 16) & QED_FEATURE_RAW)
                volume->backing.guessed = false;
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
        const uint8_t *bytes = head->bytes;

        if (format == VOLUME_FORMAT_QCOW2)
                return be32(bytes + 4) >= 3 && (be64(bytes + 72) & QCOW2_INCOMPAT_DATA);
        /* Without a capacity the descriptor in it says where the data is. */
        return format == VOLUME_FORMAT_VMDK && le64(bytes + 12) == 0;
}

static bool is_same_image(const struct volume *now, const struct volume *before)
{
        return now->format == before->format && g_strcmp0(now->backing.path, before->backing.path) == 0 &&
               (!now->backing.path || now->backing.format == before->backing.format);
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
        if (now->backing.path && (now->backing.guessed || now->backing.format == VOLUME_FORMAT_NONE))
                return refuse_image(volume, "does not say the format of its backing file", error);
        return true;
}
