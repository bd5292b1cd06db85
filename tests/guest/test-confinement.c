/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a guest's QEMU holds: no privilege, no group and no descriptor of the agent's, no secret in its
 * command line; and what the agent writes about it is nobody else's to read.
 */

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define PASSWORD "s3cr3tpw"

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

static char *read_proc(pid_t pid, const char *name)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
        char *text = NULL;
        size_t length = 0;

        ck_assert_msg(g_file_get_contents(path, &text, &length, NULL), "%s", path);
        /* Of a vector of strings make one. */
        for (size_t i = 0; i + 1 < length; i++)
                if (!text[i])
                        text[i] = ' ';
        return text;
}

/* The value of a line of /proc/<pid>/status. */
static char *read_status(pid_t pid, const char *key)
{
        g_autofree char *text = read_proc(pid, "status");
        g_autofree char *start = g_strdup_printf("\n%s:", key);
        const char *line = strstr(text, start);

        ck_assert_msg(line, "no %s in status", key);
        line += strlen(start);
        return g_strstrip(g_strndup(line, strcspn(line + 1, "\n") + 1));
}

START_TEST(test_privileges)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        pid_t pid = harness_find_guest(harness, "web");
        g_autofree char *no_new_privs = read_status(pid, "NoNewPrivs");
        g_autofree char *seccomp = read_status(pid, "Seccomp");

        static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };

        /* Whoever is root and runs guests as root has to drop what exec would give back. */
        for (unsigned i = 0; i < (geteuid() == 0 ? G_N_ELEMENTS(sets) : 3); i++) {
                g_autofree char *set = read_status(pid, sets[i]);

                ck_assert_msg(strspn(set, "0") == strlen(set), "%s is %s", sets[i], set);
        }
        ck_assert_str_eq(no_new_privs, "1");
        ck_assert_str_eq(seccomp, "2");
}
END_TEST

/* Nothing but the monitor and what QEMU opens itself: no socket of the bus, no file of the agent's. */
START_TEST(test_descriptors)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        pid_t pid = harness_find_guest(harness, "web");
        g_autofree char *folder = g_strdup_printf("/proc/%d/fd", pid);
        static const char *const foreign[] = { "state", "run/lock", "log/qemu/other", "bus" };
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name;
        unsigned sockets = 0;

        ck_assert_ptr_nonnull(dir);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *link = g_build_filename(folder, name, NULL);
                g_autofree char *target = g_file_read_link(link, NULL);

                if (!target)
                        continue;
                for (unsigned i = 0; i < G_N_ELEMENTS(foreign); i++) {
                        g_autofree char *of_agent = harness_path(harness, foreign[i]);

                        ck_assert_msg(!g_str_has_prefix(target, of_agent), "QEMU holds %s", target);
                }
                ck_assert_msg(!strstr(target, "cgroup") && !strstr(target, "memfd:secret"), "QEMU holds %s",
                              target);
                if (g_str_has_prefix(target, "socket:"))
                        sockets++;
        }
        /* The monitor: its listening socket and the agent's connection. */
        ck_assert_uint_le(sockets, 2);
}
END_TEST

START_TEST(test_secrets_stay_secret)
{
        g_autofree char *path = guest_start(
                client,
                guest_bare_xml("web", "<graphics type='vnc' port='-1' autoport='yes' passwd='" PASSWORD "'/>"
                                      "<video><model type='vga'/></video>"));
        pid_t pid = harness_find_guest(harness, "web");
        g_autofree char *command = read_proc(pid, "cmdline");
        g_autofree char *environment = read_proc(pid, "environ");
        g_autofree char *shown = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *secure = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 1);
        g_autofree char *log = harness_read_log(harness);

        ck_assert_ptr_null(strstr(command, PASSWORD));
        ck_assert_ptr_null(strstr(environment, PASSWORD));
        ck_assert_ptr_null(strstr(shown, PASSWORD));
        ck_assert_ptr_nonnull(strstr(secure, PASSWORD));
        ck_assert_ptr_null(strstr(log, PASSWORD));
}
END_TEST

/* Fails for each regular file below dir that contains the text and is anybody else's to read. */
static unsigned check_files(const char *dir, const char *text)
{
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *name;
        unsigned found = 0;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, name, NULL);
                g_autofree char *contents = NULL;
                struct stat st;

                if (lstat(path, &st) < 0)
                        continue;
                if (S_ISDIR(st.st_mode))
                        found += check_files(path, text);
                if (!S_ISREG(st.st_mode) || !g_file_get_contents(path, &contents, NULL, NULL) ||
                    !strstr(contents, text))
                        continue;
                ck_assert_msg((st.st_mode & 077) == 0, "%s has mode %o", path, st.st_mode & 0777);
                found++;
        }
        return found;
}

START_TEST(test_files_with_secrets)
{
        g_autofree char *path = guest_start(
                client,
                guest_bare_xml("web", "<graphics type='vnc' port='-1' autoport='yes' passwd='" PASSWORD "'/>"
                                      "<video><model type='vga'/></video>"));
        g_autofree char *state = harness_path(harness, "state");
        g_autofree char *run = harness_path(harness, "run");
        g_autofree char *log = harness_path(harness, "log");

        ck_assert_uint_gt(check_files(state, PASSWORD), 0);
        check_files(run, PASSWORD);
        ck_assert_uint_eq(check_files(log, PASSWORD), 0);
}
END_TEST

/* ---- labels ---- */

/* A guest of another user than the others', with a disk whose file is root's; inner: of the disk's <source>.
 */
static char *labelled_xml(const char *seclabel, const char *image, const char *inner)
{
        g_autofree char *disk =
                g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                                "<source file='%s'>%s</source>"
                                "<target dev='vda' bus='virtio'/></disk>",
                                image, inner);
        g_autofree char *xml = guest_bare_xml("web", disk);
        g_auto(GStrv) halves = g_strsplit(xml, "<os>", 2);
        /* That user need not have KVM. */
        g_auto(GStrv) parts = g_strsplit(halves[0], "type='kvm'", 2);
        g_autofree char *top =
                parts[1] ? g_strconcat(parts[0], "type='qemu'", parts[1], NULL) : g_strdup(halves[0]);

        return g_strconcat(top, seclabel, "<os>", halves[1], NULL);
}

static char *make_image(void)
{
        char *image = harness_path(harness, "disk.img");

        ck_assert(g_file_set_contents(image, "disk", 4, NULL));
        ck_assert_int_eq(truncate(image, 1 << 20), 0);
        ck_assert_int_eq(chmod(image, 0600), 0);
        return image;
}

static void expect_owner(const char *path, uid_t uid, gid_t gid)
{
        struct stat st;

        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_uid, uid);
        ck_assert_uint_eq(st.st_gid, gid);
}

/* GetSecurityLabelList has that one as its last, behind that of another model of the host; or none. */
static void expect_labels(const char *path, const char *expected)
{
        sd_bus_message *reply = client_call(client, path, DOMAIN_INTERFACE, "GetSecurityLabelList", NULL);
        const char *label = NULL;
        int enforcing = -1;

        ck_assert_int_ge(sd_bus_message_enter_container(reply, 'a', "(sb)"), 0);
        while (sd_bus_message_read(reply, "(sb)", &label, &enforcing) > 0)
                ;
        ck_assert_pstr_eq(label, expected);
        if (expected)
                ck_assert_int_eq(enforcing, 0);
        sd_bus_message_unref(reply);
}

#define STATIC(relabel)                                                                                      \
        "<seclabel type='static' model='dac' relabel='" relabel "'><label>+47110:+47120</label></seclabel>"

START_TEST(test_a_user_of_its_own)
{
        g_autofree char *image = NULL, *path = NULL, *uid = NULL, *gid = NULL, *groups = NULL, *xml = NULL;
        pid_t pid;

        if (geteuid() != 0) {
                harness_skip("only root runs guests as others");
                return;
        }
        image = make_image();
        path = guest_start(client, labelled_xml(STATIC("yes"), image, ""));
        pid = harness_find_guest(harness, "web");
        uid = read_status(pid, "Uid");
        gid = read_status(pid, "Gid");
        groups = read_status(pid, "Groups");
        ck_assert_str_eq(uid, "47110\t47110\t47110\t47110");
        ck_assert_str_eq(gid, "47120\t47120\t47120\t47120");
        ck_assert_str_eq(groups, "47120");
        expect_owner(image, 47110, 47120);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strstr(xml, "<label>+47110:+47120</label>"), "%s", xml);
        ck_assert_msg(strstr(xml, "<imagelabel>+47110:+47120</imagelabel>"), "%s", xml);
        expect_labels(path, "+47110:+47120");
        /* Another agent knows whose files they are. */
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        harness_start_agent(harness);
        guest_do_flags(client, path, "Destroy", 0);
        expect_owner(image, 0, 0);
        expect_labels(path, NULL);
}
END_TEST

/* The image stays root's, so that user cannot open it, and the start says so. */
START_TEST(test_files_that_keep_their_owner)
{
        static const char *const rows[][2] = {
                { STATIC("no"), "" },
                { STATIC("yes"), "<seclabel model='dac' relabel='no'/>" },
        };

        if (geteuid() != 0) {
                harness_skip("only root runs guests as others");
                return;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *image = make_image();
                g_autofree char *path = guest_define(client, labelled_xml(rows[i][0], image, rows[i][1]));

                client_fails(client, LIBVIRT_ERROR, "*disk.img*of disk 'vda' as user '+47110:+47120'*", path,
                             DOMAIN_INTERFACE, "Create", "u", 0);
                expect_owner(image, 0, 0);
                guest_do_flags(client, path, "Undefine", 0);
        }
}
END_TEST

/* What documents of other hosts have, and what this one has not. */
START_TEST(test_labels_of_other_models)
{
        static const char *const good[] = {
                "<seclabel type='none' model='dac'/>",
                "<seclabel type='none' model='selinux'/>",
                "<seclabel type='dynamic' model='dac' relabel='yes'/>",
                "<seclabel type='none'/>",
        };
        g_autofree char *xml = NULL, *path = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
                g_autofree char *name = g_strdup_printf("web%u", i), *bare = guest_bare_xml(name, NULL);
                g_auto(GStrv) halves = g_strsplit(bare, "<os>", 2);
                g_autofree char *started =
                        guest_start(client, g_strconcat(halves[0], good[i], "<os>", halves[1], NULL));

                guest_do_flags(client, started, "Destroy", 0);
        }
        xml = guest_bare_xml("other", NULL);
        g_auto(GStrv) halves = g_strsplit(xml, "<os>", 2);
        path = guest_define(client, g_strconcat(halves[0], "<seclabel type='dynamic' model='selinux'/>",
                                                "<os>", halves[1], NULL));
        client_fails(client, LIBVIRT_ERROR, "*model 'selinux' is not available*", path, DOMAIN_INTERFACE,
                     "Create", "u", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("confinement");
        TCase *tcase = tcase_create("confinement");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_privileges);
        tcase_add_test(tcase, test_descriptors);
        tcase_add_test(tcase, test_secrets_stay_secret);
        tcase_add_test(tcase, test_files_with_secrets);
        tcase_add_test(tcase, test_a_user_of_its_own);
        tcase_add_test(tcase, test_files_that_keep_their_owner);
        tcase_add_test(tcase, test_labels_of_other_models);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
