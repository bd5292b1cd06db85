/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A real Linux guest: it boots, prints to its serial console, and obeys.
 */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
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

START_TEST(test_boot_and_acpi_shutdown)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(client, guest_linux_xml("linux", console, "idle"));
        pid_t pid = harness_find_guest(harness, "linux");

        guest_wait_console(console, "virtbus-guest: ready");
        guest_do_flags(client, path, "Shutdown", 0);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SHUTDOWN);
        guest_expect_state(client, path, STATE_SHUTOFF, 1);
        guest_wait_console(console, "virtbus-guest: power button");
        harness_wait_gone(pid);
}
END_TEST

START_TEST(test_guest_powers_itself_off)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(client, guest_linux_xml("linux", console, "poweroff"));

        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SHUTDOWN);
        guest_expect_state(client, path, STATE_SHUTOFF, 1);
}
END_TEST

START_TEST(test_guest_reboots_itself)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(client, guest_linux_xml("linux", console, "reboot"));
        pid_t pid = harness_find_guest(harness, "linux");

        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "Reboot", NULL, NULL));
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert_int_eq(harness_find_guest(harness, "linux"), pid);
}
END_TEST

static bool is_running(void *data)
{
        return guest_get_state(client, data, NULL) == STATE_RUNNING;
}

/* Reboot asks the guest to shut down; what then starts is the same QEMU. */
START_TEST(test_reboot)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_start(client, guest_linux_xml("linux", console, "idle"));
        pid_t pid = harness_find_guest(harness, "linux");

        guest_wait_console(console, "virtbus-guest: ready");
        guest_do_flags(client, path, "Reboot", 0);
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "Reboot", NULL, NULL));
        /* Its CPUs start after the reset that the signal tells of. */
        harness_wait_until(is_running, path, "the guest runs again");
        ck_assert_int_eq(harness_find_guest(harness, "linux"), pid);
}
END_TEST

/* ---- QEMU's monitors ---- */

/* On the agent's, behind its back: it takes one client, so the agent is away. */
static void tell_monitor(const char *domain, const char *command, const char *awaited, const char *too)
{
        g_autofree char *uuid = client_get_string(client, domain, DOMAIN_INTERFACE, "UUID");
        g_autofree char *below = g_strdup_printf("run/qemu/%s/monitor.sock", uuid);
        g_autofree char *socket_path = harness_path(harness, below);

        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        guest_tell_monitor(socket_path, command, awaited, too);
}

/* ---- a guest that sleeps ---- */

#define OWN_MONITOR  "own.sock"
#define SYSTEM_RESET "{'execute': 'system_reset'}"

/* It sleeps once, and notes on its disk that it has. QEMU has one more monitor. */
static char *start_sleeping(const char *console)
{
        g_autofree char *disk = harness_path(harness, "disk.img");
        g_autofree char *xml = guest_linux_xml("linux", console, "sleep");
        g_auto(GStrv) parts = g_strsplit(xml, "<memballoon model='none'/>", 2);
        g_autofree char *device = g_strdup_printf(
                "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source "
                "file='%s'/><target dev='vda' bus='virtio'/></disk><memballoon model='none'/>",
                disk);
        g_autofree char *own = harness_path(harness, OWN_MONITOR);
        g_autofree char *more = g_strdup_printf(
                "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'><arg value='-qmp'/>"
                "<arg value='unix:%s,server=on,wait=off'/></commandline></domain>",
                own);
        g_autofree char *with_disk = g_strjoinv(device, parts);
        g_auto(GStrv) open = g_strsplit(with_disk, "</domain>", 2);
        char *path;

        ck_assert(g_file_set_contents(disk, "new", -1, NULL));
        ck_assert_int_eq(truncate(disk, 1024 * 1024), 0);
        path = guest_start(client, g_strjoinv(more, open));
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "PMSuspend", NULL, NULL));
        guest_expect_state(client, path, STATE_PMSUSPENDED, -1);
        return path;
}

/* Where its memory goes on it would be awake. */
static void check_stays(const char *path)
{
        static const char refusal[] =
                "Requested operation is not valid: domain 'linux' is suspended by its guest "
                "(PMSUSPENDED), and would not stay so: wake it up first (PMWakeup)";
        g_autofree char *file = harness_path(harness, "file");

        client_fails(client, LIBVIRT_ERROR, refusal, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        client_fails(client, LIBVIRT_ERROR, refusal, path, DOMAIN_INTERFACE, "ManagedSave", "u", 0);
        client_fails(client, LIBVIRT_ERROR, refusal, path, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, 0);
        ck_assert_int_ne(access(file, F_OK), 0);
        client_do(client, path, DOMAIN_INTERFACE, "CoreDump", "suu", file, 0, 16);
        ck_assert_int_eq(access(file, F_OK), 0);
        guest_expect_state(client, path, STATE_PMSUSPENDED, -1);
}

/* What it has slept through is over: it boots, and hears its power button. */
static void check_starts_over(const char *path, const char *console)
{
        guest_wait_console(console, "virtbus-guest: slept before");
        guest_do_flags(client, path, "Shutdown", 0);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SHUTDOWN);
        guest_wait_console(console, "virtbus-guest: power button");
}

START_TEST(test_reset_asleep)
{
        g_autofree char *console = harness_path(harness, "console"), *path = start_sleeping(console);

        check_stays(path);
        guest_do_flags(client, path, "Reset", 0);
        guest_expect_state(client, path, STATE_RUNNING, 1);
        client_wait_event(client, path, EVENT_RESUMED, 0);
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "Reboot", NULL, NULL));
        check_starts_over(path, console);
}
END_TEST

/* Between the reset and the start of its CPUs: by an agent that was killed there, or by anybody. */
START_TEST(test_reset_asleep_without_agent)
{
        g_autofree char *console = harness_path(harness, "console"), *path = start_sleeping(console);

        tell_monitor(path, SYSTEM_RESET, "\"RESET\"", "");
        harness_start_agent(harness);
        harness_wait_until(is_running, path, "the guest runs again");
        guest_expect_state(client, path, STATE_RUNNING, 1);
        check_starts_over(path, console);
}
END_TEST

START_TEST(test_reset_asleep_by_another)
{
        g_autofree char *console = harness_path(harness, "console"), *path = start_sleeping(console);
        g_autofree char *own = harness_path(harness, OWN_MONITOR);

        guest_tell_monitor(own, SYSTEM_RESET, "\"RESUME\"", "");
        client_wait_event(client, path, EVENT_RESUMED, 0);
        guest_expect_state(client, path, STATE_RUNNING, 1);
        check_starts_over(path, console);
}
END_TEST

/* 128 MiB, of which 96 are the guest's. */
static char *balloon_xml(const char *console)
{
        g_autofree char *xml = guest_linux_xml("linux", console, "idle");
        g_auto(GStrv) parts = g_strsplit(xml, "<memballoon model='none'/>", 2);
        g_autofree char *with = g_strjoinv("<memballoon model='virtio'/>", parts);
        const char *vcpu = strstr(with, "<vcpu>");

        return g_strdup_printf("%.*s<currentMemory unit='MiB'>96</currentMemory>%s", (int)(vcpu - with), with,
                               vcpu);
}

static void expect_memory(const char *path, unsigned flags, uint64_t kib)
{
        g_autofree char *wanted = g_strdup_printf("<currentMemory unit='KiB'>%" PRIu64 "<", kib);
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        ck_assert_msg(strstr(xml, wanted), "%s is not in %s", wanted, xml);
}

static uint64_t get_memory(const char *path)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "GetInfo", NULL);
        uint64_t max_kib, kib, cpu_ns;
        unsigned count;
        int state;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ittut)", &state, &max_kib, &kib, &count, &cpu_ns), 0);
        ck_assert_uint_eq(max_kib, 131072);
        return kib;
}

struct wanted {
        const char *path;
        uint64_t kib;
};

static bool has_memory(void *data)
{
        const struct wanted *wanted = data;

        return get_memory(wanted->path) == wanted->kib;
}

static bool is_size(sd_bus_message *message, const void *data)
{
        const uint64_t *wanted = data;
        uint64_t kib;

        return sd_bus_message_read(message, "t", &kib) > 0 && kib == *wanted;
}

static void set_balloon(const char *domain, uint64_t kib)
{
        g_autofree char *command =
                g_strdup_printf("{'execute': 'balloon', 'arguments': {'value': %" PRIu64 "}}", kib * 1024);
        g_autofree char *reached = g_strdup_printf("\"actual\": %" PRIu64 "}", kib * 1024);

        tell_monitor(domain, command, "BALLOON_CHANGE", reached);
}

/* How often the balloon asks the guest for statistics, as QEMU says. */
static void expect_period(const char *domain, unsigned seconds)
{
        g_autofree char *answer = g_strdup_printf("{\"return\": %u,", seconds);

        tell_monitor(domain,
                     "{'execute': 'qom-get', 'id': 'period', 'arguments': {'path': "
                     "'/machine/peripheral/balloon0', 'property': 'guest-stats-polling-interval'}}",
                     answer, "period");
}

/* What the guest has is its active definition's current memory, whoever changed it, and when. */
START_TEST(test_balloon)
{
        const uint64_t full = 131072, small = 98304, middle = 114688;
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_define(client, balloon_xml(console));
        struct wanted taken_over = { path, middle };

        guest_do_flags(client, path, "Create", 1);
        expect_memory(path, 0, full);
        ck_assert_uint_eq(get_memory(path), full);
        expect_memory(path, 2, small);
        guest_do(client, path, "Resume");
        sd_bus_message_unref(
                client_wait_signal(client, path, DOMAIN_INTERFACE, "BalloonChange", is_size, &small));
        expect_memory(path, 0, small);
        ck_assert_uint_eq(get_memory(path), small);

        set_balloon(path, middle);
        harness_start_agent(harness);
        harness_wait_until(has_memory, &taken_over, "the agent knows the size");
        expect_memory(path, 0, middle);
        expect_memory(path, 2, small);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_uint_eq(get_memory(path), small);
}
END_TEST

/* The guest's driver of the balloon follows at its own speed; what it has is told when it has it. */
START_TEST(test_set_memory)
{
        const uint64_t full = 131072, small = 98304, middle = 114688;
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = guest_define(client, balloon_xml(console));
        g_autofree char *xml = NULL;

        guest_do_flags(client, path, "Create", 0);
        sd_bus_message_unref(
                client_wait_signal(client, path, DOMAIN_INTERFACE, "BalloonChange", is_size, &small));
        client_do(client, path, DOMAIN_INTERFACE, "SetMemory", "tu", middle, 0);
        sd_bus_message_unref(
                client_wait_signal(client, path, DOMAIN_INTERFACE, "BalloonChange", is_size, &middle));
        expect_memory(path, 0, middle);
        expect_memory(path, 2, small);
        client_do(client, path, DOMAIN_INTERFACE, "SetMemory", "tu", full, 3);
        sd_bus_message_unref(
                client_wait_signal(client, path, DOMAIN_INTERFACE, "BalloonChange", is_size, &full));
        expect_memory(path, 0, full);
        expect_memory(path, 2, full);
        client_fails(client, LIBVIRT_ERROR, "invalid argument*131072 KiB", path, DOMAIN_INTERFACE,
                     "SetMemory", "tu", full + 1, 0);
        client_do(client, path, DOMAIN_INTERFACE, "SetMemoryStatsPeriod", "iu", 7, 1);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(xml, "<stats period='7'/>"));
        expect_period(path, 7);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("linux");
        TCase *tcase = tcase_create("linux"), *asleep = tcase_create("asleep");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_boot_and_acpi_shutdown);
        tcase_add_test(tcase, test_guest_powers_itself_off);
        tcase_add_test(tcase, test_guest_reboots_itself);
        tcase_add_test(tcase, test_reboot);
        tcase_add_test(tcase, test_balloon);
        tcase_add_test(tcase, test_set_memory);
        suite_add_tcase(suite, tcase);
        tcase_add_checked_fixture(asleep, set_up, tear_down);
        tcase_add_test(asleep, test_reset_asleep);
        tcase_add_test(asleep, test_reset_asleep_without_agent);
        tcase_add_test(asleep, test_reset_asleep_by_another);
        suite_add_tcase(suite, asleep);
        return harness_main(suite);
}
