/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <cpuset>, <vcpupin>, <emulatorpin>, <iothreadpin>; <vcpusched>, <iothreadsched>, <emulatorsched>. No state.
 */
#include "drivers/qemu/affinity.h"

#include "base/error.h"
#include "drivers/domain/cpuset.h"
#include "drivers/qemu/shares.h"
#include "drivers/qemu/tuning.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

const struct domain_cpuset *affinity_get_process(const struct domain_def *def)
{
        return def->emulator_pin.words ? &def->emulator_pin : &def->cpuset;
}

bool affinity_has_threads(const struct domain_def *def)
{
        const struct domain_cputune *tune = &def->cputune;

        return def->n_vcpu_pins > 0 || def->n_iothread_pins > 0 || def->emulator_pin.words ||
               tune->n_vcpu_schedulers > 0 || tune->n_iothread_schedulers > 0 ||
               tune->emulator_scheduler.policy || tuning_has_threads(def) || tuning_has_vcpu_nodes(def) ||
               shares_are_wanted(def);
}

static const struct domain_cpuset *find_pin(const struct domain_pin *pins, unsigned count, uint32_t id)
{
        for (unsigned i = 0; i < count; i++) {
                if (pins[i].id == id)
                        return &pins[i].cpus;
        }
        return NULL;
}

char *affinity_get_host_cpus(void)
{
        char *there = NULL;

        if (!g_file_get_contents("/sys/devices/system/cpu/online", &there, NULL, NULL))
                return g_strdup("others");
        return g_strchomp(there);
}

/* EINVAL: none of them is a CPU of the host that the agent may use. */
static bool set_pin_error(const struct guest *guest, const struct domain_cpuset *cpus, int errnum,
                          GError **error)
{
        g_autofree char *wanted = cpus && cpus->words ? domain_cpuset_format(cpus) : g_strdup("all");
        g_autofree char *there = affinity_get_host_cpus();

        return error_set_errno(error, ERROR_FROM_QEMU, errnum,
                               "cannot pin a thread of %s to the host CPUs %s (the host has %s)", guest->who,
                               wanted, there);
}

static bool pin(struct guest *guest, pid_t thread, const struct domain_cpuset *cpus, GError **error)
{
        uint64_t all[DOMAIN_CPU_NUMBER_MAX / 64];
        const uint64_t *words = all;
        size_t size = sizeof(all);

        memset(all, 0xff, sizeof(all));
        if (cpus && cpus->words) {
                words = cpus->words;
                size = cpus->n_words * sizeof(uint64_t);
        }
        /* A thread that has just ended needs no CPU. */
        if (sched_setaffinity(thread, size, (const cpu_set_t *)(const void *)words) == 0 || errno == ESRCH)
                return true;
        return set_pin_error(guest, cpus, errno, error);
}

/* ---- scheduling ---- */

static const struct domain_scheduler *find_scheduler(const struct domain_scheduler *list, unsigned count,
                                                     uint32_t id)
{
        for (unsigned i = 0; i < count; i++) {
                if (domain_cpuset_has(&list[i].ids, id))
                        return &list[i];
        }
        return NULL;
}

static int get_policy(const char *name)
{
        if (strcmp(name, "batch") == 0)
                return SCHED_BATCH;
        if (strcmp(name, "idle") == 0)
                return SCHED_IDLE;
        return strcmp(name, "fifo") == 0 ? SCHED_FIFO : SCHED_RR;
}

/* scheduler NULL: as it is. */
static bool schedule(const struct guest *guest, pid_t thread, const char *what,
                     const struct domain_scheduler *scheduler, GError **error)
{
        int policy = scheduler ? get_policy(scheduler->policy) : 0;
        bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
        const struct sched_param param = { .sched_priority = real_time ? scheduler->priority : 0 };

        if (!scheduler || sched_setscheduler(thread, policy, &param) == 0)
                return true;
        return error_set_errno(error, ERROR_FROM_QEMU, errno,
                               "cannot give %s of %s the scheduler '%s' with priority %d (<cputune>)", what,
                               guest->who, scheduler->policy, param.sched_priority);
}

/* ---- threads ---- */

/* The emulator says which threads are its own: only those of its process are believed. */
static pid_t get_thread(const struct guest *guest, const json_t *entry)
{
        json_int_t thread = json_integer_value(json_object_get(entry, "thread-id"));
        g_autofree char *path =
                g_strdup_printf("/proc/%d/task/%lld", (int)guest->emulator.pid, (long long)thread);

        return thread > 1 && thread < INT32_MAX && g_file_test(path, G_FILE_TEST_IS_DIR) ? (pid_t)thread : 0;
}

/* What of a thread is to be as the definition says. */
enum {
        PINS = 1,
        LIMITS = 2,
        SCHEDULERS = 4,
        SHARES = 8, /* of caches and memory bandwidth */
        ALL = PINS | LIMITS | SCHEDULERS | SHARES,
        RUNS = 16, /* limits may have been others */
};

static bool settle_vcpu(struct guest *guest, const struct domain_def *def, unsigned what, uint32_t id,
                        pid_t thread, GError **error)
{
        const struct domain_cputune *tune = &def->cputune;
        const struct domain_cpuset *cpus = find_pin(def->vcpu_pins, def->n_vcpu_pins, id);

        return (!(what & LIMITS) || (!(what & RUNS) && !tuning_has_threads(def)) ||
                tuning_limit_thread(guest, def, DOMAIN_QUOTA_VCPU, id, thread, what & RUNS, error)) &&
               ((what & (LIMITS | RUNS)) != LIMITS ||
                tuning_limit_vcpu_nodes(guest, def, id, thread, error)) &&
               (!(what & PINS) || pin(guest, thread, cpus ? cpus : &def->cpuset, error)) &&
               (!(what & SHARES) || shares_add_vcpu(guest, def, id, thread, error)) &&
               (!(what & SCHEDULERS) ||
                schedule(guest, thread, "a vCPU",
                         find_scheduler(tune->vcpu_schedulers, tune->n_vcpu_schedulers, id), error));
}

static bool settle_vcpus(struct guest *guest, const struct domain_def *def, unsigned what, const json_t *list,
                         GError **error)
{
        const json_t *entry;
        size_t i;

        json_array_foreach(list, i, entry)
        {
                json_int_t index = json_integer_value(json_object_get(entry, "cpu-index"));
                pid_t thread = get_thread(guest, entry);

                if (thread && !settle_vcpu(guest, def, what, (uint32_t)index, thread, error))
                        return false;
        }
        return true;
}

static bool settle_iothread(struct guest *guest, const struct domain_def *def, unsigned what, uint32_t id,
                            pid_t thread, GError **error)
{
        const struct domain_cputune *tune = &def->cputune;
        const struct domain_cpuset *cpus = find_pin(def->iothread_pins, def->n_iothread_pins, id);

        return (!(what & LIMITS) || (!(what & RUNS) && !tuning_has_threads(def)) ||
                tuning_limit_thread(guest, def, DOMAIN_QUOTA_IOTHREAD, id, thread, what & RUNS, error)) &&
               (!(what & PINS) || pin(guest, thread, cpus ? cpus : affinity_get_process(def), error)) &&
               (!(what & SCHEDULERS) ||
                schedule(guest, thread, "an I/O thread",
                         find_scheduler(tune->iothread_schedulers, tune->n_iothread_schedulers, id), error));
}

/* The number of an I/O thread of the definition ("iothread2"); 0: it is none. */
static uint32_t get_iothread(const json_t *entry)
{
        const char *name = json_string_value(json_object_get(entry, "id"));

        return name && g_str_has_prefix(name, "iothread")
                       ? (uint32_t)g_ascii_strtoull(name + strlen("iothread"), NULL, 10)
                       : 0;
}

static bool settle_iothreads(struct guest *guest, const struct domain_def *def, unsigned what,
                             const json_t *list, GError **error)
{
        const json_t *entry;
        size_t i;

        json_array_foreach(list, i, entry)
        {
                uint32_t id = get_iothread(entry);
                pid_t thread = get_thread(guest, entry);

                if (id && thread && !settle_iothread(guest, def, what, id, thread, error))
                        return false;
        }
        return true;
}

static bool has_iothreads(const struct domain_def *def)
{
        return def->iothreads > 0 && (def->n_iothread_pins > 0 || def->cputune.n_iothread_schedulers > 0 ||
                                      tuning_has_threads(def));
}

bool affinity_pin_threads(struct guest *guest, const struct domain_def *def, GError **error)
{
        json_t *vcpus = NULL, *iothreads = NULL;
        const struct domain_cputune *tune = &def->cputune;
        const struct domain_scheduler *emulator =
                tune->emulator_scheduler.policy ? &tune->emulator_scheduler : NULL;
        bool ok;

        ok = qmp_execute(guest->qmp, "query-cpus-fast", NULL, QMP_TIMEOUT_MS, &vcpus, error) &&
             settle_vcpus(guest, def, ALL, vcpus, error);
        if (ok && has_iothreads(def))
                ok = qmp_execute(guest->qmp, "query-iothreads", NULL, QMP_TIMEOUT_MS, &iothreads, error) &&
                     settle_iothreads(guest, def, ALL, iothreads, error);
        json_decref(vcpus);
        json_decref(iothreads);
        return ok && tuning_limit_emulator(guest, def, error) &&
               schedule(guest, guest->emulator.pid, "the emulator", emulator, error);
}

/* ---- while the guest runs ---- */

static bool is_in(const json_t *list, pid_t thread)
{
        const json_t *entry;
        size_t i;

        json_array_foreach(list, i, entry)
        {
                if (json_integer_value(json_object_get(entry, "thread-id")) == thread)
                        return true;
        }
        return false;
}

/* All threads but those. */
static bool pin_emulator(struct guest *guest, const struct domain_def *def, const json_t *vcpus,
                         const json_t *iothreads, GError **error)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task", (int)guest->emulator.pid);
        g_autoptr(GDir) tasks = g_dir_open(path, 0, NULL);
        const char *name;

        while (tasks && (name = g_dir_read_name(tasks))) {
                pid_t thread = (pid_t)g_ascii_strtoll(name, NULL, 10);

                if (!is_in(vcpus, thread) && !is_in(iothreads, thread) &&
                    !pin(guest, thread, affinity_get_process(def), error))
                        return false;
        }
        return true;
}

static bool settle_all(struct guest *guest, const struct domain_def *def, unsigned what, GError **error)
{
        json_t *vcpus = NULL, *iothreads = NULL;
        bool ok;

        ok = qmp_execute(guest->qmp, "query-cpus-fast", NULL, QMP_TIMEOUT_MS, &vcpus, error) &&
             (def->iothreads == 0 ||
              qmp_execute(guest->qmp, "query-iothreads", NULL, QMP_TIMEOUT_MS, &iothreads, error)) &&
             settle_vcpus(guest, def, what, vcpus, error) &&
             settle_iothreads(guest, def, what, iothreads, error) &&
             (!(what & PINS) || pin_emulator(guest, def, vcpus, iothreads, error));
        json_decref(vcpus);
        json_decref(iothreads);
        return ok;
}

bool affinity_repin(struct guest *guest, const struct domain_def *def, GError **error)
{
        return settle_all(guest, def, PINS, error);
}

bool affinity_limit(struct guest *guest, const struct domain_def *def, GError **error)
{
        return settle_all(guest, def, LIMITS | RUNS, error);
}

bool affinity_settle_vcpu(struct guest *guest, const struct domain_def *def, unsigned id, GError **error)
{
        json_t *vcpus = NULL;
        const json_t *entry;
        size_t i;
        bool ok = true;

        if (!affinity_has_threads(def) && !def->cpuset.words)
                return true;
        if (!qmp_execute(guest->qmp, "query-cpus-fast", NULL, QMP_TIMEOUT_MS, &vcpus, error))
                return false;
        json_array_foreach(vcpus, i, entry)
        {
                pid_t thread = get_thread(guest, entry);

                if (thread && json_integer_value(json_object_get(entry, "cpu-index")) == id)
                        ok = settle_vcpu(guest, def, ALL, id, thread, error);
        }
        json_decref(vcpus);
        return ok;
}

bool affinity_settle_iothread(struct guest *guest, const struct domain_def *def, unsigned id, GError **error)
{
        json_t *iothreads = NULL;
        const json_t *entry;
        size_t i;
        bool ok = true;

        if (!affinity_has_threads(def) && !def->cpuset.words)
                return true;
        if (!qmp_execute(guest->qmp, "query-iothreads", NULL, QMP_TIMEOUT_MS, &iothreads, error))
                return false;
        json_array_foreach(iothreads, i, entry)
        {
                pid_t thread = get_thread(guest, entry);

                if (thread && get_iothread(entry) == id)
                        ok = settle_iothread(guest, def, ALL, id, thread, error);
        }
        json_decref(iothreads);
        return ok;
}
