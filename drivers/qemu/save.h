/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Saving guests to files, and what of that a restore needs. The save_* functions are those of struct
 * domain_driver_ops.
 */

#include "drivers/domain/save.h"
#include "drivers/qemu/filter.h"
#include "drivers/qemu/guest.h"

bool save_open(struct domain_save *save, GError **error);
bool save_begin(struct domain_save *save, GError **error);
void save_cancel(struct domain_save *save);
bool save_finish(struct domain_save *save, GError **error);
bool save_publish(struct domain_save *save, GError **error);
void save_retract(struct domain_save *save);
void save_free(struct domain_save *save);

/*
 * The programs that a state comes from a file through, at most three. Zeroed: none. Lane of whoever opened
 * them.
 */
struct save_filters {
        struct filter *filters[3]; /* owned */
};

/*
 * To read the state of image: a descriptor, owned, that is image's own or the end of a pipe; -1 with an
 * error.
 */
int save_open_state(struct save_filters *filters, struct domain_image *image, GError **error);
void save_filters_clear(struct save_filters *filters);

/* Lane: the guest takes in the state that comes from fd. The emulator is one that was started for it. */
bool save_restore(struct guest *guest, struct domain_image *image, GError **error);
