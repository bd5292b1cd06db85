/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The command line of a guest: a function of its live definition, of what the emulator can do, and of what
 * start has prepared on the host. The same input gives the same command line. Any thread; it touches neither
 * the host nor the guest.
 *
 * The definition is the live one: normalised, with aliases, and with all that is chosen at start filled in
 * (ports, socket paths, firmware). No secret gets on the command line: passwords are set through the monitor
 * before the guest's CPUs run (VNC is started with password=on, SPICE with ticketing).
 */

#include "base/cleanup.h"
#include "drivers/host/cpu-features.h"
#include "drivers/qemu/device.h"

#include <glib.h>
#include <stdbool.h>

/* All borrowed. */
struct qemu_command_context {
        int monitor_fd;        /* listening unix socket that the emulator gets under this number */
        const char *home;      /* a directory of the guest's own: HOME of the emulator */
        GHashTable *resources; /* alias -> struct device_resources; NULL: none */
        const char *memory;    /* directory for memory that is to be in files; NULL: refuse that */
        const struct cpu_features *host_cpu; /* what the host's CPU has; NULL: it is not known */
        const char *dmi;       /* the host's SMBIOS strings for <smbios mode='host'/>: "/sys/class/dmi/id" */
        const char *tls_dir;   /* directory of the certificates for disks and character devices */
        const char *spice_tls; /* directory of the certificates; NULL: SPICE without TLS */
        const char *vnc_tls;   /* likewise */
        int64_t now_s;         /* seconds since the epoch, for clocks that are an offset to it */
        bool no_sandbox;       /* without -sandbox */
        bool incoming;         /* it is told later where its state comes from */
};

struct qemu_command {
        GPtrArray *argv; /* owned strings, NULL at the end; argv[0] is the emulator's path */
        GPtrArray *env;  /* owned strings "NAME=value", NULL at the end: the whole environment */
        /*
         * Array of commands for the monitor ({"execute", "arguments"}), to be sent in this order before the
         * guest's CPUs run: what has no option (links that are down, the balloon), and passwords: not for
         * logs.
         */
        json_t *setup; /* ref */
};

/* What the store of the firmware's variables is called: in the names of its nodes, among the resources. */
#define COMMAND_NVRAM_UNIT "pflash1"

/* Where a start puts what QEMU reads for <launchSecurity> ("dh_cert", "session") in the guest's folder.
 * Owned. */
char *command_protection_path(const char *home, const char *name);

/*
 * The emulator is started with -S and with -no-shutdown where the guest's definition wants to know about the
 * end. NULL with ERROR_CONFIG_UNSUPPORTED naming the first thing that is not supported, or that the emulator
 * cannot do.
 */
struct qemu_command *qemu_command_build(const struct domain_def *def, const struct qemu_caps *caps,
                                        const struct qemu_command_context *context, GError **error);
void qemu_command_free(struct qemu_command *command);

/*
 * What all sizes of memory are multiples of on that architecture, so that a guest has the memory that libvirt
 * would have given it: 1 MiB, and 256 MiB on ppc64 (the blocks of its firmware).
 */
uint64_t qemu_command_get_memory_unit_kib(const char *arch);

/* The command line as text for the guest's log, quoted for a shell. */
char *qemu_command_format(const struct qemu_command *command);

DEFINE_CLEANUP(struct qemu_command, qemu_command_free);
