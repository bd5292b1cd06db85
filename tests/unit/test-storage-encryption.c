/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Encrypted volumes, with secrets, real images and qemu-img: made, copied from and to plain ones, resized.
 */
#include "tests/unit/storage-support.h"

#include "drivers/secret/secret.h"
#include "drivers/storage/model.h"

/* With a secret for the usage "known". */
static struct secrets *open_secrets(void)
{
        struct secrets *secrets = secrets_new(loop, threads, NULL);
        struct managed *secret =
                expect(CALL(secret_define_xml, secrets,
                            "<secret><usage type='volume'><volume>known</volume></usage></secret>", 0))
                        .object;

        expect(CALL(secret_set_value, (struct secret *)secret, "pass phrase", 11, 0));
        storage_set_secrets(storage, secrets);
        return secrets;
}

static void close_secrets(struct secrets *secrets)
{
        settle();
        storage_set_secrets(storage, NULL);
        secrets_free(secrets);
}

static char *encrypted(const char *name, const char *format, const char *usage)
{
        return g_strdup_printf(
                "<volume><name>%s</name><capacity unit='MiB'>1</capacity><target><format type='%s'/>"
                "<encryption format='luks'><secret type='passphrase' "
                "usage='%s'/></encryption></target></volume>",
                name, format, usage);
}

/* QEMU before 9.0 gives up when the clock did not tick while it measured how fast it is. */
static struct volume *make_encrypted(struct storage_pool *pool, const char *xml)
{
        struct answer answer = create_volume(pool, xml);

        while (answer.error && strstr(answer.error, "Unable to get accurate CPU usage")) {
                g_free(answer.error);
                answer = create_volume(pool, xml);
        }
        return expect(answer).volume;
}

START_TEST(test_encryption)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *raw = encrypted("raw", "raw", "known"),
                        *unknown = encrypted("unknown", "raw", "unknown");
        const struct volume *volume;
        struct secrets *secrets;

        refuse(create_volume(pool, raw), "Secret not found");
        secrets = open_secrets();
        refuse(create_volume(pool, unknown), "Secret not found: no secret with matching usage 'unknown'");
        volume = make_encrypted(pool, raw);
        ck_assert_str_eq(volume->encryption.format, "luks");
        ck_assert_int_eq(volume->format, VOLUME_FORMAT_RAW);
        ck_assert_uint_eq(volume->capacity, 1 << 20);
        ck_assert_uint_eq(count_entries(pool), 1);
        close_secrets(secrets);
}
END_TEST

/* QEMU before 9.0, as above. */
static struct volume *clone_encrypted(struct storage_pool *pool, const char *xml, const char *from)
{
        struct answer answer = clone_volume(pool, xml, from, 0);

        while (answer.error && strstr(answer.error, "Unable to get accurate CPU usage")) {
                g_free(answer.error);
                answer = clone_volume(pool, xml, from, 0);
        }
        return expect(answer).volume;
}

static void expect_same(struct storage_pool *pool, const char *a, const char *b, unsigned bytes)
{
        g_autofree char *first = volume_path(pool, a), *second = volume_path(pool, b);

        shell("cmp -n %u %s %s", bytes, first, second);
}

/* Plain to encrypted, larger, to another format, and plain again: the same content. */
START_TEST(test_encrypted_clones)
{
        struct storage_pool *pool = make_pool("a");
        struct secrets *secrets = open_secrets();
        g_autofree char *plain = volume_path(pool, "plain"), *luks = encrypted("luks", "raw", "known"),
                        *qcow2 = encrypted("qcow2", "qcow2", "known");
        const struct volume *volume;

        make(pool, "<volume><name>plain</name><capacity unit='KiB'>512</capacity></volume>");
        shell("dd if=/dev/urandom of=%s bs=512K count=1 conv=notrunc status=none", plain);
        volume = clone_encrypted(pool, luks, "plain");
        ck_assert_str_eq(volume->encryption.format, "luks");
        ck_assert_uint_eq(volume->capacity, 1 << 20);
        volume = clone_encrypted(pool, qcow2, "luks");
        ck_assert_int_eq(volume->format, VOLUME_FORMAT_QCOW2);
        ck_assert_str_eq(volume->encryption.format, "luks");
        ck_assert_uint_eq(volume->capacity, 1 << 20);
        volume = clone_encrypted(pool, "<volume><name>again</name><capacity>1</capacity></volume>", "qcow2");
        ck_assert_ptr_null(volume->encryption.format);
        ck_assert_uint_eq(volume->capacity, 1 << 20);
        expect_same(pool, "plain", "again", 512 * 1024);
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "luks"), 2 << 20, 0));
        ck_assert_uint_eq(find(pool, "luks")->capacity, 2 << 20);
        close_secrets(secrets);
}
END_TEST

static void expect_secret(const struct volume *volume, const char *uuid)
{
        g_autofree char *text = storage_volume_get_xml(storage, volume, 0, NULL);
        g_autofree char *secret = g_strdup_printf("<secret type='passphrase' uuid='%s'/>", uuid);

        ck_assert_ptr_nonnull(strstr(text, secret));
}

/* After a restart only the header is known: then the secret for the volume's path opens it. */
START_TEST(test_secret_by_path)
{
        struct storage_pool *pool = make_pool("a");
        struct secrets *secrets = open_secrets();
        g_autofree char *luks = encrypted("luks", "raw", "known"), *path = volume_path(pool, "luks"),
                        *xml = NULL;
        struct managed *secret;

        make_encrypted(pool, luks);
        expect(CALL(storage_pool_destroy, pool));
        expect(CALL(storage_pool_create, pool, 0));
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "luks"), 2 << 20, 0),
               "Secret not found: no secret with matching usage");
        xml = g_strdup_printf("<secret><usage type='volume'><volume>%s</volume></usage></secret>", path);
        secret = expect(CALL(secret_define_xml, secrets, xml, 0)).object;
        expect_secret(find(pool, "luks"), secret->uuid_text);
        expect(CALL(secret_set_value, (struct secret *)secret, "wrong", 5, 0));
        refuse(CALL_VOLUME(storage_volume_resize, storage, find(pool, "luks"), 2 << 20, 0),
               "Invalid password");
        expect(CALL(secret_set_value, (struct secret *)secret, "pass phrase", 11, 0));
        expect(CALL_VOLUME(storage_volume_resize, storage, find(pool, "luks"), 2 << 20, 0));
        ck_assert_uint_eq(find(pool, "luks")->capacity, 2 << 20);
        close_secrets(secrets);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-encryption", setup, teardown, test_encryption, test_encrypted_clones,
                   test_secret_by_path)
