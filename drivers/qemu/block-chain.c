/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backing chain of an image: what the definition spells out, then what the headers of the images say.
 * Only the header of a format that the definition, or the overlay above, names is looked at: an image that is
 * raw stays raw, whatever a guest has written to its first sector. Headers are hostile: every offset and
 * length in them is checked. Lanes: this blocks on storage.
 */
#include "drivers/qemu/block.h"

#include "base/error.h"
#include "drivers/storage/bytes.h"
#include "drivers/storage/image-header.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define LUKS_MAGIC        "LUKS\xba\xbe"
#define LUKS_MAGIC_LENGTH 6
#define LUKS_VERSION      1 /* QEMU opens no other */

/* What an image's header says about itself and about the image below it. */
struct header {
        char *backing; /* owned; NULL: none */
        char *format;  /* owned; NULL: it does not say */
        bool encrypted;
        bool data; /* it keeps its data in another file */
};

static void header_clear(struct header *header)
{
        g_clear_pointer(&header->backing, g_free);
        g_clear_pointer(&header->format, g_free);
}

/* An image for a message: whose it is. Borrowed. */
struct place {
        const char *disk;  /* the disk's target */
        const char *above; /* the image that it is the backing file of; NULL: it is the disk's own */
        const char *path;
        uint64_t start; /* where in its source the image begins (<slice>) */
        bool data;      /* it is the data file of above */
};

/* "image '/b', the backing file of '/o' of disk 'vda'"; owned. */
static char *name_place(const struct place *place)
{
        g_autofree char *quoted = error_quote(place->path), *above = error_quote(place->above);

        if (!place->above)
                return g_strdup_printf("image '%s' of disk '%s'", quoted, place->disk);
        return g_strdup_printf("image '%s', the %s file of '%s' of disk '%s'", quoted,
                               place->data ? "data" : "backing", above, place->disk);
}

static bool refuse(GError **error, const struct place *place, const char *why)
{
        g_autofree char *name = name_place(place);

        return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED, "%s: %s", name, why);
}

/* The header is not what whoever named the format says. */
static bool damaged(GError **error, const struct place *place, const char *why)
{
        g_autofree char *name = name_place(place);

        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED, "%s: %s", name, why);
}

static bool is_other_format(GError **error, const struct place *place, const char *format)
{
        g_autofree char *name = name_place(place);

        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                         "%s is not in %s format, as %s says", name, format,
                         place->above ? "that one" : "its <driver type=>");
}

static bool system_error(GError **error, const struct place *place, const char *verb)
{
        int errnum = errno;
        g_autofree char *name = name_place(place);

        return error_set_errno(error, ERROR_FROM_STORAGE, errnum, "cannot %s %s", verb, name);
}

/* Reads up to size bytes at offset; the count, -1 with an error. */
static ssize_t read_at(int fd, const struct place *place, void *buffer, size_t size, uint64_t offset,
                       GError **error)
{
        size_t done = 0;

        while (done < size) {
                ssize_t n =
                        pread(fd, (char *)buffer + done, size - done, (off_t)(place->start + offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        system_error(error, place, "read");
                        return -1;
                }
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

/* A name of length bytes at offset: a new string, NULL with an error. */
static char *read_name(int fd, const struct place *place, uint64_t offset, uint64_t length, GError **error)
{
        g_autofree char *name = NULL;

        if (length == 0 || length > IMAGE_NAME_MAX || offset > INT64_MAX - IMAGE_NAME_MAX) {
                damaged(error, place, "the name of its backing file is out of bounds");
                return NULL;
        }
        name = g_malloc0(length + 1);
        if (read_at(fd, place, name, length, offset, error) != (ssize_t)length) {
                if (error && !*error)
                        damaged(error, place, "it ends before the name of its backing file");
                return NULL;
        }
        return g_steal_pointer(&name);
}

/* ---- qcow2 ---- */

/* The name that the header points to, and the format that it says. */
static bool take_backing(int fd, const struct place *place, const struct image_header *found,
                         struct header *header, GError **error)
{
        if (found->backing_offset == 0)
                return true;
        if (*found->backing_format)
                header->format = g_strdup(found->backing_format);
        header->backing = read_name(fd, place, found->backing_offset, found->backing_length, error);
        return header->backing != NULL;
}

static bool read_qcow2(int fd, const struct place *place, struct header *header, GError **error)
{
        uint8_t buffer[IMAGE_HEADER_SIZE];
        ssize_t size = read_at(fd, place, buffer, sizeof(buffer), 0, error);
        struct image_header found;

        if (size < 0)
                return false;
        if (!image_header_parse_qcow2(buffer, (size_t)size, &found))
                return is_other_format(error, place, "qcow2");
        if (found.version < 2 || found.version > 3)
                return refuse(error, place, "this version of qcow2 is not supported");
        if (found.crypt_method != IMAGE_CRYPT_NONE && found.crypt_method != IMAGE_CRYPT_LUKS)
                return refuse(error, place, "encryption other than LUKS is not supported");
        header->encrypted = found.crypt_method == IMAGE_CRYPT_LUKS;
        header->data = found.external_data;
        return take_backing(fd, place, &found, header, error);
}

/* ---- qed ---- */

static bool read_qed(int fd, const struct place *place, struct header *header, GError **error)
{
        uint8_t buffer[IMAGE_HEADER_SIZE];
        ssize_t size = read_at(fd, place, buffer, sizeof(buffer), 0, error);
        struct image_header found;

        if (size < 0)
                return false;
        if (!image_header_parse_qed(buffer, (size_t)size, &found))
                return is_other_format(error, place, "qed");
        return take_backing(fd, place, &found, header, error);
}

/* ---- LUKS ---- */

static bool read_luks(int fd, const struct place *place, struct header *header, GError **error)
{
        uint8_t buffer[LUKS_MAGIC_LENGTH + 2];
        ssize_t size = read_at(fd, place, buffer, sizeof(buffer), 0, error);

        if (size < 0)
                return false;
        if (size < (ssize_t)sizeof(buffer) || memcmp(buffer, LUKS_MAGIC, LUKS_MAGIC_LENGTH) != 0)
                return damaged(error, place, "it is not encrypted with LUKS");
        if (be16(buffer + LUKS_MAGIC_LENGTH) != LUKS_VERSION)
                return refuse(error, place, "LUKS of another version than 1 is not supported");
        header->encrypted = true;
        return true;
}

/* ---- images ---- */

static const struct {
        const char *format;
        bool (*read)(int fd, const struct place *place, struct header *header,
                     GError **error); /* NULL: nothing below */
} formats[] = {
        { "raw", NULL },   { "qcow2", read_qcow2 }, { "qed", read_qed },   { "vdi", NULL },
        { "vmdk", NULL },  { "vpc", NULL },         { "vhdx", NULL },      { "dmg", NULL },
        { "bochs", NULL }, { "cloop", NULL },       { "parallels", NULL }, { "luks", read_luks },
};

static bool read_header(int fd, const struct place *place, const struct block_image *image,
                        struct header *header, GError **error)
{
        const char *format = image->format;

        /* What a definition calls raw is LUKS as soon as it is encrypted. */
        if (image->encryption && strcmp(format, "raw") == 0)
                format = "luks";
        for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
                if (strcmp(formats[i].format, format) == 0)
                        return !formats[i].read || formats[i].read(fd, place, header, error);
        }
        return refuse(error, place, "its format is not supported");
}

/* Do definition and header agree that it is encrypted, and in a way that is supported? */
static bool check_encryption(const struct place *place, const struct block_image *image,
                             const struct header *header, GError **error)
{
        const struct domain_encryption *encryption = image->encryption;

        if (header->encrypted && !encryption)
                return refuse(error, place, "it is encrypted, and the definition has no <encryption> for it");
        if (!encryption)
                return true;
        if (!header->encrypted)
                return refuse(error, place, "it has an <encryption>, and is not encrypted");
        if (strcmp(encryption->format, "luks") != 0 || g_strcmp0(encryption->engine, "librbd") == 0)
                return refuse(error, place, "encryption other than format='luks' by QEMU is not supported");
        if (encryption->n_secrets != 1)
                return refuse(error, place, "its <encryption> needs one <secret>");
        return true;
}

static int open_image(const struct place *place, struct stat *status, GError **error)
{
        CLEANUP_FD int fd = -1;

        /* A definition may have it, as in libvirt; to what it is relative is nobody's to say. */
        if (place->path[0] != '/') {
                refuse(error, place, "its path is not absolute");
                return -1;
        }
        fd = open(place->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
                system_error(error, place, "open");
                return -1;
        }
        if (fstat(fd, status) < 0) {
                system_error(error, place, "look at");
                return -1;
        }
        if (!S_ISREG(status->st_mode) && !S_ISBLK(status->st_mode)) {
                refuse(error, place, "it is neither a file nor a block device");
                return -1;
        }
        return fd_steal(&fd);
}

static enum block_kind kind_of(int fd, const struct stat *status)
{
        if (!S_ISBLK(status->st_mode))
                return BLOCK_FILE;
        return ioctl(fd, CDROM_DRIVE_STATUS, CDSL_CURRENT) >= 0 ? BLOCK_CDROM : BLOCK_DEVICE;
}

/* Identities of the images so far, to notice a chain that bites its tail. */
static bool is_new(GArray *seen, const struct stat *status)
{
        struct {
                dev_t dev;
                ino_t ino;
        } identity = { .dev = status->st_dev, .ino = status->st_ino };

        for (unsigned i = 0; i < seen->len; i++) {
                if (memcmp(seen->data + i * sizeof(identity), &identity, sizeof(identity)) == 0)
                        return false;
        }
        g_array_append_vals(seen, &identity, 1);
        return true;
}

/* The path that a backing name means next to the image that names it, NULL with an error for what is no plain
 * file. */
static char *backing_path(const struct place *place, const char *name, GError **error)
{
        g_autofree char *dir = NULL;
        const char *colon, *slash;

        if (g_str_has_prefix(name, "file:"))
                name += strlen("file:");
        colon = strchr(name, ':');
        slash = strchr(name, '/');
        if (colon && (!slash || colon < slash)) {
                refuse(error, place, "a backing file that is reached by a protocol is not supported");
                return NULL;
        }
        if (name[0] == '/')
                return g_strdup(name);
        dir = g_path_get_dirname(place->path);
        return g_build_filename(dir, name, NULL);
}

struct block_image *block_image_new_spelled(const char *who, const struct domain_storage *storage,
                                            GError **error)
{
        struct block_image *image;

        if (storage->network)
                return block_image_new_remote(who, storage, error);
        image = block_image_new(storage->path, storage->format);
        image->encryption = storage->encryption;
        image->slice = storage->slice;
        image->cache_bytes = storage->metadata_cache_bytes;
        if (storage->type == DOMAIN_STORAGE_DIR)
                image->kind = BLOCK_FAT;
        return image;
}

/* What the definition spells out; NULL with an error. */
static struct block_image *image_of(const char *disk, const struct domain_storage *storage, GError **error)
{
        g_autofree char *who = g_strdup_printf("disk '%s'", disk);

        return block_image_new_spelled(who, storage, error);
}

/* ---- a backing file whose format nobody names ---- */

/* *format NULL: it leads on, or cannot be told. */
static bool recognize_last(const struct place *place, const char **format, GError **error)
{
        struct stat status;
        CLEANUP_FD int fd = open_image(place, &status, error);
        uint8_t head[IMAGE_HEADER_SIZE];
        ssize_t size = fd < 0 ? -1 : read_at(fd, place, head, sizeof(head), 0, error);

        if (size < 0)
                return false;
        *format = image_header_recognize_last(head, (size_t)size);
        return true;
}

static bool refuse_unnamed(const struct place *place, const char *backing, GError **error)
{
        g_autofree char *name = name_place(place), *top = error_quote(place->path),
                        *base = error_quote(backing);

        return error_set(
                error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                "%s does not say the format of its backing file '%s', which has a backing file itself or "
                "cannot be told by its beginning; repair it: qemu-img rebase -u -f qcow2 -F FORMAT -b "
                "%s %s",
                name, base, base, top);
}

/* The next image: as the definition says, else as the header does; *next NULL at the end. */
static bool find_next(const struct place *place, const struct domain_storage *storage,
                      const struct header *header, struct block_image **next, GError **error)
{
        g_autofree char *path = NULL;
        const char *format = header->format;

        *next = NULL;
        if (storage && storage->backing) {
                if (!storage->backing->path && !storage->backing->network)
                        return refuse(error, place, "the type of its <backingStore> is not supported");
                *next = image_of(place->disk, storage->backing, error);
                return *next != NULL;
        }
        if ((storage && storage->ends) || !header->backing)
                return true;
        path = backing_path(place, header->backing, error);
        if (!path)
                return false;
        if (!format && !recognize_last(&(struct place){ place->disk, place->path, path }, &format, error))
                return false;
        if (!format)
                return refuse_unnamed(place, header->backing, error);
        *next = block_image_new(path, format);
        return true;
}

static bool is_directory(const struct place *place, GError **error)
{
        struct stat status;

        if (place->path[0] != '/')
                return refuse(error, place, "its path is not absolute");
        if (stat(place->path, &status) < 0)
                return system_error(error, place, "look at");
        return S_ISDIR(status.st_mode) || refuse(error, place, "it is no directory");
}

/*
 * Where an image keeps its data. Its header may be what a guest has written, and what stands there would be
 * opened for that guest to write to.
 */
static bool find_data(const struct place *above, struct block_image *image, const struct header *header,
                      const struct domain_storage *data, GArray *seen, GError **error)
{
        const struct place place = { above->disk, above->path, data ? data->path : NULL, .data = true };
        CLEANUP_FD int fd = -1;
        struct stat status;

        if (header->data && !data)
                return refuse(error, above,
                              "its data are in another file, which the definition has to name: <source> "
                              "<dataStore type='file'> <source file='...'/>");
        if (!data)
                return true;
        if (!header->data)
                return refuse(
                        error, above,
                        "the definition names a <dataStore> for it, and its data are in the image itself");
        fd = open_image(&place, &status, error);
        if (fd < 0)
                return false;
        if (!is_new(seen, &status))
                return refuse(error, &place, "it is an image of this disk itself");
        image->data = block_image_new(data->path, NULL);
        image->data->kind = kind_of(fd, &status);
        image->data->index = data->index;
        return true;
}

/* Looks at one image, completes it and finds the next. */
static bool resolve_image(const struct place *place, struct block_image *image,
                          const struct domain_storage *storage, GArray *seen, struct block_image **next,
                          GError **error)
{
        struct header header __attribute__((cleanup(header_clear))) = { 0 };
        CLEANUP_FD int fd = -1;
        struct stat status;

        if (image->kind == BLOCK_REMOTE)
                return find_next(place, storage, &header, next, error);
        if (image->kind == BLOCK_FAT)
                return is_directory(place, error);
        fd = open_image(place, &status, error);
        if (fd < 0)
                return false;
        if (!is_new(seen, &status))
                return refuse(error, place, "its backing chain leads back to itself");
        image->kind = kind_of(fd, &status);
        return read_header(fd, place, image, &header, error) &&
               check_encryption(place, image, &header, error) &&
               find_data(place, image, &header, storage ? storage->data : NULL, seen, error) &&
               find_next(place, storage, &header, next, error);
}

GPtrArray *block_chain_resolve(const char *disk, const struct domain_storage *source, unsigned *next_index,
                               GError **error)
{
        g_autoptr(GPtrArray) chain = g_ptr_array_new_with_free_func((GDestroyNotify)block_image_free);
        g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(dev_t) + sizeof(ino_t));
        const struct domain_storage *storage = source;
        struct block_image *image = image_of(disk, source, error);
        struct place place = { .disk = disk };

        if (!image)
                return NULL;
        while (image) {
                struct block_image *next = NULL;

                g_ptr_array_add(chain, image);
                place.path = image->path;
                place.start = image->slice ? image->slice->offset : 0;
                if (chain->len > BLOCK_CHAIN_MAX) {
                        refuse(error, &place, "its backing chain has more than 200 images");
                        return NULL;
                }
                image->index = storage && storage->index ? storage->index : (*next_index)++;
                if (!resolve_image(&place, image, storage, seen, &next, error))
                        return NULL;
                if (image->data && !image->data->index)
                        image->data->index = (*next_index)++;
                storage = storage ? storage->backing : NULL;
                place.above = image->path;
                image = next;
        }
        return g_steal_pointer(&chain);
}
