/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The key that values of secrets are encrypted with on the disk: AES-256-GCM by OpenSSL's libcrypto. It is
 * made at the first start and kept in the directory of the secrets: sealed by systemd-creds(1) as "key.cred"
 * where the host runs systemd and the agent is root (by the host's TPM, or its own key outside of our
 * folders), else as it is, as "key", mode 0600. Immutable once made; any thread.
 */

#include "base/cleanup.h"

#include <glib.h>
#include <stdbool.h>

struct secret_key;

/*
 * Start-up; waits for systemd-creds, which takes some tens of milliseconds, so long at most: it asks a TPM,
 * which may not answer. Makes the key when directory has none. An error names the file: one that is there and
 * cannot be read, is somebody else's, or cannot be unsealed on this host. No other key is made then, because
 * what is encrypted would be lost.
 */
struct secret_key *secret_key_open(const char *directory, unsigned creds_ms, GError **error);
/* NULL is fine. */
void secret_key_free(struct secret_key *key);

/*
 * value as text of one line; name (of the secret) is not in it, but has to be the same when it is opened. To
 * be freed.
 */
char *secret_key_seal(const struct secret_key *key, const char *name, GBytes *value, GError **error);
/* NULL with ERROR_FROM_SECRET: it is damaged, of another key, or of another name. */
GBytes *secret_key_unseal(const struct secret_key *key, const char *name, const char *text, GError **error);

/* Is the file a regular one that is ours alone (owner, mode)? Errors say what it is. A file that is not there
 * is. */
bool secret_file_check(const char *path, GError **error);

DEFINE_CLEANUP(struct secret_key, secret_key_free);
