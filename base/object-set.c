/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Immutable sets of descriptions. Any thread. */
#include "base/object-set.h"

#include <string.h>

/* With room for the orders behind the objects. */
static struct object_set *set_alloc(const struct object_set_kind *kind, unsigned count)
{
        size_t slots = (size_t)count * (1 + kind->n_keys);
        struct object_set *set = g_malloc(sizeof(*set) + slots * sizeof(gpointer));

        g_assert(kind->n_keys <= OBJECT_SET_KEYS_MAX);
        set->refs = 1;
        set->kind = kind;
        set->count = count;
        for (unsigned k = 0; k < kind->n_keys; k++)
                set->orders[k] = (struct object_order){ .objects = set->objects + (size_t)count * (1 + k) };
        return set;
}

struct key_of {
        const struct object_set_kind *kind;
        unsigned key;
};

static gint compare_keys(gconstpointer a, gconstpointer b, gpointer data)
{
        const struct key_of *of = data;

        return strcmp(of->kind->get_key(*(void *const *)a, of->key),
                      of->kind->get_key(*(void *const *)b, of->key));
}

/* As files in a directory are. */
static bool is_in_order(const struct object_order *order, struct key_of *of)
{
        for (unsigned i = 1; i < order->count; i++)
                if (compare_keys(&order->objects[i - 1], &order->objects[i], of) > 0)
                        return false;
        return true;
}

/* The last step of making a set, whose objects are there. */
static struct object_set *put_in_order(struct object_set *set)
{
        for (unsigned k = 0; k < set->kind->n_keys; k++) {
                struct object_order *order = &set->orders[k];
                struct key_of of = { set->kind, k };

                for (unsigned i = 0; i < set->count; i++)
                        if (set->kind->get_key(set->objects[i], k))
                                order->objects[order->count++] = set->objects[i];
                if (!is_in_order(order, &of))
                        g_qsort_with_data(order->objects, (int)order->count, sizeof(gpointer), compare_keys,
                                          &of);
        }
        return set;
}

static gint compare_names(gconstpointer a, gconstpointer b, gpointer data)
{
        const struct object_set_kind *kind = data;

        return strcmp(kind->get_name(*(void *const *)a), kind->get_name(*(void *const *)b));
}

struct object_set *object_set_new(const struct object_set_kind *kind, GPtrArray *list)
{
        struct object_set *set = set_alloc(kind, list->len);
        unsigned count = 0;

        g_ptr_array_sort_with_data(list, compare_names, (gpointer)kind);
        for (unsigned i = 0; i < list->len; i++) {
                void *object = g_ptr_array_index(list, i);

                if (count && strcmp(kind->get_name(set->objects[count - 1]), kind->get_name(object)) == 0)
                        continue;
                set->objects[count++] = kind->ref(object);
        }
        set->count = count;
        return put_in_order(set);
}

struct object_set *object_set_ref(struct object_set *set)
{
        g_atomic_int_inc(&set->refs);
        return set;
}

void object_set_unref(struct object_set *set)
{
        if (!set || !g_atomic_int_dec_and_test(&set->refs))
                return;
        for (unsigned i = 0; i < set->count; i++)
                set->kind->unref(set->objects[i]);
        g_free(set);
}

/* Where name is or would be; true when it is there. */
static bool search(const struct object_set *set, const char *name, unsigned *position)
{
        unsigned low = 0, high = set ? set->count : 0;

        while (low < high) {
                unsigned middle = low + (high - low) / 2;
                int order = strcmp(set->kind->get_name(set->objects[middle]), name);

                if (order == 0) {
                        *position = middle;
                        return true;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *position = low;
        return false;
}

void *object_set_find(const struct object_set *set, const char *name)
{
        unsigned position;

        return search(set, name, &position) ? set->objects[position] : NULL;
}

void *object_set_find_by(const struct object_set *set, unsigned key, const char *text)
{
        const struct object_order *order;
        unsigned low = 0, high;

        if (!set)
                return NULL;
        order = &set->orders[key];
        high = order->count;
        while (low < high) {
                unsigned middle = low + (high - low) / 2;

                if (strcmp(set->kind->get_key(order->objects[middle], key), text) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low < order->count && strcmp(set->kind->get_key(order->objects[low], key), text) == 0)
                return order->objects[low];
        return NULL;
}

static void copy_range(struct object_set *to, unsigned at, const struct object_set *from, unsigned start,
                       unsigned end)
{
        for (unsigned i = start; i < end; i++)
                to->objects[at++] = to->kind->ref(from->objects[i]);
}

struct object_set *object_set_with(const struct object_set_kind *kind, const struct object_set *set,
                                   void *object)
{
        unsigned count = set ? set->count : 0, position;
        bool replaces = search(set, kind->get_name(object), &position);
        struct object_set *with = set_alloc(kind, count + !replaces);

        copy_range(with, 0, set, 0, position);
        with->objects[position] = kind->ref(object);
        copy_range(with, position + 1, set, position + replaces, count);
        return put_in_order(with);
}

struct object_set *object_set_without(const struct object_set_kind *kind, const struct object_set *set,
                                      const char *name)
{
        unsigned count = set ? set->count : 0, position;
        bool found = search(set, name, &position);
        struct object_set *without = set_alloc(kind, count - found);

        copy_range(without, 0, set, 0, found ? position : count);
        if (found)
                copy_range(without, position, set, position + 1, count);
        return put_in_order(without);
}

static void *walk_at(const struct object_set *set, unsigned position)
{
        return set && position < set->count ? set->objects[position] : NULL;
}

static int compare_next(const struct object_set_walk *walk, const void *old, const void *new)
{
        const struct object_set *set = walk->before ? walk->before : walk->after;

        if (!old || !new)
                return old ? -1 : 1;
        return old == new ? 0 : strcmp(set->kind->get_name(old), set->kind->get_name(new));
}

bool object_set_walk_next(struct object_set_walk *walk, void **before, void **after)
{
        for (;;) {
                void *old = walk_at(walk->before, walk->n_before);
                void *new = walk_at(walk->after, walk->n_after);
                int order;

                if (!old && !new)
                        return false;
                order = compare_next(walk, old, new);
                walk->n_before += (order <= 0);
                walk->n_after += (order >= 0);
                *before = order <= 0 ? old : NULL;
                *after = order >= 0 ? new : NULL;
                if (*before != *after)
                        return true;
        }
}
