/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices of USB, which come and go through the monitor of the lab's own QEMU, and of SCSI.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lab/hostdev-fixture.h"

#define MONITOR "/dev/virtio-ports/lab.monitor"
#define STICK   "usb-storage,id=stick,bus=xhci.0,port=1,drive=stick"

/* ---- USB devices ---- */

/* A command for the monitor of the QEMU that the lab runs in. */
static void tell_lab(const char *command)
{
        int fd = open(MONITOR, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        char buffer[4096];

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, command, strlen(command)), (ssize_t)strlen(command));
        ck_assert_int_eq(write(fd, "\n", 1), 1);
        while (read(fd, buffer, sizeof(buffer)) > 0)
                ;
        close(fd);
}

struct usb {
        unsigned bus, device;
        char port[16];
};

static unsigned read_number(const char *name, const char *attribute, int base)
{
        g_autofree char *path = g_strdup_printf("/sys/bus/usb/devices/%s/%s", name, attribute), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? (unsigned)g_ascii_strtoull(text, NULL, base)
                                                            : 0;
}

/* The nth of that product. */
static bool find_usb(unsigned vendor, unsigned product, unsigned nth, struct usb *usb)
{
        g_autoptr(GDir) entries = g_dir_open("/sys/bus/usb/devices", 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(entries))) {
                if (read_number(name, "idVendor", 16) != vendor ||
                    read_number(name, "idProduct", 16) != product || nth-- > 0)
                        continue;
                usb->bus = read_number(name, "busnum", 10);
                usb->device = read_number(name, "devnum", 10);
                g_strlcpy(usb->port, strchr(name, '-') + 1, sizeof(usb->port));
                return true;
        }
        return false;
}

static bool find_stick(struct usb *usb)
{
        return find_usb(0x46f4, 0x0001, 0, usb);
}

static char *usb_file(const struct usb *usb)
{
        return g_strdup_printf("/dev/bus/usb/%03u/%03u", usb->bus, usb->device);
}

#define TABLET_IDS "<vendor id='0x0627'/><product id='0x0001'/>"
#define STICK_IDS  "<vendor id='0x46f4'/><product id='0x0001'/>"

static char *usb_xml(const char *policy, const char *source)
{
        return g_strdup_printf("<hostdev mode='subsystem' type='usb'><source%s>%s</source></hostdev>", policy,
                               source);
}

static char *format_place(const struct usb *usb)
{
        return g_strdup_printf("<address bus='%u' device='%u'/>", usb->bus, usb->device);
}

/* Guests get it by what it is, by its number, and by its port, and no other guest then. */
START_TEST(test_usb)
{
        struct usb stick, tablet;
        g_autofree char *place = NULL, *port = NULL, *file = NULL, *web = NULL, *db = NULL, *twins = NULL;
        g_autofree char *numbered = NULL, *plugged = NULL, *twin_xml = usb_xml("", TABLET_IDS),
                        *tablet_file = NULL;
        g_autofree char *xml = usb_xml("", STICK_IDS), *number_xml = NULL, *port_xml = NULL, *none = NULL;
        g_autofree char *nothing = usb_xml("", "<vendor id='0x1234'/><product id='0x5678'/>");
        pid_t pid;

        ck_assert(find_stick(&stick) && find_usb(0x0627, 1, 0, &tablet));
        file = usb_file(&stick);
        tablet_file = usb_file(&tablet);
        web = define("web", xml);
        create(web);
        ck_assert(holds("web", file));
        expect_guest_user("web");
        expect_owner(file, GUESTS);
        place = format_place(&stick);
        ck_assert(has(web, 0, place) && has(web, 0, "<vendor id='0x46f4'/>") && !has(web, 2, place));
        number_xml = usb_xml("", place);
        db = define("db", number_xml);
        refuse_create(db, "*USB device * is in use by domain 'web'*");
        destroy(web);
        expect_owner(file, "root");
        create(db);
        ck_assert(holds("db", file));
        pid = harness_find_guest(harness, "db");
        end_agent();
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        expect_owner(file, GUESTS);
        harness_start_agent(harness);
        expect_owner(file, "root");
        twins = define("twins", twin_xml);
        refuse_create(twins, "*Multiple USB devices for 0627:0001, use <address> to specify one*");
        port = g_strdup_printf("<address bus='%u' port='%s'/>", tablet.bus, tablet.port);
        port_xml = usb_xml("", port);
        plugged = define("plugged", port_xml);
        create(plugged);
        ck_assert(holds("plugged", tablet_file));
        none = define("none", nothing);
        refuse_create(none, "*Did not find USB device 1234:5678*");
}
END_TEST

static bool is_missing(void *path)
{
        return has(path, 0, "missing='yes'");
}

static bool is_back(void *path)
{
        return !has(path, 0, "missing='yes'");
}

static bool is_unplugged(void *data)
{
        struct usb usb;

        return !find_stick(&usb);
}

static bool is_plugged(void *data)
{
        struct usb usb;

        return find_stick(&usb);
}

/* Whether or not anybody is there to see it go. */
START_TEST(test_replug)
{
        g_autofree char *xml = usb_xml("", STICK_IDS), *web = define("web", xml), *db = define("db", xml);
        struct usb before, after;

        create(web);
        for (unsigned i = 0; i < 3; i++) {
                g_autofree char *file = NULL, *place = NULL;

                ck_assert(find_stick(&before));
                if (i == 2)
                        end_agent();
                tell_lab("device_del stick");
                if (i == 2) {
                        harness_wait_until(is_unplugged, NULL, "the stick is unplugged");
                        harness_start_agent(harness);
                }
                harness_wait_until(is_missing, web, "the guest has lost it");
                ck_assert(has(web, 0, "<alias name='hostdev0'/>") && has(web, 2, "<hostdev "));
                if (i == 1)
                        end_agent();
                tell_lab("device_add " STICK);
                if (i == 1) {
                        harness_wait_until(is_plugged, NULL, "the stick is plugged in");
                        harness_start_agent(harness);
                }
                harness_wait_until(is_back, web, "the guest has got it back");
                ck_assert(find_stick(&after));
                ck_assert_uint_ne(before.device, after.device);
                file = usb_file(&after);
                place = format_place(&after);
                ck_assert(holds("web", file));
                ck_assert(has(web, 0, place));
                refuse_create(db, "*USB device * is in use by domain 'web'*");
        }
        ck_assert_uint_eq(client_count_signals(client, web, DOMAIN_INTERFACE, "DeviceRemoved"), 0);
        destroy(web);
        create(db);
}
END_TEST

/* One that is optional may come later, and mandatory ones are waited for by nobody. */
START_TEST(test_policy)
{
        g_autofree char *optional = usb_xml(" startupPolicy='optional'", STICK_IDS);
        g_autofree char *mandatory = usb_xml(" startupPolicy='mandatory'", STICK_IDS), *file = NULL;
        g_autofree char *web = define("web", optional), *db = define("db", mandatory);
        struct usb stick;

        tell_lab("device_del stick");
        harness_wait_until(is_unplugged, NULL, "the stick is unplugged");
        refuse_create(db, "*Did not find USB device 46f4:0001*");
        create(web);
        ck_assert(is_missing(web));
        tell_lab("device_add " STICK);
        harness_wait_until(is_back, web, "the guest has got it");
        ck_assert(find_stick(&stick));
        file = usb_file(&stick);
        ck_assert(holds("web", file));
        refuse_create(db, "*in use by domain 'web'*");
        expect_owner(file, GUESTS);
        destroy(web);
        expect_owner(file, "root");
}
END_TEST

START_TEST(test_hot_usb)
{
        g_autofree char *xml = usb_xml("", STICK_IDS), *web = define("web", ""), *db = define("db", xml);
        g_autofree char *file = NULL, *owner_of = NULL;
        struct usb stick;

        ck_assert(find_stick(&stick));
        file = usb_file(&stick);
        create(web);
        for (unsigned i = 0; i < 2; i++) {
                attach(web, xml, LIVE);
                guest_wait_device(client, web, "DeviceAdded", "hostdev0");
                ck_assert(holds("web", file) && !has(web, 2, "<hostdev "));
                expect_owner(file, GUESTS);
                refuse_create(db, "*in use by domain 'web'*");
                client_fails(client, LIBVIRT_ERROR, "*", web, DOMAIN_INTERFACE, "AttachDevice", "su", xml,
                             LIVE);
                detach(web, xml, LIVE);
                guest_wait_device(client, web, "DeviceRemoved", "hostdev0");
                ck_assert(!holds("web", file) && !has(web, 0, "<hostdev "));
                expect_owner(file, "root");
        }
        /* One that has been unplugged from the host goes at once. */
        attach(web, xml, LIVE);
        tell_lab("device_del stick");
        harness_wait_until(is_missing, web, "the guest has lost it");
        detach(web, xml, LIVE);
        ck_assert(!has(web, 0, "<hostdev "));
        tell_lab("device_add " STICK);
        harness_wait_until(is_plugged, NULL, "the stick is plugged in");
        create(db);
        refuse_create(web, "*already*");
        client_fails(client, LIBVIRT_ERROR, "*in use by domain 'db'*", web, DOMAIN_INTERFACE, "AttachDevice",
                     "su", xml, LIVE);
}
END_TEST

/* ---- SCSI devices ---- */

static void run(const char *command)
{
        g_autofree char *errors = NULL;
        int status;

        ck_assert(g_spawn_command_line_sync(command, NULL, &errors, &status, NULL));
        ck_assert_msg(status == 0, "%s: %s", command, errors);
}

static bool has_generic(void *data)
{
        return g_file_test(data, G_FILE_TEST_EXISTS);
}

/* The number of the host that the module has made. */
static unsigned find_scsi_host(void)
{
        g_autoptr(GDir) entries = g_dir_open("/sys/bus/pseudo/devices/adapter0", 0, NULL);
        const char *name;
        unsigned number;

        while (entries && (name = g_dir_read_name(entries)))
                if (sscanf(name, "host%u", &number) == 1)
                        return number;
        ck_abort_msg("no SCSI host");
}

START_TEST(test_scsi)
{
        g_autofree char *xml = NULL, *web = NULL, *db = NULL, *place = NULL, *shared = NULL, *third = NULL;
        unsigned host;

        run("modprobe sg");
        run("modprobe scsi_debug");
        host = find_scsi_host();
        place = g_strdup_printf("/sys/bus/scsi/devices/%u:0:0:0/scsi_generic", host);
        harness_wait_until(has_generic, place, "the SCSI device is there");
        run("udevadm settle");
        xml = g_strdup_printf("<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host%u'/>"
                              "<address bus='0' target='0' unit='0'/></source></hostdev>",
                              host);
        web = define("web", xml);
        db = define("db", xml);
        create(web);
        refuse_create(db, "*SCSI device * is in use by domain 'web'*");
        destroy(web);
        create(db);
        destroy(db);
        shared = g_strdup_printf("<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host%u'/>"
                                 "<address bus='0' target='0' unit='9'/></source></hostdev>",
                                 host);
        third = define("third", shared);
        refuse_create(third, "*there is no SCSI device *:0:0:9*");
        create(web);
        destroy(web);
        run("modprobe -r scsi_debug");
}
END_TEST

#define WWPN "naa.5001405000000001"

/* A target of the kernel's own, of its memory. */
static void make_target(void)
{
        run("modprobe target_core_mod");
        run("modprobe vhost_scsi");
        run("sh -c 'cd /sys/kernel/config/target && mkdir -p core/rd_mcp_0/r0 && "
            "echo rd_pages=256 >core/rd_mcp_0/r0/control && echo 1 >core/rd_mcp_0/r0/enable && "
            "mkdir -p vhost/" WWPN "/tpgt_1/lun/lun_0 && echo naa.5001405000000002 >vhost/" WWPN
            "/tpgt_1/nexus && "
            "ln -s /sys/kernel/config/target/core/rd_mcp_0/r0 vhost/" WWPN "/tpgt_1/lun/lun_0/r0'");
}

START_TEST(test_vhost_scsi)
{
        const char *const xml =
                "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='" WWPN
                "'/></hostdev>";
        g_autofree char *web = define("web", xml), *db = define("db", xml);

        make_target();
        create(web);
        ck_assert(holds("web", "/dev/vhost-scsi"));
        refuse_create(db, "*vhost target " WWPN " is in use by domain 'web'*");
        destroy(web);
        create(db);
}
END_TEST

void add_bus_tests(TCase *tcase)
{
        tcase_add_test(tcase, test_usb);
        tcase_add_test(tcase, test_replug);
        tcase_add_test(tcase, test_policy);
        tcase_add_test(tcase, test_hot_usb);
        tcase_add_test(tcase, test_scsi);
        tcase_add_test(tcase, test_vhost_scsi);
}
