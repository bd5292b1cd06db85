/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/qemu-fixture.h"

#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/domain/live-xml.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/probe.h"
#include "drivers/qemu/resolve.h"
#include "drivers/security/account.h"
#include "tests/support/harness.h"
#include "tests/support/network.h"
#include "tests/unit/check-main.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture fixture;

static struct {
        struct loop *loop;
        struct lane *lane;
        const char *emulator;
} probing;

/* ---- around each test ---- */

static void quit(void *data)
{
        loop_quit(probing.loop);
}

static void probe(void *data)
{
        CLEANUP(account_unref) const struct account *account = account_new(NULL, NULL, NULL);
        json_t *document = probe_run(probing.lane, probing.emulator, account, NULL);

        if (document)
                fixture.caps = qemu_caps_new(document, NULL);
        json_decref(document);
        loop_post(probing.loop, quit, NULL);
}

static unsigned count_threads(void)
{
        g_autoptr(GDir) dir = g_dir_open("/proc/self/task", 0, NULL);
        unsigned count = 0;

        while (g_dir_read_name(dir))
                count++;
        return count;
}

/* A worker of a pool that is no more has still to go, and whoever forks before would have half of it. */
static bool workers_are_gone(void *threads)
{
        return count_threads() <= *(const unsigned *)threads;
}

bool fixture_use(const char *emulator)
{
        unsigned threads = count_threads();
        struct pool *pool;

        g_clear_pointer(&fixture.caps, qemu_caps_unref);
        if (access(emulator, X_OK) < 0)
                return false;
        probing.emulator = emulator;
        pool = pool_new(1, NULL);
        probing.loop = loop_new(NULL);
        probing.lane = lane_new(pool, probing.loop, "test");
        lane_post(probing.lane, probe, NULL);
        loop_run(probing.loop);
        lane_unref(probing.lane);
        pool_free(pool);
        loop_free(probing.loop);
        harness_wait_until(workers_are_gone, &threads, "the pool's workers are gone");
        ck_assert_ptr_nonnull(fixture.caps);
        return true;
}

void fixture_set_up(void)
{
        /* QEMU looks up addresses, numbers, too, as a host with a network does. */
        network_leave();
        fixture.dir = g_dir_make_tmp("qemu-cmd-XXXXXX", NULL);
        if (!fixture.caps)
                fixture_use(QEMU);
}

void fixture_probe(void)
{
        fixture_use(QEMU);
}

void fixture_forget(void)
{
        g_clear_pointer(&fixture.caps, qemu_caps_unref);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
        return remove(path);
}

void fixture_tear_down(void)
{
        fixture_forget();
        nftw(fixture.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(fixture.dir);
}

bool fixture_has_qemu(void)
{
        if (!fixture.caps)
                check_skip("needs " QEMU);
        return fixture.caps != NULL;
}

/* ---- documents ---- */

static void replace(GString *text, const char *what, const char *by)
{
        g_string_replace(text, what, by, 0);
}

/* A TCP port that was free a moment ago. */
static void replace_port(GString *text, const char *what)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof(address);
        CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_autofree char *number = NULL;

        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
        number = g_strdup_printf("%u", ntohs(address.sin_port));
        replace(text, what, number);
}

GString *fixture_read_document(const char *name)
{
        bool kvm = qemu_caps_has_accel(fixture.caps, QEMU_ACCEL_KVM);
        g_autofree char *path = g_build_filename(TEST_DATA_DIR, name, NULL), *contents = NULL;
        GString *text;

        ck_assert_msg(g_file_get_contents(path, &contents, NULL, NULL), "%s", path);
        text = g_string_new(contents);
        replace(text, "@TYPE@", kvm ? "kvm" : "qemu");
        replace(text, "@CPU@",
                kvm ? "<cpu mode='host-passthrough'>"
                      /* nested hosts that show it do not let it be set */
                      "<feature policy='disable' name='arch-capabilities'/></cpu>"
                    : "<cpu mode='maximum'/>");
        replace(text, "@DIR@", fixture.dir);
        replace_port(text, "@PORT@");
        replace_port(text, "@PORT2@");
        return text;
}

void fixture_resolve(const struct domain_doc *doc, struct domain_machine *machine)
{
        const struct resolve_request request = {
                .emulator = domain_doc_get_emulator(doc),
                .arch = domain_doc_get_arch(doc),
                .machine = domain_doc_get_machine(doc),
                .type = domain_doc_get_type(doc),
        };
        struct resolve_result result;
        g_autoptr(GError) error = NULL;

        ck_assert_msg(resolve_check(fixture.caps, &request, &result, &error), "%s",
                      error ? error->message : "");
        resolve_describe(&result, machine);
}

/* As start does it: normalised for this emulator and with aliases. */
struct domain_def *fixture_parse(const char *text)
{
        g_autoptr(GError) error = NULL;
        struct domain_doc *doc = domain_doc_parse(text, &error);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        struct domain_def *live;
        struct domain_machine machine = { 0 };

        ck_assert_msg(doc != NULL, "%s", error ? error->message : "");
        fixture_resolve(doc, &machine);
        def = domain_doc_finish(doc, &machine, &error);
        ck_assert_msg(def != NULL, "%s", error ? error->message : "");
        live = domain_def_activate(def, 1, &error);
        ck_assert_msg(live != NULL, "%s", error ? error->message : "");
        return live;
}

/* ---- what start prepares ---- */

static void make_image(const char *name, long size)
{
        g_autofree char *path = g_build_filename(fixture.dir, name, NULL);
        CLEANUP_FD int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, size), 0);
}

static void make_overlay(const char *name, const char *base, const char *base_format)
{
        char *argv[] = { (char *)"qemu-img",  (char *)"create", (char *)"-q", (char *)"-f",
                         (char *)"qcow2",     (char *)"-b",     (char *)base, (char *)"-F",
                         (char *)base_format, (char *)name,     NULL };
        int status = -1;

        ck_assert(g_spawn_sync(fixture.dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                               NULL));
        ck_assert_int_eq(status, 0);
}

/* One whose data are in another file. */
static void make_apart(const char *name, const char *data)
{
        g_autofree char *option = g_strconcat("data_file=", data, NULL);
        char *argv[] = { (char *)"qemu-img", (char *)"create", (char *)"-q", (char *)"-f", (char *)"qcow2",
                         (char *)"-o",       option,           (char *)name, (char *)"1M", NULL };
        int status = -1;

        ck_assert(g_spawn_sync(fixture.dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                               NULL));
        ck_assert_int_eq(status, 0);
}

void fixture_make_images(void)
{
        static const char *const raw[] = { "a.raw", "b.raw", "c.raw", "d.raw",    "e.raw",
                                           "f.raw", "g.raw", "h.raw", "base.raw", "sliced.raw" };

        for (unsigned i = 0; i < G_N_ELEMENTS(raw); i++)
                make_image(raw[i], 1024 * 1024);
        make_image("floppy.raw", 1440 * 1024);
        make_image("nv.raw", 16 * 1024 * 1024);
        make_image("pm.raw", 16 * 1024 * 1024);
        make_image("code.fd", 1024 * 1024);
        make_image("va,rs.fd", 128 * 1024);
        make_overlay("middle.qcow2", "base.raw", "raw");
        make_overlay("top,1.qcow2", "middle.qcow2", "qcow2");
        make_overlay("cached.qcow2", "base.raw", "raw");
        make_overlay("other.qcow2", "base.raw", "raw");
        make_apart("apart.qcow2", "data.raw");
}

/* Chains of all disks; the TPMs get a socket that nobody answers at. */
GHashTable *fixture_prepare(const struct domain_def *def)
{
        GHashTable *resources =
                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)device_resources_free);
        unsigned index = 1;

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];
                struct block_image *driven = block_image_new_driven(&disk->source);
                struct device_resources *of_disk;
                g_autoptr(GError) error = NULL;

                if (!disk->source.path && !driven)
                        continue;
                of_disk = device_resources_new();
                if (driven) {
                        driven->index = index++;
                        of_disk->chain = g_ptr_array_new_with_free_func((GDestroyNotify)block_image_free);
                        g_ptr_array_add(of_disk->chain, driven);
                        g_hash_table_insert(resources, (char *)disk->info.alias, of_disk);
                        continue;
                }
                of_disk->chain = block_chain_resolve(disk->target, &disk->source, &index, &error);
                ck_assert_msg(of_disk->chain != NULL, "%s", error ? error->message : "");
                g_hash_table_insert(resources, (char *)disk->info.alias, of_disk);
        }
        return resources;
}

struct qemu_command *fixture_build(const struct domain_def *def, GHashTable *resources, int monitor_fd,
                                   GError **error)
{
        struct qemu_command_context context = {
                .monitor_fd = monitor_fd,
                .home = fixture.dir,
                .resources = resources,
                .tls_dir = "/pki",
                .now_s = 1700000000,
        };

        return qemu_command_build(def, fixture.caps, &context, error);
}

struct device_resources *fixture_add_resources(GHashTable *resources, const char *alias)
{
        struct device_resources *added = device_resources_new();

        g_hash_table_insert(resources, (char *)alias, added);
        return added;
}

bool fixture_has_argument(const struct qemu_command *command, const char *option, const char *start)
{
        for (unsigned i = 0; command->argv->pdata[i + 1]; i++) {
                if (strcmp(command->argv->pdata[i], option) == 0 &&
                    g_str_has_prefix(command->argv->pdata[i + 1], start))
                        return true;
        }
        return false;
}
