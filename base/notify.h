/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Telling the service manager (sd_notify(3)); nothing happens without one. Main thread. */

void notify_ready(void);
void notify_stopping(void);
