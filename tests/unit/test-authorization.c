/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/authorization.h"

#include "base/pool.h"
#include "drivers/test/test-driver.h"
#include "tests/unit/check-main.h"

#include <string.h>
#include <unistd.h>

#define SECURE 1
#define OTHER  4

static const struct access reads[] = { { "domain.read", 0 }, { NULL, 0 } };
static const struct access starts[] = { { "domain.start", 0 }, { NULL, 0 } };
static const struct access defines[] = {
        { "domain.read", 0 }, { "domain.write", 0 }, { "domain.save", 0 }, { NULL, 0 }
};
static const struct access document[] = {
        { "domain.read", 0 }, { "domain.read-secure", SECURE }, { "domain.write", OTHER }, { NULL, 0 }
};

static const struct model_driver *const drivers[] = { &test_model_driver };
static struct model_environment environment;
static struct models *models;
static struct model *model;
static struct identity *identity;

/* An authorizer that answers later: what it was asked, and who waits. */
static GString *asked;
static authorization_done waiting;
static void *waiting_data;
static enum authorization_answer heard;

static enum authorization_answer ask_later(void *authorizer, const struct authorization_question *question,
                                           authorization_done done, void *data)
{
        g_string_append_printf(asked, "%s ", question->action);
        waiting = done;
        waiting_data = data;
        return AUTHORIZATION_PENDING;
}

static const struct authorizer later = { .ask = ask_later };

static void setup_with(const struct authorizer *authorizer)
{
        struct loop *loop = loop_new(NULL);

        environment = (struct model_environment){
                .loop = loop,
                .pool = pool_new(1, NULL),
                .authorizer = authorizer,
        };
        models = models_new(&environment, drivers, G_N_ELEMENTS(drivers), NULL);
        model = models_get_nth(models, 0);
        identity = identity_new(":1.1", models_get_count(models));
        asked = g_string_new(NULL);
        heard = AUTHORIZATION_WHO;
}

static void setup(void)
{
        setup_with(NULL);
}

static void teardown(void)
{
        identity_unref(identity);
        models_quiesce(models);
        while (models_are_busy(models))
                loop_step(environment.loop, true);
        models_free(models);
        pool_free(environment.pool);
        loop_free(environment.loop);
        g_string_free(asked, TRUE);
}

static void use_later(void)
{
        teardown();
        setup_with(&later);
}

static void hear(enum authorization_answer answer, void *data)
{
        heard = answer;
}

static enum authorization_answer ask_counted(const struct access *access, unsigned flags, unsigned *granted)
{
        const struct authorization_question question = {
                .identity = identity,
                .model = model,
                .kind = MODEL_DOMAINS,
                .object = domain_lookup_name(model_get_domains(model), "test", NULL),
        };

        return authorization_ask(models_get_authorization(models), &question, access, flags, granted, hear,
                                 NULL);
}

static enum authorization_answer ask(const struct access *access, unsigned flags)
{
        unsigned granted = 0;

        return ask_counted(access, flags, &granted);
}

START_TEST(actions_that_read)
{
        ck_assert(authorization_is_read("domain.read"));
        ck_assert(authorization_is_read("domain.getattr"));
        ck_assert(authorization_is_read("connect.search-domains"));
        ck_assert(!authorization_is_read("domain.read-secure"));
        ck_assert(!authorization_is_read("domain.write"));
        ck_assert(!authorization_is_read("connect.search-"));
        ck_assert(!authorization_is_read("domain.get"));
        ck_assert(!authorization_is_read("read"));
        ck_assert(!authorization_is_read(""));
}
END_TEST

START_TEST(strangers_read)
{
        ck_assert_int_eq(ask(reads, 0), AUTHORIZATION_ALLOWED);
        ck_assert_int_eq(ask(starts, 0), AUTHORIZATION_WHO);
        identity_set_credentials(identity, geteuid() + 1, 1);
        ck_assert_int_eq(ask(reads, 0), AUTHORIZATION_ALLOWED);
        ck_assert_int_eq(ask(starts, 0), AUTHORIZATION_DENIED);
}
END_TEST

START_TEST(the_own_user_may_everything)
{
        identity_set_credentials(identity, geteuid(), 1);
        ck_assert_int_eq(ask(defines, 0), AUTHORIZATION_ALLOWED);
}
END_TEST

START_TEST(nobody_vouches_for_who_has_left)
{
        identity_leave(identity);
        identity_set_credentials(identity, 0, 1);
        ck_assert_int_eq(ask(starts, 0), AUTHORIZATION_DENIED);
}
END_TEST

START_TEST(some_flags_need_more)
{
        unsigned granted = 0;

        identity_set_credentials(identity, geteuid() + 1, 1);
        ck_assert_int_eq(ask(document, 0), AUTHORIZATION_ALLOWED);
        ck_assert_int_eq(ask(document, 2), AUTHORIZATION_ALLOWED);
        ck_assert_int_eq(ask(document, OTHER), AUTHORIZATION_DENIED);
        ck_assert_int_eq(ask_counted(document, SECURE | OTHER, &granted), AUTHORIZATION_DENIED);
        ck_assert_str_eq(document[granted].action, "domain.read-secure");
}
END_TEST

/* Read-only is for who opened it so and not the other way as well. */
START_TEST(read_only_openings)
{
        g_autoptr(GError) error = NULL;

        identity_set_credentials(identity, geteuid(), 1);
        identity_open(identity, model, MODEL_OPEN_READ_ONLY);
        ck_assert_int_eq(ask(starts, 0), AUTHORIZATION_READ_ONLY);
        ck_assert_int_eq(ask(document, SECURE), AUTHORIZATION_READ_ONLY);
        ck_assert_int_eq(ask(reads, 0), AUTHORIZATION_ALLOWED);
        identity_open(identity, model, 0);
        ck_assert_int_eq(ask(starts, 0), AUTHORIZATION_ALLOWED);
        /* The unrestricted one ends first. */
        ck_assert(identity_close(identity, model, NULL));
        ck_assert_int_eq(ask(starts, 0), AUTHORIZATION_READ_ONLY);
        ck_assert(identity_close(identity, model, NULL));
        ck_assert_int_eq(ask(starts, 0), AUTHORIZATION_ALLOWED);
        ck_assert(!identity_close(identity, model, &error));
        ck_assert(error_is(error, ERROR_INVALID_CONN));
}
END_TEST

/* One action after the other, each asked about once. */
START_TEST(answers_that_come_later)
{
        unsigned granted = 0;

        use_later();
        ck_assert_int_eq(ask_counted(starts, 0, &granted), AUTHORIZATION_PENDING);
        waiting(AUTHORIZATION_ALLOWED, waiting_data);
        ck_assert_int_eq(heard, AUTHORIZATION_ALLOWED);
        ck_assert_int_eq(ask_counted(starts, 0, &granted), AUTHORIZATION_ALLOWED);
        granted = 0;
        for (unsigned i = 0; i < 3; i++) {
                ck_assert_int_eq(ask_counted(defines, 0, &granted), AUTHORIZATION_PENDING);
                waiting(AUTHORIZATION_ALLOWED, waiting_data);
        }
        ck_assert_int_eq(ask_counted(defines, 0, &granted), AUTHORIZATION_ALLOWED);
        ck_assert_str_eq(asked->str, "domain.start domain.read domain.write domain.save ");
}
END_TEST

START_TEST(later_no)
{
        unsigned granted = 0;

        use_later();
        ck_assert_int_eq(ask_counted(starts, 0, &granted), AUTHORIZATION_PENDING);
        waiting(AUTHORIZATION_CHALLENGE, waiting_data);
        ck_assert_int_eq(heard, AUTHORIZATION_CHALLENGE);
        ck_assert_uint_eq(granted, 0);
}
END_TEST

/* Whoever has its pid and name next was not asked about. */
START_TEST(yes_for_who_has_left_is_no)
{
        unsigned granted = 0;

        use_later();
        ck_assert_int_eq(ask_counted(starts, 0, &granted), AUTHORIZATION_PENDING);
        identity_leave(identity);
        waiting(AUTHORIZATION_ALLOWED, waiting_data);
        ck_assert_int_eq(heard, AUTHORIZATION_DENIED);
        ck_assert_uint_eq(granted, 0);
}
END_TEST

static void add_detail(const char *key, const char *value, void *data)
{
        g_string_append_printf(data, "%s=%s ", key, value);
}

START_TEST(details_of_objects)
{
        struct authorization_question question = {
                .model = model,
                .kind = MODEL_DOMAINS,
                .object = domain_lookup_name(model_get_domains(model), "test", NULL),
        };

        authorization_describe(&question, add_detail, asked);
        ck_assert_str_eq(asked->str, "connect_driver=Test domain_name=test "
                                     "domain_uuid=6695eb01-f6a4-8304-79aa-97f2502e193f ");
        g_string_truncate(asked, 0);
        question.object = NULL;
        authorization_describe(&question, add_detail, asked);
        ck_assert_str_eq(asked->str, "connect_driver=Test ");
}
END_TEST

CHECK_MAIN_FIXTURE("authorization", setup, teardown, actions_that_read, strangers_read,
                   the_own_user_may_everything, nobody_vouches_for_who_has_left, some_flags_need_more,
                   read_only_openings, answers_that_come_later, later_no, yes_for_who_has_left_is_no,
                   details_of_objects)
