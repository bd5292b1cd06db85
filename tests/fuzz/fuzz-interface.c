/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An interface's document, and the links that a transaction keeps: whatever is accepted is read back as what
 * it is.
 */

#include "interfaces/definition.h"
#include "interfaces/links-xml.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void try_definition(const char *text)
{
        CLEANUP(interface_def_unref) struct interface_def *def = interface_def_parse(text, NULL);
        CLEANUP(interface_def_unref) struct interface_def *again = NULL;
        g_autoptr(GError) error = NULL;

        interface_def_validate(text, NULL);
        if (!def)
                return;
        again = interface_def_parse(def->xml, &error);
        if (!again)
                g_error("what was made of a document is refused: %s\n%s", error->message, def->xml);
        if (strcmp(def->xml, again->xml) != 0)
                g_error("read back differently:\n%s\n%s", def->xml, again->xml);
}

static void try_links(const char *text)
{
        g_autofree char *boot = NULL, *boot_again = NULL, *formatted = NULL, *twice = NULL;
        CLEANUP(link_set_unref) struct link_set *set = links_parse(text, &boot, NULL), *again = NULL;
        g_autoptr(GError) error = NULL;

        if (!set)
                return;
        formatted = links_format(set, boot);
        again = links_parse(formatted, &boot_again, &error);
        if (!again)
                g_error("what was made of links is refused: %s\n%s", error->message, formatted);
        twice = links_format(again, boot_again);
        if (strcmp(formatted, twice) != 0)
                g_error("read back differently:\n%s\n%s", formatted, twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *text = g_strndup((const char *)data, size);

        try_definition(text);
        try_links(text);
        return 0;
}
