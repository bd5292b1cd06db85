/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What <launchSecurity> needs of the host: hardware that can do it, where the processor has its bit for it,
 * and files that QEMU reads certificates from. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/qemu/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

/* AMD64 Architecture Programmer's Manual, volume 3, E.4.17: bits 5-0 and 11-6 of EBX. */
#define LEAF_ENCRYPTION 0x8000001f

static bool refuse(const struct resources *resources, const char *why, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "<launchSecurity type='%s'> of %s on this host: %s",
                         domain_launch_get_name(resources->def->launch->type), resources->guest->who, why);
}

/* Does the file begin with one of these letters? */
static bool says(const char *path, const char *letters)
{
        g_autofree char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) && *text && strchr(letters, *text);
}

static bool check_host(const struct resources *resources, GError **error)
{
        switch (resources->def->launch->type) {
        case DOMAIN_LAUNCH_SEV:
                return access("/dev/sev", F_OK) == 0 ||
                       refuse(resources,
                              "there is no /dev/sev, which takes a processor with SEV and the module "
                              "kvm_amd with sev=1",
                              error);
        case DOMAIN_LAUNCH_SEV_SNP:
                return says("/sys/module/kvm_amd/parameters/sev_snp", "Y1") ||
                       refuse(resources,
                              "the module kvm_amd has no sev_snp=Y, which takes a processor with "
                              "SEV-SNP",
                              error);
        case DOMAIN_LAUNCH_TDX:
                return says("/sys/module/kvm_intel/parameters/tdx", "Y1") ||
                       refuse(resources,
                              "the module kvm_intel has no tdx=Y, which takes a processor with TDX", error);
        default:
                return says("/sys/firmware/uv/prot_virt_host", "1") ||
                       refuse(resources, "its kernel was not booted with prot_virt=1", error);
        }
}

/* Where the guest does not say, the processor does. */
static void fill_place(struct resources *resources)
{
#ifdef __x86_64__
        const struct domain_launch *launch = resources->def->launch;
        unsigned eax, ebx, ecx, edx;

        if ((launch->cbitpos >= 0 && launch->reduced_bits >= 0) ||
            !__get_cpuid(LEAF_ENCRYPTION, &eax, &ebx, &ecx, &edx))
                return;
        domain_edit_set_encryption(
                resources->edit, launch->cbitpos >= 0 ? (unsigned)launch->cbitpos : ebx & 0x3f,
                launch->reduced_bits >= 0 ? (unsigned)launch->reduced_bits : ebx >> 6 & 0x3f);
#endif
}

static bool write_file(const struct resources *resources, const char *name, const char *content,
                       GError **error)
{
        const struct account *account = resources->guest->account;
        g_autofree char *home = guest_get_io_dir(resources->guest),
                        *path = command_protection_path(home, name);

        if (!content)
                return true;
        if (!g_file_set_contents_full(path, content, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot write '%s'", path);
        return account->is_own || chown(path, account->uid, account->gid) == 0 ||
               error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot give '%s' to user '%s'", path,
                               account->name);
}

bool resources_prepare_protection(struct resources *resources, GError **error)
{
        const struct domain_launch *launch = resources->def->launch;

        if (!launch || g_strcmp0(resources->def->type, "kvm") != 0)
                return true; /* the second is refused with the command line */
        if (!check_host(resources, error))
                return false;
        if (launch->type == DOMAIN_LAUNCH_SEV || launch->type == DOMAIN_LAUNCH_SEV_SNP) {
                resources_allow(resources, "/dev/sev", true, false);
                fill_place(resources);
        }
        return write_file(resources, "dh_cert", launch->dh_cert, error) &&
               write_file(resources, "session", launch->session, error);
}
