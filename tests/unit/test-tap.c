/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "interfaces/tap.h"
#include "tests/unit/check-main.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(a_tap_that_cannot_be_is_named)
{
        const struct tap long_name = { .name = "a-name-of-more-than-fifteen", .queues = 1 };
        const struct tap no_bridge = { .queues = 1, .bridge = "nobridge0", .up = true };
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autoptr(GError) error = NULL;
        char *name = NULL;

        ck_assert(!tap_open(&long_name, fds, &name, &error));
        ck_assert_int_eq(error_get_code(error), ERROR_CONFIG_UNSUPPORTED);
        g_clear_error(&error);
        ck_assert(!tap_open(&no_bridge, fds, &name, &error));
        ck_assert_ptr_nonnull(error);
        ck_assert_uint_eq(fds->len, 0);
        ck_assert_ptr_null(name);
}
END_TEST

/* ---- in a network of our own ---- */

#define BRIDGE "br-test"

static int control;

static struct ifreq request_for(const char *name)
{
        struct ifreq request = { 0 };

        g_strlcpy(request.ifr_name, name, IFNAMSIZ);
        return request;
}

/* False: skipped. */
static bool enter_network(void)
{
        struct ifreq mtu = request_for(BRIDGE);

        if (access("/dev/net/tun", R_OK | W_OK) < 0 || unshare(CLONE_NEWNET) < 0) {
                check_skip("no /dev/net/tun, or no right to a network namespace");
                return false;
        }
        control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (ioctl(control, SIOCBRADDBR, BRIDGE) < 0) {
                check_skip("the kernel makes no bridge");
                return false;
        }
        mtu.ifr_mtu = 1400;
        ck_assert_int_eq(ioctl(control, SIOCSIFMTU, &mtu), 0);
        return true;
}

static char *open_tap(const struct tap *tap, GArray *fds)
{
        g_autoptr(GError) error = NULL;
        char *name = NULL;

        ck_assert_msg(tap_open(tap, fds, &name, &error), "%s", error ? error->message : "");
        return name;
}

static void close_fds(GArray *fds)
{
        for (unsigned i = 0; i < fds->len; i++)
                close(g_array_index(fds, int, i));
        g_array_unref(fds);
}

static int mtu_of(const char *name)
{
        struct ifreq request = request_for(name);

        ck_assert_int_eq(ioctl(control, SIOCGIFMTU, &request), 0);
        return request.ifr_mtu;
}

static bool is_up(const char *name)
{
        struct ifreq request = request_for(name);

        ck_assert_int_eq(ioctl(control, SIOCGIFFLAGS, &request), 0);
        return request.ifr_flags & IFF_UP;
}

static bool is_port(const char *name)
{
        struct ifreq request = request_for(BRIDGE);

        /* A port is taken out once. */
        request.ifr_ifindex = (int)if_nametoindex(name);
        return ioctl(control, SIOCBRDELIF, &request) == 0;
}

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

START_TEST(a_tap_joins_its_bridge)
{
        const struct tap tap = { .queues = 2, .bridge = BRIDGE, .mac = guest_mac, .up = true };
        const uint8_t host_mac[6] = { 0xfe, 0x54, 0x00, 0x12, 0x34, 0x56 };
        GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autofree char *name = NULL;
        struct ifreq mac;

        if (enter_network()) {
                name = open_tap(&tap, fds);
                ck_assert_uint_eq(fds->len, 2);
                mac = request_for(name);
                ck_assert_int_eq(ioctl(control, SIOCGIFHWADDR, &mac), 0);
                ck_assert_mem_eq(mac.ifr_hwaddr.sa_data, host_mac, 6);
                ck_assert_int_eq(mtu_of(name), 1400);
                ck_assert(is_up(name));
                ck_assert(is_port(name));
        }
        close_fds(fds);
}
END_TEST

START_TEST(a_tap_is_as_it_is_told)
{
        const struct tap tap = { .name = "mine0", .queues = 1, .bridge = BRIDGE, .mtu = 1300 };
        const struct tap alone = { .queues = 1 };
        GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autofree char *name = NULL, *other = NULL;

        if (enter_network()) {
                name = open_tap(&tap, fds);
                ck_assert_str_eq(name, "mine0");
                ck_assert_int_eq(mtu_of(name), 1300);
                ck_assert(!is_up(name));
                other = open_tap(&alone, fds);
                ck_assert_int_eq(mtu_of(other), 1500);
                ck_assert(!is_port(other));
        }
        close_fds(fds);
}
END_TEST

/* What somebody else made and set up is only opened. */
START_TEST(an_existing_tap_is_left_as_it_is)
{
        const struct tap theirs = { .name = "their0", .queues = 2 };
        const struct tap ours = {
                .name = "their0", .queues = 2, .existing = true, .bridge = BRIDGE, .mtu = 1300, .up = true
        };
        GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autofree char *name = NULL, *again = NULL;

        if (enter_network()) {
                name = open_tap(&theirs, fds);
                again = open_tap(&ours, fds);
                ck_assert_int_eq(mtu_of("their0"), 1500);
                ck_assert(!is_up("their0"));
                ck_assert(!is_port("their0"));
        }
        close_fds(fds);
}
END_TEST

CHECK_MAIN("tap", a_tap_that_cannot_be_is_named, a_tap_joins_its_bridge, a_tap_is_as_it_is_told,
           an_existing_tap_is_left_as_it_is)
