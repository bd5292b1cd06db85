/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of USB devices and of their interfaces. The describer's thread.
 */
#include "nodedev/describe-xml.h"

/* What the hardware database calls it, else what the device itself does. */
static void add_id(const struct description *description, const char *name, const char *attribute,
                   const char *property, const char *own)
{
        const char *id = description_get_attribute(description, attribute);
        const char *text = description_get_property(description, property);
        xmlNode *node;

        if (!id)
                return;
        if (!text)
                text = description_get_attribute(description, own);
        node = text ? xml_add_text(description->capability, name, text)
                    : xml_add(description->capability, name);
        xml_set_attr_format(node, "id", "0x%s", id);
}

static bool add_decimal(const struct description *description, const char *name, const char *attribute)
{
        const char *text = description_get_attribute(description, attribute);

        if (text)
                xml_add_text_format(description->capability, name, "%u",
                                    (unsigned)g_ascii_strtoull(text, NULL, 10));
        return text != NULL;
}

/* The attributes of interfaces are hexadecimal without "0x". */
static bool add_hexadecimal(const struct description *description, const char *name, const char *attribute)
{
        const char *text = description_get_attribute(description, attribute);

        if (text)
                xml_add_text_format(description->capability, name, "%u",
                                    (unsigned)g_ascii_strtoull(text, NULL, 16));
        return text != NULL;
}

bool describe_usb_device(struct description *description)
{
        if (!add_decimal(description, "bus", "busnum") || !add_decimal(description, "device", "devnum"))
                return false;
        add_id(description, "product", "idProduct", "ID_MODEL_FROM_DATABASE", "product");
        add_id(description, "vendor", "idVendor", "ID_VENDOR_FROM_DATABASE", "manufacturer");
        return true;
}

bool describe_usb_interface(struct description *description)
{
        return add_hexadecimal(description, "number", "bInterfaceNumber") &&
               add_hexadecimal(description, "class", "bInterfaceClass") &&
               add_hexadecimal(description, "subclass", "bInterfaceSubClass") &&
               add_hexadecimal(description, "protocol", "bInterfaceProtocol");
}
