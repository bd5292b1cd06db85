/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a kind of storage does for the pool model. The model (storage.c, lifecycle.c, change.c ...) decides
 * what an operation means: flags, checks, states, events, persistence, jobs, names; a backend makes it
 * happen. One file per backend, listed in the table of backend.c. Errors are ERROR_FROM_STORAGE; a missing
 * tool is spawn_run()'s "missing tool 'x'". Every operation is bounded in time or interruptible (lane_wait(),
 * spawn_run()).
 */

#include "drivers/storage/pool-def.h"
#include "drivers/storage/volume.h"

struct job;
struct lane;
struct storage_pool;

/* Where an operation runs, on what. Valid during the call. */
struct backend_context {
        struct lane *lane; /* borrowed; the one that the call runs in: for spawn_run(), lane_wait() */
        const struct pool_def *def; /* borrowed */
        const char *runtime_dir;    /* borrowed; for sockets, secrets, configuration of tools; may be NULL in
                                       tests */
        /*
         * The passphrase or CHAP/ceph key that def (start, find) or the volume (create ...) refers to; NULL:
         * none.
         */
        GBytes *secret;
        /* The passphrase of the volume whose content a clone gets; NULL: none. */
        GBytes *source_secret;
        /*
         * Borrowed; of clone: struct volume *, the source and what is below it, in the formats that count;
         * NULL otherwise.
         */
        const GPtrArray *chain;
        /* For progress (job_set_progress()); NULL when it runs in the pool's lane. */
        struct job *job;
        /* Lane-owned by the pool's lane: the backend's state of an active pool; NULL in a job's lane. */
        void **live;
        /*
         * The pool, for the lane watch of a backend that follows changes; NULL in a job's lane. Do not touch
         * otherwise.
         */
        struct storage_pool *pool;
};

/* virStoragePoolBuildFlags */
enum pool_build_flags {
        POOL_BUILD_NEW = 0,
        POOL_BUILD_REPAIR = 1,
        POOL_BUILD_RESIZE = 2,
        POOL_BUILD_NO_OVERWRITE = 4,
        POOL_BUILD_OVERWRITE = 8,
};

/* virStorageVolCreateFlags */
enum volume_create_flags {
        VOLUME_CREATE_PREALLOC_METADATA = 1,
        VOLUME_CREATE_REFLINK = 2,
        VOLUME_CREATE_VALIDATE = 4,
};

/* virStorageVolDeleteFlags */
enum volume_delete_flags {
        VOLUME_DELETE_ZEROED = 1,
        VOLUME_DELETE_WITH_SNAPSHOTS = 2,
};

/* virStorageVolResizeFlags */
enum volume_resize_flags {
        VOLUME_RESIZE_ALLOCATE = 1,
        VOLUME_RESIZE_DELTA = 2, /* resolved by the model: never seen by a backend */
        VOLUME_RESIZE_SHRINK = 4,
};

/* virStorageVolWipeAlgorithm */
enum volume_wipe_algorithm {
        VOLUME_WIPE_ZERO = 0,
        VOLUME_WIPE_NNSA = 1,
        VOLUME_WIPE_DOD = 2,
        VOLUME_WIPE_BSI = 3,
        VOLUME_WIPE_GUTMANN = 4,
        VOLUME_WIPE_SCHNEIER = 5,
        VOLUME_WIPE_PFITZNER7 = 6,
        VOLUME_WIPE_PFITZNER33 = 7,
        VOLUME_WIPE_RANDOM = 8,
        VOLUME_WIPE_TRIM = 9,
        VOLUME_WIPE_COUNT,
};

/* What a scan of a pool found; filled in by refresh. */
struct pool_scan {
        GPtrArray *volumes; /* struct volume *, taken by the model */
        struct pool_numbers numbers;
        struct storage_permissions
                permissions;             /* of the target as they are, label NULL; mode -1: not known */
        char *directory;                 /* owned; where the target leads to, see pool_def; NULL: to none */
        const struct object_set *before; /* borrowed; the last scan's, as a cache; may be NULL */
};

/* The flags that a type knows beside none, per operation: the model refuses all others (flags_check()). */
struct backend_flags {
        unsigned build;   /* pool_build_flags */
        unsigned create;  /* volume_create_flags */
        unsigned clone;   /* likewise */
        unsigned destroy; /* volume_delete_flags */
        unsigned resize;  /* volume_resize_flags */
};

struct backend {
        enum pool_type type;
        struct backend_flags flags;
        /* Nothing takes long: all is done in the pool's lane, with live, and no jobs are made. */
        bool immediate;
        /* At define: is everything there that this type needs? May be NULL. Loop or lane, no I/O. */
        bool (*check_def)(const struct pool_def *def, GError **error);

        /* ---- in the pool's lane ---- */

        /*
         * After a restart of the agent: *active tells whether the pool is still there (mounted, logged in).
         * NULL: it is. live is set up by start only, so a backend with live state sets it up here, too.
         */
        bool (*check)(const struct backend_context *context, bool *active, GError **error);
        /*
         * Makes the pool usable (mount, vgchange, login). NULL: nothing to do. Cleans up after itself on
         * failure.
         */
        bool (*start)(const struct backend_context *context, GError **error);
        /* NULL: nothing to do. Frees *live. */
        bool (*stop)(const struct backend_context *context, GError **error);
        /* Frees *live and leaves the storage as it is: the agent ends. NULL: there is no live state. */
        void (*forget)(const struct backend_context *context);
        /* Removes the storage itself of an inactive pool. NULL: not supported. */
        bool (*remove)(const struct backend_context *context, GError **error);
        /* Fills in scan. One volume that cannot be read is left out, see backend_left_out(). */
        bool (*refresh)(const struct backend_context *context, struct pool_scan *scan, GError **error);

        /* ---- in a job's lane; pool inactive ---- */

        /* Makes the storage (mkdir, mkfs, vgcreate). NULL: not supported. */
        bool (*build)(const struct backend_context *context, unsigned flags, GError **error);

        /* ---- in a job's lane; no pool needed ---- */

        /*
         * context->def has type and source only (base.xml NULL); adds texts (pool_source_format(), owned) to
         * sources. has_source: the caller gave a <source>. NULL: not supported.
         */
        bool (*find)(const struct backend_context *context, bool has_source, GPtrArray *sources,
                     GError **error);

        /* ---- volumes; NULL: not supported by this type ---- */

        /*
         * In the pool's lane, first step of create and clone: completes and checks the new volume (path, key,
         * default format, type, rounding of capacity) without making anything. The model has checked that the
         * name is free. *slow: making it takes long (preallocation, wiping): it is done in a job's lane, else
         * in the pool's.
         */
        bool (*prepare)(const struct backend_context *context, struct volume *volume, unsigned flags,
                        bool *slow, GError **error);
        /*
         * Makes the volume, whole or not at all. Pool's lane or a job's (see prepare). It may adjust *volume.
         */
        bool (*create)(const struct backend_context *context, struct volume *volume, unsigned flags,
                       GError **error);
        /*
         * The same with the content of source (of this or another pool; kept in use by the model). Job's
         * lane.
         */
        bool (*clone)(const struct backend_context *context, struct volume *volume,
                      const struct volume *source, unsigned flags, GError **error);
        /* Pool's lane. */
        bool (*destroy)(const struct backend_context *context, const struct volume *volume, unsigned flags,
                        GError **error);
        /* Job's lane; capacity absolute in bytes, checked against SHRINK. */
        bool (*resize)(const struct backend_context *context, const struct volume *volume, uint64_t capacity,
                       unsigned flags, GError **error);
        /* Job's lane; NULL: the model wipes what open gives. */
        bool (*wipe)(const struct backend_context *context, const struct volume *volume,
                     enum volume_wipe_algorithm algorithm, GError **error);
        /*
         * A descriptor of the volume's bytes, O_CLOEXEC; *length is the number of bytes. Job's lane. For
         * wipe, upload, download. -1 with an error.
         */
        int (*open)(const struct backend_context *context, const struct volume *volume, bool writable,
                    uint64_t *length, GError **error);
        /*
         * Pool's lane, after a change: describes the volume of that name as it is now; *volume NULL with
         * true: there is none. before: the last description, or what a new one was made as; may be NULL. And
         * the numbers of the pool. Both NULL: the model refreshes the whole pool instead.
         */
        bool (*probe)(const struct backend_context *context, const char *name, const struct volume *before,
                      struct volume **volume, GError **error);
        bool (*measure)(const struct backend_context *context, struct pool_numbers *numbers, GError **error);
        /*
         * In the pool's reading lane, while anything else may run: the sizes of a volume as they are now.
         * Touches nothing lane-owned. NULL: the published ones count.
         */
        bool (*stat)(const struct backend_context *context, const struct volume *volume, uint64_t *capacity,
                     uint64_t *allocation, uint64_t *physical, GError **error);
};

/* NULL when this build has no backend for the type. */
const struct backend *backend_get(enum pool_type type);
/* The same with ERROR_CONFIG_UNSUPPORTED / NO_SUPPORT. */
const struct backend *backend_require(enum pool_type type, GError **error);

/* The backends, each in its file. */
extern const struct backend backend_dir;
extern const struct backend backend_disk;
extern const struct backend backend_fs;
extern const struct backend backend_iscsi;
extern const struct backend backend_logical;
extern const struct backend backend_mpath;
extern const struct backend backend_netfs;
extern const struct backend backend_rbd;
extern const struct backend backend_scsi;
extern const struct backend backend_zfs;

/* ---- for backends (pool's lane) ---- */

/* A file that may be a volume cannot be read: the model logs that once, not at every refresh. */
void backend_left_out(const struct backend_context *context, const char *name, const GError *why);

/* Something changed behind the pool: it is refreshed soon (coalesced). Pool's lane. */
void backend_changed(struct storage_pool *pool);
/*
 * The same when only the volume of that name may have changed; for backends with probe and measure. Pool's
 * lane.
 */
void backend_changed_name(struct storage_pool *pool, const char *name);
