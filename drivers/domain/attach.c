/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain model: devices that come and go. An attach is an operation that has the domain to itself: what a
 * disk or an interface needs of other objects is taken in their lanes before it is plugged in, and goes back
 * when that fails. Entry points run on the loop, edits and actions in the domain's lane.
 */
#include "base/error.h"
#include "base/operation.h"
#include "drivers/domain/model.h"
#include "drivers/domain/modify.h"
#include "drivers/domain/takings.h"

#define AFFECT (DOMAIN_AFFECT_LIVE | DOMAIN_AFFECT_CONFIG)

/* One call; the args of its row. */
struct request {
        struct domain *domain; /* borrowed */
        char *xml;             /* owned; the element; NULL: alias says which device it is */
        char *alias;           /* owned */
        bool update;           /* it takes the place of one that is there */
        bool keeps_port;       /* and is an interface that stays in the network where it is */
        /* of the guest that runs, between edit and act */
        GArray *devices;                      /* owned, struct domain_edit_device; what is new */
        struct domain_edit_device device;     /* the one that is to go */
        const struct domain_takings *takings; /* borrowed; NULL: none */
        /* then */
        char *changed; /* owned; alias of the device that has come or gone; NULL: none has */
};

static void request_free(void *data)
{
        struct request *request = data;

        g_free(request->xml);
        g_free(request->alias);
        g_free(request->changed);
        if (request->devices)
                g_array_unref(request->devices);
        g_free(request);
}

static bool no_support(const struct domain_change *change, GError **error)
{
        return error_set(error, ERROR_FROM_DOMAIN, ERROR_NO_SUPPORT, "%s of a domain that runs",
                         change->row->function);
}

static const char *get_alias(const struct domain_def *def, const struct domain_edit_device *device)
{
        const struct domain_device_info *info = domain_device_get_info(
                device->kind, domain_devices_get(&def->devices, device->kind, device->index));

        return info && info->alias ? info->alias : "";
}

static struct managed_event *make_event(enum domain_event_id id, const char *alias)
{
        struct domain_event *event;

        if (!alias)
                return NULL;
        event = domain_event_new(id);
        event->text[0] = g_strdup(alias);
        return &event->base;
}

/* ---- attach: the definition ---- */

/* An element on its way into a definition. */
struct placing {
        struct domain_edit *edit; /* borrowed */
        const char *xml;          /* borrowed */
        bool running, update;
        GArray *devices; /* owned; NULL: the edit says why */
};

/* The same, of a guest that runs, to the end. */
struct whole {
        struct placing placing;
        struct domain_def *def; /* ref; NULL: error says why */
        GError **error;
};

static void place_on_machine(const struct domain_machine *machine, void *data)
{
        struct placing *placing = data;
        const struct domain_edit_side side = { machine, placing->running };

        placing->devices = placing->update ? domain_edit_update_device(placing->edit, placing->xml, &side)
                                           : domain_edit_attach_device(placing->edit, placing->xml, &side);
}

static void place_whole(const struct domain_machine *machine, void *data)
{
        struct whole *whole = data;

        place_on_machine(machine, &whole->placing);
        whole->def = domain_edit_commit_checked(g_steal_pointer(&whole->placing.edit), machine, whole->error);
}

/* What is new; owned. NULL: the edit has failed, and says why; but *error when the machine is not known. */
static bool place(struct domain *domain, const struct domain_def *def, struct placing *placing,
                  GError **error)
{
        return domain->driver->ops->with_machine(domain, def, place_on_machine, placing, error);
}

static bool edit_attach(struct domain_edit *edit, const struct domain_def *def,
                        const struct domain_change *change, enum domain_affect side, GError **error)
{
        struct request *request = change->args;
        struct placing placing = { edit, request->xml, side == DOMAIN_AFFECT_LIVE, request->update, NULL };

        if (!place(request->domain, def, &placing, error))
                return false;
        if (!placing.running) {
                g_clear_pointer(&placing.devices, g_array_unref);
                return true;
        }
        g_clear_pointer(&request->devices, g_array_unref);
        request->devices = placing.devices;
        return true;
}

/* The device that it is all about, behind what comes along. */
static const struct domain_edit_device *last_device(const struct request *request)
{
        return &g_array_index(request->devices, struct domain_edit_device, request->devices->len - 1);
}

/* *live with the port that was taken for it. */
static bool place_port(const struct domain_takings *takings, struct domain_def **live, GError **error)
{
        struct domain_def *placed =
                takings ? takings_place_ports(takings, *live, error) : domain_def_ref(*live);

        if (!placed)
                return false;
        domain_def_unref(*live);
        *live = placed;
        return true;
}

static bool act_attach(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                       GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;
        struct request *request = change->args;
        const struct domain_edit_device *device = last_device(request);

        if (!ops->attach)
                return no_support(change, error);
        if (!place_port(request->takings, live, error) ||
            !ops->attach(domain, request->devices, request->takings, live, error))
                return false;
        request->changed = g_strdup(get_alias(*live, device));
        return true;
}

static struct managed_event *added_event(const struct domain_change *change)
{
        return make_event(DOMAIN_EVENT_DEVICE_ADDED, ((const struct request *)change->args)->changed);
}

/* Without an undo: a device that the guest has can only be asked back, as DetachDevice does. */
static const struct domain_modification attach_row = {
        .function = "AttachDevice",
        .flags = AFFECT,
        .edit = edit_attach,
        .act = act_attach,
        .event = added_event,
        .args_free = request_free,
};

/* ---- update ---- */

static const char *get_target(const struct domain_def *def, const struct domain_edit_device *device)
{
        return device->kind == DOMAIN_DEVICE_DISK ? def->devices.disks[device->index].target : NULL;
}

/* It has none any more; another comes with what the update has taken. */
static void drop_filter(struct domain *domain, const struct domain_def *before,
                        const struct domain_def *after, unsigned index)
{
        if (!after->devices.interfaces[index].filter)
                takings_drop_filter(domain->takings, before->devices.interfaces[index].info.alias);
}

static bool act_update(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                       GError **error)
{
        const struct domain_driver_ops *ops = domain->driver->ops;
        const struct domain_def *before = domain_def_of(domain->base.current->active);
        const struct request *request = change->args;
        const struct domain_update update = {
                .device = *last_device(request),
                .takings = request->takings,
                .force = change->flags & DOMAIN_UPDATE_FORCE,
        };
        const char *target = get_target(before, &update.device);

        if (!ops->update)
                return no_support(change, error);
        if (!place_port(request->takings, live, error) ||
            (request->keeps_port && !takings_keep_port(before, update.device.index, live, error)) ||
            !ops->update(domain, &update, live, error))
                return false;
        if (target)
                takings_give_back_disk(domain->takings, target);
        if (update.device.kind == DOMAIN_DEVICE_INTERFACE)
                drop_filter(domain, before, *live, update.device.index);
        if (update.device.kind == DOMAIN_DEVICE_INTERFACE && !request->keeps_port)
                takings_give_back_interface(domain->takings,
                                            &before->devices.interfaces[update.device.index]);
        return true;
}

static const struct domain_modification update_row = {
        .function = "UpdateDevice",
        .flags = AFFECT | DOMAIN_UPDATE_FORCE,
        .edit = edit_attach,
        .act = act_update,
        .stores_first = true,
        .args_free = request_free,
};

/* ---- attach and update: the operation ---- */

struct attach {
        struct operation base;
        struct domain_change change;
        struct request *request; /* owned; the change's args */
        managed_done done;
        void *data; /* owned by done */
        /* between the steps */
        struct domain_def *before;      /* ref; the active definition; NULL: not live */
        struct domain_def *def;         /* ref; the same with the device; NULL: not live */
        GPtrArray *looked;              /* owned; takings_look() */
        struct domain_takings *takings; /* owned, until the domain has them */
};

static struct attach *attach_of(struct operation *op)
{
        return (struct attach *)op;
}

/* Of a guest that runs, a drive that is there is asked for another medium. */
static void turn_into_update(struct attach *attach, struct domain_edit *edit)
{
        if (!domain_edit_has_drive(edit, attach->request->xml))
                return;
        attach->request->update = true;
        attach->change.row = &update_row;
}

static bool keeps_port(const struct domain_def *before, const struct domain_def *after,
                       const struct domain_edit_device *device)
{
        return device->kind == DOMAIN_DEVICE_INTERFACE &&
               takings_share_port(&before->devices.interfaces[device->index],
                                  &after->devices.interfaces[device->index]);
}

/* What the device will be. */
static bool look(struct operation *op, GError **error)
{
        struct attach *attach = attach_of(op);
        struct request *request = attach->request;
        const struct managed_state *state = op->object->current;
        struct whole whole = {
                .placing = { .xml = request->xml, .running = true },
                .error = error,
        };
        const struct domain_edit_device *device;
        struct domain_def *active;
        unsigned affect;

        if (!managed_require_known(op->object, error) ||
            !domain_resolve_affect(state, attach->change.flags, &affect, error))
                return false;
        if (!(affect & DOMAIN_AFFECT_LIVE))
                return true;
        active = domain_def_of(state->active);
        whole.placing.edit = domain_edit_new(active, error);
        if (!whole.placing.edit)
                return false;
        turn_into_update(attach, whole.placing.edit);
        whole.placing.update = request->update;
        if (!request->domain->driver->ops->with_machine(request->domain, active, place_whole, &whole, error))
                domain_edit_free(whole.placing.edit);
        request->devices = whole.placing.devices;
        attach->def = whole.def;
        if (!attach->def)
                return false;
        attach->before = domain_def_ref(active);
        device = last_device(request);
        if (request->update)
                request->keeps_port = keeps_port(active, attach->def, device);
        if (!request->update)
                attach->looked = takings_look(request->domain->driver, attach->def, device);
        return true;
}

static bool find_out(struct operation *op, GError **error)
{
        struct attach *attach = attach_of(op);
        const struct domain_edit_device *device;

        if (!attach->def)
                return true;
        device = last_device(attach->request);
        if (device->kind == DOMAIN_DEVICE_DISK)
                attach->takings = takings_new_disk(attach->request->domain->driver, attach->def,
                                                   &attach->def->devices.disks[device->index]);
        else if (device->kind == DOMAIN_DEVICE_INTERFACE && !attach->request->keeps_port)
                attach->takings =
                        takings_new_interface(attach->request->domain->driver, attach->def, device->index);
        else if (device->kind == DOMAIN_DEVICE_INTERFACE)
                attach->takings = takings_new_filters(attach->request->domain->driver, attach->def);
        else if (attach->looked)
                attach->takings = takings_new_empty();
        return !attach->takings ||
               (takings_check(attach->takings, error) &&
                takings_take_devices(attach->takings, g_steal_pointer(&attach->looked), error));
}

static void drop_devices(struct operation *op)
{
        if (attach_of(op)->takings)
                takings_drop_devices(attach_of(op)->takings);
}

static struct managed *get_owner(struct operation *op, unsigned index)
{
        const struct domain_takings *takings = attach_of(op)->takings;

        return takings ? takings_get_owner(takings, index) : NULL;
}

static bool take(struct operation *op, unsigned index, GError **error)
{
        return takings_take(attach_of(op)->takings, index, error);
}

static void drop(struct operation *op, unsigned index)
{
        takings_drop(attach_of(op)->takings, index);
}

static bool take_secrets(struct operation *op, GError **error)
{
        struct attach *attach = attach_of(op);

        if (attach->takings && !takings_take_port_devices(attach->takings, error))
                return false;
        if (attach->takings)
                takings_take_secrets(attach->takings, attach->request->domain->driver, attach->def);
        return true;
}

static bool plug(struct operation *op, GError **error)
{
        struct attach *attach = attach_of(op);
        struct domain *domain = attach->request->domain;

        attach->request->takings = attach->takings;
        if (attach->def) {
                attach->change.known_of = &attach->before->base;
                attach->change.known = attach->def;
        }
        if (!domain_modify_now(domain, &attach->change, error)) {
                takings_undo_filters(attach->takings, domain->takings, domain->base.lane);
                return false;
        }
        takings_join(&domain->takings, &attach->takings);
        if (attach->def)
                takings_note_targets(domain->takings, domain_def_of(domain->base.current->active));
        return true;
}

static void answer(struct operation *op, const GError *error)
{
        const struct attach *attach = attach_of(op);

        attach->done(op->object, error, attach->data);
}

static void clear(struct operation *op)
{
        struct attach *attach = attach_of(op);

        domain_def_unref(attach->before);
        domain_def_unref(attach->def);
        if (attach->looked)
                g_ptr_array_unref(attach->looked);
        takings_free(attach->takings);
        request_free(attach->request);
}

static const struct operation_step steps[] = {
        { .place = OPERATION_OBJECT, .run = look },
        { .place = OPERATION_LOOP, .run = find_out, .undo = drop_devices },
        { .place = OPERATION_OTHERS, .other = get_owner, .visit = take, .leave = drop },
        { .place = OPERATION_LOOP, .run = take_secrets },
        { .place = OPERATION_OBJECT, .run = plug },
};

static const struct operation_kind attach_kind = {
        .name = "attach",
        .steps = steps,
        .n_steps = G_N_ELEMENTS(steps),
        .size = sizeof(struct attach),
        .alone = true,
        .done = answer,
        .clear = clear,
};

/* xml is taken. */
static void run(struct domain *domain, const struct domain_modification *row, char *xml, unsigned flags,
                managed_done done, void *data)
{
        struct attach *attach = (struct attach *)operation_new(&attach_kind, &domain->base, NULL);
        struct request *request = g_new0(struct request, 1);

        request->domain = domain;
        request->xml = xml;
        request->update = row == &update_row;
        attach->change = (struct domain_change){ .row = row, .flags = flags, .args = request };
        attach->request = request;
        attach->done = done;
        attach->data = data;
        operation_run(&attach->base);
}

void domain_attach_device(struct domain *domain, const char *xml, unsigned flags, managed_done done,
                          void *data)
{
        GError *error = NULL;
        char *whole = NULL;

        if (flags_check(flags, attach_row.flags, ERROR_FROM_DOMAIN, attach_row.function, &error))
                whole = domain_device_complete(xml, &error);
        if (whole)
                run(domain, &attach_row, whole, flags, done, data);
        else
                managed_fail(error, done, data);
}

void domain_update_device(struct domain *domain, const char *xml, unsigned flags, managed_done done,
                          void *data)
{
        GError *error = NULL;

        if (flags_check(flags, update_row.flags, ERROR_FROM_DOMAIN, update_row.function, &error))
                run(domain, &update_row, g_strdup(xml), flags, done, data);
        else
                managed_fail(error, done, data);
}

/* ---- detach ---- */

/* What was taken out of a definition. */
struct taking_out {
        struct domain_edit *edit; /* borrowed */
        enum domain_device_kind kind;
};

static void check_gone(const struct domain_machine *machine, void *data)
{
        const struct taking_out *taking = data;

        domain_edit_check_gone(taking->edit, taking->kind, machine);
}

static bool edit_detach(struct domain_edit *edit, const struct domain_def *def,
                        const struct domain_change *change, enum domain_affect side, GError **error)
{
        struct request *request = change->args;
        struct domain_edit_device device;
        struct taking_out taking;
        bool found = request->xml ? domain_edit_detach_device(edit, request->xml, &device)
                                  : domain_edit_detach_alias(edit, request->alias, &device);

        /* The edit says why not. */
        if (found && side == DOMAIN_AFFECT_LIVE)
                request->device = device;
        if (!found || side == DOMAIN_AFFECT_LIVE)
                return true;
        /* Of a machine that is not known, because its emulator has gone, nothing comes by itself. */
        taking = (struct taking_out){ edit, device.kind };
        request->domain->driver->ops->with_machine(request->domain, def, check_gone, &taking, NULL);
        return true;
}

/* What a device that has gone had of others goes back before anybody hears of it, and may want to have it. */
static void give_back(struct domain *domain, const struct domain_def *def, const char *alias)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                const struct domain_disk *disk = &def->devices.disks[i];

                if (g_strcmp0(disk->info.alias, alias) != 0)
                        continue;
                takings_give_back_disk(domain->takings, disk->target);
                if (disk->source.nvme)
                        takings_give_back_pci(domain->takings, &disk->source.nvme->pci);
        }
        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                const struct domain_interface *interface = &def->devices.interfaces[i];

                if (g_strcmp0(interface->info.alias, alias) != 0)
                        continue;
                takings_give_back_interface(domain->takings, interface);
                takings_drop_filter(domain->takings, alias);
        }
        for (unsigned i = 0; i < def->devices.n_hostdevs; i++) {
                if (g_strcmp0(def->devices.hostdevs[i].info.alias, alias) == 0)
                        takings_give_back_hostdev(domain->takings, &def->devices.hostdevs[i]);
        }
}

/* A guest that takes its time keeps the device in its definition until it lets go (domain_device_removed()).
 */
static bool act_detach(struct domain *domain, const struct domain_change *change, struct domain_def **live,
                       GError **error)
{
        struct domain_def *before = domain_def_of(domain->base.current->active);
        const struct domain_driver_ops *ops = domain->driver->ops;
        struct request *request = change->args;
        bool gone = false;

        if (!ops->detach)
                return no_support(change, error);
        if (!ops->detach(domain, &request->device, &gone, error))
                return false;
        if (gone) {
                request->changed = g_strdup(get_alias(before, &request->device));
                give_back(domain, before, request->changed);
                return true;
        }
        domain_def_unref(*live);
        *live = domain_def_ref(before);
        return true;
}

static struct managed_event *removed_event(const struct domain_change *change)
{
        return make_event(DOMAIN_EVENT_DEVICE_REMOVED, ((const struct request *)change->args)->changed);
}

static const struct domain_modification detach_row = {
        .function = "DetachDevice",
        .flags = AFFECT,
        .edit = edit_detach,
        .act = act_detach,
        .event = removed_event,
        .args_free = request_free,
};

static const struct domain_modification detach_alias_row = {
        .function = "DetachDeviceAlias",
        .flags = AFFECT,
        .edit = edit_detach,
        .act = act_detach,
        .event = removed_event,
        .args_free = request_free,
};

void domain_detach_device(struct domain *domain, const char *xml, unsigned flags, managed_done done,
                          void *data)
{
        struct request *request = g_new0(struct request, 1);

        request->domain = domain;
        request->xml = g_strdup(xml);
        domain_modify(domain, &detach_row, request, flags, done, data);
}

void domain_detach_alias(struct domain *domain, const char *alias, unsigned flags, managed_done done,
                         void *data)
{
        struct request *request = g_new0(struct request, 1);

        request->domain = domain;
        request->alias = g_strdup(alias);
        domain_modify(domain, &detach_alias_row, request, flags, done, data);
}

void domain_device_removed(struct domain *domain, struct domain_def *def, const char *alias)
{
        struct domain_state *state = (struct domain_state *)managed_edit(&domain->base);

        give_back(domain, domain_def_of(domain->base.current->active), alias);
        managed_state_take_active(&state->base, &def->base);
        domain_publish(domain, state, make_event(DOMAIN_EVENT_DEVICE_REMOVED, alias));
}
