/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Long work as a client sees it: the job's object, its progress, its end, and the streams of volumes, which
 * are jobs that last for as long as their client likes.
 */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/harness.h"
#include "tests/support/pool.h"

#define MIB UINT64_C(1048576)

static struct harness *harness;
static struct client *client;
static char *folder, *pool;

/* Stands in for scrub(1): never gets anywhere. */
static void make_scrub(void)
{
        g_autofree char *tools = harness_path(harness, "tools");
        g_autofree char *scrub = harness_path(harness, "tools/scrub");
        g_autofree char *path = g_strconcat(tools, ":", g_getenv("PATH"), NULL);

        ck_assert_int_eq(mkdir(tools, 0700), 0);
        ck_assert(g_file_set_contents(scrub, "#!/bin/sh\nexec sleep 1000\n", -1, NULL));
        ck_assert_int_eq(chmod(scrub, 0700), 0);
        harness_set_environment(harness, "PATH", path);
}

static void set_up(void)
{
        harness = harness_new_bus();
        make_scrub();
        harness_start_agent(harness);
        client = harness_get_client(harness);
        folder = harness_path(harness, "images");
        pool = pool_start_dir(client, "images", folder);
        client_forget_signals(client);
}

static void tear_down(void)
{
        g_free(pool);
        g_free(folder);
        harness_free(harness);
}

static bool match_job(sd_bus_message *message, const void *data)
{
        const char *path;

        return sd_bus_message_read(message, "o", &path) > 0 && strstr(path, "/job/");
}

/* Waits until a job is announced; returns its path, to be freed. */
static char *wait_job(void)
{
        g_autoptr(sd_bus_message) message =
                client_wait_signal(client, QEMU_PATH, MANAGER_OF_OBJECTS, "InterfacesAdded", match_job, NULL);
        const char *path;

        ck_assert_int_gt(sd_bus_message_read(message, "o", &path), 0);
        return g_strdup(path);
}

/* Waits for the end of a job and checks how it ended. */
static void wait_completed(const char *job, bool success, const char *error)
{
        g_autoptr(sd_bus_message) message =
                client_wait_signal(client, job, JOB_INTERFACE, "Completed", NULL, NULL);
        const char *text;
        int succeeded;

        ck_assert_int_gt(sd_bus_message_read(message, "bs", &succeeded, &text), 0);
        ck_assert_msg(succeeded == success && g_pattern_match_simple(error, text), "job ended: %d '%s'",
                      succeeded, text);
        pool_wait_removed(client, job);
}

static int open_stream(const char *volume, const char *member, uint64_t offset, uint64_t length)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, volume, VOLUME_INTERFACE, member, "ttu", offset, length, 0);
        int fd;

        ck_assert_int_gt(sd_bus_message_read(reply, "h", &fd), 0);
        return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void write_all(int fd, const char *content, size_t length)
{
        while (length > 0) {
                ssize_t n = write(fd, content, length);

                ck_assert_int_gt(n, 0);
                content += n;
                length -= (size_t)n;
        }
}

static GString *read_all(int fd)
{
        GString *content = g_string_new(NULL);
        char buffer[65536];
        ssize_t n;

        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                g_string_append_len(content, buffer, n);
        ck_assert_int_eq(n, 0);
        return content;
}

START_TEST(test_what_is_uploaded_is_downloaded)
{
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", 2 * MIB);
        g_autofree char *content = g_strnfill(MIB, 'v');
        g_autofree char *up = NULL, *down = NULL;
        GString *back;
        int fd;

        client_forget_signals(client);
        fd = open_stream(volume, "Upload", 512, MIB);
        up = wait_job();
        write_all(fd, content, MIB);
        close(fd);
        wait_completed(up, true, "");
        fd = open_stream(volume, "Download", 511, MIB + 2);
        down = wait_job();
        back = read_all(fd);
        close(fd);
        wait_completed(down, true, "");
        ck_assert_uint_eq(back->len, MIB + 2);
        ck_assert_int_eq(back->str[0], 0);
        ck_assert_int_eq(back->str[MIB + 1], 0);
        ck_assert_mem_eq(back->str + 1, content, MIB);
        g_string_free(back, TRUE);
}
END_TEST

START_TEST(test_ranges_outside_the_volume_are_refused)
{
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);

        client_fails(client, LIBVIRT_ERROR, "*", volume, VOLUME_INTERFACE, "Download", "ttu", 2 * MIB,
                     UINT64_C(1), 0);
        client_fails(client, LIBVIRT_ERROR, "*", volume, VOLUME_INTERFACE, "Upload", "ttu", UINT64_MAX,
                     UINT64_MAX, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x*", volume, VOLUME_INTERFACE, "Download",
                     "ttu", UINT64_C(0), UINT64_C(0), 1u << 30);
}
END_TEST

START_TEST(test_a_job_tells_what_it_is)
{
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        g_autofree char *job = NULL, *operation = NULL, *state = NULL, *object = NULL;
        int fd;

        client_forget_signals(client);
        fd = open_stream(volume, "Upload", 0, 0);
        job = wait_job();
        ck_assert(g_str_has_prefix(job, QEMU_PATH "/job/"));
        operation = client_get_string(client, job, JOB_INTERFACE, "Operation");
        state = client_get_string(client, job, JOB_INTERFACE, "State");
        client_get(client, job, JOB_INTERFACE, "Object", 'o', &object);
        ck_assert_str_eq(operation, "upload");
        ck_assert_str_eq(state, "running");
        ck_assert_str_eq(object, pool);
        client_do(client, job, JOB_INTERFACE, "Cancel", NULL);
        wait_completed(job, false, "operation aborted*");
        client_fails(client, LIBVIRT_ERROR, "*no job*", job, JOB_INTERFACE, "Cancel", NULL);
        close(fd);
}
END_TEST

START_TEST(test_a_client_who_closes_early)
{
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        g_autofree char *job = NULL;
        int fd;

        client_forget_signals(client);
        fd = open_stream(volume, "Upload", 0, MIB);
        job = wait_job();
        write_all(fd, "short", strlen("short"));
        close(fd);
        wait_completed(job, false, "?*");
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
}
END_TEST

/* The call that asked for the work hears of its end as well. */
START_TEST(test_a_wipe_that_is_cancelled)
{
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        struct client_answer answer = { 0 };
        g_autofree char *job = NULL;

        client_forget_signals(client);
        client_send(client, &answer, volume, VOLUME_INTERFACE, "Wipe", "uu", 1, 0);
        job = wait_job();
        client_do(client, job, JOB_INTERFACE, "Cancel", NULL);
        wait_completed(job, false, "operation aborted*");
        client_wait_answer(client, &answer);
        ck_assert(g_pattern_match_simple("operation aborted*", answer.error));
        g_free(answer.error);
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
}
END_TEST

START_TEST(test_a_volume_in_use_by_a_job_is_not_deleted)
{
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        g_autofree char *job = NULL;
        int fd;

        client_forget_signals(client);
        fd = open_stream(volume, "Upload", 0, 0);
        job = wait_job();
        client_fails(client, LIBVIRT_ERROR, "Requested operation is not valid*", volume, VOLUME_INTERFACE,
                     "Delete", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*", pool, POOL_INTERFACE, "Destroy", NULL);
        close(fd);
        pool_wait_removed(client, job);
        client_do(client, volume, VOLUME_INTERFACE, "Delete", "u", 0);
}
END_TEST

/* SIGTERM does not wait for a client that never writes; harness_free() checks the exit status. */
START_TEST(test_the_agent_ends_while_a_job_runs)
{
        g_autofree char *volume = pool_make_volume(client, pool, "disk.img", "raw", MIB);
        int fd = open_stream(volume, "Upload", 0, 0);
        int64_t start_us = g_get_monotonic_time();
        int status = harness_end_agent(harness, SIGTERM);

        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        ck_assert_int_lt(g_get_monotonic_time() - start_us, 30 * G_USEC_PER_SEC);
        close(fd);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("jobs");
        TCase *tcase = tcase_create("jobs");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_what_is_uploaded_is_downloaded);
        tcase_add_test(tcase, test_ranges_outside_the_volume_are_refused);
        tcase_add_test(tcase, test_a_job_tells_what_it_is);
        tcase_add_test(tcase, test_a_client_who_closes_early);
        tcase_add_test(tcase, test_a_wipe_that_is_cancelled);
        tcase_add_test(tcase, test_a_volume_in_use_by_a_job_is_not_deleted);
        tcase_add_test(tcase, test_the_agent_ends_while_a_job_runs);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
