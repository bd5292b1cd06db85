/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Programs of the administrator's that are told what happens to guests, as libvirt calls them:
 *
 *     <directory>/qemu <name> <operation> begin|end -
 *
 * and then those in <directory>/qemu.d, by name, each with the domain's document, without its secrets, on its
 * standard input. They run as the agent does. One that fails, or is not through within HOOKS_TIMEOUT_MS,
 * refuses a start.
 */

#include <glib.h>
#include <stdbool.h>

struct domain;
struct guest;
struct lane;

#define HOOKS_TIMEOUT_MS 30000

/*
 * In the lane, which may be interrupted: tells of an operation ("prepare", "start", "started") that begins;
 * directory NULL or without such programs: nothing. ERROR_HOOK_SCRIPT_FAILED names the program that failed.
 */
bool hooks_begin(struct lane *lane, const char *directory, const char *name, const char *operation,
                 const char *xml, GError **error);

/*
 * Likewise of "restore" and "migrate": xml, secrets included, is a document that is about to go on. What a
 * program writes to its standard output, unless that is blank, is what the next one reads; *text, to be
 * freed, is the last of these, NULL when all were silent.
 */
bool hooks_adapt(struct lane *lane, const char *directory, const char *name, const char *operation,
                 const char *xml, char **text, GError **error);

/*
 * In the domain's lane, which may be interrupted: "reconnect", for a guest that this agent has found running.
 * A failure is logged, and the guest runs on.
 */
void hooks_reconnect(const struct guest *guest);

/*
 * The guest has ended: "stopped", then "release", in a lane of their own, for which nobody waits but the next
 * start; failures are logged. In the domain's lane, while guest->status has the last document.
 */
void hooks_end(const struct guest *guest);

/*
 * In the domain's lane, which may be interrupted, before another start tells of anything: waits until the end
 * of the last guest has been told, because what programs undo then is what they do at a start. Those that
 * take too long for it are not waited for, which is logged.
 */
bool hooks_wait_end(struct domain *domain, GError **error);
