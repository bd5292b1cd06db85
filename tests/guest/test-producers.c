/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whole documents in the way in which programs write them (tests/guest/documents), defined and started: what
 * QEMU makes of each runs (by emulation: of a host's own CPU not every host can make a guest's). What they
 * mean was compared with libvirt; docs/API.md says where it differs.
 */

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define UNDEFINE_NVRAM 4
#define UNDEFINE_TPM   32

static const char *const documents[] = {
        "cloudstack-system-vm",
        "cloudstack-uefi",
        "cloudstack-user-vm",
        "cloudstack-windows",
        "cockpit-edited",
        "cockpit-new",
        "dumped-running",
        "gitlab-runner-transient",
        "gnome-boxes",
        "gnome-boxes-efi",
        "harvester-gui",
        "harvester-modern",
        "kubevirt-container-disk",
        "kubevirt-dedicated",
        "kubevirt-modern",
        "kubevirt-vsock",
        "libguestfs-appliance",
        "macos-opencore",
        "minikube",
        "minimal",
        "nixvirt-linux",
        "nixvirt-windows",
        "opennebula-basic",
        "opennebula-context",
        "opennebula-features",
        "opennebula-modern",
        "openshift-installer",
        "openstack-nova",
        "openstack-scsi",
        "ovirt-desktop",
        "ovirt-modern",
        "ovirt-server",
        "packer-build",
        "proxmox-moved",
        "terraform-basic",
        "terraform-ignition",
        "terraform-ignition-entry",
        "terraform-q35",
        "vagrant-default",
        "vagrant-everything",
        "vagrant-many",
        "vagrant-qemuargs",
        "virt-install-cloud-init",
        "virt-install-import",
        "virt-install-kernel",
        "virt-install-linux",
        "virt-install-microvm",
        "virt-install-uefi",
        "virt-install-windows",
        "virt-install-xp",
        "virt-manager-customised",
        "virt-manager-edited",
        "virt-manager-filesystem",
        "virt-manager-headless",
        "virt-v2v-linux",
        "virt-v2v-windows",
};

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        static const char network[] = "<network><name>default</name></network>";

        harness = harness_new();
        client = harness_get_client(harness);
        if (geteuid() == 0)
                client_do(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s", network);
}

static void tear_down(void)
{
        harness_free(harness);
}

/* ---- what the documents name ---- */

static void make_raw(const char *folder, const char *name, int64_t bytes)
{
        g_autofree char *path = g_build_filename(folder, name, NULL);

        ck_assert(g_file_set_contents(path, "", 0, NULL));
        ck_assert_int_eq(truncate(path, bytes), 0);
}

/* backing may be NULL. */
static void make_qcow2(const char *folder, const char *name, const char *backing)
{
        g_autofree char *path = g_build_filename(folder, name, NULL);
        const char *whole[] = { "qemu-img", "create", "-q", "-f", "qcow2", path, "16M", NULL };
        const char *overlay[] = { "qemu-img", "create", "-q",    "-f", "qcow2", "-F",
                                  "qcow2",    "-b",     backing, path, NULL };
        int status = 0;

        ck_assert(g_spawn_sync(folder, (char **)(backing ? overlay : whole), NULL, G_SPAWN_SEARCH_PATH, NULL,
                               NULL, NULL, NULL, &status, NULL));
        ck_assert_int_eq(status, 0);
}

static char *make_folder(void)
{
        char *folder = harness_path(harness, "d");
        g_autofree char *seed = g_build_filename(folder, "seed", NULL);

        ck_assert_int_eq(mkdir(folder, 0755), 0);
        ck_assert_int_eq(mkdir(seed, 0755), 0);
        make_raw(seed, "user-data", 64);
        make_raw(folder, "a.raw", 16 << 20);
        make_raw(folder, "b.raw", 16 << 20);
        make_raw(folder, "cd.iso", 1 << 20);
        make_raw(folder, "floppy.raw", 1440 << 10);
        make_qcow2(folder, "base.qcow2", NULL);
        make_qcow2(folder, "a.qcow2", "base.qcow2");
        make_qcow2(folder, "b.qcow2", NULL);
        return folder;
}

static void replace(char **text, const char *what, const char *by)
{
        g_auto(GStrv) parts = g_strsplit(*text, what, -1);

        g_free(*text);
        *text = g_strjoinv(by, parts);
}

static char *read_document(const char *name, const char *folder)
{
        g_autofree char *path = g_strdup_printf("%s/tests/guest/documents/%s.xml",
                                                g_getenv("VIRTBUS_SOURCE_DIR"), name),
                        *kernel = g_build_filename(g_getenv("VIRTBUS_GUEST_DIR"), "vmlinux", NULL),
                        *initrd = g_build_filename(g_getenv("VIRTBUS_GUEST_DIR"), "initrd.img", NULL);
        char *text = NULL;

        ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
        replace(&text, "@TYPE@", "qemu");
        replace(&text, "@CPU@", "maximum");
        replace(&text, "@DIR@", folder);
        replace(&text, "@KERNEL@", kernel);
        replace(&text, "@INITRD@", initrd);
        replace(&text, "@SEABIOS@", "/usr/share/seabios/bios-256k.bin");
        return text;
}

/* What this host lacks for the document; NULL: nothing. */
static const char *find_lack(const char *text)
{
        static const struct {
                const char *part, *path, *what;
        } needs[] = {
                { "firmware=\"efi\"", "/usr/share/OVMF", "OVMF" },
                { "OVMF_CODE_4M", "/usr/share/OVMF/OVMF_CODE_4M.fd", "OVMF" },
                { "<tpm", "/usr/bin/swtpm", "swtpm" },
                { "<vsock", "/dev/vhost-vsock", "vhost-vsock" },
                { "name='vhost'", "/dev/vhost-net", "vhost-net" },
                { "name=\"vhost\"", "/dev/vhost-net", "vhost-net" },
                { "<loader readonly=\"yes\" type=\"rom\">", "/usr/share/seabios/bios-256k.bin", "SeaBIOS" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++) {
                if (strstr(text, needs[i].part) && access(needs[i].path, F_OK) != 0)
                        return needs[i].what;
        }
        if (strstr(text, "spice") && access("/usr/lib/x86_64-linux-gnu/qemu/ui-spice-core.so", F_OK) != 0 &&
            access("/usr/lib64/qemu/ui-spice-core.so", F_OK) != 0)
                return "SPICE";
        if (strstr(text, "virtiofs") && access("/usr/lib/qemu/virtiofsd", F_OK) != 0 &&
            access("/usr/libexec/virtiofsd", F_OK) != 0)
                return "virtiofsd";
        if (geteuid() != 0 && strstr(text, "virtiofs"))
                return "root, for virtiofsd";
        if (geteuid() != 0 && (strstr(text, "=\"network\"") || strstr(text, "='network'")))
                return "root, for networks";
        return NULL;
}

START_TEST(test_document)
{
        const char *name = documents[_i], *lack;
        g_autofree char *folder = make_folder(), *text = read_document(name, folder), *path = NULL,
                        *again = NULL, *stored = NULL, *failed = NULL;

        lack = find_lack(text);
        if (lack) {
                harness_skip(lack);
                return;
        }
        path = guest_define(client, g_strdup(text));
        stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        /* What was made of it is as good as what it was made of. */
        again = guest_define(client, g_strdup(stored));
        ck_assert_str_eq(again, path);
        failed = client_try(client, path, DOMAIN_INTERFACE, "Create", "u", 0);
        /* Limits need parts of the kernel that cloud kernels leave out. */
        if (failed && strstr(text, "<bandwidth><") && strstr(failed, "cannot limit")) {
                harness_skip(failed);
                return;
        }
        ck_assert_msg(!failed, "%s: %s", name, failed);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", UNDEFINE_NVRAM | UNDEFINE_TPM);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("producers");
        TCase *tcase = tcase_create("producers");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_loop_test(tcase, test_document, 0, G_N_ELEMENTS(documents));
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
