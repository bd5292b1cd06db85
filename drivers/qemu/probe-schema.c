/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Boiling down QEMU's description of its own interface to names. Any thread. */

#include "drivers/qemu/probe-schema.h"

#include "drivers/qemu/qmp-value.h"

#include <glib.h>

/* How far below a command's arguments structures are followed. */
#define SCHEMA_DEPTH_MAX 2

json_t *probe_schema_names(const json_t *schema, const char *meta_type)
{
        json_t *names = json_array();

        for (size_t i = 0; i < json_array_size(schema); i++) {
                const json_t *entity = json_array_get(schema, i);

                if (g_strcmp0(qmp_get_string(entity, "meta-type"), meta_type) == 0)
                        json_array_append(names, json_object_get(entity, "name"));
        }
        return names;
}

json_t *probe_schema_collect(const json_t *reply, const char *member)
{
        json_t *names = json_array();

        for (size_t i = 0; i < json_array_size(reply); i++)
                json_array_append(names, json_object_get(json_array_get(reply, i), member));
        return names;
}

struct walk {
        GHashTable *entities; /* name -> json_t, borrowed */
        json_t *paths;        /* borrowed */
};

static void add_path(const struct walk *walk, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_path(const struct walk *walk, const char *format, ...)
{
        g_autofree char *path = NULL;
        va_list args;

        va_start(args, format);
        path = g_strdup_vprintf(format, args);
        va_end(args);
        json_array_append_new(walk->paths, json_string(path));
}

static void add_values(const struct walk *walk, const char *path, const json_t *entity)
{
        const json_t *values = json_object_get(entity, "values");

        for (size_t i = 0; i < json_array_size(values); i++)
                add_path(walk, "%s=%s", path, json_string_value(json_array_get(values, i)));
}

/* The members of the structure type, each under prefix. */
static void walk_object(const struct walk *walk, const char *type, const char *prefix, unsigned depth)
{
        const json_t *object = type ? g_hash_table_lookup(walk->entities, type) : NULL;
        const json_t *members = json_object_get(object, "members");
        const json_t *variants = json_object_get(object, "variants");

        if (g_strcmp0(qmp_get_string(object, "meta-type"), "object") != 0)
                return;
        for (size_t i = 0; i < json_array_size(members); i++) {
                const json_t *member = json_array_get(members, i);
                const char *name = qmp_get_string(member, "name");
                const char *member_type = qmp_get_string(member, "type");
                const json_t *entity = member_type ? g_hash_table_lookup(walk->entities, member_type) : NULL;
                g_autofree char *path = g_strconcat(prefix, name, NULL);
                g_autofree char *below = g_strconcat(path, ".", NULL);

                if (!name || !entity)
                        continue;
                add_path(walk, "%s", path);
                add_values(walk, path, entity);
                if (depth < SCHEMA_DEPTH_MAX)
                        walk_object(walk, member_type, below, depth + 1);
        }
        for (size_t i = 0; i < json_array_size(variants) && depth < SCHEMA_DEPTH_MAX; i++) {
                const json_t *variant = json_array_get(variants, i);
                g_autofree char *below = g_strconcat(prefix, qmp_get_string(variant, "case"), ".", NULL);

                walk_object(walk, qmp_get_string(variant, "type"), below, depth + 1);
        }
}

json_t *probe_schema_arguments(const json_t *schema, const char *const *commands)
{
        g_autoptr(GHashTable) entities = g_hash_table_new(g_str_hash, g_str_equal);
        struct walk walk = { .entities = entities, .paths = json_array() };

        for (size_t i = 0; i < json_array_size(schema); i++) {
                json_t *entity = json_array_get(schema, i);
                const char *name = qmp_get_string(entity, "name");

                if (name)
                        g_hash_table_insert(entities, (void *)name, entity);
        }
        for (unsigned i = 0; commands[i]; i++) {
                const json_t *command = g_hash_table_lookup(entities, commands[i]);
                g_autofree char *prefix = g_strconcat(commands[i], "/", NULL);

                if (g_strcmp0(qmp_get_string(command, "meta-type"), "command") != 0)
                        continue;
                walk_object(&walk, qmp_get_string(command, "arg-type"), prefix, 0);
                if (g_str_has_prefix(commands[i], "query-"))
                        walk_object(&walk, qmp_get_string(command, "ret-type"), prefix, 0);
        }
        return walk.paths;
}

json_t *probe_schema_options(const json_t *reply)
{
        json_t *names = json_array();

        for (size_t i = 0; i < json_array_size(reply); i++) {
                const json_t *one = json_array_get(reply, i);
                const json_t *parameters = json_object_get(one, "parameters");
                const char *option = qmp_get_string(one, "option");

                if (!option)
                        continue;
                json_array_append_new(names, json_string(option));
                for (size_t j = 0; j < json_array_size(parameters); j++) {
                        const char *parameter = qmp_get_string(json_array_get(parameters, j), "name");
                        g_autofree char *path = g_strconcat(option, ".", parameter, NULL);

                        if (parameter)
                                json_array_append_new(names, json_string(path));
                }
        }
        return names;
}

const char *probe_schema_feature(const char *name)
{
        static const char *const renamed[][2] = {
                { "cmp-legacy", "cmp_legacy" },
                { "ds-cpl", "ds_cpl" },
                { "fxsr-opt", "fxsr_opt" },
                { "lahf-lm", "lahf_lm" },
                { "nodeid-msr", "nodeid_msr" },
                { "pclmulqdq", "pclmuldq" },
                { "perfctr-core", "perfctr_core" },
                { "perfctr-nb", "perfctr_nb" },
                { "tsc-adjust", "tsc_adjust" },
                { "sse4-1", "sse4.1" },
                { "sse4-2", "sse4.2" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(renamed); i++) {
                if (g_str_equal(renamed[i][0], name))
                        return renamed[i][1];
        }
        return name;
}
