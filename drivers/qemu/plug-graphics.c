/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of graphics can change while the guest runs: the password that people are asked for, until when it
 * counts, and what becomes of those who are connected. No state but the guest's; lane of the domain.
 */
#include "base/error.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/plug-private.h"

#include <string.h>

static void leave_out_password(struct domain_edit *edit, const void *index)
{
        domain_edit_set_graphics_password(edit, *(const unsigned *)index, NULL);
}

static void keep_listens(struct domain_edit *edit, unsigned index, const struct domain_graphics *before,
                         const struct domain_graphics *after)
{
        for (unsigned i = 0; i < MIN(before->n_listens, after->n_listens); i++) {
                const struct domain_listen *was = &before->listens[i], *is = &after->listens[i];

                if (was->type != is->type)
                        continue;
                if (was->address && !is->address)
                        domain_edit_set_graphics_address(edit, index, i, was->address);
                if (was->socket && !is->socket && i == 0)
                        domain_edit_set_graphics_socket(edit, index, i, was->socket);
        }
}

/* What the start chose stays: ports, and where they listen. */
static bool keep_chosen(unsigned index, const struct domain_graphics *before, struct domain_def **live,
                        GError **error)
{
        const struct domain_graphics *after = &(*live)->devices.graphics[index];
        struct domain_edit *edit = domain_edit_new(*live, error);
        struct domain_def *def;

        if (!edit)
                return false;
        if (before->autoport && after->autoport)
                domain_edit_set_graphics_ports(edit, index, before->port, before->tls_port,
                                               after->websocket < 0 ? before->websocket : 0);
        keep_listens(edit, index, before, after);
        def = domain_edit_commit(edit, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

/* QEMU asks for passwords from the start or never. */
static bool check_asked(const struct guest *guest, const struct domain_graphics *before,
                        const struct domain_graphics *after, GError **error)
{
        const char *type = domain_graphics_type_get_name(after->type);

        if (!before->password == !after->password)
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         after->password ? "%s of %s was started without a password and cannot ask for one: "
                                           "set it in the definition and start the guest again"
                                         : "%s of %s was started with a password and cannot do without: "
                                           "remove it in the definition and start the guest again",
                         type, guest->who);
}

bool plug_update_graphics(struct guest *guest, unsigned index, struct domain_def **live, GError **error)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(guest->domain));
        const struct domain_graphics *before = &def->devices.graphics[index], *after;

        if (!keep_chosen(index, before, live, error))
                return false;
        after = &(*live)->devices.graphics[index];
        if (!plug_differs_by(def, *live, leave_out_password, &index))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                 "of graphics '%s' only the password can change while the guest runs",
                                 domain_graphics_type_get_name(after->type));
        if (!check_asked(guest, before, after, error))
                return false;
        return !after->password ||
               (qmp_execute(guest->qmp, "set_password", graphics_set_password(after), QMP_TIMEOUT_MS, NULL,
                            error) &&
                qmp_execute(guest->qmp, "expire_password", graphics_expire_password(after), QMP_TIMEOUT_MS,
                            NULL, error));
}
