/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firewalls of others. What our table accepts, theirs may drop. Where they have a place for what others
 * accept it is put there: Docker's chain DOCKER-USER, a zone of firewalld. Of what remains the network says
 * so. In the network's lane.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/spawn.h"
#include "base/system-call.h"
#include "drivers/network/model.h"
#include "interfaces/netlink.h"

#include <linux/netfilter.h>
#include <string.h>

#define IPTABLES_TIMEOUT_MS  10000
#define FIREWALLD_TIMEOUT_MS 10000
/* More chains that drop are not told of. */
#define WARNINGS_MAX 16
/* Of packaging/firewalld: guests reach out, and the host for DHCP, DNS and TFTP only; the second lets them be
 * reached. */
#define ZONE        "virtbus"
#define ZONE_ROUTED "virtbus-routed"

struct foreign {
        struct network *network; /* borrowed */
        const struct network_def *def;
        bool docker[2];      /* IPv4, IPv6: there is a chain DOCKER-USER */
        bool opened[2];      /* and our bridge is in it */
        bool firewalld;      /* there is its table */
        GPtrArray *warnings; /* owned; sentences */
};

static void take_warning(struct foreign *foreign, char *text)
{
        if (foreign->warnings->len < WARNINGS_MAX)
                g_ptr_array_add(foreign->warnings, text);
        else
                g_free(text);
}

/* ---- Docker ---- */

/* Docker itself talks to the kernel through the same program, whichever of its two kinds that is. */
static bool iptables(const struct foreign *foreign, bool is_ipv6, const char *command, const char *side,
                     GError **error)
{
        const char *const argv[] = {
                is_ipv6 ? "ip6tables" : "iptables",
                "-w",
                "5",
                command,
                "DOCKER-USER",
                side,
                foreign->def->bridge,
                "-j",
                "ACCEPT",
                NULL,
        };

        return spawn_check(foreign->network->base.lane, argv, IPTABLES_TIMEOUT_MS, NULL, error);
}

static bool add_to_docker(const struct foreign *foreign, bool is_ipv6, GError **error)
{
        static const char *const sides[] = { "-i", "-o" };

        for (unsigned i = 0; i < G_N_ELEMENTS(sides); i++)
                if (!iptables(foreign, is_ipv6, "-C", sides[i], NULL) &&
                    !iptables(foreign, is_ipv6, "-I", sides[i], error))
                        return false;
        return true;
}

static void open_docker(struct foreign *foreign)
{
        for (unsigned i = 0; i < 2; i++) {
                g_autoptr(GError) error = NULL;

                if (!foreign->docker[i])
                        continue;
                foreign->opened[i] = add_to_docker(foreign, i == 1, &error);
                if (error)
                        take_warning(
                                foreign,
                                g_strdup_printf("Docker's chain DOCKER-USER does not take interface '%s': %s",
                                                foreign->def->bridge, error->message));
        }
}

static void close_docker(const struct foreign *foreign)
{
        for (unsigned i = 0; i < 2; i++) {
                if (!foreign->docker[i])
                        continue;
                iptables(foreign, i == 1, "-D", "-i", NULL);
                iptables(foreign, i == 1, "-D", "-o", NULL);
        }
}

/* ---- firewalld ---- */

static const char *choose_zone(const struct network_def *def)
{
        if (def->bridge_zone)
                return def->bridge_zone;
        return def->forward == NETWORK_FORWARD_ROUTE ? ZONE_ROUTED : ZONE;
}

static bool call_firewalld(const struct foreign *foreign, const char *member, GError **error)
{
        const char *const arguments[] = { choose_zone(foreign->def), foreign->def->bridge, NULL };

        return system_call_run(foreign->network->base.lane,
                               &(const struct system_call){
                                       .service = "org.fedoraproject.FirewallD1",
                                       .path = "/org/fedoraproject/FirewallD1",
                                       .interface = "org.fedoraproject.FirewallD1.zone",
                                       .member = member,
                                       .arguments = arguments,
                               },
                               FIREWALLD_TIMEOUT_MS, error);
}

static void open_firewalld(struct foreign *foreign)
{
        g_autoptr(GError) error = NULL;

        if (foreign->firewalld && !call_firewalld(foreign, "changeZoneOfInterface", &error))
                take_warning(foreign,
                             g_strdup_printf("zone '%s' of firewalld does not take interface '%s': %s",
                                             choose_zone(foreign->def), foreign->def->bridge,
                                             error->message));
}

/* ---- what there is ---- */

static void find_places(const struct nft_chain *chain, void *data)
{
        struct foreign *foreign = data;

        if (strcmp(chain->table, "filter") == 0 && strcmp(chain->name, "DOCKER-USER") == 0)
                foreign->docker[chain->family == NFPROTO_IPV6] = true;
        foreign->firewalld |= strcmp(chain->table, "firewalld") == 0;
}

static bool is_open(const struct foreign *foreign, const struct nft_chain *chain)
{
        bool is_iptables = strcmp(chain->table, "filter") == 0 && chain->hook == NF_INET_FORWARD;

        if (g_str_has_prefix(chain->table, "virtbus_") || strcmp(chain->table, "firewalld") == 0)
                return true;
        return is_iptables && ((chain->family == NFPROTO_IPV4 && foreign->opened[0]) ||
                               (chain->family == NFPROTO_IPV6 && foreign->opened[1]));
}

static const char *get_family_name(unsigned family)
{
        return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

/* Only of what drops all that it does not accept: what single rules do is their author's business. */
static void warn_of_drops(const struct nft_chain *chain, void *data)
{
        struct foreign *foreign = data;
        bool forwards = chain->hook == NF_INET_FORWARD && foreign->def->forward != NETWORK_FORWARD_NONE;

        if (!chain->drops || (!forwards && chain->hook != NF_INET_LOCAL_IN) || is_open(foreign, chain))
                return;
        take_warning(foreign,
                     g_strdup_printf(
                             "chain '%s' of table '%s %s' drops what it does not accept, which may be %s of "
                             "guests: it has to accept interface '%s'",
                             chain->name, get_family_name(chain->family), chain->table,
                             forwards ? "the traffic" : "requests for DHCP and DNS", foreign->def->bridge));
}

static bool look(struct foreign *foreign, nft_chain_fn fn)
{
        CLEANUP(netlink_free) struct netlink *netlink = netlink_new_filter(foreign->network->base.lane, NULL);

        return netlink && nft_list_chains(netlink, fn, foreign, NULL);
}

/* ---- in and out ---- */

/* Of mode `open` all filtering is the administrator's, of others there is no bridge of ours. */
static bool is_filtered(const struct network_def *def)
{
        return network_forward_has_own_bridge(def->forward) && def->forward != NETWORK_FORWARD_OPEN;
}

static void log_new(const struct foreign *foreign, char **before)
{
        for (unsigned i = 0; i < foreign->warnings->len; i++) {
                const char *text = g_ptr_array_index(foreign->warnings, i);

                if (!before || !g_strv_contains((const char *const *)before, text))
                        log_warning("network '%s': %s", foreign->def->base.name, text);
        }
}

char **network_foreign_open(struct network *network, const struct network_def *def, char **before)
{
        struct foreign foreign = { .network = network, .def = def, .warnings = g_ptr_array_new() };

        if (is_filtered(def) && look(&foreign, find_places)) {
                open_docker(&foreign);
                open_firewalld(&foreign);
                look(&foreign, warn_of_drops);
        }
        log_new(&foreign, before);
        g_ptr_array_add(foreign.warnings, NULL);
        return (char **)g_ptr_array_free(foreign.warnings, FALSE);
}

bool network_foreign_check(struct network *network, const struct network_def *def, GError **error)
{
        struct foreign foreign = { .network = network, .def = def };

        if (!def->bridge_zone || (look(&foreign, find_places) && foreign.firewalld))
                return true;
        return error_set(error, ERROR_FROM_NETWORK, ERROR_CONFIG_UNSUPPORTED,
                         "zone '%s' requested for network '%s' but firewalld is not active", def->bridge_zone,
                         def->base.name);
}

void network_foreign_close(struct network *network, const struct network_def *def)
{
        struct foreign foreign = { .network = network, .def = def };

        if (!is_filtered(def) || !look(&foreign, find_places))
                return;
        close_docker(&foreign);
        if (foreign.firewalld)
                call_firewalld(&foreign, "removeInterface", NULL);
}

bool network_state_look(struct network *network, struct network_state *state, const struct network_def *def)
{
        g_auto(GStrv) before = g_steal_pointer(&state->warnings);

        state->warnings = network_foreign_open(network, def, before);
        return !before || !g_strv_equal((const char *const *)before, (const char *const *)state->warnings);
}
