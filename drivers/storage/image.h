/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the header of an image file says, by our own bounded reads of untrusted bytes. For listings only: what
 * a raw image begins with is its guest's to say, so nothing that is found here may ever be opened because of
 * it: image-source.c opens the volumes of a chain. Lanes.
 */

#include "drivers/storage/volume.h"

/*
 * Fills in volume's format, capacity, backing, encryption and features from the file of size bytes. A file
 * that is cut off or malformed counts as raw with its size as capacity.
 */
void image_probe(int fd, uint64_t size, struct volume *volume);

/*
 * Before qemu-img opens volume's image, whose file is fd: is it still what the description says, and does it
 * name no other files than a backing file of a format that is known? Raw ones always are. Other programs may
 * write to it: look as late as possible.
 */
bool image_check(int fd, const struct volume *volume, GError **error);

/*
 * Does volume say the format of its backing file? Where it does not, that must be the end of the chain, and
 * what its beginning says (image_header_recognize_last()). below is open to it, -1: it is not known; driver
 * is what it is to be opened as, QEMU's name. True as well when there is none.
 */
bool image_check_backing(const struct volume *volume, int below, const char *driver, GError **error);

/* Says that it is raw, without a look. */
void image_set_raw(struct volume *volume, uint64_t size);
