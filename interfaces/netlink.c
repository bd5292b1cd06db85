/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to the kernel by rtnetlink(7) and nfnetlink. In the lane.
 */
#include "interfaces/netlink.h"

#include "base/error.h"
#include "base/lane.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* A message of a dump is at most this long (NLMSG_GOODSIZE of the kernel is less). */
#define BUFFER_SIZE (64 * 1024)
/* So often a dump is begun again when the tables change under it; then what came is taken. */
#define DUMP_ATTEMPTS 5

/* What a batch may have: the kernel copies it as a whole. */
#define BATCH_BYTES (4 * 1024 * 1024)

struct netlink {
        struct lane *lane;      /* borrowed */
        int protocol;           /* NETLINK_ROUTE, NETLINK_NETFILTER */
        struct nl_sock *socket; /* owned */
        char *buffer;           /* owned, BUFFER_SIZE */
};

static void ask_for_reasons(int fd)
{
        int on = 1;

        /* The kernel's own words with an error; kernels before 4.12 have none. */
        setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
}

static struct netlink *open_socket(struct lane *lane, int protocol, GError **error)
{
        struct netlink *netlink = g_new0(struct netlink, 1);
        int result;

        netlink->lane = lane;
        netlink->protocol = protocol;
        netlink->buffer = g_malloc(BUFFER_SIZE);
        netlink->socket = nl_socket_alloc();
        result = netlink->socket ? nl_connect(netlink->socket, protocol) : -NLE_NOMEM;
        if (result < 0) {
                error_set(error, ERROR_FROM_INTERFACE, ERROR_SYSTEM_ERROR, "cannot open a netlink socket: %s",
                          nl_geterror(result));
                netlink_free(netlink);
                return NULL;
        }
        nl_socket_set_nonblocking(netlink->socket);
        ask_for_reasons(nl_socket_get_fd(netlink->socket));
        return netlink;
}

struct netlink *netlink_new(struct lane *lane, GError **error)
{
        return open_socket(lane, NETLINK_ROUTE, error);
}

struct netlink *netlink_new_filter(struct lane *lane, GError **error)
{
        return open_socket(lane, NETLINK_NETFILTER, error);
}

void netlink_free(struct netlink *netlink)
{
        if (!netlink)
                return;
        if (netlink->socket)
                nl_socket_free(netlink->socket);
        g_free(netlink->buffer);
        g_free(netlink);
}

/* ---- answers ---- */

enum answer {
        ANSWER_MORE,
        ANSWER_DONE,
        ANSWER_INTERRUPTED, /* done, but the tables changed meanwhile */
        ANSWER_FAILED,
};

struct exchange {
        uint32_t sequence;
        uint32_t first;                  /* of a batch: an error of any of it counts */
        const struct netlink_dump *dump; /* NULL: a request */
        const char *what;
        int errnum;
        bool interrupted;
        GError **error;
};

/* The text that the kernel puts behind an error (NLMSGERR_ATTR_MSG); NULL: none. Borrowed. */
static const char *get_reason(const struct nlmsghdr *header)
{
        const struct nlmsgerr *message = NLMSG_DATA(header);
        size_t offset = NLMSG_HDRLEN + sizeof(*message);
        struct nlattr *reason;

        if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
                return NULL;
        if (!(header->nlmsg_flags & NLM_F_CAPPED))
                offset += NLMSG_ALIGN(message->msg.nlmsg_len) - sizeof(message->msg);
        if (offset >= header->nlmsg_len)
                return NULL;
        reason = nla_find((const struct nlattr *)(const void *)((const char *)header + offset),
                          (int)(header->nlmsg_len - offset), NLMSGERR_ATTR_MSG);
        if (!reason || nla_len(reason) < 1 || ((char *)nla_data(reason))[nla_len(reason) - 1] != '\0')
                return NULL;
        return nla_data(reason);
}

static enum answer take_error(struct exchange *exchange, const struct nlmsghdr *header)
{
        const struct nlmsgerr *message = NLMSG_DATA(header);
        const char *reason;

        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*message)))
                return ANSWER_MORE;
        if (message->error == 0)
                return ANSWER_DONE;
        exchange->errnum = -message->error;
        reason = get_reason(header);
        error_set(exchange->error, ERROR_FROM_INTERFACE, ERROR_SYSTEM_ERROR, "cannot %s: %s%s%s%s",
                  exchange->what, g_strerror(exchange->errnum), reason ? " (" : "", reason ? reason : "",
                  reason ? ")" : "");
        return ANSWER_FAILED;
}

static enum answer take_message(struct exchange *exchange, struct nlmsghdr *header)
{
        if (header->nlmsg_seq != exchange->sequence &&
            !(exchange->first && header->nlmsg_seq >= exchange->first &&
              header->nlmsg_seq <= exchange->sequence))
                return ANSWER_MORE;
        if (header->nlmsg_flags & NLM_F_DUMP_INTR)
                exchange->interrupted = true;
        if (header->nlmsg_type == NLMSG_ERROR)
                return take_error(exchange, header);
        if (header->nlmsg_type == NLMSG_DONE)
                return exchange->interrupted ? ANSWER_INTERRUPTED : ANSWER_DONE;
        if (exchange->dump)
                exchange->dump->fn(header, exchange->dump->data);
        return ANSWER_MORE;
}

static bool wait_readable(struct netlink *netlink, lane_deadline deadline, struct exchange *exchange)
{
        switch (lane_wait(netlink->lane, nl_socket_get_fd(netlink->socket), POLLIN, NULL, deadline)) {
        case LANE_READY:
                return true;
        case LANE_TIMEOUT:
                return error_set(exchange->error, ERROR_FROM_INTERFACE, ERROR_OPERATION_TIMEOUT,
                                 "cannot %s: the kernel does not answer", exchange->what);
        default:
                return error_set(exchange->error, ERROR_FROM_INTERFACE, ERROR_OPERATION_ABORTED,
                                 "cannot %s: it was cancelled", exchange->what);
        }
}

static enum answer read_answer(struct netlink *netlink, struct exchange *exchange)
{
        lane_deadline deadline = lane_deadline_in(NETLINK_TIMEOUT_MS);
        enum answer answer = ANSWER_MORE;

        while (answer == ANSWER_MORE) {
                ssize_t length =
                        recv(nl_socket_get_fd(netlink->socket), netlink->buffer, BUFFER_SIZE, MSG_DONTWAIT);
                struct nlmsghdr *header = (void *)netlink->buffer;
                int rest = (int)length;

                if (length < 0 && errno == EAGAIN) {
                        if (!wait_readable(netlink, deadline, exchange))
                                return ANSWER_FAILED;
                        continue;
                }
                if (length < 0 && errno != EINTR) {
                        exchange->errnum = errno;
                        error_set_errno(exchange->error, ERROR_FROM_INTERFACE, errno, "cannot %s",
                                        exchange->what);
                        return ANSWER_FAILED;
                }
                for (; nlmsg_ok(header, rest) && answer == ANSWER_MORE; header = nlmsg_next(header, &rest))
                        answer = take_message(exchange, header);
        }
        return answer;
}

static bool send_message(struct netlink *netlink, struct nl_msg *message, struct exchange *exchange)
{
        int result = nl_send_auto(netlink->socket, message);

        exchange->sequence = nlmsg_hdr(message)->nlmsg_seq;
        if (result >= 0)
                return true;
        return error_set(exchange->error, ERROR_FROM_INTERFACE, ERROR_SYSTEM_ERROR, "cannot %s: %s",
                         exchange->what, nl_geterror(result));
}

/* ---- requests ---- */

bool netlink_request(struct netlink *netlink, struct nl_msg *message, const char *what, int *errnum,
                     GError **error)
{
        struct exchange exchange = { .what = what, .error = error };
        bool good;

        nlmsg_hdr(message)->nlmsg_flags |= NLM_F_ACK;
        good = send_message(netlink, message, &exchange) && read_answer(netlink, &exchange) == ANSWER_DONE;
        nlmsg_free(message);
        if (errnum)
                *errnum = exchange.errnum;
        return good;
}

bool netlink_request_batch(struct netlink *netlink, const GByteArray *messages, uint32_t last,
                           const char *what, int *errnum, GError **error)
{
        struct exchange exchange = { .what = what, .error = error, .first = 1, .sequence = last };
        int fd = nl_socket_get_fd(netlink->socket), size = BATCH_BYTES;
        bool good = false;

        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
        if (send(fd, messages->data, messages->len, 0) == (ssize_t)messages->len) {
                good = read_answer(netlink, &exchange) == ANSWER_DONE;
        } else {
                exchange.errnum = errno;
                error_set_errno(error, ERROR_FROM_INTERFACE, errno, "cannot %s", what);
        }
        *errnum = exchange.errnum;
        return good;
}

static void put_head(const struct netlink *netlink, const struct netlink_dump *dump, struct nl_msg *message)
{
        const struct rtgenmsg of_links = { .rtgen_family = (unsigned char)dump->family };
        const struct ifinfomsg whole = { .ifi_family = (unsigned char)dump->family };
        const struct nfgenmsg of_filter = { .nfgen_family = (uint8_t)dump->family, .version = NFNETLINK_V0 };

        if (netlink->protocol == NETLINK_NETFILTER)
                nlmsg_append(message, (void *)&of_filter, sizeof(of_filter), NLMSG_ALIGNTO);
        else if (dump->extra)
                nlmsg_append(message, (void *)&whole, sizeof(whole), NLMSG_ALIGNTO);
        else
                nlmsg_append(message, (void *)&of_links, sizeof(of_links), NLMSG_ALIGNTO);
        if (dump->extra)
                nla_put_u32(message, IFLA_EXT_MASK, dump->extra);
        if (dump->attr)
                nla_put_string(message, dump->attr, dump->value);
        if (dump->second_attr)
                nla_put_string(message, dump->second_attr, dump->second_value);
}

static enum answer dump_once(struct netlink *netlink, const struct netlink_dump *dump, GError **error)
{
        struct exchange exchange = {
                .dump = dump,
                .what = netlink->protocol == NETLINK_NETFILTER ? "read the rules of the host"
                                                               : "read the links of the host",
                .error = error,
        };
        struct nl_msg *message = nlmsg_alloc_simple(dump->type, NLM_F_REQUEST | NLM_F_DUMP);
        enum answer answer = ANSWER_FAILED;

        put_head(netlink, dump, message);
        if (send_message(netlink, message, &exchange))
                answer = read_answer(netlink, &exchange);
        nlmsg_free(message);
        if (answer == ANSWER_FAILED && dump->may_be_absent && exchange.errnum == ENOENT) {
                g_clear_error(error);
                answer = ANSWER_DONE;
        }
        return answer;
}

bool netlink_dump(struct netlink *netlink, const struct netlink_dump *dump, GError **error)
{
        enum answer answer = ANSWER_INTERRUPTED;

        for (unsigned i = 0; i < DUMP_ATTEMPTS && answer == ANSWER_INTERRUPTED; i++) {
                if (i > 0 && dump->reset)
                        dump->reset(dump->data);
                answer = dump_once(netlink, dump, error);
        }
        if (answer == ANSWER_INTERRUPTED && dump->exact)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_SYSTEM_ERROR,
                                 "cannot read what the kernel has: it changed %d times meanwhile",
                                 DUMP_ATTEMPTS);
        return answer != ANSWER_FAILED;
}
