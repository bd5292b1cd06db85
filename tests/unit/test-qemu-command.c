/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines without running them: they are the same each time, show no secret, give the options that
 * devices of the host need, and what is not supported is refused by name.
 */
#include "base/error.h"
#include "drivers/qemu/resources.h"
#include "tests/unit/check-main.h"
#include "tests/unit/qemu-fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The same input gives the same command line, and no password is on it. */
START_TEST(test_command_line)
{
        g_autoptr(GString) text = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *one = NULL, *two = NULL;
        g_autoptr(GHashTable) resources = NULL;
        g_autofree char *first = NULL, *second = NULL, *setup = NULL;

        if (!fixture_has_qemu())
                return;
        text = fixture_read_document("i440fx.xml");
        def = fixture_parse(text->str);
        fixture_make_images();
        resources = fixture_prepare(def);
        one = fixture_build(def, resources, 5, NULL);
        two = fixture_build(def, resources, 5, NULL);
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
                  "{\"driver\":\"usb-host\",\"id\":\"hostdev0\",\"hostdevice\":\"/dev/bus/usb/002/017\"" },
                { "-device",
                  "{\"driver\":\"usb-host\",\"id\":\"hostdev1\",\"hostdevice\":\"/dev/bus/usb/001/003\","
                  "\"guest-reset\":true,\"guest-resets-all\":false" },
                { "-device",
                  "{\"driver\":\"vfio-pci\",\"id\":\"hostdev2\",\"host\":\"0000:06:02.1\",\"bootindex\":1,"
                  "\"rombar\":1,\"romfile\":\"/etc/fake/boot.bin\"" },
                { "-device", "{\"driver\":\"vfio-pci\",\"id\":\"hostdev4\",\"host\":\"10000:e1:00.0\","
                             "\"failover_pair_id\":\"ua-net\",\"romfile\":\"\"" },
                { "-blockdev", "{\"driver\":\"host_device\",\"filename\":\"/dev/sg3\",\"node-name\":"
                               "\"libvirt-hostdev6-backend\",\"read-only\":true}" },
                { "-device", "{\"driver\":\"scsi-generic\",\"id\":\"hostdev6\",\"bus\":\"scsi0.0\","
                             "\"channel\":0,\"scsi-id\":4,\"lun\":8,\"drive\":"
                             "\"libvirt-hostdev6-backend\"}" },
                { "-device", "{\"driver\":\"vhost-scsi-pci-non-transitional\",\"id\":\"hostdev7\","
                             "\"wwpn\":\"naa.50014057667280d8\",\"vhostfd\":\"60\"" },
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

        if (!fixture_has_qemu())
                return;
        text = fixture_read_document("host.xml");
        def = fixture_parse(text->str);
        resources = fixture_prepare(def);
        fixture_add_resources(resources, "net0")->fds = fds(20, 2);
        ((struct device_resources *)g_hash_table_lookup(resources, "net0"))->vhost_fds = fds(30, 2);
        fixture_add_resources(resources, "net1")->fds = fds(40, 1);
        fixture_add_resources(resources, "tpm0")->socket = g_strdup("/run/t,pm");
        fixture_add_resources(resources, "vsock0")->fds = fds(50, 1);
        fixture_add_resources(resources, "hostdev6")->path = g_strdup("/dev/sg3");
        fixture_add_resources(resources, "hostdev7")->fds = fds(60, 1);
        command = fixture_build(def, resources, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++)
                ck_assert_msg(fixture_has_argument(command, expected[i][0], expected[i][1]), "%s %s",
                              expected[i][0], expected[i][1]);
        /* What has no place in the guest is only taken from the host. */
        ck_assert(!fixture_has_argument(command, "-device", "{\"driver\":\"vfio-pci\",\"id\":\"hostdev5\""));
}
END_TEST

/* Small settings, each by the piece of the command line that it becomes. */
#define ENCLAVES                                                                                             \
        "<maxMemory slots='4'>4194304</maxMemory><vcpu>1</vcpu><cpu><numa><cell id='0' cpus='0' "            \
        "memory='262144'/><cell id='1' memory='262144'/></numa></cpu>",                                      \
                "<memory model='sgx-epc'><source><nodemask>0</nodemask></source><target><size>65536</size>"  \
                "<node>1</node></target></memory><memory model='sgx-epc'><target><size>16384</size>"         \
                "</target></memory>"

#define PLAIN_DEVICES                                                                                        \
        "<q:capabilities xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:del "                       \
        "capability='device.json+hotplug'/></q:capabilities>"

static const struct {
        const char *top, *devices, *option, *value;
} pieces[] = {
        /* As libvirt's domxml-to-native has it, but for the thread that fills the pages. */
        { ENCLAVES, "-machine",
          "pc-q35-7.2,usb=off,dump-guest-core=off,acpi=off,sgx-epc.0.memdev=memepc0,sgx-epc.0.node=1,"
          "sgx-epc.1.memdev=memepc1,sgx-epc.1.node=0" },
        { ENCLAVES, "-object",
          "{\"qom-type\":\"memory-backend-epc\",\"id\":\"memepc0\",\"prealloc\":true,\"size\":67108864,"
          "\"host-nodes\":[0],\"policy\":\"bind\"}" },
        { ENCLAVES, "-object",
          "{\"qom-type\":\"memory-backend-epc\",\"id\":\"memepc1\",\"prealloc\":true,\"size\":16777216}" },
        { ENCLAVES, "-m", "size=524288k,slots=4,maxmem=4194304k" },
        { "<genid>43dc0cf8-809b-4adb-9bea-a9abb5f3d90e</genid>", "", "-device",
          "{\"driver\":\"vmgenid\",\"id\":\"vmgenid0\",\"guid\":"
          "\"43dc0cf8-809b-4adb-9bea-a9abb5f3d90e\"}" },
        { "<features><acpi/><tcg><tb-cache unit='MiB'>128</tb-cache></tcg></features>", "", "-accel",
          "tcg,tb-size=128" },
        { "<clock><timer name='rtc' tickpolicy='catchup'><catchup limit='9'/></timer></clock>", "", "-rtc",
          "base=utc,driftfix=slew" },
        { "<cpu><model>qemu64</model><maxphysaddr mode='passthrough' limit='39'/></cpu>", "", "-cpu",
          "qemu64,host-phys-bits=on,host-phys-bits-limit=39" },
        { "<features><acpi/><ioapic driver='qemu'/></features>",
          "<iommu model='intel'><driver intremap='on' eim='on' dma_translation='off'/></iommu>", "-device",
          "{\"driver\":\"intel-iommu\",\"id\":\"iommu0\",\"intremap\":\"on\",\"eim\":\"on\","
          "\"dma-translation\":false" },
        { "<cpu match='strict'><model>qemu64</model></cpu>", "", "-cpu", "qemu64" },
        { "<vcpu>1</vcpu><numatune><memnode cellid='0' mode='restrictive' nodeset='0'/></numatune><cpu><numa>"
          "<cell id='0' cpus='0' memory='65536'/></numa></cpu>",
          "", "-object", "{\"qom-type\":\"memory-backend-ram\",\"id\":\"ram-node0\",\"size\":67108864}" },
        { "<iothreads>1</iothreads><iothreadids><iothread id='4' thread_pool_max='9'/></iothreadids>", "",
          "-object", "{\"qom-type\":\"iothread\",\"id\":\"iothread4\",\"thread-pool-max\":9}" },
        { "<iothreads>1</iothreads><iothreadids><iothread id='4'><poll max='0' grow='2' "
          "shrink='3'/></iothread>"
          "</iothreadids>",
          "", "-object",
          "{\"qom-type\":\"iothread\",\"id\":\"iothread4\",\"poll-max-ns\":0,\"poll-grow\":2,"
          "\"poll-shrink\":3}" },
        { "<defaultiothread thread_pool_min='2'/>", "", "-object",
          "{\"qom-type\":\"main-loop\",\"id\":\"main-loop\",\"thread-pool-min\":2}" },
        { "", "<watchdog model='i6300esb'/><watchdog model='i6300esb'/><watchdog model='itco'/>", "-device",
          "{\"driver\":\"i6300esb\",\"id\":\"watchdog1\"" },
        { "", "<watchdog model='i6300esb'/><watchdog model='itco'/>", "-global", "ICH9-LPC.noreboot=off" },
        { "", "<smartcard mode='host'/>", "-device",
          "{\"driver\":\"ccid-card-emulated\",\"id\":\"smartcard0\",\"backend\":\"nss-emulated\",\"bus\":"
          "\"ccid0.0\"}" },
        { "",
          "<smartcard mode='host-certificates'><certificate>a</certificate><certificate>b</certificate>"
          "<certificate>c</certificate></smartcard>",
          "-device",
          "{\"driver\":\"ccid-card-emulated\",\"id\":\"smartcard0\",\"backend\":\"certificates\","
          "\"cert1\":\"a\",\"cert2\":\"b\",\"cert3\":\"c\",\"db\":\"/etc/pki/nssdb\",\"bus\":\"ccid0.0\"}" },
        { "", "<serial type='null'><target type='isa-debug'/></serial>", "-device",
          "{\"driver\":\"isa-debugcon\",\"id\":\"serial0\",\"chardev\":\"charserial0\"" },
        { "",
          "<channel type='qemu-vdagent'><source><clipboard copypaste='yes'/><mouse mode='client'/></source>"
          "<target type='virtio' name='com.redhat.spice.0'/></channel>",
          "-chardev", "qemu-vdagent,id=charchannel0,clipboard=on,mouse=on" },
        { "",
          "<graphics type='spice' port='5999'><listen type='address' address='127.0.0.1'/></graphics>"
          "<redirdev bus='usb' type='spicevmc'/><redirfilter><usbdev class='0x08' vendor='0x1234' "
          "product='0xBEEF' version='2.56' allow='yes'/><usbdev allow='no'/></redirfilter>",
          "-device",
          "{\"driver\":\"usb-redir\",\"id\":\"redir0\",\"chardev\":\"charredir0\",\"filter\":"
          "\"0x08:0x1234:0xBEEF:0x0256:1|-1:-1:-1:-1:0\"" },
        { "",
          "<graphics type='vnc' port='5999' powerControl='yes'><listen type='address' "
          "address='127.0.0.1'/></graphics>",
          "-vnc", "127.0.0.1:99,power-control=on" },
        { "", "<graphics type='dbus' p2p='yes'/>", "-display", "dbus,p2p=on" },
        { "", "<graphics type='dbus' address='unix:path=/run/x,y'><gl enable='no'/></graphics>", "-display",
          "dbus,addr=unix:path=/run/x,,y,gl=off" },
        { "",
          "<audio id='1' type='none'><input mixingEngine='yes' fixedSettings='yes' voices='1' "
          "bufferLength='100'><settings frequency='44100' channels='2' format='s16'/></input><output "
          "mixingEngine='no'/></audio>",
          "-audiodev",
          "{\"id\":\"audio1\",\"driver\":\"none\",\"in\":{\"mixing-engine\":true,\"fixed-settings\":true,"
          "\"voices\":1,\"buffer-length\":100,\"frequency\":44100,\"channels\":2,\"format\":\"s16\"},"
          "\"out\":{\"mixing-engine\":false}}" },
        { "",
          "<audio id='3' type='oss' tryMMap='yes' exclusive='no' dspPolicy='0'><output dev='/dev/dsp' "
          "bufferCount='3' tryPoll='no'/></audio>",
          "-audiodev",
          "{\"id\":\"audio3\",\"driver\":\"oss\",\"try-mmap\":true,\"exclusive\":false,\"dsp-policy\":0,"
          "\"out\":{\"dev\":\"/dev/dsp\",\"buffer-count\":3,\"try-poll\":false}}" },
        { "", "<interface type='mcast'><source address='230.0.0.1' port='5558'/></interface>", "-netdev",
          "{\"id\":\"hostnet0\",\"type\":\"socket\",\"mcast\":\"230.0.0.1:5558\"}" },
        { "", "<interface type='server'><source port='5558'/></interface>", "-netdev",
          "{\"id\":\"hostnet0\",\"type\":\"socket\",\"listen\":\":5558\"}" },
        { "", "<interface type='client'><source address='127.0.0.1' port='5558'/></interface>", "-netdev",
          "{\"id\":\"hostnet0\",\"type\":\"socket\",\"connect\":\"127.0.0.1:5558\"}" },
        { "",
          "<interface type='udp'><source address='127.0.0.1' port='5555'><local address='127.0.0.2' "
          "port='5556'/></source></interface>",
          "-netdev",
          "{\"id\":\"hostnet0\",\"type\":\"socket\",\"udp\":\"127.0.0.1:5555\",\"localaddr\":"
          "\"127.0.0.2:5556\"}" },
        { "",
          "<interface type='vhostuser'><source type='unix' path='/run/v,h' mode='client'><reconnect "
          "enabled='yes' timeout='5'/></source><model type='virtio'/><driver queues='2'/></interface>",
          "-netdev", "{\"id\":\"hostnet0\",\"type\":\"vhost-user\",\"chardev\":\"charnet0\",\"queues\":2}" },
        { "",
          "<interface type='vhostuser'><source type='unix' path='/run/v,h' mode='client'><reconnect "
          "enabled='yes' timeout='5'/></source><model type='virtio'/></interface>",
          "-chardev", "socket,id=charnet0,path=/run/v,,h,server=off,reconnect=5" },
        { "",
          "<interface type='vhostuser'><source type='unix' path='/run/vh' mode='server'/><model "
          "type='virtio'/><driver queues='2'/></interface>",
          "-device", "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\",\"mq\":true,\"vectors\":6," },
        { "",
          "<interface type='user'><model type='virtio'/><driver rss='on' rss_hash_report='on'><host "
          "csum='off' gso='off' tso4='off' tso6='off' ecn='off' ufo='off' mrg_rxbuf='off'/><guest csum='off' "
          "tso4='off' tso6='off' ecn='off' ufo='off'/></driver><teaming type='persistent'/></interface>",
          "-device",
          "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\",\"csum\":false,\"guest_csum\":false,"
          "\"host_tso4\":false,\"guest_tso4\":false,\"host_tso6\":false,\"guest_tso6\":false,"
          "\"host_ecn\":false,\"guest_ecn\":false,\"host_ufo\":false,\"guest_ufo\":false,\"gso\":false,"
          "\"mrg_rxbuf\":false,\"rss\":true,\"hash\":true,\"failover\":true" },
        { "<features><acpi/><hyperv><vpindex state='on'/><tlbflush state='on'><direct state='on'/><extended "
          "state='on'/></tlbflush></hyperv></features><cpu><model>qemu64</model></cpu>",
          "", "-cpu", "qemu64,hv-vpindex=on,hv-tlbflush=on,hv-tlbflush-direct=on,hv-tlbflush-ext=on" },
        { "",
          "<controller type='pci' index='1' model='pcie-root-port'><target chassis='1' port='8' "
          "memReserve='8192'/></controller>",
          "-device",
          "{\"driver\":\"pcie-root-port\",\"id\":\"pci.1\",\"port\":8,\"chassis\":1,\"mem-reserve\":"
          "8388608" },
        { "",
          "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><blockio "
          "logical_block_size='512' discard_granularity='65536'/></disk>",
          "-device",
          "{\"driver\":\"ide-cd\",\"id\":\"sata0-0-0\",\"bus\":\"ide.0\",\"logical_block_size\":512,"
          "\"discard_granularity\":65536" },
        { PLAIN_DEVICES, "<memballoon model='virtio' autodeflate='on'/>", "-device",
          "virtio-balloon-pci,id=balloon0,deflate-on-oom=on," },
};

START_TEST(test_piece)
{
        g_autofree char *text = g_strdup_printf("<domain type='qemu'><name>x</name><memory>65536</memory>%s"
                                                "<os><type machine='q35'>hvm</type></os><devices>%s"
                                                "</devices></domain>",
                                                pieces[_i].top, pieces[_i].devices);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *line = NULL;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse(text);
        command = fixture_build(def, NULL, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        line = qemu_command_format(command);
        ck_assert_msg(fixture_has_argument(command, pieces[_i].option, pieces[_i].value),
                      "%s %s is not in %s", pieces[_i].option, pieces[_i].value, line);
}
END_TEST

START_TEST(test_host_tpm)
{
        g_autoptr(GHashTable) resources = NULL;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse("<domain type='qemu'><name>x</name><memory>65536</memory>"
                            "<os><type machine='q35'>hvm</type></os><devices><tpm model='tpm-crb'>"
                            "<backend type='passthrough'><device path='/dev/tpm1'/></backend></tpm>"
                            "</devices></domain>");
        resources = fixture_prepare(def);
        fixture_add_resources(resources, "tpm0")->fds = fds(70, 2);
        command = fixture_build(def, resources, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        ck_assert(fixture_has_argument(command, "-add-fd", "fd=70,set="));
        ck_assert(fixture_has_argument(command, "-add-fd", "fd=71,set="));
        ck_assert(fixture_has_argument(command, "-tpmdev", "passthrough,id=tpm-tpm0,path=/dev/fdset/"));
}
END_TEST

#define OVERRIDE(devices)                                                                                    \
        "<q:override xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>" devices "</q:override>"

/* The last word on a property: another value, of each type, or none. */
START_TEST(test_override)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse("<domain type='qemu'><name>x</name><memory>65536</memory>"
                            "<os><type machine='q35'>hvm</type></os><devices>"
                            "<watchdog model='i6300esb'/></devices>" OVERRIDE(
                                    "<q:device alias='watchdog0'><q:frontend>"
                                    "<q:property name='bus' type='remove'/>"
                                    "<q:property name='addr' type='remove'/>"
                                    "<q:property name='s' type='string' value='5'/>"
                                    "<q:property name='i' type='signed' value='-5'/>"
                                    "<q:property name='u' type='unsigned' value='7'/>"
                                    "<q:property name='b' type='bool' value='false'/>"
                                    "</q:frontend></q:device>") "</domain>");
        command = fixture_build(def, NULL, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        ck_assert(fixture_has_argument(
                command, "-device",
                "{\"driver\":\"i6300esb\",\"id\":\"watchdog0\",\"s\":\"5\",\"i\":-5,\"u\":7,\"b\":false}"));
}
END_TEST

/* ---- memory ---- */

#define SHARED_CELL                                                                                          \
        "<vcpu>1</vcpu><cpu><numa><cell id='0' cpus='0' memory='65536' memAccess='shared'/></numa></cpu>"

/* What others are to map has a descriptor; the name of the block is kept for all of the memory alone. */
static const struct {
        const char *top, *option, *value;
} memories[] = {
        { "", "-object", "{\"qom-type\":\"memory-backend-ram\",\"id\":\"pc.ram\",\"size\":67108864}" },
        { "<memoryBacking><access mode='shared'/></memoryBacking>", "-object",
          "{\"qom-type\":\"memory-backend-memfd\",\"id\":\"pc.ram\",\"share\":true,"
          "\"x-use-canonical-path-for-ramblock-id\":false,\"size\":67108864}" },
        { SHARED_CELL, "-object",
          "{\"qom-type\":\"memory-backend-memfd\",\"id\":\"ram-node0\",\"share\":true,\"size\":67108864}" },
        { SHARED_CELL "<memoryBacking><source type='memfd'/></memoryBacking>", "-object",
          "{\"qom-type\":\"memory-backend-memfd\",\"id\":\"ram-node0\",\"share\":true,\"size\":67108864}" },
        { "<features><acpi/><smm state='on'><tseg>48</tseg></smm></features>", "-global",
          "mch.extended-tseg-mbytes=48" },
        { "<q:deprecation xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0' behavior='omit'/>", "-compat",
          "deprecated-output=hide" },
        { "<q:deprecation xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0' behavior='reject'/>",
          "-compat", "deprecated-output=hide,deprecated-input=reject" },
};

/* As libvirt has them, but caches from the first level on. */
START_TEST(test_memory_attributes)
{
        static const char *const expected[] = {
                "node,nodeid=0,cpus=0-1,initiator=0,memdev=ram-node0",
                "node,nodeid=1,initiator=0,memdev=ram-node1",
                "hmat-lb,initiator=0,target=0,hierarchy=memory,data-type=access-latency,latency=5",
                "hmat-lb,initiator=0,target=0,hierarchy=first-level,data-type=access-latency,latency=10",
                "hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-latency,latency=20",
                "hmat-lb,initiator=0,target=0,hierarchy=memory,data-type=access-bandwidth,bandwidth=204800K",
                "hmat-lb,initiator=0,target=1,hierarchy=memory,data-type=access-bandwidth,bandwidth=102400K",
                "hmat-cache,node-id=0,size=10K,level=1,associativity=direct,policy=write-back,line=8",
                "hmat-cache,node-id=0,size=1024K,level=2,associativity=complex,policy=write-through,line=64",
        };
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GString) text = NULL;
        g_autoptr(GError) error = NULL;
        unsigned found = 0;

        if (!fixture_has_qemu())
                return;
        text = fixture_read_document("hmat.xml");
        def = fixture_parse(text->str);
        command = fixture_build(def, NULL, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        for (unsigned i = 0; command->argv->pdata[i + 1]; i++) {
                if (strcmp(command->argv->pdata[i], "-numa") != 0)
                        continue;
                ck_assert_uint_lt(found, G_N_ELEMENTS(expected));
                ck_assert_str_eq(command->argv->pdata[i + 1], expected[found++]);
        }
        ck_assert_uint_eq(found, G_N_ELEMENTS(expected));
        ck_assert(fixture_has_argument(command, "-machine", "pc-q35"));
}
END_TEST

START_TEST(test_memory)
{
        g_autofree char *text =
                g_strdup_printf("<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory>"
                                "<os><type machine='q35'>hvm</type></os>%s</domain>",
                                memories[_i].top);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GHashTable) resources = NULL;
        g_autofree char *line = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse(text);
        resources = fixture_prepare(def);
        command = fixture_build(def, resources, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        line = qemu_command_format(command);
        ck_assert_msg(fixture_has_argument(command, memories[_i].option, memories[_i].value),
                      "%s is not in %.2000s", memories[_i].value, line);
}
END_TEST

/* ---- buses ---- */

/* Each bus is there before what is plugged into it, whatever its number. */
START_TEST(test_buses)
{
        static const char text[] =
                "<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory>"
                "<os><type machine='q35'>hvm</type></os><devices>"
                "<controller type='pci' index='1' model='pcie-root-port'/>"
                "<controller type='pci' index='2' model='pcie-to-pci-bridge'>"
                "<address type='pci' bus='0x05'/></controller>"
                "<controller type='pci' index='3' model='pcie-switch-upstream-port'>"
                "<address type='pci' bus='0x01'/></controller>"
                "<controller type='pci' index='5' model='pcie-switch-downstream-port'><target hotplug='off'/>"
                "<address type='pci' bus='0x03'/></controller></devices></domain>";
        static const char *const order[] = { "\"id\":\"pci.1\"", "\"id\":\"pci.3\"",
                                             "\"id\":\"pci.5\",\"port\":0,\"chassis\":5,\"hotplug\":false",
                                             "\"id\":\"pci.2\"", "\"id\":\"usb\"" };
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GHashTable) resources = NULL;
        g_autofree char *line = NULL;
        const char *at;

        if (!fixture_has_qemu())
                return;
        def = fixture_parse(text);
        resources = fixture_prepare(def);
        command = fixture_build(def, resources, 5, NULL);
        at = line = qemu_command_format(command);
        for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
                at = strstr(at, order[i]);
                ck_assert_msg(at != NULL, "%s is not in its place: %s", order[i], line);
        }
}
END_TEST

/* ---- time ---- */

/* 14 GiB that may be made before the first answer: as long as slow memory, or a slow disk, takes for so much.
 */
START_TEST(test_time_to_start)
{
        static const struct {
                const char *backing;
                unsigned seconds;
        } cases[] = {
                { "", 600 + 14 * 16 },
                { "<memoryBacking><hugepages/></memoryBacking>", 600 + 14 * 16 },
                { "<memoryBacking><source type='file'/></memoryBacking>", 600 + 14 * 64 },
        };

        if (!fixture_has_qemu())
                return;
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text =
                        g_strdup_printf("<domain type='qemu'><name>x</name><memory unit='GiB'>14</memory>%s"
                                        "<os><type machine='q35'>hvm</type></os></domain>",
                                        cases[i].backing);
                CLEANUP(domain_def_unref) struct domain_def *def = fixture_parse(text);

                ck_assert_uint_eq(resources_get_start_ms(def), cases[i].seconds * 1000);
        }
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
        { NULL, NULL, "<filesystem type='ram'><source usage='1'/><target dir='y'/></filesystem>", "usage" },
        { NULL, NULL, "<filesystem type='bind'><source dir='/x'/><target dir='y'/></filesystem>",
          "<filesystem type='bind'>" },
        { NULL, NULL, "<filesystem><source dir='x'/><target dir='y'/></filesystem>", "that is absolute" },
        { NULL, NULL,
          "<filesystem><source dir='/x'/><target dir='12345678901234567890123456789012'/></filesystem>",
          "1 to 31 bytes" },
        { NULL, NULL, "<filesystem fmode='0600'><source dir='/x'/><target dir='y'/></filesystem>",
          "fmode or dmode" },
        { NULL, NULL, "<filesystem><driver type='handle'/><source dir='/x'/><target dir='y'/></filesystem>",
          "<driver type='handle'>" },
        { NULL, NULL,
          "<disk type='vhostuser'><source type='unix' path='/s'/><target dev='vda' bus='virtio'/>"
          "<readonly/></disk>",
          "<readonly> of disk 'vda', whose type is 'vhostuser'" },
        { NULL, NULL, "<graphics type='sdl' display=':0'/>", "<graphics type='sdl'>" },
        { NULL, NULL, "<interface type='bridge'><source bridge='br0'/></interface>",
          "interface type 'bridge'" },
        { NULL, NULL, "<sound model='ich7'/>", "ich7" },
        { NULL, "<cpu mode='host-passthrough'/>", NULL, "'host-passthrough' without KVM" },
        { NULL, "<cpu mode='custom'><model>Pentium-9</model></cpu>", NULL, "no CPU model 'Pentium-9'" },
        { NULL, "<clock><timer name='tsc' mode='native'/></clock>", NULL,
          "mode 'native' of <timer name='tsc'>" },
        { NULL, "<clock><timer name='tsc' mode='emulate'/></clock>", NULL, "mode 'emulate' of <timer" },
        { NULL, NULL, "<graphics type='vnc' port='5901'/><graphics type='vnc' port='5902'/>",
          "more than one" },
        { NULL, "<features><hap/></features>", NULL, "feature 'hap'" },
        { NULL, "<launchSecurity type='sev'><policy>1</policy></launchSecurity>", NULL,
          "<launchSecurity type='sev'> without KVM" },
        { NULL, "<launchSecurity type='s390-pv'/>", NULL,
          "<launchSecurity type='s390-pv'> on machine 'pc-q35" },
        { NULL, "<keywrap><cipher name='aes' state='on'/></keywrap>", NULL, "<keywrap> is for s390x" },
        { NULL,
          OVERRIDE("<q:device alias='net7'><q:frontend><q:property name='mq' type='bool' "
                   "value='true'/></q:frontend></q:device>"),
          NULL, "<qemu:override> is for the device 'net7'" },
        { NULL, NULL, "<audio id='1' type='coreaudio'/>", "<audio type='coreaudio'>" },
        { NULL, "<vcpu>4</vcpu><cpu><topology sockets='1' clusters='2' cores='2' threads='1'/></cpu>", NULL,
          "clusters='2' of <topology>" },
        { NULL,
          "<cpu><numa><cell id='0' cpus='0' memory='65536'><cache level='1' associativity='none' "
          "policy='none'><size value='1'/><line value='8'/></cache></cell></numa></cpu>",
          NULL, "a <cache> of NUMA cell 0 without a <latency>" },
        { NULL, NULL,
          "<interface type='vhostuser'><source type='unix' path='/x' mode='client'/><model "
          "type='e1000'/></interface>",
          "has the model 'e1000', not 'virtio'" },
        { NULL, "<os><loader format='qcow2'/></os>", NULL, "<loader> without a path" },
};

static struct domain_def *parse_refusal(const struct refusal *refusal)
{
        g_autofree char *text =
                g_strdup_printf("<domain type='%s'><name>x</name><memory>65536</memory><os><type "
                                "machine='q35'>hvm</type></os>%s"
                                "<devices>%s</devices></domain>",
                                refusal->type ? refusal->type : "qemu", refusal->top ? refusal->top : "",
                                refusal->devices ? refusal->devices : "");

        return fixture_parse(text);
}

START_TEST(test_refusal)
{
        const struct refusal *refusal = &refusals[_i];
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        def = parse_refusal(refusal);
        ck_assert_ptr_null(fixture_build(def, NULL, 5, &error));
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

        if (!fixture_has_qemu())
                return;
        def = parse_refusal(&request);
        document = json_deep_copy(qemu_caps_get_document(fixture.caps));
        types = json_object_get(document, "types");
        json_array_foreach(types, index, type)
        {
                if (strcmp(json_string_value(type), "i6300esb") == 0)
                        break;
        }
        ck_assert_int_eq(json_array_remove(types, index), 0);
        qemu_caps_unref(fixture.caps);
        fixture.caps = qemu_caps_new(document, NULL);
        json_decref(document);
        ck_assert_ptr_null(fixture_build(def, NULL, 5, &error));
        ck_assert_str_eq(error->message,
                         "unsupported configuration: emulator '" QEMU "' has no device 'i6300esb'");
}
END_TEST

/* ---- PCI on s390x ---- */

/* As if the emulator were one of s390x, with zpci or without. */
static void use_s390x(bool zpci)
{
        json_t *document = json_deep_copy(qemu_caps_get_document(fixture.caps));

        json_object_set_new(document, "arch", json_string("s390x"));
        json_object_set_new(document, "machines",
                            json_pack("[{s:s, s:s, s:s, s:s, s:i, s:b}]", "name", "s390-ccw-virtio-7.2",
                                      "alias", "s390-ccw-virtio", "default-cpu-type", "qemu64-x86_64-cpu",
                                      "default-ram-id", "s390.ram", "cpu-max", 248, "is-default", 1));
        if (zpci)
                json_array_append_new(json_object_get(document, "types"), json_string("zpci"));
        json_array_append_new(json_object_get(document, "types"), json_string("virtio-rng-ccw"));
        qemu_caps_unref(fixture.caps);
        fixture.caps = qemu_caps_new(document, NULL);
        ck_assert_ptr_nonnull(fixture.caps);
        json_decref(document);
}

#define S390X(devices)                                                                                       \
        "<domain type='qemu'><name>z</name><memory>65536</memory><os><type arch='s390x' "                    \
        "machine='s390-ccw-virtio'>hvm</type></os><devices><emulator>" QEMU "</emulator>"                    \
        "<memballoon model='none'/>" devices "</devices></domain>"

static unsigned find_device(const struct qemu_command *command, const char *id)
{
        g_autofree char *text = g_strdup_printf("\"id\":\"%s\"", id);

        for (unsigned i = 1; command->argv->pdata[i]; i++) {
                if (strcmp(command->argv->pdata[i - 1], "-device") == 0 &&
                    strstr(command->argv->pdata[i], text))
                        return i;
        }
        ck_abort_msg("there is no device %s", id);
}

static const struct {
        const char *alias, *zpci, *device;
} companions[] = {
        { "pci.1", "{\"driver\":\"zpci\",\"id\":\"zpci5\",\"uid\":5,\"fid\":3,\"target\":\"pci.1\"}",
          "{\"driver\":\"pci-bridge\",\"id\":\"pci.1\",\"chassis_nr\":1,\"bus\":\"pci.0\",\"addr\":"
          "\"0x1\"}" },
        { "virtio-disk0",
          "{\"driver\":\"zpci\",\"id\":\"zpci1\",\"uid\":1,\"fid\":0,\"target\":\"virtio-disk0\"}",
          "{\"driver\":\"virtio-blk-pci\",\"id\":\"virtio-disk0\"" },
        { "net0", "{\"driver\":\"zpci\",\"id\":\"zpci3\",\"uid\":3,\"fid\":1,\"target\":\"net0\"}",
          "{\"driver\":\"virtio-net-pci\",\"id\":\"net0\"" },
        { "hostdev0", "{\"driver\":\"zpci\",\"id\":\"zpci4\",\"uid\":4,\"fid\":2,\"target\":\"hostdev0\"}",
          "{\"driver\":\"vfio-pci\",\"id\":\"hostdev0\",\"host\":\"0000:00:04.0\"" },
        { "rng0", "{\"driver\":\"zpci\",\"id\":\"zpci2\",\"uid\":2,\"fid\":4294967295,\"target\":\"rng0\"}",
          "{\"driver\":\"virtio-rng-pci\",\"id\":\"rng0\",\"rng\":\"objrng0\",\"bus\":\"pci.1\",\"addr\":"
          "\"0x2\"}" },
        { "rng1", NULL,
          "{\"driver\":\"virtio-rng-ccw\",\"id\":\"rng1\",\"rng\":\"objrng1\",\"devno\":\"fe.0.0000\"}" },
};

/* Just before the device, behind what it is made of. */
START_TEST(test_zpci)
{
        g_autoptr(GString) text = g_string_new(
                S390X("<controller type='pci' index='1' model='pci-bridge'/>"
                      "<disk type='file'><source file='@DIR@/a.raw'/><target dev='vda' bus='virtio'/>"
                      "<address type='pci'/></disk>"
                      "<interface type='user'><address type='pci'/></interface>"
                      "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0' bus='0' "
                      "slot='4' function='0'/></source></hostdev>"
                      "<rng model='virtio'><backend model='builtin'/><address type='pci' bus='1' slot='2'>"
                      "<zpci uid='0x0002' fid='0xffffffff'/></address></rng>"
                      "<rng model='virtio'><backend model='builtin'/></rng>"));
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        g_autoptr(GHashTable) resources = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        use_s390x(true);
        fixture_make_images();
        g_string_replace(text, "@DIR@", fixture.dir, 0);
        def = fixture_parse(text->str);
        resources = fixture_prepare(def);
        command = fixture_build(def, resources, 5, &error);
        ck_assert_msg(command != NULL, "%s", error ? error->message : "");
        for (unsigned i = 0; i < G_N_ELEMENTS(companions); i++) {
                unsigned at = find_device(command, companions[i].alias);

                ck_assert_msg(g_str_has_prefix(command->argv->pdata[at], companions[i].device), "%s",
                              (char *)command->argv->pdata[at]);
                if (companions[i].zpci)
                        ck_assert_str_eq(command->argv->pdata[at - 2], companions[i].zpci);
                else
                        ck_assert_ptr_null(strstr(command->argv->pdata[at - 2], "zpci"));
        }
}
END_TEST

START_TEST(test_no_zpci)
{
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        g_autoptr(GError) error = NULL;

        if (!fixture_has_qemu())
                return;
        use_s390x(false);
        def = fixture_parse(
                S390X("<rng model='virtio'><backend model='builtin'/><address type='pci'/></rng>"));
        ck_assert_ptr_null(fixture_build(def, NULL, 5, &error));
        ck_assert_str_eq(error->message, "unsupported configuration: emulator '" QEMU
                                         "' has no device 'zpci' for 'rng0' on PCI");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("qemu-command");
        TCase *tcase = tcase_create("qemu-command");

        tcase_add_unchecked_fixture(tcase, fixture_probe, fixture_forget);
        tcase_add_checked_fixture(tcase, fixture_set_up, fixture_tear_down);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, test_command_line);
        tcase_add_test(tcase, test_host_devices);
        tcase_add_loop_test(tcase, test_piece, 0, G_N_ELEMENTS(pieces));
        tcase_add_test(tcase, test_host_tpm);
        tcase_add_test(tcase, test_override);
        tcase_add_test(tcase, test_buses);
        tcase_add_test(tcase, test_memory_attributes);
        tcase_add_loop_test(tcase, test_memory, 0, G_N_ELEMENTS(memories));
        tcase_add_test(tcase, test_time_to_start);
        tcase_add_loop_test(tcase, test_refusal, 0, G_N_ELEMENTS(refusals));
        tcase_add_test(tcase, test_missing_device);
        tcase_add_test(tcase, test_zpci);
        tcase_add_test(tcase, test_no_zpci);
        suite_add_tcase(suite, tcase);
        return check_run(suite);
}
