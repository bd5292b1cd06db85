/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Defaults of emulator, architecture, machine type and domain type. Loop thread. */

#include "drivers/qemu/resolve.h"
#include "base/error.h"
#include "drivers/domain/definition.h"
#include "drivers/host/cpu-features.h"
#include "drivers/host/host.h"
#include "drivers/qemu/emulator.h"
#include "drivers/qemu/kvm.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/probe-cache.h"
#include "drivers/security/account.h"

#include <string.h>

/* Domain types of other drivers: known words, but not here. */
static const char *const other_types[] = { "test",  "lxc",       "xen",    "vz",     "bhyve",
                                           "hvf",   "openvz",    "vmware", "hyperv", "uml",
                                           "xensv", "parallels", "vbox",   "phyp",   "kqemu" };

struct pending {
        char *emulator;                /* owned */
        char *arch;                    /* owned */
        char *machine;                 /* owned */
        char *type;                    /* owned */
        const struct account *account; /* ref; NULL: none */
        resolve_done done;
        void *data;
};

static bool is_given(const char *text)
{
        return text && *text;
}

static bool refuse_kvm(const struct qemu_caps *caps, const struct account *account, GError **error)
{
        g_autofree char *why = account ? kvm_explain(KVM_DEVICE, account) : NULL;

        return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "emulator '%s' cannot use KVM: %s",
                         qemu_caps_get_path(caps), why ? why : "it was built without");
}

static bool find_accel(const struct qemu_caps *caps, const struct resolve_request *request,
                       struct resolve_result *result, GError **error)
{
        const char *type = request->type;

        if (!is_given(type))
                type = qemu_caps_has_accel(caps, QEMU_ACCEL_KVM) ? "kvm" : "qemu";
        if (g_str_equal(type, "kvm") && qemu_caps_has_accel(caps, QEMU_ACCEL_KVM)) {
                result->accel = QEMU_ACCEL_KVM;
                result->type = "kvm";
                return true;
        }
        if (g_str_equal(type, "qemu")) {
                result->accel = QEMU_ACCEL_TCG;
                result->type = "qemu";
                return true;
        }
        if (g_str_equal(type, "kvm"))
                return refuse_kvm(caps, request->account, error);
        for (unsigned i = 0; i < G_N_ELEMENTS(other_types); i++) {
                if (g_str_equal(other_types[i], type))
                        return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                                         "emulator '%s' does not run domains of type '%s'",
                                         qemu_caps_get_path(caps), type);
        }
        g_autofree char *quoted = error_quote(type);
        return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "there is no domain type '%s'", quoted);
}

static bool check_arch_name(const char *arch, GError **error)
{
        g_autofree char *quoted = NULL;

        if (!is_given(arch) || emulator_find_arch(arch))
                return true;
        quoted = error_quote(arch);
        return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "there is no architecture '%s'", quoted);
}

/* The default of some emulators is a board of long ago, or none; theirs is the one that is made for guests.
 */
static const struct qemu_machine *find_machine(const struct qemu_caps *caps, const char *arch,
                                               const char *name)
{
        const struct qemu_machine *machine = qemu_caps_find_machine(caps, name);
        enum machine_family family;

        if (is_given(name))
                return machine;
        family = machine ? machine_find_family(arch, machine->name) : MACHINE_UNKNOWN;
        return family == MACHINE_UNKNOWN && qemu_caps_find_machine(caps, "virt")
                       ? qemu_caps_find_machine(caps, "virt")
                       : machine;
}

bool resolve_check(const struct qemu_caps *caps, const struct resolve_request *request,
                   struct resolve_result *result, GError **error)
{
        const struct emulator_arch *arch;

        if (!check_arch_name(request->arch, error))
                return false;
        arch = is_given(request->arch) ? emulator_find_arch(request->arch) : NULL;
        result->caps = caps;
        result->arch = arch ? arch->name : qemu_caps_get_arch(caps);
        if (!emulator_can_run(qemu_caps_get_arch(caps), result->arch))
                return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                                 "emulator '%s' does not emulate architecture '%s'", qemu_caps_get_path(caps),
                                 result->arch);
        if (!find_accel(caps, request, result, error))
                return false;
        result->machine = find_machine(caps, result->arch, request->machine);
        if (!result->machine && is_given(request->machine)) {
                g_autofree char *quoted = error_quote(request->machine);

                return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                                 "emulator '%s' has no machine type '%s'", qemu_caps_get_path(caps), quoted);
        }
        if (!result->machine)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                                 "emulator '%s' has no default machine type, one must be named",
                                 qemu_caps_get_path(caps));
        return true;
}

static void probed(const struct qemu_caps *caps, const GError *error, void *data)
{
        struct pending *pending = data;
        struct resolve_request request = { pending->emulator, pending->arch, pending->machine, pending->type,
                                           pending->account };
        struct resolve_result result;
        g_autoptr(GError) own = NULL;

        if (caps && resolve_check(caps, &request, &result, &own))
                pending->done(&result, NULL, pending->data);
        else
                pending->done(NULL, error ? error : own, pending->data);
        g_free(pending->emulator);
        g_free(pending->arch);
        g_free(pending->machine);
        g_free(pending->type);
        account_unref(pending->account);
        g_free(pending);
}

/* The emulator that the request means; NULL with an error when there is none. */
static char *choose_emulator(const struct host *host, const struct resolve_request *request, GError **error)
{
        const char *arch = is_given(request->arch) ? request->arch : host_get_arch(host);
        char *path;

        if (!check_arch_name(request->arch, error))
                return NULL;
        if (is_given(request->emulator))
                return g_strdup(request->emulator);
        path = emulator_find(arch, host_get_arch(host));
        if (!path)
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                          "no emulator for architecture '%s' is installed (qemu-system-*)", arch);
        return path;
}

void resolve_run(struct probe_cache *cache, const struct host *host, const struct resolve_request *request,
                 resolve_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *emulator = choose_emulator(host, request, &error);
        struct pending *pending;

        if (!emulator) {
                done(NULL, error, data);
                return;
        }
        pending = g_new0(struct pending, 1);
        pending->emulator = g_steal_pointer(&emulator);
        /* The host's own architecture is what an emulator that was found by it is for. */
        pending->arch =
                g_strdup(!is_given(request->emulator) && !is_given(request->arch) ? host_get_arch(host)
                                                                                  : request->arch);
        pending->machine = g_strdup(request->machine);
        pending->type = g_strdup(request->type);
        pending->account = request->account ? account_ref(request->account) : NULL;
        pending->done = done;
        pending->data = data;
        probe_cache_ask(cache, pending->emulator, probed, pending);
}

/* The first of several types that the emulator has; names in pairs: type, what definitions call it. */
static const char *first_of(const struct qemu_caps *caps, const char *const *pairs)
{
        for (; *pairs; pairs += 2) {
                if (qemu_caps_has_type(caps, pairs[0]))
                        return pairs[1];
        }
        return NULL;
}

/* What a guest that asks for nothing in particular finds most likely supported. */
static void describe_models(const struct qemu_caps *caps, enum machine_family family,
                            struct domain_machine *machine)
{
        static const char *const usb_old[] = { "piix3-usb-uhci", "piix3-uhci", NULL };
        static const char *const usb[] = { "qemu-xhci", "qemu-xhci", "nec-usb-xhci", "nec-xhci", NULL };
        static const char *const net_old[] = { "rtl8139",        "rtl8139", "e1000", "e1000",
                                               "virtio-net-pci", "virtio",  NULL };
        static const char *const net[] = {
                "virtio-net-pci", "virtio", "virtio-net-device", "virtio", "virtio-net-ccw", "virtio", NULL
        };
        static const char *const video_x86[] = { "cirrus-vga", "cirrus", "VGA", "vga", NULL };
        static const char *const video_ppc[] = { "VGA", "vga", NULL };
        static const char *const video[] = { "virtio-gpu-pci", "virtio", "virtio-gpu-ccw", "virtio", NULL };
        bool old = machine_is_x86(family) || family == MACHINE_PSERIES;

        if (old)
                machine->usb_model = first_of(caps, family == MACHINE_I440FX ? usb_old : usb);
        machine->net_model = first_of(caps, old ? net_old : net);
        machine->video_model = first_of(caps, machine_is_x86(family)      ? video_x86
                                              : family == MACHINE_PSERIES ? video_ppc
                                                                          : video);
}

/* What machines other than PCs have where a document says nothing. */
static void describe_defaults(enum machine_family family, enum qemu_accel accel,
                              struct domain_machine *machine)
{
        machine->scsi_model = "virtio-scsi";
        switch (family) {
        case MACHINE_VIRT_ARM:
                machine->serial_type = "system-serial";
                machine->serial_model = "pl011";
                machine->acpi = machine->acpi_needs_uefi = true;
                machine->no_balloon = true;
                /* What the host's own can do is the kernel's to say. */
                machine->gic_version = accel == QEMU_ACCEL_TCG ? "2" : NULL;
                break;
        case MACHINE_VIRT_RISCV:
                machine->serial_type = "system-serial";
                machine->serial_model = "16550a";
                break;
        case MACHINE_PSERIES:
                machine->serial_type = "spapr-vio-serial";
                machine->serial_model = "spapr-vty";
                machine->scsi_model = "ibmvscsi";
                machine->tpm_model = "tpm-spapr";
                machine->panic_model = "pseries";
                machine->spapr = machine->usb_input = true;
                break;
        case MACHINE_S390:
                machine->serial_type = "sclp-serial";
                machine->serial_model = "sclpconsole";
                machine->panic_model = "s390";
                machine->ccw = true;
                break;
        default:
                machine->scsi_model = NULL;
        }
}

/* Features that CPUs have and guests are never given (cmt) are not QEMU's to know. */
static bool has_cpu_feature(const struct domain_machine *machine, const char *name)
{
        const char *type = g_str_equal(machine->arch, "i686") ? "max-i386-cpu" : "max-x86_64-cpu";
        struct cpu_features features = { 0 };

        return qemu_caps_has_property(machine->caps, type, name) || cpu_features_add(&features, name);
}

/* A property that all x86 CPUs have says that the emulator was asked for them. */
static bool knows_cpu_features(const struct qemu_caps *caps)
{
        return qemu_caps_has_property(caps, "max-x86_64-cpu", "sse2") ||
               qemu_caps_has_property(caps, "max-i386-cpu", "sse2");
}

void resolve_describe(const struct resolve_result *result, struct domain_machine *machine)
{
        const char *name = result->machine->name;
        enum machine_family family = machine_find_family(result->arch, name);
        bool i440fx = family == MACHINE_I440FX, q35 = family == MACHINE_Q35;
        bool pc = i440fx || q35 || family == MACHINE_ISAPC;

        *machine = (struct domain_machine){
                .type = result->type,
                .arch = result->arch,
                .machine = name,
                .emulator = qemu_caps_get_path(result->caps),
                .max_vcpus = result->machine->max_cpus,
                .pcie_root = machine_has_pcie(family),
                .pci_root = i440fx || family == MACHINE_PSERIES,
                .isa = pc,
                .ps2 = pc,
                .acpi = i440fx || q35 || family == MACHINE_X86, /* microvm */
                .assign_addresses = true,
                .cpu_model = result->machine->default_cpu,
                .has_cpu_feature = knows_cpu_features(result->caps) ? has_cpu_feature : NULL,
                .caps = result->caps,
        };
        describe_defaults(family, result->accel, machine);
        if (machine->pcie_root || machine->pci_root || machine->ccw)
                describe_models(result->caps, family, machine);
}
