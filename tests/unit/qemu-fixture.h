/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What tests of command lines share: the capabilities of the QEMU of this host, documents read as start reads
 * them, images for their disks. In a folder of the test's own.
 */

#include "drivers/domain/definition.h"
#include "drivers/qemu/command.h"
#include "drivers/qemu/qemu-caps.h"

#include <glib.h>
#include <stdbool.h>

#define QEMU "/usr/bin/qemu-system-x86_64"

struct fixture {
        char *dir;
        const struct qemu_caps *caps; /* NULL: there is no QEMU */
};

extern struct fixture fixture;

void fixture_set_up(void);
void fixture_tear_down(void);
/* Around all tests of a program, in the process that forks them: its QEMU is asked once, not for each. */
void fixture_probe(void);
void fixture_forget(void);
/* Its capabilities are those of another emulator from now on; false: it is not installed. */
bool fixture_use(const char *emulator);

/* Says so when a test is skipped for want of a QEMU. */
bool fixture_has_qemu(void);

/* A document in qemu-command/ with its @...@ filled in. */
GString *fixture_read_document(const char *name);
/* The machine that the document asks for, as this QEMU has it. */
void fixture_resolve(const struct domain_doc *doc, struct domain_machine *machine);
/* As start does it: normalised for this emulator and with aliases. Fails the test for a bad document. */
struct domain_def *fixture_parse(const char *text);

/* All images that documents name. */
void fixture_make_images(void);
/* alias -> struct device_resources: the chains of all disks. */
GHashTable *fixture_prepare(const struct domain_def *def);
struct qemu_command *fixture_build(const struct domain_def *def, GHashTable *resources, int monitor_fd,
                                   GError **error);
/* What the host has for a device. Borrowed from resources. */
struct device_resources *fixture_add_resources(GHashTable *resources, const char *alias);
/* Is there that option with a value that begins so? */
bool fixture_has_argument(const struct qemu_command *command, const char *option, const char *start);
