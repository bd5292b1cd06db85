/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a clone is read from: a volume and the volumes below it, each opened once, looked at, and handed to
 * qemu-img with its format said. No name in a header is opened. Lanes.
 */

#include "drivers/storage/volume.h"

struct image_source {
        GArray *fds;       /* owned; of int */
        char *description; /* owned; a file name for qemu-img ("json:...") */
};

/*
 * chain: struct volume *, the one that is read first, what is below it behind it; their formats are those
 * that the volume above says. Fails for a volume that is not what it was, names other files or has a format
 * that qemu-img does not read. secret: qemu-img's id of what opens the first one, if that is encrypted.
 */
bool image_source_open(struct image_source *source, const GPtrArray *chain, const char *secret,
                       GError **error);
void image_source_close(struct image_source *source);

/* qemu-img's name of what reads the volume; NULL: nothing does. A device is raw, whatever is said of it. */
const char *image_source_get_driver(const struct volume *volume);

/*
 * The file or device of a volume of any pool, to be copied from; -1 with an error, also when it is not the
 * same file any more.
 */
int image_source_open_file(const struct volume *volume, GError **error);
