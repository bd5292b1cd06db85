/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an emulator can do: the digest of its answers, broken emulators, the real one where it is installed,
 * and what is kept of it and for how long.
 */
#include "drivers/qemu/emulator.h"
#include "drivers/qemu/probe-cache.h"
#include "drivers/qemu/probe-schema.h"
#include "drivers/qemu/probe.h"
#include "drivers/qemu/qemu-caps.h"
#include "drivers/qemu/resolve.h"
#include "drivers/security/account.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/domain/definition.h"
#include "drivers/host/host.h"

#include <check.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QEMU "/usr/bin/qemu-system-x86_64"

/* What there is of an emulator's capabilities, in small. */
static const char document[] =
        "{'path': '/usr/bin/qemu-x', 'version': 7002022, 'arch': 'x86_64',"
        " 'machines': [{'name': 'none', 'cpu-max': 1},"
        "  {'name': 'pc-q35-7.2', 'alias': 'q35', 'cpu-max': 288, 'default-ram-id': 'pc.ram', "
        "'hotpluggable-cpus': true},"
        "  {'name': 'pc-i440fx-7.2', 'alias': 'pc', 'cpu-max': 255, 'is-default': true},"
        "  {'name': 'pc-i440fx-1.4', 'cpu-max': 255, 'deprecated': true}, {'name': 'isapc', 'cpu-max': 1}, "
        "{'name': 'microvm', 'cpu-max': 288}],"
        " 'types': ['virtio-blk-pci', 'rtl8139', 'qemu-xhci', 'VGA'], 'properties': "
        "['virtio-blk-pci.iothread'],"
        " 'commands': ['cont'], 'events': ['STOP'], 'arguments': ['netdev_add/type=user'],"
        " 'options': ['sandbox', 'spice', 'spice.gl'],"
        " 'cpus': {'tcg': {'models': [{'name': 'max'}, {'name': 'qemu64', 'unavailable-features': []},"
        "   {'name': 'qemu64-v1', 'unavailable-features': []}]},"
        "  'kvm': {'models': [{'name': 'host', 'unavailable-features': []},"
        "    {'name': 'Nehalem', 'unavailable-features': []}, {'name': 'Westmere', 'unavailable-features': "
        "['aes']},"
        "    {'name': 'Odd-vendor', 'deprecated': true}],"
        "   'host': {'vendor': 'GenuineIntel', 'family': 6, 'model': 26, 'features': ["
        "     'fpu', 'vme', 'de', 'pse', 'tsc', 'msr', 'pae', 'mce', 'cx8', 'apic', 'sep', 'mtrr', 'pge', "
        "'mca', 'cmov',"
        "     'pat', 'pse36', 'clflush', 'mmx', 'fxsr', 'sse', 'sse2', 'pni', 'ssse3', 'cx16', 'sse4.1', "
        "'sse4.2', 'popcnt',"
        "     'syscall', 'nx', 'invtsc', 'kvm-pv-eoi', 'lahf_lm']}}}}";

static const struct qemu_caps *make_caps_of(const char *document_text)
{
        g_autofree char *text = g_strdelimit(g_strdup(document_text), "'", '"');
        json_t *root = json_loads(text, 0, NULL);
        const struct qemu_caps *caps;

        ck_assert_ptr_nonnull(root);
        caps = qemu_caps_new(root, NULL);
        json_decref(root);
        ck_assert_ptr_nonnull(caps);
        return caps;
}

static const struct qemu_caps *make_caps(void)
{
        return make_caps_of(document);
}

START_TEST(machines)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = make_caps();
        unsigned count;

        qemu_caps_get_machines(caps, &count);
        ck_assert_uint_eq(count, 5);
        ck_assert_str_eq(qemu_caps_find_machine(caps, "q35")->name, "pc-q35-7.2");
        ck_assert_str_eq(qemu_caps_find_machine(caps, "pc-q35-7.2")->alias, "q35");
        ck_assert_str_eq(qemu_caps_find_machine(caps, NULL)->name, "pc-i440fx-7.2");
        ck_assert_str_eq(qemu_caps_find_machine(caps, "")->name, "pc-i440fx-7.2");
        ck_assert(qemu_caps_find_machine(caps, "pc-i440fx-1.4")->deprecated);
        ck_assert_uint_eq(qemu_caps_find_machine(caps, "q35")->max_cpus, 288);
        ck_assert_ptr_null(qemu_caps_find_machine(caps, "none"));
        ck_assert_ptr_null(qemu_caps_find_machine(caps, "virt"));
}
END_TEST

START_TEST(cpus)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = make_caps();
        const struct qemu_host_model *host = qemu_caps_get_host_model(caps, QEMU_ACCEL_KVM);
        unsigned count;

        qemu_caps_get_cpu_models(caps, QEMU_ACCEL_TCG, &count);
        ck_assert_uint_eq(count, 1);
        ck_assert(qemu_caps_has_cpu(caps, "qemu64-v1"));
        ck_assert(qemu_caps_has_cpu(caps, "max"));
        ck_assert(!qemu_caps_has_cpu(caps, "Haswell"));
        ck_assert(qemu_caps_find_cpu_model(caps, QEMU_ACCEL_KVM, "Nehalem")->usable);
        ck_assert(!qemu_caps_find_cpu_model(caps, QEMU_ACCEL_KVM, "Westmere")->usable);
        ck_assert_str_eq(qemu_caps_find_cpu_model(caps, QEMU_ACCEL_KVM, "Westmere")->blockers[0], "aes");
        ck_assert(!qemu_caps_find_cpu_model(caps, QEMU_ACCEL_KVM, "Odd-vendor")->has_usability);
        /* lm is missing on top of Nehalem, invtsc is more; what is no feature of a CPU is left out. */
        ck_assert_str_eq(host->model, "Nehalem");
        ck_assert_str_eq(host->vendor, "Intel");
        ck_assert_uint_eq(host->n_features, 2);
        ck_assert_str_eq(host->features[0].name, "invtsc");
        ck_assert(host->features[0].enabled);
        ck_assert_str_eq(host->features[1].name, "lm");
        ck_assert(!host->features[1].enabled);
        ck_assert_ptr_null(qemu_caps_get_host_model(caps, QEMU_ACCEL_TCG)->model);
}
END_TEST

static bool names(const struct qemu_host_model *host, const char *feature)
{
        for (unsigned i = 0; i < host->n_features; i++) {
                if (strcmp(host->features[i].name, feature) == 0)
                        return true;
        }
        return false;
}

/* What KVM shows of Intel's registers on other makes keeps QEMU from starting. */
START_TEST(registers_of_another_make)
{
        const char *const vendors[] = { "AuthenticAMD", "GenuineIntel" };

        for (unsigned i = 0; i < G_N_ELEMENTS(vendors); i++) {
                g_autoptr(GString) text = g_string_new(document);
                CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = NULL;
                const struct qemu_host_model *host;

                g_string_replace(text, "GenuineIntel", vendors[i], 0);
                g_string_replace(text, "'Nehalem'", i == 0 ? "'Opteron_G1'" : "'Nehalem'", 0);
                g_string_replace(text, "'nx',", "'nx', 'arch-capabilities', 'mds-no',", 0);
                caps = make_caps_of(text->str);
                host = qemu_caps_get_host_model(caps, QEMU_ACCEL_KVM);
                ck_assert_str_eq(host->model, i == 0 ? "Opteron_G1" : "Nehalem");
                ck_assert(names(host, "invtsc"));
                ck_assert_int_eq(names(host, "arch-capabilities"), i == 1);
                ck_assert_int_eq(names(host, "mds-no"), i == 1);
        }
}
END_TEST

START_TEST(sets)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = make_caps();

        ck_assert(qemu_caps_has_type(caps, "virtio-blk-pci"));
        ck_assert(!qemu_caps_has_type(caps, "cont"));
        ck_assert(qemu_caps_has_property(caps, "virtio-blk-pci", "iothread"));
        ck_assert(!qemu_caps_has_property(caps, "virtio-blk-pci", "x"));
        ck_assert(qemu_caps_has_command(caps, "cont"));
        ck_assert(qemu_caps_has_event(caps, "STOP"));
        ck_assert(!qemu_caps_has_event(caps, "cont"));
        ck_assert(qemu_caps_has_argument(caps, "netdev_add/type=user"));
        ck_assert(qemu_caps_has_option(caps, "spice", NULL));
        ck_assert(qemu_caps_has_option(caps, "spice", "gl"));
        ck_assert(!qemu_caps_has_option(caps, "sandbox", "gl"));
}
END_TEST

/* A file that another program wrote. */
START_TEST(bad_documents)
{
        static const char *const texts[] = {
                "{}",
                "[]",
                "{\"path\": 1, \"arch\": \"x86_64\", \"version\": 7, \"machines\": [{\"name\": \"pc\"}]}",
                "{\"path\": \"/x\", \"arch\": \"x86_64\", \"version\": \"7\", \"machines\": [{\"name\": "
                "\"pc\"}]}",
                "{\"path\": \"/x\", \"arch\": \"x86_64\", \"version\": 7, \"machines\": [1, {\"name\": 2}],"
                " \"cpus\": {\"tcg\": {}}}",
                "{\"path\": \"/x\", \"arch\": \"x86_64\", \"version\": 7, \"machines\": [{\"name\": \"pc\"}],"
                " \"cpus\": {\"tcg\": 3}, \"types\": [1, null]}",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
                json_t *root = json_loads(texts[i], 0, NULL);
                g_autoptr(GError) error = NULL;

                ck_assert_ptr_nonnull(root);
                ck_assert_ptr_null(qemu_caps_new(root, &error));
                ck_assert(error_is(error, ERROR_INTERNAL_ERROR));
                json_decref(root);
        }
}
END_TEST

static bool contains(const json_t *list, const char *text)
{
        for (size_t i = 0; i < json_array_size(list); i++) {
                if (g_strcmp0(json_string_value(json_array_get(list, i)), text) == 0)
                        return true;
        }
        return false;
}

START_TEST(schema)
{
        static const char *const commands[] = { "chardev-add", "gone", NULL };
        json_t *root = json_loads(
                "[{\"name\": \"chardev-add\", \"meta-type\": \"command\", \"arg-type\": \"1\"},"
                " {\"name\": \"STOP\", \"meta-type\": \"event\", \"arg-type\": \"9\"},"
                " {\"name\": \"1\", \"meta-type\": \"object\", \"members\":"
                "   [{\"name\": \"id\", \"type\": \"str\"}, {\"name\": \"backend\", \"type\": \"2\"}]},"
                " {\"name\": \"str\", \"meta-type\": \"builtin\"},"
                " {\"name\": \"2\", \"meta-type\": \"object\", \"members\": [{\"name\": \"type\", \"type\": "
                "\"3\"}],"
                "   \"tag\": \"type\", \"variants\": [{\"case\": \"pty\", \"type\": \"4\"}]},"
                " {\"name\": \"3\", \"meta-type\": \"enum\", \"values\": [\"pty\", \"null\"]},"
                " {\"name\": \"4\", \"meta-type\": \"object\", \"members\": [{\"name\": \"self\", \"type\": "
                "\"2\"}]}]",
                0, NULL);
        json_t *events = probe_schema_names(root, "event");
        json_t *paths = probe_schema_arguments(root, commands);

        ck_assert_uint_eq(json_array_size(events), 1);
        ck_assert(contains(events, "STOP"));
        ck_assert(contains(paths, "chardev-add/id"));
        ck_assert(contains(paths, "chardev-add/backend.type=null"));
        ck_assert(contains(paths, "chardev-add/backend.pty.self"));
        /* A type that contains itself is not followed for ever. */
        ck_assert_uint_lt(json_array_size(paths), 20);
        json_decref(root);
        json_decref(events);
        json_decref(paths);
}
END_TEST

START_TEST(check_requests)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = make_caps();
        static const struct {
                struct resolve_request request;
                const char *part; /* of the error; NULL: none */
        } cases[] = {
                { { NULL, NULL, NULL, NULL }, NULL },
                { { NULL, "x86_64", "q35", "kvm" }, NULL },
                { { NULL, "i686", "pc", "qemu" }, NULL },
                { { NULL, "aarch64", NULL, NULL },
                  "'/usr/bin/qemu-x' does not emulate architecture 'aarch64'" },
                { { NULL, "z80", NULL, NULL }, "no architecture 'z80'" },
                { { NULL, NULL, "virt", NULL }, "'/usr/bin/qemu-x' has no machine type 'virt'" },
                { { NULL, NULL, NULL, "xen" }, "does not run domains of type 'xen'" },
                { { NULL, NULL, NULL, "foo" }, "no domain type 'foo'" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GError) error = NULL;
                struct resolve_result result;
                bool ok = resolve_check(caps, &cases[i].request, &result, &error);

                ck_assert_int_eq(ok, !cases[i].part);
                if (ok)
                        continue;
                ck_assert(error_is(error, ERROR_INVALID_ARG));
                ck_assert_msg(strstr(error->message, cases[i].part), "%s", error->message);
        }
}
END_TEST

START_TEST(describe)
{
        CLEANUP(qemu_caps_unref) const struct qemu_caps *caps = make_caps();
        struct resolve_request request = { .machine = "q35" };
        struct resolve_result result;
        struct domain_machine machine;

        ck_assert(resolve_check(caps, &request, &result, NULL));
        resolve_describe(&result, &machine);
        ck_assert_str_eq(machine.type, "kvm");
        ck_assert_str_eq(machine.machine, "pc-q35-7.2");
        ck_assert_str_eq(machine.emulator, "/usr/bin/qemu-x");
        ck_assert(machine.pcie_root && !machine.pci_root && machine.isa && machine.ps2 && machine.acpi);
        ck_assert_str_eq(machine.usb_model, "qemu-xhci");
        ck_assert_str_eq(machine.net_model, "rtl8139");
        ck_assert_str_eq(machine.video_model, "vga");
        request.machine = "isapc";
        ck_assert(resolve_check(caps, &request, &result, NULL));
        resolve_describe(&result, &machine);
        ck_assert(!machine.pcie_root && !machine.pci_root && machine.isa && !machine.acpi);
        ck_assert_ptr_null(machine.usb_model);
        request.machine = "microvm";
        ck_assert(resolve_check(caps, &request, &result, NULL));
        resolve_describe(&result, &machine);
        ck_assert(!machine.isa && machine.acpi);
}
END_TEST

START_TEST(architectures)
{
        ck_assert_str_eq(emulator_find_arch("i686")->target, "i386");
        ck_assert_uint_eq(emulator_find_arch("i686")->wordsize, 32);
        ck_assert_ptr_null(emulator_find_arch("i386"));
        ck_assert(emulator_can_run("x86_64", "i686"));
        ck_assert(!emulator_can_run("i686", "x86_64"));
        ck_assert_ptr_null(emulator_find("z80", "x86_64"));
}
END_TEST

/* ---- with emulators that run ---- */

struct fixture {
        struct loop *loop;
        struct pool *pool;
        struct lane *lane;
        const struct account *account;
        struct probe_cache *cache;
        char *dir;
        char *emulator; /* a script */
        const struct qemu_caps *caps;
        GError *error;
        unsigned answers;
};

static struct fixture fixture;

static void setup(void)
{
        fixture = (struct fixture){ 0 };
        fixture.loop = loop_new(NULL);
        fixture.pool = pool_new(2, NULL);
        fixture.lane = lane_new(fixture.pool, fixture.loop, "test");
        fixture.account = account_new(NULL, NULL, NULL);
        fixture.dir = g_dir_make_tmp("test-qemu-caps-XXXXXX", NULL);
        fixture.emulator = g_build_filename(fixture.dir, "emulator", NULL);
        fixture.cache = probe_cache_new(fixture.loop, fixture.pool, fixture.dir, fixture.account);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        return remove(path);
}

static void teardown(void)
{
        probe_cache_free(fixture.cache);
        qemu_caps_unref(fixture.caps);
        g_clear_error(&fixture.error);
        lane_unref(fixture.lane);
        pool_free(fixture.pool);
        while (loop_step(fixture.loop, false))
                continue;
        loop_free(fixture.loop);
        account_unref(fixture.account);
        nftw(fixture.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(fixture.dir);
        g_free(fixture.emulator);
}

/* An emulator that is a shell script. */
static void write_emulator(const char *commands)
{
        g_autofree char *text = g_strdup_printf("#!/bin/bash\n%s\n", commands);

        ck_assert(g_file_set_contents(fixture.emulator, text, -1, NULL));
        ck_assert_int_eq(chmod(fixture.emulator, 0755), 0);
}

/* The real one, behind a script that counts how often it runs. */
static void write_counting_emulator(void)
{
        g_autofree char *commands = g_strdup_printf("echo >> %s/count\nexec " QEMU " \"$@\"", fixture.dir);

        write_emulator(commands);
}

static unsigned count_runs(void)
{
        g_autofree char *path = g_build_filename(fixture.dir, "count", NULL);
        g_autofree char *text = NULL;
        gsize length = 0;

        return g_file_get_contents(path, &text, &length, NULL) ? (unsigned)length : 0;
}

static void quit(void *data)
{
        loop_quit(fixture.loop);
}

static void probe(void *data)
{
        json_t *root = probe_run(fixture.lane, data, fixture.account, &fixture.error);

        if (root)
                fixture.caps = qemu_caps_new(root, &fixture.error);
        json_decref(root);
        loop_post(fixture.loop, quit, NULL);
}

static void run_probe(const char *path)
{
        lane_post(fixture.lane, probe, (void *)path);
        loop_run(fixture.loop);
}

static void expect_failure(enum error_code code, const char *part)
{
        ck_assert_ptr_null(fixture.caps);
        ck_assert_ptr_nonnull(fixture.error);
        ck_assert_msg(strstr(fixture.error->message, part), "%s", fixture.error->message);
        ck_assert_msg(strstr(fixture.error->message, fixture.emulator) ||
                              strstr(fixture.error->message, "/no/where"),
                      "%s", fixture.error->message);
        ck_assert_msg(error_is(fixture.error, code), "%s", fixture.error->message);
}

START_TEST(ends_at_once)
{
        write_emulator("echo 'the library libfoo.so is missing' >&2; exit 1");
        run_probe(fixture.emulator);
        expect_failure(ERROR_OPERATION_FAILED, "the library libfoo.so is missing");
}
END_TEST

START_TEST(ends_silently)
{
        write_emulator("exit 0");
        run_probe(fixture.emulator);
        expect_failure(ERROR_OPERATION_FAILED, "closed");
}
END_TEST

START_TEST(says_nonsense)
{
        /* The monitor's descriptor is in the -chardev option. */
        write_emulator("for a; do case $a in socket*) eval \"echo hello >&${a##*=}\";; esac; done; sleep 60");
        run_probe(fixture.emulator);
        expect_failure(ERROR_INTERNAL_ERROR, "");
}
END_TEST

START_TEST(is_no_program)
{
        run_probe("/no/where");
        expect_failure(ERROR_INVALID_ARG, "No such file");
        g_clear_error(&fixture.error);
        ck_assert(g_file_set_contents(fixture.emulator, "x", -1, NULL));
        chmod(fixture.emulator, 0644);
        run_probe(fixture.emulator);
        expect_failure(ERROR_INVALID_ARG, "not an executable");
        g_clear_error(&fixture.error);
        chmod(fixture.emulator, 0755);
        run_probe(fixture.emulator);
        expect_failure(ERROR_SYSTEM_ERROR, "");
}
END_TEST

static void interrupt(void *data)
{
}

/* An emulator that says nothing holds nobody up who gives up on it, and does not live on. */
START_TEST(hangs)
{
        g_autofree char *commands = g_strdup_printf("echo $$ > %s/pid; exec sleep 600", fixture.dir);
        g_autofree char *path = g_build_filename(fixture.dir, "pid", NULL);
        g_autofree char *text = NULL;

        write_emulator(commands);
        lane_post(fixture.lane, probe, fixture.emulator);
        while (!g_file_get_contents(path, &text, NULL, NULL) || !strchr(text, '\n'))
                g_clear_pointer(&text, g_free);
        lane_post_urgent(fixture.lane, interrupt, NULL);
        loop_run(fixture.loop);
        expect_failure(ERROR_OPERATION_ABORTED, "");
        ck_assert_int_eq(kill((pid_t)atoi(text), 0), -1);
}
END_TEST

/* One that gets nowhere is given up after a while. */
START_TEST(gets_nowhere)
{
        write_emulator("exec sleep 600");
        run_probe(fixture.emulator);
        expect_failure(ERROR_OPERATION_TIMEOUT, "");
}
END_TEST

/* On a host with much to do it takes long to answer, and is waited for as long as it gets on. */
START_TEST(is_slow)
{
        unsigned s = PROBE_STILL_MS / 1000 + 2;
        g_autofree char *commands =
                g_strdup_printf("while [ $SECONDS -lt %u ]; do :; done; exec " QEMU " \"$@\"", s);

        write_emulator(commands);
        run_probe(fixture.emulator);
        ck_assert_msg(fixture.caps != NULL, "%s", fixture.error ? fixture.error->message : "");
}
END_TEST

START_TEST(real)
{
        unsigned count;

        run_probe(QEMU);
        ck_assert_msg(fixture.caps, "%s", fixture.error ? fixture.error->message : "");
        ck_assert_uint_ge(qemu_caps_get_version(fixture.caps), 6000000);
        ck_assert_str_eq(qemu_caps_get_arch(fixture.caps), "x86_64");
        ck_assert_ptr_nonnull(qemu_caps_find_machine(fixture.caps, "q35"));
        ck_assert(qemu_caps_has_accel(fixture.caps, QEMU_ACCEL_TCG));
        ck_assert(qemu_caps_find_cpu_model(fixture.caps, QEMU_ACCEL_TCG, "qemu64")->has_usability);
        ck_assert(qemu_caps_has_type(fixture.caps, "virtio-blk-pci"));
        ck_assert(qemu_caps_has_property(fixture.caps, "virtio-blk-pci", "num-queues"));
        ck_assert(qemu_caps_has_property(fixture.caps, "memory-backend-file", "pmem"));
        ck_assert(qemu_caps_has_command(fixture.caps, "blockdev-add"));
        ck_assert(qemu_caps_has_event(fixture.caps, "SHUTDOWN"));
        ck_assert(qemu_caps_has_argument(fixture.caps, "netdev_add/type=user"));
        ck_assert(qemu_caps_has_argument(fixture.caps, "chardev-add/backend.type=socket"));
        ck_assert(qemu_caps_has_argument(fixture.caps, "blockdev-add/discard"));
        ck_assert(qemu_caps_has_option(fixture.caps, "name", "debug-threads"));
        ck_assert_ptr_nonnull(qemu_caps_get_host_model(fixture.caps, QEMU_ACCEL_TCG)->model);
        qemu_caps_get_cpu_models(fixture.caps, QEMU_ACCEL_TCG, &count);
        ck_assert_uint_gt(count, 30);
}
END_TEST

static void answered(const struct qemu_caps *caps, const GError *error, void *data)
{
        ck_assert_msg(caps, "%s", error ? error->message : "");
        fixture.answers++;
}

static void ask(unsigned times)
{
        fixture.answers = 0;
        for (unsigned i = 0; i < times; i++)
                probe_cache_ask(fixture.cache, fixture.emulator, answered, NULL);
        while (fixture.answers < times)
                loop_step(fixture.loop, true);
        ck_assert_uint_eq(fixture.answers, times);
}

static void restart_cache(void)
{
        probe_cache_free(fixture.cache);
        fixture.cache = probe_cache_new(fixture.loop, fixture.pool, fixture.dir, fixture.account);
}

static char *find_file(void)
{
        g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, fixture.emulator, -1);
        g_autofree char *name = g_strconcat(sum, ".json", NULL);

        return g_build_filename(fixture.dir, name, NULL);
}

/* Three who ask at once wait for one probe; memory and disk keep the answer until the binary changes. */
START_TEST(cached)
{
        g_autofree char *file = NULL;
        unsigned runs;

        write_counting_emulator();
        ask(3);
        runs = count_runs();
        ck_assert_uint_ge(runs, 1);
        ck_assert_uint_le(runs, 2);
        ask(1);
        restart_cache();
        ask(1);
        ck_assert_uint_eq(count_runs(), runs);
        /* A file that is torn, or somebody else's. */
        file = find_file();
        ck_assert(g_file_set_contents(file, "{\"stamp\": ", -1, NULL));
        restart_cache();
        ask(1);
        ck_assert_uint_eq(count_runs(), 2 * runs);
        write_counting_emulator();
        ask(1);
        ck_assert_uint_eq(count_runs(), 3 * runs);
}
END_TEST

static void all_answered(const GPtrArray *caps, void *data)
{
        ck_assert_uint_eq(caps->len, 1);
        ck_assert_str_eq(qemu_caps_get_path(g_ptr_array_index(caps, 0)), QEMU);
        loop_quit(fixture.loop);
}

START_TEST(several)
{
        const char *paths[] = { "/no/where", QEMU, NULL };

        probe_cache_ask_all(fixture.cache, paths, all_answered, NULL);
        loop_run(fixture.loop);
}
END_TEST

static void aborted(const struct qemu_caps *caps, const GError *error, void *data)
{
        ck_assert(error_is(error, ERROR_OPERATION_ABORTED));
        fixture.answers++;
}

/* The end of the agent does not wait for an emulator that hangs. */
START_TEST(freed_meanwhile)
{
        write_emulator("exec sleep 600");
        probe_cache_ask(fixture.cache, fixture.emulator, aborted, NULL);
        g_clear_pointer(&fixture.cache, probe_cache_free);
        ck_assert_uint_eq(fixture.answers, 1);
}
END_TEST

static void resolved(const struct resolve_result *result, const GError *error, void *data)
{
        const char *part = data;

        if (part) {
                ck_assert_ptr_null(result);
                ck_assert_msg(strstr(error->message, part), "%s", error->message);
        } else {
                ck_assert_msg(result, "%s", error ? error->message : "");
                ck_assert_str_eq(result->machine->alias, "q35");
                ck_assert_str_eq(result->type, "qemu");
        }
        fixture.answers++;
}

START_TEST(resolve)
{
        CLEANUP(host_unref) const struct host *host = host_new_real();
        struct resolve_request good = { .emulator = QEMU, .machine = "q35", .type = "qemu" };
        struct resolve_request no_arch = { .arch = "z80" };
        struct resolve_request no_emulator = { .emulator = "/no/where" };

        resolve_run(fixture.cache, host, &no_arch, resolved, (void *)"z80");
        ck_assert_uint_eq(fixture.answers, 1);
        resolve_run(fixture.cache, host, &no_emulator, resolved, (void *)"/no/where");
        resolve_run(fixture.cache, host, &good, resolved, NULL);
        while (fixture.answers < 3)
                loop_step(fixture.loop, true);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-caps");
        TCase *values = tcase_create("values");
        TCase *scripts = tcase_create("broken emulators");
        TCase *emulators = tcase_create("the real emulator");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_test(values, machines);
        tcase_add_test(values, cpus);
        tcase_add_test(values, registers_of_another_make);
        tcase_add_test(values, sets);
        tcase_add_test(values, bad_documents);
        tcase_add_test(values, schema);
        tcase_add_test(values, check_requests);
        tcase_add_test(values, describe);
        tcase_add_test(values, architectures);
        tcase_add_checked_fixture(scripts, setup, teardown);
        tcase_set_timeout(scripts, 30);
        tcase_add_test(scripts, ends_at_once);
        tcase_add_test(scripts, ends_silently);
        tcase_add_test(scripts, says_nonsense);
        tcase_add_test(scripts, is_no_program);
        tcase_add_test(scripts, hangs);
        tcase_add_test(scripts, gets_nowhere);
        tcase_add_test(scripts, freed_meanwhile);
        tcase_add_checked_fixture(emulators, setup, teardown);
        tcase_set_timeout(emulators, 60);
        tcase_add_test(emulators, is_slow);
        tcase_add_test(emulators, real);
        tcase_add_test(emulators, cached);
        tcase_add_test(emulators, several);
        tcase_add_test(emulators, resolve);
        suite_add_tcase(suite, values);
        suite_add_tcase(suite, scripts);
        if (access(QEMU, X_OK) == 0)
                suite_add_tcase(suite, emulators);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
