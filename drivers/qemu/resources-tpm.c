/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TPMs: swtpm is started before the emulator, on a socket that listens already. It ends by itself when the
 * emulator's connection does. Lane of the domain.
 */
#include "drivers/qemu/resources.h"

#include "base/error.h"
#include "base/store.h"
#include "drivers/qemu/device.h"
#include "drivers/qemu/guest-log.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make_state_dir(const struct guest *guest, const char *path, GError **error)
{
        const struct account *account = guest->driver->account;

        if (!store_make_dir(path, error))
                return false;
        if (!account->is_own && chown(path, account->uid, account->gid) < 0)
                return error_set_errno(error, ERROR_FROM_QEMU, errno, "cannot give '%s' to user '%s'", path,
                                       account->name);
        return true;
}

/* Of the logs' directory. */
static char *get_log_name(const struct guest *guest)
{
        return g_strconcat("swtpm-", guest->domain->base.uuid_text, NULL);
}

static char *get_state_dir(const struct guest *guest)
{
        return g_build_filename(guest->driver->tpm_dir, guest->domain->base.uuid_text, NULL);
}

char *resources_advise_tpm(const struct guest *guest)
{
        g_autofree char *name = get_log_name(guest), *state = get_state_dir(guest);

        return g_strdup_printf(" (see the log of swtpm, %s/%s.log; the TPM's state is in %s)",
                               guest->driver->log_dir, name, state);
}

/* Descriptors of the program: the listening socket, and those of struct launch. */
struct descriptors {
        int socket, log, pid;
};

static bool launch(struct resources *resources, const struct domain_tpm *tpm, const char *state,
                   const struct descriptors *fds, GError **error)
{
        struct guest *guest = resources->guest;
        g_autofree char *program = g_find_program_in_path("swtpm");
        g_autofree char *control = g_strdup_printf("type=unixio,fd=%d", fds->socket);
        g_autofree char *state_option = g_strdup_printf("dir=%s,mode=0600", state);
        g_autofree char *home = guest_get_io_dir(guest);
        g_autofree char *home_option = g_strconcat("HOME=", home, NULL);
        char *env[] = { (char *)"LC_ALL=C", (char *)"PATH=/usr/bin:/bin", home_option, NULL };
        char *argv[] = {
                program,      (char *)"socket", (char *)"--ctrl", control, (char *)"--tpmstate",
                state_option, (char *)"-t",     (char *)"--tpm2", NULL,
        };
        const struct launch what = {
                .argv = argv,
                .env = env,
                .account = guest->driver->account,
                .output_fd = fds->log,
                .pid_fd = fds->pid,
                .fds = &fds->socket,
                .n_fds = 1,
        };

        if (!program)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "the TPM of %s needs the program 'swtpm', which is not installed",
                                 guest->who);
        if (strchr(state, ','))
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "swtpm cannot keep its state in '%s', whose name has a comma", state);
        /* TPM 1.2 is what it is without an option. */
        if (g_strcmp0(tpm->version, "1.2") == 0)
                argv[7] = NULL;
        if (!launch_run(&what, &guest->tpm, error))
                return false;
        guest->status->tpm = (struct status_process){ guest->tpm.pid, guest->tpm.start_time };
        return true;
}

static bool prepare_tpm(struct resources *resources, const struct domain_tpm *tpm, GError **error)
{
        struct guest *guest = resources->guest;
        g_autofree char *socket = guest_get_io_path(guest, "swtpm.sock");
        g_autofree char *state = get_state_dir(guest);
        g_autofree char *log_name = get_log_name(guest);
        struct guest_log log = GUEST_LOG_NONE;
        CLEANUP_FD int fd = -1, pid_fd = -1;
        bool ok;

        if (tpm->pcr_banks)
                return error_set(error, ERROR_FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                 "<active_pcr_banks> of the TPM of %s is not supported", guest->who);
        if (!make_state_dir(guest, state, error))
                return false;
        fd = guest_listen(guest, socket, 0600, error);
        if (fd < 0)
                return false;
        pid_fd = guest_open_pid_file(guest, STATUS_TPM_PID_FILE, error);
        if (pid_fd < 0 || !guest_log_open(&log, guest->driver->log_dir, log_name, "swtpm", error))
                return false;
        ok = launch(resources, tpm, state, &(struct descriptors){ fd, log.fd, pid_fd }, error);
        guest_log_close(&log);
        if (ok)
                resources_get(resources, tpm->info.alias)->socket = g_steal_pointer(&socket);
        return ok;
}

bool resources_prepare_tpm(struct resources *resources, const void *device, GError **error)
{
        const struct domain_tpm *tpm = device;

        return tpm->backend != DOMAIN_TPM_EMULATOR || prepare_tpm(resources, tpm, error);
}
