/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <crypto>: an accelerator for the guest's ciphers, and what computes them on the host. Values only; any
 * thread.
 */
#include "drivers/qemu/device-internal.h"

#include "drivers/qemu/qemu-caps.h"

static bool check(const struct device_context *context, const struct domain_crypto *crypto, const char *type,
                  GError **error)
{
        if (g_strcmp0(crypto->type, "qemu") != 0)
                return device_unsupported(error, "type '%s' of <crypto> is not supported", crypto->type);
        if (qemu_caps_has_type(context->caps, type))
                return true;
        return device_unsupported(error, "emulator '%s' has no object '%s'",
                                  qemu_caps_get_path(context->caps), type);
}

bool device_describe_crypto(struct device_list *list, const struct device_context *context, const void *data,
                            GError **error)
{
        const struct domain_crypto *crypto = data;
        bool lkcf = crypto->backend == DOMAIN_CRYPTO_LKCF;
        const char *type = lkcf ? "cryptodev-backend-lkcf" : "cryptodev-backend-builtin";
        g_autofree char *id = g_strconcat("obj", crypto->info.alias, NULL);
        g_autofree char *driver = device_virtio_driver("virtio-crypto", NULL, &crypto->info);
        json_t *object, *device;

        if (!check(context, crypto, type, error))
                return false;
        object = device_object(type, id);
        device_set_uint(object, "queues", crypto->queues);
        device_list_add(list, DEVICE_OBJECT, object);
        device = device_new(driver, crypto->info.alias);
        device_set_virtio(device, &crypto->virtio);
        device_set_string(device, "cryptodev", id);
        return device_list_add_at(list, context, device, &crypto->info, error);
}
