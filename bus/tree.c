/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree of objects. A path is taken apart in place: no call allocates anything to find its object. Loop
 * thread.
 */
#include "bus/tree.h"

#include "bus/bus-private.h"
#include "bus/domain.h"
#include "bus/host-interface.h"
#include "bus/job.h"
#include "bus/network.h"
#include "bus/node-device.h"
#include "bus/nwfilter.h"
#include "bus/secret.h"
#include "bus/storage-pool.h"
#include "bus/storage-vol.h"
#include "drivers/domain/domain.h"
#include "introspection/connect.h"
#include "introspection/introspectable.h"
#include "introspection/manager.h"
#include "introspection/object-manager.h"
#include "introspection/peer.h"
#include "introspection/properties.h"
#include "introspection/migration.h"
#include "introspection/statistics.h"

#include <string.h>

static const struct object_kind *const kinds[TREE_BRANCH_COUNT] = {
        [TREE_DOMAINS] = &domain_object_kind,
        [TREE_POOLS] = &storage_pool_object_kind,
        [TREE_VOLUMES] = &storage_vol_object_kind,
        [TREE_NODE_DEVICES] = &node_device_object_kind,
        [TREE_NETWORKS] = &network_object_kind,
        [TREE_NWFILTERS] = &nwfilter_object_kind,
        [TREE_SECRETS] = &secret_object_kind,
        [TREE_INTERFACES] = &host_interface_object_kind,
        [TREE_JOBS] = &job_object_kind,
};

struct connect *connect_new(struct bus *bus, struct model *model)
{
        struct connect *connect = g_new0(struct connect, 1);

        connect->bus = bus;
        connect->model = model;
        connect->name = model_get_name(model);
        connect->path = g_strconcat(TREE_MANAGER_PATH "/", connect->name, NULL);
        connect->followers = g_ptr_array_new();
        for (unsigned i = 0; i < TREE_BRANCH_COUNT; i++)
                connect->branches[i] = (struct branch){
                        .connect = connect,
                        .kind = kinds[i],
                        .registry = model_get_registry(model, kinds[i]->model),
                        .collection = model_get_collection(model, kinds[i]->model),
                        .jobs = kinds[i]->model == MODEL_JOBS ? model_get_jobs(model) : NULL,
                };
        return connect;
}

void connect_free(struct connect *connect)
{
        g_ptr_array_unref(connect->followers);
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

        for (unsigned i = 0; i < TREE_BRANCH_COUNT; i++) {
                const struct branch *branch = &connect->branches[i];
                const char *element;

                if (!take_element(rest, branch->kind->branch, &element))
                        continue;
                target->branch = branch;
                if (!*element)
                        target->place = TREE_BRANCH;
                else if (!strchr(element, '/'))
                        target->place = TREE_OBJECT;
                target->element = element;
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
                target->place == TREE_CONNECT ? &interface_migration : NULL,
                target->place == TREE_CONNECT ? &interface_statistics : NULL,
                target->place == TREE_CONNECT ? &interface_object_manager : NULL,
                target->place != TREE_NOWHERE ? &interface_introspectable : NULL,
                &interface_peer,
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
                if (all[i] && n-- == 0)
                        return all[i];
        return NULL;
}

const char *tree_write_path(const struct branch *branch, const void *object, GString *path)
{
        g_string_assign(path, branch->connect->path);
        g_string_append_c(path, '/');
        g_string_append(path, branch->kind->branch);
        g_string_append_c(path, '/');
        branch->kind->write_element(branch, object, path);
        return path->str;
}

char *tree_get_path(const struct branch *branch, const void *object)
{
        GString *path = g_string_sized_new(128);

        tree_write_path(branch, object, path);
        return g_string_free(path, FALSE);
}

const struct branch *tree_find_branch(const struct connect *connect, enum model_kind kind)
{
        for (unsigned i = 0; i < TREE_BRANCH_COUNT; i++)
                if (connect->branches[i].kind->model == kind)
                        return &connect->branches[i];
        return NULL;
}

const struct branch *tree_find_branch_of(const struct connect *connect, const struct managed *object)
{
        for (unsigned i = 0; i < TREE_BRANCH_COUNT; i++)
                if (connect->branches[i].registry == object->registry)
                        return &connect->branches[i];
        return NULL;
}
