/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The networks of one connection: the kind of managed object that they are, lookups, lists and reads. Loop
 * thread, but for the hooks of the kind.
 */
#include "drivers/network/network.h"

#include "base/error.h"
#include "drivers/network/model.h"

#include <string.h>

/* ---- the kind ---- */

static struct definition *kind_parse(void *context, const char *xml, GError **error)
{
        struct network_def *def = network_def_parse(xml, error);

        return def ? &def->base : NULL;
}

static void kind_object_init(struct managed *object, void *context)
{
        struct network *network = network_from(object);

        network->networks = context;
        network->server.pidfd = -1;
}

static void kind_object_clear(struct managed *object)
{
        network_leases_forget(network_from(object));
}

static void kind_state_copy(struct managed_state *to, const struct managed_state *from)
{
        struct network_state *state = (struct network_state *)to;

        if (state->ports)
                object_set_ref(state->ports);
        state->warnings = g_strdupv(state->warnings);
}

static void kind_state_clear(struct managed_state *state)
{
        object_set_unref(((struct network_state *)state)->ports);
        g_strfreev(((struct network_state *)state)->warnings);
}

static void kind_event_free(struct managed_event *event)
{
        struct network_event *own = (struct network_event *)event;

        if (event->id != MANAGED_EVENT_LIFECYCLE) {
                g_free(own->uri);
                network_lease_free(own->lease);
        }
        g_free(event);
}

const struct managed_kind network_kind = {
        .noun = "network",
        .from = ERROR_FROM_NETWORK,
        .missing = ERROR_NO_NETWORK,
        .exists = ERROR_OPERATION_FAILED,
        .object_size = sizeof(struct network),
        .state_size = sizeof(struct network_state),
        .parse = kind_parse,
        .state_copy = kind_state_copy,
        .state_clear = kind_state_clear,
        .definition_free = network_def_free,
        .object_init = kind_object_init,
        .object_clear = kind_object_clear,
        .event_free = kind_event_free,
};

/* ---- the connection's networks ---- */

struct networks *networks_new(struct loop *loop, struct pool *pool, const struct networks_config *config)
{
        struct networks *networks = g_new0(struct networks, 1);

        networks->loop = loop;
        networks->pool = pool;
        networks->state_dir = g_strdup(config->state_dir);
        networks->runtime_dir = g_strdup(config->runtime_dir);
        networks->starts_for_guests = true;
        networks->default_state = config->with_default ? NETWORK_DEFAULT_WANTED : NETWORK_DEFAULT_SETTLED;
        networks->lease_program = g_strdup(config->lease_program);
        networks->lease_socket.fd = -1;
        if (config->state_dir)
                networks->lease_dir = g_build_filename(config->state_dir, "leases", NULL);
        networks->claims = g_ptr_array_new();
        networks->registry = registry_new(&network_kind, networks, loop, pool, config->state_dir);
        return networks;
}

void networks_set_starts_for_guests(struct networks *networks, bool starts)
{
        g_atomic_int_set(&networks->starts_for_guests, starts);
}

void networks_free(struct networks *networks)
{
        if (!networks)
                return;
        network_leases_unlisten(networks);
        registry_free(networks->registry);
        g_ptr_array_unref(networks->claims);
        g_free(networks->state_dir);
        g_free(networks->runtime_dir);
        g_free(networks->lease_dir);
        g_free(networks->lease_program);
        g_free(networks);
}

/* Name, uuid and addresses are part of the wire, as tools and tests know them. */
static const char default_network[] = "<network>\n"
                                      "  <name>default</name>\n"
                                      "  <uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid>\n"
                                      "  <forward mode='nat'/>\n"
                                      "  <bridge name='virbr0'/>\n"
                                      "  <ip address='192.168.122.1' netmask='255.255.255.0'>\n"
                                      "    <dhcp>\n"
                                      "      <range start='192.168.122.2' end='192.168.122.254'/>\n"
                                      "    </dhcp>\n"
                                      "  </ip>\n"
                                      "</network>\n";

static bool install_default(struct networks *networks, GError **error)
{
        struct network_def *def = network_def_parse(default_network, error);
        struct managed_state *state;

        if (!def)
                return false;
        state = managed_state_new(&network_kind);
        state->persistent = &def->base;
        state->active = definition_ref(&def->base);
        return registry_install(networks->registry, state, error) != NULL;
}

struct networks *networks_new_test(struct loop *loop, struct pool *pool, GError **error)
{
        struct networks *networks = networks_new(loop, pool, &(const struct networks_config){ 0 });

        if (install_default(networks, error))
                return networks;
        networks_free(networks);
        return NULL;
}

struct registry *networks_get_registry(const struct networks *networks)
{
        return networks->registry;
}

/* ---- lookups and lists ---- */

struct network *network_lookup_name(struct networks *networks, const char *name, GError **error)
{
        return network_from(registry_lookup_name(networks->registry, name, error));
}

struct network *network_lookup_uuid(struct networks *networks, const char *uuid, GError **error)
{
        return network_from(registry_lookup_uuid(networks->registry, uuid, error));
}

static const unsigned list_groups[] = {
        NETWORK_LIST_INACTIVE | NETWORK_LIST_ACTIVE,
        NETWORK_LIST_PERSISTENT | NETWORK_LIST_TRANSIENT,
        NETWORK_LIST_AUTOSTART | NETWORK_LIST_NO_AUTOSTART,
};

static unsigned describe(const void *object)
{
        static const struct managed_flags flags = {
                .active = NETWORK_LIST_ACTIVE,
                .inactive = NETWORK_LIST_INACTIVE,
                .persistent = NETWORK_LIST_PERSISTENT,
                .transient = NETWORK_LIST_TRANSIENT,
                .autostart = NETWORK_LIST_AUTOSTART,
                .no_autostart = NETWORK_LIST_NO_AUTOSTART,
        };

        return managed_state_describe(((const struct managed *)object)->published, &flags);
}

static const struct filter list_filter = {
        .groups = list_groups,
        .n_groups = G_N_ELEMENTS(list_groups),
        .describe = describe,
};

GPtrArray *network_list(struct networks *networks, unsigned flags, GError **error)
{
        return registry_select(networks->registry, &list_filter, flags, "ListNetworks", error);
}

/* ---- reads ---- */

/* How many guests are plugged in, as libvirt has it: the document of a network that runs begins with it. */
static char *count_connections(const struct network_state *state)
{
        static const char root[] = "<network";
        const char *xml = state->base.active->xml;

        if (!state->ports || state->ports->count == 0)
                return g_strdup(xml);
        return g_strdup_printf("%s connections='%u'%s", root, state->ports->count, xml + strlen(root));
}

char *network_get_xml(const struct network *network, unsigned flags, GError **error)
{
        const struct managed_state *state = network_get_published(network);

        if (!network_check_flags(flags, NETWORK_XML_INACTIVE, "GetXMLDesc", error))
                return NULL;
        if ((flags & NETWORK_XML_INACTIVE) && state->persistent)
                return g_strdup(state->persistent->xml);
        if (!state->active || (flags & NETWORK_XML_INACTIVE))
                return g_strdup(managed_state_get_definition(state)->xml);
        return count_connections((const struct network_state *)state);
}

const char *network_get_bridge_name(const struct network *network, unsigned flags, GError **error)
{
        const struct managed_state *state = network_get_published(network);
        const struct network_def *def = network_def_const(managed_state_get_definition(state));

        if (!network_check_flags(flags, 0, "GetBridgeName", error))
                return NULL;
        if (!def->bridge)
                error_set(error, ERROR_FROM_NETWORK, ERROR_INTERNAL_ERROR,
                          "network '%s' does not have a bridge name.", def->base.name);
        return def->bridge;
}

bool network_list_ports(const struct network *network, unsigned flags, const struct object_set **ports,
                        GError **error)
{
        if (!network_check_flags(flags, 0, "ListPorts", error))
                return false;
        *ports = ((const struct network_state *)network_get_published(network))->ports;
        return true;
}

const char *const *network_get_warnings(const struct network *network)
{
        static const char *const none[] = { NULL };
        char **warnings = ((const struct network_state *)network_get_published(network))->warnings;

        return warnings ? (const char *const *)warnings : none;
}

bool network_has_other_warnings(const struct managed_state *a, const struct managed_state *b)
{
        char **first = ((const struct network_state *)a)->warnings,
             **second = ((const struct network_state *)b)->warnings;

        if (!first || !second)
                return first != second;
        return !g_strv_equal((const char *const *)first, (const char *const *)second);
}
