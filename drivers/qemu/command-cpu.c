/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's processor: -cpu and -smp. Values only; any thread.
 */
#include "drivers/qemu/command-internal.h"

#include "drivers/domain/vcpu-list.h"

#include <string.h>

/* ---- the model ---- */

/* -cpu has no escape for commas. */
static bool is_plain(const char *text)
{
        return text[0] != '\0' && strpbrk(text, ",= ") == NULL;
}

static bool add_named(const struct command_builder *builder, GString *option, const char *model,
                      GError **error)
{
        if (!is_plain(model) || !qemu_caps_has_cpu(builder->caps, model)) {
                g_autofree char *quoted = error_quote(model);

                return device_unsupported(error, "emulator '%s' has no CPU model '%s'",
                                          qemu_caps_get_path(builder->caps), quoted);
        }
        g_string_append(option, model);
        return true;
}

static bool add_default(const struct command_builder *builder, GString *option, GError **error)
{
        const char *model = builder->machine->default_cpu;

        if (!model)
                return device_unsupported(error, "machine '%s' without a <cpu>", builder->machine->name);
        g_string_append(option, model);
        return true;
}

static bool is_waived(const struct domain_cpu *cpu, const char *feature)
{
        for (unsigned i = 0; i < cpu->n_features; i++) {
                const char *policy = cpu->features[i].policy;

                if (strcmp(cpu->features[i].name, feature) == 0)
                        return policy && strcmp(policy, "require") != 0;
        }
        return false;
}

/* policy='forbid': the guest is not for hosts whose CPU has that. QEMU has the features itself without KVM.
 */
static bool check_forbidden(const struct command_builder *builder, GError **error)
{
        const struct domain_cpu *cpu = &builder->def->cpu;
        const struct cpu_features *host = builder->context->host_cpu;

        if (!host || !command_is_kvm(builder) || g_strcmp0(cpu->check, "none") == 0)
                return true;
        for (unsigned i = 0; i < cpu->n_features; i++) {
                const struct domain_cpu_feature *feature = &cpu->features[i];

                if (g_strcmp0(feature->policy, "forbid") == 0 && cpu_features_has(host, feature->name))
                        return error_set(error, ERROR_FROM_QEMU, ERROR_CPU_INCOMPATIBLE,
                                         "the guest's CPU forbids the feature '%s', which this host's has",
                                         feature->name);
        }
        return true;
}

/* check='partial' and 'full': a model that this host cannot give the guest whole is refused. */
static bool check_usable(const struct command_builder *builder, GError **error)
{
        const struct domain_cpu *cpu = &builder->def->cpu;
        enum qemu_accel accel = command_is_kvm(builder) ? QEMU_ACCEL_KVM : QEMU_ACCEL_TCG;
        const struct qemu_cpu_model *model = qemu_caps_find_cpu_model(builder->caps, accel, cpu->model);
        g_autoptr(GString) missing = g_string_new(NULL);

        if (!cpu->check || strcmp(cpu->check, "none") == 0 || !model || !model->has_usability ||
            model->usable || !model->blockers)
                return true;
        for (unsigned i = 0; model->blockers[i]; i++) {
                if (!is_waived(cpu, model->blockers[i]))
                        g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", model->blockers[i]);
        }
        if (missing->len == 0)
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_CPU_INCOMPATIBLE,
                         "model '%s' needs features that the host does not have: %s", cpu->model,
                         missing->str);
}

/* Is the feature of the host's CPU, beyond its model, as the guest's is to be? */
static bool has_feature(const struct domain_cpu *cpu, const struct qemu_cpu_feature *host)
{
        for (unsigned i = 0; i < cpu->n_features; i++) {
                const char *policy = cpu->features[i].policy;
                bool off = g_strcmp0(policy, "disable") == 0 || g_strcmp0(policy, "forbid") == 0;

                if (strcmp(cpu->features[i].name, host->name) == 0)
                        return host->enabled != off;
        }
        return false;
}

/* match='strict': the guest's CPU is the host's, feature by feature. */
static bool check_strict(const struct command_builder *builder, GError **error)
{
        const struct domain_cpu *cpu = &builder->def->cpu;
        const struct qemu_host_model *host = qemu_caps_get_host_model(builder->caps, QEMU_ACCEL_KVM);

        if (g_strcmp0(cpu->match, "strict") != 0 || !command_is_kvm(builder))
                return true;
        if (!host || !host->model || strcmp(host->model, cpu->model) != 0)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CPU_INCOMPATIBLE,
                        "match='strict' asks for a host whose CPU is '%s' and no more, and this one's "
                        "is '%s'",
                        cpu->model, host && host->model ? host->model : "none that has a name");
        for (unsigned i = 0; i < host->n_features; i++) {
                if (!has_feature(cpu, &host->features[i]))
                        return error_set(error, ERROR_FROM_QEMU, ERROR_CPU_INCOMPATIBLE,
                                         "match='strict' asks for a host whose CPU is '%s' and no more, and "
                                         "with this one the feature '%s' is %s",
                                         cpu->model, host->features[i].name,
                                         host->features[i].enabled ? "there" : "missing");
        }
        return true;
}

/* <vendor>: the guest insists on a host CPU of that make. */
static bool check_vendor(const struct command_builder *builder, GError **error)
{
        const struct domain_cpu *cpu = &builder->def->cpu;
        const struct qemu_host_model *host = qemu_caps_get_host_model(builder->caps, QEMU_ACCEL_KVM);

        if (!cpu->vendor || !command_is_kvm(builder) || !host || !host->vendor ||
            strcmp(cpu->vendor, host->vendor) == 0)
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_CPU_INCOMPATIBLE,
                         "a CPU of vendor '%s' is asked for, the host's is '%s'", cpu->vendor, host->vendor);
}

static bool add_host_model(const struct command_builder *builder, GString *option, GError **error)
{
        enum qemu_accel accel = command_is_kvm(builder) ? QEMU_ACCEL_KVM : QEMU_ACCEL_TCG;
        const struct qemu_host_model *model = qemu_caps_get_host_model(builder->caps, accel);

        if (!model || !model->model)
                return device_unsupported(error, "%s on this host, whose CPU has no name",
                                          builder->def->cpu.model ? "match='minimum' of the CPU"
                                                                  : "CPU mode 'host-model'");
        if (!add_named(builder, option, model->model, error))
                return false;
        for (unsigned i = 0; i < model->n_features; i++) {
                if (!is_waived(&builder->def->cpu, model->features[i].name))
                        g_string_append_printf(option, ",%s=%s", model->features[i].name,
                                               model->features[i].enabled ? "on" : "off");
        }
        return true;
}

static bool add_model(const struct command_builder *builder, GString *option, GError **error)
{
        const struct domain_cpu *cpu = &builder->def->cpu;

        switch (cpu->mode) {
        case DOMAIN_CPU_HOST_PASSTHROUGH:
                if (!command_is_kvm(builder))
                        return device_unsupported(error, "CPU mode 'host-passthrough' without KVM");
                g_string_append(option, "host");
                command_option_add_switch(option, "migratable", cpu->migratable);
                return true;
        case DOMAIN_CPU_MAXIMUM:
                g_string_append(option, "max");
                command_option_add_switch(option, "migratable", cpu->migratable);
                return true;
        case DOMAIN_CPU_HOST_MODEL:
                return add_host_model(builder, option, error);
        default:
                break;
        }
        if (!cpu->model)
                return add_default(builder, option, error);
        if (!check_vendor(builder, error) || !check_forbidden(builder, error) ||
            !check_usable(builder, error) || !check_strict(builder, error))
                return false;
        if (!add_named(builder, option, cpu->model, error))
                return false;
        if (!domain_cpu_follows_host(cpu))
                return true;
        g_string_truncate(option, 0);
        return add_host_model(builder, option, error);
}

/* ---- what is added to it ---- */

/* Features of the host's that no guest is given. */
static bool is_host_only(const char *name)
{
        static const char *const names[] = { "cmt", "mbm_total", "mbm_local", "osxsave", "ospke" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                if (strcmp(names[i], name) == 0)
                        return true;
        }
        return false;
}

static bool add_features(const struct domain_cpu *cpu, GString *option, GError **error)
{
        for (unsigned i = 0; i < cpu->n_features; i++) {
                const struct domain_cpu_feature *feature = &cpu->features[i];
                bool off = g_strcmp0(feature->policy, "disable") == 0 ||
                           g_strcmp0(feature->policy, "forbid") == 0;

                if (!is_plain(feature->name)) {
                        g_autofree char *quoted = error_quote(feature->name);

                        return device_unsupported(error, "CPU feature '%s'", quoted);
                }
                if (!is_host_only(feature->name))
                        g_string_append_printf(option, ",%s=%s", feature->name, off ? "off" : "on");
        }
        return true;
}

static bool add_vendor(GString *option, const char *key, const char *vendor, GError **error)
{
        if (!vendor)
                return true;
        if (strchr(vendor, ','))
                return device_unsupported(error, "a CPU vendor id with a comma in it");
        g_string_append_printf(option, ",%s=%s", key, vendor);
        return true;
}

static bool has_hyperv_panic(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_panics; i++) {
                if (g_strcmp0(def->devices.panics[i].model, "hyperv") == 0)
                        return true;
        }
        return false;
}

static bool add_hyperv(const struct domain_hyperv *hyperv, GString *option, GError **error)
{
        const struct {
                const char *name;
                enum domain_switch value;
        } switches[] = {
                { "hv-relaxed", hyperv->relaxed },
                { "hv-vapic", hyperv->vapic },
                { "hv-vpindex", hyperv->vpindex },
                { "hv-runtime", hyperv->runtime },
                { "hv-synic", hyperv->synic },
                { "hv-stimer", hyperv->stimer },
                { "hv-stimer-direct", hyperv->stimer_direct },
                { "hv-reset", hyperv->reset },
                { "hv-frequencies", hyperv->frequencies },
                { "hv-reenlightenment", hyperv->reenlightenment },
                { "hv-tlbflush", hyperv->tlbflush },
                { "hv-tlbflush-direct", hyperv->tlbflush_direct },
                { "hv-tlbflush-ext", hyperv->tlbflush_extended },
                { "hv-ipi", hyperv->ipi },
                { "hv-evmcs", hyperv->evmcs },
                { "hv-avic", hyperv->avic },
                { "hv-emsr-bitmap", hyperv->emsr_bitmap },
                { "hv-xmm-input", hyperv->xmm_input },
        };

        if (g_strcmp0(hyperv->mode, "host-model") == 0)
                return device_unsupported(error, "mode='host-model' of <hyperv> is not supported: name the "
                                                 "features, or use mode='passthrough'");
        if (g_strcmp0(hyperv->mode, "passthrough") == 0)
                g_string_append(option, ",hv-passthrough=on");
        for (unsigned i = 0; i < G_N_ELEMENTS(switches); i++) {
                if (switches[i].value == DOMAIN_SWITCH_ON)
                        g_string_append_printf(option, ",%s=on", switches[i].name);
        }
        if (hyperv->spinlocks == DOMAIN_SWITCH_ON)
                g_string_append_printf(option, ",hv-spinlocks=0x%x", (unsigned)hyperv->spinlock_retries);
        if (hyperv->vendor_id != DOMAIN_SWITCH_ON)
                return true;
        return add_vendor(option, "hv-vendor-id", hyperv->vendor, error);
}

/* With KVM the guest reads the host's own counter; the other modes are Xen's. */
static bool has_mode(const struct command_builder *builder, const char *mode)
{
        return strcmp(mode, "auto") == 0 || (strcmp(mode, "native") == 0 && command_is_kvm(builder));
}

static bool add_timers(const struct command_builder *builder, GString *option, GError **error)
{
        const struct domain_clock *clock = &builder->def->clock;

        for (unsigned i = 0; i < clock->n_timers; i++) {
                const struct domain_timer *timer = &clock->timers[i];

                if (timer->name == DOMAIN_TIMER_KVMCLOCK)
                        command_option_add_switch(option, "kvmclock", timer->present);
                else if (timer->name == DOMAIN_TIMER_HYPERVCLOCK && timer->present == DOMAIN_SWITCH_ON)
                        g_string_append(option, ",hv-time=on");
                else if (timer->name == DOMAIN_TIMER_TSC && timer->frequency)
                        g_string_append_printf(option, ",tsc-frequency=%" G_GUINT64_FORMAT, timer->frequency);
                if (timer->name == DOMAIN_TIMER_TSC && timer->mode && !has_mode(builder, timer->mode))
                        return device_unsupported(error, "mode '%s' of <timer name='tsc'>%s", timer->mode,
                                                  strcmp(timer->mode, "native") == 0 ? " without KVM" : "");
        }
        return true;
}

static void add_kvm(const struct domain_features *features, GString *option)
{
        if (features->kvm_hidden == DOMAIN_SWITCH_ON)
                g_string_append(option, ",kvm=off");
        if (features->kvm_hint_dedicated == DOMAIN_SWITCH_ON)
                g_string_append(option, ",kvm-hint-dedicated=on");
        if (features->kvm_poll_control == DOMAIN_SWITCH_ON)
                g_string_append(option, ",kvm-poll-control=on");
        if (features->kvm_pv_ipi == DOMAIN_SWITCH_OFF)
                g_string_append(option, ",kvm-pv-ipi=off");
        command_option_add_switch(option, "kvm-pv-eoi", features->apic_eoi);
        command_option_add_switch(option, "kvm-pv-unhalt", features->pvspinlock);
        command_option_add_switch(option, "pmu", features->pmu);
}

static void add_cache(const struct domain_cpu *cpu, GString *option)
{
        bool host = cpu->mode == DOMAIN_CPU_HOST_PASSTHROUGH || cpu->mode == DOMAIN_CPU_MAXIMUM;

        if (!cpu->cache_mode)
                return;
        if (strcmp(cpu->cache_mode, "passthrough") == 0) {
                g_string_append(option, ",host-cache-info=on,l3-cache=off");
                return;
        }
        if (host)
                g_string_append(option, ",host-cache-info=off");
        command_option_add(option, "l3-cache", strcmp(cpu->cache_mode, "emulate") == 0 ? "on" : "off");
}

static void add_address_bits(const struct domain_cpu *cpu, GString *option)
{
        if (!cpu->maxphysaddr_mode)
                return;
        if (strcmp(cpu->maxphysaddr_mode, "passthrough") == 0) {
                g_string_append(option, ",host-phys-bits=on");
                if (cpu->maxphysaddr_limit)
                        g_string_append_printf(option, ",host-phys-bits-limit=%u",
                                               (unsigned)cpu->maxphysaddr_limit);
        } else if (cpu->maxphysaddr_bits)
                g_string_append_printf(option, ",phys-bits=%u", (unsigned)cpu->maxphysaddr_bits);
}

static bool add_cpu_option(struct command_builder *builder, GError **error)
{
        const struct domain_def *def = builder->def;
        g_autoptr(GString) option = g_string_new(NULL);

        if (!add_model(builder, option, error) || !add_vendor(option, "vendor", def->cpu.vendor_id, error) ||
            !add_features(&def->cpu, option, error) || !add_timers(builder, option, error))
                return false;
        if (def->features.hyperv && !add_hyperv(def->features.hyperv, option, error))
                return false;
        if (has_hyperv_panic(def))
                g_string_append(option, ",hv-crash=on");
        add_kvm(&def->features, option);
        add_cache(&def->cpu, option);
        add_address_bits(&def->cpu, option);
        command_append(builder, "-cpu", option->str);
        return true;
}

/* ---- how many ---- */

/* Those that are made with the machine are its first ones; the others come to it (vcpu.h). */
static unsigned count_staying(const struct domain_def *def)
{
        unsigned count = 0;

        while (count < def->max_vcpus && domain_vcpu_is_enabled(def, count) &&
               !domain_vcpu_is_hotpluggable(def, count))
                count++;
        return count;
}

static bool add_smp(struct command_builder *builder, GError **error)
{
        const struct domain_def *def = builder->def;
        const struct domain_cpu *cpu = &def->cpu;
        g_autoptr(GString) option = g_string_new(NULL);
        unsigned max_cpus = builder->machine->max_cpus, first = count_staying(def), one = 0, other = 0;

        if (max_cpus && def->max_vcpus > max_cpus)
                return device_unsupported(error, "machine '%s' has at most %u vCPUs", builder->machine->name,
                                          max_cpus);
        if (first == 0)
                return device_unsupported(error, "<vcpus> without vCPU 0");
        if (!domain_vcpu_are_whole(def, &one, &other))
                return device_unsupported(
                        error, "vCPUs %u and %u apart: machine '%s' has whole cores, of %u threads", one,
                        other, builder->machine->name, (unsigned)cpu->threads);
        g_string_append_printf(option, "%u", first);
        if (def->max_vcpus != first)
                g_string_append_printf(option, ",maxcpus=%u", (unsigned)def->max_vcpus);
        if (cpu->clusters > 1 && builder->family != MACHINE_VIRT_ARM)
                return device_unsupported(error,
                                          "clusters='%u' of <topology>: machine '%s' has one in each die",
                                          (unsigned)cpu->clusters, builder->machine->name);
        if (cpu->dies > 1 && !machine_is_x86(builder->family))
                return device_unsupported(error, "dies='%u' of <topology>: machine '%s' has no dies",
                                          (unsigned)cpu->dies, builder->machine->name);
        if (cpu->sockets) {
                g_string_append_printf(option, ",sockets=%u", (unsigned)cpu->sockets);
                if (machine_is_x86(builder->family))
                        g_string_append_printf(option, ",dies=%u", MAX((unsigned)cpu->dies, 1U));
                if (cpu->clusters > 1)
                        g_string_append_printf(option, ",clusters=%u", (unsigned)cpu->clusters);
                g_string_append_printf(option, ",cores=%u,threads=%u", (unsigned)cpu->cores,
                                       (unsigned)cpu->threads);
        } else
                g_string_append_printf(option, ",sockets=%u,cores=1,threads=1", (unsigned)def->max_vcpus);
        command_append(builder, "-smp", option->str);
        return true;
}

bool command_cpu_add(struct command_builder *builder, GError **error)
{
        return add_cpu_option(builder, error) && add_smp(builder, error);
}
