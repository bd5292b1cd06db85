/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may open what: the account of guests, images that change hands.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "drivers/security/account.h"
#include "drivers/security/apparmor.h"
#include "drivers/security/ownership.h"
#include "tests/unit/check-main.h"

#include <glib/gstdio.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char *dir, *file;

static void setup(void)
{
        dir = g_dir_make_tmp("virtbus-security-XXXXXX", NULL);
        file = g_build_filename(dir, "image", NULL);
}

static void teardown(void)
{
        g_remove(file);
        g_rmdir(dir);
        g_free(dir);
        g_free(file);
}

static void put_image(const char *text)
{
        ck_assert(g_file_set_contents(file, text, -1, NULL));
        ck_assert_int_eq(chmod(file, 0600), 0);
}

static bool is_root(void)
{
        if (geteuid() == 0)
                return true;
        check_skip("only root gives files to others");
        return false;
}

START_TEST(permissions_follow_the_first_class_that_applies)
{
        gid_t groups[] = { 100, 200 };
        struct account account = { .uid = 10, .gid = 100, .groups = groups, .n_groups = 2 };

        ck_assert(account_may_open(&account, 10, 0, 0600, true));
        ck_assert(!account_may_open(&account, 10, 0, 0400, true));
        ck_assert(account_may_open(&account, 10, 0, 0400, false));
        ck_assert(!account_may_open(&account, 10, 0, 0066, false));
        ck_assert(account_may_open(&account, 0, 200, 0060, true));
        ck_assert(!account_may_open(&account, 0, 200, 0606, true));
        ck_assert(account_may_open(&account, 0, 0, 0006, true));
        ck_assert(!account_may_open(&account, 0, 0, 0660, false));
}
END_TEST

START_TEST(an_unknown_user_is_named)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(account_new("no-such-user", NULL, &error));
        ck_assert_int_eq(error_get_code(error), ERROR_CONFIG_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(error->message, "'no-such-user'"));
}
END_TEST

static const struct account guest_user = { .refs = 1, .name = (char *)"guest", .uid = 4242, .gid = 4243 };

static uid_t owner_of(const char *path)
{
        struct stat st;

        ck_assert_int_eq(stat(path, &st), 0);
        return st.st_uid;
}

static bool has_attributes(void)
{
        if (setxattr(file, "trusted.virtbus.test", "x", 1, 0) == 0)
                return true;
        check_skip("the file system of temporary files keeps no trusted attributes");
        return false;
}

START_TEST(an_image_changes_hands_and_comes_back)
{
        struct ownership ownership;

        if (!is_root())
                return;
        put_image("x");
        ck_assert_int_eq(chown(file, 1000, 1001), 0);
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
        ck_assert_uint_eq(ownership.uid, 1000);
        ck_assert_uint_eq(ownership.gid, 1001);
        ck_assert_uint_eq(owner_of(file), 1000);
        ownership_take(&guest_user, file, &ownership);
        ck_assert_uint_eq(owner_of(file), 4242);
        ownership_return(&guest_user, file, ownership.uid, ownership.gid);
        ck_assert_uint_eq(owner_of(file), 1000);
}
END_TEST

static void expect_attribute(const char *name, const char *value)
{
        char text[64] = "";

        ck_assert_int_gt(getxattr(file, name, text, sizeof(text) - 1), 0);
        ck_assert_str_eq(text, value);
}

START_TEST(the_last_guest_gives_an_image_back)
{
        struct ownership ownership;

        if (!is_root())
                return;
        put_image("x");
        if (!has_attributes())
                return;
        ck_assert(ownership_is_needed(&guest_user, file, false, &ownership));
        ownership_take(&guest_user, file, &ownership);
        /* Though it may open it by now: the first guest will give it back. */
        ck_assert(ownership_is_needed(&guest_user, file, false, &ownership));
        ck_assert_uint_eq(ownership.uid, 0);
        ownership_take(&guest_user, file, &ownership);
        expect_attribute("trusted.libvirt.security.dac", "+0:+0");
        expect_attribute("trusted.libvirt.security.ref_dac", "2");
        ownership_return(&guest_user, file, ownership.uid, ownership.gid);
        ck_assert_uint_eq(owner_of(file), 4242);
        ownership_return(&guest_user, file, ownership.uid, ownership.gid);
        ck_assert_uint_eq(owner_of(file), 0);
        ck_assert_int_eq(getxattr(file, "trusted.libvirt.security.dac", NULL, 0), -1);
        ck_assert_int_eq(getxattr(file, "trusted.libvirt.security.ref_dac", NULL, 0), -1);
        ck_assert_int_eq(getxattr(file, "trusted.libvirt.security.timestamp_dac", NULL, 0), -1);
}
END_TEST

/* Guests with users of their own: the last one to end is not the last one that took it. */
START_TEST(guests_of_several_users_give_an_image_back)
{
        const struct account other = { .uid = 4343, .gid = 4344 };
        struct ownership ownership;

        if (!is_root())
                return;
        put_image("x");
        if (!has_attributes())
                return;
        ck_assert(ownership_is_needed(&guest_user, file, false, &ownership));
        ownership_take(&guest_user, file, &ownership);
        ck_assert(ownership_is_needed(&other, file, false, &ownership));
        ck_assert_uint_eq(ownership.uid, 0);
        ownership_take(&other, file, &ownership);
        ck_assert_uint_eq(owner_of(file), 4343);
        ownership_return(&other, file, ownership.uid, ownership.gid);
        ownership_return(&guest_user, file, ownership.uid, ownership.gid);
        ck_assert_uint_eq(owner_of(file), 0);
}
END_TEST

START_TEST(an_image_that_is_open_to_all_stays_as_it_is)
{
        struct ownership ownership;

        put_image("x");
        ck_assert_int_eq(chmod(file, 0644), 0);
        ck_assert(!ownership_is_needed(&guest_user, file, false, &ownership));
        ck_assert(!ownership_is_needed(&guest_user, "/nonexistent", true, &ownership));
}
END_TEST

/* What has come in its place is somebody's, too. */
START_TEST(an_image_that_was_replaced_keeps_its_owner)
{
        struct ownership ownership;

        if (!is_root())
                return;
        put_image("x");
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
        put_image("another one"); /* a file of its own, renamed */
        ownership_take(&guest_user, file, &ownership);
        ck_assert_uint_eq(owner_of(file), 0);
}
END_TEST

START_TEST(an_image_given_to_another_stays_there)
{
        struct ownership ownership;

        if (!is_root())
                return;
        put_image("x");
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
        ownership_take(&guest_user, file, &ownership);
        ck_assert_int_eq(chown(file, 7, 7), 0);
        ownership_return(&guest_user, file, 0, 0);
        ck_assert_uint_eq(owner_of(file), 7);
}
END_TEST

/* Anybody who may read an image can lock it, and is not waited for. */
START_TEST(an_image_that_is_locked_holds_nobody_up)
{
        CLEANUP_FD int fd = -1;
        struct ownership ownership;

        if (!is_root())
                return;
        put_image("x");
        fd = open(file, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(flock(fd, LOCK_SH), 0);
        ck_assert(!ownership_is_needed(&guest_user, file, true, &ownership));
        ck_assert_int_eq(flock(fd, LOCK_UN), 0);
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
}
END_TEST

/* ---- accounts of this host ---- */

static bool has_group(const struct account *account, gid_t gid)
{
        for (unsigned i = 0; i < account->n_groups; i++) {
                if (account->groups[i] == gid)
                        return true;
        }
        return false;
}

START_TEST(an_account_is_looked_up)
{
        const struct passwd *user = getpwnam("daemon");
        const struct group *group = getgrnam("tty");
        g_autoptr(GError) error = NULL;
        CLEANUP(account_unref) const struct account *other = NULL, *plain = NULL, *root = NULL;
        g_autofree char *label = NULL, *expected = NULL;

        if (!is_root())
                return;
        if (!user || !group) {
                check_skip("no user 'daemon' or group 'tty'");
                return;
        }
        plain = account_new("daemon", NULL, &error);
        ck_assert_uint_eq(plain->uid, user->pw_uid);
        ck_assert_uint_eq(plain->gid, user->pw_gid);
        ck_assert(has_group(plain, user->pw_gid));
        ck_assert(!plain->is_own);
        other = account_new("daemon", "tty", &error);
        ck_assert_uint_eq(other->uid, user->pw_uid);
        ck_assert_uint_eq(other->gid, group->gr_gid);
        ck_assert(has_group(other, group->gr_gid));
        label = account_format_label(other);
        expected = g_strdup_printf("+%u:+%u", (unsigned)user->pw_uid, (unsigned)group->gr_gid);
        ck_assert_str_eq(label, expected);
        /* Nothing is switched, nobody's files change hands. */
        root = account_new("root", NULL, &error);
        ck_assert(root->is_own);
        ck_assert_ptr_null(account_new("daemon", "no-such-group", &error));
        ck_assert_ptr_nonnull(strstr(error->message, "'no-such-group'"));
}
END_TEST

/* Guests that were there when the host went down give nothing back: the first that ends now does. */
START_TEST(guests_of_another_boot_do_not_count)
{
        static const char *const notes[][2] = {
                { "trusted.libvirt.security.dac", "+1000:+1001" },
                { "trusted.libvirt.security.ref_dac", "3" },
                { "trusted.libvirt.security.timestamp_dac", "1000000000" },
        };
        struct ownership ownership;

        if (!is_root())
                return;
        put_image("x");
        if (!has_attributes())
                return;
        ck_assert_int_eq(chown(file, 4242, 4243), 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(notes); i++)
                ck_assert_int_eq(setxattr(file, notes[i][0], notes[i][1], strlen(notes[i][1]), 0), 0);
        ck_assert(ownership_is_needed(&guest_user, file, true, &ownership));
        ck_assert_uint_eq(ownership.uid, 1000);
        ownership_take(&guest_user, file, &ownership);
        ownership_return(&guest_user, file, ownership.uid, ownership.gid);
        ck_assert_uint_eq(owner_of(file), 1000);
}
END_TEST

/* ---- labels ---- */

START_TEST(a_label_names_an_account)
{
        static const struct {
                const char *label;
                uid_t uid;
                gid_t gid;
        } rows[] = {
                { "+4711:+4712", 4711, 4712 }, { "4711:+4712", 4711, 4712 }, { "root:+4712", 0, 4712 },
                { "+4711", 4711, 4243 },       { "+0:root", 0, 0 },
        };
        static const char *const bad[] = {
                "",
                ":",
                "+1:",
                ":+1",
                "no-such-user:+1",
                "+1:no-such-group",
                "+-1:+1",
                "+4294967295:+1",
                "+1 :+1",
        };

        if (!is_root())
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GError) error = NULL;
                CLEANUP(account_unref)
                const struct account *account = account_new_label(rows[i].label, &guest_user, &error);

                ck_assert_msg(account, "%s", error ? error->message : "");
                ck_assert_uint_eq(account->uid, rows[i].uid);
                ck_assert_uint_eq(account->gid, rows[i].gid);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) error = NULL;

                ck_assert_msg(!account_new_label(bad[i], &guest_user, &error), "'%s'", bad[i]);
                ck_assert(error_is(error, ERROR_CONFIG_UNSUPPORTED));
        }
}
END_TEST

/* ---- AppArmor ---- */

static char *format(const char *path, bool write, bool tree, GError **error)
{
        const struct apparmor_rule rule = { path, write, tree };

        return apparmor_format(
                &(struct apparmor_profile){
                        .name = "libvirt-x", .emulator = "/opt/qemu*", .rules = &rule, .n_rules = 1 },
                error);
}

START_TEST(a_profile_has_what_a_guest_opens)
{
        static const struct {
                const char *path;
                bool write, tree;
                const char *expected;
        } rows[] = {
                { "/a b", true, false, "\n  \"/a b\" rwk,\n" },
                { "/a", false, false, "\n  \"/a\" rk,\n" },
                { "/d", true, true, "\n  \"/d\" rwk,\n  \"/d/{,**}\" rwkl,\n" },
                /* What others would have a meaning in stands for itself. */
                { "/*?[x]{y,z}^@{HOME}", true, false,
                  "\n  \"/\\*\\?\\[x\\]\\{y,z\\}\\^\\@\\{HOME\\}\" rwk,\n" },
                { "/\" rwk, /** rwk, \"\\", true, false, "\n  \"/\\\" rwk, /\\*\\* rwk, \\\"\\\\\" rwk,\n" },
                { "/\303\244", true, false, "\n  \"/\303\244\" rwk,\n" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GError) error = NULL;
                g_autofree char *text = format(rows[i].path, rows[i].write, rows[i].tree, &error);

                ck_assert_msg(text, "%s", error ? error->message : "");
                ck_assert_msg(strstr(text, rows[i].expected), "%s\n%s", rows[i].expected, text);
                ck_assert(g_str_has_prefix(strstr(text, "profile "), "profile \"libvirt-x\" "));
                ck_assert(strstr(text, "  \"/opt/qemu\\*\" mr,\n"));
        }
}
END_TEST

START_TEST(a_profile_has_a_capability_that_is_asked_for)
{
        for (unsigned i = 0; i < 2; i++) {
                const struct apparmor_profile profile = { .name = "libvirt-x",
                                                          .emulator = "/q",
                                                          .raw_io = i };
                g_autofree char *text = apparmor_format(&profile, NULL);

                ck_assert_int_eq(strstr(text, "capability") != NULL, i);
                ck_assert(!i || strstr(text, "\n  capability sys_rawio,\n"));
        }
}
END_TEST

START_TEST(what_no_profile_can_have_is_refused)
{
        static const char *const paths[] = { "/a\nb", "/\t", "/\x7f" };

        for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++) {
                g_autoptr(GError) error = NULL;

                ck_assert(!format(paths[i], true, false, &error));
                ck_assert(error_is(error, ERROR_CONFIG_UNSUPPORTED));
        }
}
END_TEST

START_TEST(a_host_without_apparmor_confines_nobody)
{
        ck_assert(!apparmor_is_active(dir));
}
END_TEST

CHECK_MAIN_FIXTURE("security", setup, teardown, a_label_names_an_account, a_profile_has_what_a_guest_opens,
                   a_profile_has_a_capability_that_is_asked_for, what_no_profile_can_have_is_refused,
                   a_host_without_apparmor_confines_nobody, guests_of_several_users_give_an_image_back,
                   an_account_is_looked_up, guests_of_another_boot_do_not_count,
                   permissions_follow_the_first_class_that_applies, an_unknown_user_is_named,
                   an_image_changes_hands_and_comes_back, the_last_guest_gives_an_image_back,
                   an_image_that_is_open_to_all_stays_as_it_is, an_image_that_was_replaced_keeps_its_owner,
                   an_image_given_to_another_stays_there, an_image_that_is_locked_holds_nobody_up)
