/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The active form of a definition and what is derived from it. No state; any thread.
 */
#include "drivers/domain/live-xml.h"

#include "base/error.h"
#include "drivers/domain/alias-xml.h"
#include "drivers/domain/edit-private-xml.h"
#include "drivers/domain/hardware-xml.h"
#include "drivers/domain/normalize-steps-xml.h"

/* What clients know their groups of resctrl by, as libvirt names them. */
static void name_shares(xmlNode *root)
{
        xmlNode *cputune = xml_child(root, "cputune");

        if (!cputune)
                return;
        XML_FOREACH_CHILD (node, cputune) {
                if (xml_is(node, "cachetune") || xml_is(node, "memorytune"))
                        xml_set_attr_format(node, "id", "vcpus_%s", hardware_peek(node, "vcpus"));
        }
}

struct domain_def *domain_def_activate(const struct domain_def *def, int id, GError **error)
{
        __attribute__((cleanup(hardware_clear))) struct hardware hardware = { 0 };
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        domain_edit_set_id(edit, id);
        if (hardware_init(&hardware, domain_edit_root(edit), NULL, domain_edit_error(edit)))
                alias_give(&hardware);
        name_shares(domain_edit_root(edit));
        return domain_edit_commit(edit, error);
}

struct domain_def *domain_def_expand_cpu(const struct domain_def *def, const char *cpu_xml, GError **error)
{
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        domain_edit_set_cpu(edit, cpu_xml);
        return domain_edit_commit(edit, error);
}

char *domain_def_copy_cpu(const struct domain_def *def, GError **error)
{
        CLEANUP(domain_edit_free) struct domain_edit *edit = domain_edit_new(def, error);
        const xmlNode *cpu = edit ? xml_child(domain_edit_root(edit), "cpu") : NULL;

        if (cpu)
                return xml_write(cpu->doc, cpu);
        if (edit)
                error_set(error, ERROR_FROM_DOMAIN, ERROR_INTERNAL_ERROR, "domain '%s' has no <cpu>",
                          def->base.name);
        return NULL;
}

struct domain_def *domain_def_make_migratable(const struct domain_def *def, GError **error)
{
        __attribute__((cleanup(hardware_clear))) struct hardware hardware = { 0 };
        struct domain_edit *edit = domain_edit_new(def, error);

        if (!edit)
                return NULL;
        if (hardware_init(&hardware, domain_edit_root(edit), NULL, domain_edit_error(edit)))
                normalize_strip(&hardware);
        return domain_edit_commit(edit, error);
}
