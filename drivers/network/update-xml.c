/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One element of a definition changed: which there are, how they are known, where they stand. The new
 * document is read as any other. Any thread.
 */
#include "base/error.h"
#include "drivers/network/network-xml.h"

#include <string.h>

#define KEYS_MAX 8

struct section {
        const char *name;        /* as messages have it */
        const char *element;     /* NULL: cannot be edited on its own, as with libvirt */
        const char *what;        /* as messages have it: "dhcp host" */
        const char *parent;      /* "dhcp": of an <ip>; NULL: the network itself */
        const char *keys;        /* attributes, or hostname, that tell one from another */
        bool any;                /* one key in common is the same one; else all have to be */
        const char *delete_keys; /* one of these is enough to delete; NULL: all of keys that are given */
        const char *modify_keys; /* one of these is enough to modify; NULL: cannot be modified */
};

static const struct section sections[] = {
        [NETWORK_SECTION_BRIDGE] = { .name = "bridge" },
        [NETWORK_SECTION_DOMAIN] = { .name = "domain" },
        [NETWORK_SECTION_IP] = { .name = "ip" },
        [NETWORK_SECTION_IP_DHCP_HOST] = { .name = "ip-dhcp-host",
                                           .element = "host",
                                           .what = "dhcp host",
                                           .parent = "dhcp",
                                           .keys = "mac id name ip",
                                           .any = true,
                                           .modify_keys = "mac id name" },
        [NETWORK_SECTION_IP_DHCP_RANGE] = { .name = "ip-dhcp-range",
                                            .element = "range",
                                            .what = "dhcp range",
                                            .parent = "dhcp",
                                            .keys = "start end" },
        [NETWORK_SECTION_FORWARD] = { .name = "forward" },
        [NETWORK_SECTION_FORWARD_INTERFACE] = { .name = "forward-interface",
                                                .element = "interface",
                                                .what = "forward interface",
                                                .parent = "forward",
                                                .keys = "dev" },
        [NETWORK_SECTION_FORWARD_PF] = { .name = "forward-pf" },
        [NETWORK_SECTION_PORTGROUP] = { .name = "portgroup",
                                        .element = "portgroup",
                                        .what = "portgroup",
                                        .keys = "name",
                                        .modify_keys = "name" },
        [NETWORK_SECTION_DNS_HOST] = { .name = "dns-host",
                                       .element = "host",
                                       .what = "DNS HOST",
                                       .parent = "dns",
                                       .keys = "ip",
                                       .delete_keys = "ip hostname" },
        [NETWORK_SECTION_DNS_TXT] = { .name = "dns-txt",
                                      .element = "txt",
                                      .what = "DNS TXT",
                                      .parent = "dns",
                                      .keys = "name" },
        [NETWORK_SECTION_DNS_SRV] = { .name = "dns-srv",
                                      .element = "srv",
                                      .what = "DNS SRV",
                                      .parent = "dns",
                                      .keys = "service protocol domain target port priority weight" },
};

/* ---- which one ---- */

/* Different texts may be one address; names of hardware have no case. */
static bool is_same_value(const char *a, const char *b)
{
        struct network_address first, second;

        if (network_address_parse(a, &first) && network_address_parse(b, &second))
                return network_address_compare(&first, &second) == 0;
        return g_ascii_strcasecmp(a, b) == 0;
}

static bool has_hostname(const xmlNode *node, const char *wanted)
{
        for (const xmlNode *child = xml_child(node, "hostname"); child; child = xml_next(child)) {
                g_autofree char *name = xml_text(child);

                if (name && g_ascii_strcasecmp(name, wanted) == 0)
                        return true;
        }
        return false;
}

static bool has_hostname_of(const xmlNode *node, const xmlNode *given)
{
        for (const xmlNode *child = xml_child(given, "hostname"); child; child = xml_next(child)) {
                g_autofree char *name = xml_text(child);

                if (name && has_hostname(node, name))
                        return true;
        }
        return false;
}

enum likeness {
        NOT_GIVEN, /* given does not say */
        SAME,
        OTHER,
};

static enum likeness compare(const xmlNode *node, const xmlNode *given, const char *key)
{
        g_autofree char *wanted = NULL, *value = NULL;

        if (strcmp(key, "hostname") == 0) {
                if (!xml_child(given, key))
                        return NOT_GIVEN;
                return has_hostname_of(node, given) ? SAME : OTHER;
        }
        wanted = xml_attr(given, key);
        value = xml_attr(node, key);
        if (!wanted)
                return NOT_GIVEN;
        return value && is_same_value(value, wanted) ? SAME : OTHER;
}

/* One of the keys that given has (any), or all of them and one at least. */
static bool is_like(const xmlNode *node, const xmlNode *given, const char *keys, bool any)
{
        g_auto(GStrv) names = g_strsplit(keys, " ", KEYS_MAX);
        bool same = false;

        for (unsigned i = 0; names[i]; i++) {
                enum likeness likeness = compare(node, given, names[i]);

                if (likeness == OTHER && !any)
                        return false;
                same |= likeness == SAME;
        }
        return same;
}

static xmlNode *find(const xmlNode *parent, const xmlNode *given, const char *keys, bool any)
{
        for (xmlNode *node = xml_child(parent, (const char *)given->name); node; node = xml_next(node))
                if (is_like(node, given, keys, any))
                        return node;
        return NULL;
}

/* ---- where ---- */

static xmlNode *find_ip_at(xmlNode *root, int index)
{
        xmlNode *node = xml_child(root, "ip");

        while (node && index-- > 0)
                node = xml_next(node);
        return node;
}

/* The one whose network has the address; else the one with DHCP; else the first of IPv4. */
static int choose_ip(const struct network_def *def, const xmlNode *given)
{
        g_autofree char *text = xml_attr(given, "ip"), *start = xml_attr(given, "start");
        struct network_address address;
        bool is_given = network_address_parse(text ? text : start, &address);
        int with_dhcp = -1, first = -1;

        for (int i = 0; i < (int)def->ips->len; i++) {
                const struct network_ip *ip = g_ptr_array_index(def->ips, i);

                if (is_given && network_address_is_within(&address, &ip->address, ip->prefix))
                        return i;
                if (ip->has_dhcp && with_dhcp < 0)
                        with_dhcp = i;
                if (ip->address.family == AF_INET && first < 0)
                        first = i;
        }
        return with_dhcp >= 0 ? with_dhcp : first;
}

static xmlNode *find_child(xmlNode *parent, const char *name)
{
        xmlNode *node = xml_child(parent, name);

        return node ? node : xml_add(parent, name);
}

static xmlNode *find_parent(const struct network_def *def, const struct section *section,
                            const struct network_update *update, xmlNode *root, const xmlNode *given,
                            GError **error)
{
        xmlNode *ip;
        int index;

        if (!section->parent)
                return root;
        if (strcmp(section->parent, "dhcp") != 0)
                return find_child(root, section->parent);
        index = update->parent_index >= 0 ? update->parent_index : choose_ip(def, given);
        ip = index < 0 ? NULL : find_ip_at(root, index);
        if (ip)
                return find_child(ip, "dhcp");
        error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                  "couldn't update %s entry - no <ip> element found at index %d in network '%s'",
                  section->what, update->parent_index, def->base.name);
        return NULL;
}

/* ---- the change ---- */

static bool refuse_missing(const struct network_def *def, const struct section *section, GError **error)
{
        return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                         "couldn't locate a matching %s entry in network '%s'", section->what,
                         def->base.name);
}

static bool modify(const struct network_def *def, const struct section *section, xmlNode *parent,
                   const xmlNode *given, GError **error)
{
        xmlNode *found;

        if (!section->modify_keys)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_UNSUPPORTED,
                                 "%s entries cannot be modified, only added or deleted", section->what);
        found = find(parent, given, section->modify_keys, true);
        if (!found)
                found = find(parent, given, section->keys, section->any);
        if (!found)
                return refuse_missing(def, section, error);
        xml_replace(found, given);
        return true;
}

static bool delete (const struct network_def *def, const struct section *section, xmlNode *parent,
                    const xmlNode *given, GError **error)
{
        xmlNode *found = section->delete_keys ? find(parent, given, section->delete_keys, true)
                                              : find(parent, given, section->keys, false);

        if (!found)
                return refuse_missing(def, section, error);
        if (strcmp(section->name, "forward-interface") == 0)
                xml_set_attr(parent, "dev", NULL); /* it is that of the first that is left */
        xml_remove(found);
        return true;
}

static bool add(const struct network_def *def, const struct section *section, xmlNode *parent,
                const xmlNode *given, bool first, GError **error)
{
        if (find(parent, given, section->keys, section->any))
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                                 "there is an existing %s entry in network '%s' that matches", section->what,
                                 def->base.name);
        if (first)
                xml_replace(xml_add_child_first(parent, section->element), given);
        else
                xml_add_copy(parent, given);
        return true;
}

static bool apply(const struct network_def *def, const struct section *section,
                  const struct network_update *update, xmlNode *root, const xmlNode *given, GError **error)
{
        xmlNode *parent = find_parent(def, section, update, root, given, error);

        if (!parent)
                return false;
        switch (update->command) {
        case NETWORK_UPDATE_MODIFY:
                return modify(def, section, parent, given, error);
        case NETWORK_UPDATE_DELETE:
                return delete (def, section, parent, given, error);
        default:
                return add(def, section, parent, given, update->command == NETWORK_UPDATE_ADD_FIRST, error);
        }
}

static const struct section *find_section(const struct network_def *def, const struct network_update *update,
                                          GError **error)
{
        const struct section *section = update->section > 0 && update->section < G_N_ELEMENTS(sections)
                                                ? &sections[update->section]
                                                : NULL;

        if (section && section->element && update->command >= NETWORK_UPDATE_MODIFY &&
            update->command <= NETWORK_UPDATE_ADD_FIRST)
                return section;
        if (!section)
                error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_UNSUPPORTED,
                          "can't update section %u of network '%s'", update->section, def->base.name);
        else if (!section->element)
                error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_UNSUPPORTED,
                          "can't update '%s' section of network '%s'", section->name, def->base.name);
        else
                error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_UNSUPPORTED,
                          "unrecognized network update command code %u", update->command);
        return NULL;
}

struct network_def *network_def_update(const struct network_def *def, const struct network_update *update,
                                       GError **error)
{
        const struct section *section = find_section(def, update, error);
        g_autoptr(xmlDoc) given = section ? xml_parse(update->xml, NULL, error) : NULL;
        g_autoptr(xmlDoc) doc = given ? xml_parse(def->base.xml, "network", error) : NULL;

        if (!doc)
                return NULL;
        if (!xml_is(xml_root(given), section->element)) {
                g_autofree char *quoted = error_quote((const char *)xml_root(given)->name);

                error_set(error, ERROR_FROM_NETWORK, ERROR_XML_ERROR,
                          "unexpected element <%s>, expecting <%s>, while updating network '%s'", quoted,
                          section->element, def->base.name);
                return NULL;
        }
        return apply(def, section, update, xml_root(doc), xml_root(given), error)
                       ? network_def_from(doc, error)
                       : NULL;
}
