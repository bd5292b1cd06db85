/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the command line and the configuration file say. Main thread, at start. */

#include <glib.h>
#include <stdbool.h>

/* Whom guests run as unless the configuration file says otherwise; see packaging/systemd/sysusers.conf. */
#define OPTIONS_QEMU_USER "virtbus-qemu"

struct options {
        bool system; /* the system bus; else the session bus */
        bool show_version;
        bool verbose;
        int threads;                                         /* worker slots */
        char *state_dir, *runtime_dir, *log_dir, *cache_dir; /* owned, absolute */
        char *data_dir;                                      /* owned; what comes with the agent */
        char *config_file;                                   /* owned */
        char *qemu_user, *qemu_group;                        /* owned; NULL: guests run as the agent's user */
        bool root_guests;                                    /* the file asks for that ("user=") */
        char *memory_dir;                                    /* owned; NULL: below state_dir */
        bool start_networks;                                 /* for guests that need them */
        bool fine_access;                                    /* PolicyKit is asked object by object */
        bool default_network;                                /* a fresh system gets one */
};

/* Defaults, the configuration file, then the command line, which wins. */
bool options_read(struct options *options, int argc, char **argv, GError **error);
void options_clear(struct options *options);
