/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The tree of objects: what is at a path, and at which path an object is.
 *
 *     /org/libvirt                                     the manager
 *     /org/libvirt/QEMU                                a connection, one per driver
 *     /org/libvirt/QEMU/domain                         a branch, one per kind of object
 *     /org/libvirt/QEMU/domain/_<uuid with - as _>     an object
 *
 * Loop thread.
 */

#include "base/error.h"
#include "base/managed.h"

#include <dbus/dbus.h>
#include <glib.h>
#include <stdbool.h>

#define TREE_MANAGER_PATH "/org/libvirt"
/* Longest path of an object, NUL included. */
#define TREE_PATH_SIZE 160

struct branch;
struct bus;
struct domain;
struct domain_driver;
struct interface;
struct registry;
struct registry_change;

/* A kind of object below connections, as the bus shows it. */
struct object_kind {
        const char *branch; /* "domain" */
        const struct interface *interface;
        /* Which properties (bits by their number in the interface) this change of an object changed. */
        uint64_t (*get_changed)(const struct registry_change *change);
        /* Sends the signals that the change's event stands for, of the object at path. */
        void (*announce)(const struct branch *branch, const char *path, const struct registry_change *change);
};

/* The objects of one kind on one connection. */
struct branch {
        const struct connect *connect; /* borrowed */
        const struct object_kind *kind;
        struct registry *registry; /* borrowed */
};

/* A connection object. */
struct connect {
        /* const */
        struct bus *bus;               /* borrowed */
        struct domain_driver *domains; /* borrowed */
        unsigned index;                /* in the bus */
        const char *name;              /* borrowed; the last element of the path */
        char *path;                    /* owned */
        struct branch branches[1];
};

enum tree_place {
        TREE_NOWHERE,
        TREE_TRUNK, /* a path that only leads to others */
        TREE_MANAGER,
        TREE_CONNECT,
        TREE_BRANCH,
        TREE_OBJECT,
};

/* What a call or a property read is about. */
struct target {
        struct bus *bus; /* borrowed */
        enum tree_place place;
        const struct connect *connect; /* borrowed; from TREE_CONNECT on */
        const struct branch *branch;   /* borrowed; from TREE_BRANCH on */
        bool has_uuid;                 /* TREE_OBJECT: the last element is the path of one */
        struct uuid uuid;
        struct managed
                *object; /* TREE_OBJECT, when looked up; borrowed or ref, as the owner of the target says */
};

struct connect *connect_new(struct bus *bus, struct domain_driver *domains, unsigned index);
void connect_free(struct connect *connect);

/* Where path leads; for an object its uuid only, see tree_find_object(). */
void tree_locate(struct bus *bus, const char *path, struct target *target);

/*
 * The object of a TREE_OBJECT target, borrowed, or NULL with its kind's error. pending: also one whose
 * definition is still on its way, for a call that queues behind that in its lane.
 */
struct managed *tree_find_object(const struct target *target, const char *path, bool pending, GError **error);

/* The interface of ours that the target has, NULL: none. */
const struct interface *tree_get_interface(const struct target *target);

/* The n-th interface of the target, own one first, standard ones following; NULL behind the last. */
const struct interface *tree_get_nth_interface(const struct target *target, unsigned n);

/* Writes an object's path to buffer and returns it. */
const char *tree_get_path(const struct branch *branch, const struct managed *object,
                          char buffer[TREE_PATH_SIZE]);
const char *tree_get_domain_path(const struct connect *connect, const struct managed *domain,
                                 char buffer[TREE_PATH_SIZE]);

static inline struct domain *target_get_domain(const struct target *target)
{
        return (struct domain *)target->object;
}
