/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Security labels. The only model is "dac": a guest runs as the emulators' user, or as the one that its
 * document names, and files become that user's unless the document forbids it. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/domain/device-label.h"

#include <string.h>

#define MODEL "dac"

/* Of a device: without a model it is about all of them. */
static bool is_ours(const char *model)
{
        return !model || strcmp(model, MODEL) == 0;
}

/* Of the guest: none without a model says nothing, as in libvirt. */
static bool is_for_us(const struct domain_seclabel *label)
{
        return label->model ? strcmp(label->model, MODEL) == 0 : g_strcmp0(label->type, "static") == 0;
}

static bool refuse_model(const char *model, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "security driver model '%s' is not available", model);
}

/* Of the guest; NULL: the document has none for us. */
static const struct domain_seclabel *find_label(const struct domain_def *def)
{
        for (unsigned i = 0; i < def->n_seclabels; i++) {
                if (is_for_us(&def->seclabels[i]))
                        return &def->seclabels[i];
        }
        return NULL;
}

/*
 * The text that names whom it runs as; NULL: nobody in particular. A stored document that leaves it to us has
 * none, an active one has it. <baselabel> is for models that make labels of it, and this one makes none.
 */
static const char *get_text(const struct domain_seclabel *label)
{
        if (!label || g_strcmp0(label->type, "none") == 0)
                return NULL;
        return label->label;
}

bool guest_choose_account(struct guest *guest, const struct domain_def *def, GError **error)
{
        const struct domain_seclabel *label = find_label(def);
        const char *text = get_text(label);
        const struct account *account;

        if (!text && label && g_strcmp0(label->type, "static") == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<seclabel type='static' model='dac'> has no <label>");
        if (!text)
                return true;
        account = account_new_label(text, guest->driver->account, error);
        if (!account)
                return false;
        account_unref(guest->account);
        guest->account = account;
        return true;
}

bool resources_prepare_labels(struct resources *resources, GError **error)
{
        const struct domain_def *def = resources->def;
        const struct domain_seclabel *label = find_label(def);
        const struct account *account = resources->guest->account;
        bool is_static = label && g_strcmp0(label->type, "static") == 0;
        g_autofree char *own = account_format_label(account);

        for (unsigned i = 0; i < def->n_seclabels; i++) {
                const struct domain_seclabel *other = &def->seclabels[i];

                /* No label of a model that labels nothing here. */
                if (!is_ours(other->model) && g_strcmp0(other->type, "none") != 0)
                        return refuse_model(other->model, error);
        }
        /* Whoever sets a fixed label sees to the files himself, unless he says that we do. */
        resources->no_relabel = label && (label->relabel == DOMAIN_SWITCH_OFF ||
                                          (is_static && label->relabel != DOMAIN_SWITCH_ON) ||
                                          g_strcmp0(label->type, "none") == 0);
        if (label && g_strcmp0(label->type, "none") == 0)
                return true;
        if (!account->is_own || get_text(label))
                domain_edit_set_seclabel(resources->edit, MODEL, own, resources->no_relabel ? NULL : own);
        return true;
}

bool resources_use_labels(struct resources *resources, const struct domain_device_labels *labels,
                          const char *what, GError **error)
{
        resources->keeps_owner = false;
        for (unsigned i = 0; i < labels->count; i++) {
                const struct domain_device_label *label = &labels->list[i];

                if (label->label_skip == DOMAIN_SWITCH_ON)
                        continue;
                if (label->relabel == DOMAIN_SWITCH_OFF) {
                        resources->keeps_owner |= is_ours(label->model);
                        continue;
                }
                if (!is_ours(label->model))
                        return refuse_model(label->model, error);
                if (label->label)
                        return error_set(
                                error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "the <label> '%s' of %s is not supported: its file can be the guest's or "
                                "keep its owner (relabel='no')",
                                label->label, what);
        }
        return true;
}
