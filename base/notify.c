/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The service manager's readiness protocol. */
#include "base/notify.h"

#include <systemd/sd-daemon.h>

void notify_ready(void)
{
        sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
        sd_notify(0, "STOPPING=1");
}
