/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context of SELinux in which a guest runs, and the labels of its files. What was chosen stands in the
 * active document, what was labelled in the status document before it is: so the next agent knows the pairs
 * of categories that are taken, and gives labels back. Lane of the domain.
 */
#include "drivers/qemu/guest.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

/* ---- the context ---- */

/* A fixed label may share its pair, if whoever fixed it wants so; then the first one gives it back. */
static void claim_pair(struct guest *guest)
{
        struct category_pair pair;

        if (svirt_read_pair(guest->context, &pair) &&
            category_claims_take(&guest->driver->svirt->claims, &pair))
                guest->pair = pair;
}

static bool take_label(struct guest *guest, const struct domain_seclabel *label, const char *image,
                       GError **error)
{
        guest->context = g_strdup(label->label);
        guest->image_context =
                image ? g_strdup(image) : svirt_make_image_label(guest->driver->svirt, label->label);
        claim_pair(guest);
        return guest->image_context || error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                                 "the <label> '%s' is no context of SELinux", label->label);
}

static bool make_label(struct guest *guest, const struct domain_def *def, const struct domain_seclabel *label,
                       GError **error)
{
        struct svirt *svirt = guest->driver->svirt;
        bool emulated = g_strcmp0(def->type, "kvm") != 0;

        guest->context =
                svirt_make_label(svirt, label ? label->base_label : NULL, emulated, &guest->pair, error);
        if (!guest->context)
                return false;
        guest->image_context = svirt_make_image_label(svirt, guest->context);
        return svirt_check_label(guest->context, error) && svirt_check_label(guest->image_context, error);
}

bool guest_choose_context(struct guest *guest, const struct domain_def *def, bool runs, GError **error)
{
        const struct domain_seclabel *label = guest_find_label(guest->driver, def, SVIRT_MODEL);

        if (!guest->driver->svirt || (label && g_strcmp0(label->type, "none") == 0))
                return true;
        /* An agent that did not confine it has left no label. */
        if (runs)
                return !label || !label->label || take_label(guest, label, label->image_label, error);
        if (label && g_strcmp0(label->type, "static") == 0)
                return svirt_check_label(label->label, error) && take_label(guest, label, NULL, error);
        return make_label(guest, def, label, error);
}

void guest_drop_context(struct guest *guest)
{
        if (guest->driver->svirt)
                category_claims_drop(&guest->driver->svirt->claims, &guest->pair);
        guest->pair = (struct category_pair){ 0 };
}

bool guest_check_context(const struct guest *guest, const char *program, GError **error)
{
        return !guest->context || svirt_check_start(guest->driver->svirt, guest->context, program, error);
}

const char *guest_get_helper_context(const struct guest *guest, const char *program)
{
        g_autoptr(GError) reason = NULL;

        if (!guest->context || !program || guest_check_context(guest, program, &reason))
                return guest->context;
        log_debug("'%s' of %s runs in the agent's own context: %s", program, guest->who, reason->message);
        return NULL;
}

/* ---- sockets ---- */

bool guest_begin_sockets(const struct guest *guest, GError **error)
{
        return !guest->context || svirt_set_socket_label(guest->context, error);
}

void guest_end_sockets(const struct guest *guest)
{
        g_autoptr(GError) failure = NULL;

        if (guest->context && !svirt_set_socket_label(NULL, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "sockets are made as those of %s", guest->who);
}

/* ---- files ---- */

bool guest_label_own(const struct guest *guest, const char *path, GError **error)
{
        return !guest->image_context || relabel_set(path, guest->image_context, error);
}

static bool is_of(const struct status_label *label, const char *alias)
{
        return !alias || g_strcmp0(label->alias, alias) == 0;
}

bool guest_take_labels(struct guest *guest, const char *alias, GError **error)
{
        GPtrArray *labels = guest->status->labels;

        for (unsigned i = 0; i < labels->len; i++) {
                struct status_label *label = g_ptr_array_index(labels, i);

                if (label->taken || !is_of(label, alias))
                        continue;
                if (!relabel_take(label->path, label->label, &label->relabel, error))
                        return false;
                label->taken = true;
                guest->changed = true;
        }
        return true;
}

/* An agent that was killed may have taken it without writing that down; its own label tells. */
static bool may_be_taken(const struct guest *guest, const struct status_label *label)
{
        return label->taken || (label->unsure && g_strcmp0(label->label, guest->image_context) == 0);
}

void guest_return_labels(struct guest *guest, const char *alias)
{
        GPtrArray *labels = guest->status->labels;

        for (unsigned i = labels->len; i-- > 0;) {
                const struct status_label *label = g_ptr_array_index(labels, i);

                if (!is_of(label, alias))
                        continue;
                if (may_be_taken(guest, label))
                        relabel_return(label->path, label->label, label->relabel.before);
                g_ptr_array_remove_index(labels, i);
        }
}
