/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Storage as tests of the agent use it: pools in the harness's folder, their volumes, and what the bus says
 * about them. Functions fail the running libcheck test when something is not as asked for.
 */

#include "tests/support/client.h"

#define POOL_INTERFACE     "org.libvirt.StoragePool"
#define VOLUME_INTERFACE   "org.libvirt.StorageVol"
#define JOB_INTERFACE      "org.virtbus.Job"
#define MANAGER_OF_OBJECTS "org.freedesktop.DBus.ObjectManager"

/* virStoragePoolEventLifecycleType */
enum pool_event {
        POOL_DEFINED = 0,
        POOL_UNDEFINED = 1,
        POOL_STARTED = 2,
        POOL_STOPPED = 3,
        POOL_CREATED = 4,
        POOL_DELETED = 5,
};

/* Definitions, to be freed. */
char *pool_dir_xml(const char *name, const char *folder);
char *pool_volume_xml(const char *name, const char *format, uint64_t capacity, const char *more);

/* Defines, builds and starts a dir pool; returns its path, to be freed. */
char *pool_start_dir(struct client *client, const char *name, const char *folder);
/* Makes a volume; returns its path, to be freed. */
char *pool_make_volume(struct client *client, const char *pool, const char *name, const char *format,
                       uint64_t capacity);

void pool_wait_event(struct client *client, const char *pool, enum pool_event event);
/* Waits until the connection's object manager says that path came, went. */
void pool_wait_added(struct client *client, const char *path);
void pool_wait_removed(struct client *client, const char *path);
