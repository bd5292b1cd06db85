/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only some emulators can do for disks: what is said to one that can, and to the guest's owner of one
 * that cannot.
 */
#include "drivers/qemu/device.h"
#include "tests/unit/qemu-fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HEAD(top)                                                                                            \
        "<domain type='qemu'><name>disks</name><memory>65536</memory>" top                                   \
        "<os><type machine='q35'>hvm</type></os><devices><memballoon model='none'/>"
#define TAIL "</devices></domain>"

/* As if the emulator said that it has a name of that list ("properties", "block-drivers"), or has it not. */
static void set_known(const char *what, const char *known, bool there)
{
        json_t *document = json_deep_copy(qemu_caps_get_document(fixture.caps));
        json_t *list = json_object_get(document, what), *name;
        size_t index;

        ck_assert(json_is_array(list));
        json_array_foreach(list, index, name)
        {
                if (strcmp(json_string_value(name), known) == 0)
                        break;
        }
        if (there && index == json_array_size(list))
                json_array_append_new(list, json_string(known));
        else if (!there && index < json_array_size(list))
                json_array_remove(list, index);
        qemu_caps_unref(fixture.caps);
        fixture.caps = qemu_caps_new(document, NULL);
        ck_assert_ptr_nonnull(fixture.caps);
        json_decref(document);
}

static bool has_text(const struct qemu_command *command, const char *text)
{
        for (unsigned i = 0; command->argv->pdata[i]; i++) {
                if (strstr(command->argv->pdata[i], text))
                        return true;
        }
        return false;
}

static struct domain_def *parse(const char *document)
{
        g_autoptr(GString) text = g_string_new(document);

        g_string_replace(text, "@DIR@", fixture.dir, 0);
        return fixture_parse(text->str);
}

static void check_part(const char *document, const char *part, bool is_there)
{
        CLEANUP(domain_def_unref) struct domain_def *def = parse(document);
        g_autoptr(GHashTable) resources = fixture_prepare(def);
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GError) error = NULL;

        command = fixture_build(def, resources, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        ck_assert_msg(has_text(command, part) == is_there, "%s", part);
}

static void expect(const char *document, const char *part)
{
        check_part(document, part, true);
}

static void refuse(const char *document, const char *part)
{
        CLEANUP(domain_def_unref) struct domain_def *def = parse(document);
        g_autoptr(GHashTable) resources = fixture_prepare(def);
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(fixture_build(def, resources, 5, &error));
        ck_assert_msg(g_str_has_prefix(error->message, "unsupported configuration: ") &&
                              strstr(error->message, part) != NULL,
                      "%s", error->message);
}

/* ---- queues and I/O threads ---- */

#define THREADS "<iothreads>3</iothreads>"
static const char mapped_disk[] =
        HEAD(THREADS) "<disk type='file'><driver queues='3'><iothreads><iothread id='2'><queue "
                      "id='0'/><queue id='2'/></iothread>"
                      "<iothread id='1'><queue id='1'/></iothread></iothreads></driver><source "
                      "file='@DIR@/a.raw'/>"
                      "<target dev='vda' bus='virtio'/></disk>" TAIL;
static const char mapped_controller[] =
        HEAD(THREADS) "<controller type='scsi' model='virtio-scsi'><driver><iothreads><iothread "
                      "id='3'/><iothread id='1'/>"
                      "</iothreads></driver></controller>" TAIL;

START_TEST(test_iothread_map)
{
        if (!fixture_has_qemu())
                return;
        fixture_make_images();
        set_known("properties", "virtio-blk-pci.iothread-vq-mapping", false);
        set_known("properties", "virtio-scsi-pci.iothread-vq-mapping", false);
        refuse(mapped_disk, "disk 'vda': emulator '" QEMU "' cannot share the queues of 'virtio-blk-pci'");
        refuse(mapped_controller, "SCSI controller 0: emulator");
        set_known("properties", "virtio-blk-pci.iothread-vq-mapping", true);
        set_known("properties", "virtio-scsi-pci.iothread-vq-mapping", true);
        expect(mapped_disk, "\"iothread-vq-mapping\":[{\"iothread\":\"iothread2\",\"vqs\":[0,2]},"
                            "{\"iothread\":\"iothread1\",\"vqs\":[1]}]");
        expect(mapped_controller,
               "\"iothread-vq-mapping\":[{\"iothread\":\"iothread3\"},{\"iothread\":\"iothread1\"}]");
}
END_TEST

/* ---- reservations ---- */

#define LUN(target, image, reservations)                                                                     \
        "<disk type='block' device='lun'><source dev='@DIR@/" image "'><reservations " reservations          \
        "</reservations></source><target dev='" target "' bus='scsi'/></disk>"
#define HELPER "<source type='unix' path='/run/h' mode='client'/>"

static const char reserved[] =
        HEAD("") "<controller type='scsi' model='virtio-scsi'/>" LUN("sda", "a.raw", "managed='yes'>" HELPER)
                LUN("sdb", "b.raw", "managed='yes'>" HELPER) LUN("sdc", "c.raw", "managed='no'>" HELPER) TAIL;

static unsigned count_texts(const struct qemu_command *command, const char *text)
{
        unsigned count = 0;

        for (unsigned i = 0; command->argv->pdata[i]; i++)
                count += strstr(command->argv->pdata[i], text) != NULL;
        return count;
}

/* Managed ones share a helper, others have one each. */
START_TEST(test_reservations)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GHashTable) resources = NULL;

        if (!fixture_has_qemu())
                return;
        fixture_make_images();
        def = parse(reserved);
        resources = fixture_prepare(def);
        command = fixture_build(def, resources, 5, NULL);
        ck_assert_ptr_nonnull(command);
        ck_assert_uint_eq(count_texts(command, "\"qom-type\":\"pr-manager-helper\",\"id\":\"pr-helper0\""),
                          1);
        ck_assert_uint_eq(count_texts(command, "\"qom-type\":\"pr-manager-helper\",\"id\":"
                                               "\"pr-helper-scsi0-0-0-2\",\"path\":\"/run/h\""),
                          1);
        ck_assert_uint_eq(count_texts(command, "\"pr-manager\":\"pr-helper0\""), 2);
        ck_assert_uint_eq(count_texts(command, "\"pr-manager\":\"pr-helper-scsi0-0-0-2\""), 1);
        set_known("types", "pr-manager-helper", false);
        refuse(reserved, "<reservations> of disk 'sda': emulator '" QEMU "' has no 'pr-manager-helper'");
}
END_TEST

/* ---- what the emulator drives itself ---- */

static const char nvme[] =
        HEAD("") "<disk type='nvme'><driver cache='none'/><source type='pci' managed='yes' "
                 "namespace='2'><address domain='0' "
                 "bus='4' slot='3' function='0'/></source><target dev='vda' bus='virtio'/></disk>" TAIL;
static const char vdpa[] = HEAD(
        "") "<disk type='vhostvdpa'><driver cache='none'/><source dev='/dev/vhost-vdpa-0'/><target dev='vda' "
            "bus='virtio'/></disk>" TAIL;

START_TEST(test_driven)
{
        if (!fixture_has_qemu())
                return;
        expect(nvme, "{\"driver\":\"nvme\",\"device\":\"0000:04:03.0\",\"namespace\":2,\"node-name\":"
                     "\"libvirt-1-storage\"");
        set_known("block-drivers", "nvme", false);
        refuse(nvme, "disk 'vda': emulator '" QEMU "' was built without the driver 'nvme'");
        set_known("block-drivers", "virtio-blk-vhost-vdpa", false);
        refuse(vdpa, "disk 'vda': emulator '" QEMU "' was built without the driver 'virtio-blk-vhost-vdpa'");
        set_known("block-drivers", "virtio-blk-vhost-vdpa", true);
        expect(vdpa, "{\"driver\":\"virtio-blk-vhost-vdpa\",\"path\":\"/dev/vhost-vdpa-0\"");
}
END_TEST

/* ---- what the guest sees as NVMe ---- */

static const char emulated[] = HEAD(
        "") "<controller type='nvme'><serial>A 1</serial></controller>"
            "<disk type='file'><driver name='qemu' type='raw'/><source file='@DIR@/a.raw'/><target "
            "dev='nvme0n2'/><boot order='1'/><blockio logical_block_size='4096' physical_block_size='4096'/>"
            "</disk>" TAIL;

/* Namespaces count from 1, and stand on a controller that is there before them. */
START_TEST(test_emulated_nvme)
{
        if (!fixture_has_qemu())
                return;
        fixture_make_images();
        expect(emulated, "{\"driver\":\"nvme\",\"id\":\"nvme0\",\"serial\":\"A 1\",\"bus\":\"pci.");
        expect(emulated, "{\"driver\":\"nvme-ns\",\"id\":\"nvme0-0-1\",\"drive\":\"libvirt-1-format\","
                         "\"bus\":\"nvme0\",\"nsid\":2,\"bootindex\":1,\"logical_block_size\":4096,"
                         "\"physical_block_size\":4096}");
}
END_TEST

/* ---- sharing ---- */

#define SHARED(driver, more)                                                                                 \
        HEAD("")                                                                                             \
        "<disk type='file'><driver name='qemu' type='raw'" driver                                            \
        "/><source file='@DIR@/a.raw'/><target dev='vda' bus='virtio'/>" more "</disk>" TAIL
static const char shared[] = SHARED("", "<shareable/>"), read_only[] = SHARED("", "<shareable/><readonly/>"),
                  cached[] = SHARED(" cache='writethrough'", "<shareable/>");

/* What other hosts write is not read from this one's memory. */
START_TEST(test_shared)
{
        if (!fixture_has_qemu())
                return;
        fixture_make_images();
        expect(shared, "\"cache\":{\"direct\":true,\"no-flush\":false}");
        expect(shared, "\"share-rw\":true");
        expect(shared, "\"write-cache\":\"on\"");
        expect(cached, "\"cache\":{\"direct\":false,\"no-flush\":false}");
        expect(cached, "\"write-cache\":\"off\"");
        check_part(read_only, "\"direct\":true", false);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-disks");
        TCase *tcase = tcase_create("qemu-disks");
        SRunner *runner;
        int failed;

        tcase_add_unchecked_fixture(tcase, fixture_probe, fixture_forget);
        tcase_add_checked_fixture(tcase, fixture_set_up, fixture_tear_down);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_iothread_map);
        tcase_add_test(tcase, test_reservations);
        tcase_add_test(tcase, test_driven);
        tcase_add_test(tcase, test_emulated_nvme);
        tcase_add_test(tcase, test_shared);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
