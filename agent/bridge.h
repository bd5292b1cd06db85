/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * virtbusd --stdio-bridge: standard input and output are a connection to the bus, byte by byte, for an agent
 * that comes by ssh. Whoever calls authenticates with an empty identity, so that the bus takes who the bridge
 * is for who they are. Returns the exit status, at the end of either side.
 */

#include <stdbool.h>

int bridge_run(bool system);
