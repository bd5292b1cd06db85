/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Connection objects: what connect.c and connect-node.c share. Loop thread. */

#include "bus/authorize.h"
#include "bus/call.h"

#include <stdint.h>

/*
 * What a driver says about itself (its version) may have to be asked of an emulator first. True: go on.
 * False: that is being asked, and next runs, from its beginning, when it is answered; then this gives true,
 * whatever the answer was.
 */
bool connect_settle(struct call *call, const struct connect *connect, authorize_next next);
