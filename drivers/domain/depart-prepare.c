/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is to go to another host, as the other side is told of it, and what that side says: the first part of
 * a departure (depart.c). Where functions run they say.
 */
#include "drivers/domain/depart-private.h"

#include "base/error.h"
#include "base/remote-bus.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/live-xml.h"
#include "drivers/domain/save.h"

#include <string.h>

#define PREPARE_MS 120000
#define RECOVER_MS 60000

/* ---- documents; lane of the domain ---- */

/* def (taken, NULL is passed on) under the name that it is to have there. */
static struct domain_def *rename_def(struct domain_def *def, const char *name, GError **error)
{
        struct domain_edit *edit = def && name ? domain_edit_new(def, error) : NULL;
        struct domain_def *renamed = def;

        if (!def || !name)
                return def;
        if (edit)
                domain_edit_set_name(edit, name);
        renamed = edit ? domain_edit_commit(edit, error) : NULL;
        domain_def_unref(def);
        return renamed;
}

static struct domain_def *make_own(const struct domain_departure *departure, const struct domain_state *state,
                                   GError **error)
{
        CLEANUP(domain_def_unref)
        struct domain_def *own = domain_def_make_migratable(domain_state_get_def(state), error);

        if (!own || !departure->cpu_xml)
                return g_steal_pointer(&own);
        return domain_def_expand_cpu(own, departure->cpu_xml, error);
}

/* Which disks go along. A whole copy of one has no image below it there, unless it has. */
static bool choose_copies(struct domain_departure *departure, const struct domain_state *state,
                          GError **error)
{
        struct domain_def *def;

        if (!(departure->flags & DOMAIN_MIGRATE_COPIES))
                return true;
        if (!domain_check_migration_copies(domain_state_get_def(state), departure->flags, departure->params,
                                           error))
                return false;
        departure->copies = domain_copies_new();
        if (departure->flags & DOMAIN_MIGRATE_NON_SHARED_INC)
                return true;
        def = domain_def_drop_copied_chains(departure->def, departure->flags, departure->params, error);
        if (!def)
                return false;
        domain_def_unref(departure->def);
        departure->def = def;
        return true;
}

bool depart_choose_def(struct domain_departure *departure, const struct domain_state *state, GError **error)
{
        const char *name = domain_migrate_get_text(departure->params, "destination_name");
        CLEANUP(domain_def_unref) struct domain_def *own = make_own(departure, state, error);

        if (!own || (departure->wanted && !domain_def_check_same_guest(own, departure->wanted, error)))
                return false;
        departure->def = rename_def(domain_def_ref(departure->wanted ? departure->wanted : own), name, error);
        if (!departure->def || !choose_copies(departure, state, error))
                return false;
        departure->xml = g_strdup(departure->def->base.xml);
        return true;
}

bool depart_choose_persistent(struct domain_departure *departure, const struct domain_state *state,
                              GError **error)
{
        const char *name = domain_migrate_get_text(departure->params, "destination_name");
        struct domain_def *own =
                state->base.persistent ? domain_def_of(state->base.persistent) : departure->def;
        CLEANUP(domain_def_unref) struct domain_def *def = NULL;

        if (!(departure->flags & DOMAIN_MIGRATE_PERSIST_DEST))
                return true;
        def = rename_def(domain_def_ref(departure->wanted_persistent ? departure->wanted_persistent : own),
                         name, error);
        if (!def)
                return false;
        departure->persistent_xml = g_strdup(def->base.xml);
        return true;
}

/* ---- what is said; in the lane of the job ---- */

bool depart_call(struct domain_departure *departure, const char *member, const char *text,
                 const struct params *params, unsigned timeout_ms, struct params **answer, bool *refused,
                 GError **error)
{
        const struct remote_call what = {
                .path = MIGRATION_PATH,
                .interface = MIGRATION_INTERFACE,
                .member = member,
                .text = text,
                .params = params,
                .flags = departure->flags,
        };

        return remote_bus_call(departure->bus, job_get_lane(departure->base.job), &what, timeout_ms, answer,
                               refused, error);
}

/* What we were given by these names, and where the guest is to come. */
static void add_texts(const struct domain_departure *departure, const char *const names[], unsigned count,
                      struct params *request)
{
        for (unsigned i = 0; i < count; i++) {
                const char *text = domain_migrate_get_text(departure->params, names[i]);

                if (text)
                        params_add_string(request, names[i], text);
        }
        /* Two agents of one host need no network, unless certificates are to name it. */
        if (!params_find(request, "migrate_uri") && !(departure->flags & DOMAIN_MIGRATE_TLS) &&
            !(departure->flags & DOMAIN_MIGRATE_TUNNELLED) && !remote_place_get_host(departure->place))
                params_add_string(request, "migrate_uri", "unix:");
}

/* What the other side is told of what we were asked for. */
static struct params *make_request(const struct domain_departure *departure)
{
        static const char *const passed_on[] = { "compression", "disks_uri", "listen_address",
                                                 "migrate_uri" };
        struct params *request = params_new();
        int channels = (int)domain_migrate_get_number(departure->params, "parallel.connections");
        int disks_port = (int)domain_migrate_get_number(departure->params, "disks_port");
        g_autofree char *disks = departure->copies ? domain_copies_format(departure->copies) : NULL;

        add_texts(departure, passed_on, G_N_ELEMENTS(passed_on), request);
        if (departure->has_all_of_cpu)
                params_add_bool(request, "whole_cpu", true);
        if (channels > 0)
                params_add_int(request, "parallel.connections", channels);
        if (disks)
                params_add_string(request, "disks", disks);
        if (disks_port > 0)
                params_add_int(request, "disks_port", disks_port);
        if (departure->persistent_xml)
                params_add_string(request, "persistent_xml", departure->persistent_xml);
        return request;
}

/* "tcp::49152" is a port of the host that we have reached. */
static char *complete_uri(const struct domain_departure *departure, const char *uri)
{
        const char *host = remote_place_get_host(departure->place);

        if (!g_str_has_prefix(uri, "tcp::"))
                return g_strdup(uri);
        if (!host)
                host = "localhost";
        return g_strdup_printf(strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, uri + strlen("tcp::"));
}

/* What the other side says is no more than a place; a tunnel leads to a socket there. */
static bool is_place(const struct domain_departure *departure, const struct param *uri)
{
        if (uri && uri->type == PARAM_STRING && departure->flags & DOMAIN_MIGRATE_TUNNELLED)
                return g_str_has_prefix(uri->value.s, "unix:/");
        return uri && uri->type == PARAM_STRING &&
               (g_str_has_prefix(uri->value.s, "tcp:") ||
                (g_str_has_prefix(uri->value.s, "unix:/") && !remote_place_get_host(departure->place)));
}

static bool take_answer(struct domain_departure *departure, const struct params *answer, GError **error)
{
        const struct param *cookie = params_find(answer, "cookie"), *uri = params_find(answer, "uri"),
                           *boot = params_find(answer, "boot"), *disks = params_find(answer, "disks_uri");

        if (!cookie || cookie->type != PARAM_STRING || !is_place(departure, uri) || !boot ||
            boot->type != PARAM_STRING || (departure->copies && !is_place(departure, disks)))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_RPC,
                                 "Prepare at '%s' says nothing that is understood",
                                 remote_place_get_uri(departure->place));
        departure->note.destination = g_strdup(remote_place_get_uri(departure->place));
        departure->note.cookie = g_strdup(cookie->value.s);
        departure->note.boot = g_strdup(boot->value.s);
        departure->note.flags = departure->flags;
        departure->uri = complete_uri(departure, uri->value.s);
        if (departure->copies)
                departure->disks_uri = complete_uri(departure, disks->value.s);
        return true;
}

bool depart_prepare(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        CLEANUP(params_free) struct params *request = make_request(departure), *answer = NULL;
        bool refused;

        if (!(departure->flags & DOMAIN_MIGRATE_UNSAFE) &&
            !domain_check_migration_storage(departure->def, departure->flags, departure->params, error))
                return false;
        departure->bus = remote_bus_open(departure->place, error);
        return departure->bus &&
               depart_call(departure, "Prepare", departure->xml, request, PREPARE_MS, &answer, &refused,
                           error) &&
               take_answer(departure, answer, error);
}

void depart_heed_definition(struct domain_departure *departure, const struct params *answer)
{
        const struct param *defined = params_find(answer, "defined");

        if (departure->flags & DOMAIN_MIGRATE_PERSIST_DEST && defined && defined->type == PARAM_BOOL &&
            !defined->value.b)
                departure->flags &= ~(unsigned)DOMAIN_MIGRATE_UNDEFINE_SOURCE;
}

/* ---- another way ---- */

static struct params *make_recovery_request(const struct domain_departure *departure)
{
        static const char *const passed_on[] = { "listen_address", "migrate_uri" };
        struct params *request = params_new();

        add_texts(departure, passed_on, G_N_ELEMENTS(passed_on), request);
        return request;
}

bool depart_recover(struct operation *op, GError **error)
{
        struct domain_departure *departure = departure_of(op);
        CLEANUP(params_free) struct params *request = make_recovery_request(departure), *answer = NULL;
        const struct param *uri, *complete;
        bool refused;

        departure->bus = remote_bus_open(departure->place, error);
        if (!departure->bus || !depart_call(departure, "Recover", departure->note.cookie, request, RECOVER_MS,
                                            &answer, &refused, error))
                return false;
        uri = params_find(answer, "uri");
        complete = params_find(answer, "complete");
        depart_heed_definition(departure, answer);
        if (complete && complete->type == PARAM_BOOL && complete->value.b)
                return true;
        if (!is_place(departure, uri))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_RPC,
                                 "Recover at '%s' says nothing that is understood",
                                 remote_place_get_uri(departure->place));
        departure->uri = complete_uri(departure, uri->value.s);
        return true;
}
