/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Domain documents for tests. One thread; owns nothing.
 */

#include "tests/support/guest.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/harness.h"

/* The value of `key` in the answer of kvm-probe, "" without one. */
static char *read_probe(const char *key)
{
        const char *dir = g_getenv("VIRTBUS_GUEST_DIR");
        g_autofree char *path = g_build_filename(dir ? dir : "", "kvm", NULL);
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return g_strdup("");
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, key) && (*line)[strlen(key)] == '=')
                        return g_strdup(*line + strlen(key) + 1);
        return g_strdup("");
}

static const char *domain_type(const char *key)
{
        g_autofree char *value = read_probe(key);

        return strcmp(value, "kvm") == 0 ? "kvm" : "qemu";
}

const char *guest_get_type(void)
{
        return domain_type("start");
}

char *guest_test_xml(const char *name, const char *uuid)
{
        g_autofree char *element = uuid ? g_strdup_printf("<uuid>%s</uuid>", uuid) : g_strdup("");

        return g_strdup_printf("<domain type='test'><name>%s</name>%s<memory unit='MiB'>64</memory>"
                               "<vcpu>1</vcpu><os><type>hvm</type></os></domain>",
                               name, element);
}

char *guest_bare_xml(const char *name, const char *devices)
{
        return g_strdup_printf(
                "<domain type='%s'><name>%s</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
                "<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
                "<controller type='usb' model='none'/><memballoon model='none'/>%s</devices></domain>",
                guest_get_type(), name, devices ? devices : "");
}

char *guest_fault_xml(const char *fault, const char *suffix)
{
        const char *emulator = g_getenv("VIRTBUS_FAKE_QEMU");
        g_autofree char *name = g_strdup_printf("fault-%s-%s", fault, suffix);
        g_autofree char *devices = g_strdup_printf("<emulator>%s</emulator>", emulator ? emulator : "");

        return guest_bare_xml(name, devices);
}

char *guest_logged_xml(const char *suffix, const char *devices)
{
        g_autofree char *bare = guest_fault_xml("logged", suffix);
        g_auto(GStrv) parts = g_strsplit(bare, "</emulator>", 2);

        return g_strconcat(parts[0], "</emulator>", devices, parts[1], NULL);
}

unsigned guest_count_told(const struct harness *harness, const char *suffix, const char *text)
{
        g_autofree char *name = g_strdup_printf("log/qemu/fault-logged-%s.log", suffix);
        g_autofree char *path = harness_path(harness, name), *log = NULL;
        unsigned count = 0;

        ck_assert(g_file_get_contents(path, &log, NULL, NULL));
        for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
                count++;
        return count;
}

char *guest_linux_xml(const char *name, const char *console, const char *action)
{
        const char *dir = g_getenv("VIRTBUS_GUEST_DIR");

        return g_strdup_printf(
                "<domain type='%s'><name>%s</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>"
                "<os><type machine='q35'>hvm</type><kernel>%s/vmlinux</kernel>"
                "<initrd>%s/initrd.img</initrd>"
                "<cmdline>" GUEST_LINE "%s</cmdline></os>"
                "<features><acpi/></features><devices><controller type='usb' model='none'/>"
                "<serial type='file'><source path='%s'/></serial>"
                "<memballoon model='none'/></devices></domain>",
                domain_type("linux"), name, dir, dir, action, console);
}

char *guest_linux_with_xml(const char *name, const char *console, const char *action, const char *devices)
{
        g_autofree char *xml = guest_linux_xml(name, console, action);
        g_auto(GStrv) parts = g_strsplit(xml, "<devices>", 2);
        g_autofree char *first = g_strconcat("<devices>" GUEST_PORTS, devices, NULL);

        return g_strjoinv(first, parts);
}

char *guest_define(struct client *client, char *xml)
{
        char *path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);

        g_free(xml);
        return path;
}

char *guest_start(struct client *client, char *xml)
{
        char *path = guest_define(client, xml);

        client_do(client, path, DOMAIN_INTERFACE, "Create", "u", 0);
        return path;
}

void guest_do(struct client *client, const char *path, const char *member)
{
        client_do(client, path, DOMAIN_INTERFACE, member, NULL);
}

void guest_do_flags(struct client *client, const char *path, const char *member, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, member, "u", flags);
}

static bool is_about(sd_bus_message *message, const void *data)
{
        const char *alias;

        return sd_bus_message_read(message, "s", &alias) > 0 && strcmp(alias, data) == 0;
}

void guest_wait_device(struct client *client, const char *path, const char *signal, const char *alias)
{
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, signal, is_about, alias));
}

int guest_get_state(struct client *client, const char *path, int *reason)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "GetState", "u", 0);
        int state;
        int why;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ii)", &state, &why), 0);
        if (reason)
                *reason = why;
        return state;
}

void guest_expect_state(struct client *client, const char *path, int state, int reason)
{
        int why;
        int now = guest_get_state(client, path, &why);

        ck_assert_int_eq(now, state);
        if (reason >= 0)
                ck_assert_int_eq(why, reason);
}

void guest_expect_vcpus(struct client *client, const char *path, const char *numbers)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "GetVcpuInfo", "");
        g_autoptr(GString) told = g_string_new(NULL);
        uint32_t number;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(uitiab)"), 0);
        while (sd_bus_message_enter_container(reply, 'r', "uitiab") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "u", &number), 0);
                ck_assert_int_gt(sd_bus_message_skip(reply, "itiab"), 0);
                sd_bus_message_exit_container(reply);
                g_string_append_printf(told, "%u ", number);
        }
        ck_assert_str_eq(told->str, numbers);
}

enum { CONSOLE_TAIL = 8000 };

struct console {
        const char *path;
        const char *text;
};

static bool console_has(void *data)
{
        const struct console *console = data;
        g_autofree char *text = NULL;

        return g_file_get_contents(console->path, &text, NULL, NULL) && strstr(text, console->text);
}

bool guest_try_console(const char *console, const char *text)
{
        struct console wanted = { console, text };

        return harness_wait(console_has, &wanted);
}

void guest_wait_console(const char *console, const char *text)
{
        g_autofree char *said = NULL;
        size_t length = 0;

        if (guest_try_console(console, text))
                return;
        if (!g_file_get_contents(console, &said, &length, NULL))
                ck_abort_msg("waited in vain until the guest prints '%s', and there is no '%s'", text,
                             console);
        /* More than the message of a case can hold. */
        printf("--- the last that is in '%s':\n%s\n", console,
               said + (length > CONSOLE_TAIL ? length - CONSOLE_TAIL : 0));
        fflush(stdout);
        ck_abort_msg("waited in vain until the guest prints '%s'", text);
}

unsigned guest_check_count(const char *text)
{
        unsigned last = 0;

        for (const char *p = text; (p = strstr(p, "count ")); p++) {
                unsigned number = (unsigned)strtoul(p + strlen("count "), NULL, 10);

                if (!strchr(p, '\n'))
                        break;
                if (last > 0)
                        ck_assert_uint_eq(number, last + 1);
                last = number;
        }
        return last;
}

static char *read_groups(pid_t pid)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/cgroup", (int)pid);
        char *text = NULL;

        ck_assert_msg(g_file_get_contents(file, &text, NULL, NULL), "%s", file);
        return text;
}

void guest_expect_same_groups(pid_t emulator, pid_t process)
{
        g_autofree char *groups = read_groups(emulator), *others = read_groups(process);

        ck_assert_str_eq(groups, others);
}

/* A line from the socket; the caller's to free. */
static char *read_line(int fd)
{
        GString *line = g_string_new(NULL);
        char c = 0;

        while (c != '\n') {
                ck_assert_int_eq(read(fd, &c, 1), 1);
                g_string_append_c(line, c);
        }
        return g_string_free(line, FALSE);
}

char *guest_status_path(const struct harness *harness, struct client *client, const char *path)
{
        g_autofree char *uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        g_autofree char *below = g_strdup_printf("run/qemu/%s/status.xml", uuid);

        return harness_path(harness, below);
}

int guest_open_monitor(const char *socket_path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, socket_path, sizeof(address.sun_path));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        dprintf(fd, "{'execute': 'qmp_capabilities'}\n");
        return fd;
}

void guest_tell_open_monitor(int fd, const char *command, const char *awaited, const char *too)
{
        bool done = false;

        dprintf(fd, "%s\n", command);
        while (!done) {
                g_autofree char *line = read_line(fd);

                done = strstr(line, awaited) && strstr(line, too);
        }
}

void guest_tell_monitor(const char *socket_path, const char *command, const char *awaited, const char *too)
{
        int fd = guest_open_monitor(socket_path);

        guest_tell_open_monitor(fd, command, awaited, too);
        close(fd);
}

struct wanted {
        pid_t pid, thread;
        const char *name;
};

/* Threads that come and go meanwhile may hide others from a reader of the directory. */
static bool is_thread(void *data)
{
        struct wanted *wanted = data;
        g_autofree char *tasks = g_strdup_printf("/proc/%d/task", (int)wanted->pid);
        g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *file = g_strconcat(tasks, "/", name, "/comm", NULL), *comm = NULL;

                if (!g_file_get_contents(file, &comm, NULL, NULL) || !g_str_has_prefix(comm, wanted->name))
                        continue;
                wanted->thread = (pid_t)atoi(name);
                return true;
        }
        return false;
}

pid_t guest_wait_thread(pid_t pid, const char *name)
{
        struct wanted wanted = { pid, 0, name };

        harness_wait_until(is_thread, &wanted, name);
        return wanted.thread;
}
