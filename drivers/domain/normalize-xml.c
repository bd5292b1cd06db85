/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Normalisation of what stands outside <devices>, and the order of the steps. No state; any thread.
 */
#include "drivers/domain/normalize-xml.h"

#include "base/error.h"
#include "base/uuid.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

static void write_new_uuid(xmlNode *node)
{
        char text[UUID_STRING_LENGTH + 1];
        struct uuid uuid;

        uuid_generate(&uuid);
        xml_set_text(node, uuid_format(&uuid, text));
}

/* What SMBIOS is to show as the machine's UUID is the domain's; NULL: the document does not say. */
static const xmlNode *find_sysinfo_uuid(const xmlNode *root)
{
        for (const xmlNode *sysinfo = xml_child(root, "sysinfo"); sysinfo; sysinfo = xml_next(sysinfo)) {
                XML_FOREACH_CHILD (entry, xml_child(sysinfo, "system")) {
                        if (xml_is(entry, "entry") && hardware_is(entry, "name", "uuid"))
                                return entry;
                }
        }
        return NULL;
}

static void fill_new_uuid(const xmlNode *root, xmlNode *node)
{
        const xmlNode *sysinfo = find_sysinfo_uuid(root);
        char text[UUID_STRING_LENGTH + 1];
        struct uuid uuid;

        if (sysinfo && uuid_parse(&uuid, hardware_peek_text(sysinfo), NULL))
                xml_set_text(node, uuid_format(&uuid, text));
        else
                write_new_uuid(node);
}

static bool fill_identity(xmlNode *root, GError **error)
{
        bool is_new = !xml_child(root, "uuid");
        xmlNode *node = hardware_child(root, "uuid"), *genid = xml_child(root, "genid");
        char text[UUID_STRING_LENGTH + 1];
        struct uuid uuid;

        xml_set_attr(root, "id", NULL);
        if (genid && !*hardware_peek_text(genid))
                write_new_uuid(genid);
        if (is_new) {
                fill_new_uuid(root, node);
                return true;
        }
        if (!uuid_parse(&uuid, hardware_peek_text(node), NULL))
                return xml_error(error, node, "malformed UUID");
        uuid_format(&uuid, text);
        if (strcmp(text, hardware_peek_text(node)) != 0)
                xml_set_text(node, text);
        return true;
}

/* ---- CPUs ---- */

/* One that is not listed is off, and may come. */
static void complete_vcpus(xmlNode *list, xmlNode *const *known, unsigned max)
{
        for (unsigned id = 0; id < max; id++) {
                xmlNode *node = known[id];

                if (node) {
                        xmlUnlinkNode(node);
                        xmlAddChild(list, node);
                } else {
                        node = xml_add(list, "vcpu");
                        xml_set_attr_format(node, "id", "%u", id);
                        xml_set_attr(node, "enabled", "no");
                }
                hardware_default(node, "hotpluggable", hardware_is(node, "enabled", "yes") ? "no" : "yes");
        }
}

/* <vcpus>: of each vCPU, and by number. What is wrong with it the reader says. */
static void fill_vcpu_list(xmlNode *root, unsigned max, unsigned *current)
{
        xmlNode *list = xml_child(root, "vcpus");
        g_autofree xmlNode **known = g_new0(xmlNode *, max);
        unsigned count = 0;

        if (!xml_first_element(list))
                return;
        XML_FOREACH_CHILD (node, list) {
                unsigned id = max;

                if (!xml_is(node, "vcpu") || !xml_get_uint(node, "id", &id, NULL) || id >= max || known[id])
                        return;
                known[id] = node;
                count += hardware_is(node, "enabled", "yes");
        }
        complete_vcpus(list, known, max);
        *current = count ? count : *current;
}

static bool fill_vcpus(xmlNode *root, const struct domain_machine *machine, unsigned *max, GError **error)
{
        xmlNode *node = xml_child(root, "vcpu");
        unsigned limit = machine->max_vcpus ? MIN(machine->max_vcpus, DOMAIN_VCPUS_MAX) : DOMAIN_VCPUS_MAX;
        unsigned current;

        *max = 1;
        if (!node)
                node = xml_add_text(root, "vcpu", "1");
        else if (!xml_get_uint(node, NULL, max, error))
                return false;
        current = *max;
        if (!xml_get_uint(node, "current", &current, error))
                return false;
        if (*max == 0)
                return xml_error(error, node, "the number of vCPUs is missing or zero");
        if (*max > DOMAIN_VCPUS_MAX)
                return xml_error(error, node, "%u vCPUs, at most %u are allowed", *max, DOMAIN_VCPUS_MAX);
        if (*max > limit)
                return hardware_unsupported(error, node, "%u vCPUs, the machine type allows at most %u", *max,
                                            limit);
        fill_vcpu_list(root, *max, &current);
        if (current == 0 || current > *max)
                return hardware_unsupported(error, node, "%u current vCPUs, it must be 1 to %u", current,
                                            *max);
        xml_set_attr(node, "current", NULL);
        if (current < *max)
                xml_set_attr_format(node, "current", "%u", current);
        hardware_default(node, "placement", "static");
        return true;
}

/* <iothreads> counts at least the numbered ones, and all are numbered when one is. */
static bool fill_iothreads(xmlNode *root, GError **error)
{
        xmlNode *ids = xml_child(root, "iothreadids"), *node = xml_child(root, "iothreads");
        g_autoptr(GHashTable) used = NULL;
        unsigned count = 0;

        if (node && !xml_get_uint(node, NULL, &count, error))
                return false;
        if (count > DOMAIN_IOTHREADS_MAX)
                return xml_error(error, node, "%u iothreads, at most %u are allowed", count,
                                 DOMAIN_IOTHREADS_MAX);
        if (!ids)
                return true;
        used = g_hash_table_new(NULL, NULL);
        XML_FOREACH_CHILD (id, ids) {
                unsigned value = 0;

                if (!xml_get_uint(id, "id", &value, error))
                        return false;
                if (!g_hash_table_add(used, GUINT_TO_POINTER(value)))
                        return xml_error(error, id, "iothread %u is there twice", value);
                if (g_hash_table_size(used) > DOMAIN_IOTHREADS_MAX)
                        return xml_error(error, id, "more than %u iothreads", DOMAIN_IOTHREADS_MAX);
        }
        for (unsigned value = 1; g_hash_table_size(used) < count; value++) {
                if (g_hash_table_add(used, GUINT_TO_POINTER(value)))
                        xml_set_attr_format(xml_add(ids, "iothread"), "id", "%u", value);
        }
        if (count < g_hash_table_size(used)) {
                g_autofree char *text = g_strdup_printf("%u", g_hash_table_size(used));

                xml_set_text(node ? node : xml_add(root, "iothreads"), text);
        }
        return true;
}

static bool check_topology(const xmlNode *cpu, unsigned vcpus, GError **error)
{
        xmlNode *node = xml_child(cpu, "topology");
        unsigned sockets = 0, dies = 1, clusters = 1, cores = 0, threads = 0;
        uint64_t product;

        if (!node)
                return true;
        hardware_default(node, "dies", "1");
        if (!hardware_get_uint(node, "sockets", DOMAIN_VCPUS_MAX, &sockets, error) ||
            !hardware_get_uint(node, "dies", DOMAIN_VCPUS_MAX, &dies, error) ||
            !hardware_get_uint(node, "clusters", DOMAIN_VCPUS_MAX, &clusters, error) ||
            !hardware_get_uint(node, "cores", DOMAIN_VCPUS_MAX, &cores, error) ||
            !hardware_get_uint(node, "threads", DOMAIN_VCPUS_MAX, &threads, error))
                return false;
        product = (uint64_t)sockets * dies * clusters * cores * threads;
        if (product != vcpus)
                return hardware_unsupported(error, node,
                                            "the topology has %" G_GUINT64_FORMAT " vCPUs and the domain %u",
                                            product, vcpus);
        return true;
}

static void fill_cpu_model(xmlNode *cpu, const struct domain_machine *machine)
{
        xmlNode *model = xml_child(cpu, "model");
        bool kvm = g_strcmp0(machine->type, "kvm") == 0;

        if (!model && machine->cpu_model) {
                model = xml_add_text(cpu, "model", machine->cpu_model);
                xml_set_attr(model, "fallback", "forbid");
                hardware_default(cpu, "check", "none");
        }
        if (!model)
                return;
        hardware_default(cpu, "mode", "custom");
        hardware_default(cpu, "match", "exact");
        hardware_default(cpu, "check", kvm ? "partial" : "none");
        hardware_default(model, "fallback", "allow");
}

static bool fill_cpu(xmlNode *root, const struct domain_machine *machine, unsigned vcpus, GError **error)
{
        xmlNode *cpu = xml_child(root, "cpu");
        const char *mode;

        if (!cpu && !machine->cpu_model)
                return true;
        if (!cpu)
                cpu = xml_add(root, "cpu");
        mode = hardware_peek(cpu, "mode");
        if (!mode || strcmp(mode, "custom") == 0) {
                fill_cpu_model(cpu, machine);
        } else if (strcmp(mode, "host-model") == 0) {
                hardware_default(cpu, "check", "partial");
        } else if (strcmp(mode, "host-passthrough") == 0) {
                hardware_default(cpu, "check", "none");
                hardware_default(cpu, "migratable", "on");
        } else {
                hardware_default(cpu, "check", "none");
        }
        XML_FOREACH_CHILD (feature, cpu) {
                if (xml_is(feature, "feature"))
                        hardware_default(feature, "policy", "require");
        }
        return check_topology(cpu, vcpus, error);
}

/* ---- firmware, boot, clock and the rest ---- */

/* Is there a <boot order=> at a device? Each order may be there once. */
static bool check_boot_orders(const struct hardware *hardware, bool *any, GError **error)
{
        g_autoptr(GHashTable) orders = g_hash_table_new(NULL, NULL);

        *any = false;
        XML_FOREACH_CHILD (device, hardware->devices) {
                xmlNode *boot = xml_child(device, "boot");
                const xmlNode *other;
                unsigned order = 0;

                if (!xml_has_attr(boot, "order"))
                        continue;
                if (!xml_get_uint(boot, "order", &order, error))
                        return false;
                if (order == 0)
                        return xml_error(error, boot, "a boot order counts from 1");
                other = g_hash_table_lookup(orders, GUINT_TO_POINTER(order));
                if (other) {
                        g_autofree char *first = hardware_describe(other),
                                        *second = hardware_describe(device);

                        return hardware_unsupported(error, boot, "boot order %u is both that of %s and of %s",
                                                    order, first, second);
                }
                g_hash_table_insert(orders, GUINT_TO_POINTER(order), device);
                *any = true;
        }
        return true;
}

static bool fill_boot(const struct hardware *hardware, xmlNode *os, GError **error)
{
        xmlNode *boot = xml_child(os, "boot");
        bool per_device;

        if (!check_boot_orders(hardware, &per_device, error))
                return false;
        if (per_device && boot)
                return hardware_unsupported(
                        error, boot, "<boot dev> in <os> and <boot order> at a device cannot go together");
        if (!per_device && !boot)
                xml_set_attr(xml_add(os, "boot"), "dev", "hd");
        return true;
}

static bool fill_os(const struct hardware *hardware, GError **error)
{
        const struct domain_machine *machine = hardware->machine;
        xmlNode *os = xml_child(hardware->root, "os"), *type = xml_child(os, "type"),
                *loader = xml_child(os, "loader");

        if (!type || !*hardware_peek_text(type))
                return xml_error(error, os ? os : hardware->root, "the <type> in <os> is missing");
        if (machine->arch)
                xml_set_attr(type, "arch", machine->arch);
        if (machine->machine)
                xml_set_attr(type, "machine", machine->machine);
        if (xml_child(os, "nvram") && !loader && !xml_has_attr(os, "firmware"))
                return hardware_unsupported(error, xml_child(os, "nvram"),
                                            "an <nvram> is nothing without a <loader>");
        if (loader && *hardware_peek_text(loader) && !xml_has_attr(os, "firmware"))
                hardware_default(loader, "type", "rom");
        if (machine->isa && !xml_child(xml_child(hardware->root, "features"), "acpi") &&
            (hardware_is(os, "firmware", "efi") || hardware_is(loader, "type", "pflash")))
                return hardware_unsupported(error, os, "UEFI firmware needs the feature acpi");
        /* Only a machine boots from its devices; other guests are given a kernel. */
        if (strcmp(hardware_peek_text(type), "hvm") != 0)
                return true;
        return fill_boot(hardware, os, error);
}

/* What "offset" was called first; documents of that time still go around. */
static void replace_sync(xmlNode *clock)
{
        const char *sync = hardware_peek(clock, "sync");

        if (!sync || (strcmp(sync, "utc") != 0 && strcmp(sync, "localtime") != 0))
                return;
        hardware_default(clock, "offset", sync);
        xmlUnsetProp(clock, BAD_CAST "sync");
}

static void fill_clock(xmlNode *root)
{
        xmlNode *clock = hardware_child(root, "clock");
        const char *adjustment = hardware_peek(clock, "adjustment");

        replace_sync(clock);
        hardware_default(clock, "offset", "utc");
        /* "utc" or "localtime" with an adjustment is the short form of a variable clock with that basis. */
        if (adjustment && strcmp(adjustment, "reset") != 0 &&
            (hardware_is(clock, "offset", "utc") || hardware_is(clock, "offset", "localtime"))) {
                g_autofree char *basis = xml_attr(clock, "offset");

                xml_set_attr(clock, "basis", basis);
                xml_set_attr(clock, "offset", "variable");
        }
        if (hardware_is(clock, "offset", "variable")) {
                hardware_default(clock, "adjustment", "0");
                hardware_default(clock, "basis", "utc");
        }
}

static void fill_actions(xmlNode *root)
{
        static const struct {
                const char *name, *action;
        } actions[] = { { "on_poweroff", "destroy" }, { "on_reboot", "restart" }, { "on_crash", "destroy" } };

        for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
                if (!xml_child(root, actions[i].name))
                        xml_add_text(root, actions[i].name, actions[i].action);
        }
}

static void fill_features(xmlNode *root, const struct domain_machine *machine)
{
        xmlNode *hyperv = xml_child(xml_child(root, "features"), "hyperv");

        if (hyperv)
                hardware_default(hyperv, "mode", "custom");
        if (machine->gic_version)
                hardware_default(hardware_child(hardware_child(root, "features"), "gic"), "version",
                                 machine->gic_version);
}

static bool fill_emulator(const struct hardware *hardware, GError **error)
{
        xmlNode *node = xml_child(hardware->devices, "emulator");

        if (!hardware->machine->emulator)
                return true;
        if (!node)
                node = xml_add_child_first(hardware->devices, "emulator");
        if (!*hardware_peek_text(node))
                xml_set_text(node, hardware->machine->emulator);
        return true;
}

static bool fill_general(const struct hardware *hardware, GError **error)
{
        xmlNode *root = hardware->root;
        unsigned vcpus;

        hardware_default(root, "type", hardware->machine->type);
        if (!fill_identity(root, error) || !normalize_memory(hardware, error) ||
            !fill_vcpus(root, hardware->machine, &vcpus, error) || !fill_iothreads(root, error) ||
            !fill_cpu(root, hardware->machine, vcpus, error) || !fill_os(hardware, error))
                return false;
        normalize_cells(root, vcpus);
        fill_clock(root);
        fill_actions(root);
        fill_features(root, hardware->machine);
        return fill_emulator(hardware, error);
}

/* ---- devices ---- */

static bool normalize_kind(struct hardware *hardware, enum domain_device_kind kind, GError **error)
{
        const struct domain_kind *row = &domain_kinds[kind];

        if (row->begin && !row->begin(hardware, error))
                return false;
        if (row->imply && !hardware->fresh)
                row->imply(hardware);
        HARDWARE_FOREACH (node, hardware, kind) {
                if (row->single && node_i > 0)
                        return xml_error(error, node, "a domain has one <%s> at most", row->element);
                if (hardware->fresh && hardware->fresh != node)
                        continue;
                if (row->fill && !row->fill(hardware, node, error))
                        return false;
        }
        return !row->settle || row->settle(hardware, error);
}

/* Controllers last: which are needed is known when all that sits on them is. */
static bool normalize_kinds(struct hardware *hardware, GError **error)
{
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                if (kind != DOMAIN_DEVICE_CONTROLLER && !normalize_kind(hardware, kind, error))
                        return false;
        }
        return normalize_kind(hardware, DOMAIN_DEVICE_CONTROLLER, error);
}

static bool assign_addresses(struct hardware *hardware, GError **error)
{
        static bool (*const addresses[])(struct hardware * hardware, GError * *error) = {
                address_drives, address_ports, address_usb,   address_pci,
                address_ccw,    address_zpci,  address_spapr,
        };

        for (unsigned i = 0; hardware->machine->assign_addresses && i < G_N_ELEMENTS(addresses); i++) {
                if (!addresses[i](hardware, error))
                        return false;
        }
        return true;
}

/* A machine that runs gets no new bus but those that are PCI devices themselves. */
static bool check_added(const struct hardware *hardware, GError **error)
{
        for (unsigned i = 0; i < hardware->added->len; i++) {
                const xmlNode *node = hardware->added->pdata[i];
                g_autofree char *what = NULL, *needed = NULL;

                if (xml_is(node, "controller") && hardware_is(node, "type", "scsi"))
                        continue;
                what = hardware_describe(hardware->fresh);
                needed = hardware_describe(node);
                return hardware_unsupported(error, hardware->fresh,
                                            "%s needs %s, which a machine that runs cannot get", what,
                                            needed);
        }
        return true;
}

bool normalize_fresh(struct hardware *hardware, GError **error)
{
        return normalize_kinds(hardware, error) && assign_addresses(hardware, error) &&
               check_added(hardware, error);
}

bool domain_normalize(xmlDoc *doc, const struct domain_machine *machine, GError **error)
{
        __attribute__((cleanup(hardware_clear))) struct hardware hardware = { 0 };

        if (!hardware_init(&hardware, xml_root(doc), machine, error))
                return false;
        normalize_strip(&hardware);
        return fill_general(&hardware, error) && normalize_kinds(&hardware, error) &&
               assign_addresses(&hardware, error);
}
