/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics of one thing: of the memory, a disk, an interface, the CPUs of a domain. What a guest tells
 * comes from domain_ask(), what the host knows is measured in a lane of the call's own. Loop, but for
 * measure_work().
 */
#include "drivers/domain/stats.h"

#include "base/lane.h"
#include "base/loop.h"
#include "drivers/domain/stats-private.h"
#include "interfaces/counters.h"

#include <string.h>

/* ---- what the host knows ---- */

struct measuring {
        struct domain *domain;      /* ref */
        struct domain_state *state; /* ref */
        struct domain_measure measure;
        domain_measure_done done;
        void *data;
};

static void tell_measure(void *data)
{
        struct measuring *measuring = data;

        measuring->domain->driver->measuring--;
        measuring->done(measuring->state, &measuring->measure, NULL, measuring->data);
        domain_measure_clear(&measuring->measure);
        managed_state_unref(&measuring->state->base);
        managed_unref(&measuring->domain->base);
        g_free(measuring);
}

static void measure_work(void *data)
{
        struct measuring *measuring = data;
        const struct domain_driver *driver = measuring->domain->driver;
        CLEANUP(link_counters_free) struct link_counters *links = NULL;

        if (measuring->measure.parts & DOMAIN_MEASURE_INTERFACES)
                links = link_counters_read();
        measuring->measure.links = links;
        if (driver->ops->measure)
                driver->ops->measure(driver, measuring->state, &measuring->measure);
        loop_post(driver->loop, tell_measure, measuring);
}

void domain_get_measure(struct domain *domain, unsigned parts, domain_measure_done done, void *data)
{
        struct domain_state *state = (struct domain_state *)domain->base.published;
        struct measuring *measuring;
        struct lane *lane;
        g_autoptr(GError) error = NULL;

        if (!state->base.active) {
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID, "domain '%s' is not running",
                          managed_state_get_name(&state->base));
                done(NULL, NULL, error, data);
                return;
        }
        measuring = g_new0(struct measuring, 1);
        measuring->domain = (struct domain *)managed_ref(&domain->base);
        measuring->state = (struct domain_state *)managed_state_ref(&state->base);
        measuring->measure.parts = parts;
        measuring->done = done;
        measuring->data = data;
        domain->driver->measuring++;
        lane = lane_new(domain->driver->pool, domain->driver->loop, "measure");
        lane_post(lane, measure_work, measuring);
        lane_unref(lane);
}

/* ---- interfaces ---- */

struct interface_query {
        char *device; /* owned */
        domain_interface_stats_done done;
        void *data;
};

static bool find_interface(const struct domain_def *def, const char *device, unsigned *index, GError **error)
{
        const struct domain_interface *interface = domain_def_find_interface(def, device);
        g_autofree char *quoted = NULL;

        if (interface) {
                *index = (unsigned)(interface - def->devices.interfaces);
                return true;
        }
        quoted = error_quote(device);
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "domain '%s' has no interface '%s'",
                         def->base.name, quoted);
}

static void tell_interface(const struct domain_state *state, const struct domain_measure *measure,
                           const GError *failure, void *data)
{
        struct interface_query *query = data;
        const struct domain_interface_stats *stats = NULL;
        g_autoptr(GError) error = NULL;
        unsigned index;

        if (!failure && find_interface(domain_state_get_def(state), query->device, &index, &error)) {
                if (measure->interfaces && index < measure->interfaces->len)
                        stats = &g_array_index(measure->interfaces, struct domain_interface_stats, index);
                if (!stats || !stats->known) {
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                                  "the host has no link '%s' of domain '%s'", query->device,
                                  managed_state_get_name(&state->base));
                        stats = NULL;
                }
        }
        query->done(stats, failure ? failure : error, query->data);
        g_free(query->device);
        g_free(query);
}

void domain_get_interface_stats(struct domain *domain, const char *device, domain_interface_stats_done done,
                                void *data)
{
        struct interface_query *query = g_new(struct interface_query, 1);

        *query = (struct interface_query){ g_strdup(device), done, data };
        domain_get_measure(domain, DOMAIN_MEASURE_INTERFACES, tell_interface, query);
}

/* ---- CPUs ---- */

struct cpu_query {
        int start;
        unsigned count;
        domain_cpu_stats_done done;
        void *data;
};

static struct params *new_total(const struct domain_measure *measure)
{
        struct params *params = params_new();

        params_add_ulong(params, "cpu_time", measure->cpu_ns);
        params_add_ulong(params, "user_time", measure->user_ns);
        params_add_ulong(params, "system_time", measure->system_ns);
        return params;
}

static bool add_cpus(const struct cpu_query *query, const struct domain_measure *measure, GPtrArray *stats,
                     GError **error)
{
        const GArray *cpus = measure->cpus;

        if (!cpus)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_UNSUPPORTED,
                                 "this host does not count the CPU time of guests by CPU; ask for the total, "
                                 "from CPU -1");
        if ((unsigned)query->start >= cpus->len)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "CPU %d is out of range: there are %u", query->start, cpus->len);
        for (unsigned i = (unsigned)query->start; i < cpus->len && i - (unsigned)query->start < query->count;
             i++) {
                const struct domain_cpu_stats *cpu = &g_array_index(cpus, struct domain_cpu_stats, i);
                struct params *params = params_new();

                params_add_ulong(params, "cpu_time", cpu->cpu_ns);
                if (cpu->has_vcpus)
                        params_add_ulong(params, "vcpu_time", cpu->vcpu_ns);
                g_ptr_array_add(stats, params);
        }
        return true;
}

static void tell_cpus(const struct domain_state *state, const struct domain_measure *measure,
                      const GError *failure, void *data)
{
        g_autofree struct cpu_query *query = data;
        g_autoptr(GPtrArray) stats = g_ptr_array_new_with_free_func((GDestroyNotify)params_free);
        g_autoptr(GError) error = NULL;
        bool ok = false;

        if (!failure && query->start < 0) {
                ok = measure->has_process;
                if (ok)
                        g_ptr_array_add(stats, new_total(measure));
                else
                        error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                  "domain '%s' has no process any more",
                                  managed_state_get_name(&state->base));
        } else if (!failure) {
                ok = add_cpus(query, measure, stats, &error);
        }
        query->done(ok ? stats : NULL, failure ? failure : error, query->data);
}

void domain_get_cpu_stats(struct domain *domain, int start, unsigned count, unsigned flags,
                          domain_cpu_stats_done done, void *data)
{
        struct cpu_query *query;
        g_autoptr(GError) error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetCPUStats", &error) &&
            (start < -1 || count == 0 || (start == -1 && count != 1)))
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "%u CPUs from CPU %d on: there is one total (-1), and at least one CPU otherwise",
                          count, start);
        if (error) {
                done(NULL, error, data);
                return;
        }
        query = g_new(struct cpu_query, 1);
        *query = (struct cpu_query){ start, count, done, data };
        domain_get_measure(domain, start < 0 ? DOMAIN_MEASURE_PROCESS : DOMAIN_MEASURE_CPUS, tell_cpus,
                           query);
}

/* ---- memory ---- */

/* virDomainMemoryStatTags */
static const int balloon_tags[DOMAIN_BALLOON_TAGS] = {
        [DOMAIN_BALLOON_SWAP_IN] = 0,         [DOMAIN_BALLOON_SWAP_OUT] = 1,
        [DOMAIN_BALLOON_MAJOR_FAULTS] = 2,    [DOMAIN_BALLOON_MINOR_FAULTS] = 3,
        [DOMAIN_BALLOON_UNUSED] = 4,          [DOMAIN_BALLOON_AVAILABLE] = 5,
        [DOMAIN_BALLOON_USABLE] = 8,          [DOMAIN_BALLOON_LAST_UPDATE] = 9,
        [DOMAIN_BALLOON_DISK_CACHES] = 10,    [DOMAIN_BALLOON_HUGETLB_PGALLOC] = 11,
        [DOMAIN_BALLOON_HUGETLB_PGFAIL] = 12,
};
#define TAG_ACTUAL 6
#define TAG_RSS    7

struct memory_query {
        struct domain *domain; /* ref */
        GArray *stats;         /* owned; struct domain_memory_stat */
        domain_memory_stats_done done;
        void *data;
};

static void add_stat(GArray *stats, int tag, uint64_t value)
{
        const struct domain_memory_stat stat = { tag, value };

        g_array_append_val(stats, stat);
}

static void end_memory_query(struct memory_query *query, const GError *error)
{
        query->done(error ? NULL : query->stats, error, query->data);
        g_array_unref(query->stats);
        managed_unref(&query->domain->base);
        g_free(query);
}

static void add_measure(const struct domain_state *state, const struct domain_measure *measure,
                        const GError *error, void *data)
{
        struct memory_query *query = data;

        if (!error) {
                add_stat(query->stats, TAG_ACTUAL, domain_state_get_def(state)->current_memory_kib);
                if (measure->has_process)
                        add_stat(query->stats, TAG_RSS, measure->rss_kib);
        }
        end_memory_query(query, error);
}

static void add_balloon(const struct domain_answer *answer, const GError *error, void *data)
{
        struct memory_query *query = data;

        /* What the host knows of it is worth telling alone. */
        if (error && !error_is(error, ERROR_OPERATION_TIMEOUT)) {
                end_memory_query(query, error);
                return;
        }
        for (unsigned i = 0; answer && i < DOMAIN_BALLOON_TAGS; i++) {
                if (answer->balloon.known & (1u << i))
                        add_stat(query->stats, balloon_tags[i], answer->balloon.values[i]);
        }
        if (query->domain->base.published)
                domain_get_measure(query->domain, DOMAIN_MEASURE_PROCESS, add_measure, query);
        else
                end_memory_query(query, NULL);
}

void domain_get_memory_stats(struct domain *domain, unsigned flags, domain_memory_stats_done done, void *data)
{
        struct memory_query *query;
        g_autoptr(GError) error = NULL;

        if (!flags_check(flags, 0, ERROR_FROM_DOMAIN, "MemoryStats", &error)) {
                done(NULL, error, data);
                return;
        }
        query = g_new(struct memory_query, 1);
        *query = (struct memory_query){ (struct domain *)managed_ref(&domain->base),
                                        g_array_new(FALSE, FALSE, sizeof(struct domain_memory_stat)), done,
                                        data };
        domain_ask(domain, DOMAIN_PART_BALLOON, false, add_balloon, query);
}

/* ---- disks ---- */

static const struct domain_disk *find_disk(const struct domain_def *def, const char *name)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (strcmp(disk->target, name) == 0 || g_strcmp0(disk->source.path, name) == 0)
                        return disk;
        }
        return NULL;
}

struct disk_query {
        char *name;   /* owned; of the domain */
        char *target; /* owned; NULL: all disks */
        bool sizes;
        domain_image_stats_done done;
        void *data;
};

static void sum_up(const struct domain_answer *answer, struct domain_image_stats *sum)
{
        for (unsigned i = 0; i < answer->images->len; i++) {
                const struct domain_image_stats *image =
                        &g_array_index(answer->images, struct domain_image_stats, i);

                for (unsigned kind = 0; image->depth == 0 && kind < DOMAIN_IO_KINDS; kind++) {
                        sum->requests[kind] += image->requests[kind];
                        sum->bytes[kind] += image->bytes[kind];
                        sum->times_ns[kind] += image->times_ns[kind];
                }
        }
        sum->has_counters = true;
}

static void take_image(const struct domain_answer *answer, const GError *failure, void *data)
{
        struct disk_query *query = data;
        struct domain_image_stats sum = { 0 };
        const struct domain_image_stats *image = NULL;
        g_autoptr(GError) error = NULL;

        if (answer && query->target)
                image = domain_answer_find_disk(answer, query->target);
        else if (answer)
                sum_up(answer, &sum);
        if (answer && !query->target)
                image = &sum;
        if (!failure && (!image || !(query->sizes ? image->has_size : image->has_counters))) {
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_OPERATION_FAILED,
                          "%s of disk '%s' of domain '%s' are not known",
                          query->sizes ? "the sizes" : "counters", query->target, query->name);
                image = NULL;
        }
        query->done(image, failure ? failure : error, query->data);
        g_free(query->name);
        g_free(query->target);
        g_free(query);
}

static void query_disk(struct domain *domain, const char *target, bool sizes, domain_image_stats_done done,
                       void *data)
{
        struct disk_query *query = g_new(struct disk_query, 1);

        *query = (struct disk_query){ g_strdup(managed_state_get_name(domain->base.published)),
                                      g_strdup(target), sizes, done, data };
        domain_ask(domain, sizes ? DOMAIN_PART_BLOCK : DOMAIN_PART_BLOCK_COUNTERS, sizes, take_image, query);
}

/* The disk that is meant; NULL with an error. */
static const struct domain_disk *require_disk(const struct domain *domain, const char *name, GError **error)
{
        const struct domain_def *def = domain_state_get_def(domain_get_published(domain));
        const struct domain_disk *disk = find_disk(def, name);
        g_autofree char *quoted = error_quote(name);

        if (!disk)
                error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG, "domain '%s' has no disk '%s'",
                          def->base.name, quoted);
        return disk;
}

void domain_get_block_stats(struct domain *domain, const char *disk, domain_image_stats_done done, void *data)
{
        const struct domain_disk *found = NULL;
        g_autoptr(GError) error = NULL;

        if (*disk && domain_is_active(domain)) {
                found = require_disk(domain, disk, &error);
                if (!found) {
                        done(NULL, error, data);
                        return;
                }
        }
        query_disk(domain, found ? found->target : NULL, false, done, data);
}

static bool has_medium(const struct domain_storage *source)
{
        return source->path || source->volume || source->network || source->vhost_user || source->nvme;
}

void domain_get_block_info(struct domain *domain, const char *disk, unsigned flags,
                           domain_image_stats_done done, void *data)
{
        const struct domain_disk *found = NULL;
        g_autoptr(GError) error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetBlockInfo", &error))
                found = require_disk(domain, disk, &error);
        if (found && !has_medium(&found->source)) {
                error_set(&error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                          "disk '%s' of domain '%s' has no medium", found->target, domain->base.name);
                found = NULL;
        }
        if (found)
                query_disk(domain, found->target, true, done, data);
        else
                done(NULL, error, data);
}

void domain_get_disk_errors(struct domain *domain, unsigned flags, domain_answer_done done, void *data)
{
        g_autoptr(GError) error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetDiskErrors", &error))
                domain_ask(domain, DOMAIN_PART_DISK_ERRORS, false, done, data);
        else
                done(NULL, error, data);
}

/* ---- control ---- */

bool domain_get_control(const struct domain *domain, unsigned flags, struct domain_control *control,
                        GError **error)
{
        const struct domain_known *known = domain->known;
        gint64 now_us = g_get_monotonic_time();

        if (!flags_check(flags, 0, ERROR_FROM_DOMAIN, "GetControlInfo", error))
                return false;
        if (!domain_is_active(domain))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_OPERATION_INVALID,
                                 "domain '%s' is not running", domain->base.name);
        *control = (struct domain_control){ .state = DOMAIN_CONTROL_OK };
        for (unsigned i = 0; known && i < DOMAIN_PARTS; i++) {
                uint64_t open_ms = known->asked_us[i] ? (uint64_t)(now_us - known->asked_us[i]) / 1000 : 0;

                if (known->asked_us[i] && open_ms >= control->state_time_ms) {
                        control->state = DOMAIN_CONTROL_OCCUPIED;
                        control->state_time_ms = open_ms;
                }
        }
        if (domain->base.operation) {
                control->state = DOMAIN_CONTROL_JOB;
                control->state_time_ms = 0;
        }
        return true;
}
