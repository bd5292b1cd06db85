/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting a domain: an operation that has the domain to itself. What the guest needs of other objects is
 * taken in their lanes before the guest is started in its own, and goes back when the start fails; a start
 * that succeeds leaves it with the domain until the guest ends (domain_stopped()).
 */
#include "base/operation.h"
#include "base/log.h"
#include "drivers/domain/migrate.h"
#include "drivers/domain/model.h"
#include "drivers/domain/save.h"
#include "drivers/domain/takings.h"

#include <string.h>

struct start {
        struct operation base;
        /* what was asked */
        unsigned flags;
        char *owner; /* owned; NULL: nobody */
        managed_done done;
        void *data; /* owned by done */
        /* between the steps */
        struct domain_def *def;     /* ref; given, or the persistent one when its turn came */
        bool is_given;              /* const */
        bool is_managed;            /* the image is the domain's managed save */
        struct domain_image *image; /* owned; what it goes on with, NULL: it boots */
        struct domain_arrival
                *arrival;  /* owned, until the domain has it; it comes from another host, NULL: no */
        GPtrArray *looked; /* owned; takings_look() */
        struct domain_takings *takings; /* owned, until the domain has them */
};

static struct start *start_of(struct operation *op)
{
        return (struct start *)op;
}

static struct domain *domain_of(const struct operation *op)
{
        return domain_from(op->object);
}

/* ---- steps ---- */

/* The guest that was saved, not the one that is defined, goes on. */
static bool open_managed(struct start *start, GError **error)
{
        struct domain *domain = domain_of(&start->base);

        start->image = domain_managed_save_open(domain, error);
        start->def = start->image ? domain_def_parse_stored(start->image->xml, error) : NULL;
        if (!start->def) {
                g_prefix_error(error,
                               "the managed save of domain '%s' cannot be used (the flag FORCE_BOOT starts "
                               "without it): ",
                               managed_get_current_name(&domain->base));
                return false;
        }
        start->is_managed = true;
        start->image->bypass_cache = start->flags & DOMAIN_START_BYPASS_CACHE;
        if (!start->image->runs)
                start->flags |= DOMAIN_START_PAUSED;
        if (memcmp(&start->def->base.uuid, &domain->base.uuid, sizeof(struct uuid)) == 0)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                         "the managed save of domain '%s' is another domain's",
                         managed_get_current_name(&domain->base));
}

static bool choose_def(struct start *start, GError **error)
{
        struct domain *domain = domain_of(&start->base);

        if (start->flags & DOMAIN_START_FORCE_BOOT && !domain_managed_save_drop(domain, error))
                return false;
        if (domain->has_save)
                return open_managed(start, error);
        start->def = domain_def_ref(domain_def_of(domain->base.current->persistent));
        return true;
}

static bool check(struct operation *op, GError **error)
{
        struct managed *object = op->object;
        struct start *start = start_of(op);

        domain_of(op)->start_cancelled = false;
        if (start->is_given && object->current && object->current->active)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain is already active as '%s'", managed_get_current_name(object));
        if (!start->is_given && (!managed_require_inactive(object, error) || !choose_def(start, error)))
                return false;
        return true;
}

static void note_failure(struct domain *domain)
{
        const struct domain_state *current = domain_get_current(domain);
        struct domain_state *state;

        if (!current || current->base.active || current->reason == DOMAIN_SHUTOFF_FAILED)
                return;
        state = (struct domain_state *)managed_edit(&domain->base);
        state->reason = DOMAIN_SHUTOFF_FAILED;
        domain_publish(domain, state, NULL);
}

/*
 * It does not start. A Destroy that is behind it, and cancelled it, has reached what it is for; else its
 * state tells why it is off.
 */
static void note_end(struct operation *op)
{
        domain_of(op)->start_cancelled = operation_is_cancelled(op);
        if (!operation_is_cancelled(op))
                note_failure(domain_of(op));
}

/* What was made of a document that we wrote is read as it is; it is still that guest. */
static bool take_text(struct start *start, const char *operation, const char *text, GError **error)
{
        CLEANUP(domain_def_unref) struct domain_def *def = domain_def_parse_stored(text, error);

        if (!def || !domain_def_check_same_guest(start->def, def, error)) {
                g_prefix_error(error, "the document that a hook has made at '%s' of domain '%s': ", operation,
                               start->def->base.name);
                return false;
        }
        domain_def_unref(start->def);
        start->def = g_steal_pointer(&def);
        return true;
}

/* What goes on may have to be another's on this host: the administrator's programs know. */
static bool adapt(struct operation *op, GError **error)
{
        struct start *start = start_of(op);
        struct domain *domain = domain_of(op);
        const char *operation = start->arrival ? "migrate" : "restore";
        g_autofree char *text = NULL;

        if ((start->image || start->arrival) && domain->driver->ops->adapt &&
            (!domain->driver->ops->adapt(domain, start->def, operation, &text, error) ||
             (text && !take_text(start, operation, text, error))))
                return false;
        start->looked = takings_look(domain->driver, start->def, NULL);
        return true;
}

static bool find_out(struct operation *op, GError **error)
{
        struct start *start = start_of(op);

        start->takings = takings_new(domain_of(op)->driver, start->def);
        return takings_check(start->takings, error) &&
               takings_take_devices(start->takings, g_steal_pointer(&start->looked), error);
}

static void drop_devices(struct operation *op)
{
        takings_drop_devices(start_of(op)->takings);
}

static struct managed *get_owner(struct operation *op, unsigned index)
{
        return takings_get_owner(start_of(op)->takings, index);
}

static bool take(struct operation *op, unsigned index, GError **error)
{
        return takings_take(start_of(op)->takings, index, error);
}

static void drop(struct operation *op, unsigned index)
{
        takings_drop(start_of(op)->takings, index);
}

static bool take_secrets(struct operation *op, GError **error)
{
        if (!takings_take_port_devices(start_of(op)->takings, error))
                return false;
        takings_take_secrets(start_of(op)->takings, domain_of(op)->driver, start_of(op)->def);
        takings_take_addresses(start_of(op)->takings, domain_of(op)->driver, start_of(op)->def);
        return true;
}

/* Positive, never 0: an inactive domain's id is 0 on the bus. */
static int next_id(struct domain_driver *driver)
{
        int id;

        do
                id = g_atomic_int_add(&driver->last_id, 1) + 1;
        while (id <= 0 && !g_atomic_int_compare_and_exchange(&driver->last_id, id, 0));
        return id > 0 ? id : 1;
}

static struct domain_state *make_state(const struct start *start, struct domain_def *def)
{
        struct domain *domain = domain_of(&start->base);
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);
        bool paused = start->flags & DOMAIN_START_PAUSED;

        state->id = next_id(domain->driver);
        state->updated = false;
        state->state = paused ? DOMAIN_PAUSED : DOMAIN_RUNNING;
        state->reason = start->image ? (int)DOMAIN_RUNNING_RESTORED : (int)DOMAIN_RUNNING_BOOTED;
        if (paused)
                state->reason = start->arrival ? (int)DOMAIN_PAUSED_MIGRATION : (int)DOMAIN_PAUSED_USER;
        if (start->flags & DOMAIN_START_AUTODESTROY) {
                g_free(state->owner);
                state->owner = g_strdup(start->owner);
        }
        managed_state_take_active(&state->base, &domain_def_ref(def)->base);
        return state;
}

/* The guest has gone on: what it was saved as is of the past, whichever way it was started. */
static void forget_save(struct domain *domain)
{
        g_autoptr(GError) error = NULL;

        if (!domain_managed_save_drop(domain, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "a managed save that is used up stays");
}

/* Nobody answers yet, or again; AgentEvent tells when that changes. */
static void announce_agent(struct domain *domain, const struct domain_def *def)
{
        /* virConnectDomainEventAgentLifecycleState and -Reason: the domain started */
        enum { CONNECTED = 1, DISCONNECTED = 2, BY_START = 1 };
        const char *name = domain->driver->ops->agent_channel;

        for (unsigned i = 0; name && i < def->devices.n_chars; i++) {
                const struct domain_char *chr = &def->devices.chars[i];
                struct domain_event *event;

                if (chr->kind != DOMAIN_CHAR_CHANNEL || g_strcmp0(chr->target_name, name) != 0)
                        continue;
                event = domain_event_new(DOMAIN_EVENT_AGENT);
                event->base.type = g_strcmp0(chr->target_state, "connected") == 0 ? CONNECTED : DISCONNECTED;
                event->base.detail = BY_START;
                managed_emit(&domain->base, &event->base);
        }
}

static void announce_start(const struct start *start, struct domain *domain, struct domain_state *state)
{
        int detail = start->image ? DOMAIN_EVENT_STARTED_RESTORED : DOMAIN_EVENT_STARTED_BOOTED;

        if (start->arrival)
                detail = DOMAIN_EVENT_STARTED_MIGRATED;
        domain_publish(domain, state, managed_event_new(DOMAIN_EVENT_STARTED, detail));
        if (start->flags & DOMAIN_START_PAUSED && !start->arrival)
                managed_emit(&domain->base, managed_event_new(DOMAIN_EVENT_SUSPENDED,
                                                              start->image ? DOMAIN_EVENT_SUSPENDED_RESTORED
                                                                           : DOMAIN_EVENT_SUSPENDED_PAUSED));
        announce_agent(domain, domain_state_get_def(domain_get_current(domain)));
}

/* Nobody does anything with it before it is here, nor with what it was saved as. */
static void wait_for_arrival(struct start *start, struct domain *domain)
{
        domain->arrival = g_steal_pointer(&start->arrival);
        domain->work = "migration";
}

/* Its definition may be on its way to another host, where it may be started. Drivers say that one runs. */
static bool require_not_leaving(const struct domain *domain, GError **error)
{
        const struct managed_state *current = domain->base.current;

        return (current && current->active) || domain_require_idle(domain, error);
}

static bool start_guest(struct operation *op, GError **error)
{
        struct start *start = start_of(op);
        struct domain *domain = domain_of(op);
        CLEANUP(domain_def_unref)
        struct domain_def *plugged = takings_place_ports(start->takings, start->def, error);
        struct domain_state *state = plugged ? make_state(start, plugged) : NULL;
        const struct domain_start how = { start->flags, start->takings, start->image, start->arrival };

        if (!state)
                return false;
        if (!require_not_leaving(domain, error)) {
                managed_state_unref(&state->base);
                return false;
        }
        if (!domain->driver->ops->start(domain, state, &how, error)) {
                takings_drop_filter(start->takings, NULL);
                managed_state_unref(&state->base);
                return false;
        }
        domain->takings = g_steal_pointer(&start->takings);
        takings_note_targets(domain->takings, domain_state_get_def(state));
        announce_start(start, domain, state);
        if (start->arrival)
                wait_for_arrival(start, domain);
        else if (domain->has_save)
                forget_save(domain);
        return true;
}

static void answer(struct operation *op, const GError *error)
{
        const struct start *start = start_of(op);

        start->done(op->object, error, start->data);
}

static void clear(struct operation *op)
{
        struct start *start = start_of(op);

        domain_def_unref(start->def);
        if (start->looked)
                g_ptr_array_unref(start->looked);
        takings_free(start->takings);
        domain_image_free(start->image);
        domain_arrival_free(start->arrival);
        g_free(start->owner);
}

static const struct operation_step steps[] = {
        { .place = OPERATION_OBJECT, .run = check, .undo = note_end },
        { .place = OPERATION_OBJECT, .run = adapt },
        { .place = OPERATION_LOOP, .run = find_out, .undo = drop_devices },
        { .place = OPERATION_OTHERS, .other = get_owner, .visit = take, .leave = drop },
        { .place = OPERATION_LOOP, .run = take_secrets },
        { .place = OPERATION_OBJECT, .run = start_guest },
};

static const struct operation_kind start_kind = {
        .name = "start",
        .number = 1, /* VIR_DOMAIN_JOB_OPERATION_START */
        .steps = steps,
        .n_steps = G_N_ELEMENTS(steps),
        .size = sizeof(struct start),
        .alone = true,
        .done = answer,
        .clear = clear,
};

/* ---- what starts ---- */

#define START_FLAGS                                                                                          \
        (DOMAIN_START_PAUSED | DOMAIN_START_AUTODESTROY | DOMAIN_START_BYPASS_CACHE |                        \
         DOMAIN_START_FORCE_BOOT | DOMAIN_START_RESET_NVRAM)

/* How it was asked for. */
struct request {
        struct domain_driver *driver; /* borrowed */
        unsigned flags;
        char *owner; /* owned */
        domain_queued queued;
        managed_done done;
        void *data; /* owned by done */
};

/* Takes owner and def, which may be NULL: the persistent one. */
static void run(struct managed *object, struct domain_def *def, const struct request *request)
{
        struct start *start = (struct start *)operation_new(&start_kind, object, NULL);

        start->flags = request->flags;
        start->owner = request->owner;
        start->done = request->done;
        start->data = request->data;
        start->def = def;
        start->is_given = def != NULL;
        operation_run(&start->base);
}

void domain_create(struct domain *domain, unsigned flags, const char *owner, managed_done done, void *data)
{
        const struct request request = { domain->driver, flags, g_strdup(owner), NULL, done, data };
        GError *error = NULL;

        if (flags_check(flags, START_FLAGS, ERROR_FROM_DOMAIN, "Create", &error)) {
                run(&domain->base, NULL, &request);
                return;
        }
        g_free(request.owner);
        managed_fail(error, done, data);
}

static void parsed(struct domain_def *def, const GError *failure, void *data)
{
        g_autofree struct request *request = data;
        g_autoptr(GError) error = NULL;
        struct managed *object = NULL;

        if (def)
                object = registry_reserve(request->driver->domains, &def->base, &error);
        if (object) {
                run(object, def, request);
                request->queued(request->data);
                return;
        }
        request->done(NULL, def ? error : failure, request->data);
        domain_def_unref(def);
        g_free(request->owner);
}

static bool check_files(const struct domain_driver *driver, const char *function, GError **error)
{
        return driver->ops->takes_files ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT,
                         "%s: files are for the first process of a container", function);
}

void domain_create_with_files(struct domain *domain, unsigned n_files, unsigned flags, const char *owner,
                              managed_done done, void *data)
{
        GError *error = NULL;

        if (check_files(domain->driver, "CreateWithFiles", &error))
                domain_create(domain, flags, owner, done, data);
        else
                managed_fail(error, done, data);
}

void domain_create_xml(struct domain_driver *driver, const char *xml, unsigned flags, const char *owner,
                       domain_queued queued, managed_done done, void *data)
{
        struct request *request;
        GError *error = NULL;

        if (!flags_check(flags, START_FLAGS | DOMAIN_START_VALIDATE, ERROR_FROM_DOMAIN, "DomainCreateXML",
                         &error)) {
                managed_fail(error, done, data);
                return;
        }
        request = g_new(struct request, 1);
        *request = (struct request){ driver, flags, g_strdup(owner), queued, done, data };
        domain_parse(driver, xml, flags & DOMAIN_START_VALIDATE, parsed, request);
}

void domain_create_xml_with_files(struct domain_driver *driver, const char *xml, unsigned n_files,
                                  unsigned flags, const char *owner, domain_queued queued, managed_done done,
                                  void *data)
{
        GError *error = NULL;

        if (check_files(driver, "DomainCreateXMLWithFiles", &error))
                domain_create_xml(driver, xml, flags, owner, queued, done, data);
        else
                managed_fail(error, done, data);
}

void domain_start_image(struct managed *object, struct domain_def *def, struct domain_image *image,
                        unsigned flags, managed_done done, void *data)
{
        struct start *start = (struct start *)operation_new(&start_kind, object, NULL);

        start->flags = flags;
        start->done = done;
        start->data = data;
        start->def = def;
        start->is_given = true;
        start->image = image;
        operation_run(&start->base);
}

void domain_start_arrival(struct managed *object, struct domain_def *def, struct domain_arrival *arrival,
                          const char *owner, managed_done done, void *data)
{
        struct start *start = (struct start *)operation_new(&start_kind, object, NULL);

        start->flags = DOMAIN_START_PAUSED | DOMAIN_START_AUTODESTROY;
        start->owner = g_strdup(owner);
        start->done = done;
        start->data = data;
        start->def = def;
        start->is_given = true;
        start->arrival = arrival;
        operation_run(&start->base);
}

/* ---- guests that run already ---- */

static bool keep_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        struct domain_takings **takings = data;

        if (object->current && object->current->active && !domain->takings)
                domain->takings = g_steal_pointer(takings);
        takings_give_back(g_steal_pointer(takings));
        return true;
}

static void keep_done(struct managed *object, const GError *error, void *data)
{
        g_free(data);
}

void domain_restore_takings(struct domain_driver *driver)
{
        g_autoptr(GPtrArray) domains = registry_list(driver->domains);

        for (unsigned i = 0; i < domains->len; i++) {
                struct domain *domain = g_ptr_array_index(domains, i);
                struct domain_takings **takings;
                const struct domain_def *def;

                if (!domain_is_active(domain))
                        continue;
                takings = g_new(struct domain_takings *, 1);
                def = domain_def_of(domain->base.published->active);
                *takings = takings_new(driver, def);
                /* Before anybody is served, so the loop may look. */
                takings_restore(*takings, takings_look(driver, def, NULL));
                takings_restore_filters(*takings, def);
                managed_run(&domain->base, MANAGED_IN_TURN, keep_work, keep_done, takings);
        }
}
