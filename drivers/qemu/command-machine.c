/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Machine, firmware, accelerator, boot: -machine, -accel, -global, -boot, -kernel. Values only; any thread.
 */
#include "drivers/qemu/command-internal.h"

#include "drivers/qemu/block.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* ---- firmware ---- */

static bool is_pflash(const struct domain_os *os)
{
        return os->has_loader && g_strcmp0(os->loader.type, "pflash") == 0;
}

static bool is_switch_on(enum domain_switch value, bool otherwise)
{
        return value == DOMAIN_SWITCH_ABSENT ? otherwise : value == DOMAIN_SWITCH_ON;
}

static void add_image(struct command_builder *builder, const struct block_image *image, bool readonly)
{
        const struct block_options options = { .readonly = readonly };
        CLEANUP(device_list_free) struct device_list *list = device_list_new();

        device_add_image(list, &builder->device, image, &options, NULL);
        command_append_list(builder, list);
}

static void add_loader(struct command_builder *builder)
{
        const struct domain_loader *loader = &builder->def->os.loader;
        CLEANUP(block_image_free) struct block_image *image = block_image_new(loader->path, loader->format);

        image->unit = "pflash0";
        add_image(builder, image, is_switch_on(loader->readonly, true));
}

/* On a server, as the resources have it. */
static bool add_remote_nvram(struct command_builder *builder, GError **error)
{
        const struct device_resources *resources = device_get_resources(&builder->device, COMMAND_NVRAM_UNIT);
        const struct block_image *image;

        if (!resources || !resources->chain || resources->chain->len != 1)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "the source of <nvram> was not looked at");
        image = resources->chain->pdata[0];
        if (!device_check_image(&builder->device, "<nvram>", image, error))
                return false;
        add_image(builder, image, false);
        return true;
}

static bool add_nvram(struct command_builder *builder, GError **error)
{
        const struct domain_nvram *nvram = &builder->def->os.nvram;
        CLEANUP(block_image_free) struct block_image *image = NULL;

        if (domain_nvram_get_server(nvram))
                return add_remote_nvram(builder, error);
        image = block_image_new(nvram->path, nvram->format);
        image->unit = COMMAND_NVRAM_UNIT;
        if (domain_nvram_is_device(nvram))
                image->kind = BLOCK_DEVICE;
        add_image(builder, image, false);
        return true;
}

static bool add_pflash(struct command_builder *builder, GError **error)
{
        add_loader(builder);
        return !builder->def->os.has_nvram || add_nvram(builder, error);
}

static bool check_firmware(const struct command_builder *builder, GError **error)
{
        const struct domain_os *os = &builder->def->os;

        if (os->firmware && strcmp(os->firmware, "bios") != 0 && !(os->has_loader && os->loader.path))
                return device_unsupported(error, "no firmware of type '%s' was chosen", os->firmware);
        if (os->has_loader && !os->loader.path && (os->loader.type || os->loader.format))
                return device_unsupported(error, "<loader> without a path");
        if (is_pflash(os) && os->has_nvram && !os->nvram.path && !domain_nvram_get_server(&os->nvram))
                return device_unsupported(error, "<nvram> goes with readonly='yes' of the <loader>");
        return true;
}

/* ---- machine ---- */

static void add_irqchip(GString *option, const struct command_builder *builder)
{
        const char *driver = builder->def->features.ioapic;

        if (driver && command_is_kvm(builder))
                command_option_add(option, "kernel-irqchip", strcmp(driver, "qemu") == 0 ? "split" : "on");
}

static const struct domain_timer *find_timer(const struct domain_def *def, enum domain_timer_name name)
{
        for (unsigned i = 0; i < def->clock.n_timers; i++) {
                if (def->clock.timers[i].name == name)
                        return &def->clock.timers[i];
        }
        return NULL;
}

static void add_timers(GString *option, const struct command_builder *builder)
{
        const struct domain_timer *hpet = find_timer(builder->def, DOMAIN_TIMER_HPET);
        const struct domain_timer *pit = find_timer(builder->def, DOMAIN_TIMER_PIT);

        if (!machine_is_x86(builder->family))
                return;
        if (hpet)
                command_option_add_switch(option, "hpet", hpet->present);
        if (pit && pit->present == DOMAIN_SWITCH_OFF)
                command_option_add(option, "pit", "off");
}

static void add_speaker(GString *option, const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_sounds; i++) {
                const struct domain_sound *sound = &def->devices.sounds[i];

                if (g_strcmp0(sound->model, "pcspk") == 0)
                        g_string_append_printf(option, ",pcspk-audiodev=audio%u",
                                               sound->audio_id ? (unsigned)sound->audio_id : 1);
        }
}

/* Firmware that keeps its variables to itself does so in system management mode. */
static enum domain_switch system_management(const struct domain_def *def)
{
        if (def->features.smm == DOMAIN_SWITCH_ABSENT && is_pflash(&def->os) &&
            def->os.loader.secure == DOMAIN_SWITCH_ON)
                return DOMAIN_SWITCH_ON;
        return def->features.smm;
}

static bool has_nvdimm(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_memories; i++) {
                if (strcmp(def->devices.memories[i].model, "nvdimm") == 0)
                        return true;
        }
        return false;
}

/* Which pages enclaves of SGX have, by the names of their back ends. */
static void add_enclaves(GString *option, const struct domain_def *def)
{
        unsigned number = 0;

        for (unsigned i = 0; i < def->devices.n_memories; i++) {
                const struct domain_memory *memory = &def->devices.memories[i];

                if (strcmp(memory->model, "sgx-epc") != 0)
                        continue;
                g_string_append_printf(option, ",sgx-epc.%u.memdev=mem", number);
                device_append_escaped(option, memory->info.alias);
                g_string_append_printf(option, ",sgx-epc.%u.node=%d", number++, MAX(memory->node, 0));
        }
}

static void add_machine_option(struct command_builder *builder)
{
        const struct domain_def *def = builder->def;
        g_autoptr(GString) option = g_string_new(NULL);
        const char *memory = command_memory_get_default(builder);

        device_append_escaped(option, def->os.machine ? def->os.machine : builder->machine->name);
        command_option_add(option, "usb", "off");
        command_option_add_switch(option, "vmport", def->features.vmport);
        command_option_add_switch(option, "i8042", def->features.ps2);
        command_option_add_switch(option, "smm", system_management(def));
        add_irqchip(option, builder);
        command_option_add(option, "dump-guest-core", def->dump_core == DOMAIN_SWITCH_ON ? "on" : "off");
        if (def->memory_backing.nosharepages)
                command_option_add(option, "mem-merge", "off");
        if (has_nvdimm(def))
                command_option_add(option, "nvdimm", "on");
        if (command_hmat_is_there(def))
                command_option_add(option, "hmat", "on");
        command_option_add(option, "memory-backend", memory);
        if (is_pflash(&def->os)) {
                command_option_add(option, "pflash0", "libvirt-pflash0-format");
                if (def->os.has_nvram)
                        command_option_add(option, "pflash1", "libvirt-pflash1-format");
        }
        if (machine_is_x86(builder->family) || builder->family == MACHINE_VIRT_ARM)
                command_option_add(option, "acpi", def->features.acpi == DOMAIN_SWITCH_ON ? "on" : "off");
        if (builder->family == MACHINE_VIRT_ARM)
                command_option_add(option, "gic-version", def->features.gic_version);
        if (builder->family == MACHINE_VIRT_ARM && def->devices.iommu &&
            strcmp(def->devices.iommu->model, "smmuv3") == 0)
                command_option_add(option, "iommu", "smmuv3");
        if (def->launch)
                command_option_add(option, "confidential-guest-support", COMMAND_PROTECTION_ID);
        command_option_add_switch(option, "aes-key-wrap", def->aes_wrap);
        command_option_add_switch(option, "dea-key-wrap", def->dea_wrap);
        add_timers(option, builder);
        add_speaker(option, def);
        add_enclaves(option, def);
        if (def->os.bios_useserial == DOMAIN_SWITCH_ON)
                command_option_add(option, "graphics", "off");
        command_append(builder, "-machine", option->str);
}

static bool add_accel(struct command_builder *builder, GError **error)
{
        const char *type = builder->def->type;
        const struct domain_features *features = &builder->def->features;
        unsigned ring = features->kvm_dirty_ring == DOMAIN_SWITCH_ON ? features->kvm_dirty_ring_entries : 0;

        if (g_strcmp0(type, "qemu") == 0) {
                uint64_t cache = features->tb_cache_mib;

                if (cache)
                        command_append_format(builder, "-accel", "tcg,tb-size=%" PRIu64, cache);
                else
                        command_append(builder, "-accel", "tcg");
                return true;
        }
        if (features->tb_cache_mib)
                return device_unsupported(error, "<tcg> in <features> is for domains of type 'qemu'");
        if (!command_is_kvm(builder))
                return device_unsupported(error, "domain type '%s' is not supported", type);
        if (!qemu_caps_has_accel(builder->caps, QEMU_ACCEL_KVM))
                return device_unsupported(error, "emulator '%s' cannot use KVM on this host",
                                          qemu_caps_get_path(builder->caps));
        if (ring)
                command_append_format(builder, "-accel", "kvm,dirty-ring-size=%u", ring);
        else
                command_append(builder, "-accel", "kvm");
        return true;
}

/* What only PCs have a switch for. */
static bool check_pc_features(const struct command_builder *builder, GError **error)
{
        const struct domain_def *def = builder->def;
        const struct domain_timer *hpet = find_timer(def, DOMAIN_TIMER_HPET);
        const char *what = NULL;

        if (machine_is_x86(builder->family))
                return true;
        if (def->features.vmport != DOMAIN_SWITCH_ABSENT)
                what = "<vmport>";
        else if (def->features.ps2 != DOMAIN_SWITCH_ABSENT)
                what = "<ps2>";
        else if (def->features.smm != DOMAIN_SWITCH_ABSENT || def->features.tseg_mib)
                what = "<smm>";
        else if (def->features.ioapic)
                what = "<ioapic>";
        else if (def->features.hyperv)
                what = "<hyperv>";
        else if (def->suspend_to_mem != DOMAIN_SWITCH_ABSENT || def->suspend_to_disk != DOMAIN_SWITCH_ABSENT)
                what = "<pm>";
        else if (hpet && hpet->present == DOMAIN_SWITCH_ON)
                what = "<timer name='hpet'>";
        else if (def->os.bios_useserial == DOMAIN_SWITCH_ON)
                what = "<bios useserial='yes'>";
        for (unsigned i = 0; i < def->devices.n_controllers && !what; i++) {
                if (def->devices.controllers[i].pcihole64_kib)
                        what = "<pcihole64>";
        }
        return !what ||
               device_unsupported(error, "%s is for x86, not for machine '%s'", what, builder->machine->name);
}

static bool check_gic(const struct command_builder *builder, GError **error)
{
        const struct domain_features *features = &builder->def->features;
        const char *version = features->gic_version;

        if (builder->family != MACHINE_VIRT_ARM && (features->gic == DOMAIN_SWITCH_ON || version))
                return device_unsupported(error, "feature 'gic' is for machine 'virt' of ARM, not for '%s'",
                                          builder->machine->name);
        if (g_strcmp0(version, "host") == 0 && !command_is_kvm(builder))
                return device_unsupported(error, "<gic version='host'/> without KVM");
        return true;
}

static bool check_features(const struct command_builder *builder, GError **error)
{
        static const char message[] = "feature '%s' is not supported";
        const struct domain_features *features = &builder->def->features;

        if (features->hap == DOMAIN_SWITCH_ON)
                return device_unsupported(error, message, "hap");
        if (features->viridian == DOMAIN_SWITCH_ON)
                return device_unsupported(error, message, "viridian");
        if (features->privnet == DOMAIN_SWITCH_ON)
                return device_unsupported(error, message, "privnet");
        if (builder->family != MACHINE_S390 && (builder->def->aes_wrap != DOMAIN_SWITCH_ABSENT ||
                                                builder->def->dea_wrap != DOMAIN_SWITCH_ABSENT))
                return device_unsupported(error, "<keywrap> is for s390x, not for machine '%s'",
                                          builder->machine->name);
        if (features->vmcoreinfo == DOMAIN_SWITCH_ON && !qemu_caps_has_type(builder->caps, "vmcoreinfo"))
                return device_unsupported(error, message, "vmcoreinfo");
        return check_pc_features(builder, error) && check_gic(builder, error);
}

/* ---- properties of what is built in ---- */

/* The boot index of a floppy is its controller's to know, and i440fx has that one built in. */
static void add_floppy_boot(struct command_builder *builder)
{
        const struct domain_devices *devices = &builder->def->devices;

        for (unsigned i = 0; i < devices->n_disks; i++) {
                const struct domain_disk *disk = &devices->disks[i];
                unsigned index = device_disk_boot_index(&builder->device, disk);

                if (disk->device == DOMAIN_DISK_FLOPPY && index)
                        command_append_format(builder, "-global", "isa-fdc.bootindex%c=%u",
                                              disk->info.address.drive.unit ? 'B' : 'A', index);
        }
}

static void add_globals(struct command_builder *builder)
{
        const struct domain_def *def = builder->def;
        bool pcie = device_machine_is_q35(def);
        const char *power = pcie ? "ICH9-LPC" : "PIIX4_PM";

        if (is_pflash(&def->os) && def->os.loader.secure == DOMAIN_SWITCH_ON)
                command_append(builder, "-global", "driver=cfi.pflash01,property=secure,value=on");
        if (def->features.tseg_mib)
                command_append_format(builder, "-global", "mch.extended-tseg-mbytes=%" G_GUINT64_FORMAT,
                                      def->features.tseg_mib);
        if (def->suspend_to_mem != DOMAIN_SWITCH_ABSENT)
                command_append_format(builder, "-global", "%s.disable_s3=%d", power,
                                      def->suspend_to_mem == DOMAIN_SWITCH_OFF);
        if (def->suspend_to_disk != DOMAIN_SWITCH_ABSENT)
                command_append_format(builder, "-global", "%s.disable_s4=%d", power,
                                      def->suspend_to_disk == DOMAIN_SWITCH_OFF);
        for (unsigned i = 0; i < def->devices.n_watchdogs; i++) {
                if (g_strcmp0(def->devices.watchdogs[i].model, "itco") == 0)
                        command_append(builder, "-global", "ICH9-LPC.noreboot=off");
        }
        add_floppy_boot(builder);
        if (def->devices.nvram && def->devices.nvram->info.address.spapr_vio.has_reg)
                command_append_format(builder, "-global", "spapr-nvram.reg=0x%" PRIx64,
                                      (uint64_t)def->devices.nvram->info.address.spapr_vio.reg);
        for (unsigned i = 0; i < def->devices.n_controllers; i++) {
                const struct domain_controller *controller = &def->devices.controllers[i];

                if (controller->type == DOMAIN_CONTROLLER_PCI && controller->pcihole64_kib)
                        command_append_format(builder, "-global", "%s.pci-hole64-size=%" G_GUINT64_FORMAT "K",
                                              pcie ? "q35-pcihost" : "i440FX-pcihost",
                                              controller->pcihole64_kib);
        }
}

/* ---- boot ---- */

static void add_boot_option(struct command_builder *builder)
{
        const struct domain_os *os = &builder->def->os;
        g_autoptr(GString) option = g_string_new(NULL);

        if (os->boot_menu != DOMAIN_SWITCH_ABSENT)
                g_string_append_printf(option, "menu=%s,", os->boot_menu == DOMAIN_SWITCH_ON ? "on" : "off");
        if (os->bios_reboot_timeout_ms != INT_MIN)
                g_string_append_printf(option, "reboot-timeout=%d,", os->bios_reboot_timeout_ms);
        if (os->boot_menu_timeout_ms)
                g_string_append_printf(option, "splash-time=%u,", (unsigned)os->boot_menu_timeout_ms);
        g_string_append(option, "strict=on");
        command_append(builder, "-boot", option->str);
}

static bool add_boot(struct command_builder *builder, GError **error)
{
        const struct domain_os *os = &builder->def->os;
        g_autoptr(GString) table = NULL;

        add_boot_option(builder);
        if (os->kernel)
                command_append(builder, "-kernel", os->kernel);
        if (os->initrd)
                command_append(builder, "-initrd", os->initrd);
        if (os->cmdline)
                command_append(builder, "-append", os->cmdline);
        if (os->dtb)
                command_append(builder, "-dtb", os->dtb);
        if (!os->acpi_table)
                return true;
        if (strchr(os->acpi_table, ':'))
                return device_unsupported(error, "an ACPI table in a file with ':' in its name");
        table = g_string_new("sig=SLIC");
        command_option_add(table, "file", os->acpi_table);
        command_append(builder, "-acpitable", table->str);
        return true;
}

bool command_machine_add(struct command_builder *builder, GError **error)
{
        const struct domain_def *def = builder->def;

        if (!check_firmware(builder, error) || !check_features(builder, error))
                return false;
        if (is_pflash(&def->os) && !add_pflash(builder, error))
                return false;
        add_machine_option(builder);
        if (!add_accel(builder, error))
                return false;
        if (def->os.has_loader && def->os.loader.path && !is_pflash(&def->os))
                command_append(builder, "-bios", def->os.loader.path);
        add_globals(builder);
        return add_boot(builder, error);
}
