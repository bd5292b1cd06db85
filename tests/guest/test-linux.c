/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A real Linux guest: it boots, prints to its serial console, and obeys.
 */

#include <signal.h>
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

int main(void)
{
        Suite *suite = suite_create("linux");
        TCase *tcase = tcase_create("linux");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_boot_and_acpi_shutdown);
        tcase_add_test(tcase, test_guest_powers_itself_off);
        tcase_add_test(tcase, test_guest_reboots_itself);
        tcase_add_test(tcase, test_reboot);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
