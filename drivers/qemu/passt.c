/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes of passt that a guest has. No state but the guest's; lane of the domain.
 */
#include "drivers/qemu/passt.h"

#include "base/error.h"
#include "base/log.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/guest-log.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/resources.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* It reads routes and binds ports. */
#define START_MS 10000

/* ---- options ---- */

static void add(GPtrArray *argv, const char *option, const char *value)
{
        g_ptr_array_add(argv, g_strdup(option));
        if (value)
                g_ptr_array_add(argv, g_strdup(value));
}

static void append_range(GString *spec, const struct domain_port_range *range)
{
        unsigned end = MAX(range->end, range->start);

        g_string_append_printf(spec, "%s%u", range->exclude == DOMAIN_SWITCH_ON ? "~" : "",
                               (unsigned)range->start);
        if (end > range->start)
                g_string_append_printf(spec, "-%u", end);
        if (range->to && range->exclude != DOMAIN_SWITCH_ON)
                g_string_append_printf(spec, ":%u", (unsigned)range->to);
        if (range->to && range->exclude != DOMAIN_SWITCH_ON && end > range->start)
                g_string_append_printf(spec, "-%u", range->to + (end - range->start));
}

static bool check_forward(const struct domain_port_forward *forward, GError **error)
{
        struct in6_addr address;

        if (forward->address && inet_pton(AF_INET, forward->address, &address) != 1 &&
            inet_pton(AF_INET6, forward->address, &address) != 1) {
                g_autofree char *quoted = error_quote(forward->address);

                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<portForward> of address '%s', which is none of IPv4 or IPv6", quoted);
        }
        return !forward->dev || !strpbrk(forward->dev, "/,%") ||
               error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "<portForward> of device '%s', whose name passt cannot be told", forward->dev);
}

bool passt_add_forwards(GPtrArray *argv, const struct domain_interface *interface, GError **error)
{
        for (unsigned i = 0; i < interface->n_forwards; i++) {
                const struct domain_port_forward *forward = &interface->forwards[i];
                g_autoptr(GString) spec = g_string_new(forward->address);

                if (!check_forward(forward, error))
                        return false;
                /* Not all versions take a device without an address. */
                if (forward->dev && !forward->address)
                        g_string_append(spec, "0.0.0.0");
                if (forward->dev)
                        g_string_append_printf(spec, "%%%s", forward->dev);
                if (spec->len > 0)
                        g_string_append_c(spec, '/');
                for (unsigned j = 0; j < forward->n_ranges; j++) {
                        if (j > 0)
                                g_string_append_c(spec, ',');
                        append_range(spec, &forward->ranges[j]);
                }
                if (forward->n_ranges == 0)
                        g_string_append(spec, "all");
                add(argv, strcmp(forward->proto, "udp") == 0 ? "--udp-ports" : "--tcp-ports", spec->str);
        }
        return true;
}

static void add_addresses(GPtrArray *argv, const struct domain_interface *interface)
{
        for (unsigned i = 0; i < interface->n_ips; i++) {
                const struct domain_ip *ip = &interface->ips[i];
                g_autofree char *prefix = g_strdup_printf("%u", (unsigned)ip->prefix);

                add(argv, "--address", ip->address);
                /* It knows the sizes of networks of IPv4 only. */
                if (ip->prefix && !strchr(ip->address, ':'))
                        add(argv, "--netmask", prefix);
        }
}

/* Descriptors that the two sides share. */
struct ends {
        int socket;  /* of passt */
        char *ready; /* owned; a FIFO, where it writes its pid once it has all that it needs */
        char *dir;   /* owned; of that */
        int ready_fd;
};

/* How the guest is called is for later versions than the first that served emulators. */
static void add_names(GPtrArray *argv, const struct domain_passt *passt)
{
        if (passt->log_file)
                add(argv, "--log-file", passt->log_file);
        if (passt->host_name)
                add(argv, "--hostname", passt->host_name);
        if (passt->fqdn)
                add(argv, "--fqdn", passt->fqdn);
}

static GPtrArray *make_command(const struct account *account, const struct domain_interface *interface,
                               const struct ends *ends, GError **error)
{
        g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *program = g_find_program_in_path("passt"), *fd = g_strdup_printf("%d", ends->socket);

        if (!program) {
                error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                          "interface '%s' needs the program 'passt', which is not installed",
                          interface->info.alias);
                return NULL;
        }
        add(argv, program, NULL);
        add(argv, "--foreground", NULL);
        add(argv, "--fd", fd);
        add(argv, "--pid", ends->ready);
        /* It would become nobody, for which it has no right left. */
        if (account->uid == 0)
                add(argv, "--runas", "0:0");
        if (interface->source)
                add(argv, "--interface", interface->source);
        if (interface->passt)
                add_names(argv, interface->passt);
        add_addresses(argv, interface);
        if (!passt_add_forwards(argv, interface, error))
                return NULL;
        g_ptr_array_add(argv, NULL);
        return g_steal_pointer(&argv);
}

/* ---- its start ---- */

static void ends_clear(struct ends *ends)
{
        if (ends->socket >= 0)
                close(ends->socket);
        if (ends->ready_fd >= 0)
                close(ends->ready_fd);
        if (ends->ready)
                unlink(ends->ready);
        if (ends->dir)
                rmdir(ends->dir);
        g_free(ends->ready);
        g_free(ends->dir);
}

/*
 * In a directory that is the agent's alone, because the FIFO changes hands; below /tmp, because that is where
 * passt's AppArmor profile lets it write.
 */
static bool make_ready(const struct account *account, struct ends *ends, GError **error)
{
        g_autofree char *dir = g_build_filename(g_get_tmp_dir(), "virtbus-passt-XXXXXX", NULL);

        if (!g_mkdtemp(dir))
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make a directory in '%s'",
                                       g_get_tmp_dir());
        ends->dir = g_steal_pointer(&dir);
        ends->ready = g_build_filename(ends->dir, "ready", NULL);
        if (chmod(ends->dir, account->is_own ? 0700 : 0711) < 0 || mkfifo(ends->ready, 0600) < 0 ||
            (!account->is_own && lchown(ends->ready, account->uid, account->gid) < 0))
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot make '%s'", ends->ready);
        ends->ready_fd = open(ends->ready, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        return ends->ready_fd >= 0 ||
               error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot open '%s'", ends->ready);
}

static bool run(struct resources *resources, const struct domain_interface *interface,
                const struct ends *ends, int log_fd, struct process *process, GError **error)
{
        g_autoptr(GPtrArray) argv = make_command(resources->guest->account, interface, ends, error);

        return argv && helper_run(resources->guest, argv, ends->socket, log_fd, process, error);
}

static bool poll_both(int epoll, const struct process *process, const struct ends *ends)
{
        struct epoll_event event = { .events = EPOLLIN };

        return epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, process->pidfd, &event) == 0 &&
               epoll_ctl(epoll, EPOLL_CTL_ADD, ends->ready_fd, &event) == 0;
}

/* Says why it ended; how it is to be called, which it says to those who call it otherwise, is long. */
static bool refuse(const struct resources *resources, const struct domain_interface *interface,
                   const struct guest_log *log, GError **error)
{
        const char *who = resources->guest->who, *alias = interface->info.alias;
        const struct domain_passt *passt = interface->passt;
        g_autofree char *tail = guest_log_read_tail(log), *head = guest_log_read_head(log);

        if (passt && (passt->host_name || passt->fqdn) && strstr(head, "unrecognized option"))
                return error_set(
                        error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "hostname and fqdn of the <backend> of interface '%s' of %s need a later version "
                        "of passt than this host's: %s",
                        alias, who, head);
        g_strdelimit(tail, "\n", ' ');
        return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_FAILED,
                         "passt of interface '%s' of %s ended while it started: %s", alias, who,
                         *tail ? tail : "it gave no reason");
}

/* Until it is ready, or has ended. */
static bool wait_for(const struct resources *resources, const struct domain_interface *interface,
                     const struct process *process, const struct ends *ends, const struct guest_log *log,
                     GError **error)
{
        const struct guest *guest = resources->guest;
        CLEANUP_FD int epoll = epoll_create1(EPOLL_CLOEXEC);
        char text[32];

        if (!poll_both(epoll, process, ends))
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot wait for passt of %s",
                                       guest->who);
        switch (lane_wait(guest->domain->base.lane, epoll, POLLIN, NULL, lane_deadline_in(START_MS))) {
        case LANE_READY:
                break;
        case LANE_TIMEOUT:
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                 "passt of interface '%s' of %s does not get ready", interface->info.alias,
                                 guest->who);
        default:
                return error_set(error, ERROR_FROM_QEMU, ERROR_OPERATION_ABORTED,
                                 "passt of interface '%s' of %s is not waited for", interface->info.alias,
                                 guest->who);
        }
        return read(ends->ready_fd, text, sizeof(text)) > 0 || refuse(resources, interface, log, error);
}

static bool start_logged(struct resources *resources, const struct domain_interface *interface,
                         const struct ends *ends, const struct guest_log *log, GError **error)
{
        struct guest *guest = resources->guest;
        struct process process;
        struct helper *helper;

        if (!run(resources, interface, ends, log->fd, &process, error))
                return false;
        helper = helper_add(guest, "passt", interface->info.alias, &process);
        return wait_for(resources, interface, &process, ends, log, error) && helper_watch(helper, error);
}

static bool start(struct resources *resources, const struct domain_interface *interface, struct ends *ends,
                  GError **error)
{
        struct guest *guest = resources->guest;
        g_autofree char *name =
                g_strdup_printf("passt-%s-%s", guest->domain->base.uuid_text, interface->info.alias);
        struct guest_log log = GUEST_LOG_NONE;
        bool ok;

        if (!make_ready(guest->account, ends, error) ||
            !guest_log_open(&log, guest->driver->log_dir, name, "passt", error))
                return false;
        ok = start_logged(resources, interface, ends, &log, error);
        guest_log_close(&log);
        return ok;
}

bool passt_start(struct resources *resources, const struct domain_interface *interface, GError **error)
{
        struct device_resources *device = resources_get(resources, interface->info.alias);
        struct ends ends = { .socket = -1, .ready_fd = -1 };
        int emulators;
        bool ok;

        if (!helper_make_sockets(resources->guest, interface->info.alias, &ends.socket, &emulators, error))
                return false;
        resources_add_fd(resources, emulators);
        device->fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_array_append_val(device->fds, emulators);
        ok = start(resources, interface, &ends, error);
        ends_clear(&ends);
        return ok;
}
