/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the kernel counts for a guest (<perf>, perf_event_open(2)): of all threads that the emulator has when
 * it begins to count, and of those that come from them. Another agent begins from 0. Lane of the domain.
 */

#include "drivers/qemu/guest.h"

/*
 * Counts these events (bits by enum domain_perf_event) and no others; those that are counted already go on.
 * When it fails, naming one, they are as they were.
 */
bool perf_set(struct guest *guest, uint32_t events, GError **error);

/* Fills in values of those that are counted, which it returns. */
uint32_t perf_read(const struct guest *guest, uint64_t values[DOMAIN_PERF_EVENTS]);

/* A counter, for arrays of them. */
struct perf_counter {
        unsigned event;
        int fd; /* owned */
};
void perf_counter_clear(void *counter);
