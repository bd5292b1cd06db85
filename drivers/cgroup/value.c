/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits and counters of a guest's groups, by the names and in the units of either version of the kernel's
 * interface (Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst).
 */
#include "drivers/cgroup/cgroup-private.h"

#include "base/error.h"
#include "base/systemd.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Of a host, in one of its lists. */
#define CPUS_MAX 16384

/* ---- controllers ---- */

static const struct hierarchy *find(const struct cgroup *group, enum cgroup_controller controller)
{
        const struct hierarchy *unified = NULL;

        for (unsigned i = 0; group && i < group->hierarchies.count; i++) {
                const struct hierarchy *hierarchy = &group->hierarchies.list[i];

                if (hierarchy->controllers & 1U << controller)
                        return hierarchy;
                if (hierarchy->unified)
                        unified = hierarchy;
        }
        /* Counted without a controller. */
        return controller == CGROUP_CPUACCT ? unified : NULL;
}

/* Has everybody above passed it on? */
static bool is_enabled(const struct hierarchy *hierarchy, const struct cgroup *group,
                       enum cgroup_controller controller)
{
        const char *name = controller_get_name(controller, hierarchy->unified);
        g_autofree char *directory = NULL, *file = NULL, *text = NULL;
        g_auto(GStrv) words = NULL;

        if (!hierarchy->unified || !name)
                return true;
        directory = hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), NULL);
        file = g_build_filename(directory, "cgroup.controllers", NULL);
        if (!g_file_get_contents(file, &text, NULL, NULL))
                return false;
        words = g_strsplit(g_strchomp(text), " ", -1);
        return g_strv_contains((const char *const *)words, name);
}

bool cgroup_has(const struct cgroup *group, enum cgroup_controller controller)
{
        const struct hierarchy *hierarchy = find(group, controller);

        return hierarchy && is_enabled(hierarchy, group, controller);
}

bool cgroup_is_unified(const struct cgroup *group, enum cgroup_controller controller)
{
        const struct hierarchy *hierarchy = find(group, controller);

        return hierarchy && hierarchy->unified;
}

bool cgroup_require(const struct cgroup *group, enum cgroup_controller controller, const char *what,
                    GError **error)
{
        if (cgroup_has(group, controller))
                return true;
        return error_set(error, ERROR_FROM_CGROUP, ERROR_CONFIG_UNSUPPORTED,
                         "%s needs the control group controller '%s', which %s", what,
                         controller_get_name(controller, false),
                         group ? "the guest's control group does not have"
                               : "guests do not have on this host");
}

/* ---- files ---- */

static bool write_value(const struct cgroup *group, enum cgroup_controller controller, const char *threads,
                        const char *file, const char *text, GError **error)
{
        g_autofree char *directory = NULL;

        if (!cgroup_require(group, controller, file, error))
                return false;
        directory = hierarchy_path(find(group, controller), group->path, cgroup_get_inner(group), threads);
        if (cgroup_write_file(directory, file, text))
                return true;
        return error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot write '%s' to '%s/%s'", text,
                               directory, file);
}

static bool write_number(const struct cgroup *group, enum cgroup_controller controller, const char *threads,
                         const char *file, uint64_t value, GError **error)
{
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

        return write_value(group, controller, threads, file, text, error);
}

static bool has_file(const struct cgroup *group, enum cgroup_controller controller, const char *file)
{
        const struct hierarchy *hierarchy = find(group, controller);
        g_autofree char *directory = NULL, *path = NULL;

        if (!hierarchy)
                return false;
        directory = hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), NULL);
        path = g_build_filename(directory, file, NULL);
        return access(path, F_OK) == 0;
}

/* ---- cpu ---- */

/*
 * A weight is against the others of the slice, so it is the scope's. Systemd writes what it knows of a unit
 * again when it likes, so it has to be told; a scope of version 1 it has given to us, and what it writes
 * there is what we say.
 */
static bool set_weight(struct lane *lane, const struct cgroup *group, const char *property, uint64_t weight,
                       GError **error)
{
        return systemd_set_property(lane, geteuid() == 0 ? SYSTEMD_HOST : SYSTEMD_USER, group->unit, property,
                                    weight, error);
}

bool cgroup_set_cpu_weight(struct lane *lane, const struct cgroup *group, uint64_t weight, GError **error)
{
        bool unified = cgroup_is_unified(group, CGROUP_CPU);

        if (!cgroup_require(group, CGROUP_CPU, unified ? "cpu.weight" : "cpu.shares", error))
                return false;
        if (group->unit)
                return set_weight(lane, group, unified ? "CPUWeight" : "CPUShares", weight, error);
        return write_number(group, CGROUP_CPU, NULL, unified ? "cpu.weight" : "cpu.shares", weight, error);
}

/*
 * The kernel refuses a share above that of the group above, that of the old quota in the new period as well:
 * in between there is no quota.
 */
static bool set_max_v1(const struct cgroup *group, const char *threads, int64_t quota_us, uint64_t period_us,
                       GError **error)
{
        g_autofree char *quota = g_strdup_printf("%" G_GINT64_FORMAT, quota_us < 0 ? -1 : quota_us);

        if (period_us > 0 &&
            !(write_value(group, CGROUP_CPU, threads, "cpu.cfs_quota_us", "-1", error) &&
              write_number(group, CGROUP_CPU, threads, "cpu.cfs_period_us", period_us, error)))
                return false;
        return write_value(group, CGROUP_CPU, threads, "cpu.cfs_quota_us", quota, error);
}

bool cgroup_set_cpu_max(const struct cgroup *group, const char *threads, int64_t quota_us, uint64_t period_us,
                        GError **error)
{
        g_autofree char *text = NULL;

        if (!cgroup_is_unified(group, CGROUP_CPU))
                return set_max_v1(group, threads, quota_us, period_us, error);
        text = quota_us < 0 ? g_strdup("max") : g_strdup_printf("%" G_GINT64_FORMAT, quota_us);
        if (period_us > 0) {
                g_autofree char *quota = g_steal_pointer(&text);

                text = g_strdup_printf("%s %" G_GUINT64_FORMAT, quota, period_us);
        }
        return write_value(group, CGROUP_CPU, threads, "cpu.max", text, error);
}

bool cgroup_set_cpus(const struct cgroup *group, const char *threads, const char *cpus, GError **error)
{
        return write_value(group, CGROUP_CPUSET, threads, "cpuset.cpus", cpus, error);
}

bool cgroup_set_nodes(const struct cgroup *group, const char *threads, const char *nodes, GError **error)
{
        /* With the second version memory always follows. */
        if (has_file(group, CGROUP_CPUSET, "cpuset.memory_migrate") &&
            !write_value(group, CGROUP_CPUSET, threads, "cpuset.memory_migrate", "1", error))
                return false;
        return write_value(group, CGROUP_CPUSET, threads, "cpuset.mems", nodes, error);
}

char *cgroup_read_parent_nodes(const struct cgroup *group, GError **error)
{
        const char *file = cgroup_is_unified(group, CGROUP_CPUSET) ? "cpuset.mems.effective" : "cpuset.mems";
        g_autofree char *directory = NULL, *parent = NULL, *path = NULL;
        char *text = NULL;

        if (!cgroup_require(group, CGROUP_CPUSET, file, error))
                return NULL;
        directory = hierarchy_path(find(group, CGROUP_CPUSET), group->path, NULL, NULL);
        parent = g_path_get_dirname(directory);
        path = g_build_filename(parent, file, NULL);
        errno = 0;
        if (!g_file_get_contents(path, &text, NULL, NULL))
                error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot read '%s'", path);
        return text ? g_strchomp(text) : NULL;
}

bool cgroup_has_threads(const struct cgroup *group, enum cgroup_controller controller, const char *threads)
{
        const struct hierarchy *hierarchy = find(group, controller);
        g_autofree char *directory = NULL;

        if (!hierarchy)
                return false;
        directory = hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), threads);
        return access(directory, F_OK) == 0;
}

/* ---- memory ---- */

static bool set_memory(const struct cgroup *group, const char *v1, const char *v2, uint64_t bytes,
                       GError **error)
{
        bool unified = cgroup_is_unified(group, CGROUP_MEMORY);

        if (bytes == CGROUP_UNLIMITED)
                return write_value(group, CGROUP_MEMORY, NULL, unified ? v2 : v1, unified ? "max" : "-1",
                                   error);
        return write_number(group, CGROUP_MEMORY, NULL, unified ? v2 : v1, bytes, error);
}

bool cgroup_set_memory_max(const struct cgroup *group, uint64_t bytes, GError **error)
{
        return set_memory(group, "memory.limit_in_bytes", "memory.max", bytes, error);
}

bool cgroup_set_memory_soft(const struct cgroup *group, uint64_t bytes, GError **error)
{
        return set_memory(group, "memory.soft_limit_in_bytes", "memory.high", bytes, error);
}

bool cgroup_set_memory_swap(const struct cgroup *group, uint64_t bytes, uint64_t memory, GError **error)
{
        /* Version 2 limits swap alone. */
        if (bytes != CGROUP_UNLIMITED && cgroup_is_unified(group, CGROUP_MEMORY))
                bytes = bytes > memory ? bytes - memory : 0;
        return set_memory(group, "memory.memsw.limit_in_bytes", "memory.swap.max", bytes, error);
}

/* ---- io ---- */

/* What a group has that nobody has given a weight. */
#define IO_WEIGHT_DEFAULT 100

/*
 * The file of a group's weight. Where systemd sets it both files have it, the one of the BFQ scheduler on
 * another scale.
 */
static const char *choose_weight_file(const struct cgroup *group)
{
        bool unified = cgroup_is_unified(group, CGROUP_IO);
        const char *bfq = unified ? "io.bfq.weight" : "blkio.bfq.weight",
                   *plain = unified ? "io.weight" : "blkio.weight";

        if (group->unit)
                return has_file(group, CGROUP_IO, plain) ? plain : bfq;
        return has_file(group, CGROUP_IO, bfq) ? bfq : plain;
}

bool cgroup_set_io_weight(struct lane *lane, const struct cgroup *group, uint64_t weight, GError **error)
{
        bool unified = cgroup_is_unified(group, CGROUP_IO);

        if (!cgroup_require(group, CGROUP_IO, unified ? "io.weight" : "blkio.weight", error))
                return false;
        if (group->unit)
                return set_weight(lane, group, unified ? "IOWeight" : "BlockIOWeight", weight, error);
        return write_number(group, CGROUP_IO, NULL, choose_weight_file(group), weight, error);
}

static const struct {
        const char *v1;  /* a file of its own */
        const char *key; /* in io.max */
} io_values[CGROUP_IO_VALUES] = {
        [CGROUP_IO_READ_BYTES] = { "blkio.throttle.read_bps_device", "rbps" },
        [CGROUP_IO_WRITE_BYTES] = { "blkio.throttle.write_bps_device", "wbps" },
        [CGROUP_IO_READ_OPERATIONS] = { "blkio.throttle.read_iops_device", "riops" },
        [CGROUP_IO_WRITE_OPERATIONS] = { "blkio.throttle.write_iops_device", "wiops" },
};

/* As with set_weight(), it is against those of the other scopes. Systemd knows no way back but a number. */
static bool set_device_weight_of_scope(struct lane *lane, const struct cgroup *group, dev_t device,
                                       uint64_t weight, GError **error)
{
        bool unified = cgroup_is_unified(group, CGROUP_IO);

        if (!cgroup_require(group, CGROUP_IO, unified ? "io.weight" : "blkio.weight_device", error))
                return false;
        if (!weight && !cgroup_read_io_weight(group, &weight, NULL))
                weight = IO_WEIGHT_DEFAULT;
        return systemd_set_device_property(lane, geteuid() == 0 ? SYSTEMD_HOST : SYSTEMD_USER, group->unit,
                                           unified ? "IODeviceWeight" : "BlockIODeviceWeight", device, weight,
                                           error);
}

static bool set_device_weight(struct lane *lane, const struct cgroup *group, dev_t device, uint64_t weight,
                              GError **error)
{
        bool unified = cgroup_is_unified(group, CGROUP_IO);
        const char *file = unified ? "io.weight" : "blkio.weight_device";
        g_autofree char *text =
                weight > 0 || !unified
                        ? g_strdup_printf("%u:%u %" G_GUINT64_FORMAT, major(device), minor(device), weight)
                        : g_strdup_printf("%u:%u default", major(device), minor(device));

        if (group->unit)
                return set_device_weight_of_scope(lane, group, device, weight, error);
        if (unified && has_file(group, CGROUP_IO, "io.bfq.weight"))
                file = "io.bfq.weight";
        if (!unified && has_file(group, CGROUP_IO, "blkio.bfq.weight_device"))
                file = "blkio.bfq.weight_device";
        return write_value(group, CGROUP_IO, NULL, file, text, error);
}

bool cgroup_set_io_device(struct lane *lane, const struct cgroup *group, dev_t device, enum cgroup_io what,
                          uint64_t value, GError **error)
{
        g_autofree char *number = NULL, *text = NULL;

        if (what == CGROUP_IO_WEIGHT)
                return set_device_weight(lane, group, device, value, error);
        number = g_strdup_printf("%" G_GUINT64_FORMAT, value);
        if (!cgroup_is_unified(group, CGROUP_IO)) {
                text = g_strdup_printf("%u:%u %s", major(device), minor(device), number);
                return write_value(group, CGROUP_IO, NULL, io_values[what].v1, text, error);
        }
        text = g_strdup_printf("%u:%u %s=%s", major(device), minor(device), io_values[what].key,
                               value > 0 ? number : "max");
        return write_value(group, CGROUP_IO, NULL, "io.max", text, error);
}

/* ---- counters ---- */

static char *read_file(const struct cgroup *group, enum cgroup_controller controller, const char *threads,
                       const char *file, GError **error)
{
        g_autofree char *directory = NULL, *path = NULL;
        char *text = NULL;

        if (!cgroup_require(group, controller, file, error))
                return NULL;
        directory = hierarchy_path(find(group, controller), group->path, cgroup_get_inner(group), threads);
        path = g_build_filename(directory, file, NULL);
        errno = 0;
        if (!g_file_get_contents(path, &text, NULL, NULL))
                error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot read '%s'", path);
        return text;
}

/* ---- what is set ---- */

/* What the first version of the memory controller says when there is no limit: all pages that it can count.
 */
#define PAGES_MAX (INT64_MAX / 65536 * 65536)

static uint64_t parse_limit(const char *text)
{
        uint64_t number = g_ascii_strtoull(text, NULL, 10);

        return g_str_has_prefix(text, "max") || number >= PAGES_MAX ? CGROUP_UNLIMITED : number;
}

/* A weight is the scope's. "default 100", "100" */
static bool read_weight(const struct cgroup *group, enum cgroup_controller controller, const char *file,
                        uint64_t *weight, GError **error)
{
        g_autofree char *directory = NULL, *path = NULL, *text = NULL;

        if (!cgroup_require(group, controller, file, error))
                return false;
        directory = hierarchy_path(find(group, controller), group->path,
                                   group->unit ? NULL : cgroup_get_inner(group), NULL);
        path = g_build_filename(directory, file, NULL);
        errno = 0;
        if (!g_file_get_contents(path, &text, NULL, NULL))
                return error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot read '%s'", path);
        *weight = g_ascii_strtoull(text + strcspn(text, "0123456789"), NULL, 10);
        return true;
}

bool cgroup_read_cpu_weight(const struct cgroup *group, uint64_t *weight, GError **error)
{
        const char *file = cgroup_is_unified(group, CGROUP_CPU) ? "cpu.weight" : "cpu.shares";

        return read_weight(group, CGROUP_CPU, file, weight, error);
}

bool cgroup_read_io_weight(const struct cgroup *group, uint64_t *weight, GError **error)
{
        return read_weight(group, CGROUP_IO, choose_weight_file(group), weight, error);
}

bool cgroup_read_cpu_max(const struct cgroup *group, const char *threads, int64_t *quota_us,
                         uint64_t *period_us, GError **error)
{
        bool unified = cgroup_is_unified(group, CGROUP_CPU);
        g_autofree char *quota =
                read_file(group, CGROUP_CPU, threads, unified ? "cpu.max" : "cpu.cfs_quota_us", error);
        g_autofree char *period = NULL;

        if (!quota)
                return false;
        if (unified)
                period = g_strdup(quota + strcspn(quota, " "));
        else
                period = read_file(group, CGROUP_CPU, threads, "cpu.cfs_period_us", error);
        if (!period)
                return false;
        *quota_us = g_str_has_prefix(quota, "max") ? -1 : g_ascii_strtoll(quota, NULL, 10);
        *period_us = g_ascii_strtoull(period, NULL, 10);
        return true;
}

static bool read_memory(const struct cgroup *group, const char *v1, const char *v2, uint64_t *bytes,
                        GError **error)
{
        g_autofree char *text = read_file(group, CGROUP_MEMORY, NULL,
                                          cgroup_is_unified(group, CGROUP_MEMORY) ? v2 : v1, error);

        if (!text)
                return false;
        *bytes = parse_limit(text);
        return true;
}

bool cgroup_read_memory_max(const struct cgroup *group, uint64_t *bytes, GError **error)
{
        return read_memory(group, "memory.limit_in_bytes", "memory.max", bytes, error);
}

bool cgroup_read_memory_soft(const struct cgroup *group, uint64_t *bytes, GError **error)
{
        return read_memory(group, "memory.soft_limit_in_bytes", "memory.high", bytes, error);
}

bool cgroup_read_memory_swap(const struct cgroup *group, uint64_t *bytes, GError **error)
{
        bool unified = cgroup_is_unified(group, CGROUP_MEMORY);
        const char *file = unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
        uint64_t memory = 0;

        *bytes = CGROUP_UNLIMITED;
        if (cgroup_has(group, CGROUP_MEMORY) && !has_file(group, CGROUP_MEMORY, file))
                return true;
        if (!read_memory(group, file, file, bytes, error))
                return false;
        if (!unified || *bytes == CGROUP_UNLIMITED)
                return true;
        if (!cgroup_read_memory_max(group, &memory, error))
                return false;
        *bytes = memory == CGROUP_UNLIMITED ? CGROUP_UNLIMITED : *bytes + memory;
        return true;
}

bool cgroup_check_member(const struct cgroup *group, enum cgroup_controller controller, pid_t pid,
                         GError **error)
{
        const struct hierarchy *hierarchy = find(group, controller);
        g_autofree char *file = g_strdup_printf("/proc/%d/cgroup", (int)pid), *text = NULL, *place = NULL;
        size_t length = strlen(group->path);

        if (!hierarchy || !g_file_get_contents(file, &text, NULL, NULL))
                return true;
        place = hierarchy_locate(hierarchy, text);
        if (place && strncmp(place, group->path, length) == 0 && (!place[length] || place[length] == '/'))
                return true;
        return error_set(error, ERROR_FROM_CGROUP, ERROR_OPERATION_INVALID,
                         "process %d has been moved out of its control group '%s' to '%s', where its limits "
                         "would not hold",
                         (int)pid, group->path, place ? place : "another place");
}

/* ---- what it has used ---- */

/* "usage_usec 123\nuser_usec 100\n..." */
static uint64_t get_entry(const char *text, const char *key)
{
        const char *line = strstr(text, key);

        return line ? g_ascii_strtoull(line + strlen(key), NULL, 10) : 0;
}

static bool read_cpu_v1(const struct cgroup *group, const char *threads, struct cgroup_cpu *cpu,
                        GError **error)
{
        g_autofree char *usage = read_file(group, CGROUP_CPUACCT, threads, "cpuacct.usage", error);
        g_autofree char *stat =
                usage ? read_file(group, CGROUP_CPUACCT, threads, "cpuacct.stat", error) : NULL;
        uint64_t tick_ns = (uint64_t)(1000000000 / sysconf(_SC_CLK_TCK));

        if (!stat)
                return false;
        cpu->usage_ns = g_ascii_strtoull(usage, NULL, 10);
        cpu->user_ns = get_entry(stat, "user ") * tick_ns;
        cpu->system_ns = get_entry(stat, "system ") * tick_ns;
        return true;
}

bool cgroup_read_cpu(const struct cgroup *group, const char *threads, struct cgroup_cpu *cpu, GError **error)
{
        g_autofree char *text = NULL;

        if (!cgroup_is_unified(group, CGROUP_CPUACCT))
                return read_cpu_v1(group, threads, cpu, error);
        text = read_file(group, CGROUP_CPUACCT, threads, "cpu.stat", error);
        if (!text)
                return false;
        cpu->usage_ns = get_entry(text, "usage_usec ") * 1000;
        cpu->user_ns = get_entry(text, "user_usec ") * 1000;
        cpu->system_ns = get_entry(text, "system_usec ") * 1000;
        return true;
}

GArray *cgroup_read_cpus(const struct cgroup *group, const char *threads)
{
        g_autofree char *text = NULL;
        GArray *cpus;

        if (cgroup_is_unified(group, CGROUP_CPUACCT))
                return NULL;
        text = read_file(group, CGROUP_CPUACCT, threads, "cpuacct.usage_percpu", NULL);
        if (!text)
                return NULL;
        cpus = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        for (char *word = g_strstrip(text), *end; g_ascii_isdigit(*word) && cpus->len < CPUS_MAX;
             word = end) {
                uint64_t usage_ns = g_ascii_strtoull(word, &end, 10);

                g_array_append_val(cpus, usage_ns);
                end += strspn(end, " ");
        }
        return cpus;
}

bool cgroup_read_memory(const struct cgroup *group, uint64_t *bytes, GError **error)
{
        g_autofree char *text = read_file(
                group, CGROUP_MEMORY, NULL,
                cgroup_is_unified(group, CGROUP_MEMORY) ? "memory.current" : "memory.usage_in_bytes", error);

        if (!text)
                return false;
        *bytes = g_ascii_strtoull(text, NULL, 10);
        return true;
}
