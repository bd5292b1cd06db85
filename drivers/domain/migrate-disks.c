/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that go along with a guest: which ones, and how one side tells the other. No state; any thread.
 */
#include "drivers/domain/migrate.h"

#include "base/error.h"
#include "drivers/domain/edit-xml.h"

#include <inttypes.h>
#include <string.h>

static bool is_listed(const struct params *params, const char *name, const char *target, bool *any)
{
        for (unsigned i = 0; i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);

                if (strcmp(param->name, name) != 0)
                        continue;
                *any = true;
                if (strcmp(param->value.s, target) == 0)
                        return true;
        }
        return false;
}

static bool has_medium(const struct domain_disk *disk)
{
        const struct domain_storage *source = &disk->source;

        return source->path || source->network || source->volume || source->vhost_user;
}

static bool is_read_only(const struct domain_disk *disk)
{
        return disk->readonly || disk->device == DOMAIN_DISK_CDROM;
}

bool domain_migrate_copies(const struct domain_disk *disk, unsigned flags, const struct params *params)
{
        bool any = false;

        if (!(flags & DOMAIN_MIGRATE_COPIES))
                return false;
        if (is_listed(params, "migrate_disks", disk->target, &any))
                return true;
        /* What a server has, another host has, too. */
        return !any && !is_read_only(disk) && !disk->shareable && has_medium(disk) &&
               disk->source.type != DOMAIN_STORAGE_NETWORK;
}

bool domain_migrate_detects_zeroes(const struct domain_disk *disk, const struct params *params)
{
        bool any;

        return is_listed(params, "migrate_disks_detect_zeroes", disk->target, &any);
}

static const struct domain_disk *find_disk(const struct domain_def *def, const char *target)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                if (strcmp(def->devices.disks[i].target, target) == 0)
                        return &def->devices.disks[i];
        }
        return NULL;
}

static bool check_named(const struct domain_def *def, const struct param *param, GError **error)
{
        const struct domain_disk *disk = find_disk(def, param->value.s);
        g_autofree char *quoted = disk ? NULL : error_quote(param->value.s);

        return disk || error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "parameter '%s' names disk '%s', which domain '%s' does not have",
                                 param->name, quoted, def->base.name);
}

static bool check_copied(const struct domain_disk *disk, GError **error)
{
        const char *why = NULL;

        if (!has_medium(disk))
                why = "it has no medium";
        else if (is_read_only(disk))
                why = "it is read-only";
        else if (disk->source.vhost_user)
                why = "another program serves it";
        return !why || error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "disk '%s' cannot be copied to another host: %s", disk->target, why);
}

bool domain_check_migration_copies(const struct domain_def *def, unsigned flags, const struct params *params,
                                   GError **error)
{
        for (unsigned i = 0; i < params_get_count(params); i++) {
                const struct param *param = params_get(params, i);

                if (g_str_has_prefix(param->name, "migrate_disks") && !check_named(def, param, error))
                        return false;
        }
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (domain_migrate_copies(disk, flags, params) && !check_copied(disk, error))
                        return false;
        }
        return true;
}

struct domain_def *domain_def_drop_copied_chains(struct domain_def *def, unsigned flags,
                                                 const struct params *params, GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                if (domain_migrate_copies(&def->devices.disks[i], flags, params))
                        domain_edit_drop_chain(edit, def->devices.disks[i].target);
        }
        return domain_edit_commit(edit, error);
}

/* ---- the list ---- */

static void copy_free(void *data)
{
        struct domain_copy *copy = data;

        g_free(copy->target);
        g_free(copy);
}

GPtrArray *domain_copies_new(void)
{
        return g_ptr_array_new_with_free_func(copy_free);
}

void domain_copies_add(GPtrArray *copies, const char *target, uint64_t size)
{
        struct domain_copy *copy = g_new0(struct domain_copy, 1);

        copy->target = g_strdup(target);
        copy->size = size;
        g_ptr_array_add(copies, copy);
}

const struct domain_copy *domain_copies_find(const GPtrArray *copies, const char *target)
{
        for (unsigned i = 0; copies && i < copies->len; i++) {
                const struct domain_copy *copy = g_ptr_array_index(copies, i);

                if (strcmp(copy->target, target) == 0)
                        return copy;
        }
        return NULL;
}

/* A line for each: "vda 1073741824". */
char *domain_copies_format(const GPtrArray *copies)
{
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < copies->len; i++) {
                const struct domain_copy *copy = g_ptr_array_index(copies, i);

                g_string_append_printf(text, "%s %" PRIu64 "\n", copy->target, copy->size);
        }
        return g_string_free(text, FALSE);
}

static bool parse_line(GPtrArray *copies, char *line)
{
        char *space = strrchr(line, ' ');
        guint64 size;

        if (!space || space == line || !g_ascii_string_to_unsigned(space + 1, 10, 1, INT64_MAX, &size, NULL))
                return false;
        *space = '\0';
        if (domain_copies_find(copies, line))
                return false;
        domain_copies_add(copies, line, size);
        return true;
}

static bool is_disk_of(const struct domain_def *def, const struct domain_copy *copy, GError **error)
{
        const struct domain_disk *disk = find_disk(def, copy->target);
        g_autofree char *quoted = disk ? NULL : error_quote(copy->target);

        if (!disk)
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                        "disk '%s' is to come, but the document of domain '%s' has none of that name", quoted,
                        def->base.name);
        return check_copied(disk, error);
}

GPtrArray *domain_copies_parse(const char *text, const struct domain_def *def, GError **error)
{
        g_autoptr(GPtrArray) copies = domain_copies_new();
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (unsigned i = 0; lines[i]; i++) {
                if (!*lines[i])
                        continue;
                if (!parse_line(copies, lines[i])) {
                        error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                  "parameter 'disks' is no list of disks and sizes");
                        return NULL;
                }
                if (!is_disk_of(def, g_ptr_array_index(copies, copies->len - 1), error))
                        return NULL;
        }
        return g_steal_pointer(&copies);
}
