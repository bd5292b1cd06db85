/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The statistics of a thousand domains, some of them running, against the echo of the reply and what the
 * kernel takes to tell of those that run; the same with ten of them stopped; the memory. What the emulators
 * themselves take is measured beside it, through monitors of their own: the same questions, all at once.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

#define DOMAINS 1000
#define RUNNING 40 /* VIRTBUS_BENCH_GUESTS says otherwise: 400 need some 20 GiB */
#define HUNG    10
#define ROUNDS  20
#define CALLS   (ROUNDS + ROUNDS / 10 + 1) /* of bench_compare() */

#define DISK_BYTES 65536

static const struct bench_call get_all = {
        QEMU_PATH, CONNECT_INTERFACE, "GetAllDomainStats", "uu", NULL, NULL
};

static unsigned count_running(void)
{
        const char *text = g_getenv("VIRTBUS_BENCH_GUESTS");
        unsigned count = text ? (unsigned)atoi(text) : RUNNING;

        return CLAMP(count, HUNG, DOMAINS);
}

/* One image for all, which nobody writes to. */
static char *make_disk(struct bench *bench)
{
        char *path = harness_path(bench->harness, "disk");
        g_autofree char *zeros = g_malloc0(DISK_BYTES);

        ck_assert(g_file_set_contents(path, zeros, DISK_BYTES, NULL));
        return path;
}

static char *make_xml(unsigned number, const char *monitor, const char *firmware, const char *disk)
{
        g_autofree char *name = g_strdup_printf("guest-%04u.", number);
        g_autofree char *devices =
                g_strdup_printf("<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
                                "<target dev='vda' bus='virtio'/><readonly/></disk>"
                                "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
                                "<interface type='user'><model type='virtio'/></interface>",
                                disk);

        return bench_halted_xml(guest_bare_xml(name, devices), firmware, monitor);
}

static char *get_monitor(struct bench *bench, unsigned number)
{
        g_autofree char *name = g_strdup_printf("m%u", number);

        return harness_path(bench->harness, name);
}

static void read_file(const char *dir, const char *name)
{
        g_autofree char *path = g_build_filename(dir ? dir : "/", name, NULL);
        char text[4096];
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return;
        ck_assert_int_ge(read(fd, text, sizeof(text)), 0);
        close(fd);
}

/* The files of one guest: its process, and each of its threads. */
static void read_guest(pid_t pid)
{
        g_autofree char *dir = g_strdup_printf("/proc/%d", pid), *tasks = g_strconcat(dir, "/task", NULL);
        g_autoptr(GDir) list = g_dir_open(tasks, 0, NULL);
        const char *thread;

        read_file(dir, "stat");
        while (list && (thread = g_dir_read_name(list))) {
                g_autofree char *task = g_strconcat(tasks, "/", thread, NULL);

                read_file(task, "stat");
        }
        read_file(dir, "schedstat");
        read_file(dir, "sched");
}

/* And the image of each guest that is off. */
static double measure_files_us(const pid_t *pids, unsigned count, const char *disk)
{
        int64_t ns[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                ns[i] = bench_now_ns();
                for (unsigned j = 0; j < count; j++)
                        read_guest(pids[j]);
                for (unsigned j = count; j < DOMAINS; j++)
                        read_file(NULL, disk);
                read_file("/proc/net", "dev");
                ns[i] = bench_now_ns() - ns[i];
        }
        return bench_median(ns, ROUNDS) / 1000;
}

/* What the agent has had of the CPUs. */
static double read_agent_ms(struct bench *bench)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/stat", harness_get_agent_pid(bench->harness));
        g_autofree char *text = NULL;
        unsigned long user, system;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        ck_assert_int_eq(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                &user, &system),
                         2);
        return (user + system) * 1e3 / sysconf(_SC_CLK_TCK);
}

/* ---- the emulators by themselves ---- */

/*
 * What the agent asks them for all groups: one command a line, the last ones of guests of KVM. The rate is
 * asked for because they have a monitor of their own.
 */
static const char questions[] = "{\"execute\":\"query-blockstats\"}\n"
                                "{\"execute\":\"query-named-block-nodes\",\"arguments\":{\"flat\":true}}\n"
                                "{\"execute\":\"query-dirty-rate\"}\n";
static const char questions_of_kvm[] = "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\"}}\n"
                                       "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\"}}\n";

/* Asks all of them, and waits for all. */
static void ask_all(const int *fds, unsigned count, const char *text)
{
        g_autofree struct pollfd *polls = g_new0(struct pollfd, count);
        g_autofree unsigned *open = g_new(unsigned, count);
        unsigned left = count, answers = 0;

        for (const char *end = text; (end = strchr(end, '\n')); end++)
                answers++;
        for (unsigned i = 0; i < count; i++) {
                ck_assert_int_eq(write(fds[i], text, strlen(text)), (ssize_t)strlen(text));
                polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
                open[i] = answers;
        }
        while (left > 0) {
                ck_assert_int_gt(poll(polls, count, 60000), 0);
                for (unsigned i = 0; i < count; i++) {
                        unsigned came;

                        if (!(polls[i].revents & POLLIN))
                                continue;
                        came = bench_count_answers(fds[i]);
                        open[i] -= MIN(open[i], came);
                        if (open[i] > 0)
                                continue;
                        polls[i].fd = -1;
                        left--;
                }
        }
}

/* The time from the first question to the last answer. */
static double measure_monitors_us(struct bench *bench, unsigned count)
{
        bool is_kvm = strcmp(guest_get_type(), "kvm") == 0;
        g_autofree char *text = g_strconcat(questions, is_kvm ? questions_of_kvm : "", NULL);
        g_autofree int *fds = g_new(int, count);
        int64_t ns[ROUNDS];

        for (unsigned i = 0; i < count; i++) {
                g_autofree char *path = get_monitor(bench, i);

                fds[i] = bench_connect_monitor(path);
        }
        for (unsigned i = 0; i < ROUNDS; i++) {
                ns[i] = bench_now_ns();
                ask_all(fds, count, text);
                ns[i] = bench_now_ns() - ns[i];
        }
        for (unsigned i = 0; i < count; i++)
                close(fds[i]);
        return bench_median(ns, ROUNDS) / 1000;
}

/* How many of a call's records say that they are older than it. */
static unsigned count_old(struct bench *bench)
{
        int64_t ns = 0;
        g_autoptr(sd_bus_message) reply = bench_time_call(bench->client, "org.libvirt", &get_all, &ns);
        const char *domain, *name;
        unsigned count = 0;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(sa{sv})"), 0);
        while (sd_bus_message_enter_container(reply, 'r', "sa{sv}") > 0) {
                bool old = false;

                sd_bus_message_read(reply, "s", &domain);
                sd_bus_message_enter_container(reply, 'a', "{sv}");
                while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                        sd_bus_message_read(reply, "s", &name);
                        sd_bus_message_skip(reply, "v");
                        sd_bus_message_exit_container(reply);
                        old |= g_str_has_suffix(name, ".age");
                }
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
                count += old;
        }
        return count;
}

static void measure_hung(struct bench *bench, const pid_t *pids)
{
        int64_t first = 0, next = 0;

        for (unsigned i = 0; i < HUNG; i++)
                kill(pids[i], SIGSTOP);
        sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &get_all, &first));
        bench_print_value("the same when 10 have just been stopped", first / 1e6, "ms", 250);
        g_usleep(300000);
        sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &get_all, &next));
        bench_print_value("the same with 10 that are stopped", next / 1e6, "ms", 0);
        for (unsigned i = 0; i < HUNG; i++)
                kill(pids[i], SIGCONT);
}

void bench_stats(struct bench *bench)
{
        unsigned running = count_running();
        g_autofree pid_t *pids = g_new0(pid_t, running);
        g_autofree char *what = g_strdup_printf("statistics of 1,000 domains, %u running", running);
        g_autofree char *firmware = bench_make_firmware(bench), *disk = make_disk(bench);
        g_auto(GStrv) paths = g_new0(char *, DOMAINS + 1);
        double before_kib, agent_ms, ours_us, echo_us, files_us, monitors_us;

        for (unsigned i = 0; i < DOMAINS; i++) {
                g_autofree char *monitor = get_monitor(bench, i);

                paths[i] = guest_define(bench->client, make_xml(i, monitor, firmware, disk));
        }
        for (unsigned i = 0; i < running; i++) {
                g_autofree char *name = g_strdup_printf("guest-%04u.", i);

                client_do(bench->client, paths[i], DOMAIN_INTERFACE, "Create", "u", 0);
                pids[i] = harness_find_guest(bench->harness, name);
        }
        before_kib = bench_agent_kib(bench);
        agent_ms = read_agent_ms(bench);
        bench_compare(bench, &get_all, ROUNDS, &ours_us, &echo_us);
        agent_ms = (read_agent_ms(bench) - agent_ms) / CALLS;
        files_us = measure_files_us(pids, running, disk);
        monitors_us = measure_monitors_us(bench, running);
        bench_print(what, ours_us, echo_us + files_us, "us", 2.5);
        bench_print("the same, beside what the emulators take", ours_us, echo_us + files_us + monitors_us,
                    "us", 0);
        bench_print_value("of that: the echo", echo_us, "us", 0);
        bench_print_value("of that: the kernel's files", files_us, "us", 0);
        bench_print_value("of that: the emulators by themselves", monitors_us, "us", 0);
        bench_print_value("CPU time of the agent in a call", agent_ms, "ms", 0);
        bench_print_value("guests that answered too late for a call", count_old(bench), "", 0);
        /* What it gives back it gives back behind the answer. */
        g_usleep(500000);
        bench_print_value("memory that it leaves behind (Pss)", bench_agent_kib(bench) - before_kib, "KiB",
                          0);
        measure_hung(bench, pids);
        for (unsigned i = 0; i < DOMAINS; i++) {
                if (i < running)
                        client_do(bench->client, paths[i], DOMAIN_INTERFACE, "Destroy", "u", 0);
                client_do(bench->client, paths[i], DOMAIN_INTERFACE, "Undefine", "u", 0);
        }
}
