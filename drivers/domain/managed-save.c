/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Managed saves: the file of the agent's with which the next start of a domain goes on. Lane of the domain
 * unless said otherwise.
 */
#include "drivers/domain/save.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/store.h"
#include "drivers/domain/model.h"

#include <errno.h>
#include <unistd.h>

void domain_image_free(struct domain_image *image)
{
        if (!image)
                return;
        if (image->fd >= 0)
                close(image->fd);
        g_free(image->path);
        g_free(image->xml);
        g_free(image);
}

char *domain_managed_save_get_path(const struct domain *domain)
{
        g_autofree char *name = NULL;

        if (!domain->driver->save_dir)
                return NULL;
        name = g_strconcat(domain->base.uuid_text, ".save", NULL);
        return g_build_filename(domain->driver->save_dir, name, NULL);
}

struct domain_image *domain_managed_save_open(const struct domain *domain, GError **error)
{
        g_autofree char *path = domain_managed_save_get_path(domain);
        struct domain_image *image;

        if (path)
                return domain->driver->ops->image_open(domain->driver, path, error);
        image = g_memdup2(domain->kept, sizeof(*image));
        image->xml = g_strdup(image->xml);
        return image;
}

/* The file beside a managed save that says that it was made at the host's end. */
static char *get_mark(const struct domain *domain)
{
        return g_strconcat(domain->base.uuid_text, ".resume", NULL);
}

bool domain_managed_save_mark(struct domain *domain, bool resumes, GError **error)
{
        g_autofree char *name = get_mark(domain);

        domain->save_resumes = resumes;
        return !domain->driver->save_dir || store_mark(domain->driver->save_dir, name, resumes, error);
}

static void publish(struct domain *domain, bool has_image)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);

        domain->has_save = state->has_image = has_image;
        state->resumes = has_image && domain->save_resumes;
        domain_publish(domain, state, NULL);
}

bool domain_managed_save_drop(struct domain *domain, GError **error)
{
        g_autofree char *path = domain_managed_save_get_path(domain);

        if (path && unlink(path) < 0 && errno != ENOENT)
                return error_set_errno(error, ERROR_FROM_DOMAIN, errno,
                                       "cannot remove the managed save '%s' of domain '%s'", path,
                                       managed_get_current_name(&domain->base));
        if (!domain_managed_save_mark(domain, false, error))
                return false;
        g_clear_pointer(&domain->kept, domain_image_free);
        if (domain_get_current(domain)->has_image)
                publish(domain, false);
        return true;
}

/* ---- as clients see them; loop ---- */

static bool remove_work(struct managed *object, void *data, GError **error)
{
        return managed_require_known(object, error) && domain_managed_save_drop(domain_from(object), error);
}

void domain_managed_save_remove(struct domain *domain, unsigned flags, managed_done done, void *data)
{
        GError *error = NULL;

        if (flags_check(flags, 0, ERROR_FROM_DOMAIN, "ManagedSaveRemove", &error))
                managed_run(&domain->base, MANAGED_IN_TURN, remove_work, done, data);
        else
                managed_fail(error, done, data);
}

bool domain_has_managed_save(const struct domain *domain, unsigned flags, bool *has, GError **error)
{
        *has = domain_get_published(domain)->has_image;
        return flags_check(flags, 0, ERROR_FROM_DOMAIN, "HasManagedSaveImage", error);
}

/* ---- at start-up ---- */

static bool find_work(struct managed *object, void *data, GError **error)
{
        struct domain *domain = domain_from(object);
        g_autofree char *path = domain_managed_save_get_path(domain), *mark = get_mark(domain);

        if (!object->current || access(path, F_OK) < 0)
                return true;
        domain->save_resumes = store_is_marked(domain->driver->save_dir, mark);
        publish(domain, true);
        return true;
}

static void find_done(struct managed *object, const GError *error, void *data)
{
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "the managed save of domain '%s'", object->name);
}

void domain_managed_save_find_all(struct domain_driver *driver)
{
        g_autoptr(GPtrArray) domains = registry_list(driver->domains);

        for (unsigned i = 0; i < domains->len; i++)
                managed_run(g_ptr_array_index(domains, i), MANAGED_IN_TURN, find_work, find_done, NULL);
        while (registry_get_pending(driver->domains) > 0)
                loop_step(driver->loop, true);
}
