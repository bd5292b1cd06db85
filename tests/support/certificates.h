/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Certificates for tests with TLS: an authority, and what it says of the server "localhost" and of a client,
 * in the files that QEMU looks for.
 */

#include "tests/support/harness.h"

/* Makes them with openssl(1), readable for everybody; the folder, which is the caller's. */
char *certificates_make(struct harness *harness);
/* The same of a host of that name; once more: by the authority that is there. */
char *certificates_make_for(struct harness *harness, const char *host);

/* Starts the agent again with key=folder in its configuration; once for a harness. */
void certificates_set(struct harness *harness, const char *key, const char *folder);
