/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A real QEMU without a guest (-S), started from a definition and talked to through QMP; one at a time, in a
 * test with the fixture of qemu-fixture.h.
 */

#include "tests/unit/qemu-fixture.h"

#include <jansson.h>

void machine_start(const struct domain_def *def);
/* Ends it, and is fixture_tear_down(). */
void machine_tear_down(void);

/* Runs a command; its answer, which is the caller's, or fails. Takes arguments. */
json_t *machine_run(const char *name, json_t *arguments);
/* Like machine_run(), for commands that are told a descriptor's name (getfd), with fd along. */
void machine_run_fd(const char *name, const json_t *arguments, int fd);

/* Until the device with that alias has gone. */
void machine_wait_deleted(const char *alias);

/* A listening socket at path, without close-on-exec. */
int machine_listen(const char *path);
