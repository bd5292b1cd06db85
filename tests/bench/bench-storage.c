/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A directory of ten thousand images: reading it, listing it, what else is answered meanwhile; and what the
 * agent adds to the tool that does an operation on a volume.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/pool.h"

#define FILES       10000
#define IMAGES      1000 /* of them qcow2, whose header is read */
#define ROUNDS      20
#define TASK_ROUNDS 5
#define SECOND      1e3
#define MIB         UINT64_C(1048576)
#define MADE_IN     "made"

static void run_command(const char *const argv[])
{
        g_autoptr(GError) error = NULL;
        int status;

        if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                          &error) ||
            !g_spawn_check_wait_status(status, &error))
                ck_abort_msg("%s: %s", argv[0], error->message);
}

static void run_tool(const char *format, const char *path, const char *size)
{
        run_command((const char *const[]){ "qemu-img", "create", "-q", "-f", format, path, size, NULL });
}

/* What is read of an image is at its beginning. */
static void fill_folder(const char *folder)
{
        g_autofree char *pattern = g_build_filename(folder, "pattern.qcow2", NULL);
        g_autofree char *header = NULL;
        gsize length;

        ck_assert_int_eq(g_mkdir_with_parents(folder, 0700), 0);
        run_tool("qcow2", pattern, "1G");
        ck_assert(g_file_get_contents(pattern, &header, &length, NULL));
        unlink(pattern);
        for (unsigned i = 0; i < FILES; i++) {
                g_autofree char *path = g_strdup_printf("%s/guest-%05u.img", folder, i);
                int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

                ck_assert_int_ge(fd, 0);
                if (i < IMAGES)
                        ck_assert_int_eq(write(fd, header, 4096), 4096);
                ck_assert_int_eq(ftruncate(fd, (off_t)MIB), 0);
                close(fd);
        }
}

static double time_ms(struct bench *bench, const struct bench_call *call)
{
        int64_t ns = 0;

        sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", call, &ns));
        return ns / 1e6;
}

/* Another size each time: what every client hears of. */
static void change_all(const char *folder, unsigned round)
{
        for (unsigned i = 0; i < FILES; i++) {
                g_autofree char *path = g_strdup_printf("%s/guest-%05u.img", folder, i);

                ck_assert_int_eq(truncate(path, (off_t)(MIB + (round + 1) * 512)), 0);
        }
}

/* ---- another client, who hears no signals and asks all the time ---- */

struct shared {
        double longest_ms;
        bool end;
};

struct asker {
        pid_t pid;
        volatile struct shared *shared; /* with it */
};

static void ask(const char *address, const struct bench_call *question, volatile struct shared *shared)
{
        sd_bus *bus = NULL;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 ||
            sd_bus_set_bus_client(bus, true) < 0 || sd_bus_start(bus) < 0)
                _exit(EXIT_FAILURE);
        while (!shared->end) {
                g_autoptr(sd_bus_message) reply = NULL;
                sd_bus_error error = SD_BUS_ERROR_NULL;
                int64_t start = bench_now_ns();

                /* That the pool is not active is an answer, too. */
                if (sd_bus_call_method(bus, "org.libvirt", question->path, question->interface,
                                       question->member, &error, &reply, *question->types ? "u" : NULL,
                                       0) < 0 &&
                    !sd_bus_error_has_name(&error, LIBVIRT_ERROR))
                        _exit(EXIT_FAILURE);
                sd_bus_error_free(&error);
                shared->longest_ms = MAX(shared->longest_ms, (bench_now_ns() - start) / 1e6);
                g_usleep(200);
        }
        _exit(EXIT_SUCCESS);
}

static void asker_start(struct asker *asker, struct bench *bench, const struct bench_call *question)
{
        asker->shared =
                mmap(NULL, sizeof(*asker->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne((void *)asker->shared, MAP_FAILED);
        asker->pid = fork();
        ck_assert_int_ge(asker->pid, 0);
        if (asker->pid == 0)
                ask(harness_get_address(bench->harness), question, asker->shared);
        while (asker->shared->longest_ms == 0)
                g_usleep(1000);
        asker->shared->longest_ms = 0;
}

static double asker_end(struct asker *asker)
{
        double longest_ms;
        int status;

        asker->shared->end = true;
        ck_assert_int_eq(waitpid(asker->pid, &status, 0), asker->pid);
        ck_assert_int_eq(status, 0);
        longest_ms = asker->shared->longest_ms;
        munmap((void *)asker->shared, sizeof(*asker->shared));
        return longest_ms;
}

/* A pool of many files at work, and two questions that another client asks about it all the time. */
struct folder {
        struct bench *bench;
        const char *pool;
        const char *path;
        struct bench_call questions[2];
};

/* Something that is done to the pool: how long it takes, how long the longest answer meanwhile. */
struct task {
        const char *what;
        const char *member;
        const char *types;
        void (*before)(const char *path, unsigned round);
        const char *undo; /* the member that undoes it, or that prepares it; NULL: none */
        bool undo_first;
        const char *undo_types;
};

static void undo(const struct folder *folder, const struct task *task, bool first)
{
        struct bench_call call = { folder->pool, POOL_INTERFACE, task->undo, task->undo_types, NULL, NULL };

        if (task->undo && task->undo_first == first)
                time_ms(folder->bench, &call);
}

static void measure_round(const struct folder *folder, const struct task *task,
                          const struct bench_call *question, int64_t *work_ns, int64_t *longest_ns)
{
        const struct bench_call work = {
                folder->pool, POOL_INTERFACE, task->member, task->types, NULL, NULL
        };
        struct asker asker;

        undo(folder, task, true);
        asker_start(&asker, folder->bench, question);
        *work_ns = (int64_t)(time_ms(folder->bench, &work) * 1e6);
        *longest_ns = (int64_t)(asker_end(&asker) * 1e6);
        undo(folder, task, false);
        client_forget_signals(folder->bench->client);
}

/* Medians: this host does other things, too. */
static void measure_task(const struct folder *folder, const struct task *task)
{
        int64_t work_ns[G_N_ELEMENTS(folder->questions)][TASK_ROUNDS],
                longest_ns[G_N_ELEMENTS(folder->questions)][TASK_ROUNDS];

        for (unsigned i = 0; i < TASK_ROUNDS; i++) {
                for (unsigned q = 0; q < G_N_ELEMENTS(folder->questions); q++) {
                        if (task->before)
                                task->before(folder->path, i * 2 + q);
                        measure_round(folder, task, &folder->questions[q], &work_ns[q][i], &longest_ns[q][i]);
                }
        }
        /* Beside the small question: lists of a megabyte, one after the other, are work of their own. */
        bench_print_value(task->what, bench_median(work_ns[0], TASK_ROUNDS) / 1e6, "ms", SECOND);
        for (unsigned q = 0; q < G_N_ELEMENTS(folder->questions); q++) {
                g_autofree char *what =
                        g_strdup_printf("  longest %s meanwhile", folder->questions[q].member);

                bench_print_value(what, bench_median(longest_ns[q], TASK_ROUNDS) / 1e6, "ms", 50);
        }
}

/* clang-format off: a task a line */
static const struct task tasks[] = {
        { "start of a pool of 10,000 files", "Create", "u", NULL, "Destroy", false, "" },
        { "stop of it", "Destroy", "", NULL, "Create", true, "u" },
        { "refresh when nothing changed", "Refresh", "u", NULL, NULL, false, NULL },
        { "refresh when every file changed", "Refresh", "u", change_all, NULL, false, NULL },
};
/* clang-format on */

static void measure_folder(struct bench *bench)
{
        g_autofree char *path = harness_path(bench->harness, "images");
        g_autofree char *xml = pool_dir_xml("bench", path);
        g_autofree char *pool = client_call_string(bench->client, QEMU_PATH, CONNECT_INTERFACE,
                                                   "StoragePoolDefineXML", "su", xml, 0);
        const struct bench_call info = { pool, POOL_INTERFACE, "GetInfo", "", NULL, NULL };
        const struct bench_call list = { pool, POOL_INTERFACE, "ListStorageVolumes", "u", NULL, NULL };
        const struct bench_call objects = {
                QEMU_PATH, MANAGER_OF_OBJECTS, "GetManagedObjects", "", NULL, NULL
        };
        const struct folder folder = { bench, pool, path, { info, list } };
        double ours, echo;

        fill_folder(path);
        for (unsigned i = 0; i < G_N_ELEMENTS(tasks); i++) {
                measure_task(&folder, &tasks[i]);
                /* Those that follow look at an active pool. */
                if (i == 1)
                        client_do(bench->client, pool, POOL_INTERFACE, "Create", "u", 0);
        }
        client_forget_signals(bench->client);
        bench_compare(bench, &list, ROUNDS, &ours, &echo);
        bench_print("ListStorageVolumes of 10,000", ours, echo, "us", 0);
        bench_compare(bench, &objects, ROUNDS, &ours, &echo);
        bench_print("GetManagedObjects of 10,000", ours, echo, "us", 0);
        client_do(bench->client, pool, POOL_INTERFACE, "Destroy", NULL);
        client_do(bench->client, pool, POOL_INTERFACE, "Undefine", NULL);
}

static double measure_tool_ms(struct bench *bench, const char *format)
{
        int64_t times[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                g_autofree char *name = g_strdup_printf("tool-%u", i);
                g_autofree char *path = harness_path(bench->harness, name);
                int64_t start = bench_now_ns();

                run_tool(format, path, "64M");
                times[i] = bench_now_ns() - start;
                unlink(path);
        }
        return bench_median(times, ROUNDS) / 1e6;
}

static double measure_create_ms(struct bench *bench, const char *pool, const char *format)
{
        int64_t times[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                g_autofree char *name = g_strdup_printf("disk-%u", i);
                int64_t start = bench_now_ns();
                g_autofree char *volume = pool_make_volume(bench->client, pool, name, format, 64 * MIB);

                times[i] = bench_now_ns() - start;
                client_do(bench->client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
        }
        return bench_median(times, ROUNDS) / 1e6;
}

/* ---- clones ---- */

#define CLONE_MIB 64

/* A source with data in it, as the volume of that name in the pool's folder. */
static char *make_source(const char *folder, const char *name, const char *format)
{
        g_autofree char *data = g_build_filename(folder, "data", NULL);
        g_autofree char *block = g_strnfill(MIB, 'x');
        char *path = g_build_filename(folder, name, NULL);
        int fd = open(data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        for (unsigned i = 0; i < CLONE_MIB; i++)
                ck_assert_int_eq(write(fd, block, MIB), (ssize_t)MIB);
        close(fd);
        run_command(
                (const char *const[]){ "qemu-img", "convert", "-f", "raw", "-O", format, data, path, NULL });
        unlink(data);
        return path;
}

/* A raw copy is on the disk when the agent answers; what qemu-img converts is when the kernel gets to it. */
static void copy_by_tool(const char *format, const char *source, const char *copy)
{
        if (strcmp(format, "raw") != 0) {
                run_command((const char *const[]){ "qemu-img", "convert", "-f", format, "-O", format, source,
                                                   copy, NULL });
                return;
        }
        run_command((const char *const[]){ "cp", "--reflink=auto", source, copy, NULL });
        run_command((const char *const[]){ "sync", "--data", copy, NULL });
}

static double measure_copy_ms(struct bench *bench, const char *format, const char *source)
{
        g_autofree char *copy = harness_path(bench->harness, "copy");
        int64_t times[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                int64_t start = bench_now_ns();

                copy_by_tool(format, source, copy);
                times[i] = bench_now_ns() - start;
                unlink(copy);
        }
        return bench_median(times, ROUNDS) / 1e6;
}

static double measure_clone_ms(struct bench *bench, const char *pool, const char *format, const char *source)
{
        g_autofree char *xml = pool_volume_xml("clone", format, 1, NULL);
        int64_t times[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                int64_t start = bench_now_ns();
                g_autofree char *volume =
                        client_call_string(bench->client, pool, POOL_INTERFACE, "StorageVolCreateXMLFrom",
                                           "ssu", xml, source, 0);

                times[i] = bench_now_ns() - start;
                client_do(bench->client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
        }
        return bench_median(times, ROUNDS) / 1e6;
}

static void measure_clone(struct bench *bench, const char *pool, const char *folder, const char *format,
                          const char *what)
{
        g_autofree char *source = make_source(folder, format, format);

        client_do(bench->client, pool, POOL_INTERFACE, "Refresh", "u", 0);
        bench_print_value(
                what, measure_clone_ms(bench, pool, format, source) - measure_copy_ms(bench, format, source),
                "ms", 20);
}

void bench_storage(struct bench *bench)
{
        g_autofree char *folder = harness_path(bench->harness, MADE_IN);
        g_autofree char *pool = NULL;

        measure_folder(bench);
        pool = pool_start_dir(bench->client, MADE_IN, folder);
        bench_print_value("create of a qcow2 volume, beyond qemu-img",
                          measure_create_ms(bench, pool, "qcow2") - measure_tool_ms(bench, "qcow2"), "ms",
                          20);
        bench_print_value("create of a raw volume, beyond qemu-img",
                          measure_create_ms(bench, pool, "raw") - measure_tool_ms(bench, "raw"), "ms", 20);
        measure_clone(bench, pool, folder, "qcow2", "clone of a qcow2 volume of 64 MiB, beyond qemu-img");
        measure_clone(bench, pool, folder, "raw", "clone of a raw volume of 64 MiB, beyond cp and sync");
        client_do(bench->client, pool, POOL_INTERFACE, "Destroy", NULL);
        client_do(bench->client, pool, POOL_INTERFACE, "Undefine", NULL);
}
