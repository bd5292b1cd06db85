/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tap devices as documents want them: scripts when they come and go, other files than the kernel's, packets
 * that are told of together.
 */

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
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

static bool can_tap(void)
{
        if (geteuid() == 0 && access("/dev/net/tun", F_OK) == 0)
                return true;
        harness_skip("taps need root and /dev/net/tun");
        return false;
}

/* A script that writes down that it was told of a tap; its path is the caller's. */
static char *make_script(const char *word)
{
        g_autofree char *log = harness_path(harness, "calls");
        g_autofree char *text = g_strdup_printf("#!/bin/sh\necho \"%s $1\" >>%s\n", word, log);
        char *path = harness_path(harness, word);

        ck_assert(g_file_set_contents(path, text, -1, NULL));
        ck_assert_int_eq(chmod(path, 0755), 0);
        return path;
}

static bool has_log(void *text)
{
        g_autofree char *path = harness_path(harness, "calls"), *log = NULL;

        return g_file_get_contents(path, &log, NULL, NULL) && strcmp(log, text) == 0;
}

static void wait_log(const char *text)
{
        g_autofree char *what = g_strdup_printf("the scripts have written '%s'", text);

        harness_wait_until(has_log, (void *)text, what);
}

/* However the guest ends, and once each time. */
START_TEST(test_scripts)
{
        g_autofree char *up = NULL, *down = NULL, *devices = NULL, *path = NULL;
        pid_t guest;

        if (!can_tap())
                return;
        up = make_script("up");
        down = make_script("down");
        devices = g_strdup_printf("<interface type='ethernet'><target dev='tap7'/><model type='virtio'/>"
                                  "<backend tap='/dev/net/tun'/><script path='%s'/><downscript path='%s'/>"
                                  "</interface>",
                                  up, down);
        path = guest_start(client, guest_bare_xml("scripts", devices));
        wait_log("up tap7\n");
        guest_do_flags(client, path, "Destroy", 0);
        wait_log("up tap7\ndown tap7\n");

        guest_do_flags(client, path, "Create", 0);
        guest = harness_find_guest(harness, "guest=scripts");
        harness_end_agent(harness, SIGKILL);
        kill(guest, SIGKILL);
        harness_wait_gone(guest);
        harness_start_agent(harness);
        wait_log("up tap7\ndown tap7\nup tap7\ndown tap7\n");
}
END_TEST

/* What the agent has in its environment is not theirs. */
START_TEST(test_environment)
{
        static const char script[] = "#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ >>%s\n";
        g_autofree char *up = NULL, *given = NULL, *text = NULL, *devices = NULL, *path = NULL, *log = NULL;

        if (!can_tap())
                return;
        g_setenv("CREDENTIALS_DIRECTORY", "/nowhere", TRUE);
        g_setenv("HOME", "/home/agent", TRUE);
        /* An agent has what its harness was made with. */
        tear_down();
        set_up();
        up = harness_path(harness, "up");
        given = harness_path(harness, "given");
        text = g_strdup_printf(script, given);
        ck_assert(g_file_set_contents(up, text, -1, NULL));
        ck_assert_int_eq(chmod(up, 0755), 0);
        devices = g_strdup_printf("<interface type='ethernet'><target dev='tap7'/><script path='%s'/>"
                                  "<downscript path='%s'/></interface>",
                                  up, up);
        path = guest_start(client, guest_bare_xml("environment", devices));
        guest_do_flags(client, path, "Destroy", 0);
        ck_assert(g_file_get_contents(given, &log, NULL, NULL));
        /* Twice. */
        ck_assert_msg(strstr(log, "HOME=/home/agent\n") != g_strrstr(log, "HOME=/home/agent\n"), "%s", log);
        ck_assert_msg(!strstr(log, "CREDENTIALS_DIRECTORY") && !strstr(log, "DBUS_"), "%s", log);
}
END_TEST

/* A start that fails behind it undoes it. */
START_TEST(test_failing_start)
{
        g_autofree char *up = NULL, *down = NULL, *devices = NULL, *path = NULL;

        if (!can_tap())
                return;
        up = make_script("up");
        down = make_script("down");
        devices = g_strdup_printf("<interface type='ethernet'><target dev='tap8'/><script path='%s'/>"
                                  "<downscript path='%s'/></interface>"
                                  "<interface type='ethernet'><backend tap='/nonexistent'/></interface>",
                                  up, down);
        path = guest_define(client, guest_bare_xml("failing", devices));
        client_fails(client, LIBVIRT_ERROR, "*cannot open /nonexistent*", path, DOMAIN_INTERFACE, "Create",
                     "u", 0);
        wait_log("up tap8\ndown tap8\n");
}
END_TEST

static unsigned read_coalesce(const char *name)
{
        struct ethtool_coalesce coalesce = { .cmd = ETHTOOL_GCOALESCE };
        struct ifreq request = { .ifr_data = (void *)&coalesce };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
        ck_assert_int_eq(ioctl(fd, SIOCETHTOOL, &request), 0);
        close(fd);
        return coalesce.rx_max_coalesced_frames;
}

#define LIVE   1
#define CONFIG 2
#define PLAIN(more)                                                                                          \
        "<interface type='network'><mac address='52:54:00:00:00:09'/><source network='plain'/>"              \
        "<target dev='tap9'/><model type='virtio'/>" more "</interface>"
#define COALESCED(frames) PLAIN("<coalesce><rx><frames max='" frames "'/></rx></coalesce>")

/* At the start, and while the guest runs. */
START_TEST(test_coalesce)
{
        static const char network[] = "<network><name>plain</name></network>";
        g_autofree char *path = NULL;

        if (!can_tap())
                return;
        client_do(client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s", network);
        path = guest_start(client, guest_bare_xml("coalesce", COALESCED("7")));
        ck_assert_uint_eq(read_coalesce("tap9"), 7);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", COALESCED("9"), LIVE | CONFIG);
        ck_assert_uint_eq(read_coalesce("tap9"), 9);
        client_do(client, path, DOMAIN_INTERFACE, "UpdateDevice", "su", PLAIN(""), LIVE);
        ck_assert_uint_eq(read_coalesce("tap9"), 0);
        client_fails(client, LIBVIRT_ERROR, "*is called 'tap9' while the guest runs, and not 'tap5'", path,
                     DOMAIN_INTERFACE, "UpdateDevice", "su",
                     "<interface type='network'><mac address='52:54:00:00:00:09'/><source network='plain'/>"
                     "<target dev='tap5'/><model type='virtio'/></interface>",
                     LIVE);
        guest_do_flags(client, path, "Destroy", 0);
        guest_do_flags(client, path, "Create", 0);
        ck_assert_uint_eq(read_coalesce("tap9"), 9);
        guest_do_flags(client, path, "Destroy", 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("taps");
        TCase *tcase = tcase_create("taps");

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_add_test(tcase, test_scripts);
        tcase_add_test(tcase, test_environment);
        tcase_add_test(tcase, test_failing_start);
        tcase_add_test(tcase, test_coalesce);
        suite_add_tcase(suite, tcase);
        return harness_main(suite);
}
