/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model, reading side: the kind, lookups, lists, and what is answered from published states. Loop
 * thread, but for what a driver calls from a lane (domain_publish() and below).
 */
#include "drivers/domain/domain.h"

#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "drivers/domain/driver.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/migrate.h"
#include "drivers/domain/model.h"
#include "drivers/domain/power.h"
#include "drivers/domain/save.h"
#include "drivers/domain/takings.h"
#include "drivers/domain/modify.h"
#include "drivers/security/apparmor.h"
#include "drivers/security/svirt.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* virConnectListAllDomainsFlags */
enum list_flags {
        LIST_ACTIVE = 1 << 0,
        LIST_INACTIVE = 1 << 1,
        LIST_PERSISTENT = 1 << 2,
        LIST_TRANSIENT = 1 << 3,
        LIST_RUNNING = 1 << 4,
        LIST_PAUSED = 1 << 5,
        LIST_SHUTOFF = 1 << 6,
        LIST_OTHER = 1 << 7,
        LIST_MANAGEDSAVE = 1 << 8,
        LIST_NO_MANAGEDSAVE = 1 << 9,
        LIST_AUTOSTART = 1 << 10,
        LIST_NO_AUTOSTART = 1 << 11,
        LIST_HAS_SNAPSHOT = 1 << 12,
        LIST_NO_SNAPSHOT = 1 << 13,
        LIST_HAS_CHECKPOINT = 1 << 14,
        LIST_NO_CHECKPOINT = 1 << 15,
};

/* Filters exclude only when one flag of their group is given. */
static const unsigned list_groups[] = {
        LIST_ACTIVE | LIST_INACTIVE,
        LIST_PERSISTENT | LIST_TRANSIENT,
        LIST_RUNNING | LIST_PAUSED | LIST_SHUTOFF | LIST_OTHER,
        LIST_MANAGEDSAVE | LIST_NO_MANAGEDSAVE,
        LIST_AUTOSTART | LIST_NO_AUTOSTART,
        LIST_HAS_SNAPSHOT | LIST_NO_SNAPSHOT,
        LIST_HAS_CHECKPOINT | LIST_NO_CHECKPOINT,
};

/* ---- the kind ---- */

static struct definition *kind_parse(void *context, const char *xml, GError **error)
{
        struct domain_def *def = domain_def_parse_stored(xml, error);

        return def ? &def->base : NULL;
}

static void kind_state_copy(struct managed_state *to, const struct managed_state *from)
{
        struct domain_state *state = (struct domain_state *)to;

        state->owner = g_strdup(state->owner);
}

static void kind_state_clear(struct managed_state *state)
{
        g_free(((struct domain_state *)state)->owner);
}

static void kind_state_defined(struct managed_state *state)
{
        ((struct domain_state *)state)->updated = state->active != NULL;
}

static void kind_object_init(struct managed *object, void *context)
{
        domain_from(object)->driver = context;
        domain_from(object)->ending_fd = -1;
}

static void kind_object_clear(struct managed *object)
{
        struct domain *domain = domain_from(object);

        takings_free(domain->takings);
        domain_known_free(domain->known);
        domain_image_free(domain->kept);
        domain_arrival_free(domain->arrival);
        if (domain->live)
                domain->driver->ops->live_free(domain);
        if (domain->ending_fd >= 0)
                close(domain->ending_fd);
}

const struct managed_kind domain_kind = {
        .noun = "domain",
        .from = ERROR_FROM_DOMAIN,
        .missing = ERROR_NO_DOMAIN,
        .exists = ERROR_OPERATION_FAILED,
        .object_size = sizeof(struct domain),
        .state_size = sizeof(struct domain_state),
        .parse = kind_parse,
        .definition_free = domain_def_free,
        .state_copy = kind_state_copy,
        .state_clear = kind_state_clear,
        .state_defined = kind_state_defined,
        .object_init = kind_object_init,
        .object_clear = kind_object_clear,
        .event_free = domain_event_free,
};

/* ---- the driver's part of the model ---- */

/* Keeps the index by id in step; the first listener of every registry of domains. */
static void follow_id(const struct registry_change *change, void *data)
{
        struct domain_driver *driver = data;
        const struct domain_state *before = (const struct domain_state *)change->before;
        const struct domain_state *after = (const struct domain_state *)change->after;
        int old_id = before ? before->id : 0, new_id = after ? after->id : 0;

        if (old_id == new_id)
                return;
        if (old_id)
                g_hash_table_remove(driver->by_id, GINT_TO_POINTER(old_id));
        if (new_id)
                g_hash_table_insert(driver->by_id, GINT_TO_POINTER(new_id), change->object);
}

void domain_driver_init(struct domain_driver *driver, const struct domain_driver_ops *ops, struct loop *loop,
                        struct pool *pool, const struct host *host, const char *directory)
{
        driver->ops = ops;
        driver->loop = loop;
        driver->pool = pool;
        driver->host = host;
        driver->by_id = g_hash_table_new(NULL, NULL);
        driver->domains = registry_new(&domain_kind, driver, loop, pool, directory);
        registry_listen(driver->domains, follow_id, driver);
        driver->power = domain_power_new(driver);
        domain_asking_init(driver);
}

void domain_driver_done(struct domain_driver *driver)
{
        domain_unfollow_usb(driver);
        domain_asking_done(driver);
        domain_dump_crashes(driver);
        domain_power_free(driver->power);
        registry_free(driver->domains);
        g_hash_table_unref(driver->by_id);
        g_free(driver->boot_mark);
        g_free(driver->save_dir);
        g_free(driver->dump_dir);
        g_free(driver->arrival_dir);
}

struct domain *domain_driver_reserve(struct domain_driver *driver, const struct domain_def *def,
                                     GError **error)
{
        return domain_from(registry_reserve(driver->domains, &def->base, error));
}

struct domain_power *domain_driver_get_power(const struct domain_driver *driver)
{
        return driver->power;
}

const struct host *domain_driver_get_host(const struct domain_driver *driver)
{
        return driver->host;
}

struct registry *domain_driver_get_registry(const struct domain_driver *driver)
{
        return driver->domains;
}

void domain_driver_set_reporter(struct domain_driver *driver, domain_reporter report, void *data)
{
        driver->report = report;
        driver->report_data = data;
}

void domain_report(struct domain *domain, const GError *error, const char *what)
{
        struct domain_driver *driver = domain->driver;

        log_gerror(LOG_LEVEL_ERROR, error, "%s '%s'", what, domain->base.name);
        if (driver->report)
                driver->report(driver, domain, error, driver->report_data);
}

void domain_event_make_error(const struct registry_change *change, GError **error)
{
        error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                  "the agent cannot control domain '%s' any more",
                  managed_state_get_name(change->after ? change->after : change->before));
}

void domain_driver_set_sources(struct domain_driver *driver, const struct domain_sources *sources)
{
        driver->storage = sources->storage;
        driver->secrets = sources->secrets;
        driver->networks = sources->networks;
        driver->nwfilters = sources->nwfilters;
        driver->node_devices = sources->node_devices;
        driver->jobs = sources->jobs;
        domain_follow_usb(driver);
        domain_restore_takings(driver);
        domain_departures_resume(driver);
        domain_dump_crashes(driver);
}

uint64_t domain_driver_get_version(struct domain_driver *driver, GError **error)
{
        return driver->ops->get_version(driver, error);
}

unsigned domain_driver_get_max_vcpus(struct domain_driver *driver, const char *type, GError **error)
{
        return driver->ops->get_max_vcpus(driver, type, error);
}

void domain_driver_get_security_model(struct domain_driver *driver, const char **model, const char **doi)
{
        driver->ops->get_security_model(driver, model, doi);
}

void domain_get_capabilities(struct domain_driver *driver, domain_text_done done, void *data)
{
        driver->ops->capabilities(driver, done, data);
}

void domain_get_domain_capabilities(struct domain_driver *driver, const char *emulator, const char *arch,
                                    const char *machine, const char *type, unsigned flags,
                                    domain_text_done done, void *data)
{
        g_autoptr(GError) error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetDomainCapabilities", &error))
                driver->ops->domain_capabilities(driver, emulator, arch, machine, type, done, data);
        else
                done(NULL, error, data);
}

/* ---- shared by the model's files ---- */

void domain_publish(struct domain *domain, struct domain_state *state, struct managed_event *event)
{
        const struct domain_driver_ops *ops = domain->driver->ops;

        if (state->state != DOMAIN_PAUSED)
                state->sleeps = false;
        if (state->base.active && ops->save_status)
                ops->save_status(domain, state);
        managed_publish(&domain->base, &state->base, event);
}

bool domain_require_idle(const struct domain *domain, GError **error)
{
        if (!domain->work)
                return true;
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID, "domain '%s' is busy with '%s'",
                         managed_get_current_name(&domain->base), domain->work);
}

/* ---- what a driver reports from the lane ---- */

void domain_stopped(struct domain *domain, int shutoff_reason, int event_detail)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);

        /* Before anybody hears of the end, and may want to have it. */
        takings_give_back(g_steal_pointer(&domain->takings));
        managed_state_take_active(&state->base, NULL);
        domain->work = NULL;
        domain->departs = domain->may_run = false;
        g_clear_pointer(&domain->arrival, domain_arrival_free);
        state->has_image = domain->has_save;
        state->resumes = domain->has_save && domain->save_resumes;
        g_clear_pointer(&state->owner, g_free);
        state->id = 0;
        state->pid = 0;
        state->updated = false;
        state->state = DOMAIN_SHUTOFF;
        state->reason = shutoff_reason;
        domain_publish(domain, state, managed_event_new(DOMAIN_EVENT_STOPPED, event_detail));
}

void domain_transition(struct domain *domain, enum domain_run_state run_state, int reason, int event_type,
                       int event_detail)
{
        const struct domain_state *current = domain_get_current(domain);

        if (current && current->base.active && current->state != run_state)
                domain_set_state(domain, run_state, reason, event_type, event_detail);
}

void domain_set_state(struct domain *domain, enum domain_run_state run_state, int reason, int event_type,
                      int event_detail)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);

        state->state = run_state;
        state->reason = reason;
        domain_publish(domain, state, managed_event_new(event_type, event_detail));
}

void domain_update_active(struct domain *domain, struct domain_def *def)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);

        managed_state_take_active(&state->base, &def->base);
        domain_publish(domain, state, NULL);
}

/* A save that the guest was started from, or that was given up, must not be started from once more. */
void domain_adopt(struct domain *domain, struct domain_state *state)
{
        g_autoptr(GError) error = NULL;

        managed_publish(&domain->base, &state->base, NULL);
        if (domain->has_save && !domain_managed_save_drop(domain, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "a managed save of a domain that runs stays");
}

/* ---- lookups ---- */

struct domain *domain_lookup_id(struct domain_driver *driver, int id, GError **error)
{
        struct domain *domain = id > 0 ? g_hash_table_lookup(driver->by_id, GINT_TO_POINTER(id)) : NULL;

        if (!domain)
                error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_DOMAIN, "no domain with matching id %d", id);
        return domain;
}

struct domain *domain_lookup_name(struct domain_driver *driver, const char *name, GError **error)
{
        return domain_from(registry_lookup_name(driver->domains, name, error));
}

struct domain *domain_lookup_uuid(struct domain_driver *driver, const char *uuid, GError **error)
{
        return domain_from(registry_lookup_uuid(driver->domains, uuid, error));
}

static unsigned describe(const void *object)
{
        static const struct managed_flags common = {
                .active = LIST_ACTIVE,
                .inactive = LIST_INACTIVE | LIST_SHUTOFF,
                .persistent = LIST_PERSISTENT,
                .transient = LIST_TRANSIENT,
                .autostart = LIST_AUTOSTART,
                .no_autostart = LIST_NO_AUTOSTART,
        };
        const struct domain_state *state = domain_get_published(object);
        unsigned bits = LIST_NO_SNAPSHOT | LIST_NO_CHECKPOINT |
                        (state->has_image ? LIST_MANAGEDSAVE : LIST_NO_MANAGEDSAVE) |
                        managed_state_describe(&state->base, &common);

        if (!state->base.active)
                return bits;
        if (state->state == DOMAIN_RUNNING)
                return bits | LIST_RUNNING;
        return bits | (state->state == DOMAIN_PAUSED ? LIST_PAUSED : LIST_OTHER);
}

static const struct filter list_filter = {
        .groups = list_groups,
        .n_groups = G_N_ELEMENTS(list_groups),
        .describe = describe,
};

GPtrArray *domain_list(struct domain_driver *driver, unsigned flags, GError **error)
{
        return registry_select(driver->domains, &list_filter, flags, "ListDomains", error);
}

/* ---- reads ---- */

bool domain_is_active(const struct domain *domain)
{
        return domain->base.published->active != NULL;
}

bool domain_is_updated(const struct domain *domain)
{
        return domain_get_published(domain)->updated;
}

bool domain_get_state(const struct domain *domain, unsigned flags, int *state, int *reason, GError **error)
{
        const struct domain_state *published = domain_get_published(domain);

        if (!flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetState", error))
                return false;
        *state = published->base.active ? (int)published->state : (int)DOMAIN_SHUTOFF;
        *reason = published->reason;
        return true;
}

/* utime and stime of proc_pid_stat(5), all threads of the process together. */
static uint64_t read_cpu_time(pid_t pid)
{
        char path[sizeof("/proc//stat") + 3 * sizeof(pid)], line[1024];
        unsigned long long user = 0, system = 0;
        const char *tail;
        FILE *file;
        size_t length;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        file = fopen(path, "re");
        if (!file)
                return 0;
        length = fread(line, 1, sizeof(line) - 1, file);
        fclose(file);
        line[length] = '\0';
        tail = strrchr(line, ')');
        if (!tail ||
            sscanf(tail + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
                return 0;
        return (user + system) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
}

void domain_get_info(const struct domain *domain, struct domain_info *info)
{
        const struct domain_state *state = domain_get_published(domain);
        const struct domain_def *def = domain_state_get_def(state);

        *info = (struct domain_info){
                .state = state->base.active ? state->state : DOMAIN_SHUTOFF,
                .max_memory_kib = def->memory_kib,
                .memory_kib = def->current_memory_kib,
                .vcpus = def->vcpus,
                .cpu_time_ns = state->pid ? read_cpu_time(state->pid) : 0,
        };
}

/* Accounts enforce nothing beyond what the kernel does anyway, as in libvirt. */
static bool is_enforcing(const struct domain *domain, const struct domain_seclabel *label)
{
        const struct domain_state *state = domain_get_published(domain);

        if (g_strcmp0(label->model, SVIRT_MODEL) == 0)
                return svirt_is_enforcing();
        return g_strcmp0(label->model, APPARMOR_MODEL) == 0 && state->pid > 0 &&
               apparmor_is_enforcing(state->pid);
}

GArray *domain_list_security_labels(const struct domain *domain)
{
        const struct domain_def *def = (const struct domain_def *)domain->base.published->active;
        GArray *labels = g_array_new(FALSE, FALSE, sizeof(struct domain_security_label));

        for (unsigned i = 0; def && i < def->n_seclabels; i++) {
                const struct domain_seclabel *seclabel = &def->seclabels[i];
                bool first = g_strcmp0(seclabel->model, "dac") != 0;
                const struct domain_security_label label = { seclabel->label,
                                                             is_enforcing(domain, seclabel) };

                if (label.label)
                        g_array_insert_val(labels, first ? 0 : labels->len, label);
        }
        return labels;
}

bool domain_get_metadata(const struct domain *domain, int type, const char *uri, unsigned flags, char **text,
                         GError **error)
{
        const struct domain_def *def;

        if (!flags_check(flags, DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG, ERROR_FROM_DOMAIN, "GetMetadata",
                         error))
                return false;
        def = domain_choose_def(domain->base.published, flags, error);
        if (!def)
                return false;
        switch (type) {
        case DOMAIN_METADATA_DESCRIPTION:
                *text = g_strdup(def->description);
                break;
        case DOMAIN_METADATA_TITLE:
                *text = g_strdup(def->title);
                break;
        case DOMAIN_METADATA_ELEMENT:
                *text = domain_def_get_metadata(def, uri, error);
                return *text != NULL;
        default:
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "unknown metadata type %d",
                                 type);
        }
        if (!*text)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_DOMAIN_METADATA, "domain '%s' has no %s",
                                 def->base.name, type == DOMAIN_METADATA_TITLE ? "title" : "description");
        return true;
}
