/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * USB devices of the host that leave it and come back while a guest runs. The document keeps what has left,
 * as missing; the status document says which one it was. No state but the guest's; lane of the domain.
 */
#include "drivers/qemu/hostdev.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device-rows.h"
#include "drivers/qemu/plug-private.h"

#include <string.h>

#define ROOT "/"

static const struct domain_def *get_def(const struct guest *guest)
{
        return domain_state_get_def(domain_get_current(guest->domain));
}

/* Is what the guest has still plugged in? */
static bool is_there(const struct status_usb *noted)
{
        const struct usb_device *usb = &noted->usb;
        const struct usb_query query = { usb->bus, usb->device, usb->port, (int)usb->vendor,
                                         (int)usb->product };
        struct usb_device found;

        return usb_find_one(ROOT, &query, &found, NULL, NULL);
}

/*
 * Is there one that is it? What the document names by what it is, or by its port, may be any that is so; what
 * it names by its number must be plugged in where it was, because numbers do not come back.
 */
static bool find_again(const struct domain_hostdev *hostdev, const struct status_usb *noted,
                       struct usb_device *found)
{
        struct usb_query query = { 0, 0, hostdev->usb_port, hostdev->usb_vendor, hostdev->usb_product };

        if (noted->found) {
                query.bus = hostdev->usb_port ? hostdev->usb_bus : 0;
        } else {
                if (!noted->usb.bus)
                        return false;
                query = (struct usb_query){ noted->usb.bus, 0, noted->usb.port, (int)noted->usb.vendor,
                                            (int)noted->usb.product };
        }
        return usb_find_one(ROOT, &query, found, NULL, NULL);
}

/* ---- it has left ---- */

/*
 * What is left of it in QEMU, which has taken it from the guest already. Its event is waited for here: a
 * later one would be about the device that comes in its place.
 */
static void unplug(struct guest *guest, const char *alias)
{
        g_autoptr(GError) failure = NULL;

        if (!guest_get_monitor(guest, &failure) || !plug_ask_guest(guest, alias, &failure))
                log_gerror(LOG_LEVEL_WARNING, failure, "%s keeps what is left of '%s'", guest->who, alias);
}

static bool set_missing(struct domain_def **live, const char *alias, GError **error)
{
        struct domain_edit *edit = domain_edit_new(*live, error);
        struct domain_def *def;

        if (!edit)
                return false;
        domain_edit_set_usb_missing(edit, alias, true);
        def = domain_edit_commit(edit, error);
        if (!def)
                return false;
        domain_def_unref(*live);
        *live = def;
        return true;
}

/* Its file is gone, or another device's. */
static void forget_file(struct guest *guest, const char *alias)
{
        const struct status_usb noted = *status_find_usb(guest->status, alias);

        guest_release_device(guest, alias);
        status_set_usb(guest->status, alias, &noted.usb, noted.found);
}

static bool lose(struct guest *guest, const struct domain_hostdev *hostdev, struct domain_def **live,
                 GError **error)
{
        const char *alias = hostdev->info.alias;

        log_notice("%s has lost USB device '%s', which is not there any more", guest->who, alias);
        /* Missing first: DEVICE_DELETED is not to take it out of the document. */
        if (!set_missing(live, alias, error) || !plug_write_down(guest, *live, error))
                return false;
        unplug(guest, alias);
        forget_file(guest, alias);
        return true;
}

bool hostdev_miss_usb(struct guest *guest, const char *alias)
{
        struct domain_def *def = domain_def_ref((struct domain_def *)get_def(guest));
        g_autoptr(GError) failure = NULL;

        if (!status_find_usb(guest->status, alias) || !set_missing(&def, alias, &failure)) {
                if (failure)
                        log_gerror(LOG_LEVEL_ERROR, failure, "'%s' of %s", alias, guest->who);
                domain_def_unref(def);
                return false;
        }
        forget_file(guest, alias);
        domain_device_missed(guest->domain, def);
        return true;
}

static void look_for(const struct domain_hostdev *hostdev, const struct status_usb *noted, GArray *returns)
{
        struct domain_usb_return back;

        if (!find_again(hostdev, noted, &back.usb))
                return;
        back.alias = g_strdup(hostdev->info.alias);
        g_array_append_val(returns, back);
}

bool hostdev_lose_usb(struct domain *domain, struct domain_def **live, GArray *returns, GError **error)
{
        struct guest *guest = guest_of(domain);
        const struct domain_devices *devices = &get_def(guest)->devices;

        for (unsigned i = 0; i < devices->n_hostdevs; i++) {
                const struct domain_hostdev *hostdev = &devices->hostdevs[i];
                const struct status_usb *noted = status_find_usb(guest->status, hostdev->info.alias);

                if (hostdev->type != DOMAIN_HOSTDEV_USB || !noted ||
                    (!hostdev->usb_missing && is_there(noted)))
                        continue;
                if (!hostdev->usb_missing && !lose(guest, hostdev, live, error))
                        return false;
                look_for(hostdev, noted, returns);
        }
        return true;
}

/* ---- it is back ---- */

struct back {
        struct guest *guest;          /* borrowed */
        const struct qemu_caps *caps; /* ref */
        struct resources resources;
        struct domain_def *def; /* ref; with the device */
};

static const struct domain_hostdev *find(const struct domain_def *def, const char *alias)
{
        for (unsigned i = 0; i < def->devices.n_hostdevs; i++) {
                if (g_strcmp0(def->devices.hostdevs[i].info.alias, alias) == 0)
                        return &def->devices.hostdevs[i];
        }
        return NULL;
}

static bool prepare(struct back *back, const struct domain_usb_return *usb, struct domain_def *live,
                    const struct domain_start *how, GError **error)
{
        const struct status_usb *noted = status_find_usb(back->guest->status, usb->alias);
        const struct domain_hostdev *hostdev = find(live, usb->alias);
        bool found = noted && noted->found;
        struct domain_edit *edit;

        /* It has been detached since. */
        if (!hostdev || !hostdev->usb_missing)
                return error_set(error, ERROR_FROM_QEMU, ERROR_DEVICE_MISSING, "device '%s' is not missed",
                                 usb->alias);
        edit = domain_edit_new(live, error);
        if (!edit)
                return false;
        resources_init(&back->resources, back->guest, live, edit, how);
        if (!resources_resume(&back->resources, error)) {
                domain_edit_free(edit);
                return false;
        }
        back->resources.alias = usb->alias;
        hostdev_use_usb(&back->resources, hostdev, &usb->usb);
        status_set_usb(back->guest->status, usb->alias, &usb->usb, found);
        back->def = domain_edit_commit(edit, error);
        back->resources.def = back->def;
        back->resources.edit = NULL;
        return back->def != NULL;
}

static bool plug(struct back *back, const char *alias, GError **error)
{
        CLEANUP(device_list_free) struct device_list *list = device_list_new();
        const struct device_context context = { .def = back->def,
                                                .caps = back->caps,
                                                .resources = back->resources.by_alias,
                                                .tls_dir = back->guest->driver->tls_dir,
                                                .hot = true };

        return device_describe_hostdev(list, &context, find(back->def, alias), error) &&
               plug_make_parts(back->guest, list, device_list_get_length(list), plug_begin_call(), NULL,
                               error);
}

static bool run(struct back *back, const struct domain_usb_return *usb, struct domain_def **live,
                const struct domain_start *how, GError **error)
{
        back->caps = guest_get_caps(back->guest, error);
        if (!back->caps || !guest_get_monitor(back->guest, error) || !prepare(back, usb, *live, how, error) ||
            !plug_hand_over(&back->resources, back->def, back->def, error) || !plug(back, usb->alias, error))
                return false;
        domain_def_unref(*live);
        *live = domain_def_ref(back->def);
        return true;
}

bool hostdev_return_usb(struct domain *domain, const struct domain_usb_return *usb, struct domain_def **live,
                        GError **error)
{
        const struct domain_start how = { 0 };
        struct back back = { .guest = guest_of(domain) };
        bool ok = run(&back, usb, live, &how, error);
        g_autoptr(GError) failure = NULL;

        if (!ok && back.def) {
                lane_shield(domain->base.lane);
                forget_file(back.guest, usb->alias);
                if (!plug_write_down(back.guest, *live, &failure))
                        log_gerror(LOG_LEVEL_ERROR, failure, "cannot write down the state of %s",
                                   back.guest->who);
        }
        if (back.resources.by_alias)
                resources_done(&back.resources);
        domain_def_unref(back.def);
        qemu_caps_unref(back.caps);
        return ok;
}
