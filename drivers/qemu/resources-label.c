/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Security labels. By the model "dac" a guest runs as the emulators' user, or as the one that its document
 * names, and files become that user's unless the document forbids it. By "apparmor", where the host has that,
 * it runs in a profile of its own, or in one of the administrator's that its document names; files have no
 * labels there. By "selinux" it runs in a context of its own, as its files are labelled (guest-label.c). Lane
 * of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/domain/device-label.h"
#include "drivers/security/apparmor.h"

#include <string.h>

#define MODEL "dac"

/* Of a device: without a model it is about all of them. */
static bool is_ours(const char *model)
{
        return !model || strcmp(model, MODEL) == 0;
}

static bool is_type(const struct domain_seclabel *label, const char *type)
{
        return label && g_strcmp0(label->type, type) == 0;
}

/* Can the host confine by it? */
static bool is_active(const struct qemu_driver *driver, const char *model)
{
        return strcmp(model, MODEL) == 0 || (driver->apparmor && strcmp(model, APPARMOR_MODEL) == 0) ||
               (driver->svirt && strcmp(model, SVIRT_MODEL) == 0);
}

static const char *get_first_model(const struct qemu_driver *driver)
{
        return driver->apparmor ? APPARMOR_MODEL : driver->svirt ? SVIRT_MODEL : MODEL;
}

static bool refuse_model(const char *model, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "security driver model '%s' is not available", model);
}

const struct domain_seclabel *guest_find_label(const struct qemu_driver *driver, const struct domain_def *def,
                                               const char *model)
{
        bool first = strcmp(get_first_model(driver), model) == 0;

        for (unsigned i = 0; i < def->n_seclabels; i++) {
                const struct domain_seclabel *label = &def->seclabels[i];

                if (label->model ? strcmp(label->model, model) == 0
                                 : first && (is_type(label, "static") || label->base_label))
                        return label;
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
        const struct domain_seclabel *label = guest_find_label(guest->driver, def, MODEL);
        const char *text = get_text(label);
        const struct account *account;

        if (!text && is_type(label, "static"))
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

/* What the administrator has made is his to change. */
static bool take_static_profile(struct guest *guest, const struct domain_seclabel *label, GError **error)
{
        if (label->relabel == DOMAIN_SWITCH_ON)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "relabel='yes' of the <seclabel type='static' model='apparmor'> is not supported: "
                        "the profile '%s' is not the guest's own, and does not change with its files",
                        label->label);
        guest->profile = g_strdup(label->label);
        return true;
}

bool guest_choose_profile(struct guest *guest, const struct domain_def *def, bool runs, GError **error)
{
        const struct domain_seclabel *label = guest_find_label(guest->driver, def, APPARMOR_MODEL);

        if (!guest->driver->apparmor || is_type(label, "none"))
                return true;
        if (is_type(label, "static"))
                return take_static_profile(guest, label, error);
        if (label && label->base_label)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<baselabel> of the <seclabel model='apparmor'> is not supported");
        /* An agent that did not confine it has left no label. */
        if (runs && !(label && label->label))
                return true;
        guest->profile = g_strconcat("libvirt-", guest->domain->base.uuid_text, NULL);
        guest->owns_profile = true;
        return true;
}

static bool check_models(const struct resources *resources, GError **error)
{
        const struct domain_def *def = resources->def;

        for (unsigned i = 0; i < def->n_seclabels; i++) {
                const struct domain_seclabel *label = &def->seclabels[i];

                /* No label of a model that labels nothing here. */
                if (label->model && !is_active(resources->guest->driver, label->model) &&
                    !is_type(label, "none"))
                        return refuse_model(label->model, error);
        }
        return true;
}

/* Whoever sets a fixed label sees to the files himself, unless he says that we do. */
static bool leaves_files(const struct domain_seclabel *label)
{
        return label && (label->relabel == DOMAIN_SWITCH_OFF || is_type(label, "none") ||
                         (is_type(label, "static") && label->relabel != DOMAIN_SWITCH_ON));
}

/* What confines it beside its account goes into the active document. */
static void write_confinement(struct resources *resources, const char *first)
{
        const struct guest *guest = resources->guest;

        if (guest->profile)
                domain_edit_set_seclabel(resources->edit, APPARMOR_MODEL, first, guest->profile,
                                         guest->owns_profile ? guest->profile : NULL);
        resources->labels =
                guest->context && !leaves_files(guest_find_label(guest->driver, resources->def, SVIRT_MODEL));
        if (guest->context)
                domain_edit_set_seclabel(resources->edit, SVIRT_MODEL, first, guest->context,
                                         resources->labels ? guest->image_context : NULL);
}

bool resources_prepare_labels(struct resources *resources, bool runs, GError **error)
{
        const struct guest *guest = resources->guest;
        const struct domain_seclabel *label = guest_find_label(guest->driver, resources->def, MODEL);
        const char *first = get_first_model(guest->driver);
        const struct account *account = guest->account;
        g_autofree char *own = account_format_label(account);

        /* One that runs has its labels, whoever gave it them (a libvirtd before us). */
        if (!runs && !check_models(resources, error))
                return false;
        write_confinement(resources, first);
        resources->no_relabel = leaves_files(label);
        if (is_type(label, "none"))
                return true;
        if (!account->is_own || get_text(label))
                domain_edit_set_seclabel(resources->edit, MODEL, first, own,
                                         resources->no_relabel ? NULL : own);
        return true;
}

/* The <label> of a device: of files that SELinux labels, which is the only model that has such. */
static bool use_label(struct resources *resources, const struct domain_device_label *label, const char *what,
                      GError **error)
{
        const struct qemu_driver *driver = resources->guest->driver;
        const char *model = label->model ? label->model : get_first_model(driver);

        if (!driver->svirt || strcmp(model, SVIRT_MODEL) != 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "the <label> '%s' of %s is not supported: its file can be the guest's or "
                                 "keep its owner (relabel='no')",
                                 label->label, what);
        resources->label = label->label;
        return svirt_check_label(label->label, error);
}

bool resources_use_labels(struct resources *resources, const struct domain_device_labels *labels,
                          const char *what, GError **error)
{
        resources->keeps_owner = false;
        resources->keeps_label = false;
        resources->label = NULL;
        for (unsigned i = 0; i < labels->count; i++) {
                const struct domain_device_label *label = &labels->list[i];

                if (label->label_skip == DOMAIN_SWITCH_ON)
                        continue;
                if (label->relabel == DOMAIN_SWITCH_OFF) {
                        resources->keeps_owner |= is_ours(label->model);
                        resources->keeps_label |= !label->model || strcmp(label->model, SVIRT_MODEL) == 0;
                        continue;
                }
                if (label->model && !is_active(resources->guest->driver, label->model))
                        return refuse_model(label->model, error);
                if (label->label && !use_label(resources, label, what, error))
                        return false;
        }
        return true;
}

void resources_label_file(struct resources *resources, const char *path, bool write)
{
        const struct guest *guest = resources->guest;
        const struct svirt *svirt = guest->driver->svirt;
        struct status_label label = { .alias = (char *)resources->alias, .path = (char *)path };

        if (!resources->labels || resources->keeps_label)
                return;
        if (resources->label)
                label.label = (char *)resources->label;
        else if (resources->shared)
                label.label = svirt->image;
        else
                label.label = write ? guest->image_context : svirt->content;
        if (!relabel_look(path, &label.relabel))
                return;
        status_add_label(guest->status, &label);
        g_free(label.relabel.before);
}
