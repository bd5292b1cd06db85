/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an operation does with a guest, as clients ask about it: how far it is, how the last one ended, and
 * that it is to stop; and how guests are migrated. Entry points run on the loop.
 */
#include "base/job.h"
#include "base/operation.h"
#include "base/params.h"
#include "drivers/domain/model.h"

#include <inttypes.h>

enum {
        COMPLETED = 1, /* virDomainGetJobStatsFlags */
        KEEP_COMPLETED = 2,
};

/* ---- how far it is ---- */

bool domain_get_job_info(const struct domain *domain, struct domain_job_info *info, GError **error)
{
        const struct operation *op = operation_get(&domain->base);

        *info = (struct domain_job_info){ .type = DOMAIN_JOB_NONE };
        if (!op || !op->job)
                return domain_is_active(domain) ||
                       error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is not running", domain->base.name);
        info->type = DOMAIN_JOB_UNBOUNDED;
        info->operation = op->kind->number;
        info->elapsed_ms = job_get_elapsed_ms(op->job);
        info->progress = *job_get_latest(op->job);
        return true;
}

/* How the last one ended; type is DOMAIN_JOB_NONE when there was none. */
static void get_last(const struct domain *domain, struct domain_job_info *info, const char **error)
{
        static const enum domain_job_type types[] = {
                [JOB_RUNNING] = DOMAIN_JOB_UNBOUNDED,
                [JOB_COMPLETED] = DOMAIN_JOB_COMPLETED,
                [JOB_FAILED] = DOMAIN_JOB_FAILED,
                [JOB_CANCELLED] = DOMAIN_JOB_CANCELLED,
        };
        const struct operation_report *report = operation_get_report(&domain->base);

        *info = (struct domain_job_info){ .type = DOMAIN_JOB_NONE };
        if (!report)
                return;
        info->type = types[report->state];
        info->operation = report->kind->number;
        info->elapsed_ms = report->elapsed_ms;
        info->progress = report->progress;
        *error = report->error;
}

static void add_known(struct params *params, const char *name, uint64_t value)
{
        if (value > 0)
                params_add_ulong(params, name, value);
}

static void add_amount(struct params *params, const char *part, const struct job_amount *amount)
{
        params_set_prefix(params, "%s_", part);
        params_add_ulong(params, "total", amount->total);
        params_add_ulong(params, "processed", amount->processed);
        params_add_ulong(params, "remaining", amount->remaining);
        params_set_prefix(params, "%s", "");
}

static void add_memory(struct params *params, const struct job_progress *progress)
{
        params_add_ulong(params, "memory_constant", progress->pages.constant);
        params_add_ulong(params, "memory_normal", progress->pages.normal);
        params_add_ulong(params, "memory_normal_bytes", progress->pages.normal_bytes);
        add_known(params, "memory_bps", progress->memory.per_second);
        params_add_ulong(params, "memory_dirty_rate", progress->pages.dirty_per_second);
        params_add_ulong(params, "memory_iteration", progress->pages.iteration);
        params_add_ulong(params, "memory_page_size", progress->pages.size);
        params_add_ulong(params, "memory_postcopy_requests", progress->pages.postcopy_requests);
}

/* The names are those of VIR_DOMAIN_JOB_*. */
static struct params *make_params(const struct domain_job_info *info, const char *error)
{
        const struct job_progress *progress = &info->progress;
        struct params *params = params_new();

        if (info->type == DOMAIN_JOB_NONE)
                return params;
        params_add_int(params, "operation", info->operation);
        params_add_ulong(params, "time_elapsed", info->elapsed_ms);
        add_known(params, "time_remaining", progress->remaining_ms);
        add_known(params, "downtime", progress->downtime_ms);
        add_known(params, "setup_time", progress->setup_ms);
        add_amount(params, "data", &progress->data);
        add_amount(params, "memory", &progress->memory);
        if (progress->pages.size > 0)
                add_memory(params, progress);
        add_amount(params, "disk", &progress->disk);
        add_known(params, "disk_bps", progress->disk.per_second);
        if (progress->compression.cache > 0) {
                params_add_ulong(params, "compression_cache", progress->compression.cache);
                params_add_ulong(params, "compression_bytes", progress->compression.bytes);
                params_add_ulong(params, "compression_pages", progress->compression.pages);
                params_add_ulong(params, "compression_cache_misses", progress->compression.cache_misses);
                params_add_ulong(params, "compression_overflow", progress->compression.overflow);
        }
        if (progress->throttle_percent > 0)
                params_add_int(params, "auto_converge_throttle", (int)progress->throttle_percent);
        if (info->type != DOMAIN_JOB_UNBOUNDED)
                params_add_bool(params, "success", info->type == DOMAIN_JOB_COMPLETED);
        if (error && *error)
                params_add_string(params, "errmsg", error);
        return params;
}

struct params *domain_get_job_stats(struct domain *domain, unsigned flags, enum domain_job_type *type,
                                    GError **error)
{
        struct domain_job_info info;
        const char *failure = NULL;
        struct params *params;

        if (!flags_check(flags, COMPLETED | KEEP_COMPLETED, ERROR_FROM_DOMAIN, "GetJobStats", error))
                return NULL;
        if (flags == KEEP_COMPLETED) {
                error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "flag KEEP_COMPLETED is for the job that has ended (COMPLETED)");
                return NULL;
        }
        if (flags & COMPLETED)
                get_last(domain, &info, &failure);
        else if (!domain_get_job_info(domain, &info, error))
                return NULL;
        *type = info.type;
        params = make_params(&info, failure);
        if (flags == COMPLETED)
                operation_forget_report(&domain->base);
        return params;
}

struct params *domain_get_last_job(const struct domain *domain)
{
        struct domain_job_info info;
        const char *failure = NULL;

        get_last(domain, &info, &failure);
        return make_params(&info, failure);
}

bool domain_abort_job(struct domain *domain, GError **error)
{
        struct operation *op = operation_get(&domain->base);

        if (!op || !op->job)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "no job is active on domain '%s'", domain->base.name);
        if (!operation_can_cancel(op))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "'%s' of domain '%s' cannot be aborted any more", op->kind->name,
                                 domain->base.name);
        operation_cancel(op);
        return true;
}

/* ---- how guests are migrated ---- */

/*
 * The speed is one of the domain as long as there is an agent, as libvirt has it: it may be set while the
 * domain is off, and the next start is told (speed_mib_s). The others are those of a guest that runs.
 */
enum {
        SPEED_POSTCOPY = 1, /* virDomainMigrateMaxSpeedFlags */
};

static const struct {
        const char *set, *get;
        uint64_t max;
} settings[] = {
        [DOMAIN_MIGRATION_SPEED] = { "MigrateSetMaxSpeed", "MigrateGetMaxSpeed", INT64_MAX >> 20 },
        [DOMAIN_MIGRATION_POSTCOPY_SPEED] = { "MigrateSetMaxSpeed", "MigrateGetMaxSpeed", INT64_MAX >> 20 },
        [DOMAIN_MIGRATION_DOWNTIME] = { "MigrateSetMaxDowntime", NULL, 2000 * 1000 },
        [DOMAIN_MIGRATION_CACHE] = { "MigrateSetCompressionCache", "MigrateGetCompressionCache", INT64_MAX },
};

struct setting {
        enum domain_migration_setting setting;
        uint64_t value;
        domain_number_done done; /* NULL: it is to be set */
        void *data;
};

static bool require(const struct domain *domain, GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        return managed_require_active(&domain->base, error) &&
               (!ops->reach || ops->reach((struct domain *)domain, error));
}

static bool set_work(struct managed *object, void *data, GError **error)
{
        const struct setting *setting = data;
        struct domain *domain = domain_from(object);
        bool is_kept = setting->setting == DOMAIN_MIGRATION_SPEED;

        if (!managed_require_known(object, error))
                return false;
        if ((object->current->active || !is_kept) &&
            (!require(domain, error) ||
             !domain->driver->ops->set_migration(domain, setting->setting, setting->value, error)))
                return false;
        if (is_kept)
                domain->speed_mib_s = setting->value;
        return true;
}

static bool get_work(struct managed *object, void *data, GError **error)
{
        struct setting *setting = data;
        struct domain *domain = domain_from(object);

        if (!managed_require_known(object, error))
                return false;
        if (setting->setting == DOMAIN_MIGRATION_SPEED && !object->current->active) {
                setting->value =
                        domain->speed_mib_s > 0 ? domain->speed_mib_s : settings[setting->setting].max;
                return true;
        }
        return require(domain, error) &&
               domain->driver->ops->get_migration(domain, setting->setting, &setting->value, error);
}

static void get_done(struct managed *object, const GError *error, void *data)
{
        struct setting *setting = data;

        setting->done(setting->value, error, setting->data);
        g_free(setting);
}

/* Of the two speeds, the one that flags mean. */
static bool choose(enum domain_migration_setting *setting, unsigned flags, const char *function,
                   GError **error)
{
        bool is_speed = *setting == DOMAIN_MIGRATION_SPEED;

        if (!flags_check(flags, is_speed ? SPEED_POSTCOPY : 0, ERROR_FROM_DOMAIN, function, error))
                return false;
        if (is_speed && flags & SPEED_POSTCOPY)
                *setting = DOMAIN_MIGRATION_POSTCOPY_SPEED;
        return true;
}

void domain_set_migration(struct domain *domain, enum domain_migration_setting setting, uint64_t value,
                          unsigned flags, managed_done done, void *data)
{
        struct managed_task task = { .work = set_work };
        GError *error = NULL;

        if (choose(&setting, flags, settings[setting].set, &error) && value > settings[setting].max)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OVERFLOW,
                          "%" PRIu64 " is more than %" PRIu64 " in %s", value, settings[setting].max,
                          settings[setting].set);
        if (!error && !domain->driver->ops->set_migration)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s", settings[setting].set);
        if (error) {
                managed_fail(error, done, data);
                return;
        }
        task.args =
                g_memdup2(&(struct setting){ .setting = setting, .value = value }, sizeof(struct setting));
        managed_run_task(&domain->base, &task, done, data);
}

void domain_get_migration(struct domain *domain, enum domain_migration_setting setting, unsigned flags,
                          domain_number_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct setting *asked;

        if (choose(&setting, flags, settings[setting].get, &error) && !domain->driver->ops->get_migration)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s", settings[setting].get);
        if (error) {
                done(0, error, data);
                return;
        }
        asked = g_new(struct setting, 1);
        *asked = (struct setting){ setting, 0, done, data };
        managed_run(&domain->base, MANAGED_IN_TURN, get_work, get_done, asked);
}
