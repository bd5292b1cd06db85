/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The tree of objects: what is at a path, and at which path an object is.
 *
 *     /org/libvirt                                     the manager
 *     /org/libvirt/QEMU                                a connection, one per driver
 *     /org/libvirt/QEMU/domain                         a branch, one per kind of object
 *     /org/libvirt/QEMU/domain/_<uuid with - as _>     an object
 *     /org/libvirt/QEMU/job/7
 *
 * Loop thread.
 */

#include "base/error.h"
#include "base/managed.h"
#include "drivers/model.h"

#include <dbus/dbus.h>
#include <glib.h>
#include <stdbool.h>

#define TREE_MANAGER_PATH "/org/libvirt"

struct branch;
struct bus;
struct collection;
struct connect;
struct domain;
struct interface;
struct job_list;
struct registry;
struct registry_change;

/*
 * A kind of object below connections, as the bus shows it. An object is the model's own: what it is behind
 * the pointer only its kind knows. Kinds of managed objects share their hooks, and so do those of
 * collections, see managed-object.h and collected-object.h.
 */
struct object_kind {
        const char *branch; /* "domain" */
        enum model_kind model;
        const struct interface *interface;
        /*
         * The object of a path by its last element, borrowed; NULL with the kind's error. pending: also one
         * that is only on its way, for a call that queues behind that in its lane.
         */
        void *(*find)(const struct branch *branch, const char *element, bool pending, GError **error);
        /* Keeps an object while a call is about it. */
        void *(*ref)(const struct branch *branch, void *object);
        void (*unref)(const struct branch *branch, void *object);
        /* All objects, borrowed elements; free the array. */
        GPtrArray *(*list)(const struct branch *branch);
        /* Appends the last element of its path. */
        void (*write_element)(const struct branch *branch, const void *object, GString *path);

        /* ---- objects of a collection only ---- */

        unsigned key; /* the last element of the path is the encoding of it */
        /* The object of that key, with the model's error when there is none. */
        void *(*lookup)(const struct connect *connect, const char *key, GError **error);
        /* Which properties differ between two descriptions. */
        uint64_t (*compare)(const void *before, const void *after);
        /* Sends the signals of its own for an object that came, changed or went, at path. May be NULL. */
        void (*tell)(const struct branch *branch, const char *path, const void *before, const void *after);

        /* ---- managed objects only ---- */

        /* Which properties (bits by their number in the interface) this change of an object changed. */
        uint64_t (*get_changed)(const struct registry_change *change);
        /* Sends the signals that the change's event stands for, of the object at path. */
        void (*announce)(const struct branch *branch, const char *path, const struct registry_change *change);
};

/* The objects of one kind on one connection. */
struct branch {
        const struct connect *connect; /* borrowed */
        const struct object_kind *kind;
        struct registry *registry;     /* borrowed; NULL: not of managed objects */
        struct collection *collection; /* borrowed; NULL: not of a collection */
        struct job_list *jobs;         /* borrowed; NULL: not of jobs */
};

enum tree_branch {
        TREE_DOMAINS,
        TREE_POOLS,
        TREE_VOLUMES,
        TREE_NODE_DEVICES,
        TREE_NETWORKS,
        TREE_NWFILTERS,
        TREE_SECRETS,
        TREE_INTERFACES,
        TREE_JOBS,
        TREE_BRANCH_COUNT,
};

/* A connection object. */
struct connect {
        /* const */
        struct bus *bus;     /* borrowed */
        struct model *model; /* borrowed */
        const char *name;    /* borrowed; the last element of the path */
        char *path;          /* owned */
        struct branch branches[TREE_BRANCH_COUNT];
        GPtrArray
                *followers; /* owned; loop: struct caller, borrowed until they leave; see object-manager.h */
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
        const char *element;           /* TREE_OBJECT: the last one of the path, borrowed from it */
        void *object; /* TREE_OBJECT, when looked up; borrowed or ref, as the owner of the target says */
};

struct connect *connect_new(struct bus *bus, struct model *model);
void connect_free(struct connect *connect);

/* Where path (borrowed while the target is in use) leads; for an object without looking whether it exists. */
void tree_locate(struct bus *bus, const char *path, struct target *target);

/* The interface of ours that the target has, NULL: none. */
const struct interface *tree_get_interface(const struct target *target);

/* The n-th interface of the target, own one first, standard ones following; NULL behind the last. */
const struct interface *tree_get_nth_interface(const struct target *target, unsigned n);

/* Makes path (which is to be used again and again in lists) that of the object, and returns its text. */
const char *tree_write_path(const struct branch *branch, const void *object, GString *path);
/* The same in a string of its own. */
char *tree_get_path(const struct branch *branch, const void *object) G_GNUC_WARN_UNUSED_RESULT;

/* The branch that shows objects of that kind, or a managed object; NULL: none does. */
const struct branch *tree_find_branch(const struct connect *connect, enum model_kind kind);
const struct branch *tree_find_branch_of(const struct connect *connect, const struct managed *object);

static inline struct domain *target_get_domain(const struct target *target)
{
        return target->object;
}
