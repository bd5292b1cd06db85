/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Volumes: immutable, ref-counted descriptions, and the immutable set of them that a pool publishes. Any
 * thread. A description is made by a backend (volume_new(), filled in, never changed once it is in a set);
 * its XML text is made when it is asked for, as volumes are many and rarely described.
 */

#include "base/cleanup.h"
#include "base/object-set.h"
#include "base/uuid.h"
#include "drivers/storage/pool-def.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Bounds. */
#define VOLUME_NAME_MAX  250                   /* bytes */
#define VOLUME_BYTES_MAX ((uint64_t)INT64_MAX) /* capacity; files cannot be larger */

/* virStorageVolType */
enum volume_type {
        VOLUME_FILE = 0,
        VOLUME_BLOCK = 1,
        VOLUME_DIR = 2,
        VOLUME_NETWORK = 3,
        VOLUME_NETDIR = 4,
        VOLUME_PLOOP = 5,
};

const char *volume_type_get_name(enum volume_type type);

/* What is in a volume. Formats of partitions and logical volumes are kept by name (format_name). */
enum volume_format {
        VOLUME_FORMAT_NONE, /* no <format> */
        VOLUME_FORMAT_RAW,
        VOLUME_FORMAT_DIR,
        VOLUME_FORMAT_BOCHS,
        VOLUME_FORMAT_CLOOP,
        VOLUME_FORMAT_DMG,
        VOLUME_FORMAT_ISO,
        VOLUME_FORMAT_VPC,
        VOLUME_FORMAT_VDI,
        VOLUME_FORMAT_FAT,
        VOLUME_FORMAT_VHD,
        VOLUME_FORMAT_PLOOP,
        VOLUME_FORMAT_COW,
        VOLUME_FORMAT_QCOW,
        VOLUME_FORMAT_QCOW2,
        VOLUME_FORMAT_QED,
        VOLUME_FORMAT_VMDK,
        VOLUME_FORMAT_VHDX,
        VOLUME_FORMAT_LUKS,
        VOLUME_FORMAT_UNKNOWN, /* "unknown" */
        VOLUME_FORMAT_COUNT,
};

const char *volume_format_get_name(enum volume_format format); /* NULL for NONE */
/* VOLUME_FORMAT_NONE for a name that is none. */
enum volume_format volume_format_parse(const char *name);

struct volume_time {
        int64_t seconds;
        uint32_t nanoseconds;
};

/* <encryption format='luks'> */
struct volume_encryption {
        char *format; /* owned; NULL: not encrypted; "luks", "qcow", "default" */
        struct secret_ref secret;
        /* of a new one; absent are NULL and 0 */
        char *cipher_name, *cipher_mode, *cipher_hash; /* owned */
        unsigned cipher_size;
        char *ivgen_name, *ivgen_hash; /* owned */
};

struct volume_backing {
        char *path; /* owned; NULL: no backing store */
        enum volume_format format;
        bool guessed; /* the image does not say the format: raw, as long as nobody has looked */
        struct storage_permissions permissions; /* of the backing file, as far as known */
};

/* <source><device path=''><extent start='' end=''/></device></source> of partitions and logical volumes */
struct volume_extent {
        char *path; /* owned; device */
        uint64_t start, end;
};

struct volume {
        /* atomic */
        gint refs;
        /* const once in a set */
        char *name; /* owned; unique in the pool */
        char *key;  /* owned; unique on the host */
        char *path; /* owned; may be NULL (rbd has "pool/image") */
        enum volume_type type;
        enum volume_format format;
        char *format_name; /* owned; overrides format in the text: "linux", "extended" of partitions; else
                              NULL */
        uint64_t capacity;
        uint64_t allocation;
        uint64_t physical; /* 0: not shown */
        struct storage_permissions permissions;
        struct volume_time atime, mtime, ctime, btime; /* seconds 0: not shown */
        struct volume_backing backing;
        struct volume_encryption encryption;
        char *compat;        /* owned; "0.10", "1.1" of qcow2, else NULL */
        bool lazy_refcounts; /* qcow2 features */
        bool extended_l2;
        bool nocow;
        uint64_t cluster_size;         /* 0: not shown */
        bool sparse;                   /* of a raw file: fewer blocks than bytes */
        char *part_type;               /* owned; "primary", "logical", "extended" of partitions, else NULL */
        struct volume_extent *extents; /* owned */
        unsigned n_extents;
        /* what the file was when it was read, for the cache */
        uint64_t device, inode;
};

/* One reference, everything else zero and NULL, permissions -1. */
struct volume *volume_new(void);
struct volume *volume_ref(struct volume *volume);
void volume_unref(struct volume *volume); /* NULL is fine */
/* A deep copy to be changed. */
struct volume *volume_copy(const struct volume *volume);
/* Is there any difference a client could see? */
bool volume_equal(const struct volume *a, const struct volume *b);

/*
 * What opens an encrypted volume: the secret it was made with, when that is known, else the one whose usage
 * is its path. ref is overwritten.
 */
void volume_copy_secret_ref(const struct volume *volume, struct secret_ref *ref);

/* Canonical text in libvirt's order. */
char *volume_format_xml(const struct volume *volume);

/* What a client's description says. */
struct volume_given {
        bool capacity;
        bool allocation; /* else it equals capacity */
};

/*
 * A new volume as a client describes it: name checked (volume_check_name()), sizes bounded; key and path are
 * not read. An element that it does not know is refused. Errors: ERROR_FROM_XML, ERROR_FROM_STORAGE.
 */
struct volume *volume_parse(const char *xml, enum pool_type type, struct volume_given *given, GError **error);
/* Refuses elements that the format does not know as an invalid document (VOLUME_CREATE_VALIDATE). */
bool volume_validate(const char *xml, GError **error);

/*
 * No empty or blank name, no '/', not "." or "..", no control characters, valid UTF-8, at most
 * VOLUME_NAME_MAX bytes, not hidden as our temporary files are.
 */
bool volume_check_name(const char *name, GError **error);

/* ---- sets ---- */

/* What volumes are found by on a whole connection. */
enum volume_key {
        VOLUME_KEY,
        VOLUME_PATH,
        VOLUME_KEY_COUNT,
};

/* Of sets of volumes: by name, key and path. */
extern const struct object_set_kind volume_set_kind;

DEFINE_CLEANUP(struct volume, volume_unref);
