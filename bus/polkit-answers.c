/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PolicyKit's answers. Owns a table of tables. Loop thread.
 */
#include "bus/polkit-answers.h"

#include "base/loop.h"

struct answer {
        enum authorization_answer answer;
        gint64 time; /* monotonic, us */
};

struct polkit_answers {
        GHashTable *clients; /* struct identity, borrowed -> GHashTable: question -> struct answer */
        struct loop_timer *sweeper;
        bool sweeping; /* the timer runs */
};

static gboolean is_stale(gpointer question, gpointer value, gpointer now)
{
        const struct answer *answer = value;

        return answer->time + POLKIT_ANSWER_MS * 1000 <= *(gint64 *)now;
}

static gboolean sweep_client(gpointer identity, gpointer table, gpointer now)
{
        g_hash_table_foreach_remove(table, is_stale, now);
        return g_hash_table_size(table) == 0;
}

static void sweep(void *data)
{
        struct polkit_answers *answers = data;
        gint64 now = g_get_monotonic_time();

        g_hash_table_foreach_remove(answers->clients, sweep_client, &now);
        answers->sweeping = g_hash_table_size(answers->clients) > 0;
        if (answers->sweeping)
                loop_timer_set(answers->sweeper, POLKIT_ANSWER_MS);
}

struct polkit_answers *polkit_answers_new(struct loop *loop)
{
        struct polkit_answers *answers = g_new0(struct polkit_answers, 1);

        answers->clients = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_hash_table_unref);
        answers->sweeper = loop_timer_new(loop, G_MAXINT, sweep, answers);
        return answers;
}

void polkit_answers_free(struct polkit_answers *answers)
{
        loop_timer_free(answers->sweeper);
        g_hash_table_unref(answers->clients);
        g_free(answers);
}

enum authorization_answer polkit_answers_find(struct polkit_answers *answers, const struct identity *identity,
                                              const char *question)
{
        GHashTable *table = g_hash_table_lookup(answers->clients, identity);
        const struct answer *answer = table ? g_hash_table_lookup(table, question) : NULL;

        if (!answer || is_stale(NULL, (gpointer)answer, &(gint64){ g_get_monotonic_time() }))
                return AUTHORIZATION_PENDING;
        return answer->answer;
}

void polkit_answers_add(struct polkit_answers *answers, const struct identity *identity, const char *question,
                        enum authorization_answer answer)
{
        const struct answer entry = { answer, g_get_monotonic_time() };
        GHashTable *table = g_hash_table_lookup(answers->clients, identity);

        if (!table) {
                table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
                g_hash_table_insert(answers->clients, (gpointer)identity, table);
        }
        if (g_hash_table_size(table) >= POLKIT_ANSWERS_MAX)
                g_hash_table_remove_all(table);
        g_hash_table_replace(table, g_strdup(question), g_memdup2(&entry, sizeof(entry)));
        if (!answers->sweeping)
                loop_timer_set(answers->sweeper, POLKIT_ANSWER_MS);
        answers->sweeping = true;
}

void polkit_answers_remove(struct polkit_answers *answers, const struct identity *identity,
                           const char *question)
{
        GHashTable *table = g_hash_table_lookup(answers->clients, identity);

        if (table)
                g_hash_table_remove(table, question);
}

void polkit_answers_forget(struct polkit_answers *answers, const struct identity *identity)
{
        g_hash_table_remove(answers->clients, identity);
}

void polkit_answers_clear(struct polkit_answers *answers)
{
        g_hash_table_remove_all(answers->clients);
}
