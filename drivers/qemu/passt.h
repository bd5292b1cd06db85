/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * passt(1), which is the user's network of an interface: one process for each, of the emulators' user, that
 * talks to the emulator through a pair of sockets (see helper.h for what becomes of it). Lane of the domain.
 */

#include <glib.h>
#include <stdbool.h>

struct domain_interface;
struct resources;

/*
 * Starts one for the interface, and waits until it has taken its ports. The emulator gets its socket
 * (resources), the guest has it noted. Errors say what passt said.
 */
bool passt_start(struct resources *resources, const struct domain_interface *interface, GError **error);

/*
 * What passt calls the ports that are to be forwarded, with the option for each: "--tcp-ports",
 * "127.0.0.1%eth0/2222:22,~2223", ... Appended to argv, owned. ERROR_CONFIG_UNSUPPORTED for what it could not
 * say.
 */
bool passt_add_forwards(GPtrArray *argv, const struct domain_interface *interface, GError **error);
