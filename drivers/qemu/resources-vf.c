/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces that are network cards of the host. A virtual function gets MAC address and tag by way of its
 * physical function's driver, and has its own again afterwards; all others keep what they have. Lane of the
 * domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/qemu/device.h"
#include "interfaces/macvtap.h"
#include "nodedev/pci.h"
#include "nodedev/sriov.h"

#include <string.h>

#define ROOT ""

static bool refuse(GError **error, const struct domain_interface *interface, const char *what)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "%s of interface '%s' is not supported: it is a device of the host", what,
                         interface->info.alias);
}

static bool check(const struct domain_interface *interface, GError **error)
{
        if (interface->driver && strcmp(interface->driver, "vfio") != 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "driver '%s' of interface '%s' is not supported, 'vfio' is",
                                 interface->driver, interface->info.alias);
        if (traffic_is_limited(&interface->bandwidth))
                return refuse(error, interface, "<bandwidth>");
        if (interface->mtu)
                return refuse(error, interface, "<mtu>");
        return interface->link_up != DOMAIN_SWITCH_OFF || refuse(error, interface, "<link state='down'>");
}

/* The driver of a physical function has one tag for each of its virtual ones. */
static bool check_vlan(const struct domain_interface *interface, const struct vlan *vlan, bool is_virtual,
                       GError **error)
{
        if (!vlan_is_set(vlan))
                return true;
        if (!is_virtual)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "the vlan tag of interface '%s' cannot be set: it is no virtual function of SR-IOV",
                        interface->info.alias);
        return !vlan->trunk ||
               error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "vlan trunking of interface '%s' is not supported by SR-IOV", interface->info.alias);
}

/* Nobody can set another address; where the host sees the one that it has, that is the guest's, too. */
static bool check_own_mac(const struct domain_interface *interface, const char *pci, GError **error)
{
        g_autofree char *link = sriov_get_interface(ROOT, pci),
                        *mac = link ? macvtap_read_mac(link, NULL) : NULL;
        const uint8_t *wanted = interface->mac;
        g_autofree char *text = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", wanted[0], wanted[1],
                                                wanted[2], wanted[3], wanted[4], wanted[5]);

        return !mac || strcmp(mac, text) == 0 ||
               error_set(
                       error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                       "the MAC address of interface '%s' cannot be %s: PCI device %s is no virtual function "
                       "of SR-IOV, and has %s",
                       interface->info.alias, text, pci, mac);
}

/* Noted with what it has now; it changes in resources_take_vfs(). */
static bool note_vf(struct resources *resources, const struct domain_interface *interface, const char *pci,
                    const char *physical, unsigned number, GError **error)
{
        g_autofree char *link = sriov_get_interface(ROOT, physical);
        struct status_vf vf = { .alias = (char *)interface->info.alias, .physical = link, .number = number };

        if (!link)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "the MAC address of interface '%s' cannot be set: the physical function %s of "
                        "%s is no interface of the host",
                        interface->info.alias, physical, pci);
        if (!vf_read(resources->guest->domain->base.lane, link, number, &vf.before, error))
                return false;
        status_add_vf(resources->guest->status, &vf);
        return true;
}

bool resources_prepare_vf(struct resources *resources, const struct domain_interface *interface,
                          GError **error)
{
        const struct domain_address_pci *host = &interface->host_pci;
        g_autofree char *pci = pci_format_name(host->domain, host->bus, host->slot, host->function);
        unsigned number = 0;
        g_autofree char *physical = sriov_get_physical(ROOT, pci, &number);

        const struct vlan *vlan = resources_get_vlan(resources->start->takings, interface);

        if (!check(interface, error) || !check_vlan(interface, vlan, physical != NULL, error))
                return false;
        if (physical ? !note_vf(resources, interface, pci, physical, number, error)
                     : !check_own_mac(interface, pci, error))
                return false;
        return resources_prepare_pci(resources, host, interface->managed, error);
}

static const struct domain_interface *find(const struct domain_def *def, const char *alias)
{
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                if (g_strcmp0(def->devices.interfaces[i].info.alias, alias) == 0)
                        return &def->devices.interfaces[i];
        return NULL;
}

bool resources_take_vfs(struct resources *resources, GError **error)
{
        const GPtrArray *vfs = resources->guest->status->vfs;

        for (unsigned i = 0; i < vfs->len; i++) {
                const struct status_vf *vf = g_ptr_array_index(vfs, i);
                const struct domain_interface *interface = find(resources->def, vf->alias);
                struct vf_config config = { 0 };
                const struct vlan *vlan;

                if (!resources_is_taken_for(resources, vf->alias) || !interface)
                        continue;
                vlan = resources_get_vlan(resources->start->takings, interface);
                memcpy(config.mac, interface->mac, sizeof(config.mac));
                config.vlan = vlan_is_set(vlan) ? vlan->tags[0].id : 0;
                if (!vf_write(resources->guest->domain->base.lane, vf->physical, vf->number, &config, error))
                        return false;
        }
        return true;
}
