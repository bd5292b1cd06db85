/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Volumes in long work: copies that are cancelled or were left behind, uploads and downloads.
 */
#include "tests/unit/storage-support.h"

#include "drivers/storage/model.h"
#include "drivers/storage/temporary.h"

#include <poll.h>
#include <sys/wait.h>

/* ---- jobs ---- */

static bool cancel_seen;

static void cancel_job(struct job *job, enum job_change change, void *data)
{
        if (change == JOB_ADDED)
                job_cancel(job);
        else if (change == JOB_ENDED)
                cancel_seen = job_get_state(job) == JOB_CANCELLED;
}

START_TEST(test_cancelled_clone)
{
        struct storage_pool *pool = make_pool("a");

        make(pool, "<volume><name>v</name><capacity unit='MiB'>4</capacity></volume>");
        job_list_listen(jobs, cancel_job, NULL);
        refuse(clone_volume(pool, "<volume><name>c</name><target><format type='qcow2'/></target></volume>",
                            "v", 0),
               "aborted");
        ck_assert(cancel_seen);
        ck_assert_uint_eq(count_entries(pool), 1);
        ck_assert_ptr_null(find(pool, "c"));
        settle();
        expect(CALL_VOLUME(storage_volume_delete, storage, find(pool, "v"), 0));
}
END_TEST

/* When a job has ended, what it made can be seen. */
static void look_for_volume(struct job *job, enum job_change change, void *data)
{
        if (change == JOB_ENDED)
                cancel_seen = find(data, "c") != NULL;
}

START_TEST(test_job_ends_after_publication)
{
        struct storage_pool *pool = make_pool("a");

        make(pool, "<volume><name>v</name><capacity unit='MiB'>4</capacity></volume>");
        job_list_listen(jobs, look_for_volume, pool);
        expect(clone_volume(pool, "<volume><name>c</name><capacity>1</capacity></volume>", "v", 0));
        ck_assert(cancel_seen);
}
END_TEST

/* What an agent that was killed left is removed at the start of the pool; another's work is not. */
START_TEST(test_left_over)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *boot = NULL, *dead = NULL, *foreign = NULL;

        ck_assert(g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL));
        dead = g_strdup_printf("%s/a/.virtbus-%.8s-1-1-00000000.tmp", top, boot);
        foreign = g_strdup_printf("%s/a/.virtbus-00000000-1-1-00000000.tmp", top);
        ck_assert(g_file_set_contents(dead, "x", 1, NULL));
        ck_assert(g_file_set_contents(foreign, "x", 1, NULL));
        expect(CALL(storage_pool_refresh, pool, 0));
        ck_assert_uint_eq(storage_volume_list(pool, 0, NULL)->count, 0);
        expect(CALL(storage_pool_destroy, pool));
        expect(CALL(storage_pool_create, pool, 0));
        ck_assert_int_ne(access(dead, F_OK), 0);
        ck_assert_int_eq(access(foreign, F_OK), 0);
}
END_TEST

/* Who takes init's place in a container may not reap what has ended. */
START_TEST(test_left_over_of_a_zombie)
{
        struct storage_pool *pool = make_pool("a");
        g_autofree char *directory = under_top("a");
        siginfo_t info;
        pid_t pid = fork();

        if (pid == 0) {
                char *name;

                _exit(temporary_new(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &name, NULL) < 0);
        }
        ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        ck_assert_int_eq(info.si_status, 0);
        ck_assert_uint_eq(count_entries(pool), 1);
        expect(CALL(storage_pool_destroy, pool));
        expect(CALL(storage_pool_create, pool, 0));
        ck_assert_uint_eq(count_entries(pool), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* ---- streams ---- */

static char *job_error;

static void note_end(struct job *job, enum job_change change, void *data)
{
        if (change != JOB_ENDED)
                return;
        g_free(job_error);
        job_error = g_strdup(job_get_error(job));
}

START_TEST(test_streams)
{
        struct storage_pool *pool = make_pool("a");
        struct stream up = { 0 }, down = { 0 }, refused = { 0 };
        char data[32] = "";

        job_list_listen(jobs, note_end, NULL);
        make(pool, "<volume><name>v</name><capacity>16</capacity></volume>");
        settle();
        storage_volume_upload(storage, find(pool, "v"), 4, 5, 0, streaming, &up);
        while (!up.done)
                loop_step(loop, true);
        ck_assert_int_eq(write(up.fd, "hello", 5), 5);
        refuse(CALL_VOLUME(storage_volume_delete, storage, find(pool, "v"), 0), "is still in use");
        refuse(CALL(storage_pool_destroy, pool), "jobs running");
        close(up.fd);
        settle();
        ck_assert_str_eq(job_error, "");
        storage_volume_download(storage, find(pool, "v"), 2, 0, 0, streaming, &down);
        settle();
        ck_assert_int_eq(read(down.fd, data, sizeof(data)), 14);
        ck_assert_int_eq(memcmp(data, "\0\0hello\0", 8), 0);
        ck_assert_int_eq(read(down.fd, data, sizeof(data)), 0);
        close(down.fd);
        storage_volume_download(storage, find(pool, "v"), 2, 15, 0, streaming, &refused);
        while (!refused.done)
                loop_step(loop, true);
        ck_assert_int_eq(refused.fd, -1);
        ck_assert_ptr_nonnull(strstr(refused.error, "beyond"));
        g_free(refused.error);
        /* Too much and too little. */
        up.done = false;
        storage_volume_upload(storage, find(pool, "v"), 0, 0, 0, streaming, &up);
        while (!up.done)
                loop_step(loop, true);
        ck_assert_int_eq(write(up.fd, "hello hello hello", 17), 17);
        settle();
        ck_assert_ptr_nonnull(strstr(job_error, "more than 16 bytes"));
        close(up.fd);
        up.done = false;
        storage_volume_upload(storage, find(pool, "v"), 0, 8, 0, streaming, &up);
        while (!up.done)
                loop_step(loop, true);
        close(up.fd);
        settle();
        ck_assert_ptr_nonnull(strstr(job_error, "after 0 of 8 bytes"));
        g_free(job_error);
}
END_TEST

/* ---- a client that keeps up ---- */

#define ENOUGH (8 << 20)
#define LITTLE (4 << 20) /* of which the pipe holds one */

struct flood {
        int fd;
        uint64_t sent;
        gint cancelled; /* atomic */
        uint64_t after; /* what was sent after that */
};

static void cancel_flooded(void *data)
{
        struct flood *flood = data;
        g_autoptr(GPtrArray) all = job_list_get_all(jobs);

        job_cancel(g_ptr_array_index(all, 0));
        g_atomic_int_set(&flood->cancelled, true);
}

static gpointer flood_main(gpointer data)
{
        struct flood *flood = data;
        g_autofree char *chunk = g_malloc0(1 << 20);
        ssize_t written;

        while ((written = write(flood->fd, chunk, 1 << 20)) > 0) {
                bool enough = flood->sent >= ENOUGH;

                flood->sent += (uint64_t)written;
                if (!enough && flood->sent >= ENOUGH)
                        loop_post(loop, cancel_flooded, flood);
                if (g_atomic_int_get(&flood->cancelled))
                        flood->after += (uint64_t)written;
        }
        return NULL;
}

START_TEST(test_cancelled_upload_of_a_flood)
{
        struct storage_pool *pool = make_pool("a");
        struct flood flood = { 0 };
        struct stream up = { 0 };
        GThread *writer;

        make(pool,
             "<volume><name>v</name><capacity unit='GiB'>8</capacity><allocation>0</allocation></volume>");
        job_list_listen(jobs, note_end, NULL);
        storage_volume_upload(storage, find(pool, "v"), 0, 0, 0, streaming, &up);
        while (!up.done)
                loop_step(loop, true);
        flood.fd = up.fd;
        /* So that the pipe is hardly ever found empty. */
        ck_assert_int_ge(fcntl(up.fd, F_SETPIPE_SZ, 1 << 20), 1 << 20);
        writer = g_thread_new("flood", flood_main, &flood);
        settle();
        g_thread_join(writer);
        close(up.fd);
        ck_assert_ptr_nonnull(strstr(job_error, "upload of volume 'v' was interrupted"));
        ck_assert_uint_lt(flood.after, LITTLE);
        g_free(job_error);
}
END_TEST

CHECK_MAIN_FIXTURE("storage-transfers", setup, teardown, test_cancelled_clone,
                   test_job_ends_after_publication, test_left_over, test_left_over_of_a_zombie, test_streams,
                   test_cancelled_upload_of_a_flood)
