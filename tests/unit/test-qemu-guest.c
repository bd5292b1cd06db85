/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests of the QEMU driver, run by a real QEMU without an operating system: start, events, end.
 */
#include "drivers/qemu/driver.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/registry.h"
#include "drivers/cgroup/cgroup-private.h"
#include "drivers/domain/domain.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/host/host.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/resources.h"
#include "drivers/qemu/tune.h"
#include "tests/unit/guest-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(a_guest_lives_and_is_destroyed)
{
        g_autofree char *xml = make_xml("web", "<devices><serial type='pty'/></devices>");
        struct domain *domain;
        const struct domain_state *state;
        uint64_t start_time;
        char process_state;
        pid_t pid;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        wait_for_events("2/0,");
        state = domain_get_published(domain);
        ck_assert_int_eq(state->state, DOMAIN_RUNNING);
        ck_assert_int_eq(state->reason, DOMAIN_RUNNING_BOOTED);
        ck_assert_int_gt(state->id, 0);
        pid = state->pid;
        ck_assert(process_read_stat(pid, &start_time, &process_state));
        ck_assert_int_eq(getsid(pid), pid);
        ck_assert_ptr_nonnull(strstr(state->base.active->xml, "<source path='/dev/pts/"));
        ck_assert(!is_gone("run/qemu/" UUID "/status.xml"));
        ck_assert(!is_gone("log/qemu/web.log"));
        destroy(domain);
        wait_for_events("5/1,");
        ck_assert(!process_read_stat(pid, &start_time, &process_state));
        ck_assert(is_gone("run/qemu/" UUID));
        ck_assert_ptr_null(domain_lookup_name(driver, "web", NULL));
}
END_TEST

START_TEST(pause_resume_reset)
{
        g_autofree char *xml = make_xml("web", "");
        struct result suspended = { 0 }, resumed = { 0 }, reset = { 0 };
        struct domain *domain;

        if (!has_qemu())
                return;
        domain = create(xml, DOMAIN_START_PAUSED);
        wait_for_events("2/0,3/0,");
        ck_assert_int_eq(domain_get_published(domain)->state, DOMAIN_PAUSED);
        domain_resume(domain, on_done, &resumed);
        domain_suspend(domain, on_done, &suspended);
        check(&resumed);
        check(&suspended);
        wait_for_events("4/0,3/0,");
        resumed = (struct result){ 0 };
        domain_resume(domain, on_done, &resumed);
        domain_reset(domain, 0, on_done, &reset);
        check(&resumed);
        check(&reset);
        wait_for_events("4/0,#1,");
        destroy(domain);
        wait_for_events("5/1,");
}
END_TEST

START_TEST(a_killed_emulator_is_a_failed_guest)
{
        g_autofree char *xml = make_xml("web", "");
        struct domain *domain;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        wait_for_events("2/0,");
        kill(domain_get_published(domain)->pid, SIGKILL);
        wait_for_events("5/5,");
        ck_assert(is_gone("run/qemu/" UUID));
}
END_TEST

START_TEST(a_terminated_emulator_shuts_down)
{
        g_autofree char *xml = make_xml("web", "");
        struct domain *domain;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        wait_for_events("2/0,");
        kill(domain_get_published(domain)->pid, SIGTERM);
        wait_for_events("6/2,5/0,");
}
END_TEST

START_TEST(a_stopped_emulator_is_destroyed_at_once)
{
        g_autofree char *xml = make_xml("web", "");
        struct result suspended = { 0 }, destroyed = { 0 };
        struct domain *domain;
        gint64 begin;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        kill(domain_get_published(domain)->pid, SIGSTOP);
        domain_suspend(domain, on_done, &suspended);
        loop_step(loop, false);
        begin = g_get_monotonic_time();
        domain_destroy(domain, 0, on_done, &destroyed);
        check(&destroyed);
        ck_assert_int_lt(g_get_monotonic_time() - begin, 1000000);
        wait_for(&suspended.done);
        /* Interrupted, or overtaken. */
        ck_assert(error_is(suspended.error, ERROR_OPERATION_ABORTED) ||
                  error_is(suspended.error, ERROR_OPERATION_INVALID) ||
                  error_is(suspended.error, ERROR_NO_DOMAIN));
        g_error_free(suspended.error);
}
END_TEST

START_TEST(a_failing_emulator_says_why)
{
        g_autofree char *xml =
                make_xml("web", "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
                                "<qemu:arg value='-device'/><qemu:arg value='nonsense'/></qemu:commandline>");
        g_autoptr(GError) error = NULL;

        if (!has_qemu())
                return;
        error = fail_to_create(xml);
        ck_assert_msg(strstr(error->message, "domain 'web'") && strstr(error->message, "nonsense"), "%s",
                      error->message);
        ck_assert(is_gone("run/qemu/" UUID));
        ck_assert_str_eq(events->str, "");
        ck_assert_ptr_null(domain_lookup_name(driver, "web", NULL));
}
END_TEST

static const char *const impossible[][2] = {
        { "<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source "
          "file='/nonexistent/a.img'/>"
          "<target dev='vda' bus='virtio'/></disk></devices>",
          "/nonexistent/a.img" },
        { "<on_crash>rename-restart</on_crash>", "<on_crash>rename-restart</on_crash>" },
        { "<on_poweroff>rename-restart</on_poweroff>", "rename-restart" },
        { "<devices><interface type='bridge'><source bridge='nobridge0'/></interface></devices>",
          "nobridge0" },
        { "<devices><emulator>/nonexistent/qemu</emulator></devices>", "/nonexistent/qemu" },
        { "<seclabel type='static' model='selinux'><label>a:b:c</label></seclabel>", "selinux" },
        { "<devices><tpm model='tpm-crb'><backend type='emulator'><profile source='local:restricted'/>"
          "</backend></tpm></devices>",
          "<profile source='local:restricted'> of the TPM of domain 'web' is not supported: profiles take "
          "swtpm" },
};

START_TEST(what_cannot_be_is_named)
{
        g_autofree char *xml = make_xml("web", impossible[_i][0]);
        g_autoptr(GError) error = NULL;

        if (!has_qemu())
                return;
        error = fail_to_create(xml);
        ck_assert_msg(strstr(error->message, impossible[_i][1]), "%s", error->message);
        ck_assert(is_gone("run/qemu/" UUID));
}
END_TEST

START_TEST(enclaves_need_a_host_that_has_them)
{
        g_autofree char *xml =
                make_xml("web", "<maxMemory slots='1'>1048576</maxMemory><cpu><numa><cell id='0' "
                                "cpus='0' memory='65536'/></numa></cpu><devices><memory "
                                "model='sgx-epc'><target><size>16384</size></target></memory>"
                                "</devices>");
        g_autoptr(GError) error = NULL;

        if (!has_qemu() || access("/dev/sgx_vepc", F_OK) == 0)
                return;
        error = fail_to_create(xml);
        ck_assert_msg(error_is(error, ERROR_CONFIG_UNSUPPORTED) &&
                              strstr(error->message, "'epc0' of model 'sgx-epc' needs /dev/sgx_vepc"),
                      "%s", error->message);
}
END_TEST

START_TEST(displays_get_ports_of_their_own)
{
        g_autofree char *xml =
                make_xml("web", "<devices><graphics type='vnc' autoport='yes' passwd='geheim'/></devices>");
        g_autofree char *log_path = g_build_filename(root, "log/qemu/web.log", NULL);
        g_autofree char *log = NULL, *cmdline_path = NULL, *cmdline = NULL;
        struct domain *domain;
        const struct domain_def *def;
        gsize length;

        if (!has_qemu())
                return;
        domain = create(xml, 0);
        def = domain_state_get_def(domain_get_published(domain));
        ck_assert_int_ge(def->devices.graphics[0].port, 5900);
        ck_assert_str_eq(def->devices.graphics[0].listens[0].address, "127.0.0.1");
        ck_assert_ptr_null(strstr(definition_get_public_xml(&def->base), "geheim"));
        ck_assert(g_file_get_contents(log_path, &log, NULL, NULL));
        ck_assert_ptr_null(strstr(log, "geheim"));
        cmdline_path = g_strdup_printf("/proc/%d/cmdline", (int)domain_get_published(domain)->pid);
        ck_assert(g_file_get_contents(cmdline_path, &cmdline, &length, NULL));
        ck_assert_ptr_null(memmem(cmdline, length, "geheim", 6));
        destroy(domain);
}
END_TEST

/* ---- events of the emulator ---- */

#define TABLET "<input type='tablet' bus='usb'/>"

/* What is told, in the order of delivery, about an event with these arguments. */
static const struct {
        const char *name;
        const char *arguments;
        const char *told;
        enum domain_run_state state; /* afterwards */
} emulator_events[] = {
        { "STOP", "{}", "3/0,", DOMAIN_PAUSED },
        { "RESUME", "{}", "", DOMAIN_RUNNING },
        { "RESET", "{\"guest\": true}", "#1,", DOMAIN_RUNNING },
        { "RTC_CHANGE", "{\"offset\": 78}", "#2,", DOMAIN_RUNNING },
        { "RTC_CHANGE", "{\"offset\": \"78\"}", "", DOMAIN_RUNNING },
        { "WATCHDOG", "{\"action\": \"pause\"}", "3/3,#3,", DOMAIN_PAUSED },
        { "WATCHDOG", "{\"action\": \"reset\"}", "#3,", DOMAIN_RUNNING },
        { "WATCHDOG", "{\"action\": \"explode\"}", "", DOMAIN_RUNNING },
        { "BLOCK_IO_ERROR", "{\"action\": \"report\", \"node-name\": \"libvirt-1-format\"}", "#4,",
          DOMAIN_RUNNING },
        { "BLOCK_IO_ERROR", "{\"action\": \"stop\", \"nospace\": true}", "3/2,#4,", DOMAIN_PAUSED },
        { "BLOCK_IO_ERROR", "{\"action\": 5}", "", DOMAIN_RUNNING },
        { "VNC_CONNECTED", "{\"server\": {\"host\": \"::1\"}, \"client\": {\"family\": \"ipv6\"}}", "#5,",
          DOMAIN_RUNNING },
        { "VNC_DISCONNECTED", "{\"server\": [], \"client\": 7}", "", DOMAIN_RUNNING },
        { "DEVICE_TRAY_MOVED", "{\"id\": \"sata0-0-0\", \"tray-open\": true}", "#6,", DOMAIN_RUNNING },
        { "DEVICE_TRAY_MOVED", "{\"id\": \"nobody\", \"tray-open\": true}", "", DOMAIN_RUNNING },
        { "WAKEUP", "{}", "#7,", DOMAIN_RUNNING },
        { "SUSPEND", "{}", "7/0,#8,", DOMAIN_PMSUSPENDED },
        { "SUSPEND_DISK", "{}", "7/1,#9,", DOMAIN_PMSUSPENDED },
        { "BALLOON_CHANGE", "{\"actual\": 33554432}", "#10,", DOMAIN_RUNNING },
        { "BALLOON_CHANGE", "{\"actual\": -1}", "", DOMAIN_RUNNING },
        { "DEVICE_DELETED", "{\"device\": \"input0\", \"path\": \"/x\"}", "", DOMAIN_RUNNING },
        { "DEVICE_DELETED", "{\"device\": \"nobody\"}", "", DOMAIN_RUNNING },
        { "DEVICE_DELETED", "{\"path\": \"/x\"}", "", DOMAIN_RUNNING },
        { "DEVICE_UNPLUG_GUEST_ERROR", "{\"device\": \"net0\", \"path\": \"/x\"}", "#13,", DOMAIN_RUNNING },
        { "VSERPORT_CHANGE", "{\"id\": \"channel0\", \"open\": true}", "#15,", DOMAIN_RUNNING },
        { "MEMORY_FAILURE",
          "{\"recipient\": \"guest\", \"action\": \"inject\", \"flags\": {\"recursive\": true}}", "#16,",
          DOMAIN_RUNNING },
        { "MEMORY_FAILURE", "{\"recipient\": \"guest\"}", "", DOMAIN_RUNNING },
        { "BLOCK_WRITE_THRESHOLD",
          "{\"node-name\": \"libvirt-1-format\", \"write-threshold\": 5, \"amount-exceeded\": 1}", "#18,#18,",
          DOMAIN_RUNNING },
        { "GUEST_CRASHLOADED", "{}", "8/1,", DOMAIN_RUNNING },
        { "GUEST_PANICKED", "{}", "8/0,", DOMAIN_CRASHED },
        { "NEWS_TO_US", "{}", "", DOMAIN_RUNNING },
};

static struct domain *subject;

/* The event, on a guest that runs. */
static void job_event(void *data)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&subject->base);
        const unsigned *index = data;
        json_t *arguments = json_loads(emulator_events[*index].arguments, 0, NULL);

        ck_assert_ptr_nonnull(arguments);
        state->state = DOMAIN_RUNNING;
        managed_publish(&subject->base, &state->base, NULL);
        monitor_event(emulator_events[*index].name, arguments, 0, guest_of(subject));
        json_decref(arguments);
}

static void mark(void *data)
{
        *(bool *)data = true;
}

static void job_mark(void *data)
{
        loop_post(loop, mark, data);
}

/* What it is told of has to be true; a device on USB goes without its guest. */
static void job_unplug(void *data)
{
        g_autoptr(GError) error = NULL;

        ck_assert_msg(qmp_execute(guest_of(subject)->qmp, "device_del", json_pack("{s:s}", "id", data),
                                  QMP_TIMEOUT_MS, NULL, &error),
                      "%s", error ? error->message : "");
}

static void try_event(unsigned index)
{
        bool done = false;

        lane_post(subject->base.lane, job_event, &index);
        lane_post(subject->base.lane, job_mark, &done);
        wait_for(&done);
        ck_assert_msg(strcmp(events->str, emulator_events[index].told) == 0, "%s %s: %s",
                      emulator_events[index].name, emulator_events[index].arguments, events->str);
        ck_assert_msg(domain_get_published(subject)->state == emulator_events[index].state, "%s %s",
                      emulator_events[index].name, emulator_events[index].arguments);
        g_string_truncate(events, 0);
}

START_TEST(events_of_the_emulator_are_told)
{
        g_autofree char *image = g_build_filename(root, "disk.img", NULL);
        g_autofree char *devices = g_strdup_printf(
                "<on_crash>preserve</on_crash><devices>"
                "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='%s'/>"
                "<target dev='sda' bus='sata'/></disk>"
                "<channel type='unix'><target type='virtio' "
                "name='org.qemu.guest_agent.0'/></channel>" TABLET "</devices>",
                image);
        g_autofree char *xml = make_xml("web", devices);

        if (!has_qemu())
                return;
        ck_assert(g_file_set_contents(image, "x", 1, NULL));
        ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
        subject = create(xml, DOMAIN_START_PAUSED);
        wait_for_events("2/0,3/0,#15,");
        lane_post(subject->base.lane, job_unplug, (char *)"input0");
        wait_for_events("#12,");
        for (unsigned i = 0; i < G_N_ELEMENTS(emulator_events); i++)
                try_event(i);
        destroy(subject);
}
END_TEST

/* A guest that is in another state than QEMU, whose CPUs have not run yet or do. */
static const struct {
        const char *on_crash;
        unsigned flags;
        enum domain_run_state state;
        const char *event, *told; /* event NULL: QEMU is asked for its state */
        enum domain_run_state then;
        int reason;
} resets[] = {
        { "restart", DOMAIN_START_PAUSED, DOMAIN_PMSUSPENDED, NULL, "4/0,", DOMAIN_RUNNING,
          DOMAIN_RUNNING_BOOTED },
        { "restart", DOMAIN_START_PAUSED, DOMAIN_PMSUSPENDED, "RESET", "#1,4/0,", DOMAIN_RUNNING,
          DOMAIN_RUNNING_BOOTED },
        /* it is that of a reset before it slept */
        { "restart", 0, DOMAIN_PMSUSPENDED, "RESET", "#1,", DOMAIN_PMSUSPENDED, 0 },
        { "restart", DOMAIN_START_PAUSED, DOMAIN_CRASHED, NULL, "4/0,", DOMAIN_RUNNING,
          DOMAIN_RUNNING_CRASHED },
        { "coredump-restart", DOMAIN_START_PAUSED, DOMAIN_CRASHED, NULL, "4/0,", DOMAIN_RUNNING,
          DOMAIN_RUNNING_CRASHED },
        /* somebody has reset it, and is to say when it goes on */
        { "preserve", DOMAIN_START_PAUSED, DOMAIN_CRASHED, NULL, "", DOMAIN_CRASHED, 0 },
        { "restart", DOMAIN_START_PAUSED, DOMAIN_PAUSED, NULL, "", DOMAIN_PAUSED, 0 },
};

static void job_reset(void *data)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&subject->base);
        const unsigned *index = data;

        state->state = resets[*index].state;
        state->reason = 0;
        managed_publish(&subject->base, &state->base, NULL);
        if (resets[*index].event)
                monitor_event(resets[*index].event, NULL, 0, guest_of(subject));
        else
                ck_assert(monitor_resync(guest_of(subject), NULL));
}

/* Between the reset of a guest that starts over and the start of its CPUs its agent is killed, or it was not
 * its agent that has reset it. */
START_TEST(a_reset_that_was_cut_short_is_finished)
{
        const struct domain_state *state;
        bool done = false;
        unsigned row = (unsigned)_i;
        g_autofree char *devices = g_strdup_printf("<on_crash>%s</on_crash>", resets[row].on_crash);
        g_autofree char *xml = make_xml("web", devices);

        if (!has_qemu())
                return;
        subject = create(xml, resets[row].flags);
        wait_for_events(resets[row].flags ? "2/0,3/0," : "2/0,");
        lane_post(subject->base.lane, job_reset, &row);
        lane_post(subject->base.lane, job_mark, &done);
        wait_for(&done);
        ck_assert_str_eq(events->str, resets[row].told);
        state = domain_get_published(subject);
        ck_assert_int_eq(state->state, resets[row].then);
        ck_assert_int_eq(state->reason, resets[row].reason);
        destroy(subject);
}
END_TEST

static bool takes_events; /* the operation that waits for input0 */

static bool on_routed(const char *event, const json_t *arguments, void *data)
{
        g_string_append_c(data, takes_events ? '!' : '?');
        return takes_events;
}

static void on_gone(void *data)
{
        g_string_append_c(data, '.');
}

static void job_route(void *data)
{
        static const struct route_ops ops = { .event = on_routed, .gone = on_gone };

        route_add(&guest_of(subject)->routes, ROUTE_DEVICE, "input0", &ops, data);
        job_unplug((char *)"input0");
}

static void job_take(void *data)
{
        json_t *input0 = json_pack("{s:s}", "device", "input0");

        takes_events = true;
        monitor_event("DEVICE_DELETED", input0, 0, guest_of(subject));
        json_decref(input0);
        job_unplug((char *)"input1");
}

/* What an operation caused is told to it first, by name, and to others unless it takes care of that. */
START_TEST(events_go_to_who_waits_for_them)
{
        g_autofree char *xml = make_xml("web", "<devices>" TABLET TABLET "</devices>");
        g_autoptr(GString) heard = g_string_new(NULL);

        if (!has_qemu())
                return;
        subject = create(xml, DOMAIN_START_PAUSED);
        wait_for_events("2/0,3/0,");
        lane_post(subject->base.lane, job_route, heard);
        wait_for_events("#12,");
        ck_assert_str_eq(heard->str, "?");
        lane_post(subject->base.lane, job_take, NULL);
        wait_for_events("#12,");
        ck_assert_str_eq(heard->str, "?!");
        destroy(subject);
        ck_assert_str_eq(heard->str, "?!.");
}
END_TEST

/* An image over another one, which everybody may read and nobody but its owner write. */
static void make_overlay(const char *image, const char *base)
{
        const char *const argv[] = { "qemu-img", "create", "-q",  "-f",  "qcow2", "-b",
                                     base,       "-F",     "raw", image, NULL };
        int status = -1;

        ck_assert(g_file_set_contents(base, "x", 1, NULL));
        ck_assert_int_eq(truncate(base, 1024 * 1024), 0);
        ck_assert_int_eq(chmod(base, 0444), 0);
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                               &status, NULL));
        ck_assert_int_eq(status, 0);
}

#define SHARED                                                                                               \
        "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='writeback'/><source "         \
        "file='%s'/>"                                                                                        \
        "<target dev='vdb' bus='virtio'/><shareable/></disk>"

/* Without privileges, and with images that were another's. */
START_TEST(an_emulator_of_another_user)
{
        g_autofree char *image = g_build_filename(root, "disk.img", NULL);
        g_autofree char *base = g_build_filename(root, "base.img", NULL);
        g_autofree char *shared = g_build_filename(root, "shared.img", NULL), *other = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *devices = g_strdup_printf(
                "<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source "
                "file='%s'/>"
                "<target dev='vda' bus='virtio'/></disk>" SHARED
                "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto></devices>",
                image, shared);
        g_autofree char *xml = NULL, *path = NULL, *text = NULL;
        struct domain *domain;
        struct stat st;

        if (!has_qemu() || geteuid() != 0)
                return;
        ck_assert_int_eq(chmod(root, 0755), 0);
        make_overlay(image, base);
        ck_assert_int_eq(chmod(image, 0600), 0);
        ck_assert(g_file_set_contents_full(shared, "x", 1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
        stop_driver();
        user = "nobody";
        start_driver();
        /* This user need not be one who may use KVM. */
        xml = g_strdup_printf("<domain type='qemu'><name>web</name><uuid>" UUID
                              "</uuid><memory unit='MiB'>64</memory>"
                              "<os><type arch='x86_64' machine='q35'>hvm</type></os>%s</domain>",
                              devices);
        domain = create(xml, 0);
        path = g_strdup_printf("/proc/%d/status", (int)domain_get_published(domain)->pid);
        ck_assert(g_file_get_contents(path, &text, NULL, NULL));
        ck_assert_ptr_nonnull(strstr(text, "Uid:\t65534\t65534\t65534\t65534"));
        ck_assert_ptr_nonnull(strstr(text, "CapEff:\t0000000000000000"));
        ck_assert_ptr_nonnull(strstr(text, "Seccomp:\t2"));
        ck_assert_int_eq(stat(image, &st), 0);
        ck_assert_uint_eq(st.st_uid, 65534);
        /* What is below the top is never written to, and need not be the emulator's. */
        ck_assert_int_eq(stat(base, &st), 0);
        ck_assert_uint_eq(st.st_uid, 0);
        ck_assert_ptr_nonnull(
                strstr(domain_get_published(domain)->base.active->xml, "<label>+65534:+65534</label>"));
        /* Of a start that fails before it has taken anything, nothing is given back. */
        other = g_strdup_printf("<domain type='qemu'><name>db</name><memory unit='MiB'>64</memory>"
                                "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>" SHARED
                                "<disk type='file' device='disk'><source file='%s/missing.img'/>"
                                "<target dev='vdc' bus='virtio'/></disk></devices></domain>",
                                shared, root);
        error = fail_to_create(other);
        ck_assert_ptr_nonnull(strstr(error->message, "missing.img"));
        ck_assert_int_eq(stat(shared, &st), 0);
        ck_assert_uint_eq(st.st_uid, 65534);
        destroy(domain);
        ck_assert_int_eq(stat(image, &st), 0);
        ck_assert_uint_eq(st.st_uid, 0);
        ck_assert_int_eq(stat(shared, &st), 0);
        ck_assert_uint_eq(st.st_uid, 0);
}
END_TEST

/* ---- one device ---- */

/* A disk that comes to a guest and goes, as far as the host is concerned; in the domain's lane. */
struct plug {
        struct domain *domain;
        const char *image;
        bool done;
        /* what was seen */
        char *alias, *status;
        unsigned index;
        uid_t prepared, taken, released, first;
};

static uid_t owner_of(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 ? st.st_uid : (uid_t)-2;
}

static void plugged(void *data)
{
        ((struct plug *)data)->done = true;
}

static void prepare_plug(struct plug *plug, struct guest *guest, const struct domain_def *def,
                         const struct domain_disk *disk)
{
        struct domain_edit *edit = domain_edit_new(def, NULL);
        CLEANUP(domain_def_unref) struct domain_def *after = NULL;
        struct resources resources;

        resources_init(&resources, guest, def, edit, &(const struct domain_start){ 0 });
        if (resources_resume(&resources, NULL) &&
            resources_prepare_device(&resources, DOMAIN_DEVICE_DISK, disk, NULL)) {
                plug->prepared = owner_of(plug->image);
                ck_assert(resources_take_files(&resources, NULL));
                plug->taken = owner_of(plug->image);
                plug->status = status_format(guest->status);
                after = domain_edit_commit(edit, NULL);
                plug->index = domain_def_find_disk(after, "vdb")->source.index;
        }
        guest_release_device(guest, disk->info.alias);
        plug->released = owner_of(plug->image);
        resources_done(&resources);
}

static void plug_work(void *data)
{
        static const struct domain_machine machine = { .type = "qemu" };
        struct plug *plug = data;
        const struct domain_state *state = (const struct domain_state *)plug->domain->base.current;
        struct domain_edit *edit = domain_edit_new((const struct domain_def *)state->base.active, NULL);
        g_autofree char *xml =
                g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                                "<source file='%s'/><target dev='vdb' bus='virtio'/></disk>",
                                plug->image);
        g_autoptr(GArray) devices =
                domain_edit_attach_device(edit, xml, &(struct domain_edit_side){ &machine, true });
        CLEANUP(domain_def_unref) struct domain_def *def = domain_edit_commit(edit, NULL);
        const struct domain_disk *disk = def ? domain_def_find_disk(def, "vdb") : NULL;

        if (disk) {
                plug->alias = g_strdup(disk->info.alias);
                prepare_plug(plug, guest_of(plug->domain), def, disk);
        }
        loop_post(loop, plugged, plug);
}

/* What one device took is noted under its alias and given back alone. */
START_TEST(a_device_takes_and_gives_back_its_own)
{
        g_autofree char *first = g_build_filename(root, "first.img", NULL),
                        *second = g_build_filename(root, "second.img", NULL), *xml = NULL;
        struct plug plug = { .image = second };

        if (!has_qemu() || geteuid() != 0)
                return;
        ck_assert_int_eq(chmod(root, 0755), 0);
        ck_assert(g_file_set_contents(first, "x", 1, NULL) && g_file_set_contents(second, "x", 1, NULL));
        ck_assert_int_eq(truncate(first, 65536) | truncate(second, 65536), 0);
        ck_assert_int_eq(chmod(first, 0600) | chmod(second, 0600), 0);
        stop_driver();
        user = "nobody";
        start_driver();
        xml = g_strdup_printf(
                "<domain type='qemu'><name>web</name><uuid>" UUID "</uuid><memory unit='MiB'>64</memory>"
                "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><disk type='file' "
                "device='disk'><source file='%s'/><target dev='vda' bus='virtio'/></disk></devices>"
                "</domain>",
                first);
        plug.domain = create(xml, DOMAIN_START_PAUSED);
        ck_assert_uint_eq(owner_of(first), 65534);
        lane_post(plug.domain->base.lane, plug_work, &plug);
        wait_for(&plug.done);
        ck_assert_str_eq(plug.alias, "virtio-disk1");
        ck_assert_uint_eq(plug.prepared, 0);
        ck_assert_uint_eq(plug.taken, 65534);
        ck_assert_ptr_nonnull(strstr(plug.status, "<image alias='virtio-disk0' path="));
        ck_assert_ptr_nonnull(strstr(plug.status, "<image alias='virtio-disk1' path="));
        ck_assert_uint_eq(plug.index, 2);
        ck_assert_uint_eq(plug.released, 0);
        ck_assert_uint_eq(owner_of(first), 65534);
        destroy(plug.domain);
        ck_assert_uint_eq(owner_of(first), 0);
        g_free(plug.alias);
        g_free(plug.status);
}
END_TEST

/* ---- limits ---- */

static const char *const limit_files[] = { "cgroup.controllers", "memory.max", "memory.swap.max" };

static void expect_limit(const char *file, const char *text)
{
        g_autofree char *path = g_build_filename(root, file, NULL), *found = NULL;

        ck_assert(g_file_get_contents(path, &found, NULL, NULL));
        ck_assert_str_eq(g_strchomp(found), text);
}

static struct domain_def *make_limited(const char *hard_limit)
{
        g_autofree char *memtune = g_strdup_printf("<memtune><hard_limit unit='MiB'>%s</hard_limit>"
                                                   "<swap_hard_limit unit='MiB'>900</swap_hard_limit>"
                                                   "</memtune>",
                                                   hard_limit);
        g_autofree char *xml = make_xml("web", memtune);
        struct domain_def *def = domain_def_parse_stored(xml, NULL);

        ck_assert_ptr_nonnull(def);
        return def;
}

static void job_limit(void *data)
{
        g_autofree char *mounts = g_strdup_printf("31 24 0:27 / %s rw - cgroup2 cgroup2 rw\n", root);
        CLEANUP(domain_def_unref) struct domain_def *from = make_limited("200"), *to = make_limited("500");
        struct guest *guest = guest_of(subject);
        struct cgroup group = { .path = (char *)"/", .keeper_end = -1 }, *own = guest->cgroup;

        hierarchies_parse(&group.hierarchies, mounts);
        group.hierarchies.list[0].controllers |= 1U << CGROUP_MEMORY;
        guest->cgroup = &group;
        ck_assert(tune_guest(subject, DOMAIN_TUNE_MEMORY, from, to, NULL));
        expect_limit("memory.max", "524288000");
        expect_limit("memory.swap.max", "419430400");
        ck_assert(tune_guest(subject, DOMAIN_TUNE_MEMORY, to, from, NULL));
        expect_limit("memory.max", "209715200");
        expect_limit("memory.swap.max", "734003200");
        guest->cgroup = own;
        hierarchies_clear(&group.hierarchies);
}

/* Of a group of version 2, which limits swap alone. */
START_TEST(memory_and_swap_together_stay_when_memory_changes)
{
        g_autofree char *xml = make_xml("web", "");
        bool done = false;

        if (!has_qemu())
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(limit_files); i++) {
                g_autofree char *path = g_build_filename(root, limit_files[i], NULL);

                ck_assert(g_file_set_contents(path, i == 0 ? "memory\n" : "209715200\n", -1, NULL));
        }
        subject = create(xml, DOMAIN_START_PAUSED);
        lane_post(subject->base.lane, job_limit, NULL);
        lane_post(subject->base.lane, job_mark, &done);
        wait_for(&done);
        destroy(subject);
}
END_TEST

int main(void)
{
        TCase *cases = tcase_create("guest");

        tcase_add_test(cases, a_guest_lives_and_is_destroyed);
        tcase_add_test(cases, pause_resume_reset);
        tcase_add_test(cases, a_killed_emulator_is_a_failed_guest);
        tcase_add_test(cases, a_terminated_emulator_shuts_down);
        tcase_add_test(cases, a_stopped_emulator_is_destroyed_at_once);
        tcase_add_test(cases, a_failing_emulator_says_why);
        tcase_add_loop_test(cases, what_cannot_be_is_named, 0, G_N_ELEMENTS(impossible));
        tcase_add_test(cases, enclaves_need_a_host_that_has_them);
        tcase_add_test(cases, displays_get_ports_of_their_own);
        tcase_add_test(cases, an_emulator_of_another_user);
        tcase_add_test(cases, a_device_takes_and_gives_back_its_own);
        tcase_add_test(cases, events_of_the_emulator_are_told);
        tcase_add_test(cases, events_go_to_who_waits_for_them);
        tcase_add_loop_test(cases, a_reset_that_was_cut_short_is_finished, 0, G_N_ELEMENTS(resets));
        tcase_add_test(cases, memory_and_swap_together_stay_when_memory_changes);
        return run_guests(cases, "qemu-guest");
}
