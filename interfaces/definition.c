/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Definitions of interfaces as values. No state; any thread.
 */
#include "interfaces/definition.h"

#include <string.h>

const char *const interface_type_names[INTERFACE_TYPES] = { "ethernet", "bridge", "bond", "vlan" };

const char *const interface_start_names[INTERFACE_STARTS] = {
        [INTERFACE_START_NONE] = "none",
        [INTERFACE_START_ONBOOT] = "onboot",
        [INTERFACE_START_HOTPLUG] = "hotplug",
};

const char *const interface_bond_mode_names[INTERFACE_BOND_MODES] = {
        "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"
};

const char *const interface_arp_validate_names[INTERFACE_ARP_VALIDATES] = { "none", "active", "backup",
                                                                            "all" };

struct interface_def *interface_def_ref(struct interface_def *def)
{
        g_atomic_int_inc(&def->refs);
        return def;
}

void interface_def_unref(struct interface_def *def)
{
        if (!def || !g_atomic_int_dec_and_test(&def->refs))
                return;
        for (unsigned i = 0; i < INTERFACE_FAMILIES; i++) {
                g_clear_pointer(&def->protocols[i].ips, g_array_unref);
                g_clear_pointer(&def->protocols[i].gateways, g_array_unref);
        }
        g_clear_pointer(&def->ports, g_ptr_array_unref);
        g_free(def->xml);
        g_free(def);
}

const char *interface_def_get_kind(const struct interface_def *def)
{
        return def->type == INTERFACE_ETHERNET ? NULL : interface_type_names[def->type];
}

bool interface_def_uses(const struct interface_def *def, const char *name)
{
        if (strcmp(def->name, name) == 0 || (def->type == INTERFACE_VLAN && strcmp(def->lower, name) == 0))
                return true;
        for (unsigned i = 0; def->ports && i < def->ports->len; i++)
                if (interface_def_uses(g_ptr_array_index(def->ports, i), name))
                        return true;
        return false;
}

bool interface_check_name(const char *name, GError **error)
{
        g_autofree char *quoted = error_quote(name);

        if (!*name)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_XML_ERROR, "an interface without a name");
        if (strlen(name) >= LINK_NAME_SIZE)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_XML_ERROR,
                                 "the name of interface '%s' has more than %d bytes", quoted,
                                 LINK_NAME_SIZE - 1);
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_XML_ERROR,
                                 "no interface can have the name '%s'", quoted);
        for (const char *c = name; *c; c++) {
                if (*c == '/' || *c == ':' || g_ascii_isspace(*c) || g_ascii_iscntrl(*c))
                        return error_set(
                                error, ERROR_FROM_INTERFACE, ERROR_XML_ERROR,
                                "the name of interface '%s' has a character that the kernel does not take",
                                quoted);
        }
        return true;
}
