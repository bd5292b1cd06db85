/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/edit-xml and live-xml: definitions changed through their documents, aliases, metadata.
 */
#include "drivers/domain/edit-xml.h"

#include "base/error.h"
#include "drivers/domain/live-xml.h"
#include "tests/unit/check-main.h"

#include <string.h>

#define HEAD "<domain type='qemu'>\n  <name>x</name>\n  <uuid>0b4a6c5e-0000-4000-8000-000000000001</uuid>\n"

static const char *const text = HEAD
        "  <memory unit='KiB'>65536</memory>\n  <currentMemory unit='KiB'>65536</currentMemory>\n"
        "  <vcpu placement='static'>4</vcpu>\n"
        "  <os firmware='efi'><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>\n  <devices>\n"
        "<disk type='file' device='disk'><source file='/a'/><target dev='vdb' bus='virtio'/></disk>"
        "<disk type='file' device='cdrom'><source file='/b'/><target dev='sda' bus='sata'/>"
        "<address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>"
        "<disk type='file' device='disk'><source file='/c'/><target dev='sdb' bus='scsi'/>"
        "<address type='drive' controller='0' bus='0' target='0' unit='1'/></disk>"
        "<disk type='file' device='disk'><source file='/d'/><target dev='sdi' bus='scsi'/>"
        "<address type='drive' controller='1' bus='0' target='0' unit='1'/></disk>"
        "<controller type='usb' index='0' model='ich9-ehci1'/><controller type='usb' index='0' "
        "model='ich9-uhci1'><master startport='0'/></controller>"
        "<controller type='usb' index='1' model='qemu-xhci'/><controller type='pci' index='0' "
        "model='pcie-root'/>"
        "<controller type='pci' index='1' model='pcie-root-port'/><controller type='scsi' index='0' "
        "model='virtio-scsi'/>"
        "<controller type='scsi' index='1' model='lsilogic'/>"
        "<controller type='sata' index='0'><address type='pci' domain='0x0000' bus='0x00' slot='0x1f' "
        "function='0x2'/>"
        "</controller><controller type='virtio-serial' index='0'/>"
        "<interface type='network'><source network='default'/><alias name='ua-lan'/></interface>"
        "<interface type='user'/>"
        "<serial type='pty'><target port='0'/></serial>"
        "<console type='pty'><target type='serial' port='0'/></console>"
        "<console type='pty'><target type='virtio' port='1'/></console>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        "<input type='mouse' bus='ps2'/><tpm model='tpm-crb'><backend type='emulator'/></tpm>"
        "<graphics type='vnc' port='-1' autoport='yes'><listen type='address'/></graphics>"
        "<graphics type='spice'><listen type='socket'/></graphics>"
        "<video><model type='vga'/></video><memballoon model='virtio'/>"
        "<rng model='virtio'><backend model='random'/></rng><vsock model='virtio'><cid auto='yes'/></vsock>"
        "</devices></domain>";

static struct domain_def *load(void)
{
        g_autoptr(GError) error = NULL;
        struct domain_def *def = domain_def_parse_stored(text, &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        return def;
}

static struct domain_def *activate(void)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load();
        g_autoptr(GError) error = NULL;
        struct domain_def *active = domain_def_activate(def, 7, &error);

        ck_assert_msg(active, "%s", error ? error->message : "");
        return active;
}

static struct domain_edit *edit(struct domain_def *(*from)(void))
{
        CLEANUP(domain_def_unref) struct domain_def *def = from();
        struct domain_edit *changed = domain_edit_new(def, NULL);

        ck_assert(changed);
        return changed;
}

static struct domain_def *commit(struct domain_edit *changed)
{
        g_autoptr(GError) error = NULL;
        struct domain_def *def = domain_edit_commit(changed, &error);

        ck_assert_msg(def, "%s", error ? error->message : "");
        return def;
}

static void expect(const struct domain_def *def, const char *piece)
{
        ck_assert_msg(strstr(def->base.xml, piece), "'%s' is not in:\n%.3000s", piece, def->base.xml);
}

static void expect_no(const struct domain_def *def, const char *piece)
{
        ck_assert_msg(!strstr(def->base.xml, piece), "'%s' is in:\n%.3000s", piece, def->base.xml);
}

static void expect_error(struct domain_edit *changed, enum error_code code, const char *message)
{
        g_autoptr(GError) error = NULL;

        ck_assert(!domain_edit_commit(changed, &error));
        ck_assert_msg(error_is(error, code), "%s", error->message);
        ck_assert_msg(strstr(error->message, message), "%s", error->message);
}

/* ---- without and with a change ---- */

START_TEST(test_lazy)
{
        CLEANUP(domain_def_unref)
        struct domain_def *def = load(), *same = NULL, *after = NULL, *expected = NULL;
        struct domain_edit *changed = domain_edit_new_lazy(def);

        domain_edit_free(changed);
        same = commit(domain_edit_new_lazy(def));
        ck_assert_ptr_eq(same, def);

        changed = domain_edit_new_lazy(def);
        domain_edit_set_name(changed, "y");
        after = commit(changed);
        changed = edit(load);
        domain_edit_set_name(changed, "y");
        expected = commit(changed);
        ck_assert_str_eq(after->base.xml, expected->base.xml);
        ck_assert_str_ne(after->base.xml, def->base.xml);
}
END_TEST

/* What was stored by somebody else than us: found out when it is changed, and said at the end. */
START_TEST(test_lazy_unreadable)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load();
        struct domain_edit *changed;

        g_free(def->base.xml);
        def->base.xml = g_strdup("<domain><name>");
        changed = domain_edit_new_lazy(def);
        domain_edit_set_name(changed, "y");
        domain_edit_set_pty(changed, "serial0", "/dev/pts/1");
        expect_error(changed, ERROR_XML_DETAIL, "");
}
END_TEST

/* ---- the domain ---- */

START_TEST(test_texts)
{
        struct domain_edit *changed = edit(load);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL, *without = NULL;

        domain_edit_set_name(changed, "a & b");
        domain_edit_set_title(changed, "a <title>");
        domain_edit_set_description(changed, "two\nlines");
        def = commit(changed);
        ck_assert_str_eq(def->base.name, "a & b");
        ck_assert_str_eq(def->title, "a <title>");
        ck_assert_str_eq(def->description, "two\nlines");
        expect(def, "  <name>a &amp; b</name>\n  <uuid>0b4a6c5e-0000-4000-8000-000000000001</uuid>\n"
                    "  <title>a &lt;title&gt;</title>\n  <description>two\nlines</description>\n  <memory");

        changed = domain_edit_new(def, NULL);
        domain_edit_set_title(changed, NULL);
        domain_edit_set_description(changed, "");
        without = commit(changed);
        ck_assert(!without->title && !without->description);
        expect_no(without, "title");
        expect_no(without, "description");
}
END_TEST

START_TEST(test_bad_texts)
{
        struct domain_edit *changed = edit(load);

        domain_edit_set_title(changed, "two\nlines");
        expect_error(changed, ERROR_INVALID_ARG, "single line");
        changed = edit(load);
        domain_edit_set_name(changed, "a/b");
        expect_error(changed, ERROR_XML_ERROR, "name");
        changed = edit(load);
        domain_edit_set_name(changed, "");
        expect_error(changed, ERROR_XML_ERROR, "name");
        domain_edit_free(edit(load));
}
END_TEST

START_TEST(test_numbers)
{
        struct domain_edit *changed = edit(load);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL, *all = NULL;

        domain_edit_set_memory(changed, 131072);
        domain_edit_set_current_memory(changed, 100000);
        domain_edit_set_vcpus(changed, 2, 8);
        domain_edit_set_id(changed, 12);
        def = commit(changed);
        ck_assert_uint_eq(def->memory_kib, 131072);
        ck_assert_uint_eq(def->current_memory_kib, 100000);
        ck_assert_uint_eq(def->vcpus, 2);
        ck_assert_uint_eq(def->max_vcpus, 8);
        ck_assert_int_eq(def->id, 12);

        changed = domain_edit_new(def, NULL);
        domain_edit_set_vcpus(changed, 8, 0);
        domain_edit_set_id(changed, -1);
        all = commit(changed);
        ck_assert_uint_eq(all->vcpus, 8);
        ck_assert_int_eq(all->id, -1);
        expect(all, "  <vcpu placement='static'>8</vcpu>\n");
}
END_TEST

START_TEST(test_firmware)
{
        struct domain_edit *changed = edit(load);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        domain_edit_set_loader(changed, "/fw/code.fd", "pflash", "raw", true, true);
        domain_edit_set_nvram(changed, "/var/x_VARS.fd", "/fw/vars.fd", NULL);
        def = commit(changed);
        ck_assert_str_eq(def->os.loader.path, "/fw/code.fd");
        ck_assert_int_eq(def->os.loader.readonly, DOMAIN_SWITCH_ON);
        ck_assert_int_eq(def->os.loader.secure, DOMAIN_SWITCH_ON);
        ck_assert_str_eq(def->os.nvram.path, "/var/x_VARS.fd");
        ck_assert_str_eq(def->os.nvram.template, "/fw/vars.fd");
}
END_TEST

START_TEST(test_seclabel)
{
        struct domain_edit *changed = edit(load);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        domain_edit_set_seclabel(changed, "dac", "dac", "+1:+2", "+1:+3");
        domain_edit_set_seclabel(changed, "dac", "dac", "+4:+2", NULL);
        def = commit(changed);
        ck_assert_uint_eq(def->n_seclabels, 1);
        ck_assert_str_eq(def->seclabels[0].label, "+4:+2");
        ck_assert_str_eq(def->seclabels[0].image_label, "+1:+3");
}
END_TEST

START_TEST(test_cpu)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load(), *expanded = NULL;
        g_autoptr(GError) error = NULL;

        expanded = domain_def_expand_cpu(def, "<cpu mode='custom' match='exact'><model>Haswell</model></cpu>",
                                         NULL);
        ck_assert_str_eq(expanded->cpu.model, "Haswell");
        expect_no(def, "Haswell");
        ck_assert(!domain_def_expand_cpu(def, "<gpu/>", &error));
        ck_assert(error_is(error, ERROR_XML_ERROR));
}
END_TEST

/* ---- metadata ---- */

static struct domain_def *with_metadata(const struct domain_def *def, const char *xml, const char *key,
                                        const char *uri)
{
        struct domain_edit *changed = domain_edit_new(def, NULL);

        domain_edit_set_metadata(changed, xml, key, uri);
        return commit(changed);
}

START_TEST(test_metadata)
{
        CLEANUP(domain_def_unref)
        struct domain_def *def = load(), *one = NULL, *two = NULL, *three = NULL, *none = NULL;
        g_autofree char *first = NULL, *second = NULL;

        one = with_metadata(def, "<app a='1'><v n='1'>t &amp; u</v></app>", "k", "urn:y");
        expect(one,
               "  <metadata>\n    <k:app xmlns:k=\"urn:y\" a=\"1\">\n      <k:v n=\"1\">t &amp; u</k:v>\n    "
               "</k:app>\n"
               "  </metadata>\n");
        two = with_metadata(one, "<other/>", "k", "urn:z");
        first = domain_def_get_metadata(two, "urn:y", NULL);
        ck_assert_str_eq(first, "<app a=\"1\">\n  <v n=\"1\">t &amp; u</v>\n</app>");
        three = with_metadata(two, "<app2/>", "kk", "urn:y");
        expect(three, "<kk:app2 xmlns:kk=\"urn:y\"/>");
        expect(three, "<k:other xmlns:k=\"urn:z\"/>");
        expect_no(three, "k:app ");
        second = domain_def_get_metadata(three, "urn:y", NULL);
        ck_assert_str_eq(second, "<app2/>");
        CLEANUP(domain_def_unref) struct domain_def *four = with_metadata(three, NULL, NULL, "urn:y");
        none = with_metadata(four, NULL, NULL, "urn:z");
        ck_assert_str_eq(none->base.xml, def->base.xml);
}
END_TEST

START_TEST(test_foreign_metadata)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load(), *one = NULL;
        g_autofree char *got = NULL;

        one = with_metadata(def, "<a xmlns:o='urn:o'><o:b x='1'/><c o:y='2'/></a>", "k", "urn:y");
        expect(one, "<o:b x=\"1\"/>");
        expect(one, "<k:c o:y=\"2\"/>");
        got = domain_def_get_metadata(one, "urn:y", NULL);
        ck_assert_str_eq(got, "<a xmlns:o=\"urn:o\">\n  <o:b x=\"1\"/>\n  <c o:y=\"2\"/>\n</a>");
}
END_TEST

/* A URI with a query of several parts, through a second document. */
START_TEST(test_metadata_of_query)
{
        CLEANUP(domain_def_unref) struct domain_def *def = load(), *one = NULL, *two = NULL;
        g_autofree char *got = NULL;

        one = with_metadata(def, "<a/>", "k", "http://y/?a=1&b=2");
        two = with_metadata(one, "<b/>", "o", "urn:o");
        expect(two, "<k:a xmlns:k=\"http://y/?a=1&amp;b=2\"/>");
        got = domain_def_get_metadata(two, "http://y/?a=1&b=2", NULL);
        ck_assert_str_eq(got, "<a/>");
}
END_TEST

START_TEST(test_bad_metadata)
{
        static const struct {
                const char *xml, *key, *uri;
                enum error_code code;
        } refused[] = {
                { "<a/>", NULL, "urn:y", ERROR_INVALID_ARG },
                { "<a/>", "k", NULL, ERROR_INVALID_ARG },
                { "<a/>", "k:k", "urn:y", ERROR_INVALID_ARG },
                { "<a/>", "1", "urn:y", ERROR_INVALID_ARG },
                { "<a/><b/>", "k", "urn:y", ERROR_XML_DETAIL },
                { "text", "k", "urn:y", ERROR_XML_DETAIL },
                { "", "k", "urn:y", ERROR_XML_DETAIL },
                { "<a", "k", "urn:y", ERROR_XML_DETAIL },
                { "<q:a xmlns:q='urn:q'/>", "k", "urn:y", ERROR_INVALID_ARG },
                { "<a xmlns='urn:q'/>", "k", "urn:y", ERROR_INVALID_ARG },
                { "<a/>", "xml", "urn:y", ERROR_INVALID_ARG },
                { "<a/>", "xmlns", "urn:y", ERROR_INVALID_ARG },
                { "<a/>", "xml", "http://www.w3.org/XML/1998/namespace", ERROR_INVALID_ARG },
                { "<a/>", "k", "http://www.w3.org/XML/1998/namespace", ERROR_INVALID_ARG },
                { "<a/>", "k", "http://www.w3.org/2000/xmlns/", ERROR_INVALID_ARG },
                { "<a/>", "k", "urn: y", ERROR_INVALID_ARG },
                { "<a/>", "k", "urn:\x01", ERROR_INVALID_ARG },
        };
        CLEANUP(domain_def_unref) struct domain_def *def = load();
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                struct domain_edit *changed = domain_edit_new(def, NULL);

                domain_edit_set_metadata(changed, refused[i].xml, refused[i].key, refused[i].uri);
                expect_error(changed, refused[i].code, "");
        }
        ck_assert(!domain_def_get_metadata(def, "urn:none", &error));
        ck_assert(error_is(error, ERROR_NO_DOMAIN_METADATA));
}
END_TEST

/* ---- activation ---- */

static void expect_alias(const char *got, const char *alias)
{
        ck_assert_str_eq(got ? got : "(none)", alias);
}

START_TEST(test_aliases)
{
        CLEANUP(domain_def_unref) struct domain_def *def = activate();
        const struct domain_devices *devices = &def->devices;
        static const char *const controllers[] = { "usb",   "usb",   "usb1", "pcie.0",        "pci.1",
                                                   "scsi0", "scsi1", "ide",  "virtio-serial0" };

        ck_assert_int_eq(def->id, 7);
        expect_alias(devices->disks[0].info.alias, "virtio-disk1");
        expect_alias(devices->disks[1].info.alias, "sata0-0-0");
        expect_alias(devices->disks[2].info.alias, "scsi0-0-0-1");
        expect_alias(devices->disks[3].info.alias, "scsi1-0-1");
        for (unsigned i = 0; i < G_N_ELEMENTS(controllers); i++)
                expect_alias(devices->controllers[i].info.alias, controllers[i]);
        expect_alias(devices->interfaces[0].info.alias, "ua-lan");
        expect_alias(devices->interfaces[1].info.alias, "net1");
        expect_alias(devices->chars[0].info.alias, "serial0");
        expect_alias(devices->chars[1].info.alias, "serial0");
        expect_alias(devices->chars[2].info.alias, "console1");
        expect_alias(devices->chars[3].info.alias, "channel0");
        expect_alias(devices->inputs[0].info.alias, "input0");
        expect_alias(devices->tpms[0].info.alias, "tpm0");
        expect_alias(devices->videos[0].info.alias, "video0");
        expect_alias(devices->memballoon->info.alias, "balloon0");
        expect_alias(devices->rngs[0].info.alias, "rng0");
        expect_alias(devices->vsock->info.alias, "vsock0");
}
END_TEST

START_TEST(test_activate_again)
{
        CLEANUP(domain_def_unref)
        struct domain_def *def = activate(), *again = domain_def_activate(def, 7, NULL);

        ck_assert_str_eq(def->base.xml, again->base.xml);
}
END_TEST

/* ---- sizes of memory ---- */

static struct domain_def *align(const char *sizes, const char *devices, uint64_t unit_kib)
{
        g_autofree char *xml =
                g_strdup_printf("<domain type='qemu'><name>x</name><uuid>"
                                "6dd3e4a5-1d76-44ce-961f-f119f5aad935</uuid>%s<os><type>hvm</type>"
                                "</os><devices>%s</devices></domain>",
                                sizes, devices);
        CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(xml, NULL);
        struct domain_edit *changed = domain_edit_new(def, NULL);

        domain_edit_align_memory(changed, unit_kib);
        return commit(changed);
}

START_TEST(test_align_memory)
{
        CLEANUP(domain_def_unref)
        struct domain_def *odd = align("<memory>219100</memory>", "", 1024),
                          *even = align("<memory>65536</memory>", "", 1024),
                          *ballooned = align("<memory>219100</memory><currentMemory>100001</currentMemory>",
                                             "", 1024),
                          *large = align("<memory>219100</memory>", "", 256 * 1024);

        ck_assert_uint_eq(odd->memory_kib, 219136);
        ck_assert_uint_eq(odd->current_memory_kib, 219136);
        ck_assert_uint_eq(even->memory_kib, 65536);
        ck_assert_uint_eq(ballooned->memory_kib, 219136);
        ck_assert_uint_eq(ballooned->current_memory_kib, 100001);
        ck_assert_uint_eq(large->memory_kib, 262144);
}
END_TEST

/* As libvirt has it: each part is rounded, and <memory> is what that makes. */
START_TEST(test_align_parts)
{
        static const char cells[] =
                "<maxMemory slots='2'>500001</maxMemory><memory>195003</memory><vcpu>2</vcpu>"
                "<cpu><numa><cell id='0' cpus='0' memory='65001'/>"
                "<cell id='1' cpus='1' memory='65001'/></numa></cpu>";
        static const char dimm[] =
                "<memory model='dimm'><target><size>65001</size><node>0</node></target></memory>";
        CLEANUP(domain_def_unref)
        struct domain_def *def = align(cells, dimm, 1024),
                          *no_cells = align("<memory>130000</memory>", dimm, 1024);

        ck_assert_uint_eq(def->cpu.cells[0].memory_kib, 65536);
        ck_assert_uint_eq(def->cpu.cells[1].memory_kib, 65536);
        ck_assert_uint_eq(def->memory_kib, 3 * 65536);
        ck_assert_uint_eq(def->max_memory_kib, 500736);
        ck_assert_ptr_nonnull(strstr(def->base.xml, "<size unit='KiB'>65536</size>"));
        ck_assert_uint_eq(no_cells->memory_kib, 2 * 65536);
}
END_TEST

/* ---- devices ---- */

START_TEST(test_chars)
{
        struct domain_edit *changed = edit(activate);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        const struct domain_char *chars;

        domain_edit_set_pty(changed, "serial0", "/dev/pts/3");
        domain_edit_set_pty(changed, "console1", "/dev/pts/4");
        domain_edit_set_socket(changed, "channel0", "/run/agent");
        domain_edit_set_channel_state(changed, "channel0", true);
        def = commit(changed);
        chars = def->devices.chars;
        ck_assert_str_eq(chars[0].source.path, "/dev/pts/3");
        ck_assert_str_eq(chars[1].source.path, "/dev/pts/3");
        ck_assert_str_eq(chars[2].source.path, "/dev/pts/4");
        ck_assert_str_eq(chars[3].source.path, "/run/agent");
        ck_assert(chars[3].source.listen);
        expect(def, "    <console type='pty' tty='/dev/pts/3'>\n      <source path='/dev/pts/3'/>\n"
                    "      <target type='serial' port='0'/>\n      <alias name='serial0'/>\n    </console>\n"
                    "    <console type='pty' tty='/dev/pts/4'>\n      <source path='/dev/pts/4'/>\n");
        expect(def, "name='org.qemu.guest_agent.0' state='connected'/>");
        expect_no(def, "<serial type='pty' tty");
}
END_TEST

START_TEST(test_graphics)
{
        struct domain_edit *changed = edit(activate);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        domain_edit_set_graphics_ports(changed, 0, 5901, 0, 5701);
        domain_edit_set_graphics_address(changed, 0, 0, "127.0.0.1");
        domain_edit_set_graphics_socket(changed, 1, 0, "/run/spice.sock");
        def = commit(changed);
        ck_assert_int_eq(def->devices.graphics[0].port, 5901);
        ck_assert_int_eq(def->devices.graphics[0].websocket, 5701);
        ck_assert_str_eq(def->devices.graphics[0].listens[0].address, "127.0.0.1");
        ck_assert_str_eq(def->devices.graphics[1].listens[0].socket, "/run/spice.sock");
        expect(def, "listen='127.0.0.1'");
        expect_no(def, "<graphics type='spice' socket");
}
END_TEST

static const struct domain_edit_plug plug = { .type = "network",
                                              .port_id = "0b4a6c5e-0000-4000-8000-000000000009",
                                              .bridge = "virbr0" };

START_TEST(test_interfaces)
{
        struct domain_edit *changed = edit(activate);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        domain_edit_set_interface_target(changed, "ua-lan", "vnet0");
        domain_edit_plug_interface(changed, 0, &plug);
        domain_edit_set_vsock_cid(changed, 42);
        def = commit(changed);
        ck_assert_str_eq(def->devices.interfaces[0].target, "vnet0");
        ck_assert_str_eq(def->devices.interfaces[0].network_bridge, "virbr0");
        ck_assert_uint_eq(def->devices.vsock->cid, 42);
}
END_TEST

START_TEST(test_disks)
{
        static const struct domain_edit_image chain[] = {
                { .path = "/a", .format = "qcow2", .index = 3 },
                { .path = "/base", .format = "qcow2", .index = 2 },
                { .path = "/dev/base", .format = "raw", .block = true, .index = 1 },
        };
        struct domain_edit *changed = edit(activate);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL, *closed = NULL;
        const struct domain_storage *image;

        domain_edit_set_disk_chain(changed, "virtio-disk1", chain, G_N_ELEMENTS(chain));
        domain_edit_set_disk_tray(changed, "sata0-0-0", true);
        domain_edit_set_disk_path(changed, "sata0-0-0", NULL);
        def = commit(changed);
        image = &def->devices.disks[0].source;
        ck_assert_uint_eq(image->index, 3);
        ck_assert_str_eq(image->backing->path, "/base");
        ck_assert_str_eq(image->backing->backing->path, "/dev/base");
        ck_assert_uint_eq(image->backing->backing->index, 1);
        ck_assert(image->backing->backing->ends);
        ck_assert(def->devices.disks[1].tray_open && !def->devices.disks[1].source.path);

        changed = domain_edit_new(def, NULL);
        domain_edit_set_disk_tray(changed, "sata0-0-0", false);
        domain_edit_set_disk_path(changed, "sata0-0-0", "/iso");
        closed = commit(changed);
        ck_assert(!closed->devices.disks[1].tray_open);
        ck_assert_str_eq(closed->devices.disks[1].source.path, "/iso");
}
END_TEST

#define RUNTIME "/run/virtbus/qemu/0b4a6c5e-0000-4000-8000-000000000001/io/"

/* What was chosen when the guest was started is not taken elsewhere. */
START_TEST(test_migratable)
{
        struct domain_edit *changed = edit(activate);
        CLEANUP(domain_def_unref) struct domain_def *def = load(), *active = NULL, *back = NULL;

        domain_edit_set_pty(changed, "serial0", "/dev/pts/3");
        domain_edit_set_pty(changed, "console1", "/dev/pts/4");
        domain_edit_set_socket(changed, "channel0", RUNTIME "org.qemu.guest_agent.0");
        domain_edit_set_channel_state(changed, "channel0", true);
        domain_edit_set_graphics_ports(changed, 0, 5901, 0, 0);
        domain_edit_set_graphics_socket(changed, 1, 0, RUNTIME "spice1.sock");
        domain_edit_set_interface_target(changed, "net1", "vnet12");
        domain_edit_plug_interface(changed, 0, &plug);
        active = commit(changed);
        back = domain_def_make_migratable(active, NULL);
        ck_assert_str_eq(back->base.xml, def->base.xml);
}
END_TEST

/* What is below a network is the guest's that runs, not its definition's. */
START_TEST(test_plugs)
{
        static const struct domain_edit_plug plugs[] = {
                { .type = "bridge", .port_id = "0b4a6c5e-0000-4000-8000-000000000009", .bridge = "br0" },
                { .type = "direct",
                  .port_id = "0b4a6c5e-0000-4000-8000-000000000009",
                  .device = "eth0",
                  .mode = "passthrough" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(plugs); i++) {
                CLEANUP(domain_def_unref) struct domain_def *def = load(), *active = NULL, *back = NULL;
                struct domain_edit *changed = edit(activate);
                const struct domain_interface *interface;

                domain_edit_plug_interface(changed, 0, &plugs[i]);
                active = commit(changed);
                interface = &active->devices.interfaces[0];
                ck_assert_int_eq(interface->type, i == 0 ? DOMAIN_INTERFACE_BRIDGE : DOMAIN_INTERFACE_DIRECT);
                ck_assert_str_eq(interface->network, "default");
                ck_assert_str_eq(interface->source, i == 0 ? "br0" : "eth0");
                ck_assert_str_eq(interface->port_id, plugs[i].port_id);
                back = domain_def_make_migratable(active, NULL);
                ck_assert_str_eq(back->base.xml, def->base.xml);
        }
}
END_TEST

START_TEST(test_missing_device)
{
        struct domain_edit *changed = edit(activate);

        domain_edit_set_pty(changed, "serial7", "/dev/pts/3");
        domain_edit_set_pty(changed, "serial8", "/dev/pts/3");
        expect_error(changed, ERROR_DEVICE_MISSING, "no device 'serial7' in the domain");
        changed = edit(activate);
        domain_edit_set_graphics_ports(changed, 2, 5900, 0, 0);
        expect_error(changed, ERROR_DEVICE_MISSING, "no graphics '2'");
        changed = edit(activate);
        domain_edit_set_disk_tray(changed, "net1", true);
        expect_error(changed, ERROR_DEVICE_MISSING, "no disk 'net1'");
}
END_TEST

CHECK_MAIN("domain-edit", test_lazy, test_lazy_unreadable, test_texts, test_bad_texts, test_numbers,
           test_firmware, test_seclabel, test_cpu, test_metadata, test_foreign_metadata,
           test_metadata_of_query, test_bad_metadata, test_aliases, test_activate_again, test_align_memory,
           test_align_parts, test_chars, test_graphics, test_interfaces, test_disks, test_migratable,
           test_plugs, test_missing_device)
