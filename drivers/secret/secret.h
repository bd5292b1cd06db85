/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The secret model: passphrases, keys and passwords that pools, volumes and guests need, kept apart from the
 * documents that name them. Functions are called on the loop. Those that read answer at once from the
 * published state; those that change something take a done function, called on the loop exactly once, after
 * the change is on disk, published and announced. Flags are those of the libvirt API function of the same
 * name.
 *
 * A persistent secret is two files in the state directory, <uuid>.xml and, once it has a value,
 * <uuid>.base64, both of mode 0600; an ephemeral one lives in memory and ends with the agent. Values are
 * overwritten when the last reference to them goes, and are in no message, log or event.
 */

#include "base/registry.h"
#include "drivers/secret/secret-def.h"

struct loop;
struct pool;
struct secrets;

/* Longest value in bytes (VIR_SECRET_VALUE_MAX). */
#define SECRET_VALUE_MAX 65536

/* virSecretEventLifecycleType; the detail is 0. */
enum secret_event_type {
        SECRET_EVENT_DEFINED = 0,
        SECRET_EVENT_UNDEFINED = 1,
};

/* The id (managed_event.id) of the event that a secret has a new value. */
#define SECRET_EVENT_VALUE_CHANGED 1

/* An ephemeral secret is one with an active definition only, a persistent one has a persistent one only. */
struct secret_state {
        struct managed_state base;
        GBytes *value; /* ref; NULL: it has none yet */
};

struct secret {
        struct managed base;
        struct secrets *secrets; /* borrowed; const */
};

extern const struct managed_kind secret_kind;

/* ---- the connection's secrets ---- */

/* state_dir NULL: nothing is stored. */
struct secrets *secrets_new(struct loop *loop, struct pool *pool, const char *state_dir);
/* When registry_get_pending() is 0. */
void secrets_free(struct secrets *secrets);
/* Start-up, before the lanes run: definitions and values; what cannot be read is logged and left out. */
bool secrets_load(struct secrets *secrets, GError **error);
struct registry *secrets_get_registry(const struct secrets *secrets);

/* ---- lookups and lists; borrowed results ---- */

struct secret *secret_lookup_uuid(struct secrets *secrets, const char *uuid, GError **error);
/* usage_type: enum secret_usage, from a client. Fails with ERROR_NO_SECRET. */
struct secret *secret_lookup_usage(struct secrets *secrets, int usage_type, const char *usage_id,
                                   GError **error);

/* virConnectListAllSecretsFlags */
enum secret_list_flags {
        SECRET_LIST_EPHEMERAL = 1,
        SECRET_LIST_NO_EPHEMERAL = 2,
        SECRET_LIST_PRIVATE = 4,
        SECRET_LIST_NO_PRIVATE = 8,
};

/* Borrowed elements, free the array; NULL with an error for unknown flags. */
GPtrArray *secret_list(struct secrets *secrets, unsigned flags, GError **error);

/* ---- reads ---- */

/* Borrowed from the published state. */
const struct secret_def *secret_get_def(const struct secret *secret);
/* Borrowed text, never the value. flags: none. */
const char *secret_get_xml(const struct secret *secret, unsigned flags, GError **error);
/*
 * For a client. Borrowed from the published state. Fails with ERROR_INVALID_SECRET when the secret is
 * private, ERROR_NO_SECRET when it has no value. flags: none.
 */
GBytes *secret_get_value(const struct secret *secret, unsigned flags, GError **error);

/* ---- changes ---- */

enum secret_define_flags {
        SECRET_DEFINE_VALIDATE = 1,
};

/*
 * A document with the uuid of a secret replaces its definition and keeps its value. What it is for cannot be
 * changed, and what is private stays private.
 */
void secret_define_xml(struct secrets *secrets, const char *xml, unsigned flags, managed_done done,
                       void *data);
/* value: SECRET_VALUE_MAX bytes at most, any bytes; copied. flags: none. */
void secret_set_value(struct secret *secret, const void *value, size_t length, unsigned flags,
                      managed_done done, void *data);
/* Definition and value are gone then. */
void secret_undefine(struct secret *secret, managed_done done, void *data);

/* ---- what other objects take of them ---- */

/*
 * The value that ref, in the document of another object, names; a reference. Private ones, too. Fails with
 * ERROR_NO_SECRET when there is no such secret or it has no value, ERROR_INVALID_SECRET when it is for
 * something else.
 */
GBytes *secret_find_value(struct secrets *secrets, const struct secret_ref *ref, GError **error);

/*
 * A file without a name with the value in it, which nobody can change any more: for programs that read it
 * through a descriptor of their own or /proc/<pid>/fd/<n>. It stands at the beginning. O_CLOEXEC; -1 with an
 * error. Any thread.
 */
int secret_value_to_fd(GBytes *value, GError **error);
