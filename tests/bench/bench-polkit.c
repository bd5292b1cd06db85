/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What PolicyKit costs: the first call of a client, which somebody is asked about, the ones after it, and
 * what others notice of many open dialogs. With the real polkitd, as root.
 */

#include <string.h>

#include "tests/bench/bench.h"
#include "tests/support/polkitd.h"

#define FIRST_CALLS 100
#define DIALOGS     200
#define TEST_DOMAIN TEST_PATH "/domain/_6695eb01_f6a4_8304_79aa_97f2502e193f"

static const struct bench_call get_state = { TEST_DOMAIN, DOMAIN_INTERFACE, "GetState", "u", NULL, NULL };

/* Medians, in us: of the first call, and of the second. */
static void measure_first(struct bench *bench, uid_t uid, double *first_us, double *second_us)
{
        int64_t first[FIRST_CALLS] = { 0 }, second[FIRST_CALLS] = { 0 };

        for (unsigned i = 0; i < FIRST_CALLS; i++) {
                struct client *client = polkitd_connect_as(bench->harness, uid);

                sd_bus_message_unref(bench_time_call(client, "org.libvirt", &get_state, &first[i]));
                sd_bus_message_unref(bench_time_call(client, "org.libvirt", &get_state, &second[i]));
                client_free(client);
        }
        *first_us = bench_median(first, FIRST_CALLS) / 1e3;
        *second_us = bench_median(second, FIRST_CALLS) / 1e3;
}

/* The same calls as another client of the bench. */
static void compare_as(struct bench *bench, struct client *client, const char *what)
{
        struct client *own = bench->client;
        double ours_us, echo_us;

        bench->client = client;
        bench_compare(bench, &get_state, BENCH_ROUNDS, &ours_us, &echo_us);
        bench->client = own;
        bench_print(what, ours_us, echo_us, "us", 1.25);
}

static void measure_dialogs(struct bench *bench, struct polkitd *polkitd, struct client *nobody)
{
        static struct client_answer answers[DIALOGS];
        struct client *crowd[DIALOGS];

        polkitd_show_dialogs(polkitd);
        for (unsigned i = 0; i < DIALOGS; i++) {
                crowd[i] = polkitd_connect_as(bench->harness, POLKITD_NOBODY);
                sd_bus_set_allow_interactive_authorization(client_get_bus(crowd[i]), 1);
                client_send(crowd[i], &answers[i], TEST_DOMAIN, DOMAIN_INTERFACE, "Suspend", NULL);
        }
        polkitd_wait_dialogs(polkitd, DIALOGS);
        compare_as(bench, bench->client, "GetState by root, 200 dialogs open");
        compare_as(bench, nobody, "GetState by nobody, 200 dialogs open");
        for (unsigned i = 0; i < DIALOGS; i++)
                client_free(crowd[i]);
}

void bench_polkit(struct bench *bench)
{
        struct polkitd *polkitd =
                polkitd_new(bench->harness, "polkit.addRule(function (action, subject) {"
                                            "    if (action.id == 'org.libvirt.unix.manage')"
                                            "        return 'auth_admin';"
                                            "});");
        double first_us, second_us;
        struct client *nobody;

        if (!polkitd) {
                bench_print_note("PolicyKit", "polkitd cannot run here");
                return;
        }
        measure_first(bench, 0, &first_us, &second_us);
        bench_print_value("first call of a client, root", first_us, "us", 0);
        bench_print_value("second call", second_us, "us", 0);
        measure_first(bench, POLKITD_NOBODY, &first_us, &second_us);
        bench_print_value("first call of a client, nobody", first_us, "us", 0);
        bench_print_value("second call", second_us, "us", 0);
        bench_pin(bench, true);
        nobody = polkitd_connect_as(bench->harness, POLKITD_NOBODY);
        compare_as(bench, bench->client, "GetState by root");
        compare_as(bench, nobody, "GetState by nobody");
        measure_dialogs(bench, polkitd, nobody);
        bench_pin(bench, false);
        client_free(nobody);
        polkitd_free(polkitd);
}
