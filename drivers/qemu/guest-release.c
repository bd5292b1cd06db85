/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest, or one of its devices, had of the host is given back. Lane of its domain.
 */
#include "drivers/qemu/guest.h"

#include "base/log.h"
#include "base/spawn.h"
#include "drivers/qemu/arrive-disks.h"
#include "drivers/qemu/guest-rx.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/hooks.h"
#include "drivers/qemu/shares.h"
#include "drivers/security/ownership.h"
#include "interfaces/macvtap.h"
#include "interfaces/openvswitch.h"
#include "nodedev/pci.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT_MS 10000

/* Is it the device's? alias NULL stands for all. */
static bool is_of(const char *noted, const char *alias)
{
        return !alias || g_strcmp0(noted, alias) == 0;
}

static void return_images(struct guest *guest, const char *alias)
{
        GPtrArray *images = guest->status->images;

        for (unsigned i = images->len; i-- > 0;) {
                const struct status_image *image = g_ptr_array_index(images, i);

                if (!is_of(image->alias, alias))
                        continue;
                /* Otherwise it would be taken from another guest that shares it. */
                if (!image->pending)
                        ownership_return(guest->account, image->path, image->ownership.uid,
                                         image->ownership.gid);
                g_ptr_array_remove_index(images, i);
        }
}

static void forget_files(struct guest *guest, const char *alias)
{
        GPtrArray *files = guest->status->files;

        for (unsigned i = files->len; i-- > 0;) {
                if (is_of(((const struct status_file *)g_ptr_array_index(files, i))->alias, alias))
                        g_ptr_array_remove_index(files, i);
        }
}

static void return_hostdevs(struct guest *guest, const char *alias)
{
        GPtrArray *devices = guest->status->pci;

        for (unsigned i = devices->len; i-- > 0;) {
                const struct status_pci *pci = g_ptr_array_index(devices, i);

                if (!is_of(pci->alias, alias))
                        continue;
                pci_reattach(guest->domain->base.lane, "/", pci->address);
                g_ptr_array_remove_index(devices, i);
        }
}

static void remove_links(struct guest *guest, const char *alias)
{
        GPtrArray *links = guest->status->links;

        for (unsigned i = links->len; i-- > 0;) {
                const struct status_link *link = g_ptr_array_index(links, i);
                g_autoptr(GError) error = NULL;

                if (!is_of(link->alias, alias))
                        continue;
                if (!macvtap_delete(guest->domain->base.lane, link->name, link->lower, link->mac, &error))
                        log_gerror(LOG_LEVEL_ERROR, error, "a macvtap of %s stays", guest->who);
                g_ptr_array_remove_index(links, i);
        }
}

static void remove_switches(struct guest *guest, const char *alias)
{
        GPtrArray *switches = guest->status->switches;

        for (unsigned i = switches->len; i-- > 0;) {
                const struct status_switch *port = g_ptr_array_index(switches, i);
                g_autoptr(GError) error = NULL;

                if (!is_of(port->alias, alias))
                        continue;
                if (!openvswitch_remove_port(guest->domain->base.lane, port->name, port->bridge,
                                             port->interface_id, &error))
                        log_gerror(LOG_LEVEL_ERROR, error, "port '%s' of %s stays in Open vSwitch",
                                   port->name, guest->who);
                g_ptr_array_remove_index(switches, i);
        }
}

static void return_vfs(struct guest *guest, const char *alias)
{
        GPtrArray *vfs = guest->status->vfs;

        for (unsigned i = vfs->len; i-- > 0;) {
                const struct status_vf *vf = g_ptr_array_index(vfs, i);
                g_autoptr(GError) error = NULL;

                if (!is_of(vf->alias, alias))
                        continue;
                if (!vf_write(guest->domain->base.lane, vf->physical, vf->number, &vf->before, &error))
                        log_gerror(LOG_LEVEL_ERROR, error, "a virtual function stays as %s had it",
                                   guest->who);
                g_ptr_array_remove_index(vfs, i);
        }
}

static void remove_ips(struct guest *guest, const char *alias)
{
        GPtrArray *list = guest->status->ips;

        for (unsigned i = list->len; i-- > 0;) {
                const struct status_ips *noted = g_ptr_array_index(list, i);
                g_autoptr(GError) error = NULL;

                if (!is_of(noted->alias, alias))
                        continue;
                if (!link_ips_remove(guest->domain->base.lane, noted->link, noted->ips, &error))
                        log_gerror(LOG_LEVEL_ERROR, error, "'%s' keeps what it had for %s", noted->link,
                                   guest->who);
                g_ptr_array_remove_index(list, i);
        }
}

/* The tap is gone with the emulator, or with the device. */
static void run_scripts(struct guest *guest, const char *alias)
{
        GPtrArray *list = guest->status->scripts;

        for (unsigned i = list->len; i-- > 0;) {
                const struct status_script *script = g_ptr_array_index(list, i);
                const char *const argv[] = { script->path, script->link, NULL };
                g_autoptr(GError) failure = NULL;

                if (!is_of(script->alias, alias))
                        continue;
                if (!spawn_check_foreign(guest->domain->base.lane, argv, SCRIPT_MS, &failure))
                        log_gerror(LOG_LEVEL_ERROR, failure, "the <downscript> of '%s' of %s", script->alias,
                                   guest->who);
                g_ptr_array_remove_index(list, i);
        }
}

static void forget_usb(struct guest *guest, const char *alias)
{
        GPtrArray *list = guest->status->usb;

        for (unsigned i = list->len; i-- > 0;) {
                if (is_of(((const struct status_usb *)g_ptr_array_index(list, i))->alias, alias))
                        g_ptr_array_remove_index(list, i);
        }
}

static void remove_sockets(struct guest *guest, const char *alias)
{
        for (unsigned i = guest->sockets->len; i-- > 0;) {
                const struct guest_socket *socket = g_ptr_array_index(guest->sockets, i);
                struct stat st;

                if (!is_of(socket->alias, alias))
                        continue;
                if (lstat(socket->path, &st) == 0 && S_ISSOCK(st.st_mode))
                        unlink(socket->path);
                g_ptr_array_remove_index(guest->sockets, i);
        }
}

static void give_back(struct guest *guest, const char *alias)
{
        helper_end(guest, alias);
        return_images(guest, alias);
        guest_return_labels(guest, alias);
        forget_files(guest, alias);
        return_vfs(guest, alias);
        return_hostdevs(guest, alias);
        remove_links(guest, alias);
        remove_switches(guest, alias);
        remove_ips(guest, alias);
        run_scripts(guest, alias);
        forget_usb(guest, alias);
        remove_sockets(guest, alias);
}

void guest_release_device(struct guest *guest, const char *alias)
{
        g_assert(alias);
        give_back(guest, alias);
        guest_rx_forget(guest, alias);
        guest->changed = true;
        guest_confine_again(guest);
}

static void let_go_of_domain(void *data)
{
        managed_unref(data);
}

static void release_at_last(void *data)
{
        struct guest *guest = data;
        struct managed *domain = &guest->domain->base;

        lane_shield(domain->lane);
        guest_release(guest);
        loop_post(lane_get_loop(domain->lane), let_go_of_domain, domain);
}

/* When it has ended. If nobody can wait for that, the next agent will find it. */
static void release_later(struct guest *guest)
{
        struct lane *lane = guest->domain->base.lane;
        g_autoptr(GError) error = NULL;

        g_clear_pointer(&guest->exit_watch, lane_watch_free);
        managed_ref(&guest->domain->base);
        guest->exit_watch =
                lane_watch_new(lane, guest->emulator.pidfd, POLLIN, release_at_last, guest, &error);
        if (guest->exit_watch)
                return;
        log_gerror(LOG_LEVEL_ERROR, error, "the end of the emulator of %s is not waited for", guest->who);
        loop_post(lane_get_loop(lane), let_go_of_domain, &guest->domain->base);
        guest_free(guest);
}

void guest_release(struct guest *guest)
{
        g_autofree char *io = guest_get_io_dir(guest);
        struct lane *lane = guest->domain->base.lane;

        if (!process_end(&guest->emulator, lane)) {
                /* Busy in the kernel, as with gigabytes that it writes: its images stay its own until then.
                 */
                log_warning("the emulator of %s (pid %d) has been killed and takes its time to end",
                            guest->who, (int)guest->emulator.pid);
                release_later(guest);
                return;
        }
        process_end(&guest->tpm, lane);
        helper_end(guest, NULL);
        cgroup_remove(lane, g_steal_pointer(&guest->cgroup));
        shares_remove(guest);
        guest_unconfine(guest);
        guest_forget_state(guest);
        give_back(guest, NULL);
        guest_drop_context(guest);
        arrive_remove_images(guest);
        for (unsigned i = 0; i < guest->ports->len; i++)
                ports_release(&guest->driver->ports, g_array_index(guest->ports, int, i));
        guest_remove_files(io);
        guest_remove_files(guest->dir);
        hooks_end(guest);
        guest_free(guest);
}
