/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file system that takes its time. The kernel's FUSE protocol by hand: the few requests that looking at a
 * directory makes. The server is a child; commands go to it through one pipe, the news that somebody waits
 * comes back through another.
 */
#include "tests/support/mounts.h"
#include "tests/support/slow-fs.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SIZE   4096
#define FIRST_NODE  2 /* FUSE_ROOT_ID is 1 */
#define BUFFER_SIZE (FUSE_MIN_READ_BUFFER * 16)
#define NAME_FORMAT "disk-%03u.img"

struct slow_fs {
        char *directory; /* owned */
        pid_t server;
        int commands; /* 'o' opens the gate, 's' shuts it */
        int visits;   /* a byte for whom the gate stopped */
};

/* ---- the server ---- */

struct server {
        int fuse, commands, visits;
        bool shut;
        unsigned age;                    /* of the files, in seconds */
        uint64_t waiting[SLOW_FS_FILES]; /* opens without an answer */
        unsigned n_waiting;
};

/* A request that was given up meanwhile (ENOENT) needs no answer. */
static void reply(const struct server *server, uint64_t unique, int error, const void *data, size_t size)
{
        struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + size),
                                        .error = error,
                                        .unique = unique };
        const struct iovec parts[] = {
                { .iov_base = &head, .iov_len = sizeof(head) },
                { .iov_base = (void *)data, .iov_len = size },
        };

        if (writev(server->fuse, parts, 2) < 0 && errno != ENOENT)
                _exit(EXIT_FAILURE);
}

static struct fuse_attr describe(const struct server *server, uint64_t node)
{
        bool is_file = node >= FIRST_NODE;

        return (struct fuse_attr){
                .ino = node,
                .size = is_file ? FILE_SIZE : 0,
                .blocks = is_file ? FILE_SIZE / 512 : 0,
                .mtime = 1000000000 + server->age,
                .ctime = 1000000000 + server->age,
                .mode = is_file ? S_IFREG | 0644 : S_IFDIR | 0755,
                .nlink = 1,
                .blksize = FILE_SIZE,
        };
}

static void look_up(const struct server *server, uint64_t unique, const char *name)
{
        struct fuse_entry_out entry = { 0 };
        unsigned number;

        if (sscanf(name, NAME_FORMAT, &number) != 1 || number >= SLOW_FS_FILES) {
                reply(server, unique, -ENOENT, NULL, 0);
                return;
        }
        entry.nodeid = FIRST_NODE + number;
        entry.attr = describe(server, entry.nodeid);
        reply(server, unique, 0, &entry, sizeof(entry));
}

static void read_directory(const struct server *server, uint64_t unique, const struct fuse_read_in *in)
{
        char buffer[BUFFER_SIZE] __attribute__((aligned(8))) = { 0 };
        size_t used = 0;

        for (unsigned i = (unsigned)in->offset; i < SLOW_FS_FILES; i++) {
                struct fuse_dirent *entry = (struct fuse_dirent *)(void *)(buffer + used);
                char name[32];
                int length = snprintf(name, sizeof(name), NAME_FORMAT, i);
                size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + (size_t)length);

                if (used + size > MIN(in->size, sizeof(buffer)))
                        break;
                *entry = (struct fuse_dirent){ .ino = FIRST_NODE + i,
                                               .off = i + 1,
                                               .namelen = (uint32_t)length,
                                               .type = S_IFREG >> 12 };
                memcpy(entry->name, name, (size_t)length);
                used += size;
        }
        reply(server, unique, 0, buffer, used);
}

static void open_file(struct server *server, uint64_t unique)
{
        const struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO };

        if (!server->shut) {
                reply(server, unique, 0, &out, sizeof(out));
                return;
        }
        server->waiting[server->n_waiting++ % SLOW_FS_FILES] = unique;
        if (write(server->visits, "v", 1) != 1)
                _exit(EXIT_FAILURE);
}

static void take_command(struct server *server)
{
        unsigned n_waiting = server->n_waiting;
        char command;

        /* The test is gone. */
        if (read(server->commands, &command, 1) != 1)
                _exit(EXIT_SUCCESS);
        server->shut = command == 's';
        server->age += server->shut;
        if (server->shut)
                return;
        server->n_waiting = 0;
        for (unsigned i = 0; i < n_waiting; i++)
                open_file(server, server->waiting[i]);
}

static void answer(struct server *server, const struct fuse_in_header *head, const void *in)
{
        const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
        const struct fuse_attr_out attributes = { .attr = describe(server, head->nodeid) };
        const struct fuse_statfs_out statistics = { .st = { .blocks = 1000, .bsize = 4096, .frsize = 4096 } };
        const struct fuse_open_out opened = { 0 };
        static const char page[FILE_SIZE];

        switch (head->opcode) {
        case FUSE_INIT:
                reply(server, head->unique, 0, &init, sizeof(init));
                break;
        case FUSE_LOOKUP:
                look_up(server, head->unique, in);
                break;
        case FUSE_GETATTR:
                reply(server, head->unique, 0, &attributes, sizeof(attributes));
                break;
        case FUSE_STATFS:
                reply(server, head->unique, 0, &statistics, sizeof(statistics));
                break;
        case FUSE_OPENDIR:
                reply(server, head->unique, 0, &opened, sizeof(opened));
                break;
        case FUSE_READDIR:
                read_directory(server, head->unique, in);
                break;
        case FUSE_OPEN:
                open_file(server, head->unique);
                break;
        case FUSE_READ:
                reply(server, head->unique, 0, page,
                      ((const struct fuse_read_in *)in)->offset ? 0 : sizeof(page));
                break;
        case FUSE_RELEASE:
        case FUSE_RELEASEDIR:
                reply(server, head->unique, 0, NULL, 0);
                break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
                break;
        default:
                reply(server, head->unique, -ENOSYS, NULL, 0);
        }
}

static void take_request(struct server *server)
{
        char buffer[BUFFER_SIZE] __attribute__((aligned(8)));
        ssize_t length = read(server->fuse, buffer, sizeof(buffer));

        if (length >= (ssize_t)sizeof(struct fuse_in_header))
                answer(server, (const struct fuse_in_header *)(const void *)buffer,
                       buffer + sizeof(struct fuse_in_header));
        else if (length < 0 && errno == ENODEV)
                _exit(EXIT_SUCCESS); /* unmounted */
}

static void serve(struct server *server)
{
        struct pollfd fds[] = { { server->fuse, POLLIN, 0 }, { server->commands, POLLIN, 0 } };

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
                if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
                        continue;
                if (fds[1].revents)
                        take_command(server);
                if (fds[0].revents)
                        take_request(server);
        }
}

/* ---- the test's side ---- */

static int mount_fuse(const char *directory, const char **why)
{
        int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        g_autofree char *options =
                g_strdup_printf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);

        *why = NULL;
        if (fd < 0)
                *why = "no /dev/fuse to open";
        else if (mount("slow", directory, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
                *why = "no right to mount";
        if (*why && fd >= 0)
                close(fd);
        return *why ? -1 : fd;
}

bool slow_fs_enter(const char **why)
{
        if (mounts_leave())
                return true;
        *why = "no right to mount";
        return false;
}

struct slow_fs *slow_fs_mount(const char *directory, const char **why)
{
        struct server server = { .shut = true, .fuse = mount_fuse(directory, why) };
        int commands[2], visits[2];
        struct slow_fs *fs;

        if (server.fuse < 0)
                return NULL;
        ck_assert(pipe2(commands, O_CLOEXEC) == 0 && pipe2(visits, O_CLOEXEC) == 0);
        server.commands = commands[0];
        server.visits = visits[1];
        fs = g_new(struct slow_fs, 1);
        *fs = (struct slow_fs){ g_strdup(directory), fork(), commands[1], visits[0] };
        ck_assert_int_ge(fs->server, 0);
        if (fs->server == 0) {
                close(fs->commands);
                serve(&server);
        }
        close(server.fuse);
        close(server.commands);
        close(server.visits);
        return fs;
}

void slow_fs_free(struct slow_fs *fs)
{
        if (!fs)
                return;
        umount2(fs->directory, MNT_DETACH);
        kill(fs->server, SIGKILL);
        waitpid(fs->server, NULL, 0);
        close(fs->commands);
        close(fs->visits);
        g_free(fs->directory);
        g_free(fs);
}

void slow_fs_wait_visitor(struct slow_fs *fs)
{
        char visit;

        ck_assert_int_eq(read(fs->visits, &visit, 1), 1);
}

void slow_fs_open_gate(struct slow_fs *fs)
{
        ck_assert_int_eq(write(fs->commands, "o", 1), 1);
}

void slow_fs_shut_gate(struct slow_fs *fs)
{
        struct pollfd visits = { .fd = fs->visits, .events = POLLIN };

        while (poll(&visits, 1, 0) > 0)
                slow_fs_wait_visitor(fs);
        ck_assert_int_eq(write(fs->commands, "s", 1), 1);
}
