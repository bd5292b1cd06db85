/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that AppArmor confines, for real: the lab's kernel has it, and apparmor_parser. The guest's QEMU is
 * made to open files through a monitor of the test's own, as one would that its guest has taken over. All
 * files may be opened by everybody, so what is refused is refused by the profile.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define UUID     "5d3a3e0c-9f1b-4d0e-8f3a-0d4c2b1a6e55"
#define PROFILE  "libvirt-" UUID
#define PROFILES "/sys/kernel/security/apparmor/profiles"

#define LIVE 1

static struct harness *harness;
static struct client *client;

static bool has_apparmor(void)
{
        return access(PROFILES, R_OK) == 0;
}

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

/* ---- files ---- */

static char *make_file(const char *name)
{
        char *path = harness_path(harness, name);

        ck_assert(g_file_set_contents(path, "disk", 4, NULL));
        ck_assert_int_eq(truncate(path, 1 << 20), 0);
        ck_assert_int_eq(chmod(path, 0666), 0);
        return path;
}

static bool has_profile(const char *name)
{
        g_autofree char *text = NULL, *line = g_strconcat("\n", name, " (enforce)\n", NULL), *all = NULL;

        ck_assert(g_file_get_contents(PROFILES, &text, NULL, NULL));
        all = g_strconcat("\n", text, NULL);
        return strstr(all, line) != NULL;
}

static bool is_gone(void *profile)
{
        return !has_profile(profile);
}

static char *read_label(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/attr/apparmor/current", pid);
        char *text = NULL;

        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        return g_strchomp(text);
}

/* ---- the guest ---- */

static char *disk_xml(const char *image, const char *target)
{
        return g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                               "<source file='%s'/><target dev='%s' bus='usb'/></disk>",
                               image, target);
}

/* Where the guest's own files are, among them the socket of the second monitor. */
static char *get_socket(void)
{
        return harness_path(harness, "run/qemu/" UUID "/io/test.sock");
}

static char *guest_xml(const char *seclabel, const char *image)
{
        g_autofree char *disk = disk_xml(image, "sda"), *socket = get_socket();

        return g_strdup_printf(
                "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>web</name>"
                "<uuid>" UUID "</uuid><memory unit='MiB'>64</memory>%s"
                "<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
                "<controller type='usb' model='qemu-xhci'/><memballoon model='none'/>%s</devices>"
                "<qemu:commandline><qemu:arg value='-qmp'/>"
                "<qemu:arg value='unix:%s,server=on,wait=off'/></qemu:commandline></domain>",
                seclabel, disk, socket);
}

/* ---- the second monitor ---- */

static char *read_line(FILE *monitor)
{
        char *line = NULL;
        size_t size = 0;

        ck_assert_msg(getline(&line, &size, monitor) > 0, "the monitor is closed");
        return line;
}

/* The answer to a command; events before it are skipped. */
static char *ask(FILE *monitor, const char *command)
{
        ck_assert_int_ge(fputs(command, monitor), 0);
        ck_assert_int_eq(fflush(monitor), 0);
        for (;;) {
                char *line = read_line(monitor);

                if (!strstr(line, "\"event\""))
                        return line;
                free(line);
        }
}

static FILE *open_monitor(void)
{
        g_autofree char *path = get_socket(), *greeting = NULL, *answer = NULL;
        g_autofree char *dir = g_path_get_dirname(path);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dir_fd = open(dir, O_PATH | O_CLOEXEC);
        FILE *monitor;

        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/test.sock", dir_fd);
        ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "%s: %s", path,
                      g_strerror(errno));
        close(dir_fd);
        monitor = fdopen(fd, "r+");
        greeting = read_line(monitor);
        answer = ask(monitor, "{\"execute\": \"qmp_capabilities\"}\n");
        ck_assert_msg(strstr(answer, "return"), "%s", answer);
        return monitor;
}

/* May the guest's QEMU open the file, for writing or for reading? driver: "file" or "host_device" */
static bool may_open_by(const char *driver, const char *path, bool write)
{
        FILE *monitor = open_monitor();
        g_autofree char *command =
                g_strdup_printf("{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"%s\", "
                                "\"node-name\": \"test\", "
                                "\"filename\": \"%s\", \"locking\": \"off\", \"read-only\": %s}}\n",
                                driver, path, write ? "false" : "true");
        g_autofree char *answer = ask(monitor, command), *removed = NULL;
        bool opened = strstr(answer, "\"return\"") != NULL;

        ck_assert_msg(
                opened || strstr(answer, *driver == 'f' ? "Permission denied" : "Operation not permitted"),
                "%s", answer);
        if (opened)
                removed = ask(monitor,
                              "{\"execute\": \"blockdev-del\", \"arguments\": {\"node-name\": \"test\"}}\n");
        fclose(monitor);
        return opened;
}

static bool may_open(const char *path, bool write)
{
        return may_open_by("file", path, write);
}

/* ---- cases ---- */

static void attach(const char *path, const char *image)
{
        g_autofree char *xml = disk_xml(image, "sdb");

        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
}

static void detach(const char *path, const char *image)
{
        g_autofree char *xml = disk_xml(image, "sdb");

        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", xml, LIVE);
}

static bool is_not_allowed(void *path)
{
        return !may_open(path, false);
}

static void restart_agent(void)
{
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
}

START_TEST(test_its_own_files)
{
        g_autofree char *own = make_file("own disk.img"), *other = make_file("other.img"),
                        *later = make_file("la*er[1].img");
        g_autofree char *path = NULL, *label = NULL;

        if (!has_apparmor()) {
                harness_skip("the kernel does not confine by AppArmor");
                return;
        }
        path = guest_start(client, guest_xml("", own));
        label = read_label(harness_find_guest(harness, "web"));
        ck_assert_str_eq(label, PROFILE " (enforce)");
        ck_assert(may_open(own, true));
        ck_assert(!may_open(other, false));
        ck_assert(!may_open("/etc/fstab", false) && !may_open("/proc/1/mountinfo", false));
        /* What is attached comes with its file, and goes with it; another agent knows as much. */
        ck_assert(!may_open(later, false));
        attach(path, later);
        ck_assert(may_open(later, true) && may_open(own, true) && !may_open(other, false));
        restart_agent();
        ck_assert(may_open(later, true) && may_open(own, true) && !may_open(other, false));
        detach(path, later);
        harness_wait_until(is_not_allowed, later, "the file that went with its disk");
        ck_assert(may_open(own, true));
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(!has_profile(PROFILE));
}
END_TEST

/* The guest goes on from its file, which it can open for as long as that takes. */
START_TEST(test_a_saved_guest)
{
        g_autofree char *own = make_file("own.img"), *file = harness_path(harness, "saved");
        g_autofree char *path = NULL;

        if (!has_apparmor()) {
                harness_skip("the kernel does not confine by AppArmor");
                return;
        }
        path = guest_start(client, guest_xml("", own));
        client_do(client, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        ck_assert(!has_profile(PROFILE));
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", file, "", 0);
        ck_assert_int_eq(chmod(file, 0666), 0);
        ck_assert(!may_open(file, false));
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* GetSecurityLabelList begins with that label, or has it not. */
static void expect_label(const char *path, const char *expected)
{
        sd_bus_message *reply = client_call(client, path, DOMAIN_INTERFACE, "GetSecurityLabelList", NULL);
        const char *label = NULL;
        int enforcing = -1;

        ck_assert_int_ge(sd_bus_message_enter_container(reply, 'a', "(sb)"), 0);
        ck_assert_int_ge(sd_bus_message_read(reply, "(sb)", &label, &enforcing), 0);
        if (expected)
                ck_assert_str_eq(label, expected);
        else
                ck_assert(!label || !g_str_has_prefix(label, "libvirt-"));
        ck_assert_int_eq(enforcing == 1, expected != NULL);
        sd_bus_message_unref(reply);
}

START_TEST(test_what_clients_see)
{
        g_autofree char *own = make_file("own.img"), *path = NULL, *xml = NULL, *stored = NULL,
                        *capabilities = NULL;
        const char *model, *doi;
        sd_bus_message *reply;

        if (!has_apparmor()) {
                harness_skip("the kernel does not confine by AppArmor");
                return;
        }
        reply = client_call(client, QEMU_PATH, CONNECT_INTERFACE, "NodeGetSecurityModel", NULL);
        ck_assert_int_gt(sd_bus_message_read(reply, "(ss)", &model, &doi), 0);
        ck_assert_str_eq(model, "apparmor");
        ck_assert_str_eq(doi, "0");
        sd_bus_message_unref(reply);
        capabilities = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "GetCapabilities", NULL);
        ck_assert_msg(strstr(capabilities, "<model>apparmor</model>"), "%s", capabilities);
        path = guest_start(client, guest_xml("", own));
        expect_label(path, PROFILE);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strstr(xml, "<seclabel type='dynamic' model='apparmor' relabel='yes'>") ||
                              strstr(xml, "<seclabel type=\"dynamic\" model=\"apparmor\" relabel=\"yes\">"),
                      "%s", xml);
        ck_assert_msg(strstr(xml, "<imagelabel>" PROFILE "</imagelabel>"), "%s", xml);
        stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert_msg(!strstr(stored, PROFILE), "%s", stored);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

START_TEST(test_no_profile)
{
        g_autofree char *own = make_file("own.img"), *other = make_file("other.img"), *path = NULL,
                        *label = NULL;

        if (!has_apparmor()) {
                harness_skip("the kernel does not confine by AppArmor");
                return;
        }
        path = guest_start(client, guest_xml("<seclabel type='none' model='apparmor'/>", own));
        label = read_label(harness_find_guest(harness, "web"));
        ck_assert_str_eq(label, "unconfined");
        ck_assert(may_open(other, false));
        expect_label(path, NULL);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

static void run_parser(const char *option, const char *profile)
{
        g_autofree char *file = harness_path(harness, "profile");
        const char *argv[] = { "apparmor_parser", option, "--quiet", file, NULL };
        int status = -1;

        ck_assert(g_file_set_contents(file, profile, -1, NULL));
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                               &status, NULL));
        ck_assert_int_eq(status, 0);
}

/* The administrator's profile is neither changed nor removed. */
START_TEST(test_a_profile_that_is_there)
{
        static const char mine[] = "profile virtbus-test { file, network, unix, signal, ptrace, }\n";
        g_autofree char *own = make_file("own.img"), *later = make_file("later.img"), *path = NULL,
                        *label = NULL;

        if (!has_apparmor()) {
                harness_skip("the kernel does not confine by AppArmor");
                return;
        }
        path = guest_define(client, guest_xml("<seclabel type='static' model='apparmor'>"
                                              "<label>virtbus-test</label></seclabel>",
                                              own));
        client_fails(client, LIBVIRT_ERROR, "*confined by*virtbus-test*", path, DOMAIN_INTERFACE, "Create",
                     "u", 0);
        run_parser("--replace", mine);
        guest_do_flags(client, path, "Create", 0);
        label = read_label(harness_find_guest(harness, "web"));
        ck_assert_str_eq(label, "virtbus-test (enforce)");
        expect_label(path, "virtbus-test");
        restart_agent();
        attach(path, later);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(has_profile("virtbus-test") && !has_profile(PROFILE));
        run_parser("--remove", mine);
}
END_TEST

/* Whoever ends while there is no agent has its profile removed by the next one. */
START_TEST(test_nobody_left)
{
        g_autofree char *own = make_file("own.img"), *path = NULL;
        pid_t pid;

        if (!has_apparmor()) {
                harness_skip("the kernel does not confine by AppArmor");
                return;
        }
        path = guest_start(client, guest_xml("", own));
        pid = harness_find_guest(harness, "web");
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        ck_assert(has_profile(PROFILE));
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        harness_start_agent(harness);
        harness_wait_until(is_gone, (char *)PROFILE, "the end of the profile");
}
END_TEST

/* A start that fails leaves no profile; what the parser says is the error. */
START_TEST(test_rules_of_the_administrator)
{
        g_autofree char *own = make_file("own.img"), *other = make_file("other.img"), *path = NULL,
                        *rule = g_strdup_printf("  \"%s\" r,\n", other);
        const char *dir = "/etc/apparmor.d/local/abstractions",
                   *file = "/etc/apparmor.d/local/abstractions/libvirt-qemu";

        if (!has_apparmor()) {
                harness_skip("the kernel does not confine by AppArmor");
                return;
        }
        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert(g_file_set_contents(file, "no such rule\n", -1, NULL));
        path = guest_define(client, guest_xml("", own));
        client_fails(client, LIBVIRT_ERROR, "*apparmor_parser*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert(!has_profile(PROFILE));
        ck_assert(g_file_set_contents(file, rule, -1, NULL));
        guest_do_flags(client, path, "Create", 0);
        ck_assert(may_open(other, false) && !may_open(other, true));
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_int_eq(unlink(file), 0);
}
END_TEST

/* ---- device nodes, which its control group lets it open ---- */

static char *run(const char *const argv[])
{
        char *out = NULL;
        int status = -1;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL,
                               &status, NULL));
        ck_assert_int_eq(status, 0);
        return g_strchomp(out);
}

/* A block device that everybody may open, whatever udev is told of it meanwhile. */
static char *make_node(const char *file)
{
        static const char rule[] = "SUBSYSTEM==\"block\", KERNEL==\"loop*\", MODE=\"0666\"\n";
        g_autofree char *reloaded = NULL, *settled = NULL;
        char *node;

        ck_assert_int_eq(g_mkdir_with_parents("/run/udev/rules.d", 0755), 0);
        ck_assert(g_file_set_contents("/run/udev/rules.d/99-test.rules", rule, -1, NULL));
        reloaded = run((const char *[]){ "udevadm", "control", "--reload", NULL });
        node = run((const char *[]){ "losetup", "--find", "--show", file, NULL });
        settled = run((const char *[]){ "udevadm", "settle", NULL });
        ck_assert_int_eq(chmod(node, 0666), 0);
        return node;
}

static bool is_closed(void *node)
{
        return !may_open_by("host_device", node, false);
}

START_TEST(test_device_nodes)
{
        g_autofree char *own = make_file("own.img"), *image = make_file("loop.img"), *path = NULL;
        g_autofree char *modprobe = run((const char *[]){ "modprobe", "loop", NULL });
        g_autofree char *node = make_node(image), *other = make_node(own), *xml = NULL, *removed = NULL;

        path = guest_start(client, guest_xml("<seclabel type='none' model='apparmor'/>", own));
        ck_assert(is_closed(node) && is_closed(other));
        xml = g_strdup_printf("<disk type='block' device='disk'><driver name='qemu' type='raw'/>"
                              "<source dev='%s'/><target dev='sdb' bus='usb'/></disk>",
                              node);
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
        ck_assert(may_open_by("host_device", node, true) && is_closed(other));
        restart_agent();
        ck_assert(may_open_by("host_device", node, true) && is_closed(other));
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", xml, LIVE);
        harness_wait_until(is_closed, node, "the node that went with its disk");
        guest_do_flags(client, path, "Destroy", 0);
        removed = run((const char *[]){ "losetup", "--detach", node, other, NULL });
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("confined");
        TCase *tcase = tcase_create("confined");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_its_own_files);
        tcase_add_test(tcase, test_a_saved_guest);
        tcase_add_test(tcase, test_what_clients_see);
        tcase_add_test(tcase, test_no_profile);
        tcase_add_test(tcase, test_a_profile_that_is_there);
        tcase_add_test(tcase, test_nobody_left);
        tcase_add_test(tcase, test_rules_of_the_administrator);
        tcase_add_test(tcase, test_device_nodes);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
