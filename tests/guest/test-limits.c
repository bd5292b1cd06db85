/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Disks behind several groups of limits, one filter of QEMU's above the other: how they start, come, change
 * and go while the guest runs. What QEMU has is asked of it, on a monitor that the document has for that.
 */

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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
static char *script; /* what fake-qemu is to do */
static FILE *monitor;

#define FILE_SIZE (16 << 20)

/* Of nothing. */
static char *make_file(const char *name)
{
        char *made = harness_path(harness, name);

        ck_assert(g_file_set_contents(made, "", 0, NULL));
        ck_assert_int_eq(truncate(made, FILE_SIZE), 0);
        return made;
}

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
        file = make_file("file");
        medium = make_file("medium");
        script = harness_path(harness, "script");
        ck_assert(g_file_set_contents(script, "", 0, NULL));
        path = NULL;
}

static void tear_down(void)
{
        g_clear_pointer(&monitor, fclose);
        g_free(file);
        g_free(medium);
        g_free(path);
        g_free(script);
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

/* The answer to a command, which has the name `id` for it; or why there is none. */
static char *hear(const char *command, const char *id)
{
        g_autofree char *mark = g_strdup_printf("\"id\": \"%s\"", id);
        char *answer;
        size_t size = 0;
        char *line = NULL;

        dprintf(fileno(monitor), "%s", command);
        do
                ck_assert_int_gt(getline(&line, &size, monitor), 0);
        while (!strstr(line, mark));
        answer = g_strdup(line);
        free(line);
        return answer;
}

static char *ask(const char *command, const char *id)
{
        char *answer = hear(command, id);

        ck_assert_msg(strstr(answer, "\"return\""), "%s: %s", command, answer);
        return answer;
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

#define BEHIND(group)         "<throttlefilter group='" group "'/>"
#define FILTERS(groups)       "<throttlefilters>" groups "</throttlefilters>"
#define TUNE(numbers)         "<iotune>" numbers "</iotune>"
#define GROUP(numbers, group) TUNE(numbers "<group_name>" group "</group_name>")
#define TOTAL(n)              "<total_bytes_sec>" #n "</total_bytes_sec>"
#define READ(n)               "<read_iops_sec>" #n "</read_iops_sec>"

/* limits: its <throttlefilters>, or <iotune>. */
static char *disk_xml(const char *device, const char *source, const char *target, const char *limits)
{
        g_autofree char *element = source ? g_strdup_printf("<source file='%s'/>", source) : g_strdup("");

        return g_strdup_printf("<disk type='file' device='%s'><driver name='qemu' type='raw'/>%s"
                               "<target dev='%s' bus='%s'/>%s%s</disk>",
                               device, element, target, *device == 'c' ? "sata" : "usb",
                               *device == 'c' ? "<readonly/>" : "<shareable/>", limits);
}

/* devices: taken. */
static void start_with(const char *name, char *devices, const char *arguments)
{
        g_autofree char *socket_path = harness_path(harness, "second"), *owned = devices;
        g_autofree char *xml = g_strdup_printf(
                "<domain type='%s' "
                "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>%s</name>"
                "<memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>"
                "<throttlegroups>"
                "<throttlegroup><total_bytes_sec>1000000000</total_bytes_sec><group_name>one</group_name>"
                "</throttlegroup>"
                "<throttlegroup><group_name>two</group_name><read_bytes_sec>1000000000</read_bytes_sec>"
                "</throttlegroup>"
                "<throttlegroup><group_name>three</group_name><total_iops_sec>100</total_iops_sec>"
                "</throttlegroup><throttlegroup><group_name>none</group_name></throttlegroup>"
                "</throttlegroups>"
                "<devices><controller type='usb' model='qemu-xhci'/>%s</devices>"
                "<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='unix:%s,server=on,wait=off'/>"
                "%s</qemu:commandline></domain>",
                guest_get_type(), name, owned, socket_path, arguments);

        path = guest_start(client, g_steal_pointer(&xml));
        connect_monitor();
}

static void start(void)
{
        g_autofree char *one = disk_xml("disk", file, "sda", FILTERS(BEHIND("one") BEHIND("two")));
        g_autofree char *other = disk_xml("disk", file, "sdb", FILTERS(BEHIND("two")));
        g_autofree char *drive = disk_xml("cdrom", medium, "sdc", FILTERS(BEHIND("three") BEHIND("one")));

        start_with("limits", g_strconcat(one, other, drive, NULL), "");
}

static void set_limits(const char *limits, unsigned flags)
{
        g_autofree char *xml = disk_xml("disk", file, "sda", limits);

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

/* The limits that a disk has for itself are in a group of QEMU's, which is called as the disk is. */
START_TEST(test_called_as_a_disk)
{
        static const char *const none = "*unsupported configuration: <group_name> 'usb-disk1' of disk 'sda', "
                                        "which is the alias of disk 'sdb'";
        g_autofree char *one = disk_xml("disk", file, "sda", "");
        g_autofree char *other = disk_xml("disk", file, "sdb", TUNE(TOTAL(7000)));
        g_autofree char *bare = disk_xml("disk", file, "sdb", "");
        g_autofree char *third = disk_xml("disk", file, "sdc", TUNE(TOTAL(7000)));

        start_with("limits", g_strconcat(one, other, NULL), "");
        client_fails(client, LIBVIRT_ERROR, none, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "sda",
                     2, "group_name", "s", "usb-disk1", "read_bytes_sec", "t", (uint64_t)5000, LIVE);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", bare, LIVE);
        client_fails(client, LIBVIRT_ERROR, none, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "sda",
                     2, "group_name", "s", "usb-disk1", "read_bytes_sec", "t", (uint64_t)5000, LIVE);
        set_limit("sda", "usb-disk2", "read_bytes_sec", 5000);
        GROUPS("usb-disk2");
        /* Its alias is known when it is there. */
        client_fails(client, LIBVIRT_ERROR,
                     "*<group_name> 'usb-disk2' of disk 'sda', which is the alias of disk 'sdc'", path,
                     DOMAIN_INTERFACE, "AttachDevice", "su", third, LIVE);
        expect_limit("usb-disk2", "bps-read", 5000);
}
END_TEST

/* A disk moves from some groups to others while it is in use, and a restart of the agent changes nothing. */
START_TEST(test_moved)
{
        start();
        set_limits(FILTERS(BEHIND("two") BEHIND("three") BEHIND("none")), LIVE | CONFIG);
        expect_filters("usb-disk0", 3);
        GROUPS("one", "two", "three", "none");
        expect_limit("two", "bps-read", 1000000000);
        set_limits(FILTERS(BEHIND("none")), LIVE);
        expect_filters("usb-disk0", 1);
        GROUPS("one", "two", "three", "none");
        set_limits(FILTERS(""), LIVE);
        expect_filters("usb-disk0", 0);
        GROUPS("one", "two", "three");
        read_through("usb-disk0", 1);
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        set_limits(FILTERS(BEHIND("none") BEHIND("one")), LIVE);
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
        g_autofree char *disk = disk_xml("disk", file, "sdd", FILTERS(BEHIND("none") BEHIND("three")));
        g_autofree char *empty = disk_xml("cdrom", NULL, "sdc", FILTERS(BEHIND("three") BEHIND("one")));
        g_autofree char *full = disk_xml("cdrom", medium, "sdc", FILTERS(BEHIND("three") BEHIND("one")));

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

/* What it is told goes for the next medium; in a group that others are in, for those at once. */
START_TEST(test_empty_drive)
{
        g_autofree char *one = disk_xml("disk", file, "sda", GROUP(TOTAL(9000), "shared"));
        g_autofree char *empty = disk_xml("cdrom", NULL, "sdc", GROUP(TOTAL(9000), "shared"));
        g_autofree char *full = disk_xml("cdrom", medium, "sdc", GROUP(TOTAL(5000), "shared"));
        g_autofree char *drive = disk_xml("cdrom", NULL, "sdc", "");

        start_with("empty", g_strconcat(one, drive, NULL), "");
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "sdc", 1, "read_iops_sec", "t",
                  (uint64_t)30, LIVE | CONFIG);
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "sdc", 1, "read_iops_sec", "t",
                  (uint64_t)40, LIVE);
        client_fails(client, LIBVIRT_ERROR, "*characters of <group_name> of disk 'sdc'*", path,
                     DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", "sdc", 1, "group_name", "s", "../x",
                     LIVE);
        GROUPS("shared");
        expect_document(0, READ(40), true);
        expect_document(2, READ(30), true);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", empty, LIVE);
        GROUPS("shared");
        expect_document(0, READ(40), false);
        set_limit("sdc", "shared", "total_bytes_sec", 5000);
        expect_limit("shared", "bps-total", 5000);
        expect_document(0, TOTAL(9000), false);
        expect_document(2, TOTAL(9000), false);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", full, LIVE);
        expect_filters("sata0-0-2", 1);
        expect_limit("shared", "bps-total", 5000);
}
END_TEST

/* ---- QEMU refuses ---- */

/* A change of one disk, in so many commands before what there was is taken down. */
static const struct change {
        const char *target, *from, *to;
        unsigned commands;
} changes[] = {
        /* groups that come, filters that move from one to another, and one more */
        { "sda", FILTERS(BEHIND("one") BEHIND("two")), FILTERS(BEHIND("two") BEHIND("three") BEHIND("none")),
          5 },
        { "sda", FILTERS(BEHIND("one") BEHIND("two")), FILTERS(BEHIND("two") BEHIND("one")), 1 },
        { "sda", FILTERS(BEHIND("one") BEHIND("two")), FILTERS(BEHIND("one")), 1 },
        { "sda", FILTERS(BEHIND("one") BEHIND("two")), "", 1 },
        { "sda", FILTERS(BEHIND("one")), GROUP(TOTAL(9), "own"), 2 },
        { "sdb", TUNE(TOTAL(7000)), TUNE(READ(30)), 1 },
        { "sdb", TUNE(TOTAL(7000)), TUNE(TOTAL(7000) "<total_bytes_sec_max>9000</total_bytes_sec_max>"), 1 },
        { "sdb", TUNE(TOTAL(7000)), "", 1 },
        { "sdc", GROUP(TOTAL(2000), "slow"), GROUP(READ(40), "slow"), 1 },
        { "sdc", GROUP(TOTAL(2000), "slow"), GROUP(TOTAL(2000), "alone"), 2 },
        { "sdb", TUNE(TOTAL(7000)), GROUP(TOTAL(2000), "alone"), 1 },
        { "sdd", "", TUNE(TOTAL(3000)), 3 },
        { "sdd", "", GROUP("", "alone"), 2 },
};

static void tell(unsigned step, const char *what)
{
        g_autofree char *word = g_strdup_printf("%u %s", step, what);

        ck_assert(g_file_set_contents(script, word, -1, NULL));
}

static bool is_held(void *unused)
{
        g_autofree char *now = NULL;

        return g_file_get_contents(script, &now, NULL, NULL) && strcmp(now, "held") == 0;
}

static void start_fake(void)
{
        static const char *const targets[] = { "sda", "sdb", "sdc", "sdd" };
        static const char *const limits[] = { FILTERS(BEHIND("one")), TUNE(TOTAL(7000)),
                                              GROUP(TOTAL(2000), "slow"), "" };
        GString *devices = g_string_new(NULL);
        g_autofree char *arguments = g_strdup_printf("<qemu:arg value='-D'/><qemu:arg value='%s'/>", script);

        g_string_append_printf(devices, "<emulator>%s</emulator>", g_getenv("VIRTBUS_FAKE_QEMU"));
        for (unsigned i = 0; i < G_N_ELEMENTS(targets); i++) {
                g_autofree char *xml = disk_xml("disk", file, targets[i], limits[i]);

                g_string_append(devices, xml);
        }
        start_with("fault-plug-limits", g_string_free(devices, FALSE), arguments);
}

static gint compare_texts(gconstpointer one, gconstpointer other)
{
        return strcmp(*(char *const *)one, *(char *const *)other);
}

/* The groups that QEMU has, with their numbers. */
static char *describe_groups(void)
{
        g_autofree char *answer =
                ask("{'execute': 'qom-list', 'id': 'l', 'arguments': {'path': '/objects'}}", "l");
        g_auto(GStrv) parts = g_strsplit(answer, "\"throttle-", -1);
        g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func(g_free);

        for (unsigned i = 1; parts[i]; i++) {
                g_autofree char *name = g_strndup(parts[i], strcspn(parts[i], "\""));
                g_autofree char *command =
                        g_strdup_printf("{'execute': 'qom-get', 'id': 'g', 'arguments': {'path': "
                                        "'/objects/throttle-%s', 'property': 'limits'}}",
                                        name);
                g_autofree char *limits = hear(command, "g"); /* it may be about to go */

                g_ptr_array_add(groups, g_strconcat(name, limits, NULL));
        }
        g_ptr_array_sort(groups, compare_texts);
        g_ptr_array_add(groups, NULL);
        return g_strjoinv("", (char **)groups->pdata);
}

/* The nodes that QEMU has, in no order. */
static char *describe_nodes(void)
{
        g_autofree char *answer = ask("{'execute': 'query-named-block-nodes', 'id': 'n'}", "n");
        g_auto(GStrv) parts = g_strsplit(answer, "{\"iops_rd\"", -1);
        g_autoptr(GPtrArray) nodes = g_ptr_array_new();

        for (unsigned i = 0; parts[i]; i++)
                g_ptr_array_add(nodes, g_strdelimit(parts[i], "]}, ", ' '));
        g_ptr_array_sort(nodes, compare_texts);
        g_ptr_array_add(nodes, NULL);
        return g_strjoinv("", (char **)nodes->pdata);
}

/* What can have changed: groups, filters and the groups that they keep to, who reads what, the documents. */
static char *describe_all(void)
{
        g_autofree char *groups = describe_groups();
        g_autofree char *nodes = describe_nodes();
        g_autofree char *drives = ask("{'execute': 'query-block', 'id': 'b'}", "b");
        g_autofree char *live = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);

        return g_strconcat(groups, nodes, drives, live, stored, NULL);
}

static bool is_as(void *before)
{
        g_autofree char *now = describe_all();

        return strcmp(now, before) == 0;
}

static void expect_as(const char *before)
{
        g_autofree char *now = describe_all();

        ck_assert_str_eq(now, before);
}

static void update(const struct change *change, const char *limits)
{
        g_autofree char *xml = disk_xml("disk", file, change->target, limits);

        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", xml, LIVE | CONFIG);
}

/* At each command of a change: all is as it was. */
START_TEST(test_refused)
{
        start_fake();
        for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++) {
                const struct change *change = &changes[i];
                g_autofree char *xml = disk_xml("disk", file, change->target, change->to);
                g_autofree char *before = NULL, *after = NULL;

                update(change, change->from);
                before = describe_all();
                for (unsigned step = 0; step < change->commands; step++) {
                        tell(step, "refuse");
                        client_fails(client, LIBVIRT_ERROR, "*no such luck*", path, DOMAIN_INTERFACE,
                                     "UpdateDevice", "su", xml, LIVE | CONFIG);
                        expect_as(before);
                }
                update(change, change->to);
                after = describe_all();
                ck_assert_str_ne(after, before);
        }
}
END_TEST

/* The same of numbers alone, and an agent that comes next knows nothing else. */
START_TEST(test_tuning_refused)
{
        static const struct {
                const char *target, *group;
                unsigned commands;
        } rows[] = { { "sda", "one", 1 }, { "sdb", "", 1 }, { "sdb", "slow", 2 }, { "sdd", "", 3 } };
        g_autofree char *before = NULL;

        start_fake();
        before = describe_all();
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                for (unsigned step = 0; step < rows[i].commands; step++) {
                        tell(step, "refuse");
                        client_fails(client, LIBVIRT_ERROR, "*no such luck*", path, DOMAIN_INTERFACE,
                                     "SetBlockIOTune", "sa{sv}u", rows[i].target, 2, "group_name", "s",
                                     rows[i].group, "read_bytes_sec", "t", (uint64_t)4000, LIVE | CONFIG);
                        expect_as(before);
                }
        }
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        expect_as(before);
}
END_TEST

/* What was not answered in time comes about all the same, and is taken back behind it. */
START_TEST(test_late)
{
        const struct change *change = &changes[11];
        g_autofree char *xml = disk_xml("disk", file, change->target, change->to), *before = NULL;
        struct client_answer answer = { 0 };

        start_fake();
        before = describe_all();
        tell(change->commands - 1, "hold");
        client_send(client, &answer, path, DOMAIN_INTERFACE, "UpdateDevice", "su", xml, LIVE | CONFIG);
        harness_wait_until(is_held, NULL, "the last command is held");
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        ck_assert_msg(strstr(answer.error, "Timed out during operation"), "%s", answer.error);
        g_free(answer.error);
        ck_assert(g_file_set_contents(script, "pass", -1, NULL));
        harness_wait_until(is_as, before, "all is as it was");
        update(change, change->to);
        expect_filters("usb-disk3", 1);
}
END_TEST

/* ---- in I/O threads ---- */

#define DISK(driver, target, limits)                                                                         \
        "<disk type='file' device='disk'><driver name='qemu' type='raw'" driver                              \
        "/><source file='%s'/><target dev='" target "'/><shareable/>" limits "</disk>"

/*
 * A Linux whose drivers are up, which is what gives the disks to their threads: "vda" and "vdb" to one of
 * their own, "sda" to the one of its controller. "vdb" is behind limits from the start.
 */
static void start_threaded(void)
{
        g_autofree char *console = harness_path(harness, "console"),
                        *socket_path = harness_path(harness, "second");
        g_autofree char *all = guest_linux_xml("fault-plug-limits", console, "idle");
        g_autofree char *devices =
                g_strdup_printf("<devices><emulator>%s</emulator><controller type='scsi' model='virtio-scsi'>"
                                "<driver iothread='2'/></controller>" DISK(" iothread='1'", "vda", "")
                                        DISK("", "sda", "") DISK(" iothread='1'", "vdb", TUNE(TOTAL(7000))),
                                g_getenv("VIRTBUS_FAKE_QEMU"), file, file, file);
        g_autofree char *end = g_strdup_printf(
                "<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='unix:%s,server=on,wait=off'/>"
                "<qemu:arg value='-D'/><qemu:arg value='%s'/></qemu:commandline></domain>",
                socket_path, script);
        GString *xml = g_string_new(all);

        g_string_replace(xml, "<name>", "<iothreads>2</iothreads><name>", 1);
        g_string_replace(xml, "<domain ", "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' ",
                         1);
        g_string_replace(xml, "<devices>", devices, 1);
        g_string_replace(xml, "</domain>", end, 1);
        path = guest_start(client, g_string_free(xml, FALSE));
        guest_wait_console(console, "virtbus-guest: ready");
        connect_monitor();
}

#define COMMANDS_IN_THREAD 7

static const char *const threaded[] = { "vda", "sda" };

static void limit_threaded(const char *disk, uint64_t limit)
{
        client_do(client, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", disk, 1, "total_bytes_sec",
                  "t", limit, LIVE | CONFIG);
}

/* What is put above an image in QEMU is no larger than it is: the guest may come to see that. */
static void expect_size(void)
{
        g_autofree char *answer = ask("{'execute': 'query-named-block-nodes', 'id': 'n'}", "n");

        for (const char *at = answer; (at = strstr(at, "\"virtual-size\": "));) {
                at += strlen("\"virtual-size\": ");
                ck_assert_int_eq(atoi(at), FILE_SIZE);
        }
}

/* Limits come to such a disk, twice, and go; at each command that is refused all is as it was. */
START_TEST(test_threads)
{
        start_threaded();
        for (unsigned i = 0; i < 2 * G_N_ELEMENTS(threaded); i++) {
                const char *disk = threaded[i / 2];
                g_autofree char *before = describe_all();

                for (unsigned step = 0; step < COMMANDS_IN_THREAD; step++) {
                        tell(step, "refuse");
                        client_fails(client, LIBVIRT_ERROR, "*no such luck*", path, DOMAIN_INTERFACE,
                                     "SetBlockIOTune", "sa{sv}u", disk, 1, "total_bytes_sec", "t",
                                     (uint64_t)4000, LIVE | CONFIG);
                        expect_as(before);
                }
                limit_threaded(disk, 4000);
                expect_filters(*disk == 'v' ? "virtio-disk0" : "scsi0-0-0-0", 1);
                expect_limit(*disk == 'v' ? "virtio-disk0" : "scsi0-0-0-0", "bps-total", 4000);
                expect_size();
                limit_threaded(disk, 0);
                expect_as(before);
        }
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

static void kill_held_agent(void)
{
        harness_wait_until(is_held, NULL, "a command is held");
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
}

static void kill_agent_at(unsigned step, const char *disk, uint64_t limit)
{
        struct client_answer answer = { 0 };

        tell(step, "hold");
        client_send(client, &answer, path, DOMAIN_INTERFACE, "SetBlockIOTune", "sa{sv}u", disk, 1,
                    "total_bytes_sec", "t", limit, LIVE);
        kill_held_agent();
        client_wait_answer(client, &answer);
        g_free(answer.error);
}

/* word: what the emulator does from now on */
static void start_next_agent(const char *word)
{
        ck_assert(g_file_set_contents(script, word, -1, NULL));
        harness_start_agent(harness);
}

/* Whatever an agent had come to when it was killed, the next has all as it was. */
START_TEST(test_threads_of_a_killed_agent)
{
        g_autofree char *before = NULL;

        start_threaded();
        before = describe_all();
        for (unsigned step = 0; step < COMMANDS_IN_THREAD; step++) {
                kill_agent_at(step, "vda", 4000);
                start_next_agent("pass");
                harness_wait_until(is_as, before, "all is as it was");
        }
        guest_expect_state(client, path, STATE_RUNNING, -1);
        limit_threaded("vda", 4000);
        expect_filters("virtio-disk0", 1);
}
END_TEST

/* Limits that were going come back; so they do where the agent that was at it is killed, too. */
START_TEST(test_limits_of_a_killed_agent)
{
        enum { GOES = 1, COME_BACK = 7 };
        g_autofree char *before = NULL;

        start_threaded();
        before = describe_all();
        for (unsigned step = 0; step < COME_BACK; step++) {
                g_autofree char *word = g_strdup_printf("again %u", step);

                kill_agent_at(GOES, "vdb", 0);
                start_next_agent(word);
                kill_held_agent();
                start_next_agent("pass");
                harness_wait_until(is_as, before, "all is as it was");
        }
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

/* Drives without a medium keep to nothing, and one of them was to change what others keep to. */
START_TEST(test_empty_drives_of_a_killed_agent)
{
        g_autofree char *one = disk_xml("disk", file, "sda", GROUP(TOTAL(9000), "shared"));
        g_autofree char *other = disk_xml("cdrom", NULL, "sdb", GROUP(TOTAL(9000), "shared"));
        g_autofree char *alone = disk_xml("cdrom", NULL, "sdc", TUNE(TOTAL(9000)));
        g_autofree char *arguments = g_strdup_printf("<qemu:arg value='-D'/><qemu:arg value='%s'/>", script);
        g_autofree char *before = NULL;

        start_with("fault-plug-limits",
                   g_strdup_printf("<emulator>%s</emulator>%s%s%s", g_getenv("VIRTBUS_FAKE_QEMU"), one, other,
                                   alone),
                   arguments);
        before = describe_all();
        kill_agent_at(0, "sdb", 4000);
        start_next_agent("pass");
        harness_wait_until(is_as, before, "all is as it was");
        GROUPS("shared");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("limits");
        TCase *tcase = tcase_create("limits"), *refused = tcase_create("refused");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_stacked);
        tcase_add_test(tcase, test_called_as_a_disk);
        tcase_add_test(tcase, test_moved);
        tcase_add_test(tcase, test_come_and_go);
        tcase_add_test(tcase, test_empty_drive);
        suite_add_tcase(suite, tcase);
        tcase_add_checked_fixture(refused, set_up, tear_down);
        tcase_set_timeout(refused, 300);
        tcase_add_test(refused, test_refused);
        tcase_add_test(refused, test_tuning_refused);
        tcase_add_test(refused, test_late);
        tcase_add_test(refused, test_threads);
        tcase_add_test(refused, test_threads_of_a_killed_agent);
        tcase_add_test(refused, test_limits_of_a_killed_agent);
        tcase_add_test(refused, test_empty_drives_of_a_killed_agent);
        suite_add_tcase(suite, refused);
        return harness_main(suite);
}
