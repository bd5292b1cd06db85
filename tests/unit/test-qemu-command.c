/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines, put to the test by the real QEMU: for each document in qemu-command/ it is started (with -S,
 * no guest runs), and asked through QMP whether every device is there, on the bus and in the slot that the
 * document gives it, and every drive opens the node that it should.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/live-xml.h"
#include "drivers/qemu/account.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/command.h"
#include "drivers/qemu/probe.h"
#include "drivers/qemu/qemu-caps.h"
#include "drivers/qemu/resolve.h"

#include "check-main.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define QEMU "/usr/bin/qemu-system-x86_64"

static struct {
        char *dir;
        const struct qemu_caps *caps; /* NULL: there is no QEMU */
        struct loop *loop;
        struct lane *lane;
        pid_t qemu;
        FILE *monitor;
} test;

/* ---- around each test ---- */

static void quit(void *data)
{
        loop_quit(test.loop);
}

static void probe(void *data)
{
        CLEANUP(account_free) struct account *account = account_new(NULL, NULL, NULL);
        json_t *document = probe_run(test.lane, QEMU, account, NULL);

        if (document)
                test.caps = qemu_caps_new(document, NULL);
        json_decref(document);
        loop_post(test.loop, quit, NULL);
}

static void set_up(void)
{
        struct pool *pool = pool_new(1, NULL);

        test.dir = g_dir_make_tmp("qemu-cmd-XXXXXX", NULL);
        if (access(QEMU, X_OK) < 0)
                return;
        test.loop = loop_new(NULL);
        test.lane = lane_new(pool, test.loop, "test");
        lane_post(test.lane, probe, NULL);
        loop_run(test.loop);
        lane_unref(test.lane);
        pool_free(pool);
        loop_free(test.loop);
        ck_assert_ptr_nonnull(test.caps);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
        return remove(path);
}

static void tear_down(void)
{
        if (test.monitor)
                fclose(test.monitor);
        if (test.qemu > 0) {
                kill(test.qemu, SIGKILL);
                waitpid(test.qemu, NULL, 0);
        }
        qemu_caps_unref(test.caps);
        nftw(test.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        g_free(test.dir);
}

static bool has_qemu(void)
{
        if (!test.caps)
                printf("skipped: there is no " QEMU "\n");
        return test.caps != NULL;
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

static GString *read_document(const char *name)
{
        bool kvm = qemu_caps_has_accel(test.caps, QEMU_ACCEL_KVM);
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
        replace(text, "@DIR@", test.dir);
        replace_port(text, "@PORT@");
        replace_port(text, "@PORT2@");
        return text;
}

/* As start does it: normalised for this emulator and with aliases. */
static struct domain_def *parse(const char *text)
{
        g_autoptr(GError) error = NULL;
        struct domain_doc *doc = domain_doc_parse(text, &error);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        struct domain_def *live;
        struct resolve_request request = { 0 };
        struct resolve_result result;
        struct domain_machine machine = { 0 };

        ck_assert_msg(doc != NULL, "%s", error ? error->message : "");
        request.emulator = domain_doc_get_emulator(doc);
        request.arch = domain_doc_get_arch(doc);
        request.machine = domain_doc_get_machine(doc);
        request.type = domain_doc_get_type(doc);
        ck_assert_msg(resolve_check(test.caps, &request, &result, &error), "%s", error ? error->message : "");
        resolve_describe(&result, &machine);
        def = domain_doc_finish(doc, &machine, &error);
        ck_assert_msg(def != NULL, "%s", error ? error->message : "");
        live = domain_def_activate(def, 1, &error);
        ck_assert_msg(live != NULL, "%s", error ? error->message : "");
        return live;
}

/* ---- what start prepares ---- */

static void make_image(const char *name, long size)
{
        g_autofree char *path = g_build_filename(test.dir, name, NULL);
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

        ck_assert(g_spawn_sync(test.dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                               NULL));
        ck_assert_int_eq(status, 0);
}

static void make_images(void)
{
        static const char *const raw[] = { "a.raw", "b.raw", "c.raw", "d.raw",   "e.raw",
                                           "f.raw", "g.raw", "h.raw", "base.raw" };

        for (unsigned i = 0; i < G_N_ELEMENTS(raw); i++)
                make_image(raw[i], 1024 * 1024);
        make_image("floppy.raw", 1440 * 1024);
        make_image("code.fd", 1024 * 1024);
        make_image("va,rs.fd", 128 * 1024);
        make_overlay("middle.qcow2", "base.raw", "raw");
        make_overlay("top,1.qcow2", "middle.qcow2", "qcow2");
        make_overlay("other.qcow2", "base.raw", "raw");
}

/* A listening socket at path, without close-on-exec. */
static int listen_at(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
        strcpy(address.sun_path, path);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        return fd;
}

/* Chains of all disks; the TPMs get a socket that nobody answers at. */
static GHashTable *prepare(const struct domain_def *def)
{
        GHashTable *resources =
                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)device_resources_free);
        unsigned index = 1;

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];
                struct device_resources *of_disk;
                g_autoptr(GError) error = NULL;

                if (!disk->source.path)
                        continue;
                of_disk = device_resources_new();
                of_disk->chain = block_chain_resolve(&disk->source, &index, &error);
                ck_assert_msg(of_disk->chain != NULL, "%s", error ? error->message : "");
                g_hash_table_insert(resources, (char *)disk->info.alias, of_disk);
        }
        return resources;
}

/* ---- QEMU ---- */

static void exec_qemu(const struct qemu_command *command)
{
        g_autofree char *log = g_build_filename(test.dir, "log", NULL);
        int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execve(command->argv->pdata[0], (char **)command->argv->pdata, (char **)command->env->pdata);
        _exit(127);
}

static const char *read_log(void)
{
        g_autofree char *path = g_build_filename(test.dir, "log", NULL);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : "";
}

static json_t *read_message(void)
{
        size_t size = 0;
        char *text = NULL;
        json_t *message;

        ck_assert_msg(getline(&text, &size, test.monitor) > 0, "QEMU ended: %s", read_log());
        message = json_loads(text, 0, NULL);
        free(text);
        ck_assert_ptr_nonnull(message);
        return message;
}

/* Runs a command; its answer, which is the caller's, or fails. Takes arguments. */
static json_t *run(const char *name, json_t *arguments)
{
        json_t *command = json_object(), *message, *answer;
        char *text;

        json_object_set_new(command, "execute", json_string(name));
        if (arguments)
                json_object_set_new(command, "arguments", arguments);
        text = json_dumps(command, JSON_COMPACT);
        fprintf(test.monitor, "%s\n", text);
        fflush(test.monitor);
        for (message = read_message(); json_object_get(message, "event"); message = read_message())
                json_decref(message);
        answer = json_incref(json_object_get(message, "return"));
        if (!answer)
                ck_abort_msg("%s: %s", text, json_dumps(message, 0));
        json_decref(message);
        json_decref(command);
        free(text);
        return answer;
}

static void set_up_guest(const struct qemu_command *command)
{
        size_t index;
        json_t *object;

        json_decref(run("qmp_capabilities", NULL));
        json_array_foreach(command->setup, index, object)
                json_decref(run(json_string_value(json_object_get(object, "execute")),
                                json_incref(json_object_get(object, "arguments"))));
}

static struct qemu_command *build(const struct domain_def *def, GHashTable *resources, int monitor_fd,
                                  GError **error)
{
        struct qemu_command_context context = {
                .monitor_fd = monitor_fd,
                .home = test.dir,
                .resources = resources,
                .now_s = 1700000000,
        };

        return qemu_command_build(def, test.caps, &context, error);
}

static void start(const struct domain_def *def)
{
        g_autoptr(GHashTable) resources = prepare(def);
        g_autofree char *path = g_build_filename(test.dir, "monitor", NULL);
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        CLEANUP_FD int listener = listen_at(path);
        g_autoptr(GError) error = NULL;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        command = build(def, resources, listener, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        test.qemu = fork();
        if (test.qemu == 0)
                exec_qemu(command);
        strcpy(address.sun_path, path);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd_steal(&listener));
        test.monitor = fdopen(fd, "r+");
        json_decref(read_message());
        set_up_guest(command);
}

/* ---- what QEMU says ---- */

static json_t *qom_get(const char *path, const char *property)
{
        return run("qom-get", json_pack("{s:s, s:s}", "path", path, "property", property));
}

/* The name of the bus that a PCI controller makes. */
static const char *bus_name(const struct domain_def *def, unsigned bus)
{
        for (unsigned i = 0; i < def->devices.n_controllers; i++) {
                const struct domain_controller *controller = &def->devices.controllers[i];

                if (controller->type == DOMAIN_CONTROLLER_PCI && controller->index == bus)
                        return controller->info.alias;
        }
        ck_abort_msg("there is no PCI controller %u", bus);
}

static void expect_pci(const struct domain_def *def, const struct domain_device_info *info)
{
        const struct domain_address_pci *pci = &info->address.pci;
        g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", info->alias);
        json_t *place = qom_get(path, "addr"), *bus = qom_get(path, "parent_bus");

        ck_assert_msg(json_integer_value(place) == pci->slot * 8 + pci->function, "%s is at %d", info->alias,
                      (int)json_integer_value(place));
        ck_assert_msg(g_str_has_suffix(json_string_value(bus), bus_name(def, pci->bus)), "%s is on %s",
                      info->alias, json_string_value(bus));
        json_decref(place);
        json_decref(bus);
}

static void expect_device(const struct domain_device_info *info, const json_t *peripherals)
{
        size_t index;
        json_t *child;

        json_array_foreach(peripherals, index, child)
        {
                if (g_strcmp0(json_string_value(json_object_get(child, "name")), info->alias) == 0)
                        return;
        }
        ck_abort_msg("there is no device %s", info->alias);
}

static void expect_usb(const char *id, const struct domain_address_usb *usb)
{
        g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);
        g_autofree char *expected = g_strdup_printf("%u", usb->port[0]);
        json_t *port;

        if (!usb->port[0] || usb->port[1])
                return;
        port = qom_get(path, "port");
        ck_assert_str_eq(json_string_value(port), expected);
        json_decref(port);
}

struct view {
        const struct domain_def *def;
        json_t *peripherals;
};

static void expect_info(const struct view *view, const struct domain_device_info *info)
{
        expect_device(info, view->peripherals);
        if (info->address.type == DOMAIN_ADDRESS_PCI)
                expect_pci(view->def, info);
        if (info->address.type == DOMAIN_ADDRESS_USB)
                expect_usb(info->alias, &info->address.usb);
}

#define EXPECT_EACH(array, condition)                                                                        \
        for (unsigned i = 0; i < devices->n_##array; i++) {                                                  \
                if (condition)                                                                               \
                        expect_info(view, &devices->array[i].info);                                          \
        }

static bool is_own_controller(const struct domain_def *def, const struct domain_controller *controller)
{
        if (!g_strcmp0(controller->model, "pci-root") || !g_strcmp0(controller->model, "pcie-root") ||
            !g_strcmp0(controller->model, "none") || controller->master_port >= 0)
                return false;
        if (controller->type == DOMAIN_CONTROLLER_SATA && controller->index == 0)
                return strstr(def->os.machine, "q35") == NULL;
        return controller->type != DOMAIN_CONTROLLER_IDE && controller->type != DOMAIN_CONTROLLER_FDC;
}

static bool is_own_char(const struct domain_char *chr)
{
        return !chr->is_serial_alias && g_strcmp0(chr->target_type, "guestfwd") != 0;
}

static void expect_devices(const struct view *view)
{
        const struct domain_devices *devices = &view->def->devices;

        EXPECT_EACH(disks,
                    devices->disks[i].bus != DOMAIN_BUS_USB || devices->disks[i].device != DOMAIN_DISK_CDROM)
        EXPECT_EACH(controllers, is_own_controller(view->def, &devices->controllers[i]))
        EXPECT_EACH(interfaces, true)
        EXPECT_EACH(smartcards, true)
        EXPECT_EACH(chars, is_own_char(&devices->chars[i]))
        EXPECT_EACH(inputs, g_strcmp0(devices->inputs[i].bus, "ps2") != 0)
        EXPECT_EACH(sounds, g_strcmp0(devices->sounds[i].model, "pcspk") != 0)
        EXPECT_EACH(videos, true)
        EXPECT_EACH(redirdevs, true)
        EXPECT_EACH(hubs, true)
        EXPECT_EACH(watchdogs, true)
        EXPECT_EACH(rngs, true)
        EXPECT_EACH(panics, true)
        if (devices->memballoon && g_strcmp0(devices->memballoon->model, "none") != 0)
                expect_info(view, &devices->memballoon->info);
}

/* Each drive has its medium, and through the file that the definition names. */
static void expect_media(const struct domain_def *def)
{
        json_t *drives = run("query-block", NULL), *drive;

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];
                const char *medium = NULL;
                bool found = false;
                size_t index;

                json_array_foreach(drives, index, drive)
                {
                        const char *qdev = json_string_value(json_object_get(drive, "qdev"));
                        json_t *image = json_object_get(json_object_get(drive, "inserted"), "image");

                        if (!qdev || !strstr(qdev, disk->info.alias))
                                continue;
                        found = true;
                        medium = json_string_value(json_object_get(image, "filename"));
                }
                ck_assert_msg(found, "%s has no drive", disk->info.alias);
                if (disk->source.path)
                        ck_assert_msg(medium && strstr(medium, disk->source.path), "%s: %s", disk->target,
                                      medium);
                else
                        ck_assert_ptr_null(medium);
        }
        json_decref(drives);
}

static void expect_answer(const char *command, const char *member, const char *expected)
{
        json_t *answer = run(command, NULL);

        ck_assert_str_eq(json_string_value(json_object_get(answer, member)), expected);
        json_decref(answer);
}

static void expect_machine(const struct domain_def *def)
{
        json_t *memory = run("query-memory-size-summary", NULL), *cpus = run("query-cpus-fast", NULL);
        json_int_t size = json_integer_value(json_object_get(memory, "base-memory"));
        char uuid[UUID_STRING_LENGTH + 1];

        expect_answer("query-status", "status", "prelaunch");
        expect_answer("query-name", "name", def->base.name);
        expect_answer("query-uuid", "UUID", uuid_format(&def->base.uuid, uuid));
        ck_assert_uint_eq((uint64_t)size, def->memory_kib * 1024);
        ck_assert_uint_eq(json_array_size(cpus), def->vcpus);
        json_decref(memory);
        json_decref(cpus);
}

static void expect_guest(const struct domain_def *def)
{
        struct view view = { .def = def };

        expect_machine(def);
        view.peripherals = run("qom-list", json_pack("{s:s}", "path", "/machine/peripheral"));
        expect_devices(&view);
        expect_media(def);
        json_decref(view.peripherals);
}

/* ---- tests ---- */

static struct domain_def *start_document(const char *name)
{
        g_autoptr(GString) text = read_document(name);
        struct domain_def *def = parse(text->str);

        make_images();
        start(def);
        expect_guest(def);
        return def;
}

static const char *const documents[] = {
        "virt-install-q35.xml", "i440fx.xml", "storage.xml", "devices.xml", "tuned.xml",
};

START_TEST(test_document)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        if (!has_qemu())
                return;
        def = start_document(documents[_i]);
}
END_TEST

/* The same input gives the same command line, and no password is on it. */
START_TEST(test_command_line)
{
        g_autoptr(GString) text = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *one = NULL, *two = NULL;
        g_autoptr(GHashTable) resources = NULL;
        g_autofree char *first = NULL, *second = NULL, *setup = NULL;

        if (!has_qemu())
                return;
        text = read_document("i440fx.xml");
        def = parse(text->str);
        make_images();
        resources = prepare(def);
        one = build(def, resources, 5, NULL);
        two = build(def, resources, 5, NULL);
        first = qemu_command_format(one);
        second = qemu_command_format(two);
        ck_assert_str_eq(first, second);
        ck_assert_ptr_null(strstr(first, "secret1"));
        setup = json_dumps(one->setup, 0);
        ck_assert_ptr_nonnull(strstr(setup, "secret1"));
}
END_TEST

static GArray *fds(int first, unsigned count)
{
        GArray *array = g_array_new(FALSE, FALSE, sizeof(int));

        for (unsigned i = 0; i < count; i++) {
                int fd = first + (int)i;

                g_array_append_val(array, fd);
        }
        return array;
}

static struct device_resources *add_resources(GHashTable *resources, const char *alias)
{
        struct device_resources *added = device_resources_new();

        g_hash_table_insert(resources, (char *)alias, added);
        return added;
}

static bool has_argument(const struct qemu_command *command, const char *option, const char *start)
{
        for (unsigned i = 0; command->argv->pdata[i + 1]; i++) {
                if (strcmp(command->argv->pdata[i], option) == 0 &&
                    g_str_has_prefix(command->argv->pdata[i + 1], start))
                        return true;
        }
        return false;
}

START_TEST(test_host_devices)
{
        static const char *const expected[][2] = {
                { "-netdev", "{\"id\":\"hostnet0\",\"type\":\"tap\",\"fds\":\"20:21\",\"vhost\":true,"
                             "\"vhostfds\":\"30:31\"}" },
                { "-device", "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\",\"mq\":true,\"vectors\":6,"
                             "\"rx_queue_size\":512,\"netdev\":\"hostnet0\",\"mac\":\"52:54:00:aa:bb:08\"" },
                { "-netdev", "{\"id\":\"hostnet1\",\"type\":\"tap\",\"fd\":\"40\"}" },
                { "-chardev", "socket,id=chrtpm0,path=/run/t,,pm,server=off" },
                { "-tpmdev", "emulator,id=tpm-tpm0,chardev=chrtpm0" },
                { "-device", "{\"driver\":\"tpm-crb\",\"id\":\"tpm0\",\"tpmdev\":\"tpm-tpm0\"}" },
                { "-device",
                  "{\"driver\":\"usb-host\",\"id\":\"hostdev0\",\"vendorid\":4660,\"productid\":48879" },
                { "-device",
                  "{\"driver\":\"usb-host\",\"id\":\"hostdev1\",\"hostdevice\":\"/dev/bus/usb/001/003\","
                  "\"guest-reset\":true,\"guest-resets-all\":false" },
                { "-device",
                  "{\"driver\":\"vfio-pci\",\"id\":\"hostdev2\",\"host\":\"0000:06:02.1\",\"bootindex\":1" },
                { "-device",
                  "{\"driver\":\"vfio-pci\",\"id\":\"hostdev3\",\"sysfsdev\":"
                  "\"/sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804\",\"display\":\"on\"" },
                { "-device",
                  "{\"driver\":\"vhost-vsock-pci\",\"id\":\"vsock0\",\"guest-cid\":5,\"vhostfd\":\"50\"" },
                { "-device", "{\"driver\":\"ivshmem-plain\",\"id\":\"shmem0\",\"memdev\":\"shmmem-shmem0\"" },
        };
        g_autoptr(GHashTable) resources = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GString) text = NULL;
        g_autoptr(GError) error = NULL;

        if (!has_qemu())
                return;
        text = read_document("host.xml");
        def = parse(text->str);
        resources = prepare(def);
        add_resources(resources, "net0")->fds = fds(20, 2);
        ((struct device_resources *)g_hash_table_lookup(resources, "net0"))->vhost_fds = fds(30, 2);
        add_resources(resources, "net1")->fds = fds(40, 1);
        add_resources(resources, "tpm0")->socket = g_strdup("/run/t,pm");
        add_resources(resources, "vsock0")->fds = fds(50, 1);
        command = build(def, resources, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++)
                ck_assert_msg(has_argument(command, expected[i][0], expected[i][1]), "%s %s", expected[i][0],
                              expected[i][1]);
}
END_TEST

/* ---- refusals ---- */

struct refusal {
        const char *type;    /* NULL: "qemu" */
        const char *top;     /* beside <devices>; NULL: nothing */
        const char *devices; /* NULL: nothing */
        const char *part;    /* of the error */
};

static const struct refusal refusals[] = {
        { NULL, NULL, "<filesystem><source dir='/x'/><target dir='y'/></filesystem>", "<filesystem>" },
        { NULL, NULL,
          "<disk type='network' device='disk'><source protocol='nbd' name='x'><host name='h'/></source>"
          "<target dev='vda' bus='virtio'/></disk>",
          "protocol" },
        { NULL, NULL,
          "<disk type='file' device='disk'><driver name='qemu' type='raw' io='native'/><source file='/x'/>"
          "<target dev='vda' bus='virtio'/></disk>",
          "io='native' of disk 'vda' needs cache='none'" },
        { NULL, NULL,
          "<disk type='file' device='disk'><source file='/x'/><target dev='vda' bus='virtio'/>"
          "<wwn>5000c50015ea71ad</wwn></disk>",
          "<wwn> of disk 'vda' on bus 'virtio'" },
        { NULL, NULL, "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
          "needs <graphics type='spice'>" },
        { NULL, NULL, "<graphics type='sdl' display=':0'/>", "<graphics type='sdl'>" },
        { NULL, NULL, "<interface type='bridge'><source bridge='br0'/></interface>",
          "interface type 'bridge'" },
        { NULL, NULL, "<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
          "type='passthrough'" },
        { NULL, NULL, "<sound model='ich7'/>", "ich7" },
        { NULL, "<cpu mode='host-passthrough'/>", NULL, "'host-passthrough' without KVM" },
        { NULL, "<cpu mode='custom'><model>Pentium-9</model></cpu>", NULL, "no CPU model 'Pentium-9'" },
        { NULL, "<vcpu placement='auto'>2</vcpu>", NULL, "placement='auto' of <vcpu>" },
        { NULL, "<cpu mode='custom' match='strict'><model>Nehalem</model></cpu>", NULL, "match='strict'" },
        { NULL, NULL, "<graphics type='vnc' port='5901'/><graphics type='vnc' port='5902'/>",
          "more than one" },
        { NULL, "<features><hap/></features>", NULL, "feature 'hap'" },
        { NULL, "<launchSecurity type='sev'/>", NULL, "launchSecurity" },
};

static struct domain_def *parse_refusal(const struct refusal *refusal)
{
        g_autofree char *text =
                g_strdup_printf("<domain type='%s'><name>x</name><memory>65536</memory><os><type "
                                "machine='q35'>hvm</type></os>%s"
                                "<devices>%s</devices></domain>",
                                refusal->type ? refusal->type : "qemu", refusal->top ? refusal->top : "",
                                refusal->devices ? refusal->devices : "");

        return parse(text);
}

START_TEST(test_refusal)
{
        const struct refusal *refusal = &refusals[_i];
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;

        if (!has_qemu())
                return;
        def = parse_refusal(refusal);
        ck_assert_ptr_null(build(def, NULL, 5, &error));
        ck_assert_msg(error_is(error, ERROR_CONFIG_UNSUPPORTED), "%s", error->message);
        ck_assert_msg(strstr(error->message, refusal->part) != NULL, "%s", error->message);
}
END_TEST

/* An emulator without the device is refused by name before it is started. */
START_TEST(test_missing_device)
{
        const struct refusal request = { .devices = "<watchdog model='i6300esb'/>" };
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;
        json_t *document, *types;
        size_t index;
        json_t *type;

        if (!has_qemu())
                return;
        def = parse_refusal(&request);
        document = json_deep_copy(qemu_caps_get_document(test.caps));
        types = json_object_get(document, "types");
        json_array_foreach(types, index, type)
        {
                if (strcmp(json_string_value(type), "i6300esb") == 0)
                        break;
        }
        ck_assert_int_eq(json_array_remove(types, index), 0);
        qemu_caps_unref(test.caps);
        test.caps = qemu_caps_new(document, NULL);
        json_decref(document);
        ck_assert_ptr_null(build(def, NULL, 5, &error));
        ck_assert_str_eq(error->message,
                         "unsupported configuration: emulator '" QEMU "' has no device 'i6300esb'");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-command");
        TCase *tcase = tcase_create("qemu-command");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, test_document, 0, G_N_ELEMENTS(documents));
        tcase_add_test(tcase, test_command_line);
        tcase_add_test(tcase, test_host_devices);
        tcase_add_loop_test(tcase, test_refusal, 0, G_N_ELEMENTS(refusals));
        tcase_add_test(tcase, test_missing_device);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
