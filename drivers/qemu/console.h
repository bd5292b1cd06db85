/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A client at a character device of a guest: what either says is carried to the other, in a lane of its own.
 * QEMU never waits for the client, which loses the device when it is CONSOLE_PENDING_MAX bytes behind. What a
 * client has sent before it left goes on to the device, until the next client comes.
 */

#include "drivers/domain/driver.h"

struct console;
struct guest;

#define CONSOLE_PENDING_MAX (1024 * 1024) /* bytes that wait for the client */
#define CONSOLE_INPUT_MAX   (64 * 1024)   /* bytes that wait for the guest; then no more are taken */

/* In the domain's lane; struct domain_driver_ops.open_char. */
int console_open(struct domain *domain, bool channel, const char *name, bool force, GError **error);
/* Loses its client, or has lost it. For GPtrArray; any thread. */
void console_end(void *console);

/*
 * A connection to a socket of the emulator's, which user (or the agent's own) has to own; -1 with an error.
 * what: "the guest agent of domain 'web'". Waits for nothing. Any thread.
 */
int console_connect(const char *path, uid_t user, const char *what, GError **error);
