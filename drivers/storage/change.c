/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools, defining side and what begins with a document or a build: define, create, build, undefine,
 * autostart. Entry points run on the loop; *_work functions and steps in the pool's lane.
 */
#include "base/lane.h"
#include "drivers/storage/model.h"

/* ---- from a text to a definition ---- */

static bool check_other(const struct pool_def *def, struct definition *other, GError **error)
{
        if (!other || uuid_equal(&other->uuid, &def->base.uuid) ||
            !pool_def_is_same_storage(def, pool_def_of(other)))
                return true;
        return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_FAILED,
                         "Storage source conflict with pool: '%s'", other->name);
}

/* With what other pools are, will be after their next start, and what is on its way to become one. */
static bool check_conflict(struct storage *storage, const struct pool_def *def, GError **error)
{
        g_autoptr(GPtrArray) pools = registry_list(storage->pools);

        for (unsigned i = 0; i < pools->len; i++) {
                const struct managed_state *state =
                        ((struct managed *)g_ptr_array_index(pools, i))->published;

                if (!check_other(def, state->active, error) || !check_other(def, state->persistent, error))
                        return false;
        }
        for (unsigned i = 0; i < storage->claims->len; i++) {
                if (!check_other(def, g_ptr_array_index(storage->claims, i), error))
                        return false;
        }
        return true;
}

/* A definition on its way: its storage is taken from now on. */
struct claim {
        struct storage *storage;       /* borrowed */
        struct definition *definition; /* ref */
        managed_done done;
        void *data; /* owned by done */
};

static struct claim *claim_new(struct storage *storage, struct pool_def *def, managed_done done, void *data)
{
        struct claim *claim = g_new(struct claim, 1);

        *claim = (struct claim){ storage, definition_ref(&def->base), done, data };
        g_ptr_array_add(storage->claims, claim->definition);
        return claim;
}

static void claim_done(struct managed *object, const GError *error, void *data)
{
        struct claim *claim = data;

        g_ptr_array_remove(claim->storage->claims, claim->definition);
        claim->done(object, error, claim->data);
        definition_unref(claim->definition);
        g_free(claim);
}

static struct pool_def *parse(struct storage *storage, const char *xml, bool validate, GError **error)
{
        CLEANUP(pool_def_unref) struct pool_def *def = NULL;
        const struct backend *backend;

        if (validate && !pool_def_validate(xml, error))
                return NULL;
        def = pool_def_parse(xml, error);
        if (!def)
                return NULL;
        backend = storage_get_backend(storage, def->type, error);
        if (!backend || (backend->check_def && !backend->check_def(def, error)) ||
            !check_conflict(storage, def, error))
                return NULL;
        return g_steal_pointer(&def);
}

void storage_pool_define_xml(struct storage *storage, const char *xml, unsigned flags, managed_done done,
                             void *data)
{
        struct pool_def *def = NULL;
        GError *error = NULL;

        if (flags_check(flags, STORAGE_POOL_VALIDATE, ERROR_FROM_STORAGE, "StoragePoolDefineXML", &error))
                def = parse(storage, xml, flags & STORAGE_POOL_VALIDATE, &error);
        if (def)
                registry_define(storage->pools, &def->base, claim_done, claim_new(storage, def, done, data));
        else
                managed_fail(error, done, data);
}

/* ---- build, and start after it ---- */

struct build {
        struct storage_operation base;
        bool starts;
};

static bool build_begin(struct storage_operation *op, GError **error)
{
        const struct backend *backend = storage_get_backend(op->pool->storage, op->def->type, error);

        if (!backend ||
            (op->pool->base.current && !storage_pool_require_inactive(op->pool, "already", error)) ||
            !storage_pool_require_idle(op->pool, error) || !storage_pool_require_unused(op->pool, error))
                return false;
        if (!backend->build)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SUPPORT,
                                 "pool does not support pool build");
        return flags_check(op->flags, backend->flags.build, ERROR_FROM_STORAGE, "Build", error);
}

static bool build_work(struct storage_operation *op, const struct backend_context *context, GError **error)
{
        return storage_get_backend(op->pool->storage, op->def->type, NULL)->build(context, op->flags, error);
}

static bool build_end(struct storage_operation *op, const GError *failure, GError **error)
{
        if (failure)
                return true;
        if (op->pool->base.current)
                managed_emit(&op->pool->base, managed_event_new(STORAGE_POOL_EVENT_CREATED, 0));
        return !((const struct build *)op)->starts ||
               storage_pool_start(op->pool, op->def, op->secret, error);
}

static const struct storage_kind build_kind = {
        .base = STORAGE_KIND(struct build, "build"),
        .begin = build_begin,
        .work = build_work,
        .end = build_end,
};

#define BUILD_FLAGS (POOL_BUILD_REPAIR | POOL_BUILD_RESIZE | POOL_BUILD_NO_OVERWRITE | POOL_BUILD_OVERWRITE)

void storage_pool_build(struct storage_pool *pool, unsigned flags, managed_done done, void *data)
{
        struct storage_operation *op = storage_operation_new(&build_kind, pool);
        GError *error = NULL;

        op->flags = flags;
        op->done = done;
        op->data = data;
        if (flags_check(flags, BUILD_FLAGS, ERROR_FROM_STORAGE, "Build", &error) &&
            flags_check_exclusive(flags, POOL_BUILD_OVERWRITE | POOL_BUILD_NO_OVERWRITE, ERROR_FROM_STORAGE,
                                  "OVERWRITE and NO_OVERWRITE", &error))
                storage_operation_run(op);
        else
                storage_operation_refuse(op, error);
}

/* ---- create ---- */

#define CREATE_FLAGS                                                                                         \
        (STORAGE_POOL_CREATE_WITH_BUILD | STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE |                         \
         STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE)

static bool check_create_flags(unsigned flags, const char *function, GError **error)
{
        return flags_check(flags, CREATE_FLAGS, ERROR_FROM_STORAGE, function, error) &&
               flags_check_exclusive(flags,
                                     STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE |
                                             STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE,
                                     ERROR_FROM_STORAGE, "BUILD_OVERWRITE and BUILD_NO_OVERWRITE", error);
}

static unsigned build_flags(unsigned create_flags)
{
        if (create_flags & STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE)
                return POOL_BUILD_OVERWRITE;
        if (create_flags & STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE)
                return POOL_BUILD_NO_OVERWRITE;
        return POOL_BUILD_NEW;
}

/* What a pool is started from. */
struct origin {
        struct pool_def *def; /* ref; NULL: the persistent one */
        GBytes *secret;       /* ref; NULL: none needed */
};

static void origin_free(void *data)
{
        struct origin *origin = data;

        pool_def_unref(origin->def);
        if (origin->secret)
                g_bytes_unref(origin->secret);
        g_free(origin);
}

static bool create_work(struct managed *object, void *data, GError **error)
{
        const struct origin *origin = data;
        struct storage_pool *pool = storage_pool_from(object);
        struct pool_def *def = origin->def;

        if (!def && !storage_pool_require_inactive(pool, "already", error))
                return false;
        if (def && object->current && object->current->active)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_OPERATION_INVALID,
                                 "pool is already active as '%s'", managed_get_current_name(object));
        return storage_pool_require_idle(pool, error) &&
               storage_pool_start(pool, def ? def : storage_pool_get_def(pool), origin->secret, error);
}

/* Builds the pool first when flags ask for it. Takes def, which may be NULL. */
static void create(struct storage_pool *pool, struct pool_def *def, GBytes *secret, unsigned flags,
                   managed_done done, void *data)
{
        struct managed_task task = { .work = create_work, .free_args = origin_free };
        struct storage_operation *op;

        if (!(flags & CREATE_FLAGS)) {
                task.args = g_memdup2(&(const struct origin){ def, secret }, sizeof(struct origin));
                managed_run_task(&pool->base, &task, done, data);
                return;
        }
        op = storage_operation_new(&build_kind, pool);
        op->def = def;
        op->secret = secret;
        op->flags = build_flags(flags);
        ((struct build *)op)->starts = true;
        op->done = done;
        op->data = data;
        storage_operation_run(op);
}

void storage_pool_create(struct storage_pool *pool, unsigned flags, managed_done done, void *data)
{
        const struct managed_state *state = pool->base.published;
        const struct secret_ref none = { 0 }, *ref = &none;
        GBytes *secret = NULL;
        GError *error = NULL;

        if (state)
                ref = &pool_def_of(managed_state_get_definition(state))->source.auth.secret;
        if (check_create_flags(flags, "Create", &error) &&
            storage_get_secret(pool->storage, ref, &secret, &error))
                create(pool, NULL, secret, flags, done, data);
        else
                managed_fail(error, done, data);
}

void storage_pool_create_xml(struct storage *storage, const char *xml, unsigned flags, managed_done done,
                             void *data)
{
        struct pool_def *def = NULL;
        struct managed *object = NULL;
        GBytes *secret = NULL;
        GError *error = NULL;

        if (check_create_flags(flags, "StoragePoolCreateXML", &error))
                def = parse(storage, xml, false, &error);
        if (def && storage_get_secret(storage, &def->source.auth.secret, &secret, &error))
                object = registry_reserve(storage->pools, &def->base, &error);
        if (object) {
                create(storage_pool_from(object), def, secret, flags, claim_done,
                       claim_new(storage, def, done, data));
                return;
        }
        if (secret)
                g_bytes_unref(secret);
        pool_def_unref(def);
        managed_fail(error, done, data);
}

/* ---- undefine, autostart ---- */

static bool undefine_work(struct managed *object, void *data, GError **error)
{
        struct storage_pool *pool = storage_pool_from(object);
        struct storage_pool_state *state;

        if (!storage_pool_require_inactive(pool, "still", error) || !storage_pool_require_idle(pool, error) ||
            !registry_erase(object, error))
                return false;
        state = storage_pool_edit(pool);
        managed_state_take_persistent(&state->base, NULL);
        state->base.autostart = false;
        storage_pool_publish(pool, state, managed_event_new(STORAGE_POOL_EVENT_UNDEFINED, 0));
        return true;
}

void storage_pool_undefine(struct storage_pool *pool, managed_done done, void *data)
{
        managed_run(&pool->base, MANAGED_IN_TURN, undefine_work, done, data);
}

void storage_pool_set_autostart(struct storage_pool *pool, bool autostart, managed_done done, void *data)
{
        registry_set_autostart(&pool->base, autostart, done, data);
}
