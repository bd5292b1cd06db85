/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The active form of a definition: its number and the aliases of its devices. No state; any thread.
 */
#include "drivers/domain/live-xml.h"

#include "drivers/domain/edit-private-xml.h"
#include "drivers/domain/hardware-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

#define ALIAS_MAX 64

static unsigned get_number(const xmlNode *node, const char *attr)
{
        unsigned value = 0;

        hardware_get_uint(node, attr, UINT_MAX, &value, NULL);
        return value;
}

/* ---- names ---- */

static bool is_lsilogic(const struct hardware *hardware, unsigned index)
{
        const xmlNode *controller = normalize_find_controller(hardware, "scsi", index);

        return !controller || !xml_has_attr(controller, "model") ||
               hardware_is(controller, "model", "lsilogic");
}

static void name_disk(const struct hardware *hardware, const xmlNode *disk, unsigned i, char *alias)
{
        const xmlNode *target = xml_child(disk, "target"), *address = xml_child(disk, "address");
        const char *bus = hardware_peek(target, "bus");
        unsigned controller = get_number(address, "controller"), unit = get_number(address, "unit");
        int index = normalize_disk_index(hardware_peek(target, "dev"));

        if (!hardware_is(address, "type", "drive"))
                g_snprintf(alias, ALIAS_MAX, "%s-disk%d", bus ? bus : "disk", index >= 0 ? index : (int)i);
        else if (g_strcmp0(bus, "scsi") == 0 && !is_lsilogic(hardware, controller))
                g_snprintf(alias, ALIAS_MAX, "scsi%u-%u-%u-%u", controller, get_number(address, "bus"),
                           get_number(address, "target"), unit);
        else
                g_snprintf(alias, ALIAS_MAX, "%s%u-%u-%u", bus, controller, get_number(address, "bus"), unit);
}

static bool is_onboard_sata(const xmlNode *controller)
{
        return hardware_is(controller, "type", "sata") &&
               hardware_child_is(controller, "address", "slot", "0x1f");
}

/* Controllers that are part of the board have no number; USB companions have the name of their main
 * controller. */
static void name_controller(const struct hardware *hardware, const xmlNode *controller, unsigned i,
                            char *alias)
{
        const char *type = hardware_peek(controller, "type");
        unsigned index = get_number(controller, "index");
        bool express = hardware_is(controller, "model", "pcie-root");

        if (strcmp(type, "pci") == 0)
                g_snprintf(alias, ALIAS_MAX, "%s.%u", express ? "pcie" : "pci", index);
        else if (index == 0 && strcmp(type, "usb") == 0)
                g_strlcpy(alias, "usb", ALIAS_MAX);
        else if (index == 0 && (strcmp(type, "ide") == 0 || is_onboard_sata(controller)))
                g_strlcpy(alias, "ide", ALIAS_MAX);
        else
                g_snprintf(alias, ALIAS_MAX, "%s%u", type, index);
}

static void name_memory(const xmlNode *memory, unsigned i, char *alias)
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
                        g_snprintf(alias, ALIAS_MAX, "%s%u", models[model][1], i);
        }
}

/* Kinds whose devices are simply counted. */
static const struct {
        enum domain_device_kind kind;
        const char *prefix;
} counted[] = {
        { DOMAIN_DEVICE_FILESYSTEM, "fs" },     { DOMAIN_DEVICE_SMARTCARD, "smartcard" },
        { DOMAIN_DEVICE_SERIAL, "serial" },     { DOMAIN_DEVICE_PARALLEL, "parallel" },
        { DOMAIN_DEVICE_CONSOLE, "console" },   { DOMAIN_DEVICE_CHANNEL, "channel" },
        { DOMAIN_DEVICE_INPUT, "input" },       { DOMAIN_DEVICE_TPM, "tpm" },
        { DOMAIN_DEVICE_SOUND, "sound" },       { DOMAIN_DEVICE_VIDEO, "video" },
        { DOMAIN_DEVICE_REDIRDEV, "redir" },    { DOMAIN_DEVICE_HUB, "hub" },
        { DOMAIN_DEVICE_WATCHDOG, "watchdog" }, { DOMAIN_DEVICE_MEMBALLOON, "balloon" },
        { DOMAIN_DEVICE_RNG, "rng" },           { DOMAIN_DEVICE_PANIC, "panic" },
        { DOMAIN_DEVICE_SHMEM, "shmem" },       { DOMAIN_DEVICE_IOMMU, "iommu" },
        { DOMAIN_DEVICE_VSOCK, "vsock" },       { DOMAIN_DEVICE_CRYPTO, "crypto" },
};

/* ---- writing ---- */

/* An alias of the user's stays. */
static void set_alias(xmlNode *node, const char *alias)
{
        xmlNode *child;

        if (*alias && !xml_child(node, "alias")) {
                child = xml_add(node, "alias");
                xml_set_attr(child, "name", alias);
        }
}

static void set_counted(const struct hardware *hardware)
{
        char alias[ALIAS_MAX];

        for (unsigned i = 0; i < G_N_ELEMENTS(counted); i++) {
                HARDWARE_FOREACH (node, hardware, counted[i].kind) {
                        if (hardware_is(node, "model", "none"))
                                continue;
                        g_snprintf(alias, sizeof(alias), "%s%u", counted[i].prefix, node_i);
                        set_alias(node, alias);
                }
        }
}

/* Interfaces that are host devices come first among those. */
static void set_hostdevs(const struct hardware *hardware)
{
        unsigned hostdevs = 0;
        char alias[ALIAS_MAX];

        HARDWARE_FOREACH (interface, hardware, DOMAIN_DEVICE_INTERFACE) {
                bool hostdev = hardware_is(interface, "type", "hostdev");

                g_snprintf(alias, sizeof(alias), hostdev ? "hostdev%u" : "net%u",
                           hostdev ? hostdevs++ : interface_i);
                set_alias(interface, alias);
        }
        HARDWARE_FOREACH (hostdev, hardware, DOMAIN_DEVICE_HOSTDEV) {
                g_snprintf(alias, sizeof(alias), "hostdev%u", hostdevs++);
                set_alias(hostdev, alias);
        }
}

/* A console that stands for the first serial port has its name. */
static void set_console(const struct hardware *hardware)
{
        xmlNode *console;

        if (hardware_count(hardware, DOMAIN_DEVICE_CONSOLE) == 0 ||
            hardware_count(hardware, DOMAIN_DEVICE_SERIAL) == 0)
                return;
        console = hardware_get(hardware, DOMAIN_DEVICE_CONSOLE, 0);
        if (!hardware_child_is(console, "target", "type", "serial"))
                return;
        xml_remove_children(console, "alias");
        set_alias(console,
                  hardware_peek_child(hardware_get(hardware, DOMAIN_DEVICE_SERIAL, 0), "alias", "name"));
}

/* Names that stand for the same position (vda, hda on virtio) get the numbers behind all others. */
static void set_disks(const struct hardware *hardware)
{
        g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        unsigned spare = hardware_count(hardware, DOMAIN_DEVICE_DISK);
        char alias[ALIAS_MAX];

        HARDWARE_FOREACH (disk, hardware, DOMAIN_DEVICE_DISK) {
                name_disk(hardware, disk, disk_i, alias);
                while (g_hash_table_contains(used, alias))
                        g_snprintf(alias, sizeof(alias), "%s-disk%u",
                                   hardware_peek_child(disk, "target", "bus"), spare++);
                g_hash_table_add(used, g_strdup(alias));
                set_alias(disk, alias);
        }
}

static void set_aliases(const struct hardware *hardware)
{
        char alias[ALIAS_MAX];

        set_disks(hardware);
        HARDWARE_FOREACH (controller, hardware, DOMAIN_DEVICE_CONTROLLER) {
                name_controller(hardware, controller, controller_i, alias);
                set_alias(controller, alias);
        }
        HARDWARE_FOREACH (memory, hardware, DOMAIN_DEVICE_MEMORY) {
                *alias = '\0';
                name_memory(memory, memory_i, alias);
                set_alias(memory, alias);
        }
        HARDWARE_FOREACH (nvram, hardware, DOMAIN_DEVICE_NVRAM)
                set_alias(nvram, "nvram");
        set_counted(hardware);
        set_hostdevs(hardware);
        set_console(hardware);
}

struct domain_def *domain_def_activate(const struct domain_def *def, int id, GError **error)
{
        __attribute__((cleanup(hardware_clear))) struct hardware hardware = { 0 };
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        domain_edit_set_id(edit, id);
        if (hardware_init(&hardware, edit->root, NULL, domain_edit_error(edit)))
                set_aliases(&hardware);
        return domain_edit_commit(edit, error);
}

struct domain_def *domain_def_expand_cpu(const struct domain_def *def, const char *cpu_xml, GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        domain_edit_set_cpu(edit, cpu_xml);
        return domain_edit_commit(edit, error);
}

struct domain_def *domain_def_make_migratable(const struct domain_def *def, GError **error)
{
        __attribute__((cleanup(hardware_clear))) struct hardware hardware = { 0 };
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        if (hardware_init(&hardware, edit->root, NULL, domain_edit_error(edit)))
                normalize_strip(&hardware);
        return domain_edit_commit(edit, error);
}
