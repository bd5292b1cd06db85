/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/check-scope: a setting on a device of another kind is refused by name, on its own kind
 * taken.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "tests/unit/check-main.h"
#include "tests/unit/domain-machine.h"

#include <string.h>

#define DISK(kind, driver, target, below)                                                                    \
        "<disk type='file' " kind "><driver " driver "/><source file='/x'/><target " target "/>" below       \
        "</disk>"
#define NET(model, below)   "<interface type='user'>" below "<model type='" model "'/></interface>"
#define SATA(driver, below) "<controller type='sata'><driver " driver ">" below "</driver></controller>"
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
        { "", PORT("pcie-root-port", "chassisNr='1'"), "pci controller 1 has <target chassisNr=>" },
        { "", PORT("pcie-expander-bus", "port='1'"), "pci controller 1 has <target port=>" },
        { "", PORT("pcie-expander-bus", "hotplug='off'"), "pci controller 1 has <target hotplug=>" },
        { "", PORT("pcie-root-port", "index='1'"), "pci controller 1 has <target index=>" },
        { "<vcpu>2</vcpu><cpu><numa><cell id='0' cpus='0-1' memory='65536'/></numa></cpu>",
          "<controller type='pci' index='1' "
          "model='pcie-root-port'><target><node>0</node></target></controller>",
          "pci controller 1 has <target><node>" },
        { "", SATA("cmd_per_lun='3'", ""), "sata controller 0 has <driver cmd_per_lun=>" },
        { "", SATA("ioeventfd='on'", ""), "sata controller 0 has <driver ioeventfd=>" },
        { "<iothreads>1</iothreads>", SATA("iothread='1'", ""), "sata controller 0 has <driver iothread=>" },
        { "<iothreads>1</iothreads>", SATA("", "<iothreads><iothread id='1'/></iothreads>"),
          "sata controller 0 has <iothreads>" },
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
        { "", VIDEO("type='vga' vram64='65536'", ""), "model 'vga' has vram64" },
        { "", VIDEO("type='vga' vgamem='16384'", ""), "model 'vga' has vgamem" },
        { "", VIDEO("type='vga'", "<acceleration accel3d='yes'/>"), "model 'vga' has <acceleration" },
        { "", AUDIO("<output><settings channels='2'/></output>"),
          "<output> of <audio id='1'> has <settings>" },
        { "", AUDIO("<output fixedSettings='yes'><settings channels='2'/></output>"), NULL },
        { "", AUDIO("<output fixedSettings='yes' mixingEngine='no'><settings channels='2'/></output>"),
          "fixedSettings='yes', which is for mixingEngine='yes'" },
        { "", "<interface type='user'><target dev='tap0' managed='no'/></interface>",
          "has <target managed='no'>, which is for interfaces of type 'ethernet'" },
        { "", "<interface type='ethernet'><target dev='tap0' managed='no'/></interface>", NULL },
        { "<os><firmware><feature enabled='yes' name='secure-boot'/></firmware></os>", "",
          "<os> has a <firmware>" },
        { "", SERIAL("connect", "enabled='yes' timeout='3'"), NULL },
        { "", SERIAL("bind", "enabled='no'"), NULL },
        { "", SERIAL("bind", "enabled='yes' timeout='3'"), "a character device has <reconnect>" },
        { "", SERIAL("connect", "enabled='yes'"), "which is for those with a timeout" },
        { "<cpu mode='host-model' migratable='on'/>", "", "<cpu> has migratable=" },
};

static const struct domain_machine q35 = { DOMAIN_MACHINE_Q35, .net_model = "e1000e" };

START_TEST(test_scope)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *text = g_strdup_printf(
                        "<domain type='qemu'><name>x</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
                        "<memory>65536</memory><os><type>hvm</type></os><features><acpi/></features>%s"
                        "<devices>%s</devices></domain>",
                        rows[i].top, rows[i].devices);

                check_text(text, &q35, rows[i].part);
        }
}
END_TEST

CHECK_MAIN("domain-scope", test_scope)
