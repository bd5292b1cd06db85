/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines: where a machine's firmware keeps its variables, memory that is the hardware's secret, and
 * CPUs that are the host's, and what becomes of memory at the end.
 */
#include "base/error.h"
#include "drivers/qemu/block.h"
#include "tests/unit/qemu-fixture.h"

#include <string.h>

#include "tests/unit/check-main.h"

#define UEFI                                                                                                 \
        "<domain type='qemu'><name>x</name><memory>65536</memory><features><acpi/></features><os>"           \
        "<type machine='q35'>hvm</type><loader readonly='yes' type='pflash' format='qcow2'>/c</loader>"
#define NVRAM                                                                                                \
        "<nvram type='network' format='qcow2'><source protocol='iscsi' name='iqn.x/1'>"                      \
        "<host name='h' port='7'/><auth username='u'><secret type='iscsi' usage='s'/></auth></source>"       \
        "</nvram></os></domain>"

/* Where the firmware's variables are: a device, and a server that wants to know who asks. */
START_TEST(test_nvram)
{
        static const char *const devices[] = {
                "{\"driver\":\"host_device\",\"filename\":\"/dev/"
                "v\",\"node-name\":\"libvirt-pflash1-storage\","
                "\"auto-read-only\":true,\"discard\":\"unmap\"}",
                "{\"node-name\":\"libvirt-pflash1-format\",\"read-only\":false,\"driver\":\"raw\",\"file\":"
                "\"libvirt-pflash1-storage\"}",
                "{\"node-name\":\"libvirt-pflash0-format\",\"read-only\":true,\"driver\":\"qcow2\",\"file\":"
                "\"libvirt-pflash0-storage\",\"backing\":null}",
        };
        CLEANUP(domain_def_unref) struct domain_def *device = NULL, *server = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *one = NULL, *two = NULL;
        g_autoptr(GHashTable) resources = NULL;
        struct block_image *image;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        device = fixture_parse(UEFI "<nvram type='block'><source dev='/dev/v'/></nvram></os></domain>");
        one = fixture_build(device, NULL, 5, &error);
        ck_assert_msg(one, "%s", error ? error->message : "");
        for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++)
                ck_assert_msg(fixture_has_argument(one, "-blockdev", devices[i]), "%s", devices[i]);
        server = fixture_parse(UEFI NVRAM);
        ck_assert_int_eq(server->unsupported.count, 0);
        resources = fixture_prepare(server);
        image = block_image_new_remote("<nvram>", server->os.nvram.source, &error);
        ck_assert_msg(image, "%s", error ? error->message : "");
        image->unit = COMMAND_NVRAM_UNIT;
        image->password_fd = 9;
        fixture_add_resources(resources, COMMAND_NVRAM_UNIT)->chain =
                g_ptr_array_new_with_free_func((GDestroyNotify)block_image_free);
        g_ptr_array_add(
                ((struct device_resources *)g_hash_table_lookup(resources, COMMAND_NVRAM_UNIT))->chain,
                image);
        if (!qemu_caps_has_block_driver(fixture.caps, "iscsi")) {
                ck_assert_ptr_null(fixture_build(server, resources, 5, &error));
                ck_assert_msg(strstr(error->message, "<nvram>: emulator"), "%s", error->message);
                return;
        }
        two = fixture_build(server, resources, 5, &error);
        ck_assert_msg(two, "%s", error ? error->message : "");
        ck_assert(fixture_has_argument(
                two, "-object", "{\"qom-type\":\"secret\",\"id\":\"libvirt-pflash1-storage-auth-secret0\""));
        ck_assert(fixture_has_argument(two, "-blockdev", "{\"driver\":\"iscsi\""));
        ck_assert(fixture_has_argument(two, "-blockdev",
                                       "{\"node-name\":\"libvirt-pflash1-format\",\"read-only\":false,"
                                       "\"driver\":\"qcow2\""));
}
END_TEST

/* ---- memory that is the hardware's secret ---- */

/* The capabilities of this QEMU, on a host with KVM and hardware that this one need not have. */
static void pretend(bool knows)
{
        json_t *document = json_deep_copy(qemu_caps_get_document(fixture.caps));
        json_t *types = json_object_get(document, "types"), *cpus = json_object_get(document, "cpus");
        g_autoptr(GError) error = NULL;

        if (!json_object_get(cpus, "kvm"))
                json_object_set(cpus, "kvm", json_object_get(cpus, "tcg"));
        if (knows) {
                json_array_append_new(types, json_string("sev-snp-guest"));
                json_array_append_new(types, json_string("tdx-guest"));
        }
        qemu_caps_unref(fixture.caps);
        fixture.caps = qemu_caps_new(document, &error);
        ck_assert_msg(fixture.caps, "%s", error ? error->message : "");
        json_decref(document);
}

static const struct {
        const char *launch, *object;
} launches[] = {
        { "<launchSecurity type='sev' kernelHashes='yes'><cbitpos>47</cbitpos><reducedPhysBits>1"
          "</reducedPhysBits><policy>0x0003</policy><dhCert>QUFB</dhCert><session>QkJC</session>"
          "</launchSecurity>",
          "{\"qom-type\":\"sev-guest\",\"id\":\"lsec0\",\"cbitpos\":47,\"reduced-phys-bits\":1,\"policy\":3,"
          "\"kernel-hashes\":true,\"dh-cert-file\":\"/home/dh_cert.base64\",\"session-file\":"
          "\"/home/session.base64\"}" },
        { "<launchSecurity type='sev-snp' authorKey='yes' vcek='no'><cbitpos>51</cbitpos><reducedPhysBits>1"
          "</reducedPhysBits><policy>0x30000</policy><idBlock>QUFB</idBlock><hostData>QkJC</hostData>"
          "</launchSecurity>",
          "{\"qom-type\":\"sev-snp-guest\",\"id\":\"lsec0\",\"cbitpos\":51,\"reduced-phys-bits\":1,"
          "\"policy\":196608,\"id-block\":\"QUFB\",\"host-data\":\"QkJC\",\"author-key-enabled\":true,"
          "\"vcek-disabled\":true}" },
        { "<launchSecurity type='tdx'><policy>0x10000000</policy><mrOwner>QUFB</mrOwner></launchSecurity>",
          "{\"qom-type\":\"tdx-guest\",\"id\":\"lsec0\",\"attributes\":268435456,\"mrowner\":\"QUFB\"}" },
};

static struct qemu_command *build_launch(const char *launch, GError **error)
{
        g_autofree char *text = g_strconcat("<domain type='kvm'><name>x</name><memory>65536</memory><os>"
                                            "<type machine='q35'>hvm</type></os>",
                                            launch, "<devices/></domain>", NULL);
        CLEANUP(domain_def_unref) struct domain_def *def = fixture_parse(text);
        const struct qemu_command_context context = { .monitor_fd = 5, .home = "/home" };

        return qemu_command_build(def, fixture.caps, &context, error);
}

START_TEST(test_launch)
{
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        pretend(true);
        for (unsigned i = 0; i < G_N_ELEMENTS(launches); i++) {
                CLEANUP(qemu_command_free)
                struct qemu_command *command = build_launch(launches[i].launch, &error);
                g_autofree char *text = command ? qemu_command_format(command) : NULL;

                ck_assert_msg(command, "%s", error ? error->message : "");
                ck_assert_msg(fixture_has_argument(command, "-object", launches[i].object), "%s", text);
                ck_assert_ptr_nonnull(strstr(text, ",confidential-guest-support=lsec0"));
        }
}
END_TEST

START_TEST(test_launch_unknown)
{
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu() || qemu_caps_has_type(fixture.caps, "tdx-guest"))
                return;
        pretend(false);
        ck_assert(!build_launch("<launchSecurity type='tdx'/>", &error));
        ck_assert_msg(strstr(error->message, "has no object 'tdx-guest'"), "%s", error->message);
}
END_TEST

/* A guest of this CPU and its first n features. Owned; NULL with an error. */
static struct qemu_command *build_strict(const struct qemu_host_model *host, unsigned n, GError **error)
{
        g_autoptr(GString) text = g_string_new("<domain type='kvm'><name>x</name><memory>65536</memory><os>"
                                               "<type machine='q35'>hvm</type></os><clock><timer name='tsc' "
                                               "mode='native'/></clock><cpu match='strict' check='none'>");
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        g_string_append_printf(text, "<model>%s</model>", host->model);
        for (unsigned i = 0; i < n; i++)
                g_string_append_printf(text, "<feature policy='%s' name='%s'/>",
                                       host->features[i].enabled ? "require" : "disable",
                                       host->features[i].name);
        g_string_append(text, "</cpu><devices/></domain>");
        def = fixture_parse(text->str);
        return fixture_build(def, NULL, 5, error);
}

/* With KVM match='strict' is for the host's own CPU alone. */
START_TEST(test_strict_cpu)
{
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        const struct qemu_host_model *host, other = { .model = "486" };
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        pretend(false);
        ck_assert_ptr_null(build_strict(&other, 0, &error));
        ck_assert_msg(strstr(error->message, "asks for a host whose CPU is '486' and no more"), "%s",
                      error->message);
        host = qemu_caps_get_host_model(fixture.caps, QEMU_ACCEL_KVM);
        if (!host || !host->model || host->n_features == 0)
                return;
        g_clear_error(&error);
        command = build_strict(host, host->n_features, &error);
        ck_assert_msg(command, "%s", error ? error->message : "");
        ck_assert_ptr_null(build_strict(host, host->n_features - 1, &error));
        ck_assert_msg(strstr(error->message, host->features[host->n_features - 1].name), "%s",
                      error->message);
}
END_TEST

/* -cpu of a guest of that CPU, on a host whose own has that feature alone. Owned; NULL with an error. */
static char *choose_cpu(const char *type, const char *cpu, const char *feature, GError **error)
{
        g_autofree char *text = g_strdup_printf("<domain type='%s'><name>x</name><memory>65536</memory><os>"
                                                "<type machine='q35'>hvm</type></os>%s<devices/></domain>",
                                                type, cpu);
        CLEANUP(domain_def_unref) struct domain_def *def = fixture_parse(text);
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        struct cpu_features features = { 0 };
        const struct qemu_command_context context = { .monitor_fd = 5,
                                                      .home = "/home",
                                                      .host_cpu = &features };

        ck_assert(cpu_features_add(&features, feature));
        command = qemu_command_build(def, fixture.caps, &context, error);
        for (unsigned i = 0; command && command->argv->pdata[i]; i++) {
                if (strcmp(command->argv->pdata[i], "-cpu") == 0)
                        return g_strdup(command->argv->pdata[i + 1]);
        }
        ck_assert(!command);
        return NULL;
}

START_TEST(test_forbidden_feature)
{
#define FORBIDS(check)                                                                                       \
        "<cpu match='exact' check='" check "'><model>qemu64</model><feature policy='disable' name='svm'/>"   \
        "<feature policy='forbid' name='aes'/></cpu>"
        g_autofree char *unchecked = NULL, *emulated = NULL, *other = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        pretend(false);
        ck_assert_ptr_null(choose_cpu("kvm", FORBIDS("partial"), "aes", &error));
        ck_assert_int_eq(error_get_code(error), ERROR_CPU_INCOMPATIBLE);
        ck_assert_msg(strstr(error->message, "forbids the feature 'aes', which this host's has"), "%s",
                      error->message);
        g_clear_error(&error);
        unchecked = choose_cpu("kvm", FORBIDS("none"), "aes", &error);
        ck_assert_str_eq(unchecked, "qemu64,svm=off,aes=off");
        emulated = choose_cpu("qemu", FORBIDS("partial"), "aes", &error);
        ck_assert_str_eq(emulated, unchecked);
        other = choose_cpu("kvm", FORBIDS("partial"), "sse4.2", &error);
        ck_assert(other || !strstr(error->message, "forbids"));
}
END_TEST

/* The guest has all that the host can give it, but for what its document says otherwise. */
START_TEST(test_minimum_cpu)
{
        const struct qemu_host_model *host;
        g_autofree char *cpu = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        pretend(false);
        host = qemu_caps_get_host_model(fixture.caps, QEMU_ACCEL_TCG);
        if (!host || !host->model)
                return;
        cpu = choose_cpu("qemu",
                         "<cpu match='minimum'><model>486</model><feature policy='disable' name='aes'/>"
                         "</cpu>",
                         "aes", &error);
        ck_assert_msg(cpu, "%s", error ? error->message : "");
        ck_assert_msg(g_str_has_prefix(cpu, host->model), "%s is not %s", cpu, host->model);
        ck_assert_msg(g_str_has_suffix(cpu, ",aes=off"), "%s", cpu);
        for (unsigned i = 0; i < host->n_features; i++) {
                g_autofree char *option = g_strdup_printf(",%s=%s", host->features[i].name,
                                                          host->features[i].enabled ? "on" : "off");

                ck_assert_msg(strcmp(host->features[i].name, "aes") == 0 || strstr(cpu, option), "%s in %s",
                              option, cpu);
        }
        ck_assert_ptr_null(
                choose_cpu("qemu", "<cpu match='minimum'><model>nonesuch</model></cpu>", "aes", &error));
        ck_assert_msg(strstr(error->message, "has no CPU model 'nonesuch'"), "%s", error->message);
}
END_TEST

#define SERVED(below, model, backing)                                                                        \
        "<domain type='kvm'><name>x</name><memory>65536</memory>" backing "<os><type "                       \
        "machine='q35'>hvm</type></os><devices><video><driver name='vhostuser'/><model type='" model         \
        "' heads='2'>" below "</model></video></devices></domain>"

/* A GPU that another program draws for. */
START_TEST(test_served_video)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL, *alone = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GHashTable) resources = NULL;
        struct device_resources *video;
        g_autoptr(GError) error = NULL;
        int fd = 77;

        if (!fixture_has_qemu())
                return;
        pretend(false);
        alone = fixture_parse(
                SERVED("", "virtio", "<memoryBacking><access mode='private'/></memoryBacking>"));
        ck_assert_ptr_null(fixture_build(alone, NULL, 5, &error));
        ck_assert_msg(strstr(error->message, "needs the guest's memory shared"), "%s", error->message);
        g_clear_error(&error);
        def = fixture_parse(SERVED("", "virtio", ""));
        resources = fixture_prepare(def);
        video = fixture_add_resources(resources, "video0");
        video->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(video->fds, fd);
        command = fixture_build(def, resources, 5, &error);
        if (!qemu_caps_has_type(fixture.caps, "vhost-user-vga")) {
                ck_assert_msg(strstr(error->message, "has no device 'vhost-user-vga'"), "%s", error->message);
                return;
        }
        ck_assert_msg(command, "%s", error ? error->message : "");
        ck_assert(fixture_has_argument(command, "-chardev", "socket,id=chr-vu-video0,fd=77"));
        ck_assert(fixture_has_argument(command, "-device",
                                       "{\"driver\":\"vhost-user-vga\",\"id\":\"video0\",\"chardev\":"
                                       "\"chr-vu-video0\",\"max_outputs\":2"));
}
END_TEST

/* The capabilities of this QEMU, which knows -run-with. */
static void pretend_run_with(void)
{
        json_t *document = json_deep_copy(qemu_caps_get_document(fixture.caps));
        g_autoptr(GError) error = NULL;

        json_array_append_new(json_object_get(document, "options"), json_string("run-with.async-teardown"));
        qemu_caps_unref(fixture.caps);
        fixture.caps = qemu_caps_new(document, &error);
        ck_assert_msg(fixture.caps, "%s", error ? error->message : "");
        json_decref(document);
}

#define TEARDOWN(enabled)                                                                                    \
        "<domain type='qemu'><name>x</name><memory>65536</memory><features><async-teardown "                 \
        "enabled='" enabled "'/></features><os><type machine='q35'>hvm</type></os></domain>"

/* Emulators that cannot give memory back later are not asked for more than to give it back at once. */
START_TEST(test_teardown)
{
        CLEANUP(domain_def_unref) struct domain_def *on = NULL, *off = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *one = NULL, *two = NULL, *three = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        on = fixture_parse(TEARDOWN("yes"));
        off = fixture_parse(TEARDOWN("no"));
        if (!qemu_caps_has_option(fixture.caps, "run-with", "async-teardown")) {
                ck_assert_ptr_null(fixture_build(on, NULL, 5, &error));
                ck_assert_msg(strstr(error->message, "does not know <async-teardown>"), "%s", error->message);
                one = fixture_build(off, NULL, 5, NULL);
                ck_assert_ptr_nonnull(one);
                ck_assert(!fixture_has_argument(one, "-run-with", ""));
        }
        g_clear_error(&error);
        pretend_run_with();
        two = fixture_build(on, NULL, 5, &error);
        ck_assert_msg(two, "%s", error ? error->message : "");
        ck_assert(fixture_has_argument(two, "-run-with", "async-teardown=on"));
        three = fixture_build(off, NULL, 5, NULL);
        ck_assert_ptr_nonnull(three);
        ck_assert(fixture_has_argument(three, "-run-with", "async-teardown=off"));
}
END_TEST

CHECK_MAIN_FIXTURE("qemu-firmware", fixture_set_up, fixture_tear_down, test_nvram, test_launch,
                   test_launch_unknown, test_strict_cpu, test_forbidden_feature, test_minimum_cpu,
                   test_teardown, test_served_video)
