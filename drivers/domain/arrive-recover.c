/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that has come in post-copy, and to which the rest of its memory does not come: its emulator listens
 * for another way (migrate.h). Entry points run on the loop, *_work in the domain's lane.
 */
#include "drivers/domain/migrate.h"

#include "base/error.h"
#include "base/registry.h"
#include "drivers/domain/model.h"

struct recovery {
        struct domain_driver *driver; /* borrowed */
        char *cookie;                 /* owned */
        struct params *params;        /* owned */
        unsigned flags;
        char *uri; /* owned; NULL: nothing is missing */
        bool defined;
        domain_arrival_done done;
        void *data; /* owned by done */
};

static void recovery_done(struct managed *object, const GError *error, void *data)
{
        struct recovery *recovery = data;
        CLEANUP(params_free) struct params *answer = error ? NULL : params_new();

        if (answer) {
                if (recovery->uri)
                        params_add_string(answer, "uri", recovery->uri);
                params_add_bool(answer, "complete", !recovery->uri);
                params_add_bool(answer, "defined", recovery->defined);
        }
        recovery->done(answer, error, recovery->data);
        params_free(recovery->params);
        g_free(recovery->cookie);
        g_free(recovery->uri);
        g_free(recovery);
}

static bool recover_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        struct recovery *recovery = data;

        if (!domain_arrival_is_accepted(domain->driver, recovery->cookie))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' has not come here by that migration", object->uuid_text);
        if (!managed_require_active(object, error))
                return false;
        recovery->defined = object->current->persistent;
        return domain->driver->ops->arrive_recover(domain, recovery->params, recovery->flags, &recovery->uri,
                                                   error);
}

void domain_arrival_recover(struct domain_driver *driver, const char *cookie, struct params *params,
                            unsigned flags, domain_arrival_done done, void *data)
{
        struct recovery *recovery = g_new0(struct recovery, 1);
        struct managed *object = NULL;
        GError *error = NULL;
        struct uuid uuid;

        recovery->driver = driver;
        recovery->cookie = g_strdup(cookie);
        recovery->params = params;
        recovery->flags = flags;
        recovery->done = done;
        recovery->data = data;
        if (!driver->arrival_dir || !driver->ops->arrive_recover)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "Recover");
        else if (domain_migrate_check_flags(flags, params, &error) &&
                 domain_arrival_read_cookie(cookie, &uuid, &error))
                object = registry_find_pending(driver->domains, &uuid);
        if (!object && !error)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                          "the domain that has come by that migration is not here any more");
        if (object)
                managed_run(object, MANAGED_IN_TURN, recover_work, recovery_done, recovery);
        else
                managed_fail(error, recovery_done, recovery);
}
