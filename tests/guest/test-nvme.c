/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Disks that the guest sees as namespaces of NVMe controllers: a Linux guest says which is which by writing
 * it there, and what comes while it runs is refused.
 */

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE   1
#define CONFIG 2

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

static char *make_image(const char *name)
{
        char *image = harness_path(harness, name);

        ck_assert(g_file_set_contents(image, "", 0, NULL));
        ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
        ck_assert_int_eq(chmod(image, 0666), 0);
        return image;
}

static char *disk_xml(const char *image, const char *target, const char *more)
{
        return g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/>"
                               "<source file='%s'/><target dev='%s' bus='nvme'/>%s</disk>",
                               image, target, more);
}

static char *start_linux(const char *console, const char *devices)
{
        g_autofree char *xml = guest_linux_xml("linux", console, "nvme");
        g_autofree char *first = g_strconcat("<devices>", devices, NULL);
        g_auto(GStrv) parts = g_strsplit(xml, "<devices>", 2);

        return guest_start(client, g_strjoinv(first, parts));
}

static bool has(const char *path, unsigned flags, const char *text)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        return strstr(xml, text) != NULL;
}

/* What the guest has written to the beginning of an image. */
static void expect_written(const char *image, const char *expected)
{
        g_autofree char *text = NULL;
        gsize length;

        ck_assert(g_file_get_contents(image, &text, &length, NULL));
        ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s has '%.40s', not '%s'", image, text,
                      expected);
}

START_TEST(test_linux)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *a = make_image("a.img"), *b = make_image("b.img"), *c = make_image("c.img");
        g_autofree char *one = disk_xml(a, "nvme0n1", ""), *three = disk_xml(b, "nvme0n3", "");
        g_autofree char *other =
                disk_xml(c, "nvme1n1", "<blockio logical_block_size='4096' physical_block_size='4096'/>");
        g_autofree char *devices =
                g_strconcat("<controller type='nvme' index='1'><serial>S-7</serial></controller>", three, one,
                            other, NULL);
        g_autofree char *path = start_linux(console, devices);

        guest_wait_console(console, "virtbus-guest: named 3");
        expect_written(a, "nvme0 1 ");
        expect_written(b, "nvme0 3 ");
        expect_written(c, "S-7 1 ");
        ck_assert(has(path, 0, "<alias name='nvme0-0-2'/>"));
        ck_assert(has(path, 2, "<controller type='nvme' index='0'>"));
        /* Who finds the guest knows them. */
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        guest_do(client, path, "Suspend");
        ck_assert(has(path, 0, "<alias name='nvme1-0-0'/>"));
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* QEMU neither takes a namespace while its machine runs nor saves one; what is for the next start is there
 * then. */
START_TEST(test_hot)
{
        g_autofree char *a = make_image("a.img"), *b = make_image("b.img");
        g_autofree char *one = disk_xml(a, "nvme0n1", ""), *two = disk_xml(b, "nvme0n2", ""),
                        *first = disk_xml(b, "nvme1n1", "");
        g_autofree char *limited =
                disk_xml(a, "nvme0n1", "<iotune><read_iops_sec>500</read_iops_sec></iotune>");
        g_autofree char *path = guest_start(client, guest_bare_xml("nvme", one));
        g_autofree char *state = harness_path(harness, "saved");

        client_fails(client, LIBVIRT_ERROR, "*'nvme0-0-1' (<disk>) cannot be plugged*", path,
                     DOMAIN_INTERFACE, "AttachDevice", "su", two, LIVE);
        client_fails(client, LIBVIRT_ERROR, "*nvme*", path, DOMAIN_INTERFACE, "AttachDevice", "su", first,
                     LIVE);
        client_fails(client, LIBVIRT_ERROR, "*nvme*", path, DOMAIN_INTERFACE, "AttachDevice", "su",
                     "<controller type='nvme' index='4'/>", LIVE);
        client_fails(client, LIBVIRT_ERROR, "*'nvme0-0-0' (<disk>)*", path, DOMAIN_INTERFACE, "DetachDevice",
                     "su", one, LIVE);
        ck_assert(!has(path, 0, "nvme0n2") && !has(path, 0, "nvme1n1") && has(path, 0, "nvme0n1"));
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", limited, LIVE);
        ck_assert(has(path, 0, "<read_iops_sec>500<"));
        client_fails(client, LIBVIRT_ERROR, "*nvme*", path, DOMAIN_INTERFACE, "Save", "ssu", state, "", 0);
        guest_expect_state(client, path, STATE_RUNNING, -1);
        ck_assert_int_ne(access(state, F_OK), 0);
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", first, CONFIG);
        ck_assert(has(path, 2, "<controller type='nvme' index='1'>"));
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", one, CONFIG);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Create", 0);
        ck_assert(has(path, 0, "<alias name='nvme1-0-0'/>") && !has(path, 0, "nvme0n1"));
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("nvme");
        TCase *tcase = tcase_create("nvme");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_linux);
        tcase_add_test(tcase, test_hot);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
