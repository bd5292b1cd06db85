/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines, put to the test by the real QEMU: for each document in qemu-command/ it is started (with -S,
 * no guest runs), and asked through QMP whether every device is there, on the bus and in the slot that the
 * document gives it, and every drive has its medium. The same descriptions are plugged in through the
 * monitor.
 */
#include "drivers/domain/edit-xml.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/device-rows.h"
#include "tests/unit/qemu-fixture.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
        pid_t qemu;
        FILE *monitor;
        char deleted[64]; /* the device that went last */
} guest;

static void tear_down(void)
{
        if (guest.monitor)
                fclose(guest.monitor);
        if (guest.qemu > 0) {
                kill(guest.qemu, SIGKILL);
                waitpid(guest.qemu, NULL, 0);
        }
        fixture_tear_down();
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

/* ---- QEMU ---- */

static void exec_qemu(const struct qemu_command *command)
{
        g_autofree char *log = g_build_filename(fixture.dir, "log", NULL);
        int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        execve(command->argv->pdata[0], (char **)command->argv->pdata, (char **)command->env->pdata);
        _exit(127);
}

static const char *read_log(void)
{
        g_autofree char *path = g_build_filename(fixture.dir, "log", NULL);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : "";
}

static json_t *read_message(void)
{
        size_t size = 0;
        char *text = NULL;
        json_t *message;

        ck_assert_msg(getline(&text, &size, guest.monitor) > 0, "QEMU ended: %s", read_log());
        message = json_loads(text, 0, NULL);
        free(text);
        ck_assert_ptr_nonnull(message);
        return message;
}

static void note_event(const json_t *message)
{
        const json_t *data = json_object_get(message, "data");
        const char *device = json_string_value(json_object_get(data, "device"));

        if (strcmp(json_string_value(json_object_get(message, "event")), "DEVICE_DELETED") == 0 && device)
                g_strlcpy(guest.deleted, device, sizeof(guest.deleted));
}

/* The next message that is no event. */
static json_t *read_answer(void)
{
        json_t *message;

        for (message = read_message(); json_object_get(message, "event"); message = read_message()) {
                note_event(message);
                json_decref(message);
        }
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
        fprintf(guest.monitor, "%s\n", text);
        fflush(guest.monitor);
        message = read_answer();
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

static void start(const struct domain_def *def)
{
        g_autoptr(GHashTable) resources = fixture_prepare(def);
        g_autofree char *path = g_build_filename(fixture.dir, "monitor", NULL);
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        CLEANUP_FD int listener = listen_at(path);
        g_autoptr(GError) error = NULL;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        command = fixture_build(def, resources, listener, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        guest.qemu = fork();
        if (guest.qemu == 0)
                exec_qemu(command);
        strcpy(address.sun_path, path);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd_steal(&listener));
        guest.monitor = fdopen(fd, "r+");
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
        g_autoptr(GString) text = fixture_read_document(name);
        struct domain_def *def = fixture_parse(text->str);

        fixture_make_images();
        start(def);
        expect_guest(def);
        return def;
}

static const char *const documents[] = {
        "virt-install-q35.xml", "i440fx.xml", "storage.xml", "devices.xml", "tuned.xml", "crypto.xml",
};

START_TEST(test_document)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        if (!fixture_has_qemu())
                return;
        def = start_document(documents[_i]);
}
END_TEST

/* ---- hot-plug ---- */

#define PLUG_HEAD                                                                                            \
        "<domain type='qemu'><name>plug</name><memory>65536</memory><os><type machine='q35'>hvm</type></os>" \
        "<devices><controller type='pci' index='0' model='pcie-root'/>"                                      \
        "<controller type='pci' index='1' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='2' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='3' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='4' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='5' model='pcie-root-port'/>"                                          \
        "<controller type='usb' index='0' model='qemu-xhci'><address type='pci' bus='1' "                    \
        "slot='0'/></controller>"                                                                            \
        "<controller type='virtio-serial' index='0'><address type='pci' bus='2' slot='0'/></controller>"     \
        "<memballoon model='none'/>"

static const char plugged[] = PLUG_HEAD
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='@DIR@/top,1.qcow2'/>"
        "<target dev='vda' bus='virtio'/><iotune><total_iops_sec>100</total_iops_sec></iotune>"
        "<address type='pci' bus='3' slot='0'/></disk>"
        "<interface type='user'><mac address='52:54:00:aa:bb:0a'/><model type='virtio'/>"
        "<ip family='ipv4' address='172.17.2.0' prefix='24'/><address type='pci' bus='4' "
        "slot='0'/></interface>"
        "<channel type='pty'><target type='virtio' name='a'/></channel>"
        "<channel type='file'><source path='@DIR@/out'/><target type='virtio' name='b'/></channel>"
        "<channel type='unix'><source mode='bind' path='@DIR@/c,.sock'/><log file='@DIR@/c.log' append='on'/>"
        "<target type='virtio' name='c'/></channel>"
        "<channel type='tcp'><source mode='bind' host='127.0.0.1' service='0'/><protocol type='telnet'/>"
        "<target type='virtio' name='d'/></channel>"
        "<channel type='udp'><source mode='bind' host='127.0.0.1' service='0'/>"
        "<source mode='connect' host='127.0.0.1' service='9'/><target type='virtio' name='e'/></channel>"
        "<input type='tablet' bus='usb'/>"
        "<rng model='virtio'><backend model='builtin'/><address type='pci' bus='5' slot='0'/></rng>"
        "</devices></domain>";

static struct device_list *describe_plugged(const struct device_context *context)
{
        const struct domain_devices *devices = &context->def->devices;
        struct device_list *list = device_list_new();

        ck_assert(device_describe_disk(list, context, &devices->disks[0], NULL));
        ck_assert(device_describe_interface(list, context, &devices->interfaces[0], NULL));
        for (unsigned i = 0; i < devices->n_chars; i++)
                ck_assert(device_describe_char(list, context, &devices->chars[i], NULL));
        for (unsigned i = 0; i < devices->n_inputs; i++)
                ck_assert(device_describe_input(list, context, &devices->inputs[i], NULL));
        ck_assert(device_describe_rng(list, context, &devices->rngs[0], NULL));
        return list;
}

/* The descriptions of the command line are what the monitor takes, too. */
START_TEST(test_hotplug)
{
        g_autoptr(GString) text = g_string_new(plugged);
        CLEANUP(domain_def_unref) struct domain_def *bare = NULL, *def = NULL;
        CLEANUP(device_list_free) struct device_list *list = NULL;
        g_autoptr(GHashTable) resources = NULL;
        struct device_context context = { 0 };

        if (!fixture_has_qemu())
                return;
        g_string_replace(text, "@DIR@", fixture.dir, 0);
        bare = fixture_parse(PLUG_HEAD "</devices></domain>");
        def = fixture_parse(text->str);
        fixture_make_images();
        resources = fixture_prepare(def);
        context = (struct device_context){ .def = def, .caps = fixture.caps, .resources = resources };
        list = describe_plugged(&context);
        start(bare);
        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const struct device_part *part = device_list_get(list, i);

                json_decref(run(device_part_get_command(part), json_incref(part->arguments)));
        }
        expect_media(def);
}
END_TEST

/* ---- plugging into a guest that runs ---- */

/* What comes, the commands that make it, and those that undo it when the device has gone. */
static const struct {
        const char *device, *alias, *made, *undone;
} plugs[] = {
        { "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source "
          "file='@DIR@/top,1.qcow2'/>"
          "<target dev='vdc' bus='virtio'/><iotune><total_iops_sec>100</total_iops_sec>"
          "<group_name>g</group_name></iotune></disk>",
          "virtio-disk2",
          "blockdev-add blockdev-add blockdev-add blockdev-add blockdev-add blockdev-add object-add "
          "blockdev-add "
          "device_add ",
          "device_del blockdev-del object-del blockdev-del blockdev-del blockdev-del blockdev-del "
          "blockdev-del "
          "blockdev-del " },
        /* in the group that the other has made */
        { "<disk type='file' device='disk'><source file='@DIR@/b.raw'/><target dev='vda' bus='virtio'/>"
          "<iotune><group_name>h</group_name></iotune></disk>",
          "virtio-disk0", "blockdev-add blockdev-add blockdev-add device_add ",
          "device_del blockdev-del blockdev-del blockdev-del " },
        { "<disk type='file' device='disk'><source file='@DIR@/c.raw'/><target dev='sda' bus='scsi'/></disk>",
          "scsi0-0-0-0", "device_add blockdev-add blockdev-add device_add ",
          "device_del blockdev-del blockdev-del " },
        { "<interface type='user'><model type='virtio'/></interface>", "net0", "netdev_add device_add ",
          "device_del netdev_del " },
        { "<rng model='virtio'><backend model='random'/></rng>", "rng0", "object-add device_add ",
          "device_del object-del " },
        { "<channel type='unix'><source mode='bind' path='@DIR@/plug.sock'/><target type='virtio' "
          "name='a'/></channel>",
          "channel0", "getfd chardev-add device_add ", "device_del chardev-remove " },
        { "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>", "crypto0",
          "object-add device_add ", "device_del object-del " },
};

#define RUNNING                                                                                              \
        PLUG_HEAD "<controller type='pci' index='6' model='pcie-root-port'/>"                                \
                  "<controller type='pci' index='7' model='pcie-root-port'/>"                                \
                  "<controller type='pci' index='8' model='pcie-root-port'/>"                                \
                  "<disk type='file' device='disk'><source file='@DIR@/a.raw'/>"                             \
                  "<target dev='vdb' "                                                                       \
                  "bus='virtio'/><iotune><group_name>h</group_name></iotune></disk></devices></domain>"

static char *in_folder(const char *text)
{
        GString *filled = g_string_new(text);

        g_string_replace(filled, "@DIR@", fixture.dir, 0);
        return g_string_free(filled, FALSE);
}

/* Like run(), with a descriptor along. */
static void run_fd(const char *name, const json_t *arguments, int fd)
{
        g_autofree char *text =
                g_strdup_printf("{\"execute\":\"%s\",\"arguments\":{\"fdname\":\"%s\"}}\n", name,
                                json_string_value(json_object_get(arguments, "fdname")));
        char control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec iov = { text, strlen(text) };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        json_t *answer;

        *header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        ck_assert_int_gt(sendmsg(fileno(guest.monitor), &message, 0), 0);
        answer = read_answer();
        ck_assert_msg(json_object_get(answer, "return"), "%s", json_dumps(answer, 0));
        json_decref(answer);
}

/* What the host has for a device of def: chains of disks, numbered on; the socket of a channel. */
static GHashTable *prepare_plug(const struct domain_def *def)
{
        GHashTable *resources = fixture_prepare(def);
        unsigned index = 20;

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];
                struct device_resources *prepared = g_hash_table_lookup(resources, disk->info.alias);

                g_ptr_array_unref(prepared->chain);
                index = 20 * (1 + (unsigned)(disk->target[2] - 'a') + (disk->bus == DOMAIN_BUS_SCSI ? 9 : 0));
                prepared->chain = block_chain_resolve(disk->target, &disk->source, &index, NULL);
        }
        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                struct device_resources *prepared = device_resources_new();
                int fd = listen_at(def->devices.chars[i].source.path);

                prepared->fds = g_array_new(FALSE, FALSE, sizeof(int));
                g_array_append_val(prepared->fds, fd);
                g_hash_table_insert(resources, (char *)def->devices.chars[i].info.alias, prepared);
        }
        return resources;
}

/* Of a chain only the last node that is made, the top, may be written to. */
static void expect_writable_top(const struct device_list *list)
{
        bool writable = false;

        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const json_t *read_only = json_object_get(device_list_get(list, i)->arguments, "read-only");

                ck_assert(!writable || !read_only);
                writable |= json_is_false(read_only);
        }
}

/* Describes all that is new and makes it; the names of the commands. */
static char *make_devices(const struct domain_def *def, const GArray *devices)
{
        g_autoptr(GHashTable) resources = prepare_plug(def);
        const struct device_context context = {
                .def = def, .caps = fixture.caps, .resources = resources, .hot = true
        };
        CLEANUP(device_list_free) struct device_list *list = device_list_new();
        GString *names = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < devices->len; i++) {
                const struct domain_edit_device *it = &g_array_index(devices, struct domain_edit_device, i);
                const void *device = domain_devices_get(&def->devices, it->kind, it->index);

                ck_assert(device_require_pluggable(it->kind, device, NULL));
                ck_assert_msg(device_row_get(it->kind)->describe(list, &context, device, &error), "%s",
                              error ? error->message : "");
        }
        expect_writable_top(list);
        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const struct device_part *part = device_list_get(list, i);

                g_string_append_printf(names, "%s ", device_part_get_command(part));
                if (part->fd >= 0)
                        run_fd(device_part_get_command(part), part->arguments, part->fd);
                else
                        json_decref(run(device_part_get_command(part), json_incref(part->arguments)));
        }
        return g_string_free(names, FALSE);
}

/* The active definition with the numbers of the images in it, as start and plug leave it. */
static struct domain_def *write_chain(const struct domain_def *def, const char *alias)
{
        g_autoptr(GHashTable) resources = fixture_prepare(def);
        const struct device_resources *prepared;
        struct domain_edit_image images[8] = { 0 };
        struct domain_edit *edit;
        const GPtrArray *chain;
        unsigned index = 20;

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (strcmp(disk->info.alias, alias) == 0)
                        index = 20 * (1 + (unsigned)(disk->target[2] - 'a') +
                                      (disk->bus == DOMAIN_BUS_SCSI ? 9 : 0));
        }
        prepared = g_hash_table_lookup(resources, alias);
        if (!prepared)
                return domain_def_ref((struct domain_def *)def);
        chain = prepared->chain;
        for (unsigned i = 0; i < chain->len; i++) {
                const struct block_image *image = chain->pdata[i];

                images[i] = (struct domain_edit_image){ .path = image->path,
                                                        .format = image->format,
                                                        .index = index + i };
        }
        edit = domain_edit_new(def, NULL);
        domain_edit_set_disk_chain(edit, alias, images, chain->len);
        return domain_edit_commit(edit, NULL);
}

static bool is_there(const char *alias)
{
        json_t *list = run("qom-list", json_pack("{s:s}", "path", "/machine/peripheral")), *item;
        bool found = false;
        size_t i;

        json_array_foreach(list, i, item) found |=
                strcmp(json_string_value(json_object_get(item, "name")), alias) == 0;
        json_decref(list);
        return found;
}

/* No guest answers the machine's request; one that starts anew has nothing against it. */
static void wait_deleted(const char *alias)
{
        if (strcmp(guest.deleted, alias) != 0)
                json_decref(run("system_reset", NULL));
        while (strcmp(guest.deleted, alias) != 0) {
                json_t *message = read_message();

                note_event(message);
                json_decref(message);
        }
}

/* Undoes it in reverse; the names of the commands. */
static char *unmake(const struct domain_def *def, const struct domain_edit_device *device)
{
        CLEANUP(device_list_free) struct device_list *list = device_list_new();
        GString *names = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        ck_assert_msg(device_describe_removal(list, def, fixture.caps, device->kind,
                                              domain_devices_get(&def->devices, device->kind, device->index),
                                              &error),
                      "%s", error ? error->message : "");
        for (unsigned i = device_list_get_length(list); i-- > 0;) {
                const struct device_part *part = device_list_get(list, i);

                g_string_append_printf(names, "%s ", device_part_get_undo_command(part));
                json_decref(run(device_part_get_undo_command(part), device_part_get_undo_arguments(part)));
                if (part->kind == DEVICE_DEVICE)
                        wait_deleted(json_string_value(json_object_get(part->arguments, "id")));
        }
        return g_string_free(names, FALSE);
}

/* A device of an edit of a guest that runs, described hot, plugged into a real QEMU and taken out again. */
START_TEST(test_plug)
{
        g_autofree char *text = in_folder(RUNNING), *device = in_folder(plugs[_i].device), *made = NULL,
                        *undone = NULL;
        struct domain_machine machine = { 0 };
        struct domain_doc *doc = domain_doc_parse(text, NULL);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL, *with = NULL, *active = NULL;
        g_autoptr(GArray) devices = NULL;
        g_autoptr(GError) error = NULL;
        struct domain_edit *edit;

        if (!fixture_has_qemu())
                return;
        fixture_resolve(doc, &machine);
        domain_doc_free(doc);
        fixture_make_images();
        def = fixture_parse(text);
        start(def);
        edit = domain_edit_new(def, NULL);
        devices = domain_edit_attach_device(edit, device, &(struct domain_edit_side){ &machine, true });
        with = domain_edit_commit(edit, &error);
        ck_assert_msg(with, "%s", error ? error->message : "");
        ck_assert(!is_there(plugs[_i].alias));
        made = make_devices(with, devices);
        ck_assert_str_eq(made, plugs[_i].made);
        ck_assert(is_there(plugs[_i].alias));
        active = write_chain(with, plugs[_i].alias);
        undone = unmake(active, &g_array_index(devices, struct domain_edit_device, devices->len - 1));
        ck_assert_str_eq(undone, plugs[_i].undone);
        ck_assert(!is_there(plugs[_i].alias));
}
END_TEST

/* What the machine or its guest cannot take while it runs. */
START_TEST(test_not_pluggable)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autofree char *text =
                in_folder("<domain type='qemu'><name>x</name><memory>65536</memory>"
                          "<os><type machine='q35'>hvm</type></os><devices>"
                          "<disk><source file='@DIR@/a.raw'/><target dev='sda' bus='sata'/></disk>"
                          "<disk device='cdrom'><target dev='sdb' bus='scsi'/></disk>"
                          "<serial type='pty'/><graphics type='vnc'/>"
                          "</devices></domain>");
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse(text);
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_DISK, domain_def_find_disk(def, "sda"), &error));
        ck_assert_ptr_nonnull(strstr(error->message, "device 'sata0-0-0' (<disk>) cannot be plugged"));
        ck_assert(device_require_pluggable(DOMAIN_DEVICE_DISK, domain_def_find_disk(def, "sdb"), NULL));
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_SERIAL, &def->devices.chars[0], NULL));
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_GRAPHICS, &def->devices.graphics[0], NULL));
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_MEMBALLOON, def->devices.memballoon, NULL));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-hardware");
        TCase *tcase = tcase_create("qemu-hardware");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, fixture_set_up, tear_down);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, test_document, 0, G_N_ELEMENTS(documents));
        tcase_add_test(tcase, test_hotplug);
        tcase_add_test(tcase, test_not_pluggable);
        tcase_add_loop_test(tcase, test_plug, 0, G_N_ELEMENTS(plugs));
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
