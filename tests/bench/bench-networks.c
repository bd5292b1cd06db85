/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Virtual networks, in a network namespace of its own: how long one takes to start, bridge, rules and a
 * dnsmasq that answers; many at once; one host more of its DHCP; a list of a thousand beside the echo.
 */

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

#define NETWORK_INTERFACE "org.libvirt.Network"
#define ROUNDS            20
#define TOGETHER          64
#define DEFINED           1000

static char *make_xml(unsigned number, bool with_ip)
{
        if (!with_ip)
                return g_strdup_printf("<network><name>d%u</name></network>", number);
        return g_strdup_printf(
                "<network><name>n%u</name><forward mode='nat'/><ip address='10.90.%u.1' prefix='24'><dhcp>"
                "<range start='10.90.%u.2' end='10.90.%u.99'/></dhcp></ip></network>",
                number, number, number, number);
}

static char *define(struct bench *bench, const char *xml)
{
        return client_call_string(bench->client, QEMU_PATH, CONNECT_INTERFACE, "NetworkDefineXML", "s", xml);
}

static int64_t time_call(struct bench *bench, const char *path, const char *member)
{
        int64_t start = bench_now_ns();

        client_do(bench->client, path, NETWORK_INTERFACE, member, NULL);
        return bench_now_ns() - start;
}

static void measure_one(struct bench *bench)
{
        g_autofree char *xml = make_xml(1, true), *path = define(bench, xml);
        int64_t starts[ROUNDS], stops[ROUNDS], changes[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                starts[i] = time_call(bench, path, "Create");
                stops[i] = time_call(bench, path, "Destroy");
        }
        bench_print_value("a network starts (NAT, DHCP)", bench_median(starts, ROUNDS) / 1e6, "ms", 150);
        bench_print_value("... and stops", bench_median(stops, ROUNDS) / 1e6, "ms", 0);
        client_do(bench->client, path, NETWORK_INTERFACE, "Create", NULL);
        for (unsigned i = 0; i < ROUNDS; i++) {
                g_autofree char *host =
                        g_strdup_printf("<host mac='52:54:00:00:00:%02x' ip='10.90.1.%u'/>", i, 100 + i);
                int64_t start = bench_now_ns();

                client_do(bench->client, path, NETWORK_INTERFACE, "Update", "uuisu", 3, 4, -1, host, 3);
                changes[i] = bench_now_ns() - start;
        }
        bench_print_value("one host more of its DHCP", bench_median(changes, ROUNDS) / 1e6, "ms", 0);
        client_do(bench->client, path, NETWORK_INTERFACE, "Destroy", NULL);
        client_do(bench->client, path, NETWORK_INTERFACE, "Undefine", NULL);
}

static int count_answer(sd_bus_message *message, void *data, sd_bus_error *error)
{
        ck_assert_msg(!sd_bus_message_is_method_error(message, NULL), "%s",
                      sd_bus_message_get_error(message) ? sd_bus_message_get_error(message)->message : "");
        ++*(unsigned *)data;
        return 0;
}

static void measure_together(struct bench *bench)
{
        sd_bus *bus = client_get_bus(bench->client);
        int64_t start = bench_now_ns();
        unsigned answers = 0;

        for (unsigned i = 0; i < TOGETHER; i++) {
                g_autofree char *xml = make_xml(100 + i, true);

                ck_assert_int_ge(sd_bus_call_method_async(bus, NULL, "org.libvirt", QEMU_PATH,
                                                          CONNECT_INTERFACE, "NetworkCreateXML", count_answer,
                                                          &answers, "s", xml),
                                 0);
        }
        while (answers < TOGETHER)
                client_process(bench->client);
        bench_print_value("64 networks are started together in", (bench_now_ns() - start) / 1e6, "ms", 0);
}

static void measure_list(struct bench *bench)
{
        const struct bench_call list = { QEMU_PATH, CONNECT_INTERFACE, "ListNetworks", "u", NULL, NULL };
        double ours, echo;

        for (unsigned i = 0; i < DEFINED; i++) {
                g_autofree char *xml = make_xml(i, false);

                g_free(define(bench, xml));
        }
        bench_pin(bench, true);
        bench_compare(bench, &list, 200, &ours, &echo);
        bench_print("ListNetworks of 1,000", ours, echo, "us", 1.5);
        bench_pin(bench, false);
}

void bench_networks(struct bench *bench)
{
        if (unshare(CLONE_NEWNET) < 0 || system("dnsmasq --version >/dev/null 2>&1") != 0) {
                bench_print_note("networks", "needs root and dnsmasq");
                return;
        }
        harness_end_agent(bench->harness, SIGTERM);
        harness_start_agent(bench->harness);
        measure_one(bench);
        measure_together(bench);
        measure_list(bench);
}
