/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The configuration file: what it may say, what is said about mistakes, and the one that is shipped. */

#include "agent/config.h"
#include "base/error.h"
#include "base/log.h"
#include "tests/unit/check-main.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static struct config *parse(const char *text)
{
        g_autoptr(GError) error = NULL;
        struct config *config = config_parse("file", text, &error);

        ck_assert_msg(config, "%s", error ? error->message : "");
        return config;
}

static void refuse(const char *text, const char *expected)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(config_parse("file", text, &error));
        ck_assert(error_is(error, ERROR_CONF_SYNTAX));
        ck_assert_msg(strstr(error->message, expected), "'%s' is not in: %s", expected, error->message);
}

START_TEST(test_defaults)
{
        CLEANUP(config_free) struct config *config = parse("");

        ck_assert_ptr_null(config->qemu_user);
        ck_assert(config->start_networks && config->default_network && !config->fine_access);
        ck_assert_uint_eq(config->log_level, LOG_LEVEL_NOTICE);
        ck_assert_uint_eq(config->client_calls, 32768);
}
END_TEST

START_TEST(test_values)
{
        CLEANUP(config_free)
        struct config *config =
                parse("; a comment\n# another\n\n[qemu]\n  user = web = site \r\nmemory_dir=/m\n"
                      "[log]\nlevel=debug\n[qemu]\ngroup=\n[limits]\nclient_mib=3");

        ck_assert_str_eq(config->qemu_user, "web = site");
        ck_assert_str_eq(config->qemu_group, "");
        ck_assert_str_eq(config->memory_dir, "/m");
        ck_assert_uint_eq(config->log_level, LOG_LEVEL_DEBUG);
        ck_assert_uint_eq(config->client_mib, 3);
}
END_TEST

START_TEST(test_mistakes_have_lines)
{
        refuse("\n[qemu]\nusr=x\n", "file, line 3: the group [qemu] has no key for 'usr=x'");
        refuse("[kemu]\n", "file, line 1: there is no group '[kemu]'");
        refuse("[qemu\n", "file, line 1: '[qemu' has no ']' at its end");
        refuse("[\n", "line 1");
        refuse("[]\n", "line 1");
        refuse("user=x\n", "line 1: 'user=x' stands before the first [group]");
        refuse("[qemu]\n\nuser\n", "line 3: 'user' is neither");
        refuse("[qemu]\nuser=a\n[qemu]\nuser=b\n",
               "line 4: user of the group [qemu] stands in line 2 already");
        refuse("[qemu]\nmemory_dir=m\n", "line 2: memory_dir of the group [qemu] must be an absolute path");
        refuse("[access]\nfine=yes\n", "line 2: fine of the group [access] must be true or false");
        refuse("[access]\ntimeout=0\n",
               "line 2: timeout of the group [access] must be a number from 1 to 60");
        refuse("[access]\ntimeout=61\n", "must be a number from 1 to 60");
        refuse("[access]\ntimeout=-1\n", "must be a number from 1 to 60");
        refuse("[access]\ntimeout=99999999999999999999999\n", "must be a number from 1 to 60");
        refuse("[log]\nlevel=loud\n", "must be error, warning, notice, info or debug");
        refuse("[log]\nlevel=\xff\n", "line 2: it is not in UTF-8");
}
END_TEST

START_TEST(test_changes)
{
        CLEANUP(config_free) struct config *one = parse("[qemu]\nuser=a\n");
        CLEANUP(config_free)
        struct config *other = parse("[qemu]\ngroup=g\n[log]\nlevel=info\n[access]\nfine=true\n");
        g_autofree char *now = config_list_changes(one, other, true);
        g_autofree char *later = config_list_changes(one, other, false);

        ck_assert_str_eq(now, "[access] fine, [log] level");
        ck_assert_str_eq(later, "[qemu] user, [qemu] group");
        ck_assert_ptr_null(config_list_changes(one, one, true));
        ck_assert_ptr_null(config_list_changes(one, one, false));
}
END_TEST

START_TEST(test_files)
{
        g_autofree char *dir = g_dir_make_tmp("config-XXXXXX", NULL);
        g_autofree char *path = g_build_filename(dir, "virtbusd.conf", NULL);
        g_autofree char *real = g_build_filename(dir, "real", NULL);
        g_autofree char *huge = g_strnfill(1024 * 1024 + 1, '#');
        g_autoptr(GError) error = NULL;
        CLEANUP(config_free) struct config *absent = config_read(path, false, NULL);
        struct config *linked;

        ck_assert_ptr_nonnull(absent);
        ck_assert_ptr_null(config_read(path, true, &error));
        ck_assert(strstr(error->message, path) != NULL);
        /* What an administrator links to another place is read there. */
        ck_assert(g_file_set_contents(real, "[log]\nlevel=info\n", -1, NULL) && symlink(real, path) == 0);
        linked = config_read(path, true, NULL);
        ck_assert_ptr_nonnull(linked);
        ck_assert_uint_eq(linked->log_level, LOG_LEVEL_INFO);
        config_free(linked);
        ck_assert(g_file_set_contents(real, huge, -1, NULL));
        ck_assert_ptr_null(config_read(path, false, NULL));
        ck_assert(g_file_set_contents(real, "[log]\n\0level=info\n", 18, NULL));
        ck_assert_ptr_null(config_read(path, false, NULL));
        ck_assert(g_unlink(path) == 0 && g_unlink(real) == 0);
        ck_assert(mkfifo(path, 0600) == 0);
        ck_assert_ptr_null(config_read(path, false, NULL));
        ck_assert(g_unlink(path) == 0 && g_rmdir(dir) == 0);
}
END_TEST

/* ---- the one that is shipped ---- */

/* "#key=value" becomes "key=value"; comments, which have a blank behind their '#', stay. */
static char *uncomment(const char *text)
{
        GString *result = g_string_new(NULL);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (unsigned i = 0; lines[i]; i++)
                g_string_append_printf(result, "%s\n",
                                       lines[i][0] == '#' && g_ascii_isalpha(lines[i][1]) ? lines[i] + 1
                                                                                          : lines[i]);
        return g_string_free(result, FALSE);
}

/* Each key with its default, so that it does nothing as it is and says what there is. */
START_TEST(test_shipped_file)
{
        g_autofree char *text = NULL, *whole = NULL;
        CLEANUP(config_free) struct config *defaults = parse("");
        CLEANUP(config_free) struct config *shipped = NULL, *explicit = NULL;

        ck_assert(g_file_get_contents(SHIPPED_FILE, &text, NULL, NULL));
        shipped = parse(text);
        ck_assert_ptr_null(config_list_changes(defaults, shipped, true));
        ck_assert_ptr_null(config_list_changes(defaults, shipped, false));
        whole = uncomment(text);
        explicit = parse(whole); /* no key that is not known */
        for (unsigned i = 0; i < config_n_keys; i++) {
                const struct config_key *key = &config_keys[i];
                g_autofree char *value = config_format(explicit, key);

                ck_assert_msg(value, "[%s] %s is not in the file", key->group, key->name);
                if (key->fallback)
                        ck_assert_str_eq(value, key->fallback);
        }
}
END_TEST

/* What a key has for a default does not show that it stands there. */
START_TEST(test_shipped_file_has_every_key)
{
        g_autofree char *text = NULL;

        ck_assert(g_file_get_contents(SHIPPED_FILE, &text, NULL, NULL));
        for (unsigned i = 0; i < config_n_keys; i++) {
                g_autofree char *group = g_strdup_printf("\n[%s]\n", config_keys[i].group);
                g_autofree char *line = g_strdup_printf("\n#%s=", config_keys[i].name);
                const char *section = strstr(text, group);
                const char *end = section ? strstr(section + 1, "\n[") : NULL;

                ck_assert_msg(section, "there is no group%s", group);
                ck_assert_msg(g_strstr_len(section, end ? end - section : -1, line), "[%s] has no %s",
                              config_keys[i].group, line);
        }
}
END_TEST

START_TEST(test_manual_has_every_key)
{
        g_autofree char *text = NULL;

        ck_assert(g_file_get_contents(MANUAL, &text, NULL, NULL));
        for (unsigned i = 0; i < config_n_keys; i++) {
                const struct config_key *key = &config_keys[i];
                g_autofree char *line = g_strdup_printf("\n.BR %s= \" (%s)\"\n", key->name,
                                                        key->at_once ? "at once" : "restart");

                ck_assert_msg(strstr(text, line), "there is no%s", line);
        }
}
END_TEST

CHECK_MAIN("config", test_defaults, test_values, test_mistakes_have_lines, test_changes, test_files,
           test_shipped_file, test_shipped_file_has_every_key, test_manual_has_every_key)
