/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the next agent finds of guests of the QEMU driver: those that run, have ended meanwhile, were being
 * started, and one whose status is torn.
 */
#include "base/log.h"
#include "drivers/qemu/process.h"
#include "tests/unit/guest-fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void restart_driver(void)
{
        stop_driver();
        g_string_truncate(events, 0);
        start_driver();
}

START_TEST(the_next_agent_takes_a_guest_over)
{
        g_autofree char *xml = make_xml("web", "<devices><serial type='pty'/></devices>");
        g_autofree char *before = NULL;
        struct result suspended = { 0 };
        struct domain *domain;
        pid_t pid;
        int id;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        pid = domain_get_published(domain)->pid;
        id = domain_get_published(domain)->id;
        before = g_strdup(domain_get_published(domain)->base.active->xml);
        restart_driver();
        domain = domain_lookup_name(driver, "web", NULL);
        ck_assert_ptr_nonnull(domain);
        ck_assert_int_eq(domain_get_published(domain)->pid, pid);
        ck_assert_int_eq(domain_get_published(domain)->id, id);
        ck_assert_int_eq(domain_get_published(domain)->state, DOMAIN_RUNNING);
        ck_assert_str_eq(domain_get_published(domain)->base.active->xml, before);
        domain_suspend(domain, on_done, &suspended);
        check(&suspended);
        wait_for_events("3/0,");
        kill(pid, SIGKILL);
        wait_for_events("5/5,");
}
END_TEST

START_TEST(a_guest_that_ended_meanwhile_is_cleared_away)
{
        g_autofree char *xml = make_xml("web", "");
        struct result defined = { 0 }, created = { 0 };
        struct domain *domain;
        pid_t pid;

        if (!has_qemu())
                return;
        domain_define_xml(driver, xml, 0, on_queued, on_done, &defined);
        check(&defined);
        domain_create(defined.domain, 0, NULL, on_done, &created);
        check(&created);
        pid = domain_get_published(defined.domain)->pid;
        stop_driver();
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        start_driver();
        domain = domain_lookup_name(driver, "web", NULL);
        ck_assert_ptr_nonnull(domain);
        ck_assert(!domain_is_active(domain));
        ck_assert_int_eq(domain_get_published(domain)->reason, DOMAIN_SHUTOFF_CRASHED);
        ck_assert(is_gone("run/qemu/" UUID));
}
END_TEST

static void spoil(const char *below_root, const char *content)
{
        g_autofree char *path = g_build_filename(root, below_root, NULL);

        ck_assert(g_file_set_contents(path, content, -1, NULL));
}

START_TEST(a_torn_status_hides_no_guest)
{
        g_autofree char *xml = make_xml("a,b&lt;c", "");
        struct domain *domain;
        pid_t pid;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        pid = domain_get_published(domain)->pid;
        stop_driver();
        spoil("run/qemu/" UUID "/status.xml", "<virtbus-status phase='run");
        log_init(LOG_LEVEL_INFO);
        start_driver();
        domain = domain_lookup_name(driver, "a,b<c", NULL);
        ck_assert_ptr_nonnull(domain);
        ck_assert(domain_is_active(domain));
        ck_assert_int_eq(domain_get_published(domain)->pid, pid);
        destroy(domain);
        ck_assert(is_gone("run/qemu/" UUID));
}
END_TEST

/* The agent before this one had noted where it saves the guest to: a device, which is there before it is
 * written. */
START_TEST(a_save_that_was_cut_short)
{
        static const char *const magics[] = { "LibvirtQemudPart", "LibvirtQemudSave" };
        g_autofree char *xml = make_xml("web", ""), *status = NULL, *noted = NULL;
        g_autofree char *path = g_build_filename(root, "run/qemu/" UUID "/status.xml", NULL);
        g_autofree char *file = g_build_filename(root, "save", NULL);
        struct result defined = { 0 }, created = { 0 };
        g_auto(GStrv) parts = NULL;
        struct stat there;

        if (!has_qemu())
                return;
        domain_define_xml(driver, xml, 0, on_queued, on_done, &defined);
        check(&defined);
        domain_create(defined.domain, 0, NULL, on_done, &created);
        check(&created);
        stop_driver();
        spoil("save", magics[_i]);
        ck_assert_int_eq(stat(file, &there), 0);
        ck_assert(g_file_get_contents(path, &status, NULL, NULL));
        parts = g_strsplit(status, "</virtbus-status>", 2);
        noted = g_strdup_printf("%s<saved path='%s' device='%lu' inode='%lu'/></virtbus-status>\n", parts[0],
                                file, (unsigned long)there.st_dev, (unsigned long)there.st_ino);
        spoil("run/qemu/" UUID "/status.xml", noted);
        start_driver();
        ck_assert(domain_is_active(domain_lookup_name(driver, "web", NULL)) == (_i == 0));
}
END_TEST

START_TEST(a_start_that_was_cut_short_is_undone)
{
        g_autofree char *xml = make_xml("web", "");
        g_autofree char *path = g_build_filename(root, "run/qemu/" UUID "/status.xml", NULL);
        g_autofree char *text = NULL, *starting = NULL;
        g_auto(GStrv) parts = NULL;
        struct domain *domain;
        uint64_t start_time;
        char state;
        pid_t pid;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        pid = domain_get_published(domain)->pid;
        stop_driver();
        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        parts = g_strsplit(text, "phase='running'", 2);
        starting = g_strjoinv("phase='starting'", parts);
        spoil("run/qemu/" UUID "/status.xml", starting);
        start_driver();
        ck_assert_ptr_null(domain_lookup_name(driver, "web", NULL));
        ck_assert(!process_read_stat(pid, &start_time, &state));
        ck_assert(is_gone("run/qemu/" UUID));
}
END_TEST

/* What the agent has logged meanwhile, instead of where it goes to. Free it. */
static char *start_driver_listening(void)
{
        g_autofree char *path = g_build_filename(root, "log.txt", NULL);
        int kept = dup(STDERR_FILENO), file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        char *text;

        ck_assert(kept >= 0 && file >= 0);
        dup2(file, STDERR_FILENO);
        start_driver();
        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        dup2(kept, STDERR_FILENO);
        close(kept);
        close(file);
        return text;
}

/* The start-up is over before it is known that the emulator does not answer. */
START_TEST(a_stopped_emulator_delays_no_start_up)
{
        g_autofree char *xml = make_xml("web", ""), *log = NULL;
        struct domain *domain;
        pid_t pid;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        pid = domain_get_published(domain)->pid;
        stop_driver();
        kill(pid, SIGSTOP);
        log = start_driver_listening();
        ck_assert_msg(!strstr(log, "the state of domain 'web' is not known"), "%s", log);
        domain = domain_lookup_name(driver, "web", NULL);
        ck_assert_ptr_nonnull(domain);
        ck_assert_int_eq(domain_get_published(domain)->state, DOMAIN_RUNNING);
        destroy(domain);
}
END_TEST

int main(void)
{
        TCase *cases = tcase_create("takeover");

        tcase_add_test(cases, the_next_agent_takes_a_guest_over);
        tcase_add_test(cases, a_guest_that_ended_meanwhile_is_cleared_away);
        tcase_add_test(cases, a_torn_status_hides_no_guest);
        tcase_add_loop_test(cases, a_save_that_was_cut_short, 0, 2);
        tcase_add_test(cases, a_start_that_was_cut_short_is_undone);
        tcase_add_test(cases, a_stopped_emulator_delays_no_start_up);
        return run_guests(cases, "qemu-takeover");
}
