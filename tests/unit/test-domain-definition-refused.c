/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/definition: what is refused and with which words, and hostile documents.
 */
#include "drivers/domain/definition.h"

#include "base/error.h"
#include "tests/unit/check-main.h"

#include <string.h>

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

/* ---- what is refused ---- */

static void check_refused(const char *elements, const char *devices, const char *message, const char *where)
{
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = parse_with(elements, devices, &error);

        ck_assert_msg(!def, "accepted: %.200s%.200s", elements, devices);
        ck_assert_msg(strstr(error->message, message), "'%s' is not in: %s", message, error->message);
        ck_assert_msg(strstr(error->message, where), "'%s' is not in: %s", where, error->message);
        ck_assert_uint_le(strlen(error->message), ERROR_MESSAGE_MAX);
}

#define OVERRIDE(property)                                                                                   \
        "<q:override xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:device alias='net0'>"           \
        "<q:frontend><q:property " property "/></q:frontend></q:device></q:override>"

START_TEST(test_refused_elements)
{
        static const struct {
                const char *elements, *message, *where;
        } rows[] = {
                { "<title>a\nb</title>", "a title is a single line", "(<title>)" },
                { "<vcpu>0</vcpu>", "expected a number from 1 to 4096", "at line 5 (<vcpu>)" },
                { "<vcpu>-1</vcpu>", "invalid value '-1'", "(<vcpu>)" },
                { "<vcpu>4097</vcpu>", "invalid value '4097'", "(<vcpu>)" },
                { "<vcpu>4294967295</vcpu>", "invalid value", "(<vcpu>)" },
                { "<vcpu>2x</vcpu>", "invalid value '2x'", "(<vcpu>)" },
                { "<vcpu current='3'>2</vcpu>", "more than the maximum of 2", "(<vcpu>)" },
                { "<vcpu placement='x'>2</vcpu>",
                  "unknown value 'x' of attribute 'placement': expected static or auto", "(<vcpu>)" },
                { "<vcpu cpuset='1-'>2</vcpu>", "of attribute 'cpuset'", "(<vcpu>)" },
                { "<vcpu cpuset='3-1'>2</vcpu>", "of attribute 'cpuset'", "(<vcpu>)" },
                { "<vcpu cpuset='16384'>2</vcpu>", "below 16384", "(<vcpu>)" },
                { "<vcpu cpuset='0-18446744073709551615'>2</vcpu>", "below 16384", "(<vcpu>)" },
                { "<vcpu cpuset='1,^1'>2</vcpu>", "nothing is in the set", "(<vcpu>)" },
                { "<vcpus><vcpu id='1' enabled='yes'/></vcpus>", "vCPU 1 is not one", "(<vcpus>)" },
                { "<iothreads>1025</iothreads>", "from 0 to 1024", "(<iothreads>)" },
                { "<iothreads>4294967295</iothreads>", "from 0 to 1024", "(<iothreads>)" },
                { "<iothreadids><iothread id='2'/><iothread id='2'/></iothreadids>", "more than once",
                  "(<iothread>)" },
                { "<iothreadids><iothread id='0'/></iothreadids>", "of attribute 'id'", "(<iothread>)" },
                { "<cputune><vcpupin vcpu='9' cpuset='0'/></cputune>", "vCPU 9 is not one", "(<cputune>)" },
                { "<cputune><vcpusched vcpus='0' scheduler='deadline'/></cputune>",
                  "unknown value 'deadline'", "(<vcpusched>)" },
                { "<cputune><shares>-1</shares></cputune>", "invalid value '-1'", "(<shares>)" },
                { "<cputune><quota>9223372036854775808</quota></cputune>", "invalid value", "(<quota>)" },
                { "<blkiotune><device><weight>5</weight></device></blkiotune>", "has no <path>",
                  "(<blkiotune>)" },
                { "<iothreads>1</iothreads><defaultiothread thread_pool_min='9' thread_pool_max='8'/>",
                  "'thread_pool_min' is more than", "(<defaultiothread>)" },
                { "<cputune><cachetune vcpus='x'/></cputune>", "'vcpus': expected a list", "(<cachetune>)" },
                { OVERRIDE("name='id' type='string' value='x'"), "'id' cannot be overridden",
                  "(<property>)" },
                { OVERRIDE("name='x' type='remove' value='x'"), "has no value", "(<property>)" },
                { OVERRIDE("name='x' type='bool' value='on'"), "expected 'true' or 'false'", "(<property>)" },
                { OVERRIDE("name='x' type='unsigned' value='-1'"), "invalid value '-1'", "(<property>)" },
                { OVERRIDE("name='x' type='unsigned' value='9223372036854775808'"), "invalid value",
                  "(<property>)" },
                { OVERRIDE("name='x' type='signed'"), "missing attribute 'value'", "(<property>)" },
                { OVERRIDE("name='x' type='float' value='1.0'"), "unknown value 'float'", "(<property>)" },
                { "<cputune><vcpupin vcpu='0'/></cputune>", "missing attribute 'cpuset'", "(<vcpupin>)" },
                { "<maxMemory slots='1'>1</maxMemory>", "less than 'memory'", "(<maxMemory>)" },
                { "<maxMemory>9999</maxMemory>", "missing attribute 'slots'", "(<maxMemory>)" },
                { "<currentMemory unit='furlong'>1</currentMemory>",
                  "unknown unit 'furlong': expected bytes, KB", "(<currentMemory>)" },
                { "<currentMemory unit='EiB'>99</currentMemory>", "invalid value '99'", "(<currentMemory>)" },
                { "<currentMemory>1.5</currentMemory>", "expected a number", "(<currentMemory>)" },
                { "<on_crash>explode</on_crash>",
                  "unknown value 'explode': expected destroy, restart, preserve, rename-restart, "
                  "coredump-destroy or coredump-restart",
                  "(<on_crash>)" },
                { "<features><pae state='maybe'/></features>", "unknown value 'maybe'", "(<pae>)" },
                { "<features><hyperv><spinlocks retries='5'/></hyperv></features>", "from 4095",
                  "(<spinlocks>)" },
                { "<cpu mode='best'/>", "unknown value 'best' of attribute 'mode'", "(<cpu>)" },
                { "<cpu mode='none'/>", "unknown value 'none'", "(<cpu>)" },
                { "<cpu><topology sockets='2' cores='1' threads='1'/></cpu>", "topology has 2 CPUs",
                  "(<cpu>)" },
                { "<cpu><topology sockets='0' cores='1' threads='1'/></cpu>", "'sockets'", "(<topology>)" },
                { "<cpu><feature policy='require'/></cpu>", "missing attribute 'name'", "(<feature>)" },
                { "<cpu><numa><cell id='1' cpus='0' memory='1'/></numa></cpu>", "NUMA cell 1", "(<cell>)" },
                { "<cpu><model>a,b</model></cpu>", "CPU model 'a,b'", "(<cpu>)" },
                { "<clock offset='mars'/>", "unknown value 'mars'", "(<clock>)" },
                { "<clock offset='timezone'/>", "missing attribute 'timezone'", "(<clock>)" },
                { "<clock offset='variable' adjustment='soon'/>", "'adjustment'", "(<clock>)" },
                { "<clock><timer name='sundial'/></clock>", "unknown value 'sundial'", "(<timer>)" },
                { "<sysinfo type='smbios'><bios><entry>x</entry></bios></sysinfo>",
                  "missing attribute 'name'", "(<entry>)" },
                { "<seclabel type='secret'/>", "unknown value 'secret'", "(<seclabel>)" },
                { "<q:commandline "
                  "xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg/></q:commandline>",
                  "missing attribute 'value'", "(<arg>)" },
                { "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:env name='A=B'/>"
                  "</q:commandline>",
                  "environment name 'A=B'", "(<env>)" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                check_refused(rows[i].elements, "", rows[i].message, rows[i].where);
}
END_TEST

START_TEST(test_refused_os)
{
        static const struct {
                const char *os, *message;
        } rows[] = {
                { "<os/>", "missing element 'type'" },
                { "<os><type>dos</type></os>", "unknown value 'dos'" },
                { "<os><type machine='../x'>hvm</type></os>", "invalid machine" },
                { "<os><type>hvm</type><boot dev='usb'/></os>", "unknown value 'usb' of attribute 'dev'" },
                { "<os><type>hvm</type><boot dev='hd'/><boot dev='hd'/><boot dev='hd'/><boot dev='hd'/><boot "
                  "dev='hd'/></os>",
                  "more than 4 boot devices" },
                { "<os><type>hvm</type><kernel>vmlinuz</kernel></os>", "expected an absolute path" },
                { "<os><type>hvm</type><loader type='disk'>/x</loader></os>", "unknown value 'disk'" },
                { "<os><type>hvm</type><bootmenu enable='yes' timeout='70000'/></os>", "from 0 to 65535" },
                { "<os><type>hvm</type><bios rebootTimeout='-2'/></os>", "'rebootTimeout'" },
                { "<os firmware='uboot'><type>hvm</type></os>", "unknown value 'uboot'" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *xml = g_strdup_printf("<domain type='kvm'><name>d</name><uuid>" UUID
                                                       "</uuid><memory>1</memory>%s</domain>",
                                                       rows[i].os);
                g_autoptr(GError) error = NULL;

                ck_assert_ptr_null(domain_def_parse_stored(xml, &error));
                ck_assert_msg(strstr(error->message, rows[i].message), "%s: %s", rows[i].os, error->message);
                ck_assert_int_eq(error_get_code(error), ERROR_XML_ERROR);
        }
}
END_TEST

#define DISK "<disk type='file'><target dev='vda' bus='virtio'/>"

START_TEST(test_refused_disks)
{
        static const struct {
                const char *devices, *message, *where;
        } rows[] = {
                { "<emulator>qemu</emulator>", "expected an absolute path", "at line 7 (<emulator>)" },
                { "<disk type='tape'><target dev='vda'/></disk>", "unknown value 'tape'", "(<disk>)" },
                { "<disk/>", "missing element 'target'", "(<disk>)" },
                { "<disk><target/></disk>", "missing attribute 'dev'", "(<target>)" },
                { "<disk><target dev=''/></disk>", "must not be empty", "(<target>)" },
                { "<disk><target dev='../vda'/></disk>", "invalid disk target '../vda'", "(<disk>)" },
                { "<disk><target dev='vda' bus='none'/></disk>", "unknown value 'none'", "(<target>)" },
                { DISK "</disk>" DISK "</disk>", "disk target 'vda' is used more than once", "(<disk>)" },
                { DISK "<driver cache='hot'/></disk>", "unknown value 'hot' of attribute 'cache'",
                  "(<driver>)" },
                { DISK "<driver type='zip'/></disk>", "unknown value 'zip'", "(<driver>)" },
                { DISK "<driver queues='0'/></disk>", "'queues'", "(<driver>)" },
                { DISK "<iotune><read_bytes_sec>-1</read_bytes_sec></iotune></disk>", "'-1'",
                  "(<read_bytes_sec>)" },
                { DISK "<wwn>12</wwn></disk>", "16 hexadecimal digits", "(<disk>)" },
                { DISK "<vendor>ninebytes</vendor></disk>", "longer than 8 bytes", "(<vendor>)" },
                { DISK "<serial>a&#10;b</serial></disk>", "invalid serial", "(<disk>)" },
                { DISK "<boot order='0'/></disk>", "'order'", "(<boot>)" },
                { DISK "<boot order='1'/></disk><disk><target dev='vdb'/><boot order='1'/></disk>",
                  "boot order '1' is used", "(<disk>)" },
                { DISK "<alias name='ua-x'/></disk><disk><target dev='vdb'/><alias name='ua-x'/></disk>",
                  "alias 'ua-x' is used", "(<disk>)" },
                { DISK "<address/></disk>", "missing attribute 'type'", "(<address>)" },
                { DISK "<address type='moon'/></disk>", "unknown value 'moon'", "(<address>)" },
                { DISK "<address type='pci' slot='0x20'/></disk>", "'slot'", "(<address>)" },
                { DISK "<address type='pci' slot='1' function='8'/></disk>", "'function'", "(<address>)" },
                { DISK "<address type='pci' bus='0x100'/></disk>", "'bus'", "(<address>)" },
                { DISK "<address type='pci' domain='0x10000'/></disk>", "'domain'", "(<address>)" },
                { DISK "<address type='pci' slot='-1'/></disk>", "'slot'", "(<address>)" },
                { DISK "<address type='usb' bus='0' port='1..2'/></disk>", "'port'", "(<address>)" },
                { DISK "<address type='usb' bus='0' port='1.2.3.4.5'/></disk>", "'port'", "(<address>)" },
                { DISK "<address type='ccw' cssid='0xff'/></disk>", "'cssid'", "(<address>)" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                check_refused("", rows[i].devices, rows[i].message, rows[i].where);
        check_refused("<os><type>hvm</type></os>", "<disk type='x'/>", "unknown value 'x'", "(<disk>)");
}
END_TEST

START_TEST(test_refused_devices)
{
        static const struct {
                const char *devices, *message, *where;
        } rows[] = {
                { "<controller index='0'/>", "missing attribute 'type'", "(<controller>)" },
                { "<parallel type='null'><target type='x'/></parallel>",
                  "unknown value 'x' of attribute 'type': there are none here, leave it out", "(<target>)" },
                { "<controller type='scsi' model='ich6'/>", "unknown value 'ich6'", "(<controller>)" },
                { "<controller type='scsi'/><controller type='scsi'/>", "more than one 'scsi' controller",
                  "(<devices>)" },
                { "<interface/>", "missing attribute 'type'", "(<interface>)" },
                { "<interface type='bridge'/>", "missing element 'source'", "(<interface>)" },
                { "<interface type='bridge'><source mode='x'/></interface>", "missing attribute 'bridge'",
                  "(<source>)" },
                { "<interface type='bridge'><source bridge='../x'/></interface>", "invalid source",
                  "(<interface>)" },
                { "<interface type='bridge'><source bridge='longer-than-ifnam'/></interface>", "15 bytes",
                  "(<source>)" },
                { "<interface type='bridge'><source bridge='a&#10;b'/></interface>", "invalid source",
                  "(<interface>)" },
                { "<interface type='bridge'><source bridge='br0'/><portForward proto='tcp'/></interface>",
                  "type 'user'", "(<interface>)" },
                { "<interface type='user'><portForward/></interface>", "missing attribute 'proto'",
                  "(<portForward>)" },
                { "<interface type='user'><portForward proto='tcp'><range start='9' end='8'/></portForward>"
                  "</interface>",
                  "ends before it starts", "(<portForward>)" },
                { "<interface type='user'><portForward proto='tcp'><range start='0'/></portForward>"
                  "</interface>",
                  "start", "(<range>)" },
                { "<interface type='user'><portForward proto='tcp'><range start='1' end='9' to='65530'/>"
                  "</portForward></interface>",
                  "beyond port 65535", "(<portForward>)" },
                { "<interface type='bridge'><source bridge='br0'/><backend type='passt'/></interface>",
                  "type 'user'", "(<interface>)" },
                { "<interface type='bridge'><source bridge='br0'/><vlan/></interface>", "missing tag id",
                  "(<vlan>)" },
                { "<interface type='bridge'><source bridge='br0'/><vlan trunk='no'><tag id='1'/><tag id='2'/>"
                  "</vlan></interface>",
                  "trunk='yes' is required", "(<vlan>)" },
                { "<interface type='bridge'><source bridge='br0'/><vlan><tag id='1' nativeMode='tagged'/>"
                  "<tag id='2' nativeMode='untagged'/></vlan></interface>",
                  "duplicate native", "(<tag>)" },
                { "<interface type='bridge'><source bridge='br0'/><vlan><tag id='4096'/></vlan></interface>",
                  "more than 4095", "(<tag>)" },
                { "<interface type='hostdev'/>", "missing source address type", "(<interface>)" },
                { "<interface type='hostdev'><source><address bus='1' slot='1' function='0'/></source>"
                  "</interface>",
                  "missing source address type", "" },
                { "<interface type='hostdev'><source><address type='usb' bus='1' device='2'/></source>"
                  "</interface>",
                  "address of type 'usb'", "" },
                { "<interface type='bridge'><source bridge='br0'><address type='pci' bus='1' slot='1' "
                  "function='0'/></source></interface>",
                  "type 'hostdev'", "(<address>)" },
                { "<interface type='user'><backend logFile='/x'/></interface>", "type 'passt'",
                  "(<interface>)" },
                { "<interface type='user'><backend type='slirp'/></interface>", "'slirp'", "(<backend>)" },
                { "<interface type='user'><bandwidth><inbound peak='9'/></bandwidth></interface>",
                  "Missing mandatory average or floor", "(<inbound>)" },
                { "<interface type='direct'><source dev='a'/><filterref filter='a'/></interface>",
                  "filterref is not supported for network interfaces of type direct", "" },
                { "<interface type='bridge'><source bridge='a'/><filterref/></interface>",
                  "missing attribute 'filter'", "(<filterref>)" },
                { "<interface type='bridge'><source bridge='a'/><filterref filter='a'><parameter name='X'/>"
                  "</filterref></interface>",
                  "missing attribute 'value'", "(<parameter>)" },
                { "<interface type='bridge'><source bridge='a'/><filterref filter='a'><parameter name='X' "
                  "value='1; drop'/></filterref></interface>",
                  "cannot have the value '1; drop'", "" },
                { "<interface type='user'><mac address='x'/></interface>", "invalid MAC address 'x'",
                  "(<mac>)" },
                { "<interface type='user'><mac address='01:00:00:00:00:00'/></interface>", "multicast",
                  "(<mac>)" },
                { "<interface type='user'><mac address='52:54:00:00:00:00:00'/></interface>", "MAC",
                  "(<mac>)" },
                { "<interface type='user'><mac address=''/></interface>", "invalid MAC address ''",
                  "(<mac>)" },
                { "<interface type='user'><model type='a,b=c'/></interface>", "invalid model",
                  "(<interface>)" },
                { "<interface type='user'><mtu size='65536'/></interface>", "'size'", "(<mtu>)" },
                { "<serial/>", "missing attribute 'type'", "(<serial>)" },
                { "<serial type='file'/>", "missing attribute 'path'", "(<serial>)" },
                { "<serial type='file'><source path='x'/></serial>", "absolute", "(<source>)" },
                { "<serial type='tcp'><source mode='bind'/></serial>", "missing attribute 'service'",
                  "(<serial>)" },
                { "<channel type='pty'/>", "missing element 'target'", "(<channel>)" },
                { "<channel type='pty'><target type='isa-serial'/></channel>", "unknown value",
                  "(<target>)" },
                { "<input type='joystick'/>", "unknown value 'joystick'", "(<input>)" },
                { "<graphics type='vnc' port='65536'/>", "'port'", "(<graphics>)" },
                { "<graphics type='vnc' passwd='123456789'/>", "longer than 8 bytes", "(<graphics>)" },
                { "<graphics type='vnc' passwdValidTo='tomorrow'/>", "passwdValidTo", "(<graphics>)" },
                { "<graphics type='vnc' keymap='../de'/>", "invalid keymap", "(<graphics>)" },
                { "<graphics type='vnc'><listen/></graphics>", "missing attribute 'type'", "(<listen>)" },
                { "<sound/>", "missing attribute 'model'", "(<sound>)" },
                { "<rng model='virtio'/>", "missing element 'backend'", "(<rng>)" },
                { "<rng model='virtio'><backend model='random'>urandom</backend></rng>", "absolute",
                  "(<backend>)" },
                { "<redirfilter><usbdev class='0x100' allow='no'/></redirfilter>", "invalid value '0x100'",
                  "(<usbdev>)" },
                { "<redirfilter><usbdev vendor='x' allow='no'/></redirfilter>", "invalid value 'x'",
                  "(<usbdev>)" },
                { "<redirfilter><usbdev version='1' allow='no'/></redirfilter>", "expected one like '1.10'",
                  "(<usbdev>)" },
                { "<redirfilter><usbdev version='1.100' allow='no'/></redirfilter>", "one like '1.10'",
                  "(<usbdev>)" },
                { "<redirfilter><usbdev/></redirfilter>", "missing attribute 'allow'", "(<usbdev>)" },
                { "<interface type='mcast'><source address='230.0.0.1'/></interface>",
                  "missing attribute 'port'", "(<source>)" },
                { "<interface type='server'/>", "missing element 'source'", "(<interface>)" },
                { "<interface type='udp'><source port='1'/></interface>", "missing element 'local'",
                  "(<source>)" },
                { "<interface type='client'><source port='65536'/></interface>", "invalid value '65536'",
                  "(<source>)" },
                { "<interface type='vhostuser'><source type='tcp' path='/x' mode='client'/></interface>",
                  "unknown value 'tcp'", "(<source>)" },
                { "<interface type='vhostuser'><source type='unix' path='/x' mode='server'><reconnect "
                  "enabled='yes'/></source></interface>",
                  "unsupported for mode='server'", "(<reconnect>)" },
                { "<interface type='user'><driver><host csum='yes'/></driver></interface>",
                  "unknown value 'yes'", "(<host>)" },
                { "<interface type='user'><teaming type='transient'/></interface>",
                  "missing attribute 'persistent'", "(<teaming>)" },
                { "<audio id='1' type='oss' dspPolicy='x'/>", "invalid value 'x'", "(<audio>)" },
                { "<audio id='1' type='none'><input><settings format='s24'/></input></audio>",
                  "unknown value 's24'", "(<settings>)" },
                { "<channel type='qemu-vdagent'><source><mouse mode='x'/></source><target type='virtio'/>"
                  "</channel>",
                  "unknown value 'x'", "(<mouse>)" },
                { "<smartcard mode='host-certificates'><certificate>a</certificate></smartcard>",
                  "exactly three", "(<smartcard>)" },
                { "<tpm><backend type='emulator' version='3'/></tpm>", "unknown value '3'", "(<backend>)" },
                { "<tpm><backend type='emulator'><encryption secret='x'/></backend></tpm>", "UUID",
                  "(<encryption>)" },
                { "<vsock><cid address='2'/></vsock>", "'address'", "(<cid>)" },
                { "<hostdev type='pci'/>", "missing element 'source'", "(<hostdev>)" },
                { "<hostdev type='pci'><source/></hostdev>", "missing element 'address'", "(<source>)" },
                { "<hostdev type='usb'><source><vendor id='0x10000'/></source></hostdev>", "'id'",
                  "(<vendor>)" },
                { "<hostdev type='usb'><source><address bus='1'/></source></hostdev>", "'device' or 'port'",
                  "(<address>)" },
                { "<hostdev type='usb'><source><address bus='1' port='4..2'/></source></hostdev>", "'port'",
                  "(<address>)" },
                { "<hostdev type='usb'><source><address bus='1' port='../4'/></source></hostdev>", "'port'",
                  "(<address>)" },
                { "<hostdev type='usb'><source><address bus='1' device='128'/></source></hostdev>",
                  "'device'", "(<address>)" },
                { "<shmem name='a/b'/>", "invalid shared memory name", "(<shmem>)" },
                { "<memory model='dimm'><target><node>0</node></target></memory>", "missing size",
                  "(<memory>)" },
                { "<watchdog model='i6300esb' action='bark'/>", "unknown value 'bark'", "(<watchdog>)" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                check_refused("", rows[i].devices, rows[i].message, rows[i].where);
}
END_TEST

START_TEST(test_boot_twice)
{
        g_autoptr(GError) error = NULL;
        const char *xml = "<domain type='kvm'><name>d</name><uuid>" UUID "</uuid><memory>1</memory>"
                          "<os><type>hvm</type><boot dev='hd'/></os>"
                          "<devices>" DISK "<boot order='1'/></disk></devices></domain>";

        ck_assert_ptr_null(domain_def_parse_stored(xml, &error));
        ck_assert_int_eq(error_get_code(error), ERROR_CONFIG_UNSUPPORTED);
}
END_TEST

static char *domain_named(const char *name)
{
        return g_strdup_printf("<domain type='kvm'><name>%s</name><uuid>" UUID "</uuid><memory>1</memory>"
                               "<os><type>hvm</type></os></domain>",
                               name);
}

START_TEST(test_identity)
{
        static const char *const bad[] = {
                "",
                " ",
                "\t\n",
                ".",
                "..",
                "../x",
                "a/b",
                "a&#10;b",
                "a&#13;b",
                "a&#9;b",
                "a\x7f"
                "b",
        };
        g_autofree char *longest = g_strnfill(DOMAIN_NAME_MAX, 'n'),
                        *longer = g_strnfill(DOMAIN_NAME_MAX + 1, 'n');

        for (unsigned i = 0; i <= G_N_ELEMENTS(bad); i++) {
                g_autofree char *xml = domain_named(i < G_N_ELEMENTS(bad) ? bad[i] : longer);
                g_autoptr(GError) error = NULL;

                ck_assert_msg(!domain_def_parse_stored(xml, &error), "accepted: %s", xml);
                ck_assert_msg(strstr(error->message, "(<name>)"), "%s", error->message);
        }
        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *xml = domain_named(i ? longest : "Süd 1");
                CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(xml, NULL);

                ck_assert_ptr_nonnull(def);
                ck_assert_str_eq(def->base.name, i ? longest : "Süd 1");
        }
}
END_TEST

START_TEST(test_missing)
{
        static const struct {
                const char *xml, *message;
        } rows[] = {
                { "<domain><name>d</name><uuid>" UUID "</uuid><memory>1</memory></domain>",
                  "missing attribute 'type'" },
                { "<domain type='kvm'><uuid>" UUID "</uuid><memory>1</memory></domain>",
                  "missing element 'name'" },
                { "<domain type='kvm'><name>d</name><memory>1</memory></domain>", "missing element 'uuid'" },
                { "<domain type='kvm'><name>d</name><uuid>" UUID "</uuid></domain>",
                  "missing element 'memory'" },
                { "<domain type='kvm'><name>d</name><uuid>x</uuid></domain>", "expected a UUID" },
                { "<domain type='kvm' xmlns='http://example.org'><name>d</name></domain>", "namespace" },
                { "<network/>", "root" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GError) error = NULL;

                ck_assert_ptr_null(domain_def_parse_stored(rows[i].xml, &error));
                ck_assert_msg(strstr(error->message, rows[i].message), "%s: %s", rows[i].xml, error->message);
        }
}
END_TEST

/* ---- hostile documents ---- */

/* n times text, with the number in the place of each '#'. */
static char *repeat(const char *text, unsigned n)
{
        g_auto(GStrv) pieces = g_strsplit(text, "#", -1);
        GString *all = g_string_new(NULL);

        for (unsigned i = 0; i < n; i++) {
                g_autofree char *number = g_strdup_printf("%u", i);
                g_autofree char *one = g_strjoinv(number, pieces);

                g_string_append(all, one);
        }
        return g_string_free(all, FALSE);
}

START_TEST(test_many_devices)
{
        g_autofree char *most = repeat(
                "<redirdev bus='usb' type='spicevmc'><alias name='ua-#'/><boot order='1#'/></redirdev>",
                DOMAIN_DEVICES_MAX);
        g_autofree char *more = g_strconcat(most, "<hub type='usb'/>", NULL);
        g_autofree char *disks = repeat("<disk/>", 20000);
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = parse_with("", most, &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        ck_assert_uint_eq(def->devices.n_redirdevs, DOMAIN_DEVICES_MAX);
        ck_assert_str_eq(def->devices.redirdevs[1023].info.alias, "ua-1023");
        check_refused("", more, "more than 1024 devices", "(<devices>)");
        check_refused("", disks, "more than 1024 devices", "(<devices>)");
}
END_TEST

START_TEST(test_many_remarks)
{
        g_autofree char *unknown = repeat("<x#/>", 10000);
        g_autofree char *drivers = repeat("<driver/>", 10000);
        g_autofree char *disk = g_strconcat("<disk>", unknown, drivers, "<target dev='vda'/></disk>", NULL);
        CLEANUP(domain_def_unref) struct domain_def *def = parse_with(unknown, disk, NULL);

        ck_assert_ptr_nonnull(def);
        ck_assert_uint_eq(def->unknown.count, 32);
}
END_TEST

START_TEST(test_many_sets)
{
        g_autofree char *pins = repeat("<vcpupin vcpu='0' cpuset='0-16383'/>", 4097);
        g_autofree char *cputune = g_strconcat("<cputune>", pins, "</cputune>", NULL);

        check_refused(cputune, "", "more than 4096 elements 'vcpupin'", "(<cputune>)");
}
END_TEST

START_TEST(test_long_values)
{
        g_autofree char *junk = g_strnfill(500000, 'A');
        g_autofree char *nines = g_strnfill(400000, '9');
        g_autofree char *type = g_strdup_printf("<disk type='%s'><target dev='vda'/></disk>", junk);
        g_autofree char *target = g_strdup_printf("<disk><target dev='%s'/></disk>", junk);
        g_autofree char *path = g_strdup_printf("<disk><target dev='vda'/><source file='/%s'/></disk>", junk);
        g_autofree char *digits = g_strdup_printf("<vcpu>%.*s</vcpu>", 400000, nines);

        check_refused("", type, "unknown value", "(<disk>)");
        check_refused("", target, "longer than 32 bytes", "(<target>)");
        check_refused("", path, "longer than", "(<source>)");
        check_refused(digits, "", "invalid value", "(<vcpu>)");
}
END_TEST

CHECK_MAIN("domain-definition-refused", test_refused_elements, test_refused_os, test_refused_disks,
           test_refused_devices, test_boot_twice, test_identity, test_missing, test_many_devices,
           test_many_remarks, test_many_sets, test_long_values)
