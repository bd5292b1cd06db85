/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents of devices that are to be made. No state.
 */
#include "nodedev/spec.h"

#include "base/error.h"
#include "base/uuid.h"
#include "base/xml.h"

#include <string.h>

#define WWN_DIGITS 16

static xmlNode *find_capability(const xmlNode *parent, const char *type)
{
        XML_FOREACH_CHILD (node, parent) {
                g_autofree char *is = xml_is(node, "capability") ? xml_attr(node, "type") : NULL;

                if (is && (!type || strcmp(is, type) == 0))
                        return node;
        }
        return NULL;
}

static bool check_wwn(const xmlNode *parent, const char *name, const char *wwn, GError **error)
{
        g_autofree char *quoted = NULL;

        if (!wwn)
                return xml_error(error, parent, "no %s supplied for the device", name);
        if (strlen(wwn) == WWN_DIGITS && strspn(wwn, "0123456789abcdefABCDEF") == WWN_DIGITS)
                return true;
        quoted = error_quote(wwn);
        return xml_error(error, parent, "malformed wwn '%s' of %s: it has to be 16 hexadecimal digits",
                         quoted, name);
}

static bool read_vhba(struct node_device_spec *spec, const xmlNode *capability, GError **error)
{
        const xmlNode *fc_host = find_capability(capability, "fc_host");

        if (!fc_host)
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                                 "device is not a fibre channel HBA");
        spec->wwnn = xml_child_text(fc_host, "wwnn");
        spec->wwpn = xml_child_text(fc_host, "wwpn");
        return check_wwn(fc_host, "wwnn", spec->wwnn, error) && check_wwn(fc_host, "wwpn", spec->wwpn, error);
}

static bool read_uuid(struct node_device_spec *spec, const xmlNode *capability, GError **error)
{
        g_autofree char *text = xml_child_text(capability, "uuid"), *quoted = NULL;
        char canonical[UUID_STRING_LENGTH + 1];
        struct uuid uuid;

        if (!text) {
                uuid_generate(&uuid);
        } else if (!uuid_parse(&uuid, text, NULL)) {
                quoted = error_quote(text);
                return xml_error(error, capability, "malformed uuid '%s'", quoted);
        }
        uuid_format(&uuid, canonical);
        spec->uuid = g_strdup(canonical);
        return true;
}

/* The type becomes a part of a path. */
static bool read_mdev(struct node_device_spec *spec, const xmlNode *capability, GError **error)
{
        g_autofree char *quoted = NULL;

        spec->type = xml_attr(xml_child(capability, "type"), "id");
        if (!spec->type)
                return xml_error(error, capability, "missing type id of the mediated device");
        if (xml_child(capability, "attr"))
                return error_set(error, ERROR_FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                                 "attributes of mediated devices are not supported");
        if (!*spec->type || strchr(spec->type, '/') || spec->type[0] == '.') {
                quoted = error_quote(spec->type);
                return xml_error(error, capability, "invalid type id '%s' of the mediated device", quoted);
        }
        spec->parent_address = xml_child_text(capability, "parent_addr");
        return read_uuid(spec, capability, error);
}

static void read_parent(struct node_device_spec *spec, const xmlNode *root)
{
        const xmlNode *parent = xml_child(root, "parent");

        spec->parent = xml_text(parent);
        if (spec->parent && !*spec->parent)
                g_clear_pointer(&spec->parent, g_free);
        spec->parent_wwnn = xml_attr(parent, "wwnn");
        spec->parent_wwpn = xml_attr(parent, "wwpn");
        spec->parent_fabric = xml_attr(parent, "fabric_wwn");
}

struct node_device_spec *node_device_spec_parse(const char *xml, GError **error)
{
        g_autoptr(xmlDoc) doc = xml_parse(xml, "device", error);
        CLEANUP(node_device_spec_free) struct node_device_spec *spec = NULL;
        const xmlNode *capability;
        g_autofree char *type = NULL, *quoted = NULL;
        bool is_read = false;

        if (!doc)
                return NULL;
        capability = find_capability(xml_root(doc), NULL);
        type = capability ? xml_attr(capability, "type") : NULL;
        spec = g_new0(struct node_device_spec, 1);
        read_parent(spec, xml_root(doc));
        if (!type) {
                xml_error(error, xml_root(doc), "no device capabilities for the device");
        } else if (strcmp(type, "scsi_host") == 0) {
                is_read = read_vhba(spec, capability, error);
        } else if (strcmp(type, "mdev") == 0) {
                is_read = read_mdev(spec, capability, error);
        } else {
                quoted = error_quote(type);
                error_set(error, ERROR_FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                          "devices of the type '%s' cannot be made", quoted);
        }
        return is_read ? g_steal_pointer(&spec) : NULL;
}

void node_device_spec_free(struct node_device_spec *spec)
{
        if (!spec)
                return;
        g_free(spec->parent);
        g_free(spec->parent_wwnn);
        g_free(spec->parent_wwpn);
        g_free(spec->parent_fabric);
        g_free(spec->wwnn);
        g_free(spec->wwpn);
        g_free(spec->type);
        g_free(spec->uuid);
        g_free(spec->parent_address);
        g_free(spec);
}
