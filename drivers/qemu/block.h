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
        BLOCK_REMOTE, /* on a server, or a device, that the emulator talks to itself */
        BLOCK_FAT,    /* a directory, out of which the emulator makes a FAT file system */
};

/* What the emulator is told of a server and of what is to be had there. */
struct block_remote {
        json_t *properties; /* ref; of blockdev-add: the driver and all that is its own, but for secrets */
        /* The properties that name the secrets; NULL: it needs none. */
        const char *password_key; /* "password-secret" */
        const char *cookie_key;   /* "cookie-secret" */
        bool tls;                 /* certificates tell server and client who the other one is */
};

/* One image of a chain. */
struct block_image {
        char *path;   /* owned, absolute; BLOCK_REMOTE: for messages */
        char *format; /* owned: "raw", "qcow2" ... */
        enum block_kind kind;
        unsigned index;   /* in the names of its nodes, from 1; the index= of the active definition */
        const char *unit; /* constant; in the place of the index there: "pflash1"; NULL: the index */
        /*
         * Borrowed from the definition whose chain was resolved, and good as long as that; later only whether
         * it is NULL (not encrypted) counts.
         */
        const struct domain_encryption *encryption;
        const struct domain_slice *slice; /* likewise; NULL: all of it is the image */
        uint64_t cache_bytes;             /* qcow2: for metadata at most; 0: the default */
        /*
         * Numbers of the descriptors from which the emulator reads what opens the image, what lets it in at
         * the server, and what it sends there; -1: none.
         */
        int passphrase_fd, password_fd, cookie_fd;
        struct block_remote remote; /* BLOCK_REMOTE */
        struct block_image *data; /* owned; qcow2: a raw one, where its data are; NULL: in the image itself */
};

/* Format NULL: "raw". The rest is to be filled in. */
struct block_image *block_image_new(const char *path, const char *format);
void block_image_free(struct block_image *image);

/*
 * A new image for a source on the network, "raw" if it does not say the format; who ("disk 'vda'") is for
 * messages. Nothing is asked. NULL with ERROR_CONFIG_UNSUPPORTED for what QEMU has no driver for or the
 * source lacks.
 */
struct block_image *block_image_new_remote(const char *who, const struct domain_storage *source,
                                           GError **error);
/* A unit of an iSCSI target; portal is "host:port", initiator and user may be NULL. New reference. */
json_t *block_iscsi_properties(const char *portal, const char *target, unsigned lun, const char *initiator,
                               const char *user);
/*
 * A new image of what a document says of one, but for the two below. Nothing is looked at. who says whose it
 * is, in errors ("disk 'vda'"); encryption and slice are borrowed from storage. NULL with an error.
 */
struct block_image *block_image_new_spelled(const char *who, const struct domain_storage *storage,
                                            GError **error);
/*
 * A new image for a namespace of an NVMe controller, or for a device of vhost-vdpa, which the emulator drives
 * itself. Nothing is looked at. NULL: source is another one.
 */
struct block_image *block_image_new_driven(const struct domain_storage *source);
/* The cookies of a source, as they are sent; owned. */
char *block_format_cookies(const struct domain_network_source *source);

/*
 * The chain that begins with source, top first: a new array that owns its struct block_image. Numbers its
 * images from *next_index on, which it advances, where the definition has no index. A file that is missing,
 * no file or device, unreadable or damaged, a loop, and what is not supported (encryption other than LUKS)
 * fail with a sentence that names the image and whose it is, disk being the target of the disk. Where an
 * image keeps its data elsewhere is for the definition to say (<dataStore>): the name in its header, which
 * may be its guest's, is not even read, and an image that says so without the definition fails, as does the
 * other way round. A backing file whose format nobody names is what it begins like if it leads to no further
 * file, else that fails as well, with the command that repairs it. An image on the network is not looked at:
 * the chain ends with it where the definition does not go on. source->path or source->network must not be
 * NULL.
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
        bool floppy;              /* a directory is to look like one */
        const char *reservations; /* id of the object that carries them out; NULL: none is */
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
 * A qcow2 file at path that takes what is written to the image below it: the node that opens the file, and
 * the one that the device reads and writes. New references.
 */
json_t *block_overlay_storage_node(const struct block_image *below, const char *path,
                                   const struct block_options *options);
json_t *block_overlay_node(const struct block_image *below, const struct block_options *options);
void block_overlay_node_name(const struct block_image *below, char name[BLOCK_NODE_NAME_SIZE]);

/*
 * The node between them that cuts the image out of its source. New reference; NULL: there is none, because
 * all of the source is the image, or because the format node does that itself.
 */
json_t *block_slice_node(const struct block_image *image, const struct block_options *options);

/* The id of the -object with the certificates for the image's server, which follows from its number. */
void block_tls_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE]);

/*
 * The -objects that hold the passphrase of an encrypted image, the password at its server and the cookies for
 * it, to be made before its nodes. New references; NULL: it needs none. hot: the value itself is in it, for
 * an emulator that runs and cannot inherit the descriptor.
 */
json_t *block_passphrase_object(const struct block_image *image, bool hot);
json_t *block_password_object(const struct block_image *image, bool hot);
json_t *block_cookie_object(const struct block_image *image, bool hot);
/* Their ids, which follow from the image's number. */
void block_passphrase_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE]);
void block_password_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE]);
void block_cookie_id(const struct block_image *image, char id[BLOCK_SECRET_ID_SIZE]);

/* cache="..." as QEMU's three switches. NULL and "default": write back. */
struct block_cache {
        bool direct;
        bool no_flush;
        bool write_cache;
};
struct block_cache block_cache_from_name(const char *name);

DEFINE_CLEANUP(struct block_image, block_image_free);
