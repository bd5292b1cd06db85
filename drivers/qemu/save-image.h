/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Files that guests are saved to, in the layout that libvirt's have, so that each reads the other's:
 *
 *     16 bytes    "LibvirtQemudSave"; while it is written "LibvirtQemudPart"; while its document is changed
 *                 "LibvirtQemudMove", which is the agent's own
 *     5 x 4       in the host's byte order: version (2); bytes of the documents; 1 when the guest is to run;
 *                 format (below); where in the documents a second one begins, 0: there is none
 *     14 x 4      0; the agent writes how many bytes of state follow into the first two (64 bits), 0 when it
 *                 is not known: a file that was cut off is told from a whole one; while the document is
 *                 changed, the next two say where the state ends, and one whether the new document is there
 *     documents   the <domain>, 0, maybe another document, and zeros up to the length above
 *     the state   as the emulator wrote it, through the program of the format
 *
 * On a block device, which is written in place, what is behind the state is not part of it.
 *
 * The layout was found out from files that libvirt 9.0 wrote. Any lane that may wait for storage.
 */

#include "drivers/domain/save.h"

#include <glib.h>
#include <stdbool.h>

/* Numbers as in the file. */
enum save_format {
        SAVE_RAW = 0,
        SAVE_GZIP = 1,
        SAVE_BZIP2 = 2,
        SAVE_XZ = 3,
        SAVE_LZOP = 4,
        SAVE_ZSTD = 5,
        SAVE_FORMATS,
};

/* Of the documents, in bytes: files that say more are refused. */
#define SAVE_IMAGE_DOCUMENTS_MAX (8 * 1024 * 1024)
/* What comes before the state is a multiple of this, so that the state can be read around the host's cache.
 */
#define SAVE_IMAGE_ALIGNMENT 4096

/* "gzip"; also the name of its program. NULL: no such format. */
const char *save_format_get_name(unsigned format);

/* Writes the head of a new file, as one that is not finished; *length: where the state begins. */
bool save_image_begin(int fd, const char *path, const char *xml, bool runs, enum save_format format,
                      uint64_t *length, GError **error);
/* The state, from offset begin up to end, is complete: the head says how much it is, and all of it is on the
 * disk. */
bool save_image_finish(int fd, const char *path, uint64_t begin, uint64_t end, GError **error);
/* From now on it is one that is finished, or (whole: false) one that is not, on the disk as well. */
bool save_image_seal(int fd, const char *path, bool whole, GError **error);
/* Is that so of what is at path? */
bool save_image_is_sealed(const char *path);

/*
 * struct domain_driver_ops.image_open: ERROR_OPERATION_FAILED names what is wrong with the file: no save, cut
 * off, unfinished, of a newer version.
 */
struct domain_image *save_image_open(struct domain_driver *driver, const char *path, GError **error);
/*
 * struct domain_driver_ops.image_write: the document has to fit where the old one is. Whatever is killed
 * meanwhile, the file has the one document or the other; the next save_image_open() sees to that.
 */
bool save_image_write(struct domain_image *image, const char *xml, bool runs, GError **error);
