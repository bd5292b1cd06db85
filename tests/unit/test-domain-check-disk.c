/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/check-disk and check-iothread: disks whose parts do not go together.
 */
#include "tests/unit/check-main.h"
#include "tests/unit/domain-machine.h"

static const struct row {
        const char *top;
        const char *devices;
        const char *part; /* of the error */
} refused[] = {
#define NVME(device, rest)                                                                                   \
        "<disk type='nvme' device='" device "'><source type='pci' namespace='1'><address bus='1' slot='0' "  \
        "function='0'/></source><target dev='sda' bus='scsi'/>" rest "</disk>"
        { "", NVME("cdrom", ""),
          "disk 'sda' is of type 'nvme', and there are none other than device='disk'" },
        { "", NVME("disk", "<driver type='qcow2'/>"), "none with another format than 'raw'" },
        { "", NVME("disk", "<shareable/>"), "none that are <shareable/>" },
        { "", NVME("disk", "<transient/>"), "none that are <transient/>" },
        { "",
          "<disk type='file'><source file='/x'/><backingStore type='nvme'><format type='raw'/><source "
          "type='pci' "
          "namespace='1'><address bus='1' slot='0' function='0'/></source></backingStore>"
          "<driver type='qcow2'/><target dev='vda' bus='virtio'/></disk>",
          "none as a backing file" },
        { "", "<disk type='vhostvdpa'><source dev='/x'/><target dev='vda' bus='virtio'/></disk>",
          "needs cache='none' or 'directsync', and it has 'default'" },
#define RESERVED(disk, source)                                                                               \
        "<disk " disk source "</reservations></source><target dev='sda' bus='scsi'/></disk>"
        { "", RESERVED("type='block' device='disk'>", "<source dev='/dev/x'><reservations managed='yes'>"),
          "for the source of a device='lun'" },
        { "",
          RESERVED("type='network' device='lun'>",
                   "<source protocol='iscsi' name='iqn.2026-01.x:y/1'><host name='h'/><reservations "
                   "managed='yes'>"),
          "for sources of type 'block'" },
        { "", RESERVED("type='block' device='lun'>", "<source dev='/dev/x'><reservations managed='no'>"),
          "need the socket of a helper" },
#define MAPPED(driver, map)                                                                                  \
        "<iothreads>2</iothreads>",                                                                          \
                "<disk type='file'><driver " driver "><iothreads>" map "</iothreads></driver>"               \
                "<source file='/x'/><target dev='vda' bus='virtio'/></disk>"
        { MAPPED("iothread='1'", "<iothread id='2'/>"), "has both an iothread and <iothreads>" },
        { MAPPED("", "<iothread id='3'/>"), "I/O thread 3, which the domain does not have: it has 1, 2" },
        { MAPPED("", "<iothread id='1'/><iothread id='1'/>"), "name I/O thread 1 twice" },
        { MAPPED("", "<iothread id='1'><queue id='0'/></iothread>"), "does not say how many" },
        { MAPPED("queues='2'", "<iothread id='1'><queue id='0'/></iothread><iothread id='2'/>"),
          "none for 2: name them for all or for none" },
        { MAPPED("queues='2'", "<iothread id='1'><queue id='0'/><queue id='2'/></iothread>"),
          "name queue 2, and it has 0-1" },
        { MAPPED("queues='2'", "<iothread id='1'><queue id='0'/><queue id='0'/></iothread>"),
          "name queue 0 twice" },
        { MAPPED("queues='2'", "<iothread id='1'><queue id='0'/></iothread>"), "name 1 of its 2 queues" },
        { "<iothreads>1</iothreads>",
          "<disk type='file'><driver><iothreads><iothread id='1'/></iothreads></driver>"
          "<source file='/x'/><target dev='sda' bus='scsi'/></disk>",
          "use the <iothreads> of their controller" },
        { "<iothreads>1</iothreads>",
          "<controller type='scsi' model='lsilogic'><driver><iothreads><iothread "
          "id='1'/></iothreads></driver>"
          "</controller>",
          "has no I/O thread" },
        { "<iothreads>1</iothreads>",
          "<controller type='scsi' model='virtio-scsi'><driver><iothreads><iothread id='4'/></iothreads>"
          "</driver></controller>",
          "scsi controller 0 asks for I/O thread 4" },
        { "",
          "<controller type='pci' index='1' model='dmi-to-pci-bridge'><target memReserve='8'/></controller>",
          "controller 1 of model 'dmi-to-pci-bridge' reserves no memory" },
#define DATA_STORE(type, source, store)                                                                      \
        "<disk " source "<dataStore type='" store "/></dataStore></source><target dev='vda' "                \
        "bus='virtio'/><driver type='" type "'/></disk>"
        { "", DATA_STORE("raw", "type='file'><source file='/x'>", "file'><source file='/d'"),
          "for images of format 'qcow2'" },
        { "", DATA_STORE("qcow2", "type='dir'><source dir='/x'>", "file'><source file='/d'"),
          "for sources of type 'file', 'block'" },
        { "", DATA_STORE("qcow2", "type='file'><source file='/x'>", "network'><source protocol='nbd'"),
          "has to be of type 'file' or 'block'" },
        { "", DATA_STORE("qcow2", "type='file'><source file='/x'>", "file'><source"),
          "with a <source> that names it" },
        { "",
          DATA_STORE("qcow2", "type='file'><source file='/x'>",
                     "file'><format type='qcow2'/><source file='/d'"),
          "has format 'qcow2'" },
        { "",
          "<disk type='block' device='lun'><source dev='/x'/><target dev='sda' "
          "bus='scsi'/><transient/></disk>",
          "use device='disk'" },
        { "", "<disk type='file' device='lun'><source file='/x'/><target dev='sda' bus='scsi'/></disk>",
          "disk 'sda' of device='lun'" },
        { "", "<disk type='block' device='lun'><source dev='/dev/x'/><target dev='sda' bus='sata'/></disk>",
          "must be on bus 'scsi' or 'virtio', not 'sata'" },
        { "",
          "<disk type='block' device='lun'><source dev='/dev/x'/><target dev='sda' "
          "bus='scsi'/><serial>x</serial></disk>",
          "cannot have others" },
        { "",
          "<disk type='file'><driver name='qemu' type='qcow2'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/><shareable/></disk>",
          "which images of format 'qcow2' are not" },
        { "",
          "<disk type='file'><driver name='qemu' copy_on_read='on'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/><readonly/></disk>",
          "copy_on_read='on' writes" },
        { "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='sda' "
          "bus='sata'/><readonly/></disk>",
          "cannot be read-only" },
        { "", "<disk device='cdrom'><target dev='vda' bus='virtio'/></disk>",
          "is a CD drive, which cannot be on bus 'virtio'" },
        { "", "<disk device='floppy'><target dev='sda' bus='sata'/></disk>",
          "is a floppy, which is on bus 'fdc'" },
        { "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/><iotune><total_bytes_sec>9</total_bytes_sec><read_bytes_sec>9</read_bytes_sec></"
          "iotune></disk>",
          "both total_bytes_sec and read_bytes_sec" },
        { "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/><iotune><total_iops_sec_max>9</total_iops_sec_max><write_iops_sec_max>9</"
          "write_iops_sec_max></iotune></disk>",
          "both total_iops_sec_max and write_iops_sec_max" },
};

static const struct domain_machine q35 = { DOMAIN_MACHINE_Q35, .net_model = "e1000e" };

START_TEST(test_refused)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autofree char *text = g_strdup_printf(
                        "<domain type='qemu'><name>x</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
                        "<memory>65536</memory><vcpu>4</vcpu><os><type machine='q35'>hvm</type></os>"
                        "<features><acpi/></features>%s<devices>%s</devices></domain>",
                        refused[i].top, refused[i].devices);

                check_text(text, &q35, refused[i].part);
        }
}
END_TEST

CHECK_MAIN("domain-check-disk", test_refused)
