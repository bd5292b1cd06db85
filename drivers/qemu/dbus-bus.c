/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bus of a guest's own, over which <graphics type='dbus'> shows itself: a dbus-daemon of the emulators'
 * user, which gets a socket that listens already, so that nobody waits for it. It does not end by itself; the
 * status document names it, and until that does, a file in the guest's directory. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/helper.h"
#include "drivers/secret/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_NAME "dbus.sock"
#define READY_MS    10000

/* Whoever may connect, root and the emulators' user, may do everything. Where it listens is told beside it.
 */
static const char config[] =
        "<!DOCTYPE busconfig PUBLIC '-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN' "
        "'http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd'>"
        "<busconfig><type>guest</type><keep_umask/><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>"
        "<policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>"
        "<allow own='*'/></policy></busconfig>";

static char *make_address(const struct guest *guest)
{
        g_autofree char *path = guest_get_io_path(guest, SOCKET_NAME);

        return g_strconcat("unix:path=", path, NULL);
}

/* Without a bus that the document names, and without a client that hands in a connection. */
static bool needs_bus(const struct domain_graphics *graphics)
{
        return graphics->type == DOMAIN_GRAPHICS_DBUS && graphics->p2p != DOMAIN_SWITCH_ON &&
               !graphics->bus_address;
}

bool resources_prepare_bus(struct resources *resources, const struct domain_graphics *graphics,
                           unsigned index, GError **error)
{
        g_autofree char *address = make_address(resources->guest),
                        *program = g_find_program_in_path("dbus-daemon");

        if (!needs_bus(graphics))
                return true;
        if (!program)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<graphics type='dbus'> of %s needs the program 'dbus-daemon', which is not "
                                 "installed, or else p2p='yes'",
                                 resources->guest->who);
        domain_edit_set_graphics_bus(resources->edit, index, address);
        resources->needs_bus = true;
        return true;
}

/* ready: where it says that it listens. */
static bool launch(struct guest *guest, const char *address, int file, int ready, int pid_fd,
                   struct process *process, GError **error)
{
        g_autofree char *program = g_find_program_in_path("dbus-daemon"),
                        *text = g_strdup_printf("--config-file=/dev/fd/%d", file),
                        *place = g_strconcat("--address=", address, NULL),
                        *print = g_strdup_printf("--print-address=%d", ready);
        char *env[] = { (char *)"LC_ALL=C", (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
        char *argv[] = { program, (char *)"--nofork", (char *)"--nopidfile", text, place, print, NULL };
        const int fds[] = { file, ready };
        CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        GArray *groups = cgroup_open_fds(guest->cgroup);
        const char *context = guest_get_helper_context(guest, program);
        const struct launch what = {
                .argv = argv,
                .env = env,
                .account = guest->account,
                .output_fd = null,
                .pid_fd = pid_fd,
                .fds = fds,
                .n_fds = G_N_ELEMENTS(fds),
                .group_fds = (const int *)(const void *)groups->data,
                .n_group_fds = groups->len,
                .label_file = context ? SVIRT_EXEC_FILE : NULL,
                .label = context,
        };
        bool ok = program && launch_run(&what, process, error);

        cgroup_close_fds(groups);
        return ok;
}

static bool wait_ready(const struct guest *guest, int fd, GError **error)
{
        char text[16];

        switch (lane_wait(guest->domain->base.lane, fd, POLLIN, NULL, lane_deadline_in(READY_MS))) {
        case LANE_READY:
                break;
        case LANE_TIMEOUT:
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                 "the bus of %s does not get ready", guest->who);
        default:
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_ABORTED,
                                 "the bus of %s is not waited for", guest->who);
        }
        return read(fd, text, sizeof(text)) > 0 ||
               error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                         "dbus-daemon, the bus of %s, has ended while it started", guest->who);
}

static bool start(struct guest *guest, const char *address, int file, GError **error)
{
        CLEANUP_FD int pid_fd = guest_open_pid_file(guest, STATUS_BUS_PID_FILE, error);
        int ends[2] = { -1, -1 };
        struct process process;
        bool ok;

        if (pid_fd < 0)
                return false;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a pipe to the bus of %s",
                                       guest->who);
        ok = launch(guest, address, file, ends[1], pid_fd, &process, error);
        close(ends[1]);
        ok = ok && helper_watch(helper_add(guest, HELPER_BUS, HELPER_BUS, &process), error) &&
             wait_ready(guest, ends[0], error);
        close(ends[0]);
        return ok;
}

bool resources_start_bus(struct resources *resources, GError **error)
{
        g_autofree char *address = make_address(resources->guest);
        CLEANUP_FD int file = -1;
        GBytes *text;

        if (!resources->needs_bus)
                return true;
        text = g_bytes_new_static(config, strlen(config));
        file = secret_value_to_fd(text, error);
        g_bytes_unref(text);
        return file >= 0 && start(resources->guest, address, file, error);
}
