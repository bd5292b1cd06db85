/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A look into disks and memory of guests, and what is changed at their disks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/loop-device.h"

#define MIB (UINT64_C(1024) * 1024)

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

/* A file of 4 MiB that says "hello" at 1,000; its path is the caller's to free. */
static char *make_image(const char *name)
{
        char *path = harness_path(harness, name);
        FILE *stream = fopen(path, "w");

        ck_assert(stream && ftruncate(fileno(stream), 4 * MIB) == 0);
        ck_assert_int_eq(pwrite(fileno(stream), "hello", 5, 1000), 5);
        fclose(stream);
        ck_assert_int_eq(chmod(path, 0666), 0);
        return path;
}

static char *disk_xml(const char *image, const char *format, const char *target)
{
        return g_strdup_printf(
                "<disk type='file' device='disk'><driver name='qemu' type='%s'/><source file='%s'/>"
                "<target dev='%s' bus='virtio'/></disk>",
                format, image, target);
}

static void expect_bytes(sd_bus_message *reply, const void *wanted, size_t size)
{
        const void *bytes;
        size_t got;

        ck_assert_int_ge(sd_bus_message_read_array(reply, 'y', &bytes, &got), 0);
        ck_assert_uint_eq(got, size);
        ck_assert(memcmp(bytes, wanted, size) == 0);
        sd_bus_message_unref(reply);
}

static sd_bus_message *peek(const char *path, const char *disk, uint64_t offset, uint64_t size)
{
        return client_call(client, path, DOMAIN_INTERFACE, "BlockPeek", "sttu", disk, offset, size, 0);
}

static void refuse_peek(const char *path, const char *text, const char *disk, uint64_t offset, uint64_t size)
{
        client_fails(client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "BlockPeek", "sttu", disk, offset,
                     size, 0);
}

START_TEST(test_block_peek)
{
        g_autofree char *image = make_image("disk.img"), *other = make_image("other.img");
        g_autofree char *raw = disk_xml(image, "raw", "vda"), *qcow2 = disk_xml(other, "qcow2", "vdb");
        g_autofree char *devices = g_strconcat(raw, qcow2, NULL);
        g_autofree char *path = guest_define(client, guest_bare_xml("peek", devices));

        expect_bytes(peek(path, "vda", 1000, 5), "hello", 5);
        expect_bytes(peek(path, image, 1000, 5), "hello", 5);
        expect_bytes(peek(path, "vda", 0, 0), "", 0);
        refuse_peek(path, "*are not all among them*", "vda", 4 * MIB - 1, 2);
        refuse_peek(path, "*are not all among them*", "vda", 5 * MIB, 1);
        refuse_peek(path, "*more than the 1048576*", "vda", 0, MIB + 1);
        refuse_peek(path, "*more than the 1048576*", "vda", 0, UINT64_C(1) << 63);
        refuse_peek(path, "*more than the 1048576*", "vda", UINT64_MAX, UINT64_MAX);
        refuse_peek(path, "*nothing at offset*", "vda", UINT64_MAX, 1);
        refuse_peek(path, "*format 'qcow2'*", "vdb", 0, 1);
        refuse_peek(path, "*no disk 'vdx'*", "vdx", 0, 1);
        refuse_peek(path, "*no disk '/etc/passwd'*", "/etc/passwd", 0, 1);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*", path, DOMAIN_INTERFACE, "BlockPeek",
                     "sttu", "vda", (uint64_t)0, (uint64_t)1, 1);
        ck_assert_int_eq(unlink(image), 0);
        refuse_peek(path, "*cannot open*disk.img*", "vda", 0, 1);
}
END_TEST

START_TEST(test_memory_peek)
{
        /* The first instruction of a PC jumps to f000:e05b. */
        static const uint8_t reset[] = { 0xea, 0x5b, 0xe0, 0x00, 0xf0 };
        g_autofree char *path = guest_start(client, guest_bare_xml("peek", NULL));

        expect_bytes(client_call(client, path, DOMAIN_INTERFACE, "MemoryPeek", "ttu", UINT64_C(0xfffffff0),
                                 UINT64_C(5), 2),
                     reset, sizeof(reset));
        expect_bytes(
                client_call(client, path, DOMAIN_INTERFACE, "MemoryPeek", "ttu", UINT64_C(0), UINT64_C(0), 1),
                "", 0);
        sd_bus_message_unref(
                client_call(client, path, DOMAIN_INTERFACE, "MemoryPeek", "ttu", UINT64_C(0), MIB, 2));
        client_fails(client, LIBVIRT_ERROR, "*more than the 1048576*", path, DOMAIN_INTERFACE, "MemoryPeek",
                     "ttu", UINT64_C(0), UINT64_C(1) << 63, 2);
        client_fails(client, LIBVIRT_ERROR, "*either VIRTUAL*", path, DOMAIN_INTERFACE, "MemoryPeek", "ttu",
                     UINT64_C(0), UINT64_C(1), 3);
        client_fails(client, LIBVIRT_ERROR, "*either VIRTUAL*", path, DOMAIN_INTERFACE, "MemoryPeek", "ttu",
                     UINT64_C(0), UINT64_C(1), 0);
        guest_do_flags(client, path, "Destroy", 0);
        client_fails(client, LIBVIRT_ERROR, "*not running*", path, DOMAIN_INTERFACE, "MemoryPeek", "ttu",
                     UINT64_C(0), UINT64_C(1), 2);
}
END_TEST

/* A kernel is in the upper half of what is virtual: the table of interrupts of Linux, whose gates are
 * present. */
START_TEST(test_kernel_peek)
{
        enum { GATE_SIZE = 16, TYPE = 5, PRESENT = 0x80 };
        static const uint64_t table = UINT64_C(0xfffffe0000000000);
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(client, guest_linux_xml("linux", console, "idle"));
        g_autoptr(sd_bus_message) reply = NULL;
        const uint8_t *gate;
        size_t size;

        guest_wait_console(console, "virtbus-guest: ready");
        reply = client_call(client, path, DOMAIN_INTERFACE, "MemoryPeek", "ttu", table, (uint64_t)GATE_SIZE,
                            1);
        ck_assert_int_gt(sd_bus_message_read_array(reply, 'y', (const void **)&gate, &size), 0);
        ck_assert_uint_eq(size, GATE_SIZE);
        ck_assert_uint_ne(gate[TYPE] & PRESENT, 0);
        client_fails(client, LIBVIRT_ERROR, "*nothing at offset*", path, DOMAIN_INTERFACE, "MemoryPeek",
                     "ttu", UINT64_MAX, UINT64_C(1), 1);
        client_fails(client, LIBVIRT_ERROR, "*nothing at offset*", path, DOMAIN_INTERFACE, "MemoryPeek",
                     "ttu", table, UINT64_C(1), 2);
}
END_TEST

static uint64_t get_capacity(const char *path, const char *disk)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "GetBlockInfo", "su", disk, 0);
        uint64_t capacity, allocation, physical;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ttt)", &capacity, &allocation, &physical), 0);
        return capacity;
}

static void refuse_resize(const char *path, const char *text, const char *disk, uint64_t size, unsigned flags)
{
        client_fails(client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "BlockResize", "stu", disk, size,
                     flags);
}

START_TEST(test_resize)
{
        g_autofree char *image = make_image("disk.img");
        g_autofree char *disk = disk_xml(image, "raw", "vda");
        g_autofree char *devices = g_strconcat(
                disk, "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>", NULL);
        g_autofree char *path = guest_start(client, guest_bare_xml("resize", devices));
        struct stat st;

        client_do(client, path, DOMAIN_INTERFACE, "BlockResize", "stu", "vda", UINT64_C(8192), 0);
        ck_assert_uint_eq(get_capacity(path, "vda"), 8 * MIB);
        ck_assert(stat(image, &st) == 0 && (uint64_t)st.st_size == 8 * MIB);
        client_do(client, path, DOMAIN_INTERFACE, "BlockResize", "stu", image, 9 * MIB + 1, 1);
        ck_assert_uint_eq(get_capacity(path, "vda"), 9 * MIB + 512);
        refuse_resize(path, "*is empty*", "sda", 1, 0);
        refuse_resize(path, "*no disk 'vdb'*", "vdb", 1, 0);
        refuse_resize(path, "*too large*", "vda", UINT64_MAX, 0);
        refuse_resize(path, "*too large*", "vda", UINT64_MAX, 1);
        refuse_resize(path, "*unsupported flags (0x4)*", "vda", 1, 4);
        guest_do_flags(client, path, "Destroy", 0);
        refuse_resize(path, "*not running*", "vda", 1, 0);
}
END_TEST

static void resize_to_capacity(const char *path, uint64_t size, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "BlockResize", "stu", "vda", size, flags | 2);
}

/* The device of the host has grown, and its guest is to have all of it. */
START_TEST(test_resize_to_capacity)
{
        int memory = memfd_create("disk", MFD_CLOEXEC), fd = -1;
        g_autofree char *device = NULL, *path = NULL, *devices = NULL, *image = make_image("disk.img"),
                        *file = disk_xml(image, "raw", "vdb");

        ck_assert_int_eq(ftruncate(memory, 4 * MIB), 0);
        fd = loop_device_open_over(memory, &device);
        if (fd < 0) {
                harness_skip("there are no loop devices");
                return;
        }
        devices = g_strdup_printf("<disk type='block' device='disk'><source dev='%s'/>"
                                  "<target dev='vda' bus='virtio'/></disk>%s",
                                  device, file);
        path = guest_start(client, guest_bare_xml("resize", devices));
        ck_assert_uint_eq(get_capacity(path, "vda"), 4 * MIB);
        ck_assert_int_eq(ftruncate(memory, 6 * MIB), 0);
        ck_assert_int_eq(ioctl(fd, LOOP_SET_CAPACITY, 0), 0);
        ck_assert_uint_eq(get_capacity(path, "vda"), 4 * MIB);
        refuse_resize(path, "*CAPACITY*is 6291456 bytes, not 5242880: say that, or 0", "vda", 5 * MIB, 3);
        ck_assert_uint_eq(get_capacity(path, "vda"), 4 * MIB);
        resize_to_capacity(path, 0, 0);
        ck_assert_uint_eq(get_capacity(path, "vda"), 6 * MIB);
        ck_assert_int_eq(ftruncate(memory, 7 * MIB), 0);
        ck_assert_int_eq(ioctl(fd, LOOP_SET_CAPACITY, 0), 0);
        resize_to_capacity(path, 7 * 1024, 0);
        ck_assert_uint_eq(get_capacity(path, "vda"), 7 * MIB);
        refuse_resize(path, "*'vdb' is not all of a device of the host*", "vdb", 0, 2);
        ck_assert_uint_eq(get_capacity(path, "vdb"), 4 * MIB);
        guest_do_flags(client, path, "Destroy", 0);
        close(fd);
        close(memory);
}
END_TEST

static void wait_threshold(const char *path, const char *name, const char *image)
{
        g_autoptr(sd_bus_message) signal =
                client_wait_signal(client, path, DOMAIN_INTERFACE, "BlockThreshold", NULL, NULL);
        const char *device, *source;
        uint64_t threshold, excess;

        ck_assert_int_gt(sd_bus_message_read(signal, "sstt", &device, &source, &threshold, &excess), 0);
        ck_assert_str_eq(device, name);
        ck_assert_str_eq(source, image);
        ck_assert_uint_eq(threshold, MIB);
        ck_assert_uint_gt(excess, 0);
}

/* The Linux guest with a disk that it writes to. */
START_TEST(test_threshold)
{
        g_autofree char *console = harness_path(harness, "console"), *image = make_image("disk.img");
        g_autofree char *disk = disk_xml(image, "raw", "vda");
        g_autofree char *xml = guest_linux_xml("linux", console, "fill");
        g_auto(GStrv) parts = g_strsplit(xml, "</devices>", 2);
        g_autofree char *last = g_strconcat(disk, "</devices>", NULL);
        g_autofree char *path = guest_define(client, g_strjoinv(last, parts));

        guest_do_flags(client, path, "Create", 1);
        client_fails(client, LIBVIRT_ERROR, "*no image 9*", path, DOMAIN_INTERFACE, "SetBlockThreshold",
                     "stu", "vda[9]", MIB, 0);
        client_fails(client, LIBVIRT_ERROR, "*'vda?x?' is no disk*", path, DOMAIN_INTERFACE,
                     "SetBlockThreshold", "stu", "vda[x]", MIB, 0);
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockThreshold", "stu", "vda[1]", MIB, 0);
        guest_do(client, path, "Resume");
        wait_threshold(path, "vda", image);
        wait_threshold(path, "vda[1]", image);
}
END_TEST

/* On a monitor of its own. */
static int tell_emulator(const char *socket_path, const char *commands)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, socket_path, sizeof(address.sun_path));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_gt(dprintf(fd, "{'execute': 'qmp_capabilities'}%s", commands), 0);
        return fd;
}

static char *with_monitor(const char *name, const char *devices, const char *socket_path)
{
        return g_strdup_printf("<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
                               "<name>%s</name><memory unit='MiB'>64</memory><os><type machine='q35'>hvm"
                               "</type></os><devices>%s</devices><qemu:commandline><qemu:arg value='-qmp'/>"
                               "<qemu:arg value='unix:%s,server=on,wait=off'/></qemu:commandline></domain>",
                               guest_get_type(), name, devices, socket_path);
}

/* An image below the disk's own has its number with the disk's name; a commit writes to it. */
START_TEST(test_threshold_below)
{
        g_autofree char *base = harness_path(harness, "base"), *top = harness_path(harness, "top"),
                        *second = harness_path(harness, "second");
        g_autofree char *disk = disk_xml(top, "qcow2", "vda"), *path = NULL;
        int fd;

        harness_run("qemu-img create -q -f qcow2 '%s' 16M", base);
        harness_run("qemu-img create -q -f qcow2 -b '%s' -F qcow2 '%s'", base, top);
        harness_run("qemu-io -c 'write 0 4M' '%s' >/dev/null", top);
        path = guest_start(client, with_monitor("below", disk, second));
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockThreshold", "stu", "vda[2]", MIB, 0);
        fd = tell_emulator(second, "{'execute': 'block-commit', 'arguments': {'device': 'libvirt-1-format', "
                                   "'job-id': 'commit'}}");
        wait_threshold(path, "vda[2]", base);
        close(fd);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

static bool is_dropped(sd_bus_message *message, const void *data)
{
        const char *before, *after, *alias;
        int reason;

        return sd_bus_message_read(message, "sssi", &before, &after, &alias, &reason) > 0 &&
               g_str_has_suffix(before, data) && !*after && *alias && reason == (strstr(data, "cd") ? 0 : 1);
}

/* What startupPolicy allows to be missing is told. */
START_TEST(test_missing_media)
{
        static const char form[] =
                "<disk type='file' device='%s'><source file='%s' startupPolicy='optional'/>"
                "<target dev='%s' bus='%s'/></disk>";
        g_autofree char *medium = harness_path(harness, "gone-cd"),
                        *image = harness_path(harness, "gone-disk");
        g_autofree char *one = g_strdup_printf(form, "cdrom", medium, "sda", "sata");
        g_autofree char *two = g_strdup_printf(form, "disk", image, "vda", "virtio");
        g_autofree char *devices = g_strconcat(one, two, NULL);
        g_autofree char *path = guest_start(client, guest_bare_xml("missing", devices));

        sd_bus_message_unref(
                client_wait_signal(client, path, DOMAIN_INTERFACE, "DiskChange", is_dropped, "gone-cd"));
        sd_bus_message_unref(
                client_wait_signal(client, path, DOMAIN_INTERFACE, "DiskChange", is_dropped, "gone-disk"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("peek");
        TCase *tcase = tcase_create("peek");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, test_block_peek);
        tcase_add_test(tcase, test_memory_peek);
        tcase_add_test(tcase, test_kernel_peek);
        tcase_add_test(tcase, test_resize);
        tcase_add_test(tcase, test_resize_to_capacity);
        tcase_add_test(tcase, test_threshold);
        tcase_add_test(tcase, test_threshold_below);
        tcase_add_test(tcase, test_missing_media);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
