/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What guests' interfaces have learned. The kernel tells nobody, so it is looked at now and then: often
 * while an interface is new, and has learned nothing yet. It is kept in a file of the runtime directory, for
 * an agent that finds it gone from the kernel. On the loop, but for *_job.
 */
#include "base/lane.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "drivers/nwfilter/model.h"
#include "interfaces/netlink.h"

#include <string.h>

/* A thousand interfaces take some tens of milliseconds of a lane. */
#define LOOK_MS 20000
/* For those that are new, so many at a time. */
#define EARLY_MS  1000
#define EARLY_MAX 256

#define FILE_NAME "learned"
/* More than any guest has, and less than a file may have (STORE_FILE_MAX). */
#define TEXT_MAX (STORE_FILE_MAX - 4096)

struct memory {
        struct nwfilter_work work;
        bool early;          /* those only that have learned nothing yet */
        GPtrArray *ports;    /* owned; refs */
        GHashTable *learned; /* owned; device to command */
        char *text;          /* owned; of the file */
};

static void clear_memory(struct nwfilter_work *work)
{
        struct memory *memory = (struct memory *)work;

        g_clear_pointer(&memory->ports, g_ptr_array_unref);
        g_clear_pointer(&memory->learned, g_hash_table_unref);
        g_free(memory->text);
}

void nwfilter_memory_read(struct netlink *netlink, const struct nwfilter_port *port, GHashTable *learned)
{
        char *text = nwfilter_table_read_learned(netlink, port->device);

        if (text)
                g_hash_table_replace(learned, g_strdup(port->device), text);
}

/* ---- the file: "device MAC command", a line each ---- */

static char *format_key(const struct nwfilter_port *port)
{
        const uint8_t *mac = port->mac;

        return g_strdup_printf("%s %02x:%02x:%02x:%02x:%02x:%02x", port->device, mac[0], mac[1], mac[2],
                               mac[3], mac[4], mac[5]);
}

/* Owned. */
static char *format_file(const struct nwfilters *nwfilters)
{
        g_autoptr(GHashTable) learned = nwfilters_copy_learned(nwfilters);
        g_autoptr(GPtrArray) ports = nwfilters_list_ports(nwfilters);
        GString *text = g_string_new(NULL);

        for (unsigned i = 0; i < ports->len && text->len < TEXT_MAX; i++) {
                const struct nwfilter_port *port = g_ptr_array_index(ports, i);
                const char *command = g_hash_table_lookup(learned, port->device);
                g_autofree char *key = command ? format_key(port) : NULL;

                if (key)
                        g_string_append_printf(text, "%s %s", key, command);
        }
        return g_string_free(text, FALSE);
}

static bool is_command(const char *text)
{
        static const char begin[] = "add element " NWFILTER_TABLE " ", opening[] = " { ";
        const char *list = g_str_has_prefix(text, begin) ? strstr(text, opening) : NULL;

        if (!list)
                return false;
        list += strlen(opening);
        return strcmp(list + strspn(list, "0123456789., "), "}") == 0;
}

void nwfilter_memory_load(const struct nwfilters *nwfilters, const GPtrArray *ports, GHashTable *learned)
{
        g_autofree char *path =
                nwfilters->runtime_dir ? g_build_filename(nwfilters->runtime_dir, FILE_NAME, NULL) : NULL;
        g_autofree char *text = path && g_file_test(path, G_FILE_TEST_EXISTS) ? store_read(path, NULL) : NULL;
        g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

        for (unsigned i = 0; i < ports->len; i++) {
                const struct nwfilter_port *port = g_ptr_array_index(ports, i);
                g_autofree char *key = format_key(port), *begin = g_strconcat(key, " ", NULL);

                for (unsigned j = 0; lines[j]; j++)
                        if (g_str_has_prefix(lines[j], begin) && is_command(lines[j] + strlen(begin)))
                                g_hash_table_replace(learned, g_strdup(port->device),
                                                     g_strconcat(lines[j] + strlen(begin), "\n", NULL));
        }
}

static void written(void *data)
{
        nwfilter_work_end(data);
}

static void write_job(void *data)
{
        struct memory *memory = data;
        const struct nwfilters *nwfilters = memory->work.nwfilters;
        g_autoptr(GError) error = NULL;

        if (!(*memory->text ? store_write(nwfilters->runtime_dir, FILE_NAME, memory->text, false, &error)
                            : store_remove(nwfilters->runtime_dir, FILE_NAME, false, &error)))
                log_gerror(LOG_LEVEL_WARNING, error, "addresses that interfaces have learned are not kept");
        loop_post(nwfilters->loop, written, memory);
}

/* ---- a look ---- */

static void remembered(void *data)
{
        struct memory *memory = data;
        struct nwfilters *nwfilters = memory->work.nwfilters;

        nwfilters_note_learned(nwfilters, memory->ports, memory->learned);
        memory->text = format_file(nwfilters);
        if (!nwfilters->runtime_dir || g_strcmp0(memory->text, nwfilters->kept) == 0) {
                nwfilter_work_end(&memory->work);
                return;
        }
        g_free(nwfilters->kept);
        nwfilters->kept = g_strdup(memory->text);
        lane_post(nwfilters->lane, write_job, memory);
}

static void remember_job(void *data)
{
        struct memory *memory = data;
        CLEANUP(netlink_free)
        struct netlink *netlink = netlink_new_filter(memory->work.nwfilters->lane, NULL);

        for (unsigned i = 0; netlink && i < memory->ports->len; i++)
                nwfilter_memory_read(netlink, g_ptr_array_index(memory->ports, i), memory->learned);
        loop_post(memory->work.nwfilters->loop, remembered, memory);
}

static void begin_memory(struct nwfilter_work *work)
{
        struct memory *memory = (struct memory *)work;

        memory->ports = memory->early ? nwfilters_list_new_ports(work->nwfilters, EARLY_MAX)
                                      : nwfilters_list_ports(work->nwfilters);
        memory->learned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        lane_post(work->nwfilters->lane, remember_job, memory);
}

static void remember(struct nwfilters *nwfilters, bool early)
{
        struct memory *memory = g_new0(struct memory, 1);

        memory->early = early;
        memory->work = (struct nwfilter_work){ nwfilters, begin_memory, clear_memory };
        nwfilter_work_run(&memory->work);
}

void nwfilters_remember(struct nwfilters *nwfilters)
{
        if (g_hash_table_size(nwfilters->ports) > 0 || !nwfilters->kept || *nwfilters->kept)
                remember(nwfilters, false);
}

/* ---- now and then ---- */

static void remember_in_turn(void *data)
{
        struct nwfilters *nwfilters = data;

        loop_timer_set(nwfilters->learning_timer, LOOK_MS);
        nwfilters_remember(nwfilters);
}

static void remember_early(void *data)
{
        struct nwfilters *nwfilters = data;
        g_autoptr(GPtrArray) ports = nwfilters_list_new_ports(nwfilters, 1);

        g_clear_pointer(&nwfilters->early_timer, loop_timer_free);
        if (ports->len == 0)
                return;
        remember(nwfilters, true);
        nwfilters_expect_learning(nwfilters);
}

void nwfilters_expect_learning(struct nwfilters *nwfilters)
{
        if (nwfilters->learning_timer && !nwfilters->early_timer)
                nwfilters->early_timer = loop_timer_new(nwfilters->loop, EARLY_MS, remember_early, nwfilters);
}

void nwfilters_begin_memory(struct nwfilters *nwfilters)
{
        nwfilters->learning_timer = loop_timer_new(nwfilters->loop, LOOK_MS, remember_in_turn, nwfilters);
        nwfilters_expect_learning(nwfilters);
}

void nwfilters_end_memory(struct nwfilters *nwfilters)
{
        g_clear_pointer(&nwfilters->learning_timer, loop_timer_free);
        g_clear_pointer(&nwfilters->early_timer, loop_timer_free);
        nwfilters_remember(nwfilters);
}
