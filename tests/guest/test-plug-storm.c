/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices of many kinds that come and go at once, and a guest that is destroyed among them: each call
 * answers, the definition has what was acknowledged and nothing else, and the host has nothing of it any
 * more. The guest lets go at once, because fake-qemu resets it ("plugging").
 */

#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE   1
#define CONFIG 2

#define STATE 0u
#define NEXT  2u /* GetXMLDesc of what is started next */

#define CALLS  64
#define ROUNDS (CALLS / 2)
#define GROUPS "/sys/fs/cgroup"

/* Places for all that are there at once. */
#define PORT(index) "<controller type='pci' index='" index "' model='pcie-root-port'/>"
#define PORTS                                                                                                \
        PORT("1") PORT("2") PORT("3") PORT("4") PORT("5") PORT("6") PORT("7") PORT("8") PORT("9") PORT("10")
#define ROOM                                                                                                 \
        "<controller type='pci' index='0' model='pcie-root'/>" PORTS                                         \
        "<controller type='usb' index='0' model='qemu-xhci'/>"                                               \
        "<controller type='virtio-serial' index='0' ports='31'/>"                                            \
        "<controller type='scsi' index='0' model='virtio-scsi'/>"

static struct harness *harness;
static struct client *client;
static char *path; /* the guest */

/* One device of each number, told from the others by `mark` in a document. */
static const struct {
        const char *xml, *mark; /* with @N@, its number */
} kinds[] = {
        { "<channel type='pty'><target type='virtio' name='storm.@N@'/></channel>", "name='storm.@N@'" },
        { "<disk type='file'><driver name='qemu' type='raw'/><serial>storm@N@</serial>"
          "<source file='@DIR@/a.img'/><target dev='@TARGET@' bus='scsi'/><shareable/></disk>",
          "<serial>storm@N@</serial>" },
        { "<interface type='@TYPE@'><mac address='52:54:00:00:01:@N@'/>@TAP@<model type='virtio'/>"
          "@DOWN@</interface>",
          "52:54:00:00:01:@N@" },
        { "<input type='tablet' bus='usb'><alias name='ua-storm-@N@'/></input>", "ua-storm-@N@" },
        { "<rng model='virtio'><backend model='random'>/dev/urandom</backend>"
          "<alias name='ua-storm-@N@'/></rng>",
          "ua-storm-@N@" },
        { "<disk type='file'><driver name='qemu' type='raw'/><serial>storm@N@</serial>"
          "<source file='@DIR@/b.img'/><target dev='@TARGET@' bus='usb'/><readonly/></disk>",
          "<serial>storm@N@</serial>" },
        { "<redirdev bus='usb' type='pty'><alias name='ua-storm-@N@'/></redirdev>", "ua-storm-@N@" },
        { "<console type='pty'><target type='virtio'/><alias name='ua-storm-@N@'/></console>",
          "ua-storm-@N@" },
};

static bool has_taps(void)
{
        return geteuid() == 0 && access("/dev/net/tun", F_OK) == 0;
}

static char *name_tap(unsigned i)
{
        return g_strdup_printf("storm-%d-%u", getpid() % 100000, i);
}

static char *number(const char *text, unsigned i)
{
        g_autofree char *digits = g_strdup_printf("%02u", i);
        GString *numbered = g_string_new(text);

        g_string_replace(numbered, "@N@", digits, 0);
        return g_string_free(numbered, FALSE);
}

static char *fill_in(unsigned i)
{
        g_autofree char *tap = name_tap(i), *target = g_strdup_printf("<target dev='%s'/>", tap);
        /* All on the first SCSI controller; others would come along, and stay. */
        g_autofree char *disk = g_strdup_printf("sd%c", 'a' + (int)i % 8 / 5 * 4 + (int)i / 8);
        g_autofree char *numbered = number(kinds[i % G_N_ELEMENTS(kinds)].xml, i);
        GString *xml = g_string_new(numbered);

        g_string_replace(xml, "@DOWN@", has_taps() ? "<downscript path='@DIR@/down'/>" : "", 0);
        g_string_replace(xml, "@DIR@", harness_get_root(harness), 0);
        g_string_replace(xml, "@TARGET@", disk, 0);
        g_string_replace(xml, "@TYPE@", has_taps() ? "ethernet" : "user", 0);
        g_string_replace(xml, "@TAP@", has_taps() ? target : "", 0);
        return g_string_free(xml, FALSE);
}

static bool has(const char *xml, unsigned i)
{
        g_autofree char *mark = number(kinds[i % G_N_ELEMENTS(kinds)].mark, i);

        return strstr(xml, mark) != NULL;
}

static char *get_xml(unsigned flags)
{
        return client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);
}

static void make_image(const char *name)
{
        g_autofree char *image = harness_path(harness, name);

        ck_assert(g_file_set_contents(image, "x", 1, NULL));
        ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
        ck_assert_int_eq(chmod(image, 0600), 0);
}

/* It writes down which link a device has left behind. */
static void make_script(void)
{
        g_autofree char *script = harness_path(harness, "down"), *gone = harness_path(harness, "gone");
        g_autofree char *text = g_strdup_printf("#!/bin/sh\necho $1 >>%s\n", gone);

        ck_assert(g_file_set_contents(script, text, -1, NULL));
        ck_assert_int_eq(chmod(script, 0755), 0);
}

/* The name that its processes and its control group have. */
static char *name_guest(void)
{
        g_autofree char *suffix = g_path_get_basename(harness_get_root(harness));

        return g_strconcat("fault-plug-", suffix, NULL);
}

static char *make_guest(void)
{
        g_autofree char *suffix = g_path_get_basename(harness_get_root(harness));
        g_autofree char *script = harness_path(harness, "script"), *bare = guest_fault_xml("plug", suffix);
        g_auto(GStrv) front = g_strsplit(bare, "<devices>", 2), back = g_strsplit(front[1], "</domain>", 2);

        return g_strdup_printf("%s<devices>" ROOM "%s"
                               "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'>"
                               "<arg value='-D'/><arg value='%s'/></commandline></domain>",
                               front[0], back[0], script);
}

static void set_up(void)
{
        g_autofree char *script = NULL;

        harness = harness_new();
        client = harness_get_client(harness);
        script = harness_path(harness, "script");
        make_image("a.img");
        make_image("b.img");
        make_script();
        ck_assert(g_file_set_contents(script, "", 0, NULL));
        ck_assert_int_eq(chmod(script, 0666), 0);
        path = guest_start(client, make_guest());
        guest_do(client, path, "Suspend");
}

static void tear_down(void)
{
        harness_free(harness);
        g_free(path);
}

/* ---- nothing is left ---- */

static bool has_no_taps(void *data)
{
        for (unsigned i = 0; i < ROUNDS; i++) {
                g_autofree char *tap = name_tap(i);

                if (if_nametoindex(tap) > 0)
                        return false;
        }
        return true;
}

/* A group with that name anywhere below the folder. */
static bool has_group(const char *folder, const char *name)
{
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *entry;

        while (dir && (entry = g_dir_read_name(dir))) {
                g_autofree char *below = g_build_filename(folder, entry, NULL);

                if (!g_file_test(below, G_FILE_TEST_IS_DIR) || g_file_test(below, G_FILE_TEST_IS_SYMLINK))
                        continue;
                if (strstr(entry, name) || has_group(below, name))
                        return true;
        }
        return false;
}

static bool has_no_group(void *data)
{
        g_autofree char *name = name_guest();

        return !has_group(GROUPS, name);
}

static bool has_no_process(void *data)
{
        g_autofree char *name = name_guest();

        return harness_find_guest(harness, name) <= 0;
}

/* What its emulator was to open belongs to whom it did, and to nobody else. */
static bool is_ours_again(void *data)
{
        static const char *const names[] = { "a.img", "b.img" };

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *image = harness_path(harness, names[i]);
                struct stat facts;

                if (stat(image, &facts) < 0 || facts.st_uid != geteuid())
                        return false;
        }
        return true;
}

static void expect_nothing_left(void)
{
        g_autofree char *uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        g_autofree char *below = g_strdup_printf("run/qemu/%s", uuid), *dir = harness_path(harness, below);

        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        harness_wait_until(has_no_process, NULL, "no process is left");
        harness_wait_until(has_no_taps, NULL, "no link is left");
        harness_wait_until(has_no_group, NULL, "no control group is left");
        harness_wait_until(is_ours_again, NULL, "the images are their owner's");
        ck_assert_msg(!g_file_test(dir, G_FILE_TEST_EXISTS), "%s is left", dir);
}

/* What came with a device has gone with it, while the guest runs. */
static void expect_released(void)
{
        g_autofree char *log = harness_path(harness, "gone"), *gone = NULL;

        if (!has_taps())
                return;
        ck_assert(g_file_get_contents(log, &gone, NULL, NULL));
        for (unsigned i = 2; i < ROUNDS; i += G_N_ELEMENTS(kinds)) {
                g_autofree char *name = name_tap(i), *tap = g_strconcat(name, "\n", NULL);

                ck_assert_msg(strstr(gone, tap) != NULL, "%s is not among %s", tap, gone);
        }
}

/* ---- the storm ---- */

/* Half of the calls are for both sides; each device is asked for, and then asked back. */
static unsigned choose_flags(unsigned i)
{
        return i % 3 == 0 ? LIVE | CONFIG : LIVE;
}

static void send_one(struct client_answer answers[CALLS], unsigned n)
{
        g_autofree char *xml = fill_in(n / 2);

        client_send(client, &answers[n], path, DOMAIN_INTERFACE, n % 2 ? "DetachDevice" : "AttachDevice",
                    "su", xml, choose_flags(n / 2));
}

static void free_answers(struct client_answer answers[CALLS])
{
        for (unsigned n = 0; n < CALLS; n++)
                g_free(answers[n].error);
}

/* Each comes and goes, and the documents are as before. */
START_TEST(test_storm)
{
        g_autofree char *before = get_xml(STATE), *now = NULL, *then = NULL;
        struct client_answer answers[CALLS] = { 0 };

        for (unsigned n = 0; n < CALLS; n++)
                send_one(answers, n);
        for (unsigned n = 0; n < CALLS; n++) {
                client_wait_answer(client, &answers[n]);
                ck_assert_msg(!answers[n].error, "%u: %s", n, answers[n].error);
        }
        now = get_xml(STATE);
        then = get_xml(NEXT);
        ck_assert_str_eq(before, now);
        for (unsigned i = 0; i < ROUNDS; i++)
                ck_assert_msg(!has(then, i), "%u is still in the definition", i);
        expect_released();
        client_do(client, path, DOMAIN_INTERFACE, "Destroy", "u", 0);
        expect_nothing_left();
        free_answers(answers);
}
END_TEST

/* Those behind it find no guest; the definition has what came into it and was not asked back. */
START_TEST(test_destroyed)
{
        struct client_answer answers[CALLS] = { 0 }, destroyed = { 0 };
        g_autofree char *then = NULL;
        unsigned failed = 0;

        for (unsigned n = 0; n < CALLS / 2; n++)
                send_one(answers, n);
        client_wait_answer(client, &answers[CALLS / 8]);
        client_send(client, &destroyed, path, DOMAIN_INTERFACE, "Destroy", "u", 0);
        for (unsigned n = CALLS / 2; n < CALLS; n++)
                send_one(answers, n);
        client_wait_answer(client, &destroyed);
        ck_assert_msg(!destroyed.error, "%s", destroyed.error);
        for (unsigned n = 0; n < CALLS; n++) {
                client_wait_answer(client, &answers[n]);
                failed += answers[n].error != NULL;
        }
        ck_assert_uint_ge(failed, CALLS / 2);
        expect_nothing_left();
        then = get_xml(NEXT);
        for (unsigned i = 0; i < ROUNDS; i++) {
                bool came = !answers[2 * i].error && choose_flags(i) & CONFIG;

                ck_assert_msg(has(then, i) == (came && answers[2 * i + 1].error), "%u: %s, %s", i,
                              answers[2 * i].error, answers[2 * i + 1].error);
        }
        /* And it starts again, and takes what it did not get. */
        guest_do_flags(client, path, "Create", 0);
        free_answers(answers);
        memset(answers, 0, sizeof(answers));
        for (unsigned n = CALLS - 8; n < CALLS; n += 2) {
                send_one(answers, n);
                client_wait_answer(client, &answers[n]);
                ck_assert_msg(!answers[n].error, "%u: %s", n, answers[n].error);
        }
        client_do(client, path, DOMAIN_INTERFACE, "Destroy", "u", 0);
        expect_nothing_left();
        free_answers(answers);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("plug-storm");
        TCase *tcase = tcase_create("plug-storm");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_storm);
        tcase_add_test(tcase, test_destroyed);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
