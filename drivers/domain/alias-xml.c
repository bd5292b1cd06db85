/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names of devices: how each kind makes them, and that none is there twice. No state; any thread.
 */
#include "drivers/domain/alias-xml.h"

#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

static unsigned get_number(const xmlNode *node, const char *attr)
{
        unsigned value = 0;

        hardware_get_uint(node, attr, UINT_MAX, &value, NULL);
        return value;
}

static bool set_text(struct domain_alias *alias, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool set_text(struct domain_alias *alias, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_vsnprintf(alias->text, sizeof(alias->text), format, args);
        va_end(args);
        return true;
}

static void set_prefix(struct domain_alias *alias, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void set_prefix(struct domain_alias *alias, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_vsnprintf(alias->prefix, sizeof(alias->prefix), format, args);
        va_end(args);
}

/* ---- names ---- */

static bool is_lsilogic(const struct hardware *hardware, unsigned index)
{
        const xmlNode *controller = normalize_find_controller(hardware, "scsi", index);

        return !controller || !xml_has_attr(controller, "model") ||
               hardware_is(controller, "model", "lsilogic");
}

/*
 * By the target's name or the place on the bus. Names that stand for the same position (vda, hda on virtio)
 * get the numbers behind all others.
 */
bool alias_name_disk(const struct hardware *hardware, const xmlNode *disk, struct domain_alias *alias)
{
        const xmlNode *target = xml_child(disk, "target"), *address = xml_child(disk, "address");
        const char *bus = hardware_peek(target, "bus");
        unsigned controller = get_number(address, "controller"), unit = get_number(address, "unit");
        int index = normalize_disk_index(hardware_peek(target, "dev"));

        set_prefix(alias, "%s-disk", bus ? bus : "disk");
        if (!hardware_is(address, "type", "drive"))
                set_text(alias, "%s%d", alias->prefix, index >= 0 ? index : (int)alias->number);
        else if (g_strcmp0(bus, "scsi") == 0 && !is_lsilogic(hardware, controller))
                set_text(alias, "scsi%u-%u-%u-%u", controller, get_number(address, "bus"),
                         get_number(address, "target"), unit);
        else
                set_text(alias, "%s%u-%u-%u", bus, controller, get_number(address, "bus"), unit);
        alias->number = hardware_count(hardware, DOMAIN_DEVICE_DISK);
        return true;
}

static bool is_onboard_sata(const xmlNode *controller)
{
        return hardware_is(controller, "type", "sata") &&
               hardware_child_is(controller, "address", "slot", "0x1f");
}

/* Controllers that are part of the board have no number; USB companions have the name of their main
 * controller. */
bool alias_name_controller(const struct hardware *hardware, const xmlNode *controller,
                           struct domain_alias *alias)
{
        const char *type = hardware_peek(controller, "type");
        unsigned index = get_number(controller, "index");
        bool express = hardware_is(controller, "model", "pcie-root");

        alias->shared = true;
        if (strcmp(type, "pci") == 0)
                return set_text(alias, "%s.%u", express ? "pcie" : "pci", index);
        if (index == 0 && strcmp(type, "usb") == 0)
                return set_text(alias, "usb");
        if (index == 0 && (strcmp(type, "ide") == 0 || is_onboard_sata(controller)))
                return set_text(alias, "ide");
        return set_text(alias, "%s%u", type, index);
}

/* Those that are host devices are counted among these. */
bool alias_name_interface(const struct hardware *hardware, const xmlNode *interface,
                          struct domain_alias *alias)
{
        if (hardware_is(interface, "type", "hostdev")) {
                set_prefix(alias, "hostdev");
                alias->number = 0;
        }
        return true;
}

/* A console that stands for the first serial port has its name. */
bool alias_name_console(const struct hardware *hardware, const xmlNode *console, struct domain_alias *alias)
{
        const char *name;

        if (hardware_get(hardware, DOMAIN_DEVICE_CONSOLE, 0) != console ||
            hardware_count(hardware, DOMAIN_DEVICE_SERIAL) == 0 ||
            !hardware_child_is(console, "target", "type", "serial"))
                return true;
        name = hardware_peek_child(hardware_get(hardware, DOMAIN_DEVICE_SERIAL, 0), "alias", "name");
        alias->shared = true;
        return set_text(alias, "%s", name);
}

static unsigned count_before(const xmlNode *memory)
{
        const char *model = hardware_peek(memory, "model");
        unsigned count = 0;

        for (const xmlNode *it = memory->prev; it; it = it->prev)
                count += xml_is(it, "memory") && hardware_is(it, "model", model);
        return count;
}

bool alias_name_memory(const struct hardware *hardware, const xmlNode *memory, struct domain_alias *alias)
{
        static const char *const models[][2] = {
                { "dimm", "dimm" },
                { "nvdimm", "nvdimm" },
                { "virtio-pmem", "virtiopmem" },
                { "virtio-mem", "virtiomem" },
                { "sgx-epc", "epc" },
        };

        for (unsigned model = 0; model < G_N_ELEMENTS(models); model++) {
                if (hardware_is(memory, "model", models[model][0]))
                        set_prefix(alias, "%s", models[model][1]);
        }
        /* Those in slots are called by them, the others of each model are counted for themselves. */
        alias->number = count_before(memory);
        if (hardware_child_is(memory, "address", "type", "dimm"))
                hardware_get_uint(xml_child(memory, "address"), "slot", UINT_MAX, &alias->number, NULL);
        return *alias->prefix;
}

bool alias_name_memballoon(const struct hardware *hardware, const xmlNode *balloon,
                           struct domain_alias *alias)
{
        return !hardware_is(balloon, "model", "none");
}

bool alias_name_nvram(const struct hardware *hardware, const xmlNode *nvram, struct domain_alias *alias)
{
        return set_text(alias, "nvram");
}

/* ---- giving ---- */

/* Names that are taken; borrowed from the document. */
static GHashTable *collect_used(const struct hardware *hardware)
{
        GHashTable *used = g_hash_table_new(g_str_hash, g_str_equal);

        XML_FOREACH_CHILD (device, hardware->devices) {
                const char *name = hardware_peek_child(device, "alias", "name");

                if (name)
                        g_hash_table_add(used, (gpointer)name);
        }
        return used;
}

static void give(const struct hardware *hardware, GHashTable *used, const struct domain_kind *row,
                 xmlNode *node, unsigned position)
{
        struct domain_alias alias = { .number = position };
        xmlNode *child;

        if (row->alias)
                set_prefix(&alias, "%s", row->alias);
        if (xml_child(node, "alias") || (row->name && !row->name(hardware, node, &alias)))
                return;
        while (!*alias.text || (!alias.shared && g_hash_table_contains(used, alias.text)))
                set_text(&alias, "%s%u", alias.prefix, alias.number++);
        child = xml_add(node, "alias");
        xml_set_attr(child, "name", alias.text);
        g_hash_table_add(used, (gpointer)hardware_peek(child, "name"));
}

/* It has no name of its own, not even one that the user gave it. */
static void drop_console_name(const struct hardware *hardware)
{
        xmlNode *console;

        if (hardware_count(hardware, DOMAIN_DEVICE_CONSOLE) == 0 ||
            hardware_count(hardware, DOMAIN_DEVICE_SERIAL) == 0)
                return;
        console = hardware_get(hardware, DOMAIN_DEVICE_CONSOLE, 0);
        if (hardware_child_is(console, "target", "type", "serial"))
                xml_remove_children(console, "alias");
}

void alias_give(const struct hardware *hardware)
{
        g_autoptr(GHashTable) used = NULL;

        drop_console_name(hardware);
        used = collect_used(hardware);
        for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
                const struct domain_kind *row = &domain_kinds[kind];

                if (!row->alias && !row->name)
                        continue;
                HARDWARE_FOREACH (node, hardware, kind)
                        give(hardware, used, row, node, node_i);
        }
}
