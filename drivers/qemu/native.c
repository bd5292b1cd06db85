/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line that a guest of a definition would have, made by what makes that of a start (command.h).
 * What a start has from the host stands for something here: descriptors are numbers, chosen ports are the
 * first ones, sockets are where they would be. What only the host knows, or no command line may say, is
 * refused by name. Loop; nothing is looked at.
 */
#include "drivers/qemu/device-internal.h"
#include "drivers/qemu/native.h"

#include "base/error.h"
#include "drivers/domain/edit-xml.h"
#include "drivers/domain/live-xml.h"
#include "drivers/host/host.h"
#include "drivers/qemu/block.h"
#include "drivers/qemu/command.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/native-parse.h"
#include "drivers/qemu/probe-cache.h"

#include <string.h>

#define NATIVE_ID  1
#define MONITOR_FD 3
#define VNC_PORT   5900

struct native {
        struct qemu_driver *driver; /* borrowed */
        struct domain_def *def;     /* ref */
        domain_driver_text_done done;
        void *data; /* owned by done */
        /* while it is written */
        GHashTable *resources; /* alias (of the definition) -> struct device_resources, owned */
        unsigned index;        /* of the next image */
        int fd;                /* the next descriptor */
};

static bool refuse(const struct domain_def *def, const char *what, GError **error)
{
        return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "%s of domain '%s' cannot be said on a command line", what, def->base.name);
}

/* ---- what the host would have for it ---- */

static struct device_resources *add_resources(struct native *native, const char *alias)
{
        struct device_resources *resources = device_resources_new();

        g_hash_table_insert(native->resources, (char *)alias, resources);
        return resources;
}

static struct block_image *make_image(const struct domain_def *def, const char *who,
                                      const struct domain_storage *source, GError **error)
{
        struct block_image *image;

        if (source->encryption) {
                refuse(def, "an encrypted image", error);
                return NULL;
        }
        image = block_image_new_driven(source);
        if (image)
                return image;
        if (source->network && (source->network->auth || source->network->cookies)) {
                refuse(def, "what lets an image's reader in", error);
                return NULL;
        }
        return block_image_new_spelled(who, source, error);
}

/* The images that the document spells out. */
static bool add_disk(struct native *native, const struct domain_def *def, const struct domain_disk *disk,
                     GError **error)
{
        g_autoptr(GPtrArray) chain = g_ptr_array_new_with_free_func((GDestroyNotify)block_image_free);
        g_autofree char *who = g_strdup_printf("disk '%s'", disk->target);

        if (disk->source.type == DOMAIN_STORAGE_VOLUME || disk->transient)
                return refuse(def, disk->transient ? "a transient disk" : "a volume of a pool", error);
        for (const struct domain_storage *source = &disk->source;
             source && (source->path || source->network || source->nvme); source = source->backing) {
                struct block_image *image = make_image(def, who, source, error);

                if (!image)
                        return false;
                image->index = source->index ? source->index : native->index++;
                if (source->data && source->data->path) {
                        image->data = block_image_new(source->data->path, NULL);
                        image->data->index = native->index++;
                }
                g_ptr_array_add(chain, image);
        }
        if (chain->len > 0)
                add_resources(native, disk->info.alias)->chain = g_steal_pointer(&chain);
        return true;
}

static bool add_nvram(struct native *native, const struct domain_def *def, GError **error)
{
        struct block_image *image;
        GPtrArray *chain;

        if (!domain_nvram_get_server(&def->os.nvram))
                return true;
        image = make_image(def, "<nvram>", def->os.nvram.source, error);
        if (!image)
                return false;
        image->unit = COMMAND_NVRAM_UNIT;
        chain = g_ptr_array_new_with_free_func((GDestroyNotify)block_image_free);
        g_ptr_array_add(chain, image);
        add_resources(native, COMMAND_NVRAM_UNIT)->chain = chain;
        return true;
}

static bool needs_tap(const struct domain_interface *interface)
{
        switch (interface->type) {
        case DOMAIN_INTERFACE_NETWORK:
        case DOMAIN_INTERFACE_BRIDGE:
        case DOMAIN_INTERFACE_ETHERNET:
        case DOMAIN_INTERFACE_DIRECT:
                return true;
        default:
                return false;
        }
}

static void add_interface(struct native *native, const struct domain_interface *interface)
{
        struct device_resources *resources;

        if (!needs_tap(interface))
                return;
        resources = add_resources(native, interface->info.alias);
        resources->fds = g_array_new(FALSE, FALSE, sizeof(int));
        for (unsigned i = 0; i < MAX(interface->queues, 1U); i++) {
                int fd = native->fd++;

                g_array_append_val(resources->fds, fd);
        }
}

static bool check_devices(const struct domain_def *def, GError **error)
{
        if (def->os.firmware && !def->os.has_loader)
                return refuse(def, "firmware that is chosen at a start", error);
        if (def->devices.n_tpms > 0)
                return refuse(def, "a TPM", error);
        if (def->devices.vsock)
                return refuse(def, "a vsock device", error);
        if (def->devices.n_hostdevs > 0)
                return refuse(def, "a device of the host", error);
        if (def->devices.n_filesystems > 0)
                return refuse(def, "a directory of the host", error);
        for (unsigned i = 0; i < def->devices.n_graphics; i++) {
                if (def->devices.graphics[i].type == DOMAIN_GRAPHICS_DBUS)
                        return refuse(def, "<graphics type='dbus'>, whose bus is made at a start,", error);
        }
        for (unsigned i = 0; i < def->devices.n_interfaces; i++) {
                if (def->devices.interfaces[i].type == DOMAIN_INTERFACE_VDPA)
                        return refuse(def, "a vDPA device of the host", error);
        }
        return true;
}

static bool prepare(struct native *native, const struct domain_def *def, GError **error)
{
        for (unsigned i = 0; i < def->devices.n_disks; i++) {
                if (!add_disk(native, def, &def->devices.disks[i], error))
                        return false;
        }
        for (unsigned i = 0; i < def->devices.n_interfaces; i++)
                add_interface(native, &def->devices.interfaces[i]);
        return add_nvram(native, def, error);
}

/* ---- the live definition ---- */

/* Where a start would have it. Free it. */
static char *name_socket(const struct native *native, const struct domain_def *def, const char *name)
{
        char uuid[UUID_STRING_LENGTH + 1];

        return g_strdup_printf("%s/%s/io/%s", native->driver->runtime_dir, uuid_format(&def->base.uuid, uuid),
                               name);
}

static void choose_sockets(const struct native *native, const struct domain_def *def,
                           struct domain_edit *edit)
{
        for (unsigned i = 0; i < def->devices.n_chars; i++) {
                const struct domain_char *chr = &def->devices.chars[i];
                g_autofree char *path =
                        name_socket(native, def, chr->target_name ? chr->target_name : chr->info.alias);

                if (chr->source.type == DOMAIN_CHAR_UNIX && !chr->source.path)
                        domain_edit_set_socket(edit, chr->info.alias, path);
        }
}

static void choose_graphics_sockets(const struct native *native, const struct domain_def *def,
                                    struct domain_edit *edit)
{
        for (unsigned i = 0; i < def->devices.n_graphics; i++) {
                const struct domain_graphics *graphics = &def->devices.graphics[i];
                g_autofree char *name =
                        g_strdup_printf("%s%u.sock", domain_graphics_type_get_name(graphics->type), i);
                g_autofree char *path = name_socket(native, def, name);

                for (unsigned j = 0; j < graphics->n_listens; j++)
                        if (graphics->listens[j].type == DOMAIN_LISTEN_SOCKET && !graphics->listens[j].socket)
                                domain_edit_set_graphics_socket(edit, i, j, path);
        }
}

static void choose_ports(const struct native *native, const struct domain_def *def, struct domain_edit *edit)
{
        int port = VNC_PORT;
        bool plain, tls;

        for (unsigned i = 0; i < def->devices.n_graphics; i++) {
                const struct domain_graphics *graphics = &def->devices.graphics[i];

                if (graphics->type == DOMAIN_GRAPHICS_VNC && graphics->port <= 0)
                        domain_edit_set_graphics_ports(edit, i, port++, 0, 0);
                if (graphics->type != DOMAIN_GRAPHICS_SPICE)
                        continue;
                graphics_find_ports(graphics, native->driver->spice_tls_dir != NULL, &plain, &tls);
                domain_edit_set_graphics_ports(edit, i, plain ? port++ : 0, 0, 0);
                domain_edit_set_graphics_ports(edit, i, 0, tls ? port++ : 0, 0);
        }
}

static struct domain_def *activate(const struct native *native, GError **error)
{
        CLEANUP(domain_def_unref)
        struct domain_def *active = domain_def_activate(native->def, NATIVE_ID, error);
        struct domain_edit *edit = active ? domain_edit_new(active, error) : NULL;

        if (!edit)
                return NULL;
        domain_edit_align_memory(edit, qemu_command_get_memory_unit_kib(active->os.arch));
        choose_sockets(native, active, edit);
        choose_graphics_sockets(native, active, edit);
        choose_ports(native, active, edit);
        return domain_edit_commit(edit, error);
}

/* ---- */

/* What <qemu:commandline> sets stands before it; what every emulator gets does not. */
static char *format(const struct domain_def *def, const struct qemu_command *command)
{
        g_autofree char *line = qemu_command_format(command);
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < def->qemu.n_env; i++) {
                const struct domain_env *env = &def->qemu.env[i];
                g_autofree char *value = g_shell_quote(env->value ? env->value : "");

                g_string_append_printf(text, "%s=%s ", env->name, value);
        }
        g_string_append(text, line);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *write_command(struct native *native, const struct qemu_caps *caps, GError **error)
{
        CLEANUP(domain_def_unref) struct domain_def *active = activate(native, error);
        CLEANUP(qemu_command_free) struct qemu_command *command = NULL;
        const struct qemu_command_context context = {
                .monitor_fd = MONITOR_FD,
                .home = native->driver->runtime_dir,
                .resources = native->resources,
                .memory = native->driver->memory_dir,
                .dmi = "/sys/class/dmi/id",
                .tls_dir = native->driver->tls_dir,
                .spice_tls = native->driver->spice_tls_dir,
                .vnc_tls = native->driver->vnc_tls_dir,
                .now_s = g_get_real_time() / G_USEC_PER_SEC,
        };

        if (!active || !check_devices(active, error) || !prepare(native, active, error))
                return NULL;
        command = qemu_command_build(active, caps, &context, error);
        return command ? format(active, command) : NULL;
}

static void take_caps(const struct qemu_caps *caps, const GError *failure, void *data)
{
        struct native *native = data;
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        if (caps)
                text = write_command(native, caps, &error);
        native->done(text, caps ? error : failure, native->data);
        g_hash_table_unref(native->resources);
        domain_def_unref(native->def);
        g_free(native);
}

char *native_read(struct domain_driver *driver, const char *text, GError **error)
{
        return native_parse(text, host_get_arch(driver->host), error);
}

void native_format(struct domain_driver *driver, struct domain_def *def, domain_driver_text_done done,
                   void *data)
{
        struct native *native = g_new0(struct native, 1);

        native->driver = (struct qemu_driver *)driver;
        native->def = def;
        native->done = done;
        native->data = data;
        native->index = 1;
        native->fd = MONITOR_FD + 1;
        native->resources =
                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)device_resources_free);
        probe_cache_ask(native->driver->probes, def->devices.emulator, take_caps, native);
}
