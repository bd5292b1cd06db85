/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What PolicyKit decides, with its own daemon on the bus: who is asked about what and how often, dialogs, and
 * a daemon that is absent, slow, or starts again. Needs root, to be somebody else.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/polkitd.h"

#define DOMAIN      TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"
#define OTHER       TEST_PATH "/domain/_00000000_0000_4000_8000_000000000001"
#define OTHER_UUID  "00000000-0000-4000-8000-000000000001"
#define INTERACTIVE "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
#define LIMITS      "org.freedesktop.DBus.Error.LimitsExceeded"

/* The rules of the test: what a function of the action and the subject returns. */
#define RULES(body) "polkit.addRule(function (action, subject) { " body " });"
#define LOG         "polkit.log('asked ' + action.id); "
#define DIALOGS     RULES("if (action.id == 'org.libvirt.unix.manage') return 'auth_admin';")

static struct harness *harness;
static struct client *root;
static struct polkitd *polkitd;

static void set_up(void)
{
        harness = harness_new_bus();
        root = harness_get_client(harness);
}

static void tear_down(void)
{
        polkitd_free(polkitd);
        harness_free(harness);
}

/* The agent and PolicyKit; false when this test cannot run here. */
static bool start(const char *rules)
{
        polkitd = polkitd_new(harness, rules);
        harness_start_agent(harness);
        return polkitd != NULL;
}

static struct client *connect_nobody(void)
{
        return polkitd_connect_as(harness, POLKITD_NOBODY);
}

/* One who lets the user be asked. */
static struct client *connect_patient(void)
{
        struct client *client = connect_nobody();

        ck_assert_int_ge(sd_bus_set_allow_interactive_authorization(client_get_bus(client), 1), 0);
        return client;
}

static void define_other(const char *name)
{
        g_autofree char *xml = guest_test_xml(name, OTHER_UUID);

        client_do(root, TEST_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
}

/* ---- what is asked ---- */

START_TEST(test_without_policykit)
{
        struct client *nobody;

        harness_start_agent(harness);
        if (getuid() != 0) {
                harness_skip("needs root");
                return;
        }
        nobody = connect_nobody();
        client_fails(nobody, ACCESS_DENIED, "authentication unavailable: *PolicyKit*only root*", DOMAIN,
                     DOMAIN_INTERFACE, "GetState", "u", 0);
        client_fails(nobody, ACCESS_DENIED, "authentication unavailable: *", DOMAIN, DOMAIN_INTERFACE,
                     "Suspend", NULL);
        client_ping(nobody);
        client_do(root, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_free(nobody);
}
END_TEST

START_TEST(test_defaults)
{
        struct client *nobody;

        if (!start(""))
                return;
        nobody = connect_nobody();
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_do(nobody, TEST_PATH, CONNECT_INTERFACE, "ListDomains", "u", 0);
        client_fails(nobody, INTERACTIVE, "authentication unavailable: *domain.suspend*", DOMAIN,
                     DOMAIN_INTERFACE, "Suspend", NULL);
        /* One that may be asked, but there is nobody to do it. */
        client_free(nobody);
        nobody = connect_patient();
        client_fails(nobody, INTERACTIVE, "*agent*", DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_free(nobody);
}
END_TEST

START_TEST(test_rules_allow)
{
        struct client *nobody, *daemon;

        if (!start(RULES("if (action.id.indexOf('org.libvirt.unix.') == 0) return "
                         "subject.user == 'nobody' ? 'yes' : 'no';")))
                return;
        nobody = connect_nobody();
        daemon = polkitd_connect_as(harness, POLKITD_DAEMON);
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_fails(daemon, ACCESS_DENIED, "authentication failed: *domain.suspend*", DOMAIN,
                     DOMAIN_INTERFACE, "Resume", NULL);
        client_fails(daemon, ACCESS_DENIED, "authentication failed: *", DOMAIN, DOMAIN_INTERFACE, "GetState",
                     "u", 0);
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "Resume", NULL);
        client_free(daemon);
        client_free(nobody);
}
END_TEST

/* Once per client and action: many calls, other members, other objects. */
START_TEST(test_asked_once)
{
        struct client *nobody, *second;
        g_autofree char *name = NULL;

        if (!start(RULES(LOG)))
                return;
        nobody = connect_nobody();
        for (unsigned i = 0; i < 100; i++)
                client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_do(nobody, TEST_PATH, CONNECT_INTERFACE, "ListNetworks", "u", 0);
        name = client_get_string(nobody, DOMAIN, DOMAIN_INTERFACE, "Name");
        ck_assert_uint_eq(polkitd_count_log(polkitd, "asked org.libvirt.unix.monitor"), 1);
        for (unsigned i = 0; i < 10; i++)
                client_fails(nobody, INTERACTIVE, "*", DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        ck_assert_uint_eq(polkitd_count_log(polkitd, "asked org.libvirt.unix.manage"), 1);
        second = connect_nobody();
        client_do(second, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        ck_assert_uint_eq(polkitd_count_log(polkitd, "asked org.libvirt.unix.monitor"), 2);
        /* About root nobody is asked. */
        client_do(root, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        ck_assert_uint_eq(polkitd_count_log(polkitd, "asked org.libvirt.unix.manage"), 1);
        client_free(second);
        client_free(nobody);
}
END_TEST

static bool is_refused(void *data)
{
        g_autofree char *outcome = client_try(data, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);

        return outcome != NULL;
}

START_TEST(test_rules_change)
{
        struct client *nobody;

        if (!start(""))
                return;
        nobody = connect_nobody();
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        polkitd_set_rules(polkitd, RULES(LOG "return 'no';"));
        harness_wait_until(is_refused, nobody, "the new rules are in force");
        client_fails(nobody, ACCESS_DENIED, "authentication failed: *", DOMAIN, DOMAIN_INTERFACE, "GetState",
                     "u", 0);
        client_free(nobody);
}
END_TEST

/* ---- dialogs ---- */

START_TEST(test_dialog)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        nobody = connect_patient();
        client_send(nobody, &answer, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        polkitd_wait_dialogs(polkitd, 1);
        ck_assert(!answer.done);
        polkitd_authenticate(polkitd);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_null(answer.error);
        /* It was for once. */
        answer.done = false;
        client_send(nobody, &answer, DOMAIN, DOMAIN_INTERFACE, "Resume", NULL);
        polkitd_dismiss(polkitd);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_nonnull(strstr(answer.error, "authentication cancelled: "));
        g_free(answer.error);
        client_free(nobody);
}
END_TEST

/* Defined as libvirt has it: the user is asked once, and then not for some minutes. */
START_TEST(test_dialog_that_is_remembered)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(""))
                return;
        polkitd_show_dialogs(polkitd);
        nobody = connect_patient();
        client_send(nobody, &answer, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        polkitd_authenticate(polkitd);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_null(answer.error);
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "Resume", NULL);
        client_free(nobody);
}
END_TEST

static bool has_cancelled(void *data)
{
        return polkitd_count_cancelled(polkitd) > 0;
}

START_TEST(test_client_leaves_its_dialog)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        nobody = connect_patient();
        client_send(nobody, &answer, DOMAIN, DOMAIN_INTERFACE, "Destroy", "u", 0);
        polkitd_wait_dialogs(polkitd, 1);
        client_free(nobody);
        harness_wait_until(has_cancelled, NULL, "the dialog is closed");
        ck_assert(client_get_bool(root, DOMAIN, DOMAIN_INTERFACE, "Active"));
}
END_TEST

/* What was asked about is gone, and another stands in its place: yes was not for that one. */
START_TEST(test_object_replaced_meanwhile)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        define_other("before");
        nobody = connect_patient();
        client_send(nobody, &answer, OTHER, DOMAIN_INTERFACE, "Undefine", "u", 0);
        polkitd_wait_dialogs(polkitd, 1);
        client_do(root, OTHER, DOMAIN_INTERFACE, "Undefine", "u", 0);
        define_other("after");
        polkitd_authenticate(polkitd);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_nonnull(strstr(answer.error, "Domain not found: "));
        g_clear_pointer(&answer.error, g_free);
        client_do(root, OTHER, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_free(nobody);
}
END_TEST

START_TEST(test_object_renamed_meanwhile)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        define_other("before");
        nobody = connect_patient();
        client_send(nobody, &answer, OTHER, DOMAIN_INTERFACE, "Undefine", "u", 0);
        polkitd_wait_dialogs(polkitd, 1);
        client_do(root, OTHER, DOMAIN_INTERFACE, "Rename", "su", "after", 0);
        polkitd_authenticate(polkitd);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_nonnull(strstr(answer.error, "Domain not found: "));
        g_clear_pointer(&answer.error, g_free);
        client_do(root, OTHER, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_free(nobody);
}
END_TEST

START_TEST(test_object_gone_meanwhile)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        define_other("before");
        nobody = connect_patient();
        client_send(nobody, &answer, OTHER, DOMAIN_INTERFACE, "Create", "u", 0);
        polkitd_wait_dialogs(polkitd, 1);
        client_do(root, OTHER, DOMAIN_INTERFACE, "Undefine", "u", 0);
        polkitd_authenticate(polkitd);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_nonnull(strstr(answer.error, "Domain not found: "));
        g_clear_pointer(&answer.error, g_free);
        client_free(nobody);
}
END_TEST

/* ---- many ---- */

#define CROWD 200

/* All of them wait, and nobody else does. */
START_TEST(test_crowd_of_dialogs)
{
        static struct client_answer answers[CROWD];
        struct client *crowd[CROWD], *daemon;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        memset(answers, 0, sizeof(answers));
        for (unsigned i = 0; i < CROWD; i++) {
                crowd[i] = connect_patient();
                client_send(crowd[i], &answers[i], DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        }
        polkitd_wait_dialogs(polkitd, CROWD);
        daemon = polkitd_connect_as(harness, POLKITD_DAEMON);
        client_do(daemon, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_fails(daemon, INTERACTIVE, "*", DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_do(root, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_do(root, DOMAIN, DOMAIN_INTERFACE, "Resume", NULL);
        for (unsigned i = 0; i < CROWD; i++) {
                client_process(crowd[i]);
                ck_assert(!answers[i].done);
                client_free(crowd[i]);
        }
        client_free(daemon);
}
END_TEST

#define FLOOD 300

/* More dialogs than one user may have: the rest is told so, and other users have theirs. */
START_TEST(test_flood_by_one_user)
{
        static struct client_answer answers[FLOOD];
        struct client *flood[FLOOD], *daemon;
        unsigned refused = 0;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        memset(answers, 0, sizeof(answers));
        for (unsigned i = 0; i < FLOOD; i++) {
                flood[i] = connect_patient();
                client_send(flood[i], &answers[i], DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        }
        polkitd_wait_dialogs(polkitd, 256);
        for (unsigned i = 0; i < FLOOD; i++) {
                client_process(flood[i]);
                refused += answers[i].done;
                if (answers[i].done)
                        ck_assert_ptr_nonnull(strstr(answers[i].error, "too many questions"));
                g_free(answers[i].error);
        }
        ck_assert_uint_eq(refused, FLOOD - 256);
        daemon = polkitd_connect_as(harness, POLKITD_DAEMON);
        client_do(daemon, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_fails(daemon, INTERACTIVE, "*", DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        for (unsigned i = 0; i < FLOOD; i++)
                client_free(flood[i]);
        client_free(daemon);
}
END_TEST

/* ---- a daemon that is not well ---- */

/* A question goes to a daemon that is stopped; that one is killed, and another answers. */
START_TEST(test_daemon_starts_again)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(""))
                return;
        nobody = connect_nobody();
        /* The agent knows who it is from now on, but no more what it may do. */
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        polkitd_kill(polkitd);
        polkitd_start(polkitd);
        polkitd_signal(polkitd, SIGSTOP);
        client_send(nobody, &answer, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        /* What root asks for is answered behind it. */
        client_do(root, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        polkitd_kill(polkitd);
        polkitd_start(polkitd);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_null(answer.error);
        client_free(nobody);
}
END_TEST

START_TEST(test_dialog_survives_the_daemon)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        nobody = connect_patient();
        client_send(nobody, &answer, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        polkitd_wait_dialogs(polkitd, 1);
        polkitd_kill(polkitd);
        polkitd_start(polkitd);
        client_wait_answer(nobody, &answer);
        /* The new daemon knows nobody who shows dialogs. */
        ck_assert_ptr_nonnull(strstr(answer.error, "no authentication agent"));
        g_free(answer.error);
        client_free(nobody);
}
END_TEST

/* Refused in the end, and nobody else waits. */
START_TEST(test_daemon_does_not_answer)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(""))
                return;
        nobody = connect_nobody();
        polkitd_signal(polkitd, SIGSTOP);
        client_send(nobody, &answer, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_do(root, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        client_process(nobody);
        ck_assert(!answer.done);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_nonnull(strstr(answer.error, "authentication unavailable: "));
        g_free(answer.error);
        polkitd_signal(polkitd, SIGCONT);
        client_do(nobody, DOMAIN, DOMAIN_INTERFACE, "GetState", "u", 0);
        client_free(nobody);
}
END_TEST

START_TEST(test_end_with_a_dialog)
{
        struct client_answer answer = { 0 };
        struct client *nobody;

        if (!start(DIALOGS))
                return;
        polkitd_show_dialogs(polkitd);
        nobody = connect_patient();
        client_send(nobody, &answer, DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        polkitd_wait_dialogs(polkitd, 1);
        ck_assert_int_eq(harness_end_agent(harness, SIGTERM), 0);
        client_wait_answer(nobody, &answer);
        ck_assert_ptr_nonnull(strstr(answer.error, "authentication unavailable: "));
        g_free(answer.error);
        client_free(nobody);
}
END_TEST

int main(void)
{
        const TTest *const tests[] = {
                test_without_policykit,
                test_defaults,
                test_rules_allow,
                test_asked_once,
                test_rules_change,
                test_dialog,
                test_dialog_that_is_remembered,
                test_client_leaves_its_dialog,
                test_object_replaced_meanwhile,
                test_object_renamed_meanwhile,
                test_object_gone_meanwhile,
                test_crowd_of_dialogs,
                test_flood_by_one_user,
                test_daemon_starts_again,
                test_dialog_survives_the_daemon,
                test_daemon_does_not_answer,
                test_end_with_a_dialog,
        };
        Suite *suite = suite_create("polkit");
        TCase *tcase = tcase_create("polkit");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
                tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
