/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The helper for persistent reservations of guests that have SCSI disks of the kernel's making: it comes with
 * the first disk that needs it, comes again when it is killed, and goes with the last. Runs in the lab.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define UUID "5d3a3e0c-9f1b-4d0e-8f3a-0d4c2b1a6e66"
#define LIVE 1

static struct harness *harness;
static struct client *client;

/* What tests/lab/servers says to it. */
static char *act(const char *action)
{
        g_autofree char *command =
                g_strdup_printf("%s/tests/lab/servers %s", g_getenv("VIRTBUS_SOURCE_DIR"), action);
        g_autofree char *errors = NULL;
        char *output = NULL;
        int status;

        ck_assert(g_spawn_command_line_sync(command, &output, &errors, &status, NULL));
        ck_assert_msg(status == 0, "%s: %s", command, errors);
        return output;
}

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
        if (access("/sys/module/scsi_debug", F_OK) == 0)
                g_free(act("no-disks"));
}

/* udev makes the owner of a device's file its own again behind whoever has written to it. */
static void settle(void)
{
        ck_assert(g_spawn_command_line_sync("udevadm settle", NULL, NULL, NULL, NULL));
}

/* ---- the helper ---- */

/* 0: there is none. */
static pid_t find_helper(void)
{
        g_autofree char *file = harness_path(harness, "run/qemu/" UUID "/pr-helper.pid"), *text = NULL,
                        *comm = NULL, *name = NULL;

        if (!g_file_get_contents(file, &text, NULL, NULL))
                return 0;
        comm = g_strdup_printf("/proc/%d/comm", atoi(text));
        if (!g_file_get_contents(comm, &name, NULL, NULL) || !g_str_has_prefix(name, "qemu-pr-helper"))
                return 0;
        return atoi(text);
}

static bool is_another(void *before)
{
        pid_t pid = find_helper();

        return pid != 0 && pid != *(pid_t *)before;
}

static bool is_none(void *unused)
{
        return find_helper() == 0;
}

/* ---- the guest ---- */

static char *lun_xml(const char *node, const char *target)
{
        return g_strdup_printf("<disk type='block' device='lun'><driver name='qemu' type='raw'/>"
                               "<source dev='%s'><reservations managed='yes'/></source>"
                               "<target dev='%s' bus='scsi'/></disk>",
                               node, target);
}

static char *get_socket(void)
{
        return harness_path(harness, "run/qemu/" UUID "/io/test.sock");
}

static char *guest_xml(const char *disk)
{
        g_autofree char *socket = get_socket();

        return g_strdup_printf(
                "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>web</name>"
                "<uuid>" UUID "</uuid><memory unit='MiB'>64</memory>"
                "<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
                "<controller type='scsi' model='virtio-scsi'/><memballoon model='none'/>%s</devices>"
                "<qemu:commandline><qemu:arg value='-qmp'/>"
                "<qemu:arg value='unix:%s,server=on,wait=off'/></qemu:commandline></domain>",
                disk, socket);
}

static char *read_line(FILE *monitor)
{
        char *line = NULL;
        size_t size = 0;

        ck_assert_msg(getline(&line, &size, monitor) > 0, "the monitor is closed");
        return line;
}

/* Has the guest's QEMU a helper that it is connected to? */
static bool is_connected(void)
{
        static const char commands[] =
                "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-pr-managers\"}\n";
        g_autofree char *path = get_socket(), *dir = g_path_get_dirname(path), *line = NULL;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dir_fd = open(dir, O_PATH | O_CLOEXEC);
        bool connected;
        FILE *monitor;

        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/test.sock", dir_fd);
        ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%s: %s", path,
                      g_strerror(errno));
        close(dir_fd);
        monitor = fdopen(fd, "r+");
        ck_assert_int_ge(fputs(commands, monitor), 0);
        ck_assert_int_eq(fflush(monitor), 0);
        for (;;) {
                g_free(line);
                line = read_line(monitor);
                if (strstr(line, "\"return\": ["))
                        break;
        }
        connected = strstr(line, "\"connected\": true") != NULL;
        fclose(monitor);
        return connected;
}

static bool is_connected_now(void *unused)
{
        return is_connected();
}

static void attach(const char *path, const char *xml)
{
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
}

static void detach(const char *path, const char *xml)
{
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", xml, LIVE);
}

START_TEST(test_helper)
{
        g_autofree char *output = act("disks 2"), *first = NULL, *second = NULL, *path = NULL, *live = NULL,
                        *stored = NULL;
        g_auto(GStrv) nodes = g_strsplit(g_strstrip(output), "\n", -1);
        pid_t helper, other;

        ck_assert_uint_eq(g_strv_length(nodes), 2);
        settle();
        first = lun_xml(nodes[0], "sda");
        second = lun_xml(nodes[1], "sdb");
        path = guest_start(client, guest_xml(first));
        helper = find_helper();
        ck_assert_int_ne(helper, 0);
        guest_expect_same_groups(harness_find_guest(harness, "web"), helper);
        ck_assert(is_connected());
        live = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_msg(strstr(live, "/io/pr-helper0.sock' mode='client'/>") != NULL, "%s", live);
        ck_assert_msg(strstr(stored, "<reservations managed='yes'/>") != NULL, "%s", stored);
        attach(path, second);
        ck_assert_int_eq(find_helper(), helper);
        /* Killed, it comes again, also where no agent has seen it. */
        ck_assert_int_eq(kill(helper, SIGKILL), 0);
        harness_wait_until(is_another, &helper, "another helper");
        other = find_helper();
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        ck_assert_int_eq(kill(other, SIGKILL), 0);
        harness_start_agent(harness);
        harness_wait_until(is_another, &other, "the other agent's helper");
        detach(path, first);
        ck_assert_int_ne(find_helper(), 0);
        detach(path, second);
        harness_wait_until(is_none, NULL, "the end of the helper with its last disk");
        settle();
        attach(path, second);
        harness_wait_until(is_connected_now, NULL, "a connection to the new helper");
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_until(is_none, NULL, "the end of the helper with its guest");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("reservations");
        TCase *tcase = tcase_create("reservations");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, test_helper);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
