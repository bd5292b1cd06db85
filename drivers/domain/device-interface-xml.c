/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces of the guest.
 */
#include "drivers/domain/definition-xml.h"

#include "base/error.h"
#include "drivers/nwfilter/nwfilter-def.h"
#include "interfaces/virtual-port-xml.h"
#include "interfaces/vlan-xml.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define MODEL_MAX       64
#define QUEUES_MAX      256
#define HOST_NAME_BYTES 255
/* What may not be in the name of a network device of the host. */
#define NAME_FORBIDDEN "/ :"

const char *const domain_interface_type_names[] = {
        [DOMAIN_INTERFACE_USER] = "user",
        [DOMAIN_INTERFACE_ETHERNET] = "ethernet",
        [DOMAIN_INTERFACE_VHOSTUSER] = "vhostuser",
        [DOMAIN_INTERFACE_SERVER] = "server",
        [DOMAIN_INTERFACE_CLIENT] = "client",
        [DOMAIN_INTERFACE_MCAST] = "mcast",
        [DOMAIN_INTERFACE_NETWORK] = "network",
        [DOMAIN_INTERFACE_BRIDGE] = "bridge",
        [DOMAIN_INTERFACE_INTERNAL] = "internal",
        [DOMAIN_INTERFACE_DIRECT] = "direct",
        [DOMAIN_INTERFACE_HOSTDEV] = "hostdev",
        [DOMAIN_INTERFACE_UDP] = "udp",
        [DOMAIN_INTERFACE_VDPA] = "vdpa",
        [DOMAIN_INTERFACE_NULL] = "null",
        [DOMAIN_INTERFACE_VDS] = "vds",
        [DOMAIN_INTERFACE_LAST] = NULL,
};

static const char *const no_yes_names[] = { "no", "yes", NULL };
static const char *const source_mode_names[] = { "vepa", "private", "bridge", "passthrough", NULL };
static const char *const driver_names[] = { "qemu", "vhost", "kvm", "vfio", "xen", NULL };
static const char *const backend_names[] = { "default", "passt", NULL };
static const char *const txmode_names[] = { "iothread", "timer", NULL };

static const struct field interface_fields[] = {
        ENUM("type", struct domain_interface, type, domain_interface_type_names, .required = true),
        BOOL("managed", struct domain_interface, managed, no_yes_names),
        YES_NO("trustGuestRxFilters", struct domain_interface, trust_guest_rx_filters),
        FIELDS_END,
};
static const struct field target_fields[] = {
        STRING("dev", struct domain_interface, target, .max = IFNAMSIZ - 1),
        YES_NO("managed", struct domain_interface, target_managed),
        FIELDS_END,
};
static const struct field model_fields[] = { STRING("type", struct domain_interface, model, .max = MODEL_MAX),
                                             FIELDS_END };
static const struct field script_fields[] = {
        STRING("path", struct domain_interface, script, .max = PATH_MAX), FIELDS_END
};
static const struct field downscript_fields[] = {
        STRING("path", struct domain_interface, downscript, .max = PATH_MAX), FIELDS_END
};
static const struct field coalesce_fields[] = { UINT("max", struct domain_interface, coalesce_frames),
                                                FIELDS_END };
static const struct field mtu_fields[] = { UINT("size", struct domain_interface, mtu, .min = 1, .max = 65535),
                                           FIELDS_END };
static const struct field port_fields[] = { YES_NO("isolated", struct domain_interface, isolated),
                                            FIELDS_END };
static const struct field sndbuf_fields[] = { UINT(NULL, struct domain_interface, sndbuf), FIELDS_END };
/* A direction that is there has an average; what goes to the guest may have a floor instead. */
static const struct field inbound_fields[] = {
        UINT("floor", struct domain_interface, bandwidth.inbound.floor_kbps, .min = 1),
        UINT("average", struct domain_interface, bandwidth.inbound.average_kbps, .min = 1),
        UINT("peak", struct domain_interface, bandwidth.inbound.peak_kbps),
        UINT("burst", struct domain_interface, bandwidth.inbound.burst_kib),
        FIELDS_END,
};
static const struct field outbound_fields[] = {
        UINT("average", struct domain_interface, bandwidth.outbound.average_kbps, .required = true, .min = 1),
        UINT("peak", struct domain_interface, bandwidth.outbound.peak_kbps),
        UINT("burst", struct domain_interface, bandwidth.outbound.burst_kib),
        FIELDS_END,
};
static const struct field driver_fields[] = {
        NAME("name", struct domain_interface, driver, driver_names),
        NAME("txmode", struct domain_interface, txmode, txmode_names),
        ON_OFF("ioeventfd", struct domain_interface, ioeventfd),
        ON_OFF("event_idx", struct domain_interface, event_idx),
        UINT("queues", struct domain_interface, queues, .min = 1, .max = QUEUES_MAX),
        ON_OFF("rss", struct domain_interface, rss),
        ON_OFF("rss_hash_report", struct domain_interface, rss_hash_report),
        UINT("rx_queue_size", struct domain_interface, rx_queue_size, .max = 1024),
        UINT("tx_queue_size", struct domain_interface, tx_queue_size, .max = 1024),
        FIELDS_END,
};

static const struct field passt_fields[] = {
        STRING("logFile", struct domain_passt, log_file, .max = PATH_MAX),
        STRING("hostname", struct domain_passt, host_name, .max = HOST_NAME_BYTES),
        STRING("fqdn", struct domain_passt, fqdn, .max = HOST_NAME_BYTES),
        FIELDS_END,
};

static bool read_passt(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;
        struct domain_passt passt = { NULL, NULL, NULL }, *kept;

        if (!field_read(reader, node, passt_fields, &passt, error))
                return false;
        if (!passt.log_file && !passt.host_name && !passt.fqdn)
                return true;
        kept = domain_arena_alloc(reader->arena, sizeof(*kept));
        *kept = passt;
        interface->passt = kept;
        return true;
}

static const struct field backend_fields[] = {
        NAME("type", struct domain_interface, backend, backend_names),
        PATH("tap", struct domain_interface, tap_device),
        PATH("vhost", struct domain_interface, vhost_device),
        FIELDS_END,
};

/* What has become of an interface of type network tells so. */
#define NETWORK_FIELDS                                                                                       \
        STRING("network", struct domain_interface, network, .max = DOMAIN_NAME_MAX),                         \
                STRING("portgroup", struct domain_interface, portgroup, .max = DOMAIN_NAME_MAX),             \
                STRING("portid", struct domain_interface, port_id, .max = 36)

static const struct field bridge_fields[] = {
        STRING("bridge", struct domain_interface, source, .required = true, .max = IFNAMSIZ - 1),
        NETWORK_FIELDS,
        FIELDS_END,
};
static const struct field network_fields[] = {
        STRING("network", struct domain_interface, source, .required = true, .max = DOMAIN_NAME_MAX),
        STRING("portgroup", struct domain_interface, portgroup, .max = DOMAIN_NAME_MAX),
        STRING("bridge", struct domain_interface, network_bridge, .max = IFNAMSIZ - 1),
        STRING("portid", struct domain_interface, port_id, .max = 36),
        FIELDS_END,
};
static const struct field direct_fields[] = {
        STRING("dev", struct domain_interface, source, .required = true, .max = IFNAMSIZ - 1),
        NAME("mode", struct domain_interface, source_mode, source_mode_names),
        NETWORK_FIELDS,
        FIELDS_END,
};
/* What QEMU's own network of sockets needs. */
static const struct field socket_fields[] = {
        STRING("address", struct domain_interface, host, .max = 255),
        UINT("port", struct domain_interface, port, .required = true, .min = 1, .max = UINT16_MAX),
        FIELDS_END,
};
static const struct field local_fields[] = {
        STRING("address", struct domain_interface, local_host, .max = 255),
        UINT("port", struct domain_interface, local_port, .required = true, .min = 1, .max = UINT16_MAX),
        FIELDS_END,
};
static const char *const socket_names[] = { "client", "server", NULL };
static const char *const unix_names[] = { "unix", NULL };

struct vhostuser {
        const char *type;
};
static const struct field vhostuser_type_fields[] = {
        NAME("type", struct vhostuser, type, unix_names, .required = true), FIELDS_END
};
static const struct field vhostuser_fields[] = {
        PATH("path", struct domain_interface, path, .required = true),
        BOOL("mode", struct domain_interface, listens, socket_names, .required = true),
        FIELDS_END,
};
static const struct field reconnect_fields[] = {
        YES_NO("enabled", struct domain_interface, reconnect, .required = true),
        UINT("timeout", struct domain_interface, reconnect_timeout_s, .max = 86400),
        FIELDS_END,
};

static bool read_vhostuser(struct domain_reader *reader, xmlNode *node, struct domain_interface *interface,
                           GError **error)
{
        struct vhostuser vhostuser = { NULL };
        xmlNode *reconnect = xml_child(node, "reconnect");

        if (!field_read(reader, node, vhostuser_type_fields, &vhostuser, error) ||
            !field_read(reader, node, vhostuser_fields, interface, error))
                return false;
        if (reconnect && interface->listens)
                return xml_error(error, reconnect, "'reconnect' attribute unsupported for mode='server'");
        return !reconnect || field_read(reader, reconnect, reconnect_fields, interface, error);
}

static bool read_udp(struct domain_reader *reader, xmlNode *node, struct domain_interface *interface,
                     GError **error)
{
        xmlNode *local = xml_child(node, "local");

        if (!local)
                return xml_error(error, node, "missing element 'local' of an interface of type 'udp'");
        return field_read(reader, local, local_fields, interface, error);
}

#define OFFLOAD(attr, member, offload) ON_OFF(attr, struct domain_interface, member[offload])
static const struct field host_fields[] = {
        OFFLOAD("csum", host_offloads, DOMAIN_OFFLOAD_CSUM),
        OFFLOAD("gso", host_offloads, DOMAIN_OFFLOAD_GSO),
        OFFLOAD("tso4", host_offloads, DOMAIN_OFFLOAD_TSO4),
        OFFLOAD("tso6", host_offloads, DOMAIN_OFFLOAD_TSO6),
        OFFLOAD("ecn", host_offloads, DOMAIN_OFFLOAD_ECN),
        OFFLOAD("ufo", host_offloads, DOMAIN_OFFLOAD_UFO),
        OFFLOAD("mrg_rxbuf", host_offloads, DOMAIN_OFFLOAD_MRG_RXBUF),
        FIELDS_END,
};
static const struct field guest_fields[] = {
        OFFLOAD("csum", guest_offloads, DOMAIN_OFFLOAD_CSUM),
        OFFLOAD("tso4", guest_offloads, DOMAIN_OFFLOAD_TSO4),
        OFFLOAD("tso6", guest_offloads, DOMAIN_OFFLOAD_TSO6),
        OFFLOAD("ecn", guest_offloads, DOMAIN_OFFLOAD_ECN),
        OFFLOAD("ufo", guest_offloads, DOMAIN_OFFLOAD_UFO),
        FIELDS_END,
};

static bool read_teaming(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        static const char *const names[] = { "transient", "persistent", NULL };
        static const struct field fields[] = {
                BOOL("type", struct domain_interface, persistent, names, .required = true),
                STRING("persistent", struct domain_interface, teaming_partner, .max = 255),
                FIELDS_END,
        };
        struct domain_interface *interface = target;

        if (!field_read(reader, node, fields, interface, error))
                return false;
        if (!interface->persistent && !interface->teaming_partner)
                return xml_error(error, node, "missing attribute 'persistent'");
        return true;
}

static const struct field hostdev_fields[] = { NETWORK_FIELDS, FIELDS_END };
static const struct field pci_fields[] = {
        HEX("domain", struct domain_interface, host_pci.domain),
        HEX("bus", struct domain_interface, host_pci.bus, .required = true),
        HEX("slot", struct domain_interface, host_pci.slot, .required = true, .max = 0x1f),
        HEX("function", struct domain_interface, host_pci.function, .required = true, .max = 7),
        FIELDS_END,
};
static const struct field device_fields[] = { STRING("dev", struct domain_interface, source, .max = PATH_MAX),
                                              FIELDS_END };
static const struct field internal_fields[] = {
        STRING("name", struct domain_interface, source, .max = DOMAIN_NAME_MAX), FIELDS_END
};

static const struct field *const source_fields[DOMAIN_INTERFACE_LAST] = {
        [DOMAIN_INTERFACE_USER] = device_fields,       [DOMAIN_INTERFACE_ETHERNET] = device_fields,
        [DOMAIN_INTERFACE_NETWORK] = network_fields,   [DOMAIN_INTERFACE_BRIDGE] = bridge_fields,
        [DOMAIN_INTERFACE_DIRECT] = direct_fields,     [DOMAIN_INTERFACE_VDPA] = device_fields,
        [DOMAIN_INTERFACE_INTERNAL] = internal_fields, [DOMAIN_INTERFACE_MCAST] = socket_fields,
        [DOMAIN_INTERFACE_SERVER] = socket_fields,     [DOMAIN_INTERFACE_CLIENT] = socket_fields,
        [DOMAIN_INTERFACE_UDP] = socket_fields,        [DOMAIN_INTERFACE_HOSTDEV] = hostdev_fields,
};

static bool read_source(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;
        const struct field *fields = source_fields[interface->type];

        if (interface->type == DOMAIN_INTERFACE_VHOSTUSER)
                return read_vhostuser(reader, node, interface, error);
        if (fields && !field_read(reader, node, fields, interface, error))
                return false;
        return interface->type != DOMAIN_INTERFACE_UDP || read_udp(reader, node, interface, error);
}

static bool read_host(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;
        const char *type = field_get_text(reader, node, "type");

        if (interface->type != DOMAIN_INTERFACE_HOSTDEV)
                return xml_error(error, node,
                                 "<address> of the <source> needs an interface of type 'hostdev'");
        if (!type)
                return xml_error(error, node, "missing source address type");
        if (strcmp(type, "pci") != 0) {
                g_autofree char *quoted = error_quote(type);

                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "an interface of type 'hostdev' with an address of type '%s'", quoted);
        }
        return field_read(reader, node, pci_fields, interface, error);
}

/* Two digits or one for each byte, as libvirt reads them. */
static bool parse_mac(const char *text, uint8_t mac[6])
{
        for (unsigned i = 0; i < 6; i++) {
                size_t digits = strspn(text, "0123456789abcdefABCDEF");

                if (digits < 1 || digits > 2 || text[digits] != (i < 5 ? ':' : '\0'))
                        return false;
                mac[i] = (uint8_t)g_ascii_strtoull(text, NULL, 16);
                text += digits + 1;
        }
        return true;
}

static bool read_mac(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;
        const char *text = field_get_text(reader, node, "address");
        const uint8_t *mac = interface->mac;
        g_autofree char *quoted = text ? error_quote(text) : NULL;
        char canonical[18];

        if (!text)
                return xml_error(error, node, "missing attribute 'address'");
        if (!parse_mac(text, interface->mac))
                return xml_error(error, node, "invalid MAC address '%s'", quoted);
        if (mac[0] & 1)
                return xml_error(error, node, "invalid MAC address '%s': it is a multicast address", quoted);
        g_snprintf(canonical, sizeof(canonical), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                   mac[3], mac[4], mac[5]);
        if (strcmp(text, canonical) != 0)
                xml_set_attr(node, "address", canonical);
        interface->has_mac = true;
        return true;
}

static bool read_link(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        static const char *const state_names[] = { "down", "up", NULL };
        struct {
                bool up;
        } link = { true };
        const struct field state[] = { BOOL("state", __typeof__(link), up, state_names, .required = true),
                                       FIELDS_END };
        struct domain_interface *interface = target;

        if (!field_read(reader, node, state, &link, error))
                return false;
        interface->link_up = link.up ? DOMAIN_SWITCH_ON : DOMAIN_SWITCH_OFF;
        return true;
}

static const struct field filter_fields[] = {
        STRING("filter", struct domain_interface, filter, .required = true, .max = NWFILTER_NAME_MAX),
        FIELDS_END,
};
static const struct field parameter_fields[] = {
        STRING("name", struct domain_filter_param, name, .required = true, .max = NWFILTER_VARIABLE_MAX),
        STRING("value", struct domain_filter_param, value, .required = true, .max = NWFILTER_TEXT_MAX),
        FIELDS_END,
};
static const struct field_part parameter_parts[] = { { NULL, parameter_fields }, PARTS_END };

/* As they go with the rules of filters. */
static bool check_parameters(const struct domain_interface *interface, GError **error)
{
        CLEANUP(nwfilter_params_free) struct nwfilter_params *params = nwfilter_params_new();

        for (unsigned i = 0; i < interface->n_filter_params; i++)
                if (!nwfilter_params_add(params, interface->filter_params[i].name,
                                         interface->filter_params[i].value, error))
                        return false;
        return true;
}

static bool read_filter(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;

        return field_read(reader, node, filter_fields, interface, error) &&
               field_read_array(reader, node, "parameter", parameter_parts,
                                sizeof(struct domain_filter_param), &interface->filter_params,
                                &interface->n_filter_params, error) &&
               check_parameters(interface, error);
}

static bool read_inbound(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;
        const struct traffic_rate *rate = &interface->bandwidth.inbound;

        if (!field_read(reader, node, inbound_fields, interface, error))
                return false;
        if (rate->floor_kbps && interface->type != DOMAIN_INTERFACE_NETWORK)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "unsupported use of floor attribute: it is of interfaces of type 'network'");
        return rate->average_kbps > 0 || (rate->floor_kbps > 0 && !rate->peak_kbps && !rate->burst_kib) ||
               xml_error(error, node, "Missing mandatory average or floor attributes");
}

static bool read_vlan(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;

        return vlan_read(node, &interface->vlan, error);
}

/* As with libvirt a network may say the rest. */
static bool read_virtual_port(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;
        bool has_network = interface->type == DOMAIN_INTERFACE_NETWORK;

        if (!has_network && interface->type != DOMAIN_INTERFACE_BRIDGE &&
            interface->type != DOMAIN_INTERFACE_DIRECT && interface->type != DOMAIN_INTERFACE_HOSTDEV)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "<virtualport> element unsupported for <interface type='%s'>",
                                 domain_interface_type_names[interface->type]);
        return virtual_port_read(node, has_network ? 0 : VIRTUAL_PORT_NEEDS_TYPE | VIRTUAL_PORT_NEEDS_VALUES,
                                 &interface->virtual_port, error);
}

static const struct field_part parts[] = {
        { NULL, interface_fields },
        { "mac", NULL, read_mac },
        { "source", NULL, read_source },
        { "source/address", NULL, read_host },
        { "bandwidth/inbound", NULL, read_inbound },
        { "bandwidth/outbound", outbound_fields },
        { "vlan", NULL, read_vlan },
        { "virtualport", NULL, read_virtual_port },
        { "port", port_fields },
        { "script", script_fields },
        { "downscript", downscript_fields },
        { "coalesce/rx/frames", coalesce_fields },
        { "target", target_fields },
        { "model", model_fields },
        { "driver", driver_fields },
        { "driver/host", host_fields },
        { "driver/guest", guest_fields },
        { "teaming", NULL, read_teaming },
        { "backend", backend_fields, read_passt },
        VIRTIO_PART(struct domain_interface),
        { "filterref", NULL, read_filter },
        { "tune/sndbuf", sndbuf_fields },
        { "link", NULL, read_link },
        { "mtu", mtu_fields },
        INFO_PARTS(struct domain_interface),
        PARTS_END,
};

static const char *const proto_names[] = { "tcp", "udp", NULL };

static const struct field range_fields[] = {
        UINT("start", struct domain_port_range, start, .required = true, .min = 1, .max = UINT16_MAX),
        UINT("end", struct domain_port_range, end, .min = 1, .max = UINT16_MAX),
        UINT("to", struct domain_port_range, to, .min = 1, .max = UINT16_MAX),
        YES_NO("exclude", struct domain_port_range, exclude),
        FIELDS_END,
};
static const struct field_part range_parts[] = { { NULL, range_fields }, PARTS_END };

static const struct field forward_fields[] = {
        NAME("proto", struct domain_port_forward, proto, proto_names, .required = true),
        STRING("address", struct domain_port_forward, address, .max = 64),
        STRING("dev", struct domain_port_forward, dev, .max = IFNAMSIZ - 1),
        FIELDS_END,
};

static bool read_ranges(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_port_forward *forward = target;

        if (!field_read_array(reader, node, "range", range_parts, sizeof(struct domain_port_range),
                              &forward->ranges, &forward->n_ranges, error))
                return false;
        for (unsigned i = 0; i < forward->n_ranges; i++) {
                const struct domain_port_range *range = &forward->ranges[i];
                uint32_t end = MAX(range->end, range->start);

                if (range->end && range->end < range->start)
                        return xml_error(error, node, "a range of ports ends before it starts");
                if (range->to && range->to + (end - range->start) > UINT16_MAX)
                        return xml_error(error, node, "a range of ports leads beyond port %u", UINT16_MAX);
        }
        return true;
}

static const struct field_part forward_parts[] = {
        { NULL, forward_fields },
        { NULL, NULL, read_ranges },
        PARTS_END,
};

static bool read_forwards(struct domain_reader *reader, xmlNode *node, struct domain_interface *interface,
                          GError **error)
{
        if (!field_read_array(reader, node, "portForward", forward_parts, sizeof(struct domain_port_forward),
                              &interface->forwards, &interface->n_forwards, error))
                return false;
        return interface->n_forwards == 0 || interface->type == DOMAIN_INTERFACE_USER ||
               xml_error(error, node, "<portForward> needs an interface of type 'user'");
}

static bool check_backend(const struct domain_interface *interface, const xmlNode *node, GError **error)
{
        bool is_passt = g_strcmp0(interface->backend, "passt") == 0;
        const struct domain_passt *passt = interface->passt;

        if (is_passt && interface->type != DOMAIN_INTERFACE_USER)
                return xml_error(error, node, "<backend type='passt'> needs an interface of type 'user'");
        if (!passt)
                return true;
        if (!is_passt)
                return xml_error(error, node, "attribute '%s' of <backend> needs type 'passt'",
                                 passt->log_file    ? "logFile"
                                 : passt->host_name ? "hostname"
                                                    : "fqdn");
        return domain_check_plain(node, "hostname", passt->host_name, " /", error) &&
               domain_check_plain(node, "fqdn", passt->fqdn, " /", error);
}

static bool check_source(const struct domain_interface *interface, const xmlNode *node, GError **error)
{
        bool needed = interface->type == DOMAIN_INTERFACE_BRIDGE ||
                      interface->type == DOMAIN_INTERFACE_NETWORK ||
                      interface->type == DOMAIN_INTERFACE_DIRECT || interface->type == DOMAIN_INTERFACE_VDPA;
        bool socket = interface->type == DOMAIN_INTERFACE_MCAST ||
                      interface->type == DOMAIN_INTERFACE_SERVER ||
                      interface->type == DOMAIN_INTERFACE_CLIENT || interface->type == DOMAIN_INTERFACE_UDP;

        if (interface->type == DOMAIN_INTERFACE_HOSTDEV && !xml_child(xml_child(node, "source"), "address"))
                return xml_error(error, node, "missing source address type");
        if ((needed && !interface->source) || (socket && !interface->port) ||
            (interface->type == DOMAIN_INTERFACE_VHOSTUSER && !interface->path))
                return xml_error(error, node, "missing element 'source' of an interface of type '%s'",
                                 domain_interface_type_names[interface->type]);
        return interface->type == DOMAIN_INTERFACE_VDPA ||
               domain_check_plain(node, "source", interface->source,
                                  interface->type == DOMAIN_INTERFACE_NETWORK ? "/" : NAME_FORBIDDEN, error);
}

/*
 * Where packets go by way of a bridge of this host. Those of the emulator's own sockets go by no device that
 * could have a filter: there it is taken, and told at the start (check-scope.c). The rest would reach a
 * network of the host's unfiltered.
 */
static bool check_filter(const struct domain_interface *interface, const xmlNode *node, GError **error)
{
        return !interface->filter || interface->type == DOMAIN_INTERFACE_BRIDGE ||
               interface->type == DOMAIN_INTERFACE_NETWORK || interface->type == DOMAIN_INTERFACE_ETHERNET ||
               domain_interface_is_emulated(interface->type) ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                         "filterref is not supported for network interfaces of type %s",
                         domain_interface_type_names[interface->type]);
}

bool domain_read_interface(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_interface *interface = target;

        return field_read_parts(reader, node, parts, interface, error) &&
               domain_read_interface_ips(reader, node, interface, error) &&
               read_forwards(reader, node, interface, error) && check_backend(interface, node, error) &&
               check_source(interface, node, error) && check_filter(interface, node, error) &&
               domain_check_plain(node, "target device", interface->target, NAME_FORBIDDEN, error) &&
               domain_check_plain(node, "model", interface->model, "/ ,=", error);
}
