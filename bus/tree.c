/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree of objects. A path is taken apart in place: no call allocates anything to find its object. Loop
 * thread.
 */
#include "bus/tree.h"

#include "base/registry.h"
#include "bus/bus-private.h"
#include "bus/domain.h"
#include "bus/object-path.h"
#include "drivers/domain/domain.h"
#include "introspection/connect.h"
#include "introspection/introspectable.h"
#include "introspection/manager.h"
#include "introspection/object-manager.h"
#include "introspection/peer.h"
#include "introspection/properties.h"

#include <string.h>

struct connect *connect_new(struct bus *bus, struct domain_driver *domains, unsigned index)
{
        struct connect *connect = g_new0(struct connect, 1);

        connect->bus = bus;
        connect->domains = domains;
        connect->index = index;
        connect->name = domain_driver_get_name(domains);
        connect->path = g_strconcat(TREE_MANAGER_PATH "/", connect->name, NULL);
        connect->branches[0] =
                (struct branch){ connect, &domain_object_kind, domain_driver_get_registry(domains) };
        return connect;
}

void connect_free(struct connect *connect)
{
        g_free(connect->path);
        g_free(connect);
}

/* Is path `element`, or does it go on below it? *rest gets what follows the slash, "" when nothing does. */
static bool take_element(const char *path, const char *element, const char **rest)
{
        size_t length = strlen(element);

        if (strncmp(path, element, length) != 0 || (path[length] != '/' && path[length] != '\0'))
                return false;
        *rest = path[length] ? path + length + 1 : path + length;
        return true;
}

static void locate_in_connect(const char *rest, struct target *target)
{
        const struct connect *connect = target->connect;

        for (unsigned i = 0; i < G_N_ELEMENTS(connect->branches); i++) {
                const struct branch *branch = &connect->branches[i];
                const char *element;

                if (!take_element(rest, branch->kind->branch, &element))
                        continue;
                target->branch = branch;
                if (!*element)
                        target->place = TREE_BRANCH;
                else if (!strchr(element, '/'))
                        target->place = TREE_OBJECT;
                if (target->place == TREE_OBJECT)
                        target->has_uuid = object_path_get_uuid(element, &target->uuid);
                return;
        }
}

void tree_locate(struct bus *bus, const char *path, struct target *target)
{
        const char *rest;

        *target = (struct target){ .bus = bus, .place = TREE_NOWHERE };
        if (!take_element(path, TREE_MANAGER_PATH, &rest)) {
                if (g_str_equal(path, "/") || g_str_equal(path, "/org"))
                        target->place = TREE_TRUNK;
                return;
        }
        if (!*rest) {
                target->place = TREE_MANAGER;
                return;
        }
        for (unsigned i = 0; i < bus->connects->len; i++) {
                const struct connect *connect = g_ptr_array_index(bus->connects, i);
                const char *inside;

                if (!take_element(rest, connect->name, &inside))
                        continue;
                target->connect = connect;
                if (*inside)
                        locate_in_connect(inside, target);
                else
                        target->place = TREE_CONNECT;
                return;
        }
}

struct managed *tree_find_object(const struct target *target, const char *path, bool pending, GError **error)
{
        const struct managed_kind *kind = registry_get_kind(target->branch->registry);
        struct managed *object = NULL;

        if (target->has_uuid && pending)
                object = registry_find_pending(target->branch->registry, &target->uuid);
        else if (target->has_uuid)
                object = registry_find_uuid(target->branch->registry, &target->uuid);
        if (!object) {
                g_autofree char *quoted = error_quote(path);

                error_set(error, kind->from, kind->missing, "no %s at path '%s'", kind->noun, quoted);
        }
        return object;
}

const struct interface *tree_get_interface(const struct target *target)
{
        switch (target->place) {
        case TREE_MANAGER:
                return &interface_manager;
        case TREE_CONNECT:
                return &interface_connect;
        case TREE_OBJECT:
                return target->branch->kind->interface;
        default:
                return NULL;
        }
}

const struct interface *tree_get_nth_interface(const struct target *target, unsigned n)
{
        const struct interface *own = tree_get_interface(target);
        const struct interface *const all[] = {
                own,
                own ? &interface_properties : NULL,
                target->place == TREE_CONNECT ? &interface_object_manager : NULL,
                target->place != TREE_NOWHERE ? &interface_introspectable : NULL,
                &interface_peer,
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
                if (all[i] && n-- == 0)
                        return all[i];
        return NULL;
}

const char *tree_get_path(const struct branch *branch, const struct managed *object,
                          char buffer[TREE_PATH_SIZE])
{
        char *at = g_stpcpy(buffer, branch->connect->path);

        *at++ = '/';
        at = g_stpcpy(at, branch->kind->branch);
        *at++ = '/';
        object_path_put_uuid(at, object->uuid_text);
        return buffer;
}

const char *tree_get_domain_path(const struct connect *connect, const struct managed *domain,
                                 char buffer[TREE_PATH_SIZE])
{
        return tree_get_path(&connect->branches[0], domain, buffer);
}
