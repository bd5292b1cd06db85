/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One way to change a domain: what LIVE, CONFIG and CURRENT come to in each state of a domain, in which order
 * things happen, and what is left when any of them fails. The row is the test's own: it sets the title, and
 * its live action finds that the guest got a description as well.
 */
#include "drivers/domain/modify.h"

#include "base/lane.h"
#include "base/loop.h"
#include "tests/unit/check-main.h"
#include "tests/unit/fake-driver.h"

#include <string.h>

enum {
        CURRENT = DOMAIN_AFFECT_CURRENT,
        LIVE = DOMAIN_AFFECT_LIVE,
        CONFIG = DOMAIN_AFFECT_CONFIG,
        BOTH = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
        EXTRA = 1 << 4,
};

static struct fake_driver *fake;
static bool args_freed;
static bool hurried; /* an urgent job comes during the live action, which succeeds all the same */

static void setup(void)
{
        fake = fake_driver_new();
        args_freed = false;
        hurried = false;
}

static void teardown(void)
{
        fake_driver_free(fake);
}

static struct fake_driver *of(const struct domain_change *change)
{
        return *(struct fake_driver **)change->args;
}

static bool edit_title(struct domain_edit *edit, const struct domain_def *def,
                       const struct domain_change *change, enum domain_affect side, GError **error)
{
        const char *name = side == DOMAIN_AFFECT_LIVE ? "edit-live" : "edit-config";

        g_string_append_printf(of(change)->calls, "%s ", name);
        domain_edit_set_title(edit, "new");
        if (g_strcmp0(of(change)->fail, name) != 0)
                return true;
        return error_set(error, ERROR_FROM_TEST, ERROR_OPERATION_FAILED, "told to fail: %s", name);
}

static bool act(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                GError **error)
{
        struct domain_edit *edit;

        if (!fake_driver_call(domain, "act", error))
                return false;
        if (hurried)
                lane_wait(domain->base.lane, -1, 0, NULL, LANE_FOREVER);
        edit = domain_edit_new(*live, error);
        domain_edit_set_description(edit, "reached");
        domain_def_unref(*live);
        *live = domain_edit_commit(edit, error);
        return *live != NULL;
}

static bool undo(struct domain *domain, const struct domain_change *change, const struct domain_def *before,
                 GError **error)
{
        g_assert(!before->title && lane_wait(domain->base.lane, -1, 0, NULL, 0) == LANE_TIMEOUT);
        return fake_driver_call(domain, "undo", error);
}

static struct managed_event *event(const struct domain_change *change)
{
        return &domain_event_new(DOMAIN_EVENT_AGENT)->base;
}

static void args_free(void *args)
{
        args_freed = true;
        g_free(args);
}

#define ROW                                                                                                  \
        .function = "SetTitle", .edit = edit_title, .act = act, .undo = undo, .event = event,                \
        .args_free = args_free

static const struct domain_modification both_row = { ROW, .flags = BOTH | EXTRA };
static const struct domain_modification live_row = { ROW, .flags = LIVE };
static const struct domain_modification config_row = { ROW, .flags = CONFIG };
static const struct domain_modification inactive_row = { ROW, .inactive = true };
static const struct domain_modification no_undo_row = {
        .function = "SetTitle", .flags = BOTH, .edit = edit_title, .act = act, .event = event
};

static const struct domain_modification first_row = { .stores_first = true,
                                                      .function = "SetTitle",
                                                      .flags = BOTH,
                                                      .edit = edit_title,
                                                      .act = act,
                                                      .event = event };
static const struct domain_modification document_row = { .function = "SetTitle",
                                                         .flags = BOTH,
                                                         .edit = edit_title };

static void modify(struct domain *domain, const struct domain_modification *row, unsigned flags,
                   const char *error)
{
        struct fake_outcome outcome = { 0 };

        domain_modify(domain, row, g_memdup2(&fake, sizeof(fake)), flags, fake_driver_done, &outcome);
        fake_driver_expect(fake, &outcome, error);
        ck_assert(args_freed || !row->args_free);
        args_freed = false;
}

static const char *title_of(const struct definition *definition)
{
        return definition ? ((const struct domain_def *)definition)->title : NULL;
}

/* Each of live, config and file: has it the new title? And is what the loop sees what the lane knows? */
static void expect_changed(const struct domain *domain, bool live, bool config)
{
        const struct managed_state *state = domain->base.published;
        const struct domain_def *active = (const struct domain_def *)state->active;
        g_autofree char *file = fake_driver_read_file(fake, domain);

        ck_assert_ptr_eq(state, domain->base.current);
        ck_assert_pstr_eq(title_of(state->active), live ? "new" : NULL);
        ck_assert_pstr_eq(active ? active->description : NULL, live ? "reached" : NULL);
        ck_assert_pstr_eq(title_of(state->persistent), config ? "new" : NULL);
        if (file)
                ck_assert_int_eq(strstr(file, "<title>new</title>") != NULL, config);
}

enum what { INACTIVE, RUNNING, TRANSIENT };

static struct domain *make(enum what what)
{
        struct domain *domain;

        if (what == TRANSIENT)
                return fake_driver_create(fake, fake_driver_xml(""));
        domain = fake_driver_define(fake, fake_driver_xml(""));
        if (what == RUNNING)
                fake_driver_start(fake, domain);
        return domain;
}

#define NOT_RUNNING  "Requested operation is not valid: domain 'web' is not running"
#define IS_TRANSIENT "Requested operation is not valid: domain 'web' is transient"
#define TOLD         "operation failed: told to fail: "

/* What is asked of what, what fails, and what is to become of it. */
static const struct {
        enum what what;
        unsigned flags;
        const char *fail;
        const char *error;
        const char *calls;
        const char *journal;
        bool live, config;
} cases[] = {
        { INACTIVE, CURRENT, NULL, NULL, "edit-config ", "-P 15:0.0; ", false, true },
        { INACTIVE, CONFIG, NULL, NULL, "edit-config ", "-P 15:0.0; ", false, true },
        { INACTIVE, CONFIG | EXTRA, NULL, NULL, "edit-config ", "-P 15:0.0; ", false, true },
        { INACTIVE, LIVE, NULL, NOT_RUNNING, "", "", false, false },
        { INACTIVE, BOTH, NULL, NOT_RUNNING, "", "", false, false },
        { INACTIVE, CONFIG, "edit-config", TOLD "edit-config", "edit-config ", "", false, false },
        { INACTIVE, CURRENT, "reach", NULL, "edit-config ", "-P 15:0.0; ", false, true },

        { RUNNING, CURRENT, NULL, NULL, "reach edit-live act save ", "AP 15:0.0; ", true, false },
        { RUNNING, LIVE, NULL, NULL, "reach edit-live act save ", "AP 15:0.0; ", true, false },
        { RUNNING, CONFIG, NULL, NULL, "edit-config save ", "AP 15:0.0; ", false, true },
        { RUNNING, BOTH, NULL, NULL, "reach edit-config edit-live act save ", "AP 15:0.0; ", true, true },
        { RUNNING, LIVE, "reach", TOLD "reach", "reach ", "", false, false },
        { RUNNING, LIVE, "edit-live", TOLD "edit-live", "reach edit-live ", "", false, false },
        { RUNNING, LIVE, "act", TOLD "act", "reach edit-live act ", "", false, false },
        { RUNNING, CONFIG, "act", NULL, "edit-config save ", "AP 15:0.0; ", false, true },
        { RUNNING, BOTH, "reach", TOLD "reach", "reach ", "", false, false },
        { RUNNING, BOTH, "edit-config", TOLD "edit-config", "reach edit-config ", "", false, false },
        { RUNNING, BOTH, "edit-live", TOLD "edit-live", "reach edit-config edit-live ", "", false, false },
        { RUNNING, BOTH, "act", TOLD "act", "reach edit-config edit-live act ", "", false, false },

        { TRANSIENT, CURRENT, NULL, NULL, "reach edit-live act save ", "A- 15:0.0; ", true, false },
        { TRANSIENT, LIVE, NULL, NULL, "reach edit-live act save ", "A- 15:0.0; ", true, false },
        { TRANSIENT, CONFIG, NULL, IS_TRANSIENT, "", "", false, false },
        { TRANSIENT, BOTH, NULL, IS_TRANSIENT, "", "", false, false },
        { TRANSIENT, LIVE, "act", TOLD "act", "reach edit-live act ", "", false, false },
};

START_TEST(each_side_in_each_state_with_each_failure)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                struct domain *domain = make(cases[i].what);

                fake->fail = cases[i].fail;
                modify(domain, &both_row, cases[i].flags, cases[i].error);
                ck_assert_str_eq(fake->calls->str, cases[i].calls);
                ck_assert_str_eq(fake->journal->str, cases[i].journal);
                expect_changed(domain, cases[i].live, cases[i].config);
                teardown();
                setup();
        }
}
END_TEST

/* The store fails: error is a system's, so it is not compared as a whole. */
static void modify_unstored(struct domain *domain, const struct domain_modification *row, unsigned flags)
{
        struct fake_outcome outcome = { 0 };

        fake_driver_break_store(fake, domain);
        domain_modify(domain, row, g_memdup2(&fake, sizeof(fake)), flags, fake_driver_done, &outcome);
        while (!outcome.count)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_ptr_null(strstr(outcome.error, "told to fail"));
        g_free(outcome.error);
        fake_driver_mend_store(fake, domain);
}

START_TEST(a_definition_that_cannot_be_stored_changes_nothing)
{
        struct domain *domain = make(INACTIVE);

        modify_unstored(domain, &both_row, CONFIG);
        ck_assert_str_eq(fake->calls->str, "edit-config ");
        ck_assert_str_eq(fake->journal->str, "");
        expect_changed(domain, false, false);
}
END_TEST

START_TEST(a_guest_goes_back_when_the_store_fails)
{
        struct domain *domain = make(RUNNING);

        modify_unstored(domain, &both_row, BOTH);
        ck_assert_str_eq(fake->calls->str, "reach edit-config edit-live act undo ");
        ck_assert_str_eq(fake->journal->str, "");
        expect_changed(domain, false, false);
}
END_TEST

START_TEST(a_guest_that_cannot_go_back_is_shown_as_it_is)
{
        struct domain *domain = make(RUNNING);

        fake->fail = "undo";
        modify_unstored(domain, &both_row, BOTH);
        ck_assert_str_eq(fake->calls->str, "reach edit-config edit-live act undo save ");
        ck_assert_str_eq(fake->journal->str, "AP 15:0.0; ");
        expect_changed(domain, true, false);
}
END_TEST

START_TEST(a_row_without_a_way_back_shows_the_guest_as_it_is)
{
        struct domain *domain = make(RUNNING);

        modify_unstored(domain, &no_undo_row, BOTH);
        ck_assert_str_eq(fake->calls->str, "reach edit-config edit-live act save ");
        ck_assert_str_eq(fake->journal->str, "AP 15:0.0; ");
        expect_changed(domain, true, false);
}
END_TEST

START_TEST(a_row_that_stores_first_leaves_the_guest_alone)
{
        struct domain *domain = make(RUNNING);

        modify_unstored(domain, &first_row, BOTH);
        ck_assert_str_eq(fake->calls->str, "reach edit-config edit-live ");
        ck_assert_str_eq(fake->journal->str, "");
        expect_changed(domain, false, false);
}
END_TEST

/* The file is as it was, too, when the guest does not follow. */
START_TEST(a_row_that_stores_first_stores_back)
{
        struct domain *domain = make(RUNNING);
        g_autofree char *before = fake_driver_read_file(fake, domain), *after = NULL;

        ck_assert_ptr_nonnull(before);
        fake->fail = "act";
        modify(domain, &first_row, BOTH, "operation failed: told to fail: act");
        after = fake_driver_read_file(fake, domain);
        ck_assert_str_eq(after, before);
        expect_changed(domain, false, false);
}
END_TEST

START_TEST(a_document_alone_needs_no_guest)
{
        struct domain *domain = make(RUNNING);

        modify(domain, &document_row, BOTH, NULL);
        ck_assert_str_eq(fake->calls->str, "edit-config edit-live save ");
        ck_assert_str_eq(fake->journal->str, "AP; ");
        ck_assert_str_eq(title_of(domain->base.published->active), "new");
        fake_driver_forget(fake);
        modify_unstored(domain, &document_row, BOTH);
        ck_assert_str_eq(fake->journal->str, "");
}
END_TEST

START_TEST(one_side_only_is_what_current_means)
{
        struct domain *domain = make(RUNNING);

        modify(domain, &config_row, CURRENT, NULL);
        expect_changed(domain, false, true);
        modify(domain, &live_row, CURRENT, NULL);
        expect_changed(domain, true, true);
        modify(domain, &live_row, CONFIG, "invalid argument: unsupported flags (0x2) in function SetTitle");
        modify(domain, &both_row, 1 << 5, "invalid argument: unsupported flags (0x20) in function SetTitle");
}
END_TEST

START_TEST(one_side_only_needs_that_side)
{
        struct domain *domain = make(INACTIVE);

        modify(domain, &live_row, CURRENT, NOT_RUNNING);
        teardown();
        setup();
        domain = make(TRANSIENT);
        modify(domain, &config_row, CURRENT, IS_TRANSIENT);
        modify(domain, &inactive_row, 0, "Requested operation is not valid: domain 'web' is already running");
        expect_changed(domain, false, false);
}
END_TEST

START_TEST(a_domain_that_is_gone_is_not_changed)
{
        struct domain *domain = make(INACTIVE);
        struct fake_outcome undefined = { 0 }, modified = { 0 };

        domain_undefine(domain, 0, fake_driver_done, &undefined);
        domain_modify(domain, &both_row, g_memdup2(&fake, sizeof(fake)), 0, fake_driver_done, &modified);
        fake_driver_expect(fake, &modified, "Domain not found: no domain with matching uuid '" FAKE_UUID "'");
        ck_assert_str_eq(fake->calls->str, "undefine-0 ");
        ck_assert_uint_eq(undefined.count, 1);
}
END_TEST

/* CURRENT is what the domain is when its turn comes, not what it was when the call was made. */
START_TEST(current_is_resolved_in_turn)
{
        struct domain *domain = make(INACTIVE);
        struct fake_outcome started = { 0 }, modified = { 0 };

        domain_create(domain, 0, NULL, fake_driver_done, &started);
        domain_modify(domain, &both_row, g_memdup2(&fake, sizeof(fake)), CURRENT, fake_driver_done,
                      &modified);
        fake_driver_expect(fake, &modified, NULL);
        ck_assert_str_eq(fake->calls->str, "start save reach edit-live act save ");
        expect_changed(domain, true, false);
}
END_TEST

START_TEST(destroy_interrupts_the_live_action)
{
        struct domain *domain = make(RUNNING);
        struct fake_outcome modified = { 0 }, destroyed = { 0 };

        fake->block = "act";
        domain_modify(domain, &both_row, g_memdup2(&fake, sizeof(fake)), BOTH, fake_driver_done, &modified);
        domain_destroy(domain, 0, fake_driver_done, &destroyed);
        fake_driver_expect(fake, &modified, "operation aborted: act was interrupted");
        fake_driver_expect(fake, &destroyed, NULL);
        ck_assert_str_eq(fake->journal->str, "-P 0:5.1; ");
        expect_changed(domain, false, false);
}
END_TEST

START_TEST(a_guest_goes_back_though_there_is_hurry)
{
        struct domain *domain = make(RUNNING);
        struct fake_outcome modified = { 0 }, destroyed = { 0 };

        hurried = true;
        fake_driver_break_store(fake, domain);
        domain_modify(domain, &both_row, g_memdup2(&fake, sizeof(fake)), BOTH, fake_driver_done, &modified);
        domain_destroy(domain, 0, fake_driver_done, &destroyed);
        fake_driver_expect(fake, &destroyed, NULL);
        ck_assert_str_eq(fake->calls->str, "reach edit-config edit-live act undo stop ");
        ck_assert_ptr_nonnull(modified.error);
        g_free(modified.error);
}
END_TEST

/* ---- queries ---- */

static void expect_choice(struct domain *domain, unsigned flags, bool active, const char *error)
{
        const struct managed_state *state = domain->base.published;
        g_autoptr(GError) failure = NULL;
        const struct domain_def *def = domain_choose_def(state, flags, &failure);

        ck_assert_pstr_eq(failure ? failure->message : NULL, error);
        if (error)
                ck_assert_ptr_null(def);
        else
                ck_assert_ptr_eq(&def->base, active ? state->active : state->persistent);
}

START_TEST(a_query_chooses_one_definition)
{
        const char *both = "invalid argument: flags LIVE and CONFIG exclude each other in a query of domain "
                           "'web'";
        struct domain *domain = make(INACTIVE);

        expect_choice(domain, CURRENT, false, NULL);
        expect_choice(domain, CONFIG | EXTRA, false, NULL);
        expect_choice(domain, LIVE, false, NOT_RUNNING);
        fake_driver_start(fake, domain);
        expect_choice(domain, CURRENT, true, NULL);
        expect_choice(domain, LIVE, true, NULL);
        expect_choice(domain, CONFIG, false, NULL);
        expect_choice(domain, BOTH, false, both);
        teardown();
        setup();
        domain = make(TRANSIENT);
        expect_choice(domain, CURRENT, true, NULL);
        expect_choice(domain, CONFIG, false, IS_TRANSIENT);
}
END_TEST

CHECK_MAIN_FIXTURE("domain-modify", setup, teardown, each_side_in_each_state_with_each_failure,
                   a_definition_that_cannot_be_stored_changes_nothing, a_guest_goes_back_when_the_store_fails,
                   a_guest_that_cannot_go_back_is_shown_as_it_is,
                   a_row_without_a_way_back_shows_the_guest_as_it_is,
                   a_row_that_stores_first_leaves_the_guest_alone, a_row_that_stores_first_stores_back,
                   a_document_alone_needs_no_guest, one_side_only_is_what_current_means,
                   one_side_only_needs_that_side, a_domain_that_is_gone_is_not_changed,
                   current_is_resolved_in_turn, destroy_interrupts_the_live_action,
                   a_guest_goes_back_though_there_is_hurry, a_query_chooses_one_definition)
