/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A private bus with an agent on it. Runs in the process that libcheck forks per test; owns the folder <root>
 * and the two children. The test program itself is the subreaper of all of them: guests that outlive an agent
 * become its children, so what a test has left is found there and nowhere else.
 */

#include "tests/support/harness.h"

#include "tests/support/guard.h"
#include "tests/support/network.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Name of the folder in which a test program's harnesses live; in the environment of its tests. */
#define ROOT_VARIABLE "VIRTBUS_TEST_ROOT"

struct harness {
        char *root;         /* owned */
        char *address;      /* owned */
        char *bus_config;   /* owned */
        GPtrArray *options; /* owned, of owned strings */
        char **environment; /* owned */
        void (*child_setup)(void);
        struct client *client; /* owned */
        pid_t bus;             /* 0: not running */
        pid_t agent;           /* 0: not running */
        bool had_agent;
        struct harness *peer; /* borrowed; the other side of the test, NULL: none */
};

/* --- processes
 * ---------------------------------------------------------------------------------------------- */

struct process {
        pid_t pid;
        pid_t parent;
        char state;
};

/* Reads /proc/<pid>/stat; false when there is no such process. */
static bool read_process(pid_t pid, struct process *process)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
        g_autofree char *text = NULL;
        const char *tail;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return false;
        /* The name in parentheses may hold anything. */
        tail = strrchr(text, ')');
        process->pid = pid;
        return tail && sscanf(tail + 1, " %c %d", &process->state, &process->parent) == 2;
}

static GArray *list_processes(void)
{
        GArray *all = g_array_new(FALSE, FALSE, sizeof(struct process));
        g_autoptr(GDir) dir = g_dir_open("/proc", 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir))) {
                struct process process;

                if (g_ascii_isdigit(*name) && read_process(atoi(name), &process))
                        g_array_append_val(all, process);
        }
        return all;
}

/*
 * All processes below `ancestor` as an array of pid_t, zombies not counted; but what is below one is: the
 * children of a process whose first thread has ended are its own until its last has.
 */
static GArray *list_descendants(pid_t ancestor)
{
        GArray *family = g_array_new(FALSE, FALSE, sizeof(pid_t));
        g_autoptr(GArray) all = list_processes(), parents = g_array_new(FALSE, FALSE, sizeof(pid_t));

        g_array_append_val(parents, ancestor);
        for (unsigned i = 0; i < parents->len; i++)
                for (unsigned j = 0; j < all->len; j++) {
                        const struct process *process = &g_array_index(all, struct process, j);

                        if (process->parent != g_array_index(parents, pid_t, i))
                                continue;
                        g_array_append_val(parents, process->pid);
                        if (process->state != 'Z')
                                g_array_append_val(family, process->pid);
                }
        return family;
}

static char *read_command_line(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
        char *text = NULL;
        size_t length = 0;

        if (!g_file_get_contents(path, &text, &length, NULL))
                return g_strdup("");
        for (size_t i = 0; i + 1 < length; i++)
                if (!text[i])
                        text[i] = ' ';
        return text;
}

/* A process of this test that is neither the test nor its bus nor its agent. */
static bool is_guest(struct harness *harness, pid_t pid)
{
        const struct harness *peer = harness->peer;

        return pid != getpid() && pid != harness->bus && pid != harness->agent &&
               !(peer && (pid == peer->bus || pid == peer->agent));
}

pid_t harness_find_guest(struct harness *harness, const char *text)
{
        g_autoptr(GArray) family = list_descendants(getppid());

        for (unsigned i = 0; i < family->len; i++) {
                pid_t pid = g_array_index(family, pid_t, i);
                g_autofree char *command = is_guest(harness, pid) ? read_command_line(pid) : NULL;

                if (command && strstr(command, text))
                        return pid;
        }
        return 0;
}

bool harness_has_open(pid_t pid, const char *pattern)
{
        g_autofree char *folder = g_strdup_printf("/proc/%d/fd", pid);
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *link = g_build_filename(folder, name, NULL);
                g_autofree char *target = g_file_read_link(link, NULL);

                if (target && g_pattern_match_simple(pattern, target))
                        return true;
        }
        return false;
}

unsigned harness_count_files(const char *dir)
{
        GDir *entries = g_dir_open(dir, 0, NULL);
        unsigned count = 0;

        ck_assert_ptr_nonnull(entries);
        while (g_dir_read_name(entries))
                count++;
        g_dir_close(entries);
        return count;
}

unsigned harness_count_guests(struct harness *harness)
{
        g_autoptr(GArray) family = list_descendants(getppid());
        unsigned count = 0;

        for (unsigned i = 0; i < family->len; i++)
                if (is_guest(harness, g_array_index(family, pid_t, i)))
                        count++;
        return count;
}

/* With all of its threads: a zombie may have some that still hold its files (pidfd_open(2)). */
static bool is_gone(void *data)
{
        int pidfd = (int)syscall(SYS_pidfd_open, *(pid_t *)data, 0);
        struct pollfd ended = { pidfd, POLLIN, 0 };
        bool gone;

        if (pidfd < 0)
                return errno == ESRCH;
        gone = poll(&ended, 1, 0) == 1;
        close(pidfd);
        return gone;
}

void harness_wait_gone(pid_t pid)
{
        g_autofree char *what = g_strdup_printf("process %d is gone", pid);

        harness_wait_until(is_gone, &pid, what);
}

bool harness_wait(bool (*condition)(void *data), void *data)
{
        int64_t deadline_us = g_get_monotonic_time() + CLIENT_DEADLINE_US;
        unsigned pause_us = 1000;

        while (!condition(data)) {
                if (g_get_monotonic_time() > deadline_us)
                        return false;
                g_usleep(pause_us);
                pause_us = MIN(pause_us * 2, 50000);
        }
        return true;
}

void harness_wait_until(bool (*condition)(void *data), void *data, const char *what)
{
        if (!harness_wait(condition, data))
                ck_abort_msg("waited in vain until %s", what);
}

static void kill_all(GArray *pids)
{
        for (unsigned i = 0; i < pids->len; i++)
                kill(g_array_index(pids, pid_t, i), SIGKILL);
}

static void end_guests(struct harness *harness)
{
        g_autoptr(GArray) family = list_descendants(getppid());

        for (unsigned i = family->len; i > 0; i--)
                if (!is_guest(harness, g_array_index(family, pid_t, i - 1)))
                        g_array_remove_index_fast(family, i - 1);
        kill_all(family);
        for (unsigned i = 0; i < family->len; i++)
                harness_wait_gone(g_array_index(family, pid_t, i));
}

/* True: there were none. */
static bool end_others(void)
{
        g_autoptr(GArray) family = list_descendants(getppid());

        for (unsigned i = family->len; i > 0; i--)
                if (g_array_index(family, pid_t, i - 1) == getpid())
                        g_array_remove_index_fast(family, i - 1);
        kill_all(family);
        for (unsigned i = 0; i < family->len; i++)
                harness_wait_gone(g_array_index(family, pid_t, i));
        return family->len == 0;
}

/* Whoever is killed may have begun another one just before. */
void harness_end_leftovers(void)
{
        while (!end_others())
                ;
}

/* Waits for a child of ours, with a deadline after which it is killed and the test has failed. */
static int wait_child(pid_t pid, const char *name)
{
        int64_t deadline_us = g_get_monotonic_time() + CLIENT_DEADLINE_US;
        unsigned pause_us = 1000;
        int status;

        for (;;) {
                pid_t ended = waitpid(pid, &status, WNOHANG);

                if (ended == pid)
                        return status;
                ck_assert(ended == 0 || errno == EINTR);
                if (g_get_monotonic_time() > deadline_us) {
                        kill(pid, SIGKILL);
                        ck_abort_msg("%s does not end", name);
                }
                g_usleep(pause_us);
                pause_us = MIN(pause_us * 2, 20000);
        }
}

struct child {
        void (*setup)(void);
        int output;
};

/* In the child: gone when the test is gone, output to the log. */
static void set_up_child(void *data)
{
        const struct child *child = data;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(child->output, STDOUT_FILENO);
        dup2(child->output, STDERR_FILENO);
        if (child->setup)
                child->setup();
}

/* Takes output. */
static pid_t spawn(const char *const argv[], char **environment, void (*setup)(void), int output)
{
        struct child child = { setup, output };
        g_autoptr(GError) error = NULL;
        GPid pid = 0;

        if (!g_spawn_async(NULL, (char **)argv, environment, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH,
                           set_up_child, &child, &pid, &error))
                ck_abort_msg("%s", error->message);
        close(output);
        return pid;
}

static int open_log(const struct harness *harness, const char *name)
{
        g_autofree char *path = harness_path(harness, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        return fd;
}

/* --- the bus
 * ------------------------------------------------------------------------------------------------ */

static bool bus_is_up(void *data)
{
        sd_bus *bus = NULL;
        bool up;

        sd_bus_new(&bus);
        sd_bus_set_address(bus, data);
        sd_bus_set_bus_client(bus, 1);
        up = sd_bus_start(bus) >= 0 && sd_bus_get_unique_name(bus, &(const char *){ NULL }) >= 0;
        sd_bus_close_unref(bus);
        return up;
}

static const char *need_variable(const char *name)
{
        const char *value = g_getenv(name);

        if (!value)
                ck_abort_msg("%s is not set: run the tests through ./dev test or ctest", name);
        return value;
}

void harness_start_bus(struct harness *harness)
{
        g_autofree char *config = g_strconcat("--config-file=", harness->bus_config, NULL);
        g_autofree char *address = g_strdup_printf("--address=%s", harness->address);
        g_autofree char *socket = harness_path(harness, "bus");
        const char *argv[] = {
                "dbus-daemon", config, address, "--nofork", "--nopidfile", "--nosyslog", NULL
        };

        unlink(socket);
        harness->bus = spawn(argv, NULL, NULL, open_log(harness, "bus.log"));
        harness_wait_until(bus_is_up, harness->address, "the bus is up");
}

void harness_stop_bus(struct harness *harness)
{
        kill(harness->bus, SIGKILL);
        wait_child(harness->bus, "dbus-daemon");
        harness->bus = 0;
}

void harness_reconnect(struct harness *harness)
{
        client_free(harness->client);
        harness->client = client_new(harness->address);
}

/* --- the agent
 * ---------------------------------------------------------------------------------------------- */

/* A host has no network of its own unless a test wants one. */
static char *write_config(struct harness *harness)
{
        char *path = harness_path(harness, "virtbusd.conf");

        if (!g_file_test(path, G_FILE_TEST_EXISTS))
                ck_assert(g_file_set_contents(path, "[network]\ndefault=false\n", -1, NULL));
        return path;
}

static GPtrArray *agent_command(struct harness *harness)
{
        GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
        const char *cache = g_getenv("VIRTBUS_TEST_CACHE");

        g_ptr_array_add(argv, g_strdup(need_variable("VIRTBUSD")));
        /* In the lab with systemd the system bus is that one's, where the name is nobody's to own. */
        g_ptr_array_add(
                argv, g_strdup(getuid() == 0 && !g_getenv("VIRTBUS_LAB_SYSTEMD") ? "--system" : "--session"));
        g_ptr_array_add(argv, g_strdup("--state-dir"));
        g_ptr_array_add(argv, harness_path(harness, "state"));
        g_ptr_array_add(argv, g_strdup("--runtime-dir"));
        g_ptr_array_add(argv, harness_path(harness, "run"));
        g_ptr_array_add(argv, g_strdup("--log-dir"));
        g_ptr_array_add(argv, harness_path(harness, "log"));
        g_ptr_array_add(argv, g_strdup("--cache-dir"));
        g_ptr_array_add(argv, cache ? g_strdup(cache) : harness_path(harness, "cache"));
        g_ptr_array_add(argv, g_strdup("--config"));
        g_ptr_array_add(argv, write_config(harness));
        for (unsigned i = 0; i < harness->options->len; i++)
                g_ptr_array_add(argv, g_strdup(g_ptr_array_index(harness->options, i)));
        g_ptr_array_add(argv, NULL);
        return argv;
}

void harness_configure_bus(struct harness *harness, const char *more)
{
        g_autofree char *config = g_strdup_printf("<busconfig><include>%s/tests/support/bus.conf</include>%s"
                                                  "</busconfig>",
                                                  need_variable("VIRTBUS_SOURCE_DIR"), more);

        g_free(harness->bus_config);
        harness->bus_config = harness_path(harness, "bus.conf");
        ck_assert(g_file_set_contents(harness->bus_config, config, -1, NULL));
}

void harness_make_activatable(struct harness *harness)
{
        g_autoptr(GPtrArray) argv = agent_command(harness);
        g_autofree char *command = NULL, *service = NULL, *config = NULL;
        g_autofree char *services = harness_path(harness, "services");
        g_autofree char *service_path = harness_path(harness, "services/org.libvirt.service");

        command = g_strjoinv(" ", (char **)argv->pdata);
        service = g_strdup_printf("[D-BUS Service]\nName=org.libvirt\n"
                                  "Exec=/usr/bin/env -i DBUS_SYSTEM_BUS_ADDRESS=%s "
                                  "DBUS_SESSION_BUS_ADDRESS=%s %s\n",
                                  harness->address, harness->address, command);
        config = g_strdup_printf("<servicedir>%s</servicedir>", services);
        ck_assert_int_eq(mkdir(services, 0755), 0);
        ck_assert(g_file_set_contents(service_path, service, -1, NULL));
        harness_configure_bus(harness, config);
        harness->had_agent = true;
}

void harness_spawn_agent(struct harness *harness)
{
        g_autoptr(GPtrArray) argv = agent_command(harness);

        ck_assert_int_eq(harness->agent, 0);
        harness->had_agent = true;
        harness->agent = spawn((const char *const *)argv->pdata, harness->environment, harness->child_setup,
                               open_log(harness, "agent.log"));
}

void harness_start_agent(struct harness *harness)
{
        harness_spawn_agent(harness);
        client_wait_owner(harness->client, harness->agent);
        client_follow(harness->client);
}

pid_t harness_get_agent_pid(const struct harness *harness)
{
        return harness->agent;
}

pid_t harness_get_bus_pid(const struct harness *harness)
{
        return harness->bus;
}

int harness_wait_agent(struct harness *harness)
{
        int status = wait_child(harness->agent, "virtbusd");

        harness->agent = 0;
        return status;
}

int harness_end_agent(struct harness *harness, int signal)
{
        kill(harness->agent, signal);
        return harness_wait_agent(harness);
}

char *harness_read_log(const struct harness *harness)
{
        g_autofree char *path = harness_path(harness, "agent.log");
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

/* --- the harness
 * -------------------------------------------------------------------------------------------- */

struct harness *harness_new_bus(void)
{
        struct harness *harness = g_new0(struct harness, 1);

        harness->root = g_strdup_printf("%s/XXXXXX", need_variable(ROOT_VARIABLE));
        ck_assert_ptr_nonnull(g_mkdtemp_full(harness->root, 0755));
        harness->address = g_strdup_printf("unix:path=%s/bus", harness->root);
        harness->bus_config =
                g_strconcat(need_variable("VIRTBUS_SOURCE_DIR"), "/tests/support/bus.conf", NULL);
        harness->options = g_ptr_array_new_with_free_func(g_free);
        harness->environment = g_get_environ();
        /* In the lab the agent may meet its systemd. */
        if (!g_getenv("VIRTBUS_LAB_SYSTEMD"))
                harness->environment = g_environ_setenv(harness->environment, "DBUS_SYSTEM_BUS_ADDRESS",
                                                        harness->address, TRUE);
        harness->environment =
                g_environ_setenv(harness->environment, "DBUS_SESSION_BUS_ADDRESS", harness->address, TRUE);
        harness->environment = g_environ_unsetenv(harness->environment, "NOTIFY_SOCKET");
        harness->environment = g_environ_unsetenv(harness->environment, "JOURNAL_STREAM");
        harness_start_bus(harness);
        harness->client = client_new(harness->address);
        return harness;
}

struct harness *harness_new(void)
{
        struct harness *harness = harness_new_bus();

        harness_start_agent(harness);
        return harness;
}

void harness_free(struct harness *harness)
{
        int status = 0;

        if (!harness)
                return;
        if (harness->agent)
                status = harness_end_agent(harness, SIGTERM);
        /* A second harness of a test, a mere bus, has none; what runs is the first one's, or that of both. */
        if (harness->had_agent && !harness->peer)
                end_guests(harness);
        if (harness->peer)
                harness->peer->peer = NULL;
        client_free(harness->client);
        if (harness->bus)
                harness_stop_bus(harness);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                ck_abort_msg("virtbusd ended with %s %d after SIGTERM",
                             WIFEXITED(status) ? "status" : "signal",
                             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        guard_remove(harness->root);
        g_free(harness->bus_config);
        g_ptr_array_unref(harness->options);
        g_strfreev(harness->environment);
        g_free(harness->address);
        g_free(harness->root);
        g_free(harness);
}

void harness_join(struct harness *harness, struct harness *peer)
{
        harness->peer = peer;
        peer->peer = harness;
}

struct client *harness_get_client(struct harness *harness)
{
        return harness->client;
}

struct client *harness_connect(struct harness *harness)
{
        return client_new(harness->address);
}

const char *harness_get_address(const struct harness *harness)
{
        return harness->address;
}

const char *harness_get_root(const struct harness *harness)
{
        return harness->root;
}

char *harness_path(const struct harness *harness, const char *below_root)
{
        return g_build_filename(harness->root, below_root, NULL);
}

void harness_add_option(struct harness *harness, const char *option)
{
        g_ptr_array_add(harness->options, g_strdup(option));
}

void harness_set_environment(struct harness *harness, const char *name, const char *value)
{
        harness->environment = g_environ_setenv(harness->environment, name, value, TRUE);
}

void harness_set_child_setup(struct harness *harness, void (*setup)(void))
{
        harness->child_setup = setup;
}

void harness_run(const char *format, ...)
{
        g_autofree char *command = NULL;
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        ck_assert_msg(system(command) == 0, "%s", command);
}

void harness_skip(const char *why)
{
        const char *name = tcase_name();

        printf("SKIP: %s: %s\n", name ? name : "test", why);
        fflush(stdout);
}

/* --- the test program
 * --------------------------------------------------------------------------------------- */

static void show(const char *whose, const char *path, const char *const argv[])
{
        printf("--- %s log in %s\n", whose, path);
        fflush(stdout);
        g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL,
                     NULL, NULL, NULL, NULL, NULL);
}

/* What emulators have said, without their command lines. */
static void show_logs_of_guests(const char *folder)
{
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(folder, name, NULL);
                const char *argv[] = { "grep", "-v", "-m", "20", "^/", path, NULL };

                show("a guest's", path, argv);
        }
}

/* A folder is left only by a test that failed. */
static void show_logs(const char *root)
{
        g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(root, name, "agent.log", NULL),
                                *guests = g_build_filename(root, name, "log", "qemu", NULL);
                const char *argv[] = { "tail", "-n", "100", path, NULL };

                show("virtbusd's", path, argv);
                show_logs_of_guests(guests);
        }
}

/* What crashed behind the back of its case says so here, if nowhere else. Our children, see prctl() below. */
static void show_crashes(void)
{
        siginfo_t info;

        for (;;) {
                g_autofree char *path = NULL, *name = NULL;

                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
                        return;
                path = g_strdup_printf("/proc/%d/comm", (int)info.si_pid);
                if (info.si_code != CLD_EXITED && info.si_status != SIGKILL &&
                    g_file_get_contents(path, &name, NULL, NULL))
                        printf("--- '%s' had ended by signal %d (%s)\n", g_strchomp(name), info.si_status,
                               strsignal(info.si_status));
                waitpid(info.si_pid, NULL, WNOHANG);
        }
}

/* Ends what the tests have left; they are all our children, see prctl() below. */
static void end_descendants(void)
{
        for (unsigned i = 0; i < 100; i++) {
                g_autoptr(GArray) family = list_descendants(getpid());

                if (family->len == 0)
                        return;
                kill_all(family);
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        ;
                g_usleep(20000);
        }
}

int harness_main(Suite *suite)
{
        SRunner *runner = srunner_create(suite);
        g_autofree char *root = g_strdup("/tmp/virtbus-test-XXXXXX");
        int failed;

        if (!g_mkdtemp_full(root, 0755)) {
                g_printerr("cannot make %s: %s\n", root, g_strerror(errno));
                return EXIT_FAILURE;
        }
        g_setenv(ROOT_VARIABLE, root, TRUE);
        network_leave();
        guard_folder(root);
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        srunner_set_fork_status(runner, CK_FORK);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        show_crashes();
        end_descendants();
        show_logs(root);
        guard_remove(root);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
