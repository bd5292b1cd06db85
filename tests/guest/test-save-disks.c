/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the disks of a guest that runs consist of is no place for the state of another, nor for its own, by
 * whatever name it is called.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/loop-device.h"

static struct harness *harness;
static struct client *client;
static char *path; /* the guest that is to be saved */

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
        path = guest_start(client, guest_bare_xml("bare", NULL));
}

static void tear_down(void)
{
        g_free(path);
        harness_free(harness);
}

static void refuse(const char *saved, const char *to, const char *disk)
{
        g_autofree char *refusal = g_strdup_printf(
                "Requested operation is not valid: '*' is disk '%s' of domain 'owner', which runs "
                "and would lose what is on it: name another file",
                disk);

        client_fails(client, LIBVIRT_ERROR, refusal, saved, DOMAIN_INTERFACE, "Save", "ssu", to, "", 0);
        client_fails(client, LIBVIRT_ERROR, refusal, saved, DOMAIN_INTERFACE, "CoreDump", "suu", to, 0, 0);
        client_fails(client, LIBVIRT_ERROR, refusal, saved, DOMAIN_INTERFACE, "CoreDump", "suu", to, 0, 16);
        guest_expect_state(client, saved, STATE_RUNNING, -1);
}

/* Where there is nobody's disk a dump is written. */
static void accept(const char *to)
{
        char magic[4];
        int fd;

        client_do(client, path, DOMAIN_INTERFACE, "CoreDump", "suu", to, 0, 16);
        fd = open(to, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(read(fd, magic, sizeof(magic)), sizeof(magic));
        ck_assert_mem_eq(magic, "\177ELF", sizeof(magic));
        close(fd);
}

static char *make_image(const char *name)
{
        char *image = harness_path(harness, name);

        ck_assert(g_file_set_contents(image, "precious", -1, NULL));
        ck_assert_int_eq(truncate(image, 1 << 20), 0);
        return image;
}

static void expect_precious(const char *image)
{
        g_autofree char *now = NULL;

        ck_assert(g_file_get_contents(image, &now, NULL, NULL));
        ck_assert_str_eq(now, "precious");
}

START_TEST(test_names)
{
        g_autofree char *image = make_image("image"), *data = make_image("data"),
                        *link = harness_path(harness, "link"), *twin = harness_path(harness, "twin"),
                        *devices = NULL, *owner = NULL;

        devices = g_strdup_printf("<disk type='file' device='disk'><source file='%s'/><target dev='vda' "
                                  "bus='virtio'/></disk><disk type='file' device='cdrom'><source file='%s'/>"
                                  "<target dev='sda' bus='sata'/></disk>",
                                  image, data);
        owner = guest_start(client, guest_bare_xml("owner", devices));
        ck_assert_int_eq(symlink("image", link), 0);
        ck_assert_int_eq(linkat(AT_FDCWD, image, AT_FDCWD, twin, 0), 0);
        refuse(path, image, "vda");
        refuse(path, link, "vda");
        refuse(path, twin, "vda");
        refuse(path, data, "sda");
        refuse(owner, image, "vda");
        expect_precious(image);
        guest_do_flags(client, owner, "Destroy", 0);
        accept(link);
}
END_TEST

/* False: the host has no qemu-img. */
static bool make_with(const char *options, const char *image)
{
        g_autofree char *command = g_strdup_printf("qemu-img create -q -f qcow2 %s %s 1M", options, image);

        return system(command) == 0;
}

/* What an image stands on: the images below it, and the file with its data. */
START_TEST(test_images)
{
        g_autofree char *base = make_image("base"), *below = make_image("below"),
                        *middle = harness_path(harness, "middle"), *top = harness_path(harness, "top"),
                        *data = harness_path(harness, "data"), *head = harness_path(harness, "head");
        g_autofree char *on_base = g_strdup_printf("-b %s -F raw", base),
                        *on_middle = g_strdup_printf("-b %s -F qcow2", middle),
                        *in_data = g_strdup_printf("-o data_file=%s,data_file_raw=on", data);
        g_autofree char *devices = NULL, *owner = NULL;

        if (!make_with(on_base, middle) || !make_with(on_middle, top) || !make_with(in_data, head)) {
                harness_skip("there is no qemu-img");
                return;
        }
        devices = g_strdup_printf(
                "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
                "<target dev='vda' bus='virtio'/></disk><disk type='file' device='disk'><driver name='qemu' "
                "type='qcow2'/><source file='%s'><dataStore type='file'><format type='raw'/><source "
                "file='%s'/></dataStore></source><target dev='vdb' bus='virtio'/></disk>",
                top, head, data);
        owner = guest_start(client, guest_bare_xml("owner", devices));
        refuse(path, top, "vda");
        refuse(path, middle, "vda");
        refuse(path, base, "vda");
        refuse(path, head, "vdb");
        refuse(path, data, "vdb");
        expect_precious(base);
        accept(below);
}
END_TEST

START_TEST(test_devices)
{
        g_autofree char *node = harness_path(harness, "node"), *device = NULL, *xml = NULL, *owner = NULL;
        int fd = loop_device_open(192 << 20, &device);
        struct stat status;

        if (fd < 0) {
                harness_skip("there are no loop devices");
                return;
        }
        xml = g_strdup_printf("<disk type='block' device='disk'><source dev='%s'/>"
                              "<target dev='vdb' bus='virtio'/></disk>",
                              device);
        owner = guest_start(client, guest_bare_xml("owner", xml));
        refuse(path, device, "vdb");
        ck_assert_int_eq(stat(device, &status), 0);
        ck_assert_int_eq(mknod(node, S_IFBLK | 0600, status.st_rdev), 0);
        refuse(path, node, "vdb");
        guest_do_flags(client, owner, "Destroy", 0);
        accept(node);
        close(fd);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("save-disks");
        TCase *tcase = tcase_create("save-disks");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_names);
        tcase_add_test(tcase, test_images);
        tcase_add_test(tcase, test_devices);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
