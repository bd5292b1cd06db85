/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy's part of confining guests. No state beyond struct svirt; what libselinux remembers is the
 * thread's.
 */
#include "drivers/security/svirt.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- labels ---- */

char *svirt_make_label(struct svirt *svirt, const char *base, bool emulated, struct category_pair *pair,
                       GError **error)
{
        g_autofree char *range = NULL, *label = NULL;

        if (!base)
                base = emulated ? svirt->emulated : svirt->domain;
        if (!category_claims_choose(&svirt->claims, &svirt->categories, pair)) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                          "no pair of categories is left for the SELinux label of one more guest");
                return NULL;
        }
        range = category_pair_format(svirt->sensitivity, pair);
        label = context_derive(base, svirt->own, true, range);
        if (!label) {
                category_claims_drop(&svirt->claims, pair);
                *pair = (struct category_pair){ 0 };
                error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                          "the <baselabel> '%s' is no context of SELinux", base);
        }
        return g_steal_pointer(&label);
}

char *svirt_make_image_label(const struct svirt *svirt, const char *label)
{
        g_autofree char *range = context_get_range(label);

        return context_derive(svirt->image, svirt->own, false, range);
}

bool svirt_read_pair(const char *label, struct category_pair *pair)
{
        g_autofree char *range = context_get_range(label);

        return category_pair_read(range, pair);
}

void svirt_free(struct svirt *svirt)
{
        if (!svirt)
                return;
        g_free(svirt->own);
        g_free(svirt->domain);
        g_free(svirt->emulated);
        g_free(svirt->image);
        g_free(svirt->content);
        g_free(svirt->sensitivity);
        g_free(svirt);
}

#ifdef HAVE_SELINUX

#include <selinux/label.h>
#include <selinux/selinux.h>

#define NNP_CAPABILITY "/sys/fs/selinux/policy_capabilities/nnp_nosuid_transition"

bool svirt_is_enabled(void)
{
        return is_selinux_enabled() == 1 && geteuid() == 0;
}

/* ---- the policy ---- */

/* The first two lines, of which the second may be missing; owned. */
static bool read_contexts(const char *path, char **first, char **second, GError **error)
{
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        char **found[] = { first, second };
        unsigned n = 0;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "SELinux confines no guests: its policy has no contexts for them ('%s')",
                                 path);
        lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i] && n < G_N_ELEMENTS(found); i++) {
                CLEANUP(context_clear) struct context context = { 0 };

                if (context_parse(&context, g_strstrip(lines[i])))
                        *found[n++] = g_strdup(lines[i]);
        }
        if (n == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "SELinux confines no guests: there is no context in '%s'", path);
        if (n == 1)
                *second = g_strdup(*first);
        return true;
}

static bool read_own(struct svirt *svirt, GError **error)
{
        g_autofree char *range = NULL;
        char *own = NULL;

        if (getcon_raw(&own) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "the agent's own context of SELinux cannot be read");
        svirt->own = g_strdup(own);
        freecon(own);
        range = context_get_range(svirt->own);
        if (!range || !categories_read(range, &svirt->sensitivity, &svirt->categories) ||
            svirt->categories.count < 2)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "SELinux cannot keep guests apart: the agent's own context '%s' has no "
                                 "categories to give",
                                 svirt->own);
        return true;
}

static void read_permissions(struct svirt *svirt)
{
        g_autofree char *capability = NULL;
        bool nnp = g_file_get_contents(NNP_CAPABILITY, &capability, NULL, NULL) && *capability == '1';

        svirt->policy.process = string_to_security_class("process");
        svirt->policy.file = string_to_security_class("file");
        svirt->policy.process2 = nnp ? string_to_security_class("process2") : 0;
        svirt->policy.transition = string_to_av_perm(svirt->policy.process, "transition");
        svirt->policy.entrypoint = string_to_av_perm(svirt->policy.file, "entrypoint");
        if (svirt->policy.process2)
                svirt->policy.nnp_transition = string_to_av_perm(svirt->policy.process2, "nnp_transition");
}

struct svirt *svirt_new(GError **error)
{
        struct svirt *svirt = g_new0(struct svirt, 1);

        if (!read_own(svirt, error) ||
            !read_contexts(selinux_virtual_domain_context_path(), &svirt->domain, &svirt->emulated, error) ||
            !read_contexts(selinux_virtual_image_context_path(), &svirt->image, &svirt->content, error)) {
                svirt_free(svirt);
                return NULL;
        }
        read_permissions(svirt);
        return svirt;
}

bool svirt_check_label(const char *label, GError **error)
{
        g_autofree char *quoted = error_quote(label);

        return security_check_context_raw(label) == 0 ||
               error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "the security label '%s' is not known to the policy of SELinux", quoted);
}

static bool is_allowed(const char *source, const char *target, unsigned class, unsigned permission)
{
        struct av_decision decision = { 0 };

        if (!class || !permission ||
            security_compute_av_flags_raw(source, target, (security_class_t) class, permission, &decision) <
                    0)
                return false;
        return (decision.allowed & permission) || (decision.flags & SELINUX_AVD_FLAGS_PERMISSIVE);
}

bool svirt_check_start(const struct svirt *svirt, const char *label, const char *program, GError **error)
{
        char *file = NULL;
        bool enters;

        if (!svirt_is_enforcing())
                return true;
        if (!is_allowed(svirt->own, label, svirt->policy.process, svirt->policy.transition))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "the policy of SELinux does not let the agent ('%s') run programs as '%s' "
                                 "(process transition)",
                                 svirt->own, label);
        if (!is_allowed(svirt->own, label, svirt->policy.process2, svirt->policy.nnp_transition))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "the policy of SELinux does not let the agent ('%s') run programs without "
                                 "new privileges as '%s' (process2 nnp_transition): the module virtbus.cil, "
                                 "which comes with the agent, allows it",
                                 svirt->own, label);
        if (getfilecon_raw(program, &file) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot read the context of '%s' of SELinux", program);
        enters = is_allowed(label, file, svirt->policy.file, svirt->policy.entrypoint);
        if (!enters)
                error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                          "the policy of SELinux does not let '%s', which is '%s', run as '%s' (file "
                          "entrypoint)",
                          program, file, label);
        freecon(file);
        return enters;
}

bool svirt_is_enforcing(void)
{
        return security_getenforce() == 1;
}

bool svirt_set_socket_label(const char *label, GError **error)
{
        return setsockcreatecon_raw(label) == 0 ||
               error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make sockets of the context '%s'",
                               label ? label : "(own)");
}

char *svirt_find_default(const char *path, mode_t mode)
{
        struct selabel_handle *handle = selabel_open(SELABEL_CTX_FILE, NULL, 0);
        char *found = NULL, *label = NULL;

        if (!handle)
                return NULL;
        if (selabel_lookup_raw(handle, &found, path, (int)mode) == 0) {
                label = strcmp(found, "<<none>>") == 0 ? NULL : g_strdup(found);
                freecon(found);
        }
        selabel_close(handle);
        return label;
}

#else

bool svirt_is_enabled(void)
{
        return false;
}

struct svirt *svirt_new(GError **error)
{
        error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                  "this agent was built without libselinux");
        return NULL;
}

bool svirt_check_label(const char *label, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "the security label '%s' cannot be checked: this agent was built without libselinux",
                         label);
}

bool svirt_check_start(const struct svirt *svirt, const char *label, const char *program, GError **error)
{
        return svirt_check_label(label, error);
}

bool svirt_is_enforcing(void)
{
        return false;
}

bool svirt_set_socket_label(const char *label, GError **error)
{
        return svirt_check_label(label, error);
}

char *svirt_find_default(const char *path, mode_t mode)
{
        return NULL;
}

#endif
