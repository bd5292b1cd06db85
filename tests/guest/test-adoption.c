/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that a libvirtd has left running: the emulator is started by the test, as libvirt starts it, and so
 * is libvirt's document about it written. What is in that was taken from libvirt 9.0's own.
 */

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/import-network.h"
#include "tests/support/import.h"

#define UUID "5a1ee2c4-7d0f-4a6c-9a51-0d8d3a1b2c3d"
#define PATH QEMU_PATH "/domain/_5a1ee2c4_7d0f_4a6c_9a51_0d8d3a1b2c3d"

#define PORT "35db6df1-0549-4ded-bb73-8b7983d0183f"

static GPid emulator;
static char *console, *monitor, *disk;
/* Has the guest an interface in a network of libvirt's? */
static bool is_plugged;

/* ---- what libvirt leaves ---- */

static char *find_type(void)
{
        g_autofree char *xml = guest_linux_xml("", "", "watch");

        return g_strdup(strstr(xml, "<domain type='kvm'>") ? "kvm" : "qemu");
}

static char *find_emulator(void)
{
        char *program = g_find_program_in_path("qemu-system-x86_64");

        return program ? program : g_strdup("/usr/libexec/qemu-kvm");
}

static void start_emulator(void)
{
        const char *dir = g_getenv("VIRTBUS_GUEST_DIR");
        g_autofree char *program = find_emulator(), *type = find_type();
        g_autofree char *
                kernel = g_build_filename(dir, "vmlinux", NULL),
               *initrd = g_build_filename(dir, "initrd.img", NULL),
               *serial = g_strdup_printf("file,id=charserial0,path=%s", console),
               *mon = g_strdup_printf("socket,id=charmonitor,path=%s,server=on,wait=off", monitor),
               *file = g_strdup_printf(
                       "{\"driver\":\"file\",\"filename\":\"%s\",\"node-name\":\"libvirt-1-storage\"}", disk);
        const char *argv[] = {
                program,
                "-name",
                "guest=adopted,debug-threads=on",
                "-uuid",
                UUID,
                "-machine",
                "q35",
                "-accel",
                strcmp(type, "kvm") == 0 ? "kvm" : "tcg",
                "-m",
                "128",
                "-nodefaults",
                "-display",
                "none",
                "-no-user-config",
                "-no-shutdown",
                "-kernel",
                kernel,
                "-initrd",
                initrd,
                "-append",
                GUEST_LINE "watch",
                "-chardev",
                serial,
                "-device",
                "isa-serial,chardev=charserial0,id=serial0,index=0",
                "-chardev",
                mon,
                "-mon",
                "chardev=charmonitor,id=monitor,mode=control",
                "-device",
                "pcie-root-port,port=16,chassis=1,id=pci.1,bus=pcie.0,multifunction=on,addr=0x2",
                "-device",
                "pcie-root-port,port=17,chassis=2,id=pci.2,bus=pcie.0,addr=0x2.0x1",
                "-blockdev",
                file,
                "-blockdev",
                "{\"driver\":\"raw\",\"file\":\"libvirt-1-storage\",\"node-name\":\"libvirt-1-format\"}",
                "-device",
                "virtio-blk-pci,bus=pci.1,addr=0x0,drive=libvirt-1-format,id=virtio-disk0",
                is_plugged ? "-netdev" : NULL,
                "tap,ifname=vnet0,script=no,downscript=no,id=hostnet0",
                "-device",
                "virtio-net-pci,netdev=hostnet0,id=net0,mac=" MAC ",bus=pci.2,addr=0x0",
                NULL
        };

        ck_assert(g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &emulator,
                                NULL));
        guest_wait_console(console, "virtbus-guest: ready");
}

/* As libvirt has it: where the network has led it stands in <actual>. */
static char *interface_xml(bool runs)
{
        if (!is_plugged)
                return g_strdup("");
        return g_strdup_printf("<interface type='network'><mac address='" MAC "'/><source network='lan'%s"
                               "<model type='virtio'/>%s<address type='pci' domain='0x0000' bus='0x02' "
                               "slot='0x00' function='0x0'/></interface>",
                               runs ? " portid='" PORT "'/><actual type='network'><source bridge='virbr7'/>"
                                      "</actual><target dev='vnet0'/>"
                                    : "/>",
                               runs ? "<alias name='net0'/>" : "");
}

/* The document of the domain; id 0: of one that is off. */
static char *domain_xml(int id)
{
        const char *dir = g_getenv("VIRTBUS_GUEST_DIR");
        g_autofree char *program = find_emulator(), *type = find_type();
        g_autofree char *number = id ? g_strdup_printf(" id='%d'", id) : g_strdup(""),
                        *interface = interface_xml(id != 0);

        return g_strdup_printf(
                "<domain type='%s'%s><name>adopted</name><uuid>" UUID "</uuid>"
                "<memory unit='KiB'>131072</memory><currentMemory unit='KiB'>131072</currentMemory>"
                "<vcpu placement='static'>1</vcpu>"
                "<os><type arch='x86_64' machine='q35'>hvm</type><kernel>%s/vmlinux</kernel>"
                "<initrd>%s/initrd.img</initrd><cmdline>" GUEST_LINE
                "watch</cmdline></os><features><acpi/></features><clock offset='utc'/>"
                "<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>"
                "<devices><emulator>%s</emulator><disk type='file' device='disk'>"
                "<driver name='qemu' type='raw'/><source file='%s'%s</source><backingStore/>"
                "<target dev='vda' bus='virtio'/><alias name='virtio-disk0'/>"
                "<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>%s</disk>"
                "<controller type='pci' index='0' model='pcie-root'><alias name='pcie.0'/></controller>"
                "<controller type='pci' index='1' model='pcie-root-port'><model name='pcie-root-port'/>"
                "<target chassis='1' port='0x10'/><alias name='pci.1'/><address type='pci' domain='0x0000' "
                "bus='0x00' slot='0x02' function='0x0' multifunction='on'/></controller>"
                "<controller type='pci' index='2' model='pcie-root-port'><model name='pcie-root-port'/>"
                "<target chassis='2' port='0x11'/><alias name='pci.2'/><address type='pci' domain='0x0000' "
                "bus='0x00' slot='0x02' function='0x1'/></controller>"
                "<controller type='usb' index='0' model='none'/>%s"
                "<serial type='file'><source path='%s'/><target type='isa-serial' port='0'>"
                "<model name='isa-serial'/></target><alias name='serial0'/></serial>"
                "<memballoon model='none'/></devices>%s</domain>",
                type, number, dir, dir, program, disk,
                id ? " index='1'><privateData><nodenames><nodename type='format' name='libvirt-1-format'/>"
                     "</nodenames></privateData>"
                   : ">",
                id ? "<privateData><qom "
                     "name='/machine/peripheral/virtio-disk0/virtio-backend'/></privateData>"
                   : "",
                interface, console,
                id ? "<seclabel type='dynamic' model='apparmor' relabel='yes'><label>libvirt-" UUID
                     "</label></seclabel>"
                   : "");
}

/* more: further elements of its status. */
static char *status_xml(int pid, const char *more)
{
        g_autofree char *domain = domain_xml(7);

        return g_strdup_printf("<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n\n"
                               "<domstatus state='running' reason='booted' pid='%d'>"
                               "<monitor path='%s' type='unix'/><vcpus><vcpu id='0' pid='1'/></vcpus>"
                               "<qemuCaps><flag name='kvm'/></qemuCaps><devices><device alias='serial0'/>"
                               "</devices><nodename index='1'/>%s%s</domstatus>\n",
                               pid, monitor, more, domain);
}

static void put_status(int pid, const char *more)
{
        g_autofree char *xml = status_xml(pid, more), *number = g_strdup_printf("%d\n", pid);

        import_put(harness, "run/libvirt/qemu/adopted.xml", xml, -1);
        import_put(harness, "run/libvirt/qemu/adopted.pid", number, -1);
}

static void put_definition(void)
{
        g_autofree char *xml = domain_xml(0);

        import_put(harness, "etc/libvirt/qemu/adopted.xml", xml, -1);
}

static void set_up(void)
{
        harness = harness_new_bus();
        client = harness_get_client(harness);
        console = harness_path(harness, "console");
        monitor = harness_path(harness, "libvirt-monitor.sock");
        disk = harness_path(harness, "disk.raw");
        ck_assert(g_file_set_contents(disk, "", 0, NULL));
        ck_assert_int_eq(truncate(disk, 1024 * 1024), 0);
        import_put(harness, "etc/libvirt/libvirtd.conf", "", 0);
        start_emulator();
}

static void set_up_in_network(void)
{
        is_plugged = geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0;
        g_free(run("ip link delete virbr7"));
        set_up();
        if (!is_plugged)
                return;
        import_put_network();
        g_free(run("ip link set vnet0 master virbr7 up"));
}

static void tear_down(void)
{
        kill(emulator, SIGKILL);
        harness_wait_gone(emulator);
        harness_free(harness);
        g_free(console);
        g_free(monitor);
        g_free(disk);
}

static bool exists(const char *below)
{
        g_autofree char *path = import_path(harness, below);

        return access(path, F_OK) == 0;
}

static bool lives(void)
{
        return kill(emulator, 0) == 0;
}

/* ---- cases ---- */

/* It has its pid, its number and its devices; those come and go; the next agents know it as well. */
START_TEST(test_a_guest_goes_on)
{
        g_autofree char *first = NULL, *second = NULL, *line = NULL,
                        *image = harness_path(harness, "other.raw"), *xml = NULL;
        unsigned id = 0;

        put_definition();
        put_status(emulator, "<job type='none' async='none'/><blockjobs active='no'/>");
        first = import_run(harness, 0);
        line = g_strdup_printf("domain 'adopted': runs on as process %d, and is adopted", emulator);
        import_expect_line(first, "domain 'adopted': taken");
        import_expect_line(first, line);
        import_expect_line(first, "domain 'adopted': stays confined by apparmor as libvirt has set it up");
        ck_assert(!exists("run/libvirt/qemu/adopted.xml"));
        second = import_run(harness, 0);
        import_expect_line(second, "domain 'adopted': already here");
        ck_assert(lives());

        harness_start_agent(harness);
        guest_expect_state(client, PATH, STATE_RUNNING, -1);
        client_get(client, PATH, DOMAIN_INTERFACE, "Id", 'u', &id);
        ck_assert_uint_eq(id, 7);
        ck_assert(client_get_bool(client, PATH, DOMAIN_INTERFACE, "Persistent"));
        ck_assert(has(PATH, 0, "<alias name='virtio-disk0'/>") && !has(PATH, 0, "privateData"));
        ck_assert(has(PATH, 0, "<seclabel type='static' model='apparmor' relabel='no'>"));
        ck_assert(g_file_set_contents(image, "", 0, NULL));
        ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
        xml = g_strdup_printf("<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
                              "<target dev='vdb' bus='virtio'/></disk>",
                              image);
        client_do(client, PATH, DOMAIN_INTERFACE, "AttachDevice", "su", xml, 1);
        ck_assert(has(PATH, 0, "<alias name='virtio-disk1'/>"));
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        guest_expect_state(client, PATH, STATE_RUNNING, -1);
        client_do(client, PATH, DOMAIN_INTERFACE, "DetachDevice", "su",
                  "<disk type='file'><target dev='vda'/></disk>", 1);
        sd_bus_message_unref(client_wait_signal(client, PATH, DOMAIN_INTERFACE, "DeviceRemoved", NULL, NULL));
        ck_assert(!has(PATH, 0, "<alias name='virtio-disk0'/>"));
        guest_do(client, PATH, "Suspend");
        guest_expect_state(client, PATH, STATE_PAUSED, -1);
        guest_do_flags(client, PATH, "Destroy", 0);
        harness_wait_gone(emulator);
        guest_expect_state(client, PATH, STATE_SHUTOFF, -1);
        ck_assert_int_eq(access(monitor, F_OK), -1);
}
END_TEST

/* Nothing defines it: it is gone with its end. */
START_TEST(test_a_transient_guest)
{
        g_autofree char *output = NULL;

        put_status(emulator, "<namespaces><mount/></namespaces>");
        output = import_run(harness, 0);
        import_expect_line(output, "domain 'adopted': runs on as process ");
        import_expect_line(output, "domain 'adopted': sees a /dev of its own");
        harness_start_agent(harness);
        guest_expect_state(client, PATH, STATE_RUNNING, -1);
        ck_assert(!client_get_bool(client, PATH, DOMAIN_INTERFACE, "Persistent"));
        kill(emulator, SIGKILL);
        client_wait_event(client, PATH, EVENT_STOPPED, -1);
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainLookupByName", "s", "adopted");
}
END_TEST

static void refuse(const char *why)
{
        g_autofree char *output = import_run(harness, 1);
        g_autofree char *line =
                g_strconcat("domain 'adopted': not taken: it runs under libvirt and cannot be "
                            "adopted: ",
                            why, NULL);

        import_expect_line(output, line);
        ck_assert(exists("run/libvirt/qemu/adopted.xml"));
        ck_assert(lives());
}

/* Then it stays libvirt's, definition and all. */
START_TEST(test_guests_that_cannot_be_adopted)
{
        g_autofree char *cut = status_xml(emulator, ""), *elsewhere = NULL;

        put_definition();
        put_status(emulator, "<job type='none' async='migration out'/>");
        refuse("Operation not supported: libvirt had begun a job with it ('migration out')");
        put_status(emulator, "<blockjobs active='yes'/>");
        refuse("Operation not supported: libvirt had begun a job with one of its disks");
        cut[strlen(cut) / 2] = '\0';
        import_put(harness, "run/libvirt/qemu/adopted.xml", cut, -1);
        refuse("XML description is not well formed");
        elsewhere = g_steal_pointer(&monitor);
        monitor = harness_path(harness, "nowhere.sock");
        put_status(emulator, "");
        refuse("cannot connect to the monitor of domain 'adopted'");
        g_free(monitor);
        monitor = g_steal_pointer(&elsewhere);
        /* It takes one connection, and this is it. */
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char greeting[16];

        g_strlcpy(address.sun_path, monitor, sizeof(address.sun_path));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_gt(read(fd, greeting, sizeof(greeting)), 0);
        put_status(emulator, "");
        refuse("its monitor does not answer; a libvirtd that still runs has it to itself: ");
        close(fd);
}
END_TEST

/* The process of that pid is another one by now. */
START_TEST(test_a_guest_that_has_ended)
{
        g_autofree char *output = NULL;

        put_definition();
        put_status(getpid(), "");
        output = import_run(harness, 0);
        import_expect_line(output, "domain 'adopted': taken");
        ck_assert_ptr_null(strstr(output, "runs on"));
        harness_start_agent(harness);
        guest_expect_state(client, PATH, STATE_SHUTOFF, -1);
}
END_TEST

static bool is_network_active(void *data)
{
        return is_active(IMPORT_NETWORK_PATH);
}

/* The network is adopted before it: its port is that of libvirt, its end is the port's, not the network's. */
START_TEST(test_a_guest_in_a_network)
{
        g_autofree char *output = NULL, *ports = NULL;
        unsigned count;

        if (!is_plugged || !can_run())
                return;
        put_definition();
        put_status(emulator, "");
        output = import_run(harness, 0);
        import_expect_line(output, "network 'lan': runs on with bridge 'virbr7', and is adopted");
        import_expect_line(output, "domain 'adopted': runs on as process ");
        ck_assert(link_has("vnet0", "master virbr7"));

        harness_start_agent(harness);
        harness_wait_until(is_network_active, NULL, "the network is active");
        guest_expect_state(client, PATH, STATE_RUNNING, -1);
        wait_ports(IMPORT_NETWORK_PATH, 1);
        ports = get_ports(IMPORT_NETWORK_PATH, &count);
        ck_assert_ptr_nonnull(strstr(ports, "<uuid>" PORT "</uuid>"));
        ck_assert_ptr_nonnull(strstr(ports, "<plug type='network' bridge='virbr7'/>"));
        ck_assert(has(PATH, 0, "<source network='lan' portid='" PORT "' bridge='virbr7'/>"));
        ck_assert(has(PATH, 0, "<target dev='vnet0'/>") && !has(PATH, 0, "<actual"));
        ck_assert(link_has("vnet0", "master virbr7"));
        guest_do_flags(client, PATH, "Destroy", 0);
        guest_expect_state(client, PATH, STATE_SHUTOFF, -1);
        wait_ports(IMPORT_NETWORK_PATH, 0);
        ck_assert(!has_link("vnet0") && has_link("virbr7"));
        network_do(IMPORT_NETWORK_PATH, "Destroy");
        ck_assert(!has_link("virbr7"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("adoption");
        TCase *tcase = tcase_create("adoption"), *network = tcase_create("network");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_a_guest_goes_on);
        tcase_add_test(tcase, test_a_transient_guest);
        tcase_add_test(tcase, test_guests_that_cannot_be_adopted);
        tcase_add_test(tcase, test_a_guest_that_has_ended);
        suite_add_tcase(suite, tcase);
        tcase_add_checked_fixture(network, set_up_in_network, tear_down);
        tcase_add_test(network, test_a_guest_in_a_network);
        suite_add_tcase(suite, network);
        return harness_main(suite);
}
