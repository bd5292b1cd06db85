/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces that are brought up without being asked for: when the host has booted, and when their links
 * come; and what ends when links go. In the lane.
 */
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "interfaces/dhcp.h"
#include "interfaces/model.h"

#include <string.h>

#define BOOT_MARK "booted"

static void bring_up_logged(struct interfaces *interfaces, const struct interface_def *def, const char *why)
{
        g_autoptr(GError) error = NULL;

        if (interfaces_check_managers(interfaces, def, def->name, &error) &&
            interfaces_bring_up(interfaces, def, &error))
                log_notice("interface '%s' is set up %s", def->name, why);
        else
                log_gerror(LOG_LEVEL_ERROR, error, "interface '%s'", def->name);
}

/* So deep are VLANs on VLANs; beyond it their order does not count. */
#define RANK_MAX 8

/* How many VLANs are to be made below it at most. Ports are set up with what they are in. */
static unsigned get_rank(const struct interfaces *interfaces, const struct interface_def *def, unsigned depth)
{
        const struct interface_def *lower =
                def->type == INTERFACE_VLAN ? g_hash_table_lookup(interfaces->defs, def->lower) : NULL;
        unsigned rank = def->type == INTERFACE_VLAN;

        if (depth == RANK_MAX)
                return 0;
        if (lower)
                rank += get_rank(interfaces, lower, depth + 1);
        for (unsigned i = 0; def->ports && i < def->ports->len; i++)
                rank = MAX(rank, get_rank(interfaces, g_ptr_array_index(def->ports, i), depth + 1));
        return rank;
}

/* What is below comes first: VLANs are brought up after what they are on. */
static int compare_defs(const void *a, const void *b, void *data)
{
        const struct interface_def *one = *(struct interface_def *const *)a,
                                   *two = *(struct interface_def *const *)b;
        unsigned first = get_rank(data, one, 0), second = get_rank(data, two, 0);

        return first != second ? (first > second) - (first < second) : strcmp(one->name, two->name);
}

static void bring_up_all(struct interfaces *interfaces, enum interface_start start, const char *why)
{
        g_autoptr(GPtrArray) defs = g_ptr_array_new_with_free_func((GDestroyNotify)interface_def_unref);
        GHashTableIter iter;
        void *def;

        g_hash_table_iter_init(&iter, interfaces->defs);
        while (g_hash_table_iter_next(&iter, NULL, &def))
                g_ptr_array_add(defs, interface_def_ref(def));
        g_ptr_array_sort_with_data(defs, compare_defs, interfaces);
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

/* ---- links that come and go ---- */

struct link_news {
        struct interfaces *interfaces; /* borrowed: it waits for what was posted */
        char *name;                    /* owned */
};

static void post_news(struct interfaces *interfaces, const char *name, lane_fn fn)
{
        struct link_news *news = g_new(struct link_news, 1);

        *news = (struct link_news){ interfaces, g_strdup(name) };
        atomic_fetch_add(&interfaces->posted, 1);
        lane_post(interfaces->lane, fn, news);
}

static void news_free(struct link_news *news)
{
        struct interfaces *interfaces = news->interfaces;

        g_free(news->name);
        g_free(news);
        loop_post(interfaces->loop, posted_done, interfaces);
}

static void bring_up_plugged(void *data)
{
        struct link_news *plugged = data;
        struct interfaces *interfaces = plugged->interfaces;
        const struct interface_def *def = g_hash_table_lookup(interfaces->defs, plugged->name);
        const struct host_interface *interface = object_set_find(interfaces->current, plugged->name);

        if (interfaces->booted && def && interface && interface->link && !interface->active)
                bring_up_logged(interfaces, def, "as it has come");
        news_free(plugged);
}

void interfaces_plugged(struct interfaces *interfaces, const char *name)
{
        const struct interface_def *def = g_hash_table_lookup(interfaces->defs, name);

        if (!interfaces->read_only && def && def->start == INTERFACE_START_HOTPLUG)
                post_news(interfaces, name, bring_up_plugged);
}

/* It may have come again meanwhile, with a client of its own. */
static void stop_dhcp(void *data)
{
        struct link_news *gone = data;
        struct interfaces *interfaces = gone->interfaces;

        if (!link_set_find_name(interfaces->links, gone->name))
                dhcp_stop(interfaces->lane, interfaces->runtime_dir, gone->name);
        news_free(gone);
}

void interfaces_unplugged(struct interfaces *interfaces, const char *name)
{
        if (!interfaces->read_only && dhcp_is_started(interfaces->runtime_dir, name))
                post_news(interfaces, name, stop_dhcp);
}
