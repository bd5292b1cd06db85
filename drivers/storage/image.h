/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the header of an image file says, by our own bounded reads of untrusted bytes. For listings only: what
 * a raw image begins with is its guest's to say, so nothing that is found here may ever be opened because of
 * it. Lanes.
 */

#include "drivers/storage/volume.h"

/*
 * Fills in volume's format, capacity, backing, encryption and features from the file of size bytes. A file
 * that is cut off or malformed counts as raw with its size as capacity.
 */
void image_probe(int fd, uint64_t size, struct volume *volume);

/* Says that it is raw, without a look. */
void image_set_raw(struct volume *volume, uint64_t size);
