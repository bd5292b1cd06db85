/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Guests that go to another host, and that come from one: the functions of struct domain_driver_ops. */

#include "drivers/domain/migrate.h"
#include "drivers/qemu/guest.h"

bool depart_check(struct domain *domain, bool *whole_cpu, GError **error);
bool depart_begin(struct domain_departure *departure, GError **error);
bool depart_switch(struct domain_departure *departure, GError **error);
bool depart_follow_on(struct domain_departure *departure, GError **error);
void depart_cancel(struct domain_departure *departure);
void depart_free(struct domain_departure *departure);
bool depart_note(struct domain *domain, const struct domain_departure_note *note, GError **error);
const struct domain_departure_note *depart_get_note(struct domain *domain);
void depart_leave(struct domain *domain);

/*
 * Is this host's CPU able to be the one of def? True of one that is the emulator's to make. Errors name what
 * it lacks: those of host_compare_cpu(). Any thread.
 */
bool arrive_check_cpu(const struct guest *guest, const struct domain_def *def, GError **error);
/* Lane: an emulator that waits is told how the guest comes; arrival->uri says where it listens. */
bool arrive_listen(struct guest *guest, struct domain_arrival *arrival, GError **error);
bool arrive_wait(struct domain *domain, bool *postcopy, GError **error);
void arrive_end(struct domain *domain, bool postcopy);
/* Lane: a guest that has come in post-copy; domain_arrival_tell() is called with what becomes of it. */
void arrive_follow(struct guest *guest);
