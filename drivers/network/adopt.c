/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A network of libvirt's becomes ours. First what may fail and disturbs nobody: bridge and rules; then the
 * change of dnsmasq, which is undone when ours does not start; then it is written down. A note of ours that a
 * network is active is written last, because an agent that finds one and cannot make it true takes the
 * network away. In the network's lane, but for the entry points.
 */
#include "drivers/network/adopt.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "base/spawn.h"
#include "drivers/network/model.h"

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTART_TIMEOUT_MS 20000
/* Of its command line. */
#define ARGUMENTS_MAX 64

/* ---- libvirt's dnsmasq ---- */

/* Words of /proc/<pid>/cmdline; owned, NULL: nothing is known of the process. */
static char **read_arguments(int pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid), *text = NULL;
        GPtrArray *words = g_ptr_array_new();
        gsize length = 0;

        if (!g_file_get_contents(path, &text, &length, NULL))
                length = 0;
        for (const char *word = text; word < text + length && words->len < ARGUMENTS_MAX;
             word += strlen(word) + 1)
                g_ptr_array_add(words, g_strdup(word));
        g_ptr_array_add(words, NULL);
        return (char **)g_ptr_array_free(words, FALSE);
}

static bool is_dnsmasq(int pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid), *name = NULL;

        return g_file_get_contents(path, &name, NULL, NULL) && strcmp(name, "dnsmasq\n") == 0;
}

/* Of the system: root, or the account that it changes to. A user's could be anything by that name. */
static bool is_of_system(int pid)
{
        enum { USERS_MIN = 1000, NOBODY = 65534 };
        g_autofree char *path = g_strdup_printf("/proc/%d", pid);
        struct stat st;

        return stat(path, &st) == 0 && (st.st_uid < USERS_MIN || st.st_uid == NOBODY);
}

/* What it runs as, if the process of that number is that one and no other. */
static char **find_arguments(const struct network_adoption *adoption, int pid)
{
        g_autofree char *option =
                g_strdup_printf("--conf-file=%s/dnsmasq/%s.conf", adoption->state, adoption->def->base.name);
        g_auto(GStrv) arguments = read_arguments(pid);

        return is_of_system(pid) && is_dnsmasq(pid) && g_strv_contains((const char *const *)arguments, option)
                       ? g_steal_pointer(&arguments)
                       : NULL;
}

/* -1: there is none. The descriptor is that of the process that was looked at: it is opened before. */
static int open_dnsmasq(struct network_adoption *adoption)
{
        g_autofree char *file = g_strconcat(adoption->def->base.name, ".pid", NULL),
                        *path = g_build_filename(adoption->run, "network", file, NULL),
                        *text = store_read(path, NULL);
        int pid = text ? atoi(text) : 0;
        CLEANUP_FD int fd = pid > 1 ? pidfd_open(pid, 0) : -1;
        char **arguments = fd >= 0 ? find_arguments(adoption, pid) : NULL;

        if (!arguments)
                return -1;
        g_strfreev(adoption->arguments);
        adoption->arguments = arguments;
        return fd_steal(&fd);
}

static void end_dnsmasq(struct network *network, struct network_adoption *adoption)
{
        CLEANUP_FD int pidfd = open_dnsmasq(adoption);

        if (pidfd >= 0)
                network_dnsmasq_end(network, pidfd);
}

/* As it was: it knows what it had lent from its helper, which is told of the bridge so. */
static void start_dnsmasq_again(struct network *network, const struct network_adoption *adoption)
{
        g_autofree char *bridge = g_strconcat("VIR_BRIDGE_NAME=", adoption->def->bridge, NULL);
        const char *const variables[] = { bridge, NULL };
        g_autoptr(GError) error = NULL;

        if (!adoption->arguments || !adoption->arguments[0]) {
                /* One that was cut off has ended it already. */
                if (network_dnsmasq_is_needed(adoption->def))
                        g_ptr_array_add(adoption->left,
                                        g_strdup("no dnsmasq of libvirt's runs for it, and ours does not "
                                                 "start, so its guests get no addresses"));
                return;
        }
        if (spawn_check_with(network->base.lane, (const char *const *)adoption->arguments, variables,
                             RESTART_TIMEOUT_MS, &error))
                return;
        g_ptr_array_add(adoption->left,
                        g_strdup_printf("its dnsmasq does not start again, so its guests get no "
                                        "addresses: %s",
                                        error->message));
}

/* ---- what it had lent ---- */

static bool write_leases(struct network *network, const struct network_adopted_leases *leases, GError **error)
{
        const char *directory = network->networks->lease_dir, *uuid = network->base.uuid_text;
        g_autofree char *macs = g_strconcat(uuid, NETWORK_MACS_SUFFIX, NULL);

        return store_write(directory, uuid, leases->leases, false, error) &&
               store_write(directory, macs, leases->macs, false, error);
}

static bool read_leases(struct network_adopted_leases *leases, const char *path, GError **error)
{
        g_autofree char *text = store_read(path, error);

        *leases = (struct network_adopted_leases){ 0 };
        return text && network_adopted_leases_parse(leases, g_strstrip(text), error);
}

/* Without them guests keep their addresses as long as no other asks for one. */
static void take_leases(struct network *network, const struct network_adoption *adoption)
{
        g_autofree char *file = g_strconcat(adoption->def->bridge, ".status", NULL),
                        *path = g_build_filename(adoption->state, "dnsmasq", file, NULL);
        struct network_adopted_leases leases;
        g_autoptr(GError) error = NULL;

        if (!g_file_test(path, G_FILE_TEST_EXISTS))
                return;
        if (!read_leases(&leases, path, &error) || !write_leases(network, &leases, &error))
                g_ptr_array_add(adoption->left,
                                g_strdup_printf("what it had lent, in %s, is not known here: %s", path,
                                                error->message));
        else if (leases.lost > 0)
                g_ptr_array_add(adoption->left,
                                g_strdup_printf("%u of its leases, in %s, make no sense", leases.lost, path));
        network_adopted_leases_clear(&leases);
}

/* ---- the steps ---- */

/* One of ours runs when an adoption before this one was cut off: it has gone on lending since. */
static bool change_dnsmasq(struct network *network, struct network_adoption *adoption, GError **error)
{
        const struct network_def *def = adoption->def;

        if (!network_dnsmasq_runs(network)) {
                end_dnsmasq(network, adoption);
                take_leases(network, adoption);
        }
        return network_dnsmasq_start(network, def, error);
}

static bool make_ours(struct network *network, struct network_adoption *adoption, GError **error)
{
        const struct network_def *def = adoption->def;

        return network_bridge_make(network, def, error) && network_firewall_apply(network, def, error) &&
               change_dnsmasq(network, adoption, error);
}

static void make_libvirts(struct network *network, struct network_adoption *adoption)
{
        g_autoptr(GError) error = NULL;

        lane_shield(network->base.lane);
        network_dnsmasq_stop(network);
        network_leases_forget(network);
        if (!network_firewall_remove(network, adoption->def, &error))
                log_gerror(LOG_LEVEL_WARNING, error, "rules of network '%s' stay", adoption->def->base.name);
        start_dnsmasq_again(network, adoption);
}

static void publish(struct network *network, struct network_def *def)
{
        struct managed_state *state = managed_edit(&network->base);

        managed_state_take_active(state, definition_ref(&def->base));
        network_state_look(network, (struct network_state *)state, def);
        managed_publish(&network->base, state, managed_event_new(NETWORK_EVENT_STARTED, 0));
}

/* Its bridge has to be the one that libvirt has made. */
static bool take(struct network *network, struct network_adoption *adoption, GError **error)
{
        const struct network_def *def = adoption->def;
        bool is_bridged = network_forward_has_own_bridge(def->forward);

        if (!network_run_check(def, error))
                return false;
        adoption->has_ended = is_bridged && if_nametoindex(def->bridge) == 0;
        if (adoption->has_ended)
                return true;
        if (is_bridged && !network_bridge_check(network, def, false, error))
                return false;
        if ((is_bridged && !make_ours(network, adoption, error)) || !network_run_note(network, def, error)) {
                if (is_bridged)
                        make_libvirts(network, adoption);
                return false;
        }
        publish(network, adoption->def);
        return true;
}

/* What is active here may be something else than what libvirt knows of. */
static bool check_same(const struct network_def *here, const struct network_def *libvirts, GError **error)
{
        return g_strcmp0(here->bridge, libvirts->bridge) == 0 ||
               error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                         "it is active here with bridge '%s', and libvirt's has bridge '%s'",
                         here->bridge ? here->bridge : "", libvirts->bridge ? libvirts->bridge : "");
}

static bool adopt_work(struct managed *object, void *data, GError **error)
{
        struct network *network = network_from(object);
        struct network_adoption *adoption = data;
        const struct managed_state *state = object->current;

        adoption->is_here = state && state->active;
        if (adoption->is_here ? !check_same(network_def_const(state->active), adoption->def, error)
                              : !take(network, adoption, error))
                return false;
        if (adoption->has_ended || !network_forward_has_own_bridge(adoption->def->forward))
                return true;
        return network_adoption_remove_rules(network, adoption->def, adoption->left, error);
}

/* ---- loop ---- */

/* It is the caller's. */
static void keep(void *data)
{
}

static struct managed *find_object(struct networks *networks, const struct network_def *def, GError **error)
{
        const struct uuid *uuid = &def->base.uuid;
        bool has_bridge = network_forward_has_own_bridge(def->forward) && def->bridge;

        if (has_bridge && networks_have_bridge(networks, uuid, def->bridge)) {
                error_set(error, ERROR_FROM_NETWORK, ERROR_OPERATION_FAILED,
                          "another network here has bridge '%s'", def->bridge);
                return NULL;
        }
        return registry_reserve(networks->registry, &def->base, error);
}

void network_adopt(struct networks *networks, struct network_adoption *adoption, managed_done done,
                   void *data)
{
        GError *error = NULL;
        struct managed *object = find_object(networks, adoption->def, &error);

        if (object)
                managed_run_task(object,
                                 &(const struct managed_task){
                                         .work = adopt_work, .args = adoption, .free_args = keep },
                                 done, data);
        else
                managed_fail(error, done, data);
}

struct network_adoption *network_adoption_new(const char *text, const char *run, const char *state,
                                              GError **error)
{
        struct network_def *def = network_adoption_parse(text, error);
        struct network_adoption *adoption;

        if (!def)
                return NULL;
        adoption = g_new0(struct network_adoption, 1);
        adoption->def = def;
        adoption->run = g_strdup(run);
        adoption->state = g_strdup(state);
        adoption->left = g_ptr_array_new_with_free_func(g_free);
        return adoption;
}

void network_adoption_free(struct network_adoption *adoption)
{
        if (!adoption)
                return;
        network_def_unref(adoption->def);
        g_free(adoption->run);
        g_free(adoption->state);
        g_ptr_array_unref(adoption->left);
        g_strfreev(adoption->arguments);
        g_free(adoption);
}
