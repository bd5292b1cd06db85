/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What versions of libvirt later than ours say, on the command line of the QEMU of this host; or the words by
 * which it is refused where that QEMU, or any, has it not.
 */
#include "base/error.h"
#include "tests/unit/check-main.h"
#include "tests/unit/qemu-fixture.h"

#include <check.h>
#include <string.h>

#define SPLIT "<features><acpi/><ioapic driver='qemu'/></features>"
#define MORE  "<maxMemory slots='2' unit='KiB'>2097152</maxMemory>"
#define CELL  "<cpu><numa><cell id='0' cpus='0' memory='65536'/></numa></cpu>"

static char *document(const char *top, const char *devices)
{
        return g_strdup_printf("<domain type='qemu'><name>x</name><memory>65536</memory>%s"
                               "<os><type machine='q35'>hvm</type></os><devices>%s</devices></domain>",
                               top, devices);
}

/* ---- what QEMU is told ---- */

static const struct {
        const char *top, *devices;
        const char *option, *value;
} pieces[] = {
        { SPLIT,
          "<iommu model='amd'><driver intremap='on' iotlb='on' passthrough='off'/></iommu><video><model "
          "type='none'/></video>",
          "-device",
          "{\"driver\":\"amd-iommu\",\"id\":\"iommu0\",\"intremap\":\"on\",\"device-iotlb\":true,\"pt\":"
          "false}" },
        { "", "<video><model type='vga' edid='off'/></video>", "-device",
          "{\"driver\":\"VGA\",\"id\":\"video0\",\"edid\":false" },
        { "", "<video><model type='bochs' edid='on'/></video>", "-device",
          "{\"driver\":\"bochs-display\",\"id\":\"video0\",\"edid\":true" },
        { MORE CELL,
          "<memory model='nvdimm'><uuid>2a6ba5b4-2d9f-4d2c-b7bb-6f4a2c5b7f11</uuid><source><path>/x</path></"
          "source><target><size>131072</size><node>0</node></target></memory>",
          "-device", "{\"driver\":\"nvdimm\",\"node\":0,\"uuid\":\"2a6ba5b4-2d9f-4d2c-b7bb-6f4a2c5b7f11\"" },
};

START_TEST(test_piece)
{
        g_autofree char *text = document(pieces[_i].top, pieces[_i].devices), *line = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse(text);
        ck_assert_int_eq(def->unsupported.count + def->unknown.count, 0);
        command = fixture_build(def, NULL, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        line = qemu_command_format(command);
        ck_assert_msg(fixture_has_argument(command, pieces[_i].option, pieces[_i].value),
                      "%s %s is not in %s", pieces[_i].option, pieces[_i].value, line);
}
END_TEST

/* Its own PCI device takes the first free place, which others have by their documents. */
START_TEST(test_amd_last)
{
        g_autofree char *text = document("", "<iommu model='amd'/><rng model='virtio'><backend "
                                             "model='random'/></rng>"),
                        *line = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        const char *iommu, *rng;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse(text);
        command = fixture_build(def, NULL, 5, NULL);
        line = qemu_command_format(command);
        iommu = strstr(line, "amd-iommu");
        rng = strstr(line, "virtio-rng-pci");
        ck_assert(iommu && rng && iommu > rng);
}
END_TEST

/* ---- what is missing ---- */

static const struct {
        const char *top, *devices;
        const char *part;
} refusals[] = {
        { "", "<sound model='virtio' streams='2'/>",
          "sound model 'virtio', which QEMU has from version 8.2 on" },
        { "", "<audio id='1' type='pipewire' runtimeDir='/run/user/0'/>",
          "<audio type='pipewire'>, which QEMU has from version 8.1 on" },
        { "<features><acpi/><hyperv mode='host-model'/></features><cpu><model>qemu64</model></cpu>", "",
          "mode='host-model' of <hyperv> is not supported: name the features" },
        { SPLIT, "<iommu model='amd'><driver xtsup='on'/></iommu>",
          "xtsup= of <iommu model='amd'>, which QEMU has from version 9.2 on" },
        { MORE CELL,
          "<memory model='virtio-mem'><target "
          "dynamicMemslots='yes'><size>131072</size><node>0</node><block>2048</"
          "block><requested>0</requested></target></memory>",
          "has dynamicMemslots, which QEMU has from version 8.2 on" },
        { "",
          "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio' "
          "iommufd='yes'/><source><address "
          "bus='3' slot='0' function='0'/></source></hostdev>",
          "iommufd='yes' of the <driver> of <hostdev> 'hostdev0' is not supported" },
};

START_TEST(test_refusal)
{
        g_autofree char *text = document(refusals[_i].top, refusals[_i].devices);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse(text);
        ck_assert_int_eq(def->unsupported.count + def->unknown.count, 0);
        ck_assert_ptr_null(fixture_build(def, NULL, 5, &error));
        ck_assert_msg(error_is(error, ERROR_CONFIG_UNSUPPORTED), "%s", error->message);
        ck_assert_msg(strstr(error->message, refusals[_i].part) != NULL, "%s", error->message);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-later");
        TCase *tests = tcase_create("qemu-later");

        tcase_add_unchecked_fixture(tests, fixture_set_up, fixture_tear_down);
        tcase_add_loop_test(tests, test_piece, 0, G_N_ELEMENTS(pieces));
        tcase_add_test(tests, test_amd_last);
        tcase_add_loop_test(tests, test_refusal, 0, G_N_ELEMENTS(refusals));
        suite_add_tcase(suite, tests);
        return check_run(suite);
}
