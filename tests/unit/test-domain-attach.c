/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drivers/domain/edit-attach-xml: devices that are put into a definition, found, replaced and taken out, in a
 * stored one and in that of a guest that runs.
 */
#include "base/error.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/live-xml.h"
#include "tests/unit/domain-machine.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct domain_machine q35 = { DOMAIN_MACHINE_Q35, .net_model = "virtio" };

#define HEAD                                                                                                 \
        "<domain type='qemu'><name>x</name><uuid>0b4a6c5e-0000-4000-8000-000000000001</uuid>"                \
        "<memory>65536</memory><os><type machine='pc-q35-7.2'>hvm</type></os><devices>"
#define TAIL "</devices></domain>"
#define DISK "<disk><source file='/a'/><target dev='vda' bus='virtio'/></disk>"
#define NETS                                                                                                 \
        "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"                              \
        "<interface type='user'><mac address='52:54:00:00:00:02'/></interface>"                              \
        "<interface type='user'><mac address='52:54:00:00:00:03'/></interface>"
#define RNG    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
#define SERIAL "<serial type='pty'/>"
/* Root ports beyond those that the devices need. */
#define PORTS                                                                                                \
        "<controller type='pci' index='9' model='pcie-root-port'/>"                                          \
        "<controller type='pci' index='10' model='pcie-root-port'/>"

static struct domain_def *define(const char *devices)
{
        g_autofree char *text = g_strconcat(HEAD, devices, TAIL, NULL);
        g_autoptr(GError) error = NULL;
        struct domain_doc *doc = domain_doc_parse(text, &error);
        struct domain_def *def = doc ? domain_doc_finish(doc, &q35, &error) : NULL;

        ck_assert_msg(def, "%s", error ? error->message : "");
        return def;
}

/* A guest that runs, with what its start has chosen. */
static struct domain_def *start(const char *devices)
{
        CLEANUP(domain_def_unref) struct domain_def *def = define(devices), *active = NULL;
        struct domain_def *live;
        struct domain_edit *edit;

        active = domain_def_activate(def, 3, NULL);
        ck_assert(active);
        edit = domain_edit_new(active, NULL);
        if (active->devices.n_graphics)
                domain_edit_set_graphics_ports(edit, 0, 5907, 0, 0);
        if (active->devices.n_serials)
                domain_edit_set_pty(edit, "serial0", "/dev/pts/99");
        live = domain_edit_commit(edit, NULL);
        ck_assert(live);
        return live;
}

static const struct domain_edit_side stored = { &q35, false };
static const struct domain_edit_side running = { &q35, true };

typedef GArray *change(struct domain_edit *edit, const char *xml, const struct domain_edit_side *side);

/* What becomes of def; devices, unless NULL, is what is new. NULL with an error. */
static struct domain_def *try_change(const struct domain_def *def, change *made, const char *xml,
                                     const struct domain_edit_side *side, GArray **devices, GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, NULL);
        g_autoptr(GArray) list = made(edit, xml, side);
        struct domain_def *changed = side->running ? domain_edit_commit_checked(edit, side->machine, error)
                                                   : domain_edit_commit(edit, error);

        ck_assert(!changed || list);
        if (devices)
                *devices = g_steal_pointer(&list);
        return changed;
}

static struct domain_def *attach(const struct domain_def *def, const char *xml,
                                 const struct domain_edit_side *side, GArray **devices)
{
        g_autoptr(GError) error = NULL;
        struct domain_def *changed = try_change(def, domain_edit_attach_device, xml, side, devices, &error);

        ck_assert_msg(changed, "%s: %s", xml, error ? error->message : "");
        return changed;
}

static void expect_refused(const struct domain_def *def, const char *xml, const struct domain_edit_side *side,
                           const char *message)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(try_change(def, domain_edit_attach_device, xml, side, NULL, &error));
        ck_assert_msg(strstr(error->message, message), "%s: %s", xml, error->message);
}

static struct domain_def *detach(const struct domain_def *def, const char *xml,
                                 struct domain_edit_device *device, GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, NULL);
        bool found = domain_edit_detach_device(edit, xml, device);
        struct domain_def *changed = domain_edit_commit(edit, error);

        ck_assert_int_eq(found, changed != NULL);
        return changed;
}

static const struct domain_device_info *info_of(const struct domain_def *def, GArray *devices, unsigned i)
{
        const struct domain_edit_device *device = &g_array_index(devices, struct domain_edit_device, i);

        return domain_device_get_info(device->kind,
                                      domain_devices_get(&def->devices, device->kind, device->index));
}

/* ---- coming ---- */

static const struct {
        const char *device, *alias;
        unsigned bus; /* on PCI; 0: elsewhere */
} comings[] = {
        { "<disk><source file='/b'/><target dev='vdb' bus='virtio'/></disk>", "virtio-disk1", 9 },
        { "<disk><source file='/b'/><target dev='sdb' bus='usb'/></disk>", "usb-disk1", 0 },
        { "<interface type='user'/>", "net3", 9 },
        { "<interface type='hostdev'><source><address type='pci' bus='5'/></source></interface>", "hostdev0",
          9 },
        { RNG, "rng1", 9 },
        { "<crypto model='virtio' type='qemu'><backend model='builtin'/></crypto>", "crypto0", 9 },
        { "<input type='tablet' bus='usb'/>", "input2", 0 },
        { "<channel type='unix'><target type='virtio' name='a.b'/></channel>", "channel1", 0 },
        { "<console type='pty'><target type='virtio'/></console>", "console1", 0 },
        { "<hostdev type='usb'><source><vendor id='1'/><product id='2'/></source></hostdev>", "hostdev0", 0 },
        { "<redirdev type='tcp'><source host='h' service='1'/></redirdev>", "redir0", 0 },
        { "<watchdog model='i6300esb'/>", NULL, 0 },
        { "<interface type='user'><alias name='ua-mine'/></interface>", "ua-mine", 9 },
        /* as another guest shows it */
        { "<interface type='user'><alias name='net0'/></interface>", "net3", 9 },
        /* what is no name for the emulator */
        { "<interface type='user'><alias name='ua-my own'/></interface>", "net3", 9 },
};

#define MANY                                                                                                 \
        DISK NETS RNG SERIAL PORTS "<channel type='pty'><target type='virtio' name='x'/></channel>"          \
                                   "<graphics type='vnc'/>"

/* The device gets a name and a place, and when it goes again nothing has changed. */
START_TEST(test_comes_and_goes)
{
        CLEANUP(domain_def_unref) struct domain_def *def = start(MANY), *with = NULL, *without = NULL;
        g_autoptr(GArray) devices = NULL;
        const struct domain_device_info *info;
        struct domain_edit_device device, gone;
        struct domain_edit *edit;

        if (!comings[_i].alias) {
                expect_refused(def, comings[_i].device, &running, "no free PCI slot");
                return;
        }
        with = attach(def, comings[_i].device, &running, &devices);
        ck_assert_uint_eq(devices->len, 1);
        info = info_of(with, devices, 0);
        ck_assert_str_eq(info->alias, comings[_i].alias);
        ck_assert_uint_eq(info->address.type == DOMAIN_ADDRESS_PCI ? info->address.pci.bus : 0,
                          comings[_i].bus);
        device = g_array_index(devices, struct domain_edit_device, 0);

        edit = domain_edit_new(with, NULL);
        ck_assert(domain_edit_detach_alias(edit, comings[_i].alias, &gone));
        ck_assert_int_eq(gone.kind, device.kind);
        ck_assert_uint_eq(gone.index, device.index);
        without = domain_edit_commit(edit, NULL);
        ck_assert_str_eq(without->base.xml, def->base.xml);
}
END_TEST

/* The stored definition stays a normal one, and what it has keeps its place. */
START_TEST(test_comes_into_stored)
{
        CLEANUP(domain_def_unref) struct domain_def *def = define(MANY), *with = NULL, *again = NULL;
        g_autoptr(GArray) devices = NULL;
        const struct domain_device_info *info;

        with = attach(def, comings[_i].device, &stored, &devices);
        info = info_of(with, devices, devices->len - 1);
        if (comings[_i].bus > 0)
                ck_assert_int_eq(info->address.type, DOMAIN_ADDRESS_PCI);
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                ck_assert_mem_eq(&def->devices.interfaces[i].info.address,
                                 &with->devices.interfaces[i].info.address, sizeof(struct domain_address));
        again = domain_doc_finish(domain_doc_parse(with->base.xml, NULL), &q35, NULL);
        ck_assert(strcmp(with->base.xml, again->base.xml) == 0);
        ck_assert_ptr_null(strstr(with->base.xml, "<alias name='net"));
}
END_TEST

/* Names are given once, whatever came and went. */
START_TEST(test_names_are_free)
{
        CLEANUP(domain_def_unref)
        struct domain_def *def = start(MANY), *less = NULL, *more = NULL, *most = NULL;
        g_autoptr(GArray) devices = NULL, others = NULL;
        struct domain_edit_device gone;

        less = detach(def, "<interface><mac address='52:54:00:00:00:02'/></interface>", &gone, NULL);
        ck_assert(less);
        ck_assert_int_eq(gone.kind, DOMAIN_DEVICE_INTERFACE);
        ck_assert_uint_eq(gone.index, 1);
        ck_assert_uint_eq(less->devices.n_interfaces, 2);
        ck_assert_str_eq(less->devices.interfaces[1].info.alias, "net2");
        more = attach(less, "<interface type='user'/>", &running, &devices);
        ck_assert_str_eq(info_of(more, devices, 0)->alias, "net3");
        most = attach(more, "<interface type='user'/>", &running, &others);
        ck_assert_str_ne(info_of(most, others, 0)->alias, "net3");
        ck_assert_str_ne(info_of(most, others, 0)->alias, "net2");
}
END_TEST

/* A SCSI controller is a PCI device and can come along; others are what the machine has or has not. */
START_TEST(test_controllers)
{
        static const char *const channel = "<channel type='unix'><target type='virtio' name='a'/></channel>";
        CLEANUP(domain_def_unref)
        struct domain_def *def = start(DISK PORTS), *with = NULL, *off = define(DISK PORTS), *changed = NULL;
        g_autoptr(GArray) devices = NULL;

        with = attach(def, "<disk><source file='/b'/><target dev='sda' bus='scsi'/></disk>", &running,
                      &devices);
        ck_assert_uint_eq(devices->len, 2);
        ck_assert_int_eq(g_array_index(devices, struct domain_edit_device, 0).kind, DOMAIN_DEVICE_CONTROLLER);
        ck_assert_str_eq(info_of(with, devices, 0)->alias, "scsi0");
        ck_assert_int_eq(info_of(with, devices, 0)->address.type, DOMAIN_ADDRESS_PCI);
        ck_assert_int_eq(g_array_index(devices, struct domain_edit_device, 1).kind, DOMAIN_DEVICE_DISK);
        expect_refused(def, channel, &running, "virtio-serial controller 0, which a machine that runs");
        expect_refused(def, "<channel type='pty'><target type='guestfwd' address='10.0.2.9'/></channel>",
                       &running, "needs an address and a port");
        changed = attach(off, channel, &stored, NULL);
        ck_assert(strstr(changed->base.xml, "<controller type='virtio-serial' index='0'"));
}
END_TEST

static const struct {
        const char *devices, *device, *message;
} refusals[] = {
        { DISK, "<memory/>x", "" },
        { DISK, "<sofa/>", "this is no device" },
        { DISK, "<disk><source file='/b'/><target dev='vda'/></disk>", "two disks have the target 'vda'" },
        /* The one that stays free for it is taken by the first. */
        { DISK
          "<controller type='pci' index='1' model='pcie-root-port'/>"
          "<controller type='pci' index='2' model='pcie-root-port'/>"
          "<controller type='usb' model='none'/><memballoon model='none'/>"
          "<controller type='pci' index='3' model='pcie-root-port'><target hotplug='off'/></controller>" RNG,
          RNG, "no free PCI slot" },
        { DISK PORTS,
          "<rng model='virtio'><backend model='random'/><address type='pci' bus='0' slot='9'/></rng>",
          "PCI bus 0 takes no rng 'virtio' while the machine runs" },
        { DISK PORTS,
          "<rng model='virtio'><backend model='random'/><address type='pci' bus='77' slot='0'/></rng>",
          "there is no PCI bus 77" },
        { DISK PORTS,
          "<rng model='virtio'><backend model='random'/><address type='pci' bus='9' slot='0' "
          "function='1'/></rng>",
          "one of several functions" },
        { DISK PORTS "<rng model='virtio'><backend model='random'/><alias name='ua-a'/></rng>",
          "<rng model='virtio'><backend model='random'/><alias name='ua-a'/></rng>", "ua-a" },
};

START_TEST(test_refused)
{
        CLEANUP(domain_def_unref) struct domain_def *def = start(refusals[_i].devices);

        expect_refused(def, refusals[_i].device, &running, refusals[_i].message);
}
END_TEST

/* What could not be defined does not come piece by piece, into a stored definition or a guest that runs. */
START_TEST(test_refused_definable)
{
        static const struct {
                const char *device, *message;
        } refused[] = {
                { "<disk><driver name='qemu' iothread='9'/><source file='/b'/><target dev='vdb' "
                  "bus='virtio'/></disk>",
                  "I/O thread 9" },
                { "<disk device='lun'><source file='/b'/><target dev='sdb' bus='scsi'/></disk>",
                  "of device='lun' passes SCSI commands on" },
                { "<lease><lockspace>a</lockspace><key>b</key><target path='/c'/></lease>",
                  "unsupported configuration: <lease> is not supported" },
        };
        CLEANUP(domain_def_unref) struct domain_def *def = define(DISK), *on = start(DISK PORTS);

        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                expect_refused(def, refused[i].device, &stored, refused[i].message);
                expect_refused(on, refused[i].device, &running, refused[i].message);
        }
}
END_TEST

/* What a guest would not be started with does not come to one that runs, but for one that has it. */
START_TEST(test_refused_undriven)
{
        static const char *const idle = "<rng model='virtio'><backend model='random'/><sofa/></rng>";
        CLEANUP(domain_def_unref) struct domain_def *on = start(DISK PORTS), *old = NULL, *with = NULL;
        g_auto(GStrv) parts = g_strsplit(on->base.xml, "</devices>", 2);
        g_autofree char *text = g_strjoinv("<sofa/></devices>", parts);

        expect_refused(on, idle, &running, "<sofa> is not supported");
        old = domain_def_parse_stored(text, NULL);
        ck_assert(old && old->unknown.count == 1);
        with = attach(old, RNG, &running, NULL);
        ck_assert_uint_eq(with->devices.n_rngs, 1);
}
END_TEST

/* A drive that is there, as whoever attaches a medium names it. */
START_TEST(test_has_drive)
{
        static const struct {
                const char *device;
                bool is_there;
        } asked[] = {
                { "<disk device='cdrom'><source file='/b'/><target dev='sda' bus='sata'/></disk>", true },
                { "<disk device='floppy'><target dev='fda'/></disk>", true },
                { "<disk device='cdrom'><target dev='sdb' bus='sata'/></disk>", false },
                { "<disk><source file='/b'/><target dev='sda' bus='sata'/></disk>", false },
                { "<disk device='cdrom'><target dev='vda' bus='virtio'/></disk>", false },
                { "<disk device='cdrom'/>", false },
                { RNG, false },
                { "<sofa/>", false },
        };
        CLEANUP(domain_def_unref)
        struct domain_def *def = start(DISK "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"
                                            "<disk device='floppy'><target dev='fda' bus='fdc'/></disk>");

        for (unsigned i = 0; i < G_N_ELEMENTS(asked); i++) {
                struct domain_edit *edit = domain_edit_new(def, NULL);

                ck_assert_msg(domain_edit_has_drive(edit, asked[i].device) == asked[i].is_there, "%s",
                              asked[i].device);
                domain_edit_free(edit);
        }
}
END_TEST

/* A definition that an earlier agent took, and this one would not, still takes devices, and so does its
 * guest. */
START_TEST(test_refused_before)
{
        CLEANUP(domain_def_unref) struct domain_def *off = define(DISK), *on = start(DISK PORTS);
        const struct domain_def *const defs[] = { off, on };
        const struct domain_edit_side *const sides[] = { &stored, &running };

        for (unsigned i = 0; i < G_N_ELEMENTS(defs); i++) {
                g_auto(GStrv) parts = g_strsplit(defs[i]->base.xml, "<driver ", 2);
                g_autofree char *text = g_strjoinv("<driver iothread='9' ", parts);
                CLEANUP(domain_def_unref) struct domain_def *old = NULL, *with = NULL;

                old = domain_def_parse_stored(text, NULL);
                ck_assert(old);
                ck_assert_uint_eq(old->devices.disks[0].iothread, 9);
                with = attach(old, RNG, sides[i], NULL);
                ck_assert_uint_eq(with->devices.n_rngs, 1);
        }
}
END_TEST

/* An interface has one address, in the guest as in its stored definition. */
START_TEST(test_complete)
{
        CLEANUP(domain_def_unref)
        struct domain_def *off = define(DISK), *on = start(DISK PORTS), *one = NULL, *other = NULL;
        g_autofree char *xml = domain_device_complete("<interface type='user'></interface>", NULL);
        g_autoptr(GError) error = NULL;

        ck_assert(xml);
        one = attach(off, xml, &stored, NULL);
        other = attach(on, xml, &running, NULL);
        ck_assert_mem_eq(one->devices.interfaces[0].mac, other->devices.interfaces[0].mac, 6);
        ck_assert_int_eq(one->devices.interfaces[0].mac[0], 0x52);
        ck_assert_ptr_null(domain_device_complete("<interface><mac address='x'/></interface>", &error));
        ck_assert(strstr(error->message, "malformed MAC address"));
        ck_assert_ptr_null(domain_device_complete("<sofa/>", NULL));
        ck_assert_ptr_null(domain_device_complete("<disk", NULL));
}
END_TEST

/* ---- going ---- */

#define LEAVING                                                                                              \
        MANY "<disk><source file='/c'/><target dev='sda' bus='scsi'/></disk>"                                \
             "<hostdev type='usb'><source><vendor id='0x46d'/><product id='2'/></source></hostdev>"          \
             "<hostdev type='usb'><source><vendor id='0x46d'/><product id='3'/></source></hostdev>"          \
             "<rng model='virtio'><backend model='builtin'/></rng>"                                          \
             "<interface type='user'><mac address='52:54:00:00:00:03'/></interface>"                         \
             "<hub type='usb'><address type='usb' bus='0' port='1'/></hub>"                                  \
             "<hub type='usb'><address type='usb' bus='0' port='4'/></hub>"                                  \
             "<input type='tablet' bus='usb'><address type='usb' bus='0' port='1.2'/></input>"

static const struct {
        const char *device;
        enum domain_device_kind kind;
        int index; /* -1: none */
        const char *message;
} leavings[] = {
        { "<disk><target dev='vda'/></disk>", DOMAIN_DEVICE_DISK, 0, NULL },
        { "<disk><target dev='vdx'/></disk>", 0, -1, "no device of the domain matches disk 'vdx'" },
        { "<disk/>", 0, -1, "no device of the domain matches disk" },
        { "<interface><mac address='52:54:00:00:00:02'/></interface>", DOMAIN_DEVICE_INTERFACE, 1, NULL },
        { "<interface><mac address='52:54:00:00:00:03'/></interface>", 0, -1,
          "more than one device matches" },
        { "<interface><alias name='net3'/><mac address='52:54:00:00:00:03'/></interface>",
          DOMAIN_DEVICE_INTERFACE, 3, NULL },
        { "<interface><address type='pci' bus='0x2' slot='0x00'/></interface>", DOMAIN_DEVICE_INTERFACE, 0,
          NULL },
        { "<rng model='virtio'><backend model='builtin'/></rng>", DOMAIN_DEVICE_RNG, 1, NULL },
        { "<rng model='virtio'><backend model='egd'/></rng>", 0, -1, "matches" },
        { "<hostdev type='usb'><source><vendor id='0x046D'/><product id='0x3'/></source></hostdev>",
          DOMAIN_DEVICE_HOSTDEV, 1, NULL },
        { "<controller type='scsi' index='0'/>", 0, -1, "disk 'sda' is on scsi controller 0" },
        { "<controller type='pci' index='10'/>", 0, -1, "is on pci controller 10" },
        { "<console type='pty'><target type='serial' port='0'/></console>", DOMAIN_DEVICE_SERIAL, 0, NULL },
        { "<serial type='pty'><source path='/dev/pts/7'/></serial>", DOMAIN_DEVICE_SERIAL, 0, NULL },
        { "<memballoon/>", DOMAIN_DEVICE_MEMBALLOON, 0, NULL },
        /* one of several, and which is not said */
        { "<hostdev type='usb'/>", 0, -1, "more than one device matches" },
        { "<rng model='virtio'/>", 0, -1, "more than one device matches" },
        /* names are names */
        { "<disk><target dev='VDA'/></disk>", 0, -1, "no device of the domain matches" },
        /* at another place in this definition */
        { "<disk><target dev='vda'/><address type='pci' bus='0x77' slot='0'/></disk>", DOMAIN_DEVICE_DISK, 0,
          NULL },
        { "<hostdev type='usb'><address type='usb' bus='0' port='77'/></hostdev>", 0, -1,
          "no device of the domain matches" },
        { "<hub type='usb'/>", 0, -1, "input 'tablet' is on hub 'usb'" },
        { "<hub type='usb'><address type='usb' bus='0' port='4'/></hub>", DOMAIN_DEVICE_HUB, 1, NULL },
};

START_TEST(test_leaves)
{
        CLEANUP(domain_def_unref) struct domain_def *def = start(LEAVING);
        struct domain_edit_device device = { 0 };
        g_autoptr(GError) error = NULL;
        CLEANUP(domain_def_unref)
        struct domain_def *without = detach(def, leavings[_i].device, &device, &error);
        unsigned before = domain_devices_get_count(&def->devices, leavings[_i].kind);

        if (leavings[_i].index < 0) {
                ck_assert_ptr_null(without);
                ck_assert_msg(strstr(error->message, leavings[_i].message), "%s", error->message);
                return;
        }
        ck_assert_msg(without, "%s: %s", error ? error->message : "", strstr(def->base.xml, "<interface"));
        ck_assert_int_eq(device.kind, leavings[_i].kind);
        if (device.kind != DOMAIN_DEVICE_CONTROLLER)
                ck_assert_uint_eq(device.index, (unsigned)leavings[_i].index);
        ck_assert_uint_eq(domain_devices_get_count(&without->devices, device.kind), before - 1);
        /* A console is not there without its port. */
        if (device.kind == DOMAIN_DEVICE_SERIAL)
                ck_assert_uint_eq(without->devices.n_consoles, 0);
}
END_TEST

/* What a guest shows finds the device of its stored definition, where names and terminals are not. */
START_TEST(test_leaves_stored)
{
        CLEANUP(domain_def_unref) struct domain_def *def = define(LEAVING), *without = NULL;
        struct domain_edit_device device;

        without = detach(def,
                         "<channel type='pty'><source path='/dev/pts/4'/><target type='virtio' name='x' "
                         "state='connected'/><alias name='channel0'/></channel>",
                         &device, NULL);
        ck_assert(without);
        ck_assert_int_eq(device.kind, DOMAIN_DEVICE_CHANNEL);
        ck_assert_ptr_null(detach(def, "<rng model='virtio'><alias name='ua-x'/></rng>", &device, NULL));
}
END_TEST

/* ---- changing ---- */

START_TEST(test_update)
{
        CLEANUP(domain_def_unref)
        struct domain_def *def = start(MANY "<disk device='cdrom'><source file='/1.iso'/><target dev='sda' "
                                            "bus='sata'/><alias name='ua-cd'/></disk>"),
                          *with = NULL, *refused = NULL;
        g_autoptr(GArray) devices = NULL;
        const struct domain_disk *before = domain_def_find_disk(def, "sda"), *disk;
        g_autoptr(GError) error = NULL;

        with = try_change(def, domain_edit_update_device,
                          "<disk device='cdrom'><source file='/2.iso'/><target dev='sda' bus='sata'/></disk>",
                          &running, &devices, &error);
        ck_assert_msg(with, "%s", error ? error->message : "");
        ck_assert_uint_eq(devices->len, 1);
        disk = domain_def_find_disk(with, "sda");
        ck_assert_ptr_eq(disk,
                         domain_devices_get(&with->devices, DOMAIN_DEVICE_DISK,
                                            g_array_index(devices, struct domain_edit_device, 0).index));
        ck_assert_str_eq(disk->source.path, "/2.iso");
        ck_assert_str_eq(disk->info.alias, "ua-cd");
        ck_assert_mem_eq(&disk->info.address, &before->info.address, sizeof(disk->info.address));
        ck_assert_uint_eq(with->devices.n_disks, def->devices.n_disks);
        refused = try_change(def, domain_edit_update_device, "<graphics type='spice' passwd='x'/>", &running,
                             NULL, &error);
        ck_assert_ptr_null(refused);
        ck_assert(error_is(error, ERROR_DEVICE_MISSING));
}
END_TEST

#define SCSI(index)                                                                                          \
        "<controller type='scsi' index='" index "' model='virtio-scsi'><driver queues='3'/></controller>"

/* Another controller with that index is not it. */
START_TEST(test_update_controller)
{
        static const char *const devices = DISK PORTS "<controller type='scsi'/>";
        const struct domain_edit_side *side = _i ? &running : &stored;
        CLEANUP(domain_def_unref)
        struct domain_def *def = _i ? start(devices) : define(devices), *with = NULL, *none = NULL;
        g_autoptr(GError) error = NULL;

        none = try_change(def, domain_edit_update_device, SCSI("9"), side, NULL, &error);
        ck_assert_ptr_null(none);
        ck_assert(error_is(error, ERROR_DEVICE_MISSING));
        with = try_change(def, domain_edit_update_device, SCSI("0"), side, NULL, NULL);
        ck_assert(with);
        ck_assert_uint_eq(with->devices.n_controllers, def->devices.n_controllers);
        ck_assert(strstr(with->base.xml, "queues='3'"));
}
END_TEST

/* What stays where it is may be where nothing could come to while the machine runs. */
START_TEST(test_update_in_place)
{
        static const char *const places[] = { "bus='0' slot='9'", "bus='9' slot='0' function='1'" };

        for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
                g_autofree char *text =
                        g_strdup_printf(DISK PORTS "<interface type='user'><mac address='52:54:00:00:00:01'/>"
                                                   "<address type='pci' %s/></interface>",
                                        places[i]);
                CLEANUP(domain_def_unref) struct domain_def *def = start(text), *with = NULL;
                g_autoptr(GError) error = NULL;

                with = try_change(def, domain_edit_update_device,
                                  "<interface type='user'><mac address='52:54:00:00:00:01'/>"
                                  "<link state='down'/></interface>",
                                  &running, NULL, &error);
                ck_assert_msg(with, "%s", error ? error->message : "");
                ck_assert_int_eq(with->devices.interfaces[0].link_up, DOMAIN_SWITCH_OFF);
                ck_assert_mem_eq(&with->devices.interfaces[0].info.address,
                                 &def->devices.interfaces[0].info.address, sizeof(struct domain_address));
        }
}
END_TEST

/* An address is one of a bus: where the disk comes to another one, it has none from before. */
START_TEST(test_update_bus)
{
        const struct domain_edit_side *side = _i ? &running : &stored;
        static const char devices[] = DISK PORTS
                "<controller type='usb' model='qemu-xhci'/><controller type='scsi' model='virtio-scsi'/>"
                "<disk><source file='/b'/><target dev='sda' bus='scsi'/></disk>"
                "<disk device='cdrom'><source file='/c'/><target dev='sdb' bus='sata'/></disk>";
        CLEANUP(domain_def_unref)
        struct domain_def *def = _i ? start(devices) : define(devices), *moved = NULL, *kept = NULL;
        const struct domain_disk *disk;
        g_autoptr(GError) error = NULL;

        moved = try_change(def, domain_edit_update_device,
                           "<disk><source file='/b'/><target dev='sda' bus='usb'/></disk>", side, NULL,
                           &error);
        ck_assert_msg(moved, "%s", error ? error->message : "");
        ck_assert_int_eq(domain_def_find_disk(moved, "sda")->info.address.type, DOMAIN_ADDRESS_USB);
        /* The name alone would say SCSI. */
        kept = try_change(def, domain_edit_update_device, "<disk device='cdrom'><target dev='sdb'/></disk>",
                          side, NULL, &error);
        ck_assert_msg(kept, "%s", error ? error->message : "");
        disk = domain_def_find_disk(kept, "sdb");
        ck_assert_int_eq(disk->bus, domain_def_find_disk(def, "sdb")->bus);
        ck_assert_mem_eq(&disk->info.address, &domain_def_find_disk(def, "sdb")->info.address,
                         sizeof(disk->info.address));
        ck_assert_ptr_null(disk->source.path);
}
END_TEST

#define DRIVE "<disk type='file' device='cdrom'>%s<target dev='sdb' bus='sata'/></disk>"

/* Whoever changes a medium or a link of a guest that runs says that, and no more. */
START_TEST(test_update_short)
{
        static const char devices[] = DISK PORTS
                "<disk type='file' device='cdrom' snapshot='no'><driver name='qemu' type='qcow2' "
                "cache='none' "
                "error_policy='report'/><source file='/1'/><target dev='sdb' bus='sata'/><serial>S</serial>"
                "<boot order='2'/></disk><interface type='user'><mac address='52:54:00:00:00:01'/><model "
                "type='virtio'/><boot order='1'/></interface>";
        static const char *const sources[] = { "<source file='/2'/>", "" };
        CLEANUP(domain_def_unref) struct domain_def *def = start(devices), *linked = NULL, *off = NULL;
        g_autoptr(GError) error = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(sources); i++) {
                g_autofree char *xml = g_strdup_printf(DRIVE, sources[i]);
                CLEANUP(domain_def_unref) struct domain_def *with = NULL;
                const struct domain_disk *disk;

                with = try_change(def, domain_edit_update_device, xml, &running, NULL, &error);
                ck_assert_msg(with, "%s", error ? error->message : "");
                disk = domain_def_find_disk(with, "sdb");
                ck_assert_str_eq(disk->source.path ? disk->source.path : "", i == 0 ? "/2" : "");
                ck_assert_uint_eq(disk->info.boot_order, 2);
                ck_assert(strstr(with->base.xml, "<serial>S</serial>"));
                ck_assert(strstr(with->base.xml, "<driver name='qemu' type='raw' cache='none' "
                                                 "error_policy='report'/>"));
                ck_assert(strstr(with->base.xml, "snapshot='no'"));
        }
        linked = try_change(def, domain_edit_update_device,
                            "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>"
                            "<link state='down'/></interface>",
                            &running, NULL, &error);
        ck_assert_msg(linked, "%s", error ? error->message : "");
        ck_assert_uint_eq(linked->devices.interfaces[0].info.boot_order, 1);
        /* In a definition the element stands for all of the device, as with libvirt. */
        def = (domain_def_unref(def), define(devices));
        off = try_change(def, domain_edit_update_device,
                         "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>", &stored,
                         NULL, &error);
        ck_assert_msg(off, "%s", error ? error->message : "");
        ck_assert_uint_eq(domain_def_find_disk(off, "sdb")->info.boot_order, 0);
}
END_TEST

/* What there is only one of is meant by its element. */
START_TEST(test_update_single)
{
        CLEANUP(domain_def_unref)
        struct domain_def *def = define(DISK "<vsock model='virtio'><cid auto='no' address='4'/></vsock>"),
                          *none = NULL, *other = NULL;
        g_autoptr(GError) error = NULL;

        none = try_change(def, domain_edit_update_device, "<memballoon model='none'/>", &stored, NULL,
                          &error);
        ck_assert_msg(none, "%s", error ? error->message : "");
        ck_assert(strstr(none->base.xml, "<memballoon model='none'/>"));
        other = try_change(def, domain_edit_update_device,
                           "<vsock model='virtio'><cid auto='no' address='5'/></vsock>", &stored, NULL,
                           &error);
        ck_assert_msg(other, "%s", error ? error->message : "");
        ck_assert_uint_eq(other->devices.vsock->cid, 5);
}
END_TEST

/* Who asks twice does not have it twice. */
START_TEST(test_comes_once)
{
        static const char *const twice[][2] = {
                { "<filesystem><source dir='/tmp'/><target dir='s'/></filesystem>",
                  "the domain has filesystem 's' already" },
                { "<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
                  "the domain has shmem 's' already" },
                { "<channel type='unix'><target type='virtio' name='s'/></channel>",
                  "the domain has channel 's' twice" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(twice); i++) {
                CLEANUP(domain_def_unref) struct domain_def *def = define(DISK), *with = NULL;

                with = attach(def, twice[i][0], &stored, NULL);
                expect_refused(with, twice[i][0], &stored, twice[i][1]);
        }
}
END_TEST

/* The machine, or another device, brings it along: taken out it would be there again with the next change. */
START_TEST(test_comes_back)
{
        static const struct {
                const char *device;
                bool goes;
        } cases[] = {
                { "<memballoon model='virtio'/>", false },
                { "<input type='mouse' bus='ps2'/>", false },
                { "<video><model type='qxl'/></video>", false },
                { RNG, true },
                { "<controller type='scsi' index='1'/>", true },
                { "<controller type='scsi' index='0'/>", true },
        };
        CLEANUP(domain_def_unref)
        struct domain_def *def =
                define(DISK PORTS "<graphics type='vnc'/><video><model type='qxl'/></video>" RNG
                                  "<controller type='scsi' index='0' model='virtio-scsi'/>"
                                  "<controller type='scsi' index='1' model='virtio-scsi'/>");

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                struct domain_edit *edit = domain_edit_new(def, NULL);
                struct domain_edit_device device;
                g_autoptr(GError) error = NULL;
                struct domain_def *left;

                ck_assert(domain_edit_detach_device(edit, cases[i].device, &device));
                ck_assert_msg(domain_edit_check_gone(edit, device.kind, &q35) == cases[i].goes, "%s",
                              cases[i].device);
                left = domain_edit_commit(edit, &error);
                ck_assert_int_eq(left != NULL, cases[i].goes);
                ck_assert(left || strstr(error->message, "would be in the definition again"));
                domain_def_unref(left);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("domain-attach");
        TCase *tests = tcase_create("attach");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_add_loop_test(tests, test_comes_and_goes, 0, G_N_ELEMENTS(comings));
        tcase_add_loop_test(tests, test_comes_into_stored, 0, G_N_ELEMENTS(comings));
        tcase_add_test(tests, test_names_are_free);
        tcase_add_test(tests, test_controllers);
        tcase_add_test(tests, test_complete);
        tcase_add_loop_test(tests, test_refused, 0, G_N_ELEMENTS(refusals));
        tcase_add_loop_test(tests, test_leaves, 0, G_N_ELEMENTS(leavings));
        tcase_add_test(tests, test_leaves_stored);
        tcase_add_test(tests, test_update);
        tcase_add_loop_test(tests, test_update_controller, 0, 2);
        tcase_add_test(tests, test_update_in_place);
        tcase_add_loop_test(tests, test_update_bus, 0, 2);
        tcase_add_test(tests, test_update_short);
        tcase_add_test(tests, test_update_single);
        tcase_add_test(tests, test_comes_once);
        tcase_add_test(tests, test_comes_back);
        tcase_add_test(tests, test_refused_definable);
        tcase_add_test(tests, test_refused_undriven);
        tcase_add_test(tests, test_has_drive);
        tcase_add_test(tests, test_refused_before);
        suite_add_tcase(suite, tests);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
