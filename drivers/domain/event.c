/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and freeing domain events. Any thread. */
#include "drivers/domain/event.h"

struct domain_event *domain_event_new(enum domain_event_id id)
{
        struct domain_event *event = g_new0(struct domain_event, 1);

        event->base.id = (int)id;
        return event;
}

static void address_clear(struct domain_event_address *address)
{
        g_free(address->node);
        g_free(address->service);
}

void domain_event_free(struct managed_event *managed)
{
        struct domain_event *event = (struct domain_event *)managed;

        /* Lifecycle events are bare struct managed_event. */
        if (managed->id != MANAGED_EVENT_LIFECYCLE) {
                for (unsigned i = 0; i < G_N_ELEMENTS(event->text); i++)
                        g_free(event->text[i]);
                params_free(event->params);
                if (event->graphics) {
                        address_clear(&event->graphics->local);
                        address_clear(&event->graphics->remote);
                        g_free(event->graphics->auth_scheme);
                        g_strfreev(event->graphics->identities);
                        g_free(event->graphics);
                }
        }
        g_free(managed);
}
