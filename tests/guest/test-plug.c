/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices that come to a guest and go: a Linux that sees them and lets go, a guest that never answers or
 * answers late, files that cannot be had, an agent that dies in between.
 */

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define LIVE   1
#define CONFIG 2

/* Ports that are free. */
#define PORTS                                                                                                \
        "<controller type='pci' index='0' model='pcie-root'/>"                                               \
        "<controller type='pci' index='1' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='2' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='3' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='4' model='pcie-root-port'/>"

#define RNG "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
#define INTERFACE                                                                                            \
        "<interface type='user'><mac address='52:54:00:00:00:11'/><model type='virtio'/></interface>"

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

/* ---- calls ---- */

static void attach(const char *path, const char *xml, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, flags);
}

static void detach(const char *path, const char *xml, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", xml, flags);
}

static void refuse(const char *member, const char *text, const char *path, const char *xml, unsigned flags)
{
        client_fails(client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, member, "su", xml, flags);
}

static bool is_alias(sd_bus_message *message, const void *data)
{
        const char *alias;

        return sd_bus_message_read(message, "s", &alias) > 0 && strcmp(alias, data) == 0;
}

static void wait_for(const char *path, const char *signal, const char *alias)
{
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, signal, is_alias, alias));
}

/* flags of GetXMLDesc: 0 of the guest, 2 of the definition */
static bool has(const char *path, unsigned flags, const char *text)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        return strstr(xml, text) != NULL;
}

static char *get_xml(const char *path)
{
        return client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
}

/* ---- images ---- */

static char *make_image(const char *name)
{
        char *image = harness_path(harness, name);

        ck_assert(g_file_set_contents(image, "x", 1, NULL));
        ck_assert_int_eq(truncate(image, 1024 * 1024), 0);
        ck_assert_int_eq(chmod(image, 0666), 0);
        return image;
}

static char *disk_xml(const char *image, const char *target, const char *bus)
{
        return g_strdup_printf("<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
                               "<source file='%s'/><target dev='%s' bus='%s'/></disk>",
                               image, target, bus);
}

/* ---- a guest that answers ---- */

static unsigned seen; /* lines that the guest has said of devices */

static char *start_linux(const char *console, const char *devices)
{
        g_autofree char *xml = guest_linux_xml("linux", console, "watch"), *path = NULL;
        g_auto(GStrv) parts = g_strsplit(xml, "<devices>", 2);
        g_autofree char *first = g_strconcat("<devices>" PORTS, devices, NULL);

        path = guest_start(client, g_strjoinv(first, parts));

        guest_wait_console(console, "virtbus-guest: watching");
        seen = 0;
        return g_steal_pointer(&path);
}

static void wait_seen(const char *console, const char *what, const char *device)
{
        g_autofree char *text = g_strdup_printf("virtbus-guest: %u %s %s", ++seen, what, device);

        guest_wait_console(console, text);
}

/* It comes, the guest sees it, it goes again and nothing is left of it, twice. */
static void come_and_go(const char *path, const char *console, const char *xml, const char *alias,
                        const char *device)
{
        g_autofree char *named = g_strdup_printf("<alias name='%s'/>", alias);

        for (unsigned i = 0; i < 2; i++) {
                attach(path, xml, LIVE);
                wait_for(path, "DeviceAdded", alias);
                ck_assert(has(path, 0, named));
                ck_assert(!has(path, 2, named));
                wait_seen(console, "has", device);
                detach(path, xml, LIVE);
                wait_for(path, "DeviceRemoved", alias);
                wait_seen(console, "lost", device);
                ck_assert(!has(path, 0, named));
        }
}

START_TEST(test_linux)
{
        g_autofree char *console = harness_path(harness, "console"), *image = make_image("a.img");
        g_autofree char *path = start_linux(console, NULL);
        g_autofree char *disk = disk_xml(image, "vda", "virtio"), *scsi = disk_xml(image, "sda", "scsi");

        come_and_go(path, console, disk, "virtio-disk0", "vda");
        come_and_go(path, console, INTERFACE, "net0", "eth0");
        come_and_go(path, console, RNG, "rng0", "rng");
        come_and_go(path, console, scsi, "scsi0-0-0-0", "sda");
        /* The controller that came along with the first. */
        ck_assert(has(path, 0, "model='virtio-scsi'"));
        ck_assert_uint_eq(client_count_signals(client, path, DOMAIN_INTERFACE, "DeviceRemovalFailed"), 0);
}
END_TEST

/* What the kinds plug into. */
#define BUSES                                                                                                \
        "<controller type='virtio-serial' index='0'/><controller type='usb' index='0' model='qemu-xhci'/>"   \
        "<controller type='pci' index='5' model='pcie-to-pci-bridge'/>"

struct kind {
        const char *alias;
        const char *xml; /* with @DIR@ */
};

static const struct kind kinds[] = {
        { "channel0", "<channel type='unix'><target type='virtio' name='org.example.0'/></channel>" },
        { "channel0", "<channel type='pty'><target type='virtio' name='org.example.1'/></channel>" },
        { "console1", "<console type='pty'><target type='virtio'/></console>" },
        { "serial1", "<serial type='pty'><target type='usb-serial'/></serial>" },
        { "serial1", "<serial type='file'><source path='@DIR@/out'/><target type='pci-serial'/></serial>" },
        { "input2", "<input type='tablet' bus='usb'/>" },
        { "input2", "<input type='keyboard' bus='virtio'/>" },
        { "redir0", "<redirdev bus='usb' type='pty'/>" },
        { "shmem0", "<shmem name='@NAME@'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>" },
        { "watchdog0", "<watchdog model='i6300esb' action='none'/>" },
        { "crypto0", "<crypto model='virtio' type='qemu'><backend model='builtin'/></crypto>" },
        { "usb-disk1", "<disk type='file'><driver type='raw'/><source file='@DIR@/a.img'/>"
                       "<target dev='sdb' bus='usb' removable='on'/></disk>" },
        { "virtio-disk0", "<disk type='file'><driver type='raw' cache='none' discard='unmap'/>"
                          "<source file='@DIR@/a.img'/><target dev='vda' bus='virtio'/>"
                          "<iotune><total_bytes_sec>1000000</total_bytes_sec>"
                          "<group_name>slow</group_name></iotune></disk>" },
        { "virtio-disk0", "<disk type='file'><driver type='raw' copy_on_read='on' discard='unmap' "
                          "detect_zeroes='unmap' queues='1' queue_size='64'/>"
                          "<source file='@DIR@/a.img'/><target dev='vda' bus='virtio'/>"
                          "<serial>A1</serial></disk>" },
        { "usb-disk1", "<disk type='file'><driver type='raw'/><source file='@DIR@/a.img'/>"
                       "<target dev='sdb' bus='usb'/><readonly/><serial>B2</serial></disk>" },
        { "usb-disk1", "<disk type='file' device='cdrom'><driver type='raw'/><source file='@DIR@/a.img'/>"
                       "<target dev='sdb' bus='usb'/></disk>" },
        { "usb-disk1", "<disk type='file' device='cdrom'><target dev='sdb' bus='usb'/></disk>" },
        { "scsi0-0-0-1", "<disk type='file' device='cdrom'><driver type='raw'/><source file='@DIR@/a.img'/>"
                         "<target dev='sdb' bus='scsi'/></disk>" },
};

static char *name_memory(void)
{
        return g_strdup_printf("virtbus-plug-%d", getpid());
}

static char *fill_in(const char *xml)
{
        g_autofree char *folder = harness_path(harness, "."), *name = name_memory();
        g_auto(GStrv) parts = g_strsplit(xml, "@DIR@", -1);
        g_autofree char *text = g_strjoinv(folder, parts);
        g_auto(GStrv) named = g_strsplit(text, "@NAME@", -1);

        return g_strjoinv(name, named);
}

/* Every kind comes, goes, and comes again: nothing of it is left. */
START_TEST(test_kinds)
{
        g_autofree char *console = harness_path(harness, "console"), *image = make_image("a.img");
        g_autofree char *path = start_linux(console, BUSES);
        g_autofree char *name = name_memory(), *memory = g_strconcat("/dev/shm/", name, NULL);

        for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_autofree char *xml = fill_in(kinds[i].xml);

                for (unsigned j = 0; j < 2; j++) {
                        attach(path, xml, LIVE);
                        wait_for(path, "DeviceAdded", kinds[i].alias);
                        client_do(client, path, DOMAIN_INTERFACE, "DetachDeviceAlias", "su", kinds[i].alias,
                                  LIVE);
                        wait_for(path, "DeviceRemoved", kinds[i].alias);
                }
        }
        /* Memory with a name is not one guest's, and outlives it. */
        ck_assert_int_eq(unlink(memory), 0);
}
END_TEST

/* ---- a guest that does not ---- */

static char *start_bare(const char *devices)
{
        g_autofree char *all = g_strconcat(PORTS, devices, NULL);

        return guest_start(client, guest_bare_xml("plug", all));
}

/* Without an operating system nobody lets go of a device, until the machine is reset. */
START_TEST(test_never_and_late)
{
        g_autofree char *path = start_bare("");
        int64_t started_us = g_get_monotonic_time();

        attach(path, RNG, LIVE | CONFIG);
        wait_for(path, "DeviceAdded", "rng0");
        ck_assert(has(path, 2, "<rng "));
        detach(path, RNG, LIVE | CONFIG);
        ck_assert_int_ge(g_get_monotonic_time() - started_us, 4 * G_USEC_PER_SEC);
        ck_assert(has(path, 0, "rng0"));
        ck_assert(!has(path, 2, "<rng "));
        ck_assert_uint_eq(client_count_signals(client, path, DOMAIN_INTERFACE, "DeviceRemoved"), 0);
        guest_do_flags(client, path, "Reset", 0);
        wait_for(path, "DeviceRemoved", "rng0");
        ck_assert(!has(path, 0, "rng0"));
        attach(path, RNG, LIVE);
        wait_for(path, "DeviceAdded", "rng0");
}
END_TEST

/* Destroy does not wait for a detach that waits for its guest. */
START_TEST(test_destroy_meanwhile)
{
        g_autofree char *path = start_bare(RNG);
        struct client_answer answer = { 0 };
        int64_t started_us = g_get_monotonic_time();

        client_send(client, &answer, path, DOMAIN_INTERFACE, "DetachDevice", "su", RNG, LIVE);
        guest_do_flags(client, path, "Destroy", 0);
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
        ck_assert_int_lt(g_get_monotonic_time() - started_us, 4 * G_USEC_PER_SEC);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        ck_assert(has(path, 2, "<rng "));
}
END_TEST

/* What is refused leaves everything as it was. */
START_TEST(test_refused)
{
        g_autofree char *image = make_image("a.img"), *other = make_image("b.img"), *path = NULL;
        g_autofree char *vda = disk_xml(image, "vda", "virtio"), *again = disk_xml(other, "vda", "virtio");
        g_autofree char *missing = disk_xml("/nonexistent/x.img", "vdb", "virtio");
        g_autofree char *sata = disk_xml(other, "sda", "sata"), *vdb = disk_xml(other, "vdb", "virtio");
        g_autofree char *twice = disk_xml(image, "vdb", "virtio"), *before = NULL, *after = NULL;

        path = start_bare(vda);
        before = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        refuse("AttachDevice", "*vda*", path, again, LIVE | CONFIG);
        refuse("AttachDevice", "*/nonexistent*", path, missing, LIVE | CONFIG);
        refuse("AttachDevice", "*cannot be plugged*", path, sata, LIVE | CONFIG);
        /* QEMU's lock on the image: the last of the commands fails. */
        refuse("AttachDevice", "*lock*", path, twice, LIVE | CONFIG);
        refuse("AttachDevice", "*no device*", path, "<title/>", LIVE);
        /* There is no lock manager that has leases. */
        refuse("AttachDevice", "*lease*", path,
               "<lease><lockspace>s</lockspace><key>k</key><target path='/l'/></lease>", LIVE);
        refuse("AttachDevice", "*unsupported flags*", path, vdb, 4);
        refuse("DetachDevice", "*", path, vdb, LIVE);
        refuse("DetachDevice", "*unsupported flags*", path, vda, 4);
        after = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_str_eq(before, after);
        ck_assert(!has(path, 2, "vdb"));
        ck_assert_uint_eq(client_count_signals(client, path, DOMAIN_INTERFACE, "DeviceAdded"), 0);
        attach(path, vdb, LIVE);
        ck_assert(has(path, 0, "virtio-disk1"));
}
END_TEST

#define MANY 64

/* All at once: each finds a place of its own. */
START_TEST(test_many_at_once)
{
        g_autofree char *path = start_bare("<controller type='usb' index='0' model='qemu-xhci' ports='15'/>"
                                           "<controller type='virtio-serial' index='0' ports='31'/>"
                                           "<controller type='virtio-serial' index='1' ports='31'/>"
                                           "<controller type='virtio-serial' index='2' ports='31'/>");
        struct client_answer answers[MANY] = { 0 };
        g_autofree char *xml = NULL;

        for (unsigned i = 0; i < MANY; i++) {
                g_autofree char *channel = g_strdup_printf(
                        "<channel type='pty'><target type='virtio' name='a.%u'/></channel>", i);

                client_send(client, &answers[i], path, DOMAIN_INTERFACE, "AttachDevice", "su", channel,
                            LIVE | CONFIG);
        }
        for (unsigned i = 0; i < MANY; i++) {
                client_wait_answer(client, &answers[i]);
                ck_assert_msg(!answers[i].error, "%u: %s", i, answers[i].error);
        }
        for (unsigned i = 0; i < MANY; i++) {
                g_autofree char *name = g_strdup_printf("name='a.%u'", i);
                g_autofree char *alias = g_strdup_printf("'channel%u'", i);

                ck_assert(has(path, 0, name) && has(path, 2, name) && has(path, 0, alias));
        }
}
END_TEST

/* Of a domain that is off, only the definition changes. */
START_TEST(test_off)
{
        g_autofree char *path = guest_define(client, guest_bare_xml("plug", PORTS));

        refuse("AttachDevice", "*not running*", path, RNG, LIVE);
        attach(path, RNG, 0);
        ck_assert(has(path, 0, "<rng "));
        attach(path, "<interface type='user'/>", CONFIG);
        ck_assert(has(path, 0, "<mac address="));
        detach(path, "<rng model='virtio'/>", 0);
        ck_assert(!has(path, 0, "<rng "));
}
END_TEST

/* ---- changes ---- */

static char *drive_xml(const char *image, const char *more)
{
        g_autofree char *source = image ? g_strdup_printf("<source file='%s'/>", image) : g_strdup("");

        return g_strdup_printf("<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>%s"
                               "<target dev='sda' bus='sata'/>%s<readonly/></disk>",
                               source, more);
}

static void update(const char *path, const char *xml, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", xml, flags);
}

/* Media come, change and go; nothing else of a drive can change. */
START_TEST(test_media)
{
        g_autofree char *image = make_image("a.img"), *other = make_image("b.img");
        g_autofree char *empty = drive_xml(NULL, ""), *full = drive_xml(image, ""),
                        *changed = drive_xml(other, "");
        g_autofree char *missing = drive_xml("/nonexistent/x.img", ""), *path = start_bare(empty);
        g_autofree char *disk = disk_xml(image, "sda", "sata");

        for (unsigned i = 0; i < 2; i++) {
                update(path, full, LIVE | CONFIG);
                ck_assert(has(path, 0, image) && has(path, 2, image));
                update(path, changed, LIVE);
                ck_assert(has(path, 0, other) && !has(path, 0, image) && has(path, 2, image));
                refuse("UpdateDevice", "*/nonexistent*", path, missing, LIVE | CONFIG);
                ck_assert(has(path, 0, other) && has(path, 2, image));
                update(path, empty, LIVE | CONFIG | 4);
                ck_assert(!has(path, 0, "<source file=") && !has(path, 2, "<source file="));
        }
        refuse("UpdateDevice", "*only a medium*", path, disk, LIVE);
        refuse("UpdateDevice", "*unsupported flags*", path, empty, 8);
        ck_assert(!has(path, 0, "tray='open'"));
}
END_TEST

/* The limits of a drive are there for whatever is in it. */
START_TEST(test_media_with_limits)
{
        static const char limits[] = "<iotune><total_iops_sec>500</total_iops_sec></iotune>";
        g_autofree char *image = make_image("a.img"), *other = make_image("b.img");
        g_autofree char *empty = drive_xml(NULL, limits), *full = drive_xml(image, limits);
        g_autofree char *other_short = drive_xml(other, ""), *empty_short = drive_xml(NULL, "");
        g_autofree char *changed = drive_xml(other, limits), *path = start_bare(full);

        for (unsigned i = 0; i < 2; i++) {
                update(path, changed, LIVE);
                ck_assert(has(path, 0, other) && !has(path, 0, image) &&
                          has(path, 0, "<total_iops_sec>500<"));
                update(path, full, LIVE);
                ck_assert(has(path, 0, image) && !has(path, 0, other) &&
                          has(path, 0, "<total_iops_sec>500<"));
                update(path, empty, LIVE);
                ck_assert(!has(path, 0, "<source file="));
                update(path, full, LIVE);
                ck_assert(has(path, 0, image));
                /* Nor does an element without them mean that they are to go. */
                update(path, other_short, LIVE);
                ck_assert(has(path, 0, other) && has(path, 0, "<total_iops_sec>500<"));
                update(path, empty_short, LIVE);
                ck_assert(!has(path, 0, "<source file=") && has(path, 0, "<total_iops_sec>500<"));
        }
}
END_TEST

/* A disk on that bus as it is after the update, with what QEMU is not told of. */
static char *policy_xml(const char *device, const char *image, const char *policy)
{
        return g_strdup_printf("<disk type='file' device='%s'%s><driver name='qemu' type='raw'/>"
                               "<source file='%s'%s/><target dev='sda' bus='sata'/></disk>",
                               device, *policy ? " snapshot='no'" : "", image, policy);
}

/* What becomes of a disk at the next start, and in snapshots, changes and nothing else; the drive stays shut.
 */
START_TEST(test_policies)
{
        static const char *const devices[] = { "disk", "cdrom" };

        for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++) {
                g_autofree char *image = make_image("a.img"), *other = make_image("b.img");
                g_autofree char *plain = policy_xml(devices[i], image, "");
                g_autofree char *optional = policy_xml(devices[i], image, " startupPolicy='optional'");
                g_autofree char *moved = policy_xml("disk", other, " startupPolicy='optional'");
                g_autofree char *path = guest_start(client, guest_logged_xml("policy", plain));
                g_autofree char *before = get_xml(path), *after = NULL;

                update(path, optional, LIVE);
                ck_assert(has(path, 0, "startupPolicy='optional'") && has(path, 0, "snapshot='no'"));
                ck_assert(!has(path, 2, "startupPolicy="));
                update(path, optional, LIVE | CONFIG);
                ck_assert(has(path, 2, "startupPolicy='optional'"));
                if (i == 0)
                        refuse("UpdateDevice", "*startupPolicy and snapshot*", path, moved, LIVE);
                update(path, plain, LIVE | CONFIG);
                after = get_xml(path);
                /* Of a drive, what an element about its medium does not say stays. */
                if (i == 0)
                        ck_assert_str_eq(before, after);
                else
                        ck_assert(has(path, 0, "snapshot='no'") && !has(path, 0, "startupPolicy="));
                ck_assert(!has(path, 2, "snapshot='no'") && !has(path, 2, "startupPolicy="));
                ck_assert_uint_eq(guest_count_told(harness, "policy", "blockdev-open-tray"), 0);
                guest_do_flags(client, path, "Undefine", 0);
                client_do(client, path, DOMAIN_INTERFACE, "Destroy", "u", 0);
        }
}
END_TEST

START_TEST(test_link)
{
        const char *const down = "<interface type='user'><mac address='52:54:00:00:00:11'/>"
                                 "<model type='virtio'/><link state='down'/></interface>";
        const char *const other = "<interface type='user'><mac address='52:54:00:00:00:11'/>"
                                  "<model type='e1000e'/></interface>";
        g_autofree char *path = guest_start(client, guest_logged_xml("link", INTERFACE));

        update(path, down, LIVE);
        update(path, down, LIVE);
        ck_assert_uint_eq(guest_count_told(harness, "link", "set_link"), 1);
        ck_assert(has(path, 0, "<link state='down'/>") && !has(path, 2, "<link "));
        refuse("UpdateDevice", "*only link, bandwidth and filter*", path, other, LIVE | CONFIG);
        update(path, INTERFACE, LIVE);
        ck_assert(!has(path, 0, "<link state='down'/>"));
        ck_assert_uint_eq(guest_count_told(harness, "link", "set_link"), 2);
}
END_TEST

#define VNC(attributes) "<graphics type='vnc' " attributes " listen='127.0.0.1'/>"

/* A VNC server that has said what it asks of who connects (RFC 6143, 7.1.2): 2 is a password, 1 nothing. */
static int vnc_connect(int port, int security)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        unsigned char answer[12];

        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(recv(fd, answer, 12, MSG_WAITALL), 12);
        ck_assert_int_eq(send(fd, "RFB 003.008\n", 12, 0), 12);
        ck_assert_int_eq(recv(fd, answer, 2, MSG_WAITALL), 2);
        ck_assert_int_eq(answer[0], 1);
        ck_assert_int_eq(answer[1], security);
        return fd;
}

/* The challenge, by DES, with the password as a key whose bytes have their bits in reverse (7.2.2). */
static void encrypt_challenge(const char *file, const char *password)
{
        g_autofree char *key = g_new0(char, 17), *out = g_strconcat(file, ".des", NULL), *answer = NULL;
        const char *argv[] = { "openssl", "enc", "-des-ecb",  "-nopad", "-K",        key,       "-in", file,
                               "-out",    out,   "-provider", "legacy", "-provider", "default", NULL };
        size_t length = strlen(password), size;
        int status;

        for (unsigned i = 0; i < 8; i++) {
                unsigned byte = i < length ? (unsigned char)password[i] : 0, reversed = 0;

                for (unsigned bit = 0; bit < 8; bit++)
                        reversed |= (byte >> bit & 1) << (7 - bit);
                sprintf(key + 2 * i, "%02x", reversed);
        }
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                               &status, NULL));
        ck_assert_int_eq(status, 0);
        ck_assert(g_file_get_contents(out, &answer, &size, NULL));
        ck_assert(g_file_set_contents(file, answer, (gssize)size, NULL));
}

static bool vnc_lets_in(int port, const char *password)
{
        g_autofree char *file = harness_path(harness, "challenge"), *answer = NULL;
        int fd = vnc_connect(port, 2);
        unsigned char result[4];
        char challenge[16];

        ck_assert_int_eq(send(fd, "\2", 1, 0), 1);
        ck_assert_int_eq(recv(fd, challenge, 16, MSG_WAITALL), 16);
        ck_assert(g_file_set_contents(file, challenge, 16, NULL));
        encrypt_challenge(file, password);
        ck_assert(g_file_get_contents(file, &answer, NULL, NULL));
        ck_assert_int_eq(send(fd, answer, 16, 0), 16);
        ck_assert_int_eq(recv(fd, result, 4, MSG_WAITALL), 4);
        close(fd);
        return result[3] == 0;
}

static int vnc_port(const char *path)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0u);
        const char *port = strstr(xml, "type='vnc' port='");

        ck_assert_ptr_nonnull(port);
        return atoi(port + strlen("type='vnc' port='"));
}

/* A password changes, with its end; who is asked for one, and where, does not. */
START_TEST(test_password)
{
        g_autofree char *path = start_bare(VNC("passwd='old'")), *open = NULL;
        int port = vnc_port(path);

        ck_assert(vnc_lets_in(port, "old"));
        update(path, VNC("passwd='new' passwdValidTo='2001-01-01T00:00:00'"), LIVE | CONFIG);
        ck_assert(has(path, 1, "passwd='new'") && has(path, 3, "passwd='new'"));
        ck_assert(has(path, 1, "2001-01-01T00:00:00"));
        ck_assert_int_eq(vnc_port(path), port);
        ck_assert(!vnc_lets_in(port, "new"));
        update(path, VNC("passwd='newer'"), LIVE);
        ck_assert(has(path, 1, "passwd='newer'") && !has(path, 1, "2001") && has(path, 3, "passwd='new'"));
        ck_assert(vnc_lets_in(port, "newer"));
        ck_assert(!vnc_lets_in(port, "old"));
        refuse("UpdateDevice", "*cannot do without*", path, VNC(""), LIVE);
        refuse("UpdateDevice", "*only the password*", path, VNC("passwd='x' keymap='de'"), LIVE);
        refuse("UpdateDevice", "*only the password*", path, VNC("passwd='x' port='5999'"), LIVE);
        ck_assert(has(path, 1, "passwd='newer'"));
        open = guest_start(client, guest_bare_xml("open", VNC("")));
        close(vnc_connect(vnc_port(open), 1));
        refuse("UpdateDevice", "*without a password*", open, VNC("passwd='x'"), LIVE | CONFIG);
        ck_assert(!has(open, 3, "passwd"));
}
END_TEST

/* ---- an agent that dies ---- */

static bool status_has(const char *status, const char *what)
{
        g_autofree char *text = NULL;

        return g_file_get_contents(status, &text, NULL, NULL) && strstr(text, what);
}

static bool is_written_down(void *data)
{
        return status_has(data, "vdb");
}

/* Whether its event is heard is a matter of who is on the bus first. */
static bool has_no_disk(void *data)
{
        return !has(data, 0, "<disk ");
}

/* QEMU got the first of the commands, and nobody to send it the rest. */
START_TEST(test_agent_killed_in_attach)
{
        g_autofree char *image = make_image("a.img"), *path = start_bare("");
        g_autofree char *disk = disk_xml(image, "vdb", "virtio"), *other = NULL;
        g_autofree char *status = guest_status_path(harness, client, path);
        pid_t pid = harness_find_guest(harness, "plug");
        struct client_answer answer = { 0 };

        kill(pid, SIGSTOP);
        client_send(client, &answer, path, DOMAIN_INTERFACE, "AttachDevice", "su", disk, LIVE | CONFIG);
        harness_wait_until(is_written_down, status, "the device is in the status document");
        harness_end_agent(harness, SIGKILL);
        kill(pid, SIGCONT);
        client_wait_name(client, false);
        harness_start_agent(harness);
        harness_wait_until(has_no_disk, path, "the device is forgotten");
        ck_assert(!has(path, 2, "vdb"));
        g_free(answer.error);
        /* Nothing of it is left in QEMU. */
        attach(path, disk, LIVE | CONFIG);
        wait_for(path, "DeviceAdded", "virtio-disk1");
        ck_assert(has(path, 0, "vdb"));
        ck_assert(has(path, 2, "vdb"));
}
END_TEST

/* A monitor that is ours while there is no agent. */
static FILE *open_monitor(const char *path)
{
        g_autofree char *uuid = client_get_string(client, path, DOMAIN_INTERFACE, "UUID");
        g_autofree char *below = g_strdup_printf("run/qemu/%s/monitor.sock", uuid);
        g_autofree char *socket_path = harness_path(harness, below);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        FILE *monitor = fdopen(fd, "r+");

        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
        g_strlcpy(address.sun_path, socket_path, sizeof(address.sun_path));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        dprintf(fd, "{'execute': 'qmp_capabilities'}");
        return monitor;
}

/* The first line from the monitor that has both texts; free() it. */
static char *read_monitor(FILE *monitor, const char *one, const char *other)
{
        size_t size = 0;
        char *text = NULL;

        do
                ck_assert_int_gt(getline(&text, &size, monitor), 0);
        while (!strstr(text, one) || !strstr(text, other));
        return text;
}

/* Asks the guest for a device behind the agent's back, and waits until it has let go. */
static void unplug_by_hand(const char *path, const char *alias)
{
        FILE *monitor = open_monitor(path);

        dprintf(fileno(monitor), "{'execute': 'device_del', 'arguments': {'id': '%s'}}", alias);
        free(read_monitor(monitor, "DEVICE_DELETED", alias));
        fclose(monitor);
}

/* What an agent that was killed may have left of a change: the old medium out, another one in or none. */
static const char *const moments[] = {
        "{'execute': 'blockdev-open-tray', 'arguments': {'id': 'sata0-0-0', 'force': true}}",
        "{'execute': 'blockdev-open-tray', 'arguments': {'id': 'sata0-0-0', 'force': true}}"
        "{'execute': 'blockdev-remove-medium', 'arguments': {'id': 'sata0-0-0'}}",
        "{'execute': 'blockdev-open-tray', 'arguments': {'id': 'sata0-0-0', 'force': true}}"
        "{'execute': 'blockdev-remove-medium', 'arguments': {'id': 'sata0-0-0'}}"
        "{'execute': 'blockdev-insert-medium',"
        " 'arguments': {'id': 'sata0-0-0', 'node-name': 'libvirt-99-format'}}"
        "{'execute': 'blockdev-close-tray', 'arguments': {'id': 'sata0-0-0'}}",
};

START_TEST(test_media_cut_short)
{
        g_autofree char *image = make_image("a.img"), *other = make_image("b.img"), *text = NULL;
        g_autofree char *full = drive_xml(image, ""), *path = start_bare(full);
        FILE *monitor = open_monitor(path);

        dprintf(fileno(monitor),
                "{'execute': 'blockdev-add', 'arguments': {'driver': 'file', 'filename': '%s',"
                " 'read-only': true, 'node-name': 'libvirt-99-storage'}}"
                "{'execute': 'blockdev-add', 'arguments': {'driver': 'raw', 'file': 'libvirt-99-storage',"
                " 'read-only': true, 'node-name': 'libvirt-99-format'}}%s"
                "{'execute': 'query-name', 'id': 'done'}",
                other, moments[_i]);
        free(read_monitor(monitor, "done", "id"));
        fclose(monitor);
        harness_start_agent(harness);
        /* Whoever calls has to wait until the guest is known. */
        guest_do(client, path, "Suspend");
        guest_do(client, path, "Resume");
        ck_assert(has(path, 0, "a.img"));
        /* A tray that is open alone, the guest may have opened. */
        ck_assert_int_eq(has(path, 0, "tray='open'"), _i == 0);
        monitor = open_monitor(path);
        dprintf(fileno(monitor),
                "{'execute': 'query-block', 'id': 'b'}"
                "{'execute': 'query-named-block-nodes', 'id': 'n', 'arguments': {'flat': true}}");
        text = read_monitor(monitor, "\"id\": \"b\"", "qdev");
        ck_assert_ptr_nonnull(strstr(text, "\"node-name\": \"libvirt-1-format\""));
        ck_assert_int_eq(strstr(text, "\"tray_open\": true") != NULL, _i == 0);
        free(g_steal_pointer(&text));
        text = read_monitor(monitor, "\"id\": \"n\"", "node-name");
        ck_assert_ptr_null(strstr(text, "libvirt-99-"));
        fclose(monitor);
        harness_start_agent(harness);
        update(path, full, LIVE);
}
END_TEST

/* The guest lets go while there is no agent. */
START_TEST(test_unplugged_without_agent)
{
        g_autofree char *console = harness_path(harness, "console"), *image = make_image("a.img");
        g_autofree char *path = start_linux(console, NULL), *disk = disk_xml(image, "vda", "virtio");

        attach(path, disk, LIVE);
        wait_seen(console, "has", "vda");
        unplug_by_hand(path, "virtio-disk0");
        wait_seen(console, "lost", "vda");
        harness_start_agent(harness);
        harness_wait_until(has_no_disk, path, "the device is forgotten");
        /* Nothing of it is left in QEMU. */
        attach(path, disk, LIVE);
        wait_for(path, "DeviceAdded", "virtio-disk0");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("plug");
        TCase *tcase = tcase_create("plug");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_linux);
        tcase_add_test(tcase, test_kinds);
        tcase_add_test(tcase, test_never_and_late);
        tcase_add_test(tcase, test_destroy_meanwhile);
        tcase_add_test(tcase, test_refused);
        tcase_add_test(tcase, test_many_at_once);
        tcase_add_test(tcase, test_off);
        tcase_add_test(tcase, test_media);
        tcase_add_test(tcase, test_media_with_limits);
        tcase_add_test(tcase, test_policies);
        tcase_add_test(tcase, test_link);
        tcase_add_test(tcase, test_password);
        tcase_add_test(tcase, test_agent_killed_in_attach);
        tcase_add_test(tcase, test_unplugged_without_agent);
        tcase_add_loop_test(tcase, test_media_cut_short, 0, G_N_ELEMENTS(moments));
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
