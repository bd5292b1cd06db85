/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writing the <capabilities> document of the QEMU driver. Any thread. */

#include "drivers/qemu/capabilities-xml.h"
#include "base/xml.h"
#include "drivers/host/host-capabilities-xml.h"
#include "drivers/host/host.h"
#include "drivers/qemu/emulator.h"
#include "drivers/qemu/qemu-caps.h"

static bool has_path(const GPtrArray *paths, const char *path)
{
        for (unsigned i = 0; i < paths->len; i++) {
                if (g_str_equal(g_ptr_array_index(paths, i), path))
                        return true;
        }
        return false;
}

static void add_emulator(GPtrArray *paths, const char *arch, const char *host_arch)
{
        g_autofree char *path = emulator_find(arch, host_arch);

        if (path && !has_path(paths, path))
                g_ptr_array_add(paths, g_steal_pointer(&path));
}

GPtrArray *capabilities_find_emulators(const struct host *host)
{
        GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
        const struct emulator_arch *arch;

        add_emulator(paths, host_get_arch(host), host_get_arch(host));
        for (unsigned i = 0; (arch = emulator_get_arch(i)); i++)
                add_emulator(paths, arch->name, host_get_arch(host));
        g_ptr_array_add(paths, NULL);
        return paths;
}

static void add_machine(xmlNode *parent, const struct qemu_machine *machine, const char *name)
{
        xmlNode *node = xml_add_text(parent, "machine", name);

        if (name != machine->name)
                xml_set_attr(node, "canonical", machine->name);
        xml_set_attr_format(node, "maxCpus", "%u", machine->max_cpus);
        if (machine->deprecated)
                xml_set_attr(node, "deprecated", "yes");
}

static void add_machine_and_alias(xmlNode *parent, const struct qemu_machine *machine)
{
        add_machine(parent, machine, machine->name);
        if (machine->alias)
                add_machine(parent, machine, machine->alias);
}

/* The default machine comes first: clients take the first one when the user has no wish. */
static void add_machines(xmlNode *parent, void *data)
{
        const struct qemu_caps *caps = data;
        const struct qemu_machine *usual = qemu_caps_find_machine(caps, NULL);
        const struct qemu_machine *machines;
        unsigned count;

        machines = qemu_caps_get_machines(caps, &count);
        if (usual)
                add_machine_and_alias(parent, usual);
        for (unsigned i = 0; i < count; i++) {
                if (&machines[i] != usual)
                        add_machine_and_alias(parent, &machines[i]);
        }
}

static void add_toggle(xmlNode *parent, const char *name, const char *toggle)
{
        xmlNode *node = xml_add(parent, name);

        xml_set_attr(node, "default", "on");
        xml_set_attr(node, "toggle", toggle);
}

static void add_features(xmlNode *features, const char *arch)
{
        bool x86 = g_str_equal(arch, "x86_64") || g_str_equal(arch, "i686");

        if (g_str_equal(arch, "i686")) {
                xml_add(features, "pae");
                xml_add(features, "nonpae");
        }
        if (x86 || g_str_equal(arch, "aarch64"))
                add_toggle(features, "acpi", "yes");
        if (x86)
                add_toggle(features, "apic", "no");
        xml_add(features, "cpuselection");
        xml_add(features, "deviceboot");
        add_toggle(features, "disksnapshot", "no");
}

static void add_guest(xmlDoc *doc, const struct qemu_caps *caps, const struct emulator_arch *arch)
{
        const char *types[3] = { "qemu", NULL, NULL };
        struct host_capabilities_guest guest = {
                .os_type = "hvm",
                .arch = arch->name,
                .wordsize = arch->wordsize,
                .emulator = qemu_caps_get_path(caps),
                .domain_types = types,
        };

        if (qemu_caps_has_accel(caps, QEMU_ACCEL_KVM))
                types[1] = "kvm";
        add_features(host_capabilities_add_guest(doc, &guest, add_machines, (void *)caps), arch->name);
}

/* The emulator that runs guests of this architecture unless they name another: its own, else one that can. */
static const struct qemu_caps *find_caps(const GPtrArray *caps, const char *arch)
{
        for (unsigned i = 0; i < caps->len; i++) {
                if (g_str_equal(qemu_caps_get_arch(g_ptr_array_index(caps, i)), arch))
                        return g_ptr_array_index(caps, i);
        }
        for (unsigned i = 0; i < caps->len; i++) {
                if (emulator_can_run(qemu_caps_get_arch(g_ptr_array_index(caps, i)), arch))
                        return g_ptr_array_index(caps, i);
        }
        return NULL;
}

char *capabilities_format(const struct capabilities_request *request)
{
        struct host_capabilities_options options = {
                .secmodels = request->secmodels,
                .n_secmodels = request->n_secmodels,
                .migration_transports = request->migration_transports,
        };
        g_autoptr(xmlDoc) doc = host_capabilities_new(request->host, &options);
        const struct emulator_arch *arch;

        for (unsigned i = 0; (arch = emulator_get_arch(i)); i++) {
                const struct qemu_caps *caps = find_caps(request->caps, arch->name);

                if (caps)
                        add_guest(doc, caps, arch);
        }
        return xml_write(doc, NULL);
}
