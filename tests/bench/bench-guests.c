/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Starting and destroying guests, against the same QEMU command line started by hand; and what a hung guest
 * costs.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

#define ROUNDS   15
#define PARALLEL 32

char **bench_read_command(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
        GPtrArray *arguments = g_ptr_array_new();
        g_autofree char *text = NULL;
        size_t length;

        ck_assert(g_file_get_contents(path, &text, &length, NULL));
        for (size_t i = 0; i < length; i += strlen(text + i) + 1)
                g_ptr_array_add(arguments, g_strdup(text + i));
        g_ptr_array_add(arguments, NULL);
        return (char **)g_ptr_array_free(arguments, FALSE);
}

/* The descriptor on which that command line expects its listening monitor socket, or -1. */
static int find_monitor_fd(char **command)
{
        for (char **argument = command; *argument && argument[1]; argument++) {
                const char *fd = strstr(argument[1], "fd=");

                if (strcmp(*argument, "-chardev") == 0 && strstr(argument[1], "server=on") && fd)
                        return atoi(fd + 3);
        }
        return -1;
}

static int listen_at(struct sockaddr_un *address, socklen_t *size)
{
        socklen_t length = sizeof(sa_family_t);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address->sun_family = AF_UNIX;
        ck_assert_int_eq(bind(fd, (struct sockaddr *)address, length), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        length = sizeof(*address);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &length), 0);
        *size = length;
        return fd;
}

static void expect_line(FILE *stream, const char *text)
{
        char line[4096];

        do {
                ck_assert_ptr_nonnull(fgets(line, sizeof(line), stream));
        } while (!strstr(line, text));
}

void bench_start_by_hand(char **command, int64_t *start_ns, int64_t *destroy_ns)
{
        int monitor_fd = find_monitor_fd(command);
        struct sockaddr_un address = { 0 };
        socklen_t size = 0;
        int listener = listen_at(&address, &size);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int64_t start = bench_now_ns();
        pid_t pid = fork();
        FILE *stream;

        if (pid == 0) {
                int null = open("/dev/null", O_RDWR);

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                dup2(null, 0);
                dup2(null, 1);
                dup2(null, 2);
                if (listener == monitor_fd)
                        fcntl(listener, F_SETFD, 0);
                else
                        dup2(listener, monitor_fd);
                execv(command[0], command);
                _exit(127);
        }
        close(listener);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
        stream = fdopen(fd, "r+");
        expect_line(stream, "\"QMP\"");
        ck_assert_int_gt(dprintf(fd, "{\"execute\": \"qmp_capabilities\"}\n"), 0);
        expect_line(stream, "\"return\"");
        ck_assert_int_gt(dprintf(fd, "{\"execute\": \"cont\"}\n"), 0);
        expect_line(stream, "\"return\"");
        *start_ns = bench_now_ns() - start;
        start = bench_now_ns();
        kill(pid, SIGTERM);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        *destroy_ns = bench_now_ns() - start;
        fclose(stream);
}

static int64_t arrived_ns;

static int note_arrival(sd_bus_message *message, void *data, sd_bus_error *error)
{
        if (!arrived_ns)
                arrived_ns = bench_now_ns();
        return 0;
}

/* How long after the answer to Create the event is there, in us; negative when it was there before. */
static double measure_event_us(struct bench *bench, const char *path)
{
        sd_bus *bus = client_get_bus(bench->client);
        const struct bench_call destroy = { path, DOMAIN_INTERFACE, "Destroy", "u", NULL, NULL };
        struct client_answer answer = { 0 };
        sd_bus_slot *slot = NULL;
        int64_t answered_ns = 0;
        int64_t ns = 0;

        arrived_ns = 0;
        ck_assert_int_ge(sd_bus_match_signal(bus, &slot, NULL, QEMU_PATH, CONNECT_INTERFACE, "DomainEvent",
                                             note_arrival, NULL),
                         0);
        client_send(bench->client, &answer, path, DOMAIN_INTERFACE, "Create", "u", 0);
        while (!answered_ns || !arrived_ns) {
                int r = sd_bus_process(bus, NULL);

                if (answer.done && !answered_ns)
                        answered_ns = bench_now_ns();
                if (r == 0)
                        sd_bus_wait(bus, CLIENT_DEADLINE_US);
        }
        ck_assert_ptr_null(answer.error);
        sd_bus_slot_unref(slot);
        sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &destroy, &ns));
        return (arrived_ns - answered_ns) / 1000.0;
}

static void measure_parallel_starts(struct bench *bench)
{
        struct client_answer answers[PARALLEL] = { 0 };
        char *paths[PARALLEL];
        int64_t start;
        unsigned running = 0;
        g_autofree char *text = NULL;

        for (unsigned i = 0; i < PARALLEL; i++) {
                g_autofree char *name = g_strdup_printf("parallel-%u", i);

                paths[i] = guest_define(bench->client, guest_bare_xml(name, NULL));
        }
        start = bench_now_ns();
        for (unsigned i = 0; i < PARALLEL; i++)
                client_send(bench->client, &answers[i], paths[i], DOMAIN_INTERFACE, "Create", "u", 0);
        for (unsigned i = 0; i < PARALLEL; i++)
                client_wait_answer(bench->client, &answers[i]);
        text = g_strdup_printf("%d ms", (int)((bench_now_ns() - start) / 1000000));
        for (unsigned i = 0; i < PARALLEL; i++)
                running += guest_get_state(bench->client, paths[i], NULL) == STATE_RUNNING;
        bench_print_value("32 starts in parallel: not running after it", PARALLEL - running, "", 0.5);
        bench_print_note("32 starts in parallel: time", text);
        for (unsigned i = 0; i < PARALLEL; i++) {
                g_free(client_try(bench->client, paths[i], DOMAIN_INTERFACE, "Destroy", "u", 0));
                client_do(bench->client, paths[i], DOMAIN_INTERFACE, "Undefine", "u", 0);
                g_free(paths[i]);
                g_free(answers[i].error);
        }
}

/* With a tap in a virtual network and without, in turns. */
static void measure_plugged(struct bench *bench)
{
        static const char network[] = "<network><name>bench</name><bridge name='br-bench'/></network>";
        static const char interface[] = "<interface type='network'><source network='bench'/>"
                                        "<model type='virtio'/></interface>";
        static const char user[] = "<interface type='user'><model type='virtio'/></interface>";
        g_autofree char *failed =
                client_try(bench->client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s", network);
        int64_t ns[2][ROUNDS] = { 0 }, ignored = 0;
        char *paths[2];

        if (failed) {
                bench_print_note("guests in a network: not measured", failed);
                return;
        }
        paths[0] = guest_define(bench->client, guest_bare_xml("plugged", interface));
        paths[1] = guest_define(bench->client, guest_bare_xml("unplugged", user));
        for (unsigned i = 0; i < ROUNDS; i++) {
                for (unsigned j = 0; j < 2; j++) {
                        const struct bench_call create = { paths[j], DOMAIN_INTERFACE, "Create", "u", NULL,
                                                           NULL };
                        const struct bench_call destroy = { paths[j], DOMAIN_INTERFACE, "Destroy", "u", NULL,
                                                            NULL };

                        sd_bus_message_unref(
                                bench_time_call(bench->client, "org.libvirt", &create, &ns[j][i]));
                        sd_bus_message_unref(
                                bench_time_call(bench->client, "org.libvirt", &destroy, &ignored));
                }
        }
        bench_print("start of a guest in a network, against the user's", bench_median(ns[0], ROUNDS) / 1e6,
                    bench_median(ns[1], ROUNDS) / 1e6, "ms", 1.5);
        for (unsigned j = 0; j < 2; j++) {
                client_do(bench->client, paths[j], DOMAIN_INTERFACE, "Undefine", "u", 0);
                g_free(paths[j]);
        }
}

void bench_guests(struct bench *bench)
{
        g_autofree char *path = guest_define(bench->client, guest_bare_xml("start", NULL));
        const struct bench_call create = { path, DOMAIN_INTERFACE, "Create", "u", NULL, NULL };
        const struct bench_call destroy = { path, DOMAIN_INTERFACE, "Destroy", "u", NULL, NULL };
        const struct bench_call get_state = { path, DOMAIN_INTERFACE, "GetState", "u", NULL, NULL };
        int64_t ours[2][ROUNDS] = { 0 };
        int64_t hand[2][ROUNDS] = { 0 };
        g_auto(GStrv) command = NULL;
        double ours_us;
        double echo_us;
        int64_t ns = 0;

        if (strcmp(guest_get_type(), "kvm") != 0)
                bench_print_note("no KVM here", "guests run under emulation");
        sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &create, &ns));
        command = bench_read_command(harness_find_guest(bench->harness, "start"));
        sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &destroy, &ns));
        for (unsigned i = 0; i < ROUNDS; i++) {
                sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &create, &ours[0][i]));
                sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &destroy, &ours[1][i]));
                bench_start_by_hand(command, &hand[0][i], &hand[1][i]);
        }
        bench_print("start of a 64 MiB guest, against bare QEMU", bench_median(ours[0], ROUNDS) / 1e6,
                    bench_median(hand[0], ROUNDS) / 1e6, "ms", 1.5);
        bench_print("destroy, against SIGTERM of bare QEMU", bench_median(ours[1], ROUNDS) / 1e6,
                    bench_median(hand[1], ROUNDS) / 1e6, "ms", 1.5);
        bench_compare(bench, &get_state, 200, &ours_us, &echo_us);
        bench_print("STARTED after the answer to Create", MAX(measure_event_us(bench, path), 0), echo_us,
                    "us", 2.0);
        client_do(bench->client, path, DOMAIN_INTERFACE, "Undefine", "u", 0);
        measure_parallel_starts(bench);
        measure_plugged(bench);
}

/* One guest whose QEMU is stopped: reads of it and of another, as they were before. */
void bench_hung(struct bench *bench)
{
        g_autofree char *hung = guest_start(bench->client, guest_bare_xml("hung", NULL));
        g_autofree char *other = guest_start(bench->client, guest_bare_xml("other", NULL));
        const struct bench_call read_hung = { hung, DOMAIN_INTERFACE, "GetXMLDesc", "u", NULL, NULL };
        const struct bench_call read_other = { other, DOMAIN_INTERFACE, "GetXMLDesc", "u", NULL, NULL };
        const struct bench_call destroy = { hung, DOMAIN_INTERFACE, "Destroy", "u", NULL, NULL };
        struct client_answer answer = { 0 };
        struct client *waiting = harness_connect(bench->harness);
        double before_us;
        double after_us;
        double echo_us;
        int64_t ns = 0;

        bench_pin(bench, true);
        bench_compare(bench, &read_hung, 500, &before_us, &echo_us);
        kill(harness_find_guest(bench->harness, "hung"), SIGSTOP);
        client_send(waiting, &answer, hung, DOMAIN_INTERFACE, "Suspend", NULL);
        bench_compare(bench, &read_hung, 500, &after_us, &echo_us);
        bench_print("GetXMLDesc of a hung guest, against before", after_us, before_us, "us", 1.25);
        bench_compare(bench, &read_other, 500, &after_us, &echo_us);
        bench_print("GetXMLDesc of another guest, against before", after_us, before_us, "us", 1.25);
        bench_pin(bench, false);
        sd_bus_message_unref(bench_time_call(bench->client, "org.libvirt", &destroy, &ns));
        bench_print_value("destroy of the hung guest", ns / 1e6, "ms", 3000);
        client_wait_answer(waiting, &answer);
        g_free(answer.error);
        client_free(waiting);
        client_do(bench->client, other, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_do(bench->client, other, DOMAIN_INTERFACE, "Undefine", "u", 0);
        client_do(bench->client, hung, DOMAIN_INTERFACE, "Undefine", "u", 0);
}
