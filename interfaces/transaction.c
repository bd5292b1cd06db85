/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transactions of interfaces. What is needed to roll one back is in the state directory before anything is
 * changed:
 *
 *     interfaces-change/links.xml     which boot of the host it was, and as they were: the links that were
 *                                     changed since, with what they are in and on
 *     interfaces-change/names         the names of those that were changed, one a line, each with its settings
 *                                     of IPv6
 *     interfaces-change/<name>.def    the definition of each of those as it was; empty: there was none
 *
 * links.xml is written first and removed last: it is what makes the transaction open. In the lane.
 */
#include "base/lane.h"
#include "base/log.h"
#include "base/store.h"
#include "interfaces/dhcp.h"
#include "interfaces/links-xml.h"
#include "interfaces/model.h"
#include "interfaces/notes.h"
#include "interfaces/restore.h"
#include "interfaces/source.h"

#include <string.h>

#define LINKS_FILE "links.xml"
#define NAMES_FILE "names"
#define DEF_SUFFIX ".def"
/* In the place of a digit. */
#define UNKNOWN '-'

struct transaction {
        struct link_set *links; /* ref; as they were; NULL: another boot's, or in memory */
        GHashTable *defs;       /* owned; name -> definition's text, "" none; of what was changed */
        GHashTable *notes;      /* owned; links that were changed (notes.h) */
        GHashTable *active;     /* owned; in memory: what was up */
};

static char *get_boot_id(void)
{
        char *text = NULL;

        if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
                return g_strdup("");
        return g_strstrip(text);
}

static struct transaction *transaction_new(void)
{
        struct transaction *transaction = g_new0(struct transaction, 1);

        transaction->defs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        transaction->notes = link_notes_new();
        transaction->active = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        return transaction;
}

void transaction_free(struct transaction *transaction)
{
        if (!transaction)
                return;
        link_set_unref(transaction->links);
        g_hash_table_unref(transaction->defs);
        g_hash_table_unref(transaction->notes);
        g_hash_table_unref(transaction->active);
        g_free(transaction);
}

static bool require_open(const struct interfaces *interfaces, GError **error)
{
        return interfaces->transaction ||
               error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                         "no change of interfaces has begun: call InterfaceChangeBegin first");
}

/* ---- begin ---- */

/* Taps come and go with guests; what happens to them is not part of any change here. */
static struct link_set *without_taps(const struct link_set *set)
{
        g_autoptr(GPtrArray) links = g_ptr_array_new();

        for (unsigned i = 0; i < set->count; i++)
                if (!link_is(set->links[i], "tun"))
                        g_ptr_array_add(links, set->links[i]);
        return link_set_new((struct link *const *)links->pdata, links->len);
}

static void on_timeout(void *data)
{
        struct interfaces *interfaces = data;
        g_autoptr(GError) error = NULL;

        lane_timer_free(g_steal_pointer(&interfaces->timer));
        log_warning("the change of interfaces was not committed in time: rolling it back");
        if (!transaction_rollback(interfaces, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "rolling back the change of interfaces");
}

/* Those that were changed, and those that these were in or on: a host may have thousands of others. */
static struct link_set *get_changed(const struct transaction *transaction)
{
        g_autoptr(GHashTable) wanted = g_hash_table_new(NULL, NULL);
        g_autoptr(GPtrArray) links = g_ptr_array_new();
        const struct link_set *all = transaction->links;

        for (unsigned i = 0; i < all->count; i++) {
                const struct link *link = all->links[i];

                if (!g_hash_table_contains(transaction->notes, link->name))
                        continue;
                g_hash_table_add(wanted, GINT_TO_POINTER(link->index));
                g_hash_table_add(wanted, GINT_TO_POINTER(link->master));
                g_hash_table_add(wanted, GINT_TO_POINTER(link->lower));
        }
        for (unsigned i = 0; i < all->count; i++)
                if (g_hash_table_contains(wanted, GINT_TO_POINTER(all->links[i]->index)))
                        g_ptr_array_add(links, all->links[i]);
        return link_set_new((struct link *const *)links->pdata, links->len);
}

static bool write_links(const struct interfaces *interfaces, const struct transaction *transaction,
                        GError **error)
{
        CLEANUP(link_set_unref) struct link_set *changed = get_changed(transaction);
        g_autofree char *boot_id = get_boot_id(), *text = links_format(changed, boot_id);

        return store_write(interfaces->change_dir, LINKS_FILE, text, true, error);
}

/* What an earlier one has left means nothing to this one. */
static bool clear_files(const struct interfaces *interfaces, GError **error)
{
        g_autoptr(GPtrArray) files = store_list(interfaces->change_dir, DEF_SUFFIX, error);

        for (unsigned i = 0; files && i < files->len; i++)
                if (!store_remove(interfaces->change_dir, g_ptr_array_index(files, i), false, error))
                        return false;
        return files && store_remove(interfaces->change_dir, NAMES_FILE, false, error);
}

static bool keep_links(const struct interfaces *interfaces, struct transaction *transaction, GError **error)
{
        CLEANUP(link_set_unref) struct link_set *now = NULL;

        if (!interfaces->source)
                return true;
        now = link_source_snapshot(interfaces->source);
        transaction->links = without_taps(now);
        return clear_files(interfaces, error) && write_links(interfaces, transaction, error);
}

static void copy_names(GHashTable *to, GHashTable *from)
{
        GHashTableIter iter;
        void *name;

        g_hash_table_iter_init(&iter, from);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                g_hash_table_add(to, g_strdup(name));
}

bool transaction_begin(struct interfaces *interfaces, unsigned timeout_s, GError **error)
{
        struct transaction *transaction;

        if (interfaces->transaction)
                return error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_INVALID,
                                 "a change of interfaces is on its way: commit it or roll it back first");
        transaction = transaction_new();
        copy_names(transaction->active, interfaces->active);
        if (!keep_links(interfaces, transaction, error)) {
                transaction_free(transaction);
                return false;
        }
        interfaces->transaction = transaction;
        if (timeout_s > 0)
                interfaces->timer =
                        lane_timer_new(interfaces->lane, timeout_s * 1000, on_timeout, interfaces);
        return true;
}

/* ---- while it is open ---- */

static bool write_names(const struct interfaces *interfaces, const struct transaction *transaction,
                        GError **error)
{
        g_autoptr(GString) text = g_string_new(NULL);
        GHashTableIter iter;
        void *name, *value;

        g_hash_table_iter_init(&iter, transaction->notes);
        while (g_hash_table_iter_next(&iter, &name, &value)) {
                const struct ipv6_settings *settings = value;

                g_string_append_printf(text, "%s %c%c%c\n", (const char *)name,
                                       settings->disabled ? settings->disabled : UNKNOWN,
                                       settings->autoconf ? settings->autoconf : UNKNOWN,
                                       settings->accept_ra ? settings->accept_ra : UNKNOWN);
        }
        return store_write(interfaces->change_dir, NAMES_FILE, text->str, true, error);
}

static bool keep_def(const struct interfaces *interfaces, struct transaction *transaction, const char *name,
                     GError **error)
{
        const struct interface_def *def = g_hash_table_lookup(interfaces->defs, name);
        g_autofree char *file = g_strconcat(name, DEF_SUFFIX, NULL);
        const char *text = def ? def->xml : "";

        if (g_hash_table_contains(transaction->defs, name))
                return true;
        if (interfaces->change_dir && !store_write(interfaces->change_dir, file, text, true, error))
                return false;
        g_hash_table_insert(transaction->defs, g_strdup(name), g_strdup(text));
        return true;
}

bool transaction_note(struct interfaces *interfaces, const struct interface_def *def, const char *name,
                      GError **error)
{
        struct transaction *transaction = interfaces->transaction;
        unsigned count;

        if (!transaction)
                return true;
        count = g_hash_table_size(transaction->notes);
        link_notes_add(transaction->notes, name);
        if (def)
                link_notes_add_def(transaction->notes, def);
        if (interfaces->links)
                link_notes_add_above(transaction->notes, interfaces->links);
        if (interfaces->change_dir && g_hash_table_size(transaction->notes) != count &&
            (!write_links(interfaces, transaction, error) || !write_names(interfaces, transaction, error)))
                return false;
        return keep_def(interfaces, transaction, name, error);
}

/* ---- the end ---- */

static bool forget(struct interfaces *interfaces, GError **error)
{
        /* With this the transaction is over; the rest has no meaning without. */
        if (interfaces->change_dir && !store_remove(interfaces->change_dir, LINKS_FILE, true, error))
                return false;
        if (interfaces->timer)
                lane_timer_free(g_steal_pointer(&interfaces->timer));
        g_clear_pointer(&interfaces->transaction, transaction_free);
        if (interfaces->change_dir)
                clear_files(interfaces, NULL);
        return true;
}

bool transaction_commit(struct interfaces *interfaces, GError **error)
{
        return require_open(interfaces, error) && forget(interfaces, error);
}

static bool restore_def(struct interfaces *interfaces, const char *name, const char *text, GError **error)
{
        CLEANUP(interface_def_unref) struct interface_def *def = NULL;

        if (!*text)
                return interfaces_drop_def(interfaces, name, error);
        def = interface_def_parse(text, error);
        return def && interfaces_put_def(interfaces, def, error);
}

static bool restore_defs(struct interfaces *interfaces, const struct transaction *transaction, GError **error)
{
        GHashTableIter iter;
        void *name, *text;

        g_hash_table_iter_init(&iter, transaction->defs);
        while (g_hash_table_iter_next(&iter, &name, &text))
                if (!restore_def(interfaces, name, text, error))
                        return false;
        return true;
}

/*
 * Before the links are put back: a client that goes gives its lease back through its link, and udhcpc's
 * script sets that up.
 */
static void stop_dhcp(struct interfaces *interfaces, const struct transaction *transaction)
{
        GHashTableIter iter;
        void *name;

        g_hash_table_iter_init(&iter, transaction->notes);
        while (g_hash_table_iter_next(&iter, &name, NULL))
                dhcp_stop(interfaces->lane, interfaces->runtime_dir, name);
}

/* For what is up again by DHCP. */
static void start_dhcp(struct interfaces *interfaces, const struct transaction *transaction)
{
        GHashTableIter iter;
        void *name;

        g_hash_table_iter_init(&iter, transaction->notes);
        while (g_hash_table_iter_next(&iter, &name, NULL)) {
                const struct link *link = link_set_find_name(transaction->links, name);
                const struct interface_def *def = g_hash_table_lookup(interfaces->defs, name);
                g_autoptr(GError) error = NULL;

                if (link && link_is_up(link) && def &&
                    !dhcp_start(interfaces->lane, interfaces->runtime_dir, def, &error))
                        log_gerror(LOG_LEVEL_ERROR, error, "interface '%s'", (const char *)name);
        }
}

bool transaction_rollback(struct interfaces *interfaces, GError **error)
{
        struct transaction *transaction = interfaces->transaction;
        bool good;

        if (!require_open(interfaces, error))
                return false;
        lane_shield(interfaces->lane);
        interfaces_hold(interfaces);
        good = restore_defs(interfaces, transaction, error);
        if (transaction->links) {
                stop_dhcp(interfaces, transaction);
                good = link_restore(interfaces->source, transaction->links, transaction->notes,
                                    good ? error : NULL) &&
                       good;
                start_dhcp(interfaces, transaction);
        } else if (!interfaces->source) {
                g_hash_table_remove_all(interfaces->active);
                copy_names(interfaces->active, transaction->active);
        }
        good = forget(interfaces, good ? error : NULL) && good;
        interfaces_release(interfaces);
        interfaces_publish(interfaces);
        return good;
}

/* ---- after a restart ---- */

static char get_digit(const char *digits, unsigned i)
{
        return strlen(digits) > i && g_ascii_isdigit(digits[i]) ? digits[i] : '\0';
}

static void read_name(const struct interfaces *interfaces, struct transaction *transaction, char *line)
{
        char *space = strchr(line, ' ');
        const char *digits = space ? space + 1 : "";
        const struct ipv6_settings settings = { get_digit(digits, 0), get_digit(digits, 1),
                                                get_digit(digits, 2) };
        g_autofree char *file = NULL, *path = NULL, *def = NULL;

        if (space)
                *space = '\0';
        if (!*line || !interface_check_name(line, NULL))
                return;
        link_notes_add_settings(transaction->notes, line, &settings);
        file = g_strconcat(line, DEF_SUFFIX, NULL);
        path = g_build_filename(interfaces->change_dir, file, NULL);
        def = store_read(path, NULL);
        if (def)
                g_hash_table_insert(transaction->defs, g_strdup(line), g_steal_pointer(&def));
}

static void read_names(const struct interfaces *interfaces, struct transaction *transaction)
{
        g_autofree char *path = g_build_filename(interfaces->change_dir, NAMES_FILE, NULL),
                        *text = store_read(path, NULL);
        g_auto(GStrv) names = g_strsplit(text ? text : "", "\n", -1);

        for (unsigned i = 0; names[i]; i++)
                read_name(interfaces, transaction, names[i]);
}

void transaction_recover(struct interfaces *interfaces)
{
        g_autofree char *path =
                interfaces->change_dir ? g_build_filename(interfaces->change_dir, LINKS_FILE, NULL) : NULL;
        g_autofree char *text = path ? store_read(path, NULL) : NULL, *boot_id = NULL,
                        *this_boot = get_boot_id();
        g_autoptr(GError) error = NULL;
        struct transaction *transaction;

        if (!text || interfaces->read_only)
                return;
        log_warning("a change of interfaces was not committed before the agent ended: rolling it back");
        transaction = transaction_new();
        transaction->links = links_parse(text, &boot_id, &error);
        if (!transaction->links)
                log_gerror(LOG_LEVEL_ERROR, error, "'%s'", path);
        /* The links of another boot are gone as it is. */
        if (g_strcmp0(boot_id, this_boot) != 0)
                g_clear_pointer(&transaction->links, link_set_unref);
        read_names(interfaces, transaction);
        interfaces->transaction = transaction;
        g_clear_error(&error);
        if (!transaction_rollback(interfaces, &error))
                log_gerror(LOG_LEVEL_ERROR, error, "rolling back the change of interfaces");
}
