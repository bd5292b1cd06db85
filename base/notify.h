/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Telling the service manager (sd_notify(3)); nothing happens without one. One that does not read costs a
 * moment, and what is only for people is dropped. Main thread.
 */

#include <glib.h>

void notify_ready(void);
void notify_stopping(void);
/* The configuration is read again; notify_ready() when it has been. */
void notify_reloading(void);
/* One line for people: systemctl status shows it. */
void notify_status(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* What is on its way (an end) takes so long from now on, and the service manager is not to lose patience. */
void notify_extend(unsigned ms);

/* How often notify_alive() has to be called at the latest, in ms; 0: nobody waits for it. */
unsigned notify_get_watchdog_ms(void);
void notify_alive(void);
