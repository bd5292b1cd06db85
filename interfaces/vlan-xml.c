/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The element <vlan>. No state; any thread. */
#include "interfaces/vlan-xml.h"

#include "base/xml.h"

#include <string.h>

static const char *const native_names[] = {
        [VLAN_MEMBER] = NULL,
        [VLAN_NATIVE_TAGGED] = "tagged",
        [VLAN_NATIVE_UNTAGGED] = "untagged",
};

static bool read_tag(xmlNode *node, struct vlan *vlan, GError **error)
{
        g_autofree char *native = xml_attr(node, "nativeMode");
        struct vlan_tag tag = { .native = VLAN_MEMBER };
        unsigned id = 0;

        if (!xml_has_attr(node, "id"))
                return xml_error(error, node, "missing attribute 'id' of a VLAN's tag");
        if (!xml_get_uint(node, "id", &id, error))
                return false;
        if (id > VLAN_ID_MAX)
                return xml_error(error, node, "vlan tag id %u is more than %d", id, VLAN_ID_MAX);
        if (g_strcmp0(native, "tagged") == 0)
                tag.native = VLAN_NATIVE_TAGGED;
        else if (g_strcmp0(native, "untagged") == 0)
                tag.native = VLAN_NATIVE_UNTAGGED;
        else if (native)
                return xml_error(error, node, "nativeMode is neither 'tagged' nor 'untagged'");
        if (vlan->n_tags == VLAN_TAGS_MAX)
                return xml_error(error, node, "more than %d tags of VLANs", VLAN_TAGS_MAX);
        tag.id = (uint16_t)id;
        for (unsigned i = 0; i < vlan->n_tags; i++) {
                if (tag.native && vlan->tags[i].native)
                        return xml_error(error, node, "duplicate native vlan setting");
                if (vlan->tags[i].id == tag.id)
                        return xml_error(error, node, "vlan tag %u is there twice", id);
        }
        vlan->tags[vlan->n_tags++] = tag;
        return true;
}

bool vlan_read(xmlNode *node, struct vlan *vlan, GError **error)
{
        bool implied = false;

        *vlan = (struct vlan){ 0 };
        if (!node)
                return true;
        for (xmlNode *tag = xml_child(node, "tag"); tag; tag = xml_next(tag))
                if (!read_tag(tag, vlan, error))
                        return false;
        if (vlan->n_tags == 0)
                return xml_error(error, node,
                                 "missing tag id - each <vlan> must have at least one <tag id='n'/>");
        for (unsigned i = 0; i < vlan->n_tags; i++)
                implied |= vlan->n_tags > 1 || vlan->tags[i].native;
        if (!xml_get_yes_no(node, "trunk", &vlan->trunk, error))
                return false;
        if (implied && !vlan->trunk && xml_has_attr(node, "trunk"))
                return xml_error(error, node,
                                 "trunk='yes' is required for more than one vlan tag, and for a native one");
        vlan->trunk |= implied;
        xml_set_attr(node, "trunk", vlan->trunk ? "yes" : NULL);
        return true;
}

void vlan_add(xmlNode *parent, const struct vlan *vlan)
{
        xmlNode *node, *tag;

        if (!vlan_is_set(vlan))
                return;
        node = xml_add(parent, "vlan");
        if (vlan->trunk)
                xml_set_attr(node, "trunk", "yes");
        for (unsigned i = 0; i < vlan->n_tags; i++) {
                tag = xml_add(node, "tag");
                xml_set_attr_format(tag, "id", "%u", (unsigned)vlan->tags[i].id);
                xml_set_attr(tag, "nativeMode", native_names[vlan->tags[i].native]);
        }
}
