/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests whose disks are volumes: found in their pool when the guest starts, booted from, refused by name.
 */

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/pool.h"

static struct harness *harness;
static struct client *client;
static char *folder;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
        folder = harness_path(harness, "images");
}

static void tear_down(void)
{
        g_free(folder);
        harness_free(harness);
}

/* A boot sector that prints `text` on the first serial port and halts. */
static void write_boot_sector(const char *path, const char *text)
{
        static const unsigned char code[] = {
                0x31, 0xc0, 0x8e, 0xd8, 0xfc, /* xor ax, ax; mov ds, ax; cld */
                0xbe, 0x16, 0x7c,             /* mov si, text */
                0xac, 0x84, 0xc0, 0x74, 0x06, /* next: lodsb; test al, al; jz stop */
                0xba, 0xf8, 0x03, 0xee,       /* mov dx, 0x3f8; out dx, al */
                0xeb, 0xf5,                   /* jmp next */
                0xf4, 0xeb, 0xfd,             /* stop: hlt; jmp stop */
        };
        unsigned char sector[512] = { [510] = 0x55, [511] = 0xaa };
        FILE *file = fopen(path, "r+e");

        ck_assert_ptr_nonnull(file);
        memcpy(sector, code, sizeof(code));
        memcpy(sector + sizeof(code), text, strlen(text) + 1);
        ck_assert_uint_eq(fwrite(sector, sizeof(sector), 1, file), 1);
        ck_assert_int_eq(fclose(file), 0);
}

static char *volume_guest_xml(const char *volume, const char *console)
{
        g_autofree char *devices = g_strdup_printf("<disk type='volume' device='disk'>"
                                                   "<driver name='qemu' type='raw'/>"
                                                   "<source pool='images' volume='%s'/>"
                                                   "<target dev='vda' bus='virtio'/></disk>"
                                                   "<serial type='file'><source path='%s'/></serial>",
                                                   volume, console);

        return guest_bare_xml("web", devices);
}

START_TEST(test_boots_from_a_volume)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk", "raw", 1048576);
        g_autofree char *file = client_get_string(client, volume, VOLUME_INTERFACE, "Path");
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = NULL, *xml = NULL;

        write_boot_sector(file, "virtbus-volume: booted");
        path = guest_start(client, volume_guest_xml("disk", console));
        guest_wait_console(console, "virtbus-volume: booted");
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(xml, "<source pool='images' volume='disk' index='1'/>"));
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", 0);
}
END_TEST

#define SECRET_INTERFACE "org.libvirt.Secret"
#define SECRET_XML                                                                                           \
        "<secret><uuid>0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f</uuid><usage type='volume'>"                     \
        "<volume>disks</volume></usage></secret>"
#define ENCRYPTION                                                                                           \
        "<encryption format='luks'><secret type='passphrase' "                                               \
        "uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f'/></encryption>"

/* Makes the volume `name` with the content of the one at key. QEMU before 9.0 gives up when the clock did not
 * tick while it measured how fast it is. */
static void encrypt(const char *pool, const char *key, const char *name, const char *format)
{
        g_autofree char *xml = g_strdup_printf("<volume><name>%s</name><capacity unit='MiB'>1</capacity>"
                                               "<target><format type='%s'/>" ENCRYPTION "</target></volume>",
                                               name, format);
        g_autofree char *error = NULL;

        do {
                g_free(error);
                error = client_try(client, pool, POOL_INTERFACE, "StorageVolCreateXMLFrom", "ssu", xml, key,
                                   0);
        } while (error && strstr(error, "Unable to get accurate CPU usage"));
        ck_assert_msg(!error, "%s", error);
}

static char *encrypted_guest_xml(const char *name, const char *volume, const char *format,
                                 const char *encryption, const char *console)
{
        g_autofree char *devices = g_strdup_printf("<disk type='volume' device='disk'>"
                                                   "<driver name='qemu' type='%s'/>"
                                                   "<source pool='images' volume='%s'/>"
                                                   "<target dev='vda' bus='virtio'/>%s</disk>"
                                                   "<serial type='file'><source path='%s'/></serial>",
                                                   format, volume, encryption, console);

        return guest_bare_xml(name, devices);
}

static void expect_not_in(const char *path, const char *text)
{
        g_autofree char *content = NULL;
        gsize length;

        ck_assert(g_file_get_contents(path, &content, &length, NULL));
        ck_assert_ptr_null(memmem(content, length, text, strlen(text)));
}

static void boot_encrypted(const char *volume, const char *format)
{
        g_autofree char *console = harness_path(harness, volume), *path = NULL, *xml = NULL,
                        *arguments = NULL;
        pid_t pid;

        path = guest_start(client, encrypted_guest_xml(volume, volume, format, ENCRYPTION, console));
        guest_wait_console(console, "virtbus-volume: decrypted");
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(xml, "      <encryption format='luks'>\n"));
        pid = harness_find_guest(harness, volume);
        arguments = g_strdup_printf("/proc/%d/cmdline", (int)pid);
        expect_not_in(arguments, "sesame");
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", 0);
}

/* A boot sector that nobody finds in the file, and a passphrase that nobody finds anywhere. */
START_TEST(test_boots_from_encrypted_volumes)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "plain", "raw", 1048576);
        g_autofree char *file = client_get_string(client, volume, VOLUME_INTERFACE, "Path"), *secret = NULL;
        g_autofree char *luks = g_build_filename(folder, "luks", NULL), *log = NULL;

        write_boot_sector(file, "virtbus-volume: decrypted");
        secret = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", SECRET_XML,
                                    0);
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 6, 's', 'e', 's', 'a', 'm', 'e', 0);
        encrypt(pool, file, "luks", "raw");
        encrypt(pool, file, "qcow2", "qcow2");
        expect_not_in(luks, "virtbus-volume");
        boot_encrypted("luks", "raw");
        boot_encrypted("qcow2", "qcow2");
        log = harness_read_log(harness);
        ck_assert_ptr_null(strstr(log, "sesame"));
}
END_TEST

START_TEST(test_encryption_that_does_not_fit)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "plain", "raw", 1048576);
        g_autofree char *other = pool_make_volume(client, pool, "other", "raw", 1048576);
        g_autofree char *key = client_get_string(client, other, VOLUME_INTERFACE, "Key");
        g_autofree char *console = harness_path(harness, "console"), *secret = NULL;
        g_autofree char *path =
                guest_define(client, encrypted_guest_xml("web", "plain", "raw", ENCRYPTION, console));

        client_fails(client, LIBVIRT_ERROR, "*not encrypted with LUKS*", path, DOMAIN_INTERFACE, "Create",
                     "u", 0);
        secret = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", SECRET_XML,
                                    0);
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 2, 'o', 'k', 0);
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
        encrypt(pool, key, "plain", "raw");
        client_do(client, secret, SECRET_INTERFACE, "SetValue", "ayu", 3, 'b', 'a', 'd', 0);
        client_fails(client, LIBVIRT_ERROR, "*assword*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        client_do(client, secret, SECRET_INTERFACE, "Undefine", NULL);
        client_fails(client, LIBVIRT_ERROR, "Secret not found*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

static void refuse_mode(const char *pool)
{
        g_autofree char *volume = pool_make_volume(client, pool, "disk", "raw", 1048576);
        g_autofree char *xml = guest_bare_xml("direct", "<disk type='volume' device='disk'>"
                                                        "<driver name='qemu' type='raw'/>"
                                                        "<source pool='images' volume='disk' mode='direct'/>"
                                                        "<target dev='vda' bus='virtio'/></disk>");
        g_autofree char *path = guest_define(client, g_steal_pointer(&xml));

        client_fails(client, LIBVIRT_ERROR, "XML error*mode is for pools of type 'iscsi'*", path,
                     DOMAIN_INTERFACE, "Create", "u", 0);
}

START_TEST(test_what_is_missing_is_named)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_define(client, volume_guest_xml("gone", console));
        g_autofree char *pool = NULL;

        client_fails(client, LIBVIRT_ERROR, "Storage pool not found*'images'*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        pool = pool_start_dir(client, "images", folder);
        client_fails(client, LIBVIRT_ERROR, "Storage volume not found*'gone'*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
        refuse_mode(pool);
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*'images' is not active*", path,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

/* Neither before nor after the pool has noticed. */
START_TEST(test_a_link_in_its_place_is_not_followed)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *volume = pool_make_volume(client, pool, "disk", "raw", 1048576);
        g_autofree char *console = harness_path(harness, "console"),
                        *secret = harness_path(harness, "secret");
        g_autofree char *file = client_get_string(client, volume, VOLUME_INTERFACE, "Path");
        g_autofree char *link = g_strconcat(secret, ".link", NULL);
        g_autofree char *path = guest_define(client, volume_guest_xml("disk", console));

        ck_assert(g_file_set_contents(secret, "a file of the host's", -1, NULL));
        ck_assert_int_eq(symlink(secret, link), 0);
        ck_assert_int_eq(rename(link, file), 0);
        client_fails(client, LIBVIRT_ERROR, "*'disk'*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

static void expect_in_use_by(const char *volume, const char *user)
{
        g_autofree char *pattern = g_strdup_printf("*is in use%s*", user);

        client_fails(client, LIBVIRT_ERROR, pattern, volume, VOLUME_INTERFACE, "Delete", "u", 0);
        client_fails(client, LIBVIRT_ERROR, pattern, volume, VOLUME_INTERFACE, "Wipe", "uu", 0, 0);
        client_fails(client, LIBVIRT_ERROR, pattern, volume, VOLUME_INTERFACE, "Resize", "tu",
                     (uint64_t)2097152, 0);
        client_fails(client, LIBVIRT_ERROR, pattern, volume, VOLUME_INTERFACE, "Upload", "ttu", (uint64_t)0,
                     (uint64_t)0, 0);
}

static void expect_in_use(const char *volume)
{
        expect_in_use_by(volume, " by domain 'web'");
}

/* A volume with the name of the one that is used is no way to write over it. */
static void expect_not_replaced(const char *pool, const char *other, const char *format)
{
        g_autofree char *xml = pool_volume_xml("disk", format, 1048576, NULL);
        g_autofree char *key = client_get_string(client, other, VOLUME_INTERFACE, "Key");

        client_fails(client, LIBVIRT_ERROR, "*'disk'*exists*", pool, POOL_INTERFACE, "StorageVolCreateXML",
                     "su", xml, 0);
        client_fails(client, LIBVIRT_ERROR, "*'disk'*exists*", pool, POOL_INTERFACE,
                     "StorageVolCreateXMLFrom", "ssu", xml, key, 0);
}

static bool is_running(void *pool)
{
        int state = 0;

        client_get(client, pool, POOL_INTERFACE, "State", 'i', &state);
        return state == 2;
}

/* A disk is a volume whether it is named so or by its path. */
START_TEST(test_volumes_of_a_running_guest_are_left_alone)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *named = pool_make_volume(client, pool, "disk", "raw", 1048576);
        g_autofree char *found = pool_make_volume(client, pool, "more", "raw", 1048576);
        g_autofree char *file = client_get_string(client, found, VOLUME_INTERFACE, "Path");
        g_autofree char *devices =
                g_strdup_printf("<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
                                "<source pool='images' volume='disk'/><target dev='vda' bus='virtio'/></disk>"
                                "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                                "<source file='%s'/><target dev='vdb' bus='virtio'/></disk>",
                                file);
        g_autofree char *path = guest_start(client, guest_bare_xml("web", devices));

        expect_in_use(named);
        expect_in_use(found);
        expect_not_replaced(pool, found, "raw");
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        harness_wait_until(is_running, pool, "the pool is taken over");
        expect_in_use(named);
        expect_in_use(found);
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        client_fails(client, LIBVIRT_ERROR, "*is in use by domain 'web'*", pool, POOL_INTERFACE, "Build", "u",
                     0);
        client_fails(client, LIBVIRT_ERROR, "*is in use by domain 'web'*", pool, POOL_INTERFACE, "Delete",
                     "u", 0);
        client_do(client, pool, POOL_INTERFACE, "Create", "u", 0);
        guest_do_flags(client, path, "Destroy", 0);
        client_do(client, named, VOLUME_INTERFACE, "Delete", "u", 0);
        client_do(client, found, VOLUME_INTERFACE, "Delete", "u", 0);
        guest_do_flags(client, path, "Undefine", 0);
}
END_TEST

/* What its images stand on is used by the guest as well, whoever says so: the document or the images. */
START_TEST(test_backing_files_of_a_running_guest_are_left_alone)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *base = pool_make_volume(client, pool, "base", "qcow2", 1048576);
        g_autofree char *other = pool_make_volume(client, pool, "other", "qcow2", 1048576);
        g_autofree char *file = client_get_string(client, base, VOLUME_INTERFACE, "Path");
        g_autofree char *backing =
                g_strdup_printf("<backingStore><path>%s</path><format type='qcow2'/></backingStore>", file);
        g_autofree char *xml = pool_volume_xml("disk", "qcow2", 1048576, backing);
        g_autofree char *top =
                client_call_string(client, pool, POOL_INTERFACE, "StorageVolCreateXML", "su", xml, 0);
        const char *devices = "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>"
                              "<source pool='images' volume='disk'/><target dev='vda' bus='virtio'/></disk>";
        g_autofree char *path = guest_start(client, guest_bare_xml("web", devices));

        expect_in_use(base);
        client_do(client, other, VOLUME_INTERFACE, "Delete", "u", 0);
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        harness_wait_until(is_running, pool, "the pool is taken over");
        expect_in_use(base);
        guest_do_flags(client, path, "Destroy", 0);
        client_do(client, top, VOLUME_INTERFACE, "Delete", "u", 0);
        client_do(client, base, VOLUME_INTERFACE, "Delete", "u", 0);
}
END_TEST

/* Nor what no pool knew to be used: here a base whose pool was not there when the guest started. */
START_TEST(test_bases_in_other_pools_are_left_alone)
{
        g_autofree char *pool = pool_start_dir(client, "images", folder);
        g_autofree char *bases = harness_path(harness, "bases");
        g_autofree char *other = pool_start_dir(client, "bases", bases);
        g_autofree char *base = pool_make_volume(client, other, "base", "qcow2", 1048576);
        g_autofree char *file = client_get_string(client, base, VOLUME_INTERFACE, "Path");
        g_autofree char *backing =
                g_strdup_printf("<backingStore><path>%s</path><format type='qcow2'/></backingStore>", file);
        g_autofree char *xml = pool_volume_xml("disk", "qcow2", 1048576, backing);
        g_autofree char *top =
                client_call_string(client, pool, POOL_INTERFACE, "StorageVolCreateXML", "su", xml, 0);
        const char *devices = "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>"
                              "<source pool='images' volume='disk'/><target dev='vda' bus='virtio'/></disk>";
        g_autofree char *path = NULL;

        client_do(client, other, POOL_INTERFACE, "Destroy", NULL);
        path = guest_start(client, guest_bare_xml("web", devices));
        client_do(client, other, POOL_INTERFACE, "Create", "u", 0);
        expect_in_use_by(base, ": a guest");
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        harness_wait_until(is_running, other, "the pool is taken over");
        expect_in_use(base);
        guest_do_flags(client, path, "Destroy", 0);
        client_do(client, base, VOLUME_INTERFACE, "Wipe", "uu", 0, 0);
        client_do(client, base, VOLUME_INTERFACE, "Delete", "u", 0);
        client_do(client, top, VOLUME_INTERFACE, "Delete", "u", 0);
        guest_do_flags(client, path, "Undefine", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("volume");
        TCase *tcase = tcase_create("volume");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_boots_from_a_volume);
        tcase_add_test(tcase, test_boots_from_encrypted_volumes);
        tcase_add_test(tcase, test_encryption_that_does_not_fit);
        tcase_add_test(tcase, test_what_is_missing_is_named);
        tcase_add_test(tcase, test_a_link_in_its_place_is_not_followed);
        tcase_add_test(tcase, test_volumes_of_a_running_guest_are_left_alone);
        tcase_add_test(tcase, test_backing_files_of_a_running_guest_are_left_alone);
        tcase_add_test(tcase, test_bases_in_other_pools_are_left_alone);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
