/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that guests were saved to: what is in them, and restoring from them. A file is read in the lane of a
 * job, because its storage may not answer. Entry points run on the loop.
 */
#include "drivers/domain/save.h"

#include "base/job.h"
#include "drivers/domain/model.h"

#include <string.h>

/* A call on its way. */
struct call {
        struct domain_driver *driver; /* borrowed */
        char *path, *xml;             /* owned; xml NULL: none */
        unsigned flags;
        bool restores;
        domain_text_done text_done;
        managed_done done;
        void *data; /* owned by what is told */
        /* between the steps */
        struct domain_image *image; /* owned */
        struct domain_def *def;     /* ref; what is in the image */
        struct domain_def *wanted;  /* ref; what is to take its place */
};

static struct call *call_new(struct domain_driver *driver, const char *path, const char *xml, unsigned flags,
                             void *data)
{
        struct call *call = g_new0(struct call, 1);

        call->driver = driver;
        call->path = g_strdup(path);
        call->xml = xml && *xml ? g_strdup(xml) : NULL;
        call->flags = flags;
        call->data = data;
        return call;
}

static void call_free(struct call *call)
{
        domain_image_free(call->image);
        domain_def_unref(call->def);
        domain_def_unref(call->wanted);
        g_free(call->path);
        g_free(call->xml);
        g_free(call);
}

bool domain_check_file(const char *path, GError **error)
{
        g_autofree char *quoted = error_quote(path);

        return g_path_is_absolute(path) ||
               error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                         "the path of a file has to be absolute, and '%s' is not", quoted);
}

static bool check(const struct domain_driver *driver, const char *path, unsigned flags, unsigned allowed,
                  const char *function, GError **error)
{
        if (!flags_check(flags, allowed, ERROR_FROM_DOMAIN, function, error))
                return false;
        if ((flags & allowed & DOMAIN_SAVE_RUNNING) && (flags & allowed & DOMAIN_SAVE_PAUSED))
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_INVALID_ARG,
                                 "flags 0x%x ask for a guest that both runs and is paused", flags);
        if (!driver->ops->image_open)
                return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s", function);
        return domain_check_file(path, error);
}

/* In the lane of a job. */
static bool open_image(struct job *job, void *data, GError **error)
{
        struct call *call = data;

        call->image = call->driver->ops->image_open(call->driver, call->path, error);
        return call->image != NULL;
}

static void fail(struct call *call, const GError *error)
{
        call->done(NULL, error, call->data);
        call_free(call);
}

/* ---- both documents ---- */

/* What to do when they are there; the same for a restore and for a change of the file. */
typedef void (*call_next)(struct call *call);

static void restore_now(struct call *call);
static void write_now(struct call *call);

static void go_on(struct call *call)
{
        if (call->restores)
                restore_now(call);
        else
                write_now(call);
}

static void wanted_parsed(struct domain_def *def, const GError *failure, void *data)
{
        struct call *call = data;
        g_autoptr(GError) error = NULL;

        call->wanted = def;
        if (def && domain_def_check_same_guest(call->def, def, &error))
                go_on(call);
        else
                fail(call, def ? error : failure);
}

static void own_parsed(struct domain_def *def, const GError *error, void *data)
{
        struct call *call = data;

        call->def = def;
        if (!def)
                fail(call, error);
        else if (call->xml)
                domain_parse_accepted(call->driver, call->xml, call->def, wanted_parsed, call);
        else
                go_on(call);
}

static void opened(struct job *job, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                fail(call, error);
        else if (call->xml)
                domain_parse_shown(call->driver, call->image->xml, own_parsed, call);
        else
                domain_parse_accepted(call->driver, call->image->xml, NULL, own_parsed, call);
}

static void open_then(struct call *call, const char *operation, job_done done)
{
        g_autoptr(GError) error = NULL;

        if (!job_run(call->driver->jobs, operation, NULL, open_image, done, call, &error))
                done(NULL, error, call);
}

/* ---- restoring ---- */

static unsigned get_start_flags(const struct call *call)
{
        bool runs = call->flags & DOMAIN_SAVE_RUNNING ||
                    (call->image->runs && !(call->flags & DOMAIN_SAVE_PAUSED));

        return (runs ? 0 : DOMAIN_START_PAUSED) |
               (call->flags & DOMAIN_SAVE_RESET_NVRAM ? DOMAIN_START_RESET_NVRAM : 0);
}

static void restore_now(struct call *call)
{
        struct domain_def *def = domain_def_ref(call->wanted ? call->wanted : call->def);
        g_autoptr(GError) error = NULL;
        struct managed *object = registry_reserve(call->driver->domains, &def->base, &error);

        if (!object) {
                domain_def_unref(def);
                fail(call, error);
                return;
        }
        call->image->bypass_cache = call->flags & DOMAIN_SAVE_BYPASS_CACHE;
        domain_start_image(object, def, g_steal_pointer(&call->image), get_start_flags(call), call->done,
                           call->data);
        call_free(call);
}

void domain_restore(struct domain_driver *driver, const char *path, const char *xml, unsigned flags,
                    managed_done done, void *data)
{
        const unsigned allowed =
                DOMAIN_SAVE_BYPASS_CACHE | DOMAIN_SAVE_RUNNING | DOMAIN_SAVE_PAUSED | DOMAIN_SAVE_RESET_NVRAM;
        struct call *call;
        GError *error = NULL;

        if (!check(driver, path, flags, allowed, "DomainRestore", &error)) {
                managed_fail(error, done, data);
                return;
        }
        call = call_new(driver, path, xml, flags, data);
        call->restores = true;
        call->done = done;
        open_then(call, "restore", opened);
}

/* ---- the document in the file ---- */

static void tell_xml(struct domain_def *def, const GError *error, void *data)
{
        struct call *call = data;

        if (def)
                call->text_done(call->flags & DOMAIN_XML_SECURE ? def->base.xml
                                                                : definition_get_public_xml(&def->base),
                                NULL, call->data);
        else
                call->text_done(NULL, error, call->data);
        domain_def_unref(def);
        call_free(call);
}

static void opened_for_xml(struct job *job, const GError *error, void *data)
{
        struct call *call = data;

        if (error)
                tell_xml(NULL, error, call);
        else
                domain_parse_shown(call->driver, call->image->xml, tell_xml, call);
}

void domain_image_get_xml(struct domain_driver *driver, const char *path, unsigned flags,
                          domain_text_done done, void *data)
{
        g_autoptr(GError) error = NULL;
        struct call *call;

        if (!check(driver, path, flags, DOMAIN_XML_SECURE, "DomainSaveImageGetXMLDesc", &error)) {
                done(NULL, error, data);
                return;
        }
        call = call_new(driver, path, NULL, flags, data);
        call->text_done = done;
        open_then(call, "read save image", opened_for_xml);
}

static bool write_work(struct job *job, void *data, GError **error)
{
        struct call *call = data;
        bool runs = call->flags & DOMAIN_SAVE_RUNNING ||
                    (call->image->runs && !(call->flags & DOMAIN_SAVE_PAUSED));

        return call->driver->ops->image_write(call->image, call->wanted->base.xml, runs, error);
}

static void written(struct job *job, const GError *error, void *data)
{
        fail(data, error);
}

static void write_now(struct call *call)
{
        g_autoptr(GError) error = NULL;

        if (!job_run(call->driver->jobs, "write save image", NULL, write_work, written, call, &error))
                fail(call, error);
}

void domain_image_set_xml(struct domain_driver *driver, const char *path, const char *xml, unsigned flags,
                          managed_done done, void *data)
{
        struct call *call;
        GError *error = NULL;

        if (!check(driver, path, flags, DOMAIN_SAVE_RUNNING | DOMAIN_SAVE_PAUSED, "DomainSaveImageDefineXML",
                   &error)) {
                managed_fail(error, done, data);
                return;
        }
        call = call_new(driver, path, xml, flags, data);
        call->done = done;
        if (!call->xml)
                call->xml = g_strdup("");
        open_then(call, "read save image", opened);
}
