/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: on which CPUs of the host its threads run. A row of domain_modify(): entry points run on
 * the loop, edits and actions in the domain's lane.
 */
#include "drivers/domain/domain.h"

#include "drivers/domain/check.h"
#include "drivers/domain/cpuset.h"
#include "drivers/domain/modify.h"

struct pin {
        enum domain_threads who;
        unsigned id;
        struct domain_cpuset cpus;
        uint64_t words[]; /* of cpus */
};

static bool check_subject(const struct domain_def *def, const struct pin *pin, GError **error)
{
        if (pin->who == DOMAIN_THREADS_VCPU && pin->id >= def->max_vcpus)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "vCPU %u is not one of the %u that domain '%s' can have", pin->id,
                                 (unsigned)def->max_vcpus, def->base.name);
        if (pin->who == DOMAIN_THREADS_IOTHREAD && !check_has_iothread(def, pin->id)) {
                g_autofree char *there = check_format_iothreads(def);

                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "domain '%s' does not have I/O thread %u (%s)", def->base.name, pin->id,
                                 there);
        }
        return true;
}

static bool edit(struct domain_edit *edit, const struct domain_def *def, const struct domain_change *change,
                 enum domain_affect side, GError **error)
{
        const struct pin *pin = change->args;

        if (!check_subject(def, pin, error))
                return false;
        domain_edit_set_pin(edit, pin->who, pin->id, &pin->cpus);
        return true;
}

static bool act(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        if (!ops->tune)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s of a domain that runs",
                                 change->row->function);
        return ops->tune(domain, DOMAIN_TUNE_PINS, domain_def_of(domain->base.current->active), *live, error);
}

static bool undo(struct domain *domain, const struct domain_change *change, const struct domain_def *before,
                 GError **error)
{
        return domain->driver->ops->tune(domain, DOMAIN_TUNE_PINS, before, before, error);
}

static struct managed_event *event(const struct domain_change *change)
{
        const struct pin *pin = change->args;
        g_autofree char *cpus = domain_cpuset_format(&pin->cpus);
        struct domain_event *event;

        if (!(change->affect & DOMAIN_AFFECT_LIVE))
                return NULL;
        event = domain_event_new(DOMAIN_EVENT_TUNABLE);
        event->params = params_new();
        params_set_prefix(event->params, "cputune.%s",
                          pin->who == DOMAIN_THREADS_VCPU       ? "vcpupin"
                          : pin->who == DOMAIN_THREADS_IOTHREAD ? "iothreadpin"
                                                                : "");
        if (pin->who == DOMAIN_THREADS_EMULATOR) {
                params_add_string(event->params, "emulatorpin", cpus);
        } else {
                g_autofree char *number = g_strdup_printf("%u", pin->id);

                params_add_string(event->params, number, cpus);
        }
        return &event->base;
}

#define ROW(name)                                                                                            \
        {                                                                                                    \
                .function = (name), .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG, .edit = edit,        \
                .act = act, .undo = undo, .event = event,                                                    \
        }

static const struct domain_modification rows[] = {
        [DOMAIN_THREADS_VCPU] = ROW("PinVcpu"),
        [DOMAIN_THREADS_EMULATOR] = ROW("PinEmulator"),
        [DOMAIN_THREADS_IOTHREAD] = ROW("PinIOThread"),
};

/* Bounded by what documents can name. */
static unsigned count_host_cpus(const struct domain *domain)
{
        unsigned count = domain->driver->ops->count_cpus(domain->driver);

        return MIN(count, (unsigned)DOMAIN_CPU_NUMBER_MAX);
}

void domain_set_pin(struct domain *domain, enum domain_threads who, unsigned id, const GArray *cpus,
                    unsigned flags, managed_done done, void *data)
{
        unsigned there = count_host_cpus(domain), n_words = (cpus->len + 63) / 64;
        struct pin *pin;
        GError *error = NULL;
        bool any = false;

        for (unsigned i = 0; i < cpus->len; i++)
                any |= g_array_index(cpus, bool, i);
        if (!any)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "%s to no CPU at all",
                          rows[who].function);
        else if (cpus->len > there)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "a map of %u CPUs is longer than the host has, %u", cpus->len, there);
        if (error) {
                managed_fail(error, done, data);
                return;
        }
        pin = g_malloc0(sizeof(*pin) + n_words * sizeof(uint64_t));
        *pin = (struct pin){ who, id, { pin->words, n_words } };
        for (unsigned i = 0; i < cpus->len; i++) {
                if (g_array_index(cpus, bool, i))
                        pin->words[i / 64] |= UINT64_C(1) << (i % 64);
        }
        domain_modify(domain, &rows[who], pin, flags, done, data);
}

/* ---- what is set ---- */

static const struct domain_cpuset *find(const struct domain_pin *pins, unsigned count, unsigned id)
{
        for (unsigned i = 0; i < count; i++) {
                if (pins[i].id == id)
                        return &pins[i].cpus;
        }
        return NULL;
}

static const struct domain_cpuset *choose(const struct domain_def *def, enum domain_threads who, unsigned id)
{
        const struct domain_cpuset *own = NULL;

        if (who == DOMAIN_THREADS_VCPU)
                own = find(def->vcpu_pins, def->n_vcpu_pins, id);
        else if (who == DOMAIN_THREADS_IOTHREAD)
                own = find(def->iothread_pins, def->n_iothread_pins, id);
        else if (def->emulator_pin.words)
                own = &def->emulator_pin;
        return own ? own : &def->cpuset;
}

GArray *domain_describe_pin(const struct domain *domain, const struct domain_def *def,
                            enum domain_threads who, unsigned id)
{
        const struct domain_cpuset *set = choose(def, who, id);
        unsigned count = count_host_cpus(domain);
        GArray *cpus = g_array_sized_new(FALSE, TRUE, sizeof(bool), count);

        g_array_set_size(cpus, count);
        for (unsigned i = 0; i < count; i++)
                g_array_index(cpus, bool, i) = !set->words || domain_cpuset_has(set, i);
        return cpus;
}

static const struct domain_def *choose_def(const struct domain *domain, unsigned flags, const char *function,
                                           GError **error)
{
        if (!flags_check(flags, DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG, ERROR_FROM_DOMAIN, function,
                         error))
                return NULL;
        return domain_choose_def(domain->base.published, flags, error);
}

GPtrArray *domain_get_vcpu_pins(const struct domain *domain, unsigned flags, GError **error)
{
        const struct domain_def *def = choose_def(domain, flags, "GetVcpuPinInfo", error);
        unsigned there = 0;
        GPtrArray *pins;

        if (!def)
                return NULL;
        pins = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
        for (unsigned i = 0; i < def->max_vcpus && there < def->vcpus; i++) {
                there += domain_vcpu_is_enabled(def, i);
                g_ptr_array_add(pins, domain_describe_pin(domain, def, DOMAIN_THREADS_VCPU, i));
        }
        return pins;
}

GArray *domain_get_emulator_pin(const struct domain *domain, unsigned flags, GError **error)
{
        const struct domain_def *def = choose_def(domain, flags, "GetEmulatorPinInfo", error);

        return def ? domain_describe_pin(domain, def, DOMAIN_THREADS_EMULATOR, 0) : NULL;
}
