/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a libvirtd has left behind is taken over: its files, good and bad ones, and what the agent makes of
 * them. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/import.h"

#define UUID        "11111111-2222-3333-4444-555555555555"
#define SECRET_UUID "21111111-2222-3333-4444-555555555555"
#define SECRET      QEMU_PATH "/secret/_21111111_2222_3333_4444_555555555555"
#define COMMENT     "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n  virsh edit web\n-->\n\n"

static struct harness *harness;
static struct client *client;

static void set_up(void)
{
        harness = harness_new_bus();
        client = harness_get_client(harness);
}

static void tear_down(void)
{
        harness_free(harness);
}

/* ---- libvirt's files ---- */

static void put_link(const char *below, const char *target)
{
        g_autofree char *path = import_path(harness, below), *dir = g_path_get_dirname(path);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert_int_eq(symlink(target, path), 0);
}

static char *domain_xml(const char *name, const char *uuid, unsigned mib, const char *os, const char *devices)
{
        return g_strdup_printf(COMMENT "<domain type='qemu'>\n  <name>%s</name>\n  <uuid>%s</uuid>\n"
                                       "  <memory unit='MiB'>%u</memory>\n  <vcpu>1</vcpu>\n"
                                       "  <os><type arch='x86_64' machine='q35'>hvm</type>%s</os>\n"
                                       "  <features><acpi/></features>\n  <devices>%s</devices>\n</domain>\n",
                               name, uuid, mib, os, devices);
}

static void put_domain(const char *name, const char *uuid, unsigned mib)
{
        g_autofree char *file = g_strdup_printf("etc/libvirt/qemu/%s.xml", name);
        g_autofree char *xml = domain_xml(name, uuid, mib, "", "");

        import_put(harness, file, xml, -1);
}

static void put_host(void)
{
        g_autofree char *xml =
                domain_xml("web", UUID, 64,
                           "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
                           "<nvram>/var/lib/libvirt/qemu/nvram/web_VARS.fd</nvram>",
                           "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>");

        import_put(harness, "etc/libvirt/qemu/web.xml", xml, -1);
        put_link("etc/libvirt/qemu/autostart/web.xml", "/etc/libvirt/qemu/web.xml");
        import_put(harness, "etc/libvirt/qemu/networks/lan.xml",
                   COMMENT "<network><name>lan</name><uuid>31111111-2222-3333-4444-555555555555</uuid>"
                           "<forward mode='nat'/><bridge name='virbr77' stp='on' delay='0'/>"
                           "<ip address='192.168.177.1' netmask='255.255.255.0'/></network>",
                   -1);
        import_put(harness, "etc/libvirt/storage/images.xml",
                   COMMENT
                   "<pool type='dir'><name>images</name><uuid>41111111-2222-3333-4444-555555555555</uuid>"
                   "<capacity unit='bytes'>0</capacity><source></source>"
                   "<target><path>/nowhere</path></target></pool>",
                   -1);
        import_put(harness, "etc/libvirt/secrets/" SECRET_UUID ".xml",
                   COMMENT "<secret ephemeral='no' private='no'><uuid>" SECRET_UUID "</uuid>"
                           "<usage type='volume'><volume>safe</volume></usage></secret>",
                   -1);
        import_put(harness, "etc/libvirt/secrets/" SECRET_UUID ".base64", "c2VzYW1l", -1);
        import_put(
                harness, "etc/libvirt/nwfilter/mine.xml",
                COMMENT
                "<filter name='mine' chain='root'><uuid>51111111-2222-3333-4444-555555555555</uuid></filter>",
                -1);
        import_put(harness, "etc/libvirt/qemu.conf",
                   "#user = \"a\"\nuser = \"libvirt-qemu\"\nvnc_listen = \"0.0.0.0\"\n", -1);
        import_put(harness, "etc/libvirt/hooks/qemu", "#!/bin/sh\n", -1);
        import_put(harness, "etc/libvirt/lxc/box.xml", "<domain/>", -1);
        import_put(harness, "var/lib/libvirt/swtpm/" UUID "/tpm2/tpm2-00.permall", "a TPM", -1);
        import_put(harness, "var/lib/libvirt/qemu/save/web.save", "memory", -1);
        import_put(harness, "var/lib/libvirt/qemu/snapshot/web/one.xml", "<domainsnapshot/>", -1);
}

/* ---- what it says ---- */

static void expect_no(const char *output, const char *text)
{
        ck_assert_msg(!strstr(output, text), "'%s' is in:%s", text, output);
}

static unsigned get_max_memory(const char *name)
{
        g_autofree char *path =
                client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", name);
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        const char *memory = strstr(xml, "<memory unit='KiB'>");

        ck_assert_ptr_nonnull(memory);
        return (unsigned)g_ascii_strtoull(memory + strlen("<memory unit='KiB'>"), NULL, 10);
}

START_TEST(test_all_of_it_and_once)
{
        g_autofree char *first = NULL, *second = NULL, *third = NULL, *path = NULL, *state = NULL,
                        *tpm = NULL;
        g_autofree char *copy = harness_path(harness, "state/qemu/tpm/" UUID "/tpm2-00.permall"),
                        *saved = harness_path(harness, "state/qemu/save/" UUID ".save"), *save = NULL;

        put_host();
        first = import_run(harness, 0);
        import_expect_line(first, "domain 'web': taken");
        import_expect_line(first, "domain 'web': is started at boot");
        import_expect_line(first,
                           "domain 'web': its variables stay in /var/lib/libvirt/qemu/nvram/web_VARS.fd");
        import_expect_line(first, "domain 'web': the state of its TPM is taken, a copy of ");
        import_expect_line(first, "domain 'web': its managed save is taken, a copy of ");
        import_expect_line(first, "domain 'web': its snapshots are not taken");
        import_expect_line(first, "network 'lan': taken");
        import_expect_line(first, "storage pool 'images': taken");
        import_expect_line(first, "secret '" SECRET_UUID "': taken");
        import_expect_line(first, "secret '" SECRET_UUID "': its value is taken");
        import_expect_line(first, "nwfilter 'mine': taken");
        import_expect_line(first,
                           "qemu.conf, line 2: not taken: user = \"libvirt-qemu\" (see user= and group=");
        import_expect_line(first, "qemu.conf, line 3: not taken: vnc_listen");
        import_expect_line(first, "hooks/qemu: not taken: ");
        import_expect_line(first, "lxc/box.xml: not taken: ");
        import_expect_line(first, "5 taken, 0 not taken");
        expect_no(first, "c2VzYW1l");
        expect_no(first, "sesame");
        ck_assert(g_file_get_contents(copy, &tpm, NULL, NULL));
        ck_assert_str_eq(tpm, "a TPM");
        ck_assert(g_file_get_contents(saved, &save, NULL, NULL));
        ck_assert_str_eq(save, "memory");
        /* What is here is not touched, although it is another there by now. */
        put_domain("web", UUID, 128);
        second = import_run(harness, 0);
        import_expect_line(second, "domain 'web': already here\n");
        import_expect_line(second, "network 'lan': already here\n");
        import_expect_line(second, "storage pool 'images': already here\n");
        import_expect_line(second, "secret '" SECRET_UUID "': already here\n");
        import_expect_line(second, "nwfilter 'mine': already here\n");
        import_expect_line(second, "0 taken, 0 not taken");
        put_domain("web", "61111111-2222-3333-4444-555555555555", 128);
        third = import_run(harness, 0);
        import_expect_line(third, "domain 'web': already here, by that name and with the UUID " UUID);
        harness_start_agent(harness);
        ck_assert_uint_eq(get_max_memory("web"), 64 * 1024);
        path = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainLookupByName", "s", "web");
        ck_assert(client_get_bool(client, path, DOMAIN_INTERFACE, "Autostart"));
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkLookupByName", "s", "lan");
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "StoragePoolLookupByName", "s", "images");
        client_do(client, SECRET, "org.libvirt.Secret", "GetValue", "u", 0);
        client_do(client, path, DOMAIN_INTERFACE, "ManagedSaveRemove", "u", 0);
}
END_TEST

START_TEST(test_files_that_are_bad)
{
        g_autofree char *good = domain_xml("linked", "71111111-2222-3333-4444-555555555555", 64, "", "");
        g_autofree char *huge = g_strnfill(2 * 1024 * 1024, ' '), *fifo = NULL, *dir = NULL, *output = NULL;
        g_autofree char *tpm =
                domain_xml("tpm", "91111111-2222-3333-4444-555555555555", 64, "",
                           "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>");

        put_domain("web", UUID, 64);
        import_put(harness, "elsewhere.xml", good, -1);
        import_put(harness, "etc/libvirt/qemu/cut.xml", good, (gssize)strlen(good) / 2);
        import_put(harness, "etc/libvirt/qemu/empty.xml", "", 0);
        import_put(harness, "etc/libvirt/qemu/huge.xml", huge, -1);
        import_put(harness, "etc/libvirt/qemu/zero.xml", "<domain>\0</domain>", 18);
        import_put(harness, "etc/libvirt/qemu/other.xml", "<network><name>n</name></network>", -1);
        import_put(harness, "etc/libvirt/qemu/bomb.xml",
                   "<!DOCTYPE d [<!ENTITY a 'b'>]><domain><name>&a;</name></domain>", -1);
        import_put(harness, "etc/libvirt/qemu/up.xml", "<domain type='qemu'><name>../../run</name></domain>",
                   -1);
        import_put(harness, "etc/libvirt/qemu/new\nline.xml", "<domain", -1);
        put_link("etc/libvirt/qemu/link.xml", "../../../elsewhere.xml");
        fifo = import_path(harness, "etc/libvirt/qemu/fifo.xml");
        ck_assert_int_eq(mkfifo(fifo, 0600), 0);
        dir = import_path(harness, "etc/libvirt/qemu/dir.xml");
        ck_assert_int_eq(mkdir(dir, 0755), 0);
        import_put(harness, "etc/libvirt/qemu/tpm.xml", tpm, -1);
        import_put(harness, "secret", "not yours", -1);
        put_link("var/lib/libvirt/swtpm/91111111-2222-3333-4444-555555555555/tpm2/tpm2-00.permall",
                 "/etc/shadow");
        output = import_run(harness, 1);
        import_expect_line(output, "domain 'web': taken");
        import_expect_line(output, "domain 'tpm': taken");
        import_expect_line(output, "domain 'tpm': the state of its TPM is not taken: ");
        import_expect_line(output, "domain 'cut.xml': not taken: ");
        import_expect_line(output, "domain 'empty.xml': not taken: ");
        import_expect_line(output, "domain 'huge.xml': not taken: ");
        import_expect_line(output, "domain 'zero.xml': not taken: ");
        import_expect_line(output, "domain 'other.xml': not taken: ");
        import_expect_line(output, "domain 'bomb.xml': not taken: ");
        import_expect_line(output, "domain '../../run': not taken: ");
        import_expect_line(output, "domain 'new?line.xml': not taken: ");
        import_expect_line(output, "domain 'link.xml': not taken: ");
        import_expect_line(output, "domain 'fifo.xml': not taken: ");
        import_expect_line(output, "domain 'dir.xml': not taken: ");
        import_expect_line(output, "2 taken, 12 not taken");
}
END_TEST

START_TEST(test_not_beside_an_agent)
{
        g_autofree char *output = NULL;

        put_domain("web", UUID, 64);
        harness_start_agent(harness);
        output = import_run(harness, 1);
        expect_no(output, "taken");
        client_fails(client, LIBVIRT_ERROR, "Domain not found*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainLookupByName", "s", "web");
}
END_TEST

START_TEST(test_a_guest_that_runs_is_left)
{
        g_autofree char *pid = g_strdup_printf("%d\n", (int)getpid()), *first = NULL, *second = NULL;

        put_domain("web", UUID, 64);
        import_put(harness, "run/libvirt/qemu/web.pid", pid, -1);
        first = import_run(harness, 1);
        import_expect_line(first, "domain 'web': not taken: it runs under libvirt (process ");
        import_put(harness, "run/libvirt/qemu/web.pid", "2147483646\n", -1);
        second = import_run(harness, 0);
        import_expect_line(second, "domain 'web': taken");
}
END_TEST

START_TEST(test_nothing_there)
{
        g_autofree char *output = import_run(harness, 1);

        ck_assert_ptr_nonnull(strstr(output, "there is no directory of libvirt's at "));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("import");
        TCase *tcase = tcase_create("import");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_all_of_it_and_once);
        tcase_add_test(tcase, test_files_that_are_bad);
        tcase_add_test(tcase, test_not_beside_an_agent);
        tcase_add_test(tcase, test_a_guest_that_runs_is_left);
        tcase_add_test(tcase, test_nothing_there);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
