/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of the host's devices share: small guests without an operating system, what is asked of
 * them, and who has the devices' files. tests/lab/hardware says what devices there are.
 */

#include "tests/support/guest.h"
#include "tests/support/harness.h"

#include <check.h>

#define LIVE   1
#define CONFIG 2

/* Whom guests run as; the lab has that user, as hosts do where the agent is installed. */
#define GUESTS "virtbus-qemu"

extern struct harness *harness;
extern struct client *client;

void set_up(void);
void tear_down(void);

/* A guest with ports for what is plugged, and these devices; its path is the caller's to free. */
char *bare_xml(const char *name, const char *devices);
char *define(const char *name, const char *devices);
void create(const char *path);
void destroy(const char *path);
void refuse_create(const char *path, const char *why);
void attach(const char *path, const char *xml, unsigned flags);
void detach(const char *path, const char *xml, unsigned flags);

/* flags of GetXMLDesc: 0 of the guest, 2 of the definition */
bool has(const char *path, unsigned flags, const char *text);

/* Does the guest's QEMU have that file open? */
bool holds(const char *name, const char *file);
void expect_owner(const char *file, const char *user);
/* The guest's QEMU is GUESTS'. */
void expect_guest_user(const char *name);

/* Killed; its name on the bus is free. */
void end_agent(void);

/* ---- hostdev-bus.c ---- */

/* Devices of USB and of SCSI. */
void add_bus_tests(TCase *tcase);
