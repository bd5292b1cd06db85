/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model above a driver that says what it is asked for: start, stop and what lies between,
 * undefine, rename, metadata, documents; and what is left when the driver or the store fails.
 */
#include "drivers/domain/domain.h"

#include "base/loop.h"
#include "tests/unit/domain-fixture.h"

#include <string.h>

static void expect_state(const struct domain *domain, int state, int reason)
{
        int now, why;

        ck_assert(domain_get_state(domain, 0, &now, &why, NULL));
        ck_assert_int_eq(now, state);
        ck_assert_int_eq(why, reason);
}

#define NOT_RUNNING "Requested operation is not valid: domain 'web' is not running"
#define IS_RUNNING  "Requested operation is not valid: domain 'web' is already running"
#define TOLD        "operation failed: told to fail: "

/* ---- start and stop ---- */

START_TEST(start_and_stop)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));

        domain_create(domain, 0, NULL, fake_driver_done, &outcome);
        expect(NULL, "start save ", "AP 0:2.0; ");
        expect_state(domain, DOMAIN_RUNNING, DOMAIN_RUNNING_BOOTED);
        ck_assert_int_eq(domain_get_published(domain)->id, 1);
        domain_create(domain, 0, NULL, fake_driver_done, &outcome);
        expect(IS_RUNNING, "", "");
        domain_destroy(domain, DOMAIN_DESTROY_GRACEFUL, fake_driver_done, &outcome);
        expect(NULL, "stop-gracefully ", "-P 0:5.1; ");
        expect_state(domain, DOMAIN_SHUTOFF, DOMAIN_SHUTOFF_DESTROYED);
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        expect(NOT_RUNNING, "", "");
        domain_create(domain, DOMAIN_START_PAUSED, NULL, fake_driver_done, &outcome);
        expect(NULL, "start save ", "AP 0:2.0; AP +0:3.0; ");
        expect_state(domain, DOMAIN_PAUSED, DOMAIN_PAUSED_USER);
        ck_assert_int_eq(domain_get_published(domain)->id, 2);
}
END_TEST

START_TEST(a_start_that_fails_leaves_it_off)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));

        fake->fail = "start";
        domain_create(domain, 0, NULL, fake_driver_done, &outcome);
        expect(TOLD "start", "start ", "-P; ");
        expect_state(domain, DOMAIN_SHUTOFF, DOMAIN_SHUTOFF_FAILED);
        domain_create(domain, 0, NULL, fake_driver_done, &outcome);
        expect(TOLD "start", "start ", "");
        /* The failure is the driver's own, so a Destroy behind it finds nothing to destroy. */
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        expect(NOT_RUNNING, "", "");
}
END_TEST

START_TEST(a_stop_that_fails_leaves_it_running)
{
        struct domain *domain = make_running("");

        fake->fail = "stop";
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        expect(TOLD "stop", "stop ", "");
        expect_state(domain, DOMAIN_RUNNING, DOMAIN_RUNNING_BOOTED);
}
END_TEST

START_TEST(destroy_behind_a_start_that_it_cancels_succeeds)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));
        struct fake_outcome started = { 0 };

        fake->block = "start";
        domain_create(domain, 0, NULL, fake_driver_done, &started);
        while (!fake->blocked)
                loop_step(fake->base.loop, true);
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        fake_driver_expect(fake, &started, "operation aborted: start was interrupted");
        expect(NULL, "start ", "");
        fake->block = NULL;
        /* That was the start's last word: the next Destroy has nothing to do. */
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        expect(NOT_RUNNING, "", "");
}
END_TEST

/* It is not even begun, and nothing that was asked for before is run after it. */
START_TEST(destroy_right_behind_a_start_succeeds)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));
        struct fake_outcome started = { 0 }, again = { 0 };

        domain_create(domain, 0, NULL, fake_driver_done, &started);
        domain_create(domain, 0, NULL, fake_driver_done, &again);
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        fake_driver_expect(fake, &started, "operation aborted: 'start' of domain 'web' was cancelled");
        fake_driver_expect(fake, &again, "operation aborted: 'start' of domain 'web' was cancelled");
        expect(NULL, "", "");
        domain_create(domain, 0, NULL, fake_driver_done, &outcome);
        expect(NULL, "start save ", "AP 0:2.0; ");
}
END_TEST

START_TEST(a_transient_domain_ends_with_its_guest)
{
        struct domain *domain = fake_driver_create(fake, fake_driver_xml(""));

        ck_assert_ptr_null(fake_driver_read_file(fake, domain));
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        expect(NULL, "stop ", "-- 0:5.1; ");
        ck_assert_ptr_null(domain_lookup_name(&fake->base, FAKE_NAME, NULL));
}
END_TEST

START_TEST(an_owner_who_leaves_takes_his_domains_along)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));

        domain_create(domain, DOMAIN_START_AUTODESTROY, ":1.7", fake_driver_done, &outcome);
        domain_owner_gone(&fake->base, ":1.8");
        while (domain->base.pending)
                loop_step(fake->base.loop, true);
        expect(NULL, "start save ", "AP 0:2.0; ");
        domain_owner_gone(&fake->base, ":1.7");
        while (domain_is_active(domain))
                loop_step(fake->base.loop, true);
        ck_assert_str_eq(fake->journal->str, "-P 0:5.1; ");
        ck_assert_ptr_null(domain_get_published(domain)->owner);
}
END_TEST

/* ---- what is asked of a running guest ---- */

START_TEST(suspend_and_resume)
{
        struct domain *domain = make_running("");

        domain_resume(domain, fake_driver_done, &outcome);
        expect("Requested operation is not valid: domain 'web' is already running", "", "");
        fake->fail = "suspend";
        domain_suspend(domain, fake_driver_done, &outcome);
        expect(TOLD "suspend", "suspend ", "");
        expect_state(domain, DOMAIN_RUNNING, DOMAIN_RUNNING_BOOTED);
        fake->fail = "resume";
        domain_suspend(domain, fake_driver_done, &outcome);
        expect(NULL, "suspend save ", "AP 0:3.0; ");
        expect_state(domain, DOMAIN_PAUSED, DOMAIN_PAUSED_USER);
        domain_suspend(domain, fake_driver_done, &outcome);
        expect(NULL, "", "");
        domain_resume(domain, fake_driver_done, &outcome);
        expect(TOLD "resume", "resume ", "");
        expect_state(domain, DOMAIN_PAUSED, DOMAIN_PAUSED_USER);
        fake->fail = NULL;
        domain_resume(domain, fake_driver_done, &outcome);
        expect(NULL, "resume save ", "AP 0:4.0; ");
        expect_state(domain, DOMAIN_RUNNING, DOMAIN_RUNNING_UNPAUSED);
}
END_TEST

START_TEST(requests_go_to_a_running_guest_only)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));

        domain_shutdown(domain, 0, fake_driver_done, &outcome);
        expect(NOT_RUNNING, "", "");
        domain_reboot(domain, 0, fake_driver_done, &outcome);
        expect(NOT_RUNNING, "", "");
        domain_reset(domain, 0, fake_driver_done, &outcome);
        expect(NOT_RUNNING, "", "");
        domain_suspend(domain, fake_driver_done, &outcome);
        expect(NOT_RUNNING, "", "");
        domain_resume(domain, fake_driver_done, &outcome);
        expect(NOT_RUNNING, "", "");
        fake_driver_start(fake, domain);
        domain_shutdown(domain, 2, fake_driver_done, &outcome);
        expect(NULL, "shutdown-2 ", "");
        domain_reboot(domain, 1, fake_driver_done, &outcome);
        expect(NULL, "reboot-1 ", "");
        domain_reset(domain, 0, fake_driver_done, &outcome);
        expect(NULL, "reset ", "");
        domain_shutdown(domain, 0x20, fake_driver_done, &outcome);
        expect("invalid argument: unsupported flags (0x20) in function Shutdown", "", "");
        domain_reset(domain, 1, fake_driver_done, &outcome);
        expect("invalid argument: unsupported flags (0x1) in function Reset", "", "");
}
END_TEST

/* ---- undefine ---- */

START_TEST(undefine_asks_the_driver_for_a_domain_that_is_off)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));

        fake->fail = "undefine-4";
        domain_undefine(domain, DOMAIN_UNDEFINE_NVRAM, fake_driver_done, &outcome);
        expect(TOLD "undefine-4", "undefine-4 ", "");
        ck_assert_ptr_nonnull(domain->base.published->persistent);
        domain_undefine(domain, DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_KEEP_NVRAM, fake_driver_done,
                        &outcome);
        expect("invalid argument: flags 0xc ask for a state to be both removed and kept", "", "");
        domain_undefine(domain, DOMAIN_UNDEFINE_KEEP_NVRAM, fake_driver_done, &outcome);
        expect(NULL, "undefine-8 ", "-- 0:1.0; ");
}
END_TEST

/* What belongs to the guest that runs is the driver's to keep for as long as it does. */
START_TEST(undefine_tells_the_driver_of_a_running_guest)
{
        struct domain *domain = make_running("");

        domain_undefine(domain, DOMAIN_UNDEFINE_NVRAM, fake_driver_done, &outcome);
        expect(NULL, "undefine-4 save ", "A- 0:1.0; ");
        ck_assert_ptr_null(fake_driver_read_file(fake, domain));
        domain_undefine(domain, 0, fake_driver_done, &outcome);
        expect("Requested operation is not valid: domain 'web' is transient", "", "");
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        expect(NULL, "stop ", "-- 0:5.1; ");
}
END_TEST

/* ---- rename ---- */

static void rename_to(struct domain *domain, const char *name)
{
        domain_rename(domain, name, 0, fake_driver_done, &outcome);
}

START_TEST(rename_changes_name_and_file)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(""));
        g_autofree char *file = NULL;

        rename_to(domain, "shop");
        expect(NULL, "", "-P +0:1.1; -P 0:0.2; ");
        ck_assert_ptr_eq(domain_lookup_name(&fake->base, "shop", NULL), domain);
        ck_assert_ptr_null(domain_lookup_name(&fake->base, FAKE_NAME, NULL));
        file = fake_driver_read_file(fake, domain);
        ck_assert_ptr_nonnull(strstr(file, "<name>shop</name>"));
        rename_to(domain, "shop");
        expect("invalid argument: domain 'shop' has that name already", "", "");
        domain_rename(domain, "other", 1, fake_driver_done, &outcome);
        expect("invalid argument: unsupported flags (0x1) in function Rename", "", "");
}
END_TEST

/* A name that was reserved for nothing is free again, for anybody. */
START_TEST(a_rename_that_fails_gives_the_name_back)
{
        static const char *const other = "<domain type='test'><name>shop</name><memory>65536</memory>"
                                         "<os><type>hvm</type></os></domain>";
        struct domain *domain = make_running("");

        rename_to(domain, "shop");
        expect(IS_RUNNING, "", "");
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        expect(NULL, "stop ", "-P 0:5.1; ");
        fake_driver_break_store(fake, domain);
        rename_to(domain, "shop");
        while (!outcome.count)
                loop_step(fake->base.loop, true);
        ck_assert_ptr_nonnull(outcome.error);
        ck_assert_str_eq(fake->journal->str, "");
        ck_assert_str_eq(domain->base.name, FAKE_NAME);
        g_free(outcome.error);
        outcome = (struct fake_outcome){ 0 };
        ck_assert_ptr_ne(fake_driver_define(fake, g_strdup(other)), domain);
}
END_TEST

/* ---- metadata ---- */

static void set_title(struct domain *domain, unsigned flags)
{
        domain_set_metadata(domain, DOMAIN_METADATA_TITLE, "The shop", NULL, NULL, flags, fake_driver_done,
                            &outcome);
}

static void expect_titles(const struct domain *domain, const char *live, const char *config)
{
        const struct managed_state *state = domain->base.published;

        ck_assert_pstr_eq(((const struct domain_def *)state->active)->title, live);
        ck_assert_pstr_eq(((const struct domain_def *)state->persistent)->title, config);
}

START_TEST(metadata_of_a_running_domain_are_the_guests)
{
        struct domain *domain = make_running("");
        g_autofree char *before = fake_driver_read_file(fake, domain), *after = NULL, *text = NULL;

        set_title(domain, DOMAIN_AFFECT_CURRENT);
        expect(NULL, "save ", "AP 14:1.0; ");
        expect_titles(domain, "The shop", NULL);
        after = fake_driver_read_file(fake, domain);
        ck_assert_str_eq(before, after);
        ck_assert(domain_get_metadata(domain, DOMAIN_METADATA_TITLE, NULL, 0, &text, NULL));
        ck_assert_str_eq(text, "The shop");
        g_clear_pointer(&text, g_free);
        ck_assert(
                !domain_get_metadata(domain, DOMAIN_METADATA_TITLE, NULL, DOMAIN_AFFECT_CONFIG, &text, NULL));
        domain_destroy(domain, 0, fake_driver_done, &outcome);
        expect(NULL, "stop ", "-P 0:5.1; ");
        ck_assert(!domain_get_metadata(domain, DOMAIN_METADATA_TITLE, NULL, 0, &text, NULL));
}
END_TEST

START_TEST(metadata_of_the_definition_leave_the_guests_alone)
{
        struct domain *domain = make_running("");

        set_title(domain, DOMAIN_AFFECT_CONFIG);
        expect(NULL, "save ", "AP 14:1.0; ");
        expect_titles(domain, NULL, "The shop");
        set_title(domain, 4);
        expect("invalid argument: unsupported flags (0x4) in function SetMetadata", "", "");
        domain_set_metadata(domain, DOMAIN_METADATA_TITLE, "two\nlines", NULL, NULL, 0, fake_driver_done,
                            &outcome);
        expect("invalid argument: a title is a single line", "", "");
        domain_set_metadata(domain, 3, "x", NULL, NULL, 0, fake_driver_done, &outcome);
        expect("invalid argument: unknown metadata type 3", "", "");
}
END_TEST

/* ---- documents ---- */

#define VNC "<devices><graphics type='vnc' port='5900' autoport='no' passwd='pssst'/></devices>"

static void take_text(const char *text, const GError *error, void *data)
{
        ck_assert_int_eq(text != NULL, error == NULL);
        *(char **)data = g_strdup(text);
}

/* NULL: it is refused. */
static char *get_xml(const struct domain *domain, unsigned flags)
{
        char *text = NULL;

        domain_get_xml(domain, flags, take_text, &text);
        return text;
}

static void expect_password(const struct domain *domain, unsigned flags, bool there)
{
        g_autofree char *text = get_xml(domain, flags);

        ck_assert_ptr_nonnull(strstr(text, "type='vnc'"));
        ck_assert_int_eq(strstr(text, "pssst") != NULL, there);
}

static void expect_passwords_where_asked_for(const struct domain *domain)
{
        const unsigned others[] = { 0, DOMAIN_XML_INACTIVE, DOMAIN_XML_MIGRATABLE,
                                    DOMAIN_XML_INACTIVE | DOMAIN_XML_MIGRATABLE };

        for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
                expect_password(domain, others[i], false);
                expect_password(domain, others[i] | DOMAIN_XML_SECURE, true);
        }
}

START_TEST(passwords_are_in_secure_documents_only)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(VNC));

        expect_passwords_where_asked_for(domain);
        fake_driver_start(fake, domain);
        expect_passwords_where_asked_for(domain);
        teardown_domains();
        setup_domains();
        expect_passwords_where_asked_for(fake_driver_create(fake, fake_driver_xml(VNC)));
}
END_TEST

/* The document for those flags has (or has not) that piece. */
static void expect_piece(const struct domain *domain, unsigned flags, const char *piece, bool there)
{
        g_autofree char *text = get_xml(domain, flags);

        ck_assert_msg((strstr(text, piece) != NULL) == there, "%s in %s", piece, text);
}

START_TEST(documents_of_what_runs_and_of_what_is_stored)
{
        struct domain *domain = make_running("");

        set_title(domain, DOMAIN_AFFECT_CONFIG);
        expect(NULL, "save ", "AP 14:1.0; ");
        expect_piece(domain, 0, "<domain type='test' id='1'>", true);
        expect_piece(domain, 0, "<title>", false);
        expect_piece(domain, DOMAIN_XML_INACTIVE, " id='1'", false);
        expect_piece(domain, DOMAIN_XML_INACTIVE, "<title>The shop</title>", true);
        expect_piece(domain, DOMAIN_XML_MIGRATABLE, " id='1'", false);
        expect_piece(domain, DOMAIN_XML_MIGRATABLE, "<title>", false);
        teardown_domains();
        setup_domains();
        domain = fake_driver_create(fake, fake_driver_xml(""));
        expect_piece(domain, DOMAIN_XML_INACTIVE, " id='1'", false);
        ck_assert_ptr_null(get_xml(domain, 1 << 4));
}
END_TEST

#define HOST_MODEL "<cpu mode='host-model'/>" VNC

START_TEST(the_cpu_is_the_hosts_where_asked_for)
{
        struct domain *domain = fake_driver_define(fake, fake_driver_xml(HOST_MODEL));

        expect_piece(domain, 0, "<cpu mode='host-model'", true);
        ck_assert_str_eq(fake->calls->str, "");
        expect_piece(domain, DOMAIN_XML_UPDATE_CPU, "<model>Host</model>", true);
        expect_piece(domain, DOMAIN_XML_UPDATE_CPU, "host-model", false);
        expect_password(domain, DOMAIN_XML_UPDATE_CPU, false);
        expect_password(domain, DOMAIN_XML_UPDATE_CPU | DOMAIN_XML_SECURE, true);
        fake_driver_start(fake, domain);
        expect_piece(domain, DOMAIN_XML_UPDATE_CPU | DOMAIN_XML_MIGRATABLE, "<model>Host</model>", true);
        expect_piece(domain, DOMAIN_XML_UPDATE_CPU | DOMAIN_XML_MIGRATABLE, " id='1'", false);
        fake->fail = "expand-cpu";
        ck_assert_ptr_null(get_xml(domain, DOMAIN_XML_UPDATE_CPU));
        teardown_domains();
        setup_domains();
        domain = fake_driver_define(fake, fake_driver_xml("<cpu mode='maximum'/>"));
        expect_piece(domain, DOMAIN_XML_UPDATE_CPU, "<cpu mode='maximum'", true);
        ck_assert_str_eq(fake->calls->str, "");
}
END_TEST

CHECK_MAIN_FIXTURE("domain-life", setup_domains, teardown_domains, start_and_stop,
                   a_start_that_fails_leaves_it_off, a_stop_that_fails_leaves_it_running,
                   destroy_behind_a_start_that_it_cancels_succeeds, destroy_right_behind_a_start_succeeds,
                   a_transient_domain_ends_with_its_guest, an_owner_who_leaves_takes_his_domains_along,
                   suspend_and_resume, requests_go_to_a_running_guest_only,
                   undefine_asks_the_driver_for_a_domain_that_is_off,
                   undefine_tells_the_driver_of_a_running_guest, rename_changes_name_and_file,
                   a_rename_that_fails_gives_the_name_back, metadata_of_a_running_domain_are_the_guests,
                   metadata_of_the_definition_leave_the_guests_alone, passwords_are_in_secure_documents_only,
                   documents_of_what_runs_and_of_what_is_stored, the_cpu_is_the_hosts_where_asked_for)
