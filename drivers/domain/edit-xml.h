/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Changing a definition, which is immutable: its document is edited and read again.
 *
 *     struct domain_edit *edit = domain_edit_new(def, error);
 *     domain_edit_set_pty(edit, "serial0", "/dev/pts/3");
 *     CLEANUP(domain_def_unref) struct domain_def *changed =
 *             domain_edit_commit(g_steal_pointer(&edit), error);
 *
 * Devices are named by their alias, which every device of an active definition has. A setter that cannot do
 * its work (no such device) is remembered and makes the commit fail; so setters need no checks of their own.
 * Any thread; an edit belongs to one at a time.
 */

#include "base/cleanup.h"
#include "drivers/domain/definition.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct domain_edit;

/* NULL with an error only when the text of def is not what it must be. */
struct domain_edit *domain_edit_new(const struct domain_def *def, GError **error);
/*
 * The same for what may come to no change at all: the text is read when something is changed first (that it
 * cannot be is an error of the commit). Without a change the commit gives def again, a new reference.
 */
struct domain_edit *domain_edit_new_lazy(const struct domain_def *def);
/* Takes edit, also on failure. Puts in order and reads, does not normalise. */
struct domain_def *domain_edit_commit(struct domain_edit *edit, GError **error);
/*
 * The same of a guest that runs, and what comes of it could be defined on that machine (check.h) and started,
 * unless what was edited could not either.
 */
struct domain_def *domain_edit_commit_checked(struct domain_edit *edit, const struct domain_machine *machine,
                                              GError **error);
/* Gives a change up. NULL is fine. */
void domain_edit_free(struct domain_edit *edit);

/* ---- the domain ---- */

void domain_edit_set_name(struct domain_edit *edit, const char *name);
/* NULL or "" removes. A title must be a single line. */
void domain_edit_set_title(struct domain_edit *edit, const char *title);
void domain_edit_set_description(struct domain_edit *edit, const char *description);
/*
 * The child of <metadata> in namespace uri: xml, one element without a namespace of its own, takes its place
 * with key as its prefix; NULL removes it. ERROR_INVALID_ARG for a missing key or uri and for xml that is no
 * single element.
 */
void domain_edit_set_metadata(struct domain_edit *edit, const char *xml, const char *key, const char *uri);
/* What becomes of the guest at that event: the element is "on_poweroff", "on_reboot" or "on_crash". */
void domain_edit_set_action(struct domain_edit *edit, const char *element, const char *action);
void domain_edit_set_memory(struct domain_edit *edit, uint64_t kib);
void domain_edit_set_current_memory(struct domain_edit *edit, uint64_t kib);
/* The vCPUs at start; those that may be plugged in. A count of 0 leaves that one alone. */
void domain_edit_set_vcpus(struct domain_edit *edit, unsigned current, unsigned max);
/* <vcpus> with these max ones (vcpu-list.h), and how many are there. */
void domain_edit_set_vcpu_list(struct domain_edit *edit, const struct domain_vcpu *vcpus, unsigned max);
/* Where single vCPUs from that number on run. */
void domain_edit_drop_vcpus(struct domain_edit *edit, unsigned count);
/* <iothreads> and <iothreadids> with one more than def has, or one less, of which nothing is said any more.
 */
void domain_edit_add_iothread(struct domain_edit *edit, const struct domain_def *def, unsigned id);
void domain_edit_drop_iothread(struct domain_edit *edit, const struct domain_def *def, unsigned id);
/*
 * The text of an element of <cputune>, <memtune> or <blkiotune>; NULL: it goes. unit NULL: without one.
 */
void domain_edit_set_tuning(struct domain_edit *edit, const char *section, const char *element,
                            const char *text, const char *unit);
/* <numatune><memory>, on these nodes, whatever placed it before. */
void domain_edit_set_numatune(struct domain_edit *edit, const char *mode, const char *nodes);
/* Is counted, or not (<perf>). */
void domain_edit_set_perf_event(struct domain_edit *edit, const char *name, bool enabled);
/* Of a device by its index in the definition, whole; without any number there is no such element. */
void domain_edit_set_disk_iotune(struct domain_edit *edit, unsigned index, const struct domain_iotune *tune);
/* Of the <throttlegroup> of that name, if there is one: those of *tune, and no others. */
void domain_edit_set_throttle_group(struct domain_edit *edit, const char *name,
                                    const struct domain_iotune *tune);
void domain_edit_set_interface_bandwidth(struct domain_edit *edit, unsigned index,
                                         const struct traffic *traffic);
/*
 * What has been chosen where a definition says placement='auto', which it says still: CPUs of <vcpu>, nodes
 * of its memory. NULL leaves alone.
 */
void domain_edit_place(struct domain_edit *edit, const char *cpus, const char *nodes);
/* A value of a <device> of <blkiotune>, which comes with its first value and goes with its last one; 0: none.
 */
void domain_edit_set_blkio_device(struct domain_edit *edit, const char *path, const char *element,
                                  uint64_t value);
/* <vcpupin>, <emulatorpin> (id does not count), <iothreadpin>. NULL: as all others. */
void domain_edit_set_pin(struct domain_edit *edit, enum domain_threads who, unsigned id,
                         const struct domain_cpuset *cpus);
/*
 * Rounds the sizes of NUMA cells, memory devices, <maxMemory> and <memory> up to multiples of unit_kib, as
 * the guest of a definition gets them; <memory> becomes the sum of the parts, and <currentMemory> follows it
 * where it was the same.
 */
void domain_edit_align_memory(struct domain_edit *edit, uint64_t unit_kib);
/* -1: not active. */
void domain_edit_set_id(struct domain_edit *edit, int id);
/* Puts the <cpu> element that cpu_xml holds in the place of the document's own. */
void domain_edit_set_cpu(struct domain_edit *edit, const char *cpu_xml);
/* Firmware chosen at start; NULL leaves alone. */
void domain_edit_set_loader(struct domain_edit *edit, const char *path, const char *type, const char *format,
                            bool readonly, bool secure);
/* Where SEV has its bit, and how many bits of addresses that costs, in <launchSecurity>. */
void domain_edit_set_encryption(struct domain_edit *edit, unsigned cbitpos, unsigned reduced_bits);
/* NULL format: as the document has it, or raw. */
void domain_edit_set_nvram(struct domain_edit *edit, const char *path, const char *template_path,
                           const char *format);
/*
 * The <seclabel> of a model: what the guest runs as, and what its images are labelled with. NULL image_label:
 * none. A fixed one without a model, or one with a base, is that of the model unnamed, and gets its name.
 */
void domain_edit_set_seclabel(struct domain_edit *edit, const char *model, const char *unnamed,
                              const char *label, const char *image_label);

/* <resource><partition>: where its control group is. */
void domain_edit_set_partition(struct domain_edit *edit, const char *partition);

/* Of the <memballoon>; 0: never. */
void domain_edit_set_stats_period(struct domain_edit *edit, unsigned seconds);

/* ---- devices of an active definition ---- */

/*
 * <serial>, <parallel>, <console>, <channel>, ... of type pty. The <console> that repeats a serial port
 * follows it.
 */
void domain_edit_set_pty(struct domain_edit *edit, const char *alias, const char *path);
/* The socket of a device of type unix; an existing mode is kept, else it is bind. */
void domain_edit_set_socket(struct domain_edit *edit, const char *alias, const char *path);
/* What the guest does with a channel. */
void domain_edit_set_channel_state(struct domain_edit *edit, const char *alias, bool connected);
/* Name of the tap device on the host. */
void domain_edit_set_interface_target(struct domain_edit *edit, const char *alias, const char *dev);
void domain_edit_set_interface_link(struct domain_edit *edit, const char *alias, bool up);
/*
 * Where an interface of type network has been plugged in, by its index: it takes the type of what is below
 * the network, as with libvirt, and keeps the network's name. Absent strings are NULL.
 */
struct domain_edit_plug {
        const char *type; /* "network", "bridge", "direct", "hostdev" */
        const char *port_id;
        const char *bridge, *device, *mode;
        /* of a hostdev; NULL: it is none */
        const struct domain_address_pci *host;
        bool managed;
        const char *driver;                      /* "vfio"; NULL: not said */
        const struct virtual_port *virtual_port; /* NULL: what it has stays */
};
void domain_edit_plug_interface(struct domain_edit *edit, unsigned index,
                                const struct domain_edit_plug *plug);
/* The same interface in that bridge, whatever it was in; by its alias. */
void domain_edit_set_interface_bridge(struct domain_edit *edit, const char *alias, const char *bridge);
/* The same interface without that element: "bandwidth", for instance. */
void domain_edit_drop_interface_part(struct domain_edit *edit, const char *alias, const char *name);
void domain_edit_drop_interface_trust(struct domain_edit *edit, const char *alias);
/* index counts the <graphics>; port, tls_port, websocket: 0 leaves alone. */
void domain_edit_set_graphics_ports(struct domain_edit *edit, unsigned index, int port, int tls_port,
                                    int websocket);
/* password NULL: none; without an end, and with nothing said of those who are connected. */
void domain_edit_set_graphics_password(struct domain_edit *edit, unsigned index, const char *password);
/* dbus: the address of its bus. */
void domain_edit_set_graphics_bus(struct domain_edit *edit, unsigned index, const char *address);
/* listen counts the <listen> in it; the first one's address is also the attribute of <graphics>. */
void domain_edit_set_graphics_address(struct domain_edit *edit, unsigned index, unsigned listen,
                                      const char *address);
void domain_edit_set_graphics_socket(struct domain_edit *edit, unsigned index, unsigned listen,
                                     const char *path);
/* Of a virtio-mem device, in KiB: what the guest is to have of it, and what it has taken. */
void domain_edit_set_memory_requested(struct domain_edit *edit, const char *alias, uint64_t kib);
void domain_edit_set_memory_taken(struct domain_edit *edit, const char *alias, uint64_t kib);
/* Where the guest has the memory device in a slot: its first byte. */
void domain_edit_set_memory_base(struct domain_edit *edit, const char *alias, uint64_t base);
void domain_edit_set_pstore_path(struct domain_edit *edit, const char *path);
void domain_edit_set_vsock_cid(struct domain_edit *edit, uint32_t cid);
/* Takes a device out that the guest is to start without. */
void domain_edit_leave_out(struct domain_edit *edit, const char *alias);
/* A USB device of the host that the guest has to do without for now, or not. */
/* Which USB device of the host it is now. */
void domain_edit_set_usb_address(struct domain_edit *edit, const char *alias, unsigned bus, unsigned device);
void domain_edit_set_usb_missing(struct domain_edit *edit, const char *alias, bool missing);
/* The medium of a disk of type file, block or dir; NULL: none is in. */
void domain_edit_set_disk_path(struct domain_edit *edit, const char *alias, const char *path);
void domain_edit_set_disk_tray(struct domain_edit *edit, const char *alias, bool open);
/* The disk of that target without what is spelled out of the images below its own; needs no alias. */
void domain_edit_drop_chain(struct domain_edit *edit, const char *target);
/* The disk without its elements of that name, or with that of a disk of from in their place. */
void domain_edit_drop_disk_part(struct domain_edit *edit, const char *alias, const char *name);
void domain_edit_take_disk_part(struct domain_edit *edit, const char *alias, const struct domain_def *from,
                                const char *from_alias, const char *name);
/*
 * What becomes of the disk at starts without its image, and in snapshots (struct
 * domain_storage.startup_policy, struct domain_disk.snapshot); NULL: not said.
 */
void domain_edit_set_disk_policies(struct domain_edit *edit, const char *alias, const char *startup_policy,
                                   const char *snapshot);
/* What domain_edit_set_disk_chain() has written goes. */
void domain_edit_forget_disk_chain(struct domain_edit *edit, const char *alias);
/*
 * The chain of a disk as the guest runs on it, top first: the numbers of its images, and below the first the
 * images themselves, which replace what <backingStore> said; it is ended explicitly.
 */
struct domain_edit_image {
        const char *path;
        const char *format;
        bool block;  /* a block device */
        bool remote; /* on the network: its <source> is the document's own; path does not count */
        unsigned index;
        unsigned data_index;                        /* of its data file; 0: it has none */
        const struct domain_encryption *encryption; /* NULL: none */
};
void domain_edit_set_disk_chain(struct domain_edit *edit, const char *alias,
                                const struct domain_edit_image *images, unsigned count);

/* Where the managed helper for the reservations of a disk listens. */
void domain_edit_set_reservations(struct domain_edit *edit, const char *alias, const char *path);

/* ---- devices that come and go ---- */

/* A device of a definition: one of domain_devices_get(). */
struct domain_edit_device {
        enum domain_device_kind kind;
        unsigned index;
};

/* What the definition is that a device comes into. */
struct domain_edit_side {
        const struct domain_machine *machine; /* borrowed; as for domain_doc_finish() */
        /*
         * The active definition of a guest: the device gets a place on a bus that is there, and an alias;
         * nothing else changes, and only a SCSI controller may come along. Otherwise the stored one:
         * controllers are added as for a document that is defined.
         */
        bool running;
};

/*
 * The element xml with what is chosen at random for a device (an interface's MAC address), so that it is one
 * and the same in the stored definition and in that of the guest. Owned; NULL with an error for what is no
 * device.
 */
char *domain_device_complete(const char *xml, GError **error);

/*
 * Adds the device that the element xml is. What the element says of another running guest (aliases,
 * terminals, ports) does not count. Returns what is new in the definition that will be committed, in the
 * order in which it is plugged in, the device itself last: of struct domain_edit_device, owned. NULL, and the
 * commit fails: ERROR_XML_ERROR for what is malformed, in use or no device, ERROR_CONFIG_UNSUPPORTED when
 * there is no place.
 */
GArray *domain_edit_attach_device(struct domain_edit *edit, const char *xml,
                                  const struct domain_edit_side *side);

/*
 * Is the element xml a CD or floppy drive that is there already? Whoever attaches that says, as to libvirt,
 * what is to be in it. Changes nothing; what is malformed is none.
 */
bool domain_edit_has_drive(struct domain_edit *edit, const char *xml);

/*
 * Puts the device that xml is in the place of the one that has its label (a disk's target, an interface's MAC
 * address, the type of graphics), address and alias, as far as these are given; those that are not given
 * stay. Returns the same as above.
 */
GArray *domain_edit_update_device(struct domain_edit *edit, const char *xml,
                                  const struct domain_edit_side *side);

/* The device that domain_edit_update_device() would replace. Changes nothing. */
bool domain_edit_find_device(struct domain_edit *edit, const char *xml, struct domain_edit_device *device);

/*
 * Takes out the device that xml means, an element or part of one: all that it says of label, address, alias
 * and of what tells devices of the kind apart must be so. *device is its place in the definition before the
 * edit. A console that stands for a serial port is that port. ERROR_DEVICE_MISSING when there is none,
 * ERROR_OPERATION_FAILED when two interfaces match or the device is a controller that others are on.
 */
bool domain_edit_detach_device(struct domain_edit *edit, const char *xml, struct domain_edit_device *device);
/* The same of the device with that alias. */
bool domain_edit_detach_alias(struct domain_edit *edit, const char *alias, struct domain_edit_device *device);

/*
 * Does a stored definition that one of that kind was taken out of have one less of them, then and when it is
 * changed the next time? ERROR_OPERATION_UNSUPPORTED where the machine or another device brings one along (a
 * memory balloon, the first video card): that can only change.
 */
bool domain_edit_check_gone(struct domain_edit *edit, enum domain_device_kind kind,
                            const struct domain_machine *machine);

/* ---- texts ---- */

/*
 * The child of <metadata> in namespace uri as it is written there; NULL with ERROR_NO_DOMAIN_METADATA when
 * there is none.
 */
char *domain_def_get_metadata(const struct domain_def *def, const char *uri, GError **error);

DEFINE_CLEANUP(struct domain_edit, domain_edit_free);
