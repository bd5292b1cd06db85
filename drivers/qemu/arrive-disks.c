/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that come along with a guest. Lane of the domain. */
#include "drivers/qemu/arrive-disks.h"

#include "base/error.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/spawn.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/depart-disks.h"
#include "drivers/qemu/depart.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/save-file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET      "disks.sock"
#define QEMU_IMG_MS 60000

/* ---- images that are missing ---- */

static bool refuse(const struct domain_disk *disk, const char *why, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "the image '%s' of disk '%s' is not there, and cannot be made because %s; make one "
                         "before the migration",
                         disk->source.path, disk->target, why);
}

static bool format_image(const struct guest *guest, const struct domain_disk *disk,
                         const struct domain_storage *backing, uint64_t size, int fd, GError **error)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd),
                        *bytes = g_strdup_printf("%" PRIu64, size);
        const char *format = backing && backing->format ? backing->format : "raw";
        const char *const whole[] = { "qemu-img", "create", "-q", "-f", "qcow2", path, bytes, NULL };
        const char *const above[] = { "qemu-img", "create", "-q",   "-f", "qcow2",
                                      "-u",       "-F",     format, "-b", backing ? backing->path : "",
                                      path,       bytes,    NULL };

        if (g_strcmp0(disk->source.format, "qcow2") == 0)
                return spawn_check(guest->domain->base.lane, backing ? above : whole, QEMU_IMG_MS, NULL,
                                   error);
        return ftruncate(fd, (off_t)size) == 0 ||
               error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make the image of disk '%s'",
                               disk->target);
}

/* The one that has to be below the image; *backing NULL: none. */
static bool choose_backing(const struct domain_arrival *arrival, const struct domain_disk *disk,
                           const struct domain_storage **backing, GError **error)
{
        *backing = arrival->flags & DOMAIN_MIGRATE_NON_SHARED_INC ? disk->source.backing : NULL;
        if (!*backing || ((*backing)->path && !(*backing)->network))
                return true;
        return refuse(disk, "what is below it is no file", error);
}

static bool check_format(const struct domain_disk *disk, const struct domain_storage *backing, GError **error)
{
        const char *format = disk->source.format ? disk->source.format : "raw";

        if (disk->source.encryption)
                return refuse(disk, "it is encrypted", error);
        if (disk->source.slice)
                return refuse(disk, "it is part of a file", error);
        if (strcmp(format, "qcow2") != 0 && (strcmp(format, "raw") != 0 || backing))
                return refuse(disk, "its format is neither 'raw' nor 'qcow2'", error);
        return true;
}

static bool make_image(struct guest *guest, const struct domain_disk *disk,
                       const struct domain_storage *backing, uint64_t size, const struct domain_state *state,
                       GError **error)
{
        CLEANUP(save_file_free) struct save_file *file = save_file_new(disk->source.path, error);
        uint64_t device, inode;

        if (!file || !format_image(guest, disk, backing, size, file->fd, error) ||
            !save_file_identify(file, &device, &inode, error))
                return false;
        status_add_made(guest->status, disk->source.path, device, inode);
        guest->changed = true;
        return guest_save(guest, state, error) && save_file_publish_new(file, error);
}

static bool is_missing(const struct domain_disk *disk)
{
        struct stat status;

        return disk->source.type == DOMAIN_STORAGE_FILE && disk->source.path &&
               lstat(disk->source.path, &status) < 0 && errno == ENOENT;
}

static bool prepare_disk(struct guest *guest, const struct domain_arrival *arrival,
                         const struct domain_disk *disk, const struct domain_state *state, GError **error)
{
        const struct domain_copy *copy = domain_copies_find(arrival->copies, disk->target);
        const struct domain_storage *backing;

        if (!copy || !is_missing(disk))
                return true;
        return choose_backing(arrival, disk, &backing, error) && check_format(disk, backing, error) &&
               make_image(guest, disk, backing, copy->size, state, error);
}

bool arrive_make_images(struct guest *guest, const struct domain_arrival *arrival,
                        const struct domain_def *def, const struct domain_state *state, GError **error)
{
        struct pool *pool = lane_get_pool(guest->domain->base.lane);
        bool ok = true;

        /* They may be on a file system that does not answer. */
        pool_lend(pool);
        for (unsigned i = 0; ok && i < def->devices.n_disks; i++)
                ok = prepare_disk(guest, arrival, &def->devices.disks[i], state, error);
        pool_reclaim(pool);
        return ok;
}

void arrive_keep_disks(struct guest *guest)
{
        g_ptr_array_set_size(guest->status->made, 0);
        guest->serves_disks = false;
}

void arrive_remove_images(struct guest *guest)
{
        struct pool *pool = lane_get_pool(guest->domain->base.lane);
        const struct status *status = guest->status;

        /* Ours, whatever is left of it. */
        if (status->phase == STATUS_RUNNING ||
            (status->arrival && domain_arrival_is_accepted(&guest->driver->base, status->arrival)))
                return;
        /* They may be on a file system that does not answer any more. */
        pool_lend(pool);
        for (unsigned i = 0; i < status->made->len; i++) {
                const struct status_made *made = g_ptr_array_index(status->made, i);

                if (save_file_is(made->path, made->device, made->inode) && unlink(made->path) < 0)
                        log_warning("'%s', which was made for %s, stays: %s", made->path, guest->who,
                                    g_strerror(errno));
        }
        pool_reclaim(pool);
}

/* ---- serving ---- */

static json_t *make_address(const struct arrive_place *place)
{
        g_autofree char *port = g_strdup_printf("%d", place->port);

        if (place->path)
                return json_pack("{s:{s:s, s:{s:s}}}", "addr", "type", "unix", "data", "path", place->path);
        return json_pack("{s:{s:s, s:{s:s, s:s}}}", "addr", "type", "inet", "data", "host", place->listen,
                         "port", port);
}

/* Where they come unless the caller says that: by the way of the rest. */
static const char *choose_uri(const struct domain_arrival *arrival)
{
        const char *own = domain_migrate_get_text(arrival->params, "disks_uri"),
                   *rest = domain_migrate_get_text(arrival->params, "migrate_uri");

        if (own || (rest && strcmp(rest, "unix:") == 0))
                return own ? own : rest;
        return NULL;
}

static bool open_server(struct guest *guest, struct domain_arrival *arrival, GError **error)
{
        __attribute__((cleanup(arrive_place_clear))) struct arrive_place place;
        int port = (int)domain_migrate_get_number(arrival->params, "disks_port");
        json_t *arguments;

        if (!arrive_choose_place(guest, arrival->params, choose_uri(arrival), port, SOCKET, &place, error))
                return false;
        guest->disks_port = place.port;
        arrival->disks_uri = g_strdup(place.uri);
        arguments = make_address(&place);
        if (arrival->flags & DOMAIN_MIGRATE_TLS)
                json_object_set_new(arguments, "tls-creds", json_string(MIGRATION_TLS_ID));
        return qmp_execute(guest->qmp, "nbd-server-start", arguments, QMP_TIMEOUT_MS, NULL, error);
}

static uint64_t find_size(const json_t *nodes, const char *name)
{
        const json_t *node;
        size_t i;

        json_array_foreach((json_t *)nodes, i, node)
        {
                const char *own = json_string_value(json_object_get(node, "node-name"));

                if (own && strcmp(own, name) == 0)
                        return (uint64_t)MAX(0, json_integer_value(json_object_get(
                                                        json_object_get(node, "image"), "virtual-size")));
        }
        return 0;
}

static bool serve(struct guest *guest, const struct domain_disk *disk, const struct domain_copy *copy,
                  const json_t *nodes, GError **error)
{
        const struct block_image image = { .index = disk->source.index };
        g_autofree char *id = g_strconcat(DEPART_DISKS_PREFIX, disk->target, NULL);
        char node[BLOCK_NODE_NAME_SIZE];
        uint64_t size;

        block_format_node_name(&image, node);
        size = find_size(nodes, node);
        if (size < copy->size)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_INVALID,
                                 "the image of disk '%s' has %" PRIu64
                                 " bytes here, which is less than the %" PRIu64 " of the disk",
                                 disk->target, size, copy->size);
        return qmp_execute(guest->qmp, "block-export-add",
                           json_pack("{s:s, s:s, s:s, s:s, s:b}", "type", "nbd", "id", id, "node-name", node,
                                     "name", disk->target, "writable", 1),
                           QMP_TIMEOUT_JOB_MS, NULL, error);
}

bool arrive_listen_disks(struct guest *guest, struct domain_arrival *arrival, const struct domain_def *def,
                         GError **error)
{
        json_t *nodes = NULL;
        bool ok;

        if (!arrival->copies || arrival->copies->len == 0)
                return true;
        ok = qmp_execute(guest->qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), QMP_TIMEOUT_MS,
                         &nodes, error) &&
             open_server(guest, arrival, error);
        for (unsigned i = 0; ok && i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];
                const struct domain_copy *copy = domain_copies_find(arrival->copies, disk->target);

                ok = !copy || serve(guest, disk, copy, nodes, error);
        }
        json_decref(nodes);
        guest->serves_disks = ok;
        return ok;
}

bool arrive_close_disks(struct guest *guest, GError **error)
{
        if (!guest->serves_disks)
                return true;
        if (!qmp_execute(guest->qmp, "nbd-server-stop", NULL, QMP_TIMEOUT_JOB_MS, NULL, error))
                return false;
        guest->serves_disks = false;
        return true;
}
