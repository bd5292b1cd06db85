/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which emulators are installed, and what architectures there are at all. Looks into a few directories; any
 * thread.
 */

#include <glib.h>
#include <stdbool.h>

struct emulator_arch {
        const char *name;   /* as in domain definitions: "x86_64", "i686" */
        const char *target; /* as in the emulator's name: qemu-system-<target> */
        unsigned wordsize;
};

/* NULL when there is no such architecture. */
const struct emulator_arch *emulator_find_arch(const char *name);
/* The one at index, NULL past the last. */
const struct emulator_arch *emulator_get_arch(unsigned index);

/*
 * The path of the emulator to take for guests of an architecture on a host of another or the same, NULL when
 * none is installed; below /usr where /bin is a link there. Free it.
 */
char *emulator_find(const char *arch, const char *host_arch);

/* Can an emulator of the one architecture run guests of the other (the same, or 32 bits of it)? */
bool emulator_can_run(const char *emulator_arch, const char *guest_arch);
