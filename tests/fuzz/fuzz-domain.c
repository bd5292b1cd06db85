/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A domain's document: whatever is accepted is complete, and is read back as what it is.
 */

#include "drivers/domain/definition.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/domain-machine.h"

#include <string.h>

static const struct domain_machine machine = { DOMAIN_MACHINE_Q35, .net_model = "e1000e" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *text = g_strndup((const char *)data, size);
        struct domain_doc *doc = domain_doc_parse(text, NULL);
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;
        CLEANUP(domain_def_unref) struct domain_def *again = NULL;
        g_autoptr(GError) error = NULL;

        if (!doc)
                return 0;
        def = domain_doc_finish(doc, &machine, NULL);
        if (!def)
                return 0;
        again = domain_def_parse_stored(def->base.xml, &error);
        if (!again)
                g_error("what was made of a document is refused: %s\n%s", error->message, def->base.xml);
        if (strcmp(def->base.xml, again->base.xml) != 0)
                g_error("read back differently:\n%s\n%s", def->base.xml, again->base.xml);
        return 0;
}
