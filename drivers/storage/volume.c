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
        volume->permissions = (struct storage_permissions){ .mode = -1, .owner = -1, .group = -1 };
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

/* With room for the orders behind the volumes. */
static struct volume_set *set_alloc(unsigned count)
{
        size_t slots = (size_t)count * (1 + VOLUME_FIELD_COUNT);
        struct volume_set *set = g_malloc(sizeof(*set) + slots * sizeof(gpointer));

        set->refs = 1;
        set->count = count;
        for (unsigned f = 0; f < VOLUME_FIELD_COUNT; f++)
                set->orders[f] = (struct volume_order){ .volumes = set->volumes + (size_t)count * (1 + f) };
        return set;
}

static const char *text_of(const struct volume *volume, enum volume_field field)
{
        return field == VOLUME_KEY ? volume->key : volume->path;
}

static gint compare_texts(gconstpointer a, gconstpointer b, gpointer field)
{
        return strcmp(text_of(*(struct volume *const *)a, GPOINTER_TO_UINT(field)),
                      text_of(*(struct volume *const *)b, GPOINTER_TO_UINT(field)));
}

/* As files in a directory are. */
static bool is_in_order(const struct volume_order *order, enum volume_field field)
{
        for (unsigned i = 1; i < order->count; i++)
                if (strcmp(text_of(order->volumes[i - 1], field), text_of(order->volumes[i], field)) > 0)
                        return false;
        return true;
}

/* The last step of making a set, whose volumes are there. */
static struct volume_set *put_in_order(struct volume_set *set)
{
        for (unsigned f = 0; f < VOLUME_FIELD_COUNT; f++) {
                struct volume_order *order = &set->orders[f];

                for (unsigned i = 0; i < set->count; i++)
                        if (text_of(set->volumes[i], f))
                                order->volumes[order->count++] = set->volumes[i];
                if (!is_in_order(order, f))
                        g_qsort_with_data(order->volumes, (int)order->count, sizeof(gpointer), compare_texts,
                                          GUINT_TO_POINTER(f));
        }
        return set;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
        return strcmp((*(struct volume *const *)a)->name, (*(struct volume *const *)b)->name);
}

struct volume_set *volume_set_new(GPtrArray *list)
{
        struct volume_set *set = set_alloc(list->len);
        unsigned count = 0;

        g_ptr_array_sort(list, compare_names);
        for (unsigned i = 0; i < list->len; i++) {
                struct volume *volume = g_ptr_array_index(list, i);

                if (count && strcmp(set->volumes[count - 1]->name, volume->name) == 0)
                        continue;
                set->volumes[count++] = volume_ref(volume);
        }
        set->count = count;
        return put_in_order(set);
}

struct volume_set *volume_set_ref(struct volume_set *set)
{
        g_atomic_int_inc(&set->refs);
        return set;
}

void volume_set_unref(struct volume_set *set)
{
        if (!set || !g_atomic_int_dec_and_test(&set->refs))
                return;
        for (unsigned i = 0; i < set->count; i++)
                volume_unref(set->volumes[i]);
        g_free(set);
}

/* Where name is or would be; true when it is there. */
static bool search(const struct volume_set *set, const char *name, unsigned *position)
{
        unsigned low = 0, high = set ? set->count : 0;

        while (low < high) {
                unsigned middle = low + (high - low) / 2;
                int order = strcmp(set->volumes[middle]->name, name);

                if (order == 0) {
                        *position = middle;
                        return true;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *position = low;
        return false;
}

struct volume *volume_set_find(const struct volume_set *set, const char *name)
{
        unsigned position;

        return search(set, name, &position) ? set->volumes[position] : NULL;
}

struct volume *volume_set_find_by(const struct volume_set *set, enum volume_field field, const char *text)
{
        const struct volume_order *order = &set->orders[field];
        unsigned low = 0, high = order->count;

        while (low < high) {
                unsigned middle = low + (high - low) / 2;

                if (strcmp(text_of(order->volumes[middle], field), text) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low < order->count && strcmp(text_of(order->volumes[low], field), text) == 0)
                return order->volumes[low];
        return NULL;
}

static void copy_range(struct volume_set *to, unsigned at, const struct volume_set *from, unsigned start,
                       unsigned end)
{
        for (unsigned i = start; i < end; i++)
                to->volumes[at++] = volume_ref(from->volumes[i]);
}

struct volume_set *volume_set_with(const struct volume_set *set, struct volume *volume)
{
        unsigned count = set ? set->count : 0, position;
        bool replaces = search(set, volume->name, &position);
        struct volume_set *with = set_alloc(count + !replaces);

        copy_range(with, 0, set, 0, position);
        with->volumes[position] = volume_ref(volume);
        copy_range(with, position + 1, set, position + replaces, count);
        return put_in_order(with);
}

struct volume_set *volume_set_without(const struct volume_set *set, const char *name)
{
        unsigned count = set ? set->count : 0, position;
        bool found = search(set, name, &position);
        struct volume_set *without = set_alloc(count - found);

        copy_range(without, 0, set, 0, found ? position : count);
        if (found)
                copy_range(without, position, set, position + 1, count);
        return put_in_order(without);
}

static struct volume *walk_at(const struct volume_set *set, unsigned position)
{
        return set && position < set->count ? set->volumes[position] : NULL;
}

bool volume_set_walk_next(struct volume_set_walk *walk, struct volume **before, struct volume **after)
{
        for (;;) {
                struct volume *old = walk_at(walk->before, walk->n_before);
                struct volume *new = walk_at(walk->after, walk->n_after);
                int order = !old ? 1 : !new ? -1 : old == new ? 0 : strcmp(old->name, new->name);

                if (!old && !new)
                        return false;
                walk->n_before += (order <= 0);
                walk->n_after += (order >= 0);
                *before = order <= 0 ? old : NULL;
                *after = order >= 0 ? new : NULL;
                if (*before != *after)
                        return true;
        }
}

void volume_set_diff(const struct volume_set *before, const struct volume_set *after, volume_set_differ fn,
                     void *data)
{
        struct volume_set_walk walk = { .before = before, .after = after };
        struct volume *old, *new;

        if (before == after)
                return;
        while (volume_set_walk_next(&walk, &old, &new))
                fn(old, new, data);
}
