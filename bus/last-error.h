/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a caller's last failure was, in libvirt's terms; of the manager and of each connection object. Loop
 * thread.
 */

#include "bus/call.h"

/*
 * Replies with error as (iisisssii): code, domain, message, level, three strings, two numbers; NULL:
 * zeros.
 */
void last_error_reply(struct call *call, const GError *error);
