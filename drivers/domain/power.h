/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What becomes of all guests of a driver when their host starts, sleeps, and ends. Loop thread.
 */

#include "drivers/domain/domain.h"

struct domain_power;

struct domain_power_settings {
        /* After boot: so many at a time (0: all), each so long after the one before, these first. */
        unsigned start_parallel;
        unsigned start_delay_ms;
        const char *start_first; /* names, with commas between; copied; NULL: none */
        /* When the host ends: guests are shut down, or left to it; or saved, and shut down when they cannot
         * be. */
        bool shut_down, save;
        unsigned stop_parallel;   /* 0: all */
        unsigned stop_timeout_ms; /* for all of them */
        bool destroy;             /* those that are left then; else they are the host's */
        bool pause;               /* when the host sleeps */
};

struct domain_power *domain_power_new(struct domain_driver *driver);
/* The agent ends: nothing more begins, and whoever waits is told so. */
void domain_power_cancel(struct domain_power *power);
/* When no call is on its way. NULL is fine. */
void domain_power_free(struct domain_power *power);
/* For what begins from now on. */
void domain_power_configure(struct domain_power *power, const struct domain_power_settings *settings);

/*
 * Once per boot: starts the domains that are marked so, and those that the host's end has saved, in the order
 * of start_first and of their names; what fails is reported.
 */
void domain_power_start(struct domain_power *power);

/*
 * The host ends: asks the running guests to shut down, the one that was started last first, or saves them in
 * that order (managed saves, which the next domain_power_start() goes on with; transient guests have none);
 * done(data) when all are off, or at the deadline, and when those that are left are destroyed if they are to
 * be: a save that is on its way ends without a file then. Guests that start meanwhile are not waited for. A
 * second call while the first is at work does nothing but replace done.
 */
void domain_power_stop(struct domain_power *power, loop_fn done, void *data);

/* The host is about to sleep: pauses the guests that run; done(data) when all are, or have failed to. */
void domain_power_sleep(struct domain_power *power, loop_fn done, void *data);
/* It is awake: those that were paused for it, and are still, go on, whichever agent has paused them. */
void domain_power_wake(struct domain_power *power);
