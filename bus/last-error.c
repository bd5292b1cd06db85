/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last error on the wire. The agent keeps a finished sentence and no parts of it, so the strings and
 * numbers stay empty. Loop thread.
 */
#include "bus/last-error.h"

#include "bus/signal.h"

void last_error_reply(struct call *call, const GError *error)
{
        if (error)
                call_reply(call, "(iisisssii)", (int)error_get_code(error), (int)error_get_domain(error),
                           error->message, SIGNAL_ERROR_LEVEL, "", "", "", 0, 0);
        else
                call_reply(call, "(iisisssii)", 0, 0, "", 0, "", "", "", 0, 0);
}
