/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the guest reads about its computer: -smbios and -fw_cfg. Any thread; the host's own strings are read
 * from sysfs when the definition wants them.
 */
#include "drivers/qemu/command-internal.h"

#include <string.h>

struct name {
        const char *entry;  /* of <sysinfo> */
        const char *option; /* of -smbios */
        const char *file;   /* in the host's dmi directory; NULL: not taken from the host */
};

static const struct name bios[] = {
        { "vendor", "vendor", "bios_vendor" },
        { "version", "version", "bios_version" },
        { "date", "date", "bios_date" },
        { "release", "release", "bios_release" },
};
static const struct name system_names[] = {
        { "manufacturer", "manufacturer", "sys_vendor" },
        { "product", "product", "product_name" },
        { "version", "version", "product_version" },
        { "serial", "serial", "product_serial" },
        { "uuid", "uuid", NULL },
        { "sku", "sku", "product_sku" },
        { "family", "family", "product_family" },
};
static const struct name board[] = {
        { "manufacturer", "manufacturer", "board_vendor" },
        { "product", "product", "board_name" },
        { "version", "version", "board_version" },
        { "serial", "serial", "board_serial" },
        { "asset", "asset", "board_asset_tag" },
        { "location", "location", NULL },
};
static const struct name chassis[] = {
        { "manufacturer", "manufacturer", NULL },
        { "version", "version", NULL },
        { "serial", "serial", NULL },
        { "asset", "asset", NULL },
        { "sku", "sku", NULL },
};

static const struct block {
        const char *block;
        unsigned type;
        const struct name *names;
        unsigned n_names;
        bool from_host;
} blocks[] = {
        { "bios", 0, bios, G_N_ELEMENTS(bios), true },
        { "system", 1, system_names, G_N_ELEMENTS(system_names), true },
        { "baseBoard", 2, board, G_N_ELEMENTS(board), true },
        { "chassis", 3, chassis, G_N_ELEMENTS(chassis), false },
};

/* ---- from the definition ---- */

static const struct name *find_name(const struct block *block, const char *entry)
{
        for (unsigned i = 0; i < block->n_names; i++) {
                if (g_strcmp0(block->names[i].entry, entry) == 0)
                        return &block->names[i];
        }
        return NULL;
}

/* Appends one block of one group; there may be several base boards. */
static bool add_block(struct command_builder *builder, const struct block *block, unsigned group,
                      GError **error)
{
        const struct domain_def *def = builder->def;
        g_autoptr(GString) option = g_string_new(NULL);
        bool any = false;

        g_string_append_printf(option, "type=%u", block->type);
        for (unsigned i = 0; i < def->n_sysinfo; i++) {
                const struct domain_sysinfo_entry *entry = &def->sysinfo[i];
                const struct name *name;

                if (strcmp(entry->block, block->block) != 0 || entry->group != group)
                        continue;
                name = find_name(block, entry->name);
                if (!name)
                        return device_unsupported(error, "entry '%s' of <%s> in <sysinfo> is not supported",
                                                  entry->name ? entry->name : "", block->block);
                command_option_add(option, name->option, entry->value ? entry->value : "");
                any = true;
        }
        if (any)
                command_append(builder, "-smbios", option->str);
        return true;
}

static unsigned count_groups(const struct domain_def *def, const char *block)
{
        unsigned count = 0;

        for (unsigned i = 0; i < def->n_sysinfo; i++) {
                if (strcmp(def->sysinfo[i].block, block) == 0)
                        count = MAX(count, def->sysinfo[i].group + 1);
        }
        return count;
}

static void add_oem_strings(struct command_builder *builder)
{
        const struct domain_def *def = builder->def;
        g_autoptr(GString) option = g_string_new("type=11");

        for (unsigned i = 0; i < def->n_sysinfo; i++) {
                if (strcmp(def->sysinfo[i].block, "oemStrings") == 0)
                        command_option_add(option, "value", def->sysinfo[i].value);
        }
        if (count_groups(def, "oemStrings"))
                command_append(builder, "-smbios", option->str);
}

static bool add_sysinfo(struct command_builder *builder, GError **error)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
                unsigned groups = count_groups(builder->def, blocks[i].block);

                for (unsigned group = 0; group < groups; group++) {
                        if (!add_block(builder, &blocks[i], group, error))
                                return false;
                }
        }
        add_oem_strings(builder);
        return true;
}

/* ---- from the host ---- */

static char *read_dmi(const char *directory, const char *file)
{
        g_autofree char *path = g_build_filename(directory, file, NULL);
        g_autofree char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL) || !g_utf8_validate(text, -1, NULL))
                return NULL;
        g_strchomp(text);
        return text[0] ? g_steal_pointer(&text) : NULL;
}

static bool add_host(struct command_builder *builder, GError **error)
{
        unsigned found = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
                g_autoptr(GString) option = g_string_new(NULL);
                unsigned before = found;

                g_string_append_printf(option, "type=%u", blocks[i].type);
                for (unsigned j = 0; builder->context->dmi && j < blocks[i].n_names; j++) {
                        const struct name *name = &blocks[i].names[j];
                        g_autofree char *value =
                                name->file ? read_dmi(builder->context->dmi, name->file) : NULL;

                        command_option_add(option, name->option, value);
                        found += value != NULL;
                }
                if (found > before)
                        command_append(builder, "-smbios", option->str);
        }
        if (found == 0)
                return device_unsupported(error, "<smbios mode='host'/> on a host without SMBIOS data");
        return true;
}

/* ---- firmware configuration ---- */

static void add_fwcfg(struct command_builder *builder)
{
        for (unsigned i = 0; i < builder->def->n_fwcfg; i++) {
                const struct domain_fwcfg_entry *entry = &builder->def->fwcfg[i];
                g_autoptr(GString) option = g_string_new("name=");

                device_append_escaped(option, entry->name);
                command_option_add(option, "file", entry->file);
                if (!entry->file)
                        command_option_add(option, "string", entry->value ? entry->value : "");
                command_append(builder, "-fw_cfg", option->str);
        }
}

bool command_smbios_add(struct command_builder *builder, GError **error)
{
        const char *mode = builder->def->os.smbios_mode;

        add_fwcfg(builder);
        if (g_strcmp0(mode, "sysinfo") == 0)
                return add_sysinfo(builder, error);
        if (g_strcmp0(mode, "host") == 0)
                return add_host(builder, error);
        return true;
}
