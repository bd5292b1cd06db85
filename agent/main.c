/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtbusd: start-up and orderly end of the agent. One table says what is started, in which order, and undone
 * in reverse. Main thread, which becomes the loop thread.
 */
#include "agent/options.h"
#include "base/error.h"
#include "base/job.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/notify.h"
#include "base/pool.h"
#include "base/registry.h"
#include "base/store.h"
#include "bus/bus.h"
#include "drivers/domain/domain.h"
#include "drivers/host/host.h"
#include "drivers/qemu/driver.h"
#include "drivers/secret/secret.h"
#include "drivers/storage/storage.h"
#include "drivers/test/test-driver.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long calls on the way may take to end after SIGTERM; guests run on. */
#define DRAIN_MS 4000
/* Descriptors for thousands of guests: a monitor and a process each. */
#define DESCRIPTORS 65536

struct agent {
        struct options options;
        struct loop *loop;           /* owned */
        struct pool *pool;           /* owned */
        const struct host *host;     /* ref */
        struct bus_model test, qemu; /* owned */
        struct bus *bus;             /* owned */
        int lock_fd;                 /* owned; -1 none */
        bool ending;
};

struct step {
        bool (*start)(struct agent *agent, GError **error);
        void (*stop)(struct agent *agent); /* NULL: nothing to undo; also called when start failed half way */
};

/* ---- steps ---- */

/* So that no socket becomes the standard output of anything, when these were closed. */
static void open_standard_files(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDWR);
        while (fd >= 0 && fd <= STDERR_FILENO);
        if (fd >= 0)
                close(fd);
}

/* As systemd would set it. A bus that starts the agent itself gives it none. */
static void set_path(void)
{
        const char *path = g_getenv("PATH");

        if (!path || !*path)
                g_setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", TRUE);
}

static bool start_process(struct agent *agent, GError **error)
{
        struct rlimit limit;

        open_standard_files();
        set_path();
        signal(SIGPIPE, SIG_IGN);
        umask(0077);
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
                limit.rlim_cur = MIN(limit.rlim_max, DESCRIPTORS);
                setrlimit(RLIMIT_NOFILE, &limit);
        }
        return true;
}

static void end(int number, void *data)
{
        struct agent *agent = data;

        log_notice("%s: ending, guests run on", g_strsignal(number));
        agent->ending = true;
        loop_quit(agent->loop);
}

static bool start_loop(struct agent *agent, GError **error)
{
        static const int signals[] = { SIGTERM, SIGINT };

        agent->loop = loop_new(error);
        return agent->loop &&
               loop_add_signals(agent->loop, signals, G_N_ELEMENTS(signals), end, agent, error);
}

static void stop_loop(struct agent *agent)
{
        loop_free(agent->loop);
}

static bool start_pool(struct agent *agent, GError **error)
{
        agent->pool = pool_new((unsigned)agent->options.threads, error);
        return agent->pool != NULL;
}

static void stop_pool(struct agent *agent)
{
        pool_free(agent->pool);
}

static bool start_directories(struct agent *agent, GError **error)
{
        const struct options *options = &agent->options;

        return store_make_dir(options->state_dir, error) && store_make_dir(options->runtime_dir, error) &&
               store_make_dir(options->log_dir, error) && store_make_dir(options->cache_dir, error) &&
               store_lock(options->state_dir, &agent->lock_fd, error);
}

static void stop_directories(struct agent *agent)
{
        if (agent->lock_fd >= 0)
                close(agent->lock_fd);
}

static bool start_host(struct agent *agent, GError **error)
{
        agent->host = host_new_real();
        return true;
}

static void stop_host(struct agent *agent)
{
        host_unref(agent->host);
}

static bool start_jobs(struct agent *agent, GError **error)
{
        agent->qemu.jobs = job_list_new(agent->loop, agent->pool);
        agent->test.jobs = job_list_new(agent->loop, agent->pool);
        return true;
}

static void stop_jobs(struct agent *agent)
{
        job_list_free(agent->test.jobs);
        job_list_free(agent->qemu.jobs);
}

static bool start_secrets(struct agent *agent, GError **error)
{
        g_autofree char *state_dir = g_build_filename(agent->options.state_dir, "secrets", NULL);

        agent->qemu.secrets = secrets_new(agent->loop, agent->pool, state_dir);
        agent->test.secrets = secrets_new(agent->loop, agent->pool, NULL);
        return secrets_load(agent->qemu.secrets, error);
}

static void stop_secrets(struct agent *agent)
{
        secrets_free(agent->test.secrets);
        secrets_free(agent->qemu.secrets);
}

static bool start_storage(struct agent *agent, GError **error)
{
        g_autofree char *state_dir = g_build_filename(agent->options.state_dir, "storage", NULL);
        g_autofree char *runtime_dir = g_build_filename(agent->options.runtime_dir, "storage", NULL);

        agent->qemu.storage = storage_new(agent->loop, agent->pool, agent->qemu.jobs, state_dir, runtime_dir);
        agent->test.storage = storage_new_test(agent->loop, agent->pool, agent->test.jobs, error);
        if (!agent->test.storage)
                return false;
        storage_set_secrets(agent->qemu.storage, agent->qemu.secrets);
        storage_set_secrets(agent->test.storage, agent->test.secrets);
        return storage_load(agent->qemu.storage, error);
}

static void stop_storage(struct agent *agent)
{
        storage_free(agent->test.storage);
        storage_free(agent->qemu.storage);
}

static bool start_test(struct agent *agent, GError **error)
{
        agent->test.domains = test_driver_new(agent->loop, agent->pool, error);
        if (agent->test.domains)
                domain_driver_set_storage(agent->test.domains, agent->test.storage, agent->test.secrets);
        return agent->test.domains != NULL;
}

static void stop_test(struct agent *agent)
{
        test_driver_free(agent->test.domains);
}

static void warn_of_root(const struct options *options)
{
        if (geteuid() != 0 || options->qemu_user)
                return;
        if (options->root_guests)
                log_warning("guests run as root, as %s says", options->config_file);
        else
                log_error("GUESTS RUN AS ROOT: this host has no user '%s' for them; make it "
                          "(systemd-sysusers), "
                          "or name another one in %s ([qemu] user=), and restart the agent",
                          OPTIONS_QEMU_USER, options->config_file);
}

static bool start_qemu(struct agent *agent, GError **error)
{
        const struct options *options = &agent->options;
        const struct qemu_driver_config config = {
                .uri = options->system ? "qemu:///system" : "qemu:///session",
                .state_dir = options->state_dir,
                .runtime_dir = options->runtime_dir,
                .log_dir = options->log_dir,
                .cache_dir = options->cache_dir,
                .user = options->qemu_user,
                .group = options->qemu_group,
                .memory_dir = options->memory_dir,
        };

        warn_of_root(options);
        agent->qemu.domains = qemu_driver_new(agent->loop, agent->pool, agent->host, &config, error);
        if (agent->qemu.domains)
                domain_driver_set_storage(agent->qemu.domains, agent->qemu.storage, agent->qemu.secrets);
        return agent->qemu.domains != NULL;
}

static void stop_qemu(struct agent *agent)
{
        qemu_driver_free(agent->qemu.domains);
}

static bool start_bus(struct agent *agent, GError **error)
{
        agent->bus = bus_new(agent->loop, agent->options.system ? BUS_SYSTEM : BUS_SESSION);
        bus_add_connection(agent->bus, &agent->qemu);
        bus_add_connection(agent->bus, &agent->test);
        return bus_start(agent->bus, error);
}

static bool is_busy(const struct bus_model *model)
{
        return registry_get_pending(domain_driver_get_registry(model->domains)) > 0 ||
               registry_get_pending(storage_get_registry(model->storage)) > 0 ||
               registry_get_pending(secrets_get_registry(model->secrets)) > 0 ||
               job_list_get_count(model->jobs) > 0;
}

/* Calls are to be answered and lanes idle before what they use is freed. */
static bool may_end(const struct agent *agent)
{
        return bus_is_idle(agent->bus) && !is_busy(&agent->qemu) && !is_busy(&agent->test);
}

static void mark_late(void *data)
{
        *(bool *)data = true;
}

/* No new calls; those on the way are interrupted where they wait, and answered. */
static void stop_bus(struct agent *agent)
{
        struct loop_timer *timer;
        bool late = false;

        if (!agent->bus)
                return;
        bus_stop(agent->bus);
        pool_interrupt(agent->pool);
        job_list_cancel_all(agent->qemu.jobs);
        job_list_cancel_all(agent->test.jobs);
        storage_quiesce(agent->qemu.storage);
        storage_quiesce(agent->test.storage);
        timer = loop_timer_new(agent->loop, DRAIN_MS, mark_late, &late);
        while (!late && !may_end(agent))
                loop_step(agent->loop, true);
        loop_timer_free(timer);
        bus_free(agent->bus);
        if (late) {
                /* A job that does not heed its interrupt must not keep the service manager waiting. */
                log_warning("some calls did not end in time");
                _exit(EXIT_SUCCESS);
        }
}

/* Disks may be volumes: the pools come first. */
static void pools_are_up(void *data)
{
        const struct agent *agent = data;

        if (!agent->ending)
                domain_autostart(agent->qemu.domains);
}

static bool start_work(struct agent *agent, GError **error)
{
        storage_autostart(agent->qemu.storage, pools_are_up, agent);
        notify_ready();
        return true;
}

static void stop_work(struct agent *agent)
{
        notify_stopping();
}

/* Started from the top, stopped from the bottom. The bus comes after everything that it shows. */
/* clang-format off: a step a line */
static const struct step steps[] = {
        { start_process, NULL },         { start_loop, stop_loop },
        { start_pool, stop_pool },       { start_directories, stop_directories },
        { start_host, stop_host },       { start_jobs, stop_jobs },
        { start_secrets, stop_secrets }, { start_storage, stop_storage },
        { start_test, stop_test },       { start_qemu, stop_qemu },
        { start_bus, stop_bus },         { start_work, stop_work },
};
/* clang-format on */

/* ---- main ---- */

static int run(struct agent *agent)
{
        g_autoptr(GError) error = NULL;
        unsigned started = 0;
        bool running = true;

        while (running && started < G_N_ELEMENTS(steps))
                running = steps[started++].start(agent, &error);
        if (!running)
                log_error("%s", error->message);
        else if (!agent->ending)
                loop_run(agent->loop);
        while (started-- > 0) {
                if (steps[started].stop)
                        steps[started].stop(agent);
        }
        return running ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
        struct agent agent = { .lock_fd = -1 };
        g_autoptr(GError) error = NULL;
        int result = EXIT_SUCCESS;

        if (!options_read(&agent.options, argc, argv, &error)) {
                fprintf(stderr, "virtbusd: %s\n", error->message);
                result = EXIT_FAILURE;
        } else if (agent.options.show_version) {
                printf("virtbusd %s\n", VIRTBUS_VERSION);
        } else {
                log_init(agent.options.verbose ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE);
                result = run(&agent);
        }
        options_clear(&agent.options);
        return result;
}
