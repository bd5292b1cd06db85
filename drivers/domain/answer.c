/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers of guests: values. Any thread.
 */
#include "drivers/domain/answer.h"

#include <string.h>

static void clear_image(void *data)
{
        struct domain_image_stats *image = data;

        g_free(image->target);
        g_free(image->path);
}

struct domain_answer *domain_answer_new(enum domain_part part, int id)
{
        struct domain_answer *answer = g_new0(struct domain_answer, 1);

        answer->refs = 1;
        answer->part = part;
        answer->id = id;
        answer->made_us = g_get_monotonic_time();
        if (part == DOMAIN_PART_BLOCK || part == DOMAIN_PART_BLOCK_COUNTERS ||
            part == DOMAIN_PART_DISK_ERRORS) {
                answer->images = g_array_new(FALSE, TRUE, sizeof(struct domain_image_stats));
                g_array_set_clear_func(answer->images, clear_image);
        }
        if (part == DOMAIN_PART_IOTHREADS)
                answer->iothreads = g_array_new(FALSE, TRUE, sizeof(struct domain_iothread_stats));
        if (part == DOMAIN_PART_COUNTERS || part == DOMAIN_PART_VCPU_COUNTERS)
                answer->counters = g_array_new(FALSE, TRUE, sizeof(struct domain_counter));
        return answer;
}

struct domain_answer *domain_answer_ref(struct domain_answer *answer)
{
        if (answer)
                g_atomic_int_inc(&answer->refs);
        return answer;
}

void domain_answer_unref(struct domain_answer *answer)
{
        if (!answer || !g_atomic_int_dec_and_test(&answer->refs))
                return;
        g_clear_pointer(&answer->images, g_array_unref);
        g_clear_pointer(&answer->iothreads, g_array_unref);
        g_clear_pointer(&answer->counters, g_array_unref);
        g_clear_pointer(&answer->dirty_rate.vcpus, g_array_unref);
        g_free(answer->dirty_rate.mode);
        g_free(answer);
}

struct domain_image_stats *domain_answer_add_image(struct domain_answer *answer, const char *target,
                                                   const char *path)
{
        struct domain_image_stats *image;

        g_array_set_size(answer->images, answer->images->len + 1);
        image = &g_array_index(answer->images, struct domain_image_stats, answer->images->len - 1);
        image->target = g_strdup(target);
        image->path = g_strdup(path);
        return image;
}

const struct domain_image_stats *domain_answer_find_disk(const struct domain_answer *answer,
                                                         const char *target)
{
        for (unsigned i = 0; i < answer->images->len; i++) {
                const struct domain_image_stats *image =
                        &g_array_index(answer->images, struct domain_image_stats, i);

                if (image->depth == 0 && strcmp(image->target, target) == 0)
                        return image;
        }
        return NULL;
}
