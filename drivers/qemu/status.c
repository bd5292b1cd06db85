/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Status documents as values and files. No state.
 */
#include "drivers/qemu/status.h"

#include "base/store.h"
#include "drivers/qemu/device.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static void image_free(void *data)
{
        struct status_image *image = data;

        g_free(image->alias);
        g_free(image->path);
        g_free(image);
}

static void label_free(void *data)
{
        struct status_label *label = data;

        g_free(label->alias);
        g_free(label->path);
        g_free(label->label);
        g_free(label->relabel.before);
        g_free(label);
}

static void file_free(void *data)
{
        struct status_file *file = data;

        g_free(file->alias);
        g_free(file->path);
        g_free(file);
}

static void pci_free(void *data)
{
        struct status_pci *pci = data;

        g_free(pci->alias);
        g_free(pci->address);
        g_free(pci);
}

static void link_free(void *data)
{
        struct status_link *link = data;

        g_free(link->alias);
        g_free(link->name);
        g_free(link->lower);
        g_free(link->mac);
        g_free(link);
}

static void usb_free(void *data)
{
        struct status_usb *usb = data;

        g_free(usb->alias);
        g_free(usb);
}

static void helper_note_free(void *data)
{
        struct status_helper *helper = data;

        g_free(helper->program);
        g_free(helper->alias);
        g_free(helper);
}

static void switch_free(void *data)
{
        struct status_switch *port = data;

        g_free(port->alias);
        g_free(port->name);
        g_free(port->bridge);
        g_free(port->interface_id);
        g_free(port);
}

static void vf_free(void *data)
{
        struct status_vf *vf = data;

        g_free(vf->alias);
        g_free(vf->physical);
        g_free(vf);
}

static void made_free(void *data)
{
        struct status_made *made = data;

        g_free(made->path);
        g_free(made);
}

static void script_free(void *data)
{
        struct status_script *script = data;

        g_free(script->alias);
        g_free(script->path);
        g_free(script->link);
        g_free(script);
}

static void ips_free(void *data)
{
        struct status_ips *noted = data;

        g_free(noted->alias);
        g_free(noted->link);
        link_ips_free(noted->ips);
        g_free(noted);
}

static void astray_free(void *data)
{
        device_list_free(data);
}

struct status *status_new(void)
{
        struct status *status = g_new0(struct status, 1);

        status->shares = g_ptr_array_new_with_free_func(g_free);
        status->images = g_ptr_array_new_with_free_func(image_free);
        status->labels = g_ptr_array_new_with_free_func(label_free);
        status->files = g_ptr_array_new_with_free_func(file_free);
        status->pci = g_ptr_array_new_with_free_func(pci_free);
        status->links = g_ptr_array_new_with_free_func(link_free);
        status->switches = g_ptr_array_new_with_free_func(switch_free);
        status->usb = g_ptr_array_new_with_free_func(usb_free);
        status->vfs = g_ptr_array_new_with_free_func(vf_free);
        status->helpers = g_ptr_array_new_with_free_func(helper_note_free);
        status->scripts = g_ptr_array_new_with_free_func(script_free);
        status->ips = g_ptr_array_new_with_free_func(ips_free);
        status->made = g_ptr_array_new_with_free_func(made_free);
        status->astray = g_ptr_array_new_with_free_func(astray_free);
        return status;
}

void status_free(struct status *status)
{
        if (!status)
                return;
        g_ptr_array_unref(status->shares);
        g_ptr_array_unref(status->images);
        g_ptr_array_unref(status->labels);
        g_ptr_array_unref(status->files);
        g_ptr_array_unref(status->pci);
        g_ptr_array_unref(status->links);
        g_ptr_array_unref(status->switches);
        g_ptr_array_unref(status->usb);
        g_ptr_array_unref(status->vfs);
        g_ptr_array_unref(status->helpers);
        g_ptr_array_unref(status->scripts);
        g_ptr_array_unref(status->ips);
        g_ptr_array_unref(status->made);
        g_ptr_array_unref(status->astray);
        g_free(status->medium);
        g_free(status->limits);
        g_free(status->name);
        g_free(status->owner);
        g_free(status->monitor);
        g_free(status->cgroup);
        g_free(status->unit);
        g_free(status->saved.path);
        g_free(status->arrival);
        domain_departure_note_clear(&status->departure);
        g_free(status->borrowed);
        g_free(status->xml);
        g_free(status);
}

struct status_image *status_add_image(struct status *status, const char *alias, const char *path,
                                      const struct ownership *ownership)
{
        struct status_image *image = g_new(struct status_image, 1);

        *image = (struct status_image){ g_strdup(alias), g_strdup(path), *ownership, false };
        g_ptr_array_add(status->images, image);
        return image;
}

void status_add_label(struct status *status, const struct status_label *label)
{
        struct status_label *added = g_new(struct status_label, 1);

        *added = *label;
        added->alias = g_strdup(label->alias);
        added->path = g_strdup(label->path);
        added->label = g_strdup(label->label);
        added->relabel.before = g_strdup(label->relabel.before);
        g_ptr_array_add(status->labels, added);
}

static struct status_file *find_file(const struct status *status, const char *alias, const char *path)
{
        for (unsigned i = 0; i < status->files->len; i++) {
                struct status_file *file = g_ptr_array_index(status->files, i);

                if (g_strcmp0(file->alias, alias) == 0 && strcmp(file->path, path) == 0)
                        return file;
        }
        return NULL;
}

void status_add_file(struct status *status, const struct status_file *file)
{
        struct status_file *noted = find_file(status, file->alias, file->path);

        if (!noted) {
                noted = g_new(struct status_file, 1);
                *noted = *file;
                noted->alias = g_strdup(file->alias);
                noted->path = g_strdup(file->path);
                g_ptr_array_add(status->files, noted);
        }
        noted->write |= file->write;
        noted->tree |= file->tree;
}

void status_add_pci(struct status *status, const char *alias, const char *address)
{
        struct status_pci *pci = g_new(struct status_pci, 1);

        *pci = (struct status_pci){ g_strdup(alias), g_strdup(address) };
        g_ptr_array_add(status->pci, pci);
}

void status_add_link(struct status *status, const struct status_link *link)
{
        struct status_link *added = g_new(struct status_link, 1);

        *added = (struct status_link){ g_strdup(link->alias), g_strdup(link->name), g_strdup(link->lower),
                                       g_strdup(link->mac) };
        g_ptr_array_add(status->links, added);
}

void status_add_switch(struct status *status, const struct status_switch *port)
{
        struct status_switch *added = g_new(struct status_switch, 1);

        *added = (struct status_switch){ g_strdup(port->alias), g_strdup(port->name), g_strdup(port->bridge),
                                         g_strdup(port->interface_id) };
        g_ptr_array_add(status->switches, added);
}

void status_add_vf(struct status *status, const struct status_vf *vf)
{
        struct status_vf *added = g_new(struct status_vf, 1);

        *added = (struct status_vf){ g_strdup(vf->alias), g_strdup(vf->physical), vf->number, vf->before };
        g_ptr_array_add(status->vfs, added);
}

void status_add_made(struct status *status, const char *path, uint64_t device, uint64_t inode)
{
        struct status_made *made = g_new(struct status_made, 1);

        *made = (struct status_made){ g_strdup(path), device, inode };
        g_ptr_array_add(status->made, made);
}

void status_add_ips(struct status *status, const char *alias, const char *link, struct link_ips *ips)
{
        struct status_ips *noted = g_new(struct status_ips, 1);

        *noted = (struct status_ips){ g_strdup(alias), g_strdup(link), ips };
        g_ptr_array_add(status->ips, noted);
}

void status_add_script(struct status *status, const char *alias, const char *path, const char *link)
{
        struct status_script *script = g_new(struct status_script, 1);

        *script = (struct status_script){ g_strdup(alias), g_strdup(path), g_strdup(link) };
        g_ptr_array_add(status->scripts, script);
}

void status_add_helper(struct status *status, const char *program, const char *alias,
                       const struct status_process *process)
{
        struct status_helper *helper = g_new(struct status_helper, 1);

        *helper = (struct status_helper){ g_strdup(program), g_strdup(alias), *process };
        g_ptr_array_add(status->helpers, helper);
}

void status_drop_helper(struct status *status, const char *alias)
{
        for (unsigned i = status->helpers->len; i-- > 0;) {
                const struct status_helper *helper = g_ptr_array_index(status->helpers, i);

                if (!alias || strcmp(helper->alias, alias) == 0)
                        g_ptr_array_remove_index(status->helpers, i);
        }
}

const struct status_usb *status_find_usb(const struct status *status, const char *alias)
{
        for (unsigned i = 0; i < status->usb->len; i++) {
                const struct status_usb *noted = g_ptr_array_index(status->usb, i);

                if (g_strcmp0(noted->alias, alias) == 0)
                        return noted;
        }
        return NULL;
}

void status_set_usb(struct status *status, const char *alias, const struct usb_device *usb, bool found)
{
        struct status_usb *noted = (struct status_usb *)status_find_usb(status, alias);

        if (!noted) {
                noted = g_new0(struct status_usb, 1);
                noted->alias = g_strdup(alias);
                g_ptr_array_add(status->usb, noted);
        }
        noted->usb = *usb;
        noted->found = found;
}

bool status_write(const char *dir, const struct status *status, GError **error)
{
        g_autofree char *text = status_format(status);

        return store_write(dir, STATUS_FILE, text, false, error);
}

struct status *status_read(const char *dir, GError **error)
{
        g_autofree char *path = g_build_filename(dir, STATUS_FILE, NULL);
        g_autofree char *text = store_read(path, error);

        return text ? status_parse(text, error) : NULL;
}

bool status_read_pid(const char *dir, const char *file, struct status_process *process)
{
        g_autofree char *path = g_build_filename(dir, file, NULL);
        g_autofree char *text = store_read(path, NULL);
        unsigned long long start_time;
        char end;
        int pid;

        *process = (struct status_process){ 0 };
        if (!text || sscanf(text, "%d %llu%c", &pid, &start_time, &end) != 3 || end != '\n' || pid <= 1)
                return false;
        *process = (struct status_process){ pid, start_time };
        return true;
}
