/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters of the limits of a disk, with the names of virDomainGetBlockIoTune(). Disks of one group
 * have the same, and so have those behind one <throttlegroup>, whose numbers are no disk's own. No state;
 * edits in the domain's lane.
 */
#include "drivers/domain/parameters.h"

#include <inttypes.h>
#include <string.h>

/* What QEMU counts with. */
#define LIMIT_MAX  UINT64_C(1000000000000000)
#define LENGTH_MAX UINT32_MAX /* seconds */
#define GROUP_MAX  255        /* bytes */

/* Those that one call sets together: what is not given of them is 0 then. */
enum {
        BYTES = 1,
        IOPS = 2,
        BYTES_MAX = 4,
        IOPS_MAX = 8,
        SIZE = 16,
        NAME = 32,
        BYTES_LENGTH = 64,
        IOPS_LENGTH = 128,
};

static const struct param_rule rules[] = {
        { "total_bytes_sec", PARAM_ULONG, .group = BYTES, .max = LIMIT_MAX },
        { "read_bytes_sec", PARAM_ULONG, .group = BYTES, .max = LIMIT_MAX },
        { "write_bytes_sec", PARAM_ULONG, .group = BYTES, .max = LIMIT_MAX },
        { "total_iops_sec", PARAM_ULONG, .group = IOPS, .max = LIMIT_MAX },
        { "read_iops_sec", PARAM_ULONG, .group = IOPS, .max = LIMIT_MAX },
        { "write_iops_sec", PARAM_ULONG, .group = IOPS, .max = LIMIT_MAX },
        { "total_bytes_sec_max", PARAM_ULONG, .group = BYTES_MAX, .max = LIMIT_MAX },
        { "read_bytes_sec_max", PARAM_ULONG, .group = BYTES_MAX, .max = LIMIT_MAX },
        { "write_bytes_sec_max", PARAM_ULONG, .group = BYTES_MAX, .max = LIMIT_MAX },
        { "total_iops_sec_max", PARAM_ULONG, .group = IOPS_MAX, .max = LIMIT_MAX },
        { "read_iops_sec_max", PARAM_ULONG, .group = IOPS_MAX, .max = LIMIT_MAX },
        { "write_iops_sec_max", PARAM_ULONG, .group = IOPS_MAX, .max = LIMIT_MAX },
        { "size_iops_sec", PARAM_ULONG, .group = SIZE, .max = LIMIT_MAX },
        { "group_name", PARAM_STRING, .group = NAME, .max = GROUP_MAX },
        { "total_bytes_sec_max_length", PARAM_ULONG, .group = BYTES_LENGTH, .max = LENGTH_MAX },
        { "read_bytes_sec_max_length", PARAM_ULONG, .group = BYTES_LENGTH, .max = LENGTH_MAX },
        { "write_bytes_sec_max_length", PARAM_ULONG, .group = BYTES_LENGTH, .max = LENGTH_MAX },
        { "total_iops_sec_max_length", PARAM_ULONG, .group = IOPS_LENGTH, .max = LENGTH_MAX },
        { "read_iops_sec_max_length", PARAM_ULONG, .group = IOPS_LENGTH, .max = LENGTH_MAX },
        { "write_iops_sec_max_length", PARAM_ULONG, .group = IOPS_LENGTH, .max = LENGTH_MAX },
};
static const struct param_table table = { ERROR_FROM_DOMAIN, "SetBlockIOTune", rules, G_N_ELEMENTS(rules),
                                          0 };

/* ---- the limits ---- */

/* The place of a limit by its name; NULL: none. */
static uint64_t *find_limit(struct domain_iotune *tune, const char *name)
{
        for (unsigned i = 0; i < DOMAIN_IOTUNE_LIMITS; i++) {
                if (strcmp(domain_iotune_limits[i].name, name) == 0)
                        return domain_iotune_get_limit(tune, i);
        }
        return NULL;
}

static bool refuse(const struct domain_disk *disk, GError **error, const char *format, ...)
        G_GNUC_PRINTF(3, 4);

static bool refuse(const struct domain_disk *disk, GError **error, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "the limits of disk '%s': %s",
                         disk->target, text);
}

/* A kind of limit with its bursts, as documents order them: total, read, write. */
static bool check_kind(const struct domain_disk *disk, const char *kind, const uint64_t limits[3],
                       const uint64_t bursts[3], const uint64_t lengths[3], GError **error)
{
        static const char *const names[] = { "total", "read", "write" };

        if (limits[0] && (limits[1] || limits[2]))
                return refuse(disk, error, "either the total of %s_sec or reading and writing", kind);
        if (bursts[0] && (bursts[1] || bursts[2]))
                return refuse(disk, error, "either the total of %s_sec_max or reading and writing", kind);
        for (unsigned i = 0; i < 3; i++) {
                if (bursts[i] && !limits[i])
                        return refuse(disk, error, "%s_%s_sec_max is of no %s_%s_sec", names[i], kind,
                                      names[i], kind);
                if (bursts[i] && bursts[i] < limits[i])
                        return refuse(disk, error, "%s_%s_sec_max is less than %s_%s_sec, %" PRIu64, names[i],
                                      kind, names[i], kind, limits[i]);
                if (lengths[i] && !bursts[i])
                        return refuse(disk, error, "%s_%s_sec_max_length is of no %s_%s_sec_max", names[i],
                                      kind, names[i], kind);
                if (lengths[i] && lengths[i] > LIMIT_MAX / bursts[i])
                        return refuse(disk, error,
                                      "%s_%s_sec_max over %s_%s_sec_max_length is more than %" PRIu64,
                                      names[i], kind, names[i], kind, LIMIT_MAX);
        }
        return true;
}

static bool check_size(const struct domain_disk *disk, const struct domain_iotune *tune, GError **error)
{
        if (!tune->size_iops_sec || tune->total_iops_sec || tune->read_iops_sec || tune->write_iops_sec)
                return true;
        return refuse(disk, error, "size_iops_sec is of no limit of operations (iops_sec)");
}

static bool check_limits(const struct domain_disk *disk, const struct domain_iotune *tune, GError **error)
{
        return check_kind(disk, "bytes",
                          (const uint64_t[]){ tune->total_bytes_sec, tune->read_bytes_sec,
                                              tune->write_bytes_sec },
                          (const uint64_t[]){ tune->total_bytes_sec_max, tune->read_bytes_sec_max,
                                              tune->write_bytes_sec_max },
                          (const uint64_t[]){ tune->total_bytes_sec_max_length,
                                              tune->read_bytes_sec_max_length,
                                              tune->write_bytes_sec_max_length },
                          error) &&
               check_kind(
                       disk, "iops",
                       (const uint64_t[]){ tune->total_iops_sec, tune->read_iops_sec, tune->write_iops_sec },
                       (const uint64_t[]){ tune->total_iops_sec_max, tune->read_iops_sec_max,
                                           tune->write_iops_sec_max },
                       (const uint64_t[]){ tune->total_iops_sec_max_length, tune->read_iops_sec_max_length,
                                           tune->write_iops_sec_max_length },
                       error) &&
               check_size(disk, tune, error);
}

/* ---- the definition ---- */

static const struct domain_disk *find_disk(const struct domain_def *def, const char *name, GError **error)
{
        const struct domain_disk *disk = domain_def_find_disk(def, name);
        g_autofree char *quoted = error_quote(name);

        if (!disk)
                error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "domain '%s' has no disk '%s'",
                          def->base.name, quoted);
        return disk;
}

static unsigned index_of(const struct domain_def *def, const struct domain_disk *disk)
{
        return (unsigned)(disk - def->devices.disks);
}

/*
 * Those of a disk's limits that are meant: its own (NULL: it has none), or of the <throttlegroup>s that it is
 * behind the one of that name; name NULL: the only one.
 */
static bool choose(const struct domain_disk *disk, const struct param *name,
                   const struct domain_iotune **chosen, GError **error)
{
        const struct domain_iotune *tune = disk->iotune;
        g_autofree char *quoted = NULL;

        *chosen = tune;
        if (!tune || !tune->is_filter || (!name && !tune->next))
                return true;
        if (!name)
                return refuse(disk, error,
                              "it is behind several <throttlegroup>: say by group_name which of them");
        for (; tune; tune = tune->next) {
                *chosen = tune;
                if (strcmp(tune->group_name, name->value.s) == 0)
                        return true;
        }
        quoted = error_quote(name->value.s);
        return refuse(disk, error, "it is not behind a <throttlegroup> '%s'", quoted);
}

/* What is to be: what was given in the place of its kind, and all else as it is. */
static void merge(const struct params *params, const struct domain_iotune *before, struct domain_iotune *tune)
{
        unsigned given = params_get_groups(params, &table);
        const struct param *name = params_find(params, "group_name");

        if (before)
                *tune = *before;
        for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
                uint64_t *limit = find_limit(tune, rules[i].name);

                if (limit && given & rules[i].group)
                        *limit = parameters_get(params, rules[i].name, 0);
        }
        if (name)
                tune->group_name = *name->value.s ? name->value.s : NULL;
}

static bool is_behind(const struct domain_disk *disk, const char *group)
{
        const struct domain_iotune *tune = disk->iotune;

        for (; group && tune; tune = tune->next) {
                if (g_strcmp0(tune->group_name, group) == 0)
                        return true;
        }
        return false;
}

/* The limits that those of a group have, which one that joins them gets; NULL: there is no such group. */
static const struct domain_iotune *find_group(const struct domain_def *def, const char *name)
{
        for (const struct domain_iotune *group = def->throttle_groups; group; group = group->next) {
                if (g_strcmp0(group->group_name, name) == 0)
                        return group;
        }
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                if (is_behind(&def->devices.disks[i], name))
                        return def->devices.disks[i].iotune;
        }
        return NULL;
}

static bool is_behind_filters(const struct domain_disk *disk)
{
        return disk->iotune && disk->iotune->is_filter;
}

/* What is to be of a disk, and of its group. */
static bool settle(const struct domain_def *def, const struct domain_disk *disk, const struct params *params,
                   struct domain_iotune *tune, GError **error)
{
        const struct param *name = params_find(params, "group_name");
        const char *group = name && *name->value.s ? name->value.s : NULL;
        const struct domain_iotune *before;
        bool joins;

        if (!choose(disk, name, &before, error))
                return false;
        joins = group && !is_behind(disk, group);
        if (joins && find_group(def, group))
                before = find_group(def, group);
        merge(params, before, tune);
        if (is_behind_filters(disk) || !domain_iotune_is_empty(tune))
                return check_limits(disk, tune, error);
        if (joins)
                return refuse(disk, error, "a group that it joins needs some");
        /* The others of its group keep theirs. */
        tune->group_name = NULL;
        return true;
}

static bool edit_disk(struct domain_edit *edit, const struct domain_def *def,
                      const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct parameters *parameters = change->args;
        const struct domain_disk *disk = find_disk(def, parameters->device, error);
        struct domain_iotune tune = { 0 };

        if (!disk || !settle(def, disk, parameters->params, &tune, error))
                return false;
        if (tune.group_name)
                domain_edit_set_throttle_group(edit, tune.group_name, &tune);
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *other = &def->devices.disks[i];

                if (!is_behind_filters(other) && (other == disk || is_behind(other, tune.group_name)))
                        domain_edit_set_disk_iotune(edit, i, &tune);
        }
        return true;
}

static bool act_disk(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                     GError **error)
{
        const struct parameters *parameters = change->args;
        const struct domain_def *before = domain_def_of(domain->base.current->active);
        const struct domain_disk *disk = find_disk(before, parameters->device, error);

        if (!disk)
                return false;
        return parameters_update(domain, change, DOMAIN_DEVICE_DISK, index_of(before, disk), live, error);
}

static struct managed_event *event_disk(const struct domain_change *change)
{
        const struct parameters *parameters = change->args;
        struct domain_event *event;

        if (!(change->affect & DOMAIN_AFFECT_LIVE))
                return NULL;
        event = domain_event_new(DOMAIN_EVENT_TUNABLE);
        event->params = params_new();
        params_set_prefix(event->params, "blkdeviotune.");
        params_add_string(event->params, "disk", parameters->device);
        for (unsigned i = 0; i < params_get_count(parameters->params); i++) {
                const struct param *param = params_get(parameters->params, i);

                if (param->type == PARAM_STRING)
                        params_add_string(event->params, param->name, param->value.s);
                else
                        params_add_ulong(event->params, param->name, param->value.t);
        }
        return &event->base;
}

static bool tell_disk(const struct domain_def *def, const struct domain_tuning *tuning, const char *device,
                      struct params *params, GError **error)
{
        const struct domain_disk *disk = find_disk(def, device, error);
        struct domain_iotune tune = { 0 };

        if (!disk)
                return false;
        if (disk->iotune && disk->iotune->next)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "disk '%s' is behind several <throttlegroup>, and their limits, which are "
                                 "not those of one, are in the document",
                                 disk->target);
        if (disk->iotune)
                tune = *disk->iotune;
        for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
                const uint64_t *limit = find_limit(&tune, rules[i].name);

                if (limit)
                        params_add_ulong(params, rules[i].name, *limit);
                else
                        params_add_string(params, rules[i].name, tune.group_name);
        }
        return true;
}

/* QEMU cannot be told how the disk was without its old definition: the file is written first. */
const struct parameters_kind parameters_disk = {
        .table = &table,
        .row = {
                .function = "SetBlockIOTune",
                .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
                .edit = edit_disk,
                .act = act_disk,
                .stores_first = true,
                .event = event_disk,
                .args_free = parameters_free,
        },
        .get = "GetBlockIOTune",
        .tell = tell_disk,
};
