/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is done to the host's interfaces. Entry points run on the loop, *_work functions and what is below
 * them in the lane.
 */
#include "base/flags.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/store.h"
#include "interfaces/change.h"
#include "interfaces/dhcp.h"
#include "interfaces/manager.h"
#include "interfaces/model.h"
#include "interfaces/notes.h"
#include "interfaces/setup.h"
#include "interfaces/source.h"

#include <string.h>

#define SUFFIX ".xml"

/* ---- the lane's view ---- */

void interfaces_publish(struct interfaces *interfaces)
{
        struct object_set *set = host_interface_make_set(interfaces->current, interfaces->links,
                                                         interfaces->defs, interfaces->active);

        object_set_unref(interfaces->current);
        interfaces->current = object_set_ref(set);
        collection_publish(interfaces->collection, set);
}

struct host_interface *interfaces_require(const struct interfaces *interfaces, const char *name,
                                          GError **error)
{
        struct host_interface *interface = object_set_find(interfaces->current, name);

        if (!interface)
                error_set(error, ERROR_FROM_INTERFACE, ERROR_NO_INTERFACE,
                          "no interface with matching name '%s'", name);
        return interface;
}

/* ---- definitions ---- */

static char *file_name(const char *name)
{
        return g_strconcat(name, SUFFIX, NULL);
}

bool interfaces_put_def(struct interfaces *interfaces, struct interface_def *def, GError **error)
{
        g_autofree char *file = file_name(def->name);

        if (interfaces->defs_dir && !store_write(interfaces->defs_dir, file, def->xml, true, error))
                return false;
        /* The key belongs to the value. */
        g_hash_table_replace(interfaces->defs, def->name, interface_def_ref(def));
        return true;
}

bool interfaces_drop_def(struct interfaces *interfaces, const char *name, GError **error)
{
        g_autofree char *file = file_name(name);

        if (interfaces->defs_dir && !store_remove(interfaces->defs_dir, file, true, error))
                return false;
        g_hash_table_remove(interfaces->defs, name);
        return true;
}

static void load_one(struct interfaces *interfaces, const char *file)
{
        g_autofree char *path = g_build_filename(interfaces->defs_dir, file, NULL), *text = NULL,
                        *expected = NULL;
        CLEANUP(interface_def_unref) struct interface_def *def = NULL;
        g_autoptr(GError) error = NULL;

        text = store_read(path, &error);
        def = text ? interface_def_parse(text, &error) : NULL;
        expected = def ? file_name(def->name) : NULL;
        if (!def)
                log_gerror(LOG_LEVEL_ERROR, error, "interface definition '%s'", path);
        else if (strcmp(expected, file) != 0)
                log_error("interface definition '%s' is one of interface '%s'", path, def->name);
        else
                g_hash_table_replace(interfaces->defs, def->name, interface_def_ref(def));
}

void interfaces_load(struct interfaces *interfaces)
{
        g_autoptr(GPtrArray) files = NULL;
        g_autoptr(GError) error = NULL;

        if (!interfaces->defs_dir)
                return;
        files = store_list(interfaces->defs_dir, SUFFIX, &error);
        if (!files)
                log_gerror(LOG_LEVEL_ERROR, error, "interface definitions");
        for (unsigned i = 0; files && i < files->len; i++)
                load_one(interfaces, g_ptr_array_index(files, i));
}

/* ---- who may ---- */

static bool check_manager(const struct interfaces *interfaces, const char *name, GError **error)
{
        const struct link *link = interfaces->links ? link_set_find_name(interfaces->links, name) : NULL;
        const char *manager = link ? interface_get_manager(interfaces->managers_dir, link->index) : NULL;

        if (!manager)
                return true;
        return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                         "interface '%s' is managed by %s; change it there, or have it left unmanaged there",
                         name, manager);
}

bool interfaces_check_managers(const struct interfaces *interfaces, const struct interface_def *def,
                               const char *name, GError **error)
{
        if (interfaces->read_only)
                return error_set(
                        error, ERROR_FROM_INTERFACE, ERROR_OPERATION_DENIED,
                        "this agent only looks at the host's interfaces; the system's agent changes them");
        if (!check_manager(interfaces, name, error))
                return false;
        for (unsigned i = 0; def && def->ports && i < def->ports->len; i++) {
                const struct interface_def *port = g_ptr_array_index(def->ports, i);

                if (!interfaces_check_managers(interfaces, port, port->name, error))
                        return false;
        }
        return true;
}

/* What is on the link goes down with it, or goes. */
static bool check_managers_above(const struct interfaces *interfaces, const char *name, GError **error)
{
        g_autoptr(GHashTable) notes = link_notes_new();
        GHashTableIter iter;
        void *each;

        if (!interfaces->links)
                return true;
        link_notes_add(notes, name);
        link_notes_add_above(notes, interfaces->links);
        g_hash_table_iter_init(&iter, notes);
        while (g_hash_table_iter_next(&iter, &each, NULL))
                if (!check_manager(interfaces, each, error))
                        return false;
        return true;
}

/* ---- up and down ---- */

static bool bring_up(struct interfaces *interfaces, const struct interface_def *def, GError **error)
{
        g_autoptr(GHashTable) notes = link_notes_new();
        CLEANUP(link_set_unref) struct link_set *before = NULL;

        if (!interfaces->source) {
                g_hash_table_add(interfaces->active, g_strdup(def->name));
                return true;
        }
        /* Before anything is touched. */
        if (!dhcp_check(def, error))
                return false;
        link_source_settle(interfaces->source);
        before = link_source_snapshot(interfaces->source);
        link_notes_add_def(notes, def);
        if (!interface_set_up(interfaces->source, def, error))
                return false;
        if (dhcp_start(interfaces->lane, interfaces->runtime_dir, def, error))
                return true;
        interface_take_back(interfaces->source, before, notes);
        return false;
}

bool interfaces_bring_up(struct interfaces *interfaces, const struct interface_def *def, GError **error)
{
        bool good;

        interfaces_hold(interfaces);
        good = bring_up(interfaces, def, error);
        interfaces_release(interfaces);
        return good;
}

static bool bring_down(struct interfaces *interfaces, const struct host_interface *interface, GError **error)
{
        g_autoptr(GError) failure = NULL;
        bool had_dhcp;

        if (!interfaces->source) {
                g_hash_table_remove(interfaces->active, interface->name);
                return true;
        }
        had_dhcp = dhcp_is_started(interfaces->runtime_dir, interface->name);
        dhcp_stop(interfaces->lane, interfaces->runtime_dir, interface->name);
        if (interface_set_down(interfaces->source, interface->name, interface->def, error))
                return true;
        if (had_dhcp && interface->def &&
            !dhcp_start(interfaces->lane, interfaces->runtime_dir, interface->def, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "interface '%s'", interface->name);
        return false;
}

bool interfaces_bring_down(struct interfaces *interfaces, const struct host_interface *interface,
                           GError **error)
{
        bool good;

        interfaces_hold(interfaces);
        good = bring_down(interfaces, interface, error);
        interfaces_release(interfaces);
        return good;
}

/* ---- calls ---- */

struct request {
        struct interfaces *interfaces; /* borrowed */
        struct interface_def *def;     /* ref; of a define */
        char *name;                    /* owned; "": all of them */
        unsigned timeout_s;            /* of a transaction */
        interfaces_defined defined;    /* of a define */
        void *data;                    /* owned by defined */
};

static struct request *request_new(struct interfaces *interfaces, const char *name)
{
        struct request *request = g_new0(struct request, 1);

        request->interfaces = interfaces;
        request->name = g_strdup(name);
        request->timeout_s = interfaces->change_timeout_s;
        return request;
}

static void request_free(void *data)
{
        struct request *request = data;

        interface_def_unref(request->def);
        g_free(request->name);
        g_free(request);
}

static void run_request(struct request *request, collection_work work, collection_done done, void *data)
{
        const struct collection_task task = { work, request, request_free };

        collection_run(request->interfaces->collection, &task, done, data);
}

static bool define_work(void *args, GError **error)
{
        const struct request *request = args;
        struct interfaces *interfaces = request->interfaces;

        if (!interfaces_check_managers(interfaces, request->def, request->name, error) ||
            !transaction_note(interfaces, request->def, request->name, error) ||
            !interfaces_put_def(interfaces, request->def, error))
                return false;
        interfaces_publish(interfaces);
        return true;
}

static void define_done(const GError *error, void *data)
{
        const struct request *request = data;

        request->defined(request->name, error, request->data);
}

void interfaces_define_xml(struct interfaces *interfaces, const char *xml, unsigned flags,
                           interfaces_defined done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct interface_def *def = NULL;
        struct request *request;

        if (flags_check(flags, INTERFACE_DEFINE_VALIDATE, ERROR_FROM_INTERFACE, "InterfaceDefineXML",
                        &error) &&
            (!(flags & INTERFACE_DEFINE_VALIDATE) || interface_def_validate(xml, &error)))
                def = interface_def_parse(xml, &error);
        if (!def) {
                done(NULL, error, data);
                return;
        }
        request = request_new(interfaces, def->name);
        request->def = def;
        request->defined = done;
        request->data = data;
        run_request(request, define_work, define_done, request);
}

static bool undefine_work(void *args, GError **error)
{
        const struct request *request = args;
        struct interfaces *interfaces = request->interfaces;
        const struct host_interface *interface = interfaces_require(interfaces, request->name, error);

        if (!interface || !interfaces_check_managers(interfaces, interface->def, request->name, error))
                return false;
        if (!interface->def)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                                 "interface '%s' has no definition", request->name);
        if (!transaction_note(interfaces, interface->def, request->name, error) ||
            !interfaces_drop_def(interfaces, request->name, error))
                return false;
        interfaces_publish(interfaces);
        return true;
}

void interfaces_undefine(struct interfaces *interfaces, const struct host_interface *interface,
                         collection_done done, void *data)
{
        run_request(request_new(interfaces, interface->name), undefine_work, done, data);
}

/* What brings an interface up that nobody has defined: it is there, and no more is known of it. */
static struct interface_def *make_plain_def(const char *name, GError **error)
{
        g_autofree char *escaped = g_markup_escape_text(name, -1);
        g_autofree char *xml = g_strdup_printf("<interface type='ethernet' name='%s'/>", escaped);

        return interface_def_parse(xml, error);
}

static bool create_work(void *args, GError **error)
{
        const struct request *request = args;
        struct interfaces *interfaces = request->interfaces;
        const struct host_interface *interface = interfaces_require(interfaces, request->name, error);
        CLEANUP(interface_def_unref) struct interface_def *def = NULL;

        if (!interface)
                return false;
        if (interface->active)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                                 "interface '%s' is active already", request->name);
        def = interface->def ? interface_def_ref(interface->def) : make_plain_def(request->name, error);
        if (!def || !interfaces_check_managers(interfaces, def, request->name, error) ||
            !transaction_note(interfaces, def, request->name, error) ||
            !interfaces_bring_up(interfaces, def, error))
                return false;
        interfaces_publish(interfaces);
        return true;
}

struct reply {
        const char *function; /* for messages */
        collection_done done;
        void *data;
};

/* An action of one interface (NULL: of all) that has no flags. */
static void run_action(struct interfaces *interfaces, const struct host_interface *interface, unsigned flags,
                       collection_work work, const struct reply *reply)
{
        g_autoptr(GError) error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_INTERFACE, reply->function, &error))
                run_request(request_new(interfaces, interface ? interface->name : ""), work, reply->done,
                            reply->data);
        else
                reply->done(error, reply->data);
}

void interfaces_create(struct interfaces *interfaces, const struct host_interface *interface, unsigned flags,
                       collection_done done, void *data)
{
        run_action(interfaces, interface, flags, create_work, &(struct reply){ "Create", done, data });
}

static bool destroy_work(void *args, GError **error)
{
        const struct request *request = args;
        struct interfaces *interfaces = request->interfaces;
        const struct host_interface *interface = interfaces_require(interfaces, request->name, error);
        CLEANUP(host_interface_unref) struct host_interface *kept = NULL;

        if (!interface)
                return false;
        if (!interface->active)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                                 "interface '%s' is not active", request->name);
        kept = host_interface_ref((struct host_interface *)interface);
        if (!interfaces_check_managers(interfaces, kept->def, request->name, error) ||
            !check_managers_above(interfaces, request->name, error) ||
            !transaction_note(interfaces, kept->def, request->name, error) ||
            !interfaces_bring_down(interfaces, kept, error))
                return false;
        interfaces_publish(interfaces);
        return true;
}

void interfaces_destroy(struct interfaces *interfaces, const struct host_interface *interface, unsigned flags,
                        collection_done done, void *data)
{
        run_action(interfaces, interface, flags, destroy_work, &(struct reply){ "Destroy", done, data });
}

/* ---- transactions ---- */

static bool begin_work(void *args, GError **error)
{
        const struct request *request = args;

        return interfaces_check_managers(request->interfaces, NULL, "", error) &&
               transaction_begin(request->interfaces, request->timeout_s, error);
}

void interfaces_change_begin(struct interfaces *interfaces, unsigned flags, collection_done done, void *data)
{
        run_action(interfaces, NULL, flags, begin_work,
                   &(struct reply){ "InterfaceChangeBegin", done, data });
}

static bool commit_work(void *args, GError **error)
{
        return transaction_commit(((const struct request *)args)->interfaces, error);
}

void interfaces_change_commit(struct interfaces *interfaces, unsigned flags, collection_done done, void *data)
{
        run_action(interfaces, NULL, flags, commit_work,
                   &(struct reply){ "InterfaceChangeCommit", done, data });
}

static bool rollback_work(void *args, GError **error)
{
        return transaction_rollback(((const struct request *)args)->interfaces, error);
}

void interfaces_change_rollback(struct interfaces *interfaces, unsigned flags, collection_done done,
                                void *data)
{
        run_action(interfaces, NULL, flags, rollback_work,
                   &(struct reply){ "InterfaceChangeRollback", done, data });
}
