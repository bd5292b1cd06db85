/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * org.libvirt.Domain: what is done with a guest for long, and how guests are migrated. Loop thread.
 */
#include "bus/domain.h"
#include "bus/interface.h"
#include "bus/sight.h"
#include "bus/signal.h"
#include "drivers/domain/domain.h"
#include "introspection/domain.h"

void on_domain_abort_job(struct call *call)
{
        g_autoptr(GError) error = NULL;

        if (domain_abort_job(call_get_domain(call), &error))
                call_reply(call, "");
        else
                call_fail(call, error);
}

void on_domain_abort_job_flags(struct call *call)
{
        uint32_t flags;

        call_read(call, "u", &flags);
        domain_abort_job_flags(call_get_domain(call), flags, call_done, call);
}

void on_domain_get_job_info(struct call *call)
{
        struct domain_job_info info;
        const struct job_progress *progress = &info.progress;
        g_autoptr(GError) error = NULL;

        if (!domain_get_job_info(call_get_domain(call), &info, &error)) {
                call_fail(call, error);
                return;
        }
        call_reply(call, "(ittttttttttt)", (int)info.type, info.elapsed_ms, progress->remaining_ms,
                   progress->data.total, progress->data.processed, progress->data.remaining,
                   progress->memory.total, progress->memory.processed, progress->memory.remaining,
                   progress->disk.total, progress->disk.processed, progress->disk.remaining);
}

void on_domain_get_job_stats(struct call *call)
{
        g_autoptr(GError) error = NULL;
        enum domain_job_type type;
        CLEANUP(params_free)
        struct params *params =
                domain_get_job_stats(call_get_domain(call), call_read_flags(call), &type, &error);
        DBusMessageIter iter, answer;
        DBusMessage *reply;

        if (!params) {
                call_fail(call, error);
                return;
        }
        reply = call_begin_reply(call, &iter);
        marshal_open_struct(&iter, &answer);
        marshal_write(&answer, "i", (int)type);
        marshal_write_params(&answer, params);
        marshal_close(&iter, &answer);
        call_send_reply(call, reply);
}

/* ---- migration ---- */

static void set(struct call *call, enum domain_migration_setting setting)
{
        uint64_t value;
        uint32_t flags;

        call_read(call, "tu", &value, &flags);
        domain_set_migration(call_get_domain(call), setting, value, flags, call_done, call);
}

static void reply_number(uint64_t value, const GError *error, void *data)
{
        if (error)
                call_fail(data, error);
        else
                call_reply(data, "t", value);
}

static void get(struct call *call, enum domain_migration_setting setting)
{
        domain_get_migration(call_get_domain(call), setting, call_read_flags(call), reply_number, call);
}

void on_domain_migrate_get_compression_cache(struct call *call)
{
        get(call, DOMAIN_MIGRATION_CACHE);
}

void on_domain_migrate_get_max_speed(struct call *call)
{
        get(call, DOMAIN_MIGRATION_SPEED);
}

void on_domain_migrate_set_compression_cache(struct call *call)
{
        set(call, DOMAIN_MIGRATION_CACHE);
}

void on_domain_migrate_set_max_downtime(struct call *call)
{
        set(call, DOMAIN_MIGRATION_DOWNTIME);
}

void on_domain_migrate_set_max_speed(struct call *call)
{
        set(call, DOMAIN_MIGRATION_SPEED);
}

/* ---- signals ---- */

void domain_job_ended(const struct connect *connect, struct domain *domain)
{
        const struct branch *branch = tree_find_branch_of(connect, &domain->base);
        g_autofree char *path = branch ? tree_get_path(branch, domain) : NULL;
        CLEANUP(params_free) struct params *params = NULL;
        struct subject outer;
        DBusMessageIter iter;
        DBusMessage *message;

        if (!path)
                return;
        params = domain_get_last_job(domain);
        outer = sight_begin(branch, domain);
        message = signal_begin(path, &interface_domain, INTERFACE_DOMAIN_SIGNAL_JOB_COMPLETED, &iter);
        marshal_write_params(&iter, params);
        signal_end(connect->bus, message);
        sight_end(connect->bus, outer);
}
