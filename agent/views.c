/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The views of the models: a row each. Main thread. */
#include "agent/agent.h"

#include "bus/bus.h"

#define MIB (1024UL * 1024)

static void *make_bus(struct loop *loop, struct models *models, const struct options *options)
{
        return bus_new(loop, options->system ? BUS_SYSTEM : BUS_SESSION, models);
}

static void configure_bus(void *view, const struct config *config)
{
        bus_set_limits(view, &(const struct bus_limits){ config->client_calls, config->client_mib * MIB });
}

static bool start_bus(void *view, GError **error)
{
        return bus_start(view, error);
}

static void stop_bus(void *view)
{
        bus_stop(view);
}

static bool is_bus_idle(const void *view)
{
        return bus_is_idle(view);
}

static void free_bus(void *view)
{
        bus_free(view);
}

const struct view agent_views[AGENT_VIEWS] = {
        { "D-Bus", make_bus, configure_bus, start_bus, stop_bus, is_bus_idle, free_bus },
};
