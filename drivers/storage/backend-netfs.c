/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pools of type netfs: a directory of a file server (NFS, CIFS, GlusterFS), mounted at the target. What is in
 * it is the dir backend's. Lanes as in backend.h; keeps nothing of its own, but the credentials of a CIFS
 * mount while it is made.
 */
#include "drivers/storage/backend.h"

#include "base/error.h"
#include "base/spawn.h"
#include "base/store.h"
#include "base/uuid.h"
#include "drivers/storage/directory.h"
#include "drivers/storage/mount.h"
#include "drivers/storage/tool.h"

#include <string.h>

/* More exports than this of one server are left out. */
#define EXPORTS_MAX 1024

static bool check_host(const char *name, GError **error)
{
        return tool_check_word("host name", name, ".-_:%[]", error);
}

static bool is_cifs(const struct pool_def *def)
{
        return g_strcmp0(def->source.format, "cifs") == 0;
}

static bool is_gluster(const struct pool_def *def)
{
        return g_strcmp0(def->source.format, "glusterfs") == 0;
}

static bool check_dir(const struct pool_def *def, GError **error)
{
        if (!is_cifs(def) && !is_gluster(def))
                return tool_check_path("source path", def->source.dir, error);
        return tool_check_argument("source path", def->source.dir, error);
}

static bool check_def(const struct pool_def *def, GError **error)
{
        if (def->source.n_hosts != 1)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_XML_ERROR,
                                 "a pool of type 'netfs' has one host, not %u", def->source.n_hosts);
        return check_host(def->source.hosts[0].name, error) && check_dir(def, error) &&
               tool_check_path("target path", def->path, error) && mount_check_options(def, error);
}

/* As it stands in the mount table. Owned. */
static char *source_of(const struct pool_def *def)
{
        const char *host = def->source.hosts[0].name, *dir = def->source.dir;
        bool bare = strchr(host, ':') && *host != '['; /* an IPv6 address */

        if (is_cifs(def))
                return g_strdup_printf("//%s/%s", host, dir + strspn(dir, "/"));
        if (is_gluster(def))
                dir += strspn(dir, "/");
        return g_strdup_printf(bare ? "[%s]:%s" : "%s:%s", host, dir);
}

static bool check(const struct backend_context *context, bool *active, GError **error)
{
        g_autofree char *source = source_of(context->def);

        if (!mount_is_active(context, source, active, error))
                return false;
        /* Mounted, and the server is away: active, which the refresh will find inaccessible. */
        if (!*active || !mount_check_alive(context, source, NULL))
                return true;
        return backend_dir.check(context, active, error);
}

/* ---- credentials of CIFS: options that no process list may show ---- */

static const struct {
        const char *option;
        const char *line;
} credentials[] = {
        { "username", "username" }, { "user", "username" }, { "password", "password" },
        { "pass", "password" },     { "domain", "domain" }, { "workgroup", "domain" },
};

/* An option is given as name and value, or as "name=value" in the name. Is it that one? */
static const char *option_value(const struct pool_option *option, const char *name)
{
        size_t length = strlen(name);

        if (strcmp(option->name, name) == 0)
                return option->value ? option->value : "";
        if (strncmp(option->name, name, length) == 0 && option->name[length] == '=')
                return option->name + length + 1;
        return NULL;
}

static bool add_credential(const struct pool_option *option, GString *text)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(credentials); i++) {
                const char *value = option_value(option, credentials[i].option);

                if (!value)
                        continue;
                g_string_append_printf(text, "%s=%s\n", credentials[i].line, value);
                return true;
        }
        return false;
}

/* Options for the command line; what is a credential goes to text instead. */
static GString *cifs_options(const struct pool_def *def, GString *text)
{
        GString *options = g_string_new(MOUNT_OPTIONS);

        for (unsigned i = 0; i < def->n_mount_options; i++) {
                if (!add_credential(&def->mount_options[i], text))
                        mount_add_option(options, &def->mount_options[i]);
        }
        if (!text->len)
                g_string_append(options, ",guest");
        return options;
}

static bool start_cifs(const struct backend_context *context, struct mount_request *request, GError **error)
{
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GString) options = cifs_options(context->def, text);
        char uuid[UUID_STRING_LENGTH + 1];
        g_autofree char *name = NULL;
        bool started;

        request->type = "cifs";
        request->options = options->str;
        if (!text->len)
                return mount_start(context, request, error);
        if (!context->runtime_dir)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                                 "there is no place to keep the credentials of '%s'", request->source);
        name = g_strconcat(uuid_format(&context->def->base.uuid, uuid), ".credentials", NULL);
        if (!store_write(context->runtime_dir, name, text->str, false, error))
                return false;
        g_string_append_printf(options, ",credentials=%s/%s", context->runtime_dir, name);
        request->options = options->str;
        started = mount_start(context, request, error);
        store_remove(context->runtime_dir, name, false, NULL);
        return started;
}

/* ---- life ---- */

static GString *nfs_options(const struct pool_def *def)
{
        GString *options = mount_options(def);

        if (is_gluster(def))
                g_string_append(options, ",direct-io-mode=1");
        else if (def->source.protocol)
                g_string_append_printf(options, ",nfsvers=%s", def->source.protocol);
        return options;
}

static bool start(const struct backend_context *context, GError **error)
{
        g_autofree char *source = source_of(context->def);
        g_autoptr(GString) options = nfs_options(context->def);
        struct mount_request request = { .source = source, .options = options->str };

        if (is_cifs(context->def))
                return start_cifs(context, &request, error);
        /* "host:/dir" can only be NFS, of whatever version both sides speak. */
        request.type = is_gluster(context->def) ? "glusterfs" : "nfs";
        return mount_start(context, &request, error);
}

static bool stop(const struct backend_context *context, GError **error)
{
        g_autofree char *source = source_of(context->def);

        return mount_stop(context, source, error);
}

/* Only the mount point: the server's directory is the server's. */
static bool build(const struct backend_context *context, unsigned flags, GError **error)
{
        return backend_dir.build(context, flags, error);
}

/* ---- sources ---- */

/* "/srv/some dir   client,client": the clients are the last word. */
static bool add_export(const char *host, const char *line, GPtrArray *sources)
{
        struct pool_host name = { .name = (char *)host };
        struct pool_source source = { .hosts = &name, .n_hosts = 1, .format = (char *)"nfs" };
        g_autofree char *dir = g_strdup(line);
        char *space;

        g_strchomp(dir);
        space = strrchr(dir, ' ');
        if (*dir != '/')
                return false;
        if (space) {
                *space = '\0';
                g_strchomp(dir);
        }
        source.dir = dir;
        g_ptr_array_add(sources, pool_source_format(&source));
        return true;
}

static bool find(const struct backend_context *context, bool has_source, GPtrArray *sources, GError **error)
{
        const struct pool_source *source = &context->def->source;
        const char *argv[] = { "showmount", "--no-headers", "--exports", NULL, NULL };
        g_autofree char *output = NULL;
        g_auto(GStrv) lines = NULL;
        unsigned found = 0;

        if (!source->n_hosts)
                return error_set(error, ERROR_FROM_STORAGE, ERROR_INVALID_ARG,
                                 "the source names no host whose exports could be found");
        argv[3] = source->hosts[0].name;
        if (!check_host(argv[3], error) ||
            !spawn_check(context->lane, argv, MOUNT_TIMEOUT_MS, &output, error))
                return false;
        lines = g_strsplit(output, "\n", -1);
        for (char **line = lines; *line && found < EXPORTS_MAX; line++)
                found += add_export(argv[3], *line, sources);
        return true;
}

static bool remove_target(const struct backend_context *context, GError **error)
{
        return backend_dir.remove(context, error);
}

/* ---- what touches the mount: only when the server answers, as a thread that waits for it cannot be got back
 * ---- */

static bool is_alive(const struct backend_context *context, GError **error)
{
        g_autofree char *source = source_of(context->def);

        return mount_check_alive(context, source, error);
}

static bool refresh(const struct backend_context *context, struct pool_scan *scan, GError **error)
{
        return is_alive(context, error) && directory_refresh(context, scan, error);
}

static bool prepare(const struct backend_context *context, struct volume *volume, unsigned flags, bool *slow,
                    GError **error)
{
        return is_alive(context, error) && directory_prepare(context, volume, flags, slow, error);
}

static bool destroy(const struct backend_context *context, const struct volume *volume, unsigned flags,
                    GError **error)
{
        return is_alive(context, error) && directory_destroy(context, volume, flags, error);
}

static bool resize(const struct backend_context *context, const struct volume *volume, uint64_t capacity,
                   unsigned flags, GError **error)
{
        return is_alive(context, error) && directory_resize(context, volume, capacity, flags, error);
}

static bool wipe(const struct backend_context *context, const struct volume *volume,
                 enum volume_wipe_algorithm algorithm, GError **error)
{
        return is_alive(context, error) && directory_wipe(context, volume, algorithm, error);
}

static int open_volume(const struct backend_context *context, const struct volume *volume, bool writable,
                       uint64_t *length, GError **error)
{
        return is_alive(context, error) ? directory_open_volume(context, volume, writable, length, error)
                                        : -1;
}

static bool probe(const struct backend_context *context, const char *name, const struct volume *before,
                  struct volume **volume, GError **error)
{
        return is_alive(context, error) && directory_probe(context, name, before, volume, error);
}

static bool measure(const struct backend_context *context, struct pool_numbers *numbers, GError **error)
{
        return is_alive(context, error) && directory_measure(context, numbers, error);
}

static bool stat_volume(const struct backend_context *context, const struct volume *volume,
                        uint64_t *capacity, uint64_t *allocation, uint64_t *physical, GError **error)
{
        return is_alive(context, error) &&
               directory_stat(context, volume, capacity, allocation, physical, error);
}

const struct backend backend_netfs = {
        .type = POOL_NETFS,
        .flags = { DIRECTORY_FLAGS },
        .check_def = check_def,
        .check = check,
        .start = start,
        .stop = stop,
        .forget = directory_unwatch,
        .remove = remove_target,
        .refresh = refresh,
        .build = build,
        .find = find,
        .prepare = prepare,
        .create = directory_create,
        .clone = directory_clone,
        .destroy = destroy,
        .resize = resize,
        .wipe = wipe,
        .open = open_volume,
        .probe = probe,
        .measure = measure,
        .stat = stat_volume,
};
