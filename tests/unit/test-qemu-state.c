/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's side of a guest, without an emulator: what it was given is given back, device by device and at
 * its end, and what it owns beside its definition is kept or removed as was asked for.
 */
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/registry.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/driver.h"
#include "drivers/domain/live-xml.h"
#include "drivers/host/host.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/guest.h"
#include "drivers/security/ownership.h"
#include "tests/unit/check-main.h"

#include <glib/gstdio.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UUID  "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define OWNER 1000

static struct loop *loop;
static struct pool *pool;
static const struct host *host;
static struct domain_driver *driver;
static struct domain *domain;
static char *root, *nvram, *tpm;

static char *below(const char *name)
{
        return g_build_filename(root, name, NULL);
}

static char *make_dir(const char *name)
{
        char *path = below(name);

        ck_assert_int_eq(g_mkdir_with_parents(path, 0755), 0);
        return path;
}

static void setup(void)
{
        g_autofree char *state = NULL, *run = NULL, *log = NULL, *cache = NULL;
        struct qemu_driver_config config = { 0 };
        g_autoptr(GError) error = NULL;

        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        host = host_new_real();
        root = g_dir_make_tmp("virtbus-state-XXXXXX", NULL);
        ck_assert_int_eq(chmod(root, 0755), 0);
        config.state_dir = state = make_dir("state");
        config.runtime_dir = run = make_dir("run");
        config.log_dir = log = make_dir("log");
        config.cache_dir = cache = make_dir("cache");
        if (geteuid() == 0 && getpwnam("daemon"))
                config.user = "daemon";
        driver = qemu_driver_new(loop, pool, host, &config, &error);
        ck_assert_msg(driver != NULL, "%s", error ? error->message : "");
        nvram = below("web_VARS.fd");
        ck_assert(g_file_set_contents(nvram, "variables", -1, NULL));
        tpm = g_build_filename(((struct qemu_driver *)driver)->tpm_dir, UUID, "tpm2-00.permall", NULL);
}

static void teardown(void)
{
        const char *const argv[] = { "rm", "-rf", root, NULL };

        qemu_driver_free(driver);
        host_unref(host);
        pool_free(pool);
        loop_free(loop);
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                               NULL));
        g_free(root);
        g_free(nvram);
        g_free(tpm);
}

/* ---- calls ---- */

struct outcome {
        bool done;
        char *error; /* owned */
};

static void on_done(struct managed *object, const GError *error, void *data)
{
        struct outcome *outcome = data;

        outcome->done = true;
        outcome->error = error ? g_strdup(error->message) : NULL;
}

static char *await(struct outcome *outcome)
{
        while (!outcome->done)
                loop_step(loop, true);
        return outcome->error;
}

static void keep(void *args)
{
}

static void in_its_lane(managed_work work, void *args)
{
        const struct managed_task task = { .work = work, .args = args, .free_args = keep };
        struct outcome outcome = { false };

        managed_run_task(&domain->base, &task, on_done, &outcome);
        ck_assert_ptr_null(await(&outcome));
}

/* NULL: it went well. */
static char *undefine(unsigned flags)
{
        struct outcome outcome = { false };

        domain_undefine(domain, flags, on_done, &outcome);
        return await(&outcome);
}

/* ---- a domain, and a guest of it that has no emulator ---- */

static const char *on_reboot = ""; /* the element */

static void define(bool persistent_tpm)
{
        g_autofree char *xml = g_strdup_printf(
                "<domain type='qemu'><name>web</name><uuid>" UUID "</uuid>"
                "<memory unit='KiB'>65536</memory><vcpu>1</vcpu>"
                "<os><type arch='x86_64' machine='q35'>hvm</type><nvram>%s</nvram></os>%s"
                "<devices><tpm model='tpm-crb'><backend type='emulator' version='2.0'%s/></tpm></devices>"
                "</domain>",
                nvram, on_reboot, persistent_tpm ? " persistent_state='yes'" : "");
        g_autofree char *dir = g_path_get_dirname(tpm);
        struct managed_state *state = managed_state_new(&domain_kind);
        struct domain_def *def;
        g_autoptr(GError) error = NULL;

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
        ck_assert(g_file_set_contents(tpm, "secrets", -1, NULL));
        def = domain_def_parse_stored(xml, &error);
        ck_assert_msg(def != NULL, "%s", error ? error->message : "");
        managed_state_take_persistent(state, &def->base);
        domain = (struct domain *)registry_install(domain_driver_get_registry(driver), state, &error);
        ck_assert_msg(domain != NULL, "%s", error ? error->message : "");
}

static bool run_work(struct managed *object, void *data, GError **error)
{
        struct domain_state *state = (struct domain_state *)managed_edit(object);
        struct domain_def *active =
                domain_def_activate((const struct domain_def *)state->base.persistent, 1, error);
        struct status *status = status_new();
        struct guest *guest;

        ck_assert_ptr_nonnull(active);
        managed_state_take_active(&state->base, &active->base);
        state->id = 1;
        state->state = DOMAIN_RUNNING;
        status->phase = STATUS_RUNNING;
        status->uuid = object->uuid;
        status->name = g_strdup("web");
        status->id = 1;
        status->xml = g_strdup(active->base.xml);
        guest = guest_new(domain, status);
        domain->live = guest;
        managed_publish(object, &state->base, NULL);
        return guest_make_dirs(guest, error);
}

static bool end_work(struct managed *object, void *data, GError **error)
{
        struct guest *guest = guest_of(domain);

        lane_shield(object->lane);
        guest_release(guest);
        domain->live = NULL;
        domain_stopped(domain, DOMAIN_SHUTOFF_DESTROYED, DOMAIN_EVENT_STOPPED_DESTROYED);
        return true;
}

static bool is_there(const char *path)
{
        return access(path, F_OK) == 0;
}

/* ---- what is owned beside the definition ---- */

static const struct {
        unsigned flags;
        bool persistent_tpm;
        const char *refused; /* NULL: it is undefined */
        bool keeps_nvram, keeps_tpm;
} undefines[] = {
        { 0, false, "say whether to remove or to keep it", true, true },
        { DOMAIN_UNDEFINE_NVRAM, false, NULL, false, false },
        { DOMAIN_UNDEFINE_KEEP_NVRAM, false, NULL, true, false },
        { DOMAIN_UNDEFINE_KEEP_NVRAM | DOMAIN_UNDEFINE_KEEP_TPM, false, NULL, true, true },
        { DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_KEEP_TPM, false, NULL, false, true },
        { DOMAIN_UNDEFINE_KEEP_NVRAM, true, NULL, true, true },
        { DOMAIN_UNDEFINE_KEEP_NVRAM | DOMAIN_UNDEFINE_TPM, true, NULL, true, false },
        { DOMAIN_UNDEFINE_NVRAM | DOMAIN_UNDEFINE_KEEP_NVRAM, false, "both removed and kept", true, true },
};

static void expect_undefined(char *error, const char *refused)
{
        g_autofree char *owned = error;

        if (refused)
                ck_assert_msg(error && strstr(error, refused), "%s", error ? error : "undefined");
        else
                ck_assert_msg(!error, "%s", error);
}

START_TEST(undefine_keeps_what_it_is_told_to)
{
        define(undefines[_i].persistent_tpm);
        expect_undefined(undefine(undefines[_i].flags), undefines[_i].refused);
        ck_assert_int_eq(is_there(nvram), undefines[_i].keeps_nvram);
        ck_assert_int_eq(is_there(tpm), undefines[_i].keeps_tpm);
}
END_TEST

/* A guest that runs keeps all of it until its end. */
START_TEST(undefine_of_a_guest_waits_for_its_end)
{
        define(undefines[_i].persistent_tpm);
        in_its_lane(run_work, NULL);
        expect_undefined(undefine(undefines[_i].flags), undefines[_i].refused);
        ck_assert(is_there(nvram));
        ck_assert(is_there(tpm));
        in_its_lane(end_work, NULL);
        ck_assert_int_eq(is_there(nvram), undefines[_i].keeps_nvram);
        ck_assert_int_eq(is_there(tpm), undefines[_i].keeps_tpm);
}
END_TEST

/* ---- what is taken of the host ---- */

static const char *const aliases[] = { "virtio-disk0", "virtio-disk1" };
static char *images[2], *sockets[2], *no_socket, *guest_dir;

static uid_t owner_of(const char *path)
{
        struct stat st;

        ck_assert_int_eq(stat(path, &st), 0);
        return st.st_uid;
}

static char *make_socket(const char *name)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char *path = below(name);

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd);
        return path;
}

static bool take_work(struct managed *object, void *data, GError **error)
{
        struct guest *guest = guest_of(domain);

        guest_dir = g_strdup(guest->dir);
        for (unsigned i = 0; i < G_N_ELEMENTS(aliases); i++) {
                struct ownership ownership;

                ck_assert(ownership_is_needed(guest->driver->account, images[i], true, &ownership));
                ownership_take(guest->driver->account, images[i], &ownership);
                status_add_image(guest->status, aliases[i], images[i], &ownership);
                guest_add_socket(guest, aliases[i], sockets[i]);
        }
        guest_add_socket(guest, aliases[0], no_socket);
        return true;
}

static bool release_first_work(struct managed *object, void *data, GError **error)
{
        lane_shield(object->lane);
        guest_release_device(guest_of(domain), aliases[0]);
        ck_assert_uint_eq(guest_of(domain)->status->images->len, 1);
        ck_assert(guest_of(domain)->changed);
        return true;
}

static bool make_what_is_taken(void)
{
        const struct qemu_driver *qemu = (struct qemu_driver *)driver;

        if (geteuid() != 0 || qemu->account->is_own) {
                check_skip("not root, or no user 'daemon': no file changes hands");
                return false;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(aliases); i++) {
                images[i] = below(i ? "one.img" : "zero.img");
                ck_assert(g_file_set_contents(images[i], "x", -1, NULL));
                ck_assert_int_eq(chmod(images[i], 0600), 0);
                ck_assert_int_eq(chown(images[i], OWNER, OWNER), 0);
                sockets[i] = make_socket(i ? "one.sock" : "zero.sock");
        }
        /* Somebody has put a file of his own there. */
        no_socket = below("file.sock");
        return g_file_set_contents(no_socket, "precious", -1, NULL);
}

START_TEST(a_device_that_goes_gives_back_its_own)
{
        uid_t guests;

        if (!make_what_is_taken())
                return;
        guests = ((struct qemu_driver *)driver)->account->uid;
        define(false);
        in_its_lane(run_work, NULL);
        in_its_lane(take_work, NULL);
        ck_assert_uint_eq(owner_of(images[0]), guests);
        in_its_lane(release_first_work, NULL);
        ck_assert_uint_eq(owner_of(images[0]), OWNER);
        ck_assert_uint_eq(owner_of(images[1]), guests);
        ck_assert(!is_there(sockets[0]) && is_there(sockets[1]));
        ck_assert(is_there(no_socket));
        in_its_lane(end_work, NULL);
        ck_assert_uint_eq(owner_of(images[1]), OWNER);
        ck_assert(!is_there(sockets[1]));
        ck_assert(!is_there(guest_dir));
        /* The definition is there yet, and keeps its own. */
        ck_assert(is_there(nvram) && is_there(tpm));
}
END_TEST

/* ---- what is noted before its emulator is asked ---- */

static const struct {
        const char *element;
        bool starts_over;
} reboots[] = {
        { "", true },
        { "<on_reboot>restart</on_reboot>", true },
        { "<on_reboot>destroy</on_reboot>", false },
};

static bool expect_reboot_work(struct managed *object, void *data, GError **error)
{
        ck_assert_int_eq(guest_of(domain)->status->fake_reboot, *(const bool *)data);
        return true;
}

/* A reboot whose definition calls it an end is a shutdown; a shutdown after one is none. */
START_TEST(a_reboot_is_what_the_definition_calls_it)
{
        bool starts_over = reboots[_i].starts_over, shuts_down = false;
        struct outcome rebooted = { false }, shut = { false };

        on_reboot = reboots[_i].element;
        define(false);
        in_its_lane(run_work, NULL);
        domain_reboot(domain, 0, on_done, &rebooted);
        g_free(await(&rebooted)); /* nobody is there who could do it */
        in_its_lane(expect_reboot_work, &starts_over);
        domain_shutdown(domain, 0, on_done, &shut);
        g_free(await(&shut));
        in_its_lane(expect_reboot_work, &shuts_down);
        in_its_lane(end_work, NULL);
}
END_TEST

/* ---- what its emulator says ---- */

/* Errors of a disk that a guest writes to all the time: no more than ten a second are told. */
enum { FLOOD = 300, IO_ERRORS_A_SECOND = 10 };

static unsigned told;

static void count_io_errors(const struct registry_change *change, void *data)
{
        if (change->event && change->event->id == DOMAIN_EVENT_IO_ERROR)
                told++;
}

static void say_io_error(const char *action)
{
        json_t *arguments = json_pack("{s:s, s:s}", "action", action, "node-name", "libvirt-1-format");

        monitor_event("BLOCK_IO_ERROR", arguments, 0, guest_of(domain));
        json_decref(arguments);
}

static bool flood_work(struct managed *object, void *data, GError **error)
{
        for (unsigned i = 0; i < FLOOD; i++)
                say_io_error("report");
        return true;
}

static bool stop_on_error_work(struct managed *object, void *data, GError **error)
{
        say_io_error("stop");
        return true;
}

START_TEST(a_flood_of_errors_is_cut)
{
        int64_t start = g_get_monotonic_time();
        unsigned seconds;

        define(false);
        registry_listen(domain_driver_get_registry(driver), count_io_errors, NULL);
        in_its_lane(run_work, NULL);
        in_its_lane(flood_work, NULL);
        seconds = (unsigned)((g_get_monotonic_time() - start) / G_USEC_PER_SEC);
        ck_assert_uint_ge(told, IO_ERRORS_A_SECOND);
        ck_assert_uint_le(told, (seconds + 1) * IO_ERRORS_A_SECOND);
        /* One that stops the guest is news in any case. */
        told = 0;
        in_its_lane(stop_on_error_work, NULL);
        ck_assert_uint_eq(told, 1);
        in_its_lane(end_work, NULL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-state");
        TCase *tcase = tcase_create("qemu-state");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, undefine_keeps_what_it_is_told_to, 0, G_N_ELEMENTS(undefines));
        tcase_add_loop_test(tcase, undefine_of_a_guest_waits_for_its_end, 0, G_N_ELEMENTS(undefines));
        tcase_add_test(tcase, a_device_that_goes_gives_back_its_own);
        tcase_add_loop_test(tcase, a_reboot_is_what_the_definition_calls_it, 0, G_N_ELEMENTS(reboots));
        tcase_add_test(tcase, a_flood_of_errors_is_cut);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
