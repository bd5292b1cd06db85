/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Plugging that is cut short: QEMU refuses one of the commands, the agent or QEMU is killed at any of them,
 * the guest does not let go. Whatever happens, nothing is left, and the same device comes and goes
 * afterwards. Between the agent and QEMU stands tests/support/fake-qemu, which is told by a file what to do
 * ("plugging").
 */

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE 1

#define PORTS                                                                                                \
        "<controller type='pci' index='0' model='pcie-root'/>"                                               \
        "<controller type='pci' index='1' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='2' model='pcie-root-port'/>"                                          \
        "<controller type='virtio-serial' index='0'/>"

static struct harness *harness;
static struct client *client;
static char *script; /* what fake-qemu is to do */
static char *path;   /* the guest */
static char *before; /* its document without the device */

#define TAP "tap-faults"

/* What comes and goes, in as many commands. */
static const struct kind {
        const char *alias, *xml; /* %s: an image */
        unsigned comes, goes;
        const char *link; /* on the host; NULL: none */
        bool forwards;    /* the guest has no part in it */
} kinds[] = {
        { "virtio-disk0",
          "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>"
          "<target dev='vda' bus='virtio'/></disk>",
          3, 3 },
        { "net0",
          "<interface type='user'><mac address='52:54:00:00:00:11'/><model "
          "type='virtio'/></interface><!--%s-->",
          2, 2 },
        /* limits that others of its group would have, too */
        { "virtio-disk0",
          "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>"
          "<target dev='vda' bus='virtio'/><iotune><total_bytes_sec>1000000</total_bytes_sec>"
          "<group_name>slow</group_name></iotune></disk>",
          5, 5 },
        /* the same, which a thread of its own works on */
        { "virtio-disk0",
          "<disk type='file' device='disk'><driver name='qemu' type='raw' iothread='1'/><source file='%s'/>"
          "<target dev='vda' bus='virtio'/><iotune><total_bytes_sec>1000000</total_bytes_sec>"
          "<group_name>slow</group_name></iotune></disk>",
          5, 5 },
        /* a descriptor that QEMU is handed, and a link of the host */
        { "net0",
          "<interface type='ethernet'><mac address='52:54:00:00:00:12'/><target dev='" TAP
          "'/><model type='virtio'/></interface><!--%s-->",
          3, 2, TAP },
        { "rng0", "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><!--%s-->", 2, 2 },
        { "channel0", "<channel type='pty'><target type='virtio' name='org.example.0'/></channel><!--%s-->",
          2, 2 },
        /* which no card of the guest leads to, and a socket that QEMU is handed */
        { "channel0",
          "<channel type='unix'><source mode='bind' path='%s.sock'/>"
          "<target type='guestfwd' address='10.0.2.100' port='5000'/></channel>",
          3, 2, .forwards = true },
};

/* ---- the guest ---- */

static void tell(const char *word)
{
        int fd = open(script, O_WRONLY | O_TRUNC | O_CLOEXEC);

        ck_assert_int_eq(write(fd, word, strlen(word)), (ssize_t)strlen(word));
        close(fd);
}

static void tell_at(unsigned step, const char *what)
{
        g_autofree char *word = g_strdup_printf("%u %s", step, what);

        tell(word);
}

static bool is_held(void *data)
{
        g_autofree char *word = NULL;

        return g_file_get_contents(script, &word, NULL, NULL) && strcmp(word, "held") == 0;
}

static char *get_xml(void)
{
        return client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
}

/* Those of other tests are still there. */
static char *get_suffix(void)
{
        return g_path_get_basename(harness_get_root(harness));
}

static pid_t find_fake(void)
{
        g_autofree char *suffix = get_suffix(),
                        *text = g_strconcat("fake-qemu -name guest=fault-plug-", suffix, NULL);

        return harness_find_guest(harness, text);
}

static char *make_xml(void)
{
        g_autofree char *suffix = get_suffix();
        g_autofree char *bare = guest_fault_xml("plug", suffix);
        g_auto(GStrv) front = g_strsplit(bare, "<devices>", 2), back = g_strsplit(front[1], "</domain>", 2);

        return g_strdup_printf("%s<iothreads>1</iothreads><devices>" PORTS "%s"
                               "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'>"
                               "<arg value='-D'/><arg value='%s'/></commandline></domain>",
                               front[0], back[0], script);
}

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
        script = harness_path(harness, "script");
        ck_assert(g_file_set_contents(script, "", 0, NULL));
        ck_assert_int_eq(chmod(script, 0666), 0);
        path = guest_start(client, make_xml());
        before = get_xml();
}

static void tear_down(void)
{
        /* Nothing waits for a word that does not come. */
        tell("drop");
        harness_free(harness);
        g_free(script);
        g_free(path);
        g_free(before);
}

/* ---- the device ---- */

static char *device_xml(const struct kind *kind)
{
        g_autofree char *image = harness_path(harness, "a.img");
        g_auto(GStrv) parts = g_strsplit(kind->xml, "%s", 2);

        if (access(image, F_OK) < 0) {
                ck_assert(g_file_set_contents(image, "x", 1, NULL));
                ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
                ck_assert_int_eq(chmod(image, 0666), 0);
        }
        return g_strjoinv(image, parts);
}

static bool has_device(const struct kind *kind)
{
        g_autofree char *xml = get_xml(), *alias = g_strdup_printf("<alias name='%s'/>", kind->alias);

        return strstr(xml, alias) != NULL;
}

static bool has_no_device(void *data)
{
        return !has_device(data);
}

static void attach(const struct kind *kind)
{
        g_autofree char *xml = device_xml(kind);

        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
        ck_assert(has_device(kind));
}

static void detach(const struct kind *kind)
{
        client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", kind->alias, LIVE);
        harness_wait_until(has_no_device, (void *)kind, "the device has gone");
}

static void expect_as_before(void)
{
        g_autofree char *now = get_xml();

        ck_assert_str_eq(now, before);
}

static bool has_no_link(void *data)
{
        return if_nametoindex(data) == 0;
}

/* What was left would be in the way: names of nodes and back ends, QEMU's lock on the image. */
static void expect_nothing_left(const struct kind *kind)
{
        expect_as_before();
        if (kind->link)
                harness_wait_until(has_no_link, (void *)kind->link, "the link has gone");
        attach(kind);
        detach(kind);
        expect_as_before();
}

/* The device comes, or goes, and is held at that step. */
static void begin(struct client_answer *answer, const struct kind *kind, bool comes, unsigned step)
{
        g_autofree char *xml = device_xml(kind);

        if (!comes)
                attach(kind);
        tell_at(step, "hold");
        client_send(client, answer, path, DOMAIN_INTERFACE, comes ? "AttachDevice" : "DetachDevice", "su",
                    xml, LIVE);
        harness_wait_until(is_held, NULL, "the command is held");
}

static bool can_run(const struct kind *kind)
{
        if (!kind->link || (geteuid() == 0 && access("/dev/net/tun", F_OK) == 0))
                return true;
        harness_skip("taps need root and /dev/net/tun");
        return false;
}

/* ---- QEMU refuses ---- */

START_TEST(test_attach_refused)
{
        const struct kind *kind = &kinds[_i];
        g_autofree char *xml = device_xml(kind);

        if (!can_run(kind))
                return;
        for (unsigned step = 0; step < kind->comes; step++) {
                tell_at(step, "refuse");
                client_fails(client, LIBVIRT_ERROR, "*no such luck*", path, DOMAIN_INTERFACE, "AttachDevice",
                             "su", xml, LIVE);
                expect_nothing_left(kind);
        }
}
END_TEST

/* The guest says no, or QEMU does. */
START_TEST(test_detach_refused)
{
        static const char *const words[] = { "deny", "refuse" };
        static const char *const texts[] = { "*refuses to let go*", "*no such luck*" };
        const struct kind *kind = &kinds[_i];

        if (!can_run(kind))
                return;
        for (unsigned i = kind->forwards; i < G_N_ELEMENTS(words); i++) {
                g_autofree char *with = NULL, *still = NULL;

                attach(kind);
                with = get_xml();
                tell_at(0, words[i]);
                client_fails(client, LIBVIRT_ERROR, texts[i], path, DOMAIN_INTERFACE, "DetachDeviceAlias",
                             "su", kind->alias, LIVE);
                still = get_xml();
                ck_assert_str_eq(with, still);
                detach(kind);
                expect_nothing_left(kind);
        }
        ck_assert_uint_eq(client_count_signals(client, path, DOMAIN_INTERFACE, "DeviceRemovalFailed"),
                          !kind->forwards);
}
END_TEST

/* The end of one that had the name before is told when there is another. */
START_TEST(test_told_late)
{
        const struct kind *kind = &kinds[_i];

        if (!can_run(kind))
                return;
        tell_at(kind->comes - 1, "late");
        attach(kind);
        /* Behind the news. */
        guest_do(client, path, "Suspend");
        guest_do(client, path, "Resume");
        ck_assert(has_device(kind));
        detach(kind);
        expect_nothing_left(kind);
}
END_TEST

/* ---- the agent is killed ---- */

/* At each command, which has reached QEMU ("pass") or not. stays: whether QEMU has the device then. */
static void kill_agent(const struct kind *kind, bool comes, unsigned step, const char *word, bool stays)
{
        struct client_answer answer = { 0 };

        begin(&answer, kind, comes, step);
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        tell(word);
        harness_start_agent(harness);
        if (stays)
                detach(kind);
        else
                harness_wait_until(has_no_device, (void *)kind, "the device is forgotten");
        g_free(answer.error);
        expect_nothing_left(kind);
}

START_TEST(test_agent_killed_in_attach)
{
        const struct kind *kind = &kinds[_i];

        if (!can_run(kind))
                return;
        for (unsigned step = 0; step < kind->comes; step++) {
                kill_agent(kind, true, step, "drop", false);
                kill_agent(kind, true, step, "pass", step == kind->comes - 1);
        }
}
END_TEST

START_TEST(test_agent_killed_in_detach)
{
        const struct kind *kind = &kinds[_i];

        if (!can_run(kind))
                return;
        for (unsigned step = 0; step < kind->goes; step++) {
                kill_agent(kind, false, step, "drop", step == 0);
                kill_agent(kind, false, step, "pass", false);
        }
}
END_TEST

/* ---- QEMU is killed ---- */

static void kill_guest(const struct kind *kind, bool comes, unsigned step)
{
        struct client_answer answer = { 0 };
        pid_t pid;

        begin(&answer, kind, comes, step);
        pid = find_fake();
        ck_assert_int_gt(pid, 0);
        kill(pid, SIGKILL);
        client_wait_event(client, path, EVENT_STOPPED, -1);
        client_wait_answer(client, &answer);
        ck_assert(answer.error || !comes);
        g_free(answer.error);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        ck_assert(!has_device(kind));
        tell("");
        guest_do_flags(client, path, "Create", 0);
        g_free(before);
        before = get_xml();
        expect_nothing_left(kind);
}

START_TEST(test_guest_killed_in_attach)
{
        const struct kind *kind = &kinds[_i];

        if (!can_run(kind))
                return;
        for (unsigned step = 0; step < kind->comes; step++)
                kill_guest(kind, true, step);
}
END_TEST

START_TEST(test_guest_killed_in_detach)
{
        const struct kind *kind = &kinds[_i];

        if (!can_run(kind))
                return;
        for (unsigned step = 0; step < kind->goes; step++)
                kill_guest(kind, false, step);
}
END_TEST

/* ---- QEMU takes its time ---- */

/* What a call may take, taking back what it has begun included, and how late a busy host may be. */
enum { CALL_S = 30, UNDO_S = 5, LOADED_S = 4 };

static bool has_come(void *when_us)
{
        return g_get_monotonic_time() >= *(int64_t *)when_us;
}

static void expect_end(struct client_answer *answer, int64_t start_us, unsigned bound_s, const char *why)
{
        int64_t took_us;

        client_wait_answer(client, answer);
        took_us = g_get_monotonic_time() - start_us;
        ck_assert_msg(answer->error && strstr(answer->error, why), "%s",
                      answer->error ? answer->error : "success");
        ck_assert_msg(took_us < (bound_s + LOADED_S) * G_USEC_PER_SEC, "it took %d ms",
                      (int)(took_us / 1000));
        g_clear_pointer(&answer->error, g_free);
        answer->done = false;
}

static bool comes(void *data)
{
        g_autofree char *xml = device_xml(data);
        g_autofree char *failure =
                client_try(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);

        return !failure;
}

/* What the first command has taken the others do not have any more, and there is no time on top to take back
 * what has come of it. */
START_TEST(test_one_deadline)
{
        const struct kind *kind = &kinds[2];
        struct client_answer answer = { 0 };
        int64_t start_us = g_get_monotonic_time(), later_us = start_us + 12 * G_USEC_PER_SEC;

        begin(&answer, kind, true, 0);
        harness_wait_until(has_come, &later_us, "some of the time is over");
        tell("again 3");
        harness_wait_until(is_held, NULL, "the last command is held");
        expect_end(&answer, start_us, CALL_S, "Timed out during operation");
        /* Nobody waits for the device any more, and its guest lets go of it a moment after it has come. */
        tell("pass");
        harness_wait_until(comes, (void *)kind, "the device can come again");
        detach(kind);
        expect_nothing_left(kind);
}
END_TEST

/*
 * Nobody waits any more for a device that has not come, and then the agent is killed. Its guest lets go of it
 * before there is another one, or is asked to by that.
 */
START_TEST(test_late_for_a_dead_agent)
{
        const struct kind *kind = &kinds[2];
        struct client_answer answer = { 0 };
        int64_t start_us = g_get_monotonic_time();
        bool asked_before = _i == 0;

        begin(&answer, kind, true, kind->comes - 1);
        expect_end(&answer, start_us, CALL_S, "Timed out during operation");
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        if (!asked_before) {
                tell("again 0");
                harness_wait_until(is_held, NULL, "the guest is about to be asked for the device");
        }
        tell(asked_before ? "alone" : "drop");
        harness_start_agent(harness);
        harness_wait_until(comes, (void *)kind, "the device can come again");
        detach(kind);
        expect_nothing_left(kind);
}
END_TEST

/* One command is refused, and those that are to take back the others are not answered, nor, of several that
 * were sent at once, are these. */
START_TEST(test_taking_back_has_a_deadline)
{
        const struct kind *kind = &kinds[2];
        const struct {
                unsigned step, bound_s;
        } rows[] = { { 0, 2 * UNDO_S }, { kind->comes - 1, UNDO_S } };
        g_autofree char *xml = device_xml(kind);
        struct client_answer answer = { 0 };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                int64_t start_us;

                tell_at(rows[i].step, "stall");
                start_us = g_get_monotonic_time();
                client_send(client, &answer, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
                harness_wait_until(is_held, NULL, "a command is held");
                expect_end(&answer, start_us, rows[i].bound_s, "no such luck");
                tell("pass");
                expect_nothing_left(kind);
        }
}
END_TEST

/* Who waits for the end of the guest does not wait for that. */
START_TEST(test_destroyed_while_it_comes)
{
        const struct kind *kind = &kinds[2];
        struct client_answer answer = { 0 };
        int64_t start_us;

        begin(&answer, kind, true, kind->comes - 1);
        start_us = g_get_monotonic_time();
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_int_lt(g_get_monotonic_time() - start_us, UNDO_S * G_USEC_PER_SEC);
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *const *tests, unsigned n)
{
        TCase *tcase = tcase_create(name);

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        for (unsigned i = 0; i < n; i++)
                tcase_add_loop_test(tcase, tests[i], 0, G_N_ELEMENTS(kinds));
        suite_add_tcase(suite, tcase);
}

int main(void)
{
        const TTest *const refused[] = { test_attach_refused, test_detach_refused, test_told_late };
        const TTest *const agent[] = { test_agent_killed_in_attach, test_agent_killed_in_detach };
        const TTest *const guest[] = { test_guest_killed_in_attach, test_guest_killed_in_detach };
        Suite *suite = suite_create("plug-faults");
        TCase *slow = tcase_create("slow"), *late = tcase_create("late");

        add_case(suite, "refused", refused, G_N_ELEMENTS(refused));
        add_case(suite, "agent", agent, G_N_ELEMENTS(agent));
        add_case(suite, "guest", guest, G_N_ELEMENTS(guest));
        tcase_add_checked_fixture(slow, set_up, tear_down);
        tcase_set_timeout(slow, 300);
        tcase_add_test(slow, test_one_deadline);
        tcase_add_test(slow, test_taking_back_has_a_deadline);
        tcase_add_test(slow, test_destroyed_while_it_comes);
        suite_add_tcase(suite, slow);
        tcase_add_checked_fixture(late, set_up, tear_down);
        tcase_set_timeout(late, 300);
        tcase_add_loop_test(late, test_late_for_a_dead_agent, 0, 2);
        suite_add_tcase(suite, late);
        return harness_main(suite);
}
