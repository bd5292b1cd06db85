/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The configuration file, virtbusd.conf(5): one constant row per key (config_keys), which the parser, the
 * comparison of two readings and the tests of the shipped file walk. A reading is an immutable object; a
 * later one takes its place as a whole, on the loop, or not at all.
 *
 * The format is that of GLib's key files and of many others: "[group]", "key=value", comments that begin with
 * '#' or ';'. What the agent does not know is an error, so that a misspelt key is not one that does nothing.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>

struct config {
        /* const; by the rows of config_keys */
        char *qemu_user, *qemu_group;             /* owned; NULL: not given, "": none */
        char *memory_dir;                         /* owned; NULL: below the state directory */
        char *dump_dir;                           /* likewise */
        char *tls_dir;                            /* owned; NULL: the usual one */
        char *spice_tls_dir, *vnc_tls_dir;        /* owned; NULL: displays without TLS */
        char *devices;                            /* owned; of the host, that guests may open; NULL: none */
        unsigned security_driver;                 /* enum model_security */
        unsigned save_format;                     /* of guests that are saved; the number in the file */
        unsigned migration_first, migration_last; /* TCP ports for guests that come from other hosts */
        bool fine_access;                         /* PolicyKit is asked object by object */
        unsigned access_timeout;                  /* s */
        unsigned access_questions;                /* of one user, open at a time */
        bool audit_changes;                       /* calls that change something are recorded */
        bool start_networks;                      /* for guests that need them */
        bool default_network;                     /* a fresh system gets one */
        unsigned start_parallel;                  /* guests after boot; 0: all at once */
        unsigned start_delay;                     /* s */
        char *start_first;                        /* owned; names; NULL: none */
        unsigned stop_guests;                     /* enum config_stop */
        unsigned stop_parallel;                   /* 0: all at once */
        unsigned stop_timeout;                    /* s */
        unsigned stop_late;                       /* enum config_late */
        unsigned sleep_guests;                    /* enum config_sleep */
        unsigned log_level;                       /* enum log_level */
        unsigned client_calls;                    /* of one client, waiting or running */
        unsigned client_mib;                      /* of these calls, waiting */
};

enum config_stop {
        CONFIG_STOP_SHUTDOWN,
        CONFIG_STOP_LEAVE,
        CONFIG_STOP_SAVE,
};

enum config_late {
        CONFIG_LATE_DESTROY,
        CONFIG_LATE_LEAVE,
};

enum config_sleep {
        CONFIG_SLEEP_PAUSE,
        CONFIG_SLEEP_LEAVE,
};

enum config_type {
        CONFIG_SWITCH, /* bool: "true", "false" */
        CONFIG_NUMBER, /* unsigned, from low to high */
        CONFIG_CHOICE, /* unsigned: the index in choices */
        CONFIG_TEXT,   /* char * */
        CONFIG_PATH,   /* char *, absolute */
};

struct config_key {
        const char *group, *name;
        enum config_type type;
        unsigned low, high;         /* of a number */
        const char *const *choices; /* NULL-terminated */
        const char *fallback;       /* as the file would say it; NULL: nothing is said */
        size_t offset;              /* in struct config */
        bool at_once;               /* takes effect when the file is read again; else at a restart */
};

extern const struct config_key config_keys[];
extern const unsigned config_n_keys;

/*
 * Reads the file, at most 1 MiB. Errors name the file and the line: ERROR_CONF_SYNTAX. One that is not there
 * is no error unless it is required: then everything is as without it. Blocks on the disk; any thread.
 */
struct config *config_read(const char *path, bool required, GError **error);
/* The same of a text; path is for messages. */
struct config *config_parse(const char *path, const char *text, GError **error);
/* NULL is fine. */
void config_free(struct config *config);

/*
 * The keys in which later differs from earlier, of those that take effect at once or of the others: "[log]
 * level, [qemu] user"; NULL: none. Free it.
 */
char *config_list_changes(const struct config *earlier, const struct config *later, bool at_once);
/* The value as the file would say it, NULL when nothing is said. Free it. */
char *config_format(const struct config *config, const struct config_key *key);

DEFINE_CLEANUP(struct config, config_free);
