/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What fake-qemu of the fault "plug" is to do: a file that it reads (fake-qemu.c, "plugging"). Functions fail
 * the running test, as those of harness.h do.
 */

#include <stdbool.h>

#include "tests/support/harness.h"

/* An empty one below the harness's folder, which any user may change. Its path, owned by the caller. */
char *script_new(const struct harness *harness, const char *name);
void script_tell(const char *script, const char *word);
/* For harness_wait_until(): a command is held. */
bool script_is_held(void *script);

/*
 * A guest of 64 MiB, "fault-plug-SUFFIX", that is run by fake-qemu with that script; devices (may be "") go
 * to its own. Owned by the caller.
 */
char *script_make_xml(const char *script, const char *suffix, const char *devices);
/* For harness_find_guest(): QEMU itself. Owned by the caller. */
char *script_name_emulator(const char *suffix);
