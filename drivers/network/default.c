/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The network `default` of a fresh system: defined and marked for autostart once, when the host's addresses
 * are known, so that it takes none of them. A mark says that it has been there: whoever undefines it does not
 * get it again. Loop.
 */
#include "base/error.h"
#include "base/log.h"
#include "drivers/network/model.h"
#include "interfaces/source.h"

#define MARK "default-defined"

static const char document[] = "<network>"
                               "<name>default</name>"
                               "<forward mode='nat'/>"
                               "<ip netmask='255.255.255.0'><dhcp/></ip>"
                               "</network>";

static void end(struct networks *networks, const GError *error)
{
        g_autoptr(GError) failure = NULL;

        networks->default_state = NETWORK_DEFAULT_SETTLED;
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "there is no default network");
        else if (!store_make_dir(networks->state_dir, &failure) ||
                 !store_mark(networks->state_dir, MARK, true, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "the default network may be defined again");
}

static void started(struct managed *object, const GError *error, void *data)
{
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "cannot start network '%s'", object->name);
}

/* It is started now, even where others were in this boot already; the host's links may have been late. */
static void marked(struct managed *object, const GError *error, void *data)
{
        struct networks *networks = data;

        end(networks, error);
        networks->new_default = network_from(object);
        if (!error && networks->autostarted)
                network_create(network_from(object), started, NULL);
}

static void defined(struct managed *object, const GError *error, void *data)
{
        struct networks *networks = data;

        if (error) {
                end(networks, error);
                return;
        }
        log_notice("network '%s' is defined (bridge %s)", object->name,
                   network_get_bridge_name(network_from(object), 0, NULL));
        network_set_autostart(network_from(object), true, marked, networks);
}

void networks_settle_default(struct networks *networks)
{
        if (networks->default_state != NETWORK_DEFAULT_WANTED)
                return;
        networks->default_state = NETWORK_DEFAULT_ON_ITS_WAY;
        if (store_is_marked(networks->state_dir, MARK) || registry_get_count(networks->registry) > 0)
                end(networks, NULL);
        else
                network_define_xml(networks, document, defined, networks);
}

bool networks_are_ready(const struct networks *networks)
{
        return networks->default_state == NETWORK_DEFAULT_SETTLED;
}
