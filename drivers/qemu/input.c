/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys and buttons of a guest's machine, and its displays. Lane of the domain.
 */
#include "drivers/qemu/input.h"

#include "base/error.h"
#include "drivers/domain/keycodes.h"
#include "drivers/qemu/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static bool execute(struct domain *domain, const char *command, json_t *arguments, GError **error)
{
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);

        if (qmp)
                return qmp_execute(qmp, command, arguments, QMP_TIMEOUT_MS, NULL, error);
        json_decref(arguments);
        return false;
}

/* ---- keys and buttons ---- */

bool input_send_keys(struct domain *domain, unsigned codeset, unsigned hold_ms, const uint32_t *codes,
                     unsigned count, GError **error)
{
        json_t *keys = json_array(), *arguments;

        for (unsigned i = 0; i < count; i++) {
                int number = (int)keycodes_translate(codeset, codes[i]);

                json_array_append_new(keys, json_pack("{s:s, s:i}", "type", "number", "data", number));
        }
        arguments = json_pack("{s:o}", "keys", keys);
        if (hold_ms > 0)
                json_object_set_new(arguments, "hold-time", json_integer(hold_ms));
        return execute(domain, "send-key", arguments, error);
}

bool input_inject_nmi(struct domain *domain, GError **error)
{
        return execute(domain, "inject-nmi", NULL, error);
}

bool input_wake_up(struct domain *domain, GError **error)
{
        return execute(domain, "system_wakeup", NULL, error);
}

/* ---- displays ---- */

/* The name of the descriptor that QEMU has of fd is that of what it is for. */
static bool add_client(struct domain *domain, const char *protocol, bool skip_auth, int fd, GError **error)
{
        static const char name[] = "graphics-client";
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);
        uint64_t sent, added;

        if (!qmp)
                return false;
        sent = qmp_send_fd(qmp, "getfd", json_pack("{s:s}", "fdname", name), fd);
        if (!qmp_receive(qmp, sent, lane_deadline_in(QMP_TIMEOUT_MS), NULL, error))
                return false;
        added = qmp_send(
                qmp, "add_client",
                json_pack("{s:s, s:s, s:b}", "protocol", protocol, "fdname", name, "skipauth", skip_auth));
        if (qmp_receive(qmp, added, lane_deadline_in(QMP_TIMEOUT_MS), NULL, error))
                return true;
        qmp_forget(qmp, qmp_send(qmp, "closefd", json_pack("{s:s}", "fdname", name)));
        qmp_flush(qmp);
        return false;
}

int input_open_graphics(struct domain *domain, unsigned index, bool skip_auth, GError **error)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(domain));
        CLEANUP_FD int ours = -1, theirs = -1;
        const char *protocol = NULL;
        int pair[2];

        if (index >= def->devices.n_graphics) {
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "domain '%s' has no display %u",
                          def->base.name, index);
                return -1;
        }
        if (def->devices.graphics[index].type == DOMAIN_GRAPHICS_VNC)
                protocol = "vnc";
        else if (def->devices.graphics[index].type == DOMAIN_GRAPHICS_SPICE)
                protocol = "spice";
        if (!protocol) {
                error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                          "display %u of domain '%s' is of type '%s': those of VNC and SPICE can be opened",
                          index, def->base.name,
                          domain_graphics_type_get_name(def->devices.graphics[index].type));
                return -1;
        }
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno,
                                "cannot make a socket for display %u of domain '%s'", index, def->base.name);
                return -1;
        }
        ours = pair[0];
        theirs = pair[1];
        return add_client(domain, protocol, skip_auth, ours, error) ? fd_steal(&theirs) : -1;
}

/* Which card has the screen with that number, counted over all heads; NULL: there are not as many. */
static const struct domain_video *find_screen(const struct domain_def *def, unsigned screen, unsigned *head)
{
        for (unsigned i = 0; i < def->devices.n_videos; i++) {
                const struct domain_video *video = &def->devices.videos[i];
                unsigned heads = MAX(video->heads, 1);

                if (g_strcmp0(video->model, "none") == 0)
                        continue;
                if (screen < heads) {
                        *head = screen;
                        return video;
                }
                screen -= heads;
        }
        return NULL;
}

static json_t *describe_screen(const struct domain_video *video, unsigned head, int set)
{
        g_autofree char *name = g_strdup_printf("/dev/fdset/%d", set);
        json_t *arguments = json_pack("{s:s}", "filename", name);

        /* What is on the machine's own bus has no name, and is the first anyhow. */
        if (video->info.alias)
                json_object_set_new(arguments, "device", json_string(video->info.alias));
        if (video->info.alias && head > 0)
                json_object_set_new(arguments, "head", json_integer(head));
        return arguments;
}

/* QEMU writes into the file behind fd; the set of descriptors that it gets has one that is for writing only,
 * as it asks for. */
static bool dump_screen(struct domain *domain, const struct domain_video *video, unsigned head, int file,
                        GError **error)
{
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", file);
        CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
        struct qmp *qmp = guest_get_monitor(guest_of(domain), error);
        json_t *answer = NULL;
        lane_deadline deadline = lane_deadline_in(QMP_TIMEOUT_MS);
        int set;
        bool ok;

        if (fd < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno,
                                       "cannot open a file for a screenshot of %s", guest_of(domain)->who);
        if (!qmp || !qmp_receive(qmp, qmp_send_fd(qmp, "add-fd", NULL, fd), deadline, &answer, error))
                return false;
        set = (int)json_integer_value(json_object_get(answer, "fdset-id"));
        json_decref(answer);
        ok = qmp_execute(qmp, "screendump", describe_screen(video, head, set), QMP_TIMEOUT_MS, NULL, error);
        qmp_forget(qmp, qmp_send(qmp, "remove-fd", json_pack("{s:i}", "fdset-id", set)));
        qmp_flush(qmp);
        return ok;
}

int input_take_screenshot(struct domain *domain, unsigned screen, const char **mime, GError **error)
{
        const struct domain_def *def = domain_state_get_def(domain_get_current(domain));
        unsigned head = 0;
        const struct domain_video *video = find_screen(def, screen, &head);
        CLEANUP_FD int fd = -1;

        if (!video) {
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "domain '%s' has no screen %u",
                          def->base.name, screen);
                return -1;
        }
        fd = memfd_create("screenshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno,
                                "cannot make a file for a screenshot of domain '%s'", def->base.name);
                return -1;
        }
        if (!dump_screen(domain, video, head, fd, error))
                return -1;
        /* Nobody changes it any more, whatever descriptors there are. */
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ||
            lseek(fd, 0, SEEK_SET) < 0) {
                error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot keep a screenshot of domain '%s'",
                                def->base.name);
                return -1;
        }
        *mime = "image/x-portable-pixmap";
        return fd_steal(&fd);
}
