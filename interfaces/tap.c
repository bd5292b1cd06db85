/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tap devices through /dev/net/tun and the classic ioctls. No state.
 */
#include "interfaces/tap.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "interfaces/change.h"
#include "interfaces/ethtool.h"
#include "interfaces/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define NAME_TEMPLATE "vnet%d"

static void close_from(GArray *fds, unsigned first)
{
        for (unsigned i = first; i < fds->len; i++)
                close(g_array_index(fds, int, i));
        g_array_set_size(fds, first);
}

static bool set_name(struct ifreq *request, const char *name, GError **error)
{
        if (strlen(name) >= IFNAMSIZ) {
                g_autofree char *quoted = error_quote(name);

                return error_set(error, ERROR_FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                                 "the name of network device '%s' has more than %d bytes", quoted,
                                 IFNAMSIZ - 1);
        }
        memset(request, 0, sizeof(*request));
        memcpy(request->ifr_name, name, strlen(name));
        return true;
}

/* With netlink, as the classic ioctls know nothing of it. */
static bool finish(const struct tap *tap, const char *name, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(tap->lane, error);
        CLEANUP(link_unref) struct link *link = link_new((int)if_nametoindex(name));

        g_strlcpy(link->name, name, sizeof(link->name));
        if (tap->is_foreign)
                return true;
        return netlink &&
               (!tap->bridge || !tap->isolated || link_change_set_isolated(netlink, link, true, error)) &&
               (!tap->bridge || vlan_set_port(netlink, link, tap->bridge, tap->vlan, error)) &&
               traffic_set(netlink, link, &tap->bandwidth, error);
}

/* One queue; *name is a template at the first one and gets the name chosen. */
static int open_queue(const struct tap *tap, bool first, char name[IFNAMSIZ], GError **error)
{
        const char *device = tap->device ? tap->device : "/dev/net/tun";
        CLEANUP_FD int fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        struct ifreq request;

        if (fd < 0) {
                error_set_errno(error, ERROR_FROM_NONE, errno, "cannot open %s", device);
                return -1;
        }
        if (!set_name(&request, name, error))
                return -1;
        request.ifr_flags = IFF_TAP | IFF_NO_PI;
        if (tap->vnet_header)
                request.ifr_flags |= IFF_VNET_HDR;
        if (tap->queues > 1)
                request.ifr_flags |= IFF_MULTI_QUEUE;
        if (first && !tap->existing)
                request.ifr_flags |= (short)IFF_TUN_EXCL;
        if (ioctl(fd, TUNSETIFF, &request) < 0) {
                error_set_errno(error, ERROR_FROM_NONE, errno, "cannot make tap device '%s'", name);
                return -1;
        }
        memcpy(name, request.ifr_name, IFNAMSIZ);
        name[IFNAMSIZ - 1] = '\0';
        return fd_steal(&fd);
}

static bool control(int fd, unsigned long command, struct ifreq *request, const char *what, GError **error)
{
        if (ioctl(fd, command, request) == 0)
                return true;
        return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot %s '%s'", what, request->ifr_name);
}

/*
 * The host's end gets the guest's address with a high first byte: a bridge takes the lowest address of its
 * ports for its own, and must not change it when a guest comes or goes.
 */
static bool set_mac(int fd, const char *name, const uint8_t *mac, GError **error)
{
        struct ifreq request;

        if (!set_name(&request, name, error))
                return false;
        request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        memcpy(request.ifr_hwaddr.sa_data, mac, 6);
        request.ifr_hwaddr.sa_data[0] = (char)0xfe;
        return control(fd, SIOCSIFHWADDR, &request, "set the address of tap device", error);
}

static bool set_mtu(int fd, const struct tap *tap, const char *name, GError **error)
{
        struct ifreq request;
        int mtu = (int)tap->mtu;

        if (mtu == 0 && tap->bridge) {
                if (!set_name(&request, tap->bridge, error) ||
                    !control(fd, SIOCGIFMTU, &request, "read the MTU of bridge", error))
                        return false;
                mtu = request.ifr_mtu;
        }
        if (mtu == 0)
                return true;
        if (!set_name(&request, name, error))
                return false;
        request.ifr_mtu = mtu;
        return control(fd, SIOCSIFMTU, &request, "set the MTU of tap device", error);
}

static bool join_bridge(int fd, const char *bridge, const char *name, GError **error)
{
        struct ifreq request;

        if (!set_name(&request, bridge, error))
                return false;
        request.ifr_ifindex = (int)if_nametoindex(name);
        if (ioctl(fd, SIOCBRADDIF, &request) == 0)
                return true;
        return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot add '%s' to bridge '%s'", name, bridge);
}

static bool set_up(int fd, const char *name, GError **error)
{
        struct ifreq request;

        if (!set_name(&request, name, error) ||
            !control(fd, SIOCGIFFLAGS, &request, "read the state of", error))
                return false;
        request.ifr_flags |= IFF_UP;
        return control(fd, SIOCSIFFLAGS, &request, "set up tap device", error);
}

static bool set_coalesce(int fd, const char *name, unsigned frames, GError **error)
{
        return ethtool_set_coalesce(fd, name, frames) ||
               error_set_errno(error, ERROR_FROM_NONE, errno,
                               "cannot have packets of '%s' told of %u at once", name, frames);
}

static bool configure(const struct tap *tap, const char *name, GError **error)
{
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot make a socket");
        if (tap->mac && !set_mac(fd, name, tap->mac, error))
                return false;
        if (!set_mtu(fd, tap, name, error))
                return false;
        if (tap->bridge && !tap->is_foreign && !join_bridge(fd, tap->bridge, name, error))
                return false;
        if (tap->coalesce && !set_coalesce(fd, name, tap->coalesce, error))
                return false;
        if (tap->lane && !finish(tap, name, error))
                return false;
        if (tap->up && !set_up(fd, name, error))
                return false;
        return !tap->ips || link_ips_add(tap->lane, name, tap->ips, error);
}

bool tap_open(const struct tap *tap, GArray *fds, char **name, GError **error)
{
        unsigned first = fds->len;
        char device[IFNAMSIZ] = NAME_TEMPLATE;
        struct ifreq request;

        if (tap->name) {
                if (!set_name(&request, tap->name, error))
                        return false;
                memcpy(device, request.ifr_name, IFNAMSIZ);
        }
        for (unsigned i = 0; i < tap->queues; i++) {
                int fd = open_queue(tap, i == 0, device, error);

                if (fd < 0) {
                        close_from(fds, first);
                        return false;
                }
                g_array_append_val(fds, fd);
        }
        if (!tap->existing && !configure(tap, device, error)) {
                close_from(fds, first);
                return false;
        }
        *name = g_strdup(device);
        return true;
}

static bool enter(struct netlink *netlink, const struct link *link, const struct tap *tap, GError **error)
{
        CLEANUP(link_unref) struct link *bridge = link_new((int)if_nametoindex(tap->bridge));

        g_strlcpy(bridge->name, tap->bridge, sizeof(bridge->name));
        if (bridge->index == 0)
                return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                                 "the host has no interface '%s'", tap->bridge);
        return (!tap->afresh || link_change_set_master(netlink, link, NULL, error)) &&
               link_change_set_master(netlink, link, bridge, error) &&
               link_change_set_isolated(netlink, link, tap->isolated, error) &&
               vlan_set_port(netlink, link, tap->bridge, tap->vlan, error);
}

static bool change_coalesce(const struct tap *tap, GError **error)
{
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_NONE, errno, "cannot make a socket");
        return set_coalesce(fd, tap->name, tap->coalesce, error);
}

bool tap_move(const struct tap *tap, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(tap->lane, error);
        CLEANUP(link_unref) struct link *link = link_new((int)if_nametoindex(tap->name));

        g_strlcpy(link->name, tap->name, sizeof(link->name));
        if (netlink && link->index == 0)
                return error_set(error, ERROR_FROM_NONE, ERROR_OPERATION_FAILED,
                                 "the host has no interface '%s'", tap->name);
        return netlink && (!tap->bridge || enter(netlink, link, tap, error)) &&
               (!tap->coalesce_changes || change_coalesce(tap, error)) &&
               traffic_set(netlink, link, &tap->bandwidth, error);
}

bool tap_open_vhost(unsigned count, const char *device, GArray *fds)
{
        unsigned first = fds->len;

        for (unsigned i = 0; i < count; i++) {
                int fd = open(device ? device : "/dev/vhost-net", O_RDWR | O_CLOEXEC);

                if (fd < 0) {
                        close_from(fds, first);
                        return false;
                }
                g_array_append_val(fds, fd);
        }
        return true;
}
