/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a guest needs of its host, made ready before its emulator starts: images, firmware, taps, sockets,
 * ports, TPM. What is chosen on the way goes into the active definition through the edit; what must be given
 * back is noted in the guest (and so in its status document) before it is taken. Lane of the domain.
 */

#include "drivers/domain/edit-xml.h"
#include "drivers/domain/takings.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/launch.h"

#include <glib.h>
#include <stdbool.h>

struct block_image;
struct domain_device_labels;
struct secret_ref;

struct resources {
        struct guest *guest;              /* borrowed */
        const struct domain_def *def;     /* borrowed; the activated one, before the edit */
        struct domain_edit *edit;         /* borrowed; of def */
        const struct domain_start *start; /* borrowed */
        GHashTable *by_alias;             /* owned; alias -> struct device_resources, owned */
        GArray *fds;                      /* owned, int, each owned; all that the emulator gets */
        GArray *checks;        /* owned, struct launch_check; what the emulator must be able to open */
        const char *alias;     /* borrowed; of the device that is being prepared; NULL: the whole guest */
        bool needs_bus;        /* a bus of the guest's own is to be started */
        bool opened;           /* what checks say are images that the agent itself has opened just now */
        bool no_relabel;       /* no file changes hands */
        bool keeps_owner;      /* none of the device that is being prepared does */
        bool labels;           /* files are labelled (SELinux) */
        bool keeps_label;      /* none of the device that is being prepared is */
        bool shared;           /* those of that device are other guests' as well */
        const char *label;     /* borrowed; what they are to have; NULL: the guest's */
        char *made_store;      /* owned; an NVRAM file that was not there before */
        char *made_pstore;     /* owned; the same of a file for what the guest says as it dies */
        GPtrArray *made_files; /* owned strings; files to write to that were not there before */
        unsigned next_image;   /* number of the next image in a chain */
};

void resources_init(struct resources *resources, struct guest *guest, const struct domain_def *def,
                    struct domain_edit *edit, const struct domain_start *start);
/* Frees it, and closes the agent's copies of the descriptors. */
void resources_done(struct resources *resources);

/* The start has failed: removes what was made to stay. Before resources_done(). */
void resources_undo(struct resources *resources);

/*
 * All of them. False with an error that names the device; what was taken until then is in resources and
 * guest, and goes back with resources_done() and guest_release().
 */
bool resources_prepare(struct resources *resources, GError **error);

/*
 * One device of def alone, which is plugged into a guest that runs: what it needs is taken and noted under
 * its alias; the two functions below then concern that device only. It is given back with
 * guest_release_device(). resources_resume() comes first, once: it goes on where the start of the guest
 * ended.
 */
bool resources_resume(struct resources *resources, GError **error);
bool resources_prepare_device(struct resources *resources, enum domain_device_kind kind, const void *device,
                              GError **error);

/*
 * After the status document has been written, and to be written again after it: managed host devices leave
 * their drivers.
 */
bool resources_take_hostdevs(struct resources *resources, GError **error);

/* After the status document has been written: macvtaps are made, virtual functions are set up. */
bool resources_take_links(struct resources *resources, GError **error);

/*
 * After the status document has been written: files change hands, and are labelled. Errors: a file that
 * cannot be.
 */
bool resources_take_files(struct resources *resources, GError **error);

/*
 * How long the emulator may take until it answers, in ms, as long as it gets anywhere: some definitions have
 * all of its memory made and cleared first.
 */
unsigned resources_get_start_ms(const struct domain_def *def);

/* What is said after the emulator's complaint about its TPM: where the TPM's own is. Owned. */
char *resources_advise_tpm(const struct guest *guest);

/* The same of virtiofsd. */
char *resources_advise_virtiofs(const struct guest *guest);

/* Whom an emulator that does not answer may be waiting for; owned, NULL: nobody. */
char *resources_advise_vhostuser(const struct domain_def *def);

/* The limit on locked memory that the guest needs, in bytes; 0: none of its own. */
uint64_t resources_get_lock_bytes(const struct domain_def *def);

/* The bridge of the host that a tap of the interface is a port of; NULL: none. */
const char *resources_get_bridge(const struct domain_interface *interface);
/* Is it kept from the other isolated ports there? */
bool resources_is_isolated(const struct domain_takings *takings, const struct domain_interface *interface);
/* Errors: it is to be, and the interface is none that tells. */
bool resources_check_trust(const struct domain_takings *takings, const struct domain_interface *interface,
                           GError **error);
/* May the guest say what its macvtap receives? */
bool resources_trusts_guest(const struct domain_takings *takings, const struct domain_interface *interface);
/* Its own and that of its network and port group. */
const struct virtual_port *resources_get_virtual_port(const struct domain_takings *takings,
                                                      const struct domain_interface *interface);
/* Its own tags of VLANs, or those of its port. */
const struct vlan *resources_get_vlan(const struct domain_takings *takings,
                                      const struct domain_interface *interface);
/* Its own limits, or those of its port. */
const struct traffic *resources_get_bandwidth(const struct domain_takings *takings,
                                              const struct domain_interface *interface);

/*
 * After the control group of the guest has been made, and to be written down after it: the bus of its own
 * that resources_prepare_bus() has found that it needs. Nothing where it needs none.
 */
bool resources_start_bus(struct resources *resources, GError **error);

/* ---- between the files resources*.c ---- */

/* Says in the active definition where the bus of its own will be, if the graphics need one. */
bool resources_prepare_bus(struct resources *resources, const struct domain_graphics *graphics,
                           unsigned index, GError **error);

/* The entry of a device, made when missing. */
struct device_resources *resources_get(struct resources *resources, const char *alias);
/* Takes fd: the emulator gets it. */
void resources_add_fd(struct resources *resources, int fd);
/* The value of the secret that ref names, as a descriptor for a program of the caller's. *fd is the caller's.
 */
bool resources_get_secret(const struct resources *resources, const struct secret_ref *ref, int *fd,
                          GError **error);
/*
 * The emulator gets the value of the secret that ref names, as a descriptor of that number: it is in no
 * command line, file or log. *fd stays the resources'.
 */
bool resources_add_secret(struct resources *resources, const struct secret_ref *ref, int *fd, GError **error);
/* The same with a value that is no secret's. */
bool resources_add_value(struct resources *resources, GBytes *value, int *fd, GError **error);
/* The emulator must be able to open path; what is for the message ("image of disk 'vda'"). */
void resources_add_check(struct resources *resources, const char *path, bool write, const char *what_format,
                         ...) G_GNUC_PRINTF(4, 5);
/*
 * The emulator opens path, or makes it; tree: and all that is below it. What can be checked or is handed over
 * open is allowed by that already.
 */
void resources_allow(struct resources *resources, const char *path, bool write, bool tree);
/* What the device, or the guest as a whole, is allowed beside what is checked (resources-paths.c). */
void resources_allow_device(struct resources *resources, enum domain_device_kind kind, const void *device);
void resources_allow_guest(struct resources *resources);
/* A check, and if need be the file is the emulators' user's from resources_take_files() on. */
void resources_add_file(struct resources *resources, const char *path, bool write, const char *what_format,
                        ...) G_GNUC_PRINTF(4, 5);

/*
 * A file without a name for what the guest writes to a transient disk, which goes with the emulator, whoever
 * else dies. It is beside the image, or in the agent's own directory where that is a device. *fd stays the
 * resources'. Without a slot: it waits for storage and for qemu-img.
 */
bool resources_make_overlay(struct resources *resources, const struct domain_disk *disk,
                            const struct block_image *image, int *fd, GError **error);

/* The emulator must be able to read the certificates, those of a server or those of a client. */
void resources_add_tls_check(struct resources *resources, const char *dir, bool server);

/*
 * What a disk of type volume stands for: source becomes a file or block device of this host, or *image,
 * owned, something that the emulator reaches by itself.
 */
bool resources_find_volume(struct resources *resources, const struct domain_disk *disk,
                           struct domain_storage *source, struct block_image **image, GError **error);
bool resources_prepare_memory(struct resources *resources, GError **error);
bool resources_prepare_memory_device(struct resources *resources, const void *memory, GError **error);
bool resources_prepare_protection(struct resources *resources, GError **error);
bool resources_prepare_boot(struct resources *resources, GError **error);
bool resources_prepare_labels(struct resources *resources, bool runs, GError **error);
/*
 * What the files of the device that is being prepared are to be from here on, until the next device; what
 * names it in a message. Errors: labels that cannot be had.
 */
bool resources_use_labels(struct resources *resources, const struct domain_device_labels *labels,
                          const char *what, GError **error);
/*
 * The file that is there is labelled from resources_take_files() on: for this guest, for those that share it,
 * as something that is only read, or as the device says.
 */
void resources_label_file(struct resources *resources, const char *path, bool write);
/* Numbers of images that are in use are not given again. */
/* What lets the emulator in at the image's server. */
bool resources_prepare_remote(struct resources *resources, const struct domain_network_source *source,
                              struct block_image *image, GError **error);
void resources_skip_images(struct resources *resources);
void resources_skip_image(struct resources *resources, const struct domain_storage *storage);
/* Was it taken for what is being prepared? */
bool resources_is_taken_for(const struct resources *resources, const char *alias);

/*
 * The PCI device at that address of the host is made ready for the device resources->alias, whatever element
 * it is of; who has it is settled before (takings.h). Its IOMMU group must have no other user: errors name
 * what is in the way. A managed one leaves its driver in resources_take_hostdevs(), when the status document
 * says so, and goes back with guest_release_device(); one that is not has to be vfio-pci's already.
 */
bool resources_prepare_pci(struct resources *resources, const struct domain_address_pci *address,
                           bool managed, GError **error);

/* ---- of the rows of devices: each makes ready what one device needs ---- */

bool resources_prepare_disk(struct resources *resources, const void *disk, GError **error);
bool resources_prepare_graphics(struct resources *resources, const void *graphics, GError **error);
bool resources_prepare_interface(struct resources *resources, const void *interface, GError **error);
bool resources_prepare_char(struct resources *resources, const void *chr, GError **error);
bool resources_prepare_rng(struct resources *resources, const void *rng, GError **error);
bool resources_prepare_input(struct resources *resources, const void *input, GError **error);
bool resources_prepare_tpm(struct resources *resources, const void *tpm, GError **error);
bool resources_prepare_pstore(struct resources *resources, const void *pstore, GError **error);
bool resources_prepare_hostdev(struct resources *resources, const void *hostdev, GError **error);
bool resources_prepare_vf(struct resources *resources, const struct domain_interface *interface,
                          GError **error);
bool resources_take_vfs(struct resources *resources, GError **error);
bool resources_prepare_filesystem(struct resources *resources, const void *fs, GError **error);
bool resources_prepare_vsock(struct resources *resources, const void *vsock, GError **error);
