/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of a definition: of a network that runs, of what is stored, or of both. Entry points run on the
 * loop, *_work functions in the network's lane.
 */
#include "base/error.h"
#include "base/log.h"
#include "drivers/network/model.h"

#include <string.h>

struct change {
        /* The same with the change in it; NULL with an error. */
        struct network_def *(*edit)(const struct network_def *def, const struct change *change,
                                    GError **error);
        enum network_extent extent;
        struct network_update update;
        struct network_metadata metadata;
        char *texts[3]; /* owned; what the two above have */
        unsigned flags;
        struct network_def *active, *persistent; /* owned; the new ones, NULL: as it was */
};

static void change_free(void *data)
{
        struct change *change = data;

        network_def_unref(change->active);
        network_def_unref(change->persistent);
        for (unsigned i = 0; i < G_N_ELEMENTS(change->texts); i++)
                g_free(change->texts[i]);
        g_free(change);
}

/* ---- both definitions before either is made true ---- */

static bool check_sides(const struct managed *object, unsigned flags, GError **error)
{
        return (!(flags & NETWORK_UPDATE_LIVE) || network_require_active(object, error)) &&
               (!(flags & NETWORK_UPDATE_CONFIG) || managed_require_persistent(object, error));
}

static bool edit(const struct managed *object, struct change *change, GError **error)
{
        const struct managed_state *state = object->current;
        unsigned flags = change->flags;

        if (!flags)
                flags = state->active ? NETWORK_UPDATE_LIVE : NETWORK_UPDATE_CONFIG;
        if (!check_sides(object, flags, error))
                return false;
        if (flags & NETWORK_UPDATE_LIVE) {
                change->active = change->edit(network_def_const(state->active), change, error);
                if (!change->active)
                        return false;
        }
        if (flags & NETWORK_UPDATE_CONFIG)
                change->persistent = change->edit(network_def_const(state->persistent), change, error);
        return change->persistent || !(flags & NETWORK_UPDATE_CONFIG);
}

static bool apply(struct network *network, const struct change *change, const struct network_def *def,
                  GError **error)
{
        return !network->networks->runtime_dir || network_run_update(network, def, change->extent, error);
}

static void apply_back(struct network *network, const struct change *change)
{
        g_autoptr(GError) error = NULL;

        if (!apply(network, change, network_def_const(network->base.current->active), &error))
                log_gerror(LOG_LEVEL_ERROR, error, "a change of network '%s' that failed is not undone",
                           managed_get_current_name(&network->base));
}

/* ---- the work ---- */

static struct managed_event *make_event(const struct change *change)
{
        struct network_event *event = g_new0(struct network_event, 1);

        event->base.id = NETWORK_EVENT_CHANGED;
        if (change->extent != NETWORK_EXTENT_NOTHING)
                return &event->base;
        event->base.id = NETWORK_EVENT_METADATA;
        event->base.type = change->metadata.type;
        event->uri = g_strdup(change->metadata.uri);
        return &event->base;
}

static void publish(struct managed *object, const struct change *change)
{
        struct managed_state *state = managed_edit(object);

        if (change->active)
                managed_state_take_active(state, definition_ref(&change->active->base));
        if (change->persistent)
                managed_state_take_persistent(state, definition_ref(&change->persistent->base));
        managed_publish(object, state, make_event(change));
}

static bool change_work(struct managed *object, void *data, GError **error)
{
        struct network *network = network_from(object);
        struct change *change = data;

        if (!managed_require_known(object, error) || !edit(object, change, error))
                return false;
        if (change->active && !apply(network, change, change->active, error)) {
                apply_back(network, change);
                return false;
        }
        if (change->persistent && !registry_store(object, &change->persistent->base, error)) {
                if (change->active)
                        apply_back(network, change);
                return false;
        }
        publish(object, change);
        return true;
}

/* Takes change. */
static void run(struct network *network, struct change *change, const char *function, managed_done done,
                void *data)
{
        GError *error = NULL;

        if (network_check_flags(change->flags, NETWORK_UPDATE_LIVE | NETWORK_UPDATE_CONFIG, function,
                                &error)) {
                managed_run_task(&network->base,
                                 &(const struct managed_task){
                                         .work = change_work, .args = change, .free_args = change_free },
                                 done, data);
                return;
        }
        change_free(change);
        managed_fail(error, done, data);
}

/* ---- Update ---- */

static struct network_def *edit_element(const struct network_def *def, const struct change *change,
                                        GError **error)
{
        return network_def_update(def, &change->update, error);
}

static bool is_of_hosts(const struct network_update *update)
{
        return update->section == NETWORK_SECTION_IP_DHCP_HOST || update->section == NETWORK_SECTION_DNS_HOST;
}

void network_update(struct network *network, const struct network_update *update, unsigned flags,
                    managed_done done, void *data)
{
        struct change *change = g_new0(struct change, 1);

        change->edit = edit_element;
        change->extent = is_of_hosts(update) ? NETWORK_EXTENT_HOSTS : NETWORK_EXTENT_ALL;
        change->texts[0] = g_strdup(update->xml);
        change->update = *update;
        change->update.xml = change->texts[0];
        change->flags = flags;
        run(network, change, "Update", done, data);
}

/* ---- metadata ---- */

static struct network_def *edit_metadata(const struct network_def *def, const struct change *change,
                                         GError **error)
{
        return network_def_with_metadata(def, &change->metadata, error);
}

static char *copy(const char *text)
{
        return text && *text ? g_strdup(text) : NULL;
}

void network_set_metadata(struct network *network, const struct network_metadata *metadata, unsigned flags,
                          managed_done done, void *data)
{
        struct change *change = g_new0(struct change, 1);

        change->edit = edit_metadata;
        change->extent = NETWORK_EXTENT_NOTHING;
        change->texts[0] = copy(metadata->text);
        change->texts[1] = copy(metadata->key);
        change->texts[2] = copy(metadata->uri);
        change->metadata = (struct network_metadata){ metadata->type, change->texts[0], change->texts[1],
                                                      change->texts[2] };
        change->flags = flags;
        run(network, change, "SetMetadata", done, data);
}

static const struct network_def *choose(const struct network *network, unsigned flags, GError **error)
{
        const struct managed_state *state = network_get_published(network);
        const struct definition *found = managed_state_get_definition(state);

        if (!network_check_flags(flags, NETWORK_UPDATE_LIVE | NETWORK_UPDATE_CONFIG, "GetMetadata", error))
                return NULL;
        if (flags == (NETWORK_UPDATE_LIVE | NETWORK_UPDATE_CONFIG)) {
                error_set(error, ERROR_FROM_NETWORK, ERROR_INVALID_ARG,
                          "metadata is read either of what runs (1) or of what is stored (2)");
                return NULL;
        }
        if (flags)
                found = flags == NETWORK_UPDATE_LIVE ? state->active : state->persistent;
        if (!found)
                error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_INVALID,
                          flags == NETWORK_UPDATE_LIVE ? "network '%s' is not active"
                                                       : "network '%s' is transient",
                          managed_state_get_name(state));
        return (const struct network_def *)found;
}

char *network_get_metadata(const struct network *network, int type, const char *uri, unsigned flags,
                           GError **error)
{
        const struct network_def *def = choose(network, flags, error);

        return def ? network_def_get_metadata(def, type, uri, error) : NULL;
}
