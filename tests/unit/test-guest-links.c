/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's ends of guests' interfaces as the kernel has them, in a network of the test's own: macvtaps and
 * limits, tags. What this kernel lacks is skipped; the lab's has all of it.
 */
#include "base/error.h"
#include "base/lane.h"
#include "base/loop.h"
#include "base/pool.h"
#include "interfaces/macvtap.h"
#include "interfaces/rx-filter.h"
#include "interfaces/tap.h"
#include "interfaces/vf.h"
#include "tests/unit/check-main.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct pool *pool;
static struct lane *lane;

static void setup(void)
{
        ck_assert(unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
        loop = loop_new(NULL);
        pool = pool_new(2, NULL);
        lane = lane_new(pool, loop, "test");
}

static void teardown(void)
{
        lane_unref(lane);
        pool_free(pool);
        loop_free(loop);
}

static char *says(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *says(const char *format, ...)
{
        g_autofree char *command = NULL;
        char *output = NULL;
        va_list args;

        va_start(args, format);
        command = g_strdup_vprintf(format, args);
        va_end(args);
        ck_assert_msg(g_spawn_command_line_sync(command, &output, NULL, NULL, NULL), "%s", command);
        return output;
}

static void expect(const char *said, const char *text)
{
        ck_assert_msg(strstr(said, text), "no '%s' in '%s'", text, said);
}

/* ---- in the lane ---- */

struct work {
        bool (*fn)(GError **error);
        GError *error; /* owned */
        bool good;
};

static void quit(void *data)
{
        loop_quit(loop);
}

static void do_work(void *data)
{
        struct work *work = data;

        work->good = work->fn(&work->error);
        loop_post(loop, quit, NULL);
}

static struct work run(bool (*fn)(GError **error))
{
        struct work work = { .fn = fn };

        lane_post(lane, do_work, &work);
        loop_run(loop);
        return work;
}

/* False: it was skipped, as the kernel does not know how. */
static bool check(struct work *work, const char *lack, const char *why)
{
        if (work->good)
                return true;
        ck_assert_ptr_nonnull(work->error);
        ck_assert_msg(strstr(work->error->message, lack), "%s", work->error->message);
        check_skip(why);
        g_clear_error(&work->error);
        return false;
}

/* ---- what a guest wants to receive; of any link ---- */

static struct rx_filter receives, applied;

static bool apply_filter(GError **error)
{
        return rx_filter_apply(lane, "rx0", &receives, &applied, error);
}

static void want_group(uint8_t last)
{
        const uint8_t group[6] = { 0x01, 0x00, 0x5e, 0x00, 0x00, last };

        memcpy(receives.groups[receives.n_groups++], group, sizeof(group));
}

static void apply_wanted(void)
{
        struct work work = run(apply_filter);

        ck_assert_msg(work.good, "%s", work.error ? work.error->message : "");
}

/* Address, flags and groups follow; what the host has there by itself stays. */
START_TEST(what_a_guest_receives)
{
        g_autofree char *link = NULL, *groups = NULL, *after = NULL, *fewer = NULL;
        struct work gone;

        g_free(says("ip link add rx0 address 52:54:00:00:00:01 type veth peer name rx1"));
        g_free(says("ip link set rx0 up"));
        g_free(says("ip maddress add 01:00:5e:00:00:09 dev rx0"));
        receives = (struct rx_filter){ .mac = { 0x52, 0x54, 0, 0, 0, 0x99 }, .promiscuous = true };
        applied = (struct rx_filter){ 0 };
        want_group(1);
        want_group(2);
        want_group(9);
        apply_wanted();
        link = says("ip -d link show dev rx0");
        expect(link, "52:54:00:00:00:99");
        expect(link, "PROMISC");
        groups = says("ip maddress show dev rx0");
        expect(groups, "01:00:5e:00:00:01");
        expect(groups, "01:00:5e:00:00:02");
        /* Fewer, and then none of the guest's. */
        receives.promiscuous = false;
        receives.all_groups = true;
        receives.n_groups = 0;
        want_group(2);
        apply_wanted();
        g_free(link);
        link = says("ip -d link show dev rx0");
        expect(link, "ALLMULTI");
        ck_assert(!strstr(link, "PROMISC"));
        fewer = says("ip maddress show dev rx0");
        expect(fewer, "01:00:5e:00:00:02");
        ck_assert(!strstr(fewer, "01:00:5e:00:00:01 users"));
        receives = (struct rx_filter){ .mac = { 0x52, 0x54, 0, 0, 0, 0x99 } };
        apply_wanted();
        after = says("ip maddress show dev rx0");
        expect(after, "01:00:5e:00:00:09");
        ck_assert(!strstr(after, "01:00:5e:00:00:02"));
        ck_assert_uint_eq(applied.n_groups, 0);
        g_free(says("ip link del rx0"));
        gone = run(apply_filter);
        ck_assert(!gone.good);
        g_clear_error(&gone.error);
}
END_TEST

/* ---- macvtaps ---- */

static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x00, 0x00, 0x0a };
static const char *mode;
static int fds[2];

static bool open_macvtap(GError **error)
{
        const struct macvtap macvtap = { .lane = lane,
                                         .name = "mt0",
                                         .lower = "v0",
                                         .mode = mode,
                                         .mac = mac,
                                         .mtu = 1400,
                                         .vnet_header = true,
                                         .up = true };

        return macvtap_open(&macvtap, fds, 2, error);
}

static bool delete_macvtap(GError **error)
{
        return macvtap_delete(lane, "mt0", "v0", NULL, error);
}

static bool delete_passthrough(GError **error)
{
        return macvtap_delete(lane, "mt0", "v0", "52:54:00:00:00:01", error);
}

static void make_lower(void)
{
        g_free(says("ip link add v0 address 52:54:00:00:00:01 type veth peer name v1"));
        g_free(says("ip link set v0 up"));
        g_free(says("ip link set v1 up"));
        for (unsigned i = 0; i < 2; i++)
                fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* Both queues are in the place of what was there, and no other program inherits them. */
START_TEST(macvtaps_are_made_and_deleted)
{
        static const char *const modes[] = { "vepa", "bridge", "private", "passthrough" };

        make_lower();
        for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
                g_autofree char *details = NULL, *lower = NULL, *gone = NULL;
                bool is_passthrough = i == 3;
                struct work work;

                mode = modes[i];
                work = run(open_macvtap);
                if (!check(&work, "Unknown device type", "needs a kernel with macvtap"))
                        return;
                details = says("ip -details -oneline link show mt0");
                expect(details, is_passthrough ? "mode passthru" : mode);
                expect(details, "52:54:00:00:00:0a");
                expect(details, "mtu 1400");
                expect(details, "UP");
                lower = says("ip -oneline link show v0");
                expect(lower, is_passthrough ? "52:54:00:00:00:0a" : "52:54:00:00:00:01");
                for (unsigned j = 0; j < 2; j++) {
                        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fds[j]);
                        g_autofree char *target = g_file_read_link(link, NULL);

                        ck_assert(g_str_has_prefix(target, "/dev/tap"));
                        ck_assert(fcntl(fds[j], F_GETFD) & FD_CLOEXEC);
                }
                ck_assert(run(is_passthrough ? delete_passthrough : delete_macvtap).good);
                gone = says("ip -oneline link show v0");
                expect(gone, "52:54:00:00:00:01");
                ck_assert_uint_eq(if_nametoindex("mt0"), 0);
                ck_assert(run(delete_macvtap).good);
        }
}
END_TEST

START_TEST(a_macvtap_that_cannot_be_leaves_nothing)
{
        g_autofree char *lower = NULL;
        struct work work;

        mode = "bridge";
        work = run(open_macvtap);
        ck_assert(!work.good);
        expect(work.error->message, "the host has no interface 'v0'");
        g_clear_error(&work.error);
        make_lower();
        g_free(says("ip link add mt0 type veth peer name mt1"));
        mode = "passthrough";
        work = run(open_macvtap);
        ck_assert(!work.good);
        g_clear_error(&work.error);
        lower = says("ip -oneline link show v0");
        expect(lower, "52:54:00:00:00:01");
        ck_assert_uint_ne(if_nametoindex("mt0"), 0);
}
END_TEST

/* ---- limits ---- */

static struct tap tap = { .queues = 1, .name = "limited0", .up = true };

static bool open_limited(GError **error)
{
        g_autoptr(GArray) opened = g_array_new(FALSE, FALSE, sizeof(int));
        g_autofree char *name = NULL;

        tap.lane = lane;
        return tap_open(&tap, opened, &name, error);
}

static bool drop_limits(GError **error)
{
        const struct tap free_tap = { .name = tap.name, .lane = lane };

        return tap_move(&free_tap, error);
}

START_TEST(what_goes_to_a_guest_is_shaped)
{
        g_autofree char *classes = NULL, *after = NULL;
        struct work work;

        if (access("/dev/net/tun", R_OK | W_OK) < 0) {
                check_skip("no /dev/net/tun");
                return;
        }
        tap.bandwidth.inbound =
                (struct traffic_rate){ .average_kbps = 125, .peak_kbps = 250, .burst_kib = 64 };
        work = run(open_limited);
        if (!check(&work, "kind is unknown", "needs a kernel with HTB"))
                return;
        classes = says("tc class show dev limited0");
        expect(classes, "rate 1Mbit ceil 2Mbit burst 64Kb");
        ck_assert(run(drop_limits).good);
        after = says("tc class show dev limited0");
        ck_assert_str_eq(after, "");
}
END_TEST

START_TEST(what_comes_from_a_guest_is_policed)
{
        g_autofree char *filters = NULL, *after = NULL;
        struct work work;

        if (access("/dev/net/tun", R_OK | W_OK) < 0) {
                check_skip("no /dev/net/tun");
                return;
        }
        tap.bandwidth.outbound = (struct traffic_rate){ .average_kbps = 125, .burst_kib = 64 };
        work = run(open_limited);
        if (!check(&work, "cannot limit what comes into 'limited0'", "needs a kernel with policing"))
                return;
        filters = says("tc filter show dev limited0 ingress");
        expect(filters, "rate 1Mbit burst 64Kb");
        expect(filters, "action drop");
        ck_assert(run(drop_limits).good);
        after = says("tc filter show dev limited0 ingress");
        ck_assert_str_eq(after, "");
}
END_TEST

/* ---- VLANs ---- */

static struct tap tagged = { .queues = 1, .name = "tagged0", .bridge = "vlans0", .up = true };
/* As long as the tap is to be there. */
static GArray *kept;

static void close_tagged(void)
{
        for (unsigned i = 0; i < kept->len; i++)
                close(g_array_index(kept, int, i));
        g_clear_pointer(&kept, g_array_unref);
}

static bool open_tagged(GError **error)
{
        g_autofree char *name = NULL;

        kept = g_array_new(FALSE, FALSE, sizeof(int));
        tagged.lane = lane;
        if (tap_open(&tagged, kept, &name, error))
                return true;
        close_tagged();
        return false;
}

static bool move_tagged(GError **error)
{
        return tap_move(&tagged, error);
}

/* "tagged0 7 PVID Egress Untagged\n 9\n" without what its width has of blanks. */
static char *list_vlans(void)
{
        g_autofree char *text = says("bridge vlan show dev tagged0"), *line = NULL;
        g_autoptr(GRegex) blanks = g_regex_new("[ \t]+", 0, 0, NULL);

        line = g_regex_replace_literal(blanks, text, -1, 0, " ", 0, NULL);
        return g_strchomp(g_strdup(strstr(line, "tagged0") ? strstr(line, "tagged0") : line));
}

static void expect_vlans(const char *wanted)
{
        g_autofree char *is = list_vlans();

        ck_assert_str_eq(is, wanted);
}

START_TEST(a_bridge_tags)
{
        static const struct vlan one = { .n_tags = 1, .tags = { { 7, VLAN_MEMBER } } },
                                 several = { true,
                                             3,
                                             { { 1, VLAN_MEMBER },
                                               { 9, VLAN_NATIVE_UNTAGGED },
                                               { 4094, VLAN_MEMBER } } },
                                 native = { true, 1, { { 5, VLAN_NATIVE_TAGGED } } }, none = { 0 };
        g_autofree char *bridge = NULL;
        struct work work;

        g_free(says("ip link add vlans0 type bridge vlan_filtering 1"));
        bridge = says("ip -details link show dev vlans0");
        if (access("/dev/net/tun", R_OK | W_OK) < 0 || !strstr(bridge, "vlan_filtering 1")) {
                check_skip("no /dev/net/tun, or a kernel without VLANs in bridges");
                return;
        }
        tagged.vlan = &one;
        work = run(open_tagged);
        ck_assert_msg(work.good, "%s", work.error ? work.error->message : "");
        expect_vlans("tagged0 7 PVID Egress Untagged");
        tagged.vlan = &several;
        ck_assert(run(move_tagged).good);
        expect_vlans("tagged0 1\n 9 PVID Egress Untagged\n 4094");
        tagged.vlan = &native;
        ck_assert(run(move_tagged).good);
        expect_vlans("tagged0 5 PVID");
        tagged.vlan = &none;
        tagged.afresh = true;
        ck_assert(run(move_tagged).good);
        expect_vlans("tagged0 1 PVID Egress Untagged");
        close_tagged();
}
END_TEST

START_TEST(a_bridge_that_does_not_tag)
{
        static const struct vlan one = { .n_tags = 1, .tags = { { 7, VLAN_MEMBER } } },
                                 bad = { .n_tags = 1, .tags = { { 4095, VLAN_MEMBER } } };
        struct work work;

        if (access("/dev/net/tun", R_OK | W_OK) < 0) {
                check_skip("no /dev/net/tun");
                return;
        }
        g_free(says("ip link add vlans0 type bridge"));
        tagged.vlan = &one;
        work = run(open_tagged);
        ck_assert(!work.good);
        expect(work.error->message, "vlan_filtering of bridge 'vlans0' is off");
        ck_assert_uint_eq(if_nametoindex("tagged0"), 0);
        g_clear_error(&work.error);
        tagged.vlan = &bad;
        work = run(open_tagged);
        ck_assert(!work.good);
        expect(work.error->message, "no VLAN 4095");
        g_clear_error(&work.error);
}
END_TEST

/* ---- virtual functions ---- */

static bool read_vf(GError **error)
{
        struct vf_config config;

        return vf_read(lane, "v0", 3, &config, error);
}

static bool write_vf(GError **error)
{
        const struct vf_config config = { { 0x52, 0x54, 0, 0, 0, 1 }, 7, 0 };

        return vf_write(lane, "v0", 3, &config, error);
}

/* What a card without such says; no machine for tests has one with them. */
START_TEST(a_card_without_virtual_functions)
{
        struct work work;

        make_lower();
        work = run(read_vf);
        ck_assert(!work.good);
        expect(work.error->message, "'v0' has no virtual function 3");
        g_clear_error(&work.error);
        work = run(write_vf);
        ck_assert(!work.good);
        expect(work.error->message, "cannot set up virtual function 3 of 'v0'");
        g_clear_error(&work.error);
}
END_TEST

CHECK_MAIN_FIXTURE("guest-links", setup, teardown, what_a_guest_receives, macvtaps_are_made_and_deleted,
                   a_macvtap_that_cannot_be_leaves_nothing, what_goes_to_a_guest_is_shaped,
                   what_comes_from_a_guest_is_policed, a_bridge_tags, a_bridge_that_does_not_tag,
                   a_card_without_virtual_functions)
