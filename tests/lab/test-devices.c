/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Node devices beside the real udevd, with disks that the kernel makes up, and what firmware says of a
 * machine that has one. Runs in the lab (tests/lab/lab).
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/harness.h"

#define NODE_DEVICE_INTERFACE "org.libvirt.NodeDevice"

static struct harness *harness;
static struct client *client;

static void act(const char *action)
{
        g_autofree char *command =
                g_strdup_printf("%s/tests/lab/servers %s", g_getenv("VIRTBUS_SOURCE_DIR"), action);
        g_autofree char *output = NULL, *errors = NULL;
        int status;

        ck_assert(g_spawn_command_line_sync(command, &output, &errors, &status, NULL));
        ck_assert_msg(status == 0, "%s: %s", command, errors);
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
                act("no-disks");
}

struct lifecycle {
        const char *element; /* that the path has */
        int event;
};

static bool match_event(sd_bus_message *message, const void *data)
{
        const struct lifecycle *wanted = data;
        const char *path;
        int event, detail;

        ck_assert_int_gt(sd_bus_message_read(message, "oii", &path, &event, &detail), 0);
        return strstr(path, wanted->element) && event == wanted->event;
}

/* The path of the device; to be freed. */
static char *wait_for(const char *element, int event)
{
        const struct lifecycle wanted = { element, event };
        g_autoptr(sd_bus_message) message = client_wait_signal(client, QEMU_PATH, CONNECT_INTERFACE,
                                                               "NodeDeviceEvent", match_event, &wanted);
        const char *path;

        ck_assert_int_ge(sd_bus_message_rewind(message, true), 0);
        ck_assert_int_gt(sd_bus_message_read(message, "o", &path), 0);
        return g_strdup(path);
}

static void expect(const char *document, const char *text)
{
        ck_assert_msg(strstr(document, text), "no \"%s\" in:\n%s", text, document);
}

/* What only udev's database knows is told: the serial number, which is in the name, and links. */
START_TEST(disks_come_and_go)
{
        g_autofree char *disk = NULL, *document = NULL, *gone = NULL, *unit = NULL;

        act("disks 1");
        disk = wait_for("/nodedev/block_5fsd", 0);
        unit = wait_for("/nodedev/scsi_5f", 0);
        document = client_call_string(client, disk, NODE_DEVICE_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strlen(disk) > strlen(QEMU_PATH "/nodedev/block_5fsdX_5f"), "%s", disk);
        expect(document, "<devnode type='link'>/dev/disk/by-");
        expect(document, "<drive_type>disk</drive_type>");
        expect(document, "<serial>");
        expect(document, "<size>100663296</size>");
        act("no-disks");
        gone = wait_for("/nodedev/block_5fsd", 1);
        ck_assert_str_eq(gone, disk);
        client_fails(client, LIBVIRT_ERROR, "Node device not found: *", disk, NODE_DEVICE_INTERFACE,
                     "GetXMLDesc", "u", 0);
}
END_TEST

static unsigned count_disks(char **paths)
{
        unsigned count = 0;

        for (; *paths; paths++)
                count += strstr(*paths, "/nodedev/block_5f") != NULL;
        return count;
}

/* Hundreds of events in a moment: what is there in the end is what the kernel has. */
START_TEST(many_disks_come_and_go)
{
        g_auto(GStrv) before = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListNodeDevices", 0);
        g_auto(GStrv) with = NULL, after = NULL;

        act("disks 24");
        for (unsigned i = 0; i < 24; i++)
                g_free(wait_for("/nodedev/block_5fsd", 0));
        with = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListNodeDevices", 0);
        /* Each is a host, a target, a unit and a disk at least. */
        ck_assert_uint_ge(g_strv_length(with), g_strv_length(before) + 24 * 4);
        act("no-disks");
        for (unsigned i = 0; i < 24; i++)
                g_free(wait_for("/nodedev/scsi_5fhost", 1));
        after = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListNodeDevices", 1 << 8);
        ck_assert_uint_eq(g_strv_length(after), count_disks(before));
}
END_TEST

/* The emulated machine has tables of SMBIOS, and one cell of memory. */
START_TEST(firmware)
{
        g_autofree char *text =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "GetSysinfo", "u", 0);
        g_autofree char *computer = client_call_string(client, QEMU_PATH "/nodedev/computer",
                                                       NODE_DEVICE_INTERFACE, "GetXMLDesc", "u", 0);

        expect(text, "<sysinfo type='smbios'>\n  <bios>\n    <entry name='vendor'>");
        expect(text, "    <entry name='manufacturer'>QEMU</entry>\n    <entry name='product'>");
        expect(text, "  <processor>\n    <entry name='socket_destination'>CPU 0</entry>\n"
                     "    <entry name='type'>Central Processor</entry>\n");
        expect(text, "<entry name='form_factor'>DIMM</entry>\n    <entry name='locator'>DIMM 0</entry>\n");
        expect(computer, "<vendor>QEMU</vendor>");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("devices");
        TCase *tests = tcase_create("devices");

        tcase_add_checked_fixture(tests, set_up, tear_down);
        tcase_set_timeout(tests, 300);
        tcase_add_test(tests, disks_come_and_go);
        tcase_add_test(tests, many_disks_come_and_go);
        tcase_add_test(tests, firmware);
        suite_add_tcase(suite, tests);
        return harness_main(suite);
}
