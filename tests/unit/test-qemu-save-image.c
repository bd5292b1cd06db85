/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Heads of files that guests are saved to: the agent's, libvirt's, and what is neither. */
#include "drivers/qemu/save-image.h"

#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <string.h>
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
        ck_assert(save_image_finish(fd, path, length, NULL));
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
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
