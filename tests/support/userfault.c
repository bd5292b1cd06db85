/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loaded into an emulator (LD_PRELOAD): its userfaultfd(2) is asked for faults in user mode alone, which the
 * kernel gives to everybody. QEMU asks for all faults, which hosts allow to nobody unless
 * vm.unprivileged_userfaultfd says so. An emulated CPU (TCG) touches the guest's memory in user mode, so it
 * makes no difference to it.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_MODE_ONLY 1L /* UFFD_USER_MODE_ONLY of linux/userfaultfd.h, since 5.11 */

long syscall(long number, ...)
{
        long (*next)(long number, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
        long arguments[6];
        va_list list;

        va_start(list, number);
        for (unsigned i = 0; i < 6; i++)
                arguments[i] = va_arg(list, long);
        va_end(list);
        if (number == SYS_userfaultfd)
                arguments[0] |= USER_MODE_ONLY;
        return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                    arguments[5]);
}
