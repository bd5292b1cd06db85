/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the pool model asks of a backend, and when: a backend that notes it.
 */
#include "tests/unit/storage-support.h"

#include "drivers/secret/secret.h"
#include "drivers/storage/model.h"

/* ---- the backend; in the pool's lane or a job's, which are waited for ---- */

static bool is_started, fails;
static char *key;

static bool start_it(const struct backend_context *context, GError **failure)
{
        is_started = true;
        return true;
}

static bool stop_it(const struct backend_context *context, GError **failure)
{
        is_started = false;
        return true;
}

static bool look(const struct backend_context *context, struct pool_scan *scan, GError **failure)
{
        return !fails || error_set(failure, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED, "nothing to be seen");
}

static bool find_it(const struct backend_context *context, bool has_source, GPtrArray *sources,
                    GError **failure)
{
        key = context->secret
                      ? g_strndup(g_bytes_get_data(context->secret, NULL), g_bytes_get_size(context->secret))
                      : NULL;
        return true;
}

static void forget(const struct backend_context *context)
{
}

static const struct backend backend = {
        .start = start_it,
        .stop = stop_it,
        .forget = forget,
        .refresh = look,
        .find = find_it,
};

static void set_up(void)
{
        setup();
        storage->backend = &backend;
        is_started = fails = false;
}

/* ---- tests ---- */

/* What was mounted or logged in for a pool that is not started in the end goes away again. */
START_TEST(test_failed_start)
{
        struct storage_pool *pool = define("a", "a");

        fails = true;
        refuse(CALL(storage_pool_create, pool, 0), "nothing to be seen");
        ck_assert(!is_started);
        ck_assert(!storage_pool_is_active(pool));
        fails = false;
        expect(CALL(storage_pool_create, pool, 0));
        ck_assert(is_started);
        expect(CALL(storage_pool_destroy, pool));
        ck_assert(!is_started);
}
END_TEST

struct text {
        bool done;
        char *error; /* NULL: success */
};

static void told(const char *sources, const GError *failure, void *data)
{
        struct text *text = data;

        text->done = true;
        text->error = failure ? g_strdup(failure->message) : NULL;
}

static char *find_sources(void)
{
        struct text text = { 0 };

        storage_find_sources(storage, "iscsi",
                             "<source><host name='h'/><auth type='chap' username='me'>"
                             "<secret usage='target'/></auth></source>",
                             0, told, &text);
        while (!text.done)
                loop_step(loop, true);
        return text.error;
}

/* Looking for sources may need what opens them. */
START_TEST(test_find_with_a_secret)
{
        struct secrets *secrets = secrets_new(loop, threads, NULL);
        g_autofree char *problem = NULL;
        struct managed *secret;

        storage_set_secrets(storage, secrets);
        problem = find_sources();
        ck_assert_ptr_nonnull(strstr(problem, "no secret with matching usage 'target'"));
        secret = expect(CALL(secret_define_xml, secrets,
                             "<secret><usage type='iscsi'><target>target</target></usage></secret>", 0))
                         .object;
        expect(CALL(secret_set_value, (struct secret *)secret, "sesame", 6, 0));
        ck_assert_ptr_null(find_sources());
        ck_assert_str_eq(key, "sesame");
        g_free(key);
        settle();
        storage_set_secrets(storage, NULL);
        secrets_free(secrets);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-backend", set_up, teardown, test_failed_start, test_find_with_a_secret)
