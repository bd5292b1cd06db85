/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at the device of KVM. No state; any thread.
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

static char *explain_missing(const char *device)
{
        return g_strdup_printf("there is no %s: load the module kvm_intel or kvm_amd, having turned "
                               "virtualization on in the firmware (in a virtual machine: nested "
                               "virtualization), or use <domain type='qemu'>",
                               device);
}

static char *explain_denied(const char *device, const struct account *account, const struct stat *st)
{
        struct group entry, *found = NULL;
        char buffer[1024];

        if (getgrgid_r(st->st_gid, &entry, buffer, sizeof(buffer), &found) != 0 || !found || st->st_gid == 0)
                return g_strdup_printf("user '%s' may not open %s: %s (its mode is %04o)", account->name,
                                       device, g_strerror(EACCES), (unsigned)(st->st_mode & 07777));
        return g_strdup_printf("user '%s' may not open %s: %s (put it into the group '%s')", account->name,
                               device, g_strerror(EACCES), found->gr_name);
}

char *kvm_explain(const char *device, const struct account *account)
{
        struct stat st;
        CLEANUP_FD int fd = -1;

        if (stat(device, &st) < 0)
                return errno == ENOENT ? explain_missing(device)
                                       : g_strdup_printf("cannot look at %s: %s", device, g_strerror(errno));
        if (!S_ISCHR(st.st_mode))
                return g_strdup_printf("%s is no KVM device: it is no device at all", device);
        if (!account_may_open(account, st.st_uid, st.st_gid, st.st_mode, true))
                return explain_denied(device, account, &st);
        fd = open(device, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return g_strdup_printf("cannot open %s: %s", device, g_strerror(errno));
        if (ioctl(fd, KVM_GET_API_VERSION, 0) < 0)
                return g_strdup_printf("%s is no KVM device: it does not answer as one", device);
        return NULL;
}
