/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The life of a QEMU guest without an operating system.
 */

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

START_TEST(test_start_and_destroy)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        unsigned id = 0;
        pid_t pid = harness_find_guest(harness, "web");

        client_wait_event(client, path, EVENT_STARTED, STARTED_BOOTED);
        client_wait_property(client, path, DOMAIN_INTERFACE, "Active", true);
        guest_expect_state(client, path, STATE_RUNNING, 1);
        ck_assert_int_gt(pid, 0);
        client_get(client, path, DOMAIN_INTERFACE, "Id", 'u', &id);
        ck_assert_uint_gt(id, 0);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);

        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_gone(pid);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_DESTROYED);
        client_wait_property(client, path, DOMAIN_INTERFACE, "Active", false);
        guest_expect_state(client, path, STATE_SHUTOFF, 2);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", path, DOMAIN_INTERFACE,
                     "Destroy", "u", 0);
        guest_do_flags(client, path, "Undefine", 0);
        client_wait_event(client, path, EVENT_UNDEFINED, 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

START_TEST(test_again_and_again)
{
        g_autofree char *path = guest_define(client, guest_bare_xml("web", NULL));
        unsigned last = 0;

        for (unsigned round = 0; round < 5; round++) {
                unsigned id = 0;

                guest_do_flags(client, path, "Create", 0);
                client_get(client, path, DOMAIN_INTERFACE, "Id", 'u', &id);
                ck_assert_uint_gt(id, last);
                last = id;
                guest_do_flags(client, path, "Destroy", round & 1);
                guest_expect_state(client, path, STATE_SHUTOFF, 2);
        }
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

START_TEST(test_suspend_and_resume)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));

        guest_do(client, path, "Suspend");
        client_wait_event(client, path, EVENT_SUSPENDED, 0);
        guest_expect_state(client, path, STATE_PAUSED, 1);
        /* Already paused is fine. */
        guest_do(client, path, "Suspend");
        guest_do(client, path, "Resume");
        client_wait_event(client, path, EVENT_RESUMED, 0);
        guest_expect_state(client, path, STATE_RUNNING, 5);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", path, DOMAIN_INTERFACE,
                     "Resume", "");
        guest_do_flags(client, path, "Destroy", 0);
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", path, DOMAIN_INTERFACE,
                     "Suspend", "");
}
END_TEST

START_TEST(test_start_paused)
{
        g_autofree char *path = guest_define(client, guest_bare_xml("web", NULL));

        guest_do_flags(client, path, "Create", 1);
        guest_expect_state(client, path, STATE_PAUSED, -1);
        guest_do(client, path, "Resume");
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

START_TEST(test_reset)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        pid_t pid = harness_find_guest(harness, "web");

        guest_do_flags(client, path, "Reset", 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert_int_eq(harness_find_guest(harness, "web"), pid);
}
END_TEST

START_TEST(test_transient)
{
        g_autofree char *xml = guest_bare_xml("web", NULL);
        g_autofree char *path =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);

        client_wait_event(client, path, EVENT_STARTED, STARTED_BOOTED);
        ck_assert(!client_get_bool(client, path, DOMAIN_INTERFACE, "Persistent"));
        guest_do_flags(client, path, "Destroy", 0);
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", path, DOMAIN_INTERFACE, "GetState", "u", 0);
}
END_TEST

START_TEST(test_undefine_while_running)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));

        guest_do_flags(client, path, "Undefine", 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert(!client_get_bool(client, path, DOMAIN_INTERFACE, "Persistent"));
        guest_do_flags(client, path, "Destroy", 0);
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", path, DOMAIN_INTERFACE, "GetState", "u", 0);
}
END_TEST

/* A running guest keeps what it was started with; the new definition counts from the next start on. */
START_TEST(test_redefine_while_running)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        g_autofree char *stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        g_auto(GStrv) pieces = g_strsplit(stored, "65536", -1);
        g_autofree char *changed = g_strjoinv("131072", pieces);
        g_autofree char *live = NULL;
        g_autofree char *next = NULL;

        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", changed);
        live = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        next = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_ptr_nonnull(strstr(live, ">65536<"));
        ck_assert_ptr_nonnull(strstr(next, ">131072<"));
        guest_do_flags(client, path, "Destroy", 0);
        g_free(live);
        live = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(live, ">131072<"));
}
END_TEST

/* The hardware does not move between boots. */
START_TEST(test_addresses_stay)
{
        g_autofree char *path = guest_define(
                client,
                guest_bare_xml("web",
                               "<interface type='user'><model type='virtio'/></interface>"
                               "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
                               "<video><model type='vga'/></video>"));
        g_autofree char *before = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        g_autofree char *after = NULL;

        ck_assert_ptr_nonnull(strstr(before, "<address type='pci'"));
        guest_do_flags(client, path, "Create", 0);
        guest_do_flags(client, path, "Destroy", 0);
        after = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_str_eq(before, after);
}
END_TEST

static void expect_start_fails(char *xml, const char *text)
{
        g_autofree char *path = guest_define(client, xml);

        client_fails(client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
        guest_do_flags(client, path, "Undefine", 0);
}

START_TEST(test_starts_that_fail)
{
        expect_start_fails(guest_bare_xml("web",
                                          "<disk type='file' device='disk'><source file='/nonexistent/x'/>"
                                          "<target dev='vda' bus='virtio'/></disk>"),
                           "*/nonexistent/x*");
        expect_start_fails(
                guest_bare_xml("web", "<interface type='bridge'><source bridge='nobridge0'/></interface>"),
                "*nobridge0*");
}
END_TEST

/* Valid, kept in the definition, but not supported: named at the start, never silently left out. */
START_TEST(test_what_is_not_supported_is_refused_at_start)
{
        expect_start_fails(guest_bare_xml("web", "<filesystem type='block'><source dir='/tmp'/>"
                                                 "<target dir='x'/></filesystem>"),
                           "unsupported configuration*<filesystem type='block'> is not supported*");
}
END_TEST

static char *pinned_xml(const char *name, const char *cpus)
{
        g_autofree char *xml = guest_bare_xml(name, NULL);
        g_auto(GStrv) parts = g_strsplit(xml, "<os>", 2);

        return g_strdup_printf("%s<cputune><vcpupin vcpu='0' cpuset='%s'/></cputune><os>%s", parts[0], cpus,
                               parts[1]);
}

/* The kernel only says that it is an invalid argument. */
START_TEST(test_pins_to_host_cpus)
{
        g_autofree char *path = guest_start(client, pinned_xml("here", "0"));
        g_autofree char *elsewhere = guest_define(client, pinned_xml("elsewhere", "1000-1001"));

        client_fails(client, LIBVIRT_ERROR,
                     "*cannot pin a thread of domain 'elsewhere' to the host CPUs 1000-1001 (the host has 0*",
                     elsewhere, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_expect_state(client, elsewhere, STATE_SHUTOFF, -1);
        ck_assert_int_eq(harness_find_guest(harness, "elsewhere"), 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

/* Has the guest's process a thread of that policy? */
static bool has_thread(pid_t pid, int policy)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)pid);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        ck_assert_ptr_nonnull(dir);
        while ((name = g_dir_read_name(dir))) {
                if (sched_getscheduler(atoi(name)) == policy)
                        return true;
        }
        return false;
}

/* The vCPU's thread has it, and the emulator's does not. */
START_TEST(test_scheduling)
{
        g_autofree char *xml = guest_bare_xml("lazy", NULL);
        g_auto(GStrv) parts = g_strsplit(xml, "<os>", 2);
        g_autofree char *path =
                guest_start(client, g_strdup_printf("%s<iothreads>1</iothreads><cputune><vcpusched vcpus='0' "
                                                    "scheduler='batch'/><iothreadsched iothreads='1' "
                                                    "scheduler='idle'/></cputune><os>%s",
                                                    parts[0], parts[1]));
        pid_t pid = harness_find_guest(harness, "lazy");

        ck_assert(has_thread(pid, SCHED_BATCH));
        ck_assert(has_thread(pid, SCHED_IDLE));
        ck_assert_int_eq(sched_getscheduler(pid), SCHED_OTHER);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

START_TEST(test_missing_emulator)
{
        g_autofree char *xml = guest_bare_xml("web", "<emulator>/nonexistent/qemu</emulator>");
        g_autofree char *outcome =
                client_try(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        g_autofree char *path = NULL;

        /* Refused at once or at the start, but by name. */
        if (!outcome) {
                path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s",
                                          "web");
                outcome = client_try(client, path, DOMAIN_INTERFACE, "Create", "u", 0);
        }
        ck_assert_msg(outcome && strstr(outcome, "/nonexistent/qemu"), "%s", outcome);
}
END_TEST

START_TEST(test_shutdown_is_only_asked_for)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));

        guest_do_flags(client, path, "Shutdown", 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do_flags(client, path, "Reboot", 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

START_TEST(test_autodestroy)
{
        struct client *other = harness_connect(harness);
        g_autofree char *xml = guest_bare_xml("web", NULL);
        g_autofree char *path =
                client_call_string(other, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 2);
        pid_t pid = harness_find_guest(harness, "web");

        client_free(other);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_DESTROYED);
        harness_wait_gone(pid);
}
END_TEST

START_TEST(test_many_starts_at_once)
{
        /* Firmware under emulation keeps a CPU busy. */
        unsigned count = strcmp(guest_get_type(), "kvm") == 0 ? 32 : 6;
        struct client_answer answers[32] = { 0 };
        char *paths[32];
        g_auto(GStrv) active = NULL;

        for (unsigned i = 0; i < count; i++) {
                g_autofree char *name = g_strdup_printf("many-%u", i);

                paths[i] = guest_define(client, guest_bare_xml(name, NULL));
        }
        for (unsigned i = 0; i < count; i++)
                client_send(client, &answers[i], paths[i], DOMAIN_INTERFACE, "Create", "u", 0);
        for (unsigned i = 0; i < count; i++) {
                client_wait_answer(client, &answers[i]);
                ck_assert_msg(!answers[i].error, "%s", answers[i].error);
        }
        active = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListDomains", 1);
        ck_assert_uint_eq(g_strv_length(active), count);
        for (unsigned i = 0; i < count; i++) {
                guest_do_flags(client, paths[i], "Destroy", 0);
                g_free(paths[i]);
        }
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

START_TEST(test_capabilities)
{
        g_autofree char *host =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "GetCapabilities", NULL);
        g_autofree char *domain = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE,
                                                     "GetDomainCapabilities", "ssssu", "", "", "", "", 0);
        uint64_t version = 0;

        ck_assert_ptr_nonnull(strstr(host, "<host>"));
        ck_assert_ptr_nonnull(strstr(host, "<guest>"));
        ck_assert_ptr_nonnull(strstr(domain, "<domainCapabilities>"));
        ck_assert_ptr_nonnull(strstr(domain, "<path>"));
        client_get(client, QEMU_PATH, CONNECT_INTERFACE, "Version", 't', &version);
        ck_assert_uint_ge(version, 5000000);
        client_fails(client, LIBVIRT_ERROR, "*", QEMU_PATH, CONNECT_INTERFACE, "GetDomainCapabilities",
                     "ssssu", "/nonexistent/qemu", "", "", "", 0);
        client_fails(client, LIBVIRT_ERROR, "*", QEMU_PATH, CONNECT_INTERFACE, "GetDomainCapabilities",
                     "ssssu", "", "windmill", "", "", 0);
}
END_TEST

/* Asked for quickly, one after the other, each is about what it was asked for. */
START_TEST(test_domain_capabilities_in_turn)
{
        static const char *const turns[][4] = {
                { "x86_64", "q35", "qemu", "<machine>pc-q35-" },
                { "x86_64", "pc", "qemu", "<machine>pc-i440fx-" },
                { "i686", "pc", "qemu", "<arch>i686</arch>" },
                { "x86_64", "pc", "qemu", "<arch>x86_64</arch>" },
                { "x86_64", "pc", "kvm", "<domain>kvm</domain>" },
                { "x86_64", "pc", "qemu", "<domain>qemu</domain>" },
        };
        bool kvm = strcmp(guest_get_type(), "kvm") == 0;

        if (access("/usr/bin/qemu-system-x86_64", X_OK) != 0)
                return harness_skip("no emulator of x86_64");
        for (unsigned i = 0; i < 2 * G_N_ELEMENTS(turns); i++) {
                const char *const *turn = turns[i / 2];
                g_autofree char *text = NULL;

                if (!kvm && strcmp(turn[2], "kvm") == 0)
                        continue;
                text = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "GetDomainCapabilities",
                                          "ssssu", "/usr/bin/qemu-system-x86_64", turn[0], turn[1], turn[2],
                                          0);
                ck_assert_msg(strstr(text, turn[3]), "no %s for machine %s", turn[3], turn[1]);
        }
}
END_TEST

static const char *const cpus_of_the_host[][2] = {
        { "<cpu mode='host-model'/>", "<cpu mode='host-model'" },
        { "<cpu match='minimum'><model>486</model></cpu>", "match='minimum'" },
};

/*
 * The document with the CPU that is in it for one that follows the host, which is the one of the
 * capabilities, starts, and so does the one without it.
 */
START_TEST(test_cpu_of_the_host)
{
        g_autofree char *bare = guest_bare_xml("web", NULL);
        g_auto(GStrv) parts = g_strsplit(bare, "<features>", 2);
        g_autofree char *features = g_strconcat(cpus_of_the_host[_i][0], "<features>", NULL);
        g_autofree char *xml = g_strjoinv(features, parts);
        g_autofree char *path = guest_define(client, g_steal_pointer(&xml));
        g_autofree char *capabilities =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "GetDomainCapabilities", "ssssu", "",
                                   "", "", guest_get_type(), 0);
        const char *mode = strstr(capabilities, "<mode name='host-model' supported='yes'>");
        const char *model = mode ? strstr(mode, "<model fallback='forbid'>") : NULL;
        g_autofree char *as_it_is = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *expanded = NULL, *wanted = NULL;

        ck_assert_ptr_nonnull(strstr(as_it_is, cpus_of_the_host[_i][1]));
        if (!model) {
                harness_skip("no CPU model fits this host");
                return;
        }
        model += strlen("<model fallback='forbid'>");
        guest_do_flags(client, path, "Create", 0);
        guest_do_flags(client, path, "Destroy", 0);
        wanted = g_strdup_printf("<model fallback='allow'>%.*s<", (int)strcspn(model, "<"), model);
        expanded = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 4);
        ck_assert_ptr_nonnull(strstr(expanded, "<cpu mode='custom'"));
        ck_assert_ptr_nonnull(strstr(expanded, wanted));
        ck_assert_ptr_nonnull(strstr(expanded, "<feature policy="));
        g_free(client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", expanded));
        guest_do_flags(client, path, "Create", 0);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu");
        TCase *tcase = tcase_create("qemu");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_start_and_destroy);
        tcase_add_test(tcase, test_again_and_again);
        tcase_add_test(tcase, test_suspend_and_resume);
        tcase_add_test(tcase, test_start_paused);
        tcase_add_test(tcase, test_reset);
        tcase_add_test(tcase, test_transient);
        tcase_add_test(tcase, test_undefine_while_running);
        tcase_add_test(tcase, test_redefine_while_running);
        tcase_add_test(tcase, test_addresses_stay);
        tcase_add_test(tcase, test_starts_that_fail);
        tcase_add_test(tcase, test_what_is_not_supported_is_refused_at_start);
        tcase_add_test(tcase, test_pins_to_host_cpus);
        tcase_add_test(tcase, test_scheduling);
        tcase_add_test(tcase, test_missing_emulator);
        tcase_add_test(tcase, test_shutdown_is_only_asked_for);
        tcase_add_test(tcase, test_autodestroy);
        tcase_add_test(tcase, test_many_starts_at_once);
        tcase_add_test(tcase, test_capabilities);
        tcase_add_test(tcase, test_domain_capabilities_in_turn);
        tcase_add_loop_test(tcase, test_cpu_of_the_host, 0, G_N_ELEMENTS(cpus_of_the_host));
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
