/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Managed objects in the tree. No state; loop thread.
 */
#include "bus/managed-object.h"

#include "base/registry.h"
#include "bus/marshal.h"
#include "bus/object-path.h"

void *managed_object_find(const struct branch *branch, const char *element, bool pending, GError **error)
{
        const struct managed_kind *kind = registry_get_kind(branch->registry);
        struct managed *object = NULL;
        g_autofree char *quoted = NULL;
        struct uuid uuid;

        if (object_path_get_uuid(element, &uuid))
                object = pending ? registry_find_pending(branch->registry, &uuid)
                                 : registry_find_uuid(branch->registry, &uuid);
        if (object)
                return object;
        quoted = error_quote(element);
        error_set(error, kind->from, kind->missing, "no %s at path '%s/%s/%s'", kind->noun,
                  branch->connect->path, branch->kind->branch, quoted);
        return NULL;
}

void *managed_object_ref(const struct branch *branch, void *object)
{
        return managed_ref(object);
}

void managed_object_unref(const struct branch *branch, void *object)
{
        managed_unref(object);
}

GPtrArray *managed_object_list(const struct branch *branch)
{
        return registry_list(branch->registry);
}

void managed_object_write_element(const struct branch *branch, const void *object, GString *path)
{
        const struct managed *managed = object;
        char element[OBJECT_PATH_UUID_LENGTH + 1];

        object_path_put_uuid(element, managed->uuid_text);
        g_string_append(path, element);
}

/* ---- getters ---- */

static const struct managed_state *get_state(const struct target *target)
{
        return managed_get_published(target->object);
}

bool get_managed_active(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", get_state(target)->active != NULL);
}

bool get_managed_autostart(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", get_state(target)->autostart);
}

bool get_managed_name(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "s", managed_state_get_name(get_state(target)));
}

bool get_managed_persistent(const struct target *target, struct marshal_slot *slot, GError **error)
{
        return marshal_slot_write(slot, "b", get_state(target)->persistent != NULL);
}

bool get_managed_uuid(const struct target *target, struct marshal_slot *slot, GError **error)
{
        const struct managed *object = target->object;

        return marshal_slot_write(slot, "s", object->uuid_text);
}
