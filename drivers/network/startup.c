/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Networks at the start and the end of the agent: definitions, those that were active when the last agent
 * ended, autostart. Loop, but for *_work.
 */
#include "base/error.h"
#include "base/log.h"
#include "drivers/network/model.h"

#define BOOT_MARK "autostarted"

/* ---- take-over ---- */

/* What is not as it was is put back; where that cannot be, the network has stopped. */
static bool take_over_work(struct managed *object, void *data, GError **error)
{
        struct network *network = network_from(object);
        struct network_def *def = data;
        struct managed_state *state;
        bool running = network_run_take_over(network, def, error);

        if (!running)
                network_run_stop(network, def);
        state = managed_edit(object);
        managed_state_take_active(state, running ? definition_ref(&def->base) : NULL);
        if (running)
                network_state_look(network, (struct network_state *)state, def);
        managed_publish(object, state, running ? NULL : managed_event_new(NETWORK_EVENT_STOPPED, 0));
        return running;
}

static void take_over_done(struct managed *object, const GError *error, void *data)
{
        if (error)
                log_gerror(LOG_LEVEL_WARNING, error, "network '%s' could not be taken over", object->name);
        network_def_unref(data);
}

/* One that is transient: no definition has made an object of it yet. */
static struct managed *install(struct networks *networks, struct network_def *def, GError **error)
{
        struct managed_state *state = managed_state_new(&network_kind);

        managed_state_take_active(state, definition_ref(&def->base));
        return registry_install(networks->registry, state, error);
}

static bool load_active(struct networks *networks, const char *name, GError **error)
{
        g_autofree char *path = g_build_filename(networks->runtime_dir, name, NULL);
        g_autofree char *text = store_read(path, error);
        CLEANUP(network_def_unref) struct network_def *def = text ? network_def_parse(text, error) : NULL;
        struct managed *object = def ? registry_find_uuid(networks->registry, &def->base.uuid) : NULL;

        if (def && !object)
                object = install(networks, def, error);
        if (!object)
                return false;
        managed_run(object, MANAGED_IN_TURN, take_over_work, take_over_done, g_steal_pointer(&def));
        return true;
}

bool networks_load(struct networks *networks, GError **error)
{
        g_autoptr(GPtrArray) names = NULL;

        if (!registry_load(networks->registry, error))
                return false;
        if (!networks->runtime_dir)
                return true;
        /* Before the files of leases are read, so that nothing is missed in between. */
        network_leases_listen(networks);
        names = store_list(networks->runtime_dir, ".xml", error);
        for (unsigned i = 0; names && i < names->len; i++) {
                const char *name = g_ptr_array_index(names, i);
                g_autoptr(GError) failure = NULL;

                if (!load_active(networks, name, &failure))
                        log_gerror(LOG_LEVEL_WARNING, failure, "status of network %s/%s is left out",
                                   networks->runtime_dir, name);
        }
        return names != NULL;
}

/* ---- autostart ---- */

struct autostart {
        unsigned pending;
        loop_fn done;
        void *data; /* borrowed */
};

/* True for the first time since boot, which empties the runtime directory. */
static bool claim_boot(const struct networks *networks)
{
        g_autoptr(GError) error = NULL;

        if (!networks->runtime_dir)
                return false;
        if (store_is_marked(networks->runtime_dir, BOOT_MARK))
                return false;
        if (!store_make_dir(networks->runtime_dir, &error) ||
            !store_mark(networks->runtime_dir, BOOT_MARK, true, &error))
                log_gerror(LOG_LEVEL_WARNING, error,
                           "the next start of the agent will autostart networks again");
        return true;
}

static void settle(struct autostart *autostart)
{
        if (--autostart->pending > 0)
                return;
        autostart->done(autostart->data);
        g_free(autostart);
}

static void autostart_done(struct managed *object, const GError *error, void *data)
{
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "cannot autostart network '%s'", object->name);
        settle(data);
}

void networks_autostart(struct networks *networks, loop_fn done, void *data)
{
        g_autoptr(GPtrArray) objects = registry_list(networks->registry);
        struct autostart *autostart = g_new(struct autostart, 1);
        bool claimed = claim_boot(networks);

        networks->autostarted = true;
        *autostart = (struct autostart){ 1, done, data };
        for (unsigned i = 0; i < objects->len; i++) {
                struct network *network = g_ptr_array_index(objects, i);

                if (network->base.published->active ||
                    !(network == networks->new_default || (claimed && network->base.published->autostart)))
                        continue;
                autostart->pending++;
                network_create(network, autostart_done, autostart);
        }
        settle(autostart);
}

/* ---- the end of the agent ---- */

static bool quiesce_work(struct managed *object, void *data, GError **error)
{
        network_run_forget(network_from(object));
        return true;
}

void networks_quiesce(struct networks *networks)
{
        g_autoptr(GPtrArray) objects = registry_list(networks->registry);

        networks_unfollow(networks);
        network_leases_unlisten(networks);
        for (unsigned i = 0; i < objects->len; i++)
                managed_run(g_ptr_array_index(objects, i), MANAGED_IN_TURN, quiesce_work, NULL, NULL);
}
