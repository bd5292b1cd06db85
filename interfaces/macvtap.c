/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Macvtaps by rtnetlink(7) and their character devices. No state; in the lane of the caller.
 */
#include "interfaces/macvtap.h"

#include "base/error.h"
#include "interfaces/change.h"
#include "interfaces/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct {
        const char *name;
        unsigned mode;
} modes[] = {
        { "vepa", MACVLAN_MODE_VEPA },
        { "bridge", MACVLAN_MODE_BRIDGE },
        { "private", MACVLAN_MODE_PRIVATE },
        { "passthrough", MACVLAN_MODE_PASSTHRU },
};

static unsigned find_mode(const char *name)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++)
                if (g_strcmp0(modes[i].name, name) == 0)
                        return modes[i].mode;
        return 0;
}

bool macvtap_is_mode(const char *mode)
{
        return find_mode(mode) != 0;
}

/* What can be said of a link without asking for all of them; NULL with an error when it is not there. */
static struct link *find(const char *name, GError **error)
{
        unsigned index = if_nametoindex(name);
        struct link *link;

        if (index == 0) {
                error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_FAILED,
                          "the host has no interface '%s'", name);
                return NULL;
        }
        link = link_new((int)index);
        g_strlcpy(link->name, name, sizeof(link->name));
        return link;
}

static char *format_mac(const uint8_t *mac)
{
        return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                               mac[5]);
}

char *macvtap_read_mac(const char *device, GError **error)
{
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { 0 };

        g_strlcpy(request.ifr_name, device, sizeof(request.ifr_name));
        if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0) {
                error_set_errno(error, ERROR_FROM_INTERFACE, errno, "cannot read the MAC address of '%s'",
                                device);
                return NULL;
        }
        return format_mac((const uint8_t *)request.ifr_hwaddr.sa_data);
}

/* ---- queues ---- */

static bool open_queue(const struct macvtap *macvtap, const char *path, bool several, int in_place_of,
                       GError **error)
{
        CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_INTERFACE, errno, "cannot open %s of macvtap '%s'",
                                       path, macvtap->name);
        if (macvtap->vnet_header)
                request.ifr_flags |= IFF_VNET_HDR;
        if (several)
                request.ifr_flags |= IFF_MULTI_QUEUE;
        g_strlcpy(request.ifr_name, macvtap->name, sizeof(request.ifr_name));
        if (ioctl(fd, TUNSETIFF, &request) < 0 || dup3(fd, in_place_of, O_CLOEXEC) < 0)
                return error_set_errno(error, ERROR_FROM_INTERFACE, errno, "cannot set up %s of macvtap '%s'",
                                       path, macvtap->name);
        return true;
}

static bool open_queues(const struct macvtap *macvtap, const struct link *link, const int *fds, unsigned n,
                        GError **error)
{
        g_autofree char *path = g_strdup_printf("/dev/tap%d", link->index);

        for (unsigned i = 0; i < n; i++)
                if (!open_queue(macvtap, path, n > 1, fds[i], error))
                        return false;
        return true;
}

/* ---- making and deleting ---- */

static bool set_up(const struct macvtap *macvtap, struct netlink *netlink, const struct link *link,
                   GError **error)
{
        const struct traffic turned = traffic_turn(&macvtap->bandwidth);

        return (macvtap->mtu == 0 || link_change_set_mtu(netlink, link, macvtap->mtu, error)) &&
               (!traffic_is_limited(&turned) || traffic_set(netlink, link, &turned, error)) &&
               (!macvtap->up || link_change_set_up(netlink, link, true, error));
}

static bool make(const struct macvtap *macvtap, struct netlink *netlink, const struct link *lower,
                 const int *fds, unsigned n, GError **error)
{
        CLEANUP(link_unref) struct link *link = NULL;
        g_autofree char *mac = format_mac(macvtap->mac);

        if (!link_change_add_macvtap(netlink, macvtap->name, lower, find_mode(macvtap->mode), mac, error))
                return false;
        link = find(macvtap->name, error);
        if (link && set_up(macvtap, netlink, link, error) && open_queues(macvtap, link, fds, n, error))
                return true;
        if (link)
                link_change_delete(netlink, link, NULL);
        return false;
}

bool macvtap_open(const struct macvtap *macvtap, const int *fds, unsigned n, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(macvtap->lane, error);
        CLEANUP(link_unref) struct link *lower = netlink ? find(macvtap->lower, error) : NULL;
        g_autofree char *mac = format_mac(macvtap->mac), *before = NULL;

        if (!lower)
                return false;
        if (find_mode(macvtap->mode) != MACVLAN_MODE_PASSTHRU)
                return make(macvtap, netlink, lower, fds, n, error);
        before = macvtap_read_mac(macvtap->lower, error);
        if (!before || !link_change_set_mac(netlink, lower, mac, error))
                return false;
        if (make(macvtap, netlink, lower, fds, n, error))
                return true;
        link_change_set_mac(netlink, lower, before, NULL);
        return false;
}

bool macvtap_delete(struct lane *lane, const char *name, const char *lower, const char *lower_mac,
                    GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new(lane, error);
        CLEANUP(link_unref) struct link *link = netlink ? find(name, NULL) : NULL;
        CLEANUP(link_unref) struct link *below = netlink && lower_mac ? find(lower, NULL) : NULL;

        if (!netlink)
                return false;
        if (link && !link_change_delete(netlink, link, error))
                return false;
        return !below || link_change_set_mac(netlink, below, lower_mac, error);
}
