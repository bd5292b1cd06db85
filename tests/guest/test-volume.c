/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests whose disks are volumes: found in their pool when the guest starts, booted from, refused by name.
 */

#include <string.h>

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
        client_do(client, pool, POOL_INTERFACE, "Destroy", NULL);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*'images' is not active*", path,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("volume");
        TCase *tcase = tcase_create("volume");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_boots_from_a_volume);
        tcase_add_test(tcase, test_what_is_missing_is_named);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
