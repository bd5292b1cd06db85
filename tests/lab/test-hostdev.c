/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Devices of the host in guests, for real: the lab has an IOMMU, PCI functions to spare (two of them in one
 * group), and USB devices that come and go through its own monitor. tests/lab/hardware says which. Guests are
 * without an operating system: a lab without KVM would take minutes to boot one.
 */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define NODE_DEVICE_INTERFACE "org.libvirt.NodeDevice"
#define NODE_DEVICES          "/org/libvirt/QEMU/nodedev/"

#define LIVE   1
#define CONFIG 2

/* See tests/lab/hardware. */
#define ALONE  "0000:00:06.0"
#define LEFT   "0000:00:05.0"
#define RIGHT  "0000:00:05.1"
#define DRIVER "nvme"

#define MONITOR "/dev/virtio-ports/lab.monitor"
#define STICK   "usb-storage,id=stick,bus=xhci.0,port=1,drive=stick"

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

/* ---- guests ---- */

static char *pci_xml(const char *address, const char *managed)
{
        unsigned domain, bus, slot, function;

        ck_assert_int_eq(sscanf(address, "%x:%x:%x.%u", &domain, &bus, &slot, &function), 4);
        return g_strdup_printf("<hostdev mode='subsystem' type='pci' managed='%s'><source><address "
                               "domain='%u' bus='%u' slot='%u' function='%u'/></source></hostdev>",
                               managed, domain, bus, slot, function);
}

static char *bare_xml(const char *name, const char *devices)
{
        return g_strdup_printf("<domain type='qemu'><name>%s</name><memory unit='MiB'>64</memory>"
                               "<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
                               "<controller type='pci' index='0' model='pcie-root'/>"
                               "<controller type='pci' index='1' model='pcie-root-port'/>"
                               "<controller type='pci' index='2' model='pcie-root-port'/>"
                               "<controller type='pci' index='3' model='pcie-root-port'/>"
                               "<controller type='usb' model='qemu-xhci'/><memballoon model='none'/>%s"
                               "</devices></domain>",
                               name, devices);
}

static char *define(const char *name, const char *devices)
{
        return guest_define(client, bare_xml(name, devices));
}

static void create(const char *path)
{
        guest_do_flags(client, path, "Create", 0);
}

static void destroy(const char *path)
{
        guest_do_flags(client, path, "Destroy", 0);
}

static void refuse_create(const char *path, const char *why)
{
        client_fails(client, LIBVIRT_ERROR, why, path, DOMAIN_INTERFACE, "Create", "u", 0);
}

static void attach(const char *path, const char *xml, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, flags);
}

static void detach(const char *path, const char *xml, unsigned flags)
{
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", xml, flags);
}

/* flags of GetXMLDesc: 0 of the guest, 2 of the definition */
static bool has(const char *path, unsigned flags, const char *text)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", flags);

        return strstr(xml, text) != NULL;
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

/* Does the guest's QEMU have that file open? */
static bool holds(const char *name, const char *file)
{
        g_autofree char *dir = g_strdup_printf("/proc/%d/fd", harness_find_guest(harness, name));
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *entry;

        while (entries && (entry = g_dir_read_name(entries))) {
                g_autofree char *link = g_build_filename(dir, entry, NULL);
                g_autofree char *target = g_file_read_link(link, NULL);

                if (g_strcmp0(target, file) == 0)
                        return true;
        }
        return false;
}

/* Whom guests run as; the lab has that user, as hosts do where the agent is installed. */
#define GUESTS "virtbus-qemu"

static void expect_owner(const char *file, const char *user)
{
        const struct passwd *passwd = getpwnam(user);
        struct stat st;

        ck_assert_msg(passwd != NULL, "there is no user %s", user);
        ck_assert_msg(stat(file, &st) == 0, "%s is not there", file);
        ck_assert_msg(st.st_uid == passwd->pw_uid, "%s is user %u's, not %s's", file, (unsigned)st.st_uid,
                      user);
}

static void expect_guest_user(const char *name)
{
        g_autofree char *process = g_strdup_printf("/proc/%d", harness_find_guest(harness, name));

        expect_owner(process, GUESTS);
}

/* ---- PCI devices ---- */

static char *driver_of(const char *address)
{
        g_autofree char *link = g_strdup_printf("/sys/bus/pci/devices/%s/driver", address);
        g_autofree char *target = g_file_read_link(link, NULL);

        return target ? g_path_get_basename(target) : g_strdup("none");
}

static void expect_driver(const char *address, const char *driver)
{
        g_autofree char *is = driver_of(address);

        ck_assert_str_eq(is, driver);
}

static void expect_override(const char *address, const char *override)
{
        g_autofree char *path = g_strdup_printf("/sys/bus/pci/devices/%s/driver_override", address);
        g_autofree char *is = NULL;

        ck_assert(g_file_get_contents(path, &is, NULL, NULL));
        ck_assert_str_eq(g_strstrip(is), override);
}

static char *group_file(const char *address)
{
        g_autofree char *link = g_strdup_printf("/sys/bus/pci/devices/%s/iommu_group", address);
        g_autofree char *target = g_file_read_link(link, NULL), *number = NULL;

        ck_assert_ptr_nonnull(target);
        number = g_path_get_basename(target);
        return g_build_filename("/dev/vfio", number, NULL);
}

static char *node_of(const char *address)
{
        g_autofree char *name = g_strdelimit(g_strconcat("pci_", address, NULL), ":.", '_');

        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "NodeDeviceLookupByName", "s", name);
}

static void node_do(const char *address, const char *member)
{
        g_autofree char *path = node_of(address);

        if (strcmp(member, "Detach") == 0)
                client_do(client, path, NODE_DEVICE_INTERFACE, member, "su", "", 0);
        else
                client_do(client, path, NODE_DEVICE_INTERFACE, member, "");
}

static void node_refuse(const char *address, const char *member, const char *why)
{
        g_autofree char *path = node_of(address);

        if (strcmp(member, "Detach") == 0)
                client_fails(client, LIBVIRT_ERROR, why, path, NODE_DEVICE_INTERFACE, member, "su", "", 0);
        else
                client_fails(client, LIBVIRT_ERROR, why, path, NODE_DEVICE_INTERFACE, member, "");
}

static void end_agent(void)
{
        harness_end_agent(harness, SIGKILL);
        client_wait_name(client, false);
}

/* What it is for the guest's time, and that nobody else gets it meanwhile. */
START_TEST(test_managed)
{
        g_autofree char *xml = pci_xml(ALONE, "yes"), *group = group_file(ALONE);
        g_autofree char *web = define("web", xml), *db = define("db", xml);

        expect_driver(ALONE, DRIVER);
        for (unsigned i = 0; i < 2; i++) {
                create(web);
                expect_driver(ALONE, "vfio-pci");
                ck_assert(holds("web", group));
                expect_guest_user("web");
                expect_owner(group, GUESTS);
                refuse_create(db, "*PCI device " ALONE " is in use by domain 'web'*");
                node_refuse(ALONE, "Detach", "*" ALONE " is in use by domain 'web'*");
                node_refuse(ALONE, "ReAttach", "*" ALONE " is in use by domain 'web'*");
                node_refuse(ALONE, "Reset", "*" ALONE " is in use by domain 'web'*");
                destroy(web);
                expect_driver(ALONE, DRIVER);
                expect_override(ALONE, "(null)");
        }
        create(db);
        destroy(db);
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* The user is who detaches it and gives it back. */
START_TEST(test_unmanaged)
{
        g_autofree char *xml = pci_xml(ALONE, "no"), *path = define("web", xml), *group = group_file(ALONE);
        pid_t pid;

        refuse_create(path, "*" ALONE " is in use by its host (driver " DRIVER ")*managed='yes'*");
        expect_driver(ALONE, DRIVER);
        node_do(ALONE, "Detach");
        expect_driver(ALONE, "vfio-pci");
        expect_owner(group, "root");
        create(path);
        expect_owner(group, GUESTS);
        node_refuse(ALONE, "ReAttach", "*in use by domain 'web'*");
        destroy(path);
        expect_driver(ALONE, "vfio-pci");
        expect_owner(group, "root");
        /* Nor does it stay the guests' when one ends while nobody looks. */
        create(path);
        pid = harness_find_guest(harness, "web");
        end_agent();
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        expect_owner(group, GUESTS);
        harness_start_agent(harness);
        expect_owner(group, "root");
        node_do(ALONE, "Reset");
        node_do(ALONE, "ReAttach");
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* All of a group is one guest's. */
START_TEST(test_group)
{
        g_autofree char *left = pci_xml(LEFT, "yes"), *right = pci_xml(RIGHT, "yes");
        g_autofree char *both = g_strconcat(left, right, NULL), *other_xml = pci_xml(RIGHT, "no");
        g_autofree char *one = define("one", left), *two = define("two", both), *other = NULL;

        refuse_create(one, "*" LEFT " cannot be a guest's*" RIGHT " (" DRIVER ")*");
        expect_driver(LEFT, DRIVER);
        create(two);
        expect_driver(LEFT, "vfio-pci");
        expect_driver(RIGHT, "vfio-pci");
        destroy(two);
        expect_driver(LEFT, DRIVER);
        expect_driver(RIGHT, DRIVER);
        node_do(RIGHT, "Detach");
        create(one);
        other = define("other", other_xml);
        refuse_create(other,
                      "*" RIGHT " is in one IOMMU group with " LEFT ", which is in use by domain 'one'*");
        node_refuse(RIGHT, "ReAttach", "*in one IOMMU group with " LEFT "*domain 'one'*");
        destroy(one);
        node_do(RIGHT, "ReAttach");
        expect_driver(LEFT, DRIVER);
        expect_driver(RIGHT, DRIVER);
}
END_TEST

/* What a start cannot have, it gives back: here for want of another device. */
START_TEST(test_failed_start)
{
        g_autofree char *pci = pci_xml(ALONE, "yes"), *path = NULL;
        g_autofree char *devices = g_strconcat(
                pci, "<disk type='file'><source file='/nonexistent/x.img'/><target dev='vda'/></disk>", NULL);

        path = define("web", devices);
        refuse_create(path, "*/nonexistent/x.img*");
        expect_driver(ALONE, DRIVER);
        expect_override(ALONE, "(null)");
}
END_TEST

/* A guest that ends while nobody looks; and one that does not. */
START_TEST(test_agent_killed)
{
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", xml), *other = define("db", xml);
        pid_t pid;

        create(path);
        end_agent();
        harness_start_agent(harness);
        expect_driver(ALONE, "vfio-pci");
        node_refuse(ALONE, "ReAttach", "*" ALONE " is in use by domain 'web'*");
        refuse_create(other, "*" ALONE " is in use by domain 'web'*");
        destroy(path);
        expect_driver(ALONE, DRIVER);
        create(path);
        pid = harness_find_guest(harness, "web");
        end_agent();
        kill(pid, SIGKILL);
        harness_wait_gone(pid);
        harness_start_agent(harness);
        expect_driver(ALONE, DRIVER);
        expect_override(ALONE, "(null)");
        create(other);
        destroy(other);
}
END_TEST

START_TEST(test_guest_killed)
{
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", xml), *other = define("db", xml);

        create(path);
        kill(harness_find_guest(harness, "web"), SIGKILL);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_FAILED);
        expect_driver(ALONE, DRIVER);
        create(other);
        destroy(other);
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* ---- an agent that is killed on the way ---- */

static bool has_override(void)
{
        g_autofree char *text = NULL;

        return g_file_get_contents("/sys/bus/pci/devices/" ALONE "/driver_override", &text, NULL, NULL) &&
               g_str_has_prefix(text, "vfio-pci");
}

static bool has_no_driver(void)
{
        g_autofree char *driver = driver_of(ALONE);

        return strcmp(driver, DRIVER) != 0;
}

static bool has_vfio(void)
{
        g_autofree char *driver = driver_of(ALONE);

        return strcmp(driver, "vfio-pci") == 0;
}

static bool has_guest(void)
{
        return harness_find_guest(harness, "web") > 0;
}

static bool has_group_open(void)
{
        g_autofree char *group = group_file(ALONE);

        return has_guest() && holds("web", group);
}

static bool has_no_guest(void *data)
{
        return !has_guest();
}

/* Whatever had been done by then: the next agent undoes it, or has the guest. */
START_TEST(test_killed_on_the_way)
{
        static bool (*const moments[])(void) = { has_override, has_no_driver, has_vfio, has_guest,
                                                 has_group_open };
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", xml);

        for (unsigned i = 0; i < G_N_ELEMENTS(moments); i++) {
                struct client_answer answer = { 0 };

                client_send(client, &answer, path, DOMAIN_INTERFACE, "Create", "u", 0);
                client_process(client);
                /* Not a pause in between: the moment is over soon. */
                while (!moments[i]() && !answer.done)
                        client_process(client);
                end_agent();
                g_free(answer.error);
                harness_start_agent(harness);
                if (client_get_bool(client, path, DOMAIN_INTERFACE, "Active"))
                        destroy(path);
                expect_driver(ALONE, DRIVER);
                expect_override(ALONE, "(null)");
                harness_wait_until(has_no_guest, NULL, "no emulator is left");
        }
        create(path);
        destroy(path);
        expect_driver(ALONE, DRIVER);
}
END_TEST

/* The guest has it and the document says so, or both do not. */
static bool is_settled(void *path)
{
        g_autofree char *group = group_file(ALONE), *driver = driver_of(ALONE);

        if (has(path, 0, "<hostdev "))
                return holds("web", group);
        return strcmp(driver, DRIVER) == 0 && !has_override();
}

START_TEST(test_killed_while_plugging)
{
        static bool (*const moments[])(void) = { has_override, has_no_driver, has_vfio, has_group_open };
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", "");

        for (unsigned i = 0; i < G_N_ELEMENTS(moments); i++) {
                struct client_answer answer = { 0 };

                create(path);
                client_send(client, &answer, path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
                client_process(client);
                while (!moments[i]() && !answer.done)
                        client_process(client);
                end_agent();
                g_free(answer.error);
                harness_start_agent(harness);
                harness_wait_until(is_settled, path, "guest and document say the same");
                destroy(path);
                expect_driver(ALONE, DRIVER);
                expect_override(ALONE, "(null)");
        }
}
END_TEST

/* It comes to a guest that runs, which is reset to let go of it: nobody there answers. */
START_TEST(test_hot_pci)
{
        g_autofree char *xml = pci_xml(ALONE, "yes"), *path = define("web", ""), *other = define("db", xml);
        g_autofree char *left = pci_xml(LEFT, "yes"), *group = group_file(ALONE);

        create(path);
        client_fails(client, LIBVIRT_ERROR, "*" RIGHT " (" DRIVER ")*", path, DOMAIN_INTERFACE,
                     "AttachDevice", "su", left, LIVE);
        ck_assert(!has(path, 0, "<hostdev "));
        attach(path, xml, LIVE | CONFIG);
        wait_for(path, "DeviceAdded", "hostdev0");
        expect_driver(ALONE, "vfio-pci");
        ck_assert(holds("web", group));
        expect_owner(group, GUESTS);
        ck_assert(has(path, 0, "<alias name='hostdev0'/>") && has(path, 2, "<hostdev "));
        refuse_create(other, "*" ALONE " is in use by domain 'web'*");
        client_fails(client, LIBVIRT_ERROR, "*", path, DOMAIN_INTERFACE, "AttachDevice", "su", xml, LIVE);
        detach(path, xml, LIVE | CONFIG);
        ck_assert(!has(path, 2, "<hostdev "));
        expect_driver(ALONE, "vfio-pci");
        end_agent();
        harness_start_agent(harness);
        guest_do_flags(client, path, "Reset", 0);
        wait_for(path, "DeviceRemoved", "hostdev0");
        expect_driver(ALONE, DRIVER);
        ck_assert(!has(path, 0, "<hostdev "));
        create(other);
        destroy(other);
}
END_TEST

/* A group that the emulator has open can be opened by nobody else; it goes back to its owner all the same. */
START_TEST(test_hot_unmanaged)
{
        g_autofree char *left = pci_xml(LEFT, "no"), *right = pci_xml(RIGHT, "no"), *group = group_file(LEFT);
        g_autofree char *path = define("web", left);

        node_do(LEFT, "Detach");
        node_do(RIGHT, "Detach");
        create(path);
        expect_owner(group, GUESTS);
        attach(path, right, LIVE);
        wait_for(path, "DeviceAdded", "hostdev1");
        /* One of the two is still there, and keeps the group. */
        detach(path, left, LIVE);
        guest_do_flags(client, path, "Reset", 0);
        wait_for(path, "DeviceRemoved", "hostdev0");
        expect_owner(group, GUESTS);
        detach(path, right, LIVE);
        guest_do_flags(client, path, "Reset", 0);
        wait_for(path, "DeviceRemoved", "hostdev1");
        expect_owner(group, "root");
        destroy(path);
        node_do(LEFT, "ReAttach");
        node_do(RIGHT, "ReAttach");
        expect_driver(LEFT, DRIVER);
}
END_TEST

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
                wait_for(web, "DeviceAdded", "hostdev0");
                ck_assert(holds("web", file) && !has(web, 2, "<hostdev "));
                expect_owner(file, GUESTS);
                refuse_create(db, "*in use by domain 'web'*");
                client_fails(client, LIBVIRT_ERROR, "*", web, DOMAIN_INTERFACE, "AttachDevice", "su", xml,
                             LIVE);
                detach(web, xml, LIVE);
                wait_for(web, "DeviceRemoved", "hostdev0");
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

int main(void)
{
        Suite *suite = suite_create("hostdev");
        TCase *tcase = tcase_create("hostdev");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_managed);
        tcase_add_test(tcase, test_unmanaged);
        tcase_add_test(tcase, test_group);
        tcase_add_test(tcase, test_failed_start);
        tcase_add_test(tcase, test_agent_killed);
        tcase_add_test(tcase, test_guest_killed);
        tcase_add_test(tcase, test_killed_on_the_way);
        tcase_add_test(tcase, test_killed_while_plugging);
        tcase_add_test(tcase, test_hot_pci);
        tcase_add_test(tcase, test_hot_unmanaged);
        tcase_add_test(tcase, test_usb);
        tcase_add_test(tcase, test_replug);
        tcase_add_test(tcase, test_policy);
        tcase_add_test(tcase, test_hot_usb);
        tcase_add_test(tcase, test_scsi);
        tcase_add_test(tcase, test_vhost_scsi);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
