/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The typed view of a filter: chains, parameters, and what frees it all. Any thread. */
#include "drivers/nwfilter/nwfilter-def.h"

#include <string.h>

/* ---- chains ---- */

static const struct nwfilter_chain_kind chains[] = {
        { "root", NULL, 0 },
        { "stp", "ether daddr 01:80:c2:00:00:00", -810 },
        { "mac", NULL, -800 },
        { "vlan", "ether type 0x8100", -750 },
        { "ipv4", "ether type ip", -700 },
        { "ipv6", "ether type ip6", -600 },
        { "arp", "ether type 0x0806", -500 },
        { "rarp", "ether type 0x8035", -400 },
};

const struct nwfilter_chain_kind *nwfilter_chain_find(const char *chain)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++)
                if (i == 0 ? strcmp(chain, chains[i].name) == 0 : g_str_has_prefix(chain, chains[i].name))
                        return &chains[i];
        return NULL;
}

const char *nwfilter_action_get_name(enum nwfilter_action action)
{
        static const char *const names[NWFILTER_ACTION_COUNT] = {
                [NWFILTER_DROP] = "drop",     [NWFILTER_ACCEPT] = "accept",     [NWFILTER_REJECT] = "reject",
                [NWFILTER_RETURN] = "return", [NWFILTER_CONTINUE] = "continue",
        };

        return names[action];
}

/* ---- parameters ---- */

struct nwfilter_params *nwfilter_params_new(void)
{
        struct nwfilter_params *params = g_new(struct nwfilter_params, 1);

        params->names = g_ptr_array_new_with_free_func(g_free);
        params->values = g_ptr_array_new_with_free_func(g_free);
        return params;
}

void nwfilter_params_free(struct nwfilter_params *params)
{
        if (!params)
                return;
        g_ptr_array_unref(params->names);
        g_ptr_array_unref(params->values);
        g_free(params);
}

/* What addresses, numbers and names have in them; what it is for decides later. */
static bool is_value(const char *value)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:";
        size_t length = strlen(value);

        return length > 0 && length <= NWFILTER_TEXT_MAX && strspn(value, allowed) == length;
}

static void append(struct nwfilter_params *params, const char *name, const char *value)
{
        g_ptr_array_add(params->names, g_strdup(name));
        g_ptr_array_add(params->values, g_strdup(value));
}

bool nwfilter_params_add(struct nwfilter_params *params, const char *name, const char *value, GError **error)
{
        g_autofree char *quoted_name = error_quote(name), *quoted = error_quote(value);

        if (!nwfilter_is_variable_name(name))
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_XML_ERROR,
                                 "'%s' is no name of a variable: it may have letters, digits and '_'",
                                 quoted_name);
        if (!is_value(value))
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_XML_ERROR,
                                 "parameter '%s' of a filter cannot have the value '%s'", quoted_name,
                                 quoted);
        if (params->names->len >= NWFILTER_VALUES_MAX)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_XML_ERROR,
                                 "more than %d values of parameters of a filter", NWFILTER_VALUES_MAX);
        append(params, name, value);
        return true;
}

struct nwfilter_params *nwfilter_params_copy(const struct nwfilter_params *params)
{
        struct nwfilter_params *copy = nwfilter_params_new();

        for (unsigned i = 0; i < params->names->len; i++)
                append(copy, g_ptr_array_index(params->names, i), g_ptr_array_index(params->values, i));
        return copy;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(((const char *const *)a)[0], ((const char *const *)b)[0]);
}

GPtrArray *nwfilter_params_find(const struct nwfilter_params *params, const char *name)
{
        GPtrArray *found = g_ptr_array_new();

        for (unsigned i = 0; i < params->names->len; i++)
                if (strcmp(g_ptr_array_index(params->names, i), name) == 0)
                        g_ptr_array_add(found, g_ptr_array_index(params->values, i));
        return found;
}

void nwfilter_params_sort(struct nwfilter_params *params)
{
        unsigned count = params->names->len;
        g_autofree char **pairs = g_new(char *, 2 * count + 1);

        for (unsigned i = 0; i < count; i++) {
                pairs[2 * i] = g_ptr_array_index(params->names, i);
                pairs[2 * i + 1] = g_ptr_array_index(params->values, i);
        }
        /* Insertion: stable, and documents are mostly in order. */
        for (unsigned i = 1; i < count; i++) {
                char *pair[2] = { pairs[2 * i], pairs[2 * i + 1] };
                unsigned place = i;

                while (place > 0 && compare_names(&pairs[2 * (place - 1)], &pair[0]) > 0) {
                        pairs[2 * place] = pairs[2 * (place - 1)];
                        pairs[2 * place + 1] = pairs[2 * (place - 1) + 1];
                        place--;
                }
                pairs[2 * place] = pair[0];
                pairs[2 * place + 1] = pair[1];
        }
        for (unsigned i = 0; i < count; i++) {
                params->names->pdata[i] = pairs[2 * i];
                params->values->pdata[i] = pairs[2 * i + 1];
        }
}

/* ---- the definition ---- */

void nwfilter_def_free(struct definition *definition)
{
        struct nwfilter_def *def = nwfilter_def_of(definition);

        g_free(def->chain);
        if (def->entries)
                g_ptr_array_unref(def->entries);
        definition_clear(definition);
        g_free(def);
}
