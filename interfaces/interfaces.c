/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model of the host's interfaces: its life, and what is answered from the published set. Loop thread.
 */
#include "interfaces/interfaces.h"

#include "base/filter.h"
#include "base/flags.h"
#include "base/lane.h"
#include "base/loop.h"
#include "interfaces/model.h"
#include "interfaces/source.h"

#include <string.h>

/* virConnectListAllInterfacesFlags */
#define LIST_INACTIVE 1
#define LIST_ACTIVE   2

/* ---- the kind ---- */

/* The path is part of what an interface is to clients. */
static bool is_same(const void *before, const void *after)
{
        const struct host_interface *old = before, *new = after;

        return old->keeps_mac == new->keeps_mac && (!old->keeps_mac || strcmp(old->mac, new->mac) == 0);
}

static const struct collection_kind kind = {
        .set = &host_interface_set_kind,
        .noun = "interface",
        .from = ERROR_FROM_INTERFACE,
        .missing = ERROR_NO_INTERFACE,
        .is_same = is_same,
};

/* ---- life ---- */

/* Which names are new, and which are gone? Both sets are sorted by them. */
static void tell_news(struct interfaces *interfaces, const struct link_set *before,
                      const struct link_set *after)
{
        unsigned i = 0, k = 0, old_count = before ? before->count : 0;

        while (i < old_count || k < after->count) {
                const char *old = i < old_count ? before->links[i]->name : NULL;
                const char *new = k < after->count ? after->links[k]->name : NULL;
                int order = !old ? 1 : !new ? -1 : strcmp(old, new);

                if (order < 0)
                        interfaces_unplugged(interfaces, old);
                else if (order > 0)
                        interfaces_plugged(interfaces, new);
                i += order <= 0;
                k += order >= 0;
        }
}

/* In the lane, with each set of links. */
static void take_links(struct link_set *set, void *data)
{
        struct interfaces *interfaces = data;
        CLEANUP(link_set_unref) struct link_set *before = NULL;

        if (interfaces->holds > 0) {
                link_set_unref(interfaces->held);
                interfaces->held = link_set_ref(set);
                return;
        }
        before = interfaces->links;
        interfaces->links = link_set_ref(set);
        interfaces_publish(interfaces);
        if (!before)
                interfaces_boot_soon(interfaces);
        if (interfaces->booted)
                tell_news(interfaces, before, set);
}

void interfaces_hold(struct interfaces *interfaces)
{
        interfaces->holds++;
}

void interfaces_release(struct interfaces *interfaces)
{
        CLEANUP(link_set_unref) struct link_set *set = NULL;

        interfaces->holds--;
        if (interfaces->holds > 0 || !interfaces->held)
                return;
        set = g_steal_pointer(&interfaces->held);
        take_links(set, interfaces);
}

static void make_paths(struct interfaces *interfaces, const struct interfaces_config *config)
{
        if (!config->state_dir)
                return;
        interfaces->defs_dir = g_build_filename(config->state_dir, "interfaces", NULL);
        interfaces->change_dir = g_build_filename(config->state_dir, "interfaces-change", NULL);
        interfaces->runtime_dir = g_build_filename(config->runtime_dir, "interfaces", NULL);
        interfaces->managers_dir = g_strdup(config->managers_dir);
}

struct interfaces *interfaces_new(struct loop *loop, struct pool *pool, struct link_source *source,
                                  const struct interfaces_config *config)
{
        struct interfaces *interfaces = g_new0(struct interfaces, 1);

        interfaces->loop = loop;
        interfaces->source = source;
        interfaces->lane =
                source ? lane_ref(link_source_get_lane(source)) : lane_new(pool, loop, "interfaces-test");
        interfaces->collection = collection_new(&kind, loop, interfaces->lane);
        interfaces->read_only = config->read_only;
        interfaces->defs =
                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)interface_def_unref);
        interfaces->active = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        make_paths(interfaces, config);
        if (source)
                link_source_set_hook(source, take_links, interfaces);
        return interfaces;
}

static const char test_interface[] = "<interface type='ethernet' name='eth1'>"
                                     "<start mode='onboot'/>"
                                     "<mac address='aa:bb:cc:dd:ee:ff'/>"
                                     "<mtu size='1492'/>"
                                     "<protocol family='ipv4'>"
                                     "<ip address='192.168.0.5' prefix='24'/>"
                                     "<route gateway='192.168.0.1'/>"
                                     "</protocol>"
                                     "</interface>";

struct interfaces *interfaces_new_test(struct loop *loop, struct pool *pool, GError **error)
{
        static const struct interfaces_config config = { 0 };
        struct interface_def *def = interface_def_parse(test_interface, error);
        struct interfaces *interfaces;

        if (!def)
                return NULL;
        interfaces = interfaces_new(loop, pool, NULL, &config);
        g_hash_table_add(interfaces->active, g_strdup(def->name));
        g_hash_table_insert(interfaces->defs, def->name, def);
        /* There from the beginning, before the lane runs. */
        interfaces->current = host_interface_make_set(NULL, NULL, interfaces->defs, interfaces->active);
        collection_show(interfaces->collection, NULL, interfaces->current);
        return interfaces;
}

/* The lane is idle: what it owned is nobody's now. */
void interfaces_free(struct interfaces *interfaces)
{
        if (!interfaces)
                return;
        link_source_free(interfaces->source);
        collection_free(interfaces->collection);
        object_set_unref(interfaces->current);
        link_set_unref(interfaces->links);
        link_set_unref(interfaces->held);
        transaction_free(interfaces->transaction);
        g_hash_table_unref(interfaces->defs);
        g_hash_table_unref(interfaces->active);
        lane_unref(interfaces->lane);
        g_free(interfaces->defs_dir);
        g_free(interfaces->change_dir);
        g_free(interfaces->runtime_dir);
        g_free(interfaces->managers_dir);
        g_free(interfaces);
}

static bool start_work(void *args, GError **error)
{
        struct interfaces *interfaces = *(struct interfaces **)args;

        interfaces_load(interfaces);
        interfaces_publish(interfaces);
        return true;
}

static void run(struct interfaces *interfaces, collection_work work)
{
        const struct collection_task task = { .work = work,
                                              .args = g_memdup2(&interfaces, sizeof(interfaces)) };

        collection_run(interfaces->collection, &task, NULL, NULL);
}

void interfaces_start(struct interfaces *interfaces)
{
        if (!interfaces->source)
                return;
        run(interfaces, start_work);
        link_source_start(interfaces->source);
}

bool interfaces_are_ready(const struct interfaces *interfaces)
{
        return (!interfaces->source || link_source_get(interfaces->source)) &&
               interfaces_get_pending(interfaces) == 0;
}

struct link_source *interfaces_get_source(const struct interfaces *interfaces)
{
        return interfaces->source;
}

struct collection *interfaces_get_collection(const struct interfaces *interfaces)
{
        return interfaces->collection;
}

unsigned interfaces_get_pending(const struct interfaces *interfaces)
{
        return collection_get_pending(interfaces->collection) + atomic_load(&interfaces->posted);
}

static bool quiesce_work(void *args, GError **error)
{
        struct interfaces *interfaces = *(struct interfaces **)args;

        interfaces->booted = false;
        if (interfaces->timer)
                lane_timer_free(g_steal_pointer(&interfaces->timer));
        if (interfaces->source)
                link_source_set_hook(interfaces->source, NULL, NULL);
        return true;
}

void interfaces_quiesce(struct interfaces *interfaces)
{
        run(interfaces, quiesce_work);
}

/* ---- lookups ---- */

static unsigned describe(const void *object)
{
        return ((const struct host_interface *)object)->active ? LIST_ACTIVE : LIST_INACTIVE;
}

static const unsigned list_groups[] = { LIST_INACTIVE | LIST_ACTIVE };
static const struct filter list_filter = { list_groups, G_N_ELEMENTS(list_groups), describe };

GPtrArray *interfaces_list(const struct interfaces *interfaces, unsigned flags, GError **error)
{
        if (!filter_check(&list_filter, flags, ERROR_FROM_INTERFACE, "ListInterfaces", error))
                return NULL;
        return filter_select(&list_filter, flags, collection_list(interfaces->collection));
}

struct host_interface *interfaces_lookup_name(const struct interfaces *interfaces, const char *name,
                                              GError **error)
{
        return collection_lookup(interfaces->collection, name, error);
}

struct host_interface *interfaces_lookup_key(const struct interfaces *interfaces, const char *key,
                                             GError **error)
{
        struct host_interface *interface =
                collection_find_by(interfaces->collection, HOST_INTERFACE_PATH_KEY, key, NULL);

        return interface ? interface : collection_lookup(interfaces->collection, key, error);
}

struct host_interface *interfaces_lookup_mac(const struct interfaces *interfaces, const char *mac,
                                             GError **error)
{
        g_autoptr(GPtrArray) all = collection_list(interfaces->collection);
        g_autofree char *lower = g_ascii_strdown(mac, -1), *quoted = error_quote(mac);
        g_autoptr(GString) names = g_string_new(NULL);
        struct host_interface *found = NULL;
        unsigned count = 0;

        for (unsigned i = 0; i < all->len; i++) {
                struct host_interface *interface = g_ptr_array_index(all, i);

                if (!*lower || strcmp(interface->mac, lower) != 0)
                        continue;
                g_string_append_printf(names, "%s'%s'", count++ ? ", " : "", interface->name);
                found = interface;
        }
        if (count == 1)
                return found;
        if (count == 0)
                error_set(error, ERROR_FROM_INTERFACE, ERROR_NO_INTERFACE,
                          "no interface with matching mac '%s'", quoted);
        else
                error_set(error, ERROR_FROM_INTERFACE, ERROR_MULTIPLE_INTERFACES,
                          "with MAC '%s' there are %s", quoted, names->str);
        return NULL;
}

char *interfaces_get_xml(const struct interfaces *interfaces, const struct host_interface *interface,
                         unsigned flags, GError **error)
{
        struct link_set *links = interfaces->source ? link_source_get(interfaces->source) : NULL;
        bool inactive = flags & INTERFACE_XML_INACTIVE;

        if (!flags_check(flags, INTERFACE_XML_INACTIVE, ERROR_FROM_INTERFACE, "GetXMLDesc", error))
                return NULL;
        if (interface->def && (inactive || !interface->link))
                return g_strdup(interface->def->xml);
        return interface_format_live(interface->link, links, interface->def, inactive);
}

/* ---- the transaction's time ---- */

unsigned interfaces_get_change_timeout(const struct interfaces *interfaces)
{
        return interfaces->change_timeout_s;
}

bool interfaces_set_change_timeout(struct interfaces *interfaces, unsigned seconds, GError **error)
{
        if (seconds > INTERFACES_CHANGE_TIMEOUT_MAX)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_INVALID_ARG,
                                 "a timeout of %u s for changes of interfaces, expected at most %d", seconds,
                                 INTERFACES_CHANGE_TIMEOUT_MAX);
        interfaces->change_timeout_s = seconds;
        return true;
}
