/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volume descriptions and sets of them. A set is an array sorted by name: a pool's 10,000 volumes are copied,
 * compared and searched as quickly as a hash table would, in a fraction of the memory. Any thread.
 */
#include "drivers/storage/volume.h"

#include "drivers/storage/temporary.h"

#include <string.h>

static const char *const type_names[] = { "file", "block", "dir", "network", "netdir", "ploop" };

static const char *const format_names[VOLUME_FORMAT_COUNT] = {
        [VOLUME_FORMAT_NONE] = NULL,     [VOLUME_FORMAT_RAW] = "raw",         [VOLUME_FORMAT_DIR] = "dir",
        [VOLUME_FORMAT_BOCHS] = "bochs", [VOLUME_FORMAT_CLOOP] = "cloop",     [VOLUME_FORMAT_DMG] = "dmg",
        [VOLUME_FORMAT_ISO] = "iso",     [VOLUME_FORMAT_VPC] = "vpc",         [VOLUME_FORMAT_VDI] = "vdi",
        [VOLUME_FORMAT_FAT] = "fat",     [VOLUME_FORMAT_VHD] = "vhd",         [VOLUME_FORMAT_PLOOP] = "ploop",
        [VOLUME_FORMAT_COW] = "cow",     [VOLUME_FORMAT_QCOW] = "qcow",       [VOLUME_FORMAT_QCOW2] = "qcow2",
        [VOLUME_FORMAT_QED] = "qed",     [VOLUME_FORMAT_VMDK] = "vmdk",       [VOLUME_FORMAT_VHDX] = "vhdx",
        [VOLUME_FORMAT_LUKS] = "luks",   [VOLUME_FORMAT_UNKNOWN] = "unknown",
};

const char *volume_type_get_name(enum volume_type type)
{
        return type_names[type];
}

const char *volume_format_get_name(enum volume_format format)
{
        return format_names[format];
}

enum volume_format volume_format_parse(const char *name)
{
        for (unsigned i = VOLUME_FORMAT_RAW; i < VOLUME_FORMAT_COUNT; i++) {
                if (strcmp(format_names[i], name) == 0)
                        return i;
        }
        return VOLUME_FORMAT_NONE;
}

struct volume *volume_new(void)
{
        struct volume *volume = g_new0(struct volume, 1);

        volume->refs = 1;
        volume->permissions = volume->backing.permissions =
                (struct storage_permissions){ .mode = -1, .owner = -1, .group = -1 };
        return volume;
}

struct volume *volume_ref(struct volume *volume)
{
        g_atomic_int_inc(&volume->refs);
        return volume;
}

static void free_extents(struct volume *volume)
{
        for (unsigned i = 0; i < volume->n_extents; i++)
                g_free(volume->extents[i].path);
        g_free(volume->extents);
}

static void encryption_clear(struct volume_encryption *encryption)
{
        g_free(encryption->format);
        secret_ref_clear(&encryption->secret);
        g_free(encryption->cipher_name);
        g_free(encryption->cipher_mode);
        g_free(encryption->cipher_hash);
        g_free(encryption->ivgen_name);
        g_free(encryption->ivgen_hash);
}

void volume_unref(struct volume *volume)
{
        if (!volume || !g_atomic_int_dec_and_test(&volume->refs))
                return;
        g_free(volume->name);
        g_free(volume->key);
        g_free(volume->path);
        g_free(volume->format_name);
        g_free(volume->permissions.label);
        g_free(volume->backing.path);
        g_free(volume->backing.permissions.label);
        g_free(volume->compat);
        g_free(volume->part_type);
        encryption_clear(&volume->encryption);
        free_extents(volume);
        g_free(volume);
}

void volume_copy_secret_ref(const struct volume *volume, struct secret_ref *ref)
{
        const struct secret_ref by_path = { SECRET_USAGE_VOLUME, NULL, volume->path };
        const struct secret_ref *known = &volume->encryption.secret;

        secret_ref_copy(ref, secret_ref_is_given(known) ? known : &by_path);
}

static struct volume_encryption copy_encryption(const struct volume_encryption *from)
{
        struct volume_encryption to = *from;

        to.format = g_strdup(from->format);
        secret_ref_copy(&to.secret, &from->secret);
        to.cipher_name = g_strdup(from->cipher_name);
        to.cipher_mode = g_strdup(from->cipher_mode);
        to.cipher_hash = g_strdup(from->cipher_hash);
        to.ivgen_name = g_strdup(from->ivgen_name);
        to.ivgen_hash = g_strdup(from->ivgen_hash);
        return to;
}

struct volume *volume_copy(const struct volume *volume)
{
        struct volume *copy = g_new(struct volume, 1);

        *copy = *volume;
        copy->refs = 1;
        copy->name = g_strdup(volume->name);
        copy->key = g_strdup(volume->key);
        copy->path = g_strdup(volume->path);
        copy->format_name = g_strdup(volume->format_name);
        copy->permissions.label = g_strdup(volume->permissions.label);
        copy->backing.path = g_strdup(volume->backing.path);
        copy->backing.permissions.label = g_strdup(volume->backing.permissions.label);
        copy->compat = g_strdup(volume->compat);
        copy->part_type = g_strdup(volume->part_type);
        copy->encryption = copy_encryption(&volume->encryption);
        copy->extents = g_new(struct volume_extent, volume->n_extents);
        for (unsigned i = 0; i < volume->n_extents; i++) {
                copy->extents[i] = volume->extents[i];
                copy->extents[i].path = g_strdup(volume->extents[i].path);
        }
        return copy;
}

static bool times_equal(const struct volume_time *a, const struct volume_time *b)
{
        return a->seconds == b->seconds && a->nanoseconds == b->nanoseconds;
}

static bool permissions_equal(const struct storage_permissions *a, const struct storage_permissions *b)
{
        return a->mode == b->mode && a->owner == b->owner && a->group == b->group &&
               g_strcmp0(a->label, b->label) == 0;
}

static bool extents_equal(const struct volume *a, const struct volume *b)
{
        if (a->n_extents != b->n_extents)
                return false;
        for (unsigned i = 0; i < a->n_extents; i++) {
                if (a->extents[i].start != b->extents[i].start || a->extents[i].end != b->extents[i].end ||
                    g_strcmp0(a->extents[i].path, b->extents[i].path) != 0)
                        return false;
        }
        return true;
}

static bool contents_equal(const struct volume *a, const struct volume *b)
{
        return a->format == b->format && g_strcmp0(a->format_name, b->format_name) == 0 &&
               g_strcmp0(a->backing.path, b->backing.path) == 0 && a->backing.format == b->backing.format &&
               permissions_equal(&a->backing.permissions, &b->backing.permissions) &&
               g_strcmp0(a->compat, b->compat) == 0 && a->lazy_refcounts == b->lazy_refcounts &&
               a->extended_l2 == b->extended_l2 && a->nocow == b->nocow &&
               a->cluster_size == b->cluster_size &&
               g_strcmp0(a->encryption.format, b->encryption.format) == 0 &&
               secret_ref_equal(&a->encryption.secret, &b->encryption.secret) &&
               g_strcmp0(a->part_type, b->part_type) == 0;
}

bool volume_equal(const struct volume *a, const struct volume *b)
{
        if (a == b)
                return true;
        return strcmp(a->name, b->name) == 0 && g_strcmp0(a->key, b->key) == 0 &&
               g_strcmp0(a->path, b->path) == 0 && a->type == b->type && a->capacity == b->capacity &&
               a->allocation == b->allocation && a->physical == b->physical && a->inode == b->inode &&
               permissions_equal(&a->permissions, &b->permissions) && times_equal(&a->mtime, &b->mtime) &&
               times_equal(&a->ctime, &b->ctime) && contents_equal(a, b) && extents_equal(a, b);
}

bool volume_check_name(const char *name, GError **error)
{
        g_autofree char *quoted = error_quote(name);
        bool blank = true;

        if (strlen(name) > VOLUME_NAME_MAX)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "volume name '%s' is longer than %d bytes", quoted, VOLUME_NAME_MAX);
        if (!g_utf8_validate(name, -1, NULL))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "volume name '%s' is not UTF-8",
                                 quoted);
        for (const char *c = name; *c; c++) {
                if (*c == '/')
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                         "volume name '%s' cannot contain '/'", quoted);
                if (g_ascii_iscntrl(*c))
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                         "volume name '%s' has a control character in it", quoted);
                blank = blank && *c == ' ';
        }
        if (blank || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || temporary_is_name(name))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR, "'%s' cannot be a volume's name",
                                 quoted);
        return true;
}

/* ---- sets ---- */

static void *kind_ref(void *object)
{
        return volume_ref(object);
}

static void kind_unref(void *object)
{
        volume_unref(object);
}

static const char *kind_get_name(const void *object)
{
        return ((const struct volume *)object)->name;
}

static const char *kind_get_key(const void *object, unsigned key)
{
        const struct volume *volume = object;

        return key == VOLUME_KEY ? volume->key : volume->path;
}

const struct object_set_kind volume_set_kind = {
        .ref = kind_ref,
        .unref = kind_unref,
        .get_name = kind_get_name,
        .n_keys = VOLUME_KEY_COUNT,
        .get_key = kind_get_key,
};
