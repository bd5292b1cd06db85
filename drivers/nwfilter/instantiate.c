/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of an interface: the tree of its filter is walked, variables get their values, a rule becomes one
 * for each combination of those. Then the rules of the link layer go into the chains that their filters name,
 * which are sorted into the root by priority; those of the network layer are one list. Any thread.
 */
#include "base/error.h"
#include "drivers/nwfilter/port.h"
#include "drivers/nwfilter/rules.h"
#include "drivers/nwfilter/snapshot.h"

#include <string.h>

/* A rule of a filter of the tree, with the values that it sees. */
struct instance {
        const struct nwfilter_def *def;       /* borrowed */
        const struct nwfilter_rule *rule;     /* borrowed */
        const struct nwfilter_params *params; /* borrowed */
};

struct instantiation {
        const struct nwfilter_snapshot *snapshot; /* borrowed, as what is below */
        const struct nwfilter_port *port;
        const char *learned; /* NULL: nothing is learned */
        bool needs_learned;
        GArray *instances; /* owned; struct instance */
        GPtrArray *merged; /* owned; of struct nwfilter_params */
        unsigned n_rules;
};

static void free_params(void *params)
{
        nwfilter_params_free(params);
}

/* ---- the tree ---- */

/* Values that come from further up count: the interface's above all. */
static struct nwfilter_params *merge(const struct nwfilter_params *outer, const struct nwfilter_params *own)
{
        struct nwfilter_params *merged = nwfilter_params_copy(outer);

        for (unsigned i = 0; i < own->names->len; i++) {
                const char *name = g_ptr_array_index(own->names, i);
                g_autoptr(GPtrArray) values = nwfilter_params_find(outer, name);

                if (values->len == 0) {
                        g_ptr_array_add(merged->names, g_strdup(name));
                        g_ptr_array_add(merged->values, g_strdup(g_ptr_array_index(own->values, i)));
                }
        }
        return merged;
}

static bool walk(struct instantiation *work, const char *name, const struct nwfilter_params *params,
                 unsigned depth, GError **error);

static bool walk_entry(struct instantiation *work, const struct nwfilter_def *def,
                       const struct nwfilter_entry *entry, const struct nwfilter_params *params,
                       unsigned depth, GError **error)
{
        const struct instance instance = { def, entry->rule, params };

        if (!entry->rule) {
                struct nwfilter_params *merged = merge(params, entry->params);

                g_ptr_array_add(work->merged, merged);
                return walk(work, entry->filter, merged, depth + 1, error);
        }
        if (work->instances->len >= NWFILTER_RULES_MAX)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_OPERATION_FAILED,
                                 "filter '%s' has more than %d rules with all that it refers to",
                                 work->port->filter, NWFILTER_RULES_MAX);
        g_array_append_val(work->instances, instance);
        return true;
}

static bool walk(struct instantiation *work, const char *name, const struct nwfilter_params *params,
                 unsigned depth, GError **error)
{
        const struct nwfilter_def *def = nwfilter_snapshot_find(work->snapshot, name);
        g_autofree char *quoted = error_quote(name);

        if (!def)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_INTERNAL_ERROR,
                                 "referenced filter '%s' is missing", quoted);
        if (depth > NWFILTER_DEPTH_MAX)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_OPERATION_FAILED,
                                 "references of filter '%s' go deeper than %d", work->port->filter,
                                 NWFILTER_DEPTH_MAX);
        for (unsigned i = 0; i < def->entries->len; i++)
                if (!walk_entry(work, def, g_ptr_array_index(def->entries, i), params, depth, error))
                        return false;
        return true;
}

/* ---- the values of one rule ---- */

/* A match of a rule, and what it may be. */
struct slot {
        const struct nwfilter_match *match;
        GPtrArray *values; /* owned; NULL: the text itself */
        unsigned iterator; /* of those with several values */
        bool is_learned;
};

struct expansion {
        struct instantiation *work;
        const struct instance *instance;
        struct slot *slots;
        unsigned n_slots;
        unsigned counts[NWFILTER_ITERATORS_MAX]; /* values per iterator, 0: none */
        unsigned places[NWFILTER_ITERATORS_MAX];
};

static bool is_learned(const struct instantiation *work, const struct nwfilter_variable *variable,
                       const GPtrArray *values)
{
        return values->len == 0 && strcmp(variable->name, "IP") == 0 && !variable->has_index && work->learned;
}

static bool pick_element(const struct nwfilter_variable *variable, struct slot *slot)
{
        const char *value;

        if (!variable->has_index)
                return true;
        if (variable->number >= slot->values->len)
                return false;
        value = g_ptr_array_index(slot->values, variable->number);
        g_ptr_array_set_size(slot->values, 0);
        g_ptr_array_add(slot->values, (void *)value);
        return true;
}

/* Lists that go together are of one length. */
static bool count_values(struct expansion *expansion, const struct nwfilter_variable *variable,
                         const struct slot *slot, GError **error)
{
        unsigned *count = &expansion->counts[slot->iterator];

        if (*count && *count != slot->values->len)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_INTERNAL_ERROR,
                                 "variable '%s' of filter '%s' has %u values, and what it goes together with "
                                 "has %u",
                                 variable->name, expansion->instance->def->base.name, slot->values->len,
                                 *count);
        *count = slot->values->len;
        return true;
}

static bool find_values(struct expansion *expansion, const struct nwfilter_variable *variable,
                        struct slot *slot, GError **error)
{
        struct instantiation *work = expansion->work;

        slot->values = nwfilter_params_find(expansion->instance->params, variable->name);
        if (is_learned(work, variable, slot->values)) {
                slot->is_learned = work->needs_learned = true;
                return true;
        }
        if (slot->values->len == 0 || !pick_element(variable, slot))
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_INTERNAL_ERROR,
                                 "filter '%s' needs a value for '%s', and interface '%s' has none",
                                 expansion->instance->def->base.name, slot->match->text, work->port->device);
        if (variable->has_index)
                return true;
        slot->iterator = variable->number;
        return count_values(expansion, variable, slot, error);
}

static bool fill_slot(struct expansion *expansion, const struct nwfilter_match *match, struct slot *slot,
                      GError **error)
{
        struct nwfilter_variable variable;
        bool found;

        slot->match = match;
        if (match->attribute->type == NWFILTER_COMMENT || !nwfilter_is_variable(match->text))
                return true;
        if (!nwfilter_variable_parse(match->text, &variable))
                g_assert_not_reached(); /* it is canonical */
        found = find_values(expansion, &variable, slot, error);
        nwfilter_variable_clear(&variable);
        return found;
}

static const char *get_text(const struct expansion *expansion, const struct slot *slot)
{
        if (!slot->values)
                return slot->match->text;
        return g_ptr_array_index(slot->values,
                                 slot->values->len == 1 ? 0 : expansion->places[slot->iterator]);
}

/* bounds: as many as slots; what is left in them is cleared by the caller. */
static bool bind_slots(const struct expansion *expansion, struct nwfilter_bound *bounds, GError **error)
{
        for (unsigned i = 0; i < expansion->n_slots; i++) {
                const struct slot *slot = &expansion->slots[i];
                const char *text = slot->is_learned ? NULL : get_text(expansion, slot);
                g_autofree char *quoted = error_quote(text);

                bounds[i].match = slot->match;
                if (slot->is_learned)
                        bounds[i].set = expansion->work->learned;
                else if (!nwfilter_value_parse(slot->match->attribute, text, &bounds[i].value))
                        return error_set(error, ERROR_FROM_NWFILTER, ERROR_CONFIG_UNSUPPORTED,
                                         "'%s' is no value for attribute '%s' of filter '%s'", quoted,
                                         slot->match->attribute->name, expansion->instance->def->base.name);
        }
        return true;
}

/* The next combination; false: there is none. */
static bool step(struct expansion *expansion)
{
        for (unsigned i = 0; i < NWFILTER_ITERATORS_MAX; i++) {
                if (!expansion->counts[i])
                        continue;
                if (++expansion->places[i] < expansion->counts[i])
                        return true;
                expansion->places[i] = 0;
        }
        return false;
}

/* ---- rules of nft ---- */

/* What is rejected gets an answer where the packet comes from a guest; elsewhere the bridge knows no way
 * back. */
static const char *get_verdict(const struct nwfilter_rule *rule, enum nwfilter_direction direction)
{
        switch (rule->action) {
        case NWFILTER_ACCEPT:
                return "accept";
        case NWFILTER_RETURN:
                return "return";
        case NWFILTER_CONTINUE:
                return "continue";
        case NWFILTER_REJECT:
                if (rule->protocol && rule->protocol->layer == NWFILTER_NETWORK && direction == NWFILTER_OUT)
                        return "reject";
                return "drop";
        default:
                return "drop";
        }
}

static bool put_rule(struct expansion *expansion, const struct nwfilter_reading *reading,
                     enum nwfilter_direction direction, const char *prefix, GString *out, GError **error)
{
        struct instantiation *work = expansion->work;

        if (++work->n_rules > NWFILTER_RULES_MAX)
                return error_set(error, ERROR_FROM_NWFILTER, ERROR_OPERATION_FAILED,
                                 "filter '%s' comes to more than %d rules for interface '%s'",
                                 work->port->filter, NWFILTER_RULES_MAX, work->port->device);
        g_string_append(out, prefix);
        if (!nwfilter_match_format(reading, out, error))
                return false;
        g_string_append(out, get_verdict(reading->rule, direction));
        return true;
}

#define ORIGINAL "ct state new,established ct direction original"
#define REPLY    "ct state established ct direction reply"
#define EITHER   "ct state new,established"

/* Does the rule say of itself which packets of a connection it is about? Then it has one direction. */
static bool is_one_way(const struct nwfilter_reading *reading)
{
        return nwfilter_has_field(reading, NWFILTER_CT_STATE) ||
               nwfilter_has_field(reading, NWFILTER_CONNECTIONS) ||
               nwfilter_has_field(reading, NWFILTER_ICMP_TYPE) ||
               nwfilter_has_field(reading, NWFILTER_ICMP_CODE);
}

/*
 * How the rule reads for packets of that direction; false: not at all. On the link layer a rule is about its
 * own direction; on the network layer about connections, and so about answers, too.
 */
static bool make_reading(const struct nwfilter_rule *rule, enum nwfilter_direction direction,
                         struct nwfilter_reading *reading)
{
        bool is_own = rule->direction & direction, is_both = rule->direction == NWFILTER_INOUT;
        bool is_icmp = nwfilter_has_field(reading, NWFILTER_ICMP_TYPE) ||
                       nwfilter_has_field(reading, NWFILTER_ICMP_CODE);
        bool is_link = !rule->protocol || rule->protocol->layer == NWFILTER_LINK;
        bool has_state = !is_link && rule->action == NWFILTER_ACCEPT && !rule->stateless && !is_both;

        reading->swapped = is_both ? direction == NWFILTER_OUT : !is_own;
        reading->state = NULL;
        if (is_link)
                return is_own;
        if (is_icmp)
                reading->swapped = false;
        if (is_one_way(reading)) {
                if (is_icmp && has_state && !nwfilter_has_field(reading, NWFILTER_CT_STATE) &&
                    !nwfilter_has_field(reading, NWFILTER_CONNECTIONS))
                        reading->state = EITHER;
                return is_own;
        }
        if (has_state)
                reading->state = is_own ? ORIGINAL : REPLY;
        return true;
}

/* The rule of an instance for packets of one direction, with every combination of values. */
static bool expand(struct instantiation *work, const struct instance *instance,
                   enum nwfilter_direction direction, const char *prefix, const char *suffix, GString *out,
                   GError **error)
{
        unsigned count = instance->rule->matches->len;
        g_autofree struct slot *slots = g_new0(struct slot, count + 1);
        struct expansion *expansion = g_new0(struct expansion, 1);
        bool done = true;

        *expansion =
                (struct expansion){ .work = work, .instance = instance, .slots = slots, .n_slots = count };
        for (unsigned i = 0; i < count && done; i++)
                done = fill_slot(expansion, &g_array_index(instance->rule->matches, struct nwfilter_match, i),
                                 &slots[i], error);
        while (done) {
                g_autofree struct nwfilter_bound *bounds = g_new0(struct nwfilter_bound, count + 1);
                struct nwfilter_reading reading = { .rule = instance->rule,
                                                    .bounds = bounds,
                                                    .n_bounds = count };

                done = bind_slots(expansion, bounds, error);
                if (done && make_reading(instance->rule, direction, &reading)) {
                        done = put_rule(expansion, &reading, direction, prefix, out, error);
                        g_string_append(out, suffix);
                }
                for (unsigned i = 0; i < count; i++)
                        nwfilter_value_clear(&bounds[i].value);
                if (!done || !step(expansion))
                        break;
        }
        for (unsigned i = 0; i < count; i++)
                if (slots[i].values)
                        g_ptr_array_unref(slots[i].values);
        g_free(expansion);
        return done;
}

static int compare_instances(const void *a, const void *b)
{
        const struct instance *const *one = a, *const *other = b;

        return ((*one)->rule->priority > (*other)->rule->priority) -
               ((*one)->rule->priority < (*other)->rule->priority);
}

/* Stably sorted by priority; NULL as chain: those of the network layer. Borrowed elements. */
static GPtrArray *select_instances(const struct instantiation *work, const char *chain)
{
        GPtrArray *selected = g_ptr_array_new();

        for (unsigned i = 0; i < work->instances->len; i++) {
                struct instance *instance = &g_array_index(work->instances, struct instance, i);
                bool is_network =
                        instance->rule->protocol && instance->rule->protocol->layer == NWFILTER_NETWORK;

                if (chain ? !is_network && strcmp(instance->def->chain, chain) == 0 : is_network)
                        g_ptr_array_add(selected, instance);
        }
        g_ptr_array_sort(selected, compare_instances);
        return selected;
}

/* ---- chains ---- */

/* What stands in the root: a rule, or a chain. */
struct root_item {
        int priority;
        const struct instance *instance; /* borrowed; NULL: a chain */
        const char *chain;               /* borrowed */
};

static int compare_items(const void *a, const void *b)
{
        const struct root_item *one = a, *other = b;

        return (one->priority > other->priority) - (one->priority < other->priority);
}

static bool has_chain(const GArray *items, const char *chain)
{
        for (unsigned i = 0; i < items->len; i++)
                if (g_strcmp0(g_array_index(items, struct root_item, i).chain, chain) == 0)
                        return true;
        return false;
}

/* Chains before rules of the same priority; the priority of a chain is that of its first filter. */
static GArray *list_root(const struct instantiation *work)
{
        g_autoptr(GPtrArray) rules = select_instances(work, "root");
        GArray *items = g_array_new(FALSE, FALSE, sizeof(struct root_item));

        for (unsigned i = 0; i < work->instances->len; i++) {
                const struct nwfilter_def *def = g_array_index(work->instances, struct instance, i).def;
                const struct root_item item = { .priority = def->priority, .chain = def->chain };

                if (strcmp(def->chain, "root") != 0 && !has_chain(items, def->chain))
                        g_array_append_val(items, item);
        }
        for (unsigned i = 0; i < rules->len; i++) {
                const struct instance *instance = g_ptr_array_index(rules, i);
                const struct root_item item = { .priority = instance->rule->priority, .instance = instance };

                g_array_append_val(items, item);
        }
        g_array_sort(items, compare_items);
        return items;
}

/* A chain without a name: it goes with the rule that leads to it. */
static bool put_chain(struct instantiation *work, const char *chain, enum nwfilter_direction direction,
                      const char *prefix, GString *out, GError **error)
{
        const struct nwfilter_chain_kind *kind = nwfilter_chain_find(chain);
        g_autoptr(GPtrArray) instances = select_instances(work, chain);
        g_autoptr(GString) rules = g_string_new(NULL);

        for (unsigned i = 0; i < instances->len; i++)
                if (!expand(work, g_ptr_array_index(instances, i), direction, " ", ";", rules, error))
                        return false;
        if (rules->len)
                g_string_append_printf(out, "%s%s%sjump {%s }\n", prefix, kind->match ? kind->match : "",
                                       kind->match ? " " : "", rules->str);
        return true;
}

static const char *get_letter(enum nwfilter_direction direction)
{
        return direction == NWFILTER_OUT ? "o" : "i";
}

/* "add rule bridge virtbus_nwfilter ol-vnet0 "; owned */
static char *make_prefix(const struct instantiation *work, enum nwfilter_direction direction,
                         enum nwfilter_layer layer)
{
        return g_strdup_printf("add rule " NWFILTER_TABLE " %s%s-%s ", get_letter(direction),
                               layer == NWFILTER_LINK ? "l" : "n", work->port->device);
}

static bool put_direction(struct instantiation *work, enum nwfilter_direction direction, GString *out,
                          GError **error)
{
        g_autofree char *link = make_prefix(work, direction, NWFILTER_LINK);
        g_autofree char *network = make_prefix(work, direction, NWFILTER_NETWORK);
        g_autoptr(GArray) root = list_root(work);
        g_autoptr(GPtrArray) instances = select_instances(work, NULL);

        for (unsigned i = 0; i < root->len; i++) {
                const struct root_item *item = &g_array_index(root, struct root_item, i);

                if (item->chain ? !put_chain(work, item->chain, direction, link, out, error)
                                : !expand(work, item->instance, direction, link, "\n", out, error))
                        return false;
        }
        for (unsigned i = 0; i < instances->len; i++)
                if (!expand(work, g_ptr_array_index(instances, i), direction, network, "\n", out, error))
                        return false;
        return true;
}

bool nwfilter_instantiate(const struct nwfilter_snapshot *snapshot, const struct nwfilter_port *port,
                          const struct nwfilter_params *params, const char *learned, bool *needs_learned,
                          GString *out, GError **error)
{
        struct instantiation work = { .snapshot = snapshot, .port = port, .learned = learned };
        bool done;

        work.instances = g_array_new(FALSE, FALSE, sizeof(struct instance));
        work.merged = g_ptr_array_new_with_free_func(free_params);
        done = walk(&work, port->filter, params, 1, error) &&
               put_direction(&work, NWFILTER_OUT, out, error) &&
               put_direction(&work, NWFILTER_IN, out, error);
        *needs_learned = work.needs_learned;
        g_array_unref(work.instances);
        g_ptr_array_unref(work.merged);
        return done;
}
