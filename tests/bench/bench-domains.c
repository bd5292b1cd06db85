/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A thousand defined domains: what defining them costs beside the disk, listing them beside the echo, and the
 * memory.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

#define DOMAINS 1000

/* A guest as virt-install makes it, for a realistic size of definition. */
static char *typical_xml(unsigned number)
{
        g_autofree char *name = g_strdup_printf("guest-%04u", number);

        return guest_bare_xml(
                name, "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                      "<source file='/var/lib/libvirt/images/guest.qcow2'/>"
                      "<target dev='vda' bus='virtio'/></disk>"
                      "<interface type='user'><model type='virtio'/></interface>"
                      "<serial type='pty'/><console type='pty'/>"
                      "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/>"
                      "</channel><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>");
}

/* One acknowledged file: temporary file, fsync, rename, fsync of the directory. */
static void write_file(int dir, const char *name, const char *text)
{
        int fd = openat(dir, "temporary", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
        ck_assert_int_eq(fsync(fd), 0);
        close(fd);
        ck_assert_int_eq(renameat(dir, "temporary", dir, name), 0);
        ck_assert_int_eq(fsync(dir), 0);
}

static double measure_disk_ms(struct bench *bench, const char *text)
{
        g_autofree char *path = harness_path(bench->harness, "disk");
        int64_t start;
        int dir;

        ck_assert_int_eq(mkdir(path, 0700), 0);
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        start = bench_now_ns();
        for (unsigned i = 0; i < DOMAINS; i++) {
                g_autofree char *name = g_strdup_printf("%u.xml", i);

                write_file(dir, name, text);
        }
        close(dir);
        return (bench_now_ns() - start) / 1e6;
}

static double define_all_ms(struct bench *bench)
{
        int64_t start = bench_now_ns();

        for (unsigned i = 0; i < DOMAINS; i++)
                g_free(guest_define(bench->client, typical_xml(i)));
        return (bench_now_ns() - start) / 1e6;
}

/* From its start until it tells the service manager that it serves: with all definitions loaded and
 * announced. */
static double measure_start_ms(struct bench *bench)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        g_autofree char *path = harness_path(bench->harness, "notify");
        int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        char message[256] = "";
        int64_t start;
        double ms;

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        unlink(path);
        ck_assert_int_eq(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
        harness_set_environment(bench->harness, "NOTIFY_SOCKET", path);
        harness_end_agent(bench->harness, SIGTERM);
        client_wait_name(bench->client, false);
        start = bench_now_ns();
        harness_spawn_agent(bench->harness);
        while (!g_str_has_prefix(message, "READY=1")) {
                ssize_t length = recv(manager, message, sizeof(message) - 1, 0);

                ck_assert_int_gt(length, 0);
                message[length] = '\0';
        }
        ms = (bench_now_ns() - start) / 1e6;
        close(manager);
        client_wait_name(bench->client, true);
        client_follow(bench->client);
        return ms;
}

void bench_domains(struct bench *bench)
{
        const struct bench_call list = { QEMU_PATH, CONNECT_INTERFACE, "ListDomains", "u", NULL, NULL };
        const struct bench_call objects = {
                QEMU_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", NULL, NULL
        };
        g_autofree char *first = guest_define(bench->client, typical_xml(0));
        g_autofree char *text =
                client_call_string(bench->client, first, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_auto(GStrv) paths = NULL;
        double idle_kib;
        double disk_ms;
        double ours;
        double echo;

        client_do(bench->client, first, DOMAIN_INTERFACE, "Undefine", "u", 0);
        idle_kib = bench_agent_kib(bench);
        bench_print_value("memory of the idle agent (Pss)", idle_kib, "KiB", 20 * 1024);
        disk_ms = measure_disk_ms(bench, text);
        ours = define_all_ms(bench);
        bench_print("1,000 defines, against the bare fsync loop", ours, disk_ms, "ms", 2.0);
        bench_print_value("memory per defined domain (Pss)", (bench_agent_kib(bench) - idle_kib) / DOMAINS,
                          "KiB", 30);
        bench_pin(bench, true);
        bench_compare(bench, &list, 200, &ours, &echo);
        bench_print("ListDomains of 1,000", ours, echo, "us", 1.5);
        bench_compare(bench, &objects, 20, &ours, &echo);
        bench_print("GetManagedObjects of 1,000", ours, echo, "us", 0);
        bench_pin(bench, false);
        bench_print_value("start to READY with 1,000 definitions", measure_start_ms(bench), "ms", 300);
        paths = client_list(bench->client, QEMU_PATH, CONNECT_INTERFACE, "ListDomains", 0);
        for (char **path = paths; *path; path++)
                client_do(bench->client, *path, DOMAIN_INTERFACE, "Undefine", "u", 0);
}
