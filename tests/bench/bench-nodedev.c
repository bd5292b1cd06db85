/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices of a host with 2,000 network interfaces, in a network namespace with a sysfs of its own: how long
 * the first look takes (what the agent's log says of it), to list them beside the echo, how soon the kernel's
 * event is a signal, and what of a storm is told, while a client asks for something else.
 */

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define PAIRS  1000
#define STARTS 5
#define TAPS   50
/* In a second. */
#define STORM_EVENTS 1000
#define STORM_NS     INT64_C(1000000000)

static const struct bench_call free_memory = { QEMU_PATH, CONNECT_INTERFACE, "NodeGetFreeMemory", "", NULL,
                                               NULL };

static bool make_host(void)
{
        g_autofree char *path = g_strdup_printf("/tmp/virtbus-bench-devices-%d", (int)getpid());
        g_autofree char *command = g_strdup_printf("ip -batch %s", path);
        FILE *file;
        bool good;

        if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
                return false;
        file = fopen(path, "we");
        for (unsigned i = 0; i < PAIRS; i++)
                fprintf(file, "link add v%u type veth peer name w%u\n", i, i);
        fclose(file);
        good = system(command) == 0;
        unlink(path);
        return good;
}

/* Of the agent that was started last. */
static int64_t read_look_ms(struct bench *bench)
{
        g_autofree char *log = harness_read_log(bench->harness);
        const char *line = g_strrstr(log, " devices seen in ");

        ck_assert_ptr_nonnull(line);
        return strtoll(line + strlen(" devices seen in "), NULL, 10);
}

static void measure_look(struct bench *bench)
{
        int64_t values[STARTS];

        harness_add_option(bench->harness, "--verbose");
        for (unsigned i = 0; i < STARTS; i++) {
                harness_end_agent(bench->harness, SIGTERM);
                harness_start_agent(bench->harness);
                values[i] = read_look_ms(bench);
        }
        bench_print_value("2,000 devices are seen in", bench_median(values, STARTS), "ms", 300);
}

static int open_tap(unsigned number)
{
        struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

        g_snprintf(request.ifr_name, sizeof(request.ifr_name), "t%u", number);
        ck_assert(fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0);
        return fd;
}

static void wait_event(struct bench *bench)
{
        sd_bus_message_unref(client_wait_signal(bench->client, QEMU_PATH, CONNECT_INTERFACE,
                                                "NodeDeviceEvent", NULL, NULL));
}

static void measure_signals(struct bench *bench)
{
        int64_t values[TAPS];

        client_forget_signals(bench->client);
        for (unsigned i = 0; i < TAPS; i++) {
                int64_t start = bench_now_ns();
                int fd = open_tap(i);

                wait_event(bench);
                values[i] = (bench_now_ns() - start) / 1000;
                close(fd);
                wait_event(bench);
        }
        bench_print_value("a device that comes is a signal after", bench_median(values, TAPS) / 1000, "ms",
                          100);
}

/* Of as many calls, in us. */
static double call_us(struct bench *bench, int64_t *values, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                values[i] = 0;
                sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &free_memory, &values[i]));
        }
        return bench_median(values, count) / 1000;
}

static void sleep_until(int64_t ns)
{
        struct timespec until = { ns / INT64_C(1000000000), ns % INT64_C(1000000000) };

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* The kernel says so to all who listen, and the device stays. */
static void say(unsigned number, const char *action)
{
        g_autofree char *path = g_strdup_printf("/sys/class/net/v%u/uevent", number);
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        ck_assert(fd >= 0 && write(fd, action, strlen(action)) > 0);
        close(fd);
}

static void measure_storm(struct bench *bench)
{
        int64_t calls[STORM_EVENTS], start, behind;
        double calm_us = call_us(bench, calls, STORM_EVENTS);
        unsigned told = 0;

        client_forget_signals(bench->client);
        start = bench_now_ns();
        for (unsigned i = 0; i < STORM_EVENTS; i++) {
                say(i / 2, i % 2 ? "add" : "remove");
                calls[i] = 0;
                sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &free_memory, &calls[i]));
                sleep_until(start + STORM_NS / STORM_EVENTS * (i + 1));
        }
        behind = bench_now_ns();
        while (told < STORM_EVENTS && bench_now_ns() - behind < STORM_NS * 10) {
                client_process(bench->client);
                told = client_count_signals(bench->client, QEMU_PATH, CONNECT_INTERFACE, "NodeDeviceEvent");
        }
        bench_print_value("events in a storm", STORM_EVENTS * 1e9 / (double)(behind - start), "/s", 0);
        bench_print_value("of 1,000 events are signals", told, "", 0);
        bench_print_value("the last one after", (bench_now_ns() - behind) / 1e6, "ms", 100);
        bench_print("another call during the storm, and before", bench_median(calls, STORM_EVENTS) / 1000,
                    calm_us, "us", 2);
}

void bench_nodedev(struct bench *bench)
{
        const struct bench_call list = { QEMU_PATH, CONNECT_INTERFACE, "ListNodeDevices", "u", NULL, NULL };
        double ours, echo;

        if (!make_host()) {
                bench_print_note("nodedev", "needs root and iproute2");
                return;
        }
        measure_look(bench);
        bench_pin(bench, true);
        bench_compare(bench, &list, 50, &ours, &echo);
        bench_print("ListNodeDevices of 2,000", ours, echo, "us", 1.5);
        bench_pin(bench, false);
        measure_signals(bench);
        measure_storm(bench);
}
