/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a device can change while its guest runs: the link of an interface and where it leads; for media
 * see plug-media.c, for graphics plug-graphics.c. All else must be as it was, which is so when the two
 * definitions are the same but for that. No state but the guest's; lane of the domain.
 */
#include "drivers/qemu/plug.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/guest-rx.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/plug-private.h"
#include "drivers/qemu/resources.h"
#include "interfaces/tap.h"

#include <string.h>

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* ---- only that ---- */

/* Both definitions without it: what is left is to be the same. */
bool plug_differs_by(const struct domain_def *one, const struct domain_def *other,
                     void (*leave_out)(struct domain_edit *edit, const void *data), const void *data)
{
        const struct domain_def *both[] = { one, other };
        struct domain_def *left[2];
        bool same;

        for (unsigned i = 0; i < 2; i++) {
                struct domain_edit *edit = domain_edit_new(both[i], NULL);

                leave_out(edit, data);
                left[i] = domain_edit_commit(edit, NULL);
        }
        same = left[0] && left[1] && strcmp(left[0]->base.xml, left[1]->base.xml) == 0;
        domain_def_unref(left[0]);
        domain_def_unref(left[1]);
        return same;
}

/* ---- the link of an interface, and where it leads ---- */

static void leave_out_link(struct domain_edit *edit, const void *alias)
{
        domain_edit_set_interface_link(edit, alias, true);
        domain_edit_drop_interface_part(edit, alias, "bandwidth");
        domain_edit_drop_interface_part(edit, alias, "filterref");
        domain_edit_drop_interface_trust(edit, alias);
}

static void leave_out_bridge(struct domain_edit *edit, const void *alias)
{
        leave_out_link(edit, alias);
        domain_edit_set_interface_bridge(edit, alias, "any");
        domain_edit_drop_interface_part(edit, alias, "vlan");
        domain_edit_drop_interface_part(edit, alias, "port");
        domain_edit_drop_interface_part(edit, alias, "coalesce");
}

/* What the start chose for it stays. */
static bool keep_chosen(const struct domain_interface *before, unsigned index, struct domain_def **live,
                        GError **error)
{
        const char *target = (*live)->devices.interfaces[index].target;
        struct domain_edit *edit;
        struct domain_def *def;

        if (target && g_strcmp0(target, before->target) != 0)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                        "the link of interface '%s' is called '%s' while the guest runs, and not '%s'",
                        before->info.alias, before->target ? before->target : "nothing", target);
        edit = domain_edit_new(*live, error);
        if (!edit)
                return false;
        if (before->target)
                domain_edit_set_interface_target(edit, before->info.alias, before->target);
        def = domain_edit_commit(edit, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

/* A tap may go from bridge to bridge. */
static bool check_changes(const struct guest *guest, const struct domain_interface *before,
                          const struct domain_def *live, unsigned index, GError **error)
{
        bool has_bridge =
                resources_get_bridge(before) && resources_get_bridge(&live->devices.interfaces[index]);
        const char *others = before->type == DOMAIN_INTERFACE_DIRECT
                                     ? "link, bandwidth, filter and trustGuestRxFilters"
                                     : "link, bandwidth and filter";

        if (plug_differs_by(get_def(guest), live, has_bridge ? leave_out_bridge : leave_out_link,
                            before->info.alias))
                return true;
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "of interface '%s' only %s can change while the guest runs", before->info.alias,
                         has_bridge ? "link, bandwidth, filter, VLANs, isolation, coalescing and the bridge "
                                      "or network"
                                    : others);
}

/* Where an interface is, or is to be. */
struct place {
        const struct domain_interface *interface; /* borrowed */
        const struct domain_takings *takings;     /* borrowed; has its port */
};

static const struct vlan *get_vlan(const struct place *place)
{
        return resources_get_vlan(place->takings, place->interface);
}

static const struct virtual_port *get_switch(const struct place *place)
{
        return resources_get_virtual_port(place->takings, place->interface);
}

static struct traffic get_bandwidth(const struct place *place)
{
        const struct traffic *bandwidth = resources_get_bandwidth(place->takings, place->interface);

        return place->interface->type == DOMAIN_INTERFACE_DIRECT ? traffic_turn(bandwidth) : *bandwidth;
}

/* What bridges give their ports by themselves is gone with the first tags, so these go with the port. */
static bool move(struct guest *guest, const char *target, const struct place *from, const struct place *to,
                 GError **error)
{
        const struct tap tap = {
                .name = target,
                .bridge = resources_get_bridge(to->interface),
                .lane = guest->domain->base.lane,
                .isolated = resources_is_isolated(to->takings, to->interface),
                .vlan = get_vlan(to),
                .afresh = !vlan_equal(get_vlan(from), get_vlan(to)),
                .bandwidth = get_bandwidth(to),
                .coalesce = to->interface->coalesce_frames,
                .coalesce_changes = from->interface->coalesce_frames != to->interface->coalesce_frames,
        };

        return tap_move(&tap, error);
}

static void move_back(struct guest *guest, const char *target, const struct place *from,
                      const struct place *to)
{
        g_autoptr(GError) failure = NULL;

        lane_shield(guest->domain->base.lane);
        if (!move(guest, target, from, to, &failure))
                log_gerror(LOG_LEVEL_ERROR, failure, "interface '%s' of %s is not in its bridge any more",
                           to->interface->info.alias, guest->who);
}

/* In its bridge, with its tags, alone or not, within its limits. */
static bool differs(const struct place *before, const struct place *after)
{
        return g_strcmp0(resources_get_bridge(before->interface), resources_get_bridge(after->interface)) !=
                       0 ||
               !vlan_equal(get_vlan(before), get_vlan(after)) ||
               resources_is_isolated(before->takings, before->interface) !=
                       resources_is_isolated(after->takings, after->interface) ||
               before->interface->coalesce_frames != after->interface->coalesce_frames ||
               !traffic_equal(resources_get_bandwidth(before->takings, before->interface),
                              resources_get_bandwidth(after->takings, after->interface));
}

static bool set_link(struct guest *guest, const struct domain_interface *before,
                     const struct domain_interface *after, GError **error)
{
        bool up = after->link_up != DOMAIN_SWITCH_OFF;

        return up == (before->link_up != DOMAIN_SWITCH_OFF) ||
               qmp_execute(guest->qmp, "set_link",
                           json_pack("{s:s, s:b}", "name", before->info.alias, "up", up), QMP_TIMEOUT_MS,
                           NULL, error);
}

static void change_trust(struct guest *guest, const struct place *was, const struct place *is)
{
        bool trusted = resources_trusts_guest(is->takings, is->interface);

        if (trusted != resources_trusts_guest(was->takings, was->interface))
                guest_rx_change(guest, is->interface, trusted);
}

static bool update_interface(struct guest *guest, unsigned index, const struct domain_update *update,
                             struct domain_def **live, GError **error)
{
        const struct domain_interface *before = &get_def(guest)->devices.interfaces[index], *after;
        struct place was = { before, guest->domain->takings }, is = was;
        bool moves;

        if (before->type == DOMAIN_INTERFACE_HOSTDEV)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                        "interface '%s' is a device of the host and cannot change while the guest runs",
                        before->info.alias);
        if (!update->limits &&
            (!keep_chosen(before, index, live, error) || !check_changes(guest, before, *live, index, error)))
                return false;
        after = &(*live)->devices.interfaces[index];
        is.interface = after;
        if (takings_find_port(update->takings, after))
                is.takings = update->takings;
        if (!resources_check_trust(is.takings, after, error))
                return false;
        if (after->filter && get_switch(&was)->is_there)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "<filterref> of interface '%s' is not supported: it is a port of Open vSwitch",
                        before->info.alias);
        if (after->filter && !before->target && !takings_share_filter(before, after))
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                 "interface '%s' has no link on the host, which <filterref> could be for",
                                 before->info.alias);
        if (!takings_share_filter(before, after) &&
            !takings_apply_filter(update->takings, guest->domain->base.lane, (*live)->base.name, after,
                                  before->target, error))
                return false;
        moves = differs(&was, &is);
        if (moves && !before->target)
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                 "interface '%s' has no link on the host, whose bandwidth could change",
                                 before->info.alias);
        if (moves && get_switch(&was)->is_there)
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                        "interface '%s' is a port of Open vSwitch: its bridge, VLANs and bandwidth cannot "
                        "change while the guest runs",
                        before->info.alias);
        if (moves && !move(guest, before->target, &was, &is, error)) {
                move_back(guest, before->target, &is, &was);
                return false;
        }
        if (set_link(guest, before, after, error)) {
                change_trust(guest, &was, &is);
                return true;
        }
        if (moves)
                move_back(guest, before->target, &is, &was);
        return false;
}

bool plug_update(struct domain *domain, const struct domain_update *update, struct domain_def **live,
                 GError **error)
{
        const struct domain_edit_device *device = &update->device;
        struct guest *guest = guest_of(domain);

        if (!guest_get_monitor(guest, error))
                return false;
        if (device->kind == DOMAIN_DEVICE_INTERFACE)
                return update_interface(guest, device->index, update, live, error);
        if (device->kind == DOMAIN_DEVICE_GRAPHICS)
                return plug_update_graphics(guest, device->index, live, error);
        if (device->kind == DOMAIN_DEVICE_DISK)
                return plug_update_disk(guest, device->index, update, live, error);
        if (device->kind == DOMAIN_DEVICE_MEMORY)
                return plug_update_memory(guest, device->index, live, error);
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "<%s> cannot change while the guest runs: change the definition alone, for the "
                         "next start",
                         domain_device_kind_get_name(device->kind));
}
