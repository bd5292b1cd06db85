/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the command line says; the configuration file is read by config.h. Main thread, at start. */

#include <glib.h>
#include <stdbool.h>

struct options {
        bool system; /* the system bus; else the session bus */
        bool show_version;
        bool bridge;      /* only a connection to the bus (bridge.h) */
        char *bridge_to;  /* owned; to that socket instead; NULL: to the bus */
        bool import;      /* libvirt's files are taken over, and that is all */
        char *import_dir; /* owned; NULL: the usual one */
        bool verbose;
        int threads;                                         /* worker slots */
        char *state_dir, *runtime_dir, *log_dir, *cache_dir; /* owned, absolute */
        char *data_dir;                                      /* owned; what comes with the agent */
        char *config_file;                                   /* owned */
        bool config_required;                                /* it was named on the command line */
};

bool options_read(struct options *options, int argc, char **argv, GError **error);
void options_clear(struct options *options);
