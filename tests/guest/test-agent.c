/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest agent: qemu-guest-agent in a Linux guest, and guests that lie on its channel.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#define CHANNEL "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"

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

/* The Linux guest with more devices, and with the agent in its initramfs. */
static char *agent_xml(const char *console, const char *action, const char *devices)
{
        g_autofree char *xml = guest_linux_xml("linux", console, action);
        g_auto(GStrv) images = g_strsplit(xml, "/initrd.img", 2);
        g_autofree char *with = g_strjoinv("/initrd-agent.img", images);
        g_auto(GStrv) parts = g_strsplit(with, "</devices>", 2);
        g_autofree char *last = g_strconcat(devices, "</devices>", NULL);

        return g_strjoinv(last, parts);
}

static bool has_agent(void)
{
        g_autofree char *path = g_build_filename(g_getenv("VIRTBUS_GUEST_DIR"), "initrd-agent.img", NULL);

        if (access(path, R_OK) == 0)
                return true;
        harness_skip("there is no qemu-guest-agent for the guest");
        return false;
}

struct agent_event {
        int state, reason;
};

enum {
        CONNECTED = 1, /* virConnectDomainEventAgentLifecycleState */
        DISCONNECTED = 2,
        BY_START = 1, /* virConnectDomainEventAgentLifecycleReason */
        BY_CHANNEL = 2,
};

static bool is_agent_event(sd_bus_message *message, const void *data)
{
        const struct agent_event *wanted = data;
        int state, reason;

        return sd_bus_message_read(message, "ii", &state, &reason) > 0 && state == wanted->state &&
               reason == wanted->reason;
}

static void wait_agent_event(const char *path, int state, int reason)
{
        const struct agent_event wanted = { state, reason };

        sd_bus_message_unref(
                client_wait_signal(client, path, DOMAIN_INTERFACE, "AgentEvent", is_agent_event, &wanted));
}

static void wait_agent(const char *path, int state)
{
        wait_agent_event(path, state, BY_CHANNEL);
}

static bool has_channel(const char *path, const char *state)
{
        g_autofree char *xml = client_call_string(client, path, DOMAIN_INTERFACE, "GetXMLDesc", "u", 0);
        g_autofree char *piece = g_strdup_printf("name='org.qemu.guest_agent.0' state='%s'/>", state);

        return strstr(xml, piece) != NULL;
}

/* Starts a guest that does action and waits until its end of the channel is open. */
static char *start_agent(const char *console, const char *action, const char *devices)
{
        g_autofree char *all = g_strconcat(CHANNEL, devices, NULL);
        char *path = guest_define(client, agent_xml(console, action, all));

        /* Paused, it opens nothing yet. */
        guest_do_flags(client, path, "Create", 1);
        wait_agent_event(path, DISCONNECTED, BY_START);
        ck_assert(has_channel(path, "disconnected"));
        guest_do(client, path, "Resume");
        guest_wait_console(console, "virtbus-guest: ready");
        wait_agent(path, CONNECTED);
        return path;
}

static char *make_disk(const char *name)
{
        g_autofree char *file = harness_path(harness, name);
        FILE *stream = fopen(file, "w");

        ck_assert(stream && ftruncate(fileno(stream), 16 * 1024 * 1024) == 0);
        fclose(stream);
        ck_assert_int_eq(chmod(file, 0666), 0);
        return g_strdup_printf(
                "<disk type='file' device='disk'><driver name='qemu' type='raw' discard='unmap'/>"
                "<source file='%s'/><target dev='vda' bus='virtio'/></disk>",
                file);
}

/* ---- what is told ---- */

/* The text, or the number as text, that name has in the reply. */
static char *find_param(sd_bus_message *reply, const char *wanted)
{
        char *found = NULL;
        const char *name, *text;
        unsigned number;

        ck_assert_int_ge(sd_bus_message_rewind(reply, true), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        while (!found && sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
                if (strcmp(name, wanted) == 0) {
                        if (sd_bus_message_enter_container(reply, 'v', "s") > 0) {
                                ck_assert_int_gt(sd_bus_message_read(reply, "s", &text), 0);
                                return g_strdup(text);
                        }
                        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "u"), 0);
                        ck_assert_int_gt(sd_bus_message_read(reply, "u", &number), 0);
                        return g_strdup_printf("%u", number);
                }
                sd_bus_message_skip(reply, "v");
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
        }
        return NULL;
}

static void expect_param(sd_bus_message *reply, const char *name, const char *value)
{
        g_autofree char *found = find_param(reply, name);

        ck_assert_msg(found != NULL, "%s is not told", name);
        ck_assert_str_eq(found, value);
}

/* Each is told by the target that it has in the definition. */
static void check_disks(const char *path)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "GetGuestInfo", "uu", 16 | 32, 0);

        expect_param(reply, "fs.0.mountpoint", "/mnt");
        expect_param(reply, "fs.0.disk.0.alias", "vda");
        expect_param(reply, "disk.count", "1");
        expect_param(reply, "disk.0.name", "/dev/vda");
        expect_param(reply, "disk.0.alias", "vda");
}

/* ---- an agent ---- */

static void check_filesystems(const char *path)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "GetFSInfo", "u", 0);
        const char *mountpoint, *name, *type, *target;
        bool found = false;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(sssas)"), 0);
        while (sd_bus_message_enter_container(reply, 'r', "sssas") > 0) {
                ck_assert_int_gt(sd_bus_message_read(reply, "sss", &mountpoint, &name, &type), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "s"), 0);
                while (sd_bus_message_read(reply, "s", &target) > 0) {
                        ck_assert_str_eq(target, "vda");
                        found = found || (strcmp(mountpoint, "/mnt") == 0 && strcmp(type, "ext4") == 0);
                }
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
        }
        ck_assert_msg(found, "/mnt on vda is not among the file systems");
}

static unsigned count(const char *path, const char *member, const char *mountpoint)
{
        g_autoptr(sd_bus_message) reply =
                mountpoint ? client_call(client, path, DOMAIN_INTERFACE, member, "asu", 1, mountpoint, 0)
                           : client_call(client, path, DOMAIN_INTERFACE, member, "asu", 0, 0);
        unsigned number;

        ck_assert_int_gt(sd_bus_message_read(reply, "u", &number), 0);
        return number;
}

START_TEST(test_file_systems)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *disk = make_disk("disk.img");
        g_autofree char *path = NULL;

        if (!has_agent())
                return;
        path = start_agent(console, "agent", disk);
        guest_wait_console(console, "virtbus-guest: mounted");
        check_filesystems(path);
        check_disks(path);
        ck_assert_uint_eq(count(path, "FSFreeze", NULL), 1);
        /* Frozen: the agent does nothing else, and says so. */
        client_fails(client, LIBVIRT_ERROR, "*guest-fstrim*frozen*", path, DOMAIN_INTERFACE, "FSTrim", "stu",
                     "", (uint64_t)0, 0);
        ck_assert_uint_eq(count(path, "FSThaw", NULL), 1);
        ck_assert_uint_eq(count(path, "FSFreeze", "/mnt"), 1);
        client_fails(client, LIBVIRT_ERROR, "argument unsupported: mount points*", path, DOMAIN_INTERFACE,
                     "FSThaw", "asu", 1, "/mnt", 0);
        ck_assert_uint_eq(count(path, "FSThaw", NULL), 1);
        client_do(client, path, DOMAIN_INTERFACE, "FSTrim", "stu", "", (uint64_t)0, 0);
        client_fails(client, LIBVIRT_ERROR, "*mount point*", path, DOMAIN_INTERFACE, "FSTrim", "stu", "/mnt",
                     (uint64_t)0, 0);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x1)*FSThaw*", path, DOMAIN_INTERFACE,
                     "FSThaw", "asu", 0, 1);
        guest_do_flags(client, path, "Shutdown", 0);
        guest_wait_console(console, "virtbus-guest: shutdown -h -P");
        client_wait_event(client, path, EVENT_STOPPED, STOPPED_SHUTDOWN);
}
END_TEST

static uint64_t get_time(const char *path)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "GetTime", "u", 0);
        uint64_t seconds;
        unsigned nanoseconds;

        ck_assert_int_gt(sd_bus_message_read(reply, "(tu)", &seconds, &nanoseconds), 0);
        ck_assert_uint_lt(nanoseconds, 1000000000);
        return seconds;
}

static void check_time(const char *path)
{
        const uint64_t year_2033 = 2000000000;

        ck_assert_uint_gt(get_time(path), 1500000000);
        client_do(client, path, DOMAIN_INTERFACE, "SetTime", "tuu", year_2033, 5, 0);
        ck_assert_uint_ge(get_time(path), year_2033);
        client_do(client, path, DOMAIN_INTERFACE, "SetTime", "tuu", (uint64_t)0, 0, 1);
        client_fails(client, LIBVIRT_ERROR, "*too large*", path, DOMAIN_INTERFACE, "SetTime", "tuu",
                     UINT64_MAX, 0, 0);
        client_fails(client, LIBVIRT_ERROR, "*too large*", path, DOMAIN_INTERFACE, "SetTime", "tuu",
                     (uint64_t)1, 1000000000, 0);
}

static void check_keys(const char *path)
{
        static const char key[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMq test";
        g_autoptr(sd_bus_message) reply = NULL;
        const char *found;

        client_do(client, path, DOMAIN_INTERFACE, "AuthorizedSSHKeysSet", "sasu", "root", 1, key, 0);
        client_do(client, path, DOMAIN_INTERFACE, "AuthorizedSSHKeysSet", "sasu", "root", 1, "ssh-rsa AAAA b",
                  1);
        client_do(client, path, DOMAIN_INTERFACE, "AuthorizedSSHKeysSet", "sasu", "root", 1, "ssh-rsa AAAA b",
                  2);
        reply = client_call(client, path, DOMAIN_INTERFACE, "AuthorizedSSHKeysGet", "su", "root", 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "s"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &found), 0);
        ck_assert_str_eq(found, key);
        ck_assert_int_eq(sd_bus_message_read(reply, "s", &found), 0);
        client_fails(client, LIBVIRT_ERROR, "*APPEND and REMOVE*", path, DOMAIN_INTERFACE,
                     "AuthorizedSSHKeysSet", "sasu", "root", 1, key, 3);
        client_fails(client, LIBVIRT_ERROR, "*no keys*", path, DOMAIN_INTERFACE, "AuthorizedSSHKeysSet",
                     "sasu", "root", 0, 1);
        client_fails(client, LIBVIRT_ERROR, "*nobody-there*", path, DOMAIN_INTERFACE, "AuthorizedSSHKeysGet",
                     "su", "nobody-there", 0);
}

static void check_info(const char *path)
{
        g_autoptr(sd_bus_message) all =
                client_call(client, path, DOMAIN_INTERFACE, "GetGuestInfo", "uu", 0, 0);
        g_autoptr(sd_bus_message) os =
                client_call(client, path, DOMAIN_INTERFACE, "GetGuestInfo", "uu", 2, 0);
        g_autofree char *none = NULL;

        expect_param(all, "os.id", "virtbus");
        expect_param(all, "os.pretty-name", "Virtbus test guest");
        expect_param(all, "hostname", "virtbus-guest");
        expect_param(all, "user.count", "0");
        expect_param(all, "if.0.name", "lo");
        expect_param(all, "if.0.addr.0.addr", "127.0.0.1");
        expect_param(all, "if.0.addr.0.prefix", "8");
        expect_param(os, "os.id", "virtbus");
        none = find_param(os, "hostname");
        ck_assert_ptr_null(none);
        client_fails(client, LIBVIRT_ERROR, "*0x80*", path, DOMAIN_INTERFACE, "GetGuestInfo", "uu", 128, 0);
}

static void check_addresses(const char *path)
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "InterfaceAddresses", "uu", 1, 0);
        const char *name, *mac, *address;
        unsigned prefix;
        int type;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(ssa(isu))"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'r', "ssa(isu)"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "ss", &name, &mac), 0);
        ck_assert_str_eq(name, "lo");
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(isu)"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "(isu)", &type, &address, &prefix), 0);
        ck_assert_int_eq(type, 0);
        ck_assert_str_eq(address, "127.0.0.1");
        ck_assert_uint_eq(prefix, 8);
}

static bool answers(void *data)
{
        g_autofree char *failure = client_try(client, data, DOMAIN_INTERFACE, "GetHostname", "u", 2);

        return failure == NULL;
}

/* An agent that is killed is followed by one that finds the guest's agent. */
static void check_takeover(char *path)
{
        g_autofree char *hostname = NULL;

        harness_end_agent(harness, SIGKILL);
        harness_start_agent(harness);
        harness_wait_until(answers, path, "the guest's agent is known again");
        hostname = client_call_string(client, path, DOMAIN_INTERFACE, "GetHostname", "u", 2);
        ck_assert_str_eq(hostname, "virtbus-guest");
}

/* The guest sleeps until it is woken up. */
static void check_sleep(const char *path)
{
        client_fails(client, LIBVIRT_ERROR, "*a duration*", path, DOMAIN_INTERFACE, "PMSuspendForDuration",
                     "utu", 0, (uint64_t)1, 0);
        client_fails(client, LIBVIRT_ERROR, "*unknown suspend target 3*", path, DOMAIN_INTERFACE,
                     "PMSuspendForDuration", "utu", 3, (uint64_t)0, 0);
        client_do(client, path, DOMAIN_INTERFACE, "PMSuspendForDuration", "utu", 0, (uint64_t)0, 0);
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "PMSuspend", NULL, NULL));
        client_fails(client, LIBVIRT_ERROR, "*CPUs*do not run*", path, DOMAIN_INTERFACE, "GetHostname", "u",
                     0);
        guest_do_flags(client, path, "PMWakeup", 0);
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "PMWakeup", NULL, NULL));
}

START_TEST(test_questions)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = NULL, *hostname = NULL;

        if (!has_agent())
                return;
        path = start_agent(console, "agent", "");
        hostname = client_call_string(client, path, DOMAIN_INTERFACE, "GetHostname", "u", 0);
        ck_assert_str_eq(hostname, "virtbus-guest");
        client_fails(client, LIBVIRT_ERROR, "*lease*", path, DOMAIN_INTERFACE, "GetHostname", "u", 1);
        check_time(path);
        check_info(path);
        check_addresses(path);
        check_keys(path);
        client_do(client, path, DOMAIN_INTERFACE, "SetUserPassword", "ssu", "root", "sesame", 0);
        guest_wait_console(console, "virtbus-guest: chpasswd root:sesame");
        client_do(client, path, DOMAIN_INTERFACE, "SetUserPassword", "ssu", "root", "$6$x", 1);
        guest_wait_console(console, "virtbus-guest: chpasswd -e root:$6$x");
        check_sleep(path);
        check_takeover(path);
        guest_do_flags(client, path, "Reboot", 2);
        guest_wait_console(console, "virtbus-guest: shutdown -h -r");
        sd_bus_message_unref(client_wait_signal(client, path, DOMAIN_INTERFACE, "Reboot", NULL, NULL));
        wait_agent(path, DISCONNECTED);
}
END_TEST

/* ---- nobody there ---- */

START_TEST(test_missing)
{
        g_autofree char *console = harness_path(harness, "console"), *other = harness_path(harness, "other");
        g_autofree char *without = NULL, *quiet = NULL;

        without = guest_define(client, guest_linux_xml("without", other, "idle"));
        client_fails(client, LIBVIRT_ERROR, "*not running*", without, DOMAIN_INTERFACE, "GetHostname", "u",
                     0);
        guest_do_flags(client, without, "Create", 0);
        client_fails(client, LIBVIRT_ERROR, "*not configured*", without, DOMAIN_INTERFACE, "GetHostname", "u",
                     0);
        guest_do(client, without, "Suspend");
        client_fails(client, LIBVIRT_ERROR, "*not configured*", without, DOMAIN_INTERFACE, "Shutdown", "u",
                     2);
        if (!has_agent())
                return;
        quiet = guest_start(client, agent_xml(console, "idle", CHANNEL));
        guest_wait_console(console, "virtbus-guest: ready");
        client_fails(client, LIBVIRT_ERROR, "Guest agent is not responding: *not connected*", quiet,
                     DOMAIN_INTERFACE, "FSFreeze", "asu", 0, 0);
        client_fails(client, LIBVIRT_ERROR, "*not connected*", quiet, DOMAIN_INTERFACE, "Reboot", "u", 2);
        client_fails(client, LIBVIRT_ERROR, "*unsupported flags (0x4)*", quiet, DOMAIN_INTERFACE, "Shutdown",
                     "u", 4);
        /* Without an agent the power button is pressed. */
        guest_do_flags(client, quiet, "Shutdown", 0);
        guest_wait_console(console, "virtbus-guest: power button");
}
END_TEST

/* ---- vCPUs ---- */

static unsigned count_vcpus(const char *path, unsigned flags)
{
        g_autoptr(sd_bus_message) reply = client_call(client, path, DOMAIN_INTERFACE, "GetVcpus", "u", flags);
        uint32_t vcpus = 0;

        ck_assert_int_gt(sd_bus_message_read(reply, "u", &vcpus), 0);
        return vcpus;
}

static void expect_vcpus(const char *path, const char *const expected[])
{
        g_autoptr(sd_bus_message) reply =
                client_call(client, path, DOMAIN_INTERFACE, "GetGuestVcpus", "u", 0);
        const char *name, *set;

        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "{sv}"), 0);
        for (; *expected; expected += 2) {
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'e', "sv"), 0);
                ck_assert_int_gt(sd_bus_message_read(reply, "s", &name), 0);
                ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "v"), 0);
                ck_assert_int_gt(sd_bus_message_read(reply, "v", "s", &set), 0);
                ck_assert_str_eq(name, expected[0]);
                ck_assert_str_eq(set, expected[1]);
                sd_bus_message_exit_container(reply);
                sd_bus_message_exit_container(reply);
        }
}

START_TEST(test_vcpus)
{
        enum { MAXIMUM = 4, GUEST = 8 };
        g_autofree char *console = harness_path(harness, "console"), *path = NULL, *xml = NULL;
        g_auto(GStrv) halves = NULL;

        if (!has_agent())
                return;
        xml = agent_xml(console, "agent", CHANNEL);
        halves = g_strsplit(xml, "<vcpu>1</vcpu>", 2);
        path = guest_start(client, g_strconcat(halves[0], "<vcpu>3</vcpu>", halves[1], NULL));
        wait_agent(path, CONNECTED);
        expect_vcpus(path, (const char *const[]){ "vcpus", "0-2", "online", "0-2", NULL });
        client_do(client, path, DOMAIN_INTERFACE, "SetGuestVcpus", "abiu", 2, false, true, 0, 0);
        expect_vcpus(path, (const char *const[]){ "vcpus", "0-2", "online", "0,2", NULL });
        ck_assert_uint_eq(count_vcpus(path, GUEST), 2);
        ck_assert_uint_eq(count_vcpus(path, GUEST | MAXIMUM), 3);
        /* Whichever definition is named, it is the guest that is asked; both at once are none. */
        for (unsigned side = 1; side <= 2; side++) {
                ck_assert_uint_eq(count_vcpus(path, GUEST | side), 2);
                ck_assert_uint_eq(count_vcpus(path, GUEST | MAXIMUM | side), 3);
        }
        client_fails(client, LIBVIRT_ERROR, "invalid argument: flags LIVE and CONFIG exclude each other *",
                     path, DOMAIN_INTERFACE, "GetVcpus", "u", GUEST | 3);
        client_do(client, path, DOMAIN_INTERFACE, "SetVcpus", "uu", 3, GUEST);
        ck_assert_uint_eq(count_vcpus(path, GUEST), 3);
        client_do(client, path, DOMAIN_INTERFACE, "SetVcpus", "uu", 1, GUEST);
        ck_assert_uint_eq(count_vcpus(path, GUEST), 1);
        ck_assert_uint_eq(count_vcpus(path, 0), 3);
        client_fails(client, LIBVIRT_ERROR, "*does not have vCPU 3*", path, DOMAIN_INTERFACE, "SetGuestVcpus",
                     "abiu", 4, false, false, false, true, 1, 0);
        client_fails(client, LIBVIRT_ERROR, "*can use no more than 3 of them*", path, DOMAIN_INTERFACE,
                     "SetVcpus", "uu", 4, GUEST);
        client_fails(client, LIBVIRT_ERROR, "*and not 2*", path, DOMAIN_INTERFACE, "SetGuestVcpus", "abiu", 1,
                     true, 2, 0);
        client_fails(client, LIBVIRT_ERROR, "*none of which is chosen*", path, DOMAIN_INTERFACE,
                     "SetGuestVcpus", "abiu", 1, false, 1, 0);
}
END_TEST

/* ---- liars ---- */

/* One way after the other; what it says to one question is never taken for the answer to another. */
START_TEST(test_lies)
{
        g_autofree char *console = harness_path(harness, "console"), *path = NULL;
        g_autoptr(sd_bus_message) reply = NULL;
        const char *key;

        if (!has_agent())
                return;
        path = start_agent(console, "liar", "");
        client_fails(client, LIBVIRT_ERROR, "*guest-get-host-name with what is not as it has to be*", path,
                     DOMAIN_INTERFACE, "GetHostname", "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*guest-get-time with*", path, DOMAIN_INTERFACE, "GetTime", "u",
                     0);
        client_fails(client, LIBVIRT_ERROR, "*guest-get-fsinfo with*", path, DOMAIN_INTERFACE, "GetFSInfo",
                     "u", 0);
        client_fails(client, LIBVIRT_ERROR, "*guest-network-get-interfaces with*", path, DOMAIN_INTERFACE,
                     "InterfaceAddresses", "uu", 1, 0);
        client_fails(client, LIBVIRT_ERROR, "*a line of more than 1048576 bytes*", path, DOMAIN_INTERFACE,
                     "GetGuestInfo", "uu", 1, 0);
        client_fails(client, LIBVIRT_ERROR, "*has not answered guest-ssh-get-authorized-keys in time*", path,
                     DOMAIN_INTERFACE, "AuthorizedSSHKeysGet", "su", "root", 0);
        reply = client_call(client, path, DOMAIN_INTERFACE, "AuthorizedSSHKeysGet", "su", "root", 0);
        ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "s"), 0);
        ck_assert_int_gt(sd_bus_message_read(reply, "s", &key), 0);
        ck_assert_str_eq(key, "answer 2");
        client_fails(client, LIBVIRT_ERROR, "*disconnected*", path, DOMAIN_INTERFACE, "FSTrim", "stu", "",
                     (uint64_t)0, 0);
        wait_agent(path, DISCONNECTED);
        client_fails(client, LIBVIRT_ERROR, "*not connected*", path, DOMAIN_INTERFACE, "GetHostname", "u", 0);
}
END_TEST

static const struct {
        const char *lie, *text;
} step_lies[] = {
        { "liar-wrong-id", "Guest agent is not responding:*guest-sync-delimited*" },
        { "liar-flood", "guest agent replied with wrong id*" },
};

START_TEST(test_out_of_step)
{
        g_autofree char *console = harness_path(harness, "console"), *path = NULL;

        if (!has_agent())
                return;
        path = start_agent(console, step_lies[_i].lie, "");
        client_fails(client, LIBVIRT_ERROR, step_lies[_i].text, path, DOMAIN_INTERFACE, "GetHostname", "u",
                     0);
        guest_do(client, path, "Suspend");
        guest_do(client, path, "Resume");
}
END_TEST

static void expect_answer(const char *path)
{
        client_fails(client, LIBVIRT_ERROR, "*guest-get-host-name with what is not as it has to be*", path,
                     DOMAIN_INTERFACE, "GetHostname", "u", 0);
}

/* A channel that is plugged in has an agent when the guest opens it; one that takes its place has another. */
START_TEST(test_plugged)
{
        g_autofree char *console = harness_path(harness, "console"),
                        *socket = harness_path(harness, "ga.sock");
        g_autofree char *path = NULL, *other = NULL;

        if (!has_agent())
                return;
        path = guest_start(client,
                           agent_xml(console, "liar", "<controller type='virtio-serial' index='0'/>"));
        guest_wait_console(console, "virtbus-guest: ready");
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", CHANNEL, 1);
        wait_agent(path, CONNECTED);
        expect_answer(path);
        client_do(client, path, DOMAIN_INTERFACE, "DetachDevice", "su", CHANNEL, 1);
        client_fails(client, LIBVIRT_ERROR, "*not configured*", path, DOMAIN_INTERFACE, "GetHostname", "u",
                     0);

        /* Paused, the guest does not open it yet. */
        guest_do(client, path, "Suspend");
        other = g_strdup_printf("<channel type='unix'><source mode='bind' path='%s'/>"
                                "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
                                socket);
        client_do(client, path, DOMAIN_INTERFACE, "AttachDevice", "su", other, 1);
        guest_do(client, path, "Resume");
        wait_agent(path, CONNECTED);
        expect_answer(path);
}
END_TEST

/* The one that asked knows nothing of a guest that freezes later. */
START_TEST(test_freezes_too_late)
{
        g_autofree char *console = harness_path(harness, "console");
        g_autofree char *path = NULL;

        if (!has_agent())
                return;
        path = guest_start(client, agent_xml(console, "liar", CHANNEL));
        wait_agent(path, CONNECTED);
        client_fails(client, LIBVIRT_ERROR, "*has not answered guest-fsfreeze-freeze in time*", path,
                     DOMAIN_INTERFACE, "FSFreeze", "asu", 0, 0);
        guest_wait_console(console, "virtbus-guest: thawed");
        expect_answer(path);
}
END_TEST

/* A question that is open keeps neither other calls nor the end of the guest waiting, and fails with that. */
START_TEST(test_open_question)
{
        g_autofree char *console = harness_path(harness, "console");
        struct client_answer answer = { 0 };
        g_autofree char *path = NULL;

        if (!has_agent())
                return;
        path = start_agent(console, "liar-silent", "");
        client_fails(client, LIBVIRT_ERROR, "Guest agent is not responding:*guest-sync-delimited*", path,
                     DOMAIN_INTERFACE, "GetHostname", "u", 0);
        client_send(client, &answer, path, DOMAIN_INTERFACE, "GetHostname", "u", 0);
        guest_do(client, path, "Suspend");
        guest_do(client, path, "Resume");
        guest_do_flags(client, path, "Destroy", 0);
        client_wait_answer(client, &answer);
        ck_assert_ptr_nonnull(answer.error);
        g_free(answer.error);
}
END_TEST

static Suite *suite(void)
{
        Suite *made = suite_create("agent");
        TCase *tcase = tcase_create("agent");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, test_file_systems);
        tcase_add_test(tcase, test_questions);
        tcase_add_test(tcase, test_missing);
        tcase_add_test(tcase, test_vcpus);
        suite_add_tcase(made, tcase);

        tcase = tcase_create("liars");
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, test_lies);
        tcase_add_loop_test(tcase, test_out_of_step, 0, G_N_ELEMENTS(step_lies));
        tcase_add_test(tcase, test_open_question);
        tcase_add_test(tcase, test_plugged);
        tcase_add_test(tcase, test_freezes_too_late);
        suite_add_tcase(made, tcase);
        return made;
}

int main(void)
{
        return harness_main(suite());
}
