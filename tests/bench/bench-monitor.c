/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Guests that run and do nothing, with a monitor for us beside the agent's: what QEMU takes by itself.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

/* What a ROM takes at least; it ends at 4 GiB, and at 1 MiB as well. */
#define ROM_BYTES 65536

char *bench_make_firmware(struct bench *bench)
{
        /* At f000:ffc0. An NMI, whose vector is set first, is let pass by. */
        static const unsigned char begin[] = {
                0x31, 0xc0,                         /* xor ax, ax */
                0x8e, 0xd8,                         /* mov ds, ax */
                0xc7, 0x06, 0x08, 0x00, 0xd3, 0xff, /* mov word [8], 0xffd3 */
                0xc7, 0x06, 0x0a, 0x00, 0x00, 0xf0, /* mov word [10], 0xf000 */
                0xf4,                               /* hlt */
                0xeb, 0xfd,                         /* jmp -1 */
                0xcf,                               /* iret, at ffd3 */
        };
        static const unsigned char reset[] = { 0xfa, 0xeb, 0xcd }; /* cli; jmp ffc0 */
        char *path = harness_path(bench->harness, "halt.rom");
        g_autofree char *rom = g_malloc0(ROM_BYTES);

        memcpy(rom + ROM_BYTES - 64, begin, sizeof(begin));
        memcpy(rom + ROM_BYTES - 16, reset, sizeof(reset));
        ck_assert(g_file_set_contents(path, rom, ROM_BYTES, NULL));
        return path;
}

char *bench_halted_xml(char *bare, const char *firmware, const char *monitor)
{
        g_autofree char *owned = bare;
        g_auto(GStrv) parts = g_strsplit(owned, "</domain>", 2);
        g_auto(GStrv) opened = g_strsplit(parts[0], "<domain ", 2);
        g_auto(GStrv) os = g_strsplit(opened[1], "</os>", 2);

        return g_strdup_printf("<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' %s"
                               "<loader type='rom'>%s</loader></os>%s"
                               "<qemu:commandline><qemu:arg value='-qmp'/><qemu:arg value='unix:%s,server=on,"
                               "wait=off'/></qemu:commandline></domain>",
                               os[0], firmware, os[1], monitor);
}

unsigned bench_count_answers(int fd)
{
        static const char answer[] = "{\"return\":", refusal[] = "{\"error\":";
        char text[65536];
        ssize_t length = read(fd, text, sizeof(text) - 1);
        unsigned count = 0;

        ck_assert_int_gt(length, 0);
        text[length] = '\0';
        ck_assert_msg(!strstr(text, refusal), "%s", text);
        for (const char *at = text; (at = strstr(at, answer)); at += strlen(answer))
                count++;
        return count;
}

void bench_ask_monitor(int fd, const char *command)
{
        ck_assert_int_eq(write(fd, command, strlen(command)), (ssize_t)strlen(command));
        while (bench_count_answers(fd) == 0)
                ;
}

int bench_connect_monitor(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        bench_ask_monitor(fd, "{\"execute\":\"qmp_capabilities\"}\n");
        return fd;
}
