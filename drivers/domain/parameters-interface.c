/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters of the bandwidth of an interface, with the names of virDomainGetInterfaceParameters(). No
 * state; edits in the domain's lane.
 */
#include "drivers/domain/parameters.h"

enum {
        INBOUND = 1,
        OUTBOUND = 2,
};

static const struct param_rule rules[] = {
        { "inbound.average", PARAM_UINT, .group = INBOUND },
        { "inbound.peak", PARAM_UINT, .group = INBOUND },
        { "inbound.burst", PARAM_UINT, .group = INBOUND },
        { "inbound.floor", PARAM_UINT, .group = INBOUND },
        { "outbound.average", PARAM_UINT, .group = OUTBOUND },
        { "outbound.peak", PARAM_UINT, .group = OUTBOUND },
        { "outbound.burst", PARAM_UINT, .group = OUTBOUND },
};
static const struct param_table table = { ERROR_FROM_DOMAIN, "SetInterfaceParameters", rules,
                                          G_N_ELEMENTS(rules), 0 };

static uint32_t get(const struct params *params, const char *name)
{
        return (uint32_t)parameters_get(params, name, 0);
}

/* A direction that is given is what is given of it; without an average or a floor it has no limit. */
static void merge(const struct params *params, struct traffic *traffic)
{
        unsigned given = params_get_groups(params, &table);

        if (given & INBOUND)
                traffic->inbound = (struct traffic_rate){
                        get(params, "inbound.average"),
                        get(params, "inbound.peak"),
                        get(params, "inbound.burst"),
                        get(params, "inbound.floor"),
                };
        if (given & OUTBOUND)
                traffic->outbound = (struct traffic_rate){
                        get(params, "outbound.average"),
                        get(params, "outbound.peak"),
                        get(params, "outbound.burst"),
                        0,
                };
}

static bool check_rate(const char *name, const struct traffic_rate *rate, GError **error)
{
        if (rate->average_kbps > 0 || (!rate->peak_kbps && !rate->burst_kib))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "a peak or burst in parameters '%s.' is of an average, which is missing", name);
}

static const struct domain_interface *find_interface(const struct domain_def *def, const char *name,
                                                     GError **error)
{
        const struct domain_interface *interface = domain_def_find_interface(def, name);
        g_autofree char *quoted = error_quote(name);

        if (!interface)
                error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "domain '%s' has no interface '%s'",
                          def->base.name, quoted);
        return interface;
}

static unsigned index_of(const struct domain_def *def, const struct domain_interface *interface)
{
        return (unsigned)(interface - def->devices.interfaces);
}

static bool edit_interface(struct domain_edit *edit, const struct domain_def *def,
                           const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct parameters *parameters = change->args;
        const struct domain_interface *interface = find_interface(def, parameters->device, error);
        struct traffic traffic;

        if (!interface)
                return false;
        traffic = interface->bandwidth;
        merge(parameters->params, &traffic);
        if (!check_rate("inbound", &traffic.inbound, error) ||
            !check_rate("outbound", &traffic.outbound, error))
                return false;
        if (traffic.inbound.floor_kbps > 0 && interface->type != DOMAIN_INTERFACE_NETWORK)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                 "interface '%s' is not of type 'network', and only a network can guarantee "
                                 "bandwidth (inbound.floor)",
                                 parameters->device);
        /* It is the port of a network that has it, which is taken by an operation. */
        if (side == DOMAIN_AFFECT_LIVE &&
            traffic.inbound.floor_kbps != interface->bandwidth.inbound.floor_kbps)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "inbound.floor of interface '%s' cannot change here while the domain runs: "
                                 "UpdateDevice changes it",
                                 parameters->device);
        domain_edit_set_interface_bandwidth(edit, index_of(def, interface), &traffic);
        return true;
}

static bool act_interface(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                          GError **error)
{
        const struct parameters *parameters = change->args;
        const struct domain_def *before = domain_def_of(domain->base.current->active);
        const struct domain_interface *interface = find_interface(before, parameters->device, error);

        if (!interface)
                return false;
        return parameters_update(domain, change, DOMAIN_DEVICE_INTERFACE, index_of(before, interface), live,
                                 error);
}

static bool tell_interface(const struct domain_def *def, const struct domain_tuning *tuning,
                           const char *device, struct params *params, GError **error)
{
        const struct domain_interface *interface = find_interface(def, device, error);
        const struct traffic *traffic;

        if (!interface)
                return false;
        traffic = &interface->bandwidth;
        params_add_uint(params, "inbound.average", traffic->inbound.average_kbps);
        params_add_uint(params, "inbound.peak", traffic->inbound.peak_kbps);
        params_add_uint(params, "inbound.burst", traffic->inbound.burst_kib);
        params_add_uint(params, "inbound.floor", traffic->inbound.floor_kbps);
        params_add_uint(params, "outbound.average", traffic->outbound.average_kbps);
        params_add_uint(params, "outbound.peak", traffic->outbound.peak_kbps);
        params_add_uint(params, "outbound.burst", traffic->outbound.burst_kib);
        return true;
}

const struct parameters_kind parameters_interface = {
        .table = &table,
        .row = {
                .function = "SetInterfaceParameters",
                .flags = DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG,
                .edit = edit_interface,
                .act = act_interface,
                .stores_first = true,
                .args_free = parameters_free,
        },
        .get = "GetInterfaceParameters",
        .tell = tell_interface,
};
