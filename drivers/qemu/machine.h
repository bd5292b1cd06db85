/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which machine types there are as far as command lines differ: what buses they have, what is built in, what
 * can be switched. Any thread.
 */

#include "drivers/domain/definition.h"

enum machine_family {
        MACHINE_UNKNOWN,
        MACHINE_I440FX,
        MACHINE_Q35,
        MACHINE_ISAPC,
        MACHINE_X86,        /* others of x86 */
        MACHINE_VIRT_ARM,   /* "virt" of armv7l and aarch64 */
        MACHINE_VIRT_RISCV, /* and of riscv32 and riscv64 */
        MACHINE_PSERIES,    /* of ppc64 and ppc64le */
        MACHINE_S390,       /* "s390-ccw-virtio" of s390x */
};

/* arch as in definitions; machine with or without its version; either may be NULL. */
enum machine_family machine_find_family(const char *arch, const char *machine);

static inline enum machine_family machine_family_of(const struct domain_def *def)
{
        return machine_find_family(def->os.arch, def->os.machine);
}

static inline bool machine_is_x86(enum machine_family family)
{
        return family >= MACHINE_I440FX && family <= MACHINE_X86;
}

/* Is the root bus PCI Express? */
static inline bool machine_has_pcie(enum machine_family family)
{
        return family == MACHINE_Q35 || family == MACHINE_VIRT_ARM || family == MACHINE_VIRT_RISCV;
}
