/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * "virtbusd --import-libvirt" on a host where libvirt runs networks. How each is adopted is what
 * unit/network-adoption is about; here it is all of the program, and the agent that comes behind it.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/import-network.h"
#include "tests/support/import.h"

#define PATH IMPORT_NETWORK_PATH

/* ---- what libvirt leaves ---- */

/* What a case that failed has left would make those behind it fail, too. */
static void set_up(void)
{
        g_free(run("ip link delete virbr7"));
        harness = harness_new_bus();
        client = harness_get_client(harness);
        import_put(harness, "etc/libvirt/libvirtd.conf", "", 0);
}

static void tear_down(void)
{
        g_free(run("ip link delete virbr7"));
        harness_free(harness);
}

static pid_t get_libvirts_pid(void)
{
        g_autofree char *path = import_path(harness, "run/libvirt/network/lan.pid"), *text = NULL;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        ck_assert_int_gt(atoi(text), 1);
        return atoi(text);
}

static bool lives(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid), *line = NULL;
        gsize length = 0;

        return g_file_get_contents(path, &line, &length, NULL) && length > 0;
}

static bool exists(const char *below)
{
        g_autofree char *path = import_path(harness, below);

        return access(path, F_OK) == 0;
}

/* As a libvirtd that runs has it; its pid. */
static pid_t lock_driver(void)
{
        g_autofree char *path = import_path(harness, "run/libvirt/network/driver.pid");
        int ready[2];
        char byte;
        pid_t pid;

        ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
                int fd = open(path, O_RDWR | O_CLOEXEC);

                if (fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], "", 1) == 1)
                        pause();
                _exit(1);
        }
        close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return pid;
}

static bool has_tried(void *data)
{
        g_autofree char *log = harness_read_log(harness);

        return strstr(log, "cannot autostart network 'lan'") != NULL;
}

/* The name may be owned before. */
static bool has_taken_over(void *data)
{
        return is_active(PATH);
}

/* ---- cases ---- */

/* It is active for the agent that comes, with what was lent; and what libvirt knew of it is aside. */
START_TEST(test_a_network_goes_on)
{
        g_autofree char *first = NULL, *second = NULL, *name = NULL;
        g_autoptr(sd_bus_message) leases = NULL;
        const char *bridge, *mac, *iaid, *address, *hostname, *id;
        unsigned prefix;
        int64_t expiry;
        pid_t libvirts;
        int type;

        if (!can_run())
                return;
        import_put_network();
        libvirts = get_libvirts_pid();
        first = import_run(harness, 0);
        import_expect_line(first, "network 'lan': taken");
        import_expect_line(first, "network 'lan': is started at boot");
        import_expect_line(first, "network 'lan': runs on with bridge 'virbr7', and is adopted");
        import_expect_line(first, "2 taken, 0 not taken");
        ck_assert(!lives(libvirts));
        ck_assert(!exists("run/libvirt/network/lan.xml"));
        ck_assert(exists("run/libvirt/network/lan.xml.adopted-by-virtbus"));
        second = import_run(harness, 0);
        import_expect_line(second, "0 taken, 0 not taken");

        harness_start_agent(harness);
        harness_wait_until(has_taken_over, NULL, "the network is active");
        ck_assert(client_get_bool(client, PATH, NETWORK_INTERFACE, "Autostart"));
        name = client_call_string(client, PATH, NETWORK_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(name, "<mac address='" IMPORT_BRIDGE_MAC "'/>"));
        leases = client_call(client, PATH, NETWORK_INTERFACE, "GetDHCPLeases", "su", "", 0);
        ck_assert_int_gt(sd_bus_message_enter_container(leases, 'a', "(sxisssuss)"), 0);
        ck_assert_int_gt(sd_bus_message_read(leases, "(sxisssuss)", &bridge, &expiry, &type, &mac, &iaid,
                                             &address, &prefix, &hostname, &id),
                         0);
        ck_assert_str_eq(address, "10.77.7.55");
        ck_assert_str_eq(hostname, "web");
        network_do(PATH, "Destroy");
        ck_assert(!has_link("virbr7"));
}
END_TEST

/* It has it in its hands: nothing is touched, and the agent that comes leaves the bridge alone, too. */
START_TEST(test_a_libvirtd_that_runs)
{
        g_autofree char *refused = NULL, *taken = NULL, *line = NULL;
        pid_t libvirtd, libvirts;

        if (!can_run())
                return;
        import_put_network();
        libvirts = get_libvirts_pid();
        libvirtd = lock_driver();
        refused = import_run(harness, 1);
        line = g_strdup_printf(
                "network 'lan': runs under libvirt, and is not adopted: operation failed: a libvirtd "
                "(process %d) has it",
                (int)libvirtd);
        import_expect_line(refused, line);
        ck_assert(lives(libvirts) && exists("run/libvirt/network/lan.xml"));
        harness_start_agent(harness);
        harness_wait_until(has_tried, NULL, "the agent has tried to start the network");
        ck_assert(!is_active(PATH));
        ck_assert(has_link("virbr7") && lives(libvirts));
        harness_end_agent(harness, SIGTERM);

        kill(libvirtd, SIGKILL);
        waitpid(libvirtd, NULL, 0);
        taken = import_run(harness, 0);
        import_expect_line(taken, "network 'lan': already here");
        import_expect_line(taken, "network 'lan': runs on with bridge 'virbr7', and is adopted");
        ck_assert(!lives(libvirts));
        harness_start_agent(harness);
        harness_wait_until(has_taken_over, NULL, "the network is active");
        network_do(PATH, "Destroy");
}
END_TEST

/* It would be another one than the administrator's. */
START_TEST(test_a_definition_that_was_not_taken)
{
        g_autofree char *output = NULL, *cut = NULL;
        pid_t libvirts;

        if (!can_run())
                return;
        import_put_network();
        libvirts = get_libvirts_pid();
        import_put(harness, "etc/libvirt/qemu/networks/lan.xml", "<network><name>lan</name>", -1);
        import_put(harness, "run/libvirt/network/cut.xml", "<networkstatus><network>", -1);
        output = import_run(harness, 1);
        import_expect_line(output,
                           "network 'cut': runs under libvirt, and is not adopted: XML description is "
                           "not well formed");
        import_expect_line(output,
                           "network 'lan': runs under libvirt, and is not adopted: operation failed: its "
                           "definition was not taken");
        ck_assert(lives(libvirts) && has_link("virbr7"));
        kill(libvirts, SIGTERM);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("import-networks");
        TCase *tcase = tcase_create("import-networks");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_a_network_goes_on);
        tcase_add_test(tcase, test_a_libvirtd_that_runs);
        tcase_add_test(tcase, test_a_definition_that_was_not_taken);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
