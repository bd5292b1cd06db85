/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest comes from another host: an emulator waits for it, listening where it says. Lane of the domain.
 */
#include "drivers/qemu/arrive-disks.h"
#include "drivers/qemu/depart.h"

#include "base/error.h"
#include "drivers/domain/live-xml.h"
#include "drivers/host/cpu-compare.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/route.h"

#include <string.h>

/* Between two questions whether all of it is here: the source knows it a moment before. */
#define ASK_MS 2
/* That an emulator takes to work off what it has got. */
#define WAIT_MS 30000

/* ---- checks ---- */

bool arrive_check_cpu(const struct guest *guest, const struct domain_def *def, GError **error)
{
        g_autofree char *cpu = NULL;

        if (strcmp(def->type, "kvm") != 0 || def->cpu.mode != DOMAIN_CPU_CUSTOM || !def->cpu.model)
                return true;
        cpu = domain_def_copy_cpu(def, error);
        return cpu && host_compare_cpu(guest->driver->base.host, cpu, CPU_COMPARE_FAIL_INCOMPATIBLE, error) !=
                              CPU_COMPARE_ERROR;
}

/* ---- where it listens ---- */

static bool refuse(const char *uri, GError **error)
{
        g_autofree char *quoted = error_quote(uri);

        return error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                         "'%s' is not where a guest can come from: 'tcp:HOST', 'tcp:HOST:PORT' or 'unix:'",
                         quoted);
}

/* "HOST:PORT", "[HOST]:PORT", "HOST" or "[HOST]"; *port 0: none. */
static bool split(const char *text, char **host, int *port)
{
        const char *end = *text == '[' ? strchr(text, ']') : NULL;
        const char *colon = end ? (end[1] == ':' ? end + 1 : NULL) : strrchr(text, ':');
        guint64 number = 0;

        if ((*text == '[' && !end) || (end && end[1] && end[1] != ':'))
                return false;
        if (colon && !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &number, NULL))
                return false;
        *port = (int)number;
        *host = end ? g_strndup(text + 1, (gsize)(end - text - 1))
                    : g_strndup(text, colon ? (gsize)(colon - text) : strlen(text));
        return !strpbrk(*host, ",[]/ ");
}

static bool claim_port(struct guest *guest, int *port, GError **error)
{
        const struct qemu_driver *driver = guest->driver;

        if (*port > 0 && !ports_claim(&guest->driver->ports, *port))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "port %d is in use", *port);
        if (*port == 0)
                *port = ports_claim_free(&guest->driver->ports, driver->migration_first,
                                         driver->migration_last);
        if (*port < 0)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                        "none of the ports from %d to %d, for guests that come from other hosts, is free",
                        driver->migration_first, driver->migration_last);
        g_array_append_val(guest->ports, *port);
        return true;
}

static bool choose_tcp(struct guest *guest, const char *listen, const char *wanted, int port,
                       struct arrive_place *place, GError **error)
{
        g_autofree char *host = NULL;
        int own = 0;

        if ((*wanted && !split(wanted, &host, &own)) || (listen && strpbrk(listen, ",[]/ ")))
                return refuse(wanted, error);
        place->port = own > 0 ? own : port;
        if (!claim_port(guest, &place->port, error))
                return false;
        place->uri = g_strdup_printf(host && strchr(host, ':') ? "tcp:[%s]:%d" : "tcp:%s:%d",
                                     host ? host : "", place->port);
        place->listen = g_strdup(listen ? listen : "");
        return true;
}

bool arrive_choose_place(struct guest *guest, const struct params *params, const char *wanted, int port,
                         const char *socket, struct arrive_place *place, GError **error)
{
        const char *listen = domain_migrate_get_text(params, "listen_address");

        *place = (struct arrive_place){ 0 };
        if (!wanted)
                return choose_tcp(guest, listen, "", port, place, error);
        if (g_str_has_prefix(wanted, "tcp://"))
                return choose_tcp(guest, listen, wanted + strlen("tcp://"), port, place, error);
        if (g_str_has_prefix(wanted, "tcp:"))
                return choose_tcp(guest, listen, wanted + strlen("tcp:"), port, place, error);
        if (strcmp(wanted, "unix:") != 0)
                return refuse(wanted, error);
        place->path = guest_get_io_path(guest, socket);
        place->uri = g_strconcat("unix:", place->path, NULL);
        return true;
}

void arrive_place_clear(struct arrive_place *place)
{
        g_free(place->uri);
        g_free(place->path);
        g_free(place->listen);
}

char *arrive_format_place(const struct arrive_place *place)
{
        if (place->path)
                return g_strdup(place->uri);
        return g_strdup_printf(strchr(place->listen, ':') ? "tcp:[%s]:%d" : "tcp:%s:%d", place->listen,
                               place->port);
}

bool arrive_listen(struct guest *guest, struct domain_arrival *arrival, const struct domain_def *def,
                   GError **error)
{
        __attribute__((cleanup(arrive_place_clear))) struct arrive_place place;
        g_autofree char *uri = NULL;

        if (!arrive_choose_place(guest, arrival->params,
                                 arrival->flags & DOMAIN_MIGRATE_TUNNELLED
                                         ? "unix:"
                                         : domain_migrate_get_text(arrival->params, "migrate_uri"),
                                 0, ARRIVE_SOCKET, &place, error))
                return false;
        guest->arrival_port = place.port;
        arrival->uri = g_strdup(place.uri);
        uri = arrive_format_place(&place);
        return qmp_execute(guest->qmp, "migrate-set-capabilities",
                           migration_make_incoming_capabilities(arrival->flags), QMP_TIMEOUT_MS, NULL,
                           error) &&
               migration_set_parameters(guest, arrival->flags, arrival->params, false, error) &&
               migration_begin_tls(guest, arrival->flags, arrival->params, false, error) &&
               arrive_listen_disks(guest, arrival, def, error) &&
               qmp_execute(guest->qmp, "migrate-incoming", json_pack("{s:s}", "uri", uri), QMP_TIMEOUT_MS,
                           NULL, error);
}

/* ---- the end ---- */

/* NULL: it has not said. */
static char *ask_status(struct guest *guest, GError **error)
{
        struct qmp *qmp = guest_get_monitor(guest, error);
        json_t *answer = NULL;
        const char *text;
        char *status;

        if (!qmp || !qmp_execute(qmp, "query-migrate", NULL, QMP_TIMEOUT_MS, &answer, error))
                return NULL;
        text = json_string_value(json_object_get(answer, "status"));
        status = g_strdup(text ? text : "");
        json_decref(answer);
        return status;
}

/* In post-copy: all of it is here but for memory, and QEMU is done with that. */
static bool can_run(struct guest *guest)
{
        struct qmp *qmp = guest_get_monitor(guest, NULL);
        json_t *answer = NULL;
        const char *text;
        bool can;

        if (!qmp || !qmp_execute(qmp, "query-status", NULL, QMP_TIMEOUT_MS, &answer, NULL))
                return false;
        text = json_string_value(json_object_get(answer, "status"));
        can = text && strcmp(text, "inmigrate") != 0;
        json_decref(answer);
        return can;
}

bool arrive_wait(struct domain *domain, bool *postcopy, GError **error)
{
        lane_deadline deadline = lane_deadline_in(WAIT_MS);
        struct guest *guest = guest_of(domain);

        for (;;) {
                g_autofree char *status = ask_status(guest, error);
                enum lane_wake wake;

                if (!status)
                        return false;
                if (strcmp(status, "completed") == 0)
                        return arrive_close_disks(guest, error);
                *postcopy = strcmp(status, "postcopy-active") == 0;
                if (*postcopy && can_run(guest))
                        return arrive_close_disks(guest, error);
                if (!*postcopy && strcmp(status, "active") != 0 && strcmp(status, "device") != 0)
                        break;
                wake = lane_wait(domain->base.lane, -1, 0, NULL, lane_deadline_in(ASK_MS));
                if (wake == LANE_INTERRUPTED)
                        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_ABORTED,
                                         "the migration of %s was cancelled", guest->who);
                if (deadline < lane_deadline_in(0))
                        break;
        }
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "not all of %s has come",
                         guest->who);
}

/* The next guest may come by it. */
void arrive_release_port(struct guest *guest, int *port)
{
        for (unsigned i = guest->ports->len; i-- > 0;) {
                if (g_array_index(guest->ports, int, i) == *port)
                        g_array_remove_index_fast(guest->ports, i);
        }
        ports_release(&guest->driver->ports, *port);
        *port = 0;
}

/* ---- what comes after it ---- */

/* By whatever way it came. */
static void end_recovery(struct guest *guest)
{
        if (guest->arrival_port > 0)
                arrive_release_port(guest, &guest->arrival_port);
        if (!guest->has_credentials)
                return;
        guest->has_credentials = false;
        qmp_forget(guest->qmp,
                   qmp_send(guest->qmp, "migrate-set-parameters", json_pack("{s:s}", "tls-creds", "")));
        qmp_forget(guest->qmp,
                   qmp_send(guest->qmp, "object-del", json_pack("{s:s}", "id", MIGRATION_TLS_ID)));
        qmp_flush(guest->qmp);
}

static void heed_rest(const json_t *info, void *data)
{
        const char *status = json_string_value(json_object_get(info, "status"));
        struct guest *guest = data;

        if (g_strcmp0(status, "completed") == 0) {
                g_clear_pointer(&guest->rest, route_remove);
                end_recovery(guest);
                domain_arrival_tell(guest->domain, DOMAIN_POSTCOPY_COMPLETED);
        } else if (g_strcmp0(status, "postcopy-paused") == 0 || g_strcmp0(status, "failed") == 0) {
                domain_arrival_tell(guest->domain, DOMAIN_POSTCOPY_STALLED);
        } else if (g_strcmp0(status, "postcopy-active") == 0) {
                domain_arrival_tell(guest->domain, DOMAIN_POSTCOPY_ACTIVE);
        }
}

static bool on_rest(const char *event, const json_t *arguments, void *data)
{
        if (strcmp(event, "MIGRATION") != 0)
                return false;
        heed_rest(arguments, data);
        return true;
}

static void forget_rest(void *data)
{
        ((struct guest *)data)->rest = NULL;
}

static const struct route_ops rest_route = { .event = on_rest, .resync = heed_rest, .gone = forget_rest };

/* It may have been over before the events were heeded. */
static void heed_first(const json_t *result, const GError *error, void *data)
{
        if (result && ((struct guest *)data)->rest)
                heed_rest(result, data);
}

void arrive_follow(struct guest *guest)
{
        guest->rest = route_add(&guest->routes, ROUTE_MIGRATION, "", &rest_route, guest);
        qmp_call(guest->qmp, "query-migrate", NULL, QMP_TIMEOUT_JOB_MS, heed_first, guest);
}

void arrive_end(struct domain *domain, bool postcopy)
{
        struct guest *guest = guest_of(domain);

        arrive_release_port(guest, &guest->arrival_port);
        arrive_release_port(guest, &guest->disks_port);
        arrive_keep_disks(guest);
        migration_end_tls(guest);
        guest->status->phase = STATUS_RUNNING;
        guest->changed = true;
        /* While memory is still to come an emulator may not answer: what the other host has said stays. */
        if (postcopy)
                arrive_follow(guest);
        else
                monitor_ask_balloon(guest);
}
