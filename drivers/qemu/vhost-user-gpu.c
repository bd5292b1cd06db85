/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes of vhost-user-gpu that a guest has (QEMU's docs/interop/vhost-user.json says where they are
 * found and what they take). No state but the guest's; lane of the domain.
 */
#include "drivers/qemu/vhost-user-gpu.h"

#include "base/error.h"
#include "drivers/qemu/descriptors.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/guest-log.h"
#include "drivers/qemu/helper.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

/* ---- the program ---- */

static char *read_program(const char *path, const char *type)
{
        g_autofree char *text = descriptor_read(path);
        json_t *root = text ? json_loads(text, 0, NULL) : NULL;
        const char *own = json_string_value(json_object_get(root, "type"));
        const char *binary = json_string_value(json_object_get(root, "binary"));
        bool is_meant = own && binary && strcmp(own, type) == 0 && g_path_is_absolute(binary) &&
                        access(binary, X_OK) == 0;
        char *program = is_meant ? g_strdup(binary) : NULL;

        json_decref(root);
        return program;
}

char *vhost_user_find_program(const char *root, const char *home, const char *type)
{
        g_autoptr(GPtrArray) list = descriptors_list(root, home, "vhost-user");
        char *program = NULL;

        for (unsigned i = 0; i < list->len && !program; i++)
                program = read_program(g_ptr_array_index(list, i), type);
        return program;
}

static GPtrArray *make_command(const struct domain_video *video, int socket, GError **error)
{
        g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
        char *program = vhost_user_find_program("/", geteuid() == 0 ? NULL : g_get_user_config_dir(), "gpu");

        if (!program) {
                error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                          "video device '%s' of driver 'vhostuser' needs the program vhost-user-gpu, which "
                          "is not "
                          "installed (on Debian it is in the package qemu-system-gui)",
                          video->info.alias);
                return NULL;
        }
        g_ptr_array_add(argv, program);
        g_ptr_array_add(argv, g_strdup_printf("--fd=%d", socket));
        if (video->accel3d == DOMAIN_SWITCH_ON)
                g_ptr_array_add(argv, g_strdup("--virgl"));
        if (video->rendernode)
                g_ptr_array_add(argv, g_strdup_printf("--render-node=%s", video->rendernode));
        g_ptr_array_add(argv, NULL);
        return g_steal_pointer(&argv);
}

/* ---- its start ---- */

static bool run(struct guest *guest, const struct domain_video *video, int socket, GError **error)
{
        g_autoptr(GPtrArray) argv = make_command(video, socket, error);
        g_autofree char *name =
                g_strdup_printf("vhost-user-gpu-%s-%s", guest->domain->base.uuid_text, video->info.alias);
        struct guest_log log = GUEST_LOG_NONE;
        struct process process;
        bool ok;

        if (!argv || !guest_log_open(&log, guest->driver->log_dir, name, "vhost-user-gpu", error))
                return false;
        ok = helper_run(guest, argv, socket, log.fd, &process, error) &&
             helper_watch(helper_add(guest, "vhost-user-gpu", video->info.alias, &process), error);
        guest_log_close(&log);
        return ok;
}

bool resources_prepare_video(struct resources *resources, const void *data, GError **error)
{
        const struct domain_video *video = data;
        struct device_resources *device;
        CLEANUP_FD int socket = -1;
        int emulators;

        if (g_strcmp0(video->driver, "vhostuser") != 0)
                return true;
        if (!helper_make_sockets(resources->guest, video->info.alias, &socket, &emulators, error))
                return false;
        resources_add_fd(resources, emulators);
        device = resources_get(resources, video->info.alias);
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(device->fds, emulators);
        if (video->rendernode)
                resources_add_check(resources, video->rendernode, true,
                                    "render node '%s' of video device '%s'", video->rendernode,
                                    video->info.alias);
        return run(resources->guest, video, socket, error);
}
