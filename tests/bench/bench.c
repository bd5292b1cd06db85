/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ./dev bench: sets up a bus with the agent and the echo service on it, runs the parts asked for (all by
 * default), prints the table.
 */

#include "tests/bench/bench.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

static const struct part {
        const char *name;
        void (*run)(struct bench *bench);
} parts[] = {
        { "reads", bench_reads },
        { "clients", bench_clients },
        { "domains", bench_domains },
        { "guests", bench_guests },
        { "hung", bench_hung },
        { "storage", bench_storage },
        { "interfaces", bench_interfaces },
        { "nodedev", bench_nodedev },
        { "networks", bench_networks },
        { "polkit", bench_polkit },
        { "stats", bench_stats },
        { "devices", bench_devices },
        { "plugs", bench_plugs },
        { "migration", bench_migration },
        { "operations", bench_operations },
};

void bench_print(const char *what, double ours, double limit, const char *unit, double goal_ratio)
{
        double ratio = limit > 0 ? ours / limit : 0;

        printf("%-46s %10.1f %10.1f %-3s %7.2f", what, ours, limit, unit, ratio);
        if (goal_ratio > 0)
                printf("  <= %-5.2f %s", goal_ratio, ratio <= goal_ratio ? "reached" : "missed");
        printf("\n");
        fflush(stdout);
}

void bench_print_value(const char *what, double value, const char *unit, double goal)
{
        printf("%-46s %10.1f %10s %-3s %7s", what, value, "", unit, "");
        if (goal > 0)
                printf("  <= %-5g %s", goal, value <= goal ? "reached" : "missed");
        printf("\n");
        fflush(stdout);
}

void bench_print_note(const char *what, const char *text)
{
        printf("%-46s %s\n", what, text);
        fflush(stdout);
}

int64_t bench_now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int compare_values(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a;
        int64_t y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

double bench_median(int64_t *values, unsigned count)
{
        int64_t *middle = values + count / 2;

        qsort(values, count, sizeof(*values), compare_values);
        return (double)*middle;
}

sd_bus_message *bench_time_call(struct client *client, const char *destination, const struct bench_call *call,
                                int64_t *ns)
{
        sd_bus *bus = client_get_bus(client);
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        g_autoptr(sd_bus_message) message = NULL;
        int64_t start = bench_now_ns();

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &message, destination, call->path,
                                                        call->interface, call->member),
                         0);
        if (strcmp(call->types, "u") == 0)
                sd_bus_message_append(message, "u", 0);
        else if (strcmp(call->types, "uu") == 0)
                sd_bus_message_append(message, "uu", 0, 0);
        else if (strcmp(call->types, "s") == 0)
                sd_bus_message_append(message, "s", call->first);
        else if (strcmp(call->types, "ss") == 0)
                sd_bus_message_append(message, "ss", call->first, call->second);
        if (sd_bus_call(bus, message, CLIENT_DEADLINE_US, &error, &reply) < 0)
                ck_abort_msg("%s at %s: %s", call->member, destination, error.message);
        *ns += bench_now_ns() - start;
        return reply;
}

void bench_store(struct bench *bench, const struct bench_call *call)
{
        sd_bus *bus = client_get_bus(bench->client);
        int64_t ns = 0;
        g_autoptr(sd_bus_message) answer = bench_time_call(bench->client, "org.libvirt", call, &ns);
        g_autoptr(sd_bus_message) store = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &store, "org.virtbus.Echo", "/",
                                                        "org.virtbus.Echo", "Store"),
                         0);
        ck_assert_int_ge(sd_bus_message_copy(store, answer, 1), 0);
        ck_assert_int_ge(sd_bus_call(bus, store, CLIENT_DEADLINE_US, NULL, NULL), 0);
}

void bench_compare(struct bench *bench, const struct bench_call *call, unsigned rounds, double *ours_us,
                   double *echo_us)
{
        g_autofree int64_t *ours = g_new0(int64_t, rounds);
        g_autofree int64_t *echo = g_new0(int64_t, rounds);

        bench_store(bench, call);
        /* In turns, so that what else this host does hits both; the first tenth only warms up. */
        for (unsigned i = 0; i < rounds + rounds / 10; i++) {
                unsigned slot = i % rounds;

                ours[slot] = echo[slot] = 0;
                sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", call, &ours[slot]));
                sd_bus_message_unref(bench_time_call(bench->client, "org.virtbus.Echo", call, &echo[slot]));
        }
        *ours_us = bench_median(ours, rounds) / 1000;
        *echo_us = bench_median(echo, rounds) / 1000;
}

static void pin_process(pid_t pid, int cpu)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task", pid);
        g_autoptr(GDir) threads = g_dir_open(path, 0, NULL);
        const char *name;
        cpu_set_t cpus;

        CPU_ZERO(&cpus);
        for (int i = 0; i < get_nprocs(); i++)
                if (cpu < 0 || i == cpu)
                        CPU_SET(i, &cpus);
        while (threads && (name = g_dir_read_name(threads)))
                sched_setaffinity(atoi(name), sizeof(cpus), &cpus);
}

void bench_pin(struct bench *bench, bool pinned)
{
        int other = pinned && get_nprocs() > 1;

        pin_process(getpid(), pinned ? 0 : -1);
        pin_process(harness_get_bus_pid(bench->harness), pinned ? 0 : -1);
        pin_process(harness_get_agent_pid(bench->harness), pinned ? other : -1);
        pin_process(bench->echo, pinned ? other : -1);
}

double bench_agent_kib(struct bench *bench)
{
        g_autofree char *path =
                g_strdup_printf("/proc/%d/smaps_rollup", harness_get_agent_pid(bench->harness));
        g_autofree char *text = NULL;
        const char *line;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return 0;
        line = strstr(text, "\nPss:");
        return line ? strtod(line + strlen("\nPss:"), NULL) : 0;
}

static void die_with_bench(void *data)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static bool has_echo(void *data)
{
        return sd_bus_call_method(client_get_bus(data), "org.virtbus.Echo", "/", "org.virtbus.Echo", "Answer",
                                  NULL, NULL, NULL) >= 0;
}

static void start_echo(struct bench *bench)
{
        const char *argv[] = { g_getenv("VIRTBUS_BENCH_ECHO"), NULL };
        g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "DBUS_SESSION_BUS_ADDRESS",
                                                     harness_get_address(bench->harness), TRUE);
        g_autoptr(GError) error = NULL;

        /* A direct child, which is what the signal at its parent's death needs; harness_main() ends it. */
        if (!g_spawn_async(NULL, (char **)argv, environment, G_SPAWN_DO_NOT_REAP_CHILD, die_with_bench, NULL,
                           &bench->echo, &error))
                ck_abort_msg("%s", error->message);
        harness_wait_until(has_echo, bench->client, "the echo service answers");
}

/* The parts asked for, by their names; all when it is empty. */
static const char *const *wanted;

static bool is_wanted(const char *name)
{
        return !*wanted || g_strv_contains(wanted, name);
}

/* Where hosts have /run: in memory. */
static char runtime_dir[] = "/dev/shm/virtbus-bench-XXXXXX";
static bool has_runtime_dir;

static struct harness *start_agent(void)
{
        struct harness *harness = harness_new_bus();

        if (has_runtime_dir) {
                harness_add_option(harness, "--runtime-dir");
                harness_add_option(harness, runtime_dir);
        } else {
                bench_print_note("no /dev/shm", "what runs is noted on a disk");
        }
        harness_start_agent(harness);
        return harness;
}

static void remove_runtime_dir(void)
{
        const char *argv[] = { "rm", "-rf", runtime_dir, NULL };

        if (has_runtime_dir)
                g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                             NULL);
}

/* A case of libcheck, because that is what the harness lives in. */
START_TEST(run_parts)
{
        struct bench bench = { .harness = start_agent() };

        bench.client = harness_get_client(bench.harness);
        start_echo(&bench);
        printf("\n%-46s %10s %10s %-3s %7s  %s\n", "", "virtbusd", "limit", "", "ratio", "goal");
        for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
                if (is_wanted(parts[i].name))
                        parts[i].run(&bench);
        printf("\n");
        harness_free(bench.harness);
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite = suite_create("bench");
        TCase *tcase = tcase_create("bench");
        int status;

        wanted = (const char *const *)argv + 1;
        tcase_set_timeout(tcase, 0);
        tcase_add_test(tcase, run_parts);
        suite_add_tcase(suite, tcase);
        has_runtime_dir = g_mkdtemp(runtime_dir) != NULL;
        status = harness_main(suite);
        remove_runtime_dir();
        return status;
}
