/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/definition: documents as virt-install, virt-manager and Cockpit write them and what is read
 * from them, the canonical order (tests/unit/data/domain/shuffled.xml has every element backwards; the order
 * of ordered.xml is that of "virsh dumpxml"), and what is remarked upon.
 */
#include "drivers/domain/definition.h"

#include "base/error.h"
#include "base/xml.h"
#include "drivers/domain/arena.h"
#include "tests/unit/check-main.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

/* A definition of a domain with further elements and devices, as stored; NULL with an error. */
static struct domain_def *parse_with(const char *elements, const char *devices, GError **error)
{
        g_autofree char *xml = g_strdup_printf("<domain type='kvm'>\n<name>d</name><uuid>" UUID "</uuid>\n"
                                               "<memory>1024</memory>\n<os><type>hvm</type></os>\n%s\n"
                                               "<devices>\n%s\n</devices></domain>",
                                               elements, devices);

        return domain_def_parse_stored(xml, error);
}

static char *read_document(const char *name)
{
        g_autofree char *path = g_strdup_printf("%s/%s.xml", DOCUMENTS, name);
        char *text = NULL;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        return text;
}

/* Read as the text of a client is, or as stored. */
static struct domain_def *load(const char *name, bool normalize)
{
        static const struct domain_machine machine = {
                .type = "kvm",
                .arch = "x86_64",
                .machine = "pc-q35-7.2",
                .emulator = "/usr/bin/qemu-system-x86_64",
                .pcie_root = true,
                .isa = true,
                .ps2 = true,
                .acpi = true,
                .assign_addresses = true,
                .usb_model = "qemu-xhci",
                .net_model = "e1000e",
                .video_model = "vga",
        };
        g_autofree char *text = read_document(name);
        g_autoptr(GError) error = NULL;
        struct domain_doc *doc = domain_doc_parse(text, &error);
        struct domain_def *def;

        ck_assert_msg(doc, "%s: %s", name, error ? error->message : "");
        def = domain_doc_finish(doc, normalize ? &machine : NULL, &error);
        ck_assert_msg(def, "%s: %s", name, error ? error->message : "");
        return def;
}

static const struct domain_char *find_char(const struct domain_def *def, enum domain_char_kind kind,
                                           unsigned n)
{
        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                if (def->devices.chars[i].kind == kind && n-- == 0)
                        return &def->devices.chars[i];
        }
        ck_abort_msg("no such character device");
}

/* ---- documents of tools ---- */

START_TEST(test_virt_install)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("virt-install", true);
        const struct domain_devices *devices = &def->devices;

        ck_assert_str_eq(def->base.name, "debian12");
        ck_assert_int_eq(def->id, -1);
        ck_assert_str_eq(def->type, "kvm");
        ck_assert_uint_eq(def->memory_kib, 2097152);
        ck_assert_uint_eq(def->vcpus, 2);
        ck_assert_uint_eq(def->max_vcpus, 2);
        ck_assert_int_eq(def->cpu.mode, DOMAIN_CPU_HOST_PASSTHROUGH);
        ck_assert_str_eq(def->os.type, "hvm");
        ck_assert_str_eq(def->os.arch, "x86_64");
        ck_assert_uint_eq(def->os.n_boot, 1);
        ck_assert_int_eq(def->os.boot[0], DOMAIN_BOOT_HD);
        ck_assert_int_eq(def->features.acpi, DOMAIN_SWITCH_ON);
        ck_assert_int_eq(def->features.vmport, DOMAIN_SWITCH_OFF);
        ck_assert_int_eq(def->features.pae, DOMAIN_SWITCH_ABSENT);
        ck_assert_uint_eq(def->clock.n_timers, 3);
        ck_assert_int_eq(def->clock.timers[2].name, DOMAIN_TIMER_HPET);
        ck_assert_int_eq(def->clock.timers[2].present, DOMAIN_SWITCH_OFF);
        ck_assert_int_eq(def->suspend_to_mem, DOMAIN_SWITCH_OFF);

        ck_assert_str_eq(devices->emulator, "/usr/bin/qemu-system-x86_64");
        ck_assert_uint_eq(devices->n_disks, 2);
        ck_assert_str_eq(devices->disks[0].source.path, "/var/lib/libvirt/images/debian12.qcow2");
        ck_assert_str_eq(devices->disks[0].source.format, "qcow2");
        ck_assert_str_eq(devices->disks[0].discard, "unmap");
        ck_assert_int_eq(devices->disks[0].bus, DOMAIN_BUS_VIRTIO);
        ck_assert_int_eq(devices->disks[0].info.address.type, DOMAIN_ADDRESS_PCI);
        ck_assert_int_eq(devices->disks[1].device, DOMAIN_DISK_CDROM);
        ck_assert_ptr_null(devices->disks[1].source.path);
        ck_assert(devices->disks[1].readonly);
        ck_assert_int_eq(devices->disks[1].info.address.type, DOMAIN_ADDRESS_DRIVE);

        ck_assert_uint_eq(devices->n_interfaces, 1);
        ck_assert_int_eq(devices->interfaces[0].type, DOMAIN_INTERFACE_NETWORK);
        ck_assert_str_eq(devices->interfaces[0].source, "default");
        ck_assert_uint_eq(devices->interfaces[0].mac[3], 0xab);
        ck_assert_ptr_nonnull(strstr(def->base.xml, "<mac address='52:54:00:ab:cd:01'/>"));

        ck_assert_str_eq(find_char(def, DOMAIN_CHAR_CHANNEL, 0)->target_name, "org.qemu.guest_agent.0");
        ck_assert_int_eq(find_char(def, DOMAIN_CHAR_CHANNEL, 1)->source.type, DOMAIN_CHAR_SPICEVMC);
        ck_assert(find_char(def, DOMAIN_CHAR_CONSOLE, 0)->is_serial_alias);
        ck_assert_uint_eq(devices->n_redirdevs, 2);
        ck_assert_str_eq(devices->graphics[0].image_compression, "off");
        ck_assert(devices->graphics[0].autoport);
        ck_assert_str_eq(devices->rngs[0].path, "/dev/urandom");
        ck_assert_int_eq(devices->tpms[0].backend, DOMAIN_TPM_EMULATOR);
        ck_assert_str_eq(devices->memballoon->model, "virtio");
        ck_assert_uint_eq(def->unsupported.count, 0);
        ck_assert_uint_eq(def->unknown.count, 0);
}
END_TEST

START_TEST(test_virt_manager_domain)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("virt-manager", true);
        char uuid[UUID_STRING_LENGTH + 1];

        ck_assert_str_eq(uuid_format(&def->base.uuid, uuid), "3fa0e2d1-60f5-4c43-a46c-4a1d2e0b7c55");
        ck_assert_str_eq(def->title, "Windows 11, the one for tests");
        ck_assert_str_eq(def->description, "Made by hand\non two lines");
        ck_assert_uint_eq(def->memory_kib, 4194304);
        ck_assert_uint_eq(def->current_memory_kib, 3145728);
        ck_assert_int_eq(def->memory_backing.shared, DOMAIN_SWITCH_ON);
        ck_assert_str_eq(def->memory_backing.source, "memfd");
        ck_assert_uint_eq(def->vcpus, 2);
        ck_assert_uint_eq(def->max_vcpus, 4);
        ck_assert(domain_cpuset_has(&def->cpuset, 7));
        ck_assert(!domain_cpuset_has(&def->cpuset, 3));
        ck_assert(!domain_cpuset_has(&def->cpuset, 64));
        ck_assert_uint_eq(def->iothreads, 2);
        ck_assert_uint_eq(def->iothread_list[1].id, 2);
        ck_assert_uint_eq(def->n_vcpu_pins, 2);
        ck_assert(domain_cpuset_has(&def->vcpu_pins[1].cpus, 4));
        ck_assert(domain_cpuset_has(&def->emulator_pin, 0));
        ck_assert_uint_eq(def->iothread_pins[0].id, 1);

        ck_assert_uint_eq(def->n_sysinfo, 5);
        ck_assert_str_eq(def->sysinfo[1].block, "system");
        ck_assert_str_eq(def->sysinfo[1].name, "serial");
        ck_assert_str_eq(def->sysinfo[1].value, "0042");
        ck_assert_str_eq(def->sysinfo[4].block, "oemStrings");
        ck_assert_str_eq(def->sysinfo[4].value, "two, with a comma");
        ck_assert_str_eq(def->os.firmware, "efi");
        ck_assert_uint_eq(def->os.n_firmware_features, 2);
        ck_assert(def->os.firmware_features[0].enabled);
        ck_assert_str_eq(def->os.firmware_features[1].name, "enrolled-keys");
        ck_assert_int_eq(def->os.boot_menu, DOMAIN_SWITCH_ON);
        ck_assert_uint_eq(def->os.boot_menu_timeout_ms, 3000);
        ck_assert_int_eq(def->os.bios_reboot_timeout_ms, -1);
        ck_assert_str_eq(def->os.smbios_mode, "sysinfo");
        ck_assert_uint_eq(def->unsupported.count, 0);
}
END_TEST

START_TEST(test_virt_manager_machine)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("virt-manager", true);
        const struct domain_features *features = &def->features;
        const struct domain_clock *clock = &def->clock;
        const struct domain_cpu *cpu = &def->cpu;

        ck_assert_int_eq(features->apic_eoi, DOMAIN_SWITCH_ON);
        ck_assert_uint_eq(features->hyperv->spinlock_retries, 8191);
        ck_assert_int_eq(features->hyperv->spinlocks, DOMAIN_SWITCH_ON);
        ck_assert_int_eq(features->hyperv->stimer_direct, DOMAIN_SWITCH_OFF);
        ck_assert_int_eq(features->hyperv->reset, DOMAIN_SWITCH_ABSENT);
        ck_assert_str_eq(features->hyperv->vendor, "seedseedseed");
        ck_assert_int_eq(features->kvm_hidden, DOMAIN_SWITCH_ON);
        ck_assert_uint_eq(features->tseg_mib, 16);
        ck_assert_str_eq(features->ioapic, "qemu");

        ck_assert_int_eq(cpu->mode, DOMAIN_CPU_CUSTOM);
        ck_assert_str_eq(cpu->model, "Skylake-Client-noTSX-IBRS");
        ck_assert_str_eq(cpu->fallback, "forbid");
        ck_assert_uint_eq(cpu->dies, 1);
        ck_assert_uint_eq(cpu->threads, 2);
        ck_assert_uint_eq(cpu->n_features, 2);
        ck_assert_str_eq(cpu->features[0].policy, "disable");
        ck_assert_uint_eq(cpu->n_cells, 2);
        ck_assert_uint_eq(cpu->cells[0].memory_kib, 2097152);
        ck_assert_uint_eq(cpu->cells[1].id, 1);
        ck_assert(domain_cpuset_has(&cpu->cells[1].cpus, 3));
        ck_assert_int_eq(cpu->cells[1].shared, DOMAIN_SWITCH_OFF);
        ck_assert_int_eq(cpu->cells[0].shared, DOMAIN_SWITCH_ABSENT);

        ck_assert_int_eq(clock->offset, DOMAIN_CLOCK_VARIABLE);
        ck_assert_int_eq(clock->adjustment_s, -3600);
        ck_assert(clock->basis_localtime);
        ck_assert_uint_eq(clock->timers[1].frequency, 3000000000);
        ck_assert_uint_eq(clock->timers[2].catchup_slew, 120);
        ck_assert_str_eq(def->on_crash, "coredump-restart");
}
END_TEST

START_TEST(test_virt_manager_disks)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("virt-manager", true);
        const struct domain_disk *system = domain_def_find_disk(def, "vda");
        const struct domain_disk *overlay = domain_def_find_disk(def, "/srv/overlay.qcow2");
        const struct domain_disk *cdrom = domain_def_find_disk(def, "sda");
        const struct domain_storage *middle, *lowest;

        ck_assert_int_eq(system->source.type, DOMAIN_STORAGE_BLOCK);
        ck_assert_str_eq(system->source.path, "/dev/vg/win11");
        ck_assert_str_eq(system->cache, "none");
        ck_assert_str_eq(system->io, "native");
        ck_assert_str_eq(system->detect_zeroes, "unmap");
        ck_assert_uint_eq(system->iothread, 1);
        ck_assert_uint_eq(system->queues, 4);
        ck_assert_str_eq(system->serial, "WD-0001");
        ck_assert_uint_eq(system->info.boot_order, 2);
        ck_assert(!system->source.ends);

        middle = overlay->source.backing;
        lowest = middle->backing;
        ck_assert_str_eq(middle->path, "/srv/middle.qcow2");
        ck_assert_str_eq(middle->format, "qcow2");
        ck_assert_int_eq(lowest->type, DOMAIN_STORAGE_BLOCK);
        ck_assert(lowest->ends);
        ck_assert_ptr_null(lowest->backing);
        ck_assert_uint_eq(overlay->iotune->read_bytes_sec, 1000000);
        ck_assert_uint_eq(overlay->iotune->write_bytes_sec, 0);
        ck_assert_str_eq(overlay->iotune->group_name, "slow");
        ck_assert_uint_eq(overlay->rotation_rate, 1);
        ck_assert_uint_eq(overlay->info.address.drive.unit, 1);

        ck_assert(cdrom->tray_open);
        ck_assert_ptr_null(cdrom->source.path);
        ck_assert_ptr_null(domain_def_find_disk(def, "vdz"));
        ck_assert_ptr_null(domain_def_find_disk(def, "srv/overlay.qcow2"));
}
END_TEST

START_TEST(test_virt_manager_devices)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("virt-manager", true);
        const struct domain_devices *devices = &def->devices;
        const struct domain_interface *bridge = domain_def_find_interface(def, "tap-win");
        const struct domain_char_source *tcp = &find_char(def, DOMAIN_CHAR_SERIAL, 0)->source;
        const struct domain_char_source *udp = &find_char(def, DOMAIN_CHAR_SERIAL, 1)->source;

        ck_assert_ptr_eq(bridge, domain_def_find_interface(def, "52:54:00:00:00:02"));
        ck_assert_str_eq(bridge->source, "br0");
        ck_assert_str_eq(bridge->model, "e1000e");
        ck_assert_int_eq(bridge->link_up, DOMAIN_SWITCH_OFF);
        ck_assert_uint_eq(bridge->mtu, 1400);
        ck_assert_int_eq(bridge->info.rom_bar, DOMAIN_SWITCH_OFF);
        ck_assert_uint_eq(devices->interfaces[1].n_ips, 1);
        ck_assert_uint_eq(devices->interfaces[1].ips[0].prefix, 24);

        ck_assert(tcp->listen && tcp->telnet);
        ck_assert_str_eq(tcp->service, "4555");
        ck_assert_str_eq(tcp->log_file, "/var/log/win11.log");
        ck_assert_str_eq(udp->bind_service, "7001");
        ck_assert_str_eq(udp->host, "192.0.2.1");
        ck_assert_str_eq(devices->inputs[0].source, "/dev/input/event1");
        ck_assert_str_eq(devices->inputs[0].grab_toggle, "ctrl-ctrl");
        ck_assert_int_eq(devices->graphics[0].port, 5905);
        ck_assert_int_eq(devices->graphics[0].websocket, 5805);
        ck_assert_str_eq(devices->graphics[0].password, "s3cret");
        ck_assert_str_eq(devices->graphics[0].listens[0].address, "127.0.0.1");
        ck_assert_str_eq(devices->sounds[0].codecs[1], "duplex");
        ck_assert_ptr_null(devices->sounds[0].codecs[2]);
        ck_assert_uint_eq(devices->videos[0].vgamem_kib, 16384);
        ck_assert_uint_eq(devices->videos[0].resolution_x, 1920);
        ck_assert_int_eq(devices->hostdevs[0].type, DOMAIN_HOSTDEV_PCI);
        ck_assert_uint_eq(devices->hostdevs[0].pci.slot, 0x1f);
        ck_assert_str_eq(devices->hostdevs[0].info.rom_file, "/srv/vga.rom");
        ck_assert_int_eq(devices->hostdevs[1].usb_vendor, 0x046d);
        ck_assert_str_eq(devices->hostdevs[1].startup_policy, "optional");
        ck_assert_uint_eq(devices->tpms[0].pcr_banks, 1 << 1 | 1 << 3);
        ck_assert_int_eq(devices->rngs[0].backend, DOMAIN_RNG_BUILTIN);
        ck_assert_uint_eq(devices->rngs[0].rate_bytes, 1024);
        ck_assert_uint_eq(devices->memballoon->stats_period_s, 5);
        ck_assert_str_eq(devices->watchdogs[0].action, "pause");
        ck_assert_uint_eq(devices->vsock->cid, 77);
}
END_TEST

START_TEST(test_cockpit)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("cockpit", false);
        const struct domain_devices *devices = &def->devices;
        const struct domain_disk *volume = domain_def_find_disk(def, "vdb");

        ck_assert_uint_eq(def->os.n_boot, 2);
        ck_assert(def->memory_backing.has_hugepages);
        ck_assert_int_eq(volume->source.type, DOMAIN_STORAGE_VOLUME);
        ck_assert_str_eq(volume->source.pool, "default");
        ck_assert_str_eq(volume->source.volume, "data.img");
        ck_assert(volume->shareable);
        ck_assert_str_eq(devices->interfaces[0].source_mode, "bridge");
        ck_assert_int_eq(devices->graphics[1].listens[0].type, DOMAIN_LISTEN_SOCKET);
        ck_assert_str_eq(devices->graphics[1].listens[0].socket, "/run/fedora-vnc.sock");
        /* What the page appends goes where it belongs. */
        ck_assert(strstr(def->base.xml, "<memoryBacking>") < strstr(def->base.xml, "<vcpu"));
        ck_assert(strstr(def->base.xml, "dev='vdb'") < strstr(def->base.xml, "<controller"));
}
END_TEST

/* ---- texts ---- */

START_TEST(test_order)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("shuffled", false);
        g_autofree char *expected = read_document("ordered");

        ck_assert_str_eq(def->base.xml, expected);
        ck_assert_int_eq(def->id, 3);
}
END_TEST

START_TEST(test_round_trip)
{
        static const char *const names[] = { "virt-install", "virt-manager", "shuffled", "cockpit" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                CLEANUP(domain_def_unref) struct domain_def *def = load(names[i], i < 2);
                g_autoptr(GError) error = NULL;
                CLEANUP(domain_def_unref)
                struct domain_def *again = domain_def_parse_stored(def->base.xml, &error);

                ck_assert_msg(again, "%s: %s", names[i], error ? error->message : "");
                ck_assert_str_eq(again->base.xml, def->base.xml);
                ck_assert_uint_eq(again->unsupported.count, def->unsupported.count);
        }
}
END_TEST

START_TEST(test_units)
{
        static const struct {
                const char *in;
                const char *out;
        } rows[] = {
                { "<memory unit='b'>1025</memory>", "<memory unit='KiB'>2</memory>" },
                { "<memory unit='MB'>1</memory>", "<memory unit='KiB'>977</memory>" },
                { "<memory unit='TiB'>1</memory>", "<memory unit='KiB'>1073741824</memory>" },
                { "<memory>\n 64\n</memory>", "<memory unit='KiB'>64</memory>" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *xml =
                        g_strdup_printf("<domain type='test'><name>d</name><uuid>" UUID "</uuid>"
                                        "<os><type>hvm</type></os>%s</domain>",
                                        rows[i].in);
                g_autoptr(GError) error = NULL;
                CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(xml, &error);

                ck_assert_msg(def, "%s: %s", rows[i].in, error ? error->message : "");
                ck_assert_msg(strstr(def->base.xml, rows[i].out), "%s", def->base.xml);
                ck_assert_uint_eq(def->current_memory_kib, def->memory_kib);
        }
}
END_TEST

START_TEST(test_cpusets)
{
        static const struct {
                const char *in, *out;
        } rows[] = {
                { "0", "0" },
                { "63", "63" },
                { "64", "64" },
                { "63-64", "63-64" },
                { "0-63", "0-63" },
                { "0-16383", "0-16383" },
                { "16383,0", "0,16383" },
                { "1,2,3, 5", "1-3,5" },
                { "0-200,^64-127", "0-63,128-200" },
                { "0-10,^3,^5-6,4", "0-2,4,7-10" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *vcpu = g_strdup_printf("<vcpu cpuset='%s'>1</vcpu>", rows[i].in);
                g_autofree char *expected = g_strdup_printf("<vcpu cpuset='%s'>1</vcpu>", rows[i].out);
                g_autoptr(GError) error = NULL;
                CLEANUP(domain_def_unref) struct domain_def *def = parse_with(vcpu, "", &error);

                ck_assert_msg(def, "%s: %s", rows[i].in, error ? error->message : "");
                ck_assert_msg(strstr(def->base.xml, expected), "%s: %s", rows[i].in, def->base.xml);
        }
}
END_TEST

START_TEST(test_secrets)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("virt-manager", true);
        CLEANUP(domain_def_unref) struct domain_def *open = load("cockpit", false);
        CLEANUP(domain_def_unref) struct domain_def *web = NULL;

        ck_assert_ptr_nonnull(strstr(def->base.xml, "passwd='s3cret'"));
        ck_assert_ptr_nonnull(def->base.xml_public);
        ck_assert_ptr_null(strstr(def->base.xml_public, "s3cret"));
        ck_assert_ptr_null(strstr(def->base.xml_public, "passwd="));
        ck_assert_ptr_nonnull(strstr(def->base.xml_public, "type='vnc'"));
        ck_assert_ptr_null(open->base.xml_public);
        ck_assert_ptr_eq(definition_get_public_xml(&open->base), open->base.xml);

        web = parse_with(
                "",
                "<disk type='network'><source protocol='https' name='x'><cookies><cookie name='id'>s3cret"
                "</cookie></cookies></source><target dev='vda' bus='virtio'/></disk>",
                NULL);
        ck_assert_ptr_nonnull(web);
        ck_assert_ptr_nonnull(strstr(web->base.xml, "s3cret"));
        ck_assert_ptr_null(strstr(web->base.xml_public, "s3cret"));
}
END_TEST

START_TEST(test_size)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load("virt-install", true);

        /* The bounds that the memory of a thousand domains is made of. */
        ck_assert_uint_le(domain_arena_get_size(def->arena), 8 * 1024);
        ck_assert_uint_le(sizeof(*def), 1536);
}
END_TEST

/* Units of sizes are written, so it grows: what could not be read again is refused by name. */
START_TEST(test_growth)
{
        g_autofree char *small = g_strnfill(XML_BYTES_MAX - 4096, 'x'), *xml = NULL, *large = NULL,
                        *head = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL, *none = NULL;
        g_autoptr(GError) error = NULL;

        xml = g_strconcat("<description>", small, "</description>", NULL);
        def = parse_with(xml, "", NULL);
        ck_assert_ptr_nonnull(def);
        head = g_strndup(def->base.xml, strlen(def->base.xml) - strlen(small));
        large = g_strnfill(XML_BYTES_MAX - strlen(head), 'x');
        g_free(xml);
        xml = g_strconcat("<description>", large, "x</description>", NULL);
        none = parse_with(xml, "", &error);
        ck_assert_ptr_null(none);
        ck_assert_msg(g_str_has_prefix(error->message,
                                       "unsupported configuration: domain 'd': with what completes "
                                       "it, its document has "),
                      "%s", error->message);
}
END_TEST

/* ---- what is kept and remarked upon ---- */

static bool has_remark(const struct domain_remarks *remarks, const char *text)
{
        for (unsigned i = 0; i < remarks->count; i++) {
                if (strcmp(remarks->texts[i], text) == 0)
                        return true;
        }
        return false;
}

START_TEST(test_undriven)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref)
        struct domain_def *def = parse_with(
                "<namespace><sharenet type='name' value='a'/></namespace>",
                "<lease><lockspace>a</lockspace><key>b</key><target path='/c'/></lease>"
                "<disk type='block' device='lun' sgio='filtered'><target dev='sda' bus='scsi'/></disk>",
                &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        ck_assert_uint_eq(def->unsupported.count, 3);
        ck_assert(has_remark(&def->unsupported, "<namespace>"));
        ck_assert(has_remark(&def->unsupported, "<lease>"));
        ck_assert(has_remark(&def->unsupported, "attribute 'sgio' of <disk> 'sda'"));
        ck_assert_ptr_nonnull(strstr(def->base.xml, "<sharenet type='name' value='a'/>"));
        ck_assert_ptr_nonnull(strstr(def->base.xml, "sgio='filtered'"));

        ck_assert(domain_def_validate_schema(def, NULL));
        ck_assert(!domain_def_require_supported(def, &error));
        ck_assert_int_eq(error_get_code(error), ERROR_CONFIG_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(error->message, "<namespace>"));
}
END_TEST

START_TEST(test_tuning)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref)
        struct domain_def *def = parse_with(
                "<iothreads>2</iothreads>"
                "<iothreadids><iothread id='7' thread_pool_min='1' thread_pool_max='9'/></iothreadids>"
                "<defaultiothread thread_pool_max='4'/>"
                "<cputune><shares>2048</shares><period>1000000</period><quota>-1</quota>"
                "<iothread_quota>5000</iothread_quota><emulatorsched scheduler='idle'/>"
                "<vcpusched vcpus='0' scheduler='fifo' priority='3'/>"
                "<cachetune vcpus='0'><cache id='1' level='3' type='code' size='3' unit='MiB'/>"
                "<monitor level='3' vcpus='0'/></cachetune>"
                "<memorytune vcpus='0'><node id='1' bandwidth='60'/></memorytune></cputune>"
                "<memtune><hard_limit unit='MiB'>9</hard_limit><soft_limit>8</soft_limit>"
                "<swap_hard_limit unit='GiB'>1</swap_hard_limit></memtune>"
                "<blkiotune><weight>800</weight><device><path>/dev/sda</path><weight>500</weight>"
                "<read_bytes_sec>10000</read_bytes_sec><write_iops_sec>20</write_iops_sec></device>"
                "</blkiotune>",
                "", &error);
        const struct domain_cputune *tune;

        ck_assert_msg(def, "%s", error ? error->message : "");
        ck_assert_uint_eq(def->unsupported.count, 0);
        ck_assert_int_eq(def->default_pool.min, -1);
        ck_assert_int_eq(def->default_pool.max, 4);
        ck_assert_uint_eq(def->iothread_list[0].id, 7);
        ck_assert_int_eq(def->iothread_list[0].pool.min, 1);
        ck_assert_int_eq(def->iothread_list[1].pool.max, -1);
        tune = &def->cputune;
        ck_assert_uint_eq(tune->shares, 2048);
        ck_assert_uint_eq(tune->quotas[DOMAIN_QUOTA_VCPU].period_us, 1000000);
        ck_assert_int_eq(tune->quotas[DOMAIN_QUOTA_VCPU].quota_us, -1);
        ck_assert_int_eq(tune->quotas[DOMAIN_QUOTA_IOTHREAD].quota_us, 5000);
        ck_assert_str_eq(tune->emulator_scheduler.policy, "idle");
        ck_assert_int_eq(tune->emulator_scheduler.priority, -1);
        ck_assert_str_eq(tune->vcpu_schedulers[0].policy, "fifo");
        ck_assert_int_eq(tune->vcpu_schedulers[0].priority, 3);
        ck_assert_uint_eq(tune->cachetunes[0].caches[0].size_kib, 3072);
        ck_assert_uint_eq(tune->cachetunes[0].monitors[0].level, 3);
        ck_assert_uint_eq(tune->memorytunes[0].bandwidths[0].percent, 60);
        ck_assert_uint_eq(def->memtune.hard_limit_kib, 9216);
        ck_assert_uint_eq(def->memtune.swap_hard_limit_kib, 1048576);
        ck_assert_uint_eq(def->blkiotune.weight, 800);
        ck_assert_str_eq(def->blkiotune.devices[0].path, "/dev/sda");
        ck_assert_uint_eq(def->blkiotune.devices[0].write_iops_sec, 20);
}
END_TEST

/* What asks the host for a privilege or a promise that we do not keep must never look as if it were kept. */
START_TEST(test_privileges)
{
        static const struct {
                const char *device, *remark;
        } asks[] = {
                { "<disk type='block' device='lun' sgio='filtered'><target dev='sda' bus='scsi'/></disk>",
                  "attribute 'sgio' of <disk> 'sda'" },
                { "<hostdev mode='subsystem' type='scsi' sgio='filtered'><source><adapter name='scsi_host0'/>"
                  "<address bus='0' target='0' unit='0'/></source></hostdev>",
                  "attribute 'sgio' of <hostdev>" },
                { "<lease><key>a</key><target path='/x'/></lease>", "<lease>" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(asks); i++) {
                g_autoptr(GError) error = NULL;
                CLEANUP(domain_def_unref)
                struct domain_def *def = parse_with("", asks[i].device, &error);

                ck_assert_msg(def, "%s: %s", asks[i].device, error ? error->message : "");
                ck_assert_msg(has_remark(&def->unsupported, asks[i].remark), "%s", asks[i].device);
        }
}
END_TEST

START_TEST(test_unknown)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref)
        struct domain_def *def =
                parse_with("<frobnicate level='9'><deep/></frobnicate><vcpu>1</vcpu><vcpu>2</vcpu>"
                           "<metadata><x:anything xmlns:x='u'><frob/></x:anything></metadata>",
                           "<disk type='file' colour='red'><target dev='vda'/></disk><warpdrive/>", &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        ck_assert_uint_eq(def->max_vcpus, 1);
        ck_assert_uint_eq(def->unknown.count, 4);
        ck_assert(has_remark(&def->unknown, "<frobnicate>"));
        ck_assert(has_remark(&def->unknown, "<warpdrive>"));
        ck_assert(has_remark(&def->unknown, "attribute 'colour' of <disk> 'vda'"));
        ck_assert(has_remark(&def->unknown, "a second <vcpu>"));
        ck_assert_uint_eq(def->unsupported.count, 0);
        ck_assert_ptr_nonnull(strstr(def->base.xml, "<deep/>"));

        ck_assert(!domain_def_validate_schema(def, &error));
        ck_assert_int_eq(error_get_code(error), ERROR_XML_INVALID_SCHEMA);
        g_clear_error(&error);
        ck_assert(!domain_def_require_supported(def, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "<frobnicate>"));
}
END_TEST

START_TEST(test_qemu_commandline)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref)
        struct domain_def *def = parse_with(
                "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-S'/>"
                "<q:env name='A' value='1'/><q:arg value=''/><q:env name='B'/></q:commandline>"
                "<commandline/>",
                "", &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        ck_assert_uint_eq(def->qemu.n_args, 2);
        ck_assert_str_eq(def->qemu.args[0], "-S");
        ck_assert_str_eq(def->qemu.args[1], "");
        ck_assert_ptr_null(def->qemu.args[2]);
        ck_assert_uint_eq(def->qemu.n_env, 2);
        ck_assert_str_eq(def->qemu.env[0].value, "1");
        ck_assert_ptr_null(def->qemu.env[1].value);
        /* Only in its namespace it is QEMU's. */
        ck_assert_uint_eq(def->unknown.count, 1);
}
END_TEST

START_TEST(test_foreign_nodes)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref)
        struct domain_def *def =
                parse_with("<!-- one --><description>a<!-- b -->c<![CDATA[<d>]]></description>",
                           "stray<disk>text<target dev='vda' x:dev='vdb' xmlns:x='u'/></disk>", &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        ck_assert_str_eq(def->description, "ac<d>");
        ck_assert_str_eq(def->devices.disks[0].target, "vda");
        ck_assert_uint_eq(def->unknown.count, 1);
}
END_TEST

/* ---- documents before they are finished ---- */

START_TEST(test_peek)
{
        g_autofree char *text = read_document("virt-install");
        CLEANUP(domain_doc_free) struct domain_doc *doc = domain_doc_parse(text, NULL);
        CLEANUP(domain_doc_free)
        struct domain_doc *bare = domain_doc_parse("<domain><os><type/></os></domain>", NULL);

        ck_assert_str_eq(domain_doc_get_type(doc), "kvm");
        ck_assert_str_eq(domain_doc_get_os_type(doc), "hvm");
        ck_assert_str_eq(domain_doc_get_arch(doc), "x86_64");
        ck_assert_str_eq(domain_doc_get_machine(doc), "q35");
        ck_assert_str_eq(domain_doc_get_emulator(doc), "/usr/bin/qemu-system-x86_64");
        ck_assert_ptr_null(domain_doc_get_type(bare));
        ck_assert_ptr_null(domain_doc_get_os_type(bare));
        ck_assert_ptr_null(domain_doc_get_machine(bare));
        ck_assert_ptr_null(domain_doc_get_emulator(bare));
        ck_assert_ptr_null(domain_doc_parse("<domain>", NULL));
}
END_TEST

START_TEST(test_names)
{
        ck_assert_str_eq(domain_bus_get_name(DOMAIN_BUS_SD), "sd");
        ck_assert_str_eq(domain_disk_device_get_name(DOMAIN_DISK_LUN), "lun");
        ck_assert_str_eq(domain_controller_type_get_name(DOMAIN_CONTROLLER_VIRTIO_SERIAL), "virtio-serial");
        ck_assert_str_eq(domain_interface_type_get_name(DOMAIN_INTERFACE_VDS), "vds");
        ck_assert_str_eq(domain_char_kind_get_name(DOMAIN_CHAR_CHANNEL), "channel");
        ck_assert_str_eq(domain_char_type_get_name(DOMAIN_CHAR_SPICEPORT), "spiceport");
        ck_assert_str_eq(domain_graphics_type_get_name(DOMAIN_GRAPHICS_DBUS), "dbus");
        ck_assert_str_eq(domain_timer_get_name(DOMAIN_TIMER_ARMVTIMER), "armvtimer");
        ck_assert_str_eq(domain_hostdev_type_get_name(DOMAIN_HOSTDEV_NET), "net");
}
END_TEST

/* Pages of the size that all memory has are no huge ones. */
START_TEST(test_hugepages)
{
        static const struct {
                const char *pages;
                int cell;
                bool huge;
                uint64_t kib;
        } rows[] = {
                { "", -1, true, 0 },
                { "<page size='2048'/>", -1, true, 2048 },
                { "<page size='%ld' unit='b'/>", -1, false, 0 },
                { "<page size='2048' nodeset='0'/>", -1, true, 2048 },
                { "<page size='2048' nodeset='1'/>", 0, false, 0 },
                { "<page size='1' unit='GiB' nodeset='1'/><page size='2048'/>", 1, true, 1048576 },
                { "<page size='1' unit='GiB' nodeset='1'/><page size='2048'/>", 0, true, 2048 },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *page = g_strdup_printf("%ld", sysconf(_SC_PAGESIZE));
                g_auto(GStrv) parts = g_strsplit(rows[i].pages, "%ld", -1);
                g_autofree char *pages = g_strjoinv(page, parts);
                g_autofree char *xml = g_strdup_printf(
                        "<domain type='kvm'><name>d</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
                        "<memory>1024</memory><memoryBacking><hugepages>%s</hugepages></memoryBacking>"
                        "<os><type>hvm</type></os></domain>",
                        pages);
                CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(xml, NULL);
                uint64_t kib;

                ck_assert_ptr_nonnull(def);
                ck_assert_int_eq(domain_def_get_hugepage(def, rows[i].cell, &kib), rows[i].huge);
                if (rows[i].huge)
                        ck_assert_uint_eq(kib, rows[i].kib);
        }
}
END_TEST

CHECK_MAIN("domain-definition", test_hugepages, test_virt_install, test_virt_manager_domain,
           test_virt_manager_machine, test_virt_manager_disks, test_virt_manager_devices, test_cockpit,
           test_order, test_round_trip, test_units, test_cpusets, test_secrets, test_size, test_growth,
           test_undriven, test_tuning, test_privileges, test_unknown, test_qemu_commandline,
           test_foreign_nodes, test_peek, test_names)
