/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sizes of the disks of domains that are off: there is no guest to tell them. The files may be on a server
 * that does not answer, so each call has a lane of its own, which lends its slot, and looks at the files of
 * several domains at once; whoever asked waits no longer for them than for guests (stats.c).
 */
#include "drivers/domain/stats-private.h"

#include "base/cleanup.h"
#include "base/lane.h"
#include "base/pool.h"
#include "drivers/storage/image-header.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Domains whose files are looked at beside those of the job's own thread. */
#define HELPERS 4

struct look {
        struct domain *domain;      /* ref */
        struct domain_state *state; /* ref */
};

struct looks {
        struct domain_driver *driver; /* borrowed */
        GArray *list;                 /* owned; struct look */
};

static uint64_t get_capacity(int fd, const char *format, uint64_t length)
{
        uint8_t bytes[IMAGE_HEADER_SIZE];
        struct image_header header;
        ssize_t size;

        if (g_strcmp0(format, "qcow2") != 0 && g_strcmp0(format, "qed") != 0)
                return length;
        size = pread(fd, bytes, sizeof(bytes), 0);
        if (size <= 0)
                return length;
        if (*format == 'q' && format[1] == 'c')
                return image_header_parse_qcow2(bytes, (size_t)size, &header) ? header.capacity : length;
        return image_header_parse_qed(bytes, (size_t)size, &header) ? header.capacity : length;
}

/* Nothing but regular files and block devices is opened: a FIFO or a tape would notice. */
static bool look_at(const struct domain_storage *source, struct domain_image_stats *image)
{
        CLEANUP_FD int fd = -1;
        struct stat st;
        uint64_t device;

        if (stat(source->path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
                return false;
        fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return false;
        if (S_ISREG(st.st_mode)) {
                image->length = (uint64_t)st.st_size;
                image->allocation = (uint64_t)st.st_blocks * 512;
        } else if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &device) == 0) {
                image->length = device;
                image->allocation = device;
        } else {
                return false;
        }
        image->highest = image->allocation;
        image->capacity = get_capacity(fd, source->format, image->length);
        return true;
}

static bool is_file(const struct domain_storage *source)
{
        return source->path && (source->type == DOMAIN_STORAGE_FILE || source->type == DOMAIN_STORAGE_BLOCK);
}

static void look_at_domain(unsigned index, void *data)
{
        const struct looks *looks = data;
        const struct look *look = &g_array_index(looks->list, struct look, index);
        const struct domain_def *def = domain_state_get_def(look->state);
        struct domain_answer *answer = domain_answer_new(DOMAIN_PART_BLOCK, 0);

        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];
                const char *path = is_file(&disk->source) ? disk->source.path : NULL;
                struct domain_image_stats *image = domain_answer_add_image(answer, disk->target, path);

                image->has_size = path && looks->driver->ops->has_files && look_at(&disk->source, image);
        }
        stats_post_look(look->domain, managed_state_get_definition(&look->state->base), answer);
}

/* On the loop again: the last reference may be one of these. */
static void looks_free(void *data)
{
        struct looks *looks = data;

        for (unsigned i = 0; i < looks->list->len; i++) {
                const struct look *look = &g_array_index(looks->list, struct look, i);

                managed_state_unref(&look->state->base);
                managed_unref(&look->domain->base);
        }
        g_array_unref(looks->list);
        g_free(looks);
}

static void look_at_all(void *data)
{
        struct looks *looks = data;

        pool_for_each(looks->driver->pool, looks->list->len, HELPERS, look_at_domain, looks);
        loop_post(looks->driver->loop, looks_free, looks);
}

void stats_look_at_disks(struct domain_driver *driver, GPtrArray *domains)
{
        struct looks *looks;
        struct lane *lane;

        if (domains->len == 0)
                return;
        looks = g_new(struct looks, 1);
        *looks = (struct looks){ driver, g_array_new(FALSE, FALSE, sizeof(struct look)) };
        for (unsigned i = 0; i < domains->len; i++) {
                struct domain *domain = g_ptr_array_index(domains, i);
                const struct look look = { (struct domain *)managed_ref(&domain->base),
                                           (struct domain_state *)managed_state_ref(domain->base.published) };

                g_array_append_val(looks->list, look);
        }
        lane = lane_new(driver->pool, driver->loop, "sizes of disks");
        lane_set_lending(lane);
        lane_post(lane, look_at_all, looks);
        lane_unref(lane);
}
