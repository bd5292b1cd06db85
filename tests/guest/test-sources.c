/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What disks and character devices are made of besides whole files: servers that know each other by
 * certificates, directories, parts of files. A Linux guest sees them come and go.
 */

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/certificates.h"
#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/server.h"

#define LIVE 1

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

static void run(const char *command)
{
        g_autoptr(GError) error = NULL;
        int status = 0;

        ck_assert_msg(g_spawn_command_line_sync(command, NULL, NULL, &status, &error), "%s",
                      error ? error->message : "");
        ck_assert_msg(status == 0, "%s", command);
}

static char *start_linux(const char *console, const char *devices)
{
        char *path = guest_start(client, guest_linux_with_xml("linux", console, "watch", devices));

        guest_wait_console(console, "virtbus-guest: watching");
        return path;
}

/* It comes, the guest sees it, and goes, twice. */
static void come_and_go(const char *path, const char *console, const char *xml, const char *alias,
                        const char *device, unsigned *seen)
{
        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *came = g_strdup_printf("virtbus-guest: %u has %s", ++*seen, device),
                                *went = g_strdup_printf("virtbus-guest: %u lost %s", ++*seen, device);

                client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
                guest_wait_device(client, path, "DeviceAdded", alias);
                guest_wait_console(console, came);
                client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", alias, LIVE);
                guest_wait_device(client, path, "DeviceRemoved", alias);
                guest_wait_console(console, went);
        }
}

static char *make_image(const char *name)
{
        char *image = harness_path(harness, name);

        ck_assert(g_file_set_contents(image, "served by another program", -1, NULL));
        ck_assert_int_eq(truncate(image, 4 * 1024 * 1024), 0);
        ck_assert_int_eq(chmod(image, 0666), 0);
        return image;
}

/* ---- certificates ---- */

static GPid serve_tls(const char *folder, const char *image, const char *socket)
{
        g_autofree char *object =
                g_strdup_printf("tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir=%s", folder);
        const char *argv[] = { "qemu-nbd",    "-t",  "-e", "8",   "-f", "raw",  "--object", object,
                               "--tls-creds", "tls", "-x", "exp", "-k", socket, image,      NULL };

        return server_start(socket, argv);
}

static char *tls_xml(const char *socket, const char *target, const char *attributes)
{
        return g_strdup_printf(
                "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
                "<source protocol='nbd' name='exp' %s><host transport='unix' socket='%s'/></source>"
                "<target dev='%s' bus='virtio'/></disk>",
                attributes, socket, target);
}

/* Who is not who the certificate says is refused, and so is a disk without certificates. */
START_TEST(test_nbd_tls)
{
        g_autofree char *console = harness_path(harness, "console"), *image = make_image("a.img"),
                        *socket = harness_path(harness, "a.sock"), *good = NULL, *wrong = NULL, *plain = NULL;
        g_autofree char *folder = NULL, *path = NULL;
        unsigned seen = 0;
        GPid pid;

        if (!server_is_installed("qemu-nbd") || !server_is_installed("openssl"))
                return;
        folder = certificates_make(harness);
        certificates_set(harness, "tls_dir", folder);
        pid = serve_tls(folder, image, socket);
        good = tls_xml(socket, "vda", "tls='yes' tlsHostname='localhost'");
        wrong = tls_xml(socket, "vdb", "tls='yes' tlsHostname='elsewhere'");
        plain = tls_xml(socket, "vdb", "");
        path = start_linux(console, good);
        client_fails(client, LIBVIRT_ERROR, "*does not match the hostname elsewhere*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su", wrong, LIVE);
        client_fails(client, LIBVIRT_ERROR, "*", path, DOMAIN_INTERFACE, "AttachDevice", "su", plain, LIVE);
        client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", "virtio-disk0", LIVE);
        guest_wait_device(client, path, "DeviceRemoved", "virtio-disk0");
        guest_wait_console(console, "virtbus-guest: 1 lost vda");
        seen = 1;
        come_and_go(path, console, good, "virtio-disk0", "vda", &seen);
        guest_do_flags(client, path, "Destroy", 0);
        server_end(pid);
}
END_TEST

/* The certificate that is missing is named. */
START_TEST(test_no_certificates)
{
        g_autofree char *path = NULL, *folder = harness_path(harness, "none");

        certificates_set(harness, "tls_dir", folder);
        path = guest_define(client,
                            guest_bare_xml("none", "<serial type='tcp'><source mode='bind' host='127.0.0.1' "
                                                   "service='0' tls='yes'/><protocol type='raw'/></serial>"));
        client_fails(client, LIBVIRT_ERROR, "*/none/ca-cert.pem' for TLS*", path, DOMAIN_INTERFACE, "Create",
                     "u", 0);
}
END_TEST

/* What a guest says on its serial port reaches a client that knows it by its certificate. */
START_TEST(test_char_tls)
{
        g_autofree char *folder = NULL, *devices = NULL, *path = NULL, *command = NULL;

        if (!server_is_installed("openssl"))
                return;
        folder = certificates_make(harness);
        certificates_set(harness, "tls_dir", folder);
        path = guest_start(
                client, guest_bare_xml("tls", "<serial type='tcp'><source mode='bind' host='127.0.0.1' "
                                              "service='4555' tls='yes'/><protocol type='raw'/></serial>"));
        command = g_strdup_printf("/bin/sh -c \"echo | openssl s_client -connect 127.0.0.1:4555 "
                                  "-verify_return_error -verify_hostname localhost -CAfile %s/ca-cert.pem "
                                  "-cert %s/client-cert.pem -key %s/client-key.pem 2>%s/log\"",
                                  folder, folder, folder, folder);
        run(command);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* ---- directories and parts of files ---- */

START_TEST(test_directory)
{
        g_autofree char *console = harness_path(harness, "console"), *folder = harness_path(harness, "fat"),
                        *hello = g_build_filename(folder, "hello.txt", NULL), *xml = NULL, *path = NULL;
        unsigned seen = 0;

        ck_assert_int_eq(mkdir(folder, 0755), 0);
        ck_assert(g_file_set_contents(hello, "from the host", -1, NULL));
        xml = g_strdup_printf("<disk type='dir' device='disk'><driver name='qemu' type='fat'/>"
                              "<source dir='%s'/><target dev='vda' bus='virtio'/><readonly/></disk>",
                              folder);
        path = start_linux(console, xml);
        client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", "virtio-disk0", LIVE);
        guest_wait_device(client, path, "DeviceRemoved", "virtio-disk0");
        guest_wait_console(console, "virtbus-guest: 1 lost vda");
        seen = 1;
        come_and_go(path, console, xml, "virtio-disk0", "vda", &seen);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_int_eq(access(hello, F_OK), 0);
}
END_TEST

/* A qcow2 image that begins in the middle of a file, and raw data. */
START_TEST(test_slices)
{
        static const char format[] =
                "<disk type='file' device='disk'><driver name='qemu' type='%s'/><source file='%s'>"
                "<slices><slice type='storage' offset='1048576' size='2097152'/></slices></source>"
                "<target dev='vda' bus='virtio'/></disk>";
        g_autofree char *console = harness_path(harness, "console"), *file = make_image("a.img"),
                        *inner = harness_path(harness, "inner.qcow2"), *command = NULL, *qcow2 = NULL,
                        *raw = NULL, *path = NULL;
        unsigned seen = 0;

        if (!server_is_installed("qemu-img"))
                return;
        command = g_strdup_printf("/bin/sh -c \"qemu-img create -q -f qcow2 %s 8M && "
                                  "dd if=%s of=%s bs=1M seek=1 conv=notrunc status=none\"",
                                  inner, inner, file);
        run(command);
        qcow2 = g_strdup_printf(format, "qcow2", file);
        raw = g_strdup_printf(format, "raw", file);
        path = start_linux(console, "");
        come_and_go(path, console, qcow2, "virtio-disk0", "vda", &seen);
        come_and_go(path, console, raw, "virtio-disk0", "vda", &seen);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/*
 * Data of an image in a file that the document names; what the image's header says of it leads nowhere. An
 * agent that comes later takes it all out again, and the header alone is not enough.
 */
START_TEST(test_data_store)
{
        g_autofree char *console = harness_path(harness, "console"),
                        *image = harness_path(harness, "a.qcow2"), *data = harness_path(harness, "a.data"),
                        *old = harness_path(harness, "old.data"), *command = NULL, *store = NULL,
                        *named = NULL, *unnamed = NULL, *path = NULL, *live = NULL;
        unsigned seen = 0;

        if (!server_is_installed("qemu-img"))
                return;
        command = g_strdup_printf(
                "/bin/sh -c \"qemu-img create -q -f qcow2 -o data_file=%s %s 8M && mv %s %s\"", old, image,
                old, data);
        run(command);
        store = g_strdup_printf("<dataStore type='file'><format type='raw'/><source file='%s'/></dataStore>",
                                data);
        named = g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                                "<source file='%s'>%s</source><target dev='vda' bus='virtio'/></disk>",
                                image, store);
        unnamed = g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                                  "<source file='%s'/><target dev='vda' bus='virtio'/></disk>",
                                  image);
        path = start_linux(console, "");
        client_fails(client, LIBVIRT_ERROR,
                     "*its data are in another file, which the definition has to name*", path,
                     DOMAIN_INTERFACE, "AttachDevice", "su", unnamed, LIVE);
        come_and_go(path, console, named, "virtio-disk0", "vda", &seen);
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", named, LIVE);
        guest_wait_console(console, "virtbus-guest: 5 has vda");
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        live = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strstr(live, "<dataStore type='file'>") != NULL, "%s", live);
        client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", "virtio-disk0", LIVE);
        guest_wait_console(console, "virtbus-guest: 6 lost vda");
        seen = 6;
        come_and_go(path, console, named, "virtio-disk0", "vda", &seen);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* ---- disks that forget ---- */

/* A folder with an image that begins with "of the host!"; its name is the caller's. */
static char *make_forgetting(const char *format, char **image)
{
        char *folder = harness_path(harness, "images");
        g_autofree char *raw = g_build_filename(folder, "raw", NULL), *command = NULL;

        *image = g_build_filename(folder, format, NULL);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        ck_assert(g_file_set_contents(raw, "of the host!", -1, NULL));
        ck_assert_int_eq(truncate(raw, 4 * 1024 * 1024), 0);
        if (strcmp(format, "raw") == 0)
                return folder;
        command = g_strdup_printf("qemu-img convert -f raw -O %s %s %s", format, raw, *image);
        run(command);
        return folder;
}

static char *forgetting_xml(const char *format, const char *image)
{
        return g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='%s'/>"
                               "<source file='%s'/><target dev='vda' bus='virtio'/><transient/></disk>",
                               format, image);
}

static char *sum_files(const char *folder)
{
        g_autofree char *command = g_strdup_printf("/bin/sh -c \"cd %s && ls -A && sha256sum *\"", folder);
        g_autoptr(GError) error = NULL;
        char *output = NULL;

        ck_assert(g_spawn_command_line_sync(command, &output, NULL, NULL, &error));
        return output;
}

static const char *const forgetting_formats[] = { "raw", "qcow2" };

/* The guest reads what it has written; the image is as it was and alone, whoever dies. */
START_TEST(test_transient)
{
        const char *format = forgetting_formats[_i];
        g_autofree char *console = harness_path(harness, "console"), *image = NULL, *folder = NULL,
                        *xml = NULL, *before = NULL, *path = NULL;
        pid_t guest;

        if (!server_is_installed("qemu-img"))
                return;
        folder = make_forgetting(format, &image);
        before = sum_files(folder);
        xml = forgetting_xml(format, image);
        path = guest_start(client, guest_linux_with_xml("linux", console, "write", xml));
        guest_wait_console(console, "virtbus-guest: wrote of the guest");
        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *after = sum_files(folder);

                ck_assert_str_eq(after, before);
                if (i == 0) {
                        client_fails(client, LIBVIRT_ERROR, "*disk 'vda' is transient*", path,
                                     DOMAIN_INTERFACE, "ManagedSave", "u", 0);
                        guest = harness_find_guest(harness, "guest=linux");
                        harness_end_agent(harness, SIGKILL);
                        kill(guest, SIGKILL);
                        harness_wait_gone(guest);
                        harness_start_agent(harness);
                }
        }
        guest_do_flags(client, path, "Create", 0);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* One comes and goes while the guest runs; what an overlay cannot be of is refused. */
START_TEST(test_transient_comes_and_goes)
{
        static const char server[] = "<disk type='network'><source protocol='http' name='x'><host "
                                     "name='127.0.0.1' port='1'/></source>"
                                     "<target dev='vda' bus='virtio'/><transient/></disk>";
        g_autofree char *console = harness_path(harness, "console"), *image = NULL, *folder = NULL,
                        *xml = NULL, *before = NULL, *after = NULL, *path = NULL;
        unsigned seen = 0;

        if (!server_is_installed("qemu-img"))
                return;
        folder = make_forgetting("qcow2", &image);
        before = sum_files(folder);
        xml = forgetting_xml("qcow2", image);
        path = start_linux(console, "");
        client_fails(client, LIBVIRT_ERROR, "*is transient, and its source is neither*", path,
                     DOMAIN_INTERFACE, "AttachDevice", "su", server, LIVE);
        come_and_go(path, console, xml, "virtio-disk0", "vda", &seen);
        guest_do_flags(client, path, "Destroy", 0);
        after = sum_files(folder);
        ck_assert_str_eq(after, before);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("sources");
        TCase *tcase = tcase_create("sources");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_nbd_tls);
        tcase_add_test(tcase, test_no_certificates);
        tcase_add_test(tcase, test_char_tls);
        tcase_add_test(tcase, test_directory);
        tcase_add_test(tcase, test_slices);
        tcase_add_test(tcase, test_data_store);
        tcase_add_loop_test(tcase, test_transient, 0, G_N_ELEMENTS(forgetting_formats));
        tcase_add_test(tcase, test_transient_comes_and_goes);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
