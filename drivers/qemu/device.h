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
         * socket itself); vsock: the vhost-vsock device.
         */
        GArray *fds;       /* owned, int */
        GArray *vhost_fds; /* owned, int; interface: vhost-net devices, as many as taps, or none */
        char *socket;      /* owned; tpm: path of swtpm's control socket */
        GPtrArray *chain;  /* owned, struct block_image, top first; disk with a medium */
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
        DEVICE_DEVICE,
};

struct device_part {
        enum device_kind kind;
        json_t *arguments; /* ref; of the monitor's command, see device_part_get_command() */
};

struct device_list;

struct device_list *device_list_new(void);
void device_list_free(struct device_list *list);
unsigned device_list_get_length(const struct device_list *list);
const struct device_part *device_list_get(const struct device_list *list, unsigned index);

/* The command of the monitor that makes the part ("device_add"), and the one that undoes it ("device_del").
 */
const char *device_part_get_command(const struct device_part *part);
const char *device_part_get_undo_command(const struct device_part *part);

/* Appends the part's option and its argument to argv (owned strings). */
void device_part_append_option(const struct device_part *part, GPtrArray *argv);

/* What a description depends on besides the device itself. All borrowed. */
struct device_context {
        const struct domain_def *def; /* the definition that the device is or will be part of */
        const struct qemu_caps *caps;
        const GHashTable *resources; /* alias -> struct device_resources; NULL: none */
};

/*
 * Each appends what makes the device to list. False with an error when the device asks for something that is
 * not supported or that the emulator does not have (ERROR_CONFIG_UNSUPPORTED, naming it); what was appended
 * before stays in list.
 */
bool device_describe_controller(struct device_list *list, const struct device_context *context,
                                const struct domain_controller *controller, GError **error);
bool device_describe_disk(struct device_list *list, const struct device_context *context,
                          const struct domain_disk *disk, GError **error);
bool device_describe_interface(struct device_list *list, const struct device_context *context,
                               const struct domain_interface *interface, GError **error);
bool device_describe_char(struct device_list *list, const struct device_context *context,
                          const struct domain_char *chr, GError **error);
bool device_describe_input(struct device_list *list, const struct device_context *context,
                           const struct domain_input *input, GError **error);
bool device_describe_video(struct device_list *list, const struct device_context *context,
                           const struct domain_video *video, GError **error);
bool device_describe_sound(struct device_list *list, const struct device_context *context,
                           const struct domain_sound *sound, GError **error);
bool device_describe_rng(struct device_list *list, const struct device_context *context,
                         const struct domain_rng *rng, GError **error);
bool device_describe_memballoon(struct device_list *list, const struct device_context *context,
                                const struct domain_memballoon *balloon, GError **error);
bool device_describe_watchdog(struct device_list *list, const struct device_context *context,
                              const struct domain_watchdog *watchdog, GError **error);
bool device_describe_panic(struct device_list *list, const struct device_context *context,
                           const struct domain_panic *panic, GError **error);
bool device_describe_tpm(struct device_list *list, const struct device_context *context,
                         const struct domain_tpm *tpm, GError **error);
bool device_describe_vsock(struct device_list *list, const struct device_context *context,
                           const struct domain_vsock *vsock, GError **error);
bool device_describe_hostdev(struct device_list *list, const struct device_context *context,
                             const struct domain_hostdev *hostdev, GError **error);
bool device_describe_redirdev(struct device_list *list, const struct device_context *context,
                              const struct domain_redirdev *redirdev, GError **error);
bool device_describe_smartcard(struct device_list *list, const struct device_context *context,
                               const struct domain_smartcard *smartcard, GError **error);
bool device_describe_hub(struct device_list *list, const struct device_context *context,
                         const struct domain_hub *hub, GError **error);
bool device_describe_shmem(struct device_list *list, const struct device_context *context,
                           const struct domain_shmem *shmem, GError **error);
bool device_describe_iommu(struct device_list *list, const struct device_context *context,
                           const struct domain_iommu *iommu, GError **error);

DEFINE_CLEANUP(struct device_list, device_list_free);
DEFINE_CLEANUP(struct device_resources, device_resources_free);
