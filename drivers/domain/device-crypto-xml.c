/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <crypto>: an accelerator for the guest's ciphers.
 */
#include "drivers/domain/definition-xml.h"

#define QUEUES_MAX 64 /* what QEMU takes (MAX_CRYPTO_QUEUE_NUM) */

static const char *const model_names[] = { "virtio", NULL };
static const char *const type_names[] = { "qemu", NULL };
static const char *const backend_names[] = {
        [DOMAIN_CRYPTO_BUILTIN] = "builtin",
        [DOMAIN_CRYPTO_LKCF] = "lkcf",
        [DOMAIN_CRYPTO_LAST] = NULL,
};

static const struct field crypto_fields[] = {
        NAME("model", struct domain_crypto, model, model_names, .required = true),
        NAME("type", struct domain_crypto, type, type_names, .required = true),
        FIELDS_END,
};
static const struct field backend_fields[] = {
        ENUM("model", struct domain_crypto, backend, backend_names, .required = true),
        UINT("queues", struct domain_crypto, queues, .min = 1, .max = QUEUES_MAX),
        FIELDS_END,
};
static const struct field_part crypto_parts[] = {
        { NULL, crypto_fields },
        { "backend", backend_fields },
        VIRTIO_PART(struct domain_crypto),
        INFO_PARTS(struct domain_crypto),
        PARTS_END,
};

bool domain_read_crypto(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        if (!xml_child(node, "backend"))
                return xml_error(error, node, "a crypto device without a backend");
        return field_read_parts(reader, node, crypto_parts, target, error);
}
