/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The definition of a storage pool: its canonical XML text and a typed view of it, immutable, ref-counted,
 * any thread. What the typed view does not know stays in the document.
 */

#include "base/cleanup.h"
#include "base/managed.h"
#include "drivers/secret/secret-ref.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Bounds; more is refused by name. */
#define POOL_NAME_MAX    250 /* bytes */
#define POOL_HOSTS_MAX   64
#define POOL_DEVICES_MAX 256
#define POOL_OPTIONS_MAX 64

/* In the order of virConnectListAllStoragePoolsFlags: a type's list flag is 1 << (6 + type). */
enum pool_type {
        POOL_DIR,
        POOL_FS,
        POOL_NETFS,
        POOL_LOGICAL,
        POOL_DISK,
        POOL_ISCSI,
        POOL_SCSI,
        POOL_MPATH,
        POOL_RBD,
        POOL_SHEEPDOG,
        POOL_GLUSTER,
        POOL_ZFS,
        POOL_VSTORAGE,
        POOL_ISCSI_DIRECT,
        POOL_TYPE_COUNT,
};

const char *pool_type_get_name(enum pool_type type); /* "dir", "fs" ... */
bool pool_type_parse(const char *name, enum pool_type *type);

enum pool_type_needs {
        POOL_NEEDS_HOST = 1,
        POOL_NEEDS_DEVICE = 2,
        POOL_NEEDS_DIR = 4,
        POOL_NEEDS_ADAPTER = 8,
        POOL_NEEDS_NAME = 16,
        POOL_NEEDS_INITIATOR = 32,
        POOL_NEEDS_TARGET = 64, /* <target><path> */
        POOL_TAKES_NAME = 128,  /* the pool's name is its <source><name> unless one is given */
        POOL_NAMES_DEVICES =
                256, /* the target is a directory of names of devices; a relative one gives none */
};

/* What a type's documents look like: constant. */
struct pool_type_format {
        const char *name;
        unsigned needs;                    /* enum pool_type_needs */
        const char *const *source_formats; /* NULL-terminated; NULL: the type has no <source><format> */
        const char *default_source_format;
        const char *const *volume_formats; /* NULL-terminated; NULL: none in the capabilities */
        const char *default_volume_format;
        const char *target_prefix; /* the target is this and the source's name; NULL: as given */
};

const struct pool_type_format *pool_type_get_format(enum pool_type type);

/* Bits of a mode that are shown and can be set, as with libvirt. */
#define STORAGE_MODE_MASK 0777

/* <permissions> of a target; what is not given is -1. */
struct storage_permissions {
        int mode; /* octal in the text */
        int64_t owner;
        int64_t group;
        char *label; /* owned; NULL none */
};

struct pool_host {
        char *name;    /* owned */
        unsigned port; /* 0: none given */
};

/* <device path='..' part_separator='..'/> */
struct pool_device {
        char *path;         /* owned */
        int part_separator; /* -1 not given, 0 no, 1 yes */
};

enum pool_adapter_type {
        POOL_ADAPTER_NONE,
        POOL_ADAPTER_SCSI_HOST,
        POOL_ADAPTER_FC_HOST,
};

struct pool_adapter {
        enum pool_adapter_type type;
        char *name;           /* owned; scsi_host: "host3" */
        char *parent;         /* owned; fc_host: node device name */
        char *parent_wwnn;    /* owned */
        char *parent_wwpn;    /* owned */
        char *parent_fabric;  /* owned */
        char *wwnn, *wwpn;    /* owned; fc_host */
        int managed;          /* -1 not given */
        char *parent_address; /* owned; scsi_host by PCI address "0000:00:1f.2"; NULL none */
        unsigned unique_id;   /* with parent_address */
        bool has_unique_id;
};

enum pool_auth_type {
        POOL_AUTH_NONE,
        POOL_AUTH_CHAP,
        POOL_AUTH_CEPH,
};

struct pool_auth {
        enum pool_auth_type type;
        char *username; /* owned */
        struct secret_ref secret;
};

struct pool_option {
        char *name;  /* owned */
        char *value; /* owned; NULL: name only */
};

/* <source>. Absent strings are NULL. */
struct pool_source {
        struct pool_host *hosts; /* owned */
        unsigned n_hosts;
        struct pool_device *devices; /* owned */
        unsigned n_devices;
        char *dir;       /* owned */
        char *name;      /* owned; volume group, RBD pool, zpool */
        char *initiator; /* owned; <initiator><iqn name=''/> */
        char *vendor;    /* owned */
        char *product;   /* owned */
        char *format;   /* owned; "auto", "ext4", "nfs", "lvm2", "gpt" ...; the type's default is filled in */
        char *protocol; /* owned; <protocol ver='..'/> of nfs */
        struct pool_adapter adapter;
        struct pool_auth auth;
};

struct pool_def {
        struct definition base;
        enum pool_type type;
        struct pool_source source;
        char *path; /* owned; <target><path>, no trailing slash; NULL for rbd and the like */
        /*
         * Owned; of an active pool: the directory that its target led to when it started, by a path without
         * links. It is gone back to by this path, so that nobody who may write on the way there can lead us
         * elsewhere. NULL: not known, or not a directory. Not in the document.
         */
        char *directory;
        struct storage_permissions permissions;
        /* <fs:mount_opts> and <rbd:config_opts> */
        struct pool_option *mount_options; /* owned */
        unsigned n_mount_options;
        struct pool_option *config_options; /* owned */
        unsigned n_config_options;
        bool cow_disabled; /* <features><cow state='no'/> */
        size_t numbers;    /* offset in base.xml of the line behind </uuid>, where capacity etc. go */
};

extern const struct managed_kind storage_pool_kind;

/*
 * A definition from a text: read, checked, completed (uuid, default source format, trailing slashes), put in
 * libvirt's order. Errors: ERROR_FROM_XML or ERROR_FROM_STORAGE with element and line.
 */
struct pool_def *pool_def_parse(const char *xml, GError **error);
/* Refuses elements that the format does not know (STORAGE_POOL_VALIDATE). */
bool pool_def_validate(const char *xml, GError **error);

/* For storage_pool_kind. */
void pool_def_free(struct definition *definition);

struct pool_numbers {
        uint64_t capacity;
        uint64_t allocation;
        uint64_t available;
};

/* A new definition with other permissions of the target, and that directory; NULL: as it was. */
struct pool_def *pool_def_with_target(const struct pool_def *def,
                                      const struct storage_permissions *permissions, const char *directory,
                                      GError **error);

/* The canonical text with these numbers in it; base.xml has zeros. */
char *pool_def_format(const struct pool_def *def, const struct pool_numbers *numbers);

/*
 * Do both stand for the same storage (same target directory, same source), so that they must not be defined
 * side by side?
 */
bool pool_def_is_same_storage(const struct pool_def *a, const struct pool_def *b);

/* A <source> document as FindStoragePoolSources takes it; text "" or NULL gives an empty one. */
bool pool_source_parse(const char *xml, enum pool_type type, struct pool_source *source, GError **error);
void pool_source_clear(struct pool_source *source);

/* One <source> of the answer to FindStoragePoolSources; joined with pool_sources_format(). */
char *pool_source_format(const struct pool_source *source);
/* "<sources>...</sources>" of the texts in sources (char *). */
char *pool_sources_format(const GPtrArray *sources);

static inline struct pool_def *pool_def_of(struct definition *definition)
{
        return (struct pool_def *)definition;
}

static inline struct pool_def *pool_def_ref(struct pool_def *def)
{
        return (struct pool_def *)definition_ref(&def->base);
}

static inline void pool_def_unref(struct pool_def *def)
{
        if (def)
                definition_unref(&def->base);
}

DEFINE_CLEANUP(struct pool_def, pool_def_unref);
