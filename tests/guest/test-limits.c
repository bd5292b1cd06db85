/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Disks behind several groups of limits, one filter of QEMU's above the other: how they start, come, change
 * and go while the guest runs. What QEMU has is asked of it, on a monitor that the document has for that.
 */

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE   1
#define CONFIG 2

static struct harness *harness;
static struct client *client;
static char *file, *medium, *path;
static FILE *monitor;

/* 16 MiB of nothing. */
static char *make_file(const char *name)
{
        char *made = harness_path(harness, name);

        ck_assert(g_file_set_contents(made, "", 0, NULL));
        ck_assert_int_eq(truncate(made, 16 << 20), 0);
        return made;
}

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
        file = make_file("file");
        medium = make_file("medium");
        path = NULL;
}

static void tear_down(void)
{
        g_clear_pointer(&monitor, fclose);
        g_free(file);
        g_free(medium);
        g_free(path);
        harness_free(harness);
}

/* ---- QEMU ---- */

static void connect_monitor(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        g_autofree char *socket_path = harness_path(harness, "second");
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, socket_path, sizeof(address.sun_path));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        monitor = fdopen(fd, "r+");
        dprintf(fd, "{'execute': 'qmp_capabilities'}");
}

/* The answer to a command, which has the name `id` for it. */
static char *ask(const char *command, const char *id)
{
        g_autofree char *mark = g_strdup_printf("\"id\": \"%s\"", id);
        g_autofree char *answer = NULL;
        size_t size = 0;
        char *line = NULL;

        dprintf(fileno(monitor), "%s", command);
        do
                ck_assert_int_gt(getline(&line, &size, monitor), 0);
        while (!strstr(line, mark));
        answer = g_strdup(line);
        free(line);
        ck_assert_msg(strstr(answer, "\"return\""), "%s: %s", command, answer);
        return g_steal_pointer(&answer);
}

/* One number of a group's limits. */
static void expect_limit(const char *group, const char *name, unsigned expected)
{
        g_autofree char *command = g_strdup_printf("{'execute': 'qom-get', 'id': 'g', 'arguments': {'path': "
                                                   "'/objects/throttle-%s', 'property': 'limits'}}",
                                                   group);
        g_autofree char *answer = ask(command, "g");
        g_autofree char *part = g_strdup_printf("\"%s\": %u,", name, expected);

        ck_assert_msg(strstr(answer, part), "%s of group '%s' is not %u: %s", name, group, expected, answer);
}

/* The groups that there are, each with a space behind it, in no order. */
static void expect_groups(const char *const *names)
{
        g_autofree char *answer =
                ask("{'execute': 'qom-list', 'id': 'l', 'arguments': {'path': '/objects'}}", "l");
        unsigned n = 0;

        for (const char *at = answer; (at = strstr(at, "\"throttle-")); at++)
                n++;
        for (unsigned i = 0; names[i]; i++) {
                g_autofree char *part = g_strdup_printf("\"throttle-%s\"", names[i]);

                ck_assert_msg(strstr(answer, part), "there is no %s in %s", part, answer);
        }
        ck_assert_msg(n == g_strv_length((char **)names), "%s", answer);
}
#define GROUPS(...) expect_groups((const char *const[]){ __VA_ARGS__, NULL })

/* The device of that alias, or what it is the bridge to, reads the last of n filters. */
static void expect_filters(const char *alias, unsigned n)
{
        g_autofree char *answer = ask("{'execute': 'query-block', 'id': 'b'}", "b");
        g_auto(GStrv) drives = g_strsplit(answer, "\"type\": \"unknown\"", -1);
        g_autofree char *mark =
                g_strdup_printf("%s%s", *alias == 's' ? "\"qdev\": \"" : "peripheral/", alias);
        g_autofree char *top = n == 0   ? g_strdup("-format\"")
                               : n == 1 ? g_strdup("-throttle\"")
                                        : g_strdup_printf("-throttle%u\"", n - 1);
        unsigned found = 0;

        for (unsigned i = 0; drives[i]; i++) {
                const char *node = strstr(drives[i], "\"node-name\"");

                if (!strstr(drives[i], mark))
                        continue;
                node = node ? node + strlen("\"node-name\": \"libvirt-N") : "";
                ck_assert_msg(g_str_has_prefix(node, top), "%s reads no %s: %.99s", alias, top, node);
                found++;
        }
        ck_assert_uint_eq(found, 1);
}

/* Seconds that reading so many MiB takes, as the guest's device reads. */
static double read_through(const char *alias, unsigned mib)
{
        g_autofree char *command =
                g_strdup_printf("{'execute': 'human-monitor-command', 'id': 'r', 'arguments': "
                                "{'command-line': 'qemu-io -d %s/%s.0/legacy[0] \"read 0 %uM\"'}}",
                                alias, alias, mib);
        gint64 before = g_get_monotonic_time();
        g_autofree char *answer = ask(command, "r");

        return (double)(g_get_monotonic_time() - before) / G_USEC_PER_SEC;
}

/* ---- the guest ---- */

#define BEHIND(group) "<throttlefilter group='" group "'/>"

/* group: elements <throttlefilter>, one after the other. */
static char *disk_xml(const char *device, const char *source, const char *target, const char *groups)
{
        g_autofree char *element = source ? g_strdup_printf("<source file='%s'/>", source) : g_strdup("");

        return g_strdup_printf("<disk type='file' device='%s'><driver name='qemu' type='raw'/>%s"
                               "<target dev='%s' bus='%s'/>%s<throttlefilters>%s</throttlefilters></disk>",
                               device, element, target, *device == 'c' ? "sata" : "usb",
                               *device == 'c' ? "<readonly/>" : "<shareable/>", groups);
}

static void start(void)
{
        g_autofree char *one = disk_xml("disk", file, "sda", BEHIND("one") BEHIND("two"));
        g_autofree char *other = disk_xml("disk", file, "sdb", BEHIND("two"));
        g_autofree char *drive = disk_xml("cdrom", medium, "sdc", BEHIND("three") BEHIND("one"));
        g_autofree char *socket_path = harness_path(harness, "second");
        g_autofree char *xml = g_strdup_printf(
                "<domain type='%s' "
                "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>limits</name>"
                "<memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>"
                "<throttlegroups>"
                "<throttlegroup><total_bytes_sec>1000000000</total_bytes_sec><group_name>one</group_name>"
                "</throttlegroup>"
                "<throttlegroup><group_name>two</group_name><read_bytes_sec>1000000000</read_bytes_sec>"
                "</throttlegroup>"
                "<throttlegroup><group_name>three</group_name><total_iops_sec>100</total_iops_sec>"
                "</throttlegroup><throttlegroup><group_name>none</group_name></throttlegroup>"
                "</throttlegroups>"
                "<devices><controller type='usb' model='qemu-xhci'/>%s%s%s</devices>"
                "<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='unix:%s,server=on,wait=off'/>"
                "</qemu:commandline></domain>",
                guest_get_type(), one, other, drive, socket_path);

        path = guest_start(client, g_steal_pointer(&xml));
        connect_monitor();
}

static void set_filters(const char *groups, unsigned flags)
{
        g_autofree char *xml = disk_xml("disk", file, "sda", groups);

        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", xml, flags);
}

static void expect_document(unsigned flags, const char *part, bool there)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        ck_assert_msg((strstr(xml, part) != NULL) == there, "%s: %s", part, xml);
}

static void set_limit(const char *disk, const char *group, const char *name, uint64_t limit)
{
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", disk, 2, "group_name", "s",
                  group, name, "t", limit, LIVE | CONFIG);
}

/* Each filter is in the way of what is read: whichever of the groups is slow, the disk is. */
START_TEST(test_stacked)
{
        start();
        GROUPS("one", "two", "three");
        expect_filters("usb-disk0", 2);
        expect_filters("usb-disk1", 1);
        expect_filters("sata0-0-2", 2);
        expect_limit("one", "bps-total", 1000000000);
        expect_limit("two", "bps-read", 1000000000);
        for (unsigned i = 0; i < 2; i++) {
                static const char *const groups[] = { "one", "two" };

                set_limit("sda", groups[i], "read_bytes_sec", 1 << 20);
                expect_limit(groups[i], "bps-read", 1 << 20);
                expect_limit(groups[i], "bps-total", 0);
                expect_document(0, "<read_bytes_sec>1048576</read_bytes_sec>", true);
                expect_document(2, "<read_bytes_sec>1048576</read_bytes_sec>", true);
                /* What is read first goes at once, and what comes next waits for it. */
                ck_assert(read_through("usb-disk0", 2) + read_through("usb-disk0", 2) > 1);
                set_limit("sda", groups[i], "read_bytes_sec", 0);
                expect_limit(groups[i], "bps-read", 0);
                expect_document(0, "<read_bytes_sec>", i == 0);
        }
        client_fails(client, LIBVIRT_ERROR, "*say by group_name which of them*", path, DOMAIN_INTERFACE,
                     "SetBlockIOTune", "sa{sv}u", "sda", 1, "read_bytes_sec", "t", (uint64_t)9, LIVE);
        client_fails(client, LIBVIRT_ERROR, "*behind several <throttlegroup>*", path, DOMAIN_INTERFACE,
                     "GetBlockIOTune", "su", "sda", 0);
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "sdb", 1, "read_bytes_sec",
                  "t", (uint64_t)1234567, LIVE);
        expect_limit("two", "bps-read", 1234567);
        sd_bus_message_unref(client_call(client, path, DOMAIN_INTERFACE, "GetBlockIOTune", "su", "sdb", 0));
}
END_TEST

/* A disk moves from some groups to others while it is in use, and a restart of the agent changes nothing. */
START_TEST(test_moved)
{
        start();
        set_filters(BEHIND("two") BEHIND("three") BEHIND("none"), LIVE | CONFIG);
        expect_filters("usb-disk0", 3);
        GROUPS("one", "two", "three", "none");
        expect_limit("two", "bps-read", 1000000000);
        set_filters(BEHIND("none"), LIVE);
        expect_filters("usb-disk0", 1);
        GROUPS("one", "two", "three", "none");
        set_filters("", LIVE);
        expect_filters("usb-disk0", 0);
        GROUPS("one", "two", "three");
        read_through("usb-disk0", 1);
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        set_filters(BEHIND("none") BEHIND("one"), LIVE);
        expect_filters("usb-disk0", 2);
        GROUPS("one", "two", "three", "none");
        read_through("usb-disk0", 1);
        client_fails(client, LIBVIRT_ERROR, "*no <throttlegroup> of that name*", path, DOMAIN_INTERFACE,
                     "UpdateDevice", "su",
                     "<disk type='file'><source file='/x'/><target dev='sda' bus='usb'/><throttlefilters>"
                     "<throttlefilter group='x'/></throttlefilters></disk>",
                     LIVE);
        expect_document(2, BEHIND("three"), true);
}
END_TEST

/* They come and go with a disk, and with a medium; a group stays as long as somebody is behind it. */
START_TEST(test_come_and_go)
{
        g_autofree char *disk = disk_xml("disk", file, "sdd", BEHIND("none") BEHIND("three"));
        g_autofree char *empty = disk_xml("cdrom", NULL, "sdc", BEHIND("three") BEHIND("one"));
        g_autofree char *full = disk_xml("cdrom", medium, "sdc", BEHIND("three") BEHIND("one"));

        start();
        for (unsigned i = 0; i < 2; i++) {
                client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", disk, LIVE);
                expect_filters("usb-disk3", 2);
                GROUPS("one", "two", "three", "none");
                client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", empty, LIVE | 4);
                GROUPS("one", "two", "three", "none");
                client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", disk, LIVE);
                GROUPS("one", "two");
                if (i == 0) {
                        harness_end_agent(harness, SIGKILL);
                        client_wait_name(client, false);
                        harness_start_agent(harness);
                }
                client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", full, LIVE);
                expect_filters("sata0-0-2", 2);
                GROUPS("one", "two", "three");
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("limits");
        TCase *tcase = tcase_create("limits");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_stacked);
        tcase_add_test(tcase, test_moved);
        tcase_add_test(tcase, test_come_and_go);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
