/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's files, kind by kind: found, looked at, and handed to the model. Main thread. */
#include "agent/import.h"

#include "agent/agent.h"
#include "agent/import-private.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/store.h"
#include "base/uuid.h"
#include "drivers/network/network.h"
#include "drivers/nwfilter/nwfilter.h"
#include "drivers/security/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Entries of one directory that are looked at. */
#define ENTRIES_MAX 65536
/* The state of a TPM is some ten KiB. */
#define TPM_STATE_MAX (1024 * 1024)

/* What libvirt, which looks for ".xml", does not read. */
#define ASIDE ".adopted-by-virtbus"

/* One object of libvirt's. */
struct item {
        struct import *import; /* borrowed */
        const struct source *source;
        const char *file; /* borrowed; the name of its file */
        const char *text; /* borrowed; its document */
        struct import_document document;
};

/* A kind of objects, and where libvirt keeps them. */
struct source {
        const char *noun, *root;
        const char *dir, *autostart; /* below libvirt's directory; autostart NULL: there is none */
        enum model_kind kind;
        void (*define)(struct model *model, const char *xml, managed_done done, void *data);
        /* Not taken, and why; NULL: nothing speaks against it. Free it. May be NULL. */
        char *(*refuse)(const struct item *item);
        /* Takes what belongs to it. May be NULL. */
        void (*complete)(struct item *item, struct managed *object);
};

/* ---- words ---- */

static void print_line(const char *noun, const char *name, const char *format, va_list args)
{
        g_autofree char *quoted = error_quote(name), *text = g_strdup_vprintf(format, args);

        printf("%s '%s': %s\n", noun, quoted, text);
        fflush(stdout);
}

void import_say(const char *noun, const char *name, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        print_line(noun, name, format, args);
        va_end(args);
}

G_GNUC_PRINTF(2, 3)
static void say(const struct item *item, const char *format, ...)
{
        const char *name = item->document.name ? item->document.name : item->document.uuid;
        va_list args;

        va_start(args, format);
        print_line(item->source->noun, name ? name : item->file, format, args);
        va_end(args);
}

static void refuse(struct item *item, const char *why)
{
        item->import->refused++;
        say(item, "not taken: %s", why);
}

/* ---- calls of the model ---- */

void import_ended(struct managed *object, const GError *error, void *data)
{
        struct import_wait *wait = data;

        wait->done = true;
        if (error)
                wait->error = g_error_copy(error);
        else if (object)
                wait->object = managed_ref(object);
}

void import_wait_for(const struct import *import, const struct import_wait *wait)
{
        while (!wait->done)
                loop_step(import->agent->loop, true);
}

void import_wait_clear(struct import_wait *wait)
{
        g_clear_error(&wait->error);
        if (wait->object)
                managed_unref(wait->object);
}

static void is_queued(void *data)
{
}

static void define_domain(struct model *model, const char *xml, managed_done done, void *data)
{
        domain_define_xml(model_get_domains(model), xml, 0, is_queued, done, data);
}

static void define_network(struct model *model, const char *xml, managed_done done, void *data)
{
        network_define_xml(model_get_networks(model), xml, done, data);
}

static void define_pool(struct model *model, const char *xml, managed_done done, void *data)
{
        storage_pool_define_xml(model_get_storage(model), xml, 0, done, data);
}

static void define_secret(struct model *model, const char *xml, managed_done done, void *data)
{
        secret_define_xml(model_get_secrets(model), xml, 0, done, data);
}

static void define_nwfilter(struct model *model, const char *xml, managed_done done, void *data)
{
        nwfilter_define_xml(model_get_nwfilters(model), xml, done, data);
}

/* ---- files ---- */

static int compare_names(const void *one, const void *other)
{
        return strcmp(*(char *const *)one, *(char *const *)other);
}

GPtrArray *import_list_names(const char *path, const char *suffix)
{
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        GDir *dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && names->len < ENTRIES_MAX && (name = g_dir_read_name(dir)))
                if (*name != '.' && g_str_has_suffix(name, suffix))
                        g_ptr_array_add(names, g_strdup(name));
        if (dir)
                g_dir_close(dir);
        g_ptr_array_sort(names, compare_names);
        return names;
}

bool import_put_aside(const char *path, GError **error)
{
        g_autofree char *aside = g_strconcat(path, ASIDE, NULL);

        return rename(path, aside) == 0 ||
               error_set_errno(error, ERROR_FROM_CONF, errno,
                               "cannot rename '%s'; no libvirtd must be started before that is gone", path);
}

static bool exists(const char *path)
{
        struct stat st;

        return lstat(path, &st) == 0;
}

/* ---- secrets ---- */

static void complete_secret(struct item *item, struct managed *object)
{
        struct import *import = item->import;
        g_autofree char *name = g_strconcat(object->uuid_text, ".base64", NULL);
        g_autofree char *path = g_build_filename(import->etc, "secrets", name, NULL);
        g_autoptr(GError) error = NULL;
        char *text = exists(path) ? store_read(path, &error) : NULL;
        struct import_wait wait = { 0 };
        guchar *value = NULL;
        gsize length = 0;

        if (text) {
                value = g_base64_decode(g_strstrip(text), &length);
                secret_set_value((struct secret *)object, value, length, 0, import_ended, &wait);
                import_wait_for(import, &wait);
                explicit_bzero(text, strlen(text));
                explicit_bzero(value, length);
        }
        if (error || wait.error) {
                import->refused++;
                say(item, "its value is not taken: %s", error ? error->message : wait.error->message);
        } else if (text) {
                say(item, "its value is taken");
        }
        import_wait_clear(&wait);
        g_free(text);
        g_free(value);
}

/* ---- domains ---- */

static char *refuse_domain(const struct item *item)
{
        return import_refuse_running(item->import, item->document.name);
}

static bool copy_tpm_file(const struct import *import, const char *from, const char *to, GError **error)
{
        const struct model_environment *environment = &import->agent->environment;
        const struct account *account = NULL;
        g_autofree char *content = g_malloc(TPM_STATE_MAX + 1);
        g_autofree char *dir = g_path_get_dirname(to);
        CLEANUP_FD int in = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        CLEANUP_FD int out = -1;
        ssize_t length = in < 0 ? -1 : read(in, content, TPM_STATE_MAX + 1);
        bool ok;

        if (length < 0)
                return error_set_errno(error, ERROR_FROM_CONF, errno, "cannot read '%s'", from);
        if (length > TPM_STATE_MAX)
                return error_set(error, ERROR_FROM_CONF, ERROR_OPERATION_FAILED, "'%s' is too large", from);
        account = account_new(environment->user, environment->group, error);
        if (!account || !store_make_dir(dir, error)) {
                account_unref(account);
                return false;
        }
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ok = out >= 0 && write(out, content, (size_t)length) == length && fsync(out) == 0 &&
             (account->is_own ||
              (fchown(out, account->uid, account->gid) == 0 && chown(dir, account->uid, account->gid) == 0));
        if (!ok) {
                error_set_errno(error, ERROR_FROM_CONF, errno, "cannot write '%s'", to);
                if (out >= 0)
                        unlink(to);
        }
        account_unref(account);
        return ok;
}

static void take_tpm(struct item *item, const char *uuid)
{
        static const char *const files[] = { "tpm2/tpm2-00.permall", "tpm1.2/tpm-00.permall" };
        const struct import *import = item->import;

        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *name = g_path_get_basename(files[i]);
                g_autofree char *from = g_build_filename(import->state, "swtpm", uuid, files[i], NULL);
                g_autofree char *to =
                        g_build_filename(import->agent->options.state_dir, "qemu", "tpm", uuid, name, NULL);
                g_autoptr(GError) error = NULL;

                if (!exists(from) || exists(to))
                        continue;
                if (copy_tpm_file(import, from, to, &error)) {
                        say(item, "the state of its TPM is taken, a copy of %s", from);
                } else {
                        item->import->refused++;
                        say(item, "the state of its TPM is not taken: %s", error->message);
                }
        }
}

/* As it is: the form is the same. It gets its name when it is whole. */
static bool copy_save(const char *from, const char *to, GError **error)
{
        g_autofree char *dir = g_path_get_dirname(to), *base = g_path_get_basename(to);
        g_autofree char *part = g_strdup_printf("%s/.tmp-%s", dir, base);
        CLEANUP_FD int in = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        CLEANUP_FD int out = -1;
        struct stat st;
        ssize_t length = 1;
        bool ok;

        if (in < 0 || fstat(in, &st) < 0)
                return error_set_errno(error, ERROR_FROM_CONF, errno, "cannot read '%s'", from);
        if (!S_ISREG(st.st_mode))
                return error_set(error, ERROR_FROM_CONF, ERROR_OPERATION_FAILED, "'%s' is no regular file",
                                 from);
        unlink(part);
        out = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        while (out >= 0 && length > 0)
                length = sendfile(out, in, NULL, (size_t)1 << 30);
        ok = out >= 0 && length == 0 && fsync(out) == 0 && rename(part, to) == 0;
        if (ok)
                return true;
        error_set_errno(error, ERROR_FROM_CONF, errno, "cannot write '%s'", to);
        unlink(part);
        return false;
}

static void take_save(struct item *item, const struct managed *object)
{
        const struct import *import = item->import;
        g_autofree char *file = g_strconcat(object->name, ".save", NULL);
        g_autofree char *own = g_strconcat(object->uuid_text, ".save", NULL);
        g_autofree char *from = g_build_filename(import->state, "qemu/save", file, NULL);
        g_autofree char *to = g_build_filename(import->agent->options.state_dir, "qemu/save", own, NULL);
        g_autoptr(GError) error = NULL;

        if (!exists(from) || exists(to))
                return;
        if (copy_save(from, to, &error)) {
                say(item, "its managed save is taken, a copy of %s", from);
        } else {
                item->import->refused++;
                say(item, "its managed save is not taken: %s", error->message);
        }
}

/* What there is of it below libvirt's state, and what virtbus has nothing like. */
static void name_rest(struct item *item, const char *name)
{
        static const struct {
                const char *dir, *suffix, *what;
        } rests[] = {
                { "qemu/snapshot", "", "its snapshots are" },
                { "qemu/checkpoint", "", "its checkpoints are" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rests); i++) {
                g_autofree char *file = g_strconcat(name, rests[i].suffix, NULL);
                g_autofree char *path = g_build_filename(item->import->state, rests[i].dir, file, NULL);

                if (exists(path))
                        say(item, "%s not taken, there is nothing like that here: %s", rests[i].what, path);
        }
}

static void complete_domain(struct item *item, struct managed *object)
{
        if (item->document.nvram)
                say(item, "its variables stay in %s", item->document.nvram);
        if (item->document.has_tpm_state)
                take_tpm(item, object->uuid_text);
        take_save(item, object);
        name_rest(item, object->name);
}

/* ---- items ---- */

static const struct source sources[] = {
        { "secret", "secret", "secrets", NULL, MODEL_SECRETS, define_secret, NULL, complete_secret },
        { "nwfilter", "filter", "nwfilter", NULL, MODEL_NWFILTERS, define_nwfilter, NULL, NULL },
        { "network", "network", "qemu/networks", "qemu/networks/autostart", MODEL_NETWORKS, define_network,
          NULL, NULL },
        { "storage pool", "pool", "storage", "storage/autostart", MODEL_POOLS, define_pool, NULL, NULL },
        { "domain", "domain", "qemu", "qemu/autostart", MODEL_DOMAINS, define_domain, refuse_domain,
          complete_domain },
};

/* What virtbus has by that uuid or name. */
static struct managed *find_here(const struct item *item)
{
        const struct registry *registry = model_get_registry(item->import->model, item->source->kind);
        struct managed *object = NULL;

        if (item->document.uuid)
                object = registry_lookup_uuid(registry, item->document.uuid, NULL);
        if (!object && item->document.name)
                object = registry_find_name(registry, item->document.name);
        return object;
}

static void take_autostart(struct item *item, struct managed *object)
{
        g_autofree char *path = NULL;
        struct import_wait wait = { 0 };

        if (!item->source->autostart)
                return;
        path = g_build_filename(item->import->etc, item->source->autostart, item->file, NULL);
        if (!exists(path))
                return;
        registry_set_autostart(object, true, import_ended, &wait);
        import_wait_for(item->import, &wait);
        if (wait.error) {
                item->import->refused++;
                say(item, "is not started at boot: %s", wait.error->message);
        } else {
                say(item, "is started at boot");
        }
        import_wait_clear(&wait);
}

static void define(struct item *item)
{
        struct import_wait wait = { 0 };

        item->source->define(item->import->model, item->text, import_ended, &wait);
        import_wait_for(item->import, &wait);
        if (wait.error) {
                refuse(item, wait.error->message);
        } else {
                item->import->taken++;
                say(item, "taken");
                take_autostart(item, wait.object);
                if (item->source->complete)
                        item->source->complete(item, wait.object);
        }
        import_wait_clear(&wait);
}

static void take(struct item *item)
{
        const struct managed *here = find_here(item);
        g_autofree char *why = NULL;

        if (here) {
                if (g_strcmp0(item->document.uuid, here->uuid_text) == 0)
                        say(item, "already here");
                else
                        say(item, "already here, by that name and with the UUID %s", here->uuid_text);
                return;
        }
        why = item->source->refuse ? item->source->refuse(item) : NULL;
        if (why)
                refuse(item, why);
        else
                define(item);
}

static void take_file(struct import *import, const struct source *source, const char *file)
{
        g_autofree char *path = g_build_filename(import->etc, source->dir, file, NULL);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = store_read(path, &error);
        struct item item = { .import = import, .source = source, .file = file, .text = text };

        if (!text || !import_document_read(&item.document, text, source->root, &error))
                refuse(&item, error->message);
        else
                take(&item);
        import_document_clear(&item.document);
}

static void take_source(struct import *import, const struct source *source)
{
        g_autofree char *dir = g_build_filename(import->etc, source->dir, NULL);
        g_autoptr(GPtrArray) files = import_list_names(dir, ".xml");

        for (unsigned i = 0; i < files->len && !import->agent->ending; i++)
                take_file(import, source, g_ptr_array_index(files, i));
}

/* ---- what has no place here ---- */

static void name_settings(const struct import *import)
{
        g_autofree char *path = g_build_filename(import->etc, "qemu.conf", NULL);
        g_autofree char *text = exists(path) ? store_read(path, NULL) : NULL;
        g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;

        for (unsigned i = 0; lines && lines[i]; i++) {
                const char *line = g_strstrip(lines[i]);
                bool is_account = g_str_has_prefix(line, "user") || g_str_has_prefix(line, "group");
                g_autofree char *quoted = error_quote(line);

                if (g_ascii_isalpha(*line))
                        printf("qemu.conf, line %u: not taken: %s%s\n", i + 1, quoted,
                               is_account ? " (see user= and group= in virtbusd.conf(5))" : "");
        }
}

static void name_others(const struct import *import)
{
        static const struct {
                const char *dir, *suffix, *why;
        } others[] = {
                { "hooks", "", "those that are to be run go to hooks/ beside virtbusd.conf" },
                { "lxc", ".xml", "there are no containers here" },
                { "libxl", ".xml", "there is no Xen here" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
                g_autofree char *dir = g_build_filename(import->etc, others[i].dir, NULL);
                g_autoptr(GPtrArray) names = import_list_names(dir, others[i].suffix);

                for (unsigned n = 0; n < names->len; n++) {
                        g_autofree char *quoted = error_quote(g_ptr_array_index(names, n));

                        printf("%s/%s: not taken: %s\n", others[i].dir, quoted, others[i].why);
                }
        }
}

/* ---- all of it ---- */

/*
 * libvirt's directories: of a system /etc/libvirt, /var/lib/libvirt and /run/libvirt, or those below another
 * root; of a user ~/.config/libvirt and what is below it.
 */
static void find_directories(struct import *import)
{
        const struct options *options = &import->agent->options;

        if (options->import_dir)
                import->etc = g_canonicalize_filename(options->import_dir, NULL);
        else if (options->system)
                import->etc = g_strdup("/etc/libvirt");
        else
                import->etc = g_build_filename(g_get_user_config_dir(), "libvirt", NULL);
        if (g_str_has_suffix(import->etc, "/etc/libvirt")) {
                g_autofree char *root = g_strndup(import->etc, strlen(import->etc) - strlen("/etc/libvirt"));

                import->state = g_strconcat(root, "/var/lib/libvirt", NULL);
                import->run = g_strconcat(root, "/run/libvirt", NULL);
        } else {
                import->state = g_strdup(import->etc);
                import->run = g_build_filename(g_get_user_runtime_dir(), "libvirt", NULL);
        }
}

static bool take_all(struct import *import, GError **error)
{
        if (!g_file_test(import->etc, G_FILE_TEST_IS_DIR))
                return error_set(error, ERROR_FROM_CONF, ERROR_OPERATION_FAILED,
                                 "there is no directory of libvirt's at '%s'", import->etc);
        import_look_at_running(import);
        for (unsigned i = 0; i < G_N_ELEMENTS(sources); i++)
                take_source(import, &sources[i]);
        import_adopt_networks(import);
        import_adopt_running(import);
        name_settings(import);
        name_others(import);
        printf("%u taken, %u not taken\n", import->taken, import->refused);
        fflush(stdout);
        return import->refused == 0 || error_set(error, ERROR_FROM_CONF, ERROR_OPERATION_FAILED,
                                                 "not all of '%s' was taken", import->etc);
}

bool import_run(struct agent *agent, GError **error)
{
        struct import import = { .agent = agent, .model = models_get_nth(agent->models, 0) };
        bool ok;

        find_directories(&import);
        ok = take_all(&import, error);
        agent->ending = true;
        if (import.running)
                g_hash_table_unref(import.running);
        g_free(import.etc);
        g_free(import.state);
        g_free(import.run);
        return ok;
}
