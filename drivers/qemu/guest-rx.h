/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What guests want to receive, where they are trusted with it (trustGuestRxFilters): QEMU tells that it has
 * changed, once until it is asked, and the macvtap is made so, some times a second at most. Nobody waits for
 * the answer. Lane of the domain.
 */

#include <stdbool.h>

struct domain_interface;
struct guest;
struct guest_rx;

/* What the interface with that alias receives has changed; no alias, or that of one that is not trusted, is
 * fine. */
void guest_rx_note(struct guest *guest, const char *alias);
/* All of them: what was told may have been missed. */
void guest_rx_resync(struct guest *guest);
/*
 * The interface is trusted with it from now on, as the definition that is about to be the active one says; or
 * it is not any more, and its macvtap receives what is for the address in the document.
 */
void guest_rx_change(struct guest *guest, const struct domain_interface *interface, bool trusted);
/* The interface is no more. */
void guest_rx_forget(struct guest *guest, const char *alias);
/* Before the connection to QEMU is freed; NULL is fine. */
void guest_rx_free(struct guest_rx *rx);
