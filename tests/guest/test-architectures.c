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
        tcase_add_test(tcase, test_other_machine);
        tcase_add_test(tcase, test_no_sev);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
