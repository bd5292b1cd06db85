/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The statistics of a thousand domains, some of them running, against the echo of the reply and what the
 * kernel takes to tell of those that run; the same with ten of them stopped; the memory.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

#define DOMAINS 1000
#define RUNNING 40 /* VIRTBUS_BENCH_GUESTS says otherwise: 400 need some 20 GiB */
#define HUNG    10
#define ROUNDS  20

static const struct bench_call get_all = {
        QEMU_PATH, CONNECT_INTERFACE, "GetAllDomainStats", "uu", NULL, NULL
};

static unsigned count_running(void)
{
        const char *text = g_getenv("VIRTBUS_BENCH_GUESTS");
        unsigned count = text ? (unsigned)atoi(text) : RUNNING;

        return CLAMP(count, HUNG, DOMAINS);
}

static char *make_xml(unsigned number)
{
        g_autofree char *name = g_strdup_printf("guest-%04u.", number);

        return guest_bare_xml(name, "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
                                    "<interface type='user'><model type='virtio'/></interface>");
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
        double before_kib, ours_us, echo_us;

        for (unsigned i = 0; i < DOMAINS; i++)
                paths[i] = guest_define(bench->client, make_xml(i));
        for (unsigned i = 0; i < running; i++) {
                g_autofree char *name = g_strdup_printf("guest-%04u.", i);

                client_do(bench->client, paths[i], DOMAIN_INTERFACE, "Create", "u", 0);
                pids[i] = harness_find_guest(bench->harness, name);
        }
        before_kib = bench_agent_kib(bench);
        bench_compare(bench, &get_all, ROUNDS, &ours_us, &echo_us);
        bench_print(what, ours_us, echo_us + measure_files_us(pids, running), "us", 2.5);
        bench_print_value("memory that it leaves behind (Pss)", bench_agent_kib(bench) - before_kib, "KiB",
                          0);
        measure_hung(bench, pids);
        for (unsigned i = 0; i < DOMAINS; i++) {
                if (i < running)
                        client_do(bench->client, paths[i], DOMAIN_INTERFACE, "Destroy", "u", 0);
                client_do(bench->client, paths[i], DOMAIN_INTERFACE, "Undefine", "u", 0);
        }
}
