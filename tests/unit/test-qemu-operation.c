/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations of guests whose work a real QEMU does: a migration to a file and a backup job, to their end,
 * cancelled, with QEMU killed, and with the agent killed.
 */
#include "drivers/qemu/guest-job.h"
#include "drivers/qemu/migration.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/registry.h"
#include "drivers/host/host.h"
#include "drivers/qemu/driver.h"
#include "tests/support/guard.h"
#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EMULATOR "/usr/bin/qemu-system-x86_64"
#define UUID     "6695eb01-f6a4-8304-79aa-97f2502e193f"

static struct loop *loop;
static struct pool *pool;
static struct job_list *jobs;
static const struct host *host;
static struct domain_driver *driver;
static char *root;

static char *dir(const char *name)
{
        char *path = g_build_filename(root, name, NULL);

        g_mkdir(path, 0700);
        return path;
}

static void start_agent(void)
{
        g_autofree char *state = dir("state"), *run = dir("run"), *log = dir("log"), *cache = dir("cache");
        const struct qemu_driver_config config = {
                .state_dir = state,
                .runtime_dir = run,
                .log_dir = log,
                .cache_dir = cache,
        };
        g_autoptr(GError) error = NULL;

        loop = loop_new(NULL);
        pool = pool_new(4, NULL);
        host = host_new_real();
        jobs = job_list_new(loop, pool);
        driver = qemu_driver_new(loop, pool, host, &config, &error);
        ck_assert_msg(driver != NULL, "%s", error ? error->message : "");
}

static void setup(void)
{
        log_init(LOG_LEVEL_NOTICE);
        root = g_dir_make_tmp("virtbus-operation-XXXXXX", NULL);
        guard_folder(root);
}

static void teardown(void)
{
        const char *const argv[] = { "rm", "-rf", root, NULL };

        if (driver) {
                qemu_driver_free(driver);
                host_unref(host);
                pool_free(pool);
                while (loop_step(loop, false))
                        ;
                job_list_free(jobs);
                loop_free(loop);
        }
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                               NULL));
        g_free(root);
}

static bool has_qemu(void)
{
        if (access(EMULATOR, X_OK) == 0)
                return true;
        check_skip(EMULATOR " is not installed");
        return false;
}

/* ---- guests ---- */

struct result {
        bool done;
        GError *error;
        struct domain *domain;
};

static void on_done(struct managed *object, const GError *error, void *data)
{
        struct result *result = data;

        result->done = true;
        result->error = error ? g_error_copy(error) : NULL;
        result->domain = (struct domain *)object;
}

static void on_queued(void *data)
{
}

static void wait_for(const bool *flag)
{
        while (!*flag)
                loop_step(loop, true);
}

static struct domain *create(void)
{
        g_autofree char *xml = g_strdup_printf(
                "<domain type='%s'><name>web</name><uuid>" UUID "</uuid><memory unit='MiB'>64</memory>"
                "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>",
                access("/dev/kvm", R_OK | W_OK) == 0 ? "kvm" : "qemu");
        struct result result = { 0 };

        domain_create_xml(driver, xml, 0, NULL, on_queued, on_done, &result);
        wait_for(&result.done);
        ck_assert_msg(!result.error, "%s", result.error ? result.error->message : "");
        return result.domain;
}

static void destroy(struct domain *domain)
{
        struct result result = { 0 };

        domain_destroy(domain, 0, on_done, &result);
        wait_for(&result.done);
        ck_assert_msg(!result.error, "%s", result.error ? result.error->message : "");
}

/* ---- operations ---- */

struct work {
        struct operation base;
        struct guest_job job;
        bool slow;               /* it does not end by itself */
        int fd;                  /* what a migration writes to */
        struct outcome *outcome; /* borrowed */
};

struct outcome {
        bool done;
        char *error; /* owned; NULL: it went well */
        enum job_state state;
        struct job_progress progress;
};

static bool say(struct operation *op, const char *command, json_t *arguments, GError **error)
{
        struct guest *guest = guest_of((struct domain *)op->object);

        return qmp_execute(guest->qmp, command, arguments, QMP_TIMEOUT_MS, NULL, error);
}

static bool stop_guest(struct operation *op, GError **error)
{
        return say(op, "stop", NULL, error);
}

static void continue_guest(struct operation *op)
{
        if (((struct domain *)op->object)->live)
                ck_assert(say(op, "cont", NULL, NULL));
}

static bool continue_guest_at_last(struct operation *op, GError **error)
{
        return say(op, "cont", NULL, error);
}

static bool migrate(struct operation *op, GError **error)
{
        struct work *work = (struct work *)op;
        struct qmp *qmp = guest_of((struct domain *)op->object)->qmp;
        uint64_t id = qmp_send_fd(qmp, "getfd", json_pack("{s:s}", "fdname", "save"), work->fd);

        return qmp_receive(qmp, id, lane_deadline_in(QMP_TIMEOUT_MS), NULL, error) &&
               say(op, "migrate-set-parameters",
                   json_pack("{s:i}", "max-bandwidth", work->slow ? 4096 : 1 << 30), error) &&
               guest_job_begin_migration(&work->job, op, "fd:save", migration_make_capabilities(0), error);
}

static json_t *make_node(const char *name)
{
        return json_pack("{s:s, s:s, s:i}", "driver", "null-co", "node-name", name, "size", 64 << 20);
}

static bool back_up(struct operation *op, GError **error)
{
        struct work *work = (struct work *)op;

        return say(op, "blockdev-add", make_node("from"), error) &&
               say(op, "blockdev-add", make_node("to"), error) &&
               guest_job_begin(&work->job, op, "copy", "blockdev-backup",
                               json_pack("{s:s, s:s, s:s, s:i}", "device", "from", "target", "to", "sync",
                                         "full", "speed", work->slow ? 65536 : 0),
                               error);
}

static void cancel(struct operation *op)
{
        guest_job_cancel(&((struct work *)op)->job);
}

static void done(struct operation *op, const GError *error)
{
        struct outcome *outcome = ((struct work *)op)->outcome;
        const struct operation_report *report = operation_get_report(op->object);

        outcome->error = error ? g_strdup(error->message) : NULL;
        outcome->state = report->state;
        outcome->progress = report->progress;
        outcome->done = true;
}

static void clear(struct operation *op)
{
        close(((struct work *)op)->fd);
}

static const struct operation_step save_steps[] = {
        { .place = OPERATION_OBJECT, .run = stop_guest, .undo = continue_guest },
        { .place = OPERATION_PASSIVE, .run = migrate, .cancel = cancel },
        { .place = OPERATION_OBJECT, .run = continue_guest_at_last, .final = true },
};

static const struct operation_step backup_steps[] = {
        { .place = OPERATION_PASSIVE, .run = back_up, .cancel = cancel },
};

static const struct operation_kind kinds[] = {
        { .name = "save",
          .steps = save_steps,
          .n_steps = G_N_ELEMENTS(save_steps),
          .size = sizeof(struct work),
          .exclusive = true,
          .done = done,
          .clear = clear },
        { .name = "backup",
          .steps = backup_steps,
          .n_steps = G_N_ELEMENTS(backup_steps),
          .size = sizeof(struct work),
          .exclusive = true,
          .done = done,
          .clear = clear },
};

enum { SAVE, BACKUP };

static struct work *begin(struct domain *domain, unsigned kind, bool slow, struct outcome *outcome)
{
        struct work *work = (struct work *)operation_new(&kinds[kind], &domain->base, jobs);

        work->slow = slow;
        work->fd = memfd_create("save", MFD_CLOEXEC);
        work->outcome = outcome;
        operation_run(&work->base);
        return work;
}

/* It is under way: QEMU has told how far it is. */
static void wait_for_progress(const struct outcome *outcome)
{
        const struct job *job = NULL;

        while (!job || job_get_progress(job)->data.total == 0) {
                ck_assert_msg(!outcome->done, "%s", outcome->error ? outcome->error : "it is over");
                loop_step(loop, true);
                job = job_list_find(jobs, 1);
        }
}

static void expect_running(const struct domain *domain)
{
        while (domain_get_published(domain)->state != DOMAIN_RUNNING)
                loop_step(loop, true);
}

/* ---- */

START_TEST(qemu_works_to_the_end)
{
        struct outcome outcome = { 0 };
        struct domain *domain;
        struct work *work;
        int fd;

        if (!has_qemu())
                return;
        start_agent();
        domain = create();
        work = begin(domain, (unsigned)_i, false, &outcome);
        fd = dup(work->fd);
        wait_for(&outcome.done);
        ck_assert_msg(!outcome.error, "%s", outcome.error);
        ck_assert_int_eq(outcome.state, JOB_COMPLETED);
        ck_assert_uint_ge(outcome.progress.data.total, 64 << 20);
        ck_assert_uint_eq(outcome.progress.data.remaining, 0);
        if (_i == SAVE) {
                ck_assert_int_gt(lseek(fd, 0, SEEK_END), 100000);
                ck_assert_uint_eq(outcome.progress.pages.size, 4096);
        }
        close(fd);
        expect_running(domain);
        destroy(domain);
}
END_TEST

START_TEST(qemu_is_asked_to_stop)
{
        struct outcome outcome = { 0 }, again = { 0 };
        struct domain *domain;

        if (!has_qemu())
                return;
        start_agent();
        domain = create();
        begin(domain, (unsigned)_i, true, &outcome);
        wait_for_progress(&outcome);
        job_cancel(job_list_find(jobs, 1));
        wait_for(&outcome.done);
        ck_assert_int_eq(outcome.state, JOB_CANCELLED);
        ck_assert_ptr_nonnull(strstr(outcome.error, "was cancelled"));
        expect_running(domain);
        /* Nothing of it is left that the next one would run into. */
        if (_i == SAVE) {
                begin(domain, SAVE, false, &again);
                wait_for(&again.done);
                ck_assert_msg(!again.error, "%s", again.error);
        }
        destroy(domain);
        g_free(outcome.error);
}
END_TEST

START_TEST(it_ends_with_its_guest)
{
        struct outcome outcome = { 0 };
        struct domain *domain;

        if (!has_qemu())
                return;
        start_agent();
        domain = create();
        begin(domain, (unsigned)_i, true, &outcome);
        wait_for_progress(&outcome);
        managed_ref(&domain->base);
        kill(domain_get_published(domain)->pid, SIGKILL);
        wait_for(&outcome.done);
        ck_assert_int_eq(outcome.state, JOB_FAILED);
        ck_assert_ptr_nonnull(strstr(outcome.error, "ended with its guest"));
        managed_unref(&domain->base);
        g_free(outcome.error);
}
END_TEST

/* What an agent began that was killed. */
static void begin_and_be_killed(unsigned kind, int ready_fd)
{
        struct outcome outcome = { 0 };

        start_agent();
        begin(create(), kind, true, &outcome);
        wait_for_progress(&outcome);
        ck_assert_int_eq(write(ready_fd, "", 1), 1);
        for (;;)
                loop_step(loop, true);
}

static bool is_quiet; /* as QEMU says */

static bool look(struct managed *object, void *data, GError **error)
{
        struct guest *guest = guest_of((struct domain *)object);
        json_t *list = NULL, *migration = NULL;
        const char *status = NULL;

        if (!guest->qmp || guest->inherited)
                return true;
        ck_assert(qmp_execute(guest->qmp, "query-jobs", NULL, QMP_TIMEOUT_MS, &list, NULL));
        ck_assert(qmp_execute(guest->qmp, "query-migrate", NULL, QMP_TIMEOUT_MS, &migration, NULL));
        status = json_string_value(json_object_get(migration, "status"));
        is_quiet = json_array_size(list) == 0 && (!status || strcmp(status, "cancelled") == 0);
        json_decref(list);
        json_decref(migration);
        return true;
}

START_TEST(the_next_agent_ends_it)
{
        struct domain *domain;
        char byte;
        int fds[2];
        pid_t pid;

        if (!has_qemu())
                return;
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0)
                begin_and_be_killed((unsigned)_i, fds[1]);
        close(fds[1]);
        ck_assert_int_eq(read(fds[0], &byte, 1), 1);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(fds[0]);
        start_agent();
        domain = domain_lookup_name(driver, "web", NULL);
        ck_assert_ptr_nonnull(domain);
        while (!is_quiet) {
                struct result result = { 0 };

                managed_run(&domain->base, MANAGED_IN_TURN, look, on_done, &result);
                wait_for(&result.done);
        }
        destroy(domain);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-operation");
        TCase *tests = tcase_create("qemu-operation");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tests, 60);
        tcase_add_checked_fixture(tests, setup, teardown);
        tcase_add_loop_test(tests, qemu_works_to_the_end, 0, G_N_ELEMENTS(kinds));
        tcase_add_loop_test(tests, qemu_is_asked_to_stop, 0, G_N_ELEMENTS(kinds));
        tcase_add_loop_test(tests, it_ends_with_its_guest, 0, G_N_ELEMENTS(kinds));
        tcase_add_loop_test(tests, the_next_agent_ends_it, 0, G_N_ELEMENTS(kinds));
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
