/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/check-scope: a setting on a device of another kind is refused by name, on its own kind
 * taken.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "tests/unit/check-main.h"

#include <string.h>

#define DISK(kind, driver, target, below)                                                                    \
        "<disk type='file' " kind "><driver " driver "/><source file='/x'/><target " target "/>" below       \
        "</disk>"
#define NET(model, below) "<interface type='user'>" below "<model type='" model "'/></interface>"
#define PORT(model, target)                                                                                  \
        "<controller type='pci' index='1' model='" model "'><target " target "/></controller>"
#define VIDEO(attributes, below) "<video><model " attributes ">" below "</model></video>"
#define SERIAL(mode, reconnect)                                                                              \
        "<serial type='tcp'><source mode='" mode "' host='h' service='1'><reconnect " reconnect              \
        "/></source></serial>"
#define AUDIO(output) "<audio id='1' type='none'>" output "</audio>"

static const struct {
        const char *top, *devices;
        const char *part; /* of the error; NULL: taken */
} rows[] = {
        { "", DISK("", "iommu='on'", "dev='sda' bus='sata'", ""), "disk 'sda' has a <driver> with iommu" },
        { "", DISK("", "iommu='on'", "dev='vda' bus='virtio'", ""), NULL },
        { "", DISK("", "", "dev='sda' bus='sata'", "<acpi index='3'/>"), "disk 'sda' has an <acpi index=>" },
        { "", DISK("", "", "dev='vda' bus='virtio'", "<acpi index='3'/>"), NULL },
        { "", DISK("", "", "dev='vda' bus='virtio' tray='open'", ""), "disk 'vda' has tray='open'" },
        { "", DISK("device='cdrom'", "", "dev='sda' bus='sata' tray='open'", ""), NULL },
        { "", DISK("model='virtio'", "", "dev='sda' bus='scsi'", ""), "disk 'sda' has a model" },
        { "", "<controller type='sata'><driver queues='3'/></controller>",
          "sata controller 0 has <driver queues=>" },
        { "", "<controller type='scsi' model='lsilogic'><driver max_sectors='3'/></controller>",
          "scsi controller 0 has <driver max_sectors=>" },
        { "", "<controller type='scsi' model='virtio-scsi'><driver queues='3' ioeventfd='on'/></controller>",
          NULL },
        { "", PORT("pcie-root-port", "busNr='9'"), "pci controller 1 has <target busNr=>" },
        { "", PORT("pcie-root-port", "hotplug='off'"), NULL },
        { "", PORT("pcie-expander-bus", "chassis='1'"), "pci controller 1 has <target chassis=>" },
        { "", NET("e1000e", "<driver packed='on'/>"), "model 'e1000e' has a <driver> with iommu" },
        { "", NET("virtio", "<driver packed='on'/>"), NULL },
        { "", NET("virtio", "<port isolated='yes'/>"),
          "type 'user' and model 'virtio' has <port isolated='yes'>" },
        { "", NET("e1000e", "<teaming type='persistent'/>"), "has <teaming type='persistent'>" },
        { "", "<input type='tablet' bus='usb' model='virtio'/>", "'tablet' on bus 'usb' has a model" },
        { "", VIDEO("type='vga' heads='2'", ""), "model 'vga' has more than one of heads" },
        { "", VIDEO("type='vga' heads='1'", ""), NULL },
        { "", VIDEO("type='virtio' heads='2'", "<acceleration accel3d='yes'/>"), NULL },
        { "", VIDEO("type='qxl' ram='65536' vgamem='16384'", ""), NULL },
        { "", VIDEO("type='vga' ram='65536'", ""), "model 'vga' has ram" },
        { "", AUDIO("<output><settings channels='2'/></output>"),
          "<output> of <audio id='1'> has <settings>" },
        { "", AUDIO("<output fixedSettings='yes'><settings channels='2'/></output>"), NULL },
        { "", SERIAL("connect", "enabled='yes' timeout='3'"), NULL },
        { "", SERIAL("bind", "enabled='no'"), NULL },
        { "", SERIAL("bind", "enabled='yes' timeout='3'"), "a character device has <reconnect>" },
        { "", SERIAL("connect", "enabled='yes'"), "which is for those with a timeout" },
        { "<cpu mode='host-model' migratable='on'/>", "", "<cpu> has migratable=" },
};

static struct domain_def *define(const char *text, GError **error)
{
        const struct domain_machine machine = {
                .type = "qemu",
                .arch = "x86_64",
                .machine = "pc-q35-7.2",
                .emulator = "/usr/bin/qemu-system-x86_64",
                .max_vcpus = 288,
                .pcie_root = true,
                .isa = true,
                .ps2 = true,
                .acpi = true,
                .assign_addresses = true,
                .usb_model = "qemu-xhci",
                .net_model = "e1000e",
                .video_model = "vga",
                .cpu_model = "qemu64",
        };
        struct domain_doc *doc = domain_doc_parse(text, error);

        return doc ? domain_doc_finish(doc, &machine, error) : NULL;
}

START_TEST(test_scope)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GError) error = NULL;
                g_autofree char *text = g_strdup_printf(
                        "<domain type='qemu'><name>x</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
                        "<memory>65536</memory><os><type>hvm</type></os><features><acpi/></features>%s"
                        "<devices>%s</devices></domain>",
                        rows[i].top, rows[i].devices);
                CLEANUP(domain_def_unref) struct domain_def *def = define(text, &error), *stored = NULL;

                ck_assert_msg(!def == !!rows[i].part, "%s: %s", text, error ? error->message : "taken");
                if (rows[i].part)
                        ck_assert_msg(strstr(error->message, rows[i].part) != NULL, "'%s' is not in: %s",
                                      rows[i].part, error->message);
                /* What an earlier agent took still loads. */
                stored = domain_def_parse_stored(text, NULL);
                ck_assert_msg(stored != NULL, "does not load: %s", text);
        }
}
END_TEST

CHECK_MAIN("domain-scope", test_scope)
