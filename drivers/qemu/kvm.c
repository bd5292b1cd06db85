/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at /dev/kvm. No state; any thread.
 */
#include "drivers/qemu/kvm.h"

#include "base/cleanup.h"
#include "drivers/security/account.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <grp.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define DEVICE "/dev/kvm"

static char *explain_missing(void)
{
        return g_strdup("there is no " DEVICE ": load the module kvm_intel or kvm_amd, having turned "
                        "virtualization on in the firmware (in a virtual machine: nested virtualization), or "
                        "use <domain type='qemu'>");
}

static char *explain_denied(const struct account *account, const struct stat *st)
{
        struct group entry, *found = NULL;
        char buffer[1024];

        if (getgrgid_r(st->st_gid, &entry, buffer, sizeof(buffer), &found) != 0 || !found || st->st_gid == 0)
                return g_strdup_printf("user '%s' may not open " DEVICE ": %s (its mode is %04o)",
                                       account->name, g_strerror(EACCES), (unsigned)(st->st_mode & 07777));
        return g_strdup_printf("user '%s' may not open " DEVICE ": %s (put it into the group '%s')",
                               account->name, g_strerror(EACCES), found->gr_name);
}

char *kvm_explain(const struct account *account)
{
        struct stat st;
        CLEANUP_FD int fd = -1;

        if (stat(DEVICE, &st) < 0)
                return errno == ENOENT ? explain_missing()
                                       : g_strdup_printf("cannot look at " DEVICE ": %s", g_strerror(errno));
        if (!S_ISCHR(st.st_mode))
                return g_strdup(DEVICE " is no KVM device: it is no device at all");
        if (!account_may_open(account, st.st_uid, st.st_gid, st.st_mode, true))
                return explain_denied(account, &st);
        fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return g_strdup_printf("cannot open " DEVICE ": %s", g_strerror(errno));
        if (ioctl(fd, KVM_GET_API_VERSION, 0) < 0)
                return g_strdup(DEVICE " is no KVM device: it does not answer as one");
        return NULL;
}
