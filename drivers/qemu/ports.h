/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TCP ports that guests of this agent have or are about to have, so that starts in parallel do not choose the
 * same. A set of bits, each changed atomically: any thread, no lock.
 */

#include <glib.h>
#include <stdbool.h>

#define PORTS_FIRST           5900 /* of a display */
#define PORTS_WEBSOCKET_FIRST 5700
#define PORTS_LAST            65535

struct ports {
        /* atomic */
        guint words[65536 / 32];
};

/* Claims one port; false when a guest has it. Ports that are no display's are fine too. */
bool ports_claim(struct ports *ports, int port);

/* Claims the lowest port from first to last that no guest has and nobody listens on. -1: there is none. */
int ports_claim_free(struct ports *ports, int first, int last);

/* Gives a port back; numbers that are no port are ignored. */
void ports_release(struct ports *ports, int port);
