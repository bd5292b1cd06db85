/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * virtbusd --stdio-bridge: standard input and output are a connection to the bus, byte by byte, for an agent
 * that comes by ssh. Whoever calls authenticates with an empty identity, so that the bus takes who the bridge
 * is for who they are. With a path, to the socket of that name: of an emulator to which a guest comes by way
 * of ssh. Returns the exit status, at the end of either side, when all that was read has been written.
 */

#include <stdbool.h>

/* path NULL: the bus. */
int bridge_run(bool system, const char *path);
