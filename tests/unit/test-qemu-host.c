/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest takes from its host: logs, ports, images that change hands, variable stores, taps.
 */
#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/qemu/guest-log.h"
#include "drivers/qemu/log-keeper.h"
#include "drivers/qemu/nvram.h"
#include "drivers/qemu/ports.h"
#include "drivers/security/ownership.h"
#include "interfaces/tap.h"
#include "nodedev/pci.h"
#include "nodedev/usb.h"

#include <check.h>
#include <glib/gstdio.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char *dir, *file;

static void setup(void)
{
        dir = g_dir_make_tmp("virtbus-host-XXXXXX", NULL);
        file = g_build_filename(dir, "image", NULL);
}

static void teardown(void)
{
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, name, NULL);

                g_remove(path);
        }
        g_rmdir(dir);
        g_free(dir);
        g_free(file);
}

static char *path_of(const char *name)
{
        return g_build_filename(dir, name, NULL);
}

static off_t size_of(const char *name)
{
        g_autofree char *path = path_of(name);
        struct stat st;

        return stat(path, &st) == 0 ? st.st_size : -1;
}

static void put(const char *name, const char *text)
{
        g_autofree char *path = path_of(name);

        ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* ---- logs ---- */

static void write_log(const struct guest_log *log, const char *text)
{
        ck_assert_int_eq(write(log->fd, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(a_log_tells_of_its_run_only)
{
        struct guest_log log;
        g_autofree char *tail = NULL, *nothing = NULL;
        struct stat st;

        ck_assert(guest_log_open(&log, dir, "web", "first start", NULL));
        write_log(&log, "an old error\n");
        guest_log_close(&log);
        ck_assert(guest_log_open(&log, dir, "web", "second start", NULL));
        nothing = guest_log_read_tail(&log);
        ck_assert_str_eq(nothing, "");
        write_log(&log, "a new error\nand more\n\n");
        tail = guest_log_read_tail(&log);
        ck_assert_str_eq(tail, "a new error\nand more");
        ck_assert_int_eq(fstat(log.fd, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        guest_log_close(&log);
}
END_TEST

START_TEST(the_tail_of_a_long_log_is_short)
{
        g_autofree char *line = g_strnfill(50, 'x'), *tail = NULL;
        struct guest_log log;

        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        for (unsigned i = 0; i < 1000; i++) {
                write_log(&log, line);
                write_log(&log, "\n");
        }
        write_log(&log, "the last line\n");
        tail = guest_log_read_tail(&log);
        ck_assert_uint_le(strlen(tail), 600);
        ck_assert(g_str_has_suffix(tail, "\nthe last line"));
        ck_assert_uint_eq(strcspn(tail, "\n"), 50);
        guest_log_close(&log);
}
END_TEST

START_TEST(a_log_is_no_link_and_no_fifo)
{
        g_autofree char *link = path_of("link.log"), *fifo = path_of("fifo.log");
        struct guest_log log;

        put("target", "");
        ck_assert_int_eq(symlink("target", link), 0);
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        ck_assert(!guest_log_open(&log, dir, "link", "start", NULL));
        ck_assert(!guest_log_open(&log, dir, "fifo", "start", NULL));
        ck_assert_int_eq(size_of("target"), 0);
}
END_TEST

static void fill_log(const struct guest_log *log, size_t size)
{
        g_autofree char *block = g_strnfill(65536, 'x');

        for (size_t written = 0; written < size; written += 65536)
                ck_assert_int_eq(write(log->fd, block, 65536), 65536);
}

START_TEST(a_long_log_is_rotated_at_start)
{
        struct guest_log log;

        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        fill_log(&log, GUEST_LOG_MAX);
        guest_log_close(&log);
        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        ck_assert_int_eq(size_of("web.log"), 6);
        ck_assert_int_ge(size_of("web.old"), GUEST_LOG_MAX);
        guest_log_close(&log);
}
END_TEST

START_TEST(a_running_guest_goes_on_in_a_log_that_was_trimmed)
{
        struct guest_log log;

        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        fill_log(&log, GUEST_LOG_MAX / 2);
        guest_log_trim(dir, "web.log");
        ck_assert_int_gt(size_of("web.log"), GUEST_LOG_MAX / 2);
        fill_log(&log, GUEST_LOG_MAX);
        guest_log_trim(dir, "web.log");
        ck_assert_int_eq(size_of("web.log"), 0);
        ck_assert_int_eq(size_of("web.old"), GUEST_LOG_MAX);
        write_log(&log, "more\n");
        ck_assert_int_eq(size_of("web.log"), 5);
        guest_log_close(&log);
}
END_TEST

START_TEST(the_keeper_trims_what_grows)
{
        struct loop *loop = loop_new(NULL);
        struct pool *pool = pool_new(1, NULL);
        struct log_keeper *keeper = log_keeper_new(loop, pool, dir, NULL);
        struct guest_log log;

        ck_assert_ptr_nonnull(keeper);
        ck_assert(guest_log_open(&log, dir, "web", "start", NULL));
        fill_log(&log, 2 * GUEST_LOG_MAX);
        while (size_of("web.log") > 0)
                loop_step(loop, true);
        ck_assert_int_eq(size_of("web.old"), GUEST_LOG_MAX);
        guest_log_close(&log);
        log_keeper_free(keeper);
        pool_free(pool);
        loop_free(loop);
}
END_TEST

/* ---- ports ---- */

static int listen_on(int port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0)
                return fd;
        close(fd);
        return -1;
}

START_TEST(ports_are_claimed_once)
{
        struct ports *ports = g_new0(struct ports, 1);
        int first, second, fd;

        first = ports_claim_free(ports, PORTS_FIRST);
        ck_assert_int_ge(first, PORTS_FIRST);
        ck_assert(!ports_claim(ports, first));
        fd = listen_on(first + 1);
        second = ports_claim_free(ports, PORTS_FIRST);
        ck_assert_int_gt(second, fd >= 0 ? first + 1 : first);
        if (fd >= 0)
                close(fd);
        ports_release(ports, first);
        ck_assert(ports_claim(ports, first));
        ck_assert(!ports_claim(ports, 0));
        ck_assert(!ports_claim(ports, -1));
        ck_assert(!ports_claim(ports, 65536));
        ports_release(ports, -1);
        ports_release(ports, 70000);
        ck_assert(ports_claim(ports, 65535));
        g_free(ports);
}
END_TEST

/* ---- owners ---- */

static const struct account guest_user = { .refs = 1, .name = (char *)"guest", .uid = 4242, .gid = 4243 };

static uid_t owner_of(const char *path)
{
        struct stat st;

        ck_assert_int_eq(stat(path, &st), 0);
        return st.st_uid;
}

static bool has_attributes(void)
{
        bool ok;

        put("probe", "");
        {
                g_autofree char *path = path_of("probe");

                ok = setxattr(path, "trusted.virtbus.test", "x", 1, 0) == 0;
        }
        return ok;
}

START_TEST(an_image_changes_hands_and_comes_back)
{
        struct ownership ownership;

        if (geteuid() != 0)
                return;
        put("image", "x");
        ck_assert_int_eq(chmod(file, 0600), 0);
        ck_assert_int_eq(chown(file, 1000, 1001), 0);
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
        ck_assert_uint_eq(ownership.uid, 1000);
        ck_assert_uint_eq(ownership.gid, 1001);
        ck_assert_uint_eq(owner_of(file), 1000);
        ownership_take(&guest_user, file, &ownership);
        ck_assert_uint_eq(owner_of(file), 4242);
        ownership_return(&guest_user, file, ownership.uid, ownership.gid);
        ck_assert_uint_eq(owner_of(file), 1000);
}
END_TEST

START_TEST(the_last_guest_gives_an_image_back)
{
        struct ownership ownership;

        if (geteuid() != 0 || !has_attributes())
                return;
        put("image", "x");
        ck_assert_int_eq(chmod(file, 0600), 0);
        ck_assert(ownership_is_needed(&guest_user, file, false, &ownership));
        ownership_take(&guest_user, file, &ownership);
        /* Though it may open it by now: the first guest will give it back. */
        ck_assert(ownership_is_needed(&guest_user, file, false, &ownership));
        ck_assert_uint_eq(ownership.uid, 0);
        ownership_take(&guest_user, file, &ownership);
        ownership_return(&guest_user, file, ownership.uid, ownership.gid);
        ck_assert_uint_eq(owner_of(file), 4242);
        ownership_return(&guest_user, file, ownership.uid, ownership.gid);
        ck_assert_uint_eq(owner_of(file), 0);
        ck_assert_int_eq(getxattr(file, "trusted.virtbus.owner", NULL, 0), -1);
}
END_TEST

START_TEST(an_image_that_is_open_to_all_stays_as_it_is)
{
        struct ownership ownership;

        put("image", "x");
        ck_assert_int_eq(chmod(file, 0644), 0);
        ck_assert(!ownership_is_needed(&guest_user, file, false, &ownership));
        ck_assert(!ownership_is_needed(&guest_user, "/nonexistent", true, &ownership));
}
END_TEST

/* What has come in its place is somebody's, too. */
START_TEST(an_image_that_was_replaced_keeps_its_owner)
{
        struct ownership ownership;

        if (geteuid() != 0)
                return;
        put("image", "x");
        ck_assert_int_eq(chmod(file, 0600), 0);
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
        put("image", "another one"); /* a file of its own, renamed */
        ck_assert_int_eq(chmod(file, 0600), 0);
        ownership_take(&guest_user, file, &ownership);
        ck_assert_uint_eq(owner_of(file), 0);
}
END_TEST

START_TEST(an_image_given_to_another_stays_there)
{
        struct ownership ownership;

        if (geteuid() != 0)
                return;
        put("image", "x");
        ck_assert_int_eq(chmod(file, 0600), 0);
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
        ownership_take(&guest_user, file, &ownership);
        ck_assert_int_eq(chown(file, 7, 7), 0);
        ownership_return(&guest_user, file, 0, 0);
        ck_assert_uint_eq(owner_of(file), 7);
}
END_TEST

/* Anybody who may read an image can lock it, and is not waited for. */
START_TEST(an_image_that_is_locked_holds_nobody_up)
{
        CLEANUP_FD int fd = -1;
        struct ownership ownership;

        if (geteuid() != 0)
                return;
        put("image", "x");
        ck_assert_int_eq(chmod(file, 0600), 0);
        fd = open(file, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(flock(fd, LOCK_SH), 0);
        ck_assert(!ownership_is_needed(&guest_user, file, true, &ownership));
        ck_assert_int_eq(flock(fd, LOCK_UN), 0);
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
}
END_TEST

/* ---- variable stores ---- */

START_TEST(a_store_is_made_once)
{
        CLEANUP(account_unref) const struct account *own = account_new(NULL, NULL, NULL);
        g_autofree char *template = path_of("template"), *text = NULL;
        g_autoptr(GError) error = NULL;
        struct stat st;

        put("template", "fresh");
        ck_assert(!nvram_make(file, NULL, false, own, &error));
        ck_assert_ptr_nonnull(strstr(error->message, file));
        ck_assert(nvram_make(file, template, false, own, NULL));
        ck_assert_int_eq(stat(file, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        put("image", "changed");
        ck_assert(nvram_make(file, template, false, own, NULL));
        ck_assert(g_file_get_contents(file, &text, NULL, NULL));
        ck_assert_str_eq(text, "changed");
        g_free(text);
        ck_assert(nvram_make(file, template, true, own, NULL));
        ck_assert(g_file_get_contents(file, &text, NULL, NULL));
        ck_assert_str_eq(text, "fresh");
        ck_assert_int_eq(size_of("image.new"), -1);
}
END_TEST

/* ---- host devices ---- */

static void put_below(const char *path, const char *text)
{
        g_autofree char *full = g_build_filename(dir, path, NULL), *parent = g_path_get_dirname(full);

        ck_assert_int_eq(g_mkdir_with_parents(parent, 0700), 0);
        ck_assert(g_file_set_contents(full, text, -1, NULL));
}

static void expect_below(const char *path, const char *text)
{
        g_autofree char *full = g_build_filename(dir, path, NULL), *is = NULL;

        ck_assert(g_file_get_contents(full, &is, NULL, NULL));
        ck_assert_str_eq(is, text);
}

static void remove_below(const char *path)
{
        g_autofree char *full = g_build_filename(dir, path, NULL);
        g_autoptr(GDir) entries = g_dir_open(full, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *below = g_build_filename(path, name, NULL),
                                *child = g_build_filename(full, name, NULL);

                if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
                        remove_below(below);
                else
                        g_remove(child);
        }
        g_rmdir(full);
}

#define PCI "sys/bus/pci/devices/0000:3b:00.1"

START_TEST(a_pci_device_changes_its_driver)
{
        g_autofree char *name = pci_format_name(0, 0x3b, 0, 1), *driver = NULL, *group = NULL, *vfio = NULL;
        g_autoptr(GError) error = NULL;

        ck_assert_str_eq(name, "0000:3b:00.1");
        ck_assert(!pci_detach(dir, name, &error));
        ck_assert_ptr_nonnull(strstr(error->message, name));
        g_clear_error(&error);
        put_below("sys/bus/pci/drivers/e1000e/unbind", "");
        put_below("sys/bus/pci/drivers_probe", "");
        put_below(PCI "/driver_override", "(null)");
        driver = g_build_filename(dir, PCI "/driver", NULL);
        group = g_build_filename(dir, PCI "/iommu_group", NULL);
        ck_assert_int_eq(symlink("../../drivers/e1000e", driver), 0);
        ck_assert_ptr_null(pci_get_group(dir, name, &error));
        g_clear_error(&error);
        ck_assert_int_eq(symlink("../../../../kernel/iommu_groups/17", group), 0);
        vfio = pci_get_group(dir, name, NULL);
        ck_assert(g_str_has_suffix(vfio, "/dev/vfio/17"));
        /* No kernel here that would do what is asked of it. */
        ck_assert(!pci_detach(dir, name, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "vfio-pci"));
        expect_below(PCI "/driver_override", "vfio-pci");
        expect_below("sys/bus/pci/drivers/e1000e/unbind", name);
        expect_below("sys/bus/pci/drivers_probe", name);
        g_remove(driver);
        ck_assert_int_eq(symlink("../../drivers/vfio-pci", driver), 0);
        ck_assert(pci_is_vfio(dir, name));
        put_below("sys/bus/pci/drivers/vfio-pci/unbind", "");
        put_below(PCI "/driver_override", "");
        pci_reattach(dir, name);
        expect_below(PCI "/driver_override", "\n");
        expect_below("sys/bus/pci/drivers/vfio-pci/unbind", name);
        remove_below("sys");
}
END_TEST

START_TEST(usb_devices_are_found)
{
        struct usb_query query = { .vendor = 0x46d, .product = 0xc52b };
        g_autoptr(GPtrArray) by_id = NULL, by_place = NULL, none = NULL;

        put_below("sys/bus/usb/devices/1-1/idVendor", "046d\n");
        put_below("sys/bus/usb/devices/1-1/idProduct", "c52b\n");
        put_below("sys/bus/usb/devices/1-1/busnum", "1\n");
        put_below("sys/bus/usb/devices/1-1/devnum", "12\n");
        put_below("sys/bus/usb/devices/1-1:1.0/bInterfaceClass", "03\n");
        by_id = usb_find_files(dir, &query);
        ck_assert_uint_eq(by_id->len, 1);
        ck_assert(g_str_has_suffix(g_ptr_array_index(by_id, 0), "/dev/bus/usb/001/012"));
        query.product = 1;
        none = usb_find_files(dir, &query);
        ck_assert_uint_eq(none->len, 0);
        query.bus = 1;
        query.device = 12;
        by_place = usb_find_files(dir, &query);
        ck_assert_uint_eq(by_place->len, 1);
        remove_below("sys");
}
END_TEST

/* ---- taps ---- */

START_TEST(a_tap_that_cannot_be_is_named)
{
        const struct tap long_name = { .name = "a-name-of-more-than-fifteen", .queues = 1 };
        const struct tap no_bridge = { .queues = 1, .bridge = "nobridge0", .up = true };
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autoptr(GError) error = NULL;
        char *name = NULL;

        ck_assert(!tap_open(&long_name, fds, &name, &error));
        ck_assert_int_eq(error_get_code(error), ERROR_CONFIG_UNSUPPORTED);
        g_clear_error(&error);
        ck_assert(!tap_open(&no_bridge, fds, &name, &error));
        ck_assert_ptr_nonnull(error);
        ck_assert_uint_eq(fds->len, 0);
        ck_assert_ptr_null(name);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-host");
        TCase *tests = tcase_create("host");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tests, 30);
        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_test(tests, a_log_tells_of_its_run_only);
        tcase_add_test(tests, the_tail_of_a_long_log_is_short);
        tcase_add_test(tests, a_log_is_no_link_and_no_fifo);
        tcase_add_test(tests, a_long_log_is_rotated_at_start);
        tcase_add_test(tests, a_running_guest_goes_on_in_a_log_that_was_trimmed);
        tcase_add_test(tests, the_keeper_trims_what_grows);
        tcase_add_test(tests, ports_are_claimed_once);
        tcase_add_test(tests, an_image_changes_hands_and_comes_back);
        tcase_add_test(tests, the_last_guest_gives_an_image_back);
        tcase_add_test(tests, an_image_that_is_open_to_all_stays_as_it_is);
        tcase_add_test(tests, an_image_that_was_replaced_keeps_its_owner);
        tcase_add_test(tests, an_image_given_to_another_stays_there);
        tcase_add_test(tests, an_image_that_is_locked_holds_nobody_up);
        tcase_add_test(tests, a_store_is_made_once);
        tcase_add_test(tests, a_pci_device_changes_its_driver);
        tcase_add_test(tests, usb_devices_are_found);
        tcase_add_test(tests, a_tap_that_cannot_be_is_named);
        suite_add_tcase(suite, tests);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
