/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changes networks: define, start, stop, undefine. Entry points run on the loop, *_work
 * functions in the network's lane.
 */
#include "base/error.h"
#include "base/log.h"
#include "drivers/network/model.h"

#include <net/if.h>
#include <string.h>

/* Bridges that are ours by their name, as libvirt's are. */
#define BRIDGE_FORMAT "virbr%u"
#define BRIDGES_MAX   4096

/* ---- names of bridges ---- */

static bool has_bridge(const struct definition *definition, const char *name)
{
        return definition && g_strcmp0(network_def_const(definition)->bridge, name) == 0;
}

bool networks_have_bridge(const struct networks *networks, const struct uuid *uuid, const char *name)
{
        g_autoptr(GPtrArray) objects = registry_list(networks->registry);

        for (unsigned i = 0; i < objects->len; i++) {
                const struct managed *object = g_ptr_array_index(objects, i);

                if (!uuid_equal(&object->uuid, uuid) && (has_bridge(object->published->persistent, name) ||
                                                         has_bridge(object->published->active, name)))
                        return true;
        }
        for (unsigned i = 0; i < networks->claims->len; i++) {
                const struct definition *claim = g_ptr_array_index(networks->claims, i);

                if (!uuid_equal(&claim->uuid, uuid) && has_bridge(claim, name))
                        return true;
        }
        return false;
}

/* A name that nobody has; owned, NULL with an error. */
static char *choose_bridge(const struct networks *networks, const struct uuid *uuid, GError **error)
{
        for (unsigned i = 0; i < BRIDGES_MAX; i++) {
                g_autofree char *name = g_strdup_printf(BRIDGE_FORMAT, i);

                if (!networks_have_bridge(networks, uuid, name) && if_nametoindex(name) == 0)
                        return g_steal_pointer(&name);
        }
        error_set(error, ERROR_FROM_NETWORK, ERROR_INTERNAL_ERROR, "Bridge generation exceeded max id %d",
                  BRIDGES_MAX);
        return NULL;
}

/* That of the definition until now, so that nothing changes that nobody asked to change. */
static const struct network_def *find_previous(const struct networks *networks, const struct uuid *uuid)
{
        const struct managed *object = registry_find_uuid(networks->registry, uuid);

        return object ? network_def_const(managed_state_get_definition(object->published)) : NULL;
}

/* From the range of QEMU and KVM, as libvirt's are. */
static char *choose_mac(void)
{
        guint32 number = g_random_int();

        return g_strdup_printf("52:54:00:%02x:%02x:%02x", number & 0xff, number >> 8 & 0xff,
                               number >> 16 & 0xff);
}

/* Takes def; one with a bridge of its own, NULL with an error. */
static struct network_def *complete(struct networks *networks, struct network_def *def, GError **error)
{
        const struct network_def *previous = find_previous(networks, &def->base.uuid);
        g_autofree char *bridge = NULL, *mac = NULL;
        struct network_def *completed;

        if (!networks->runtime_dir || !network_forward_has_own_bridge(def->forward))
                return def;
        if (!def->bridge)
                bridge = previous && previous->bridge ? g_strdup(previous->bridge)
                                                      : choose_bridge(networks, &def->base.uuid, error);
        else if (networks_have_bridge(networks, &def->base.uuid, def->bridge))
                error_set(error, ERROR_FROM_NETWORK, ERROR_INTERNAL_ERROR, "bridge name '%s' already in use.",
                          def->bridge);
        else
                bridge = g_strdup(def->bridge);
        mac = previous && previous->mac ? g_strdup(previous->mac) : choose_mac();
        completed = bridge ? network_def_with_bridge(def, bridge, mac, error) : NULL;
        network_def_unref(def);
        return completed;
}

/* Its bridge and its addresses are kept from others until the definition is published. */
struct claim {
        struct networks *networks;     /* borrowed */
        struct definition *definition; /* ref */
        managed_done done;
        void *data;
};

static struct claim *claim_new(struct networks *networks, struct network_def *def, managed_done done,
                               void *data)
{
        struct claim *claim = g_new0(struct claim, 1);

        *claim = (struct claim){ networks, definition_ref(&def->base), done, data };
        g_ptr_array_add(networks->claims, claim->definition);
        return claim;
}

static void claim_done(struct managed *object, const GError *error, void *data)
{
        struct claim *claim = data;

        g_ptr_array_remove_fast(claim->networks->claims, claim->definition);
        claim->done(object, error, claim->data);
        definition_unref(claim->definition);
        g_free(claim);
}

static struct network_def *parse(struct networks *networks, const char *xml, GError **error)
{
        struct network_def *def = network_parse_new(networks, xml, error);

        return def ? complete(networks, def, error) : NULL;
}

/* ---- define ---- */

void network_define_xml(struct networks *networks, const char *xml, managed_done done, void *data)
{
        GError *error = NULL;
        struct network_def *def = parse(networks, xml, &error);

        if (def)
                registry_define(networks->registry, &def->base, claim_done,
                                claim_new(networks, def, done, data));
        else
                managed_fail(error, done, data);
}

/* ---- create ---- */

static bool start(struct managed *object, struct network_def *def, GError **error)
{
        struct network *network = network_from(object);
        struct managed_state *state;

        if (network->networks->runtime_dir && !network_run_start(network, def, error))
                return false;
        state = managed_edit(object);
        managed_state_take_active(state, definition_ref(&def->base));
        if (network->networks->runtime_dir)
                network_state_look(network, (struct network_state *)state, def);
        managed_publish(object, state, managed_event_new(NETWORK_EVENT_STARTED, 0));
        network_ports_rejoin(network, def);
        return true;
}

static bool create_work(struct managed *object, void *data, GError **error)
{
        if (!managed_require_known(object, error))
                return false;
        if (object->current->active)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                                 "network is already active");
        return start(object, network_def_of(object->current->persistent), error);
}

bool network_require_running(struct network *network, GError **error)
{
        struct managed *object = &network->base;

        if (!managed_require_known(object, error))
                return false;
        if (object->current->active || !g_atomic_int_get(&network->networks->starts_for_guests) ||
            !object->current->persistent)
                return network_require_active(object, error);
        return start(object, network_def_of(object->current->persistent), error);
}

void network_create(struct network *network, managed_done done, void *data)
{
        managed_run(&network->base, MANAGED_IN_TURN, create_work, done, data);
}

static bool create_xml_work(struct managed *object, void *data, GError **error)
{
        if (object->current && object->current->active)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                                 "network is already active as '%s'", managed_get_current_name(object));
        return start(object, data, error);
}

static void free_def(void *def)
{
        network_def_unref(def);
}

void network_create_xml(struct networks *networks, const char *xml, managed_done done, void *data)
{
        GError *error = NULL;
        struct network_def *def = parse(networks, xml, &error);
        struct managed *object = def ? registry_reserve(networks->registry, &def->base, &error) : NULL;

        if (object) {
                managed_run_task(object,
                                 &(const struct managed_task){
                                         .work = create_xml_work, .args = def, .free_args = free_def },
                                 claim_done, claim_new(networks, def, done, data));
                return;
        }
        network_def_unref(def);
        managed_fail(error, done, data);
}

/* ---- destroy ---- */

static bool destroy_work(struct managed *object, void *data, GError **error)
{
        struct network *network = network_from(object);
        struct managed_state *state;

        if (!network_require_active(object, error))
                return false;
        if (network->networks->runtime_dir)
                network_run_stop(network, network_def_const(object->current->active));
        state = managed_edit(object);
        if (!state->persistent)
                network_leases_remove(network);
        managed_state_take_active(state, NULL);
        network_state_clear_warnings((struct network_state *)state);
        managed_publish(object, state, managed_event_new(NETWORK_EVENT_STOPPED, 0));
        return true;
}

struct ending {
        managed_done done;
        void *data;
};

static void destroy_done(struct managed *object, const GError *error, void *data)
{
        g_autofree struct ending *ending = data;

        network_from(object)->ending--;
        ending->done(object, error, ending->data);
}

void network_destroy(struct network *network, managed_done done, void *data)
{
        const struct ending ending = { done, data };

        network->ending++; /* what goes then, goes by ourselves */
        managed_run(&network->base, MANAGED_URGENT, destroy_work, destroy_done,
                    g_memdup2(&ending, sizeof(ending)));
}

/* ---- undefine, autostart ---- */

static bool undefine_work(struct managed *object, void *data, GError **error)
{
        struct managed_state *state;

        if (!managed_require_known(object, error))
                return false;
        if (!object->current->persistent)
                return error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                                 "can't undefine transient network");
        if (!registry_erase(object, error))
                return false;
        if (!object->current->active)
                network_leases_remove(network_from(object));
        state = managed_edit(object);
        managed_state_take_persistent(state, NULL);
        state->autostart = false;
        managed_publish(object, state, managed_event_new(NETWORK_EVENT_UNDEFINED, 0));
        return true;
}

void network_undefine(struct network *network, managed_done done, void *data)
{
        managed_run(&network->base, MANAGED_IN_TURN, undefine_work, done, data);
}

void network_set_autostart(struct network *network, bool autostart, managed_done done, void *data)
{
        registry_set_autostart(&network->base, autostart, done, data);
}
