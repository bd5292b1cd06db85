/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/check: definitions whose parts do not go together, what nearly is one and does, and that a
 * stored one loads all the same.
 */
#include "drivers/domain/check.h"

#include "base/error.h"
#include "tests/unit/check-main.h"
#include "tests/unit/domain-machine.h"

#include <string.h>

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

#define NUMA                                                                                                 \
        "<cpu><numa><cell id='0' cpus='0-1' memory='32768'/><cell id='1' cpus='2-3' "                        \
        "memory='32768'/></numa></cpu>"
#define DIMM_AT(place)                                                                                       \
        "<memory model='dimm'><target><size>131072</size><node>0</node></target><address type='dimm' " place \
        "/></memory>"
#define DIMM   "<memory model='dimm'><target><size>131072</size><node>0</node></target></memory>"
#define SERIAL "<serial type='pty'><target type='isa-serial'/></serial>"
#define HOSTDEV                                                                                              \
        "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0' slot='31' "  \
        "function='0'/></source></hostdev>"

#define STICK             "<vendor id='0x46f4'/><product id='1'/>"
#define USB(more, source) "<hostdev type='usb'><source " more ">" source "</source></hostdev>"
#define MDEV(more)                                                                                           \
        "<hostdev type='mdev' model='vfio-pci' " more "><source><address uuid='" UUID "'/></source></"       \
        "hostdev>"
#define PCI(more, source, below)                                                                             \
        "<hostdev type='pci' " more "><source " source                                                       \
        "><address bus='6' slot='0' function='0'/></source>" below "</hostdev>"

#define HOST_IPS(ips) "<interface type='ethernet'><source>" ips "</source></interface>"

struct row {
        const char *machine; /* "q35", "pc" */
        const char *top;
        const char *devices;
        const char *part; /* of the error */
};

#define LINKED(links)                                                                                        \
        "<cpu><numa><cell id='0' cpus='0-3' memory='32768'><cache level='1' associativity='none' "           \
        "policy='none'><size value='1'/><line value='8'/></cache></cell><cell id='1' memory='32768'/>"       \
        "<interconnects>" links "</interconnects></numa></cpu>"
#define LATENCY(from, to, more)                                                                              \
        "<latency initiator='" from "' target='" to "' type='access' value='5' " more "/>"

#define ADDRESS_BITS(attributes) "<cpu><model>qemu64</model><maxphysaddr " attributes "/></cpu>"
#define TIMER(attributes, below) "<clock><timer " attributes ">" below "</timer></clock>"
#define SHMEM(model, below)      "<shmem name='s'><model type='ivshmem-" model "'/>" below "</shmem>"

#define FORWARD(attributes, ranges)                                                                          \
        "<interface type='user'><portForward proto='tcp' " attributes ">" ranges "</portForward></"          \
        "interface>"
#define PASST_FORWARD                                                                                        \
        "<interface type='user'><backend type='passt'/><portForward proto='tcp' dev='lo'/></interface>"

static const struct row refused[] = {
        { "q35", LINKED(LATENCY("0", "7", "")), "", "between NUMA cells 0 and 7: there are 0-1" },
        { "q35", LINKED(LATENCY("1", "0", "")), "", "has NUMA cell 1 as initiator, which has no CPUs" },
        { "q35", LINKED(LATENCY("0", "0", "cache='2'")), "",
          "cache of level 2 of NUMA cell 0, which has none" },
        { "q35", LINKED(LATENCY("0", "1", "") LATENCY("0", "1", "")), "",
          "from NUMA cell 0 to cell 1 is there twice" },
        { "q35", "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='0' cpuset='1'/></cputune>", "",
          "vCPU 0 is pinned twice" },
        { "q35", "<cputune><emulatorpin cpuset='0'/><emulatorpin cpuset='1'/></cputune>", "",
          "two <emulatorpin>" },
        { "q35",
          "<cputune><vcpusched vcpus='0' scheduler='batch'/><vcpusched vcpus='0' "
          "scheduler='idle'/></cputune>",
          "", "vCPU 0 is in two <vcpusched>" },
        { "q35", "<cputune><vcpusched vcpus='5' scheduler='batch'/></cputune>", "",
          "vCPU 5, which the domain does not have (0-3)" },
        { "q35", "<iothreads>2</iothreads><cputune><iothreadpin iothread='3' cpuset='0'/></cputune>", "",
          "iothread='3'> is for an I/O thread that the domain does not have: it has 1, 2" },
        { "q35",
          "<iothreads>1</iothreads><cputune><iothreadpin iothread='1' cpuset='0'/><iothreadpin iothread='1' "
          "cpuset='0'/></cputune>",
          "", "I/O thread 1 is pinned twice" },
        { "q35",
          "<iothreads>1</iothreads><cputune><iothreadsched iothreads='2' scheduler='batch'/></cputune>", "",
          "I/O thread 2, which the domain does not have" },
        { "q35", "<cputune><cachetune vcpus='0-1'/><cachetune vcpus='1'/></cputune>", "",
          "vCPU 1 is in two <cachetune>" },
        { "q35",
          "<cputune><cachetune vcpus='0'><cache id='0' level='3' type='both' size='3'/><cache id='0' "
          "level='3' type='both' size='6'/></cachetune></cputune>",
          "", "type 'both' twice" },
        { "q35", "<cputune><memorytune vcpus='7'/></cputune>", "", "<memorytune vcpus=> names vCPU 7" },
        { "q35", "<cputune><shares>1</shares></cputune>", "", "<shares> of <cputune> is 1: it is from 2" },
        { "q35", "<cputune><shares>262145</shares></cputune>", "", "<shares> of <cputune> is 262145" },
        { "q35", "<cputune><period>999</period></cputune>", "", "<period> of <cputune> is 999" },
        { "q35", "<cputune><emulator_period>1000001</emulator_period></cputune>", "",
          "<emulator_period> of <cputune> is 1000001" },
        { "q35", "<cputune><global_quota>999</global_quota></cputune>", "",
          "<global_quota> of <cputune> is 999" },
        { "q35", "<cputune><vcpusched vcpus='0' scheduler='rr'/></cputune>", "",
          "<vcpusched scheduler='rr'> has no priority" },
        { "q35", "<cputune><emulatorsched scheduler='fifo' priority='100'/></cputune>", "",
          "has the priority 100: it is from 1 to 99" },
        { "q35", "<cputune><memorytune vcpus='0'><node id='0' bandwidth='101'/></memorytune></cputune>", "",
          "101 % of the bandwidth of node 0" },
        { "q35",
          "<cputune><memorytune vcpus='0'><node id='0' bandwidth='10'/><node id='0' "
          "bandwidth='10'/></memorytune></cputune>",
          "", "bandwidth of node 0 twice" },
        { "q35", "<cputune><cachetune vcpus='0'><monitor level='3' vcpus='1'/></cachetune></cputune>", "",
          "is of vCPUs that the <cachetune> is not of" },
        { "q35", "<cputune><cachetune vcpus='0'><monitor level='2' vcpus='0'/></cachetune></cputune>", "",
          "a <monitor> of <cachetune> is of level 2" },
        { "q35",
          "<cputune><memorytune vcpus='0-1'><monitor vcpus='0'/><monitor vcpus='0-1'/><monitor "
          "vcpus='0'/></memorytune></cputune>",
          "", "a <memorytune> has two <monitor> of the same vCPUs" },
        { "q35",
          "<cputune><cachetune vcpus='0-1'><monitor level='3' vcpus='0'/></cachetune><memorytune "
          "vcpus='1'><node id='0' bandwidth='10'/></memorytune></cputune>",
          "", "a <cachetune> is of the vCPUs 0-1 and a <memorytune> of 1:" },
        { "q35", "<memtune><hard_limit>9</hard_limit><swap_hard_limit>8</swap_hard_limit></memtune>", "",
          "less than the <hard_limit> of 9 KiB" },
        { "q35", "<blkiotune><weight>10001</weight></blkiotune>", "", "<weight> of <blkiotune> is 10001" },
        { "q35",
          "<blkiotune><device><path>/dev/sda</path></device><device><path>/dev/sda</path></device>"
          "</blkiotune>",
          "", "names the device '/dev/sda' twice" },
        { "q35", "<vcpus><vcpu id='0' enabled='no'/></vcpus>", "", "vCPU 0 cannot be off" },
        { "q35", "<vcpus><vcpu id='1' enabled='yes'/><vcpu id='1' enabled='yes'/></vcpus>", "",
          "vCPU 1 is listed twice" },
        { "q35", "<vcpus><vcpu id='0' enabled='yes' hotpluggable='yes'/></vcpus>", "",
          "vCPU 0 cannot be hotpluggable" },
        { "q35",
          "<vcpus><vcpu id='1' enabled='yes' hotpluggable='yes' order='1'/><vcpu id='0' enabled='yes' "
          "order='2'/></vcpus>",
          "", "vCPU 0 has order 2" },
        { "q35",
          "<vcpus><vcpu id='0' enabled='yes' order='1'/><vcpu id='2' enabled='yes' "
          "hotpluggable='yes'/></vcpus>",
          "", "as vCPU 2, have none" },
        { "q35",
          "<vcpus><vcpu id='0' enabled='yes' order='1'/><vcpu id='1' enabled='yes' hotpluggable='yes' "
          "order='2'/><vcpu id='2' enabled='yes' hotpluggable='yes' order='2'/></vcpus>",
          "", "two vCPUs have order 2" },
        { "q35", "<vcpus><vcpu id='0' enabled='yes'/><vcpu id='1' enabled='no' hotpluggable='no'/></vcpus>",
          "", "vCPU 1 is off and has hotpluggable='no'" },
        { "q35", "<vcpus><vcpu id='0' enabled='yes'/><vcpu id='3' enabled='yes'/></vcpus>", "",
          "and vCPU 1 before it is not" },
        { "q35", NUMA "<numatune><memnode cellid='5' mode='strict' nodeset='0'/></numatune>", "",
          "NUMA cell 5 of the guest, which has only 0-1" },
        { "q35",
          NUMA "<numatune><memnode cellid='1' mode='strict' nodeset='0'/><memnode cellid='1' mode='strict' "
               "nodeset='0'/></numatune>",
          "", "two <memnode> for NUMA cell 1" },
        { "q35", "<numatune><memnode cellid='0' mode='strict' nodeset='0'/></numatune>", "",
          "<cpu> has no <numa>" },
        { "q35", "<cpu><numa><cell id='0' cpus='0-7' memory='65536'/></numa></cpu>", "",
          "NUMA cell 0 has vCPU 4, but <vcpu> says" },
        { "q35",
          "<cpu><numa><cell id='0' cpus='0-2' memory='32768'/><cell id='1' cpus='2-3' "
          "memory='32768'/></numa></cpu>",
          "", "vCPU 2 is both in NUMA cell 0 and in cell 1" },
        { "q35",
          "<cpu><numa><cell id='0' cpus='0-3' memory='65536'><distances><sibling id='3' "
          "value='20'/></distances></cell></numa></cpu>",
          "", "to cell 3: there is no such cell, only 0" },
        { "q35",
          "<cpu><numa><cell id='0' cpus='0-3' memory='65536'><distances><sibling id='0' "
          "value='20'/></distances></cell></numa></cpu>",
          "", "to itself is 10, not 20" },
        { "q35", NUMA "<memoryBacking><hugepages><page size='2048' nodeset='5'/></hugepages></memoryBacking>",
          "", "NUMA cell 5" },
        { "q35", "<memoryBacking><hugepages><page size='2048' nodeset='1'/></hugepages></memoryBacking>", "",
          "NUMA cell 1 of the guest, and <cpu> has no <numa>" },
        { "q35",
          NUMA "<memoryBacking><hugepages><page size='2048' nodeset='0'/><page size='1048576' "
               "nodeset='0-1'/></hugepages></memoryBacking>",
          "", "NUMA cell 0 is to have both pages of 2048 KiB and of 1048576 KiB" },
        { "q35",
          "<memoryBacking><hugepages><page size='2048'/><page size='1048576'/></hugepages></memoryBacking>",
          "", "both for all of the guest" },
        { "q35", "<memoryBacking><hugepages/><source type='anonymous'/></memoryBacking>", "",
          "leave the source out" },
        { "q35", "<memoryBacking><hugepages/><allocation mode='ondemand'/></memoryBacking>", "",
          "huge pages are taken at once" },
        { "q35", NUMA, "<memory model='dimm'><target><size>131072</size><node>0</node></target></memory>",
          "needs <maxMemory slots=>" },
        { "q35", "<maxMemory slots='1'>524288</maxMemory>" NUMA, DIMM DIMM,
          "2 memory devices do not fit into the 1 slots" },
        { "q35", "<maxMemory slots='1'>524288</maxMemory>" NUMA,
          "<memory model='dimm'><target><size>131072</size><node>7</node></target></memory>",
          "memory device 0 (dimm) is for NUMA cell 7" },
        { "q35", "<maxMemory slots='1'>524288</maxMemory>" NUMA,
          "<memory model='nvdimm'><target><size>131072</size><node>0</node></target></memory>",
          "needs a <source><path>" },
        { "q35", "<maxMemory slots='4'>524288</maxMemory>" NUMA, DIMM_AT("slot='1'") DIMM_AT("slot='1'"),
          "two memory devices are in slot 1" },
        { "q35", "<maxMemory slots='4'>524288</maxMemory>" NUMA, DIMM_AT("slot='4'"),
          "is in slot 4, and <maxMemory> has 4 slots, numbered from 0" },
        { "q35", "<maxMemory slots='4'>524288</maxMemory>" NUMA,
          DIMM_AT("slot='1' base='0x100000000'") DIMM_AT("slot='2' base='0x100000000'"),
          "two memory devices are at base='0x100000000'" },
        { "q35", "",
          "<channel type='pty'><target type='virtio' name='a'/></channel><channel type='unix'><target "
          "type='virtio' name='a'/></channel>",
          "the domain has channel 'a' twice" },
        { "q35", "",
          "<serial type='pty'><target port='1'/></serial><serial type='null'><target port='1'/></serial>",
          "the domain has serial port 1 twice" },
        { "q35", "", "<filesystem type='mount'><target dir='s'/></filesystem>",
          "file system 's' has no <source>" },
        { "q35", "<cpu mode='host-model'><cache mode='passthrough'/></cpu>", "",
          "needs a CPU of mode 'host-passthrough' or 'maximum'" },
        { "q35", "<cpu mode='custom'><model>qemu64</model><cache level='2' mode='emulate'/></cpu>", "",
          "is for level 3, not 2" },
        { "q35", "<cpu mode='host-passthrough'><cache level='3' mode='disable'/></cpu>", "",
          "not for level 3 alone" },
        { "q35", "<cpu mode='custom'><model>qemu64</model><feature name='warpdrive'/></cpu>", "",
          "no CPU feature 'warpdrive'" },
        { "q35",
          "<cpu mode='custom'><model>qemu64</model><feature name='sse'/><feature name='sse' "
          "policy='disable'/></cpu>",
          "", "CPU feature 'sse' is there twice" },
        { "q35", "<cpu mode='custom'><model>qemu64</model><vendor>Zilog</vendor></cpu>", "",
          "'Zilog': expected Intel, AMD or Hygon" },
        { "q35", "<cpu mode='custom'><model vendor_id='ab'>qemu64</model></cpu>", "",
          "vendor_id 'ab' has 2 bytes" },
        { "q35", "",
          "<disk type='file'><driver name='qemu' iothread='2'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/></disk>",
          "disk 'vda' asks for I/O thread 2, which the domain does not have: it has none" },
        { "q35", "<iothreads>1</iothreads>",
          "<disk type='file'><driver name='qemu' iothread='1'/><source file='/x'/><target dev='sda' "
          "bus='sata'/></disk>",
          "disk 'sda' is on bus 'sata': an I/O thread is for a virtio disk" },
        { "q35", "",
          "<disk type='file'><driver name='qemu' queues='4'/><source file='/x'/><target dev='sda' "
          "bus='sata'/></disk>",
          "queues" },
        { "q35", "",
          "<disk type='file'><driver name='qemu' ioeventfd='on'/><source file='/x'/><target dev='sda' "
          "bus='sata'/></disk>",
          "ioeventfd" },
        { "q35", "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/><wwn>5000c50015ea71ad</wwn></disk>",
          "a <wwn> is for a scsi, sata or ide disk" },
        { "q35", "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/><vendor>x</vendor></disk>",
          "is for a scsi disk" },
        { "q35", "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='vda' bus='virtio' "
          "rotation_rate='7200'/></disk>",
          "rotation_rate" },
        { "q35", "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='sda' bus='sata' "
          "removable='on'/></disk>",
          "is for a usb disk" },
        { "q35", "",
          "<disk type='file'><driver name='qemu' io='native' cache='writeback'/><source file='/x'/><target "
          "dev='vda' bus='virtio'/></disk>",
          "io='native' of disk 'vda' needs cache='none'" },
        { "q35", "",
          "<disk type='file'><driver name='qemu' io='native'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/></disk>",
          "and it has 'default'" },
        { "q35", "", "<interface type='user'><coalesce><rx><frames max='7'/></rx></coalesce></interface>",
          "<coalesce> of an interface of type 'user'" },
        { "q35", "", "<interface type='user'><downscript path='/x'/></interface>",
          "<downscript> of an interface of type 'user'" },
        { "q35", "", "<interface type='user'><backend tap='/x'/></interface>", "which has no tap device" },
        { "q35", "<features><pae/></features>", "<pstore backend='acpi-erst'><size>64</size></pstore>",
          "needs <acpi/> in <features>" },
        { "q35", "<features><acpi/></features>", "<pstore backend='acpi-erst'><size>8</size></pstore>",
          "a <pstore> of 8 KiB" },
        { "q35", "<features><acpi/></features>", "<pstore backend='acpi-erst'><size>20</size></pstore>",
          "it has records of 8 KiB, and two at least" },
        { "q35", "", "<disk type='file'><source file='/x'/><target dev='sda' bus='sd'/></disk>",
          "boards with a slot for SD cards are not driven" },
        { "q35", "", "<disk type='file' rawio='no'><source file='/x'/><target dev='sda' bus='scsi'/></disk>",
          "which is for those of device='lun'" },
        { "q35", "", "<hostdev type='usb' rawio='yes'><source>" STICK "</source></hostdev>",
          "<hostdev> has rawio, which is for those of type 'scsi'" },
        { "q35", "",
          "<interface type='user'><model type='virtio'/><address type='pci'><zpci uid='1' fid='0'/></address>"
          "</interface>",
          "<zpci> is for PCI devices of s390x, not of x86_64" },
        { "q35", "",
          "<interface type='ethernet'><route address='10.50.0.0' prefix='16' gateway='10.0.0.1'/>"
          "</interface>",
          "<route> is not supported: no emulator tells" },
        { "q35", "", "<interface type='user'><source><ip address='10.0.0.1'/></source></interface>",
          "in the <source> of an interface of type 'user'" },
        { "q35", "",
          "<interface type='server'><source address='127.0.0.1' port='5558'>"
          "<route address='10.0.0.0' gateway='10.1.0.1'/></source></interface>",
          "in the <source> of an interface of type 'server'" },
        { "q35", "", HOST_IPS("<ip address='10.0.0'/>"), "address '10.0.0' in <source>: it is no IP" },
        { "q35", "", HOST_IPS("<ip family='ipv6' address='10.0.0.1'/>"), "not of the family that it says" },
        { "q35", "", HOST_IPS("<ip address='10.0.0.1' prefix='33'/>"), "prefix is longer than the address" },
        { "q35", "", HOST_IPS("<ip address='10.0.0.1' peer='10.0.0.'/>"), "peer '10.0.0.'" },
        { "q35", "", HOST_IPS("<ip address='10.0.0.1' peer='2001::1'/>"), "peer '2001::1'" },
        { "q35", "", HOST_IPS("<route address='10.50.0.0' gateway='10.0.0.2'/>"),
          "route to '10.50.0.0' in <source>: it is not the address of a network" },
        { "q35", "",
          HOST_IPS("<route address='10.50.0.0' prefix='16' netmask='255.255.0.0' gateway='10.0.0.2'/>"),
          "both a prefix and a netmask" },
        { "q35", "", HOST_IPS("<route address='10.50.0.0' netmask='255.0.255.0' gateway='10.0.0.2'/>"),
          "netmask '255.0.255.0' in <source>: it is none" },
        { "q35", "", HOST_IPS("<route address='2001:db8::' prefix='32' gateway='2001:db9::1'/>"),
          "not of the family that it says" },
        { "q35", "", HOST_IPS("<ip address='0.0.0.0' prefix='24'/>"),
          "address '0.0.0.0' in <source>: it is not the address of a host" },
        { "q35", "", HOST_IPS("<ip address='224.0.0.1' prefix='24'/>"),
          "address '224.0.0.1' in <source>: it is not" },
        { "q35", "", HOST_IPS("<ip address='255.255.255.255' prefix='8'/>"),
          "address '255.255.255.255' in <source>: it is not" },
        { "q35", "", HOST_IPS("<ip address='10.0.0.1' prefix='32' peer='0.0.0.0'/>"),
          "peer '0.0.0.0' in <source>: it is" },
        { "q35", "", HOST_IPS("<route address='10.50.0.0' prefix='16' gateway='0.0.0.0'/>"),
          "gateway '0.0.0.0' in <source>: it is not" },
        { "q35", "", HOST_IPS("<route family='ipv6' address='2001:db8::' prefix='32' gateway='ff02::1'/>"),
          "gateway 'ff02::1' in <source>: it is not" },
        { "q35", "", HOST_IPS("<route address='10.50.0.0' prefix='16' gateway='2001:db9::1'/>"),
          "gateway '2001:db9::1' in <source>: it is not of the family" },
        { "q35", "",
          HOST_IPS("<route family='ipv6' address='2001:db8::' netmask='255.0.0.0' gateway='2001:db9::1'/>"),
          "IPv6 has prefixes, and no netmask" },
        { "q35", "", "<interface type='user'><backend vhost='/x'/></interface>", "which has no vhost-net" },
        { "q35", "", "<disk type='dir'><source dir='/x'/><target dev='vda' bus='virtio'/><readonly/></disk>",
          "which needs <driver type='fat'/>" },
        { "q35", "",
          "<disk type='dir'><driver type='fat'/><source dir='/x'/><target dev='vda' bus='virtio'/></disk>",
          "needs a <readonly/>" },
        { "q35", "",
          "<disk type='file'><source file='/x'/><geometry cyls='1'/><target dev='vda' bus='virtio'/></disk>",
          "needs cyls, heads and secs" },
        { "q35", "",
          "<disk type='file'><source file='/x'/><geometry cyls='1' heads='1' secs='1' trans='lba'/>"
          "<target dev='vda' bus='virtio'/></disk>",
          "has a trans, which is for disks on ide" },
        { "q35", "",
          "<disk type='file'><source file='/x'/><geometry cyls='1' heads='1' secs='1'/>"
          "<target dev='sda' bus='usb'/></disk>",
          "has a <geometry>, which is for" },
        { "q35", "",
          "<disk type='file'><driver type='raw'><metadata_cache><max_size unit='bytes'>1</max_size>"
          "</metadata_cache></driver><source file='/x'/><target dev='vda' bus='virtio'/></disk>",
          "for images of format 'qcow2'" },
        { "q35", "",
          "<disk type='volume'><source pool='p' volume='v'><slices><slice type='storage' offset='0' "
          "size='1'/>"
          "</slices></source><target dev='vda' bus='virtio'/></disk>",
          "for sources of type 'file'" },
        { "q35", "",
          "<disk type='network'><source protocol='nbd' startupPolicy='optional'><host name='h'/></source>"
          "<target dev='vda' bus='virtio'/></disk>",
          "for sources of type 'file', 'block', 'dir'" },
        { "q35", "",
          "<disk type='file'><source file='/x' startupPolicy='requisite'/><target dev='vda' "
          "bus='virtio'/></disk>",
          "startupPolicy='requisite' of disk 'vda'" },
        { "q35", "",
          "<filesystem><driver type='virtiofs'/><binary><openfiles max='9'/></binary><source socket='/s'/>"
          "<target dir='y'/></filesystem>",
          "which has neither <binary>" },
        { "q35", "<iothreads>1</iothreads>",
          "<controller type='scsi' model='virtio-scsi'><driver iothread='3'/></controller>",
          "scsi controller 0 asks for I/O thread 3" },
        { "q35", "<iothreads>1</iothreads>",
          "<controller type='scsi' model='lsilogic'><driver iothread='1'/></controller>",
          "of model 'lsilogic' has no I/O thread" },
        { "q35", "", "<sound model='ich9'><audio id='4'/></sound><audio id='1' type='none'/>",
          "<audio id='4'>, which is not there: the domain has 1" },
        { "q35", "", "<graphics type='vnc'><audio id='4'/></graphics><audio id='1' type='none'/>",
          "a VNC server plays on <audio id='4'>" },
        { "q35", "", "<audio id='1' type='none'/><audio id='1' type='none'/>", "two <audio id='1'>" },
        { "q35", "", "<serial type='tcp'><source mode='connect' service='4'/></serial>",
          "the tcp source of serial port 0 says no host" },
        { "q35", "", "<serial type='unix'><source mode='connect'/></serial>",
          "no path of the socket to connect to" },
        { "q35", "",
          "<rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' "
          "service='1'/></backend></rng>",
          "random number generator says no host" },
        { "q35", "", "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
          "needs <graphics type='spice'/>" },
        { "q35", "", SERIAL SERIAL SERIAL SERIAL SERIAL, "4 ISA serial ports, and the domain 5" },
        { "q35", "", "<tpm model='tpm-crb'><backend type='emulator' version='1.2'/></tpm>",
          "'tpm-crb' is of version 2.0, not 1.2" },
        { "q35", "",
          "<tpm model='tpm-crb'><backend type='emulator'/></tpm><tpm model='tpm-tis'><backend "
          "type='emulator'/></tpm>",
          "one TPM, and the domain two" },
        { "q35", "",
          "<tpm model='tpm-tis'><backend type='emulator' "
          "version='1.2'><active_pcr_banks><sha256/></active_pcr_banks></backend></tpm>",
          "<active_pcr_banks>" },
        { "q35", "", "<watchdog model='itco'/><watchdog model='i6300esb' action='none'/>",
          "the domain has 'reset' ('itco') and 'none' ('i6300esb')" },
        { "q35", "", "<watchdog model='itco'/><watchdog model='itco'/>", "one watchdog 'itco'" },
        { "q35", "", "<watchdog model='ib700'/><watchdog model='ib700'/>", "one watchdog 'ib700'" },
        { "pc", "", "<watchdog model='i6300esb'/><watchdog model='itco'/>", "machines of type 'q35'" },
        { "pc", "", "<watchdog model='itco'/>", "machines of type 'q35'" },
        { "q35", "", "<watchdog model='diag288'/>", "for guests of s390x, not of x86_64" },
        { "q35", "", "<panic model='isa'/><panic model='isa'/>", "two panic devices of model 'isa'" },
        { "pc", "", "<iommu model='intel'/>", "needs a machine of type 'q35'" },
        { "q35", "<features><acpi/><ioapic driver='qemu'/></features>",
          "<iommu model='intel'><driver eim='on'/></iommu>", "needs intremap='on'" },
        { "q35", "", "<iommu model='intel'><driver intremap='on'/></iommu>",
          "needs <ioapic driver='qemu'/>" },
        { "q35", "", HOSTDEV HOSTDEV, "this host device is in the domain configuration already" },
        { "q35", "", USB("", STICK) USB("", STICK), "in the domain configuration already" },
        { "q35", "", USB("", STICK) USB("", STICK "<address bus='1' device='3'/>"), "configuration already" },
        { "q35", "", USB("", "<address bus='1' device='3'/>") USB("", "<address bus='0x1' device='03'/>"),
          "in the domain configuration already" },
        { "q35", "", MDEV("") MDEV(""), "in the domain configuration already" },
        { "q35", "", USB("", "<vendor id='0'/><product id='1'/>"), "'id' must not be 0" },
        { "q35", "", USB("", "<product id='1'/><address bus='1' device='3'/>"), "needs element 'vendor'" },
        { "q35", "", "<hostdev type='usb'><source>" STICK "</source><rom bar='off'/></hostdev>",
          "<rom> is for PCI devices" },
        { "q35", "", "<hostdev type='usb'><source>" STICK "</source><address type='pci' slot='9'/></hostdev>",
          "needs an address of type 'usb', not 'pci'" },
        { "q35", "", PCI("", "", "<address type='usb' bus='0' port='1'/>"),
          "needs an address of type 'pci', not 'usb'" },
        { "q35", "", PCI("", "", "<rom enabled='no' bar='on'/>"), "has neither 'bar' nor 'file'" },
        { "q35", "", PCI("", "writeFiltering='no'", ""), "writeFiltering" },
        { "q35", "", PCI("", "startupPolicy='optional'", ""), "startupPolicy is for USB devices" },
        { "q35", "", PCI("model='vfio-pci'", "", ""), "model of <hostdev> is for" },
        { "q35", "", MDEV("display='on'"), "needs <graphics>" },
        { "q35", "", "<hostdev type='mdev'><source><address uuid='" UUID "'/></source></hostdev>",
          "needs a model" },
        { "q35", "",
          "<hostdev type='mdev' model='vfio-ccw'><source><address uuid='" UUID "'/></source></hostdev>",
          "needs a guest of s390x" },
        { "q35", "", "<hostdev type='scsi'><source><address bus='0' target='0' unit='0'/></source></hostdev>",
          "needs <adapter" },
        { "q35", "",
          "<hostdev type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>"
          "</source><address type='pci' slot='9'/></hostdev>",
          "needs an address of type 'drive', not 'pci'" },
        { "q35", "", "<hostdev type='scsi_host'><source wwpn='naa.50014057667280d8'/></hostdev>",
          "needs protocol='vhost'" },
        { "q35", "", "<hostdev type='scsi_host'><source protocol='vhost' wwpn='50014057667280d8'/></hostdev>",
          "needs a wwpn" },
        { "q35", "", "<hostdev type='scsi_host'><source protocol='vhost'/></hostdev>", "needs a wwpn" },
        { "q35", "",
          "<hostdev mode='capabilities' type='misc'><source><char>/dev/null</char></source></hostdev>",
          "mode='capabilities' of <hostdev> is for containers" },
        { "q35", "<memoryBacking><access mode='private'/></memoryBacking>",
          "<filesystem type='mount'><driver type='virtiofs'/><source dir='/tmp'/><target "
          "dir='s'/></filesystem>",
          "needs the guest's memory shared" },
        { "q35",
          "<sysinfo type='smbios'><system><entry "
          "name='uuid'>c7a5fdbd-edaf-9455-926a-d65c16db1809</entry></system></sysinfo>",
          "", "they are one" },
        { "q35", "<sysinfo type='smbios'><system><entry name='uuid'>hello</entry></system></sysinfo>", "",
          "is no UUID: 'hello'" },
        { "q35", "<sysinfo type='fwcfg'><entry name='opt/a'/></sysinfo>", "",
          "<entry name='opt/a'> of <sysinfo type='fwcfg'> has neither a text nor a file" },
        { "q35", "<sysinfo type='smbios'><bios><entry name='date'>hello</entry></bios></sysinfo>", "",
          "expected mm/dd/yyyy" },
        { "q35", "<seclabel type='static' model='dac'/>", "", "has no <label>" },
        { "q35", "<seclabel type='dynamic' model='dac' relabel='no'/>", "", "has to relabel" },
        { "q35", "<seclabel type='none' model='dac'/><seclabel type='none' model='dac'/>", "",
          "two <seclabel> of model 'dac'" },
        { "pc", "<features><acpi/><smm state='on'><tseg unit='MiB'>48</tseg></smm></features>", "",
          "<tseg> is for machines of type 'q35'" },
        { "q35", TIMER("name='platform'", ""), "", "<timer name='platform'> is a timer of Xen's" },
        { "q35", TIMER("name='rtc' track='boot'", ""), "", "track 'boot' of <timer name='rtc'>" },
        { "q35", TIMER("name='pit' track='guest'", ""), "", "<timer name='pit'> has no track" },
        { "q35", TIMER("name='hpet' mode='native'", ""), "", "<timer name='hpet'> has no mode" },
        { "q35", TIMER("name='rtc' frequency='5'", ""), "", "<timer name='rtc'> has no frequency" },
        { "q35", TIMER("name='kvmclock' tickpolicy='delay'", ""), "", "<timer name='kvmclock'> has no tick" },
        { "q35", TIMER("name='rtc' tickpolicy='merge'", ""), "",
          "tickpolicy 'merge' of <timer name='rtc'>: it has 'delay', 'catchup'" },
        { "q35", TIMER("name='pit' tickpolicy='merge'", ""), "", "it has 'delay', 'catchup', 'discard'" },
        { "q35", TIMER("name='rtc' tickpolicy='delay'", "<catchup limit='1'/>"), "",
          "<catchup> of <timer name='rtc'> goes with tickpolicy='catchup'" },
        { "q35", "<features><kvm><dirty-ring state='on' size='4097'/></kvm></features>", "",
          "<dirty-ring size='4097'> of <kvm>" },
        { "q35", "<features><kvm><dirty-ring state='on'/></kvm></features>", "", "<dirty-ring size='0'>" },
        { "q35",
          NUMA "<numatune><memory mode='restrictive' nodeset='0'/><memnode cellid='1' mode='strict' "
               "nodeset='0'/></numatune>",
          "", "the <memnode> of NUMA cell 1 is of mode 'strict'" },
        { "q35", "", SHMEM("plain", "<msi vectors='4'/>"), "has a <msi>, which is for model 'ivshmem-door" },
        { "q35", "", SHMEM("plain", "<server path='/x'/>"), "has a <server>, which is for" },
        { "q35", "", SHMEM("doorbell", ""), "needs a <server path=>" },
        { "q35", "", SHMEM("doorbell", "<server path='/x'/><size unit='M'>4</size>"), "has no <size>" },
        { "q35", "", SHMEM("doorbell", "<server path='/x'/><msi enabled='no'/>"), "<msi enabled='no'>" },
        { "q35", "", "<video><model type='vga'><acceleration accel2d='yes'/></model></video>",
          "accel2d='yes'> of <video>" },
        { "q35", "", "<graphics type='vnc' passwd='x' connected='fail'/>", "connected='fail' of <graphics" },
        { "q35", "", "<interface type='ethernet'><ip address='10.0.0.1'/></interface>",
          "<ip> of an interface of type 'ethernet'" },
        { "q35", "", "<interface type='user'><ip address='10.0.0.1' peer='10.0.0.2'/></interface>",
          "peer='10.0.0.2' of an <ip>" },
        { "q35", "", "<interface type='user'><ip address='10.0.0.1'/><ip address='10.0.0.2'/></interface>",
          "one address of family 'ipv4', and here two" },
        { "q35", "", "<disk type='file'><driver name='tap'/><source file='/x'/><target dev='vda'/></disk>",
          "the driver of disk 'vda' is 'tap'" },
        { "q35", "", "<video><driver name='vhostuser'/><model type='vga'/></video>", "for model 'virtio'" },
        { "q35", "",
          "<video><model type='virtio'><acceleration accel3d='yes' rendernode='/dev/x'/></model></video>",
          "rendernode='/dev/x'> of <video> is for <driver name='vhostuser'>" },
        { "q35", "", "<iommu model='smmuv3'/>", "machines of type 'virt' of ARM, not of 'pc-q35" },
        { "q35", ADDRESS_BITS("mode='passthrough' bits='40'"), "", "has no bits: it may have a limit" },
        { "q35", ADDRESS_BITS("mode='emulate' bits='40' limit='39'"), "", "has no limit: it has bits" },
        { "q35", ADDRESS_BITS("mode='emulate'"), "", "'emulate'> of <cpu> needs bits" },
        { "q35", "", "<iommu model='virtio'><driver aw_bits='39'/></iommu>",
          "model 'virtio' has no aw_bits=" },
        { "q35", "", "<graphics type='vnc' port='5899' autoport='no'/>", "VNC port 5899 is below 5900" },
        { "q35", "", "<graphics type='vnc' port='0'/>", "VNC port 0 is below 5900" },
        { "q35", "", FORWARD("dev='lo'", "<range start='80'/>"),
          "'dev' of <portForward> needs <backend type='passt'>" },
        { "q35", "", FORWARD("", ""), "<portForward> without a <range> needs" },
        { "q35", "", FORWARD("address='::1'", "<range start='80'/>"), "another address than one of IPv4" },
        { "q35", "", FORWARD("", "<range start='80' end='90'/><range start='85' exclude='yes'/>"),
          "exclude='yes' of <portForward> needs" },
        { "q35", "", FORWARD("", "<range start='1000' end='2000'/><range start='3000' end='3023'/>"),
          "<portForward> of 1025 ports needs" },
        { "q35", "", "<serial type='pty'><source path='/a'/><source path='/b'/></serial>",
          "<serial type='pty'> has two <source>" },
};

static const struct row taken[] = {
        { "q35", "", HOST_IPS("<route address='0.0.0.0' gateway='10.0.0.2'/>"), NULL },
        { "q35", "", HOST_IPS("<route family='ipv6' address='::' gateway='2001:db8::2'/>"), NULL },
        { "q35",
          "<clock><timer name='rtc' tickpolicy='catchup'><catchup threshold='1' slew='2' limit='3'/></timer>"
          "<timer name='tsc' mode='native' frequency='5' tickpolicy='merge'/><timer name='hpet' "
          "tickpolicy='merge'/></clock>",
          "", NULL },
        { "q35", "<features><kvm><dirty-ring state='off' size='5'/></kvm></features>", "", NULL },
        { "q35",
          NUMA "<numatune><memory mode='restrictive' nodeset='0'/><memnode cellid='1' mode='restrictive' "
               "nodeset='0'/></numatune>",
          "", NULL },
        { "q35", "", SHMEM("doorbell", "<server path='/x'/><msi enabled='yes'/>"), NULL },
        { "q35", "", "<video><model type='vga'><acceleration accel2d='no'/></model></video>", NULL },
        { "q35", "", "<graphics type='vnc' passwd='x' connected='keep'/>", NULL },
        { "q35", "", "<graphics type='vnc'/><graphics type='spice'/>", NULL },
        { "q35", "", "<graphics type='vnc' port='5900' autoport='no'/>", NULL },
        { "q35", "", "<graphics type='vnc' port='7'><listen type='socket' socket='/s'/></graphics>", NULL },
        { "q35", "", "<graphics type='vnc' port='7' autoport='yes'/>", NULL },
        { "q35", "", "<graphics type='vnc' autoport='no'/>", NULL },
        { "q35", "", "<graphics type='vnc' autoport='no'><listen type='none'/></graphics>", NULL },
        { "q35", "", FORWARD("", "<range start='1000' end='2000'/><range start='3000' end='3022'/>"), NULL },
        { "q35", "", PASST_FORWARD, NULL },
        { "q35", "", "<serial type='pty'><source path='/a'/></serial>", NULL },
        { "q35", "", "<graphics type='spice' passwd='x' connected='fail'/>", NULL },
        { "q35", "",
          "<interface type='user'><ip address='10.0.0.1'/><ip family='ipv6' address='fc00::1'/></interface>",
          NULL },
        { "q35", "",
          USB("", STICK "<address bus='1' device='3'/>") USB("", STICK "<address bus='1' device='4'/>")
                  USB("", "<address bus='2' port='4.2'/>"),
          NULL },
        { "q35", "",
          "<hostdev type='pci'><source><address domain='0x10000' bus='0xe1' slot='0' function='0'/></source>"
          "<rom enabled='no'/><address type='unassigned'/></hostdev>",
          NULL },
        { "q35", "", PCI("display='on'", "guestReset='off'", ""), NULL },
        { "q35", "", "<graphics type='vnc'/>" MDEV("display='on' ramfb='on'"), NULL },
        { "q35", "",
          "<hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.50014057667280d8'/></hostdev>",
          NULL },
        { "q35",
          "<cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='1' cpuset='0'/><emulatorpin "
          "cpuset='0'/><vcpusched vcpus='0-1' scheduler='batch'/><vcpusched vcpus='2' "
          "scheduler='idle'/></cputune>",
          "", NULL },
        { "q35",
          "<iothreads>2</iothreads><cputune><iothreadpin iothread='2' cpuset='0'/><iothreadsched "
          "iothreads='1-2' scheduler='batch'/></cputune>",
          "<disk type='file'><driver name='qemu' iothread='2'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/></disk>",
          NULL },
        { "q35",
          "<cputune><cachetune vcpus='0-1'><cache id='0' level='3' type='code' size='3'/><cache id='0' "
          "level='3' type='data' size='3'/></cachetune><cachetune vcpus='2'/><memorytune "
          "vcpus='0-1'/></cputune>",
          "", NULL },
        { "q35", "<vcpus><vcpu id='0' enabled='yes'/><vcpu id='3' enabled='no'/></vcpus>", "", NULL },
        { "q35",
          NUMA "<numatune><memnode cellid='0' mode='strict' nodeset='0'/><memnode cellid='1' mode='strict' "
               "nodeset='0'/></numatune>",
          "", NULL },
        { "q35", "<memoryBacking><hugepages><page size='2048' nodeset='0'/></hugepages></memoryBacking>", "",
          NULL },
        { "q35",
          NUMA "<memoryBacking><hugepages><page size='2048'/><page size='1048576' "
               "nodeset='1'/></hugepages></memoryBacking>",
          "", NULL },
        { "q35", "<maxMemory slots='2'>524288</maxMemory>" NUMA, DIMM DIMM, NULL },
        { "q35", "<cpu mode='host-passthrough'><cache mode='passthrough'/></cpu>", "", NULL },
        { "q35",
          "<cpu mode='custom'><model>qemu64</model><vendor>AMD</vendor><feature name='sse'/><cache level='3' "
          "mode='emulate'/></cpu>",
          "", NULL },
        { "q35", "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='sda' bus='scsi' "
          "rotation_rate='7200'/><wwn>5000c50015ea71ad</wwn><vendor>x</vendor></disk>",
          NULL },
        { "q35", "",
          "<disk type='file'><driver name='qemu' io='native' cache='none' queues='4' ioeventfd='on'/><source "
          "file='/x'/><target dev='vda' bus='virtio'/><shareable/></disk>",
          NULL },
        { "q35", "",
          "<disk type='block' device='lun'><source dev='/dev/x'/><target dev='sda' bus='scsi'/></disk>",
          NULL },
        { "q35", "",
          "<disk type='file'><driver name='qemu'/><source file='/x'/><target dev='vda' "
          "bus='virtio'/><iotune><read_bytes_sec>9</read_bytes_sec><write_bytes_sec>9</"
          "write_bytes_sec><total_iops_sec>9</total_iops_sec></iotune></disk>",
          NULL },
        { "q35", "",
          "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><serial "
          "type='unix'><source mode='bind'/></serial>",
          NULL },
        { "q35", "",
          "<graphics type='spice'/><channel type='spicevmc'><target type='virtio' "
          "name='com.redhat.spice.0'/></channel>",
          NULL },
        { "q35", "", SERIAL SERIAL SERIAL SERIAL "<serial type='pty'><target type='pci-serial'/></serial>",
          NULL },
        { "q35", "",
          "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm><watchdog model='itco'/><panic "
          "model='isa'/><panic model='hyperv'/>",
          NULL },
        { "q35", "<features><acpi/><ioapic driver='qemu'/></features>",
          "<iommu model='intel'><driver intremap='on' eim='on'/></iommu>", NULL },
        { "q35", "<maxMemory slots='4'>524288</maxMemory>" NUMA,
          DIMM_AT("slot='1'") DIMM_AT("slot='3'") DIMM
          "<channel type='pty'><target type='virtio'/></channel><channel type='pty'><target "
          "type='virtio'/></channel><serial type='pty'/><serial type='pty'/>",
          NULL },
        { "q35", "<memoryBacking><access mode='shared'/></memoryBacking>",
          "<filesystem type='mount'><driver type='virtiofs'/><source dir='/tmp'/><target "
          "dir='s'/></filesystem>" HOSTDEV,
          NULL },
        { "q35",
          "<sysinfo type='smbios'><bios><entry name='date'>12/31/2026</entry></bios><system><entry "
          "name='uuid'>6695EB01-f6a4-8304-79aa-97f2502e193f</entry></system></sysinfo><seclabel type='none' "
          "model='dac'/><seclabel type='none' model='selinux'/>",
          "", NULL },
};

static bool has_cpu_feature(const struct domain_machine *machine, const char *name)
{
        return strcmp(name, "sse") == 0;
}

static const struct domain_machine q35 = {
        DOMAIN_MACHINE_Q35,
        .net_model = "e1000e",
        .has_cpu_feature = has_cpu_feature,
};
static const struct domain_machine i440fx = {
        DOMAIN_MACHINE_X86,    .machine = "pc-i440fx-7.2",         .pci_root = true,
        .net_model = "e1000e", .has_cpu_feature = has_cpu_feature,
};

static void check_row(const struct row *row)
{
        g_autofree char *features =
                strstr(row->top, "<features>") ? NULL : g_strdup("<features><acpi/></features>");
        g_autofree char *text = g_strdup_printf(
                "<domain type='qemu'><name>x</name><uuid>" UUID "</uuid><memory>65536</memory><vcpu>4</vcpu>"
                "<os><type machine='%s'>hvm</type></os>%s%s<devices>%s</devices></domain>",
                row->machine, features ? features : "", row->top, row->devices);

        check_text(text, strcmp(row->machine, "q35") == 0 ? &q35 : &i440fx, row->part);
}

START_TEST(test_refused)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++)
                check_row(&refused[i]);
}
END_TEST

START_TEST(test_taken)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(taken); i++)
                check_row(&taken[i]);
}
END_TEST

START_TEST(test_many_vcpus)
{
        check_text("<domain type='qemu'><name>x</name><uuid>" UUID "</uuid><memory>65536</memory>"
                   "<vcpu>288</vcpu><os><type machine='q35'>hvm</type></os></domain>",
                   &q35, "288 vCPUs are more than 255");
}
END_TEST

/* The UUID that SMBIOS is to show is the domain's when it has no other. */
START_TEST(test_sysinfo_uuid)
{
        CLEANUP(domain_def_unref)
        struct domain_def *def =
                define_text("<domain type='qemu'><name>x</name><memory>65536</memory><os><type "
                            "machine='q35'>hvm</type></os>"
                            "<sysinfo type='smbios'><system><entry "
                            "name='uuid'>C7A5FDBD-edaf-9455-926a-d65c16db1809</entry>"
                            "</system></sysinfo></domain>",
                            &q35, NULL);
        char uuid[UUID_STRING_LENGTH + 1];

        ck_assert_ptr_nonnull(def);
        ck_assert_str_eq(uuid_format(&def->base.uuid, uuid), "c7a5fdbd-edaf-9455-926a-d65c16db1809");
}
END_TEST

/* An emulator that does not say which CPU features it knows may know any. */
START_TEST(test_unknown_features)
{
        static const char text[] =
                "<domain type='qemu'><name>x</name><memory>65536</memory><os><type>hvm</type>"
                "</os><cpu><feature name='warpdrive'/></cpu></domain>";
        const struct domain_machine machine = { .type = "test", .arch = "x86_64" };
        CLEANUP(domain_def_unref)
        struct domain_def *def = domain_doc_finish(domain_doc_parse(text, NULL), &machine, NULL);

        ck_assert_ptr_nonnull(def);
}
END_TEST

CHECK_MAIN("domain-check", test_refused, test_taken, test_many_vcpus, test_sysinfo_uuid,
           test_unknown_features)
