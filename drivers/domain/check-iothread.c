/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the I/O threads that devices ask for. No state; any thread.
 */
#include "drivers/domain/check.h"

/* Each queue is in one thread's list, or there are no lists at all. */
static bool check_queues(const struct domain_iothread_map *map, const char *who, uint32_t queues,
                         GError **error)
{
        g_autofree bool *taken = g_new0(bool, queues);
        uint32_t count = 0;

        if (queues == 0)
                return check_refuse(
                        error,
                        "the <iothreads> of %s name queues, and its <driver> does not say how many "
                        "there are (queues)",
                        who);
        for (unsigned i = 0; i < map->count; i++) {
                const struct domain_mapped_iothread *thread = &map->threads[i];

                if (thread->n_queues == 0)
                        return check_refuse(
                                error,
                                "the <iothreads> of %s name queues for some I/O threads, and none "
                                "for %u: name them for all or for none",
                                who, thread->id);
                for (unsigned j = 0; j < thread->n_queues; j++, count++) {
                        uint32_t id = thread->queues[j].id;

                        if (id >= queues)
                                return check_refuse(error,
                                                    "the <iothreads> of %s name queue %u, and it has 0-%u",
                                                    who, id, queues - 1);
                        if (taken[id])
                                return check_refuse(error, "the <iothreads> of %s name queue %u twice", who,
                                                    id);
                        taken[id] = true;
                }
        }
        return count == queues ||
               check_refuse(error, "the <iothreads> of %s name %u of its %u queues", who, count, queues);
}

bool check_iothread_map(const struct domain_def *def, const struct domain_iothread_map *map, const char *who,
                        uint32_t iothread, uint32_t queues, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        bool named = false;

        if (!map)
                return true;
        if (iothread > 0)
                return check_refuse(error, "%s has both an iothread and <iothreads>: drop one of the two",
                                    who);
        for (unsigned i = 0; i < map->count; i++) {
                g_autofree char *there = NULL;
                uint32_t id = map->threads[i].id;

                named |= map->threads[i].n_queues > 0;
                if (!g_hash_table_add(seen, GUINT_TO_POINTER(id)))
                        return check_refuse(error, "the <iothreads> of %s name I/O thread %u twice", who, id);
                if (check_has_iothread(def, id))
                        continue;
                there = check_format_iothreads(def);
                return check_refuse(error, "%s asks for I/O thread %u, which the domain does not have: %s",
                                    who, id, there);
        }
        return !named || check_queues(map, who, queues, error);
}
