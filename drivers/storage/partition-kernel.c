/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Partition tables: what the kernel thinks of them. It is told by BLKPG, which touches the named partition
 * only and works on kernels without a parser for the table, too. Lanes only.
 */
#include "drivers/storage/partition-table.h"

#include "base/error.h"
#include "base/lane.h"
#include "drivers/storage/block.h"

#include <dirent.h>
#include <errno.h>
#include <linux/blkpg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/*
 * udev, LVM and others look at whatever comes, and hold it open for as long; what is in use for good is still
 * so afterwards.
 */
#define BUSY_MS      2000
#define BUSY_STEP_MS 20

/* The unit of sysfs, whatever the disk's is. */
#define SYSFS_SECTOR 512

/* A partition as the kernel has it, in bytes. */
struct known {
        unsigned number;
        uint64_t start;
        uint64_t size;
};

static bool read_number(const char *dir, const char *name, uint64_t *value)
{
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_autofree char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return false;
        *value = g_ascii_strtoull(text, NULL, 10);
        return true;
}

/* The directories in the disk's that have a number of a partition in them. */
static GArray *read_known(int fd)
{
        GArray *all = g_array_new(FALSE, TRUE, sizeof(struct known));
        g_autofree char *disk = NULL;
        g_autoptr(GDir) names = NULL;
        const char *name;
        struct stat status;

        if (fstat(fd, &status) < 0)
                return all;
        disk = g_strdup_printf("/sys/dev/block/%u:%u", major(status.st_rdev), minor(status.st_rdev));
        names = g_dir_open(disk, 0, NULL);
        while (names && (name = g_dir_read_name(names))) {
                g_autofree char *dir = g_build_filename(disk, name, NULL);
                struct known known;
                uint64_t number;

                if (!read_number(dir, "partition", &number) || !read_number(dir, "start", &known.start) ||
                    !read_number(dir, "size", &known.size))
                        continue;
                known.number = (unsigned)number;
                known.start *= SYSFS_SECTOR;
                known.size *= SYSFS_SECTOR;
                g_array_append_val(all, known);
        }
        return all;
}

static int tell(int fd, int what, unsigned number, uint64_t start, uint64_t size)
{
        struct blkpg_partition partition = {
                .pno = (int)number,
                .start = (long long)start,
                .length = (long long)size,
        };
        struct blkpg_ioctl_arg argument = { .op = what, .datalen = sizeof(partition), .data = &partition };

        return ioctl(fd, BLKPG, &argument) < 0 ? -errno : 0;
}

/* As the kernel is to have it: of an extended partition only the sectors of a boot loader, as its own parser
 * does. */
static struct known wanted(const struct partition_table *table, const struct partition *partition)
{
        uint64_t size = partition->size * table->sector;

        if (partition->kind == PARTITION_EXTENDED)
                size = MIN(size, MAX(1024, table->sector));
        return (struct known){ .number = partition->number,
                               .start = partition->start * table->sector,
                               .size = size };
}

static bool is_wanted(const struct partition_table *table, const struct known *known)
{
        const struct partition *partition = partition_table_find(table, known->number);
        struct known want;

        if (!partition)
                return false;
        want = wanted(table, partition);
        return want.start == known->start &&
               (want.size == known->size || partition->kind == PARTITION_EXTENDED);
}

static bool remove_one(struct lane *lane, const struct partition_table *table, int fd, unsigned number,
                       GError **error)
{
        lane_deadline deadline = lane_deadline_in(BUSY_MS);
        int result;

        while ((result = tell(fd, BLKPG_DEL_PARTITION, number, 0, 0)) == -EBUSY &&
               lane_deadline_in(0) < deadline &&
               lane_wait(lane, -1, 0, NULL, lane_deadline_in(BUSY_STEP_MS)) == LANE_TIMEOUT)
                ;
        if (result == 0 || result == -ENXIO)
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                         "partition %u of '%s' cannot be removed: %s", number, table->device,
                         g_strerror(-result));
}

static bool remove_stale(struct lane *lane, const struct partition_table *table, int fd, GError **error)
{
        g_autoptr(GArray) all = read_known(fd);

        for (unsigned i = 0; i < all->len; i++) {
                const struct known *known = &g_array_index(all, struct known, i);

                if (!is_wanted(table, known) && !remove_one(lane, table, fd, known->number, error))
                        return false;
        }
        return true;
}

static bool add_missing(const struct partition_table *table, int fd, GError **error)
{
        for (unsigned i = 0; i < table->partitions->len; i++) {
                const struct partition *partition = &g_array_index(table->partitions, struct partition, i);
                struct known want = wanted(table, partition);
                int result = tell(fd, BLKPG_ADD_PARTITION, want.number, want.start, want.size);

                /* EBUSY: it is there. */
                if (result < 0 && result != -EBUSY)
                        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                                         "the kernel does not take partition %u of '%s': %s", want.number,
                                         table->device, g_strerror(-result));
        }
        return true;
}

bool partition_table_tell_kernel(struct lane *lane, const struct partition_table *table, GError **error)
{
        CLEANUP_FD int fd = block_open(table->device, false, NULL, error);

        return fd >= 0 && remove_stale(lane, table, fd, error) && add_missing(table, fd, error);
}

bool partition_table_forget(struct lane *lane, const struct partition_table *table, unsigned number,
                            GError **error)
{
        CLEANUP_FD int fd = block_open(table->device, false, NULL, error);

        return fd >= 0 && remove_one(lane, table, fd, number, error);
}
