/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Post-copy whose way was cut goes on: the guest that has left comes by another one to what of its memory is
 * still here (migrate.h). Whatever fails, both sides have what they had, and it may be tried again. Steps run
 * where they say, the end on the loop.
 */
#include "drivers/domain/depart-private.h"

#include "base/error.h"
#include "base/remote-bus.h"

#include <string.h>

static struct domain *domain_of(const struct operation *op)
{
        return domain_from(op->object);
}

/* What it is to be by is what it was begun by: who repeats it has one flag more. */
static bool check_flags(const struct domain_departure *departure, const struct domain_departure_note *note,
                        GError **error)
{
        unsigned flags = departure->flags & ~(unsigned)DOMAIN_MIGRATE_POSTCOPY_RESUME;

        return flags == note->flags ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "the migration of domain '%s' was begun with the flags 0x%x, and goes on with these "
                         "and POSTCOPY_RESUME, not with 0x%x",
                         departure->base.object->name, note->flags, flags);
}

static bool begin(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        struct domain *domain = domain_of(op);
        const struct domain_departure_note *note;
        const struct domain_state *state;

        if (!managed_require_active(op->object, error))
                return false;
        note = domain->driver->ops->depart_get_note(domain);
        state = domain_get_current(domain);
        if (!note || !note->postcopy || state->state != DOMAIN_PAUSED ||
            state->reason != DOMAIN_PAUSED_POSTCOPY_FAILED)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' has no migration that has failed in post-copy",
                                 op->object->name);
        if (!check_flags(departure, note, error))
                return false;
        departure->flags = note->flags;
        departure->note = domain_departure_note_copy(note);
        departure->id = state->id;
        departure->whereabouts = DOMAIN_HAS_LEFT;
        domain->work = DEPART_WORK;
        return true;
}

/* Whoever asks for it from now on asks where it was answered last. */
static bool note_way(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        const char *destination = remote_place_get_uri(departure->place);
        struct domain_departure_note *note = &departure->note;

        if (!depart_is_there(departure) || strcmp(note->destination, destination) == 0)
                return true;
        g_free(note->destination);
        note->destination = g_strdup(destination);
        return domain_of(op)->driver->ops->depart_note(domain_of(op), note, error);
}

static void leave(struct operation *op)
{
        struct domain_departure *departure = departure_of(op);

        domain_of(op)->driver->ops->depart_free(departure);
        if (depart_is_there(departure))
                depart_mark_failed(domain_of(op));
}

/* With all of it there, what is here is of no use, whatever its emulator may be waiting for. */
static bool resume(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);

        if (!departure->uri) {
                operation_complete(op, NULL);
                return true;
        }
        return depart_require_there(departure, error) &&
               domain_of(op)->driver->ops->depart_resume(departure, error);
}

static const struct operation_step steps[] = {
        { .place = OPERATION_OBJECT, .run = begin, .undo = leave, .temporary = true },
        { .place = OPERATION_WORKER, .run = depart_recover },
        { .place = OPERATION_OBJECT, .run = note_way },
        { .place = OPERATION_PASSIVE, .run = resume, .final = true },
        { .place = OPERATION_OBJECT, .run = depart_end_guest, .final = true },
        { .place = OPERATION_WORKER, .run = depart_confirm, .final = true },
};

static void answer(struct operation *op, const GError *error)
{
        departure_of(op)->done(op->object, error, departure_of(op)->data);
}

const struct operation_kind depart_resume_kind = {
        .name = DEPART_WORK,
        .number = 5, /* VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT */
        .steps = steps,
        .n_steps = G_N_ELEMENTS(steps),
        .size = sizeof(struct domain_departure),
        .exclusive = true,
        .done = answer,
        .clear = depart_clear,
};
