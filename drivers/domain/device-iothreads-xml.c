/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which I/O threads work for the queues of a disk or SCSI controller.
 */
#include "drivers/domain/definition-xml.h"

static const struct field queue_fields[] = {
        UINT("id", struct domain_mapped_queue, id, .required = true, .max = UINT16_MAX),
        FIELDS_END,
};
static const struct field_part queue_parts[] = { { NULL, queue_fields }, PARTS_END };

static bool read_queues(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_mapped_iothread *thread = target;

        return field_read_array(reader, node, "queue", queue_parts, sizeof(struct domain_mapped_queue),
                                &thread->queues, &thread->n_queues, error);
}

static const struct field thread_fields[] = {
        UINT("id", struct domain_mapped_iothread, id, .required = true, .min = 1, .max = INT32_MAX),
        FIELDS_END,
};
static const struct field_part thread_parts[] = { { NULL, thread_fields, read_queues }, PARTS_END };

bool domain_read_iothread_map(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        struct domain_iothread_map *map = domain_arena_alloc(reader->arena, sizeof(*map));

        *(const struct domain_iothread_map **)target = map;
        return field_read_array(reader, node, "iothread", thread_parts, sizeof(struct domain_mapped_iothread),
                                &map->threads, &map->count, error);
}
