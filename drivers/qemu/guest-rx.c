/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From query-rx-filter to the macvtap. All of it is the guest's word: lengths and addresses are checked. Lane
 * of the domain.
 */
#include "drivers/qemu/guest-rx.h"

#include "base/error.h"
#include "base/lane.h"
#include "base/log.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/resources.h"
#include "interfaces/rx-filter.h"

#include <stdio.h>
#include <string.h>

/* Between two questions: QEMU says nothing more before it is asked, so this is what a guest can cause. */
#define PAUSE_MS   100
#define TIMEOUT_MS 30000

/* An interface that is trusted. */
struct entry {
        struct guest *guest; /* borrowed */
        char *alias;         /* owned */
        bool changed;        /* since it was asked about */
        uint64_t call;       /* it is being asked about; 0: it is not */
        struct rx_filter applied;
};

struct guest_rx {
        GHashTable *entries;      /* owned; alias -> struct entry, owned */
        struct lane_timer *timer; /* owned; NULL: none */
};

static void entry_free(void *data)
{
        struct entry *entry = data;

        if (entry->call && entry->guest->qmp)
                qmp_forget(entry->guest->qmp, entry->call);
        g_free(entry->alias);
        g_free(entry);
}

/* ---- what QEMU says ---- */

static bool read_mac(const json_t *value, uint8_t mac[6])
{
        const char *text = json_string_value(value);
        char end;

        return text && sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2],
                              &mac[3], &mac[4], &mac[5], &end) == 6;
}

static bool is_true(const json_t *answer, const char *name)
{
        return json_is_true(json_object_get(answer, name));
}

static bool says(const json_t *answer, const char *name, const char *value)
{
        return g_strcmp0(json_string_value(json_object_get(answer, name)), value) == 0;
}

static void read_groups(const json_t *answer, struct rx_filter *filter)
{
        const json_t *table = json_object_get(answer, "multicast-table"), *entry;
        size_t i;

        json_array_foreach((json_t *)table, i, entry)
        {
                if (filter->n_groups == RX_GROUPS_MAX) {
                        filter->all_groups = true;
                        return;
                }
                if (read_mac(entry, filter->groups[filter->n_groups]) &&
                    (filter->groups[filter->n_groups][0] & 1))
                        filter->n_groups++;
        }
}

static void read_filter(const json_t *answer, struct rx_filter *filter)
{
        *filter = (struct rx_filter){ .promiscuous = is_true(answer, "promiscuous"),
                                      .all_groups = says(answer, "multicast", "all") ||
                                                    is_true(answer, "multicast-overflow") };
        /* The address of a group, or none, stays without effect. */
        if (!read_mac(json_object_get(answer, "main-mac"), filter->mac) || (filter->mac[0] & 1))
                memset(filter->mac, 0, sizeof(filter->mac));
        if (says(answer, "multicast", "normal"))
                read_groups(answer, filter);
}

/* ---- asking ---- */

static void ask_later(struct guest *guest);

static const struct domain_interface *find_driven(const struct guest *guest, const char *alias)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(guest->domain));
        const struct domain_devices *devices = &def->devices;

        for (unsigned i = 0; i < devices->n_interfaces; i++) {
                const struct domain_interface *interface = &devices->interfaces[i];

                if (g_strcmp0(interface->info.alias, alias) == 0)
                        return interface->type == DOMAIN_INTERFACE_DIRECT && interface->target &&
                                               resources_trusts_guest(guest->domain->takings, interface)
                                       ? interface
                                       : NULL;
        }
        return NULL;
}

static void heed(const json_t *result, const GError *error, void *data)
{
        struct entry *entry = data;
        struct guest *guest = entry->guest;
        const struct domain_interface *interface = find_driven(guest, entry->alias);
        struct rx_filter wanted;
        g_autoptr(GError) failure = NULL;

        entry->call = 0;
        if (error)
                log_debug("what interface '%s' of %s receives is not known: %s", entry->alias, guest->who,
                          error->message);
        if (error || !interface)
                return;
        read_filter(json_array_get(result, 0), &wanted);
        if (!rx_filter_apply(guest->domain->base.lane, interface->target, &wanted, &entry->applied, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure,
                           "interface '%s' of %s does not receive all that it wants", entry->alias,
                           guest->who);
        if (entry->changed)
                ask_later(guest);
}

static void ask(void *data)
{
        struct guest *guest = data;
        GHashTableIter iter;
        void *value;

        g_clear_pointer(&guest->rx->timer, lane_timer_free);
        g_hash_table_iter_init(&iter, guest->rx->entries);
        while (guest->qmp && g_hash_table_iter_next(&iter, NULL, &value)) {
                struct entry *entry = value;

                if (!entry->changed || entry->call)
                        continue;
                entry->changed = false;
                entry->call = qmp_call(guest->qmp, "query-rx-filter",
                                       json_pack("{s:s}", "name", entry->alias), TIMEOUT_MS, heed, entry);
        }
}

static void ask_later(struct guest *guest)
{
        if (!guest->rx->timer)
                guest->rx->timer = lane_timer_new(guest->domain->base.lane, PAUSE_MS, ask, guest);
}

static struct entry *get_entry(struct guest *guest, const char *alias)
{
        struct entry *entry;

        if (!guest->rx) {
                guest->rx = g_new0(struct guest_rx, 1);
                guest->rx->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free);
        }
        entry = g_hash_table_lookup(guest->rx->entries, alias);
        if (!entry) {
                entry = g_new0(struct entry, 1);
                entry->guest = guest;
                entry->alias = g_strdup(alias);
                g_hash_table_insert(guest->rx->entries, entry->alias, entry);
        }
        return entry;
}

void guest_rx_note(struct guest *guest, const char *alias)
{
        if (!alias || !find_driven(guest, alias))
                return;
        get_entry(guest, alias)->changed = true;
        ask_later(guest);
}

void guest_rx_resync(struct guest *guest)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(guest->domain));

        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                guest_rx_note(guest, def->devices.interfaces[i].info.alias);
}

void guest_rx_forget(struct guest *guest, const char *alias)
{
        if (guest->rx)
                g_hash_table_remove(guest->rx->entries, alias);
}

/* What was added to it, and nothing that the host has there. */
static void reset(struct guest *guest, struct entry *entry, const struct domain_interface *interface)
{
        struct rx_filter wanted = { .promiscuous = false };
        g_autoptr(GError) failure = NULL;

        memcpy(wanted.mac, interface->mac, sizeof(wanted.mac));
        if (!rx_filter_apply(guest->domain->base.lane, interface->target, &wanted, &entry->applied, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "interface '%s' of %s receives what it wanted",
                           entry->alias, guest->who);
}

void guest_rx_change(struct guest *guest, const struct domain_interface *interface, bool trusted)
{
        const char *alias = interface->info.alias;
        struct entry *entry;

        if (interface->type != DOMAIN_INTERFACE_DIRECT || !interface->target)
                return;
        entry = get_entry(guest, alias);
        if (trusted) {
                /* By then the definition says so. */
                entry->changed = true;
                ask_later(guest);
                return;
        }
        reset(guest, entry, interface);
        guest_rx_forget(guest, alias);
}

void guest_rx_free(struct guest_rx *rx)
{
        if (!rx)
                return;
        lane_timer_free(rx->timer);
        g_hash_table_unref(rx->entries);
        g_free(rx);
}
