/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The document of a filter: read into the typed view, and written from it. The format has no more than what
 * the view has, so that the canonical text is written anew. Any thread.
 */
#include "base/error.h"
#include "base/xml.h"
#include "drivers/nwfilter/nwfilter-def.h"

#include <stdlib.h>
#include <string.h>

#define PRIORITY_MAX     1000
#define PRIORITY_DEFAULT 500
#define CHAIN_MAX        12 /* bytes of a chain's name, libvirt's bound */

/* ---- freeing ---- */

static void match_clear(void *data)
{
        g_free(((struct nwfilter_match *)data)->text);
}

static struct nwfilter_rule *rule_new(void)
{
        struct nwfilter_rule *rule = g_new0(struct nwfilter_rule, 1);

        rule->matches = g_array_new(FALSE, FALSE, sizeof(struct nwfilter_match));
        g_array_set_clear_func(rule->matches, match_clear);
        return rule;
}

static void entry_free(void *data)
{
        struct nwfilter_entry *entry = data;

        if (entry->rule) {
                g_array_unref(entry->rule->matches);
                g_free(entry->rule);
        }
        g_free(entry->filter);
        nwfilter_params_free(entry->params);
        g_free(entry);
}

/* ---- the matches of a rule ---- */

static bool check_variable(const xmlNode *node, const struct nwfilter_attribute *attribute, const char *text,
                           char **canonical, GError **error)
{
        g_autofree char *quoted = error_quote(text);
        struct nwfilter_variable variable;

        if (!nwfilter_attribute_takes_variables(attribute))
                return xml_error(error, node, "attribute '%s' cannot be a variable", attribute->name);
        if (!nwfilter_variable_parse(text, &variable))
                return xml_error(error, node, "attribute '%s' has illegal value '%s': no variable",
                                 attribute->name, quoted);
        *canonical = nwfilter_variable_format(&variable);
        nwfilter_variable_clear(&variable);
        return true;
}

static bool check_text(const xmlNode *node, const struct nwfilter_attribute *attribute, const char *text,
                       char **canonical, GError **error)
{
        g_autofree char *quoted = error_quote(text);
        struct nwfilter_value value;

        if (attribute->type != NWFILTER_COMMENT && nwfilter_is_variable(text))
                return check_variable(node, attribute, text, canonical, error);
        if (!nwfilter_value_parse(attribute, text, &value))
                return xml_error(error, node, "attribute '%s' has illegal value '%s'", attribute->name,
                                 quoted);
        *canonical = g_strdup(value.text);
        nwfilter_value_clear(&value);
        return true;
}

/* The last word on an attribute counts. */
static void set_match(struct nwfilter_rule *rule, const struct nwfilter_attribute *attribute, bool negated,
                      char *text)
{
        const struct nwfilter_match match = { attribute, negated, text };

        for (unsigned i = 0; i < rule->matches->len; i++) {
                struct nwfilter_match *other = &g_array_index(rule->matches, struct nwfilter_match, i);

                if (other->attribute != attribute)
                        continue;
                g_free(other->text);
                *other = match;
                return;
        }
        g_array_append_val(rule->matches, match);
}

static bool read_attribute(struct nwfilter_rule *rule, const xmlNode *node, const char *name, bool negated,
                           GError **error)
{
        const struct nwfilter_attribute *attribute = nwfilter_protocol_find_attribute(rule->protocol, name);
        g_autofree char *text = xml_attr(node, name), *quoted = error_quote(name);
        char *canonical = NULL;

        if (!attribute)
                return xml_error(error, node, "unknown attribute '%s'", quoted);
        if (!check_text(node, attribute, text, &canonical, error))
                return false;
        set_match(rule, attribute, negated, canonical);
        return true;
}

static bool read_negation(const xmlNode *node, bool *negated, GError **error)
{
        g_autofree char *text = xml_attr(node, "match"), *quoted = error_quote(text);

        *negated = text && g_ascii_strcasecmp(text, "no") == 0;
        return !text || *negated || g_ascii_strcasecmp(text, "yes") == 0 ||
               xml_error(error, node, "attribute 'match' is '%s', expected 'yes' or 'no'", quoted);
}

static bool read_matches(struct nwfilter_rule *rule, const xmlNode *node, GError **error)
{
        const struct nwfilter_protocol *protocol = nwfilter_protocol_find((const char *)node->name);
        g_autofree char *quoted = error_quote((const char *)node->name);
        bool negated;

        if (!protocol)
                return xml_error(error, node, "unknown protocol '%s' of a rule", quoted);
        if (rule->protocol && rule->protocol != protocol)
                return xml_error(error, node, "a rule with protocol '%s' cannot have '%s', too",
                                 rule->protocol->name, protocol->name);
        rule->protocol = protocol;
        if (!read_negation(node, &negated, error))
                return false;
        for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
                const char *name = (const char *)attr->name;

                if (!attr->ns && strcmp(name, "match") != 0 &&
                    !read_attribute(rule, node, name, negated, error))
                        return false;
        }
        return true;
}

static unsigned get_place(const struct nwfilter_protocol *protocol,
                          const struct nwfilter_attribute *attribute)
{
        unsigned place = 0;

        for (unsigned i = 0; protocol->attributes[i]; i++)
                for (const struct nwfilter_attribute *row = protocol->attributes[i]; row->name;
                     row++, place++)
                        if (row == attribute)
                                return place;
        return place;
}

static int compare_matches(const void *a, const void *b, void *data)
{
        const struct nwfilter_protocol *protocol = data;

        return (int)get_place(protocol, ((const struct nwfilter_match *)a)->attribute) -
               (int)get_place(protocol, ((const struct nwfilter_match *)b)->attribute);
}

/* ---- rules ---- */

static bool read_action(struct nwfilter_rule *rule, const xmlNode *node, GError **error)
{
        g_autofree char *text = xml_attr(node, "action"), *quoted = error_quote(text);

        if (!text)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_INTERNAL_ERROR,
                                 "rule node requires action attribute");
        for (unsigned i = 0; i < NWFILTER_ACTION_COUNT; i++) {
                if (strcmp(text, nwfilter_action_get_name(i)) == 0) {
                        rule->action = i;
                        return true;
                }
        }
        return error_set(error, ERROR_FROM_NWFILTER, ERROR_CONFIG_UNSUPPORTED,
                         "unknown rule action attribute value '%s' at line %u", quoted, xml_line(node));
}

static bool read_direction(struct nwfilter_rule *rule, const xmlNode *node, GError **error)
{
        g_autofree char *text = xml_attr(node, "direction"), *quoted = error_quote(text);

        if (!text)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_INTERNAL_ERROR,
                                 "rule node requires direction attribute");
        if (strcmp(text, "in") == 0)
                rule->direction = NWFILTER_IN;
        else if (strcmp(text, "out") == 0)
                rule->direction = NWFILTER_OUT;
        else if (strcmp(text, "inout") == 0)
                rule->direction = NWFILTER_INOUT;
        else
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_CONFIG_UNSUPPORTED,
                                 "unknown rule direction attribute value '%s' at line %u", quoted,
                                 xml_line(node));
        return true;
}

static bool read_priority(const xmlNode *node, int *priority, GError **error)
{
        return xml_get_int(node, "priority", priority, error) &&
               ((*priority >= -PRIORITY_MAX && *priority <= PRIORITY_MAX) ||
                error_set(error, ERROR_FROM_NWFILTER, ERROR_INVALID_ARG,
                          "Priority '%d' is outside valid range of [-%d,%d]", *priority, PRIORITY_MAX,
                          PRIORITY_MAX));
}

static bool read_statematch(struct nwfilter_rule *rule, const xmlNode *node, GError **error)
{
        g_autofree char *text = xml_attr(node, "statematch"), *quoted = error_quote(text);

        if (!text || g_ascii_strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0)
                return true;
        rule->stateless = true;
        return g_ascii_strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0 ||
               xml_error(error, node, "attribute 'statematch' has illegal value '%s'", quoted);
}

static bool read_rule(struct nwfilter_rule *rule, const xmlNode *node, GError **error)
{
        rule->priority = PRIORITY_DEFAULT;
        if (!read_action(rule, node, error) || !read_direction(rule, node, error) ||
            !read_priority(node, &rule->priority, error) || !read_statematch(rule, node, error))
                return false;
        XML_FOREACH_CHILD (child, node)
                if (!read_matches(rule, child, error))
                        return false;
        if (rule->protocol)
                g_array_sort_with_data(rule->matches, compare_matches, (void *)rule->protocol);
        return true;
}

/* ---- references ---- */

static bool read_parameter(struct nwfilter_entry *entry, const xmlNode *node, GError **error)
{
        g_autofree char *name = xml_attr(node, "name"), *value = xml_attr(node, "value");

        if (!name || !value)
                return xml_error(error, node, "a parameter of a filter has name and value");
        return nwfilter_params_add(entry->params, name, value, error);
}

static bool read_reference(struct nwfilter_entry *entry, const xmlNode *node, GError **error)
{
        entry->filter = xml_attr(node, "filter");
        entry->params = nwfilter_params_new();
        if (!entry->filter || !*entry->filter)
                return xml_error(error, node, "a reference does not name a filter");
        XML_FOREACH_CHILD (child, node)
                if (xml_is(child, "parameter") && !read_parameter(entry, child, error))
                        return false;
        nwfilter_params_sort(entry->params);
        return true;
}

static bool read_entry(struct nwfilter_def *def, const xmlNode *node, GError **error)
{
        struct nwfilter_entry *entry;

        if (!xml_is(node, "rule") && !xml_is(node, "filterref"))
                return true;
        if (def->entries->len >= NWFILTER_ENTRIES_MAX)
                return xml_error(error, node, "a filter has more than %d rules and references",
                                 NWFILTER_ENTRIES_MAX);
        entry = g_new0(struct nwfilter_entry, 1);
        g_ptr_array_add(def->entries, entry);
        if (xml_is(node, "filterref"))
                return read_reference(entry, node, error);
        entry->rule = rule_new();
        return read_rule(entry->rule, node, error);
}

/* ---- the filter ---- */

/* It is in the names of objects, messages and listings. */
static bool check_name(const xmlNode *root, const char *name, GError **error)
{
        if (!name || !*name)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_INTERNAL_ERROR, "filter has no name");
        if (strlen(name) > NWFILTER_NAME_MAX)
                return xml_error(error, root, "the name of the filter has more than %d bytes",
                                 NWFILTER_NAME_MAX);
        for (const char *c = name; *c; c++)
                if (g_ascii_iscntrl(*c) || *c == '/')
                        return xml_error(error, root,
                                         "the name of a filter cannot have '/' or control characters");
        return true;
}

static bool check_chain(const char *chain, GError **error)
{
        g_autofree char *quoted = error_quote(chain);

        if (!nwfilter_chain_find(chain))
                return error_set(
                        error, ERROR_FROM_NWFILTER, ERROR_INVALID_ARG,
                        "Invalid chain name '%s'. Please use a chain name called 'root' or any of the "
                        "following prefixes: mac, vlan, stp, arp, rarp, ipv4, ipv6",
                        quoted);
        if (strlen(chain) > CHAIN_MAX)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_INVALID_ARG,
                                 "Name of chain is longer than %d characters", CHAIN_MAX);
        for (const char *c = chain; *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("_-.:", *c))
                        return error_set(error, ERROR_FROM_NWFILTER, ERROR_INVALID_ARG,
                                         "Chain name contains invalid characters");
        return true;
}

static bool read_uuid(struct nwfilter_def *def, const xmlNode *root, GError **error)
{
        const xmlNode *node = xml_child(root, "uuid");
        g_autofree char *text = xml_text(node), *quoted = error_quote(text);

        if (!node || !text || !*text) {
                uuid_generate(&def->base.uuid);
                return true;
        }
        return uuid_parse(&def->base.uuid, text, NULL) ||
               xml_error(error, node, "malformed uuid '%s'", quoted);
}

static bool read_document(struct nwfilter_def *def, const xmlNode *root, GError **error)
{
        def->base.name = xml_attr(root, "name");
        def->chain = xml_attr(root, "chain");
        if (!def->chain)
                def->chain = g_strdup("root");
        if (!check_name(root, def->base.name, error) || !check_chain(def->chain, error) ||
            !read_uuid(def, root, error))
                return false;
        def->priority = nwfilter_chain_find(def->chain)->priority;
        if (!read_priority(root, &def->priority, error))
                return false;
        XML_FOREACH_CHILD (child, root)
                if (!read_entry(def, child, error))
                        return false;
        return true;
}

/* ---- writing ---- */

/* It goes with the attribute before it, whatever that is. */
static bool is_neutral(const struct nwfilter_match *match)
{
        switch (match->attribute->type) {
        case NWFILTER_MAC_MASK:
        case NWFILTER_IP_MASK:
        case NWFILTER_IPV6_MASK:
                return true;
        default:
                return false;
        }
}

/* An element for what is next to each other and alike. */
static void write_matches(const struct nwfilter_rule *rule, xmlNode *parent)
{
        xmlNode *node = NULL;
        bool negated = false;

        for (unsigned i = 0; i < rule->matches->len; i++) {
                const struct nwfilter_match *match = &g_array_index(rule->matches, struct nwfilter_match, i);
                bool neutral = is_neutral(match);

                if (!node || (!neutral && match->negated != negated)) {
                        node = xml_add(parent, rule->protocol->name);
                        negated = !neutral && match->negated;
                        if (negated)
                                xml_set_attr(node, "match", "no");
                }
                xml_set_attr(node, match->attribute->name, match->text);
        }
        if (!node)
                xml_add(parent, rule->protocol->name);
}

static void write_rule(const struct nwfilter_rule *rule, xmlNode *parent)
{
        static const char *const directions[] = {
                [NWFILTER_IN] = "in", [NWFILTER_OUT] = "out", [NWFILTER_INOUT] = "inout"
        };
        xmlNode *node = xml_add(parent, "rule");

        xml_set_attr(node, "action", nwfilter_action_get_name(rule->action));
        xml_set_attr(node, "direction", directions[rule->direction]);
        xml_set_attr_format(node, "priority", "%d", rule->priority);
        if (rule->stateless)
                xml_set_attr(node, "statematch", "false");
        if (rule->protocol)
                write_matches(rule, node);
}

static void write_reference(const struct nwfilter_entry *entry, xmlNode *parent)
{
        xmlNode *node = xml_add(parent, "filterref");

        xml_set_attr(node, "filter", entry->filter);
        for (unsigned i = 0; i < entry->params->names->len; i++) {
                xmlNode *child = xml_add(node, "parameter");

                xml_set_attr(child, "name", g_ptr_array_index(entry->params->names, i));
                xml_set_attr(child, "value", g_ptr_array_index(entry->params->values, i));
        }
}

static char *write_document(const struct nwfilter_def *def)
{
        g_autoptr(xmlDoc) doc = xml_new("filter");
        xmlNode *root = xml_root(doc);
        char uuid[UUID_STRING_LENGTH + 1];

        xml_set_attr(root, "name", def->base.name);
        xml_set_attr(root, "chain", def->chain);
        if (def->priority != 0 || strcmp(def->chain, "root") != 0)
                xml_set_attr_format(root, "priority", "%d", def->priority);
        xml_add_text(root, "uuid", uuid_format(&def->base.uuid, uuid));
        for (unsigned i = 0; i < def->entries->len; i++) {
                const struct nwfilter_entry *entry = g_ptr_array_index(def->entries, i);

                if (entry->rule)
                        write_rule(entry->rule, root);
                else
                        write_reference(entry, root);
        }
        return xml_write(doc, NULL);
}

struct nwfilter_def *nwfilter_def_parse(const char *xml, GError **error)
{
        CLEANUP(nwfilter_def_unref) struct nwfilter_def *def = g_new0(struct nwfilter_def, 1);
        g_autoptr(xmlDoc) doc = xml_parse(xml, "filter", error);

        definition_init(&def->base, &nwfilter_kind);
        def->entries = g_ptr_array_new_with_free_func(entry_free);
        if (!doc || !read_document(def, xml_root(doc), error))
                return NULL;
        def->base.xml = write_document(def);
        return g_steal_pointer(&def);
}
