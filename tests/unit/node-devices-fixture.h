/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The devices of a host that umockdev plays: node-devices/host.umockdev has their shapes. Needs umockdev's
 * library before all others (LD_PRELOAD).
 */

#include "base/error.h"
#include "base/loop.h"
#include "base/pool.h"
#include "nodedev/node-devices-private.h"

#include <stdbool.h>
#include <umockdev.h>

extern UMockdevTestbed *testbed;
extern struct loop *loop;
extern struct pool *pool;
extern struct node_devices *devices;
/* What listeners heard: "+name", "-name", "*name". */
extern GString *heard;

/* A host without devices, and nobody who looks at it. */
void set_up_host(void);
void tear_down_host(void);
/* The model of it; dir: where definitions are stored, NULL: nowhere. */
void start_devices(const char *dir);
void stop_devices(void);
/* All of it, with the devices of the file. */
void set_up_devices(void);
void tear_down_devices(void);

struct node_device *find_device(const char *name);
/* Its document as it is read now; owned. */
char *read_device_xml(const char *name, GError **error);
/* The same, which does not fail. */
char *get_device_xml(const char *name);

/* ---- files of the host ---- */

/* Owned. */
char *host_path(const char *path);
/* With the directories that it needs. */
void put_file(const char *path, const char *text);
void expect_file(const char *path, const char *text);

/* ---- how a call ended ---- */

struct outcome {
        bool done;
        GError *error; /* owned */
        char *name;    /* owned; of the device that was made */
};

/* Done-callbacks of node devices; data: a struct outcome. */
void take_outcome(const GError *error, void *data);
void take_device(struct node_device *device, const GError *error, void *data);
/* They wait for the end of the call, and clear the outcome. */
void expect_failure(struct outcome *outcome, enum error_code code, const char *text);
void expect_success(struct outcome *outcome);
void expect_made(struct outcome *outcome, const char *name);
