/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests of other architectures than the host's, emulated, without an operating system: what their firmware
 * says on their console, which is another device on each. A case is skipped where its emulator is not
 * installed.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static const struct {
        const char *arch, *machine, *firmware, *cpu;
        unsigned memory_mib;
        const char *says;
} guests[] = {
        { "aarch64", "virt", " firmware='efi'", "<cpu><model>cortex-a57</model></cpu>", 256,
          "UEFI firmware" },
        { "riscv64", "virt", "", "", 128, "OpenSBI" },
        { "ppc64", "pseries", "", "", 256, "SLOF" },
        { "s390x", "s390-ccw-virtio", "", "", 128, "LOADPARM" },
};

static bool can_run(const char *arch, bool uefi)
{
        g_autofree char *emulator = g_strconcat("/usr/bin/qemu-system-", arch, NULL);

        if (access(emulator, X_OK) < 0) {
                harness_skip("an emulator of aarch64, riscv64, ppc64 or s390x is not installed");
                return false;
        }
        if (uefi && access("/usr/share/AAVMF/AAVMF_CODE.fd", R_OK) < 0) {
                harness_skip("UEFI firmware for aarch64 is not installed");
                return false;
        }
        return true;
}

static char *make_xml(unsigned i, const char *console)
{
        return g_strdup_printf("<domain type='qemu'><name>%s</name><memory unit='MiB'>%u</memory>"
                               "<os%s><type arch='%s' machine='%s'>hvm</type></os>%s"
                               "<devices><interface type='user'/><console type='file'><source path='%s'/>"
                               "</console></devices></domain>",
                               guests[i].arch, guests[i].memory_mib, guests[i].firmware, guests[i].arch,
                               guests[i].machine, guests[i].cpu, console);
}

START_TEST(test_firmware)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = NULL;

        if (!can_run(guests[_i].arch, *guests[_i].firmware != '\0'))
                return;
        /* Firmware that finds nothing to boot may end its guest, or wait: either is well. */
        path = guest_start(client, make_xml((unsigned)_i, console));
        guest_wait_console(console, guests[_i].says);
}
END_TEST

/* ---- PCI on s390x ---- */

#define INTERFACE(number, parts)                                                                             \
        "<interface type='user'><mac address='52:54:00:00:00:0" number "'/><model type='virtio'/>" parts     \
        "</interface>"

static bool has(const char *path, const char *text)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);

        return strstr(xml, text) != NULL;
}

static void attach(const char *path, const char *xml)
{
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, 1);
}

/*
 * Devices come with what their guest knows them by, and go with it. One that QEMU would not make is not in
 * the way of the next. Where no guest lets go of a device, a reset takes it.
 */
START_TEST(test_zpci)
{
        g_autofree char *path = NULL;

        if (!can_run("s390x", false))
                return;
        path = guest_define(client,
                            g_strdup("<domain type='qemu'><name>zpci</name><memory unit='MiB'>128</memory>"
                                     "<os><type arch='s390x' machine='s390-ccw-virtio'>hvm</type></os>"
                                     "<devices><memballoon model='none'/>" INTERFACE(
                                             "1", "<address type='pci'/>") "</devices></domain>"));
        guest_do_flags(client, path, "Create", 1);
        ck_assert(has(path, "<zpci uid='0x0001' fid='0x00000000'/>"));
        attach(path, INTERFACE("2", "<address type='pci'><zpci fid='7'/></address>"));
        ck_assert(has(path, "<zpci uid='0x0002' fid='0x00000007'/>"));

        client_fails(client, LIBVIRT_ERROR, "*two devices have the uid 0x2*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su", INTERFACE("3", "<address type='pci'><zpci uid='2'/></address>"),
                     1);
        client_fails(client, LIBVIRT_ERROR, "*/none*", path, DOMAIN_INTERFACE, "AttachDevice", "su",
                     "<rng model='virtio'><backend model='random'>/none</backend><address type='pci'/></rng>",
                     1);
        client_fails(client, LIBVIRT_ERROR, "*romfile*", path, DOMAIN_INTERFACE, "AttachDevice", "su",
                     INTERFACE("3", "<rom file='/none'/><address type='pci'/>"), 1);
        client_fails(client, LIBVIRT_ERROR, "*keeps 'zpci3' of device 'net2'*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su",
                     "<rng model='virtio'><backend model='builtin'/><address type='pci'/></rng>", 1);
        attach(path, "<rng model='virtio'><backend model='builtin'/><address type='pci'>"
                     "<zpci uid='0xffff' fid='0xffffffff'/></address></rng>");
        attach(path, INTERFACE("3", "<address type='pci'/>"));
        ck_assert(has(path, "<zpci uid='0x0003' fid='0x00000001'/>"));

        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su",
                  INTERFACE("2", "<address type='pci' domain='0' bus='0' slot='2' function='0'>"
                                 "<zpci uid='2' fid='7'/></address>"),
                  1);
        ck_assert(has(path, "<zpci uid='0x0002' fid='0x00000007'/>"));
        client_do(client, path, DOMAIN_INTERFACE, "Reset", "u", 0);
        guest_wait_device(client, path, "DeviceRemoved", "net1");
        ck_assert(!has(path, "<zpci uid='0x0002'"));
        attach(path, INTERFACE("4", "<address type='pci'><zpci uid='2' fid='7'/></address>"));
        ck_assert(has(path, "<zpci uid='0x0002' fid='0x00000007'/>"));
        /* What QEMU 7.2 cannot write down of a guest is named. */
        client_fails(client, LIBVIRT_ERROR, "*non-migratable device 'zpci'*", path, DOMAIN_INTERFACE,
                     "ManagedSave", "u", 0);
        guest_expect_state(client, path, 3, 1);
}
END_TEST

/* A machine type of theirs that is not driven is refused by its name. */
START_TEST(test_other_machine)
{
        g_autofree char *path = NULL;

        if (!can_run("riscv64", false))
                return;
        path = guest_define(client,
                            g_strdup("<domain type='qemu'><name>spike</name><memory>131072</memory><os>"
                                     "<type arch='riscv64' machine='spike'>hvm</type></os></domain>"));
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: machine 'spike' of architecture*",
                     path, DOMAIN_INTERFACE, "Create", "u", 0);
}
END_TEST

/* What the host has to have for it is named. */
START_TEST(test_no_sev)
{
        bool kvm = strcmp(guest_get_type(), "kvm") == 0;
        g_autofree char *path = NULL;

        if (access("/dev/sev", F_OK) == 0) {
                harness_skip("this host has SEV");
                return;
        }
        path = guest_define(
                client, g_strdup_printf("<domain type='%s'><name>sev</name><memory>65536</memory>"
                                        "<os><type machine='q35'>hvm</type></os><launchSecurity type='sev'>"
                                        "<policy>3</policy></launchSecurity></domain>",
                                        guest_get_type()));
        client_fails(client, LIBVIRT_ERROR,
                     kvm ? "unsupported configuration: *there is no /dev/sev*"
                         : "unsupported configuration: <launchSecurity type='sev'> without KVM*",
                     path, DOMAIN_INTERFACE, "Create", "u", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("architectures");
        TCase *tcase = tcase_create("architectures");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_loop_test(tcase, test_firmware, 0, G_N_ELEMENTS(guests));
        tcase_add_test(tcase, test_zpci);
        tcase_add_test(tcase, test_other_machine);
        tcase_add_test(tcase, test_no_sev);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
