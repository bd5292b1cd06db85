/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How other objects name a secret: the <secret> element in the authentication of a pool, the encryption of a
 * volume or a disk. Any thread.
 */

#include <stdbool.h>

/* virSecretUsageType: what a secret is for. */
enum secret_usage {
        SECRET_USAGE_NONE = 0,
        SECRET_USAGE_VOLUME = 1, /* the passphrase of a volume */
        SECRET_USAGE_CEPH = 2,   /* the key of a Ceph user */
        SECRET_USAGE_ISCSI = 3,  /* the CHAP password at an iSCSI target */
        SECRET_USAGE_TLS = 4,    /* the passphrase of a TLS key */
        SECRET_USAGE_VTPM = 5,   /* the passphrase of the state of a TPM */
        SECRET_USAGE_COUNT,
};

const char *secret_usage_get_name(enum secret_usage usage); /* "none", "volume" ... */

/* All zero: no secret is named. */
struct secret_ref {
        enum secret_usage usage_type; /* what the secret has to be for */
        char *uuid;                   /* owned; NULL: by usage */
        char *usage;                  /* owned; NULL: by uuid */
};

static inline bool secret_ref_is_given(const struct secret_ref *ref)
{
        return ref->uuid || ref->usage;
}

/* to is overwritten. */
void secret_ref_copy(struct secret_ref *to, const struct secret_ref *from);
void secret_ref_clear(struct secret_ref *ref);
bool secret_ref_equal(const struct secret_ref *a, const struct secret_ref *b);
