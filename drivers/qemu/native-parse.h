/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A command line of QEMU, as people have it in scripts, as a domain document. What is understood to its last
 * word becomes elements; an option of which anything is not becomes <qemu:arg>, as it stands: nothing is lost
 * and nothing is guessed. Options about how QEMU is run (its monitor, pid file, daemon) are what the agent
 * does itself, and are dropped. No state; any thread.
 */

#include <glib.h>

/* Of a command line, in bytes, and in arguments. */
#define NATIVE_TEXT_MAX      (256 * 1024)
#define NATIVE_ARGUMENTS_MAX 4096

/*
 * The document, to be freed; text is quoted as for a shell. host_arch: of emulators without one in their
 * name. NULL with ERROR_INVALID_ARG for what is no command line of QEMU.
 */
char *native_parse(const char *text, const char *host_arch, GError **error);
