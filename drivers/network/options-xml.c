/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <dnsmasq:options> of a network: lines for the file of its dnsmasq, which are the client's to answer for. A
 * line is a line, though. Any thread.
 */
#include "base/error.h"
#include "drivers/network/network-xml.h"

#include <string.h>

/* What dnsmasq reads of a line (MAXDNAME in its source); the rest would be the next line to it. */
#define OPTION_MAX 1024

static bool read_option(GPtrArray *options, xmlNode *node, GError **error)
{
        g_autofree char *value = network_xml_need_attr(node, "value", error);

        if (!value)
                return false;
        for (const char *c = value; *c; c++)
                if (g_ascii_iscntrl(*c))
                        return xml_error(error, node, "an option of dnsmasq has a control character in it");
        if (strlen(value) > OPTION_MAX)
                return xml_error(error, node, "an option of dnsmasq is longer than %d bytes", OPTION_MAX);
        if (options->len >= NETWORK_PARTS_MAX)
                return xml_error(error, node, "more than %d options of dnsmasq", NETWORK_PARTS_MAX);
        g_ptr_array_add(options, g_steal_pointer(&value));
        return true;
}

/* Leaves what is read; false with an error. */
static bool read_element(GPtrArray *options, xmlNode *node, GError **error)
{
        xmlNode *next;

        xml_keep_elements(node);
        for (xmlNode *child = xml_first_element(node); child; child = next) {
                next = xml_next_element(child);
                if (!xml_is_ns(child, NETWORK_DNSMASQ_NAMESPACE, "option"))
                        xml_remove(child);
                else if (!read_option(options, child, error))
                        return false;
        }
        return true;
}

bool network_options_read(struct network_def *def, xmlNode *root, GError **error)
{
        xmlNode *found = NULL, *next;

        def->options = g_ptr_array_new_with_free_func(g_free);
        for (xmlNode *child = xml_first_element(root); child; child = next) {
                next = xml_next_element(child);
                if (!xml_is_ns(child, NETWORK_DNSMASQ_NAMESPACE, "options"))
                        continue;
                if (found)
                        return xml_error(error, child, "more than one <dnsmasq:options> element");
                if (!read_element(def->options, child, error))
                        return false;
                found = child;
        }
        if (found && def->options->len == 0)
                xml_remove(found);
        return true;
}
