/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What guests keep in files of the host, and what of the host's memory they ask for.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"
#include "tests/support/server.h"

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

/* A guest with more elements beside <devices>. Owned. */
static char *with_elements(const char *name, const char *elements)
{
        g_autofree char *xml = guest_bare_xml(name, NULL);
        g_auto(GStrv) parts = g_strsplit(xml, "<vcpu>", 2);

        return g_strdup_printf("%s%s<vcpu>%s", parts[0], elements, parts[1]);
}

static void start_fails(char *xml, const char *text)
{
        g_autofree char *path = guest_define(client, xml);

        client_fails(client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}

/* ---- memory ---- */

static char *get_memory_path(const char *guest)
{
        g_autofree char *file = g_strdup_printf("/proc/%d/cmdline", harness_find_guest(harness, guest));
        g_autofree char *line = NULL;
        const char *path = NULL;
        gsize length = 0;

        ck_assert(g_file_get_contents(file, &line, &length, NULL));
        for (gsize i = 0; i < length && !path; i++)
                path = g_str_has_prefix(line + i, "\"mem-path\":\"") ? line + i + strlen("\"mem-path\":\"")
                                                                     : NULL;
        ck_assert_ptr_nonnull(path);
        return g_strndup(path, strcspn(path, "\""));
}

/* Below the state directory, unless that is in memory itself. */
START_TEST(test_memory_in_files)
{
        g_autofree char *state = harness_path(harness, "state");
        g_autofree char *path = NULL, *dir = NULL;
        struct statfs fs;

        path = guest_start(client, with_elements("files", "<memoryBacking><source type='file'/><access "
                                                          "mode='shared'/></memoryBacking>"));
        dir = get_memory_path("files");
        ck_assert_int_eq(statfs(state, &fs), 0);
        ck_assert(g_str_has_prefix(dir, fs.f_type == TMPFS_MAGIC ? "/var/tmp/virtbus-ram-" : state));
        ck_assert_int_eq(statfs(dir, &fs), 0);
        ck_assert_int_ne(fs.f_type, TMPFS_MAGIC);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* What the emulator would only fail to map. */
START_TEST(test_memory_that_is_not_there)
{
        start_fails(
                with_elements("odd",
                              "<memoryBacking><hugepages><page size='4096'/></hugepages></memoryBacking>"),
                "*domain 'odd' wants huge pages of 4096 KiB, which this host does not have (it has *");
        start_fails(with_elements("node", "<numatune><memory mode='strict' nodeset='777'/></numatune>"),
                    "*NUMA node 777, which this host does not have (it has 0*");
        if (access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) != 0)
                return harness_skip("no huge pages of 2 MiB");
        start_fails(with_elements("many", "<maxMemory slots='1' unit='TiB'>64</maxMemory>"
                                          "<memoryBacking><hugepages><page size='2' unit='MiB'/></hugepages>"
                                          "</memoryBacking><cpu><numa><cell id='0' cpus='0' memory='32' "
                                          "unit='TiB'/></numa></cpu>"),
                    "*needs 16777216 huge pages of 2048 KiB, and * are free: reserve more*");
}
END_TEST

/* Usual pages by another name. */
START_TEST(test_usual_pages)
{
        g_autofree char *elements = g_strdup_printf(
                "<memoryBacking><hugepages><page size='%ld' unit='b'/></hugepages></memoryBacking>",
                sysconf(_SC_PAGESIZE));
        g_autofree char *path = guest_start(client, with_elements("usual", elements));

        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* ---- variable stores ---- */

#define CODE "/usr/share/OVMF/OVMF_CODE_4M.fd"
#define VARS "/usr/share/OVMF/OVMF_VARS_4M.fd"

static bool has_firmware(void)
{
        if (access(CODE, R_OK) == 0 && access(VARS, R_OK) == 0)
                return true;
        harness_skip("no OVMF");
        return false;
}

/* A guest with UEFI; nvram: the element. Owned. */
static char *uefi_xml(const char *name, const char *nvram)
{
        g_autofree char *xml = guest_bare_xml(name, NULL);
        g_auto(GStrv) parts = g_strsplit(xml, "</os>", 2);

        return g_strdup_printf("%s<loader readonly='yes' type='pflash'>" CODE "</loader>%s</os>%s", parts[0],
                               nvram, parts[1]);
}

static char *uefi_xml_at(const char *name, const char *path)
{
        g_autofree char *nvram = g_strdup_printf("<nvram template='" VARS "'>%s</nvram>", path);

        return uefi_xml(name, nvram);
}

/* What the package brings is neither a guest's store nor removed as one. */
START_TEST(test_store_of_everybody)
{
        g_autofree char *path = NULL;

        if (!has_firmware())
                return;
        path = guest_define(client, uefi_xml("web", "<nvram>" VARS "</nvram>"));
        client_fails(client, LIBVIRT_ERROR, "*'" VARS "' is no guest's: * say <nvram template=*", path,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        /* No store: nobody is asked what is to become of it. */
        guest_do_flags(client, path, "Undefine", 0);
        ck_assert_int_eq(access(VARS, F_OK), 0);
}
END_TEST

/* One that is in use stays so whatever becomes of the agent, until its guest ends. */
START_TEST(test_store_in_use)
{
        g_autofree char *store = harness_path(harness, "shared_VARS.fd");
        g_autofree char *first = NULL, *second = NULL;

        if (!has_firmware())
                return;
        first = guest_start(client, uefi_xml_at("one", store));
        second = guest_define(client, uefi_xml_at("two", store));
        client_fails(client, LIBVIRT_ERROR, "*shared_VARS.fd' is in use by domain 'one', which runs: *",
                     second, DOMAIN_INTERFACE, "Create", "u", 0);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        client_fails(client, LIBVIRT_ERROR, "*is in use by domain 'one'*", second, DOMAIN_INTERFACE, "Create",
                     "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*is in use by domain 'one'*", second, DOMAIN_INTERFACE, "Create",
                     "u", 32);
        guest_do_flags(client, first, "Destroy", 0);
        guest_do_flags(client, second, "Create", 0);
        guest_do_flags(client, second, "Destroy", 0);
        ck_assert_int_eq(access(store, F_OK), 0);
}
END_TEST

/* A definition that goes while its guest runs takes its store along when the guest ends, if it says so. */
START_TEST(test_store_after_undefine)
{
        enum { REMOVE = 4, KEEP = 8 };
        g_autofree char *store = harness_path(harness, "own_VARS.fd");
        g_autofree char *path = NULL;

        if (!has_firmware())
                return;
        path = guest_start(client, uefi_xml_at("web", store));
        client_fails(client, LIBVIRT_ERROR, "*say whether to remove or to keep it", path, DOMAIN_INTERFACE,
                     "Undefine", "u", 0);
        guest_do_flags(client, path, "Undefine", KEEP);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_int_eq(access(store, F_OK), 0);

        g_free(path);
        path = guest_start(client, uefi_xml_at("web", store));
        guest_do_flags(client, path, "Undefine", REMOVE);
        ck_assert_int_eq(access(store, F_OK), 0);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_int_ne(access(store, F_OK), 0);
}
END_TEST

/* ... unless there is a definition again by then. */
START_TEST(test_store_after_second_thoughts)
{
        g_autofree char *store = harness_path(harness, "own_VARS.fd");
        g_autofree char *path = NULL, *xml = NULL, *again = NULL;

        if (!has_firmware())
                return;
        path = guest_start(client, uefi_xml_at("web", store));
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        guest_do_flags(client, path, "Undefine", 4);
        again = guest_define(client, g_steal_pointer(&xml));
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_int_eq(access(store, F_OK), 0);
}
END_TEST

/* On a server, which has to be there, and whose they stay. */
START_TEST(test_store_on_a_server)
{
        g_autofree char *store = harness_path(harness, "served_VARS.fd"), *copy = NULL, *nvram = NULL,
                        *path = NULL, *socket = harness_path(harness, "vars.sock");
        const char *argv[] = { "qemu-nbd", "-t", "-f", "raw", "-x", "vars", "-k", socket, store, NULL };
        gsize length;
        GPid pid;

        if (!has_firmware() || !server_is_installed("qemu-nbd"))
                return;
        ck_assert(g_file_get_contents(VARS, &copy, &length, NULL));
        ck_assert(g_file_set_contents(store, copy, (gssize)length, NULL));
        nvram = g_strdup_printf("<nvram type='network'><source protocol='nbd' name='vars'>"
                                "<host transport='unix' socket='%s'/></source></nvram>",
                                socket);
        path = guest_define(client, uefi_xml("served", nvram));
        client_fails(client, LIBVIRT_ERROR, "*of type 'network': only a file is made anew*", path,
                     DOMAIN_INTERFACE, "Create", "u", 32);
        client_fails(client, LIBVIRT_ERROR, "*vars.sock*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        pid = server_start(socket, argv);
        guest_do_flags(client, path, "Create", 0);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Undefine", 0);
        ck_assert_int_eq(access(store, F_OK), 0);
        server_end(pid);
}
END_TEST

/* What is no file of the host's is nobody's to remove. */
START_TEST(test_store_on_a_device_stays)
{
        enum { NVRAM = 4 };
        g_autofree char *device = harness_path(harness, "device"), *path = NULL,
                        *nvram = g_strdup_printf("<nvram type='block'><source dev='%s'/></nvram>", device);

        if (!has_firmware())
                return;
        ck_assert(g_file_set_contents(device, "variables", -1, NULL));
        path = guest_define(client, uefi_xml("stored", nvram));
        guest_do_flags(client, path, "Undefine", NVRAM);
        g_free(path);
        path = guest_define(client, uefi_xml("stored", nvram));
        guest_do_flags(client, path, "Undefine", 0);
        ck_assert_int_eq(access(device, F_OK), 0);
}
END_TEST

START_TEST(test_loader_without_store)
{
        g_autofree char *code = harness_path(harness, "my-firmware.fd"), *data = NULL, *xml = NULL;
        g_auto(GStrv) parts = NULL;
        gsize length;

        if (!has_firmware())
                return;
        ck_assert(g_file_get_contents(CODE, &data, &length, NULL));
        ck_assert(g_file_set_contents(code, data, (gssize)length, NULL));
        xml = uefi_xml("web", "");
        parts = g_strsplit(xml, CODE, 2);
        start_fails(g_strjoinv(code, parts), "*no variable store is known for the loader '*");
}
END_TEST

/* ---- TPM ---- */

/* The file of the harness that is named after the domain: format has %s for its uuid. Free it. */
static char *path_of_domain(const char *path, const char *format)
{
        g_autofree char *uuid = g_strdelimit(g_strdup(strrchr(path, '/') + 2), "_", '-');
        g_auto(GStrv) parts = g_strsplit(format, "%s", 2);
        g_autofree char *name = g_strjoinv(uuid, parts);

        return harness_path(harness, name);
}

#define TPM_STATE "state/qemu/tpm/%s/tpm2-00.permall"

static bool has_tpm_state(const char *path)
{
        g_autofree char *file = path_of_domain(path, TPM_STATE);

        return access(file, F_OK) == 0;
}

#define TPM(more) "<tpm model='tpm-crb'><backend type='emulator' version='2.0'" more "/></tpm>"

START_TEST(test_tpm_after_the_guest)
{
        enum { KEEP = 64 };
        g_autofree char *program = g_find_program_in_path("swtpm");
        g_autofree char *first = NULL, *second = NULL, *third = NULL, *fourth = NULL;
        g_autofree char *xml = guest_bare_xml("c", TPM("")),
                        *kept = guest_bare_xml("d", TPM(" persistent_state='yes'"));

        if (!program)
                return harness_skip("no swtpm");
        first = guest_start(client, guest_bare_xml("a", TPM("")));
        second = guest_start(client, guest_bare_xml("b", TPM("")));
        third = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", xml, 0);
        fourth = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainCreateXML", "su", kept, 0);
        guest_do_flags(client, first, "Undefine", 0);
        guest_do_flags(client, second, "Undefine", KEEP);
        ck_assert(has_tpm_state(first) && has_tpm_state(second) && has_tpm_state(third) &&
                  has_tpm_state(fourth));
        guest_do_flags(client, first, "Destroy", 0);
        guest_do_flags(client, second, "Destroy", 0);
        guest_do_flags(client, third, "Destroy", 0);
        guest_do_flags(client, fourth, "Destroy", 0);
        ck_assert(!has_tpm_state(first) && has_tpm_state(second) && !has_tpm_state(third) &&
                  has_tpm_state(fourth));
}
END_TEST

/* Who wants to know what is wrong with a TPM has to look where its program writes. */
START_TEST(test_damaged_tpm)
{
        g_autofree char *program = g_find_program_in_path("swtpm");
        g_autofree char *path = NULL, *state = NULL, *log = NULL, *text = NULL;

        if (!program)
                return harness_skip("no swtpm");
        path = guest_start(client, guest_bare_xml("web", TPM("")));
        guest_do_flags(client, path, "Destroy", 0);
        state = path_of_domain(path, TPM_STATE);
        ck_assert(g_file_set_contents(state, "no state of a TPM", -1, NULL));
        client_fails(client, LIBVIRT_ERROR,
                     "*see the log of swtpm, */swtpm-*.log; the TPM's state is in */tpm/*", path,
                     DOMAIN_INTERFACE, "Create", "u", 0);
        log = path_of_domain(path, "log/qemu/swtpm-%s.log");
        ck_assert(g_file_get_contents(log, &text, NULL, NULL));
        ck_assert_ptr_nonnull(strstr(text, "swtpm"));
        ck_assert_uint_eq(harness_count_guests(harness), 0);
}
END_TEST

/* ---- files that devices write to ---- */

static char *serial_xml(const char *name, const char *file, const char *attributes)
{
        g_autofree char *serial = g_strdup_printf("<serial type='file'><source path='%s'%s/></serial>"
                                                  "<channel type='null'><target type='virtio' name='x'/>"
                                                  "<log file='%s.log'/></channel>",
                                                  file, attributes, file);

        return guest_bare_xml(name, serial);
}

static gsize get_size(const char *path)
{
        struct stat st;

        ck_assert_int_eq(stat(path, &st), 0);
        return (gsize)st.st_size;
}

/* The emulator gets them open: it need not even be able to enter their folder. */
START_TEST(test_files_of_devices)
{
        g_autofree char *folder = harness_path(harness, "rootonly"), *path = NULL;
        g_autofree char *file = g_build_filename(folder, "s.txt", NULL),
                        *log = g_strconcat(file, ".log", NULL);
        struct stat before, after;

        ck_assert_int_eq(mkdir(folder, 0700), 0);
        ck_assert(g_file_set_contents(file, "before", -1, NULL));
        ck_assert_int_eq(stat(file, &before), 0);
        path = guest_start(client, serial_xml("web", file, " append='on'"));
        ck_assert(harness_has_open(harness_find_guest(harness, "web"), file));
        ck_assert(harness_has_open(harness_find_guest(harness, "web"), log));
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert_uint_ge(get_size(file), strlen("before"));
        ck_assert_int_eq(stat(file, &after), 0);
        ck_assert_uint_eq(after.st_uid, before.st_uid);
        ck_assert(g_file_set_contents(log, "before", -1, NULL));
        guest_do_flags(client, path, "Create", 0);
        ck_assert_uint_lt(get_size(log), strlen("before"));
}
END_TEST

/* Nothing stays behind a start that failed but what was there, or what says why. */
START_TEST(test_files_after_a_failure)
{
        g_autofree char *file = harness_path(harness, "s.txt"), *log = g_strconcat(file, ".log", NULL);
        g_autofree char *xml = serial_xml("web", file, ""), *end = NULL;
        g_auto(GStrv) parts = g_strsplit(xml, "</domain>", 2);

        end = g_strconcat(parts[0],
                          "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
                          "<q:arg value='-device'/><q:arg value='no-such-device'/></q:commandline></domain>",
                          NULL);
        ck_assert(g_file_set_contents(log, "", -1, NULL));
        start_fails(g_steal_pointer(&end), "*no-such-device*");
        ck_assert_int_ne(access(file, F_OK), 0);
        ck_assert_int_eq(access(log, F_OK), 0);
}
END_TEST

/* ---- what is not there ---- */

/* A guest starts without what startupPolicy='optional' says, and has it again when it is there. */
START_TEST(test_optional)
{
        g_autofree char *image = harness_path(harness, "data.img"), *path = NULL, *text = NULL;
        g_autofree char *devices = g_strdup_printf(
                "<disk type='file' device='disk'><source file='%s' startupPolicy='optional'/>"
                "<target dev='vdb' bus='virtio'/></disk>"
                "<disk type='file' device='cdrom'><source file='%s.iso' startupPolicy='optional'/>"
                "<target dev='sda' bus='sata'/></disk>"
                "<disk type='volume' device='disk'><source pool='none' volume='none' "
                "startupPolicy='optional'/>"
                "<target dev='vdc' bus='virtio'/></disk>"
                "<controller type='usb' model='qemu-xhci' index='0'/>"
                "<hostdev mode='subsystem' type='usb'><source startupPolicy='optional' missing='yes'>"
                "<vendor id='0xfffe'/><product id='0xfffd'/></source></hostdev>",
                image, image);
        g_autofree char *xml = guest_bare_xml("web", devices), *stored = NULL;
        g_auto(GStrv) parts = g_strsplit(xml, "<controller type='usb' model='none'/>", 2);

        path = guest_define(client, g_strjoinv("", parts));
        stored = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 2);
        ck_assert(!strstr(stored, "missing="));
        guest_do_flags(client, path, "Create", 0);
        text = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert(!strstr(text, "'vdb'") && !strstr(text, "'vdc'") && !strstr(text, "data.img"));
        ck_assert(strstr(text, "'sda'") && strstr(text, "missing='yes'"));
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(g_file_set_contents(image, "", 0, NULL));
        ck_assert_int_eq(truncate(image, 1 << 20), 0);
        guest_do_flags(client, path, "Create", 0);
        g_free(text);
        text = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert(strstr(text, "'vdb'") && strstr(text, "data.img"));
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

/* startupPolicy='requisite': a boot misses the medium, a guest that goes on does without. */
START_TEST(test_requisite)
{
        g_autofree char *image = harness_path(harness, "data.iso"), *save = harness_path(harness, "web.save"),
                        *path = NULL, *text = NULL, *devices = NULL;

        devices = g_strdup_printf(
                "<disk type='file' device='cdrom'><source file='%s' startupPolicy='requisite'/>"
                "<target dev='sda' bus='sata'/></disk>",
                image);
        path = guest_define(client, guest_bare_xml("web", devices));
        client_fails(client, LIBVIRT_ERROR, "*data.iso*", path, DOMAIN_INTERFACE, "Create", "u", 0);
        ck_assert(g_file_set_contents(image, "", 0, NULL));
        ck_assert_int_eq(truncate(image, 1 << 20), 0);
        guest_do_flags(client, path, "Create", 0);
        client_do(client, path, DOMAIN_INTERFACE, "Save", "ssu", save, "", 0);
        ck_assert_int_eq(unlink(image), 0);
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", save, "", 0);
        text = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_msg(strstr(text, "'sda'") && !strstr(text, "data.iso"), "%s", text);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("files");
        TCase *tcase = tcase_create("files");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_memory_in_files);
        tcase_add_test(tcase, test_memory_that_is_not_there);
        tcase_add_test(tcase, test_usual_pages);
        tcase_add_test(tcase, test_store_of_everybody);
        tcase_add_test(tcase, test_store_in_use);
        tcase_add_test(tcase, test_store_after_undefine);
        tcase_add_test(tcase, test_store_after_second_thoughts);
        tcase_add_test(tcase, test_store_on_a_server);
        tcase_add_test(tcase, test_store_on_a_device_stays);
        tcase_add_test(tcase, test_loader_without_store);
        tcase_add_test(tcase, test_tpm_after_the_guest);
        tcase_add_test(tcase, test_optional);
        tcase_add_test(tcase, test_requisite);
        tcase_add_test(tcase, test_damaged_tpm);
        tcase_add_test(tcase, test_files_of_devices);
        tcase_add_test(tcase, test_files_after_a_failure);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
