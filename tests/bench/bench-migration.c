/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A guest that writes to its memory goes to another agent, and to a file and back, against the same said to
 * bare emulators by hand: their command lines are the agent's.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

#define ROUNDS          5
#define STATS_COMPLETED 1

/* It stays defined on both sides, which tell of its last job then. */
enum { LIVE = 1, PERSIST_DEST = 8 };

/* An emulator by hand. */
struct bare {
        const char *console; /* borrowed */
        pid_t pid;
        int fd;       /* its monitor */
        FILE *stream; /* the same, to read from; owns fd */
};

/* ---- by hand ---- */

static void expect(struct bare *bare, const char *text)
{
        char line[65536];

        do {
                ck_assert_msg(fgets(line, sizeof(line), bare->stream) != NULL, "no '%s' before its end",
                              text);
                ck_assert_msg(!strstr(line, "\"error\": {"), "%s", line);
        } while (!strstr(line, text));
}

static void say(struct bare *bare, const char *command)
{
        ck_assert_int_eq(dprintf(bare->fd, "%s\n", command), (int)strlen(command) + 1);
        expect(bare, "\"return\"");
}

static int find_monitor_fd(char **command)
{
        for (char **argument = command; *argument && argument[1]; argument++) {
                const char *fd = strstr(argument[1], "fd=");

                if (strcmp(*argument, "-chardev") == 0 && strstr(argument[1], "server=on") && fd)
                        return atoi(fd + 3);
        }
        ck_abort_msg("the emulator has no monitor");
}

/* What the guest prints goes to a descriptor that it is given. */
static void give_console(char **command, const char *console)
{
        for (char **argument = command; *argument && argument[1]; argument++) {
                int fd = open(console, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

                if (strcmp(*argument, "-add-fd") == 0)
                        dup2(fd, atoi(argument[1] + strlen("fd=")));
                close(fd);
        }
}

static void run_child(char **command, const char *console, int monitor_fd, int listener)
{
        int null = open("/dev/null", O_RDWR);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        if (listener == monitor_fd)
                fcntl(listener, F_SETFD, 0);
        else
                dup2(listener, monitor_fd);
        give_console(command, console);
        execv(command[0], command);
        _exit(127);
}

static void bare_start(struct bare *bare, char **command, bool incoming)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t size = sizeof(address);
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_autoptr(GPtrArray) argv = g_ptr_array_new();

        for (char **argument = command; *argument; argument++)
                g_ptr_array_add(argv, *argument);
        if (incoming) {
                g_ptr_array_add(argv, (char *)"-incoming");
                g_ptr_array_add(argv, (char *)"defer");
        }
        g_ptr_array_add(argv, NULL);
        ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
        ck_assert_int_eq(listen(listener, 1), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
        bare->pid = fork();
        if (bare->pid == 0)
                run_child((char **)argv->pdata, bare->console, find_monitor_fd(command), listener);
        close(listener);
        bare->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(connect(bare->fd, (struct sockaddr *)&address, size), 0);
        bare->stream = fdopen(bare->fd, "r");
        expect(bare, "\"QMP\"");
        say(bare, "{\"execute\": \"qmp_capabilities\"}");
        say(bare, "{\"execute\": \"migrate-set-capabilities\", \"arguments\": {\"capabilities\": "
                  "[{\"capability\": \"events\", \"state\": true}]}}");
        say(bare, "{\"execute\": \"migrate-set-parameters\", \"arguments\": {\"max-bandwidth\": "
                  "9007199254740992}}");
}

static void bare_end(struct bare *bare)
{
        kill(bare->pid, SIGTERM);
        ck_assert_int_eq(waitpid(bare->pid, NULL, 0), bare->pid);
        fclose(bare->stream);
}

static void bare_hand_over(struct bare *bare, int file)
{
        static const char command[] = "{\"execute\": \"getfd\", \"arguments\": {\"fdname\": \"state\"}}\n";
        struct iovec data = { (char *)command, strlen(command) };
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr head;
        } control = { 0 };
        struct msghdr message = { .msg_iov = &data,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };

        control.head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), &file, sizeof(file));
        ck_assert_int_eq(sendmsg(bare->fd, &message, 0), (ssize_t)strlen(command));
        expect(bare, "\"return\"");
}

static double read_downtime(struct bare *bare)
{
        char line[65536];
        const char *found;

        ck_assert_int_gt(dprintf(bare->fd, "{\"execute\": \"query-migrate\"}\n"), 0);
        do
                ck_assert_ptr_nonnull(fgets(line, sizeof(line), bare->stream));
        while (!(found = strstr(line, "\"downtime\": ")));
        return strtod(found + strlen("\"downtime\": "), NULL);
}

/* ---- the guest ---- */

/* A quarter of its GiB is full, and some of that is written again and again. */
static char *make_xml(const char *console)
{
        g_autofree char *xml = guest_linux_xml("linux", console, "dirty");
        g_autofree char *source = g_strdup_printf("<source path='%s'/>", console);
        g_autofree char *appending = g_strdup_printf("<source path='%s' append='on'/>", console);
        g_autoptr(GString) text = g_string_new(xml);

        ck_assert_uint_eq(g_string_replace(text, ">128<", ">1024<", 1), 1);
        ck_assert_uint_eq(g_string_replace(text, source, appending, 1), 1);
        return g_strdup(text->str);
}

static void wait_dirty(const char *console)
{
        guest_wait_console(console, "virtbus-guest: ready");
        guest_wait_console(console, "virtbus-guest: dirty");
}

/* What the last job of the guest says; the client may ask once. */
static double get_completed(struct client *client, const char *path, const char *name)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "GetJobStats", "u", STATS_COMPLETED);
        uint64_t value = 0;
        const char *key;
        int type;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'r', "ia{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "i", &type), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &key), 0);
                if (strcmp(key, name) == 0)
                        ck_assert_int_gt(sd_bus_message_read(reply, "v", "v", "t", &value), 0);
                else
                        ck_assert_int_ge(sd_bus_message_skip(reply, "v"), 0);
                ck_assert_int_ge(sd_bus_message_exit_container(reply), 0);
        }
        return (double)value;
}

/* ---- the parts; times in ns ---- */

static int64_t migrate_bare(struct bare *from, struct bare *to, char **command, const char *socket,
                            double *downtime_ms)
{
        g_autofree char *place = g_strdup_printf("\"arguments\": {\"uri\": \"unix:%s\"}}", socket);
        g_autofree char *come = g_strconcat("{\"execute\": \"migrate-incoming\", ", place, NULL);
        g_autofree char *go = g_strconcat("{\"execute\": \"migrate\", ", place, NULL);
        int64_t start = bench_now_ns(), took;

        bare_start(to, command, true);
        say(to, come);
        say(from, go);
        expect(from, "\"completed\"");
        say(to, "{\"execute\": \"cont\"}");
        *downtime_ms = read_downtime(from);
        bare_end(from);
        took = bench_now_ns() - start;
        return took;
}

static int64_t save_bare(struct bare *bare, const char *path)
{
        int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        int64_t start = bench_now_ns();

        say(bare, "{\"execute\": \"stop\"}");
        bare_hand_over(bare, file);
        say(bare, "{\"execute\": \"migrate\", \"arguments\": {\"uri\": \"fd:state\"}}");
        expect(bare, "\"completed\"");
        ck_assert_int_eq(fsync(file), 0);
        bare_end(bare);
        close(file);
        return bench_now_ns() - start;
}

static int64_t restore_bare(struct bare *bare, char **command, const char *path)
{
        int file = open(path, O_RDONLY | O_CLOEXEC);
        int64_t start = bench_now_ns();

        bare_start(bare, command, true);
        bare_hand_over(bare, file);
        say(bare, "{\"execute\": \"migrate-incoming\", \"arguments\": {\"uri\": \"fd:state\"}}");
        expect(bare, "\"completed\"");
        say(bare, "{\"execute\": \"cont\"}");
        close(file);
        return bench_now_ns() - start;
}

struct sample {
        int64_t move[ROUNDS], save[ROUNDS], restore[ROUNDS], downtime[ROUNDS];
};

static void measure_bare(struct sample *sample, unsigned round, struct bare *pair, char **command,
                         const char *socket, const char *file)
{
        struct bare *from = &pair[round % 2], *to = &pair[(round + 1) % 2];
        double downtime_ms;

        unlink(socket);
        sample->move[round] = migrate_bare(from, to, command, socket, &downtime_ms);
        sample->downtime[round] = (int64_t)(downtime_ms * 1e6);
        sample->save[round] = save_bare(to, file);
        sample->restore[round] = restore_bare(to, command, file);
        unlink(file);
}

static void measure_ours(struct sample *sample, unsigned round, struct harness *const pair[2],
                         const char *path, const char *file)
{
        struct harness *from = pair[round % 2], *to = pair[(round + 1) % 2];
        g_autofree char *uri = g_strdup_printf("qemu+unix:///system?bus=%s", harness_get_address(to));
        struct client *client = harness_get_client(to);
        int64_t start = bench_now_ns();

        client_do(harness_get_client(from), path, DOMAIN_INTERFACE, "MigrateToURI3", "sa{sv}u", uri, 0,
                  LIVE | PERSIST_DEST);
        sample->move[round] = bench_now_ns() - start;
        sample->downtime[round] = (int64_t)(get_completed(harness_get_client(from), path, "downtime") * 1e6);
        start = bench_now_ns();
        client_do(client, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        sample->save[round] = bench_now_ns() - start;
        start = bench_now_ns();
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", file, "", 0);
        sample->restore[round] = bench_now_ns() - start;
        unlink(file);
}

static void print(const char *what, int64_t *ours, int64_t *bare, double goal)
{
        bench_print(what, bench_median(ours, ROUNDS) / 1e6, bench_median(bare, ROUNDS) / 1e6, "ms", goal);
}

void bench_migration(struct bench *bench)
{
        struct harness *other = harness_new(), *const pair[2] = { bench->harness, other };
        g_autofree char *console = harness_path(bench->harness, "console"),
                        *again = harness_path(bench->harness, "console-by-hand"),
                        *file = harness_path(bench->harness, "saved"),
                        *socket = harness_path(bench->harness, "by-hand");
        struct sample ours = { 0 }, by_hand = { 0 };
        struct bare emulators[2] = { 0 };
        g_autofree char *path = NULL;
        g_auto(GStrv) command = NULL;

        harness_join(bench->harness, other);
        path = guest_start(bench->client, make_xml(console));
        command = bench_read_command(harness_find_guest(bench->harness, "guest=linux"));
        wait_dirty(console);
        /* The same, but for where it prints; the agent's guest waits meanwhile. */
        emulators[0].console = emulators[1].console = again;
        guest_do(bench->client, path, "Suspend");
        bare_start(&emulators[0], command, false);
        say(&emulators[0], "{\"execute\": \"cont\"}");
        wait_dirty(again);
        for (unsigned i = 0; i < ROUNDS; i++) {
                measure_bare(&by_hand, i, emulators, command, socket, file);
                say(&emulators[(i + 1) % 2], "{\"execute\": \"stop\"}");
                guest_do(harness_get_client(pair[i % 2]), path, "Resume");
                measure_ours(&ours, i, pair, path, file);
                guest_do(harness_get_client(pair[(i + 1) % 2]), path, "Suspend");
                say(&emulators[(i + 1) % 2], "{\"execute\": \"cont\"}");
        }
        bare_end(&emulators[ROUNDS % 2]);
        print("live migration to another agent", ours.move, by_hand.move, 1.1);
        print("downtime of that", ours.downtime, by_hand.downtime, 0);
        print("save to a file", ours.save, by_hand.save, 1.1);
        print("restore from it", ours.restore, by_hand.restore, 1.1);
        harness_free(other);
}
