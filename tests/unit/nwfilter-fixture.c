/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/nwfilter-fixture.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <check.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 20000

struct loop *loop;
struct pool *pool;
struct nwfilters *nwfilters;
bool has_namespace;
static char *top;
static struct lane *lane;

void run_command(const char *command)
{
        ck_assert_msg(system(command) == 0, "%s", command);
}

/* ---- the model ---- */

void open_nwfilters(bool stock)
{
        g_autofree char *state = g_build_filename(top, "state", NULL);
        g_autofree char *run = g_build_filename(top, "run", NULL);
        const struct nwfilters_config config = { state, stock ? STOCK : NULL, run };

        nwfilters = nwfilters_new(loop, pool, &config);
        ck_assert(nwfilters_load(nwfilters, NULL));
}

char *get_nwfilter_path(const char *name)
{
        return g_build_filename(top, name, NULL);
}

void settle_nwfilters(void)
{
        while (registry_get_pending(nwfilters_get_registry(nwfilters)) || nwfilters_are_busy(nwfilters))
                loop_step(loop, true);
}

void close_nwfilters(void)
{
        nwfilters_quiesce(nwfilters);
        settle_nwfilters();
        nwfilters_free(nwfilters);
        nwfilters = NULL;
}

void setup_nwfilters(void)
{
        log_init(LOG_LEVEL_ERROR);
        has_namespace = unshare(CLONE_NEWNET) == 0;
        if (has_namespace)
                run_command(
                        "for i in 0 1; do ip link add t$i type veth peer name g$i; ip link set g$i up; done;"
                        "ip link add br0 type bridge mcast_snooping 0;"
                        "for i in 0 1; do ip link set t$i master br0 up; done; ip link set br0 up");
        top = g_dir_make_tmp("virtbus-nwfilter-XXXXXX", NULL);
        loop = loop_new(NULL);
        pool = pool_new(4, NULL);
        lane = lane_new(pool, loop, "guest");
        open_nwfilters(true);
}

void teardown_nwfilters(void)
{
        g_autofree char *command = g_strdup_printf("rm -rf %s", top);

        if (nwfilters)
                close_nwfilters();
        lane_unref(lane);
        run_command(command);
        pool_free(pool);
        loop_free(loop);
        g_free(top);
}

/* ---- calls ---- */

struct outcome {
        bool done;
        GError *error; /* owned */
        struct managed *object;
};

static void finish(struct managed *object, const GError *error, void *data)
{
        struct outcome *outcome = data;

        outcome->done = true;
        outcome->object = object;
        outcome->error = error ? g_error_copy(error) : NULL;
}

static void expect(struct outcome *outcome, const char *wanted)
{
        while (!outcome->done)
                loop_step(loop, true);
        ck_assert_msg(!outcome->error == !wanted, "%s",
                      outcome->error ? outcome->error->message : "no error");
        ck_assert_msg(!wanted || strstr(outcome->error->message, wanted), "%s",
                      wanted ? outcome->error->message : "");
        g_clear_error(&outcome->error);
}

struct nwfilter *define_filter(const char *xml, const char *wanted)
{
        struct outcome outcome = { 0 };

        nwfilter_define_xml(nwfilters, xml, finish, &outcome);
        expect(&outcome, wanted);
        settle_nwfilters();
        return (struct nwfilter *)outcome.object;
}

void undefine_filter(const char *name, const char *wanted)
{
        struct nwfilter *filter = nwfilter_lookup_name(nwfilters, name, NULL);
        struct outcome outcome = { 0 };

        ck_assert(filter != NULL);
        nwfilter_undefine(filter, finish, &outcome);
        expect(&outcome, wanted);
        settle_nwfilters();
}

/* ---- ports ---- */

struct nwfilter_port *make_port(const char *device, const char *filter, const char *params)
{
        CLEANUP(nwfilter_params_free) struct nwfilter_params *list = nwfilter_params_new();
        g_auto(GStrv) pairs = g_strsplit(params ? params : "", " ", -1);

        for (unsigned i = 0; pairs[i]; i++) {
                g_auto(GStrv) pair = g_strsplit(pairs[i], "=", 2);

                if (*pairs[i])
                        ck_assert(nwfilter_params_add(list, pair[0], pair[1], NULL));
        }
        return nwfilter_port_new(device, (const uint8_t *)GUEST_MAC, filter, list, "web");
}

struct errand {
        struct nwfilter_snapshot *snapshot;
        struct nwfilter_port *port;
        struct outcome outcome;
};

static void come_back(void *data)
{
        ((struct errand *)data)->outcome.done = true;
}

static void apply_job(void *data)
{
        struct errand *errand = data;

        nwfilter_port_apply(nwfilters, errand->snapshot, lane, errand->port, &errand->outcome.error);
        loop_post(loop, come_back, errand);
}

void apply_port(struct nwfilter_port *port, const char *wanted)
{
        struct errand errand = { .snapshot = nwfilters_get_snapshot(nwfilters), .port = port };

        lane_post(lane, apply_job, &errand);
        expect(&errand.outcome, wanted);
        nwfilter_snapshot_unref(errand.snapshot);
        settle_nwfilters();
}

void remove_port(struct nwfilter_port *port)
{
        nwfilter_port_forget(nwfilters, port);
        loop_step(loop, true);
        settle_nwfilters();
}

char *list_rules(void)
{
        char *output;
        int status;

        ck_assert(g_spawn_command_line_sync("nft -n list ruleset", &output, NULL, &status, NULL));
        ck_assert_int_eq(status, 0);
        return output;
}

/* ---- frames ---- */

static void put(struct frame *frame, const void *bytes, unsigned length)
{
        ck_assert_uint_le(frame->length + length, sizeof(frame->bytes));
        memcpy(frame->bytes + frame->length, bytes, length);
        frame->length += length;
}

static void put_number(struct frame *frame, unsigned number, unsigned size)
{
        for (unsigned i = size; i-- > 0;) {
                uint8_t byte = (uint8_t)(number >> 8 * i);

                put(frame, &byte, 1);
        }
}

static void put_ip(struct frame *frame, const char *text)
{
        uint8_t address[4];

        ck_assert_int_eq(inet_pton(AF_INET, text, address), 1);
        put(frame, address, sizeof(address));
}

struct frame make_frame(const char *to, const char *from, unsigned ether_type)
{
        struct frame frame = { .length = 0 };

        put(&frame, to, 6);
        put(&frame, from, 6);
        put_number(&frame, ether_type, 2);
        return frame;
}

/* Each is another one. */
static void finish_frame(struct frame *frame)
{
        static unsigned number;

        put_number(frame, ++number, 4);
        while (frame->length < 60)
                put_number(frame, 0, 1);
}

struct frame make_arp(const char *from, unsigned ether_type, unsigned operation, const char *sender_mac,
                      const char *sender_ip, const char *target_ip)
{
        struct frame frame = make_frame(BROADCAST, from, ether_type);

        put_number(&frame, 1, 2);
        put_number(&frame, ETH_P_IP, 2);
        put_number(&frame, 0x0604, 2);
        put_number(&frame, operation, 2);
        put(&frame, sender_mac, 6);
        put_ip(&frame, sender_ip);
        put(&frame, ether_type == ETH_P_RARP ? sender_mac : "\0\0\0\0\0\0", 6);
        put_ip(&frame, target_ip);
        finish_frame(&frame);
        return frame;
}

/* RFC 1071; the bridge looks at that of IPv4. */
static void put_checksum(uint8_t header[20])
{
        unsigned sum = 0;

        for (unsigned i = 0; i < 20; i += 2)
                sum += (unsigned)header[i] << 8 | header[i + 1];
        sum = (sum & 0xffff) + (sum >> 16);
        sum = ~(sum + (sum >> 16)) & 0xffff;
        header[10] = (uint8_t)(sum >> 8);
        header[11] = (uint8_t)sum;
}

static struct frame begin_udp(const char *from, const char *source, unsigned source_port, const char *target,
                              unsigned target_port, unsigned length)
{
        struct frame frame = make_frame(BROADCAST, from, ETH_P_IP);

        put_number(&frame, 0x4500, 2);
        put_number(&frame, 28 + length, 2);
        put_number(&frame, 0, 4);
        put_number(&frame, 64 << 8 | IPPROTO_UDP, 2);
        put_number(&frame, 0, 2);
        put_ip(&frame, source);
        put_ip(&frame, target);
        put_checksum(frame.bytes + 14);
        put_number(&frame, source_port, 2);
        put_number(&frame, target_port, 2);
        put_number(&frame, 8 + length, 2);
        put_number(&frame, 0, 2);
        return frame;
}

struct frame make_udp(const char *from, const char *source, unsigned source_port, const char *target,
                      unsigned target_port)
{
        struct frame frame = begin_udp(from, source, source_port, target, target_port, 18);

        finish_frame(&frame);
        return frame;
}

struct frame make_ipv6(const char *from)
{
        static const uint8_t addresses[32] = { 0xfe, 0x80, [15] = 1, [16] = 0xfe, [17] = 0x80, [31] = 2 };
        struct frame frame = make_frame(BROADCAST, from, ETH_P_IPV6);

        put_number(&frame, 0x60000000, 4);
        put_number(&frame, 12, 2);
        put_number(&frame, IPPROTO_UDP << 8 | 64, 2);
        put(&frame, addresses, sizeof(addresses));
        put_number(&frame, 5 << 16 | 6, 4);
        put_number(&frame, 12 << 16, 4);
        finish_frame(&frame);
        return frame;
}

/* RFC 2131, figure 1. */
struct frame make_lease(const char *server, const char *address)
{
        struct frame frame = begin_udp(OTHER_MAC, server, 67, "255.255.255.255", 68, 300);

        put_number(&frame, 0x02010600, 4);
        put_number(&frame, 0x1234, 4); /* xid */
        put_number(&frame, 0, 4);
        put_ip(&frame, "0.0.0.0");
        put_ip(&frame, address);
        put_ip(&frame, server);
        put_ip(&frame, "0.0.0.0");
        put(&frame, GUEST_MAC, 6);
        while (frame.length < 14 + 28 + 296)
                put_number(&frame, 0, 1);
        finish_frame(&frame);
        return frame;
}

/* Both ends stay open: to close a socket of packets takes the kernel long. */
static int get_socket(const char *device)
{
        static int sockets[2] = { -1, -1 };
        const struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                             .sll_protocol = htons(ETH_P_ALL),
                                             .sll_ifindex = (int)if_nametoindex(device) };
        int *fd = &sockets[device[1] - '0'];

        if (*fd < 0) {
                *fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
                ck_assert_int_ge(*fd, 0);
                ck_assert_int_eq(bind(*fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        }
        return *fd;
}

static bool is(const struct frame *frame, const uint8_t *bytes, ssize_t length)
{
        return length >= (ssize_t)frame->length && memcmp(bytes, frame->bytes, frame->length) == 0;
}

bool gets_through(const char *from, const char *to, const struct frame *frame, const struct frame *marker)
{
        int sender = get_socket(from), receiver = get_socket(to);
        bool found = false, ended = false;

        ck_assert_int_eq(write(sender, frame->bytes, frame->length), frame->length);
        ck_assert_int_eq(write(sender, marker->bytes, marker->length), marker->length);
        while (!ended) {
                struct pollfd poll_fd = { receiver, POLLIN, 0 };
                uint8_t bytes[2048];
                ssize_t length;

                ck_assert_msg(poll(&poll_fd, 1, DEADLINE_MS) == 1, "the marker does not come");
                length = read(receiver, bytes, sizeof(bytes));
                found |= is(frame, bytes, length);
                ended = is(marker, bytes, length);
        }
        return found;
}
