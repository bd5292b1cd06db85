/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The administrator's programs that are told of guests, and what becomes of guests at their events.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

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

static void write_file(const char *path, const char *text, mode_t mode)
{
        g_autofree char *dir = g_path_get_dirname(path);

        ck_assert_int_eq(g_mkdir_with_parents(dir, 0755), 0);
        ck_assert(g_file_set_contents(path, text, -1, NULL));
        ck_assert_int_eq(chmod(path, mode), 0);
}

/*
 * hooks/<name> notes what it is called with, and what its input begins with, in the file "told"; then it does
 * what the file "<operation>" says, if there is one.
 */
static void install_hook(const char *name)
{
        g_autofree char *below = g_strconcat("hooks/", name, NULL), *path = harness_path(harness, below);
        g_autofree char *script = g_strdup_printf(
                "#!/bin/sh\ncd %s\nread -r first rest\necho \"$(basename \"$0\") $* $first\" >>told\n"
                "grep -q passwd= && echo 'has been told a password' >>told\n"
                "if [ -e \"$2\" ]; then . \"./$2\"; fi\n",
                harness_get_root(harness));

        write_file(path, script, 0755);
}

static char *read_told(void)
{
        g_autofree char *path = harness_path(harness, "told");
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

static bool has_been_told(void *data)
{
        g_autofree char *told = read_told();

        return strstr(told, data) != NULL;
}

static void wait_told(const char *text)
{
        harness_wait_until(has_been_told, (void *)text, text);
}

#define DISPLAY "<graphics type='vnc' passwd='hush'><listen type='none'/></graphics>"

/* A display's password is nobody's business: hooks write down what they are told. */
START_TEST(test_told)
{
        g_autofree char *path = guest_define(client, guest_bare_xml("web", DISPLAY)), *told = NULL;
        g_autofree char *useless = harness_path(harness, "hooks/qemu.d/50-text");

        install_hook("qemu");
        install_hook("qemu.d/20-second");
        install_hook("qemu.d/10-first");
        write_file(useless, "no program\n", 0644);
        guest_do_flags(client, path, "Create", 0);
        told = read_told();
        ck_assert_str_eq(told, "qemu web prepare begin - <domain\n10-first web prepare begin - <domain\n"
                               "20-second web prepare begin - <domain\nqemu web start begin - <domain\n"
                               "10-first web start begin - <domain\n20-second web start begin - <domain\n"
                               "qemu web started begin - <domain\n10-first web started begin - <domain\n"
                               "20-second web started begin - <domain\n");
        guest_do_flags(client, path, "Destroy", 0);
        wait_told("qemu web stopped end - <domain\n10-first web stopped end - <domain\n"
                  "20-second web stopped end - <domain\nqemu web release end - <domain\n"
                  "10-first web release end - <domain\n20-second web release end - <domain\n");
        ck_assert(!has_been_told((void *)"password"));
}
END_TEST

/* What the agent has in its environment is not everybody's. */
START_TEST(test_environment)
{
        static const char *const names[] = { "HOME=", "LD_LIBRARY_PATH=", "LD_PRELOAD=", "LOGNAME=",
                                             "PATH=", "TMPDIR=",          "USER=",       "LC_ALL=" };
        g_autofree char *path = NULL, *prepare = NULL, *given = NULL;
        g_auto(GStrv) lines = NULL;

        g_setenv("CREDENTIALS_DIRECTORY", "/nowhere", TRUE);
        g_setenv("HOME", "/home/agent", TRUE);
        g_setenv("LC_ALL", "en_US.UTF-8", TRUE);
        /* An agent has what its harness was made with. */
        tear_down();
        set_up();
        g_free(prepare);
        prepare = harness_path(harness, "prepare");
        install_hook("qemu");
        write_file(prepare, "tr '\\0' '\\n' </proc/$$/environ >environment\n", 0644);
        path = guest_start(client, guest_bare_xml("web", NULL));
        g_free(prepare);
        prepare = harness_path(harness, "environment");
        ck_assert(g_file_get_contents(prepare, &given, NULL, NULL));
        ck_assert_msg(strstr(given, "HOME=/home/agent\n") && strstr(given, "LC_ALL=C\n"), "%s", given);
        lines = g_strsplit(given, "\n", -1);
        for (unsigned i = 0; lines[i] && *lines[i]; i++) {
                unsigned known = 0;

                while (known < G_N_ELEMENTS(names) && !g_str_has_prefix(lines[i], names[known]))
                        known++;
                ck_assert_msg(known < G_N_ELEMENTS(names), "%s", lines[i]);
        }
}
END_TEST

/* An agent that finds a guest says so; nobody refuses it then. */
START_TEST(test_reconnect)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", DISPLAY));
        g_autofree char *reconnect = harness_path(harness, "reconnect");

        install_hook("qemu");
        write_file(reconnect, "exit 1\n", 0644);
        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        wait_told("qemu web reconnect begin - <domain\n");
        guest_expect_state(client, path, STATE_RUNNING, -1);
        guest_do_flags(client, path, "Destroy", 0);
        wait_told("qemu web stopped end - <domain\nqemu web release end - <domain\n");
        ck_assert(!has_been_told((void *)"password"));
}
END_TEST

/* The program is called as emulators are. */
static bool is_nobody_left(void *data)
{
        return harness_count_guests(harness) == 0;
}

static const char *const refused[] = { "prepare", "start", "started" };

START_TEST(test_refusal)
{
        g_autofree char *path = guest_define(client, guest_bare_xml("web", NULL));
        g_autofree char *file = harness_path(harness, refused[_i]);
        g_autofree char *text = g_strdup_printf(
                "Hook script execution failed: *qemu' at '%s' of domain 'web': *not today*", refused[_i]);

        install_hook("qemu");
        write_file(file, "echo 'not today' >&2; exit 1\n", 0644);
        client_fails(client, LIBVIRT_ERROR, text, path, DOMAIN_INTERFACE, "Create", "u", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, SHUTOFF_FAILED);
        wait_told("qemu web release end - <domain\n");
        harness_wait_until(is_nobody_left, NULL, "no emulator is left");
        ck_assert_int_eq(unlink(file), 0);
        guest_do_flags(client, path, "Create", 0);
}
END_TEST

/* A program that does not end holds up a start, and no Destroy. */
START_TEST(test_hang)
{
        g_autofree char *path = guest_define(client, guest_bare_xml("web", NULL));
        g_autofree char *start = harness_path(harness, "start"), *stopped = harness_path(harness, "stopped");
        struct client_answer answer = { 0 };

        install_hook("qemu");
        write_file(start, "exec sleep 600\n", 0644);
        client_send(client, &answer, path, DOMAIN_INTERFACE, "Create", "u", 0);
        wait_told("qemu web start begin");
        guest_do_flags(client, path, "Destroy", 0);
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);

        ck_assert_int_eq(unlink(start), 0);
        guest_do_flags(client, path, "Create", 0);
        write_file(stopped, "exec sleep 600\n", 0644);
        guest_do_flags(client, path, "Destroy", 0);
        /* The next start waits for it, until it is ended. */
        guest_do_flags(client, path, "Create", 0);
        ck_assert_int_eq(unlink(stopped), 0);
}
END_TEST

/* Who clears away behind a guest is told that it has ended, whatever another one makes of that. */
START_TEST(test_failing_end)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL));
        g_autofree char *first = harness_path(harness, "hooks/qemu.d/10-first");

        write_file(first, "#!/bin/sh\nexit 1\n", 0755);
        install_hook("qemu.d/20-second");
        guest_do_flags(client, path, "Destroy", 0);
        wait_told("20-second web stopped end - <domain\n20-second web release end - <domain\n");
}
END_TEST

/* What programs do at the end of a guest is not undone behind what they do at its next start. */
START_TEST(test_next_start)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL)), *told = NULL;
        g_autofree char *stopped = harness_path(harness, "stopped");

        install_hook("qemu");
        write_file(stopped,
                   "n=0\nuntil grep -q prepare told || [ $n -ge 20 ]; do sleep 0.1; n=$((n + 1)); done\n",
                   0644);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Create", 0);
        told = read_told();
        ck_assert_str_eq(told, "qemu web stopped end - <domain\nqemu web release end - <domain\n"
                               "qemu web prepare begin - <domain\nqemu web start begin - <domain\n"
                               "qemu web started begin - <domain\n");
}
END_TEST

/* hooks/qemu edits what it is given at "restore". */
static void install_editor(const char *command)
{
        g_autofree char *path = harness_path(harness, "hooks/qemu");
        g_autofree char *script = g_strdup_printf("#!/bin/sh\n[ \"$2\" != restore ] || %s\n", command);

        write_file(path, script, 0755);
}

/* What a hook writes at "restore" takes the document's place: a file of this host's instead of that of
 * another's. */
START_TEST(test_adapt)
{
        g_autofree char *there = harness_path(harness, "there"), *here = harness_path(harness, "here");
        g_autofree char *saved = harness_path(harness, "saved"), *xml = NULL;
        g_autofree char *port =
                g_strdup_printf("<serial type='file'><source path='%s'/></serial>" DISPLAY, there);
        g_autofree char *path = guest_start(client, guest_bare_xml("web", port));

        client_do(client, path, DOMAIN_INTERFACE, "Save", "ssu", saved, "", 0);
        install_editor("sed 's#>65536</memory>#>32768</memory>#'");
        client_fails(client, LIBVIRT_ERROR, "*that a hook has made at 'restore' of domain 'web': *",
                     QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", saved, "", 0);
        install_editor("sed 's#<name>web#<name>other#'");
        client_fails(client, LIBVIRT_ERROR, "*at 'restore' of domain 'web': *name*", QEMU_PATH,
                     CONNECT_INTERFACE, "DomainRestore", "ssu", saved, "", 0);
        install_editor("{ echo 'not here' >&2; exit 1; }");
        client_fails(client, LIBVIRT_ERROR, "Hook script execution failed: *at 'restore'*not here*",
                     QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", saved, "", 0);
        guest_expect_state(client, path, STATE_SHUTOFF, -1);
        install_editor("sed 's#/there.#/here\\x27#'");
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "DomainRestore", "ssu", saved, "", 0);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 1);
        ck_assert_ptr_nonnull(strstr(xml, here));
        ck_assert_ptr_null(strstr(xml, there));
        ck_assert_ptr_nonnull(strstr(xml, "passwd='hush'"));
}
END_TEST

/* What a reset is taken for can change while the guest runs. */
START_TEST(test_lifecycle_action)
{
        g_autofree char *path = guest_start(client, guest_bare_xml("web", NULL)), *xml = NULL;

        /* What cannot be done is not put into a definition either, by which the next start would fail. */
        for (unsigned side = 0; side <= 3; side++) {
                client_fails(client, LIBVIRT_ERROR,
                             "unsupported configuration: 'preserve' cannot be done at lifecycle event "
                             "'poweroff' of domain 'web', only destroy and restart can",
                             path, DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 0, 3, side);
                client_fails(client, LIBVIRT_ERROR, "unsupported configuration: 'preserve' *'reboot'*", path,
                             DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 1, 3, side);
                for (unsigned event = 0; event <= 2; event++)
                        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: 'rename-restart' *",
                                     path, DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", event, 2, side);
        }
        for (unsigned action = 3; action <= 5; action++)
                client_do(client, path, DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 2, action, 2);
        client_do(client, path, DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 1, 0, 1);
        guest_do_flags(client, path, "Reset", 0);
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SHUTDOWN);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        ck_assert_ptr_nonnull(strstr(xml, "<on_reboot>restart</on_reboot>"));

        client_do(client, path, DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 1, 0, 2);
        guest_do_flags(client, path, "Create", 0);
        client_do(client, path, DOMAIN_INTERFACE, "SetLifecycleAction", "uuu", 1, 1, 3);
        guest_do_flags(client, path, "Reset", 0);
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "Reboot", NULL, NULL));
        guest_expect_state(client, path, STATE_RUNNING, -1);
}
END_TEST

/* ---- documents ---- */

static char *to_native(const char *xml)
{
        return client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainXMLToNative", "ssu",
                                  "qemu-argv", xml, 0);
}

static void expect_part(const char *text, const char *part)
{
        ck_assert_msg(strstr(text, part), "%s is not in %s", part, text);
}

/* A command line as a document that can be defined and started. */
START_TEST(test_from_native)
{
        static const char line[] =
                "qemu-system-x86_64 -name native -M q35 -m 64 -nic none -vga none -serial null "
                "-global isa-debugcon.iobase=0x402";
        g_autofree char *xml = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainXMLFromNative",
                                                  "ssu", "qemu-argv", line, 0);
        g_autofree char *path = NULL;

        expect_part(xml, "<memory unit='KiB'>65536</memory>");
        expect_part(xml, "<qemu:arg value='isa-debugcon.iobase=0x402'/>");
        expect_part(xml, "<uuid>");
        path = guest_start(client, g_strdup(xml));
        guest_expect_state(client, path, STATE_RUNNING, -1);
        client_fails(client, LIBVIRT_ERROR, "invalid argument: '/bin/sh' is no emulator*", QEMU_PATH,
                     CONNECT_INTERFACE, "DomainXMLFromNative", "ssu", "qemu-argv", "/bin/sh", 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainXMLFromNative", "ssu", "qemu-argv", line, 0);
}
END_TEST

/* A command line that became a document is one again, of the same meaning. */
START_TEST(test_there_and_back)
{
        static const char line[] = "qemu-system-x86_64 -name back -M q35 -m 1.5G -smp 2 -vga none -cpu "
                                   "qemu64,hv_relaxed,hv_spinlocks=0x1fff -net "
                                   "nic,model=e1000,macaddr=52:54:00:00:00:02 -net user "
                                   "-drive if=pflash,format=raw,readonly=on,file=/f/CODE.fd "
                                   "-drive if=pflash,format=raw,file=/f/VARS.fd";
        static const char *const parts[] = {
                "size=1572864k",     "hv-relaxed=on", "hv-spinlocks=0x1fff", "e1000",
                "52:54:00:00:00:02", "user",          "/f/CODE.fd",          "/f/VARS.fd",
        };
        g_autofree char *xml = client_call_string(client, QEMU_PATH, CONNECT_INTERFACE, "DomainXMLFromNative",
                                                  "ssu", "qemu-argv", line, 0);
        g_autofree char *path = guest_define(client, g_strdup(xml)), *text = NULL;

        ck_assert_ptr_null(strstr(xml, "qemu:arg"));
        g_free(xml);
        xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        text = to_native(xml);
        for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
                expect_part(text, parts[i]);
}
END_TEST

/* A document as a command line, for a guest that nobody has defined, with images that are not there. */
START_TEST(test_native)
{
        static const char devices[] =
                "<disk type='file' device='disk'><driver name='qemu' type='qcow2'><metadata_cache><max_size "
                "unit='KiB'>64</max_size></metadata_cache></driver><source file='/nowhere/web.qcow2'/>"
                "<target dev='vda' bus='virtio'/></disk><disk type='file'><driver name='qemu' type='raw'/>"
                "<source file='/nowhere/part.raw'><slices><slice type='storage' offset='512' "
                "size='1024'/></slices></source><target dev='vdb' bus='virtio'/></disk><interface "
                "type='bridge'><source bridge='br7'/>"
                "<model type='virtio'/></interface><graphics type='vnc' autoport='yes'/>"
                "<graphics type='spice'><listen type='socket'/></graphics><serial type='pty'/>"
                "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";
        static const char extra[] =
                "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
                "<qemu:env name='FROM_US' value='it is'/></qemu:commandline></domain>";
        g_autofree char *plain = guest_bare_xml("native", devices), *xml = NULL, *text = NULL;
        g_autofree char *volume = guest_bare_xml("native", "<disk type='volume'><source pool='p' volume='v'/>"
                                                           "<target dev='vda' bus='virtio'/></disk>");
        g_autofree char *bus = guest_bare_xml("native", "<graphics type='dbus'/>");
        g_autofree char *vdpa = guest_bare_xml("native", "<interface type='vdpa'><source dev='/dev/null'/>"
                                                         "<model type='virtio'/></interface>");

        *strstr(plain, "</domain>") = '\0';
        xml = g_strconcat(plain, extra, NULL);
        text = to_native(xml);
        expect_part(text, "qemu-system-");
        expect_part(text, "guest=native");
        expect_part(text, "/nowhere/web.qcow2");
        expect_part(text, "virtio-blk-pci");
        expect_part(text, "virtio-net-pci");
        expect_part(text, "-vnc");
        expect_part(text, "/io/spice1.sock");
        expect_part(text, "org.qemu.guest_agent.0");
        expect_part(text, "FROM_US='it is'");
        expect_part(text, "\"offset\":512,\"size\":1024");
        expect_part(text, "\"cache-size\":65536");
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: a volume of a pool*", QEMU_PATH,
                     CONNECT_INTERFACE, "DomainXMLToNative", "ssu", "qemu-argv", volume, 0);
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: <graphics type='dbus'>, whose bus*",
                     QEMU_PATH, CONNECT_INTERFACE, "DomainXMLToNative", "ssu", "qemu-argv", bus, 0);
        client_fails(client, LIBVIRT_ERROR, "unsupported configuration: a vDPA device of the host*",
                     QEMU_PATH, CONNECT_INTERFACE, "DomainXMLToNative", "ssu", "qemu-argv", vdpa, 0);
        client_fails(client, LIBVIRT_ERROR, "invalid argument: unknown format 'xen-xm'*", QEMU_PATH,
                     CONNECT_INTERFACE, "DomainXMLToNative", "ssu", "xen-xm", xml, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*", QEMU_PATH, CONNECT_INTERFACE,
                     "DomainXMLToNative", "ssu", "qemu-argv", xml, 1);
        client_fails(client, LIBVIRT_ERROR, "*", QEMU_PATH, CONNECT_INTERFACE, "DomainXMLToNative", "ssu",
                     "qemu-argv", "<domain>", 0);
        client_fails(client, LIBVIRT_ERROR, "this function is not supported*", TEST_PATH, CONNECT_INTERFACE,
                     "DomainXMLToNative", "ssu", "qemu-argv", xml, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("hooks");
        TCase *tcase = tcase_create("hooks");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, test_told);
        tcase_add_loop_test(tcase, test_refusal, 0, G_N_ELEMENTS(refused));
        tcase_add_test(tcase, test_hang);
        tcase_add_test(tcase, test_failing_end);
        tcase_add_test(tcase, test_next_start);
        tcase_add_test(tcase, test_environment);
        tcase_add_test(tcase, test_reconnect);
        tcase_add_test(tcase, test_adapt);
        tcase_add_test(tcase, test_lifecycle_action);
        tcase_add_test(tcase, test_native);
        tcase_add_test(tcase, test_from_native);
        tcase_add_test(tcase, test_there_and_back);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
