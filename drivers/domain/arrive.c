/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest comes from another host (migrate.h says who does what when). It is ours from the moment at which
 * that is written down, in a file of its own that outlives this agent, and the guest: whoever asks after it
 * with its cookie is told so, until the other side has said that it knows. Entry points run on the loop,
 * *_work in the domain's lane.
 */
#include "drivers/domain/migrate.h"

#include "base/error.h"
#include "base/log.h"
#include "base/registry.h"
#include "base/store.h"
#include "drivers/domain/model.h"
#include "drivers/domain/save.h"

#include <string.h>
#include <sys/random.h>

#define SECRET_BYTES  16
#define COOKIE_LENGTH (UUID_STRING_LENGTH + 1 + 2 * SECRET_BYTES)

void domain_arrival_free(struct domain_arrival *arrival)
{
        if (!arrival)
                return;
        params_free(arrival->params);
        domain_def_unref(arrival->persistent);
        g_free(arrival->cookie);
        if (arrival->copies)
                g_ptr_array_unref(arrival->copies);
        g_free(arrival->uri);
        g_free(arrival->disks_uri);
        g_free(arrival);
}

/* ---- cookies ---- */

/* "UUID:secret", and the name of a file. */
static char *make_cookie(const struct uuid *uuid, GError **error)
{
        unsigned char secret[SECRET_BYTES];
        char text[UUID_STRING_LENGTH + 1];
        GString *cookie;

        if (getrandom(secret, sizeof(secret), 0) != sizeof(secret)) {
                error_set(error, ERROR_FROM_DOMAIN, ERROR_INTERNAL_ERROR, "there are no random numbers");
                return NULL;
        }
        cookie = g_string_new(uuid_format(uuid, text));
        g_string_append_c(cookie, ':');
        for (unsigned i = 0; i < sizeof(secret); i++)
                g_string_append_printf(cookie, "%02x", secret[i]);
        return g_string_free(cookie, FALSE);
}

bool domain_arrival_read_cookie(const char *cookie, struct uuid *uuid, GError **error)
{
        g_autofree char *text = g_strndup(cookie, UUID_STRING_LENGTH);

        if (strlen(cookie) == COOKIE_LENGTH && cookie[UUID_STRING_LENGTH] == ':' &&
            strspn(cookie + UUID_STRING_LENGTH + 1, "0123456789abcdef") == 2 * SECRET_BYTES &&
            uuid_parse(uuid, text, NULL))
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "that is no cookie of a migration");
}

/* Without regard to how much of it is right. */
static bool is_cookie_of(const struct domain_arrival *arrival, const char *cookie)
{
        unsigned char difference = 0;

        if (!arrival || strlen(arrival->cookie) != strlen(cookie))
                return false;
        for (unsigned i = 0; cookie[i]; i++)
                difference |= (unsigned char)(cookie[i] ^ arrival->cookie[i]);
        return difference == 0;
}

bool domain_arrival_is_accepted(const struct domain_driver *driver, const char *cookie)
{
        return driver->arrival_dir && store_is_marked(driver->arrival_dir, cookie);
}

static bool accept(const struct domain_driver *driver, const char *cookie, GError **error)
{
        return store_write(driver->arrival_dir, cookie, "", false, error);
}

static void unaccept(const struct domain_driver *driver, const char *cookie)
{
        g_autoptr(GError) error = NULL;

        if (!store_remove(driver->arrival_dir, cookie, false, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "a guest that does not come stays noted as one that has");
}

static void add_boot(struct params *answer)
{
        g_autofree char *boot = NULL;

        g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL);
        params_add_string(answer, "boot", boot ? g_strstrip(boot) : "");
}

/* ---- preparing ---- */

struct preparation {
        struct domain_driver *driver;   /* borrowed */
        struct domain_arrival *arrival; /* owned, until the start has it */
        struct domain_def *def;         /* ref; likewise */
        char *cookie, *owner;           /* owned */
        domain_arrival_done done;
        void *data;            /* owned by done */
        char *uri, *disks_uri; /* owned; taken in the lane */
};

/* Ends it: with error, or with an answer. */
static void end_preparation(struct preparation *preparation, const GError *error)
{
        CLEANUP(params_free) struct params *answer = error ? NULL : params_new();

        if (answer) {
                params_add_string(answer, "cookie", preparation->cookie);
                params_add_string(answer, "uri", preparation->uri);
                if (preparation->disks_uri)
                        params_add_string(answer, "disks_uri", preparation->disks_uri);
                add_boot(answer);
        }
        preparation->done(answer, error, preparation->data);
        domain_arrival_free(preparation->arrival);
        domain_def_unref(preparation->def);
        g_free(preparation->cookie);
        g_free(preparation->owner);
        g_free(preparation->uri);
        g_free(preparation->disks_uri);
        g_free(preparation);
}

static bool uri_work(struct managed *object, void *data, GError **error)
{
        struct preparation *preparation = data;
        const struct domain_arrival *arrival = domain_from(object)->arrival;

        if (!is_cookie_of(arrival, preparation->cookie))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                                 "the emulator that waits for domain '%s' has ended", object->name);
        preparation->uri = g_strdup(arrival->uri);
        preparation->disks_uri = g_strdup(arrival->disks_uri);
        return true;
}

static void uri_done(struct managed *object, const GError *error, void *data)
{
        end_preparation(data, error);
}

static void started(struct managed *object, const GError *error, void *data)
{
        if (error)
                end_preparation(data, error);
        else
                managed_run(object, MANAGED_IN_TURN, uri_work, uri_done, data);
}

static void start(struct preparation *preparation)
{
        g_autoptr(GError) error = NULL;
        struct managed *object =
                registry_reserve(preparation->driver->domains, &preparation->def->base, &error);

        preparation->cookie = object ? make_cookie(&object->uuid, &error) : NULL;
        if (!preparation->cookie) {
                end_preparation(preparation, error);
                return;
        }
        preparation->arrival->cookie = g_strdup(preparation->cookie);
        domain_start_arrival(object, g_steal_pointer(&preparation->def),
                             g_steal_pointer(&preparation->arrival), preparation->owner, started,
                             preparation);
}

/* ---- definitions alone ---- */

static void defined(struct managed *object, const GError *error, void *data)
{
        struct preparation *preparation = data;

        preparation->cookie = g_strdup("");
        preparation->uri = g_strdup("");
        end_preparation(preparation, error);
}

/* The one that is there already, if it is, does not run, and is not the one that leaves. */
static bool check_definition(const struct preparation *preparation, GError **error)
{
        struct managed *object =
                registry_find_pending(preparation->driver->domains, &preparation->def->base.uuid);

        if (object && domain_is_active(domain_from(object)))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is active there", object->name);
        return !object || operation_require_none(object, error);
}

static void define_alone(struct preparation *preparation)
{
        g_autoptr(GError) error = NULL;
        struct domain_def *def;

        if (!check_definition(preparation, &error)) {
                end_preparation(preparation, error);
                return;
        }
        def = g_steal_pointer(&preparation->def);
        registry_define(preparation->driver->domains, &def->base, defined, preparation);
}

static void parsed_persistent(struct domain_def *def, const GError *failure, void *data)
{
        struct preparation *preparation = data;
        g_autoptr(GError) error = NULL;

        preparation->arrival->persistent = def;
        if (!def)
                end_preparation(preparation, failure);
        else if (memcmp(&def->base.uuid, &preparation->def->base.uuid, sizeof(struct uuid)) == 0 &&
                 strcmp(def->base.name, preparation->def->base.name) == 0)
                start(preparation);
        else {
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "the document that is to be defined is that of domain '%s', not of '%s'",
                          def->base.name, preparation->def->base.name);
                end_preparation(preparation, error);
        }
}

static bool read_copies(struct domain_arrival *arrival, const struct domain_def *def, GError **error)
{
        const char *disks = domain_migrate_get_text(arrival->params, "disks");

        if (!(arrival->flags & DOMAIN_MIGRATE_COPIES))
                return true;
        arrival->copies = domain_copies_parse(disks ? disks : "", def, error);
        return arrival->copies;
}

static void parsed(struct domain_def *def, const GError *error, void *data)
{
        struct preparation *preparation = data;
        const char *persistent = domain_migrate_get_text(preparation->arrival->params, "persistent_xml");
        g_autoptr(GError) failure = NULL;

        preparation->def = def;
        if (!def || !read_copies(preparation->arrival, def, &failure))
                end_preparation(preparation, failure ? failure : error);
        else if (preparation->arrival->flags & DOMAIN_MIGRATE_OFFLINE)
                define_alone(preparation);
        else if (persistent)
                domain_parse_accepted(preparation->driver, persistent, NULL, parsed_persistent, preparation);
        else
                start(preparation);
}

void domain_arrival_prepare(struct domain_driver *driver, const char *xml, struct params *params,
                            unsigned flags, const char *owner, domain_arrival_done done, void *data)
{
        struct preparation *preparation;
        g_autoptr(GError) error = NULL;

        if (!driver->arrival_dir)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "Prepare");
        else if (flags & DOMAIN_MIGRATE_POSTCOPY_RESUME)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "what goes on with the flag POSTCOPY_RESUME needs no Prepare");
        else
                domain_migrate_check_flags(flags, params, &error);
        if (error) {
                params_free(params);
                done(NULL, error, data);
                return;
        }
        preparation = g_new0(struct preparation, 1);
        preparation->driver = driver;
        preparation->arrival = g_new0(struct domain_arrival, 1);
        preparation->arrival->params = params;
        preparation->arrival->flags = flags;
        preparation->owner = g_strdup(owner);
        preparation->done = done;
        preparation->data = data;
        domain_parse_accepted(driver, xml, NULL, parsed, preparation);
}

/* ---- what is asked with a cookie ---- */

struct request {
        struct domain_driver *driver; /* borrowed */
        char *cookie;                 /* owned */
        bool runs, arrived, undefined;
        bool postcopy; /* some of its memory comes after it */
        domain_arrival_done done;
        void *data; /* owned by done */
};

static struct request *request_new(struct domain_driver *driver, const char *cookie, domain_arrival_done done,
                                   void *data)
{
        struct request *request = g_new0(struct request, 1);

        request->driver = driver;
        request->cookie = g_strdup(cookie);
        request->done = done;
        request->data = data;
        return request;
}

static void request_done(struct managed *object, const GError *error, void *data)
{
        struct request *request = data;
        CLEANUP(params_free) struct params *answer = error ? NULL : params_new();

        if (answer) {
                params_add_bool(answer, "arrived", request->arrived);
                params_add_bool(answer, "defined", !request->undefined);
                add_boot(answer);
        }
        request->done(answer, error, request->data);
        g_free(request->cookie);
        g_free(request);
}

/* It has not come: what waits for it ends. */
static void end_waiting(struct domain *domain)
{
        g_autoptr(GError) error = NULL;

        if (domain->driver->ops->stop(domain, false, &error))
                domain_stopped(domain, DOMAIN_SHUTOFF_FAILED, DOMAIN_EVENT_STOPPED_FAILED);
        else
                log_gerror(LOG_LEVEL_ERROR, error, "what waited for domain '%s' stays",
                           managed_get_current_name(&domain->base));
}

/* ---- finishing ---- */

static void publish(struct domain *domain, enum domain_run_state run_state, int reason,
                    struct managed_event *event)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);

        state->state = run_state;
        state->reason = reason;
        g_clear_pointer(&state->owner, g_free);
        domain_publish(domain, state, event);
}

/* What a successor is to know of it, who finds that it is ours. */
static bool write_down(struct domain *domain, const struct request *request, GError **error)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);

        state->state = DOMAIN_PAUSED;
        state->reason = request->runs ? (int)DOMAIN_PAUSED_MIGRATION : (int)DOMAIN_PAUSED_USER;
        domain->driver->ops->save_status(domain, state);
        managed_state_unref(&state->base);
        return accept(domain->driver, request->cookie, error);
}

static bool define(struct domain *domain, GError **error)
{
        struct domain_def *def = domain->arrival->persistent;
        struct managed_state *state;
        bool updated = domain->base.current->persistent;

        if (!def)
                return true;
        if (!registry_store(&domain->base, &def->base, error))
                return false;
        state = managed_edit(&domain->base);
        managed_state_take_persistent(state, &domain_def_ref(def)->base);
        managed_publish(&domain->base, state, managed_event_new(MANAGED_EVENT_DEFINED, updated));
        return true;
}

/*
 * True: the guest is ours. A command to run that was not answered may have been obeyed: then it is, too, in
 * whatever state.
 */
static bool let_run(struct domain *domain, const struct request *request, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (!request->runs || domain->driver->ops->resume(domain, &failure))
                return true;
        if (!error_is(failure, ERROR_OPERATION_FAILED)) {
                log_gerror(LOG_LEVEL_ERROR, failure, "domain '%s' has come, and may not run",
                           managed_get_current_name(&domain->base));
                return true;
        }
        unaccept(domain->driver, request->cookie);
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
}

static void announce(struct domain *domain, const struct request *request)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        ops->arrive_end(domain, request->postcopy);
        domain->work = request->postcopy ? domain->work : NULL;
        if (request->runs && request->postcopy)
                publish(domain, DOMAIN_RUNNING, DOMAIN_RUNNING_POSTCOPY,
                        managed_event_new(DOMAIN_EVENT_RESUMED, DOMAIN_EVENT_RESUMED_POSTCOPY));
        else if (request->runs)
                publish(domain, DOMAIN_RUNNING, DOMAIN_RUNNING_MIGRATED,
                        managed_event_new(DOMAIN_EVENT_RESUMED, DOMAIN_EVENT_RESUMED_MIGRATED));
        else
                publish(domain, DOMAIN_PAUSED, DOMAIN_PAUSED_USER,
                        managed_event_new(DOMAIN_EVENT_SUSPENDED, DOMAIN_EVENT_SUSPENDED_PAUSED));
}

/* What was saved here is of the past of the guest that has come. */
static void forget_save(struct domain *domain)
{
        g_autoptr(GError) error = NULL;

        if (domain->has_save && !domain_managed_save_drop(domain, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "a managed save of a domain that has come stays");
}

static bool take_over(struct domain *domain, struct request *request, GError **error)
{
        g_autoptr(GError) failure = NULL;

        if (!domain->driver->ops->arrive_wait(domain, &request->postcopy, error) ||
            !write_down(domain, request, error) || !let_run(domain, request, error))
                return false;
        /* It runs: what else there is to do costs it nothing. */
        announce(domain, request);
        forget_save(domain);
        request->undefined = !define(domain, &failure);
        if (request->undefined)
                log_gerror(LOG_LEVEL_ERROR, failure, "domain '%s' has come, and is not defined",
                           managed_get_current_name(&domain->base));
        g_clear_pointer(&domain->arrival, domain_arrival_free);
        request->arrived = true;
        return true;
}

static bool finish_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        struct request *request = data;

        if (!is_cookie_of(domain->arrival, request->cookie))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is not on its way here", object->uuid_text);
        if (take_over(domain, request, error))
                return true;
        end_waiting(domain);
        return false;
}

void domain_arrival_finish(struct domain_driver *driver, const char *cookie, struct params *params,
                           domain_arrival_done done, void *data)
{
        const struct param *runs = params_find(params, "runs");
        struct request *request = request_new(driver, cookie, done, data);
        struct managed *object = NULL;
        GError *error = NULL;
        struct uuid uuid;

        request->runs = !runs || runs->value.b;
        params_free(params);
        if (domain_arrival_read_cookie(cookie, &uuid, &error)) {
                object = registry_find_pending(driver->domains, &uuid);
                if (!object)
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                  "no domain is on its way here with that cookie");
        }
        if (object)
                managed_run(object, MANAGED_IN_TURN, finish_work, request_done, request);
        else
                managed_fail(error, request_done, request);
}

/* ---- cancelling ---- */

static bool cancel_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        struct request *request = data;

        request->arrived = domain_arrival_is_accepted(domain->driver, request->cookie);
        request->undefined = !object->current || !object->current->persistent;
        if (!request->arrived && is_cookie_of(domain->arrival, request->cookie))
                end_waiting(domain);
        return true;
}

void domain_arrival_cancel(struct domain_driver *driver, const char *cookie, domain_arrival_done done,
                           void *data)
{
        struct request *request = request_new(driver, cookie, done, data);
        struct managed *object;
        GError *error = NULL;
        struct uuid uuid;

        if (!driver->arrival_dir)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "Cancel");
        else
                domain_arrival_read_cookie(cookie, &uuid, &error);
        if (error) {
                managed_fail(error, request_done, request);
                return;
        }
        object = registry_find_pending(driver->domains, &uuid);
        if (object) {
                managed_run(object, MANAGED_IN_TURN, cancel_work, request_done, request);
                return;
        }
        /* It came and has ended, or never came. The mark is in memory: to look waits for no disk. */
        request->arrived = domain_arrival_is_accepted(driver, cookie);
        request->undefined = true;
        request_done(NULL, NULL, request);
}

void domain_arrival_confirm(struct domain_driver *driver, const char *cookie, domain_arrival_done done,
                            void *data)
{
        struct request *request = request_new(driver, cookie, done, data);
        g_autoptr(GError) error = NULL;
        struct uuid uuid;

        if (!driver->arrival_dir)
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "Confirm");
        else if (domain_arrival_read_cookie(cookie, &uuid, &error))
                unaccept(driver, cookie); /* in memory, too */
        request_done(NULL, error, request);
}
