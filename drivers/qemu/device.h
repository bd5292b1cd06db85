/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One device, one description: what QEMU must be told to make a device of the definition, as a list of JSON
 * objects in the order in which they are made, back ends before the device itself. The same objects go on the
 * command line, after -blockdev, -netdev, -object, -chardev, -device, and through the monitor, to
 * blockdev-add, netdev_add, object-add, chardev-add, device_add. Functions of values, any thread; no function
 * here touches the host.
 */

#include "base/cleanup.h"
#include "drivers/domain/definition.h"

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

struct qemu_caps;

/* ---- what start prepares ---- */

/* What was made ready on the host for one device; what does not concern it is empty. */
struct device_resources {
        /*
         * Descriptors that the emulator gets under these same numbers. interface: taps, one per queue;
         * character device of type unix with mode='bind': the listening socket (none: the emulator makes the
         * socket itself); file system: the connection to what serves it; vsock: the vhost-vsock device; SCSI
         * host: the vhost-scsi device.
         */
        GArray *fds;       /* owned, int */
        GArray *vhost_fds; /* owned, int; interface: vhost-net devices, as many as taps, or none */
        char *socket;      /* owned; tpm: path of swtpm's control socket */
        int out_fd;        /* character device of type file: what it writes to; 0: none */
        int log_fd;        /* character device: its log; 0: none */
        GPtrArray *chain;  /* owned, struct block_image, top first; disk with a medium */
        int overlay_fd;    /* transient disk: what it writes to, a file without a name; 0: none */
        char *path;        /* owned; SCSI device of the host: its file; memory: where files are made for it */
};

struct device_resources *device_resources_new(void);
void device_resources_free(struct device_resources *resources);

/* ---- descriptions ---- */

enum device_kind {
        DEVICE_OBJECT,
        DEVICE_BLOCKDEV,
        DEVICE_CHARDEV,
        DEVICE_NETDEV,
        DEVICE_TPMDEV, /* at start only */
        DEVICE_FSDEV,  /* the same */
        DEVICE_SERIAL, /* the same: what a port that is built in is connected to */
        DEVICE_DEVICE,
        DEVICE_COMPANION, /* made before the device that it names, and gone when that goes */
        DEVICE_FD,        /* while the guest runs only: a descriptor on its way, by name */
        DEVICE_FDSET,     /* a descriptor that stands for a path, "/dev/fdset/N" */
};

struct device_part {
        enum device_kind kind;
        json_t *arguments; /* ref; of the monitor's command, see device_part_get_command() */
        int fd;            /* borrowed from the resources; goes along with the command; -1: none */
};

struct device_list;

struct device_list *device_list_new(void);
void device_list_free(struct device_list *list);
unsigned device_list_get_length(const struct device_list *list);
const struct device_part *device_list_get(const struct device_list *list, unsigned index);

/*
 * The command of the monitor that makes the part ("device_add"), and the one that undoes it ("device_del");
 * NULL: nothing does but the end of what it belongs to.
 */
const char *device_part_get_command(const struct device_part *part);
const char *device_part_get_undo_command(const struct device_part *part);
/* The arguments of the latter; new reference. */
json_t *device_part_get_undo_arguments(const struct device_part *part);

/* Appends the part's option and its argument to argv (owned strings). */
void device_part_append_option(const struct device_part *part, GPtrArray *argv);
/* The same; a -device in QEMU's older form, "driver,key=value", where nothing in it is a list. */
void device_part_append_plain_option(const struct device_part *part, GPtrArray *argv);

/* What a description depends on besides the device itself. All borrowed. */
struct device_context {
        const struct domain_def *def; /* the definition that the device is or will be part of */
        const struct qemu_caps *caps;
        const GHashTable *resources; /* alias -> struct device_resources; NULL: none */
        /* Certificates of the emulators; NULL where nothing is made, and where nothing asks for TLS. */
        const char *tls_dir;
        /*
         * The guest runs: descriptors go to it one by one and are called by a name, secrets go as values (the
         * list is not for logs), and what devices share (throttle groups) is there already when another
         * device of def has it. Otherwise the emulator inherits descriptors under the same numbers.
         */
        bool hot;
};

/*
 * Each appends what makes the device to list. False with an error when the device asks for something that is
 * not supported or that the emulator does not have (ERROR_CONFIG_UNSUPPORTED, naming it); what was appended
 * before stays in list.
 */
bool device_describe_controller(struct device_list *list, const struct device_context *context,
                                const void *controller, GError **error);
bool device_describe_disk(struct device_list *list, const struct device_context *context, const void *disk,
                          GError **error);
bool device_describe_filesystem(struct device_list *list, const struct device_context *context,
                                const void *fs, GError **error);
bool device_describe_interface(struct device_list *list, const struct device_context *context,
                               const void *interface, GError **error);
bool device_describe_char(struct device_list *list, const struct device_context *context, const void *chr,
                          GError **error);
bool device_describe_input(struct device_list *list, const struct device_context *context, const void *input,
                           GError **error);
bool device_describe_video(struct device_list *list, const struct device_context *context, const void *video,
                           GError **error);
bool device_describe_sound(struct device_list *list, const struct device_context *context, const void *sound,
                           GError **error);
bool device_describe_rng(struct device_list *list, const struct device_context *context, const void *rng,
                         GError **error);
bool device_describe_memballoon(struct device_list *list, const struct device_context *context,
                                const void *balloon, GError **error);
bool device_describe_watchdog(struct device_list *list, const struct device_context *context,
                              const void *watchdog, GError **error);
bool device_describe_panic(struct device_list *list, const struct device_context *context, const void *panic,
                           GError **error);
bool device_describe_tpm(struct device_list *list, const struct device_context *context, const void *tpm,
                         GError **error);
bool device_describe_vsock(struct device_list *list, const struct device_context *context, const void *vsock,
                           GError **error);
bool device_describe_hostdev(struct device_list *list, const struct device_context *context,
                             const void *hostdev, GError **error);
bool device_describe_redirdev(struct device_list *list, const struct device_context *context,
                              const void *redirdev, GError **error);
bool device_describe_smartcard(struct device_list *list, const struct device_context *context,
                               const void *smartcard, GError **error);
bool device_describe_hub(struct device_list *list, const struct device_context *context, const void *hub,
                         GError **error);
bool device_describe_shmem(struct device_list *list, const struct device_context *context, const void *shmem,
                           GError **error);
bool device_describe_iommu(struct device_list *list, const struct device_context *context, const void *iommu,
                           GError **error);

bool device_describe_memory(struct device_list *list, const struct device_context *context,
                            const void *memory, GError **error);
bool device_describe_pstore(struct device_list *list, const struct device_context *context,
                            const void *pstore, GError **error);
bool device_describe_crypto(struct device_list *list, const struct device_context *context,
                            const void *crypto, GError **error);
/* The IOMMU of model 'amd', if there is one: its own PCI device takes the first place that nobody has. */
bool device_describe_amd_iommu(struct device_list *list, const struct device_context *context,
                               GError **error);
bool device_describe_nvram(struct device_list *list, const struct device_context *context, const void *nvram,
                           GError **error);

/*
 * A loop of QEMU's, which is no device: the object that makes it, or sets the main one ("main-loop"). The
 * numbers of a pool are properties of QEMU 7.1 and later. The caller owns the object.
 */
json_t *device_loop(const char *type, const char *id, const struct domain_thread_pool *pool);
/* Likewise an I/O thread, as its element sets it. */
json_t *device_iothread(const struct domain_iothread *thread);

DEFINE_CLEANUP(struct device_list, device_list_free);
DEFINE_CLEANUP(struct device_resources, device_resources_free);
