/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /proc says of an emulator and its threads, which have names (debug-threads=on): "CPU 3/KVM" is that of
 * a vCPU. An emulator that names its threads otherwise only tells nonsense about itself. No state; any
 * thread.
 */
#include "drivers/cgroup/cgroup.h"
#include "drivers/host/host.h"
#include "drivers/qemu/guest-stats.h"
#include "drivers/qemu/shares.h"
#include "interfaces/counters.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

/* Threads of one process that are looked at. */
#define THREADS_MAX 16384
/* As many CPUs as kernels are built for. */
#define CPUS_MAX 8192

/* A small file of /proc; false when there is none. */
static bool read_file(int dir, const char *name, char *text, size_t size)
{
        CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);

        if (length < 0)
                return false;
        text[length] = '\0';
        return true;
}

struct proc_stat {
        uint64_t user_ns, system_ns;
        uint64_t rss_pages;
        int cpu;
};

/* proc_pid_stat(5), behind the name, which may have anything in it. */
static bool parse_stat(const char *text, struct proc_stat *stat)
{
        uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
        const char *tail = strrchr(text, ')');
        uint64_t user, system;

        if (!tail || sscanf(tail + 1,
                            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                            " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNu64
                            " %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d",
                            &user, &system, &stat->rss_pages, &stat->cpu) != 4)
                return false;
        stat->user_ns = user * tick_ns;
        stat->system_ns = system * tick_ns;
        return true;
}

static void measure_process(int dir, struct domain_measure *measure)
{
        struct proc_stat stat;
        char text[1024];

        if (!read_file(dir, "stat", text, sizeof(text)) || !parse_stat(text, &stat))
                return;
        measure->has_process = true;
        measure->user_ns = stat.user_ns;
        measure->system_ns = stat.system_ns;
        measure->cpu_ns = stat.user_ns + stat.system_ns;
        measure->rss_kib = stat.rss_pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* "123 (CPU 3/KVM) S ..." */
static bool parse_vcpu_name(const char *text, unsigned *number)
{
        const char *name = strchr(text, '(');
        char slash;

        return name && sscanf(name, "(CPU %u%c", number, &slash) == 2 && slash == '/';
}

/* "se.statistics.wait_sum : 12.345678", ms; older and newer kernels have another name for it. */
static bool parse_wait(const char *text, uint64_t *wait_ns)
{
        const char *at = strstr(text, "wait_sum");
        const char *colon = at ? strchr(at, ':') : NULL;
        uint64_t ms, fraction;
        int before = 0, after = 0;

        if (!colon || sscanf(colon + 1, " %" SCNu64 ".%n%" SCNu64 "%n", &ms, &before, &fraction, &after) != 2)
                return false;
        for (int digits = after - before; digits < 6; digits++)
                fraction *= 10;
        *wait_ns = ms * 1000000 + fraction;
        return true;
}

static void measure_affinity(pid_t thread, struct domain_vcpu_stats *vcpu)
{
        long count = sysconf(_SC_NPROCESSORS_CONF);
        cpu_set_t *set;

        if (count <= 0)
                return;
        vcpu->n_cpus = (unsigned)count;
        vcpu->may_use = g_new0(bool, vcpu->n_cpus);
        set = CPU_ALLOC(CPUS_MAX);
        if (sched_getaffinity(thread, CPU_ALLOC_SIZE(CPUS_MAX), set) == 0) {
                for (unsigned i = 0; i < vcpu->n_cpus && i < CPUS_MAX; i++)
                        vcpu->may_use[i] = CPU_ISSET_S(i, CPU_ALLOC_SIZE(CPUS_MAX), set);
        }
        CPU_FREE(set);
}

static void measure_waits(int tasks, const char *thread, struct domain_vcpu_stats *vcpu)
{
        char path[64], text[4096];

        g_snprintf(path, sizeof(path), "%s/schedstat", thread);
        vcpu->has_delay = read_file(tasks, path, text, sizeof(text)) &&
                          sscanf(text, "%*u %" SCNu64, &vcpu->delay_ns) == 1;
        g_snprintf(path, sizeof(path), "%s/sched", thread);
        vcpu->has_wait = read_file(tasks, path, text, sizeof(text)) && parse_wait(text, &vcpu->wait_ns);
}

static void measure_vcpu(int tasks, const char *thread, struct domain_measure *measure)
{
        struct domain_vcpu_stats vcpu = { 0 };
        struct proc_stat stat;
        char path[64], text[1024];

        g_snprintf(path, sizeof(path), "%s/stat", thread);
        if (!read_file(tasks, path, text, sizeof(text)) || !parse_vcpu_name(text, &vcpu.number) ||
            !parse_stat(text, &stat))
                return;
        vcpu.time_ns = stat.user_ns + stat.system_ns;
        vcpu.cpu = stat.cpu;
        if (measure->parts & DOMAIN_MEASURE_AFFINITY)
                measure_affinity((pid_t)g_ascii_strtoll(thread, NULL, 10), &vcpu);
        if (measure->parts & DOMAIN_MEASURE_WAITS)
                measure_waits(tasks, thread, &vcpu);
        g_array_append_val(measure->vcpus, vcpu);
}

static int compare_vcpus(const void *a, const void *b)
{
        const struct domain_vcpu_stats *left = a, *right = b;

        return (left->number > right->number) - (left->number < right->number);
}

static void measure_vcpus(int dir, const struct domain_def *def, struct domain_measure *measure)
{
        int tasks = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *list = tasks < 0 ? NULL : fdopendir(tasks);
        const struct dirent *entry;
        unsigned threads = 0;

        measure->vcpus = g_array_new(FALSE, FALSE, sizeof(struct domain_vcpu_stats));
        g_array_set_clear_func(measure->vcpus, domain_vcpu_stats_clear);
        if (!list) {
                if (tasks >= 0)
                        close(tasks);
                return;
        }
        while (threads++ < THREADS_MAX && measure->vcpus->len < def->max_vcpus && (entry = readdir(list))) {
                if (g_ascii_isdigit(*entry->d_name))
                        measure_vcpu(tasks, entry->d_name, measure);
        }
        closedir(list);
        g_array_sort(measure->vcpus, compare_vcpus);
}

/* What a tap sends is what its guest receives; a macvtap counts as its guest does. */
static void measure_interface(const struct domain_interface *interface, const struct link_counters *links,
                              struct domain_interface_stats *stats)
{
        const struct link_count *count =
                interface->target ? link_counters_find(links, interface->target) : NULL;

        if (!count)
                return;
        stats->known = true;
        if (interface->type == DOMAIN_INTERFACE_DIRECT) {
                *stats = (struct domain_interface_stats){
                        true,
                        count->rx_bytes,
                        count->rx_packets,
                        count->rx_errors,
                        count->rx_dropped,
                        count->tx_bytes,
                        count->tx_packets,
                        count->tx_errors,
                        count->tx_dropped,
                };
                return;
        }
        *stats = (struct domain_interface_stats){
                true,
                count->tx_bytes,
                count->tx_packets,
                count->tx_errors,
                count->tx_dropped,
                count->rx_bytes,
                count->rx_packets,
                count->rx_errors,
                count->rx_dropped,
        };
}

static void measure_interfaces(const struct domain_def *def, struct domain_measure *measure)
{
        measure->interfaces = g_array_new(FALSE, TRUE, sizeof(struct domain_interface_stats));
        g_array_set_size(measure->interfaces, def->devices.n_interfaces);
        for (unsigned i = 0; measure->links && i < def->devices.n_interfaces; i++)
                measure_interface(&def->devices.interfaces[i], measure->links,
                                  &g_array_index(measure->interfaces, struct domain_interface_stats, i));
}

/* ---- CPUs of the host ---- */

static struct domain_cpu_stats *get_cpu(const struct domain_measure *measure, unsigned number)
{
        return &g_array_index(measure->cpus, struct domain_cpu_stats, number);
}

/* vCPUs have groups of their own once one of them has had limits of its own: all of them, or none. */
static void measure_cpus_of_vcpus(const struct cgroup *group, const struct domain_def *def,
                                  struct domain_measure *measure)
{
        for (unsigned vcpu = 0; vcpu < def->max_vcpus; vcpu++) {
                g_autofree char *threads = g_strdup_printf("vcpu%u", vcpu);
                bool is_there = domain_vcpu_is_enabled(def, vcpu);
                g_autoptr(GArray) one = is_there ? cgroup_read_cpus(group, threads) : NULL;

                if (!is_there)
                        continue;
                if (!one)
                        return;
                for (unsigned i = 0; i < MIN(measure->cpus->len, one->len); i++)
                        get_cpu(measure, i)->vcpu_ns += g_array_index(one, uint64_t, i);
        }
        for (unsigned i = 0; i < measure->cpus->len; i++)
                get_cpu(measure, i)->has_vcpus = true;
}

static void measure_cpus(const struct domain_state *state, struct domain_measure *measure)
{
        CLEANUP(cgroup_free) struct cgroup *group = cgroup_find(state->pid);
        g_autoptr(GArray) all = group ? cgroup_read_cpus(group, NULL) : NULL;

        if (!all)
                return;
        measure->cpus = g_array_sized_new(FALSE, TRUE, sizeof(struct domain_cpu_stats), all->len);
        g_array_set_size(measure->cpus, all->len);
        for (unsigned i = 0; i < all->len; i++)
                get_cpu(measure, i)->cpu_ns = g_array_index(all, uint64_t, i);
        measure_cpus_of_vcpus(group, domain_state_get_def(state), measure);
}

void guest_measure(const struct domain_driver *driver, const struct domain_state *state,
                   struct domain_measure *measure)
{
        const struct domain_def *def = domain_state_get_def(state);
        char path[32];
        CLEANUP_FD int dir = -1;

        if (measure->parts & DOMAIN_MEASURE_INTERFACES)
                measure_interfaces(def, measure);
        if (measure->parts & DOMAIN_MEASURE_MONITORS && shares_are_wanted(def))
                shares_measure(host_get_root(driver->host), state, measure);
        if (state->pid && measure->parts & DOMAIN_MEASURE_CPUS)
                measure_cpus(state, measure);
        if (!state->pid || !(measure->parts & (DOMAIN_MEASURE_PROCESS | DOMAIN_MEASURE_VCPUS)))
                return;
        g_snprintf(path, sizeof(path), "/proc/%d", (int)state->pid);
        dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return;
        if (measure->parts & DOMAIN_MEASURE_PROCESS)
                measure_process(dir, measure);
        if (measure->parts & DOMAIN_MEASURE_VCPUS)
                measure_vcpus(dir, def, measure);
}
