/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's document about a guest that runs: what becomes of it here, and which guests cannot be adopted.
 */
#include "drivers/qemu/adopt.h"

#include "drivers/qemu/status.h"
#include "tests/unit/check-main.h"

#include <string.h>

#define UUID "5a1ee2c4-7d0f-4a6c-9a51-0d8d3a1b2c3d"

#define STATUS(attributes, monitor, more, id, devices)                                                       \
        "<domstatus " attributes ">" monitor more "<domain type='kvm' " id "><name>web</name><uuid>" UUID    \
        "</uuid><memory>65536</memory><os><type>hvm</type><kernel>/boot/kernel</kernel>"                     \
        "<nvram>/nvram/web.fd</nvram></os><devices>" devices "</devices></domain></domstatus>"
#define RUNS            "state='running' reason='booted' pid='812'"
#define MONITOR         "<monitor path='/run/mon.sock' type='unix'/>"
#define WITH(devices)   STATUS(RUNS, MONITOR, "<job async='none'/><blockjobs active='no'/>", "id='3'", devices)
#define WITH_MORE(more) STATUS(RUNS, MONITOR, more, "id='3'", "")
#define PCI(bus, managed)                                                                                    \
        "<hostdev mode='subsystem' type='pci' managed='" managed                                             \
        "'><source><address domain='0x0000' bus='" bus                                                       \
        "' slot='0x1f' function='0x7'/></source><alias name='hostdev0'/></hostdev>"

static struct adoption *parse(const char *text)
{
        g_autoptr(GError) error = NULL;
        struct adoption *adoption = adoption_parse(text, &error);

        ck_assert_msg(adoption != NULL, "%s", error ? error->message : "no error");
        return adoption;
}

static void refuse(const char *text, const char *why)
{
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(adoption_parse(text, &error));
        ck_assert_ptr_nonnull(error);
        ck_assert_msg(strstr(error->message, why) != NULL, "'%s' is not in: %s", why, error->message);
}

static void expect_text(const struct adoption *adoption, const char *text, bool there)
{
        ck_assert_msg((strstr(adoption->status->xml, text) != NULL) == there, "'%s' in %s", text,
                      adoption->status->xml);
}

static void expect_file(const struct adoption *adoption, unsigned nth, const char *alias, const char *path)
{
        const struct adoption_file *file = g_ptr_array_index(adoption->files, nth);

        ck_assert_uint_lt(nth, adoption->files->len);
        ck_assert_str_eq(file->path, path);
        ck_assert_int_eq(g_strcmp0(file->alias, alias), 0);
}

START_TEST(who_it_is)
{
        CLEANUP(adoption_free) struct adoption *adoption = parse(WITH(""));
        CLEANUP(adoption_free)
        struct adoption *paused =
                parse(STATUS("state='paused' reason='user' pid='812'", MONITOR, "", "id='3'", ""));
        char uuid[UUID_STRING_LENGTH + 1];

        uuid_format(adoption_get_uuid(adoption), uuid);
        ck_assert_str_eq(uuid, UUID);
        ck_assert_str_eq(adoption_get_name(adoption), "web");
        ck_assert_int_eq(adoption_get_pid(adoption), 812);
        ck_assert_int_eq(adoption->status->id, 3);
        ck_assert_str_eq(adoption->status->monitor, "/run/mon.sock");
        ck_assert_int_eq(adoption->status->state, DOMAIN_RUNNING);
        ck_assert_int_eq(adoption->status->reason, DOMAIN_RUNNING_UNKNOWN);
        ck_assert_int_eq(paused->status->state, DOMAIN_PAUSED);
        ck_assert_int_eq(paused->status->reason, DOMAIN_PAUSED_USER);
        ck_assert(!adoption->has_own_dev && !adoption->is_here);
        expect_file(adoption, 0, NULL, "/boot/kernel");
        expect_file(adoption, 1, NULL, "/nvram/web.fd");
        ck_assert_uint_eq(adoption->files->len, 2);
}
END_TEST

START_TEST(what_only_libvirt_needs_is_left_out)
{
        CLEANUP(adoption_free)
        struct adoption *adoption =
                parse(STATUS(RUNS, MONITOR, "<namespaces><mount/></namespaces>", "id='3'",
                             "<graphics type='vnc' websocketGenerated='yes' port='5900'/>"
                             "<disk type='file' device='disk'><privateData><qom name='/x'/></privateData>"
                             "<driver name='qemu'/><target dev='vda'/></disk>"));

        ck_assert(adoption->has_own_dev);
        expect_text(adoption, "privateData", false);
        expect_text(adoption, "websocketGenerated", false);
        expect_text(adoption, "port='5900'", true);
        expect_text(adoption, "type='raw'", true);
        expect_text(adoption, "domstatus", false);
}
END_TEST

/* Whose they were is looked up later: of the whole chain. */
START_TEST(images)
{
        CLEANUP(adoption_free)
        struct adoption *adoption = parse(WITH(
                "<disk type='file'><driver type='qcow2'/><source file='/a.qcow2'/><backingStore type='file'>"
                "<source file='/b.qcow2'/><backingStore type='block'><source dev='/dev/c'/></backingStore>"
                "</backingStore><alias name='virtio-disk0'/></disk>"
                "<disk type='network'><source protocol='nbd' name='x'/><alias name='virtio-disk1'/></disk>"));

        expect_file(adoption, 0, "virtio-disk0", "/a.qcow2");
        expect_file(adoption, 1, "virtio-disk0", "/b.qcow2");
        expect_file(adoption, 2, "virtio-disk0", "/dev/c");
        expect_file(adoption, 3, NULL, "/boot/kernel");
        ck_assert_uint_eq(adoption->files->len, 5);
}
END_TEST

START_TEST(interfaces)
{
        CLEANUP(adoption_free)
        struct adoption *adoption = parse(
                WITH("<interface type='network'><source network='default' portid='p'/>"
                     "<actual type='network'><source bridge='virbr0'/></actual>"
                     "<target dev='vnet0'/><alias name='net0'/></interface>"
                     "<interface type='network'><source network='lan'/><actual type='direct'>"
                     "<source dev='eth1' mode='vepa'/></actual><target dev='macvtap0'/><alias name='net1'/>"
                     "</interface>"));
        const struct status_link *link;

        expect_text(adoption, "<actual", false);
        expect_text(adoption, "bridge='virbr0'", true);
        expect_text(adoption, "<interface type='direct'>", true);
        expect_text(adoption, "mode='vepa'", true);
        ck_assert_uint_eq(adoption->status->links->len, 1);
        link = g_ptr_array_index(adoption->status->links, 0);
        ck_assert_str_eq(link->alias, "net1");
        ck_assert_str_eq(link->name, "macvtap0");
        ck_assert_str_eq(link->lower, "eth1");
        refuse(WITH("<interface type='hostdev' managed='yes'/>"), "is a device of the host");
        refuse(WITH("<interface type='network'><source network='vf'/><actual type='hostdev'/></interface>"),
               "is a device of the host");
}
END_TEST

/* Those that libvirt has taken from their drivers go back there. */
START_TEST(host_devices)
{
        CLEANUP(adoption_free) struct adoption *managed = parse(WITH(PCI("0x3b", "yes")));
        CLEANUP(adoption_free) struct adoption *unmanaged = parse(WITH(PCI("0x3b", "no")));
        const struct status_pci *pci;

        ck_assert_uint_eq(managed->status->pci->len, 1);
        pci = g_ptr_array_index(managed->status->pci, 0);
        ck_assert_str_eq(pci->alias, "hostdev0");
        ck_assert_str_eq(pci->address, "0000:3b:1f.7");
        ck_assert_uint_eq(unmanaged->status->pci->len, 0);
        refuse(WITH(PCI("0x100", "yes")), "invalid PCI address");
        refuse(WITH(PCI("here", "yes")), "bus");
}
END_TEST

/* Its profile was made by libvirt: it is kept, and never made anew. The owner is our own matter. */
START_TEST(labels)
{
        CLEANUP(adoption_free)
        struct adoption *adoption = parse(
                "<domstatus " RUNS ">" MONITOR "<domain id='3'><name>web</name><uuid>" UUID "</uuid>"
                "<seclabel type='dynamic' model='apparmor' relabel='yes'><label>l</label></seclabel>"
                "<seclabel type='dynamic' model='dac' relabel='yes'><label>+64055:+108</label></seclabel>"
                "<seclabel type='none' model='selinux'/></domain></domstatus>");

        expect_text(adoption, "<seclabel type='static' model='apparmor' relabel='no'>", true);
        expect_text(adoption, "<seclabel type='dynamic' model='dac' relabel='yes'>", true);
        expect_text(adoption, "<seclabel type='none' model='selinux'/>", true);
        ck_assert_uint_eq(adoption->confinement->len, 1);
        ck_assert_str_eq(g_ptr_array_index(adoption->confinement, 0), "apparmor");
}
END_TEST

START_TEST(who_stays_libvirts)
{
        refuse("<domstatus", "");
        refuse("<domain/>", "domstatus");
        refuse("<domstatus " RUNS ">" MONITOR "</domstatus>", "missing <domain>");
        refuse(STATUS("state='shutoff' pid='812'", MONITOR, "", "id='3'", ""), "state 'shutoff'");
        refuse(STATUS("pid='812'", MONITOR, "", "id='3'", ""), "neither runs nor is paused");
        refuse(STATUS("state='running' pid='1'", MONITOR, "", "id='3'", ""), "invalid pid or id");
        refuse(STATUS("state='running' pid='-812'", MONITOR, "", "id='3'", ""), "invalid pid or id");
        refuse(STATUS("state='running' pid='99999999999'", MONITOR, "", "id='3'", ""), "pid");
        refuse(STATUS(RUNS, MONITOR, "", "id='0'", ""), "invalid pid or id");
        refuse(STATUS(RUNS, "", "", "id='3'", ""), "its monitor is no socket");
        refuse(STATUS(RUNS, "<monitor path='mon.sock' type='unix'/>", "", "id='3'", ""),
               "its monitor is no socket");
        refuse(STATUS(RUNS, "<monitor path='/dev/pts/1' type='pty'/>", "", "id='3'", ""),
               "its monitor is no socket");
        refuse(WITH_MORE("<job async='migration out'/>"), "('migration out')");
        refuse(WITH_MORE("<blockjobs active='yes'/>"), "one of its disks");
        refuse(WITH("<tpm><backend type='emulator'/></tpm>"), "its TPM");
        adoption_free(parse(WITH("<tpm><backend type='passthrough'/></tpm>")));
}
END_TEST

CHECK_MAIN("qemu-adopt", who_it_is, what_only_libvirt_needs_is_left_out, images, interfaces, host_devices,
           labels, who_stays_libvirts)
