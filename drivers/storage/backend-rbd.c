/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type rbd: a pool of a Ceph cluster whose RBD images are the volumes, through the tools rbd and
 * ceph. Lanes as in backend.h; keeps the configuration for the tools, key included, as a file in the runtime
 * directory while the pool is active.
 */
#include "drivers/storage/backend.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/store.h"
#include "base/uuid.h"
#include "drivers/storage/tool.h"

#include <string.h>

/* Seconds that a cluster may take to answer, as libvirt has it; the definition may say otherwise. */
#define ANSWER_TIMEOUT 30

/* virStorageVolDeleteFlags */

static const char *pool_of(const struct backend_context *context)
{
        return context->def->source.name;
}

/* What becomes a line of a configuration file. */
static bool check_option(const struct pool_option *option, GError **error)
{
        return tool_check_word("RBD option", option->name, "_-. ", error) &&
               tool_check_argument("value of an RBD option", option->value, error);
}

static bool check_def(const struct pool_def *def, GError **error)
{
        const struct pool_source *source = &def->source;

        if (source->auth.type == POOL_AUTH_CHAP)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "Ceph knows the authentication 'ceph' only");
        if (source->auth.type == POOL_AUTH_CEPH &&
            !tool_check_word("user name", source->auth.username, "_.-", error))
                return false;
        for (unsigned i = 0; i < source->n_hosts; i++) {
                if (!tool_check_word("host name", source->hosts[i].name, ".-_:%[]", error))
                        return false;
        }
        for (unsigned i = 0; i < def->n_config_options; i++) {
                if (!check_option(&def->config_options[i], error))
                        return false;
        }
        return tool_check_word("RBD pool name", source->name, "_.-", error);
}

/* ---- the configuration of the tools ---- */

static char *config_name(const struct backend_context *context)
{
        char uuid[UUID_STRING_LENGTH + 1];

        return g_strconcat(uuid_format(&context->def->base.uuid, uuid), ".ceph", NULL);
}

static void add_hosts(GString *text, const struct pool_source *source)
{
        for (unsigned i = 0; i < source->n_hosts; i++) {
                const struct pool_host *host = &source->hosts[i];
                bool bare = strchr(host->name, ':') && *host->name != '[';

                g_string_append(text, i ? "," : "mon_host = ");
                g_string_append_printf(text, bare ? "[%s]" : "%s", host->name);
                if (host->port)
                        g_string_append_printf(text, ":%u", host->port);
        }
        g_string_append_c(text, '\n');
}

static bool add_key(const struct backend_context *context, GString *text, GError **error)
{
        const struct pool_auth *auth = &context->def->source.auth;
        g_autofree char *key = NULL;
        gconstpointer bytes;
        gsize size;

        if (auth->type == POOL_AUTH_NONE)
                return true;
        if (!context->secret)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_NO_SECRET,
                                 "there is no key for user '%s' of RBD pool '%s'", auth->username,
                                 pool_of(context));
        bytes = g_bytes_get_data(context->secret, &size);
        key = g_base64_encode(bytes, size);
        g_string_append_printf(text, "[client.%s]\nkey = %s\n", auth->username, key);
        return true;
}

static bool write_config(const struct backend_context *context, GError **error)
{
        const struct pool_def *def = context->def;
        const char *auth = def->source.auth.type == POOL_AUTH_NONE ? "none" : "cephx";
        g_autoptr(GString) text = g_string_new("[global]\n");
        g_autofree char *name = config_name(context);

        if (!context->runtime_dir)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "there is no place to keep the configuration of RBD pool '%s'",
                                 pool_of(context));
        if (def->source.n_hosts)
                add_hosts(text, &def->source);
        g_string_append_printf(text, "auth_client_required = %s\n", auth);
        g_string_append_printf(text, "client_mount_timeout = %d\n", ANSWER_TIMEOUT);
        g_string_append_printf(text, "rados_mon_op_timeout = %d\n", ANSWER_TIMEOUT);
        g_string_append_printf(text, "rados_osd_op_timeout = %d\n", ANSWER_TIMEOUT);
        for (unsigned i = 0; i < def->n_config_options; i++)
                g_string_append_printf(text, "%s = %s\n", def->config_options[i].name,
                                       def->config_options[i].value);
        return add_key(context, text, error) &&
               store_write(context->runtime_dir, name, text->str, false, error);
}

static bool remove_config(const struct backend_context *context, GError **error)
{
        g_autofree char *name = config_name(context);

        return !context->runtime_dir || store_remove(context->runtime_dir, name, false, error);
}

/* The path of the file, whether it is there or not. */
static char *config_path(const struct backend_context *context)
{
        g_autofree char *name = config_name(context);

        return g_build_filename(context->runtime_dir ? context->runtime_dir : "/", name, NULL);
}

/* The options of rbd and ceph that come before everything else. */
struct command {
        const char *argv[16];
        unsigned n;
        char *config; /* owned */
};

static void command_clear(struct command *command)
{
        g_free(command->config);
}

#define COMMAND __attribute__((cleanup(command_clear))) struct command

static struct command command_of(const struct backend_context *context, const char *tool)
{
        const struct pool_auth *auth = &context->def->source.auth;
        struct command command = { .config = config_path(context) };

        command.argv[command.n++] = tool;
        command.argv[command.n++] = "--conf";
        command.argv[command.n++] = command.config;
        if (auth->type != POOL_AUTH_NONE) {
                command.argv[command.n++] = "--id";
                command.argv[command.n++] = auth->username;
        }
        return command;
}

/* rbd with up to four words more. */
static bool run_rbd(const struct backend_context *context, const char *verb, const char *const words[],
                    unsigned timeout_ms, GError **error)
{
        COMMAND command = command_of(context, "rbd");

        command.argv[command.n++] = verb;
        command.argv[command.n++] = "--no-progress";
        for (unsigned i = 0; words[i]; i++)
                command.argv[command.n++] = words[i];
        return tool_run_input(context->lane, command.argv, NULL, timeout_ms, error);
}

static json_t *list_images(const struct backend_context *context, GError **error)
{
        COMMAND command = command_of(context, "rbd");

        command.argv[command.n++] = "ls";
        command.argv[command.n++] = "--long";
        command.argv[command.n++] = "--format=json";
        command.argv[command.n++] = pool_of(context);
        return tool_run_json(context->lane, command.argv, error);
}

/* ---- life ---- */

/* The configuration is there; whether the cluster answers shows at the refresh. */
static bool check(const struct backend_context *context, bool *active, GError **error)
{
        g_autofree char *path = config_path(context);

        *active = g_file_test(path, G_FILE_TEST_IS_REGULAR);
        return true;
}

static bool start(const struct backend_context *context, GError **error)
{
        CLEANUP(json_decref) json_t *images = NULL;

        if (!write_config(context, error))
                return false;
        images = list_images(context, error);
        if (images)
                return true;
        lane_shield(context->lane);
        remove_config(context, NULL);
        return false;
}

static bool stop(const struct backend_context *context, GError **error)
{
        return remove_config(context, error);
}

static bool read_numbers(const struct backend_context *context, struct pool_numbers *numbers, GError **error)
{
        COMMAND command = command_of(context, "ceph");
        CLEANUP(json_decref) json_t *report = NULL;
        const json_t *stats, *pool;
        size_t i;

        command.argv[command.n++] = "df";
        command.argv[command.n++] = "--format=json";
        report = tool_run_json(context->lane, command.argv, error);
        if (!report)
                return false;
        stats = json_object_get(report, "stats");
        if (!tool_json_uint64(stats, "total_bytes", &numbers->capacity) ||
            !tool_json_uint64(stats, "total_avail_bytes", &numbers->available))
                return error_set(error, ERROR_FROM_STORAGE, ERROR_PARSE_FAILED,
                                 "the report of 'ceph df' has no totals");
        json_array_foreach(json_object_get(report, "pools"), i, pool)
        {
                if (g_strcmp0(tool_json_string(pool, "name"), pool_of(context)) == 0)
                        tool_json_uint64(json_object_get(pool, "stats"), "bytes_used", &numbers->allocation);
        }
        return true;
}

static struct volume *read_image(const struct backend_context *context, const json_t *image)
{
        const char *name = tool_json_string(image, "image");
        g_autoptr(GError) problem = NULL;
        struct volume *volume;
        uint64_t size;

        /* A snapshot is a row of its own. */
        if (!name || json_object_get(image, "snapshot") || !tool_json_uint64(image, "size", &size))
                return NULL;
        if (!volume_check_name(name, &problem)) {
                log_gerror(LOG_LEVEL_WARNING, problem, "an image of RBD pool '%s' is left out",
                           pool_of(context));
                return NULL;
        }
        volume = volume_new();
        volume->name = g_strdup(name);
        volume->path = g_strdup_printf("%s/%s", pool_of(context), name);
        volume->key = g_strdup(volume->path);
        volume->type = VOLUME_NETWORK;
        volume->format = VOLUME_FORMAT_RAW;
        volume->capacity = volume->allocation = size;
        return volume;
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        CLEANUP(json_decref) json_t *images = list_images(context, error);
        const json_t *image;
        size_t i;

        if (!images || !read_numbers(context, &scan->numbers, error))
                return false;
        json_array_foreach(images, i, image)
        {
                struct volume *volume = read_image(context, image);

                if (volume)
                        g_ptr_array_add(scan->volumes, volume);
        }
        return true;
}

/* ---- volumes ---- */

static bool prepare(const struct backend_context *context, struct volume *volume, unsigned flags, bool *slow,
                    GError **error)
{
        /* '@' would begin the name of a snapshot. */
        if (!tool_check_word("volume name", volume->name, "_.:+-", error))
                return false;
        if (volume->backing.path || volume->encryption.format)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "backing store or encryption of RBD volume '%s'", volume->name);
        volume->type = VOLUME_NETWORK;
        volume->format = VOLUME_FORMAT_RAW;
        volume->path = g_strdup_printf("%s/%s", pool_of(context), volume->name);
        volume->key = g_strdup(volume->path);
        *slow = false;
        return true;
}

static bool create(const struct backend_context *context, struct volume *volume, unsigned flags,
                   GError **error)
{
        g_autofree char *size = g_strdup_printf("--size=%" G_GUINT64_FORMAT "B", volume->capacity);
        const char *const words[] = { size, volume->path, NULL };

        return run_rbd(context, "create", words, TOOL_TIMEOUT_MS, error);
}

static bool destroy(const struct backend_context *context, const struct volume *volume, unsigned flags,
                    GError **error)
{
        const char *const words[] = { volume->path, NULL };
        COMMAND purge = command_of(context, "rbd");

        purge.argv[purge.n++] = "snap";
        purge.argv[purge.n++] = "purge";
        purge.argv[purge.n++] = "--no-progress";
        purge.argv[purge.n++] = volume->path;
        if ((flags & VOLUME_DELETE_WITH_SNAPSHOTS) && !tool_run(context->lane, purge.argv, error))
                return false;
        return run_rbd(context, "rm", words, TOOL_TIMEOUT_MS, error);
}

static bool resize(const struct backend_context *context, const struct volume *volume, uint64_t capacity,
                   unsigned flags, GError **error)
{
        g_autofree char *size = g_strdup_printf("--size=%" G_GUINT64_FORMAT "B", capacity);
        const char *const words[] = { size, volume->path,
                                      flags & VOLUME_RESIZE_SHRINK ? "--allow-shrink" : NULL, NULL };

        return run_rbd(context, "resize", words, TOOL_TIMEOUT_MS, error);
}

static bool copy(const struct backend_context *context, const struct volume *volume,
                 const struct volume *source, GError **error)
{
        const char *const words[] = { source->path, volume->path, NULL };
        g_autofree char *prefix = g_strconcat(pool_of(context), "/", NULL);

        if (source->type == VOLUME_NETWORK && g_str_has_prefix(source->path, prefix))
                return run_rbd(context, "copy", words, TOOL_LONG_TIMEOUT_MS, error);
        if ((source->type == VOLUME_FILE || source->type == VOLUME_BLOCK) &&
            source->format == VOLUME_FORMAT_RAW)
                return run_rbd(context, "import", words, TOOL_LONG_TIMEOUT_MS, error);
        return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                         "RBD images can be copied from raw volumes and from images of the same pool only");
}

static bool create_copy(const struct backend_context *context, struct volume *volume,
                        const struct volume *source, unsigned flags, GError **error)
{
        if (copy(context, volume, source, error) &&
            (volume->capacity <= source->capacity || resize(context, volume, volume->capacity, 0, error)))
                return true;
        lane_shield(context->lane);
        destroy(context, volume, 0, NULL);
        return false;
}

const struct backend backend_rbd = {
        .type = POOL_RBD,
        .flags = { .destroy = VOLUME_DELETE_WITH_SNAPSHOTS, .resize = VOLUME_RESIZE_SHRINK },
        .check_def = check_def,
        .check = check,
        .start = start,
        .stop = stop,
        .refresh = refresh,
        .prepare = prepare,
        .create = create,
        .clone = create_copy,
        .destroy = destroy,
        .resize = resize,
};
