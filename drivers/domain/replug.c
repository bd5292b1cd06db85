/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * USB devices of the host that are unplugged from it and plugged in again while a guest has them: when one
 * has come or gone, every guest with USB devices looks after its own, in an operation that has the domain to
 * itself. What has gone is not in use any more; what is back is taken, and the guest gets it. Loop, but for
 * the steps in the domain's lane.
 */
#include "base/log.h"
#include "base/operation.h"
#include "drivers/domain/model.h"
#include "drivers/domain/takings.h"
#include "nodedev/node-devices.h"

struct replug {
        struct operation base;
        /* between the steps */
        GArray *returns;                /* owned, struct domain_usb_return; what is there again */
        struct domain_takings *takings; /* owned; what of it is the domain's */
};

static struct replug *replug_of(struct operation *op)
{
        return (struct replug *)op;
}

static struct domain *domain_of(const struct operation *op)
{
        return domain_from(op->object);
}

static void return_clear(void *data)
{
        g_free(((struct domain_usb_return *)data)->alias);
}

/* ---- steps ---- */

static void give_back_lost(struct domain *domain, const struct domain_def *before,
                           const struct domain_def *after)
{
        /* The two differ in what is missing only. */
        for (unsigned i = 0; i < before->devices.n_hostdevs; i++) {
                const struct domain_hostdev *hostdev = &before->devices.hostdevs[i];

                if (!hostdev->usb_missing && after->devices.hostdevs[i].usb_missing)
                        takings_give_back_hostdev(domain->takings, hostdev);
        }
}

void domain_device_missed(struct domain *domain, struct domain_def *def)
{
        give_back_lost(domain, domain_def_of(domain->base.current->active), def);
        domain_update_active(domain, def);
}

static bool look(struct operation *op, GError **error)
{
        struct domain *domain = domain_of(op);
        struct replug *replug = replug_of(op);
        struct domain_def *before, *live;
        bool looked;

        if (!op->object->current || !op->object->current->active) {
                operation_skip_rest(op);
                return true;
        }
        before = domain_def_of(op->object->current->active);
        live = domain_def_ref(before);
        replug->returns = g_array_new(FALSE, FALSE, sizeof(struct domain_usb_return));
        g_array_set_clear_func(replug->returns, return_clear);
        looked = domain->driver->ops->lose_usb(domain, &live, replug->returns, error);
        if (live != before)
                domain_device_missed(domain, live);
        else
                domain_def_unref(live);
        if (looked && replug->returns->len == 0)
                operation_skip_rest(op);
        return looked;
}

/* Another guest may have been faster. */
static bool take(struct operation *op, GError **error)
{
        struct domain *domain = domain_of(op);
        struct replug *replug = replug_of(op);

        replug->takings = takings_new_empty();
        for (unsigned i = replug->returns->len; i-- > 0;) {
                const struct domain_usb_return *back =
                        &g_array_index(replug->returns, struct domain_usb_return, i);
                g_autoptr(GError) failure = NULL;

                if (takings_take_usb(replug->takings, domain, &back->usb, &failure))
                        continue;
                log_notice("domain '%s' goes without '%s': %s", op->object->name, back->alias,
                           failure->message);
                g_array_remove_index(replug->returns, i);
        }
        return true;
}

static void drop(struct operation *op)
{
        takings_drop_devices(replug_of(op)->takings);
}

static void plug_in(struct domain *domain, struct domain_takings *takings,
                    const struct domain_usb_return *back)
{
        struct domain_def *before = domain_def_of(domain->base.current->active);
        struct domain_def *live = domain_def_ref(before);
        g_autoptr(GError) failure = NULL;

        if (domain->driver->ops->return_usb(domain, back, &live, &failure)) {
                domain_update_active(domain, live);
                return;
        }
        log_gerror(LOG_LEVEL_ERROR, failure, "domain '%s' does not get back '%s'", domain->base.name,
                   back->alias);
        takings_give_back_usb(takings, &back->usb);
        domain_def_unref(live);
}

static bool plug(struct operation *op, GError **error)
{
        struct domain *domain = domain_of(op);
        struct replug *replug = replug_of(op);

        for (unsigned i = 0; i < replug->returns->len; i++)
                plug_in(domain, replug->takings,
                        &g_array_index(replug->returns, struct domain_usb_return, i));
        takings_join(&domain->takings, &replug->takings);
        return true;
}

static void done(struct operation *op, const GError *error)
{
        struct domain *domain = domain_of(op);

        domain->replugging = domain->replug_again;
        if (domain->replug_again)
                operation_run(operation_new(op->kind, op->object, NULL));
        domain->replug_again = false;
        if (error)
                log_gerror(LOG_LEVEL_ERROR, error, "the USB devices of domain '%s' are not looked after",
                           op->object->name);
}

static void clear(struct operation *op)
{
        struct replug *replug = replug_of(op);

        takings_free(replug->takings);
        if (replug->returns)
                g_array_unref(replug->returns);
}

static const struct operation_step steps[] = {
        { .place = OPERATION_OBJECT, .run = look },
        { .place = OPERATION_LOOP, .run = take, .undo = drop },
        { .place = OPERATION_OBJECT, .run = plug },
};

static const struct operation_kind replug_kind = {
        .name = "replug",
        .steps = steps,
        .n_steps = G_N_ELEMENTS(steps),
        .size = sizeof(struct replug),
        .alone = true,
        .done = done,
        .clear = clear,
};

/* ---- when ---- */

static bool has_usb(const struct domain *domain)
{
        const struct managed_state *state = domain->base.published;
        const struct domain_def *def = state && state->active ? domain_def_of(state->active) : NULL;

        for (unsigned i = 0; def && i < def->devices.n_hostdevs; i++) {
                if (def->devices.hostdevs[i].type == DOMAIN_HOSTDEV_USB)
                        return true;
        }
        return false;
}

static void run(struct domain *domain)
{
        domain->replugging = true;
        operation_run(operation_new(&replug_kind, &domain->base, NULL));
}

static void look_after_all(void *data)
{
        struct domain_driver *driver = data;
        g_autoptr(GPtrArray) domains = registry_list(driver->domains);

        driver->usb_changed = false;
        for (unsigned i = 0; i < domains->len && driver->node_devices; i++) {
                struct domain *domain = g_ptr_array_index(domains, i);

                if (domain->replugging)
                        domain->replug_again = true;
                else if (has_usb(domain))
                        run(domain);
        }
}

/* Many at once are looked after once. */
static void tell(void *before, void *after, void *data)
{
        const struct node_device *device = after ? after : before;
        struct domain_driver *driver = data;

        if (!(device->capabilities & UINT32_C(1) << NODE_DEVICE_USB_DEVICE) || (before && after) ||
            driver->usb_changed)
                return;
        driver->usb_changed = true;
        loop_post(driver->loop, look_after_all, driver);
}

static const struct collection_listener listener = { .tell = tell };

void domain_follow_usb(struct domain_driver *driver)
{
        if (driver->node_devices && driver->ops->lose_usb)
                collection_listen(node_devices_get_collection(driver->node_devices), &listener, driver);
}

void domain_unfollow_usb(struct domain_driver *driver)
{
        if (driver->node_devices && driver->ops->lose_usb)
                collection_unlisten(node_devices_get_collection(driver->node_devices), &listener, driver);
}
