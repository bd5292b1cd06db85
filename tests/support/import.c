/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Imports of tests.
 */

#include "tests/support/import.h"

#include <check.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char *import_path(const struct harness *harness, const char *below)
{
        g_autofree char *root = harness_path(harness, "host");

        return g_build_filename(root, below, NULL);
}

void import_put(const struct harness *harness, const char *below, const char *text, gssize length)
{
        g_autofree char *path = import_path(harness, below), *dir = g_path_get_dirname(path);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert(g_file_set_contents(path, text, length, NULL));
}

char *import_run(struct harness *harness, int expected)
{
        g_autofree char *etc = import_path(harness, "etc/libvirt"), *state = harness_path(harness, "state");
        g_autofree char *run = harness_path(harness, "run"), *log = harness_path(harness, "log");
        g_autofree char *cache = harness_path(harness, "cache"), *output = NULL, *errors = NULL;
        const char *argv[] = { g_getenv("VIRTBUSD"),
                               getuid() == 0 ? "--system" : "--session",
                               "--import-libvirt",
                               etc,
                               "--state-dir",
                               state,
                               "--runtime-dir",
                               run,
                               "--log-dir",
                               log,
                               "--cache-dir",
                               cache,
                               NULL };
        int status = 0;

        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, &errors,
                               &status, NULL));
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == expected, "status %x:\n%s%s", status,
                      output, errors);
        return g_strconcat("\n", output, errors, NULL);
}

void import_expect_line(const char *output, const char *line)
{
        g_autofree char *whole = g_strconcat("\n", line, NULL);

        ck_assert_msg(strstr(output, whole), "there is no line '%s' in:%s", line, output);
}
