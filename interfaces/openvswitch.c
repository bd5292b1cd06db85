/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports of Open vSwitch. No state; lanes. */
#include "interfaces/openvswitch.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/spawn.h"

#include <string.h>

/* ovs-vsctl waits so long for ovs-vswitchd to do what is in the database. */
#define PATIENCE   "--timeout=20"
#define TIMEOUT_MS 30000

/* ---- words of ovs-vsctl ---- */

/* A string of JSON, which stands for itself whatever is in it; takes nothing, owned. */
static char *quote(const char *text)
{
        GString *out = g_string_new("\"");

        for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
                if (*c == '"' || *c == '\\')
                        g_string_append_printf(out, "\\%c", *c);
                else if (*c < ' ')
                        g_string_append_printf(out, "\\u%04x", *c);
                else
                        g_string_append_c(out, (char)*c);
        }
        return g_string_free(g_string_append_c(out, '"'), FALSE);
}

static void add(GPtrArray *words, const char *word)
{
        g_ptr_array_add(words, g_strdup(word));
}

static void add_id(GPtrArray *words, const char *key, const char *value)
{
        g_autofree char *quoted = quote(value);

        g_ptr_array_add(words, g_strdup_printf("external-ids:%s=%s", key, quoted));
}

static void add_trunk(GPtrArray *words, const struct vlan *vlan)
{
        GString *word = g_string_new("trunks=");

        for (unsigned i = 0; i < vlan->n_tags; i++)
                g_string_append_printf(word, "%s%u", i ? "," : "", (unsigned)vlan->tags[i].id);
        g_ptr_array_add(words, g_string_free(word, FALSE));
}

/* ovs-vswitchd.conf.db(5): tag, trunks and vlan_mode of a port. */
static void add_vlan(GPtrArray *words, const struct vlan *vlan)
{
        if (!vlan_is_set(vlan))
                return;
        if (!vlan->trunk) {
                g_ptr_array_add(words, g_strdup_printf("tag=%u", (unsigned)vlan->tags[0].id));
                return;
        }
        add_trunk(words, vlan);
        for (unsigned i = 0; i < vlan->n_tags; i++) {
                if (vlan->tags[i].native == VLAN_MEMBER)
                        continue;
                add(words, vlan->tags[i].native == VLAN_NATIVE_TAGGED ? "vlan_mode=native-tagged"
                                                                      : "vlan_mode=native-untagged");
                g_ptr_array_add(words, g_strdup_printf("tag=%u", (unsigned)vlan->tags[i].id));
        }
}

static GPtrArray *begin(void)
{
        GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

        add(words, "ovs-vsctl");
        add(words, PATIENCE);
        return words;
}

static void add_removal(GPtrArray *words, const char *link, const char *bridge)
{
        static const char *const removal[] = { "--", "--if-exists", "del-port" };

        for (unsigned i = 0; i < G_N_ELEMENTS(removal); i++)
                add(words, removal[i]);
        if (bridge)
                add(words, bridge);
        add(words, link);
}

/* It is not to be taken for an option. */
static bool check_name(const char *name, GError **error)
{
        return *name != '-' || error_set(error, ERROR_FROM_INTERFACE, ERROR_CONFIG_UNSUPPORTED,
                                         "the name '%s' of a bridge of Open vSwitch is not supported", name);
}

/* ---- running it ---- */

/* Takes words. What it says of an interface that cannot be had is a warning of its own. output may be NULL.
 */
static bool run(struct lane *lane, GPtrArray *words, char **output, GError **error)
{
        struct spawn_result result = { 0 };
        const char *fault;
        bool done;

        g_ptr_array_add(words, NULL);
        done = spawn_run(lane, (const char *const *)words->pdata, NULL, TIMEOUT_MS, &result, error) &&
               spawn_result_check("ovs-vsctl", &result, error);
        fault = done && result.errors ? strstr(result.errors, "Error detected while setting up") : NULL;
        if (fault) {
                g_autofree char *line = g_strndup(fault, strcspn(fault, "\n"));

                done = error_set(error, ERROR_FROM_INTERFACE, ERROR_OPERATION_FAILED, "Open vSwitch: %s",
                                 line);
        }
        if (done && output)
                *output = g_steal_pointer(&result.output);
        spawn_result_clear(&result);
        g_ptr_array_unref(words);
        return done;
}

bool openvswitch_add_port(struct lane *lane, const struct switch_port *port, GError **error)
{
        GPtrArray *words;

        if (!check_name(port->bridge, error))
                return false;
        words = begin();
        /* What another guest has left of that name. */
        add_removal(words, port->link, NULL);
        add(words, "--");
        add(words, "add-port");
        add(words, port->bridge);
        add(words, port->link);
        add_vlan(words, port->vlan);
        add(words, "--");
        add(words, "set");
        add(words, "Interface");
        add(words, port->link);
        add_id(words, "attached-mac", port->mac);
        add_id(words, "iface-id", port->interface_id);
        add_id(words, "vm-id", port->owner);
        if (*port->profile)
                add_id(words, "port-profile", port->profile);
        add_id(words, "iface-status", "active");
        if (run(lane, words, NULL, error))
                return true;
        lane_shield(lane);
        openvswitch_remove_port(lane, port->link, port->bridge, port->interface_id, NULL);
        return false;
}

bool openvswitch_remove_port(struct lane *lane, const char *link, const char *bridge,
                             const char *interface_id, GError **error)
{
        static const char *const question[] = { "--if-exists", "get", "Interface" };
        g_autofree char *found = NULL;
        GPtrArray *words = begin();

        for (unsigned i = 0; i < G_N_ELEMENTS(question); i++)
                add(words, question[i]);
        add(words, link);
        add(words, "external_ids:iface-id");
        if (!run(lane, words, &found, error))
                return false;
        /* With quotes around it, or without. */
        if (!strstr(found, interface_id))
                return true;
        words = begin();
        /* Nobody waits for a switch that does not run; it finds out by itself. */
        add(words, "--no-wait");
        add_removal(words, link, bridge);
        return run(lane, words, NULL, error);
}
