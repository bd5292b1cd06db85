/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The user that emulators run as. Immutable once made, ref-counted, any thread. */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct account {
        /* atomic */
        gint refs;
        /* const */
        char *name; /* owned; for messages */
        uid_t uid;
        gid_t gid;
        gid_t *groups; /* owned; supplementary groups, gid included */
        unsigned n_groups;
        bool is_own; /* the agent's own user: nothing is switched, nobody's files change hands */
};

/*
 * user and group by name; group NULL: the user's own. An agent that is not root runs emulators as itself and
 * must be given NULL or its own user. Errors: ERROR_CONFIG_UNSUPPORTED naming the user or group that does not
 * exist.
 */
const struct account *account_new(const char *user, const char *group, GError **error);
/*
 * By a label of the security model "dac": "user:group", "+64055:+108" (numbers), "1000:100" (names if there
 * are such, else numbers), or a user alone. like: what is meant by a label that says the same. Errors: as
 * above, and a label that is none.
 */
const struct account *account_new_label(const char *label, const struct account *like, GError **error);
const struct account *account_ref(const struct account *account);
/* NULL is fine. */
void account_unref(const struct account *account);

/*
 * May it open a file of this owner and mode for reading, and for writing if write? Says nothing about the
 * directories above.
 */
bool account_may_open(const struct account *account, uid_t uid, gid_t gid, mode_t mode, bool write);

/* As a label of the security model "dac": "+64055:+108". Free it. */
char *account_format_label(const struct account *account);

DEFINE_CLEANUP(const struct account, account_unref);
