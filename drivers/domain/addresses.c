/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The addresses that a guest's interfaces have: of the leases of its networks, which are read in their lanes,
 * of the host's neighbours, read in the domain's, or as the guest's agent has them. Loop, but for *_work.
 */
#include "base/error.h"
#include "drivers/domain/guest-agent.h"
#include "drivers/domain/model.h"
#include "drivers/network/network.h"
#include "interfaces/neighbours.h"
#include "interfaces/netlink.h"

#include <string.h>

/* Of a guest that runs; one entry for each interface that can have some, without addresses yet. */
struct question {
        GPtrArray *interfaces; /* owned; struct domain_interface_addresses */
        unsigned pending;      /* networks that have not answered */
        domain_addresses_done done;
        void *data; /* owned by done */
};

static struct domain_interface_addresses *add(struct question *question,
                                              const struct domain_interface *interface)
{
        const uint8_t *mac = interface->mac;
        char text[18];

        g_snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                   mac[4], mac[5]);
        return domain_interface_addresses_add(question->interfaces,
                                              interface->target ? interface->target : "", text);
}

static struct question *question_new(domain_addresses_done done, void *data)
{
        struct question *question = g_new0(struct question, 1);

        *question = (struct question){ domain_interface_addresses_new(), 1, done, data };
        return question;
}

/* Takes question. Interfaces without an address are of no interest. */
static void answer(struct question *question, const GError *error)
{
        for (unsigned i = question->interfaces->len; i-- > 0;) {
                const struct domain_interface_addresses *entry = question->interfaces->pdata[i];

                if (entry->ips->len == 0)
                        g_ptr_array_remove_index(question->interfaces, i);
        }
        question->done(error ? NULL : question->interfaces, error, question->data);
        g_ptr_array_unref(question->interfaces);
        g_free(question);
}

/* ---- leases ---- */

/* One network's, for one interface. */
struct part {
        struct question *question;                /* borrowed */
        struct domain_interface_addresses *entry; /* borrowed from question */
};

static void settle(struct question *question)
{
        if (--question->pending == 0)
                answer(question, NULL);
}

/* A network that has stopped meanwhile lends nothing. */
static void take_leases(const struct network *network, const GPtrArray *leases, const GError *error,
                        void *data)
{
        g_autofree struct part *part = data;

        for (unsigned i = 0; leases && i < leases->len; i++) {
                const struct network_lease *lease = g_ptr_array_index(leases, i);
                struct link_ip ip = { .family = (uint8_t)lease->address.family,
                                      .prefix = (uint8_t)lease->prefix };

                memcpy(ip.bytes, lease->address.bytes, sizeof(ip.bytes));
                g_array_append_val(part->entry->ips, ip);
        }
        settle(part->question);
}

static void ask_networks(struct domain *domain, const struct domain_def *def, struct question *question)
{
        struct networks *networks = domain->driver->networks;

        for (unsigned i = 0; networks && i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];
                const char *name =
                        interface->type == DOMAIN_INTERFACE_NETWORK ? interface->source : interface->network;
                struct network *network = name ? network_lookup_name(networks, name, NULL) : NULL;
                const struct part part = { question, network ? add(question, interface) : NULL };

                if (!network)
                        continue;
                question->pending++;
                network_get_leases(network, part.entry->mac, 0, take_leases, g_memdup2(&part, sizeof(part)));
        }
        settle(question);
}

/* ---- neighbours ---- */

static void take_neighbours(struct domain_interface_addresses *entry, const uint8_t mac[6],
                            const GArray *neighbours)
{
        for (unsigned i = 0; i < neighbours->len; i++) {
                const struct neighbour *neighbour = &g_array_index(neighbours, struct neighbour, i);
                struct link_ip ip = neighbour->ip;

                /* As with libvirt: what network it is in is not known. */
                ip.prefix = 0;
                if (memcmp(neighbour->mac, mac, sizeof(neighbour->mac)) == 0)
                        g_array_append_val(entry->ips, ip);
        }
}

static bool neighbours_work(struct managed *object, void *data, GError **error)
{
        CLEANUP(netlink_free) struct netlink *netlink = NULL;
        struct question *question = data;
        const struct domain_def *def;
        g_autoptr(GArray) neighbours = NULL;

        if (!managed_require_active(object, error))
                return false;
        netlink = netlink_new(object->lane, error);
        neighbours = netlink ? neighbours_read(netlink, error) : NULL;
        if (!neighbours)
                return false;
        def = domain_def_of(object->current->active);
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                take_neighbours(add(question, &def->devices.interfaces[i]), def->devices.interfaces[i].mac,
                                neighbours);
        return true;
}

static void neighbours_done(struct managed *object, const GError *error, void *data)
{
        answer(data, error);
}

/* ---- the guest's agent ---- */

static void take_agent(const struct domain_agent_answer *agent, const GError *error, void *data)
{
        struct question *question = data;

        question->done(agent ? agent->interfaces : NULL, error, question->data);
        g_ptr_array_unref(question->interfaces);
        g_free(question);
}

/* ---- the question ---- */

static bool check(const struct domain *domain, unsigned source, unsigned flags, GError **error)
{
        if (!flags_check(flags, 0, ERROR_FROM_DOMAIN, "InterfaceAddresses", error))
                return false;
        if (source > DOMAIN_ADDRESSES_ARP)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_ARGUMENT_UNSUPPORTED,
                                 "unknown IP address data source %u", source);
        return domain_is_active(domain) || error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                                     "domain '%s' is not running", domain->base.name);
}

void domain_get_addresses(struct domain *domain, unsigned source, unsigned flags, domain_addresses_done done,
                          void *data)
{
        g_autoptr(GError) error = NULL;
        struct question *question;

        if (!check(domain, source, flags, &error)) {
                done(NULL, error, data);
                return;
        }
        question = question_new(done, data);
        if (source == DOMAIN_ADDRESSES_AGENT || domain->driver->ops->agents_have_addresses)
                domain_get_agent_interfaces(domain, take_agent, question);
        else if (source == DOMAIN_ADDRESSES_LEASE)
                ask_networks(domain, domain_def_of(domain->base.published->active), question);
        else
                managed_run(&domain->base, MANAGED_IN_TURN, neighbours_work, neighbours_done, question);
}
