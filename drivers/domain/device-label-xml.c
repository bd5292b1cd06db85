/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <seclabel> of images and character devices. No state. */
#include "drivers/domain/definition-xml.h"

#define LABEL_MAX 4096

static const struct field fields[] = {
        STRING("model", struct domain_device_label, model, .max = 64),
        YES_NO("relabel", struct domain_device_label, relabel),
        YES_NO("labelskip", struct domain_device_label, label_skip),
        FIELDS_END,
};
static const struct field text[] = {
        STRING(NULL, struct domain_device_label, label, .max = LABEL_MAX),
        FIELDS_END,
};
static const struct field_part parts[] = {
        { NULL, fields },
        { "label", text },
        PARTS_END,
};

bool domain_read_labels(struct domain_reader *reader, xmlNode *source, struct domain_device_labels *labels,
                        GError **error)
{
        return field_read_array(reader, source, "seclabel", parts, sizeof(struct domain_device_label),
                                &labels->list, &labels->count, error);
}
