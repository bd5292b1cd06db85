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

#define FILES   10000
#define IMAGES  1000 /* of them qcow2, whose header is read */
#define ROUNDS  20
#define SECOND  1e3
#define MIB     UINT64_C(1048576)
#define MADE_IN "made"

static void run_tool(const char *format, const char *path, const char *size)
{
        const char *argv[] = { "qemu-img", "create", "-q", "-f", format, path, size, NULL };
        g_autoptr(GError) error = NULL;
        int status;

        if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                          &error) ||
            !g_spawn_check_wait_status(status, &error))
                ck_abort_msg("qemu-img: %s", error->message);
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

static void touch_all(const char *folder)
{
        for (unsigned i = 0; i < FILES; i++) {
                g_autofree char *path = g_strdup_printf("%s/guest-%05u.img", folder, i);

                ck_assert_int_eq(utimensat(AT_FDCWD, path, NULL, 0), 0);
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
                int64_t start = bench_now_ns();

                if (sd_bus_call_method(bus, "org.libvirt", question->path, question->interface,
                                       question->member, NULL, &reply, *question->types ? "u" : NULL, 0) < 0)
                        _exit(EXIT_FAILURE);
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

/* How long work takes, and the longest answer to another client's calls meanwhile. */
static void measure_work(struct bench *bench, const char *pool, const char *member,
                         const struct bench_call *question, const char *what)
{
        const struct bench_call work = { pool, POOL_INTERFACE, member, "u", NULL, NULL };
        g_autofree char *meanwhile = g_strdup_printf("  longest %s meanwhile", question->member);
        struct asker asker;

        asker_start(&asker, bench, question);
        bench_print_value(what, time_ms(bench, &work), "ms", SECOND);
        bench_print_value(meanwhile, asker_end(&asker), "ms", 50);
        client_forget_signals(bench->client);
}

static void measure_folder(struct bench *bench)
{
        g_autofree char *folder = harness_path(bench->harness, "images");
        g_autofree char *xml = pool_dir_xml("bench", folder);
        g_autofree char *pool = client_call_string(bench->client, QEMU_PATH, CONNECT_INTERFACE,
                                                   "StoragePoolDefineXML", "su", xml, 0);
        const struct bench_call info = { pool, POOL_INTERFACE, "GetInfo", "", NULL, NULL };
        const struct bench_call list = { pool, POOL_INTERFACE, "ListStorageVolumes", "u", NULL, NULL };
        const struct bench_call objects = {
                QEMU_PATH, MANAGER_OF_OBJECTS, "GetManagedObjects", "", NULL, NULL
        };
        double ours, echo;

        fill_folder(folder);
        measure_work(bench, pool, "Create", &info, "start of a pool of 10,000 files");
        measure_work(bench, pool, "Refresh", &info, "refresh when nothing changed");
        touch_all(folder);
        measure_work(bench, pool, "Refresh", &info, "refresh when every file changed");
        touch_all(folder);
        measure_work(bench, pool, "Refresh", &list, "refresh when every file changed");
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
        client_do(bench->client, pool, POOL_INTERFACE, "Destroy", NULL);
        client_do(bench->client, pool, POOL_INTERFACE, "Undefine", NULL);
}
