/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU is asked and told of disks that go along with a guest. Lane of the domain. */
#include "drivers/qemu/depart-nodes.h"

#include "base/error.h"
#include "base/spawn.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/depart-disks.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/migration.h"
#include "drivers/qemu/qmp-value.h"

#include <stdlib.h>
#include <string.h>

/* For another host to say what it serves. */
#define TRY_MS 5000

static struct domain *domain_of(const struct domain_departure *departure)
{
        return (struct domain *)departure->base.object;
}

/* ---- which, and how large ---- */

static void name_node(const struct domain_disk *disk, char name[BLOCK_NODE_NAME_SIZE])
{
        const struct block_image image = { .index = disk->source.index };

        block_format_node_name(&image, name);
}

static const json_t *find_node(const json_t *nodes, const char *name)
{
        const json_t *node;
        size_t i;

        json_array_foreach((json_t *)nodes, i, node)
        {
                if (strcmp(qmp_get_text(node, "node-name"), name) == 0)
                        return node;
        }
        return NULL;
}

static bool measure(struct domain_departure *departure, const struct domain_disk *disk, const json_t *nodes,
                    GError **error)
{
        char name[BLOCK_NODE_NAME_SIZE];
        uint64_t size;

        name_node(disk, name);
        size = qmp_get_count(json_object_get(find_node(nodes, name), "image"), "virtual-size");
        if (size == 0)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                                 "the emulator does not tell how large disk '%s' is", disk->target);
        domain_copies_add(departure->copies, disk->target, size);
        return true;
}

bool depart_measure(struct domain_departure *departure, GError **error)
{
        struct domain *domain = domain_of(departure);
        const struct domain_devices *devices = &domain_state_get_def(domain_get_current(domain))->devices;
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);
        json_t *nodes = NULL;
        bool ok = true;

        if (!qmp || !qmp_execute(qmp, "query-named-block-nodes", json_pack("{s:b}", "flat", 1),
                                 QMP_TIMEOUT_MS, &nodes, error))
                return false;
        for (unsigned i = 0; ok && i < devices->n_disks; i++) {
                if (domain_migrate_copies(&devices->disks[i], departure->flags, departure->params))
                        ok = measure(departure, &devices->disks[i], nodes, error);
        }
        json_decref(nodes);
        return ok;
}

/* ---- the other side's disk ---- */

/* "unix:/path", "tcp:HOST:PORT", "tcp:[HOST]:PORT"; as depart_begin() gets them. */
static json_t *make_server(const char *uri, GError **error)
{
        const char *place = strchr(uri, ':') + 1, *port = strrchr(place, ':');
        g_autofree char *host = NULL;

        if (g_str_has_prefix(uri, "unix:"))
                return json_pack("{s:s, s:s}", "type", "unix", "path", place);
        if (!port || port == place) {
                g_autofree char *quoted = error_quote(uri);

                error_set(error, ERROR_FROM_QEMU, ERROR_RPC, "'%s' is not where disks can go", quoted);
                return NULL;
        }
        host = *place == '[' && port[-1] == ']' ? g_strndup(place + 1, (gsize)(port - place - 2))
                                                : g_strndup(place, (gsize)(port - place));
        return json_pack("{s:s, s:s, s:s}", "type", "inet", "host", host, "port", port + 1);
}

/* The node for it, but for its name. */
static json_t *make_node(const struct domain_departure *departure, const struct domain_disk *disk,
                         GError **error)
{
        const char *hostname = domain_migrate_get_text(departure->params, "tls_destination");
        json_t *node, *server = make_server(departure->disks_uri, error);

        if (!server)
                return NULL;
        node = json_pack("{s:s, s:o, s:s}", "driver", "nbd", "server", server, "export", disk->target);
        if (!(departure->flags & DOMAIN_MIGRATE_TLS))
                return node;
        json_object_set_new(node, "tls-creds", json_string(MIGRATION_TLS_ID));
        /* QEMU compares the certificate with the host of the URI when it is told of no other. */
        if (hostname)
                json_object_set_new(node, "tls-hostname", json_string(hostname));
        return node;
}

/* QEMU waits for a greeting with all that it does; it has a limit for that since version 7.0. */
static void limit_patience(const struct guest *guest, json_t *node)
{
        enum { SINCE = 7000000, OPEN_S = 5 };

        if (qmp_get_version(guest->qmp) >= SINCE)
                json_object_set_new(node, "open-timeout", json_integer(OPEN_S));
}

json_t *depart_make_node(const struct domain_departure *departure, const struct domain_disk *disk,
                         const char *name, GError **error)
{
        bool detects_zeroes = domain_migrate_detects_zeroes(disk, departure->params);
        json_t *node = make_node(departure, disk, error);

        if (!node)
                return NULL;
        json_object_set_new(node, "node-name", json_string(name));
        json_object_set_new(node, "discard", json_string("unmap"));
        json_object_set_new(node, "detect-zeroes", json_string(detects_zeroes ? "unmap" : "off"));
        limit_patience(guest_of(domain_of(departure)), node);
        return node;
}

json_t *depart_make_mirror(const struct domain_departure *departure, const struct domain_disk *disk,
                           const char *name)
{
        bool whole = departure->flags & DOMAIN_MIGRATE_NON_SHARED_DISK;
        bool waits = departure->flags & DOMAIN_MIGRATE_SYNCHRONOUS_WRITES;
        uint64_t speed = domain_migrate_get_number(departure->params, "bandwidth") * 1024 * 1024;
        char source[BLOCK_NODE_NAME_SIZE];
        json_t *job;

        name_node(disk, source);
        job = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "job-id", name, "device", source, "target", name,
                        "sync", whole ? "full" : "top", "auto-dismiss", 0, "copy-mode",
                        waits ? "write-blocking" : "background");
        if (speed > 0)
                json_object_set_new(job, "speed", json_integer((json_int_t)speed));
        return job;
}

/* ---- a look at it beforehand ---- */

/* As an option of a program's: "key=value,key=value". */
static char *format_credentials(const struct guest *guest)
{
        g_auto(GStrv) parts = g_strsplit(guest->driver->tls_dir, ",", -1);
        g_autofree char *dir = g_strjoinv(",,", parts);

        return g_strdup_printf("tls-creds-x509,id=%s,dir=%s,endpoint=client,verify-peer=on", MIGRATION_TLS_ID,
                               dir);
}

/* What it says behind the name of what it cannot open, which is all that it was told. */
static bool judge(struct spawn_result *result, GError **error)
{
        char *reason = strstr(result->errors, "}': ");

        if (result->status == 0 || !reason)
                return spawn_result_check("qemu-img", result, error);
        reason += strlen("}': ");
        reason[strcspn(reason, "\n")] = '\0';
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED, "%s", reason);
}

bool depart_try_node(const struct domain_departure *departure, const struct domain_disk *disk, GError **error)
{
        const struct guest *guest = guest_of(domain_of(departure));
        bool tls = departure->flags & DOMAIN_MIGRATE_TLS;
        __attribute__((cleanup(spawn_result_clear))) struct spawn_result result = { 0 };
        g_autofree char *credentials = tls ? format_credentials(guest) : NULL, *name = NULL;
        json_t *node = make_node(departure, disk, error);
        const char *argv[] = { "qemu-img", "info", tls ? "--object" : NULL, credentials, NULL, NULL };
        char *text;

        if (!node)
                return false;
        text = json_dumps(node, JSON_COMPACT);
        json_decref(node);
        name = g_strconcat("json:", text, NULL);
        free(text);
        argv[tls ? 4 : 2] = name;
        return spawn_run(guest->domain->base.lane, argv, NULL, TRY_MS, &result, error) &&
               judge(&result, error);
}
