/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Security labels: the only model is "dac", the emulators' user, and the only label that a guest can have is
 * that user's. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"

#include <string.h>

static bool refuse(const struct domain_seclabel *label, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "<seclabel type='%s' model='%s'> is not supported", label->type ? label->type : "",
                         label->model ? label->model : "");
}

static bool check(const struct domain_seclabel *label, const char *own, GError **error)
{
        bool dac = g_strcmp0(label->model, "dac") == 0;

        /* No label of a model that labels nothing here. */
        if (g_strcmp0(label->type, "none") == 0)
                return !dac || refuse(label, error);
        if (label->model && !dac)
                return refuse(label, error);
        if (g_strcmp0(label->type, "static") == 0)
                return g_strcmp0(label->label, own) == 0 || refuse(label, error);
        return (!label->base_label || strcmp(label->base_label, own) == 0) || refuse(label, error);
}

bool resources_prepare_labels(struct resources *resources, GError **error)
{
        const struct domain_def *def = resources->def;
        const struct account *account = resources->guest->driver->account;
        g_autofree char *own = account_format_label(account);

        for (unsigned i = 0; i < def->n_seclabels; i++) {
                if (!check(&def->seclabels[i], own, error))
                        return false;
                if (def->seclabels[i].relabel == DOMAIN_SWITCH_OFF)
                        resources->no_relabel = true;
        }
        if (!account->is_own)
                domain_edit_set_seclabel(resources->edit, "dac", own, own);
        return true;
}
