/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of edits of a guest that runs, described hot, plugged into the real QEMU and taken out again.
 */
#include "drivers/domain/edit-xml.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/device-rows.h"
#include "tests/unit/check-main.h"
#include "tests/unit/qemu-machine.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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
        /* its data are in another file */
        { "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
          "<source file='@DIR@/apart.qcow2'><dataStore type='file'><source file='@DIR@/data.raw'/>"
          "</dataStore></source><target dev='vde' bus='virtio'/></disk>",
          "virtio-disk4", "blockdev-add blockdev-add blockdev-add blockdev-add device_add ",
          "device_del blockdev-del blockdev-del blockdev-del blockdev-del " },
        /* behind the group that another disk has made, and one that comes with it */
        { "<disk type='file' device='disk'><source file='@DIR@/b.raw'/><target dev='vda' bus='virtio'/>"
          "<throttlefilters><throttlefilter group='h'/><throttlefilter group='k'/></throttlefilters></disk>",
          "virtio-disk0", "blockdev-add blockdev-add blockdev-add object-add blockdev-add device_add ",
          "device_del blockdev-del object-del blockdev-del blockdev-del blockdev-del " },
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
        { "<channel type='file'><source path='@DIR@/out'/><log file='@DIR@/log'/>"
          "<target type='virtio' name='a'/></channel>",
          "channel0", "add-fd add-fd chardev-add device_add ",
          "device_del chardev-remove remove-fd remove-fd " },
        { "<console type='unix'><source mode='bind' path='@DIR@/plug.sock'/><target "
          "type='virtio'/></console>",
          "console0", "getfd chardev-add device_add ", "device_del chardev-remove " },
        { "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>", "crypto0",
          "object-add device_add ", "device_del object-del " },
};

#define RUNNING                                                                                              \
        PLUG_HEAD "<controller type='pci' index='6' model='pcie-root-port'/>"                                \
                  "<controller type='pci' index='7' model='pcie-root-port'/>"                                \
                  "<controller type='pci' index='8' model='pcie-root-port'/>"                                \
                  "<disk type='file' device='disk'><source file='@DIR@/a.raw'/>"                             \
                  "<target dev='vdb' "                                                                       \
                  "bus='virtio'/><iotune><group_name>h</group_name></iotune></disk></devices>"               \
                  "<throttlegroups><throttlegroup><group_name>h</group_name></throttlegroup><throttlegroup>" \
                  "<read_iops_sec>100</read_iops_sec><group_name>k</group_name></throttlegroup>"             \
                  "</throttlegroups></domain>"

static char *in_folder(const char *text)
{
        GString *filled = g_string_new(text);

        g_string_replace(filled, "@DIR@", fixture.dir, 0);
        return g_string_free(filled, FALSE);
}

static struct device_resources *prepare_char(const struct domain_char_source *source)
{
        struct device_resources *prepared = device_resources_new();
        int fd;

        if (source->type == DOMAIN_CHAR_FILE) {
                prepared->out_fd = open(source->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                prepared->log_fd = open(source->log_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                return prepared;
        }
        fd = machine_listen(source->path);
        prepared->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(prepared->fds, fd);
        return prepared;
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
        for (unsigned i = 0; i < def->devices.n_chars; i++)
                g_hash_table_insert(resources, (char *)def->devices.chars[i].info.alias,
                                    prepare_char(&def->devices.chars[i].source));
        return resources;
}

static const char *get_text(const json_t *object, const char *name)
{
        return json_string_value(json_object_get(object, name));
}

/* Of a chain only the last node that is made, the top, may be written to, and what has its data. */
static void expect_writable_top(const struct device_list *list)
{
        const char *writable = NULL;

        for (unsigned i = 0; i < device_list_get_length(list); i++) {
                const json_t *node = device_list_get(list, i)->arguments;
                const json_t *read_only = json_object_get(node, "read-only");

                ck_assert(!writable || !read_only || g_strcmp0(get_text(node, "data-file"), writable) == 0);
                if (json_is_false(read_only))
                        writable = get_text(node, "node-name");
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
                        machine_run_fd(device_part_get_command(part), part->arguments, part->fd);
                else
                        json_decref(machine_run(device_part_get_command(part), json_incref(part->arguments)));
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
                                                        .index = index + i,
                                                        .data_index = image->data ? index + i + 1 : 0 };
        }
        edit = domain_edit_new(def, NULL);
        domain_edit_set_disk_chain(edit, alias, images, chain->len);
        return domain_edit_commit(edit, NULL);
}

static bool is_there(const char *alias)
{
        json_t *list = machine_run("qom-list", json_pack("{s:s}", "path", "/machine/peripheral")), *item;
        bool found = false;
        size_t i;

        json_array_foreach(list, i, item) found |=
                strcmp(json_string_value(json_object_get(item, "name")), alias) == 0;
        json_decref(list);
        return found;
}

/* Descriptors that QEMU keeps under a number. A set may stay, empty. */
static size_t count_fds(void)
{
        json_t *sets = machine_run("query-fdsets", NULL), *set;
        size_t n = 0, i;

        json_array_foreach(sets, i, set) n += json_array_size(json_object_get(set, "fds"));
        json_decref(sets);
        return n;
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

                /* While the machine stands still, QEMU closes none. */
                if (part->kind == DEVICE_FDSET)
                        json_decref(machine_run("cont", NULL));
                g_string_append_printf(names, "%s ", device_part_get_undo_command(part));
                json_decref(machine_run(device_part_get_undo_command(part),
                                        device_part_get_undo_arguments(part)));
                if (part->kind == DEVICE_DEVICE)
                        machine_wait_deleted(json_string_value(json_object_get(part->arguments, "id")));
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
        machine_start(def);
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
        ck_assert_uint_eq(count_fds(), 0);
}
END_TEST

/* What the machine or its guest cannot take while it runs. */
START_TEST(test_not_pluggable)
{
        const struct domain_memory enclaves = { .model = "sgx-epc" }, dimm = { .model = "dimm" };
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autofree char *text =
                in_folder("<domain type='qemu'><name>x</name><memory>65536</memory>"
                          "<os><type machine='q35'>hvm</type></os><devices>"
                          "<disk><source file='@DIR@/a.raw'/><target dev='sda' bus='sata'/></disk>"
                          "<disk device='cdrom'><target dev='sdb' bus='scsi'/></disk>"
                          "<disk><source file='@DIR@/b.raw'/><target dev='nvme0n1'/></disk>"
                          "<serial type='pty'/><graphics type='vnc'/>"
                          "</devices></domain>");
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse(text);
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_DISK, domain_def_find_disk(def, "sda"), &error));
        ck_assert_ptr_nonnull(strstr(error->message, "device 'sata0-0-0' (<disk>) cannot be plugged"));
        ck_assert(device_require_pluggable(DOMAIN_DEVICE_DISK, domain_def_find_disk(def, "sdb"), NULL));
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_DISK, domain_def_find_disk(def, "nvme0n1"), NULL));
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_SERIAL, &def->devices.chars[0], NULL));
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_GRAPHICS, &def->devices.graphics[0], NULL));
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_MEMBALLOON, def->devices.memballoon, NULL));
        ck_assert(!device_require_pluggable(DOMAIN_DEVICE_MEMORY, &enclaves, NULL));
        ck_assert(device_require_pluggable(DOMAIN_DEVICE_MEMORY, &dimm, NULL));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-plug");
        TCase *tcase = tcase_create("qemu-plug");

        tcase_add_unchecked_fixture(tcase, fixture_probe, fixture_forget);
        tcase_add_checked_fixture(tcase, fixture_set_up, machine_tear_down);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_not_pluggable);
        tcase_add_loop_test(tcase, test_plug, 0, G_N_ELEMENTS(plugs));
        suite_add_tcase(suite, tcase);
        return check_run(suite);
}
