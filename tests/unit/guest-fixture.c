/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/guest-fixture.h"

#include "base/log.h"
#include "base/pool.h"
#include "base/registry.h"
#include "drivers/host/host.h"
#include "drivers/qemu/driver.h"
#include "tests/support/guard.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct loop *loop;
static struct pool *pool;
static const struct host *host;
struct domain_driver *driver;
char *root, *cache;
GString *events; /* "type/detail," for lifecycle, "#id," for the others */

bool has_qemu(void)
{
        return access(EMULATOR, X_OK) == 0;
}

static const char *guest_type(void)
{
        return access("/dev/kvm", R_OK | W_OK) == 0 ? "kvm" : "qemu";
}

static void on_change(const struct registry_change *change, void *data)
{
        if (!change->event)
                return;
        if (change->event->id == MANAGED_EVENT_LIFECYCLE)
                g_string_append_printf(events, "%d/%d,", change->event->type, change->event->detail);
        else
                g_string_append_printf(events, "#%d,", change->event->id);
}

static char *dir(const char *name)
{
        char *path = g_build_filename(root, name, NULL);

        g_mkdir(path, 0700);
        return path;
}

const char *host_root;
const char *user; /* whom emulators run as; NULL: as the test */

void start_driver(void)
{
        g_autofree char *state = dir("state"), *run = dir("run"), *log = dir("log");
        const struct qemu_driver_config config = {
                .state_dir = state,
                .runtime_dir = run,
                .log_dir = log,
                .cache_dir = cache,
                .user = user,
        };
        g_autoptr(GError) error = NULL;

        driver = qemu_driver_new(loop, pool, host, &config, &error);
        ck_assert_msg(driver != NULL, "%s", error ? error->message : "");
        registry_listen(domain_driver_get_registry(driver), on_change, NULL);
}

void stop_driver(void)
{
        g_clear_pointer(&driver, qemu_driver_free);
}

void setup(void)
{
        struct cpu_features features;

        log_init(LOG_LEVEL_INFO);
        root = g_dir_make_tmp("virtbus-guest-XXXXXX", NULL);
        guard_folder(root);
        loop = loop_new(NULL);
        pool = pool_new(4, NULL);
        cpu_features_read(&features);
        host = host_root ? host_new_at(host_root, &features) : host_new_real();
        events = g_string_new(NULL);
        start_driver();
}

static void remove_tree(const char *path)
{
        g_autoptr(GDir) entries = g_dir_open(path, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *child = g_build_filename(path, name, NULL);

                if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
                        remove_tree(child);
                else
                        g_remove(child);
        }
        g_rmdir(path);
}

void teardown(void)
{
        stop_driver();
        host_unref(host);
        pool_free(pool);
        loop_free(loop);
        g_string_free(events, TRUE);
        remove_tree(root);
        g_free(root);
}

/* ---- calls ---- */

void on_done(struct managed *object, const GError *error, void *data)
{
        struct result *result = data;

        result->done = true;
        result->error = error ? g_error_copy(error) : NULL;
        result->domain = (struct domain *)object;
}

void on_queued(void *data)
{
}

void wait_for(const bool *flag)
{
        while (!*flag)
                loop_step(loop, true);
}

void wait_for_events(const char *expected)
{
        while (strlen(events->str) < strlen(expected))
                loop_step(loop, true);
        ck_assert_str_eq(events->str, expected);
        g_string_truncate(events, 0);
}

char *make_xml(const char *name, const char *extra)
{
        return g_strdup_printf("<domain type='%s'><name>%s</name><uuid>" UUID
                               "</uuid><memory unit='MiB'>64</memory>"
                               "<os><type arch='x86_64' machine='q35'>hvm</type></os>%s</domain>",
                               guest_type(), name, extra);
}

struct domain *create(const char *xml, unsigned flags)
{
        struct result result = { 0 };

        domain_create_xml(driver, xml, flags, NULL, on_queued, on_done, &result);
        wait_for(&result.done);
        ck_assert_msg(!result.error, "%s", result.error ? result.error->message : "");
        return result.domain;
}

GError *fail_to_create(const char *xml)
{
        struct result result = { 0 };

        domain_create_xml(driver, xml, 0, NULL, on_queued, on_done, &result);
        wait_for(&result.done);
        ck_assert_ptr_nonnull(result.error);
        return result.error;
}

void check(struct result *result)
{
        wait_for(&result->done);
        ck_assert_msg(!result->error, "%s", result->error ? result->error->message : "");
}

void destroy(struct domain *domain)
{
        struct result result = { 0 };

        domain_destroy(domain, 0, on_done, &result);
        check(&result);
}

bool is_gone(const char *below_root)
{
        g_autofree char *path = g_build_filename(root, below_root, NULL);

        return access(path, F_OK) < 0;
}

int run_guests(TCase *cases, const char *name)
{
        Suite *suite = suite_create(name);
        SRunner *runner;
        int failed;

        cache = g_dir_make_tmp("virtbus-cache-XXXXXX", NULL);
        tcase_set_timeout(cases, 60);
        tcase_add_checked_fixture(cases, setup, teardown);
        suite_add_tcase(suite, cases);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        remove_tree(cache);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
