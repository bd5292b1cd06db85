/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces: the host's end (QEMU's user network, or taps that start has opened) and the device that
 * the guest sees. Values only; any thread.
 */
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/qemu-caps.h"

#include <string.h>

/* Each is a socket of the emulator's. */
#define FORWARDS_MAX 1024

static bool is_virtio(const struct domain_interface *interface)
{
        static const char *const models[] = { "virtio", "virtio-transitional", "virtio-non-transitional" };

        for (unsigned i = 0; i < G_N_ELEMENTS(models); i++) {
                if (g_strcmp0(models[i], interface->model) == 0)
                        return true;
        }
        return false;
}

/* ---- the host's end ---- */

static void set_user_networks(json_t *netdev, const struct domain_interface *interface)
{
        for (unsigned i = 0; i < interface->n_ips; i++) {
                const struct domain_ip *ip = &interface->ips[i];

                if (g_strcmp0(ip->family, "ipv6") == 0) {
                        device_set_string(netdev, "ipv6-prefix", ip->address);
                        device_set_uint(netdev, "ipv6-prefixlen", ip->prefix);
                } else if (ip->prefix) {
                        device_set_format(netdev, "net", "%s/%u", ip->address, (unsigned)ip->prefix);
                } else {
                        device_set_string(netdev, "net", ip->address);
                }
        }
}

/* "tcp:127.0.0.1:2222-:22" */
static bool add_range(json_t *list, const struct domain_port_forward *forward,
                      const struct domain_port_range *range, GError **error)
{
        unsigned end = MAX(range->end, range->start), to = range->to ? range->to : range->start;

        if (range->exclude == DOMAIN_SWITCH_ON)
                return device_unsupported(error, "exclude='yes' of <portForward>");
        for (unsigned port = range->start; port <= end; port++, to++) {
                g_autofree char *rule = g_strdup_printf("%s:%s:%u-:%u", forward->proto,
                                                        forward->address ? forward->address : "", port, to);

                if (json_array_size(list) >= FORWARDS_MAX)
                        return device_unsupported(error, "<portForward> of more than %d ports", FORWARDS_MAX);
                json_array_append_new(list, json_pack("{s:s}", "str", rule));
        }
        return true;
}

static bool add_forward(json_t *list, const struct domain_port_forward *forward, GError **error)
{
        if (forward->dev)
                return device_unsupported(error, "attribute 'dev' of <portForward>");
        if (forward->n_ranges == 0)
                return device_unsupported(error, "<portForward> without a <range>");
        if (forward->address && strspn(forward->address, "0123456789.") != strlen(forward->address))
                return device_unsupported(error, "<portForward> of another address than one of IPv4");
        for (unsigned i = 0; i < forward->n_ranges; i++)
                if (!add_range(list, forward, &forward->ranges[i], error))
                        return false;
        return true;
}

static bool set_forwards(json_t *netdev, const struct domain_interface *interface, GError **error)
{
        json_t *list = json_array();

        for (unsigned i = 0; i < interface->n_forwards; i++) {
                if (!add_forward(list, &interface->forwards[i], error)) {
                        json_decref(list);
                        return false;
                }
        }
        if (json_array_size(list) > 0)
                json_object_set(netdev, "hostfwd", list);
        json_decref(list);
        return true;
}

/* A netdev in the making. */
struct netdev {
        struct device_list *list;             /* borrowed */
        const struct device_context *context; /* borrowed */
        json_t *object;
};

/* "fd": "21" for one, "fds": "21:22" for several; while the guest runs "fd-net0-0:fd-net0-1". */
static void set_fds(const struct netdev *netdev, const char *key, const GArray *fds, const char *alias)
{
        g_autoptr(GString) names = g_string_new(NULL);
        g_autofree char *keys = g_strconcat(key, fds->len > 1 ? "s" : "", NULL);

        for (unsigned i = 0; i < fds->len; i++) {
                g_autofree char *name = device_list_add_fd(
                        netdev->list, netdev->context, g_array_index(fds, int, i), "%s-%s-%u", key, alias, i);

                g_string_append_printf(names, "%s%s", i ? ":" : "", name);
        }
        device_set_string(netdev->object, keys, names->str);
}

static bool describe_tap(const struct netdev *tap, const struct domain_interface *interface, GError **error)
{
        const struct device_context *context = tap->context;
        json_t *netdev = tap->object;
        const struct device_resources *resources = device_get_resources(context, interface->info.alias);

        if (!resources || !resources->fds || resources->fds->len == 0)
                return device_unsupported(error, "interface type '%s' is not supported",
                                          domain_interface_type_get_name(interface->type));
        device_set_string(netdev, "type", "tap");
        set_fds(tap, "fd", resources->fds, interface->info.alias);
        device_set_uint(netdev, "sndbuf", interface->sndbuf);
        if (resources->vhost_fds && resources->vhost_fds->len) {
                device_set_bool(netdev, "vhost", true);
                set_fds(tap, "vhostfd", resources->vhost_fds, interface->info.alias);
        }
        return true;
}

/* The other end of its socket is passt's. */
static bool describe_passt(const struct netdev *made, const struct domain_interface *interface,
                           GError **error)
{
        const struct device_context *context = made->context;
        const struct device_resources *resources = device_get_resources(context, interface->info.alias);
        g_autofree char *fd = NULL;

        if (!qemu_caps_has_argument(context->caps, "netdev_add/type=stream"))
                return device_unsupported(error,
                                          "<backend type='passt'> of interface '%s' needs QEMU 7.2 or later",
                                          interface->info.alias);
        if (!resources || !resources->fds || resources->fds->len == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no passt was started for interface '%s'", interface->info.alias);
        fd = device_list_add_fd(made->list, context, g_array_index(resources->fds, int, 0), "fd-%s",
                                interface->info.alias);
        device_set_string(made->object, "type", "stream");
        device_set_bool(made->object, "server", false);
        json_object_set_new(made->object, "addr", json_pack("{s:s, s:s}", "type", "fd", "str", fd));
        return true;
}

static bool describe_user(const struct netdev *made, const struct domain_interface *interface, GError **error)
{
        device_set_string(made->object, "type", "user");
        set_user_networks(made->object, interface);
        return set_forwards(made->object, interface, error);
}

/* "127.0.0.1:5558" */
static void set_place(json_t *netdev, const char *key, const char *host, uint32_t port)
{
        device_set_format(netdev, key, "%s:%u", host ? host : "", (unsigned)port);
}

/* Guests that are wired to each other by the emulators alone. */
static void describe_socket(json_t *netdev, const struct domain_interface *interface)
{
        static const char *const keys[DOMAIN_INTERFACE_LAST] = {
                [DOMAIN_INTERFACE_MCAST] = "mcast",
                [DOMAIN_INTERFACE_SERVER] = "listen",
                [DOMAIN_INTERFACE_CLIENT] = "connect",
                [DOMAIN_INTERFACE_UDP] = "udp",
        };

        device_set_string(netdev, "type", "socket");
        set_place(netdev, keys[interface->type], interface->host, interface->port);
        if (interface->type == DOMAIN_INTERFACE_UDP)
                set_place(netdev, "localaddr", interface->local_host, interface->local_port);
}

static bool check_virtio(const struct domain_interface *interface, GError **error)
{
        return is_virtio(interface) ||
               device_unsupported(error, "interface '%s' of type '%s' has the model '%s', not 'virtio'",
                                  interface->info.alias, domain_interface_type_get_name(interface->type),
                                  interface->model ? interface->model : "");
}

/* Another process handles the packets, in the guest's memory. */
static bool describe_vhostuser(const struct netdev *made, const struct domain_interface *interface,
                               GError **error)
{
        const struct domain_char_source source = {
                .type = DOMAIN_CHAR_UNIX,
                .listen = interface->listens,
                .path = interface->path,
                .reconnect = interface->reconnect,
                .reconnect_timeout_s = interface->reconnect_timeout_s,
        };
        g_autofree char *chardev = g_strconcat("char", interface->info.alias, NULL);

        if (!check_virtio(interface, error))
                return false;
        if (!device_list_add_chardev(made->list, made->context, chardev, &source, NULL, error))
                return false;
        device_set_string(made->object, "type", "vhost-user");
        device_set_string(made->object, "chardev", chardev);
        if (interface->queues > 1)
                device_set_uint(made->object, "queues", interface->queues);
        return true;
}

static bool describe_vdpa(const struct netdev *made, const struct domain_interface *interface, GError **error)
{
        const struct device_resources *resources = device_get_resources(made->context, interface->info.alias);
        g_autofree char *name = g_strconcat("vdpa-", interface->info.alias, NULL), *path = NULL;

        if (!check_virtio(interface, error))
                return false;
        if (!resources || !resources->fds || resources->fds->len == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_INTERNAL_ERROR,
                                 "no device was opened for interface '%s'", interface->info.alias);
        path = device_list_add_fdset(made->list, g_array_index(resources->fds, int, 0), name);
        device_set_string(made->object, "type", "vhost-vdpa");
        device_set_string(made->object, "vhostdev", path);
        if (interface->queues > 1)
                device_set_uint(made->object, "queues", interface->queues);
        return true;
}

static bool describe_netdev(const struct netdev *made, const struct domain_interface *interface,
                            GError **error)
{
        json_t *netdev = made->object;

        device_set_format(netdev, "id", "host%s", interface->info.alias);
        if (interface->script && interface->type != DOMAIN_INTERFACE_ETHERNET)
                return device_unsupported(error, "<script> of interface '%s' is not supported",
                                          interface->info.alias);
        switch (interface->type) {
        case DOMAIN_INTERFACE_USER:
                return g_strcmp0(interface->backend, "passt") == 0 ? describe_passt(made, interface, error)
                                                                   : describe_user(made, interface, error);
        case DOMAIN_INTERFACE_BRIDGE:
        case DOMAIN_INTERFACE_ETHERNET:
        case DOMAIN_INTERFACE_NETWORK:
        case DOMAIN_INTERFACE_DIRECT:
                return describe_tap(made, interface, error);
        case DOMAIN_INTERFACE_MCAST:
        case DOMAIN_INTERFACE_SERVER:
        case DOMAIN_INTERFACE_CLIENT:
        case DOMAIN_INTERFACE_UDP:
                describe_socket(netdev, interface);
                return true;
        case DOMAIN_INTERFACE_VHOSTUSER:
                return describe_vhostuser(made, interface, error);
        case DOMAIN_INTERFACE_VDPA:
                return describe_vdpa(made, interface, error);
        default:
                return device_unsupported(error, "interface type '%s' is not supported",
                                          domain_interface_type_get_name(interface->type));
        }
}

/* ---- the guest's end ---- */

static char *interface_driver(const struct domain_interface *interface)
{
        if (is_virtio(interface))
                return device_virtio_driver("virtio-net", interface->model, &interface->info);
        return g_strdup(interface->model ? interface->model : "e1000");
}

static void set_offloads(json_t *device, const struct domain_interface *interface)
{
        static const char *const host[DOMAIN_OFFLOADS] = {
                [DOMAIN_OFFLOAD_CSUM] = "csum",           [DOMAIN_OFFLOAD_TSO4] = "host_tso4",
                [DOMAIN_OFFLOAD_TSO6] = "host_tso6",      [DOMAIN_OFFLOAD_ECN] = "host_ecn",
                [DOMAIN_OFFLOAD_UFO] = "host_ufo",        [DOMAIN_OFFLOAD_GSO] = "gso",
                [DOMAIN_OFFLOAD_MRG_RXBUF] = "mrg_rxbuf",
        };
        static const char *const guest[DOMAIN_OFFLOADS] = {
                [DOMAIN_OFFLOAD_CSUM] = "guest_csum", [DOMAIN_OFFLOAD_TSO4] = "guest_tso4",
                [DOMAIN_OFFLOAD_TSO6] = "guest_tso6", [DOMAIN_OFFLOAD_ECN] = "guest_ecn",
                [DOMAIN_OFFLOAD_UFO] = "guest_ufo",
        };

        for (unsigned i = 0; i < DOMAIN_OFFLOADS; i++) {
                device_set_switch(device, host[i], interface->host_offloads[i]);
                if (guest[i])
                        device_set_switch(device, guest[i], interface->guest_offloads[i]);
        }
}

static void set_virtio_net(json_t *device, const struct device_context *context,
                           const struct domain_interface *interface)
{
        const struct device_resources *resources = device_get_resources(context, interface->info.alias);
        bool served =
                interface->type == DOMAIN_INTERFACE_VHOSTUSER || interface->type == DOMAIN_INTERFACE_VDPA;
        unsigned queues = served                        ? MAX(interface->queues, 1U)
                          : resources && resources->fds ? resources->fds->len
                                                        : 1;

        device_set_virtio(device, &interface->virtio);
        if (g_strcmp0(interface->txmode, "timer") == 0)
                device_set_string(device, "tx", "timer");
        else if (interface->txmode)
                device_set_string(device, "tx", "bh");
        device_set_switch(device, "ioeventfd", interface->ioeventfd);
        device_set_switch(device, "event_idx", interface->event_idx);
        if (queues > 1) {
                /* two vectors per pair of queues, one for the control queue, one for configuration */
                device_set_bool(device, "mq", true);
                device_set_int(device, "vectors", 2 * (json_int_t)queues + 2);
        }
        set_offloads(device, interface);
        device_set_switch(device, "rss", interface->rss);
        device_set_switch(device, "hash", interface->rss_hash_report);
        if (interface->persistent)
                device_set_bool(device, "failover", true);
        device_set_uint(device, "rx_queue_size", interface->rx_queue_size);
        device_set_uint(device, "tx_queue_size", interface->tx_queue_size);
        device_set_uint(device, "host_mtu", interface->mtu);
}

static json_t *interface_device(const struct device_context *context,
                                const struct domain_interface *interface)
{
        g_autofree char *driver = interface_driver(interface);
        json_t *device = device_new(driver, interface->info.alias);
        const uint8_t *mac = interface->mac;

        if (is_virtio(interface))
                set_virtio_net(device, context, interface);
        device_set_format(device, "netdev", "host%s", interface->info.alias);
        if (interface->has_mac)
                device_set_format(device, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                                  mac[3], mac[4], mac[5]);
        device_set_uint(device, "bootindex", device_interface_boot_index(context, interface));
        return device;
}

static json_t *host_device(const struct device_context *context, const struct domain_interface *interface)
{
        const struct domain_address_pci *host = &interface->host_pci;
        json_t *device = device_new("vfio-pci", interface->info.alias);

        device_set_format(device, "host", "%04x:%02x:%02x.%u", (unsigned)host->domain, host->bus, host->slot,
                          host->function);
        device_set_string(device, "failover_pair_id", interface->teaming_partner);
        device_set_uint(device, "bootindex", device_interface_boot_index(context, interface));
        return device;
}

bool device_describe_interface(struct device_list *list, const struct device_context *context,
                               const void *data, GError **error)
{
        const struct domain_interface *interface = data;
        json_t *netdev;
        struct netdev made = { list, context, NULL };

        if (interface->type == DOMAIN_INTERFACE_HOSTDEV)
                return device_list_add_at(list, context, host_device(context, interface), &interface->info,
                                          error);
        made.object = netdev = json_object();
        if (!describe_netdev(&made, interface, error)) {
                json_decref(netdev);
                return false;
        }
        device_list_add(list, DEVICE_NETDEV, netdev);
        return device_list_add_at(list, context, interface_device(context, interface), &interface->info,
                                  error);
}
