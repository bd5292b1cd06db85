/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Starting an emulator without a machine and asking it. What it answers is boiled down to names at once: the
 * replies are a hundred times as large. Runs in whichever lane wants to know; owns the process for that time.
 */

#include "drivers/qemu/probe.h"
#include "base/error.h"
#include "base/lane.h"
#include "drivers/qemu/guest-log.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/probe-schema.h"
#include "drivers/qemu/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much of what it wrote to standard error is told. */
#define STDERR_TAIL_MAX 400

/* How long a process that was killed may take to be gone. */
#define KILL_TIMEOUT_MS 2000

/* How often it is looked whether it gets on. */
#define SLICE_MS 500

/* Types whose properties are looked up: those with properties that not every supported version has. */
static const char *const property_types[] = {
        "ICH9-LPC",
        "PIIX4_PM",
        "VGA",
        "amd-iommu",
        "bochs-display",
        "hda-duplex",
        "ide-hd",
        "intel-iommu",
        "intel-hda",
        "isa-debugcon",
        "max-i386-cpu", /* its CPU features, as the next one's */
        "max-x86_64-cpu",
        "memory-backend-file",
        "memory-backend-memfd",
        "memory-backend-ram",
        "nvdimm",
        "pcie-root-port",
        "pvpanic",
        "qemu-xhci",
        "qxl-vga",
        "ramfb",
        "scsi-block",
        "scsi-hd",
        "sev-guest",
        "tls-creds-x509",
        "tpm-crb",
        "tpm-tis",
        "usb-host",
        "usb-redir",
        "usb-storage",
        "vfio-pci",
        "vhost-user-fs-pci",
        "vhost-vsock-pci",
        "virtio-balloon-pci",
        "virtio-blk-pci",
        "virtio-gpu-pci",
        "virtio-iommu-pci",
        "virtio-mem-pci",
        "virtio-net-pci",
        "virtio-rng-pci",
        "virtio-scsi-pci",
        "virtio-vga",
        "vmcoreinfo",
};

G_STATIC_ASSERT(G_N_ELEMENTS(property_types) < QMP_OUTSTANDING_MAX);

/* Commands whose arguments are looked up. */
static const char *const argument_commands[] = {
        "block-commit",
        "block-stream",
        "blockdev-add",
        "blockdev-backup",
        "blockdev-mirror",
        "chardev-add",
        "device_add",
        "dump-guest-memory",
        "migrate",
        "migrate-set-capabilities",
        "netdev_add",
        "object-add",
        "query-display-options",
        "screendump",
        "set_password",
        NULL,
};

struct session {
        struct lane *lane;
        const char *path;
        unsigned answer_ms; /* how long one answer may take, or until it is looked after (patience) */
        struct qmp *qmp;
        /* of one that was started for this */
        lane_deadline total;
        struct process_patience patience;
        struct process process;
        int stderr_fd; /* owned; our end of its standard error */
};

static lane_deadline soon(const struct session *session)
{
        return lane_deadline_in(session->answer_ms);
}

static bool make_channels(int monitor[2], int errors[2], GError **error)
{
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot make a socket for an emulator's monitor");
        /* Neither end waits: what does not fit is lost, a talkative emulator is not held up. */
        if (pipe2(errors, O_CLOEXEC | O_NONBLOCK) == 0)
                return true;
        error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a pipe for an emulator's messages");
        close(monitor[0]);
        close(monitor[1]);
        return false;
}

static bool check_binary(const char *path, GError **error)
{
        struct stat st;

        if (!g_path_is_absolute(path))
                return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                                 "emulator '%s' is not an absolute path", path);
        if (stat(path, &st) < 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "there is no emulator '%s': %s",
                                 path, g_strerror(errno));
        if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                                 "emulator '%s' is not an executable file", path);
        return true;
}

/* accel: "kvm:tcg" tries the one and falls back to the other. */
static bool start(struct session *session, const struct account *account, const char *accel, GError **error)
{
        static char *env[] = { (char *)"LC_ALL=C", (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               (char *)"HOME=/", NULL };
        int monitor[2], errors[2];
        g_autofree char *machine = g_strconcat("none,accel=", accel, NULL);
        g_autofree char *chardev = NULL;
        struct launch launch = {
                .env = env, .account = account, .pid_fd = -1, .n_fds = 1, .dies_with_agent = true
        };
        bool ok;

        if (!check_binary(session->path, error) || !make_channels(monitor, errors, error))
                return false;
        chardev = g_strdup_printf("socket,id=mon,fd=%d", monitor[1]);
        char *argv[] = { (char *)session->path,
                         (char *)"-S",
                         (char *)"-no-user-config",
                         (char *)"-nodefaults",
                         (char *)"-display",
                         (char *)"none",
                         (char *)"-machine",
                         machine,
                         (char *)"-chardev",
                         chardev,
                         (char *)"-mon",
                         (char *)"chardev=mon,mode=control",
                         NULL };

        launch.argv = argv;
        launch.output_fd = errors[1];
        launch.fds = &monitor[1];
        ok = launch_run(&launch, &session->process, error);
        close(monitor[1]);
        close(errors[1]);
        if (!ok) {
                close(monitor[0]);
                close(errors[0]);
                return false;
        }
        session->stderr_fd = errors[0];
        session->qmp = qmp_new(session->lane, monitor[0], session->path);
        session->patience = (struct process_patience){ .process = &session->process,
                                                       .slice_ms = SLICE_MS,
                                                       .still_max_ms = PROBE_STILL_MS,
                                                       .total = session->total };
        qmp_set_patience(session->qmp, process_go_on, &session->patience);
        return true;
}

static void end(struct session *session)
{
        g_clear_pointer(&session->qmp, qmp_free);
        if (session->stderr_fd >= 0)
                close(session->stderr_fd);
        session->stderr_fd = -1;
        if (!process_is_open(&session->process))
                return;
        process_signal(&session->process, SIGKILL);
        if (process_wait(&session->process, session->lane, lane_deadline_in(KILL_TIMEOUT_MS)) ==
            LANE_INTERRUPTED) {
                lane_shield(session->lane);
                process_wait(&session->process, session->lane, lane_deadline_in(KILL_TIMEOUT_MS));
        }
        process_close(&session->process);
}

/* What it last wrote to standard error; NULL when that was nothing. */
static char *read_stderr(const struct session *session)
{
        g_autoptr(GString) text = g_string_new(NULL);
        char buffer[4096];
        ssize_t length;

        while ((length = read(session->stderr_fd, buffer, sizeof(buffer))) > 0)
                g_string_append_len(text, buffer, length);
        if (text->len > STDERR_TAIL_MAX)
                g_string_erase(text, 0, (gssize)(text->len - STDERR_TAIL_MAX));
        g_strstrip(text->str);
        return *text->str ? guest_log_drop_chatter(g_strdup(text->str)) : NULL;
}

/* Says what the emulator had to say beside error, which is replaced. */
static void explain(struct session *session, GError **error)
{
        enum error_code code = error && *error ? error_get_code(*error) : ERROR_INTERNAL_ERROR;
        g_autofree char *text = NULL;

        /* An emulator that breaks off writes why before it is gone. */
        if (process_is_open(&session->process) && code != ERROR_OPERATION_TIMEOUT &&
            code != ERROR_OPERATION_ABORTED)
                process_wait(&session->process, session->lane, lane_deadline_in(1000));
        text = read_stderr(session);
        if (!text || !error || !*error)
                return;
        g_clear_error(error);
        error_set(error, ERROR_FROM_QEMU, code, "cannot find out what emulator '%s' can do: %s",
                  session->path, text);
}

static bool ask(struct session *session, const char *command, json_t *arguments, json_t **result,
                GError **error)
{
        return qmp_receive(session->qmp, qmp_send(session->qmp, command, arguments), soon(session), result,
                           error);
}

/* Did the emulator answer that it cannot, rather than not answer? */
static bool is_refusal(const struct session *session, const GError *failure)
{
        return !qmp_is_broken(session->qmp) && !error_is(failure, ERROR_OPERATION_TIMEOUT) &&
               !error_is(failure, ERROR_OPERATION_ABORTED);
}

/* A question that not every emulator knows; *reply stays NULL when it does not. */
static bool receive_optional(struct session *session, uint64_t id, json_t **reply, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (qmp_receive(session->qmp, id, soon(session), reply, &failure) || is_refusal(session, failure))
                return true;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

/* ---- CPUs ---- */

static json_t *trim_models(const json_t *reply)
{
        json_t *models = json_array();

        for (size_t i = 0; i < json_array_size(reply); i++) {
                const json_t *one = json_array_get(reply, i);
                const json_t *blockers = json_object_get(one, "unavailable-features");
                json_t *model = json_object();

                json_object_set(model, "name", json_object_get(one, "name"));
                if (json_is_true(json_object_get(one, "deprecated")))
                        json_object_set_new(model, "deprecated", json_true());
                if (json_is_array(blockers)) {
                        json_t *names = json_array();

                        for (size_t j = 0; j < json_array_size(blockers); j++) {
                                const char *name = json_string_value(json_array_get(blockers, j));

                                if (name)
                                        json_array_append_new(names, json_string(probe_schema_feature(name)));
                        }
                        json_object_set_new(model, "unavailable-features", names);
                }
                json_array_append_new(models, model);
        }
        return models;
}

static json_t *trim_host(const json_t *reply)
{
        static const char *const facts[] = { "vendor", "family", "model", "stepping" };
        const json_t *properties = json_object_get(json_object_get(reply, "model"), "props");
        json_t *features = json_array();
        json_t *host = json_object();
        const char *name;
        json_t *value;

        for (unsigned i = 0; i < G_N_ELEMENTS(facts); i++)
                json_object_set(host, facts[i], json_object_get(properties, facts[i]));
        json_object_foreach((json_t *)properties, name, value)
        {
                if (json_is_true(value))
                        json_array_append_new(features, json_string(probe_schema_feature(name)));
        }
        json_object_set_new(host, "features", features);
        return host;
}

/* The enlightenments for Windows guests that KVM has here, as domain definitions call them. */
static json_t *trim_hyperv(const json_t *reply)
{
        static const char *const names[] = { "relaxed", "vapic", "vpindex",     "runtime",         "synic",
                                             "stimer",  "reset", "frequencies", "reenlightenment", "tlbflush",
                                             "ipi",     "evmcs", "avic" };
        const json_t *properties = json_object_get(json_object_get(reply, "model"), "props");
        json_t *list = json_array();

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *property = g_strconcat("hv-", names[i], NULL);

                if (json_is_true(json_object_get(properties, property)))
                        json_array_append_new(list, json_string(names[i]));
        }
        return list;
}

static bool ask_hyperv(struct session *session, json_t *document, GError **error)
{
        json_t *reply = NULL;
        uint64_t id = qmp_send(session->qmp, "query-cpu-model-expansion",
                               json_pack("{s:s, s:{s:s, s:{s:b}}}", "type", "full", "model", "name", "host",
                                         "props", "hv-passthrough", 1));
        bool ok = receive_optional(session, id, &reply, error);

        if (ok && reply)
                json_object_set_new(document, "hyperv", trim_hyperv(reply));
        json_decref(reply);
        return ok;
}

/*
 * Models and what the host's CPU is worth. name: the model that has all that this accelerator can give.
 * Emulators of architectures where models do not work like that fail the second question, which is no error.
 */
static bool ask_cpus(struct session *session, const char *name, json_t **result, GError **error)
{
        uint64_t models_id = qmp_send(session->qmp, "query-cpu-definitions", NULL);
        uint64_t host_id = qmp_send(session->qmp, "query-cpu-model-expansion",
                                    json_pack("{s:s, s:{s:s}}", "type", "static", "model", "name", name));
        json_t *models = NULL, *host = NULL;
        bool ok;

        *result = json_object();
        ok = receive_optional(session, models_id, &models, error);
        if (ok && models)
                json_object_set_new(*result, "models", trim_models(models));
        ok = receive_optional(session, host_id, &host, ok ? error : NULL) && ok;
        if (ok && host)
                json_object_set_new(*result, "host", trim_host(host));
        json_decref(models);
        json_decref(host);
        if (!ok)
                g_clear_pointer(result, json_decref);
        return ok;
}

/* ---- the rest ---- */

static bool has_name(const json_t *names, const char *name)
{
        for (size_t i = 0; i < json_array_size(names); i++) {
                if (g_strcmp0(json_string_value(json_array_get(names, i)), name) == 0)
                        return true;
        }
        return false;
}

static void add_properties(json_t *list, const char *type, const json_t *reply)
{
        for (size_t i = 0; i < json_array_size(reply); i++) {
                const char *name = json_string_value(json_object_get(json_array_get(reply, i), "name"));
                g_autofree char *path = g_strconcat(type, ".", name, NULL);

                if (name)
                        json_array_append_new(list, json_string(path));
        }
}

/* Asks about all types of the list that the emulator has, in one go. */
static bool ask_properties(struct session *session, const json_t *known, json_t *list, GError **error)
{
        uint64_t ids[G_N_ELEMENTS(property_types)] = { 0 };

        /* Not device-list-properties: its default values go beyond the integers that JSON parsers take. */
        for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
                if (has_name(known, property_types[i]))
                        ids[i] = qmp_send(session->qmp, "qom-list-properties",
                                          json_pack("{s:s}", "typename", property_types[i]));
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
                json_t *reply = NULL;

                /* Types of modules that are not installed are refused. */
                if (ids[i] && !receive_optional(session, ids[i], &reply, error))
                        return false;
                add_properties(list, property_types[i], reply);
                json_decref(reply);
        }
        return true;
}

static bool ask_types(struct session *session, json_t *document, GError **error)
{
        json_t *reply = NULL, *types, *properties;

        if (!ask(session, "qom-list-types", json_pack("{s:b}", "abstract", 0), &reply, error))
                return false;
        types = probe_schema_collect(reply, "name");
        properties = json_array();
        json_decref(reply);
        json_object_set_new(document, "types", types);
        json_object_set_new(document, "properties", properties);
        return ask_properties(session, types, properties, error);
}

static bool ask_interface(struct session *session, json_t *document, GError **error)
{
        uint64_t options_id = qmp_send(session->qmp, "query-command-line-options", NULL);
        json_t *schema = NULL, *options = NULL;
        bool ok;

        ok = ask(session, "query-qmp-schema", NULL, &schema, error);
        /* What is left unanswered on failure goes with the connection. */
        if (ok) {
                json_object_set_new(document, "commands", probe_schema_names(schema, "command"));
                json_object_set_new(document, "events", probe_schema_names(schema, "event"));
                json_object_set_new(document, "arguments", probe_schema_arguments(schema, argument_commands));
                ok = qmp_receive(session->qmp, options_id, soon(session), &options, error);
        }
        if (ok)
                json_object_set_new(document, "options", probe_schema_options(options));
        json_decref(schema);
        json_decref(options);
        return ok;
}

/*
 * Drivers of servers are known to the schema whether their modules are there or not; only who wants to use
 * one is told. So each is asked for an image that cannot be had, for a reason that it notices before it talks
 * to anybody.
 */
static const struct {
        const char *driver, *arguments;
} block_drivers[] = {
        { "nvme", "{'driver':'nvme','device':'x','namespace':1}" },
        { "virtio-blk-vhost-vdpa",
          "{'driver':'virtio-blk-vhost-vdpa','path':'/nonexistent/virtbus','cache':{'direct':true}}" },
        { "nbd", "{'driver':'nbd','server':{'type':'unix','path':'/nonexistent/virtbus'}}" },
        { "http", "{'driver':'http','url':'x'}" },
        { "https", "{'driver':'https','url':'x'}" },
        { "ftp", "{'driver':'ftp','url':'x'}" },
        { "ftps", "{'driver':'ftps','url':'x'}" },
        { "iscsi", "{'driver':'iscsi','transport':'tcp','portal':'127.0.0.1:1','target':'x','user':'x',"
                   "'password-secret':'nosuch'}" },
        { "rbd", "{'driver':'rbd','pool':'x','image':'x','user':'x','key-secret':'nosuch'}" },
        { "ssh", "{'driver':'ssh','server':{'host':'127.0.0.1','port':'x'},'path':'/x'}" },
        { "nfs", "{'driver':'nfs','server':{'type':'inet','host':'127.0.0.1'},'path':'x'}" },
        { "gluster", "{'driver':'gluster','volume':'x','path':'x',"
                     "'server':[{'type':'inet','host':'127.0.0.1','port':'x'}]}" },
};

/* Has an emulator that refuses so the driver? */
static bool has_driver(const GError *failure)
{
        return failure && !strstr(failure->message, "Unknown driver") &&
               !strstr(failure->message, "does not accept value");
}

static json_t *make_image(const char *arguments)
{
        g_autofree char *text = g_strdelimit(g_strdup(arguments), "'", '"');
        json_t *image = json_loads(text, 0, NULL);

        json_object_set_new(image, "node-name", json_string("probe"));
        json_object_set_new(image, "read-only", json_true());
        return image;
}

static bool ask_block_drivers(struct session *session, json_t *document, GError **error)
{
        json_t *list = json_array();

        json_object_set_new(document, "block-drivers", list);
        for (unsigned i = 0; i < G_N_ELEMENTS(block_drivers); i++) {
                g_autoptr(GError) failure = NULL;

                if (ask(session, "blockdev-add", make_image(block_drivers[i].arguments), NULL, &failure))
                        continue;
                if (!is_refusal(session, failure)) {
                        g_propagate_error(error, g_steal_pointer(&failure));
                        return false;
                }
                if (has_driver(failure))
                        json_array_append_new(list, json_string(block_drivers[i].driver));
        }
        return true;
}

/* The architecture's name in domain definitions, where it is another one than QEMU's. */
static const char *arch_name(const char *target)
{
        if (g_str_equal(target, "i386"))
                return "i686";
        if (g_str_equal(target, "arm"))
                return "armv7l";
        if (g_str_equal(target, "or1k"))
                return "or32";
        return target;
}

static bool ask_basics(struct session *session, json_t *document, bool *has_kvm, GError **error)
{
        uint64_t kvm_id = qmp_send(session->qmp, "query-kvm", NULL);
        uint64_t target_id = qmp_send(session->qmp, "query-target", NULL);
        json_t *machines = NULL, *target = NULL, *kvm = NULL;
        const char *name;
        bool ok = ask(session, "query-machines", NULL, &machines, error) &&
                  qmp_receive(session->qmp, target_id, soon(session), &target, error) &&
                  receive_optional(session, kvm_id, &kvm, error);

        *has_kvm = json_is_true(json_object_get(kvm, "enabled"));
        name = json_string_value(json_object_get(target, "arch"));
        if (ok && !name)
                ok = error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                               "emulator '%s' does not say which architecture it emulates", session->path);
        if (ok) {
                json_object_set_new(document, "path", json_string(session->path));
                json_object_set_new(document, "version",
                                    json_integer((json_int_t)qmp_get_version(session->qmp)));
                json_object_set_new(document, "arch", json_string(arch_name(name)));
                json_object_set(document, "machines", machines);
        }
        json_decref(machines);
        json_decref(target);
        json_decref(kvm);
        return ok;
}

/* document is empty before. */
static bool ask_all(struct session *session, json_t *document, bool *has_kvm, GError **error)
{
        json_t *first = NULL, *cpus = json_object();

        json_object_set_new(document, "cpus", cpus);
        if (!ask_basics(session, document, has_kvm, error) ||
            !ask_cpus(session, *has_kvm ? "host" : "max", &first, error))
                return false;
        json_object_set_new(cpus, *has_kvm ? "kvm" : "tcg", first);
        if (*has_kvm && !ask_hyperv(session, document, error))
                return false;
        return ask_types(session, document, error) && ask_interface(session, document, error) &&
               ask_block_drivers(session, document, error);
}

/* An emulator that uses KVM does not say what its CPUs are without. */
static bool ask_tcg(struct session *session, const struct account *account, json_t *cpus, GError **error)
{
        json_t *result = NULL;
        bool ok = start(session, account, "tcg", error);

        ok = ok && qmp_handshake(session->qmp, soon(session), error) &&
             ask_cpus(session, "max", &result, error);
        if (ok)
                json_object_set_new(cpus, "tcg", result);
        else if (process_is_open(&session->process))
                explain(session, error);
        end(session);
        return ok;
}

json_t *probe_run(struct lane *lane, const char *path, const struct account *account, GError **error)
{
        struct session session = {
                .lane = lane,
                .path = path,
                .answer_ms = SLICE_MS,
                .total = lane_deadline_in(PROBE_TOTAL_MS),
                .process = PROCESS_NONE,
                .stderr_fd = -1,
        };
        json_t *document = json_object();
        bool has_kvm = false;
        bool ok = start(&session, account, "kvm:tcg", error);

        if (ok && (!qmp_handshake(session.qmp, soon(&session), error) ||
                   !ask_all(&session, document, &has_kvm, error))) {
                explain(&session, error);
                ok = false;
        }
        end(&session);
        if (ok && has_kvm)
                ok = ask_tcg(&session, account, json_object_get(document, "cpus"), error);
        if (!ok)
                g_clear_pointer(&document, json_decref);
        return document;
}

json_t *probe_ask(struct lane *lane, struct qmp *qmp, const char *path, GError **error)
{
        struct session session = { .lane = lane, .path = path, .answer_ms = QMP_TIMEOUT_MS, .qmp = qmp };
        uint64_t before = qmp_get_last_id(qmp);
        json_t *document = json_object();
        bool has_kvm;

        if (!ask_all(&session, document, &has_kvm, error)) {
                g_clear_pointer(&document, json_decref);
                /* The monitor is the guest's, and goes on. */
                qmp_forget_later(qmp, before);
        } else if (has_kvm) {
                json_object_set_new(json_object_get(document, "cpus"), "tcg", json_object());
        }
        return document;
}
