/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backing chains: a format that nobody names is never guessed, and no header leads anywhere that the agent
 * did not agree to. Images are made by hand, byte by byte, as a hostile guest could.
 */
#include "base/error.h"
#include "drivers/qemu/block.h"

#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory; /* made and removed around each test */

static void set_up(void)
{
        directory = g_dir_make_tmp("qemu-block-XXXXXX", NULL);
        ck_assert_ptr_nonnull(directory);
}

static void tear_down(void)
{
        GDir *dir = g_dir_open(directory, 0, NULL);

        for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir)) {
                g_autofree char *path = g_build_filename(directory, name, NULL);

                g_unlink(path);
        }
        g_dir_close(dir);
        g_rmdir(directory);
        g_free(directory);
}

/* ---- images ---- */

static void put_be(uint8_t *at, uint64_t value, unsigned bytes)
{
        while (bytes-- > 0) {
                at[bytes] = (uint8_t)value;
                value >>= 8;
        }
}

struct qcow2 {
        unsigned version;
        const char *backing; /* NULL: none */
        const char *format;  /* NULL: not said */
        uint64_t features;
        uint32_t crypt;
        uint32_t backing_length;   /* 0: that of backing */
        uint64_t backing_offset;   /* 0: behind the extensions */
        uint32_t extension_length; /* 0: that of format */
};

static char *path_of(const char *name)
{
        return g_build_filename(directory, name, NULL);
}

static char *write_file(const char *name, const void *data, size_t size)
{
        char *path = path_of(name);

        ck_assert(g_file_set_contents(path, data, (gssize)size, NULL));
        return path;
}

static char *write_qcow2(const char *name, const struct qcow2 *image)
{
        uint8_t data[1024] = { 0 };
        unsigned version = image->version ? image->version : 3;
        size_t at = version == 2 ? 72 : 104;
        uint64_t offset = image->backing_offset;

        put_be(data, 0x514649fb, 4);
        put_be(data + 4, version, 4);
        put_be(data + 32, image->crypt, 4);
        if (version >= 3) {
                put_be(data + 72, image->features, 8);
                put_be(data + 100, 104, 4);
        }
        if (image->format) {
                size_t length = strlen(image->format);

                put_be(data + at, 0xe2792aca, 4);
                put_be(data + at + 4, image->extension_length ? image->extension_length : length, 4);
                memcpy(data + at + 8, image->format, length);
                at += 8 + ((length + 7) & ~(size_t)7);
        }
        at += 8;
        if (image->backing) {
                put_be(data + 8, offset ? offset : at, 8);
                put_be(data + 16, image->backing_length ? image->backing_length : strlen(image->backing), 4);
                memcpy(data + at, image->backing, strlen(image->backing));
        }
        return write_file(name, data, sizeof(data));
}

/* ---- asking ---- */

static GPtrArray *resolve(const char *path, const char *format, GError **error)
{
        struct domain_storage source = { .type = DOMAIN_STORAGE_FILE, .path = path, .format = format };
        unsigned index = 1;

        return block_chain_resolve("vda", &source, &index, error);
}

static void refuse(const char *path, const char *format, enum error_code code, const char *text)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(resolve(path, format, &error));
        ck_assert_msg(error_is(error, code), "%s", error->message);
        ck_assert_msg(strstr(error->message, text) != NULL, "%s", error->message);
}

static void expect_image(const GPtrArray *chain, unsigned place, const char *name, const char *format)
{
        const struct block_image *image = chain->pdata[place];
        g_autofree char *path = path_of(name);

        ck_assert_str_eq(image->path, path);
        ck_assert_str_eq(image->format, format);
        ck_assert_uint_eq(image->index, place + 1);
        ck_assert_int_eq(image->kind, BLOCK_FILE);
}

static GPtrArray *resolve_encrypted(const char *path, const char *format,
                                    const struct domain_encryption *encryption, GError **error)
{
        struct domain_storage source = {
                .type = DOMAIN_STORAGE_FILE, .path = path, .format = format, .encryption = encryption
        };
        unsigned index = 1;

        return block_chain_resolve("vda", &source, &index, error);
}

static void refuse_encrypted(const char *path, const char *format, const struct domain_encryption *encryption,
                             enum error_code code, const char *text)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(resolve_encrypted(path, format, encryption, &error));
        ck_assert_msg(error_is(error, code) && strstr(error->message, text), "%s", error->message);
}

/* ---- tests ---- */

START_TEST(test_raw_stays_raw)
{
        struct qcow2 image = { .backing = "/etc/shadow", .format = "raw" };
        g_autofree char *path = write_qcow2("disk", &image);
        g_autoptr(GPtrArray) chain = resolve(path, "raw", NULL);
        g_autoptr(GPtrArray) unnamed = resolve(path, NULL, NULL);

        ck_assert_uint_eq(chain->len, 1);
        expect_image(chain, 0, "disk", "raw");
        ck_assert_uint_eq(unnamed->len, 1);
        expect_image(unnamed, 0, "disk", "raw");
}
END_TEST

START_TEST(test_chain)
{
        struct qcow2 top = { .backing = "mid", .format = "qcow2" };
        g_autofree char *top_path = write_qcow2("top", &top);
        g_autofree char *bottom_path = write_file("bottom", "x", 1);
        struct qcow2 mid = { .version = 2, .backing = bottom_path, .format = "raw" };
        g_autofree char *mid_path = write_qcow2("mid", &mid);
        g_autoptr(GPtrArray) chain = resolve(top_path, "qcow2", NULL);

        ck_assert_ptr_nonnull(chain);
        ck_assert_uint_eq(chain->len, 3);
        expect_image(chain, 0, "top", "qcow2");
        expect_image(chain, 1, "mid", "qcow2");
        expect_image(chain, 2, "bottom", "raw");
}
END_TEST

START_TEST(test_definition_comes_first)
{
        struct qcow2 top = { .backing = "missing", .format = "qcow2" };
        g_autofree char *top_path = write_qcow2("top", &top);
        g_autofree char *base_path = write_file("base", "x", 1);
        struct domain_storage base = { .path = base_path, .format = "raw", .index = 9 };
        struct domain_storage source = { .path = top_path, .format = "qcow2", .backing = &base };
        struct domain_storage ending = { .path = top_path, .format = "qcow2", .ends = true };
        g_autoptr(GPtrArray) chain = NULL, ended = NULL;
        unsigned index = 4;

        chain = block_chain_resolve("vda", &source, &index, NULL);
        ck_assert_uint_eq(chain->len, 2);
        ck_assert_str_eq(((struct block_image *)chain->pdata[1])->path, base_path);
        ck_assert_uint_eq(((struct block_image *)chain->pdata[0])->index, 4);
        ck_assert_uint_eq(((struct block_image *)chain->pdata[1])->index, 9);
        ck_assert_uint_eq(index, 5);
        ended = block_chain_resolve("vda", &ending, &index, NULL);
        ck_assert_uint_eq(ended->len, 1);
}
END_TEST

static void expect_json(json_t *node, const char *text)
{
        char *dumped = json_dumps(node, JSON_COMPACT);

        ck_assert_str_eq(dumped, text);
        free(dumped);
        json_decref(node);
}

#define DATA_ELSEWHERE (1U << 2) /* the incompatible feature of qcow2 */

static GPtrArray *resolve_data(const char *path, const struct domain_storage *data, unsigned *index,
                               GError **error)
{
        const struct domain_storage source = { .path = path, .format = "qcow2", .data = data };

        return block_chain_resolve("vda", &source, index, error);
}

/* A header alone chooses no file, and a definition none that the image does not have. */
START_TEST(test_data_file)
{
        struct qcow2 plain = { 0 }, outside = { .features = DATA_ELSEWHERE },
                     above = { .backing = "outside", .format = "qcow2" };
        g_autofree char *plain_path = write_qcow2("plain", &plain),
                        *outside_path = write_qcow2("outside", &outside),
                        *above_path = write_qcow2("above", &above), *data_path = write_file("data", "x", 1);
        struct domain_storage data = { .path = data_path }, itself = { .path = outside_path },
                              missing = { .path = "/nowhere/data" };
        struct domain_storage below = { .path = outside_path, .format = "qcow2", .data = &data };
        struct domain_storage spelled = { .path = above_path, .format = "qcow2", .backing = &below };
        g_autoptr(GPtrArray) chain = NULL, spelled_chain = NULL;
        g_autoptr(GError) not_marked = NULL, is_itself = NULL, not_there = NULL;
        const struct block_image *image;
        unsigned index = 1;

        refuse(outside_path, "qcow2", ERROR_CONFIG_UNSUPPORTED, "<dataStore type='file'>");
        refuse(above_path, "qcow2", ERROR_CONFIG_UNSUPPORTED, "outside', the backing file of");
        ck_assert_ptr_null(resolve_data(plain_path, &data, &index, &not_marked));
        ck_assert_ptr_nonnull(strstr(not_marked->message, "its data are in the image itself"));
        ck_assert_ptr_null(resolve_data(outside_path, &itself, &index, &is_itself));
        ck_assert_ptr_nonnull(strstr(is_itself->message, "it is an image of this disk itself"));
        ck_assert_ptr_null(resolve_data(outside_path, &missing, &index, &not_there));
        ck_assert_ptr_nonnull(strstr(not_there->message, "'/nowhere/data', the data file of"));
        index = 1;
        chain = resolve_data(outside_path, &data, &index, NULL);
        ck_assert_uint_eq(chain->len, 1);
        image = chain->pdata[0];
        ck_assert_str_eq(image->data->path, data_path);
        ck_assert_uint_eq(image->data->index, 2);
        ck_assert_uint_eq(index, 3);
        expect_json(block_format_node(image, NULL, &(struct block_options){ 0 }),
                    "{\"node-name\":\"libvirt-1-format\",\"read-only\":false,\"driver\":\"qcow2\","
                    "\"file\":\"libvirt-1-storage\",\"data-file\":\"libvirt-2-format\",\"backing\":null}");
        spelled_chain = block_chain_resolve("vda", &spelled, &index, NULL);
        ck_assert_uint_eq(spelled_chain->len, 2);
        image = spelled_chain->pdata[1];
        ck_assert_str_eq(image->data->path, data_path);
}
END_TEST

/* What leads nowhere else may be recognized, what leads on is said how to repair. */
START_TEST(test_unnamed_backing_format)
{
        struct qcow2 image = { .backing = "base" }, plain = { 0 },
                     more = { .backing = "below", .format = "raw" };
        g_autofree char *path = write_qcow2("top", &image), *base = write_file("base", "x", 1);
        g_autofree char *repair =
                g_strdup_printf("of disk 'vda' does not say the format of its backing file "
                                "'base', which has a backing file itself or cannot be told by "
                                "its beginning; repair it: qemu-img rebase -u -f qcow2 -F FORMAT "
                                "-b base %s",
                                path);
        GPtrArray *chain = resolve(path, "qcow2", NULL);

        expect_image(chain, 1, "base", "raw");
        g_ptr_array_unref(chain);
        g_free(write_qcow2("base", &plain));
        chain = resolve(path, "qcow2", NULL);
        expect_image(chain, 1, "base", "qcow2");
        g_ptr_array_unref(chain);
        g_free(write_qcow2("base", &more));
        refuse(path, "qcow2", ERROR_OPERATION_INVALID, repair);
        plain.features = 1 << 2;
        g_free(write_qcow2("base", &plain));
        refuse(path, "qcow2", ERROR_OPERATION_INVALID, "qemu-img rebase");
        g_free(write_file("base", "KDMV and an extent", 18));
        refuse(path, "qcow2", ERROR_OPERATION_INVALID, "qemu-img rebase");
        ck_assert_int_eq(unlink(base), 0);
        refuse(path, "qcow2", ERROR_SYSTEM_ERROR, ", the backing file of '");
}
END_TEST

START_TEST(test_loop)
{
        struct qcow2 one = { .backing = "two", .format = "qcow2" },
                     two = { .backing = "./one", .format = "qcow2" };
        g_autofree char *path = write_qcow2("one", &one);
        g_autofree char *other = write_qcow2("two", &two);

        refuse(path, "qcow2", ERROR_CONFIG_UNSUPPORTED, "leads back to itself");
}
END_TEST

START_TEST(test_long_chain)
{
        g_autofree char *top = NULL;

        for (unsigned i = 0; i <= BLOCK_CHAIN_MAX; i++) {
                g_autofree char *name = g_strdup_printf("%u", i), *next = g_strdup_printf("%u", i + 1);
                struct qcow2 image = { .backing = next, .format = "qcow2" };
                g_autofree char *path = write_qcow2(name, &image);

                if (i == 0)
                        top = g_steal_pointer(&path);
        }
        refuse(top, "qcow2", ERROR_CONFIG_UNSUPPORTED, "more than 200 images");
}
END_TEST

#define LUKS(version) "LUKS\xba\xbe\0" version

/* Definition and header have to say the same. */
START_TEST(test_encryption)
{
        static const struct domain_encryption luks = { .format = "luks",
                                                       .secret_usage = "a",
                                                       .n_secrets = 1 };
        static const struct domain_encryption other = { .format = "luks2", .n_secrets = 1 };
        static const struct domain_encryption librbd = { .format = "luks",
                                                         .engine = "librbd",
                                                         .n_secrets = 1 };
        static const struct domain_encryption open = { .format = "luks" };
        g_autofree char *raw = write_file("raw", LUKS("\1"), 8), *two = write_file("two", LUKS("\2"), 8);
        g_autofree char *plain = write_file("plain", "plain text", 10),
                        *short_file = write_file("s", "LUKS", 4);
        g_autofree char *qcow2 = write_qcow2("q", &(struct qcow2){ .crypt = 2 });
        g_autofree char *open_qcow2 = write_qcow2("o", &(struct qcow2){ 0 });
        g_autofree char *aes = write_qcow2("a", &(struct qcow2){ .crypt = 1 });
        g_autoptr(GPtrArray) chain = resolve_encrypted(raw, "raw", &luks, NULL), again = NULL, as_raw = NULL;

        ck_assert_ptr_eq(((const struct block_image *)chain->pdata[0])->encryption, &luks);
        again = resolve_encrypted(qcow2, "qcow2", &luks, NULL);
        ck_assert_ptr_eq(((const struct block_image *)again->pdata[0])->encryption, &luks);
        /* What the guest gets is what is in the file. */
        as_raw = resolve(raw, "raw", NULL);
        ck_assert_ptr_null(((const struct block_image *)as_raw->pdata[0])->encryption);
        refuse(raw, "luks", ERROR_CONFIG_UNSUPPORTED, "no <encryption>");
        refuse(qcow2, "qcow2", ERROR_CONFIG_UNSUPPORTED, "no <encryption>");
        refuse_encrypted(plain, "raw", &luks, ERROR_OPERATION_FAILED, "not encrypted with LUKS");
        refuse_encrypted(short_file, "raw", &luks, ERROR_OPERATION_FAILED, "not encrypted with LUKS");
        refuse_encrypted(two, "raw", &luks, ERROR_CONFIG_UNSUPPORTED, "version");
        refuse_encrypted(open_qcow2, "qcow2", &luks, ERROR_CONFIG_UNSUPPORTED, "is not encrypted");
        refuse_encrypted(aes, "qcow2", &luks, ERROR_CONFIG_UNSUPPORTED, "other than LUKS");
        refuse_encrypted(raw, "raw", &other, ERROR_CONFIG_UNSUPPORTED, "format='luks'");
        refuse_encrypted(raw, "raw", &librbd, ERROR_CONFIG_UNSUPPORTED, "by QEMU");
        refuse_encrypted(raw, "raw", &open, ERROR_CONFIG_UNSUPPORTED, "needs one <secret>");
}
END_TEST

START_TEST(test_hostile_headers)
{
        static const struct {
                struct qcow2 image;
                enum error_code code;
                const char *text;
        } cases[] = {
                { { .features = 1 << 2 }, ERROR_CONFIG_UNSUPPORTED, "its data are in another file" },
                { { .crypt = 2 }, ERROR_CONFIG_UNSUPPORTED, "encryption" },
                { { .version = 4 }, ERROR_CONFIG_UNSUPPORTED, "version" },
                { { .backing = "x", .format = "raw", .backing_length = 1024 },
                  ERROR_OPERATION_FAILED,
                  "bounds" },
                { { .backing = "x", .format = "raw", .backing_length = UINT32_MAX },
                  ERROR_OPERATION_FAILED,
                  "bounds" },
                { { .backing = "x", .format = "raw", .backing_offset = UINT64_MAX },
                  ERROR_OPERATION_FAILED,
                  "bounds" },
                { { .backing = "x", .format = "raw", .backing_offset = 1 << 20 },
                  ERROR_OPERATION_FAILED,
                  "ends before" },
                { { .backing = "top", .format = "raw", .extension_length = UINT32_MAX },
                  ERROR_OPERATION_INVALID,
                  "format" },
                { { .backing = "json:{\"driver\":\"file\"}", .format = "raw" },
                  ERROR_CONFIG_UNSUPPORTED,
                  "protocol" },
                { { .backing = "nbd://host/x", .format = "raw" }, ERROR_CONFIG_UNSUPPORTED, "protocol" },
                { { .backing = "x", .format = "luks" }, ERROR_OPERATION_FAILED, "LUKS" },
                { { .backing = "x", .format = "no\nsuch" }, ERROR_CONFIG_UNSUPPORTED, "format" },
        };
        g_autofree char *base = write_file("x", "y", 1);

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *path = write_qcow2("top", &cases[i].image);

                refuse(path, "qcow2", cases[i].code, cases[i].text);
        }
        refuse(base, "qcow2", ERROR_OPERATION_FAILED,
               "of disk 'vda' is not in qcow2 format, as its <driver type=> says");
}
END_TEST

START_TEST(test_not_a_file)
{
        g_autofree char *fifo = path_of("fifo"), *missing = path_of("missing");

        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        refuse(fifo, "raw", ERROR_CONFIG_UNSUPPORTED, "neither a file nor a block device");
        refuse(directory, "raw", ERROR_CONFIG_UNSUPPORTED, "neither a file nor a block device");
        refuse("/dev/zero", "raw", ERROR_CONFIG_UNSUPPORTED, "neither a file nor a block device");
        refuse(missing, "raw", ERROR_SYSTEM_ERROR, "No such file");
}
END_TEST

START_TEST(test_nodes)
{
        struct block_image image = { .path = (char *)"/a,b", .format = (char *)"qcow2", .index = 3 };
        struct block_image device = {
                .path = (char *)"/dev/x", .format = (char *)"raw", .kind = BLOCK_DEVICE, .index = 4
        };
        struct block_options usual = { 0 };
        struct block_options tuned = { .cache = "none",
                                       .io = "native",
                                       .discard = "unmap",
                                       .detect_zeroes = "unmap",
                                       .readonly = true };
        struct block_options half = { .detect_zeroes = "unmap" };

        expect_json(block_storage_node(&image, &usual),
                    "{\"driver\":\"file\",\"filename\":\"/a,b\",\"node-name\":\"libvirt-3-storage\","
                    "\"auto-read-only\":true,\"discard\":\"unmap\"}");
        expect_json(block_format_node(&image, NULL, &usual),
                    "{\"node-name\":\"libvirt-3-format\",\"read-only\":false,\"driver\":\"qcow2\","
                    "\"file\":\"libvirt-3-storage\",\"backing\":null}");
        expect_json(block_storage_node(&device, &tuned),
                    "{\"driver\":\"host_device\",\"filename\":\"/dev/x\",\"aio\":\"native\","
                    "\"node-name\":\"libvirt-4-storage\",\"cache\":{\"direct\":true,\"no-flush\":false},"
                    "\"auto-read-only\":true,\"discard\":\"unmap\"}");
        expect_json(block_format_node(&device, NULL, &tuned),
                    "{\"node-name\":\"libvirt-4-format\",\"read-only\":true,\"discard\":\"unmap\","
                    "\"detect-zeroes\":\"unmap\",\"cache\":{\"direct\":true,\"no-flush\":false},"
                    "\"driver\":\"raw\",\"file\":\"libvirt-4-storage\"}");
        expect_json(block_format_node(&image, "libvirt-4-format", &half),
                    "{\"node-name\":\"libvirt-3-format\",\"read-only\":false,\"detect-zeroes\":\"on\","
                    "\"driver\":\"qcow2\",\"file\":\"libvirt-3-storage\",\"backing\":\"libvirt-4-format\"}");
}
END_TEST

START_TEST(test_encrypted_nodes)
{
        static const struct domain_encryption luks = { .format = "luks" };
        struct block_image image = { .path = (char *)"/a",
                                     .format = (char *)"qcow2",
                                     .index = 3,
                                     .encryption = &luks,
                                     .passphrase_fd = 7,
                                     .password_fd = -1 };
        struct block_options usual = { 0 };

        expect_json(block_passphrase_object(&image, false),
                    "{\"qom-type\":\"secret\",\"id\":\"libvirt-3-format-encryption-secret0\","
                    "\"file\":\"/dev/fd/7\"}");
        expect_json(
                block_format_node(&image, NULL, &usual),
                "{\"node-name\":\"libvirt-3-format\",\"read-only\":false,\"driver\":\"qcow2\","
                "\"encrypt\":{\"format\":\"luks\",\"key-secret\":\"libvirt-3-format-encryption-secret0\"},"
                "\"file\":\"libvirt-3-storage\",\"backing\":null}");
        /* An emulator that runs gets the value itself. */
        image.passphrase_fd = memfd_create("test", MFD_CLOEXEC);
        ck_assert_int_eq(write(image.passphrase_fd, "open sesame", 11), 11);
        expect_json(block_passphrase_object(&image, true),
                    "{\"qom-type\":\"secret\",\"id\":\"libvirt-3-format-encryption-secret0\","
                    "\"data\":\"b3BlbiBzZXNhbWU=\",\"format\":\"base64\"}");
        close(image.passphrase_fd);
        ck_assert_ptr_null(block_password_object(&image, false));
        image.format = (char *)"raw";
        expect_json(block_format_node(&image, NULL, &usual),
                    "{\"node-name\":\"libvirt-3-format\",\"read-only\":false,\"driver\":\"luks\","
                    "\"key-secret\":\"libvirt-3-format-encryption-secret0\",\"file\":\"libvirt-3-storage\"}");
}
END_TEST

/* What is taken back of a unit of a target: its password, too, whether it had one or not. */
START_TEST(test_iscsi_active)
{
        const struct domain_storage unit = { .type = DOMAIN_STORAGE_VOLUME, .mode = "direct", .index = 3 },
                                    file = { .path = "/a", .index = 4 };
        g_autoptr(GPtrArray) units = block_chain_from_active(&unit);
        g_autoptr(GPtrArray) files = block_chain_from_active(&file);
        json_t *password = block_password_object(units->pdata[0], true);

        ck_assert_str_eq(json_string_value(json_object_get(password, "id")),
                         "libvirt-3-storage-auth-secret0");
        json_decref(password);
        ck_assert_ptr_null(block_password_object(files->pdata[0], true));
}
END_TEST

START_TEST(test_iscsi_nodes)
{
        struct block_image image = {
                .path = (char *)"ip-::1:3260",
                .format = (char *)"raw",
                .kind = BLOCK_REMOTE,
                .index = 1,
                .passphrase_fd = -1,
                .password_fd = 9,
                .cookie_fd = -1,
                .remote = { block_iscsi_properties("[::1]:3260", "iqn.2026-11.a:b", 2, NULL, "fred"),
                            "password-secret", NULL },
        };
        struct block_options tuned = { .cache = "none", .io = "native" };

        ck_assert_ptr_null(block_passphrase_object(&image, false));
        expect_json(
                block_password_object(&image, false),
                "{\"qom-type\":\"secret\",\"id\":\"libvirt-1-storage-auth-secret0\",\"file\":\"/dev/fd/9\"}");
        expect_json(
                block_storage_node(&image, &tuned),
                "{\"driver\":\"iscsi\",\"transport\":\"tcp\",\"portal\":\"[::1]:3260\","
                "\"target\":\"iqn.2026-11.a:b\",\"lun\":2,\"user\":\"fred\","
                "\"password-secret\":\"libvirt-1-storage-auth-secret0\",\"node-name\":\"libvirt-1-storage\","
                "\"cache\":{\"direct\":true,\"no-flush\":false},\"auto-read-only\":true,"
                "\"discard\":\"unmap\"}");
        json_decref(image.remote.properties);
}
END_TEST

CHECK_MAIN_FIXTURE("qemu-block", set_up, tear_down, test_raw_stays_raw, test_chain,
                   test_definition_comes_first, test_data_file, test_unnamed_backing_format, test_loop,
                   test_long_chain, test_encryption, test_hostile_headers, test_not_a_file, test_nodes,
                   test_encrypted_nodes, test_iscsi_active, test_iscsi_nodes)
