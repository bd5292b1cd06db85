/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's parameters of migration. Lane of the domain. */
#include "drivers/qemu/migration.h"

#include "base/error.h"
#include "base/log.h"

#include "drivers/domain/migrate.h"
#include "drivers/qemu/device-internal.h"

#include <inttypes.h>

static const struct {
        const char *name;
        uint64_t unit;
} parameters[] = {
        [DOMAIN_MIGRATION_SPEED] = { "max-bandwidth", 1024 * 1024 },
        [DOMAIN_MIGRATION_POSTCOPY_SPEED] = { "max-postcopy-bandwidth", 1024 * 1024 },
        [DOMAIN_MIGRATION_DOWNTIME] = { "downtime-limit", 1 },
        [DOMAIN_MIGRATION_CACHE] = { "xbzrle-cache-size", 1 },
};

static bool set(struct qmp *qmp, const char *name, uint64_t value, GError **error)
{
        return qmp_execute(qmp, "migrate-set-parameters", json_pack("{s:I}", name, (json_int_t)value),
                           QMP_TIMEOUT_MS, NULL, error);
}

static bool get(struct qmp *qmp, const char *name, uint64_t *value, GError **error)
{
        json_t *answer;
        const json_t *number;

        if (!qmp_execute(qmp, "query-migrate-parameters", NULL, QMP_TIMEOUT_MS, &answer, error))
                return false;
        number = json_object_get(answer, name);
        *value = json_is_integer(number) ? (uint64_t)MAX(json_integer_value(number), 0) : 0;
        if (!number)
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                          "the emulator does not tell its '%s'", name);
        json_decref(answer);
        return number != NULL;
}

/* ---- of one migration ---- */

/* Of QEMU's default two, two more take a fast network to its limit. */
#define CHANNELS 4

static void add_capability(json_t *list, const char *name, bool on)
{
        json_array_append_new(list, json_pack("{s:s, s:b}", "capability", name, "state", on));
}

static json_t *make_list(unsigned flags)
{
        bool is_parallel = flags & DOMAIN_MIGRATE_PARALLEL;
        json_t *list = json_array();

        add_capability(list, "events", true);
        add_capability(list, "xbzrle", flags & DOMAIN_MIGRATE_COMPRESSED && !is_parallel);
        add_capability(list, "multifd", is_parallel);
        add_capability(list, "postcopy-ram", flags & DOMAIN_MIGRATE_POSTCOPY);
        return list;
}

json_t *migration_make_capabilities(unsigned flags)
{
        json_t *list = make_list(flags);

        add_capability(list, "auto-converge", flags & DOMAIN_MIGRATE_AUTO_CONVERGE);
        /* For the last of the disks that are copied. */
        add_capability(list, "pause-before-switchover", flags & DOMAIN_MIGRATE_COPIES);
        return json_pack("{s:o}", "capabilities", list);
}

json_t *migration_make_incoming_capabilities(unsigned flags)
{
        json_t *list = make_list(flags);

        /* Disks are the source's as long as no CPU runs here. */
        add_capability(list, "late-block-activate", true);
        return json_pack("{s:o}", "capabilities", list);
}

static void add_number(json_t *arguments, const char *name, const struct params *params, const char *param)
{
        uint64_t value = domain_migrate_get_number(params, param);

        if (value > 0)
                json_object_set_new(arguments, name, json_integer((json_int_t)value));
}

static void add_speed(json_t *arguments, const char *name, const struct params *params, const char *param)
{
        uint64_t value = domain_migrate_get_number(params, param) * 1024 * 1024;

        if (value > 0)
                json_object_set_new(arguments, name,
                                    json_integer((json_int_t)MIN(value, (uint64_t)MIGRATION_NO_LIMIT)));
}

static json_t *make_own(const struct params *params)
{
        json_t *arguments = json_object();

        add_number(arguments, "xbzrle-cache-size", params, "compression.xbzrle.cache");
        add_number(arguments, "cpu-throttle-initial", params, "auto_converge.initial");
        add_number(arguments, "cpu-throttle-increment", params, "auto_converge.increment");
        add_speed(arguments, "max-bandwidth", params, "bandwidth");
        add_speed(arguments, "max-postcopy-bandwidth", params, "bandwidth.postcopy");
        return arguments;
}

bool migration_set_parameters(struct guest *guest, unsigned flags, const struct params *params,
                              bool is_source, GError **error)
{
        json_t *arguments = json_object();
        const char *method = domain_migrate_get_text(params, "compression");

        if (flags & DOMAIN_MIGRATE_PARALLEL) {
                json_object_set_new(arguments, "multifd-channels", json_integer(CHANNELS));
                add_number(arguments, "multifd-channels", params, "parallel.connections");
                json_object_set_new(arguments, "multifd-compression",
                                    json_string(flags & DOMAIN_MIGRATE_COMPRESSED ? method : "none"));
        }
        if (json_object_size(arguments) == 0)
                json_decref(arguments);
        else if (!qmp_execute(guest->qmp, "migrate-set-parameters", arguments, QMP_TIMEOUT_MS, NULL, error))
                return false;
        return !is_source || migration_borrow(guest, make_own(params), error);
}

/* ---- TLS ---- */

static bool set_credentials(struct qmp *qmp, const char *id, const char *hostname, GError **error)
{
        return qmp_execute(qmp, "migrate-set-parameters",
                           json_pack("{s:s, s:s}", "tls-creds", id, "tls-hostname", hostname), QMP_TIMEOUT_MS,
                           NULL, error);
}

static bool delete_credentials(struct qmp *qmp, GError **error)
{
        return qmp_execute(qmp, "object-del", json_pack("{s:s}", "id", MIGRATION_TLS_ID), QMP_TIMEOUT_MS,
                           NULL, error);
}

bool migration_add_credentials(struct guest *guest, unsigned flags, bool is_source, GError **error)
{
        const struct device_context context = { .tls_dir = guest->driver->tls_dir };

        if (!(flags & DOMAIN_MIGRATE_TLS) || guest->has_credentials)
                return true;
        /*
         * One that an agent before this one has left. A server that finds no dh-params.pem takes seconds to
         * make its own.
         */
        delete_credentials(guest->qmp, NULL);
        guest->has_credentials =
                qmp_execute(guest->qmp, "object-add",
                            device_tls_object(&context, MIGRATION_TLS_ID, is_source ? "client" : "server"),
                            QMP_TIMEOUT_JOB_MS, NULL, error);
        return guest->has_credentials;
}

bool migration_begin_tls(struct guest *guest, unsigned flags, const struct params *params, bool is_source,
                         GError **error)
{
        /* QEMU compares the certificate with the host of the URI when it is told of no other. */
        const char *hostname = is_source ? domain_migrate_get_text(params, "tls_destination") : NULL;

        return !(flags & DOMAIN_MIGRATE_TLS) ||
               (migration_add_credentials(guest, flags, is_source, error) &&
                set_credentials(guest->qmp, MIGRATION_TLS_ID, hostname ? hostname : "", error));
}

void migration_end_tls(struct guest *guest)
{
        g_autoptr(GError) error = NULL;

        if (!guest->has_credentials || !guest->qmp)
                return;
        guest->has_credentials = false;
        if (!set_credentials(guest->qmp, "", "", &error) || !delete_credentials(guest->qmp, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "%s keeps the certificates of a migration", guest->who);
}

/* ---- where its memory goes ---- */

bool migration_hand_fd(struct guest *guest, int fd, GError **error)
{
        uint64_t id = qmp_send_fd(guest->qmp, "getfd", json_pack("{s:s}", "fdname", MIGRATION_FD), fd);

        return qmp_receive(guest->qmp, id, lane_deadline_in(QMP_TIMEOUT_MS), NULL, error);
}

/* ---- what is borrowed ---- */

/* A successor finds it, and gives it back. */
static void write_down(struct guest *guest)
{
        g_autoptr(GError) error = NULL;
        char *text = guest->borrowed ? json_dumps(guest->borrowed, JSON_COMPACT) : NULL;

        g_free(guest->status->borrowed);
        guest->status->borrowed = g_strdup(text);
        free(text);
        guest->changed = true;
        if (!guest_save(guest, domain_get_current(guest->domain), &error))
                log_gerror(LOG_LEVEL_WARNING, error, "the limits of %s are not written down", guest->who);
}

/* As it is now; what was borrowed before, and not given back, is as it was then. */
static bool remember(struct guest *guest, const json_t *arguments, GError **error)
{
        json_t *now = NULL;
        const char *name;
        json_t *value;

        if (!qmp_execute(guest->qmp, "query-migrate-parameters", NULL, QMP_TIMEOUT_MS, &now, error))
                return false;
        if (!guest->borrowed)
                guest->borrowed = json_object();
        json_object_foreach((json_t *)arguments, name, value)
        {
                json_t *before = json_object_get(now, name);

                if (before && !json_object_get(guest->borrowed, name))
                        json_object_set(guest->borrowed, name, before);
        }
        json_decref(now);
        write_down(guest);
        return true;
}

bool migration_borrow(struct guest *guest, json_t *arguments, GError **error)
{
        bool is_empty = json_object_size(arguments) == 0;

        if (is_empty || !remember(guest, arguments, error)) {
                json_decref(arguments);
                return is_empty;
        }
        return qmp_execute(guest->qmp, "migrate-set-parameters", arguments, QMP_TIMEOUT_MS, NULL, error);
}

bool migration_borrow_speed(struct guest *guest, GError **error)
{
        return migration_borrow(
                guest, json_pack("{s:I}", parameters[DOMAIN_MIGRATION_SPEED].name, MIGRATION_NO_LIMIT),
                error);
}

/* An error is that there is none: it has been used. */
static void close_fd(struct guest *guest)
{
        qmp_forget(guest->qmp, qmp_send(guest->qmp, "closefd", json_pack("{s:s}", "fdname", MIGRATION_FD)));
        qmp_flush(guest->qmp);
}

void migration_give_back(struct guest *guest)
{
        json_t *arguments = g_steal_pointer(&guest->borrowed);
        g_autoptr(GError) error = NULL;

        if (guest->qmp)
                close_fd(guest);
        if (!arguments)
                return;
        if (!guest->qmp)
                json_decref(arguments);
        else if (!qmp_execute(guest->qmp, "migrate-set-parameters", arguments, QMP_TIMEOUT_MS, NULL, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "migrations of %s have other limits now", guest->who);
        write_down(guest);
}

void migration_take_over(struct guest *guest)
{
        if (guest->status->borrowed)
                guest->borrowed = json_loads(guest->status->borrowed, JSON_REJECT_DUPLICATES, NULL);
}

/* ---- settings ---- */

bool migration_set(struct domain *domain, enum domain_migration_setting setting, uint64_t value,
                   GError **error)
{
        const char *name = parameters[setting].name;
        uint64_t number = MIN(value * parameters[setting].unit, (uint64_t)MIGRATION_NO_LIMIT);
        struct guest *guest = guest_of(domain);

        if (!set(guest->qmp, name, number, error))
                return false;
        if (json_object_get(guest->borrowed, name))
                json_object_set_new(guest->borrowed, name, json_integer((json_int_t)number));
        if (guest->borrowed)
                write_down(guest);
        return true;
}

bool migration_get(struct domain *domain, enum domain_migration_setting setting, uint64_t *value,
                   GError **error)
{
        uint64_t number;

        if (!get(guest_of(domain)->qmp, parameters[setting].name, &number, error))
                return false;
        *value = number / parameters[setting].unit;
        return true;
}
