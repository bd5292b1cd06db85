/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writing <sysinfo>, with the offsets of SMBIOS's structures (DSP0134, clause 7). Any thread. */

#include "drivers/host/host-sysinfo-xml.h"

#include "base/xml.h"
#include "drivers/host/smbios.h"
#include "drivers/host/sysfile.h"

#include <string.h>

/* An entry, and where its text is. */
struct entry {
        const char *name;
        unsigned offset;
        const char *file; /* of /sys/class/dmi/id; NULL: none */
};

static void add(xmlNode *parent, const char *name, const char *text)
{
        if (text)
                xml_set_attr(xml_add_text(parent, "entry", text), "name", name);
}

static void add_texts(xmlNode *node, const struct smbios *structure, const struct entry *entries,
                      unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                g_autofree char *text = smbios_get_text(structure, entries[i].offset);

                add(node, entries[i].name, text);
        }
}

/* ---- the kinds of structures ---- */

static const struct entry bios[] = {
        { "vendor", 0x04, "bios_vendor" },
        { "version", 0x05, "bios_version" },
        { "date", 0x08, "bios_date" },
};

static void add_bios(xmlNode *node, const struct smbios *structure)
{
        g_autofree char *release = NULL;

        add_texts(node, structure, bios, G_N_ELEMENTS(bios));
        if (!smbios_has(structure, 0x14, 2) || smbios_get(structure, 0x14, 1) == 0xff)
                return;
        release = g_strdup_printf("%u.%u", (unsigned)smbios_get(structure, 0x14, 1),
                                  (unsigned)smbios_get(structure, 0x15, 1));
        add(node, "release", release);
}

static const struct entry system_head[] = {
        { "manufacturer", 0x04, "sys_vendor" },
        { "product", 0x05, "product_name" },
        { "version", 0x06, "product_version" },
        { "serial", 0x07, "product_serial" },
};
static const struct entry system_tail[] = {
        { "sku", 0x19, "product_sku" },
        { "family", 0x1a, "product_family" },
};

/* The first three parts are little-endian. Boards whose maker left it blank have none. */
static char *format_uuid(const struct smbios *structure)
{
        static const uint8_t zeros[16], ones[16] = { [0 ... 15] = 0xff };
        const uint8_t *bytes = structure->at + 0x08;

        if (!smbios_has(structure, 0x08, 16) || memcmp(bytes, zeros, 16) == 0 || memcmp(bytes, ones, 16) == 0)
                return NULL;
        return g_strdup_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                               bytes[3], bytes[2], bytes[1], bytes[0], bytes[5], bytes[4], bytes[7], bytes[6],
                               bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14],
                               bytes[15]);
}

static void add_system(xmlNode *node, const struct smbios *structure)
{
        g_autofree char *uuid = format_uuid(structure);

        add_texts(node, structure, system_head, G_N_ELEMENTS(system_head));
        add(node, "uuid", uuid);
        add_texts(node, structure, system_tail, G_N_ELEMENTS(system_tail));
}

static const struct entry base_board[] = {
        { "manufacturer", 0x04, "board_vendor" }, { "product", 0x05, "board_name" },
        { "version", 0x06, "board_version" },     { "serial", 0x07, "board_serial" },
        { "asset", 0x08, "board_asset_tag" },     { "location", 0x0a },
};

static void add_base_board(xmlNode *node, const struct smbios *structure)
{
        add_texts(node, structure, base_board, G_N_ELEMENTS(base_board));
}

static const struct entry chassis[] = {
        { "manufacturer", 0x04, "chassis_vendor" },
        { "version", 0x06, "chassis_version" },
        { "serial", 0x07, "chassis_serial" },
        { "asset", 0x08, "chassis_asset_tag" },
};

/* The last text stands behind a list of elements of a length of their own. */
static void add_chassis(xmlNode *node, const struct smbios *structure)
{
        unsigned elements = (unsigned)(smbios_get(structure, 0x13, 1) * smbios_get(structure, 0x14, 1));
        g_autofree char *sku = smbios_get_text(structure, 0x15 + elements);

        add_texts(node, structure, chassis, G_N_ELEMENTS(chassis));
        add(node, "sku", sku);
}

static void add_speed(xmlNode *node, const char *name, uint64_t value, const char *unit)
{
        g_autofree char *text = value && value != 0xffff
                                        ? g_strdup_printf("%" G_GUINT64_FORMAT " %s", value, unit)
                                        : g_strdup("Unknown");

        add(node, name, text);
}

static bool is_arm(unsigned family)
{
        return (family >= 0x100 && family <= 0x102) || family == 0x118 || family == 0x119;
}

/* What the processor says of itself: CPUID leaf 1 of x86, MIDR_EL1 of ARM. NULL for others. */
static char *format_signature(const struct smbios *structure, unsigned family, const char *maker)
{
        uint32_t id = (uint32_t)smbios_get(structure, 0x08, 4);
        unsigned model = (id >> 12 & 0xf0) + (id >> 4 & 0xf);
        unsigned base = id >> 8 & 0xf;

        if (is_arm(family))
                return g_strdup_printf(
                        "Implementor 0x%02x, Variant 0x%x, Architecture %u, Part 0x%03x, Revision %u",
                        id >> 24, id >> 20 & 0xf, id >> 16 & 0xf, id >> 4 & 0xfff, id & 0xf);
        if (strstr(maker, "Intel"))
                return g_strdup_printf("Type %u, Family %u, Model %u, Stepping %u", id >> 12 & 3,
                                       (id >> 20 & 0xff) + base, model, id & 0xf);
        if (strstr(maker, "AMD") || strstr(maker, "Advanced Micro Devices"))
                return g_strdup_printf("Family %u, Model %u, Stepping %u",
                                       base + (base == 0xf ? id >> 20 & 0xff : 0), model, id & 0xf);
        return NULL;
}

static void add_processor(xmlNode *node, const struct smbios *structure)
{
        static const struct entry tail[] = { { "serial_number", 0x20 }, { "part_number", 0x22 } };
        unsigned family = (unsigned)smbios_get(structure, 0x06, 1);
        g_autofree char *socket = smbios_get_text(structure, 0x04);
        g_autofree char *maker = smbios_get_text(structure, 0x07);
        g_autofree char *version = smbios_get_text(structure, 0x10);
        g_autofree char *status = smbios_format_processor_status((unsigned)smbios_get(structure, 0x18, 1));
        g_autofree char *signature = NULL;

        if (family == 0xfe)
                family = (unsigned)smbios_get(structure, 0x28, 2);
        signature = maker ? format_signature(structure, family, maker) : NULL;
        add(node, "socket_destination", socket);
        add(node, "type", smbios_get_processor_type((unsigned)smbios_get(structure, 0x05, 1)));
        add(node, "family", smbios_get_processor_family(family));
        add(node, "manufacturer", maker);
        add(node, "signature", signature);
        add(node, "version", version);
        add_speed(node, "external_clock", smbios_get(structure, 0x12, 2), "MHz");
        add_speed(node, "max_speed", smbios_get(structure, 0x14, 2), "MHz");
        add(node, "status", status);
        add_texts(node, structure, tail, G_N_ELEMENTS(tail));
}

static char *format_size(uint64_t kib)
{
        static const char *const units[] = { "kB", "MB", "GB", "TB" };
        unsigned unit = 0;

        while (unit + 1 < G_N_ELEMENTS(units) && kib && kib % 1024 == 0) {
                kib /= 1024;
                unit++;
        }
        return g_strdup_printf("%" G_GUINT64_FORMAT " %s", kib, units[unit]);
}

/* In MiB, or in KiB where the highest bit is set; larger ones have a field of their own. */
static char *format_memory_size(const struct smbios *structure)
{
        uint64_t size = smbios_get(structure, 0x0c, 2);

        if (size == 0xffff)
                return g_strdup("Unknown");
        if (size == 0x7fff)
                return format_size((smbios_get(structure, 0x1c, 4) & 0x7fffffff) * 1024);
        return format_size(size & 0x8000 ? size & 0x7fff : size * 1024);
}

static void add_memory(xmlNode *node, const struct smbios *structure)
{
        static const struct entry places[] = { { "locator", 0x10 }, { "bank_locator", 0x11 } };
        static const struct entry tail[] = { { "manufacturer", 0x17 },
                                             { "serial_number", 0x18 },
                                             { "part_number", 0x1a } };
        g_autofree char *size = format_memory_size(structure);
        g_autofree char *details = smbios_format_memory_details((unsigned)smbios_get(structure, 0x13, 2));

        add(node, "size", size);
        add(node, "form_factor", smbios_get_form_factor((unsigned)smbios_get(structure, 0x0e, 1)));
        add_texts(node, structure, places, G_N_ELEMENTS(places));
        add(node, "type", smbios_get_memory_type((unsigned)smbios_get(structure, 0x12, 1)));
        add(node, "type_detail", details);
        if (smbios_has(structure, 0x15, 2))
                add_speed(node, "speed", smbios_get(structure, 0x15, 2), "MT/s");
        add_texts(node, structure, tail, G_N_ELEMENTS(tail));
}

static void add_oem_strings(xmlNode *node, const struct smbios *structure)
{
        unsigned count = (unsigned)smbios_get(structure, 0x04, 1);

        for (unsigned i = 1; i <= count; i++) {
                g_autofree char *text = smbios_get_text_by_number(structure, i);

                if (text)
                        xml_add_text(node, "entry", text);
        }
}

/* ---- the document ---- */

struct section {
        enum smbios_type type;
        const char *element;
        void (*add)(xmlNode *node, const struct smbios *structure);
        bool is_single;
};

static const struct section sections[] = {
        { SMBIOS_BIOS, "bios", add_bios, true },
        { SMBIOS_SYSTEM, "system", add_system, true },
        { SMBIOS_BASE_BOARD, "baseBoard", add_base_board },
        { SMBIOS_CHASSIS, "chassis", add_chassis, true },
        { SMBIOS_PROCESSOR, "processor", add_processor },
        { SMBIOS_MEMORY_DEVICE, "memory_device", add_memory },
        { SMBIOS_OEM_STRINGS, "oemStrings", add_oem_strings, true },
};

/* A slot for memory without any. */
static bool is_empty_slot(const struct smbios *structure)
{
        return structure->type == SMBIOS_MEMORY_DEVICE && smbios_get(structure, 0x0c, 2) == 0;
}

static bool add_sections(xmlNode *root, const uint8_t *table, size_t size)
{
        bool found = false;

        for (unsigned i = 0; i < G_N_ELEMENTS(sections); i++) {
                bool done = false;
                struct smbios structure;

                for (size_t at = 0; !done && smbios_next(table, size, &at, &structure);) {
                        if (structure.type != sections[i].type || is_empty_slot(&structure))
                                continue;
                        sections[i].add(xml_add(root, sections[i].element), &structure);
                        found = true;
                        done = sections[i].is_single;
                }
        }
        return found;
}

static void add_files(xmlNode *node, const char *root, const struct entry *entries, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                g_autofree char *text =
                        entries[i].file ? sysfile_read(root, "/sys/class/dmi/id/%s", entries[i].file) : NULL;

                add(node, entries[i].name, text && *text ? text : NULL);
        }
}

/* Whoever is not root may read these, but for numbers of single machines. */
static void add_public(xmlNode *root_node, const char *root)
{
        xmlNode *node = xml_add(root_node, "bios");
        g_autofree char *release = sysfile_read(root, "/sys/class/dmi/id/bios_release");
        g_autofree char *uuid = sysfile_read(root, "/sys/class/dmi/id/product_uuid");

        add_files(node, root, bios, G_N_ELEMENTS(bios));
        add(node, "release", release);
        node = xml_add(root_node, "system");
        add_files(node, root, system_head, G_N_ELEMENTS(system_head));
        add(node, "uuid", uuid);
        add_files(node, root, system_tail, G_N_ELEMENTS(system_tail));
        add_files(xml_add(root_node, "baseBoard"), root, base_board, G_N_ELEMENTS(base_board));
        add_files(xml_add(root_node, "chassis"), root, chassis, G_N_ELEMENTS(chassis));
}

static xmlDoc *new_document(void)
{
        xmlDoc *doc = xml_new("sysinfo");

        xml_set_attr(xml_root(doc), "type", "smbios");
        return doc;
}

char *host_sysinfo_format(const char *root)
{
        g_autoptr(xmlDoc) doc = new_document();
        g_autoptr(GBytes) table = sysfile_read_bytes(root, "/sys/firmware/dmi/tables/DMI", SMBIOS_BYTES_MAX);
        gsize size = 0;
        const uint8_t *bytes = table ? g_bytes_get_data(table, &size) : NULL;

        if (bytes && add_sections(xml_root(doc), bytes, size))
                return xml_write(doc, NULL);
        if (!sysfile_exists(root, "/sys/class/dmi/id/bios_vendor") &&
            !sysfile_exists(root, "/sys/class/dmi/id/sys_vendor"))
                return NULL;
        add_public(xml_root(doc), root);
        return xml_write(doc, NULL);
}

char *host_sysinfo_format_test(void)
{
        g_autoptr(xmlDoc) doc = new_document();
        xmlNode *node = xml_add(xml_root(doc), "bios");

        add(node, "vendor", "LENOVO");
        add(node, "version", "G4ETA1WW (2.61 )");
        add(node, "date", "05/07/2014");
        add(node, "release", "2.61");
        return xml_write(doc, NULL);
}
