/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Saving guests of the in-memory driver: files in the layout of libvirt's test driver ("TestGuestMagic", the
 * length of the document in four bytes of the host's order, the document), managed saves in memory. The
 * functions are those of struct domain_driver_ops.
 */

#include "drivers/domain/save.h"

bool test_save_open(struct domain_save *save, GError **error);
bool test_save_begin(struct domain_save *save, GError **error);
void test_save_cancel(struct domain_save *save);
bool test_save_finish(struct domain_save *save, GError **error);
bool test_save_publish(struct domain_save *save, GError **error);
void test_save_free(struct domain_save *save);
struct domain_image *test_image_open(struct domain_driver *driver, const char *path, GError **error);
bool test_image_write(struct domain_image *image, const char *xml, bool runs, GError **error);
