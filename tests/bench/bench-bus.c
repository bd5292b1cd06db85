/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the bus allows: single calls against the echo of an equal payload, and many clients at once.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

#define CLIENTS          16
#define CALLS_PER_CLIENT 1500
#define TEST_DOMAIN      TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"

static void compare(struct bench *bench, const char *what, const char *where, const struct bench_call *call,
                    double goal)
{
        g_autofree char *title = g_strdup_printf("%s (%s)", what, where);
        double ours_us;
        double echo_us;

        bench_compare(bench, call, BENCH_ROUNDS, &ours_us, &echo_us);
        bench_print(title, ours_us, echo_us, "us", goal);
}

static void compare_all(struct bench *bench, const char *where, const char *connection, const char *domain)
{
        const struct bench_call get_state = { domain, DOMAIN_INTERFACE, "GetState", "u", NULL, NULL };
        const struct bench_call get = {
                domain, "org.freedesktop.DBus.Properties", "Get", "ss", DOMAIN_INTERFACE, "Name"
        };
        const struct bench_call get_all = { domain,           "org.freedesktop.DBus.Properties",
                                            "GetAll",         "s",
                                            DOMAIN_INTERFACE, NULL };
        const struct bench_call describe = { domain, DOMAIN_INTERFACE, "GetXMLDesc", "u", NULL, NULL };
        const struct bench_call list = { connection, CONNECT_INTERFACE, "ListDomains", "u", NULL, NULL };

        compare(bench, "GetState", where, &get_state, 1.25);
        compare(bench, "Properties.Get", where, &get, 1.25);
        compare(bench, "Properties.GetAll", where, &get_all, 1.6);
        compare(bench, "GetXMLDesc", where, &describe, 1.25);
        compare(bench, "ListDomains", where, &list, 1.25);
}

void bench_reads(struct bench *bench)
{
        g_autofree char *path = NULL;

        bench_pin(bench, true);
        compare_all(bench, "Test", TEST_PATH, TEST_DOMAIN);
        path = guest_define(bench->client, guest_bare_xml("read", NULL));
        compare_all(bench, "QEMU", QEMU_PATH, path);
        bench_pin(bench, false);
        client_do(bench->client, path, DOMAIN_INTERFACE, "Undefine", "u", 0);
}

/* In a process of its own: calls one after the other. */
static void run_client(struct bench *bench, const char *destination, const struct bench_call *call,
                       int start_fd)
{
        struct client *client = harness_connect(bench->harness);
        int64_t ns = 0;
        char byte;

        if (read(start_fd, &byte, 1) < 0)
                _exit(1);
        for (unsigned i = 0; i < CALLS_PER_CLIENT; i++)
                sd_bus_message_unref(bench_time_call(client, destination, call, &ns));
        _exit(0);
}

/* Calls per second of all clients together. */
static double measure_clients(struct bench *bench, const char *destination, const struct bench_call *call)
{
        int64_t start;
        int fds[2];

        ck_assert_int_eq(pipe(fds), 0);
        for (unsigned i = 0; i < CLIENTS; i++) {
                if (fork() == 0) {
                        close(fds[1]);
                        run_client(bench, destination, call, fds[0]);
                }
        }
        close(fds[0]);
        g_usleep(300000);
        start = bench_now_ns();
        /* End of file is the starting shot. */
        close(fds[1]);
        for (unsigned i = 0; i < CLIENTS; i++) {
                int status;

                ck_assert_int_gt(wait(&status), 0);
                ck_assert_int_eq(status, 0);
        }
        return CLIENTS * CALLS_PER_CLIENT / ((bench_now_ns() - start) / 1e9);
}

void bench_clients(struct bench *bench)
{
        const struct bench_call call = { TEST_DOMAIN, DOMAIN_INTERFACE, "GetState", "u", NULL, NULL };
        g_autofree int64_t *ours = g_new0(int64_t, 3);
        g_autofree int64_t *echo = g_new0(int64_t, 3);

        bench_store(bench, &call);
        for (unsigned i = 0; i < 3; i++) {
                ours[i] = measure_clients(bench, "org.libvirt", &call);
                echo[i] = measure_clients(bench, "org.virtbus.Echo", &call);
        }
        /* The other way round, so that the ratio is one of times as everywhere: 80 % of the calls is 1.25. */
        bench_print("16 clients at once, time per call", 1e6 / bench_median(ours, 3),
                    1e6 / bench_median(echo, 3), "us", 1.25);
}
