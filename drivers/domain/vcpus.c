/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: how many virtual CPUs there are. A row of domain_modify(): entry points run on the loop,
 * edit and action in the domain's lane.
 */
#include "drivers/domain/domain.h"

#include "drivers/domain/cpuset.h"
#include "drivers/domain/modify.h"
#include "drivers/domain/vcpu-list.h"

#define KNOWN_FLAGS                                                                                          \
        (DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG | DOMAIN_VCPU_MAXIMUM | DOMAIN_VCPU_GUEST |               \
         DOMAIN_VCPU_HOTPLUGGABLE)

struct vcpus {
        struct domain *domain; /* borrowed */
        unsigned count;
};

/* ---- the maximum ---- */

static void note_maximum(const struct domain_machine *machine, void *maximum)
{
        *(unsigned *)maximum = machine->max_vcpus;
}

/* A vCPU of that number or above, by what the domain needs it for; NULL: nothing names one. */
static const char *find_above(const struct domain_def *def, unsigned count)
{
        const struct domain_cputune *tune = &def->cputune;

        for (unsigned i = 0; i < def->cpu.n_cells; i++) {
                if (domain_cpuset_has_above(&def->cpu.cells[i].cpus, count))
                        return "a NUMA cell of <cpu>";
        }
        for (unsigned i = 0; i < tune->n_vcpu_schedulers; i++) {
                if (domain_cpuset_has_above(&tune->vcpu_schedulers[i].ids, count))
                        return "<vcpusched>";
        }
        for (unsigned i = 0; i < tune->n_cachetunes; i++) {
                if (domain_cpuset_has_above(&tune->cachetunes[i].vcpus, count))
                        return "<cachetune>";
        }
        for (unsigned i = 0; i < tune->n_memorytunes; i++) {
                if (domain_cpuset_has_above(&tune->memorytunes[i].vcpus, count))
                        return "<memorytune>";
        }
        return NULL;
}

static bool check_maximum(struct domain *domain, const struct domain_def *def, unsigned count, GError **error)
{
        const struct domain_cpu *cpu = &def->cpu;
        uint64_t places = (uint64_t)cpu->sockets * MAX(cpu->dies, 1U) * MAX(cpu->clusters, 1U) * cpu->cores *
                          cpu->threads;
        const char *user = find_above(def, count);
        unsigned maximum = 0;

        if (!domain->driver->ops->with_machine(domain, def, note_maximum, &maximum, error))
                return false;
        if (maximum == 0 || maximum > DOMAIN_VCPUS_MAX)
                maximum = DOMAIN_VCPUS_MAX;
        if (count > maximum)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "%u vCPUs are more than the %u that the machine of domain '%s' can have",
                                 count, maximum, def->base.name);
        if (places > 0 && places != count)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "the <topology> of domain '%s' has %" G_GUINT64_FORMAT " CPUs, not %u",
                                 def->base.name, places, count);
        if (user)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "%s of domain '%s' names a vCPU beyond the first %u", user, def->base.name,
                                 count);
        return true;
}

static bool edit_maximum(struct domain_edit *edit, const struct domain_def *def, const struct vcpus *vcpus,
                         enum domain_affect side, GError **error)
{
        if (side == DOMAIN_AFFECT_LIVE)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "the maximum number of vCPUs of domain '%s' is fixed while it runs",
                                 def->base.name);
        if (!check_maximum(vcpus->domain, def, vcpus->count, error))
                return false;
        domain_edit_drop_vcpus(edit, vcpus->count);
        if (def->n_vcpu_list > 0) {
                g_autofree struct domain_vcpu *list = domain_vcpu_list_new(def, vcpus->count);

                domain_edit_set_vcpu_list(edit, list, vcpus->count);
        } else
                domain_edit_set_vcpus(edit, MIN(def->vcpus, vcpus->count), vcpus->count);
        return true;
}

/* ---- those that are there ---- */

static bool refuse_leaving(const struct domain_def *def, const struct domain_vcpu *list, GError **error)
{
        unsigned last = def->max_vcpus - 1;

        while (last > 0 && !list[last].enabled)
                last--;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "vCPU %u of domain '%s' cannot go while the domain runs: it was "
                         "there at the start (hotpluggable='no')",
                         last, def->base.name);
}

static bool edit_vcpus(struct domain_edit *edit, const struct domain_def *def,
                       const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct vcpus *vcpus = change->args;
        bool live = side == DOMAIN_AFFECT_LIVE,
             hotpluggable = live || change->flags & DOMAIN_VCPU_HOTPLUGGABLE;
        bool pluggable = live && !vcpus->domain->driver->ops->all_vcpus_leave;
        unsigned group_size = domain_vcpu_get_group_size(def);
        g_autofree struct domain_vcpu *list = NULL;

        if (change->flags & DOMAIN_VCPU_MAXIMUM)
                return edit_maximum(edit, def, vcpus, side, error);
        if (vcpus->count > def->max_vcpus)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "%u vCPUs are more than the maximum of domain '%s', %u", vcpus->count,
                                 def->base.name, (unsigned)def->max_vcpus);
        if (vcpus->count % group_size != 0)
                return error_set(
                        error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "%u vCPUs of domain '%s' are not whole cores, which come and go on a pseries "
                        "machine: those of its <topology> have %u threads each",
                        vcpus->count, def->base.name, group_size);
        if (vcpus->count == def->vcpus)
                return true;
        list = domain_vcpu_list_new(def, def->max_vcpus);
        if (!domain_vcpu_list_resize(list, def->max_vcpus, vcpus->count, hotpluggable, pluggable))
                return refuse_leaving(def, list, error);
        if (live)
                domain_vcpu_list_number(list, def->max_vcpus, group_size);
        else
                domain_vcpu_list_forget_order(list, def->max_vcpus);
        if (def->n_vcpu_list > 0 || hotpluggable)
                domain_edit_set_vcpu_list(edit, list, def->max_vcpus);
        else
                domain_edit_set_vcpus(edit, vcpus->count, 0);
        return true;
}

static bool act(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        if (!ops->set_vcpus)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT,
                                 "SetVcpus of a domain that runs");
        return ops->set_vcpus(domain, live, error);
}

/* A vCPU that has come goes when its guest lets it, if ever: so the file is written first. */
static const struct domain_modification row = {
        .function = "SetVcpus",
        .flags = KNOWN_FLAGS,
        .edit = edit_vcpus,
        .act = act,
        .stores_first = true,
};

static bool check_flags(unsigned flags, GError **error)
{
        const unsigned kinds = flags & (DOMAIN_VCPU_MAXIMUM | DOMAIN_VCPU_GUEST | DOMAIN_VCPU_HOTPLUGGABLE);

        if (!flags_check(flags, row.flags, ERROR_FROM_DOMAIN, row.function, error))
                return false;
        if (kinds & (kinds - 1))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "flags 0x%x ask for more than one of maximum, guest and hotpluggable",
                                 flags);
        if (flags & DOMAIN_VCPU_GUEST && flags & DOMAIN_AFFECT_CONFIG)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "flags 0x%x ask a definition for a guest's agent", flags);
        if (flags & DOMAIN_VCPU_MAXIMUM && !(flags & DOMAIN_AFFECT_CONFIG))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "the maximum number of vCPUs is a definition's (flag CONFIG)");
        return true;
}

void domain_set_vcpus(struct domain *domain, unsigned count, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;
        struct vcpus *vcpus;

        if (check_flags(flags, &error) && count == 0)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "a domain cannot be without vCPUs");
        if (error) {
                managed_fail(error, done, data);
                return;
        }
        if (flags & DOMAIN_VCPU_GUEST) {
                domain_set_guest_vcpu_count(domain, count, done, data);
                return;
        }
        vcpus = g_new(struct vcpus, 1);
        *vcpus = (struct vcpus){ domain, count };
        domain_modify(domain, &row, vcpus, flags, done, data);
}

void domain_get_vcpus(struct domain *domain, unsigned flags, domain_number_done done, void *data)
{
        const unsigned known = KNOWN_FLAGS & ~(unsigned)DOMAIN_VCPU_HOTPLUGGABLE;
        const struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;

        if (flags_check(flags, known, ERROR_FROM_DOMAIN, "GetVcpus", &error))
                def = domain_choose_def(domain->base.published, flags, &error);
        if (def && flags & DOMAIN_VCPU_GUEST && !domain_is_active(domain))
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "domain '%s' is not running, and has no agent that could count its vCPUs",
                          domain->base.name);
        if (error)
                done(0, error, data);
        else if (flags & DOMAIN_VCPU_GUEST)
                domain_count_guest_vcpus(domain, flags & DOMAIN_VCPU_MAXIMUM, done, data);
        else
                done(flags & DOMAIN_VCPU_MAXIMUM ? def->max_vcpus : def->vcpus, NULL, data);
}
