/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a definition cannot do without: the machine, or another of its devices, brings it along, and it would
 * be there again with the next change. No state beside the edit; any thread.
 */
#include "base/error.h"
#include "drivers/domain/definition-xml.h"
#include "drivers/domain/edit-private-xml.h"
#include "drivers/domain/kinds-xml.h"
#include "drivers/domain/normalize-xml.h"

static unsigned count(const xmlDoc *doc, enum domain_device_kind kind)
{
        unsigned found = 0;

        XML_FOREACH_CHILD (node, xml_child(xml_root(doc), "devices"))
                found += xml_is(node, domain_kinds[kind].element);
        return found;
}

/* How many there are once the document is normal; 0 when it cannot be. */
static unsigned count_normal(xmlDoc *doc, enum domain_device_kind kind, const struct domain_machine *machine)
{
        g_autoptr(GError) failure = NULL;

        return doc && domain_normalize(doc, machine, &failure) ? count(doc, kind) : 0;
}

bool domain_edit_check_gone(struct domain_edit *edit, enum domain_device_kind kind,
                            const struct domain_machine *machine)
{
        g_autoptr(xmlDoc) before = NULL, after = xmlCopyDoc(domain_doc_get_xml(edit->doc), 1);
        unsigned plain = after ? count(after, kind) : 0, left = count_normal(after, kind, machine);

        if (left <= plain)
                return true;
        /* A definition that an earlier version has stored may not be normal. */
        before = xml_parse(edit->before->base.xml, NULL, NULL);
        if (left < count_normal(before, kind, machine))
                return true;
        return error_set(
                domain_edit_error(edit), ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                "this <%s> comes with the machine or with another device, and would be in the definition "
                "again: UpdateDevice can make it another one",
                domain_kinds[kind].element);
}
