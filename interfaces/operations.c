/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is done to the host's interfaces. Entry points run on the loop, *_work functions and what is below
 * them in the lane.
 */
#include "base/flags.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "interfaces/change.h"
#include "interfaces/dhcp.h"
#include "interfaces/manager.h"
#include "interfaces/model.h"
#include "interfaces/setup.h"
#include "interfaces/source.h"

#include <string.h>

#define SUFFIX    ".xml"
#define BOOT_MARK "booted"

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

/* ---- up and down ---- */

bool interfaces_bring_up(struct interfaces *interfaces, const struct interface_def *def, GError **error)
{
        if (!interfaces->source) {
                g_hash_table_add(interfaces->active, g_strdup(def->name));
                return true;
        }
        if (!interface_set_up(interfaces->source, def, error))
                return false;
        if (dhcp_start(interfaces->lane, interfaces->runtime_dir, def, error))
                return true;
        lane_shield(interfaces->lane);
        interface_set_down(interfaces->source, def->name, def, NULL);
        return false;
}

bool interfaces_bring_down(struct interfaces *interfaces, const struct host_interface *interface,
                           GError **error)
{
        if (!interfaces->source) {
                g_hash_table_remove(interfaces->active, interface->name);
                return true;
        }
        dhcp_stop(interfaces->lane, interfaces->runtime_dir, interface->name);
        return interface_set_down(interfaces->source, interface->name, interface->def, error);
}

static void bring_up_logged(struct interfaces *interfaces, const struct interface_def *def, const char *why)
{
        g_autoptr(GError) error = NULL;

        if (interfaces_check_managers(interfaces, def, def->name, &error) &&
            interfaces_bring_up(interfaces, def, &error))
                log_notice("interface '%s' is set up %s", def->name, why);
        else
                log_gerror(LOG_LEVEL_ERROR, error, "interface '%s'", def->name);
}

static int compare_defs(const void *a, const void *b)
{
        return strcmp((*(struct interface_def *const *)a)->name, (*(struct interface_def *const *)b)->name);
}

/* Those of which others are made come first only by being ports: they are set up with what they are in. */
static void bring_up_all(struct interfaces *interfaces, enum interface_start start, const char *why)
{
        g_autoptr(GPtrArray) defs = g_ptr_array_new_with_free_func((GDestroyNotify)interface_def_unref);
        GHashTableIter iter;
        void *def;

        g_hash_table_iter_init(&iter, interfaces->defs);
        while (g_hash_table_iter_next(&iter, NULL, &def))
                g_ptr_array_add(defs, interface_def_ref(def));
        g_ptr_array_sort(defs, compare_defs);
        for (unsigned i = 0; i < defs->len; i++) {
                const struct interface_def *each = g_ptr_array_index(defs, i);
                const struct host_interface *interface = object_set_find(interfaces->current, each->name);
                bool wanted = each->start == start && interface && !interface->active;

                if (wanted && (start != INTERFACE_START_HOTPLUG || interface->link))
                        bring_up_logged(interfaces, each, why);
        }
}

static void boot(struct interfaces *interfaces)
{
        g_autoptr(GError) error = NULL;

        transaction_recover(interfaces);
        interfaces->booted = true;
        if (interfaces->read_only || store_is_marked(interfaces->runtime_dir, BOOT_MARK))
                return;
        bring_up_all(interfaces, INTERFACE_START_ONBOOT, "on boot");
        bring_up_all(interfaces, INTERFACE_START_HOTPLUG, "as it is there");
        if (!store_make_dir(interfaces->runtime_dir, &error) ||
            !store_mark(interfaces->runtime_dir, BOOT_MARK, true, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "the mark of interfaces");
}

/* On the loop, which waits for it at the end of the agent. */
static void posted_done(void *data)
{
        struct interfaces *interfaces = data;

        atomic_fetch_sub(&interfaces->posted, 1);
}

static void boot_job(void *data)
{
        struct interfaces *interfaces = data;

        boot(interfaces);
        loop_post(interfaces->loop, posted_done, interfaces);
}

/* Called while links are published: what changes them has a turn of the lane of its own. */
void interfaces_boot_soon(struct interfaces *interfaces)
{
        atomic_fetch_add(&interfaces->posted, 1);
        lane_post(interfaces->lane, boot_job, interfaces);
}

struct plugged {
        struct interfaces *interfaces; /* borrowed: it waits for what was posted */
        char *name;                    /* owned */
};

static void bring_up_plugged(void *data)
{
        struct plugged *plugged = data;
        struct interfaces *interfaces = plugged->interfaces;
        const struct interface_def *def = g_hash_table_lookup(interfaces->defs, plugged->name);
        const struct host_interface *interface = object_set_find(interfaces->current, plugged->name);

        if (interfaces->booted && def && interface && interface->link && !interface->active)
                bring_up_logged(interfaces, def, "as it has come");
        g_free(plugged->name);
        g_free(plugged);
        loop_post(interfaces->loop, posted_done, interfaces);
}

void interfaces_plugged(struct interfaces *interfaces, const char *name)
{
        const struct interface_def *def = g_hash_table_lookup(interfaces->defs, name);
        struct plugged *plugged;

        if (interfaces->read_only || !def || def->start != INTERFACE_START_HOTPLUG)
                return;
        plugged = g_new(struct plugged, 1);
        *plugged = (struct plugged){ interfaces, g_strdup(name) };
        atomic_fetch_add(&interfaces->posted, 1);
        lane_post(interfaces->lane, bring_up_plugged, plugged);
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
