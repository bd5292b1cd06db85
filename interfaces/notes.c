/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notes of links. No state. */
#include "interfaces/notes.h"

GHashTable *link_notes_new(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void link_notes_add_settings(GHashTable *notes, const char *name, const struct ipv6_settings *settings)
{
        if (!g_hash_table_contains(notes, name))
                g_hash_table_insert(notes, g_strdup(name), g_memdup2(settings, sizeof(*settings)));
}

void link_notes_add(GHashTable *notes, const char *name)
{
        struct ipv6_settings settings;

        if (g_hash_table_contains(notes, name))
                return;
        settings = ipv6_read(name);
        link_notes_add_settings(notes, name, &settings);
}

void link_notes_add_def(GHashTable *notes, const struct interface_def *def)
{
        link_notes_add(notes, def->name);
        for (unsigned i = 0; def->ports && i < def->ports->len; i++)
                link_notes_add_def(notes, g_ptr_array_index(def->ports, i));
}

static bool is_above(GHashTable *notes, const struct link_set *set, const struct link *link)
{
        const struct link *lower;

        if (!link_is(link, "vlan") || g_hash_table_contains(notes, link->name))
                return false;
        lower = link_set_find_index(set, link->lower);
        return lower && g_hash_table_contains(notes, lower->name);
}

void link_notes_add_above(GHashTable *notes, const struct link_set *set)
{
        bool more = true;

        while (more) {
                more = false;
                for (unsigned i = 0; i < set->count; i++) {
                        if (!is_above(notes, set, set->links[i]))
                                continue;
                        link_notes_add(notes, set->links[i]->name);
                        more = true;
                }
        }
}
