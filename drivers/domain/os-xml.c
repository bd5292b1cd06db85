/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a domain boots and what its machine has: <os>, <sysinfo>, <features>.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"

#include <limits.h>
#include <string.h>

#define NAME_BYTES        128
#define CMDLINE_MAX       65536
#define TIMEOUT_MAX       65535
#define HYPERV_VENDOR_MAX 12

static const char *const no_yes_names[] = { "no", "yes", NULL };

/* ---- os ---- */

static const char *const os_type_names[] = { "hvm", "exe", "xen", "xenpvh", "linux", "uml", NULL };
static const char *const firmware_names[] = { "bios", "efi", NULL };
static const char *const feature_names[] = { "enrolled-keys", "secure-boot", NULL };
static const char *const loader_type_names[] = { "rom", "pflash", NULL };
static const char *const image_format_names[] = { "raw", "qcow2", NULL };
static const char *const smbios_names[] = { "emulate", "host", "sysinfo", NULL };
static const char *const table_names[] = { "slic", NULL };
static const char *const boot_names[] = {
        [DOMAIN_BOOT_FD] = "fd",           [DOMAIN_BOOT_CDROM] = "cdrom", [DOMAIN_BOOT_HD] = "hd",
        [DOMAIN_BOOT_NETWORK] = "network", [DOMAIN_BOOT_LAST] = NULL,
};

static const struct field os_fields[] = { NAME("firmware", struct domain_os, firmware, firmware_names),
                                          FIELDS_END };
static const struct field type_fields[] = {
        NAME(NULL, struct domain_os, type, os_type_names),
        STRING("arch", struct domain_os, arch, .max = NAME_BYTES),
        STRING("machine", struct domain_os, machine, .max = NAME_BYTES),
        FIELDS_END,
};
static const struct field loader_fields[] = {
        PRESENT(NULL, struct domain_os, has_loader),
        PATH(NULL, struct domain_os, loader.path),
        NAME("type", struct domain_os, loader.type, loader_type_names),
        NAME("format", struct domain_os, loader.format, image_format_names),
        YES_NO("readonly", struct domain_os, loader.readonly),
        YES_NO("secure", struct domain_os, loader.secure),
        YES_NO("stateless", struct domain_os, loader.stateless),
        FIELDS_END,
};
static const struct field nvram_fields[] = {
        PRESENT(NULL, struct domain_os, has_nvram),
        PATH("template", struct domain_os, nvram.template),
        NAME("templateFormat", struct domain_os, nvram.template_format, image_format_names),
        NAME("format", struct domain_os, nvram.format, image_format_names),
        NAME("type", struct domain_os, nvram.type, domain_storage_type_names),
        FIELDS_END,
};
static const struct field nvram_path_fields[] = { PATH(NULL, struct domain_os, nvram.path), FIELDS_END };
static const struct field nvram_file_fields[] = { PATH("file", struct domain_os, nvram.path), FIELDS_END };
static const struct field nvram_block_fields[] = { PATH("dev", struct domain_os, nvram.path), FIELDS_END };

static const struct field nvram_source_fields[] = {
        ENUM("type", struct domain_storage, type, domain_storage_type_names),
        NAME("format", struct domain_storage, format, image_format_names),
        FIELDS_END,
};

static bool read_nvram(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_os *os = target;
        xmlNode *source = xml_child(node, "source");
        struct domain_storage *storage;

        if (!os->nvram.type)
                return field_read(reader, node, nvram_path_fields, os, error);
        if (!source)
                return true;
        storage = domain_arena_alloc(reader->arena, sizeof(*storage));
        os->nvram.source = storage;
        if (!field_read(reader, node, nvram_source_fields, storage, error) ||
            !domain_read_source(reader, source, storage, error))
                return false;
        if (storage->type == DOMAIN_STORAGE_FILE)
                return field_read(reader, source, nvram_file_fields, os, error);
        return storage->type != DOMAIN_STORAGE_BLOCK ||
               field_read(reader, source, nvram_block_fields, os, error);
}

static const struct field kernel_fields[] = { PATH(NULL, struct domain_os, kernel), FIELDS_END };
static const struct field initrd_fields[] = { PATH(NULL, struct domain_os, initrd), FIELDS_END };
static const struct field cmdline_fields[] = { STRING(NULL, struct domain_os, cmdline, .max = CMDLINE_MAX),
                                               FIELDS_END };
static const struct field dtb_fields[] = { PATH(NULL, struct domain_os, dtb), FIELDS_END };
static const struct field bootmenu_fields[] = {
        YES_NO("enable", struct domain_os, boot_menu),
        UINT("timeout", struct domain_os, boot_menu_timeout_ms, .max = TIMEOUT_MAX),
        FIELDS_END,
};
static const struct field bios_fields[] = {
        YES_NO("useserial", struct domain_os, bios_useserial),
        INT("rebootTimeout", struct domain_os, bios_reboot_timeout_ms, .max = TIMEOUT_MAX),
        FIELDS_END,
};
static const struct field smbios_fields[] = {
        NAME("mode", struct domain_os, smbios_mode, smbios_names, .required = true), FIELDS_END
};

struct acpi_table {
        const char *type;
};
static const struct field table_fields[] = {
        NAME("type", struct acpi_table, type, table_names, .required = true),
        FIELDS_END,
};
static const struct field table_path_fields[] = { PATH(NULL, struct domain_os, acpi_table), FIELDS_END };

static bool read_acpi_table(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct acpi_table table = { NULL };

        return field_read(reader, node, table_fields, &table, error) &&
               field_read(reader, node, table_path_fields, target, error);
}

static const struct field firmware_feature_fields[] = {
        NAME("name", struct domain_firmware_feature, name, feature_names, .required = true),
        BOOL("enabled", struct domain_firmware_feature, enabled, no_yes_names, .required = true),
        FIELDS_END,
};
static const struct field_part firmware_feature_parts[] = { { NULL, firmware_feature_fields }, PARTS_END };

static bool read_firmware(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_os *os = target;

        return field_read_array(reader, node, "feature", firmware_feature_parts,
                                sizeof(struct domain_firmware_feature), &os->firmware_features,
                                &os->n_firmware_features, error);
}

static const struct field_part os_parts[] = {
        { NULL, os_fields },
        { "type", type_fields },
        { "firmware", NULL, read_firmware },
        { "loader", loader_fields },
        { "nvram", nvram_fields, read_nvram },
        { "kernel", kernel_fields },
        { "initrd", initrd_fields },
        { "cmdline", cmdline_fields },
        { "dtb", dtb_fields },
        { "acpi/table", NULL, read_acpi_table },
        { "bootmenu", bootmenu_fields },
        { "bios", bios_fields },
        { "smbios", smbios_fields },
        PARTS_END,
};

struct boot {
        enum domain_boot device;
};
static const struct field boot_fields[] = {
        ENUM("dev", struct boot, device, boot_names, .required = true),
        FIELDS_END,
};

static bool read_boot(struct domain_reader *reader, xmlNode *node, struct domain_os *os, GError **error)
{
        for (xmlNode *child = xml_child(node, "boot"); child; child = xml_next(child)) {
                struct boot boot;

                if (os->n_boot == G_N_ELEMENTS(os->boot))
                        return xml_error(error, child, "more than %zu boot devices", G_N_ELEMENTS(os->boot));
                if (!field_read(reader, child, boot_fields, &boot, error))
                        return false;
                os->boot[os->n_boot++] = boot.device;
        }
        return true;
}

bool domain_read_os(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_os *os = target;

        os->bios_reboot_timeout_ms = INT_MIN;
        if (!field_read_parts(reader, node, os_parts, os, error) || !read_boot(reader, node, os, error))
                return false;
        if (!os->type)
                return xml_error(error, node, "missing element 'type'");
        return domain_check_plain(node, "machine", os->machine, "/,= ", error) &&
               domain_check_plain(node, "arch", os->arch, "/,= ", error);
}

/* ---- sysinfo ---- */

static const char *const sysinfo_types[] = { "smbios", "fwcfg", NULL };
static const char *const blocks[] = { "bios", "system", "baseBoard", "chassis", "oemStrings" };

struct sysinfo {
        bool fwcfg;
};
static const struct field sysinfo_fields[] = {
        BOOL("type", struct sysinfo, fwcfg, sysinfo_types, .required = true),
        FIELDS_END,
};
static const struct field entry_fields[] = {
        STRING("name", struct domain_sysinfo_entry, name, .max = NAME_BYTES),
        TEXT(NULL, struct domain_sysinfo_entry, value, .max = CMDLINE_MAX),
        FIELDS_END,
};
static const struct field fwcfg_fields[] = {
        STRING("name", struct domain_fwcfg_entry, name, .required = true, .max = NAME_BYTES),
        STRING(NULL, struct domain_fwcfg_entry, value, .max = CMDLINE_MAX),
        PATH("file", struct domain_fwcfg_entry, file),
        FIELDS_END,
};
static const struct field_part fwcfg_parts[] = { { NULL, fwcfg_fields }, PARTS_END };

static const char *get_block_name(const xmlNode *node)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(blocks); i++) {
                if (xml_is(node, blocks[i]))
                        return blocks[i];
        }
        return NULL;
}

static bool read_block(struct domain_reader *reader, xmlNode *block, unsigned group,
                       struct domain_sysinfo_entry **entry, GError **error)
{
        const char *name = get_block_name(block);

        for (xmlNode *node = xml_child(block, "entry"); node; node = xml_next(node), ++*entry) {
                (*entry)->block = name;
                (*entry)->group = group;
                if (!field_read(reader, node, entry_fields, *entry, error))
                        return false;
                if (!(*entry)->name && strcmp(name, "oemStrings") != 0)
                        return xml_error(error, node, "missing attribute 'name'");
        }
        return true;
}

static bool read_smbios(struct domain_reader *reader, xmlNode *node, struct domain_def *def, GError **error)
{
        struct domain_sysinfo_entry *entry;
        unsigned n = 0, boards = 0;

        XML_FOREACH_CHILD (block, node) {
                for (xmlNode *child = xml_child(block, "entry"); get_block_name(block) && child;
                     child = xml_next(child))
                        n++;
        }
        if (n == 0 || def->sysinfo)
                return true;
        entry = domain_arena_alloc(reader->arena, n * sizeof(*entry));
        def->sysinfo = entry;
        def->n_sysinfo = n;
        XML_FOREACH_CHILD (block, node) {
                unsigned group = xml_is(block, "baseBoard") ? boards++ : 0;

                if (get_block_name(block) && !read_block(reader, block, group, &entry, error))
                        return false;
        }
        return true;
}

bool domain_read_sysinfo(struct domain_reader *reader, xmlNode *root, struct domain_def *def, GError **error)
{
        for (xmlNode *node = xml_child(root, "sysinfo"); node; node = xml_next(node)) {
                struct sysinfo sysinfo = { false };

                if (!field_read(reader, node, sysinfo_fields, &sysinfo, error))
                        return false;
                if (!sysinfo.fwcfg && !read_smbios(reader, node, def, error))
                        return false;
                if (sysinfo.fwcfg &&
                    !field_read_array(reader, node, "entry", fwcfg_parts, sizeof(struct domain_fwcfg_entry),
                                      &def->fwcfg, &def->n_fwcfg, error))
                        return false;
        }
        return true;
}

/* ---- features ---- */

/* state='on|off', on when there is no attribute */
static bool read_state(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct {
                enum domain_switch state;
        } feature = { DOMAIN_SWITCH_ON };
        const struct field fields[] = { ON_OFF("state", __typeof__(feature), state), FIELDS_END };

        if (!field_read(reader, node, fields, &feature, error))
                return false;
        *(enum domain_switch *)target = feature.state;
        return true;
}

#define STATE(element, type, member)                                                                         \
        {                                                                                                    \
                element, NULL, read_state, offsetof(type, member)                                            \
        }

static const char *const hyperv_modes[] = { "custom", "passthrough", "host-model", NULL };
static const struct field hyperv_fields[] = { NAME("mode", struct domain_hyperv, mode, hyperv_modes),
                                              FIELDS_END };
static const struct field spinlocks_fields[] = {
        UINT("retries", struct domain_hyperv, spinlock_retries, .min = 4095),
        FIELDS_END,
};
static const struct field vendor_id_fields[] = {
        STRING("value", struct domain_hyperv, vendor, .max = HYPERV_VENDOR_MAX),
        FIELDS_END,
};

static const struct field_part hyperv_parts[] = {
        { NULL, hyperv_fields },
        STATE("relaxed", struct domain_hyperv, relaxed),
        STATE("vapic", struct domain_hyperv, vapic),
        STATE("spinlocks", struct domain_hyperv, spinlocks),
        { "spinlocks", spinlocks_fields },
        STATE("vpindex", struct domain_hyperv, vpindex),
        STATE("runtime", struct domain_hyperv, runtime),
        STATE("synic", struct domain_hyperv, synic),
        STATE("stimer", struct domain_hyperv, stimer),
        STATE("stimer/direct", struct domain_hyperv, stimer_direct),
        STATE("reset", struct domain_hyperv, reset),
        STATE("vendor_id", struct domain_hyperv, vendor_id),
        { "vendor_id", vendor_id_fields },
        STATE("frequencies", struct domain_hyperv, frequencies),
        STATE("reenlightenment", struct domain_hyperv, reenlightenment),
        STATE("tlbflush", struct domain_hyperv, tlbflush),
        STATE("tlbflush/direct", struct domain_hyperv, tlbflush_direct),
        STATE("tlbflush/extended", struct domain_hyperv, tlbflush_extended),
        STATE("ipi", struct domain_hyperv, ipi),
        STATE("evmcs", struct domain_hyperv, evmcs),
        STATE("avic", struct domain_hyperv, avic),
        STATE("emsr_bitmap", struct domain_hyperv, emsr_bitmap),
        STATE("xmm_input", struct domain_hyperv, xmm_input),
        PARTS_END,
};

static bool read_hyperv(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_features *features = target;
        struct domain_hyperv *hyperv = domain_arena_alloc(reader->arena, sizeof(*hyperv));

        features->hyperv = hyperv;
        return field_read_parts(reader, node, hyperv_parts, hyperv, error);
}

static const struct field tb_cache_fields[] = { MIB(NULL, struct domain_features, tb_cache_mib), FIELDS_END };
static const struct field dirty_ring_fields[] = {
        UINT("size", struct domain_features, kvm_dirty_ring_entries, .max = UINT32_MAX),
        FIELDS_END,
};

static const struct field_part kvm_parts[] = {
        STATE("hidden", struct domain_features, kvm_hidden),
        STATE("hint-dedicated", struct domain_features, kvm_hint_dedicated),
        STATE("poll-control", struct domain_features, kvm_poll_control),
        STATE("pv-ipi", struct domain_features, kvm_pv_ipi),
        STATE("dirty-ring", struct domain_features, kvm_dirty_ring),
        { "dirty-ring", dirty_ring_fields },
        PARTS_END,
};

static const struct field teardown_fields[] = { YES_NO("enabled", struct domain_features, async_teardown),
                                                FIELDS_END };

static bool read_kvm(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, kvm_parts, target, error);
}

static const char *const gic_names[] = { "2", "3", "host", NULL };
static const char *const ioapic_names[] = { "kvm", "qemu", NULL };

static const struct field apic_fields[] = { ON_OFF("eoi", struct domain_features, apic_eoi), FIELDS_END };
static const struct field gic_fields[] = { NAME("version", struct domain_features, gic_version, gic_names),
                                           FIELDS_END };
static const struct field ioapic_fields[] = { NAME("driver", struct domain_features, ioapic, ioapic_names),
                                              FIELDS_END };
static const struct field tseg_fields[] = { MIB(NULL, struct domain_features, tseg_mib), FIELDS_END };

static const struct field_part features_parts[] = {
        STATE("acpi", struct domain_features, acpi),
        STATE("apic", struct domain_features, apic),
        { "apic", apic_fields },
        STATE("pae", struct domain_features, pae),
        STATE("hap", struct domain_features, hap),
        STATE("viridian", struct domain_features, viridian),
        STATE("privnet", struct domain_features, privnet),
        { "hyperv", NULL, read_hyperv },
        { "tcg/tb-cache", tb_cache_fields },
        STATE("ps2", struct domain_features, ps2),
        { "async-teardown", teardown_fields },
        { "kvm", NULL, read_kvm },
        STATE("pvspinlock", struct domain_features, pvspinlock),
        STATE("pmu", struct domain_features, pmu),
        STATE("vmport", struct domain_features, vmport),
        STATE("gic", struct domain_features, gic),
        { "gic", gic_fields },
        STATE("smm", struct domain_features, smm),
        { "smm/tseg", tseg_fields },
        { "ioapic", ioapic_fields },
        STATE("vmcoreinfo", struct domain_features, vmcoreinfo),
        PARTS_END,
};

bool domain_read_features(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        return field_read_parts(reader, node, features_parts, target, error);
}
