/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed parameters of a domain's memory: its limits (virDomainGetMemoryParameters()), and the nodes of the
 * host that it is on (virDomainGetNumaParameters()). No state; edits in the domain's lane.
 */
#include "drivers/domain/parameters.h"

#include "drivers/domain/cpuset.h"

#include <inttypes.h>

/* ---- limits ---- */

/* VIR_DOMAIN_MEMORY_PARAM_UNLIMITED, in KiB */
#define UNLIMITED UINT64_C(9007199254740991)

#define HARD "hard_limit"
#define SOFT "soft_limit"
#define SWAP "swap_hard_limit"

static const struct param_rule rules[] = {
        { HARD, PARAM_ULONG },
        { SOFT, PARAM_ULONG },
        { SWAP, PARAM_ULONG },
};
static const struct param_table table = { ERROR_FROM_DOMAIN, "SetMemoryParameters", rules,
                                          G_N_ELEMENTS(rules), 0 };

/* A limit as definitions have it: 0 is none. */
static uint64_t get_limit(const struct params *params, const char *name, uint64_t before)
{
        uint64_t kib = parameters_get(params, name, before);

        return kib >= UNLIMITED ? 0 : kib;
}

static bool check(const struct params *params, GError **error)
{
        for (unsigned i = 0; i < params_get_count(params); i++) {
                if (params_get(params, i)->value.t == 0)
                        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                         "parameter '%s' leaves no memory; %" PRIu64 " is no limit",
                                         params_get(params, i)->name, UNLIMITED);
        }
        return true;
}

static void set(struct domain_edit *edit, const char *element, uint64_t kib)
{
        g_autofree char *text = g_strdup_printf("%" PRIu64, kib);

        domain_edit_set_tuning(edit, "memtune", element, kib ? text : NULL, "KiB");
}

/* The kernel takes no limit of both that is below that of memory. */
static bool check_swap(const struct domain_def *def, const struct params *params, uint64_t hard,
                       uint64_t swap, GError **error)
{
        g_autofree char *limit = NULL;

        if (swap == 0 || (hard > 0 && hard <= swap) ||
            !(params_find(params, HARD) || params_find(params, SWAP)))
                return true;
        limit = hard > 0 ? g_strdup_printf("less than its hard_limit of %" PRIu64 " KiB", hard)
                         : g_strdup("and it has no hard_limit");
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "the swap_hard_limit of domain '%s', which is of memory and swap together, would be "
                         "%" PRIu64 " KiB, %s",
                         def->base.name, swap, limit);
}

static bool edit_memory(struct domain_edit *edit, const struct domain_def *def,
                        const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct params *params = parameters_of(change);
        uint64_t hard = get_limit(params, HARD, def->memtune.hard_limit_kib);
        uint64_t swap = get_limit(params, SWAP, def->memtune.swap_hard_limit_kib);

        if (!check_swap(def, params, hard, swap, error))
                return false;
        set(edit, HARD, hard);
        set(edit, SOFT, get_limit(params, SOFT, def->memtune.soft_limit_kib));
        set(edit, SWAP, swap);
        return true;
}

static bool tell_memory(const struct domain_def *def, const struct domain_tuning *tuning, const char *device,
                        struct params *params, GError **error)
{
        const struct domain_memtune *tune = &tuning->memtune;

        params_add_ulong(params, HARD, tune->hard_limit_kib ? tune->hard_limit_kib : UNLIMITED);
        params_add_ulong(params, SOFT, tune->soft_limit_kib ? tune->soft_limit_kib : UNLIMITED);
        params_add_ulong(params, SWAP, tune->swap_hard_limit_kib ? tune->swap_hard_limit_kib : UNLIMITED);
        return true;
}

const struct parameters_kind parameters_memory = {
        .table = &table,
        .row = PARAMETERS_ROW("SetMemoryParameters", edit_memory, NULL),
        .get = "GetMemoryParameters",
        .part = DOMAIN_TUNE_MEMORY,
        .measured = true,
        .check = check,
        .tell = tell_memory,
};

/* ---- nodes ---- */

#define MODE  "numa_mode"
#define NODES "numa_nodeset"

/* virDomainNumatuneMemMode */
static const char *const modes[] = { "strict", "preferred", "interleave", "restrictive" };

static const struct param_rule numa_rules[] = {
        { MODE, PARAM_INT, .max = G_N_ELEMENTS(modes) - 1 },
        { NODES, PARAM_STRING },
};
static const struct param_table numa_table = { ERROR_FROM_DOMAIN, "SetNumaParameters", numa_rules,
                                               G_N_ELEMENTS(numa_rules), 0 };

static int get_mode(const struct domain_def *def)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
                if (g_strcmp0(def->numatune.mode, modes[i]) == 0)
                        return (int)i;
        }
        return 0;
}

/* In the canonical form; "" where there are none. Free it. */
static char *format_nodes(const struct domain_def *def)
{
        return def->numatune.nodes.words ? domain_cpuset_format(&def->numatune.nodes) : g_strdup("");
}

static const char *get_nodes(const struct params *params)
{
        const struct param *param = params_find(params, NODES);

        return param ? param->value.s : NULL;
}

static bool check_numa(const struct params *params, GError **error)
{
        uint64_t words[DOMAIN_CPU_NUMBER_MAX / 64] = { 0 };
        const struct domain_cpuset set = { words, G_N_ELEMENTS(words) };
        const char *nodes = get_nodes(params);

        if (!nodes ||
            (domain_cpuset_parse(nodes, DOMAIN_CPU_NUMBER_MAX, words) && domain_cpuset_has_above(&set, 0)))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "parameter '" NODES "' is '%s', which are no nodes (\"0-3,^2\")", nodes);
}

/* Of a guest that runs the kernel moves memory from node to node, but not from one policy to another. */
static bool check_live(const struct domain_def *def, const struct params *params, GError **error)
{
        int before = get_mode(def), mode = (int)parameters_get(params, MODE, (uint64_t)before);

        if (mode != before)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "the mode of the memory of domain '%s' cannot change while it runs, it is "
                                 "'%s'",
                                 def->base.name, modes[before]);
        if (get_nodes(params) && strcmp(modes[before], "strict") != 0 &&
            strcmp(modes[before], "restrictive") != 0)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "the nodes of the memory of domain '%s' cannot change while it runs: that "
                                 "takes mode 'strict' or 'restrictive', not '%s'",
                                 def->base.name, modes[before]);
        return true;
}

static bool edit_numa(struct domain_edit *edit, const struct domain_def *def,
                      const struct domain_change *change, enum domain_affect side, GError **error)
{
        const struct params *params = parameters_of(change);
        g_autofree char *before = format_nodes(def);
        const char *nodes = get_nodes(params);

        if (side == DOMAIN_AFFECT_LIVE && !check_live(def, params, error))
                return false;
        if (!nodes && !*before)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "the memory of domain '%s' is on no nodes for which a mode would be",
                                 def->base.name);
        domain_edit_set_numatune(edit, modes[parameters_get(params, MODE, (uint64_t)get_mode(def))],
                                 nodes ? nodes : before);
        return true;
}

static bool tell_numa(const struct domain_def *def, const struct domain_tuning *tuning, const char *device,
                      struct params *params, GError **error)
{
        g_autofree char *nodes = format_nodes(def);

        params_add_int(params, MODE, get_mode(def));
        params_add_string(params, NODES, nodes);
        return true;
}

const struct parameters_kind parameters_numa = {
        .table = &numa_table,
        .row = PARAMETERS_ROW("SetNumaParameters", edit_numa, NULL),
        .get = "GetNumaParameters",
        .part = DOMAIN_TUNE_NODES,
        .check = check_numa,
        .tell = tell_numa,
};
