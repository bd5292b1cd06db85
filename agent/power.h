/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The host's end and sleep, and what the agent does about its guests meanwhile. An agent that is to end while
 * guests shut down goes on until they have: systemd stops it before it kills the guests (their scopes have
 * Before=virtbusd.service), and is told to be patient. Main thread.
 */

#include <stdbool.h>

struct agent;
struct power;

/* A user's agent, and one that is not root's, is not concerned. */
void power_start(struct agent *agent);
/* Nothing is told or begun any more. */
void power_stop(struct agent *agent);
/* Is there something left of it in a lane? */
bool power_is_busy(const struct agent *agent);
/* When there is not. */
void power_free(struct agent *agent);

/* The agent is to end: true when it has to wait; then agent_end() is called when it has not any more. */
bool power_delays_end(struct agent *agent);
