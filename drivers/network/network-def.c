/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions of networks without their documents. Any thread. */
#include "drivers/network/network-def.h"

#include "drivers/network/network-xml.h"
#include "nodedev/sriov.h"

#include <string.h>

static const char *const forward_names[NETWORK_FORWARD_COUNT] = {
        [NETWORK_FORWARD_NAT] = "nat",
        [NETWORK_FORWARD_ROUTE] = "route",
        [NETWORK_FORWARD_OPEN] = "open",
        [NETWORK_FORWARD_BRIDGE] = "bridge",
        [NETWORK_FORWARD_PRIVATE] = "private",
        [NETWORK_FORWARD_VEPA] = "vepa",
        [NETWORK_FORWARD_PASSTHROUGH] = "passthrough",
        [NETWORK_FORWARD_HOSTDEV] = "hostdev",
};

const char *network_forward_get_name(enum network_forward forward)
{
        return forward_names[forward];
}

bool network_forward_has_own_bridge(enum network_forward forward)
{
        return forward <= NETWORK_FORWARD_OPEN;
}

bool network_forward_takes_vlan(const struct network_def *def)
{
        return def->forward == NETWORK_FORWARD_HOSTDEV ||
               (def->forward == NETWORK_FORWARD_BRIDGE && def->bridge);
}

const struct network_portgroup *network_def_find_portgroup(const struct network_def *def, const char *name)
{
        for (unsigned i = 0; i < def->portgroups->len; i++) {
                const struct network_portgroup *group = g_ptr_array_index(def->portgroups, i);

                if (name ? strcmp(group->name, name) == 0 : group->is_default)
                        return group;
        }
        return NULL;
}

char **network_list_functions(const struct network_def *def)
{
        char **functions;

        if (def->forward_functions->len == 0 && def->forward_physical)
                return sriov_list_virtual("", def->forward_physical);
        functions = g_new0(char *, def->forward_functions->len + 1);
        for (unsigned i = 0; i < def->forward_functions->len; i++)
                functions[i] = g_strdup(def->forward_functions->pdata[i]);
        return functions;
}

void network_def_free(struct definition *definition)
{
        struct network_def *def = network_def_of(definition);

        g_free(def->forward_device);
        g_clear_pointer(&def->forward_interfaces, g_ptr_array_unref);
        g_clear_pointer(&def->forward_functions, g_ptr_array_unref);
        g_free(def->forward_physical);
        g_free(def->forward_driver);
        g_free(def->bridge);
        g_free(def->bridge_zone);
        g_free(def->mac);
        g_free(def->domain);
        network_dns_clear(&def->dns);
        g_clear_pointer(&def->ips, g_ptr_array_unref);
        g_clear_pointer(&def->routes, g_ptr_array_unref);
        g_clear_pointer(&def->portgroups, g_ptr_array_unref);
        g_clear_pointer(&def->options, g_ptr_array_unref);
        definition_clear(definition);
        g_free(def);
}
