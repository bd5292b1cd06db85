/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments of VNC_* and SPICE_* to the payload of a graphics event. Values.
 */
#include "drivers/qemu/monitor-graphics.h"

#include "base/error.h"
#include "drivers/qemu/qmp-value.h"

#include <string.h>

/* virDomainEventGraphicsAddressType */
static int get_family(const json_t *side)
{
        static const char *const families[] = { "ipv4", "ipv6", "unix" };
        const char *family = qmp_get_string(side, "family");

        for (unsigned i = 0; family && i < G_N_ELEMENTS(families); i++) {
                if (strcmp(family, families[i]) == 0)
                        return (int)i;
        }
        return 0;
}

static void fill_address(struct domain_event_address *address, const json_t *side)
{
        /* VNC has "service", SPICE has "port". */
        const char *service = qmp_get_string(side, "service");

        address->family = get_family(side);
        address->node = error_quote(qmp_get_string(side, "host"));
        address->service = error_quote(service ? service : qmp_get_string(side, "port"));
}

static void add_identity(GPtrArray *identities, const char *type, const char *name)
{
        if (!name)
                return;
        g_ptr_array_add(identities, g_strdup(type));
        g_ptr_array_add(identities, error_quote(name));
}

struct domain_event *monitor_graphics_event(const json_t *arguments, int phase)
{
        const json_t *server = json_object_get(arguments, "server"),
                     *client = json_object_get(arguments, "client");
        struct domain_event *event;
        GPtrArray *identities;

        if (!json_is_object(server) || !json_is_object(client))
                return NULL;
        identities = g_ptr_array_new();
        add_identity(identities, "x509dname", qmp_get_string(client, "x509_dname"));
        add_identity(identities, "saslUsername", qmp_get_string(client, "sasl_username"));
        g_ptr_array_add(identities, NULL);
        event = domain_event_new(DOMAIN_EVENT_GRAPHICS);
        event->base.type = phase;
        event->graphics = g_new0(struct domain_event_graphics, 1);
        fill_address(&event->graphics->local, server);
        fill_address(&event->graphics->remote, client);
        event->graphics->auth_scheme = error_quote(qmp_get_string(server, "auth"));
        event->graphics->identities = (char **)g_ptr_array_free(identities, FALSE);
        return event;
}
