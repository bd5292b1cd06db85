/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The control groups of one guest: where its processes are, what limits them, what they have used. Both
 * versions of the kernel's interface, and hosts that have some controllers in one and some in the other.
 *
 *     machine.slice/machine-qemu\x2d3\x2dweb.scope   made by systemd, or
 *     machine/qemu-3-web.virtbus-qemu                made by us where systemd does not run (scopes as libvirt names them)
 *         libvirt/                                   below a scope only: ours, as systemd has delegated it
 *             emulator/                              where processes of the guest begin
 *             vcpu0/, iothread1/ ...                 made when a thread is moved there
 *
 * A limit is set on the group as a whole, or on a group of threads of it (cpu and cpuset only). With version
 * 2 the groups of threads are "threaded", and memory and io are those of the group above them.
 *
 * In the domain's lane, all but cgroup_find() and cgroup_read_cpus(). A group has no lock and no thread; the
 * files of a cgroup file system answer at once. What goes through systemd (making a scope, the weights of a
 * scope) takes some seconds at most.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lane;

enum cgroup_controller {
        CGROUP_CPU,     /* shares and bandwidth */
        CGROUP_CPUACCT, /* usage; version 2 counts without a controller */
        CGROUP_CPUSET,
        CGROUP_MEMORY,
        CGROUP_IO,      /* "blkio" of version 1 */
        CGROUP_DEVICES, /* version 2 has programs of BPF for it */
        CGROUP_SYSTEMD, /* systemd's own hierarchy, without a controller */
        CGROUP_CONTROLLERS,
};

struct cgroup;

/* ---- making, finding, removing ---- */

struct cgroup_spec {
        const char *machine;   /* as cgroup_make_machine_name() has it */
        const char *partition; /* "/machine" or below another one: "/machine/prod"; absolute */
        const char *description;
};

/* The name of a machine: "qemu-3-web", of what may stand in host names, 64 characters at most. Free it. */
char *cgroup_make_machine_name(const char *driver, int id, const char *name);

/* May it be <partition>? Else ERROR_CONFIG_UNSUPPORTED names it. Any thread. */
bool cgroup_check_partition(const char *partition, GError **error);

/*
 * Makes the groups. NULL without an error: this host lets us have none (no cgroup file system that is ours to
 * write to, a user without a manager of systemd), and the reason is logged at the level of information. NULL
 * with an error: interrupted (ERROR_OPERATION_ABORTED).
 *
 * A scope is kept by a process until cgroup_settle(); whoever is killed before leaves nothing. A group of our
 * own stays until it is removed: its path has to be written down (cgroup_get_path()) as soon as it is there.
 */
struct cgroup *cgroup_new(struct lane *lane, const struct cgroup_spec *spec, GError **error);

/* The group at path, of an earlier agent; NULL: there is none. unit: as cgroup_get_unit(), may be NULL. */
struct cgroup *cgroup_open(const char *path, const char *unit);

/* The group that the process is in, if that looks like one of these; NULL: none. Any thread. */
struct cgroup *cgroup_find(pid_t pid);

/* Below the root of each hierarchy: "/machine/qemu-3-web.virtbus-qemu". Borrowed. */
const char *cgroup_get_path(const struct cgroup *group);
/* The scope; NULL: a group of our own. Borrowed. */
const char *cgroup_get_unit(const struct cgroup *group);

/* Lets go of it; it stays. NULL is fine. */
void cgroup_free(struct cgroup *group);
/*
 * Removes what we have made, once its processes have ended (half a second is waited for that in the lane,
 * with its slot lent); systemd removes a scope by itself. NULL is fine. Frees it.
 */
void cgroup_remove(struct lane *lane, struct cgroup *group);

/*
 * Start-up of an agent: removes groups of our own in /machine that have been empty for a minute. Their guests
 * ended with the agent that knew of them.
 */
void cgroup_sweep(void);

/* ---- who is in it ---- */

/*
 * Descriptors (int, to be closed by cgroup_close_fds()) through which a process gets in: it writes "0" into
 * each of them, with the agent's privileges, before it runs a program.
 */
GArray *cgroup_open_fds(const struct cgroup *group);
void cgroup_close_fds(GArray *fds);

/* A process, with all of its threads, among those of the emulator. */
bool cgroup_add_process(const struct cgroup *group, pid_t pid, GError **error);
/* A thread into a group of threads ("vcpu0", "iothread1", "emulator"), which is made if it is not there. */
bool cgroup_add_thread(const struct cgroup *group, const char *threads, pid_t tid, GError **error);
/* Has a group of threads been made in the hierarchy of that controller? */
bool cgroup_has_threads(const struct cgroup *group, enum cgroup_controller controller, const char *threads);
/* The group of threads goes, when it is empty; one that is not there is fine. */
void cgroup_remove_threads(struct lane *lane, const struct cgroup *group, const char *threads);

/* The guest's process is in it: what has kept the scope so far may end. */
void cgroup_settle(struct cgroup *group);

/* ---- controllers ---- */

bool cgroup_has(const struct cgroup *group, enum cgroup_controller controller);
/* Else ERROR_CONFIG_UNSUPPORTED: "... needs the controller 'cpu', which ...". group may be NULL. */
bool cgroup_require(const struct cgroup *group, enum cgroup_controller controller, const char *what,
                    GError **error);
/* Is that controller one of version 2, whose weights have other bounds? */
bool cgroup_is_unified(const struct cgroup *group, enum cgroup_controller controller);

/*
 * threads: the name of a group of threads, or NULL for the guest as a whole. A group of threads must have
 * been made (cgroup_add_thread()). Errors: ERROR_CONFIG_UNSUPPORTED without the controller,
 * ERROR_SYSTEM_ERROR with the file and what the kernel says.
 */

/* cpu.shares (2 to 262144) or cpu.weight (1 to 10000): the number is passed on as it is, as libvirt does. */
bool cgroup_set_cpu_weight(struct lane *lane, const struct cgroup *group, uint64_t weight, GError **error);
/* Microseconds of CPU in each period of so many microseconds (0: leave the period); quota below 0: no limit.
 */
bool cgroup_set_cpu_max(const struct cgroup *group, const char *threads, int64_t quota_us, uint64_t period_us,
                        GError **error);
/* Lists as "0-3,8". Before a program runs in the group its nodes are not to be set: the process that is to
 * become the emulator shares the agent's memory until then. */
bool cgroup_set_cpus(const struct cgroup *group, const char *threads, const char *cpus, GError **error);
bool cgroup_set_nodes(const struct cgroup *group, const char *threads, const char *nodes, GError **error);
/* The nodes that the group above has, which are all that it can have; free it. NULL with an error. */
char *cgroup_read_parent_nodes(const struct cgroup *group, GError **error);

/* Bytes; CGROUP_UNLIMITED: none. */
#define CGROUP_UNLIMITED UINT64_MAX
bool cgroup_set_memory_max(const struct cgroup *group, uint64_t bytes, GError **error);
/* What is kept under pressure only: memory.soft_limit_in_bytes, memory.high */
bool cgroup_set_memory_soft(const struct cgroup *group, uint64_t bytes, GError **error);
/* Memory and swap together, of which memory is the limit of memory alone. */
bool cgroup_set_memory_swap(const struct cgroup *group, uint64_t bytes, uint64_t memory, GError **error);

/* blkio.weight or blkio.bfq.weight (10 to 1000), io.bfq.weight or io.weight (1 to 1000 and 1 to 10000). */
bool cgroup_set_io_weight(struct lane *lane, const struct cgroup *group, uint64_t weight, GError **error);
enum cgroup_io {
        CGROUP_IO_WEIGHT,
        CGROUP_IO_READ_BYTES, /* a second */
        CGROUP_IO_WRITE_BYTES,
        CGROUP_IO_READ_OPERATIONS,
        CGROUP_IO_WRITE_OPERATIONS,
        CGROUP_IO_VALUES,
};
/* For one block device; 0: no limit, or the weight of the others. */
bool cgroup_set_io_device(struct lane *lane, const struct cgroup *group, dev_t device, enum cgroup_io what,
                          uint64_t value, GError **error);

/* ---- what is set ---- */

/* As the functions above have it; quota -1 and CGROUP_UNLIMITED: no limit. */
bool cgroup_read_cpu_weight(const struct cgroup *group, uint64_t *weight, GError **error);
bool cgroup_read_cpu_max(const struct cgroup *group, const char *threads, int64_t *quota_us,
                         uint64_t *period_us, GError **error);
bool cgroup_read_memory_max(const struct cgroup *group, uint64_t *bytes, GError **error);
bool cgroup_read_memory_soft(const struct cgroup *group, uint64_t *bytes, GError **error);
/* Where the host does not count swap: no limit. */
bool cgroup_read_memory_swap(const struct cgroup *group, uint64_t *bytes, GError **error);
bool cgroup_read_io_weight(const struct cgroup *group, uint64_t *weight, GError **error);

/*
 * Is the process still in the group of that controller, or in one below it? Else ERROR_OPERATION_INVALID
 * names where it is: somebody else has moved it, and limits of the group would not hold for it.
 */
bool cgroup_check_member(const struct cgroup *group, enum cgroup_controller controller, pid_t pid,
                         GError **error);

/* ---- devices ---- */

/* A device node of the host. */
struct cgroup_device {
        bool block; /* else of characters */
        unsigned major, minor;
        bool any_minor; /* all of that major number */
        bool write;     /* else for reading */
};

#define CGROUP_DEVICES_MAX 4096

/*
 * From here on the guest may open these device nodes and no others, and make none; what is open stays so. May
 * be called again. Errors: ERROR_CONFIG_UNSUPPORTED when the host does not let us, ERROR_SYSTEM_ERROR.
 */
bool cgroup_set_devices(const struct cgroup *group, const struct cgroup_device *devices, unsigned n,
                        GError **error);

/* ---- what it has used ---- */

struct cgroup_cpu {
        uint64_t usage_ns, user_ns, system_ns;
};
bool cgroup_read_cpu(const struct cgroup *group, const char *threads, struct cgroup_cpu *cpu, GError **error);
/*
 * The same by CPU of the host: of uint64_t, in ns, one for each that there can be. NULL where the kernel does
 * not count so: version 2 never does. Free it. Any thread.
 */
GArray *cgroup_read_cpus(const struct cgroup *group, const char *threads);
/* Bytes that are charged to it. */
bool cgroup_read_memory(const struct cgroup *group, uint64_t *bytes, GError **error);

DEFINE_CLEANUP(struct cgroup, cgroup_free);
