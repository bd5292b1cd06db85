/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dumping a guest's memory to a file: an operation, and a job. What it has in common with a save are steps of
 * save.c; the guest goes on at its end, or does not. Entry points run on the loop, steps where they say.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/store.h"
#include "drivers/domain/model.h"
#include "drivers/domain/save.h"

#include <string.h>

#define DUMP_FLAGS                                                                                           \
        (DOMAIN_DUMP_CRASH | DOMAIN_DUMP_LIVE | DOMAIN_DUMP_BYPASS_CACHE | DOMAIN_DUMP_RESET |               \
         DOMAIN_DUMP_MEMORY_ONLY)

/* One that the definition preserves, so that somebody can have a look at it. */
static bool has_crashed(const struct domain *domain)
{
        return domain_get_current(domain)->state == DOMAIN_CRASHED;
}

/* Nothing goes on in it that would have to be stopped; one that sleeps is not woken up for its memory. */
static bool is_still(const struct domain_save *save)
{
        const struct domain *domain = domain_from(save->base.object);

        return has_crashed(domain) ||
               (save->memory_only && domain_get_current(domain)->state == DOMAIN_PMSUSPENDED);
}

static bool begin(struct operation *op, GError **error)
{
        struct domain_save *save = (struct domain_save *)op;
        struct domain *domain = domain_from(op->object);

        if (!managed_require_active(op->object, error) || !domain_require_idle(domain, error) ||
            !(is_still(save) || domain_save_check_state(domain, error)))
                return false;
        save->id = domain_get_current(domain)->id;
        domain->work = op->kind->name;
        return true;
}

static bool pause_guest(struct operation *op, GError **error)
{
        struct domain_save *save = (struct domain_save *)op;

        if (!(save->flags & DOMAIN_DUMP_LIVE) && !is_still(save))
                return domain_save_pause(op, error);
        if (!domain_save_require_there(save, error))
                return false;
        save->was_running = domain_get_current(domain_from(op->object))->state == DOMAIN_RUNNING;
        return true;
}

static bool end(struct operation *op, GError **error)
{
        struct domain_save *save = (struct domain_save *)op;
        struct domain *domain = domain_from(op->object);
        const struct domain_driver_ops *ops = domain->driver->ops;

        if (!domain_save_require_there(save, error) || !ops->save_publish(save, error))
                return false;
        if (save->flags & DOMAIN_DUMP_CRASH) {
                if (!ops->stop(domain, false, error))
                        return false;
                domain_stopped(domain, DOMAIN_SHUTOFF_CRASHED, DOMAIN_EVENT_STOPPED_CRASHED);
                return true;
        }
        if (save->flags & DOMAIN_DUMP_RESET && !ops->reset(domain, error))
                return false;
        domain_save_go_on(op);
        return true;
}

static void answer(struct operation *op, const GError *error)
{
        const struct domain_save *save = (const struct domain_save *)op;

        save->done(op->object, error, save->data);
}

static void clear(struct operation *op)
{
        struct domain_save *save = (struct domain_save *)op;

        g_clear_pointer(&save->guests, g_ptr_array_unref);
        g_free(save->path);
}

static const struct operation_step steps[] = {
        { .place = OPERATION_OBJECT, .run = begin, .undo = domain_save_leave, .temporary = true },
        { .place = OPERATION_WORKER,
          .run = domain_save_open_file,
          .undo = domain_save_close_file,
          .temporary = true },
        { .place = OPERATION_OBJECT, .run = pause_guest, .undo = domain_save_go_on },
        { .place = OPERATION_PASSIVE, .run = domain_save_write, .cancel = domain_save_cancel },
        { .place = OPERATION_WORKER, .run = domain_save_finish_file },
        { .place = OPERATION_OBJECT, .run = end, .final = true },
};

/* Nobody can make QEMU end one early. */
static const struct operation_step memory_steps[] = {
        { .place = OPERATION_OBJECT, .run = begin, .undo = domain_save_leave, .temporary = true },
        { .place = OPERATION_WORKER,
          .run = domain_save_open_file,
          .undo = domain_save_close_file,
          .temporary = true },
        { .place = OPERATION_OBJECT, .run = pause_guest, .undo = domain_save_go_on },
        { .place = OPERATION_PASSIVE, .run = domain_save_write, .final = true },
        { .place = OPERATION_WORKER, .run = domain_save_finish_file, .final = true },
        { .place = OPERATION_OBJECT, .run = end, .final = true },
};

#define KIND_MEMBERS(its_steps, its_done)                                                                    \
        .name = "dump", .number = 8 /* VIR_DOMAIN_JOB_OPERATION_DUMP */, .steps = (its_steps),               \
        .n_steps = G_N_ELEMENTS(its_steps), .size = sizeof(struct domain_save), .exclusive = true,           \
        .done = (its_done), .clear = clear

static const struct operation_kind kinds[] = { { KIND_MEMBERS(steps, answer) },
                                               { KIND_MEMBERS(memory_steps, answer) } };

static bool check_flags(unsigned flags, unsigned format, GError **error)
{
        const unsigned ends = flags & (DOMAIN_DUMP_CRASH | DOMAIN_DUMP_LIVE | DOMAIN_DUMP_RESET);

        if (!flags_check(flags, DUMP_FLAGS, ERROR_FROM_DOMAIN, "CoreDump", error))
                return false;
        if (ends & (ends - 1))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "flags 0x%x ask for more than one of crash, live and reset", flags);
        if (format > DOMAIN_DUMP_WIN_DMP)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "format %u of a dump is not supported", format);
        if (format != DOMAIN_DUMP_RAW && !(flags & DOMAIN_DUMP_MEMORY_ONLY))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "the formats of kdump and Windows are for dumps of memory only (flag 0x10)");
        if (format != DOMAIN_DUMP_RAW && flags & DOMAIN_DUMP_BYPASS_CACHE)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "the formats of kdump and Windows are not written around the host's cache");
        return true;
}

void domain_core_dump(struct domain *domain, const char *path, unsigned format, unsigned flags,
                      managed_done done, void *data)
{
        const struct domain_driver *driver = domain->driver;
        struct domain_save *save;
        GError *error = NULL;

        if (check_flags(flags, format, &error) && !driver->ops->save_open)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "CoreDump");
        if (error || !domain_check_file(path, &error)) {
                managed_fail(error, done, data);
                return;
        }
        save = (struct domain_save *)operation_new(&kinds[flags & DOMAIN_DUMP_MEMORY_ONLY ? 1 : 0],
                                                   &domain->base, driver->jobs);
        save->path = g_strdup(path);
        save->guests = domain_save_list_guests(driver);
        save->flags = flags;
        save->bypass_cache = flags & DOMAIN_DUMP_BYPASS_CACHE;
        save->is_dump = true;
        save->memory_only = flags & DOMAIN_DUMP_MEMORY_ONLY;
        save->dump_format = format;
        save->done = done;
        save->data = data;
        operation_run(&save->base);
}

/* ---- guests that crash ---- */

/* Of one domain: the first ones tell why, and a guest that crashes all the time does not fill the disk. */
#define DUMPS_MAX 4

static bool begin_crash(struct operation *op, GError **error)
{
        struct domain_save *save = (struct domain_save *)op;
        g_autoptr(GDateTime) now = g_date_time_new_now_utc();
        g_autofree char *time = g_date_time_format(now, "%Y%m%dT%H%M%S");

        if (!domain_save_require_there(save, error))
                return false;
        if (!has_crashed(domain_from(op->object)))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "somebody has done something else with it");
        save->path = g_strdup_printf("%s/%.100s-%s-%s.%06dZ", domain_from(op->object)->driver->dump_dir,
                                     managed_get_current_name(op->object), op->object->uuid_text, time,
                                     g_date_time_get_microsecond(now));
        return begin(op, error);
}

static unsigned count_dumps(const char *folder, const char *uuid)
{
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name;
        unsigned count = 0;

        /* Hidden ones were not finished. */
        while (dir && (name = g_dir_read_name(dir)))
                count += *name != '.' && strstr(name, uuid);
        return count;
}

/* The folder may be on a file server. */
static bool make_room(struct operation *op, GError **error)
{
        const char *folder = domain_from(op->object)->driver->dump_dir;

        if (!store_make_dir(folder, error))
                return false;
        if (count_dumps(folder, op->object->uuid_text) >= DUMPS_MAX)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                                 "'%s' has %u of its dumps already; remove some", folder, DUMPS_MAX);
        return true;
}

/* Lane. Whatever its state is now: that is the driver's to heed. */
static bool end_crash(struct managed *object, void *id, GError **error)
{
        struct domain *domain = domain_from(object);
        const struct domain_state *state = domain_get_current(domain);

        if (state && state->base.active && state->id == *(int *)id)
                domain->driver->ops->end_crash(domain);
        return true;
}

static void crash_dumped(struct operation *op, const GError *error)
{
        const struct domain_save *save = (const struct domain_save *)op;
        struct domain *domain = domain_from(op->object);
        struct managed_task task = { .work = end_crash, .urgency = MANAGED_IN_TURN };

        /* An agent that ends leaves all of it to the next one. */
        if (pool_is_stopping(domain->driver->pool))
                return;
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "domain '%s' has crashed, and is not dumped",
                           op->object->name);
        else
                log_notice("domain '%s' has crashed: its memory is in '%s'", op->object->name, save->path);
        task.args = g_memdup2(&save->id, sizeof(save->id));
        managed_run_task(op->object, &task, NULL, NULL);
}

static const struct operation_step crash_steps[] = {
        { .place = OPERATION_OBJECT, .run = begin_crash, .undo = domain_save_leave, .temporary = true },
        { .place = OPERATION_WORKER, .run = make_room },
        { .place = OPERATION_WORKER,
          .run = domain_save_open_file,
          .undo = domain_save_close_file,
          .temporary = true },
        { .place = OPERATION_OBJECT, .run = pause_guest, .undo = domain_save_go_on },
        { .place = OPERATION_PASSIVE, .run = domain_save_write, .final = true },
        { .place = OPERATION_WORKER, .run = domain_save_finish_file, .final = true },
        { .place = OPERATION_OBJECT, .run = end, .final = true },
};

/* Behind what somebody else does with the guest, a dump of it for instance, which its end would end. */
static const struct operation_kind crash_kind = { KIND_MEMBERS(crash_steps, crash_dumped), .waits = true };

struct crash {
        struct domain *domain; /* ref */
        int id;                /* of the guest that crashed; another one is another guest */
};

static void crash_free(struct crash *crash)
{
        managed_unref(&crash->domain->base);
        g_free(crash);
}

static void dump_crash(void *data)
{
        struct crash *crash = data;
        struct domain_driver *driver = crash->domain->driver;
        struct domain_save *save;

        if (!driver->jobs) {
                driver->crashes = g_slist_append(driver->crashes, crash);
                return;
        }
        save = (struct domain_save *)operation_new(&crash_kind, &crash->domain->base, driver->jobs);
        save->id = crash->id;
        save->is_dump = true;
        save->memory_only = true;
        operation_run(&save->base);
        crash_free(crash);
}

void domain_dump_crashes(struct domain_driver *driver)
{
        g_autoptr(GSList) crashes = g_steal_pointer(&driver->crashes);

        for (GSList *link = crashes; link; link = link->next) {
                if (driver->jobs)
                        dump_crash(link->data);
                else
                        crash_free(link->data);
        }
}

void domain_dump_crash(struct domain *domain)
{
        struct crash *crash = g_new(struct crash, 1);

        managed_ref(&domain->base);
        *crash = (struct crash){ domain, domain_get_current(domain)->id };
        loop_post(domain->driver->loop, dump_crash, crash);
}
