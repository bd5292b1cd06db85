/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bandwidth of a port as typed parameters. As with libvirt it is the network's part of it that is
 * changed: the record, and what is guaranteed on the bridge; limits of the tap are the guest's. Loop, but for
 * set_work.
 */
#include "base/error.h"
#include "drivers/network/model.h"

#include <stddef.h>

#define PARAM(name, member)                                                                                  \
        {                                                                                                    \
                name, offsetof(struct traffic, member)                                                       \
        }

/* VIR_NETWORK_PORT_BANDWIDTH_... */
static const struct {
        const char *name;
        size_t offset; /* of a uint32_t in struct traffic */
} places[] = {
        PARAM("inbound.average", inbound.average_kbps),   PARAM("inbound.peak", inbound.peak_kbps),
        PARAM("inbound.floor", inbound.floor_kbps),       PARAM("inbound.burst", inbound.burst_kib),
        PARAM("outbound.average", outbound.average_kbps), PARAM("outbound.peak", outbound.peak_kbps),
        PARAM("outbound.burst", outbound.burst_kib),
};

static const struct param_rule rules[G_N_ELEMENTS(places)] = {
        { "inbound.average", PARAM_UINT },  { "inbound.peak", PARAM_UINT },
        { "inbound.floor", PARAM_UINT },    { "inbound.burst", PARAM_UINT },
        { "outbound.average", PARAM_UINT }, { "outbound.peak", PARAM_UINT },
        { "outbound.burst", PARAM_UINT },
};

const struct param_table network_port_param_table = {
        .from = ERROR_FROM_NETWORK,
        .function = "SetPortParameters",
        .rules = rules,
        .n_rules = G_N_ELEMENTS(rules),
};

static uint32_t *find_place(struct traffic *traffic, unsigned index)
{
        return (uint32_t *)(void *)((char *)traffic + places[index].offset);
}

const struct network_port *network_find_port(const struct network *network, const char *uuid, GError **error)
{
        const struct network_state *state = (const struct network_state *)network_get_published(network);
        const struct network_port *port = state->ports ? object_set_find(state->ports, uuid) : NULL;
        g_autofree char *quoted = NULL;

        if (port)
                return port;
        quoted = error_quote(uuid);
        error_set(error, ERROR_FROM_NETWORK, ERROR_NO_NETWORK_PORT,
                  "no port with matching uuid '%s' in network '%s'", quoted, network->base.name);
        return NULL;
}

struct params *network_port_get_params(const struct network_port *port, unsigned flags, GError **error)
{
        struct traffic traffic = port->bandwidth;
        struct params *params;

        if (!network_check_flags(flags, 0, "GetPortParameters", error))
                return NULL;
        params = params_new();
        for (unsigned i = 0; i < G_N_ELEMENTS(places); i++)
                params_add_uint(params, places[i].name, *find_place(&traffic, i));
        return params;
}

/* ---- a change ---- */

struct change {
        char *uuid;            /* owned */
        struct params *params; /* owned */
};

static void change_free(void *data)
{
        struct change *change = data;

        g_free(change->uuid);
        params_free(change->params);
        g_free(change);
}

static void apply(struct traffic *traffic, const struct params *params)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
                const struct param *param = params_find(params, places[i].name);

                if (param)
                        *find_place(traffic, i) = param->value.u;
        }
}

static bool set_work(struct managed *object, void *data, GError **error)
{
        struct network *network = network_from(object);
        const struct change *change = data;
        const struct network_state *state = (const struct network_state *)object->current;
        struct network_port *old, *port;

        if (!network_require_active(object, error))
                return false;
        old = state->ports ? object_set_find(state->ports, change->uuid) : NULL;
        if (!old)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_NO_NETWORK_PORT,
                                 "the port %s of network '%s' is gone", change->uuid,
                                 managed_get_current_name(object));
        port = network_port_copy(old);
        apply(&port->bandwidth, change->params);
        if (!network_floor_check(port, network_def_const(state->base.active), state->ports, error) ||
            !network_floor_add(network, network_def_const(state->base.active), port, error)) {
                network_port_unref(port);
                return false;
        }
        if (port->bandwidth.inbound.floor_kbps == 0)
                port->floor_class = 0;
        /* The loop may let go of it as soon as the new one is told of. */
        network_port_ref(old);
        network_port_record(network, port);
        if (port->floor_class == 0)
                network_floor_remove(network, old);
        network_port_unref(old);
        network_port_unref(port);
        return true;
}

void network_port_set_params(struct network *network, const char *uuid, struct params *params, unsigned flags,
                             managed_done done, void *data)
{
        GError *error = NULL;
        struct change *change = g_new0(struct change, 1);

        change->uuid = g_strdup(uuid);
        change->params = params;
        if (network_check_flags(flags, 0, "SetPortParameters", &error) &&
            network_find_port(network, uuid, &error)) {
                managed_run_task(&network->base,
                                 &(const struct managed_task){
                                         .work = set_work, .args = change, .free_args = change_free },
                                 done, data);
                return;
        }
        change_free(change);
        managed_fail(error, done, data);
}
