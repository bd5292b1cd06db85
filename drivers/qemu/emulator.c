/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Finding emulators. Any thread. */

#include "drivers/qemu/emulator.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct emulator_arch archs[] = {
        { "x86_64", "x86_64", 64 },
        { "i686", "i386", 32 },
        { "aarch64", "aarch64", 64 },
        { "alpha", "alpha", 64 },
        { "armv7l", "arm", 32 },
        { "cris", "cris", 32 },
        { "loongarch64", "loongarch64", 64 },
        { "m68k", "m68k", 32 },
        { "microblaze", "microblaze", 32 },
        { "microblazeel", "microblazeel", 32 },
        { "mips", "mips", 32 },
        { "mips64", "mips64", 64 },
        { "mips64el", "mips64el", 64 },
        { "mipsel", "mipsel", 32 },
        { "or32", "or1k", 32 },
        { "ppc", "ppc", 32 },
        { "ppc64", "ppc64", 64 },
        { "ppc64le", "ppc64", 64 },
        { "riscv32", "riscv32", 32 },
        { "riscv64", "riscv64", 64 },
        { "s390x", "s390x", 64 },
        { "sh4", "sh4", 32 },
        { "sh4eb", "sh4eb", 32 },
        { "sparc", "sparc", 32 },
        { "sparc64", "sparc64", 64 },
        { "xtensa", "xtensa", 32 },
        { "xtensaeb", "xtensaeb", 32 },
};

/* Where administrators' own builds, packages, and RHEL's only one are. */
static const char *const dirs[] = { "/usr/local/bin", "/usr/bin", "/usr/libexec", "/usr/lib/qemu" };

const struct emulator_arch *emulator_find_arch(const char *name)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(archs); i++) {
                if (g_str_equal(archs[i].name, name))
                        return &archs[i];
        }
        return NULL;
}

const struct emulator_arch *emulator_get_arch(unsigned index)
{
        return index < G_N_ELEMENTS(archs) ? &archs[index] : NULL;
}

/* The place below /usr where /bin is only another name for it: what is found stays in documents. Takes path.
 */
static char *make_canonical(char *path)
{
        g_autofree char *below_usr = g_strconcat("/usr", path, NULL);
        struct stat found, canonical;

        if ((!g_str_has_prefix(path, "/bin/") && !g_str_has_prefix(path, "/sbin/")) ||
            stat(path, &found) < 0 || stat(below_usr, &canonical) < 0 || found.st_dev != canonical.st_dev ||
            found.st_ino != canonical.st_ino)
                return path;
        g_free(path);
        return g_steal_pointer(&below_usr);
}

static char *find_program(const char *name)
{
        g_autofree char *found = g_find_program_in_path(name);

        if (found && g_path_is_absolute(found))
                return make_canonical(g_steal_pointer(&found));
        for (unsigned i = 0; i < G_N_ELEMENTS(dirs); i++) {
                g_autofree char *path = g_build_filename(dirs[i], name, NULL);

                if (g_file_test(path, G_FILE_TEST_IS_REGULAR) && access(path, X_OK) == 0)
                        return g_steal_pointer(&path);
        }
        return NULL;
}

char *emulator_find(const char *arch, const char *host_arch)
{
        const struct emulator_arch *found = emulator_find_arch(arch);
        g_autofree char *name = found ? g_strconcat("qemu-system-", found->target, NULL) : NULL;
        char *path = name ? find_program(name) : NULL;

        if (path || !found)
                return path;
        if (g_str_equal(arch, host_arch))
                return find_program("qemu-kvm");
        /* A 64-bit emulator runs the 32-bit guests of its architecture. */
        return g_str_equal(arch, "i686") ? emulator_find("x86_64", host_arch) : NULL;
}

bool emulator_can_run(const char *emulator_arch, const char *guest_arch)
{
        static const char *const pairs[][2] = {
                { "x86_64", "i686" },
                { "ppc64", "ppc64le" },
                { "aarch64", "armv7l" },
        };

        if (g_str_equal(emulator_arch, guest_arch))
                return true;
        for (unsigned i = 0; i < G_N_ELEMENTS(pairs); i++) {
                if (g_str_equal(pairs[i][0], emulator_arch) && g_str_equal(pairs[i][1], guest_arch))
                        return true;
        }
        return false;
}
