/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drivers/qemu/perf.h"

#include "base/error.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HARDWARE(config)                                                                                     \
        {                                                                                                    \
                PERF_TYPE_HARDWARE, PERF_COUNT_HW_##config                                                   \
        }
#define SOFTWARE(config)                                                                                     \
        {                                                                                                    \
                PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##config                                                   \
        }
#define NONE                                                                                                 \
        {                                                                                                    \
                PERF_TYPE_MAX, 0                                                                             \
        }

/* Kernels have counted the use of caches and memory in another way, without perf, since version 4.14. */
static const struct {
        uint32_t type;
        uint64_t config;
} kinds[DOMAIN_PERF_EVENTS] = {
        [DOMAIN_PERF_CMT] = NONE,
        [DOMAIN_PERF_MBMT] = NONE,
        [DOMAIN_PERF_MBML] = NONE,
        [DOMAIN_PERF_CPU_CYCLES] = HARDWARE(CPU_CYCLES),
        [DOMAIN_PERF_INSTRUCTIONS] = HARDWARE(INSTRUCTIONS),
        [DOMAIN_PERF_CACHE_REFERENCES] = HARDWARE(CACHE_REFERENCES),
        [DOMAIN_PERF_CACHE_MISSES] = HARDWARE(CACHE_MISSES),
        [DOMAIN_PERF_BRANCH_INSTRUCTIONS] = HARDWARE(BRANCH_INSTRUCTIONS),
        [DOMAIN_PERF_BRANCH_MISSES] = HARDWARE(BRANCH_MISSES),
        [DOMAIN_PERF_BUS_CYCLES] = HARDWARE(BUS_CYCLES),
        [DOMAIN_PERF_STALLED_CYCLES_FRONTEND] = HARDWARE(STALLED_CYCLES_FRONTEND),
        [DOMAIN_PERF_STALLED_CYCLES_BACKEND] = HARDWARE(STALLED_CYCLES_BACKEND),
        [DOMAIN_PERF_REF_CPU_CYCLES] = HARDWARE(REF_CPU_CYCLES),
        [DOMAIN_PERF_CPU_CLOCK] = SOFTWARE(CPU_CLOCK),
        [DOMAIN_PERF_TASK_CLOCK] = SOFTWARE(TASK_CLOCK),
        [DOMAIN_PERF_PAGE_FAULTS] = SOFTWARE(PAGE_FAULTS),
        [DOMAIN_PERF_CONTEXT_SWITCHES] = SOFTWARE(CONTEXT_SWITCHES),
        [DOMAIN_PERF_CPU_MIGRATIONS] = SOFTWARE(CPU_MIGRATIONS),
        [DOMAIN_PERF_PAGE_FAULTS_MIN] = SOFTWARE(PAGE_FAULTS_MIN),
        [DOMAIN_PERF_PAGE_FAULTS_MAJ] = SOFTWARE(PAGE_FAULTS_MAJ),
        [DOMAIN_PERF_ALIGNMENT_FAULTS] = SOFTWARE(ALIGNMENT_FAULTS),
        [DOMAIN_PERF_EMULATION_FAULTS] = SOFTWARE(EMULATION_FAULTS),
};

void perf_counter_clear(void *counter)
{
        close(((struct perf_counter *)counter)->fd);
}

static int open_counter(unsigned event, pid_t thread)
{
        struct perf_event_attr attr = {
                .type = kinds[event].type,
                .size = sizeof(attr),
                .config = kinds[event].config,
                .inherit = 1,
        };

        return (int)syscall(SYS_perf_event_open, &attr, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static bool add(struct guest *guest, unsigned event, GError **error)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)guest->emulator.pid);
        g_autoptr(GDir) tasks = g_dir_open(path, 0, NULL);
        const char *name;

        if (kinds[event].type == PERF_TYPE_MAX)
                return error_set(error, ERROR_FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                                 "the kernel of this host does not count '%s' (<perf>)",
                                 domain_perf_names[event]);
        while (tasks && (name = g_dir_read_name(tasks))) {
                struct perf_counter counter = { event,
                                                open_counter(event, (pid_t)g_ascii_strtoll(name, NULL, 10)) };

                if (counter.fd >= 0)
                        g_array_append_val(guest->perf, counter);
                else if (errno == ENOENT || errno == EOPNOTSUPP || errno == ENODEV || errno == ENOSYS)
                        return error_set(error, ERROR_FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                                         "this host does not count '%s' (<perf>): %s",
                                         domain_perf_names[event], g_strerror(errno));
                else if (errno != ESRCH)
                        return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot count '%s' for %s",
                                               domain_perf_names[event], guest->who);
        }
        return true;
}

static void keep(struct guest *guest, uint32_t events)
{
        for (unsigned i = guest->perf->len; i-- > 0;) {
                if (!(events >> g_array_index(guest->perf, struct perf_counter, i).event & 1))
                        g_array_remove_index_fast(guest->perf, i);
        }
        guest->perf_events = events;
}

bool perf_set(struct guest *guest, uint32_t events, GError **error)
{
        for (unsigned event = 0; event < DOMAIN_PERF_EVENTS; event++) {
                if ((events & ~guest->perf_events) >> event & 1 && !add(guest, event, error)) {
                        keep(guest, guest->perf_events);
                        return false;
                }
        }
        keep(guest, events);
        return true;
}

uint32_t perf_read(const struct guest *guest, uint64_t values[DOMAIN_PERF_EVENTS])
{
        for (unsigned i = 0; i < guest->perf->len; i++) {
                const struct perf_counter *counter = &g_array_index(guest->perf, struct perf_counter, i);
                uint64_t value = 0;

                if (read(counter->fd, &value, sizeof(value)) == sizeof(value))
                        values[counter->event] += value;
        }
        return guest->perf_events;
}
