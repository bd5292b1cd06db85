/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The statistics of a thousand domains, some of them running, against the echo of the reply and what the
 * kernel takes to tell of those that run; the same with ten of them stopped; the memory. What the emulators
 * themselves take is measured beside it, through monitors of their own: the same questions, all at once.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

#define DOMAINS 1000
#define RUNNING 40 /* VIRTBUS_BENCH_GUESTS says otherwise: 400 need some 20 GiB */
#define HUNG    10
#define ROUNDS  20

/* Firmware that finds nothing to boot is busy on some hosts; what is asked is the emulator. */
#define START_PAUSED 1

static const struct bench_call get_all = {
        QEMU_PATH, CONNECT_INTERFACE, "GetAllDomainStats", "uu", NULL, NULL
};

static unsigned count_running(void)
{
        const char *text = g_getenv("VIRTBUS_BENCH_GUESTS");
        unsigned count = text ? (unsigned)atoi(text) : RUNNING;

        return CLAMP(count, HUNG, DOMAINS);
}

/* With a monitor for us, beside the agent's. */
static char *make_xml(unsigned number, const char *monitor)
{
        g_autofree char *name = g_strdup_printf("guest-%04u.", number);
        g_autofree char *bare =
                guest_bare_xml(name, "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
                                     "<interface type='user'><model type='virtio'/></interface>");
        g_auto(GStrv) parts = g_strsplit(bare, "</domain>", 2);
        g_auto(GStrv) opened = g_strsplit(parts[0], "<domain ", 2);

        return g_strdup_printf("<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' %s"
                               "<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='unix:%s,server=on,"
                               "wait=off'/></qemu:commandline></domain>",
                               opened[1], monitor);
}

static char *get_monitor(struct bench *bench, unsigned number)
{
        g_autofree char *name = g_strdup_printf("m%u", number);

        return harness_path(bench->harness, name);
}

static void read_file(const char *dir, const char *name)
{
        g_autofree char *path = g_strconcat(dir, "/", name, NULL);
        char text[4096];
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return;
        if (read(fd, text, sizeof(text)) > 0)
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

static double measure_files_us(const pid_t *pids, unsigned count)
{
        int64_t ns[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                ns[i] = bench_now_ns();
                for (unsigned j = 0; j < count; j++)
                        read_guest(pids[j]);
                read_file("/proc/net", "dev");
                ns[i] = bench_now_ns() - ns[i];
        }
        return bench_median(ns, ROUNDS) / 1000;
}

/* ---- the emulators by themselves ---- */

/* What the agent asks them for all groups: one command a line, the last ones of guests of KVM. */
static const char questions[] = "{\"execute\":\"query-blockstats\"}\n"
                                "{\"execute\":\"query-named-block-nodes\",\"arguments\":{\"flat\":true}}\n"
                                "{\"execute\":\"query-dirty-rate\"}\n";
static const char questions_of_kvm[] = "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vm\"}}\n"
                                       "{\"execute\":\"query-stats\",\"arguments\":{\"target\":\"vcpu\"}}\n"
                                       "{\"execute\":\"query-cpus-fast\"}\n";

/* How many answers have come; events are none. */
static unsigned count_answers(int fd)
{
        static const char answer[] = "{\"return\":";
        char text[65536];
        ssize_t length = read(fd, text, sizeof(text) - 1);
        unsigned count = 0;

        ck_assert_int_gt(length, 0);
        text[length] = '\0';
        for (const char *at = text; (at = strstr(at, answer)); at += strlen(answer))
                count++;
        return count;
}

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
                        came = count_answers(fds[i]);
                        open[i] -= MIN(open[i], came);
                        if (open[i] > 0)
                                continue;
                        polls[i].fd = -1;
                        left--;
                }
        }
}

static int connect_monitor(struct bench *bench, unsigned number)
{
        g_autofree char *path = get_monitor(bench, number);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

/* The time from the first question to the last answer. */
static double measure_monitors_us(struct bench *bench, unsigned count)
{
        bool is_kvm = strcmp(guest_get_type(), "kvm") == 0;
        g_autofree char *text = g_strconcat(questions, is_kvm ? questions_of_kvm : "", NULL);
        g_autofree int *fds = g_new(int, count);
        int64_t ns[ROUNDS];

        for (unsigned i = 0; i < count; i++)
                fds[i] = connect_monitor(bench, i);
        ask_all(fds, count, "{\"execute\":\"qmp_capabilities\"}\n");
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
        g_auto(GStrv) paths = g_new0(char *, DOMAINS + 1);
        double before_kib, ours_us, echo_us, files_us, monitors_us;

        for (unsigned i = 0; i < DOMAINS; i++) {
                g_autofree char *monitor = get_monitor(bench, i);

                paths[i] = guest_define(bench->client, make_xml(i, monitor));
        }
        for (unsigned i = 0; i < running; i++) {
                g_autofree char *name = g_strdup_printf("guest-%04u.", i);

                client_do(bench->client, paths[i], DOMAIN_INTERFACE, "Create", "u", START_PAUSED);
                pids[i] = harness_find_guest(bench->harness, name);
        }
        before_kib = bench_agent_kib(bench);
        bench_compare(bench, &get_all, ROUNDS, &ours_us, &echo_us);
        files_us = measure_files_us(pids, running);
        monitors_us = measure_monitors_us(bench, running);
        bench_print(what, ours_us, echo_us + files_us, "us", 2.5);
        bench_print("the same, beside what the emulators take", ours_us, echo_us + files_us + monitors_us,
                    "us", 0);
        bench_print_value("of that: the echo", echo_us, "us", 0);
        bench_print_value("of that: the kernel's files", files_us, "us", 0);
        bench_print_value("of that: the emulators by themselves", monitors_us, "us", 0);
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
