/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Masks and percentages: reading them, finding room, writing them. No files, no state; any thread.
 */
#include "drivers/host/resctrl.h"

#include "base/error.h"

#include <inttypes.h>
#include <string.h>

#define BITS 64

/* Beyond this it is not per cent: the kernel controls bandwidth in MB/s (mounted with mba_MBps). */
#define PERCENT_MAX 100

/* ---- text ---- */

static bool refuse_line(const char *line, const char *group, GError **error)
{
        return error_set(error, ERROR_FROM_RESCTRL, ERROR_INTERNAL_ERROR,
                         "'%.80s', of group '%s', is no line of resctrl's schemata", line, group);
}

/* Is it "L3", "L2CODE" or "MB"? */
static bool is_known(const char *name)
{
        const char *type = *name == 'L' ? name + 1 + strspn(name + 1, "0123456789") : NULL;

        if (strcmp(name, "MB") == 0)
                return true;
        return type && type > name + 1 && (!*type || strcmp(type, "CODE") == 0 || strcmp(type, "DATA") == 0);
}

/* "0=fffff", "0= 90": the kernel fills up with blanks. */
static bool parse_value(const char *text, bool is_mask, struct resctrl_entry *entry)
{
        const char *digits = is_mask ? "0123456789abcdefABCDEF" : "0123456789";
        size_t length;
        char *end;
        guint64 id;

        if (!g_ascii_isdigit(*text))
                return false;
        id = g_ascii_strtoull(text, &end, 10);
        if (*end++ != '=' || id > INT32_MAX)
                return false;
        end += strspn(end, " ");
        length = strspn(end, digits);
        if (length == 0 || length > 16 || end[length])
                return false;
        entry->id = (unsigned)id;
        entry->value = g_ascii_strtoull(end, NULL, is_mask ? 16 : 10);
        return true;
}

static bool parse_line(const char *line, const char *group, GArray *entries, GError **error)
{
        g_auto(GStrv) parts = g_strsplit(line, ":", 2);
        g_auto(GStrv) values = NULL;
        struct resctrl_entry entry = { .id = 0 };
        const char *name;

        if (!parts[0])
                return true;
        name = g_strstrip(parts[0]);
        if (!*name && !parts[1])
                return true;
        if (!parts[1])
                return refuse_line(line, group, error);
        /* A group that is to be locked has nothing yet. */
        if (strlen(name) >= sizeof(entry.resource) || !is_known(name) ||
            strcmp(g_strstrip(parts[1]), "uninitialized") == 0)
                return true;
        strcpy(entry.resource, name);
        values = g_strsplit(parts[1], ";", -1);
        if (!values[0])
                return refuse_line(line, group, error);
        for (unsigned i = 0; values[i]; i++) {
                if (!parse_value(g_strstrip(values[i]), *name == 'L', &entry) ||
                    entries->len == RESCTRL_ENTRIES_MAX || resctrl_find_entry(entries, name, entry.id))
                        return refuse_line(line, group, error);
                g_array_append_val(entries, entry);
        }
        return true;
}

GArray *resctrl_parse(const char *text, const char *group, GError **error)
{
        g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct resctrl_entry));
        g_auto(GStrv) lines = NULL;

        if (strlen(text) > RESCTRL_TEXT_MAX) {
                error_set(error, ERROR_FROM_RESCTRL, ERROR_INTERNAL_ERROR,
                          "resctrl's schemata of group '%s' have more than %d bytes", group,
                          RESCTRL_TEXT_MAX);
                return NULL;
        }
        lines = g_strsplit(text, "\n", -1);
        for (unsigned i = 0; lines[i]; i++) {
                if (!parse_line(lines[i], group, entries, error))
                        return NULL;
        }
        return g_steal_pointer(&entries);
}

char *resctrl_format(const GArray *entries)
{
        GString *text = g_string_new(NULL);
        const char *last = "";

        for (unsigned i = 0; i < entries->len; i++) {
                const struct resctrl_entry *entry = &g_array_index(entries, struct resctrl_entry, i);

                if (strcmp(entry->resource, last) == 0)
                        g_string_append_c(text, ';');
                else
                        g_string_append_printf(text, "%s%s:", i ? "\n" : "", entry->resource);
                last = entry->resource;
                g_string_append_printf(text, *last == 'L' ? "%u=%" PRIx64 : "%u=%" PRIu64, entry->id,
                                       entry->value);
        }
        return g_string_free(text, FALSE);
}

struct resctrl_entry *resctrl_find_entry(const GArray *entries, const char *resource, unsigned id)
{
        for (unsigned i = 0; i < entries->len; i++) {
                struct resctrl_entry *entry = &g_array_index(entries, struct resctrl_entry, i);

                if (entry->id == id && strcmp(entry->resource, resource) == 0)
                        return entry;
        }
        return NULL;
}

/* ---- room ---- */

bool resctrl_choose_bits(uint64_t free, unsigned count, uint64_t *mask)
{
        unsigned best = BITS + 1, at = 0;

        for (unsigned i = 0, length; i < BITS; i += length + 1) {
                for (length = 0; i + length < BITS && free >> (i + length) & 1;)
                        length++;
                if (length >= count && length < best) {
                        best = length;
                        at = i;
                }
        }
        if (count == 0 || best > BITS)
                return false;
        *mask = (count == BITS ? UINT64_MAX : (UINT64_C(1) << count) - 1) << at;
        return true;
}

static uint64_t find_free(const struct resctrl_resource *resource, unsigned id, const GArray *defaults,
                          const GPtrArray *others)
{
        uint64_t used = 0;

        for (unsigned i = 0; i <= others->len; i++) {
                const GArray *entries = i < others->len ? g_ptr_array_index(others, i) : defaults;
                const struct resctrl_entry *entry = resctrl_find_entry(entries, resource->name, id);

                used |= entry ? entry->value : 0;
        }
        return resource->mask & ~used;
}

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool refuse(GError **error, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        return error_set(error, ERROR_FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED, "%s", text);
}

/* How many bits make up the size. */
static bool count_bits(const struct resctrl_resource *resource, const struct resctrl_request *request,
                       unsigned *count, GError **error)
{
        uint64_t granularity = request->size / resctrl_count_bits(resource->mask);

        if (granularity == 0)
                return refuse(error, "the host does not say how large its cache of level %u, id %u is",
                              request->level, request->id);
        if (request->amount % granularity != 0)
                return refuse(error,
                              "a <cachetune> asks for %" PRIu64
                              " bytes of the cache of level %u, id %u, which "
                              "is given out in multiples of %" PRIu64 " bytes",
                              request->amount, request->level, request->id, granularity);
        if (request->amount / granularity < resource->min_bits)
                return refuse(error,
                              "a <cachetune> asks for %" PRIu64 " bytes of the cache of level %u, id %u, of "
                              "which at least %" PRIu64 " bytes are given out",
                              request->amount, request->level, request->id, granularity * resource->min_bits);
        *count = (unsigned)MIN(request->amount / granularity, BITS);
        return true;
}

static bool grant_cache(const struct resctrl_resource *resource, const struct resctrl_request *request,
                        uint64_t free, struct resctrl_entry *entry, GError **error)
{
        unsigned count = 0;

        if (!count_bits(resource, request, &count, error))
                return false;
        if (resctrl_choose_bits(free & ~resource->shareable, count, &entry->value) ||
            resctrl_choose_bits(free, count, &entry->value))
                return true;
        return refuse(error,
                      "there is no room for %" PRIu64
                      " bytes (%u bits in a row) of the cache of level %u, id "
                      "%u, type '%s': of its %u bits, the default group of resctrl and others leave %" PRIx64
                      " (take some from the default group: echo '%s:%u=...' >" RESCTRL_DIR "/schemata)",
                      request->amount, count, request->level, request->id, request->type,
                      resctrl_count_bits(resource->mask), free, resource->name, request->id);
}

static bool grant_bandwidth(const struct resctrl_resource *resource, const struct resctrl_request *request,
                            struct resctrl_entry *entry, GError **error)
{
        if (entry->value > PERCENT_MAX)
                return refuse(error,
                              "resctrl is mounted with mba_MBps: it gives out memory bandwidth in MB/s, "
                              "and <memorytune> is per cent");
        if (request->amount % resource->granularity != 0)
                return refuse(error,
                              "a <memorytune> asks for %" PRIu64 " %% of the bandwidth of node %u, which is "
                              "given out in multiples of %u %%",
                              request->amount, request->id, resource->granularity);
        if (request->amount < resource->minimum)
                return refuse(error,
                              "a <memorytune> asks for %" PRIu64 " %% of the bandwidth of node %u, of which "
                              "at least %u %% are given out",
                              request->amount, request->id, resource->minimum);
        entry->value = request->amount;
        return true;
}

static bool refuse_missing(const struct resctrl_request *request, bool has_resource, GError **error)
{
        if (request->level == 0)
                return has_resource ? refuse(error, "there is no memory bandwidth of node %u to be given out",
                                             request->id)
                                    : refuse(error, "this host gives out no memory bandwidth (<memorytune>)");
        if (has_resource)
                return refuse(error, "there is no cache of level %u with the id %u to be given out",
                              request->level, request->id);
        return refuse(error,
                      "this host gives out no cache of level %u and type '%s' (<cachetune>): what it does is "
                      "in its capabilities",
                      request->level, request->type);
}

GArray *resctrl_plan(const struct resctrl *resctrl, const GArray *defaults, const GPtrArray *others,
                     const struct resctrl_request *requests, unsigned n, GError **error)
{
        g_autoptr(GArray) plan = g_array_copy((GArray *)defaults);

        for (unsigned i = 0; i < n; i++) {
                const struct resctrl_request *request = &requests[i];
                const struct resctrl_resource *resource =
                        resctrl_find(resctrl, request->level, request->type);
                struct resctrl_entry *entry =
                        resource ? resctrl_find_entry(plan, resource->name, request->id) : NULL;
                bool ok;

                if (!entry)
                        ok = refuse_missing(request, resource, error);
                else if (request->level == 0)
                        ok = grant_bandwidth(resource, request, entry, error);
                else
                        ok = grant_cache(resource, request,
                                         find_free(resource, request->id, defaults, others), entry, error);
                if (!ok)
                        return NULL;
        }
        return g_steal_pointer(&plan);
}
