/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads of files that guests are saved to: the agent's, libvirt's, and what is neither. */
#include "drivers/qemu/save-image.h"

#include "base/cleanup.h"
#include "drivers/qemu/save.h"
#include "tests/support/loop-device.h"
#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define XML   "<domain type='kvm'/>"
#define STATE "QEVM and so on"

static char *path;

static void setup(void)
{
        int fd = g_file_open_tmp("save-image-XXXXXX", &path, NULL);

        ck_assert_int_ge(fd, 0);
        close(fd);
}

static void teardown(void)
{
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
                unlink(path);
        g_free(path);
}

/* A whole file of the agent's; where its state begins. */
static uint64_t make(enum save_format format)
{
        int fd = open(path, O_RDWR | O_TRUNC);
        uint64_t length;

        ck_assert(save_image_begin(fd, path, XML, true, format, &length, NULL));
        ck_assert_int_eq(write(fd, STATE, strlen(STATE)), strlen(STATE));
        ck_assert(save_image_finish(fd, path, length, length + strlen(STATE), NULL));
        ck_assert(!save_image_is_sealed(path));
        ck_assert(save_image_seal(fd, path, true, NULL));
        ck_assert(save_image_is_sealed(path));
        close(fd);
        return length;
}

static void refuse(const char *text)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(save_image_open(NULL, path, &error));
        ck_assert_msg(strstr(error->message, text) && strstr(error->message, path), "%s", error->message);
}

static char *read_file(gsize *length)
{
        char *data;

        ck_assert(g_file_get_contents(path, &data, length, NULL));
        return data;
}

static void write_file(const char *data, gsize length)
{
        ck_assert(g_file_set_contents(path, data, (gssize)length, NULL));
}

START_TEST(what_is_written_is_read)
{
        uint64_t begin = make((enum save_format)_i);
        CLEANUP(domain_image_free) struct domain_image *image = save_image_open(NULL, path, NULL);
        char state[sizeof(STATE)] = "";

        ck_assert_ptr_nonnull(image);
        ck_assert_str_eq(image->xml, XML);
        ck_assert(image->runs);
        ck_assert_uint_eq(image->format, (unsigned)_i);
        ck_assert_uint_eq(image->offset, begin);
        ck_assert_uint_eq(begin % SAVE_IMAGE_ALIGNMENT, 0);
        ck_assert_int_eq(read(image->fd, state, strlen(STATE)), strlen(STATE));
        ck_assert_str_eq(state, STATE);
}
END_TEST

START_TEST(cut_off_at_any_byte)
{
        g_autofree char *data = NULL;
        uint64_t begin = make(SAVE_RAW);
        gsize length;

        data = read_file(&length);
        ck_assert_uint_eq(length, begin + strlen(STATE));
        /* All of what says something, a piece of the room behind it, and all of the state. */
        for (gsize i = 0; i<length; i += i> 200 && i < begin - 200 ? 991 : 1) {
                ck_assert_int_eq(truncate(path, 0), 0);
                write_file(data, i);
                refuse(i < begin ? "" : "was cut off");
        }
}
END_TEST

START_TEST(damaged)
{
        static const struct {
                unsigned offset;
                uint32_t value;
                const char *text;
        } damages[] = {
                { 0, 0x58585858, "is not a guest that was saved" },
                { 12, 0x74726150, "was never finished" },
                { 16, 3, "is of version 3, and 2 is the newest" },
                { 16, 0, "is of version 0" },
                { 20, 0, "its head makes no sense" },
                { 20, 0x7fffffff, "its head makes no sense" },
                { 28, 6, "has format 6, which is not known" },
                { 32, 0x7fffffff, "its head makes no sense" },
                { 40, 1, "was cut off" },
                { 92, 0, "there is no document in it" },
                { 92, 0xffffffff, "there is no document in it" },
        };
        g_autofree char *data = NULL;
        gsize length;

        make(SAVE_RAW);
        data = read_file(&length);
        memcpy(data + damages[_i].offset, &damages[_i].value, sizeof(uint32_t));
        write_file(data, length);
        refuse(damages[_i].text);
}
END_TEST

/* Such as libvirt writes: nothing is said of the state's length, and there is a second document. */
START_TEST(of_others)
{
        static const char documents[] = XML "\0<cookie/>\0\0\0";
        const uint32_t numbers[19] = { 2, sizeof(documents), 0, SAVE_GZIP, sizeof(XML) };
        g_autoptr(GString) file = g_string_new("LibvirtQemudSave");
        CLEANUP(domain_image_free) struct domain_image *image = NULL;
        CLEANUP(domain_image_free) struct domain_image *again = NULL;
        g_autoptr(GError) error = NULL;

        g_string_append_len(file, (const char *)numbers, sizeof(numbers));
        g_string_append_len(file, documents, sizeof(documents));
        g_string_append(file, STATE);
        write_file(file->str, file->len);
        image = save_image_open(NULL, path, &error);
        ck_assert_msg(image != NULL, "%s", error ? error->message : "");
        ck_assert_str_eq(image->xml, XML);
        ck_assert(!image->runs);
        ck_assert_uint_eq(image->format, SAVE_GZIP);
        ck_assert_uint_eq(image->offset, 92 + sizeof(documents));
        /* Another document has to fit where this one is, and the state stays where it was. */
        ck_assert(save_image_write(image, "<domain id='1'/>", true, NULL));
        again = save_image_open(NULL, path, NULL);
        ck_assert_str_eq(again->xml, "<domain id='1'/>");
        ck_assert(again->runs);
        ck_assert_uint_eq(again->offset, image->offset);
        ck_assert(!save_image_write(image, "<domain><name>of many more bytes than there are</name></domain>",
                                    true, &error));
        ck_assert_ptr_nonnull(strstr(error->message, "has room for a document of"));
}
END_TEST

/* ---- on devices ---- */

/* From now on path is a device of that size, until *fd is closed. False: this host has none. */
static bool use_device(uint64_t size, int *fd)
{
        char *device;

        *fd = loop_device_open(size, &device);
        if (*fd < 0) {
                check_skip("a loop device");
                return false;
        }
        teardown();
        path = device;
        return true;
}

/* What was there before is behind the state, and where that ends is known. */
START_TEST(on_a_device)
{
        CLEANUP(domain_image_free) struct domain_image *image = NULL, *again = NULL;
        CLEANUP_FD int fd = -1;
        uint64_t length;

        if (!use_device(1 << 20, &fd))
                return;
        ck_assert(save_image_begin(fd, path, XML, true, SAVE_RAW, &length, NULL));
        ck_assert_int_eq(pwrite(fd, STATE, strlen(STATE), (off_t)length), strlen(STATE));
        ck_assert(save_image_finish(fd, path, length, length + strlen(STATE), NULL));
        refuse("was never finished");
        ck_assert(!save_image_is_sealed(path));
        ck_assert(save_image_seal(fd, path, true, NULL));
        image = save_image_open(NULL, path, NULL);
        ck_assert_ptr_nonnull(image);
        ck_assert_str_eq(image->xml, XML);
        ck_assert_uint_eq(image->length, strlen(STATE));
        ck_assert(save_image_write(image, "<domain id='1'/>", false, NULL));
        again = save_image_open(NULL, path, NULL);
        ck_assert_str_eq(again->xml, "<domain id='1'/>");
        ck_assert_uint_eq(again->offset, image->offset);
        ck_assert_uint_eq(again->length, strlen(STATE));
        /* The next one takes its place at once. */
        ck_assert(save_image_begin(fd, path, XML, true, SAVE_RAW, &length, NULL));
        refuse("was never finished");
}
END_TEST

/* There is room for the guest, and not for another document behind it; it says nothing of its length. */
START_TEST(devices_without_room)
{
        CLEANUP(domain_image_free) struct domain_image *image = NULL, *again = NULL;
        g_autoptr(GError) error = NULL, other = NULL;
        CLEANUP_FD int fd = -1;
        const uint32_t none[2] = { 0, 0 };

        if (!use_device(128 * 1024, &fd))
                return;
        make(SAVE_RAW);
        image = save_image_open(NULL, path, NULL);
        ck_assert(!save_image_write(image, "<domain/>", true, &error));
        ck_assert_msg(strstr(error->message, "No space left") != NULL, "%s", error->message);
        ck_assert_int_eq(pwrite(fd, none, sizeof(none), 36), sizeof(none));
        ck_assert(!save_image_write(image, "<domain/>", true, &other));
        ck_assert_msg(strstr(other->message, "does not say where") != NULL, "%s", other->message);
        again = save_image_open(NULL, path, NULL);
        ck_assert_str_eq(again->xml, XML);
}
END_TEST

/* A program that expands it would go on with what it takes for more of it. */
START_TEST(something_behind_a_state)
{
        __attribute__((cleanup(save_filters_clear))) struct save_filters filters = { 0 };
        struct domain_image image = { .path = path, .fd = open(path, O_RDWR), .format = SAVE_GZIP };
        g_autofree char *command = g_strdup_printf("printf '%s' | gzip -c > %s", STATE, path);
        g_autofree char *more = g_strdup_printf("printf more | gzip -c >> %s", path);
        char state[2 * sizeof(STATE)] = "";
        size_t have = 0;
        ssize_t got;
        int fd;

        ck_assert_int_eq(system(command), 0);
        image.length = (uint64_t)lseek(image.fd, 0, SEEK_END);
        ck_assert_int_eq(system(more), 0);
        fd = save_open_state(&filters, &image, NULL);
        while ((got = read(fd, state + have, sizeof(state) - have)) > 0)
                have += (size_t)got;
        ck_assert_str_eq(state, STATE);
        close(fd);
        close(image.fd);
}
END_TEST

/* ---- changes that are interrupted ---- */

#define OTHER "<domain type='qemu'/>"

/* A child that changes the document, and stops at each of its system calls. */
static pid_t start_change(void)
{
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
                struct domain_image *image = save_image_open(NULL, path, NULL);

                ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                raise(SIGSTOP);
                _exit(image && save_image_write(image, OTHER, false, NULL) ? 0 : 1);
        }
        return child;
}

/* Lets it make that many of its calls (each stops twice), then kills it; false: it has ended before that. */
static bool kill_at(unsigned stops)
{
        pid_t child = start_change();
        int status;

        for (unsigned i = 0; i <= stops; i++) {
                ck_assert_int_eq(waitpid(child, &status, 0), child);
                if (WIFEXITED(status)) {
                        ck_assert_int_eq(WEXITSTATUS(status), 0);
                        return false;
                }
                ck_assert(WIFSTOPPED(status));
                if (i < stops)
                        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        }
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        return true;
}

START_TEST(killed_at_each_call)
{
        unsigned stops, old = 0, new = 0;

        for (stops = 0;; stops++) {
                CLEANUP(domain_image_free) struct domain_image *image = NULL;
                g_autofree char *data = NULL;
                uint64_t offset = make(SAVE_GZIP);
                bool goes_on = kill_at(stops);
                gsize length;

                image = save_image_open(NULL, path, NULL);
                ck_assert_msg(image != NULL, "after %u stops", stops);
                ck_assert(image->runs == (strcmp(image->xml, XML) == 0));
                ck_assert_msg(image->runs || strcmp(image->xml, OTHER) == 0, "after %u stops: %s", stops,
                              image->xml);
                ck_assert_uint_eq(image->offset, offset);
                *(image->runs ? &old : &new) += 1;
                data = read_file(&length);
                ck_assert_msg(length == offset + strlen(STATE) && strcmp(data + offset, STATE) == 0,
                              "after %u stops", stops);
                ck_assert_int_eq(memcmp(data, "LibvirtQemudSave", 16), 0);
                if (!goes_on)
                        break;
        }
        /* It was killed on both sides of where the new one counts. */
        ck_assert_uint_gt(old, 4);
        ck_assert_uint_gt(new, 4);
}
END_TEST

START_TEST(a_change_that_makes_no_sense)
{
        static const uint32_t ends[][2] = { { 100, 0 }, { 0, 1 << 20 }, { UINT32_MAX, UINT32_MAX } };
        uint64_t offset = make(SAVE_RAW);
        gsize length, again;
        g_autofree char *data = read_file(&length), *left = NULL;

        memcpy(data, "LibvirtQemudMove", 16);
        memcpy(data + 44, ends[_i], sizeof(ends[_i]));
        write_file(data, length);
        refuse("its head makes no sense");
        left = read_file(&again);
        ck_assert_uint_eq(again, length);
        ck_assert_int_eq(memcmp(left, data, length), 0);
        ck_assert_uint_gt(offset, 0);
}
END_TEST

/* Nothing is left of the attempt where there is no room on the disk. */
START_TEST(no_room_for_a_change)
{
        CLEANUP(domain_image_free) struct domain_image *image = NULL, *again = NULL;
        g_autoptr(GError) error = NULL;
        struct rlimit limit, small;
        gsize before, after;

        make(SAVE_RAW);
        g_free(read_file(&before));
        image = save_image_open(NULL, path, NULL);
        signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &limit);
        small = (struct rlimit){ before + 4096, limit.rlim_max };
        setrlimit(RLIMIT_FSIZE, &small);
        ck_assert(!save_image_write(image, OTHER, false, &error));
        setrlimit(RLIMIT_FSIZE, &limit);
        ck_assert_msg(strstr(error->message, path) != NULL, "%s", error->message);
        g_free(read_file(&after));
        ck_assert_uint_eq(after, before);
        again = save_image_open(NULL, path, NULL);
        ck_assert_str_eq(again->xml, XML);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-save-image");
        TCase *tests = tcase_create("qemu-save-image");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_loop_test(tests, what_is_written_is_read, 0, SAVE_FORMATS);
        tcase_add_test(tests, cut_off_at_any_byte);
        tcase_add_loop_test(tests, damaged, 0, 11);
        tcase_add_test(tests, of_others);
        tcase_add_test(tests, on_a_device);
        tcase_add_test(tests, devices_without_room);
        tcase_add_test(tests, something_behind_a_state);
        tcase_add_test(tests, killed_at_each_call);
        tcase_add_loop_test(tests, a_change_that_makes_no_sense, 0, 3);
        tcase_add_test(tests, no_room_for_a_change);
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
