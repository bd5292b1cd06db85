/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces with a tap device on the host. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "base/log.h"
#include "base/spawn.h"
#include "drivers/domain/host-ip.h"
#include "drivers/network/port.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/passt.h"
#include "interfaces/macvtap.h"
#include "interfaces/openvswitch.h"
#include "interfaces/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>

/* More numbers than that make no names of 15 bytes that people can read. */
#define MACVTAPS_MAX 1000000
#define SCRIPT_MS    10000

static bool is_virtio(const struct domain_interface *interface)
{
        return interface->model && g_str_has_prefix(interface->model, "virtio");
}

/* The kernel's own back end for virtio; without it QEMU's serves, unless the definition insists. */
static bool prepare_vhost(struct resources *resources, const struct domain_interface *interface,
                          unsigned queues, struct device_resources *device, GError **error)
{
        bool wanted = g_strcmp0(interface->driver, "vhost") == 0;
        g_autoptr(GArray) fds = NULL;

        if (!is_virtio(interface) || g_strcmp0(interface->driver, "qemu") == 0)
                return true;
        if (!wanted && g_strcmp0(resources->def->type, "kvm") != 0)
                return true;
        fds = g_array_new(FALSE, FALSE, sizeof(int));
        if (!tap_open_vhost(queues, interface->vhost_device, fds))
                return !wanted ||
                       error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "interface '%s' asks for vhost-net, which this host does not have",
                                 interface->info.alias);
        for (unsigned i = 0; i < fds->len; i++)
                resources_add_fd(resources, g_array_index(fds, int, i));
        device->vhost_fds = g_steal_pointer(&fds);
        return true;
}

const char *resources_get_bridge(const struct domain_interface *interface)
{
        if (interface->type == DOMAIN_INTERFACE_BRIDGE)
                return interface->source;
        return interface->type == DOMAIN_INTERFACE_NETWORK ? interface->network_bridge : NULL;
}

bool resources_is_isolated(const struct domain_takings *takings, const struct domain_interface *interface)
{
        const struct network_port *port = takings_find_port(takings, interface);

        return interface->isolated == DOMAIN_SWITCH_ON || (port && port->isolated);
}

const struct traffic *resources_get_bandwidth(const struct domain_takings *takings,
                                              const struct domain_interface *interface)
{
        const struct network_port *port = takings_find_port(takings, interface);

        return port && !traffic_is_limited(&interface->bandwidth) ? &port->group_bandwidth
                                                                  : &interface->bandwidth;
}

/* What the document names sets the tap up as it likes. */
static bool run_script(struct resources *resources, const struct domain_interface *interface,
                       const char *name, GError **error)
{
        const char *const argv[] = { interface->script, name, NULL };

        return !interface->script ||
               spawn_check_foreign(resources->guest->domain->base.lane, argv, SCRIPT_MS, error);
}

bool resources_trusts_guest(const struct domain_takings *takings, const struct domain_interface *interface)
{
        const struct network_port *port = takings_find_port(takings, interface);

        return port ? port->trust == NETWORK_TRUST_YES
                    : interface->trust_guest_rx_filters == DOMAIN_SWITCH_ON;
}

const struct vlan *resources_get_vlan(const struct domain_takings *takings,
                                      const struct domain_interface *interface)
{
        const struct network_port *port = takings_find_port(takings, interface);

        return port && !vlan_is_set(&interface->vlan) ? &port->vlan : &interface->vlan;
}

const struct virtual_port *resources_get_virtual_port(const struct domain_takings *takings,
                                                      const struct domain_interface *interface)
{
        const struct network_port *port = takings_find_port(takings, interface);

        return port ? &port->virtual_port : &interface->virtual_port;
}

/* The tap becomes its port when that is written down (resources_take_links()). */
static void plan_switch(struct resources *resources, const struct domain_interface *interface,
                        const char *name, const struct virtual_port *port)
{
        const struct status_switch planned = { (char *)interface->info.alias, (char *)name,
                                               (char *)resources_get_bridge(interface),
                                               (char *)port->values[VIRTUAL_PORT_INTERFACE_ID] };

        status_add_switch(resources->guest->status, &planned);
}

/* A tap of ours loses them with itself; on another one they come when they are written down. */
static bool plan_ips(struct resources *resources, const struct domain_interface *interface, const char *name,
                     const struct link_ips *wanted, GError **error)
{
        CLEANUP(link_ips_free) struct link_ips *ips = link_ips_copy(wanted);

        if (link_ips_is_empty(ips))
                return true;
        if (!link_ips_drop_present(resources->guest->domain->base.lane, name, ips, error))
                return false;
        status_add_ips(resources->guest->status, interface->info.alias, name, g_steal_pointer(&ips));
        return true;
}

static bool take_ips(struct resources *resources, GError **error)
{
        const GPtrArray *list = resources->guest->status->ips;

        for (unsigned i = 0; i < list->len; i++) {
                const struct status_ips *noted = g_ptr_array_index(list, i);

                if (resources_is_taken_for(resources, noted->alias) &&
                    !link_ips_add(resources->guest->domain->base.lane, noted->link, noted->ips, error))
                        return false;
        }
        return true;
}

static bool prepare_tap(struct resources *resources, const struct domain_interface *interface, GError **error)
{
        const char *bridge = resources_get_bridge(interface);
        bool existing = interface->type == DOMAIN_INTERFACE_ETHERNET &&
                        interface->target_managed == DOMAIN_SWITCH_OFF;
        struct device_resources *device = resources_get(resources, interface->info.alias);
        unsigned queues = is_virtio(interface) ? MAX(interface->queues, 1U) : 1;
        const struct virtual_port *port = resources_get_virtual_port(resources->start->takings, interface);
        CLEANUP(link_ips_free) struct link_ips *ips = domain_get_host_ips(interface, error);
        g_autofree char *name = NULL;
        const struct tap tap = {
                .name = interface->target,
                .device = interface->tap_device,
                .coalesce = interface->coalesce_frames,
                .queues = queues,
                .vnet_header = is_virtio(interface),
                .existing = existing,
                .bridge = bridge,
                .is_foreign = port->is_there,
                .lane = resources->guest->domain->base.lane,
                .bandwidth = *resources_get_bandwidth(resources->start->takings, interface),
                .isolated = resources_is_isolated(resources->start->takings, interface),
                .vlan = resources_get_vlan(resources->start->takings, interface),
                .mac = interface->has_mac ? interface->mac : NULL,
                .mtu = interface->mtu,
                .up = interface->link_up != DOMAIN_SWITCH_OFF || bridge || (ips && !link_ips_is_empty(ips)),
                .ips = ips,
        };

        if (!ips)
                return false;
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        if (!tap_open(&tap, device->fds, &name, error))
                return false;
        for (unsigned i = 0; i < device->fds->len; i++)
                resources_add_fd(resources, g_array_index(device->fds, int, i));
        if (existing && !plan_ips(resources, interface, name, ips, error))
                return false;
        if (!existing)
                domain_edit_set_interface_target(resources->edit, interface->info.alias, name);
        if (port->is_there)
                plan_switch(resources, interface, name, port);
        if (interface->downscript)
                status_add_script(resources->guest->status, interface->info.alias, interface->downscript,
                                  name);
        if (!run_script(resources, interface, name, error))
                return false;
        /* The guest does not run, or does not have it, yet. */
        if (!takings_apply_filter(resources->start->takings, resources->guest->domain->base.lane,
                                  resources->def->base.name, interface, name, error))
                return false;
        return prepare_vhost(resources, interface, queues, device, error);
}

/* ---- straight out of a device of the host ---- */

/* A name that no link has, and no other guest of this agent is about to have. */
static char *choose_name(struct resources *resources)
{
        gint *next = &resources->guest->driver->next_macvtap;
        g_autofree char *name = NULL;

        do {
                g_free(name);
                name = g_strdup_printf("macvtap%u", (unsigned)g_atomic_int_add(next, 1) % MACVTAPS_MAX);
        } while (if_nametoindex(name) != 0);
        return g_steal_pointer(&name);
}

/* What their descriptors stand for is made when its name is written down (resources_take_links()). */
static bool add_placeholders(struct resources *resources, struct device_resources *device, unsigned queues,
                             GError **error)
{
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        for (unsigned i = 0; i < queues; i++) {
                int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

                if (fd < 0)
                        return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open /dev/null");
                resources_add_fd(resources, fd);
                g_array_append_val(device->fds, fd);
        }
        return true;
}

static bool prepare_direct(struct resources *resources, const struct domain_interface *interface,
                           GError **error)
{
        struct device_resources *device = resources_get(resources, interface->info.alias);
        unsigned queues = is_virtio(interface) ? MAX(interface->queues, 1U) : 1;
        g_autofree char *name = interface->target ? g_strdup(interface->target) : choose_name(resources);
        bool changes_mac = g_strcmp0(interface->source_mode, "passthrough") == 0;
        g_autofree char *mac = changes_mac ? macvtap_read_mac(interface->source, error) : NULL;
        const struct status_link link = { (char *)interface->info.alias, name, (char *)interface->source,
                                          mac };

        if ((changes_mac && !mac) || !add_placeholders(resources, device, queues, error))
                return false;
        status_add_link(resources->guest->status, &link);
        domain_edit_set_interface_target(resources->edit, interface->info.alias, name);
        return prepare_vhost(resources, interface, queues, device, error);
}

static const struct domain_interface *find_interface(const struct domain_def *def, const char *alias)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                if (g_strcmp0(def->devices.interfaces[i].info.alias, alias) == 0)
                        return &def->devices.interfaces[i];
        return NULL;
}

static bool take_link(struct resources *resources, const struct status_link *link, GError **error)
{
        const struct domain_interface *interface = find_interface(resources->def, link->alias);
        const GArray *fds = resources_get(resources, link->alias)->fds;
        const struct macvtap macvtap = {
                .lane = resources->guest->domain->base.lane,
                .name = link->name,
                .lower = link->lower,
                .mode = interface->source_mode,
                .mac = interface->mac,
                .mtu = interface->mtu,
                .vnet_header = is_virtio(interface),
                .up = interface->link_up != DOMAIN_SWITCH_OFF,
                .bandwidth = *resources_get_bandwidth(resources->start->takings, interface),
        };

        return macvtap_open(&macvtap, (const int *)(const void *)fds->data, fds->len, error);
}

static bool take_switch(struct resources *resources, const struct status_switch *planned, GError **error)
{
        const struct domain_interface *interface = find_interface(resources->def, planned->alias);
        const struct domain_takings *takings = resources->start->takings;
        const uint8_t *mac = interface->mac;
        g_autofree char *mac_text = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                                                    mac[3], mac[4], mac[5]);
        const struct switch_port port = {
                .link = planned->name,
                .bridge = planned->bridge,
                .interface_id = planned->interface_id,
                .mac = mac_text,
                .owner = resources->guest->domain->base.uuid_text,
                .profile = resources_get_virtual_port(takings, interface)->values[VIRTUAL_PORT_PROFILE_ID],
                .vlan = resources_get_vlan(takings, interface),
        };

        return openvswitch_add_port(resources->guest->domain->base.lane, &port, error);
}

static bool take_switches(struct resources *resources, GError **error)
{
        GPtrArray *switches = resources->guest->status->switches;

        for (unsigned i = 0; i < switches->len; i++) {
                const struct status_switch *port = g_ptr_array_index(switches, i);

                if (!resources_is_taken_for(resources, port->alias) || take_switch(resources, port, error))
                        continue;
                g_ptr_array_remove_range(switches, i, switches->len - i);
                return false;
        }
        return true;
}

/* One that could not be made, because another has its name, is not ours to delete. */
bool resources_take_links(struct resources *resources, GError **error)
{
        GPtrArray *links = resources->guest->status->links;

        if (!resources_take_vfs(resources, error) || !take_switches(resources, error) ||
            !take_ips(resources, error))
                return false;
        for (unsigned i = 0; i < links->len; i++) {
                const struct status_link *link = g_ptr_array_index(links, i);

                if (!resources_is_taken_for(resources, link->alias) || take_link(resources, link, error))
                        continue;
                g_ptr_array_remove_range(links, i, links->len - i);
                return false;
        }
        return true;
}

/* ---- processes and devices that serve the guest's queues ---- */

/* The emulator makes the socket itself: one that it gets as a descriptor cannot pass others for it. */
static bool prepare_vhostuser(struct resources *resources, const struct domain_interface *interface)
{
        if (interface->listens)
                guest_add_socket(resources->guest, interface->info.alias, interface->path);
        return true;
}

char *resources_advise_vhostuser(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];

                if (interface->type == DOMAIN_INTERFACE_VHOSTUSER)
                        return g_strdup_printf("the process that is to serve interface '%s' at '%s'",
                                               interface->info.alias, interface->path);
        }
        return NULL;
}

static bool prepare_vdpa(struct resources *resources, const struct domain_interface *interface,
                         GError **error)
{
        struct device_resources *device = resources_get(resources, interface->info.alias);
        int fd = open(interface->source, O_RDWR | O_CLOEXEC);

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open %s for interface '%s'",
                                       interface->source, interface->info.alias);
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(device->fds, fd);
        resources_add_fd(resources, fd);
        return true;
}

/* ---- the row ---- */

/* What is in a bridge receives all that is for it, without being trusted. */
bool resources_check_trust(const struct domain_takings *takings, const struct domain_interface *interface,
                           GError **error)
{
        bool driven = interface->type == DOMAIN_INTERFACE_DIRECT && is_virtio(interface);

        if (!resources_trusts_guest(takings, interface) || driven || resources_get_bridge(interface))
                return true;
        return error_set(
                error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                "trustGuestRxFilters='yes' of interface '%s' is not supported: it needs a macvtap and model "
                "virtio",
                interface->info.alias);
}

static bool refuse_switch(const struct domain_interface *interface, const char *what, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "%s of interface '%s' is not supported: it is a port of Open vSwitch, whose packets "
                         "bypass the kernel's bridges",
                         what, interface->info.alias);
}

/* What is done to ports of the kernel's bridges would have no effect there. */
static bool check_switch(const struct resources *resources, const struct domain_interface *interface,
                         GError **error)
{
        const struct domain_takings *takings = resources->start->takings;

        if (!resources_get_bridge(interface))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<virtualport type='openvswitch'> of interface '%s' needs a bridge",
                                 interface->info.alias);
        if (interface->filter)
                return refuse_switch(interface, "<filterref>", error);
        if (traffic_is_limited(resources_get_bandwidth(takings, interface)))
                return refuse_switch(interface, "<bandwidth>", error);
        return !resources_is_isolated(takings, interface) ||
               refuse_switch(interface, "<port isolated='yes'>", error);
}

static bool check_virtual_port(const struct resources *resources, const struct domain_interface *interface,
                               GError **error)
{
        static const char *const reasons[VIRTUAL_PORT_TYPES] = {
                [VIRTUAL_PORT_UNSAID] = "neither the interface nor its network says of which type it is",
                [VIRTUAL_PORT_802_1QBG] = "the switch is told by lldpad (VDP), which is not asked to",
                [VIRTUAL_PORT_802_1QBH] =
                        "port profiles need a card whose driver has them, and a protocol of the "
                        "kernel that is not spoken",
                [VIRTUAL_PORT_MIDONET] = "MidoNet, whose mm-ctl would have to be run, is not made any more",
        };
        const struct virtual_port *port = resources_get_virtual_port(resources->start->takings, interface);

        if (!port->is_there)
                return true;
        if (port->type == VIRTUAL_PORT_OPENVSWITCH)
                return check_switch(resources, interface, error);
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "<virtualport> of type '%s' of interface '%s' is not supported: %s",
                         virtual_port_type_get_name(port->type), interface->info.alias, reasons[port->type]);
}

/* Programs give every interface the same limits; libvirt starts these guests, too. */
static void tell_unlimited(const struct resources *resources, const struct domain_interface *interface)
{
        bool has_link = resources_get_bridge(interface) || interface->type == DOMAIN_INTERFACE_ETHERNET ||
                        interface->type == DOMAIN_INTERFACE_DIRECT ||
                        interface->type == DOMAIN_INTERFACE_HOSTDEV;

        if (!has_link && traffic_is_limited(&interface->bandwidth))
                log_notice("interface '%s' of %s has no link on the host: its <bandwidth> limits nothing",
                           interface->info.alias, resources->guest->who);
        if (interface->sndbuf > 0 && (!has_link || interface->type == DOMAIN_INTERFACE_HOSTDEV))
                log_notice("interface '%s' of %s has no tap on the host: its <sndbuf> limits nothing",
                           interface->info.alias, resources->guest->who);
}

bool resources_prepare_interface(struct resources *resources, const void *device, GError **error)
{
        const struct domain_interface *interface = device;

        tell_unlimited(resources, interface);
        if (!resources_check_trust(resources->start->takings, interface, error) ||
            !check_virtual_port(resources, interface, error))
                return false;
        if (interface->type == DOMAIN_INTERFACE_NETWORK && !interface->network_bridge)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "interface '%s' has no port of network '%s'", interface->info.alias,
                                 interface->source);
        if (vlan_is_set(resources_get_vlan(resources->start->takings, interface)) &&
            interface->type != DOMAIN_INTERFACE_HOSTDEV && !resources_get_bridge(interface))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "interface '%s' - vlan tag not supported for this connection type",
                                 interface->info.alias);
        if (interface->type == DOMAIN_INTERFACE_DIRECT)
                return prepare_direct(resources, interface, error);
        if (interface->type == DOMAIN_INTERFACE_VHOSTUSER)
                return prepare_vhostuser(resources, interface);
        if (interface->type == DOMAIN_INTERFACE_VDPA)
                return prepare_vdpa(resources, interface, error);
        if (interface->type == DOMAIN_INTERFACE_HOSTDEV)
                return resources_prepare_vf(resources, interface, error);
        if (g_strcmp0(interface->backend, "passt") == 0)
                return passt_start(resources, interface, error);
        if (resources_get_bridge(interface) || interface->type == DOMAIN_INTERFACE_ETHERNET)
                return prepare_tap(resources, interface, error);
        return true;
}
