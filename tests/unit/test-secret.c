/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The secret model: documents, definitions, values and their files. */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/secret-memory.h"
#include "base/store.h"
#include "drivers/secret/key.h"
#include "drivers/secret/secret.h"
#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UUID_A "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
#define UUID_B "1b81f5b2-8403-7b23-c8d6-21ccc2f80d6f"

static struct loop *loop;
static struct pool *threads;
static struct secrets *secrets;
static char *top;
static GString *events;

static void note_change(const struct registry_change *change, void *data)
{
        if (!change->event)
                return; /* loaded */
        if (change->event->id == MANAGED_EVENT_LIFECYCLE)
                g_string_append_c(events, (char)('0' + change->event->type));
        else
                g_string_append_c(events, 'v');
}

static void open_secrets(void)
{
        secrets = secrets_new(loop, threads, top);
        registry_listen(secrets_get_registry(secrets), note_change, NULL);
        ck_assert(secrets_load(secrets, NULL));
}

static void close_secrets(void)
{
        while (registry_get_pending(secrets_get_registry(secrets)))
                loop_step(loop, true);
        secrets_free(secrets);
}

static void restart(void)
{
        close_secrets();
        open_secrets();
}

static void setup(void)
{
        log_init(LOG_LEVEL_ERROR);
        top = g_dir_make_tmp("virtbus-secret-XXXXXX", NULL);
        events = g_string_new(NULL);
        loop = loop_new(NULL);
        threads = pool_new(2, NULL);
        open_secrets();
}

static void remove_tree(void)
{
        g_autofree char *marks = g_build_filename(top, "autostart", NULL);
        GDir *dir = g_dir_open(top, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(top, name, NULL);

                unlink(path);
        }
        g_dir_close(dir);
        rmdir(marks);
        ck_assert_int_eq(rmdir(top), 0);
}

static void teardown(void)
{
        close_secrets();
        pool_free(threads);
        loop_free(loop);
        remove_tree();
        g_string_free(events, TRUE);
        g_free(top);
}

/* ---- calls, waited for ---- */

struct answer {
        bool done;
        int code;    /* ERROR_OK: success */
        char *error; /* NULL: success */
        struct managed *object;
};

static void answered(struct managed *object, const GError *error, void *data)
{
        struct answer *answer = data;

        *answer = (struct answer){ true, error ? (int)error_get_code(error) : 0,
                                   error ? g_strdup(error->message) : NULL, object };
}

static void await(const struct answer *answer)
{
        while (!answer->done)
                loop_step(loop, true);
}

static struct answer define(const char *xml, unsigned flags)
{
        struct answer answer = { 0 };

        secret_define_xml(secrets, xml, flags, answered, &answer);
        await(&answer);
        return answer;
}

static struct answer set_value(struct secret *secret, const void *value, size_t length)
{
        struct answer answer = { 0 };

        secret_set_value(secret, value, length, 0, answered, &answer);
        await(&answer);
        return answer;
}

static struct answer undefine(struct secret *secret)
{
        struct answer answer = { 0 };

        secret_undefine(secret, answered, &answer);
        await(&answer);
        return answer;
}

static struct secret *expect(struct answer answer)
{
        ck_assert_msg(!answer.error, "%s", answer.error);
        return (struct secret *)answer.object;
}

static void refuse(struct answer answer, int code, const char *part)
{
        ck_assert_msg(answer.error && strstr(answer.error, part), "%s",
                      answer.error ? answer.error : "(no error)");
        ck_assert_int_eq(answer.code, code);
        g_free(answer.error);
}

static char *document(const char *attributes, const char *uuid, const char *usage)
{
        return g_strdup_printf("<secret%s>%s%s%s%s</secret>", attributes, uuid ? "<uuid>" : "",
                               uuid ? uuid : "", uuid ? "</uuid>" : "", usage);
}

#define VOLUME(path) "<usage type='volume'><volume>" path "</volume></usage>"
#define CEPH(name)   "<usage type='ceph'><name>" name "</name></usage>"

static struct secret *make(const char *attributes, const char *uuid, const char *usage)
{
        g_autofree char *xml = document(attributes, uuid, usage);

        return expect(define(xml, 0));
}

static void refuse_document(const char *attributes, const char *uuid, const char *usage, int code,
                            const char *part)
{
        g_autofree char *xml = document(attributes, uuid, usage);

        refuse(define(xml, 0), code, part);
}

static char *file(const char *name)
{
        return g_build_filename(top, name, NULL);
}

static bool exists(const char *name)
{
        g_autofree char *path = file(name);

        return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void expect_value(const struct secret *secret, const char *value)
{
        GBytes *bytes = secret_get_value(secret, 0, NULL);

        ck_assert_ptr_nonnull(bytes);
        ck_assert_mem_eq(g_bytes_get_data(bytes, NULL), value, strlen(value));
        ck_assert_uint_eq(g_bytes_get_size(bytes), strlen(value));
}

static struct secret *find(const char *uuid)
{
        return secret_lookup_uuid(secrets, uuid, NULL);
}

/* ---- documents ---- */

START_TEST(test_document)
{
        struct secret *secret = expect(
                define("<secret private='yes'><usage type='iscsi'><target>iqn.2026-11.a:b</target></usage>"
                       "<description>A &amp; B</description><uuid>0A81F5B284037B23C8D621CCC2F80D6F</uuid>"
                       "<later>kept</later></secret>",
                       0));

        ck_assert_str_eq(secret_get_xml(secret, 0, NULL), "<secret ephemeral='no' private='yes'>\n"
                                                          "  <uuid>" UUID_A "</uuid>\n"
                                                          "  <description>A &amp; B</description>\n"
                                                          "  <usage type='iscsi'>\n"
                                                          "    <target>iqn.2026-11.a:b</target>\n"
                                                          "  </usage>\n"
                                                          "  <later>kept</later>\n"
                                                          "</secret>\n");
        ck_assert_int_eq(secret_get_def(secret)->usage_type, SECRET_USAGE_ISCSI);
        ck_assert_str_eq(secret_get_def(secret)->usage_id, "iqn.2026-11.a:b");
        ck_assert(!secret_get_xml(secret, 1, NULL));
}
END_TEST

START_TEST(test_without_usage)
{
        struct secret *one = expect(define("<secret/>", 0)), *two = expect(define("<secret/>", 0));

        ck_assert_ptr_ne(one, two);
        ck_assert_int_eq(secret_get_def(one)->usage_type, SECRET_USAGE_NONE);
        ck_assert_ptr_null(secret_get_def(one)->usage_id);
        ck_assert_ptr_null(strstr(secret_get_xml(one, 0, NULL), "usage"));
}
END_TEST

START_TEST(test_refused_documents)
{
        g_autofree char *huge = g_strnfill(SECRET_USAGE_ID_MAX + 1, 'a');
        g_autofree char *usage =
                g_strconcat("<usage type='volume'><volume>", huge, "</volume></usage>", NULL);

        refuse_document("", "no-uuid", "", ERROR_XML_ERROR, "malformed uuid 'no-uuid'");
        refuse_document(" ephemeral='maybe'", NULL, "", ERROR_XML_ERROR, "ephemeral");
        refuse_document("", NULL, "<usage type='x'/>", ERROR_XML_ERROR, "unknown secret usage type 'x'");
        refuse_document("", NULL, "<usage/>", ERROR_XML_ERROR, "unknown secret usage type");
        refuse_document("", NULL, "<usage type='volume'/>", ERROR_XML_ERROR, "without <volume>");
        refuse_document("", NULL, "<usage type='ceph'><target>t</target></usage>", ERROR_XML_ERROR,
                        "without <name>");
        refuse_document("", NULL, VOLUME(""), ERROR_XML_ERROR, "does not say what it is for");
        refuse_document("", NULL, VOLUME("a\nb"), ERROR_XML_ERROR, "control character");
        refuse_document("", NULL, usage, ERROR_XML_ERROR, "more than 4096 bytes");
        refuse(define("<pool/>", 0), ERROR_XML_ERROR, "pool");
        refuse(define("<secret>", 0), ERROR_XML_DETAIL, "not well formed");
        refuse(define("<secret><later/></secret>", SECRET_DEFINE_VALIDATE), ERROR_XML_INVALID_SCHEMA,
               "unknown element <later>");
        refuse(define("<secret/>", 2), ERROR_INVALID_ARG, "unsupported flags (0x2)");
        ck_assert_uint_eq(registry_get_count(secrets_get_registry(secrets)), 0);
}
END_TEST

/* ---- definitions ---- */

START_TEST(test_one_secret_for_a_thing)
{
        make("", UUID_A, VOLUME("/a"));
        refuse_document("", NULL, VOLUME("/a"), ERROR_OPERATION_FAILED,
                        "secret 'volume:/a' already exists with uuid " UUID_A);
        refuse_document("", UUID_A, VOLUME("/b"), ERROR_OPERATION_FAILED, "is already defined with uuid");
        make("", UUID_B, CEPH("/a"));
        ck_assert_ptr_eq(secret_lookup_usage(secrets, SECRET_USAGE_VOLUME, "/a", NULL), find(UUID_A));
        ck_assert_ptr_eq(secret_lookup_usage(secrets, SECRET_USAGE_CEPH, "/a", NULL), find(UUID_B));
        ck_assert_ptr_null(secret_lookup_usage(secrets, SECRET_USAGE_ISCSI, "/a", NULL));
        ck_assert_ptr_null(secret_lookup_usage(secrets, SECRET_USAGE_NONE, UUID_A, NULL));
        ck_assert_ptr_null(secret_lookup_usage(secrets, 99, "/a", NULL));
        ck_assert_ptr_null(secret_lookup_usage(secrets, -1, "/a", NULL));
}
END_TEST

START_TEST(test_redefine_keeps_value)
{
        struct secret *secret = make("", UUID_A, VOLUME("/a"));

        expect(set_value(secret, "one", 3));
        make("", UUID_A, "<description>new</description>" VOLUME("/a"));
        ck_assert_ptr_nonnull(strstr(secret_get_xml(secret, 0, NULL), "new"));
        expect_value(secret, "one");
        restart();
        ck_assert_ptr_nonnull(strstr(secret_get_xml(find(UUID_A), 0, NULL), "new"));
        expect_value(find(UUID_A), "one");
}
END_TEST

START_TEST(test_private_stays_private)
{
        struct secret *secret = make(" private='yes'", UUID_A, VOLUME("/a"));
        const struct secret_ref ref = { SECRET_USAGE_VOLUME, NULL, (char *)"/a" };
        g_autoptr(GError) error = NULL;
        GBytes *value;

        expect(set_value(secret, "x", 1));
        refuse_document("", UUID_A, VOLUME("/a"), ERROR_OPERATION_DENIED, "private");
        ck_assert_ptr_null(secret_get_value(secret, 0, &error));
        ck_assert(error_is(error, ERROR_INVALID_SECRET));
        value = secret_find_value(secrets, &ref, NULL);
        ck_assert_ptr_nonnull(value);
        g_bytes_unref(value);
}
END_TEST

START_TEST(test_list)
{
        static const struct {
                unsigned flags, count;
        } cases[] = {
                { 0, 3 }, { 1, 1 }, { 2, 2 }, { 4, 1 }, { 8, 2 }, { 3, 3 }, { 1 | 4, 0 }, { 2 | 8, 1 }
        };

        make("", NULL, "");
        make(" private='yes'", NULL, "");
        make(" ephemeral='yes'", NULL, "");
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GPtrArray) list = secret_list(secrets, cases[i].flags, NULL);

                ck_assert_uint_eq(list->len, cases[i].count);
        }
        ck_assert_ptr_null(secret_list(secrets, 16, NULL));
}
END_TEST

/* ---- values and files ---- */

START_TEST(test_values)
{
        struct secret *secret = make("", UUID_A, "");
        g_autofree char *path = file(UUID_A ".value"), *xml = file(UUID_A ".xml"), *text = NULL;
        g_autoptr(GError) error = NULL;
        struct stat st;
        GBytes *value;

        ck_assert_ptr_null(secret_get_value(secret, 0, &error));
        ck_assert(error_is(error, ERROR_NO_SECRET));
        expect(set_value(secret, "a\0\377\n", 4));
        restart();
        value = secret_get_value(find(UUID_A), 0, NULL);
        ck_assert_uint_eq(g_bytes_get_size(value), 4);
        ck_assert_mem_eq(g_bytes_get_data(value, NULL), "a\0\377\n", 4);
        ck_assert_ptr_null(secret_get_value(find(UUID_A), 1, NULL));
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
        ck_assert_int_eq(stat(xml, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
        text = store_read(xml, NULL);
        ck_assert_str_eq(text, secret_get_xml(find(UUID_A), 0, NULL));
        ck_assert_str_eq(events->str, "0v");
}
END_TEST

START_TEST(test_sizes)
{
        struct secret *secret = make("", UUID_A, "");
        g_autofree char *big = g_strnfill(SECRET_VALUE_MAX + 1, 'a');
        GBytes *value;

        expect(set_value(secret, big, SECRET_VALUE_MAX));
        refuse(set_value(secret, big, SECRET_VALUE_MAX + 1), ERROR_INVALID_ARG, "more than 65536");
        expect(set_value(secret, NULL, 0));
        restart();
        value = secret_get_value(find(UUID_A), 0, NULL);
        ck_assert_ptr_nonnull(value);
        ck_assert_uint_eq(g_bytes_get_size(value), 0);
}
END_TEST

START_TEST(test_ephemeral)
{
        struct secret *secret = make(" ephemeral='yes'", UUID_A, VOLUME("/a"));

        expect(set_value(secret, "x", 1));
        expect_value(secret, "x");
        ck_assert(!exists(UUID_A ".xml") && !exists(UUID_A ".value"));
        restart();
        ck_assert_ptr_null(find(UUID_A));
}
END_TEST

/* What is kept for longer than the agent, and what no longer is. */
START_TEST(test_ephemeral_and_back)
{
        struct secret *secret = make(" ephemeral='yes'", UUID_A, VOLUME("/a"));

        expect(set_value(secret, "x", 1));
        make("", UUID_A, VOLUME("/a"));
        ck_assert(exists(UUID_A ".xml") && exists(UUID_A ".value"));
        restart();
        expect_value(find(UUID_A), "x");
        make(" ephemeral='yes'", UUID_A, VOLUME("/a"));
        ck_assert(!exists(UUID_A ".xml") && !exists(UUID_A ".value"));
        expect_value(find(UUID_A), "x");
}
END_TEST

START_TEST(test_undefine)
{
        struct secret *secret = make("", UUID_A, VOLUME("/a"));

        expect(set_value(secret, "x", 1));
        managed_ref(&secret->base);
        expect(undefine(secret));
        ck_assert(!exists(UUID_A ".xml") && !exists(UUID_A ".value"));
        ck_assert_ptr_null(find(UUID_A));
        refuse(undefine(secret), ERROR_NO_SECRET, UUID_A);
        refuse(set_value(secret, "x", 1), ERROR_NO_SECRET, UUID_A);
        managed_unref(&secret->base);
        secret = make("", UUID_A, VOLUME("/a"));
        ck_assert_ptr_null(secret_get_value(secret, 0, NULL));
        make(" ephemeral='yes'", UUID_B, "");
        expect(undefine(find(UUID_B)));
        ck_assert_str_eq(events->str, "0v1001");
}
END_TEST

/* A directory in the place of the value's file: it cannot be removed, so the secret stays as it was. */
START_TEST(test_undefine_that_fails)
{
        struct secret *secret = make("", UUID_A, VOLUME("/a"));
        g_autofree char *path = file(UUID_A ".value");

        ck_assert_int_eq(mkdir(path, 0700), 0);
        refuse(undefine(secret), ERROR_SYSTEM_ERROR, "cannot remove");
        ck_assert(exists(UUID_A ".xml"));
        ck_assert_ptr_eq(find(UUID_A), secret);
        ck_assert_int_eq(rmdir(path), 0);
        expect(undefine(secret));
}
END_TEST

/* Likewise of one that was ephemeral: it stays what it was. */
START_TEST(test_define_that_fails)
{
        struct secret *secret = make(" ephemeral='yes'", UUID_A, VOLUME("/a"));
        g_autofree char *path = file(UUID_A ".value");

        expect(set_value(secret, "x", 1));
        ck_assert_int_eq(mkdir(path, 0700), 0);
        refuse_document("", UUID_A, VOLUME("/a"), ERROR_SYSTEM_ERROR, "cannot write");
        ck_assert(!exists(UUID_A ".xml"));
        ck_assert(secret_get_def(secret)->ephemeral);
        expect_value(secret, "x");
        ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

static void write_file(const char *name, const char *text)
{
        ck_assert(store_write(top, name, text, false, NULL));
}

/* An agent that was killed between removing the definition and the value, and files that were damaged. */
START_TEST(test_start_up)
{
        make("", UUID_A, VOLUME("/a"));
        write_file(UUID_B ".base64", "eA==");
        write_file("2b81f5b2-8403-7b23-c8d6-21ccc2f80d6f.xml", "<secret>");
        write_file("2b81f5b2-8403-7b23-c8d6-21ccc2f80d6f.base64", "eA==");
        write_file(UUID_A ".base64", "not base64!");
        write_file("3b81f5b2-8403-7b23-c8d6-21ccc2f80d6f.xml",
                   "<secret ephemeral='yes'><uuid>3b81f5b2-8403-7b23-c8d6-21ccc2f80d6f</uuid></secret>");
        log_set_max(LOG_LEVEL_ERROR - 1);
        restart();
        log_set_max(LOG_LEVEL_ERROR);
        ck_assert_ptr_nonnull(find(UUID_A));
        ck_assert_ptr_null(secret_get_value(find(UUID_A), 0, NULL));
        ck_assert(exists(UUID_A ".base64"));
        ck_assert(!exists(UUID_B ".base64"));
        ck_assert(exists("2b81f5b2-8403-7b23-c8d6-21ccc2f80d6f.base64"));
        ck_assert_uint_eq(registry_get_count(secrets_get_registry(secrets)), 1);
        expect(set_value(find(UUID_A), "new", 3));
        restart();
        expect_value(find(UUID_A), "new");
        /* The one whose definition was damaged has its value again when it is defined again. */
        expect_value(make("", "2b81f5b2-8403-7b23-c8d6-21ccc2f80d6f", ""), "x");
}
END_TEST

/* ---- what others take ---- */

static void expect_found(const struct secret_ref *ref, int code)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) value = secret_find_value(secrets, ref, &error);

        ck_assert_int_eq(error ? (int)error_get_code(error) : 0, code);
        ck_assert_int_eq(value == NULL, code != 0);
}

START_TEST(test_references)
{
        struct secret *secret = make("", UUID_A, VOLUME("/a"));

        make("", UUID_B, CEPH("c"));
        expect(set_value(secret, "x", 1));
        expect_found(&(struct secret_ref){ SECRET_USAGE_VOLUME, (char *)UUID_A, NULL }, 0);
        expect_found(&(struct secret_ref){ SECRET_USAGE_VOLUME, NULL, (char *)"/a" }, 0);
        expect_found(&(struct secret_ref){ SECRET_USAGE_CEPH, (char *)UUID_A, NULL }, ERROR_INVALID_SECRET);
        expect_found(&(struct secret_ref){ SECRET_USAGE_CEPH, NULL, (char *)"c" }, ERROR_NO_SECRET);
        expect_found(&(struct secret_ref){ SECRET_USAGE_CEPH, NULL, (char *)"/a" }, ERROR_NO_SECRET);
}
END_TEST

/* ---- at rest and in memory ---- */

#define VALUE "a passphrase, which is nowhere as it is"

static void quiet_restart(void)
{
        log_set_max(LOG_LEVEL_ERROR - 1);
        restart();
        log_set_max(LOG_LEVEL_ERROR);
}

static void expect_no_value(const char *uuid)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_nonnull(find(uuid));
        ck_assert_ptr_null(secret_get_value(find(uuid), 0, &error));
        ck_assert(error_is(error, ERROR_NO_SECRET));
}

static char *read_text(const char *name)
{
        g_autofree char *path = file(name);
        char *text = NULL;

        ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
        return text;
}

/* As systemd seals it, or as it is. */
static const char *key_name(void)
{
        return exists("key.cred") ? "key.cred" : "key";
}

START_TEST(test_encrypted)
{
        g_autofree char *plain = g_base64_encode((const guchar *)VALUE, strlen(VALUE));
        g_autofree char *first = NULL, *second = NULL, *key = file(key_name());
        struct secret *secret = make("", UUID_A, "");
        struct stat st;

        expect(set_value(secret, VALUE, strlen(VALUE)));
        first = read_text(UUID_A ".value");
        ck_assert(!strstr(first, plain) && !strstr(first, VALUE));
        /* The same value does not look the same. */
        expect(set_value(secret, VALUE, strlen(VALUE)));
        second = read_text(UUID_A ".value");
        ck_assert_str_ne(first, second);
        ck_assert_int_eq(stat(key, &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0600);
        restart();
        expect_value(find(UUID_A), VALUE);
}
END_TEST

/* Files of an agent that did not encrypt, also where the takeover was cut short. */
START_TEST(test_taken_over)
{
        g_autofree char *plain = g_base64_encode((const guchar *)VALUE, strlen(VALUE)), *text = NULL;

        make("", UUID_A, VOLUME("/a"));
        write_file(UUID_A ".base64", plain);
        restart();
        expect_value(find(UUID_A), VALUE);
        ck_assert(exists(UUID_A ".value") && !exists(UUID_A ".base64"));
        text = read_text(UUID_A ".value");
        ck_assert_ptr_null(strstr(text, plain));
        write_file(UUID_A ".base64", plain);
        restart();
        expect_value(find(UUID_A), VALUE);
        ck_assert(exists(UUID_A ".value") && !exists(UUID_A ".base64"));
}
END_TEST

START_TEST(test_damaged_values)
{
        g_autofree char *path = file(UUID_A ".value"), *good = NULL, *other = NULL;

        expect(set_value(make("", UUID_A, VOLUME("/a")), VALUE, strlen(VALUE)));
        expect(set_value(make("", UUID_B, VOLUME("/b")), "b", 1));
        good = read_text(UUID_A ".value");
        other = read_text(UUID_B ".value");
        for (unsigned i = 0; i < 5; i++) {
                g_autofree char *bad = g_strdup(good);

                if (i == 0)
                        bad[strlen(bad) / 2] ^= 1;
                else if (i == 1)
                        bad[30] = '\0';
                else if (i == 2)
                        bad[0] = '\0';
                else if (i == 3)
                        bad[8] = 'X';
                else
                        /* Another secret's, which is whole. */
                        g_free(bad), bad = g_strdup(other);
                write_file(UUID_A ".value", bad);
                quiet_restart();
                expect_no_value(UUID_A);
                expect_value(find(UUID_B), "b");
        }
        write_file(UUID_A ".value", good);
        ck_assert_int_eq(chmod(path, 0640), 0);
        quiet_restart();
        expect_no_value(UUID_A);
        ck_assert_int_eq(chmod(path, 0600), 0);
        if (geteuid() == 0) {
                ck_assert_int_eq(chown(path, 1, 0), 0);
                quiet_restart();
                expect_no_value(UUID_A);
                ck_assert_int_eq(chown(path, 0, 0), 0);
        }
        restart();
        expect_value(find(UUID_A), VALUE);
}
END_TEST

START_TEST(test_damaged_key)
{
        g_autofree char *path = file(key_name()), *good = NULL;

        expect(set_value(make("", UUID_A, VOLUME("/a")), VALUE, strlen(VALUE)));
        good = read_text(key_name());
        write_file(key_name(), "no key");
        quiet_restart();
        expect_no_value(UUID_A);
        refuse(set_value(find(UUID_A), "x", 1), ERROR_OPERATION_FAILED,
               exists("key.cred") ? "cannot decrypt the key" : "holds no key");
        write_file(key_name(), good);
        ck_assert_int_eq(chmod(path, 0604), 0);
        quiet_restart();
        expect_no_value(UUID_A);
        refuse(set_value(find(UUID_A), "x", 1), ERROR_OPERATION_FAILED, "mode 604");
        ck_assert_int_eq(chmod(path, 0600), 0);
        restart();
        expect_value(find(UUID_A), VALUE);
}
END_TEST

/* A systemd-creds that waits for a TPM does not keep the agent waiting. */
START_TEST(test_creds_that_hang)
{
        g_autofree char *program = g_build_filename(top, "systemd-creds", NULL),
                        *path = g_strconcat(top, ":", g_getenv("PATH"), NULL);
        g_autoptr(GError) error = NULL;

        ck_assert(g_file_set_contents(program, "#!/bin/sh\nexec sleep 1000\n", -1, NULL));
        ck_assert_int_eq(chmod(program, 0700), 0);
        ck_assert(store_write(top, "key.cred", "sealed", false, NULL));
        ck_assert(g_setenv("PATH", path, TRUE));
        ck_assert_ptr_null(secret_key_open(top, 100, &error));
        ck_assert(error_is(error, ERROR_OPERATION_TIMEOUT));
        ck_assert_ptr_nonnull(strstr(error->message, "did not decrypt the key of secrets within 100 ms"));
        /* It has been ended, and waited for. */
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

#define MASK 0x5a

struct search {
        const unsigned char *masked; /* what is looked for, each byte ^ MASK */
        unsigned char *buffer;       /* not looked into */
        unsigned found, dumped;      /* places, and those that a core dump has */
};

#define SEARCH_SIZE 32
#define CHUNK       (1 << 20)

static unsigned count_in(const struct search *search, size_t length)
{
        unsigned count = 0;

        for (size_t i = 0; i + SEARCH_SIZE <= length; i++) {
                size_t j = 0;

                while (j < SEARCH_SIZE && (search->buffer[i + j] ^ MASK) == search->masked[j])
                        j++;
                count += j == SEARCH_SIZE;
        }
        return count;
}

static void search_mapping(struct search *search, int mem, unsigned long from, unsigned long to, bool dumped)
{
        if ((unsigned long)search->buffer >= from && (unsigned long)search->buffer < to)
                return;
        /* A sanitizer's books. */
        if (to - from > 1UL << 32)
                return;
        for (unsigned long at = from; at < to; at += CHUNK - SEARCH_SIZE) {
                ssize_t length = pread(mem, search->buffer, MIN(CHUNK, to - at), (off_t)at);
                unsigned count = length > 0 ? count_in(search, (size_t)length) : 0;

                search->found += count;
                search->dumped += dumped ? count : 0;
                if (to - at <= CHUNK)
                        return;
        }
}

/* All that this process may write to, with what each mapping's flags say of dumps ("dd"). */
static void search_memory(struct search *search)
{
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        CLEANUP_FD int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        unsigned long from = 0, to = 0;
        char mode[8] = "";

        search->found = search->dumped = 0;
        ck_assert(g_file_get_contents("/proc/self/smaps", &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                unsigned long a, b;
                char m[8];

                if (sscanf(lines[i], "%lx-%lx %7s", &a, &b, m) == 3) {
                        from = a;
                        to = b;
                        memcpy(mode, m, sizeof(mode));
                } else if (g_str_has_prefix(lines[i], "VmFlags:") && mode[1] == 'w') {
                        search_mapping(search, mem, from, to, !strstr(lines[i], " dd"));
                }
        }
}

/* In memory it is where no dump sees it; after Undefine it is nowhere. */
START_TEST(test_memory)
{
        struct secret *secret = make("", UUID_A, VOLUME("/a"));
        unsigned char *value = secret_memory_new(SEARCH_SIZE), masked[SEARCH_SIZE];
        struct search search = { .masked = masked };

        search.buffer = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (unsigned i = 0; i < SEARCH_SIZE; i++) {
                value[i] = (unsigned char)g_random_int();
                masked[i] = value[i] ^ MASK;
        }
        expect(set_value(secret, (const char *)value, SEARCH_SIZE));
        search_memory(&search);
        ck_assert_uint_ge(search.found, 2); /* ours, and the secret's */
        ck_assert_uint_eq(search.dumped, 0);
        /* Of the file. */
        restart();
        search_memory(&search);
        ck_assert_uint_ge(search.found, 2);
        ck_assert_uint_eq(search.dumped, 0);
        secret_memory_free(value, SEARCH_SIZE);
        expect(undefine(find(UUID_A)));
        search_memory(&search);
        ck_assert_uint_eq(search.found, 0);
        munmap(search.buffer, CHUNK);
}
END_TEST

CHECK_MAIN_FIXTURE("secret", setup, teardown, test_encrypted, test_taken_over, test_damaged_values,
                   test_damaged_key, test_creds_that_hang, test_memory, test_document, test_without_usage,
                   test_refused_documents, test_one_secret_for_a_thing, test_redefine_keeps_value,
                   test_private_stays_private, test_list, test_values, test_sizes, test_ephemeral,
                   test_ephemeral_and_back, test_undefine, test_undefine_that_fails, test_define_that_fails,
                   test_start_up, test_references)
