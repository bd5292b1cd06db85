/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What processes of a group may open of devices: a list of the kernel's in version 1 (cgroup-v1/devices.rst),
 * a program of BPF in version 2 (cgroup-v2.rst, "Device controller"), which is assembled here. The programs
 * of a group and of those above it have to agree, so a new one never allows more than systemd's.
 */
#include "drivers/cgroup/cgroup-private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More programs than the kernel lets a group have. */
#define PROGRAMS_MAX 64

/* Of each hierarchy, who limits devices; NULL: nobody. */
static const struct hierarchy *find(const struct cgroup *group)
{
        const struct hierarchy *unified = NULL;

        for (unsigned i = 0; group && i < group->hierarchies.count; i++) {
                const struct hierarchy *hierarchy = &group->hierarchies.list[i];

                if (hierarchy->controllers & 1U << CGROUP_DEVICES)
                        return hierarchy;
                if (hierarchy->unified)
                        unified = hierarchy;
        }
        return unified;
}

/* ---- version 1 ---- */

#define ALL "a *:* rwm"

static void format_entry(const struct cgroup_device *device, char *text, size_t size)
{
        char minor[16] = "*";

        if (!device->any_minor)
                snprintf(minor, sizeof(minor), "%u", device->minor);
        snprintf(text, size, "%c %u:%s %s", device->block ? 'b' : 'c', device->major, minor,
                 device->write ? "rw" : "r");
}

#define ENTRY_SIZE 64

/* "c 1:3 rw", of which the access is the last word: what of it nobody wants; NULL: nothing. Owned. */
static char *find_unwanted(const char *entry, const struct cgroup_device *devices, unsigned n)
{
        size_t numbers = strlen(entry) - strlen(strrchr(entry, ' ') ? strrchr(entry, ' ') : "");
        bool wanted = false, written = false;
        char text[ENTRY_SIZE];

        for (unsigned i = 0; i < n; i++) {
                format_entry(&devices[i], text, sizeof(text));
                if (strncmp(entry, text, numbers) != 0 || text[numbers] != ' ')
                        continue;
                wanted = true;
                written |= devices[i].write;
        }
        if (!wanted)
                return g_strdup(entry);
        if (written || !strchr(entry + numbers, 'w'))
                return NULL;
        return g_strdup_printf("%.*s w", (int)numbers, entry);
}

static char *read_list(const char *directory)
{
        g_autofree char *file = g_build_filename(directory, "devices.list", NULL);
        char *text = NULL;

        return g_file_get_contents(file, &text, NULL, NULL) ? text : NULL;
}

/* What is there is not written again: each write is a file of its own. */
static bool allow(const char *directory, const char *const *entries, const struct cgroup_device *device)
{
        char text[ENTRY_SIZE];

        format_entry(device, text, sizeof(text));
        return g_strv_contains(entries, text) || cgroup_write_file(directory, "devices.allow", text);
}

/* Only a group without others below it can be told to allow nothing: it is the one that processes are in. */
static bool set_list(const char *directory, const struct cgroup_device *devices, unsigned n)
{
        g_autofree char *before = read_list(directory);
        g_auto(GStrv) entries = g_strsplit(before ? before : "", "\n", -1);
        bool all = before && g_str_has_prefix(before, ALL);

        if (!before || (all && !cgroup_write_file(directory, "devices.deny", "a")))
                return false;
        for (unsigned i = 0; i < n; i++) {
                if (!allow(directory, (const char *const *)entries, &devices[i]))
                        return false;
        }
        for (unsigned i = 0; !all && entries[i]; i++) {
                g_autofree char *unwanted = *entries[i] ? find_unwanted(entries[i], devices, n) : NULL;

                if (unwanted && !cgroup_write_file(directory, "devices.deny", unwanted))
                        return false;
        }
        return true;
}

/* ---- version 2: the program ---- */

enum { TYPE = BPF_REG_2, ACCESS = BPF_REG_3, MAJOR = BPF_REG_4, MINOR = BPF_REG_5, SCRATCH = BPF_REG_6 };

static void add(GArray *program, uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t value)
{
        const struct bpf_insn instruction = {
                .code = code, .dst_reg = to, .src_reg = from, .off = offset, .imm = value
        };

        g_array_append_val(program, instruction);
}

static void add_answer(GArray *program, bool allowed)
{
        add(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allowed);
        add(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* What is asked for, out of struct bpf_cgroup_dev_ctx. */
static void add_head(GArray *program)
{
        add(program, BPF_LDX | BPF_MEM | BPF_W, TYPE, BPF_REG_1,
            offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
        add(program, BPF_LDX | BPF_MEM | BPF_W, MAJOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, major),
            0);
        add(program, BPF_LDX | BPF_MEM | BPF_W, MINOR, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, minor),
            0);
        add(program, BPF_ALU64 | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
        add(program, BPF_ALU64 | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
        add(program, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
}

/* Each jump leads behind the answer: to the next device. */
static void add_device(GArray *program, const struct cgroup_device *device)
{
        const int16_t minor = device->any_minor ? 0 : 1;
        const int forbidden = device->write ? BPF_DEVCG_ACC_MKNOD : BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_WRITE;

        add(program, BPF_JMP | BPF_JNE | BPF_K, TYPE, 0, (int16_t)(6 + minor),
            device->block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
        add(program, BPF_JMP | BPF_JNE | BPF_K, MAJOR, 0, (int16_t)(5 + minor), (int32_t)device->major);
        if (!device->any_minor)
                add(program, BPF_JMP | BPF_JNE | BPF_K, MINOR, 0, 5, (int32_t)device->minor);
        add(program, BPF_ALU64 | BPF_MOV | BPF_X, SCRATCH, ACCESS, 0, 0);
        add(program, BPF_ALU64 | BPF_AND | BPF_K, SCRATCH, 0, 0, forbidden);
        add(program, BPF_JMP | BPF_JNE | BPF_K, SCRATCH, 0, 2, 0);
        add_answer(program, true);
}

static int load(const struct cgroup_device *devices, unsigned n)
{
        g_autoptr(GArray) program = g_array_new(FALSE, FALSE, sizeof(struct bpf_insn));
        union bpf_attr attr;

        add_head(program);
        for (unsigned i = 0; i < n; i++)
                add_device(program, &devices[i]);
        add_answer(program, false);
        memset(&attr, 0, sizeof(attr));
        attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
        attr.insn_cnt = program->len;
        attr.insns = (uint64_t)(uintptr_t)program->data;
        attr.license = (uint64_t)(uintptr_t) "LGPL";
        return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* ---- version 2: the group's programs ---- */

static bool query(int directory, uint32_t ids[PROGRAMS_MAX], unsigned *count)
{
        union bpf_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.query.target_fd = (uint32_t)directory;
        attr.query.attach_type = BPF_CGROUP_DEVICE;
        attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
        attr.query.prog_cnt = PROGRAMS_MAX;
        if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) < 0)
                return false;
        *count = MIN(attr.query.prog_cnt, PROGRAMS_MAX);
        return true;
}

static bool attach(int directory, int program)
{
        union bpf_attr attr;

        memset(&attr, 0, sizeof(attr));
        attr.target_fd = (uint32_t)directory;
        attr.attach_bpf_fd = (uint32_t)program;
        attr.attach_type = BPF_CGROUP_DEVICE;
        attr.attach_flags = BPF_F_ALLOW_MULTI;
        return syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) == 0;
}

static bool detach(int directory, uint32_t id)
{
        union bpf_attr attr;
        CLEANUP_FD int program = -1;

        memset(&attr, 0, sizeof(attr));
        attr.prog_id = id;
        program = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
        if (program < 0)
                return errno == ENOENT;
        memset(&attr, 0, sizeof(attr));
        attr.target_fd = (uint32_t)directory;
        attr.attach_bpf_fd = (uint32_t)program;
        attr.attach_type = BPF_CGROUP_DEVICE;
        return syscall(SYS_bpf, BPF_PROG_DETACH, &attr, sizeof(attr)) == 0 || errno == ENOENT;
}

/* The new one first: there is no moment without, and until the old ones have gone both have to agree. */
static bool set_program(const char *path, const struct cgroup_device *devices, unsigned n)
{
        CLEANUP_FD int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), program = -1;
        uint32_t before[PROGRAMS_MAX];
        unsigned count = 0;

        if (directory < 0 || !query(directory, before, &count))
                return false;
        program = load(devices, n);
        if (program < 0 || !attach(directory, program))
                return false;
        for (unsigned i = 0; i < count; i++)
                if (!detach(directory, before[i]))
                        return false;
        return true;
}

/* ---- either ---- */

bool cgroup_set_devices(const struct cgroup *group, const struct cgroup_device *devices, unsigned n,
                        GError **error)
{
        const struct hierarchy *hierarchy = find(group);
        g_autofree char *directory = NULL;

        if (!hierarchy || geteuid() != 0)
                return error_set(error, ERROR_FROM_CGROUP, ERROR_CONFIG_UNSUPPORTED,
                                 "the devices of guests cannot be limited: %s",
                                 hierarchy ? "only root can" : "this host has no control groups for them");
        if (n > CGROUP_DEVICES_MAX)
                return error_set(error, ERROR_FROM_CGROUP, ERROR_CONFIG_UNSUPPORTED,
                                 "a guest cannot have more than %u devices of the host", CGROUP_DEVICES_MAX);
        if (hierarchy->unified)
                directory = hierarchy_path(hierarchy, group->path, cgroup_get_inner(group), NULL);
        else
                directory = cgroup_get_start(hierarchy, group);
        if (hierarchy->unified ? set_program(directory, devices, n) : set_list(directory, devices, n))
                return true;
        return error_set_errno(error, ERROR_FROM_CGROUP, errno, "cannot limit the devices of '%s'",
                               directory);
}
