/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Controllers: numbers, models and those that the machine has in any case. The steps that assign addresses
 * add what the devices need. No state; any thread.
 */
#include "base/error.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

/* The number of a controller is also part of names in QEMU. */
#define INDEX_MAX     65535
#define PCI_INDEX_MAX 255

static const char *const types[] = { "ide",           "fdc",  "scsi",   "sata", "usb",  "pci",
                                     "virtio-serial", "ccid", "xenbus", "isa",  "nvme", NULL };

#define N_TYPES (G_N_ELEMENTS(types) - 1)

static unsigned type_of(const xmlNode *controller)
{
        unsigned type = 0;

        while (types[type] && !hardware_is(controller, "type", types[type]))
                type++;
        return type;
}

static unsigned index_of(const xmlNode *controller)
{
        unsigned index = 0;

        hardware_get_uint(controller, "index", INDEX_MAX, &index, NULL);
        return index;
}

xmlNode *normalize_find_controller(const struct hardware *hardware, const char *type, unsigned index)
{
        HARDWARE_FOREACH (controller, hardware, DOMAIN_DEVICE_CONTROLLER) {
                if (hardware_is(controller, "type", type) && index_of(controller) == index)
                        return controller;
        }
        return NULL;
}

/* By its number, as QEMU makes none without one and a machine has the same each time it is defined. */
static void fill_serial(xmlNode *controller)
{
        if (hardware_is(controller, "type", "nvme") && !xml_child(controller, "serial"))
                xml_add_text_format(controller, "serial", "nvme%u", index_of(controller));
}

xmlNode *normalize_add_controller(struct hardware *hardware, const char *type, unsigned index,
                                  const char *model)
{
        xmlNode *controller = hardware_add(hardware, DOMAIN_DEVICE_CONTROLLER);

        xml_set_attr(controller, "type", type);
        xml_set_attr_format(controller, "index", "%u", index);
        xml_set_attr(controller, "model", model);
        fill_serial(controller);
        return controller;
}

/* ---- numbers ---- */

/* The numbers of the controllers of each type, while they are given out. */
struct numbers {
        GHashTable *used[N_TYPES]; /* owned */
        unsigned first_free[N_TYPES];
        unsigned last_ehci; /* number of the controller that companions belong to */
};

static void numbers_clear(struct numbers *numbers)
{
        for (unsigned i = 0; i < N_TYPES; i++)
                g_clear_pointer(&numbers->used[i], g_hash_table_unref);
}

static bool is_companion(const xmlNode *controller)
{
        const char *model = hardware_peek(controller, "model");

        return model && g_str_has_prefix(model, "ich9-uhci");
}

static bool is_pci_root(const xmlNode *controller)
{
        return hardware_is(controller, "model", "pci-root") || hardware_is(controller, "model", "pcie-root");
}

static bool use_number(struct numbers *numbers, xmlNode *controller, GError **error)
{
        unsigned type = type_of(controller), index = 0, max;

        if (!hardware_require(controller, controller, "type", types, error))
                return false;
        max = strcmp(types[type], "pci") == 0 ? PCI_INDEX_MAX : INDEX_MAX;
        if (!xml_has_attr(controller, "index"))
                return true;
        if (!hardware_get_uint(controller, "index", max, &index, error))
                return false;
        if (!g_hash_table_add(numbers->used[type], GUINT_TO_POINTER(index)) &&
            strcmp(types[type], "usb") != 0)
                return xml_error(error, controller, "two %s controllers have the index %u", types[type],
                                 index);
        return true;
}

static void give_number(struct numbers *numbers, xmlNode *controller)
{
        unsigned type = type_of(controller), *next = &numbers->first_free[type];

        if (is_companion(controller)) {
                xml_set_attr_format(controller, "index", "%u", numbers->last_ehci);
                return;
        }
        /* Number 0 is the root's. */
        if (strcmp(types[type], "pci") == 0 && !is_pci_root(controller))
                *next = MAX(*next, 1);
        while (g_hash_table_contains(numbers->used[type], GUINT_TO_POINTER(*next)))
                (*next)++;
        g_hash_table_add(numbers->used[type], GUINT_TO_POINTER(*next));
        xml_set_attr_format(controller, "index", "%u", *next);
}

bool normalize_begin_controllers(struct hardware *hardware, GError **error)
{
        __attribute__((cleanup(numbers_clear))) struct numbers numbers = { 0 };

        for (unsigned i = 0; i < N_TYPES; i++)
                numbers.used[i] = g_hash_table_new(NULL, NULL);
        HARDWARE_FOREACH (controller, hardware, DOMAIN_DEVICE_CONTROLLER) {
                if (!use_number(&numbers, controller, error))
                        return false;
        }
        HARDWARE_FOREACH (controller, hardware, DOMAIN_DEVICE_CONTROLLER) {
                if (!xml_has_attr(controller, "index"))
                        give_number(&numbers, controller);
                if (hardware_is(controller, "model", "ich9-ehci1"))
                        numbers.last_ehci = index_of(controller);
        }
        return true;
}

/* ---- models ---- */

/* What a kind of PCI controller is made of, and whether it is numbered as a chassis. */
static const struct {
        const char *model, *name;
        bool chassis, chassis_nr;
} pci_models[] = {
        { "pci-root", NULL, false, false },
        { "pcie-root", NULL, false, false },
        { "pci-bridge", "pci-bridge", false, true },
        { "dmi-to-pci-bridge", "i82801b11-bridge", false, false },
        { "pcie-to-pci-bridge", "pcie-pci-bridge", false, false },
        { "pcie-root-port", "pcie-root-port", true, false },
        { "pcie-switch-upstream-port", "x3130-upstream", false, false },
        { "pcie-switch-downstream-port", "xio3130-downstream", true, false },
        { "pci-expander-bus", "pxb", false, false },
        { "pcie-expander-bus", "pxb-pcie", false, false },
};

/* Each of its roots is a bridge of its own to the host. */
static bool fill_host_bridge(xmlNode *controller, unsigned index)
{
        xmlNode *target = hardware_child(controller, "target");

        hardware_default(hardware_child(controller, "model"), "name", "spapr-pci-host-bridge");
        if (!xml_has_attr(target, "index"))
                xml_set_attr_format(target, "index", "%u", index);
        return true;
}

static bool fill_pci(const struct hardware *hardware, xmlNode *controller, GError **error)
{
        const char *model = hardware_peek(controller, "model"), *names[G_N_ELEMENTS(pci_models) + 1], *root;
        unsigned index = index_of(controller), i = 0;
        bool pcie = hardware->machine->pcie_root;

        for (unsigned known = 0; known <= G_N_ELEMENTS(pci_models); known++)
                names[known] = known < G_N_ELEMENTS(pci_models) ? pci_models[known].model : NULL;
        if (!hardware_require(controller, controller, "model", names, error))
                return false;
        while (strcmp(model, pci_models[i].model) != 0)
                i++;
        root = pcie ? "pcie-root" : "pci-root";
        if (hardware->machine->ccw && index > 0 && strcmp(model, "pci-bridge") != 0)
                return hardware_unsupported(error, controller,
                                            "the PCI controllers of the machine beside its root are of model "
                                            "'pci-bridge', not '%s'",
                                            model);
        if (hardware->machine->spapr && strcmp(model, root) == 0)
                return fill_host_bridge(controller, index);
        if ((index == 0) != is_pci_root(controller) || (index == 0 && strcmp(model, root) != 0))
                return xml_error(error, controller,
                                 "the PCI controller with index 0, and no other, is the %s of this machine",
                                 root);
        if (pci_models[i].name)
                hardware_default(hardware_child(controller, "model"), "name", pci_models[i].name);
        if (pci_models[i].chassis && !xml_has_attr(hardware_child(controller, "target"), "chassis"))
                xml_set_attr_format(xml_child(controller, "target"), "chassis", "%u", index);
        if (pci_models[i].chassis_nr && !xml_has_attr(hardware_child(controller, "target"), "chassisNr"))
                xml_set_attr_format(xml_child(controller, "target"), "chassisNr", "%u", index);
        return true;
}

static void fill_companion(xmlNode *controller)
{
        static const char *const companions[][2] = { { "ich9-uhci1", "0" },
                                                     { "ich9-uhci2", "2" },
                                                     { "ich9-uhci3", "4" } };

        for (unsigned i = 0; i < G_N_ELEMENTS(companions); i++) {
                if (hardware_is(controller, "model", companions[i][0]))
                        hardware_default(hardware_child(controller, "master"), "startport", companions[i][1]);
        }
}

static const char *default_model(const struct hardware *hardware, const char *type)
{
        const struct domain_machine *machine = hardware->machine;

        if (strcmp(type, "scsi") == 0)
                return machine->scsi_model ? machine->scsi_model : machine->isa ? "lsilogic" : "virtio-scsi";
        if (strcmp(type, "usb") == 0)
                return machine->isa ? "piix3-uhci" : "qemu-xhci";
        return NULL;
}

bool normalize_fill_controller(const struct hardware *hardware, xmlNode *controller, GError **error)
{
        const struct domain_machine *machine = hardware->machine;
        const char *type = hardware_peek(controller, "type");

        if (!machine->machine)
                return true;
        if (strcmp(type, "pci") == 0)
                return fill_pci(hardware, controller, error);
        if (hardware_is(controller, "model", "auto"))
                xml_set_attr(controller, "model", NULL);
        hardware_default(controller, "model", default_model(hardware, type));
        if (strcmp(type, "ide") == 0 && !(machine->isa && machine->pci_root))
                return hardware_unsupported(error, controller, "the machine type has no IDE controller");
        if (strcmp(type, "fdc") == 0 && !machine->isa)
                return hardware_unsupported(error, controller,
                                            "the machine type has no floppy disk controller");
        if ((strcmp(type, "ide") == 0 || strcmp(type, "fdc") == 0) && index_of(controller) > 0)
                return hardware_unsupported(error, controller,
                                            "a machine has one %s controller, with index 0, not %u", type,
                                            index_of(controller));
        fill_companion(controller);
        fill_serial(controller);
        return true;
}

/* ---- those that the machine has ---- */

static bool has_type(const struct hardware *hardware, const char *type)
{
        HARDWARE_FOREACH (controller, hardware, DOMAIN_DEVICE_CONTROLLER) {
                if (hardware_is(controller, "type", type))
                        return true;
        }
        return false;
}

static bool needs_usb(const struct hardware *hardware)
{
        HARDWARE_FOREACH (input, hardware, DOMAIN_DEVICE_INPUT) {
                if (hardware_is(input, "bus", "usb"))
                        return true;
        }
        HARDWARE_FOREACH (hostdev, hardware, DOMAIN_DEVICE_HOSTDEV) {
                if (hardware_is(hostdev, "type", "usb"))
                        return true;
        }
        HARDWARE_FOREACH (disk, hardware, DOMAIN_DEVICE_DISK) {
                if (hardware_child_is(disk, "target", "bus", "usb"))
                        return true;
        }
        return hardware_count(hardware, DOMAIN_DEVICE_REDIRDEV) > 0 ||
               hardware_count(hardware, DOMAIN_DEVICE_HUB) > 0 ||
               hardware_count(hardware, DOMAIN_DEVICE_SMARTCARD) > 0;
}

void normalize_imply_controllers(struct hardware *hardware)
{
        const struct domain_machine *machine = hardware->machine;

        if (!machine->pcie_root && !machine->pci_root && !machine->ccw)
                return;
        if (!machine->ccw && !has_type(hardware, "usb")) {
                if (machine->usb_model)
                        normalize_add_controller(hardware, "usb", 0, machine->usb_model);
                else if (needs_usb(hardware))
                        normalize_add_controller(hardware, "usb", 0, "qemu-xhci");
        }
        /* The chip set of a q35 has it on board. */
        if (machine->pcie_root && machine->isa && !normalize_find_controller(hardware, "sata", 0))
                normalize_add_controller(hardware, "sata", 0, NULL);
        if (!normalize_find_controller(hardware, "pci", 0))
                normalize_add_controller(hardware, "pci", 0, machine->pcie_root ? "pcie-root" : "pci-root");
}
