/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The storage model: what every view (D-Bus, later libvirt's RPC) and the domain drivers call. Functions are
 * called on the loop. Those that read answer at once from the published state, whatever the storage does.
 * Those that change something take a done function, called on the loop exactly once, after the state that the
 * change made is published and its events are announced; flags are those of the libvirt API function of the
 * same name, and unknown ones fail with "unsupported flags (0x..)".
 *
 * Long work (build, create with allocation, clone, resize, wipe, upload, download) runs as a job of the
 * connection's job list and answers at its end; the job's object is the pool.
 */

#include "base/collection.h"
#include "base/loop.h"
#include "base/registry.h"
#include "drivers/storage/pool-def.h"
#include "drivers/storage/volume.h"

struct job_list;
struct loop;
struct pool;
struct secrets;
struct storage;

/* virStoragePoolState */
enum storage_pool_run_state {
        STORAGE_POOL_INACTIVE = 0,
        STORAGE_POOL_BUILDING = 1, /* being taken over after a restart of the agent: not usable yet */
        STORAGE_POOL_RUNNING = 2,
        STORAGE_POOL_DEGRADED = 3,
        STORAGE_POOL_INACCESSIBLE = 4, /* the last refresh failed: see problem */
};

/* virStoragePoolEventLifecycleType; the detail is 0. */
enum storage_pool_event_type {
        STORAGE_POOL_EVENT_DEFINED = 0,
        STORAGE_POOL_EVENT_UNDEFINED = 1,
        STORAGE_POOL_EVENT_STARTED = 2,
        STORAGE_POOL_EVENT_STOPPED = 3,
        STORAGE_POOL_EVENT_CREATED = 4,
        STORAGE_POOL_EVENT_DELETED = 5,
};

/*
 * The id (managed_event.id) of the refresh event: the pool was looked at, or what is in it has changed a
 * moment ago (once for many changes). Life cycle events have MANAGED_EVENT_LIFECYCLE.
 */
#define STORAGE_POOL_EVENT_REFRESH 1

struct storage_pool_state {
        struct managed_state base;
        enum storage_pool_run_state state; /* of an active pool */
        struct pool_numbers numbers;       /* as of the last scan or change; zero when inactive */
        struct object_set *volumes;        /* ref; NULL when inactive or empty */
        char *problem; /* owned; why the pool is INACCESSIBLE or did not come up; NULL: nothing */
};

struct storage_pool {
        struct managed base;
        /* const */
        struct storage *storage; /* borrowed */
        struct lane *reader;     /* ref; for looking at volumes while the pool's lane is busy */
        /* lane */
        void *live;        /* the backend's */
        GHashTable *busy;  /* owned; names of volumes that jobs work on or make -> how many read it, or one
                              writes it */
        GHashTable *users; /* owned; names of volumes -> who uses them, GPtrArray of strings */
        unsigned jobs;     /* jobs that work on this pool */
        struct lane_timer *timer;      /* owned; a look at changes to come */
        GHashTable *changed;           /* owned; names of volumes to look at then */
        bool all_changed;              /* or all of them */
        struct lane_timer *news_timer; /* owned; a change of the content to be announced */
        bool quiesced;                 /* the agent ends: nothing is to come any more */
        GHashTable *left_out;          /* owned; name of a file that cannot be read -> struct left_out */
        unsigned scans;                /* that were begun */
        /* loop */
        unsigned late_reads; /* of sizes, that nobody waits for any more; see volume-info.c */
};

static inline const struct storage_pool_state *storage_pool_get_published(const struct storage_pool *pool)
{
        return (const struct storage_pool_state *)managed_get_published(&pool->base);
}

/* The run state as clients have it. */
static inline enum storage_pool_run_state storage_pool_state_get(const struct storage_pool_state *state)
{
        return state->base.active ? state->state : STORAGE_POOL_INACTIVE;
}

/* ---- the connection's storage ---- */

/*
 * state_dir holds <uuid>.xml and autostart/; runtime_dir the definitions of active pools (<uuid>.xml). Both
 * NULL: nothing is stored. jobs is borrowed and outlives it.
 */
struct storage *storage_new(struct loop *loop, struct pool *pool, struct job_list *jobs,
                            const char *state_dir, const char *runtime_dir);
/* An in-memory one: the pool default-pool, active and empty; nothing happens to the host. */
struct storage *storage_new_test(struct loop *loop, struct pool *pool, struct job_list *jobs, GError **error);
/*
 * The end of the agent: cancels the jobs and lets go of what active pools hold; they stay active. What is on
 * the way then ends: storage_free() when registry_get_pending() and job_list_get_count() are 0.
 */
void storage_quiesce(struct storage *storage);
void storage_free(struct storage *storage);

/*
 * Start-up, before the lanes run: loads definitions, and pools that were active when the agent ended; those
 * are BUILDING until their lane has looked.
 */
bool storage_load(struct storage *storage, GError **error);
/*
 * After that, loop: starts the inactive pools that are marked autostart, once per boot and each in its lane;
 * failures are logged. done is called when every one of them is up or has failed, at the latest after two
 * minutes.
 */
void storage_autostart(struct storage *storage, loop_fn done, void *data);

/* The pools, and the volumes of the active ones, each set shown by its pool (struct storage_pool). */
struct registry *storage_get_registry(const struct storage *storage);
struct collection *storage_get_volumes(const struct storage *storage);

/*
 * Where the passphrases, passwords and keys come from; borrowed, outlives it. Without them, what needs one
 * fails.
 */
void storage_set_secrets(struct storage *storage, struct secrets *secrets);

/* ---- pools: lookups and lists; borrowed results ---- */

struct storage_pool *storage_pool_lookup_name(struct storage *storage, const char *name, GError **error);
struct storage_pool *storage_pool_lookup_uuid(struct storage *storage, const char *uuid, GError **error);

/* virConnectListAllStoragePoolsFlags */
enum storage_pool_list_flags {
        STORAGE_POOL_LIST_INACTIVE = 1,
        STORAGE_POOL_LIST_ACTIVE = 2,
        STORAGE_POOL_LIST_PERSISTENT = 4,
        STORAGE_POOL_LIST_TRANSIENT = 8,
        STORAGE_POOL_LIST_AUTOSTART = 16,
        STORAGE_POOL_LIST_NO_AUTOSTART = 32,
        STORAGE_POOL_LIST_DIR = 64, /* and a bit per type from here on, see enum pool_type */
};

/* Borrowed elements, free the array; NULL with an error for unknown flags. */
GPtrArray *storage_pool_list(struct storage *storage, unsigned flags, GError **error);

/* ---- pools: reads ---- */

bool storage_pool_is_active(const struct storage_pool *pool);

struct storage_pool_info {
        enum storage_pool_run_state state;
        struct pool_numbers numbers;
};

void storage_pool_get_info(const struct storage_pool *pool, struct storage_pool_info *info);
/* flags: INACTIVE 1. Owned text, NULL with an error. */
char *storage_pool_get_xml(const struct storage_pool *pool, unsigned flags, GError **error);

/* ---- pools: changes ---- */

/* virStoragePoolCreateFlags */
enum storage_pool_create_flags {
        STORAGE_POOL_CREATE_WITH_BUILD = 1,
        STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE = 2,
        STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE = 4,
};

/* virStoragePoolDefineFlags */
enum storage_pool_define_flags {
        STORAGE_POOL_VALIDATE = 1,
};

/*
 * The change stands in the lane of its pool when these return; done gets the object, NULL when the text is
 * refused.
 */
void storage_pool_define_xml(struct storage *storage, const char *xml, unsigned flags, managed_done done,
                             void *data);
void storage_pool_create_xml(struct storage *storage, const char *xml, unsigned flags, managed_done done,
                             void *data);
void storage_pool_create(struct storage_pool *pool, unsigned flags, managed_done done, void *data);
void storage_pool_build(struct storage_pool *pool, unsigned flags, managed_done done, void *data);
void storage_pool_destroy(struct storage_pool *pool, managed_done done, void *data);
void storage_pool_delete(struct storage_pool *pool, unsigned flags, managed_done done, void *data);
void storage_pool_undefine(struct storage_pool *pool, managed_done done, void *data);
void storage_pool_refresh(struct storage_pool *pool, unsigned flags, managed_done done, void *data);
void storage_pool_set_autostart(struct storage_pool *pool, bool autostart, managed_done done, void *data);

/* Answers with a text, maybe before the function returns. */
typedef void (*storage_text_done)(const char *text, const GError *error, void *data);
/* source "" or NULL: none given. The answer is a <sources> document. Runs as a job ("find"). */
void storage_find_sources(struct storage *storage, const char *type, const char *source, unsigned flags,
                          storage_text_done done, void *data);
/* The <storagepoolCapabilities> document, owned; NULL with an error. */
char *storage_get_capabilities(struct storage *storage, unsigned flags, GError **error);

/* ---- what a guest takes of it ---- */

/*
 * A volume in use by a guest, from its start to its end: taken and given back in the lane of its pool. Nobody
 * deletes, resizes, wipes or overwrites it meanwhile. Any number may use a volume.
 */
struct storage_use;

/* Loop. user is for messages ("domain 'web'"). NULL with an error when there is no pool of that name. */
struct storage_use *storage_use_new(struct storage *storage, const char *pool, const char *volume,
                                    const char *user, GError **error);
/* Loop. Of the volume at path; NULL: no active pool has it. */
struct storage_use *storage_use_new_path(struct storage *storage, const char *path, const char *user);
/* Any thread; gives nothing back. NULL is fine. */
void storage_use_free(struct storage_use *use);
/* The pool, in whose lane it is taken; borrowed. */
struct managed *storage_use_get_pool(const struct storage_use *use);

/*
 * The pool's lane. Fails when a job writes the volume. That there is no such volume, or the pool is not
 * active, is noted: see storage_use_get_volume().
 */
bool storage_use_take(struct storage_use *use, GError **error);
/* The pool's lane. */
void storage_use_drop(struct storage_use *use);
/* Any thread: drops it in the pool's lane, and frees it. NULL is fine. */
void storage_use_give_back(struct storage_use *use);
/* Any thread: for a guest that runs already. It is recorded in the pool's lane, whatever the pool is like. */
void storage_use_restore(struct storage_use *use);

/*
 * Any thread, once it was taken. Borrowed, as is *def, the pool's definition then; NULL with an error that
 * says why there is none.
 */
const struct volume *storage_use_get_volume(const struct storage_use *use, const struct pool_def **def,
                                            GError **error);

/* ---- volumes: lookups; borrowed, valid until the next publication: take a reference to keep ---- */

struct volume *storage_volume_lookup_key(struct storage *storage, const char *key, GError **error);
/*
 * Also finds aliases: a path that leads to the same by its text ("//", "/./"), and, for block devices, every
 * other name below /dev (/dev/disk/by-id ...).
 */
struct volume *storage_volume_lookup_path(struct storage *storage, const char *path, GError **error);
struct volume *storage_volume_lookup_name(struct storage_pool *pool, const char *name, GError **error);
/* NULL with ERROR_NO_STORAGE_VOL when the volume is in no active pool (any more). */
struct storage_pool *storage_volume_get_pool(struct storage *storage, const struct volume *volume,
                                             GError **error);
/* The set, borrowed; NULL with an error when the pool is inactive; an empty pool gives an empty set. */
struct object_set *storage_volume_list(struct storage_pool *pool, unsigned flags, GError **error);

/* ---- volumes: reads ---- */

/* Owned text. Names the secret that opens an encrypted volume, when there is one. flags: none. */
char *storage_volume_get_xml(const struct storage *storage, const struct volume *volume, unsigned flags,
                             GError **error);

struct storage_volume_info {
        enum volume_type type;
        uint64_t capacity;
        uint64_t allocation;
};

/*
 * Sizes as they are now, read in a lane of its own; as they were last known when the storage does not tell in
 * time. flags: GET_PHYSICAL 1 (allocation is the physical size then).
 */
typedef void (*storage_info_done)(const struct storage_volume_info *info, const GError *error, void *data);
void storage_volume_get_info(struct storage *storage, const struct volume *volume, unsigned flags,
                             storage_info_done done, void *data);

/*
 * ---- volumes: changes; a job's Cancel makes them fail with ERROR_OPERATION_ABORTED and nothing left behind
 * ----
 */

/* volume: the published description after the change, borrowed; NULL with an error or when it is gone. */
typedef void (*storage_volume_done)(struct storage_pool *pool, struct volume *volume, const GError *error,
                                    void *data);

/* flags: enum volume_create_flags (backend.h): PREALLOC_METADATA 1, REFLINK 2, VALIDATE 4. */
void storage_volume_create_xml(struct storage_pool *pool, const char *xml, unsigned flags,
                               storage_volume_done done, void *data);
/* For a view that shows what was made: fails when volume is NULL, because another removed it at once. */
bool storage_volume_require_made(const struct volume *volume, GError **error);
/* key: of the source, in any active pool of the same connection. */
void storage_volume_create_xml_from(struct storage_pool *pool, const char *xml, const char *key,
                                    unsigned flags, storage_volume_done done, void *data);
/* flags: ZEROED 1 (not supported by files), WITH_SNAPSHOTS 2 */
void storage_volume_delete(struct storage *storage, struct volume *volume, unsigned flags,
                           storage_volume_done done, void *data);
/* flags: ALLOCATE 1, DELTA 2, SHRINK 4 */
void storage_volume_resize(struct storage *storage, struct volume *volume, uint64_t capacity, unsigned flags,
                           storage_volume_done done, void *data);
/* algorithm: virStorageVolWipeAlgorithm, 0 zero ... 9 trim; Wipe is algorithm 0 */
void storage_volume_wipe(struct storage *storage, struct volume *volume, unsigned algorithm, unsigned flags,
                         storage_volume_done done, void *data);

/*
 * Opens a pipe through which the volume's bytes [offset, offset + length) travel; length 0: to the end. fd is
 * the client's end, borrowed (the view dups or sends it before it returns), -1 with an error. The transfer is
 * a job of type "upload" or "download", which fails when the client closes early, writes too much, or the
 * storage fails. flags: SPARSE_STREAM 1 is refused.
 */
typedef void (*storage_stream_done)(int fd, const GError *error, void *data);
void storage_volume_upload(struct storage *storage, struct volume *volume, uint64_t offset, uint64_t length,
                           unsigned flags, storage_stream_done done, void *data);
void storage_volume_download(struct storage *storage, struct volume *volume, uint64_t offset, uint64_t length,
                             unsigned flags, storage_stream_done done, void *data);
