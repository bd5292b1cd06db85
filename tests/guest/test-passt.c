/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests whose user network is passt's, the program itself: in the network namespace of the test, which has a
 * way out for it to copy.
 */

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE 1

#define MAC "52:54:00:00:0a:07"
#define PASST(more)                                                                                          \
        "<interface type='user'><mac address='" MAC "'/><model type='virtio'/><backend type='passt'/>" more  \
        "</interface>"
#define FORWARD                                                                                              \
        "<portForward proto='tcp' address='127.0.0.1'><range start='20007' to='7'/>"                         \
        "<range start='20010' end='20020' to='10'/><range start='20012' exclude='yes'/></portForward>"       \
        "<portForward proto='udp' dev='lo'><range start='20053' to='53'/></portForward>"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static char *run(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_WARN_UNUSED_RESULT;
static char *run(const char *format, ...)
{
        g_autofree char *command = NULL;
        g_autoptr(GError) error = NULL;
        char *output = NULL;
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        ck_assert_msg(g_spawn_command_line_sync(command, &output, NULL, NULL, &error), "%s", command);
        return output;
}

/* The way out leads nowhere: passt looks for its addresses. */
static bool can_run(void)
{
        g_autofree char *program = g_find_program_in_path("passt");

        if (geteuid() != 0 || !program) {
                harness_skip("passt needs to be installed, and the test its own network");
                return false;
        }
        g_free(run("ip link add card0 type veth peer name wall0"));
        g_free(run("ip addr add 10.88.0.20/24 dev card0"));
        g_free(run("ip link set card0 up"));
        g_free(run("ip link set wall0 up"));
        g_free(run("ip route add default via 10.88.0.1"));
        return true;
}

static void remove_way(void)
{
        g_free(run("ip link del card0"));
}

/* ---- guests ---- */

static char *linux_xml(const char *name, const char *console, const char *action, const char *interface)
{
        g_autofree char *xml = guest_linux_xml(name, console, action);
        g_auto(GStrv) parts = g_strsplit(xml, "<devices>", 2);

        return g_strconcat(parts[0], "<devices>", interface, parts[1], NULL);
}

static char *dump(const char *path)
{
        return client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
}

struct caller {
        uint16_t port;
        char text[64];
};

/* Speaks first: some versions of passt tell the guest of a caller no sooner than that. */
static bool says_hello(void *data)
{
        struct caller *caller = data;
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons(caller->port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct timeval patience = { .tv_sec = 2 };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ssize_t length = -1;

        memset(caller->text, 0, sizeof(caller->text));
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
            send(fd, "hello\n", 6, MSG_NOSIGNAL) == 6)
                length = recv(fd, caller->text, sizeof(caller->text) - 1, MSG_WAITALL);
        close(fd);
        return length > 0 && strstr(caller->text, "virtbus-guest: hello");
}

/* Sockets that wait for callers, or for packets, at that port; owned. */
static char *list_sockets(unsigned port)
{
        return run("ss -Hnltup sport = :%u", port);
}

/* The process that has the port; 0: none. */
static pid_t find_passt(unsigned port)
{
        g_autofree char *sockets = list_sockets(port);
        const char *pid = strstr(sockets, "(\"passt");

        pid = pid ? strstr(pid, "pid=") : NULL;
        return pid ? atoi(pid + 4) : 0;
}

static bool is_port_free(void *data)
{
        g_autofree char *sockets = list_sockets(*(unsigned *)data);

        return *sockets == '\0';
}

static bool logs(void *text)
{
        g_autofree char *log = harness_read_log(harness);

        return strstr(log, text) != NULL;
}

/* ---- cases ---- */

/* Ports of the host lead to the guest, also when the agent that started it has died; nothing is left. */
START_TEST(test_ports_of_the_host)
{
        g_autofree char *console = harness_path(harness, "console"), *path = NULL, *xml = NULL,
                        *excluded = NULL, *udp = NULL;
        struct caller caller = { .port = 20007 };
        unsigned port = 20007;

        if (!can_run())
                return;
        path = guest_start(client, linux_xml("linux", console, "network", PASST(FORWARD)));
        xml = dump(path);
        ck_assert(strstr(xml, "<backend type='passt'/>"));
        guest_wait_console(console, "virtbus-guest: address 10.88.0.20");
        harness_wait_until(says_hello, &caller, "the guest answers at a port of the host");
        excluded = list_sockets(20012);
        udp = list_sockets(20053);
        ck_assert_str_eq(excluded, "");
        ck_assert(strstr(udp, "udp") && strstr(udp, "%lo:20053"));
        ck_assert_int_gt(find_passt(20011), 0);
        guest_expect_same_groups(harness_find_guest(harness, "guest=linux"), find_passt(20011));
        harness_end_agent(harness, SIGKILL);
        harness_wait_until(says_hello, &caller, "the guest answers without an agent");
        harness_start_agent(harness);
        harness_wait_until(says_hello, &caller, "the guest answers still");
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(is_port_free(&port));
        remove_way();
}
END_TEST

/* The addresses of the document are the guest's. */
START_TEST(test_addresses)
{
        g_autofree char *console = harness_path(harness, "console"), *path = NULL, *file = NULL,
                        *interface = NULL;

        if (!can_run())
                return;
        interface = g_strdup_printf("<interface type='user'><mac address='" MAC
                                    "'/><source dev='card0'/><model type='virtio'/>"
                                    "<backend type='passt' logFile='/tmp/virtbus-passt-%d.log'/>"
                                    "<ip family='ipv4' address='10.99.7.8' prefix='16'/></interface>",
                                    (int)getpid());
        file = g_strdup_printf("/tmp/virtbus-passt-%d.log", (int)getpid());
        path = guest_start(client, linux_xml("linux", console, "network", interface));
        guest_wait_console(console, "virtbus-guest: address 10.99.7.8");
        ck_assert(g_file_test(file, G_FILE_TEST_IS_REGULAR));
        guest_do_flags(client, path, "Destroy", 0);
        unlink(file);
        remove_way();
}
END_TEST

/* It comes with its interface and goes with it. */
START_TEST(test_coming_and_going)
{
        static const char interface[] = PASST(FORWARD "<alias name='ua-user'/>");
        g_autofree char *console = harness_path(harness, "console"), *path = NULL, *xml = NULL;
        unsigned port = 20007;

        if (!can_run())
                return;
        path = guest_start(client, linux_xml("linux", console, "watch",
                                             "<controller type='pci' index='0' model='pcie-root'/>"
                                             "<controller type='pci' index='1' model='pcie-root-port'/>"
                                             "<controller type='pci' index='2' model='pcie-root-port'/>"));
        guest_wait_console(console, "virtbus-guest: watching");
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", interface, LIVE);
        guest_wait_console(console, "virtbus-guest: 1 has eth0");
        ck_assert_int_gt(find_passt(20007), 0);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", interface, LIVE);
        guest_wait_console(console, "virtbus-guest: 2 lost eth0");
        ck_assert(is_port_free(&port));
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", interface, LIVE);
        guest_wait_console(console, "virtbus-guest: 3 has eth0");
        ck_assert_int_gt(find_passt(20007), 0);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(is_port_free(&port));
        remove_way();
}
END_TEST

/* One that dies is missed, and an emulator that dies takes its own along. */
static bool is_off(void *path)
{
        return guest_get_state(client, path, NULL) == STATE_SHUTOFF;
}

START_TEST(test_who_dies)
{
        static const char missed[] = "passt of interface 'net0' of domain 'one' has ended";
        g_autofree char *path = NULL, *other = NULL, *log = NULL;
        unsigned port = 20007;
        pid_t guest;

        if (!can_run())
                return;
        path = guest_start(client, guest_bare_xml("one", PASST(FORWARD)));
        ck_assert_int_eq(kill(find_passt(port), SIGKILL), 0);
        harness_wait_until(logs, (void *)missed, "the end of passt is noticed");
        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do_flags(client, path, "Destroy", 0);

        other = guest_start(client, guest_bare_xml("two", PASST(FORWARD)));
        guest = harness_find_guest(harness, "guest=two");
        ck_assert_int_gt(find_passt(port), 0);
        harness_end_agent(harness, SIGKILL);
        ck_assert_int_eq(kill(guest, SIGKILL), 0);
        harness_wait_until(is_port_free, &port, "passt ends with its guest");
        harness_start_agent(harness);
        harness_wait_until(is_off, other, "the end of the guest is noticed");
        log = harness_read_log(harness);
        ck_assert(!strstr(log, "of domain 'two' has ended"));
        remove_way();
}
END_TEST

/* What it cannot do ends the start, with its own words. */
START_TEST(test_what_fails)
{
        static const struct {
                const char *interface, *error;
        } cases[] = {
                { PASST("<portForward proto='tcp' address='127.0.0.1'><range start='20099'/></portForward>"),
                  "*passt of interface 'net0' of domain 'bad*Failed to bind*" },
                { PASST("<source dev='no0'/>"), "*passt of interface 'net0'*no0*" },
                { PASST("<portForward proto='tcp' dev='a,b'><range start='1'/></portForward>"), "*'a,b'*" },
        };
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons(20099),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd;

        if (!can_run())
                return;
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *name = g_strdup_printf("bad%u", i), *path = NULL;

                path = guest_define(client, guest_bare_xml(name, cases[i].interface));
                client_fails(client, LIBVIRT_ERROR, cases[i].error, path, DOMAIN_INTERFACE, "Create", "u", 0);
        }
        ck_assert_uint_eq(harness_count_guests(harness), 0);
        close(fd);
        remove_way();
}
END_TEST

/* One name of the two: option is the one of passt's that says it. */
static void check_name(const char *domain, const char *attribute, const char *option)
{
        g_autofree char *interface = g_strdup_printf(
                                "<interface type='user'><model type='virtio'/><backend type='passt' %s/>"
                                "</interface>",
                                attribute),
                        *help = run("passt --help"), *path = NULL, *error = NULL;

        path = guest_define(client, guest_bare_xml(domain, interface));
        if (strstr(help, option)) {
                guest_do_flags(client, path, "Create", 0);
                ck_assert_int_gt(harness_find_guest(harness, option), 0);
                guest_do_flags(client, path, "Destroy", 0);
                return;
        }
        error = g_strdup_printf(
                "*hostname and fqdn of the <backend> of interface 'net0' of domain '%s' need a "
                "later version*%s*",
                domain, option);
        client_fails(client, LIBVIRT_ERROR, error, path, DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}

/*
 * What the guest is told that it is called: by the versions that can, and of the others it is said. Each
 * alone, because the first that passt does not know is the only one that it tells of.
 */
START_TEST(test_names)
{
        if (!can_run())
                return;
        check_name("named", "hostname='web'", "--hostname");
        check_name("full", "fqdn='web.example.org'", "--fqdn");
        remove_way();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("passt");
        TCase *tcase = tcase_create("passt");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_ports_of_the_host);
        tcase_add_test(tcase, test_addresses);
        tcase_add_test(tcase, test_coming_and_going);
        tcase_add_test(tcase, test_who_dies);
        tcase_add_test(tcase, test_what_fails);
        tcase_add_test(tcase, test_names);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
