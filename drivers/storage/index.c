/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes by key or by path: a table of chains, nearly all of one link. Loop. */
#include "drivers/storage/index.h"

#include <string.h>

struct entry {
        struct volume *volume;     /* ref */
        struct storage_pool *pool; /* borrowed: its volumes leave before it does */
        struct entry *next;        /* owned by the chain */
};

struct storage_index {
        enum storage_index_field field;
        GHashTable *chains; /* owned; text, borrowed from the first volume -> struct entry */
};

static const char *text_of(const struct storage_index *index, const struct volume *volume)
{
        return index->field == STORAGE_INDEX_KEY ? volume->key : volume->path;
}

static void entry_free(struct entry *entry)
{
        volume_unref(entry->volume);
        g_free(entry);
}

static void chain_free(gpointer data)
{
        for (struct entry *entry = data, *next; entry; entry = next) {
                next = entry->next;
                entry_free(entry);
        }
}

struct storage_index *storage_index_new(enum storage_index_field field)
{
        struct storage_index *index = g_new(struct storage_index, 1);

        index->field = field;
        index->chains = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, NULL);
        return index;
}

void storage_index_free(struct storage_index *index)
{
        GHashTableIter iter;
        gpointer chain;

        g_hash_table_iter_init(&iter, index->chains);
        while (g_hash_table_iter_next(&iter, NULL, &chain))
                chain_free(chain);
        g_hash_table_unref(index->chains);
        g_free(index);
}

static void set_chain(struct storage_index *index, const char *text, struct entry *chain)
{
        if (chain)
                g_hash_table_replace(index->chains, (char *)text_of(index, chain->volume), chain);
        else
                g_hash_table_remove(index->chains, text);
}

static void add(struct storage_index *index, struct storage_pool *pool, struct volume *volume)
{
        const char *text = text_of(index, volume);
        struct entry *entry, *chain;

        if (!text)
                return;
        entry = g_new(struct entry, 1);
        *entry = (struct entry){ volume_ref(volume), pool, NULL };
        chain = g_hash_table_lookup(index->chains, text);
        if (!chain) {
                set_chain(index, text, entry);
                return;
        }
        while (chain->next)
                chain = chain->next;
        chain->next = entry;
}

/* Unlinks pool's entry for volume, by name: two volumes of one pool may share a path. */
static struct entry *unlink_entry(struct entry **chain, const struct storage_pool *pool,
                                  const struct volume *volume)
{
        for (struct entry **link = chain; *link; link = &(*link)->next) {
                struct entry *entry = *link;

                if (entry->pool == pool && strcmp(entry->volume->name, volume->name) == 0) {
                        *link = entry->next;
                        return entry;
                }
        }
        return NULL;
}

static void drop(struct storage_index *index, struct storage_pool *pool, const struct volume *volume)
{
        const char *text = text_of(index, volume);
        struct entry *chain, *entry;

        if (!text)
                return;
        chain = g_hash_table_lookup(index->chains, text);
        entry = unlink_entry(&chain, pool, volume);
        if (!entry)
                return;
        set_chain(index, text, chain);
        entry_free(entry);
}

static void replace(struct storage_index *index, struct storage_pool *pool, const struct volume *before,
                    struct volume *after)
{
        struct entry *chain = NULL;
        const char *text = text_of(index, before);

        if (g_strcmp0(text, text_of(index, after)) != 0) {
                drop(index, pool, before);
                add(index, pool, after);
                return;
        }
        if (text)
                chain = g_hash_table_lookup(index->chains, text);
        for (struct entry *entry = chain; entry; entry = entry->next) {
                if (entry->pool != pool || strcmp(entry->volume->name, before->name) != 0)
                        continue;
                if (entry == chain)
                        g_hash_table_replace(index->chains, (char *)text_of(index, after), chain);
                volume_unref(entry->volume);
                entry->volume = volume_ref(after);
                return;
        }
}

struct update {
        struct storage_index *index;
        struct storage_pool *pool;
};

static void update_one(struct volume *before, struct volume *after, void *data)
{
        const struct update *update = data;

        if (!before)
                add(update->index, update->pool, after);
        else if (!after)
                drop(update->index, update->pool, before);
        else
                replace(update->index, update->pool, before, after);
}

void storage_index_update(struct storage_index *index, struct storage_pool *pool,
                          const struct volume_set *before, const struct volume_set *after)
{
        struct update update = { index, pool };

        volume_set_diff(before, after, update_one, &update);
}

struct volume *storage_index_find(const struct storage_index *index, const char *text,
                                  struct storage_pool **pool)
{
        const struct entry *entry = g_hash_table_lookup(index->chains, text);

        if (!entry)
                return NULL;
        if (pool)
                *pool = entry->pool;
        return entry->volume;
}
