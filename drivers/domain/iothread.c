/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: I/O threads. Rows of domain_modify(): entry points run on the loop, edits and actions in
 * the domain's lane.
 */
#include "drivers/domain/domain.h"

#include "drivers/domain/check.h"
#include "drivers/domain/modify.h"

static unsigned get_id(const struct domain_change *change)
{
        return *(const unsigned *)change->args;
}

static bool no_support(const struct domain_change *change, GError **error)
{
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s of a domain that runs",
                         change->row->function);
}

static bool set(struct domain *domain, const struct domain_change *change, bool there,
                const struct domain_def *def, GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        if (!ops->set_iothread)
                return no_support(change, error);
        return ops->set_iothread(domain, get_id(change), there, def, error);
}

/* ---- one more ---- */

static bool edit_add(struct domain_edit *edit, const struct domain_def *def,
                     const struct domain_change *change, enum domain_affect side, GError **error)
{
        unsigned id = get_id(change);

        if (check_has_iothread(def, id))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "domain '%s' has I/O thread %u already", def->base.name, id);
        if (def->iothreads >= DOMAIN_IOTHREADS_MAX)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "domain '%s' has %u I/O threads, and can have no more", def->base.name,
                                 (unsigned)def->iothreads);
        domain_edit_add_iothread(edit, def, id);
        return true;
}

static bool act_add(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                    GError **error)
{
        return set(domain, change, true, *live, error);
}

static bool undo_add(struct domain *domain, const struct domain_change *change,
                     const struct domain_def *before, GError **error)
{
        return set(domain, change, false, before, error);
}

static const struct domain_modification add_row = {
        .function = "AddIOThread",
        .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
        .edit = edit_add,
        .act = act_add,
        .undo = undo_add,
};

/* ---- one less ---- */

/* Which device works in it; free it. NULL: none. */
static char *find_user(const struct domain_def *def, unsigned id)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (disk->iothread == id || domain_iothread_map_has(disk->iothread_map, id))
                        return g_strdup_printf("disk '%s'", disk->target);
        }
        for (unsigned i = 0; i < def->devices.n_controllers; i++) {
                const struct domain_controller *controller = &def->devices.controllers[i];

                if (controller->iothread == id || domain_iothread_map_has(controller->iothread_map, id))
                        return g_strdup_printf("controller %u of type '%s'", (unsigned)controller->index,
                                               domain_controller_type_get_name(controller->type));
        }
        return NULL;
}

static bool edit_delete(struct domain_edit *edit, const struct domain_def *def,
                        const struct domain_change *change, enum domain_affect side, GError **error)
{
        unsigned id = get_id(change);
        g_autofree char *user = find_user(def, id);

        if (!check_has_iothread(def, id)) {
                g_autofree char *there = check_format_iothreads(def);

                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "domain '%s' does not have I/O thread %u (%s)", def->base.name, id, there);
        }
        if (user)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "I/O thread %u of domain '%s' is that of %s", id, def->base.name, user);
        domain_edit_drop_iothread(edit, def, id);
        return true;
}

static bool act_delete(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                       GError **error)
{
        return set(domain, change, false, *live, error);
}

static bool undo_delete(struct domain *domain, const struct domain_change *change,
                        const struct domain_def *before, GError **error)
{
        return set(domain, change, true, before, error);
}

static const struct domain_modification delete_row = {
        .function = "DelIOThread",
        .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
        .edit = edit_delete,
        .act = act_delete,
        .undo = undo_delete,
};

static void modify(struct domain *domain, const struct domain_modification *row, unsigned id, unsigned flags,
                   managed_done done, void *data)
{
        GError *error = NULL;

        if (id >= 1 && id <= INT32_MAX) {
                domain_modify(domain, row, g_memdup2(&id, sizeof(id)), flags, done, data);
                return;
        }
        error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "%u is not the number of an I/O thread", id);
        managed_fail(error, done, data);
}

void domain_add_iothread(struct domain *domain, unsigned id, unsigned flags, managed_done done, void *data)
{
        modify(domain, &add_row, id, flags, done, data);
}

void domain_delete_iothread(struct domain *domain, unsigned id, unsigned flags, managed_done done, void *data)
{
        modify(domain, &delete_row, id, flags, done, data);
}

/* ---- what there is ---- */

static void clear_info(void *data)
{
        g_array_unref(((struct domain_iothread_info *)data)->cpus);
}

GArray *domain_get_iothreads(const struct domain *domain, unsigned flags, GError **error)
{
        const struct domain_def *def = NULL;
        GArray *list;

        if (flags_check(flags, DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG, ERROR_FROM_DOMAIN,
                        "GetIOThreadInfo", error))
                def = domain_choose_def(domain->base.published, flags, error);
        if (!def)
                return NULL;
        list = g_array_new(FALSE, FALSE, sizeof(struct domain_iothread_info));
        g_array_set_clear_func(list, clear_info);
        for (unsigned i = 0; i < def->iothreads; i++) {
                unsigned id = def->iothread_list[i].id;
                const struct domain_iothread_info info = {
                        id, domain_describe_pin(domain, def, DOMAIN_THREADS_IOTHREAD, id)
                };

                g_array_append_val(list, info);
        }
        return list;
}
