/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Saving a guest to a file: an operation, and a job. The guest is paused when its file is there, and ends
 * when its state is on the disk; until then whatever fails lets it go on. Entry points run on the loop, steps
 * where they say.
 */
#include "drivers/domain/save.h"

#include "base/log.h"
#include "drivers/domain/live-xml.h"
#include "drivers/domain/model.h"

#define SAVE_FLAGS (DOMAIN_SAVE_BYPASS_CACHE | DOMAIN_SAVE_RUNNING | DOMAIN_SAVE_PAUSED)

static struct domain_save *save_of(struct operation *op)
{
        return (struct domain_save *)op;
}

static struct domain *domain_of(const struct operation *op)
{
        return domain_from(op->object);
}

static const struct domain_driver_ops *ops_of(const struct operation *op)
{
        return domain_of(op)->driver->ops;
}

/* ---- steps ---- */

bool domain_save_check_state(const struct domain *domain, GError **error)
{
        const struct domain_state *state = domain_get_current(domain);

        if (state->state == DOMAIN_RUNNING || state->state == DOMAIN_PAUSED)
                return true;
        /* QEMU wakes it up behind the last of its memory, so it would be awake where it goes on. */
        if (state->state == DOMAIN_PMSUSPENDED)
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                        "domain '%s' is suspended by its guest (PMSUSPENDED), and would not stay so: "
                        "wake it up first (PMWakeup)",
                        managed_get_current_name(&domain->base));
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                         "domain '%s' neither runs nor is paused", managed_get_current_name(&domain->base));
}

/* The document that the guest is restored with. */
static char *choose_xml(const struct domain *domain, const struct domain_def *wanted, GError **error)
{
        CLEANUP(domain_def_unref)
        struct domain_def *own =
                domain_def_make_migratable(domain_state_get_def(domain_get_current(domain)), error);

        if (!own || (wanted && !domain_def_check_same_guest(own, wanted, error)))
                return NULL;
        return g_strdup(wanted ? wanted->base.xml : own->base.xml);
}

/* What is in its memory, and what was written to its disks, belong together. */
static bool check_disks(const struct domain_def *def, GError **error)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (disk->transient && !disk->readonly)
                        return error_set(
                                error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                "domain '%s' cannot be saved: its disk '%s' is transient, and what the "
                                "guest has written to it would be lost",
                                def->base.name, disk->target);
        }
        return true;
}

/* A managed save is the domain's, and nobody's without it. */
static bool check_is_kept(const struct domain_save *save, GError **error)
{
        if (!save->managed || domain_get_current(domain_of(&save->base))->base.persistent)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                         "domain '%s' is transient: nothing would be left to start it again",
                         managed_get_current_name(save->base.object));
}

static bool begin(struct operation *op, GError **error)
{
        struct domain_save *save = save_of(op);
        struct domain *domain = domain_of(op);
        const struct domain_state *state = domain_get_current(domain);

        if (!managed_require_active(op->object, error) || !domain_require_idle(domain, error) ||
            !domain_save_check_state(domain, error) || !check_is_kept(save, error))
                return false;
        if (!check_disks(domain_state_get_def(state), error))
                return false;
        save->xml = choose_xml(domain, save->wanted, error);
        if (!save->xml)
                return false;
        save->id = state->id;
        save->runs = save->flags & DOMAIN_SAVE_RUNNING ||
                     (state->state == DOMAIN_RUNNING && !(save->flags & DOMAIN_SAVE_PAUSED));
        domain->work = op->kind->name;
        return true;
}

bool domain_save_open_file(struct operation *op, GError **error)
{
        struct domain_save *save = save_of(op);

        if (save->guests && !domain_save_find_target(save, error))
                return false;
        return ops_of(op)->save_open(save_of(op), error);
}

/* Not another one with the same name, that was started meanwhile. */
static bool is_there(const struct domain_save *save)
{
        const struct domain_state *state = domain_get_current(domain_of(&save->base));

        return state && state->base.active && state->id == save->id;
}

/* At the end, however it went; what another guest waits for is not ours. */
void domain_save_leave(struct operation *op)
{
        if (is_there(save_of(op)))
                domain_of(op)->work = NULL;
}

bool domain_save_require_there(const struct domain_save *save, GError **error)
{
        return is_there(save) || error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                                           "'%s' of domain '%s' ended with its guest", save->base.kind->name,
                                           save->base.object->name);
}

void domain_save_write_down(struct domain *domain, int reason)
{
        struct domain_state *state;

        if (!domain->driver->ops->save_status)
                return;
        state = (struct domain_state *)managed_edit(&domain->base);
        state->state = DOMAIN_PAUSED;
        state->reason = reason;
        domain->driver->ops->save_status(domain, state);
        managed_state_unref(&state->base);
}

bool domain_save_pause(struct operation *op, GError **error)
{
        struct domain_save *save = save_of(op);
        struct domain *domain = domain_of(op);

        if (!domain_save_require_there(save, error) || !domain_save_check_state(domain, error))
                return false;
        save->was_running = domain_get_current(domain)->state == DOMAIN_RUNNING;
        if (!save->was_running)
                return true;
        domain_save_write_down(domain, save->is_dump ? DOMAIN_PAUSED_DUMP : DOMAIN_PAUSED_SAVE);
        if (!ops_of(op)->suspend(domain, error)) {
                if (ops_of(op)->save_status)
                        ops_of(op)->save_status(domain, domain_get_current(domain));
                return false;
        }
        domain_transition(domain, DOMAIN_PAUSED, save->is_dump ? DOMAIN_PAUSED_DUMP : DOMAIN_PAUSED_SAVE,
                          DOMAIN_EVENT_SUSPENDED, DOMAIN_EVENT_SUSPENDED_PAUSED);
        return true;
}

void domain_save_go_on(struct operation *op)
{
        struct domain_save *save = save_of(op);
        struct domain *domain = domain_of(op);
        g_autoptr(GError) error = NULL;

        if (!save->was_running || !is_there(save) || domain_get_current(domain)->state != DOMAIN_PAUSED)
                return;
        if (ops_of(op)->resume(domain, &error))
                domain_transition(domain, DOMAIN_RUNNING,
                                  save->is_dump ? DOMAIN_RUNNING_UNPAUSED : DOMAIN_RUNNING_SAVE_CANCELED,
                                  DOMAIN_EVENT_RESUMED, DOMAIN_EVENT_RESUMED_UNPAUSED);
        else
                log_gerror(LOG_LEVEL_ERROR, error, "domain '%s' stays paused",
                           managed_get_current_name(op->object));
}

bool domain_save_write(struct operation *op, GError **error)
{
        return domain_save_require_there(save_of(op), error) && ops_of(op)->save_begin(save_of(op), error);
}

void domain_save_cancel(struct operation *op)
{
        ops_of(op)->save_cancel(save_of(op));
}

bool domain_save_finish_file(struct operation *op, GError **error)
{
        return ops_of(op)->save_finish(save_of(op), error);
}

static bool end_guest(struct operation *op, GError **error)
{
        struct domain_save *save = save_of(op);
        struct domain *domain = domain_of(op);

        /* It may have been undefined while the guest's memory was written. */
        if (!domain_save_require_there(save, error) || !check_is_kept(save, error) ||
            (save->managed && !domain_managed_save_mark(domain, save->resumes, error)) ||
            !ops_of(op)->save_publish(save, error))
                return false;
        if (!ops_of(op)->stop(domain, false, error)) {
                /* It goes on, and must not begin from here a second time. */
                if (ops_of(op)->save_retract)
                        ops_of(op)->save_retract(save);
                return false;
        }
        domain->has_save = save->managed;
        domain_stopped(domain, DOMAIN_SHUTOFF_SAVED, DOMAIN_EVENT_STOPPED_SAVED);
        return true;
}

static void answer(struct operation *op, const GError *error)
{
        const struct domain_save *save = save_of(op);

        save->done(op->object, error, save->data);
}

static void clear(struct operation *op)
{
        struct domain_save *save = save_of(op);

        domain_def_unref(save->wanted);
        g_clear_pointer(&save->guests, g_ptr_array_unref);
        g_free(save->path);
        g_free(save->xml);
}

/* Behind all else: a file that has not got its name goes. */
void domain_save_close_file(struct operation *op)
{
        ops_of(op)->save_free(save_of(op));
}

static const struct operation_step steps[] = {
        { .place = OPERATION_OBJECT, .run = begin, .undo = domain_save_leave, .temporary = true },
        { .place = OPERATION_WORKER,
          .run = domain_save_open_file,
          .undo = domain_save_close_file,
          .temporary = true },
        { .place = OPERATION_OBJECT, .run = domain_save_pause, .undo = domain_save_go_on },
        { .place = OPERATION_PASSIVE, .run = domain_save_write, .cancel = domain_save_cancel },
        { .place = OPERATION_WORKER, .run = domain_save_finish_file },
        { .place = OPERATION_OBJECT, .run = end_guest, .final = true },
};

static const struct operation_kind save_kind = {
        .name = "save",
        .number = 2, /* VIR_DOMAIN_JOB_OPERATION_SAVE */
        .steps = steps,
        .n_steps = G_N_ELEMENTS(steps),
        .size = sizeof(struct domain_save),
        .exclusive = true,
        .done = answer,
        .clear = clear,
};

/* ---- what saves ---- */

static bool check(const struct domain *domain, unsigned flags, const char *function, GError **error)
{
        if (!flags_check(flags, SAVE_FLAGS, ERROR_FROM_DOMAIN, function, error))
                return false;
        if ((flags & DOMAIN_SAVE_RUNNING) && (flags & DOMAIN_SAVE_PAUSED))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "flags 0x%x ask for a guest that both runs and is paused", flags);
        if (!domain->driver->ops->save_open)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s", function);
        return true;
}

static struct domain_save *make(struct domain *domain, char *path, unsigned flags, managed_done done,
                                void *data)
{
        struct domain_save *save =
                (struct domain_save *)operation_new(&save_kind, &domain->base, domain->driver->jobs);

        save->path = path;
        save->flags = flags;
        save->bypass_cache = flags & DOMAIN_SAVE_BYPASS_CACHE;
        save->done = done;
        save->data = data;
        return save;
}

/* The save stands in its turn only when the document that replaces the guest's own is understood. */
static void parsed(struct domain_def *def, const GError *error, void *data)
{
        struct domain_save *save = data;

        save->wanted = def;
        if (def)
                operation_run(&save->base);
        else
                operation_refuse(&save->base, g_error_copy(error));
}

void domain_save(struct domain *domain, const char *path, const char *xml, unsigned flags, managed_done done,
                 void *data)
{
        struct domain_save *save;
        GError *error = NULL;

        if (!check(domain, flags, "Save", &error) || !domain_check_file(path, &error)) {
                managed_fail(error, done, data);
                return;
        }
        save = make(domain, g_strdup(path), flags, done, data);
        save->guests = domain_save_list_guests(domain->driver);
        if (xml && *xml)
                domain_parse_replacing(domain, xml, parsed, save);
        else
                operation_run(&save->base);
}

static void save_managed(struct domain *domain, unsigned flags, bool resumes, managed_done done, void *data)
{
        struct domain_save *save;
        GError *error = NULL;

        if (!check(domain, flags, "ManagedSave", &error)) {
                managed_fail(error, done, data);
                return;
        }
        save = make(domain, domain_managed_save_get_path(domain), flags, done, data);
        save->managed = true;
        save->resumes = resumes;
        operation_run(&save->base);
}

void domain_managed_save(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        save_managed(domain, flags, false, done, data);
}

void domain_save_for_boot(struct domain *domain, managed_done done, void *data)
{
        save_managed(domain, 0, true, done, data);
}
