/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Images and the block nodes that stand for them in QEMU. The backing chain of a disk is found out before
 * QEMU starts, from what the definition spells out and from the headers of formats that the definition names:
 * a format is never guessed. What QEMU gets is the whole chain, node by node, ended explicitly, so that it
 * opens no file that is not in the chain. Any thread that may block on storage: lanes.
 */

#include "base/cleanup.h"
#include "drivers/domain/device.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* More images in one chain are refused. */
#define BLOCK_CHAIN_MAX 200
/* Size of a node name with its terminator (QEMU allows 31 characters). */
#define BLOCK_NODE_NAME_SIZE 32
/* The same of the id of a secret. */
#define BLOCK_SECRET_ID_SIZE 64

enum block_kind {
        BLOCK_FILE,   /* a regular file */
        BLOCK_DEVICE, /* a block device of the host */
        BLOCK_CDROM,  /* a CD-ROM drive of the host */
        BLOCK_ISCSI,  /* a unit of an iSCSI target, which the emulator talks to itself */
};

struct block_iscsi {
        char *portal; /* owned; "host:port" */
        char *target; /* owned */
        unsigned lun;
        char *initiator; /* owned; NULL: the emulator's own */
        char *user;      /* owned; NULL: no authentication */
};

/* One image of a chain. */
struct block_image {
        char *path;   /* owned, absolute; BLOCK_ISCSI: for messages */
        char *format; /* owned: "raw", "qcow2" ... */
        enum block_kind kind;
        unsigned index; /* in the names of its nodes, from 1; the index= of the active definition */
        /*
         * Borrowed from the definition whose chain was resolved, and good as long as that; later only whether
         * it is NULL (not encrypted) counts.
         */
        const struct domain_encryption *encryption;
        /*
         * Numbers of the descriptors from which the emulator reads what opens the image, and what lets it in
         * at the target; -1: none.
         */
        int passphrase_fd, password_fd;
        struct block_iscsi *iscsi; /* owned; BLOCK_ISCSI */
};

/* Format NULL: "raw". The rest is to be filled in. */
struct block_image *block_image_new(const char *path, const char *format);
void block_image_free(struct block_image *image);

/*
 * The chain that begins with source, top first: a new array that owns its struct block_image. Numbers its
 * images from *next_index on, which it advances, where the definition has no index. A file that is missing,
 * no file or device, unreadable or damaged, a loop, and what is not supported (network images, encryption
 * other than LUKS, external data files) fail with a sentence that names the image and whose it is, disk being
 * the target of the disk. A backing file whose format nobody names is what it begins like if it leads to no
 * further file, else that fails as well, with the command that repairs it. source->path must not be NULL.
 */
GPtrArray *block_chain_resolve(const char *disk, const struct domain_storage *source, unsigned *next_index,
                               GError **error);

/*
 * The chain of a disk of an active definition, as the document has it; nothing is looked at. For the names of
 * what the emulator has. NULL: no medium.
 */
GPtrArray *block_chain_from_active(const struct domain_storage *source);

/* How a disk wants its nodes. Strings as in struct domain_disk, NULL: the default. */
struct block_options {
        const char *cache;
        const char *io;
        const char *discard;
        const char *detect_zeroes;
        bool readonly;
};

/*
 * Write the name of the node that gives the guest's data (format), and of the one below it that opens the
 * file.
 */
void block_format_node_name(const struct block_image *image, char name[BLOCK_NODE_NAME_SIZE]);
void block_storage_node_name(const struct block_image *image, char name[BLOCK_NODE_NAME_SIZE]);

/*
 * The arguments of blockdev-add that make the storage node and the format node of one image. backing is the
 * format node's name of the image below, NULL: none, which is then said explicitly. New references.
 */
json_t *block_storage_node(const struct block_image *image, const struct block_options *options);
json_t *block_format_node(const struct block_image *image, const char *backing,
                          const struct block_options *options);

/*
 * The -objects that hold the passphrase of an encrypted image and the password at its target, to be made
 * before its nodes. New references; NULL: it needs none. hot: the value itself is in it, for an emulator that
 * runs and cannot inherit the descriptor.
 */
json_t *block_passphrase_object(const struct block_image *image, bool hot);
json_t *block_password_object(const struct block_image *image, bool hot);
/* Their ids, which follow from the image's number. */
void block_passphrase_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE]);
void block_password_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE]);

/* cache="..." as QEMU's three switches. NULL and "default": write back. */
struct block_cache {
        bool direct;
        bool no_flush;
        bool write_cache;
};
struct block_cache block_cache_from_name(const char *name);

DEFINE_CLEANUP(struct block_image, block_image_free);
