/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The readers of the parts of a domain document, one file per family. Internal to drivers/domain. Each reads
 * one element into one struct that is zeroed before, puts numbers in canonical form in the document, and
 * refuses what is malformed. See field-xml.h for threads and ownership.
 */

#include "drivers/domain/field-xml.h"
#include "drivers/domain/names.h"

/* ---- what devices share ---- */

extern const struct field domain_alias_fields[];
extern const struct field domain_boot_fields[];
extern const struct field domain_acpi_fields[];
extern const struct field domain_rom_fields[];
extern const struct field domain_virtio_fields[];

/* struct domain_address from <address> */
bool domain_read_address(struct domain_reader *reader, xmlNode *node, void *address, GError **error);

#define INFO_PARTS(type)                                                                                     \
        { "alias", domain_alias_fields, NULL, offsetof(type, info) },                                        \
                { "boot", domain_boot_fields, NULL, offsetof(type, info) },                                  \
                { "acpi", domain_acpi_fields, NULL, offsetof(type, info) },                                  \
                { "rom", domain_rom_fields, NULL, offsetof(type, info) },                                    \
        {                                                                                                    \
                "address", NULL, domain_read_address, offsetof(type, info.address)                           \
        }

#define VIRTIO_PART(type)                                                                                    \
        {                                                                                                    \
                "driver", domain_virtio_fields, NULL, offsetof(type, virtio)                                 \
        }

/* "virtio", "virtio-transitional", "virtio-non-transitional" */
extern const char *const domain_virtio_model_names[];

/* Refuses control characters and those in forbidden; what says whose text it is. NULL text is fine. */
bool domain_check_plain(const xmlNode *node, const char *what, const char *text, const char *forbidden,
                        GError **error);

/*
 * struct domain_char_source from the children of node (<serial>, <backend>, ...), whose attribute "type" has
 * the type in it.
 */
bool domain_read_char_source(struct domain_reader *reader, xmlNode *node, void *source, GError **error);

/* ---- one device each ---- */

bool domain_read_disk(struct domain_reader *reader, xmlNode *node, void *disk, GError **error);
/* <iothreads> of a <driver>, into a pointer to a struct domain_iothread_map. */
bool domain_read_iothread_map(struct domain_reader *reader, xmlNode *node, void *target, GError **error);
bool domain_read_controller(struct domain_reader *reader, xmlNode *node, void *controller, GError **error);
bool domain_read_filesystem(struct domain_reader *reader, xmlNode *node, void *filesystem, GError **error);
/* Its <ip>, and those of its <source>, with the routes there. */
bool domain_read_interface_ips(struct domain_reader *reader, xmlNode *node,
                               struct domain_interface *interface, GError **error);
bool domain_read_interface(struct domain_reader *reader, xmlNode *node, void *interface, GError **error);
bool domain_read_char(struct domain_reader *reader, xmlNode *node, void *chr, GError **error);
bool domain_read_smartcard(struct domain_reader *reader, xmlNode *node, void *smartcard, GError **error);
bool domain_read_redirdev(struct domain_reader *reader, xmlNode *node, void *redirdev, GError **error);
/* <redirfilter> of <devices>: struct domain_devices */
bool domain_read_redirfilter(struct domain_reader *reader, xmlNode *node, struct domain_devices *devices,
                             GError **error);
bool domain_read_rng(struct domain_reader *reader, xmlNode *node, void *rng, GError **error);
bool domain_read_tpm(struct domain_reader *reader, xmlNode *node, void *tpm, GError **error);
bool domain_read_graphics(struct domain_reader *reader, xmlNode *node, void *graphics, GError **error);
bool domain_read_video(struct domain_reader *reader, xmlNode *node, void *video, GError **error);
bool domain_read_sound(struct domain_reader *reader, xmlNode *node, void *sound, GError **error);
bool domain_read_audio(struct domain_reader *reader, xmlNode *node, void *audio, GError **error);
bool domain_read_input(struct domain_reader *reader, xmlNode *node, void *input, GError **error);
bool domain_read_hostdev(struct domain_reader *reader, xmlNode *node, void *hostdev, GError **error);
bool domain_read_hub(struct domain_reader *reader, xmlNode *node, void *hub, GError **error);
bool domain_read_watchdog(struct domain_reader *reader, xmlNode *node, void *watchdog, GError **error);
bool domain_read_memballoon(struct domain_reader *reader, xmlNode *node, void *memballoon, GError **error);
bool domain_read_panic(struct domain_reader *reader, xmlNode *node, void *panic, GError **error);
bool domain_read_shmem(struct domain_reader *reader, xmlNode *node, void *shmem, GError **error);
bool domain_read_memory_device(struct domain_reader *reader, xmlNode *node, void *memory, GError **error);
bool domain_read_iommu(struct domain_reader *reader, xmlNode *node, void *iommu, GError **error);
bool domain_read_pstore(struct domain_reader *reader, xmlNode *node, void *pstore, GError **error);
bool domain_read_nvram_device(struct domain_reader *reader, xmlNode *node, void *nvram, GError **error);
bool domain_read_crypto(struct domain_reader *reader, xmlNode *node, void *crypto, GError **error);
bool domain_read_vsock(struct domain_reader *reader, xmlNode *node, void *vsock, GError **error);

/* ---- parts of disks: what a <source> names that is no file of the host ---- */

/*
 * What limits a disk, into its pointer to a struct domain_iotune: <iotune>; <throttlefilters>, whose groups
 * are those of the document that node is in.
 */
bool domain_read_iotune(struct domain_reader *reader, xmlNode *node, void *target, GError **error);
bool domain_read_throttle_filters(struct domain_reader *reader, xmlNode *node, void *target, GError **error);
/* <throttlegroups>, all of them, into a pointer to the first. */
bool domain_read_throttle_groups(struct domain_reader *reader, xmlNode *node, void *target, GError **error);
/* A <source>, of the type that the struct domain_storage says already. */
bool domain_read_source(struct domain_reader *reader, xmlNode *node, void *storage, GError **error);
bool domain_read_network_source(struct domain_reader *reader, xmlNode *node, struct domain_storage *storage,
                                GError **error);
/* <seclabel> of a <source>. */
bool domain_read_labels(struct domain_reader *reader, xmlNode *source, struct domain_device_labels *labels,
                        GError **error);
bool domain_read_vhost_user(struct domain_reader *reader, xmlNode *node, struct domain_storage *storage,
                            GError **error);
/* An <auth> that stands in <disk> is its source's. */
bool domain_read_disk_auth(struct domain_reader *reader, xmlNode *disk, struct domain_storage *storage,
                           GError **error);

/* ---- parts of <domain> ---- */

/* <devices>: struct domain_devices */
bool domain_read_devices(struct domain_reader *reader, xmlNode *node, void *devices, GError **error);
/* What follows fills members of struct domain_def from the root. */
bool domain_read_memory(struct domain_reader *reader, xmlNode *root, struct domain_def *def, GError **error);
bool domain_read_vcpus(struct domain_reader *reader, xmlNode *root, struct domain_def *def, GError **error);
/* <cputune>: struct domain_def, of which pins are members of their own */
bool domain_read_cputune(struct domain_reader *reader, xmlNode *node, void *def, GError **error);
bool domain_read_memtune(struct domain_reader *reader, xmlNode *node, void *memtune, GError **error);
bool domain_read_blkiotune(struct domain_reader *reader, xmlNode *node, void *blkiotune, GError **error);
bool domain_read_perf(struct domain_reader *reader, xmlNode *node, void *target, GError **error);
bool domain_read_launch(struct domain_reader *reader, xmlNode *node, void *target, GError **error);
bool domain_read_keywrap(struct domain_reader *reader, xmlNode *node, void *target, GError **error);
bool domain_read_numatune(struct domain_reader *reader, xmlNode *node, void *numatune, GError **error);
bool domain_read_cpu(struct domain_reader *reader, xmlNode *node, void *cpu, GError **error);
bool domain_read_os(struct domain_reader *reader, xmlNode *node, void *os, GError **error);
bool domain_read_sysinfo(struct domain_reader *reader, xmlNode *root, struct domain_def *def, GError **error);
bool domain_read_qemu(struct domain_reader *reader, const xmlNode *root, struct domain_qemu_commandline *qemu,
                      GError **error);
bool domain_read_features(struct domain_reader *reader, xmlNode *node, void *features, GError **error);
bool domain_read_clock(struct domain_reader *reader, xmlNode *node, void *clock, GError **error);

/* ---- the document itself ---- */

/* Borrowed from doc. */
xmlDoc *domain_doc_get_xml(const struct domain_doc *doc);
/* Could the document, which is normal, be defined (check.h)? Changes nothing. */
bool domain_doc_check(const struct domain_doc *doc, const struct domain_machine *machine, GError **error);
/* Could the text of a definition, as it is, not be defined? */
bool domain_def_was_refused(const struct domain_def *def, const struct domain_machine *machine);
/*
 * domain_doc_finish() of what before, the definition of a guest that runs, has become: nothing is made
 * normal, and it must be what could be defined and started, unless before could not either: what an agent
 * took that checked less is no reason to refuse a change. doc is taken, also on failure.
 */
struct domain_def *domain_doc_finish_changed(struct domain_doc *doc, const struct domain_def *before,
                                             const struct domain_machine *machine, GError **error);
