/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table of docs/API.md: each kind of device, and what becomes of it while a guest runs. It comes or does
 * not, changes or does not, goes or does not; what does not says so in a sentence that the table here names.
 * The guest has no operating system and lets go at once, because fake-qemu resets it ("plugging").
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE   1
#define CONFIG 2

#define FILE_DISK(file, target, more)                                                                        \
        "<disk type='file'><driver name='qemu' type='raw'/><source file='@DIR@/" file "'/>" target more      \
        "</disk>"
#define DRIVE(device, source, target)                                                                        \
        "<disk type='file' device='" device "'><driver name='qemu' type='raw'/>" source target "</disk>"
#define IMAGE(file)     "<source file='@DIR@/" file "'/>"
#define SLOW            "<iotune><total_bytes_sec>1000000</total_bytes_sec></iotune>"
#define NET(type, more) "<interface type='" type "'><mac address='52:54:00:00:00:11'/>" more "</interface>"
#define VIRTIO          "<model type='virtio'/>"
#define DOWN            "<link state='down'/>"
#define MEMORY(model, more)                                                                                  \
        "<memory model='" model "'>" more "<target><size unit='MiB'>128</size><node>0</node>"
#define VNC(password) "<graphics type='vnc' autoport='yes' passwd='" password "' listen='127.0.0.1'/>"

/* What is refused of all of a kind. */
#define NOT_PLUGGED "*cannot be plugged or unplugged while the guest runs*"
#define NOT_CHANGED "*cannot change while the guest runs*"

/* It is there from the start on. */
#define COLD "cold"
/* It is not tried: a guest without an operating system does not let go. */
#define STAYS "stays"

static const struct row {
        const char *xml;
        const char *attach; /* NULL: it comes; what is there already is not tried; else why it does not */
        const char *change; /* NULL: is not tried */
        const char *update; /* NULL: it changes */
        const char *detach; /* NULL: it goes */
} rows[] = {
        /* disks */
        { FILE_DISK("a.img", "<target dev='vda' bus='virtio'/>", ""), NULL,
          FILE_DISK("a.img", "<target dev='vda' bus='virtio'/>", SLOW), NULL, NULL },
        { FILE_DISK("a.img", "<target dev='vda' bus='virtio'/>", ""), NULL,
          FILE_DISK("b.img", "<target dev='vda' bus='virtio'/>", ""), "*of disk 'vda' only*", NULL },
        { FILE_DISK("a.img", "<target dev='sdd' bus='scsi'/>", ""), NULL,
          FILE_DISK("a.img", "<target dev='sdd' bus='scsi'/>", SLOW), NULL, NULL },
        { FILE_DISK("a.img", "<target dev='sdd' bus='usb'/>", ""), NULL,
          FILE_DISK("a.img", "<target dev='sdd' bus='usb'/>", "<readonly/>"), "*only*", NULL },
        { FILE_DISK("cold.img", "<target dev='sda' bus='sata'/>", ""), COLD,
          FILE_DISK("cold.img", "<target dev='sda' bus='sata'/>", SLOW), NULL, NOT_PLUGGED },
        { FILE_DISK("a.img", "<target dev='sdd' bus='sata'/>", ""), NOT_PLUGGED, NULL, NULL, NULL },
        { FILE_DISK("a.img", "<target dev='hdd' bus='ide'/>", ""), "*no ide controller*", NULL, NULL, NULL },
        { "<disk type='dir'><driver name='qemu' type='fat'/><source dir='@DIR@/folder'/>"
          "<target dev='vda' bus='virtio'/><readonly/></disk>",
          NULL, NULL, NULL, NULL },
        { "<disk type='network'><driver name='qemu' type='raw'/><source protocol='nbd' name='x'>"
          "<host transport='unix' socket='@DIR@/none.sock'/></source><target dev='vda' bus='virtio'/></disk>",
          "*none.sock*", NULL, NULL, NULL },
        { "<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/><source type='unix' "
          "path='@DIR@/none.sock'/><target dev='vda' bus='virtio'/></disk>",
          "*none.sock*", NULL, NULL, NULL },
        { "<disk type='block'><driver name='qemu' type='raw'/><source dev='/dev/none'/>"
          "<target dev='vda' bus='virtio'/></disk>",
          "*/dev/none*", NULL, NULL, NULL },
        { FILE_DISK("a.img", "<target dev='vda' bus='virtio'/>", "<foo/>"), "*foo*", NULL, NULL, NULL },
        { "<disk type='file'><driver name='qemu' type='raw' iothread='9'/><source file='@DIR@/a.img'/>"
          "<target dev='vda' bus='virtio'/></disk>",
          "*I/O thread 9*", NULL, NULL, NULL },

        /* media */
        { DRIVE("cdrom", "", "<target dev='sdb' bus='sata'/><readonly/>"), COLD,
          DRIVE("cdrom", IMAGE("a.img"), "<target dev='sdb' bus='sata'/><readonly/>"), NULL, NOT_PLUGGED },
        { DRIVE("cdrom", IMAGE("a.img"), "<target dev='sdc' bus='scsi'/><readonly/>"), NULL,
          DRIVE("cdrom", "", "<target dev='sdc' bus='scsi'/><readonly/>"), NULL, NULL },
        { DRIVE("cdrom", IMAGE("a.img"), "<target dev='sdc' bus='usb'/><readonly/>"), NULL,
          DRIVE("cdrom", "", "<target dev='sdc' bus='usb'/><readonly/>"), NULL, NULL },
        { DRIVE("cdrom", "", "<target dev='sdc' bus='sata'/><readonly/>"), NOT_PLUGGED, NULL, NULL, NULL },
        { DRIVE("floppy", "", "<target dev='fda' bus='fdc'/>"), COLD,
          DRIVE("floppy", IMAGE("b.img"), "<target dev='fda' bus='fdc'/>"), NULL, NOT_PLUGGED },
        { DRIVE("floppy", IMAGE("a.img"), "<target dev='fdb' bus='fdc'/>"), NOT_PLUGGED, NULL, NULL, NULL },

        /* controllers */
        { "<controller type='scsi' index='1' model='virtio-scsi'/>", NULL,
          "<controller type='scsi' index='1' model='virtio-scsi'><driver queues='2'/></controller>",
          NOT_CHANGED, NULL },
        { "<controller type='scsi' index='1' model='lsilogic'/>", NULL, NULL, NULL, NULL },
        { "<controller type='virtio-serial' index='1'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<controller type='usb' index='1' model='qemu-xhci'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<controller type='usb' index='0' model='qemu-xhci'/>", COLD,
          "<controller type='usb' index='0' model='qemu-xhci' ports='8'/>", NOT_CHANGED, "*is on*" },
        { "<controller type='sata' index='1'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<controller type='ccid' index='1'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<controller type='pci' index='20' model='pcie-root-port'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<controller type='pci' index='9' model='pcie-root-port'/>", COLD, NULL, NULL, NOT_PLUGGED },

        /* interfaces */
        { NET("user", VIRTIO), NULL, NET("user", VIRTIO DOWN), NULL, NULL },
        { NET("user", VIRTIO), NULL, NET("user", "<model type='e1000e'/>"), "*of interface 'net0' only*",
          NULL },
        { NET("user", "<model type='e1000e'/>"), NULL, NULL, NULL, NULL },
        { NET("user", "<model type='usb-net'/>"), NULL, NULL, NULL, NULL },
        { NET("udp", "<source address='127.0.0.1' port='5558'><local address='127.0.0.1' "
                     "port='5559'/></source>" VIRTIO),
          NULL, NULL, NULL, NULL },
        { NET("bridge", "<source bridge='none0'/>" VIRTIO), "*none0*", NULL, NULL, NULL },
        { NET("network", "<source network='none'/>" VIRTIO), "*none*", NULL, NULL, NULL },
        { NET("direct", "<source dev='none0' mode='bridge'/>" VIRTIO), "*none0*", NULL, NULL, NULL },
        { NET("vhostuser", "<source type='unix' path='@DIR@/none.sock' mode='client'/>" VIRTIO),
          "*none.sock*", NULL, NULL, NULL },
        { NET("vdpa", "<source dev='/dev/vhost-vdpa-none'/>" VIRTIO), "*vhost-vdpa-none*", NULL, NULL, NULL },
        { NET("hostdev",
              "<source><address type='pci' domain='0' bus='0xfe' slot='0' function='0'/></source>"),
          "*fe:00.0*", NULL, NULL, NULL },

        /* of the host */
        { "<hostdev mode='subsystem' type='usb'><source><vendor id='0xfffe'/><product id='0xfffd'/></source>"
          "</hostdev>",
          "*fffe*", NULL, NULL, NULL },
        { "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0xfe' "
          "slot='0' "
          "function='0'/></source></hostdev>",
          "*fe:00.0*", NULL, NULL, NULL },
        { "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
          "<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>",
          "*c2177883*", NULL, NULL, NULL },
        { "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host77'/>"
          "<address bus='0' target='0' unit='0'/></source></hostdev>",
          "*", NULL, NULL, NULL },
        { "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' "
          "wwpn='naa.5123456789abcde0'/></hostdev>",
          "*", NULL, NULL, NULL },

        /* memory */
        { MEMORY("dimm", "") "</target></memory>", NULL, MEMORY("dimm", "") "</target></memory>",
          "*only the requested size*", STAYS },
        { MEMORY("virtio-mem", "") "<block unit='MiB'>2</block><requested unit='MiB'>0</requested></target>"
                                   "</memory>",
          NULL,
          MEMORY("virtio-mem", "") "<block unit='MiB'>2</block><requested unit='MiB'>64</requested></target>"
                                   "</memory>",
          NULL, "*" },
        { "<memory model='virtio-pmem' access='shared'><source><path>@DIR@/pmem.img</path></source>"
          "<target><size unit='MiB'>128</size></target></memory>",
          NULL, NULL, NULL, "*cannot be unplugged*" },
        { "<memory model='nvdimm'><source><path>@DIR@/pmem.img</path></source>"
          "<target><size unit='MiB'>128</size><node>0</node></target></memory>",
          "*started without one*", NULL, NULL, NULL },
        { "<memory model='sgx-epc'><target><size unit='MiB'>16</size></target></memory>", "*", NULL, NULL,
          NULL },

        /* character devices */
        { "<serial type='pty'><target type='isa-serial' port='0'/></serial>", COLD,
          "<serial type='null'><target type='isa-serial' port='0'/></serial>", NOT_CHANGED, NOT_PLUGGED },
        { "<serial type='pty'><target type='isa-serial' port='1'/></serial>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<serial type='pty'><target type='pci-serial' port='1'/></serial>", NULL, NULL, NULL, NULL },
        { "<serial type='pty'><target type='usb-serial' port='1'/></serial>", NULL, NULL, NULL, NULL },
        { "<parallel type='null'><target port='0'/></parallel>", COLD,
          "<parallel type='null'><target port='0'/></parallel>", NOT_CHANGED, NOT_PLUGGED },
        { "<parallel type='null'><target port='1'/></parallel>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<console type='pty'><target type='virtio' port='1'/></console>", NULL, NULL, NULL, NULL },
        { "<channel type='unix'><target type='virtio' name='org.example.0'/></channel>", NULL,
          "<channel type='pty'><target type='virtio' name='org.example.0'/></channel>", NOT_CHANGED, NULL },
        { "<channel type='pty'><target type='guestfwd' address='10.0.2.100' port='5000'/></channel>", NULL,
          "<channel type='null'><target type='guestfwd' address='10.0.2.100' port='5000'/></channel>",
          "*no device of the domain matches*", NULL },
        { "<channel type='unix'><source mode='bind' path='@DIR@/forward.sock'/>"
          "<target type='guestfwd' address='10.0.2.100' port='5000'/></channel>",
          NULL, NULL, NULL, NULL },
        /* the host itself, in QEMU's network */
        { "<channel type='null'><target type='guestfwd' address='10.0.2.2' port='5000'/></channel>",
          "*10.0.2.2:5000*", NULL, NULL, NULL },
        { "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
          "*<graphics type='spice'*", NULL, NULL, NULL },
        { "<redirdev bus='usb' type='pty'/>", NULL, NULL, NULL, NULL },
        { "<redirdev bus='usb' type='spicevmc'/>", "*<graphics type='spice'*", NULL, NULL, NULL },
        { "<smartcard mode='passthrough' type='pty'/>", COLD, NULL, NULL, NOT_PLUGGED },
        { "<smartcard mode='passthrough' type='pty'/>", "*ccid controller 1*", NULL, NULL, NULL },

        /* input */
        { "<input type='tablet' bus='usb'/>", NULL, NULL, NULL, NULL },
        { "<input type='keyboard' bus='virtio'/>", NULL, NULL, NULL, NULL },
        { "<input type='mouse' bus='ps2'/>", COLD, NULL, NULL, NOT_PLUGGED },
        { "<input type='keyboard' bus='ps2'><address type='usb' bus='0' port='4'/></input>", NOT_PLUGGED,
          NULL, NULL, NULL },
        { "<input type='passthrough' bus='virtio'><source evdev='/dev/input/none'/></input>",
          "*/dev/input/none*", NULL, NULL, NULL },
        { "<input type='evdev'><source dev='/dev/input/none'/></input>", NOT_PLUGGED, NULL, NULL, NULL },

        /* the rest */
        { "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>", NULL,
          "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>", NOT_CHANGED, NULL },
        { "<watchdog model='i6300esb' action='none'/>", NULL, "<watchdog model='i6300esb' action='none'/>",
          NOT_CHANGED, NULL },
        { "<watchdog model='ib700' action='none'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<watchdog model='itco' action='none'><address type='usb' bus='0' port='4'/></watchdog>", COLD,
          NULL, NULL, NOT_PLUGGED },
        { "<shmem name='@NAME@'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>", NULL,
          "<shmem name='@NAME@'><model type='ivshmem-plain'/><size unit='M'>8</size></shmem>", NOT_CHANGED,
          NULL },
        { "<filesystem type='mount' accessmode='passthrough'><source dir='@DIR@/folder'/>"
          "<target dir='cold'/></filesystem>",
          COLD, NULL, NULL, NOT_PLUGGED },
        { "<filesystem type='mount' accessmode='passthrough'><source dir='@DIR@/folder'/>"
          "<target dir='hot'/></filesystem>",
          NOT_PLUGGED, NULL, NULL, NULL },
        { "<crypto model='virtio' type='qemu'><backend model='builtin'/></crypto>", NULL, NULL, NULL, NULL },
        { "<lease><lockspace>a</lockspace><key>b</key><target path='/c'/></lease>", "*no lock manager*", NULL,
          NULL, NULL },
        { VNC("old"), COLD, VNC("new"), NULL, NOT_PLUGGED },
        { "<graphics type='spice' autoport='yes'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<video><model type='vga'/></video>", COLD, "<video><model type='vga' vram='32768'/></video>",
          NOT_CHANGED, NOT_PLUGGED },
        { "<video><model type='virtio'/></video>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<sound model='ich9'/>", COLD, NULL, NULL, NOT_PLUGGED },
        { "<sound model='ac97'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<audio id='1' type='none'/>", COLD, NULL, NULL, NOT_PLUGGED },
        { "<audio id='2' type='none'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>", NOT_PLUGGED, NULL, NULL,
          NULL },
        { "<hub type='usb'/>", COLD, NULL, NULL, NOT_PLUGGED },
        { "<hub type='usb'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<panic model='isa'/>", COLD, NULL, NULL, NOT_PLUGGED },
        { "<panic model='hyperv'/>", NOT_PLUGGED, NULL, NULL, NULL },
        { "<iommu model='intel'/>", COLD, NULL, NULL, NOT_PLUGGED },
        { "<iommu model='virtio'/>", "*", NULL, NULL, NULL },
        { "<memballoon model='virtio'/>", COLD, "<memballoon model='virtio'><stats period='5'/></memballoon>",
          NOT_CHANGED, NOT_PLUGGED },
        { "<memballoon model='virtio'/>", "*", NULL, NULL, NULL },
        { "<nvram><address type='spapr-vio' reg='0x3000'/></nvram>", "*", NULL, NULL, NULL },
        { "<sofa/>", "*this is no device*", NULL, NULL, NULL },
};

#define PORT(index) "<controller type='pci' index='" index "' model='pcie-root-port'/>"
/* Places for what comes, and all that does not come. */
#define GUEST                                                                                                \
        "<domain type='%s'><name>fault-plug-%s</name><maxMemory slots='8' unit='MiB'>1024</maxMemory>"       \
        "<memory unit='MiB'>64</memory><memoryBacking><source type='memfd'/><access mode='shared'/>"         \
        "</memoryBacking><vcpu>1</vcpu><os><type machine='q35'>hvm</type></os><features><acpi/></features>"  \
        "<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu><devices>"                    \
        "<emulator>%s</emulator><controller type='pci' index='0' model='pcie-root'/>" PORT("1") PORT("2")    \
                PORT("3") PORT("4") PORT("5") PORT("6") PORT("7") PORT("8")                                  \
                        PORT("9") "<controller type='pci' index='10' model='pcie-to-pci-bridge'/>"           \
                                  "<controller type='usb' index='0' model='qemu-xhci'/><controller "         \
                                  "type='scsi' index='0' "                                                   \
                                  "model='virtio-scsi'/><controller type='virtio-serial' index='0'/>"

#define TAIL                                                                                                 \
        "</devices><commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'>"                         \
        "<arg value='-D'/><arg value='@DIR@/script'/></commandline></domain>"

static struct harness *harness;
static struct client *client;
static char *path; /* the guest */

static char *name_memory(void)
{
        return g_strdup_printf("virtbus-kinds-%d", getpid());
}

static char *fill_in(const char *xml)
{
        g_autofree char *name = name_memory();
        GString *text = g_string_new(xml);

        g_string_replace(text, "@DIR@", harness_get_root(harness), 0);
        g_string_replace(text, "@NAME@", name, 0);
        return g_string_free(text, FALSE);
}

static void make_file(const char *name, off_t size)
{
        g_autofree char *file = harness_path(harness, name);
        int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(fchmod(fd, 0666), 0);
        ck_assert_int_eq(ftruncate(fd, size), 0);
        close(fd);
}

static bool is_cold(const struct row *row)
{
        return g_strcmp0(row->attach, COLD) == 0;
}

static char *make_guest(void)
{
        g_autofree char *name = g_path_get_basename(harness_get_root(harness)), *text = NULL;
        GString *xml = g_string_new(NULL);

        g_string_printf(xml, GUEST, guest_get_type(), name, g_getenv("VIRTBUS_FAKE_QEMU"));
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (is_cold(&rows[i]) && !g_str_has_prefix(rows[i].xml, "<controller "))
                        g_string_append(xml, rows[i].xml);
        }
        text = g_string_free(g_string_append(xml, TAIL), FALSE);
        return fill_in(text);
}

static void set_up(void)
{
        g_autofree char *folder = NULL;

        harness = harness_new();
        client = harness_get_client(harness);
        folder = harness_path(harness, "folder");
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        make_file("script", 0);
        make_file("a.img", 1024 * 1024);
        make_file("b.img", 1024 * 1024);
        make_file("cold.img", 1024 * 1024);
        make_file("pmem.img", 128 * 1024 * 1024);
        path = guest_start(client, make_guest());
        /* Its firmware would reset the controllers, and with them the trays of their drives. */
        guest_do(client, path, "Suspend");
}

static void tear_down(void)
{
        g_autofree char *name = name_memory(), *memory = g_strconcat("/dev/shm/", name, NULL);

        unlink(memory);
        harness_free(harness);
        g_free(path);
}

/* ---- a row ---- */

static char *get_xml(void)
{
        return client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
}

static bool is_as(void *data)
{
        g_autofree char *now = get_xml();

        return strcmp(now, data) == 0;
}

/* Did it succeed? What is not as the row has it is noted. */
static bool call(const char *member, const char *xml, const char *refusal, GString *wrong)
{
        g_autofree char *filled = fill_in(xml);
        struct client_answer answer = { 0 };
        bool ok;

        client_send(client, &answer, path, DOMAIN_INTERFACE, member, "su", filled, LIVE);
        client_wait_answer(client, &answer);
        ok = !answer.error;
        if (ok != !refusal || (refusal && !g_pattern_match_simple(refusal, answer.error)))
                g_string_append_printf(wrong, "\n%s %s\n  is '%s' and was to be '%s'", member, filled,
                                       ok ? "done" : answer.error, refusal ? refusal : "done");
        g_free(answer.error);
        return ok;
}

static void walk(const struct row *row, GString *wrong)
{
        g_autofree char *before = get_xml();
        bool is_there = is_cold(row) || call("AttachDevice", row->xml, row->attach, wrong);

        if (!is_there)
                ck_assert(is_as(before));
        if (is_there && row->change)
                call("UpdateDevice", row->change, row->update, wrong);
        if (is_there && g_strcmp0(row->detach, STAYS) != 0 &&
            call("DetachDevice", row->xml, row->detach, wrong))
                harness_wait_until(is_as, before, row->xml);
}

START_TEST(test_kinds)
{
        GString *wrong = g_string_new(NULL);

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
                walk(&rows[i], wrong);
        ck_assert_msg(wrong->len == 0, "%s", wrong->str);
        g_string_free(wrong, TRUE);
}
END_TEST

/* ---- media ---- */

#define CDROM(source) DRIVE("cdrom", source, "<target dev='sdb' bus='sata'/><readonly/>")

static void attach(const char *xml, unsigned flags)
{
        g_autofree char *filled = fill_in(xml);

        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", filled, flags);
}

/* Whoever attaches a drive that is there, as virsh attach-disk does, changes its medium. */
START_TEST(test_medium)
{
        g_autofree char *before = get_xml(), *a = fill_in(IMAGE("a.img")), *b = fill_in(IMAGE("b.img"));
        g_autofree char *disk = fill_in(FILE_DISK("b.img", "<target dev='sdb' bus='sata'/>", ""));
        const char *const media[] = { a, b };

        for (unsigned i = 0; i < G_N_ELEMENTS(media); i++) {
                g_autofree char *now = NULL, *next = NULL, *xml = g_strdup_printf(CDROM("%s"), media[i]);
                g_autofree char *source = g_strndup(media[i], strlen(media[i]) - 2);

                attach(xml, i == 0 ? LIVE : LIVE | CONFIG);
                now = get_xml();
                next = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
                ck_assert_msg(strstr(now, source), "%s: %s", source, now);
                ck_assert_int_eq(strstr(next, source) != NULL, i == 1);
        }
        client_fails(client, LIBVIRT_ERROR, "*two disks have the target 'sdb'*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su", disk, LIVE);
        attach(CDROM(""), LIVE | CONFIG);
        /* What QEMU tells of the tray comes behind the answer. */
        harness_wait_until(is_as, before, "the drive is empty");
        ck_assert_uint_eq(client_count_signals(client, path, DOMAIN_INTERFACE, "DeviceAdded"), 0);
}
END_TEST

#define SHORT_DRIVE(source) "<disk type='file' device='cdrom'>" source "<target dev='sdb' bus='sata'/></disk>"

static char *get_xml_of(const char *guest, unsigned flags)
{
        return client_call_string(client, guest, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);
}

/* Changes the guest by the element, which its document says then, as that says all that it said before. */
static void change_short(const char *guest, const char *xml, const char *says)
{
        g_autofree char *filled = fill_in(xml), *text = fill_in(says), *now = NULL;

        client_do(client, guest, DOMAIN_INTERFACE, "UpdateDevice", "su", filled, LIVE);
        now = get_xml_of(guest, 0);
        ck_assert_msg(strstr(now, text), "%s: %s", text, now);
        ck_assert_msg(strstr(now, "<boot order='1'/>") && strstr(now, "<boot order='2'/>") &&
                              strstr(now, "error_policy='report'"),
                      "%s", now);
}

#define SHORT                                                                                                \
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw' error_policy='report'/>"            \
        "<source file='@DIR@/a.img'/><target dev='sdb' bus='sata'/><boot order='2'/></disk>"                 \
        "<interface type='user'><mac address='52:54:00:00:00:11'/>" VIRTIO "<boot order='1'/></interface>"

/* What scripts send: what is to change, and what names the device. */
START_TEST(test_short)
{
        g_autofree char *devices = fill_in(SHORT);
        g_autofree char *guest = guest_start(client, guest_logged_xml("short", devices));
        g_autofree char *stored = get_xml_of(guest, 2), *now = NULL;

        change_short(guest, SHORT_DRIVE(IMAGE("b.img")), "@DIR@/b.img'");
        change_short(guest, NET("user", VIRTIO DOWN), DOWN);
        ck_assert_uint_eq(guest_count_told(harness, "short", "\"set_link\""), 1);
        ck_assert_uint_ge(guest_count_told(harness, "short", "blockdev-insert-medium"), 1);
        now = get_xml_of(guest, 2);
        ck_assert_str_eq(now, stored);
}
END_TEST

/* The next agent takes the same. */
START_TEST(test_short_adopted)
{
        g_autofree char *devices = fill_in(SHORT);
        g_autofree char *guest = guest_start(client, guest_bare_xml("short-adopted", devices));

        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        change_short(guest, SHORT_DRIVE(IMAGE("b.img")), "@DIR@/b.img'");
        change_short(guest, NET("user", VIRTIO DOWN), DOWN);
}
END_TEST

/* What a definition would have again with its next change does not leave it. */
START_TEST(test_comes_back)
{
        g_autofree char *before = get_xml_of(path, 2), *after = NULL;

        client_fails(client, LIBVIRT_ERROR, "*<memballoon> comes with the machine or with another device*",
                     path, DOMAIN_INTERFACE, "DetachDevice", "su", "<memballoon model='virtio'/>", CONFIG);
        after = get_xml_of(path, 2);
        ck_assert_str_eq(after, before);
}
END_TEST

/* Nobody knows what a machine brings along whose emulator is not there any more. */
START_TEST(test_emulator_has_gone)
{
        g_autofree char *file = harness_path(harness, "emulator"), *image = fill_in("@DIR@/a.img");
        g_autofree char *real = g_find_program_in_path("qemu-system-x86_64"), *guest = NULL, *after = NULL;
        g_autofree char *text = g_strdup_printf("#!/bin/sh\nexec %s \"$@\"\n", real);

        ck_assert(g_file_set_contents(file, text, -1, NULL));
        ck_assert_int_eq(chmod(file, 0755), 0);
        guest = guest_define(
                client, g_strdup_printf("<domain type='%s'><name>gone</name><memory unit='MiB'>64</memory>"
                                        "<os><type machine='q35'>hvm</type></os><devices><emulator>%s"
                                        "</emulator><disk type='file'><source file='%s'/>"
                                        "<target dev='vda' bus='virtio'/></disk></devices></domain>",
                                        guest_get_type(), file, image));
        ck_assert_int_eq(unlink(file), 0);
        client_do(client, guest, DOMAIN_INTERFACE, "DetachDevice", "su",
                  "<disk type='file'><target dev='vda'/></disk>", CONFIG);
        after = get_xml_of(guest, 2);
        ck_assert_ptr_null(strstr(after, "<disk"));
}
END_TEST

/* ---- where memory is ---- */

#define ROOM                                                                                                 \
        "<domain type='%s'><name>fault-logged-bases</name><maxMemory slots='8' unit='MiB'>1024</maxMemory>"  \
        "<memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type machine='q35'>hvm</type></os><features><acpi" \
        "/></features><cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu><devices>"       \
        "<emulator>%s</emulator><controller type='usb' model='none'/><memballoon model='none'/>" MEMORY(     \
                "dimm", "") "</target></memory></devices></domain>"
#define FIRST  "<address type='dimm' slot='0' base='0x100000000'/>"
#define SECOND "<address type='dimm' slot='1' base='0x108000000'/>"

static void expect_bases(const char *guest, unsigned restored)
{
        g_autofree char *xml = get_xml_of(guest, 0);

        ck_assert_msg(strstr(xml, FIRST) && strstr(xml, SECOND), "%s", xml);
        ck_assert_uint_eq(guest_count_told(harness, "bases", "\"addr\":4429185024"), restored);
}

/* A guest that is restored has its memory where it was, not where QEMU would put it first of all. */
START_TEST(test_bases)
{
        g_autofree char *guest =
                guest_start(client, g_strdup_printf(ROOM, guest_get_type(), g_getenv("VIRTBUS_FAKE_QEMU")));
        g_autofree char *file = harness_path(harness, "saved"), *stored = NULL;

        client_do(client, guest, DOMAIN_INTERFACE, "AttachDevice", "su",
                  MEMORY("dimm", "") "</target></memory>", LIVE | CONFIG);
        expect_bases(guest, 0);
        /* As the guest shows it: its definition does not say where that has it. */
        client_do(client, guest, DOMAIN_INTERFACE, "DetachDevice", "su",
                  MEMORY("dimm", "") "</target>" SECOND "</memory>", CONFIG);
        stored = get_xml_of(guest, 2);
        ck_assert_msg(strstr(stored, "<address type='dimm' slot='0'/>") &&
                              !strstr(stored, "type='dimm' slot='1'"),
                      "%s", stored);
        client_do(client, guest, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", file, "", 0);
        expect_bases(guest, 1);
}
END_TEST

static bool knows_bases(void *data)
{
        g_autofree char *xml = get_xml_of(data, 0);

        return strstr(xml, FIRST) && strstr(xml, SECOND);
}

/* An agent that did not write down where they are has started it. */
START_TEST(test_bases_are_found)
{
        g_autofree char *real = g_find_program_in_path("qemu-system-x86_64");
        g_autofree char *guest = guest_start(client, g_strdup_printf(ROOM, guest_get_type(), real));
        g_autofree char *status = guest_status_path(harness, client, guest), *text = NULL;
        GString *without;

        client_do(client, guest, DOMAIN_INTERFACE, "AttachDevice", "su",
                  MEMORY("dimm", "") "</target></memory>", LIVE);
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        ck_assert(g_file_get_contents(status, &text, NULL, NULL));
        without = g_string_new(text);
        ck_assert_uint_eq(g_string_replace(without, " base='0x100000000'", "", 0), 1);
        ck_assert_uint_eq(g_string_replace(without, " base='0x108000000'", "", 0), 1);
        ck_assert(g_file_set_contents(status, without->str, -1, NULL));
        g_string_free(without, TRUE);
        harness_start_agent(harness);
        harness_wait_until(knows_bases, guest, "the agent has asked where the memory is");
}
END_TEST

/* ---- watchdogs ---- */

#define SLOTS                                                                                                \
        "<controller type='pci' index='0' model='pcie-root'/>" PORT(                                         \
                "1") "<controller type='pci' index='2' model='pcie-to-pci-bridge'/>"

/* QEMU has one action for all, and has to be told of it with the first. */
START_TEST(test_watchdog)
{
        g_autofree char *bite = guest_start(client, guest_logged_xml("bite", SLOTS));

        client_do(client, bite, DOMAIN_INTERFACE, "AttachDevice", "su",
                  "<watchdog model='i6300esb' action='dump'/>", LIVE);
        ck_assert_uint_eq(guest_count_told(harness, "bite", "\"watchdog\":\"pause\""), 1);
}
END_TEST

/* ---- names and places ---- */

/* What whoever attaches it has called it, and where it is to be. */
static const struct {
        const char *alias, *xml;
} named[] = {
        { "ua-rng", "<rng model='virtio'><backend model='random'>/dev/urandom</backend>"
                    "<alias name='ua-rng'/><address type='pci' bus='0x08' slot='0x00'/></rng>" },
        { "ua-tablet", "<input type='tablet' bus='usb'><alias name='ua-tablet'/>"
                       "<address type='usb' bus='0' port='4'/></input>" },
        { "ua-disk", "<disk type='file'><driver name='qemu' type='raw'/><source file='@DIR@/a.img'/>"
                     "<target dev='sdd' bus='scsi'/><alias name='ua-disk'/>"
                     "<address type='drive' controller='0' bus='0' target='0' unit='9'/></disk>" },
};

static void expect_named(unsigned i)
{
        g_autofree char *xml = get_xml();
        static const char *const places[] = { "<address type='pci' domain='0x0000' bus='0x08' slot='0x00'",
                                              "<address type='usb' bus='0' port='4'/>",
                                              "target='0' unit='9'/>" };
        g_autofree char *alias = g_strdup_printf("<alias name='%s'/>", named[i].alias);

        ck_assert_msg(strstr(xml, alias) && strstr(xml, places[i]), "%s: %s", alias, xml);
}

/* They are kept, by the guest and by the next agent, which takes the device out by its name. */
START_TEST(test_named)
{
        g_autofree char *before = get_xml(), *with = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(named); i++) {
                attach(named[i].xml, LIVE);
                expect_named(i);
        }
        with = get_xml();
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        harness_wait_until(is_as, with, "the guest is known, with all that it had");
        for (unsigned i = 0; i < G_N_ELEMENTS(named); i++)
                client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", named[i].alias, LIVE);
        harness_wait_until(is_as, before, "they have gone");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("plug-kinds");
        TCase *tcase = tcase_create("plug-kinds");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_kinds);
        tcase_add_test(tcase, test_medium);
        tcase_add_test(tcase, test_short);
        tcase_add_test(tcase, test_short_adopted);
        tcase_add_test(tcase, test_comes_back);
        tcase_add_test(tcase, test_emulator_has_gone);
        tcase_add_test(tcase, test_bases);
        tcase_add_test(tcase, test_bases_are_found);
        tcase_add_test(tcase, test_watchdog);
        tcase_add_test(tcase, test_named);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
