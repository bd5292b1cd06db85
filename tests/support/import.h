/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A host on which libvirt has been, below <root>/host of a harness, and what "virtbusd --import-libvirt" says
 * of it.
 */

#include <glib.h>

#include "tests/support/harness.h"

/* The path of what is below the host's root; free it. */
char *import_path(const struct harness *harness, const char *below);
/* A file with that text there; length -1: to its end. */
void import_put(const struct harness *harness, const char *below, const char *text, gssize length);

/* Runs the import, which has to exit so; all that it says, behind a line break. Free it. */
char *import_run(struct harness *harness, int expected);
/* Is there a line that begins so? */
void import_expect_line(const char *output, const char *line);
