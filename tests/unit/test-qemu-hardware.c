/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines, put to the test by the real QEMU: for each document in qemu-command/ it is started (with -S,
 * no guest runs), and asked through QMP whether every device is there, on the bus and in the slot that the
 * document gives it, and every drive has its medium. The same descriptions are plugged in through the
 * monitor.
 */
#include "drivers/qemu/device.h"
#include "drivers/qemu/memory-backend.h"
#include "drivers/qemu/passt.h"
#include "tests/unit/check-main.h"
#include "tests/unit/qemu-machine.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- what QEMU says ---- */

static json_t *qom_get(const char *path, const char *property)
{
        return machine_run("qom-get", json_pack("{s:s, s:s}", "path", path, "property", property));
}

/* The name of the bus that a PCI controller makes. Owned. */
static char *bus_name(const struct domain_def *def, unsigned bus)
{
        for (unsigned i = 0; i < def->devices.n_controllers; i++) {
                const struct domain_controller *controller = &def->devices.controllers[i];

                if (controller->type == DOMAIN_CONTROLLER_PCI && controller->index == bus)
                        return g_strconcat(controller->info.alias,
                                           bus && !g_strcmp0(controller->model, "pci-root") ? ".0" : "",
                                           NULL);
        }
        ck_abort_msg("there is no PCI controller %u", bus);
}

static void expect_pci(const struct domain_def *def, const struct domain_device_info *info)
{
        const struct domain_address_pci *pci = &info->address.pci;
        g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", info->alias);
        g_autofree char *expected = bus_name(def, pci->bus);
        json_t *place = qom_get(path, "addr"), *bus = qom_get(path, "parent_bus");

        ck_assert_msg(json_integer_value(place) == pci->slot * 8 + pci->function, "%s is at %d", info->alias,
                      (int)json_integer_value(place));
        ck_assert_msg(g_str_has_suffix(json_string_value(bus), expected), "%s is on %s", info->alias,
                      json_string_value(bus));
        json_decref(place);
        json_decref(bus);
}

/* By what guests of s390x know it. */
static void expect_zpci(const struct domain_device_info *info)
{
        const struct domain_address_pci *pci = &info->address.pci;
        g_autofree char *path = g_strdup_printf("/machine/peripheral/zpci%u", pci->zpci_uid);
        json_t *fid, *target;

        if (pci->zpci_uid == 0)
                return;
        fid = qom_get(path, "fid");
        target = qom_get(path, "target");
        ck_assert_uint_eq((uint64_t)json_integer_value(fid), pci->zpci_fid);
        ck_assert_str_eq(json_string_value(target), info->alias);
        json_decref(fid);
        json_decref(target);
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

static void expect_ccw(const struct domain_device_info *info)
{
        g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", info->alias);
        g_autofree char *expected = g_strdup_printf("%x.%x.%04x", info->address.ccw.cssid,
                                                    info->address.ccw.ssid, info->address.ccw.devno);
        json_t *number = qom_get(path, "dev_id");

        ck_assert_str_eq(json_string_value(number), expected);
        json_decref(number);
}

static void expect_register(const struct domain_device_info *info)
{
        g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", info->alias);
        json_t *number = qom_get(path, "reg");

        ck_assert_uint_eq((uint64_t)json_integer_value(number), info->address.spapr_vio.reg);
        json_decref(number);
}

struct view {
        const struct domain_def *def;
        json_t *peripherals;
};

static void expect_info(const struct view *view, const struct domain_device_info *info)
{
        expect_device(info, view->peripherals);
        if (info->address.type == DOMAIN_ADDRESS_PCI) {
                expect_pci(view->def, info);
                expect_zpci(info);
        }
        if (info->address.type == DOMAIN_ADDRESS_USB)
                expect_usb(info->alias, &info->address.usb);
        if (info->address.type == DOMAIN_ADDRESS_CCW)
                expect_ccw(info);
        if (info->address.type == DOMAIN_ADDRESS_SPAPR_VIO)
                expect_register(info);
}

#define EXPECT_EACH(array, condition)                                                                        \
        for (unsigned i = 0; i < devices->n_##array; i++) {                                                  \
                if (condition)                                                                               \
                        expect_info(view, &devices->array[i].info);                                          \
        }

static bool is_own_controller(const struct domain_def *def, const struct domain_controller *controller)
{
        if (controller->type == DOMAIN_CONTROLLER_PCI && controller->index == 0)
                return false;
        if (!g_strcmp0(controller->model, "none") || controller->master_port >= 0)
                return false;
        if (controller->type == DOMAIN_CONTROLLER_SATA && controller->index == 0)
                return strstr(def->os.machine, "q35") == NULL;
        return controller->type != DOMAIN_CONTROLLER_IDE && controller->type != DOMAIN_CONTROLLER_FDC;
}

static bool is_own_char(const struct domain_char *chr)
{
        return !chr->is_serial_alias && g_strcmp0(chr->target_type, "guestfwd") != 0 &&
               g_strcmp0(chr->target_type, "system-serial") != 0;
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
        EXPECT_EACH(panics, g_strcmp0(devices->panics[i].model, "s390") != 0 &&
                                    g_strcmp0(devices->panics[i].model, "pseries") != 0)
        if (devices->memballoon && g_strcmp0(devices->memballoon->model, "none") != 0)
                expect_info(view, &devices->memballoon->info);
}

/* Each drive has its medium, and through the file that the definition names. */
static void expect_media(const struct domain_def *def)
{
        json_t *drives = machine_run("query-block", NULL), *drive;

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
        json_t *answer = machine_run(command, NULL);

        ck_assert_str_eq(json_string_value(json_object_get(answer, member)), expected);
        json_decref(answer);
}

static void expect_machine(const struct domain_def *def)
{
        json_t *memory = machine_run("query-memory-size-summary", NULL),
               *cpus = machine_run("query-cpus-fast", NULL);
        json_int_t size = json_integer_value(json_object_get(memory, "base-memory"));
        char uuid[UUID_STRING_LENGTH + 1];

        expect_answer("query-status", "status", "prelaunch");
        expect_answer("query-name", "name", def->base.name);
        expect_answer("query-uuid", "UUID", uuid_format(&def->base.uuid, uuid));
        ck_assert_uint_eq((uint64_t)size, memory_get_initial_kib(def) * 1024);
        ck_assert_uint_eq(json_array_size(cpus), def->vcpus);
        json_decref(memory);
        json_decref(cpus);
}

static void expect_guest(const struct domain_def *def)
{
        struct view view = { .def = def };

        expect_machine(def);
        view.peripherals = machine_run("qom-list", json_pack("{s:s}", "path", "/machine/peripheral"));
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
        machine_start(def);
        expect_guest(def);
        return def;
}

static const char *const documents[] = {
        "virt-install-q35.xml", "i440fx.xml",         "storage.xml", "devices.xml", "tuned.xml",
        "crypto.xml",           "memory-devices.xml", "small.xml",   "hmat.xml",
};

START_TEST(test_document)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        if (!fixture_has_qemu())
                return;
        def = start_document(documents[_i]);
}
END_TEST

/* ---- other architectures ---- */

static const char *const architectures[] = { "aarch64", "riscv64", "ppc64", "s390x" };

/* What a serial port of the machine itself is connected to. */
static void expect_serials(const struct domain_def *def)
{
        json_t *chardevs = machine_run("query-chardev", NULL), *chardev;

        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                const struct domain_char *chr = &def->devices.chars[i];
                g_autofree char *label = g_strconcat("char", chr->info.alias, NULL);
                bool open = false;
                size_t index;

                if (g_strcmp0(chr->target_type, "system-serial") != 0)
                        continue;
                json_array_foreach(chardevs, index, chardev)
                {
                        if (strcmp(json_string_value(json_object_get(chardev, "label")), label) == 0)
                                open = json_is_true(json_object_get(chardev, "frontend-open"));
                }
                ck_assert_msg(open, "nothing is at %s", label);
        }
        json_decref(chardevs);
}

static void expect_wrapping(const char *property, enum domain_switch expected)
{
        json_t *value;

        if (expected == DOMAIN_SWITCH_ABSENT)
                return;
        value = qom_get("/machine", property);
        ck_assert(json_is_boolean(value));
        ck_assert_int_eq(json_is_true(value), expected == DOMAIN_SWITCH_ON);
        json_decref(value);
}

/* One that is built into the machine. */
static void expect_iommu(const struct domain_iommu *iommu)
{
        json_t *value;

        if (!iommu)
                return;
        value = qom_get("/machine", "iommu");
        ck_assert_str_eq(json_string_value(value), iommu->model);
        json_decref(value);
}

START_TEST(test_architecture)
{
        g_autofree char *emulator = g_strconcat("/usr/bin/qemu-system-", architectures[_i], NULL);
        g_autofree char *document = g_strconcat(architectures[_i], ".xml", NULL);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        if (!fixture_use(emulator)) {
                check_skip("one of qemu-system-{aarch64,riscv64,ppc64,s390x} is not installed");
                return;
        }
        def = start_document(document);
        expect_serials(def);
        expect_wrapping("aes-key-wrap", def->aes_wrap);
        expect_wrapping("dea-key-wrap", def->dea_wrap);
        expect_iommu(def->devices.iommu);
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
        machine_start(bare);
        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const struct device_part *part = device_list_get(list, i);

                json_decref(machine_run(device_part_get_command(part), json_incref(part->arguments)));
        }
        expect_media(def);
}
END_TEST

/* What passt is told of the ports that lead to the guest. */
START_TEST(test_forwards)
{
        static const char *const expected[] = {
                "--tcp-ports", "127.0.0.1/2022:22,4000-5000:2000-3000,~4500-4510",
                "--udp-ports", "::1%lo/53",
                "--tcp-ports", "0.0.0.0%lo/80",
                "--udp-ports", "all",
        };
        CLEANUP(domain_def_unref)
        struct domain_def *def = fixture_parse(
                PLUG_HEAD "<interface type='user'><backend type='passt'/>"
                          "<portForward proto='tcp' address='127.0.0.1'><range start='2022' to='22'/>"
                          "<range start='4000' end='5000' to='2000'/>"
                          "<range start='4500' end='4510' exclude='yes'/></portForward>"
                          "<portForward proto='udp' address='::1' dev='lo'><range start='53'/></portForward>"
                          "<portForward proto='tcp' dev='lo'><range start='80' end='80'/></portForward>"
                          "<portForward proto='udp'/></interface>"
                          "<interface type='user'><backend type='passt'/>"
                          "<portForward proto='udp' address='1.2.3.4/5'/></interface></devices></domain>");
        const struct domain_interface *interfaces = def->devices.interfaces;
        g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;

        ck_assert(passt_add_forwards(argv, &interfaces[0], NULL));
        ck_assert_uint_eq(argv->len, G_N_ELEMENTS(expected));
        for (unsigned i = 0; i < argv->len; i++)
                ck_assert_str_eq(argv->pdata[i], expected[i]);
        ck_assert(!passt_add_forwards(argv, &interfaces[1], &error));
        ck_assert(strstr(error->message, "'1.2.3.4/5'"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-hardware");
        TCase *tcase = tcase_create("qemu-hardware");

        tcase_add_unchecked_fixture(tcase, fixture_probe, fixture_forget);
        tcase_add_checked_fixture(tcase, fixture_set_up, machine_tear_down);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, test_architecture, 0, G_N_ELEMENTS(architectures));
        tcase_add_loop_test(tcase, test_document, 0, G_N_ELEMENTS(documents));
        tcase_add_test(tcase, test_hotplug);
        tcase_add_test(tcase, test_forwards);
        suite_add_tcase(suite, tcase);
        return check_run(suite);
}
