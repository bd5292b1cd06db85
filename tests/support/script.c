/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words between a test and fake-qemu. */
#include "tests/support/script.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/guest.h"

char *script_new(const struct harness *harness, const char *name)
{
        char *script = harness_path(harness, name);

        ck_assert(g_file_set_contents(script, "", 0, NULL));
        ck_assert_int_eq(chmod(script, 0666), 0);
        return script;
}

/* In place: the other side may write it as well, and not into its folder. */
void script_tell(const char *script, const char *word)
{
        int fd = open(script, O_WRONLY | O_TRUNC | O_CLOEXEC);

        ck_assert_int_eq(write(fd, word, strlen(word)), (ssize_t)strlen(word));
        close(fd);
}

bool script_is_held(void *script)
{
        g_autofree char *word = NULL;

        return g_file_get_contents(script, &word, NULL, NULL) && strcmp(word, "held") == 0;
}

char *script_make_xml(const char *script, const char *suffix, const char *devices)
{
        g_autofree char *bare = guest_fault_xml("plug", suffix);
        g_auto(GStrv) parts = g_strsplit(bare, "</devices>", 2);

        return g_strdup_printf("%s%s</devices><commandline "
                               "xmlns='http://libvirt.org/schemas/domain/qemu/1.0'>"
                               "<arg value='-D'/><arg value='%s'/></commandline></domain>",
                               parts[0], devices, script);
}

char *script_name_emulator(const char *suffix)
{
        return g_strconcat("qemu-system-x86_64 -name guest=fault-plug-", suffix, NULL);
}
