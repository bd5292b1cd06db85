/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Channels of type 'guestfwd', addresses in a network that no card of the guest leads to: a back end, and
 * what listens there for it. QEMU does not list that with its devices, and the guest is not asked. No state
 * but the guest's; lane of the domain.
 */
#include "drivers/qemu/plug.h"

#include "base/error.h"
#include "drivers/qemu/plug-private.h"

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

bool plug_take_apart(struct guest *guest, const struct device_list *list, GError **error)
{
        const struct device_part *part = device_list_get(list, device_list_get_length(list) - 1);
        g_autoptr(GError) failure = NULL;

        if (qmp_execute(guest->qmp, device_part_get_undo_command(part), device_part_get_undo_arguments(part),
                        QMP_TIMEOUT_MS, NULL, &failure) ||
            error_is(failure, ERROR_DEVICE_MISSING))
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "%s", failure->message);
}

/* Is the back end there, and something behind it? */
static bool has_open_chardev(const json_t *chardevs, const char *alias)
{
        g_autofree char *label = g_strconcat("char", alias, NULL);
        const json_t *chardev;
        size_t i;

        json_array_foreach((json_t *)chardevs, i, chardev)
        {
                if (g_strcmp0(json_string_value(json_object_get(chardev, "label")), label) == 0)
                        return json_is_true(json_object_get(chardev, "frontend-open"));
        }
        return false;
}

void plug_resync_forwards(struct guest *guest, const json_t *chardevs)
{
        g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
        const struct domain_devices *devices = &get_def(guest)->devices;

        if (!json_is_array(chardevs))
                return;
        for (unsigned i = 0; i < devices->n_channels; i++) {
                const struct domain_char *channel = domain_devices_get(devices, DOMAIN_DEVICE_CHANNEL, i);

                if (g_strcmp0(channel->target_type, "guestfwd") == 0 &&
                    !has_open_chardev(chardevs, channel->info.alias))
                        g_ptr_array_add(missing, g_strdup(channel->info.alias));
        }
        for (unsigned i = missing->len; i-- > 0;)
                plug_forget_rest(guest, g_ptr_array_index(missing, i));
}
