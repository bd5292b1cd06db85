/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of machine types. No state; any thread.
 */
#include "drivers/qemu/machine.h"

#include <string.h>

static const struct {
        const char *arch, *machine;
        enum machine_family family;
} families[] = {
        { "x86_64", "pc-i440fx", MACHINE_I440FX }, { "x86_64", "pc", MACHINE_I440FX },
        { "x86_64", "pc-q35", MACHINE_Q35 },       { "x86_64", "q35", MACHINE_Q35 },
        { "x86_64", "isapc", MACHINE_ISAPC },      { "aarch64", "virt", MACHINE_VIRT_ARM },
        { "armv7l", "virt", MACHINE_VIRT_ARM },    { "riscv64", "virt", MACHINE_VIRT_RISCV },
        { "riscv32", "virt", MACHINE_VIRT_RISCV }, { "ppc64", "pseries", MACHINE_PSERIES },
        { "ppc64le", "pseries", MACHINE_PSERIES }, { "s390x", "s390-ccw-virtio", MACHINE_S390 },
};

/* "pc-q35-7.2" is of "pc-q35", "virt-7.2" and "virt" are of "virt"; versions begin with a number. */
static bool is_of(const char *machine, const char *family)
{
        size_t length = strlen(family);

        if (strncmp(machine, family, length) != 0)
                return false;
        return !machine[length] || (machine[length] == '-' && (g_ascii_isdigit(machine[length + 1]) ||
                                                               strncmp(machine + length, "-rhel", 5) == 0));
}

enum machine_family machine_find_family(const char *arch, const char *machine)
{
        bool x86 = !arch || strcmp(arch, "x86_64") == 0 || strcmp(arch, "i686") == 0;

        for (unsigned i = 0; machine && i < G_N_ELEMENTS(families); i++) {
                if (is_of(machine, families[i].machine) &&
                    strcmp(x86 ? "x86_64" : arch, families[i].arch) == 0)
                        return families[i].family;
        }
        return x86 ? MACHINE_X86 : MACHINE_UNKNOWN;
}
