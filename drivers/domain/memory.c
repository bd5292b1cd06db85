/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: memory. Rows of domain_modify(): entry points run on the loop, edits and actions in the
 * domain's lane.
 */
#include "drivers/domain/domain.h"

#include "drivers/domain/modify.h"
#include "drivers/domain/stats-private.h"

#include <string.h>

/* What its bytes can be counted with. */
#define KIB_MAX (INT64_MAX / 1024)

/* The balloon of a guest; NULL: it has none. */
static const struct domain_memballoon *get_balloon(const struct domain_def *def)
{
        const struct domain_memballoon *balloon = def->devices.memballoon;

        return balloon && g_strcmp0(balloon->model, "none") != 0 ? balloon : NULL;
}

static bool require_balloon(const struct domain_def *def, GError **error)
{
        if (get_balloon(def))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                         "domain '%s' has no memory balloon", def->base.name);
}

static bool no_support(const struct domain_change *change, GError **error)
{
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s of a domain that runs",
                         change->row->function);
}

/* ---- size ---- */

struct memory {
        uint64_t kib;
        uint64_t reached_kib; /* what the guest has since its balloon was told; 0: what it had before */
};

static bool edit_maximum(struct domain_edit *edit, const struct domain_def *def, uint64_t kib,
                         enum domain_affect side, GError **error)
{
        if (side == DOMAIN_AFFECT_LIVE)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "the maximum memory of domain '%s' is fixed while it runs", def->base.name);
        if (def->cpu.n_cells > 0)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "the memory of domain '%s' is that of its NUMA cells", def->base.name);
        if (def->max_memory_kib > 0 && kib > def->max_memory_kib)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "%" G_GUINT64_FORMAT
                                 " KiB are more than domain '%s' can have plugged in, %" G_GUINT64_FORMAT
                                 " KiB",
                                 kib, def->base.name, def->max_memory_kib);
        domain_edit_set_memory(edit, kib);
        if (def->current_memory_kib > kib)
                domain_edit_set_current_memory(edit, kib);
        return true;
}

/* The current memory of a guest is what its balloon leaves it, which the driver tells (act). */
static bool edit_memory(struct domain_edit *edit, const struct domain_def *def,
                        const struct domain_change *change, enum domain_affect side, GError **error)
{
        uint64_t kib = ((const struct memory *)change->args)->kib;

        if (change->flags & DOMAIN_MEMORY_MAXIMUM)
                return edit_maximum(edit, def, kib, side, error);
        if (kib > def->memory_kib)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "%" G_GUINT64_FORMAT
                                 " KiB are more than the maximum memory of domain '%s', %" G_GUINT64_FORMAT
                                 " KiB",
                                 kib, def->base.name, def->memory_kib);
        if (side == DOMAIN_AFFECT_LIVE)
                return require_balloon(def, error);
        domain_edit_set_current_memory(edit, kib);
        return true;
}

static bool act_memory(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                       GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;
        uint64_t before_kib = (*live)->current_memory_kib;
        struct memory *memory = change->args;

        if (!ops->set_memory)
                return no_support(change, error);
        if (!ops->set_memory(domain, memory->kib, live, error))
                return false;
        if ((*live)->current_memory_kib != before_kib)
                memory->reached_kib = (*live)->current_memory_kib;
        return true;
}

static bool undo_memory(struct domain *domain, const struct domain_change *change,
                        const struct domain_def *before, GError **error)
{
        CLEANUP(domain_def_unref)
        struct domain_def *def = domain_def_ref((struct domain_def *)before);

        return domain->driver->ops->set_memory(domain, before->current_memory_kib, &def, error);
}

static struct managed_event *memory_event(const struct domain_change *change)
{
        const struct memory *memory = change->args;
        struct domain_event *event;

        if (memory->reached_kib == 0)
                return NULL;
        event = domain_event_new(DOMAIN_EVENT_BALLOON_CHANGE);
        event->number = (int64_t)memory->reached_kib;
        return &event->base;
}

static const struct domain_modification memory_row = {
        .function = "SetMemory",
        .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG | DOMAIN_MEMORY_MAXIMUM,
        .edit = edit_memory,
        .act = act_memory,
        .undo = undo_memory,
        .event = memory_event,
};

void domain_set_memory(struct domain *domain, uint64_t kib, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;
        struct memory *memory;

        if (kib == 0)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "a domain cannot be without memory");
        else if (kib > KIB_MAX)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OVERFLOW,
                          "%" G_GUINT64_FORMAT " KiB of memory are more than %" G_GINT64_FORMAT, kib,
                          KIB_MAX);
        if (error) {
                managed_fail(error, done, data);
                return;
        }
        memory = g_new0(struct memory, 1);
        memory->kib = kib;
        domain_modify(domain, &memory_row, memory, flags, done, data);
}

bool domain_get_max_memory(const struct domain *domain, unsigned flags, uint64_t *kib, GError **error)
{
        const struct domain_def *def;

        if (!flags_check(flags, DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG, ERROR_FROM_DOMAIN, "GetMaxMemory",
                         error))
                return false;
        def = domain_choose_def(domain->base.published, flags, error);
        if (!def)
                return false;
        *kib = def->memory_kib;
        return true;
}

/* ---- statistics of the balloon ---- */

static bool edit_period(struct domain_edit *edit, const struct domain_def *def,
                        const struct domain_change *change, enum domain_affect side, GError **error)
{
        if (!require_balloon(def, error))
                return false;
        domain_edit_set_stats_period(edit, *(const unsigned *)change->args);
        return true;
}

static bool act_period(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                       GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        if (!ops->set_stats_period)
                return no_support(change, error);
        if (!ops->set_stats_period(domain, *live, error))
                return false;
        stats_forget(domain, DOMAIN_PART_BALLOON);
        return true;
}

static bool undo_period(struct domain *domain, const struct domain_change *change,
                        const struct domain_def *before, GError **error)
{
        return domain->driver->ops->set_stats_period(domain, before, error);
}

static const struct domain_modification period_row = {
        .function = "SetMemoryStatsPeriod",
        .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
        .edit = edit_period,
        .act = act_period,
        .undo = undo_period,
};

void domain_set_memory_stats_period(struct domain *domain, int period_s, unsigned flags, managed_done done,
                                    void *data)
{
        GError *error = NULL;

        if (period_s >= 0) {
                domain_modify(domain, &period_row, g_memdup2(&period_s, sizeof(period_s)), flags, done, data);
                return;
        }
        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "a period of %d s is negative", period_s);
        managed_fail(error, done, data);
}
