/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings of devices, each by the property of QEMU's that it becomes: the devices of a row are on one
 * command line, and what the one with its id is told has all of the parts. What a guest of such a document
 * gets without one of them would start as well, and be another machine.
 */
#include "tests/unit/check-main.h"
#include "tests/unit/qemu-fixture.h"

#include <check.h>
#include <string.h>

#define PARTS_MAX 10

#define IMAGE(device, name) "<disk type='file' device='" device "'><driver name='qemu' type='raw'" name
#define CELL                                                                                                 \
        "<maxMemory slots='4' unit='KiB'>4194304</maxMemory><vcpu>1</vcpu><cpu><numa><cell id='0' cpus='0' " \
        "memory='262144'/></numa></cpu>"
#define VIRTIO "iommu='on' ats='on' packed='on' page_per_vq='on'"
#define AT_PCI                                                                                               \
        "<acpi index='7'/><address type='pci' bus='0x00' slot='0x09' function='0x0' multifunction='on'/>"

static const struct {
        const char *top, *devices;
        const char *option, *id; /* which argument: the one that has this */
        const char *parts[PARTS_MAX];
} rows[] = {
        /* what is seen and heard */
        { "",
          "<video><model type='qxl' ram='131072' vram='32768' vram64='65536' vgamem='16384' "
          "heads='2'/></video>",
          "-device",
          "\"id\":\"video0\"",
          { "\"ram_size\":134217728", "\"vram_size\":33554432", "\"vram64_size_mb\":64", "\"vgamem_mb\":16",
            "\"max_outputs\":2" } },
        { "",
          "<video><model type='virtio' heads='3' blob='on' edid='off'><resolution x='1280' "
          "y='720'/></model></video>",
          "-device",
          "\"id\":\"video0\"",
          { "\"max_outputs\":3", "\"blob\":true", "\"edid\":false", "\"xres\":1280", "\"yres\":720" } },
        { "",
          "<video><model type='vga' vram='32768'/></video>",
          "-device",
          "\"id\":\"video0\"",
          { "\"vgamem_mb\":32" } },
        { "",
          "<video><model type='bochs' vram='32768'/></video>",
          "-device",
          "\"id\":\"video0\"",
          { "\"vgamem\":33554432" } },
        { "",
          "<sound model='usb' multichannel='yes'><audio id='4'/></sound><audio id='4' type='none'/>",
          "-device",
          "\"id\":\"sound0\"",
          { "\"multi\":true", "\"audiodev\":\"audio4\"" } },
        { "",
          "<sound model='ich9'><codec type='micro'/><codec type='output'/><audio id='4'/></sound>"
          "<audio id='4' type='none'/>",
          "-device",
          "\"id\":\"sound0-codec1\"",
          { "\"driver\":\"hda-output\"", "\"bus\":\"sound0.0\"", "\"cad\":1", "\"audiodev\":\"audio4\"" } },
        { "",
          "<audio id='4' type='pulseaudio' timerPeriod='20' serverName='/run/pa'><input name='mic' "
          "streamName='guest' latency='9000'/></audio>",
          "-audiodev",
          "\"id\":\"audio4\"",
          { "\"timer-period\":20", "\"server\":\"/run/pa\"", "\"name\":\"mic\"", "\"stream-name\":\"guest\"",
            "\"latency\":9000" } },
        { "",
          "<audio id='4' type='jack'><output serverName='s' clientName='c' connectPorts='p.*' "
          "exactName='yes'/></audio>",
          "-audiodev",
          "\"id\":\"audio4\"",
          { "\"server-name\":\"s\"", "\"client-name\":\"c\"", "\"connect-ports\":\"p.*\"",
            "\"exact-name\":true" } },
        { "",
          "<input type='evdev'><source dev='/dev/input/event7' grab='all' grabToggle='shift-shift' "
          "repeat='on'/></input>",
          "-object",
          "\"id\":\"input0\"",
          { "\"evdev\":\"/dev/input/event7\"", "\"repeat\":true", "\"grab_all\":true",
            "\"grab-toggle\":\"shift-shift\"" } },

        /* disks */
        { "",
          IMAGE("disk",
                " error_policy='stop' rerror_policy='ignore' event_idx='off' queue_size='512' queues='3'"
                " " VIRTIO
                "/>") "<source file='@DIR@/a.raw'/><target dev='vda' bus='virtio'/><blockio "
                      "logical_block_size='512' physical_block_size='4096'/><geometry cyls='16383' "
                      "heads='16' secs='63'/></disk>",
          "-device",
          "\"id\":\"virtio-disk0\"",
          { "\"event_idx\":false", "\"queue-size\":512", "\"num-queues\":3", "\"werror\":\"stop\"",
            "\"rerror\":\"ignore\"", "\"physical_block_size\":4096", "\"cyls\":16383", "\"ats\":true",
            "\"iommu_platform\":true", "\"page-per-vq\":true" } },
        { "",
          "<controller type='scsi' index='0' model='virtio-scsi'/>" IMAGE(
                  "disk",
                  "/>") "<source file='@DIR@/a.raw'/><target dev='sda' bus='scsi'/><serial>s1</serial>"
                        "<wwn>5000c50015ea71ac</wwn><vendor>ACME</vendor><product>Disk</product></disk>",
          "-device",
          "\"id\":\"scsi0-0-0-0\"",
          { "\"device_id\":\"s1\"", "\"serial\":\"s1\"", "\"wwn\":5764824127192592812", "\"vendor\":\"ACME\"",
            "\"product\":\"Disk\"" } },
        { "",
          IMAGE("disk",
                "/>") "<source file='@DIR@/a.raw'/><target dev='sda' bus='sata'/><geometry cyls='16383' "
                      "heads='16' secs='63'/></disk>",
          "-device",
          "\"id\":\"sata0-0-0\"",
          { "\"cyls\":16383", "\"heads\":16", "\"secs\":63" } },
        { "",
          "<filesystem type='mount' accessmode='mapped' multidevs='remap'><driver type='path' "
          "wrpolicy='immediate'/><source dir='/srv'/><target dir='share'/></filesystem>",
          "-fsdev",
          "fsdev-fs0",
          { "multidevs=remap", "writeout=immediate", "security_model=mapped" } },

        /* controllers */
        { "",
          "<controller type='scsi' index='0' model='virtio-scsi'><driver queues='4' cmd_per_lun='5' "
          "max_sectors='64'/></controller>",
          "-device",
          "\"id\":\"scsi0\"",
          { "\"num_queues\":4", "\"cmd_per_lun\":5", "\"max_sectors\":64" } },
        { "",
          "<controller type='usb' index='0' model='ich9-ehci1'/><controller type='usb' index='0' "
          "model='ich9-uhci2'><master startport='2'/></controller>",
          "-device",
          "\"driver\":\"ich9-usb-uhci2\"",
          { "\"masterbus\":\"usb.0\"", "\"firstport\":2" } },
        { "",
          "<console type='pty'><target type='virtio'/></console>",
          "-device",
          "\"driver\":\"virtconsole\"",
          { "\"chardev\":\"charconsole0\"" } },

        /* interfaces */
        { "",
          "<interface type='user'><ip family='ipv6' address='fd00::' prefix='64'/><ip family='ipv4' "
          "address='172.17.2.0' prefix='24'/></interface>",
          "-netdev",
          "\"id\":\"hostnet0\"",
          { "\"ipv6-prefix\":\"fd00::\"", "\"ipv6-prefixlen\":64", "\"net\":\"172.17.2.0/24\"" } },
        { "",
          "<interface type='user'><model type='virtio'/><driver txmode='timer' event_idx='off' "
          "rx_queue_size='512' tx_queue_size='1024' " VIRTIO "/><mtu size='1400'/></interface>",
          "-device",
          "\"id\":\"net0\"",
          { "\"tx\":\"timer\"", "\"event_idx\":false", "\"rx_queue_size\":512", "\"tx_queue_size\":1024",
            "\"host_mtu\":1400", "\"iommu_platform\":true", "\"ats\":true", "\"packed\":true",
            "\"page-per-vq\":true" } },

        /* characters */
        { "",
          "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/><protocol "
          "type='telnet'/><log file='/var/log/s.log' append='on'/></serial>",
          "-chardev",
          "id=charserial0",
          { "telnet=on", "logappend=on" } },
        { "",
          "<serial type='udp'><source mode='bind' host='127.0.0.1' service='4555'/><source "
          "mode='connect' host='127.0.0.2' service='4556'/></serial>",
          "-chardev",
          "id=charserial0",
          { "host=127.0.0.2", "port=4556", "localaddr=127.0.0.1", "localport=4555" } },
        { "",
          "<serial type='null'><target type='isa-serial'/><address type='isa' iobase='0x2f8' "
          "irq='0x5'/></serial>",
          "-device",
          "\"id\":\"serial0\"",
          { "\"iobase\":760", "\"irq\":5" } },

        /* memory */
        { CELL,
          "<memory model='nvdimm'><source><path>/x</path><alignsize "
          "unit='KiB'>2048</alignsize></source><target>"
          "<size>131072</size><node>0</node><label><size>128</size></label><readonly/></target></memory>",
          "-device",
          "\"driver\":\"nvdimm\"",
          { "\"label-size\":131072", "\"unarmed\":true", "\"node\":0" } },
        { CELL,
          "<memory model='nvdimm' discard='yes'><source><path>/x</path><alignsize "
          "unit='KiB'>2048</alignsize></source><target>"
          "<size>131072</size><node>0</node></target></memory>",
          "-object",
          "\"mem-path\":\"/x\"",
          { "\"align\":2097152", "\"discard-data\":true" } },
        { CELL,
          "<memory model='virtio-mem'><target><size>131072</size><node>0</node><block unit='KiB'>4096</block>"
          "<requested unit='KiB'>65536</requested></target></memory>",
          "-device",
          "\"driver\":\"virtio-mem-pci\"",
          { "\"block-size\":4194304", "\"requested-size\":67108864" } },
        { CELL,
          "<memory model='virtio-mem'><target><size>131072</size><node>0</node><block unit='KiB'>4096</block>"
          "<requested unit='KiB'>65536</requested></target></memory>",
          "-object",
          "\"id\":\"memvirtiomem0\"",
          { "\"reserve\":false" } },
        { CELL,
          "<memory model='dimm'><target><size>131072</size><node>0</node></target></memory>"
          "<memory model='virtio-mem'><target><size>131072</size><node>0</node><block unit='KiB'>4096</block>"
          "<requested unit='KiB'>65536</requested></target></memory>"
          "<memory model='virtio-mem'><target><size>262144</size><node>0</node><block unit='KiB'>4096</block>"
          "<requested unit='KiB'>65536</requested></target></memory>",
          "-object",
          "\"id\":\"memvirtiomem1\"",
          { "\"size\":268435456" } },
        { "<memoryBacking><source type='memfd'/><access mode='shared'/><allocation mode='immediate' "
          "threads='2'/>"
          "</memoryBacking>",
          "",
          "-object",
          "memory-backend-memfd",
          { "\"share\":true", "\"prealloc\":true", "\"prealloc-threads\":2" } },

        /* others */
        { "",
          "<memballoon model='virtio' autodeflate='on' freePageReporting='on'><driver " VIRTIO
          "/></memballoon>",
          "-device",
          "\"id\":\"balloon0\"",
          { "\"deflate-on-oom\":true", "\"free-page-reporting\":true", "\"iommu_platform\":true",
            "\"ats\":true", "\"packed\":true", "\"page-per-vq\":true" } },
        { "",
          "<rng model='virtio'><rate bytes='4096' period='2000'/><backend "
          "model='random'>/dev/urandom</backend>"
          "<driver " VIRTIO "/></rng>",
          "-device",
          "\"id\":\"rng0\"",
          { "\"max-bytes\":4096", "\"period\":2000", "\"iommu_platform\":true", "\"ats\":true" } },
        { "<features><acpi/><ioapic driver='qemu'/></features>",
          "<iommu model='intel'><driver intremap='on' caching_mode='on' aw_bits='48' iotlb='on'/></iommu>",
          "-device",
          "\"driver\":\"intel-iommu\"",
          { "\"caching-mode\":true", "\"aw-bits\":48", "\"device-iotlb\":true" } },
        { "",
          "<panic model='isa'><address type='isa' iobase='0x506'/></panic>",
          "-device",
          "\"driver\":\"pvpanic\"",
          { "\"ioport\":1286" } },
        { "",
          "<crypto model='virtio' type='qemu'><backend model='builtin' queues='2'/></crypto>",
          "-device",
          "\"id\":\"crypto0\"",
          { "\"cryptodev\":\"objcrypto0\"" } },
        { "",
          "<interface type='user'><model type='e1000e'/>" AT_PCI "</interface>",
          "-device",
          "\"id\":\"net0\"",
          { "\"acpi-index\":7", "\"multifunction\":true", "\"addr\":\"0x9\"" } },
};

static const char *find_argument(const struct qemu_command *command, const char *option, const char *id)
{
        for (unsigned i = 0; command->argv->pdata[i + 1]; i++) {
                if (strcmp(command->argv->pdata[i], option) == 0 && strstr(command->argv->pdata[i + 1], id))
                        return command->argv->pdata[i + 1];
        }
        return NULL;
}

START_TEST(test_setting)
{
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GHashTable) resources = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *line = NULL;
        const char *argument;

        if (!fixture_has_qemu())
                return;
        g_string_printf(text,
                        "<domain type='qemu'><name>x</name><memory>262144</memory>%s<os><type "
                        "machine='q35'>hvm</type></os><devices>%s</devices></domain>",
                        rows[_i].top, rows[_i].devices);
        g_string_replace(text, "@DIR@", fixture.dir, 0);
        fixture_make_images();
        def = fixture_parse(text->str);
        ck_assert_int_eq(def->unsupported.count + def->unknown.count, 0);
        resources = fixture_prepare(def);
        command = fixture_build(def, resources, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        line = qemu_command_format(command);
        argument = find_argument(command, rows[_i].option, rows[_i].id);
        ck_assert_msg(argument != NULL, "%s of %s is not in %s", rows[_i].option, rows[_i].id, line);
        for (unsigned i = 0; i < PARTS_MAX && rows[_i].parts[i]; i++)
                ck_assert_msg(strstr(argument, rows[_i].parts[i]) != NULL, "%s is not in %s",
                              rows[_i].parts[i], argument);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-settings");
        TCase *tests = tcase_create("qemu-settings");

        tcase_add_unchecked_fixture(tests, fixture_set_up, fixture_tear_down);
        tcase_add_loop_test(tests, test_setting, 0, G_N_ELEMENTS(rows));
        suite_add_tcase(suite, tests);
        return check_run(suite);
}
