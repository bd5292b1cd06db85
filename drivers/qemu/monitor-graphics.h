/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who looks at a guest: the events of VNC and SPICE. Any thread. */

#include "drivers/domain/event.h"

#include <jansson.h>

/* phase: virDomainEventGraphicsPhase. NULL when the arguments are not what they must be. */
struct domain_event *monitor_graphics_event(const json_t *arguments, int phase);
