/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/normalize-xml: documents as people write them and what becomes of them
 * (tests/unit/domain-normalize/NAME.in.xml and NAME.out.xml, compared as they are written), documents that
 * cannot be, and what must not take long. With UPDATE_DOCUMENTS=1 in the environment the expected documents
 * are written anew; read what changed before you commit it.
 */
#include "drivers/domain/normalize-xml.h"

#include "base/error.h"
#include "drivers/domain/definition.h"
#include "drivers/domain/live-xml.h"
#include "tests/unit/check-main.h"

#include <string.h>

static const struct domain_machine s390x = {
        .type = "qemu",
        .arch = "s390x",
        .machine = "s390-ccw-virtio-7.2",
        .emulator = "/usr/bin/qemu-system-s390x",
        .ccw = true,
        .assign_addresses = true,
        .net_model = "virtio",
        .video_model = "virtio",
        .serial_type = "sclp-serial",
        .serial_model = "sclpconsole",
        .scsi_model = "virtio-scsi",
        .panic_model = "s390",
};

static struct domain_machine machine_for(const char *text)
{
        bool q35 = strstr(text, "q35") != NULL;

        if (strstr(text, "s390-ccw-virtio"))
                return s390x;

        return (struct domain_machine){
                .type = strstr(text, "\"kvm\"") ? "kvm" : "qemu",
                .arch = "x86_64",
                .machine = q35 ? "pc-q35-7.2" : "pc-i440fx-7.2",
                .emulator = "/usr/bin/qemu-system-x86_64",
                .max_vcpus = 288,
                .pcie_root = q35,
                .pci_root = !q35,
                .isa = true,
                .ps2 = true,
                .acpi = true,
                .assign_addresses = true,
                .usb_model = q35 ? "qemu-xhci" : "piix3-uhci",
                .net_model = "rtl8139",
                .video_model = "cirrus",
                .cpu_model = "qemu64",
        };
}

/* Normalised, put in order and read. Owned; NULL with an error. */
static char *normalize(const char *text, const struct domain_machine *machine, GError **error)
{
        struct domain_doc *doc = domain_doc_parse(text, error);
        CLEANUP(domain_def_unref)
        struct domain_def *def = doc ? domain_doc_finish(doc, machine, error) : NULL;

        return def ? g_strdup(def->base.xml) : NULL;
}

/* ---- whole documents ---- */

/* What a domain is made of when it runs leads back to what it was made from. */
static void check_active(const char *name, const char *normal)
{
        CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(normal, NULL);
        CLEANUP(domain_def_unref) struct domain_def *active = domain_def_activate(def, 3, NULL), *back = NULL;

        ck_assert_msg(active, "%s cannot be active", name);
        ck_assert_int_eq(active->id, 3);
        back = domain_def_make_migratable(active, NULL);
        ck_assert_msg(back && strcmp(back->base.xml, normal) == 0, "%s differs when migratable:\n%.3000s",
                      name, back->base.xml);
}

static void check_document(const char *name)
{
        g_autofree char *in = g_strdup_printf("%s/%s.in.xml", DOCUMENTS, name);
        g_autofree char *out = g_strdup_printf("%s/%s.out.xml", DOCUMENTS, name);
        g_autofree char *text = NULL, *expected = NULL, *normal = NULL, *again = NULL;
        g_autoptr(GError) error = NULL;
        struct domain_machine machine;

        ck_assert(g_file_get_contents(in, &text, NULL, NULL));
        machine = machine_for(text);
        normal = normalize(text, &machine, &error);
        ck_assert_msg(normal, "%s: %s", name, error ? error->message : "");
        if (g_getenv("UPDATE_DOCUMENTS"))
                g_file_set_contents(out, normal, -1, NULL);
        ck_assert(g_file_get_contents(out, &expected, NULL, NULL));
        ck_assert_msg(strcmp(normal, expected) == 0, "%s differs:\n%.3000s", name, normal);

        again = normalize(normal, &machine, &error);
        ck_assert_msg(again, "%s again: %s", name, error ? error->message : "");
        ck_assert_msg(strcmp(again, normal) == 0, "%s is not normal:\n%.3000s", name, again);
        check_active(name, normal);
}

START_TEST(test_documents)
{
        GDir *dir = g_dir_open(DOCUMENTS, 0, NULL);
        unsigned count = 0;

        ck_assert(dir);
        for (const char *file = g_dir_read_name(dir); file; file = g_dir_read_name(dir)) {
                g_autofree char *name = NULL;

                if (!g_str_has_suffix(file, ".in.xml"))
                        continue;
                name = g_strndup(file, strlen(file) - strlen(".in.xml"));
                check_document(name);
                count++;
        }
        g_dir_close(dir);
        ck_assert_uint_gt(count, 20);
}
END_TEST

/* ---- documents that cannot be ---- */

static char *domain_with(const char *machine, const char *top, const char *devices)
{
        return g_strdup_printf("<domain type=\"qemu\"><name>x</name><memory>65536</memory>%s"
                               "<os><type machine=\"%s\">hvm</type></os><devices>%s</devices></domain>",
                               top, machine, devices);
}

#define DISK(dev, more) "<disk><source file=\"/x\"/><target dev=\"" dev "\"/>" more "</disk>"

static const struct {
        const char *machine, *top, *devices, *message;
} refused[] = {
        { "q35", "<vcpu>-1</vcpu>", "", "<vcpu>" },
        { "q35", "<vcpu>4294967295</vcpu>", "", "at most 4096" },
        { "q35", "<vcpu>2147483648</vcpu>", "", "at most 4096" },
        { "q35", "<vcpu>300</vcpu>", "", "at most 288" },
        { "q35", "<vcpu>0</vcpu>", "", "missing or zero" },
        { "q35", "<vcpu current=\"3\">2</vcpu>", "", "3 current vCPUs" },
        { "q35", "<vcpu current=\"0\">2</vcpu>", "", "0 current vCPUs" },
        { "q35", "<iothreads>4294967295</iothreads>", "", "at most 1024" },
        { "q35", "<iothreads>1025</iothreads>", "", "at most 1024" },
        { "q35", "<cpu><topology sockets=\"1\" cores=\"2\" threads=\"1\"/></cpu>", "",
          "has 2 vCPUs and the domain 1" },
        /* What is empty and does not count as absent. */
        { "q35", "<vcpu/>", "", "<vcpu>" },
        { "q35", "<vcpu placement=\"\">1</vcpu>", "", "'placement'" },
        { "q35", "<vcpu cpuset=\"\">1</vcpu>", "", "'cpuset'" },
        { "q35", "<cpu mode=\"\"/>", "", "'mode'" },
        { "q35", "<features><pae/><hyperv><relaxed state=\"\"/></hyperv></features>", "", "'state'" },
        { "q35", "<clock><timer name=\"rtc\" present=\"\"/></clock>", "", "'present'" },
        { "q35", "", "<disk type=\"\"><source file=\"/x\"/><target dev=\"vda\"/></disk>", "<disk>" },
        { "q35", "", DISK("vda", "<driver cache=\"\"/>"), "'cache'" },
        { "q35", "", DISK("vda", "<boot order=\"\"/>"), "'order'" },
        { "q35", "", "<interface type=\"user\"><mac address=\"\"/></interface>", "MAC address ''" },
        { "q35", "", "<serial type=\"pty\"><target port=\"\"/></serial>", "'port'" },
        { "q35", "<features><pae/><smm state=\"on\"><tseg unit=\"KiB\">49153</tseg></smm></features>", "",
          "a multiple of 1 MiB" },
        { "q35", "<uuid>foo</uuid>", "", "malformed UUID" },
        { "q35", "<currentMemory unit=\"foo\">1</currentMemory>", "", "<currentMemory>" },
        { "q35", "", DISK("vda", "") DISK("vda", ""), "two disks have the target 'vda'" },
        { "q35", "", DISK("foo", ""), "unknown disk name 'foo'" },
        { "q35", "", DISK("nvme0", ""), "unknown disk name 'nvme0'" },
        { "q35", "", DISK("nvme0n0", ""), "unknown disk name 'nvme0n0'" },
        { "q35", "", DISK("nvme0n257", ""), "unknown disk name 'nvme0n257'" },
        { "q35", "", DISK("nvme256n1", ""), "unknown disk name 'nvme256n1'" },
        { "q35", "", DISK("nvme01n1", ""), "unknown disk name 'nvme01n1'" },
        { "q35", "", DISK("nvme0n1p1", ""), "unknown disk name 'nvme0n1p1'" },
        { "q35", "", DISK("nvme0n+1", ""), "unknown disk name 'nvme0n+1'" },
        { "q35", "", DISK("nvmen1", ""), "unknown disk name 'nvmen1'" },
        { "q35", "", DISK("nvme0n1", "<address type=\"drive\" unit=\"256\"/>"), "at most 255" },
        { "q35", "", DISK("nvme0n1", "<address type=\"drive\" bus=\"1\"/>"), "at most 0" },
        { "q35", "", DISK("nvme0n1", "<address type=\"pci\" slot=\"3\"/>"), "nvme disk needs an address" },
        { "q35", "", DISK("nvme0n2", "") DISK("nvme0n1", "<address type=\"drive\" unit=\"1\"/>"),
          "are both at unit 1, target 0, bus 0 of nvme controller 0" },
        { "q35", "",
          "<disk type=\"file\"><source file=\"/a\"/><target dev=\"nvme0n1\" bus=\"virtio\"/></disk>",
          "a disk of the name 'nvme0n1' is on bus 'nvme', not on 'virtio'" },
        { "q35", "", "<disk><source file=\"/x\"/></disk>", "without a target" },
        { "q35", "", "<disk><target dev=\"vda\"/></disk>", "disk 'vda' has no source" },
        { "q35", "", DISK("hda", ""), "no ide controller" },
        { "pc", "", DISK("hde", ""), "disk 'hde': a machine has one ide controller, with four disks" },
        { "pc", "", DISK("fdc", ""), "one fdc controller" },
        { "q35", "", DISK("sda", "<address type=\"pci\" bus=\"3\" slot=\"0\"/>"), "type drive" },
        { "q35", "", DISK("sda", "<address type=\"drive\" controller=\"4000000000\"/>"), "at most 255" },
        { "q35", "", DISK("vda", "<address type=\"pci\" slot=\"32\"/>"), "at most 31" },
        { "q35", "", DISK("vda", "<address type=\"pci\" slot=\"1\" function=\"8\"/>"), "at most 7" },
        { "q35", "", DISK("vda", "<address type=\"pci\" bus=\"256\"/>"), "at most 255" },
        { "q35", "", DISK("vda", "<address type=\"pci\" domain=\"1\" slot=\"3\"/>"), "PCI domain 1" },
        { "q35", "", DISK("vda", "<address type=\"pci\" bus=\"1\" slot=\"4\"/>"),
          "disk 'vda' is to be in slot 4 of PCI bus 1, and a pcie-root-port has the slots 0 to 0" },
        { "pc", "", DISK("vda", "<address type=\"pci\" slot=\"1\"/>"), "chip set" },
        { "q35", "", DISK("vda", "<address type=\"pci\" slot=\"0x1f\"/>"), "chip set" },
        { "q35", "",
          DISK("vda", "<address type=\"pci\" bus=\"3\"/>") DISK("vdb", "<address type=\"pci\" bus=\"3\"/>"),
          "disk 'vda' and disk 'vdb' are both at PCI address 0000:03:00.0" },
        { "q35", "",
          DISK("sda", "<address type=\"drive\" unit=\"2\"/>")
                  DISK("sdb", "<address type=\"drive\" unit=\"2\"/>"),
          "disk 'sda' and disk 'sdb' are both at unit 2" },
        { "q35", "", "<controller type=\"pci\"/>",
          "controller 1 has no model: expected pci-root, pcie-root, " },
        { "q35", "", "<controller type=\"pci\" model=\"pci-root\"/>", "pcie-root of this machine" },
        { "q35", "", "<controller type=\"pci\" model=\"pcie-root\" index=\"1\"/>",
          "pcie-root of this machine" },
        { "q35", "", "<controller type=\"foo\"/>", "unknown type 'foo' of foo controller" },
        { "q35", "", "<controller type=\"scsi\" index=\"0\"/><controller type=\"scsi\" index=\"0\"/>",
          "two scsi controllers have the index 0" },
        { "q35", "", "<controller type=\"scsi\" index=\"4294967295\"/>", "at most 65535" },
        { "q35", "", "<controller type=\"sata\" index=\"0\"><address type=\"pci\" slot=\"4\"/></controller>",
          "0000:00:1f.2" },
        { "pc", "", "<controller type=\"pci\" model=\"pcie-root-port\"/>", "no free PCI slot" },
        { "pc", "", "<controller type=\"usb\" model=\"none\"/><input type=\"tablet\" bus=\"usb\"/>",
          "USB is disabled" },
        { "pc", "", "<input type=\"tablet\" bus=\"usb\"><address type=\"usb\" bus=\"0\" port=\"9\"/></input>",
          "input 'tablet' is to be at port 9 of USB controller 0" },
        { "pc", "",
          "<input type=\"tablet\" bus=\"usb\"><address type=\"usb\" bus=\"0\" port=\"1.1\"/></input>",
          "input 'tablet' is to be at port 1.1 of USB controller 0" },
        { "pc", "",
          "<input type=\"tablet\" bus=\"usb\"><address type=\"usb\" bus=\"0\" port=\"1..1\"/></input>",
          "malformed USB port" },
        { "pc", "", "<input type=\"tablet\" bus=\"usb\"><address type=\"usb\" bus=\"2\"/></input>",
          "input 'tablet' is to be at USB controller 2, which is not there" },
        { "pc", "", "<input type=\"tablet\" bus=\"ps2\"/>", "ps2 bus" },
        { "pc", "", "<input type=\"warp\"/>", "expected mouse, tablet, keyboard, passthrough or evdev" },
        { "q35", "", "<disk type=\"file\"><source file=\"/a\"/><target dev=\"vda\" bus=\"warp\"/></disk>",
          "unknown bus 'warp' of disk 'vda': expected ide, fdc, " },
        { "q35", "", "<disk type=\"file\"><source file=\"/a\"/><target dev=\"hda\" bus=\"ide\"/></disk>",
          "no ide controller for disks of bus 'ide': use bus 'sata'" },
        { "q35", "",
          "<channel type=\"pty\"><target type=\"virtio\" name=\"a\"/><address type=\"virtio-serial\" "
          "port=\"31\"/></channel>",
          "channel 'a' is to be at port 31, and virtio-serial controller 0 has the ports 0 to 30" },
        { "q35", "", "<console type=\"pty\"/><console type=\"pty\"/>", "only the first console" },
        { "q35", "",
          "<channel type=\"pty\"><target type=\"virtio\" name=\"a\"/><address type=\"virtio-serial\" "
          "port=\"1\"/></channel>"
          "<channel type=\"pty\"><target type=\"virtio\" name=\"b\"/><address type=\"virtio-serial\" "
          "port=\"1\"/></channel>",
          "channel 'a' and channel 'b' are both at port 1" },
        { "q35", "", "<channel type=\"pty\"/>", "target of a channel" },
        { "q35", "", "<interface type=\"user\"><mac address=\"foo\"/></interface>",
          "malformed MAC address 'foo'" },
        { "q35", "", "<interface type=\"user\"><mac address=\"01:00:00:00:00:01\"/></interface>",
          "one of a group" },
        { "q35", "", "<interface/>", "without a type" },
        { "q35", "",
          "<graphics type=\"vnc\" listen=\"::1\"><listen type=\"address\" address=\"::2\"/></graphics>",
          "'::1'" },
        { "q35", "", "<graphics type=\"vnc\" port=\"70000\"/>", "no port number" },
        { "q35", "", "<video><model type=\"qxl\"/></video><video><model type=\"cirrus\"/></video>",
          "primary" },
        { "q35", "", DISK("vda", "<boot order=\"1\"/>") DISK("vdb", "<boot order=\"1\"/>"),
          "boot order 1 is both that of disk 'vda' and of disk 'vdb'" },
        { "q35", "", DISK("vda", "<boot order=\"0\"/>"), "counts from 1" },
};

static void check_refused(unsigned i)
{
        g_autofree char *text = domain_with(refused[i].machine, refused[i].top, refused[i].devices);
        struct domain_machine machine = machine_for(text);
        g_autoptr(GError) error = NULL;
        g_autofree char *normal = normalize(text, &machine, &error);

        ck_assert_msg(!normal, "accepted: %s", text);
        ck_assert(error_is(error, ERROR_XML_ERROR) || error_is(error, ERROR_CONFIG_UNSUPPORTED));
        ck_assert_msg(strstr(error->message, refused[i].message), "'%s' is not in: %s", refused[i].message,
                      error->message);
        ck_assert_msg(strstr(error->message, " at line 1 ") || strstr(error->message, "controller"), "%s",
                      error->message);
}

START_TEST(test_refused)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++)
                check_refused(i);
}
END_TEST

START_TEST(test_no_memory)
{
        struct domain_machine machine = machine_for("q35");
        g_autoptr(GError) error = NULL;
        g_autofree char *normal =
                normalize("<domain><name>x</name><os><type>hvm</type></os></domain>", &machine, &error);

        ck_assert(!normal);
        ck_assert_str_eq(error->message, "XML error: the size of the memory is missing or zero (<memory>)");
}
END_TEST

/* ---- NVMe ---- */

/* A disk is the namespace that its name says; its controller comes with it and has a serial, as QEMU wants.
 */
START_TEST(test_namespaces)
{
        static const char *const parts[] = {
                "<target dev='nvme0n256' bus='nvme'/>\n      <address type='drive' controller='0' bus='0' "
                "target='0' unit='255'/>",
                "<target dev='nvme2n1' bus='nvme'/>\n      <address type='drive' controller='2' bus='0' "
                "target='0' unit='0'/>",
                "<target dev='sda' bus='nvme'/>\n      <address type='drive' controller='0' bus='0' "
                "target='0' "
                "unit='0'/>",
                "<controller type='nvme' index='0'>\n      <address type='pci' domain='0x0000' bus='0x04' "
                "slot='0x00' function='0x0'/>\n      <serial>nvme0</serial>",
                "<controller type='nvme' index='1'>\n      <address type='pci' domain='0x0000' bus='0x01' "
                "slot='0x00' function='0x0'/>\n      <serial>S 1</serial>",
                "<controller type='nvme' index='2'>\n      <address type='pci' domain='0x0000' bus='0x05' "
                "slot='0x00' function='0x0'/>\n      <serial>nvme2</serial>",
                "<serial>nvme3</serial>",
        };
        g_autofree char *text = domain_with(
                "q35", "",
                DISK("nvme2n1", "")
                        DISK("nvme0n256", "") "<disk type=\"file\"><source file=\"/x\"/><target dev=\"sda\" "
                                              "bus=\"nvme\"/></disk><controller type=\"nvme\" index=\"1\">"
                                              "<serial>S 1</serial></controller>"
                                              "<controller type=\"nvme\" index=\"3\"/>");
        struct domain_machine machine = machine_for(text);
        g_autofree char *first = normalize(text, &machine, NULL), *second = NULL;

        ck_assert_ptr_nonnull(first);
        for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
                ck_assert_msg(strstr(first, parts[i]), "'%s' is not in %s", parts[i], first);
        second = normalize(first, &machine, NULL);
        ck_assert_str_eq(first, second);
}
END_TEST

/* ---- made up ---- */

START_TEST(test_random)
{
        g_autofree char *text = domain_with("q35", "", "<interface type=\"user\"/>");
        struct domain_machine machine = machine_for(text);
        g_autofree char *first = normalize(text, &machine, NULL), *second = normalize(text, &machine, NULL);

        ck_assert(strstr(first, "<uuid>") && strstr(first, "<mac address='52:54:00:"));
        ck_assert_str_ne(first, second);
}
END_TEST

/* ---- other machines ---- */

START_TEST(test_no_bus)
{
        struct domain_machine machine = { .type = "test", .arch = "i686" };
        g_autofree char *text =
                domain_with("x", "", DISK("vda", "") "<controller type=\"pci\" model=\"pcie-root\"/>");
        g_autofree char *normal = normalize(text, &machine, NULL);

        ck_assert(strstr(normal, "<disk type='file' device='disk'>\n      <source file='/x'/>\n"
                                 "      <target dev='vda' bus='virtio'/>\n    </disk>\n"));
        ck_assert(strstr(normal, "    <controller type='pci' index='0' model='pcie-root'/>\n  </devices>"));
        ck_assert(!strstr(normal, "address"));
}
END_TEST

START_TEST(test_virt)
{
        struct domain_machine machine = { .type = "kvm",
                                          .arch = "aarch64",
                                          .machine = "virt-7.2",
                                          .emulator = "/usr/bin/qemu-system-aarch64",
                                          .pcie_root = true,
                                          .assign_addresses = true,
                                          .net_model = "virtio",
                                          .video_model = "virtio",
                                          .serial_type = "system-serial",
                                          .serial_model = "pl011",
                                          .gic_version = "2",
                                          .acpi = true,
                                          .acpi_needs_uefi = true,
                                          .no_balloon = true };
        g_autofree char *text = domain_with(
                "virt", "", DISK("vda", "") "<serial/><input type=\"tablet\"/><graphics type=\"vnc\"/>");
        g_autofree char *normal = normalize(text, &machine, NULL);
        g_autofree char *acpi = domain_with("virt", "<features><acpi/></features>", "");
        g_autoptr(GError) error = NULL;

        ck_assert(strstr(normal, "<target type='system-serial' port='0'>"));
        ck_assert(strstr(normal, "<controller type='usb' index='0' model='qemu-xhci'>"));
        ck_assert(strstr(normal, "<input type='tablet' bus='usb'>"));
        ck_assert(strstr(normal, "<gic version='2'/>"));
        ck_assert(!strstr(normal, "ps2") && !strstr(normal, "sata") && !strstr(normal, "memballoon"));
        ck_assert(!normalize(acpi, &machine, &error));
        ck_assert_msg(strstr(error->message, "ACPI comes from UEFI"), "%s", error->message);
}
END_TEST

/* Numbers in the order in which libvirt gives them out; those of the document are nobody else's. */
START_TEST(test_channels)
{
        g_autofree char *text = domain_with(
                "s390-ccw-virtio", "",
                DISK("vda", "") DISK("vdb", "<address type=\"ccw\" cssid=\"0xfe\" ssid=\"0\" devno=\"1\"/>")
                        DISK("sda", "") "<interface type=\"user\"/><graphics type=\"vnc\"/>"
                                        "<console type=\"pty\"/><input type=\"mouse\" bus=\"virtio\"/>");
        g_autofree char *normal = normalize(text, &s390x, NULL);
        static const char *const expected[] = {
                "<target dev='vda' bus='virtio'/>\n      <address type='ccw' cssid='0xfe' ssid='0x0' "
                "devno='0x0000'/>",
                "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0001'/>",
                "<model type='virtio'/>\n      <address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0002'/>",
                "primary='yes'/>\n      <address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0003'/>",
                "<controller type='scsi' index='0' model='virtio-scsi'>\n      <address type='ccw' "
                "cssid='0xfe' ssid='0x0' devno='0x0004'/>",
                "<input type='mouse' bus='virtio'>\n      <address type='ccw' cssid='0xfe' ssid='0x0' "
                "devno='0x0005'/>",
                "<memballoon model='virtio'>\n      <address type='ccw' cssid='0xfe' ssid='0x0' "
                "devno='0x0006'/>",
                "<model name='sclpconsole'/>",
                "<panic model='s390'/>",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++)
                ck_assert_msg(normal && strstr(normal, expected[i]), "%s is not in:\n%s", expected[i],
                              normal);
        ck_assert(!strstr(normal, "type='pci' domain") && !strstr(normal, "type='usb'"));
}
END_TEST

#define RNG(address) "<rng model=\"virtio\"><backend model=\"builtin\"/>" address "</rng>"

static const struct {
        const char *top, *devices, *message;
} no_channels[] = {
        { "<features><acpi/></features>", "", "machine 's390-ccw-virtio-7.2' has no ACPI" },
        { "", "<interface type=\"user\"><model type=\"e1000\"/></interface>", "use a virtio model" },
        { "", "<controller type=\"usb\" model=\"qemu-xhci\"/>", "use a virtio model" },
        { "", "<controller type=\"pci\" index=\"1\" model=\"pcie-root-port\"/>",
          "are of model 'pci-bridge', not 'pcie-root-port'" },
        { "", "<interface type=\"user\"><model type=\"e1000\"/><address type=\"pci\"/></interface>",
          "not for interface" },
        { "",
          "<interface type=\"user\"><model type=\"e1000\"/><address type=\"ccw\" devno=\"5\"/></interface>",
          "not for interface" },
        { "",
          "<hostdev mode=\"subsystem\" type=\"pci\"><source><address domain=\"0\" bus=\"0\" slot=\"4\" "
          "function=\"0\"/></source><address type=\"ccw\" devno=\"5\"/></hostdev>",
          "not for hostdev" },
        { "", RNG("<address type=\"ccw\"><zpci uid=\"1\"/></address>"),
          "<zpci> needs an <address> of type 'pci'" },
        { "", RNG("<address type=\"pci\"><zpci uid=\"0x0\"/></address>"),
          "'uid' is 0 and must be at least 1" },
        { "", RNG("<address type=\"pci\"><zpci uid=\"0x10000\"/></address>"), "at most 65535" },
        { "", RNG("<address type=\"pci\"><zpci fid=\"0x100000000\"/></address>"), "'fid'" },
        { "", RNG("<address type=\"pci\"><zpci fid=\"-1\"/></address>"), "'fid'" },
        { "",
          RNG("<address type=\"pci\"><zpci uid=\"0xa\"/></address>")
                  RNG("<address type=\"pci\"><zpci uid=\"10\" fid=\"7\"/></address>"),
          "two devices have the uid 0xa" },
        { "",
          RNG("<address type=\"pci\"><zpci fid=\"0\"/></address>")
                  RNG("<address type=\"pci\"><zpci uid=\"10\" fid=\"0x0\"/></address>"),
          "two devices have the fid 0x0" },
        { "", RNG("<address type=\"pci\" slot=\"3\" multifunction=\"on\"/>"),
          "a PCI device of s390x is alone" },
        { "",
          RNG("<address type=\"pci\" slot=\"3\"/>") RNG("<address type=\"pci\" slot=\"3\" function=\"4\"/>"),
          "a PCI device of s390x is alone" },
        { "",
          "<rng model=\"virtio\"><backend model=\"builtin\"/><address type=\"ccw\" cssid=\"0xfd\" "
          "ssid=\"0\" devno=\"0\"/></rng>",
          "channel subsystem 0xfe" },
        { "",
          "<rng model=\"virtio\"><backend model=\"builtin\"/><address type=\"ccw\" cssid=\"0xfe\" "
          "ssid=\"2\" devno=\"7\"/></rng>"
          "<rng model=\"virtio\"><backend model=\"builtin\"/><address type=\"ccw\" cssid=\"0xfe\" "
          "ssid=\"2\" devno=\"7\"/></rng>",
          "two devices have the number fe.2.0007" },
};

/* What would not fit on the root bus has a bridge, whose numbers are not in the way of its devices. */
START_TEST(test_zpci_bridge)
{
        g_autoptr(GString) devices = g_string_new("<memballoon model=\"none\"/>");
        g_autofree char *text = NULL, *normal = NULL, *again = NULL;

        for (unsigned i = 0; i < 32; i++)
                g_string_append(devices, RNG("<address type=\"pci\"/>"));
        text = domain_with("s390-ccw-virtio", "", devices->str);
        normal = normalize(text, &s390x, NULL);
        ck_assert(normal && strstr(normal, "slot='0x01' function='0x0'>\n        <zpci uid='0x0021' "
                                           "fid='0x00000020'/>\n      </address>\n    </controller>"));
        ck_assert(strstr(normal, "bus='0x00' slot='0x02' function='0x0'>\n        <zpci uid='0x0001' "
                                 "fid='0x00000000'/>"));
        ck_assert(strstr(normal, "bus='0x01' slot='0x02' function='0x0'>\n        <zpci uid='0x0020' "
                                 "fid='0x0000001f'/>"));
        again = normalize(normal, &s390x, NULL);
        ck_assert_str_eq(again, normal);
}
END_TEST

START_TEST(test_no_channel)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(no_channels); i++) {
                g_autofree char *text =
                        domain_with("s390-ccw-virtio", no_channels[i].top, no_channels[i].devices);
                g_autoptr(GError) error = NULL;
                g_autofree char *normal = normalize(text, &s390x, &error);

                ck_assert_msg(!normal && strstr(error->message, no_channels[i].message), "%s",
                              error ? error->message : normal);
        }
}
END_TEST

/* What is on the hypervisor's bus, what is on PCI, and what comes with graphics. */
START_TEST(test_pseries)
{
        static const struct domain_machine machine = {
                .type = "qemu",
                .arch = "ppc64",
                .machine = "pseries-7.2",
                .emulator = "/usr/bin/qemu-system-ppc64",
                .pci_root = true,
                .spapr = true,
                .usb_input = true,
                .assign_addresses = true,
                .usb_model = "qemu-xhci",
                .net_model = "rtl8139",
                .video_model = "vga",
                .serial_type = "spapr-vio-serial",
                .serial_model = "spapr-vty",
                .scsi_model = "ibmvscsi",
                .tpm_model = "tpm-spapr",
                .panic_model = "pseries",
        };
        static const char *const expected[] = {
                "<model name='spapr-pci-host-bridge'/>\n      <target index='0'/>",
                "<controller type='scsi' index='0' model='ibmvscsi'>\n      <address type='spapr-vio' "
                "reg='0x00002000'/>",
                "<model type='spapr-vlan'/>\n      <address type='spapr-vio' reg='0x00001000'/>",
                "<address type='spapr-vio' reg='0x30000000'/>",
                "<address type='spapr-vio' reg='0x30002000'/>",
                "<address type='spapr-vio' reg='0x00003000'/>",
                "<input type='keyboard' bus='usb'>",
                "<input type='mouse' bus='usb'>",
                "<panic model='pseries'/>",
        };
        g_autofree char *text = domain_with(
                "pseries", "",
                DISK("sda", "") "<interface type=\"user\"><model type=\"spapr-vlan\"/></interface>"
                                "<serial type=\"pty\"/><serial type=\"pty\"><target "
                                "type=\"spapr-vio-serial\"/><address type=\"spapr-vio\" "
                                "reg=\"0x30001000\"/></serial><serial type=\"pty\"/><nvram/>"
                                "<graphics type=\"vnc\"/>");
        g_autofree char *normal = normalize(text, &machine, NULL);

        for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++)
                ck_assert_msg(normal && strstr(normal, expected[i]), "%s is not in:\n%s", expected[i],
                              normal);
}
END_TEST

/* ---- many ---- */

static char *many_disks(const char *machine, unsigned count, unsigned bus)
{
        static const char *const names[] = { "virtio", "usb", "scsi" };
        g_autoptr(GString) devices = g_string_new(NULL);

        for (unsigned i = 0; i < count; i++) {
                char letters[3] = { (char)('a' + i / 26 % 26), (char)('a' + i % 26), '\0' };

                g_string_append_printf(
                        devices, "<disk><source file=\"/x\"/><target dev=\"%s%c%s\" bus=\"%s\"/></disk>",
                        bus == 0 ? "vd" : "sd", 'a' + (int)(i / 676), letters, names[bus]);
        }
        return domain_with(machine, "", devices->str);
}

static void check_many(const char *machine_name, unsigned bus)
{
        g_autofree char *text = many_disks(machine_name, 700, bus);
        struct domain_machine machine = machine_for(text);
        g_autoptr(GError) error = NULL;
        g_autofree char *normal = normalize(text, &machine, &error);

        ck_assert_msg(normal, "%s", error ? error->message : "");
}

/* Steps that look at every pair of devices would be noticed here, far away from the bound. */
START_TEST(test_many)
{
        gint64 start = g_get_monotonic_time();

        check_many("pc", 0);
        check_many("q35", 1);
        check_many("q35", 2);
        ck_assert_int_lt(g_get_monotonic_time() - start, 10 * G_USEC_PER_SEC);
}
END_TEST

START_TEST(test_too_many)
{
        g_autofree char *devices = many_disks("q35", DOMAIN_DEVICES_MAX + 1, 0),
                        *ports = many_disks("q35", 300, 0);
        struct domain_machine machine = machine_for("q35");
        g_autoptr(GError) error = NULL, no_slot = NULL;

        ck_assert(!normalize(devices, &machine, &error));
        ck_assert(strstr(error->message, "more than 1024 devices"));
        ck_assert(!normalize(ports, &machine, &no_slot));
        ck_assert(strstr(no_slot->message, "no free PCI slot"));
}
END_TEST

CHECK_MAIN("domain-normalize", test_documents, test_refused, test_no_memory, test_namespaces, test_random,
           test_no_bus, test_virt, test_channels, test_zpci_bridge, test_no_channel, test_pseries, test_many,
           test_too_many)
