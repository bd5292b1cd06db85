/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Disks and directories that other programs serve: NBD servers, back ends of vhost-user, virtiofsd. Each is
 * the real program; a Linux guest sees them, they come and go while it runs. And memory, which comes and goes
 * as well.
 */

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/server.h"

#define LIVE   1
#define CONFIG 2

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

static bool has(const char *path, const char *text)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);

        return strstr(xml, text) != NULL;
}

/* ---- servers ---- */

static char *make_image(const char *name)
{
        char *image = harness_path(harness, name);

        ck_assert(g_file_set_contents(image, "served by another program", -1, NULL));
        ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
        ck_assert_int_eq(chmod(image, 0666), 0);
        return image;
}

/* ---- NBD ---- */

static char *nbd_xml(const char *socket, const char *target)
{
        return g_strdup_printf(
                "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
                "<source protocol='nbd' name='exp'><host transport='unix' socket='%s'/></source>"
                "<target dev='%s' bus='virtio'/></disk>",
                socket, target);
}

static GPid serve_nbd(const char *image, const char *socket)
{
        const char *argv[] = { "qemu-nbd", "-t",  "-e", "8",    "-f",  "raw",
                               "-x",       "exp", "-k", socket, image, NULL };

        return server_start(socket, argv);
}

static char *start_linux(const char *console, const char *devices)
{
        char *path = guest_start(client, guest_linux_with_xml("linux", console, "watch", devices));

        guest_wait_console(console, "virtbus-guest: watching");
        return path;
}

/* It comes, the guest sees it, and goes, twice. */
static void come_and_go(const char *path, const char *console, const char *xml, const char *alias,
                        const char *device, unsigned *seen)
{
        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *came = g_strdup_printf("virtbus-guest: %u has %s", ++*seen, device),
                                *went = g_strdup_printf("virtbus-guest: %u lost %s", ++*seen, device);

                client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
                guest_wait_device(client, path, "DeviceAdded", alias);
                guest_wait_console(console, came);
                client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", alias, LIVE);
                guest_wait_device(client, path, "DeviceRemoved", alias);
                guest_wait_console(console, went);
        }
}

START_TEST(test_nbd)
{
        g_autofree char *console = harness_path(harness, "console"), *image = make_image("a.img");
        g_autofree char *other = make_image("b.img"), *socket = harness_path(harness, "a.sock"),
                        *second = harness_path(harness, "b.sock"), *cold = NULL, *hot = NULL, *path = NULL;
        unsigned seen = 0;
        GPid one, two;

        if (!server_is_installed("qemu-nbd"))
                return;
        one = serve_nbd(image, socket);
        two = serve_nbd(other, second);
        cold = nbd_xml(socket, "vda");
        hot = nbd_xml(second, "vdb");
        path = start_linux(console, cold);
        ck_assert(has(path, "<source protocol='nbd' name='exp' index='1'>"));
        come_and_go(path, console, hot, "virtio-disk1", "vdb", &seen);
        /* A server that has gone is said to be so, and nothing of the disk stays. */
        server_end(two);
        client_fails(client, LIBVIRT_ERROR, "*Failed to connect to*b.sock*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su", hot, LIVE);
        ck_assert(!has(path, "virtio-disk1"));
        two = serve_nbd(other, second);
        come_and_go(path, console, hot, "virtio-disk1", "vdb", &seen);
        guest_do_flags(client, path, "Destroy", 0);
        server_end(one);
        server_end(two);
}
END_TEST

/* ---- limits ---- */

static char *limited_xml(const char *image, const char *limits)
{
        return g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                               "<source file='%s'/><target dev='vda' bus='virtio'/>%s</disk>",
                               image, limits);
}

/* They come, change and go while the guest runs, and it can be unplugged whatever they are. */
START_TEST(test_limits)
{
        static const char *const all[] = {
                "<iotune><total_bytes_sec>1000000</total_bytes_sec></iotune>",
                "<iotune><read_iops_sec>500</read_iops_sec><read_iops_sec_max>600</read_iops_sec_max></"
                "iotune>",
                "",
                "<iotune><write_bytes_sec>9000</write_bytes_sec><group_name>slow</group_name></iotune>",
                "<iotune><write_bytes_sec>8000</write_bytes_sec><group_name>other</group_name></iotune>",
                /* the group of before is there no more, and comes anew */
                "<iotune><write_bytes_sec>7000</write_bytes_sec><group_name>slow</group_name></iotune>",
                "<iotune><write_bytes_sec>6000</write_bytes_sec></iotune>",
        };
        g_autofree char *console = harness_path(harness, "console"), *image = make_image("a.img");
        g_autofree char *disk = limited_xml(image, ""), *path = start_linux(console, disk), *stored = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
                g_autofree char *xml = limited_xml(image, all[i]);
                const char *said = *all[i] ? strchr(all[i] + 1, '<') : "";
                g_autofree char *first = g_strndup(said, strcspn(said, "/"));

                client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", xml, LIVE | CONFIG);
                ck_assert(has(path, *first ? first : "vda"));
                ck_assert_int_eq(has(path, "<iotune>"), *first != '\0');
                stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
                ck_assert_int_eq(strstr(stored, "<iotune>") != NULL, *first != '\0');
                g_clear_pointer(&stored, g_free);
        }
        client_fails(client, LIBVIRT_ERROR, "*and its limits can change*", path, DOMAIN_INTERFACE,
                     "UpdateDevice", "su",
                     "<disk type='file'><source file='/other'/><target dev='vda' bus='virtio'/></disk>",
                     LIVE);
        client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", "virtio-disk0", LIVE);
        guest_wait_device(client, path, "DeviceRemoved", "virtio-disk0");
        /* Nothing of it is left: it comes again. */
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", disk, LIVE);
        guest_wait_device(client, path, "DeviceAdded", "virtio-disk0");
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* ---- vhost-user ---- */

static GPid serve_vhost_user(const char *image, const char *socket)
{
        g_autofree char *node = g_strdup_printf("driver=file,node-name=disk,filename=%s", image),
                        *export = g_strdup_printf("type=vhost-user-blk,id=e,node-name=disk,writable=on,"
                                                  "addr.type=unix,addr.path=%s",
                                                  socket);
        const char *argv[] = { "qemu-storage-daemon", "--blockdev", node, "--export", export, NULL };

        return server_start(socket, argv);
}

START_TEST(test_vhost_user)
{
        g_autofree char *console = harness_path(harness, "console"), *image = make_image("a.img");
        g_autofree char *socket = harness_path(harness, "a.sock"), *xml = NULL, *path = NULL;
        unsigned seen = 0;
        GPid pid;

        if (!server_is_installed("qemu-storage-daemon"))
                return;
        pid = serve_vhost_user(image, socket);
        xml = g_strdup_printf("<disk type='vhostuser' device='disk'><source type='unix' path='%s'/>"
                              "<target dev='vda' bus='virtio'/></disk>",
                              socket);
        path = start_linux(console, xml);
        ck_assert(has(path, "<access mode='shared'/>") && has(path, "<source type='memfd'/>"));
        client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", "virtio-disk0", LIVE);
        guest_wait_device(client, path, "DeviceRemoved", "virtio-disk0");
        guest_wait_console(console, "virtbus-guest: 1 lost vda");
        seen = 1;
        come_and_go(path, console, xml, "virtio-disk0", "vda", &seen);
        guest_do_flags(client, path, "Destroy", 0);
        server_end(pid);
}
END_TEST

/* Whose memory is its own cannot have one. */
START_TEST(test_needs_shared_memory)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("own", GUEST_PORTS));

        client_fails(client, LIBVIRT_ERROR, "*needs the guest's memory shared*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su",
                     "<disk type='vhostuser'><source type='unix' path='/s'/><target dev='vda' bus='virtio'/>"
                     "</disk>",
                     LIVE);
}
END_TEST

/* ---- file systems ---- */

static char *make_directory(void)
{
        char *directory = harness_path(harness, "share");
        g_autofree char *hello = g_build_filename(directory, "hello", NULL);

        ck_assert_int_eq(mkdir(directory, 0755), 0);
        ck_assert(g_file_set_contents(hello, "from the host", -1, NULL));
        return directory;
}

static char *share_xml(const char *directory)
{
        return g_strdup_printf("<filesystem type='mount'><driver type='virtiofs'/>"
                               "<binary><cache mode='always'/><openfiles max='1234'/></binary>"
                               "<source dir='%s'/><target dir='shared'/></filesystem>",
                               directory);
}

/* virtiofsd runs as root, and so does the agent then. */
static bool can_share(void)
{
        bool can = geteuid() == 0 &&
                   (access("/usr/libexec/virtiofsd", X_OK) == 0 || access("/usr/lib/virtiofsd", X_OK) == 0 ||
                    access("/usr/lib/qemu/virtiofsd", X_OK) == 0);

        if (!can)
                harness_skip("virtiofsd, and root for it");
        return can;
}

static bool is_helper_gone(void *text)
{
        return harness_find_guest(harness, text) == 0;
}

static void expect_open_files(pid_t pid, unsigned long max)
{
        struct rlimit limit;

        ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
        ck_assert_uint_eq(limit.rlim_cur, max);
}

/* A guest mounts it, and what serves it ends with the guest. */
START_TEST(test_directory)
{
        g_autofree char *console = harness_path(harness, "console"), *path = NULL;
        g_autofree char *directory = NULL, *share = NULL, *all = NULL, *back = NULL, *option = NULL;
        pid_t pid;

        if (!can_share())
                return;
        directory = make_directory();
        back = g_build_filename(directory, "back", NULL);
        option = g_strconcat("source=", directory, NULL);
        share = share_xml(directory);
        all = guest_linux_xml("linux", console, "directory");
        g_auto(GStrv) parts = g_strsplit(all, "<devices>", 2);
        g_autofree char *first = g_strconcat("<devices>", share, NULL);
        path = guest_start(client, g_strjoinv(first, parts));
        ck_assert(has(path, "<access mode='shared'/>"));
        guest_wait_console(console, "virtbus-guest: shared from the host");
        guest_wait_console(console, "virtbus-guest: written");
        ck_assert_int_eq(access(back, F_OK), 0);
        pid = harness_find_guest(harness, option);
        ck_assert_int_gt(pid, 0);
        guest_expect_same_groups(harness_find_guest(harness, "guest=linux"), pid);
        expect_open_files(pid, 1234);
        /* The next agent knows it. */
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_gone(pid);
}
END_TEST

START_TEST(test_directory_comes_and_goes)
{
        g_autofree char *console = harness_path(harness, "console"), *path = NULL, *option = NULL;
        g_autofree char *directory = NULL, *share = NULL, *all = NULL, *nowhere = share_xml("/nonexistent");
        unsigned seen = 0;

        if (!can_share())
                return;
        directory = make_directory();
        option = g_strconcat("source=", directory, NULL);
        share = share_xml(directory);
        all = guest_linux_xml("linux", console, "watch");
        g_auto(GStrv) parts = g_strsplit(all, "<devices>", 2);
        g_autofree char *ports = g_strconcat("<devices>" GUEST_PORTS, NULL);
        g_autofree char *with_ports = g_strjoinv(ports, parts);
        g_auto(GStrv) halves = g_strsplit(with_ports, "<os>", 2);

        path = guest_start(client, g_strjoinv("<memoryBacking><source type='memfd'/><access mode='shared'/>"
                                              "</memoryBacking><os>",
                                              halves));
        guest_wait_console(console, "virtbus-guest: watching");
        come_and_go(path, console, share, "fs0", "fs", &seen);
        harness_wait_until(is_helper_gone, option, "virtiofsd has ended");
        client_fails(client, LIBVIRT_ERROR, "*cannot share '/nonexistent'*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su", nowhere, LIVE);
        ck_assert(!has(path, "fs0"));
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* What the emulator serves itself. */
START_TEST(test_9p)
{
        g_autofree char *directory = make_directory(), *path = NULL, *xml = NULL;

        xml = g_strdup_printf("<filesystem type='mount' accessmode='mapped' fmode='0644' dmode='755' "
                              "multidevs='remap'><driver type='path' wrpolicy='immediate'/>"
                              "<source dir='%s'/><target dir='p9'/><readonly/></filesystem>"
                              "<filesystem type='mount' accessmode='squash'><source dir='%s'/>"
                              "<target dir='other'/></filesystem>",
                              directory, directory);
        path = guest_start(client, guest_bare_xml("p9", xml));
        ck_assert(has(path, "dmode='0755'"));
        client_fails(client, LIBVIRT_ERROR, "*cannot be plugged or unplugged*", path, DOMAIN_INTERFACE,
                     "DetachDeviceAlias", "su", "fs0", LIVE);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* ---- memory ---- */

#define ROOM                                                                                                 \
        "<maxMemory slots='4' unit='GiB'>8</maxMemory><cpu><numa><cell id='0' cpus='0' memory='%s' "         \
        "unit='KiB'/></numa></cpu><os>"

/* A Linux with room for more memory. */
static char *start_roomy(const char *console)
{
        g_autofree char *xml = guest_linux_xml("linux", console, "watch"), *room = NULL, *path = NULL;
        g_auto(GStrv) parts = g_strsplit(xml, "<devices>", 2);
        g_autofree char *with_ports = g_strjoinv("<devices>" GUEST_PORTS, parts);
        g_auto(GStrv) halves = g_strsplit(with_ports, "<os>", 2);

        room = g_strdup_printf(ROOM, "262144");
        path = guest_start(client, g_strjoinv(room, halves));
        guest_wait_console(console, "virtbus-guest: watching");
        return g_steal_pointer(&path);
}

static bool has_taken(void *path)
{
        return has(path, "<current unit='KiB'>131072</current>");
}

static bool has_given(void *path)
{
        return has(path, "<current unit='KiB'>0</current>");
}

#define DIMM "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"
#define VIRTIO_MEM                                                                                           \
        "<memory model='virtio-mem'><target><size unit='MiB'>256</size><node>0</node>"                       \
        "<block unit='KiB'>2048</block><requested unit='MiB'>%d</requested></target></memory>"

/* More memory comes and goes, whole or by what is asked for. */
START_TEST(test_memory)
{
        g_autofree char *console = harness_path(harness, "console"), *path = start_roomy(console);
        g_autofree char *none = g_strdup_printf(VIRTIO_MEM, 0), *half = g_strdup_printf(VIRTIO_MEM, 128),
                        *more = g_strdup_printf(VIRTIO_MEM, 512);
        unsigned seen = 0;

        /* The first block behind 4 GiB. */
        come_and_go(path, console, DIMM, "dimm0", "memory32", &seen);
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", DIMM, LIVE);
        guest_wait_device(client, path, "DeviceAdded", "dimm0");
        /* What is asked back before the guest has seen it, its firmware's tables forget. */
        guest_wait_console(console, "virtbus-guest: 5 has memory32");
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", DIMM, LIVE);
        guest_wait_device(client, path, "DeviceRemoved", "dimm0");
        ck_assert(has(path, "<memory unit='KiB'>262144</memory>"));

        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", none, LIVE);
        guest_wait_device(client, path, "DeviceAdded", "virtiomem0");
        ck_assert(has(path, "<memory unit='KiB'>524288</memory>"));
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", half, LIVE);
        harness_wait_until(has_taken, path, "the guest has taken it");
        client_fails(client, LIBVIRT_ERROR, "*cannot give 524288 KiB*", path, DOMAIN_INTERFACE,
                     "UpdateDevice", "su", more, LIVE);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", none, LIVE);
        harness_wait_until(has_given, path, "the guest has given it back");
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* ---- a bus ---- */

/* Of the active document; the caller's. */
static char *get_bus(const char *path)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        const char *start = strstr(xml, "address='unix:path=");

        ck_assert_msg(start, "%s", xml);
        start += strlen("address='");
        return g_strndup(start, strcspn(start, "'"));
}

/* Who is on the bus at that address? */
static bool has_display(void *address)
{
        g_autofree char *option = g_strconcat("--address=", address, NULL), *output = NULL;
        const char *argv[] = { "busctl", option, "list", "--no-pager", NULL };

        return g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                            NULL, &output, NULL, NULL, NULL) &&
               strstr(output, "org.qemu");
}

/* The process that keeps the bus whose socket is "<directory of the guest>/io/dbus.sock". */
static pid_t find_bus(const char *address)
{
        const char *socket = address + strlen("unix:path=");
        g_autofree char *io = g_path_get_dirname(socket), *dir = g_path_get_dirname(io),
                        *file = g_build_filename(dir, "bus.pid", NULL), *text = NULL;

        ck_assert(g_file_get_contents(file, &text, NULL, NULL));
        return atoi(text);
}

/* A guest whose display is on a bus has one of its own, which goes with it, whoever dies. */
START_TEST(test_bus)
{
        g_autofree char *path = NULL, *address = NULL, *stored = NULL;
        pid_t guest, bus;

        if (!server_is_installed("dbus-daemon") || !server_is_installed("busctl"))
                return;
        path = guest_start(client, guest_bare_xml("bus", "<graphics type='dbus'/>"));
        stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert(!strstr(stored, "unix:path"));
        address = get_bus(path);
        harness_wait_until(has_display, address, "the display is on its bus");
        bus = find_bus(address);
        ck_assert_int_gt(bus, 0);
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_gone(bus);

        guest_do_flags(client, path, "Create", 0);
        bus = find_bus(address);
        guest = harness_find_guest(harness, "guest=bus");
        harness_end_agent(harness, SIGKILL);
        kill(guest, SIGKILL);
        harness_wait_gone(guest);
        harness_start_agent(harness);
        harness_wait_gone(bus);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
}
END_TEST

/* ---- a GPU ---- */

/* What draws is found by another agent, and ends with the guest. */
START_TEST(test_gpu)
{
        g_autofree char *xml = guest_bare_xml("drawn", "<video><driver name='vhostuser'/><model "
                                                       "type='virtio'/></video>"),
                        *path = NULL, *failure = NULL;

        path = guest_define(client, g_steal_pointer(&xml));
        failure = client_try(client, path, DOMAIN_INTERFACE, "Create", "u", 0);
        if (failure && (strstr(failure, "vhost-user-gpu, which is not installed") ||
                        strstr(failure, "without KVM") || strstr(failure, "has no device"))) {
                harness_skip("no vhost-user-gpu, or no KVM, which it goes with");
                return;
        }
        ck_assert_pstr_eq(failure, NULL);
        ck_assert_int_gt(harness_find_guest(harness, "vhost-user-gpu"), 0);
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_until(is_helper_gone, (void *)"vhost-user-gpu", "what has drawn ends with its guest");
        guest_do_flags(client, path, "Create", 0);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        ck_assert_int_gt(harness_find_guest(harness, "vhost-user-gpu"), 0);
        guest_do_flags(client, path, "Destroy", 0);
        harness_wait_until(is_helper_gone, (void *)"vhost-user-gpu", "what has drawn ends with its guest");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("served");
        TCase *tcase = tcase_create("served");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_nbd);
        tcase_add_test(tcase, test_limits);
        tcase_add_test(tcase, test_vhost_user);
        tcase_add_test(tcase, test_needs_shared_memory);
        tcase_add_test(tcase, test_directory);
        tcase_add_test(tcase, test_directory_comes_and_goes);
        tcase_add_test(tcase, test_9p);
        tcase_add_test(tcase, test_memory);
        tcase_add_test(tcase, test_bus);
        tcase_add_test(tcase, test_gpu);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
