/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Programs that serve something at a unix socket, as qemu-nbd does. */

#include <glib.h>
#include <stdbool.h>

/* Is the program there? Else the case is skipped for want of it. */
bool server_is_installed(const char *name);

/* Starts it (NULL at the end of argv) and waits until it listens; then everybody may use its socket. */
GPid server_start(const char *socket, const char *const *argv);
void server_end(GPid pid);
