/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the agent has acknowledged is there after a crash; damaged files cost one object each; a full or
 * read-only disk is an error and loses nothing. On the QEMU connection, whose definitions are kept in files.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/mounts.h"
#include "tests/support/pool.h"

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

#define PROPERTIES "org.freedesktop.DBus.Properties"

static char *define(const char *name)
{
        g_autofree char *xml = guest_bare_xml(name, NULL);

        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
}

static bool is_defined(const char *name)
{
        g_autofree char *outcome =
                client_try(client, QEMU_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", name);

        ck_assert_msg(!outcome || strstr(outcome, "Domain not found"), "%s", outcome);
        return !outcome;
}

static void restart(void)
{
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
}

/* A kind of object: how one of that number is asked for, and whether it is there. */
struct kind {
        void (*define)(unsigned number, struct client_answer *answer);
        bool (*is_defined)(unsigned number);
};

/* Killed in the middle of 300 pipelined defines: of those that were answered none is missing. */
static void kill_in_the_middle(const struct kind *kind)
{
        enum { DEFINES = 300 };

        for (unsigned round = 0; round < 3; round++) {
                struct client_answer answers[DEFINES] = { 0 };

                for (unsigned i = 0; i < DEFINES; i++)
                        kind->define(round * DEFINES + i, &answers[i]);
                client_wait_answer(client, &answers[40 + round * 50]);
                harness_end_agent(harness, SIGKILL);
                /* The rest of the calls has failed with the agent: a client of its own for what follows. */
                harness_reconnect(harness);
                client = harness_get_client(harness);
                harness_start_agent(harness);
                for (unsigned i = 0; i < DEFINES; i++)
                        ck_assert_msg(!answers[i].done || kind->is_defined(round * DEFINES + i),
                                      "%u was acknowledged and is lost", round * DEFINES + i);
        }
}

static void define_domain(unsigned number, struct client_answer *answer)
{
        g_autofree char *name = g_strdup_printf("n%u", number), *xml = guest_bare_xml(name, NULL);

        client_send(client, answer, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
}

static bool has_domain(unsigned number)
{
        g_autofree char *name = g_strdup_printf("n%u", number);

        return is_defined(name);
}

START_TEST(test_kill_in_the_middle_of_defines)
{
        kill_in_the_middle(&(struct kind){ define_domain, has_domain });
}
END_TEST

static void define_pool(unsigned number, struct client_answer *answer)
{
        g_autofree char *name = g_strdup_printf("n%u", number),
                        *folder = g_strdup_printf("/nowhere/%u", number);
        g_autofree char *xml = pool_dir_xml(name, folder);

        client_send(client, answer, QEMU_PATH, CONNECT_INTERFACE, "StoragePoolDefineXML", "su", xml, 0);
}

static bool has_pool(unsigned number)
{
        g_autofree char *name = g_strdup_printf("n%u", number);
        g_autofree char *error =
                client_try(client, QEMU_PATH, CONNECT_INTERFACE, "StoragePoolLookupByName", "s", name);

        return !error;
}

START_TEST(test_kill_in_the_middle_of_pools)
{
        kill_in_the_middle(&(struct kind){ define_pool, has_pool });
}
END_TEST

#define SECRET_INTERFACE "org.libvirt.Secret"

/* With a value, whose answer is the one that counts. */
static void define_secret(unsigned number, struct client_answer *answer)
{
        static struct client_answer ignored;
        g_autofree char *xml =
                g_strdup_printf("<secret><uuid>00000000-0000-0000-0000-%012u</uuid></secret>", number);
        g_autofree char *path = g_strdup_printf(QEMU_PATH "/secret/_00000000_0000_0000_0000_%012u", number);

        client_send(client, &ignored, QEMU_PATH, CONNECT_INTERFACE, "SecretDefineXML", "su", xml, 0);
        client_send(client, answer, path, SECRET_INTERFACE, "SetValue", "ayu", 2, number & 0xff, number >> 8,
                    0);
}

static bool has_secret(unsigned number)
{
        g_autofree char *path = g_strdup_printf(QEMU_PATH "/secret/_00000000_0000_0000_0000_%012u", number);
        g_autoptr(sd_bus_message) reply = client_call(client, path, SECRET_INTERFACE, "GetValue", "u", 0);
        const uint8_t *value;
        const void *bytes;
        size_t length;

        ck_assert_int_ge(sd_bus_message_read_array(reply, 'y', &bytes, &length), 0);
        value = bytes;
        return length == 2 && value[0] == (number & 0xff) && value[1] == number >> 8;
}

START_TEST(test_kill_in_the_middle_of_secrets)
{
        kill_in_the_middle(&(struct kind){ define_secret, has_secret });
}
END_TEST

START_TEST(test_kill_after_each_kind_of_change)
{
        g_autofree char *path = define("web");
        g_autofree char *other = define("other");
        g_autofree char *renamed = define("before");
        g_autofree char *title = NULL;
        g_autofree char *name = NULL;

        client_do(client, path, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE, "Autostart", "b", 1);
        client_do(client, path, DOMAIN_INTERFACE, "SetMetadata", "isssu", 1, "a title", "", "", 2);
        client_do(client, other, DOMAIN_INTERFACE, "Undefine", "u", 0);
        client_do(client, renamed, DOMAIN_INTERFACE, "Rename", "su", "after", 0);
        /* The autostart mark goes with the domain, else the one that comes later would inherit it. */
        client_do(client, renamed, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE, "Autostart", "b", 1);
        client_do(client, renamed, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE, "Autostart", "b", 0);
        /* Not to be started by the restart: this is about files. */
        client_do(client, path, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE, "Autostart", "b", 0);
        restart();
        ck_assert(!is_defined("other"));
        ck_assert(!is_defined("before"));
        name = client_get_string(client, renamed, DOMAIN_INTERFACE, "Name");
        ck_assert_str_eq(name, "after");
        ck_assert(!client_get_bool(client, renamed, DOMAIN_INTERFACE, "Autostart"));
        title = client_call_string(client, path, DOMAIN_INTERFACE, "GetMetadata", "isu", 1, "", 2);
        ck_assert_str_eq(title, "a title");
}
END_TEST

START_TEST(test_the_same_document_after_a_restart)
{
        g_autofree char *path = define("web");
        g_autofree char *before = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *after = NULL;

        restart();
        after = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_str_eq(before, after);
}
END_TEST

/* The folder below `dir` that holds `name`, or NULL; to be freed. */
static char *find_folder(const char *dir, const char *name)
{
        g_autofree char *here = g_build_filename(dir, name, NULL);
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *entry;

        if (g_file_test(here, G_FILE_TEST_IS_REGULAR))
                return g_strdup(dir);
        while (entries && (entry = g_dir_read_name(entries))) {
                g_autofree char *below = g_build_filename(dir, entry, NULL);
                char *found = g_file_test(below, G_FILE_TEST_IS_SYMLINK) ? NULL : find_folder(below, name);

                if (found)
                        return found;
        }
        return NULL;
}

/* Where the agent keeps its definitions: beside the file of a domain "web", which this defines. */
static char *find_definitions(void)
{
        g_autofree char *state = harness_path(harness, "state");
        g_autofree char *path = define("web");
        g_autofree char *uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        g_autofree char *by_uuid = g_strdup_printf("%s.xml", uuid);
        char *folder = find_folder(state, "web.xml");

        if (!folder)
                folder = find_folder(state, by_uuid);
        ck_assert_msg(folder, "no definition of 'web' in %s", state);
        return folder;
}

/* The file of "web". */
static char *read_definition(const char *folder)
{
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name;
        char *text = NULL;

        while ((name = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(folder, name, NULL);

                if (g_str_has_suffix(name, ".xml") && g_file_get_contents(path, &text, NULL, NULL))
                        return text;
        }
        ck_abort_msg("no definition in %s", folder);
}

static void put(const char *folder, const char *name, const char *text, gssize length)
{
        g_autofree char *path = g_build_filename(folder, name, NULL);

        ck_assert(g_file_set_contents(path, text, length, NULL));
}

START_TEST(test_damaged_files)
{
        g_autofree char *folder = find_definitions();
        g_autofree char *good = read_definition(folder);
        g_autofree char *zeros = g_malloc0(4096);
        g_autofree char *huge = g_strnfill((gsize)64 * 1024 * 1024, ' ');
        GString *deep = g_string_new("");
        const char *const names[] = { "half.xml", "empty.xml",  "zeros.xml", "huge.xml",
                                      "deep.xml", "binary.xml", "wrong.xml", "directory.xml",
                                      "loop.xml", "device.xml", "fifo.xml",  "dangling.xml" };
        g_autofree char *log = NULL;
        g_auto(GStrv) domains = NULL;

        for (unsigned i = 0; i < 50000; i++)
                g_string_append(deep, "<domain>");
        harness_end_agent(harness, SIGKILL);
        put(folder, "half.xml", good, strlen(good) / 2);
        put(folder, "empty.xml", "", 0);
        put(folder, "zeros.xml", zeros, 4096);
        put(folder, "huge.xml", huge, -1);
        put(folder, "deep.xml", deep->str, -1);
        put(folder, "binary.xml", "\xff\xfe\x80\x01\x02", -1);
        put(folder, "wrong.xml", "<network><name>wrong</name></network>", -1);
        for (unsigned i = 7; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = g_build_filename(folder, names[i], NULL);

                if (strcmp(names[i], "directory.xml") == 0)
                        ck_assert_int_eq(mkdir(path, 0700), 0);
                else if (strcmp(names[i], "fifo.xml") == 0)
                        ck_assert_int_eq(mkfifo(path, 0600), 0);
                else if (strcmp(names[i], "loop.xml") == 0)
                        ck_assert_int_eq(symlink("loop.xml", path), 0);
                else if (strcmp(names[i], "device.xml") == 0)
                        ck_assert_int_eq(symlink("/dev/zero", path), 0);
                else
                        ck_assert_int_eq(symlink("/nonexistent", path), 0);
        }
        g_string_free(deep, TRUE);
        client_wait_name(client, false);
        harness_start_agent(harness);
        ck_assert(is_defined("web"));
        domains = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListDomains", 0);
        ck_assert_uint_eq(g_strv_length(domains), 1);
        log = harness_read_log(harness);
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = g_build_filename(folder, names[i], NULL);
                struct stat st;

                ck_assert_msg(lstat(path, &st) == 0, "%s is gone", names[i]);
                ck_assert_msg(strstr(log, names[i]), "%s is not mentioned in the log:\n%s", names[i], log);
        }
}
END_TEST

START_TEST(test_two_files_with_one_uuid)
{
        g_autofree char *folder = find_definitions();
        g_autofree char *good = read_definition(folder);
        g_auto(GStrv) pieces = g_strsplit(good, "<name>web</name>", 2);
        g_autofree char *twin = g_strjoinv("<name>twin</name>", pieces);
        g_auto(GStrv) domains = NULL;

        harness_end_agent(harness, SIGKILL);
        put(folder, "twin.xml", twin, -1);
        client_wait_name(client, false);
        harness_start_agent(harness);
        domains = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListDomains", 0);
        ck_assert_uint_eq(g_strv_length(domains), 1);
        ck_assert(is_defined("web") != is_defined("twin"));
}
END_TEST

/* What a write cut short leaves behind is no definition. */
START_TEST(test_left_over_temporary_files)
{
        g_autofree char *folder = find_definitions();
        g_auto(GStrv) domains = NULL;

        harness_end_agent(harness, SIGKILL);
        put(folder, ".web.xml.Ab3dE7", "<domain", -1);
        put(folder, "web.xml.new", "<domain", -1);
        put(folder, "web.xml~", "<domain", -1);
        client_wait_name(client, false);
        harness_start_agent(harness);
        domains = client_list(client, QEMU_PATH, CONNECT_INTERFACE, "ListDomains", 0);
        ck_assert_uint_eq(g_strv_length(domains), 1);
}
END_TEST

START_TEST(test_state_folder_removed)
{
        g_autofree char *path = define("web");
        g_autofree char *state = harness_path(harness, "state");
        const char *argv[] = { "rm", "-rf", state, NULL };
        g_autofree char *xml = guest_bare_xml("late", NULL);
        g_autofree char *outcome = NULL;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                               NULL));
        /* The folder is made again, or this is an error; nothing vanishes from the list. */
        outcome = client_try(client, QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        ck_assert(!outcome || g_str_has_prefix(outcome, LIBVIRT_ERROR));
        ck_assert(is_defined("web"));
        ck_assert(is_defined("late") == !outcome);
}
END_TEST

/* --- disks that fail
 * ---------------------------------------------------------------------------------------- */

/* What becomes a file system of 256 KiB in the agent that is started next; "" for none. For make_mounts(). */
static char small_disk[200];

/* In the agent's process: a mount namespace of its own. */
static void make_mounts(void)
{
        if (!mounts_leave())
                _exit(99);
        if (*small_disk && ((mkdir(small_disk, 0700) < 0 && errno != EEXIST) ||
                            mount("tmpfs", small_disk, "tmpfs", 0, "size=256k,mode=700") < 0))
                _exit(99);
}

/* Restarts the agent with mounts of its own, and a small disk there; false when this is not possible here. */
static bool use_own_mounts(const char *disk)
{
        pid_t probe;
        int status;

        harness_end_agent(harness, SIGTERM);
        g_strlcpy(small_disk, disk ? disk : "", sizeof(small_disk));
        probe = fork();
        if (probe == 0) {
                make_mounts();
                _exit(0);
        }
        waitpid(probe, &status, 0);
        if (status != 0) {
                harness_skip("may not mount in a namespace of its own");
                return false;
        }
        harness_set_child_setup(harness, make_mounts);
        client_wait_name(client, false);
        harness_start_agent(harness);
        return true;
}

/* A path on the agent's small disk, seen from here. */
static char *small_disk_path(const char *name)
{
        return g_strdup_printf("/proc/%d/root%s/%s", harness_get_agent_pid(harness), small_disk, name);
}

static void fill_small_disk(void)
{
        g_autofree char *path = small_disk_path("filler");
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        const char byte = 0;

        ck_assert_int_ge(fd, 0);
        for (size_t size = 65536; size > 0; size /= 2) {
                g_autofree char *block = g_malloc0(size);

                while (write(fd, block, size) == (ssize_t)size)
                        ;
        }
        ck_assert_int_lt(write(fd, &byte, 1), 0);
        close(fd);
}

START_TEST(test_full_disk)
{
        g_autofree char *xml = guest_bare_xml("late", NULL);
        g_autofree char *state = harness_path(harness, "state");
        g_autofree char *filler = NULL;
        g_autofree char *path = NULL;
        g_autofree char *before = NULL;
        g_autofree char *after = NULL;

        if (!use_own_mounts(state))
                return;
        path = define("web");
        before = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        fill_small_disk();
        client_fails(client, LIBVIRT_ERROR, "*", QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        ck_assert(!is_defined("late"));
        client_fails(client, LIBVIRT_ERROR, "*", path, DOMAIN_INTERFACE, "SetMetadata", "isssu", 1, "title",
                     "", "", 2);
        after = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_str_eq(before, after);

        filler = small_disk_path("filler");
        ck_assert_int_eq(unlink(filler), 0);
        g_free(define("late"));
        ck_assert(is_defined("late"));
}
END_TEST

/* In the agent's mount namespace: the folder becomes read-only, or what it was before. */
static void set_read_only(const char *folder, bool read_only)
{
        g_autofree char *ns = g_strdup_printf("/proc/%d/ns/mnt", harness_get_agent_pid(harness));
        pid_t helper = fork();
        int status;

        if (helper == 0) {
                int fd = open(ns, O_RDONLY | O_CLOEXEC);

                if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
                        _exit(1);
                if (!read_only)
                        _exit(umount2(folder, MNT_DETACH) < 0);
                _exit(mount(folder, folder, NULL, MS_BIND, NULL) < 0 ||
                      mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0);
        }
        waitpid(helper, &status, 0);
        ck_assert_int_eq(status, 0);
}

START_TEST(test_read_only_disk)
{
        g_autofree char *xml = guest_bare_xml("late", NULL);
        g_autofree char *folder = NULL;
        g_autofree char *path = NULL;

        if (!use_own_mounts(NULL))
                return;
        folder = find_definitions();
        path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", "web");
        set_read_only(folder, true);
        client_fails(client, LIBVIRT_ERROR, "*", QEMU_PATH, CONNECT_INTERFACE, "DomainDefineXML", "s", xml);
        client_fails(client, LIBVIRT_ERROR, "*", path, DOMAIN_INTERFACE, "Undefine", "u", 0);
        client_fails(client, NULL, NULL, path, PROPERTIES, "Set", "ssv", DOMAIN_INTERFACE, "Autostart", "b",
                     1);
        ck_assert(is_defined("web"));
        ck_assert(!is_defined("late"));
        set_read_only(folder, false);
        client_do(client, path, DOMAIN_INTERFACE, "Undefine", "u", 0);
        ck_assert(!is_defined("web"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("durability");
        TCase *tcase = tcase_create("durability");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_kill_in_the_middle_of_defines);
        tcase_add_test(tcase, test_kill_in_the_middle_of_pools);
        tcase_add_test(tcase, test_kill_in_the_middle_of_secrets);
        tcase_add_test(tcase, test_kill_after_each_kind_of_change);
        tcase_add_test(tcase, test_the_same_document_after_a_restart);
        tcase_add_test(tcase, test_damaged_files);
        tcase_add_test(tcase, test_two_files_with_one_uuid);
        tcase_add_test(tcase, test_left_over_temporary_files);
        tcase_add_test(tcase, test_state_folder_removed);
        tcase_add_test(tcase, test_full_disk);
        tcase_add_test(tcase, test_read_only_disk);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
