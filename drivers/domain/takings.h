/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a guest has of other objects: the volumes that its disks are, the ports of networks that its
 * interfaces are plugged into, and the devices of the host, each in use from its start to its end; and the
 * values of the secrets that open the volumes. What is not there is noted and said when somebody needs it:
 * whether that ends a start is the driver's to know (startupPolicy).
 *
 * A start makes them in steps of its operation (lifecycle.c); what is plugged in later does it the same way.
 */

#include "base/cleanup.h"
#include "drivers/domain/definition.h"

#include <glib.h>
#include <stdbool.h>

struct domain;
struct domain_driver;
struct domain_edit_device;
struct domain_takings;
struct lane;
struct managed;
struct network_port;
struct pool_def;
struct usb_device;
struct secret_ref;
struct volume;

/*
 * Lane of the domain, before takings_new(): finds out which devices of the host def needs, or one device of
 * it. Owned; NULL: none.
 */
GPtrArray *takings_look(struct domain_driver *driver, const struct domain_def *def,
                        const struct domain_edit_device *one);
/* Loop: finds out what else def needs. */
struct domain_takings *takings_new(struct domain_driver *driver, const struct domain_def *def);
/* Nothing yet: for a device that is plugged in and is no disk. */
struct domain_takings *takings_new_empty(void);
/* The same for one disk of it, which is plugged in. */
struct domain_takings *takings_new_disk(struct domain_driver *driver, const struct domain_def *def,
                                        const struct domain_disk *disk);
/* The same for one interface of it, by its index. */
struct domain_takings *takings_new_interface(struct domain_driver *driver, const struct domain_def *def,
                                             unsigned index);
/* Are all networks that are needed there? A guest has to do without none. Loop. */
bool takings_check(const struct domain_takings *takings, GError **error);
/* Any thread; gives nothing back. NULL is fine. */
void takings_free(struct domain_takings *takings);

/* Loop: takes what takings_look() has found, or nothing of it. looked is taken; NULL is fine. */
bool takings_take_devices(struct domain_takings *takings, GPtrArray *looked, GError **error);
/*
 * Loop, when the ports are taken: takes the devices of the host that they lead to, or none of them. They go
 * back with the others.
 */
bool takings_take_port_devices(struct domain_takings *takings, GError **error);
/* Loop: takes that back. */
void takings_drop_devices(struct domain_takings *takings);

/* Loop: the object in whose lane the one of that index is taken; borrowed, NULL: there is no such index. */
struct managed *takings_get_owner(const struct domain_takings *takings, unsigned index);
/* In its lane. False with an error when it must not be taken. */
bool takings_take(struct domain_takings *takings, unsigned index, GError **error);
void takings_drop(struct domain_takings *takings, unsigned index);
/* Loop, after that: takes the secrets that def, and what was taken, need. */
void takings_take_secrets(struct domain_takings *takings, struct domain_driver *driver,
                          const struct domain_def *def);

/* Loop, after that, too: finds out where its displays are to listen that are to do so in networks. */
void takings_take_addresses(struct domain_takings *takings, struct domain_driver *driver,
                            const struct domain_def *def);
/*
 * Lane of the domain: *address, borrowed, is that of the host in the network; or, *address NULL, it is the
 * one of *device, a link of the host. False with an error when there is none.
 */
bool takings_find_address(const struct domain_takings *takings, const char *network, const char **address,
                          const char **device, GError **error);

/* Any thread: everything goes back, in the lanes of its owners. Takes takings; NULL is fine. */
void takings_give_back(struct domain_takings *takings);
/* Lane of the domain: what *more has is *takings', too; either may be NULL. *more is taken. */
void takings_join(struct domain_takings **takings, struct domain_takings **more);
/* Lane of the domain: what was taken for the disk with that target goes back. */
void takings_give_back_disk(struct domain_takings *takings, const char *target);
/* Lane of the domain: what was taken for that interface of an active definition goes back. */
void takings_give_back_interface(struct domain_takings *takings, const struct domain_interface *interface);
/*
 * Lane of the domain: def, what was given to takings_new() or has the same interfaces, as it is with the
 * ports that were taken. NULL with an error when it cannot be.
 */
struct domain_def *takings_place_ports(const struct domain_takings *takings, const struct domain_def *def,
                                       GError **error);
/* Are these two, before and after a change of the guest's, in the same network and group of it? */
bool takings_share_port(const struct domain_interface *before, const struct domain_interface *after);
/*
 * Lane of the domain: the interface of *live (replaced) is where that of before, the active definition, is.
 */
bool takings_keep_port(const struct domain_def *before, unsigned index, struct domain_def **live,
                       GError **error);
/* Lane of the domain: the networks are told of the taps that the guest of the active definition has. */
void takings_note_targets(const struct domain_takings *takings, const struct domain_def *def);
/* The port of an interface of an active definition; borrowed, NULL: none was taken for it. Lane of the
 * domain. */
const struct network_port *takings_find_port(const struct domain_takings *takings,
                                             const struct domain_interface *interface);

/* The filters alone, for an interface that stays in its network. Loop. */
struct domain_takings *takings_new_filters(struct domain_driver *driver, const struct domain_def *def);
/*
 * Lane of the domain, which waits: the interface (of the guest called guest), whose end on the host is
 * device, has its filter from here on, if it has one; takings remembers it.
 */
bool takings_apply_filter(const struct domain_takings *takings, struct lane *lane, const char *guest,
                          const struct domain_interface *interface, const char *device, GError **error);
/*
 * Lane of the domain, which waits: the interfaces that got a filter in takings, which fails now, have again
 * what they have in before, or none.
 */
void takings_undo_filters(const struct domain_takings *takings, const struct domain_takings *before,
                          struct lane *lane);
/* Any thread: the interface with that alias is filtered no more; NULL: none is. */
void takings_drop_filter(const struct domain_takings *takings, const char *alias);
/* Have both the same filter with the same values? */
bool takings_share_filter(const struct domain_interface *before, const struct domain_interface *after);
/* Loop: the interfaces of a guest that was found running have them. */
void takings_restore_filters(struct domain_takings *takings, const struct domain_def *def);

/* The same for the device of the host that hostdev, of the active definition, is. */
void takings_give_back_hostdev(struct domain_takings *takings, const struct domain_hostdev *hostdev);
/* The same for a PCI device, whatever element of the active definition names it. */
void takings_give_back_pci(struct domain_takings *takings, const struct domain_address_pci *address);
/*
 * Loop: a guest that was found running has them, whatever their owners say; so it has what takings_look() has
 * found (taken; NULL is fine).
 */
void takings_restore(struct domain_takings *takings, GPtrArray *looked);

/*
 * Lane of the domain. The volume of that name, borrowed, as is *def, its pool's definition; NULL with the
 * error that says why it could not be taken.
 */
const struct volume *takings_find_volume(const struct domain_takings *takings, const char *pool,
                                         const char *volume, const struct pool_def **def, GError **error);
/* Loop: takes a USB device that a guest which runs is to have. */
bool takings_take_usb(struct domain_takings *takings, const struct domain *domain,
                      const struct usb_device *usb, GError **error);
/* Lane of the domain: and gives it back. */
void takings_give_back_usb(struct domain_takings *takings, const struct usb_device *usb);
/*
 * The USB device that hostdev stands for, borrowed; NULL with the error that says why there is none. hostdev
 * is as it was when it was looked for.
 */
const struct usb_device *takings_find_usb(const struct domain_takings *takings,
                                          const struct domain_hostdev *hostdev, GError **error);
/* The secret of an <auth>, whose strings it borrows. */
struct secret_ref takings_auth_secret(const struct domain_storage_auth *auth);
/* The value of a secret, a reference; NULL with the error that says why there is none. */
GBytes *takings_find_secret(const struct domain_takings *takings, const struct secret_ref *ref,
                            GError **error);

DEFINE_CLEANUP(struct domain_takings, takings_free);
