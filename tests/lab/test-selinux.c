/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that SELinux confines, for real: the lab's kernel enforces a policy (selinux-policy) in which an
 * emulator may do nothing with files that are not labelled for it. What a guest could do is tried by a
 * program that runs in its context. The images of the test are open to everybody.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define ENFORCE "/sys/fs/selinux/enforce"
#define MISSING "/run/selinux-missing"

#define LABEL   "security.selinux"
#define IMAGE   "system_u:object_r:virt_image_t:s0"
#define GUEST   "system_u:object_r:svirt_image_t:s0"
#define CONTENT "system_u:object_r:virt_content_t:s0"
#define PROCESS "system_u:system_r:svirt_tcg_t:s0"

enum { LIVE = 1 };

static struct harness *harness;
static struct client *client;

static bool has_selinux(void)
{
        g_autofree char *enforce = NULL, *missing = NULL, *why = NULL;

        if (g_file_get_contents(ENFORCE, &enforce, NULL, NULL) && *enforce == '1')
                return true;
        g_file_get_contents(MISSING, &missing, NULL, NULL);
        why = g_strdup_printf("the kernel enforces no policy of SELinux: %s",
                              missing ? g_strchomp(missing) : "it has none");
        harness_skip(why);
        return false;
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

/* ---- labels ---- */

static char *get_label(const char *path)
{
        char label[256] = "";

        ck_assert_msg(getxattr(path, LABEL, label, sizeof(label) - 1) > 0, "%s: %s", path, g_strerror(errno));
        return g_strdup(label);
}

static void set_label(const char *path, const char *label)
{
        ck_assert_msg(setxattr(path, LABEL, label, strlen(label) + 1, 0) == 0, "%s as %s: %s", path, label,
                      g_strerror(errno));
}

static void expect_label(const char *path, const char *label)
{
        g_autofree char *found = get_label(path);

        ck_assert_str_eq(found, label);
}

static bool has_image_label(void *path)
{
        g_autofree char *label = get_label(path);

        return strcmp(label, IMAGE) == 0;
}

static char *make_file(const char *name)
{
        char *path = harness_path(harness, name);

        ck_assert(g_file_set_contents(path, "disk", 4, NULL));
        ck_assert_int_eq(truncate(path, 1 << 20), 0);
        ck_assert_int_eq(chmod(path, 0666), 0);
        set_label(path, IMAGE);
        return path;
}

static char *get_context(const char *guest)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/attr/current", harness_find_guest(harness, guest));
        char *label = NULL;

        ck_assert(g_file_get_contents(path, &label, NULL, NULL));
        return g_strchomp(label);
}

/* "s0:c1,c2" as the label of files. */
static char *image_label_of(const char *context)
{
        ck_assert_msg(g_str_has_prefix(context, PROCESS ":c"), "%s", context);
        return g_strconcat(GUEST, context + strlen(PROCESS), NULL);
}

/* Can a program in that context read the file, or write to it? */
static bool can_open(const char *context, const char *path, bool write)
{
        const char *script = write ? "exec 3>>\"$0\"" : "exec 3<\"$0\"";
        const char *argv[] = { "runcon", context, "/bin/sh", "-c", script, path, NULL };
        g_autofree char *errors = NULL;
        int status = -1;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &errors,
                               &status, NULL));
        ck_assert_msg(status == 0 || strstr(errors, "Permission denied"), "%s", errors);
        return status == 0;
}

/* ---- guests ---- */

/* Disks that are shared are not cached otherwise, which a file system in memory may not be able to. */
static char *disk_xml(const char *image, const char *target, const char *more, const char *seclabel)
{
        return g_strdup_printf(
                "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='writeback'/>"
                "<source file='%s'>%s</source><target dev='%s' bus='usb'/>%s</disk>",
                image, seclabel, target, more);
}

static char *guest_xml(const char *name, const char *seclabel, const char *devices)
{
        return g_strdup_printf("<domain type='qemu'><name>%s</name><memory unit='MiB'>64</memory>%s"
                               "<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
                               "<controller type='usb' model='qemu-xhci'/><memballoon model='none'/>%s"
                               "</devices></domain>",
                               name, seclabel, devices);
}

static char *start_guest(const char *name, const char *seclabel, const char *image)
{
        g_autofree char *disk = disk_xml(image, "sda", "", "");

        return guest_start(client, guest_xml(name, seclabel, disk));
}

static void attach(const char *path, const char *disk)
{
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", disk, LIVE);
}

static void restart_agent(void)
{
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
}

static void expect_error(const char *xml, const char *message)
{
        g_autofree char *path = guest_define(client, g_strdup(xml));

        client_fails(client, LIBVIRT_ERROR, message, path, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_do_flags(client, path, "Undefine", 0);
}

/* ---- what clients see ---- */

static void expect_model(void)
{
        sd_bus_message *reply =
                client_call(client, QEMU_PATH, CONNECT_INTERFACE, "NodeGetSecurityModel", NULL);
        const char *model, *doi;

        ck_assert_int_gt(sd_bus_message_read(reply, "(ss)", &model, &doi), 0);
        ck_assert_str_eq(model, "selinux");
        ck_assert_str_eq(doi, "0");
        sd_bus_message_unref(reply);
}

static void expect_security_label(const char *path, const char *context)
{
        sd_bus_message *reply = client_call(client, path, DOMAIN_INTERFACE, "GetSecurityLabelList", NULL);
        const char *label = NULL;
        int enforcing = -1;

        ck_assert_int_ge(sd_bus_message_enter_container(reply, 'a', "(sb)"), 0);
        ck_assert_int_ge(sd_bus_message_read(reply, "(sb)", &label, &enforcing), 0);
        ck_assert_str_eq(label, context);
        ck_assert_int_eq(enforcing, 1);
        sd_bus_message_unref(reply);
}

static void expect_document(const char *path, const char *context, const char *label)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        g_autofree char *process = g_strdup_printf("<label>%s</label>", context),
                        *image = g_strdup_printf("<imagelabel>%s</imagelabel>", label);

        ck_assert_msg(strstr(xml, process) && strstr(xml, image), "%s", xml);
        ck_assert_msg(!strstr(stored, "label>system_u:system_r:svirt_tcg_t") &&
                              !strstr(stored, "<imagelabel>"),
                      "%s", stored);
}

/* ---- cases ---- */

START_TEST(test_two_guests)
{
        g_autofree char *one_image = NULL, *two_image = NULL, *bare = NULL, *one = NULL, *two = NULL;
        g_autofree char *one_context = NULL, *two_context = NULL, *one_label = NULL, *two_label = NULL;

        if (!has_selinux())
                return;
        one_image = make_file("one.img");
        two_image = make_file("two.img");
        bare = make_file("bare.img");
        one = start_guest("one", "", one_image);
        two = start_guest("two", "", two_image);
        one_context = get_context("one");
        two_context = get_context("two");
        ck_assert_str_ne(one_context, two_context);
        one_label = image_label_of(one_context);
        two_label = image_label_of(two_context);
        expect_label(one_image, one_label);
        expect_label(two_image, two_label);
        ck_assert(can_open(one_context, one_image, true));
        ck_assert(can_open(two_context, two_image, true));
        ck_assert(!can_open(one_context, two_image, false));
        ck_assert(!can_open(two_context, one_image, false));
        ck_assert(!can_open(one_context, bare, false));
        expect_model();
        expect_security_label(one, one_context);
        expect_document(one, one_context, one_label);
        guest_do_flags(client, one, "Destroy", 0);
        expect_label(one_image, IMAGE);
        expect_label(two_image, two_label);
        guest_do_flags(client, two, "Destroy", 0);
        expect_label(two_image, IMAGE);
}
END_TEST

/* What the second guest wants is the first one's, and stays so. */
START_TEST(test_a_disk_that_another_guest_has)
{
        g_autofree char *image = NULL, *disk = NULL, *xml = NULL, *one = NULL, *context = NULL, *label = NULL;

        if (!has_selinux())
                return;
        image = make_file("disk.img");
        one = start_guest("one", "", image);
        context = get_context("one");
        label = image_label_of(context);
        disk = disk_xml(image, "sda", "", "");
        xml = guest_xml("two", "", disk);
        expect_error(xml, "*disk.img*another guest*");
        expect_label(image, label);
        guest_do_flags(client, one, "Destroy", 0);
        expect_label(image, IMAGE);
}
END_TEST

/* With three categories there are three pairs, and a dead agent's guests have two of them. */
START_TEST(test_categories_are_reserved)
{
        static const char *const names[] = { "one", "two", "three" };
        g_autofree char *wrapper = harness_path(harness, "agent"), *script = NULL, *disk = NULL, *xml = NULL;
        g_autofree char *contexts[3] = { NULL }, *image = NULL;
        char *paths[3];

        if (!has_selinux())
                return;
        script = g_strdup_printf("#!/bin/sh\nexec runcon -l s0-s0:c5.c7 '%s' \"$@\"\n", g_getenv("VIRTBUSD"));
        ck_assert(g_file_set_contents(wrapper, script, -1, NULL));
        ck_assert_int_eq(chmod(wrapper, 0755), 0);
        g_setenv("VIRTBUSD", wrapper, TRUE);
        restart_agent();
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *name = g_strconcat(names[i], ".img", NULL), *file = make_file(name);

                if (i == 2)
                        restart_agent();
                paths[i] = start_guest(names[i], "", file);
                contexts[i] = get_context(names[i]);
                for (unsigned j = 0; j < i; j++)
                        ck_assert_str_ne(contexts[i], contexts[j]);
        }
        image = make_file("four.img");
        disk = disk_xml(image, "sda", "", "");
        xml = guest_xml("four", "", disk);
        expect_error(xml, "*no pair of categories*");
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                guest_do_flags(client, paths[i], "Destroy", 0);
                g_free(paths[i]);
        }
        paths[0] = guest_start(client, g_strdup(xml));
        guest_do_flags(client, paths[0], "Destroy", 0);
        g_free(paths[0]);
}
END_TEST

START_TEST(test_capabilities)
{
        g_autofree char *text = NULL;

        if (!has_selinux())
                return;
        text = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "GetCapabilities", NULL);
        ck_assert_msg(strstr(text, "<model>selinux</model>"), "%s", text);
        ck_assert_msg(strstr(text, ">system_u:system_r:svirt_t:s0</baselabel>"), "%s", text);
        ck_assert_msg(strstr(text, ">system_u:system_r:svirt_tcg_t:s0</baselabel>"), "%s", text);
}
END_TEST

/* Another agent gives labels back as the one that set them would have. */
START_TEST(test_an_agent_that_is_killed)
{
        g_autofree char *image = NULL, *later = NULL, *disk = NULL, *path = NULL, *context = NULL,
                        *label = NULL;
        pid_t pid;

        if (!has_selinux())
                return;
        image = make_file("disk.img");
        later = make_file("later.img");
        path = start_guest("web", "", image);
        context = get_context("web");
        label = image_label_of(context);
        restart_agent();
        expect_label(image, label);
        disk = disk_xml(later, "sdb", "", "");
        attach(path, disk);
        expect_label(later, label);
        pid = harness_find_guest(harness, "web");
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        expect_label(image, label);
        harness_start_agent(harness);
        harness_wait_until(has_image_label, image, "the label of the disk");
        harness_wait_until(has_image_label, later, "the label of the disk that was attached");
}
END_TEST

START_TEST(test_hot_plug)
{
        g_autofree char *image = NULL, *later = NULL, *read = NULL, *disk = NULL, *readonly = NULL,
                        *path = NULL, *context = NULL, *label = NULL;

        if (!has_selinux())
                return;
        image = make_file("disk.img");
        later = make_file("later.img");
        read = make_file("read.img");
        path = start_guest("web", "", image);
        context = get_context("web");
        label = image_label_of(context);
        disk = disk_xml(later, "sdb", "", "");
        readonly = disk_xml(read, "sdc", "<readonly/>", "");
        attach(path, disk);
        attach(path, readonly);
        expect_label(later, label);
        expect_label(read, CONTENT);
        ck_assert(can_open(context, read, false) && !can_open(context, read, true));
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", disk, LIVE);
        harness_wait_until(has_image_label, later, "the label of the disk that went");
        expect_label(image, label);
        guest_do_flags(client, path, "Destroy", 0);
        expect_label(read, IMAGE);
}
END_TEST

START_TEST(test_fixed_labels)
{
        static const char fixed[] = "<seclabel type='static' model='selinux' relabel='%s'>"
                                    "<label>" PROCESS ":c7,c9</label></seclabel>";
        g_autofree char *image = NULL, *path = NULL, *context = NULL, *again = NULL, *unknown = NULL;
        g_autofree char *no = g_strdup_printf(fixed, "no"), *yes = g_strdup_printf(fixed, "yes");
        g_autofree char *disk = NULL, *both = NULL, *fourth = NULL;

        if (!has_selinux())
                return;
        image = make_file("disk.img");
        set_label(image, GUEST ":c7,c9");
        path = start_guest("one", no, image);
        context = get_context("one");
        ck_assert_str_eq(context, PROCESS ":c7,c9");
        guest_do_flags(client, path, "Destroy", 0);
        expect_label(image, GUEST ":c7,c9");
        set_label(image, IMAGE);
        again = start_guest("two", yes, image);
        expect_label(image, GUEST ":c7,c9");
        /* A start that fails before it has labelled anything gives back nothing, by the same label or not. */
        both = g_strdup_printf("%s<disk type='file' device='disk'><source file='/nowhere/disk.img'/>"
                               "<target dev='sdb' bus='scsi'/></disk>",
                               disk = disk_xml(image, "sda", "", ""));
        fourth = guest_xml("four", yes, both);
        expect_error(fourth, "*/nowhere/disk.img*");
        expect_label(image, GUEST ":c7,c9");
        restart_agent();
        guest_do_flags(client, again, "Destroy", 0);
        expect_label(image, IMAGE);
        unknown = guest_xml("three",
                            "<seclabel type='static' model='selinux'><label>system_u:system_r:no_t:s0</label>"
                            "</seclabel>",
                            "");
        expect_error(unknown, "*system_u:system_r:no_t:s0*not known*");
}
END_TEST

START_TEST(test_no_label)
{
        g_autofree char *image = NULL, *path = NULL, *context = NULL;

        if (!has_selinux())
                return;
        image = make_file("disk.img");
        path = start_guest("web", "<seclabel type='none' model='selinux'/>", image);
        context = get_context("web");
        ck_assert_str_eq(context, "system_u:system_r:host_t:s0-s0:c0.c1023");
        expect_label(image, IMAGE);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* A type of one's own, one that the agent may not enter, and one that it may enter with new privileges only.
 */
START_TEST(test_base_labels)
{
        static const char base[] = "<seclabel type='dynamic' model='selinux'>"
                                   "<baselabel>system_u:system_r:%s:s0</baselabel></seclabel>";
        /* Without a model it is of the host's first. */
        g_autofree char *own = g_strdup("<seclabel type='dynamic'><baselabel>system_u:system_r:svirt_t:s0"
                                        "</baselabel></seclabel>"),
                        *foreign = g_strdup_printf(base, "foreign_t"),
                        *privileged = g_strdup_printf(base, "privileged_t");
        g_autofree char *image = NULL, *path = NULL, *context = NULL, *label = NULL, *one = NULL, *two = NULL;

        if (!has_selinux())
                return;
        image = make_file("disk.img");
        path = start_guest("web", own, image);
        context = get_context("web");
        ck_assert_msg(g_str_has_prefix(context, "system_u:system_r:svirt_t:s0:c"), "%s", context);
        label = g_strconcat(GUEST, context + strlen("system_u:system_r:svirt_t:s0"), NULL);
        expect_label(image, label);
        restart_agent();
        expect_document(path, context, label);
        guest_do_flags(client, path, "Destroy", 0);
        one = guest_xml("one", foreign, "");
        expect_error(one, "*foreign_t*process transition*");
        two = guest_xml("two", privileged, "");
        expect_error(two, "*privileged_t*nnp_transition*");
}
END_TEST

START_TEST(test_labels_of_disks)
{
        g_autofree char *own = NULL, *kept = NULL, *shared = NULL, *labelled = NULL, *path = NULL;
        g_autofree char *disks[4] = { NULL }, *all = NULL, *xml = NULL, *context = NULL, *label = NULL;

        if (!has_selinux())
                return;
        own = make_file("own.img");
        kept = make_file("kept.img");
        shared = make_file("shared.img");
        labelled = make_file("labelled.img");
        set_label(kept, GUEST);
        disks[0] = disk_xml(own, "sda", "", "");
        disks[1] = disk_xml(kept, "sdb", "", "<seclabel model='selinux' relabel='no'/>");
        disks[2] = disk_xml(shared, "sdc", "<shareable/>", "");
        disks[3] = disk_xml(labelled, "sdd", "<readonly/>",
                            "<seclabel model='selinux' relabel='yes'><label>system_u:object_r:nolabel_t:s0"
                            "</label></seclabel>");
        all = g_strconcat(disks[0], disks[1], disks[2], disks[3], NULL);
        path = guest_start(client, guest_xml("web", "", all));
        context = get_context("web");
        label = image_label_of(context);
        expect_label(own, label);
        expect_label(kept, GUEST);
        expect_label(shared, GUEST);
        expect_label(labelled, "system_u:object_r:nolabel_t:s0");
        guest_do_flags(client, path, "Destroy", 0);
        expect_label(kept, GUEST);
        expect_label(shared, IMAGE);
        expect_label(labelled, IMAGE);
}
END_TEST

/* The policy has what such a file system's files are, all of them. */
START_TEST(test_a_file_system_without_labels)
{
        g_autofree char *dir = harness_path(harness, "nolabels"), *image = NULL, *path = NULL;

        if (!has_selinux())
                return;
        ck_assert_int_eq(g_mkdir(dir, 0755), 0);
        ck_assert_int_eq(mount("ramfs", dir, "ramfs", 0, "mode=755"), 0);
        image = g_build_filename(dir, "disk.img", NULL);
        ck_assert(g_file_set_contents(image, "disk", 4, NULL));
        ck_assert_int_eq(truncate(image, 1 << 20), 0);
        ck_assert_int_eq(chmod(image, 0666), 0);
        expect_label(image, "system_u:object_r:nolabel_t:s0");
        path = start_guest("web", "", image);
        expect_label(image, "system_u:object_r:nolabel_t:s0");
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_int_eq(umount(dir), 0);
}
END_TEST

/* It goes on with other categories, from a file that has its label only as long as that takes. */
START_TEST(test_a_saved_guest)
{
        g_autofree char *image = NULL, *file = harness_path(harness, "saved"), *path = NULL, *context = NULL,
                        *label = NULL;

        if (!has_selinux())
                return;
        image = make_file("disk.img");
        path = start_guest("web", "", image);
        client_do(client, path, DOMAIN_INTERFACE, "Save", "ssu", file, "", 0);
        expect_label(image, IMAGE);
        label = get_label(file);
        ck_assert_msg(strstr(label, ":tmp_t:"), "%s", label);
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", file, "", 0);
        expect_label(file, label);
        context = get_context("web");
        g_free(label);
        label = image_label_of(context);
        expect_label(image, label);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* Sockets and files of character devices are the emulator's from their beginning. */
START_TEST(test_character_devices)
{
        g_autofree char *out = harness_path(harness, "out.txt"), *image = NULL, *disk = NULL, *devices = NULL,
                        *path = NULL, *context = NULL, *label = NULL;

        if (!has_selinux())
                return;
        image = make_file("disk.img");
        disk = disk_xml(image, "sda", "", "");
        devices = g_strdup_printf("%s<serial type='file'><source path='%s'/></serial>"
                                  "<channel type='unix'><target type='virtio' name='org.test.0'/></channel>",
                                  disk, out);
        path = guest_start(client, guest_xml("web", "", devices));
        context = get_context("web");
        label = image_label_of(context);
        expect_label(out, label);
        guest_do_flags(client, path, "Destroy", 0);
        g_free(label);
        label = get_label(out);
        ck_assert_msg(strstr(label, ":tmp_t:"), "%s", label);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("selinux");
        TCase *tcase = tcase_create("selinux");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_two_guests);
        tcase_add_test(tcase, test_a_disk_that_another_guest_has);
        tcase_add_test(tcase, test_categories_are_reserved);
        tcase_add_test(tcase, test_an_agent_that_is_killed);
        tcase_add_test(tcase, test_capabilities);
        tcase_add_test(tcase, test_hot_plug);
        tcase_add_test(tcase, test_fixed_labels);
        tcase_add_test(tcase, test_no_label);
        tcase_add_test(tcase, test_base_labels);
        tcase_add_test(tcase, test_labels_of_disks);
        tcase_add_test(tcase, test_a_file_system_without_labels);
        tcase_add_test(tcase, test_a_saved_guest);
        tcase_add_test(tcase, test_character_devices);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
