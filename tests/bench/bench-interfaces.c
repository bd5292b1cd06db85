/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Interfaces of a host with 4,000 links, in a network namespace of its own: how long it takes until they are
 * known, to list them beside the echo, how soon a change of the kernel's is a signal, whether a flow of
 * 10,000 events a second loses any, and what is left of a storm.
 */

#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define PAIRS        2000
#define FLIPS        100
#define STORM_EVENTS 100000
/* A steady flow, and over how many links it is spread. */
#define FLOW_SECONDS 10
#define FLOW_PER_MS  10
#define FLOW_LINKS   100

static bool make_links(void)
{
        g_autofree char *path = g_strdup_printf("/tmp/virtbus-bench-links-%d", (int)getpid());
        g_autofree char *command = g_strdup_printf("ip -batch %s", path);
        FILE *file = fopen(path, "we");
        bool good;

        for (unsigned i = 0; i < PAIRS; i++)
                fprintf(file, "link add v%u type veth peer name w%u\n", i, i);
        fclose(file);
        good = system(command) == 0;
        unlink(path);
        return good;
}

static double start_ms(struct bench *bench)
{
        int64_t start;

        harness_end_agent(bench->harness, SIGTERM);
        start = bench_now_ns();
        harness_start_agent(bench->harness);
        return (bench_now_ns() - start) / 1e6;
}

static void set_flags(int fd, const char *name, short flags)
{
        struct ifreq request = { .ifr_flags = flags };

        g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
        ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

static void set_mtu(int fd, const char *name, int mtu)
{
        struct ifreq request = { .ifr_mtu = mtu };

        g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
        ck_assert_int_eq(ioctl(fd, SIOCSIFMTU, &request), 0);
}

/* From the kernel's call to the signal, in ms. */
static double flip_ms(struct bench *bench, int fd, short flags)
{
        int64_t start = bench_now_ns();

        set_flags(fd, "v0", flags);
        sd_bus_message_unref(client_wait_signal(bench->client, QEMU_PATH, CONNECT_INTERFACE, "InterfaceEvent",
                                                NULL, NULL));
        return (bench_now_ns() - start) / 1e6;
}

static void measure_signals(struct bench *bench, int fd)
{
        int64_t values[FLIPS];

        client_forget_signals(bench->client);
        for (unsigned i = 0; i < FLIPS; i++)
                values[i] = (int64_t)(flip_ms(bench, fd, i % 2 ? 0 : IFF_UP) * 1000);
        bench_print_value("a link's change is a signal after", bench_median(values, FLIPS) / 1000, "ms", 20);
        /* bench_median() has sorted them. */
        bench_print_value("... at worst of 100", values[FLIPS - 1] / 1000.0, "ms", 20);
}

/* Events for the agent that the kernel had no room for: of the sockets of rtnetlink that follow something. */
static unsigned count_dropped(struct bench *bench)
{
        g_autofree char *path =
                g_strdup_printf("/proc/%d/net/netlink", (int)harness_get_agent_pid(bench->harness));
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        unsigned sum = 0;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 1; lines[i]; i++) {
                unsigned protocol, groups, drops;

                if (sscanf(lines[i], "%*x %u %*u %x %*d %*d %*d %*d %u", &protocol, &groups, &drops) == 3 &&
                    protocol == 0 && groups != 0)
                        sum += drops;
        }
        return sum;
}

static int get_flow_mtu(unsigned event)
{
        return 1300 + (int)(event / FLOW_LINKS % 2 + event % FLOW_LINKS);
}

/* How many links does the agent describe otherwise than they are? */
static unsigned count_wrong(struct bench *bench)
{
        const unsigned last = FLOW_SECONDS * 1000 * FLOW_PER_MS - FLOW_LINKS;
        unsigned wrong = 0;

        for (unsigned i = 0; i < FLOW_LINKS; i++) {
                g_autofree char *path = g_strdup_printf(QEMU_PATH "/interface/v%u", 100 + i);
                g_autofree char *words = g_strdup_printf("<mtu size='%d'/>", get_flow_mtu(last + i));
                g_autofree char *xml = client_call_string(bench->client, path, "org.libvirt.Interface",
                                                          "GetXMLDesc", "u", 0);

                wrong += strstr(xml, words) == NULL;
        }
        return wrong;
}

static void measure_flow(struct bench *bench, int fd)
{
        unsigned dropped = count_dropped(bench), event = 0;
        g_autofree char *lost = NULL;
        int64_t start = bench_now_ns();

        for (int64_t ms = 0; ms < FLOW_SECONDS * 1000; ms++) {
                int64_t early_us = (start + ms * 1000000 - bench_now_ns()) / 1000;

                if (early_us > 0)
                        g_usleep((gulong)early_us);
                for (unsigned i = 0; i < FLOW_PER_MS; i++, event++) {
                        char name[IFNAMSIZ];

                        g_snprintf(name, sizeof(name), "v%u", 100 + event % FLOW_LINKS);
                        set_mtu(fd, name, get_flow_mtu(event));
                }
        }
        bench_print_value("events in a flow of ten seconds", event / ((bench_now_ns() - start) / 1e9), "/s",
                          0);
        client_forget_signals(bench->client);
        flip_ms(bench, fd, IFF_UP);
        flip_ms(bench, fd, 0);
        lost = g_strdup_printf("%u dropped by the kernel, %u links described wrongly",
                               count_dropped(bench) - dropped, count_wrong(bench));
        bench_print_note("... of which are lost", lost);
}

static void measure_storm(struct bench *bench, int fd)
{
        int64_t start = bench_now_ns();
        double storm_ms;

        for (unsigned i = 0; i < STORM_EVENTS; i++)
                set_mtu(fd, "v1", 1300 + (int)(i % 2));
        storm_ms = (bench_now_ns() - start) / 1e6;
        bench_print_value("events in a storm", STORM_EVENTS / storm_ms * 1000, "/s", 0);
        client_forget_signals(bench->client);
        bench_print_value("a change right behind it is a signal after", flip_ms(bench, fd, IFF_UP), "ms", 0);
}

void bench_interfaces(struct bench *bench)
{
        const struct bench_call list = { QEMU_PATH, CONNECT_INTERFACE, "ListInterfaces", "u", NULL, NULL };
        double bare_ms, ours, echo;
        int fd;

        if (unshare(CLONE_NEWNET) < 0 || (bare_ms = start_ms(bench), !make_links())) {
                bench_print_note("interfaces", "needs root and iproute2");
                return;
        }
        bench_print_value("4,000 links are known after", start_ms(bench) - bare_ms, "ms", 200);
        bench_pin(bench, true);
        bench_compare(bench, &list, 50, &ours, &echo);
        bench_print("ListInterfaces of 4,000", ours, echo, "us", 1.5);
        bench_pin(bench, false);
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        measure_signals(bench, fd);
        measure_flow(bench, fd);
        measure_storm(bench, fd);
        close(fd);
}
