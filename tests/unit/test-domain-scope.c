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
#define UUID "2a6ba5b4-2d9f-4d2c-b7bb-6f4a2c5b7f11"
#define MORE "<maxMemory slots='2' unit='KiB'>2097152</maxMemory>"
#define DIMM(model, uuid, target)                                                                            \
        "<memory model='" model "'>" uuid "<target " target "><size>131072</size></target></memory>"
#define IOMMU(model, driver) "<iommu model='" model "'><driver " driver "/></iommu>"
#define GROUPS                                                                                               \
        "<throttlegroups><throttlegroup><total_bytes_sec>1000</total_bytes_sec><group_name>slow</"           \
        "group_name>"                                                                                        \
        "</throttlegroup><throttlegroup><group_name>few</group_name><read_iops_sec>7</read_iops_sec>"        \
        "</throttlegroup><throttlegroup><read_iops_sec>7</read_iops_sec><group_name>wrong</group_name>"      \
        "<total_iops_sec>7</total_iops_sec></throttlegroup></throttlegroups>"
#define GROUPED(target, n, group)                                                                            \
        DISK("", "", "dev='" target "' bus='virtio'",                                                        \
             "<iotune><read_iops_sec>" n "</read_iops_sec><group_name>" group "</group_name></iotune>")
#define BEHIND(group) "<throttlefilter group='" group "'/>"
#define FILTER(group) "<throttlefilters>" BEHIND(group) "</throttlefilters>"
#define EIGHT(it)     it it it it it it it it
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
        { "", VIDEO("type='cirrus' edid='on'", ""), "model 'cirrus' has edid" },
        { "", VIDEO("type='virtio' edid='off'", ""), NULL },
        { "", "<graphics type='vnc' wait='yes'/>",
          "wait='yes' of <graphics type='vnc'>: QEMU does not wait" },
        { "", "<graphics type='vnc' wait='no'/>", NULL },
        { "", "<sound model='ich9' streams='2'/>", "model 'ich9' has streams=" },
        { "", "<sound model='virtio' streams='2'/>", NULL },
        { MORE, DIMM("dimm", "<uuid>" UUID "</uuid>", ""), "model 'dimm' has a <uuid>" },
        { MORE, DIMM("dimm", "", "dynamicMemslots='yes'"), "model 'dimm' has <target dynamicMemslots=>" },
        { "", IOMMU("amd", "intremap='off' iotlb='on' xtsup='off' passthrough='on'"), NULL },
        { "", IOMMU("amd", "eim='off'"), "model 'amd' has no eim= in its <driver>" },
        { "", IOMMU("amd", "aw_bits='48'"), "model 'amd' has no aw_bits= in its <driver>" },
        { "", IOMMU("intel", "xtsup='on'"), "model 'intel' has no xtsup= in its <driver>" },
        { "", IOMMU("virtio", "iotlb='on'"), "model 'virtio' has no iotlb= in its <driver>" },
        /* what virt-v2v says of the guest, and libvirt leaves out */
        { "", "<viosock model='virtio'/>", NULL },
        { "", DISK("", "", "dev='nvme0n1' bus='nvme'", "<iotune><read_iops_sec>5</read_iops_sec></iotune>"),
          NULL },
        { "", DISK("", "cache='none' io='native'", "dev='nvme0n1'", "<readonly/>"), NULL },
        { "", DISK("", "", "dev='nvme0n1' bus='nvme'", "<serial>A</serial>"),
          "disk 'nvme0n1' is on bus 'nvme': a <serial> is for disks on other buses" },
        { "", DISK("", "error_policy='stop'", "dev='nvme0n1' bus='nvme'", ""), "an error policy is for" },
        { "", DISK("", "queues='2'", "dev='nvme0n1' bus='nvme'", ""), "queues is for a virtio disk" },
        { "", DISK("", "", "dev='nvme0n1' bus='nvme'", "<wwn>5000000000000001</wwn>"), "a <wwn> is for" },
        { "", DISK("device='cdrom'", "", "dev='nvme0n1' bus='nvme'", ""),
          "is a CD drive, which cannot be on bus 'nvme'" },
        { "", DISK("", "", "dev='nvme0n1'", "<geometry cyls='1' heads='1' secs='1'/>"),
          "has a <geometry>, which is for" },
        { "", "<controller type='nvme'><serial>12345678901234567890</serial></controller>", NULL },
        { "", "<controller type='nvme'><driver iothread='1'/></controller>",
          "nvme controller 0 has <driver iothread=>" },
        { "", "<controller type='sata'><serial>A</serial></controller>", "<serial>" },
        { GROUPS, DISK("", "", "dev='vda' bus='virtio'", FILTER("slow")), NULL },
        { GROUPS,
          DISK("", "", "dev='vda' bus='virtio'",
               "<throttlefilters>" BEHIND("slow") BEHIND("few") "</throttlefilters>"),
          NULL },
        { GROUPS,
          DISK("", "", "dev='vda' bus='virtio'",
               "<throttlefilters>" BEHIND("slow") BEHIND("wrong") "</throttlefilters>"),
          "<throttlegroup> 'wrong', which disk 'vda' is behind, has both total_iops_sec and read_iops_sec" },
        { "",
          DISK("", "", "dev='vda' bus='virtio'",
               "<iotune><total_bytes_sec>1</total_bytes_sec><write_bytes_sec>1</write_bytes_sec></iotune>"),
          "<iotune> of disk 'vda' has both total_bytes_sec and write_bytes_sec" },
        { "", GROUPED("vda", "5", "g") GROUPED("vdb", "5", "g") GROUPED("vdc", "6", "h"), NULL },
        { "", GROUPED("vda", "5", "g") GROUPED("vdb", "6", "g"),
          "disks 'vda' and 'vdb' have <group_name> 'g' and other limits each" },
        { GROUPS, GROUPED("vda", "7", "few"), NULL },
        { GROUPS, GROUPED("vda", "8", "few"),
          "<iotune> of disk 'vda' has other limits than <throttlegroup> 'few'" },
};

/* What is refused before that, when the document is read. */
static const struct {
        const char *top, *devices, *part;
} unread[] = {
        { "", "<controller type='nvme'><serial>123456789012345678901</serial></controller>",
          "longer than 20 bytes" },
        { "", "<controller type='nvme' model='x'/>", "unknown value 'x' of attribute 'model'" },
        { GROUPS, DISK("", "", "dev='vda' bus='virtio'", FILTER("fast")),
          "has no <throttlegroup> of that name" },
        { "", DISK("", "", "dev='vda' bus='virtio'", FILTER("slow")), "has no <throttlegroup> of that name" },
        { GROUPS,
          DISK("", "", "dev='vda' bus='virtio'",
               "<throttlefilters>" BEHIND("slow") BEHIND("few") BEHIND("slow") "</throttlefilters>"),
          "a disk is behind <throttlegroup> 'slow' twice" },
        { GROUPS,
          DISK("", "", "dev='vda' bus='virtio'",
               "<throttlefilters>" BEHIND("slow") BEHIND("fast") "</throttlefilters>"),
          "<throttlefilter group='fast'>, at line 1: the domain has no <throttlegroup> of that name" },
        { GROUPS,
          DISK("", "", "dev='vda' bus='virtio'",
               "<throttlefilters>" BEHIND("slow") EIGHT(EIGHT("<throttlefilter/>")) "</throttlefilters>"),
          "missing attribute 'group'" },
        { GROUPS,
          DISK("", "", "dev='vda' bus='virtio'",
               "<iotune><read_iops_sec>5</read_iops_sec></iotune>" FILTER("slow")),
          "disk 'vda' has both <iotune> and <throttlefilters>" },
        { GROUPS,
          DISK("", "", "dev='vda' bus='virtio'", "<throttlefilters><throttlefilter/></throttlefilters>"),
          "missing attribute 'group'" },
};

#define CHAR(type, source)  "<serial type='" type "'><source path='/x'" source "</serial>"
#define IMAGE(type, source) "<disk type='" type "'>" source "<target dev='vda' bus='virtio'/></disk>"
#define BRIDGE(source, below)                                                                                \
        "<interface type='bridge'><source bridge='br0'" source "/>" below "<model "                          \
        "type='virtio'/></interface>"
#define VNC(attributes, below)   "<graphics type='vnc' port='5901'" attributes ">" below "</graphics>"
#define SPICE(attributes, below) "<graphics type='spice'" attributes ">" below "</graphics>"
#define USER(type, below)                                                                                    \
        "<interface type='user'><source dev='eth0'/>" below "<backend type='" type "'/></interface>"
#define HTTP(below) "<source protocol='nbd' name='x'><host name='h'/>" below "</source>"
#define LUKS                                                                                                 \
        "<encryption format='luks'><secret type='passphrase' "                                               \
        "uuid='6695eb01-f6a4-8304-79aa-97f2502e193e'/></encryption>"
#define VHOST(reconnect)                                                                                     \
        "<interface type='vhostuser'><source type='unix' path='/s' mode='client'><reconnect "                \
        "enabled='yes'" reconnect "/></source><model type='virtio'/></interface>"

/* What stands where the device's type has nothing of it. */
static const struct {
        const char *top, *devices;
        const char *part;
        const char *noted; /* taken, and said when it starts; NULL: nothing is said */
} parts[] = {
        { "", CHAR("file", "/>"), NULL },
        { "", CHAR("file", " append='on'/>"), NULL },
        { "", CHAR("dev", " append='on'/>"), NULL,
          "a <serial>'s <source> has append=, which is not for type 'dev'" },
        { "", CHAR("dev", " append='off' tls='no'/>"), NULL },
        { "", CHAR("file", " service='1'/>"), NULL, "has service=, which is not for type 'file'" },
        { "", CHAR("file", "><clipboard copypaste='yes'/></source>"), NULL, "has <clipboard>" },
        { "", CHAR("file", "><reconnect enabled='yes' timeout='3'/></source>"), NULL, "has <reconnect>" },
        { "", CHAR("file", "><reconnect enabled='no'/></source>"), NULL },
        { "", CHAR("file", "><seclabel model='dac' relabel='no'><label>+0:+0</label></seclabel></source>"),
          "a <seclabel relabel='no'> of a character device has a <label>" },
        { "", CHAR("file", "><mouse mode='client'/></source>"), NULL, "has <mouse>" },
        { "", CHAR("file", "/><source path='/y'/>"), "<serial type='file'> has two <source>: there is one" },
        { "", CHAR("file", "/><protocol type='telnet'/>"), NULL, "a <serial>'s <protocol> has type=" },
        { "", CHAR("file", "/><protocol type='raw'/>"), NULL },
        { "", "<serial type='udp'><source mode='connect' host='h' service='1' tls='yes'/></serial>",
          "has tls=, which is not for type 'udp'" },
        { "",
          "<serial type='udp'><source mode='connect' host='h' service='1'/><source mode='bind' host='h' "
          "service='2'/></serial>",
          NULL },
        { "",
          "<serial type='udp'><source mode='connect' host='h' service='1'/><source host='h' "
          "service='2'/></serial>",
          "two <source> at most, one of mode='bind'" },
        { "",
          "<rng model='virtio'><backend model='egd' type='udp'><source mode='connect' host='h' service='1' "
          "tls='yes'/></backend></rng>",
          "a <backend>'s <source> has tls=" },
        { "", IMAGE("file", "<source file='/x' startupPolicy='optional'/>"), NULL },
        { "", IMAGE("file", "<source file='/x' protocol='nbd'/>"), NULL,
          "a <disk>'s <source> has protocol=, which is not for type 'file'" },
        { "", IMAGE("block", "<source dev='/dev/x' tls='yes'/>"),
          "has tls=, which is not for type 'block': leave it out, or choose the type that has it" },
        { "",
          IMAGE("file", "<source file='/x'><seclabel model='dac' "
                        "relabel='no'><label>+0:+0</label></seclabel></source>"),
          "a <seclabel relabel='no'> of disk 'vda' has a <label>" },
        { "", IMAGE("file", "<source file='/x'><seclabel model='dac' relabel='no'/></source>"), NULL },
        { "<memoryBacking><access mode='shared'/></memoryBacking>",
          IMAGE("vhostuser", "<source type='unix' path='/s'><reconnect enabled='yes'/></source>"),
          "disk 'vda' has <reconnect enabled='yes'>, which is for those with a timeout" },
        { "", IMAGE("file", "<source file='/x'><host name='h'/></source>"), NULL,
          "a <disk>'s <source> has <host>" },
        { "",
          IMAGE("file",
                "<source file='/x'><auth username='u'><secret type='ceph' usage='k'/></auth></source>"),
          "has <auth>" },
        { "",
          IMAGE("file", "<source file='/x'/><backingStore type='file'><format type='raw'/><source file='/y' "
                        "pool='p'/></backingStore>"),
          NULL, "a <backingStore>'s <source> has pool=" },
        { "", IMAGE("network", HTTP("<reconnect delay='3'/>")), NULL },
        { "", IMAGE("network", HTTP("<identity user='u'/>")), "has <identity>, which is not for type 'nbd'" },
        { "", IMAGE("network", HTTP("<config file='/x'/>")), "has <config>" },
        { "", BRIDGE("", ""), NULL },
        { "", BRIDGE(" mode='vepa'", ""), NULL, "has mode=" },
        { "", BRIDGE(" dev='eth0'", ""), NULL,
          "an <interface>'s <source> has dev=, which is not for type 'bridge'" },
        { "", "<interface type='ethernet'><source dev='eth0'/></interface>", NULL,
          "an <interface>'s <source> has dev=, which is not for type 'ethernet'" },
        { "", BRIDGE("", "<driver name='vfio'/>"),
          "has <driver name='vfio'>, which is for interfaces of type" },
        { "", BRIDGE("", "<driver name='xen'/>"), "has a <driver name=> of another hypervisor" },
        { "",
          "<interface type='hostdev'><source><address type='pci' bus='6' slot='0' "
          "function='0'/></source><driver "
          "name='kvm'/></interface>",
          "use 'vfio'" },
        { "", BRIDGE("", "<driver name='qemu'/>"), NULL },
        { "", BRIDGE("", "<teaming type='transient' persistent='ua-x'/>"), "has <teaming type='transient'>" },
        { "", BRIDGE("", "<teaming type='persistent' persistent='ua-x'/>"), "has <teaming persistent=>" },
        { "", BRIDGE("", "<teaming type='persistent'/>"), NULL },
        { "", BRIDGE("", "<bandwidth><inbound average='10'/></bandwidth><tune><sndbuf>9</sndbuf></tune>"),
          NULL },
        { "", NET("virtio", "<bandwidth><inbound average='10'/></bandwidth>"), NULL },
        { "", NET("virtio", "<tune><sndbuf>9</sndbuf></tune>"), NULL },
        { "", NET("virtio", "<driver queues='4'/>"),
          "has <driver queues=>, which is for interfaces with a tap" },
        { "", BRIDGE("", "<driver queues='4'/>"), NULL },
        { "", NET("virtio", "<driver queues='1'/>"), NULL },
        { "", NET("virtio", "<rom enabled='no' bar='on'/>"), "has bar= or file= in <rom enabled='no'>" },
        { "", NET("virtio", "<rom bar='on' file='/x'/>"), NULL },
        { "", VHOST(""), "has <reconnect enabled='yes'>, which is for those with a timeout" },
        { "<memoryBacking><access mode='shared'/></memoryBacking>", VHOST(" timeout='3'"), NULL },
        { "", "<input type='keyboard' bus='usb'><source evdev='/dev/input/event1'/></input>",
          "an <input>'s <source> has evdev=" },
        { "", "<input type='evdev' bus='usb'><source dev='/dev/input/event1'/></input>",
          "an <input> has bus=" },
        { "", "<input type='evdev'><source dev='/dev/input/event1' grab='all'/></input>", NULL },
        { "", "<interface type='user'><filterref filter='a'/></interface>", NULL,
          "an <interface> has a <filterref>, which is not for type 'user'" },
        { "",
          "<interface type='mcast'><source address='230.0.0.1' port='9'/><filterref filter='a'/></interface>",
          NULL, "an <interface> has a <filterref>, which is not for type 'mcast'" },
        { "", BRIDGE("", "<filterref filter='a'/>"), NULL },
        { "", "<interface type='user'><source dev='eth0'/></interface>", NULL,
          "an <interface> has a <source dev='eth0'>, which is for <backend type='passt'>" },
        { "", "<disk type='file' device='cdrom'>" LUKS "<target dev='sda' bus='sata'/></disk>", NULL,
          "disk 'sda' has an <encryption>, and no source" },
        { "",
          "<disk type='file' device='cdrom'><source file='/x'>" LUKS "</source><target dev='sda' "
          "bus='sata'/></disk>",
          NULL },
        { "<seclabel type='none' model='dac'><label>+0:+0</label></seclabel>", "", NULL,
          "a <seclabel type='none'> has a label" },
        { "<seclabel type='none' model='dac'/>", "", NULL },
        { "<seclabel type='static' model='dac'><label>+0:+0</label></seclabel>", "", NULL },
        { "", USER("passt", ""), NULL },
        { "", VNC(" sharePolicy='ignore'", ""), NULL },
        { "", VNC(" tlsPort='5902'", ""), NULL, "a <graphics> has tlsPort=, which is not for type 'vnc'" },
        { "", VNC("", "<clipboard copypaste='no'/>"), NULL, "a <graphics> has <clipboard>" },
        { "", VNC("", "<image compression='off'/>"), NULL, "a <graphics> has <image>" },
        { "", VNC("", "<gl enable='no'/>"), NULL },
        { "", VNC("", "<gl enable='yes' rendernode='/dev/dri/renderD128'/>"), NULL, "a <graphics> has <gl>" },
        { "", SPICE("", "<gl rendernode='/dev/dri/renderD128'/>"),
          "<gl rendernode=> of <graphics type='spice'> needs enable='yes'" },
        { "", VNC(" socket='/s'", "<listen type='address' address='127.0.0.1'/>"), NULL },
        { "", SPICE("", "<clipboard copypaste='no'/><gl enable='no'/>"), NULL },
        { "", SPICE(" websocket='5903'", ""), NULL, "has websocket=, which is not for type 'spice'" },
        { "", "<controller type='sata' ports='4'/>", "a <controller> has ports=" },
        { "", "<controller type='usb' model='qemu-xhci' ports='4'/>", NULL },
        { "", "<controller type='usb' model='qemu-xhci' vectors='4'/>", "a <controller> has vectors=" },
        { "", "<controller type='scsi' model='virtio-scsi'><target chassis='1'/></controller>",
          "has <target>" },
        { "", "<controller type='virtio-serial' ports='4' vectors='4'/>", NULL },
        { "", "<audio id='1' type='none' serverName='s'/>", "an <audio> has serverName=" },
        { "", "<audio id='1' type='pulseaudio' serverName='s'/>", NULL },
        { "", "<audio id='1' type='pipewire' runtimeDir='/r'><output name='s' latency='9'/></audio>", NULL },
        { "", "<audio id='1' type='pipewire' serverName='s'/>", "an <audio> has serverName=" },
        { "",
          IMAGE("network",
                "<source protocol='ssh' name='x'><host name='h'/><identity username='u'/><knownHosts "
                "path='/k'/></source>"),
          NULL },
        { "", "<audio id='1' type='alsa'><output name='s'/></audio>", "an <audio>'s <output> has name=" },
        { "", "<audio id='1' type='spice'/>", "<audio id='1' type='spice'> needs <graphics type='spice'>" },
        { "", SPICE("", "") "<audio id='1' type='spice'/>", NULL },
        { "", "<input type='tablet' bus='usb'><driver iommu='on'/></input>", NULL,
          "is not on bus 'virtio' and has a <driver> with iommu" },
        { "", "<input type='tablet' bus='usb'><address type='isa' iobase='0x60'/></input>",
          "is on USB and has an address of type 'isa'" },
        { "", "<input type='tablet' bus='usb'><address type='usb' bus='0'/></input>", NULL },
        { "", VIDEO("type='none' ram='65536' vgamem='16384'", ""), NULL,
          "<video> of model 'none' has settings" },
        { "", VIDEO("type='none'", ""), NULL },
        { "", "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/><acpi index='4'/></tpm>",
          "<tpm> number 1 has an <acpi index=>" },
        { "", SPICE("", "<gl enable='no' rendernode='/dev/dri/renderD128'/>"), NULL },
        { "", "<smartcard mode='host'><acpi index='4'/></smartcard>",
          "<smartcard> number 1 has an <acpi index=>, which is for PCI devices" },
        { "", "<rng model='virtio'><backend model='random'>/dev/urandom</backend><acpi index='4'/></rng>",
          NULL },
        { "", "<controller type='usb' model='ich9-ehci1' ports='6'/>", "usb controller 0 has ports=" },
        { "<perf><event name='cpu_cycles' enabled='yes'/><event name='cpu_cycles' enabled='yes'/></perf>", "",
          "<perf> has two <event> of one name" },
        { "<perf><event name='cpu_cycles' enabled='yes'/><event name='cmt' enabled='no'/></perf>", "", NULL },
        { "", "<audio id='1' type='alsa' timerPeriod='9'><output dev='s'/></audio>", NULL },
        { "<os><loader stateless='yes'/></os>", "", "<loader> says how a firmware is loaded and not which" },
};

/* They stand one above the other, as the document has them. */
START_TEST(test_throttle_groups)
{
        static const char text[] =
                "<domain type='qemu'><name>x</name><uuid>" UUID "</uuid><memory>65536</memory>" GROUPS
                "<os><type>hvm</type></os><devices>" DISK("", "", "dev='vda' bus='virtio'",
                                                          "<throttlefilters>" BEHIND("few")
                                                                  BEHIND("slow") "</throttlefilters>")
                        DISK("", "", "dev='vdb' bus='virtio'", "<throttlefilters/>") "</devices></domain>";
        CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(text, NULL);
        const struct domain_iotune *tune;

        ck_assert_ptr_nonnull(def);
        tune = def->devices.disks[0].iotune;
        ck_assert_str_eq(tune->group_name, "few");
        ck_assert_uint_eq(tune->read_iops_sec, 7);
        tune = tune->next;
        ck_assert_str_eq(tune->group_name, "slow");
        ck_assert_uint_eq(tune->total_bytes_sec, 1000);
        ck_assert(tune->is_filter && !tune->next);
        ck_assert_ptr_null(def->devices.disks[1].iotune);
}
END_TEST

/* No more than are read. */
START_TEST(test_too_many_filters)
{
        GString *text = g_string_new("<domain type='qemu'><name>x</name><uuid>" UUID "</uuid>"
                                     "<memory>65536</memory><os><type>hvm</type></os><devices>"
                                     "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/>"
                                     "<throttlefilters>");
        GString *groups = g_string_new("</throttlefilters></disk></devices><throttlegroups>");
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i <= DOMAIN_THROTTLE_FILTERS_MAX; i++) {
                g_autofree char *whole = NULL;
                CLEANUP(domain_def_unref) struct domain_def *def = NULL;

                g_string_append_printf(text, "<throttlefilter group='g%u'/>", i);
                g_string_append_printf(groups, "<throttlegroup><group_name>g%u</group_name></throttlegroup>",
                                       i);
                if (i + 2 <= DOMAIN_THROTTLE_FILTERS_MAX)
                        continue;
                whole = g_strconcat(text->str, groups->str, "</throttlegroups></domain>", NULL);
                def = domain_def_parse_stored(whole, &error);
                ck_assert_int_eq(def != NULL, i < DOMAIN_THROTTLE_FILTERS_MAX);
        }
        ck_assert_ptr_nonnull(strstr(error->message, "a disk has more than 32 <throttlefilter>"));
        g_string_free(text, TRUE);
        g_string_free(groups, TRUE);
}
END_TEST

/* The group's limits are those of each disk behind it. */
START_TEST(test_throttle_group)
{
        static const char text[] =
                "<domain type='qemu'><name>x</name><uuid>" UUID "</uuid><memory>65536</memory>" GROUPS
                "<os><type>hvm</type></os><devices>" DISK("", "", "dev='vda' bus='virtio'",
                                                          FILTER("slow")) "</devices></domain>";
        CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(text, NULL);
        const struct domain_iotune *tune;

        ck_assert_ptr_nonnull(def);
        ck_assert_int_eq(def->unsupported.count + def->unknown.count, 0);
        tune = def->devices.disks[0].iotune;
        ck_assert_ptr_nonnull(tune);
        ck_assert_uint_eq(tune->total_bytes_sec, 1000);
        ck_assert_str_eq(tune->group_name, "slow");
        ck_assert_ptr_nonnull(strstr(def->base.xml, "<throttlefilter group='slow'/>"));
        ck_assert_ptr_null(strstr(def->base.xml, "<iotune>"));
}
END_TEST

static const struct domain_machine q35 = { DOMAIN_MACHINE_Q35, .net_model = "e1000e" };

static char *write_text(const char *top, const char *devices)
{
        return g_strdup_printf(
                "<domain type='qemu'><name>x</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
                "<memory>65536</memory><os><type>hvm</type></os><features><acpi/></features>%s"
                "<devices>%s</devices></domain>",
                top, devices);
}

START_TEST(test_scope)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *text = write_text(rows[i].top, rows[i].devices);

                check_text(text, &q35, rows[i].part);
        }
}
END_TEST

/* Documents of which something is taken and has no effect: told with these words, and only that. */
static void check_noted(const char *text, const char *noted)
{
        CLEANUP(domain_def_unref) struct domain_def *def = define_text(text, &q35, NULL);
        g_autoptr(GPtrArray) found = domain_def_find_leftovers(def);

        ck_assert_msg(found->len == !!noted, "%s: %u: %s", text, found->len,
                      found->len ? (const char *)found->pdata[0] : "");
        if (noted)
                ck_assert_msg(strstr(found->pdata[0], noted), "'%s' is not in: %s", noted,
                              (const char *)found->pdata[0]);
}

START_TEST(test_parts)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
                g_autofree char *text = write_text(parts[i].top, parts[i].devices);

                check_text(text, &q35, parts[i].part);
                if (!parts[i].part)
                        check_noted(text, parts[i].noted);
        }
}
END_TEST

/* What an earlier agent took and this one would not is told likewise. */
START_TEST(test_stored)
{
        g_autofree char *text = write_text(
                "", CHAR("unix", " mode='bind' tls='yes'/>") "<controller type='sata' ports='4'/>");
        CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(text, NULL);
        g_autoptr(GPtrArray) found = domain_def_find_leftovers(def);

        ck_assert_uint_eq(found->len, 2);
        ck_assert_str_eq(found->pdata[0], "a <controller> has ports=, which is not for type 'sata'");
        ck_assert_str_eq(found->pdata[1], "a <serial>'s <source> has tls=, which is not for type 'unix'");
}
END_TEST

/* Of <graphics> with a socket and a <listen> of another type. */
START_TEST(test_socket)
{
        static const struct {
                const char *graphics, *there, *gone;
        } sockets[] = {
                { VNC(" socket='/s'", "<listen type='address' address='127.0.0.1'/>"),
                  "<listen type='socket' socket='/s'/>", "127.0.0.1" },
                { VNC(" socket='/s' listen='127.0.0.1'", "<listen type='network' network='x'/>"),
                  "<listen type='socket' socket='/s'/>", "127.0.0.1" },
                { VNC(" socket='/s'", "<listen type='none'/>"), "<listen type='none'/>", "/s" },
                { SPICE(" autoport='yes' socket='/s'", "<listen type='address' address='127.0.0.1'/>"),
                  "<listen type='address' address='127.0.0.1'/>", "/s" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(sockets); i++) {
                g_autofree char *text = write_text("", sockets[i].graphics);
                g_autoptr(GError) error = NULL;
                CLEANUP(domain_def_unref) struct domain_def *def = define_text(text, &q35, &error);

                ck_assert_msg(def != NULL, "%s: %s", text, error ? error->message : "");
                ck_assert_msg(strstr(def->base.xml, sockets[i].there), "%s", def->base.xml);
                ck_assert_msg(!strstr(def->base.xml, sockets[i].gone), "%s", def->base.xml);
        }
}
END_TEST

/* A serial console is its port: what is said of the one holds for the other. */
START_TEST(test_console)
{
        static const char alias[] = "<alias name='ua-x'/>", place[] = "iobase='0x3e8'";
        g_autofree char *text = write_text("", "<console type='pty'><target type='serial' port='0'/>"
                                               "<alias name='ua-x'/><address type='isa' iobase='0x3e8' "
                                               "irq='0x5'/></console>");
        CLEANUP(domain_def_unref) struct domain_def *def = define_text(text, &q35, NULL);
        const struct domain_char *serial;

        ck_assert_ptr_nonnull(def);
        serial = &def->devices.chars[0];
        ck_assert_int_eq(serial->kind, DOMAIN_CHAR_SERIAL);
        ck_assert_str_eq(serial->info.alias, "ua-x");
        ck_assert_int_eq(serial->info.address.type, DOMAIN_ADDRESS_ISA);
        /* In both, and where it is once. */
        ck_assert_ptr_nonnull(strstr(strstr(def->base.xml, alias) + 1, alias));
        ck_assert_ptr_nonnull(strstr(def->base.xml, place));
        ck_assert_ptr_null(strstr(strstr(def->base.xml, place) + 1, place));
}
END_TEST

START_TEST(test_unread)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(unread); i++) {
                g_autofree char *text = g_strdup_printf(
                        "<domain type='qemu'><name>x</name><uuid>" UUID "</uuid><memory>65536</memory>%s<os>"
                        "<type>hvm</type></os><features><acpi/></features><devices>%s</devices></domain>",
                        unread[i].top, unread[i].devices);
                g_autoptr(GError) error = NULL;
                struct domain_doc *doc = domain_doc_parse(text, &error);
                CLEANUP(domain_def_unref) struct domain_def *def = NULL;

                ck_assert_msg(doc != NULL, "%s: %s", text, error ? error->message : "");
                def = domain_doc_finish(doc, &q35, &error);
                ck_assert_msg(!def, "%s", text);
                ck_assert_msg(strstr(error->message, unread[i].part), "%s", error->message);
        }
}
END_TEST

CHECK_MAIN("domain-scope", test_scope, test_parts, test_unread, test_throttle_group, test_throttle_groups,
           test_too_many_filters, test_stored, test_socket, test_console)
