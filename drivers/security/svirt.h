/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What SELinux has for guests: contexts of the policy for their emulators and their files, a pair of
 * categories for each, and what the policy says of it. libselinux is at home here; a build without it has
 * functions that say no. Any thread, where nothing else is said.
 */

#include "base/cleanup.h"
#include "drivers/security/context.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define SVIRT_MODEL "selinux"
/* Where a process says in which context its next program runs. */
#define SVIRT_EXEC_FILE "/proc/self/attr/exec"

struct svirt {
        /* const */
        char *own;      /* owned; the agent's context */
        char *domain;   /* owned; for emulators that run by KVM */
        char *emulated; /* owned; for those that translate, and so write what they execute */
        char *image;    /* owned; of what guests may write, the same for several guests without categories */
        char *content;  /* owned; of what guests read only */
        char *sensitivity; /* owned; of the agent */
        struct categories categories;
        struct {
                unsigned process, file, process2;                /* classes; 0: the policy has none of it */
                unsigned transition, entrypoint, nnp_transition; /* permissions, likewise */
        } policy;
        /* atomic */
        struct category_claims claims;
};

/* Does the kernel have it enabled, was the agent built with it, and is the agent root? */
bool svirt_is_enabled(void);
/*
 * What the policy of this host has for guests. Errors: it has nothing (files of the policy that are missing,
 * an agent without categories). On the main thread, before there are others.
 */
struct svirt *svirt_new(GError **error);
/* NULL is fine. */
void svirt_free(struct svirt *svirt);

DEFINE_CLEANUP(struct svirt, svirt_free);

/*
 * A new label: the type of base (NULL: of the policy's context for such emulators), a pair that no guest has,
 * which is the caller's to give back. Owned. Errors: a base that is no context, no pair is left.
 */
char *svirt_make_label(struct svirt *svirt, const char *base, bool emulated, struct category_pair *pair,
                       GError **error);
/* What the files of a guest with that label are labelled with; owned. NULL: label is no context. */
char *svirt_make_image_label(const struct svirt *svirt, const char *label);

/* Errors: ERROR_CONFIG_UNSUPPORTED, the policy does not know it. */
bool svirt_check_label(const char *label, GError **error);
/*
 * May the agent run the program in that context, without new privileges? What the kernel would say as a bare
 * EPERM or EACCES. Errors: ERROR_CONFIG_UNSUPPORTED, which names what the policy has not.
 */
bool svirt_check_start(const struct svirt *svirt, const char *label, const char *program, GError **error);

/* Does the kernel refuse what the policy forbids, rather than only log it? */
bool svirt_is_enforcing(void);

/*
 * Sockets that this thread makes from here on are that label's, which another process is to have; NULL: the
 * agent's own, again. Errors: the policy does not let us.
 */
bool svirt_set_socket_label(const char *label, GError **error);

/* What the policy has for files of that name and mode; owned, NULL: nothing. Reads files. */
char *svirt_find_default(const char *path, mode_t mode);

/* The pair of a label, if it has just one. */
bool svirt_read_pair(const char *label, struct category_pair *pair);
