/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtbusd: start-up and orderly end of the agent. One table says what is started, in which order, and undone
 * in reverse. Main thread, which becomes the loop thread.
 */
#include "agent/agent.h"

#include "agent/bridge.h"
#include "agent/import.h"
#include "agent/power.h"
#include "agent/reload.h"
#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/notify.h"
#include "base/pool.h"
#include "base/store.h"
#include "bus/polkit.h"
#include "drivers/host/host.h"
#include "drivers/model.h"
#include "drivers/qemu/driver.h"
#include "drivers/test/test-driver.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long calls on the way may take to end after SIGTERM; guests run on. */
#define DRAIN_MS 4000
/* How long the start waits for the host's devices to be known. */
#define INVENTORY_MS 5000
/* What dnsmasq runs when it lends an address. */
#define LEASE_PROGRAM "virtbus-lease"
/* Descriptors for thousands of guests: a monitor and a process each. */
#define DESCRIPTORS 65536
/*
 * Heaps that threads share: by glibc's own count each thread has one, as a rule, and what a call for all
 * domains has left between what lives on in it.
 */
#define THREADS_PER_HEAP 4
#define HEAPS_MIN        2
#define HEAPS_MAX        16

enum occasion {
        ALWAYS,
        SERVING,
        IMPORTING, /* --import-libvirt */
};

struct step {
        enum occasion occasion;
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
        mallopt(M_ARENA_MAX, CLAMP(agent->options.threads / THREADS_PER_HEAP, HEAPS_MIN, HEAPS_MAX));
        signal(SIGPIPE, SIG_IGN);
        umask(0077);
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
                limit.rlim_cur = MIN(limit.rlim_max, DESCRIPTORS);
                setrlimit(RLIMIT_NOFILE, &limit);
        }
        return true;
}

void agent_end(struct agent *agent)
{
        agent->ending = true;
        loop_quit(agent->loop);
}

/* A second one while the first waits for guests is obeyed. */
static void end(struct agent *agent, int number)
{
        if (power_delays_end(agent))
                return;
        log_notice("%s: ending, guests run on", g_strsignal(number));
        agent_end(agent);
}

static void on_signal(int number, void *data)
{
        struct agent *agent = data;

        if (number == SIGHUP)
                agent_reload(agent);
        else
                end(agent, number);
}

static bool start_loop(struct agent *agent, GError **error)
{
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

        agent->loop = loop_new(error);
        return agent->loop &&
               loop_add_signals(agent->loop, signals, G_N_ELEMENTS(signals), on_signal, agent, error);
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

/* The first is the one that a client gets who names none. */
static const struct model_driver *const drivers[] = {
        &qemu_model_driver,
        &test_model_driver,
};

/* It stands beside the agent's own program. NULL with a warning. */
static char *find_hooks_dir(const struct options *options)
{
        g_autofree char *dir = options->config_file ? g_path_get_dirname(options->config_file) : NULL;

        return dir ? g_build_filename(dir, "hooks", NULL) : NULL;
}

static char *find_lease_program(void)
{
        g_autofree char *own = g_file_read_link("/proc/self/exe", NULL),
                        *directory = own ? g_path_get_dirname(own) : NULL,
                        *path = directory ? g_build_filename(directory, LEASE_PROGRAM, NULL) : NULL;

        if (path && access(path, X_OK) == 0)
                return g_steal_pointer(&path);
        log_warning(LEASE_PROGRAM " is not installed: leases of networks are not announced");
        return NULL;
}

static bool start_models(struct agent *agent, GError **error)
{
        const struct options *options = &agent->options;
        const struct config *config = agent->config;
        const struct polkit_settings polkit = agent_get_polkit_settings(config);

        agent->lease_program = find_lease_program();
        agent->hooks_dir = find_hooks_dir(options);
        agent->environment = (struct model_environment){
                .loop = agent->loop,
                .pool = agent->pool,
                .host = agent->host,
                .system = options->system,
                .state_dir = options->state_dir,
                .runtime_dir = options->runtime_dir,
                .log_dir = options->log_dir,
                .cache_dir = options->cache_dir,
                .user = agent_choose_user(config),
                .data_dir = options->data_dir,
                .lease_program = agent->lease_program,
                .memory_dir = config->memory_dir,
                .dump_dir = config->dump_dir,
                .tls_dir = config->tls_dir,
                .spice_tls_dir = config->spice_tls_dir,
                .vnc_tls_dir = config->vnc_tls_dir,
                .hooks_dir = agent->hooks_dir,
                .save_format = config->save_format,
                .security = config->security_driver,
                .migration_first = config->migration_first,
                .migration_last = config->migration_last,
                .devices = config->devices,
                .default_network = config->default_network && !options->import,
        };
        if (agent->environment.user && config->qemu_group && *config->qemu_group)
                agent->environment.group = config->qemu_group;
        /* A user's session is that user's alone. */
        if (options->system) {
                agent->environment.authorizer = &polkit_authorizer;
                agent->polkit = polkit_new(agent->loop, &polkit);
                agent->environment.authorizer_data = agent->polkit;
        }
        agent_warn_of_root(agent);
        agent->models = models_new(&agent->environment, drivers, G_N_ELEMENTS(drivers), error);
        if (!agent->models) {
                agent->polkit = NULL;
                return false;
        }
        agent_configure(agent);
        return true;
}

static void mark_late(void *data)
{
        *(bool *)data = true;
}

/* What clients list is to be there when the first can ask; a device that keeps us waiting keeps nobody else.
 */
static bool start_inventory(struct agent *agent, GError **error)
{
        bool late = false;
        struct loop_timer *timer = loop_timer_new(agent->loop, INVENTORY_MS, mark_late, &late);

        while (!late && !agent->ending && !models_are_ready(agent->models))
                loop_step(agent->loop, true);
        loop_timer_free(timer);
        if (late)
                log_warning("the host's devices are not known yet: starting without them");
        return true;
}

static void stop_models(struct agent *agent)
{
        power_free(agent);
        models_free(agent->models);
        g_free(agent->lease_program);
        g_free(agent->hooks_dir);
}

static bool start_views(struct agent *agent, GError **error)
{
        for (unsigned i = 0; i < AGENT_VIEWS; i++) {
                agent->views[i] = agent_views[i].new(agent->loop, agent->models, &agent->options);
                agent_views[i].configure(agent->views[i], agent->config);
                if (!agent_views[i].start(agent->views[i], error))
                        return false;
        }
        return true;
}

/* Calls are to be answered and lanes idle before what they use is freed. */
static bool may_end(const struct agent *agent)
{
        for (unsigned i = 0; i < AGENT_VIEWS; i++)
                if (agent->views[i] && !agent_views[i].is_idle(agent->views[i]))
                        return false;
        return !models_are_busy(agent->models) && !reload_is_busy(agent->reload) && !power_is_busy(agent);
}

/* No new calls; those on the way are interrupted where they wait, and answered. */
static void stop_views(struct agent *agent)
{
        struct loop_timer *timer;
        bool late = false;

        for (unsigned i = 0; i < AGENT_VIEWS; i++)
                if (agent->views[i])
                        agent_views[i].stop(agent->views[i]);
        power_stop(agent);
        pool_interrupt(agent->pool);
        models_quiesce(agent->models);
        timer = loop_timer_new(agent->loop, DRAIN_MS, mark_late, &late);
        while (!late && !may_end(agent))
                loop_step(agent->loop, true);
        loop_timer_free(timer);
        for (unsigned i = AGENT_VIEWS; i-- > 0;)
                if (agent->views[i])
                        agent_views[i].free(agent->views[i]);
        if (late) {
                /* A job that does not heed its interrupt must not keep the service manager waiting. */
                log_warning("some calls did not end in time");
                _exit(EXIT_SUCCESS);
        }
}

/* A loop that does not come round is ended by systemd, and started again. */
static void show_life(void *data)
{
        struct agent *agent = data;

        notify_alive();
        loop_timer_set(agent->watchdog, notify_get_watchdog_ms() / 3);
}

static bool start_work(struct agent *agent, GError **error)
{
        models_autostart(agent->models);
        power_start(agent);
        if (notify_get_watchdog_ms() > 0)
                agent->watchdog = loop_timer_new(agent->loop, 0, show_life, agent);
        agent_show_status(agent, NULL);
        notify_ready();
        return true;
}

static void stop_work(struct agent *agent)
{
        loop_timer_free(agent->watchdog);
        notify_stopping();
}

/* Started from the top, stopped from the bottom. Views come after everything that they show. */
/* clang-format off: a step a line */
static const struct step steps[] = {
        { ALWAYS, start_process, NULL },
        { ALWAYS, start_loop, stop_loop },
        { ALWAYS, start_pool, stop_pool },
        { ALWAYS, agent_start_config, agent_stop_config },
        { ALWAYS, start_directories, stop_directories },
        { ALWAYS, start_host, stop_host },
        { ALWAYS, start_models, stop_models },
        { ALWAYS, start_inventory, NULL },
        { SERVING, start_views, stop_views },
        { SERVING, start_work, stop_work },
        { IMPORTING, import_run, stop_views },
};
/* clang-format on */

/* ---- main ---- */

static bool is_for(const struct step *step, enum occasion occasion)
{
        return step->occasion == ALWAYS || step->occasion == occasion;
}

static int run(struct agent *agent)
{
        enum occasion occasion = agent->options.import ? IMPORTING : SERVING;
        g_autoptr(GError) error = NULL;
        unsigned started = 0;
        bool running = true;

        for (; running && started < G_N_ELEMENTS(steps); started++)
                if (is_for(&steps[started], occasion))
                        running = steps[started].start(agent, &error);
        if (!running)
                log_error("%s", error->message);
        else if (!agent->ending)
                loop_run(agent->loop);
        while (started-- > 0) {
                const struct step *step = &steps[started];

                if (step->stop && is_for(step, occasion))
                        step->stop(agent);
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
        } else if (agent.options.bridge) {
                result = bridge_run(agent.options.system, agent.options.bridge_to);
        } else {
                log_init(agent.options.verbose ? LOG_LEVEL_INFO : LOG_LEVEL_NOTICE);
                result = run(&agent);
        }
        options_clear(&agent.options);
        return result;
}
