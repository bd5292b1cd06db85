/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writing the <domainCapabilities> document. The tables pair each value with the type that the emulator must
 * have for it; a value that the command line (device-*.c) does not drive is not in them. Any thread.
 */

#include "drivers/qemu/domain-capabilities-xml.h"
#include "base/xml.h"
#include "drivers/host/host.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/qemu-caps.h"
#include "drivers/qemu/resolve.h"

#include "drivers/domain/definition.h"

#include <string.h>

struct value {
        const char *name;
        const char *type; /* that the emulator must have; NULL: always there */
};

static xmlNode *add_supported(xmlNode *parent, const char *name, bool supported)
{
        xmlNode *node = xml_add(parent, name);

        xml_set_attr(node, "supported", supported ? "yes" : "no");
        return node;
}

static xmlNode *add_enum(xmlNode *parent, const char *name)
{
        xmlNode *node = xml_add(parent, "enum");

        xml_set_attr(node, "name", name);
        return node;
}

static void add_value(xmlNode *node, const char *value)
{
        xml_add_text(node, "value", value);
}

static void add_values(xmlNode *parent, const char *name, const struct qemu_caps *caps,
                       const struct value *values, unsigned count)
{
        xmlNode *node = add_enum(parent, name);

        for (unsigned i = 0; i < count; i++) {
                if (!values[i].type || qemu_caps_has_type(caps, values[i].type))
                        add_value(node, values[i].name);
        }
}

#define ADD_VALUES(parent, name, caps, ...)                                                                  \
        do {                                                                                                 \
                static const struct value table[] = { __VA_ARGS__ };                                         \
                add_values(parent, name, caps, table, G_N_ELEMENTS(table));                                  \
        } while (false)

/* ---- <os> ---- */

static bool is_flash(const struct firmware *firmware)
{
        return firmware->device <= FIRMWARE_FLASH_COMBINED;
}

static void add_loaders(xmlNode *parent, const GPtrArray *found)
{
        xmlNode *loader = add_supported(parent, "loader", true);
        bool secure = false;
        xmlNode *node;

        for (unsigned i = 0; i < found->len; i++) {
                const struct firmware *firmware = g_ptr_array_index(found, i);

                if (!is_flash(firmware) || !g_file_test(firmware->loader, G_FILE_TEST_EXISTS))
                        continue;
                add_value(loader, firmware->loader);
                secure = secure || (firmware->secure_boot && firmware->requires_smm);
        }
        node = add_enum(loader, "type");
        add_value(node, "rom");
        add_value(node, "pflash");
        node = add_enum(loader, "readonly");
        add_value(node, "yes");
        add_value(node, "no");
        node = add_enum(loader, "secure");
        if (secure)
                add_value(node, "yes");
        add_value(node, "no");
}

static void add_os(xmlNode *parent, const struct domain_capabilities_request *request)
{
        const struct resolve_result *target = request->target;
        g_autoptr(GPtrArray) found =
                firmware_list_filter(request->firmware, target->arch, target->machine->name);
        xmlNode *os = add_supported(parent, "os", true);
        xmlNode *node = add_enum(os, "firmware");
        unsigned interfaces = 0;

        for (unsigned i = 0; i < found->len; i++) {
                const struct firmware *firmware = g_ptr_array_index(found, i);

                if (is_flash(firmware))
                        interfaces |= firmware->interfaces;
        }
        if (interfaces & FIRMWARE_UEFI)
                add_value(node, "efi");
        add_loaders(os, found);
}

/* ---- <cpu> ---- */

static xmlNode *add_mode(xmlNode *cpu, const char *name, bool supported)
{
        xmlNode *node = xml_add(cpu, "mode");

        xml_set_attr(node, "name", name);
        xml_set_attr(node, "supported", supported ? "yes" : "no");
        return node;
}

/* For modes that take everything there is: may that be what another host does not have? */
static void add_migratable(xmlNode *mode, const char *name)
{
        xmlNode *node = add_enum(mode, name);

        add_value(node, "on");
        add_value(node, "off");
}

static void add_host_model(xmlNode *cpu, const struct qemu_host_model *host)
{
        xmlNode *mode = add_mode(cpu, "host-model", host->model != NULL);

        if (!host->model)
                return;
        xml_set_attr(xml_add_text(mode, "model", host->model), "fallback", "forbid");
        if (host->vendor)
                xml_add_text(mode, "vendor", host->vendor);
        for (unsigned i = 0; i < host->n_features; i++) {
                xmlNode *feature = xml_add(mode, "feature");

                xml_set_attr(feature, "policy", host->features[i].enabled ? "require" : "disable");
                xml_set_attr(feature, "name", host->features[i].name);
        }
}

static void add_custom(xmlNode *cpu, const struct qemu_caps *caps, enum qemu_accel accel)
{
        const struct qemu_cpu_model *models;
        xmlNode *mode;
        unsigned count;

        models = qemu_caps_get_cpu_models(caps, accel, &count);
        mode = add_mode(cpu, "custom", count > 0);
        for (unsigned i = 0; i < count; i++) {
                const struct cpu_model *known = cpu_model_find(models[i].name);
                const char *vendor = known ? cpu_vendor_get_name(known->vendor) : NULL;
                xmlNode *node = xml_add_text(mode, "model", models[i].name);

                xml_set_attr(node, "usable",
                             !models[i].has_usability ? "unknown"
                             : models[i].usable       ? "yes"
                                                      : "no");
                if (models[i].deprecated)
                        xml_set_attr(node, "deprecated", "yes");
                xml_set_attr(node, "vendor", vendor ? vendor : "unknown");
        }
}

static void add_cpu(xmlNode *parent, const struct resolve_result *target)
{
        const struct qemu_caps *caps = target->caps;
        bool kvm = target->accel == QEMU_ACCEL_KVM && qemu_caps_has_cpu(caps, "host");
        bool max = qemu_caps_has_cpu(caps, "max");
        xmlNode *cpu = xml_add(parent, "cpu");
        xmlNode *mode = add_mode(cpu, "host-passthrough", kvm);

        if (kvm)
                add_migratable(mode, "hostPassthroughMigratable");
        mode = add_mode(cpu, "maximum", max);
        if (max)
                add_migratable(mode, "maximumMigratable");
        add_host_model(cpu, qemu_caps_get_host_model(caps, target->accel));
        add_custom(cpu, caps, target->accel);
}

/* ---- <devices> ---- */

/* A virtio device is another type on each bus that it can be on. */
static bool has_virtio(const struct qemu_caps *caps, const char *base)
{
        static const char *const buses[] = { "pci", "ccw", "device" };

        for (unsigned i = 0; i < G_N_ELEMENTS(buses); i++) {
                g_autofree char *type = g_strconcat(base, "-", buses[i], NULL);

                if (qemu_caps_has_type(caps, type))
                        return true;
        }
        return false;
}

/* Models of a virtio device: the plain one, and those that are tied to one generation. */
static void add_virtio_models(xmlNode *parent, const struct qemu_caps *caps, const char *type)
{
        static const char *const suffixes[] = { "", "-transitional", "-non-transitional" };
        xmlNode *node = add_enum(parent, "model");

        for (unsigned i = 0; i < G_N_ELEMENTS(suffixes); i++) {
                g_autofree char *driver = g_strconcat(type, "-pci", suffixes[i], NULL);
                g_autofree char *model = g_strconcat("virtio", suffixes[i], NULL);

                if (qemu_caps_has_type(caps, driver) || (i == 0 && has_virtio(caps, type)))
                        add_value(node, model);
        }
}

static void add_disk(xmlNode *devices, const struct qemu_caps *caps, const struct domain_machine *machine)
{
        xmlNode *disk = add_supported(devices, "disk", true);
        bool floppy = machine->isa && qemu_caps_has_type(caps, "isa-fdc");
        xmlNode *node = add_enum(disk, "diskDevice");

        add_value(node, "disk");
        add_value(node, "cdrom");
        if (floppy)
                add_value(node, "floppy");
        add_value(node, "lun");
        node = add_enum(disk, "bus");
        if (machine->isa && machine->pci_root && qemu_caps_has_type(caps, "ide-hd"))
                add_value(node, "ide");
        if (floppy)
                add_value(node, "fdc");
        if (qemu_caps_has_type(caps, "scsi-hd"))
                add_value(node, "scsi");
        if (has_virtio(caps, "virtio-blk"))
                add_value(node, "virtio");
        if (qemu_caps_has_type(caps, "usb-storage") && !machine->ccw)
                add_value(node, "usb");
        if (qemu_caps_has_type(caps, "ich9-ahci") && !machine->ccw)
                add_value(node, "sata");
        if (qemu_caps_has_type(caps, "nvme-ns") && !machine->ccw)
                add_value(node, "nvme");
        add_virtio_models(disk, caps, "virtio-blk");
}

static void add_graphics(xmlNode *devices, const struct qemu_caps *caps)
{
        xmlNode *node = add_enum(add_supported(devices, "graphics", true), "type");

        if (qemu_caps_has_option(caps, "vnc", NULL))
                add_value(node, "vnc");
        if (qemu_caps_has_option(caps, "spice", NULL))
                add_value(node, "spice");
        if (qemu_caps_has_argument(caps, "query-display-options/type=egl-headless"))
                add_value(node, "egl-headless");
}

static void add_video(xmlNode *devices, const struct qemu_caps *caps, const struct domain_machine *machine)
{
        xmlNode *video = add_supported(devices, "video", true);

        if (machine->ccw) {
                ADD_VALUES(video, "modelType", caps, { "virtio", "virtio-gpu-ccw" }, { "none", NULL });
                return;
        }
        ADD_VALUES(video, "modelType", caps, { "vga", "VGA" }, { "cirrus", "cirrus-vga" },
                   { "vmvga", "vmware-svga" }, { "qxl", "qxl-vga" }, { "virtio", "virtio-gpu-pci" },
                   { "none", NULL }, { "bochs", "bochs-display" }, { "ramfb", "ramfb" });
}

static void add_hostdev(xmlNode *devices, const struct domain_capabilities_request *request)
{
        const struct qemu_caps *caps = request->target->caps;
        xmlNode *hostdev = add_supported(devices, "hostdev", true);
        bool vfio = host_has_iommu(request->host) && qemu_caps_has_type(caps, "vfio-pci");
        xmlNode *node;

        ADD_VALUES(hostdev, "mode", caps, { "subsystem", NULL });
        ADD_VALUES(hostdev, "startupPolicy", caps, { "default", NULL }, { "mandatory", NULL },
                   { "requisite", NULL }, { "optional", NULL });
        ADD_VALUES(hostdev, "subsysType", caps, { "usb", "usb-host" }, { "pci", "vfio-pci" },
                   { "mdev", "vfio-pci" });
        add_enum(hostdev, "capsType");
        node = add_enum(hostdev, "pciBackend");
        if (vfio)
                add_value(node, "vfio");
}

static void add_rng(xmlNode *devices, const struct qemu_caps *caps)
{
        bool supported = has_virtio(caps, "virtio-rng");
        xmlNode *rng = add_supported(devices, "rng", supported);

        if (!supported)
                return;
        add_virtio_models(rng, caps, "virtio-rng");
        ADD_VALUES(rng, "backendModel", caps, { "random", "rng-random" }, { "egd", "rng-egd" },
                   { "builtin", "rng-builtin" });
}

/* A TPM is a program of its own. */
static void add_filesystem(xmlNode *devices, const struct qemu_caps *caps)
{
        bool path = has_virtio(caps, "virtio-9p"), virtiofs = has_virtio(caps, "vhost-user-fs");
        xmlNode *filesystem = add_supported(devices, "filesystem", path || virtiofs), *node;

        if (!path && !virtiofs)
                return;
        node = add_enum(filesystem, "driverType");
        if (path)
                add_value(node, "path");
        if (virtiofs)
                add_value(node, "virtiofs");
}

static void add_tpm(xmlNode *devices, const struct qemu_caps *caps)
{
        g_autofree char *swtpm = g_find_program_in_path("swtpm");
        bool tis = qemu_caps_has_type(caps, "tpm-tis") || qemu_caps_has_type(caps, "tpm-tis-device");
        bool has_model = tis || qemu_caps_has_type(caps, "tpm-crb") || qemu_caps_has_type(caps, "tpm-spapr");
        bool supported = swtpm && has_model && qemu_caps_has_type(caps, "tpm-emulator");
        xmlNode *tpm = add_supported(devices, "tpm", supported);

        if (!supported)
                return;
        ADD_VALUES(tpm, "model", caps, { "tpm-tis", "tpm-tis" }, { "tpm-tis", "tpm-tis-device" },
                   { "tpm-crb", "tpm-crb" }, { "tpm-spapr", "tpm-spapr" });
        ADD_VALUES(tpm, "backendModel", caps, { "emulator", NULL });
        ADD_VALUES(tpm, "backendVersion", caps, { "1.2", NULL }, { "2.0", NULL });
}

static void add_redirdev(xmlNode *devices, const struct qemu_caps *caps, const struct domain_machine *machine)
{
        bool supported = qemu_caps_has_type(caps, "usb-redir") && !machine->ccw;
        xmlNode *redirdev = add_supported(devices, "redirdev", supported);

        if (supported)
                ADD_VALUES(redirdev, "bus", caps, { "usb", NULL });
}

static void add_channel(xmlNode *devices, const struct qemu_caps *caps)
{
        xmlNode *node = add_enum(add_supported(devices, "channel", true), "type");

        add_value(node, "pty");
        add_value(node, "unix");
        if (qemu_caps_has_option(caps, "spice", NULL))
                add_value(node, "spicevmc");
}

static void add_devices(xmlNode *parent, const struct domain_capabilities_request *request)
{
        const struct qemu_caps *caps = request->target->caps;
        xmlNode *devices = xml_add(parent, "devices");
        struct domain_machine machine;

        resolve_describe(request->target, &machine);
        add_disk(devices, caps, &machine);
        add_graphics(devices, caps);
        add_video(devices, caps, &machine);
        add_hostdev(devices, request);
        add_rng(devices, caps);
        add_filesystem(devices, caps);
        add_tpm(devices, caps);
        add_redirdev(devices, caps, &machine);
        add_channel(devices, caps);
}

/* ---- <features> ---- */

static void add_hyperv(xmlNode *features, const struct resolve_result *target)
{
        static const char *const names[] = { "relaxed",     "vapic",           "spinlocks",
                                             "vpindex",     "runtime",         "synic",
                                             "stimer",      "reset",           "vendor_id",
                                             "frequencies", "reenlightenment", "tlbflush",
                                             "ipi",         "evmcs",           "avic" };
        bool supported = target->accel == QEMU_ACCEL_KVM;
        xmlNode *hyperv = add_supported(features, "hyperv", supported);
        xmlNode *node;

        if (!supported)
                return;
        node = add_enum(hyperv, "features");
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                /* These two are QEMU's own. */
                bool always = g_str_equal(names[i], "spinlocks") || g_str_equal(names[i], "vendor_id");

                if (always || qemu_caps_has_hyperv(target->caps, names[i]))
                        add_value(node, names[i]);
        }
}

/* What the emulator makes itself; of the host's own, KVM alone knows. */
static void add_gic(xmlNode *features, const struct resolve_result *target)
{
        bool supported = target->accel == QEMU_ACCEL_TCG &&
                         machine_find_family(target->arch, target->machine->name) == MACHINE_VIRT_ARM;
        xmlNode *gic = add_supported(features, "gic", supported), *node;

        if (!supported)
                return;
        node = add_enum(gic, "version");
        add_value(node, "2");
        add_value(node, "3");
}

static void add_features(xmlNode *parent, const struct resolve_result *target)
{
        xmlNode *features = xml_add(parent, "features");

        add_gic(features, target);
        add_supported(features, "vmcoreinfo", qemu_caps_has_type(target->caps, "vmcoreinfo"));
        add_supported(features, "genid", false);
        add_supported(features, "backingStoreInput", true);
        add_supported(features, "backup", false);
        add_supported(features, "sev", false);
        add_supported(features, "sgx", false);
        add_hyperv(features, target);
}

static void add_memory(xmlNode *parent, const struct qemu_caps *caps)
{
        xmlNode *memory = add_supported(parent, "memoryBacking", true);

        ADD_VALUES(memory, "sourceType", caps, { "file", "memory-backend-file" }, { "anonymous", NULL },
                   { "memfd", "memory-backend-memfd" });
}

char *domain_capabilities_format(const struct domain_capabilities_request *request)
{
        const struct resolve_result *target = request->target;
        g_autoptr(xmlDoc) doc = xml_new("domainCapabilities");
        xmlNode *root = xml_root(doc);

        xml_add_text(root, "path", qemu_caps_get_path(target->caps));
        xml_add_text(root, "domain", target->type);
        xml_add_text(root, "machine", target->machine->name);
        xml_add_text(root, "arch", target->arch);
        xml_set_attr_format(xml_add(root, "vcpu"), "max", "%u",
                            MIN(target->machine->max_cpus, DOMAIN_VCPUS_MAX));
        add_supported(root, "iothreads", qemu_caps_has_type(target->caps, "iothread"));
        add_os(root, request);
        add_cpu(root, target);
        add_memory(root, target->caps);
        add_devices(root, request);
        add_features(root, target);
        return xml_write(doc, NULL);
}
